#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/engine_impl.h"
#include "srp/err.h"

#define FLOWS 5000

static struct ecs_session sessions[3] = {{.spec.callid = 1}, {.spec.callid = 2},
                                         {.spec.callid = 0x80000001}};

static struct ecs_flow *make(unsigned i)
{
	struct ecs_flow *f = calloc(1, sizeof(*f));

	memset(f->key.subscriber.b, (int)(i % 7), 16);
	memset(f->key.server.b, (int)(i % 5), 16);
	f->key.subscriber_port = (uint16_t)(i / 35);
	f->key.server_port = 443;
	f->key.proto = i % 2 ? 6 : 17;
	f->session = &sessions[i % 3];
	f->id = i + 1;
	return f;
}

static void found_by_both_indexes(void)
{
	struct ecs_flow_table *t = ecs_flow_table_new(4, 99); /* grows many times on the way */
	static struct ecs_flow *f[FLOWS];

	for (unsigned i = 0; i < FLOWS; i++) {
		f[i] = make(i);
		CU_ASSERT_PTR_NULL_FATAL(ecs_flow_find(t, &f[i]->key));
		CU_ASSERT_EQUAL(ecs_flow_insert(t, f[i]), 0);
		if (i % 16 == 0) /* in the middle of each growth, all of them are there */
			for (unsigned k = 0; k <= i; k += 7)
				CU_ASSERT_FATAL(ecs_flow_find(t, &f[k]->key) == f[k]);
	}
	CU_ASSERT_EQUAL(ecs_flow_count(t), FLOWS);
	for (unsigned i = 0; i < FLOWS; i++) {
		uint32_t callid = f[i]->session->spec.callid;

		CU_ASSERT_PTR_EQUAL(ecs_flow_find(t, &f[i]->key), f[i]);
		CU_ASSERT_PTR_EQUAL(ecs_flow_find_id(t, callid, f[i]->id), f[i]);
		CU_ASSERT_PTR_NULL(ecs_flow_find_id(t, callid ^ 0x40000000u, f[i]->id));
	}
	for (unsigned i = 0; i < FLOWS; i += 2)
		ecs_flow_remove(t, f[i]);
	CU_ASSERT_EQUAL(ecs_flow_count(t), FLOWS / 2);
	for (unsigned i = 0; i < FLOWS; i++)
		CU_ASSERT_PTR_EQUAL(ecs_flow_find(t, &f[i]->key), i % 2 ? f[i] : NULL);
	for (unsigned i = 0; i < FLOWS; i++)
		free(f[i]);
	ecs_flow_table_free(t);
}

static void every_part_of_the_key_counts(void)
{
	struct ecs_flow_table *t = ecs_flow_table_new(16, 1);
	struct ecs_flow *f = make(35 * 9);
	struct ecs_flow_key k = f->key;

	ecs_flow_insert(t, f);
	CU_ASSERT_PTR_EQUAL(ecs_flow_find(t, &k), f);
	for (unsigned i = 0; i < 16; i++) {
		k.subscriber.b[i] ^= 1;
		CU_ASSERT_PTR_NULL(ecs_flow_find(t, &k));
		k.subscriber.b[i] ^= 1;
		k.server.b[i] ^= 1;
		CU_ASSERT_PTR_NULL(ecs_flow_find(t, &k));
		k.server.b[i] ^= 1;
	}
	k.subscriber_port ^= 0x100;
	CU_ASSERT_PTR_NULL(ecs_flow_find(t, &k));
	k.subscriber_port ^= 0x100;
	k.server_port ^= 1;
	CU_ASSERT_PTR_NULL(ecs_flow_find(t, &k));
	k.server_port ^= 1;
	k.proto = 1;
	CU_ASSERT_PTR_NULL(ecs_flow_find(t, &k));
	ecs_flow_remove(t, f);
	ecs_flow_remove(t, f); /* not there: nothing happens */
	CU_ASSERT_EQUAL(ecs_flow_count(t), 0);
	free(f);
	ecs_flow_table_free(t);
}

static void pool_gives_zeroed_objects(void)
{
	struct ecs_pool p;
	enum { N = 3000 };
	unsigned char *o[N];

	ecs_pool_init(&p, 301);
	for (int i = 0; i < N; i++) {
		o[i] = ecs_pool_get(&p);
		CU_ASSERT_PTR_NOT_NULL_FATAL(o[i]);
		CU_ASSERT_EQUAL((uintptr_t)o[i] % 64, 0);
		for (int b = 0; b < 301; b++)
			CU_ASSERT_FATAL(o[i][b] == 0);
		memset(o[i], 0xff, 301);
	}
	CU_ASSERT_EQUAL(p.used, N);
	for (int i = 0; i < N; i += 3)
		ecs_pool_put(&p, o[i]);
	for (int i = 0; i < N; i += 3) {
		unsigned char *q = ecs_pool_get(&p);

		for (int b = 0; b < 301; b++)
			CU_ASSERT_FATAL(q[b] == 0);
	}
	CU_ASSERT_EQUAL(p.used, N);
	ecs_pool_put(&p, NULL);
	ecs_pool_fini(&p);
	CU_ASSERT_EQUAL(p.used, 0);
}

CU_TestInfo ecs_flow_table_tests[] = {
	{"found by both indexes while it grows", found_by_both_indexes},
	{"every part of the key counts", every_part_of_the_key_counts},
	{"a pool gives zeroed objects", pool_gives_zeroed_objects},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include <string.h>

#include "chassis/task/calls.h"
#include "srp/err.h"

static struct ecs_addr addr(const char *s)
{
	struct ecs_addr a;

	CU_ASSERT_EQUAL_FATAL(ecs_addr_parse(s, &a), 0);
	return a;
}

static struct chassis_call call(uint32_t id, unsigned instance, const char *v4, const char *v6)
{
	struct chassis_call c = {.callid = id, .instance = instance, .has4 = v4, .has6 = v6};

	if (v4)
		c.v4 = addr(v4);
	if (v6)
		c.v6 = addr(v6);
	return c;
}

static void test_add_find_remove(void)
{
	struct chassis_calls *t = chassis_calls_new(0, 7);
	struct chassis_call a = call(1, 1, "10.0.0.1", "2001:db8:1::"), b = call(2, 2, "10.0.0.1", NULL);
	struct ecs_addr host = addr("2001:db8:1::77"), other = addr("2001:db8:2::77");
	uint32_t holder = 0;

	CU_ASSERT_EQUAL(chassis_calls_add(t, &a, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &b, &holder), SRP_EDUP);
	CU_ASSERT_EQUAL(holder, 1);
	/* Any host of the /64 is the subscriber. */
	CU_ASSERT_PTR_NOT_NULL(chassis_calls_by_addr(t, &host));
	CU_ASSERT_PTR_NULL(chassis_calls_by_addr(t, &other));
	/* The same call again moves: instance and addresses. */
	a = call(1, 3, "10.0.0.9", NULL);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &a, &holder), 0);
	CU_ASSERT_PTR_NULL(chassis_calls_by_addr(t, &host));
	CU_ASSERT_EQUAL(chassis_calls_of(t, 1), 0);
	CU_ASSERT_EQUAL(chassis_calls_of(t, 3), 1);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &b, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_remove(t, 1, 1), SRP_ENOENT);
	CU_ASSERT_EQUAL(chassis_calls_remove(t, 1, 3), 0);
	CU_ASSERT_PTR_NULL(chassis_calls_find(t, 1));
	CU_ASSERT_EQUAL(chassis_calls_count(t), 1);
	chassis_calls_free(t);
}

static void test_ids_carry_the_bit(void)
{
	struct chassis_calls *t[2] = {chassis_calls_new(0, 0x7ffffffe), chassis_calls_new(1, 0x7ffffffe)};
	uint32_t holder;

	for (unsigned bit = 0; bit < 2; bit++) {
		struct chassis_call taken = call(bit ? CHASSIS_CALL_BIT | 1 : 1, 1, "10.0.0.1", NULL);

		CU_ASSERT_EQUAL(chassis_calls_add(t[bit], &taken, &holder), 0);
		/* 0x7fffffff, then past 0 (no id) and past 1 (taken). */
		CU_ASSERT_EQUAL(chassis_calls_id(t[bit]) & ~CHASSIS_CALL_BIT, 0x7fffffff);
		CU_ASSERT_EQUAL(chassis_calls_id(t[bit]), (bit ? CHASSIS_CALL_BIT : 0) | 2);
		chassis_calls_free(t[bit]);
	}
}

static bool even_only(void *arg, unsigned i)
{
	(void)arg;
	return i % 2 == 0;
}

static void count_one(void *arg, const struct chassis_call *c)
{
	(void)c;
	++*(unsigned *)arg;
}

static void test_place_and_drop(void)
{
	struct chassis_calls *t = chassis_calls_new(0, 0);
	struct chassis_call a = call(1, 2, "10.0.0.1", NULL), b = call(2, 4, "10.0.0.2", NULL);
	struct chassis_call c = call(3, 2, "10.0.0.3", NULL);
	unsigned seen = 0;
	uint32_t holder;

	CU_ASSERT_EQUAL(chassis_calls_place(t, 1, even_only, NULL), 0);
	CU_ASSERT_EQUAL(chassis_calls_place(t, 4, even_only, NULL), 2);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &a, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_place(t, 4, even_only, NULL), 4);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &b, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &c, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_drop(t, 2, count_one, &seen), 2);
	CU_ASSERT_EQUAL(seen, 2);
	CU_ASSERT_EQUAL(chassis_calls_count(t), 1);
	CU_ASSERT_PTR_NOT_NULL(chassis_calls_find(t, 2));
	chassis_calls_free(t);
}

static void test_pool_to_its_end(void)
{
	struct chassis_calls *t = chassis_calls_new(0, 0);
	struct chassis_pool p = {.name = "p", .len = 29}, p6 = {.name = "q", .len = 63, .v6 = true};
	struct ecs_addr a;
	uint32_t holder;
	char text[64];

	p.prefix = addr("10.9.8.0");
	p6.prefix = addr("2001:db8:0:4::");
	/* 8 addresses: the network's own and the broadcast address are not given. */
	for (uint32_t i = 1; i <= 6; i++) {
		struct chassis_call c = call(i, 1, "10.0.0.1", NULL);

		CU_ASSERT_EQUAL_FATAL(chassis_calls_address(t, &p, &a), 0);
		c.v4 = a;
		CU_ASSERT_EQUAL(chassis_calls_add(t, &c, &holder), 0);
		CU_ASSERT_EQUAL(a.b[15], i);
	}
	CU_ASSERT_EQUAL(chassis_calls_address(t, &p, &a), SRP_EFULL);
	CU_ASSERT_EQUAL(chassis_calls_remove(t, 3, 1), 0);
	CU_ASSERT_EQUAL(chassis_calls_address(t, &p, &a), 0);
	CU_ASSERT_STRING_EQUAL(ecs_addr_text(&a, text, sizeof(text)), "10.9.8.3");
	for (uint32_t i = 0; i < 2; i++) {
		struct chassis_call c = call(100 + i, 1, NULL, "2001:db8::");

		CU_ASSERT_EQUAL_FATAL(chassis_calls_address(t, &p6, &a), 0);
		c.v6 = a;
		CU_ASSERT_EQUAL(chassis_calls_add(t, &c, &holder), 0);
	}
	CU_ASSERT_EQUAL(chassis_calls_address(t, &p6, &a), SRP_EFULL);
	chassis_calls_free(t);
}

static void test_spec_round_trip(void)
{
	struct ecs_session_spec s = {.callid = 77, .imsi = "001010000000001", .username = "u", .apn = "a",
	                             .rulebase = "rb", .has4 = true, .qci = 9, .arp = 1, .idle_timeout = 30},
	                        out;
	uint8_t buf[512];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;

	s.v4 = addr("10.0.0.1");
	chassis_spec_put(&w, &s);
	CU_ASSERT_EQUAL(w.err, 0);
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	chassis_spec_get(&r, &out);
	CU_ASSERT_EQUAL(srp_mp_finish(&r), 0);
	CU_ASSERT_EQUAL(memcmp(&s, &out, sizeof(s)), 0);
	for (size_t cut = 0; cut < srp_mp_w_len(&w); cut++) {
		r = srp_mp_r_init(buf, cut);
		chassis_spec_get(&r, &out);
		CU_ASSERT_TRUE(r.err < 0);
	}
}

static void count(void *arg, const struct chassis_call *c)
{
	*(uint32_t *)arg += c->callid;
}

/* What an instance does not tell again is gone, from wherever it was kept. */
static void test_sweep(void)
{
	struct chassis_calls *t = chassis_calls_new(0, 1);
	struct chassis_call a = call(1, 1, "10.0.0.1", NULL), b = call(2, 1, "10.0.0.2", NULL),
	                    c = call(4, 2, "10.0.0.3", NULL), d = call(8, 1, "10.0.0.1", NULL);
	uint32_t holder, gone = 0, aside = 0;

	a.told = b.told = c.told = d.told = 5;
	CU_ASSERT_EQUAL(chassis_calls_add(t, &a, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &b, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &c, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_put_aside(t, &d), 0);
	chassis_calls_touch(t, 1, 6);
	chassis_calls_touch(t, 99, 6);
	CU_ASSERT_EQUAL(chassis_calls_sweep(t, 1, 6, count, &gone), 1);
	CU_ASSERT_EQUAL(gone, 2);
	CU_ASSERT_PTR_NOT_NULL(chassis_calls_find(t, 1));
	CU_ASSERT_PTR_NULL(chassis_calls_find(t, 2));
	CU_ASSERT_PTR_NOT_NULL(chassis_calls_find(t, 4));
	chassis_calls_aside(t, count, &aside);
	CU_ASSERT_EQUAL(aside, 0);
	CU_ASSERT_EQUAL(chassis_calls_sweep(t, 1, 6, count, &gone), 0);
	chassis_calls_free(t);
}

static uint32_t aside_of(const struct chassis_calls *t)
{
	uint32_t sum = 0;

	chassis_calls_aside(t, count, &sum);
	return sum;
}

/* A call whose address another has is kept in mind, and nothing else is. */
static void test_aside(void)
{
	struct chassis_calls *t = chassis_calls_new(0, 1);
	struct chassis_call a = call(1, 1, "10.0.0.1", "2001:db8:1::"), b = call(2, 2, "10.0.0.1", NULL);
	uint32_t holder, gone = 0;

	CU_ASSERT_EQUAL(chassis_calls_add(t, &a, &holder), 0);
	CU_ASSERT_EQUAL(chassis_calls_put_aside(t, chassis_calls_find(t, 1)), 0);
	CU_ASSERT_EQUAL(chassis_calls_put_aside(t, &a), 0);
	CU_ASSERT_EQUAL(aside_of(t), 1);
	CU_ASSERT_PTR_NULL(chassis_calls_find(t, 1));
	CU_ASSERT_PTR_NULL(chassis_calls_by_addr(t, &a.v6));
	CU_ASSERT_EQUAL(chassis_calls_count(t), 0);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &b, &holder), 0);
	/* Told again it is no longer aside, or still refused. */
	CU_ASSERT_EQUAL(chassis_calls_add(t, &a, &holder), SRP_EDUP);
	CU_ASSERT_EQUAL(aside_of(t), 1);
	CU_ASSERT_EQUAL(chassis_calls_remove(t, 2, 2), 0);
	CU_ASSERT_EQUAL(chassis_calls_add(t, &a, &holder), 0);
	CU_ASSERT_EQUAL(aside_of(t), 0);
	/* It goes by its call-id and instance, and with its instance. */
	CU_ASSERT_EQUAL(chassis_calls_put_aside(t, &b), 0);
	CU_ASSERT_EQUAL(chassis_calls_remove(t, 2, 1), SRP_ENOENT);
	CU_ASSERT_EQUAL(chassis_calls_remove(t, 2, 2), 0);
	CU_ASSERT_EQUAL(chassis_calls_put_aside(t, &b), 0);
	CU_ASSERT_EQUAL(chassis_calls_drop(t, 1, count, &gone), 1);
	CU_ASSERT_EQUAL(aside_of(t), 2);
	CU_ASSERT_EQUAL(chassis_calls_drop(t, 2, count, &gone), 0);
	CU_ASSERT_EQUAL(aside_of(t), 0);
	CU_ASSERT_EQUAL(gone, 1);
	chassis_calls_free(t);
}

CU_TestInfo chassis_calls_tests[] = {
	{"add, find, move, remove", test_add_find_remove},
	{"call-ids carry the chassis bit and are never 0 or taken", test_ids_carry_the_bit},
	{"placement and loss of an instance", test_place_and_drop},
	{"what an instance does not tell again is gone", test_sweep},
	{"calls whose address another has are kept aside", test_aside},
	{"a pool gives each address once", test_pool_to_its_end},
	{"session between tasks, cut at every byte", test_spec_round_trip},
	CU_TEST_INFO_NULL,
};

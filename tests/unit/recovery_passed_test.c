/* What kinds are told of their records on the way: struct srp_ckpt_kind, passed. */
#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

static struct {
	unsigned n[SRP_CKPT_REFUSED + 1];
	unsigned deletions;
	struct srp_ckpt_pass last;
	struct srp_ckpt_obj *obj;
	struct srp_ckpt_key key;
} told;

static void passed(struct srp_ckpt_obj *o, const struct srp_ckpt_key *key,
                   const struct srp_ckpt_pass *p)
{
	told.n[p->what]++;
	told.deletions += !o;
	told.last = *p;
	told.obj = o;
	if (!o)
		told.key = *key;
}

/* Both sides level; what side 0 sends of children from now on is told. */
static void begin(struct kit *k, uint32_t n)
{
	static struct srp_ckpt_kind child;

	*k = (struct kit){0};
	kit_level(k, n);
	child = *toy_kinds[TOY_CHILD];
	child.passed = passed;
	k->s[0].r->kind[TOY_CHILD].k = &child;
	memset(&told, 0, sizeof(told));
}

static void sent_and_acknowledged(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k;
	bool more;
	size_t n;

	begin(&k, 3);
	toy_set_parent(&k.s[0].toy, 0, 70, k.now); /* a kind that does not count */
	toy_set_child(&k.s[0].toy, 0, 0, 50, 0, k.now);
	toy_set_child(&k.s[0].toy, 1, 0, 51, 0, k.now);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_SENT], 0); /* they wait */
	n = kit_take(&k, 0, buf, &more);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_SENT], 2);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_ACKED], 0);
	CU_ASSERT_EQUAL(told.last.seq, (uint32_t)k.s[0].r->sent);
	CU_ASSERT_EQUAL(told.last.replica, SRP_REPLICA_GR);
	CU_ASSERT_PTR_EQUAL(told.last.owner, &k.s[0].toy);
	CU_ASSERT_EQUAL(told.last.now.us, k.now.us);
	CU_ASSERT_PTR_NOT_NULL(told.obj);
	k.now.us += 1000;
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), 0);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_ACKED], 2);
	CU_ASSERT_EQUAL(told.last.now.us, k.now.us);
	CU_ASSERT((int32_t)(told.last.seq - (uint32_t)k.s[0].r->sent) <= 0);
	CU_ASSERT_EQUAL(told.deletions, 0);
	kit_fini(&k);
}

static void deletions(void)
{
	struct kit k;

	begin(&k, 2);
	toy_del_child(&k.s[0].toy, 1, 0, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_SENT], 1);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_ACKED], 1);
	CU_ASSERT_EQUAL(told.deletions, 2);
	CU_ASSERT_EQUAL(told.key.k[0], 1);
	kit_fini(&k);
}

/* An object that changes on the way: its first record is answered with the second. */
static void overtaken(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k;
	bool more;
	size_t n;

	begin(&k, 2);
	toy_set_child(&k.s[0].toy, 0, 0, 50, 0, k.now);
	n = kit_take(&k, 0, buf, &more);
	toy_set_child(&k.s[0].toy, 0, 0, 51, 0, k.now);
	n += recovery_replica_tx(k.s[0].r, buf + n, KIT_BUF - n, k.now, &more);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_SENT], 2);
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), 0);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_ACKED], 1);
	CU_ASSERT_EQUAL(told.last.seq, (uint32_t)k.s[0].r->sent);
	kit_fini(&k);
}

/* Refused records are no successes; those around them are. */
static void refused(void)
{
	struct kit k;

	begin(&k, 3);
	k.s[1].toy.full = 1u << 5;
	for (uint32_t i = 0; i < 3; i++)
		toy_set_child(&k.s[0].toy, i, 4 + i % 2, 1, 1, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_SENT], 3);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_ACKED], 2);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_REFUSED], 1);
	kit_fini(&k);
}

static void the_connection_breaks(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k;
	uint16_t epoch;
	bool more;

	begin(&k, 2);
	toy_set_child(&k.s[0].toy, 0, 0, 50, 0, k.now);
	(void)kit_take(&k, 0, buf, &more);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_SENT], 1);
	epoch = told.last.epoch;
	kit_down(&k);
	kit_up(&k);
	kit_exchange(&k);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_SENT], 2);
	CU_ASSERT_EQUAL(told.n[SRP_CKPT_ACKED], 1);
	CU_ASSERT_NOT_EQUAL(told.last.epoch, epoch);
	kit_fini(&k);
}

CU_TestInfo recovery_passed_tests[] = {
	{"sent and acknowledged", sent_and_acknowledged},
	{"deletions by their key", deletions},
	{"overtaken by a change", overtaken},
	{"refused", refused},
	{"the connection breaks", the_connection_breaks},
	CU_TEST_INFO_NULL,
};

/* What few flows have, in their records: a parent; and how ids are given. */
#include "config.h"
#include "suites.h"

#include "ecs/parent.h"
#include "ecs_kit.h"

/* Which flow has set it up travels by its number, whichever of them comes first. */
static void parent_and_child(bool child_first)
{
	struct ecs_flow *f, *c, *other;
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct kit a, b;
	size_t len;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	c = kit_flow(&a, s, 1001, false, "dns");
	ecs_flow_remove(a.e->flows, c);
	c->key.proto = 17;
	c->tcp_state = ECS_TCP_ST_NONE;
	CU_ASSERT_EQUAL(ecs_flow_insert(a.e->flows, c), 0);
	kit_precede(&a, &b, f);
	kit_precede(&a, &b, c);
	len = kit_record_len(&a, &c->ckpt);
	ecs_parent_apply(a.e, c, f->id);
	CU_ASSERT_PTR_EQUAL(ecs_parent_of(a.e, c), f);
	CU_ASSERT_EQUAL(kit_record_len(&a, &c->ckpt), len + 2);
	CU_ASSERT_EQUAL(kit_send(&a, &b, child_first ? &c->ckpt : &f->ckpt, &out), 0);
	if (child_first)
		CU_ASSERT_PTR_NULL(ecs_parent_of(b.e, kit_flow_at(&b, 7, c->id)));
	CU_ASSERT_EQUAL(kit_send(&a, &b, child_first ? &f->ckpt : &c->ckpt, &out), 0);
	CU_ASSERT_PTR_EQUAL(ecs_parent_of(b.e, kit_flow_at(&b, 7, c->id)), kit_flow_at(&b, 7, f->id));
	CU_ASSERT_TRUE(kit_same(&a, &c->ckpt, &b, &kit_flow_at(&b, 7, c->id)->ckpt));
	kit_torture(&a, &b, &c->ckpt);
	ecs_engine_active(b.e, true, b.now);
	CU_ASSERT_PTR_EQUAL(ecs_parent_of(b.e, kit_flow_at(&b, 7, c->id)), kit_flow_at(&b, 7, f->id));
	ecs_engine_active(b.e, false, b.now);
	/* the number of a flow that never comes, and the end of the parent */
	other = kit_flow(&a, s, 1002, false, "plain");
	ecs_parent_apply(a.e, c, other->id);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &c->ckpt, &out), 0);
	CU_ASSERT_PTR_NULL(ecs_parent_of(b.e, kit_flow_at(&b, 7, c->id)));
	CU_ASSERT_TRUE(kit_same(&a, &c->ckpt, &b, &kit_flow_at(&b, 7, c->id)->ckpt));
	ecs_flow_drop(a.e, other, ECS_TELL, a.now);
	CU_ASSERT_EQUAL(kit_record_len(&a, &c->ckpt), len);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &c->ckpt, &out), 0);
	CU_ASSERT_EQUAL(ecs_parent_kept(kit_flow_at(&b, 7, c->id)), 0);
	CU_ASSERT_TRUE(kit_same(&a, &c->ckpt, &b, &kit_flow_at(&b, 7, c->id)->ckpt));
	kit_fini(&a);
	kit_fini(&b);
}

static void test_parent(void)
{
	parent_and_child(false);
	parent_and_child(true);
}

/* Numbers that no flow can have, and its own. */
static void test_parent_refused(void)
{
	static const uint64_t bad[] = {0, 2, (uint64_t)ECS_FLOW_COUNTER_MAX << 1, UINT64_C(1) << 32};
	struct srp_ckpt_key key = {{7, 2}};
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	kit_precede(&a, &b, f);
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		static const uint8_t five[] = {17, 3, 232, 0, 53, 10, 200, 0, 1};
		bool good = i == sizeof(bad) / sizeof(bad[0]);
		uint8_t buf[256];
		struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

		srp_mp_w_bin(&w, five, sizeof(five));
		srp_mp_w_uint(&w, ecs_ruleref_get(a.e->refs, f->ref)->name_hash);
		srp_mp_w_uint(&w, 5);
		srp_mp_w_uint(&w, 0);
		srp_mp_w_array(&w, 2);
		srp_mp_w_uint(&w, 0);
		srp_mp_w_uint(&w, good ? 4 : bad[i]);
		srp_mp_w_nil(&w);
		for (unsigned n = 0; n < 4; n++)
			srp_mp_w_uint(&w, 0);
		CU_ASSERT_EQUAL(kit_apply(&b, &ecs_kind_flow, &key, buf, srp_mp_w_len(&w),
		                          ecs_kind_flow.nfields, &out) == 0, good);
	}
	kit_fini(&a);
	kit_fini(&b);
}

/* Flow ids are spoken for in blocks, so that a chassis that restarts gives none twice (R12). */
static void test_flow_ids(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *t;
	struct ecs_flow *f = NULL;
	struct kit a, b;
	unsigned told;

	kit_init(&a, 0, true);
	kit_init(&b, 0, false); /* the same chassis, after a restart */
	s = kit_session(&a, 7, 1, false);
	told = a.rec.changed[179];
	for (uint16_t i = 0; i < 64; i++)
		f = kit_flow(&a, s, (uint16_t)(1000 + i), false, "plain");
	CU_ASSERT_EQUAL(a.rec.changed[179], told + 1);
	CU_ASSERT_EQUAL(f->id >> 1, 64);
	CU_ASSERT_EQUAL(s->flow_ids, 64);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	f = kit_flow(&a, s, 2000, false, "plain");
	CU_ASSERT_EQUAL(a.rec.changed[179], told + 2);
	CU_ASSERT_EQUAL(s->flow_ids, 128);
	t = ecs_session_find(b.e, 7);
	CU_ASSERT_FALSE(kit_same(&a, &s->call, &b, &t->call));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, &s->call, &b, &t->call));
	ecs_engine_active(b.e, true, b.now);
	CU_ASSERT_EQUAL(kit_flow(&b, t, 1000, false, "plain")->id >> 1, 129);
	kit_fini(&a);
	kit_fini(&b);
}

/* The peer in service knows of no ids that were spoken for and has the call's record deleted here (it has
 * none itself): back in service we speak for ids again before we give one, so that our successor gives none
 * of them twice. */
static void test_flow_ids_forgotten(void)
{
	struct srp_ckpt_ctx ctx;
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *t, *u;
	struct ecs_flow *f;
	struct kit a, b, c;
	unsigned told;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	kit_init(&c, 0, false); /* the first chassis, after a restart */
	s = kit_session(&a, 7, 1, false);
	kit_flow(&a, s, 1000, false, "plain");
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	t = ecs_session_find(b.e, 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(ecs_session_handoff(a.e, 7, ECS_RAT_WLAN, a.now), 0);
	ecs_engine_active(a.e, false, a.now);
	ctx = kit_ctx(&a, false);
	CU_ASSERT_EQUAL(ecs_kind_call.remove(&ctx, &(struct srp_ckpt_key){{7}}), 0);
	CU_ASSERT_TRUE(kit_same(&a, &s->call, &b, &t->call)); /* ids and radio access as there */
	CU_ASSERT_EQUAL(s->next_flow, 1);                     /* never back */
	ecs_engine_active(a.e, true, a.now);
	told = a.rec.changed[179];
	f = kit_flow(&a, s, 1001, false, "plain");
	CU_ASSERT_EQUAL(f->id >> 1, 2);
	CU_ASSERT_EQUAL(a.rec.changed[179], told + 1);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&b, &c, &t->full, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&b, &c, &t->call, &out), 0);
	u = ecs_session_find(c.e, 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(u);
	ecs_engine_active(c.e, true, c.now);
	CU_ASSERT_TRUE(kit_flow(&c, u, 1002, false, "plain")->id > f->id);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
}

CU_TestInfo ecs_kind_flow_more_tests[] = {
	{"flow ids", test_flow_ids},
	{"flow ids that the peer does not know of", test_flow_ids_forgotten},
	{"the parent of a flow", test_parent},
	{"parents that cannot be", test_parent_refused},
	CU_TEST_INFO_NULL,
};

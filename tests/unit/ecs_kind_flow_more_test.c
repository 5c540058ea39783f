/* What few flows have, in their records: a parent. */
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

CU_TestInfo ecs_kind_flow_more_tests[] = {
	{"the parent of a flow", test_parent},
	{"parents that cannot be", test_parent_refused},
	CU_TEST_INFO_NULL,
};

/* Which flows are checkpointed after what changes for all of them: a commit, a takeover. */
#include "config.h"
#include "suites.h"

#include "ecs_kit.h"

/* FR-079: what is eligible again is checkpointed again, within the limit, with what is left of its delay;
 * a flow that was taken over and had no packet since among them. */
static void test_commit_again(void)
{
	struct ecs_service *off = kit_service(4, 3), *on = kit_service(0, 3);
	struct ecs_session *s, *t;
	struct ecs_flow *f[4], *slow, *g;
	struct kit a, b;

	s = kit_pair(&a, 3, &b, 3);
	f[0] = kit_flow(&a, s, 1000, false, "web");
	f[1] = kit_flow(&a, s, 1001, false, "dns");
	t = kit_take_over(&a, &b);
	g = ecs_flow_find_id(b.e->flows, 7, f[0]->id);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.e, off, b.now), 0);
	CU_ASSERT_EQUAL(b.rec.told[210], 2);
	CU_ASSERT_EQUAL(t->slots, 0);
	CU_ASSERT_EQUAL(b.e->conf.counters->flows_purged, 0);
	CU_ASSERT_TRUE(ecs_flow_adopt(b.e, g, b.now)); /* its next packet finds it */
	f[2] = kit_flow(&b, t, 1002, false, "web");
	f[3] = kit_flow(&b, t, 1003, false, "web");
	slow = kit_flow(&b, t, 1004, false, "slow");
	kit_wait(&b, 4000);
	CU_ASSERT_EQUAL(b.rec.changed[210], 0);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.e, on, b.now), 0);
	CU_ASSERT_EQUAL(b.rec.changed[210], 3); /* the limit */
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_CHECKPOINT) && ecs_flow_recovered(b.e, g));
	CU_ASSERT_TRUE(kit_has(f[2], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_TRUE(kit_has(f[3], ECS_FLOW_F_WAITING));
	ecs_flow_drop(b.e, f[2], ECS_TELL, b.now);
	ecs_flow_drop(b.e, g, ECS_TELL, b.now);
	CU_ASSERT_EQUAL(b.rec.changed[210], 4);
	CU_ASSERT_TRUE(kit_has(f[3], ECS_FLOW_F_CHECKPOINT));
	kit_wait(&b, 5950);
	CU_ASSERT_EQUAL(b.rec.changed[210], 4);
	kit_wait(&b, 300);
	CU_ASSERT_EQUAL(b.rec.changed[210], 5); /* its own t0+10 */
	CU_ASSERT_TRUE(kit_has(slow, ECS_FLOW_F_CHECKPOINT));
	kit_pair_fini(&a, &b);
	ecs_service_free(off);
	ecs_service_free(on);
}

/* FR-021: the rule of a recovered flow leaves the rulebase and comes back as it was. */
static void test_commit_rule_back(void)
{
	struct ecs_service *none = kit_service(3, 0), *back = kit_service(0, 0);
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	(void)kit_take_over(&a, &b);
	f = ecs_flow_find_id(b.e->flows, 7, f->id);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.e, none, b.now), 0);
	CU_ASSERT_EQUAL(b.rec.told[210], 1);
	CU_ASSERT_FALSE(kit_has(f, ECS_FLOW_F_CHECKPOINT) || kit_has(f, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.e, back, b.now), 0);
	CU_ASSERT_EQUAL(b.rec.changed[210], 1);
	CU_ASSERT_PTR_EQUAL(b.rec.last, &f->ckpt);
	CU_ASSERT_TRUE(kit_has(f, ECS_FLOW_F_CHECKPOINT) && ecs_flow_recovered(b.e, f));
	CU_ASSERT_EQUAL(ecs_ruleref_get(b.e->refs, f->ref)->bind, ECS_BIND_OK);
	kit_pair_fini(&a, &b);
	ecs_service_free(none);
	ecs_service_free(back);
}

/* FR-118: the trigger acts on new flows. One that began under a scheme is eligible when the scheme is
 * back; one that began without is not, whatever rule it gets. */
static void test_commit_scheme(void)
{
	struct ecs_service *none = kit_service(5, 0), *on = kit_service(0, 0);
	struct ecs_session *s;
	struct ecs_flow *f, *g;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, none, a.now), 0);
	CU_ASSERT_EQUAL(s->scheme, -1);
	CU_ASSERT_EQUAL(a.rec.told[210], 1);
	g = kit_flow(&a, s, 1001, false, "web");
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, on, a.now), 0);
	CU_ASSERT_TRUE(kit_has(f, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_FALSE(kit_has(g, ECS_FLOW_F_ELIGIBLE));
	kit_set_rule(&a, g, "dns");
	CU_ASSERT_FALSE(kit_has(g, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_EQUAL(a.rec.changed[210], 2);
	kit_fini(&a);
	ecs_service_free(none);
	ecs_service_free(on);
}

/* FR-123: a lower limit takes from those that came last, who are the first to get it back. */
static void test_commit_lower(void)
{
	struct ecs_service *low = kit_service(0, 2), *three = kit_service(0, 3);
	struct ecs_flow *f[6];
	struct ecs_session *s;
	struct kit a;

	kit_init_with(&a, 0, true, 0, 5);
	s = kit_session(&a, 7, 1, false);
	for (uint16_t i = 0; i < 6; i++)
		f[i] = kit_flow(&a, s, (uint16_t)(1000 + i), false, "web");
	CU_ASSERT_TRUE(kit_has(f[5], ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, low, a.now), 0);
	CU_ASSERT_EQUAL(a.rec.told[210], 3);
	CU_ASSERT_EQUAL(s->slots, 2);
	CU_ASSERT_TRUE(kit_has(f[0], ECS_FLOW_F_CHECKPOINT) && kit_has(f[1], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_TRUE(kit_has(f[2], ECS_FLOW_F_WAITING) && kit_has(f[4], ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(a.ctr.limit_call, 4);
	CU_ASSERT_EQUAL(a.rec.changed[210], 5);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, three, a.now), 0);
	CU_ASSERT_TRUE(kit_has(f[2], ECS_FLOW_F_CHECKPOINT) && kit_has(f[3], ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(a.rec.changed[210], 6);
	ecs_flow_drop(a.e, f[3], ECS_TELL, a.now);
	ecs_flow_drop(a.e, f[0], ECS_TELL, a.now);
	CU_ASSERT_TRUE(kit_has(f[4], ECS_FLOW_F_CHECKPOINT) && kit_has(f[5], ECS_FLOW_F_WAITING));
	kit_fini(&a);
	ecs_service_free(low);
	ecs_service_free(three);
}

/* A connection that was closed inside its 2MSL when the peer died: recovered, it ends, and its place is
 * free; one that was half closed stays. */
static void test_takeover_closed(void)
{
	struct ecs_session *s, *t;
	struct ecs_flow *f, *g;
	struct kit a, b;

	s = kit_pair(&a, 2, &b, 2);
	f = kit_flow(&a, s, 1000, false, "web");
	g = kit_flow(&a, s, 1001, false, "web");
	f->flags |= ECS_FLOW_F_FIN_UP | ECS_FLOW_F_FIN_DOWN;
	f->tcp_state = ECS_TCP_ST_TIME_WAIT;
	f->idle_timeout = 77; /* another than the rule's: it is said, and is not what ends the flow */
	g->flags |= ECS_FLOW_F_FIN_UP;
	g->tcp_state = ECS_TCP_ST_FIN_WAIT1;
	a.now = srp_time_add(a.now, SRP_MS(500));
	t = kit_take_over(&a, &b);
	CU_ASSERT_EQUAL(t->slots, 2);
	kit_wait(&b, 1000);
	CU_ASSERT_EQUAL(t->slots, 2);
	kit_wait(&b, 1300);
	CU_ASSERT_EQUAL(t->slots, 1);
	CU_ASSERT_PTR_NULL(ecs_flow_find_id(b.e->flows, 7, f->id));
	CU_ASSERT_PTR_NOT_NULL(ecs_flow_find_id(b.e->flows, 7, g->id));
	CU_ASSERT_EQUAL(b.ctr.flows_fin, 1);
	CU_ASSERT_EQUAL(b.rec.told[210], 1);
	kit_pair_fini(&a, &b);
}

/* The peer's limit was higher: no more are recovered than the own one says, by the walk after the takeover
 * or at a packet before it. */
static void test_takeover_lower(void)
{
	struct ecs_session *s, *t;
	struct ecs_flow *f[5];
	struct kit a, b;

	for (int walk = 0; walk < 2; walk++) {
		s = kit_pair(&a, 5, &b, 2);
		for (uint16_t i = 0; i < 5; i++)
			f[i] = kit_flow(&a, s, (uint16_t)(1000 + i), false, "web");
		CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
		t = ecs_session_find(b.e, 7);
		CU_ASSERT_EQUAL(t->nflows, 5);
		ecs_engine_active(b.e, true, b.now);
		for (uint16_t i = 0; !walk && i < 5; i++) {
			struct ecs_flow *g = ecs_flow_find_id(b.e->flows, 7, f[i]->id);

			CU_ASSERT_EQUAL(ecs_flow_adopt(b.e, g, b.now), i < 2);
		}
		kit_wait(&b, 100);
		CU_ASSERT_EQUAL(t->nflows, 2);
		CU_ASSERT_EQUAL(t->slots, 2);
		CU_ASSERT_PTR_NOT_NULL(ecs_flow_find_id(b.e->flows, 7, f[1]->id));
		CU_ASSERT_EQUAL(b.rec.told[210], 3);
		CU_ASSERT_EQUAL(b.ctr.limit_call, 3);
		kit_pair_fini(&a, &b);
	}
}

/* After a takeover the limits go on from what was applied, and its flows hand their slots on. */
static void test_after_takeover(void)
{
	struct ecs_session *s, *t;
	struct ecs_flow *f, *g;
	struct kit a, b;

	s = kit_pair(&a, 2, &b, 2);
	f = kit_flow(&a, s, 1000, false, "web");
	kit_flow(&a, s, 1001, false, "web");
	t = kit_take_over(&a, &b);
	CU_ASSERT_EQUAL(t->slots, 2);
	g = kit_flow(&b, t, 1002, false, "web");
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(g->id & 1, 1); /* ids carry the chassis bit */
	ecs_flow_drop(b.e, ecs_flow_find_id(b.e->flows, 7, f->id), ECS_TELL, b.now);
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(b.rec.changed[210], 1);
	CU_ASSERT_EQUAL(b.rec.told[210], 1);
	kit_pair_fini(&a, &b);
}
CU_TestInfo ecs_recoverable_again_tests[] = {
	{"eligible again", test_commit_again},
	{"the rule comes back", test_commit_rule_back},
	{"the scheme comes back", test_commit_scheme},
	{"a closed connection is taken over", test_takeover_closed},
	{"a lower limit", test_commit_lower},
	{"a lower limit takes over", test_takeover_lower},
	{"after a takeover", test_after_takeover},
	CU_TEST_INFO_NULL,
};

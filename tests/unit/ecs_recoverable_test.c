#include "config.h"
#include "suites.h"

#include "ecs_kit.h"

static void test_eligible(void)
{
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "plain");
	CU_ASSERT_FALSE(kit_has(f, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_EQUAL(a.rec.changed[210], 0);
	f = kit_flow(&a, s, 1001, false, NULL);
	ecs_recoverable_rule(a.e, f, ECS_REF_NONE, a.now); /* `(no rule)` */
	CU_ASSERT_FALSE(kit_has(f, ECS_FLOW_F_ELIGIBLE));
	f = kit_flow(&a, s, 1002, false, "web");
	CU_ASSERT_TRUE(kit_has(f, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_TRUE(kit_has(f, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.changed[210], 1); /* at once, without delay */
	CU_ASSERT_EQUAL(s->slots, 1);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(a.e), 1);
	/* a session under no scheme */
	s->scheme = -1;
	f = kit_flow(&a, s, 1003, false, "web");
	CU_ASSERT_FALSE(kit_has(f, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_EQUAL(s->slots, 1);
	kit_fini(&a);
}

/* FR-015, FR-016, FR-101: limit 5, eight eligible flows over two bearers; one more and one less. */
static void test_limit_call(void)
{
	struct ecs_flow *f[8];
	struct ecs_session *s, *t;
	struct kit a;

	kit_init_with(&a, 0, true, 0, 5);
	s = kit_session(&a, 7, 1, false);
	t = kit_session(&a, 8, 2, false);
	for (uint16_t i = 0; i < 8; i++) {
		f[i] = kit_flow(&a, s, (uint16_t)(1000 + i), false, NULL);
		f[i]->bearer = i & 1 ? 5 : 6;
		kit_set_rule(&a, f[i], i & 1 ? "web" : "dns");
	}
	CU_ASSERT_EQUAL(s->slots, 5);
	CU_ASSERT_EQUAL(a.rec.changed[210], 5);
	CU_ASSERT_EQUAL(a.ctr.limit_call, 3);
	CU_ASSERT_EQUAL(a.ctr.limit_sessmgr, 0);
	CU_ASSERT_TRUE(kit_has(f[4], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_TRUE(kit_has(f[5], ECS_FLOW_F_WAITING) && !kit_has(f[5], ECS_FLOW_F_CHECKPOINT));
	/* FR-121: each call has its own */
	kit_flow(&a, t, 1000, false, "web");
	CU_ASSERT_EQUAL(t->slots, 1);
	/* a freed slot goes to the oldest that waits */
	ecs_flow_drop(a.e, f[2], ECS_TELL, a.now);
	CU_ASSERT_EQUAL(a.rec.told[210], 1);
	CU_ASSERT_TRUE(kit_has(f[5], ECS_FLOW_F_CHECKPOINT) && !kit_has(f[5], ECS_FLOW_F_WAITING));
	CU_ASSERT_FALSE(kit_has(f[6], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.changed[210], 7);
	CU_ASSERT_EQUAL(s->slots, 5);
	/* one that waits and ends leaves the line, and nothing is deleted for it */
	ecs_flow_drop(a.e, f[6], ECS_TELL, a.now);
	CU_ASSERT_EQUAL(a.rec.told[210], 1);
	/* one that has a slot and loses its rule's favour hands it on */
	kit_set_rule(&a, f[0], "plain");
	CU_ASSERT_TRUE(kit_has(f[7], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.told[210], 2);
	CU_ASSERT_EQUAL(s->slots, 5);
	CU_ASSERT_TRUE(ecs_list_empty(&s->waiting));
	ecs_flow_drop(a.e, f[1], ECS_TELL, a.now);
	CU_ASSERT_EQUAL(s->slots, 4);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(a.e), 5);
	kit_fini(&a);
}

/* FR-123, FR-122: ten where nothing is said; at most 300. */
static void test_limit_ends(void)
{
	struct ecs_session *s;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	for (uint16_t i = 0; i < 12; i++)
		kit_flow(&a, s, (uint16_t)(1000 + i), false, "web");
	CU_ASSERT_EQUAL(s->slots, 10);
	CU_ASSERT_EQUAL(a.ctr.limit_call, 2);
	kit_fini(&a);
	kit_init_with(&a, 0, true, 0, 300);
	s = kit_session(&a, 7, 1, false);
	for (uint16_t i = 0; i < 301; i++)
		kit_flow(&a, s, (uint16_t)(1000 + i), false, "web");
	CU_ASSERT_EQUAL(s->slots, 300);
	CU_ASSERT_EQUAL(a.ctr.limit_call, 1);
	kit_fini(&a);
	kit_init_with(&a, 0, true, 0, 1);
	s = kit_session(&a, 7, 1, false);
	kit_flow(&a, s, 1000, false, "web");
	kit_flow(&a, s, 1001, false, "web");
	CU_ASSERT_EQUAL(s->slots, 1);
	kit_fini(&a);
}

/* FR-017: the fixed limit of the instance, under its own counter; who waits for it is served in the
 * order of coming, over calls. */
static void test_limit_instance(void)
{
	struct ecs_session *s, *t, *u;
	struct ecs_flow *f, *g, *h;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	t = kit_session(&a, 8, 2, false);
	u = kit_session(&a, 9, 3, false);
	a.e->slots = ECS_FLOW_CHKPT_PER_SESSMGR - 1; /* as if the others were there */
	f = kit_flow(&a, s, 1000, false, "web");
	CU_ASSERT_TRUE(kit_has(f, ECS_FLOW_F_CHECKPOINT));
	g = kit_flow(&a, t, 1000, false, "web");
	h = kit_flow(&a, u, 1000, false, "web");
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_WAITING) && kit_has(h, ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(a.ctr.limit_sessmgr, 2);
	CU_ASSERT_EQUAL(a.ctr.limit_call, 0);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_TRUE(kit_has(h, ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(ecs_engine_recoverable(a.e), ECS_FLOW_CHKPT_PER_SESSMGR);
	/* a session that ends gives its slots back; one that ends while it waits is forgotten */
	ecs_session_delete(a.e, 8, ECS_END_OPERATOR, a.now);
	CU_ASSERT_TRUE(kit_has(h, ECS_FLOW_F_CHECKPOINT));
	f = kit_flow(&a, s, 1000, false, "web");
	CU_ASSERT_TRUE(kit_has(f, ECS_FLOW_F_WAITING));
	ecs_session_delete(a.e, 7, ECS_END_OPERATOR, a.now);
	ecs_flow_drop(a.e, h, ECS_TELL, a.now);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(a.e), ECS_FLOW_CHKPT_PER_SESSMGR - 1);
	a.e->slots = 0;
	kit_fini(&a);
}

/* FR-013: the delay counts from the establishment of the flow. */
static void test_delay(void)
{
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "plain");
	kit_wait(&a, 4000);
	kit_set_rule(&a, f, "slow");
	CU_ASSERT_FALSE(kit_has(f, ECS_FLOW_F_CHECKPOINT)); /* it takes no slot yet */
	CU_ASSERT_PTR_NOT_NULL(f->delay);
	ecs_recoverable_changed(a.e, f, a.now); /* what changes meanwhile waits with the rest */
	kit_wait(&a, 5950);
	CU_ASSERT_EQUAL(a.rec.changed[210], 0);
	kit_wait(&a, 300);
	CU_ASSERT_EQUAL(a.rec.changed[210], 1); /* at t0+10, not at t0+14 */
	CU_ASSERT_PTR_NULL(f->delay);
	ecs_recoverable_changed(a.e, f, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[210], 2); /* later changes are not held back */
	/* matched at t0+12: at once */
	f = kit_flow(&a, s, 1001, false, "plain");
	kit_wait(&a, 12000);
	kit_set_rule(&a, f, "slow");
	CU_ASSERT_EQUAL(a.rec.changed[210], 3);
	/* at the edge */
	f = kit_flow(&a, s, 1002, false, "plain");
	a.now = srp_time_add(a.now, SRP_SEC(10));
	kit_set_rule(&a, f, "slow");
	CU_ASSERT_EQUAL(a.rec.changed[210], 4);
	f = kit_flow(&a, s, 1003, false, "plain");
	a.now = srp_time_add(a.now, SRP_SEC(10) - 1);
	kit_set_rule(&a, f, "slow");
	CU_ASSERT_EQUAL(a.rec.changed[210], 4);
	CU_ASSERT_PTR_NOT_NULL(f->delay);
	kit_fini(&a);
}

/* A loop that stood still before the rule was matched: the wheel is behind, nothing is early. */
static void test_delay_late_wheel(void)
{
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	ecs_engine_tick(a.e, a.now, 1000);
	a.now = srp_time_add(a.now, SRP_SEC(8)); /* no tick */
	f = kit_flow(&a, s, 1000, false, "slow");
	kit_wait(&a, 9950);
	CU_ASSERT_EQUAL(a.rec.changed[210], 0);
	CU_ASSERT_PTR_NOT_NULL(f->delay);
	kit_wait(&a, 400);
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	kit_fini(&a);
}

/* FR-097: a flow that ends inside its delay causes neither record, and holds no place meanwhile. */
static void test_delay_short_flows(void)
{
	struct ecs_session *s;
	struct ecs_flow *f, *g, *h;
	struct kit a;

	kit_init_with(&a, 0, true, 0, 1);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "slow");
	g = kit_flow(&a, s, 1001, false, "slow");
	CU_ASSERT_EQUAL(s->slots, 0);
	CU_ASSERT_EQUAL(a.ctr.limit_call, 0);
	kit_wait(&a, 5000);
	h = kit_flow(&a, s, 1002, false, "web"); /* without delay: the place is free for it */
	CU_ASSERT_TRUE(kit_has(h, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	kit_wait(&a, 5300);
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_WAITING)); /* its delay over, it waits for the place */
	CU_ASSERT_PTR_NULL(g->delay);
	CU_ASSERT_EQUAL(a.ctr.limit_call, 1);
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	ecs_flow_drop(a.e, h, ECS_TELL, a.now);
	CU_ASSERT_EQUAL(a.rec.told[210], 1);
	CU_ASSERT_EQUAL(a.rec.changed[210], 2);
	CU_ASSERT_PTR_EQUAL(a.rec.last, &g->ckpt);
	CU_ASSERT_EQUAL(s->slots, 1);
	kit_fini(&a);
}

/* One that waits for a place and gets a rule whose delay is not over leaves the line until it is. */
static void test_delay_while_waiting(void)
{
	struct ecs_session *s;
	struct ecs_flow *f, *g;
	struct kit a;

	kit_init_with(&a, 0, true, 0, 1);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	g = kit_flow(&a, s, 1001, false, "web");
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_WAITING));
	kit_set_rule(&a, g, "slow");
	CU_ASSERT_FALSE(kit_has(g, ECS_FLOW_F_WAITING));
	CU_ASSERT_TRUE(ecs_list_empty(&s->waiting));
	CU_ASSERT_PTR_NOT_NULL(g->delay);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	kit_wait(&a, 10300);
	CU_ASSERT_EQUAL(a.rec.changed[210], 2);
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_CHECKPOINT));
	kit_fini(&a);
}

static void test_rule_changes(void)
{
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	kit_set_rule(&a, f, "dns"); /* eligible to eligible: an update */
	CU_ASSERT_EQUAL(a.rec.changed[210], 2);
	CU_ASSERT_EQUAL(a.rec.deleted[210], 0);
	kit_set_rule(&a, f, "dns"); /* the same again: nothing */
	CU_ASSERT_EQUAL(a.rec.changed[210], 2);
	kit_set_rule(&a, f, "plain"); /* the checkpoint goes, the flow does not */
	CU_ASSERT_EQUAL(a.rec.told[210], 1);
	CU_ASSERT_FALSE(kit_has(f, ECS_FLOW_F_CHECKPOINT) || kit_has(f, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_EQUAL(s->slots, 0);
	ecs_recoverable_changed(a.e, f, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[210], 2);
	kit_set_rule(&a, f, "web"); /* and comes back: the sink sees a new object */
	CU_ASSERT_EQUAL(a.rec.changed[210], 3);
	CU_ASSERT_EQUAL(s->slots, 1);
	/* from a rule without delay to one with: told already, so it is an update */
	kit_set_rule(&a, f, "slow");
	CU_ASSERT_EQUAL(a.rec.changed[210], 4);
	CU_ASSERT_PTR_NULL(f->delay);
	/* from a rule with delay, not told yet, to one without: at once */
	f = kit_flow(&a, s, 1001, false, "slow");
	CU_ASSERT_EQUAL(a.rec.changed[210], 4);
	kit_set_rule(&a, f, "web");
	CU_ASSERT_EQUAL(a.rec.changed[210], 5);
	CU_ASSERT_PTR_NULL(f->delay);
	/* to none while delayed: nothing was sent, nothing is */
	f = kit_flow(&a, s, 1002, false, "slow");
	kit_set_rule(&a, f, "plain");
	kit_wait(&a, 11000);
	CU_ASSERT_EQUAL(a.rec.changed[210], 5);
	CU_ASSERT_EQUAL(s->slots, 2);
	kit_fini(&a);
}

/* A planned flush sends what is inside its delay, in steps. */
static void test_flush(void)
{
	struct ecs_session *s;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	for (uint16_t i = 0; i < 5; i++)
		kit_flow(&a, s, (uint16_t)(1000 + i), false, "slow");
	CU_ASSERT_EQUAL(a.rec.changed[210], 0);
	CU_ASSERT_TRUE(ecs_recoverable_flush(a.e, a.now, 2));
	CU_ASSERT_EQUAL(a.rec.changed[210], 2);
	CU_ASSERT_TRUE(ecs_recoverable_flush(a.e, a.now, 2));
	CU_ASSERT_FALSE(ecs_recoverable_flush(a.e, a.now, 1));
	CU_ASSERT_EQUAL(a.rec.changed[210], 5);
	kit_wait(&a, 11000);
	CU_ASSERT_EQUAL(a.rec.changed[210], 5); /* once */
	CU_ASSERT_EQUAL(s->slots, 5);
	for (uint16_t i = 0; i < 7; i++)
		kit_flow(&a, s, (uint16_t)(2000 + i), false, "slow");
	CU_ASSERT_FALSE(ecs_recoverable_flush(a.e, a.now, 100));
	CU_ASSERT_EQUAL(a.rec.changed[210], 10); /* the limit stands */
	CU_ASSERT_EQUAL(s->slots, 10);
	kit_fini(&a);
}

/* A commit: rules taken off the list or out of the service (FR-021, FR-113), a delay taken away
 * (FR-115), a higher limit. */
static void test_commit(void)
{
	struct ecs_service *none = kit_service(3, 3), *wide = kit_service(0, 5);
	struct ecs_session *s;
	struct ecs_flow *f[3], *g, *w;
	struct ecs_err err;
	struct kit a;

	kit_init_with(&a, 0, true, 0, 3);
	s = kit_session(&a, 7, 1, false);
	for (uint16_t i = 0; i < 3; i++)
		f[i] = kit_flow(&a, s, (uint16_t)(1000 + i), false, i == 2 ? "slow" : "web");
	g = kit_flow(&a, s, 2000, false, "dns");
	w = kit_flow(&a, s, 2001, false, "dns");
	CU_ASSERT_EQUAL(a.rec.changed[210], 3);
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_CHECKPOINT) && kit_has(w, ECS_FLOW_F_WAITING));
	/* a higher limit serves who waits */
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, wide, a.now), 0);
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_CHECKPOINT) && kit_has(w, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.changed[210], 4);
	CU_ASSERT_PTR_NOT_NULL(f[2]->delay); /* it has its delay still */
	/* rule web is gone: its flows live on without checkpoint */
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, none, a.now), 0);
	CU_ASSERT_FALSE(kit_has(f[0], ECS_FLOW_F_CHECKPOINT) || kit_has(f[1], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.told[210], 2);
	CU_ASSERT_EQUAL(ecs_engine_flows(a.e), 5);
	/* and dns stays, though its service is another */
	CU_ASSERT_TRUE(kit_has(g, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(s->slots, 2);
	/* the delay is taken away */
	ecs_service_free(wide);
	wide = ecs_service_new("kit");
	CU_ASSERT_EQUAL(ecs_service_rulebase(wide, "rb", false, &err), 0);
	ecs_service_charging_action(wide, "ca-web", false, &err)->content_id = 100;
	kit_rule(wide, "slow", ECS_F_TCP_EPORT, "8080", 20, "ca-web");
	CU_ASSERT_EQUAL(ecs_service_trigger_action(wide, "ta", false, &err), 0);
	CU_ASSERT_EQUAL(ecs_service_flow_recovery(wide, "ta", true, &err), 0);
	CU_ASSERT_EQUAL(ecs_service_trigger_condition(wide, "now", false, &err), 0);
	CU_ASSERT_EQUAL(ecs_service_cond_rule_name(wide, "now", false, ECS_OP_EQ, "slow", &err), 0);
	CU_ASSERT_EQUAL(ecs_service_scheme(wide, "ss", false, &err), 0);
	CU_ASSERT_EQUAL(ecs_service_scheme_trigger(wide, "ss", false, &err), 0);
	CU_ASSERT_EQUAL(ecs_service_scheme_priority(wide, "ss", false, 1, "now", "ta", &err), 0);
	CU_ASSERT_EQUAL(ecs_service_subs_class(wide, "all", false, &err), 0);
	CU_ASSERT_EQUAL(ecs_service_subs_line(wide, "all", false, ECS_SUBS_ANY, true, "TRUE", &err),
	                0);
	CU_ASSERT_EQUAL(ecs_service_subs_base(wide, "sb", false, &err), 0);
	CU_ASSERT_EQUAL(ecs_service_subs_bind(wide, "sb", false, 1, "all", "ss", &err), 0);
	CU_ASSERT_EQUAL(ecs_service_commit(wide, &err), 0);
	a.rec.changed[210] = 0;
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, wide, a.now), 0);
	CU_ASSERT_PTR_NULL(f[2]->delay);
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	CU_ASSERT_EQUAL(s->slots, 1);
	kit_fini(&a);
	ecs_service_free(none);
	ecs_service_free(wide);
}

CU_TestInfo ecs_recoverable_tests[] = {
	{"eligibility", test_eligible},
	{"limit of a call", test_limit_call},
	{"ends of its range", test_limit_ends},
	{"limit of the instance", test_limit_instance},
	{"delay", test_delay},
	{"a wheel that is behind", test_delay_late_wheel},
	{"short flows", test_delay_short_flows},
	{"a delay while waiting", test_delay_while_waiting},
	{"changes of the rule", test_rule_changes},
	{"flush", test_flush},
	{"commits", test_commit},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include "ecs_kit.h"

static void wait_ms(struct kit *k, uint64_t ms)
{
	/* as a loop does: often */
	while (ms > 0) {
		uint64_t step = ms < 50 ? ms : 50;

		k->now = srp_time_add(k->now, SRP_MS(step));
		ecs_engine_tick(k->e, k->now, 1000);
		ms -= step;
	}
}

static bool has(const struct ecs_flow *f, uint16_t flag)
{
	return (f->flags & flag) != 0;
}

static void test_eligible(void)
{
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "plain");
	CU_ASSERT_FALSE(has(f, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_EQUAL(a.rec.changed[210], 0);
	f = kit_flow(&a, s, 1001, false, NULL);
	ecs_recoverable_rule(a.e, f, ECS_REF_NONE, a.now); /* `(no rule)` */
	CU_ASSERT_FALSE(has(f, ECS_FLOW_F_ELIGIBLE));
	f = kit_flow(&a, s, 1002, false, "web");
	CU_ASSERT_TRUE(has(f, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_TRUE(has(f, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.changed[210], 1); /* at once, without delay */
	CU_ASSERT_EQUAL(s->slots, 1);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(a.e), 1);
	/* a session under no scheme */
	s->scheme = -1;
	f = kit_flow(&a, s, 1003, false, "web");
	CU_ASSERT_FALSE(has(f, ECS_FLOW_F_ELIGIBLE));
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
	CU_ASSERT_TRUE(has(f[4], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_TRUE(has(f[5], ECS_FLOW_F_WAITING) && !has(f[5], ECS_FLOW_F_CHECKPOINT));
	/* FR-121: each call has its own */
	kit_flow(&a, t, 1000, false, "web");
	CU_ASSERT_EQUAL(t->slots, 1);
	/* a freed slot goes to the oldest that waits */
	ecs_flow_drop(a.e, f[2], ECS_TELL, a.now);
	CU_ASSERT_EQUAL(a.rec.told[210], 1);
	CU_ASSERT_TRUE(has(f[5], ECS_FLOW_F_CHECKPOINT) && !has(f[5], ECS_FLOW_F_WAITING));
	CU_ASSERT_FALSE(has(f[6], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.changed[210], 7);
	CU_ASSERT_EQUAL(s->slots, 5);
	/* one that waits and ends leaves the line, and nothing is deleted for it */
	ecs_flow_drop(a.e, f[6], ECS_TELL, a.now);
	CU_ASSERT_EQUAL(a.rec.told[210], 1);
	/* one that has a slot and loses its rule's favour hands it on */
	kit_set_rule(&a, f[0], "plain");
	CU_ASSERT_TRUE(has(f[7], ECS_FLOW_F_CHECKPOINT));
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
	CU_ASSERT_TRUE(has(f, ECS_FLOW_F_CHECKPOINT));
	g = kit_flow(&a, t, 1000, false, "web");
	h = kit_flow(&a, u, 1000, false, "web");
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_WAITING) && has(h, ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(a.ctr.limit_sessmgr, 2);
	CU_ASSERT_EQUAL(a.ctr.limit_call, 0);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_TRUE(has(h, ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(ecs_engine_recoverable(a.e), ECS_FLOW_CHKPT_PER_SESSMGR);
	/* a session that ends gives its slots back; one that ends while it waits is forgotten */
	ecs_session_delete(a.e, 8, ECS_END_OPERATOR, a.now);
	CU_ASSERT_TRUE(has(h, ECS_FLOW_F_CHECKPOINT));
	f = kit_flow(&a, s, 1000, false, "web");
	CU_ASSERT_TRUE(has(f, ECS_FLOW_F_WAITING));
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
	wait_ms(&a, 4000);
	kit_set_rule(&a, f, "slow");
	CU_ASSERT_FALSE(has(f, ECS_FLOW_F_CHECKPOINT)); /* it takes no slot yet */
	CU_ASSERT_PTR_NOT_NULL(f->delay);
	ecs_recoverable_changed(a.e, f, a.now); /* what changes meanwhile waits with the rest */
	wait_ms(&a, 5950);
	CU_ASSERT_EQUAL(a.rec.changed[210], 0);
	wait_ms(&a, 300);
	CU_ASSERT_EQUAL(a.rec.changed[210], 1); /* at t0+10, not at t0+14 */
	CU_ASSERT_PTR_NULL(f->delay);
	ecs_recoverable_changed(a.e, f, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[210], 2); /* later changes are not held back */
	/* matched at t0+12: at once */
	f = kit_flow(&a, s, 1001, false, "plain");
	wait_ms(&a, 12000);
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
	wait_ms(&a, 9950);
	CU_ASSERT_EQUAL(a.rec.changed[210], 0);
	CU_ASSERT_PTR_NOT_NULL(f->delay);
	wait_ms(&a, 400);
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
	wait_ms(&a, 5000);
	h = kit_flow(&a, s, 1002, false, "web"); /* without delay: the place is free for it */
	CU_ASSERT_TRUE(has(h, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	wait_ms(&a, 5300);
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_WAITING)); /* its delay over, it waits for the place */
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
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_WAITING));
	kit_set_rule(&a, g, "slow");
	CU_ASSERT_FALSE(has(g, ECS_FLOW_F_WAITING));
	CU_ASSERT_TRUE(ecs_list_empty(&s->waiting));
	CU_ASSERT_PTR_NOT_NULL(g->delay);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	wait_ms(&a, 10300);
	CU_ASSERT_EQUAL(a.rec.changed[210], 2);
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_CHECKPOINT));
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
	CU_ASSERT_FALSE(has(f, ECS_FLOW_F_CHECKPOINT) || has(f, ECS_FLOW_F_ELIGIBLE));
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
	wait_ms(&a, 11000);
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
	wait_ms(&a, 11000);
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
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_CHECKPOINT) && has(w, ECS_FLOW_F_WAITING));
	/* a higher limit serves who waits */
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, wide, a.now), 0);
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_CHECKPOINT) && has(w, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.changed[210], 4);
	CU_ASSERT_PTR_NOT_NULL(f[2]->delay); /* it has its delay still */
	/* rule web is gone: its flows live on without checkpoint */
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, none, a.now), 0);
	CU_ASSERT_FALSE(has(f[0], ECS_FLOW_F_CHECKPOINT) || has(f[1], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(a.rec.told[210], 2);
	CU_ASSERT_EQUAL(ecs_engine_flows(a.e), 5);
	/* and dns stays, though its service is another */
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_CHECKPOINT));
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

/* FR-079: what is eligible again is checkpointed again, within the limit, with what is left of its delay;
 * a flow that was taken over and had no packet since among them. */
static void test_commit_again(void)
{
	struct ecs_service *off = kit_service(4, 3), *on = kit_service(0, 3);
	struct ecs_session *s, *t;
	struct ecs_flow *f[4], *slow, *g;
	struct kit a, b;

	kit_init_with(&a, 0, true, 0, 3);
	kit_init_with(&b, 1, false, 0, 3);
	s = kit_session(&a, 7, 1, false);
	f[0] = kit_flow(&a, s, 1000, false, "web");
	f[1] = kit_flow(&a, s, 1001, false, "dns");
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	ecs_engine_active(b.e, true, b.now);
	t = ecs_session_find(b.e, 7);
	g = ecs_flow_find_id(b.e->flows, 7, f[0]->id);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.e, off, b.now), 0);
	CU_ASSERT_EQUAL(b.rec.told[210], 2);
	CU_ASSERT_EQUAL(t->slots, 0);
	CU_ASSERT_EQUAL(b.e->conf.counters->flows_purged, 0);
	CU_ASSERT_TRUE(ecs_flow_adopt(b.e, g, b.now)); /* its next packet finds it */
	f[2] = kit_flow(&b, t, 1002, false, "web");
	f[3] = kit_flow(&b, t, 1003, false, "web");
	slow = kit_flow(&b, t, 1004, false, "slow");
	wait_ms(&b, 4000);
	CU_ASSERT_EQUAL(b.rec.changed[210], 0);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.e, on, b.now), 0);
	CU_ASSERT_EQUAL(b.rec.changed[210], 3); /* the limit */
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_CHECKPOINT) && ecs_flow_recovered(b.e, g));
	CU_ASSERT_TRUE(has(f[2], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_TRUE(has(f[3], ECS_FLOW_F_WAITING));
	ecs_flow_drop(b.e, f[2], ECS_TELL, b.now);
	ecs_flow_drop(b.e, g, ECS_TELL, b.now);
	CU_ASSERT_EQUAL(b.rec.changed[210], 4);
	CU_ASSERT_TRUE(has(f[3], ECS_FLOW_F_CHECKPOINT));
	wait_ms(&b, 5950);
	CU_ASSERT_EQUAL(b.rec.changed[210], 4);
	wait_ms(&b, 300);
	CU_ASSERT_EQUAL(b.rec.changed[210], 5); /* its own t0+10 */
	CU_ASSERT_PTR_EQUAL(b.rec.last, &slow->ckpt);
	kit_fini(&a);
	kit_fini(&b);
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
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	ecs_engine_active(b.e, true, b.now);
	f = ecs_flow_find_id(b.e->flows, 7, f->id);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.e, none, b.now), 0);
	CU_ASSERT_EQUAL(b.rec.told[210], 1);
	CU_ASSERT_FALSE(has(f, ECS_FLOW_F_CHECKPOINT) || has(f, ECS_FLOW_F_ELIGIBLE));
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.e, back, b.now), 0);
	CU_ASSERT_EQUAL(b.rec.changed[210], 1);
	CU_ASSERT_PTR_EQUAL(b.rec.last, &f->ckpt);
	CU_ASSERT_TRUE(has(f, ECS_FLOW_F_CHECKPOINT) && ecs_flow_recovered(b.e, f));
	CU_ASSERT_EQUAL(ecs_ruleref_get(b.e->refs, f->ref)->bind, ECS_BIND_OK);
	kit_fini(&a);
	kit_fini(&b);
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
	CU_ASSERT_TRUE(has(f, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_FALSE(has(g, ECS_FLOW_F_ELIGIBLE));
	kit_set_rule(&a, g, "dns");
	CU_ASSERT_FALSE(has(g, ECS_FLOW_F_ELIGIBLE));
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
	CU_ASSERT_TRUE(has(f[5], ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, low, a.now), 0);
	CU_ASSERT_EQUAL(a.rec.told[210], 3);
	CU_ASSERT_EQUAL(s->slots, 2);
	CU_ASSERT_TRUE(has(f[0], ECS_FLOW_F_CHECKPOINT) && has(f[1], ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_TRUE(has(f[2], ECS_FLOW_F_WAITING) && has(f[4], ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(a.ctr.limit_call, 4);
	CU_ASSERT_EQUAL(a.rec.changed[210], 5);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, three, a.now), 0);
	CU_ASSERT_TRUE(has(f[2], ECS_FLOW_F_CHECKPOINT) && has(f[3], ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(a.rec.changed[210], 6);
	ecs_flow_drop(a.e, f[3], ECS_TELL, a.now);
	ecs_flow_drop(a.e, f[0], ECS_TELL, a.now);
	CU_ASSERT_TRUE(has(f[4], ECS_FLOW_F_CHECKPOINT) && has(f[5], ECS_FLOW_F_WAITING));
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

	kit_init_with(&a, 0, true, 0, 2);
	kit_init_with(&b, 1, false, 0, 2);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	g = kit_flow(&a, s, 1001, false, "web");
	f->flags |= ECS_FLOW_F_FIN_UP | ECS_FLOW_F_FIN_DOWN;
	f->tcp_state = ECS_TCP_ST_TIME_WAIT;
	f->idle_timeout = 77; /* another than the rule's: it is said, and is not what ends the flow */
	g->flags |= ECS_FLOW_F_FIN_UP;
	g->tcp_state = ECS_TCP_ST_FIN_WAIT1;
	a.now = srp_time_add(a.now, SRP_MS(500));
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	ecs_engine_active(b.e, true, b.now);
	t = ecs_session_find(b.e, 7);
	CU_ASSERT_EQUAL(t->slots, 2);
	wait_ms(&b, 1000);
	CU_ASSERT_EQUAL(t->slots, 2);
	wait_ms(&b, 1300);
	CU_ASSERT_EQUAL(t->slots, 1);
	CU_ASSERT_PTR_NULL(ecs_flow_find_id(b.e->flows, 7, f->id));
	CU_ASSERT_PTR_NOT_NULL(ecs_flow_find_id(b.e->flows, 7, g->id));
	CU_ASSERT_EQUAL(b.ctr.flows_fin, 1);
	CU_ASSERT_EQUAL(b.rec.told[210], 1);
	kit_fini(&a);
	kit_fini(&b);
}

/* The peer's limit was higher: no more are recovered than the own one says, by the walk after the takeover
 * or at a packet before it. */
static void test_takeover_lower(void)
{
	struct ecs_session *s, *t;
	struct ecs_flow *f[5];
	struct kit a, b;

	for (int walk = 0; walk < 2; walk++) {
		kit_init_with(&a, 0, true, 0, 5);
		kit_init_with(&b, 1, false, 0, 2);
		s = kit_session(&a, 7, 1, false);
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
		wait_ms(&b, 100);
		CU_ASSERT_EQUAL(t->nflows, 2);
		CU_ASSERT_EQUAL(t->slots, 2);
		CU_ASSERT_PTR_NOT_NULL(ecs_flow_find_id(b.e->flows, 7, f[1]->id));
		CU_ASSERT_EQUAL(b.rec.told[210], 3);
		CU_ASSERT_EQUAL(b.ctr.limit_call, 3);
		kit_fini(&a);
		kit_fini(&b);
	}
}

/* After a takeover the limits go on from what was applied, and its flows hand their slots on. */
static void test_after_takeover(void)
{
	struct ecs_session *s, *t;
	struct ecs_flow *f, *g;
	struct kit a, b;

	kit_init_with(&a, 0, true, 0, 2);
	kit_init_with(&b, 1, false, 0, 2);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	kit_flow(&a, s, 1001, false, "web");
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	ecs_engine_active(b.e, true, b.now);
	t = ecs_session_find(b.e, 7);
	CU_ASSERT_EQUAL(t->slots, 2);
	g = kit_flow(&b, t, 1002, false, "web");
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_WAITING));
	CU_ASSERT_EQUAL(g->id & 1, 1); /* ids carry the chassis bit */
	ecs_flow_drop(b.e, ecs_flow_find_id(b.e->flows, 7, f->id), ECS_TELL, b.now);
	CU_ASSERT_TRUE(has(g, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(b.rec.changed[210], 1);
	CU_ASSERT_EQUAL(b.rec.told[210], 1);
	kit_fini(&a);
	kit_fini(&b);
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
	{"eligible again", test_commit_again},
	{"the rule comes back", test_commit_rule_back},
	{"the scheme comes back", test_commit_scheme},
	{"a closed connection is taken over", test_takeover_closed},
	{"a lower limit", test_commit_lower},
	{"a lower limit takes over", test_takeover_lower},
	{"after a takeover", test_after_takeover},
	CU_TEST_INFO_NULL,
};

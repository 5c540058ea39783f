#include "config.h"
#include "suites.h"

#include "ecs_rig.h"

#define WARM_SESSIONS 40u
#define WARM_FLOWS    300u /* beyond the least size of a table */

static struct ecs_session *session_at(struct rig *r, uint32_t n)
{
	struct ecs_session_spec sp = spec_of(n, UE, NULL);
	struct ecs_session *s = NULL;

	sp.v4.b[14] = (uint8_t)(n >> 8);
	sp.v4.b[15] = (uint8_t)n;
	CU_ASSERT_EQUAL(ecs_session_create(r->e, &sp, r->now, &s), 0);
	return s;
}

static void flow_at(struct rig *r, struct ecs_session *s, uint16_t n)
{
	struct ecs_flow_key k = {.proto = 17, .subscriber_port = n, .server_port = 53};
	struct ecs_flow *f;

	k.subscriber = s->spec.v4;
	k.server = addr(SERVER);
	CU_ASSERT_EQUAL(ecs_flow_build(r->e, s, &k, 0, r->now, &f), 0);
}

static void reserved_memory_is_enough_up_to_there(void)
{
	struct ecs_session *s = NULL;
	struct rig r;
	size_t bytes, mask;
	void **table;

	setup(&r, rules, 0);
	CU_ASSERT_EQUAL(ecs_engine_reserved(r.e), 0);
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, ((size_t)1 << 26) + 1, 1), SRP_ENOMEM);
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, 1, ((size_t)1 << 26) + 1), SRP_ENOMEM);
	CU_ASSERT_EQUAL(ecs_engine_reserved(r.e), 0);
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, WARM_SESSIONS, WARM_FLOWS), 0);
	bytes = ecs_engine_reserved(r.e);
	CU_ASSERT_TRUE(bytes >= WARM_SESSIONS * sizeof(struct ecs_session) +
	                                WARM_FLOWS * sizeof(struct ecs_flow));
	/* what is there already is not got twice */
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, WARM_SESSIONS, WARM_FLOWS), 0);
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, 1, 1), 0);
	CU_ASSERT_EQUAL(ecs_engine_reserved(r.e), bytes);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(r.e->session_pool.all, WARM_SESSIONS);
	CU_ASSERT_EQUAL(r.e->flow_pool.all, WARM_FLOWS);
	CU_ASSERT_EQUAL(r.e->usage_pool.all, 3 * WARM_SESSIONS);
	table = r.e->usages.cur;
	mask = r.e->usages.mask;
	for (uint32_t n = 1; n <= WARM_SESSIONS; n++) {
		s = session_at(&r, n);
		for (uint64_t id = 1; id <= 3; id++)
			ecs_usage_charge(r.e, s, 5, ECS_USAGE_CONTENT, id, 0, ECS_UPLINK, 1, 1,
			                 r.now);
	}
	for (uint16_t n = 1; n <= WARM_FLOWS; n++)
		flow_at(&r, s, n);
	/* at the limit nothing has grown; one more makes it grow */
	CU_ASSERT_EQUAL(r.e->session_pool.all, WARM_SESSIONS);
	CU_ASSERT_EQUAL(r.e->flow_pool.all, WARM_FLOWS);
	CU_ASSERT_EQUAL(r.e->usage_pool.all, 3 * WARM_SESSIONS);
	CU_ASSERT_PTR_EQUAL(r.e->usages.cur, table);
	CU_ASSERT_EQUAL(r.e->usages.mask, mask);
	CU_ASSERT_PTR_NULL(r.e->usages.old);
	flow_at(&r, s, WARM_FLOWS + 1);
	s = session_at(&r, WARM_SESSIONS + 1);
	CU_ASSERT_TRUE(r.e->session_pool.all > WARM_SESSIONS);
	CU_ASSERT_TRUE(r.e->flow_pool.all > WARM_FLOWS);
	/* while it holds all that: everything is found in the new tables */
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, 1000, 2000), 0);
	CU_ASSERT_TRUE(ecs_engine_reserved(r.e) > bytes);
	for (uint32_t n = 1; n <= WARM_SESSIONS + 1; n++)
		CU_ASSERT_PTR_NOT_NULL(ecs_session_find(r.e, n));
	CU_ASSERT_PTR_NOT_NULL(ecs_usage_find(r.e, 7, 5, ECS_USAGE_CONTENT, 2));
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 0, r.now), WARM_FLOWS + 1);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 7, ECS_END_OPERATOR, r.now), 0);
	s = session_at(&r, 7); /* of memory that was in use */
	CU_ASSERT_EQUAL(s->nusages, 0);
	CU_ASSERT_EQUAL(s->nflows, 0);
	end(&r);
}

/* A table that is being moved to a larger one is moved at once, and nothing is missed after. */
static void a_table_in_the_middle_of_its_growth(void)
{
	struct ecs_session *s;
	struct rig r;
	bool all = true;

	setup(&r, rules, 0);
	ecs_engine_active(r.e, true, r.now);
	s = session_at(&r, 1);
	for (uint64_t id = 1; id <= 260; id++)
		ecs_usage_charge(r.e, s, 5, ECS_USAGE_CONTENT, id, 0, ECS_UPLINK, 1, id, r.now);
	CU_ASSERT_PTR_NOT_NULL(r.e->usages.old);
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, 1000, 10), 0);
	CU_ASSERT_PTR_NULL(r.e->usages.old);
	CU_ASSERT_EQUAL(r.e->usages.mask + 1, 4096);
	for (uint64_t id = 1; id <= 260; id++) {
		struct ecs_usage *u = ecs_usage_find(r.e, 1, 5, ECS_USAGE_CONTENT, id);

		all &= u && u->own[0].bytes[ECS_UPLINK] == id;
	}
	CU_ASSERT_TRUE(all);
	CU_ASSERT_EQUAL(r.e->usages.count, 260);
	end(&r);
}

static void a_warmed_engine_takes_an_identity_over(void)
{
	struct ecs_rule_stats *stats = calloc(ECS_STATS_MAX, sizeof(*stats));
	struct ecs_counters counters = {0};
	struct ecs_engine_identity id = {.instance = 4, .counters = &counters, .rule_stats = stats};
	struct rig r;

	setup(&r, rules, 0);
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, 10, 10), 0);
	CU_ASSERT_EQUAL(ecs_engine_assume(r.e, &id), 0);
	CU_ASSERT_EQUAL(r.e->conf.instance, 4);
	ecs_engine_active(r.e, true, r.now);
	r.s = session_at(&r, 1);
	CU_ASSERT_EQUAL(counters.sessions_created, 1);
	CU_ASSERT_EQUAL(r.c.sessions_created, 0);
	/* not while it serves, nor while it holds a session */
	id.instance = 5;
	CU_ASSERT_EQUAL(ecs_engine_assume(r.e, &id), SRP_ESTATE);
	ecs_engine_active(r.e, false, r.now);
	CU_ASSERT_EQUAL(ecs_engine_assume(r.e, &id), SRP_ESTATE);
	CU_ASSERT_EQUAL(r.e->conf.instance, 4);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(ecs_engine_assume(r.e, &id), 0);
	CU_ASSERT_EQUAL(r.e->conf.instance, 5);
	end(&r);
	free(stats);
}

/* What detects applications takes milliseconds to make: not with the first session. */
static void analyzers_are_made_before_they_are_used(void)
{
	static const char text[] = "ruledef apps\n p2p protocol = bittorrent\n#exit\n"
	                           "charging-action ca\n content-id 1\n#exit\n"
	                           "rulebase other\n#exit\n"
	                           "rulebase rb\n"
	                           " action priority 1 ruledef apps charging-action ca\n#exit\n";
	struct ecs_service *svc = ecs_rule_text(text, true);
	struct rig r;

	CU_ASSERT_PTR_NOT_NULL_FATAL(svc);
	setup(&r, rules, 0);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, svc, r.now), 0);
	CU_ASSERT_PTR_NULL(r.e->app); /* nobody has asked for it yet */
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, r.svc, r.now), 0);
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, 0, 0), 0);
	CU_ASSERT_PTR_NULL(r.e->app); /* not by these rules */
	CU_ASSERT_PTR_NOT_NULL(r.e->frags);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, svc, r.now), 0);
	CU_ASSERT_PTR_NOT_NULL(r.e->app);
	end(&r);
	setup(&r, text, 0);
	CU_ASSERT_EQUAL(ecs_engine_reserve(r.e, 1, 1), 0);
	CU_ASSERT_PTR_NOT_NULL(r.e->app);
	end(&r);
	ecs_service_free(svc);
}

CU_TestInfo ecs_reserve_tests[] = {
	{"reserved memory is enough up to there", reserved_memory_is_enough_up_to_there},
	{"a table in the middle of its growth", a_table_in_the_middle_of_its_growth},
	{"a warmed engine takes an identity over", a_warmed_engine_takes_an_identity_over},
	{"analyzers are made before they are used", analyzers_are_made_before_they_are_used},
	CU_TEST_INFO_NULL,
};

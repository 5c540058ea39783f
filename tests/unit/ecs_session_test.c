#include "config.h"
#include "suites.h"

#include "ecs_rig.h"

static void sessions(void)
{
	struct rig r;
	struct ecs_session_spec sp;
	struct ecs_session *s;
	struct ecs_addr a;

	begin(&r);
	CU_ASSERT_EQUAL(r.ups, 1);
	sp = spec_of(1, "10.0.0.9", NULL);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EDUP);
	sp = spec_of(2, UE, NULL);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EDUP);
	sp = spec_of(2, NULL, "2001:db8:5::1"); /* the same /64 */
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EDUP);
	sp = spec_of(0, "10.0.0.9", NULL);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EINVAL);
	sp = spec_of(2, NULL, NULL);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EINVAL);
	sp = spec_of(2, "10.0.0.9", NULL);
	strcpy(sp.rulebase, "none");
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_ENORULE);
	sp.rulebase[0] = '\0'; /* without one: that called "default", which is not there */
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_ENORULE);
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), 1);
	a = addr("2001:db8:5::ffff:1");
	CU_ASSERT_PTR_EQUAL(ecs_session_by_addr(r.e, &a), r.s);
	a = addr("2001:db8:6::1");
	CU_ASSERT_PTR_NULL(ecs_session_by_addr(r.e, &a));
	CU_ASSERT_PTR_EQUAL(ecs_session_find(r.e, 1), r.s);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 2, ECS_END_OPERATOR, r.now), SRP_ENOSESS);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(r.downs, 1);
	CU_ASSERT_EQUAL(r.why, ECS_END_OPERATOR);
	CU_ASSERT_EQUAL(r.told[ecs_kind_full.id], 1);
	CU_ASSERT_EQUAL(r.told[ecs_kind_call.id], 0); /* it goes with the session */
	CU_ASSERT_EQUAL(r.deleted[ecs_kind_call.id], 1);
	CU_ASSERT_EQUAL(r.deleted[ecs_kind_bearer.id], 1);
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), 0);
	end(&r);
}

static void walking_sessions(void)
{
	enum { N = 3000 };
	static uint8_t seen[N + 1];
	struct rig r;
	uint32_t at = 0, n = 0;

	begin(&r);
	ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now);
	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 1; i <= N; i++) {
		struct ecs_session_spec sp = spec_of(i, UE, NULL);

		pk32(sp.v4.b + 12, 0x0a010000 + i);
		CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, NULL), 0);
	}
	for (struct ecs_session *s; (s = ecs_session_next(r.e, at)) != NULL; n++) {
		at = s->spec.callid;
		CU_ASSERT_FALSE(seen[at]);
		seen[at] = 1;
		if (n % 3 == 0) /* the walk goes on from one that has ended meanwhile */
			ecs_session_delete(r.e, at, ECS_END_OPERATOR, r.now);
		if (n % 2 == 0) { /* and is not disturbed by those that begin */
			struct ecs_session_spec sp = spec_of(N + 1 + n, UE, NULL);

			pk32(sp.v4.b + 12, 0x0a020000 + n);
			CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, NULL), 0);
			CU_ASSERT_EQUAL(ecs_session_delete(r.e, N + 1 + n, ECS_END_OPERATOR, r.now),
			                0);
		}
	}
	CU_ASSERT_EQUAL(n, N);
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), N - N / 3);
	end(&r);
}

static void session_idle(void)
{
	struct rig r;
	struct ecs_session_spec sp = spec_of(2, "10.0.0.2", NULL);
	struct pk k = {.src = "10.0.0.2", .dst = SERVER, .proto = 17, .sport = 1, .dport = 2};

	begin(&r);
	sp.idle_timeout = 100;
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, NULL), 0);
	wait_ms(&r, 60000);
	put(&r, &k, ECS_UPLINK, 0);
	wait_ms(&r, 99000);
	CU_ASSERT_PTR_NOT_NULL(ecs_session_find(r.e, 2));
	wait_ms(&r, 1500);
	CU_ASSERT_PTR_NULL(ecs_session_find(r.e, 2));
	CU_ASSERT_EQUAL(r.why, ECS_END_IDLE);
	CU_ASSERT_EQUAL(r.c.sessions_idle, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	CU_ASSERT_PTR_NOT_NULL(ecs_session_find(r.e, 1)); /* 0: none */
	end(&r);
}

static void ready_after_duration(void)
{
	struct rig r;
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	struct conn c;

	setup(&r, rules, 60);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	CU_ASSERT_FALSE(r.s->ready_for_recovery);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_full.id], 1); /* the gate counts it */
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	wait_ms(&r, 59900);
	CU_ASSERT_FALSE(r.s->ready_for_recovery);
	memset(r.changed, 0, sizeof(r.changed));
	wait_ms(&r, 500);
	CU_ASSERT_TRUE(r.s->ready_for_recovery);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_full.id], 1);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_call.id], 1);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_bearer.id], 1);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_flow.id], 1);
	CU_ASSERT_TRUE(r.changed[ecs_kind_usage.id] > 0);
	end(&r);
}

static void flush_makes_ready(void)
{
	struct rig r;
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	struct conn c;

	setup(&r, rules, 60);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	c = tcp(&r, 4000, 7777);
	handshake(&c);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "late");
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c)->delay);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_flow.id], 0);
	ecs_engine_flush(r.e, r.now);
	CU_ASSERT_TRUE(r.s->ready_for_recovery);
	CU_ASSERT_PTR_NULL(flow_of(&c)->delay);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_flow.id], 1);
	CU_ASSERT_TRUE(r.changed[ecs_kind_usage.id] > 0);
	end(&r);
}

static void volumes_are_told(void)
{
	struct rig r;
	struct conn c = {.r = &r, .proto = 17, .sport = 1, .dport = 2};

	begin(&r);
	wait_ms(&r, 1000);
	say(&c, ECS_UPLINK, 0, "x");
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_EQUAL(r.changed[ecs_kind_usage.id], 0);
	wait_ms(&r, 1000);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_usage.id], 3); /* session, rule, content-id: once each */
	wait_ms(&r, 5000);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_usage.id], 3);
	memset(r.changed, 0, sizeof(r.changed));
	for (int i = 0; i < 40; i++) {
		say(&c, ECS_UPLINK, 0, "x");
		wait_ms(&r, 500);
	}
	CU_ASSERT_TRUE(r.changed[ecs_kind_clp.id] >= 2 && r.changed[ecs_kind_clp.id] <= 3);
	end(&r);
}

CU_TestInfo ecs_session_tests[] = {
	{"sessions", sessions},
	{"walking sessions", walking_sessions},
	{"idle sessions", session_idle},
	{"ready after checkpoint session duration", ready_after_duration},
	{"a flush makes ready", flush_makes_ready},
	{"volumes are told each second", volumes_are_told},
	CU_TEST_INFO_NULL,
};

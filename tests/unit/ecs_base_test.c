#include "config.h"
#include "suites.h"

#include "ecs_rig.h"

/* An active engine with one session, under the rules and these lines in addition. */
static void begin_with(struct rig *r, const char *more)
{
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	char text[12000];

	snprintf(text, sizeof(text), "%s%s", rules, more);
	setup(r, text, 0);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

/* --- routes ----------------------------------------------------------------------------------- */

/* Flows of the rule `video`, one of port 80 and one of 8080, under these routes. */
static unsigned found(const char *routes)
{
	char text[512];
	struct conn a, b;
	unsigned bits;
	struct rig r;

	snprintf(text, sizeof(text), "ruledef p80\n rule-application routing\n tcp either-port = 80\n#exit\n"
	         "ruledef r-any\n rule-application routing\n ip any-match = TRUE\n#exit\n"
	         "ruledef p443\n rule-application routing\n tcp either-port = 443\n#exit\nrulebase rb\n%s#exit\n", routes);
	begin_with(&r, text);
	a = tcp(&r, 1, 80);
	handshake(&a);
	say(&a, ECS_UPLINK, ACK, GET("video.example"));
	b = tcp(&r, 2, 8080);
	handshake(&b);
	say(&b, ECS_UPLINK, ACK, GET("video.example"));
	bits = (strcmp(rule_of(&a), "video") == 0 ? 1u : 0) |
	       (strcmp(rule_of(&b), "video") == 0 ? 2u : 0);
	CU_ASSERT_EQUAL(r.c.http_requests, (bits & 1) + (bits >> 1));
	end(&r);
	return bits;
}

static void routes_choose_flows(void)
{
	CU_ASSERT_EQUAL(found(""), 3); /* no route to it: all flows */
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef p80 analyzer http\n"), 1);
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef p443 analyzer http\n"), 0);
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef p443 analyzer secure-http\n"), 3);
	/* the first that matches */
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef p80 analyzer sip\n"
	                      " route priority 2 ruledef r-any analyzer http\n"), 2);
	CU_ASSERT_EQUAL(found(" route priority 2 ruledef p80 analyzer sip\n"
	                      " route priority 1 ruledef r-any analyzer http\n"), 3);
	CU_ASSERT_EQUAL(found(" route priority 1 ruledef nowhere analyzer http\n"), 0);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void limit_of_flows(void)
{
	struct conn a, b;
	struct rig r;

	begin_with(&r, "system-limit l4-flows 1\n");
	a = tcp(&r, 1, 80);
	handshake(&a);
	b = tcp(&r, 2, 80);
	CU_ASSERT_EQUAL(say(&b, ECS_UPLINK, SYN, NULL), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_l4_flows, 1);
	CU_ASSERT_EQUAL(r.c.drop_no_memory, 0);
	CU_ASSERT_EQUAL(say(&a, ECS_UPLINK, ACK, "x"), ECS_FORWARD); /* those that are there go on */
	say(&a, ECS_UPLINK, RST, NULL);
	CU_ASSERT_EQUAL(say(&b, ECS_UPLINK, SYN, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	end(&r);
}

/* --- tcp 2msl-timeout ------------------------------------------------------------------------- */

static void closing(struct rig *r, struct conn *c, const char *line)
{
	char text[128];

	snprintf(text, sizeof(text), "rulebase rb\n %s\n#exit\n", line);
	begin_with(r, text);
	*c = tcp(r, 4000, 80);
	handshake(c);
	say(c, ECS_UPLINK, FIN | ACK, NULL);
	say(c, ECS_DOWNLINK, FIN | ACK, NULL);
}

static void closed_connections_linger(void)
{
	struct conn c;
	struct rig r;

	closing(&r, &c, "tcp 2msl-timeout 20");
	say(&c, ECS_UPLINK, ACK, NULL);
	wait_ms(&r, 19500);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 1);
	end(&r);
	/* none: it ends when the second FIN is acknowledged, not before */
	closing(&r, &c, "no tcp 2msl-timeout");
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	say(&c, ECS_UPLINK, ACK, NULL);
	wait_ms(&r, 200);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 1);
	CU_ASSERT_EQUAL(r.c.flows_created, 1);
	end(&r);
	/* nobody acknowledges */
	closing(&r, &c, "no tcp 2msl-timeout");
	wait_ms(&r, 2500);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	end(&r);
}

/* --- check-point accounting sync-timer -------------------------------------------------------- */

/* Seconds of a minute of steady traffic in which volumes are told of, and whose turn it was. */
static void turns(const char *lines, unsigned gr, unsigned sr)
{
	unsigned told_gr = 0, told_sr = 0;
	struct conn c;
	struct rig r;

	begin_with(&r, lines);
	c = (struct conn){.r = &r, .proto = 17, .sport = 9, .dport = 9};
	say(&c, ECS_UPLINK, 0, "x");
	wait_ms(&r, 200); /* the first turn */
	for (unsigned i = 0; i < 120; i++) {
		unsigned before = r.changed[ecs_kind_usage.id];

		say(&c, ECS_UPLINK, 0, "x");
		wait_ms(&r, 500);
		if (r.changed[ecs_kind_usage.id] == before)
			continue;
		told_gr += !ecs_usage_paced(r.e, SRP_REPLICA_GR);
		told_sr += !ecs_usage_paced(r.e, SRP_REPLICA_SR);
	}
	if (told_gr < gr || told_gr > gr + 1 || told_sr < sr || told_sr > sr + 1)
		fprintf(stderr, "%s: gr %u, sr %u\n", lines, told_gr, told_sr);
	CU_ASSERT_TRUE(told_gr >= gr && told_gr <= gr + 1);
	CU_ASSERT_TRUE(told_sr >= sr && told_sr <= sr + 1);
	/* a planned switchover waits for nobody's turn */
	ecs_engine_flush(r.e, r.now);
	CU_ASSERT_FALSE(ecs_usage_paced(r.e, SRP_REPLICA_GR));
	CU_ASSERT_FALSE(ecs_usage_paced(r.e, SRP_REPLICA_SR));
	end(&r);
}

static void accounting_is_told_in_turns(void)
{
	turns("", 59, 59);
	turns("check-point accounting sync-timer icsr 10\n", 5, 59);
	turns("check-point accounting sync-timer sr 6\n", 59, 9);
	turns("check-point accounting sync-timer icsr 60\ncheck-point accounting sync-timer sr 4\n",
	      0, 14);
	turns("check-point accounting sync-timer icsr 12\ncheck-point accounting sync-timer sr 12\n",
	      4, 4);
}

CU_TestInfo ecs_base_tests[] = {
	{"routes choose the flows of an analyzer", routes_choose_flows},
	{"system-limit l4-flows", limit_of_flows},
	{"tcp 2msl-timeout", closed_connections_linger},
	{"check-point accounting sync-timer", accounting_is_told_in_turns},
	CU_TEST_INFO_NULL,
};

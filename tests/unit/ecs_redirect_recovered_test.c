/* `flow action redirect-url` on recovered flows, and `flow-recovery redirect`. */
#include "config.h"
#include "suites.h"

#include "ecs_redirect_rig.h"

/* Taken over with rule @p rule; the flow has been seen by the chassis that went. */
static struct conn taken_over_with(struct rig *r, const char *conf, const char *rule, uint16_t dport)
{
	struct conn c = {.proto = 6, .sport = 4000, .dport = dport, .up = 500, .down = 900};
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	struct ecs_flow_key k = {.proto = 6, .subscriber_port = 4000, .server_port = dport};
	struct ecs_flow *f;
	uint16_t line;

	setup(r, conf, 0);
	r->e->conf.ops = &sending;
	c.r = r;
	nsent = 0;
	CU_ASSERT_EQUAL_FATAL(ecs_session_build(r->e, &sp, r->now, &r->s), 0);
	r->s->ready_for_recovery = true;
	k.subscriber = addr(UE);
	k.server = addr(SERVER);
	CU_ASSERT_EQUAL_FATAL(ecs_flow_build(r->e, r->s, &k, 8, r->now, &f), 0);
	line = ecs_service_find_line(r->svc, 0, rule);
	ecs_flow_ref(r->e, f, ecs_ruleref_of_line(r->e->refs, line, r->now));
	ecs_flow_back(r->e, f, f->ref);
	f->tcp_state = ECS_TCP_ST_ESTABLISHED;
	f->flags |= ECS_FLOW_F_FINAL | ECS_FLOW_F_FIRST_UP | ECS_FLOW_F_OPENER_UP |
	            ECS_FLOW_F_ELIGIBLE;
	ecs_flow_slot(r->e, f, true);
	ecs_engine_active(r->e, true, r->now);
	return c;
}

static struct conn taken_over(struct rig *r, const char *rule, uint16_t dport)
{
	return taken_over_with(r, redirecting, rule, dport);
}

/* What was redirected before is redirected after. */
static void redirected_before(void)
{
	struct rig r;
	struct conn c = taken_over(&r, "video", 80);

	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 2);
	CU_ASSERT_TRUE(is_answer(&c, 1, c.down, c.up));
	COUNTS(&r, 1, 1, 0, 0, 0);
	CU_ASSERT_TRUE(debug(&r).recreated);
	end(&r);
}

/* No redirection at run time. */
static void not_redirected_before(void)
{
	struct rig r;
	struct conn c = taken_over(&r, "tcp-any", 8080);

	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	end(&r);
	c = taken_over(&r, "tcp-any", 8080);
	/* while control is pending, it is charged by what its packets match: `shop` */
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "shop")->hits, 1);
	CU_ASSERT_EQUAL(nsent, 0);
	COUNTS(&r, 0, 0, 0, 0, 0);
	end(&r);
}

/* The rulebase above with a switch, and what comes behind it. */
static const char *with(const char *more)
{
	static char text[4096];

	snprintf(text, sizeof(text), "flow-recovery redirect\n%s%s", redirecting, more);
	return text;
}

/* With the switch a request is redirected by what it matches itself. */
static void again_by_its_match(void)
{
	struct rig r;
	struct conn c = taken_over_with(&r, with(""), "tcp-any", 80);
	uint32_t at = c.down;

	/* the end of a body, and what is no request or asks for somebody else */
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "video.example\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "GET up\r\nHost: a.video.example\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("portal.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "page"), ECS_FORWARD);
	at += 4;
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 2);
	CU_ASSERT_TRUE(is_answer(&c, 1, at, c.up));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 4);
	CU_ASSERT_EQUAL(r.c.redirects_recovered, 1);
	CU_ASSERT_EQUAL(r.c.redirects_answered, 1);
	COUNTS(&r, 1, 1, 0, 0, 0);
	/* what the server still says is for nobody; the subscriber's end is answered */
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "more"), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 3);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK | FIN, NULL), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 4);
	end(&r);
}

/* A request that is not whole is redirected by what no more of it can change. */
static void again_in_pieces(void)
{
	struct rig r;
	struct conn c = taken_over_with(&r, with(""), "tcp-any", 8080);

	/* `portal` and `video` could still match, and come before `shop` */
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\nHost: a.vid"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "eo.example\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("nobody.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "shop")->hits, 1);
	end(&r);
	c = taken_over_with(&r, with("rulebase rb\n action priority 1 ruledef shop charging-action ca-to\n"
	                             "#exit\n"), "tcp-any", 8080);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\nHost: a.vid"), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
}

/* While control is pending, and towards the subscriber, nothing is redirected. */
static void again_not_now(void)
{
	struct rig r;
	struct conn c = taken_over_with(&r, with(""), "tcp-any", 8080);

	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, false, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
}

/* A request that is not the first of its action goes on as its flow's. */
static void again_not_the_first(void)
{
	static char text[4096];
	const char *at = strstr(redirecting, "\n#exit\nrulebase");
	struct rig r;
	struct conn c;

	snprintf(text, sizeof(text), "flow-recovery redirect\n%.*s first-request-only%s",
	         (int)(at - redirecting), redirecting, at);
	c = taken_over_with(&r, text, "tcp-any", 80);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
	c = taken_over_with(&r, text, "tcp-any", 80);
	{
		struct conn first = {.r = &r, .proto = 6, .sport = 4100, .dport = 80, .up = 10, .down = 20};

		tell(&first, ECS_UPLINK, SYN, NULL);
		tell(&first, ECS_DOWNLINK, SYN | ACK, NULL);
		tell(&first, ECS_UPLINK, ACK, NULL);
		CU_ASSERT_EQUAL(tell(&first, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	}
	CU_ASSERT_EQUAL(nsent, 2);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	CU_ASSERT_EQUAL(r.c.redirects_followed, 1);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
}

#define POST_TO(rule) "rulebase rb\n post-processing priority 2 ruledef " rule " charging-action ca-to\n#exit\n"
#define POST_RULES                                                                                  \
	"ruledef to-post\n rule-application post-processing\n tcp either-port = 81\n#exit\n"        \
	"ruledef to-far\n rule-application post-processing\n http host = far.example\n#exit\n"      \
	"ruledef to-near\n rule-application post-processing\n http host = near.example\n#exit\n"

/* Rules of post-processing: a discard without the switch, for requests a redirection with it. */
static void again_by_post(void)
{
	static char text[4096];
	struct rig r;
	struct conn c;

	snprintf(text, sizeof(text), "%s" POST_RULES POST_TO("to-post"), redirecting);
	c = taken_over_with(&r, text, "tcp-any", 81);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("x.example")), ECS_DROP);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "body"), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(r.c.drop_post, 2);
	end(&r);

	c = taken_over_with(&r, with(POST_RULES POST_TO("to-post")), "tcp-any", 81);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "body"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "page"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("x.example")), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 2);
	CU_ASSERT_TRUE(is_answer(&c, 1, c.down, c.up));
	end(&r);

	/* by L7, while control is pending as well; a line before it keeps a request from it */
	c = taken_over_with(&r, with(POST_RULES POST_TO("to-far")), "tcp-any", 81);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("x.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("far.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
	c = taken_over_with(&r, with(POST_RULES POST_TO("to-post") "rulebase rb\n"
	                             " post-processing priority 1 ruledef to-near charging-action ca-free\n"
	                             "#exit\n"), "tcp-any", 81);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("near.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("far.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
}

/* A flow whose rule was taken from its call: its L3/L4 line is not what came with it. */
static void rule_taken_away(void)
{
	struct rig r;
	struct conn c = taken_over(&r, "tcp-any", 8080);
	struct ecs_flow_key k = {.proto = 6, .subscriber_port = 4000, .server_port = 8080};

	k.subscriber = addr(UE);
	k.server = addr(SERVER);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "body"), ECS_FORWARD);
	ecs_flow_release(r.e, ecs_flow_find(r.e->flows, &k), false, r.now);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "shop")->hits, 3);
	CU_ASSERT_EQUAL(nsent, 0);
	end(&r);
}

CU_TestInfo ecs_redirect_recovered_tests[] = {
	{"recovered: redirected before", redirected_before},
	{"recovered: not redirected at run time", not_redirected_before},
	{"recovered: its rule was taken from the call", rule_taken_away},
	{"recovered, with the switch: by what a request matches", again_by_its_match},
	{"recovered, with the switch: requests in pieces", again_in_pieces},
	{"recovered, with the switch: when not", again_not_now},
	{"recovered, with the switch: first-request-only", again_not_the_first},
	{"recovered, with the switch: post-processing", again_by_post},
	CU_TEST_INFO_NULL,
};

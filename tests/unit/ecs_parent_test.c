#include "config.h"
#include "suites.h"

#include "ecs/enforce.h"
#include "ecs/parent.h"
#include "ecs/analyze.h"
#include "ecs_rig.h"

#define BASE(route)                                                                            \
	"ruledef control\n rtsp any-match = TRUE\n#exit\n"                                     \
	"ruledef media\n rtp any-match = TRUE\n#exit\n"                                        \
	"ruledef video\n udp any-match = TRUE\n#exit\n"                                        \
	"ruledef mail\n tcp any-match = TRUE\n#exit\n"                                         \
	"ruledef to-rtsp\n tcp either-port = 554\n rule-application routing\n#exit\n"          \
	"charging-action ca\n flow idle-timeout 0\n#exit\n"                                     \
	"rulebase rb\n"                                                                        \
	" action priority 1 ruledef control charging-action ca\n"                              \
	" action priority 2 ruledef media charging-action ca\n"                                \
	" action priority 3 ruledef video charging-action ca\n"                                \
	" action priority 4 ruledef mail charging-action ca\n" route "#exit\n"
static const char plain[] = BASE("");
static const char routed[] = BASE(" route priority 1 ruledef to-rtsp analyzer rtsp\n");

static void start(struct rig *r, const char *text)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, text, 0);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

static struct conn udp(struct rig *r, uint16_t sport, uint16_t dport)
{
	return (struct conn){.r = r, .proto = 17, .sport = sport, .dport = dport};
}

/* A SETUP of these ports, each with the one behind it, and its answer. */
static void set_up(struct conn *c, unsigned client, unsigned server, const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), "SETUP rtsp://m.test/%u RTSP/1.0\r\nCSeq: %u\r\nTransport: "
	         "RTP/AVP;unicast;client_port=%u-%u\r\n\r\n", client, client, client, client + 1);
	CU_ASSERT_EQUAL(say(c, ECS_UPLINK, ACK, text), ECS_FORWARD);
	snprintf(text, sizeof(text), "RTSP/1.0 200 OK\r\nCSeq: %u\r\nTransport: RTP/AVP;unicast;"
	         "client_port=%u-%u;server_port=%u-%u%s\r\n\r\n", client, client, client + 1, server,
	         server + 1, more);
	CU_ASSERT_EQUAL(say(c, ECS_DOWNLINK, ACK, text), ECS_FORWARD);
}

static struct conn media(struct rig *r, uint16_t client, uint16_t server, enum ecs_dir first)
{
	struct conn c = udp(r, client, server);

	CU_ASSERT_EQUAL(say(&c, first, 0, "rtp"), ECS_FORWARD);
	return c;
}

static struct ecs_flow *parent(const struct conn *c)
{
	return ecs_parent_of(c->r->e, flow_of(c));
}

static void test_children(void)
{
	struct rig r;
	struct conn c, rtp, rtcp, other;

	start(&r, plain);
	CU_ASSERT_TRUE(r.s->needs.rtsp);
	c = tcp(&r, 2000, 8554); /* no route: by what it says, on any port */
	handshake(&c);
	set_up(&c, 4000, 6000, "");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "control");
	CU_ASSERT_EQUAL(r.c.rtsp_sessions, 1);
	CU_ASSERT_EQUAL(r.c.media_expected, 1);
	rtp = media(&r, 4000, 6000, ECS_DOWNLINK);
	rtcp = media(&r, 4001, 6001, ECS_UPLINK);
	CU_ASSERT_STRING_EQUAL(rule_of(&rtp), "media");
	CU_ASSERT_STRING_EQUAL(rule_of(&rtcp), "media");
	CU_ASSERT_PTR_EQUAL(parent(&rtp), flow_of(&c));
	CU_ASSERT_PTR_EQUAL(parent(&rtcp), flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_children, 2);
	/* ports next to them, and crossed ones, are of nobody */
	other = media(&r, 4000, 6001, ECS_UPLINK);
	CU_ASSERT_STRING_EQUAL(rule_of(&other), "video");
	CU_ASSERT_PTR_NULL(parent(&other));
	/* the same connection goes on, in several pieces */
	for (const char *p = "SETUP rtsp://m/2 RTSP/1.0\r\nCSeq: 9\r\n\r\n"; *p; p++)
		(void)say_n(&c, ECS_UPLINK, ACK, p, 1);
	for (const char *p = "RTSP/1.0 200 OK\r\nCSeq: 9\r\nTransport: RTP/AVP;client_port=4002;"
	                     "server_port=6002\r\n\r\n"; *p; p++)
		(void)say_n(&c, ECS_DOWNLINK, ACK, p, 1);
	CU_ASSERT_EQUAL(r.c.media_expected, 2);
	other = media(&r, 4002, 6002, ECS_UPLINK);
	CU_ASSERT_PTR_EQUAL(parent(&other), flow_of(&c));
	/* the end of the parent: they go on, on their rule, without it */
	(void)say(&c, ECS_UPLINK, ACK | RST, NULL);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_PTR_NULL(parent(&rtp));
	CU_ASSERT_EQUAL(flow_of(&rtp)->more->parent, 0);
	CU_ASSERT_EQUAL(say(&rtp, ECS_DOWNLINK, 0, "rtp"), ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(rule_of(&rtp), "media");
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 1, r.now), 4);
	rtp = media(&r, 4000, 6000, ECS_DOWNLINK); /* and nothing is expected any more */
	CU_ASSERT_STRING_EQUAL(rule_of(&rtp), "video");
	end(&r);
}

static void test_routes(void)
{
	struct rig r;
	struct conn c, m;

	start(&r, routed);
	c = tcp(&r, 2000, 8554); /* not that of the route */
	handshake(&c);
	set_up(&c, 4000, 6000, "");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "mail");
	CU_ASSERT_EQUAL(r.c.rtsp_sessions, 0);
	c = tcp(&r, 2001, 554);
	handshake(&c);
	set_up(&c, 4000, 6000, "");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "control");
	m = media(&r, 4000, 6000, ECS_UPLINK);
	CU_ASSERT_PTR_EQUAL(parent(&m), flow_of(&c));
	/* what is no RTSP on that port is left alone */
	c = tcp(&r, 2002, 554);
	handshake(&c);
	(void)say(&c, ECS_UPLINK, ACK, GET("a"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "mail");
	CU_ASSERT_PTR_NULL(flow_of(&c)->analysis);
	end(&r);
}

/* Post-processing reads it as well; of recovered flows it has L3/L4 lines alone. */
static void test_post(void)
{
	struct rig r;
	struct conn c, m;

	start(&r, BASE(" post-processing priority 1 ruledef stop charging-action drop\n#exit\n"
	               "ruledef stop\n rtp any-match = TRUE\n rule-application post-processing\n#exit\n"
	               "charging-action drop\n flow action discard\n"));
	c = tcp(&r, 2000, 554);
	handshake(&c);
	set_up(&c, 4000, 6000, "");
	m = media(&r, 4001, 6000, ECS_UPLINK);
	CU_ASSERT_EQUAL(say(&m, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	m = udp(&r, 4000, 6000);
	CU_ASSERT_EQUAL(say(&m, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(say(&m, ECS_DOWNLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_STRING_EQUAL(rule_of(&m), "media");
	end(&r);
}

static void test_who(void)
{
	struct rig r;
	struct conn c, m;
	struct ecs_session_spec sp = spec_of(2, "10.0.0.2", NULL);
	struct ecs_session *s2;
	struct pk k = {.src = "192.0.2.99", .dst = UE, .proto = 17, .sport = 6000, .dport = 4000, .data = (const uint8_t *)"x",
	               .len = 1};

	start(&r, plain);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s2), 0);
	c = tcp(&r, 2000, 554);
	handshake(&c);
	set_up(&c, 4000, 6000, ";source=192.0.2.99;destination=" UE);
	m = media(&r, 4000, 6000, ECS_UPLINK); /* to the server itself */
	CU_ASSERT_PTR_NULL(parent(&m));
	CU_ASSERT_EQUAL(put(&r, &k, ECS_DOWNLINK, 0), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.flows_children, 1);
	k.dst = "10.0.0.2"; /* of another subscriber */
	CU_ASSERT_EQUAL(put(&r, &k, ECS_DOWNLINK, 0), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.flows_children, 1);
	CU_ASSERT_PTR_NULL(s2->kin);
	set_up(&c, 4010, 6010, ";destination=10.0.0.2");
	set_up(&c, 4012, 6012, ";source=2001:db8::1");
	CU_ASSERT_EQUAL(r.c.media_refused, 2);
	CU_ASSERT_EQUAL(r.c.media_expected, 1);
	/* IPv6 */
	c = tcp(&r, 2001, 554);
	c.v6 = true;
	handshake(&c);
	set_up(&c, 4020, 6020, "");
	m = udp(&r, 4021, 6021);
	m.v6 = true;
	CU_ASSERT_EQUAL(say(&m, ECS_DOWNLINK, 0, "rtcp"), ECS_FORWARD);
	CU_ASSERT_PTR_EQUAL(parent(&m), flow_of(&c));
	end(&r);
}

static void test_limits(void)
{
	struct rig r;
	struct conn c, m;

	start(&r, plain);
	c = tcp(&r, 2000, 554);
	handshake(&c);
	for (unsigned i = 0; i < ECS_EXPECTED_MAX; i++)
		set_up(&c, 4000 + 2 * i, 6000, "");
	CU_ASSERT_EQUAL(r.c.media_expected, ECS_EXPECTED_MAX);
	set_up(&c, 5000, 6000, "");
	CU_ASSERT_EQUAL(r.c.media_refused, 1);
	set_up(&c, 4000, 6000, ""); /* again: it has its place */
	CU_ASSERT_EQUAL(r.c.media_refused, 1);
	m = media(&r, 5000, 6000, ECS_UPLINK);
	CU_ASSERT_PTR_NULL(parent(&m));
	/* one millisecond before their life is over, and then */
	wait_ms(&r, ECS_EXPECTED_S * 1000 - 1);
	m = media(&r, 4000, 6000, ECS_UPLINK);
	CU_ASSERT_PTR_EQUAL(parent(&m), flow_of(&c));
	wait_ms(&r, 1);
	m = media(&r, 4002, 6000, ECS_UPLINK);
	CU_ASSERT_PTR_NULL(parent(&m));
	/* children of a call */
	for (unsigned i = 1; i < ECS_CHILDREN_MAX + 1; i++) {
		set_up(&c, 7000 + 2 * i, 6000, "");
		m = media(&r, (uint16_t)(7000 + 2 * i), 6000, ECS_DOWNLINK);
		CU_ASSERT_EQUAL(parent(&m) != NULL, i < ECS_CHILDREN_MAX);
		if (i % ECS_EXPECTED_MAX == 0)
			wait_ms(&r, ECS_EXPECTED_S * 1000);
		(void)say(&c, ECS_UPLINK, ACK, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
	}
	end(&r);
}

/* The engine takes the role again: what was not checkpointed is not known. */
static void lose(struct rig *r)
{
	ecs_engine_active(r->e, false, r->now);
	ecs_engine_active(r->e, true, r->now);
}

/* As begin(), with the switch; rules named as the eligible ones. */
#define ELIGIBLE(more)                                                                         \
	"ruledef video\n rtp any-match = TRUE\n#exit\nruledef mail\n rtsp any-match = TRUE\n#exit\n" \
	"charging-action ca\n content-id 1\n#exit\nrulebase rb\n"                              \
	" action priority 1 ruledef video charging-action ca\n"                                \
	" action priority 2 ruledef mail charging-action ca\n"                                 \
	" flow control-handshaking charge-to-application all-packets\n#exit\n" more
#define KEPT "flow-recovery parent-child\n"

static void recovered(const char *text, bool keeps)
{
	struct rig r;
	struct conn c, m;

	start(&r, text);
	CU_ASSERT_EQUAL(ecs_service_keeps(r.svc, ECS_RECOVER_PARENT_CHILD), keeps);
	c = tcp(&r, 2000, 554);
	handshake(&c);
	set_up(&c, 4000, 6000, "");
	m = media(&r, 4000, 6000, ECS_DOWNLINK);
	CU_ASSERT_PTR_EQUAL(parent(&m), flow_of(&c));
	CU_ASSERT_EQUAL(ecs_parent_kept(flow_of(&m)), keeps ? flow_of(&c)->id : 0);
	lose(&r);
	CU_ASSERT_TRUE(ecs_flow_recovered(r.e, flow_of(&m)));
	CU_ASSERT_PTR_EQUAL(parent(&m), keeps ? flow_of(&c) : NULL);
	CU_ASSERT_EQUAL(say(&m, ECS_DOWNLINK, 0, "rtp"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, ACK, "PLAY a RTSP/1.0\r\nCSeq: 7\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(rule_of(&m), "video"); /* both stay where they were */
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "mail");
	CU_ASSERT_PTR_EQUAL(parent(&m), keeps ? flow_of(&c) : NULL);
	/* its end is told of, where it had been told */
	r.changed[210] = 0;
	(void)say(&c, ECS_UPLINK, ACK | RST, NULL);
	CU_ASSERT_PTR_NULL(parent(&m));
	CU_ASSERT_EQUAL(ecs_parent_kept(flow_of(&m)), 0);
	CU_ASSERT_EQUAL(r.changed[210], 1u + keeps); /* the first of them is its own */
	end(&r);
}

static void test_recovered(void)
{
	recovered(ELIGIBLE(""), false);
	recovered(ELIGIBLE(KEPT), true);
}

/* The switch is turned while they live. */
static void test_switched(void)
{
	struct ecs_service *on, *off;
	struct rig r;
	struct conn c, m;

	start(&r, ELIGIBLE(""));
	off = r.svc;
	on = service(ELIGIBLE(KEPT));
	CU_ASSERT_NOT_EQUAL(ecs_service_digest(on), ecs_service_digest(off));
	c = tcp(&r, 2000, 554);
	handshake(&c);
	set_up(&c, 4000, 6000, "");
	m = media(&r, 4000, 6000, ECS_DOWNLINK);
	CU_ASSERT_EQUAL(ecs_parent_kept(flow_of(&m)), 0);
	r.changed[210] = 0;
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, on, r.now), 0);
	CU_ASSERT_EQUAL(ecs_parent_kept(flow_of(&m)), flow_of(&c)->id);
	CU_ASSERT_TRUE(r.changed[210] > 0);
	lose(&r);
	CU_ASSERT_PTR_EQUAL(parent(&m), flow_of(&c));
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, off, r.now), 0);
	CU_ASSERT_PTR_NULL(parent(&m)); /* recovered, and without the switch */
	CU_ASSERT_EQUAL(ecs_parent_kept(flow_of(&m)), 0);
	end(&r);
	ecs_service_free(on);
}

CU_TestInfo ecs_parent_tests[] = {
	{"RTP and RTCP of an RTSP session", test_children},
	{"routes say who is read", test_routes},
	{"post-processing", test_post},
	{"from whom, and to whom", test_who},
	{"limits and lives", test_limits},
	{"recovered with and without the switch", test_recovered},
	{"the switch is turned", test_switched},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include "ecs/tcp.h"
#include "ecs_rig.h"

/* --- ends and timers -------------------------------------------------------------------------- */

static void both_fins_end_a_flow(void)
{
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	wait_ms(&r, 5000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c)); /* one is not enough */
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	say(&c, ECS_UPLINK, ACK, NULL);
	wait_ms(&r, 1900);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL); /* a late one does not prolong it */
	wait_ms(&r, 400);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 1);
	CU_ASSERT_EQUAL(r.c.flows_idle, 0);
	/* the ports are used again at once */
	c = tcp(&r, 4002, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	c.up = 999999;
	handshake(&c);
	CU_ASSERT_EQUAL(r.c.flows_fin, 2);
	CU_ASSERT_EQUAL(flow_of(&c)->flags & (ECS_FLOW_F_FIN_UP | ECS_FLOW_F_FIN_DOWN), 0);
	CU_ASSERT_EQUAL(flow_of(&c)->tcp_state, ECS_TCP_ST_ESTABLISHED);
	end(&r);
}

/* Closed when the role was lost, and still remembered when it comes back: it ends as it would have. */
static void closed_flow_ends_after_a_takeover(void)
{
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	flow_of(&c)->flags |= ECS_FLOW_F_CHECKPOINT; /* the peer holds it */
	wait_ms(&r, 500);
	ecs_engine_active(r.e, false, r.now);
	wait_ms(&r, 10000);
	CU_ASSERT_EQUAL(ecs_flow_idle_ms(r.e, flow_of(&c), r.now), 0);
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_UPLINK, ACK, NULL); /* of the second FIN, at the latest */
	CU_ASSERT_TRUE(ecs_flow_recovered(r.e, flow_of(&c)));
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 1500);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 1);
	CU_ASSERT_EQUAL(r.c.flows_idle, 0);
	end(&r);
}

/* FR-024: FINs that come after a recovery, one of them or both, do not end the flow, in a second recovery
 * either; a SYN on its ports begins another. */
static void fins_after_a_takeover(void)
{
	for (int before = 0; before < 2; before++) {
		struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};
		struct rig r;

		standby(&r, &c, "video");
		if (before)
			flow_of(&c)->flags |= ECS_FLOW_F_FIN_DOWN;
		ecs_engine_active(r.e, true, r.now);
		say(&c, ECS_UPLINK, FIN | ACK, NULL);
		say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
		say(&c, ECS_UPLINK, ACK, NULL);
		CU_ASSERT_TRUE(ecs_tcp_closed(flow_of(&c)->tcp_state));
		wait_ms(&r, 10000);
		CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
		ecs_engine_active(r.e, false, r.now);
		ecs_engine_active(r.e, true, r.now);
		wait_ms(&r, 150000);
		CU_ASSERT_PTR_NOT_NULL_FATAL(flow_of(&c));
		CU_ASSERT_EQUAL(r.c.flows_fin, 0);
		c.up = 99999;
		say(&c, ECS_UPLINK, SYN, NULL);
		CU_ASSERT_EQUAL(r.c.flows_reopened, 1);
		CU_ASSERT_FALSE(ecs_flow_recovered(r.e, flow_of(&c)));
		end(&r);
	}
}

static void rst_ends_a_flow(void)
{
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	say(&c, ECS_DOWNLINK, RST, NULL);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 2); /* the RST is charged to it */
	CU_ASSERT_EQUAL(r.c.flows_rst, 1);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 0);
	CU_ASSERT_EQUAL(r.s->nflows, 0);
	end(&r);
}

static void idle_timeouts(void)
{
	struct rig r;
	struct conn half, full, udp, own, never;
	uint8_t b[512];

	begin(&r);
	half = tcp(&r, 1, 80);
	say(&half, ECS_UPLINK, SYN, NULL);
	full = tcp(&r, 2, 80);
	handshake(&full);
	own = tcp(&r, 3, 993);
	handshake(&own);
	say_n(&own, ECS_UPLINK, ACK, b, pk_hello("mail.example", b));
	udp = (struct conn){.r = &r, .proto = 17, .sport = 4, .dport = 5};
	say(&udp, ECS_UPLINK, 0, "x");
	never = (struct conn){.r = &r, .proto = 17, .sport = 5, .dport = 53};
	say_n(&never, ECS_UPLINK, 0, b, pk_dns("good", b));
	wait_ms(&r, 29500);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&own));
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&own)); /* 30 s: its charging action's */
	wait_ms(&r, 169000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&half));
	say(&udp, ECS_DOWNLINK, 0, "y"); /* at 199.5 s */
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&half)); /* 200 s: half-open */
	wait_ms(&r, 99000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&full));
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&full)); /* 300 s: TCP */
	wait_ms(&r, 198500);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&udp)); /* 299 s since its last packet */
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&udp));
	CU_ASSERT_EQUAL(r.c.flows_idle, 4);
	wait_ms(&r, 100000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&never)); /* 0: never */
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 1, r.now), 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	CU_ASSERT_EQUAL(r.c.flows_cleared, 1);
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 99, r.now), 0);
	end(&r);
}

/* --- recovery --------------------------------------------------------------------------------- */

static void recovered_keeps_its_rule(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};
	struct ecs_flow *f = standby(&r, &c, "video");

	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, ACK, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_not_active, 1);
	CU_ASSERT_FALSE(ecs_flow_recovered(r.e, f));
	wait_ms(&r, 3600000); /* the standby owns no timers */
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_TRUE(ecs_flow_recovered(r.e, f));
	CU_ASSERT_TRUE(ecs_session_recovered(r.e, r.s));
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, ACK, GET("other.example")), ECS_FORWARD);
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 2);
	CU_ASSERT_EQUAL(r.c.analyzer_bytes, 0);
	/* FINs do not end it, however long; silence does */
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	wait_ms(&r, 299000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	say(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 5);
	wait_ms(&r, 299000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 1500);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 0);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	end(&r);
}

static void idle_age_goes_on(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};
	struct ecs_flow *f = standby(&r, &c, "video"); /* 100 s old of 300 */

	wait_ms(&r, 86400000);
	CU_ASSERT_TRUE(ecs_flow_idle_ms(r.e, f, r.now) >= 99900);
	CU_ASSERT_TRUE(ecs_flow_idle_ms(r.e, f, r.now) <= 100100);
	ecs_engine_active(r.e, true, r.now);
	wait_ms(&r, 150000);
	CU_ASSERT_TRUE(ecs_flow_idle_ms(r.e, f, r.now) >= 249800);
	CU_ASSERT_TRUE(ecs_flow_idle_ms(r.e, f, r.now) <= 250200);
	wait_ms(&r, 49000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 1500);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_idle, 1);
	end(&r);
}

static void recovered_ends_on_rst(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};

	standby(&r, &c, "video");
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_DOWNLINK, RST | ACK, NULL);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	CU_ASSERT_EQUAL(r.c.flows_rst, 1);
	/* what comes after on the same ports began in mid-stream: never an L7 rule */
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	end(&r);
}

static void recovered_is_reopened(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};

	standby(&r, &c, "video");
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_UPLINK, SYN, NULL); /* without both FINs a SYN changes nothing */
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_UPLINK, SYN, NULL);
	CU_ASSERT_EQUAL(r.c.flows_reopened, 0);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	c.up = 70000;
	handshake(&c);
	CU_ASSERT_EQUAL(r.c.flows_reopened, 1);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_FALSE(ecs_flow_recovered(r.e, flow_of(&c)));
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	end(&r);
}

static void recovered_udp_is_analyzed(void)
{
	struct rig r;
	struct conn c = {.proto = 17, .sport = 4000, .dport = 53};
	char text[8192];
	uint8_t b[512];

	standby(&r, &c, "udp-any");
	ecs_engine_active(r.e, true, r.now);
	say_n(&c, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_EQUAL(r.c.dns_queries, 0); /* no route says so */
	end(&r);
	snprintf(text, sizeof(text), "%sruledef dns-port\n rule-application routing\n udp either-port = 53\n#exit\nrulebase rb\n"
	         " route priority 1 ruledef dns-port analyzer dns\n#exit\n", rules);
	standby_with(&r, &c, "udp-any", text);
	ecs_engine_active(r.e, true, r.now);
	say_n(&c, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_EQUAL(r.c.dns_queries, 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "udp-any"); /* and keeps its rule */
	CU_ASSERT_EQUAL(r.c.matches, 0);
	end(&r);
}

static void control_pending(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5}, fresh;

	standby(&r, &c, "video");
	ecs_session_pending(r.e, r.s, ECS_PENDING_SWITCHOVER, 0, r.now);
	wait_ms(&r, 200000); /* its timeout begins at takeover */
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_UPLINK, ACK, "12345");
	CU_ASSERT_EQUAL(r.c.pending_packets, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->pending_pkts, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->pending_bytes, 45);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 0);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video"); /* the verdict is not touched */
	/* flows that were not recovered are not concerned */
	fresh = tcp(&r, 4001, 80);
	handshake(&fresh);
	say(&fresh, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	wait_ms(&r, 59000);
	CU_ASSERT_EQUAL(r.s->pending, ECS_PENDING_SWITCHOVER);
	wait_ms(&r, 1500);
	CU_ASSERT_EQUAL(r.s->pending, 0);
	CU_ASSERT_EQUAL(r.c.pending_timeouts, 1);
	say(&c, ECS_UPLINK, ACK, "12345");
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 2);
	/* a handoff: begin and end */
	memset(r.changed, 0, sizeof(r.changed));
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_call.id], 1);
	say(&c, ECS_UPLINK, ACK, "12345");
	CU_ASSERT_EQUAL(r.c.pending_packets, 2);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, false, r.now), 0);
	say(&c, ECS_UPLINK, ACK, "12345");
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 3);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 2, true, r.now), SRP_ENOSESS);
	end(&r);
}

/* Flows of TCP that their session was recovered without: by what can be told of each. */
static void why_not_recovered(void)
{
	static const char l34[] =
		"ruledef late\n tcp either-port = 7777\n#exit\n"
		"ruledef tcp-any\n tcp any-match = TRUE\n#exit\n"
		"charging-action ca-any\n content-id 40\n#exit\n"
		"rulebase rb\n action priority 40 ruledef late charging-action ca-any\n"
		" action priority 80 ruledef tcp-any charging-action ca-any\n#exit\n";
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	struct conn web, full[11], delayed;
	struct rig r;

	begin(&r); /* lines of L7 are eligible */
	web = tcp(&r, 1, 80);
	handshake(&web);
	delayed = tcp(&r, 3, 7777);
	handshake(&delayed);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	say(&web, ECS_UPLINK, ACK, "x"); /* it had said nothing, so no rule of L7 was its own */
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_ineligible, 1);
	say(&delayed, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_unacknowledged, 1);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_limit, 0);
	end(&r);

	setup(&r, l34, 0);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	web = tcp(&r, 99, 80);
	say(&web, ECS_UPLINK, ACK, "x"); /* in mid-stream, but nothing was recovered */
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 1);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_ineligible, 0);
	web = tcp(&r, 100, 80);
	handshake(&web);
	for (uint16_t i = 0; i < 11; i++) {
		full[i] = tcp(&r, (uint16_t)(200 + i), 7777);
		handshake(&full[i]);
	}
	wait_ms(&r, 21000);
	CU_ASSERT_EQUAL(r.s->slots, 10);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	say(&web, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_ineligible, 1);
	say(&full[10], ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_limit, 1);
	say(&full[0], ECS_DOWNLINK, RST, NULL); /* it was full when it was recovered */
	say(&full[1], ECS_DOWNLINK, RST, NULL);
	delayed = tcp(&r, 300, 7777);
	say(&delayed, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_limit, 2);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_unacknowledged, 0);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now); /* the next time there was room */
	delayed = tcp(&r, 300, 7777);
	say(&delayed, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_limit, 2);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_unacknowledged, 1);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 5);
	end(&r);
}

/* The old active has told which flows have no checkpoint: of TCP and of what has no connection. */
static void why_as_told(void)
{
	struct conn web[12], plain, asks, talks;
	uint8_t b[256];
	struct rig r;

	begin(&r);
	for (uint16_t i = 0; i < 12; i++) {
		web[i] = tcp(&r, (uint16_t)(100 + i), 80);
		handshake(&web[i]);
		say(&web[i], ECS_UPLINK, ACK, i == 11 ? GET("other.example") : GET("video.example"));
	}
	plain = tcp(&r, 300, 443);
	handshake(&plain);
	asks = tcp(&r, 400, 53);
	asks.proto = 17;
	say_n(&asks, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_TRUE(flow_of(&asks)->flags & ECS_FLOW_F_WAITING);
	talks = tcp(&r, 500, 7001);
	talks.proto = 17;
	say(&talks, ECS_UPLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&talks), "udp-any");
	wait_ms(&r, 1000);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	say(&web[0], ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 0);
	say(&web[10], ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_limit, 1);
	say(&web[11], ECS_UPLINK, ACK, "x");
	say(&plain, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_ineligible, 2);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_limit, 1);
	/* it looks like a new one, but it is not */
	say_n(&asks, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&asks), "udp-any");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_limit, 2);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 4);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_unacknowledged, 0);
	asks.sport = 401;
	say_n(&asks, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&asks), "names");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 4);
	say(&talks, ECS_UPLINK, 0, "x");
	CU_ASSERT_TRUE(flow_of(&talks)->flags & ECS_FLOW_F_MID);
	CU_ASSERT_PTR_NULL(flow_of(&talks)->analysis);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_ineligible, 3);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 5);
	ecs_flow_over(r.e, flow_of(&talks), ECS_FLOW_END_NORMAL, r.now);
	say(&talks, ECS_UPLINK, 0, "x"); /* another one, of the same ports */
	CU_ASSERT_FALSE(flow_of(&talks)->flags & ECS_FLOW_F_MID);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 5);
	end(&r);

	/* of what is silent for so long the flow is over */
	begin(&r);
	for (uint16_t i = 0; i < 10; i++) {
		web[i] = tcp(&r, (uint16_t)(100 + i), 80);
		handshake(&web[i]);
		say(&web[i], ECS_UPLINK, ACK, GET("video.example"));
	}
	asks = tcp(&r, 400, 53);
	asks.proto = 17;
	say_n(&asks, ECS_UPLINK, 0, b, pk_dns("good", b));
	wait_ms(&r, 1000);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	r.now.us += SRP_SEC(100000);
	say_n(&asks, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&asks), "names");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 0);
	end(&r);
}

/* A flow of UDP that an action lets be silent for longer than the service does is known for as long. */
static void known_as_long_as_it_lasts(void)
{
	static const char lasts[] =
		"ruledef names\n dns query-name contains good\n#exit\nruledef any\n ip any-match = TRUE\n#exit\n"
		"charging-action ca\n#exit\ncharging-action long\n flow idle-timeout 600\n#exit\n"
		"rulebase rb\n action priority 1 ruledef names charging-action ca\n"
		" action priority 2 ruledef any charging-action long\n#exit\n";
	struct conn asks[3];
	uint8_t b[256];
	struct rig r;

	begin_by(&r, lasts, NULL);
	for (uint16_t i = 0; i < 3; i++) {
		asks[i] = tcp(&r, (uint16_t)(400 + i), 53);
		asks[i].proto = 17;
		say(&asks[i], ECS_UPLINK, 0, "x");
		CU_ASSERT_STRING_EQUAL(rule_of(&asks[i]), "any");
	}
	wait_ms(&r, 1000);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	wait_ms(&r, 301000); /* the service's time is over */
	say_n(&asks[0], ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&asks[0]), "any");
	wait_ms(&r, 299000);
	say_n(&asks[1], ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&asks[1]), "any");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_ineligible, 2);
	CU_ASSERT_TRUE(r.e->unsent_then);
	r.now.us++; /* and now the action's */
	say_n(&asks[2], ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&asks[2]), "names");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_ineligible, 2);
	wait_ms(&r, 500);
	CU_ASSERT_FALSE(r.e->unsent_then);
	end(&r);
}

static void losing_the_role(void)
{
	struct rig r;
	struct conn plain, kept, delayed;
	struct ecs_flow *f;

	begin(&r);
	plain = tcp(&r, 1, 80);
	handshake(&plain);
	kept = tcp(&r, 2, 80);
	handshake(&kept);
	say(&kept, ECS_UPLINK, ACK, GET("video.example"));
	delayed = tcp(&r, 3, 7777);
	handshake(&delayed);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&delayed)->delay);
	ecs_engine_active(r.e, false, r.now);
	/* back before anything was purged: what the other chassis did not know is not believed */
	ecs_engine_active(r.e, true, r.now);
	say(&plain, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_purged, 1);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 1);
	f = flow_of(&kept);
	CU_ASSERT_TRUE(ecs_flow_recovered(r.e, f));
	say(&kept, ECS_UPLINK, ACK, GET("other.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&kept), "video");
	CU_ASSERT_PTR_NULL(f->analysis);
	/* as standby the rest goes, one session a step */
	ecs_engine_active(r.e, false, r.now);
	while (ecs_engine_tick(r.e, r.now, 1))
		;
	CU_ASSERT_PTR_NULL(flow_of(&delayed));
	CU_ASSERT_PTR_NULL(flow_of(&plain));
	CU_ASSERT_PTR_EQUAL(flow_of(&kept), f);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 1);
	CU_ASSERT_EQUAL(r.s->slots, 1);
	end(&r);
}

CU_TestInfo ecs_flow_tests[] = {
	{"both FINs end a flow", both_fins_end_a_flow},
	{"a closed flow ends after a takeover", closed_flow_ends_after_a_takeover},
	{"FINs after a takeover", fins_after_a_takeover},
	{"RST ends a flow", rst_ends_a_flow},
	{"idle timeouts", idle_timeouts},
	{"a recovered flow keeps its rule", recovered_keeps_its_rule},
	{"idle ages go on at takeover", idle_age_goes_on},
	{"a recovered flow ends on RST", recovered_ends_on_rst},
	{"a recovered flow is reopened", recovered_is_reopened},
	{"a recovered UDP flow is analyzed", recovered_udp_is_analyzed},
	{"control pending", control_pending},
	{"why flows were not recovered", why_not_recovered},
	{"why flows were not recovered, as told", why_as_told},
	{"a flow that was not recovered is known as long as it lasts", known_as_long_as_it_lasts},
	{"losing the role", losing_the_role},
	CU_TEST_INFO_NULL,
};

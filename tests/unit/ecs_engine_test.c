#include "config.h"
#include "suites.h"

#include "ecs/path.h"
#include "ecs_rig.h"

/* --- matching --------------------------------------------------------------------------------- */

static void http_per_request(void)
{
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->bytes_up, 80);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->bytes_down, 40);
	say(&c, ECS_UPLINK, ACK, GET("www.video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* what carries nothing stays with the flow's verdict */
	say(&c, ECS_DOWNLINK, ACK, NULL);
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n");
	CU_ASSERT_EQUAL(stats_of(&r, "video")->pkts_down, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->match_bypassed, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	/* another request, another rule; and back */
	say(&c, ECS_UPLINK, ACK, GET("other.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n");
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 5);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_EQUAL(r.c.http_requests, 3);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 10).pkts[ECS_DOWNLINK], 2);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 40).pkts[ECS_UPLINK], 3);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 5);
	CU_ASSERT_EQUAL(r.c.packets_up, 5);
	end(&r);
}

/* A rig whose rulebase has another last line. */
static void begin_with(struct rig *r, const char *last)
{
	char text[8192];

	snprintf(text, sizeof(text), "%.*s%s",
	         (int)(sizeof(rules) - sizeof(HANDSHAKING_HERE)), rules, last);
	begin_by(r, text, NULL);
}

static void handshake_is_charged_to_the_application(void)
{
	struct rig r;
	struct conn c;

	begin_with(&r, HANDSHAKING(" initial-packets mid-session-packets"));
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 0);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 2); /* whatever its rule */
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 0);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 4);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->pkts_up, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->bytes_down, 40);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 3);
	say(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 5);
	/* one that never says what it is: by what is known when it ends */
	c = tcp(&r, 4001, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 0);
	ecs_flows_clear(r.e, 0, r.now);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->pkts_up, 2);
	end(&r);
}

/* ecs-facts 2.4; flow-recovery.txt, Restrictions: which packets without payload are charged to the
 * application, and how often the checkpoint of an eligible flow is taken back for those that are not. */
static void packets_without_payload(void)
{
	static const struct {
		const char *last;
		unsigned app;     /* packets of the connection on the application's rule, of 10 */
		unsigned deleted; /* checkpoints taken back before the connection is forgotten */
	} mode[] = {
		{"#exit\n", 2, 2},
		{HANDSHAKING(" initial-packets"), 5, 2},
		{HANDSHAKING(" mid-session-packets"), 4, 1},
		{HANDSHAKING(" tear-down-packets"), 5, 2},
		{HANDSHAKING(" mid-session-packets tear-down-packets"), 7, 0},
		{HANDSHAKING(" initial-packets mid-session-packets tear-down-packets"), 10, 0},
		{HANDSHAKING(" all-packets"), 10, 0},
	};

	for (size_t i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
		struct rig r;
		struct conn c;

		begin_with(&r, mode[i].last);
		c = tcp(&r, 4000, 80);
		handshake(&c);
		say(&c, ECS_UPLINK, ACK, GET("video.example"));
		say(&c, ECS_DOWNLINK, ACK, NULL);
		say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n");
		CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT);
		say(&c, ECS_UPLINK, ACK, NULL);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
		say(&c, ECS_UPLINK, FIN | ACK, NULL);
		say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
		say(&c, ECS_UPLINK, ACK, NULL);
		CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, mode[i].app);
		CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 10 - mode[i].app);
		CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 6);
		CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], mode[i].deleted);
		end(&r);
	}
}

static void rest_of_a_flow(void)
{
	struct rig r;
	struct conn c;

	/* the rule of its packets without payload is eligible too: the checkpoint stays */
	begin_with(&r, "#exit\n");
	c = tcp(&r, 4000, 7777);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	say(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_EQUAL(stats_of(&r, "late")->hits, 4);
	CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 0);
	/* its slot is free while it rests; a flow that is taken over keeps its rule for all packets */
	c = tcp(&r, 4001, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_EQUAL(r.s->slots, 2);
	say(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_EQUAL(r.s->slots, 1);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n");
	CU_ASSERT_EQUAL(r.s->slots, 2);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_TRUE(ecs_flow_recovered(r.e, flow_of(&c)));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 4);
	CU_ASSERT_EQUAL(r.s->slots, 2);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	end(&r);
}

static void tls_and_dns(void)
{
	struct rig r;
	struct conn c;
	uint8_t b[512];
	size_t n;

	begin(&r);
	c = tcp(&r, 4001, 993);
	c.v6 = true;
	handshake(&c);
	n = pk_hello("mail.example", b);
	say_n(&c, ECS_UPLINK, ACK, b, 30);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	say_n(&c, ECS_UPLINK, ACK, b + 30, n - 30);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "mail");
	CU_ASSERT_PTR_NULL(flow_of(&c)->analysis); /* nothing is left to find out */
	CU_ASSERT_EQUAL(flow_of(&c)->idle_timeout, 30);
	c = (struct conn){.r = &r, .proto = 17, .sport = 5000, .dport = 53};
	n = pk_dns("very.good.example", b);
	say_n(&c, ECS_UPLINK, 0, b, n);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "names");
	say_n(&c, ECS_DOWNLINK, 0, b, n);
	CU_ASSERT_EQUAL(stats_of(&r, "names")->pkts_down, 1);
	CU_ASSERT_PTR_NULL(flow_of(&c)->analysis); /* a question needs nothing of those before */
	CU_ASSERT_EQUAL(r.e->nanalyses, 0);
	n = pk_dns("bad.example", b); /* a question is an answer of its own */
	say_n(&c, ECS_UPLINK, 0, b, n);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "udp-any");
	end(&r);
}

static void no_rule_and_unknown(void)
{
	struct rig r;
	struct pk k = {.src = UE, .dst = SERVER, .proto = 47, .text = "gre"};

	begin(&r);
	CU_ASSERT_EQUAL(put(&r, &k, ECS_UPLINK, 0), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.no_rule_packets, 1);
	CU_ASSERT_EQUAL(stats_of(&r, NULL)->hits, 1);
	CU_ASSERT_EQUAL(stats_of(&r, NULL)->bytes_up, 23);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_RULE, 0).bytes[ECS_UPLINK], 23);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	k.src = "10.0.0.2";
	CU_ASSERT_EQUAL(put(&r, &k, ECS_UPLINK, 0), ECS_NO_SESSION);
	CU_ASSERT_EQUAL(r.c.packets_up, 1);
	/* the subscriber is the source on uplink only */
	k.src = UE;
	CU_ASSERT_EQUAL(put(&r, &k, ECS_DOWNLINK, 0), ECS_NO_SESSION);
	CU_ASSERT_EQUAL(ecs_engine_packet(r.e, (const uint8_t *)"\x45", 1, ECS_UPLINK, 0, r.now),
	                ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_malformed, 1);
	end(&r);
}

/* Flows that are on their way here must not be begun anew by what comes before them. */
static void known_flows_only(void)
{
	struct rig r;
	struct conn c, d;
	struct pk first = {.src = UE, .dst = SERVER, .proto = 6, .sport = 4000, .dport = 80, .ipid = 5,
	                   .frag = 0x2000, .text = "a first fragment, of a flow that is there"};
	uint64_t packets;

	begin(&r);
	c = tcp(&r, 4000, 80);
	d = tcp(&r, 4001, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	packets = r.c.packets_up;
	ecs_engine_known_only(r.e, true);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, ACK, "x"), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.packets_up, packets + 1);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, SYN, ""), ECS_NO_SESSION);
	CU_ASSERT_EQUAL(put(&r, &first, ECS_UPLINK, 0), ECS_NO_SESSION);
	CU_ASSERT_EQUAL(r.c.packets_up, packets + 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	ecs_engine_known_only(r.e, false);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, SYN, ""), ECS_FORWARD);
	CU_ASSERT_EQUAL(put(&r, &first, ECS_UPLINK, 0), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 2);
	end(&r);
}

static void discard(void)
{
	struct rig r;
	struct conn c = {.r = &r, .proto = 17, .sport = 9, .dport = 666};

	begin(&r);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(stats_of(&r, "drop-both")->hits, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "drop-both")->pkts_up, 0);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 50).pkts[ECS_UPLINK], 0);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 0);
	CU_ASSERT_EQUAL(r.c.drop_discard, 2);
	c.dport = 667;
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "drop-up")->hits, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "drop-up")->pkts_down, 1);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 60).pkts[ECS_DOWNLINK], 1);
	end(&r);
}

static void super_packets(void)
{
	struct rig r;
	static const char data[1000];
	struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 7, .dport = 8,
	               .data = (const uint8_t *)data, .len = sizeof(data)};

	begin(&r);
	put(&r, &k, ECS_UPLINK, 1000); /* one segment */
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->pkts_up, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->bytes_up, 1028);
	put(&r, &k, ECS_UPLINK, 999); /* one byte more than one segment */
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->pkts_up, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->bytes_up, 1028 + 1056);
	put(&r, &k, ECS_UPLINK, 100);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->pkts_up, 13);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->bytes_up, 1028 + 1056 + 1000 + 280);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 13);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).bytes[ECS_UPLINK], 1028 + 1056 + 1280);
	CU_ASSERT_EQUAL(r.c.packets_up, 13);
	end(&r);
}

static void mid_stream(void)
{
	struct rig r;
	struct conn c;
	uint8_t b[512];

	begin(&r);
	c = tcp(&r, 4000, 80);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 1);
	CU_ASSERT_EQUAL(r.c.http_requests, 0);
	/* a new connection on its ports is not mid-stream any more */
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* a RST of no flow makes none */
	c = tcp(&r, 4001, 80);
	say(&c, ECS_DOWNLINK, RST, NULL);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_rst, 0);
	/* UDP has no middle */
	c = (struct conn){.r = &r, .proto = 17, .sport = 5000, .dport = 53};
	say_n(&c, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "names");
	end(&r);
}

static void one_sided(void)
{
	struct rig r;
	struct conn c;

	/* only the subscriber's half passes here: its ACK tells that the SYN was answered */
	begin(&r);
	c = tcp(&r, 4000, 80);
	say(&c, ECS_UPLINK, SYN, NULL);
	say(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_EQUAL(flow_of(&c)->tcp_state, ECS_TCP_ST_ESTABLISHED);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* or only the other: its SYN+ACK tells who opened it */
	c = tcp(&r, 4001, 80);
	say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
	CU_ASSERT_EQUAL(flow_of(&c)->flags & (ECS_FLOW_F_MID | ECS_FLOW_F_OPENER_UP),
	                ECS_FLOW_F_OPENER_UP);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 0);
	end(&r);
}

static const char directions[] =
	"ruledef up\n ip uplink = TRUE\n#exit\n"
	"ruledef down\n ip downlink = TRUE\n#exit\n"
	"ruledef open\n tcp state = established\n#exit\n"
	"ruledef closing\n tcp state = fin-wait1\n#exit\n"
	"charging-action ca\n content-id 1\n#exit\n"
	"rulebase rb\n"
	" action priority 1 ruledef open charging-action ca\n"
	" action priority 2 ruledef closing charging-action ca\n"
	" action priority 3 ruledef up charging-action ca\n"
	" action priority 4 ruledef down charging-action ca\n#exit\n";

static void rules_of_directions_and_states(void)
{
	struct rig r;
	struct conn c = {.r = &r, .proto = 17, .sport = 1, .dport = 2};
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	uint64_t matches;

	setup(&r, directions, 0);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	for (int i = 0; i < 3; i++) {
		say(&c, ECS_UPLINK, 0, "u");
		say(&c, ECS_DOWNLINK, 0, "d");
	}
	CU_ASSERT_EQUAL(stats_of(&r, "up")->hits, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "down")->hits, 3);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "up"); /* the flow's own: of its first direction */
	matches = r.c.matches;
	say(&c, ECS_DOWNLINK, 0, "d");
	CU_ASSERT_EQUAL(r.c.matches, matches); /* both verdicts are cached */
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(stats_of(&r, "open")->hits, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "up")->hits, 4);
	CU_ASSERT_EQUAL(stats_of(&r, "down")->hits, 5);
	say(&c, ECS_DOWNLINK, ACK, "d");
	CU_ASSERT_EQUAL(stats_of(&r, "open")->hits, 2);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	CU_ASSERT_EQUAL(stats_of(&r, "closing")->hits, 1);
	say(&c, ECS_DOWNLINK, ACK, NULL); /* fin-wait2: neither */
	CU_ASSERT_EQUAL(stats_of(&r, "down")->hits, 6);
	end(&r);
}

/* --- fragments and errors --------------------------------------------------------------------- */

static void fragments(void)
{
	struct rig r;
	static const uint8_t data[64] = {0, 53, 0, 53};
	struct pk first = {.src = SERVER, .dst = UE, .proto = 17, .sport = 8, .dport = 9, .ipid = 5,
	                   .frag = 0x2000, .data = data, .len = 64};
	struct pk later = {.src = SERVER, .dst = UE, .proto = 17, .ipid = 5, .frag = 9,
	                   .data = data, .len = 64};
	struct conn c = {.r = &r, .proto = 17, .sport = 9, .dport = 8};

	begin(&r);
	CU_ASSERT_EQUAL(put(&r, &later, ECS_DOWNLINK, 0), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.fragment_no_first, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->hits, 1); /* by its L3 line */
	put(&r, &first, ECS_DOWNLINK, 0);
	put(&r, &later, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(r.c.fragments_followed, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	CU_ASSERT_EQUAL(flow_of(&c)->pkts[ECS_DOWNLINK], 2);
	/* the flow is gone: so is what the fragment could follow */
	ecs_flows_clear(r.e, 0, r.now);
	put(&r, &later, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(r.c.fragment_no_first, 2);
	end(&r);
}

static void icmp_error_of_a_flow(void)
{
	struct rig r;
	struct conn c;
	struct pk in = {.src = UE, .dst = SERVER, .proto = 6, .sport = 4000, .dport = 80};
	struct pk k = {.src = "198.51.100.1", .dst = UE, .proto = 1, .type = 11};
	uint8_t inner[PK_CAP];

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	k.data = inner;
	k.len = pk_build(&in, inner);
	put(&r, &k, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(r.c.icmp_errors, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->pkts_down, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	in.dport = 81; /* of no flow: by its L3 line, and it makes none */
	k.len = pk_build(&in, inner);
	put(&r, &k, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(r.c.icmp_errors, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "ping")->pkts_down, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	end(&r);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void too_many_flows(void)
{
	struct rig r;
	struct conn c = {.r = &r, .proto = 17};

	begin(&r);
	for (uint32_t i = 0; i < ECS_SESSION_FLOWS_MAX; i++) {
		c.sport = (uint16_t)i;
		c.dport = 8000;
		say(&c, ECS_UPLINK, 0, NULL);
	}
	CU_ASSERT_EQUAL(r.s->nflows, ECS_SESSION_FLOWS_MAX);
	CU_ASSERT_EQUAL(r.c.flows_refused, 0);
	c.dport = 8001; /* one more: charged, without a flow */
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.flows_refused, 1);
	CU_ASSERT_EQUAL(r.s->nflows, ECS_SESSION_FLOWS_MAX);
	CU_ASSERT_EQUAL(r.c.packets_up, ECS_SESSION_FLOWS_MAX + 1);
	ecs_flows_clear(r.e, 1, r.now);
	say(&c, ECS_UPLINK, 0, NULL);
	CU_ASSERT_EQUAL(r.s->nflows, 1);
	end(&r);
}

static void too_many_analyses(void)
{
	struct rig r;
	struct conn c = {.r = &r};

	begin(&r);
	for (uint32_t i = 0; i < ECS_SESSION_ANALYSES_MAX; i++) {
		c = tcp(&r, (uint16_t)i, 80);
		say(&c, ECS_UPLINK, SYN, NULL);
	}
	CU_ASSERT_EQUAL(r.c.analyses_refused, 0);
	CU_ASSERT_EQUAL(r.s->nanalyses, ECS_SESSION_ANALYSES_MAX);
	c = tcp(&r, 60000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_EQUAL(r.c.analyses_refused, 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	ecs_flows_clear(r.e, 1, r.now);
	CU_ASSERT_EQUAL(r.s->nanalyses, 0);
	c = tcp(&r, 60001, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	end(&r);
}

/* --- a new service ---------------------------------------------------------------------------- */

static void reconfigured(void)
{
	struct rig r;
	struct conn c, rec;
	char text[8192];
	struct ecs_service *was, *next;
	const char *line = " action priority 10 ruledef video charging-action ca-video\n";
	const char *at = strstr(rules, line);

	rec = (struct conn){.proto = 6, .sport = 4000, .dport = 80, .up = 5};
	standby(&r, &rec, "video");
	ecs_engine_active(r.e, true, r.now);
	say(&rec, ECS_UPLINK, ACK, "x");
	c = tcp(&r, 4001, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 2);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	/* a ruledef before all others, and the line of `video` is uninstalled */
	snprintf(text, sizeof(text), "ruledef first\n tcp either-port = 1\n#exit\n%.*s%s",
	         (int)(at - rules), rules, at + strlen(line));
	was = r.svc;
	next = service(text);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, next, r.now), 0);
	r.svc = next;
	ecs_service_free(was);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3); /* moved with its name */
	CU_ASSERT_EQUAL(stats_of(&r, "first")->hits, 0);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 2);
	/* the checkpoints of the rule are deleted, the flows live on by L3/L4 lines */
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 0);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 2);
	say(&rec, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.unbound_packets, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 4);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 5);
	end(&r);
}

CU_TestInfo ecs_engine_tests[] = {
	{"HTTP: matched again at each request", http_per_request},
	{"a handshake is charged to the application", handshake_is_charged_to_the_application},
	{"packets without payload", packets_without_payload},
	{"a flow rests", rest_of_a_flow},
	{"TLS and DNS names", tls_and_dns},
	{"no rule, no session, no packet", no_rule_and_unknown},
	{"flows that are there, and none that begins", known_flows_only},
	{"discard", discard},
	{"super-packets are charged as their segments", super_packets},
	{"flows first seen in mid-stream", mid_stream},
	{"one side of a connection", one_sided},
	{"rules that tell directions and states apart", rules_of_directions_and_states},
	{"fragments", fragments},
	{"ICMP errors", icmp_error_of_a_flow},
	{"too many flows of a session", too_many_flows},
	{"too many flows to analyze", too_many_analyses},
	{"a new service", reconfigured},
	CU_TEST_INFO_NULL,
};

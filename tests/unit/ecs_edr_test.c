/* Records of flows and sessions: what they say, when they are made, and that each byte is in one of
 * them; quota of rating groups. */
#include "config.h"
#include "suites.h"

#include "ecs/quota.h"
#include "ecs_edr_kit.h"
#include "srp/err.h"

/* --- ends of flows ---------------------------------------------------------------------------- */

static void test_ends(void)
{
	struct rig r;
	struct conn c, d, t;

	start(&r, ENDS);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "sixsix"), ECS_FORWARD);
	d = udp(&r, 5002, 9);
	CU_ASSERT_EQUAL(say(&d, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	wait_ms(&r, 301000);
	CU_ASSERT_EQUAL_FATAL(nmade, 2);
	expect(0, ECS_STREAM_EDR, "4,FromMobile,one,32,34");
	expect(1, ECS_STREAM_EDR, "4,ToMobile,any,0,29");
	CU_ASSERT_STRING_EQUAL(made[0].header,
	                       "#sn-closure-reason,sn-direction,sn-ruledef-name,"
	                       "sn-volume-amt-ip-bytes-uplink,sn-volume-amt-ip-bytes-downlink");
	CU_ASSERT_STRING_EQUAL(made[0].format, "flow");
	CU_ASSERT_TRUE(made[0].last);

	t = tcp(&r, 6000, 80);
	handshake(&t);
	(void)say(&t, ECS_UPLINK, ACK | RST, NULL);
	expect(2, ECS_STREAM_EDR, "0,FromMobile,any,120,40");
	t = tcp(&r, 6001, 80);
	handshake(&t);
	(void)say(&t, ECS_UPLINK, ACK | FIN, NULL);
	(void)say(&t, ECS_DOWNLINK, ACK | FIN, NULL);
	(void)say(&t, ECS_UPLINK, ACK, NULL);
	wait_ms(&r, 3000);
	expect(3, ECS_STREAM_EDR, "0,FromMobile,any,160,80");

	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "1"), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_session_handoff(r.e, 1, ECS_RAT_UTRAN, r.now), 0);
	expect(4, ECS_STREAM_EDR, "1,FromMobile,one,29,0");
	CU_ASSERT_FALSE(made[4].last);
	CU_ASSERT_EQUAL(ecs_session_handoff(r.e, 1, ECS_RAT_EUTRAN, r.now), 0); /* nothing since */
	CU_ASSERT_EQUAL(nmade, 5);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "22"), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(nmade, 6);
	expect(5, ECS_STREAM_EDR, "2,FromMobile,one,0,30");
	CU_ASSERT_EQUAL(r.c.records_made, 6);
	end(&r);
}

#define CHARGED(way, n)                                                                     \
	" attribute sn-charge-volume " way "link priority 2" n "\n"                           \
	" attribute sn-charge-volume ip bytes " way "link priority 3" n "\n"                  \
	" attribute sn-charge-volume ip pkts " way "link priority 4" n "\n"                   \
	" attribute sn-charge-volume tcp bytes " way "link priority 5" n "\n"                 \
	" attribute sn-charge-volume tcp pkts " way "link priority 6" n "\n"

/* What was charged by charge-volume, and the packets and bytes that this was for. */
static void test_charged(void)
{
	struct rig r;
	struct conn c, t;

	start(&r, " flow end-condition timeout normal-end-signaling charging-edr charged\n#exit\n"
	          "edr-format charged\n attribute sn-charge-volume priority 1\n"
	          CHARGED("up", "1") CHARGED("down", "2") "#exit\n"
	          "charging-action one\n charge-volume ip packets\n#exit\n"
	          "charging-action any\n charge-volume tcp bytes uplink\n");
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "sixsix"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "sixsix"), ECS_FORWARD);
	wait_ms(&r, 301000);
	CU_ASSERT_EQUAL_FATAL(nmade, 1);
	expect(0, ECS_STREAM_EDR, "3,1,2,32,68,1,2,0,0,0,0");
	CU_ASSERT_EQUAL(strncmp(made[0].header, "#sn-charge-volume,sn-charge-volume-uplink,"
	                        "sn-charge-volume-downlink,sn-charge-volume-ip-bytes-uplink,", 101), 0);
	t = tcp(&r, 6000, 80);
	handshake(&t);
	(void)say(&t, ECS_UPLINK, ACK | RST, NULL);
	CU_ASSERT_EQUAL_FATAL(nmade, 2);
	expect(1, ECS_STREAM_EDR, "60,60,0,120,40,3,1,60,20,3,1");
	end(&r);
}

/* Nobody asks: nothing is counted, nothing made. What is refused is counted. */
static void test_none(void)
{
	struct rig r;
	struct conn c;

	start(&r, "");
	CU_ASSERT_EQUAL(r.s->records, 0);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_PTR_NULL(flow_of(&c)->tally);
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 1, r.now), 1);
	CU_ASSERT_EQUAL(nmade, 0);
	end(&r);
	start(&r, ENDS);
	nrefuse = 1;
	CU_ASSERT_EQUAL(say(&(struct conn){.r = &r, .proto = 17, .sport = 1, .dport = 2}, ECS_UPLINK, 0,
	                    "a"), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 1, r.now), 1);
	CU_ASSERT_EQUAL(r.c.records_refused, 1);
	CU_ASSERT_EQUAL(r.c.records_made, 0);
	end(&r);
}

/* --- hits, transactions ----------------------------------------------------------------------- */

static void test_hits(void)
{
	static const char base[] =
		"#exit\ncharging-action one\n billing-action create-edrs charging-edr flow\n#exit\n"
		"charging-action three\n billing-action create-edrs charging-edr flow reporting-edr flow "
		"wait-until-flow-ends\n#exit\nrulebase rb\n";
	struct rig r;
	struct conn c, d;

	start(&r, base);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nmade, 1);
	expect(0, ECS_STREAM_EDR, "8,FromMobile,one,32,0");
	d = udp(&r, 5003, 7003);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nmade, 1);
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 1, r.now), 2);
	CU_ASSERT_EQUAL(nmade, 3);
	expect(1, ECS_STREAM_EDR, "2,FromMobile,three,32,0");
	expect(2, ECS_STREAM_REPORTING, "2,FromMobile,three,32,0");
	end(&r);
}

/* The protocol of whoever has set the flow up. */
static void test_parent(void)
{
	struct rig r;
	struct conn c, m;

	start(&r, " flow end-condition timeout normal-end-signaling charging-edr kin\n"
	          " route priority 1 ruledef to-rtsp analyzer rtsp\n#exit\n"
	          "ruledef to-rtsp\n tcp either-port = 554\n rule-application routing\n#exit\n"
	          "edr-format kin\n attribute sn-server-port priority 1\n"
	          " attribute sn-parent-protocol priority 2\n");
	CU_ASSERT_TRUE(r.s->needs.rtsp); /* for the route alone */
	c = tcp(&r, 2000, 554);
	handshake(&c);
	(void)say(&c, ECS_UPLINK, ACK, "SETUP rtsp://m/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n");
	(void)say(&c, ECS_DOWNLINK, ACK, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n"
	          "Transport: RTP/AVP;client_port=4000-4001;server_port=6000-6001\r\n\r\n");
	m = udp(&r, 4000, 6000);
	CU_ASSERT_EQUAL(say(&m, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	wait_ms(&r, 200000);
	(void)say(&c, ECS_UPLINK, ACK, "OPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n");
	wait_ms(&r, 101000);
	CU_ASSERT_EQUAL_FATAL(nmade, 1);
	expect(0, ECS_STREAM_EDR, "6000,10");
	m = udp(&r, 4000, 6000); /* too late for what was expected */
	CU_ASSERT_EQUAL(say(&m, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	(void)say(&c, ECS_UPLINK, ACK | RST, NULL);
	expect(1, ECS_STREAM_EDR, "554,0");
	wait_ms(&r, 301000);
	expect(2, ECS_STREAM_EDR, "6000,0");
	end(&r);
}

static void test_transactions(void)
{
	struct rig r;
	struct conn c;

	start(&r, " edr transaction-complete http charging-edr web\n");
	CU_ASSERT_TRUE(r.s->needs.http);
	c = tcp(&r, 6000, 80);
	handshake(&c);
	(void)say(&c, ECS_UPLINK, ACK, "GET /a,b HTTP/1.1\r\nHost: one.test\r\n\r\n");
	(void)say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	CU_ASSERT_EQUAL(nmade, 0);
	(void)say(&c, ECS_UPLINK, ACK, "POST /\"q HTTP/1.1\r\nHost: two.test\r\nContent-Length: 0\r\n\r\n");
	expect(0, ECS_STREAM_EDR, "one.test,\"one.test/a,b\",get,3");
	(void)say(&c, ECS_UPLINK, ACK | RST, NULL);
	CU_ASSERT_EQUAL(nmade, 2);
	expect(1, ECS_STREAM_EDR, "two.test,\"two.test/\"\"q\",post,2");
	end(&r);
}

/* --- UDRs ------------------------------------------------------------------------------------- */

static void test_udr(void)
{
	struct rig r;
	struct conn c;

	start(&r, " billing-records udr udr-format call\n");
	for (uint16_t port = 7001; port <= 7004; port++) {
		c = udp(&r, port, port);
		CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "1234567890"), ECS_FORWARD);
		for (uint16_t i = 7001; i <= port; i++)
			CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, ""), ECS_FORWARD);
	}
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_RATING, ECS_RATING_ID(77, 10)).bytes[ECS_DOWNLINK], 2 * B(0));
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	/* all but what is excluded, each byte once */
	CU_ASSERT_EQUAL_FATAL(nmade, 3);
	expect(0, ECS_STREAM_UDR, "0,0,38,112");
	expect(1, ECS_STREAM_UDR, "10,10,38,28");
	expect(2, ECS_STREAM_UDR, "10,77,38,56");
	CU_ASSERT_FALSE(made[1].last);
	CU_ASSERT_TRUE(made[2].last);
	end(&r);
	/* without traffic there is none; and none that a predecessor has made */
	start(&r, " billing-records udr udr-format call\n");
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(nmade, 0);
	end(&r);
	start(&r, " billing-records udr udr-format call\n");
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	away(&r, false);
	before_callid = 1;
	before_flow = 0;
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(nmade, 0);
	CU_ASSERT_EQUAL(r.c.records_again, 1);
	end(&r);
}

/* --- quota ------------------------------------------------------------------------------------ */

static struct ecs_quota quota(struct rig *r)
{
	const struct ecs_usage *u = ecs_usage_of(r->e, r->s, 0, ECS_USAGE_QUOTA, 77);
	struct ecs_quota q = {0};

	if (u)
		CU_ASSERT_TRUE(ecs_quota_of(u, &q));
	return q;
}

static void test_quota(void)
{
	struct rig r;
	struct conn c;

	start(&r, "");
	c = udp(&r, 5002, 7002);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "ab"), ECS_FORWARD); /* nothing granted: it passes */
	CU_ASSERT_EQUAL(quota(&r).used, B(2));
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, 0, NULL, r.now), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 0, 5, NULL, r.now), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, ECS_QUOTA_MAX + 1, NULL, r.now), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 9, 77, 5, NULL, r.now), SRP_ENOSESS);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, 2 * B(2), NULL, r.now), 0);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "ab"), ECS_FORWARD); /* just fits */
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, ""), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_quota, 1);
	CU_ASSERT_EQUAL(quota(&r).used, 2 * B(2));
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, B(0), NULL, r.now), 0);
	CU_ASSERT_EQUAL(quota(&r).grants, 2);
	CU_ASSERT_EQUAL(quota(&r).granted, 2 * B(2) + B(0));
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_DROP); /* one byte too long */
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, ""), ECS_FORWARD);
	away(&r, false); /* it goes on after a recovery */
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, ""), ECS_DROP);
	ecs_engine_active(r.e, false, r.now);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, 5, NULL, r.now), SRP_EROLE);
	end(&r);

	start(&r, " pending-traffic-treatment noquota drop\n"
	          " pending-traffic-treatment quota-exhausted pass\n");
	c = udp(&r, 5002, 7002);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "ab"), ECS_DROP);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, 1, NULL, r.now), 0);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "ab"), ECS_FORWARD);
	CU_ASSERT_EQUAL(quota(&r).used, B(2));
	end(&r);
}

/* --- text ------------------------------------------------------------------------------------- */

static void render(const struct ecs_record_format *f, const struct ecs_edr_in *in, char *out, size_t cap)
{
	struct ecs_edr_env env = {.wall_us = 1700000000123456u, .at = {SRP_SEC(50)}, .local_s = -3600,
	                          .nas = "192.0.2.1"};

	CU_ASSERT_TRUE(ecs_edr_line(f, &env, in, out, cap) > 0);
}

static void test_text(void)
{
	static const char *const times[ECS_TIME_FORMAT__N] = {
		"1700000000", "11/14/23-22:13:20", "11/14/23-22:13:20:123", "11/14/2023-22:13:20",
		"11/14/2023-22:13:20:123", "2023/11/14-22:13:20", "2023/11/14-22:13:20:123",
		"20231114221320", "20231114221320123"};
	struct ecs_session s = {.spec = {.callid = 0x80000001, .imsi = "001", .username = "a\"b,c\n"}};
	struct ecs_edr_in in = {.s = &s, .first = {SRP_SEC(50)}, .last = {SRP_SEC(52)}, .rule = "",
	                        .action = "", .flow_id = 6};
	struct ecs_record_format f = {.n = 1};
	struct ecs_err e;
	char out[ECS_RECORD_LINE_MAX], small[8];

	for (unsigned t = 0; t < ECS_TIME_FORMAT__N; t++) {
		f.field[0] = (struct ecs_record_field){.priority = 1, .id = ECS_ATTR_START_TIME,
		                                       .time = (uint8_t)t};
		render(&f, &in, out, sizeof(out));
		CU_ASSERT_STRING_EQUAL(out, times[t]);
	}
	f.field[0] = (struct ecs_record_field){.id = ECS_ATTR_END_TIME, .time = ECS_TIME_PLAIN,
	                                       .local = true};
	render(&f, &in, out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "20231114211322"); /* two seconds on, an hour back */
	f.n = 0;
	f.tab = true;
	for (unsigned i = 0; i < 4; i++) {
		static const uint16_t ids[] = {ECS_ATTR_USER_NAME, ECS_ATTR_FLOW_ID, ECS_ATTR_SEQUENCE,
		                               ECS_ATTR_DURATION};
		struct ecs_record_field x = {.priority = (uint16_t)(i + 1), .id = ids[i]};

		CU_ASSERT_EQUAL(ecs_record_field(&f, false, &x, &e), 0);
	}
	render(&f, &in, out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "\"a\"\"b,c?\"\t80000001-6\t\x01\t2");
	/* no room: nothing */
	CU_ASSERT_EQUAL(ecs_edr_line(&f, &(struct ecs_edr_env){0}, &in, small, sizeof(small)), 0);
	/* a leap day, and the day after the last of February */
	f.n = 1;
	f.tab = false;
	f.field[0] = (struct ecs_record_field){.id = ECS_ATTR_START_TIME, .time = ECS_TIME_PLAIN};
	CU_ASSERT_TRUE(ecs_edr_line(&f, &(struct ecs_edr_env){.wall_us = SRP_SEC(1709164800), .at = in.first},
	                            &in, out, sizeof(out)) > 0);
	CU_ASSERT_STRING_EQUAL(out, "20240229000000");
	CU_ASSERT_TRUE(ecs_edr_line(&f, &(struct ecs_edr_env){.wall_us = SRP_SEC(1709251200), .at = in.first},
	                            &in, out, sizeof(out)) > 0);
	CU_ASSERT_STRING_EQUAL(out, "20240301000000");
}

CU_TestInfo ecs_edr_tests[] = {
	{"EDRs at the ends of flows", test_ends},
	{"sn-charge-volume, of either direction and both", test_charged},
	{"no records, refused records", test_none},
	{"EDRs at hits and at the end", test_hits},
	{"the protocol of the parent", test_parent},
	{"EDRs of HTTP transactions", test_transactions},
	{"UDRs hold each byte once", test_udr},
	{"quota: granted, used, exhausted, recovered", test_quota},
	{"text of fields", test_text},
	CU_TEST_INFO_NULL,
};

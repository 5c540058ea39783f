/* What actions do while the verdict of a flow is open: to packets that wait to be charged, and to
 * requests that another rule may still claim. */
#include "config.h"
#include "suites.h"

#include "ecs/trace.h"
#include "ecs_enforce_rig.h"

/* Before the lines of each test: what it takes an application, or an answer, to decide. */
#define WAITING                                                                             \
	"ruledef game\n p2p protocol = steam\n#exit\n"                                      \
	"ruledef replied\n http reply code = 404\n#exit\n"                                  \
	"ruledef known\n http host = known.test\n#exit\n"                                   \
	"ruledef header\n http host = header.test\n#exit\n"                                 \
	"ruledef away\n http host = away.test\n#exit\n"                                     \
	"ruledef moved\n tcp either-port = 7003\n#exit\n"                                   \
	"ruledef mark\n tcp either-port = 7005\n#exit\n"                                    \
	"ruledef drop\n tcp either-port = 7006\n#exit\n"                                    \
	"ruledef cut\n tcp either-port = 7001\n#exit\n"                                     \
	"ruledef shop\n tcp either-port = 8080\n#exit\n"                                    \
	"ruledef posted\n rule-application post-processing\n http host = post.test\n#exit\n" \
	"ruledef any\n ip any-match = TRUE\n#exit\n"                                        \
	"xheader-format who\n insert X-A string-constant \"bcd\"\n#exit\n"                  \
	"charging-action count\n content-id 1\n#exit\n"                                     \
	"charging-action head\n content-id 2\n xheader-insert xheader-format who\n#exit\n"  \
	"charging-action cut\n flow action terminate-flow\n#exit\n"                         \
	"charging-action moved\n content-id 3\n"                                            \
	" flow action readdress server " OTHER " port 9001\n#exit\n"                        \
	"charging-action mark\n ip tos af11\n nexthop-forwarding-address 10.9.9.9\n#exit\n" \
	"charging-action drop\n content-id 4\n flow action discard\n#exit\n"                \
	"charging-action away\n flow action redirect-url http://p.test/\n#exit\n"           \
	"rulebase rb\n"
#define L4_LINES                                                                            \
	" action priority 11 ruledef moved charging-action moved\n"                         \
	" action priority 12 ruledef mark charging-action mark\n"                           \
	" action priority 13 ruledef drop charging-action drop\n"                           \
	" action priority 14 ruledef cut charging-action cut\n"
#define L7_LINES(from)                                                                      \
	" action priority " from "1 ruledef known charging-action count\n"                  \
	" action priority " from "2 ruledef header charging-action head\n"                  \
	" action priority " from "3 ruledef away charging-action away\n"
#define OPEN_LINES                                                                          \
	" action priority 2 ruledef game charging-action count\n"                           \
	" action priority 3 ruledef replied charging-action count\n"
#define LAST_LINES                                                                          \
	" action priority 80 ruledef shop charging-action away\n"                           \
	" action priority 90 ruledef any charging-action count\n"
#define POST_LINES                                                                          \
	" post-processing priority 1 ruledef posted charging-action away\n"
#define ALL     " flow control-handshaking charge-to-application all-packets\n"
#define INITIAL " flow control-handshaking charge-to-application initial-packets\n"

static const char *const decided[] = {
	WAITING L4_LINES L7_LINES("2") LAST_LINES ALL "#exit\n",
	WAITING L4_LINES L7_LINES("2") LAST_LINES INITIAL "#exit\n",
};
static const char undecided[] = WAITING L7_LINES("") L4_LINES LAST_LINES ALL "#exit\n";
static const char applications[] =
	WAITING OPEN_LINES L7_LINES("4") LAST_LINES POST_LINES ALL "#exit\n";
static void start_with(struct rig *r, const char *text)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, text, 0);
	r->e->conf.ops = &sending;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	nsent = 0;
}

/* A packet of the connection on its way. */
static struct box *go(struct conn *c, enum ecs_dir dir, uint8_t flags, const char *text)
{
	static struct box x;
	bool up = dir == ECS_UPLINK;
	struct pk k = packet(up, 6, c->dport, flags, text);

	*(up ? &k.sport : &k.dport) = c->sport;
	k.seq = up ? c->up : c->down;
	k.ack = flags & ACK ? up ? c->down : c->up : 0;
	*(up ? &c->up : &c->down) += (uint32_t)(text ? strlen(text) : 0) + (flags & (SYN | FIN) ? 1 : 0);
	send_on(c->r, &x, &k, dir, false);
	return &x;
}

static void shake(struct conn *c)
{
	CU_ASSERT_EQUAL(go(c, ECS_UPLINK, SYN, NULL)->v, ECS_FORWARD);
	CU_ASSERT_EQUAL(go(c, ECS_DOWNLINK, SYN | ACK, NULL)->v, ECS_FORWARD);
	CU_ASSERT_EQUAL(go(c, ECS_UPLINK, ACK, NULL)->v, ECS_FORWARD);
}

static bool goes_to(const struct box *x, const char *host, uint16_t port)
{
	struct ecs_addr a = addr(host);

	return x->v == ECS_FORWARD && memcmp(&x->p.dst, &a, sizeof(a)) == 0 && x->p.dport == port;
}

/* --- packets that wait to be charged ---------------------------------------------------------- */

static void readdressed(const char *text)
{
	struct rig r;
	struct conn c;
	struct pk k;
	struct box x;
	struct ecs_addr server = addr(SERVER);

	start_with(&r, text);
	c = tcp(&r, 2000, 7003);
	CU_ASSERT_TRUE(goes_to(go(&c, ECS_UPLINK, SYN, NULL), OTHER, 9001));
	k = (struct pk){.src = OTHER, .dst = UE, .proto = 6, .sport = 9001, .dport = 2000,
	                .flags = SYN | ACK, .seq = 77, .ack = c.up};
	send_on(&r, &x, &k, ECS_DOWNLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(memcmp(&x.p.src, &server, sizeof(server)), 0);
	CU_ASSERT_EQUAL(x.p.sport, 7003);
	c.down = 78;
	CU_ASSERT_TRUE(goes_to(go(&c, ECS_UPLINK, ACK, NULL), OTHER, 9001));
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	CU_ASSERT_TRUE(goes_to(go(&c, ECS_UPLINK, ACK, "no application"), OTHER, 9001));
	CU_ASSERT_EQUAL(stats_of(&r, "moved")->hits, 4);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 3).pkts[ECS_UPLINK], 3);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 3).pkts[ECS_DOWNLINK], 1);
	end(&r);
}

static void test_readdress(void)
{
	readdressed(decided[0]);
	readdressed(decided[1]);
	readdressed(undecided);
}

static void test_mark(void)
{
	const char *const texts[] = {decided[0], decided[1], undecided};

	for (size_t i = 0; i < 3; i++) {
		struct rig r;
		struct conn c;
		struct box *x;

		start_with(&r, texts[i]);
		c = tcp(&r, 2000, 7005);
		x = go(&c, ECS_UPLINK, SYN, NULL);
		CU_ASSERT_EQUAL(x->p.tos, 10 << 2);
		CU_ASSERT_PTR_NOT_NULL(x->r.nexthop);
		x = go(&c, ECS_DOWNLINK, SYN | ACK, NULL);
		CU_ASSERT_EQUAL(x->p.tos, 10 << 2);
		x = go(&c, ECS_UPLINK, ACK, NULL);
		CU_ASSERT_PTR_NOT_NULL(x->r.nexthop);
		CU_ASSERT_EQUAL(r.c.packets_marked, 3);
		CU_ASSERT_EQUAL(r.c.packets_nexthop, 2);
		end(&r);
	}
}

/* A rule that is decided stops the handshake; one that L7 may come before does not. */
static void test_discard(void)
{
	struct rig r;
	struct conn c;

	for (size_t i = 0; i < 2; i++) {
		start_with(&r, decided[i]);
		c = tcp(&r, 2000, 7006);
		CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, SYN, NULL)->v, ECS_DROP);
		CU_ASSERT_EQUAL(stats_of(&r, "drop")->hits, 1);
		CU_ASSERT_EQUAL(r.c.drop_discard, 1);
		ecs_flows_clear(r.e, 0, r.now);
		CU_ASSERT_EQUAL(stats_of(&r, "drop")->hits, 1); /* nothing of it has waited */
		CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 0);
		end(&r);
	}
	start_with(&r, undecided);
	c = tcp(&r, 2000, 7006);
	shake(&c);
	CU_ASSERT_EQUAL(stats_of(&r, "drop")->hits, 0);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, GET("known.test"))->v, ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "known")->hits, 4);
	CU_ASSERT_EQUAL(r.c.drop_discard, 0);
	c = tcp(&r, 2001, 7006);
	shake(&c);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, GET("nobody.test"))->v, ECS_DROP);
	CU_ASSERT_EQUAL(stats_of(&r, "drop")->hits, 4);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 4).pkts[ECS_UPLINK], 2);
	end(&r);
}

static void test_terminate(void)
{
	struct rig r;
	struct conn c;

	start_with(&r, decided[0]);
	c = tcp(&r, 2000, 7001);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, SYN, NULL)->v, ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	CU_ASSERT_EQUAL(stats_of(&r, "cut")->hits, 1);
	end(&r);
	start_with(&r, undecided);
	c = tcp(&r, 2000, 7001);
	shake(&c);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, "no request")->v, ECS_DROP);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	CU_ASSERT_EQUAL(r.c.flows_terminated, 1);
	end(&r);
}

/* The trace says of such a packet what was done to it, and who has stopped it. */
static void test_traced(void)
{
	static const struct ecs_trace_ask all;
	const struct ecs_trace_row *t;
	struct rig r;
	struct conn c;

	start_with(&r, decided[0]);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &all, true, 0), 0);
	c = tcp(&r, 2000, 7003);
	go(&c, ECS_UPLINK, SYN, NULL);
	t = ecs_trace_next(r.e, 0, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(t->fate, ECS_TRACE_HELD);
	CU_ASSERT_EQUAL(t->by, ECS_TRACE_BY_HANDSHAKING);
	CU_ASSERT_EQUAL(t->did, ECS_STAGE_BIT(READDRESS));
	CU_ASSERT_EQUAL(t->server_port, 7003);
	c = tcp(&r, 2001, 7006);
	go(&c, ECS_UPLINK, SYN, NULL);
	t = ecs_trace_next(r.e, t->seq, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(t->fate, ECS_TRACE_STOPPED);
	CU_ASSERT_EQUAL(t->by, ECS_TRACE_STAGES + ECS_STAGE_DISCARD);
	CU_ASSERT_STRING_EQUAL(t->rule, "drop");
	CU_ASSERT_FALSE(t->charged);
	end(&r);
}

/* --- requests that another rule may claim ----------------------------------------------------- */

#define ANSWERED(c, host)                                                                   \
	do {                                                                                \
		nsent = 0;                                                                  \
		CU_ASSERT_EQUAL(go(c, ECS_UPLINK, ACK, GET(host))->v, ECS_DROP);            \
		CU_ASSERT_EQUAL(nsent, 2);                                                  \
		CU_ASSERT_FALSE(flow_of(c)->flags & ECS_FLOW_F_FINAL);                      \
	} while (0)

static void test_redirect(void)
{
	struct rig r;
	struct conn c;
	uint32_t at;

	start_with(&r, applications);
	c = tcp(&r, 2000, 80);
	shake(&c);
	at = c.up;
	ANSWERED(&c, "away.test");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "away");
	/* sent again: answered again, but not reset */
	c.up = at;
	nsent = 0;
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, GET("away.test"))->v, ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 1);
	CU_ASSERT_EQUAL(r.c.redirects_answered, 2);
	/* what the server sends without payload waits for no rule: it is reset */
	CU_ASSERT_EQUAL(go(&c, ECS_DOWNLINK, ACK, NULL)->v, ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	c = tcp(&r, 2001, 80);
	shake(&c);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, GET("known.test"))->v, ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "known");
	/* by post-processing */
	c = tcp(&r, 2002, 80);
	shake(&c);
	ANSWERED(&c, "post.test");
	CU_ASSERT_EQUAL(stats_of(&r, "posted")->hits, 1);
	end(&r);
}

/* A rule that needs none of the header waits for it all the same, where others look at it. */
static void test_redirect_in_pieces(void)
{
	struct rig r;
	struct conn c;

	start_with(&r, applications);
	c = tcp(&r, 2000, 8080);
	shake(&c);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\n")->v, ECS_FORWARD);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, "Host: known.test\r\n\r\n")->v, ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "known");
	c = tcp(&r, 2001, 8080);
	shake(&c);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\n")->v, ECS_FORWARD);
	CU_ASSERT_EQUAL(go(&c, ECS_UPLINK, ACK, "Host: nobody.test\r\n\r\n")->v, ECS_DROP);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "shop");
	CU_ASSERT_EQUAL(r.c.redirects_answered, 1);
	end(&r);
}

/* Header fields, with what waits to be charged translated as well. */
static void test_xheader(void)
{
	struct rig r;
	struct conn c;
	struct box *x;
	uint32_t up;

	start_with(&r, applications);
	c = tcp(&r, 2000, 80);
	shake(&c);
	x = go(&c, ECS_UPLINK, ACK, GET("header.test"));
	CU_ASSERT_EQUAL(x->v, ECS_FORWARD);
	CU_ASSERT_PTR_NOT_NULL(memmem(x->b, x->r.len, "\r\nX-A: bcd\r\n\r\n", 14));
	CU_ASSERT_FALSE(flow_of(&c)->flags & ECS_FLOW_F_FINAL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "header");
	up = c.up;
	c.up += 10; /* the server counts what was inserted */
	x = go(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_EQUAL(x->p.tcp_ack, up);
	c.up = up;
	x = go(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_EQUAL(x->p.tcp_seq, up + 10);
	CU_ASSERT_EQUAL(r.c.xheader_packets, 1);
	/* the answer decides otherwise: so is charged what has waited */
	CU_ASSERT_EQUAL(stats_of(&r, "replied")->hits, 0);
	go(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	end(&r);
}

CU_TestInfo ecs_open_tests[] = {
	{"readdress of what waits to be charged", test_readdress},
	{"marking and next hop of it", test_mark},
	{"discard of it", test_discard},
	{"terminate of it", test_terminate},
	{"what a trace says of it", test_traced},
	{"a redirection before the verdict is final", test_redirect},
	{"a request in pieces", test_redirect_in_pieces},
	{"header fields before the verdict is final", test_xheader},
	CU_TEST_INFO_NULL};

/* Flow actions random-drop, conditional, redirect-ocs-url and rulebase-change. */
#include "config.h"
#include "suites.h"

#include "ecs/enforce.h"
#include "ecs/quota.h"
#include "ecs_redirect_rig.h"

static struct conn udp(struct rig *r, uint16_t sport, uint16_t dport)
{
	return (struct conn){.r = r, .proto = 17, .sport = sport, .dport = dport};
}

/* --- random-drop ------------------------------------------------------------------------------ */

#define DROPPING(say)                                                                         \
	"ruledef voice\n udp either-port = 5060\n#exit\nruledef rest\n ip any-match = TRUE\n#exit\n"  \
	"charging-action some\n flow action random-drop " say "\n#exit\ncharging-action ca\n#exit\n"  \
	"rulebase rb\n action priority 1 ruledef voice charging-action some\n"                \
	" action priority 9 ruledef rest charging-action ca\n#exit\n"

#define TICKS 600u

/* A packet each tenth of a second; which of them were dropped. */
static void run(struct rig *r, struct conn *c, bool lost[TICKS])
{
	for (unsigned i = 0; i < TICKS; i++) {
		lost[i] = say(c, i % 2 ? ECS_DOWNLINK : ECS_UPLINK, 0, "voice") == ECS_DROP;
		wait_ms(r, 100);
	}
}

static void from_start(struct rig *r, const char *text, uint64_t seed)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, text, 0);
	r->e->conf.ops = &sending;
	r->e->conf.seed = seed;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	nsent = 0;
}

/* Groups of 2 to 4 packets, 3 to 5 seconds after the one before; the same again, and of another flow
 * others. */
static void dropped_at_random(void)
{
	static bool lost[4][TICKS];
	unsigned groups = 0, n = 0;
	struct rig r;
	struct conn c, d;

	for (unsigned i = 0; i < 3; i++) {
		from_start(&r, DROPPING("interval 3 to 5 pkts-to-drop 2 to 4"), i == 2 ? 12 : 11);
		c = udp(&r, 5000, 5060);
		d = udp(&r, 5001, 5060);
		(void)say(&d, ECS_UPLINK, 0, "x");
		run(&r, &c, lost[i]);
		if (i == 0)
			run(&r, &d, lost[3]);
		CU_ASSERT_TRUE(r.c.drop_random > 0);
		CU_ASSERT_EQUAL(stats_of(&r, "voice")->hits,
		                stats_of(&r, "voice")->pkts_up + stats_of(&r, "voice")->pkts_down +
		                r.c.drop_random);
		end(&r);
	}
	CU_ASSERT_EQUAL(memcmp(lost[0], lost[1], sizeof(lost[0])), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(lost[0], lost[2], sizeof(lost[0])), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(lost[0], lost[3], sizeof(lost[0])), 0);
	for (unsigned i = 0, since = 0; i < TICKS; i++) {
		if (!lost[0][i]) {
			if (n)
				CU_ASSERT_TRUE(n >= 2 && n <= 4);
			n = 0;
			since++;
			continue;
		}
		if (!n++) { /* the first packet, and each after a tenth of a second: 30 to 51 of them */
			CU_ASSERT_TRUE(since >= 29 && since <= 51);
			groups++;
		}
		since = 0;
	}
	CU_ASSERT_TRUE(groups >= 9 && groups <= 20);
}

static void dropped_exactly(void)
{
	struct rig r;
	struct conn c;
	unsigned n = 0;

	from_start(&r, DROPPING("interval 1 to 1 pkts-to-drop 1 to 1"), 11);
	c = udp(&r, 5000, 5060);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	r.now.us += SRP_SEC(1) - 1;
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	r.now.us += 1;
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	r.now.us += SRP_SEC(1) - 1;
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	/* taken over here again: its interval begins anew */
	ecs_flow_slot(r.e, flow_of(&c), true);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	r.now.us += 1;
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	r.now.us += SRP_SEC(1);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_random, 2);
	end(&r);
	/* packets in a row, whatever the time between them */
	from_start(&r, DROPPING("interval 1 to 1 pkts-to-drop 100 to 100"), 11);
	c = udp(&r, 5000, 5060);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	r.now.us += SRP_SEC(1);
	for (unsigned i = 0; i < 150; i++)
		n += say(&c, ECS_UPLINK, 0, "x") == ECS_DROP;
	CU_ASSERT_EQUAL(n, 100);
	end(&r);
}

/* --- redirect-ocs-url ------------------------------------------------------------------------- */

#define TOP_UP "http://top-up.example/now?x=1"
#define OCS_ANSWER "HTTP/1.1 302 Found\r\nLocation: " TOP_UP "\r\nContent-Length: 0\r\n" \
	           "Connection: close\r\n\r\n"

static const char paying[] =
	"ruledef web\n tcp either-port = 80\n#exit\n"
	"ruledef shop\n tcp either-port = 8080\n#exit\n"
	"ruledef rest\n ip any-match = TRUE\n#exit\n"
	"charging-action pays\n content-id 5\n cca charging credit rating-group 77\n"
	" flow action redirect-ocs-url\n#exit\n"
	"charging-action shows\n content-id 77\n flow action redirect-ocs-url\n#exit\n"
	"charging-action ca\n content-id 1\n#exit\n"
	"rulebase rb\n action priority 1 ruledef web charging-action pays\n"
	" action priority 2 ruledef shop charging-action shows\n"
	" action priority 9 ruledef rest charging-action ca\n#exit\n";

static bool answered(const struct conn *c, const char *text)
{
	struct ecs_packet p;

	if (nsent != 2)
		return false;
	p = segment(c, 1, ECS_DOWNLINK);
	return p.payload_len == strlen(text) && memcmp(p.payload, text, p.payload_len) == 0;
}

static struct conn opened(struct rig *r, uint16_t sport, uint16_t dport)
{
	struct conn c = tcp(r, sport, dport);

	open_up(&c);
	nsent = 0;
	return c;
}

static void url_of_the_charging_server(void)
{
	struct rig r;
	struct conn c;

	from_start(&r, paying, 11);
	c = opened(&r, 4000, 80);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.example")), ECS_FORWARD); /* none is known */
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(r.c.redirects_unknown, 1);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, 100000, TOP_UP, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.example")), ECS_FORWARD); /* there is some left */
	CU_ASSERT_EQUAL(r.c.redirects_unknown, 1);
	ecs_usage_charge(r.e, r.s, 0, ECS_USAGE_QUOTA, 77, 0, (enum ecs_dir)ECS_QUOTA_USED, 1, 100000, r.now);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.example")), ECS_DROP);
	CU_ASSERT_TRUE(answered(&c, OCS_ANSWER));
	CU_ASSERT_EQUAL(r.c.drop_redirect, 1);
	/* a connection can be made, and only a request is answered */
	c = opened(&r, 4001, 80);
	CU_ASSERT_EQUAL(r.c.drop_quota, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "not a request"), ECS_DROP);
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "nor this"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_quota, 2);
	CU_ASSERT_EQUAL(nsent, 0);
	/* by another rule, without credit control */
	c = opened(&r, 4002, 8080);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "not a request"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.example")), ECS_DROP);
	CU_ASSERT_TRUE(answered(&c, OCS_ANSWER));
	/* a grant without a URL takes it back: what is exhausted is as ever */
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, 1, NULL, r.now), 0);
	c = tcp(&r, 4003, 80);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, SYN, NULL), ECS_DROP);
	end(&r);
}

static void url_after_a_recovery(void)
{
	struct rig r;
	struct conn c;

	from_start(&r, paying, 11);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, 1, TOP_UP, r.now), 0);
	c = opened(&r, 4000, 80);
	ecs_flow_slot(r.e, flow_of(&c), true);
	flow_of(&c)->flags |= ECS_FLOW_F_FINAL;
	flow_of(&c)->flags &= (uint16_t)~ECS_FLOW_F_FRESH;
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.example")), ECS_DROP);
	CU_ASSERT_TRUE(answered(&c, OCS_ANSWER));
	end(&r);
}

/* --- conditional ------------------------------------------------------------------------------ */

#define ASKS(path, agent) "GET " path " HTTP/1.1\r\nHost: a.example\r\nUser-Agent: " agent "\r\n\r\n"

static const char choosing[] =
	"redirect user-agent mozilla\nredirect user-agent Opera\n"
	"ruledef web\n tcp either-port = 80\n#exit\n"
	"ruledef rest\n ip any-match = TRUE\n#exit\n"
	"charging-action to\n flow action redirect-url " TOP_UP "\n"
	" flow action conditional user-agent end-token all-done\n#exit\n"
	"charging-action ca\n#exit\n"
	"rulebase rb\n action priority 1 ruledef web charging-action to\n"
	" action priority 9 ruledef rest charging-action ca\n#exit\n";

static void by_user_agent(void)
{
	static const struct {
		const char *request;
		bool redirected;
	} asks[] = {
		{ASKS("/", "Mozilla/5.0 (X11)"), true},
		{ASKS("/", "x opera"), true},
		{ASKS("/", "curl/8.1"), false},
		{ASKS("/", ""), false},
		{GET("a.example"), false},
		{"GET / HTTP/1.1\r\nUser-Agent: Opera\r\n", false}, /* it may be told again */
		{ASKS("/all-done", "curl/8.1"), false}, /* the end, whoever says it */
		{ASKS("/", "Mozilla/5.0 (X11)"), false},
	};
	struct rig r;
	struct conn c;

	from_start(&r, choosing, 11);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		c = opened(&r, (uint16_t)(4000 + i), 80);
		CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, asks[i].request),
		                asks[i].redirected ? ECS_DROP : ECS_FORWARD);
		CU_ASSERT_EQUAL(answered(&c, OCS_ANSWER), asks[i].redirected);
	}
	CU_ASSERT_EQUAL(r.c.redirects_over, 1);
	CU_ASSERT_EQUAL(r.c.redirects_added, 2);
	CU_ASSERT_NOT_EQUAL(r.s->redirected[0], 0); /* which is in the record of the call */
	CU_ASSERT_EQUAL(r.s->redirected[1], 0);
	end(&r);
}

/* Without a URL of its own: that of the charging server. */
static void by_user_agent_to_the_charging_server(void)
{
	char text[2048];
	struct rig r;
	struct conn c;

	snprintf(text, sizeof(text), "redirect user-agent opera\n%s%s", paying,
	         "charging-action pays\n flow action conditional user-agent end-token done\n#exit\n");
	from_start(&r, text, 11);
	CU_ASSERT_EQUAL(ecs_quota_grant(r.e, 1, 77, 1, TOP_UP, r.now), 0);
	c = opened(&r, 4000, 80);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, ASKS("/", "curl")), ECS_DROP); /* it has no quota */
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(r.c.drop_quota, 1);
	c = opened(&r, 4001, 80);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, ASKS("/", "Opera")), ECS_DROP);
	CU_ASSERT_TRUE(answered(&c, OCS_ANSWER));
	end(&r);
}

/* --- rulebase-change -------------------------------------------------------------------------- */

static const char changing[] =
	"ruledef turn\n udp either-port = 7000\n#exit\n"
	"ruledef back\n udp either-port = 7001\n#exit\n"
	"ruledef lost\n udp either-port = 7002\n#exit\n"
	"ruledef both\n udp either-port = 7003\n#exit\n"
	"ruledef video\n http host ends-with video.example\n#exit\n"
	"ruledef rest\n ip any-match = TRUE\n#exit\n"
	"charging-action go\n flow action rulebase-change rc\n#exit\n"
	"charging-action come\n flow action rulebase-change rb\n#exit\n"
	"charging-action nowhere\n flow action rulebase-change gone\n#exit\n"
	"charging-action one\n content-id 1\n#exit\ncharging-action two\n content-id 2\n#exit\n"
	"rulebase rb\n action priority 1 ruledef turn charging-action go\n"
	" action priority 2 ruledef lost charging-action nowhere\n"
	" action priority 3 ruledef both charging-action one\n"
	" action priority 4 ruledef video charging-action one\n"
	" action priority 9 ruledef rest charging-action one\n#exit\n"
	"rulebase rc\n action priority 1 ruledef back charging-action come\n"
	" action priority 3 ruledef both charging-action two\n"
	" action priority 4 ruledef video charging-action two\n"
	" action priority 9 ruledef rest charging-action two\n#exit\n";

static const char *base_of(const struct conn *c)
{
	const struct ecs_ruleref *ref = ecs_ruleref_get(c->r->e->refs, flow_of(c)->ref);

	return ref ? ref->rulebase : "";
}

static void another_rulebase(void)
{
	struct rig r;
	struct conn turn, back, rest, both, web;
	unsigned told;

	from_start(&r, changing, 11);
	turn = udp(&r, 5000, 7000);
	back = udp(&r, 5001, 7001);
	rest = udp(&r, 5002, 7777);
	both = udp(&r, 5003, 7003);
	web = opened(&r, 4000, 80);
	CU_ASSERT_EQUAL(tell(&web, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(rule_of(&web), "video");
	(void)say(&rest, ECS_UPLINK, 0, "x");
	(void)say(&both, ECS_UPLINK, 0, "x");
	(void)say(&back, ECS_UPLINK, 0, "x"); /* means nothing here */
	CU_ASSERT_EQUAL(r.c.rulebase_changes, 0);
	told = r.changed[240];
	/* the packet itself is charged by the rule that says so */
	CU_ASSERT_EQUAL(say(&turn, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "turn")->pkts_up, 1);
	CU_ASSERT_STRING_EQUAL(r.s->spec.rulebase, "rc");
	CU_ASSERT_EQUAL(r.s->rulebase, ecs_service_find_rulebase(r.svc, "rc"));
	CU_ASSERT_EQUAL(r.c.rulebase_changes, 1);
	CU_ASSERT_EQUAL(r.changed[240], told + 1);
	/* flows that are open are matched anew; one of L7 by what it was found to be of */
	(void)say(&rest, ECS_UPLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(base_of(&rest), "rc");
	(void)say(&both, ECS_DOWNLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(base_of(&both), "rc");
	CU_ASSERT_STRING_EQUAL(rule_of(&both), "both");
	(void)tell(&web, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(base_of(&web), "rc");
	CU_ASSERT_STRING_EQUAL(rule_of(&web), "video");
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 2).pkts[ECS_DOWNLINK], 2);
	(void)say(&turn, ECS_UPLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&turn), "rest");
	/* back again, a second later and no sooner */
	(void)say(&back, ECS_UPLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(r.s->spec.rulebase, "rc");
	CU_ASSERT_EQUAL(r.c.rulebase_unchanged, 1);
	r.now.us += SRP_SEC(1);
	(void)say(&back, ECS_UPLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(r.s->spec.rulebase, "rb");
	CU_ASSERT_EQUAL(r.c.rulebase_changes, 2);
	(void)say(&both, ECS_UPLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(base_of(&both), "rb");
	end(&r);
}

static void no_such_rulebase(void)
{
	struct rig r;
	struct conn c;

	from_start(&r, changing, 11);
	c = udp(&r, 5000, 7002);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(r.s->spec.rulebase, "rb");
	CU_ASSERT_EQUAL(r.c.rulebase_unchanged, 1);
	CU_ASSERT_EQUAL(r.c.rulebase_changes, 0);
	end(&r);
}

/* The role goes and comes back. */
static void away(struct rig *r)
{
	for (struct srp_list *l = r->s->flows.next; l != &r->s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		if (!(f->flags & ECS_FLOW_F_CHECKPOINT))
			ecs_flow_slot(r->e, f, true);
	}
	ecs_engine_active(r->e, false, r->now);
	ecs_engine_active(r->e, true, r->now);
}

/* A recovered flow keeps its rule where the other rulebase has it, too; else it goes on by L3/L4 lines. Also
 * where the rulebase was changed before the flow was taken over. */
static void rulebase_of_recovered_flows(void)
{
	for (int first = 0; first < 2; first++) {
		struct rig r;
		struct conn both, lost, turn;

		from_start(&r, changing, 11);
		both = udp(&r, 5003, 7003);
		lost = udp(&r, 5004, 7002);
		turn = udp(&r, 5000, 7000);
		(void)say(&both, ECS_UPLINK, 0, "x");
		(void)say(&lost, ECS_UPLINK, 0, "x");
		if (first)
			(void)say(&turn, ECS_UPLINK, 0, "x");
		away(&r);
		/* UDP that is not FRESH is recovered */
		if (!first)
			(void)say(&turn, ECS_UPLINK, 0, "x");
		CU_ASSERT_STRING_EQUAL(r.s->spec.rulebase, "rc");
		(void)say(&both, ECS_UPLINK, 0, "x");
		(void)say(&lost, ECS_UPLINK, 0, "x");
		CU_ASSERT_TRUE(ecs_flow_recovered(r.e, flow_of(&both)));
		CU_ASSERT_STRING_EQUAL(rule_of(&both), "both");
		CU_ASSERT_STRING_EQUAL(base_of(&both), "rc");
		CU_ASSERT_EQUAL(stats_of(&r, "both")->match_bypassed, 1);
		CU_ASSERT_STRING_EQUAL(rule_of(&lost), "rest");
		CU_ASSERT_STRING_EQUAL(base_of(&lost), "rc");
		end(&r);
	}
}

/* --- of post-processing ----------------------------------------------------------------------- */

static const char behind[] =
	"ruledef turn\n rule-application post-processing\n udp either-port = 7000\n#exit\n"
	"ruledef voice\n rule-application post-processing\n udp either-port = 5060\n#exit\n"
	"ruledef never\n rule-application post-processing\n udp either-port = 7001\n#exit\n"
	"ruledef rest\n ip any-match = TRUE\n#exit\n"
	"charging-action go\n flow action rulebase-change rc\n#exit\n"
	"charging-action some\n flow action random-drop interval 1 to 1 pkts-to-drop 1 to 1\n#exit\n"
	"charging-action drop\n flow action discard\n#exit\ncharging-action ca\n#exit\n"
	"rulebase rb\n action priority 9 ruledef rest charging-action ca\n"
	" post-processing priority 1 ruledef turn charging-action go\n"
	" post-processing priority 2 ruledef voice charging-action some\n"
	" post-processing priority 3 ruledef never charging-action drop\n#exit\n"
	"rulebase rc\n action priority 9 ruledef rest charging-action ca\n#exit\n";

/* A packet is counted once, as what was done to it, and as dropped where it was: the sum of what was dropped is that
 * of the packets that are in no volume. */
static void counted_once(void)
{
	static const struct ecs_trace_ask everybody;
	const struct ecs_trace_row *last = NULL, *row = NULL;
	struct rig r;
	struct conn turn, voice, never;

	from_start(&r, behind, 11);
	turn = udp(&r, 5000, 7000);
	voice = udp(&r, 5001, 5060);
	never = udp(&r, 5002, 7001);
	CU_ASSERT_EQUAL(say(&voice, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.drop_random, 0);
	r.now.us += SRP_SEC(1);
	CU_ASSERT_EQUAL(say(&voice, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_random, 1);
	CU_ASSERT_EQUAL(r.c.drop_post, 0);
	CU_ASSERT_EQUAL(say(&never, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_post, 1);
	CU_ASSERT_EQUAL(r.c.drop_discard, 0);
	CU_ASSERT_EQUAL_FATAL(ecs_trace_ask(r.e, &everybody, true, 0), 0);
	CU_ASSERT_EQUAL(say(&turn, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(r.s->spec.rulebase, "rc");
	CU_ASSERT_EQUAL(r.c.rulebase_changes, 1);
	CU_ASSERT_EQUAL(r.c.drop_post, 1);
	while ((row = ecs_trace_next(r.e, row ? row->seq : 0, 0)) != NULL)
		last = row;
	CU_ASSERT_PTR_NOT_NULL_FATAL(last);
	CU_ASSERT_STRING_EQUAL(ecs_trace_ends_text(last->ends), "rulebase");
	CU_ASSERT_EQUAL(last->fate, ECS_TRACE_FORWARDED);
	CU_ASSERT_EQUAL(stats_of(&r, "rest")->hits, stats_of(&r, "rest")->pkts_up + r.c.drop_random + r.c.drop_post);
	end(&r);
}

CU_TestInfo ecs_actions_tests[] = {
	{"packets dropped at random", dropped_at_random},
	{"packets dropped at a known time", dropped_exactly},
	{"URL of the charging server", url_of_the_charging_server},
	{"URL after a recovery", url_after_a_recovery},
	{"redirection by user agent", by_user_agent},
	{"the same to the charging server's URL", by_user_agent_to_the_charging_server},
	{"another rulebase", another_rulebase},
	{"no such rulebase", no_such_rulebase},
	{"another rulebase and recovered flows", rulebase_of_recovered_flows},
	{"by post-processing: counted once", counted_once},
	CU_TEST_INFO_NULL,
};

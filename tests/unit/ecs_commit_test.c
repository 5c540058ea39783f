/* What a commit does to flows that live: which are matched anew, and by what. */
#include "config.h"
#include "suites.h"

#include "ecs_rig.h"

#define VIDEO " action priority 10 ruledef video charging-action ca-video\n"
#define NAMES " action priority 30 ruledef names charging-action ca-names\n"
#define LATE  " action priority 40 ruledef late charging-action ca-any\n"
#define UDP   " action priority 90 ruledef udp-any charging-action ca-any\n"

/* The rules with @p now in place of @p was. */
static void commit(struct rig *r, const char *was, const char *now)
{
	const char *at = strstr(rules, was);
	struct ecs_service *old = r->svc;
	char text[8192];

	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - rules), rules, now, at + strlen(was));
	r->svc = service(text);
	CU_ASSERT_EQUAL_FATAL(ecs_engine_reconfigure(r->e, r->svc, r->now), 0);
	ecs_service_free(old);
}

static struct conn udp(struct rig *r, uint16_t sport, uint16_t dport)
{
	return (struct conn){.r = r, .proto = 17, .sport = sport, .dport = dport};
}

/* A line of L4 leaves and comes back, in the same place; one that is new stands first. */
static void l4_lines(void)
{
	struct rig r;
	struct conn c, u;

	begin(&r);
	c = tcp(&r, 4000, 7777);
	handshake(&c);
	u = udp(&r, 4001, 9000);
	say(&u, ECS_UPLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "late");
	CU_ASSERT_STRING_EQUAL(rule_of(&u), "udp-any");
	commit(&r, LATE, "");
	say(&c, ECS_UPLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	commit(&r, LATE, LATE);
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "late");
	CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_FINAL);
	/* its charging-action is misspelt, and corrected */
	commit(&r, LATE, " action priority 40 ruledef late charging-action ca-ayn\n");
	say(&c, ECS_UPLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	commit(&r, LATE, LATE);
	say(&c, ECS_UPLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "late");
	/* discard stands before what a live flow has, then no more */
	commit(&r, UDP, UDP " action priority 5 ruledef udp-any charging-action ca-drop\n");
	end(&r);
}

/* A line that discards takes a flow that lives, and gives it back; both directions have their own. */
static void discard(void)
{
	static const char five[] = "ruledef five\n udp either-port = 9000\n#exit\n"
				   "ruledef down\n ip downlink = TRUE\n udp either-port = 9001\n#exit\n";
	struct rig r;
	struct conn u, v;
	char with[1024];

	begin(&r);
	u = udp(&r, 4000, 9000);
	v = udp(&r, 4001, 9001);
	say(&u, ECS_UPLINK, 0, "x");
	say(&v, ECS_UPLINK, 0, "x");
	snprintf(with, sizeof(with), "%srulebase rb\n", five);
	commit(&r, "rulebase rb\n", with);
	CU_ASSERT_FALSE(flow_of(&u)->stale); /* ruledefs that stand in no line say nothing */
	snprintf(with, sizeof(with), "%srulebase rb\n action priority 5 ruledef five charging-action ca-drop\n"
	         " action priority 6 ruledef down charging-action ca-drop\n", five);
	commit(&r, "rulebase rb\n", with);
	CU_ASSERT_TRUE(flow_of(&u)->stale);
	CU_ASSERT_EQUAL(say(&u, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_STRING_EQUAL(rule_of(&u), "five");
	CU_ASSERT_EQUAL(say(&v, ECS_DOWNLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(say(&v, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&v, ECS_DOWNLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_STRING_EQUAL(rule_of(&v), "udp-any");
	CU_ASSERT_FALSE(flow_of(&u)->stale || flow_of(&v)->stale);
	commit(&r, "rulebase rb\n", "rulebase rb\n");
	CU_ASSERT_EQUAL(say(&u, ECS_UPLINK, 0, "x"), ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(rule_of(&u), "udp-any");
	CU_ASSERT_EQUAL(say(&v, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	end(&r);
}

/* A flow on an L7 rule: that rule leaves and comes back, with another action too; an L4 line takes the
 * flow from it where it stands first, and gives it back. Its checkpoint goes and comes with the rule. */
static void l7_rule(void)
{
	static const char web[] = "ruledef web\n tcp either-port = 80\n#exit\nrulebase rb\n"
				  " action priority %d ruledef web charging-action ca-any\n";
	struct rig r;
	struct conn c;
	char with[512];

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	commit(&r, VIDEO, "");
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	commit(&r, VIDEO, VIDEO);
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 1);
	/* back with another charging-action, while no packet came */
	commit(&r, VIDEO, "");
	commit(&r, VIDEO, " action priority 10 ruledef video charging-action ca-any\n");
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	commit(&r, VIDEO, VIDEO);
	/* with another line it is another rule */
	commit(&r, "ends-with video.example", "ends-with other.example");
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	commit(&r, VIDEO, VIDEO);
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* L4 behind it, before it, and gone */
	snprintf(with, sizeof(with), web, 11);
	commit(&r, "rulebase rb\n", with);
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	snprintf(with, sizeof(with), web, 9);
	commit(&r, "rulebase rb\n", with);
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "web");
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 0);
	commit(&r, VIDEO, VIDEO);
	say(&c, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* and the next request is looked at as ever */
	say(&c, ECS_UPLINK, ACK, GET("none.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	commit(&r, UDP, "");
	say(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any"); /* what it was before that request is not known any more */
	end(&r);
}

/* Each question of DNS stands by itself: after a commit too. */
static void questions(void)
{
	static const char good[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04good\x00\x00\x01\x00\x01";
	struct rig r;
	struct conn u;

	begin(&r);
	u = udp(&r, 4000, 53);
	say_n(&u, ECS_UPLINK, 0, good, sizeof(good) - 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&u), "names");
	commit(&r, NAMES, "");
	say_n(&u, ECS_DOWNLINK, 0, good, sizeof(good) - 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&u), "udp-any");
	say_n(&u, ECS_UPLINK, 0, good, sizeof(good) - 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&u), "udp-any");
	commit(&r, NAMES, NAMES);
	say_n(&u, ECS_UPLINK, 0, good, sizeof(good) - 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&u), "names");
	end(&r);
}

/* A recovered flow keeps its rule, whatever comes before it; a ref that is known for the way back is
 * given up with its flow. */
static void recovered(void)
{
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5}, d;
	struct rig r;
	uint16_t ref;

	standby(&r, &c, "video");
	ecs_engine_active(r.e, true, r.now);
	commit(&r, "rulebase rb\n", "ruledef web\n tcp either-port = 80\n#exit\nrulebase rb\n"
	       " action priority 1 ruledef web charging-action ca-drop\n");
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, ACK, "x"), ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	commit(&r, VIDEO, VIDEO);
	d = tcp(&r, 4001, 80);
	handshake(&d);
	say(&d, ECS_UPLINK, ACK, GET("video.example"));
	ref = flow_of(&d)->ref;
	commit(&r, VIDEO, "");
	say(&d, ECS_DOWNLINK, ACK, "x");
	CU_ASSERT_EQUAL(flow_of(&d)->known, ref);
	CU_ASSERT_EQUAL(ecs_ruleref_get(r.e->refs, ref)->users, 3); /* of both directions, and the recovered one */
	ecs_flow_drop(r.e, flow_of(&d), ECS_TELL, r.now);
	CU_ASSERT_EQUAL(ecs_ruleref_get(r.e->refs, ref)->users, 1);
	end(&r);
}

CU_TestInfo ecs_commit_tests[] = {
	{"lines of L4", l4_lines},
	{"a line that discards", discard},
	{"a rule of L7", l7_rule},
	{"questions", questions},
	{"recovered flows", recovered},
	CU_TEST_INFO_NULL,
};

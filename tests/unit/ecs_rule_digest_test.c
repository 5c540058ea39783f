#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs_rule_text.h"

#define FIGURE_RULE    0xd66ff02ee0c069cbu
#define FIGURE_GROUP   0x500955929b3cc3ddu
#define FIGURE_ACTION  0x16b57b1a5f14413eu
#define FIGURE_SERVICE 0xa5af9bc5a539608du

static const char base[] =
	"idle-timeout tcp 100\n"
	"ruledef r1\nhttp host = a.example\ntcp dst-port range 1 to 9\nip src-address = "
	"10.0.0.0/8\n#exit\n"
	"ruledef r2\nip any-match = TRUE\n#exit\n"
	"group-of-ruledefs g1\nadd-ruledef priority 1 ruledef r1\nadd-ruledef priority 2 ruledef "
	"r2\n#exit\n"
	"charging-action c1\ncontent-id 5\nservice-identifier 6\nflow action discard "
	"uplink\n#exit\n"
	"charging-action c2\n#exit\n"
	"rulebase rb\naction priority 1 ruledef r1 charging-action c1\n"
	"action priority 2 group-of-ruledefs g1 charging-action c1\n#exit\n"
	"trigger-action ta\nflow-recovery\n#exit\n"
	"trigger-condition tc\nrule-name = r1\nrule-name contains g\ndelay = 5\n#exit\n"
	"service-scheme ss\ntrigger flow-create\n"
	"priority 1 trigger-condition tc trigger-action ta\n#exit\n#exit\n"
	"subs-class sc\napn = a\nrulebase = rb\n#exit\n"
	"subscriber-base default\npriority 1 subs-class sc bind service-scheme ss\n#exit\n";

struct digests {
	uint64_t rule, group, action, service;
};

static struct digests of(const char *change)
{
	struct ecs_service *s = ecs_rule_text(base, false);
	struct digests d = {0};
	struct ecs_err e = {{0}};
	const struct ecs_line *l;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	if (ecs_rule_text_feed(s, change, &e) || ecs_service_commit(s, &e)) {
		fprintf(stderr, "%s: %s\n", change, e.text);
		CU_FAIL("a change was refused");
	}
	l = ecs_service_line(s, ecs_service_find_line(s, 0, "r1"));
	if (l) {
		d.rule = l->rule_digest;
		d.action = l->action_digest;
		CU_ASSERT_EQUAL(l->action_digest, l->action->charging_digest);
	}
	l = ecs_service_line(s, ecs_service_find_line(s, 0, "g1"));
	d.group = l ? l->rule_digest : 0;
	d.service = ecs_service_digest(s);
	CU_ASSERT_NOT_EQUAL(d.service, 0);
	ecs_service_free(s);
	return d;
}

/* What a change touches: r rule, g group, a action, s service. */
static const struct {
	const char *change;
	const char *touches;
} changes[] = {
	{"", ""},
	/* order and form that say nothing */
	{"ruledef r1\nno http host = a.example\nhttp host = a.example\n#exit\n", ""},
	{"ruledef r1\nno http host = a.example\nhttp host = A.EXAMPLE\n#exit\n", ""},
	{"ruledef r2\nmulti-line-or all-lines\n#exit\n", ""}, /* of one line */
	{"trigger-condition tc\nno rule-name = r1\nrule-name = r1\n#exit\n", ""},
	{"subs-class sc\nno apn = a\napn = A\n#exit\n", ""},
	{"no trigger-action ta\ntrigger-action x\n#exit\ntrigger-action ta\nflow-recovery\n#exit\n"
	 "no trigger-action x\n",
	 ""},
	{"charging-action c1\ncca charging credit rating-group 5\n#exit\n",
	 "s"}, /* the group that the content-id served as: nothing is charged otherwise */
	/* lines of the rule */
	{"ruledef r1\ntcp any-match = TRUE\n#exit\n", "rgs"},
	{"ruledef r1\nmulti-line-or all-lines\n#exit\n", "rgs"},
	{"ruledef r1\nno http host = a.example\nhttp host = b.example\n#exit\n", "rgs"},
	{"ruledef r1\nno http host = a.example\nhttp host != a.example\n#exit\n", "rgs"},
	{"ruledef r1\nno http host = a.example\nhttp url = a.example\n#exit\n", "rgs"},
	{"ruledef r1\nno http host = a.example\nhttp host case-sensitive = a.example\n#exit\n",
	 "rgs"},
	{"ruledef r1\nno tcp dst-port range 1 to 9\ntcp dst-port range 1 to 8\n#exit\n", "rgs"},
	{"ruledef r1\nno tcp dst-port range 1 to 9\ntcp dst-port range 2 to 9\n#exit\n", "rgs"},
	{"ruledef r1\nno ip src-address = 10.0.0.0/8\nip src-address = 10.0.0.0/9\n#exit\n", "rgs"},
	{"ruledef r2\nip version = ipv4\n#exit\n", "gs"},
	/* members */
	{"group-of-ruledefs g1\nadd-ruledef priority 3 ruledef r2\n#exit\n", "gs"},
	{"group-of-ruledefs g1\nno add-ruledef priority 2 ruledef r2\n#exit\n", "gs"},
	{"no ruledef r2\n", "gs"},
	/* the action */
	{"charging-action c1\ncontent-id 7\n#exit\n", "as"},
	{"charging-action c1\nservice-identifier 7\n#exit\n", "as"},
	{"charging-action c1\ncca charging credit rating-group 7\n#exit\n", "as"},
	{"charging-action c1\nflow action discard downlink\n#exit\n", "as"},
	{"charging-action c1\nflow action discard\n#exit\n", "as"},
	{"charging-action c1\nflow action redirect-url http://a\n#exit\n", "as"},
	{"charging-action c1\nflow action redirect-ocs-url\n#exit\n", "as"},
	{"charging-action c1\nflow action conditional user-agent end-token x\n#exit\n", "as"},
	{"charging-action c1\nflow action rulebase-change rb\n#exit\n", "as"},
	{"charging-action c1\nflow action random-drop interval 1 to 2 pkts-to-drop 3 to 4\n#exit\n", "as"},
	{"redirect user-agent Opera\n", "s"},
	{"redirect user-agent Opera\nredirect user-agent Lynx\n", "s"},
	{"redirect user-agent OperaLynx\n", "s"},
	{"redirect user-agent Opera\nno redirect user-agent opera\n", ""},
	{"charging-action c1\nflow idle-timeout 5\n#exit\n", "s"}, /* does not charge */
	{"rulebase rb\naction priority 1 ruledef r1 charging-action c2\n#exit\n", "as"},
	{"charging-action c2\ncontent-id 1\n#exit\n", "s"},
	/* everything else is of the service */
	{"idle-timeout tcp 101\n", "s"},
	{"idle-timeout tcp half-open 101\n", "s"},
	{"idle-timeout udp 101\n", "s"},
	{"idle-timeout icmp 101\n", "s"},
	{"idle-timeout alg-media 101\n", "s"},
	{"idle-timeout flow-mapping tcp 101\n", "s"},
	{"idle-timeout flow-mapping udp 101\n", "s"},
	{"system-limit flow-chkpt-per-call 11\n", "s"},
	{"ruledef new\n#exit\n", "s"},
	{"flow-recovery p2p\n", "s"},
	{"flow-recovery edr\n", "s"},
	{"flow-recovery parent-child\n", "s"},
	{"flow-recovery parent-child\nno flow-recovery parent-child\n", ""},
	{"flow-recovery content-filtering\n", "s"},
	{"flow-recovery content-filtering\nno flow-recovery content-filtering\n", ""},
	{"flow-recovery redirect\n", "s"},
	{"flow-recovery redirect\nno flow-recovery redirect\n", ""},
	{"group-of-ruledefs new\n#exit\n", "s"},
	{"charging-action new\n#exit\n", "s"},
	{"rulebase new\n#exit\n", "s"},
	{"rulebase rb\naction priority 3 ruledef r1 charging-action c1\n#exit\n", "s"},
	{"rulebase rb\naction priority 3 ruledef r2 charging-action c1\n#exit\n", "s"},
	{"rulebase rb\nflow control-handshaking charge-to-application all-packets\n#exit\n", "s"},
	{"trigger-action ta\nno flow-recovery\n#exit\n", "s"},
	{"trigger-action new\n#exit\n", "s"},
	{"trigger-condition tc\nrule-name ends-with g\n#exit\n", "s"},
	{"trigger-condition tc\nno rule-name = r1\n#exit\n", "s"},
	{"trigger-condition tc\ndelay = 6\n#exit\n", "s"},
	{"trigger-condition tc\nany-match = TRUE\n#exit\n", "s"},
	{"service-scheme ss\nno trigger flow-create\n#exit\n", "s"},
	{"service-scheme ss\ntrigger flow-create\npriority 1 trigger-condition x trigger-action "
	 "ta\n#exit\n#exit\n",
	 "s"},
	{"service-scheme ss\ntrigger flow-create\npriority 1 trigger-condition tc trigger-action "
	 "x\n#exit\n#exit\n",
	 "s"},
	{"service-scheme ss\ntrigger flow-create\npriority 2 trigger-condition tc trigger-action "
	 "ta\n#exit\n#exit\n",
	 "s"},
	{"service-scheme new\n#exit\n", "s"},
	{"subs-class sc\nmulti-line-or\n#exit\n", "s"},
	{"subs-class sc\nno apn = a\napn != a\n#exit\n", "s"},
	{"subs-class sc\nno apn = a\napn = b\n#exit\n", "s"},
	{"subs-class new\n#exit\n", "s"},
	{"subscriber-base default\npriority 1 subs-class x bind service-scheme ss\n#exit\n", "s"},
	{"subscriber-base default\npriority 1 subs-class sc bind service-scheme x\n#exit\n", "s"},
	{"subscriber-base default\npriority 2 subs-class sc bind service-scheme ss\n#exit\n", "s"},
	{"subscriber-base new\n#exit\n", "s"},
};

static void test_each_field(void)
{
	struct digests a = of("");

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct digests b = of(changes[i].change);
		char got[8], *p = got;

		if (a.rule != b.rule)
			*p++ = 'r';
		if (a.group != b.group)
			*p++ = 'g';
		if (a.action != b.action)
			*p++ = 'a';
		if (a.service != b.service)
			*p++ = 's';
		*p = '\0';
		if (strcmp(got, changes[i].touches) != 0)
			fprintf(stderr, "%s: \"%s\", expected \"%s\"\n", changes[i].change, got,
			        changes[i].touches);
		CU_ASSERT_STRING_EQUAL(got, changes[i].touches);
	}
}

/* Changes differ from each other too, not only from where they began. */
static void test_no_two_are_equal(void)
{
	enum { N = sizeof(changes) / sizeof(changes[0]) };
	uint64_t v[N];
	size_t n = 0;

	for (size_t i = 0; i < N; i++)
		if (strchr(changes[i].touches, 's'))
			v[n++] = of(changes[i].change).service;
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			CU_ASSERT_NOT_EQUAL(v[i], v[k]);
}

/* What is looked for in any order, and in any case, may be entered so. */
static void test_agents(void)
{
	uint64_t d = of("redirect user-agent Opera\nredirect user-agent Lynx\nredirect user-agent w3m\n").service;

	CU_ASSERT_EQUAL(of("redirect user-agent w3m\nredirect user-agent opera\nredirect user-agent LYNX\n").service, d);
	CU_ASSERT_EQUAL(of("redirect user-agent Lynx\nredirect user-agent x\nredirect user-agent Opera\n"
	                   "no redirect user-agent x\nredirect user-agent w3m\n").service, d);
	CU_ASSERT_NOT_EQUAL(of("redirect user-agent w3m\nredirect user-agent Opera\n").service, d);
	CU_ASSERT_NOT_EQUAL(of("redirect user-agent w3m\nredirect user-agent Opera\nredirect user-agent Links\n").service, d);
}

/* Both chassis must find the same: these figures are part of what they exchange. */
static void test_figures(void)
{
	struct digests d = of("");

	if (d.action != FIGURE_ACTION || d.service != FIGURE_SERVICE)
		fprintf(stderr, "digests: action 0x%016llx, service 0x%016llx\n",
		        (unsigned long long)d.action, (unsigned long long)d.service);
	CU_ASSERT_EQUAL(d.rule, FIGURE_RULE);
	CU_ASSERT_EQUAL(d.group, FIGURE_GROUP);
	CU_ASSERT_EQUAL(d.action, FIGURE_ACTION);
	CU_ASSERT_EQUAL(d.service, FIGURE_SERVICE);
}

static void test_unbound_has_none(void)
{
	struct ecs_service *s =
		ecs_rule_text("charging-action c\n#exit\nrulebase rb\n"
			      "action priority 1 ruledef x charging-action c\n"
			      "action priority 2 ruledef y charging-action d\n#exit\n",
			      true);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(ecs_service_line(s, 0)->rule_digest, 0);
	CU_ASSERT_NOT_EQUAL(ecs_service_line(s, 0)->action_digest, 0);
	CU_ASSERT_EQUAL(ecs_service_line(s, 1)->action_digest, 0);
	ecs_service_free(s);
}

CU_TestInfo ecs_rule_digest_tests[] = {
	{"each field is in its digests, and only there", test_each_field},
	{"no two changes are equal", test_no_two_are_equal},
	{"user-agents in any order and case", test_agents},
	{"the figures stay", test_figures},
	{"what does not resolve has none", test_unbound_has_none},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "ecs_rule_text.h"

#define ANY_CLASS                                                                            \
	"subs-class sc\nany-match = TRUE\n#exit\n"                                           \
	"subscriber-base default\npriority 1 subs-class sc bind service-scheme ss\n#exit\n"

/* Whether a rule is eligible under the scheme of everybody, and with which delay; -1: it is not. */
static int delay_of(const struct ecs_service *s, const char *rule, bool dynamic)
{
	uint32_t d = 4711;

	if (!ecs_service_eligible(s, ecs_service_find_scheme(s, "rb", "apn"), rule, dynamic, &d)) {
		CU_ASSERT_EQUAL(d, 4711);
		return -1;
	}
	return (int)d;
}

static struct ecs_service *with(const char *a, const char *b)
{
	char text[16384];

	snprintf(text, sizeof(text), "%s%s" ANY_CLASS, a, b);
	return ecs_rule_text(text, true);
}

#define RULES                                                                                \
	"ruledef abc\n#exit\nruledef xabc\n#exit\nruledef abcx\n#exit\nruledef xabcx\n#exit\n" \
	"group-of-ruledefs gabc\nadd-ruledef priority 1 ruledef abc\n#exit\n"
#define SCHEME                                                                               \
	"trigger-action ta\nflow-recovery\n#exit\n"                                          \
	"service-scheme ss\ntrigger flow-create\n"                                           \
	"priority 1 trigger-condition tc trigger-action ta\n#exit\n#exit\n"

/* operator, and which of abc xabc abcx xabcx gabc it makes eligible, static and dynamic */
static const struct {
	const char *entry;
	const char *is;
	const char *dynamic;
} operators[] = {
	{"rule-name = abc", "10000", "10000"},
	{"rule-name contains abc", "11111", "00000"},
	{"rule-name starts-with abc", "10100", "00000"},
	{"rule-name ends-with abc", "11001", "00000"},
	{"rule-name = ABC", "00000", "00000"},
	{"rule-name = gabc", "00001", "00001"},
	{"any-match = TRUE", "11111", "00000"},
	{"any-match != FALSE", "11111", "00000"},
	{"any-match = FALSE", "00000", "00000"},
	{"any-match != TRUE", "00000", "00000"},
	{"rule-name = abc\nrule-name = xabcx", "10010", "10010"},
	{"rule-name = abc\nany-match = FALSE", "10000", "10000"},
	{"rule-name starts-with x\nrule-name ends-with cx", "01110", "00000"},
};

static void test_operators(void)
{
	static const char *const rules[] = {"abc", "xabc", "abcx", "xabcx", "gabc"};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		char text[512];
		struct ecs_service *s;

		snprintf(text, sizeof(text), "trigger-condition tc\n%s\n#exit\n",
			 operators[i].entry);
		s = with(RULES SCHEME, text);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		for (size_t k = 0; k < 5; k++) {
			CU_ASSERT_EQUAL(delay_of(s, rules[k], false) == 0,
					operators[i].is[k] == '1');
			CU_ASSERT_EQUAL(delay_of(s, rules[k], true) == 0,
			                operators[i].dynamic[k] == '1');
		}
		ecs_service_free(s);
	}
}

/* A dynamic rule is named before it is known; a static one of the peer's as its name says. */
static void test_names_not_known_here(void)
{
	struct ecs_service *s = with(RULES SCHEME, "trigger-condition tc\nrule-name = dyn1\n"
	                                           "rule-name contains dyn\ndelay = 7\n#exit\n");

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(delay_of(s, "dyn1", true), 7);
	CU_ASSERT_EQUAL(delay_of(s, "dyn2", true), -1);
	CU_ASSERT_EQUAL(delay_of(s, "dyn2", false), 7);
	CU_ASSERT_EQUAL(delay_of(s, "other", false), -1);
	CU_ASSERT_EQUAL(delay_of(s, "abc", false), -1);
	CU_ASSERT_FALSE(ecs_service_eligible(s, 0, NULL, false, NULL));
	CU_ASSERT_TRUE(ecs_service_eligible(s, 0, "dyn1", true, NULL));
	ecs_service_free(s);
}

static void test_lowest_priority_gives_the_delay(void)
{
	static const char conds[] =
		"trigger-condition slow\nrule-name contains abc\ndelay = 600\n#exit\n"
		"trigger-condition fast\nrule-name = abc\ndelay = 1\n#exit\n"
		"trigger-action ta\nflow-recovery\n#exit\n"
		"trigger-action other\n#exit\n";
	struct ecs_service *s;

	s = with(conds,
		 RULES "service-scheme ss\ntrigger flow-create\n"
		       "priority 127 trigger-condition slow trigger-action ta\n"
		       "priority 2 trigger-condition fast trigger-action ta\n#exit\n#exit\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(delay_of(s, "abc", false), 1);
	CU_ASSERT_EQUAL(delay_of(s, "abc", true), 1);
	CU_ASSERT_EQUAL(delay_of(s, "xabc", false), 600);
	ecs_service_free(s);
	s = with(conds,
		 RULES "service-scheme ss\ntrigger flow-create\n"
		       "priority 3 trigger-condition fast trigger-action ta\n"
		       "priority 2 trigger-condition slow trigger-action ta\n#exit\n#exit\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(delay_of(s, "abc", false), 600);
	CU_ASSERT_EQUAL(delay_of(s, "abc", true), 1); /* contains says nothing of it */
	ecs_service_free(s);
	/* an action that does not recover lets the next priority decide */
	s = with(conds,
		 RULES "service-scheme ss\ntrigger flow-create\n"
		       "priority 3 trigger-condition fast trigger-action ta\n"
		       "priority 2 trigger-condition slow trigger-action other\n#exit\n#exit\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(delay_of(s, "abc", false), 1);
	CU_ASSERT_EQUAL(delay_of(s, "xabc", false), -1);
	ecs_service_free(s);
}

/* Two conditions of 15 entries under one action: all 30, each with its own delay. */
static void test_thirty_rules(void)
{
	char text[4096], *p = text, rule[16];
	struct ecs_service *s;

	for (int c = 0; c < 2; c++) {
		p += sprintf(p, "trigger-condition tc%d\n", c);
		for (int i = 0; i < 15; i++)
			p += sprintf(p, "rule-name = rule%02d\n", c * 15 + i);
		p += sprintf(p, "delay = %d\n#exit\n", 20 + c);
	}
	for (int i = 0; i < 31; i++)
		p += sprintf(p, "ruledef rule%02d\n#exit\n", i);
	s = with(text, "trigger-action ta\nflow-recovery\n#exit\n"
	               "service-scheme ss\ntrigger flow-create\n"
	               "priority 1 trigger-condition tc0 trigger-action ta\n"
	               "priority 2 trigger-condition tc1 trigger-action ta\n#exit\n#exit\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	for (int i = 0; i < 31; i++) {
		snprintf(rule, sizeof(rule), "rule%02d", i);
		CU_ASSERT_EQUAL(delay_of(s, rule, false), i < 15 ? 20 : i < 30 ? 21 : -1);
		CU_ASSERT_EQUAL(delay_of(s, rule, true), i < 15 ? 20 : i < 30 ? 21 : -1);
	}
	ecs_service_free(s);
}

/* What is missing or removed makes nothing eligible: the line, and whether abc still is. */
static const struct {
	const char *change;
	int delay;
} removals[] = {
	{"", 5},
	{"trigger-action ta\nno flow-recovery\n#exit\n", -1},
	{"no trigger-action ta\n", -1},
	{"no trigger-condition tc\n", -1},
	{"trigger-condition tc\nno rule-name = abc\n#exit\n", 5},
	{"trigger-condition tc\nno rule-name contains abc\n#exit\n", 5},
	{"trigger-condition tc\nno rule-name contains abc\nno rule-name = abc\n#exit\n", -1},
	{"trigger-condition tc\nno delay\n#exit\n", 0},
	{"service-scheme ss\nno trigger flow-create\n#exit\n", -1},
	{"service-scheme ss\nno trigger flow-create\ntrigger flow-create\n#exit\n#exit\n", -1},
	{"service-scheme ss\ntrigger flow-create\nno priority 1\n#exit\n#exit\n", -1},
	{"no service-scheme ss\n", -1},
	{"no subs-class sc\n", -1},
	{"subs-class sc\nno any-match = TRUE\n#exit\n", -1},
	{"subscriber-base default\nno priority 1\n#exit\n", -1},
	{"no subscriber-base default\n", -1},
	{"no ruledef abc\n", 5}, /* the name is what counts */
};

static void test_removals(void)
{
	for (size_t i = 0; i < sizeof(removals) / sizeof(removals[0]); i++) {
		char text[1024];
		struct ecs_service *s;

		snprintf(text, sizeof(text), ANY_CLASS "trigger-condition tc\nrule-name = abc\n"
		         "rule-name contains abc\ndelay = 5\n#exit\n%s", removals[i].change);
		s = ecs_rule_text(RULES SCHEME, false);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		CU_ASSERT_EQUAL(ecs_rule_text_feed(s, text, &(struct ecs_err){{0}}), 0);
		CU_ASSERT_FALSE(ecs_service_eligible(s, 0, "abc", false, NULL)); /* not yet */
		CU_ASSERT_EQUAL(ecs_service_commit(s, NULL), 0);
		CU_ASSERT_EQUAL(delay_of(s, "abc", false), removals[i].delay);
		ecs_service_free(s);
	}
}

#define THREE "service-scheme s0\n#exit\nservice-scheme s1\n#exit\nservice-scheme s2\n#exit\n"

static int scheme_of(const char *text, const char *rulebase, const char *apn)
{
	struct ecs_service *s = ecs_rule_text(text, true);
	int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	i = ecs_service_find_scheme(s, rulebase, apn);
	ecs_service_free(s);
	return i;
}

static void test_subscribers(void)
{
	static const char text[] = THREE
		"subs-class apn\napn = Internet\n#exit\n"
		"subs-class both\nrulebase = rb1\napn != ims\n#exit\n"
		"subs-class either\nrulebase = rb2\napn = ims\nmulti-line-or\n#exit\n"
		"subs-class all\nany-match = TRUE\n#exit\n"
		"subs-class nobody\n#exit\n"
		"subscriber-base default\n"
		"priority 5 subs-class both bind service-scheme s0\n"
		"priority 3 subs-class apn bind service-scheme s1\n"
		"priority 6 subs-class either bind service-scheme s2\n"
		"priority 1 subs-class nobody bind service-scheme s2\n"
		"priority 2 subs-class all bind service-scheme unknown\n"
		"priority 4 subs-class unknown bind service-scheme s2\n#exit\n";

	CU_ASSERT_EQUAL(scheme_of(text, "rb1", "internet"), 1);
	CU_ASSERT_EQUAL(scheme_of(text, "rb1", "x"), 0);
	CU_ASSERT_EQUAL(scheme_of(text, "rb1", NULL), 0);
	CU_ASSERT_EQUAL(scheme_of(text, "rb1", "ims"), 2);
	CU_ASSERT_EQUAL(scheme_of(text, "rb2", "x"), 2);
	CU_ASSERT_EQUAL(scheme_of(text, "RB2", "x"), -1);
	CU_ASSERT_EQUAL(scheme_of(text, "rb3", "x"), -1);
	CU_ASSERT_EQUAL(scheme_of(text, NULL, NULL), -1);
}

static void test_bases_in_order(void)
{
	CU_ASSERT_EQUAL(scheme_of(THREE "subs-class all\nany-match = TRUE\n#exit\n"
	                          "subscriber-base a\n"
	                          "priority 1 subs-class all bind service-scheme s1\n#exit\n"
	                          "subscriber-base default\n"
	                          "priority 9 subs-class all bind service-scheme s2\n#exit\n",
	                          "rb", "apn"),
	                2);
	CU_ASSERT_EQUAL(scheme_of(THREE "subs-class all\nany-match = TRUE\n#exit\n"
	                          "subscriber-base b\n"
	                          "priority 1 subs-class all bind service-scheme s1\n#exit\n"
	                          "subscriber-base a\n"
	                          "priority 9 subs-class all bind service-scheme s2\n#exit\n",
	                          "rb", "apn"),
	                2);
	CU_ASSERT_EQUAL(scheme_of(THREE, "rb", "apn"), -1);
}

CU_TestInfo ecs_rule_scheme_tests[] = {
	{"operators on static, group and dynamic names", test_operators},
	{"names that are not known here", test_names_not_known_here},
	{"the lowest priority gives the delay", test_lowest_priority_gives_the_delay},
	{"thirty rules by two conditions", test_thirty_rules},
	{"what is removed makes nothing eligible", test_removals},
	{"schemes of subscribers", test_subscribers},
	{"subscriber-bases in their order", test_bases_in_order},
	CU_TEST_INFO_NULL,
};

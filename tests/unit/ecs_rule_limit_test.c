#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs_rule_text.h"

static struct ecs_service *s;
static struct ecs_err e;

static void begin(void)
{
	s = ecs_service_new("s1");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	memset(&e, 0, sizeof(e));
}

static void end(void)
{
	ecs_service_free(s);
	s = NULL;
}

/* The call gives this code, and its reason holds these words. */
static void refused(int rc, int want, const char *words)
{
	CU_ASSERT_EQUAL(rc, want);
	if (!strstr(e.text, words))
		fprintf(stderr, "expected \"%s\" in \"%s\"\n", words, e.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, words));
	memset(&e, 0, sizeof(e));
}

static const char *name(const char *prefix, unsigned i)
{
	static char buf[2][32];
	static unsigned k;

	k = !k;
	snprintf(buf[k], sizeof(buf[k]), "%s%u", prefix, i);
	return buf[k];
}

static void test_names(void)
{
	char n63[64], n64[65];
	const char *const bad[] = {"",    "a b", "a\"b", "a\\b", "a|b",
				   "a?b", "#a",  "a\tb", "\x7f", "\xc3\xa4"};

	memset(n63, 'x', 63);
	n63[63] = '\0';
	memset(n64, 'x', 64);
	n64[64] = '\0';
	begin();
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, n63, false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "a#b-_.:/()*%", false, &e), 0);
	refused(ecs_service_ruledef(s, n64, false, &e), SRP_EINVAL, "1 to 63 characters, not 64");
	refused(ecs_service_ruledef(s, NULL, false, &e), SRP_EINVAL, "1 to 63");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(ecs_service_ruledef(s, bad[i], false, &e), SRP_EINVAL);
		CU_ASSERT_EQUAL(ecs_service_group(s, bad[i], false, &e), SRP_EINVAL);
		CU_ASSERT_EQUAL(ecs_service_rulebase(s, bad[i], false, &e), SRP_EINVAL);
		CU_ASSERT_EQUAL(ecs_service_trigger_condition(s, bad[i], false, &e), SRP_EINVAL);
	}
	CU_ASSERT_PTR_NULL(ecs_service_new(n64));
	CU_ASSERT_PTR_NULL(ecs_service_new(""));
	CU_ASSERT_EQUAL(ecs_service_stats_count(s), 2);
	/* without a place for the reason */
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, n64, false, NULL), SRP_EINVAL);
	end();
}

static void test_ruledefs_and_groups_share_names(void)
{
	begin();
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_group(s, "g", false, &e), 0);
	refused(ecs_service_group(s, "r", false, &e), SRP_EDUP, "name of a ruledef");
	refused(ecs_service_ruledef(s, "g", false, &e), SRP_EDUP, "name of a group");
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r", false, &e), 0); /* opened again */
	CU_ASSERT_EQUAL(ecs_service_stats_count(s), 2);
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r", true, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_group(s, "r", false, &e), 0);
	refused(ecs_service_ruledef(s, "none", true, &e), SRP_ENOENT, "no ruledef is named none");
	end();
}

static void test_counts(void)
{
	begin();
	for (unsigned i = 0; i < ECS_RULEDEFS_MAX; i++)
		CU_ASSERT_EQUAL(ecs_service_ruledef(s, name("r", i), false, &e), 0);
	refused(ecs_service_ruledef(s, "more", false, &e), SRP_EFULL, "at most 2048 ruledefs");
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r0", false, &e), 0); /* is there already */
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r1000", true, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "more", false, &e), 0);
	CU_ASSERT_STRING_EQUAL(ecs_service_stats_name(s, 999), "r999");
	CU_ASSERT_STRING_EQUAL(ecs_service_stats_name(s, 1000), "r1001");
	CU_ASSERT_STRING_EQUAL(ecs_service_stats_name(s, 2047), "more");
	for (unsigned i = 0; i < ECS_GROUPS_MAX; i++)
		CU_ASSERT_EQUAL(ecs_service_group(s, name("g", i), false, &e), 0);
	refused(ecs_service_group(s, "g", false, &e), SRP_EFULL, "at most 128");
	CU_ASSERT_EQUAL(ecs_service_stats_count(s) + 1, ECS_STATS_MAX);
	for (unsigned i = 0; i < ECS_ACTIONS_MAX; i++)
		CU_ASSERT_PTR_NOT_NULL(ecs_service_charging_action(s, name("c", i), false, &e));
	CU_ASSERT_PTR_NULL(ecs_service_charging_action(s, "c", false, &e));
	refused(SRP_EFULL, SRP_EFULL, "at most 2048 charging-actions");
	CU_ASSERT_EQUAL(ecs_service_actions(s), ECS_ACTIONS_MAX);
	end();
}

static int port_line(const char *rule, unsigned port)
{
	char t[16];

	snprintf(t, sizeof(t), "%u", port);
	return ecs_service_rule_line(s, rule, false, ECS_F_TCP_DPORT, false, ECS_OP_EQ, t, NULL,
				     &e);
}

static void test_lines_of_a_ruledef(void)
{
	begin();
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r", false, &e), 0);
	refused(port_line("none", 1), SRP_ENOENT, "no ruledef is named none");
	for (unsigned i = 1; i <= ECS_RULE_LINES; i++)
		CU_ASSERT_EQUAL(port_line("r", i), 0);
	refused(port_line("r", 33), SRP_EFULL, "at most 32 lines");
	CU_ASSERT_EQUAL(port_line("r", 32), 0); /* the same line is there already */
	refused(ecs_service_rule_line(s, "r", true, ECS_F_TCP_DPORT, false, ECS_OP_NE, "5", NULL,
				      &e),
		SRP_ENOENT, "no such line");
	CU_ASSERT_EQUAL(ecs_service_rule_line(s, "r", true, ECS_F_TCP_DPORT, false, ECS_OP_EQ, "5",
	                                      NULL, &e),
	                0);
	CU_ASSERT_EQUAL(port_line("r", 33), 0);
	end();
}

static void test_group_members(void)
{
	begin();
	CU_ASSERT_EQUAL(ecs_service_group(s, "g", false, &e), 0);
	refused(ecs_service_group_add(s, "none", false, 1, "r", &e), SRP_ENOENT, "is named none");
	refused(ecs_service_group_add(s, "g", false, 0, "r", &e), SRP_ERANGE, "from 1 to 10000");
	refused(ecs_service_group_add(s, "g", false, 10001, "r", &e), SRP_ERANGE,
		"from 1 to 10000");
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", false, 1, "r0", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", false, 1, "r0", &e), 0);
	refused(ecs_service_group_add(s, "g", false, 1, "r1", &e), SRP_EDUP, "held by ruledef r0");
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", false, 10000, "r0", &e), 0); /* moves */
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", false, 1, "r1", &e), 0);
	for (unsigned i = 2; i < ECS_GROUP_MEMBERS; i++)
		CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", false, i, name("r", i), &e), 0);
	refused(ecs_service_group_add(s, "g", false, 9999, "more", &e), SRP_EFULL, "at most 128");
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", false, 9999, "r5", &e), 0); /* moves, full */
	refused(ecs_service_group_add(s, "g", true, 9998, NULL, &e), SRP_ENOENT, "no such member");
	refused(ecs_service_group_add(s, "g", true, 9999, "r6", &e), SRP_ENOENT, "no such member");
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", true, 9999, "r5", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", true, 10000, NULL, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", false, 9999, "more", &e), 0);
	end();
}

static void test_action_priorities(void)
{
	char *text;

	begin();
	CU_ASSERT_EQUAL(ecs_service_rulebase(s, "rb", false, &e), 0);
	refused(ecs_service_action_line(s, "rb", false, 0, false, "r", "c", &e), SRP_ERANGE,
	        "from 1 to 65535, not 0");
	refused(ecs_service_action_line(s, "rb", false, 65536, false, "r", "c", &e), SRP_ERANGE,
	        "from 1 to 65535, not 65536");
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "rb", false, 65535, false, "r", "c", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "rb", false, 1, true, "g", "c", &e), 0);
	refused(ecs_service_action_line(s, "rb", false, 1, false, "r", "c", &e), SRP_EDUP,
	        "priority 1 is held by group-of-ruledefs g");
	refused(ecs_service_action_line(s, "rb", false, 65535, true, "g", "c", &e), SRP_EDUP,
	        "priority 65535 is held by ruledef r");
	/* refused: both entries are where they were; then a free priority moves it */
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "rb", false, 7, false, "r", "c2", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "rb", false, 1, true, "g", "c3", &e), 0);
	text = ecs_rule_text_print(s);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "  rulebase rb\n"
	                                    "    action priority 1 group-of-ruledefs g "
	                                    "charging-action c3\n"
	                                    "    action priority 7 ruledef r charging-action c2\n"
	                                    "  #exit\n"));
	free(text);
	refused(ecs_service_action_line(s, "rb", true, 65535, false, NULL, NULL, &e), SRP_ENOENT,
	        "no such action priority");
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "rb", true, 7, false, NULL, NULL, &e), 0);
	end();
}

static void test_action_lines_in_all(void)
{
	begin();
	CU_ASSERT_EQUAL(ecs_service_rulebase(s, "a", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_rulebase(s, "b", false, &e), 0);
	for (unsigned i = 0; i < ECS_LINES_MAX; i++)
		CU_ASSERT_EQUAL(ecs_service_action_line(s, i & 1 ? "a" : "b", false, i + 1, false,
		                                        name("r", i), "c", &e),
		                0);
	refused(ecs_service_action_line(s, "a", false, 60000, false, "x", "c", &e), SRP_EFULL,
	        "at most 2048");
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "a", false, 60000, false, "r1", "c", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "a", true, 60000, false, "r1", NULL, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "b", false, 60000, false, "x", "c", &e), 0);
	refused(ecs_service_action_line(s, "a", false, 60001, false, "y", "c", &e), SRP_EFULL,
	        "at most 2048");
	CU_ASSERT_EQUAL(ecs_service_rulebase(s, "b", true, &e), 0); /* gives its lines back */
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "a", false, 60001, false, "y", "c", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_commit(s, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_lines(s), 1024);
	end();
}

static void test_numbers_of_an_action(void)
{
	struct ecs_charging_action *a;

	begin();
	a = ecs_service_charging_action(s, "c", false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_EQUAL(a->idle_timeout, -1);
	CU_ASSERT_EQUAL(ecs_charging_action_line(a, "content-id 1", &e), 0);
	CU_ASSERT_EQUAL(ecs_charging_action_line(a, "content-id 2147483647", &e), 0);
	refused(ecs_charging_action_line(a, "content-id 0", &e), SRP_ERANGE, "1 to 2147483647");
	refused(ecs_charging_action_line(a, "content-id 2147483648", &e), SRP_ERANGE,
	        "1 to 2147483647");
	CU_ASSERT_EQUAL(a->content_id, 2147483647);
	refused(ecs_charging_action_line(a, "service-identifier 0", &e), SRP_ERANGE,
	        "service-identifier");
	refused(ecs_charging_action_line(a, "cca charging credit rating-group 65536", &e),
	        SRP_ERANGE, "rating-group");
	CU_ASSERT_EQUAL(ecs_charging_action_line(a, "flow idle-timeout 0", &e), 0);
	CU_ASSERT_EQUAL(ecs_charging_action_line(a, "flow idle-timeout 86400", &e), 0);
	refused(ecs_charging_action_line(a, "flow idle-timeout 86401", &e), SRP_ERANGE,
	        "0 to 86400");
	CU_ASSERT_PTR_EQUAL(ecs_service_charging_action(s, "c", false, &e), a);
	a->content_id = 2147483648u; /* set in place: the commit sees it */
	refused(ecs_service_commit(s, &e), SRP_ERANGE, "charging-action c");
	a->content_id = 0;
	ecs_service_timeouts(s)->udp = 86401;
	refused(ecs_service_commit(s, &e), SRP_ERANGE, "0 to 86400");
	ecs_service_timeouts(s)->udp = 86400;
	CU_ASSERT_PTR_NULL(ecs_service_charging_action(s, "d", true, &e));
	CU_ASSERT_STRING_NOT_EQUAL(e.text, "");
	CU_ASSERT_PTR_NULL(ecs_service_charging_action(s, "c", true, &e));
	CU_ASSERT_STRING_EQUAL(e.text, "");
	CU_ASSERT_EQUAL(ecs_service_actions(s), 0);
	CU_ASSERT_EQUAL(ecs_service_commit(s, &e), 0);
	end();
}

static void test_checkpoint_limit(void)
{
	begin();
	CU_ASSERT_EQUAL(ecs_service_flow_chkpt_limit(s), 10);
	refused(ecs_service_flow_chkpt_per_call(s, 0, &e), SRP_ERANGE, "1 to 300");
	refused(ecs_service_flow_chkpt_per_call(s, 301, &e), SRP_ERANGE, "1 to 300");
	CU_ASSERT_EQUAL(ecs_service_flow_chkpt_limit(s), 10);
	CU_ASSERT_EQUAL(ecs_service_flow_chkpt_per_call(s, 1, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_flow_chkpt_limit(s), 1);
	CU_ASSERT_EQUAL(ecs_service_flow_chkpt_per_call(s, 300, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_flow_chkpt_limit(s), 300);
	end();
}

static void test_trigger_condition(void)
{
	begin();
	CU_ASSERT_EQUAL(ecs_service_trigger_condition(s, "tc", false, &e), 0);
	for (unsigned i = 0; i < ECS_COND_ENTRIES; i++)
		CU_ASSERT_EQUAL(
			ecs_service_cond_rule_name(s, "tc", false, ECS_OP_EQ, name("r", i), &e), 0);
	refused(ecs_service_cond_rule_name(s, "tc", false, ECS_OP_EQ, "r15", &e), SRP_EFULL,
	        "at most 15");
	CU_ASSERT_EQUAL(ecs_service_cond_rule_name(s, "tc", false, ECS_OP_EQ, "r3", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_cond_delay(s, "tc", 600, &e), 0); /* is no entry */
	CU_ASSERT_EQUAL(ecs_service_cond_delay(s, "tc", 1, &e), 0);
	refused(ecs_service_cond_delay(s, "tc", 601, &e), SRP_ERANGE, "1 to 600");
	refused(ecs_service_cond_rule_name(s, "tc", true, ECS_OP_CONTAINS, "r3", &e), SRP_ENOENT,
	        "no such rule-name");
	CU_ASSERT_EQUAL(ecs_service_cond_rule_name(s, "tc", true, ECS_OP_EQ, "r3", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_cond_rule_name(s, "tc", false, ECS_OP_ENDS, "r3", &e), 0);
	refused(ecs_service_cond_rule_name(s, "tc", true, ECS_OP_NE, "r1", &e), SRP_EINVAL,
	        "= contains starts-with ends-with");
	refused(ecs_service_cond_any(s, "tc", true, true, true, &e), SRP_ENOENT,
		"no such any-match");
	end();
}

static void test_schemes(void)
{
	begin();
	CU_ASSERT_EQUAL(ecs_service_scheme(s, "ss", false, &e), 0);
	refused(ecs_service_scheme_priority(s, "ss", false, 1, "c", "a", &e), SRP_ENOENT,
	        "trigger flow-create");
	refused(ecs_service_scheme_trigger(s, "ss", true, &e), SRP_ENOENT,
		"no trigger flow-create");
	CU_ASSERT_EQUAL(ecs_service_scheme_trigger(s, "ss", false, &e), 0);
	refused(ecs_service_scheme_priority(s, "ss", false, 0, "c", "a", &e), SRP_ERANGE,
		"1 to 127");
	refused(ecs_service_scheme_priority(s, "ss", false, 128, "c", "a", &e), SRP_ERANGE,
		"1 to 127");
	CU_ASSERT_EQUAL(ecs_service_scheme_priority(s, "ss", false, 1, "c", "a", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_scheme_priority(s, "ss", false, 127, "c", "a", &e), 0);
	refused(ecs_service_scheme_priority(s, "ss", true, 2, NULL, NULL, &e), SRP_ENOENT,
	        "no priority 2");
	CU_ASSERT_EQUAL(ecs_service_scheme_priority(s, "ss", true, 127, NULL, NULL, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_subs_base(s, "default", false, &e), 0);
	refused(ecs_service_subs_bind(s, "default", false, 0, "c", "ss", &e), SRP_ERANGE,
		"1 to 127");
	refused(ecs_service_subs_bind(s, "default", false, 128, "c", "ss", &e), SRP_ERANGE,
	        "1 to 127");
	CU_ASSERT_EQUAL(ecs_service_subs_bind(s, "default", false, 127, "c", "ss", &e), 0);
	refused(ecs_service_subs_bind(s, "default", true, 1, NULL, NULL, &e), SRP_ENOENT,
	        "no priority 1");
	CU_ASSERT_EQUAL(ecs_service_subs_class(s, "c", false, &e), 0);
	refused(ecs_service_subs_line(s, "c", false, ECS_SUBS_ANY, true, "MAYBE", &e), SRP_EINVAL,
	        "TRUE or FALSE");
	for (unsigned i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(
			ecs_service_subs_line(s, "c", false, ECS_SUBS_APN, true, name("a", i), &e),
			0);
	refused(ecs_service_subs_line(s, "c", false, ECS_SUBS_APN, true, "x", &e), SRP_EFULL,
	        "at most 32");
	end();
}

static void test_frozen(void)
{
	begin();
	CU_ASSERT_PTR_NULL(ecs_matcher_new(s));
	CU_ASSERT_EQUAL(ecs_service_commit(s, &e), 0);
	refused(ecs_service_commit(s, &e), SRP_ESTATE, "committed");
	refused(ecs_service_ruledef(s, "r", false, &e), SRP_ESTATE, "committed");
	CU_ASSERT_EQUAL(port_line("r", 1), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_rule_or(s, "r", true, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_group(s, "g", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_group_add(s, "g", false, 1, "r", &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_rulebase(s, "b", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "b", false, 1, false, "r", "c", &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_handshaking(s, "b", 0, &e), SRP_ESTATE);
	CU_ASSERT_PTR_NULL(ecs_service_charging_action(s, "c", false, &e));
	CU_ASSERT_EQUAL(ecs_service_flow_chkpt_per_call(s, 5, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_trigger_action(s, "a", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_flow_recovery(s, "a", true, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_trigger_condition(s, "t", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_cond_rule_name(s, "t", false, ECS_OP_EQ, "r", &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_cond_delay(s, "t", 1, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_cond_any(s, "t", false, true, true, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_scheme(s, "x", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_scheme_trigger(s, "x", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_scheme_priority(s, "x", false, 1, "t", "a", &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_subs_class(s, "k", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_subs_line(s, "k", false, ECS_SUBS_ANY, true, "TRUE", &e),
			SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_subs_or(s, "k", true, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_subs_base(s, "u", false, &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_subs_bind(s, "u", false, 1, "k", "x", &e), SRP_ESTATE);
	CU_ASSERT_EQUAL(ecs_service_stats_count(s), 0);
	end();
}

/* field, operator, value, second value: refused, and what the reason says */
static const struct {
	enum ecs_field f;
	enum ecs_op op;
	const char *a, *b;
	int rc;
	const char *why;
} bad_values[] = {
	{ECS_F_IP_ANY, ECS_OP_EQ, "YES", NULL, SRP_EINVAL, "TRUE or FALSE"},
	{ECS_F_IP_ANY, ECS_OP_LE, "TRUE", NULL, SRP_EINVAL, "one of = !="},
	{ECS_F_IP_ANY, ECS_OP_EQ, NULL, NULL, SRP_EINVAL, "a value"},
	{ECS_F_IP_ANY, ECS_OP_EQ, "TRUE", "FALSE", SRP_EINVAL, "one value only"},
	{ECS_F_IP_SRC, ECS_OP_EQ, "10.0.0", NULL, SRP_EFORMAT, "address"},
	{ECS_F_IP_SRC, ECS_OP_EQ, "10.0.0.256", NULL, SRP_EFORMAT, "address"},
	{ECS_F_IP_SRC, ECS_OP_EQ, "", NULL, SRP_EFORMAT, "address"},
	{ECS_F_IP_SRC, ECS_OP_EQ, "10.0.0.0/33", NULL, SRP_ERANGE, "0 to 32"},
	{ECS_F_IP_SRC, ECS_OP_EQ, "10.0.0.0/", NULL, SRP_ERANGE, "0 to 32"},
	{ECS_F_IP_SRC, ECS_OP_EQ, "10.0.0.0/-1", NULL, SRP_ERANGE, "0 to 32"},
	{ECS_F_IP_SRC, ECS_OP_EQ, "2001:db8::/129", NULL, SRP_ERANGE, "0 to 128"},
	{ECS_F_IP_SRC, ECS_OP_EQ, "::ffff:10.0.0.0/95", NULL, SRP_ERANGE, "96 to 128"},
	{ECS_F_IP_SRC, ECS_OP_LE, "10.0.0.0/8", NULL, SRP_EINVAL, "without prefix"},
	{ECS_F_IP_SRC, ECS_OP_CONTAINS, "10.0.0.1", NULL, SRP_EINVAL, "range !range"},
	{ECS_F_IP_SRC, ECS_OP_RANGE, "10.0.0.1", NULL, SRP_EINVAL, "end of the range"},
	{ECS_F_IP_SRC, ECS_OP_RANGE, "10.0.0.1", "10.0.0.1", SRP_ERANGE, "above 10.0.0.1"},
	{ECS_F_IP_SRC, ECS_OP_RANGE, "10.0.0.1", "10.0.0.0", SRP_ERANGE, "above"},
	{ECS_F_IP_SRC, ECS_OP_RANGE, "10.0.0.1", "2001:db8::", SRP_ERANGE, "same family"},
	{ECS_F_IP_SRC, ECS_OP_RANGE, "10.0.0.0/8", "11.0.0.1", SRP_EINVAL, "without prefix"},
	{ECS_F_IP_SRC, ECS_OP_RANGE, "10.0.0.1", "10.1.0.0/16", SRP_ERANGE, "end of the range"},
	{ECS_F_IP_PROTOCOL, ECS_OP_EQ, "256", NULL, SRP_ERANGE, "0 to 255 or the name"},
	{ECS_F_IP_PROTOCOL, ECS_OP_EQ, "tpc", NULL, SRP_ERANGE, "or the name"},
	{ECS_F_IP_PROTOCOL, ECS_OP_EQ, "99999999999", NULL, SRP_ERANGE, "0 to 255"},
	{ECS_F_IP_VERSION, ECS_OP_EQ, "4", NULL, SRP_EINVAL, "ipv4 or ipv6"},
	{ECS_F_ICMP_TYPE, ECS_OP_EQ, "tcp", NULL, SRP_ERANGE, "0 to 255 for"},
	{ECS_F_ICMP_CODE, ECS_OP_EQ, "256", NULL, SRP_ERANGE, "0 to 255"},
	{ECS_F_TCP_DPORT, ECS_OP_EQ, "0", NULL, SRP_ERANGE, "1 to 65535"},
	{ECS_F_TCP_DPORT, ECS_OP_EQ, "65536", NULL, SRP_ERANGE, "1 to 65535"},
	{ECS_F_TCP_DPORT, ECS_OP_EQ, "80x", NULL, SRP_ERANGE, "1 to 65535"},
	{ECS_F_TCP_DPORT, ECS_OP_EQ, "", NULL, SRP_ERANGE, "1 to 65535"},
	{ECS_F_TCP_DPORT, ECS_OP_RANGE, "80", "80", SRP_ERANGE, "from 81 to 65535"},
	{ECS_F_TCP_DPORT, ECS_OP_RANGE, "80", "65536", SRP_ERANGE, "from 81 to 65535"},
	{ECS_F_TCP_DPORT, ECS_OP_STARTS, "8", NULL, SRP_EINVAL, "= != <= >= range !range"},
	{ECS_F_TCP_STATE, ECS_OP_EQ, "none", NULL, SRP_EINVAL, "TCP state"},
	{ECS_F_TCP_STATE, ECS_OP_GE, "close", NULL, SRP_EINVAL, "one of = !="},
	{ECS_F_HTTP_HOST, ECS_OP_EQ, "", NULL, SRP_ERANGE, "1 to 127 characters"},
	{ECS_F_HTTP_HOST, ECS_OP_EQ, "a\nb", NULL, SRP_EINVAL, "printable"},
	{ECS_F_HTTP_HOST, ECS_OP_LE, "a", NULL, SRP_EINVAL, "starts-with"},
	{ECS_F_HTTP_HOST, ECS_OP_PRESENT, "a", NULL, SRP_EINVAL, "no value"},
	{ECS_F_HTTP_HOST, ECS_OP_REGEX, "a(b", NULL, SRP_EINVAL, "regular expression"},
	{ECS_F_HTTP_HOST, ECS_OP_REGEX, "(a)\\1", NULL, SRP_EINVAL, "regular expression"},
	{ECS_F_HTTP_HOST, ECS_OP_REGEX, "a{129}", NULL, SRP_ERANGE, "128 of them required"},
	{ECS_F_HTTP_HOST, ECS_OP_REGEX, "a{0,1025}", NULL, SRP_ERANGE, "at most 1024"},
	{ECS_F_HTTP_HOST, ECS_OP_REGEX, "a.{30000}b", NULL, SRP_ERANGE, "at most 1024"},
	{ECS_F_P2P_PROTOCOL, ECS_OP_EQ, "NoSuchApplication", NULL, SRP_EINVAL, "application"},
	{ECS_F_P2P_PROTOCOL, ECS_OP_EQ, "Unknown", NULL, SRP_EINVAL, "application"},
	{ECS_F_P2P_PROTOCOL, ECS_OP_NE, "DNS", NULL, SRP_EINVAL, "one of = after"},
	{ECS_F__N, ECS_OP_EQ, "1", NULL, SRP_EINVAL, "field"},
	{ECS_F_IP_ANY, ECS_OP__N, "1", NULL, SRP_EINVAL, "one of"},
};

static void test_values_are_checked(void)
{
	char a127[128], a128[129], *text;

	begin();
	CU_ASSERT_EQUAL(ecs_service_ruledef(s, "r", false, &e), 0);
	for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++)
		refused(ecs_service_rule_line(s, "r", false, bad_values[i].f, false,
					      bad_values[i].op, bad_values[i].a, bad_values[i].b,
					      &e),
			bad_values[i].rc, bad_values[i].why);
	refused(ecs_service_rule_line(s, "r", false, ECS_F_TCP_DPORT, true, ECS_OP_EQ, "1", NULL,
				      &e),
		SRP_EINVAL, "case-sensitive with a string");
	refused(ecs_service_rule_line(s, "r", false, ECS_F_TLS_SNI, true, ECS_OP_PRESENT, NULL,
				      NULL, &e),
		SRP_EINVAL, "case-sensitive with a string");
	text = ecs_rule_text_print(s); /* nothing of it has stayed */
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "  ruledef r\n  #exit\n"));
	free(text);
	memset(a127, '\\', 127);
	a127[127] = '\0';
	memset(a128, 'a', 128);
	a128[128] = '\0';
	CU_ASSERT_EQUAL(ecs_service_rule_line(s, "r", false, ECS_F_HTTP_URL, false, ECS_OP_EQ, a127,
	                                      NULL, &e),
	                0);
	refused(ecs_service_rule_line(s, "r", false, ECS_F_HTTP_URL, false, ECS_OP_EQ, a128, NULL,
				      &e),
		SRP_ERANGE, "1 to 127 characters for http url, not 128");
	CU_ASSERT_EQUAL(ecs_service_rule_line(s, "r", false, ECS_F_HTTP_URL, false, ECS_OP_REGEX,
	                                      "a{128}", NULL, &e),
	                0);
	CU_ASSERT_EQUAL(ecs_service_rule_line(s, "r", false, ECS_F_HTTP_URL, false, ECS_OP_REGEX,
	                                      "a{0,1024}", NULL, &e),
	                0);
	CU_ASSERT_EQUAL(ecs_service_rule_line(s, "r", false, ECS_F_HTTP_URL, false, ECS_OP_REGEX,
	                                      "^a.*b+$", NULL, &e),
	                0);
	CU_ASSERT_EQUAL(ecs_service_commit(s, &e), 0);
	end();
}

CU_TestInfo ecs_rule_limit_tests[] = {
	{"names", test_names},
	{"ruledefs and groups share their names", test_ruledefs_and_groups_share_names},
	{"counts at the limit and one past it", test_counts},
	{"lines of a ruledef", test_lines_of_a_ruledef},
	{"members of a group", test_group_members},
	{"action priorities", test_action_priorities},
	{"action lines in all rulebases", test_action_lines_in_all},
	{"numbers of a charging-action", test_numbers_of_an_action},
	{"flow-chkpt-per-call", test_checkpoint_limit},
	{"entries of a trigger-condition", test_trigger_condition},
	{"priorities of schemes", test_schemes},
	{"a committed service is read only", test_frozen},
	{"values are checked by type", test_values_are_checked},
	CU_TEST_INFO_NULL,
};

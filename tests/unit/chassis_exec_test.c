/* The operator's commands, and the pipes behind them. */
#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "chassis/cli/exec.h"
#include "chassis/cli/pipe.h"
#include "srp/err.h"

static const struct {
	const char *line;
	size_t row;
} taken[] = {
	{"show srp info", CHASSIS_EXEC_SRP_INFO}, {"sh srp ch stat", CHASSIS_EXEC_SRP_CHECKPOINT},
	{"show srp checkpoint statistics sessmgr all", CHASSIS_EXEC_SRP_CHECKPOINT},
	{"show srp checkpoint statistics sessmgr instance 32 verbose", CHASSIS_EXEC_SRP_CHECKPOINT},
	{"show srp checkpoint info", CHASSIS_EXEC_SRP_KINDS}, {"sh act fl all", CHASSIS_EXEC_FLOWS},
	{"show active-charging flows full callid 80000001", CHASSIS_EXEC_FLOWS},
	{"show active-charging ruledef statistics all charging", CHASSIS_EXEC_RULEDEF_STATS},
	{"show active-charging ruledef statistics name r instance 2", CHASSIS_EXEC_RULEDEF_STATS},
	{"show active-charging flow-kpi", CHASSIS_EXEC_FLOW_KPI},
	{"show active-charging flow-kpi all", CHASSIS_EXEC_FLOW_KPI},
	{"show active-charging flow-kpi instance 32", CHASSIS_EXEC_FLOW_KPI},
	{"show active-charging flows", CHASSIS_EXEC_FLOWS},
	{"show active-charging service all", CHASSIS_EXEC_SERVICE},
	{"show bulkstat", CHASSIS_EXEC_BULK}, {"show bulkstats data", CHASSIS_EXEC_BULK},
	{"show bulkstats schemas", CHASSIS_EXEC_BULK},
	{"show bulkstats variables flow-kpi", CHASSIS_EXEC_BULK_VARIABLES},
	{"show bulkstats variables", CHASSIS_EXEC_BULK_VARIABLES},
	{"bulkstats force gather", CHASSIS_EXEC_BULK_FORCE},
	{"clear bulkstats data", CHASSIS_EXEC_BULK_CLEAR},
	{"show active-charging trigger-action all", CHASSIS_EXEC_TRIGGER_ACTION},
	{"show configuration errors section active-charging verbose", CHASSIS_EXEC_CONFIG_ERRORS},
	{"show configuration", CHASSIS_EXEC_CONFIGURATION},
	{"session add imsi 001 username \"a b\" ip-address auto ipv6-address auto", CHASSIS_EXEC_SESSION_ADD},
	{"srp initiate-switchover timeout 0 force -noconfirm", CHASSIS_EXEC_SWITCHOVER},
	{"srp initiate-audit manual-with-sync", CHASSIS_EXEC_AUDIT}, {"no timestamps", CHASSIS_EXEC_TIMESTAMPS},
	{"terminal length 0", CHASSIS_EXEC_TERMINAL}, {"exit", CHASSIS_EXEC_EXIT},
	{"show subscribers all", CHASSIS_EXEC_SUBSCRIBERS}, {"show sub all", CHASSIS_EXEC_SUBSCRIBERS},
	{"show subscriber debug-info callid 01ca11b1", CHASSIS_EXEC_DEBUG_INFO},
	{"show subscribers debug-info msid 001010000000001", CHASSIS_EXEC_DEBUG_INFO},
	{"show sub debug username \"a b\"", CHASSIS_EXEC_DEBUG_INFO},
	{"show active-charging bearers", CHASSIS_EXEC_BEARERS},
	{"show active-charging bearers callid 01ca11b1", CHASSIS_EXEC_BEARERS},
	{"session bearer create callid 1 id 6 qci 1", CHASSIS_EXEC_BEARER_CREATE},
	{"session bearer create callid 1 id 15 qci 9 arp 15", CHASSIS_EXEC_BEARER_CREATE},
	{"session bearer delete callid 1 id 15", CHASSIS_EXEC_BEARER_DELETE},
	{"show session recovery checkpoint statistics", CHASSIS_EXEC_SR_CHECKPOINT},
	{"show session recovery checkpoint statistics sessmgr instance 32", CHASSIS_EXEC_SR_CHECKPOINT},
	{"show session recovery status", CHASSIS_EXEC_SESSION_RECOVERY},
	{"show session recovery status verbose", CHASSIS_EXEC_SESSION_RECOVERY},
	{"show task resources facility aaamgr instance 0", CHASSIS_EXEC_TASKS},
	{"show task resources", CHASSIS_EXEC_TASKS}, {"show crash list", CHASSIS_EXEC_CRASH_LIST},
	{"show crash number 1", CHASSIS_EXEC_CRASH},
};

static const char *const refused[] = {
	"show subscriber", "show subscriber all", "show subscribers debug-info",
	"show subscriber debug-info callid 0", "show subscriber debug-info callid 123456789",
	"session bearer create callid 1 id 5 qci 1", "session bearer create callid 1 id 16 qci 1",
	"session bearer create callid 1 id 6 qci 0", "session bearer create callid 1 id 6 qci 255",
	"session bearer create callid 1 id 6 qci 1 arp 16", "session bearer create callid 1 id 6",
	"session bearer delete callid 1 id 5", "session bearer delete callid 1", "show crash number 0",
	"show task resources facility nobody", "show task resources instance 33",
};

static void test_exec(void)
{
	char why[160] = "";
	struct chassis_grammar *g = chassis_exec_grammar(why, sizeof(why));
	struct chassis_line l;
	struct chassis_match m;
	struct chassis_cli_err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		CU_ASSERT_EQUAL(chassis_line_split(&l, taken[i].line, strlen(taken[i].line), &e), SRP_OK);
		if (chassis_grammar_match(g, 0, &l, &m, NULL, &e) != SRP_OK || m.row != taken[i].row)
			printf("\n%s: at '%s' %s\n", taken[i].line, e.word, e.text);
		CU_ASSERT_EQUAL(chassis_grammar_match(g, 0, &l, &m, NULL, &e), SRP_OK);
		CU_ASSERT_EQUAL(m.row, taken[i].row);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		CU_ASSERT_EQUAL(chassis_line_split(&l, refused[i], strlen(refused[i]), &e), SRP_OK);
		CU_ASSERT_NOT_EQUAL(chassis_grammar_match(g, 0, &l, &m, NULL, &e), SRP_OK);
	}
	CU_ASSERT_EQUAL(chassis_exec_where(CHASSIS_EXEC_SWITCHOVER), CHASSIS_EXEC_ASK);
	CU_ASSERT_EQUAL(chassis_exec_where(CHASSIS_EXEC_SESSION_LOAD), CHASSIS_EXEC_FILE);
	chassis_grammar_free(g);
}

static void test_pipe(void)
{
	static const struct {
		const char *line;
		size_t command;
		const char *passes, *not;
		bool json, more;
	} good[] = {
		{"show a", 6, "x", NULL, false, false},
		{"show a | grep b", 7, "abc", "acd", false, false},
		{"show a|grep -i B", 6, "abc", "acd", false, false},
		{"show a | grep -v b", 7, "acd", "abc", false, false},
		{"show a | grep -E -v \"x|y\"", 7, "abc", "axc", false, false},
		{"show a | grep -Ev \"x|y\"", 7, "abc", "ayc", false, false},
		{"show a | grep x|y", 0, NULL, NULL, false, false},
		{"show a | grep Chassis State", 7, "Chassis State: x", "Chassis", false, false},
		{"show a | grep a | grep -v b | more", 7, "ac", "ab", false, true},
		{"show a | json", 7, "x", NULL, true, false},
		{"show \"a|b\" | json", 11, "x", NULL, true, false},
	};
	static const struct {
		const char *line, *text;
	} bad[] = {
		{"a |", "expected grep, more or json"}, {"a | sort", "expected grep, more or json"},
		{"a | grep", "expected a pattern"}, {"a | grep -x b", "expected -i, -v or -E"},
		{"a | grep - b", "expected -i, -v or -E"},
		{"a | grep \"[\"", "expected a regular expression"}, {"a | json now", "expected end of line"},
		{"a | grep \"b", "expected a closing quotation mark"},
		{"a|grep b|grep b|grep b|grep b|grep b", "expected at most four filters"},
		{"a || more", "expected grep, more or json"},
	};
	struct chassis_pipe p;
	struct chassis_cli_err e;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int rc = chassis_pipe_parse(&p, good[i].line, &e);

		if (!good[i].command) {
			CU_ASSERT_EQUAL(rc, SRP_EINVAL);
			continue;
		}
		CU_ASSERT_EQUAL_FATAL(rc, SRP_OK);
		CU_ASSERT_EQUAL(p.command, good[i].command);
		CU_ASSERT_EQUAL(p.json, good[i].json);
		CU_ASSERT_EQUAL(p.more, good[i].more);
		CU_ASSERT(chassis_pipe_passes(&p, good[i].passes));
		CU_ASSERT(!good[i].not || !chassis_pipe_passes(&p, good[i].not));
		chassis_pipe_free(&p);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(chassis_pipe_parse(&p, bad[i].line, &e), SRP_EINVAL);
		CU_ASSERT_STRING_EQUAL(e.text, bad[i].text);
	}
}

CU_TestInfo chassis_exec_tests[] = {
	{"commands", test_exec},
	{"pipes", test_pipe},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "chassis/cli/grammar.h"
#include "chassis/cli/program.h"
#include "srp/err.h"

enum { EXEC, SRP, MODES };

static const struct chassis_row rows[] = {
	{EXEC, "show srp info", EXEC, "Role."},
	{EXEC, "show srp checkpoint statistics [sessmgr {all|instance <num:1..32>}] [verbose]", EXEC, "Counters."},
	{EXEC, "show subscribers {all|callid <callid>}", EXEC, "Sessions."},
	{EXEC, "srp initiate-switchover [force|timeout <num:0..65535>|-noconfirm]*", EXEC, "Switch."},
	{EXEC, "configure", SRP, "Configure."},
	{EXEC, "context <name:5>", SRP, "Context."},
	{SRP, "dead-interval {<num:1..65535>|msec <msec=num:1..9>}", SRP, "Dead."},
	{SRP, "rule-name {=|!=|<=|>=|contains} <name>", SRP, "Rule."},
	{SRP, "ip address {<prefix4>|<addr4> <mask4>}", SRP, "Address."},
	{SRP, "ipv6 address <prefix6>", SRP, "Address."},
	{SRP, "peer <addr> port {<num>|auto}", SRP, "Peer."},
	{SRP, "url <text>", SRP, "Text."},
	{SRP, "imsi <digits:6..15>", SRP, "Digits."},
	{SRP, "mark {red|green <num:1..9>}+ [done]", SRP, "Marks."},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct chassis_grammar *grammar(void)
{
	char why[160] = "";
	struct chassis_grammar *g = chassis_grammar_new(rows, ROWS, MODES, why, sizeof(why));

	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	return g;
}

static int match(struct chassis_grammar *g, unsigned mode, const char *text, struct chassis_line *l,
                 struct chassis_match *m, struct chassis_cli_err *e)
{
	int rc;

	memset(e, 0, sizeof(*e));
	rc = chassis_line_split(l, text, strlen(text), e);
	return rc ? rc : chassis_grammar_match(g, mode, l, m, NULL, e);
}

static void test_good(void)
{
	static const struct {
		unsigned mode;
		const char *line;
		size_t row;
	} good[] = {
		{EXEC, "show srp info", 0},
		{EXEC, "  sh\tsr  i ", 0},
		{EXEC, "SHOW Srp INFO", 0},
		{EXEC, "show srp checkpoint statistics", 1},
		{EXEC, "sh srp ch st sessmgr all", 1},
		{EXEC, "sh srp ch st sess inst 32 verb", 1},
		{EXEC, "show subscribers callid 80000001", 2},
		{EXEC, "show subscribers callid 0xFFFFFFFF", 2},
		{EXEC, "srp initiate-switchover", 3},
		{EXEC, "srp init -noconfirm timeout 65535 force", 3},
		{EXEC, "conf", 4},
		{EXEC, "configure", 4},
		{EXEC, "context abcde", 5},
		{EXEC, "context conf", 5},
		{SRP, "dead-interval 65535", 6},
		{SRP, "dead-interval msec 9", 6},
		{SRP, "rule-name <= a", 7},
		{SRP, "rule-name c =", 7},
		{SRP, "ip address 10.0.0.1/0", 8},
		{SRP, "ip address 10.0.0.1 255.255.0.0", 8},
		{SRP, "ipv6 address 2001:db8::1/128", 9},
		{SRP, "peer ::1 port auto", 10},
		{SRP, "peer 192.0.2.1 port 4294967295", 10},
		{SRP, "url \"a b\"", 11},
		{SRP, "url \"a\\\\.b\"", 11},
		{SRP, "imsi 123456", 12},
		{SRP, "imsi 001010123456789", 12},
		{SRP, "mark red", 13},
		{SRP, "mark green 9 red done", 13},
	};
	struct chassis_grammar *g = grammar();
	struct chassis_line l;
	struct chassis_match m;
	struct chassis_cli_err e;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int rc = match(g, good[i].mode, good[i].line, &l, &m, &e);

		if (rc || m.row != good[i].row)
			printf("\n%s: %d row %zu at '%s' %s\n", good[i].line, rc, m.row, e.word, e.text);
		CU_ASSERT_EQUAL(rc, SRP_OK);
		CU_ASSERT_EQUAL(m.row, good[i].row);
	}
	chassis_grammar_free(g);
}

static const struct {
	unsigned mode;
	const char *line, *word, *text;
} bad[] = {
	{EXEC, "shaw", "shaw", "expected show, srp, configure or context"},
	{EXEC, "con", "con", "expected either configure or context, not a part of both"},
	{EXEC, "show srp", "", "expected info or checkpoint"},
	{EXEC, "s", "s", "expected either show or srp, not a part of both"},
	{EXEC, "show srp info now", "now", "expected end of line"},
	{EXEC, "show srp checkpoint statistics sessmgr instance 33", "33", "expected a number from 1 to 32"},
	{EXEC, "show srp checkpoint statistics sessmgr instance 0", "0", "expected a number from 1 to 32"},
	{EXEC, "show srp checkpoint statistics verbose verbose", "verbose", "expected end of line"},
	{EXEC, "show subscribers callid 100000000", "100000000", "expected a call-id of 1 to 8 hex digits"},
	{EXEC, "show subscribers callid 0", "0", "expected a call-id of 1 to 8 hex digits"},
	{EXEC, "srp initiate-switchover force force", "force", "expected 'force' only once"},
	{EXEC, "srp initiate-switchover timeout", "", "expected a number from 0 to 65535"},
	{EXEC, "srp initiate-switchover timeout 65536", "65536", "expected a number from 0 to 65535"},
	{EXEC, "context abcdef", "abcdef", "expected a name of 1 to 5 characters"},
	{EXEC, "\"show\" srp info", "show", "expected show, srp, configure or context"},
	{SRP, "dead-interval -1", "-1", "expected a number from 1 to 65535 or msec"},
	{SRP, "dead-interval 1e3", "1e3", "expected a number from 1 to 65535 or msec"},
	{SRP, "dead-interval 99999999999999999999", "99999999999999999999", "expected a number from 1 to 65535 or msec"},
	{SRP, "dead-interval msec 10", "10", "expected a number from 1 to 9"},
	{SRP, "rule-name > a", ">", "expected =, !=, <=, >= or contains"},
	{SRP, "mark", "", "expected red or green"},
	{SRP, "mark done", "done", "expected red or green"},
	{SRP, "mark red red", "red", "expected 'red' only once"},
	{SRP, "mark green 1 done red", "red", "expected end of line"},
	{SRP, "rule-name ! a", "!", "expected =, !=, <=, >= or contains"},
	{EXEC, "srp initiate-switchover -", "-", "expected force, timeout, -noconfirm or end of line"},
	{SRP, "rule-name ~ a", "~", "expected =, !=, <=, >= or contains"},
	{SRP, "rule-name = 123456789012345678901234567890123456789012345678901234567890abcd",
	 "123456789012345678901234567890123456789012345678901234567890abcd", "expected a name of 1 to 63 characters"},
	{SRP, "rule-name = \"\"", "", "expected a name of 1 to 63 characters"},
	{SRP, "rule-name = \"a b\"", "a b", "expected a name of 1 to 63 characters"},
	{SRP, "ip address 10.0.0.1/33", "10.0.0.1/33", "expected an IPv4 address/length or an IPv4 address"},
	{SRP, "ip address 10.0.0.1 255.0.255.0", "255.0.255.0", "expected an IPv4 mask"},
	{SRP, "ip address 10.0.0", "10.0.0", "expected an IPv4 address/length or an IPv4 address"},
	{SRP, "ipv6 address 10.0.0.1/8", "10.0.0.1/8", "expected an IPv6 address/length"},
	{SRP, "ipv6 address ::ffff:10.0.0.1/128", "::ffff:10.0.0.1/128", "expected an IPv6 address/length"},
	{SRP, "ipv6 address 2001:db8::1", "2001:db8::1", "expected an IPv6 address/length"},
	{SRP, "peer example.com port 1", "example.com", "expected an IPv4 or IPv6 address"},
	{SRP, "peer ::1 port 4294967296", "4294967296", "expected a number from 0 to 4294967295 or auto"},
	{SRP, "url \"a b", "\"a b", "expected a closing quotation mark"},
	{SRP, "url \"a\"b", "\"a\"", "expected a blank after the quotation mark"},
	{SRP, "url \"a\\\"b\"", "a\"b", "expected text of 1 to 127 characters"},
	{SRP, "url \x01", "url ?", "expected printable characters"},
	{SRP, "url \xc3\xa9", "\xc3\xa9", "expected text of 1 to 127 characters"},
	{SRP, "imsi 12345", "12345", "expected decimal digits, 6 to 15"},
	{SRP, "imsi 1234567890123456", "1234567890123456", "expected decimal digits, 6 to 15"},
	{SRP, "imsi 12345x", "12345x", "expected decimal digits, 6 to 15"},
	{SRP, "show srp info", "show", "expected dead-interval"},
};

static void test_bad(void)
{
	struct chassis_grammar *g = grammar();
	struct chassis_line l;
	struct chassis_match m;
	struct chassis_cli_err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = match(g, bad[i].mode, bad[i].line, &l, &m, &e);
		bool same = strncmp(e.text, bad[i].text, strlen(bad[i].text)) == 0;

		if (rc == SRP_OK || !same || strcmp(e.word, bad[i].word) != 0)
			printf("\n%s: %d at '%s' %s\n", bad[i].line, rc, e.word, e.text);
		CU_ASSERT_NOT_EQUAL(rc, SRP_OK);
		CU_ASSERT(same);
		CU_ASSERT_STRING_EQUAL(e.word, bad[i].word);
	}
	chassis_grammar_free(g);
}

static void test_args(void)
{
	struct chassis_grammar *g = grammar();
	struct chassis_line l;
	struct chassis_match m;
	struct chassis_cli_err e;

	CU_ASSERT_EQUAL_FATAL(match(g, EXEC, "srp ini timeout 7 -noc", &l, &m, &e), SRP_OK);
	CU_ASSERT(chassis_match_has(&m, "-noconfirm"));
	CU_ASSERT(!chassis_match_has(&m, "force"));
	CU_ASSERT_EQUAL(chassis_match_num(&m, "num", 300), 7);
	CU_ASSERT_EQUAL(chassis_match_num(&m, "burst", 300), 300);
	CU_ASSERT_EQUAL_FATAL(match(g, SRP, "ip address 10.0.0.1 255.255.255.252", &l, &m, &e), SRP_OK);
	CU_ASSERT_EQUAL(chassis_match_num(&m, "mask4", 0), 30);
	CU_ASSERT_PTR_NULL(chassis_match_text(&m, "prefix4"));
	CU_ASSERT_EQUAL_FATAL(match(g, SRP, "url \"a \\\\ \"", &l, &m, &e), SRP_OK);
	CU_ASSERT_STRING_EQUAL(chassis_match_text(&m, "text"), "a \\ ");
	CU_ASSERT_EQUAL_FATAL(match(g, EXEC, "show sub ca 0x8000000a", &l, &m, &e), SRP_OK);
	CU_ASSERT_EQUAL(chassis_match_num(&m, "callid", 0), 0x8000000a);
	CU_ASSERT_PTR_NOT_NULL(chassis_match_arg(&m, "show"));
	chassis_grammar_free(g);
}

/* A line that is cut at any byte, or has any byte changed, is refused or is a command; never worse. */
static void test_mutations(void)
{
	static const char line[] = "srp initiate-switchover timeout 60 force -noconfirm";
	struct chassis_grammar *g = grammar();
	struct chassis_line l;
	struct chassis_match m;
	struct chassis_cli_err e;
	char text[sizeof(line)];
	unsigned ok = 0;

	for (size_t n = 0; n < sizeof(line); n++) {
		if (chassis_line_split(&l, line, n, &e) == SRP_OK)
			ok += chassis_grammar_match(g, EXEC, &l, &m, NULL, &e) == SRP_OK;
		for (unsigned b = 0; b < 256 && n < sizeof(line) - 1; b++) {
			memcpy(text, line, sizeof(line));
			text[n] = (char)b;
			if (chassis_line_split(&l, text, sizeof(line) - 1, &e) == SRP_OK)
				ok += chassis_grammar_match(g, EXEC, &l, &m, NULL, &e) == SRP_OK;
			else
				CU_ASSERT(strncmp(e.text, "expected ", 9) == 0);
		}
	}
	CU_ASSERT(ok > 20);
	chassis_grammar_free(g);
}

static void test_limits(void)
{
	static char text[CHASSIS_LINE_MAX + 2];
	struct chassis_line l;
	struct chassis_cli_err e;
	size_t n = 0;

	memset(text, 'x', sizeof(text));
	CU_ASSERT_EQUAL(chassis_line_split(&l, text, CHASSIS_LINE_MAX, &e), SRP_OK);
	CU_ASSERT_EQUAL(strlen(l.word[0]), CHASSIS_LINE_MAX);
	CU_ASSERT_EQUAL(chassis_line_split(&l, text, CHASSIS_LINE_MAX + 1, &e), SRP_EINVAL);
	for (size_t i = 0; i < CHASSIS_WORDS_MAX; i++)
		n += (size_t)sprintf(text + n, "w ");
	CU_ASSERT_EQUAL(chassis_line_split(&l, text, n, &e), SRP_OK);
	CU_ASSERT_EQUAL(l.n, CHASSIS_WORDS_MAX);
	CU_ASSERT(l.blank_end);
	text[n] = 'w';
	CU_ASSERT_EQUAL(chassis_line_split(&l, text, n + 1, &e), SRP_EINVAL);
	CU_ASSERT_STRING_EQUAL(e.text, "expected at most 48 words in a line");
	CU_ASSERT_EQUAL(chassis_line_split(&l, "", 0, &e), SRP_OK);
	CU_ASSERT_EQUAL(l.n, 0);
}

struct next {
	char text[600];
	unsigned n;
};

static void collect(void *arg, const char *word, bool keyword, const char *help)
{
	struct next *x = arg;
	size_t used = strlen(x->text);

	snprintf(x->text + used, sizeof(x->text) - used, "%s%s=%s;", keyword ? "" : "*", word, help);
	x->n++;
}

static void test_next(void)
{
	struct chassis_grammar *g = grammar();
	struct chassis_line l;
	struct chassis_cli_err e;
	struct next x = {"", 0};

	chassis_line_split(&l, "show srp ", 9, &e);
	CU_ASSERT_EQUAL(chassis_grammar_next(g, EXEC, &l, 2, "", collect, &x, &e), SRP_OK);
	CU_ASSERT_STRING_EQUAL(x.text, "info=Role.;checkpoint=Counters.;");
	memset(&x, 0, sizeof(x));
	CU_ASSERT_EQUAL(chassis_grammar_next(g, EXEC, &l, 0, "s", collect, &x, &e), SRP_OK);
	CU_ASSERT_STRING_EQUAL(x.text, "show=;srp=Switch.;");
	memset(&x, 0, sizeof(x));
	chassis_line_split(&l, "dead-interval", 13, &e);
	CU_ASSERT_EQUAL(chassis_grammar_next(g, SRP, &l, 1, "", collect, &x, &e), SRP_OK);
	CU_ASSERT_STRING_EQUAL(x.text, "*a number from 1 to 65535=Dead.;msec=Dead.;");
	memset(&x, 0, sizeof(x));
	chassis_line_split(&l, "show srp info", 13, &e);
	CU_ASSERT_EQUAL(chassis_grammar_next(g, EXEC, &l, 3, "", collect, &x, &e), SRP_OK);
	CU_ASSERT_STRING_EQUAL(x.text, "*end of line=Role.;");
	CU_ASSERT_EQUAL(chassis_grammar_next(g, SRP, &l, 3, "", collect, &x, &e), SRP_EINVAL);
	chassis_grammar_free(g);
}

static void test_patterns(void)
{
	static const struct {
		const char *pattern;
		int rc;
	} all[] = {
		{"a", SRP_OK}, {"{a|b} [c|d e]* <num:1..2>", SRP_OK}, {"[a [b [c]]]", SRP_OK},
		{"<= >=", SRP_OK}, {"{a", SRP_EFORMAT}, {"a}", SRP_EFORMAT}, {"[a}", SRP_EFORMAT},
		{"<num", SRP_EFORMAT}, {"<number>", SRP_EFORMAT}, {"<num:2..1>", SRP_EFORMAT},
		{"<num:x>", SRP_EFORMAT}, {"<num:1.2>", SRP_EFORMAT}, {"<=num>", SRP_OK},
		{"<a=num:1..2x>", SRP_EFORMAT}, {"a|b", SRP_EFORMAT},
		{"[[[[[[[[[a]]]]]]]]]", SRP_EDEPTH},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct chassis_program p = {0};
		uint16_t first;
		int rc = chassis_program_add(&p, all[i].pattern, 0, &first);

		if (rc != all[i].rc)
			printf("\n%s: %d\n", all[i].pattern, rc);
		CU_ASSERT_EQUAL(rc, all[i].rc);
		chassis_program_free(&p);
	}
}

CU_TestInfo chassis_grammar_tests[] = {
	{"lines that are commands", test_good},
	{"lines that are not, and why", test_bad},
	{"arguments", test_args},
	{"cut and changed lines", test_mutations},
	{"limits of a line", test_limits},
	{"what may follow", test_next},
	{"patterns", test_patterns},
	CU_TEST_INFO_NULL,
};

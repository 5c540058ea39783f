#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chapter_table.h"
#include "doc_out.h"
#include "json_check.h"
#include "stats/doc.h"

#define COLS 16
static const struct stats_col cols[COLS] = {
	{"checkpoint_type", "Checkpoint-type", 17, true},
	{"messages_sent", "Messages sent", 6, false},
	{"encoding_attempted", "Encoding attempted", 6, false},
	{"rate_now", "Checkpoint rate(now)", 4, false},
	{"rate_30min", "Checkpoint rate(last 30 min)", 3, false},
	{"ignored_first_fc", "Ignored as first FC never sent", 3, false},
	{"ignored_invalidate", "Ignored as Invalidate CRR sent", 3, false},
	{"encoding_failure", "Encoding failure", 3, false},
	{"encoding_failure_ignored", "Encoding failure ignored", 3, false},
	{"not_ready", "Session not ready for recovery", 3, false},
	{"gr_state", "Invalid GR state", 3, false},
	{"congested", "Write list congested", 3, false},
	{"recovery", "Recovery in progress", 3, false},
	{"audit", "External_audit_in_progress", 3, false},
	{"bytes_sent", "Bytes sent", 9, false},
	{"rate_limited", "Checkpoints Rate limited", 3, false},
};
static const struct stats_table ladder = {
	"sent", "SRP Session Checkpoint Sent Statistics", STATS_TABLE_LADDER, cols, COLS};

static void row(struct stats_doc *d, const char *name, uint64_t sent, uint64_t attempted,
                uint64_t audit, uint64_t bytes, uint64_t limited)
{
	struct stats_value v[COLS] = {{0}};

	v[0] = stats_string(name);
	v[1].u = sent;
	v[2].u = attempted;
	v[13].u = audit;
	v[14].u = bytes;
	v[15].u = limited;
	stats_doc_row(d, v);
}

static void print_ladder(struct stats_doc *d)
{
	stats_doc_table(d, &ladder);
	row(d, "UPDATE_CLPSTATS", 0, 0, 3, 0, 0);
	row(d, "ACS_SESS_INFO", 2060, 2060, 0, 298130, 0);
	row(d, "ACS_CALL_INFO", 2060, 2060, 0, 306240, 0);
	row(d, "PGW_UBR_MBR_INFO", 1000, 1000, 0, 457000, 0);
	row(d, "ACS_FLOW_INFO", 30, 50, 0, 8490, 20);
	row(d, "DEL_ACS_FLOW_INFO", 30, 50, 0, 6060, 20);
	row(d, "Full Checkpoint", 1000, 1000, 0, 4754470, 0);
	stats_doc_table_end(d);
}

static void test_ladder(void)
{
	static struct out o;
	struct stats_doc d;

	o.n = 0;
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	print_ladder(&d);
	stats_doc_end(&d);
	CU_ASSERT_STRING_EQUAL(o.text, chapter_table);
}

/* Numbers of any size stay apart, and those behind a long one return to their place. */
static void test_ladder_wide(void)
{
	static struct out o;
	struct stats_doc d;
	char *line, *save = NULL;
	int rows = 0;

	o.n = 0;
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	stats_doc_table(&d, &ladder);
	row(&d, "DYNAMIC_RULE_DEL_INFO", 123456789, UINT64_MAX, UINT64_MAX, UINT64_MAX, 7);
	row(&d, "A", 1, 1, 0, 999999999, 1);
	stats_doc_table_end(&d);
	for (line = strtok_r(o.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int fields = 0;
		char *word, *in = NULL;

		if (strncmp(line, "     ", 5) != 0)
			continue;
		rows++;
		for (word = strtok_r(line, " ", &in); word; word = strtok_r(NULL, " ", &in))
			fields++;
		CU_ASSERT_EQUAL(fields, COLS);
	}
	CU_ASSERT_EQUAL(rows, 2);
}

static void test_ladder_json(void)
{
	static struct out o;
	struct stats_doc d;

	o.n = 0;
	stats_doc_begin(&d, STATS_DOC_JSON, put, &o);
	print_ladder(&d);
	stats_doc_end(&d);
	CU_ASSERT(json_valid(o.text, o.n));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "{\"sent\":["));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"checkpoint_type\":\"DEL_ACS_FLOW_INFO\","
	                                      "\"messages_sent\":30,\"encoding_attempted\":50"));
	CU_ASSERT_PTR_NULL(strstr(o.text, "==="));
}

static const struct stats_col rule_cols[] = {
	{"ruledef_name", "Ruledef Name", 18, true},
	{"packets_down", "Packets-Down", 13, false},
	{"bytes_down", "Bytes-Down", 11, false},
	{"hidden", NULL, 0, false},
	{"hits", "Hits", 10, false},
};

static void test_plain(void)
{
	const struct stats_table t = {"rules", NULL, STATS_TABLE_PLAIN, rule_cols, 5};
	const struct stats_value a[] = {stats_string("AUP-CLARO_MUSICA-1"), stats_uint(8500435),
	                                stats_uint(10259987593), stats_uint(1), stats_uint(12990862)};
	const struct stats_value empty[] = {stats_string(""), stats_uint(1), stats_uint(2), stats_uint(3),
	                                    stats_uint(4)};
	static struct out o;
	struct stats_doc d;

	o.n = 0;
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	stats_doc_table(&d, &t);
	stats_doc_row(&d, a);
	stats_doc_row(&d, empty);
	stats_doc_table_end(&d);
	CU_ASSERT_STRING_EQUAL(o.text, "Ruledef Name        Packets-Down  Bytes-Down       Hits\n"
	                               "------------        ------------  ----------       ----\n"
	                               "AUP-CLARO_MUSICA-1       8500435 10259987593   12990862\n"
	                               "-                              1           2          4\n");
}

static void test_blocks(void)
{
	const struct stats_table t = {"rules", NULL, STATS_TABLE_BLOCKS, rule_cols, 5};
	const struct stats_value a[] = {stats_string("x\ny"), stats_uint(1), stats_uint(2),
	                                stats_uint(3), stats_bool(true)};
	static struct out o;
	struct stats_doc d;

	o.n = 0;
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	stats_doc_layout(&d, 16, false);
	stats_doc_table(&d, &t);
	stats_doc_row(&d, a);
	stats_doc_row(&d, a);
	stats_doc_table_end(&d);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Ruledef Name:   x?y\nPackets-Down:   1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Hits:           Y\n\nRuledef Name:"));
	o.n = 0;
	stats_doc_table(&d, &t);
	stats_doc_row(&d, (const struct stats_value[]){stats_string(""), stats_uint(0), stats_uint(0), stats_uint(0),
	                                               stats_bool(false)});
	stats_doc_table_end(&d);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Ruledef Name:   n/a\nPackets-Down:   0\n"));
}

static void test_items(void)
{
	static struct out o;
	struct stats_doc d;

	for (int json = 0; json < 2; json++) {
		o.n = 0;
		stats_doc_begin(&d, json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
		stats_doc_layout(&d, 34, false);
		stats_doc_open(&d, "srp", "Service Redundancy Protocol:");
		stats_doc_item(&d, "chassis_state", "Chassis State", stats_string("Active"));
		stats_doc_item_as(&d, "last_hello_s", "Last Hello", stats_uint(3), "3 seconds ago");
		stats_doc_item(&d, "hidden", NULL, stats_bool(false));
		stats_doc_close(&d);
		stats_doc_layout(&d, 56, true);
		stats_doc_item(&d, "sessmgrs", "Number of Sessmgrs", stats_uint(12));
		stats_doc_line(&d, "a line");
		stats_doc_end(&d);
		if (json) {
			CU_ASSERT_STRING_EQUAL(o.text,
			        "{\"srp\":{\"chassis_state\":\"Active\",\"last_hello_s\":3,"
			        "\"hidden\":false},\"sessmgrs\":12}\n");
		} else {
			CU_ASSERT_STRING_EQUAL(o.text,
			        "Service Redundancy Protocol:\n"
			        "Chassis State:                    Active\n"
			        "Last Hello:                       3 seconds ago\n"
			        "Number of Sessmgrs:                                   12\n"
			        "a line\n");
		}
	}
}

/* Values and objects in lists, tables in objects of lists. */
static void test_lists(void)
{
	const struct stats_table t = {"rules", NULL, STATS_TABLE_PLAIN, rule_cols + 1, 2};
	static struct out o;
	struct stats_doc d;

	for (int json = 0; json < 2; json++) {
		o.n = 0;
		stats_doc_begin(&d, json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
		stats_doc_list(&d, "objects");
		for (unsigned i = 0; i < 2; i++) {
			stats_doc_open(&d, NULL, NULL);
			stats_doc_item(&d, "name", "Name", stats_string("x"));
			stats_doc_list(&d, "lines");
			for (unsigned k = 0; k < 2 * i; k++)
				stats_doc_item(&d, NULL, "Line", stats_uint(k));
			stats_doc_list_end(&d);
			stats_doc_table(&d, &t);
			stats_doc_row(&d, (const struct stats_value[]){stats_uint(1), stats_uint(2)});
			stats_doc_table_end(&d);
			stats_doc_close(&d);
		}
		stats_doc_list_end(&d);
		stats_doc_item(&d, "total", NULL, stats_uint(2));
		stats_doc_end(&d);
		if (json)
			CU_ASSERT_STRING_EQUAL(o.text,
			        "{\"objects\":[{\"name\":\"x\",\"lines\":[],"
			        "\"rules\":[{\"packets_down\":1,\"bytes_down\":2}]},\n"
			        "{\"name\":\"x\",\"lines\":[0,1],"
			        "\"rules\":[{\"packets_down\":1,\"bytes_down\":2}]}],\"total\":2}\n")
		else
			CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Name: x\nLine: 0\nLine: 1\n"))
	}
}

/* Every pair of bytes, and some longer ones: valid JSON, and nothing of it lost without a trace. */
static void test_json_bytes(void)
{
	static const char *const more[] = {
		"\xe2\x82\xac", "\xe2\x82", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\xf4\x90\x80\x80",
		"\xc0\x80", "\xf0\x80\x80\x80", "\xe2", "\xf0\x9f\x98", "\x7f\x01\"\\/",
	};
	static struct out o;
	struct stats_doc d;
	char s[3] = "";
	unsigned bad = 0;

	for (unsigned a = 1; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			s[0] = (char)a;
			s[1] = (char)b;
			o.n = 0;
			stats_doc_begin(&d, STATS_DOC_JSON, put, &o);
			stats_doc_item(&d, "k", "k", stats_string(s));
			stats_doc_end(&d);
			bad += !json_valid(o.text, o.n);
		}
	}
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		o.n = 0;
		stats_doc_begin(&d, STATS_DOC_JSON, put, &o);
		stats_doc_item(&d, more[i], NULL, stats_string(more[i]));
		stats_doc_end(&d);
		bad += !json_valid(o.text, o.n);
		if (i == 0)
			CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\xe2\x82\xac"));
		if (i == 2)
			CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\\u00ed\\u00a0\\u0080"));
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT(!json_valid("{\"a\":}", 6));
	CU_ASSERT(!json_valid("{\"a\":1,}", 8));
}

/* A line of any length is cut, not written beyond its end. */
static void test_long(void)
{
	const struct stats_table t = {"rules", NULL, STATS_TABLE_PLAIN, rule_cols, 5};
	static char big[5000];
	const struct stats_value a[] = {stats_string(big), stats_uint(1), stats_uint(2), stats_uint(3),
	                                stats_uint(4)};
	static struct out o;
	struct stats_doc d;

	memset(big, 'x', sizeof(big) - 1);
	o.n = 0;
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	stats_doc_table(&d, &t);
	stats_doc_row(&d, a);
	stats_doc_table_end(&d);
	stats_doc_item(&d, "k", "Label", stats_string(big));
	stats_doc_line(&d, "%s", big);
	CU_ASSERT(o.n < 3 * (STATS_TABLE_LINE_MAX + 1) + 200);
	CU_ASSERT_EQUAL(o.text[o.n - 1], '\n');
}

CU_TestInfo stats_doc_tests[] = {
	{"ladder as in the chapter", test_ladder},
	{"ladder with long numbers", test_ladder_wide},
	{"ladder as JSON", test_ladder_json},
	{"plain table", test_plain},
	{"blocks", test_blocks},
	{"items", test_items},
	{"lists", test_lists},
	{"JSON of any bytes", test_json_bytes},
	{"long lines", test_long},
	CU_TEST_INFO_NULL,
};

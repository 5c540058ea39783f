/* Rows that tasks answer with, and the shows that are made of them. */
#include "config.h"
#include "suites.h"

#include "chassis/cli/answer.h"
#include "show_kit.h"
#include "srp/err.h"

#define ONE(name, type) +1
enum { FLOW_LEN = 0 CHASSIS_ROW_FLOW(ONE), SRP_LEN = 0 CHASSIS_ROW_SRP(ONE) };
#undef ONE

static size_t flow_row(uint8_t *buf, size_t cap, const char *rule, unsigned more)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

#define FIELD_u(name) srp_mp_w_uint(&w, strcmp(#name, "callid") == 0 ? 0x8000000a : 7);
#define FIELD_s(name) srp_mp_w_str(&w, strcmp(#name, "rule") == 0 ? rule : #name);
#define FIELD_b(name) srp_mp_w_bool(&w, true);
#define FIELD(name, type) FIELD_##type(name)
	srp_mp_w_array(&w, FLOW_LEN + more);
	CHASSIS_ROW_FLOW(FIELD)
	for (unsigned i = 0; i < more; i++)
		srp_mp_w_str(&w, "newer");
	CU_ASSERT_EQUAL_FATAL(w.err, 0);
	return srp_mp_w_len(&w);
}

static void test_answer(void)
{
	struct chassis_answer a;
	uint8_t buf[2048];
	size_t len = flow_row(buf, sizeof(buf), "r1", 2);
	struct srp_mp_r r = srp_mp_r_init(buf, len);

	CU_ASSERT_EQUAL(chassis_answer_read(CHASSIS_QUERY_FLOW, &r, &a), SRP_OK);
	CU_ASSERT_EQUAL(srp_mp_left(&r), 0);
	CU_ASSERT_EQUAL(a.n, FLOW_LEN);
	CU_ASSERT_STRING_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "rule").s, "r1");
	CU_ASSERT_STRING_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "callid").s, "8000000a");
	CU_ASSERT_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "recovered").u, 1);
	CU_ASSERT_STRING_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "nothing").s, "");
	for (size_t n = 0; n < len; n++) {
		r = srp_mp_r_init(buf, n);
		CU_ASSERT_NOT_EQUAL(chassis_answer_read(CHASSIS_QUERY_FLOW, &r, &a), SRP_OK);
	}
	/* an older task sends fewer fields */
	buf[0] = 0x91;
	buf[1] = 3;
	r = srp_mp_r_init(buf, 2);
	CU_ASSERT_EQUAL(chassis_answer_read(CHASSIS_QUERY_FLOW, &r, &a), SRP_OK);
	CU_ASSERT_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "instance").u, 3);
	CU_ASSERT_EQUAL(chassis_answer_get(CHASSIS_QUERY_FLOW, &a, "bytes_up").u, 0);
}

static void test_rows(void)
{
	struct chassis_show_rows s;
	struct chassis_answer a;
	uint8_t buf[2048];

	for (unsigned layout = 0; layout < CHASSIS_LAYOUT__N; layout++) {
		for (int n = 0; n < 4; n++) {
			bool json = n & 1, licensed = n & 2;
			struct out o = {0};
			struct stats_doc d;
			struct srp_mp_r r = srp_mp_r_init(
				buf, flow_row(buf, sizeof(buf), "a\"b\n", 0));
			bool flows = chassis_layout_query(layout) == CHASSIS_QUERY_FLOW;

			stats_doc_begin(&d, json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
			chassis_show_rows_begin(&s, layout, licensed, &d);
			CU_ASSERT_EQUAL(chassis_answer_read(CHASSIS_QUERY_FLOW, &r, &a), SRP_OK);
			for (int i = 0; flows && i < 2; i++)
				chassis_show_rows_one(&s, &d, &a);
			chassis_show_rows_end(&s, &d);
			stats_doc_end(&d);
			CU_ASSERT(!json || json_valid(o.text, o.n));
			/* FR-136: no flag without the key */
			if (flows && !licensed) {
				CU_ASSERT_PTR_NULL(strcasestr(o.text, "recovered"));
				CU_ASSERT_PTR_NOT_NULL(strcasestr(o.text, "callid"));
			} else if (flows && json) {
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"callid\":\"8000000a\""));
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"rule\":\"a\\\"b\\u000a\""));
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"idle_timeout_s\":7"));
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"total\":2"));
			} else if (flows) {
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Recovered Flow: (Y) - Yes (N) - No\n"));
				CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "Total flows: 2\n"));
			}
		}
	}
}

/* Labels and order that scripts read. */
static void test_srp_info(void)
{
	static const char *const lines[] = {
		"Service Redundancy Protocol:\n", "Context:                          context\n",
		"Local Address:                    local_address\n", "Chassis State:                    chassis_state\n",
		"Chassis Mode: ", "Chassis Priority:                 7\n", "Local Tiebreaker: ", "Route-Modifier: ",
		"Peer Remote Address: ", "Peer State: ", "Peer Mode: ", "Peer Priority: ", "Peer Tiebreaker: ",
		"Peer Route-Modifier: ", "Last Hello Message received: ", "(7 seconds ago)\n",
		"Peer Configuration Validation: ", "Last Peer Configuration Error: ",
		"Last Peer Configuration Event: ", "Last Validate Switchover Status:  validate_status\n",
		"Connection State: ",
	};
	struct chassis_answer a;
	uint8_t buf[2048];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;

#undef FIELD_u
#undef FIELD_s
#define FIELD_u(name) srp_mp_w_uint(&w, 7);
#define FIELD_s(name) srp_mp_w_str(&w, #name);
	srp_mp_w_array(&w, SRP_LEN);
	CHASSIS_ROW_SRP(FIELD)
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	CU_ASSERT_EQUAL_FATAL(chassis_answer_read(CHASSIS_QUERY_SRP, &r, &a), SRP_OK);
	for (int json = 0; json < 2; json++) {
		struct out o = {0};
		struct stats_doc d;
		const char *at;

		stats_doc_begin(&d, json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
		chassis_show_srp_info(&d, &a);
		stats_doc_end(&d);
		at = o.text;
		for (size_t i = 0; !json && i < sizeof(lines) / sizeof(lines[0]); i++) {
			at = at ? strstr(at, lines[i]) : NULL;
			if (!at)
				printf("\nno <%s> in its place in:\n%s\n", lines[i], o.text);
			CU_ASSERT_PTR_NOT_NULL(at);
		}
		CU_ASSERT(!json || json_valid(o.text, o.n));
		CU_ASSERT(!json || strstr(o.text, "\"chassis_state\":\"chassis_state\""));
	}
}

/* A row of any query of a session: numbers 7, names for texts. */
static struct chassis_answer part_row(enum chassis_query q)
{
	struct chassis_answer a;
	uint8_t buf[2048];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;

#undef ONE
#define ONE(name, type) +1
	switch (q) {
	case CHASSIS_QUERY_SUBSCRIBER:
		srp_mp_w_array(&w, 0 CHASSIS_ROW_SUBSCRIBER(ONE));
		CHASSIS_ROW_SUBSCRIBER(FIELD)
		break;
	case CHASSIS_QUERY_USAGE:
		srp_mp_w_array(&w, 0 CHASSIS_ROW_USAGE(ONE));
		CHASSIS_ROW_USAGE(FIELD)
		break;
	default:
		srp_mp_w_array(&w, 0 CHASSIS_ROW_DYNRULE(ONE));
		CHASSIS_ROW_DYNRULE(FIELD)
	}
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	CU_ASSERT_EQUAL_FATAL(chassis_answer_read(q, &r, &a), SRP_OK);
	return a;
}

/* Sessions with both tables, one of them, none; what comes without a session or too late is not shown. */
static void test_sessions(void)
{
	static const enum chassis_query order[] = {
		CHASSIS_QUERY_USAGE, CHASSIS_QUERY_SUBSCRIBER, CHASSIS_QUERY_USAGE, CHASSIS_QUERY_USAGE,
		CHASSIS_QUERY_DYNRULE, CHASSIS_QUERY_USAGE, CHASSIS_QUERY_SUBSCRIBER, CHASSIS_QUERY_DYNRULE,
		CHASSIS_QUERY_SUBSCRIBER, CHASSIS_QUERY_USAGE, CHASSIS_QUERY_SUBSCRIBER,
	};
	static const char *const counts[][2] = {
		{"Session-ID:                     session_id\n", "{\"session_id\":\"session_id\""},
		{"Ruledef Name        Packets-Down", "\"rules\":["},
		{"Dynamic Charging Rule Definition(s) Configured:\nRule ", "\"definitions\":["},
		{"\nname                           7", "{\"name\":\"name\",\"packets_down\":7,"},
		{"\nrule               type ", "{\"rule\":\"rule\",\"type\":\"type\","},
	};
	static const unsigned want[][2] = {{4, 4}, {2, 4}, {2, 4}, {3, 3}, {2, 2}};

	for (int json = 0; json < 2; json++) {
		struct chassis_show_sessions s;
		struct out o = {0};
		struct stats_doc d;

		stats_doc_begin(&d, json ? STATS_DOC_JSON : STATS_DOC_TEXT, put, &o);
		chassis_show_sessions_begin(&s, &d);
		for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
			struct chassis_answer a = part_row(order[i]);

			chassis_show_sessions_row(&s, &d, order[i], &a);
		}
		chassis_show_sessions_end(&s, &d);
		stats_doc_end(&d);
		CU_ASSERT(!json || json_valid(o.text, o.n));
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			unsigned n = 0;

			for (const char *p = o.text; (p = strstr(p, counts[i][json])) != NULL; p++)
				n++;
			CU_ASSERT_EQUAL(n, want[i][json]);
		}
		CU_ASSERT_PTR_NOT_NULL(strstr(o.text, json ? "\"total\":4" :
		                              "Total acs sessions matching specified criteria: 4\n"));
	}
}

CU_TestInfo chassis_answer_tests[] = {
	{"sessions with their rules", test_sessions},
	{"rows of tasks, cut and newer", test_answer},
	{"layouts of rows", test_rows},
	{"show srp info", test_srp_info},
	CU_TEST_INFO_NULL,
};

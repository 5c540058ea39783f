/* show_session: `show active-charging sessions full`: of each session what it is, the volumes of its rules,
 * and the rules that its control plane has given it. */
#include <config.h>
#include "chassis/cli/answer.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum section { SECTION_NONE, SECTION_SESSION, SECTION_RULES, SECTION_DEFINITIONS };

static const struct item {
	const char *key, *label;
} items[] = {
	{"session_id", "Session-ID"}, {"username", "Username"}, {"callid", "Callid"},
	{"imsi", "IMSI/MSID"}, {"instance", "ACSMgr Instance"}, {"v4", "Client-IP"},
	{"v6", "Client-IPv6"}, {"apn", "APN"}, {"service", "Active Charging Service name"},
	{"rulebase", "Rule Base name"}, {"bandwidth_policy", "Bandwidth Policy"},
	{"bytes_up", "Uplink Bytes"}, {"bytes_down", "Downlink Bytes"},
	{"packets_up", "Uplink Packets"}, {"packets_down", "Downlink Packets"}, {"flows", "Flows"},
	{"checkpointed_flows", "Flows With Checkpoint"}, {"recovered", "Recovered Session"},
	{"pending", "Control Pending"}, {"ready_for_recovery", "Ready For Recovery"},
	{"created", "Creation Time"}, {"age_s", "Age (s)"}, {"idle_s", "Idle (s)"},
	{"bearers", "Bearers"}, {"dynamic_rules", "Total Dynamic Rules"},
	{"predefined_rules", "Predefined Rules Enabled"},
};

static const struct stats_col rule_cols[] = {
	{"name", "Ruledef Name", 18, true}, {"packets_down", "Packets-Down", 13, false},
	{"bytes_down", "Bytes-Down", 11, false}, {"packets_up", "Packets-Up", 11, false},
	{"bytes_up", "Bytes-Up", 10, false}, {"bearer", "Bearer", 6, false},
};
static const struct stats_col definition_cols[] = {
	{"rule", "Rule", 18, true}, {"type", "Type", 10, true}, {"precedence", "Precedence", 10, false},
	{"charging_action", "Charging-Action", 18, true}, {"content_id", "Content-ID", 10, false},
	{"rating_group", "Rating-Group", 12, false}, {"bearer", "Bearer", 6, false},
	{"qci", "QCI", 3, false}, {"flow_status", "Flow-Status", 16, true},
	{"definition", "Definition", 30, true}, {"bound", NULL, 0, false}, {"matches", NULL, 0, false},
};
static const struct stats_table tables[] = {
	[SECTION_RULES] = {"rules", NULL, STATS_TABLE_PLAIN, rule_cols, N(rule_cols)},
	[SECTION_DEFINITIONS] = {"definitions", NULL, STATS_TABLE_PLAIN, definition_cols,
	                         N(definition_cols)},
};

/* Text has no heading of a table that has no row; JSON has each list, if empty. */
static void table_begin(struct chassis_show_sessions *s, struct stats_doc *d, bool empty)
{
	if (d->format == STATS_DOC_TEXT && empty)
		return;
	stats_doc_line(d, "%s", "");
	if (s->section == SECTION_DEFINITIONS)
		stats_doc_line(d, "Dynamic Charging Rule Definition(s) Configured:");
	stats_doc_table(d, &tables[s->section]);
}

static void table_end(struct stats_doc *d)
{
	if (d->table)
		stats_doc_table_end(d);
}

/* Goes on to a section of the session that is shown. */
static void go_to(struct chassis_show_sessions *s, struct stats_doc *d, unsigned section)
{
	while (s->section < section) {
		table_end(d);
		s->section++;
		table_begin(s, d, s->section < section);
	}
}

static void session_end(struct chassis_show_sessions *s, struct stats_doc *d)
{
	if (s->section == SECTION_NONE)
		return;
	if (d->format == STATS_DOC_JSON)
		go_to(s, d, SECTION_DEFINITIONS);
	table_end(d);
	stats_doc_line(d, "%s", "");
	stats_doc_close(d);
	s->section = SECTION_NONE;
}

static void session(struct chassis_show_sessions *s, struct stats_doc *d,
                    const struct chassis_answer *a)
{
	session_end(s, d);
	stats_doc_layout(d, 32, false);
	stats_doc_open(d, NULL, NULL);
	for (size_t i = 0; i < N(items); i++) {
		struct stats_value v = chassis_answer_get(CHASSIS_QUERY_SUBSCRIBER, a, items[i].key);
		bool empty = v.type == STATS_VALUE_STRING && (!v.s || !v.s[0]);
		char number[24];

		stats_doc_item_as(d, items[i].key, items[i].label, v,
		                  empty ? "n/a" : stats_value_text(v, number));
	}
	s->section = SECTION_SESSION;
	s->n++;
}

void chassis_show_sessions_begin(struct chassis_show_sessions *s, struct stats_doc *d)
{
	*s = (struct chassis_show_sessions){.section = SECTION_NONE};
	stats_doc_list(d, "sessions");
}

void chassis_show_sessions_row(struct chassis_show_sessions *s, struct stats_doc *d,
                               enum chassis_query q, const struct chassis_answer *a)
{
	unsigned section = q == CHASSIS_QUERY_USAGE ? SECTION_RULES : SECTION_DEFINITIONS;
	struct stats_value v[N(definition_cols)];

	if (q == CHASSIS_QUERY_SUBSCRIBER) {
		session(s, d, a);
		return;
	}
	/* of a task that says something else first */
	if (s->section == SECTION_NONE || s->section > section)
		return;
	go_to(s, d, section);
	for (size_t i = 0; i < tables[section].ncol; i++)
		v[i] = chassis_answer_get(q, a, tables[section].col[i].key);
	stats_doc_row(d, v);
}

void chassis_show_sessions_end(struct chassis_show_sessions *s, struct stats_doc *d)
{
	session_end(s, d);
	stats_doc_list_end(d);
	stats_doc_layout(d, 0, false);
	stats_doc_item(d, "total", "Total acs sessions matching specified criteria", stats_uint(s->n));
}

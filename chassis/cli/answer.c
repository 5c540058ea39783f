#include <config.h>
#include "chassis/cli/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "srp/err.h"

/* Types of rows.h. */
enum type { TYPE_u, TYPE_s, TYPE_b };

struct field {
	const char *name;
	enum type type;
};

#define FIELD(name_, type_, ...) {#name_, TYPE_##type_},
#define X(sym, name, task, row) static const struct field fields_##sym[] = {row(FIELD)};
CHASSIS_QUERIES(X)
#undef X
#undef FIELD

static const struct {
	const struct field *field;
	size_t n;
} queries[CHASSIS_QUERY__N] = {
#define X(sym, name, task, row) \
	[CHASSIS_QUERY_##sym] = {fields_##sym, sizeof(fields_##sym) / sizeof(fields_##sym[0])},
	CHASSIS_QUERIES(X)
#undef X
};

#define X(sym, name, task, row)                                                       \
	_Static_assert(sizeof(fields_##sym) / sizeof(fields_##sym[0]) <= CHASSIS_ANSWER_FIELDS, \
	               "raise CHASSIS_ANSWER_FIELDS");
CHASSIS_QUERIES(X)
#undef X

/* Call-ids and digests are written as hex digits everywhere: what is shown can be typed. */
static int hex_digits(const char *name)
{
	static const char *const wide[] = {"stream", "peer_stream", "digest", "recomputed_digest"};

	if (strcmp(name, "callid") == 0)
		return 8;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (strcmp(name, wide[i]) == 0)
			return 16;
	return 0;
}

static void read_field(const struct field *f, struct srp_mp_r *r, struct stats_value *v, char *text,
                       size_t cap)
{
	int hex = hex_digits(f->name);

	if (f->type == TYPE_s) {
		srp_mp_str(r, text, cap);
		*v = stats_string(text);
	} else if (f->type == TYPE_b) {
		*v = stats_bool(srp_mp_bool(r));
	} else {
		*v = stats_uint(srp_mp_uint(r, UINT64_MAX));
	}
	if (hex) {
		snprintf(text, cap, "%0*" PRIx64, hex, v->u);
		*v = stats_string(text);
	}
}

int chassis_answer_read(enum chassis_query q, struct srp_mp_r *r, struct chassis_answer *a)
{
	static const struct stats_value none[] = {
		[TYPE_u] = {.type = STATS_VALUE_UINT}, [TYPE_s] = {.type = STATS_VALUE_STRING},
		[TYPE_b] = {.type = STATS_VALUE_BOOL},
	};
	uint32_t n = srp_mp_array(r, 64);
	struct chassis_answer out;

	out.n = queries[q].n;
	for (size_t i = 0; i < out.n; i++) {
		if (i < n)
			read_field(&queries[q].field[i], r, &out.v[i], out.text[i],
				   sizeof(out.text[i]));
		else
			out.v[i] = none[queries[q].field[i].type];
	}
	for (size_t i = out.n; i < n; i++)
		srp_mp_skip(r);
	if (r->err)
		return r->err;
	*a = out;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].type == STATS_VALUE_STRING && a->v[i].s)
			a->v[i].s = a->text[i];
	return SRP_OK;
}

static size_t find(enum chassis_query q, const char *name)
{
	size_t i = 0;

	while (i < queries[q].n && strcmp(queries[q].field[i].name, name) != 0)
		i++;
	return i;
}

struct stats_value chassis_answer_get(enum chassis_query q, const struct chassis_answer *a,
                                      const char *name)
{
	size_t i = find(q, name);

	return i < a->n ? a->v[i] : stats_string("");
}

/* --- layouts -------------------------------------------------------------------------------- */

static const struct stats_col flow_cols[] = {
	{"recovered", "Recovered", 9, true}, {"callid", "Callid", 8, true},
	{"flow_id", "Flow-id", 8, false}, {"protocol", "Prot", 4, false},
	{"subscriber", "Subscriber", 15, true}, {"subscriber_port", "Port", 5, false},
	{"server", "Server", 15, true}, {"server_port", "Port", 5, false},
	{"rule", "Rule", 16, true}, {"checkpointed", "Chkpt", 5, true},
	{"packets_up", "Packets-Up", 10, false}, {"bytes_up", "Bytes-Up", 10, false},
	{"packets_down", "Packets-Down", 12, false}, {"bytes_down", "Bytes-Down", 11, false},
	{"idle_s", "Idle(s)", 7, false},
};
static const struct stats_col subscriber_cols[] = {
	{"callid", "CALLID", 8, true}, {"imsi", "MSID", 15, true},
	{"username", "USERNAME", 22, true}, {"v4", "IP", 15, true}, {"v6", "IPv6", 20, true},
	{"apn", "APN", 12, true}, {"rulebase", "RULEBASE", 12, true},
	{"recovered", "RECOVERED", 9, true}, {"flows", "FLOWS", 6, false},
	{"idle_s", "TIME-IDLE", 9, false},
};
static const struct stats_col usage_cols[] = {
	{"callid", "Callid", 8, true}, {"bearer", "Bearer", 6, false}, {"of", "Of", 12, true},
	{"name", "Name", 18, true}, {"packets_down", "Packets-Down", 13, false},
	{"bytes_down", "Bytes-Down", 11, false}, {"packets_up", "Packets-Up", 11, false},
	{"bytes_up", "Bytes-Up", 10, false},
};
static const struct stats_col dynrule_cols[] = {
	{"callid", "Callid", 8, true}, {"rule", "Rule", 18, true}, {"type", "Type", 10, true},
	{"precedence", "Precedence", 10, false}, {"flow_status", "Flow-Status", 16, true},
	{"bearer", "Bearer", 6, false}, {"qci", "QCI", 3, false}, {"content_id", "Content", 8, false},
	{"rating_group", "Rating", 8, false}, {"filters", "Filters", 30, true},
};
static const struct stats_col bearer_cols[] = {
	{"callid", "Callid", 8, true}, {"bearer", "Bearer", 6, false}, {"type", "Type", 9, true},
	{"rat", "RAT", 8, true}, {"qci", "QCI", 3, false}, {"arp", "ARP", 3, false},
	{"mbr_uplink", "MBR-Up(kbps)", 12, false}, {"mbr_downlink", "MBR-Down(kbps)", 14, false},
	{"filters", "TFT", 30, true},
};
static const struct stats_col limit_cols[] = {
	{"callid", "Callid", 8, true}, {"of", "Limit", 21, true}, {"name", "Name", 16, true},
	{"id", "Id", 4, false}, {"rate_up", "Rate-Up(bps)", 12, false},
	{"conformed_bytes_up", "Conf-Bytes-Up", 13, false},
	{"violated_bytes_up", "Viol-Bytes-Up", 13, false},
	{"rate_down", "Rate-Down(bps)", 14, false},
	{"conformed_bytes_down", "Conf-Bytes-Down", 15, false},
	{"violated_bytes_down", "Viol-Bytes-Down", 15, false},
};
static const struct stats_col quota_cols[] = {
	{"callid", "Callid", 8, true}, {"rating_group", "Rating-Group", 12, false},
	{"grants", "Grants", 6, false}, {"granted_bytes", "Granted-Bytes", 14, false},
	{"used_bytes", "Used-Bytes", 14, false}, {"left_bytes", "Left-Bytes", 14, false},
	{"redirect_url", "Redirect-URL", 12, true},
};
static const struct stats_col loss_cols[] = {
	{"number", "No.", 4, false},
	{"kind", "Kind", 9, true},
	{"reason", "Reason", 18, true},
	{"start_wall_ms", "Start (ms)", 14, false},
	{"duration_us", "Duration(us)", 12, false},
	{"sessions_before", "Calls-Before", 12, false},
	{"sessions_after", "Calls-After", 11, false},
	{"flows_before", "Flows-Before", 12, false},
	{"flows_after", "Flows-After", 11, false},
	{"octets_at_most", "Octets-At-Most", 14, false},
	{"objects_at_most", "Objects-At-Most", 15, false},
	{"record_bytes_at_most", "Record-Bytes", 12, false},
	{"figure_age_ms", "Age(ms)", 8, false},
	{"term", "Term", 6, false},
};
static const struct stats_col trace_cols[] = {
	{"instance", "In", 2, false}, {"seq", "Seq", 8, false}, {"time", "Time", 15, true},
	{"callid", "Callid", 8, true}, {"direction", "Dir", 8, true}, {"protocol", "Prot", 4, false},
	{"subscriber", "Subscriber", 15, true}, {"subscriber_port", "Port", 5, false},
	{"server", "Server", 15, true}, {"server_port", "Port", 5, false},
	{"bytes", "Bytes", 6, false}, {"rule", "Rule", 16, true}, {"content_id", "Content", 7, false},
	{"fate", "Fate", 9, true}, {"by", "By", 11, true}, {"did", "Did", 8, true},
	{"recovered", "Rec", 3, true}, {"bypassed", "Byp", 3, true}, {"pending", "Pen", 3, true},
	{"late", "Late", 4, true}, {"packet", "Packet", 8, false},
};
static const struct stats_col none_cols[] = {{0}};

#define COLS(a) a, sizeof(a) / sizeof(a[0])
static const struct {
	enum chassis_query query;
	const char *key;
	enum stats_table_style style;
	const struct stats_col *col;
	size_t ncol;        /* in text; the others are in JSON. 0: every field */
	const char *total;  /* label of the last line */
} layouts[CHASSIS_LAYOUT__N] = {
	[CHASSIS_LAYOUT_FLOWS] = {CHASSIS_QUERY_FLOW, "flows", STATS_TABLE_PLAIN, COLS(flow_cols),
				  "Total flows"},
	[CHASSIS_LAYOUT_FLOWS_FULL] = {CHASSIS_QUERY_FLOW, "flows", STATS_TABLE_BLOCKS, none_cols,
				       0, "Total flows"},
	[CHASSIS_LAYOUT_SUBSCRIBERS] = {CHASSIS_QUERY_SUBSCRIBER, "subscribers", STATS_TABLE_PLAIN,
					COLS(subscriber_cols),
					"Total subscribers matching specified criteria"},
	[CHASSIS_LAYOUT_SUBSCRIBERS_FULL] = {CHASSIS_QUERY_SUBSCRIBER, "subscribers",
					     STATS_TABLE_BLOCKS, none_cols, 0,
					     "Total subscribers matching specified criteria"},
	[CHASSIS_LAYOUT_USAGE] = {CHASSIS_QUERY_USAGE, "volumes", STATS_TABLE_PLAIN,
				  COLS(usage_cols), "Total volumes"},
	[CHASSIS_LAYOUT_REPLICA] = {CHASSIS_QUERY_REPLICA, "replicas", STATS_TABLE_BLOCKS,
				    none_cols, 0, "Total replicas"},
	[CHASSIS_LAYOUT_DYNRULES] = {CHASSIS_QUERY_DYNRULE, "dynamic_rules", STATS_TABLE_PLAIN,
				     COLS(dynrule_cols), "Total rules"},
	[CHASSIS_LAYOUT_QUOTAS] = {CHASSIS_QUERY_QUOTA, "quotas", STATS_TABLE_PLAIN,
				   COLS(quota_cols), "Total rating groups"},
	[CHASSIS_LAYOUT_BEARERS] = {CHASSIS_QUERY_BEARER, "bearers", STATS_TABLE_PLAIN,
				    COLS(bearer_cols), "Total bearers"},
	[CHASSIS_LAYOUT_LIMITS] = {CHASSIS_QUERY_LIMIT, "rate_limits", STATS_TABLE_PLAIN,
				   COLS(limit_cols), "Total limits"},
	[CHASSIS_LAYOUT_LOSS] = {CHASSIS_QUERY_LOSS, "switchovers", STATS_TABLE_PLAIN,
				 COLS(loss_cols), "Total switchovers"},
	[CHASSIS_LAYOUT_TRACE] = {CHASSIS_QUERY_TRACE, "packets", STATS_TABLE_PLAIN,
				  COLS(trace_cols), "Total rows"},
};

enum chassis_query chassis_layout_query(enum chassis_layout layout)
{
	return layouts[layout].query;
}

/* The label of a field in a block: "packets_up" is "Packets up", "idle_s" is "Idle (s)". */
static const char *label(struct chassis_show_rows *s, size_t column, const char *name)
{
	static const struct {
		const char *name, *label;
	} own[] = {{"imsi", "IMSI/MSID"}, {"apn", "APN"}, {"v4", "IPv4 address"}, {"v6", "IPv6 address"},
	           {"session_id", "Session-ID"}, {"flow_id", "Flow-ID"}, {"pending", "Control pending"}};
	char *out = s->label[column];
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(name, own[i].name) == 0)
			return own[i].label;
	if (s->query == CHASSIS_QUERY_FLOW && strcmp(name, "recovered") == 0)
		snprintf(out, sizeof(s->label[column]), "Recovered Flow");
	else if (n > 2 && strcmp(name + n - 2, "_s") == 0)
		snprintf(out, sizeof(s->label[column]), "%.*s (s)", (int)n - 2, name);
	else
		snprintf(out, sizeof(s->label[column]), "%s", name);
	for (char *c = out; *c; c++)
		if (*c == '_')
			*c = ' ';
	if (*out >= 'a' && *out <= 'z')
		*out = (char)(*out - 'a' + 'A');
	return out;
}

static bool left_out(const struct chassis_show_rows *s, const char *key)
{
	return s->unflagged && strcmp(key, "recovered") == 0;
}

/* The columns of the text in their order, then the fields that only JSON has. */
static void columns(struct chassis_show_rows *s)
{
	size_t n = 0, fields = queries[s->query].n, text;

	for (size_t i = 0; i < layouts[s->layout].ncol; i++) {
		if (left_out(s, layouts[s->layout].col[i].key))
			continue;
		s->col[n] = layouts[s->layout].col[i];
		s->from[n] = (uint8_t)find(s->query, s->col[n].key);
		n++;
	}
	text = n;
	for (size_t f = 0; f < fields; f++) {
		const char *name = queries[s->query].field[f].name;
		bool shown = left_out(s, name);

		for (size_t i = 0; i < text && !shown; i++)
			shown = s->from[i] == f;
		if (shown)
			continue;
		s->col[n] = (struct stats_col){.key = name};
		if (!layouts[s->layout].ncol)
			s->col[n].title = label(s, n, name);
		s->from[n++] = (uint8_t)f;
	}
	s->table.ncol = n;
}

void chassis_show_rows_begin(struct chassis_show_rows *s, enum chassis_layout layout,
                             bool flow_recovery, struct stats_doc *d)
{
	*s = (struct chassis_show_rows){.layout = layout, .query = layouts[layout].query};
	s->unflagged = s->query == CHASSIS_QUERY_FLOW && !flow_recovery;
	columns(s);
	s->table.key = layouts[layout].key;
	s->table.style = layouts[layout].style;
	s->table.col = s->col;
	if (s->query == CHASSIS_QUERY_FLOW && flow_recovery) {
		stats_doc_line(d, "Recovered Flow: (Y) - Yes (N) - No");
		stats_doc_line(d, "%s", "");
	}
	stats_doc_layout(d, 24, false);
	stats_doc_table(d, &s->table);
}

void chassis_show_rows_one(struct chassis_show_rows *s, struct stats_doc *d,
                           const struct chassis_answer *a)
{
	struct stats_value v[CHASSIS_ANSWER_FIELDS];

	for (size_t i = 0; i < s->table.ncol; i++)
		v[i] = a->v[s->from[i]];
	stats_doc_row(d, v);
	s->rows++;
}

void chassis_show_rows_end(struct chassis_show_rows *s, struct stats_doc *d)
{
	stats_doc_table_end(d);
	stats_doc_line(d, "%s", "");
	stats_doc_layout(d, 0, false);
	stats_doc_item(d, "total", layouts[s->layout].total, stats_uint(s->rows));
}

/* show_records: records of flows and sessions; charging methods. */
#include <config.h>
#include "chassis/cli/show.h"

#include <stdio.h>
#include <string.h>

/* What session managers count: member of ecs_counters, label. */
static const struct {
	const char *key, *label;
	size_t at;
} made[] = {
#define ROW(name, label) {#name, label, offsetof(struct ecs_counters, name)}
	ROW(records_made, "Records made"),
	ROW(records_refused, "Records lost, no room"),
	ROW(records_too_long, "Records lost, too long"),
	ROW(records_no_memory, "Not told of, no memory"),
	ROW(records_empty, "EDRs without volume, not made"),
	ROW(records_lost, "Flows with a part in no EDR"),
	ROW(records_lost_bytes, "Bytes of such parts"),
	ROW(records_unkept, "Packets of flows with one FDR"),
	ROW(records_again, "Not made twice"),
	ROW(records_taken_over, "Taken over from a lost peer"),
	ROW(records_not_taken, "Of such, lost"),
	ROW(records_untold, "Without a copy at the peer"),
	ROW(records_unheld, "Copies of the peer's refused"),
	ROW(drop_quota, "Packets dropped, no quota"),
#undef ROW
};

static void module(struct stats_doc *d, const struct chassis_record_conf *c, const char *key,
                   const char *label)
{
	char text[CHASSIS_PATH_MAX + 8] = "none are written";

	if (c->present && c->directory[0])
		snprintf(text, sizeof(text), "%s/%s", c->directory, key);
	stats_doc_item(d, key, label, stats_string(text));
}

void chassis_show_records(const struct chassis_view *v, struct stats_doc *d)
{
	uint64_t sum[sizeof(made) / sizeof(made[0])] = {0}, held = 0, waiting = 0, unconfirmed = 0,
	         copies = 0, withdrawn = 0;
	const struct chassis_slab *s;

	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		s = v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);
		if (!s)
			continue;
		for (size_t k = 0; k < sizeof(made) / sizeof(made[0]); k++)
			sum[k] += *(const uint64_t *)(const void *)((const char *)&s->ecs + made[k].at);
		held += s->records_held;
		waiting += s->records_waiting;
		copies += s->records_copies;
		unconfirmed += s->task_ctr.cdr_unconfirmed;
		withdrawn += s->task_ctr.cdr_withdrawn;
	}
	stats_doc_open(d, "records", "Records:");
	stats_doc_layout(d, 36, false);
	module(d, &v->config->records[CHASSIS_RECORDS_EDR], "edr", "Files of EDRs and FDRs");
	module(d, &v->config->records[CHASSIS_RECORDS_UDR], "udr", "Files of UDRs");
	for (size_t k = 0; k < sizeof(made) / sizeof(made[0]); k++)
		stats_doc_item(d, made[k].key, made[k].label, stats_uint(sum[k]));
	stats_doc_item(d, "held_bytes", "Bytes that wait for the peer", stats_uint(held));
	stats_doc_item(d, "waiting_bytes", "Bytes that wait for a file", stats_uint(waiting));
	stats_doc_item(d, "unconfirmed", "Released unconfirmed", stats_uint(unconfirmed));
	stats_doc_item(d, "withdrawn", "Withdrawn, the peer has the role", stats_uint(withdrawn));
	stats_doc_item(d, "copies", "Copies of the peer's", stats_uint(copies));
	s = v->slab(v->arg, CHASSIS_TASK_CDRMOD, 0);
	if (s) {
		stats_doc_item(d, "written", "Records written", stats_uint(s->task_ctr.cdr_records));
		stats_doc_item(d, "bytes", "Bytes written", stats_uint(s->task_ctr.cdr_bytes));
		stats_doc_item(d, "files", "Files completed", stats_uint(s->task_ctr.cdr_files));
		stats_doc_item(d, "open", "Files open", stats_uint(s->records_open));
		stats_doc_item(d, "resumed", "Files of a predecessor", stats_uint(s->task_ctr.cdr_resumed));
		stats_doc_item(d, "failures", "Failures", stats_uint(s->task_ctr.cdr_failures));
		stats_doc_item(d, "broken", "Queues that could not be read", stats_uint(s->task_ctr.cdr_broken));
		stats_doc_item(d, "missing", "Records in files taken away", stats_uint(s->task_ctr.cdr_missing));
		stats_doc_item(d, "nowhere", "Records lost, no directory", stats_uint(s->task_ctr.cdr_nowhere));
		stats_doc_item_as(d, "why", "Last failure", stats_string(s->records_why),
		                  s->records_why[0] ? s->records_why : "none");
	}
	stats_doc_layout(d, 0, false);
	stats_doc_close(d);
}

void chassis_show_methods(const struct chassis_view *v, struct stats_doc *d)
{
	static const struct {
		const char *name, *how, *what;
	} methods[] = {
		{"EDR", "provided", "CSV files: edr-format, flow end-condition, edr-module"},
		{"UDR", "provided", "CSV files: udr-format, billing-records, udr-module"},
		{"FDR", "provided", "CSV files: billing-records fdr, edr-module"},
		{"Gx", "rule interface", "session rule, session bearer; no messages"},
		{"Gy", "quota interface", "session quota; no messages"},
#define ECS_METHOD(sym, words, name, where, what) {name, "not provided", what},
#include "ecs/rule/method.def"
#undef ECS_METHOD
	};

	(void)v;
	stats_doc_line(d, "Charging Methods:");
	stats_doc_list(d, "charging_methods");
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		stats_doc_line(d, "%-16s %s (%s)", methods[i].name, methods[i].how, methods[i].what);
		stats_doc_open(d, NULL, NULL);
		stats_doc_item(d, "name", NULL, stats_string(methods[i].name));
		stats_doc_item(d, "how", NULL, stats_string(methods[i].how));
		stats_doc_item(d, "what", NULL, stats_string(methods[i].what));
		stats_doc_close(d);
	}
	stats_doc_list_end(d);
}

/* show_trace: whose packets are traced, as the slabs of the session managers say. */
#include <config.h>
#include "chassis/cli/show.h"

#include <stdio.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define ASKED_TEXT ((ECS_TRACE_ASKS_MAX + 1) * 24)

/* "all, callid 0000c351, imsi 001010000000001" */
static const char *asked(const struct ecs_trace_kept *k, char *out, size_t cap)
{
	size_t n = (size_t)snprintf(out, cap, "%s", k->all ? "all" : "");

	for (uint32_t i = 0; i < k->n && i < ECS_TRACE_ASKS_MAX && n < cap; i++) {
		const struct ecs_trace_ask *a = &k->ask[i];
		const char *comma = n ? ", " : "";

		if (a->callid)
			n += (size_t)snprintf(out + n, cap - n, "%scallid %08x", comma,
			                      (unsigned)a->callid);
		else
			n += (size_t)snprintf(out + n, cap - n, "%simsi %.*s", comma,
			                      (int)sizeof(a->imsi) - 1, a->imsi);
	}
	return out;
}

void chassis_show_traces(const struct chassis_view *v, struct stats_doc *d, unsigned instance)
{
	static const struct stats_col cols[] = {
		{"instance", "Instance", 8, false}, {"rows", "Rows", 6, false},
		{"held", "Held", 6, false}, {"first", "First", 10, false}, {"last", "Last", 10, false},
		{"lost", "Lost", 10, false}, {"asked", "Traced", 30, true}};
	static const struct stats_table t = {"traces", NULL, STATS_TABLE_PLAIN, cols, N(cols)};

	stats_doc_table(d, &t);
	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *slab =
			instance && i != instance ? NULL : v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);
		const struct ecs_trace_kept *k = slab ? &slab->trace : NULL;
		char text[ASKED_TEXT];

		if (!k)
			continue;
		stats_doc_row(d, (const struct stats_value[]){
			stats_uint(i), stats_uint(k->size), stats_uint(k->rows),
			stats_uint(k->rows ? k->seq - k->rows + 1 : 0), stats_uint(k->seq),
			stats_uint(k->seq - k->start - k->rows), stats_string(asked(k, text, sizeof(text)))});
	}
	stats_doc_table_end(d);
	stats_doc_line(d, "%s", "");
}

/* show_limits: `show active-charging charging-action|bandwidth-policy|... statistics`: what has become
 * of packets at rate limits, and what charging-actions have done to packets, from the counters of the
 * session managers. */
#include <config.h>
#include "chassis/cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const dir_words[] = {[ECS_UPLINK] = "uplink", [ECS_DOWNLINK] = "downlink"};

const char *chassis_limit_words(enum ecs_limit_of of)
{
	switch (of) {
	case ECS_LIMIT_DYNAMIC:
		return "dynamic-rules";
	case ECS_LIMIT_BEARER:
		return "bearers";
	default:
		return ecs_limit_text(of);
	}
}

static void add(struct ecs_limit_stats *to, const struct ecs_limit_stats *from)
{
	for (unsigned d = ECS_UPLINK; d <= ECS_DOWNLINK; d++)
		for (unsigned c = 0; c < ECS_COLOUR__N; c++) {
			to->n[d][c].pkts += from->n[d][c].pkts;
			to->n[d][c].bytes += from->n[d][c].bytes;
		}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ecs_limit_stats *)a)->name,
	              ((const struct ecs_limit_stats *)b)->name);
}

/* Gathers them over all session managers, by name; the sum is at most ECS_LIMIT_STATS_MAX. */
static size_t gather(const struct chassis_view *v, enum ecs_limit_of of, const char *name,
                     struct ecs_limit_stats *sum)
{
	size_t n = 0;

	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *slab = v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);

		for (size_t k = 0; slab && k < ECS_LIMIT_STATS_MAX; k++) {
			struct ecs_limit_stats one = slab->limit[k];
			uint16_t at;

			one.name[sizeof(one.name) - 1] = '\0';
			if (!one.name[0] || one.of != of || (name && strcmp(one.name, name) != 0))
				continue;
			at = ecs_limit_stats_of(sum, of, one.name);
			add(&sum[at], &one);
		}
	}
	for (size_t k = 0; k < ECS_LIMIT_STATS_MAX; k++)
		if (sum[k].name[0])
			sum[n++] = sum[k];
	qsort(sum, n, sizeof(*sum), by_name);
	return n;
}

/* --- what charging-actions have done ---------------------------------------------------------- */

static void acted_item(struct stats_doc *d, const char *dir, const char *dir_label, const char *what,
                       enum ecs_acted i, uint64_t n)
{
	char key[64], label[64];

	snprintf(key, sizeof(key), "%s_%s_%s", dir, what, ecs_acted_rows[i].key);
	snprintf(label, sizeof(label), "  %s %s %s", dir_label, what[0] == 'p' ? "Pkts" : "Bytes",
	         ecs_acted_rows[i].label);
	stats_doc_item(d, key, label, stats_uint(n));
}

static void acted_one(struct stats_doc *d, const char *name, const struct ecs_acted_stats *st)
{
	static const char *const keys[] = {[ECS_UPLINK] = "uplink", [ECS_DOWNLINK] = "downlink"},
		*const labels[] = {[ECS_UPLINK] = "Uplink", [ECS_DOWNLINK] = "Downlink"};

	stats_doc_layout(d, 0, false);
	stats_doc_open(d, NULL, "");
	stats_doc_item(d, "name", "Charging Action Name", stats_string(name));
	stats_doc_layout(d, 36, false);
	for (unsigned i = 0; i < ECS_ACTED__N; i++)
		for (unsigned k = ECS_UPLINK; k <= ECS_DOWNLINK; k++) {
			acted_item(d, keys[k], labels[k], "packets", (enum ecs_acted)i, st->n[k][i].pkts);
			acted_item(d, keys[k], labels[k], "bytes", (enum ecs_acted)i, st->n[k][i].bytes);
		}
	stats_doc_layout(d, 0, false);
	stats_doc_close(d);
}

/* Where a session manager counts what the action @p a has done: in the order of its configuration, which
 * while it is changed is not ours. NULL: nowhere. */
static const struct ecs_acted_stats *acted_at(const struct chassis_slab *slab,
                                              const struct ecs_charging_action *a)
{
	if (strncmp(slab->acted[a->index].name, a->name, sizeof(a->name)) == 0)
		return &slab->acted[a->index];
	for (size_t k = 0; k < ECS_ACTED_MAX && slab->acted[k].name[0]; k++)
		if (strncmp(slab->acted[k].name, a->name, sizeof(a->name)) == 0)
			return &slab->acted[k];
	return NULL;
}

/* Of all session managers. */
static struct ecs_acted_stats acted_sum(const struct chassis_view *v, const struct ecs_charging_action *a)
{
	struct ecs_acted_stats sum = {0};

	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *slab = v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);
		const struct ecs_acted_stats *one = slab ? acted_at(slab, a) : NULL;

		for (unsigned k = 0; one && k < 2 * ECS_ACTED__N; k++) {
			sum.n[k & 1][k / 2].pkts += one->n[k & 1][k / 2].pkts;
			sum.n[k & 1][k / 2].bytes += one->n[k & 1][k / 2].bytes;
		}
	}
	return sum;
}

/* In the order of the configuration. @return how many */
static size_t show_acted(const struct chassis_view *v, struct stats_doc *d, const char *name)
{
	const struct ecs_charging_action *a;
	size_t n = 0;

	stats_doc_list(d, "charging_actions");
	for (size_t i = 0; v->config->service && (a = ecs_service_action(v->config->service, i)) != NULL; i++) {
		struct ecs_acted_stats sum;

		if (name && strcmp(name, a->name) != 0)
			continue;
		sum = acted_sum(v, a);
		acted_one(d, a->name, &sum);
		n++;
	}
	stats_doc_list_end(d);
	return n;
}

bool chassis_show_limits(const struct chassis_view *v, struct stats_doc *d, enum ecs_limit_of of,
                         const char *name)
{
	static const struct stats_col cols[] = {
		{"name", "Name", 20, true}, {"direction", "Direction", 9, true},
		{"conformed_packets", "Conf-Packets", 12, false},
		{"conformed_bytes", "Conf-Bytes", 12, false},
		{"exceeded_packets", "Exceed-Packets", 14, false},
		{"exceeded_bytes", "Exceed-Bytes", 12, false},
		{"violated_packets", "Viol-Packets", 12, false},
		{"violated_bytes", "Viol-Bytes", 12, false}};
	static const struct stats_table t = {"limits", NULL, STATS_TABLE_PLAIN, cols, N(cols)};
	static struct ecs_limit_stats sum[ECS_LIMIT_STATS_MAX]; /* one thread: too large for a stack */
	bool actions = of == ECS_LIMIT_RULE, found = !name;
	size_t n, shown;

	memset(sum, 0, sizeof(sum));
	n = shown = gather(v, of, name, sum);
	if (v->config->service)
		stats_doc_item(d, "service", "Service Name", stats_string(ecs_service_name(v->config->service)));
	if (actions) {
		shown = show_acted(v, d, name);
		stats_doc_line(d, "%s", "");
		if (n)
			stats_doc_line(d, "Rate limits:");
	}
	if (n || !actions || d->format == STATS_DOC_JSON)
		stats_doc_table(d, &t);
	for (size_t i = 0; i < n; i++)
		for (unsigned k = ECS_UPLINK; k <= ECS_DOWNLINK; k++) {
			const struct ecs_limit_volume *x = sum[i].n[k];

			stats_doc_row(d, (const struct stats_value[]){
				stats_string(sum[i].name), stats_string(dir_words[k]),
				stats_uint(x[ECS_CONFORMED].pkts), stats_uint(x[ECS_CONFORMED].bytes),
				stats_uint(x[ECS_EXCEEDED].pkts), stats_uint(x[ECS_EXCEEDED].bytes),
				stats_uint(x[ECS_VIOLATED].pkts), stats_uint(x[ECS_VIOLATED].bytes)});
		}
	if (d->table)
		stats_doc_table_end(d);
	if (!actions || n)
		stats_doc_line(d, "%s", "");
	stats_doc_item(d, "total", actions ? "Total charging action(s) found" : "Total limits", stats_uint(shown));
	return found || shown;
}

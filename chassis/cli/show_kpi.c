/* show_kpi: `show active-charging flow-kpi` and `show active-charging service`: figures of rules that are
 * eligible for flow recovery, summed over session managers, and what limits their checkpoints. */
#include <config.h>
#include "chassis/cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/recoverable.h"
#include "srp/err.h"

#define N(a) (sizeof(a) / sizeof(a[0]))

/* --- sums ----------------------------------------------------------------------------------- */

/* Where the figures of a name go. */
struct place {
	uint64_t name;
	size_t at;
};

static int by_name(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->name < y->name ? -1 : x->name > y->name;
}

static void add(const struct chassis_slab *slab, const struct place *place, struct chassis_kpi *to,
                size_t n)
{
	for (size_t i = 0; i < ECS_KPI_MAX; i++) {
		const struct ecs_kpi *k = &slab->kpi[i];
		const struct place key = {k->name, 0}, *p;

		p = k->tag ? bsearch(&key, place, n, sizeof(key), by_name) : NULL;
		for (unsigned f = 0; p && f < ECS_KPI__N; f++)
			to[p->at].v[f] += k->v[f];
	}
}

int chassis_kpi_gather(const struct chassis_view *v, unsigned instance, struct chassis_kpi **out,
                       size_t *n)
{
	const struct ecs_service *s = v->config->service;
	const char **names = calloc(ECS_KPI_MAX, sizeof(*names));
	struct chassis_kpi *row = calloc(ECS_KPI_MAX, sizeof(*row));
	struct place *place = calloc(ECS_KPI_MAX, sizeof(*place));
	size_t count = 0;

	if (!names || !row || !place) {
		free(names);
		free(row);
		free(place);
		return SRP_ENOMEM;
	}
	if (s)
		count = ecs_service_eligible_names(s, names, ECS_KPI_MAX);
	if (count > ECS_KPI_MAX)
		count = ECS_KPI_MAX;
	for (size_t i = 0; i < count; i++) {
		row[i].name = names[i];
		place[i] = (struct place){ecs_kpi_name(names[i]), i};
	}
	qsort(place, count, sizeof(*place), by_name);
	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *slab = instance && i != instance
			? NULL : v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);

		if (slab)
			add(slab, place, row, count);
	}
	free(names);
	free(place);
	*out = row;
	*n = count;
	return SRP_OK;
}

/* --- show active-charging flow-kpi ---------------------------------------------------------- */

int chassis_show_flow_kpi(const struct chassis_view *v, struct stats_doc *d, unsigned instance)
{
	static const struct stats_col cols[] = {
		{"rule_name", "Rule Name", 0, true},
#define ECS_KPI(sym, name, variable, kind, label, help) {name, label, 0, true},
#include "ecs/kpi.def"
#undef ECS_KPI
	};
	static const struct stats_table t = {"flow_kpi", NULL, STATS_TABLE_BLOCKS, cols, N(cols)};
	struct stats_value value[N(cols)];
	struct chassis_kpi *row;
	size_t n;
	int rc = chassis_kpi_gather(v, instance, &row, &n);

	if (rc)
		return rc;
	stats_doc_layout(d, 40, false);
	stats_doc_table(d, &t);
	for (size_t i = 0; i < n; i++) {
		value[0] = stats_string(row[i].name);
		for (unsigned f = 0; f < ECS_KPI__N; f++)
			value[1 + f] = stats_uint(row[i].v[f]);
		stats_doc_row(d, value);
	}
	stats_doc_table_end(d);
	stats_doc_layout(d, 0, false);
	stats_doc_line(d, "%s", "");
	stats_doc_item(d, "total", "Total rules eligible for flow recovery", stats_uint(n));
	free(row);
	return SRP_OK;
}

/* --- show active-charging service ------------------------------------------------------------- */

static void seconds(struct stats_doc *d, const char *key, const char *label, uint32_t s)
{
	char text[32];

	snprintf(text, sizeof(text), "%u (secs)", s);
	stats_doc_item_as(d, key, label, stats_uint(s), s ? text : "Disabled");
}

static void sync_timer(struct stats_doc *d, const char *key, const char *label, uint32_t s)
{
	if (s)
		seconds(d, key, label, s);
	else
		stats_doc_item_as(d, key, label, stats_uint(s), "Each second");
}

static void timers(struct stats_doc *d, const struct ecs_service *s)
{
	const struct ecs_timeouts *t = ecs_service_idle(s);

	seconds(d, "idle_timeout_tcp", "TCP Flow Idle Timeout", t->tcp);
	seconds(d, "idle_timeout_tcp_half_open", "TCP Half-open Timeout", t->tcp_half_open);
	seconds(d, "idle_timeout_udp", "UDP Flow Idle Timeout", t->udp);
	seconds(d, "idle_timeout_icmp", "ICMP Flow Idle Timeout", t->icmp);
	seconds(d, "idle_timeout_alg_media", "ALG Media Idle Timeout", t->alg_media);
	sync_timer(d, "sync_timer_icsr", "Accounting Sync Timer ICSR", ecs_service_sync_time(s, true));
	sync_timer(d, "sync_timer_sr", "Accounting Sync Timer SR", ecs_service_sync_time(s, false));
}

static void limits(const struct chassis_view *v, struct stats_doc *d, const struct ecs_service *s)
{
	uint64_t held = 0, call = 0, sessmgr = 0, p2p = 0;
	char text[16];

	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *slab = v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);

		if (!slab)
			continue;
		held += slab->recoverable;
		call += slab->ecs.limit_call;
		sessmgr += slab->ecs.limit_sessmgr;
		p2p += slab->ecs.p2p_not_recovered;
	}
	snprintf(text, sizeof(text), "%u", ecs_service_l4_flows_limit(s));
	stats_doc_item_as(d, "l4_flows", "L4 Flows Per Sessmgr", stats_uint(ecs_service_l4_flows_limit(s)),
	                  ecs_service_l4_flows_limit(s) ? text : "No limit");
	stats_doc_item(d, "flow_chkpt_per_call", "Flow Checkpoints Per Call",
	               stats_uint(ecs_service_flow_chkpt_limit(s)));
	stats_doc_item(d, "flow_chkpt_per_sessmgr", "Flow Checkpoints Per Sessmgr",
	               stats_uint(ECS_FLOW_CHKPT_PER_SESSMGR));
	stats_doc_item(d, "flow_chkpt_held", "Flows With Checkpoint Now", stats_uint(held));
	stats_doc_item(d, "flow_chkpt_refused_call", "Refused By Limit Of Call", stats_uint(call));
	stats_doc_item(d, "flow_chkpt_refused_sessmgr", "Refused By Limit Of Sessmgr",
	               stats_uint(sessmgr));
	stats_doc_item(d, "flow_chkpt_p2p", "Not Recovered As P2P", stats_uint(p2p));
}

bool chassis_show_service(const struct chassis_view *v, struct stats_doc *d, const char *name)
{
	const struct ecs_service *s = v->config->service;
	const uint32_t *from;
	char text[64];

	if (!s || (name && strcmp(name, ecs_service_name(s)) != 0))
		return !name;
	from = ecs_service_lifetimes_from(s);
	stats_doc_layout(d, 32, false);
	stats_doc_item(d, "service", "Service Name", stats_string(ecs_service_name(s)));
	timers(d, s);
	limits(v, d, s);
	snprintf(text, sizeof(text), "%u %u %u (secs)", from[0], from[1], from[2]);
	stats_doc_line(d, "%-32s%s", "Lifetime Buckets From:", text);
	stats_doc_list(d, "lifetime_buckets");
	for (size_t i = 0; i < 3; i++)
		stats_doc_item(d, NULL, NULL, stats_uint(from[i]));
	stats_doc_list_end(d);
	stats_doc_layout(d, 0, false);
	return true;
}

/* show_srp: `show srp info`, `show srp statistics`. Labels and their order: those that scripts
 * read. */
#include <config.h>
#include "chassis/cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "recovery/counters.h"

#define LABEL_WIDTH 34

/* "Wed Dec 12 13:41:07 2007 (3 seconds ago)" */
static void when(uint64_t wall, uint64_t ago, char *buf, size_t cap)
{
	time_t t = (time_t)wall;
	struct tm tm;
	char date[40];

	if (!wall || ago == UINT32_MAX || !localtime_r(&t, &tm)) {
		snprintf(buf, cap, "None");
		return;
	}
	strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	snprintf(buf, cap, "%s (%" PRIu64 " second%s ago)", date, ago, ago == 1 ? "" : "s");
}

static uint64_t seconds_since(uint64_t wall)
{
	uint64_t now = (uint64_t)time(NULL);

	return now > wall ? now - wall : 0;
}

static struct stats_value get(const struct chassis_answer *a, const char *name)
{
	return chassis_answer_get(CHASSIS_QUERY_SRP, a, name);
}

static void item(struct stats_doc *d, const struct chassis_answer *a, const char *name,
                 const char *label)
{
	stats_doc_item(d, name, label, get(a, name));
}

/* Items as they are: name in rows.h, label. */
static void items(struct stats_doc *d, const struct chassis_answer *a, const char *const (*list)[2],
                  size_t n)
{
	for (size_t i = 0; i < n; i++)
		item(d, a, list[i][0], list[i][1]);
}

#define N(a) (sizeof(a) / sizeof(a[0]))

void chassis_show_srp_info(struct stats_doc *d, const struct chassis_answer *a)
{
	static const char *const first[][2] = {
		{"context", "Context"}, {"local_address", "Local Address"},
		{"chassis_state", "Chassis State"}, {"chassis_mode", "Chassis Mode"},
		{"chassis_priority", "Chassis Priority"}, {"local_tiebreaker", "Local Tiebreaker"},
		{"route_modifier", "Route-Modifier"}, {"peer_address", "Peer Remote Address"},
		{"peer_state", "Peer State"}, {"peer_mode", "Peer Mode"},
		{"peer_priority", "Peer Priority"}, {"peer_tiebreaker", "Peer Tiebreaker"},
		{"peer_route_modifier", "Peer Route-Modifier"}};
	static const char *const last[][2] = {
		{"validate_status", "Last Validate Switchover Status"},
		{"connection", "Connection State"}, {"term", "Term"}, {"peer_term", "Peer Term"},
		{"last_switchover_reason", "Last Switchover Reason"},
		{"sessmgrs_connected", "Sessmgrs Connected"}, {"sessmgrs", "Sessmgrs"}};
	uint64_t verified = get(a, "last_verified_s").u, event = get(a, "config_event_wall").u;
	char text[96];

	stats_doc_layout(d, LABEL_WIDTH, false);
	stats_doc_open(d, "srp", "Service Redundancy Protocol:");
	stats_doc_line(d, "%.79s",
		       "-----------------------------------------------------------------------"
		       "------------");
	items(d, a, first, N(first));
	when(get(a, "last_hello_wall").u, get(a, "last_hello_s").u, text, sizeof(text));
	stats_doc_item_as(d, "last_hello_wall", "Last Hello Message received",
			  get(a, "last_hello_wall"), text);
	item(d, a, "last_hello_s", NULL);
	item(d, a, "config_validation", "Peer Configuration Validation");
	item(d, a, "config_error", "Last Peer Configuration Error");
	when(event, seconds_since(event), text, sizeof(text));
	stats_doc_item_as(d, "config_event_wall", "Last Peer Configuration Event",
			  stats_uint(event), text);
	items(d, a, last, N(last));
	if (verified == UINT32_MAX)
		snprintf(text, sizeof(text), "Never");
	else
		snprintf(text, sizeof(text), "%" PRIu64 " second%s ago", verified,
			 verified == 1 ? "" : "s");
	stats_doc_item_as(d, "last_verified_s", "Last Verified Equal", stats_uint(verified), text);
	snprintf(text, sizeof(text), "%" PRIu64 " ms", get(a, "hello_interval_ms").u);
	stats_doc_item_as(d, "hello_interval_ms", "Hello Interval", get(a, "hello_interval_ms"),
			  text);
	snprintf(text, sizeof(text), "%" PRIu64 " ms", get(a, "dead_interval_ms").u);
	stats_doc_item_as(d, "dead_interval_ms", "Dead Interval", get(a, "dead_interval_ms"), text);
	stats_doc_close(d);
}

/* --- statistics ----------------------------------------------------------------------------- */

/* Adds the counters of one group to sums by their descriptors' order. */
static void add(const struct stats_desc *desc, size_t n, const void *values, uint64_t *sum)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v;

		memcpy(&v, (const char *)values + desc[i].offset, sizeof(v));
		sum[i] += v;
	}
}

static void group(struct stats_doc *d, const char *key, const char *title,
                  const struct stats_desc *desc, size_t n, const uint64_t *sum)
{
	stats_doc_open(d, key, title);
	for (size_t i = 0; i < n; i++) {
		char label[128];

		snprintf(label, sizeof(label), "  %s", desc[i].help);
		stats_doc_item(d, desc[i].name, label, stats_uint(sum[i]));
	}
	stats_doc_close(d);
}

#define SUMS_MAX 256

/* Of who has a connection to the peer: 0 the control connection, i that of instance i. */
static const struct chassis_slab *srp_slab(const struct chassis_view *v, unsigned i)
{
	return v->slab(v->arg, i ? CHASSIS_TASK_SESSMGR : CHASSIS_TASK_VPNMGR, i);
}

static void replicas(const struct chassis_view *v, struct stats_doc *d)
{
	uint64_t sum[RECOVERY_COUNTERS] = {0};

	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		const struct chassis_slab *s = v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);

		if (s)
			add(recovery_desc, RECOVERY_COUNTERS, &s->replica[SRP_REPLICA_GR], sum);
	}
	group(d, "replication", "Replication, all session managers:", recovery_desc,
	      RECOVERY_COUNTERS, sum);
}

/* Counters of the data plane and of the tasks, summed over all that have them. */
static void tasks(const struct chassis_view *v, struct stats_doc *d)
{
	uint64_t task[SUMS_MAX] = {0}, ecs[SUMS_MAX] = {0};
	size_t ntask = chassis_task_counter_count, necs = ecs_counter_count;
	const struct chassis_slab *s;

	if (ntask > SUMS_MAX || necs > SUMS_MAX)
		return;
	for (unsigned i = 0; i <= v->nsessmgr + 1; i++) {
		if (i == 0)
			s = v->slab(v->arg, CHASSIS_TASK_VPNMGR, 0);
		else if (i <= v->nsessmgr)
			s = v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);
		else
			s = v->slab(v->arg, CHASSIS_TASK_DEMUXMGR, 0);
		if (!s)
			continue;
		add(chassis_task_counter_desc, ntask, &s->task_ctr, task);
		add(ecs_counter_desc, necs, &s->ecs, ecs);
	}
	stats_doc_line(d, "%s", "");
	group(d, "tasks", "Tasks:", chassis_task_counter_desc, ntask, task);
	stats_doc_line(d, "%s", "");
	group(d, "data_plane", "Data plane:", ecs_counter_desc, necs, ecs);
}

/* Of the control connection and of those of the instances. */
static void refusals(const struct chassis_view *v, struct stats_doc *d)
{
	static const char *const text[] = {
#define X(sym, text) text,
		CHASSIS_TLS_REFUSALS(X)
#undef X
	};
	static const struct stats_col cols[] = {{"count", "Refused", 8, false},
	                                        {"reason", "Reason", 20, true}};
	static const struct stats_table t = {"tls_refused", NULL, STATS_TABLE_PLAIN, cols, 2};
	uint64_t sum[N(text)] = {0};

	for (unsigned i = 0; i <= v->nsessmgr; i++) {
		const struct chassis_slab *s = srp_slab(v, i);

		for (size_t r = 0; s && r < N(text); r++)
			sum[r] += s->tls_refused[r];
	}
	stats_doc_line(d, "%s", "");
	stats_doc_table(d, &t);
	for (size_t i = 0; i < N(text); i++)
		stats_doc_row(d, (const struct stats_value[]){stats_uint(sum[i]),
		                                              stats_string(text[i])});
	stats_doc_table_end(d);
}

void chassis_show_srp_statistics(const struct chassis_view *v, struct stats_doc *d)
{
	uint64_t sum[SUMS_MAX] = {0};

	stats_doc_layout(d, 72, true);
	if (srp_slab(v, 0) && srp_counter_count <= SUMS_MAX) {
		/* The instances' are of their beats, and of frames that ended their connections. */
		for (unsigned i = 0; i <= v->nsessmgr; i++)
			if (srp_slab(v, i))
				add(srp_counter_desc, srp_counter_count, &srp_slab(v, i)->srp, sum);
		group(d, "srp", "Service Redundancy Protocol:", srp_counter_desc, srp_counter_count,
		      sum);
		refusals(v, d);
		stats_doc_line(d, "%s", "");
	}
	replicas(v, d);
	tasks(v, d);
}

/* show_tasks: `show task resources`. Columns as in the field, with the process id, which tells a
 * standby that has taken an instance's place from a new process. */
#include <config.h>
#include "chassis/cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof(a[0]))
#define STUCK_MS 2000 /* no beat for this long */

static const char *const task_names[CHASSIS_TASK__N] = {
#define X(sym, text) [CHASSIS_TASK_##sym] = text,
	CHASSIS_TASKS(X)
#undef X
};

/* Text of a row's cells that are no plain numbers. */
struct cells {
	char cpu[24], memory[24], held[24], files[24], files_held[24], sessions[24];
};

static void bytes_text(uint64_t bytes, char *buf, size_t cap)
{
	static const char unit[] = "KMGT";
	uint64_t tenth = bytes * 10 / 1024; /* of a KiB */
	size_t u = 0;

	while (tenth >= 10240 && u + 2 < sizeof(unit)) {
		tenth /= 1024;
		u++;
	}
	snprintf(buf, cap, "%" PRIu64 ".%" PRIu64 "%c", tenth / 10, tenth % 10, unit[u]);
}

static bool mirrored(enum chassis_task task)
{
	return task == CHASSIS_TASK_SESSMGR || task == CHASSIS_TASK_AAAMGR;
}

static const char *status(const struct chassis_slab *s, bool standby, uint64_t age)
{
	if (!s->head.owner || !s->head.beat_us)
		return "not started";
	if (age > STUCK_MS)
		return "stuck";
	if (standby && s->not_ready[0])
		return "not ready";
	return standby && !s->ready ? "warming" : "good";
}

static void number(bool known, uint64_t n, char *buf, size_t cap)
{
	if (known)
		snprintf(buf, cap, "%" PRIu64, n);
	else
		snprintf(buf, cap, "--");
}

static void bytes(bool known, uint64_t n, char *buf, size_t cap)
{
	if (known)
		bytes_text(n, buf, cap);
	else
		snprintf(buf, cap, "--");
}

static void texts(const struct chassis_slab *s, const struct chassis_proc *p, bool known,
                  bool holds_sessions, struct cells *t)
{
	uint64_t tenth = known && p->age_ms ? p->cpu_ms * 1000 / p->age_ms : 0;

	if (known)
		snprintf(t->cpu, sizeof(t->cpu), "%" PRIu64 ".%" PRIu64 "%%", tenth / 10, tenth % 10);
	else
		snprintf(t->cpu, sizeof(t->cpu), "--");
	bytes(known, p->resident, t->memory, sizeof(t->memory));
	bytes(s->reserved_bytes, s->reserved_bytes, t->held, sizeof(t->held));
	number(known && p->files != UINT32_MAX, p->files, t->files, sizeof(t->files));
	number(s->reserved_fds, s->reserved_fds, t->files_held, sizeof(t->files_held));
	number(holds_sessions, s->sessions, t->sessions, sizeof(t->sessions));
}

static void task_row(const struct chassis_view *v, struct stats_doc *d, enum chassis_task task,
                     unsigned instance)
{
	const struct chassis_slab *s = v->slab(v->arg, task, instance);
	bool standby = mirrored(task) && !instance, known;
	struct chassis_proc p = {.files = UINT32_MAX};
	uint64_t beat, age, since;
	struct cells t;

	/* Who was never started, without session recovery or without files of records, is no task; nor is
	 * a standby's place that is nobody's. */
	if (!s || ((task == CHASSIS_TASK_AAAMGR || task == CHASSIS_TASK_CDRMOD) && !s->starts) ||
	    (standby && (!s->starts || !s->head.owner)))
		return;
	beat = s->head.beat_us;
	age = beat && v->now_us > beat ? (v->now_us - beat) / 1000 : 0;
	since = s->stats_since_us && v->now_us > s->stats_since_us
		? (v->now_us - s->stats_since_us) / 1000000 : 0;
	known = s->head.owner && v->proc && v->proc(v->arg, s->head.owner, &p);
	texts(s, &p, known, task == CHASSIS_TASK_SESSMGR && !standby, &t);
	stats_doc_row(d, (const struct stats_value[]){
		stats_string(d->format == STATS_DOC_JSON ? CHASSIS_CARD_CPU : " " CHASSIS_CARD_CPU),
		stats_string(task_names[task]), stats_uint(instance), stats_uint(s->head.owner),
		stats_string(t.cpu), stats_string("100%"), stats_string(t.memory), stats_string(t.held),
		stats_string(t.files), stats_string(t.files_held), stats_string(t.sessions),
		stats_string(standby ? "S" : "A"),
		stats_string(status(s, standby, age)),
		/* JSON only */
		stats_string(task_names[task]), stats_bool(standby), stats_uint(s->starts),
		stats_uint(age), stats_uint(known ? p.cpu_ms : 0), stats_uint(known ? p.age_ms : 0),
		stats_uint(known ? p.resident : 0), stats_uint(known ? p.virtual : 0),
		stats_uint(known && p.files != UINT32_MAX ? p.files : 0),
		stats_uint(s->reserved_bytes), stats_uint(s->reserved_fds), stats_string(s->not_ready),
		stats_uint(s->sessions), stats_uint(s->flows), stats_uint(s->recoverable),
		stats_uint(s->store_bytes), stats_uint(s->store_sessions), stats_uint(s->store_flows),
		stats_bool(s->recovering), stats_uint(since)});
}

void chassis_show_tasks(const struct chassis_view *v, struct stats_doc *d, enum chassis_task task,
                        uint32_t instance)
{
	static const struct stats_col cols[] = {
		{"cpu", "", 4, true}, {"facility", "", 13, true}, {"instance", "", 4, false},
		{"pid", "", 7, false}, {"cpu_used", "", 6, false}, {"cpu_allowed", "", 5, false},
		{"memory_used", "", 7, false}, {"memory_reserved_text", "", 7, false},
		{"files_used", "", 5, false}, {"files_reserved_text", "", 4, false},
		{"sessions_used", "", 8, false}, {"state", "", 1, true}, {"status", "", 0, true},
		{"task", NULL, 0, true}, {"standby", NULL, 0, true}, {"starts", NULL, 0, false},
		{"beat_age_ms", NULL, 0, false}, {"cpu_ms", NULL, 0, false},
		{"process_age_ms", NULL, 0, false}, {"memory_bytes", NULL, 0, false},
		{"virtual_bytes", NULL, 0, false}, {"files", NULL, 0, false},
		{"reserved_bytes", NULL, 0, false}, {"reserved_files", NULL, 0, false},
		{"not_ready", NULL, 0, true}, {"sessions", NULL, 0, false}, {"flows", NULL, 0, false},
		{"recoverable_flows", NULL, 0, false}, {"store_bytes", NULL, 0, false},
		{"store_sessions", NULL, 0, false}, {"store_flows", NULL, 0, false},
		{"recovering", NULL, 0, false}, {"statistics_age_s", NULL, 0, false}};
	static const struct stats_table t = {"tasks", NULL, STATS_TABLE_BARE, cols, N(cols)};

	stats_doc_line(d, "                   task         cputime        memory     files sessions");
	stats_doc_line(d, " cpu facility      inst     pid   used  allc    used    held  used held     used S status");
	stats_doc_line(d, "---- ------------- ---- ------- ------ ----- ------- ------- ----- ---- -------- - ------");
	stats_doc_table(d, &t);
	for (unsigned k = 0; k < CHASSIS_TASK__N; k++) {
		unsigned last = mirrored((enum chassis_task)k) ? v->nsessmgr : 0;

		for (unsigned i = 0; (task == k || task == CHASSIS_TASK__N) && i <= last; i++)
			if (instance == UINT32_MAX || instance == i)
				task_row(v, d, (enum chassis_task)k, i);
	}
	stats_doc_table_end(d);
}

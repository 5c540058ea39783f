/* show_recovery: `show session recovery status`, `show crash ...`. Layout of the status: the sample of
 * the session recovery chapter, blanks included; scripts take what stands behind the last colon. */
#include <config.h>
#include "chassis/cli/show.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "srp/role.h"

#define N(a) (sizeof(a) / sizeof(a[0]))

static const char *const task_names[CHASSIS_TASK__N] = {
#define X(sym, text) [CHASSIS_TASK_##sym] = text,
	CHASSIS_TASKS(X)
#undef X
};

static const char *const state_texts[CHASSIS_SR__N] = {
#define X(sym, text) [CHASSIS_SR_##sym] = text,
	CHASSIS_SR_STATES(X)
#undef X
};

/* --- status --------------------------------------------------------------------------------- */

/* What the last column of the table says: the state without what it is about. */
static void short_state(uint32_t state, char *buf, size_t cap)
{
	static const char tail[] = " For Recovery";
	size_t n;

	if (state == CHASSIS_SR_READY || state == CHASSIS_SR_OFF) {
		snprintf(buf, cap, "%s", state == CHASSIS_SR_READY ? "Good" : "Not Enabled");
		return;
	}
	n = strlen(state_texts[state]);
	if (n >= sizeof(tail) && strcmp(state_texts[state] + n - (sizeof(tail) - 1), tail) == 0)
		n -= sizeof(tail) - 1;
	snprintf(buf, cap, "%.*s", (int)n, state_texts[state]);
}

static void reason(struct stats_doc *d, const char *first, const char *text)
{
	char line[200];

	if (strcmp(first, text) == 0 && d->rows)
		return; /* the supervisor has said it already */
	snprintf(line, sizeof(line), "  %s", text);
	stats_doc_row(d, (const struct stats_value[]){stats_string(d->format == STATS_DOC_JSON
	                                                                   ? text : line)});
}

/* What each task says of itself, in the words of the supervisor, which tells the first reason only. */
static void task_reasons(const struct chassis_view *v, struct stats_doc *d, const char *first)
{
	static const enum chassis_task kinds[] = {CHASSIS_TASK_SESSMGR, CHASSIS_TASK_AAAMGR};
	const struct chassis_slab *s;
	char text[160];

	for (size_t k = 0; k < N(kinds); k++) {
		s = v->slab(v->arg, kinds[k], 0);
		if (!s || !s->not_ready[0])
			continue;
		snprintf(text, sizeof(text), "standby %s: %.95s", task_names[kinds[k]], s->not_ready);
		reason(d, first, text);
	}
	for (unsigned k = 0; k < N(kinds) * v->nsessmgr; k++) {
		unsigned i = k / N(kinds) + 1;

		s = v->slab(v->arg, kinds[k % N(kinds)], i);
		if (!s || s->head.owner || !s->not_ready[0])
			continue;
		snprintf(text, sizeof(text), "%s:%u %.95s", task_names[kinds[k % N(kinds)]], i, s->not_ready);
		reason(d, first, text);
	}
	for (unsigned i = 1; i <= v->nsessmgr; i++) {
		s = v->slab(v->arg, CHASSIS_TASK_SESSMGR, i);
		if (!s || s->applied_role >= SRP_ROLE__N)
			continue;
		if (s->recovering) {
			snprintf(text, sizeof(text), "sessmgr:%u: its sessions are being recovered", i);
			reason(d, first, text);
		} else if (srp_role_permit[s->applied_role].sr_replica && s->sessions && !s->sr_level) {
			snprintf(text, sizeof(text), "sessmgr:%u: aaamgr not level", i);
			reason(d, first, text);
		}
	}
}

static void reasons(const struct chassis_view *v, struct stats_doc *d, uint32_t state,
                    const char *first)
{
	static const struct stats_col cols[] = {{"reason", "", 0, true}};
	static const struct stats_table t = {"reasons", NULL, STATS_TABLE_BARE, cols, N(cols)};
	bool ready = state == CHASSIS_SR_READY;

	/* that it is not configured needs no reason */
	if (!ready && (state != CHASSIS_SR_OFF || first[0])) {
		stats_doc_line(d, "%s", "");
		stats_doc_line(d, "Not ready for recovery:");
	}
	stats_doc_table(d, &t);
	if (!ready && first[0])
		reason(d, "", first);
	if (!ready && state != CHASSIS_SR_OFF)
		task_reasons(v, d, first);
	stats_doc_table_end(d);
}

/* Calls that are not tried again. */
static void quarantine(struct stats_doc *d, const uint32_t *callid, uint32_t n)
{
	static const struct stats_col cols[] = {{"callid", "", 0, true}};
	static const struct stats_table t = {"quarantine", NULL, STATS_TABLE_BARE, cols, N(cols)};
	char text[24];

	if (n) {
		stats_doc_line(d, "%s", "");
		stats_doc_line(d, "Calls put aside, since session managers died of them:");
	}
	stats_doc_table(d, &t);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s%08" PRIx32, d->format == STATS_DOC_JSON ? "" : "  ",
		         callid[i]);
		stats_doc_row(d, (const struct stats_value[]){stats_string(text)});
	}
	stats_doc_table_end(d);
}

static void table(struct stats_doc *d, const struct chassis_sr_slab *sr, uint32_t state)
{
	static const struct stats_col cols[] = {
		{"cpu", "", 4, true}, {"state", "", 8, true},
		{"sessmgr_active", "", 6, true}, {"sessmgr_standby", "", 8, true},
		{"aaamgr_active", "", 6, true}, {"aaamgr_standby", "", 8, true},
		{"demux_active", "", 7, true}, {"status", "", 0, true}};
	static const struct stats_table t = {"cpus", NULL, STATS_TABLE_BARE, cols, N(cols)};
	char status[64];

	short_state(state, status, sizeof(status));
	stats_doc_line(d, "%s", "");
	stats_doc_line(d, "              ----sessmgr---  ----aaamgr----  demux");
	stats_doc_line(d, "cpu state     active standby  active standby  active  status");
	stats_doc_line(d, "---- -------  ------ -------  ------ -------  ------  %.25s",
	               "-------------------------");
	stats_doc_table(d, &t);
	stats_doc_row(d, (const struct stats_value[]){
				 stats_string(d->format == STATS_DOC_JSON ? CHASSIS_CARD_CPU
	                                                                  : " " CHASSIS_CARD_CPU),
				 stats_string("Active"), stats_uint(sr->sessmgr_active),
				 stats_uint(sr->sessmgr_standby), stats_uint(sr->aaamgr_active),
				 stats_uint(sr->aaamgr_standby), stats_uint(sr->demux_active),
				 stats_string(status)});
	stats_doc_table_end(d);
}

void chassis_show_session_recovery(const struct chassis_view *v, struct stats_doc *d, bool verbose)
{
	const struct chassis_slab *s = v->slab(v->arg, CHASSIS_TASK_SUPERVISOR, 0);
	const struct chassis_sr_slab *sr = s ? &s->sr : NULL;
	uint32_t state, put_aside[CHASSIS_QUARANTINE], n;
	char text[48], why[sizeof(sr->why)];
	uint64_t age;

	if (!s)
		return;
	state = sr->state < CHASSIS_SR__N ? sr->state : CHASSIS_SR_OFF;
	age = v->now_us > sr->updated_us ? (v->now_us - sr->updated_us) / 1000000 : 0;
	stats_doc_layout(d, 0, false);
	stats_doc_open(d, "session_recovery", "Session Recovery Status:");
	stats_doc_item(d, "enabled", NULL, stats_bool(sr->enabled));
	stats_doc_item(d, "ready", NULL, stats_bool(state == CHASSIS_SR_READY));
	stats_doc_item(d, "overall_status", "  Overall Status           ",
	               stats_string(state_texts[state]));
	snprintf(text, sizeof(text), "%" PRIu64 " second%s ago", age, age == 1 ? "" : "s");
	stats_doc_item_as(d, "last_update_s", "  Last Status Update      ", stats_uint(age), text);
	if (verbose) {
		/* the copy of this slab goes when the next one is looked at */
		snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, sr->why);
		n = sr->nquarantine < CHASSIS_QUARANTINE ? sr->nquarantine : CHASSIS_QUARANTINE;
		memcpy(put_aside, sr->quarantine, sizeof(put_aside));
		table(d, sr, state);
		reasons(v, d, state, why);
		quarantine(d, put_aside, n);
	}
	stats_doc_close(d);
}

/* --- crashes -------------------------------------------------------------------------------- */

/* "2026-Nov-21+03:31:37", in UTC. */
static void when(uint64_t wall_ms, char *buf, size_t cap)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, cap, "%Y-%b-%d+%H:%M:%S", &tm))
		snprintf(buf, cap, "-");
}

static const char *process(const struct chassis_crash *c)
{
	return c->task < CHASSIS_TASK__N ? task_names[c->task] : "unknown";
}

/* "SIGSEGV", or "exit 1" where it has ended by itself. */
static void cause(const struct chassis_crash *c, char *buf, size_t cap)
{
	const char *name = c->signal > 0 ? sigabbrev_np(c->signal) : NULL;

	if (name)
		snprintf(buf, cap, "SIG%s", name);
	else if (c->signal > 0)
		snprintf(buf, cap, "signal %" PRId32, c->signal);
	else
		snprintf(buf, cap, "exit %" PRId32, c->status);
}

/* Crash number @p n, 1 the first one ever; NULL: there was none, or it is forgotten. */
static const struct chassis_crash *crash(const struct chassis_sr_slab *sr, uint64_t n)
{
	if (n < 1 || n > sr->ncrashes || n + CHASSIS_CRASHES <= sr->ncrashes)
		return NULL;
	return &sr->crash[(n - 1) % CHASSIS_CRASHES];
}

static void crash_row(struct stats_doc *d, uint64_t n, const struct chassis_crash *c)
{
	char time[40], pid[32], why[40], call[16];

	when(c->wall_ms, time, sizeof(time));
	snprintf(pid, sizeof(pid), "01/0/%" PRIu32, c->pid);
	cause(c, why, sizeof(why));
	snprintf(call, sizeof(call), "%08" PRIx32, c->handling);
	stats_doc_row(d, (const struct stats_value[]){
				 stats_uint(n), stats_string(time), stats_string(process(c)),
				 stats_uint(c->instance), stats_string(pid), stats_string(why),
				 stats_bool(c->killed), stats_string(c->handling ? call : ""),
				 stats_string(c->core[0] ? c->core : ""), stats_uint(c->pid),
				 stats_uint(c->wall_ms)});
}

void chassis_show_crashes(const struct chassis_view *v, struct stats_doc *d)
{
	static const struct stats_col cols[] = {
		{"number", "#", 3, true}, {"time", "Time", 20, true},
		{"process", "Process", 9, true}, {"instance", "Inst", 4, false},
		{"card_cpu_pid", "Card/CPU/PID", 13, true}, {"signal", "Signal", 9, true},
		{"killed_by_supervisor", "Killed", 6, true}, {"callid", "Callid", 8, true},
		{"core", "Core", 0, true}, {"pid", NULL, 0, false}, {"wall_ms", NULL, 0, false}};
	static const struct stats_table t = {"crashes", NULL, STATS_TABLE_PLAIN, cols, N(cols)};
	const struct chassis_slab *s = v->slab(v->arg, CHASSIS_TASK_SUPERVISOR, 0);
	uint64_t first = 1, n;

	if (!s)
		return;
	n = s->sr.ncrashes;
	if (n > CHASSIS_CRASHES)
		first = n - CHASSIS_CRASHES + 1;
	stats_doc_table(d, &t);
	for (uint64_t i = first; i <= n; i++)
		if (crash(&s->sr, i))
			crash_row(d, i, crash(&s->sr, i));
	stats_doc_table_end(d);
	stats_doc_line(d, "%s", "");
	stats_doc_layout(d, 0, false);
	stats_doc_item(d, "total", "Total Crashes", stats_uint(n));
}

/* Why there is none. */
static const char *no_backtrace(const struct chassis_crash *c)
{
	if (!c->signal)
		return "none: it has ended by itself";
	return c->signal == SIGKILL ? "none: SIGKILL leaves no time to take one" : "none was taken";
}

static void backtrace_lines(struct stats_doc *d, const char *text, size_t cap)
{
	static const struct stats_col cols[] = {{"frame", "", 0, true}};
	static const struct stats_table t = {"backtrace", NULL, STATS_TABLE_BARE, cols, N(cols)};
	size_t len = strnlen(text, cap);
	char line[160];

	if (len)
		stats_doc_line(d, "Backtrace:");
	stats_doc_table(d, &t);
	for (size_t at = 0, n; at < len; at += n + 1) {
		n = 0;
		while (at + n < len && text[at + n] != '\n')
			n++;
		snprintf(line, sizeof(line), "%s%.*s", d->format == STATS_DOC_JSON ? "" : "  ",
		         (int)(n < 150 ? n : 150), text + at);
		if (n)
			stats_doc_row(d, (const struct stats_value[]){stats_string(line)});
	}
	stats_doc_table_end(d);
}

bool chassis_show_crash(const struct chassis_view *v, struct stats_doc *d, uint64_t number)
{
	const struct chassis_slab *s = v->slab(v->arg, CHASSIS_TASK_SUPERVISOR, 0);
	const struct chassis_crash *c = s ? crash(&s->sr, number) : NULL;
	char text[64];

	if (!c)
		return false;
	stats_doc_layout(d, 22, false);
	snprintf(text, sizeof(text), "********************* CRASH #%02" PRIu64 " ***********************",
	         number);
	stats_doc_open(d, "crash", text);
	stats_doc_item(d, "number", NULL, stats_uint(number));
	stats_doc_item(d, "version", "SW Version", stats_string(PACKAGE_VERSION));
	when(c->wall_ms, text, sizeof(text));
	stats_doc_item(d, "time", "Crash time (UTC)", stats_string(text));
	stats_doc_item(d, "wall_ms", NULL, stats_uint(c->wall_ms));
	stats_doc_item(d, "process", "Process", stats_string(process(c)));
	stats_doc_item(d, "instance", "Instance", stats_uint(c->instance));
	stats_doc_item(d, "card_cpu", "Card/Cpu", stats_string(CHASSIS_CARD_CPU));
	stats_doc_item(d, "pid", "Pid", stats_uint(c->pid));
	cause(c, text, sizeof(text));
	stats_doc_item(d, "signal", "Fatal Signal", stats_string(text));
	snprintf(text, sizeof(text), "0x%" PRIx64, c->addr);
	stats_doc_item(d, "address", "Fault Address", stats_string(c->addr ? text : "none"));
	stats_doc_item(d, "killed_by_supervisor", "Killed", stats_bool(c->killed));
	snprintf(text, sizeof(text), "%08" PRIx32, c->handling);
	stats_doc_item(d, "callid", "Working on callid", stats_string(c->handling ? text : "none"));
	stats_doc_item(d, "core", "Core file", stats_string(c->core[0] ? c->core : "none"));
	if (!c->backtrace[0])
		stats_doc_item(d, "no_backtrace", "Backtrace", stats_string(no_backtrace(c)));
	backtrace_lines(d, c->backtrace, sizeof(c->backtrace));
	stats_doc_close(d);
	return true;
}

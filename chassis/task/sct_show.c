/* sct_show: what the operator looks at: each show ends the answer at once, or begins a job that does. */
#include "config.h"
#include "chassis/task/sct.h"

#include <stdio.h>

#include "chassis/registry.h"
#include "chassis/task/proc.h"
#include "srp/err.h"

/* --- what the shows look at ----------------------------------------------------------------- */

static const struct chassis_slab *slab_copy(void *arg, enum chassis_task task, unsigned instance)
{
	struct sct *s = arg;
	size_t slot = chassis_slot(task, instance);

	if (slot >= s->ctx->shared->nslabs ||
	    stats_slab_read(s->ctx->shared->slab[slot], sizeof(*s->copy), s->copy) ==
		    STATS_SLAB_FOREIGN)
		return NULL;
	return s->copy;
}

static bool proc(void *arg, uint32_t pid, struct chassis_proc *out)
{
	(void)arg;
	return chassis_proc_read(pid, out);
}

struct chassis_view sct_view(struct sct *s)
{
	return (struct chassis_view){
		.config = s->ctx->shared->config,
		.running = &s->ctx->shared->running, .slab = slab_copy, .arg = s,
		.nsessmgr = (unsigned)s->ctx->shared->nsessmgr, .kinds = chassis_kinds,
		.nkinds = chassis_nkinds, .now_us = chassis_now().us, .proc = proc};
}

static struct chassis_view view(struct sct_op *op)
{
	return sct_view(op->sct);
}

/* The instance that was named, 0 for all; false after a refusal. */
static bool instance_of(struct sct_op *op, const struct chassis_match *m, unsigned *instance)
{
	char text[64];

	*instance = (unsigned)chassis_match_num(m, "num", 0);
	if (*instance <= op->sct->ctx->shared->nsessmgr)
		return true;
	snprintf(text, sizeof(text), "expected an instance from 1 to %zu",
	         op->sct->ctx->shared->nsessmgr);
	sct_op_finish(op, SRP_ENOENT, text);
	return false;
}

/* --- shows of a kind: their row says of what ----------------------------------------------------- */

struct row;

typedef void row_fn(struct sct_op *op, const struct chassis_match *m, const struct row *row);

struct row {
	row_fn *run; /* NULL: no show */
	void (*own)(struct sct_op *op, const struct chassis_match *m);
	void (*view)(const struct chassis_view *v, struct stats_doc *d);
	bool (*named)(const struct chassis_view *v, struct stats_doc *d, const char *name);
	const char *keyword;
	enum chassis_layout rows, full;
};

static void run_own(struct sct_op *op, const struct chassis_match *m, const struct row *row)
{
	row->own(op, m);
}

/* Needs nothing but the view. */
static void run_view(struct sct_op *op, const struct chassis_match *m, const struct row *row)
{
	struct chassis_view v = view(op);

	(void)m;
	row->view(&v, &op->doc);
	sct_op_finish(op, SRP_OK, NULL);
}

/* Of what is configured, which is not what runs before the next start. */
static void run_configured(struct sct_op *op, const struct chassis_match *m, const struct row *row)
{
	struct chassis_view v = view(op);

	(void)m;
	v.acts = op->sct->started;
	v.config = op->sct->configured;
	row->view(&v, &op->doc);
	sct_op_finish(op, SRP_OK, NULL);
}

static void finish_named(struct sct_op *op, bool found)
{
	if (found)
		sct_op_finish(op, SRP_OK, NULL);
	else
		sct_op_finish(op, SRP_ENOENT, "there is none of that name");
}

static void to_nobody(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
}

/* A show that nobody sees, to find out whether there is something of a name: an answer that fails begins
 * with that. */
static struct stats_doc unseen(void)
{
	struct stats_doc d;

	stats_doc_begin(&d, STATS_DOC_TEXT, to_nobody, NULL);
	return d;
}

/* Of the configuration's objects by name. */
static void run_named(struct sct_op *op, const struct chassis_match *m, const struct row *row)
{
	const char *name = chassis_match_text(m, "name");
	struct chassis_view v = view(op);
	struct stats_doc d = unseen();
	bool found = !name || row->named(&v, &d, name);

	if (found)
		row->named(&v, &op->doc, name);
	finish_named(op, found);
}

/* Of those that are shown by their lines. */
static void run_lines(struct sct_op *op, const struct chassis_match *m, const struct row *row)
{
	const char *name = chassis_match_text(m, "name");
	struct chassis_view v = view(op);
	struct stats_doc d = unseen();
	bool found = !name || chassis_show_lines(&v, &d, row->keyword, name);

	if (found)
		chassis_show_lines(&v, &op->doc, row->keyword, name);
	finish_named(op, found);
}

/* Of rows that tasks are asked for. */
static void run_rows(struct sct_op *op, const struct chassis_match *m, const struct row *row)
{
	sct_job_rows(op, chassis_match_has(m, "full") ? row->full : row->rows, sct_callid(m), 0);
}

/* --- from slabs and configuration ----------------------------------------------------------- */

static void srp_checkpoint(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);
	unsigned instance;

	if (!instance_of(op, m, &instance))
		return;
	chassis_show_checkpoint(&v, &op->doc, instance, chassis_match_has(m, "verbose"));
	sct_op_finish(op, SRP_OK, NULL);
}

static void sr_checkpoint(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);
	unsigned instance;

	if (!instance_of(op, m, &instance))
		return;
	chassis_show_sr_checkpoint(&v, &op->doc, instance);
	sct_op_finish(op, SRP_OK, NULL);
}

static void ruledef_stats(struct sct_op *op, const struct chassis_match *m)
{
	const char *name = chassis_match_text(m, "name");
	bool charging = chassis_match_has(m, "charging"), found;
	struct chassis_view v = view(op);
	struct stats_doc d = unseen();
	unsigned instance;

	if (!instance_of(op, m, &instance))
		return;
	found = !name || chassis_show_ruledefs(&v, &d, instance, charging, name);
	if (found)
		chassis_show_ruledefs(&v, &op->doc, instance, charging, name);
	finish_named(op, found);
}

static void tasks(struct sct_op *op, const struct chassis_match *m)
{
	static const char *const names[] = {
#define X(sym, text) [CHASSIS_TASK_##sym] = text,
		CHASSIS_TASKS(X)
#undef X
	};
	struct chassis_view v = view(op);
	unsigned task = CHASSIS_TASK__N;

	for (unsigned i = 0; i < CHASSIS_TASK__N; i++)
		if (chassis_match_has(m, names[i]))
			task = i;
	chassis_show_tasks(&v, &op->doc, (enum chassis_task)task,
	                   (uint32_t)chassis_match_num(m, "num", UINT32_MAX));
	sct_op_finish(op, SRP_OK, NULL);
}

static void session_recovery(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);

	chassis_show_session_recovery(&v, &op->doc, chassis_match_has(m, "verbose"));
	sct_op_finish(op, SRP_OK, NULL);
}

static void crash(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);

	if (chassis_show_crash(&v, &op->doc, chassis_match_num(m, "num", 0)))
		sct_op_finish(op, SRP_OK, NULL);
	else
		sct_op_finish(op, SRP_ENOENT, "there is no crash of that number; `show crash list` has all");
}

static void limit_stats(struct sct_op *op, const struct chassis_match *m)
{
	const char *name = chassis_match_text(m, "text");
	struct chassis_view v = view(op);
	struct stats_doc d = unseen();
	unsigned of = 0;
	bool found;

	while (of < ECS_LIMIT_BEARER && !chassis_match_has(m, chassis_limit_words((enum ecs_limit_of)of)))
		of++;
	found = !name || chassis_show_limits(&v, &d, (enum ecs_limit_of)of, name);
	if (found)
		chassis_show_limits(&v, &op->doc, (enum ecs_limit_of)of, name);
	if (of == ECS_LIMIT_RULE)
		finish_named(op, found);
	else
		sct_op_finish(op, found ? SRP_OK : SRP_ENOENT,
		              found ? NULL : "nothing of that name has limited a packet");
}

static void ruledef(struct sct_op *op, const struct chassis_match *m)
{
	static const char *const applications[] = {"charging", "post-processing", "routing"};
	const char *application = NULL, *name = chassis_match_text(m, "name");
	struct chassis_view v = view(op);
	struct stats_doc d = unseen();
	bool found;

	for (size_t i = 0; i < sizeof(applications) / sizeof(applications[0]); i++)
		if (chassis_match_has(m, applications[i]))
			application = applications[i];
	found = !name || chassis_show_ruledef(&v, &d, name, application);
	if (found)
		chassis_show_ruledef(&v, &op->doc, name, application);
	finish_named(op, found);
}

/* True where flow recovery has its key; else the answer says why not. */
static bool licensed(struct sct_op *op)
{
	const char *why = chassis_license_lacks(&op->sct->ctx->shared->config->license,
	                                        CHASSIS_LICENSE_FLOW_RECOVERY);
	char text[96];

	if (!why)
		return true;
	snprintf(text, sizeof(text), "%s is not licensed: %s",
	         chassis_features[CHASSIS_LICENSE_FLOW_RECOVERY].name, why);
	sct_op_finish(op, SRP_ENOENT, text);
	return false;
}

static void flow_kpi(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);
	unsigned instance;

	if (licensed(op) && instance_of(op, m, &instance))
		sct_op_finish(op, chassis_show_flow_kpi(&v, &op->doc, instance), NULL);
}

/* --- asked of tasks ------------------------------------------------------------------------- */

static void srp_info(struct sct_op *op, const struct chassis_match *m)
{
	(void)m;
	if (op->sct->ctx->shared->config->srp.present)
		sct_job_srp(op);
	else
		sct_op_finish(op, SRP_ENOENT, "there is no service-redundancy-protocol");
}

static void sessions(struct sct_op *op, const struct chassis_match *m)
{
	if (chassis_match_has(m, "full"))
		sct_job_sessions(op, sct_callid(m));
	else
		sct_job_rows(op, CHASSIS_LAYOUT_USAGE, sct_callid(m), 0);
}

static void srp_replica(struct sct_op *op, const struct chassis_match *m)
{
	unsigned instance;

	if (instance_of(op, m, &instance))
		sct_job_rows(op, CHASSIS_LAYOUT_REPLICA, 0, instance);
}

static void debug_info(struct sct_op *op, const struct chassis_match *m)
{
	static const char *const keys[] = {"msid", "username"};
	char filter[96] = "";

	for (size_t i = 0; i < 2; i++)
		if (chassis_match_has(m, keys[i]))
			snprintf(filter, sizeof(filter), "%s %s", keys[i], chassis_match_text(m, keys[i]));
	sct_job_call(op, sct_callid(m), filter);
}

/* --- the table ------------------------------------------------------------------------------ */

#define OWN(fn)        {.run = run_own, .own = (fn)}
#define VIEW(fn)       {.run = run_view, .view = (fn)}
#define CONFIGURED(fn) {.run = run_configured, .view = (fn)}
#define NAMED(fn)      {.run = run_named, .named = (fn)}
#define LINES(word)    {.run = run_lines, .keyword = (word)}
#define ROWS(brief, all) {.run = run_rows, .rows = CHASSIS_LAYOUT_##brief, .full = CHASSIS_LAYOUT_##all}

static const struct row shows[CHASSIS_EXEC__N] = {
	[CHASSIS_EXEC_SRP_INFO] = OWN(srp_info),
	[CHASSIS_EXEC_SRP_CHECKPOINT] = OWN(srp_checkpoint),
	[CHASSIS_EXEC_SRP_KINDS] = VIEW(chassis_show_kinds),
	[CHASSIS_EXEC_SR_CHECKPOINT] = OWN(sr_checkpoint),
	[CHASSIS_EXEC_SRP_LOSS] = ROWS(LOSS, LOSS),
	[CHASSIS_EXEC_SRP_STATISTICS] = VIEW(chassis_show_srp_statistics),
	[CHASSIS_EXEC_SRP_REPLICA] = OWN(srp_replica),
	[CHASSIS_EXEC_FLOWS] = ROWS(FLOWS, FLOWS_FULL),
	[CHASSIS_EXEC_SESSIONS] = OWN(sessions),
	[CHASSIS_EXEC_RULEDEF_STATS] = OWN(ruledef_stats),
	[CHASSIS_EXEC_RULEBASE] = NAMED(chassis_show_rulebases),
	[CHASSIS_EXEC_RULEDEF] = OWN(ruledef),
	[CHASSIS_EXEC_CHARGING_ACTION] = NAMED(chassis_show_charging_actions),
	[CHASSIS_EXEC_PACKET_FILTER] = LINES("packet-filter"),
	[CHASSIS_EXEC_POLICY] = LINES("bandwidth-policy"),
	[CHASSIS_EXEC_QOS_GROUP] = LINES("qos-group-of-ruledefs"),
	[CHASSIS_EXEC_RATE_LIMITS] = ROWS(LIMITS, LIMITS),
	[CHASSIS_EXEC_LIMIT_STATS] = OWN(limit_stats),
	[CHASSIS_EXEC_GROUP] = LINES("group-of-ruledefs"),
	[CHASSIS_EXEC_HOST_POOL] = LINES("host-pool"),
	[CHASSIS_EXEC_PORT_MAP] = LINES("port-map"),
	[CHASSIS_EXEC_IMSI_POOL] = LINES("imsi-pool"),
	[CHASSIS_EXEC_TIMEDEF] = LINES("timedef"),
	[CHASSIS_EXEC_SUBS_CLASS] = LINES("subs-class"),
	[CHASSIS_EXEC_SUBSCRIBER_BASE] = LINES("subscriber-base"),
	[CHASSIS_EXEC_XHEADER_FORMAT] = LINES("xheader-format"),
	[CHASSIS_EXEC_EDR_FORMAT] = LINES("edr-format"),
	[CHASSIS_EXEC_UDR_FORMAT] = LINES("udr-format"),
	[CHASSIS_EXEC_SCHEME] = NAMED(chassis_show_schemes),
	[CHASSIS_EXEC_TRIGGER_ACTION] = NAMED(chassis_show_trigger_actions),
	[CHASSIS_EXEC_TRIGGER_COND] = NAMED(chassis_show_trigger_conditions),
	[CHASSIS_EXEC_FLOW_KPI] = OWN(flow_kpi),
	[CHASSIS_EXEC_BULK] = OWN(sct_bulk_show),
	[CHASSIS_EXEC_BULK_VARIABLES] = OWN(sct_bulk_variables),
	[CHASSIS_EXEC_SERVICE] = NAMED(chassis_show_service),
	[CHASSIS_EXEC_SUBSCRIBERS] = ROWS(SUBSCRIBERS, SUBSCRIBERS_FULL),
	[CHASSIS_EXEC_BEARERS] = ROWS(BEARERS, BEARERS),
	[CHASSIS_EXEC_QUOTAS] = ROWS(QUOTAS, QUOTAS),
	[CHASSIS_EXEC_DYNRULES] = ROWS(DYNRULES, DYNRULES),
	[CHASSIS_EXEC_RECORDS] = VIEW(chassis_show_records),
	[CHASSIS_EXEC_METHODS] = VIEW(chassis_show_methods),
	[CHASSIS_EXEC_TRACE_SHOW] = OWN(sct_trace_show),
	[CHASSIS_EXEC_DEBUG_INFO] = OWN(debug_info),
	[CHASSIS_EXEC_CONFIGURATION] = CONFIGURED(chassis_show_config),
	[CHASSIS_EXEC_CONFIG_ERRORS] = VIEW(chassis_show_config_errors),
	[CHASSIS_EXEC_DATABASES] = VIEW(chassis_show_databases),
	[CHASSIS_EXEC_CF_STATISTICS] = VIEW(chassis_show_content),
	[CHASSIS_EXEC_LICENSE] = CONFIGURED(chassis_show_license),
	[CHASSIS_EXEC_TASKS] = OWN(tasks),
	[CHASSIS_EXEC_SESSION_RECOVERY] = OWN(session_recovery),
	[CHASSIS_EXEC_CRASH_LIST] = VIEW(chassis_show_crashes),
	[CHASSIS_EXEC_CRASH] = OWN(crash),
	[CHASSIS_EXEC_VERSION] = VIEW(chassis_show_version),
};

bool sct_show(struct sct_op *op, const struct chassis_match *m)
{
	const struct row *row = &shows[m->row];

	if (!row->run)
		return false;
	row->run(op, m, row);
	return true;
}

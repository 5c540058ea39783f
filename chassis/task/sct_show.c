/* sct_show: the operator's commands: each ends the answer at once, or begins a job that does. */
#include "config.h"
#include "chassis/task/sct.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chassis/registry.h"
#include "chassis/task/proc.h"
#include "srp/err.h"

#define TIME_S        10  /* for a command of which nothing else is said */
#define SWITCHOVER_S  300 /* timeout of a switchover where none is given */

typedef void handler_fn(struct sct_op *op, const struct chassis_match *m);

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

static uint32_t callid_of(const struct chassis_match *m)
{
	return (uint32_t)chassis_match_num(m, "callid", 0);
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
	struct chassis_view v = view(op);
	unsigned instance;

	if (!instance_of(op, m, &instance))
		return;
	if (chassis_show_ruledefs(&v, &op->doc, instance, chassis_match_text(m, "name")))
		sct_op_finish(op, SRP_OK, NULL);
	else
		sct_op_finish(op, SRP_ENOENT, "there is none of that name");
}

/* Shows that need nothing but the view. */
static void simple(struct sct_op *op,
		   void (*show)(const struct chassis_view *v, struct stats_doc *d))
{
	struct chassis_view v = view(op);

	show(&v, &op->doc);
	sct_op_finish(op, SRP_OK, NULL);
}

#define SIMPLE(name, show)                                                 \
	static void name(struct sct_op *op, const struct chassis_match *m) \
	{                                                                  \
		(void)m;                                                   \
		simple(op, show);                                          \
	}
SIMPLE(srp_kinds, chassis_show_kinds)
SIMPLE(srp_statistics, chassis_show_srp_statistics)
SIMPLE(crash_list, chassis_show_crashes)
SIMPLE(records, chassis_show_records)
SIMPLE(methods, chassis_show_methods)
SIMPLE(config_errors, chassis_show_config_errors)

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

/* Shows of what is configured, which is not what runs before the next start. */
static void configured(struct sct_op *op,
                       void (*show)(const struct chassis_view *v, struct stats_doc *d))
{
	struct chassis_view v = view(op);

	v.acts = op->sct->started;
	v.config = op->sct->configured;
	show(&v, &op->doc);
	sct_op_finish(op, SRP_OK, NULL);
}

static void configuration(struct sct_op *op, const struct chassis_match *m)
{
	(void)m;
	configured(op, chassis_show_config);
}

static void license_info(struct sct_op *op, const struct chassis_match *m)
{
	(void)m;
	configured(op, chassis_show_license);
}

static void configure(struct sct_op *op, const struct chassis_match *m)
{
	(void)m;
	sct_config_begin(op);
}

static void acs(struct sct_op *op, const struct chassis_match *m)
{
	sct_config_service(op, chassis_match_text(m, "name"), chassis_match_has(m, "no"));
}

static void save(struct sct_op *op, const struct chassis_match *m)
{
	sct_config_save(op, chassis_match_text(m, "path"));
}

static void reload(struct sct_op *op, const struct chassis_match *m)
{
	(void)m;
	sct_config_reload(op);
}

static void version(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);

	(void)m;
	chassis_show_version(&v, &op->doc);
	sct_op_finish(op, SRP_OK, NULL);
}

static void databases(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);

	(void)m;
	chassis_show_databases(&v, &op->doc);
	sct_op_finish(op, SRP_OK, NULL);
}

static void content(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);

	(void)m;
	chassis_show_content(&v, &op->doc);
	sct_op_finish(op, SRP_OK, NULL);
}

/* Shows of the configuration's objects by name. */
static void named(struct sct_op *op, const struct chassis_match *m,
                  bool (*show)(const struct chassis_view *v, struct stats_doc *d, const char *name))
{
	struct chassis_view v = view(op);

	if (show(&v, &op->doc, chassis_match_text(m, "name")))
		sct_op_finish(op, SRP_OK, NULL);
	else
		sct_op_finish(op, SRP_ENOENT, "there is none of that name");
}

#define NAMED(name, show)                                                  \
	static void name(struct sct_op *op, const struct chassis_match *m) \
	{                                                                  \
		named(op, m, show);                                        \
	}
NAMED(rulebase, chassis_show_rulebases)
NAMED(charging_action, chassis_show_charging_actions)
NAMED(scheme, chassis_show_schemes)
NAMED(trigger_action, chassis_show_trigger_actions)
NAMED(trigger_cond, chassis_show_trigger_conditions)

/* Objects that are shown by their lines. */
static void by_lines(struct sct_op *op, const struct chassis_match *m, const char *keyword)
{
	struct chassis_view v = view(op);

	if (chassis_show_lines(&v, &op->doc, keyword, chassis_match_text(m, "name")))
		sct_op_finish(op, SRP_OK, NULL);
	else
		sct_op_finish(op, SRP_ENOENT, "there is none of that name");
}

#define BY_LINES(name, keyword)                                            \
	static void name(struct sct_op *op, const struct chassis_match *m) \
	{                                                                  \
		by_lines(op, m, keyword);                                  \
	}
BY_LINES(packet_filter, "packet-filter")
BY_LINES(policy, "bandwidth-policy")
BY_LINES(qos_group, "qos-group-of-ruledefs")
BY_LINES(edr_format, "edr-format")
BY_LINES(udr_format, "udr-format")

static void limit_stats(struct sct_op *op, const struct chassis_match *m)
{
	struct chassis_view v = view(op);
	unsigned of = 0;

	while (of < ECS_LIMIT_BEARER && !chassis_match_has(m, chassis_limit_words((enum ecs_limit_of)of)))
		of++;
	if (chassis_show_limits(&v, &op->doc, (enum ecs_limit_of)of, chassis_match_text(m, "text")))
		sct_op_finish(op, SRP_OK, NULL);
	else
		sct_op_finish(op, SRP_ENOENT, "nothing of that name has limited a packet");
}

static void ruledef(struct sct_op *op, const struct chassis_match *m)
{
	static const char *const applications[] = {"charging", "post-processing", "routing"};
	struct chassis_view v = view(op);
	const char *application = NULL;

	for (size_t i = 0; i < sizeof(applications) / sizeof(applications[0]); i++)
		if (chassis_match_has(m, applications[i]))
			application = applications[i];
	if (chassis_show_ruledef(&v, &op->doc, chassis_match_text(m, "name"), application))
		sct_op_finish(op, SRP_OK, NULL);
	else
		sct_op_finish(op, SRP_ENOENT, "there is none of that name");
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
NAMED(service, chassis_show_service)

/* --- asked of tasks ------------------------------------------------------------------------- */

static void srp_info(struct sct_op *op, const struct chassis_match *m)
{
	(void)m;
	if (op->sct->ctx->shared->config->srp.present)
		sct_job_srp(op);
	else
		sct_op_finish(op, SRP_ENOENT, "there is no service-redundancy-protocol");
}

static void srp_loss(struct sct_op *op, const struct chassis_match *m)
{
	(void)m;
	sct_job_rows(op, CHASSIS_LAYOUT_LOSS, 0, 0);
}

static void srp_replica(struct sct_op *op, const struct chassis_match *m)
{
	unsigned instance;

	if (instance_of(op, m, &instance))
		sct_job_rows(op, CHASSIS_LAYOUT_REPLICA, 0, instance);
}

static void flows(struct sct_op *op, const struct chassis_match *m)
{
	sct_job_rows(
		op, chassis_match_has(m, "full") ? CHASSIS_LAYOUT_FLOWS_FULL : CHASSIS_LAYOUT_FLOWS,
		callid_of(m), 0);
}

static void sessions(struct sct_op *op, const struct chassis_match *m)
{
	sct_job_rows(op, chassis_match_has(m, "full") ? CHASSIS_LAYOUT_SESSIONS_FULL
	                                              : CHASSIS_LAYOUT_USAGE, callid_of(m), 0);
}

static void dynrules(struct sct_op *op, const struct chassis_match *m)
{
	sct_job_rows(op, CHASSIS_LAYOUT_DYNRULES, callid_of(m), 0);
}

static void bearers(struct sct_op *op, const struct chassis_match *m)
{
	sct_job_rows(op, CHASSIS_LAYOUT_BEARERS, callid_of(m), 0);
}

static void rate_limits(struct sct_op *op, const struct chassis_match *m)
{
	sct_job_rows(op, CHASSIS_LAYOUT_LIMITS, callid_of(m), 0);
}

static void quotas(struct sct_op *op, const struct chassis_match *m)
{
	sct_job_rows(op, CHASSIS_LAYOUT_QUOTAS, callid_of(m), 0);
}

static void subscribers(struct sct_op *op, const struct chassis_match *m)
{
	sct_job_rows(op,
		     chassis_match_has(m, "full") ? CHASSIS_LAYOUT_SUBSCRIBERS_FULL
						  : CHASSIS_LAYOUT_SUBSCRIBERS,
		     callid_of(m), 0);
}

static void debug_info(struct sct_op *op, const struct chassis_match *m)
{
	static const char *const keys[] = {"msid", "username"};
	char filter[96] = "";

	for (size_t i = 0; i < 2; i++)
		if (chassis_match_has(m, keys[i]))
			snprintf(filter, sizeof(filter), "%s %s", keys[i], chassis_match_text(m, keys[i]));
	sct_job_call(op, callid_of(m), filter);
}

/* --- commands ------------------------------------------------------------------------------- */

static const char *text_or(const struct chassis_match *m, const char *key, const char *none)
{
	const char *text = chassis_match_text(m, key);

	return text ? text : none;
}

static void session_add(struct sct_op *op, const struct chassis_match *m)
{
	static const struct sct_command c = {CHASSIS_CMD_SESSION_ADD, false, TIME_S, NULL};
	uint8_t buf[512];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_str(&w, text_or(m, "imsi", ""));
	srp_mp_w_str(&w, text_or(m, "username", ""));
	srp_mp_w_str(&w, text_or(m, "apn", ""));
	srp_mp_w_str(&w, text_or(m, "v4", ""));
	srp_mp_w_str(&w, text_or(m, "v6", ""));
	srp_mp_w_str(&w, text_or(m, "rulebase", ""));
	srp_mp_w_uint(&w, chassis_match_num(m, "idle", 0));
	sct_job_command(op, &c, &w, 7);
}

/* A command whose only argument is a call-id, 0 for all. */
static void by_callid(struct sct_op *op, const struct chassis_match *m, const struct sct_command *c)
{
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_uint(&w, callid_of(m));
	sct_job_command(op, c, &w, 1);
}

static void session_delete(struct sct_op *op, const struct chassis_match *m)
{
	static const struct sct_command c = {CHASSIS_CMD_SESSION_DEL, false, 60, NULL};

	by_callid(op, m, &c);
}

static void clear_flows(struct sct_op *op, const struct chassis_match *m)
{
	static const struct sct_command c = {CHASSIS_CMD_FLOWS_CLEAR, false, 60, NULL};

	by_callid(op, m, &c);
}

static void session_control(struct sct_op *op, const struct chassis_match *m)
{
	static const struct sct_command c = {CHASSIS_CMD_CONTROL, true, TIME_S, "done"};
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_uint(&w, callid_of(m));
	srp_mp_w_bool(&w, chassis_match_has(m, "begin"));
	sct_job_command(op, &c, &w, 2);
}

static void switchover(struct sct_op *op, const struct chassis_match *m)
{
	unsigned timeout = (unsigned)chassis_match_num(m, "num", SWITCHOVER_S);
	struct sct_command c = {CHASSIS_CMD_SWITCHOVER, false, timeout + TIME_S, NULL};
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_bool(&w, chassis_match_has(m, "force"));
	srp_mp_w_uint(&w, timeout);
	sct_job_command(op, &c, &w, 2);
}

static void plain_command(struct sct_op *op, enum chassis_command command, const char *done)
{
	struct sct_command c = {command, false, TIME_S, done};
	uint8_t buf[8];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	sct_job_command(op, &c, &w, 0);
}

#define COMMAND(name, command, done)                                       \
	static void name(struct sct_op *op, const struct chassis_match *m) \
	{                                                                  \
		(void)m;                                                   \
		plain_command(op, CHASSIS_CMD_##command, done);            \
	}
COMMAND(validate, VALIDATE, NULL)
COMMAND(validate_config, VALIDATE_CONFIG, NULL)
COMMAND(audit, AUDIT, "Audit initiated")
COMMAND(clear_stats, CLEAR_STATS, "Statistics cleared")

static void timestamps(struct sct_op *op, const struct chassis_match *m)
{
	op->timestamps = !chassis_match_has(m, "no");
	sct_op_finish(op, SRP_OK, NULL);
}

/* --- lines ---------------------------------------------------------------------------------- */

/* NULL: a command of the shell. SESSION_LOAD needs the file and is run apart. */
static handler_fn *const handlers[CHASSIS_EXEC__N] = {
	[CHASSIS_EXEC_SRP_INFO] = srp_info,
	[CHASSIS_EXEC_SRP_CHECKPOINT] = srp_checkpoint,
	[CHASSIS_EXEC_SRP_KINDS] = srp_kinds,
	[CHASSIS_EXEC_SR_CHECKPOINT] = sr_checkpoint,
	[CHASSIS_EXEC_SRP_LOSS] = srp_loss,
	[CHASSIS_EXEC_SRP_STATISTICS] = srp_statistics,
	[CHASSIS_EXEC_SRP_REPLICA] = srp_replica,
	[CHASSIS_EXEC_FLOWS] = flows,
	[CHASSIS_EXEC_SESSIONS] = sessions,
	[CHASSIS_EXEC_RULEDEF_STATS] = ruledef_stats,
	[CHASSIS_EXEC_RULEBASE] = rulebase,
	[CHASSIS_EXEC_RULEDEF] = ruledef,
	[CHASSIS_EXEC_CHARGING_ACTION] = charging_action,
	[CHASSIS_EXEC_PACKET_FILTER] = packet_filter,
	[CHASSIS_EXEC_POLICY] = policy,
	[CHASSIS_EXEC_QOS_GROUP] = qos_group,
	[CHASSIS_EXEC_RATE_LIMITS] = rate_limits,
	[CHASSIS_EXEC_LIMIT_STATS] = limit_stats,
	[CHASSIS_EXEC_EDR_FORMAT] = edr_format,
	[CHASSIS_EXEC_UDR_FORMAT] = udr_format,
	[CHASSIS_EXEC_SCHEME] = scheme,
	[CHASSIS_EXEC_TRIGGER_ACTION] = trigger_action,
	[CHASSIS_EXEC_TRIGGER_COND] = trigger_cond,
	[CHASSIS_EXEC_FLOW_KPI] = flow_kpi,
	[CHASSIS_EXEC_BULK_FORCE] = sct_bulk_force,
	[CHASSIS_EXEC_BULK_CLEAR] = sct_bulk_clear,
	[CHASSIS_EXEC_BULK] = sct_bulk_show,
	[CHASSIS_EXEC_BULK_VARIABLES] = sct_bulk_variables,
	[CHASSIS_EXEC_SERVICE] = service,
	[CHASSIS_EXEC_SUBSCRIBERS] = subscribers,
	[CHASSIS_EXEC_BEARERS] = bearers,
	[CHASSIS_EXEC_QUOTAS] = quotas,
	[CHASSIS_EXEC_QUOTA_GRANT] = sct_give_quota,
	[CHASSIS_EXEC_RECORDS] = records,
	[CHASSIS_EXEC_METHODS] = methods,
	[CHASSIS_EXEC_DEBUG_INFO] = debug_info,
	[CHASSIS_EXEC_CONFIGURATION] = configuration,
	[CHASSIS_EXEC_CONFIG_ERRORS] = config_errors,
	[CHASSIS_EXEC_DATABASES] = databases,
	[CHASSIS_EXEC_CF_STATISTICS] = content,
	[CHASSIS_EXEC_LICENSE] = license_info,
	[CHASSIS_EXEC_CONFIGURE] = configure,
	[CHASSIS_EXEC_ACS_OPEN] = acs,
	[CHASSIS_EXEC_ACS_REMOVE] = acs,
	[CHASSIS_EXEC_SAVE] = save,
	[CHASSIS_EXEC_RELOAD] = reload,
	[CHASSIS_EXEC_TASKS] = tasks,
	[CHASSIS_EXEC_SESSION_RECOVERY] = session_recovery,
	[CHASSIS_EXEC_CRASH_LIST] = crash_list,
	[CHASSIS_EXEC_CRASH] = crash,
	[CHASSIS_EXEC_VERSION] = version,
	[CHASSIS_EXEC_SESSION_ADD] = session_add,
	[CHASSIS_EXEC_SESSION_DELETE] = session_delete,
	[CHASSIS_EXEC_SESSION_CONTROL] = session_control,
	[CHASSIS_EXEC_RULE_INSTALL] = sct_give_rule,
	[CHASSIS_EXEC_RULE_MODIFY] = sct_give_rule,
	[CHASSIS_EXEC_RULE_ACTIVATE] = sct_give_rule,
	[CHASSIS_EXEC_RULE_REMOVE] = sct_give_rule,
	[CHASSIS_EXEC_BEARER_CREATE] = sct_give_bearer,
	[CHASSIS_EXEC_BEARER_UPDATE] = sct_give_bearer,
	[CHASSIS_EXEC_BEARER_DELETE] = sct_give_bearer,
	[CHASSIS_EXEC_HANDOFF] = sct_give_handoff,
	[CHASSIS_EXEC_UNSETTLE] = sct_give_unsettle,
	[CHASSIS_EXEC_DYNRULES] = dynrules,
	[CHASSIS_EXEC_SWITCHOVER] = switchover,
	[CHASSIS_EXEC_VALIDATE] = validate,
	[CHASSIS_EXEC_VALIDATE_CONFIG] = validate_config,
	[CHASSIS_EXEC_AUDIT] = audit,
	[CHASSIS_EXEC_CLEAR_FLOWS] = clear_flows,
	[CHASSIS_EXEC_CLEAR_STATS] = clear_stats,
	[CHASSIS_EXEC_TIMESTAMPS] = timestamps,
};

/* "Monday November 25 14:12:58 UTC 2019" */
static void stamp(struct sct_op *op)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[64];

	if (localtime_r(&now, &tm) && strftime(date, sizeof(date), "%A %B %d %H:%M:%S %Z %Y", &tm))
		stats_doc_line(&op->doc, "%s", date);
}

static void refuse(struct sct_op *op, const struct chassis_cli_err *e)
{
	char text[CHASSIS_EXPECT_MAX + 96];

	if (e->end)
		snprintf(text, sizeof(text), "incomplete command: %s", e->text);
	else
		snprintf(text, sizeof(text), "Unknown command - \"%s\": %s", e->word, e->text);
	sct_op_finish(op, SRP_EINVAL, text);
}

void sct_run(struct sct_op *op, const char *line, size_t len, int fd)
{
	struct chassis_cli_err e;
	struct chassis_line l;
	struct chassis_match m;

	if (op->edit) {
		sct_config_line(op, line, len, fd);
	} else if (chassis_line_split(&l, line, len, &e) != SRP_OK ||
	    (l.n && chassis_grammar_match(op->sct->grammar, 0, &l, &m, NULL, &e) != SRP_OK)) {
		refuse(op, &e);
	} else if (!l.n) {
		sct_op_finish(op, SRP_OK, NULL);
	} else {
		if (op->timestamps)
			stamp(op);
		if (m.row == CHASSIS_EXEC_SESSION_LOAD) {
			sct_load_start(op, fd);
			return;
		}
		if (m.row == CHASSIS_EXEC_UPGRADE)
			sct_config_upgrade(op, &m, fd);
		else if (handlers[m.row])
			handlers[m.row](op, &m);
		else
			sct_op_finish(op, SRP_EINVAL, "a command of the shell, not of the chassis");
	}
	if (fd >= 0)
		close(fd);
}

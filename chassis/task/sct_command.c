/* sct_command: what the operator has done: each command ends the answer at once, or begins a job that
 * does. */
#include "config.h"
#include "chassis/task/sct.h"

#include "srp/err.h"

#define TIME_S        10  /* for a command of which nothing else is said */
#define SWITCHOVER_S  300 /* timeout of a switchover where none is given */

/* --- of the configuration ------------------------------------------------------------------- */

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

static void timestamps(struct sct_op *op, const struct chassis_match *m)
{
	op->timestamps = !chassis_match_has(m, "no");
	sct_op_finish(op, SRP_OK, NULL);
}

/* --- that tasks carry out ------------------------------------------------------------------- */

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

	srp_mp_w_uint(&w, sct_callid(m));
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

	srp_mp_w_uint(&w, sct_callid(m));
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

/* --- the table ------------------------------------------------------------------------------ */

struct row {
	void (*own)(struct sct_op *op, const struct chassis_match *m);
	bool plain;              /* a command without arguments, and what is said after it */
	enum chassis_command command;
	const char *done;
};

#define OWN(fn)               {.own = (fn)}
#define PLAIN(command_, said) {.plain = true, .command = CHASSIS_CMD_##command_, .done = (said)}

static const struct row commands[CHASSIS_EXEC__N] = {
	[CHASSIS_EXEC_BULK_FORCE] = OWN(sct_bulk_force),
	[CHASSIS_EXEC_BULK_CLEAR] = OWN(sct_bulk_clear),
	[CHASSIS_EXEC_QUOTA_GRANT] = OWN(sct_give_quota),
	[CHASSIS_EXEC_CONFIGURE] = OWN(configure),
	[CHASSIS_EXEC_ACS_OPEN] = OWN(acs),
	[CHASSIS_EXEC_ACS_REMOVE] = OWN(acs),
	[CHASSIS_EXEC_SAVE] = OWN(save),
	[CHASSIS_EXEC_RELOAD] = OWN(reload),
	[CHASSIS_EXEC_SESSION_ADD] = OWN(session_add),
	[CHASSIS_EXEC_SESSION_DELETE] = OWN(session_delete),
	[CHASSIS_EXEC_SESSION_CONTROL] = OWN(session_control),
	[CHASSIS_EXEC_RULE_INSTALL] = OWN(sct_give_rule),
	[CHASSIS_EXEC_RULE_MODIFY] = OWN(sct_give_rule),
	[CHASSIS_EXEC_RULE_ACTIVATE] = OWN(sct_give_rule),
	[CHASSIS_EXEC_RULE_REMOVE] = OWN(sct_give_rule),
	[CHASSIS_EXEC_BEARER_CREATE] = OWN(sct_give_bearer),
	[CHASSIS_EXEC_BEARER_UPDATE] = OWN(sct_give_bearer),
	[CHASSIS_EXEC_BEARER_DELETE] = OWN(sct_give_bearer),
	[CHASSIS_EXEC_HANDOFF] = OWN(sct_give_handoff),
	[CHASSIS_EXEC_TRACE] = OWN(sct_trace),
	[CHASSIS_EXEC_TRACE_END] = OWN(sct_trace),
	[CHASSIS_EXEC_UNSETTLE] = OWN(sct_give_unsettle),
	[CHASSIS_EXEC_SWITCHOVER] = OWN(switchover),
	[CHASSIS_EXEC_VALIDATE] = PLAIN(VALIDATE, NULL),
	[CHASSIS_EXEC_VALIDATE_CONFIG] = PLAIN(VALIDATE_CONFIG, NULL),
	[CHASSIS_EXEC_AUDIT] = PLAIN(AUDIT, "Audit initiated"),
	[CHASSIS_EXEC_CLEAR_FLOWS] = OWN(clear_flows),
	[CHASSIS_EXEC_CLEAR_STATS] = PLAIN(CLEAR_STATS, "Statistics cleared"),
	[CHASSIS_EXEC_TIMESTAMPS] = OWN(timestamps),
};

bool sct_command(struct sct_op *op, const struct chassis_match *m)
{
	const struct row *row = &commands[m->row];

	if (row->own)
		row->own(op, m);
	else if (row->plain)
		plain_command(op, row->command, row->done);
	return row->own || row->plain;
}

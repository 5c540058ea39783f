/* sct_job: questions and commands to the tasks, their answers, and what is said if none comes. */
#include "config.h"
#include "chassis/task/sct.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/task/call_line.h"
#include "srp/err.h"

#define PAGE_ROWS  200u
#define PAGE_TIME  3u /* seconds for a page of rows */

static const char *const task_names[CHASSIS_TASK__N] = {
#define X(sym, text) [CHASSIS_TASK_##sym] = text,
	CHASSIS_TASKS(X)
#undef X
};

static void name_of(enum chassis_task task, unsigned instance, char *buf, size_t cap)
{
	if (instance)
		snprintf(buf, cap, "%s %u", task_names[task], instance);
	else
		snprintf(buf, cap, "%s", task_names[task]);
}

/* The first refusal is the one that is told. */
static void refusal(struct sct_job *j, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void refusal(struct sct_job *j, int status, const char *fmt, ...)
{
	va_list ap;

	/* of many who were asked, that a call is not theirs says least */
	if (j->status < 0 && (j->status != SRP_ENOSESS || status == SRP_ENOSESS))
		return;
	j->status = status;
	va_start(ap, fmt);
	vsnprintf(j->text, sizeof(j->text), fmt, ap);
	va_end(ap);
}

/* --- numbers of questions ------------------------------------------------------------------- */

static struct sct_asked *ask(struct sct_op *op, unsigned tag)
{
	struct sct *s = op->sct;

	for (unsigned tries = 0; tries < SCT_ASKED_MAX; tries++) {
		struct sct_asked *a;

		if (!++s->next_id)
			s->next_id = 1;
		a = &s->asked[s->next_id % SCT_ASKED_MAX];
		if (a->id)
			continue;
		*a = (struct sct_asked){s->next_id, (unsigned)(op - s->op), op->serial, tag};
		return a;
	}
	return NULL;
}

/* Who asked this; NULL: nobody who is still there. */
static struct sct_op *asker(struct sct *s, uint32_t id, struct sct_asked **out)
{
	struct sct_asked *a = &s->asked[id % SCT_ASKED_MAX];
	struct sct_op *op = &s->op[a->op];

	*out = a;
	return id && a->id == id && op->conn && op->serial == a->serial && op->busy ? op : NULL;
}

static void forget(struct sct_op *op)
{
	struct sct *s = op->sct;
	unsigned place = (unsigned)(op - s->op);

	for (size_t i = 0; op->job.waits && i < SCT_ASKED_MAX; i++)
		if (s->asked[i].id && s->asked[i].op == place)
			s->asked[i].id = 0;
	op->job.waits = 0;
}

void sct_job_cancel(struct sct_op *op)
{
	if (op->job.kind == SCT_JOB_NONE)
		return;
	ev_timer_stop(op->sct->ctx->loop, &op->job.timer);
	forget(op);
	sct_load_free(op->job.load);
	op->job.load = NULL;
	op->job.kind = SCT_JOB_NONE;
}

/* --- time ----------------------------------------------------------------------------------- */

static void rows_next(struct sct_op *op);
static void command_end(struct sct_op *op);

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sct_op *op = w->data;
	struct sct_job *j = &op->job;
	unsigned waits = j->waits;
	char who[32];

	(void)loop;
	(void)revents;
	forget(op);
	switch (j->kind) {
	case SCT_JOB_ROWS:
	case SCT_JOB_SESSIONS:
	case SCT_JOB_SRP:
	case SCT_JOB_CALL:
		name_of(j->task, j->instance, who, sizeof(who));
		refusal(j, SRP_ETIMEOUT, "%s did not answer in time: the answer is not complete",
			who);
		j->instance++;
		j->cursor = 0;
		rows_next(op);
		break;
	case SCT_JOB_LOAD:
		sct_load_timeout(op, waits);
		break;
	default:
		refusal(j, SRP_ETIMEOUT, "no answer in time");
		j->command.any = false;
		command_end(op);
	}
}

void sct_job_timer(struct sct_op *op, unsigned seconds)
{
	ev_timer *t = &op->job.timer;

	if (ev_is_active(t))
		ev_timer_stop(op->sct->ctx->loop, t);
	ev_timer_init(t, on_timer, (double)seconds, 0.);
	t->data = op;
	ev_now_update(op->sct->ctx->loop);
	ev_timer_start(op->sct->ctx->loop, t);
}

static void begin(struct sct_op *op, enum sct_job_kind kind)
{
	memset(&op->job, 0, sizeof(op->job));
	op->job.kind = kind;
}

void sct_job_wait(struct sct_op *op, unsigned seconds)
{
	begin(op, SCT_JOB_WAIT);
	sct_job_timer(op, seconds);
}

/* --- rows ----------------------------------------------------------------------------------- */

static int send_query(struct sct_op *op)
{
	struct sct_job *j = &op->job;
	struct sct_asked *a = ask(op, j->instance);
	uint8_t buf[192];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	int rc;

	if (!a)
		return SRP_EBUSY;
	srp_mp_w_array(&w, 6);
	srp_mp_w_uint(&w, a->id);
	srp_mp_w_uint(&w, j->query);
	srp_mp_w_uint(&w, j->cursor);
	srp_mp_w_uint(&w, PAGE_ROWS);
	srp_mp_w_uint(&w, j->callid);
	srp_mp_w_str(&w, j->filter);
	rc = chassis_task_send(op->sct->ctx, j->task, j->instance, CHASSIS_IPC_QUERY, &w, -1);
	if (rc < 0) {
		a->id = 0;
		return rc;
	}
	j->waits = 1;
	sct_job_timer(op, PAGE_TIME);
	return SRP_OK;
}

/* Asks for pages of rows, one task after the other. */
static bool pages(const struct sct_job *j)
{
	return j->kind == SCT_JOB_ROWS || j->kind == SCT_JOB_SESSIONS || j->kind == SCT_JOB_CALL;
}

static void nobody(struct sct_job *j)
{
	if (j->callid)
		refusal(j, SRP_ENOENT, "there is no subscriber with callid %08x", (unsigned)j->callid);
	else
		refusal(j, SRP_ENOENT, "there is no subscriber with %s", j->filter);
}

static void rows_end(struct sct_op *op)
{
	struct sct_job *j = &op->job;

	if (j->kind == SCT_JOB_ROWS)
		chassis_show_rows_end(&j->show, &op->doc);
	else if (j->kind == SCT_JOB_SESSIONS)
		chassis_show_sessions_end(&j->sessions, &op->doc);
	else if (j->kind == SCT_JOB_CALL && !j->calls)
		nobody(j);
	sct_op_finish(op, j->status, j->status < 0 ? j->text : NULL);
}

/* Asks the next page, of this task or of the next one that can be asked. */
static void rows_next(struct sct_op *op)
{
	struct sct_job *j = &op->job;
	char who[32];

	j->page_due = false;
	for (; j->instance <= j->last; j->instance++, j->cursor = 0) {
		if (send_query(op) == SRP_OK)
			return;
		name_of(j->task, j->instance, who, sizeof(who));
		refusal(j, SRP_ENOENT, "%s is not there: the answer is not complete", who);
	}
	rows_end(op);
}

void sct_job_drained(struct sct_op *op)
{
	if (pages(&op->job) && op->job.page_due && sct_op_waiting(op) < SCT_OUT_LOW)
		rows_next(op);
}

void sct_job_rows(struct sct_op *op, enum chassis_layout layout, uint32_t callid, unsigned instance)
{
	sct_job_rows_of(op, layout, callid, instance, "");
}

void sct_job_rows_of(struct sct_op *op, enum chassis_layout layout, uint32_t callid,
                     unsigned instance, const char *filter)
{
	struct sct_job *j = &op->job;
	unsigned n = (unsigned)op->sct->ctx->shared->nsessmgr;

	begin(op, SCT_JOB_ROWS);
	j->query = chassis_layout_query(layout);
	j->task = j->query == CHASSIS_QUERY_LOSS ? CHASSIS_TASK_VPNMGR : CHASSIS_TASK_SESSMGR;
	j->callid = callid;
	snprintf(j->filter, sizeof(j->filter), "%s", filter);
	if (j->task == CHASSIS_TASK_SESSMGR) {
		j->instance = instance ? instance : 1;
		j->last = instance ? instance : n;
	}
	chassis_show_rows_begin(&j->show, layout,
	                        !chassis_license_lacks(&op->sct->ctx->shared->config->license,
	                                               CHASSIS_LICENSE_FLOW_RECOVERY), &op->doc);
	rows_next(op);
}

void sct_job_sessions(struct sct_op *op, uint32_t callid)
{
	struct sct_job *j = &op->job;

	begin(op, SCT_JOB_SESSIONS);
	j->query = CHASSIS_QUERY_SESSION;
	j->task = CHASSIS_TASK_SESSMGR;
	j->callid = callid;
	j->instance = 1;
	j->last = (unsigned)op->sct->ctx->shared->nsessmgr;
	chassis_show_sessions_begin(&j->sessions, &op->doc);
	rows_next(op);
}

void sct_job_srp(struct sct_op *op)
{
	begin(op, SCT_JOB_SRP);
	op->job.query = CHASSIS_QUERY_SRP;
	op->job.task = CHASSIS_TASK_VPNMGR;
	rows_next(op);
}

void sct_job_call(struct sct_op *op, uint32_t callid, const char *filter)
{
	struct sct_job *j = &op->job;

	begin(op, SCT_JOB_CALL);
	j->query = CHASSIS_QUERY_DEBUG;
	j->task = CHASSIS_TASK_SESSMGR;
	j->callid = callid;
	snprintf(j->filter, sizeof(j->filter), "%s", filter);
	j->instance = 1;
	j->last = (unsigned)op->sct->ctx->shared->nsessmgr;
	rows_next(op);
}

/* [instance, call line, why there is no other one, the other one] */
static void call(struct sct_op *op, struct srp_mp_r *r)
{
	const struct chassis_config *conf = op->sct->ctx->shared->config;
	struct chassis_call_show show = {.number = ++op->job.calls, .gr = conf->srp.present,
	                                 .sr = conf->session_recovery};
	struct chassis_call_line primary, peer;
	const uint8_t *line[2];
	uint32_t n = srp_mp_array(r, 8);
	size_t len[2];
	char why[128];

	show.instance = (unsigned)srp_mp_uint(r, CHASSIS_SESSMGRS_MAX);
	line[0] = srp_mp_bin(r, 1, CHASSIS_CALL_LINE_MAX, &len[0]);
	srp_mp_str(r, why, sizeof(why));
	line[1] = srp_mp_bin(r, 0, CHASSIS_CALL_LINE_MAX, &len[1]);
	if (n < 4 || r->err || chassis_call_line_get(line[0], len[0], &primary) != SRP_OK ||
	    (len[1] && chassis_call_line_get(line[1], len[1], &peer) != SRP_OK)) {
		refusal(&op->job, SRP_EFORMAT, "a call line could not be read");
		return;
	}
	show.primary = &primary;
	show.peer = len[1] ? &peer : NULL;
	show.why = why;
	chassis_show_call(&op->doc, &show);
	if (op->job.callid)
		op->job.status = SRP_OK; /* who could not be asked cannot have it */
}

/* The row, and the number of its kind. */
static void session(struct sct_op *op, struct srp_mp_r *r)
{
	static const enum chassis_query parts[] = {CHASSIS_QUERY_SUBSCRIBER, CHASSIS_QUERY_USAGE,
	                                           CHASSIS_QUERY_DYNRULE};
	struct srp_mp_r at = *r;
	struct chassis_answer a;
	uint64_t part;

	srp_mp_skip(&at);
	part = srp_mp_uint(&at, CHASSIS_QUERY__N - 1);
	for (size_t i = 0; !at.err && i < sizeof(parts) / sizeof(parts[0]); i++)
		if (part == parts[i] && chassis_answer_read(parts[i], r, &a) == SRP_OK) {
			chassis_show_sessions_row(&op->job.sessions, &op->doc, parts[i], &a);
			return;
		}
	refusal(&op->job, SRP_EFORMAT, "a row could not be read");
}

static void row(struct sct_op *op, struct srp_mp_r *r)
{
	struct sct_job *j = &op->job;
	struct chassis_answer a;

	if (j->kind == SCT_JOB_CALL) {
		call(op, r);
		return;
	}
	if (j->kind == SCT_JOB_SESSIONS) {
		session(op, r);
		return;
	}
	if (chassis_answer_read((enum chassis_query)j->query, r, &a) != SRP_OK) {
		refusal(j, SRP_EFORMAT, "a row could not be read");
		return;
	}
	if (j->kind == SCT_JOB_ROWS)
		chassis_show_rows_one(&j->show, &op->doc, &a);
	else
		chassis_show_srp_info(&op->doc, &a);
}

static void rows_done(struct sct_op *op, int status, const char *text, uint64_t cursor)
{
	struct sct_job *j = &op->job;
	char who[32];

	ev_timer_stop(op->sct->ctx->loop, &j->timer);
	j->waits = 0;
	if (status < 0) {
		name_of(j->task, j->instance, who, sizeof(who));
		refusal(j, status, "%s: %s", who, text);
		cursor = 0;
	}
	j->cursor = cursor;
	if (!cursor)
		j->instance++;
	if (j->callid && j->calls)
		j->instance = j->last + 1; /* there is one call of that callid */
	j->page_due = true;
	if (!pages(j) || sct_op_waiting(op) < SCT_OUT_LOW)
		rows_next(op);
}

/* --- commands ------------------------------------------------------------------------------- */

static enum chassis_task task_of(enum chassis_command c)
{
	static const enum chassis_task tasks[] = {
#define X(sym, name, task, args) CHASSIS_TASK_##task,
		CHASSIS_COMMANDS(X)
#undef X
	};

	return tasks[c];
}

int sct_job_send(struct sct_op *op, enum chassis_task task, unsigned instance,
		 enum chassis_command command, const struct srp_mp_w *args, uint32_t n,
		 unsigned tag)
{
	struct sct_asked *a = ask(op, tag);
	uint8_t buf[1024];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	int rc;

	if (!a)
		return SRP_EBUSY;
	srp_mp_w_array(&w, 2 + n);
	srp_mp_w_uint(&w, a->id);
	srp_mp_w_uint(&w, command);
	srp_mp_w_raw(&w, args->start, srp_mp_w_len(args));
	rc = args->err
		     ? args->err
		     : chassis_task_send(op->sct->ctx, task, instance, CHASSIS_IPC_COMMAND, &w, -1);
	if (rc < 0)
		a->id = 0;
	else
		op->job.waits++;
	return rc;
}

static void command_end(struct sct_op *op)
{
	struct sct_job *j = &op->job;
	char text[480];

	if (j->status < 0 && !(j->command.any && j->agreed)) {
		snprintf(text, sizeof(text), "%s", j->text);
		sct_op_finish(op, j->status, text);
		return;
	}
	if (j->command.command == CHASSIS_CMD_SESSION_ADD)
		snprintf(text, sizeof(text), "callid: %08llx", (unsigned long long)j->value);
	else if (j->command.command == CHASSIS_CMD_FLOWS_CLEAR)
		snprintf(text, sizeof(text), "Flows cleared: %llu", (unsigned long long)j->counted);
	else
		snprintf(text, sizeof(text), "%s", j->command.done ? j->command.done : j->text);
	sct_op_finish(op, SRP_OK, text);
}

void sct_job_command(struct sct_op *op, const struct sct_command *c, const struct srp_mp_w *w,
                     uint32_t n)
{
	enum chassis_task task = task_of(c->command);
	bool many = task == CHASSIS_TASK_SESSMGR;
	unsigned last = many ? (unsigned)op->sct->ctx->shared->nsessmgr : 0;
	char who[32];

	begin(op, SCT_JOB_COMMAND);
	op->job.command = *c;
	for (unsigned i = many ? 1 : 0; i <= last; i++) {
		int rc = sct_job_send(op, task, i, c->command, w, n, i);

		if (rc < 0) {
			name_of(task, i, who, sizeof(who));
			refusal(&op->job, rc, "%s: %s", who,
			        rc == SRP_ENOENT ? "not there" : srp_strerror(rc));
		}
	}
	if (op->job.waits)
		sct_job_timer(op, c->timeout_s);
	else
		command_end(op);
}

static void command_done(struct sct_op *op, const struct sct_asked *a, int status, const char *text,
                         uint64_t value)
{
	struct sct_job *j = &op->job;
	char who[32];

	j->waits--;
	/* Who has the session knows better than who has not. */
	if (j->command.any && j->status == SRP_ENOSESS)
		j->status = SRP_OK;
	if (status < 0) {
		name_of(task_of(j->command.command), a->tag, who, sizeof(who));
		if (a->tag && !j->command.any)
			refusal(j, status, "%s: %s", who, text[0] ? text : srp_strerror(status));
		else
			refusal(j, status, "%s", text[0] ? text : srp_strerror(status));
	} else {
		j->agreed++;
		j->value = value;
		j->counted += strtoull(text, NULL, 10);
		if (j->status >= 0)
			snprintf(j->text, sizeof(j->text), "%s", text);
	}
	if (!j->waits)
		command_end(op);
}

/* --- answers -------------------------------------------------------------------------------- */

static void answered(struct sct_op *op, struct sct_asked *a, int status, const char *text,
		     uint64_t more)
{
	const struct sct_asked was = *a;

	a->id = 0;
	switch (op->job.kind) {
	case SCT_JOB_ROWS:
	case SCT_JOB_SESSIONS:
	case SCT_JOB_SRP:
	case SCT_JOB_CALL:
		rows_done(op, status, text, more);
		break;
	case SCT_JOB_COMMAND:
		command_done(op, &was, status, text, more);
		break;
	case SCT_JOB_LOAD:
		op->job.waits--;
		sct_load_done(op, was.tag, status, text);
		break;
	default:
		break;
	}
}

int sct_job_rx(struct sct *s, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 8), id = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	struct sct_asked *a;
	struct sct_op *op = asker(s, id, &a);
	char text[400];
	uint64_t more = 0;
	int64_t status;

	if (n < 2 || r.err)
		return SRP_EFORMAT;
	if (h->type == CHASSIS_IPC_ROW) {
		if (op && (pages(&op->job) || op->job.kind == SCT_JOB_SRP))
			row(op, &r);
		return SRP_OK;
	}
	status = srp_mp_int(&r);
	srp_mp_str(&r, text, sizeof(text));
	if (n > 3)
		more = srp_mp_uint(&r, UINT64_MAX);
	if (n < 3 || r.err || status < INT32_MIN || status > INT32_MAX)
		return SRP_EFORMAT;
	if (op)
		answered(op, a, (int)status, text, more);
	return SRP_OK;
}

void sct_job_gone(struct sct *s, enum chassis_task task, unsigned instance)
{
	/* Questions to it are answered in its stead. By number, since answering may ask anew. */
	for (size_t i = 0; i < SCT_ASKED_MAX; i++) {
		struct sct_asked *a, *q = &s->asked[i];
		struct sct_op *op = q->id ? asker(s, q->id, &a) : NULL;
		struct sct_job *j = op ? &op->job : NULL;
		enum chassis_task of;

		if (!op)
			continue;
		of = j->kind == SCT_JOB_COMMAND ? task_of(j->command.command)
		     : j->kind == SCT_JOB_LOAD  ? CHASSIS_TASK_DEMUXMGR : j->task;
		if (of == task && (task != CHASSIS_TASK_SESSMGR || q->tag == instance))
			answered(op, q, SRP_ECLOSED, "was restarted", 0);
	}
}

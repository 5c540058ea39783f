/* sct_op: operators: their lines come in, rendered answers go out as fast as they are read. */
#include "config.h"
#include "chassis/task/sct.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/err.h"

#define CHUNK 15000u /* text of one OUTPUT frame */

/* --- output --------------------------------------------------------------------------------- */

static bool grow(struct sct_op *op, size_t n)
{
	size_t need = op->out_len + n, cap = op->out_cap ? op->out_cap : 16384;
	char *p;

	if (need <= op->out_cap)
		return true;
	if (op->out_off) {
		/* what was read makes room first */
		memmove(op->out, op->out + op->out_off, op->out_len - op->out_off);
		op->out_len -= op->out_off;
		op->out_off = 0;
		need = op->out_len + n;
	}
	while (cap < need)
		cap *= 2;
	if (cap > SCT_OUT_MAX)
		return false;
	p = realloc(op->out, cap);
	if (!p)
		return false;
	op->out = p;
	op->out_cap = cap;
	return true;
}

void sct_op_put(void *arg, const char *p, size_t n)
{
	struct sct_op *op = arg;

	if (op->cut || !grow(op, n)) {
		op->cut = true;
		return;
	}
	memcpy(op->out + op->out_len, p, n);
	op->out_len += n;
	if (op->conn)
		chassis_conn_kick(op->conn);
}

/* An answer that was cut has no end: a line of its own says so. */
static void say_cut(struct sct_op *op)
{
	static const char text[] = "\nFailure: the answer is too long and was cut\n";

	op->cut = false;
	op->out_len -= sct_op_waiting(op) < sizeof(text) ? 0 : sizeof(text);
	sct_op_put(op, text, sizeof(text) - 1);
	op->status = SRP_ENOSPC;
}

void sct_op_finish(struct sct_op *op, int status, const char *text)
{
	if (status < 0 && !text)
		text = srp_strerror(status);
	op->status = status;
	if (status < 0)
		stats_doc_line(&op->doc, "Failure: %s", text);
	else if (text && text[0])
		stats_doc_line(&op->doc, "%s", text);
	if (text && text[0])
		stats_doc_item(&op->doc, status < 0 ? "failure" : "message", NULL,
			       stats_string(text));
	stats_doc_end(&op->doc);
	if (op->cut)
		say_cut(op);
	op->finished = true;
	sct_job_cancel(op);
	if (op->conn)
		chassis_conn_kick(op->conn);
}

static size_t put_frame(uint8_t *buf, size_t cap, uint8_t type, const struct srp_mp_w *w)
{
	size_t len = srp_mp_w_len(w);

	if (w->err || len + SRP_FRAME_HDR_LEN > cap)
		return 0;
	srp_frame_put(&chassis_ipc_frames, buf, type, 0, (uint32_t)len);
	return SRP_FRAME_HDR_LEN + len;
}

static size_t put_result(struct sct_op *op, uint8_t *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf + SRP_FRAME_HDR_LEN, cap - SRP_FRAME_HDR_LEN);
	const struct chassis_shared *sh = op->sct->ctx->shared;
	const char *host = sh->config->hostname, *file = sh->config_file ? sh->config_file : "", *mode, *context;
	char prompt[224];

	if (op->edit) {
		mode = chassis_config_edit_mode(op->edit, &context);
		snprintf(prompt, sizeof(prompt), "[%s]%s(%s)# ", context, host, mode);
	} else {
		snprintf(prompt, sizeof(prompt), "[local]%s# ", host);
	}
	srp_mp_w_array(&w, 4);
	srp_mp_w_int(&w, op->status);
	srp_mp_w_str(&w, prompt);
	srp_mp_w_bool(&w, op->edit != NULL);
	srp_mp_w_str(&w, strlen(file) < CHASSIS_PATH_MAX ? file : "");
	op->busy = op->finished = op->cut = false;
	op->out_len = op->out_off = 0;
	return put_frame(buf, cap, CHASSIS_IPC_RESULT, &w);
}

/* The connection takes more: text, then the result behind it. */
static size_t op_tx(void *owner, uint8_t *buf, size_t cap, bool *more)
{
	struct sct_op *op = owner;
	struct srp_mp_w w;
	size_t n;

	*more = false;
	if (cap < CHUNK + 64)
		return 0;
	sct_job_drained(op);
	n = sct_op_waiting(op);
	if (!n)
		return op->finished ? put_result(op, buf, cap) : 0;
	if (n > CHUNK)
		n = CHUNK;
	w = srp_mp_w_init(buf + SRP_FRAME_HDR_LEN, cap - SRP_FRAME_HDR_LEN);
	srp_mp_w_array(&w, 1);
	srp_mp_w_strn(&w, op->out + op->out_off, n);
	op->out_off += n;
	*more = sct_op_waiting(op) || op->finished;
	return put_frame(buf, cap, CHASSIS_IPC_OUTPUT, &w);
}

/* --- input ---------------------------------------------------------------------------------- */

static int op_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct sct_op *op = owner;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	char line[CHASSIS_LINE_MAX + 1];
	uint64_t format;
	uint32_t n;

	n = srp_mp_array(&r, 8);
	srp_mp_str(&r, line, sizeof(line));
	format = srp_mp_uint(&r, STATS_DOC_JSON);
	if (h->type != CHASSIS_IPC_OPERATOR || n < 2 || r.err || op->busy) {
		if (fd >= 0)
			close(fd);
		return op->busy ? SRP_EBUSY : SRP_EFORMAT;
	}
	op->busy = true;
	op->status = SRP_OK;
	stats_doc_begin(&op->doc, (enum stats_doc_format)format, sct_op_put, op);
	sct_run(op, line, strlen(line), fd);
	return SRP_OK;
}

static void op_free(struct sct_op *op)
{
	sct_job_cancel(op);
	sct_config_drop(op);
	free(op->out);
	op->out = NULL;
	op->out_len = op->out_off = op->out_cap = 0;
	op->busy = op->finished = op->cut = op->timestamps = false;
	op->conn = NULL;
}

static void op_down(void *owner, int err, const char *why)
{
	(void)err;
	(void)why;
	op_free(owner);
}

static const struct chassis_conn_ops op_ops = {.rx = op_rx, .tx = op_tx, .down = op_down};

void sct_op_accept(struct sct *s, int fd)
{
	for (size_t i = 0; i < SCT_OPERATORS; i++) {
		struct sct_op *op = &s->op[i];

		if (op->conn)
			continue;
		op->sct = s;
		op->serial = ++s->next_serial;
		op->conn = chassis_conn_new(s->ctx->loop, fd, NULL, true, &chassis_ipc_frames,
					    &op_ops, op);
		if (op->conn)
			chassis_conn_accept_fds(op->conn, true);
		return;
	}
	chassis_log(LOG_WARNING, "more than %u operators", SCT_OPERATORS);
	close(fd);
}

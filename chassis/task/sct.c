/* sct: owns the operators' socket; see sct.h for its parts. */
#include "config.h"
#include "chassis/task/sct.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/err.h"

#define ACCEPTS 4   /* a wake-up */
#define LAST_S  0.2 /* for answers that are on their way when the task is stopped */

static void on_listen(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sct *s = w->data;

	(void)loop;
	(void)revents;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		sct_op_accept(s, fd);
	}
}

static int start(struct chassis_task_ctx *ctx)
{
	struct sct *s = calloc(1, sizeof(*s));
	char why[160];

	if (!s)
		return SRP_ENOMEM;
	ctx->priv = s;
	s->ctx = ctx;
	s->started = s->configured = ctx->shared->config;
	s->copy = malloc(sizeof(*s->copy));
	s->grammar = chassis_exec_grammar(why, sizeof(why));
	if (!s->copy || !s->grammar) {
		if (!s->grammar)
			chassis_log(LOG_CRIT, "commands: %s", why);
		return SRP_ENOMEM;
	}
	sct_entered_take(s);
	sct_bulk_configured(s);
	if (ctx->shared->operator_fd < 0)
		return SRP_OK;
	ev_io_init(&s->listen, on_listen, ctx->shared->operator_fd, EV_READ);
	s->listen.data = s;
	ev_io_start(ctx->loop, &s->listen);
	return SRP_OK;
}

static void on_last(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sct *s = w->data;

	(void)loop;
	(void)revents;
	chassis_task_exit(s->ctx, EXIT_SUCCESS);
}

static void stop(struct chassis_task_ctx *ctx)
{
	struct sct *s = ctx->priv;
	bool last = false;

	ev_io_stop(ctx->loop, &s->listen);
	/* who asked for the reload hears that it goes on */
	for (size_t i = 0; i < SCT_OPERATORS; i++)
		last |= s->op[i].conn && s->op[i].finished;
	if (!last) {
		chassis_task_exit(ctx, EXIT_SUCCESS);
		return;
	}
	ev_timer_init(&s->last, on_last, LAST_S, 0.);
	s->last.data = s;
	ev_timer_start(ctx->loop, &s->last);
}

static int rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
              const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	(void)instance;
	if ((h->type == CHASSIS_IPC_BULK_OPEN || h->type == CHASSIS_IPC_BULK_DONE) &&
	    from == CHASSIS_TASK_SUPERVISOR)
		return sct_bulk_rx(ctx->priv, h, body, fd);
	if (fd >= 0)
		close(fd);
	if (h->type == CHASSIS_IPC_SAVED && from == CHASSIS_TASK_SUPERVISOR)
		return sct_config_saved(ctx->priv, h, body);
	if (h->type == CHASSIS_IPC_CONFIG_DONE && from == CHASSIS_TASK_SUPERVISOR)
		return sct_commit_done(ctx->priv, h, body);
	if (h->type != CHASSIS_IPC_ROW && h->type != CHASSIS_IPC_DONE)
		return SRP_OK; /* roles and instances are read from the slabs */
	return sct_job_rx(ctx->priv, h, body);
}

static void peer(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up)
{
	if (!up)
		sct_job_gone(ctx->priv, task, instance);
}

const struct chassis_task_row chassis_task_sct = {
	.task = CHASSIS_TASK_SCT,
	.name = "sct",
	.config_use = CHASSIS_CONFIG_WHOLE,
	.own_uid = true,
	.start = start,
	.stop = stop,
	.rx = rx,
	.peer = peer,
	.peers = {CHASSIS_TASK_VPNMGR, CHASSIS_TASK_DEMUXMGR, CHASSIS_TASK_SESSMGR,
	          CHASSIS_TASK_SUPERVISOR},
};

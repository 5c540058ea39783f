#include "config.h"
#include "chassis/task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/task/base.h"
#include "chassis/task/crash.h"
#include "chassis/task/privilege.h"
#include "chassis/task/title.h"
#include "srp/err.h"

#define RESERVED_FDS 64u
#define SPARE_FDS    8u  /* lines come as soon as a standby is somebody, before it has let go of any */

/* A line to another task; the one at slot 0 leads to the supervisor. */
struct line {
	struct chassis_task_base *base;
	enum chassis_task task;
	unsigned instance;
	struct chassis_conn *conn; /* NULL: there is none now */
	uint64_t serial;
};

struct chassis_task_base {
	struct chassis_task_ctx ctx;
	struct line *line; /* by slot */
	ev_timer tick;
	ev_prepare before;
	ev_check after;
	uint64_t tick_us;
	struct srp_time slept, woke; /* when the loop went to sleep last, and rose */
	uint64_t gap_us;             /* largest since it was asked for */
	bool standby;                /* of its kind, until it becomes an instance */
	int reserved[RESERVED_FDS];  /* of a standby, until then */
	unsigned nreserved;
	struct chassis_commit *commit; /* NULL: there was none */
	bool stopping;
};

const struct chassis_hop *chassis_hop_of(const struct chassis_shared *sh, const struct ecs_addr *a)
{
	for (size_t i = 0; i < sh->nhop; i++)
		if (memcmp(&sh->hop[i].addr, a, sizeof(*a)) == 0)
			return &sh->hop[i];
	return NULL;
}

/* --- slots and messages -------------------------------------------------------------------- */

size_t chassis_slot(enum chassis_task task, unsigned instance)
{
	switch (task) {
	case CHASSIS_TASK_SCT:      return 1;
	case CHASSIS_TASK_VPNMGR:   return 2;
	case CHASSIS_TASK_DEMUXMGR: return 3;
	case CHASSIS_TASK_CDRMOD:   return 4;
	case CHASSIS_TASK_SESSMGR:  return 5u + 2u * (size_t)instance;
	case CHASSIS_TASK_AAAMGR:   return 6u + 2u * (size_t)instance;
	default:                    return 0;
	}
}

bool chassis_slot_task(size_t slot, size_t nsessmgr, enum chassis_task *task, unsigned *instance)
{
	static const enum chassis_task single[] = {CHASSIS_TASK_SUPERVISOR, CHASSIS_TASK_SCT,
	                                           CHASSIS_TASK_VPNMGR, CHASSIS_TASK_DEMUXMGR,
	                                           CHASSIS_TASK_CDRMOD};

	if (slot > 6 + 2 * nsessmgr)
		return false;
	if (slot <= 4)
		*task = single[slot];
	else
		*task = slot % 2 ? CHASSIS_TASK_SESSMGR : CHASSIS_TASK_AAAMGR;
	*instance = slot <= 4 ? 0 : (unsigned)((slot - 5) / 2);
	return true;
}

bool chassis_task_many(enum chassis_task task)
{
	return task == CHASSIS_TASK_SESSMGR || task == CHASSIS_TASK_AAAMGR;
}

static bool names(const struct chassis_task_row *a, enum chassis_task b)
{
	for (size_t i = 0; i < CHASSIS_TASK__N && a->peers[i] != CHASSIS_TASK_SUPERVISOR; i++)
		if (a->peers[i] == b)
			return true;
	return false;
}

bool chassis_task_related(const struct chassis_task_row *a, const struct chassis_task_row *b)
{
	return names(a, b->task) || names(b, a->task);
}

struct srp_mp_w chassis_line_put(const struct chassis_line_msg *m, uint8_t *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, m->task);
	srp_mp_w_uint(&w, m->instance);
	srp_mp_w_uint(&w, m->serial);
	return w;
}

int chassis_line_get(const uint8_t *body, size_t len, size_t nsessmgr, struct chassis_line_msg *out)
{
	struct srp_mp_r r = srp_mp_r_init(body, len);
	struct chassis_line_msg m;
	uint32_t n = srp_mp_array(&r, 3);
	int rc;

	if (!r.err && n != 3)
		return SRP_EFORMAT;
	m.task = (enum chassis_task)srp_mp_uint(&r, CHASSIS_TASK__N - 1);
	m.instance = (unsigned)srp_mp_uint(&r, nsessmgr);
	m.serial = srp_mp_uint(&r, UINT64_MAX);
	rc = srp_mp_finish(&r);
	if (rc < 0)
		return rc;
	if (chassis_task_many(m.task) != (m.instance > 0) || !chassis_slot(m.task, m.instance))
		return SRP_ERANGE;
	*out = m;
	return SRP_OK;
}

/* --- lines --------------------------------------------------------------------------------- */

static void tell_gone(struct line *l)
{
	const struct chassis_line_msg m = {l->task, l->instance, l->serial};
	uint8_t buf[64];
	struct srp_mp_w w = chassis_line_put(&m, buf, sizeof(buf));

	(void)chassis_task_send(&l->base->ctx, CHASSIS_TASK_SUPERVISOR, 0, CHASSIS_IPC_GONE, &w,
				-1);
}

static void line_lost(struct line *l)
{
	struct chassis_task_ctx *ctx = &l->base->ctx;

	if (!l->conn)
		return;
	chassis_conn_close(l->conn); /* closed already where it went down by itself */
	l->conn = NULL;
	if (ctx->row->peer)
		ctx->row->peer(ctx, l->task, l->instance, false);
}

static int peer_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct line *l = owner;
	struct chassis_task_ctx *ctx = &l->base->ctx;

	return ctx->row->rx(ctx, l->task, l->instance, h, body, fd);
}

/* The other task is there still, for all we know: the supervisor makes a new line, or tells us
 * better. */
static void peer_down(void *owner, int err, const char *why)
{
	struct line *l = owner;

	(void)err;
	chassis_log(LOG_DEBUG, "line to slot %zu: %s", chassis_slot(l->task, l->instance), why);
	line_lost(l);
	tell_gone(l);
}

static const struct chassis_conn_ops peer_ops = {.rx = peer_rx, .down = peer_down};

static int line_new(struct chassis_task_base *b, const struct chassis_line_msg *m, int fd)
{
	struct line *l = &b->line[chassis_slot(m->task, m->instance)];

	line_lost(l);
	l->serial = m->serial;
	l->conn = chassis_conn_new(b->ctx.loop, fd, NULL, false, &chassis_ipc_frames, &peer_ops, l);
	if (!l->conn)
		return SRP_ENOMEM;
	chassis_conn_accept_fds(l->conn, b->ctx.row->task == CHASSIS_TASK_AAAMGR);
	if (b->ctx.row->peer)
		b->ctx.row->peer(&b->ctx, m->task, m->instance, true);
	return SRP_OK;
}

static void stop(struct chassis_task_base *b)
{
	if (b->stopping)
		return;
	b->stopping = true;
	if (b->ctx.row->stop && !b->standby)
		b->ctx.row->stop(&b->ctx);
	else
		chassis_task_exit(&b->ctx, EXIT_SUCCESS);
}

static int become(struct chassis_task_base *b, const uint8_t *body, size_t len);

static int supervisor_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct line *l = owner;
	struct chassis_task_base *b = l->base;
	struct chassis_line_msg m;
	int rc = SRP_OK;

	switch (h->type) {
	case CHASSIS_IPC_PEER:
		rc = chassis_line_get(body, h->len, b->ctx.shared->nsessmgr, &m);
		if (rc == SRP_OK && fd >= 0)
			return line_new(b, &m, fd);
		break;
	case CHASSIS_IPC_GONE:
		rc = chassis_line_get(body, h->len, b->ctx.shared->nsessmgr, &m);
		if (rc == SRP_OK)
			line_lost(&b->line[chassis_slot(m.task, m.instance)]);
		break;
	case CHASSIS_IPC_STOP:
		stop(b);
		break;
	case CHASSIS_IPC_BECOME:
		rc = become(b, body, h->len);
		break;
	case CHASSIS_IPC_PREPARE:
	case CHASSIS_IPC_COMMIT:
	case CHASSIS_IPC_ABORT:
		return chassis_commit_rx(&b->commit, &b->ctx, h, body, fd);
	default:
		return b->ctx.row->rx(&b->ctx, CHASSIS_TASK_SUPERVISOR, 0, h, body, fd);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A task without its supervisor is nobody's: it must not go on forwarding. */
static void supervisor_down(void *owner, int err, const char *why)
{
	struct line *l = owner;

	(void)err;
	l->conn = NULL;
	chassis_log(LOG_ERR, "the supervisor is gone: %s", why);
	_exit(EXIT_FAILURE);
}

static const struct chassis_conn_ops supervisor_ops = {.rx = supervisor_rx,
						       .down = supervisor_down};

static struct line *line_of(const struct chassis_task_ctx *ctx, enum chassis_task to,
			    unsigned instance)
{
	size_t slot = chassis_slot(to, instance);

	return slot < ctx->shared->nslabs && (slot || to == CHASSIS_TASK_SUPERVISOR)
		? &ctx->base->line[slot] : NULL;
}

int chassis_task_send(struct chassis_task_ctx *ctx, enum chassis_task to, unsigned instance,
                      uint8_t type, const struct srp_mp_w *body, int fd)
{
	struct line *l = line_of(ctx, to, instance);

	if (!l || !l->conn)
		return SRP_ENOENT;
	if (body->err)
		return body->err;
	return chassis_conn_send(l->conn, type, body->start, srp_mp_w_len(body), fd);
}

bool chassis_task_connected(const struct chassis_task_ctx *ctx, enum chassis_task to,
			    unsigned instance)
{
	const struct line *l = line_of(ctx, to, instance);

	return l && l->conn;
}

size_t chassis_task_queued(const struct chassis_task_ctx *ctx, enum chassis_task to,
			   unsigned instance)
{
	const struct line *l = line_of(ctx, to, instance);

	return l && l->conn ? chassis_conn_queued(l->conn) : 0;
}

noreturn void chassis_task_exit(struct chassis_task_ctx *ctx, int status)
{
	struct chassis_task_base *b = ctx->base;

	for (size_t i = 0; i < ctx->shared->nslabs; i++)
		chassis_conn_close(b->line[i].conn); /* with what is queued in them */
	_exit(status);
}

/* --- beat and gap -------------------------------------------------------------------------- */

static void gap_note(struct chassis_task_base *b, uint64_t us)
{
	if (us > b->gap_us)
		b->gap_us = us;
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct chassis_task_base *b = w->data;

	(void)loop;
	(void)revents;
	stats_slab_beat(&b->ctx.slab->head, b->woke.us);
}

/* The loop goes to sleep: what lies behind it was work. */
static void on_before(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct chassis_task_base *b = w->data;

	(void)loop;
	(void)revents;
	b->slept = chassis_now();
	gap_note(b, srp_time_since(b->woke, b->slept));
}

/* It rises, before any other callback: the tick would have woken it earlier if this process had
 * run. */
static void on_after(struct ev_loop *loop, ev_check *w, int revents)
{
	struct chassis_task_base *b = w->data;
	uint64_t slept;

	(void)loop;
	(void)revents;
	b->woke = chassis_now();
	slept = srp_time_since(b->slept, b->woke);
	if (slept > 2 * b->tick_us)
		gap_note(b, slept);
}

uint64_t chassis_task_gap_us(struct chassis_task_ctx *ctx)
{
	struct chassis_task_base *b = ctx->base;
	uint64_t us = b->gap_us, turn = srp_time_since(b->woke, chassis_now());

	b->gap_us = 0;
	return turn > us ? turn : us;
}

static void beats_stop(struct chassis_task_base *b)
{
	ev_timer_stop(b->ctx.loop, &b->tick);
	ev_prepare_stop(b->ctx.loop, &b->before);
	ev_check_stop(b->ctx.loop, &b->after);
}

static void beats_start(struct chassis_task_base *b)
{
	const struct chassis_config *c = b->ctx.shared->config;
	uint64_t ms = CHASSIS_BEAT_MS;

	if (c && c->srp.present && c->srp.dead_ms / 8 < ms)
		ms = c->srp.dead_ms / 8 ? c->srp.dead_ms / 8 : 1;
	if (b->standby)
		ms = CHASSIS_IDLE_BEAT_MS;
	b->tick_us = SRP_MS(ms);
	b->woke = b->slept = chassis_now();
	ev_timer_init(&b->tick, on_tick, 0., (double)ms / 1e3);
	ev_prepare_init(&b->before, on_before);
	ev_check_init(&b->after, on_after);
	ev_set_priority(&b->before, EV_MINPRI);
	ev_set_priority(&b->after, EV_MAXPRI);
	b->tick.data = b->before.data = b->after.data = b;
	ev_timer_start(b->ctx.loop, &b->tick);
	ev_prepare_start(b->ctx.loop, &b->before);
	ev_check_start(b->ctx.loop, &b->after);
	stats_slab_beat(&b->ctx.slab->head, b->woke.us);
}

/* --- birth --------------------------------------------------------------------------------- */

/* The supervisor decides when a task ends: what a terminal or an init system sends to all is not
 * for it, or the role could not be handed over any more. */
static void signals_reset(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void descriptors_close(const struct chassis_task_birth *birth)
{
	int keep[CHASSIS_KEEP_MAX];
	size_t n = chassis_privilege_shared(birth->shared, birth->row->task, birth->instance, keep);

	chassis_privilege_store(birth->shared, birth->row->task);
	keep[n++] = birth->line;
	closelog(); /* or libc would write its lines into whatever gets that number next */
	chassis_privilege_close(keep, n);
}

static void slabs_protect(struct chassis_shared *shared, enum chassis_task task, unsigned instance)
{
	if (chassis_privilege_slabs(shared, task, instance) < 0)
		chassis_log(LOG_WARNING, "the counters of other tasks stay writable");
}

static void less_privileged(const struct chassis_task_birth *birth)
{
	char why[160];
	int rc;

	slabs_protect(birth->shared, birth->row->task, birth->instance);
	rc = chassis_privilege_drop(birth->row, birth->shared->config, birth->parent, why,
				    sizeof(why));
	if (rc == SRP_ECLOSED)
		_exit(EXIT_FAILURE);
	if (rc < 0)
		chassis_log(LOG_WARNING, "privileges: %s", why);
	if (chassis_privilege_filter(birth->row) < 0)
		chassis_log(LOG_WARNING, "no system call filter: %s", strerror(errno));
}

static struct chassis_task_base *base_new(const struct chassis_task_birth *birth)
{
	struct chassis_shared *sh = birth->shared;
	struct chassis_task_base *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->ctx = (struct chassis_task_ctx){
		.row = birth->row, .instance = birth->instance, .shared = sh, .base = b,
		.slab = sh->slab[chassis_slot(birth->row->task, birth->instance)],
		.loop = ev_loop_new(EVFLAG_AUTO)};
	b->standby = birth->standby;
	b->line = calloc(sh->nslabs, sizeof(*b->line));
	if (!b->ctx.loop || !b->line)
		return NULL; /* the process ends: what it holds goes with it */
	for (size_t i = 0; i < sh->nslabs; i++) {
		b->line[i].base = b;
		(void)chassis_slot_task(i, sh->nsessmgr, &b->line[i].task, &b->line[i].instance);
	}
	b->line[0].conn = chassis_conn_new(b->ctx.loop, birth->line, NULL, false,
					   &chassis_ipc_frames, &supervisor_ops, &b->line[0]);
	if (!b->line[0].conn)
		return NULL;
	chassis_conn_accept_fds(b->line[0].conn, true);
	return b;
}

static void say_ready(struct chassis_task_base *b)
{
	uint8_t buf[8];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 0);
	(void)chassis_task_send(&b->ctx, CHASSIS_TASK_SUPERVISOR, 0, CHASSIS_IPC_READY, &w, -1);
}

/* How `ps` and the log name it from now on. */
static void name_set(const struct chassis_task_base *b)
{
	const struct chassis_config *c = b->ctx.shared->config;
	const struct chassis_task_row *row = b->ctx.row;
	char name[32];

	snprintf(name, sizeof(name), "%s%s", row->name, b->standby ? CHASSIS_STANDBY_SUFFIX : "");
	chassis_title_set(name, b->ctx.instance);
	chassis_log_init(c ? c->logging : "stderr", c ? c->severity : LOG_INFO, name,
	                 b->ctx.instance);
}

static void begin(struct chassis_task_base *b, int (*fn)(struct chassis_task_ctx *))
{
	int rc;

	chassis_crash_slab(b->ctx.slab);
	stats_slab_adopt(&b->ctx.slab->head, (uint32_t)getpid(), chassis_now().us);
	beats_start(b);
	rc = fn(&b->ctx);
	if (rc < 0) {
		chassis_log(LOG_CRIT, "cannot start: %s", srp_strerror(rc));
		_exit(EXIT_FAILURE);
	}
	if (b->standby && !b->ctx.slab->not_ready[0])
		b->ctx.slab->ready = 1;
	say_ready(b);
}

/* Descriptors that a standby will need as an instance, for connections and streams, are taken while they
 * can be had. */
static void descriptors_reserve(struct chassis_task_base *b, int fd)
{
	struct chassis_slab *slab = b->ctx.slab;

	while (b->nreserved < RESERVED_FDS) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

		if (copy < 0)
			break;
		b->reserved[b->nreserved++] = copy;
	}
	if (b->nreserved < RESERVED_FDS) {
		snprintf(slab->not_ready, sizeof(slab->not_ready), "%u of %u descriptors: %s",
		         b->nreserved, RESERVED_FDS, strerror(errno));
		for (unsigned i = 0; i < SPARE_FDS && b->nreserved; i++)
			close(b->reserved[--b->nreserved]);
	}
	slab->reserved_fds = b->nreserved;
}

static void descriptors_release(struct chassis_task_base *b)
{
	while (b->nreserved)
		close(b->reserved[--b->nreserved]);
	b->ctx.slab->reserved_fds = 0;
}

/* The place of a dead task: its name, its slab, its descriptors, and none of the others'. */
static int become(struct chassis_task_base *b, const uint8_t *body, size_t len)
{
	struct chassis_task_ctx *ctx = &b->ctx;
	struct srp_mp_r r = srp_mp_r_init(body, len);
	uint32_t n = srp_mp_array(&r, 2);
	uint64_t task = srp_mp_uint(&r, CHASSIS_TASK__N - 1);
	unsigned instance = (unsigned)srp_mp_uint(&r, ctx->shared->nsessmgr);
	int rc = srp_mp_finish(&r);

	if (rc < 0)
		return rc;
	if (n != 2 || !b->standby || task != ctx->row->task || !instance)
		return SRP_ERANGE;
	beats_stop(b);
	descriptors_release(b);
	b->standby = false;
	ctx->instance = instance;
	ctx->slab = ctx->shared->slab[chassis_slot(ctx->row->task, instance)];
	name_set(b);
	chassis_privilege_narrow(ctx->shared, ctx->row->task, instance);
	slabs_protect(ctx->shared, ctx->row->task, instance);
	begin(b, ctx->row->become);
	return SRP_OK;
}

noreturn void chassis_task_main(const struct chassis_task_birth *birth)
{
	struct chassis_task_base *b;

	chassis_guard_hold(birth->guard);
	signals_reset();
	descriptors_close(birth);
	b = base_new(birth);
	if (!b)
		_exit(EXIT_FAILURE);
	name_set(b);
	chassis_crash_start(b->ctx.slab, birth->guard);
	if (chassis_commit_begin(&b->ctx) < 0)
		_exit(EXIT_FAILURE);
	if (birth->standby)
		descriptors_reserve(b, birth->line);
	less_privileged(birth);
	begin(b, birth->standby ? birth->row->standby : birth->row->start);
	ev_run(b->ctx.loop, 0);
	chassis_task_exit(&b->ctx, EXIT_FAILURE);
}

#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/err.h"

void sup_kill(struct sup_child *c)
{
	if (!c->pid || c->killed)
		return;
	c->killed = true;
	(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

void sup_order(struct sup_child *c, uint8_t type)
{
	uint8_t buf[8];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 0);
	if (c->line)
		(void)chassis_conn_send(c->line, type, w.start, srp_mp_w_len(&w), -1);
}

/* --- lines between tasks ------------------------------------------------------------------- */

/* False where no descriptor can be had for @p fd now. */
static bool tell(struct sup_child *c, uint8_t type, const struct sup_slot *about, uint64_t serial,
		 int fd)
{
	const struct chassis_line_msg m = {about->row->task, about->instance, serial};
	uint8_t buf[64];
	struct srp_mp_w w = chassis_line_put(&m, buf, sizeof(buf));
	int rc;

	if (!c->line || c->killed)
		return true;
	rc = chassis_conn_send(c->line, type, w.start, srp_mp_w_len(&w), fd);
	if (rc == SRP_EFULL)
		return false;
	/* One that is ending: its guard, or its pidfd, says so in a moment. */
	if (rc < 0 && rc != SRP_ECLOSED) {
		/* A task that does not hear of its peers is of no use: its successor will. */
		chassis_log(LOG_ERR, "%s:%u does not read its orders: %s",
			    c->sup->slot[c->slot].row->name, c->sup->slot[c->slot].instance,
			    srp_strerror(rc));
		sup_kill(c);
	}
	return true;
}

void sup_tell_gone(struct chassis_supervisor *s, size_t slot)
{
	for (size_t i = 1; i < s->shared->nslabs; i++) {
		s->line[slot][i] = s->line[i][slot] = 0;
		s->broken[slot][i] = s->broken[i][slot] = false;
		if (i != slot && s->slot[i].live && !s->slot[i].standby)
			(void)tell(s->slot[i].live, CHASSIS_IPC_GONE, &s->slot[slot], 0, -1);
	}
}

static bool talk(const struct sup_slot *x, const struct sup_slot *y)
{
	if (x == y || !x->live || !y->live || x->standby || y->standby ||
	    !chassis_task_related(x->row, y->row))
		return false;
	/* A store is that of one session manager. */
	return !chassis_task_many(x->row->task) || !chassis_task_many(y->row->task) ||
	       x->instance == y->instance;
}

/* Tried again at the tick. */
static void line_missing(struct chassis_supervisor *s, size_t a, size_t b)
{
	sup_lines_short(s, errno);
	s->broken[a][b] = s->broken[b][a] = true;
}

static void line_make(struct chassis_supervisor *s, size_t a, size_t b)
{
	struct sup_slot *x = &s->slot[a], *y = &s->slot[b];
	int sv[2];

	if (!talk(x, y))
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0) {
		line_missing(s, a, b);
		return;
	}
	s->line[a][b] = s->line[b][a] = ++s->serial;
	s->broken[a][b] = s->broken[b][a] = false;
	/* Who has got an end whose other end nobody gets sees it closed: there will be another one. */
	if (!tell(x->live, CHASSIS_IPC_PEER, y, s->serial, sv[0]) ||
	    !tell(y->live, CHASSIS_IPC_PEER, x, s->serial, sv[1]))
		line_missing(s, a, b);
	close(sv[0]);
	close(sv[1]);
}

void sup_connect(struct chassis_supervisor *s, size_t slot)
{
	for (size_t i = 1; i < s->shared->nslabs; i++)
		line_make(s, slot, i);
}

void sup_repair(struct chassis_supervisor *s)
{
	bool all = true;

	for (size_t a = 1; a < s->shared->nslabs; a++)
		for (size_t b = a + 1; b < s->shared->nslabs; b++)
			if (s->broken[a][b] || s->broken[b][a]) {
				line_make(s, a, b);
				all = all && !s->broken[a][b];
			}
	if (all)
		sup_lines_short(s, 0);
}

/* --- what a task tells --------------------------------------------------------------------- */

static int line_broken(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct chassis_supervisor *s = c->sup;
	struct chassis_line_msg m;
	size_t other;
	int rc = chassis_line_get(body, h->len, s->shared->nsessmgr, &m);

	if (rc < 0)
		return rc;
	other = chassis_slot(m.task, m.instance);
	/* Both ends report it, and the dead are reported late: only the present line counts. */
	if (s->slot[c->slot].live == c && m.serial && s->line[c->slot][other] == m.serial)
		s->broken[c->slot][other] = true;
	return SRP_OK;
}

static int hold(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct chassis_supervisor *s = c->sup;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 1);
	uint64_t i = srp_mp_uint(&r, SUP_HOLDS_MAX - 1);
	int rc = srp_mp_finish(&r);

	if (rc == SRP_OK && (n != 1 || s->slot[c->slot].row->task != CHASSIS_TASK_VPNMGR))
		rc = SRP_EPEER;
	if (rc < 0 || s->slot[c->slot].live != c) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (s->hold[i] >= 0)
		close(s->hold[i]);
	s->hold[i] = fd < 0 ? -1 : chassis_fd_high(fd); /* -1: let go */
	return SRP_OK;
}

/* No start waits for it: it has started, or it is a mirror that cannot, which is no reason not to serve. */
static bool has_started(const struct sup_slot *x)
{
	return !x->wanted || x->standby || (x->live && x->live->ready) ||
	       (x->row->task == CHASSIS_TASK_AAAMGR && x->delay_ms);
}

void sup_judge_ready(struct chassis_supervisor *s)
{
	if (s->all_ready || s->stage != SUP_RUN)
		return;
	for (size_t i = 1; i < s->shared->nslabs; i++)
		if (!has_started(&s->slot[i]))
			return;
	s->all_ready = true;
	if (s->on_ready)
		s->on_ready(s->on_ready_arg);
}

static void ready(struct sup_child *c)
{
	struct chassis_supervisor *s = c->sup;

	c->ready = true;
	c->becoming = false;
	sup_sr_judge(s, chassis_now());
	sup_judge_ready(s);
}

static int on_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct sup_child *c = owner;
	bool sct = c->sup->slot[c->slot].row->task == CHASSIS_TASK_SCT;

	switch (h->type) {
	case CHASSIS_IPC_HOLD:
		return hold(c, h, body, fd);
	case CHASSIS_IPC_READY:
		ready(c);
		break;
	case CHASSIS_IPC_GONE:
		if (fd < 0)
			return line_broken(c, h, body);
		break;
	case CHASSIS_IPC_HANGS:
		if (c->sup->slot[c->slot].row->task == CHASSIS_TASK_SESSMGR && fd < 0) {
			sup_hangs(c);
			return SRP_OK;
		}
		break;
	case CHASSIS_IPC_SAVE:
		if (sct)
			return sup_save(c, h, body, fd);
		break;
	case CHASSIS_IPC_CONFIG_NEW:
		if (sct)
			return sup_config_new(c, h, body, fd);
		break;
	case CHASSIS_IPC_BULK:
		if (sct && fd < 0)
			return sup_bulk_open(c, h, body);
		break;
	case CHASSIS_IPC_BULK_NAME:
		if (sct && fd < 0)
			return sup_bulk_name(c, h, body);
		break;
	case CHASSIS_IPC_PREPARED:
		if (fd < 0)
			return sup_prepared(c, h, body);
		break;
	case CHASSIS_IPC_RELOAD:
		if (sct && fd < 0)
			return sup_reload(c, h, body);
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
	return h->type == CHASSIS_IPC_READY && fd < 0 ? SRP_OK : SRP_ETYPE;
}

/* The process is ending, or it has said what it must not: then it ends now. */
static void on_down(void *owner, int err, const char *why)
{
	struct sup_child *c = owner;
	const struct sup_slot *slot = &c->sup->slot[c->slot];

	c->line = NULL;
	if (err == SRP_ECLOSED)
		return; /* the guard or the pidfd tells the same */
	chassis_log(LOG_ERR, "%s:%u is killed: %s", slot->row->name, slot->instance, why);
	sup_kill(c);
}

static const struct chassis_conn_ops ops = {.rx = on_rx, .down = on_down};

/* --- processes ----------------------------------------------------------------------------- */

static void become(struct chassis_supervisor *s, struct sup_child *self, int line, pid_t parent)
{
	const struct chassis_task_birth b = {
		.row = s->slot[self->slot].row, .instance = s->slot[self->slot].instance,
		.standby = s->slot[self->slot].standby, .shared = s->shared, .guard = self->guard,
		.line = line, .parent = parent};
	struct sup_child *c;

	TAILQ_FOREACH(c, &s->children, link)
		chassis_guard_forget(c->guard);
	chassis_task_main(&b);
}

static int child_adopt(struct sup_child *c, int line)
{
	struct chassis_supervisor *s = c->sup;

	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	c->line = chassis_conn_new(s->loop, line, NULL, false, &chassis_ipc_frames, &ops, c);
	if (c->pidfd < 0)
		return SRP_EIO;
	if (!c->line)
		return SRP_ENOMEM;
	chassis_conn_accept_fds(c->line, true);
	ev_io_init(&c->exited, sup_exited, c->pidfd, EV_READ);
	c->exited.data = c;
	ev_io_start(s->loop, &c->exited);
	return SRP_OK;
}

static struct sup_child *child_new(struct chassis_supervisor *s, size_t slot)
{
	struct sup_child *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sup = s;
	c->slot = slot;
	c->pidfd = -1;
	c->guard = chassis_guard_new(s->guard_fd);
	if (!c->guard) {
		free(c);
		return NULL;
	}
	return c;
}

void sup_slab_begin(struct chassis_supervisor *s, size_t slot)
{
	struct chassis_slab *slab = s->shared->slab[slot];

	slab->task = s->slot[slot].row->task;
	slab->instance = s->slot[slot].instance;
	slab->starts++;
	/* Who died while it recovered had not got all of them yet. */
	if (!slab->recovering || slab->sessions > slab->sessions_before)
		slab->sessions_before = slab->sessions;
	slab->sessions = slab->flows = slab->recoverable = 0;
	slab->link = slab->complete = slab->applied_role = 0;
	slab->backlog_objects = slab->backlog_bytes = slab->verified_us = 0;
	slab->ready = slab->recovering = slab->sr_link = slab->sr_level = slab->handling = 0;
	slab->reserved_bytes = slab->reserved_fds = 0;
	slab->not_ready[0] = '\0';
	slab->store_bytes = slab->store_flows = slab->store_sessions = 0;
	slab->crash_note.set = 0;
}

int sup_spawn(struct chassis_supervisor *s, size_t slot)
{
	struct sup_child *c;
	pid_t self = getpid();
	int sv[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		return SRP_EIO;
	c = child_new(s, slot);
	if (!c) {
		close(sv[0]);
		close(sv[1]);
		return SRP_ENOMEM;
	}
	sup_slab_begin(s, slot);
	c->born = chassis_now();
	c->pid = fork();
	if (c->pid == 0)
		become(s, c, sv[1], self);
	close(sv[1]);
	TAILQ_INSERT_TAIL(&s->children, c, link);
	rc = c->pid < 0 ? SRP_EIO : child_adopt(c, sv[0]);
	if (rc < 0) {
		int e = errno;

		if (c->pid < 0) {
			c->pid = 0;
			close(sv[0]);
		} else {
			(void)kill(c->pid, SIGKILL);
			(void)waitpid(c->pid, NULL, 0);
		}
		sup_child_free(c);
		errno = e;
		return rc;
	}
	s->slot[slot].live = c;
	sup_connect(s, slot);
	sup_commit_born(c);
	return SRP_OK;
}

void sup_child_free(struct sup_child *c)
{
	struct chassis_supervisor *s = c->sup;

	chassis_conn_close(c->line);
	c->line = NULL;
	if (c->pidfd >= 0) {
		ev_io_stop(s->loop, &c->exited);
		close(c->pidfd);
		c->pidfd = -1;
	}
	c->pid = 0;
	if (!chassis_guard_release(c->guard))
		return; /* its thread is just about to end */
	TAILQ_REMOVE(&s->children, c, link);
	free(c);
}

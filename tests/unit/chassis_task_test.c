#include "config.h"
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chassis/task/base.h"
#include "chassis/task/privilege.h"
#include "srp/err.h"
#include "sup_kit.h"

#define SLOTS 11 /* five, and sessmgr and aaamgr 0 to 2; only the sessmgrs 1 and 2 are started */
#define S1    7  /* sessmgr:1 */
#define S2    9
#define TASKS 5

/* What the processes under test note for the test to see. */
struct notes {
	_Atomic int starts[SLOTS];
	_Atomic int up[SLOTS][SLOTS], gone[SLOTS][SLOTS]; /* by whom, about whom */
	_Atomic int echoes[SLOTS];   /* answers that sct has got */
	_Atomic int stopped[SLOTS];
	_Atomic int order;           /* of stops */
	_Atomic int after_stop;      /* what was called of a task that had ended itself */
	_Atomic int stop_order[SLOTS];
	_Atomic int fail_start;      /* slot whose start fails */
	_Atomic int bad_frame;       /* sct refuses the next answer */
	_Atomic int execve_errno;
	_Atomic int hold_ready;
};

static struct notes *notes;
static struct chassis_config config;

static int t_start(struct chassis_task_ctx *ctx)
{
	size_t slot = slot_of(ctx);

	notes->starts[slot]++;
	if (notes->fail_start == (int)slot)
		return SRP_EFULL;
	if (slot == 3) { /* own uid: the filter is there */
		char *none[] = {NULL};

		errno = 0;
		syscall(SYS_execve, "/nowhere/at/all", none, none);
		notes->execve_errno = errno;
	}
	return SRP_OK;
}

static void on_late(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
	notes->after_stop++;
}

/* Ends with a timer that is due in this turn of the loop. */
static void t_stop(struct chassis_task_ctx *ctx)
{
	static ev_timer late;

	notes->stopped[slot_of(ctx)]++;
	notes->stop_order[slot_of(ctx)] = ++notes->order;
	ev_timer_init(&late, on_late, 0., 0.);
	ev_feed_event(ctx->loop, &late, EV_TIMER);
	chassis_task_exit(ctx, EXIT_SUCCESS);
}

static void ping(struct chassis_task_ctx *ctx, enum chassis_task to, unsigned instance)
{
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, 7);
	srp_mp_w_uint(&w, 8);
	(void)chassis_task_send(ctx, to, instance, CHASSIS_IPC_SWITCH, &w, -1);
}

static void t_peer(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up)
{
	if (up)
		notes->up[slot_of(ctx)][chassis_slot(task, instance)]++;
	else
		notes->gone[slot_of(ctx)][chassis_slot(task, instance)]++;
	if (up != chassis_task_connected(ctx, task, instance))
		_exit(3);
	if (up && ctx->row->task == CHASSIS_TASK_SCT)
		ping(ctx, task, instance);
}

static int t_rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
                const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	if (h->type != CHASSIS_IPC_SWITCH || h->len != 3 || memcmp(body, "\x92\x07\x08", 3) ||
	    fd >= 0)
		return SRP_EFORMAT;
	if (ctx->row->task != CHASSIS_TASK_SCT) {
		ping(ctx, from, instance);
		return SRP_OK;
	}
	notes->echoes[chassis_slot(from, instance)]++;
	if (notes->bad_frame && from == CHASSIS_TASK_SESSMGR) {
		notes->bad_frame = 0;
		return SRP_EFORMAT;
	}
	return SRP_OK;
}

/* vpnmgr has the supervisor keep the write end of a pipe, made before the fork (shared.state_fd).
 */
static int vpn_start(struct chassis_task_ctx *ctx)
{
	uint8_t buf[8];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	int fd = notes->starts[2] < 2 ? ctx->shared->state_fd : -1;

	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, 0);
	notes->starts[2]++;
	if (notes->hold_ready)
		return chassis_task_send(ctx, CHASSIS_TASK_SUPERVISOR, 0, CHASSIS_IPC_HOLD, &w, fd);
	return SRP_OK;
}

static const struct chassis_task_row r_sct = {.task = CHASSIS_TASK_SCT,
					      .name = "sct",
					      .start = t_start,
					      .stop = t_stop,
					      .rx = t_rx,
					      .peer = t_peer,
					      .peers = {CHASSIS_TASK_VPNMGR, CHASSIS_TASK_DEMUXMGR,
							CHASSIS_TASK_SESSMGR,
							CHASSIS_TASK_SUPERVISOR}};
static const struct chassis_task_row r_vpn = {.task = CHASSIS_TASK_VPNMGR,
					      .name = "vpnmgr",
					      .start = vpn_start,
					      .stop = t_stop,
					      .rx = t_rx,
					      .peer = t_peer,
					      .peers = {CHASSIS_TASK_SUPERVISOR}};
static const struct chassis_task_row r_demux = {.task = CHASSIS_TASK_DEMUXMGR,
						.name = "demuxmgr",
						.own_uid = true,
						.start = t_start,
						.stop = t_stop,
						.rx = t_rx,
						.peer = t_peer,
						.peers = {CHASSIS_TASK_SUPERVISOR}};
static const struct chassis_task_row r_sess = {
	.task = CHASSIS_TASK_SESSMGR,
	.name = "sessmgr",
	.own_uid = true,
	.start = t_start,
	.rx = t_rx,
	.peer = t_peer,
	.peers = {CHASSIS_TASK_DEMUXMGR, CHASSIS_TASK_SUPERVISOR}};
static const struct chassis_task_row *const rows[CHASSIS_TASK__N] = {
	[CHASSIS_TASK_SCT] = &r_sct, [CHASSIS_TASK_VPNMGR] = &r_vpn,
	[CHASSIS_TASK_DEMUXMGR] = &r_demux, [CHASSIS_TASK_SESSMGR] = &r_sess};

static void begin(void)
{
	notes = notes_map(sizeof(*notes));
	config = (struct chassis_config){.sessmgrs = 2, .logging = "stderr", .severity = 0};
	sup_begin(&config, rows);
	CU_ASSERT_EQUAL_FATAL(shared.nslabs, SLOTS);
}

static void end(void)
{
	sup_end();
	munmap(notes, sizeof(*notes));
}

static bool echoed(void)
{
	return notes->echoes[2] && notes->echoes[3] && notes->echoes[S1] && notes->echoes[S2];
}

static void start_all(void)
{
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT_FATAL(until(ready));
	CU_ASSERT_FATAL(until(echoed));
}

static void slots(void)
{
	enum chassis_task task = CHASSIS_TASK__N;
	unsigned instance = 99;

	for (size_t i = 0; i < SLOTS; i++) {
		CU_ASSERT(chassis_slot_task(i, 2, &task, &instance));
		CU_ASSERT_EQUAL(chassis_slot(task, instance), i);
	}
	CU_ASSERT_EQUAL(task, CHASSIS_TASK_AAAMGR);
	CU_ASSERT_EQUAL(instance, 2);
	CU_ASSERT_EQUAL(chassis_slot(CHASSIS_TASK_SESSMGR, 1), S1);
	CU_ASSERT_EQUAL(chassis_slot(CHASSIS_TASK_SESSMGR, 0), 5);
	CU_ASSERT_EQUAL(chassis_slot(CHASSIS_TASK_AAAMGR, 0), 6);
	CU_ASSERT(!chassis_slot_task(SLOTS, 2, &task, &instance));
	CU_ASSERT(chassis_task_related(&r_sct, &r_vpn));
	CU_ASSERT(chassis_task_related(&r_vpn, &r_sct));
	CU_ASSERT(!chassis_task_related(&r_vpn, &r_sess));
	CU_ASSERT(!chassis_task_related(&r_sess, &r_sess));
}

static void line_messages(void)
{
	const struct chassis_line_msg m = {CHASSIS_TASK_SESSMGR, 2, UINT64_MAX};
	struct chassis_line_msg out = {CHASSIS_TASK_SCT, 0, 5}, bad;
	uint8_t buf[64];
	struct srp_mp_w w = chassis_line_put(&m, buf, sizeof(buf));
	size_t n = srp_mp_w_len(&w);

	CU_ASSERT_EQUAL_FATAL(w.err, 0);
	for (size_t cut = 0; cut < n; cut++) {
		CU_ASSERT(chassis_line_get(buf, cut, 2, &out) < 0);
		CU_ASSERT_EQUAL(out.serial, 5);
	}
	CU_ASSERT_EQUAL(chassis_line_get(buf, n + 1, 2, &out), SRP_EFORMAT);
	CU_ASSERT_EQUAL(chassis_line_get(buf, n, 1, &out), SRP_ERANGE);
	CU_ASSERT_EQUAL(chassis_line_get(buf, n, 2, &out), 0);
	CU_ASSERT(out.task == m.task && out.instance == 2 && out.serial == UINT64_MAX);
	for (int t = 0; t <= CHASSIS_TASK__N; t++)
		for (unsigned i = 0; i < 2; i++) {
			bool many = t == CHASSIS_TASK_SESSMGR || t == CHASSIS_TASK_AAAMGR;
			bool good = t != CHASSIS_TASK_SUPERVISOR && t < CHASSIS_TASK__N &&
				    i == (many ? 1u : 0u);

			bad = (struct chassis_line_msg){(enum chassis_task)t, i, 1};
			w = chassis_line_put(&bad, buf, sizeof(buf));
			CU_ASSERT_EQUAL(chassis_line_get(buf, srp_mp_w_len(&w), 2, &out) == 0,
					good);
		}
}

static void talk_and_stop(void)
{
	begin();
	start_all();
	for (size_t i = 1; i < SLOTS; i++) {
		bool there = i <= 3 || i == S1 || i == S2;

		CU_ASSERT_EQUAL(shared.slab[i]->starts, there);
		CU_ASSERT_EQUAL(sup->slot[i].live != NULL, there);
		if (!there)
			continue;
		CU_ASSERT_EQUAL(chassis_slot((enum chassis_task)shared.slab[i]->task,
					     shared.slab[i]->instance),
				i);
		CU_ASSERT(stats_slab_last_beat(&shared.slab[i]->head) > 0);
		CU_ASSERT_EQUAL(stats_slab_owner(&shared.slab[i]->head),
				(uint32_t)sup->slot[i].live->pid);
	}
	/* exactly the lines that the rows name */
	CU_ASSERT_EQUAL(notes->up[1][S1], 1);
	CU_ASSERT_EQUAL(notes->up[S1][1], 1);
	CU_ASSERT_EQUAL(notes->up[S1][3], 1);
	CU_ASSERT_EQUAL(notes->up[S1][2], 0);
	CU_ASSERT_EQUAL(notes->up[S1][S2], 0);
	CU_ASSERT_EQUAL(notes->execve_errno, EPERM);
	stop_all();
	CU_ASSERT_EQUAL(notes->stop_order[2], 1); /* vpnmgr first, alone */
	CU_ASSERT_EQUAL(notes->stopped[1] + notes->stopped[2] + notes->stopped[3], 3);
	CU_ASSERT_EQUAL(notes->after_stop, 0);
	end();
}

static pid_t victim;

static bool restarted(void)
{
	return sup->slot[S1].live && sup->slot[S1].live->pid != victim && notes->echoes[S1] >= 2 &&
	       notes->up[3][S1] == 2;
}

static void killed(void)
{
	begin();
	start_all();
	victim = sup->slot[S1].live->pid;
	CU_ASSERT_EQUAL(kill(victim, SIGKILL), 0);
	CU_ASSERT(until(restarted));
	CU_ASSERT_EQUAL(notes->starts[S1], 2);
	CU_ASSERT_EQUAL(shared.slab[S1]->starts, 2);
	CU_ASSERT_EQUAL(notes->up[1][S1], 2);
	CU_ASSERT_EQUAL(notes->gone[1][S1], 1);
	CU_ASSERT_EQUAL(notes->gone[3][S1], 1);
	CU_ASSERT_EQUAL(notes->gone[1][S2], 0);
	CU_ASSERT_EQUAL(notes->starts[S2], 1);
	/* all lines lead to the new process */
	CU_ASSERT_EQUAL(notes->up[S1][1], 2);
	stop_all();
	end();
}

static void first_start_fails(void)
{
	begin();
	notes->fail_start = S2;
	(void)chassis_supervisor_start(sup);
	CU_ASSERT(until(none_left));
	CU_ASSERT_EQUAL(sup->status, 1);
	CU_ASSERT(!is_ready);
	CU_ASSERT_EQUAL(notes->starts[S2], SUP_CRASHES + 1);
	CU_ASSERT_EQUAL(notes->stopped[2], 0);
	end();
}

static bool repaired(void)
{
	return notes->up[1][S1] + notes->up[1][S2] == 3 && notes->echoes[S1] + notes->echoes[S2] == 3;
}

/* sct refuses an answer: the line ends, both say so, one new line is made. */
static void broken_line(void)
{
	begin();
	notes->bad_frame = 1;
	start_all();
	CU_ASSERT(until(repaired));
	CU_ASSERT_EQUAL(notes->gone[1][S1] + notes->gone[1][S2], 1);
	CU_ASSERT_EQUAL(notes->starts[S1] + notes->starts[S2], 2);
	stop_all();
	CU_ASSERT_EQUAL(notes->up[1][S1] + notes->up[1][S2], 3);
	end();
}

static int pipe_fd[2];

/* A process that is known to be dead may hold its descriptors still: until it is reaped. */
static bool none_dying(void)
{
	const struct sup_child *c;
	size_t n = 0;

	TAILQ_FOREACH(c, &sup->children, link)
		n++;
	return n == TASKS;
}

static bool vpn_twice(void)
{
	return notes->starts[2] == 2 && sup->slot[2].live && sup->slot[2].live->ready;
}

static bool vpn_thrice(void)
{
	return notes->starts[2] == 3 && sup->slot[2].live && sup->slot[2].live->ready &&
	       none_dying();
}

/* What vpnmgr had kept stays open over its death, and is closed when it lets it go. */
static void held(void)
{
	char byte;

	begin();
	CU_ASSERT_EQUAL_FATAL(pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK), 0);
	notes->hold_ready = 1;
	shared.state_fd = pipe_fd[1];
	start_all();
	close(pipe_fd[1]);
	shared.state_fd = sup->hold[0];
	CU_ASSERT_FATAL(sup->hold[0] >= 0);
	kill(sup->slot[2].live->pid, SIGKILL);
	CU_ASSERT(until(vpn_twice));
	CU_ASSERT(sup->hold[0] >= 0);
	CU_ASSERT_EQUAL(read(pipe_fd[0], &byte, 1), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	shared.state_fd = -1;
	kill(sup->slot[2].live->pid, SIGKILL);
	CU_ASSERT(until(vpn_thrice));
	CU_ASSERT_EQUAL(sup->hold[0], -1);
	CU_ASSERT_EQUAL(read(pipe_fd[0], &byte, 1), 0);
	close(pipe_fd[0]);
	stop_all();
	end();
}

static bool two_dead(void)
{
	return notes->starts[1] == 2 && notes->starts[S1] == 2;
}

/* A task that was stopped, and one that was sent what a terminal sends to all. */
static void signals(void)
{
	begin();
	start_all();
	kill(sup->slot[S2].live->pid, SIGTERM);
	kill(sup->slot[S2].live->pid, SIGINT);
	kill(sup->slot[S1].live->pid, SIGABRT);
	kill(sup->slot[1].live->pid, SIGSTOP);
	kill(sup->slot[1].live->pid, SIGKILL);
	CU_ASSERT(until(two_dead));
	CU_ASSERT_EQUAL(notes->starts[S2], 1);
	stop_all();
	end();
}

/* Runs @p fn in a process of its own; how it ended. */
static int in_child(void (*fn)(void))
{
	int st = -1;
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &st, 0), pid);
	return st;
}

static void write_own(void)
{
	signal(SIGSEGV, SIG_DFL);
	if (chassis_privilege_slabs(&shared, CHASSIS_TASK_SESSMGR, 1) < 0)
		_exit(1);
	shared.slab[S1]->sessions = 7;
}

static void write_other(void)
{
	write_own();
	shared.slab[S2]->sessions = 7;
}

static void close_some(void)
{
	int a = dup(2), b = dup(2), c = dup(2), keep[3] = {c, a, -1};

	chassis_privilege_close(keep, 3);
	_exit(fcntl(a, F_GETFD) >= 0 && fcntl(b, F_GETFD) < 0 && fcntl(c, F_GETFD) >= 0 &&
	      fcntl(2, F_GETFD) >= 0 && fcntl(c + 1, F_GETFD) < 0 ? 0 : 1);
}

static void keep_own(void)
{
	int keep[CHASSIS_KEEP_MAX], fd = 100;
	size_t n;

	shared.listen_control = fd++;
	shared.operator_fd = fd++;
	shared.state_fd = fd++;
	for (int i = 0; i < 2; i++) {
		shared.tun_acc[i] = fd++;
		shared.tun_core[i] = fd++;
		shared.listen_instance[i] = fd++;
		shared.beat_fd[i + 1] = fd++;
	}
	n = chassis_privilege_shared(&shared, CHASSIS_TASK_SESSMGR, 2, keep);
	_exit(n == 4 && shared.tun_acc[1] >= 100 && shared.tun_core[1] >= 100 &&
			      shared.listen_instance[1] >= 100 && shared.beat_fd[2] >= 100 &&
			      shared.tun_acc[0] == -1 && shared.listen_instance[0] == -1 &&
			      shared.beat_fd[1] == -1 && shared.listen_control == -1 &&
			      shared.operator_fd == -1 && shared.state_fd == -1
		      ? 0
		      : 1);
}

static void privileges(void)
{
	int st;

	begin();
	st = in_child(write_own);
	CU_ASSERT(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	CU_ASSERT_EQUAL(shared.slab[S1]->sessions, 7);
	st = in_child(write_other);
	/* a sanitizer turns the fault into an exit */
	CU_ASSERT((WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV) ||
		  (WIFEXITED(st) && WEXITSTATUS(st)));
	CU_ASSERT_EQUAL(shared.slab[S2]->sessions, 0);
	st = in_child(close_some);
	CU_ASSERT(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	st = in_child(keep_own);
	CU_ASSERT(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	end();
}

CU_TestInfo chassis_task_tests[] = {
	{"slots and relations", slots},
	{"line messages", line_messages},
	{"talk and stop", talk_and_stop},
	{"kill -9 of a task", killed},
	{"a task that cannot start", first_start_fails},
	{"broken line", broken_line},
	{"held descriptor", held},
	{"signals", signals},
	{"privileges", privileges},
	CU_TEST_INFO_NULL,
};

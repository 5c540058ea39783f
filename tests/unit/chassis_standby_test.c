/* Standbys that become instances, deaths in pairs, what is known of a death, and the status, with
 * processes that do nothing else. */
#include "config.h"
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chassis/task/crash.h"
#include "chassis/task/supervisor_impl.h"
#include "chassis/task/vpn.h"
#include "recovery/replica.h"
#include "srp/err.h"

enum { SCT = 1, VPN, DEMUX, CDR, S0, A0, S1, A1, S2, A2, SLOTS };

#define HANG_S 60.

static struct notes {
	_Atomic int starts[SLOTS], standbys[SLOTS], becomes[SLOTS];
	_Atomic int up[SLOTS][SLOTS], gone[SLOTS][SLOTS]; /* by whom, about whom */
	_Atomic int stopped[SLOTS];
	_Atomic int refuse;        /* a standby that cannot have what it reserves */
	_Atomic int die_becoming;  /* so many times */
	_Atomic int recovering;    /* whoever becomes says so until this is 0 */
	_Atomic int other_fds;     /* of other instances, open after becoming */
	_Atomic int narrow;        /* slabs of others cannot be written after becoming */
	_Atomic int giving_up;     /* seen by vpnmgr when it was stopped */
	_Atomic int fail_start;    /* slot whose start fails */
	_Atomic int store[SLOTS];  /* was told that there is nobody to tell of its store */
	char title[SLOTS][16];
} *notes;

static struct chassis_shared shared;
static struct chassis_config config;
static struct ev_loop *loop;
static struct chassis_supervisor *sup;
static bool is_ready, hung;

static size_t slot_of(const struct chassis_task_ctx *ctx)
{
	return chassis_slot(ctx->row->task, ctx->instance);
}

static void comm_note(size_t slot)
{
	FILE *f = fopen("/proc/self/comm", "re");

	if (f && fgets(notes->title[slot], sizeof(notes->title[slot]), f))
		notes->title[slot][strcspn(notes->title[slot], "\n")] = '\0';
	if (f)
		fclose(f);
}

static int t_start(struct chassis_task_ctx *ctx)
{
	size_t slot = slot_of(ctx);

	notes->starts[slot]++;
	comm_note(slot);
	if (notes->fail_start != (int)slot)
		return SRP_OK;
	snprintf(ctx->slab->not_ready, sizeof(ctx->slab->not_ready), "no room for the store");
	return SRP_EFULL;
}

static int t_standby(struct chassis_task_ctx *ctx)
{
	size_t slot = slot_of(ctx);

	comm_note(slot);
	if (notes->refuse && slot == S0) {
		snprintf(ctx->slab->not_ready, sizeof(ctx->slab->not_ready),
		         "120 MB of memory could not be had");
		notes->refuse = 0;
	}
	/* slabs of the kind are writable still */
	ctx->shared->slab[chassis_slot(ctx->row->task, 1)]->task_ctr.stood_still++;
	notes->standbys[slot]++;
	return SRP_OK;
}

static int t_become(struct chassis_task_ctx *ctx)
{
	size_t slot = slot_of(ctx);
	int fds = 0;

	for (unsigned i = 1; i <= 2; i++)
		fds += i != ctx->instance && ctx->shared->store_fd[i] >= 0;
	notes->other_fds += fds;
	if (notes->die_becoming > 0) {
		notes->die_becoming--;
		abort();
	}
	comm_note(slot);
	ctx->slab->recovering = notes->recovering != 0;
	notes->becomes[slot]++;
	return SRP_OK;
}

static void t_stop(struct chassis_task_ctx *ctx)
{
	notes->stopped[slot_of(ctx)]++;
	if (ctx->row->task == CHASSIS_TASK_VPNMGR)
		notes->giving_up = (int)ctx->shared->slab[0]->sr.giving_up;
	chassis_task_exit(ctx, EXIT_SUCCESS);
}

static void t_peer(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up)
{
	if (up)
		notes->up[slot_of(ctx)][chassis_slot(task, instance)]++;
	else
		notes->gone[slot_of(ctx)][chassis_slot(task, instance)]++;
}

/* What a session manager is told to do with itself: SWITCH [callid, signal]. */
static int t_rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
                const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 2);
	uint32_t callid = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	int sig = (int)srp_mp_uint(&r, 64);

	(void)instance;
	if (h->type == CHASSIS_IPC_SR_STORE && from == CHASSIS_TASK_SUPERVISOR) {
		notes->store[slot_of(ctx)]++;
		return SRP_OK;
	}
	if (h->type != CHASSIS_IPC_SWITCH || n != 2 || fd >= 0 || srp_mp_finish(&r) < 0)
		return SRP_EFORMAT;
	ctx->slab->handling = callid;
	if (sig == SIGSEGV)
		*(volatile int *)(uintptr_t)(size_t)(callid & 0xff) = 1;
	else
		raise(sig);
	return SRP_OK;
}

#define ROW(sym, nm, ...) {.task = CHASSIS_TASK_##sym, .name = nm, .start = t_start, .stop = t_stop, \
	.rx = t_rx, .peer = t_peer, .peers = {__VA_ARGS__}}
static struct chassis_task_row row_sct = ROW(SCT, "sct", CHASSIS_TASK_SESSMGR, CHASSIS_TASK_AAAMGR,
                                             CHASSIS_TASK_SUPERVISOR);
static struct chassis_task_row row_vpn = ROW(VPNMGR, "vpnmgr", CHASSIS_TASK_SUPERVISOR);
static struct chassis_task_row row_demux = ROW(DEMUXMGR, "demuxmgr", CHASSIS_TASK_SUPERVISOR);
static struct chassis_task_row row_sess = ROW(SESSMGR, "sessmgr", CHASSIS_TASK_AAAMGR,
                                              CHASSIS_TASK_SUPERVISOR);
static struct chassis_task_row row_aaa = ROW(AAAMGR, "aaamgr", CHASSIS_TASK_SUPERVISOR);
static const struct chassis_task_row *const rows[CHASSIS_TASK__N] = {
	[CHASSIS_TASK_SCT] = &row_sct, [CHASSIS_TASK_VPNMGR] = &row_vpn, [CHASSIS_TASK_DEMUXMGR] = &row_demux,
	[CHASSIS_TASK_SESSMGR] = &row_sess, [CHASSIS_TASK_AAAMGR] = &row_aaa};

static void on_ready(void *arg)
{
	(void)arg;
	is_ready = true;
}

static void on_hang(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
	hung = true;
}

static void on_step(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
}

/* Turns the loop until @p done says so; a guard against a hang, not a measurement, ends it. */
static bool until(bool (*done)(void))
{
	ev_timer hang, step;

	hung = false;
	ev_timer_init(&hang, on_hang, HANG_S, 0.);
	ev_timer_init(&step, on_step, 0.005, 0.005); /* what processes note wakes no loop */
	ev_timer_start(loop, &hang);
	ev_timer_start(loop, &step);
	while (!done() && !hung)
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &hang);
	ev_timer_stop(loop, &step);
	return !hung;
}

static void begin(bool recovery)
{
	char why[160] = "";
	void *p = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_FATAL(p != MAP_FAILED);
	notes = p;
	is_ready = false;
	row_sess.standby = row_aaa.standby = t_standby;
	row_sess.become = row_aaa.become = t_become;
	config = (struct chassis_config){.sessmgrs = 2, .logging = "stderr", .severity = -1,
	                                 .session_recovery = recovery};
	chassis_log_init("stderr", -1, "test", 0);
	sup_shared_init(&shared, &config);
	CU_ASSERT_EQUAL_FATAL(sup_slabs_open(&shared), 0);
	CU_ASSERT_EQUAL_FATAL(shared.nslabs, SLOTS);
	CU_ASSERT_EQUAL_FATAL(sup_memory_open(&shared, why, sizeof(why)), 0);
	loop = ev_loop_new(0);
	sup = chassis_supervisor_new(loop, &shared, rows);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sup);
	sup->on_ready = on_ready;
}

static bool none_left(void)
{
	return TAILQ_EMPTY(&sup->children);
}

static void end(void)
{
	CU_ASSERT(until(none_left));
	chassis_supervisor_free(sup);
	ev_loop_destroy(loop);
	sup_slabs_close(&shared);
	for (unsigned i = 1; i <= 2 && shared.store_fd[i] >= 0; i++) {
		close(shared.store_fd[i]);
		close(shared.ledger_fd[i]);
	}
	munmap(notes, sizeof(*notes));
}

static void stop_all(void)
{
	chassis_supervisor_stop(sup);
	CU_ASSERT(until(none_left));
	CU_ASSERT_EQUAL(sup->status, 0);
}

static const struct chassis_sr_slab *sr(void)
{
	return &shared.slab[0]->sr;
}

static bool all_ready(void)
{
	for (size_t i = 1; i < SLOTS; i++)
		if (sup->slot[i].wanted && (!sup->slot[i].live || !sup->slot[i].live->ready))
			return false;
	return is_ready;
}

static bool recovery_ready(void)
{
	return all_ready() && sr()->state == CHASSIS_SR_READY;
}

static void start_all(void)
{
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT_FATAL(until(recovery_ready));
}

static pid_t pid_of(size_t slot)
{
	return sup->slot[slot].live ? sup->slot[slot].live->pid : 0;
}

/* --- tests ------------------------------------------------------------------------------------------ */

static bool plainly_ready(void)
{
	return is_ready;
}

/* Off: none of it is there. */
static void not_enabled(void)
{
	begin(false);
	CU_ASSERT_EQUAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT(until(plainly_ready));
	for (size_t i = 1; i < SLOTS; i++)
		CU_ASSERT_EQUAL(sup->slot[i].live != NULL, i <= DEMUX || i == S1 || i == S2);
	CU_ASSERT_EQUAL(shared.store_fd[1], -1);
	CU_ASSERT_EQUAL(shared.ledger_fd[1], -1);
	CU_ASSERT_EQUAL(sr()->enabled, 0);
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_OFF);
	CU_ASSERT(sr()->updated_us > 0);
	stop_all();
	end();
}

static void enabled(void)
{
	begin(true);
	start_all();
	CU_ASSERT_EQUAL(sr()->enabled, 1);
	CU_ASSERT_STRING_EQUAL(sr()->why, "");
	CU_ASSERT_EQUAL(sr()->sessmgr_active, 2);
	CU_ASSERT_EQUAL(sr()->sessmgr_standby, 1);
	CU_ASSERT_EQUAL(sr()->aaamgr_active, 2);
	CU_ASSERT_EQUAL(sr()->aaamgr_standby, 1);
	CU_ASSERT_EQUAL(sr()->demux_active, 1);
	CU_ASSERT_EQUAL(shared.slab[S0]->ready, 1);
	CU_ASSERT_STRING_EQUAL(notes->title[S0], "sessmgr:standby");
	CU_ASSERT_STRING_EQUAL(notes->title[A0], "aaamgr:standby");
	CU_ASSERT_STRING_EQUAL(notes->title[S1], "sessmgr:1");
	/* a session manager has a line to its own store, and a standby has none at all */
	CU_ASSERT_EQUAL(notes->up[S1][A1], 1);
	CU_ASSERT_EQUAL(notes->up[S1][A2], 0);
	CU_ASSERT_EQUAL(notes->up[SCT][A2], 1);
	for (size_t i = 0; i < SLOTS; i++) {
		CU_ASSERT_EQUAL(notes->up[S0][i], 0);
		CU_ASSERT_EQUAL(notes->up[i][S0] + notes->up[i][A0], 0);
	}
	stop_all();
	CU_ASSERT_EQUAL(notes->stopped[S0] + notes->stopped[A0], 0);
	CU_ASSERT_EQUAL(notes->stopped[S1], 1);
	end();
}

static pid_t was_standby, victim;
static size_t place;

static bool taken_over(void)
{
	return pid_of(place) == was_standby && notes->becomes[place] && recovery_ready();
}

static void becomes(size_t slot, size_t standby, const char *title)
{
	begin(true);
	start_all();
	place = slot;
	was_standby = pid_of(standby);
	CU_ASSERT_EQUAL(kill(pid_of(slot), SIGKILL), 0);
	CU_ASSERT(until(taken_over));
	CU_ASSERT_EQUAL(notes->becomes[slot], 1);
	CU_ASSERT_EQUAL(notes->starts[slot], 1);
	CU_ASSERT_EQUAL(notes->standbys[standby], 2);
	CU_ASSERT_STRING_EQUAL(notes->title[slot], title);
	CU_ASSERT_EQUAL(notes->other_fds, 0);
	CU_ASSERT_EQUAL(shared.slab[slot]->starts, 2);
	CU_ASSERT_EQUAL(stats_slab_owner(&shared.slab[slot]->head), (uint32_t)was_standby);
	CU_ASSERT_EQUAL(notes->up[slot][SCT], 2);
	CU_ASSERT_EQUAL(notes->up[SCT][slot], 2);
	CU_ASSERT_EQUAL(notes->gone[SCT][slot], 1);
	CU_ASSERT_EQUAL(sup->slot[slot].deaths, 1);
	CU_ASSERT(pid_of(standby) != was_standby);
	stop_all();
	CU_ASSERT_EQUAL(notes->stopped[slot], 1);
	end();
}

static void sessmgr_dies(void)
{
	becomes(S2, S0, "sessmgr:2");
}

static void aaamgr_dies(void)
{
	becomes(A1, A0, "aaamgr:1");
}

static bool pair_back(void)
{
	return shared.slab[S1]->starts == 2 && shared.slab[S2]->starts == 2 && recovery_ready();
}

/* Two at once: one is taken over from, the other is started anew. */
static void pair_dies(void)
{
	begin(true);
	start_all();
	kill(pid_of(S1), SIGKILL);
	kill(pid_of(S2), SIGKILL);
	CU_ASSERT(until(pair_back));
	CU_ASSERT_EQUAL(notes->becomes[S1] + notes->becomes[S2], 1);
	CU_ASSERT_EQUAL(notes->starts[S1] + notes->starts[S2], 3);
	stop_all();
	end();
}

static bool mirror_back(void)
{
	return shared.slab[S1]->starts == 2 && shared.slab[A1]->starts == 2 && recovery_ready();
}

static void with_its_mirror(void)
{
	begin(true);
	start_all();
	kill(pid_of(A1), SIGKILL);
	kill(pid_of(S1), SIGKILL);
	CU_ASSERT(until(mirror_back));
	CU_ASSERT_EQUAL(notes->becomes[S1], 1);
	CU_ASSERT_EQUAL(notes->becomes[A1], 1);
	stop_all();
	end();
}

static bool standby_back(void)
{
	/* three: the standby's death was seen after it had been chosen */
	return notes->standbys[S0] == 2 && shared.slab[S1]->starts >= 2 && recovery_ready();
}

/* The standby and an instance: nobody is asked to become who cannot. */
static void with_the_standby(void)
{
	begin(true);
	start_all();
	kill(pid_of(S0), SIGKILL);
	kill(pid_of(S1), SIGKILL);
	CU_ASSERT(until(standby_back));
	CU_ASSERT(notes->becomes[S1] + notes->starts[S1] == 2);
	stop_all();
	end();
}

static bool standby_alone_back(void)
{
	return notes->standbys[A0] == 2 && recovery_ready();
}

static void standby_dies(void)
{
	begin(true);
	start_all();
	kill(pid_of(A0), SIGKILL);
	CU_ASSERT(until(standby_alone_back));
	CU_ASSERT_EQUAL(shared.slab[A1]->starts, 1);
	CU_ASSERT_EQUAL(notes->gone[SCT][A1] + notes->gone[SCT][A2], 0);
	stop_all();
	end();
}

static bool after_two_deaths(void)
{
	return shared.slab[S1]->starts == 3 && recovery_ready();
}

static void dies_becoming(void)
{
	begin(true);
	start_all();
	notes->die_becoming = 1;
	kill(pid_of(S1), SIGKILL);
	CU_ASSERT(until(after_two_deaths));
	CU_ASSERT_EQUAL(notes->becomes[S1], 0);
	CU_ASSERT_EQUAL(notes->starts[S1], 2);
	CU_ASSERT_EQUAL(sup->slot[S1].deaths, 2);
	stop_all();
	end();
}

static bool hung_replaced(void)
{
	return pid_of(place) && pid_of(place) != victim && all_ready() && sr()->ncrashes == 1;
}

/* Stopped, not dead: missed by its beat, killed, and its place taken. */
static void hangs(void)
{
	begin(true);
	start_all();
	place = S1;
	victim = pid_of(S1);
	kill(victim, SIGSTOP);
	CU_ASSERT(until(hung_replaced));
	CU_ASSERT_EQUAL(notes->becomes[S1], 1);
	CU_ASSERT_EQUAL(sr()->crash[0].killed, 1);
	CU_ASSERT_EQUAL(sr()->crash[0].signal, SIGKILL);
	CU_ASSERT_EQUAL(sr()->crash[0].pid, (uint32_t)victim);
	stop_all();
	end();
}

static bool recovery_under_way(void)
{
	return notes->becomes[S1] && all_ready() && sr()->state == CHASSIS_SR_SESSMGR;
}

static bool says_recovering(void)
{
	return notes->becomes[S1] && sup->slot[S1].live->ready && !strcmp(sr()->why,
		"sessmgr:1: its sessions are being recovered");
}

static bool demux_missed(void)
{
	return sr()->state == CHASSIS_SR_DEMUX;
}

static bool says(const char *why)
{
	sup_sr_judge(sup, chassis_now());
	return !strcmp(sr()->why, why);
}

static void states(void)
{
	struct chassis_slab *s1, *vpn;
	uint64_t at;

	begin(true);
	notes->recovering = 1;
	start_all();
	kill(pid_of(S1), SIGKILL);
	CU_ASSERT(until(says_recovering));
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_SESSMGR);
	/* a recovery that does not end does not keep the standby away */
	CU_ASSERT(until(recovery_under_way));
	s1 = shared.slab[S1];
	vpn = shared.slab[VPN];
	s1->recovering = 0;
	/* the active's sessions must be mirrored */
	vpn->role.role = SRP_ROLE_ACTIVE;
	CU_ASSERT(says(""));
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_READY);
	at = sr()->updated_us;
	sup_sr_judge(sup, (struct srp_time){at + SRP_MS(9999)});
	CU_ASSERT_EQUAL(sr()->updated_us, at);
	sup_sr_judge(sup, (struct srp_time){at + SRP_MS(10000)});
	CU_ASSERT_EQUAL(sr()->updated_us, at + SRP_MS(10000));
	s1->sessions = 1;
	CU_ASSERT(says("sessmgr:1: aaamgr not level"));
	at = sr()->updated_us;
	sup_sr_judge(sup, (struct srp_time){at + SRP_MS(999)});
	CU_ASSERT_EQUAL(sr()->updated_us, at);
	sup_sr_judge(sup, (struct srp_time){at + SRP_MS(1000)});
	CU_ASSERT_EQUAL(sr()->updated_us, at + SRP_MS(1000));
	s1->sr_level = 1;
	CU_ASSERT(says(""));
	/* the standby's at the peer, where it is connected */
	vpn->role.role = SRP_ROLE_STANDBY;
	s1->sr_level = 0;
	CU_ASSERT(says(""));
	s1->link = RECOVERY_LINK_SYNC;
	CU_ASSERT(says("sessmgr:1: not level with the peer chassis"));
	s1->link = RECOVERY_LINK_READY;
	CU_ASSERT(says(""));
	snprintf(shared.slab[A0]->not_ready, sizeof(shared.slab[A0]->not_ready), "no memory");
	CU_ASSERT(says("standby aaamgr: no memory"));
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_AAAMGR);
	shared.slab[A0]->not_ready[0] = '\0';
	kill(pid_of(DEMUX), SIGKILL);
	CU_ASSERT(until(demux_missed));
	CU_ASSERT_STRING_EQUAL(sr()->why, "demuxmgr is being started");
	CU_ASSERT_EQUAL(sr()->demux_active, 0);
	CU_ASSERT(until(recovery_ready));
	stop_all();
	end();
}

static bool refused(void)
{
	return sr()->state == CHASSIS_SR_SESSMGR && all_ready();
}

static bool renewed(void)
{
	return notes->standbys[S0] == 2 && recovery_ready();
}

/* What could not be had is said, and asked for again. */
static void reservation(void)
{
	begin(true);
	notes->refuse = 1;
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT(until(refused) && shared.slab[S0]->not_ready[0]);
	CU_ASSERT_STRING_EQUAL(sr()->why, "standby sessmgr: 120 MB of memory could not be had");
	CU_ASSERT_EQUAL(shared.slab[S0]->ready, 0);
	sup->slot[S0].live->born.us -= SRP_MS(SUP_RETRY_MS);
	CU_ASSERT(until(renewed));
	CU_ASSERT_EQUAL(sup->slot[S0].deaths, 0);
	CU_ASSERT_EQUAL(sr()->ncrashes, 0);
	stop_all();
	end();
}

static void tell(size_t slot, uint32_t callid, int sig)
{
	uint8_t buf[32];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, callid);
	srp_mp_w_uint(&w, (uint64_t)sig);
	CU_ASSERT_EQUAL(chassis_conn_send(sup->slot[slot].live->line, CHASSIS_IPC_SWITCH, w.start,
	                                  srp_mp_w_len(&w), -1), 0);
}

static uint32_t crashes;

static bool crashed(void)
{
	return sr()->ncrashes == crashes && recovery_ready();
}

static void crash(size_t slot, uint32_t callid, int sig)
{
	crashes++;
	tell(slot, callid, sig);
	CU_ASSERT_FATAL(until(crashed));
}

static void crash_list(void)
{
	const struct chassis_crash *r;

	begin(true);
	crashes = 0;
	start_all();
	r = sr()->crash;
	victim = pid_of(S2);
	crash(S2, 0xa1000010, SIGSEGV);
	CU_ASSERT_EQUAL(r->task, CHASSIS_TASK_SESSMGR);
	CU_ASSERT_EQUAL(r->instance, 2);
	CU_ASSERT_EQUAL(r->pid, (uint32_t)victim);
	CU_ASSERT_EQUAL(r->signal, SIGSEGV);
	CU_ASSERT_EQUAL(r->addr, 0x10);
	CU_ASSERT_EQUAL(r->handling, 0xa1000010);
	CU_ASSERT_EQUAL(r->killed, 0);
	CU_ASSERT(r->wall_ms > 0);
	CU_ASSERT_STRING_EQUAL(r->core, "core files are not enabled");
	CU_ASSERT_PTR_NOT_NULL(strstr(r->backtrace, "chassisd+0x"));
	CU_ASSERT_PTR_NOT_NULL(strchr(r->backtrace, '\n'));
	/* what is killed leaves no note, and its call is not blamed */
	crash(S2, 0xa1000010, SIGKILL);
	CU_ASSERT_EQUAL(r[1].signal, SIGKILL);
	CU_ASSERT_STRING_EQUAL(r[1].backtrace, "");
	CU_ASSERT_EQUAL(r[1].handling, 0xa1000010);
	CU_ASSERT_EQUAL(sr()->nquarantine, 0);
	crash(S1, 0, SIGABRT);
	crash(S1, 0, SIGABRT);
	CU_ASSERT_EQUAL(r[3].signal, SIGABRT);
	CU_ASSERT_EQUAL(r[3].addr, 0);
	CU_ASSERT_EQUAL(sr()->nquarantine, 0);
	/* the second one, on another instance too */
	crash(S1, 0xa1000010, SIGBUS);
	CU_ASSERT_EQUAL(sr()->nquarantine, 1);
	CU_ASSERT_EQUAL(sr()->quarantine[0], 0xa1000010);
	crash(S2, 0xa1000010, SIGFPE);
	CU_ASSERT_EQUAL(sr()->nquarantine, 1);
	stop_all();
	CU_ASSERT_EQUAL(sr()->ncrashes, crashes); /* ends in order are none */
	end();
}

static struct sup_child *fake(struct chassis_supervisor *s, uint32_t callid)
{
	static struct sup_child c;

	c = (struct sup_child){.sup = s, .slot = S1, .pid = 1};
	s->shared->slab[S1]->handling = callid;
	s->shared->slab[S1]->crash_note.set = 1;
	s->shared->slab[S1]->crash_note.nframes = UINT32_MAX; /* a task writes what it likes */
	sup_crash_see(&c);
	return &c;
}

/* Rings, past their ends. */
static void bounds(void)
{
	uint32_t i;

	begin(true);
	for (i = 1; i <= CHASSIS_QUARANTINE + 1; i++) {
		(void)fake(sup, i);
		(void)fake(sup, i);
	}
	CU_ASSERT_EQUAL(sr()->nquarantine, CHASSIS_QUARANTINE + 1);
	CU_ASSERT_EQUAL(sr()->quarantine[0], CHASSIS_QUARANTINE + 1);
	CU_ASSERT_EQUAL(sr()->quarantine[1], 2);
	/* one that is remembered no more has killed for the first time again */
	(void)fake(sup, 5000);
	for (i = 0; i < SUP_SUSPECTS; i++)
		(void)fake(sup, 6000 + i);
	(void)fake(sup, 5000);
	CU_ASSERT_EQUAL(sr()->nquarantine, CHASSIS_QUARANTINE + 1);
	(void)fake(sup, 6000 + SUP_SUSPECTS - 1);
	CU_ASSERT_EQUAL(sr()->nquarantine, CHASSIS_QUARANTINE + 2);
	for (i = 0; i <= CHASSIS_CRASHES; i++)
		sup_crash_record(fake(sup, 0), (int)(i << 8)); /* exit status i */
	CU_ASSERT_EQUAL(sr()->ncrashes, CHASSIS_CRASHES + 1);
	CU_ASSERT_EQUAL(sr()->crash[0].status, CHASSIS_CRASHES);
	CU_ASSERT_EQUAL(sr()->crash[1].status, 1);
	CU_ASSERT(strlen(sr()->crash[0].backtrace) < sizeof(sr()->crash[0].backtrace));
	CU_ASSERT_STRING_EQUAL(sr()->crash[0].core, "none: it was no signal");
	end();
}

static void patterns(void)
{
	char out[128];

	CU_ASSERT_EQUAL(sup_crash_pattern("core", "/var/crash", false, 7, 11, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/var/crash/core");
	CU_ASSERT_EQUAL(sup_crash_pattern("core", "/a*b", true, 7, 11, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/a\\*b/core.7");
	CU_ASSERT_EQUAL(sup_crash_pattern("/c/%e-%p-%s-%t%%[", "/x", true, 7, 11, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/c/*-7-11-*%\\[");
	CU_ASSERT_EQUAL(sup_crash_pattern("a%", "/x", false, 7, 11, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/x/a");
	CU_ASSERT_EQUAL(sup_crash_pattern("|/bin/handler %p", "/x", false, 7, 11, out, sizeof(out)), -1);
	CU_ASSERT_EQUAL(sup_crash_pattern("/12345", "/x", false, 7, 11, out, 8), 0);
	CU_ASSERT_EQUAL(sup_crash_pattern("/123456", "/x", false, 7, 11, out, 8), -1);
}

static bool standby_warm(void)
{
	return pid_of(S0) && sup->slot[S0].live->ready;
}

static bool told_of_store(void)
{
	return notes->store[S2] == 1;
}

static bool stopped(void)
{
	return notes->stopped[VPN] && none_left();
}

static bool back(void)
{
	return shared.slab[DEMUX]->starts > crashes || sup->stage != SUP_RUN;
}

/* As vpnmgr says it: active, and connected to a standby. */
static void peer_stands_by(void)
{
	shared.slab[VPN]->role.role = SRP_ROLE_ACTIVE;
	shared.slab[VPN]->role.peer_role = SRP_ROLE_STANDBY;
	sup->hold[0] = dup(2);
	CU_ASSERT_FATAL(sup->hold[0] >= 0);
}

/* The role is given away before the chassis ends. */
static void crash_loop(void)
{
	begin(true);
	start_all();
	peer_stands_by();
	for (crashes = 1; crashes <= SUP_CRASHES; crashes++) {
		CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
		kill(pid_of(DEMUX), SIGKILL);
		CU_ASSERT_FATAL(until(back));
	}
	CU_ASSERT_EQUAL(notes->stopped[VPN], 0);
	kill(pid_of(DEMUX), SIGKILL);
	CU_ASSERT(until(stopped));
	CU_ASSERT_EQUAL(sup->status, EXIT_FAILURE);
	CU_ASSERT_EQUAL(notes->giving_up, 1);
	CU_ASSERT_EQUAL(notes->stopped[S1], 1);
	end();
}

/* Kills who has a place until the next one is put off. */
static void loop_of(size_t slot)
{
	for (crashes = 1; crashes <= SUP_CRASHES; crashes++) {
		uint32_t starts = shared.slab[slot]->starts;

		CU_ASSERT_FATAL(pid_of(slot) > 0);
		kill(pid_of(slot), SIGKILL);
		while (shared.slab[slot]->starts == starts || !sup->slot[slot].live->ready)
			ev_run(loop, EVRUN_ONCE);
	}
	CU_ASSERT_EQUAL(sup->slot[slot].delay_ms, 0);
	kill(pid_of(slot), SIGKILL);
	while (sup->slot[slot].live)
		ev_run(loop, EVRUN_ONCE);
}

/* Time has passed, and the tick is made. */
static void delay_over(size_t slot)
{
	CU_ASSERT_PTR_NULL(sup->slot[slot].live);
	sup_again(sup, (struct srp_time){sup->slot[slot].retry.us - 1});
	CU_ASSERT_PTR_NULL(sup->slot[slot].live);
	sup_again(sup, sup->slot[slot].retry);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sup->slot[slot].live);
	while (!sup->slot[slot].live->ready)
		ev_run(loop, EVRUN_ONCE);
}

/* A chassis whose peer cannot take over goes on, with a delay that grows up to its limit and ends when one
 * has lived. */
static void lone_loop(void)
{
	static const uint32_t delays[] = {1000, 2000, 4000, 8000, 10000, 10000};

	begin(true);
	start_all();
	peer_stands_by();
	shared.slab[VPN]->role.peer_role = SRP_ROLE_INIT;
	loop_of(DEMUX);
	for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
		CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
		CU_ASSERT_EQUAL(sup->slot[DEMUX].delay_ms, delays[i]);
		CU_ASSERT(says("demuxmgr dies too often"));
		CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_DEMUX);
		CU_ASSERT_EQUAL(stats_slab_owner(&shared.slab[DEMUX]->head), 0);
		delay_over(DEMUX);
		CU_ASSERT(says("demuxmgr dies too often"));
		kill(pid_of(DEMUX), SIGKILL);
		while (sup->slot[DEMUX].live)
			ev_run(loop, EVRUN_ONCE);
	}
	delay_over(DEMUX);
	sup->slot[DEMUX].live->born.us -= SRP_SEC(SUP_CRASH_S);
	sup_again(sup, chassis_now());
	CU_ASSERT_EQUAL(sup->slot[DEMUX].delay_ms, 0);
	CU_ASSERT(until(recovery_ready));
	CU_ASSERT(says(""));
	CU_ASSERT_EQUAL(shared.slab[DEMUX]->starts, 1 + SUP_CRASHES + 7);
	stop_all();
	end();
}

/* The peer comes: the next death gives it the role. */
static void lone_no_more(void)
{
	begin(true);
	start_all();
	loop_of(DEMUX);
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	delay_over(DEMUX);
	peer_stands_by();
	kill(pid_of(DEMUX), SIGKILL);
	CU_ASSERT(until(stopped));
	CU_ASSERT_EQUAL(sup->status, EXIT_FAILURE);
	CU_ASSERT_EQUAL(notes->giving_up, 1);
	end();
}

/* A session manager that waits for its next process keeps neither standby away. */
static void lone_sessmgr(void)
{
	begin(true);
	start_all();
	loop_of(S1);
	CU_ASSERT(says("sessmgr:1 dies too often"));
	CU_ASSERT(until(standby_warm));
	was_standby = pid_of(S0);
	delay_over(S1);
	CU_ASSERT_EQUAL(pid_of(S1), was_standby);
	stop_all();
	end();
}

static bool mirrors_put_off(void)
{
	return is_ready && sup->slot[A1].delay_ms && !sup->slot[A1].live;
}

/* Mirrors that cannot start: the chassis runs without, says why, and tries again, with a peer as well. */
static void mirror_cannot_start(void)
{
	begin(true);
	peer_stands_by();
	notes->fail_start = A1;
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT(until(mirrors_put_off));
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	CU_ASSERT_EQUAL(notes->starts[A1], SUP_CRASHES + 1);
	CU_ASSERT(says("aaamgr:1 dies too often: no room for the store"));
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_AAAMGR);
	CU_ASSERT_EQUAL(sr()->aaamgr_active, 1);
	CU_ASSERT_EQUAL(sr()->sessmgr_active, 2);
	notes->fail_start = 0;
	delay_over(A1);
	sup->slot[A1].live->born.us -= SRP_SEC(SUP_CRASH_S);
	CU_ASSERT(until(recovery_ready));
	sup_again(sup, chassis_now());
	CU_ASSERT_EQUAL(sup->slot[A1].delay_ms, 0);
	stop_all();
	end();
}

static bool mirror_replaced(void)
{
	return pid_of(A1) && pid_of(A1) != victim && sr()->ncrashes == 1;
}

/* Whom a recovery waits for is killed long before others would be, and only then. */
static void mirror_hangs(void)
{
	struct sup_child *s1;
	int st = 0;

	begin(true);
	start_all();
	s1 = sup->slot[S1].live;
	victim = pid_of(A1);
	kill(victim, SIGSTOP);
	CU_ASSERT_EQUAL(waitpid(victim, &st, WUNTRACED), victim);
	stats_slab_beat(&shared.slab[A1]->head, chassis_now().us - SRP_MS(SUP_HANG_MS) / 2);
	sup->slot[A1].live->born.us = sup->fresh.us = 0;
	sup_hangs(s1);
	CU_ASSERT(!sup->slot[A1].live->killed);
	stats_slab_beat(&shared.slab[A1]->head, chassis_now().us - SRP_MS(SUP_HANG_MS) - 1);
	sup_hangs(sup->slot[S2].live); /* has another mirror */
	CU_ASSERT(!sup->slot[A1].live->killed);
	sup_hangs(s1);
	CU_ASSERT(sup->slot[A1].live->killed);
	CU_ASSERT(until(mirror_replaced));
	CU_ASSERT_EQUAL(sr()->crash[0].killed, 1);
	CU_ASSERT(until(recovery_ready));
	CU_ASSERT_EQUAL(notes->store[S1], 0);
	/* where there is nobody to kill, the session manager hears that */
	loop_of(A2);
	sup_hangs(sup->slot[S2].live);
	CU_ASSERT(until(told_of_store));
	CU_ASSERT_EQUAL(notes->store[S1], 0);
	stop_all();
	end();
}

static bool left_alone(void)
{
	return sup->slot[S0].deaths > SUP_CRASHES;
}

static bool another_standby(void)
{
	return sup->slot[S0].deaths > crashes && (sup->slot[S0].live || left_alone());
}

/* A standby that cannot live does not take the chassis with it. */
static void standby_loop(void)
{
	begin(true);
	start_all();
	for (crashes = 0; crashes <= SUP_CRASHES; crashes++) {
		kill(pid_of(S0), SIGKILL);
		CU_ASSERT_FATAL(until(another_standby));
	}
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	CU_ASSERT_PTR_NULL(sup->slot[S0].live);
	CU_ASSERT(says("standby sessmgr: died too often, is not made at once"));
	sup_standbys(sup, (struct srp_time){sup->slot[S0].retry.us - 1});
	CU_ASSERT_PTR_NULL(sup->slot[S0].live);
	sup_standbys(sup, sup->slot[S0].retry);
	CU_ASSERT_PTR_NOT_NULL(sup->slot[S0].live);
	stop_all();
	end();
}

static void cannot_shrink(void)
{
	struct stat st;

	begin(true);
	CU_ASSERT_EQUAL(shared.store_fd[0], -1);
	for (unsigned i = 1; i <= 2; i++) {
		CU_ASSERT_EQUAL(fstat(shared.store_fd[i], &st), 0);
		CU_ASSERT_EQUAL((uint64_t)st.st_size, CHASSIS_STORE_BYTES);
		CU_ASSERT_EQUAL(st.st_blocks, 0);
		CU_ASSERT_EQUAL(ftruncate(shared.store_fd[i], 4096), -1);
		CU_ASSERT_EQUAL(fstat(shared.ledger_fd[i], &st), 0);
		CU_ASSERT_EQUAL((uint64_t)st.st_size, CHASSIS_LEDGER_BYTES);
		CU_ASSERT_EQUAL(ftruncate(shared.ledger_fd[i], 4096), -1);
	}
	chassis_supervisor_free(sup);
	ev_loop_destroy(loop);
	sup_slabs_close(&shared);
	munmap(notes, sizeof(*notes));
}

static bool missed(void)
{
	return !strcmp(sr()->why, "standby sessmgr: cannot be started: Too many open files");
}

/* No room for another process: said, and tried again. */
static void standby_cannot_start(void)
{
	struct rlimit old, low;

	begin(true);
	start_all();
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){0, old.rlim_max};
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
	kill(pid_of(S0), SIGKILL);
	CU_ASSERT(until(missed));
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &old), 0);
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	CU_ASSERT(sup->slot[S0].retry.us > chassis_now().us);
	sup_standbys(sup, sup->slot[S0].retry);
	CU_ASSERT(until(recovery_ready));
	stop_all();
	end();
}

/* --- save and reload ------------------------------------------------------------------------------ */

static char dir[64];

static int text_fd(const char *text, size_t len)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)len), 0);
	CU_ASSERT_EQUAL(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	return fd;
}

static const char *content(const char *name)
{
	static char buf[256];
	char path[128];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return "";
	buf[n] = '\0';
	return buf;
}

static void put_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	CU_ASSERT_EQUAL(fchmod(fd, mode), 0);
	close(fd);
}

static int save(const char *asked, const char *text)
{
	char why[400] = "";
	int fd = text_fd(text, strlen(text)), rc = sup_save_file(&shared, asked, fd, why, sizeof(why));

	close(fd);
	CU_ASSERT_EQUAL(rc == 0, why[0] == '\0');
	return rc;
}

/* The feature-key file, after it was read. */
static void keys(void)
{
	const struct srp_time at = {SRP_SEC(1000)};

	begin(false);
	snprintf(dir, sizeof(dir), "/tmp/chassis-keys-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	sup_keys_look(sup, at); /* none is configured */
	CU_ASSERT_EQUAL(sup->keys_looked.us, 0);
	snprintf(config.license_file, sizeof(config.license_file), "%s/keys", dir);
	put_file("keys", "session-recovery\n", 0600);
	sup_keys_look(sup, at);
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_READ);
	put_file("keys", "flow-recovery\n", 0600);
	sup_keys_look(sup, (struct srp_time){at.us + SRP_MS(SUP_KEYS_MS) - 1});
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_READ);
	sup_keys_look(sup, (struct srp_time){at.us + SRP_MS(SUP_KEYS_MS)});
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_CHANGED);
	CU_ASSERT_EQUAL(unlink(config.license_file), 0);
	sup_keys_look(sup, (struct srp_time){at.us + SRP_MS(2 * SUP_KEYS_MS)});
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_GONE);
	put_file("keys", "session-recovery\n", 0600);
	sup_keys_look(sup, (struct srp_time){at.us + SRP_MS(3 * SUP_KEYS_MS)});
	CU_ASSERT_EQUAL(sr()->keys, CHASSIS_KEYS_CHANGED);
	CU_ASSERT_EQUAL(unlink(config.license_file), 0);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	config.license_file[0] = '\0';
	end();
}

static void saves(void)
{
	static const char *const outside[] = {"../x", "/etc/x", "a/../x", "./x", "x/", "a//x", "..", ".",
	                                      "/"};
	char path[256], why[400], file[256], d[PATH_MAX], n[PATH_MAX];
	struct stat st;
	int fd, p[2];

	snprintf(dir, sizeof(dir), "/tmp/chassis-save-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	put_file("real.conf", "old\n", 0640);
	snprintf(file, sizeof(file), "%s/link.conf", dir);
	CU_ASSERT_EQUAL(symlink("real.conf", file), 0);
	config = (struct chassis_config){.sessmgrs = 1};
	sup_shared_init(&shared, &config);
	shared.config_file = file;
	/* its own: what the link leads to, with its mode */
	CU_ASSERT_EQUAL(save("", "new\n"), 0);
	CU_ASSERT_STRING_EQUAL(content("real.conf"), "new\n");
	CU_ASSERT(lstat(file, &st) == 0 && S_ISLNK(st.st_mode));
	snprintf(path, sizeof(path), "%s/real.conf", dir);
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
	/* another one beside it, by name or whole path; nothing elsewhere */
	CU_ASSERT_EQUAL(save("other.conf", "1\n"), 0);
	CU_ASSERT_STRING_EQUAL(content("other.conf"), "1\n");
	snprintf(path, sizeof(path), "%s/other.conf", dir);
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CU_ASSERT_EQUAL(save(path, "2\n"), 0);
	CU_ASSERT_STRING_EQUAL(content("other.conf"), "2\n");
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		CU_ASSERT_EQUAL(save(outside[i], "x"), SRP_ERANGE);
	snprintf(path, sizeof(path), "%sx/y", dir); /* a directory whose name only begins so */
	CU_ASSERT_EQUAL(sup_save_path(file, path, d, n), SRP_ERANGE);
	CU_ASSERT_EQUAL(save("no/such", "x"), SRP_EIO);
	snprintf(path, sizeof(path), "%s/away", dir);
	CU_ASSERT_EQUAL(symlink("/tmp", path), 0);
	CU_ASSERT_EQUAL(save("away/x", "x"), SRP_EIO);
	/* neither through links nor over what is something else */
	CU_ASSERT_EQUAL(save("away", "x"), SRP_EBUSY);
	put_file("key.pem", "secret\n", 0600);
	snprintf(config.srp.key, sizeof(config.srp.key), "%s/key.pem", dir);
	CU_ASSERT_EQUAL(save("key.pem", "x"), SRP_EBUSY);
	CU_ASSERT_STRING_EQUAL(content("key.pem"), "secret\n");
	/* text that is too long, by one, and what could be waited for */
	fd = text_fd("a", SUP_CONFIG_MAX + 1u);
	CU_ASSERT_EQUAL(sup_save_file(&shared, "big", fd, why, sizeof(why)), SRP_ERANGE);
	CU_ASSERT_EQUAL(ftruncate(fd, SUP_CONFIG_MAX), 0);
	CU_ASSERT_EQUAL(sup_save_file(&shared, "big", fd, why, sizeof(why)), 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	CU_ASSERT_EQUAL(sup_save_file(&shared, "big", p[0], why, sizeof(why)), SRP_ERANGE);
	close(p[0]);
	close(p[1]);
	snprintf(path, sizeof(path), "rm -rf %s", dir);
	CU_ASSERT_EQUAL(system(path), 0);
}

static bool ended(void)
{
	return none_left();
}

static int reload_now(const uint8_t *body, size_t len)
{
	const struct srp_frame_hdr h = {.type = CHASSIS_IPC_RELOAD, .len = (uint32_t)len};

	return sup_reload(sup->slot[SCT].live, &h, body);
}

static void reloads(void)
{
	char file[128], cmd[128];

	snprintf(dir, sizeof(dir), "/tmp/chassis-reload-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/c.conf", dir);
	put_file("c.conf", "no such line\n", 0600);
	begin(true);
	shared.config_file = file;
	start_all();
	CU_ASSERT_EQUAL(reload_now((const uint8_t *)"\x90", 0), SRP_ESHORT);
	CU_ASSERT_EQUAL(reload_now((const uint8_t *)"\x91\x01", 2), SRP_ERANGE);
	/* a text that is not right changes nothing */
	CU_ASSERT_EQUAL(reload_now((const uint8_t *)"\x90", 1), 0);
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	CU_ASSERT(!sup->reload);
	put_file("c.conf", "config\n  system hostname again\nend\n", 0600);
	CU_ASSERT_EQUAL(reload_now((const uint8_t *)"\x90", 1), 0);
	CU_ASSERT(sup->reload);
	CU_ASSERT(until(ended));
	CU_ASSERT_EQUAL(sup->status, 0);
	CU_ASSERT_EQUAL(notes->stopped[VPN], 1);
	end();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CU_ASSERT_EQUAL(system(cmd), 0);
}

/* --- vpnmgr's dead timer -------------------------------------------------------------------------- */

static void on_timer(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
}

/* Who has no role waits for nobody's death: else the timer is due again at once, all the time. */
static void dead_timer(void)
{
	struct chassis_task_ctx ctx = {.shared = &shared};
	struct vpnmgr *v = calloc(1, sizeof(*v));

	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	begin(true);
	ctx.loop = loop;
	ctx.slab = shared.slab[VPN];
	v->ctx = &ctx;
	v->conf = &config;
	v->silence.dead_us = SRP_MS(1); /* over long ago */
	ev_init(&v->dead_timer, on_timer);
	for (int p = SRP_PHASE_DOWN; p <= SRP_PHASE_HANDED; p++) {
		v->role.phase = (enum srp_phase)p;
		vpn_dead_rearm(v);
		CU_ASSERT_EQUAL(ev_is_active(&v->dead_timer) != 0, p >= SRP_PHASE_STANDBY);
	}
	v->role.phase = SRP_PHASE_LISTEN;
	vpn_dead_rearm(v);
	CU_ASSERT(!ev_is_active(&v->dead_timer));
	free(v);
	end();
}

CU_TestInfo chassis_standby_tests[] = {
	{"not enabled", not_enabled},
	{"enabled", enabled},
	{"a session manager dies", sessmgr_dies},
	{"a mirror dies", aaamgr_dies},
	{"two session managers die", pair_dies},
	{"a session manager dies with its mirror", with_its_mirror},
	{"a session manager dies with the standby", with_the_standby},
	{"the standby dies", standby_dies},
	{"one dies that is just becoming", dies_becoming},
	{"one hangs", hangs},
	{"states", states},
	{"a reservation that cannot be had", reservation},
	{"list of crashes, quarantine", crash_list},
	{"rings past their ends", bounds},
	{"where core files go", patterns},
	{"a crash loop gives the role away", crash_loop},
	{"a crash loop without a peer", lone_loop},
	{"a crash loop, and the peer comes", lone_no_more},
	{"a session manager dies too often", lone_sessmgr},
	{"mirrors that cannot start", mirror_cannot_start},
	{"a mirror that hangs", mirror_hangs},
	{"the feature-key file changes", keys},
	{"a standby that cannot live", standby_loop},
	{"a standby that cannot be started", standby_cannot_start},
	{"memory that cannot be made smaller", cannot_shrink},
	{"save", saves},
	{"reload", reloads},
	{"a chassis without a role does not wait for a death", dead_timer},
	CU_TEST_INFO_NULL,
};

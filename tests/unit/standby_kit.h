/* standby_kit: a chassis of two session managers, with their mirrors and standbys where it has session
 * recovery: processes that note what they are told, and die as they are told. */
#ifndef TESTS_UNIT_STANDBY_KIT_H
#define TESTS_UNIT_STANDBY_KIT_H

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "srp/err.h"
#include "sup_kit.h"

enum { SCT = 1, VPN, DEMUX, CDR, S0, A0, S1, A1, S2, A2, SLOTS };

static struct notes {
	_Atomic int starts[SLOTS], standbys[SLOTS], becomes[SLOTS];
	_Atomic int up[SLOTS][SLOTS], gone[SLOTS][SLOTS]; /* by whom, about whom */
	_Atomic int stopped[SLOTS];
	_Atomic int refuse;        /* a standby that cannot have what it reserves */
	_Atomic int die_becoming;  /* so many times */
	_Atomic int recovering;    /* whoever becomes says so until this is 0 */
	_Atomic int other_fds;     /* of other instances, open after becoming */
	_Atomic int giving_up;     /* seen by vpnmgr when it was stopped */
	_Atomic int fail_start;    /* slot whose start fails */
	_Atomic int store[SLOTS];  /* was told that there is nobody to tell of its store */
	char title[SLOTS][16];
} *notes;

static struct chassis_config config;

static inline void comm_note(size_t slot)
{
	FILE *f = fopen("/proc/self/comm", "re");

	if (f && fgets(notes->title[slot], sizeof(notes->title[slot]), f))
		notes->title[slot][strcspn(notes->title[slot], "\n")] = '\0';
	if (f)
		fclose(f);
}

static inline int t_start(struct chassis_task_ctx *ctx)
{
	size_t slot = slot_of(ctx);

	notes->starts[slot]++;
	comm_note(slot);
	if (notes->fail_start != (int)slot)
		return SRP_OK;
	snprintf(ctx->slab->not_ready, sizeof(ctx->slab->not_ready), "no room for the store");
	return SRP_EFULL;
}

static inline int t_standby(struct chassis_task_ctx *ctx)
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

static inline int t_become(struct chassis_task_ctx *ctx)
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

static inline void t_stop(struct chassis_task_ctx *ctx)
{
	notes->stopped[slot_of(ctx)]++;
	if (ctx->row->task == CHASSIS_TASK_VPNMGR)
		notes->giving_up = (int)ctx->shared->slab[0]->sr.giving_up;
	chassis_task_exit(ctx, EXIT_SUCCESS);
}

static inline void t_peer(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up)
{
	if (up)
		notes->up[slot_of(ctx)][chassis_slot(task, instance)]++;
	else
		notes->gone[slot_of(ctx)][chassis_slot(task, instance)]++;
}

/* What a session manager is told to do with itself: SWITCH [callid, signal]. */
static inline int t_rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
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

static inline void begin(bool recovery)
{
	char why[160] = "";

	notes = notes_map(sizeof(*notes));
	row_sess.standby = row_aaa.standby = t_standby;
	row_sess.become = row_aaa.become = t_become;
	config = (struct chassis_config){.sessmgrs = 2, .logging = "stderr", .severity = -1,
	                                 .session_recovery = recovery};
	sup_begin(&config, rows);
	CU_ASSERT_EQUAL_FATAL(shared.nslabs, SLOTS);
	CU_ASSERT_EQUAL_FATAL(sup_memory_open(&shared, why, sizeof(why)), 0);
}

static inline void end(void)
{
	sup_end();
	for (unsigned i = 1; i <= 2 && shared.store_fd[i] >= 0; i++) {
		close(shared.store_fd[i]);
		close(shared.ledger_fd[i]);
	}
	munmap(notes, sizeof(*notes));
}

static const struct chassis_sr_slab *sr(void)
{
	return &shared.slab[0]->sr;
}

static inline bool all_ready(void)
{
	for (size_t i = 1; i < SLOTS; i++)
		if (sup->slot[i].wanted && (!sup->slot[i].live || !sup->slot[i].live->ready))
			return false;
	return is_ready;
}

static inline bool recovery_ready(void)
{
	return all_ready() && sr()->state == CHASSIS_SR_READY;
}

static inline void start_all(void)
{
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT_FATAL(until(recovery_ready));
}

static inline pid_t pid_of(size_t slot)
{
	return sup->slot[slot].live ? sup->slot[slot].live->pid : 0;
}

static inline bool says(const char *why)
{
	sup_sr_judge(sup, chassis_now());
	return !strcmp(sr()->why, why);
}

/* As vpnmgr says it: active, and connected to a standby. */
static inline void peer_stands_by(void)
{
	shared.slab[VPN]->role.role = SRP_ROLE_ACTIVE;
	shared.slab[VPN]->role.peer_role = SRP_ROLE_STANDBY;
	sup->hold[0] = dup(2);
	CU_ASSERT_FATAL(sup->hold[0] >= 0);
}

#endif

/* Another configuration, over all tasks or none. */
#include "config.h"
#include "suites.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>

#include "chassis/task/base.h"
#include "running_kit.h"
#include "srp/err.h"
#include "sup_kit.h"

#define S1     7 /* sessmgr:1 */
#define S2     9
#define SLOTS  11

struct notes {
	_Atomic uint64_t runs[SLOTS];     /* version by which a task runs */
	_Atomic uint64_t content[SLOTS];  /* of its configuration */
	_Atomic int prepared[SLOTS], forgotten[SLOTS];
	_Atomic int refuses;              /* slot that refuses */
	_Atomic int answers, status;      /* to sct */
	char text[300];
};

static struct notes *notes;
static struct chassis_config *first, *second;

static void note(struct chassis_task_ctx *ctx)
{
	const struct ecs_charging_action *a = ecs_service_action(ctx->shared->config->service, 0);

	notes->content[slot_of(ctx)] = a ? a->content_id : 0;
	notes->runs[slot_of(ctx)] = ctx->shared->running.version;
}

static int t_start(struct chassis_task_ctx *ctx)
{
	note(ctx);
	return SRP_OK;
}

static void t_stop(struct chassis_task_ctx *ctx)
{
	chassis_task_exit(ctx, EXIT_SUCCESS);
}

static int t_prepare(struct chassis_task_ctx *ctx, const struct chassis_config *next)
{
	if (!next)
		notes->forgotten[slot_of(ctx)]++;
	else if (notes->refuses == (int)slot_of(ctx))
		return SRP_ENOMEM;
	else
		notes->prepared[slot_of(ctx)]++;
	return SRP_OK;
}

static int t_rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
                const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);

	(void)ctx;
	(void)instance;
	if (fd >= 0)
		close(fd);
	if (h->type != CHASSIS_IPC_CONFIG_DONE || from != CHASSIS_TASK_SUPERVISOR)
		return SRP_ETYPE;
	(void)srp_mp_array(&r, 3);
	(void)srp_mp_uint(&r, UINT64_MAX);
	notes->status = (int)srp_mp_int(&r);
	srp_mp_str(&r, notes->text, sizeof(notes->text));
	notes->answers++;
	return r.err;
}

#define ROW(sym, nm, use)                                                                    \
	{.task = CHASSIS_TASK_##sym, .name = nm, .start = t_start, .stop = t_stop, .rx = t_rx, \
	 .config_use = CHASSIS_CONFIG_##use, .prepare = t_prepare, .reconfigured = note,        \
	 .peers = {CHASSIS_TASK_SUPERVISOR}}
static const struct chassis_task_row r_sct = ROW(SCT, "sct", WHOLE), r_vpn = ROW(VPNMGR, "vpnmgr", DIGEST),
	r_demux = ROW(DEMUXMGR, "demuxmgr", WHOLE), r_sess = ROW(SESSMGR, "sessmgr", WHOLE);
static const struct chassis_task_row *const rows[CHASSIS_TASK__N] = {
	[CHASSIS_TASK_SCT] = &r_sct, [CHASSIS_TASK_VPNMGR] = &r_vpn,
	[CHASSIS_TASK_DEMUXMGR] = &r_demux, [CHASSIS_TASK_SESSMGR] = &r_sess};

static bool answered(void)
{
	return notes->answers > 0;
}

static bool all_run(uint64_t version)
{
	return notes->runs[2] == version && notes->runs[3] == version &&
	       notes->runs[S1] == version && notes->runs[S2] == version;
}

static bool run_second(void) { return all_run(2); }

static void begin(void)
{
	notes = notes_map(sizeof(*notes));
	first = parse(HEAD SERVICE("1", "10"));
	second = parse(HEAD SERVICE("2", "10"));
	first->severity = 0;
	sup_begin(first, rows);
	CU_ASSERT_EQUAL(shared.running.version, 1);
	CU_ASSERT_EQUAL(shared.running.digest, chassis_config_digest(first));
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT_FATAL(until(ready));
}

static void end(void)
{
	chassis_supervisor_stop(sup);
	CU_ASSERT(until(none_left));
	if (shared.running_fd >= 0)
		close(shared.running_fd);
	sup_end();
	chassis_config_free(first);
	chassis_config_free(second);
	munmap(notes, sizeof(*notes));
}

/* What sct would send: [version, ...] with @p fd (taken). */
static int offer(uint64_t version, int fd)
{
	const struct chassis_running r = {version, chassis_config_digest(second), 5};
	uint8_t buf[64];
	struct srp_mp_w w = chassis_running_put(0, &r, buf, sizeof(buf));
	const struct srp_frame_hdr h = {.type = CHASSIS_IPC_CONFIG_NEW,
	                                .len = (uint32_t)srp_mp_w_len(&w)};

	notes->answers = 0;
	return sup_config_new(sup->slot[1].live, &h, buf, fd);
}

static void all_or_none(void)
{
	begin();
	/* one refuses: all forget it */
	notes->refuses = S2;
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	CU_ASSERT_EQUAL(sup->commit.is.version, 2);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status < 0);
	CU_ASSERT(strstr(notes->text, "sessmgr:2 refuses") != NULL);
	CU_ASSERT(shared.running.version == 1 && shared.running_fd < 0);
	/* the same again, and nobody refuses */
	notes->refuses = 0;
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT_EQUAL(notes->status, 0);
	CU_ASSERT(until(run_second));
	CU_ASSERT(shared.running.version == 2 && shared.running_fd >= 0);
	CU_ASSERT(notes->content[3] == 2 && notes->content[S1] == 2 && notes->content[S2] == 2);
	CU_ASSERT_EQUAL(notes->content[2], 1); /* it needs the digest only */
	CU_ASSERT_EQUAL(notes->content[1], 1); /* sct has built it itself */
	CU_ASSERT(notes->prepared[S1] >= 1 && notes->prepared[1] == 0 && notes->prepared[2] == 0);
	for (size_t i = 1; i < SLOTS; i++)
		CU_ASSERT(shared.slab[i]->starts <= 1);
	end();
}

static void offers_refused(void)
{
	int fd;

	begin();
	fd = memfd_create("t", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	CU_ASSERT_EQUAL(offer(2, fd), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status == SRP_EFORMAT);
	for (uint64_t version = 1; version <= 3; version += 2) { /* 2 is next */
		CU_ASSERT_EQUAL(offer(version, sealed(second, version, 0)), 0);
		CU_ASSERT(until(answered));
		CU_ASSERT_EQUAL(notes->status, SRP_ESTALE);
	}
	CU_ASSERT_EQUAL(offer(2, -1), SRP_EFORMAT);
	/* what is in the memory is not what was said: every task refuses it */
	CU_ASSERT_EQUAL(offer(2, sealed(second, 9, 0)), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status < 0);
	CU_ASSERT(strstr(notes->text, "another version") != NULL);
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 99)), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status < 0);
	CU_ASSERT(strstr(notes->text, "digest") != NULL);
	CU_ASSERT(all_run(1));
	end();
}

static void no_answer(void)
{
	const struct chassis_running r = {2, 3, 4};
	struct chassis_running out;
	uint64_t n = 7;
	uint8_t buf[64];
	struct srp_mp_w w = chassis_running_put(0, &r, buf, sizeof(buf));

	for (size_t cut = 0; cut < srp_mp_w_len(&w); cut++)
		CU_ASSERT(chassis_running_get(buf, cut, &n, &out) < 0);
	CU_ASSERT_EQUAL(chassis_running_get(buf, srp_mp_w_len(&w), &n, &out), 0);
	CU_ASSERT(n == 0 && out.version == 2 && out.digest == 3 && out.wall_ms == 4);
	begin();
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	sup_commit_advance(sup, (struct srp_time){sup->commit.deadline.us - 1});
	CU_ASSERT_EQUAL(sup->commit.is.version, 2);
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0); /* one at a time */
	CU_ASSERT_EQUAL(sup->commit.is.version, 2);
	sup_commit_advance(sup, sup->commit.deadline);
	CU_ASSERT_EQUAL(sup->commit.attempt, 0);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status < 0);
	/* who was asked answers late, or was told before: the next one is not disturbed */
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	notes->answers = 0;
	CU_ASSERT(until(run_second));
	CU_ASSERT(until(answered));
	end();
}

/* Dies while it prepares: its successor is asked, too; and dies after it: the successor begins with it. */
static void deaths(void)
{
	begin();
	CU_ASSERT_EQUAL(kill(sup->slot[S1].live->pid, SIGSTOP), 0);
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	CU_ASSERT_EQUAL(kill(sup->slot[S1].live->pid, SIGKILL), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT_EQUAL(notes->status, 0);
	CU_ASSERT(until(run_second));
	CU_ASSERT_EQUAL(shared.slab[S1]->starts, 2);
	CU_ASSERT_EQUAL(notes->runs[1], 1); /* it had offered it */
	notes->runs[S2] = notes->content[S2] = notes->runs[2] = 0;
	CU_ASSERT_EQUAL(kill(sup->slot[S2].live->pid, SIGKILL), 0);
	CU_ASSERT_EQUAL(kill(sup->slot[2].live->pid, SIGKILL), 0);
	CU_ASSERT(until(run_second));
	CU_ASSERT_EQUAL(notes->content[S2], 2);
	end();
}

static bool run_by_sct(void) { return run_second() && notes->runs[1] == 2; }
static bool sct_has_built_it(void) { return notes->prepared[1] > 0; }

/* The sct that has offered it dies: the next one takes part, whenever it was born. */
static void death_of_sct(void)
{
	begin();
	CU_ASSERT_EQUAL(kill(sup->slot[S1].live->pid, SIGSTOP), 0);
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	notes->runs[1] = 0;
	CU_ASSERT_EQUAL(kill(sup->slot[1].live->pid, SIGKILL), 0);
	CU_ASSERT(until(sct_has_built_it));
	/* by hand: on a busy machine the watch may take longer than a commit has */
	CU_ASSERT_EQUAL(kill(sup->slot[S1].live->pid, SIGKILL), 0);
	CU_ASSERT(until(run_by_sct));
	CU_ASSERT_EQUAL(notes->content[1], 2);
	CU_ASSERT_EQUAL(shared.slab[1]->starts, 2);
	end();
}

CU_TestInfo chassis_commit_tests[] = {
	{"all tasks or none", all_or_none},
	{"offers that are refused", offers_refused},
	{"a task that does not answer", no_answer},
	{"deaths on the way", deaths},
	{"death of who offered it", death_of_sct},
	CU_TEST_INFO_NULL,
};

/* cdrmod: the task that writes records into files. Session managers put them into queues in memory; they
 * stay there until they are in a file. It works in a thread, as a disk may take its time. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <time.h>

#include "chassis/task/background.h"
#include "chassis/task/record_files.h"
#include "chassis/task/task.h"
#include "srp/err.h"

#define TURN_S 0.2
#define LAST_S 2   /* that session managers may still give records when all ends */
#define HEAR_S 2   /* that they may take to hear who has the role, after a time in which nobody ran */

struct cdrmod {
	struct chassis_task_ctx *ctx;
	struct chassis_record_conf conf[CHASSIS_RECORDS__N];
	struct chassis_ring *ring[CHASSIS_SESSMGRS_MAX + 1];
	struct chassis_files *files;
	struct chassis_files_stats told; /* that the slab has */
	struct chassis_background thread;
	ev_timer turn;
	bool stopping, last, warned;
	bool renewed;                    /* the configuration: the next turn obeys it */
	struct srp_time stop_at;
	struct srp_time turned;          /* the timer's last run */
	struct srp_time wait_until;
};

static void publish(struct cdrmod *c)
{
	struct chassis_files_stats st = chassis_files_stats(c->files);
	struct chassis_slab *slab = c->ctx->slab;

#define ADD(to, what) slab->task_ctr.to += st.what - c->told.what
	ADD(cdr_records, records);
	ADD(cdr_bytes, bytes);
	ADD(cdr_files, files);
	ADD(cdr_failures, failures);
	ADD(cdr_broken, broken);
	ADD(cdr_missing, missing);
	ADD(cdr_resumed, resumed);
	ADD(cdr_nowhere, nowhere);
#undef ADD
	slab->records_open = st.open;
	memcpy(slab->records_why, st.why, sizeof(slab->records_why));
	if (st.why[0] && !c->warned)
		chassis_log(LOG_ERR, "records wait in memory: %s", st.why);
	else if (!st.why[0] && c->warned)
		chassis_log(LOG_NOTICE, "records are written again");
	c->warned = st.why[0] != '\0';
	c->told = st;
}

static void work(void *arg)
{
	struct cdrmod *c = arg;

	chassis_files_turn(c->files, (int64_t)time(NULL), c->last);
}

static void done(void *arg)
{
	struct cdrmod *c = arg;

	publish(c);
	if (c->last)
		chassis_task_exit(c->ctx, EXIT_SUCCESS);
}

/* All that may still come has come. */
static bool is_last(const struct cdrmod *c)
{
	if (!c->stopping)
		return false;
	for (unsigned i = 1; i <= c->ctx->shared->nsessmgr; i++)
		if (chassis_task_connected(c->ctx, CHASSIS_TASK_SESSMGR, i))
			return srp_time_since(c->stop_at, chassis_now()) > SRP_SEC(LAST_S);
	return true;
}

/* All of the chassis may have stood still, and have been succeeded: then what is in the queues is withdrawn,
 * by those who hear it. */
static bool must_wait(struct cdrmod *c, struct srp_time now)
{
	const struct chassis_config *conf = c->ctx->shared->config;

	if (conf->srp.present && c->turned.us &&
	    srp_time_since(c->turned, now) > SRP_MS(conf->srp.dead_ms))
		c->wait_until = srp_time_add(now, SRP_SEC(HEAR_S));
	c->turned = now;
	return srp_time_since(now, c->wait_until) > 0;
}

/* When files are complete is as what runs says; the thread reads it. */
static void renew(struct cdrmod *c)
{
	for (unsigned i = 0; c->renewed && i < CHASSIS_RECORDS__N; i++) {
		const struct chassis_record_conf *now = &c->ctx->shared->config->records[i];

		c->conf[i].rotate_records = now->rotate_records;
		c->conf[i].rotate_s = now->rotate_s;
		c->conf[i].rotate_bytes = now->rotate_bytes;
	}
	c->renewed = false;
}

static void on_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct cdrmod *c = w->data;

	(void)loop;
	(void)revents;
	if (!c->thread.on)
		renew(c);
	if ((must_wait(c, chassis_now()) && !c->stopping) || c->thread.on)
		return;
	c->last = is_last(c);
	if (chassis_background_start(&c->thread, c->ctx->loop, work, done, c) < 0) {
		work(c); /* without a thread it blocks */
		done(c);
	}
}

static void *map(int fd, size_t len)
{
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, len, MADV_DONTDUMP);
	return p;
}

static int start(struct chassis_task_ctx *ctx)
{
	const struct chassis_shared *sh = ctx->shared;
	struct cdrmod *c = calloc(1, sizeof(*c));
	void *journal = map(sh->record_journal_fd, CHASSIS_RECORD_JOURNAL_BYTES);

	if (!c || !journal)
		return SRP_ENOMEM;
	ctx->priv = c;
	c->ctx = ctx;
	for (unsigned i = 0; i < CHASSIS_RECORDS__N; i++) {
		c->conf[i] = sh->config->records[i];
		if (!c->conf[i].name[0])
			snprintf(c->conf[i].name, sizeof(c->conf[i].name), "%.31s", sh->config->hostname);
	}
	for (unsigned i = 1; i <= sh->nsessmgr; i++)
		c->ring[i] = chassis_ring_open(map(sh->record_fd[i], CHASSIS_RECORDS_BYTES),
		                               CHASSIS_RECORDS_BYTES);
	c->files = chassis_files_open(c->conf, sh->record_dir, journal, c->ring, sh->nsessmgr + 1);
	if (!c->files)
		return SRP_ENOMEM;
	publish(c);
	ev_timer_init(&c->turn, on_turn, TURN_S, TURN_S);
	c->turn.data = c;
	ev_timer_start(ctx->loop, &c->turn);
	return SRP_OK;
}

static void reconfigured(struct chassis_task_ctx *ctx)
{
	struct cdrmod *c = ctx->priv;

	c->renewed = true;
}

static void stop(struct chassis_task_ctx *ctx)
{
	struct cdrmod *c = ctx->priv;

	c->stopping = true;
	c->stop_at = chassis_now();
}

static int rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
              const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	(void)from, (void)instance, (void)h, (void)body, (void)fd;
	ctx->slab->task_ctr.frames_refused++;
	return SRP_OK;
}

const struct chassis_task_row chassis_task_cdrmod = {
	.task = CHASSIS_TASK_CDRMOD,
	.name = "cdrmod",
	.own_uid = true,
	.config_use = CHASSIS_CONFIG_WHOLE,
	.reconfigured = reconfigured,
	.start = start,
	.stop = stop,
	.rx = rx,
	.peers = {CHASSIS_TASK_SESSMGR, CHASSIS_TASK_SUPERVISOR},
};

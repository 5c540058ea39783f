/* sess_record: records that the engine makes go into the queue to cdrmod. They are held there until the
 * peer chassis has confirmed that what they end is over: were this chassis lost before that, the peer would
 * make them, and nobody has them twice. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <time.h>

#include "chassis/task/record_ring.h"
#include "srp/err.h"

#define HOLD_S 2 /* at most: a peer that confirms nothing must not keep records for ever */
#define ENV_S  1

bool sessmgr_record(void *owner, const struct ecs_record *r)
{
	struct sessmgr *s = owner;
	unsigned module = r->stream == ECS_STREAM_UDR ? CHASSIS_RECORDS_UDR : CHASSIS_RECORDS_EDR;
	const struct chassis_record_conf *c = &s->ctx->shared->config->records[module];

	if (!s->rec.ring || !c->present || !c->directory[0])
		return false;
	if (chassis_ring_put(s->rec.ring, r))
		return true;
	if (!s->rec.full) {
		s->rec.full = true;
		chassis_log(LOG_ERR, "the queue of records is full: records are lost, and counted");
	}
	return false;
}

bool sessmgr_recorded(void *owner, uint32_t callid, uint32_t flow_id)
{
	struct sessmgr *s = owner;

	if (!s->rec.ring)
		return false;
	if (s->rec.keys_stale)
		chassis_ring_keys_read(s->rec.ring);
	s->rec.keys_stale = false;
	return chassis_ring_has_key(s->rec.ring, callid, flow_id);
}

/* Seconds that local time is ahead of UTC. */
static int32_t local_of(time_t t)
{
	struct tm tm = {0};

	return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

static void tell_env(struct sessmgr *s, struct srp_time now)
{
	const struct chassis_config *c = s->ctx->shared->config;
	struct ecs_edr_env env = {.at = now};
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	env.wall_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
	env.local_s = local_of(ts.tv_sec);
	if (c->srp.has_bind)
		(void)ecs_addr_text(&c->srp.bind, env.nas, sizeof(env.nas));
	ecs_engine_env(s->engine, &env);
	s->rec.env_at = now;
}

/* What the peer must have confirmed before records up to a mark may go. */
static void mark(struct sessmgr *s, const struct recovery_status *st, struct srp_time now)
{
	s->rec.mark = chassis_ring_head(s->rec.ring);
	s->rec.mark_seq = st->sent_seq;
	s->rec.mark_all = st->dirty + st->tombs > 0;
	s->rec.mark_at = now;
	s->rec.marked = true;
}

/* All that was changed before the mark has been confirmed. */
static bool confirmed(const struct sessmgr *s, const struct recovery_status *st)
{
	if (!s->rec.mark_all)
		return st->acked_seq >= s->rec.mark_seq;
	return st->dirty + st->tombs + st->inflight == 0;
}

void sessmgr_records_turn(struct sessmgr *s)
{
	struct srp_time now = chassis_now();
	struct chassis_ring_look look;
	struct recovery_status st;

	if (!s->rec.ring)
		return;
	if (srp_time_since(s->rec.env_at, now) >= SRP_SEC(ENV_S))
		tell_env(s, now);
	look = chassis_ring_look(s->rec.ring);
	s->ctx->slab->records_held = look.held;
	s->ctx->slab->records_waiting = look.waiting;
	if (look.held + look.waiting < look.room / 2)
		s->rec.full = false;
	if (!look.held)
		return;
	if (s->gr)
		recovery_replica_status(s->gr, &st);
	if (!s->gr || st.link != RECOVERY_LINK_READY || s->role != SRP_ROLE_ACTIVE) {
		/* there is nobody who could confirm: what is here is all there is */
		chassis_ring_release(s->rec.ring, chassis_ring_head(s->rec.ring));
		s->ctx->slab->task_ctr.cdr_unconfirmed += s->gr != NULL && s->role == SRP_ROLE_ACTIVE;
		s->rec.marked = false;
		return;
	}
	if (!s->rec.marked) {
		mark(s, &st, now);
		return;
	}
	if (!confirmed(s, &st)) {
		if (srp_time_since(s->rec.mark_at, now) < SRP_SEC(HOLD_S))
			return;
		s->ctx->slab->task_ctr.cdr_unconfirmed++;
	}
	chassis_ring_release(s->rec.ring, s->rec.mark);
	s->rec.marked = false;
}

void sessmgr_records_role(struct sessmgr *s)
{
	s->rec.keys_stale = true;
}

void sessmgr_records_start(struct sessmgr *s)
{
	int fd = s->ctx->shared->record_fd[s->ctx->instance];
	void *p = fd < 0 ? MAP_FAILED
	                 : mmap(NULL, CHASSIS_RECORDS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (s->rec.ring || p == MAP_FAILED)
		return;
	(void)madvise(p, CHASSIS_RECORDS_BYTES, MADV_DONTDUMP);
	s->rec.ring = chassis_ring_open(p, CHASSIS_RECORDS_BYTES);
	if (!s->rec.ring) {
		chassis_log(LOG_ERR, "no memory for the queue of records: none are made");
		munmap(p, CHASSIS_RECORDS_BYTES);
		return;
	}
	/* what a predecessor has made is here, and what it ended is known here */
	chassis_ring_release(s->rec.ring, chassis_ring_head(s->rec.ring));
	s->rec.keys_stale = true;
	tell_env(s, chassis_now());
}

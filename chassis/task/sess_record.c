/* sess_record: records that the engine makes go into the queue to cdrmod. They are held there until the
 * peer chassis has a copy of them: were this chassis lost before they are in a file, the peer writes them.
 * When they are in one, the peer is told to forget its copies. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <time.h>

#include "chassis/task/record_ring.h"
#include "ecs/record_copy.h"
#include "srp/err.h"

#define HOLD_S 2 /* at most: a peer that confirms nothing must not keep records for ever */
#define ENV_S  1
#define TAKE_TURN 4000u /* records of a lost peer that are written in one turn */

static bool makes(enum srp_role role)
{
	return role == SRP_ROLE_ACTIVE || role == SRP_ROLE_PENDING_STANDBY;
}

bool sessmgr_record(void *owner, const struct ecs_record *r, uint64_t *place)
{
	struct sessmgr *s = owner;
	unsigned module = r->stream == ECS_STREAM_UDR ? CHASSIS_RECORDS_UDR : CHASSIS_RECORDS_EDR;
	const struct chassis_record_conf *c = &s->ctx->shared->config->records[module];

	if (!s->rec.ring || !c->present || !c->directory[0])
		return false;
	if (s->gr && makes(s->role))
		*place = chassis_ring_head(s->rec.ring);
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

/* Gives cdrmod what the peer has a copy of; what it does not confirm, when it has had time enough. */
static void release(struct sessmgr *s, const struct chassis_ring_look *look, struct srp_time now)
{
	uint64_t head = chassis_ring_head(s->rec.ring), upto = ecs_records_confirmed(s->engine);

	if (upto > head)
		upto = head;
	if (!look->held || upto > head - look->held) {
		s->rec.stuck_at = now;
	} else if (srp_time_since(s->rec.stuck_at, now) >= SRP_SEC(HOLD_S)) {
		s->rec.stuck_at = now;
		s->ctx->slab->task_ctr.cdr_unconfirmed++;
		upto = head;
	}
	chassis_ring_release(s->rec.ring, upto);
}

void sessmgr_records_turn(struct sessmgr *s)
{
	struct srp_time now = chassis_now();
	struct chassis_ring_look look;

	if (!s->rec.ring)
		return;
	/* who has stood still may have been succeeded: then these are not his to write */
	chassis_ring_pause(s->rec.ring, s->stale);
	if (s->stale)
		return;
	if (srp_time_since(s->rec.env_at, now) >= SRP_SEC(ENV_S))
		tell_env(s, now);
	if (s->rec.taking && !s->frozen) { /* nothing may follow what ends the stream */
		s->rec.keys_stale = true;
		s->rec.taking = ecs_records_take_over(s->engine, s->rec.peer_lost, TAKE_TURN, now);
	}
	if (!s->frozen)
		ecs_records_written(s->engine, chassis_ring_tail(s->rec.ring), now);
	look = chassis_ring_look(s->rec.ring);
	s->ctx->slab->records_held = look.held;
	s->ctx->slab->records_waiting = look.waiting;
	s->ctx->slab->records_copies = ecs_records_held(s->engine);
	if (look.held + look.waiting < look.room / 2)
		s->rec.full = false;
	if (s->gr && makes(s->role) && recovery_replica_link(s->gr) == RECOVERY_LINK_READY) {
		release(s, &look, now);
		return;
	}
	/* there is nobody who could confirm: what is here is all there is */
	s->ctx->slab->task_ctr.cdr_unconfirmed += look.held && s->gr && s->role == SRP_ROLE_ACTIVE;
	chassis_ring_release(s->rec.ring, chassis_ring_head(s->rec.ring));
	s->rec.stuck_at = now;
}

/* --- role ------------------------------------------------------------------------------------- */

/* The peer did not give the role: what it had not written it may not write any more. */
static bool was_lost(enum srp_switch_reason why)
{
	switch (why) {
	case SRP_SWITCH_DUAL_ACTIVE:
	case SRP_SWITCH_DUAL_STANDBY:
	case SRP_SWITCH_DEAD_TIMER:
	case SRP_SWITCH_START:
	case SRP_SWITCH_PEER_GONE:
	case SRP_SWITCH_PEER_RESTARTED:
	case SRP_SWITCH_PEER_GAVE_UP:
	case SRP_SWITCH_UNANSWERED:
		return true;
	default:
		return false;
	}
}

static void withdraw(void *arg, uint64_t place, bool peer_has)
{
	struct sessmgr *s = arg;

	if (peer_has)
		s->ctx->slab->task_ctr.cdr_withdrawn += chassis_ring_withdraw(s->rec.ring, place);
}

/* Another chassis has the role, and nobody gave it: it writes what it has copies of, and goes on with what
 * it was not told the end of. What it has not, and is on its way to a file, stays. */
static void lose(struct sessmgr *s, bool given, struct srp_time now)
{
	ecs_records_forget(s->engine, given ? NULL : withdraw, s, now);
	if (!given)
		s->ctx->slab->task_ctr.cdr_withdrawn += chassis_ring_withdraw_held(s->rec.ring);
	chassis_ring_release(s->rec.ring, chassis_ring_head(s->rec.ring));
	chassis_ring_keys_forget(s->rec.ring);
}

/* The role goes before all of a lost peer's records were written: that is done here and now, unless the peer
 * has had the role all the time. Then they are its own, and those that come are no records of a lost peer. */
static void end_taking(struct sessmgr *s, enum srp_switch_reason why, struct srp_time now)
{
	if (s->rec.taking && why != SRP_SWITCH_DUAL_ACTIVE)
		(void)ecs_records_take_over(s->engine, s->rec.peer_lost, SIZE_MAX, now);
	s->rec.taking = false;
}

void sessmgr_records_leave(struct sessmgr *s, enum srp_role role, enum srp_switch_reason why,
                           struct srp_time now)
{
	bool given = why == SRP_SWITCH_SHUTDOWN ||
	             (s->role == SRP_ROLE_PENDING_STANDBY && why != SRP_SWITCH_STALE &&
	              why != SRP_SWITCH_DUAL_ACTIVE);

	if (!s->rec.ring || role == s->role)
		return;
	s->rec.keys_stale = true;
	if (!makes(s->role) || makes(role) || role == SRP_ROLE_PENDING_ACTIVE)
		return;
	lose(s, given, now);
	end_taking(s, why, now);
}

void sessmgr_records_take(struct sessmgr *s, enum srp_role before, enum srp_switch_reason why)
{
	if (s->role != SRP_ROLE_ACTIVE || makes(before))
		return;
	if (was_lost(why) || why == SRP_SWITCH_PEER_SHUTDOWN)
		ecs_records_recovered(s->engine, true);
	if (!s->rec.ring)
		return;
	s->rec.taking = true;
	s->rec.peer_lost = was_lost(why);
	sessmgr_records_turn(s);
}

void sessmgr_records_stop(struct sessmgr *s)
{
	if (!s->rec.ring || s->stale)
		return;
	end_taking(s, SRP_SWITCH_SHUTDOWN, chassis_now());
	chassis_ring_release(s->rec.ring, chassis_ring_head(s->rec.ring));
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
	chassis_ring_pause(s->rec.ring, false);
	/* what a predecessor has made is here, and what it ended is known here */
	chassis_ring_release(s->rec.ring, chassis_ring_head(s->rec.ring));
	s->rec.keys_stale = true;
	tell_env(s, chassis_now());
}

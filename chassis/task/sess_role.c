/* sess_role: the role of the chassis as an instance takes it, and whether it holds all it should. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <syslog.h>

#include "srp/err.h"

bool sessmgr_stood_still(struct sessmgr *s, struct srp_time now)
{
	if (!s->dead_us || s->stale || srp_time_since(s->alive, now) <= s->dead_us)
		return s->stale;
	s->stale = true;
	s->ctx->slab->task_ctr.stood_still++;
	chassis_log(LOG_WARNING, "stood still for %llu ms, waiting for vpnmgr before going on",
	            (unsigned long long)(srp_time_since(s->alive, now) / 1000));
	sessmgr_tun_reading(s, false);
	sessmgr_tell_vpnmgr(s);
	return true;
}

void sessmgr_known_only(struct sessmgr *s)
{
	ecs_engine_known_only(s->engine, s->sr.refill && sessmgr_pulls(s));
}

void sessmgr_set_complete(struct sessmgr *s, enum chassis_complete c)
{
	s->complete = c;
	sessmgr_known_only(s);
	sessmgr_link_role(s);
	sessmgr_tell_vpnmgr(s);
}

/* Without session recovery a successor has nothing of its own. */
static void restarted(struct sessmgr *s, bool elsewhere)
{
	if (s->ctx->shared->config->session_recovery || s->ctx->slab->starts <= 1 ||
	    s->complete != CHASSIS_FILLING || s->role != SRP_ROLE_INIT)
		return;
	if (elsewhere) {
		s->sr.refill = s->sr.sweep = true;
		chassis_log(LOG_NOTICE, "restarted on the active chassis: the peer is asked for its sessions");
		return;
	}
	s->ctx->slab->task_ctr.restarted_empty++;
	chassis_log(LOG_ERR, "restarted empty on the active chassis: its sessions are lost");
}

/* Whoever comes to serve without having been filled serves with what it has. It is no source, and empties
 * nobody, until the peer has given what it holds, or has said that it holds no more. One that serves
 * already is told its role again and again: what it lacks does not come to it by that. */
static void note_owner(struct sessmgr *s, enum srp_role role, bool elsewhere)
{
	s->sr.elsewhere = elsewhere;
	if (role != SRP_ROLE_ACTIVE || s->complete == CHASSIS_COMPLETE || s->sr.phase != SESSMGR_SERVES)
		return;
	restarted(s, elsewhere);
	if (!s->gr)
		s->complete = CHASSIS_COMPLETE; /* there is nobody who could hold more */
	else if (elsewhere)
		s->complete = CHASSIS_FILLING;
	else if (!srp_role_permit[s->role].forwards)
		s->complete = CHASSIS_STARTED_EMPTY;
}

void sessmgr_judge(struct sessmgr *s, struct srp_time now)
{
	struct recovery_status st;

	if (s->role != SRP_ROLE_ACTIVE || s->complete == CHASSIS_COMPLETE || !s->gr ||
	    s->sr.phase != SESSMGR_SERVES)
		return;
	recovery_replica_status(s->gr, &st);
	if (st.link != RECOVERY_LINK_DOWN)
		s->peer_seen = now;
	if (st.link >= RECOVERY_LINK_SYNC && !st.peer_complete) {
		sessmgr_set_complete(s, CHASSIS_COMPLETE);
	} else if (s->complete == CHASSIS_FILLING &&
	           srp_time_since(s->peer_seen, now) > s->dead_us + SRP_SEC(1)) {
		chassis_log(LOG_ERR, "the peer is gone before it has given all it held: goes on without");
		sessmgr_set_complete(s, CHASSIS_STARTED_EMPTY);
	}
}

int sessmgr_role_rx(struct sessmgr *s, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8);
	enum srp_role role = (enum srp_role)srp_mp_uint(r, SRP_ROLE__N - 1), before = s->role;
	uint32_t term = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	enum srp_switch_reason why;
	bool elsewhere;
	uint64_t relay;
	struct srp_time now = chassis_now();

	why = (enum srp_switch_reason)srp_mp_uint(r, SRP_SWITCH__N - 1);
	elsewhere = srp_mp_bool(r);
	relay = srp_mp_uint(r, UINT32_MAX);
	if (n < 5 || r->err)
		return SRP_EFORMAT;
	s->stale = false;
	s->alive = now;
	s->term = term;
	if (role != s->role)
		s->peer_seen = now;
	note_owner(s, role, elsewhere);
	if (role != s->role)
		chassis_log(LOG_INFO, "role %s, term %u.%u", srp_role_name(role), term >> 1, term & 1);
	sessmgr_records_leave(s, role, why, now);
	if (srp_role_permit[role].forwards != srp_role_permit[s->role].forwards ||
	    s->role == SRP_ROLE_INIT)
		ecs_engine_active(s->engine, srp_role_permit[role].forwards, now);
	if (s->role == SRP_ROLE_PENDING_STANDBY && role == SRP_ROLE_STANDBY)
		ecs_engine_handed_over(s->engine);
	s->role = role;
	sessmgr_known_only(s);
	s->relay_until = relay ? srp_time_add(now, SRP_MS(relay)) : (struct srp_time){0};
	if (role != SRP_ROLE_PENDING_STANDBY) {
		s->frozen = s->flushing = s->ending = false;
		if (s->gr)
			recovery_replica_flush(s->gr, false);
	}
	sessmgr_link_role(s);
	sessmgr_records_take(s, before, why);
	sessmgr_recover_advance(s);
	sessmgr_tun_reading(s, true);
	sessmgr_tell_vpnmgr(s);
	return SRP_OK;
}

bool sessmgr_pulls(const struct sessmgr *s)
{
	return s->complete == CHASSIS_FILLING && srp_role_permit[s->role].forwards;
}

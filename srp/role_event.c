/* What a hello means to the role machine, and when the peer's silence means that it is dead. */
#include "config.h"
#include "srp/role_machine.h"

/* Where a phase stands towards the traffic. */
enum stand { STAND_IDLE, STAND_TAKING, STAND_OWNER, STAND_HANDED };

static enum stand stand_of(enum srp_phase ph)
{
	switch (ph) {
	case SRP_PHASE_TAKEOVER:
	case SRP_PHASE_PREPARED:
		return STAND_TAKING;
	case SRP_PHASE_ACTIVE:
	case SRP_PHASE_ASKED:
	case SRP_PHASE_FLUSHING:
	case SRP_PHASE_FROZEN:
		return STAND_OWNER;
	case SRP_PHASE_HANDED:
		return STAND_HANDED;
	default:
		return STAND_IDLE;
	}
}

static enum srp_role_event contest(const struct srp_candidate *me, const struct srp_candidate *peer)
{
	return srp_election_start(me, peer) < 0 ? SRP_ROLE_EV_ELECTED : SRP_ROLE_EV_YIELD;
}

static enum srp_role_event as_owner(enum srp_phase ph, const struct srp_candidate *me,
                                    const struct srp_candidate *peer, uint32_t its_seen)
{
	if (peer->role == SRP_ROLE_PENDING_STANDBY && peer->handed)
		return SRP_ROLE_EV_PEER_HANDED;
	if (peer->role == SRP_ROLE_ACTIVE || peer->role == SRP_ROLE_PENDING_STANDBY)
		return srp_election_dual(me, peer) < 0 ? SRP_ROLE_EV_DUAL_WIN :
		                                         SRP_ROLE_EV_DUAL_LOSE;
	if (ph == SRP_PHASE_ACTIVE && its_seen > srp_term_number(me->term))
		return SRP_ROLE_EV_TERM_BEHIND;
	if (peer->role == SRP_ROLE_PENDING_ACTIVE)
		return SRP_ROLE_EV_PEER_TAKING;
	return peer->role == SRP_ROLE_STANDBY ? SRP_ROLE_EV_PEER_STANDBY : SRP_ROLE_EV_PEER_INIT;
}

/* Neither side is active, and we do nothing about it yet. */
static enum srp_role_event as_idle(enum srp_phase ph, const struct srp_candidate *me,
                                   const struct srp_candidate *peer)
{
	enum srp_role_event ev = contest(me, peer);

	if (ph != SRP_PHASE_STANDBY || ev != SRP_ROLE_EV_ELECTED)
		return ev;
	if (peer->role == SRP_ROLE_INIT)
		return SRP_ROLE_EV_PEER_EMPTY;
	return peer->unfit ? SRP_ROLE_EV_PEER_GAVE_UP : ev;
}

enum srp_role_event srp_role_hello_event(enum srp_phase ph, const struct srp_candidate *me,
                                         const struct srp_candidate *peer, uint32_t its_seen)
{
	enum stand st = stand_of(ph);

	if (st == STAND_OWNER)
		return as_owner(ph, me, peer, its_seen);
	switch (peer->role) {
	case SRP_ROLE_ACTIVE:
		return SRP_ROLE_EV_PEER_ACTIVE;
	case SRP_ROLE_PENDING_STANDBY:
		if (!peer->handed)
			return SRP_ROLE_EV_PEER_LEAVING;
		return st == STAND_HANDED ? contest(me, peer) : SRP_ROLE_EV_PEER_HANDED;
	case SRP_ROLE_PENDING_ACTIVE:
		return st == STAND_TAKING ? contest(me, peer) : SRP_ROLE_EV_PEER_TAKING;
	case SRP_ROLE_STANDBY:
		return st == STAND_IDLE ? as_idle(ph, me, peer) : SRP_ROLE_EV_PEER_STANDBY;
	default:
		return st == STAND_IDLE ? as_idle(ph, me, peer) : SRP_ROLE_EV_PEER_INIT;
	}
}

struct srp_time srp_role_dead_at(const struct srp_silence *s)
{
	uint64_t last = s->armed.us;

	if (s->heard.us > last)
		last = s->heard.us;
	if (s->delivered.us > last)
		last = s->delivered.us;
	return (struct srp_time){last + s->dead_us};
}

bool srp_role_silent(const struct srp_silence *s, struct srp_time now)
{
	return srp_time_due(srp_role_dead_at(s), now);
}

#include "config.h"
#include "srp/role_machine.h"

#include "srp/err.h"

enum { REASON_NONE = -1, REASON_ASKED = -2 };

struct edge {
	bool valid;
	uint8_t next; /* enum srp_phase */
	uint8_t act;  /* enum srp_role_action */
	int8_t why;   /* enum srp_switch_reason, REASON_NONE, or that of the switchover under way */
};

#define GO(ph, action)  {true, SRP_PHASE_##ph, SRP_ROLE_ACT_##action, REASON_NONE}
#define GOR(ph, action, reason) {true, SRP_PHASE_##ph, SRP_ROLE_ACT_##action, SRP_SWITCH_##reason}
#define GOA(ph, action) {true, SRP_PHASE_##ph, SRP_ROLE_ACT_##action, REASON_ASKED}

/* --- edges that several phases share ------------------------------------------------------- */

/* Who has no state yet follows a peer that serves, or is about to. */
#define FOLLOWS_WHO_SERVES                                                              \
	[SRP_ROLE_EV_PEER_ACTIVE]  = GO(STANDBY, FOLLOW),                               \
	[SRP_ROLE_EV_PEER_LEAVING] = GO(STANDBY, FOLLOW),                               \
	[SRP_ROLE_EV_PEER_HANDED]  = GO(STANDBY, FOLLOW),                               \
	[SRP_ROLE_EV_PEER_TAKING]  = GO(STANDBY, FOLLOW),                               \
	[SRP_ROLE_EV_ELECTED]      = GOR(TAKEOVER, TAKE, START),                        \
	[SRP_ROLE_EV_YIELD]        = GO(STANDBY, FOLLOW)
/* The peer is gone: its traffic is ours. */
#define TAKES_FROM_A_DEAD_PEER                                                          \
	[SRP_ROLE_EV_PEER_DEAD] = GOR(TAKEOVER, TAKE, DEAD_TIMER),                      \
	[SRP_ROLE_EV_PEER_GONE] = GOR(TAKEOVER, TAKE, PEER_GONE),                       \
	[SRP_ROLE_EV_PEER_BYE]  = GOR(TAKEOVER, TAKE, PEER_SHUTDOWN)
/* Who serves may lose the right to, whatever else it is doing. */
#define CAN_LOSE_ITS_RIGHT                                                              \
	[SRP_ROLE_EV_STOP]      = GOR(DOWN, LEAVE, SHUTDOWN),                           \
	[SRP_ROLE_EV_DUAL_LOSE] = GOR(STANDBY, STEP_DOWN, DUAL_ACTIVE),                 \
	[SRP_ROLE_EV_GIVE_UP]   = GOA(STANDBY, STEP_DOWN),                              \
	[SRP_ROLE_EV_STALE]     = GOR(STANDBY, STEP_DOWN, STALE)
/* A planned switchover is off where the peer goes, or says so, or is in no state for it. */
#define SWITCH_NEEDS_A_PEER                                                             \
	[SRP_ROLE_EV_RX_ABORT]  = GO(ACTIVE, THAW),                                     \
	[SRP_ROLE_EV_TIMEOUT]   = GO(ACTIVE, ABORT),                                    \
	[SRP_ROLE_EV_PEER_INIT] = GO(ACTIVE, ABORT),                                    \
	[SRP_ROLE_EV_DUAL_WIN]  = GO(ACTIVE, ABORT),                                    \
	[SRP_ROLE_EV_PEER_DEAD] = GO(ACTIVE, THAW),                                     \
	[SRP_ROLE_EV_PEER_GONE] = GO(ACTIVE, THAW),                                     \
	[SRP_ROLE_EV_PEER_BYE]  = GO(ACTIVE, THAW),                                     \
	[SRP_ROLE_EV_LINK_DOWN] = GO(ACTIVE, THAW)
/* From the flush on, also where it is not prepared any more. */
#define SWITCH_NEEDS_IT_PREPARED                                                        \
	[SRP_ROLE_EV_FLUSH_FAILED] = GO(ACTIVE, ABORT),                                 \
	[SRP_ROLE_EV_PEER_HANDED]  = GO(ACTIVE, ABORT),                                 \
	[SRP_ROLE_EV_PEER_STANDBY] = GO(ACTIVE, ABORT)

/* The whole machine. A pair that is not here is refused and counted. */
static const struct edge edges[SRP_PHASE__N][SRP_ROLE_EV__N] = {
	[SRP_PHASE_DOWN] = {
		[SRP_ROLE_EV_START]        = GO(LISTEN, LISTEN),
	},
	[SRP_PHASE_LISTEN] = {
		FOLLOWS_WHO_SERVES,
		[SRP_ROLE_EV_STOP]         = GO(DOWN, LEAVE),
		[SRP_ROLE_EV_ALONE]        = GO(PROBE, PROBE),
		[SRP_ROLE_EV_PEER_GONE]    = GO(LISTEN, NONE),
		[SRP_ROLE_EV_PEER_BYE]     = GO(LISTEN, NONE),
		[SRP_ROLE_EV_LINK_DOWN]    = GO(LISTEN, NONE),
		[SRP_ROLE_EV_GIVE_UP]      = GO(LISTEN, NONE),
		[SRP_ROLE_EV_STALE]        = GO(LISTEN, LISTEN),
	},
	[SRP_PHASE_PROBE] = {
		FOLLOWS_WHO_SERVES,
		[SRP_ROLE_EV_STOP]         = GO(DOWN, LEAVE),
		[SRP_ROLE_EV_PROBE_FREE]   = GOR(ACTIVE, ASSUME, START),
		[SRP_ROLE_EV_PROBE_TAKEN]  = GO(LISTEN, LISTEN),
		[SRP_ROLE_EV_PEER_GONE]    = GO(PROBE, NONE),
		[SRP_ROLE_EV_PEER_BYE]     = GO(PROBE, NONE),
		[SRP_ROLE_EV_LINK_DOWN]    = GO(PROBE, NONE),
		[SRP_ROLE_EV_TIMEOUT]      = GO(LISTEN, LISTEN),
		[SRP_ROLE_EV_GIVE_UP]      = GO(LISTEN, LISTEN),
		[SRP_ROLE_EV_STALE]        = GO(LISTEN, LISTEN),
	},
	[SRP_PHASE_STANDBY] = {
		TAKES_FROM_A_DEAD_PEER,
		[SRP_ROLE_EV_STOP]         = GO(DOWN, LEAVE),
		[SRP_ROLE_EV_PEER_ACTIVE]  = GO(STANDBY, NONE),
		[SRP_ROLE_EV_PEER_LEAVING] = GO(STANDBY, NONE),
		[SRP_ROLE_EV_PEER_HANDED]  = GO(STANDBY, NONE),
		[SRP_ROLE_EV_PEER_TAKING]  = GO(STANDBY, NONE),
		[SRP_ROLE_EV_YIELD]        = GO(STANDBY, NONE),
		[SRP_ROLE_EV_ELECTED]      = GOR(TAKEOVER, TAKE, DUAL_STANDBY),
		[SRP_ROLE_EV_PEER_EMPTY]   = GOR(TAKEOVER, TAKE, PEER_RESTARTED),
		[SRP_ROLE_EV_PEER_GAVE_UP] = GOR(TAKEOVER, TAKE, PEER_GAVE_UP),
		[SRP_ROLE_EV_LINK_DOWN]    = GO(STANDBY, NONE),
		[SRP_ROLE_EV_RX_PREPARE]   = GO(PREPARED, SEND_READY),
		[SRP_ROLE_EV_RX_ABORT]     = GO(STANDBY, NONE),
		[SRP_ROLE_EV_RX_TAKEN]     = GO(STANDBY, NONE),
		[SRP_ROLE_EV_GIVE_UP]      = GO(STANDBY, NONE),
		[SRP_ROLE_EV_STALE]        = GO(STANDBY, REARM),
	},
	[SRP_PHASE_TAKEOVER] = {
		[SRP_ROLE_EV_STOP]         = GO(DOWN, LEAVE),
		[SRP_ROLE_EV_TAKEN_OVER]   = GO(ACTIVE, ACTIVATE),
		[SRP_ROLE_EV_TIMEOUT]      = GO(ACTIVE, ACTIVATE),
		[SRP_ROLE_EV_RX_HANDOVER]  = GOA(ACTIVE, ASSUME_TAKEN),
		[SRP_ROLE_EV_PEER_ACTIVE]  = GO(STANDBY, FOLLOW),
		[SRP_ROLE_EV_PEER_LEAVING] = GO(STANDBY, FOLLOW),
		[SRP_ROLE_EV_PEER_HANDED]  = GO(TAKEOVER, NONE),
		[SRP_ROLE_EV_PEER_STANDBY] = GO(TAKEOVER, NONE),
		[SRP_ROLE_EV_PEER_INIT]    = GO(TAKEOVER, NONE),
		[SRP_ROLE_EV_ELECTED]      = GO(TAKEOVER, NONE),
		[SRP_ROLE_EV_YIELD]        = GO(STANDBY, FOLLOW),
		[SRP_ROLE_EV_PEER_DEAD]    = GO(TAKEOVER, NONE),
		[SRP_ROLE_EV_PEER_GONE]    = GO(TAKEOVER, NONE),
		[SRP_ROLE_EV_PEER_BYE]     = GO(TAKEOVER, NONE),
		[SRP_ROLE_EV_LINK_DOWN]    = GO(TAKEOVER, NONE),
		[SRP_ROLE_EV_RX_ABORT]     = GO(STANDBY, CANCEL),
		[SRP_ROLE_EV_GIVE_UP]      = GO(STANDBY, FOLLOW),
		[SRP_ROLE_EV_STALE]        = GO(STANDBY, FOLLOW),
	},
	[SRP_PHASE_PREPARED] = {
		TAKES_FROM_A_DEAD_PEER,
		[SRP_ROLE_EV_STOP]         = GO(DOWN, LEAVE),
		[SRP_ROLE_EV_RX_HANDOVER]  = GOA(ACTIVE, ASSUME_TAKEN),
		[SRP_ROLE_EV_RX_PREPARE]   = GO(PREPARED, SEND_READY),
		[SRP_ROLE_EV_RX_ABORT]     = GO(STANDBY, CANCEL),
		[SRP_ROLE_EV_TIMEOUT]      = GO(STANDBY, CANCEL_TELL),
		[SRP_ROLE_EV_PEER_ACTIVE]  = GO(STANDBY, CANCEL),
		[SRP_ROLE_EV_PEER_LEAVING] = GO(PREPARED, NONE),
		[SRP_ROLE_EV_PEER_HANDED]  = GO(PREPARED, NONE),
		[SRP_ROLE_EV_PEER_STANDBY] = GOR(TAKEOVER, TAKE, PEER_GAVE_UP),
		[SRP_ROLE_EV_PEER_INIT]    = GOR(TAKEOVER, TAKE, PEER_RESTARTED),
		[SRP_ROLE_EV_ELECTED]      = GOR(TAKEOVER, TAKE, DUAL_STANDBY),
		[SRP_ROLE_EV_YIELD]        = GO(STANDBY, CANCEL),
		[SRP_ROLE_EV_LINK_DOWN]    = GO(PREPARED, NONE),
		[SRP_ROLE_EV_GIVE_UP]      = GO(STANDBY, CANCEL_TELL),
		[SRP_ROLE_EV_STALE]        = GO(STANDBY, CANCEL_TELL),
	},
	[SRP_PHASE_ACTIVE] = {
		CAN_LOSE_ITS_RIGHT,
		[SRP_ROLE_EV_SWITCH]       = GO(ASKED, PREPARE),
		[SRP_ROLE_EV_DUAL_WIN]     = GO(ACTIVE, RAISE_TERM),
		[SRP_ROLE_EV_TERM_BEHIND]  = GO(ACTIVE, RAISE_TERM),
		[SRP_ROLE_EV_PEER_HANDED]  = GO(ACTIVE, SEND_TAKEN),
		[SRP_ROLE_EV_RX_HANDOVER]  = GO(ACTIVE, SEND_TAKEN),
		[SRP_ROLE_EV_PEER_TAKING]  = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_PEER_STANDBY] = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_PEER_INIT]    = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_PEER_DEAD]    = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_PEER_GONE]    = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_PEER_BYE]     = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_LINK_DOWN]    = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_RX_READY]     = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_RX_REFUSED]   = GO(ACTIVE, NONE),
		[SRP_ROLE_EV_RX_ABORT]     = GO(ACTIVE, NONE),
	},
	[SRP_PHASE_ASKED] = {
		SWITCH_NEEDS_A_PEER,
		CAN_LOSE_ITS_RIGHT,
		[SRP_ROLE_EV_RX_READY]     = GO(FLUSHING, FLUSH),
		[SRP_ROLE_EV_RX_REFUSED]   = GO(ACTIVE, THAW),
		[SRP_ROLE_EV_PEER_HANDED]  = GO(ASKED, SEND_TAKEN),
		[SRP_ROLE_EV_PEER_TAKING]  = GO(ASKED, NONE),
		[SRP_ROLE_EV_PEER_STANDBY] = GO(ASKED, NONE),
	},
	[SRP_PHASE_FLUSHING] = {
		SWITCH_NEEDS_IT_PREPARED,
		SWITCH_NEEDS_A_PEER,
		CAN_LOSE_ITS_RIGHT,
		[SRP_ROLE_EV_LEVEL]        = GO(FROZEN, FREEZE),
		[SRP_ROLE_EV_PEER_TAKING]  = GO(FLUSHING, NONE),
	},
	[SRP_PHASE_FROZEN] = {
		SWITCH_NEEDS_IT_PREPARED,
		SWITCH_NEEDS_A_PEER,
		CAN_LOSE_ITS_RIGHT,
		[SRP_ROLE_EV_FLUSHED]      = GO(HANDED, HAND_OVER),
		[SRP_ROLE_EV_PEER_TAKING]  = GO(FROZEN, NONE),
	},
	/* From here there is no way back but that of the unplanned rules. */
	[SRP_PHASE_HANDED] = {
		TAKES_FROM_A_DEAD_PEER,
		[SRP_ROLE_EV_STOP]         = GOA(DOWN, LEAVE),
		[SRP_ROLE_EV_RX_TAKEN]     = GOA(STANDBY, RELAY),
		[SRP_ROLE_EV_PEER_ACTIVE]  = GOA(STANDBY, RELAY),
		[SRP_ROLE_EV_PEER_TAKING]  = GO(HANDED, RESEND),
		[SRP_ROLE_EV_PEER_LEAVING] = GOA(STANDBY, RELAY),
		[SRP_ROLE_EV_PEER_STANDBY] = GOR(TAKEOVER, TAKE, UNANSWERED),
		[SRP_ROLE_EV_PEER_INIT]    = GOR(TAKEOVER, TAKE, PEER_RESTARTED),
		[SRP_ROLE_EV_RX_ABORT]     = GOR(TAKEOVER, TAKE, PEER_GAVE_UP),
		[SRP_ROLE_EV_ELECTED]      = GOR(TAKEOVER, TAKE, DUAL_STANDBY),
		[SRP_ROLE_EV_YIELD]        = GOA(STANDBY, FOLLOW),
		[SRP_ROLE_EV_TIMEOUT]      = GOR(TAKEOVER, TAKE, UNANSWERED),
		[SRP_ROLE_EV_LINK_DOWN]    = GO(HANDED, NONE),
		[SRP_ROLE_EV_GIVE_UP]      = GO(HANDED, NONE),
		[SRP_ROLE_EV_STALE]        = GOR(STANDBY, FOLLOW, STALE),
	},
};

/* Where the successor of a dead process goes on. */
static const struct {
	uint8_t phase, act;
} resume[SRP_PHASE__N] = {
#define RESUME(was, ph, action) [SRP_PHASE_##was] = {SRP_PHASE_##ph, SRP_ROLE_ACT_##action}
	RESUME(DOWN, DOWN, NONE),
	RESUME(LISTEN, LISTEN, LISTEN),
	RESUME(PROBE, LISTEN, LISTEN),
	RESUME(STANDBY, STANDBY, REARM),
	RESUME(TAKEOVER, TAKEOVER, TAKE),
	RESUME(PREPARED, STANDBY, CANCEL),
	RESUME(ACTIVE, ACTIVE, ACTIVATE),
	RESUME(ASKED, ACTIVE, THAW),
	RESUME(FLUSHING, ACTIVE, THAW),
	RESUME(FROZEN, ACTIVE, THAW),
	RESUME(HANDED, HANDED, NONE),
#undef RESUME
};

static const struct {
	uint8_t role, timer;
	uint16_t ms;
	const char *name;
} phases[SRP_PHASE__N] = {
#define X(sym, role, timer, ms, text) \
	[SRP_PHASE_##sym] = {SRP_ROLE_##role, SRP_TIMER_##timer, ms, text},
	SRP_PHASES(X)
#undef X
};

static void count(struct srp_role_machine *m, enum srp_role_event ev, const struct srp_role_step *s)
{
	struct srp_counters *c = m->ctr;

	c->role_transitions += s->from != s->to;
	c->dual_active += ev == SRP_ROLE_EV_DUAL_WIN || ev == SRP_ROLE_EV_DUAL_LOSE;
	c->dual_standby += s->from == SRP_PHASE_STANDBY &&
	                   (ev == SRP_ROLE_EV_ELECTED || ev == SRP_ROLE_EV_YIELD);
	c->stale += ev == SRP_ROLE_EV_STALE;
	switch (s->act) {
	case SRP_ROLE_ACT_PREPARE:
		c->switch_attempts++;
		break;
	case SRP_ROLE_ACT_ABORT:
	case SRP_ROLE_ACT_THAW:
	case SRP_ROLE_ACT_CANCEL:
	case SRP_ROLE_ACT_CANCEL_TELL:
		c->switch_aborted++;
		break;
	case SRP_ROLE_ACT_RELAY:
	case SRP_ROLE_ACT_ASSUME_TAKEN:
		c->switch_planned++;
		break;
	case SRP_ROLE_ACT_ACTIVATE:
		c->switch_unplanned += m->asked != SRP_SWITCH_START;
		break;
	case SRP_ROLE_ACT_STEP_DOWN:
		c->stepped_down++;
		break;
	default:
		break;
	}
}

int srp_role_step(struct srp_role_machine *m, enum srp_role_event ev, enum srp_switch_reason reason,
                  struct srp_role_step *out)
{
	const struct edge *e;

	if ((unsigned)ev >= SRP_ROLE_EV__N || !edges[m->phase][ev].valid) {
		m->ctr->role_refused++;
		return SRP_ESTATE;
	}
	e = &edges[m->phase][ev];
	if (ev == SRP_ROLE_EV_SWITCH || ev == SRP_ROLE_EV_RX_PREPARE ||
	    (ev == SRP_ROLE_EV_GIVE_UP && e->why == REASON_ASKED))
		m->asked = reason;
	else if (e->why >= 0)
		m->asked = (enum srp_switch_reason)e->why;
	*out = (struct srp_role_step){
		.from = m->phase, .to = (enum srp_phase)e->next,
		.act = (enum srp_role_action)e->act,
		.reason = e->why == REASON_NONE ? SRP_SWITCH_NOT_DEFINED : m->asked,
		.switched = e->why != REASON_NONE};
	m->phase = out->to;
	m->attempt += ev == SRP_ROLE_EV_SWITCH;
	count(m, ev, out);
	return SRP_OK;
}

int srp_role_rx(struct srp_role_machine *m, enum srp_role_event ev, uint32_t id,
                enum srp_switch_reason reason, struct srp_role_step *out)
{
	int rc;

	if ((ev == SRP_ROLE_EV_RX_READY || ev == SRP_ROLE_EV_RX_REFUSED) && id != m->attempt) {
		m->ctr->rx_stale++;
		return SRP_ESTALE;
	}
	rc = srp_role_step(m, ev, reason, out);
	if (rc == 0 && ev == SRP_ROLE_EV_RX_PREPARE)
		m->attempt = id;
	return rc;
}

bool srp_role_permits(enum srp_phase ph, enum srp_role_event ev, enum srp_phase *next)
{
	const struct edge *e = &edges[ph][ev];

	if (e->valid && next)
		*next = (enum srp_phase)e->next;
	return e->valid;
}

enum srp_role_action srp_role_resume(struct srp_role_machine *m, enum srp_phase was)
{
	if ((unsigned)was >= SRP_PHASE__N)
		was = SRP_PHASE_LISTEN; /* a slab that cannot be believed: begin again */
	m->phase = (enum srp_phase)resume[was].phase;
	return (enum srp_role_action)resume[was].act;
}

enum srp_role srp_phase_role(enum srp_phase ph) { return (enum srp_role)phases[ph].role; }

enum srp_role_timer srp_phase_timer(enum srp_phase ph, uint32_t *ms)
{
	if (ms)
		*ms = phases[ph].ms;
	return (enum srp_role_timer)phases[ph].timer;
}

const char *srp_phase_name(enum srp_phase ph)
{
	return (unsigned)ph < SRP_PHASE__N ? phases[ph].name : "unknown";
}

const char *srp_role_event_name(enum srp_role_event ev)
{
#define X(sym, text) [SRP_ROLE_EV_##sym] = #sym,
	static const char *const name[SRP_ROLE_EV__N] = {SRP_ROLE_EVENTS(X)};
#undef X

	return (unsigned)ev < SRP_ROLE_EV__N ? name[ev] : "unknown";
}

const char *srp_role_action_name(enum srp_role_action act)
{
#define X(sym, text) [SRP_ROLE_ACT_##sym] = #sym,
	static const char *const name[SRP_ROLE_ACT__N] = {SRP_ROLE_ACTIONS(X)};
#undef X

	return (unsigned)act < SRP_ROLE_ACT__N ? name[act] : "unknown";
}

const char *srp_switch_reason_name(unsigned reason)
{
#define X(num, sym, text) [num] = text,
	static const char *const name[SRP_SWITCH__N] = {SRP_SWITCH_REASONS(X)};
#undef X

	return reason < SRP_SWITCH__N && name[reason] ? name[reason] : "unknown";
}

/* role_machine: the role of a chassis by event, as one table. Sans I/O: an event goes in, an
 * action comes out, and the caller does it. Guards are finer events: what a hello means is worked
 * out by srp_role_hello_event() from the two candidates. Source: DESIGN section 5; PROTOCOL.md
 * draws it. */
#ifndef SRP_ROLE_MACHINE_H
#define SRP_ROLE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "srp/counters.h"
#include "srp/election.h"
#include "srp/role.h"
#include "srp/time.h"

/** Phases: X(symbol, role that it shows, timer armed on entry, default ms of that timer or 0,
 *  name). A timer of 0 ms has a configured length, see enum srp_role_timer. */
#define SRP_PHASES(X)                                                                      \
	X(DOWN,      INIT,            NONE,     0,    "down: not started, or stopped")     \
	X(LISTEN,    INIT,            START,    0,    "listens for the peer")              \
	X(PROBE,     INIT,            PROBE,    5000, "asks whether anybody has the service addresses") \
	X(STANDBY,   STANDBY,         DEAD,     0,    "follows the active")                \
	X(TAKEOVER,  PENDING_ACTIVE,  TAKE,     1000, "applies what was delivered, then becomes active") \
	X(PREPARED,  PENDING_ACTIVE,  PREPARED, 0,    "awaits the handover of a planned switchover") \
	X(ACTIVE,    ACTIVE,          DEAD,     0,    "forwards")                          \
	X(ASKED,     PENDING_STANDBY, ASKED,    5000, "has asked the peer to prepare")     \
	X(FLUSHING,  PENDING_STANDBY, FLUSH,    0,    "forwards and sends all that is left") \
	X(FROZEN,    PENDING_STANDBY, FROZEN,   1000, "stands still until the peer has all") \
	X(HANDED,    PENDING_STANDBY, HANDED,   0,    "has handed over, awaits that it is taken")
#define X(sym, role, timer, ms, text) SRP_PHASE_##sym,
enum srp_phase { SRP_PHASES(X) SRP_PHASE__N };
#undef X

/** What the timer of a phase is. One runs at a time; DEAD runs beside, in every phase from STANDBY
 *  on (srp_role_silent tells when it has expired), and becomes PEER_DEAD, the others TIMEOUT. */
enum srp_role_timer {
	SRP_TIMER_NONE,
	SRP_TIMER_START,    /**< delay-interval + dead-interval; becomes ALONE, not TIMEOUT */
	SRP_TIMER_PROBE,
	SRP_TIMER_DEAD,     /**< dead-interval */
	SRP_TIMER_TAKE,
	SRP_TIMER_PREPARED, /**< the timeout that SWITCH_PREPARE named, plus a dead-interval */
	SRP_TIMER_ASKED,
	SRP_TIMER_FLUSH,    /**< the operator's `timeout` */
	SRP_TIMER_FROZEN,
	SRP_TIMER_HANDED,   /**< dead-interval */
	SRP_TIMER__N
};

/** Events: X(symbol, meaning). PEER_*, DUAL_*, ELECTED, YIELD and TERM_BEHIND come from a hello
 *  (never from a beat: datagrams overtake), by srp_role_hello_event(). RX_* are messages on the
 *  control link. */
#define SRP_ROLE_EVENTS(X)                                                              \
	X(START,          "configured, begins to listen")                               \
	X(STOP,           "orderly shutdown")                                           \
	X(ALONE,          "no peer heard for delay-interval and dead-interval")         \
	X(PROBE_FREE,     "nobody answers for the service addresses")                   \
	X(PROBE_TAKEN,    "somebody answers for the service addresses")                 \
	X(PEER_ACTIVE,    "the peer is active and we are not")                          \
	X(PEER_LEAVING,   "the peer is PendingStandby and still forwards, and we do not") \
	X(PEER_HANDED,    "the peer has handed over")                                   \
	X(PEER_TAKING,    "the peer is PendingActive")                                  \
	X(PEER_STANDBY,   "the peer is Standby, and we are not")                        \
	X(PEER_INIT,      "the peer is Init: it has started, and we are not idle")      \
	X(ELECTED,        "no side is active: we should be")                            \
	X(YIELD,          "no side is active: the peer should be")                      \
	X(PEER_EMPTY,     "Standby, and the peer has restarted: we should be active")   \
	X(PEER_GAVE_UP,   "Standby, and so is the peer, unfit: we should be active")    \
	X(DUAL_WIN,       "both sides are active: we stay")                             \
	X(DUAL_LOSE,      "both sides are active: the peer stays")                      \
	X(TERM_BEHIND,    "we are active, the peer is not, and it has seen a higher term") \
	X(PEER_DEAD,      "dead-interval without any sign of life")                     \
	X(PEER_GONE,      "end of file: the whole peer chassis is gone")                \
	X(PEER_BYE,       "the peer said BYE")                                          \
	X(LINK_DOWN,      "the control link broke; the peer may live")                  \
	X(SWITCH,         "planned switchover asked for here, checks passed")           \
	X(RX_PREPARE,     "SWITCH_PREPARE, checks passed")                              \
	X(RX_READY,       "SWITCH_READY, status 0")                                     \
	X(RX_REFUSED,     "SWITCH_READY with another status")                           \
	X(LEVEL,          "what is left fits in a millisecond")                         \
	X(FLUSHED,        "every instance's end mark was compared equal and acknowledged") \
	X(FLUSH_FAILED,   "an end mark was compared unequal, or an instance is lost")   \
	X(RX_HANDOVER,    "HANDOVER")                                                   \
	X(RX_TAKEN,       "TAKEN")                                                      \
	X(RX_ABORT,       "SWITCH_ABORT")                                               \
	X(TAKEN_OVER,     "every instance has applied what was delivered")              \
	X(TIMEOUT,        "the timer of the phase")                                     \
	X(GIVE_UP,        "the role must go: a sessmgr is lost, an operator forces it") \
	X(STALE,          "the own loop stood still for a dead-interval")
#define X(sym, text) SRP_ROLE_EV_##sym,
enum srp_role_event { SRP_ROLE_EVENTS(X) SRP_ROLE_EV__N };
#undef X

/** What the caller has to do on an edge: X(symbol, what). Beside it, on every change of phase:
 *  tell the sessmgrs the role (srp_role_permit is what it may do), arm the phase's timer, send a
 *  hello at once. */
#define SRP_ROLE_ACTIONS(X)                                                              \
	X(NONE,        "nothing")                                                        \
	X(LISTEN,      "hold nothing, announce nothing; arm the start timer")            \
	X(PROBE,       "probe the service addresses")                                    \
	X(FOLLOW,      "be an ordinary standby; restart the dead timer")                 \
	X(REARM,       "restart the dead timer: own silence proves nothing of the peer") \
	X(TAKE,        "take the next term; have delivered records applied; then TAKEN_OVER") \
	X(ACTIVATE,    "the taken term in force: announce, forward, run timers")         \
	X(ASSUME,      "take the next term, announce, forward at once: nothing to apply") \
	X(ASSUME_TAKEN,"as ASSUME, and send TAKEN")                                      \
	X(SEND_TAKEN,  "send TAKEN again: the first was lost")                           \
	X(RAISE_TERM,  "take the next term, announce again")                             \
	X(PREPARE,     "send SWITCH_PREPARE; no new sessions")                           \
	X(SEND_READY,  "accept the final flush; arm the timer (also again); send SWITCH_READY 0") \
	X(FLUSH,       "all replicas flush without limiter or delay; report LEVEL")      \
	X(FREEZE,      "sessmgrs stop reading, send the rest and the end mark; report FLUSHED") \
	X(HAND_OVER,   "withdraw addresses, send HANDOVER: no way back")                 \
	X(RESEND,      "send HANDOVER again: the link broke")                            \
	X(RELAY,       "standby; point routes at the peer, re-inject queues for relay-time") \
	X(ABORT,       "send SWITCH_ABORT, thaw, stay active")                           \
	X(THAW,        "thaw, stay active; there is nobody to tell")                     \
	X(CANCEL,      "the switchover is off: an ordinary standby again")               \
	X(CANCEL_TELL, "as CANCEL, and send SWITCH_ABORT")                               \
	X(STEP_DOWN,   "stop forwarding first, withdraw; keep what was not acknowledged as divergent") \
	X(LEAVE,       "stop forwarding, withdraw, send BYE")
#define X(sym, text) SRP_ROLE_ACT_##sym,
enum srp_role_action { SRP_ROLE_ACTIONS(X) SRP_ROLE_ACT__N };
#undef X

/** Reasons of a switch: X(number, symbol, name). 0 to 12 are the published codes of the switch
 *  reason object of the MIB; above 12 are ours. The numbers travel and are shown: append only. */
#define SRP_SWITCH_REASONS(X)                            \
	X(0,  NOT_DEFINED,    "notDefined")              \
	X(1,  AAA,            "aaaFailure")              \
	X(2,  BGP,            "bgpFailure")              \
	X(3,  BFD,            "bfdFailure")              \
	X(4,  DIAMETER,       "diameterFailure")         \
	X(5,  HSRP,           "hsrpSwitchover")          \
	X(6,  CHASSIS_BFD,    "chassisChassisBfdFailure")\
	X(7,  DUAL_ACTIVE,    "dualActive")              \
	X(8,  DUAL_STANDBY,   "dualStandby")             \
	X(9,  DEAD_TIMER,     "deadTimerExpiry")         \
	X(10, FORCED,         "forceStateChange")        \
	X(11, MANUAL,         "manualSwitchOver")        \
	X(12, EGQC,           "egqcFailure")             \
	X(13, START,          "startUp")                 \
	X(14, SESSMGR,        "sessmgrFailure")          \
	X(15, SHUTDOWN,       "shutdown")                \
	X(16, STALE,          "ownLoopStoodStill")       \
	X(17, PEER_GONE,      "peerChassisGone")         \
	X(18, PEER_RESTARTED, "peerRestarted")           \
	X(19, PEER_SHUTDOWN,  "peerShutdown")            \
	X(20, PEER_GAVE_UP,   "peerGaveUp")              \
	X(21, UNANSWERED,     "handoverUnanswered")
#define X(num, sym, text) SRP_SWITCH_##sym = num,
enum srp_switch_reason { SRP_SWITCH_REASONS(X) SRP_SWITCH__N };
#undef X

/** One chassis' machine. All zero but ctr is DOWN. */
struct srp_role_machine {
	enum srp_phase phase;
	enum srp_switch_reason asked; /**< of the switchover under way, or of the last */
	uint32_t attempt;             /**< id of the planned switchover under way, or of the last */
	struct srp_counters *ctr;     /**< borrowed; never NULL */
};

/** What one event led to. */
struct srp_role_step {
	enum srp_phase from, to;
	enum srp_role_action act;
	enum srp_switch_reason reason; /**< NOT_DEFINED unless @c switched */
	bool switched;                 /**< the edge has a reason: worth a trap and a line of history */
};

/**
 * Feeds one event.
 *
 * @param reason  why, for SWITCH, RX_PREPARE and GIVE_UP; other events bring their own and ignore it
 * @param out     written on success only
 * @return 0, or SRP_ESTATE (counted) when the table has no edge for it: nothing has changed
 */
int srp_role_step(struct srp_role_machine *m, enum srp_role_event ev, enum srp_switch_reason reason,
                  struct srp_role_step *out);
/**
 * Feeds RX_PREPARE, RX_READY or RX_REFUSED, whose messages carry the id of their attempt: as
 * srp_role_step, but an answer to another attempt than the one under way is refused (SRP_ESTALE,
 * counted in rx_stale): it would let us flush to a peer that is not ready any more. RX_PREPARE
 * keeps its id for the answer; on the active SWITCH draws the next. The other messages need none,
 * for they are in the order of the connection.
 *
 * @param reason  of RX_PREPARE, else ignored
 */
int srp_role_rx(struct srp_role_machine *m, enum srp_role_event ev, uint32_t id,
                enum srp_switch_reason reason, struct srp_role_step *out);
/** True when the table has an edge; @p next (may be NULL) is then where it leads. */
bool srp_role_permits(enum srp_phase ph, enum srp_role_event ev, enum srp_phase *next);
/**
 * Goes on from the phase of a process that died (its slab keeps it). A half-done switchover is
 * given up where that is possible.
 * @return what to do, as after a step
 */
enum srp_role_action srp_role_resume(struct srp_role_machine *m, enum srp_phase was);

/**
 * What a hello from the peer means.
 *
 * @param ph        our phase; not DOWN
 * @param me        ourselves, as told in our last hello
 * @param peer      from its hello
 * @param its_seen  highest term number that the peer has seen
 */
enum srp_role_event srp_role_hello_event(enum srp_phase ph, const struct srp_candidate *me,
                                         const struct srp_candidate *peer, uint32_t its_seen);

/** Signs of life of the peer. */
struct srp_silence {
	struct srp_time armed;     /**< when the dead timer was (re)started */
	struct srp_time heard;     /**< last hello, message or beat of any task of the peer */
	struct srp_time delivered; /**< last bytes on any instance connection */
	uint64_t dead_us;          /**< dead-interval */
};
/** When the dead-interval will have passed since the last sign of life, as known now. */
struct srp_time srp_role_dead_at(const struct srp_silence *s);
/** True when it has: PEER_DEAD. A standby does not take over while instances still deliver. */
bool srp_role_silent(const struct srp_silence *s, struct srp_time now);

enum srp_role srp_phase_role(enum srp_phase ph);
/** Timer of a phase; @p ms (may be NULL) receives its length, 0 where that is configured. */
enum srp_role_timer srp_phase_timer(enum srp_phase ph, uint32_t *ms);
/* Names; never NULL, valid for the life of the process. */
const char *srp_phase_name(enum srp_phase ph);
const char *srp_role_event_name(enum srp_role_event ev);
const char *srp_role_action_name(enum srp_role_action act);
/** The published name ("manualSwitchOver") of any number; "unknown" for those not known here. */
const char *srp_switch_reason_name(unsigned reason);

#endif

/* link_machine: the control connection, by event, as one table. Sans I/O: actions are enum values
 * that the caller carries out. An instance connection has its own states in recovery/. */
#ifndef SRP_LINK_MACHINE_H
#define SRP_LINK_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "srp/counters.h"
#include "srp/frame.h"

/** States: X(symbol, timer on entry, name as shown). */
#define SRP_CONN_STATES(X)                                        \
	X(DOWN,    NONE,  "None")       /* not wanted */          \
	X(CONNECT, RETRY, "Connecting") /* no connection yet */   \
	X(HELLO,   HELLO, "Hello")      /* the peer's hello awaited */ \
	X(SYNC,    NONE,  "Connected")  /* hello agreed; instances not all level */ \
	X(READY,   NONE,  "Ready")      /* every instance is level */
#define X(sym, timer, text) SRP_CONN_##sym,
enum srp_conn_state { SRP_CONN_STATES(X) SRP_CONN__N };
#undef X

enum srp_conn_timer {
	SRP_CONN_TIMER_NONE,
	SRP_CONN_TIMER_RETRY, /**< 1 s with a jitter of the owner; the connecting side opens again */
	SRP_CONN_TIMER_HELLO  /**< 10 s from connected to the peer's hello */
};
#define SRP_CONN_RETRY_MS 1000u
#define SRP_CONN_HELLO_MS 10000u

/** Events: X(symbol, meaning). */
#define SRP_CONN_EVENTS(X)                                                       \
	X(START,      "a peer is configured")                                    \
	X(STOP,       "shutdown, or the peer is configured no more")             \
	X(CONNECTED,  "a connection of either direction is up: TLS done, name checked") \
	X(CLOSED,     "the connection is gone, or opening it failed")            \
	X(TIMEOUT,    "the timer of the state")                                  \
	X(SILENT,     "dead-interval without any sign of life")                  \
	X(RX_HELLO,   "a hello that can be lived with")                          \
	X(HELLO_BAD,  "a hello that cannot: version, sessmgrs, chassis bit")     \
	X(LEVEL,      "every instance link is ready")                            \
	X(BEHIND,     "an instance link is not ready any more")                  \
	X(RX_MESSAGE, "a message about switchover or configuration")             \
	X(RX_BYE,     "the peer leaves")                                         \
	X(RX_ERROR,   "the peer has refused something")                          \
	X(PROTOCOL,   "a frame or body was refused here")
#define X(sym, text) SRP_CONN_EV_##sym,
enum srp_conn_event { SRP_CONN_EVENTS(X) SRP_CONN_EV__N };
#undef X

/** Actions: X(symbol, what the caller does). */
#define SRP_CONN_ACTIONS(X)                                                      \
	X(NONE,      "nothing")                                                  \
	X(OPEN,      "connect, on the side that connects; else wait")            \
	X(CLOSE,     "close the connection")                                     \
	X(HELLO,     "send our hello")                                           \
	X(REPLACE,   "stop reading the older connection, close it, send hello on the new one; " \
	             "the role machine hears LINK_DOWN")                         \
	X(UP,        "the peer is known: begin instance connections, process its hello; feed " \
	             "LEVEL if they are all ready already")                      \
	X(PROCESS,   "process the hello")                                        \
	X(DELIVER,   "process the message")                                      \
	X(LEAVING,   "feed PEER_BYE to the role machine, close")                 \
	X(REFUSE,    "send ERROR, close; the role machine hears LINK_DOWN")      \
	X(LOST,      "close; the role machine hears LINK_DOWN, or PEER_GONE or PEER_DEAD") \
	X(NOTE,      "note and show what the peer refused, close")               \
	X(ALL_READY, "every instance is level: a planned switchover is possible") \
	X(NOT_READY, "not any more")
#define X(sym, text) SRP_CONN_ACT_##sym,
enum srp_conn_action { SRP_CONN_ACTIONS(X) SRP_CONN_ACT__N };
#undef X

/** All zero but ctr is DOWN. */
struct srp_conn_machine {
	enum srp_conn_state state;
	struct srp_counters *ctr; /**< borrowed; never NULL */
};

/**
 * Feeds one event.
 * @param act  written on success only
 * @return 0 or SRP_ESTATE (counted): no edge, nothing has changed
 */
int srp_conn_step(struct srp_conn_machine *m, enum srp_conn_event ev, enum srp_conn_action *act);
/** True when the table has an edge; @p next (may be NULL) is then where it leads. */
bool srp_conn_permits(enum srp_conn_state st, enum srp_conn_event ev, enum srp_conn_state *next);
enum srp_conn_timer srp_conn_state_timer(enum srp_conn_state st);
/* Names; never NULL. */
const char *srp_conn_state_name(enum srp_conn_state st);
const char *srp_conn_event_name(enum srp_conn_event ev);
const char *srp_conn_action_name(enum srp_conn_action act);

/** Types of frame on the control connection: rows of srp/control.def. */
#define SRP_CONTROL(sym, id, min, max, states, event, help) SRP_CONTROL_##sym = id,
enum srp_control {
#include "srp/control.def"
};
#undef SRP_CONTROL

#define SRP_CONTROL_MAGIC   0x5352u /**< "SR" */
#define SRP_CONTROL_VERSION 1u

/** For srp_frame_peek; the state is an enum srp_conn_state, the event an enum srp_conn_event. */
extern const struct srp_frame_table srp_control_frames;

#endif

/* switch: the steps of a switchover as vpnmgr tells them to the sessmgrs (frames SWITCH, SWITCHED). */
#ifndef CHASSIS_TASK_SWITCH_H
#define CHASSIS_TASK_SWITCH_H

#define CHASSIS_STEPS(X)                                                                        \
	X(FLUSH, "flush")   /* send all, without limiter, age or delay; answered when nearly empty */ \
	X(FREEZE, "freeze") /* stop reading packets, send the rest and the end mark; answered when equal */ \
	X(THAW, "thaw")     /* abort: go on as before; not answered */                          \
	X(AUDIT, "audit")   /* before it: compare anew with the peer; not answered, the slab tells */
#define X(sym, text) CHASSIS_STEP_##sym,
enum chassis_step { CHASSIS_STEPS(X) CHASSIS_STEP__N };
#undef X

/** What an instance holds (chassis_slab.complete). */
enum chassis_complete {
	CHASSIS_FILLING,      /**< empty or being filled: no source, no new sessions */
	CHASSIS_COMPLETE,
	CHASSIS_STARTED_EMPTY /**< serves with what it has; no source until the peer was asked for more */
};

/** Objects that may be left when a flush counts as done: what fits in a millisecond. */
#define CHASSIS_FLUSH_LEFT 500u

#endif

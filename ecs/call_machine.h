/* call_machine: the machine of one call: a table of states by events, and a trace of what last
 * happened. It decides nothing but what may follow what; the things themselves are done where its
 * events are raised (session.c and the checkpoint kinds). Table: call_machine.def. */
#ifndef ECS_CALL_MACHINE_H
#define ECS_CALL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_STATE(sym, name) ECS_CALL_##sym,
enum ecs_call_state {
#include "ecs/call_machine.def"
	ECS_CALL__N
};
#define CALL_EVENT(sym, name, help) ECS_CALL_EV_##sym,
enum ecs_call_event {
#include "ecs/call_machine.def"
	ECS_CALL_EV__N
};

#define ECS_CALL_TRACE_MAX 16u /**< pairs kept of each call */

/** A step: the state that an event was met in. */
struct ecs_call_step {
	uint8_t state; /**< enum ecs_call_state */
	uint8_t event; /**< enum ecs_call_event */
};

/** The machine of a call. Zeroed: OPEN, nothing has happened. */
struct ecs_call_machine {
	uint8_t state;   /**< enum ecs_call_state */
	uint8_t next;    /**< of the ring: where the next step goes */
	uint8_t n;       /**< steps in the ring */
	uint8_t refused; /**< events without a cell; stays at its maximum */
	struct ecs_call_step step[ECS_CALL_TRACE_MAX];
};

/** Begins the machine of a call that was rebuilt from checkpoints: its line is connected already,
 *  on the chassis or in the process that had it. */
void ecs_call_recreated(struct ecs_call_machine *m);
/**
 * An event. With a cell: noted in the trace, and the state follows. Without: refused and counted,
 * nothing else changes.
 *
 * @return true when there is a cell
 */
bool ecs_call_event(struct ecs_call_machine *m, enum ecs_call_event ev);
/** The trace in order of time, oldest first; returns how many were written, at most @p cap. */
size_t ecs_call_trace(const struct ecs_call_machine *m, struct ecs_call_step *out, size_t cap);
/** `SMGR_STATE_...` and `SMGR_EVT_...`; "?" beyond the last. */
const char *ecs_call_state_name(unsigned state);
const char *ecs_call_event_name(unsigned event);
/** What an event means, for the manual; "" beyond the last. */
const char *ecs_call_event_help(unsigned event);

#endif

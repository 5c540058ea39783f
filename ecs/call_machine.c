#include "config.h"
#include "ecs/call_machine.h"

/* One more than the next state; 0: no cell. */
static const uint8_t cells[ECS_CALL__N][ECS_CALL_EV__N] = {
#define CALL_CELL(state, event, next) [ECS_CALL_##state][ECS_CALL_EV_##event] = ECS_CALL_##next + 1,
#include "ecs/call_machine.def"
};

static const char *const state_names[] = {
#define CALL_STATE(sym, name) name,
#include "ecs/call_machine.def"
};

static const struct {
	const char *name, *help;
} events[] = {
#define CALL_EVENT(sym, name, help) {name, help},
#include "ecs/call_machine.def"
};

_Static_assert(sizeof(struct ecs_call_machine) <= 40, "a trace is kept of every call");

void ecs_call_recreated(struct ecs_call_machine *m)
{
	*m = (struct ecs_call_machine){.state = ECS_CALL_LINE_CONNECTED};
}

bool ecs_call_event(struct ecs_call_machine *m, enum ecs_call_event ev)
{
	uint8_t to = (unsigned)ev < ECS_CALL_EV__N ? cells[m->state][ev] : 0;

	if (!to) {
		if (m->refused < UINT8_MAX)
			m->refused++;
		return false;
	}
	m->step[m->next] = (struct ecs_call_step){m->state, (uint8_t)ev};
	m->next = (uint8_t)((m->next + 1u) % ECS_CALL_TRACE_MAX);
	if (m->n < ECS_CALL_TRACE_MAX)
		m->n++;
	m->state = (uint8_t)(to - 1u);
	return true;
}

size_t ecs_call_trace(const struct ecs_call_machine *m, struct ecs_call_step *out, size_t cap)
{
	size_t n = m->n < cap ? m->n : cap;

	/* of a trace that does not fit, the last steps */
	for (size_t i = 0; i < n; i++)
		out[i] = m->step[(m->next + ECS_CALL_TRACE_MAX - n + i) % ECS_CALL_TRACE_MAX];
	return n;
}

const char *ecs_call_state_name(unsigned state)
{
	return state < ECS_CALL__N ? state_names[state] : "?";
}

const char *ecs_call_event_name(unsigned event)
{
	return event < ECS_CALL_EV__N ? events[event].name : "?";
}

const char *ecs_call_event_help(unsigned event)
{
	return event < ECS_CALL_EV__N ? events[event].help : "";
}

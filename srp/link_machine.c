#include "config.h"
#include "srp/link_machine.h"

#include "srp/err.h"

struct edge {
	bool valid;
	uint8_t next; /* enum srp_conn_state */
	uint8_t act;  /* enum srp_conn_action */
};

#define GO(st, action) {true, SRP_CONN_##st, SRP_CONN_ACT_##action}

/* The whole machine. A pair that is not here is refused and counted. */
static const struct edge edges[SRP_CONN__N][SRP_CONN_EV__N] = {
	[SRP_CONN_DOWN] = {
		[SRP_CONN_EV_START]      = GO(CONNECT, OPEN),
	},
	[SRP_CONN_CONNECT] = {
		[SRP_CONN_EV_STOP]       = GO(DOWN,    CLOSE),
		[SRP_CONN_EV_CONNECTED]  = GO(HELLO,   HELLO),
		[SRP_CONN_EV_CLOSED]     = GO(CONNECT, NONE),
		[SRP_CONN_EV_TIMEOUT]    = GO(CONNECT, OPEN),
	},
	[SRP_CONN_HELLO] = {
		[SRP_CONN_EV_STOP]       = GO(DOWN,    CLOSE),
		[SRP_CONN_EV_CONNECTED]  = GO(HELLO,   REPLACE),
		[SRP_CONN_EV_CLOSED]     = GO(CONNECT, NONE),
		[SRP_CONN_EV_TIMEOUT]    = GO(CONNECT, CLOSE),
		[SRP_CONN_EV_RX_HELLO]   = GO(SYNC,    UP),
		[SRP_CONN_EV_HELLO_BAD]  = GO(CONNECT, REFUSE),
		[SRP_CONN_EV_RX_BYE]     = GO(CONNECT, LEAVING),
		[SRP_CONN_EV_RX_ERROR]   = GO(CONNECT, NOTE),
		[SRP_CONN_EV_PROTOCOL]   = GO(CONNECT, REFUSE),
	},
	[SRP_CONN_SYNC] = {
		[SRP_CONN_EV_STOP]       = GO(DOWN,    CLOSE),
		[SRP_CONN_EV_CONNECTED]  = GO(HELLO,   REPLACE),
		[SRP_CONN_EV_CLOSED]     = GO(CONNECT, LOST),
		[SRP_CONN_EV_SILENT]     = GO(CONNECT, LOST),
		[SRP_CONN_EV_RX_HELLO]   = GO(SYNC,    PROCESS),
		[SRP_CONN_EV_HELLO_BAD]  = GO(CONNECT, REFUSE),
		[SRP_CONN_EV_LEVEL]      = GO(READY,   ALL_READY),
		[SRP_CONN_EV_BEHIND]     = GO(SYNC,    NONE),
		[SRP_CONN_EV_RX_MESSAGE] = GO(SYNC,    DELIVER),
		[SRP_CONN_EV_RX_BYE]     = GO(CONNECT, LEAVING),
		[SRP_CONN_EV_RX_ERROR]   = GO(CONNECT, NOTE),
		[SRP_CONN_EV_PROTOCOL]   = GO(CONNECT, REFUSE),
	},
	[SRP_CONN_READY] = {
		[SRP_CONN_EV_STOP]       = GO(DOWN,    CLOSE),
		[SRP_CONN_EV_CONNECTED]  = GO(HELLO,   REPLACE),
		[SRP_CONN_EV_CLOSED]     = GO(CONNECT, LOST),
		[SRP_CONN_EV_SILENT]     = GO(CONNECT, LOST),
		[SRP_CONN_EV_RX_HELLO]   = GO(READY,   PROCESS),
		[SRP_CONN_EV_HELLO_BAD]  = GO(CONNECT, REFUSE),
		[SRP_CONN_EV_LEVEL]      = GO(READY,   NONE),
		[SRP_CONN_EV_BEHIND]     = GO(SYNC,    NOT_READY),
		[SRP_CONN_EV_RX_MESSAGE] = GO(READY,   DELIVER),
		[SRP_CONN_EV_RX_BYE]     = GO(CONNECT, LEAVING),
		[SRP_CONN_EV_RX_ERROR]   = GO(CONNECT, NOTE),
		[SRP_CONN_EV_PROTOCOL]   = GO(CONNECT, REFUSE),
	},
};

static const struct {
	uint8_t timer;
	const char *name;
} states[SRP_CONN__N] = {
#define X(sym, timer, text) [SRP_CONN_##sym] = {SRP_CONN_TIMER_##timer, text},
	SRP_CONN_STATES(X)
#undef X
};

#define AT(st) (1u << SRP_CONN_##st)
#define SRP_CONTROL(sym, id, min, max, states, event, help) \
	[id] = {#sym, min, max, states, SRP_CONN_EV_##event},
static const struct srp_frame_row rows[256] = {
#include "srp/control.def"
};
#undef SRP_CONTROL

#define SRP_CONTROL(sym, id, min, max, states, event, help) \
	_Static_assert((min) >= 1 && (min) <= (max) && (max) <= SRP_FRAME_BODY_MAX, #sym);
#include "srp/control.def"
#undef SRP_CONTROL
#undef AT

const struct srp_frame_table srp_control_frames = {
	.magic = SRP_CONTROL_MAGIC, .version = SRP_CONTROL_VERSION, .row = rows};

static bool known(enum srp_conn_state st) { return st == SRP_CONN_SYNC || st == SRP_CONN_READY; }

int srp_conn_step(struct srp_conn_machine *m, enum srp_conn_event ev, enum srp_conn_action *act)
{
	const struct edge *e;
	enum srp_conn_state next;

	if ((unsigned)ev >= SRP_CONN_EV__N || !edges[m->state][ev].valid) {
		m->ctr->conn_refused++;
		return SRP_ESTATE;
	}
	e = &edges[m->state][ev];
	next = (enum srp_conn_state)e->next;
	m->ctr->conn_transitions += m->state != next;
	m->ctr->conn_up += !known(m->state) && known(next);
	m->ctr->conn_down += known(m->state) && !known(next);
	m->state = next;
	*act = (enum srp_conn_action)e->act;
	return SRP_OK;
}

bool srp_conn_permits(enum srp_conn_state st, enum srp_conn_event ev, enum srp_conn_state *next)
{
	const struct edge *e = &edges[st][ev];

	if (e->valid && next)
		*next = (enum srp_conn_state)e->next;
	return e->valid;
}

enum srp_conn_timer srp_conn_state_timer(enum srp_conn_state st)
{
	return (enum srp_conn_timer)states[st].timer;
}

const char *srp_conn_state_name(enum srp_conn_state st)
{
	return (unsigned)st < SRP_CONN__N ? states[st].name : "unknown";
}

const char *srp_conn_event_name(enum srp_conn_event ev)
{
#define X(sym, text) [SRP_CONN_EV_##sym] = #sym,
	static const char *const name[SRP_CONN_EV__N] = {SRP_CONN_EVENTS(X)};
#undef X

	return (unsigned)ev < SRP_CONN_EV__N ? name[ev] : "unknown";
}

const char *srp_conn_action_name(enum srp_conn_action act)
{
#define X(sym, text) [SRP_CONN_ACT_##sym] = #sym,
	static const char *const name[SRP_CONN_ACT__N] = {SRP_CONN_ACTIONS(X)};
#undef X

	return (unsigned)act < SRP_CONN_ACT__N ? name[act] : "unknown";
}

#include "config.h"
#include "ecs/tcp.h"

/* What a packet means to the table. A FIN carries an ACK as a rule: it counts as a FIN. */
enum event { EV_SYN, EV_SYNACK, EV_ACK_UP, EV_ACK_DOWN, EV_FIN_UP, EV_FIN_DOWN, EV_RST, EV__N };

#define S(x) (ECS_TCP_ST_##x + 1) /* so that an absent cell, 0, leaves the state as it is */

static const uint8_t next_state[ECS_TCP_ST__N][EV__N] = {
	[ECS_TCP_ST_NONE] = {
		[EV_SYN] = S(SYN_SENT), [EV_SYNACK] = S(SYN_RECEIVED),
		[EV_ACK_UP] = S(ESTABLISHED), [EV_ACK_DOWN] = S(ESTABLISHED),
		[EV_FIN_UP] = S(FIN_WAIT1), [EV_FIN_DOWN] = S(CLOSE_WAIT), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_SYN_SENT] = {
		[EV_SYNACK] = S(SYN_RECEIVED),
		[EV_FIN_UP] = S(FIN_WAIT1), [EV_FIN_DOWN] = S(CLOSE_WAIT), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_SYN_RECEIVED] = {
		[EV_ACK_UP] = S(ESTABLISHED), [EV_ACK_DOWN] = S(ESTABLISHED),
		[EV_FIN_UP] = S(FIN_WAIT1), [EV_FIN_DOWN] = S(CLOSE_WAIT), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_ESTABLISHED] = {
		[EV_FIN_UP] = S(FIN_WAIT1), [EV_FIN_DOWN] = S(CLOSE_WAIT), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_FIN_WAIT1] = {
		[EV_ACK_DOWN] = S(FIN_WAIT2), [EV_FIN_DOWN] = S(CLOSING), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_FIN_WAIT2] = {
		[EV_FIN_DOWN] = S(TIME_WAIT), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_CLOSE_WAIT] = {
		[EV_FIN_UP] = S(LAST_ACK), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_CLOSING] = {
		[EV_ACK_UP] = S(TIME_WAIT), [EV_ACK_DOWN] = S(TIME_WAIT), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_LAST_ACK] = {
		[EV_ACK_DOWN] = S(CLOSE), [EV_RST] = S(CLOSE),
	},
	[ECS_TCP_ST_TIME_WAIT] = {
		[EV_RST] = S(CLOSE),
	},
};

static enum event event_of(enum ecs_dir dir, uint8_t flags)
{
	if (flags & ECS_TCP_RST)
		return EV_RST;
	if (flags & ECS_TCP_SYN)
		return flags & ECS_TCP_ACK ? EV_SYNACK : EV_SYN;
	if (flags & ECS_TCP_FIN)
		return dir == ECS_UPLINK ? EV_FIN_UP : EV_FIN_DOWN;
	return dir == ECS_UPLINK ? EV_ACK_UP : EV_ACK_DOWN;
}

enum ecs_tcp_state ecs_tcp_step(enum ecs_tcp_state st, enum ecs_dir dir, enum ecs_dir opener,
                                uint8_t flags)
{
	enum event ev = event_of(dir, flags);
	uint8_t next;

	if (st >= ECS_TCP_ST__N)
		return ECS_TCP_ST_NONE;
	/* the third packet of the handshake is the opener's: data of the other side is not it */
	if (st == ECS_TCP_ST_SYN_RECEIVED && dir != opener &&
	    (ev == EV_ACK_UP || ev == EV_ACK_DOWN))
		return st;
	/* and it tells that a SYN was answered, where the answer did not come this way */
	if (st == ECS_TCP_ST_SYN_SENT && dir == opener && (ev == EV_ACK_UP || ev == EV_ACK_DOWN))
		return ECS_TCP_ST_ESTABLISHED;
	next = next_state[st][ev];
	return next ? (enum ecs_tcp_state)(next - 1) : st;
}

bool ecs_tcp_half_open(enum ecs_tcp_state st)
{
	return st == ECS_TCP_ST_SYN_SENT || st == ECS_TCP_ST_SYN_RECEIVED;
}

bool ecs_tcp_closed(enum ecs_tcp_state st)
{
	return st == ECS_TCP_ST_CLOSING || st == ECS_TCP_ST_LAST_ACK || st == ECS_TCP_ST_TIME_WAIT ||
	       st == ECS_TCP_ST_CLOSE;
}

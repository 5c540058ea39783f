/* owed: octets that were charged and that the peer chassis has not acknowledged. What is owed is, over the
 * volumes of sessions, the own slot less what the peer has of it (ecs_session.peer_has), and what sessions
 * that ended owed, for a while: until the peer can have heard of their end. */
#include "config.h"

#include "ecs/engine_impl.h"

#define GONE_S 1u

static uint64_t octets(const struct ecs_volume *v)
{
	return v->bytes[ECS_UPLINK] + v->bytes[ECS_DOWNLINK];
}

static uint64_t own(const struct ecs_engine *e, const struct ecs_usage *u)
{
	return octets(&u->own[e->conf.chassis_bit & 1]);
}

void ecs_owed_begin(struct ecs_engine *e, struct ecs_owed *owed)
{
	e->conf.owed = owed ? owed : &e->own_owed;
	e->conf.owed->known = e->conf.owed->charged;
	e->gone[0] = e->gone[1] = 0;
}

void ecs_owed_found(struct ecs_engine *e, const struct ecs_usage *u)
{
	if (u->of == ECS_USAGE_SESSION)
		e->conf.owed->known -= own(e, u);
}

void ecs_owed_acked(struct ecs_engine *e, const struct ecs_usage *u)
{
	uint64_t has = octets(&u->told);

	if (u->of != ECS_USAGE_SESSION)
		return;
	e->conf.owed->known += has - u->session->peer_has;
	u->session->peer_has = has;
}

void ecs_owed_taken(struct ecs_engine *e, const struct ecs_usage *u, const struct ecs_volume *before)
{
	if (u->of == ECS_USAGE_SESSION)
		e->conf.owed->known -= own(e, u) - octets(before);
	ecs_owed_acked(e, u);
}

void ecs_owed_ends(struct ecs_engine *e, const struct ecs_usage *u)
{
	uint64_t left = u->of == ECS_USAGE_SESSION ? own(e, u) - u->session->peer_has : 0;

	if (e->active)
		e->gone[0] += left;
	else
		e->conf.owed->known += left;
}

void ecs_owed_turn(struct ecs_engine *e, struct srp_time now)
{
	if (!(e->gone[0] | e->gone[1]) || (e->next_gone.us && !srp_time_due(e->next_gone, now)))
		return;
	e->conf.owed->known += e->gone[1];
	e->gone[1] = e->gone[0];
	e->gone[0] = 0;
	e->next_gone = srp_time_add(now, SRP_SEC(GONE_S));
}

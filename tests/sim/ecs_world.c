#include "config.h"
#include "tests/sim/ecs_world.h"

#include <string.h>

uint64_t world_bytes(const struct ecs_usage *u)
{
	struct ecs_volume v = ecs_usage_sum(u);

	return v.bytes[0] + v.bytes[1];
}

uint64_t world_volume(const struct ecs_session *s)
{
	for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next) {
		const struct ecs_usage *u = (const struct ecs_usage *)(const void *)
		        ((const char *)l - offsetof(struct ecs_usage, in_session));

		if (u->of == ECS_USAGE_SESSION)
			return world_bytes(u);
	}
	return 0;
}

int world_rule(struct ecs_engine *e, uint16_t ref)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(ecs_engine_refs(e), ref);

	for (int i = 0; r && i < RULES; i++)
		if (strcmp(r->rule, pair_rule[i]) == 0)
			return i;
	return RULES;
}

uint64_t world_rule_bytes(const struct world *w, int rule)
{
	const struct ecs_rule_stats *st = w->p.c[w->p.active].stats;

	for (size_t i = 0; i < ecs_service_stats_count(w->p.svc); i++)
		if (strcmp(ecs_service_stats_name(w->p.svc, i), pair_rule[rule]) == 0)
			return st[i].bytes_up + st[i].bytes_down;
	return 0;
}

const struct ecs_flow *world_flow(const struct world *w, const struct talk *t)
{
	const struct ecs_session *s = ecs_session_find(world_active(w), w->call[t->call].callid);

	for (struct srp_list *l = s ? s->flows.next : NULL; s && l != &s->flows; l = l->next) {
		const struct ecs_flow *f = (const struct ecs_flow *)(const void *)
		        ((const char *)l - offsetof(struct ecs_flow, in_session));

		if (f->key.subscriber_port == t->sport && f->key.proto == t->proto)
			return f;
	}
	return NULL;
}

struct ecs_addr world_address(int call)
{
	return (struct ecs_addr){{[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)(call + 1)}};
}

uint64_t world_owed(const struct world *w)
{
	uint64_t charged;

	return ecs_owed_octets(&w->p.c[w->p.active].owed, &charged);
}

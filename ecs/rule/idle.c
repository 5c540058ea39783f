/* idle: for how long flows can be silent before they end: what the service says of their protocol, or the
 * action of a line of their rulebase that can match it, whichever is longest. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <string.h>

#define ENDLESS_S 3600u /* stands for 0: silence does not end a flow */

static void longest(uint32_t *most, uint32_t s)
{
	if (s == 0)
		s = ENDLESS_S;
	if (s > *most)
		*most = s;
}

/** The protocols that the rule of a line can match, which is there. */
static uint8_t line_protos(const struct ecs_service *s, const struct ecs_line *l)
{
	const struct obj *o = ecs_obj_find(l->group ? &s->groups : &s->ruledefs, l->rule_name);

	return l->group ? ((const struct group *)(const void *)o)->protos
	                : ((const struct ruledef *)(const void *)o)->protos;
}

static void rulebase_idle(const struct ecs_service *s, struct rulebase *rb)
{
	memcpy(rb->idle, s->idle, sizeof(rb->idle));
	for (size_t i = 0; i < rb->n; i++) {
		const struct ecs_line *l = &s->lines[rb->first + i];
		uint8_t protos;

		if (!l->bound || l->action->idle_timeout < 0)
			continue;
		protos = line_protos(s, l);
		for (unsigned p = 0; p < PROTO__N; p++)
			if (protos & 1u << p)
				longest(&rb->idle[p], (uint32_t)l->action->idle_timeout);
	}
}

void ecs_idle_build(struct ecs_service *s)
{
	const struct ecs_timeouts *t = &s->timeouts;
	const uint32_t each[PROTO__N] = {
		[PROTO_TCP] = t->tcp, [PROTO_UDP] = t->udp, [PROTO_ICMP] = t->icmp, [PROTO_OTHER] = t->other};

	s->idle_most = 0;
	for (unsigned p = 0; p < PROTO__N; p++) {
		s->idle[p] = 0;
		longest(&s->idle[p], each[p]);
		longest(&s->idle_most, s->idle[p]);
	}
	TABLE_EACH(&s->rulebases, rulebase, rb) {
		rulebase_idle(s, rb);
		for (unsigned p = 0; p < PROTO__N; p++)
			longest(&s->idle_most, rb->idle[p]);
	}
}

uint32_t ecs_service_idle_longest(const struct ecs_service *s, int rulebase, uint8_t proto)
{
	enum proto_class p = ecs_proto_class(proto);

	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return s->idle[p];
	return ((const struct rulebase *)(const void *)s->rulebases.v[rulebase])->idle[p];
}

uint32_t ecs_service_idle_most(const struct ecs_service *s)
{
	return s->idle_most;
}

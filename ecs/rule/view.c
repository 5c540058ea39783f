#include "config.h"
#include "ecs/rule/service_impl.h"

const char *ecs_service_trigger_action_at(const struct ecs_service *s, size_t i,
                                          bool *flow_recovery)
{
	const struct trigger_action *a;

	if (i >= s->trigger_actions.n)
		return NULL;
	a = (const struct trigger_action *)(const void *)s->trigger_actions.v[i];
	*flow_recovery = a->flow_recovery;
	return a->o.name;
}

const char *ecs_service_condition_at(const struct ecs_service *s, size_t i, uint32_t *delay,
                                     size_t *entries)
{
	const struct trigger_condition *c;

	if (i >= s->conditions.n)
		return NULL;
	c = (const struct trigger_condition *)(const void *)s->conditions.v[i];
	*delay = c->delay;
	*entries = c->n;
	return c->o.name;
}

const char *ecs_service_condition_entry(const struct ecs_service *s, size_t i, size_t k,
                                        enum ecs_op *op)
{
	const struct trigger_condition *c;

	if (i >= s->conditions.n)
		return NULL;
	c = (const struct trigger_condition *)(const void *)s->conditions.v[i];
	if (k >= c->n)
		return NULL;
	*op = c->entries[k].op;
	return c->entries[k].name;
}

const char *ecs_service_scheme_at(const struct ecs_service *s, size_t i)
{
	return i < s->schemes.n ? s->schemes.v[i]->name : NULL;
}

const char *ecs_op_name(enum ecs_op op)
{
	return op < ECS_OP__N ? ecs_op_text[op] : "?";
}

void ecs_service_subs_apns(const struct ecs_service *s,
                           void (*fn)(void *arg, const char *subs_class, const char *apn), void *arg)
{
	TABLE_EACH(&s->classes, subs_class, c)
		for (size_t i = 0; i < c->n; i++)
			if (c->lines[i].field == ECS_SUBS_APN && c->lines[i].equal)
				fn(arg, c->o.name, c->lines[i].value);
}

bool ecs_service_stats_charging(const struct ecs_service *s, size_t i)
{
	return i < s->ruledefs.n &&
	       ((const struct ruledef *)(const void *)s->ruledefs.v[i])->appl == ECS_APPL_CHARGING;
}

#include "config.h"
#include "ecs/rule/service_impl.h"

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

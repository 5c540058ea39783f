#include "config.h"
#include "ecs/rule/lint_impl.h"

#include <string.h>

#include "ecs/rule/service_impl.h"

/** The rulebase that an action changes to; NULL: none. */
static const struct rulebase *target(const struct ecs_service *s, const char *action)
{
	const struct obj *o = ecs_obj_find(&s->actions, action);
	const struct ecs_charging_action *a =
		o ? &((const struct action *)(const void *)o)->pub : NULL;

	if (!a || a->flow_action != ECS_ACT_RULEBASE)
		return NULL;
	return (const struct rulebase *)(const void *)ecs_obj_find(&s->rulebases, a->rulebase);
}

/** Whether a line of a rulebase changes to another one. */
static bool changes_to(const struct ecs_service *s, const struct rulebase *from,
                       const struct rulebase *to)
{
	for (size_t i = 0; i < from->n; i++)
		if (target(s, from->lines[i].action) == to)
			return true;
	return false;
}

/** Two rulebases that change to each other, told of at the first of them. */
static void lint_circle(const struct linter *l, const struct rulebase *rb)
{
	TABLE_EACH(&l->s->rulebases, rulebase, to)
		if (strcmp(rb->o.name, to->o.name) < 0 && changes_to(l->s, rb, to) &&
		    changes_to(l->s, to, rb))
			WARNING(l, "Rulebases <%s> and <%s> change to each other: a session changes "
			        "once a second at most.", rb->o.name, to->o.name);
}

void ecs_lint_actions(const struct linter *l)
{
	TABLE_EACH(&l->s->actions, action, act) {
		const struct ecs_charging_action *a = &act->pub;

		if (a->flow_action == ECS_ACT_RULEBASE &&
		    !ecs_obj_find(&l->s->rulebases, a->rulebase))
			ERROR(l, "Rulebase <%s> of charging-action <%s> is not configured.",
			      a->rulebase, a->name);
		if (a->end_token[0] && !l->s->nagents)
			WARNING(l, "Charging-action <%s> redirects by user-agent, and no redirect "
			        "user-agent is configured.", a->name);
		if (a->flow_action == ECS_ACT_OCS_URL && !ecs_action_rating_group(a))
			WARNING(l, "Charging-action <%s> redirects to a URL of the charging server, "
			        "and has neither a rating-group nor a content-id.", a->name);
	}
	TABLE_EACH(&l->s->rulebases, rulebase, rb)
		lint_circle(l, rb);
}

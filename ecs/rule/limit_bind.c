/* limit_bind: which limits over several rules a line has, and what is named and not there. */
#include "config.h"
#include "ecs/rule/limit.h"

#include <inttypes.h>
#include <string.h>

#include "ecs/rule/lint_impl.h"
#include "ecs/rule/service_impl.h"
#include "srp/hash.h"

#define NAME_KEY 0x6c696d6974u

/* --- lines ------------------------------------------------------------------------------------ */

static bool is_member(const struct ecs_qos_group *g, const struct ecs_line *l)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->member[i].group == l->group && strcmp(g->member[i].name, l->rule_name) == 0)
			return true;
	return false;
}

static bool limits(const struct ecs_bandwidth limit[2])
{
	return limit[0].on || limit[1].on;
}

void ecs_limits_name(struct ecs_service *s)
{
	TABLE_EACH(&s->qos_groups, qos_group, g)
		g->pub.id = srp_hash64(NAME_KEY, g->pub.name, strlen(g->pub.name));
}

void ecs_limits_compile(struct ecs_service *s, const struct rulebase *rb, struct ecs_line *l)
{
	const struct bandwidth_policy *p = (const struct bandwidth_policy *)(const void *)
		ecs_obj_find(&s->policies, rb->conf.bandwidth_policy);
	const struct ecs_charging_action *a = l->action;

	l->limit_id = srp_hash64(NAME_KEY, l->rule_name, strlen(l->rule_name));
	l->policy = NULL;
	l->qos_group = NULL;
	if (!l->bound)
		return;
	if (p && a && a->bandwidth_id)
		l->policy = ecs_policy_find(&p->pub, a->bandwidth_id);
	TABLE_EACH(&s->qos_groups, qos_group, g)
		if (!l->qos_group && limits(g->pub.limit) && is_member(&g->pub, l))
			l->qos_group = &g->pub;
	if ((a && (a->limit_up.on || a->limit_down.on)) || l->policy || l->qos_group)
		l->stages |= ECS_STAGE_BIT(POLICE);
}

/* --- lint ------------------------------------------------------------------------------------- */

static void lint_policy(const struct linter *l, const struct ecs_bandwidth_policy *p)
{
	bool used = false;

	TABLE_EACH(&l->s->rulebases, rulebase, rb)
		used = used || strcmp(rb->conf.bandwidth_policy, p->name) == 0;
	if (!used)
		WARNING(l, "Bandwidth-policy <%s> is not used in any rulebase.", p->name);
	for (size_t i = 0; i < p->nflows; i++)
		if (!ecs_policy_find(p, p->flow[i].id))
			ERROR(l, "Group-id %" PRIu32 " of bandwidth-policy <%s>, id %" PRIu32
			      ", has no limit.", p->flow[i].group, p->name, p->flow[i].id);
}

/** Ids of charging-actions that no policy of a rulebase which has them knows. */
static void lint_ids(const struct linter *l, const struct rulebase *rb)
{
	const struct bandwidth_policy *p = (const struct bandwidth_policy *)(const void *)
		ecs_obj_find(&l->s->policies, rb->conf.bandwidth_policy);

	if (rb->conf.bandwidth_policy[0] && !p)
		ERROR(l, "Bandwidth-policy <%s> of rulebase <%s> is not configured.",
		      rb->conf.bandwidth_policy, rb->o.name);
	for (size_t i = 0; i < rb->n; i++) {
		const struct action *a = (const struct action *)(const void *)
			ecs_obj_find(&l->s->actions, rb->lines[i].action);

		if (!a || !a->pub.bandwidth_id)
			continue;
		if (!rb->conf.bandwidth_policy[0])
			ERROR(l, "Bandwidth id %" PRIu32 " of charging-action <%s> has no effect in "
			      "rulebase <%s>, which has no bandwidth-policy.",
			      a->pub.bandwidth_id, a->pub.name, rb->o.name);
		else if (p && !ecs_policy_find(&p->pub, a->pub.bandwidth_id))
			ERROR(l, "Bandwidth id %" PRIu32 " of charging-action <%s> limits nothing "
			      "in bandwidth-policy <%s> of rulebase <%s>.",
			      a->pub.bandwidth_id, a->pub.name, p->pub.name, rb->o.name);
	}
}

static void lint_qos_group(const struct linter *l, const struct ecs_qos_group *g)
{
	if (!limits(g->limit))
		WARNING(l, "Qos-group-of-ruledefs <%s> has no limit.", g->name);
	if (!g->n)
		WARNING(l, "Qos-group-of-ruledefs <%s> has no members.", g->name);
	for (size_t i = 0; i < g->n; i++) {
		const struct ecs_qos_member *m = &g->member[i];

		if (!ecs_obj_find(m->group ? &l->s->groups : &l->s->ruledefs, m->name))
			ERROR(l, "%s <%s> of qos-group-of-ruledefs <%s> is not configured.",
			      m->group ? "Group-of-ruledefs" : "Ruledef", m->name, g->name);
		TABLE_EACH(&l->s->qos_groups, qos_group, other)
			for (size_t k = 0; k < other->pub.n && &other->pub != g; k++)
				if (strcmp(other->pub.member[k].name, m->name) == 0 &&
				    other->o.index < ecs_obj_find(&l->s->qos_groups, g->name)->index)
					WARNING(l, "Rule <%s> is in qos-group-of-ruledefs <%s> and "
					        "<%s>: the first one limits it.",
					        m->name, other->pub.name, g->name);
	}
}

void ecs_lint_limits(const struct linter *l)
{
	TABLE_EACH(&l->s->policies, bandwidth_policy, p)
		lint_policy(l, &p->pub);
	TABLE_EACH(&l->s->rulebases, rulebase, rb)
		lint_ids(l, rb);
	TABLE_EACH(&l->s->qos_groups, qos_group, g)
		lint_qos_group(l, &g->pub);
}

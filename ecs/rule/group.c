#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#define MEMBER_PRIO_MAX 10000u

static struct member *member_by_name(struct group *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->members[i].name, name) == 0)
			return &g->members[i];
	return NULL;
}

static struct member *member_by_priority(struct group *g, uint32_t priority)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->members[i].priority == priority)
			return &g->members[i];
	return NULL;
}

static void member_remove(struct group *g, struct member *m)
{
	memmove(m, m + 1, (size_t)(g->members + g->n - (m + 1)) * sizeof(*m));
	g->n--;
}

static int member_add(struct group *g, uint32_t priority, const char *name, struct ecs_err *e)
{
	struct member *v = g->members, *m = member_by_name(g, name);
	size_t i;

	if (m) { /* at a new priority; its room is kept */
		member_remove(g, m);
	} else {
		if (g->n >= ECS_GROUP_MEMBERS)
			return ecs_refuse(e, SRP_EFULL, "expected at most %d ruledefs in a group",
					  ECS_GROUP_MEMBERS);
		v = ecs_array_more(v, g->n, sizeof(*v));
		if (!v)
			return ecs_refuse(e, SRP_ENOMEM, "out of memory");
		g->members = v;
	}
	for (i = g->n; i > 0 && v[i - 1].priority > priority; i--)
		v[i] = v[i - 1];
	v[i] = (struct member){.priority = priority};
	ecs_name_copy(v[i].name, name);
	g->n++;
	return 0;
}

int ecs_service_group(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	bool is_new = !ecs_obj_find(&s->groups, name);
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (!no)
		rc = ecs_name_free(s, &s->groups, name, e);
	if (rc == 0)
		rc = ecs_obj_open(&s->groups, name, no, e, &o);
	if (rc == 0 && !no && is_new)
		((struct group *)(void *)o)->said = ECS_APPL__N;
	return rc;
}

int ecs_service_group_application(struct ecs_service *s, const char *group, enum ecs_application appl,
                                  struct ecs_err *e)
{
	struct group *g;
	int rc = group_edit(s, group, &g, e);

	if (rc)
		return rc;
	if (appl == ECS_APPL_ROUTING || appl > ECS_APPL__N)
		return ecs_refuse(e, SRP_EINVAL, "expected charging or post-processing");
	g->said = appl;
	return 0;
}

int ecs_service_group_add(struct ecs_service *s, const char *group, bool no, uint32_t priority,
                          const char *ruledef, struct ecs_err *e)
{
	struct member *m;
	struct group *g;
	int rc = group_edit(s, group, &g, e);

	if (rc)
		return rc;
	if (priority < 1 || priority > MEMBER_PRIO_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a priority from 1 to %u, not %u",
				  MEMBER_PRIO_MAX, priority);
	m = member_by_priority(g, priority);
	if (no) {
		if (!m || (ruledef && strcmp(m->name, ruledef) != 0))
			return ecs_refuse(e, SRP_ENOENT, "group-of-ruledefs %s has no such member",
					  g->o.name);
		member_remove(g, m);
		return 0;
	}
	rc = ecs_name_check(ruledef, "ruledef", e);
	if (rc)
		return rc;
	if (m && strcmp(m->name, ruledef) == 0)
		return 0;
	if (m)
		return ecs_refuse(e, SRP_EDUP, "priority %u is held by ruledef %s", priority,
				  m->name);
	return member_add(g, priority, ruledef, e);
}

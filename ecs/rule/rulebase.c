#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#define LINE_PRIO_MAX 65535u

static struct rulebase *rulebase_need(struct ecs_service *s, const char *name, struct ecs_err *e)
{
	return (struct rulebase *)(void *)ecs_obj_need(&s->rulebases, name, e);
}

static struct action_line *line_by_priority(struct rulebase *rb, uint32_t priority)
{
	for (size_t i = 0; i < rb->n; i++)
		if (rb->lines[i].priority == priority)
			return &rb->lines[i];
	return NULL;
}

static struct action_line *line_by_rule(struct rulebase *rb, bool group, const char *rule)
{
	for (size_t i = 0; i < rb->n; i++)
		if (rb->lines[i].group == group && strcmp(rb->lines[i].rule, rule) == 0)
			return &rb->lines[i];
	return NULL;
}

static void line_remove(struct ecs_service *s, struct rulebase *rb, struct action_line *l)
{
	memmove(l, l + 1, (size_t)(rb->lines + rb->n - (l + 1)) * sizeof(*l));
	rb->n--;
	s->nlines--;
}

static int line_add(struct ecs_service *s, struct rulebase *rb, const struct action_line *line,
                    struct ecs_err *e)
{
	struct action_line *v = rb->lines, *old = line_by_rule(rb, line->group, line->rule);
	size_t i;

	if (old) { /* replaced; its room is kept */
		line_remove(s, rb, old);
	} else {
		if (s->nlines >= ECS_LINES_MAX)
			return ecs_refuse(e, SRP_EFULL,
					  "expected at most %d action priorities in all rulebases",
					  ECS_LINES_MAX);
		v = ecs_array_more(v, rb->n, sizeof(*v));
		if (!v)
			return ecs_refuse(e, SRP_ENOMEM, "out of memory");
		rb->lines = v;
	}
	for (i = rb->n; i > 0 && v[i - 1].priority > line->priority; i--)
		v[i] = v[i - 1];
	v[i] = *line;
	rb->n++;
	s->nlines++;
	return 0;
}

int ecs_service_rulebase(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	struct rulebase *rb;
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	rb = (struct rulebase *)(void *)ecs_obj_find(&s->rulebases, name);
	if (no && rb)
		s->nlines -= rb->n;
	return ecs_obj_open(&s->rulebases, name, no, e, &o);
}

int ecs_service_action_line(struct ecs_service *s, const char *rulebase, bool no, uint32_t priority,
                            bool group, const char *rule, const char *action, struct ecs_err *e)
{
	struct action_line line = {.group = group}, *l;
	struct rulebase *rb;
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	rb = rulebase_need(s, rulebase, e);
	if (!rb)
		return SRP_ENOENT;
	if (priority < 1 || priority > LINE_PRIO_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a priority from 1 to %u, not %u",
				  LINE_PRIO_MAX, priority);
	l = line_by_priority(rb, priority);
	if (no) {
		if (!l || (rule && strcmp(l->rule, rule) != 0))
			return ecs_refuse(e, SRP_ENOENT, "rulebase %s has no such action priority",
					  rb->o.name);
		line_remove(s, rb, l);
		return 0;
	}
	rc = ecs_name_check(rule, group ? "group-of-ruledefs" : "ruledef", e);
	if (rc == 0)
		rc = ecs_name_check(action, "charging-action", e);
	if (rc)
		return rc;
	if (l && (l->group != group || strcmp(l->rule, rule) != 0))
		return ecs_refuse(e, SRP_EDUP, "priority %u is held by %s %s", priority,
				  l->group ? "group-of-ruledefs" : "ruledef", l->rule);
	line.priority = (uint16_t)priority;
	ecs_name_copy(line.rule, rule);
	ecs_name_copy(line.action, action);
	return line_add(s, rb, &line, e);
}

int ecs_service_handshaking(struct ecs_service *s, const char *rulebase, unsigned what,
                            struct ecs_err *e)
{
	struct rulebase *rb;
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	rb = rulebase_need(s, rulebase, e);
	if (!rb)
		return SRP_ENOENT;
	if (what & ~ECS_HS_ALL)
		return ecs_refuse(e, SRP_EINVAL,
				  "expected all-packets, initial-packets, "
				  "mid-session-packets or tear-down-packets");
	rb->handshaking = what;
	return 0;
}

unsigned ecs_service_handshaking_of(const struct ecs_service *s, int rulebase)
{
	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return 0;
	return ((const struct rulebase *)(const void *)s->rulebases.v[rulebase])->handshaking;
}

int ecs_service_find_rulebase(const struct ecs_service *s, const char *name)
{
	const struct obj *o = ecs_obj_find(&s->rulebases, name);

	return o ? (int)o->index : -1;
}

const char *ecs_service_rulebase_name(const struct ecs_service *s, int rulebase)
{
	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return NULL;
	return s->rulebases.v[rulebase]->name;
}

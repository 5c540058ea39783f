#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#define DELAY_MAX 600u

static int check_priority(uint32_t priority, struct ecs_err *e)
{
	if (priority < 1 || priority > PRIO_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a priority from 1 to %d, not %u",
				  PRIO_MAX, priority);
	return 0;
}

static int open_named(struct ecs_service *s, struct obj_table *t, const char *name, bool no,
                      struct ecs_err *e)
{
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	return rc ? rc : ecs_obj_open(t, name, no, e, &o);
}

/* --- trigger-action, trigger-condition -------------------------------------------------------- */

int ecs_service_trigger_action(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	return open_named(s, &s->trigger_actions, name, no, e);
}

int ecs_service_flow_recovery(struct ecs_service *s, const char *action, bool on, struct ecs_err *e)
{
	struct trigger_action *a;
	int rc = trigger_action_edit(s, action, &a, e);

	if (rc == 0)
		a->flow_recovery = on;
	return rc;
}

int ecs_service_trigger_condition(struct ecs_service *s, const char *name, bool no,
                                  struct ecs_err *e)
{
	return open_named(s, &s->conditions, name, no, e);
}

static int entry_remove(struct trigger_condition *c, enum ecs_op op, const char *name,
                        struct ecs_err *e)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->entries[i].op == op && strcmp(c->entries[i].name, name) == 0) {
			memmove(c->entries + i, c->entries + i + 1,
			        (c->n - i - 1) * sizeof(c->entries[0]));
			c->n--;
			return 0;
		}
	return ecs_refuse(e, SRP_ENOENT, "trigger-condition %s has no such rule-name entry",
			  c->o.name);
}

int ecs_service_cond_rule_name(struct ecs_service *s, const char *cond, bool no, enum ecs_op op,
                               const char *name, struct ecs_err *e)
{
	struct trigger_condition *c;
	int rc = trigger_condition_edit(s, cond, &c, e);

	if (rc)
		return rc;
	if (op != ECS_OP_EQ && op != ECS_OP_CONTAINS && op != ECS_OP_STARTS && op != ECS_OP_ENDS)
		return ecs_refuse(
			e, SRP_EINVAL,
			"expected one of = contains starts-with ends-with after rule-name");
	rc = ecs_name_check(name, "rule", e);
	if (rc)
		return rc;
	if (no)
		return entry_remove(c, op, name, e);
	for (size_t i = 0; i < c->n; i++)
		if (c->entries[i].op == op && strcmp(c->entries[i].name, name) == 0)
			return 0;
	if (c->n >= ECS_COND_ENTRIES)
		return ecs_refuse(e, SRP_EFULL,
				  "expected at most %d rule-name entries in a "
				  "trigger-condition",
				  ECS_COND_ENTRIES);
	c->entries[c->n].op = op;
	ecs_name_copy(c->entries[c->n++].name, name);
	return 0;
}

int ecs_service_cond_delay(struct ecs_service *s, const char *cond, uint32_t seconds,
                           struct ecs_err *e)
{
	struct trigger_condition *c;
	int rc = trigger_condition_edit(s, cond, &c, e);

	if (rc)
		return rc;
	if (seconds > DELAY_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a delay from 1 to %u seconds, not %u",
				  DELAY_MAX, seconds);
	c->delay = seconds;
	return 0;
}

int ecs_service_cond_any(struct ecs_service *s, const char *cond, bool no, bool equal, bool value,
                         struct ecs_err *e)
{
	struct trigger_condition *c;
	int rc = trigger_condition_edit(s, cond, &c, e);

	if (rc)
		return rc;
	if (no && (!c->has_any || c->any_equal != equal || c->any_value != value))
		return ecs_refuse(e, SRP_ENOENT, "trigger-condition %s has no such any-match entry",
				  c->o.name);
	c->has_any = !no;
	c->any_equal = equal;
	c->any_value = value;
	return 0;
}

/* --- service-scheme --------------------------------------------------------------------------- */

int ecs_service_scheme(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	return open_named(s, &s->schemes, name, no, e);
}

/** The priorities of a trigger, and whether it is there. */
static struct scheme_prio **trigger_at(struct scheme *ss, enum ecs_trigger t, bool **on)
{
	*on = t == ECS_TRIGGER_FLOW_CREATE ? &ss->trigger : &ss->other[t].on;
	return t == ECS_TRIGGER_FLOW_CREATE ? &ss->prio : &ss->other[t].prio;
}

static int trigger_need(struct ecs_service *s, const char *scheme, enum ecs_trigger t,
                        struct scheme **out, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (t >= ECS_TRIGGER__N)
		return ecs_refuse(e, SRP_EINVAL, "expected a trigger");
	return scheme_edit(s, scheme, out, e);
}

int ecs_service_scheme_trigger_of(struct ecs_service *s, const char *scheme, enum ecs_trigger t,
                                  bool no, struct ecs_err *e)
{
	struct scheme_prio **prio;
	struct scheme *ss = NULL;
	bool *on;
	int rc = trigger_need(s, scheme, t, &ss, e);

	if (rc)
		return rc;
	prio = trigger_at(ss, t, &on);
	if (no && !*on)
		return ecs_refuse(e, SRP_ENOENT, "service-scheme %s has no trigger %s", ss->o.name,
				  ecs_trigger_words(t));
	if (no) {
		free(*prio);
		*prio = NULL;
	}
	*on = !no;
	return 0;
}

int ecs_service_scheme_trigger(struct ecs_service *s, const char *scheme, bool no,
                               struct ecs_err *e)
{
	return ecs_service_scheme_trigger_of(s, scheme, ECS_TRIGGER_FLOW_CREATE, no, e);
}

int ecs_service_scheme_priority_of(struct ecs_service *s, const char *scheme, enum ecs_trigger t,
                                   bool no, uint32_t priority, const char *cond,
                                   const char *action, struct ecs_err *e)
{
	struct scheme_prio *p, **prio;
	struct scheme *ss = NULL;
	bool *on;
	int rc = trigger_need(s, scheme, t, &ss, e);

	if (rc)
		return rc;
	prio = trigger_at(ss, t, &on);
	if (!*on)
		return ecs_refuse(e, SRP_ENOENT, "expected trigger %s before its priorities",
				  ecs_trigger_words(t));
	rc = check_priority(priority, e);
	if (rc)
		return rc;
	if (no && (!*prio || !(*prio)[priority].set))
		return ecs_refuse(e, SRP_ENOENT, "service-scheme %s has no priority %u", ss->o.name,
				  priority);
	if (!no) {
		rc = ecs_name_check(cond, "trigger-condition", e);
		if (rc == 0)
			rc = ecs_name_check(action, "trigger-action", e);
		if (rc)
			return rc;
	}
	if (!*prio)
		*prio = calloc(PRIO_MAX + 1, sizeof(**prio));
	if (!*prio)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	p = &(*prio)[priority];
	memset(p, 0, sizeof(*p));
	if (no)
		return 0;
	p->set = true;
	ecs_name_copy(p->cond, cond);
	ecs_name_copy(p->action, action);
	return 0;
}

int ecs_service_scheme_priority(struct ecs_service *s, const char *scheme, bool no,
                                uint32_t priority, const char *cond, const char *action,
                                struct ecs_err *e)
{
	return ecs_service_scheme_priority_of(s, scheme, ECS_TRIGGER_FLOW_CREATE, no, priority,
	                                      cond, action, e);
}

/* --- subs-class, subscriber-base -------------------------------------------------------------- */

int ecs_service_subs_class(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	return open_named(s, &s->classes, name, no, e);
}

static int subs_line_make(struct subs_line *l, enum ecs_subs_field f, bool equal,
                          const char *value, struct ecs_err *e)
{
	int rc;

	if (f > ECS_SUBS_VAPN)
		return ecs_refuse(e, SRP_EINVAL,
		                  "expected any-match, rulebase, apn or v-apn");
	if (f == ECS_SUBS_ANY) {
		bool yes = value && strcasecmp(value, "TRUE") == 0;

		if (!yes && (!value || strcasecmp(value, "FALSE") != 0))
			return ecs_refuse(e, SRP_EINVAL, "expected TRUE or FALSE after any-match");
		value = yes ? "TRUE" : "FALSE";
	}
	rc = ecs_name_check(value, f >= ECS_SUBS_APN ? "apn" : "rulebase", e);
	if (rc)
		return rc;
	*l = (struct subs_line){.field = f, .equal = equal};
	ecs_name_copy(l->value, value);
	return 0;
}

int ecs_service_subs_line(struct ecs_service *s, const char *cls, bool no, enum ecs_subs_field f,
                          bool equal, const char *value, struct ecs_err *e)
{
	struct subs_class *c;
	struct subs_line l;
	size_t i;
	int rc = subs_class_edit(s, cls, &c, e);

	if (rc)
		return rc;
	rc = subs_line_make(&l, f, equal, value, e);
	if (rc)
		return rc;
	for (i = 0; i < c->n; i++)
		if (c->lines[i].field == f && c->lines[i].equal == equal &&
		    strcmp(c->lines[i].value, l.value) == 0)
			break;
	if (no) {
		if (i == c->n)
			return ecs_refuse(e, SRP_ENOENT, "subs-class %s has no such line",
					  c->o.name);
		memmove(c->lines + i, c->lines + i + 1, (c->n - i - 1) * sizeof(l));
		c->n--;
		return 0;
	}
	if (i < c->n)
		return 0;
	if (c->n >= SUBS_LINES_MAX)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d lines in a subs-class",
				  SUBS_LINES_MAX);
	c->lines[c->n++] = l;
	return 0;
}

int ecs_service_subs_or(struct ecs_service *s, const char *cls, bool on, struct ecs_err *e)
{
	struct subs_class *c;
	int rc = subs_class_edit(s, cls, &c, e);

	if (rc)
		return rc;
	c->any = on;
	return 0;
}

int ecs_service_subs_base(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	return open_named(s, &s->bases, name, no, e);
}

int ecs_service_subs_bind(struct ecs_service *s, const char *base, bool no, uint32_t priority,
                          const char *cls, const char *scheme, struct ecs_err *e)
{
	struct subs_base *sb;
	struct subs_bind *p;
	int rc = subs_base_edit(s, base, &sb, e);

	if (rc)
		return rc;
	rc = check_priority(priority, e);
	if (rc)
		return rc;
	if (no && (!sb->prio || !sb->prio[priority].set))
		return ecs_refuse(e, SRP_ENOENT, "subscriber-base %s has no priority %u",
				  sb->o.name, priority);
	if (!no) {
		rc = ecs_name_check(cls, "subs-class", e);
		if (rc == 0)
			rc = ecs_name_check(scheme, "service-scheme", e);
		if (rc)
			return rc;
	}
	if (!sb->prio)
		sb->prio = calloc(PRIO_MAX + 1, sizeof(*sb->prio));
	if (!sb->prio)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	p = &sb->prio[priority];
	memset(p, 0, sizeof(*p));
	if (no)
		return 0;
	p->set = true;
	ecs_name_copy(p->cls, cls);
	ecs_name_copy(p->scheme, scheme);
	return 0;
}

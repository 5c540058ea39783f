#include "config.h"
#include "ecs/rule/lint_impl.h"
#include "ecs/rule/service_impl.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 512

void ecs_lint_find(const struct linter *l, bool warning, const char *fmt, ...)
{
	char buf[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	l->fn(l->arg, warning, buf);
}

/* --- ruledefs and groups ---------------------------------------------------------------------- */

/** True when the rule is nothing but `ip any-match = TRUE`. */
static bool is_default(const struct ruledef *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->lines[i].c.field != ECS_F_IP_ANY || !r->lines[i].c.want)
			return false;
	return r->n > 0;
}

/** Two values of one string that can never be the same at once. */
static bool contradicts(const struct rule_line *a, const struct rule_line *b)
{
	return a->c.field == b->c.field && ecs_fields[a->c.field].type == T_STR &&
	       a->c.op == ECS_OP_EQ && b->c.op == ECS_OP_EQ && strcasecmp(a->a, b->a) != 0;
}

static void lint_ruledef(const struct linter *l, const struct ruledef *r)
{
	if (!r->used)
		ERROR(l, "Ruledef <%s> is not used in any rulebase or group-of-ruledefs. It can be "
		      "a dynamically enabled ADC ruledef and could be ignored.", r->o.name);
	for (size_t i = 0; i < r->n; i++)
		if (r->lines[i].c.pool && !r->lines[i].c.in)
			ERROR(l, "%c%s <%s> of ruledef <%s> is not configured.",
			      toupper(ecs_pool_word(r->lines[i].c.field)[0]),
			      ecs_pool_word(r->lines[i].c.field) + 1, r->lines[i].a, r->o.name);
	for (size_t i = 0; i < r->n; i++)
		if (ecs_detect_never(l->s, &r->lines[i].c))
			ERROR(l, "%s <%s> of ruledef <%s> is not detected: no \"p2p-detection %s\" names it.",
			      r->lines[i].c.field == ECS_F_P2P_PROTOCOL ? "Application" : "Behavior",
			      r->lines[i].a, r->o.name,
			      r->lines[i].c.field == ECS_F_P2P_PROTOCOL ? "protocol" : "behavioral");
	if (!r->n)
		WARNING(l, "Ruledef <%s> has no lines and matches nothing.", r->o.name);
	for (size_t i = 0; !r->any && i < r->n; i++)
		for (size_t k = i + 1; k < r->n; k++) {
			const char *words = ecs_fields[r->lines[i].c.field].words;

			if (!contradicts(&r->lines[i], &r->lines[k]))
				continue;
			WARNING(l, "Charging Ruledef <%s> uses multiple \"%s\" lines but does not "
			        "have a \"multi-line-or all-lines\".", r->o.name,
			        strrchr(words, ' ') + 1);
			return;
		}
}

static void lint_group(const struct linter *l, const struct group *g)
{
	if (!g->used)
		ERROR(l, "Group-of-ruledefs <%s> is not used in any rulebase.", g->o.name);
	if (!g->n)
		WARNING(l, "Group-of-ruledefs <%s> has no ruledefs and matches nothing.",
			g->o.name);
	for (size_t i = 0; i < g->n; i++) {
		const struct obj *o = ecs_obj_find(&l->s->ruledefs, g->members[i].name);

		if (!o)
			ERROR(l, "Ruledef <%s> of group-of-ruledefs <%s> is not configured.",
			      g->members[i].name, g->o.name);
		else if (!g->members[i].rule)
			ERROR(l, "Ruledef <%s> of group-of-ruledefs <%s> is of another "
			      "rule-application than %s.", g->members[i].name, g->o.name,
			      g->said == ECS_APPL__N ? "the group's first member"
			                             : "its group-of-ruledefs-application says");
	}
}

static void lint_timedef(const struct linter *l, const struct timedef *t)
{
	if (!t->used)
		WARNING(l, "Timedef <%s> is not used in any rulebase.", t->o.name);
	if (!t->n)
		WARNING(l, "Timedef <%s> has no lines: what names it is in force at all times.",
		        t->o.name);
}

/* --- rulebases -------------------------------------------------------------------------------- */

static void lint_rulebase(const struct linter *l, const struct rulebase *rb)
{
	for (size_t i = 0; i < rb->n; i++) {
		const struct action_line *al = &rb->lines[i];
		const struct ecs_line *line = &l->s->lines[rb->first + i];
		const char *what = al->group ? "Group-of-ruledefs" : "Ruledef";
		const struct obj *o =
			ecs_obj_find(al->group ? &l->s->groups : &l->s->ruledefs, al->rule);

		if (!o)
			ERROR(l, "%s <%s> of rulebase <%s>, action priority %u, is not configured.",
			      what, al->rule, rb->o.name, al->priority);
		if (!ecs_obj_find(&l->s->actions, al->action))
			ERROR(l,
			      "Charging-action <%s> of rulebase <%s>, action priority %u, is not "
			      "configured.",
			      al->action, rb->o.name, al->priority);
		else if (o && !line->bound)
			ERROR(l,
			      "%s <%s> of rulebase <%s>, action priority %u, is of another "
			      "rule-application.",
			      what, al->rule, rb->o.name, al->priority);
		if (al->timedef[0] && !ecs_obj_find(&l->s->timedefs, al->timedef))
			ERROR(l, "Timedef <%s> of rulebase <%s>, action priority %u, is not "
			      "configured: the line is in force at all times.", al->timedef,
			      rb->o.name, al->priority);
		if (o && !al->group && i + 1 < rb->n &&
		    is_default((const struct ruledef *)(const void *)o))
			WARNING(l, "Default rule (i.e. a ruledef with just the \"ip any-match = "
			        "TRUE\" expression) is specified in the rulebase <%s>, but not at "
			        "lowest priority action command.", rb->o.name);
	}
}

/** Fields of an application that is not HTTP. */
static bool is_other_app(const struct rule_line *l)
{
	return (l->c.field == ECS_F_TLS_SNI || l->c.field == ECS_F_DNS_QUERY) &&
	       l->c.op != ECS_OP_NPRESENT;
}

/** True where no HTTP request can match: one is TCP, and has nothing of other applications. */
static bool never_http(const struct ruledef *r)
{
	size_t other = 0;

	for (size_t i = 0; i < r->n; i++)
		other += is_other_app(&r->lines[i]);
	return (r->any ? other == r->n : other > 0) || !(r->protos & (1u << PROTO_TCP));
}

/** Redirects of what is never a request: such packets are forwarded. */
static void lint_redirect(const struct linter *l, const struct rulebase *rb)
{
	for (size_t i = 0; i < rb->n; i++) {
		const struct action_line *al = &rb->lines[i];
		const struct ecs_line *line = &l->s->lines[rb->first + i];
		const struct obj *o = al->group ? NULL : ecs_obj_find(&l->s->ruledefs, al->rule);

		if (!o || !line->action || !ecs_action_redirects(line->action))
			continue;
		if (((const struct ruledef *)(const void *)o)->n &&
		    never_http((const struct ruledef *)(const void *)o))
			WARNING(l, "Charging-action <%s> of rulebase <%s>, action priority %u, "
			        "redirects, but ruledef <%s> matches no HTTP request.",
			        al->action, rb->o.name, al->priority, al->rule);
	}
}

/* --- schemes ---------------------------------------------------------------------------------- */

static void lint_scheme(const struct linter *l, const struct scheme *ss)
{
	if (!ss->bound)
		WARNING(l, "Service-scheme <%s> is not bound in any subscriber-base.", ss->o.name);
	if (!ss->trigger)
		WARNING(l, "Service-scheme <%s> has no trigger flow-create.", ss->o.name);
	for (unsigned i = 1; ss->prio && i <= PRIO_MAX; i++) {
		const struct scheme_prio *p = &ss->prio[i];

		if (!p->set)
			continue;
		if (!p->c)
			ERROR(l,
			      "Trigger-condition <%s> of service-scheme <%s>, priority %u, is not "
			      "configured.",
			      p->cond, ss->o.name, i);
		if (!ecs_obj_find(&l->s->trigger_actions, p->action))
			ERROR(l, "Trigger-action <%s> of service-scheme <%s>, priority %u, is not "
			      "configured.", p->action, ss->o.name, i);
		else if (!p->recovers)
			WARNING(l, "Trigger-action <%s> of service-scheme <%s>, priority %u, does "
			        "not have flow-recovery.", p->action, ss->o.name, i);
	}
}

static void lint_base(const struct linter *l, const struct subs_base *sb)
{
	for (unsigned i = 1; sb->prio && i <= PRIO_MAX; i++) {
		const struct subs_bind *p = &sb->prio[i];

		if (!p->set)
			continue;
		if (!ecs_obj_find(&l->s->classes, p->cls))
			ERROR(l, "Subs-class <%s> of subscriber-base <%s>, priority %u, is not "
			      "configured.", p->cls, sb->o.name, i);
		if (!ecs_obj_find(&l->s->schemes, p->scheme))
			ERROR(l, "Service-scheme <%s> of subscriber-base <%s>, priority %u, is not "
			      "configured.", p->scheme, sb->o.name, i);
	}
}

void ecs_service_lint(const struct ecs_service *s,
                      void (*fn)(void *arg, bool warning, const char *text), void *arg)
{
	const struct linter l = {.s = s, .fn = fn, .arg = arg};

	if (!s->frozen)
		return;
	TABLE_EACH(&s->ruledefs, ruledef, r)
		lint_ruledef(&l, r);
	for (size_t i = 0; i < s->detect.n; i++)
		if (!s->detect.v[i].id)
			ERROR(&l, "Application <%s> of p2p-detection protocol is not known.",
			      s->detect.v[i].name);
	TABLE_EACH(&s->host_pools, pool, p)
		if (!p->used)
			WARNING(&l, "Host-pool <%s> is not used in any ruledef.", p->o.name);
	TABLE_EACH(&s->port_maps, pool, p)
		if (!p->used)
			WARNING(&l, "Port-map <%s> is not used in any ruledef.", p->o.name);
	TABLE_EACH(&s->imsi_pools, pool, p)
		if (!p->used)
			WARNING(&l, "Imsi-pool <%s> is not used in any ruledef.", p->o.name);
	TABLE_EACH(&s->timedefs, timedef, t)
		lint_timedef(&l, t);
	TABLE_EACH(&s->groups, group, g)
		lint_group(&l, g);
	TABLE_EACH(&s->rulebases, rulebase, rb) {
		lint_rulebase(&l, rb);
		lint_redirect(&l, rb);
	}
	TABLE_EACH(&s->actions, action, a)
		if (!a->used)
			WARNING(&l, "Charging-action <%s> is not used in any rulebase.",
				a->pub.name);
	TABLE_EACH(&s->actions, action, a)
		if (a->pub.xheader[0] && !ecs_obj_find(&s->xheaders, a->pub.xheader))
			ERROR(&l, "Xheader-format <%s> of charging-action <%s> is not configured.",
			      a->pub.xheader, a->pub.name);
	TABLE_EACH(&s->trigger_actions, trigger_action, ta)
		if (!ta->used)
			WARNING(&l, "Trigger-action <%s> is not used in any service-scheme.",
			        ta->o.name);
	TABLE_EACH(&s->schemes, scheme, ss)
		lint_scheme(&l, ss);
	TABLE_EACH(&s->bases, subs_base, sb)
		lint_base(&l, sb);
	ecs_lint_eligible(&l);
	ecs_lint_lists(&l);
	ecs_lint_formats(&l);
	ecs_lint_limits(&l);
	ecs_lint_triggers(&l);
	ecs_lint_timeouts(&l);
	ecs_lint_content(&l);
	ecs_lint_actions(&l);
}

#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

/* --- conditions ------------------------------------------------------------------------------- */

bool ecs_cond_entry_hits(const struct cond_entry *x, const char *rule)
{
	size_t n = strlen(x->name), len = strlen(rule);

	switch (x->op) {
	case ECS_OP_EQ:
		return strcmp(x->name, rule) == 0;
	case ECS_OP_CONTAINS:
		return strstr(rule, x->name) != NULL;
	case ECS_OP_STARTS:
		return strncmp(rule, x->name, n) == 0;
	case ECS_OP_ENDS:
		return len >= n && strcmp(rule + len - n, x->name) == 0;
	default:
		return false;
	}
}

bool ecs_cond_any_holds(const struct trigger_condition *c)
{
	return c->has_any && c->any_equal == c->any_value;
}

/** Whether a condition holds for a static rule: any-match, or any of its entries. */
static bool cond_holds(const struct trigger_condition *c, const char *rule)
{
	if (ecs_cond_any_holds(c))
		return true;
	for (size_t i = 0; i < c->n; i++)
		if (ecs_cond_entry_hits(&c->entries[i], rule))
			return true;
	return false;
}

/** Evaluates each condition once per rule name of the service. */
static int cond_hits(struct ecs_service *s)
{
	size_t n = ecs_service_stats_count(s);

	TABLE_EACH(&s->conditions, trigger_condition, c) {
		c->used = false;
		c->hits = calloc(n / 64 + 1, sizeof(*c->hits));
		if (!c->hits)
			return SRP_ENOMEM;
		for (size_t i = 0; i < n; i++)
			if (cond_holds(c, ecs_service_stats_name(s, i)))
				c->hits[i / 64] |= (uint64_t)1 << (i % 64);
	}
	return 0;
}

static void cond_hits_free(struct ecs_service *s)
{
	TABLE_EACH(&s->conditions, trigger_condition, c) {
		free(c->hits);
		c->hits = NULL;
	}
}

/* --- schemes ---------------------------------------------------------------------------------- */

/** The rule that a trigger activates. */
static const char *activated(const struct ecs_service *s, const struct scheme *ss, enum ecs_trigger t)
{
	const struct scheme_prio *prio = ss->other[t].on ? ss->other[t].prio : NULL;

	for (unsigned i = 1; prio && i <= PRIO_MAX; i++) {
		const struct obj *c, *o;
		struct trigger_action *a;

		if (!prio[i].set)
			continue;
		c = ecs_obj_find(&s->conditions, prio[i].cond);
		o = ecs_obj_find(&s->trigger_actions, prio[i].action);
		if (!c || !o || !ecs_cond_any_holds((const struct trigger_condition *)(const void *)c))
			continue;
		a = (struct trigger_action *)(void *)s->trigger_actions.v[o->index];
		a->used = true;
		a->activates = a->conf.predef_rule[0] != '\0';
		if (a->activates)
			((struct trigger_condition *)(void *)s->conditions.v[c->index])->used = true;
		return a->activates ? a->conf.predef_rule : NULL;
	}
	return NULL;
}

static void scheme_resolve(struct ecs_service *s, struct scheme *ss)
{
	for (unsigned t = 0; t < ECS_TRIGGER__N; t++)
		ss->activates[t] = t == ECS_TRIGGER_SESS_SETUP || t == ECS_TRIGGER_BEARER_CREATION
		                           ? activated(s, ss, (enum ecs_trigger)t) : NULL;
	for (unsigned i = 1; ss->prio && i <= PRIO_MAX; i++) {
		struct scheme_prio *p = &ss->prio[i];
		struct trigger_action *a;

		if (!p->set)
			continue;
		p->c = (struct trigger_condition *)(void *)ecs_obj_find(&s->conditions, p->cond);
		a = (struct trigger_action *)(void *)ecs_obj_find(&s->trigger_actions, p->action);
		p->recovers = a && a->flow_recovery;
		if (a)
			a->used = true;
		if (p->c && p->recovers)
			p->c->used = true;
	}
}

/** True for a priority that can make a rule eligible. */
static bool acts(const struct scheme *ss, unsigned prio)
{
	return ss->trigger && ss->prio && ss->prio[prio].set && ss->prio[prio].c &&
	       ss->prio[prio].recovers;
}

static int exact_cmp(const void *x, const void *y)
{
	const struct exact_name *a = x, *b = y;

	return strcmp(a->name, b->name);
}

/** Names given with `=`, once each, by the lowest priority that gives them. */
static int scheme_exact(struct scheme *ss)
{
	size_t n = 0;

	for (unsigned i = 1; i <= PRIO_MAX; i++)
		n += acts(ss, i) ? ss->prio[i].c->n : 0;
	ss->nexact = 0;
	ss->exact = calloc(n ? n : 1, sizeof(*ss->exact));
	if (!ss->exact)
		return SRP_ENOMEM;
	for (unsigned i = 1; i <= PRIO_MAX; i++) {
		const struct trigger_condition *c = acts(ss, i) ? ss->prio[i].c : NULL;

		for (size_t k = 0; c && k < c->n; k++) {
			struct exact_name x = {c->entries[k].name, (uint16_t)c->delay};
			bool there = false;

			for (size_t j = 0; j < ss->nexact; j++)
				there = there || strcmp(ss->exact[j].name, x.name) == 0;
			if (!there && c->entries[k].op == ECS_OP_EQ)
				ss->exact[ss->nexact++] = x;
		}
	}
	qsort(ss->exact, ss->nexact, sizeof(*ss->exact), exact_cmp);
	return 0;
}

/** The delay of each rule name of the service, or NOT_ELIGIBLE. */
static int scheme_delays(const struct ecs_service *s, struct scheme *ss)
{
	size_t n = ecs_service_stats_count(s);

	ss->delay = malloc((n + 1) * sizeof(*ss->delay));
	if (!ss->delay)
		return SRP_ENOMEM;
	for (size_t k = 0; k < n; k++)
		ss->delay[k] = NOT_ELIGIBLE;
	for (unsigned i = PRIO_MAX; i >= 1; i--) { /* the lowest writes last */
		const struct trigger_condition *c = acts(ss, i) ? ss->prio[i].c : NULL;

		for (size_t k = 0; c && k < n; k++)
			if (c->hits[k / 64] >> (k % 64) & 1)
				ss->delay[k] = (uint16_t)c->delay;
	}
	return 0;
}

/* --- subscribers ------------------------------------------------------------------------------ */

static bool subs_line_holds(const struct subs_line *l, const char *rulebase, const char *apn)
{
	bool is = false;

	switch (l->field) {
	case ECS_SUBS_ANY:
		is = strcmp(l->value, "TRUE") == 0;
		break;
	case ECS_SUBS_RULEBASE:
		is = rulebase && strcmp(l->value, rulebase) == 0;
		break;
	case ECS_SUBS_APN: /* a domain name: case says nothing */
		is = apn && strcasecmp(l->value, apn) == 0;
		break;
	case ECS_SUBS_VAPN: /* sessions here have no virtual APN */
		break;
	}
	return is == l->equal;
}

static bool class_holds(const struct subs_class *c, const char *rulebase, const char *apn)
{
	for (size_t i = 0; i < c->n; i++)
		if (subs_line_holds(&c->lines[i], rulebase, apn) == c->any)
			return c->any;
	return c->n > 0 && !c->any;
}

static int base_cmp(const void *x, const void *y)
{
	const struct subs_base *const *a = x, *const *b = y;
	bool da = strcmp((*a)->o.name, "default") == 0, db = strcmp((*b)->o.name, "default") == 0;

	if (da != db)
		return da ? -1 : 1;
	return strcmp((*a)->o.name, (*b)->o.name);
}

static void base_bind(struct ecs_service *s, const struct subs_base *sb)
{
	for (unsigned i = 1; sb->prio && i <= PRIO_MAX; i++) {
		struct subs_class *c;
		struct scheme *ss;

		if (!sb->prio[i].set)
			continue;
		c = (struct subs_class *)(void *)ecs_obj_find(&s->classes, sb->prio[i].cls);
		ss = (struct scheme *)(void *)ecs_obj_find(&s->schemes, sb->prio[i].scheme);
		if (c)
			c->used = true;
		if (ss)
			ss->bound = true;
		if (!c || !ss)
			continue;
		ss->serves = true;
		s->bindings[s->nbindings++] = (struct binding){
			.cls = c, .base = sb, .scheme = (uint16_t)ss->o.index,
			.priority = (uint8_t)i};
	}
}

/** All bindings in their order: the base `default` first, then by name; in each by priority. */
static int bindings_build(struct ecs_service *s)
{
	const struct subs_base **v = calloc(s->bases.n + 1, sizeof(*v));
	size_t n = 0;

	s->nbindings = 0;
	s->bindings = calloc(s->bases.n * PRIO_MAX + 1, sizeof(*s->bindings));
	if (!v || !s->bindings) {
		free(v);
		return SRP_ENOMEM;
	}
	TABLE_EACH(&s->classes, subs_class, c)
		c->used = false;
	TABLE_EACH(&s->bases, subs_base, sb)
		v[n++] = sb;
	qsort(v, n, sizeof(*v), base_cmp);
	for (size_t i = 0; i < n; i++)
		base_bind(s, v[i]);
	free(v);
	return 0;
}

int ecs_eligible_build(struct ecs_service *s)
{
	int rc = cond_hits(s);

	TABLE_EACH(&s->trigger_actions, trigger_action, a)
		a->used = false;
	TABLE_EACH(&s->schemes, scheme, ss) {
		ss->bound = ss->serves = false;
		if (rc)
			break;
		scheme_resolve(s, ss);
		rc = scheme_exact(ss);
		if (rc == 0)
			rc = scheme_delays(s, ss);
	}
	cond_hits_free(s);
	return rc ? rc : bindings_build(s);
}

int ecs_service_find_scheme(const struct ecs_service *s, const char *rulebase, const char *apn)
{
	for (size_t i = 0; i < s->nbindings; i++)
		if (class_holds(s->bindings[i].cls, rulebase, apn))
			return s->bindings[i].scheme;
	return -1;
}

/** A static rule that this service does not have (a peer's): as its conditions say. */
static uint32_t stranger_delay(const struct scheme *ss, const char *rule)
{
	for (unsigned i = 1; i <= PRIO_MAX; i++)
		if (acts(ss, i) && cond_holds(ss->prio[i].c, rule))
			return ss->prio[i].c->delay;
	return NOT_ELIGIBLE;
}

bool ecs_service_triggers(const struct ecs_service *s, int scheme)
{
	if (!s->frozen || scheme < 0 || (size_t)scheme >= s->schemes.n)
		return false;
	return ((const struct scheme *)(const void *)s->schemes.v[scheme])->trigger;
}

bool ecs_service_eligible(const struct ecs_service *s, int scheme, const char *rule_name,
                          bool dynamic, uint32_t *delay)
{
	struct exact_name key = {.name = rule_name};
	const struct exact_name *x;
	const struct scheme *ss;
	uint32_t d;
	int i;

	if (!s->frozen || scheme < 0 || (size_t)scheme >= s->schemes.n || !rule_name)
		return false;
	ss = (const struct scheme *)(const void *)s->schemes.v[scheme];
	if (dynamic) {
		x = bsearch(&key, ss->exact, ss->nexact, sizeof(key), exact_cmp);
		d = x ? x->delay : NOT_ELIGIBLE;
	} else {
		i = ecs_rule_index(s, rule_name);
		d = i >= 0 ? ss->delay[i] : stranger_delay(ss, rule_name);
	}
	if (d == NOT_ELIGIBLE)
		return false;
	if (delay)
		*delay = d;
	return true;
}

enum ecs_p2p ecs_service_p2p_barred(const struct ecs_service *s, const char *rule_name)
{
	const struct obj *o;

	if (ecs_service_keeps(s, ECS_RECOVER_P2P) || !rule_name)
		return ECS_P2P_NOT;
	o = ecs_obj_find(&s->ruledefs, rule_name);
	if (o)
		return ((const struct ruledef *)(const void *)o)->p2p;
	o = ecs_obj_find(&s->groups, rule_name);
	return o ? ((const struct group *)(const void *)o)->p2p : ECS_P2P_NOT;
}

/* --- names ------------------------------------------------------------------------------------ */

/** A rule name of the service that is for charging. */
static bool charges(const struct ecs_service *s, size_t i)
{
	enum ecs_application appl;

	if (i < s->ruledefs.n)
		appl = ((const struct ruledef *)(const void *)s->ruledefs.v[i])->appl;
	else
		appl = ((const struct group *)(const void *)s->groups.v[i - s->ruledefs.n])->appl;
	return appl == ECS_APPL_CHARGING || appl == ECS_APPL__N;
}

static bool eligible_somewhere(const struct ecs_service *s, size_t i)
{
	bool is = false;

	TABLE_EACH(&s->schemes, scheme, ss)
		is = is || (ss->serves && ss->delay[i] != NOT_ELIGIBLE);
	return is && charges(s, i) &&
	       ecs_service_p2p_barred(s, ecs_service_stats_name(s, i)) != ECS_P2P_ALL;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/** Names given with `=` that are of no rule here, sorted, each once; NULL: there is none, or no memory. */
static const char **strangers(const struct ecs_service *s, size_t *count)
{
	const char **v;
	size_t n = 0, max = 0;

	TABLE_EACH(&s->schemes, scheme, ss)
		max += ss->serves ? ss->nexact : 0;
	*count = 0;
	v = max ? calloc(max, sizeof(*v)) : NULL;
	if (!v)
		return NULL;
	TABLE_EACH(&s->schemes, scheme, ss)
		for (size_t i = 0; ss->serves && i < ss->nexact; i++)
			if (ecs_rule_index(s, ss->exact[i].name) < 0)
				v[n++] = ss->exact[i].name;
	qsort(v, n, sizeof(*v), name_cmp);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(v[i], v[*count - 1]) != 0)
			v[(*count)++] = v[i];
	return v;
}

size_t ecs_service_eligible_names(const struct ecs_service *s, const char **names, size_t cap)
{
	size_t n = 0, more;
	const char **v;

	if (!s->frozen)
		return 0;
	for (size_t i = 0; i < ecs_service_stats_count(s); i++)
		if (eligible_somewhere(s, i)) {
			if (n < cap)
				names[n] = ecs_service_stats_name(s, i);
			n++;
		}
	v = strangers(s, &more);
	for (size_t i = 0; i < more; i++, n++)
		if (n < cap)
			names[n] = v[i];
	free(v);
	return n;
}

bool ecs_service_recovers(const struct ecs_service *s)
{
	TABLE_EACH(&s->trigger_actions, trigger_action, a)
		if (a->flow_recovery)
			return true;
	return false;
}

const char *ecs_service_trigger_rule(const struct ecs_service *s, int scheme, enum ecs_trigger t)
{
	if (!s->frozen || scheme < 0 || (size_t)scheme >= s->schemes.n)
		return NULL;
	return ((const struct scheme *)(const void *)s->schemes.v[scheme])->activates[t];
}

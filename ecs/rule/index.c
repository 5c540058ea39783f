/* index: what a matcher finds the lines of a rulebase by: from a pattern the ruledefs that it stands
 * for, from a ruledef its lines, and sets of lines, as bits, by what they look at. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>

/* --- indexes: pattern -> ruledefs -> lines ---------------------------------------------------- */

/** Lists of u16 by a number below n, filled in two passes: count, then put. */
struct lists {
	uint32_t *at;
	uint16_t *item;
	size_t n;
};

static int lists_start(struct lists *l, size_t n)
{
	l->n = n;
	l->at = calloc(n + 2, sizeof(*l->at));
	return l->at ? 0 : SRP_ENOMEM;
}

/** After counting list i in at[i + 2]: makes room; a put to i then moves at[i + 1] on. */
static int lists_room(struct lists *l)
{
	for (size_t i = 2; i < l->n + 2; i++)
		l->at[i] += l->at[i - 1];
	l->item = calloc(l->at[l->n + 1] + 1u, sizeof(*l->item));
	return l->item ? 0 : SRP_ENOMEM;
}

static void lists_step(struct lists *l, size_t i, uint16_t v)
{
	if (l->item)
		l->item[l->at[i + 1]++] = v;
	else
		l->at[i + 2]++;
}

/** Puts a ruledef under each pattern that stands for it. */
static void gates_step(const struct ecs_service *s, const struct ruledef *r, struct lists *l)
{
	for (size_t i = 0; r->gates && i < r->nconds; i++) {
		const struct cond *c = &r->conds[i];

		if (r->any || c == r->gate)
			lists_step(l, s->sets[c->column].first + c->pattern, (uint16_t)r->o.index);
	}
}

static int gates_build(struct ecs_service *s)
{
	struct lists l = {0};
	int rc = lists_start(&l, s->npatterns);

	if (rc == 0) {
		TABLE_EACH(&s->ruledefs, ruledef, r)
			gates_step(s, r, &l);
		rc = lists_room(&l);
	}
	if (rc == 0)
		TABLE_EACH(&s->ruledefs, ruledef, r)
			gates_step(s, r, &l);
	s->gate_at = l.at;
	s->gate = l.item;
	return rc;
}

static void lines_of_step(const struct ecs_service *s, struct lists *l)
{
	for (size_t i = 0; i < s->nlines + s->nposts + s->nroutes; i++) {
		const struct ecs_line *line = &s->lines[i];
		const struct group *g;

		if (!line->bound)
			continue;
		if (!line->group) {
			lists_step(l, line->stats, (uint16_t)i);
			continue;
		}
		g = (const struct group *)(const void *)ecs_obj_find(&s->groups, line->rule_name);
		for (size_t k = 0; k < g->n; k++)
			if (g->members[k].rule)
				lists_step(l, g->members[k].rule->o.index, (uint16_t)i);
	}
}

static int lines_build(struct ecs_service *s)
{
	struct lists l = {0};
	int rc = lists_start(&l, s->ruledefs.n);

	if (rc == 0) {
		lines_of_step(s, &l);
		rc = lists_room(&l);
	}
	if (rc == 0)
		lines_of_step(s, &l);
	s->lines_at = l.at;
	s->lines_of = l.item;
	return rc;
}

/* --- bit sets of a rulebase ------------------------------------------------------------------- */

static uint64_t conds_fields(const struct ruledef *r)
{
	uint64_t f = 0;

	for (size_t i = 0; i < r->nconds; i++)
		f |= FIELD_BIT(r->conds[i].field);
	return f;
}

static void set_bit(const struct rulebase *rb, unsigned which, size_t i, bool on)
{
	uint64_t *set = rulebase_set(rb, which);

	if (!on)
		return;
	set[i / 64] |= (uint64_t)1 << (i % 64);
	set[rb->words] |= (uint64_t)1 << (i / 64);
}

/** Enters line @p i of @p rb into the sets. */
static void sets_enter(const struct ecs_service *s, struct rulebase *rb, size_t i)
{
	const struct ecs_line *l = &s->lines[rb->first + i];
	const struct obj *o = ecs_obj_find(l->group ? &s->groups : &s->ruledefs, l->rule_name);
	const struct ruledef *r = (const struct ruledef *)(const void *)o;
	const struct group *g = (const struct group *)(const void *)o;
	uint64_t gates, fields = 0;
	uint8_t protos;

	if (!l->bound)
		return;
	gates = l->group ? g->gates : r->gates;
	protos = l->group ? g->protos : r->protos;
	if (!l->group)
		fields = conds_fields(r);
	for (size_t k = 0; l->group && k < g->n; k++)
		if (g->members[k].rule)
			fields |= conds_fields(g->members[k].rule);
	if ((fields & L7_BITS) && i < rb->first_l7)
		rb->first_l7 = (uint16_t)i;
	rb->fields |= fields;
	set_bit(rb, SET_ALWAYS, i, !gates);
	set_bit(rb, SET_L34, i, l->l34);
	set_bit(rb, SET_DYNAMIC, i, l->kind == ECS_LINE_DYNAMIC_ONLY);
	set_bit(rb, SET_POLICY, i, l->kind != ECS_LINE_STATIC);
	rb->timed = rb->timed || l->timedef;
	rb->dynamic = rb->dynamic || rb->timed || l->kind != ECS_LINE_STATIC;
	for (unsigned p = 0; p < PROTO__N; p++)
		set_bit(rb, SET_PROTO + p, i, protos & (1u << p));
	for (unsigned f = ECS_F_HTTP_ANY; f < ECS_F__N; f++)
		set_bit(rb, set_gated(f), i, gates & FIELD_BIT(f));
}

static int list_build(struct ecs_service *s, struct rulebase *rb)
{
	rb->words = (rb->n + 63) / 64;
	rb->first_l7 = (uint16_t)rb->n;
	rb->fields = 0;
	rb->dynamic = rb->timed = false;
	rb->sets = calloc((rb->words + 1) * SETS__N, sizeof(*rb->sets));
	if (!rb->sets)
		return SRP_ENOMEM;
	for (size_t i = 0; i < rb->n; i++)
		sets_enter(s, rb, i);
	return 0;
}

static int rulebases_build(struct ecs_service *s)
{
	uint32_t off_at = 0;

	TABLE_EACH(&s->rulebases, rulebase, rb) {
		LIST_EACH(rb, list)
			if (list_build(s, list))
				return SRP_ENOMEM;
		rb->off_at = off_at;
		off_at += rb->timed ? (uint32_t)rb->words : 0;
	}
	return 0;
}

int ecs_indexes_build(struct ecs_service *s)
{
	return lines_build(s) || gates_build(s) || rulebases_build(s) ? SRP_ENOMEM : 0;
}

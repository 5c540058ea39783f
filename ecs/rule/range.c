/* Ranges of L3/L4 conditions (range, <=, >=, host-pool, port-map), and imsi-pools, found by a segment tree for each
 * field: each range stands at the few nodes that it covers whole, and a value asks the nodes above
 * it. Looking costs the logarithm of the number of borders, and the ranges that the value is in. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

/** Where ranges begin, or the value behind their end; leaf i is all from border i up to the next. */
struct tree {
	struct ecs_addr *border;
	size_t n;
	uint32_t *at;   /**< ranges of node i are item[at[i]..at[i + 1]]; nodes 1 to 2n - 1 */
	uint16_t *item;
};

struct ranges {
	struct tree tree[ECS_F__N];
};

bool ecs_range_is(const struct cond *c)
{
	enum ecs_type t = ecs_fields[c->field].type;

	if (c->field == ECS_F_BEARER_IMSI)
		return c->in && !c->neg;
	return (t == T_ADDR || t == T_PORT) && !c->neg && (c->pool ? c->in != NULL : c->op != ECS_OP_EQ);
}

static int compare(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct ecs_addr));
}

/** The leaf in which @p a is; SIZE_MAX: before the first border. */
static size_t leaf_of(const struct tree *t, const struct ecs_addr *a)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (compare(&t->border[mid], a) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

/** The value after @p a; false: there is none. */
static bool next_addr(struct ecs_addr *a)
{
	for (int i = 15; i >= 0; i--)
		if (++a->b[i])
			return true;
	return false;
}

static void add_border(struct tree *t, const struct span *x)
{
	struct ecs_addr end = x->hi;

	t->border[t->n++] = x->lo;
	if (next_addr(&end))
		t->border[t->n++] = end;
}

/** Puts a pattern at the nodes of a range; while counting at[i + 1] is the number of node i. */
static void enter(struct tree *t, const struct span *x, uint16_t pattern)
{
	size_t l = leaf_of(t, &x->lo) + t->n, r = leaf_of(t, &x->hi) + 1 + t->n;

	for (; l < r; l /= 2, r /= 2) {
		size_t node[2], n = 0;

		if (l & 1)
			node[n++] = l++;
		if (r & 1)
			node[n++] = --r;
		for (size_t i = 0; i < n; i++) {
			if (t->item)
				t->item[t->at[node[i]]++] = pattern;
			else
				t->at[node[i] + 1]++;
		}
	}
}

static struct span span_of(const struct cond *c)
{
	if (ecs_fields[c->field].type == T_PORT)
		return (struct span){ecs_port_addr(c->lo), ecs_port_addr(c->hi), false};
	return (struct span){c->alo, c->ahi, c->v4};
}

/** Calls @p fn for the ranges of a field, each of its pattern: those of a pool once. */
static void each(struct ecs_service *s, unsigned field, struct tree *t,
                 void (*fn)(struct tree *t, const struct span *x, uint16_t pattern))
{
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++) {
			const struct cond *c = &r->lines[i].c;
			struct span x;

			if (c->field != field || c->pool || !ecs_range_is(c))
				continue;
			x = span_of(c);
			fn(t, &x, c->pattern);
		}
	TABLE_EACH(ecs_pools_of(s, field), pool, p)
		for (size_t i = 0; p->pattern[field] && i < p->nspans; i++)
			fn(t, &p->spans[i], (uint16_t)(p->pattern[field] - 1));
}

static void border_fn(struct tree *t, const struct span *x, uint16_t pattern)
{
	(void)pattern;
	add_border(t, x);
}

static void count_fn(struct tree *t, const struct span *x, uint16_t pattern)
{
	(void)x;
	(void)pattern;
	t->n += 2;
}

/** Gives each range its pattern. */
static void patterns(struct ecs_service *s, unsigned field)
{
	struct patterns *set = &s->sets[field];

	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++) {
			struct cond *c = &r->lines[i].c;
			struct pool *p;

			if (c->field != field || !ecs_range_is(c))
				continue;
			if (!c->pool) {
				c->pattern = (uint16_t)set->n++;
				continue;
			}
			p = (struct pool *)(void *)ecs_obj_find(ecs_pools_of(s, field), c->in->o.name);
			if (!p->pattern[field])
				p->pattern[field] = (uint16_t)++set->n;
			c->pattern = (uint16_t)(p->pattern[field] - 1);
		}
}

static int tree_build(struct ecs_service *s, unsigned field, struct tree *t)
{
	size_t n = 0;

	patterns(s, field);
	each(s, field, t, count_fn);
	if (!t->n)
		return 0;
	t->border = calloc(t->n, sizeof(*t->border));
	t->n = 0;
	if (!t->border)
		return SRP_ENOMEM;
	each(s, field, t, border_fn);
	qsort(t->border, t->n, sizeof(*t->border), compare);
	for (size_t i = 0; i < t->n; i++)
		if (i == 0 || compare(&t->border[n - 1], &t->border[i]) != 0)
			t->border[n++] = t->border[i];
	t->n = n;
	t->at = calloc(2 * n + 1, sizeof(*t->at));
	if (!t->at)
		return SRP_ENOMEM;
	each(s, field, t, enter);
	for (size_t i = 1; i <= 2 * n; i++)
		t->at[i] += t->at[i - 1];
	t->item = calloc(t->at[2 * n] + 1u, sizeof(*t->item));
	if (!t->item)
		return SRP_ENOMEM;
	each(s, field, t, enter); /* moves at[i] on to where node i + 1 begins */
	memmove(t->at + 1, t->at, 2 * n * sizeof(*t->at));
	t->at[0] = 0;
	return 0;
}

int ecs_ranges_build(struct ecs_service *s)
{
	int rc = 0;

	s->ranges = calloc(1, sizeof(*s->ranges));
	if (!s->ranges)
		return SRP_ENOMEM;
	for (unsigned f = 0; rc == 0 && f < ECS_F__N; f++)
		if (ecs_fields[f].type == T_ADDR || ecs_fields[f].type == T_PORT ||
		    f == ECS_F_BEARER_IMSI)
			rc = tree_build(s, f, &s->ranges->tree[f]);
	return rc;
}

void ecs_ranges_free(struct ranges *r)
{
	if (!r)
		return;
	for (unsigned f = 0; f < ECS_F__N; f++) {
		free(r->tree[f].border);
		free(r->tree[f].at);
		free(r->tree[f].item);
	}
	free(r);
}

/** Whom to tell, and of which fields. */
struct search {
	const struct ranges *ranges;
	uint64_t fields;
	exact_hit_fn *fn;
	void *arg;
};

static void find(const struct search *q, unsigned field, const struct ecs_addr *a)
{
	const struct tree *t = &q->ranges->tree[field];
	size_t leaf = q->fields & FIELD_BIT(field) && t->n ? leaf_of(t, a) : SIZE_MAX;

	if (leaf == SIZE_MAX)
		return;
	for (size_t i = leaf + t->n; i >= 1; i /= 2)
		for (uint32_t k = t->at[i]; k < t->at[i + 1]; k++)
			q->fn(q->arg, field, t->item[k]);
}

void ecs_ranges_find(const struct ecs_service *s, const struct ecs_packet *p, uint64_t fields,
                     exact_hit_fn *fn, void *arg)
{
	const struct search q = {s->ranges, fields, fn, arg};
	enum proto_class proto = ecs_proto_class(p->proto);
	bool up = p->dir == ECS_UPLINK, tcp = proto == PROTO_TCP;
	struct ecs_addr sport, dport;

	find(&q, ECS_F_IP_SRC, &p->src);
	find(&q, ECS_F_IP_DST, &p->dst);
	find(&q, ECS_F_IP_SERVER, up ? &p->dst : &p->src);
	find(&q, ECS_F_IP_SUBSCRIBER, up ? &p->src : &p->dst);
	if (!tcp && proto != PROTO_UDP)
		return;
	sport = ecs_port_addr(p->sport);
	dport = ecs_port_addr(p->dport);
	find(&q, tcp ? ECS_F_TCP_SPORT : ECS_F_UDP_SPORT, &sport);
	find(&q, tcp ? ECS_F_TCP_DPORT : ECS_F_UDP_DPORT, &dport);
	find(&q, tcp ? ECS_F_TCP_EPORT : ECS_F_UDP_EPORT, &sport);
	find(&q, tcp ? ECS_F_TCP_EPORT : ECS_F_UDP_EPORT, &dport);
}

void ecs_ranges_find_imsi(const struct ecs_service *s, const char *imsi, exact_hit_fn *fn, void *arg)
{
	const struct search q = {s->ranges, FIELD_BIT(ECS_F_BEARER_IMSI), fn, arg};
	struct ecs_addr a;

	if (s->ranges->tree[ECS_F_BEARER_IMSI].n && ecs_imsi_addr(imsi, &a))
		find(&q, ECS_F_BEARER_IMSI, &a);
}

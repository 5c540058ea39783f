/* host-pools, port-maps and imsi-pools: ranges under a name. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#define IMSI_DIGITS 15u

/** A field whose lines name pools of this kind. */
static unsigned field_of(const struct ecs_service *s, const struct obj_table *t)
{
	return t == &s->port_maps    ? ECS_F_TCP_SPORT
	       : t == &s->imsi_pools ? ECS_F_BEARER_IMSI
	                             : ECS_F_IP_SRC;
}

const struct obj_table *ecs_pools_of(const struct ecs_service *s, unsigned field)
{
	return ecs_fields[field].type == T_PORT ? &s->port_maps
	       : field == ECS_F_BEARER_IMSI     ? &s->imsi_pools
	                                        : &s->host_pools;
}

const char *ecs_pool_word(unsigned field)
{
	return ecs_fields[field].type == T_PORT ? "port-map"
	       : field == ECS_F_BEARER_IMSI     ? "imsi-pool"
	                                        : "host-pool";
}

int ecs_name_free(const struct ecs_service *s, const struct obj_table *t, const char *name,
                  struct ecs_err *e)
{
	const struct obj_table *space[] = {&s->ruledefs, &s->groups, &s->host_pools, &s->port_maps,
	                                   &s->imsi_pools};

	for (size_t i = 0; i < sizeof(space) / sizeof(space[0]); i++)
		if (space[i] != t && ecs_obj_find(space[i], name))
			return ecs_refuse(e, SRP_EDUP, "%s is the name of a %s", name,
			                  space[i]->what);
	return 0;
}

static void line_free(struct pool_line *l)
{
	free(l->a);
	free(l->b);
}

void ecs_hosts_fini(struct obj *o)
{
	struct pool *p = (struct pool *)(void *)o;

	for (size_t i = 0; i < p->n; i++)
		line_free(&p->lines[i]);
	free(p->lines);
	free(p->spans);
}

static int pool_open(struct ecs_service *s, struct obj_table *t, const char *name, bool no,
                     struct ecs_err *e)
{
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	if (rc == 0 && !no)
		rc = ecs_name_free(s, t, name, e);
	return rc ? rc : ecs_obj_open(t, name, no, e, &o);
}

int ecs_service_host_pool(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	return pool_open(s, &s->host_pools, name, no, e);
}

int ecs_service_port_map(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	return pool_open(s, &s->port_maps, name, no, e);
}

int ecs_service_imsi_pool(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	return pool_open(s, &s->imsi_pools, name, no, e);
}

static int line_add(struct pool *p, const struct span *x, const char *a, const char *b,
                    struct ecs_err *e)
{
	struct pool_line *v;

	if (p->n >= ECS_POOL_LINES)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d lines", ECS_POOL_LINES);
	v = ecs_array_more(p->lines, p->n, sizeof(*v));
	if (!v)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	p->lines = v;
	v[p->n] = (struct pool_line){strdup(a), b[0] ? strdup(b) : NULL, *x};
	if (!v[p->n].a || (b[0] && !v[p->n].b)) {
		line_free(&v[p->n]);
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	}
	p->n++;
	return 0;
}

static int pool_line(struct ecs_service *s, struct obj_table *t, const char *name, bool no,
                     const char *a, const char *b, struct ecs_err *e)
{
	char ta[VALUE_MAX + 1] = "", tb[VALUE_MAX + 1] = "";
	struct pool *p;
	struct span x;
	size_t i = 0;
	struct obj *o;
	int rc = ecs_obj_edit(s, t, name, &o, e);

	if (rc)
		return rc;
	p = (struct pool *)(void *)o;
	rc = ecs_span_read(field_of(s, t), a, b, &x, ta, tb, e);
	if (rc)
		return rc;
	while (i < p->n && (strcmp(p->lines[i].a, ta) != 0 ||
	                    strcmp(p->lines[i].b ? p->lines[i].b : "", tb) != 0))
		i++;
	if (!no)
		return i < p->n ? 0 : line_add(p, &x, ta, tb, e);
	if (i == p->n)
		return ecs_refuse(e, SRP_ENOENT, "%s %s has no such line", t->what, p->o.name);
	line_free(&p->lines[i]);
	memmove(&p->lines[i], &p->lines[i + 1], (--p->n - i) * sizeof(*p->lines));
	return 0;
}

int ecs_service_host_line(struct ecs_service *s, const char *pool, bool no, const char *a,
                          const char *b, struct ecs_err *e)
{
	return pool_line(s, &s->host_pools, pool, no, a, b, e);
}

int ecs_service_port_line(struct ecs_service *s, const char *map, bool no, const char *a,
                          const char *b, struct ecs_err *e)
{
	return pool_line(s, &s->port_maps, map, no, a, b, e);
}

int ecs_service_imsi_line(struct ecs_service *s, const char *pool, bool no, const char *a,
                          const char *b, struct ecs_err *e)
{
	return pool_line(s, &s->imsi_pools, pool, no, a, b, e);
}

/* --- made at commit --------------------------------------------------------------------------- */

struct ecs_addr ecs_port_addr(uint16_t port)
{
	return (struct ecs_addr){{(uint8_t)(port >> 8), (uint8_t)port}};
}

bool ecs_imsi_addr(const char *imsi, struct ecs_addr *out)
{
	size_t n = strspn(imsi, "0123456789");
	uint64_t v = 0;

	if (n < 1 || n > IMSI_DIGITS || imsi[n])
		return false;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (uint64_t)(imsi[i] - '0');
	*out = (struct ecs_addr){{(uint8_t)n}};
	for (unsigned i = 0; i < 8; i++)
		out->b[15 - i] = (uint8_t)(v >> (8 * i));
	return true;
}

static int span_cmp(const void *x, const void *y)
{
	const struct span *a = x, *b = y;

	if (a->v4 != b->v4)
		return a->v4 ? -1 : 1;
	return memcmp(&a->lo, &b->lo, sizeof(a->lo));
}

/** Sorts the ranges of a pool, and joins those that overlap: what it holds, however it is said. */
static int merge(struct pool *p, struct canon *c)
{
	size_t n = 0;

	p->spans = calloc(p->n ? p->n : 1, sizeof(*p->spans));
	if (!p->spans)
		return SRP_ENOMEM;
	for (size_t i = 0; i < p->n; i++)
		p->spans[i] = p->lines[i].span;
	qsort(p->spans, p->n, sizeof(*p->spans), span_cmp);
	for (size_t i = 0; i < p->n; i++) {
		struct span *last = n ? &p->spans[n - 1] : NULL, x = p->spans[i];

		if (last && last->v4 == x.v4 && memcmp(&x.lo, &last->hi, sizeof(x.lo)) <= 0) {
			if (memcmp(&x.hi, &last->hi, sizeof(x.hi)) > 0)
				last->hi = x.hi;
			continue;
		}
		p->spans[n++] = x;
	}
	p->nspans = n;
	p->nv4 = 0;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *b[] = {p->spans[i].lo.b, p->spans[i].hi.b};

		p->nv4 += p->spans[i].v4;
		ecs_canon_u64(c, p->spans[i].v4);
		for (size_t k = 0; k < 4; k++) {
			uint64_t v = 0;

			for (size_t j = 0; j < 8; j++)
				v = v << 8 | b[k / 2][k % 2 * 8 + j];
			ecs_canon_u64(c, v);
		}
	}
	p->digest = ecs_canon_digest(c);
	memset(p->pattern, 0, sizeof(p->pattern));
	p->used = false;
	return c->failed ? SRP_ENOMEM : 0;
}

int ecs_hosts_build(struct ecs_service *s)
{
	struct canon c = {0};
	int rc = 0;

	TABLE_EACH(&s->host_pools, pool, p)
		rc = rc ? rc : merge(p, &c);
	TABLE_EACH(&s->port_maps, pool, p)
		rc = rc ? rc : merge(p, &c);
	TABLE_EACH(&s->imsi_pools, pool, p)
		rc = rc ? rc : merge(p, &c);
	ecs_canon_free(&c);
	if (rc)
		return rc;
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++) {
			struct rule_line *l = &r->lines[i];
			struct pool *p;

			if (!l->c.pool)
				continue;
			p = (struct pool *)(void *)ecs_obj_find(ecs_pools_of(s, l->c.field), l->a);
			l->c.in = p;
			if (p)
				p->used = true;
		}
	return 0;
}

void ecs_hosts_drop(struct ecs_service *s)
{
	TABLE_EACH(&s->host_pools, pool, p) {
		free(p->spans);
		p->spans = NULL;
	}
	TABLE_EACH(&s->port_maps, pool, p) {
		free(p->spans);
		p->spans = NULL;
	}
	TABLE_EACH(&s->imsi_pools, pool, p) {
		free(p->spans);
		p->spans = NULL;
	}
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++)
			r->lines[i].c.in = NULL;
}

bool ecs_hosts_has(const struct pool *p, const struct ecs_addr *a, bool v4)
{
	size_t lo = v4 ? 0 : p->nv4, first = lo, hi = v4 ? p->nv4 : p->nspans;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (memcmp(&p->spans[mid].lo, a, sizeof(*a)) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > first && memcmp(a, &p->spans[lo - 1].hi, sizeof(*a)) <= 0;
}

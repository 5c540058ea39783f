/* Exact values of L3/L4 conditions (`= address`, `= prefix`, `= port`), found by hash: of thousands
 * of rules by address or port only those that name what a packet has are looked at. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#define PREFIXES 129

/** A value: an address cut to a prefix length, or a port in its first two bytes. */
struct exact {
	struct ecs_addr a;
	uint8_t field, len;
	uint16_t pattern;
};

struct exacts {
	struct exact *v;
	size_t n;
	uint32_t *slot; /**< index + 1 into v; 0 free */
	size_t mask;
	uint8_t len[ECS_F__N][PREFIXES]; /**< prefix lengths that occur */
	uint8_t nlen[ECS_F__N];
};

bool ecs_exact_is(const struct cond *c)
{
	enum ecs_type t = ecs_fields[c->field].type;

	return c->op == ECS_OP_EQ && !c->pool && (t == T_ADDR || t == T_PORT);
}

static size_t slot_of(const struct exacts *x, const struct exact *v)
{
	uint64_t hi, lo;

	memcpy(&hi, v->a.b, 8);
	memcpy(&lo, v->a.b + 8, 8);
	hi = (hi ^ ((uint64_t)v->field << 8 | v->len)) * 0x9e3779b97f4a7c15u;
	lo = (lo ^ hi ^ (hi >> 29)) * 0xbf58476d1ce4e5b9u;
	return (size_t)(lo >> 32) & x->mask;
}

static bool equal(const struct exact *a, const struct exact *b)
{
	return a->field == b->field && a->len == b->len && memcmp(&a->a, &b->a, sizeof(a->a)) == 0;
}

static struct exact *look_up(const struct exacts *x, const struct exact *key)
{
	for (size_t i = slot_of(x, key); x->slot[i]; i = (i + 1) & x->mask)
		if (equal(&x->v[x->slot[i] - 1], key))
			return &x->v[x->slot[i] - 1];
	return NULL;
}

static struct exact port_key(unsigned field, uint16_t port)
{
	struct exact k = {.field = (uint8_t)field, .len = 16};

	k.a.b[0] = (uint8_t)(port >> 8);
	k.a.b[1] = (uint8_t)port;
	return k;
}

static struct exact addr_key(unsigned field, const struct ecs_addr *a, unsigned len)
{
	struct exact k = {.field = (uint8_t)field, .len = (uint8_t)len};

	memcpy(k.a.b, a->b, len / 8);
	if (len % 8)
		k.a.b[len / 8] = (uint8_t)(a->b[len / 8] & ~(0xffu >> (len % 8)));
	return k;
}

/** The prefix length of a condition that is a prefix: its range differs in the host bits. */
static unsigned prefix_of(const struct cond *c)
{
	unsigned len = 128;

	for (unsigned i = 0; i < 16; i++)
		len -= (unsigned)__builtin_popcount((unsigned)(c->alo.b[i] ^ c->ahi.b[i]));
	return len;
}

static void add(struct ecs_service *s, struct exacts *x, struct cond *c)
{
	bool port = ecs_fields[c->field].type == T_PORT;
	struct exact key =
		port ? port_key(c->field, c->lo) : addr_key(c->field, &c->alo, prefix_of(c));
	struct exact *v = look_up(x, &key);
	size_t i;

	if (!v) {
		v = &x->v[x->n++];
		*v = key;
		v->pattern = (uint16_t)s->sets[c->field].n++;
		for (i = slot_of(x, v); x->slot[i]; i = (i + 1) & x->mask)
			;
		x->slot[i] = (uint32_t)x->n;
		if (!port && !memchr(x->len[c->field], key.len, x->nlen[c->field]))
			x->len[c->field][x->nlen[c->field]++] = key.len;
	}
	c->pattern = v->pattern;
}

int ecs_exacts_build(struct ecs_service *s)
{
	size_t n = 0, slots = 16;
	struct exacts *x;

	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++)
			n += ecs_exact_is(&r->lines[i].c);
	while (slots < n * 2)
		slots *= 2;
	s->exacts = x = calloc(1, sizeof(*x));
	if (!x)
		return SRP_ENOMEM;
	x->mask = slots - 1;
	x->v = calloc(n ? n : 1, sizeof(*x->v));
	x->slot = calloc(slots, sizeof(*x->slot));
	if (!x->v || !x->slot)
		return SRP_ENOMEM;
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++)
			if (ecs_exact_is(&r->lines[i].c))
				add(s, x, &r->lines[i].c);
	return 0;
}

void ecs_exacts_free(struct exacts *x)
{
	if (!x)
		return;
	free(x->v);
	free(x->slot);
	free(x);
}

/** Whom to tell, and of which fields. */
struct search {
	const struct exacts *x;
	uint64_t fields;
	exact_hit_fn *fn;
	void *arg;
};

static void find_addr(const struct search *q, unsigned field, const struct ecs_addr *a)
{
	unsigned n = q->fields & FIELD_BIT(field) ? q->x->nlen[field] : 0;

	for (unsigned i = 0; i < n; i++) {
		struct exact key = addr_key(field, a, q->x->len[field][i]);
		const struct exact *v = look_up(q->x, &key);

		if (v)
			q->fn(q->arg, field, v->pattern);
	}
}

static void find_port(const struct search *q, unsigned field, uint16_t port)
{
	struct exact key = port_key(field, port);
	const struct exact *v = q->fields & FIELD_BIT(field) ? look_up(q->x, &key) : NULL;

	if (v)
		q->fn(q->arg, field, v->pattern);
}

void ecs_exacts_find(const struct ecs_service *s, const struct ecs_packet *p, uint64_t fields,
                     exact_hit_fn *fn, void *arg)
{
	const struct search q = {s->exacts, fields, fn, arg};
	bool up = p->dir == ECS_UPLINK;

	find_addr(&q, ECS_F_IP_SRC, &p->src);
	find_addr(&q, ECS_F_IP_DST, &p->dst);
	find_addr(&q, ECS_F_IP_SERVER, up ? &p->dst : &p->src);
	find_addr(&q, ECS_F_IP_SUBSCRIBER, up ? &p->src : &p->dst);
	switch (ecs_proto_class(p->proto)) {
	case PROTO_TCP:
		find_port(&q, ECS_F_TCP_SPORT, p->sport);
		find_port(&q, ECS_F_TCP_DPORT, p->dport);
		find_port(&q, ECS_F_TCP_EPORT, p->sport);
		find_port(&q, ECS_F_TCP_EPORT, p->dport);
		break;
	case PROTO_UDP:
		find_port(&q, ECS_F_UDP_SPORT, p->sport);
		find_port(&q, ECS_F_UDP_DPORT, p->dport);
		find_port(&q, ECS_F_UDP_EPORT, p->sport);
		find_port(&q, ECS_F_UDP_EPORT, p->dport);
		break;
	case PROTO_ICMP:
	case PROTO_OTHER:
	case PROTO__N:
		break;
	}
}

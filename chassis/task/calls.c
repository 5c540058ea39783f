#include "config.h"
#include "chassis/task/calls.h"

#include <stdlib.h>
#include <string.h>

#include "chassis/task/hash.h"
#include "srp/err.h"

struct entry {
	struct chassis_call call;
	UT_hash_handle by_id, by_v4, by_v6;
};

struct chassis_calls {
	struct entry *id, *v4, *v6;
	struct entry *aside; /* by call-id: an address of theirs is another call's */
	unsigned bit;
	uint32_t next;
	size_t of[CHASSIS_SESSMGRS_MAX + 1];
	uint64_t cursor[CHASSIS_POOLS_MAX]; /* last address given, by hash of the pool's name */
};

struct ecs_addr chassis_addr_prefix(const struct ecs_addr *a)
{
	struct ecs_addr p = *a;

	if (!ecs_addr_is4(a))
		memset(p.b + 8, 0, 8);
	return p;
}

struct chassis_calls *chassis_calls_new(unsigned chassis_bit, uint32_t start)
{
	struct chassis_calls *c = calloc(1, sizeof(*c));

	if (c) {
		c->bit = chassis_bit;
		c->next = start & ~CHASSIS_CALL_BIT;
	}
	return c;
}

static struct entry *by_id(const struct chassis_calls *c, uint32_t callid)
{
	struct entry *e;

	HASH_FIND(by_id, c->id, &callid, sizeof(callid), e);
	return e;
}

static struct entry *by_addr(const struct chassis_calls *c, const struct ecs_addr *a)
{
	struct ecs_addr p = chassis_addr_prefix(a);
	struct entry *e;

	if (ecs_addr_is4(&p))
		HASH_FIND(by_v4, c->v4, &p, sizeof(p), e);
	else
		HASH_FIND(by_v6, c->v6, &p, sizeof(p), e);
	return e;
}

static void unlink_entry(struct chassis_calls *c, struct entry *e)
{
	HASH_DELETE(by_id, c->id, e);
	if (e->call.has4)
		HASH_DELETE(by_v4, c->v4, e);
	if (e->call.has6)
		HASH_DELETE(by_v6, c->v6, e);
	c->of[e->call.instance]--;
}

static void link_entry(struct chassis_calls *c, struct entry *e)
{
	HASH_ADD(by_id, c->id, call.callid, sizeof(e->call.callid), e);
	if (e->call.has4)
		HASH_ADD(by_v4, c->v4, call.v4, sizeof(e->call.v4), e);
	if (e->call.has6)
		HASH_ADD(by_v6, c->v6, call.v6, sizeof(e->call.v6), e);
	c->of[e->call.instance]++;
}

static void aside_free(struct chassis_calls *c, struct entry *e)
{
	HASH_DELETE(by_id, c->aside, e);
	free(e);
}

static struct entry *aside_find(const struct chassis_calls *c, uint32_t callid)
{
	struct entry *e;

	HASH_FIND(by_id, c->aside, &callid, sizeof(callid), e);
	return e;
}

void chassis_calls_free(struct chassis_calls *c)
{
	struct entry *e, *tmp;

	if (!c)
		return;
	HASH_ITER(by_id, c->id, e, tmp) {
		unlink_entry(c, e);
		free(e);
	}
	HASH_ITER(by_id, c->aside, e, tmp)
		aside_free(c, e);
	free(c);
}

/* Another call that holds one of the addresses, or NULL. */
static struct entry *holder_of(const struct chassis_calls *c, const struct chassis_call *call)
{
	struct entry *e = call->has4 ? by_addr(c, &call->v4) : NULL;

	if (!e || e->call.callid == call->callid)
		e = call->has6 ? by_addr(c, &call->v6) : NULL;
	return e && e->call.callid != call->callid ? e : NULL;
}

int chassis_calls_add(struct chassis_calls *c, const struct chassis_call *call, uint32_t *holder)
{
	struct entry *e = holder_of(c, call);

	if (e) {
		*holder = e->call.callid;
		return SRP_EDUP;
	}
	e = aside_find(c, call->callid);
	if (e)
		aside_free(c, e);
	e = by_id(c, call->callid);
	if (e) {
		unlink_entry(c, e);
	} else {
		e = calloc(1, sizeof(*e));
		if (!e)
			return SRP_ENOMEM;
	}
	e->call = *call;
	e->call.v4 = chassis_addr_prefix(&call->v4);
	e->call.v6 = chassis_addr_prefix(&call->v6);
	link_entry(c, e);
	return SRP_OK;
}

int chassis_calls_remove(struct chassis_calls *c, uint32_t callid, unsigned instance)
{
	struct entry *e = by_id(c, callid);

	if (e && e->call.instance == instance) {
		unlink_entry(c, e);
		free(e);
		return SRP_OK;
	}
	e = aside_find(c, callid);
	if (!e || e->call.instance != instance)
		return SRP_ENOENT;
	aside_free(c, e);
	return SRP_OK;
}

/* Forgets calls of an instance; @p told NULL: all of them, else those it did not tell at that time. */
static size_t forget(struct chassis_calls *c, unsigned instance, const uint32_t *told,
                     void (*fn)(void *arg, const struct chassis_call *call), void *arg)
{
	struct entry *e, *tmp;
	size_t n = 0;

	HASH_ITER(by_id, c->id, e, tmp) {
		if (e->call.instance != instance || (told && e->call.told == *told))
			continue;
		fn(arg, &e->call);
		unlink_entry(c, e);
		free(e);
		n++;
	}
	HASH_ITER(by_id, c->aside, e, tmp)
		if (e->call.instance == instance && !(told && e->call.told == *told))
			aside_free(c, e);
	return n;
}

size_t chassis_calls_drop(struct chassis_calls *c, unsigned instance,
                          void (*fn)(void *arg, const struct chassis_call *call), void *arg)
{
	return forget(c, instance, NULL, fn, arg);
}

size_t chassis_calls_sweep(struct chassis_calls *c, unsigned instance, uint32_t told,
                           void (*fn)(void *arg, const struct chassis_call *call), void *arg)
{
	return forget(c, instance, &told, fn, arg);
}

void chassis_calls_touch(struct chassis_calls *c, uint32_t callid, uint32_t told)
{
	struct entry *e = by_id(c, callid);

	if (e)
		e->call.told = told;
}

int chassis_calls_put_aside(struct chassis_calls *c, const struct chassis_call *call)
{
	struct chassis_call kept = *call; /* it may be the very one that goes */
	struct entry *e;

	(void)chassis_calls_remove(c, kept.callid, kept.instance);
	e = aside_find(c, kept.callid);
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return SRP_ENOMEM;
		e->call.callid = kept.callid;
		HASH_ADD(by_id, c->aside, call.callid, sizeof(e->call.callid), e);
	}
	e->call = kept;
	return SRP_OK;
}

void chassis_calls_aside(const struct chassis_calls *c,
                         void (*fn)(void *arg, const struct chassis_call *call), void *arg)
{
	struct entry *e, *tmp;

	HASH_ITER(by_id, c->aside, e, tmp)
		fn(arg, &e->call);
}

const struct chassis_call *chassis_calls_find(const struct chassis_calls *c, uint32_t callid)
{
	struct entry *e = by_id(c, callid);

	return e ? &e->call : NULL;
}

const struct chassis_call *chassis_calls_by_addr(const struct chassis_calls *c,
                                                 const struct ecs_addr *a)
{
	struct entry *e = by_addr(c, a);

	return e ? &e->call : NULL;
}

uint32_t chassis_calls_id(struct chassis_calls *c)
{
	uint32_t id;

	/* 2^31 ids and far fewer calls: a free one comes soon. 0 means "none" and is never given. */
	do {
		c->next = (c->next + 1) & ~CHASSIS_CALL_BIT;
		id = c->next | (c->bit ? CHASSIS_CALL_BIT : 0);
	} while (c->next == 0 || by_id(c, id) || aside_find(c, id));
	return id;
}

size_t chassis_calls_of(const struct chassis_calls *c, unsigned instance)
{
	return c->of[instance];
}

size_t chassis_calls_count(const struct chassis_calls *c)
{
	return HASH_CNT(by_id, c->id);
}

unsigned chassis_calls_place(const struct chassis_calls *c, unsigned n,
                             bool (*usable)(void *arg, unsigned instance), void *arg)
{
	unsigned best = 0;

	for (unsigned i = 1; i <= n; i++)
		if (usable(arg, i) && (!best || c->of[i] < c->of[best]))
			best = i;
	return best;
}

/* Bits of a pool that tell its subscribers apart: hosts of IPv4, /64 prefixes of IPv6. */
static unsigned pool_bits(const struct chassis_pool *p)
{
	unsigned whole = p->v6 ? 64 : 32;

	return p->len >= whole ? 0 : whole - p->len;
}

static struct ecs_addr pool_member(const struct chassis_pool *p, uint64_t n)
{
	struct ecs_addr a = p->prefix;
	size_t last = p->v6 ? 7 : 15;

	for (size_t i = 0; i < 8 && n; i++, n >>= 8)
		a.b[last - i] = (uint8_t)(a.b[last - i] | (n & 0xff));
	return a;
}

int chassis_calls_address(struct chassis_calls *c, const struct chassis_pool *pool,
                          struct ecs_addr *out)
{
	unsigned bits = pool_bits(pool);
	uint64_t size = bits >= 32 ? UINT32_MAX : (uint64_t)1 << bits;
	/* The network's own and the broadcast address are not subscribers. */
	uint64_t first = bits && !pool->v6 ? 1 : 0, last = size - (bits > 1 && !pool->v6 ? 2 : 1);
	uint64_t *cursor, tries = last - first + 1;
	unsigned h = 0;

	for (const char *s = pool->name; *s; s++)
		h = h * 31 + (unsigned char)*s;
	cursor = &c->cursor[h % CHASSIS_POOLS_MAX];
	/* A nearly full pool is not searched to the end at once. */
	for (uint64_t i = 0; i < tries && i < 65536; i++) {
		uint64_t n = *cursor < first || *cursor > last ? first : *cursor;

		*cursor = n + 1;
		*out = pool_member(pool, n);
		if (!by_addr(c, out))
			return SRP_OK;
	}
	return SRP_EFULL;
}

void chassis_spec_put(struct srp_mp_w *w, const struct ecs_session_spec *s)
{
	srp_mp_w_uint(w, s->callid);
	srp_mp_w_str(w, s->imsi);
	srp_mp_w_str(w, s->username);
	srp_mp_w_str(w, s->apn);
	srp_mp_w_str(w, s->rulebase);
	srp_mp_w_uint(w, (s->has4 ? 1u : 0u) | (s->has6 ? 2u : 0u));
	srp_mp_w_bin(w, s->v4.b, sizeof(s->v4.b));
	srp_mp_w_bin(w, s->v6.b, sizeof(s->v6.b));
	srp_mp_w_uint(w, s->qci);
	srp_mp_w_uint(w, s->arp);
	srp_mp_w_uint(w, s->idle_timeout);
}

static void get_addr(struct srp_mp_r *r, struct ecs_addr *out)
{
	size_t n;
	const uint8_t *p = srp_mp_bin(r, sizeof(out->b), sizeof(out->b), &n);

	if (p)
		memcpy(out->b, p, sizeof(out->b));
}

void chassis_spec_get(struct srp_mp_r *r, struct ecs_session_spec *out)
{
	uint64_t has;

	memset(out, 0, sizeof(*out));
	out->callid = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	srp_mp_str(r, out->imsi, sizeof(out->imsi));
	srp_mp_str(r, out->username, sizeof(out->username));
	srp_mp_str(r, out->apn, sizeof(out->apn));
	srp_mp_str(r, out->rulebase, sizeof(out->rulebase));
	has = srp_mp_uint(r, 3);
	out->has4 = has & 1;
	out->has6 = has & 2;
	get_addr(r, &out->v4);
	get_addr(r, &out->v6);
	out->qci = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	out->arp = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	out->idle_timeout = (uint32_t)srp_mp_uint(r, UINT32_MAX);
}

/* session_table: sessions by their call-id and by their addresses, and a walk over all of them that
 * can be broken off. */
#include "config.h"
#include "ecs/session.h"

#include <string.h>

#include "ecs/engine_impl.h"

static uint64_t addr_hash(const struct ecs_addr *a, bool v6, uint64_t seed)
{
	uint64_t w;

	memcpy(&w, v6 ? a->b : a->b + 8, sizeof(w));
	return ecs_hash_mix(w ^ ECS_HASH_K0, seed ^ ECS_HASH_K1);
}

static uint64_t callid_hash(uint32_t callid, uint64_t seed)
{
	return ecs_hash_mix(callid ^ ECS_HASH_K2, seed ^ ECS_HASH_K0);
}

static uint64_t session_callid_hash(const void *obj, uint64_t seed)
{
	return callid_hash(((const struct ecs_session *)obj)->spec.callid, seed);
}

static uint64_t session_v4_hash(const void *obj, uint64_t seed)
{
	return addr_hash(&((const struct ecs_session *)obj)->spec.v4, false, seed);
}

static uint64_t session_v6_hash(const void *obj, uint64_t seed)
{
	return addr_hash(&((const struct ecs_session *)obj)->spec.v6, true, seed);
}

int ecs_sessions_init(struct ecs_engine *e)
{
	size_t n = e->conf.sessions_expected;
	uint64_t seed = e->conf.seed;
	int err;

	err = ecs_chain_init(&e->by_callid, n, offsetof(struct ecs_session, by_callid),
	                     session_callid_hash, seed);
	if (!err)
		err = ecs_chain_init(&e->by_v4, n, offsetof(struct ecs_session, by_v4),
		                     session_v4_hash, ecs_hash_mix(seed, ECS_HASH_K1));
	if (!err)
		err = ecs_chain_init(&e->by_v6, n, offsetof(struct ecs_session, by_v6),
		                     session_v6_hash, ecs_hash_mix(seed, ECS_HASH_K2));
	return err;
}

struct ecs_session *ecs_session_find(struct ecs_engine *e, uint32_t callid)
{
	struct ecs_session *s = e->found;

	if (s && s->spec.callid == callid)
		return s;
	s = *ecs_chain_head(&e->by_callid, callid_hash(callid, e->by_callid.seed));
	while (s && s->spec.callid != callid)
		s = s->by_callid;
	if (s)
		e->found = s;
	return s;
}

void ecs_session_expect(const struct ecs_engine *e, uint32_t callid)
{
	ecs_chain_expect(&e->by_callid, callid_hash(callid, e->by_callid.seed));
}

static struct ecs_session *by_v4(const struct ecs_engine *e, const struct ecs_addr *a)
{
	struct ecs_session *s = *ecs_chain_head(&e->by_v4, addr_hash(a, false, e->by_v4.seed));

	while (s && memcmp(&s->spec.v4, a, sizeof(*a)) != 0)
		s = s->by_v4;
	return s;
}

static struct ecs_session *by_v6(const struct ecs_engine *e, const struct ecs_addr *a)
{
	struct ecs_session *s = *ecs_chain_head(&e->by_v6, addr_hash(a, true, e->by_v6.seed));

	while (s && memcmp(s->spec.v6.b, a->b, 8) != 0)
		s = s->by_v6;
	return s;
}

struct ecs_session *ecs_session_by_addr(struct ecs_engine *e, const struct ecs_addr *a)
{
	return ecs_addr_is4(a) ? by_v4(e, a) : by_v6(e, a);
}

/* Sessions in an order that neither growth of the table nor the end of a session disturbs: by their
 * hash, read from its lowest bit on (so that a bucket's neighbours stay neighbours). */
static uint64_t reversed(uint64_t v)
{
	v = (v >> 1 & 0x5555555555555555u) | (v & 0x5555555555555555u) << 1;
	v = (v >> 2 & 0x3333333333333333u) | (v & 0x3333333333333333u) << 2;
	v = (v >> 4 & 0x0f0f0f0f0f0f0f0fu) | (v & 0x0f0f0f0f0f0f0f0fu) << 4;
	return __builtin_bswap64(v);
}

static uint64_t order(const struct ecs_engine *e, uint32_t callid)
{
	return reversed(callid_hash(callid, e->by_callid.seed));
}

bool ecs_session_passed(const struct ecs_engine *e, uint32_t callid, uint32_t at)
{
	return at && order(e, callid) <= order(e, at);
}

struct ecs_session *ecs_session_next(struct ecs_engine *e, uint32_t callid)
{
	const struct ecs_chain *c = &e->by_callid;
	uint64_t after = callid ? order(e, callid) : 0;
	uint64_t step = reversed((uint64_t)c->mask); /* the bucket's bits, at the top */
	uint64_t bucket = after & step;

	for (;;) {
		struct ecs_session *s = *ecs_chain_head(c, reversed(bucket)), *best = NULL;
		uint64_t best_at = 0;

		for (; s; s = s->by_callid) {
			uint64_t at = order(e, s->spec.callid);

			if ((at & step) != bucket || (callid && at <= after))
				continue;
			if (!best || at < best_at) {
				best = s;
				best_at = at;
			}
		}
		if (best)
			return best;
		bucket = ((bucket | ~step) + 1) & step;
		if (bucket == 0)
			return NULL;
	}
}

bool ecs_session_held(struct ecs_engine *e, const struct ecs_session_spec *spec,
                      const struct ecs_session *self)
{
	const struct ecs_session *s;

	if (spec->has4 && (s = by_v4(e, &spec->v4)) != NULL && s != self)
		return true;
	return spec->has6 && (s = by_v6(e, &spec->v6)) != NULL && s != self;
}

void ecs_session_link_addrs(struct ecs_engine *e, struct ecs_session *s)
{
	if (s->spec.has4)
		ecs_chain_insert(&e->by_v4, s);
	if (s->spec.has6) {
		memset(s->spec.v6.b + 8, 0, 8);
		ecs_chain_insert(&e->by_v6, s);
	}
}

void ecs_session_link(struct ecs_engine *e, struct ecs_session *s)
{
	ecs_chain_insert(&e->by_callid, s);
}

void ecs_session_unlink(struct ecs_engine *e, struct ecs_session *s)
{
	ecs_chain_remove(&e->by_callid, s);
	if (e->found == s)
		e->found = NULL;
}

void ecs_session_unlink_addrs(struct ecs_engine *e, struct ecs_session *s)
{
	if (s->spec.has4)
		ecs_chain_remove(&e->by_v4, s);
	if (s->spec.has6)
		ecs_chain_remove(&e->by_v6, s);
}

#include "config.h"
#include "recovery/replica_impl.h"

#include <string.h>

#include "srp/hash.h"

struct srp_ckpt_ctx recovery_ctx(const struct recovery_replica *r, const struct recovery_kind *rk,
                                 struct srp_time now, bool canonical)
{
	return (struct srp_ckpt_ctx){.now = now, .owner = r->conf.ckpt_owner, .replica = r->conf.id,
	                             .canonical = canonical, .ver = rk->ver, .kind = rk->k};
}

/* Eight bytes, big endian. */
static inline uint8_t *be64(uint8_t *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

/* Hashed: kind, the key as three 64-bit numbers, term, version (big endian), then the fields. */
uint64_t recovery_obj_hash(struct recovery_replica *r, const struct recovery_kind *rk,
                           const struct srp_ckpt_obj *o, struct srp_time now)
{
	const struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, true);
	struct srp_ckpt_key key = {{0}};
	uint8_t *p = r->scratch;
	struct srp_mp_w w;
	uint64_t h;

	rk->k->key(o, &key);
	*p++ = rk->k->id;
	for (unsigned i = 0; i < 3; i++)
		p = be64(p, i < rk->k->nkey ? key.k[i] : 0);
	p = be64(p, (uint64_t)o->term << 32 | o->version);
	w = srp_mp_w_init(p, sizeof(r->scratch) - (size_t)(p - r->scratch));
	if (rk->k->encode(o, &ctx, &w) || w.err)
		return 0;
	h = srp_hash64(r->hkey, r->scratch, (size_t)(w.p - r->scratch));
	return h ? h : 1;
}

bool recovery_counted(const struct recovery_kind *rk, const struct srp_ckpt_link *l)
{
	return (l->flags & SRP_LINK_F_COUNTED) && l->gen >= rk->void_below;
}

static void toggle(struct recovery_kind *rk, uint64_t hash)
{
	rk->root ^= hash;
	rk->bucket[hash % RECOVERY_BUCKETS] ^= hash;
}

void recovery_uncount(struct recovery_kind *rk, struct srp_ckpt_link *l)
{
	if (recovery_counted(rk, l)) {
		toggle(rk, l->hash);
		rk->count--;
	}
	l->flags &= (uint8_t)~SRP_LINK_F_COUNTED;
	l->hash = 0;
}

void recovery_count(struct recovery_kind *rk, struct srp_ckpt_link *l, uint64_t hash)
{
	recovery_uncount(rk, l);
	if (!hash)
		return;
	l->hash = hash;
	l->flags |= SRP_LINK_F_COUNTED;
	toggle(rk, hash);
	rk->count++;
}

bool recovery_fresh_left(const struct recovery_replica *r)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		if (!recovery_list_empty(&r->kind[i].fresh))
			return true;
	return false;
}

bool recovery_fresh(struct recovery_replica *r, uint32_t *work, struct srp_time now)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];

		while (!recovery_list_empty(&rk->fresh)) {
			struct srp_ckpt_link *l = recovery_link_of(rk->fresh.next);

			if (!*work)
				return false;
			--*work;
			recovery_link_leave(r, rk, l);
			recovery_uncount(rk, l);
			l->gen = rk->void_below > 1 ? rk->void_below : 1;
			recovery_count(rk, l, recovery_obj_hash(r, rk, recovery_obj_of(r, l), now));
			recovery_link_settle(r, rk, l, &rk->settled);
		}
	}
	return true;
}

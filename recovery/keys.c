/* keys: lists of keys in the frames of a comparison. KEYS and EXTRA name objects with their hashes, those
 * in the buckets that differ; WANT and PURGE answer with those of them that the other end lacks. */
#include "config.h"
#include "recovery/replica_impl.h"

#include "srp/err.h"

#define NAMED_MAX 40 /* of one key with its hash */

/* Moves objects from the walk to the settled ones, and names those that count. */
static uint32_t name_some(struct recovery_replica *r, struct recovery_out *out, struct recovery_kind *rk,
                          const uint8_t *map, uint64_t *named, struct srp_mp_w *w)
{
	uint32_t n = 0;

	while (!recovery_list_empty(&rk->walk) && out->work && (size_t)(w->end - w->p) >= NAMED_MAX) {
		struct srp_ckpt_link *l = recovery_link_of(rk->walk.next);
		struct srp_ckpt_key key = {{0}};
		unsigned b = (unsigned)(l->hash % RECOVERY_BUCKETS);

		out->work--;
		recovery_list_del(&l->node);
		recovery_list_add(&rk->settled, &l->node);
		if (!recovery_counted(rk, l) || !(map[b / 8] >> b % 8 & 1))
			continue;
		rk->k->key(recovery_obj_of(r, l), &key);
		recovery_w_key(w, rk->k, &key);
		srp_mp_w_uint(w, l->hash);
		n += rk->k->nkey + 1u;
		++*named;
	}
	return n;
}

/* The number of elements is written last, as an array 16. */
enum recovery_named recovery_keys_tx(struct recovery_replica *r, struct recovery_out *out,
                                     struct recovery_kind *rk, const struct recovery_naming *f)
{
	static const uint8_t array16[3] = {0xdc, 0, 0};
	uint8_t *body = recovery_out_body(out, SRP_FRAME_BODY_MAX), *last, *count;
	struct srp_mp_w w;
	uint32_t n;

	if (!body)
		return RECOVERY_NAMED_NO_ROOM;
	w = srp_mp_w_init(body, SRP_FRAME_BODY_MAX);
	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, f->id);
	srp_mp_w_uint(&w, rk->k->id);
	last = w.p;
	srp_mp_w_bool(&w, false);
	count = w.p;
	srp_mp_w_raw(&w, array16, sizeof(array16));
	n = name_some(r, out, rk, f->map, f->named, &w);
	if (!n && !recovery_list_empty(&rk->walk))
		return RECOVERY_NAMED_NONE;
	count[1] = (uint8_t)(n >> 8);
	count[2] = (uint8_t)n;
	if (recovery_list_empty(&rk->walk))
		*last = 0xc3;
	recovery_out_frame(r, out, f->type, 0, srp_mp_w_len(&w));
	return recovery_list_empty(&rk->walk) ? RECOVERY_NAMED_ALL : RECOVERY_NAMED_SOME;
}

int recovery_keys_rx(struct recovery_replica *r, struct recovery_kind *rk, struct srp_mp_r *m,
                     recovery_pick_fn *pick, struct srp_time now, struct recovery_picked *out)
{
	uint32_t n = srp_mp_array(m, SRP_FRAME_BODY_MAX);

	out->n = 0;
	if (n % (rk->k->nkey + 1u))
		return SRP_EFORMAT;
	for (uint32_t i = 0; i < n; i += rk->k->nkey + 1u) {
		struct srp_ckpt_key key;
		uint64_t hash;

		recovery_r_key(m, rk->k, &key);
		hash = srp_mp_uint(m, UINT64_MAX);
		if (m->err || out->n == sizeof(out->key) / sizeof(out->key[0]))
			return m->err ? m->err : SRP_ERANGE;
		if (pick(r, rk, &key, hash, now))
			out->key[out->n++] = key;
	}
	return srp_mp_finish(m);
}

int recovery_keys_answer(struct recovery_replica *r, uint8_t type, uint32_t id,
                         const struct recovery_kind *rk, const struct recovery_picked *p)
{
	uint8_t body[SRP_FRAME_BODY_MAX];
	struct srp_mp_w w = srp_mp_w_init(body, sizeof(body));

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, id);
	srp_mp_w_uint(&w, rk->k->id);
	srp_mp_w_array(&w, p->n * rk->k->nkey);
	for (uint32_t i = 0; i < p->n; i++)
		recovery_w_key(&w, rk->k, &p->key[i]);
	return w.err ? w.err : recovery_outq_put(r, type, body, srp_mp_w_len(&w));
}

struct srp_ckpt_obj *recovery_keys_find(struct srp_mp_r *m, const struct recovery_kind *rk,
                                        const struct srp_ckpt_ctx *ctx, struct srp_ckpt_key *key)
{
	recovery_r_key(m, rk->k, key);
	return m->err ? NULL : rk->k->find(ctx, key);
}

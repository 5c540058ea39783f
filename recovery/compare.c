/* compare: the receiver's side. What the source names in the record stream is compared with what is
 * held here at that position; what it did not name is asked about, and deleted at its word only. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <string.h>

#include "srp/err.h"

static bool receives(const struct recovery_replica *r)
{
	return r->dir == RECOVERY_DIR_RECEIVE || r->dir == RECOVERY_DIR_MERGE;
}

/* Passes over a frame that this side does not take. */
static int pass_over(struct recovery_replica *r, struct srp_mp_r *m)
{
	if (m->err)
		return m->err;
	r->conf.totals->role_frames++;
	m->p = m->end;
	return SRP_OK;
}

/* [id, flags, [kind, root, number, ...]] */
int recovery_rx_digest(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	uint8_t body[16 + 2 * RECOVERY_KINDS_MAX], differ[RECOVERY_KINDS_MAX];
	bool busy = r->audit_on || recovery_fresh_left(r);
	uint32_t id, n, ndiffer = 0;
	struct srp_mp_w w;
	int rc;

	if (srp_mp_array(m, 3) != 3)
		srp_mp_fail(m, SRP_EFORMAT);
	id = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	(void)srp_mp_uint(m, UINT32_MAX);
	n = srp_mp_array(m, 3 * RECOVERY_KINDS_MAX);
	if (n % 3)
		srp_mp_fail(m, SRP_EFORMAT);
	for (uint32_t i = 0; i < n / 3 && !m->err; i++) {
		unsigned kind = (unsigned)srp_mp_uint(m, UINT8_MAX);
		uint64_t root = srp_mp_uint(m, UINT64_MAX), count = srp_mp_uint(m, UINT64_MAX);
		const struct recovery_kind *rk = recovery_kind_by_id(r, kind);

		if (!m->err && !rk)
			return SRP_ETYPE;
		if (!m->err && !busy && (root != rk->root || count != rk->count))
			differ[ndiffer++] = (uint8_t)kind;
	}
	if (srp_mp_finish(m) || !receives(r))
		return pass_over(r, m);
	if (!busy)
		++*(ndiffer ? &r->conf.totals->digests_unequal : &r->conf.totals->digests_equal);
	if (!busy && !ndiffer)
		r->verified = now;
	w = srp_mp_w_init(body, sizeof(body));
	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, id);
	srp_mp_w_uint(&w, busy);
	srp_mp_w_array(&w, ndiffer);
	for (uint32_t i = 0; i < ndiffer; i++)
		srp_mp_w_uint(&w, differ[i]);
	r->cmp_on = r->cmp_extra = false;
	if (r->walk == RECOVERY_WALK_SUSPECT)
		recovery_walk_end(r);
	/* What was refused before this position is heard before what follows from it. */
	rc = r->nrefusals ? recovery_ack_queue(r) : SRP_OK;
	return rc ? rc : recovery_outq_put(r, RECOVERY_FT_DIFFER, body, srp_mp_w_len(&w));
}

/* [id, kind, 256 XORs of 8 bytes]: from here on, what is not named is suspect. */
int recovery_rx_buckets(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	uint8_t body[64], map[RECOVERY_BITMAP] = {0};
	struct recovery_kind *rk;
	struct srp_mp_w w;
	const uint8_t *raw;
	uint32_t id;
	size_t n;

	(void)now;
	if (srp_mp_array(m, 3) != 3)
		srp_mp_fail(m, SRP_EFORMAT);
	id = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	rk = recovery_kind_by_id(r, (unsigned)srp_mp_uint(m, UINT8_MAX));
	raw = srp_mp_bin(m, 8 * RECOVERY_BUCKETS, 8 * RECOVERY_BUCKETS, &n);
	if (srp_mp_finish(m) || !receives(r))
		return pass_over(r, m);
	if (!rk)
		return SRP_ETYPE;
	for (size_t i = 0; i < RECOVERY_BUCKETS; i++) {
		uint64_t v = 0;

		for (size_t j = 0; j < 8; j++)
			v = v << 8 | raw[8 * i + j];
		if (v != rk->bucket[i])
			map[i / 8] |= (uint8_t)(1u << i % 8);
	}
	recovery_walk_end(r);
	recovery_walk_begin(r, rk, RECOVERY_WALK_SUSPECT);
	r->cmp_on = true;
	r->cmp_extra = false;
	r->cmp_id = id;
	r->cmp_kind = rk->idx;
	r->extra_out = 0;
	memcpy(r->cmp_map, map, sizeof(map));
	w = srp_mp_w_init(body, sizeof(body));
	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, id);
	srp_mp_w_uint(&w, rk->k->id);
	srp_mp_w_bin(&w, map, sizeof(map));
	return recovery_outq_put(r, RECOVERY_FT_SPLIT, body, srp_mp_w_len(&w));
}

/* The kind that is being compared, for the head [id, kind, ...]; NULL for an old comparison. */
static struct recovery_kind *current(struct recovery_replica *r, struct srp_mp_r *m, uint32_t items)
{
	uint32_t id;
	unsigned kind;

	if (srp_mp_array(m, items) != items)
		srp_mp_fail(m, SRP_EFORMAT);
	id = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	kind = (unsigned)srp_mp_uint(m, UINT8_MAX);
	if (m->err || !receives(r) || !r->cmp_on || id != r->cmp_id ||
	    kind != r->kind[r->cmp_kind].k->id)
		return NULL;
	return &r->kind[r->cmp_kind];
}

/* True when the object is missing or differs; it is suspect no more. */
static bool wanted(struct recovery_replica *r, struct recovery_kind *rk,
                   const struct srp_ckpt_key *key, uint64_t hash, struct srp_time now)
{
	const struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, false);
	struct srp_ckpt_obj *o = rk->k->find(&ctx, key);
	struct srp_ckpt_link *l = o ? &o->link[r->slot] : NULL;

	if (!l || l->state == SRP_LINK_NONE)
		return true;
	if (l->state == SRP_LINK_SETTLED) {
		recovery_list_del(&l->node);
		recovery_list_add(&rk->settled, &l->node);
	}
	return !recovery_counted(rk, l) || l->hash != hash;
}

/* [id, kind, last, [key..., hash, ...]] */
int recovery_rx_keys(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	struct recovery_kind *rk = current(r, m, 4);
	struct recovery_picked want;
	bool last;
	int rc;

	if (!rk)
		return pass_over(r, m);
	last = srp_mp_bool(m);
	if (r->cmp_extra)
		return SRP_EFORMAT;
	rc = recovery_keys_rx(r, rk, m, wanted, now, &want);
	if (rc)
		return rc;
	r->cmp_extra = last;
	r->conf.totals->keys_wanted += want.n;
	return recovery_keys_answer(r, RECOVERY_FT_WANT, r->cmp_id, rk, &want);
}

/* [id, kind, [key..., ...]]: the source has none of these */
int recovery_rx_purge(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	struct recovery_kind *rk = current(r, m, 3);
	struct srp_ckpt_ctx ctx;
	uint32_t n;

	if (!rk)
		return pass_over(r, m);
	n = srp_mp_array(m, SRP_FRAME_BODY_MAX);
	if (m->err || n % rk->k->nkey || !r->extra_out)
		return m->err ? m->err : SRP_ERANGE;
	if (n && r->dir != RECOVERY_DIR_RECEIVE)
		return SRP_EROLE; /* a refill deletes nothing, and asks about nothing */
	r->extra_out--;
	ctx = recovery_ctx(r, rk, now, false);
	for (uint32_t i = 0; i < n && !m->err; i += rk->k->nkey) {
		struct srp_ckpt_key key;
		struct srp_ckpt_obj *o = recovery_keys_find(m, rk, &ctx, &key);

		if (!o || recovery_remove(r, rk, o, &key, &ctx))
			continue;
		recovery_row_of(r, rk, false)->extra_deleted++;
		r->conf.totals->extra_deleted++;
	}
	return m->err;
}

/* [stream] */
int recovery_rx_filled(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	uint64_t stream;

	(void)now;
	if (srp_mp_array(m, 1) != 1)
		srp_mp_fail(m, SRP_EFORMAT);
	stream = srp_mp_uint(m, UINT64_MAX);
	if (srp_mp_finish(m) || !receives(r) || stream != r->peer.stream)
		return pass_over(r, m);
	r->link = RECOVERY_LINK_READY;
	r->conf.totals->filled++;
	recovery_event(r, RECOVERY_EV_FILLED, NULL);
	recovery_event(r, RECOVERY_EV_READY, NULL);
	return SRP_OK;
}

bool recovery_tx_extra(struct recovery_replica *r, struct recovery_out *out)
{
	const struct recovery_naming f = {.type = RECOVERY_FT_EXTRA, .id = r->cmp_id, .map = r->cmp_map,
	                                  .named = &r->conf.totals->keys_extra};
	enum recovery_named named;

	if (!r->cmp_on || !r->cmp_extra || r->extra_out >= RECOVERY_WINDOW)
		return true;
	if (r->dir == RECOVERY_DIR_MERGE)
		recovery_walk_end(r); /* a refill deletes nothing */
	named = recovery_keys_tx(r, out, &r->kind[r->cmp_kind], &f);
	if (named == RECOVERY_NAMED_NO_ROOM)
		return false;
	if (named == RECOVERY_NAMED_ALL) {
		r->cmp_extra = false;
		recovery_walk_end(r);
	} else {
		out->more = true;
	}
	r->extra_out += named != RECOVERY_NAMED_NONE;
	return true;
}

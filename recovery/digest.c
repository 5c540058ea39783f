/* digest: the source's side of a comparison. Its frames travel in the record stream, so that both
 * ends speak of the same position: roots of all kinds, then the buckets of a kind that differs,
 * then the keys in the buckets that differ. What the receiver wants is sent again; what only it
 * has, and we have not, is purged. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <string.h>

#include "srp/err.h"
#include "srp/hash.h"

uint64_t recovery_objects(const struct recovery_replica *r)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		for (int st = SRP_LINK_SETTLED; st <= SRP_LINK_REFUSED; st++)
			n += r->kind[i].n[st];
	return n;
}

uint64_t recovery_root(const struct recovery_replica *r)
{
	uint64_t v[3 * RECOVERY_KINDS_MAX];
	size_t n = 0;

	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		const struct recovery_kind *rk = &r->kind[i];

		if (!rk->active)
			continue;
		v[n++] = rk->k->id;
		v[n++] = rk->root;
		v[n++] = rk->count;
	}
	return srp_hash64(r->hkey, v, n * sizeof(v[0]));
}

struct recovery_kind *recovery_kind_by_id(struct recovery_replica *r, unsigned id)
{
	unsigned at = id < 256 ? r->by_id[id] : 0;

	return at && r->kind[at - 1].active ? &r->kind[at - 1] : NULL;
}

void recovery_walk_end(struct recovery_replica *r)
{
	for (uint32_t i = 0; r->walk != RECOVERY_WALK_NONE && i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];

		/* What an interrupted full synchronisation has not sent has no hash that counts. */
		recovery_list_splice(r->walk == RECOVERY_WALK_FULL ? &rk->fresh : &rk->settled,
				     &rk->walk);
	}
	r->walk = RECOVERY_WALK_NONE;
}

void recovery_walk_begin(struct recovery_replica *r, struct recovery_kind *rk,
			 enum recovery_walk use)
{
	if (r->walk != use)
		recovery_walk_end(r);
	r->walk = use;
	recovery_list_splice(&rk->walk, &rk->settled);
}

void recovery_compare_reset(struct recovery_replica *r)
{
	recovery_audit_stop(r);
	recovery_walk_end(r);
	r->round = RECOVERY_ROUND_IDLE;
	r->keys_out = r->extra_out = 0;
	r->cmp_on = r->cmp_extra = false;
}

/* --- sending ---------------------------------------------------------------------------------- */

static bool tx_digest(struct recovery_replica *r, struct recovery_out *out, uint32_t flags)
{
	uint8_t *body = recovery_out_body(out, 16 + 32 * r->conf.nkinds);
	struct srp_mp_w w;
	uint32_t n = 0;

	if (!body)
		return false;
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		n += r->kind[i].active;
	w = srp_mp_w_init(body, 16 + 32 * r->conf.nkinds);
	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, ++r->round_id);
	srp_mp_w_uint(&w, flags);
	srp_mp_w_array(&w, 3 * n);
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		if (r->kind[i].active) {
			srp_mp_w_uint(&w, r->kind[i].k->id);
			srp_mp_w_uint(&w, r->kind[i].root);
			srp_mp_w_uint(&w, r->kind[i].count);
		}
	recovery_out_frame(r, out, RECOVERY_FT_DIGEST, 0, srp_mp_w_len(&w));
	r->round = RECOVERY_ROUND_DIGEST;
	r->round_flags = flags;
	r->round_refusals = r->refusals;
	r->conf.totals->flushes += (flags & RECOVERY_DIGEST_FINAL) != 0;
	return true;
}

static bool tx_buckets(struct recovery_replica *r, struct recovery_out *out,
		       struct recovery_kind *rk)
{
	uint8_t *body = recovery_out_body(out, 2064), raw[8 * RECOVERY_BUCKETS];
	struct srp_mp_w w;

	if (!body)
		return false;
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(rk->bucket[i / 8] >> (56 - 8 * (i % 8)));
	w = srp_mp_w_init(body, 2064);
	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, r->round_id);
	srp_mp_w_uint(&w, rk->k->id);
	srp_mp_w_bin(&w, raw, sizeof(raw));
	recovery_out_frame(r, out, RECOVERY_FT_BUCKETS, 0, srp_mp_w_len(&w));
	r->round = RECOVERY_ROUND_SPLIT;
	return true;
}

static bool tx_keys(struct recovery_replica *r, struct recovery_out *out, struct recovery_kind *rk)
{
	const struct recovery_naming f = {.type = RECOVERY_FT_KEYS, .id = r->round_id, .map = r->round_map,
	                                  .named = &r->conf.totals->keys_named};

	switch (recovery_keys_tx(r, out, rk, &f)) {
	case RECOVERY_NAMED_NO_ROOM:
		return false;
	case RECOVERY_NAMED_NONE:
		out->more = true;
		return true;
	case RECOVERY_NAMED_ALL:
		r->round = RECOVERY_ROUND_EXTRA;
		break;
	case RECOVERY_NAMED_SOME:
		break;
	}
	r->keys_out++;
	return true;
}

/* --- rounds ----------------------------------------------------------------------------------- */

static void round_end(struct recovery_replica *r, struct srp_time now)
{
	r->round = RECOVERY_ROUND_IDLE;
	recovery_walk_end(r);
	r->next_digest = srp_time_add(now, RECOVERY_RETRY_US);
	if (r->sync == RECOVERY_SYNC_COMPARE) {
		r->sync = RECOVERY_SYNC_DRAIN;
		r->drain_goal = 0;
	}
}

/* The next kind that differs, by rank. */
static void round_next(struct recovery_replica *r, struct srp_time now)
{
	for (; r->round_at < r->conf.nkinds; r->round_at++)
		if (r->round_kind[r->order[r->round_at]]) {
			r->round = RECOVERY_ROUND_BUCKETS;
			return;
		}
	round_end(r, now);
}

static void settle_kind(struct recovery_replica *r, struct recovery_kind *rk)
{
	if (r->sync != RECOVERY_SYNC_COMPARE)
		return;
	recovery_settle_kind(r, rk);
	if (rk->orphans)
		recovery_orphan_release_all(r);
}

static void kind_done(struct recovery_replica *r, struct srp_time now)
{
	settle_kind(r, &r->kind[r->order[r->round_at]]);
	r->round_at++;
	r->keys_out = 0;
	round_next(r, now);
}

static void audit_done(struct recovery_replica *r, bool equal)
{
	r->audit_round = false;
	r->pass_wanted |= r->dir == RECOVERY_DIR_SOURCE;
	r->conf.totals->audits++;
	recovery_event(r, RECOVERY_EV_AUDIT,
	               !equal ? "digests differ, being repaired"
	               : r->audit_silent ? "silent changes repaired" : "equal");
}

static void compared(struct recovery_replica *r, bool equal, struct srp_time now)
{
	if (equal) {
		r->need_digest = false;
		r->verified = now;
		r->conf.totals->digests_equal++;
	} else {
		r->conf.totals->digests_unequal++;
	}
	if (r->round_flags & RECOVERY_DIGEST_FINAL) {
		r->end_wanted = false;
		r->conf.totals->flushes_failed += !equal;
		recovery_event(r, equal ? RECOVERY_EV_FLUSHED : RECOVERY_EV_FLUSH_FAILED,
		               equal ? NULL : "digests differ");
	}
	if (r->round_flags & RECOVERY_DIGEST_AUDIT)
		audit_done(r, equal);
}

/* [id, status, [kinds that differ]]: status 1: hashes are being recomputed, ask again. */
int recovery_rx_differ(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	bool differs[RECOVERY_KINDS_MAX] = {false};
	uint32_t id, busy, n;

	if (srp_mp_array(m, 3) != 3)
		srp_mp_fail(m, SRP_EFORMAT);
	id = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	busy = (uint32_t)srp_mp_uint(m, 1);
	n = srp_mp_array(m, RECOVERY_KINDS_MAX);
	for (uint32_t i = 0; i < n && !m->err; i++) {
		struct recovery_kind *rk =
			recovery_kind_by_id(r, (unsigned)srp_mp_uint(m, UINT8_MAX));

		if (!rk)
			return m->err ? m->err : SRP_ETYPE;
		differs[rk->idx] = true;
	}
	if (srp_mp_finish(m))
		return srp_mp_finish(m);
	if (!recovery_is_source(r) || r->round != RECOVERY_ROUND_DIGEST || id != r->round_id)
		return SRP_OK;
	r->round = RECOVERY_ROUND_IDLE;
	r->next_digest = srp_time_add(now, RECOVERY_DIGEST_US);
	if (busy || ((n || r->round_flags) && r->round_refusals != r->refusals)) {
		++*(busy ? &r->conf.totals->digests_busy : &r->conf.totals->digests_void);
		r->round_after = busy ? srp_time_add(now, RECOVERY_RETRY_US) : now;
		if (!(r->round_flags & ~(RECOVERY_DIGEST_FINAL | RECOVERY_DIGEST_AUDIT)))
			r->next_digest = r->round_after;
		return SRP_OK;
	}
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		if (r->kind[i].active && !differs[i])
			settle_kind(r, &r->kind[i]);
	memcpy(r->round_kind, differs, sizeof(differs));
	r->round_at = 0;
	compared(r, n == 0, now);
	if (n)
		round_next(r, now);
	else if (r->sync == RECOVERY_SYNC_COMPARE)
		round_end(r, now);
	return SRP_OK;
}

/* The head of an answer: [id, kind, ...]. NULL where it is not of the question that is open. */
static struct recovery_kind *answer(struct recovery_replica *r, struct srp_mp_r *m, uint32_t items)
{
	uint32_t id;
	struct recovery_kind *rk;

	if (srp_mp_array(m, items) != items)
		srp_mp_fail(m, SRP_EFORMAT);
	id = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	rk = recovery_kind_by_id(r, (unsigned)srp_mp_uint(m, UINT8_MAX));
	if (m->err || !rk || !recovery_is_source(r) || id != r->round_id ||
	    r->round < RECOVERY_ROUND_SPLIT || r->round_at >= r->conf.nkinds ||
	    rk != &r->kind[r->order[r->round_at]])
		return NULL;
	return rk;
}

/* Passes over the rest of a frame that came too late; malformed ones are still refused. */
static int late(struct srp_mp_r *m)
{
	if (!m->err)
		m->p = m->end;
	return m->err;
}

/* [id, kind, bitmap of the buckets that differ] */
int recovery_rx_split(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	struct recovery_kind *rk = answer(r, m, 3);
	const uint8_t *map;
	size_t n;

	if (!rk || r->round != RECOVERY_ROUND_SPLIT)
		return late(m);
	map = srp_mp_bin(m, RECOVERY_BITMAP, RECOVERY_BITMAP, &n);
	if (!map)
		return m->err;
	memcpy(r->round_map, map, RECOVERY_BITMAP);
	(void)now;
	r->round = RECOVERY_ROUND_KEYS;
	r->keys_out = 0;
	recovery_walk_begin(r, rk, RECOVERY_WALK_KEYS);
	return SRP_OK;
}

/* [id, kind, [key..., ...]]: one for each KEYS */
int recovery_rx_want(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	struct recovery_kind *rk = answer(r, m, 3);
	uint32_t n;

	if (!rk || r->round < RECOVERY_ROUND_KEYS)
		return late(m);
	n = srp_mp_array(m, SRP_FRAME_BODY_MAX);
	if (!r->keys_out || n % rk->k->nkey)
		return SRP_EFORMAT;
	for (uint32_t i = 0; i < n && !m->err; i += rk->k->nkey) {
		struct srp_ckpt_key key;

		recovery_r_key(m, rk->k, &key);
		if (!m->err)
			recovery_wanted(r, rk, &key, now);
		r->conf.totals->keys_wanted++;
	}
	r->keys_out--;
	return m->err;
}

/* True when the receiver must delete what it asks about: we do not have it. Where we have it under
 * another hash it is sent again. */
static bool purge(struct recovery_replica *r, struct recovery_kind *rk,
		  const struct srp_ckpt_key *key, uint64_t hash, struct srp_time now)
{
	const struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, false);
	struct srp_ckpt_obj *o = rk->k->find(&ctx, key);
	struct srp_ckpt_link *l = o ? &o->link[r->slot] : NULL;

	r->conf.totals->keys_extra++;
	if (!l || l->state == SRP_LINK_NONE)
		return true;
	l->flags |= SRP_LINK_F_PEER_MAY_HAVE; /* it has one of this key, ours or not */
	if (l->state == SRP_LINK_SETTLED && l->hash != hash)
		recovery_repair(r, rk, o);
	return false;
}

/* [id, kind, last, [key..., hash, ...]]: each is answered by a PURGE */
int recovery_rx_extra(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	struct recovery_kind *rk = answer(r, m, 4);
	struct recovery_picked gone;
	bool last;
	int rc;

	if (!rk || r->round != RECOVERY_ROUND_EXTRA)
		return late(m);
	last = srp_mp_bool(m);
	rc = recovery_keys_rx(r, rk, m, purge, now, &gone);
	if (rc)
		return rc;
	r->need_digest |= gone.n != 0; /* no acknowledgement says that it has arrived */
	rc = recovery_keys_answer(r, RECOVERY_FT_PURGE, r->round_id, rk, &gone);
	if (!rc && last)
		kind_done(r, now);
	return rc;
}

/* --- what is due ------------------------------------------------------------------------------ */

/* Deletions that may have taken children along which left the digest at once: they go first. */
static bool tombs_wait(const struct recovery_replica *r)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		if (r->kind[i].ntombs && !r->kind[i].k->limited)
			return true;
	return false;
}

static bool lim_empty(const struct recovery_replica *r)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		if (!recovery_list_empty(&r->kind[i].lim) || !recovery_list_empty(&r->kind[i].tlim))
			return false;
	return true;
}

/* One that is empty since its process began compares nothing, whoever says that it is complete. One that
 * has become empty knows that: its deletions may not have reached the peer. */
static bool never_used(const struct recovery_replica *r)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		if (r->kind[i].used)
			return false;
	return true;
}

/* What a comparison would be for, and when; never where something must be sent first. */
static struct srp_time round_when(const struct recovery_replica *r, bool drained, uint32_t *flags)
{
	const struct srp_time soon = r->round_after.us ? r->round_after : (struct srp_time){1};

	*flags = 0;
	if (r->round != RECOVERY_ROUND_IDLE || recovery_fresh_left(r))
		return (struct srp_time){0};
	if (r->sync == RECOVERY_SYNC_COMPARE)
		return never_used(r) ? (struct srp_time){0} : soon;
	if (r->sync != RECOVERY_SYNC_DONE || r->dir != RECOVERY_DIR_SOURCE || r->audit_on)
		return (struct srp_time){0};
	*flags = RECOVERY_DIGEST_FINAL;
	if (r->end_wanted && drained && lim_empty(r))
		return soon;
	*flags = r->audit_round ? RECOVERY_DIGEST_AUDIT : 0;
	if (r->nrepair || tombs_wait(r))
		return (struct srp_time){0};
	return r->audit_round ? soon : r->next_digest;
}

static bool round_begin(struct recovery_replica *r, struct recovery_out *out, bool drained)
{
	uint32_t flags;
	struct srp_time at = round_when(r, drained, &flags);

	return srp_time_due(at, out->now) ? tx_digest(r, out, flags) : true;
}

struct srp_time recovery_round_due(const struct recovery_replica *r)
{
	uint32_t flags;

	if (r->round == RECOVERY_ROUND_BUCKETS ||
	    (r->round == RECOVERY_ROUND_KEYS && r->keys_out < RECOVERY_WINDOW))
		return (struct srp_time){1};
	return round_when(r, !recovery_send_pending(r), &flags);
}

static bool tx_round(struct recovery_replica *r, struct recovery_out *out, bool drained)
{
	struct recovery_kind *rk =
		r->round_at < r->conf.nkinds ? &r->kind[r->order[r->round_at]] : NULL;

	switch (r->round) {
	case RECOVERY_ROUND_IDLE:
		return round_begin(r, out, drained);
	case RECOVERY_ROUND_BUCKETS:
		return tx_buckets(r, out, rk);
	case RECOVERY_ROUND_KEYS:
		while (r->round == RECOVERY_ROUND_KEYS && r->keys_out < RECOVERY_WINDOW &&
		       out->work)
			if (!tx_keys(r, out, rk))
				return false;
		out->more |= !out->work;
		return true;
	case RECOVERY_ROUND_DIGEST:
	case RECOVERY_ROUND_SPLIT:
	case RECOVERY_ROUND_EXTRA:
		break;
	}
	return true;
}

static bool tx_filled(struct recovery_replica *r, struct recovery_out *out)
{
	uint8_t *body = recovery_out_body(out, 16);
	struct srp_mp_w w;

	if (!body)
		return false;
	w = srp_mp_w_init(body, 16);
	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, r->stream);
	recovery_out_frame(r, out, RECOVERY_FT_FILLED, 0, srp_mp_w_len(&w));
	r->sync = RECOVERY_SYNC_DONE;
	r->synced = true;
	r->link = RECOVERY_LINK_READY;
	recovery_event(r, RECOVERY_EV_READY, NULL);
	return true;
}

static bool walked(const struct recovery_replica *r)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		if (r->kind[i].active && (!recovery_list_empty(&r->kind[i].walk) ||
					  !recovery_list_empty(&r->kind[i].fresh)))
			return false;
	return true;
}

static bool tx_sync(struct recovery_replica *r, struct recovery_out *out, bool drained)
{
	if (r->sync == RECOVERY_SYNC_RESET && !r->nrepair)
		r->sync = RECOVERY_SYNC_DRAIN;
	if (r->sync == RECOVERY_SYNC_FULL && walked(r)) {
		recovery_walk_end(r);
		r->sync = RECOVERY_SYNC_DRAIN;
	}
	if (r->sync == RECOVERY_SYNC_COMPARE && !recovery_objects(r) &&
	    r->dir == RECOVERY_DIR_REFILL)
		r->sync = RECOVERY_SYNC_DRAIN; /* nothing to refill with */
	if (r->sync != RECOVERY_SYNC_DRAIN)
		return true;
	if (!r->drain_goal) {
		r->drain_goal = r->sent + 1;
		for (uint32_t i = 0; i < r->conf.nkinds; i++)
			r->drain_goal += r->kind[i].n[SRP_LINK_DIRTY] + r->kind[i].ntombs;
	}
	if (r->nrepair || r->pass_on || r->pass_wanted || (!drained && r->sent < r->drain_goal))
		return true;
	return tx_filled(r, out);
}

static bool tx_audit(struct recovery_replica *r, struct recovery_out *out)
{
	uint8_t *body;
	struct srp_mp_w w;

	if (!r->audit_due || r->sync != RECOVERY_SYNC_DONE || r->round != RECOVERY_ROUND_IDLE ||
	    r->dir != RECOVERY_DIR_SOURCE || r->audit_on || recovery_fresh_left(r))
		return true;
	body = recovery_out_body(out, 16);
	if (!body)
		return false;
	w = srp_mp_w_init(body, 16);
	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, r->round_id);
	recovery_out_frame(r, out, RECOVERY_FT_AUDIT, 0, srp_mp_w_len(&w));
	r->audit_due = false;
	recovery_retry_refused(r);
	recovery_audit_begin(r);
	return true;
}

bool recovery_tx_source(struct recovery_replica *r, struct recovery_out *out)
{
	bool drained = recovery_send(r, out);

	recovery_send_close(r, out);
	if (r->sync != RECOVERY_SYNC_FULL && !recovery_fresh(r, &out->work, out->now))
		out->more = true;
	return tx_sync(r, out, drained) && tx_audit(r, out) && tx_round(r, out, drained);
}

/* receiver: records are checked, applied to the model, and acknowledged with what was refused. */
#include "config.h"
#include "recovery/replica_impl.h"

#include "srp/err.h"

#define ELEMENTS_MAX 255u /* of one record: ours, and what a newer peer adds */

static uint64_t *refusal_counter(struct recovery_kind_counters *row, int code)
{
	switch (code) {
	case SRP_ESHORT: case SRP_EFORMAT: case SRP_ERANGE: case SRP_EDEPTH:
		return &row->decode_failed;
	case SRP_ENOSESS: return &row->refused_session;
	case SRP_ENORULE: return &row->refused_rule;
	case SRP_ESTALE:  return &row->refused_stale;
	case SRP_EFULL: case SRP_ENOMEM: return &row->refused_full;
	case SRP_EROLE:   return &row->refused_role;
	default:          return &row->refused_other;
	}
}

/* Names the record behind the last applied one in the acknowledgement. */
static int refuse(struct recovery_replica *r, int code)
{
	struct recovery_refusal *last = r->nrefusals ? &r->refusal[r->nrefusals - 1] : NULL;
	int rc = SRP_OK;

	if (last && last->code == code && last->first + last->n == r->applied + 1 &&
	    last->n < UINT32_MAX) {
		last->n++;
		return SRP_OK;
	}
	if (r->nrefusals == RECOVERY_REFUSED_RUNS)
		rc = recovery_ack_queue(r);
	r->refusal[r->nrefusals++] = (struct recovery_refusal){r->applied + 1, 1, code};
	return rc;
}

/* What other replicas of the instance must know of @p o. */
static void tell_siblings(struct recovery_replica *r, struct srp_ckpt_obj *o, bool gone)
{
	for (int i = 0; r->conf.sink && i < SRP_REPLICA__N; i++) {
		struct recovery_replica *other = r->conf.sink->replica[i];

		if (!other || other == r)
			continue;
		if (gone)
			recovery_forget(other, o);
		else
			recovery_adopt(other, o);
	}
}

int recovery_remove(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_obj *o,
                    const struct srp_ckpt_key *key, const struct srp_ckpt_ctx *ctx)
{
	struct srp_ckpt_link *l = &o->link[r->slot];
	int rc;

	r->applying = true;
	tell_siblings(r, o, true);
	recovery_deleted(r, o, false, ctx->now);
	rc = rk->k->remove(ctx, key);
	r->applying = false;
	if (rc == SRP_OK || rc == SRP_ENOENT)
		return SRP_OK;
	*l = (struct srp_ckpt_link){.flags = SRP_LINK_F_PEER_MAY_HAVE};
	recovery_link_settle(r, rk, l, &rk->fresh);
	tell_siblings(r, o, false);
	return rc;
}

/* -1, 0, 1: what is here (its term and version first) is older, as old, newer. */
static int compare(uint32_t my_term, uint32_t my_version, uint32_t term, uint32_t version)
{
	if (my_term != term)
		return my_term < term ? -1 : 1;
	return my_version == version ? 0 : my_version < version ? -1 : 1;
}

/* Being refilled, this side keeps what is as new here, or newer. */
static bool keep_ours(struct recovery_replica *r, struct recovery_kind *rk,
                      const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key, uint32_t term,
                      uint32_t version)
{
	struct recovery_kind_counters *row = recovery_row_of(r, rk, false);
	const struct srp_ckpt_obj *o = rk->k->find(ctx, key);
	const struct recovery_tomb *t = o ? NULL : recovery_tomb_find(r, rk, key);
	int cmp = o ? compare(o->term, o->version, term, version)
	        : t ? compare(t->term, t->version, term, version) : -1;

	if (t && cmp == 0)
		cmp = 1; /* what was deleted here does not come back */
	if (cmp < 0)
		return false;
	++*(cmp ? &row->older : &row->duplicates);
	return true;
}

static int apply(struct recovery_replica *r, struct recovery_kind *rk,
		 const struct srp_ckpt_key *key, struct srp_mp_r *m, unsigned nfields,
		 struct srp_time now)
{
	struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, false);
	struct recovery_kind_counters *row = recovery_row_of(r, rk, false);
	uint32_t term = ctx.term = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	uint32_t version = ctx.version = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	struct srp_ckpt_obj *o = NULL;
	struct srp_ckpt_link *l;
	int rc;

	if (m->err)
		return m->err;
	if (r->dir == RECOVERY_DIR_MERGE && keep_ours(r, rk, &ctx, key, term, version))
		return SRP_OK;
	r->applying = true;
	rc = rk->k->apply(&ctx, key, m, nfields, &o);
	r->applying = false;
	if (rc)
		return rc;
	if (rk->k->arrived)
		rk->k->arrived(o, &ctx, false);
	recovery_tomb_cancel(r, rk, key);
	l = &o->link[r->slot];
	if (l->state != SRP_LINK_NONE) {
		int cmp = compare(o->term, o->version, term, version);

		row->replaced += cmp > 0;
		row->duplicates += cmp == 0;
	}
	o->term = term;
	o->version = version;
	if (l->state == SRP_LINK_DIRTY && recovery_reason_of(l) == RECOVERY_WAIT)
		row->cancelled++; /* the peer's record goes before our change */
	recovery_link_leave(r, rk, l);
	recovery_uncount(rk, l);
	l->gen = r->cur;
	l->flags = SRP_LINK_F_PEER_MAY_HAVE;
	recovery_count(rk, l, recovery_obj_hash(r, rk, o, now));
	recovery_link_settle(r, rk, l, &rk->settled);
	tell_siblings(r, o, false);
	return SRP_OK;
}

static int erase(struct recovery_replica *r, struct recovery_kind *rk,
		 const struct srp_ckpt_key *key, struct srp_mp_r *m, struct srp_time now)
{
	struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, false);
	struct srp_ckpt_obj *o;

	ctx.term = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	ctx.version = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	if (m->err)
		return m->err;
	if (r->dir == RECOVERY_DIR_MERGE)
		return SRP_EROLE; /* a refill deletes nothing */
	o = rk->k->find(&ctx, key);
	if (!o) {
		if (r->conf.sole_link)
			(void)rk->k->remove(&ctx, key); /* a store remembers */
		recovery_row_of(r, rk, true)->duplicates++;
		return SRP_OK;
	}
	if (rk->k->arrived)
		rk->k->arrived(o, &ctx, true);
	return recovery_remove(r, rk, o, key, &ctx);
}

/* A refused record leaves what is here as it was, but out of the digest, as the source does. */
static void known_refused(struct recovery_replica *r, struct recovery_kind *rk,
                          const struct srp_ckpt_key *key, struct srp_time now)
{
	const struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, false);
	struct srp_ckpt_obj *o = rk->k->find(&ctx, key);
	struct srp_ckpt_link *l = o ? &o->link[r->slot] : NULL;

	if (!l || l->state != SRP_LINK_SETTLED)
		return;
	recovery_link_leave(r, rk, l);
	recovery_uncount(rk, l);
	recovery_link_refused(rk, l);
}

/* Rules are nobody's: the owner is asked about records of sessions only. */
static bool left_out(const struct recovery_replica *r, const struct recovery_kind *rk,
                     const struct srp_ckpt_key *key)
{
	return r->conf.skip && rk->k->rank && r->conf.skip(r->conf.ops_owner, key->k[0]);
}

/* One whole record, of @p len bytes. @return 0, or why it is refused */
static int record(struct recovery_replica *r, struct srp_mp_r *m, bool stale, struct srp_time now)
{
	size_t len = srp_mp_left(m);
	uint32_t n = srp_mp_array(m, ELEMENTS_MAX);
	unsigned id = (unsigned)srp_mp_uint(m, UINT8_MAX), at;
	struct recovery_kind_counters *row;
	struct recovery_kind *rk;
	struct srp_ckpt_key key;
	bool del;
	int rc;

	if (m->err || !(at = r->by_id[id] ? r->by_id[id] : r->by_del[id])) {
		r->conf.totals->unknown_kind++;
		return m->err ? m->err : SRP_ETYPE;
	}
	del = !r->by_id[id];
	rk = &r->kind[at - 1];
	row = recovery_row_of(r, rk, del);
	row->received++;
	row->bytes_received += len;
	if (stale) {
		rc = SRP_ESTALE;
	} else if (!rk->active) {
		rc = SRP_ETYPE;
	} else if (n < 3u + rk->k->nkey) {
		rc = SRP_ESHORT;
	} else {
		recovery_r_key(m, rk->k, &key);
		rc = m->err ? m->err
		     : left_out(r, rk, &key) ? SRP_EPEER
		     : del ? erase(r, rk, &key, m, now)
		           : apply(r, rk, &key, m, n - 3u - rk->k->nkey, now);
		if (rc && !m->err && !del)
			known_refused(r, rk, &key, now);
	}
	if (rc) {
		++*refusal_counter(row, rc);
		row->nacks++;
	}
	return rc;
}

/* The frame's head; @return SRP_OK with @p stale, SRP_EAGAIN to pass over it, or the refusal. */
static int head(struct recovery_replica *r, struct srp_mp_r *m, uint32_t *count, bool *stale)
{
	uint64_t stream, first;
	uint32_t term;

	if (srp_mp_array(m, 4) != 4)
		srp_mp_fail(m, SRP_EFORMAT);
	term = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	stream = srp_mp_uint(m, UINT64_MAX);
	first = srp_mp_uint(m, UINT64_MAX - UINT16_MAX);
	*count = (uint32_t)srp_mp_uint(m, UINT16_MAX);
	if (m->err || !first || !stream)
		return m->err ? m->err : SRP_ERANGE;
	if (stream != r->peer.stream) {
		r->conf.totals->stale_frames++;
		return SRP_EAGAIN;
	}
	if (r->dir != RECOVERY_DIR_RECEIVE && r->dir != RECOVERY_DIR_MERGE) {
		r->conf.totals->role_frames++;
		return SRP_EAGAIN;
	}
	if (stream != r->applied_stream) {
		r->applied_stream = stream;
		r->applied = first - 1;
		r->nrefusals = 0;
	}
	if (first != r->applied + 1)
		return SRP_ERANGE;
	*stale = r->dir == RECOVERY_DIR_RECEIVE && term < r->seen;
	r->conf.totals->stale_frames += *stale;
	if (r->dir == RECOVERY_DIR_RECEIVE && term > r->seen)
		r->seen = term;
	return SRP_OK;
}

int recovery_rx_records(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	bool stale = false;
	uint32_t count;
	int rc = head(r, m, &count, &stale);

	if (rc == SRP_EAGAIN) {
		m->p = m->end;
		return SRP_OK;
	}
	r->ack_due = true;
	while (!rc && count--) {
		struct srp_mp_r one = *m;

		srp_mp_skip(m);
		if (m->err)
			return m->err;
		one.end = m->p;
		rc = record(r, &one, stale, now);
		rc = rc ? refuse(r, rc) : SRP_OK;
		r->applied++;
	}
	return rc;
}

/* sender: what waits is encoded as it is now, given the next sequence number, and put in flight. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <lz4.h>
#include <string.h>

#include "srp/err.h"

#define LZ4_MIN 128u /* bytes; less is not worth the try */

enum step { STEP_SENT, STEP_ASIDE, STEP_NO_ROOM };

static bool frame_open(struct recovery_replica *r, struct recovery_out *out)
{
	static const uint8_t count0[3] = {0xcd, 0, 0}; /* uint 16 */
	uint8_t *body;

	if (out->open)
		return true;
	body = recovery_out_body(out, SRP_FRAME_BODY_MAX);
	if (!body)
		return false;
	out->w = srp_mp_w_init(body, SRP_FRAME_BODY_MAX);
	srp_mp_w_array(&out->w, 4);
	srp_mp_w_uint(&out->w, r->dir == RECOVERY_DIR_REFILL ? r->seen : r->term);
	srp_mp_w_uint(&out->w, r->stream);
	srp_mp_w_uint(&out->w, r->sent + 1);
	out->count_at = out->w.p;
	srp_mp_w_raw(&out->w, count0, sizeof(count0));
	out->count = 0;
	out->open = true;
	return true;
}

void recovery_send_close(struct recovery_replica *r, struct recovery_out *out)
{
	size_t len = srp_mp_w_len(&out->w);
	int n;

	if (!out->open)
		return;
	out->open = false;
	if (!out->count)
		return;
	out->count_at[1] = (uint8_t)(out->count >> 8);
	out->count_at[2] = (uint8_t)out->count;
	if (r->lz4 && !r->plain && len >= LZ4_MIN) {
		n = LZ4_compress_default((const char *)out->w.start, (char *)r->zbuf, (int)len,
		                         (int)len - 8);
		if (n > 0) {
			const uint8_t head[4] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len};

			memcpy(out->w.start, head, 4);
			memcpy(out->w.start + 4, r->zbuf, (size_t)n);
			r->conf.totals->lz4_frames_out++;
			recovery_out_frame(r, out, RECOVERY_FT_RECORDS, SRP_FRAME_F_LZ4,
					   (size_t)n + 4);
			return;
		}
	}
	recovery_out_frame(r, out, RECOVERY_FT_RECORDS, 0, len);
}

/* Encodes a record (@p o) or a deletion (@p t) behind those in the open frame.
 * @return its length, SRP_EAGAIN without room, or the failure. */
static int encode(struct recovery_replica *r, struct recovery_out *out, struct recovery_kind *rk,
                  const struct srp_ckpt_obj *o, const struct recovery_tomb *t)
{
	const struct srp_ckpt_kind *k = rk->k;
	const struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, out->now, false);
	struct srp_ckpt_key key = {{0}};

	if (o)
		k->key(o, &key);
	while (frame_open(r, out)) {
		size_t room = (size_t)(out->w.end - out->w.p);
		struct srp_mp_w w = srp_mp_w_init(out->w.p, room < k->max_len ? room : k->max_len);
		int rc = SRP_OK;

		srp_mp_w_array(&w, 3u + k->nkey + (o ? k->nfields : 0u));
		srp_mp_w_uint(&w, o ? k->id : k->del_id);
		recovery_w_key(&w, k, o ? &key : &t->key);
		srp_mp_w_uint(&w, o ? o->term : t->term);
		srp_mp_w_uint(&w, o ? o->version : t->version);
		if (o)
			rc = k->encode(o, &ctx, &w);
		if (!rc && !w.err)
			return (int)srp_mp_w_len(&w);
		if (w.err != SRP_ENOSPC || room >= k->max_len || !out->count)
			return w.err ? w.err : rc;
		recovery_send_close(r, out);
	}
	return SRP_EAGAIN;
}

static void count_attempt(struct recovery_kind_counters *row, enum recovery_reason why)
{
	row->attempted++;
	switch (why) {
	case RECOVERY_WAIT:    row->taken++; break;
	case RECOVERY_LIMITER: row->again_limiter++; break;
	case RECOVERY_RESET:   row->again_reset++; break;
	case RECOVERY_NACK:    row->again_nack++; break;
	case RECOVERY_AUDIT:   row->again_audit++; break;
	case RECOVERY_PERIOD:  row->again_period++; break;
	}
}

/* The limiter acts on changes only: resynchronisation, repair and flush go past it. */
static bool limited(struct recovery_replica *r, const struct recovery_kind *rk,
                    struct recovery_kind_counters *row, enum recovery_reason why,
                    struct srp_time now)
{
	if (!rk->k->limited || !r->limiter.rate)
		return false;
	if (r->flush || (why != RECOVERY_WAIT && why != RECOVERY_LIMITER)) {
		row->limit_exempt++;
		return false;
	}
	if (srp_bucket_take(&r->limiter, 1, now))
		return false;
	row->rate_limited++;
	return true;
}

static void commit(struct recovery_replica *r, struct recovery_out *out, struct recovery_kind *rk,
                   bool del, int len)
{
	struct recovery_kind_counters *row = recovery_row_of(r, rk, del);

	out->w.p += len;
	r->sent++;
	(void)recovery_run_push(r, (uint32_t)recovery_row(rk->idx, del));
	row->sent++;
	row->inflight++;
	row->bytes_sent += (uint64_t)len;
	if (++out->count == UINT16_MAX)
		recovery_send_close(r, out);
}

/* The parent that the peer must have first and has not; NULL: none. */
static const struct srp_ckpt_obj *missing_parent(const struct recovery_replica *r,
                                                 const struct recovery_kind *rk,
                                                 const struct srp_ckpt_obj *o)
{
	const struct srp_ckpt_obj *p = rk->k->parent ? rk->k->parent(o) : NULL;

	if (!p || recovery_known(&r->kind[r->by_id[p->kind->id] - 1], &p->link[r->slot]))
		return NULL;
	return p;
}

/* Leaves its list and counts the attempt. */
static enum recovery_reason take(struct recovery_replica *r, struct recovery_kind *rk,
                                 struct srp_ckpt_link *l)
{
	bool dirty = l->state == SRP_LINK_DIRTY;
	enum recovery_reason why = recovery_link_leave(r, rk, l);

	return dirty ? why : RECOVERY_PERIOD;
}

static enum step send_obj(struct recovery_replica *r, struct recovery_out *out,
                          struct recovery_kind *rk, struct srp_ckpt_link *l)
{
	struct recovery_kind_counters *row = recovery_row_of(r, rk, false);
	struct srp_ckpt_obj *o = recovery_obj_of(r, l);
	const struct srp_ckpt_obj *parent = missing_parent(r, rk, o);
	enum recovery_reason why;
	bool known;
	int len;

	if (parent) {
		why = take(r, rk, l);
		if (why == RECOVERY_RESET || why == RECOVERY_AUDIT)
			why = RECOVERY_PERIOD; /* no digest waits for it */
		recovery_orphan_park(r, rk, l, parent, why);
		return STEP_ASIDE;
	}
	len = encode(r, out, rk, o, NULL);
	if (len == SRP_EAGAIN)
		return STEP_NO_ROOM;
	known = recovery_known(rk, l);
	why = take(r, rk, l);
	count_attempt(row, why);
	if (len < 0) {
		row->encode_failed++;
		recovery_link_refused(rk, l);
	} else if (limited(r, rk, row, why, out->now)) {
		recovery_link_dirty(r, rk, l, &rk->lim, RECOVERY_LIMITER);
		return STEP_ASIDE;
	} else {
		commit(r, out, rk, false, len);
		recovery_uncount(rk, l);
		l->gen = r->cur;
		recovery_count(rk, l, recovery_obj_hash(r, rk, o, out->now));
		l->flags |= SRP_LINK_F_PEER_MAY_HAVE;
		l->seq = (uint32_t)r->sent;
		recovery_link_inflight(r, rk, l);
		recovery_passed(r, rk, o, NULL, SRP_CKPT_SENT, r->sent, out->now);
		l->flags &= (uint8_t)~SRP_LINK_F_CHANGED; /* here: was refused, and is tried once
							     more */
		l->flags |= why == RECOVERY_NACK ? SRP_LINK_F_CHANGED : 0;
		if (rk->k->rank == 0 && why != RECOVERY_NACK) {
			r->retry_refused = true;
			r->rules_seq = (uint32_t)r->sent;
		}
	}
	if (!known) {
		if (len < 0) {
			recovery_uncount(rk, l);
			l->gen = r->cur; /* its children are judged by the peer */
		}
		recovery_orphan_release(r, o);
	}
	return len < 0 ? STEP_ASIDE : STEP_SENT;
}

static enum step send_tomb(struct recovery_replica *r, struct recovery_out *out,
                           struct recovery_kind *rk, struct recovery_tomb *t)
{
	struct recovery_kind_counters *row = recovery_row_of(r, rk, true);
	enum recovery_reason why;
	int len = encode(r, out, rk, NULL, t);

	if (len == SRP_EAGAIN)
		return STEP_NO_ROOM;
	why = recovery_tomb_leave(r, t);
	count_attempt(row, why);
	if (len < 0) {
		row->encode_failed++;
		recovery_tomb_drop(r, t);
		return STEP_ASIDE;
	}
	if (limited(r, rk, row, why, out->now)) {
		recovery_tomb_dirty(r, t, &rk->tlim, RECOVERY_LIMITER);
		return STEP_ASIDE;
	}
	commit(r, out, rk, true, len);
	recovery_uncount(rk, &t->link);
	t->link.seq = (uint32_t)r->sent;
	t->link.state = SRP_LINK_INFLIGHT;
	recovery_list_add(&r->inflight, &t->link.node);
	recovery_passed(r, rk, NULL, t, SRP_CKPT_SENT, r->sent, out->now);
	return STEP_SENT;
}

static bool window_open(const struct recovery_replica *r)
{
	return r->sent - r->acked < r->conf.inflight_max && r->run_n < r->run_cap;
}

/* @return false when there is no room, or enough was looked at */
static bool send_list(struct recovery_replica *r, struct recovery_out *out,
                      struct recovery_kind *rk, struct srp_list *list, bool token)
{
	while (!recovery_list_empty(list)) {
		struct srp_ckpt_link *l = recovery_link_of(list->next);
		enum step s;

		if (!window_open(r))
			return true;
		if (token && !r->flush && r->limiter.rate &&
		    srp_bucket_due(&r->limiter, 1, out->now).us > out->now.us)
			return true;
		if (!out->work) {
			out->more = true;
			return false;
		}
		out->work--;
		s = l->flags & SRP_LINK_F_TOMB ? send_tomb(r, out, rk, recovery_tomb_of(l))
		                               : send_obj(r, out, rk, l);
		if (s == STEP_NO_ROOM)
			return false;
	}
	return true;
}

/* Begins a look at what gates hold, when it is time. */
static void pass_begin(struct recovery_replica *r, struct srp_time now)
{
	if (r->pass_on || r->dir != RECOVERY_DIR_SOURCE)
		return;
	if (!r->pass_wanted && !srp_time_due(r->next_pass, now))
		return;
	r->pass_wanted = false;
	r->pass_on = true;
	r->pass_at = 0;
	r->next_pass = srp_time_add(now, RECOVERY_HELD_US);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];

		recovery_list_splice(&rk->tdirty, &rk->theld);
		if (rk->k->first) /* before those; no gate but that of all kinds has held them */
			recovery_list_splice(&rk->dirty, &rk->held);
	}
	recovery_list_splice(&r->look, &r->kind[r->order[0]].held);
}

void recovery_pass_end(struct recovery_replica *r)
{
	if (r->pass_on)
		recovery_list_splice(&r->kind[r->order[r->pass_at]].held, &r->look);
	r->pass_on = false;
}

/* @return false when there is no room, or enough was looked at */
static bool look(struct recovery_replica *r, struct recovery_out *out, struct recovery_kind *rk)
{
	while (!recovery_list_empty(&r->look)) {
		struct srp_ckpt_link *l = recovery_link_of(r->look.next);
		enum srp_gate g = recovery_gate(r, rk, recovery_obj_of(r, l), false, out->now);

		if (!window_open(r))
			return false;
		if (!out->work) {
			out->more = true;
			return false;
		}
		out->work--;
		if (g == SRP_GATE_OPEN || g == SRP_GATE_FIRST_FC) {
			if (send_obj(r, out, rk, l) == STEP_NO_ROOM)
				return false;
			continue;
		}
		recovery_list_del(&l->node);
		recovery_list_add(&rk->held, &l->node);
	}
	return true;
}

static bool pass(struct recovery_replica *r, struct recovery_out *out)
{
	while (r->pass_on) {
		if (!look(r, out, &r->kind[r->order[r->pass_at]]))
			return false;
		if (++r->pass_at == r->conf.nkinds)
			r->pass_on = false;
		else
			recovery_list_splice(&r->look, &r->kind[r->order[r->pass_at]].held);
	}
	return true;
}

/* To an empty peer: all of the kind that is settled but unknown to it.
 * @return true when none is left: only then do kinds of higher rank go */
static bool send_all(struct recovery_replica *r, struct recovery_out *out, struct recovery_kind *rk)
{
	struct srp_list *from[] = {&rk->walk, &rk->fresh};

	for (int j = 0; j < 2; j++)
		while (!recovery_list_empty(from[j])) {
			struct srp_ckpt_link *l = recovery_link_of(from[j]->next);

			if (!out->work || !window_open(r)) {
				out->more |= !out->work;
				return false;
			}
			out->work--;
			if (recovery_known(rk, l)) {
				recovery_link_leave(r, rk, l);
				recovery_link_settle(r, rk, l, &rk->settled);
			} else if (send_obj(r, out, rk, l) == STEP_NO_ROOM) {
				return false;
			}
		}
	return true;
}

/* What of a kind waits, but for its deletions.
 * @return false when there is no room, or enough was looked at */
static bool send_kind(struct recovery_replica *r, struct recovery_out *out, struct recovery_kind *rk)
{
	if (!rk->active)
		return true;
	if (!recovery_list_empty(&rk->paced) && !recovery_paced(r, rk, out->now))
		recovery_list_splice(&rk->dirty, &rk->paced);
	return send_list(r, out, rk, &rk->lim, true) && send_list(r, out, rk, &rk->dirty, false) &&
	       (r->sync != RECOVERY_SYNC_FULL || send_all(r, out, rk));
}

/* Deletions go before records, and those of children before their parents': whoever holds records alone,
 * as a mirror does, has none without what it belongs to, wherever the connection ends. But for kinds that
 * go first: what a deletion ends is nowhere, if the connection ends before that was told of.
 * @return false when there is no room, or enough was looked at */
static bool send_tombs(struct recovery_replica *r, struct recovery_out *out)
{
	for (size_t i = r->conf.nkinds; i > 0; i--) {
		struct recovery_kind *rk = &r->kind[r->order[i - 1]];

		if (rk->active && (!send_list(r, out, rk, &rk->tlim, true) ||
		                   !send_list(r, out, rk, &rk->tdirty, false)))
			return false;
	}
	return true;
}

bool recovery_send(struct recovery_replica *r, struct recovery_out *out)
{
	uint32_t i = 0;

	if (r->retry_refused && !r->pass_on)
		recovery_retry_refused(r);
	pass_begin(r, out->now);
	for (; i < r->conf.nkinds && r->kind[r->order[i]].k->first; i++)
		if (!send_kind(r, out, &r->kind[r->order[i]]))
			return false;
	if (!send_tombs(r, out))
		return false;
	for (; i < r->conf.nkinds; i++)
		if (!send_kind(r, out, &r->kind[r->order[i]]))
			return false;
	if (!pass(r, out))
		return false;
	out->more |= r->pass_wanted;
	return !recovery_send_pending(r);
}

bool recovery_replica_flows_wait(const struct recovery_replica *r)
{
	if (recovery_replica_link(r) != RECOVERY_LINK_READY)
		return false;
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		if (r->kind[i].active && (r->kind[i].k->limited || r->kind[i].k->prompt) &&
		    !recovery_list_empty(&r->kind[i].dirty))
			return true;
	return false;
}

bool recovery_replica_confirmed(const struct recovery_replica *r, uint64_t *mark)
{
	if (recovery_replica_link(r) != RECOVERY_LINK_READY)
		return true;
	for (uint32_t i = 0; !*mark && i < r->conf.nkinds; i++)
		if (r->kind[i].active && r->kind[i].k->prompt && !recovery_list_empty(&r->kind[i].dirty))
			return false;
	if (!*mark)
		*mark = r->sent;
	return r->acked >= *mark;
}

bool recovery_send_pending(const struct recovery_replica *r)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		const struct recovery_kind *rk = &r->kind[i];

		if (rk->active &&
		    (!recovery_list_empty(&rk->tdirty) || !recovery_list_empty(&rk->dirty) ||
		     (!recovery_list_empty(&rk->paced) && !recovery_paced(r, rk, (struct srp_time){0}))))
			return true;
	}
	return r->pass_on || r->pass_wanted;
}

/* ack: the window of what is in flight, acknowledgements, and what the peer refuses. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <stdlib.h>

#include "srp/err.h"

#define RUNS_MIN 1024u

static struct recovery_run *run_at(const struct recovery_replica *r, uint32_t i)
{
	return &r->run[(r->run_head + i) & (r->run_cap - 1)];
}

/* Doubles the ring; without memory the window is what it is. */
static void runs_grow(struct recovery_replica *r)
{
	uint32_t cap = r->run_cap ? 2 * r->run_cap : RUNS_MIN;
	struct recovery_run *p;

	if (cap > 2 * r->conf.inflight_max && r->run_cap)
		return;
	p = malloc(cap * sizeof(*p));
	if (!p)
		return;
	for (uint32_t i = 0; i < r->run_n; i++)
		p[i] = *run_at(r, i);
	free(r->run);
	r->run = p;
	r->run_cap = cap;
	r->run_head = 0;
}

bool recovery_run_push(struct recovery_replica *r, uint32_t row)
{
	struct recovery_run *last = r->run_n ? run_at(r, r->run_n - 1) : NULL;

	if (last && last->row == row && last->n < UINT32_MAX) {
		last->n++;
		last->last = r->sent;
		return true;
	}
	*run_at(r, r->run_n++) = (struct recovery_run){.last = r->sent, .n = 1, .row = row};
	if (r->run_n + 1 >= r->run_cap)
		runs_grow(r);
	return r->run_n < r->run_cap;
}

/* Moves the counters of records up to @p seq from in flight to what became of them. */
static void count_upto(struct recovery_replica *r, uint64_t seq, size_t to)
{
	while (r->run_n && r->acked < seq) {
		struct recovery_run *run = run_at(r, 0);
		struct recovery_kind_counters *row = &r->conf.counters[run->row];
		uint64_t n = run->last <= seq ? run->n : run->n - (run->last - seq);

		row->inflight -= n;
		*(uint64_t *)(void *)((char *)row + to) += n;
		r->acked += n;
		run->n -= (uint32_t)n;
		if (!run->n) {
			r->run_head = (r->run_head + 1) & (r->run_cap - 1);
			r->run_n--;
		}
	}
}

/* The peer lacks the parent: that goes first, and the child once more after it. */
static bool retry_with_parent(struct recovery_replica *r, struct recovery_kind *rk,
                              struct srp_ckpt_link *l)
{
	struct srp_ckpt_obj *p = rk->k->parent ? rk->k->parent(recovery_obj_of(r, l)) : NULL;
	struct srp_ckpt_link *pl = p ? &p->link[r->slot] : NULL;
	struct recovery_kind *prk;

	if (!pl || (l->flags & SRP_LINK_F_CHANGED))
		return false;
	prk = recovery_kind_of(r, p);
	if (pl->state == SRP_LINK_SETTLED)
		recovery_repair(r, prk, p);
	if (pl->state == SRP_LINK_INFLIGHT) {
		recovery_link_dirty(r, rk, l, &rk->dirty, RECOVERY_NACK);
		return true;
	}
	if (pl->state != SRP_LINK_DIRTY)
		return false;
	recovery_uncount(prk, pl);
	pl->gen = 0;
	recovery_orphan_park(r, rk, l, p, RECOVERY_NACK);
	return true;
}

/* @p seq: all up to there has been answered. */
static void settle(struct recovery_replica *r, struct srp_ckpt_link *l, int refused, uint64_t seq,
                   struct srp_time now)
{
	enum srp_ckpt_passing what = refused ? SRP_CKPT_REFUSED : SRP_CKPT_ACKED;
	struct recovery_kind *rk;

	if (l->flags & SRP_LINK_F_TOMB) {
		struct recovery_tomb *t = recovery_tomb_of(l);

		recovery_passed(r, &r->kind[t->kind], NULL, t, what, seq, now);
		recovery_list_del(&l->node);
		recovery_tomb_drop(r, t);
		return;
	}
	rk = recovery_kind_of(r, recovery_obj_of(r, l));
	recovery_passed(r, rk, recovery_obj_of(r, l), NULL, what, seq, now);
	recovery_link_leave(r, rk, l);
	if (!refused) {
		recovery_link_settle(r, rk, l, &rk->settled);
		return;
	}
	recovery_uncount(rk, l);
	if (refused == SRP_ENORULE && (int32_t)(l->seq - r->rules_seq) < 0)
		/* refused for want of what was sent behind it, before the refusal was heard */
		recovery_link_dirty(r, rk, l, &rk->dirty, RECOVERY_NACK);
	else if (refused != SRP_ENOSESS || !retry_with_parent(r, rk, l))
		recovery_link_refused(rk, l);
}

/* All up to @p seq is acknowledged, or refused for this reason. */
static void upto(struct recovery_replica *r, uint64_t seq, int refused, struct srp_time now)
{
	count_upto(r, seq, refused ? offsetof(struct recovery_kind_counters, refused)
	                           : offsetof(struct recovery_kind_counters, acked));
	while (!recovery_list_empty(&r->inflight)) {
		struct srp_ckpt_link *l = recovery_link_of(r->inflight.next);

		if ((int32_t)((uint32_t)seq - l->seq) < 0)
			break;
		settle(r, l, refused, seq, now);
	}
	r->acked = seq;
}

void recovery_return(struct recovery_replica *r)
{
	count_upto(r, r->sent, offsetof(struct recovery_kind_counters, returned));
	r->acked = r->returned = r->sent;
	r->epoch++;
	while (!recovery_list_empty(&r->inflight)) {
		struct srp_ckpt_link *l = recovery_link_of(r->inflight.next);
		struct recovery_kind *rk;

		if (l->flags & SRP_LINK_F_TOMB) {
			struct recovery_tomb *t = recovery_tomb_of(l);

			recovery_list_del(&l->node);
			recovery_tomb_dirty(r, t, &r->kind[t->kind].tdirty, RECOVERY_RESET);
			continue;
		}
		rk = recovery_kind_of(r, recovery_obj_of(r, l));
		recovery_link_leave(r, rk, l);
		recovery_uncount(rk, l);
		l->gen = 0;
		recovery_link_dirty(r, rk, l, &rk->dirty, RECOVERY_RESET);
	}
}

/* [stream, sequence, [first refused, number, code, ...]]. The whole is checked before anything
 * moves. */
int recovery_rx_ack(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	struct recovery_refusal ref[RECOVERY_REFUSED_RUNS];
	/* after a return, an answer to what was returned may still come */
	uint64_t stream, seq, at = r->acked > r->returned ? r->acked : 0;
	uint32_t n;

	if (srp_mp_array(m, 3) != 3)
		srp_mp_fail(m, SRP_EFORMAT);
	stream = srp_mp_uint(m, UINT64_MAX);
	seq = srp_mp_uint(m, UINT64_MAX);
	n = srp_mp_array(m, 3 * RECOVERY_REFUSED_RUNS);
	for (uint32_t i = 0; i < n / 3 && !m->err; i++) {
		ref[i].first = srp_mp_uint(m, seq);
		ref[i].n = (uint32_t)srp_mp_uint(m, UINT32_MAX);
		ref[i].code = -(int)srp_mp_uint(m, UINT8_MAX);
		if (!ref[i].code)
			srp_mp_fail(m, SRP_ERANGE);
	}
	if (n % 3 || srp_mp_finish(m))
		return m->err ? m->err : SRP_EFORMAT;
	if (stream != r->stream || !recovery_is_source(r) || seq < r->acked) {
		r->conf.totals->stale_frames++; /* of what was returned, and goes again */
		return SRP_OK;
	}
	if (seq > r->sent)
		return SRP_ERANGE;
	for (uint32_t i = 0; i < n / 3; i++) {
		if (!ref[i].n || ref[i].first <= at || ref[i].n > seq - ref[i].first + 1)
			return SRP_ERANGE;
		at = ref[i].first + ref[i].n - 1;
	}
	for (uint32_t i = 0; i < n / 3; i++) {
		at = ref[i].first + ref[i].n - 1;
		if (at <= r->acked)
			continue; /* of what was returned, too */
		if (ref[i].first > r->acked + 1)
			upto(r, ref[i].first - 1, SRP_OK, now);
		upto(r, at, ref[i].code, now);
		r->refusals++;
	}
	upto(r, seq, SRP_OK, now);
	recovery_relieve(r);
	return SRP_OK;
}

static bool write_ack(struct recovery_replica *r, struct srp_mp_w *w)
{
	srp_mp_w_array(w, 3);
	srp_mp_w_uint(w, r->applied_stream);
	srp_mp_w_uint(w, r->applied);
	srp_mp_w_array(w, 3 * r->nrefusals);
	for (uint32_t i = 0; i < r->nrefusals; i++) {
		srp_mp_w_uint(w, r->refusal[i].first);
		srp_mp_w_uint(w, r->refusal[i].n);
		srp_mp_w_uint(w, (uint64_t)-r->refusal[i].code);
	}
	return !w->err;
}

static void acked(struct recovery_replica *r)
{
	r->nrefusals = 0;
	r->ack_sent = r->applied;
	r->ack_due = false;
}

bool recovery_tx_ack(struct recovery_replica *r, struct recovery_out *out)
{
	uint8_t *body;
	struct srp_mp_w w;
	size_t max = 32 + (size_t)r->nrefusals * 16;

	if (!r->ack_due)
		return true;
	if (max > SRP_FRAME_BODY_MAX)
		max = SRP_FRAME_BODY_MAX;
	body = recovery_out_body(out, max);
	if (!body)
		return false;
	w = srp_mp_w_init(body, max);
	if (write_ack(r, &w))
		recovery_out_frame(r, out, RECOVERY_FT_ACK, 0, srp_mp_w_len(&w));
	acked(r);
	return true;
}

int recovery_ack_queue(struct recovery_replica *r)
{
	uint8_t body[SRP_FRAME_BODY_MAX];
	struct srp_mp_w w = srp_mp_w_init(body, sizeof(body));
	int rc;

	(void)write_ack(r, &w);
	rc = recovery_outq_put(r, RECOVERY_FT_ACK, body, srp_mp_w_len(&w));
	acked(r);
	return rc;
}

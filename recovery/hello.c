/* hello: what both ends are, which way records go, and how a synchronisation begins.
 *
 * A hello carries a number, raised with each change of the sender's state, and the number it has
 * heard. Both ends agree when each has heard the other's latest; nothing else is sent before. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <stdio.h>
#include <string.h>

#include "srp/err.h"

#define HELLO_ITEMS   17u
#define HELLO_VERSION 1u
#define HELLO_MAX     2048u
#define NEWER_MAX     64u /* elements of an array of a newer peer; what is behind ours is skipped */

static bool accepts(enum srp_role role)
{
	return srp_role_permit[role].accepts || srp_role_permit[role].final_flush_only;
}

enum recovery_dir recovery_direction(const struct recovery_replica *r)
{
	const struct recovery_hello *p = &r->peer;
	bool mine = recovery_role_sends(r, r->role), theirs = recovery_role_sends(r, p->role);

	if (!r->peer_known || mine == theirs)
		return RECOVERY_DIR_NONE;
	if (mine) {
		if (!r->complete)
			return p->complete && srp_role_permit[p->role].answers_refill
			               ? RECOVERY_DIR_MERGE : RECOVERY_DIR_NONE;
		return accepts(p->role) && p->seen <= r->term ? RECOVERY_DIR_SOURCE
							      : RECOVERY_DIR_NONE;
	}
	if (!p->complete)
		return r->complete && srp_role_permit[r->role].answers_refill ? RECOVERY_DIR_REFILL
		                                                              : RECOVERY_DIR_NONE;
	return accepts(r->role) && r->seen <= p->term ? RECOVERY_DIR_RECEIVE : RECOVERY_DIR_NONE;
}

void recovery_set_dir(struct recovery_replica *r, enum recovery_dir dir)
{
	bool was = recovery_is_source(r);

	r->dir = dir;
	r->sync = RECOVERY_SYNC_NONE;
	recovery_compare_reset(r);
	if (was && !recovery_is_source(r)) {
		recovery_return(r);
		if (!recovery_role_sends(r, r->role))
			recovery_demote(r);
	}
}

static void begin_full(struct recovery_replica *r)
{
	r->conf.totals->syncs_full++;
	if (r->conf.id != SRP_REPLICA_SR)
		(void)recovery_tomb_forget(r, false);
	recovery_generation(r);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		recovery_void_hashes(r, &r->kind[i], false);
		recovery_walk_begin(r, &r->kind[i], RECOVERY_WALK_FULL);
	}
	/* what is settled is below the generation of the hashes, and unknown */
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		r->kind[i].lo = r->cur;
		r->kind[i].void_below = r->cur;
	}
	r->sync = RECOVERY_SYNC_FULL;
}

/* Which way the peer is brought level. */
static void begin_source(struct recovery_replica *r)
{
	const struct recovery_hello *p = &r->peer;
	bool known = p->applied_stream == r->stream && p->applied_seq <= r->sent;

	if (r->fresh_conn || !known)
		recovery_return(r);
	if (known && r->fresh_conn)
		r->sent = r->acked = p->applied_seq;
	if (r->refused_by != p->stream)
		recovery_retry_refused(r);
	r->refused_by = p->stream;
	r->pass_wanted = r->dir == RECOVERY_DIR_SOURCE;
	r->round_after = (struct srp_time){0};
	r->drain_goal = 0;
	if (r->dir == RECOVERY_DIR_REFILL)
		r->conf.totals->refills++;
	if (known && r->synced && !r->need_digest) {
		r->conf.totals->resumes++;
		r->sync = RECOVERY_SYNC_RESET;
		return;
	}
	recovery_return(r);
	r->synced = false;
	r->need_digest = false;
	if (!p->objects) {
		begin_full(r);
		return;
	}
	r->conf.totals->syncs_digest++;
	recovery_generation(r);
	r->sync = RECOVERY_SYNC_COMPARE;
}

/* The source's key is used, so that the side with the larger history hashes nothing again. */
static void begin_receiver(struct recovery_replica *r)
{
	if (r->peer.hkey != r->hkey) {
		r->hkey = r->peer.hkey;
		for (uint32_t i = 0; i < r->conf.nkinds; i++)
			recovery_void_hashes(r, &r->kind[i], true);
	}
	if (r->peer.stream == r->applied_stream)
		return;
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];

		while (!recovery_list_empty(&rk->refused)) {
			struct srp_ckpt_link *l = recovery_link_of(rk->refused.next);

			recovery_link_leave(r, rk, l);
			l->gen = 0;
			recovery_link_settle(r, rk, l, &rk->fresh);
		}
	}
}

static void agree(struct recovery_replica *r, struct srp_time now)
{
	recovery_set_dir(r, recovery_direction(r));
	r->agreed = true;
	r->link = RECOVERY_LINK_SYNC;
	r->lz4 = r->conf.lz4 && r->peer.lz4;
	r->next_digest = srp_time_add(now, RECOVERY_DIGEST_US);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];

		if (rk->active && rk->ver != rk->hver) {
			recovery_void_hashes(r, rk, true);
			rk->hver = rk->ver;
		}
	}
	if (recovery_is_source(r))
		begin_source(r);
	else if (r->dir != RECOVERY_DIR_NONE)
		begin_receiver(r);
	r->fresh_conn = false;
	recovery_event(r, RECOVERY_EV_SYNC, NULL);
}

static int read_kinds(struct recovery_replica *r, struct srp_mp_r *m,
		      uint8_t ver[RECOVERY_KINDS_MAX])
{
	uint32_t n = srp_mp_array(m, UINT8_MAX);

	for (uint32_t i = 0; i < RECOVERY_KINDS_MAX; i++)
		ver[i] = 0;
	for (uint32_t i = 0; i < n && !m->err; i++) {
		uint32_t items = srp_mp_array(m, NEWER_MAX);
		unsigned id, min, max, at;

		if (items < 3)
			srp_mp_fail(m, SRP_EFORMAT);
		id = (unsigned)srp_mp_uint(m, UINT8_MAX);
		min = (unsigned)srp_mp_uint(m, UINT8_MAX);
		max = (unsigned)srp_mp_uint(m, UINT8_MAX);
		while (!m->err && items-- > 3)
			srp_mp_skip(m);
		at = r->by_id[id];
		if (m->err || !at)
			continue;
		if (max > r->kind[at - 1].k->ver_max)
			max = r->kind[at - 1].k->ver_max;
		if (max >= min && max >= r->kind[at - 1].k->ver_min)
			ver[at - 1] = (uint8_t)max;
	}
	return m->err;
}

/* @p more: elements behind those that are known. */
static int read_hello(struct srp_mp_r *m, struct recovery_hello *h, uint32_t *more)
{
	uint32_t n = srp_mp_array(m, NEWER_MAX);
	unsigned vmin, vmax;

	if (n < HELLO_ITEMS)
		srp_mp_fail(m, SRP_EFORMAT);
	*more = m->err ? 0 : n - HELLO_ITEMS;
	vmin = (unsigned)srp_mp_uint(m, UINT8_MAX);
	vmax = (unsigned)srp_mp_uint(m, UINT8_MAX);
	if (!m->err && (vmin > HELLO_VERSION || vmax < HELLO_VERSION))
		return SRP_EVERSION;
	h->number = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	h->ack = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	h->stream = srp_mp_uint(m, UINT64_MAX);
	h->role = (enum srp_role)srp_mp_uint(m, SRP_ROLE__N - 1);
	h->term = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	h->seen = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	h->complete = srp_mp_bool(m);
	h->instance = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	h->hkey = srp_mp_uint(m, UINT64_MAX);
	h->applied_stream = srp_mp_uint(m, UINT64_MAX);
	h->applied_seq = srp_mp_uint(m, UINT64_MAX - UINT16_MAX);
	h->rate = (uint32_t)srp_mp_uint(m, UINT32_MAX);
	h->lz4 = srp_mp_bool(m);
	h->objects = srp_mp_bool(m);
	return m->err;
}

static void negotiate(struct recovery_replica *r, const uint8_t ver[RECOVERY_KINDS_MAX])
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		r->kind[i].active = ver[i] != 0;
		if (ver[i])
			r->kind[i].ver = ver[i];
	}
}

int recovery_rx_hello(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	uint8_t ver[RECOVERY_KINDS_MAX];
	struct recovery_hello h = {0};
	uint32_t more;
	int rc = read_hello(m, &h, &more);

	rc = rc ? rc : read_kinds(r, m, ver);
	while (!rc && !m->err && more--)
		srp_mp_skip(m);
	rc = rc ? rc : srp_mp_finish(m);
	if (rc)
		return rc;
	if (h.instance != r->conf.instance)
		return SRP_EMISMATCH;
	if (!h.number || !h.stream || h.ack > r->hello_number || h.number < r->peer.number)
		return SRP_ERANGE;
	r->conf.totals->hellos_in++;
	if (h.number == r->peer.number && r->agreed)
		return SRP_OK; /* an answer that crossed ours */
	r->peer = h;
	r->peer_known = true;
	negotiate(r, ver);
	if (recovery_role_sends(r, h.role) && h.complete && accepts(r->role) && h.term > r->seen)
		r->seen = h.term;
	if (h.number > r->hello_acked)
		r->hello_due = true;
	r->agreed = false;
	r->link = RECOVERY_LINK_SYNC;
	if (h.ack == r->hello_number)
		agree(r, now);
	else if (r->dir != recovery_direction(r))
		recovery_set_dir(r, RECOVERY_DIR_NONE);
	return SRP_OK;
}

static void write_kinds(const struct recovery_replica *r, struct srp_mp_w *w)
{
	srp_mp_w_array(w, (uint32_t)r->conf.nkinds);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		srp_mp_w_array(w, 3);
		srp_mp_w_uint(w, r->kind[i].k->id);
		srp_mp_w_uint(w, r->kind[i].k->ver_min);
		srp_mp_w_uint(w, r->kind[i].k->ver_max);
	}
}

bool recovery_tx_hello(struct recovery_replica *r, struct recovery_out *out)
{
	uint8_t *body;
	struct srp_mp_w w;

	if (!r->hello_due)
		return true;
	body = recovery_out_body(out, HELLO_MAX);
	if (!body)
		return false;
	w = srp_mp_w_init(body, HELLO_MAX);
	srp_mp_w_array(&w, HELLO_ITEMS);
	srp_mp_w_uint(&w, HELLO_VERSION);
	srp_mp_w_uint(&w, HELLO_VERSION);
	srp_mp_w_uint(&w, r->hello_number);
	srp_mp_w_uint(&w, r->peer.number);
	srp_mp_w_uint(&w, r->stream);
	srp_mp_w_uint(&w, (unsigned)r->role);
	srp_mp_w_uint(&w, r->term);
	srp_mp_w_uint(&w, r->seen);
	srp_mp_w_bool(&w, r->complete);
	srp_mp_w_uint(&w, r->conf.instance);
	srp_mp_w_uint(&w, r->hkey);
	srp_mp_w_uint(&w, r->applied_stream);
	srp_mp_w_uint(&w, r->applied);
	srp_mp_w_uint(&w, r->limiter.rate);
	srp_mp_w_bool(&w, r->conf.lz4);
	srp_mp_w_bool(&w, recovery_objects(r) != 0);
	write_kinds(r, &w);
	recovery_out_frame(r, out, RECOVERY_FT_HELLO, 0, srp_mp_w_len(&w));
	r->hello_due = false;
	r->hello_acked = r->peer.number;
	return true;
}

void recovery_replica_unknown(const struct recovery_replica *r, char *text, size_t cap)
{
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; r->peer_known && i < r->conf.nkinds; i++) {
		const char *name = r->kind[i].k->name;

		if (!r->kind[i].active && strlen(name) + 3 <= cap - n)
			n += (size_t)snprintf(text + n, cap - n, "%s%s", n ? ", " : "", name);
	}
}

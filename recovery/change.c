/* What the model tells: an object is new, has changed, or goes. And what befalls objects when the
 * role or another replica changes. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <string.h>

/* A new object takes the place of the tombstone of its key. Where children may have gone with the
 * deletion, it is sent all the same, before the new object. */
static void meet_tomb(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_obj *o)
{
	struct srp_ckpt_link *l = &o->link[r->slot];
	struct srp_ckpt_key key = {{0}};
	struct recovery_tomb *t;
	enum recovery_reason why;

	rk->k->key(o, &key);
	t = recovery_tomb_find(r, rk, &key);
	if (!t)
		return;
	if (o->version <= t->version)
		o->version = t->version + 1;
	why = recovery_tomb_leave(r, t);
	if (!rk->k->limited) {
		recovery_tomb_dirty(r, t, &rk->tdirty, why);
		return;
	}
	if (why == RECOVERY_WAIT)
		recovery_row_of(r, rk, true)->cancelled++;
	l->gen = t->link.gen;
	l->flags |= SRP_LINK_F_PEER_MAY_HAVE;
	if (recovery_counted(rk, &t->link)) {
		uint64_t hash = t->link.hash;

		recovery_uncount(rk, &t->link);
		recovery_count(rk, l, hash);
	}
	recovery_tomb_drop(r, t);
}

/* Some of what the peer holds is none of the mirror's. */
static bool holds(const struct recovery_replica *r, const struct recovery_kind *rk)
{
	return !rk->k->peer_only || r->conf.id == SRP_REPLICA_GR;
}

void recovery_adopt(struct recovery_replica *r, struct srp_ckpt_obj *o)
{
	struct recovery_kind *rk = recovery_kind_of(r, o);
	struct srp_ckpt_link *l = &o->link[r->slot];

	if (l->state == SRP_LINK_DIRTY || !holds(r, rk))
		return;
	recovery_link_leave(r, rk, l);
	if (recovery_is_source(r)) {
		recovery_link_dirty(r, rk, l, &rk->dirty, RECOVERY_PERIOD);
		return;
	}
	recovery_uncount(rk, l);
	l->gen = 0;
	l->flags &= SRP_LINK_F_PEER_MAY_HAVE;
	recovery_link_settle(r, rk, l, &rk->fresh);
}

void recovery_replica_adopt(struct recovery_replica *r, struct srp_ckpt_obj *o, uint64_t hash)
{
	struct recovery_kind *rk = recovery_kind_of(r, o);
	struct srp_ckpt_link *l = &o->link[r->slot];

	if (l->state == SRP_LINK_DIRTY && recovery_reason_of(l) == RECOVERY_WAIT)
		recovery_row_of(r, rk, false)->cancelled++;
	recovery_link_leave(r, rk, l);
	recovery_uncount(rk, l);
	l->flags = SRP_LINK_F_PEER_MAY_HAVE;
	l->gen = 0;
	if (hash) {
		l->gen = rk->void_below; /* never 0; below what is known to the peer */
		recovery_count(rk, l, hash);
	}
	recovery_link_settle(r, rk, l, hash ? &rk->settled : &rk->fresh);
}

void recovery_forget(struct recovery_replica *r, struct srp_ckpt_obj *o)
{
	if (o->link[r->slot].flags & SRP_LINK_F_PEER_MAY_HAVE)
		r->need_digest = true;
	recovery_deleted(r, o, false, (struct srp_time){0});
}

/* Refused by a gate for good: the resynchronisation sends it when the condition ends. In a role
 * that does not send, it is what the comparison will find. */
static void hold(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_obj *o,
                 enum srp_gate gate)
{
	struct srp_ckpt_link *l = &o->link[r->slot];

	if (gate == SRP_GATE_CONGESTED)
		r->congested = true;
	if (gate == SRP_GATE_INVALIDATE || l->state == SRP_LINK_DIRTY)
		return;
	if (!recovery_role_sends(r, r->role)) {
		recovery_adopt(r, o);
		return;
	}
	recovery_link_leave(r, rk, l);
	if (gate == SRP_GATE_FIRST_FC)
		recovery_orphan_park(r, rk, l, rk->k->parent(o), RECOVERY_PERIOD);
	else
		recovery_link_dirty(r, rk, l, &rk->held, RECOVERY_PERIOD);
}

void recovery_changed(struct recovery_replica *r, struct srp_ckpt_obj *o, struct srp_time now)
{
	struct recovery_kind *rk = recovery_kind_of(r, o);
	struct recovery_kind_counters *row = recovery_row_of(r, rk, false);
	struct srp_ckpt_link *l = &o->link[r->slot];
	enum srp_gate gate;

	if (!holds(r, rk))
		return;
	row->changes++;
	if (recovery_invalidated(l)) {
		row->gate_invalidate++; /* it is being freed: on no list any more */
		return;
	}
	if (l->state == SRP_LINK_NONE)
		meet_tomb(r, rk, o);
	gate = recovery_gate(r, rk, o, false, now);
	if (gate != SRP_GATE_OPEN) {
		++*recovery_gate_counter(row, gate);
		hold(r, rk, o, gate);
		return;
	}
	if (l->state == SRP_LINK_DIRTY && recovery_reason_of(l) != RECOVERY_PERIOD) {
		row->coalesced++;
		return;
	}
	recovery_link_leave(r, rk, l);
	recovery_link_dirty(r, rk, l, recovery_paced(r, rk, now) ? &rk->paced : &rk->dirty,
	                    RECOVERY_WAIT);
}

/* Leaves a tombstone for what the peer may have. */
static void bury(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_obj *o,
                 enum srp_gate gate)
{
	struct srp_ckpt_link *l = &o->link[r->slot];
	struct recovery_kind_counters *row = recovery_row_of(r, rk, true);
	struct srp_ckpt_key key = {{0}};
	struct recovery_tomb *t;

	rk->k->key(o, &key);
	t = recovery_tomb_new(r, rk, &key);
	if (!t) {
		r->need_digest = true;
		r->conf.totals->tombs_dropped++;
		row->cancelled += gate == SRP_GATE_OPEN;
		recovery_uncount(rk, l);
		return;
	}
	t->term = o->term;
	t->version = o->version;
	t->tag = rk->k->tag ? rk->k->tag(o) : 0;
	t->link.hash = l->hash;
	t->link.gen = l->gen;
	t->link.flags |= l->flags & SRP_LINK_F_COUNTED;
	if (gate == SRP_GATE_OPEN)
		recovery_tomb_dirty(r, t, &rk->tdirty, RECOVERY_WAIT);
	else
		recovery_tomb_dirty(r, t, &rk->theld, RECOVERY_PERIOD);
	if (gate == SRP_GATE_CONGESTED)
		r->congested = true;
}

/* A store remembers deletions for the peer chassis: also of what it never had. */
static bool to_be_told(const struct recovery_replica *r, const struct srp_ckpt_link *l)
{
	return (l->flags & SRP_LINK_F_PEER_MAY_HAVE) || r->conf.id == SRP_REPLICA_SR;
}

/* What waited goes no more: the deletion of what it belongs to goes in its place, or nothing does. */
static uint64_t *gone_counter(struct recovery_replica *r, struct recovery_kind *rk,
                              const struct srp_ckpt_obj *o)
{
	struct recovery_kind_counters *row = recovery_row_of(r, rk, false);
	const struct srp_ckpt_kind *k = rk->k;

	for (; k->parent; k = o->kind) {
		o = k->parent(o);
		if (recovery_invalidated(&o->link[r->slot]))
			return &row->gate_invalidate;
	}
	return &row->cancelled;
}

void recovery_deleted(struct recovery_replica *r, struct srp_ckpt_obj *o, bool tell,
                      struct srp_time now)
{
	struct recovery_kind *rk = recovery_kind_of(r, o);
	struct srp_ckpt_link *l = &o->link[r->slot];
	enum srp_gate gate = SRP_GATE_INVALIDATE;

	if (l->state != SRP_LINK_NONE) {
		tell = tell && !r->applying && rk->k->del_id && recovery_role_sends(r, r->role) &&
		       to_be_told(r, l);
		if (tell) {
			struct recovery_kind_counters *row = recovery_row_of(r, rk, true);

			gate = recovery_gate(r, rk, o, true, now);
			row->changes++;
			if (gate != SRP_GATE_OPEN)
				++*recovery_gate_counter(row, gate);
		}
		if (l->state == SRP_LINK_DIRTY && recovery_reason_of(l) == RECOVERY_WAIT)
			++*gone_counter(r, rk, o);
		recovery_link_leave(r, rk, l);
		if (tell && gate != SRP_GATE_INVALIDATE)
			bury(r, rk, o, gate);
		else
			recovery_uncount(rk, l);
	}
	*l = (struct srp_ckpt_link){.flags = SRP_LINK_F_TOMB};
}

/* Takes everything on @p from to the objects whose hash is computed before the next comparison. */
static uint64_t diverge(struct recovery_replica *r, struct recovery_kind *rk, struct srp_list *from)
{
	struct recovery_kind_counters *row = recovery_row_of(r, rk, false);
	uint64_t n = 0;

	while (!recovery_list_empty(from)) {
		struct srp_ckpt_link *l = recovery_link_of(from->next);

		if (l->state == SRP_LINK_DIRTY && recovery_reason_of(l) == RECOVERY_WAIT)
			row->gate_gr_state++;
		recovery_link_leave(r, rk, l);
		recovery_uncount(rk, l);
		l->gen = 0;
		recovery_link_settle(r, rk, l, &rk->fresh);
		n++;
	}
	return n;
}

void recovery_demote(struct recovery_replica *r)
{
	uint64_t n = recovery_tomb_forget(r, true);

	recovery_orphan_release_all(r);
	recovery_pass_end(r);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];

		n += diverge(r, rk, &rk->dirty);
		n += diverge(r, rk, &rk->paced);
		n += diverge(r, rk, &rk->lim);
		n += diverge(r, rk, &rk->held);
		(void)diverge(r, rk, &rk->refused);
	}
	r->conf.totals->divergent += n;
	r->congested = r->retry_refused = false;
}

void recovery_retry_refused(struct recovery_replica *r)
{
	r->retry_refused = false;
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];

		while (!recovery_list_empty(&rk->refused)) {
			struct srp_ckpt_link *l = recovery_link_of(rk->refused.next);

			recovery_link_leave(r, rk, l);
			recovery_link_dirty(r, rk, l, &rk->dirty, RECOVERY_NACK);
		}
	}
}

void recovery_repair(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_obj *o)
{
	struct srp_ckpt_link *l = &o->link[r->slot];

	if (l->state != SRP_LINK_SETTLED && l->state != SRP_LINK_INFLIGHT)
		return; /* waits already, or is known to be refused */
	recovery_link_leave(r, rk, l);
	recovery_uncount(rk, l);
	l->gen = 0;
	recovery_link_dirty(r, rk, l, &rk->dirty, RECOVERY_AUDIT);
}

void recovery_wanted(struct recovery_replica *r, struct recovery_kind *rk, const struct srp_ckpt_key *key,
                     struct srp_time now)
{
	const struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, false);
	struct recovery_kind_counters *row = recovery_row_of(r, rk, false);
	struct srp_ckpt_obj *o = rk->k->find(&ctx, key);

	if (o) {
		recovery_repair(r, rk, o);
		return;
	}
	row->attempted++;
	row->again_audit++;
	row->encode_ignored++;
}

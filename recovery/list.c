#include "config.h"
#include "recovery/replica_impl.h"

void recovery_list_splice(struct srp_list *to, struct srp_list *from)
{
	if (recovery_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	recovery_list_init(from);
}

static void set_reason(struct recovery_replica *r, struct srp_ckpt_link *l,
		       enum recovery_reason why)
{
	enum recovery_reason old = recovery_reason_of(l);

	r->nrepair -= old == RECOVERY_RESET || old == RECOVERY_AUDIT;
	r->nrepair += why == RECOVERY_RESET || why == RECOVERY_AUDIT;
	l->flags = (uint8_t)((l->flags & ((1u << RECOVERY_REASON_SHIFT) - 1)) |
	                     (unsigned)why << RECOVERY_REASON_SHIFT);
}

enum recovery_reason recovery_link_leave(struct recovery_replica *r, struct recovery_kind *rk,
                                         struct srp_ckpt_link *l)
{
	enum recovery_reason why = RECOVERY_WAIT;

	if (l->state == SRP_LINK_NONE)
		return why;
	recovery_list_del(&l->node);
	rk->n[l->state]--;
	if (l->state == SRP_LINK_SETTLED) {
		rk->nclean -= l->gen >= rk->lo;
		rk->nfresh -= l->gen == 0;
	} else if (l->state == SRP_LINK_DIRTY) {
		why = recovery_reason_of(l);
		if (why == RECOVERY_WAIT)
			recovery_row_of(r, rk, false)->waiting--;
		set_reason(r, l, RECOVERY_WAIT);
	}
	l->state = SRP_LINK_NONE;
	return why;
}

static void enter(struct recovery_kind *rk, struct srp_ckpt_link *l, struct srp_list *to,
                  enum srp_link_state st)
{
	l->state = (uint8_t)st;
	rk->used = true;
	rk->n[st]++;
	recovery_list_add(to, &l->node);
}

void recovery_link_settle(struct recovery_replica *r, struct recovery_kind *rk,
                          struct srp_ckpt_link *l, struct srp_list *to)
{
	(void)r;
	enter(rk, l, to, SRP_LINK_SETTLED);
	rk->nclean += l->gen >= rk->lo;
	rk->nfresh += l->gen == 0;
}

void recovery_link_dirty(struct recovery_replica *r, struct recovery_kind *rk,
                         struct srp_ckpt_link *l, struct srp_list *to, enum recovery_reason why)
{
	enter(rk, l, to, SRP_LINK_DIRTY);
	set_reason(r, l, why);
	if (why == RECOVERY_WAIT)
		recovery_row_of(r, rk, false)->waiting++;
}

void recovery_link_refused(struct recovery_kind *rk, struct srp_ckpt_link *l)
{
	enter(rk, l, &rk->refused, SRP_LINK_REFUSED);
}

void recovery_link_inflight(struct recovery_replica *r, struct recovery_kind *rk,
                            struct srp_ckpt_link *l)
{
	enter(rk, l, &r->inflight, SRP_LINK_INFLIGHT);
}

static void renumber(const struct recovery_kind *rk, struct srp_list *h)
{
	for (struct srp_list *n = h->next; n != h; n = n->next) {
		struct srp_ckpt_link *l = recovery_link_of(n);

		if (l->gen)
			l->gen = l->gen < rk->void_below ? 1 : l->gen < rk->lo ? 2 : 3;
	}
}

/* Once in 65 thousand changes of role: the generations in use are mapped to the lowest numbers.
 * Nothing is in flight and no orphan is parked then. */
static void wrap(struct recovery_replica *r)
{
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];
		struct srp_list *all[] = {&rk->settled, &rk->fresh, &rk->walk, &rk->dirty,
		                          &rk->lim, &rk->held, &rk->refused, &rk->paced, &rk->tdirty,
		                          &rk->tlim, &rk->theld};

		for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++)
			renumber(rk, all[j]);
	}
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		r->kind[i].void_below = r->kind[i].void_below > 1 ? 2 : 1;
		r->kind[i].lo = 3;
	}
	r->cur = 3;
}

static void next_generation(struct recovery_replica *r)
{
	if (r->cur == UINT16_MAX) {
		recovery_return(r);
		recovery_orphan_release_all(r);
		wrap(r);
	}
	r->cur++;
}

void recovery_generation(struct recovery_replica *r)
{
	next_generation(r);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		r->kind[i].lo = r->cur;
		r->kind[i].nclean = 0;
	}
}

void recovery_settle_kind(struct recovery_replica *r, struct recovery_kind *rk)
{
	(void)r;
	rk->lo = 1;
	rk->nclean = rk->n[SRP_LINK_SETTLED] - rk->nfresh;
}

void recovery_void_hashes(struct recovery_replica *r, struct recovery_kind *rk, bool fresh)
{
	next_generation(r);
	rk->void_below = r->cur;
	rk->root = rk->count = 0;
	for (size_t i = 0; i < RECOVERY_BUCKETS; i++)
		rk->bucket[i] = 0;
	if (fresh) {
		recovery_list_splice(&rk->fresh, &rk->walk);
		recovery_list_splice(&rk->fresh, &rk->settled);
	}
}

/* Whether the lists of a replica are what its figures say: every object once, every hash counted.
 */
#include "config.h"
#include "tests/sim/sim_impl.h"

#include <inttypes.h>

struct tally {
	uint64_t n[SRP_LINK_REFUSED + 1], clean, fresh, root, count, tombs, repair;
};

/* Adds what is on a list of @p rk, or of all kinds together. */
static bool add(const struct recovery_replica *r, const struct srp_list *h, struct tally *t,
                enum srp_link_state state)
{
	for (struct srp_list *n = h->next; n != h; n = n->next) {
		struct srp_ckpt_link *l = recovery_link_of(n);
		bool tomb = l->flags & SRP_LINK_F_TOMB;
		struct srp_ckpt_obj *o = tomb ? NULL : recovery_obj_of(r, l);
		unsigned idx = tomb ? recovery_tomb_of(l)->kind : r->by_id[o->kind->id] - 1u;
		const struct recovery_kind *rk = &r->kind[idx];
		enum recovery_reason why = recovery_reason_of(l);

		if (l->state != state || n->next->prev != n)
			return false;
		if (recovery_counted(rk, l)) {
			t[idx].root ^= l->hash;
			t[idx].count++;
		}
		t[idx].repair += state == SRP_LINK_DIRTY &&
				 (why == RECOVERY_RESET || why == RECOVERY_AUDIT);
		if (tomb) {
			t[idx].tombs += state == SRP_LINK_DIRTY;
			continue;
		}
		t[idx].n[state]++;
		t[idx].clean += state == SRP_LINK_SETTLED && l->gen >= rk->lo;
		t[idx].fresh += state == SRP_LINK_SETTLED && l->gen == 0;
	}
	return true;
}

static bool add_kind(const struct recovery_replica *r, const struct recovery_kind *rk,
                     struct tally *t)
{
	return add(r, &rk->settled, t, SRP_LINK_SETTLED) &&
	       add(r, &rk->fresh, t, SRP_LINK_SETTLED) && add(r, &rk->walk, t, SRP_LINK_SETTLED) &&
	       add(r, &rk->dirty, t, SRP_LINK_DIRTY) && add(r, &rk->lim, t, SRP_LINK_DIRTY) &&
	       add(r, &rk->held, t, SRP_LINK_DIRTY) && add(r, &rk->tdirty, t, SRP_LINK_DIRTY) &&
	       add(r, &rk->tlim, t, SRP_LINK_DIRTY) && add(r, &rk->theld, t, SRP_LINK_DIRTY) &&
	       add(r, &rk->refused, t, SRP_LINK_REFUSED);
}

static bool same(const struct recovery_kind *rk, const struct tally *t)
{
	for (int st = SRP_LINK_SETTLED; st <= SRP_LINK_REFUSED; st++)
		if (rk->n[st] != t->n[st])
			return false;
	return rk->nclean == t->clean && rk->nfresh == t->fresh && rk->root == t->root &&
	       rk->count == t->count && rk->ntombs == t->tombs;
}

static int replica_lists(struct sim *s, const struct recovery_replica *r, unsigned side,
                         const char *after)
{
	struct tally t[RECOVERY_KINDS_MAX] = {0};
	uint64_t repair = 0;
	bool ok = add(r, &r->inflight, t, SRP_LINK_INFLIGHT) && add(r, &r->look, t, SRP_LINK_DIRTY);

	for (uint32_t i = 0; i < RECOVERY_ORPHAN_HEADS; i++)
		ok = ok && add(r, &r->orphan[i], t, SRP_LINK_DIRTY);
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		ok = ok && add_kind(r, &r->kind[i], t);
	if (!ok)
		return sim_fail(s, "side %u after %s: an object is on a list of another state",
				side, after);
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		repair += t[i].repair;
		if (!same(&r->kind[i], &t[i]))
			return sim_fail(s, "side %u after %s: lists of %s are not its figures",
					side, after, r->kind[i].k->name);
	}
	if (repair != r->nrepair)
		return sim_fail(s, "side %u after %s: %" PRIu64 " repairs, not %" PRIu64, side,
				after, repair, r->nrepair);
	return 0;
}

int sim_lists(struct sim *s, unsigned side, const char *after)
{
	const struct sim_side *e = &s->side[side];

	if (replica_lists(s, e->r, side, after))
		return -1;
	if (!e->mirror || !e->mirror->r)
		return 0;
	return replica_lists(s, e->mirror->src, side, after) ||
	               replica_lists(s, e->mirror->r, side, after) ? -1 : 0;
}

/* Whether a change may be sent now: judged once for each change, by the first reason that holds, in
 * the order of the columns. */
#include "config.h"
#include "recovery/replica_impl.h"

bool recovery_role_sends(const struct recovery_replica *r, enum srp_role role)
{
	const struct srp_role_permit *p = &srp_role_permit[role];

	return r->conf.id == SRP_REPLICA_SR ? p->sr_replica : p->sends;
}

/* The link or the roles of the two ends do not let records go. */
static bool state_forbids(const struct recovery_replica *r, const struct recovery_kind *rk)
{
	return !recovery_role_sends(r, r->role) || r->link < RECOVERY_LINK_SYNC || !rk->active ||
	       (r->agreed && r->dir == RECOVERY_DIR_NONE);
}

bool recovery_congested(const struct recovery_replica *r)
{
	return r->full || r->sent - r->acked >= r->conf.inflight_max;
}

void recovery_relieve(struct recovery_replica *r)
{
	if (!r->congested || r->full || r->sent - r->acked > r->conf.inflight_max / 2)
		return;
	r->congested = false;
	r->pass_wanted = true;
}

/* From the wish for an audit until both ends have recomputed their hashes and compared them. */
static bool audited(const struct recovery_replica *r)
{
	return r->audit_on || r->audit_round || (r->audit_due && r->sync == RECOVERY_SYNC_DONE);
}

/* Micro checkpoints that are no objects of their own are held meanwhile: their figures move all the time,
 * and would be sent twice. */
static bool audit_forbids(const struct recovery_replica *r, const struct recovery_kind *rk)
{
	return audited(r) && !r->flush && rk->k->del_id == 0 && rk->k->parent;
}

enum srp_gate recovery_gate(struct recovery_replica *r, struct recovery_kind *rk,
                            const struct srp_ckpt_obj *o, bool del, struct srp_time now)
{
	const struct srp_ckpt_obj *parent = rk->k->parent ? rk->k->parent(o) : NULL;
	const struct srp_ckpt_link *pl = parent ? &parent->link[r->slot] : NULL;
	bool gone = pl && recovery_invalidated(pl);

	if (!del && pl && !gone && !(pl->flags & SRP_LINK_F_PEER_MAY_HAVE) &&
	    !recovery_known(&r->kind[r->by_id[parent->kind->id] - 1], pl))
		return SRP_GATE_FIRST_FC;
	if (gone)
		return SRP_GATE_INVALIDATE;
	if (!del && rk->k->gate) {
		const struct srp_ckpt_ctx ctx = recovery_ctx(r, rk, now, false);
		enum srp_gate g = rk->k->gate(o, &ctx);

		if (g != SRP_GATE_OPEN && !(g == SRP_GATE_NOT_READY && r->flush))
			return g;
	}
	if (state_forbids(r, rk))
		return SRP_GATE_GR_STATE;
	if (recovery_congested(r))
		return SRP_GATE_CONGESTED;
	if (!r->complete)
		return SRP_GATE_RECOVERY;
	return audit_forbids(r, rk) ? SRP_GATE_AUDIT : SRP_GATE_OPEN;
}

/* audit: both sides compute the hashes of what they hold anew. A hash that is not the stored one is
 * a change that nobody was told of: it is named, and repaired by the comparison that follows. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <inttypes.h>
#include <stdio.h>

#include "srp/err.h"

void recovery_audit_begin(struct recovery_replica *r)
{
	recovery_walk_end(r);
	for (uint32_t i = 0; i < r->conf.nkinds; i++)
		recovery_walk_begin(r, &r->kind[i], RECOVERY_WALK_AUDIT);
	r->audit_on = true;
	r->audit_round = false;
	r->audit_silent = 0;
}

void recovery_audit_stop(struct recovery_replica *r)
{
	if (r->audit_on || r->audit_round)
		recovery_event(r, RECOVERY_EV_AUDIT, "not finished");
	r->audit_on = r->audit_round = false;
}

static void silent(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_obj *o,
                   uint64_t hash)
{
	struct srp_ckpt_link *l = &o->link[r->slot];
	struct srp_ckpt_key key = {{0}};
	char why[128];

	rk->k->key(o, &key);
	(void)snprintf(why, sizeof(why),
	               "silent change of %s %" PRIu64 "/%" PRIu64 "/%" PRIu64 ", version %" PRIu32,
	               rk->k->name, key.k[0], key.k[1], key.k[2], o->version);
	recovery_row_of(r, rk, false)->silent++;
	r->conf.totals->silent_changes++;
	r->audit_silent++;
	if (recovery_is_source(r))
		recovery_repair(r, rk, o);
	else
		recovery_count(rk, l, hash);
	recovery_event(r, RECOVERY_EV_AUDIT, why);
}

static void recompute(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_link *l,
                      struct srp_time now)
{
	struct srp_ckpt_obj *o = recovery_obj_of(r, l);
	uint64_t hash;

	recovery_list_del(&l->node);
	recovery_list_add(&rk->settled, &l->node);
	if (!recovery_counted(rk, l) || (recovery_is_source(r) && !recovery_known(rk, l)))
		return;
	hash = recovery_obj_hash(r, rk, o, now);
	if (hash && hash != l->hash)
		silent(r, rk, o, hash);
}

void recovery_audit_work(struct recovery_replica *r, uint32_t *work, struct srp_time now)
{
	if (!r->audit_on)
		return;
	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];

		while (!recovery_list_empty(&rk->walk)) {
			if (!*work)
				return;
			--*work;
			recompute(r, rk, recovery_link_of(rk->walk.next), now);
		}
	}
	recovery_walk_end(r);
	r->audit_on = false;
	r->audit_round = recovery_is_source(r);
	r->round_after = (struct srp_time){0};
	if (!recovery_is_source(r))
		r->conf.totals->audits++;
}

/* [id]: from the source: recompute. From the receiver: a wish for an audit. */
int recovery_rx_audit(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now)
{
	(void)now;
	if (srp_mp_array(m, 1) != 1)
		srp_mp_fail(m, SRP_EFORMAT);
	(void)srp_mp_uint(m, UINT32_MAX);
	if (srp_mp_finish(m))
		return srp_mp_finish(m);
	if (r->dir == RECOVERY_DIR_SOURCE)
		r->audit_due = true;
	else if (r->dir == RECOVERY_DIR_RECEIVE)
		recovery_audit_begin(r);
	return SRP_OK;
}

/* fill: builds the sessions of a process that died from what the store of its aaamgr holds. Rules
 * first, then sessions with flows, then the others; each session is built whole in one go. Any
 * session can be brought to the front by its call-id or by one of its names (a packet has come for
 * it). A record goes through the same apply as one from a peer, told its arrival as `now`, so that
 * ages go on from there; then it has the term, version and hash that it had, and is unknown to the
 * peers of all replicas behind the sink. Deletions become tombstones of the GR replica.
 *
 * Sans I/O: the owner calls step as often as its loop has time. */
#ifndef RECOVERY_FILL_H
#define RECOVERY_FILL_H

#include "recovery/replica.h"
#include "recovery/store.h"

struct recovery_fill;

struct recovery_fill_config {
	const struct recovery_view *view;         /**< kept */
	const struct srp_ckpt_kind *const *kinds; /**< the registry; kept */
	size_t nkinds;
	void *ckpt_owner;           /**< srp_ckpt_ctx.owner: the engine that is filled */
	struct recovery_sink *sink; /**< the engine's. Its replicas are there, not connected, and
	                                 have the key of the view, or hash anew; NULL: none */
	/** Asked once for each session before it is touched (so it may note which one is worked
	 *  on); true: it is left out, and counted. NULL: none is. */
	bool (*skip)(void *owner, uint64_t session);
	/** A session was built; @p whole: all of it. NULL: nobody listens. */
	void (*built)(void *owner, uint64_t session, bool whole);
	void *owner;
};

struct recovery_fill_stats {
	uint64_t records;        /**< in the store, by its header */
	uint64_t fetched;        /**< read and given to a kind: applied + refused */
	uint64_t applied, refused;
	uint64_t broken;         /**< entries and chains that make no sense, passed over */
	uint64_t rules;          /**< applied, of rank 0 */
	uint64_t sessions_total; /**< by the header */
	uint64_t sessions_built; /**< their first record was applied */
	uint64_t passed_audit;   /**< of these: nothing of them was refused or broken */
	uint64_t sessions_lost;  /**< found, and not to be built */
	uint64_t skipped;        /**< by the callback */
	uint64_t named;          /**< built out of turn */
	uint64_t flows;          /**< records of the limited kinds, applied */
	uint64_t tombs, buried;  /**< deletions found; of these, given to the GR replica */
	int why;                 /**< code of the first refusal, 0 none */
};

/** NULL without memory. Free with recovery_fill_free: before the view, at any time. */
struct recovery_fill *recovery_fill_new(const struct recovery_fill_config *conf);
void recovery_fill_free(struct recovery_fill *f);

/**
 * Goes on with the fill, for about @p n records (more by what is left of a session; a record takes
 * some 0.4 us).
 *
 * @return true: there is more; false: all is done, and stays done
 */
bool recovery_fill_step(struct recovery_fill *f, struct srp_time now, size_t n);

/**
 * Builds one session now, after the rules where they are not there yet.
 *
 * @param name  as the kind's `names` gives it: ecs_addr_name() of an address
 * @return 0: built, now or before (or has ended since); SRP_ENOENT: not in the store;
 *         SRP_ENOSESS: is in it, but left out by the callback or not to be built
 */
int recovery_fill_name(struct recovery_fill *f, uint64_t name, struct srp_time now);
/** The same, by the first part of the key: a call-id. */
int recovery_fill_key(struct recovery_fill *f, uint64_t session, struct srp_time now);

void recovery_fill_stats(const struct recovery_fill *f, struct recovery_fill_stats *out);

#endif

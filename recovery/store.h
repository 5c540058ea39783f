/* store: what aaamgr holds of the sessions of its sessmgr: records as bytes, in one region of
 * memory that the owner gives, and that outlives both processes. To the replication engine it is a
 * model like any other (kinds with the ids, ranks and limits of the registry, but functions of the
 * store), behind a replica that is always a receiver. Another process maps the region read-only
 * and reads it as a view (below), from which recovery/fill.h builds the sessions again.
 *
 * The region, addressed by offsets only, in units of 8 bytes (32 bits reach 32 GiB):
 *
 *   header  | tombstones | index of entries | of sessions | of names | blocks ... (grows)
 *
 * The indexes are areas of fixed place and sparse size, by the size of the region, and grow one
 * bucket at a time (linear hashing): each record moves at most one chain, a small store touches a
 * few pages, and a reader finds everything with one number of the header. Blocks are cut from a
 * pointer that only rises, and kept in lists by size (steps of 8 bytes) when they are given back;
 * a page that was never needed is never touched.
 *
 * A block is a session (where its entries begin and end, its names), a name, or an entry: the head
 * of a srp_ckpt_obj with one link (what recovery needs; the pointers in it mean nothing to a
 * reader), then the chains, the arrival and the record as it came: key and fields in msgpack. For
 * an IPv4 flow that is 120 bytes, and 4 of index.
 *
 * Death at any instruction: changes of the structure are made with `busy` odd, so that a reader
 * knows when it must not read; and the entry that was applied last is named in the header, with the
 * term and version of its record: the replica sets these and the hash afterwards, so that a reader
 * takes none of them from the entry itself.
 *
 * Sans I/O, no clock: arrival is what srp_ckpt_ctx.now says. */
#ifndef RECOVERY_STORE_H
#define RECOVERY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "srp/ckpt.h"

#define RECOVERY_STORE_CAP_MIN (4u << 20) /**< bytes of the smallest region */
#define RECOVERY_STORE_TOMBS   65536u     /**< deletions remembered; more: the oldest goes */

struct recovery_store;
struct recovery_view;

/** What a store holds. */
struct recovery_store_stats {
	uint64_t bytes;    /**< of the region in use: blocks, and the indexes and tombstones */
	uint64_t entries;  /**< records, of rules as well */
	uint64_t sessions, flows;
	uint64_t tombs;    /**< deletions that are remembered */
	uint64_t dropped;  /**< deletions that were forgotten for newer ones */
	uint64_t full;     /**< records refused because the region is full */
};

/**
 * Formats the region: whatever it held is gone. Pages that an earlier use has touched stay with the
 * region; an owner that wants them back punches holes before.
 *
 * @param mem    aligned to 64 bytes at least; kept until recovery_store_free, and not freed by it
 * @param cap    bytes, RECOVERY_STORE_CAP_MIN to 32 GiB; need not be backed before it is touched
 * @param kinds  the registry; kept
 * @param seed   of the indexes: drawn by the owner
 * @return NULL without memory, where @p cap is out of range or the registry does not pass
 *         srp_ckpt_check. Free with recovery_store_free, the replica before it
 */
struct recovery_store *recovery_store_new(void *mem, size_t cap,
                                          const struct srp_ckpt_kind *const *kinds, size_t n,
                                          uint64_t seed);
/** Leaves the region as it is. */
void recovery_store_free(struct recovery_store *s);

/**
 * The store's own rows, as many and in the order of the registry, for recovery_config.kinds. Their
 * ckpt_owner is the store; recovery_config.sole_link must be set; role Standby, never complete.
 */
const struct srp_ckpt_kind *const *recovery_store_kinds(struct recovery_store *s);
/** The sink of the replica (recovery_sink.sink): told of what goes with a session. */
void recovery_store_sink(struct recovery_store *s, struct srp_ckpt_sink *sink);

/**
 * Notes the key of the hashes: recovery_replica_hkey(), at each RECOVERY_EV_SYNC. Where entries
 * have hashes of another key, no hash is given to a reader before the store is level again.
 */
void recovery_store_hkey(struct recovery_store *s, uint64_t hkey);
/** The source says that it has sent all it holds (RECOVERY_EV_FILLED); or no longer: it has begun
 *  to compare anew with a store that may lack something. Survives the connection. */
void recovery_store_level(struct recovery_store *s, bool level);

void recovery_store_stats(const struct recovery_store *s, struct recovery_store_stats *out);

/** What a store holds of one session. */
struct recovery_store_session {
	uint32_t roots;               /**< the record that the others go with: 0 or 1 */
	uint32_t others;
	struct srp_time root_last, last; /**< arrival of the newest of each, to a ms; 0: none */
};
/** Looks up the session whose keys begin with @p k0; false: nothing of it is here. */
bool recovery_store_session(const struct recovery_store *s, uint64_t k0,
                            struct recovery_store_session *out);

/* --- reading, in another process -------------------------------------------------------------- */

/** What a region is good for; the numbers are those that aaamgr says. */
enum recovery_view_state {
	RECOVERY_VIEW_NONE,  /**< nothing to be read: empty, foreign, in the middle of a change */
	RECOVERY_VIEW_WHOLE, /**< holds all that the source had, but for what was under way */
	RECOVERY_VIEW_PART   /**< the source had not finished */
};

/**
 * Opens a region for reading. It was written by a process that may have crashed: nothing in it is
 * trusted. Every offset, length and number is checked, every loop is bounded by what fits into the
 * part in use, a broken entry is passed over and counted. Nobody may write while it is read (then
 * what is read makes no sense, but nothing worse happens).
 *
 * @param mem    kept until recovery_view_free; @p cap bytes of it can be read (the owner makes sure
 *               that the file is as long)
 * @param kinds  the registry of this process; kept. A store of another registry is not read
 * @param why    NULL, or where a short text goes that says why NULL is returned
 * @return NULL where the state is RECOVERY_VIEW_NONE, or without memory
 */
struct recovery_view *recovery_view_open(const void *mem, size_t cap,
                                         const struct srp_ckpt_kind *const *kinds, size_t n,
                                         const char **why);
void recovery_view_free(struct recovery_view *v);
/** NULL is RECOVERY_VIEW_NONE. */
enum recovery_view_state recovery_view_state(const struct recovery_view *v);
/** The key of the hashes in it, for recovery_config.hkey; 0: it has none to be taken over. */
uint64_t recovery_view_hkey(const struct recovery_view *v);
/** Figures as the header says them, bounded by what fits. */
void recovery_view_stats(const struct recovery_view *v, struct recovery_store_stats *out);

#endif

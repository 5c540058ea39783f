/* replica: the copy of one instance's objects at one destination: the peer chassis (GR) or the
 * aaamgr (SR). Sans I/O: frames in, frames out, told the time. It is both ends: the source encodes
 * what changed and the receiver applies it; which of the two an end is follows from its role.
 *
 * State, not a log: what is queued is the object. An object is on one list of each replica: settled
 * (clean, or unknown to the peer), dirty, in flight, refused. See DESIGN section 3. */
#ifndef RECOVERY_REPLICA_H
#define RECOVERY_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "srp/ckpt.h"
#include "srp/frame.h"
#include "srp/role.h"

struct recovery_replica;
struct recovery_sink;
struct recovery_counters;
struct recovery_kind_counters;

/** Frames of an instance connection: recovery/frame.def. */
extern const struct srp_frame_table recovery_frames;

/** States of the link of one instance, for the frame rows and `peer conn`. */
enum recovery_link {
	RECOVERY_LINK_DOWN,
	RECOVERY_LINK_HELLO, /**< connected, the peer's hello awaited */
	RECOVERY_LINK_SYNC,  /**< comparing, sending what differs */
	RECOVERY_LINK_READY  /**< level: the peer holds what we hold, but for what is in flight */
};

/** Why a replica tells its owner something. */
enum recovery_event {
	RECOVERY_EV_SYNC,         /**< hello exchanged, synchronisation begins */
	RECOVERY_EV_READY,        /**< level with the peer: once for each synchronisation */
	RECOVERY_EV_FILLED,       /**< as receiver: the source says that it has sent all it holds */
	RECOVERY_EV_FLUSHED,      /**< our end mark was compared equal and acknowledged */
	RECOVERY_EV_FLUSH_FAILED, /**< our end mark was compared unequal */
	RECOVERY_EV_PROTOCOL,     /**< the peer broke the protocol: close the connection */
	RECOVERY_EV_AUDIT /**< an audit has ended, or found a silent change: @c why names it */
};

#define RECOVERY_QUESTIONS    16   /**< of one end without an answer */
#define RECOVERY_QUESTION_MAX 64   /**< bytes */
#define RECOVERY_ANSWER_MAX   1024 /**< bytes */

struct recovery_ops {
	/** @p why: a short text for the log, or NULL. Must not re-enter the replica. */
	void (*event)(void *owner, enum recovery_event ev, const char *why);
	/** The peer's owner asks: bytes that nobody has looked at. The answer goes to @p answer;
	 *  returns its length, at most @p cap, 0: nothing to say. NULL: never anything. Must not
	 *  re-enter the replica. */
	size_t (*question)(void *owner, const uint8_t *question, size_t len, uint8_t *answer, size_t cap,
	                   struct srp_time now);
	/** The answer to recovery_replica_ask: bytes that nobody has looked at; @p len 0: the peer has
	 *  nothing to say. Must not re-enter the replica. */
	void (*answer)(void *owner, uint32_t id, const uint8_t *answer, size_t len, struct srp_time now);
};

/** What is configured, and does not change while the process lives unless set again. */
struct recovery_config {
	enum srp_replica_id id;
	const struct srp_ckpt_kind *const *kinds; /**< the registry; kept */
	size_t nkinds;
	void *ckpt_owner;                 /**< srp_ckpt_ctx.owner */
	const struct recovery_ops *ops;
	void *ops_owner;
	struct recovery_kind_counters *counters; /**< [recovery_rows(nkinds)], in the task's slab */
	struct recovery_counters *totals;        /**< one, in the task's slab */
	uint64_t random;                  /**< seed: drawn by the owner */
	uint32_t rate, burst;  /**< limiter of the limited kinds, records a second; 0: none */
	uint32_t inflight_max; /**< objects; above it producers are congested; 0: default */
	bool lz4;                         /**< offer compression */
	uint32_t instance;                /**< of the sessmgr; the peer's must be equal */
	struct recovery_sink *sink; /**< what is applied through one replica becomes known to the
					 others behind this; NULL where there is no other */
	/** Asked for each record of a session before it is applied (so it may note which one is worked on),
	 *  with ops_owner; true: it is refused. NULL: none is. */
	bool (*skip)(void *owner, uint64_t session);
	uint64_t hkey;  /**< key of the hashes, as another process had it; 0: drawn */
	bool sole_link; /**< objects have one link, the first, whatever @c id says (a store: of its
			     objects only what is before the second link belongs to recovery) */
};

/**
 * A replica that is down. Objects that the model holds already are taken in, as unknown to the
 * peer. Counters of a process that went are carried on: what it had in flight becomes @c lost.
 *
 * @return NULL without memory, or where the registry does not pass srp_ckpt_check. Free with
 *         recovery_replica_free, after which the sink must not name it any more
 */
struct recovery_replica *recovery_replica_new(const struct recovery_config *conf);
void recovery_replica_free(struct recovery_replica *r);

/** Key of the hashes: as configured or drawn, or as the source has said in its hello. */
uint64_t recovery_replica_hkey(const struct recovery_replica *r);
/** Another key; hashes that are there are computed anew when they are needed. For a replica that is
 *  about to become a source, so that all of an instance have one key; ignored while it is connected. */
void recovery_replica_rekey(struct recovery_replica *r, uint64_t hkey);

/**
 * Takes in an object that another process has replicated, and that was built here from its record:
 * unknown to the peer, which may have it. The replica is not connected.
 *
 * @param hash  of the object as it is, under this replica's key; 0: not known, computed when it is
 *              needed
 */
void recovery_replica_adopt(struct recovery_replica *r, struct srp_ckpt_obj *o, uint64_t hash);
/**
 * Takes in a deletion that another process had made, and of which the peer may not know: it is sent
 * when this end is the source, and no refill gives back an object that is as old. The replica is not
 * connected. Nothing happens where the kind sends no deletions, or the object is there.
 *
 * @param kind  id of a kind of the registry
 * @return true when it was taken in
 */
bool recovery_replica_bury(struct recovery_replica *r, uint8_t kind, const struct srp_ckpt_key *key,
                           uint32_t term, uint32_t version);

/** Compresses nothing from here on, and offers it no more; the peer may go on to. */
void recovery_replica_plain(struct recovery_replica *r);
/** Limiter of the flow kinds; 0 none. */
void recovery_replica_rate(struct recovery_replica *r, uint32_t rate, uint32_t burst);

/* --- the model's side: what recovery_sink forwards -------------------------------------------- */

/** All replicas of an instance behind the one sink that ecs calls. */
struct recovery_sink {
	struct srp_ckpt_sink sink; /**< first: the model's view */
	uint32_t term;             /**< written into objects as they change */
	bool filling; /**< objects are being built from a store: what the model tells of is no change */
	struct recovery_replica *replica[SRP_REPLICA__N]; /**< NULL: absent */
};
/**
 * Fills @p s.sink; replicas and term are set by the owner.
 *
 * While a record is applied, what the model tells of is not a change of its own: a @c changed is
 * ignored, and a @c deleted leaves the lists without a tombstone. A kind's @c remove (and an @c
 * apply that ends another object) must call @c deleted for every other object that it frees, so
 * that children leave the lists with their parent.
 */
void recovery_sink_init(struct recovery_sink *s);

/* --- role ------------------------------------------------------------------------------------- */

/**
 * Tells the role and the term. A change of the term, of completeness or of the right to send draws
 * a new stream and raises the generation (all settled objects become unknown to the peer: O(1));
 * any change repeats hello and sync on an open connection. Losing the right to send walks what was
 * not acknowledged, and only that: those objects are compared first when the new source is heard.
 *
 * @param complete  this instance holds a complete state (false: empty or being filled; it is then
 *                  never a source that causes a deletion)
 */
void recovery_replica_role(struct recovery_replica *r, enum srp_role role, uint32_t term,
                           bool complete, struct srp_time now);

/* --- the connection --------------------------------------------------------------------------- */

void recovery_replica_up(struct recovery_replica *r, struct srp_time now);
/** The connection is gone: what was not acknowledged is dirty again. */
void recovery_replica_down(struct recovery_replica *r, struct srp_time now);
enum recovery_link recovery_replica_link(const struct recovery_replica *r);

/**
 * One whole frame from the peer, header already checked.
 * @return 0, or a negative code after which the connection must be closed
 */
int recovery_replica_rx(struct recovery_replica *r, const struct srp_frame_hdr *h,
                        const uint8_t *body, struct srp_time now);

/**
 * Writes as many whole frames as are due and fit. To be called after each batch of frames read,
 * too: acknowledgements go out here.
 *
 * @param cap  SRP_FRAME_HDR_LEN + SRP_FRAME_BODY_MAX (16 KiB) at least; 64 KiB are best
 * @return bytes written; 0 when nothing is due. @p more says whether more is ready.
 */
size_t recovery_replica_tx(struct recovery_replica *r, uint8_t *buf, size_t cap,
                           struct srp_time now, bool *more);

/** The connection took all it could, and less than there was: until recovery_replica_tx is called again a
 *  change finds the write list congested, and is held. */
void recovery_replica_full(struct recovery_replica *r);

/**
 * Whether the other side has acknowledged what was told of kinds that are prompt until a moment.
 *
 * @param mark  of that moment: 0 at it; for the next calls
 * @return true also where nobody can: the replica is not level
 */
bool recovery_replica_confirmed(const struct recovery_replica *r, uint64_t *mark);

/** True where changes of flows (kinds that are limited, or prompt) wait for recovery_replica_tx, and the other side has
 *  all that was before them: whoever needs them to be there must not wait for its turn. */
bool recovery_replica_flows_wait(const struct recovery_replica *r);

/** When recovery_replica_tx wants to be called though nothing has changed; 0 never. */
struct srp_time recovery_replica_due(const struct recovery_replica *r);

/* --- planned switchover, audit ---------------------------------------------------------------- */

/** From now on everything is sent, without limiter, session age or delay; off: no more, and an end
 *  mark that was not answered yet will not be. */
void recovery_replica_flush(struct recovery_replica *r, bool on);
/** How much is not acknowledged: objects waiting and in flight, and an estimate of their bytes. */
void recovery_replica_backlog(const struct recovery_replica *r, uint64_t *objects, uint64_t *bytes);
/** Sends the end mark with the digest of all kinds behind what is queued; answered by FLUSHED. */
void recovery_replica_end(struct recovery_replica *r, struct srp_time now);
/** Starts an audit (from the receiver: asks the source for one): both sides recompute hashes from
 *  the objects, compare, repair. Told by RECOVERY_EV_AUDIT: each silent change, and the end. */
void recovery_replica_audit(struct recovery_replica *r, struct srp_time now);

/**
 * Asks the owner of the other end. The answer, if there is one, comes by recovery_ops.answer; the asker
 * sets a time for it.
 *
 * @param id  the number of the question, not 0
 * @return 0; SRP_ESTATE: not connected, or not agreed yet; SRP_EBUSY: RECOVERY_QUESTIONS are without
 *         an answer; SRP_ERANGE: empty or too long; SRP_EFULL, SRP_ENOMEM
 */
int recovery_replica_ask(struct recovery_replica *r, const uint8_t *question, size_t len,
                         struct srp_time now, uint32_t *id);

/** Figures for show commands. */
struct recovery_status {
	enum recovery_link link;
	uint64_t stream, sent_seq, acked_seq, peer_stream, applied_seq;
	uint32_t peer_term;
	bool peer_complete, source;
	uint64_t dirty, inflight, refused, unknown, tombs, objects;
	uint64_t digest;             /**< root over all kinds */
	struct srp_time verified;    /**< last time the roots were equal */
};
void recovery_replica_status(const struct recovery_replica *r, struct recovery_status *out);

/** Names of the kinds that the peer does not know, and that are not sent to it, as far as @p cap goes. */
void recovery_replica_unknown(const struct recovery_replica *r, char *text, size_t cap);

/**
 * Checks the equations of DESIGN section 3 for every kind against the counters.
 * @return 0, or SRP_EMISMATCH with the first that fails named in @p why (cap bytes)
 */
int recovery_replica_check(const struct recovery_replica *r, char *why, size_t cap);

/** The root digest over all objects, from stored hashes, or recomputed from the objects. */
uint64_t recovery_replica_digest(struct recovery_replica *r, bool recompute, struct srp_time now);

#endif

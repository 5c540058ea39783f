/* ckpt: what a kind of checkpoint must offer, and what a replicated object embeds. srp knows no
 * concrete kind; ecs defines them; recovery moves them; chassis/registry.c lists them.
 *
 * A record is one msgpack array:  [kind, key..., term, version, field...]
 * or, for a deletion:             [del-kind, key..., term, version]
 * The engine in recovery/ writes and reads the head up to version; a kind only its own fields. */
#ifndef SRP_CKPT_H
#define SRP_CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "srp/mp.h"
#include "srp/time.h"

#define SRP_CKPT_RECORD_MAX 8192u /**< longest encoded record, of any kind */
#define SRP_CKPT_TAIL_MAX   256u  /**< unknown fields of a newer peer that are kept with an object */
#define SRP_CKPT_NAMES_MAX  4     /**< other names of one object: srp_ckpt_kind.names */

/** Destinations of a replica. */
enum srp_replica_id {
	SRP_REPLICA_GR, /**< the peer chassis */
	SRP_REPLICA_SR, /**< the aaamgr of this instance */
	SRP_REPLICA__N
};

/** Why a change was not sent: the columns of `show srp checkpoint statistics`, in their order. */
#define SRP_GATES(X)                                                        \
	X(FIRST_FC,   "Ignored as first FC never sent")                     \
	X(INVALIDATE, "Ignored as Invalidate CRR sent")                     \
	X(NOT_READY,  "Session not ready for recovery")                     \
	X(GR_STATE,   "Invalid GR state")                                   \
	X(CONGESTED,  "Write list congested")                               \
	X(RECOVERY,   "Recovery in progress")                               \
	X(AUDIT,      "External_audit_in_progress")
#define X(sym, text) SRP_GATE_##sym,
enum srp_gate { SRP_GATE_OPEN, SRP_GATES(X) SRP_GATE__N };
#undef X

/** Which of its lists an object is on (DESIGN: clean and unknown are told apart by generation). */
enum srp_link_state {
	SRP_LINK_NONE,     /**< on no list: not replicated to this destination */
	SRP_LINK_SETTLED,  /**< clean, or unknown to the peer */
	SRP_LINK_DIRTY,
	SRP_LINK_INFLIGHT,
	SRP_LINK_REFUSED
};

struct srp_list {
	struct srp_list *prev, *next;
};

/** An object's place in one replica. Owned by recovery/; zeroed by the object's owner at birth. */
struct srp_ckpt_link {
	struct srp_list node;
	uint64_t hash;     /**< canonical hash as last sent or applied; 0 none */
	uint32_t seq;      /**< low half of the sequence while in flight */
	uint16_t gen;      /**< generation when it was settled */
	uint8_t state;     /**< enum srp_link_state */
	uint8_t flags;     /**< SRP_LINK_F_* */
};
#define SRP_LINK_F_PEER_MAY_HAVE 0x01u /**< a record was handed to the transport once */
#define SRP_LINK_F_CHANGED       0x02u /**< changed while in flight */
#define SRP_LINK_F_TOMB          0x04u /**< the link of a tombstone, not of an object */
#define SRP_LINK_F_COUNTED       0x08u /**< in the digest */

struct srp_ckpt_kind;

/** Embedded in every replicated object; its first member, or reached by container_of. */
struct srp_ckpt_obj {
	const struct srp_ckpt_kind *kind;
	uint32_t term;     /**< (number << 1 | chassis bit) under which it was written last */
	uint32_t version;  /**< +1 at each change */
	struct srp_ckpt_link link[SRP_REPLICA__N];
};

/** Whether the last change of an object was not acknowledged yet by a destination. */
static inline bool srp_ckpt_waits(const struct srp_ckpt_obj *o, enum srp_replica_id id)
{
	return o->link[id].state == SRP_LINK_DIRTY || o->link[id].state == SRP_LINK_INFLIGHT;
}

/** Identity of an object on the wire; unused parts are 0. */
struct srp_ckpt_key {
	uint64_t k[3];
};

/** What a kind's functions are told. */
struct srp_ckpt_ctx {
	struct srp_time now;
	void *owner;               /**< the ecs engine (or a test's model) */
	enum srp_replica_id replica;
	bool canonical;            /**< encode without ages and stream ids: for hashing */
	uint8_t ver;               /**< negotiated version of the kind */
	uint32_t term, version;    /**< apply, remove: of the record, where it is one; else 0 */
	const struct srp_ckpt_kind *kind; /**< whose function is called */
};

/** What became of a record on its way to a destination. */
enum srp_ckpt_passing {
	SRP_CKPT_SENT,   /**< handed to the transport */
	SRP_CKPT_ACKED,
	SRP_CKPT_REFUSED
};

struct srp_ckpt_pass {
	enum srp_ckpt_passing what;
	enum srp_replica_id replica;
	uint32_t seq;   /**< low half: of the record; ACKED: all up to here is acknowledged */
	uint16_t epoch; /**< another one: what was on its way before and not answered was lost */
	uint32_t tag;   /**< of a deletion: srp_ckpt_kind.tag of its object when it was told of; else 0 */
	struct srp_time now;
	void *owner;    /**< as in struct srp_ckpt_ctx */
};

/** A step of a walk over all objects of a kind; 0 goes on, else the walk stops. */
typedef int srp_ckpt_walk_fn(struct srp_ckpt_obj *obj, void *arg);

/** One kind of checkpoint. */
struct srp_ckpt_kind {
	uint8_t id;               /**< CMD-ID on the wire, 1 to 255; never reused */
	uint8_t del_id;           /**< CMD-ID of its deletion; 0: none is sent, it goes with its parent */
	const char *name;         /**< in tables and logs, without the SESS_UCHKPT_CMD_ prefix */
	const char *del_name;     /**< NULL where del_id is 0 */
	uint8_t rank;             /**< 0 first: rules, then control, usage, flows */
	bool limited;             /**< the rate limiter acts on it (the flow kinds only) */
	bool peer_only;           /**< the mirror on the same chassis does not hold it */
	bool prompt;              /**< what it says must be elsewhere before packets rest on it */
	/** It goes before the deletions of other kinds, and before all else: what they end is told of by it
	 *  alone. Only for a kind without a parent, a gate or a turn of its own, that no mirror holds. */
	bool first;
	uint8_t nkey;             /**< how many of key.k[] are written, 1 to 3 */
	uint8_t nfields;          /**< fields after version, in ver_max */
	uint8_t ver_min, ver_max;
	uint16_t max_len;         /**< of one encoded record */
	/** The fields that the canonical form leaves out (bit 0: the first after version), for one that
	 *  holds records without knowing what they mean: of @c left_out it writes 0 (an empty array
	 *  where the field is an array), of @c left_nil nil. All others are as in the record. */
	uint64_t left_out, left_nil;

	/** Writes the key of @p o. */
	void (*key)(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out);
	/** The object that must reach the peer first (a session's full checkpoint); NULL: none. */
	struct srp_ckpt_obj *(*parent)(const struct srp_ckpt_obj *o);
	/** A gate that the kind itself knows (session not ready...); SRP_GATE_OPEN else. */
	enum srp_gate (*gate)(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx);
	/** Writes exactly nfields fields; 0 or a negative code. */
	int (*encode)(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx, struct srp_mp_w *w);
	/**
	 * Reads the fields, validates all, then applies: creates or updates the object.
	 *
	 * @param nfields  how many the record has; more than known: the rest is skipped by the engine
	 * @param out      the object, written on success only
	 * @return 0, or a refusal that names the reason; then nothing has changed
	 */
	int (*apply)(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
	             struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out);
	/**
	 * Applies a deletion; SRP_ENOENT when there is none. The engine has taken the object off its
	 * own lists before (as by deleted() without tell). What goes with the object leaves the lists
	 * by sink->deleted(.., false) before it is freed, and so does the object itself, which other
	 * replicas may hold: saying it twice is harmless. The same holds for what an apply replaces.
	 * Any refusal means that the object is still there.
	 */
	int (*remove)(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key);
	/** The object with this key, or NULL. */
	struct srp_ckpt_obj *(*find)(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key);
	/** Visits all objects of the kind, for digests and audits. */
	void (*walk)(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg);
	/**
	 * Counts what the transport does with a record of @p o, or with the deletion under @p key (@p
	 * o is NULL then). Called for each record sent and answered, so it must be cheap; it changes
	 * nothing that is replicated. A record that was overtaken by a change of its object while it
	 * was on its way has no call of its own when it is answered. NULL: nobody counts.
	 */
	void (*passed)(struct srp_ckpt_obj *o, const struct srp_ckpt_key *key,
	               const struct srp_ckpt_pass *p);
	/** What passed() is told with the deletion of @p o, which is gone by then. NULL: 0. */
	uint32_t (*tag)(const struct srp_ckpt_obj *o);
	/** Counts a record that was applied here, or with @p del the deletion of @p o that is about to be;
	 *  as cheap. NULL: nobody counts. */
	void (*arrived)(struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx, bool del);
	/** True while changes of the kind wait for a turn of this replica (a timer of its own); what the
	 *  peer lacks for another reason, and a flush, do not wait. Asked often. NULL: never. */
	bool (*paced)(const struct srp_ckpt_ctx *ctx);
	/**
	 * Reads from the fields of a record under which other names its object is looked up before it
	 * is built (a session: its addresses), as 64-bit hashes; NULL: none. Only for a kind whose
	 * objects have no parent. The record may be of anybody: what cannot be read gives no name.
	 *
	 * @param name  SRP_CKPT_NAMES_MAX places
	 * @return how many were written
	 */
	int (*names)(struct srp_mp_r *r, unsigned nfields, uint64_t *name);
};

/** Where the model tells what it did; implemented by recovery, called by ecs. */
struct srp_ckpt_sink {
	/** @p o is new or has changed. Raises its version. */
	void (*changed)(struct srp_ckpt_sink *s, struct srp_ckpt_obj *o, struct srp_time now);
	/** @p o is about to be freed by its owner: leaves a tombstone where the peer may have it.
	 *  With @p tell false the deletion travels with its parent's and only the lists are left.
	 *  An object that lives on has its links zeroed by its owner before changed() is called again. */
	void (*deleted)(struct srp_ckpt_sink *s, struct srp_ckpt_obj *o, bool tell, struct srp_time now);
};

/**
 * Checks a registry once at start: unique ids and names, complete rows, limits; that a field is left
 * out in one way, and is there; that names are those of objects without a parent; that what goes first
 * waits for nothing.
 * @return 0, SRP_EINVAL, SRP_ERANGE or SRP_EDUP
 */
int srp_ckpt_check(const struct srp_ckpt_kind *const *tab, size_t n);

#endif

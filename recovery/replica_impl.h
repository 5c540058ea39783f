/* replica_impl: what the files of the replication engine share. Private to recovery/.
 *
 * Lists. Every object that is replicated is on one list of its kind:
 *
 *   SETTLED   settled (clean, or unknown to the peer: generation below the kind's @c lo)
 *             fresh   (its hash must be computed before a digest: came through another replica, or
 *                      was not acknowledged when the role was lost)
 *             walk    (settled, not yet visited by the walk that goes on)
 *   DIRTY     dirty, lim (refused by the rate limiter), held (refused by a gate), or an orphan
 *             chain (its parent is not known to the peer)
 *   INFLIGHT  one list of the replica, by sequence
 *   REFUSED   refused by the peer, or not to be encoded
 *
 * Tombstones have lists of their own and go before the objects of their kind, so that no two
 * records of one key are ever reordered.
 *
 * Generations. An object carries the generation in which it was last sent, applied or compared
 * equal. Raising @c lo makes all of a kind unknown to the peer; lowering it to 1 settles all that
 * was compared equal. Below @c void_below the stored hash no longer counts. 0 is "never". */
#ifndef RECOVERY_REPLICA_IMPL_H
#define RECOVERY_REPLICA_IMPL_H

#include "recovery/counters.h"
#include "recovery/replica.h"
#include "srp/bucket.h"

#define RECOVERY_KINDS_MAX     64u
#define RECOVERY_INFLIGHT_DFLT 65536u
#define RECOVERY_BUCKETS       256u
#define RECOVERY_BITMAP        (RECOVERY_BUCKETS / 8)
#define RECOVERY_ORPHAN_HEADS  4096u
#define RECOVERY_TOMBS_MAX     262144u /**< more are forgotten, and found again by digest */
#define RECOVERY_WORK          4096u   /**< objects looked at in one call of tx */
#define RECOVERY_WINDOW        8u      /**< KEYS or EXTRA frames without an answer */
#define RECOVERY_REFUSED_RUNS  1000u   /**< runs of refusals in one acknowledgement */
#define RECOVERY_KEYS_MAX      (SRP_FRAME_BODY_MAX / 10) /**< with a hash each, in one frame */
#define RECOVERY_OUTQ_MAX      (1u << 20)
#define RECOVERY_DIGEST_US     SRP_SEC(1)
#define RECOVERY_RETRY_US      SRP_MS(10) /**< after "busy", and before a repair is verified */
#define RECOVERY_HELD_US       SRP_SEC(1) /**< between two looks at what gates hold */

/** Frame types: recovery/frame.def. */
enum recovery_frame {
#define RECOVERY_FRAME(sym, type, min, max, states, handler) RECOVERY_FT_##sym = type,
#include "recovery/frame.def"
#undef RECOVERY_FRAME
};

/** Why a dirty object will be attempted; the upper bits of srp_ckpt_link.flags. */
enum recovery_reason {
	RECOVERY_WAIT, /**< a change */
	RECOVERY_LIMITER,
	RECOVERY_RESET,
	RECOVERY_NACK,
	RECOVERY_AUDIT,
	RECOVERY_PERIOD /**< resynchronisation: a gate had refused it, or the peer does not know it
			 */
};
#define RECOVERY_REASON_SHIFT 4

/** Which way records go; both ends compute it from both hellos. */
enum recovery_dir {
	RECOVERY_DIR_NONE,
	RECOVERY_DIR_SOURCE,
	RECOVERY_DIR_REFILL,  /**< source for a peer that holds the role and is not complete */
	RECOVERY_DIR_RECEIVE,
	RECOVERY_DIR_MERGE    /**< being refilled: keeps what is newer here, deletes nothing */
};

/** Progress of the synchronisation that begins with each agreement. */
enum recovery_sync {
	RECOVERY_SYNC_NONE,
	RECOVERY_SYNC_RESET,   /**< known stream: what was returned is sent again */
	RECOVERY_SYNC_FULL,    /**< empty peer: everything is sent */
	RECOVERY_SYNC_COMPARE, /**< unknown stream: by digest */
	RECOVERY_SYNC_DRAIN,   /**< repairs and what gates held are sent */
	RECOVERY_SYNC_DONE
};

/** The source's side of a comparison. */
enum recovery_round {
	RECOVERY_ROUND_IDLE,
	RECOVERY_ROUND_DIGEST,  /**< roots sent, DIFFER awaited */
	RECOVERY_ROUND_BUCKETS, /**< buckets of a kind to be sent */
	RECOVERY_ROUND_SPLIT,   /**< sent, SPLIT awaited */
	RECOVERY_ROUND_KEYS,    /**< keys are being listed */
	RECOVERY_ROUND_EXTRA    /**< all listed, the last EXTRA awaited */
};
#define RECOVERY_DIGEST_FINAL 0x01u
#define RECOVERY_DIGEST_AUDIT 0x02u

/** What the walk lists are used for; one use at a time. */
enum recovery_walk {
	RECOVERY_WALK_NONE,
	RECOVERY_WALK_FULL,
	RECOVERY_WALK_KEYS,
	RECOVERY_WALK_AUDIT,
	RECOVERY_WALK_SUSPECT
};

/** A deleted object that the peer may have. */
struct recovery_tomb {
	struct srp_ckpt_link link; /**< flags have SRP_LINK_F_TOMB */
	struct recovery_tomb *next;
	struct srp_ckpt_key key;
	uint32_t term, version;
	uint8_t kind; /**< index */
	uint32_t tag; /**< srp_ckpt_kind.tag of the object */
};

/** One kind in one replica. */
struct recovery_kind {
	const struct srp_ckpt_kind *k;
	uint8_t idx;
	bool active;      /**< both ends know it */
	bool orphans;     /**< may be the parent of objects in orphan chains */
	bool used;        /**< there was an object once: that there is none is known, not missed */
	uint8_t ver, hver; /**< negotiated version; version of the stored hashes */
	uint16_t lo, void_below;
	struct srp_list settled, fresh, walk, dirty, lim, held, refused;
	struct srp_list paced;            /**< changed; waits for its turn: srp_ckpt_kind.paced */
	struct srp_list tdirty, tlim, theld;
	uint64_t n[SRP_LINK_REFUSED + 1]; /**< objects by enum srp_link_state */
	uint64_t nclean, nfresh;          /**< of the settled: known to the peer; generation 0 */
	uint64_t ntombs;                  /**< tombstones that wait */
	uint64_t root, bucket[RECOVERY_BUCKETS], count; /**< digest */
};

/** A run of records of one row in flight. */
struct recovery_run {
	uint64_t last;
	uint32_t n, row;
};

struct recovery_refusal {
	uint64_t first;
	uint32_t n;
	int code;
};

/** What the peer's hello says. */
struct recovery_hello {
	uint32_t number, ack;
	uint64_t stream, hkey, applied_stream, applied_seq;
	enum srp_role role;
	uint32_t term, seen, instance, rate;
	bool complete, lz4, objects;
};

struct recovery_replica {
	struct recovery_config conf;
	struct recovery_kind kind[RECOVERY_KINDS_MAX];
	uint8_t order[RECOVERY_KINDS_MAX]; /**< indexes: those that go first, then by rank */
	uint8_t by_id[256], by_del[256];   /**< index + 1; 0 none */
	uint64_t rnd;
	uint8_t slot; /**< which link of an object is ours */

	/* role */
	enum srp_role role;
	uint32_t term, seen;
	bool complete, flush;
	uint16_t cur; /**< generation */

	/* link */
	enum recovery_link link;
	struct recovery_hello peer;
	bool peer_known, agreed, hello_due, lz4;
	bool plain; /**< compression was agreed, but is not wanted any more */
	bool fresh_conn; /**< no agreement yet on this connection */
	uint32_t hello_number, hello_acked;
	enum recovery_dir dir;
	enum recovery_sync sync;
	bool synced;      /**< this stream has been level once */
	bool need_digest; /**< a deletion is not known to have arrived: positions alone do not do */
	uint64_t drain_goal; /**< sequence by which what waited when the drain began has gone */
	uint64_t refused_by; /**< stream of the peer process that refused */

	/* as source */
	uint64_t stream, sent, acked, returned; /**< returned: up to there, not to be answered */
	uint16_t epoch; /**< +1 whenever what was in flight was returned */
	uint64_t hkey;
	struct srp_list inflight;
	struct recovery_run *run; /**< ring */
	uint32_t run_cap, run_head, run_n;
	struct srp_list *orphan; /**< RECOVERY_ORPHAN_HEADS chains */
	uint64_t norphans;
	struct recovery_tomb **tomb; /**< table */
	struct recovery_tomb *tomb_free;
	uint32_t tomb_cap, ntombs;
	uint64_t nrepair; /**< dirty for reset or audit: no digest before they are sent */
	struct srp_bucket limiter;
	bool full; /**< the connection takes nothing more for now */
	bool congested, retry_refused;
	uint32_t rules_seq; /**< low half of the last record of rank 0: refusals before it are
			       retried */
	bool pass_wanted, pass_on;   /**< look again at what gates hold */
	uint32_t pass_at;            /**< position in @c order */
	struct srp_list look;        /**< held objects of that kind, not yet looked at */
	struct srp_time next_pass, next_digest, next_rate;
	bool end_wanted;

	enum recovery_round round;
	uint32_t round_id, round_flags, round_at; /**< round_at: position in @c order */
	struct srp_time round_after;              /**< not before; 0 at once */
	uint64_t round_refusals, refusals;
	bool round_kind[RECOVERY_KINDS_MAX];
	uint8_t round_map[RECOVERY_BITMAP];
	uint32_t keys_out;

	/* as receiver */
	bool applying;
	uint64_t applied_stream, applied, ack_sent;
	struct recovery_refusal refusal[RECOVERY_REFUSED_RUNS];
	uint32_t nrefusals;
	bool ack_due;
	uint32_t cmp_id;
	uint8_t cmp_kind, cmp_map[RECOVERY_BITMAP];
	bool cmp_on, cmp_extra;
	uint32_t extra_out;

	enum recovery_walk walk;
	bool audit_on, audit_due, audit_round;
	uint64_t audit_silent;
	struct srp_time verified;

	/* questions of ours without an answer; id 0: a free place */
	struct recovery_question {
		uint32_t id;
		struct srp_time at;
	} question[RECOVERY_QUESTIONS];
	uint32_t question_id;

	/* bytes */
	uint8_t *outq;
	size_t outq_len, outq_pos, outq_cap;
	uint8_t scratch[SRP_CKPT_RECORD_MAX + 64];
	uint8_t zbuf[SRP_FRAME_BODY_MAX];
};

/** Where tx writes. */
struct recovery_out {
	uint8_t *buf;
	size_t cap, len;
	struct srp_time now;
	uint32_t work;     /**< objects that may still be looked at */
	bool more;
	/* the open RECORDS frame */
	bool open;
	struct srp_mp_w w;
	uint8_t *count_at;
	uint32_t count;
};

/* --- lists (list.c) --------------------------------------------------------------------------- */

static inline void recovery_list_init(struct srp_list *h) { h->prev = h->next = h; }
static inline bool recovery_list_empty(const struct srp_list *h) { return h->next == h; }
static inline void recovery_list_del(struct srp_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->prev = n->next = NULL;
}
static inline void recovery_list_add(struct srp_list *h, struct srp_list *n)
{
	n->prev = h->prev;
	n->next = h;
	h->prev->next = n;
	h->prev = n;
}
/** Moves all of @p from behind all of @p to. */
void recovery_list_splice(struct srp_list *to, struct srp_list *from);

static inline struct srp_ckpt_link *recovery_link_of(struct srp_list *n)
{
	return (struct srp_ckpt_link *)(void *)((char *)n - offsetof(struct srp_ckpt_link, node));
}
static inline struct recovery_tomb *recovery_tomb_of(struct srp_ckpt_link *l)
{
	return (struct recovery_tomb *)(void *)((char *)l - offsetof(struct recovery_tomb, link));
}
/** The object whose link of this replica is @p l; not for tombstones. */
static inline struct srp_ckpt_obj *recovery_obj_of(const struct recovery_replica *r,
                                                   struct srp_ckpt_link *l)
{
	return (struct srp_ckpt_obj *)(void *)((char *)(l - r->slot) -
	                                       offsetof(struct srp_ckpt_obj, link));
}
static inline struct recovery_kind *recovery_kind_of(struct recovery_replica *r,
                                                     const struct srp_ckpt_obj *o)
{
	return &r->kind[r->by_id[o->kind->id] - 1];
}
static inline struct recovery_kind_counters *
recovery_row_of(struct recovery_replica *r, const struct recovery_kind *rk, bool del)
{
	return &r->conf.counters[recovery_row(rk->idx, del)];
}
static inline enum recovery_reason recovery_reason_of(const struct srp_ckpt_link *l)
{
	return (enum recovery_reason)(l->flags >> RECOVERY_REASON_SHIFT);
}
static inline bool recovery_known(const struct recovery_kind *rk, const struct srp_ckpt_link *l)
{
	return l->state != SRP_LINK_NONE && l->gen >= rk->lo;
}
/** The object was deleted, and is on no list any more. */
static inline bool recovery_invalidated(const struct srp_ckpt_link *l)
{
	return l->state == SRP_LINK_NONE && (l->flags & SRP_LINK_F_TOMB);
}
/** Tells a kind that counts what became of a record of @p o, or of the deletion @p t. */
static inline void recovery_passed(const struct recovery_replica *r,
                                   const struct recovery_kind *rk, struct srp_ckpt_obj *o,
                                   const struct recovery_tomb *t, enum srp_ckpt_passing what,
                                   uint64_t seq, struct srp_time now)
{
	const struct srp_ckpt_pass p = {.what = what, .replica = r->conf.id, .seq = (uint32_t)seq,
	                                .epoch = r->epoch, .tag = t ? t->tag : 0, .now = now,
	                                .owner = r->conf.ckpt_owner};

	if (rk->k->passed)
		rk->k->passed(o, t ? &t->key : NULL, &p);
}
static inline bool recovery_is_source(const struct recovery_replica *r)
{
	return r->dir == RECOVERY_DIR_SOURCE || r->dir == RECOVERY_DIR_REFILL;
}

/** Takes @p l off its list; its state becomes NONE. A dirty one gives its reason back. */
enum recovery_reason recovery_link_leave(struct recovery_replica *r, struct recovery_kind *rk,
                                         struct srp_ckpt_link *l);
/** Puts @p l, which is on no list, at the end of @p to. */
void recovery_link_settle(struct recovery_replica *r, struct recovery_kind *rk,
                          struct srp_ckpt_link *l, struct srp_list *to);
void recovery_link_dirty(struct recovery_replica *r, struct recovery_kind *rk,
                         struct srp_ckpt_link *l, struct srp_list *to, enum recovery_reason why);
void recovery_link_refused(struct recovery_kind *rk, struct srp_ckpt_link *l);
void recovery_link_inflight(struct recovery_replica *r, struct recovery_kind *rk,
                            struct srp_ckpt_link *l);
/** Makes all settled objects unknown to the peer. */
void recovery_generation(struct recovery_replica *r);
/** All of the kind that is settled is known to the peer: it was compared equal. */
void recovery_settle_kind(struct recovery_replica *r, struct recovery_kind *rk);
/** The stored hashes of the kind count no more (@p fresh: and are to be computed again). */
void recovery_void_hashes(struct recovery_replica *r, struct recovery_kind *rk, bool fresh);

/* --- digest of the stored hashes (hash.c) ----------------------------------------------------- */

struct srp_ckpt_ctx recovery_ctx(const struct recovery_replica *r, const struct recovery_kind *rk,
                                 struct srp_time now, bool canonical);
/** Hash of the object as it is; 0 where it cannot be encoded. */
uint64_t recovery_obj_hash(struct recovery_replica *r, const struct recovery_kind *rk,
                           const struct srp_ckpt_obj *o, struct srp_time now);
bool recovery_counted(const struct recovery_kind *rk, const struct srp_ckpt_link *l);
void recovery_uncount(struct recovery_kind *rk, struct srp_ckpt_link *l);
void recovery_count(struct recovery_kind *rk, struct srp_ckpt_link *l, uint64_t hash);
/** Hashes what is on fresh lists, within the budget. @return true when none is left */
bool recovery_fresh(struct recovery_replica *r, uint32_t *work, struct srp_time now);
bool recovery_fresh_left(const struct recovery_replica *r);

/* --- orphans (orphan.c) ----------------------------------------------------------------------- */

/** Parks @p l, which is on no list, until @p parent is known to the peer. */
void recovery_orphan_park(struct recovery_replica *r, struct recovery_kind *rk,
                          struct srp_ckpt_link *l, const struct srp_ckpt_obj *parent,
                          enum recovery_reason why);
/** @p parent is known now: its children become due. */
void recovery_orphan_release(struct recovery_replica *r, const struct srp_ckpt_obj *parent);
/** All orphans become due; those whose parent is still unknown are parked again. */
void recovery_orphan_release_all(struct recovery_replica *r);

/* --- tombstones (tomb.c) ---------------------------------------------------------------------- */

struct recovery_tomb *recovery_tomb_new(struct recovery_replica *r, struct recovery_kind *rk,
                                        const struct srp_ckpt_key *key);
struct recovery_tomb *recovery_tomb_find(struct recovery_replica *r, const struct recovery_kind *rk,
                                         const struct srp_ckpt_key *key);
/** Forgets the one of this key, if it waits: the object is there again. */
void recovery_tomb_cancel(struct recovery_replica *r, struct recovery_kind *rk,
                          const struct srp_ckpt_key *key);
/** Forgets a tombstone that is on no list. */
void recovery_tomb_drop(struct recovery_replica *r, struct recovery_tomb *t);
/** Takes a waiting one off its list; @return its reason. */
enum recovery_reason recovery_tomb_leave(struct recovery_replica *r, struct recovery_tomb *t);
void recovery_tomb_dirty(struct recovery_replica *r, struct recovery_tomb *t, struct srp_list *to,
                         enum recovery_reason why);
/** Forgets all that wait. @return how many */
uint64_t recovery_tomb_forget(struct recovery_replica *r, bool demoted);
void recovery_tomb_fini(struct recovery_replica *r);

/* --- changes (change.c, gates.c) -------------------------------------------------------------- */

bool recovery_role_sends(const struct recovery_replica *r, enum srp_role role);
/** As much is on the way as may be. */
bool recovery_congested(const struct recovery_replica *r);
/** What was held by that is looked at, when enough of it is over. */
void recovery_relieve(struct recovery_replica *r);
enum srp_gate recovery_gate(struct recovery_replica *r, struct recovery_kind *rk,
                            const struct srp_ckpt_obj *o, bool del, struct srp_time now);
/** Whether changes of a kind wait for a turn now. */
static inline bool recovery_paced(const struct recovery_replica *r, const struct recovery_kind *rk,
                                  struct srp_time now)
{
	struct srp_ckpt_ctx ctx;

	if (!rk->k->paced || r->flush)
		return false;
	ctx = recovery_ctx(r, rk, now, false);
	return rk->k->paced(&ctx);
}
void recovery_changed(struct recovery_replica *r, struct srp_ckpt_obj *o, struct srp_time now);
void recovery_deleted(struct recovery_replica *r, struct srp_ckpt_obj *o, bool tell,
                      struct srp_time now);
/** Another replica applied @p o. */
void recovery_adopt(struct recovery_replica *r, struct srp_ckpt_obj *o);
/** Another replica removes @p o. */
void recovery_forget(struct recovery_replica *r, struct srp_ckpt_obj *o);
/** The right to send is gone: what was not acknowledged is divergent. */
void recovery_demote(struct recovery_replica *r);
/** Refused objects are tried again. */
void recovery_retry_refused(struct recovery_replica *r);
/** Marks an object to be sent again because a comparison differed. */
void recovery_repair(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_obj *o);
/** The same for one that the peer asks for by its key: it may have gone since it was named. */
void recovery_wanted(struct recovery_replica *r, struct recovery_kind *rk, const struct srp_ckpt_key *key,
                     struct srp_time now);

/* --- sending (sender.c, ack.c) ---------------------------------------------------------------- */

/** Writes records that are due. @return true when nothing is left that could go now */
bool recovery_send(struct recovery_replica *r, struct recovery_out *out);
/** Closes the open RECORDS frame, if any. */
void recovery_send_close(struct recovery_replica *r, struct recovery_out *out);
/** True when an object or tombstone waits that needs no token. */
bool recovery_send_pending(const struct recovery_replica *r);
/** Ends a look at what gates hold. */
void recovery_pass_end(struct recovery_replica *r);
bool recovery_run_push(struct recovery_replica *r, uint32_t row);
/** What is in flight is dirty again. */
void recovery_return(struct recovery_replica *r);

/* --- frames (wire.c) -------------------------------------------------------------------------- */

/** Room for a body of @p max bytes in @p out, or NULL. */
uint8_t *recovery_out_body(struct recovery_out *out, size_t max);
/** Completes the frame whose body was asked for. */
void recovery_out_frame(struct recovery_replica *r, struct recovery_out *out, enum recovery_frame t,
                        uint8_t flags, size_t len);
/** Queues a frame behind those that wait. 0, SRP_EFULL or SRP_ENOMEM. */
int recovery_outq_put(struct recovery_replica *r, enum recovery_frame t, const uint8_t *body,
                      size_t len);
/** Copies queued frames. @return true when none is left */
bool recovery_outq_tx(struct recovery_replica *r, struct recovery_out *out);
void recovery_w_key(struct srp_mp_w *w, const struct srp_ckpt_kind *k,
                    const struct srp_ckpt_key *key);
void recovery_r_key(struct srp_mp_r *m, const struct srp_ckpt_kind *k, struct srp_ckpt_key *key);
void recovery_event(struct recovery_replica *r, enum recovery_event ev, const char *why);

#define RECOVERY_FRAME(sym, type, min, max, states, handler)                           \
	int recovery_rx_##handler(struct recovery_replica *r, struct srp_mp_r *m,      \
	                          struct srp_time now);
#include "recovery/frame.def"
#undef RECOVERY_FRAME

/* --- questions (question.c) ------------------------------------------------------------------- */

/** The connection is gone: nobody answers any more. */
void recovery_questions_forget(struct recovery_replica *r);

/* --- hello, comparison, audit (hello.c, digest.c, compare.c, audit.c) ------------------------- */

bool recovery_tx_hello(struct recovery_replica *r, struct recovery_out *out);
bool recovery_tx_ack(struct recovery_replica *r, struct recovery_out *out);
/** Puts the acknowledgement into the queue: no room for more refusals. */
int recovery_ack_queue(struct recovery_replica *r);
/** Source: steps of the synchronisation and of the comparison. @return false when there is no room
 */
bool recovery_tx_source(struct recovery_replica *r, struct recovery_out *out);
/** When the source's side of the comparison has something to send; 0 never. */
struct srp_time recovery_round_due(const struct recovery_replica *r);
/** Receiver: objects that the source did not name. @return false when there is no room */
bool recovery_tx_extra(struct recovery_replica *r, struct recovery_out *out);
/** Objects of all kinds. */
uint64_t recovery_objects(const struct recovery_replica *r);
/** Removes an object at the source's word. 0, or why it is still there. */
int recovery_remove(struct recovery_replica *r, struct recovery_kind *rk, struct srp_ckpt_obj *o,
                    const struct srp_ckpt_key *key, const struct srp_ckpt_ctx *ctx);
/** The kind with this id that both ends know, or NULL. */
struct recovery_kind *recovery_kind_by_id(struct recovery_replica *r, unsigned id);
/** Ends any walk and any comparison. */
void recovery_compare_reset(struct recovery_replica *r);
void recovery_walk_end(struct recovery_replica *r);
/** Starts a walk over the settled objects of one kind. */
void recovery_walk_begin(struct recovery_replica *r, struct recovery_kind *rk,
			 enum recovery_walk use);
uint64_t recovery_root(const struct recovery_replica *r);
void recovery_audit_begin(struct recovery_replica *r);
void recovery_audit_work(struct recovery_replica *r, uint32_t *work, struct srp_time now);
void recovery_audit_stop(struct recovery_replica *r);
/** Direction from both hellos. */
enum recovery_dir recovery_direction(const struct recovery_replica *r);
/** Changes the direction; what the old one left behind is put in order. */
void recovery_set_dir(struct recovery_replica *r, enum recovery_dir dir);
/** A new stream: positions start anew. */
void recovery_stream_new(struct recovery_replica *r);
uint64_t recovery_random(struct recovery_replica *r);


/* --- lists of keys (keys.c) ------------------------------------------------------------------- */

/** A frame that names the objects of a walk. */
struct recovery_naming {
	uint8_t type;              /**< KEYS or EXTRA */
	uint32_t id;               /**< of the comparison */
	const uint8_t *map;        /**< of the buckets that differ */
	uint64_t *named;           /**< is counted up */
};
enum recovery_named {
	RECOVERY_NAMED_NO_ROOM,    /**< for the frame: nothing has changed */
	RECOVERY_NAMED_NONE,       /**< no frame: none of those that were looked at */
	RECOVERY_NAMED_SOME,
	RECOVERY_NAMED_ALL         /**< the last frame of this walk */
};
/** Writes one frame: [id, kind, last, [key..., hash, ...]]. */
enum recovery_named recovery_keys_tx(struct recovery_replica *r, struct recovery_out *out,
                                     struct recovery_kind *rk, const struct recovery_naming *f);

/** Whether an object that was named goes into the answer. */
typedef bool recovery_pick_fn(struct recovery_replica *r, struct recovery_kind *rk,
                              const struct srp_ckpt_key *key, uint64_t hash, struct srp_time now);
struct recovery_picked {
	struct srp_ckpt_key key[RECOVERY_KEYS_MAX];
	uint32_t n;
};
/** Reads the list of such a frame, to its end. */
int recovery_keys_rx(struct recovery_replica *r, struct recovery_kind *rk, struct srp_mp_r *m,
                     recovery_pick_fn *pick, struct srp_time now, struct recovery_picked *out);
/** Puts the answer into the queue: WANT or PURGE, [id, kind, [key..., ...]]. */
int recovery_keys_answer(struct recovery_replica *r, uint8_t type, uint32_t id,
                         const struct recovery_kind *rk, const struct recovery_picked *p);
/** Reads the next key of an answer, and finds what it names; NULL: nothing. */
struct srp_ckpt_obj *recovery_keys_find(struct srp_mp_r *m, const struct recovery_kind *rk,
                                        const struct srp_ckpt_ctx *ctx, struct srp_ckpt_key *key);

#endif

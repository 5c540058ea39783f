/* police: token buckets. What limits the rate of a subscriber's packets: the MBR of their bearer, the
 * limit of their rule's charging-action, the MBR of a rule that the call was given, a group of its
 * bandwidth-policy, a QoS group. Each is a limiter of the session with buckets for both directions
 * (RFC 2698: a peak rate, and a committed one where it has that). A packet must conform to all of them
 * to take tokens from any.
 *
 * Limiters are replicated (ACS_LIMIT_INFO, 214), so that a recovered session goes on from the tokens it
 * had: never with a record for a packet, but once a second while a bucket is not full. A bucket that is
 * full needs no state. */
#ifndef ECS_POLICE_H
#define ECS_POLICE_H

#include "ecs/rule/service.h"
#include "srp/ckpt.h"

struct ecs_engine;
struct ecs_session;
struct ecs_bearer;

/* --- buckets ---------------------------------------------------------------------------------- */

/** How a bucket is filled. */
struct ecs_rate {
	uint64_t bits;  /**< a second; 0: not known here yet, nothing flows in */
	uint64_t burst; /**< bytes that it holds */
};

/** Tokens: millionths of a bit, so that each microsecond counts at each rate. */
struct ecs_bucket {
	int64_t level;      /**< as it was @c at; below 0: bytes of a super-packet that it owes */
	struct srp_time at; /**< 0: it is full */
};

#define ECS_BUCKET_BYTE  INT64_C(8000000)
#define ECS_BUCKET_FULL  INT64_MAX /**< what ecs_bucket_bytes() says of a full one */
/** Levels that a record can have, in bytes. */
#define ECS_BUCKET_LEAST (-(INT64_C(1) << 24))
#define ECS_BUCKET_MOST  (INT64_C(1) << 39)

/** Brings a bucket to what it has now. */
void ecs_bucket_fill(struct ecs_bucket *b, const struct ecs_rate *r, struct srp_time now);
/** Whether it has @p bytes, after ecs_bucket_fill(). */
static inline bool ecs_bucket_has(const struct ecs_bucket *b, uint64_t bytes)
{
	return b->level >= (int64_t)bytes * ECS_BUCKET_BYTE;
}
/** Takes @p bytes, be they there or not. */
void ecs_bucket_take(struct ecs_bucket *b, uint64_t bytes, struct srp_time now);
/** Its level in bytes, rounded down, as of its last filling; ECS_BUCKET_FULL. */
int64_t ecs_bucket_bytes(const struct ecs_bucket *b);
/** The burst of a rate for which nothing says one (an MBR): a tenth of a second, at least ten packets
 *  of 1500 bytes. */
uint64_t ecs_mbr_burst(uint32_t kbits);

/* --- limiters --------------------------------------------------------------------------------- */

/** What a limiter is of, and what its id is. */
#define ECS_LIMITS(X)                                                                              \
	X(RULE, "charging-action")      /* hash of the rule's name */                         \
	X(DYNAMIC, "dynamic-rule")      /* ecs_dynrule.key */                                 \
	X(POLICY, "bandwidth-policy")   /* group-id */                                        \
	X(GROUP, "qos-group-of-ruledefs") /* hash of its name */                              \
	X(BEARER, "bearer")             /* its identity */
#define X(sym, text) ECS_LIMIT_##sym,
enum ecs_limit_of { ECS_LIMITS(X) ECS_LIMIT__N };
#undef X
const char *ecs_limit_text(enum ecs_limit_of of);

/** What has become of packets: within the (committed) rate, beyond it and within the peak, beyond
 *  that. */
enum ecs_colour { ECS_CONFORMED, ECS_EXCEEDED, ECS_VIOLATED, ECS_COLOUR__N };

struct ecs_limit_volume {
	uint64_t pkts, bytes;
};

/** One direction of a limiter. */
struct ecs_limiter_way {
	struct ecs_rate peak_rate, committed_rate; /**< as the last packet found them */
	struct ecs_bucket peak, committed;
	int64_t told_peak, told_committed; /**< bytes, at the last turn: what records say */
	struct srp_time told_at;
	struct ecs_limit_volume n[ECS_COLOUR__N]; /**< of this process */
};

#define ECS_LIMITERS_MAX 4096u /**< of one session; beyond them packets pass */

struct ecs_limiter {
	struct srp_ckpt_obj ckpt;         /**< first */
	struct srp_list in_session;       /**< most recently used first */
	struct srp_list in_changed;       /**< of the engine: was not full at the last turn */
	struct ecs_limiter *by_key;       /**< chain of the engine's index */
	struct ecs_session *session;
	uint64_t id;
	uint8_t of;                       /**< enum ecs_limit_of */
	bool named;                       /**< stats is that of its name, since the commit named_at */
	uint16_t stats;                   /**< index of ecs_engine_config.limit_stats */
	uint32_t named_at;
	struct ecs_limiter_way way[2];    /**< by enum ecs_dir */
};

extern const struct srp_ckpt_kind ecs_kind_limit; /**< 214 */

/** Counters of limits by what they are of and its name, in the task's slab. */
#define ECS_LIMIT_STATS_MAX 1024u
struct ecs_limit_stats {
	char name[2 * ECS_NAME_MAX + 2]; /**< empty: free. The last is that of all for whom there is no
	                                      room */
	uint8_t of;                      /**< enum ecs_limit_of */
	struct ecs_limit_volume n[2][ECS_COLOUR__N]; /**< by enum ecs_dir */
};

/** The index of limiters; 0 or SRP_ENOMEM. */
int ecs_limiters_init(struct ecs_engine *e);
/** A limiter of a session, or NULL. */
struct ecs_limiter *ecs_limiter_find(const struct ecs_engine *e, uint32_t callid,
                                     enum ecs_limit_of of, uint64_t id);
/** Makes one whose buckets are full; it must not be there. NULL: no memory, or too many. */
struct ecs_limiter *ecs_limiter_build(struct ecs_engine *e, struct ecs_session *s,
                                      enum ecs_limit_of of, uint64_t id);
/** Frees one; nothing is told but the lists. */
void ecs_limiter_drop(struct ecs_engine *e, struct ecs_limiter *m, struct srp_time now);
/** Bearers or rules of a call, or their QoS, are others now: whether its packets are looked at. */
void ecs_police_session(struct ecs_session *s);
/** Tells of the limiters that are not full, where the second is over or with @p all, at most @p
 *  budget; true: call again. */
bool ecs_police_turn(struct ecs_engine *e, bool all, struct srp_time now, size_t budget);
/** The place of a name in the counters. */
uint16_t ecs_limit_stats_of(struct ecs_limit_stats *v, enum ecs_limit_of of, const char *name);

#endif

/* usage: volumes, replicated as ACS_USAGE_INFO (212). Keyed (call-id, bearer, rule or content-id);
 * each chassis writes only its own slot and a volume is the sum of the slots, so that any record
 * may be repeated and none overwrites what the other side has charged (R14).
 *
 * A record carries the own slot as it was at the last turn (`told`), not as it is: a version names
 * one content, and a repetition or an audit between two turns finds what was sent. */
#ifndef ECS_USAGE_H
#define ECS_USAGE_H

#include "ecs/packet.h"
#include "srp/ckpt.h"

struct ecs_session;

struct ecs_volume {
	uint64_t pkts[2], bytes[2]; /**< by enum ecs_dir */
};

/** Octets of the volumes of sessions that the peer chassis may not know: those charged, or waiting to be, less
 *  those that it has acknowledged, which ended with their session a while ago, or which it has told us itself. Both
 *  only say something together. Written by one task, read by others at any time: charged last. */
struct ecs_owed {
	uint64_t charged; /**< only grows, also from one process to the next */
	uint64_t known;
};

#define ECS_VOLUME_MAX ((uint64_t)1 << 60) /**< of one counter, as read from a peer */

/** What a volume is of. Those of flows are a kind of their own (ACS_FLOW_USAGE_INFO), as they end before
 *  their session does; so are quotas (ACS_QUOTA_INFO): what was granted is told at once, as it is control,
 *  and what was used does not wait for `check-point accounting sync-timer`. */
#define ECS_USAGES(X)                                                                         \
	X(SESSION, "session") X(RULE, "rule") X(CONTENT, "content-id") X(RATING, "rating-group") \
	X(EXCLUDED, "excluded") X(QUOTA, "quota") X(FLOW, "flow") X(RECORDED, "recorded")
#define X(sym, text) ECS_USAGE_##sym,
enum ecs_usage_of { ECS_USAGES(X) ECS_USAGE__N };
#undef X

/** Id of RATING and EXCLUDED: the rating group, and the content-id that goes with it. */
#define ECS_RATING_ID(rating, content) ((uint64_t)(rating) << 32 | (content))
/** A QUOTA has in place of directions what was granted (its packets: how often) and what was used. */
#define ECS_QUOTA_GRANTED 0
#define ECS_QUOTA_USED    1

/* What every packet touches comes right after ckpt: two cache lines. */
struct ecs_usage {
	struct srp_ckpt_obj ckpt;         /**< first */
	struct srp_list in_session;       /**< most recently charged first */
	struct srp_list in_changed;       /**< of the engine: changed since the last turn */
	uint64_t id;                      /**< rule: name hash, 0 none; content-id; rating group;
	                                       flow: its id; session: 0 */
	uint16_t stats;                   /**< of: RULE: index of the local rule name */
	uint8_t bearer;
	uint8_t of;                       /**< enum ecs_usage_of */
	uint32_t place;                   /**< in the ledger; 0 none yet */
	struct ecs_volume own[2];         /**< by chassis bit */
	struct ecs_volume told;           /**< this chassis' slot at the last turn */
	struct ecs_usage *by_key;         /**< chain of the engine's index */
	struct ecs_session *session;
	char *url;                        /**< of a QUOTA: as ecs_quota.url; on the heap */
};

/** What is in @c owed as octets, from another task. */
static inline uint64_t ecs_owed_octets(const struct ecs_owed *owed, uint64_t *charged)
{
	/* in this order: what is charged meanwhile makes it more, never less */
	uint64_t known = __atomic_load_n(&owed->known, __ATOMIC_ACQUIRE);

	*charged = __atomic_load_n(&owed->charged, __ATOMIC_ACQUIRE);
	return *charged - known;
}

/** Sum over the chassis. */
struct ecs_volume ecs_usage_sum(const struct ecs_usage *u);

extern const struct srp_ckpt_kind ecs_kind_usage;      /**< 212 */
extern const struct srp_ckpt_kind ecs_kind_flow_usage; /**< 216, deletion 217 */
extern const struct srp_ckpt_kind ecs_kind_quota;      /**< 218 */
/** The kind of a volume. */
const struct srp_ckpt_kind *ecs_kind_of_usage(enum ecs_usage_of of);

#endif

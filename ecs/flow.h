/* flow: one 5-tuple of one subscriber. */
#ifndef ECS_FLOW_H
#define ECS_FLOW_H

#include "ecs/packet.h"
#include "ecs/rule/service.h"
#include "ecs/ruleref.h"
#include "ecs/wheel.h"
#include "srp/ckpt.h"

/** What is said to the sink when an object is freed. */
enum ecs_tell {
	ECS_TELL_NOT,   /**< nothing: the caller is the sink's owner and applies a deletion */
	ECS_TELL_LISTS, /**< deleted(tell false): leaves the lists, nothing is sent for it */
	ECS_TELL        /**< deleted(tell true): a tombstone where the peer may have it */
};

struct ecs_session;
struct ecs_analysis;
struct ecs_flow_more;
struct ecs_tally;

/** Subscriber's end first, so that both directions have one key. */
struct ecs_flow_key {
	struct ecs_addr subscriber, server;
	uint16_t subscriber_port, server_port;
	uint8_t proto;
};

uint64_t ecs_flow_key_hash(const struct ecs_flow_key *k, uint64_t seed);
bool ecs_flow_key_equal(const struct ecs_flow_key *a, const struct ecs_flow_key *b);

#define ECS_FLOW_F_RECOVERED   0x01u /**< came by checkpoint and was taken over: keeps its rule */
#define ECS_FLOW_F_FINAL       0x02u /**< the verdict is cached: no matching any more */
#define ECS_FLOW_F_FIN_UP      0x04u /**< a FIN was seen, this way, while the flow was no recovered one */
#define ECS_FLOW_F_FIN_DOWN    0x08u
#define ECS_FLOW_F_FIRST_UP    0x10u /**< the first packet was uplink */
#define ECS_FLOW_F_ELIGIBLE    0x20u /**< its rule is eligible for flow recovery */
#define ECS_FLOW_F_CHECKPOINT  0x40u /**< holds one of the call's checkpoint slots: it was told, no sooner */
#define ECS_FLOW_F_SEEN        0x80u /**< saw a packet since it was taken over */
#define ECS_FLOW_F_MID        0x100u /**< began in mid-stream: never an L7 rule */
#define ECS_FLOW_F_WAITING    0x200u /**< eligible, its delay over, beyond the limit: waits for a free slot */

#define ECS_FLOW_F_OPENER_UP  0x400u /**< the subscriber's side opened it */
#define ECS_FLOW_F_LINGER    0x1000u /**< its timer is that of a closed connection */
#define ECS_FLOW_F_AGAIN      0x2000u /**< analyzed anew at each packet of its opener: DNS */
#define ECS_FLOW_F_L34        0x800u /**< L3/L4 lines only: mid-stream, or too many flows */
#define ECS_FLOW_F_RESTING   0x4000u /**< its last packet had no payload and was charged by a rule that
                                          is not eligible: not checkpointed until one has */

/** Nothing is decided yet, and it can still be analyzed from its beginning: TCP until its payload
 *  begins, in either direction; what has no connection until its verdict is final. Never together
 *  with FINAL. TCP with neither of them is in the middle of an analysis. */
#define ECS_FLOW_F_FRESH     0x8000u

/* What every packet touches comes right after ckpt: two cache lines. */
struct ecs_flow {
	struct srp_ckpt_obj ckpt;         /**< kind ACS_FLOW_INFO, 210; first */
	struct ecs_flow_key key;
	uint8_t bearer;
	uint8_t tcp_state;                /**< enum ecs_tcp_state */
	struct ecs_flow *hash_next;       /**< in the flow table, by key */
	struct ecs_session *session;
	struct ecs_analysis *analysis;    /**< while analyzers run; NULL after */
	struct ecs_flow_more *more;       /**< what few flows have (enforce.h); NULL: nothing */
	struct srp_time last;             /**< of this process's clock; see age_* at apply */
	uint64_t pkts[2], bytes[2];       /**< by enum ecs_dir; for EDRs, not for charging */
	uint16_t ref; /**< its rule: index into the ruleref table, ECS_REF_NONE */
	uint16_t back; /**< verdict for packets against its first direction, where rules tell
	                    directions apart; else equal to ref */
	uint16_t flags;
	uint16_t gen;                     /**< of the engine, when made or applied: see recovered */
	struct srp_time created;
	struct ecs_flow *id_next;         /**< in the flow table, by (call-id, flow id) */
	struct ecs_tally *tally;          /**< for its records (tally.h); NULL: none are asked for */
	struct srp_list in_session;       /**< all flows of the session */
	struct srp_list waiting;          /**< in the session's list of those without a slot */
	struct ecs_wheel_node idle; /**< idle timeout (active: armed; standby: the wheel stands) */
	struct ecs_wheel_node *delay;     /**< delay of the first checkpoint; NULL none */
	uint32_t id; /**< (counter << 1 | chassis bit), never reused in a session */
	uint32_t idle_timeout;            /**< seconds, 0 none */
	uint32_t isn; /**< of the SYN that opened it, or what its answer says; 0 not seen */
	uint16_t app, app_master;         /**< nDPI */
	uint16_t known, known_back; /**< the rules of L7 that it was found to mean before it got what it
	                                 has, as ref and back; ECS_REF_NONE */
	uint32_t kpi;  /**< figures of the rule that its checkpoint names (kpi.h), 0 none */
	bool unlived;  /**< recovered, and ends without a packet since: its lifetime is not counted */
	bool tether_judged;               /**< its TTL was looked at */
	bool tethered;                    /**< of a device behind the subscriber's */
	bool released; /**< its rule was taken from the call: L3/L4 lines from here on, recovered or not */
	bool lost;     /**< its rule was taken from the call, and no packet was matched since */
	bool moved;    /**< its bearer went during a control transaction */
	bool stale;     /**< final by a rulebase that says something else now: matched anew */
	bool triggered; /**< began under a scheme with `trigger flow-create`, here or at the peer */
	bool unnamed;   /**< there was no place for it among those to be told of by name, and it was counted */
	struct srp_list unsent;           /**< in the session's list of those to be told of (unsent.h) */
};

static inline enum ecs_dir ecs_flow_first_dir(const struct ecs_flow *f)
{
	return f->flags & ECS_FLOW_F_FIRST_UP ? ECS_UPLINK : ECS_DOWNLINK;
}

static inline enum ecs_dir ecs_flow_opener_dir(const struct ecs_flow *f)
{
	return f->flags & ECS_FLOW_F_OPENER_UP ? ECS_UPLINK : ECS_DOWNLINK;
}

struct ecs_flow_table;

struct ecs_flow_table *ecs_flow_table_new(size_t expected, uint64_t seed);
/** As ecs_chain_reserve(), of both indexes. */
int ecs_flow_table_reserve(struct ecs_flow_table *t, size_t expected, size_t *bytes);
void ecs_flow_table_free(struct ecs_flow_table *t);
struct ecs_flow *ecs_flow_find(const struct ecs_flow_table *t, const struct ecs_flow_key *k);
/** Inserts; the key must not be there. 0 or SRP_ENOMEM. */
int ecs_flow_insert(struct ecs_flow_table *t, struct ecs_flow *f);
void ecs_flow_remove(struct ecs_flow_table *t, struct ecs_flow *f);
size_t ecs_flow_count(const struct ecs_flow_table *t);

extern const struct srp_ckpt_kind ecs_kind_flow; /**< 210, deletion 211 */

#endif

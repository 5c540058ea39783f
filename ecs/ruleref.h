/* ruleref: the rules that flows of this instance are, or were, charged by, as replicated objects.
 *
 * A flow names its rule by the index of a ref (rulebase, rule name, digests). On the chassis that
 * classified it the ref is bound to a line of the service; after replication it is bound where the
 * local line has equal digests, else it has a reason and the flow is charged by the L3/L4 rule.
 * Binding is looked up through this table, never stored in the flow (R15). */
#ifndef ECS_RULEREF_H
#define ECS_RULEREF_H

#include "ecs/rule/service.h"
#include "srp/ckpt.h"

/* On the wire a rule is named by its name hash, in the rule map, in flows and in usages alike: it
 * is the same on every stream and after every change of role, so that nothing must be announced
 * again when digests are equal. It is the low 32 bits of a 64-bit hash (5 bytes); where another ref
 * holds these, it is the whole. */
#define ECS_REF_NONE 0xffffu
#define ECS_REFS_MAX 8192

enum ecs_bind {
	ECS_BIND_OK,
	ECS_BIND_NO_RULEBASE,   /**< no such rulebase here */
	ECS_BIND_NO_RULE,       /**< the rulebase has no such rule */
	ECS_BIND_RULE_DIFFERS,  /**< lines or members differ */
	ECS_BIND_ACTION_DIFFERS /**< the charging fields of the action differ */
};

struct ecs_ruleref {
	struct srp_ckpt_obj ckpt;           /**< kind rule map, 241 */
	char rulebase[ECS_NAME_MAX + 1], rule[ECS_NAME_MAX + 1];
	uint64_t rule_digest, action_digest;
	uint64_t name_hash; /**< of the above: the same on both chassis; see below */
	struct ecs_ruleref *hash_next;
	uint16_t id;                        /**< index in the table, of this process only */
	uint16_t line;                      /**< ECS_LINE_NONE where unbound */
	enum ecs_bind bind;
	uint32_t flows;                     /**< flows that name it now: `Active Flows` */
	uint32_t kpi;                       /**< of the figures of its flows (kpi.h); 0: none are kept */
	uint32_t users; /**< calls that have it as a dynamic rule; flows that have it for packets against
	                     their first direction, or would go back to it */
	bool dynamic;                       /**< of a dynamic rule: no line has it */
	uint16_t stats;                     /**< of it: index in ecs_engine_config.dyn_stats */
	struct ecs_charging_action *action; /**< of it, owned; NULL: no call here has had it yet */
	bool gone;                          /**< removed; the slot is free when no flow names it */
	bool moved;                         /**< the last commit has changed its action */
	bool l7;                            /**< where it was bound last it looked at L7 */
	bool judged, eligible; /**< by recoverable.c: under scheme, with delay seconds */
	uint8_t p2p;           /**< eligible but for such flows: enum ecs_p2p */
	uint16_t delay;
	int scheme;
};

/** What a ref stands for. */
struct ecs_rule_name {
	const char *rulebase, *rule; /**< at most ECS_NAME_MAX bytes each */
	uint64_t rule_digest, action_digest;
};

struct ecs_ruleref_table;
struct ecs_engine;

/** @p sink may be NULL (no replication, as in ecsreplay). @p engine: whose they are; NULL: nobody's. */
struct ecs_ruleref_table *ecs_ruleref_new(const struct ecs_service *svc,
                                          struct srp_ckpt_sink *sink,
                                          const struct ecs_engine *engine);
void ecs_ruleref_free(struct ecs_ruleref_table *t);
/** The ref of a local line; made, and told to the sink, at first use. ECS_REF_NONE when full. */
uint16_t ecs_ruleref_of_line(struct ecs_ruleref_table *t, uint16_t line, struct srp_time now);
/** The ref that flows of this one have after a commit has changed the action of its rule: that of the
 *  same rule; else @p id. ECS_REF_NONE: there is no room for it. */
uint16_t ecs_ruleref_moved(struct ecs_ruleref_table *t, uint16_t id, struct srp_time now);
/** The ref that stands for the static rule of this one now, its action the same or not; ECS_REF_NONE:
 *  that rule is not there, or has other lines, or there is no room. */
uint16_t ecs_ruleref_now(struct ecs_ruleref_table *t, uint16_t id, struct srp_time now);
/** The ref of the rule of this name and these lines in another rulebase (an index, -1: none), whatever its
 *  action there; ECS_REF_NONE: that has none, or there is no room. */
uint16_t ecs_ruleref_in(struct ecs_ruleref_table *t, uint16_t id, int rulebase, struct srp_time now);
/** The ref of a dynamic rule; as above. Its name must be one of ECS_DYN_BASE. */
uint16_t ecs_ruleref_of_dynamic(struct ecs_ruleref_table *t, const struct ecs_rule_name *n,
                                struct srp_time now);
/** The ref with this name hash, or ECS_REF_NONE. */
uint16_t ecs_ruleref_by_hash(const struct ecs_ruleref_table *t, uint64_t name_hash);
/** The ref with this index; NULL where there is none. */
struct ecs_ruleref *ecs_ruleref_get(struct ecs_ruleref_table *t, uint16_t id);
size_t ecs_ruleref_count(const struct ecs_ruleref_table *t);
/** The whole 64-bit hash of a name; its upper half is never 0. */
uint64_t ecs_ruleref_full_hash(const struct ecs_rule_name *n);
/**
 * The ref of a peer's rule, made where there is none; the sink is not told. Where the table is full
 * a ref that no flow names and no line of the service has gives way.
 *
 * @return 0; SRP_EINVAL (@p name_hash is not of this name), SRP_EDUP (held by another name),
 * SRP_EFULL
 */
int ecs_ruleref_intern(struct ecs_ruleref_table *t, const struct ecs_rule_name *n,
                       uint64_t name_hash, struct srp_time now, struct ecs_ruleref **out);
/** Removes a ref; flows that name it keep it until they end. Leaves the lists. 0 or SRP_ENOENT. */
int ecs_ruleref_remove(struct ecs_ruleref_table *t, uint64_t name_hash, struct srp_time now);
/**
 * The chassis becomes active: what was removed by the peer's word and flows still name comes back, and is
 * told: they are this chassis' flows now, and nobody could read their checkpoints without it.
 */
void ecs_ruleref_return(struct ecs_ruleref_table *t, struct srp_time now);
/** Visits all refs, also those that were removed and that flows still name. */
void ecs_ruleref_walk_all(struct ecs_ruleref_table *t,
                          int (*fn)(struct ecs_ruleref *r, void *arg), void *arg);
/** Visits all refs; @p fn not 0 stops. */
void ecs_ruleref_walk(struct ecs_ruleref_table *t, int (*fn)(struct ecs_ruleref *r, void *arg),
                      void *arg);

extern const struct srp_ckpt_kind ecs_kind_rule_map; /**< 241 */

#endif

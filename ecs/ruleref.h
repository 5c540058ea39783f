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
	uint64_t name_hash;                 /**< of rulebase, rule, digests: the same on both chassis */
	uint16_t id;                        /**< index in the table: the id on our streams */
	uint16_t line;                      /**< ECS_LINE_NONE where unbound */
	enum ecs_bind bind;
	uint32_t flows;                     /**< flows that name it now: `Active Flows` */
};

struct ecs_ruleref_table;

/** @p sink may be NULL (no replication, as in ecsreplay). */
struct ecs_ruleref_table *ecs_ruleref_new(const struct ecs_service *svc, struct srp_ckpt_sink *sink);
void ecs_ruleref_free(struct ecs_ruleref_table *t);
/** The ref of a local line; made, and told to the sink, at first use. ECS_REF_NONE when full. */
uint16_t ecs_ruleref_of_line(struct ecs_ruleref_table *t, uint16_t line, struct srp_time now);
/** The ref of a peer's rule by its 64-bit name hash, or ECS_REF_NONE. */
uint16_t ecs_ruleref_by_hash(const struct ecs_ruleref_table *t, uint64_t name_hash);
/** The local ref that the peer's id stands for on its present stream, or ECS_REF_NONE. */
uint16_t ecs_ruleref_by_peer_id(const struct ecs_ruleref_table *t, uint16_t peer_id);
/** Forgets the peer's ids: a new stream begins. */
void ecs_ruleref_new_stream(struct ecs_ruleref_table *t);
struct ecs_ruleref *ecs_ruleref_get(struct ecs_ruleref_table *t, uint16_t id);
size_t ecs_ruleref_count(const struct ecs_ruleref_table *t);

extern const struct srp_ckpt_kind ecs_kind_rule_map; /**< 241 */

#endif

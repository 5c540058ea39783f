/* limit: rate limits over several rules: `bandwidth-policy NAME`, whose groups are named by the
 * charging-actions of a rulebase, and `qos-group-of-ruledefs NAME`, which names its rules itself.
 * Included by service.h. */
#ifndef ECS_RULE_LIMIT_H
#define ECS_RULE_LIMIT_H

#include <stddef.h>

#include "ecs/rule/action.h"

#define ECS_POLICIES_MAX     256 /**< of a service; no figure is published, as for what follows */
#define ECS_POLICY_LINES_MAX 256 /**< ids of a policy; groups of it */
#define ECS_QOS_GROUPS_MAX   128
#define ECS_QOS_MEMBERS_MAX  128 /**< as of a group-of-ruledefs */

/** The words of a limit, as the grammar has them behind its direction. */
#define ECS_LIMIT_PATTERN                                                                     \
	"[peak-data-rate <num:1..4294967295>|peak-burst-size <num:1..4294967295>|"            \
	"committed-data-rate <num:1..4294967295>|committed-burst-size <num:1..4294967295>|"   \
	"violate-action {discard|lower-ip-precedence}|exceed-action "                         \
	"{discard|lower-ip-precedence}]*"

struct ecs_policy_group {
	uint32_t id;
	struct ecs_bandwidth limit[2]; /**< by enum ecs_dir */
};

/** `flow limit-for-bandwidth id N group-id M`. */
struct ecs_policy_flow {
	uint32_t id, group;
};

struct ecs_bandwidth_policy {
	char name[ECS_NAME_MAX + 1];
	struct ecs_policy_group *group; /**< by id */
	struct ecs_policy_flow *flow;   /**< by id */
	size_t ngroups, nflows;
};

struct ecs_qos_member {
	char name[ECS_NAME_MAX + 1];
	bool group;                     /**< of a group-of-ruledefs */
};

struct ecs_qos_group {
	char name[ECS_NAME_MAX + 1];
	struct ecs_qos_member *member;  /**< by name */
	size_t n;
	struct ecs_bandwidth limit[2];  /**< by enum ecs_dir */
	uint64_t id;                    /**< hash of the name; made at commit */
};

/** The group of a policy that limits what has this id; NULL: none does. @p p may be NULL. */
const struct ecs_policy_group *ecs_policy_find(const struct ecs_bandwidth_policy *p, uint32_t id);

#endif

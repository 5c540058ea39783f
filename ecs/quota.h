/* quota: what a control plane grants a call of a rating group, and what was used of it (the volumes
 * of Gy, without its messages). Granted and used are one replicated volume, so that both survive both
 * recoveries; a packet that does not fit in what is left is treated as the rulebase says
 * (`pending-traffic-treatment`). */
#ifndef ECS_QUOTA_H
#define ECS_QUOTA_H

#include "ecs/engine.h"

struct ecs_quota {
	uint32_t rating_group;
	uint64_t grants;    /**< how many; 0: nothing was granted yet */
	uint64_t granted;   /**< bytes, all of them */
	uint64_t used;      /**< bytes, both directions */
	uint64_t used_pkts;
};

#define ECS_QUOTA_MAX ((uint64_t)1 << 50) /**< bytes of one grant */

/**
 * Grants a call @p bytes more of a rating group.
 * @return 0; SRP_EROLE (not active), SRP_ENOSESS, SRP_ERANGE (no rating group, no bytes, or more than
 *         ECS_QUOTA_MAX), SRP_EFULL (the sum), SRP_ENOMEM
 */
int ecs_quota_grant(struct ecs_engine *e, uint32_t callid, uint32_t rating_group, uint64_t bytes,
                    struct srp_time now);
/** The quota that @p u holds; false: it is a volume of another kind. */
bool ecs_quota_of(const struct ecs_usage *u, struct ecs_quota *out);

#endif

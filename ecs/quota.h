/* quota: what a control plane grants a call of a rating group, and what was used of it (the volumes
 * of Gy, without its messages). Granted and used are one replicated volume, so that both survive both
 * recoveries; a packet that does not fit in what is left is treated as the rulebase says
 * (`pending-traffic-treatment`). With a grant may come the URL to which requests are redirected when it is
 * used up (the redirection of a final unit); it is part of the same record. */
#ifndef ECS_QUOTA_H
#define ECS_QUOTA_H

#include "ecs/engine.h"

struct ecs_quota {
	uint32_t rating_group;
	uint64_t grants;    /**< how many; 0: nothing was granted yet */
	uint64_t granted;   /**< bytes, all of them */
	uint64_t used;      /**< bytes, both directions */
	uint64_t used_pkts;
	const char *url;    /**< where requests are redirected to when it is used up; "": nowhere */
};

#define ECS_QUOTA_MAX ((uint64_t)1 << 50) /**< bytes of one grant */

#define ECS_QUOTA_URLS_MAX 262144u /**< of an engine */

/**
 * Grants a call @p bytes more of a rating group. @p url: of this last grant; NULL: none, and one that came
 * with another grant is taken back.
 * @return 0; SRP_EINVAL (@p url, as ecs_url_check()), SRP_EROLE (not active), SRP_ENOSESS, SRP_ERANGE (no
 *         rating group, no bytes, or more than ECS_QUOTA_MAX), SRP_EFULL (the sum, or ECS_QUOTA_URLS_MAX),
 *         SRP_ENOMEM
 */
int ecs_quota_grant(struct ecs_engine *e, uint32_t callid, uint32_t rating_group, uint64_t bytes,
                    const char *url, struct srp_time now);
/** The quota that @p u holds; false: it is a volume of another kind. */
bool ecs_quota_of(const struct ecs_usage *u, struct ecs_quota *out);
/** Gives a quota its URL; "" takes it. 0, SRP_EFULL, SRP_ENOMEM: then it has the one it had. */
int ecs_quota_set_url(struct ecs_engine *e, struct ecs_usage *u, const char *url);
/**
 * Where a request under @p a (`redirect-ocs-url`) of @p bytes is redirected to.
 *
 * @param known  whether the charging server has named a URL, whatever is left
 * @return NULL: nowhere, as none is known or something is left
 */
const char *ecs_quota_redirect(const struct ecs_engine *e, const struct ecs_session *s,
                               const struct ecs_charging_action *a, uint64_t bytes, bool *known);

#endif

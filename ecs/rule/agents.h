/* agents: `redirect user-agent`: whose requests a conditional redirection is for. */
#ifndef ECS_RULE_AGENTS_H
#define ECS_RULE_AGENTS_H

#include "ecs/rule/service.h"

#define ECS_USER_AGENTS_MAX 16 /**< of a service */

/** A name that requests under a conditional redirection are looked at for; with @p no it is removed. One
 *  that is there already is no error. 0; SRP_ENOENT, SRP_ERANGE, SRP_EFULL beyond ECS_USER_AGENTS_MAX. */
int ecs_service_user_agent(struct ecs_service *s, bool no, const char *name, struct ecs_err *e);
/** Whether a User-Agent (NULL: there was none) has one of the names in it, in any case. */
bool ecs_service_knows_agent(const struct ecs_service *s, const char *user_agent);

#endif

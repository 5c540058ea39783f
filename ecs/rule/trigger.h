/* trigger: what trigger-actions, trigger-conditions and service-schemes say beside flow recovery: the
 * members of trigger.def. Included by service_impl.h. */
#ifndef ECS_RULE_TRIGGER_H
#define ECS_RULE_TRIGGER_H

#include "ecs/rule/option.h"

#define ECS_STEP_LINE (16 + 3 * (ECS_NAME_MAX + 1)) /**< a line of step-up: three words behind it */

struct ecs_trigact_conf {
#define ECS_TRIGACT_FLAG(sym, member, ...) bool member;
#define ECS_TRIGACT_NAME(sym, member, ...) char member[ECS_NAME_MAX + 1];
#define ECS_TRIGACT_OWN(sym, members, ...) members
#define ECS_TRIGCOND_FLAG(...)
#define ECS_TRIGCOND_OWN(...)
#include "ecs/rule/trigger.def"
#undef ECS_TRIGACT_FLAG
#undef ECS_TRIGACT_NAME
#undef ECS_TRIGACT_OWN
#undef ECS_TRIGCOND_FLAG
#undef ECS_TRIGCOND_OWN
};

struct ecs_trigcond_conf {
#define ECS_TRIGACT_FLAG(...)
#define ECS_TRIGACT_NAME(...)
#define ECS_TRIGACT_OWN(...)
#define ECS_TRIGCOND_FLAG(sym, member, ...) bool member;
#define ECS_TRIGCOND_OWN(sym, members, ...) members
#include "ecs/rule/trigger.def"
#undef ECS_TRIGACT_FLAG
#undef ECS_TRIGACT_NAME
#undef ECS_TRIGACT_OWN
#undef ECS_TRIGCOND_FLAG
#undef ECS_TRIGCOND_OWN
};

void ecs_trigact_print(const struct ecs_trigact_conf *c, ecs_option_put_fn *put, void *arg);
void ecs_trigcond_print(const struct ecs_trigcond_conf *c, ecs_option_put_fn *put, void *arg);

#endif

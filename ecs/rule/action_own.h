/* action_own: the commands of action.def that set more than one member. Inside of ecs/rule/. */
#ifndef ECS_RULE_ACTION_OWN_H
#define ECS_RULE_ACTION_OWN_H

#include "ecs/rule/option.h"

#define ECS_ACTION_NUM(...)
#define ECS_ACTION_FLAG(...)
#define ECS_ACTION_NAME(...)
#define ECS_ACTION_OWN(sym, ...)                                                              \
	ecs_option_set_fn own_##sym##_set;                                                    \
	ecs_option_print_fn own_##sym##_print;                                                \
	ecs_option_tell_fn own_##sym##_tell;
#include "ecs/rule/action.def"
#undef ECS_ACTION_NUM
#undef ECS_ACTION_FLAG
#undef ECS_ACTION_NAME
#undef ECS_ACTION_OWN

/** Prints the commands of an action that are not as they begin (action.c). */
void ecs_action_print(const struct ecs_charging_action *a, bool charging_only,
                      ecs_option_put_fn *put, void *arg);

#endif

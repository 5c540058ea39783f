/* base_own: the commands of rulebase.def that set more than one member: what flows and packets get
 * (base_own.c), records (base_records.c), content and tethering (base_content.c). Inside of ecs/rule/. */
#ifndef ECS_RULE_BASE_OWN_H
#define ECS_RULE_BASE_OWN_H

#include "ecs/rule/option.h"

#define ECS_BASE_NUM(...)
#define ECS_BASE_FLAG(...)
#define ECS_BASE_OWN(sym, ...)                                                                \
	ecs_option_set_fn base_##sym##_set;                                            \
	ecs_option_print_fn base_##sym##_print;                                        \
	ecs_option_tell_fn base_##sym##_tell;
#include "ecs/rule/rulebase.def"
#undef ECS_BASE_NUM
#undef ECS_BASE_FLAG
#undef ECS_BASE_OWN

#endif

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


/* --- action_forms.c: parts of `flow action` ----------------------------------------------------- */

/** Takes what a flow action says back; @p but_redirection: but for how requests are redirected. */
void ecs_action_clear(struct ecs_charging_action *a, bool but_redirection);
/** Take the words behind `random-drop`, `conditional`. */
int ecs_action_take_drop(struct ecs_words *w, struct ecs_charging_action *a, struct ecs_err *e);
int ecs_action_take_conditional(struct ecs_words *w, struct ecs_charging_action *a,
                                struct ecs_err *e);
/** What a show says of them, and of rulebase-change. */
void ecs_action_tell_others(const struct ecs_charging_action *a, ecs_tell_fn *tell, void *arg);

#endif

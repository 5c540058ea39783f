/* lint_impl: what the files of ecs_service_lint() share. Inside of ecs/rule/. */
#ifndef ECS_RULE_LINT_IMPL_H
#define ECS_RULE_LINT_IMPL_H

#include "ecs/rule/service.h"

struct linter {
	const struct ecs_service *s;
	void (*fn)(void *arg, bool warning, const char *text);
	void *arg;
};

void ecs_lint_find(const struct linter *l, bool warning, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define ERROR(l, ...)   ecs_lint_find(l, false, __VA_ARGS__)
#define WARNING(l, ...) ecs_lint_find(l, true, __VA_ARGS__)

/** What makes flow recovery do nothing without a word: conditions, classes, bindings, and rules that are
 *  eligible in vain (lint_eligible.c). */
void ecs_lint_eligible(const struct linter *l);
/** Lists of routes and of post-processing, and of which application their rules are (lint_refs.c). */
void ecs_lint_lists(const struct linter *l);
/** Formats of records and packet filters: who names them, and what they lack. */
void ecs_lint_formats(const struct linter *l);
/** Limits over several rules: what names them, and what they name (limit_bind.c). */
void ecs_lint_limits(const struct linter *l);
/** What triggers ask for that does nothing here. */
void ecs_lint_triggers(const struct linter *l);
/** Idle timeouts of what there is not here. */
void ecs_lint_timeouts(const struct linter *l);
/** Content filtering, blacklisting and tethering detection (lint_content.c). */
void ecs_lint_content(const struct linter *l);

/** Flow actions: what they name, and what they lack (lint_action.c). */
void ecs_lint_actions(const struct linter *l);

#endif

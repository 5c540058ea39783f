/* ecs_rule_text: services for tests, from the configuration lines that print writes. */
#ifndef TESTS_UNIT_ECS_RULE_TEXT_H
#define TESTS_UNIT_ECS_RULE_TEXT_H

#include "ecs/rule/service.h"
#include "srp/err.h"

/**
 * Feeds lines (separated by newlines) to the setters of @p s.
 * @return 0, or the code of the first line that was refused, its reason in @p e
 */
int ecs_rule_text_feed(struct ecs_service *s, const char *text, struct ecs_err *e);
/** A new service named `s1` of these lines; with @p commit committed. NULL after a refusal, which
 * is printed. */
struct ecs_service *ecs_rule_text(const char *text, bool commit);
/** Everything that print writes, with newlines; to be freed. */
char *ecs_rule_text_print(const struct ecs_service *s);
/** Parses an address; fails the test where it is none. */
struct ecs_addr ecs_rule_text_addr(const char *t);

#endif

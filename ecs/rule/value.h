/* value: what a line of a ruledef says: field, operator and values, each of a type. From the words
 * come the canonical text, which is what is printed and compared, and the condition. Inside of
 * ecs/rule/. */
#ifndef ECS_RULE_VALUE_H
#define ECS_RULE_VALUE_H

#include "ecs/rule/service_impl.h"

struct value {
	enum ecs_field field;
	enum ecs_op op;
	const char *key, *a, *b;
	bool case_sensitive;
	bool trusted; /**< was tried before */
	char ta[VALUE_MAX + 1], tb[VALUE_MAX + 1]; /**< canonical */
	struct cond c; /**< pool is given */
};

/** Operator against type, and how many values belong to it: 0 or SRP_EINVAL. */
int ecs_value_check(const struct value *v, struct ecs_err *e);
/** Reads the values of a checked form: writes texts and condition. 0, or what its type says. */
int ecs_value_read(struct value *v, struct ecs_err *e);

#endif

/* obj: things of a service that have names. Inside of ecs/rule/. */
#ifndef ECS_RULE_OBJ_H
#define ECS_RULE_OBJ_H

#include <stddef.h>
#include <stdint.h>

#include "ecs/rule/action.h"

/** First member of everything that is opened by name. */
struct obj {
	char name[ECS_NAME_MAX + 1];
	struct obj *hash_next;
	uint32_t index; /**< place in its table; moves when an earlier one is removed */
};

struct obj_table {
	struct obj **v;      /**< in the order of entry */
	struct obj **bucket; /**< nbuckets, a power of two */
	size_t n, cap, nbuckets, max;
	size_t size;         /**< of one object */
	const char *what;    /**< for errors */
	void (*fini)(struct obj *o);
};

/** @return the object or NULL */
struct obj *ecs_obj_find(const struct obj_table *t, const char *name);

#endif

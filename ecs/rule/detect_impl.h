/* detect_impl: what is detected, for the files of ecs/rule/ only. */
#ifndef ECS_RULE_DETECT_IMPL_H
#define ECS_RULE_DETECT_IMPL_H

#include <stddef.h>

#include "ecs/rule/action.h"
#include "ecs/rule/detect.h"

struct cond;

/** `p2p-detection`: what is said of it. */
struct detected {
	char name[ECS_NAME_MAX + 1];
	uint16_t id; /**< nDPI's; 0: it knows none of that name */
};
struct detect {
	struct detected *v;
	size_t n;
	bool all;
	uint32_t behaviors; /**< bit of each enum ecs_behavior, 0 for all */
};

/** Whether a condition asks for what is not detected. */
bool ecs_detect_never(const struct ecs_service *s, const struct cond *c);
void ecs_detect_print(const struct ecs_service *s, void (*put)(void *arg, const char *line), void *arg);
void ecs_detect_free(struct ecs_service *s);

#endif

/* timedef_impl: timedefs as configured and as compiled, for the files of ecs/rule/ only. */
#ifndef ECS_RULE_TIMEDEF_IMPL_H
#define ECS_RULE_TIMEDEF_IMPL_H

#include "ecs/rule/obj.h"
#include "ecs/rule/timedef.h"

/** Seconds of the week, both of it. */
struct week_span {
	uint32_t from, to;
};

struct timedef {
	struct obj o;
	struct ecs_timeslot slot[ECS_TIMESLOTS];
	size_t n;
	/* made at commit */
	struct week_span *spans; /**< disjoint, ascending */
	size_t nspans;
	uint64_t digest;
	bool used;
};

/** Makes of each its times of the week; 0 or SRP_ENOMEM. */
int ecs_timedefs_build(struct ecs_service *s);
void ecs_timedefs_drop(struct ecs_service *s);
void ecs_timedef_fini(struct obj *o);
void ecs_timedef_print(const struct timedef *t, void (*put)(void *arg, const char *line), void *arg);
/** Whether a second of the week is one of its times. */
bool ecs_timedef_holds(const struct timedef *t, uint32_t week_s);
/** What of it is in force: of a matcher. Zeroed to begin with. */
struct ecs_times {
	uint64_t *off; /**< lines that are not, of each rulebase that has some; NULL: there are none */
	bool *on;      /**< of each timedef */
	bool told;
};
int ecs_times_init(struct ecs_times *t, const struct ecs_service *s);
void ecs_times_fini(struct ecs_times *t);
/** @return whether a timedef begins or ends, or may have */
bool ecs_times_tell(struct ecs_times *t, const struct ecs_service *s, uint32_t week_s);

#endif

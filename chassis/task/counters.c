#include "config.h"
#include "chassis/task/slab.h"

const struct stats_desc chassis_task_counter_desc[] = {
#define TASK_COUNTER(nm, kind, unit, help) \
	STATS_DESC(struct chassis_task_counters, nm, kind, unit, help)
#include "chassis/task/counters.def"
#undef TASK_COUNTER
};
const size_t chassis_task_counter_count =
	sizeof(chassis_task_counter_desc) / sizeof(chassis_task_counter_desc[0]);

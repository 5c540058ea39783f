#include "config.h"
#include "ecs/engine.h"

const struct stats_desc ecs_counter_desc[] = {
#define ECS_COUNTER(nm, kind, unit, help) STATS_DESC(struct ecs_counters, nm, kind, unit, help)
#include "ecs/counters.def"
#undef ECS_COUNTER
};
const size_t ecs_counter_count = sizeof(ecs_counter_desc) / sizeof(ecs_counter_desc[0]);

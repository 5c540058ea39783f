#include "config.h"
#include "ecs/rule/option.h"
#include "ecs/rule/service_impl.h"

_Static_assert(ECS_STAGE__N <= 32, "the stages fit in a mask");

uint32_t ecs_action_stages(const struct ecs_charging_action *a)
{
	uint32_t m = 0;

	if (!a)
		return 0;
#define ECS_STAGE(sym, fn, when, recovered, counter, help) m |= (when) ? ECS_STAGE_BIT(sym) : 0;
#include "ecs/enforce.def"
#undef ECS_STAGE
	return m;
}

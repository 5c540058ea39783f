#include "config.h"
#include "chassis/registry.h"

#include "ecs/record_copy.h"
#include "ecs/session.h"
#include "ecs/shift.h"

const struct srp_ckpt_kind *const chassis_kinds[] = {
	&ecs_kind_rule_map,
	&ecs_kind_record,
	&ecs_kind_full,
	&ecs_kind_call,
	&ecs_kind_bearer,
	&ecs_kind_dynrule,
	&ecs_kind_clp,
	&ecs_kind_shift,
	&ecs_kind_qos,
	&ecs_kind_usage,
	&ecs_kind_limit,
	&ecs_kind_flow_usage,
	&ecs_kind_quota,
	&ecs_kind_flow,
};
const size_t chassis_nkinds = sizeof(chassis_kinds) / sizeof(chassis_kinds[0]);

int chassis_registry_check(void)
{
	return srp_ckpt_check(chassis_kinds, chassis_nkinds);
}

const struct srp_ckpt_kind *chassis_registry_find(uint8_t id)
{
	for (size_t i = 0; i < chassis_nkinds; i++)
		if (id && (chassis_kinds[i]->id == id || chassis_kinds[i]->del_id == id))
			return chassis_kinds[i];
	return NULL;
}

/* trigger: what a service-scheme does when a call is set up, or a bearer of it is made. */
#include "config.h"
#include "ecs/dynamic.h"

#include <stdio.h>

#include "ecs/engine_impl.h"
#include "srp/err.h"

void ecs_trigger(struct ecs_engine *e, struct ecs_session *s, enum ecs_trigger t,
                 struct srp_time now)
{
	const char *rule = ecs_service_trigger_rule(e->conf.service, s->scheme, t);
	struct ecs_dyn_spec spec = {.predefined = true, .status = ECS_STATUS_ENABLED};
	int rc;

	if (!rule)
		return;
	snprintf(spec.name, sizeof(spec.name), "%s", rule);
	rc = ecs_rule_install(e, s->spec.callid, &spec, now);
	if (rc == 0)
		e->conf.counters->triggers_activated++;
	else if (rc != SRP_EDUP) /* it has it, by another trigger or from outside */
		e->conf.counters->triggers_failed++;
}

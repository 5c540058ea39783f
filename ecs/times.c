/* times: lines with a timedef come into force and leave it. Then the flows of the calls that have such
 * lines are matched anew, as after a commit, some calls at a time. */
#include "config.h"
#include "ecs/engine_impl.h"

void ecs_engine_time(struct ecs_engine *e, uint32_t week_s)
{
	e->times.week_s = week_s;
	if (!ecs_matcher_time(e->matcher, week_s) || !e->active)
		return;
	e->times.turning = true;
	e->times.at = 0;
}

bool ecs_times_turn(struct ecs_engine *e, size_t budget)
{
	for (; e->times.turning && budget > 0; budget--) {
		struct ecs_session *s = ecs_session_next(e, e->times.at);

		if (!s) {
			e->times.turning = false;
			break;
		}
		e->times.at = s->spec.callid;
		if (ecs_service_timed(e->conf.service, s->rulebase))
			ecs_session_stale(s);
	}
	return e->times.turning;
}

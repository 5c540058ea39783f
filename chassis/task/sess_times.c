/* sess_times: the local time of the week, of lines with a timedef. */
#include <config.h>
#include "chassis/task/sessmgr.h"

#include "chassis/week.h"

#define TELL_S 1

void sessmgr_times_turn(struct sessmgr *s, struct srp_time now, bool first)
{
	if (!first && srp_time_since(s->times_at, now) < SRP_SEC(TELL_S))
		return;
	s->times_at = now;
	ecs_engine_time(s->engine, chassis_week_second(time(NULL)));
}

#include <config.h>
#include "chassis/week.h"

#include "ecs/rule/timedef.h"

#define LAST_S 59 /* of a minute; a leap second is told as it */

uint32_t chassis_week_second(time_t t)
{
	struct tm tm = {0};

	if (!localtime_r(&t, &tm))
		return ECS_WEEK_S;
	return (uint32_t)(((tm.tm_wday * 24 + tm.tm_hour) * 60 + tm.tm_min) * 60 +
	                  (tm.tm_sec > LAST_S ? LAST_S : tm.tm_sec));
}

/* week: the local time of the week. */
#ifndef CHASSIS_WEEK_H
#define CHASSIS_WEEK_H

#include <stdint.h>
#include <time.h>

/** Seconds since Sunday 0:00 by local time; ECS_WEEK_S where that cannot be told. */
uint32_t chassis_week_second(time_t t);

#endif

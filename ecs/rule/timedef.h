/* timedef: times in which lines of rulebases are in force. Included by service.h.
 *
 * Time is the local one, in seconds of a week that begins on Sunday at 0:00; whoever uses a matcher tells
 * it. A timedef without lines, as one that is not there, is at all times. */
#ifndef ECS_RULE_TIMEDEF_H
#define ECS_RULE_TIMEDEF_H

#include <stdbool.h>
#include <stdint.h>

#define ECS_TIMEDEFS_MAX 256     /**< no figure is published */
#define ECS_TIMESLOTS    24      /**< of a timedef */
#define ECS_WEEK_S       604800u /**< seconds of a week; as a time of the week: it is not known */

struct ecs_service;
struct ecs_err;
struct ecs_matcher;

/** Days as they are written, from that on which a week begins. */
#define ECS_DAYS(X)                                                                                \
	X(SUNDAY, "sunday") X(MONDAY, "monday") X(TUESDAY, "tuesday") X(WEDNESDAY, "wednesday")    \
	X(THURSDAY, "thursday") X(FRIDAY, "friday") X(SATURDAY, "saturday")
#define X(sym, text) ECS_DAY_##sym,
enum ecs_day { ECS_DAYS(X) ECS_DAY__N };
#undef X
const char *ecs_day_name(unsigned day);

/** From a second up to another, with it: of the week, or of each day. What ends before it begins goes on
 *  into the next week, the next day. */
struct ecs_timeslot {
	bool days; /**< of the week */
	uint32_t from, to;
};

/** Opens or removes a timedef. */
int ecs_service_timedef(struct ecs_service *s, const char *name, bool no, struct ecs_err *e);
/** A line of one. One that is there already is no error; at most ECS_TIMESLOTS. */
int ecs_service_timeslot(struct ecs_service *s, const char *timedef, bool no,
                         const struct ecs_timeslot *slot, struct ecs_err *e);
/** Whether lines of a rulebase come into force and leave it with the time. */
bool ecs_service_timed(const struct ecs_service *s, int rulebase);

/**
 * Tells the second of the week, or ECS_WEEK_S. Until it is told, lines with a timedef are not in force.
 * @return whether lines may have come into force or left it
 */
bool ecs_matcher_time(struct ecs_matcher *m, uint32_t week_s);
/** Whether a line of `action priority` is in force at the time that was told. */
bool ecs_matcher_in_force(const struct ecs_matcher *m, uint16_t line);

#endif

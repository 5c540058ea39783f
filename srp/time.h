/* time: monotonic time as a type of its own, so that it cannot be mixed with other integers.
 * Nothing below chassis/ asks for the time: it is told. */
#ifndef SRP_TIME_H
#define SRP_TIME_H

#include <stdbool.h>
#include <stdint.h>

struct srp_time {
	uint64_t us; /**< microseconds since an arbitrary start; 0 is "never" */
};

#define SRP_MS(n)  ((uint64_t)(n) * 1000u)
#define SRP_SEC(n) ((uint64_t)(n) * 1000000u)

/** Microseconds from @p from to @p to; 0 where @p to is earlier. */
static inline uint64_t srp_time_since(struct srp_time from, struct srp_time to)
{
	return to.us > from.us ? to.us - from.us : 0;
}

/** @p t moved on by @p us microseconds. */
static inline struct srp_time srp_time_add(struct srp_time t, uint64_t us)
{
	return (struct srp_time){t.us + us};
}

/** True when @p at has come; a time of 0 ("never") has not. */
static inline bool srp_time_due(struct srp_time at, struct srp_time now)
{
	return at.us != 0 && now.us >= at.us;
}

#endif

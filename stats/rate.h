/* rate: events a second, now and over the last 30 minutes, from a cumulative count. Fixed size and
 * without pointers, so that it can be part of a shared slab. */
#ifndef STATS_RATE_H
#define STATS_RATE_H

#include <stdint.h>

#define STATS_RATE_NOW_US   UINT64_C(5000000)    /**< what "now" looks back */
#define STATS_RATE_LONG_US  UINT64_C(1800000000) /**< 30 minutes */
#define STATS_RATE_NOW_N    8u  /**< points of the short window, a second apart at least */
#define STATS_RATE_LONG_N   32u /**< points of the long window, a minute apart at least */

struct stats_rate_point {
	uint64_t us, count;
};

/** All zero is a rate that was never fed. */
struct stats_rate {
	struct stats_rate_point last; /**< as fed last */
	uint32_t nfast, nslow;        /**< points ever put in each ring */
	struct stats_rate_point fast[STATS_RATE_NOW_N];
	struct stats_rate_point slow[STATS_RATE_LONG_N];
};

/**
 * Feeds the count at a time. Once a second or whenever the count has changed; often is harmless.
 * A count that went back (the counter was cleared) starts over; one that wrapped at 2^64 goes on.
 *
 * @param now_us  monotonic microseconds, greater than 0; an earlier one than fed before is ignored
 */
void stats_rate_feed(struct stats_rate *r, uint64_t count, uint64_t now_us);
/** Events a second over the last 5 s, rounded; what was not fed since counts as none. */
uint64_t stats_rate_now(const struct stats_rate *r, uint64_t now_us);
/** Events a second over the last 30 minutes, or since the first feed where that is less. */
uint64_t stats_rate_long(const struct stats_rate *r, uint64_t now_us);

#endif

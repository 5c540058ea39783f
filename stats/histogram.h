/* histogram: how often which value, log-linear: 16 equal steps in each power of two, so a
 * percentile is at most 1/16 above the true value. Fixed size, without pointers, may be part of a
 * shared slab. */
#ifndef STATS_HISTOGRAM_H
#define STATS_HISTOGRAM_H

#include <stdint.h>

#define STATS_HISTOGRAM_SUB_BITS 4u  /**< 16 steps in a power of two */
#define STATS_HISTOGRAM_BITS     40u /**< values of 2^40 and more share the last bucket */
#define STATS_HISTOGRAM_N \
	((STATS_HISTOGRAM_BITS - STATS_HISTOGRAM_SUB_BITS + 1u) << STATS_HISTOGRAM_SUB_BITS)

/** All zero is an empty one. */
struct stats_histogram {
	uint64_t count, sum, min, max; /**< min and max are exact; sum wraps at 2^64 */
	uint64_t bucket[STATS_HISTOGRAM_N];
};

/** Counts @p v once. */
void stats_histogram_record(struct stats_histogram *h, uint64_t v);
/**
 * The smallest value that @p permyriad of 10 000 recorded values do not exceed, rounded up to the
 * end of its step and never above the greatest recorded: 5000 is the median, 9900 p99, 10000 the
 * maximum. 0 when nothing was recorded.
 */
uint64_t stats_histogram_percentile(const struct stats_histogram *h, unsigned permyriad);
/** Adds what @p from has counted. */
void stats_histogram_merge(struct stats_histogram *to, const struct stats_histogram *from);

#endif

#include "config.h"
#include "stats/histogram.h"

#define STEPS (UINT64_C(1) << STATS_HISTOGRAM_SUB_BITS)

static uint32_t bucket_of(uint64_t v)
{
	uint32_t msb, shift;

	if (v >> STATS_HISTOGRAM_BITS)
		return STATS_HISTOGRAM_N - 1;
	if (v < STEPS)
		return (uint32_t)v;
	msb = 63u - (uint32_t)__builtin_clzll(v);
	shift = msb - STATS_HISTOGRAM_SUB_BITS;
	return (uint32_t)((shift + 1u) * STEPS + ((v >> shift) - STEPS));
}

/* Greatest value of bucket @p i. */
static uint64_t bucket_end(uint32_t i)
{
	uint32_t shift;

	if (i < STEPS)
		return i;
	shift = i / (uint32_t)STEPS - 1u;
	return ((i % STEPS + STEPS + 1u) << shift) - 1u;
}

void stats_histogram_record(struct stats_histogram *h, uint64_t v)
{
	if (h->count == 0 || v < h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
	h->count++;
	h->sum += v;
	h->bucket[bucket_of(v)]++;
}

uint64_t stats_histogram_percentile(const struct stats_histogram *h, unsigned permyriad)
{
	uint64_t want, seen = 0;

	if (h->count == 0)
		return 0;
	if (permyriad >= 10000)
		return h->max;
	/* Rounded up, in two parts: count * permyriad may not fit. */
	want = h->count / 10000 * permyriad + (h->count % 10000 * permyriad + 9999) / 10000;
	for (uint32_t i = 0; i < STATS_HISTOGRAM_N - 1; i++) {
		seen += h->bucket[i];
		if (seen && seen >= want)
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return h->max;
}

void stats_histogram_merge(struct stats_histogram *to, const struct stats_histogram *from)
{
	if (from->count == 0)
		return;
	if (to->count == 0 || from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
	to->count += from->count;
	to->sum += from->sum;
	for (uint32_t i = 0; i < STATS_HISTOGRAM_N; i++)
		to->bucket[i] += from->bucket[i];
}

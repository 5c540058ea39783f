#include "config.h"
#include "suites.h"

#include <string.h>

#include "stats/histogram.h"

static void test_small_values_are_exact(void)
{
	static struct stats_histogram h;

	memset(&h, 0, sizeof(h));
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 5000), 0);
	for (uint64_t v = 1; v <= 10; v++)
		stats_histogram_record(&h, v);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 0), 1);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 1000), 1);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 1001), 2);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 5000), 5);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 9000), 9);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 9900), 10);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 10000), 10);
	CU_ASSERT_EQUAL(h.count, 10);
	CU_ASSERT_EQUAL(h.sum, 55);
	CU_ASSERT_EQUAL(h.min, 1);
	CU_ASSERT_EQUAL(h.max, 10);
}

/* One value below another of 2^63 - 1: its percentile is the end of its bucket. */
static uint64_t end_of(uint64_t v)
{
	static struct stats_histogram h;

	memset(&h, 0, sizeof(h));
	stats_histogram_record(&h, v);
	stats_histogram_record(&h, UINT64_MAX / 2);
	return stats_histogram_percentile(&h, 5000);
}

static void test_error_is_bounded_everywhere(void)
{
	for (unsigned bit = 0; bit < STATS_HISTOGRAM_BITS; bit++)
		for (int off = -1; off <= 1; off++) {
			uint64_t v = (UINT64_C(1) << bit) + (uint64_t)off, e;

			if (v >> STATS_HISTOGRAM_BITS)
				continue;
			e = end_of(v);
			/* the very last bucket is shared with all greater values */
			if (v == (UINT64_C(1) << STATS_HISTOGRAM_BITS) - 1)
				continue;
			CU_ASSERT_TRUE(e >= v);
			CU_ASSERT_TRUE(e - v <= v / 16);
		}
	CU_ASSERT_EQUAL(end_of(15), 15);
	CU_ASSERT_EQUAL(end_of(16), 16);
	CU_ASSERT_EQUAL(end_of(31), 31);
	CU_ASSERT_EQUAL(end_of(32), 33);
	CU_ASSERT_EQUAL(end_of(33), 33);
	CU_ASSERT_EQUAL(end_of(34), 35);
	/* beyond the range: only the maximum is known */
	CU_ASSERT_EQUAL(end_of(UINT64_C(1) << STATS_HISTOGRAM_BITS), UINT64_MAX / 2);
}

static void test_percentile_never_above_max(void)
{
	static struct stats_histogram h;

	memset(&h, 0, sizeof(h));
	for (int i = 0; i < 1000; i++)
		stats_histogram_record(&h, 1000);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 5000), 1000);
	stats_histogram_record(&h, UINT64_MAX);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 9900), 1023);
	CU_ASSERT_EQUAL(stats_histogram_percentile(&h, 9999), UINT64_MAX);
	CU_ASSERT_EQUAL(h.max, UINT64_MAX);
}

static void test_merge(void)
{
	static struct stats_histogram a, b, all;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	memset(&all, 0, sizeof(all));
	stats_histogram_merge(&a, &b);
	CU_ASSERT_EQUAL(a.count, 0);
	for (uint64_t v = 3; v < 3000; v += 7) {
		stats_histogram_record(v % 2 ? &a : &b, v * v);
		stats_histogram_record(&all, v * v);
	}
	stats_histogram_merge(&b, &a);
	CU_ASSERT_EQUAL(memcmp(&b, &all, sizeof(all)), 0);
	memset(&a, 0, sizeof(a));
	stats_histogram_merge(&a, &all); /* into an empty one: min is taken, not 0 */
	CU_ASSERT_EQUAL(memcmp(&a, &all, sizeof(all)), 0);
}

CU_TestInfo stats_histogram_tests[] = {
	{"small values are exact", test_small_values_are_exact},
	{"the error is at most a sixteenth everywhere", test_error_is_bounded_everywhere},
	{"no percentile is above the maximum", test_percentile_never_above_max},
	{"a merge is as if all had been recorded in one", test_merge},
	CU_TEST_INFO_NULL,
};

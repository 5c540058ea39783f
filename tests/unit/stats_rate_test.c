#include "config.h"
#include "suites.h"

#include "stats/rate.h"

#define SEC UINT64_C(1000000)

/* Feeds @p rate events a second from second @p from to @p to, on top of @p count. */
static uint64_t feed(struct stats_rate *r, uint64_t count, uint64_t rate, uint64_t from, uint64_t to)
{
	for (uint64_t s = from; s <= to; s++) {
		stats_rate_feed(r, count, s * SEC);
		if (s < to)
			count += rate;
	}
	return count;
}

/* FR-166, FR-167 */
static void test_steady(void)
{
	struct stats_rate r = {0};

	CU_ASSERT_EQUAL(stats_rate_now(&r, SEC), 0);
	CU_ASSERT_EQUAL(stats_rate_long(&r, SEC), 0);
	feed(&r, 0, 12000, 100, 100);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 100 * SEC), 0);
	feed(&r, 0, 12000, 100, 103);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 103 * SEC), 12000);
	CU_ASSERT_EQUAL(stats_rate_long(&r, 103 * SEC), 12000);
	feed(&r, 36000, 12000, 103, 5000);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 5000 * SEC), 12000);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 5001 * SEC - 1), 12000); /* read between two feeds */
	CU_ASSERT_EQUAL(stats_rate_long(&r, 5000 * SEC), 12000);
}

static void test_step(void)
{
	struct stats_rate r = {0};
	uint64_t c = feed(&r, 0, 100, 1, 4001);
	uint64_t l;

	c = feed(&r, c, 1000, 4001, 4007);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 4007 * SEC), 1000);
	l = stats_rate_long(&r, 4007 * SEC);
	CU_ASSERT_TRUE(l > 100 && l < 110);
	/* half of the window at each rate, to the minute of its resolution */
	c = feed(&r, c, 1000, 4007, 4001 + 900);
	l = stats_rate_long(&r, 4901 * SEC);
	CU_ASSERT_TRUE(l >= 520 && l <= 580);
	feed(&r, c, 0, 4901, 4910);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 4910 * SEC), 0);
	CU_ASSERT_TRUE(stats_rate_long(&r, 4910 * SEC) > 500);
}

/* FR-167: 1000 a second for three minutes, then none: a tenth of it at 30 minutes, 0 at 33. */
static void test_three_minutes(void)
{
	struct stats_rate r = {0};
	uint64_t c = feed(&r, 0, 0, 1, 1), l;

	c = feed(&r, c, 1000, 1, 181);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 181 * SEC), 1000);
	c = feed(&r, c, 0, 181, 1801);
	l = stats_rate_long(&r, 1801 * SEC);
	CU_ASSERT_TRUE(l >= 95 && l <= 105);
	feed(&r, c, 0, 1801, 2041);
	CU_ASSERT_EQUAL(stats_rate_long(&r, 2041 * SEC), 0);
}

static void test_no_news_is_none(void)
{
	struct stats_rate r = {0};
	uint64_t before;

	feed(&r, 0, 600, 1, 61);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 61 * SEC), 600);
	before = stats_rate_now(&r, 64 * SEC);
	CU_ASSERT_TRUE(before > 0 && before < 600);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 66 * SEC), 0);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 5000 * SEC), 0);
	CU_ASSERT_EQUAL(stats_rate_long(&r, 5000 * SEC), 0);
	/* a reader's clock behind the last feed does not divide by less than nothing */
	CU_ASSERT_EQUAL(stats_rate_now(&r, 1), 600);
}

static void test_gap(void)
{
	struct stats_rate r = {0};
	uint64_t c = feed(&r, 0, 100, 1, 20);

	/* nothing is fed for an hour, in which 360000 came: their mean is the best that is known */
	stats_rate_feed(&r, c + 360000, 3620 * SEC);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 3620 * SEC), 100);
	c = feed(&r, c + 360000, 7, 3620, 3640);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 3640 * SEC), 7);
	CU_ASSERT_EQUAL(c, 1900 + 360000 + 140);
}

static void test_wrap_and_clear(void)
{
	struct stats_rate r = {0};
	uint64_t c = feed(&r, UINT64_MAX - 5 * 100, 100, 1, 21);

	CU_ASSERT_TRUE(c < 2000);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 21 * SEC), 100);
	CU_ASSERT_EQUAL(stats_rate_long(&r, 21 * SEC), 100);
	/* cleared: no burst of 2^64, and right again after two feeds */
	stats_rate_feed(&r, 0, 22 * SEC);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 22 * SEC), 0);
	CU_ASSERT_EQUAL(stats_rate_long(&r, 22 * SEC), 0);
	stats_rate_feed(&r, 50, 23 * SEC);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 23 * SEC), 50);
	/* time that goes back is not believed */
	stats_rate_feed(&r, 1000000, 3 * SEC);
	stats_rate_feed(&r, 1000000, 0);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 23 * SEC), 50);
}

static void test_often_and_large(void)
{
	struct stats_rate r = {0};

	for (uint64_t ms = 1; ms <= 20000; ms++) /* a thousand feeds a second do not shorten the window */
		stats_rate_feed(&r, ms * 3, ms * 1000);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 20 * SEC), 3000);
	r = (struct stats_rate){0};
	stats_rate_feed(&r, 0, SEC);
	stats_rate_feed(&r, UINT64_MAX / 2, 2 * SEC);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 2 * SEC), UINT64_MAX / 2);
	/* 11 events, then 13, in 3 s: rounded to the nearest */
	r = (struct stats_rate){0};
	stats_rate_feed(&r, 0, SEC);
	stats_rate_feed(&r, 11, 4 * SEC);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 4 * SEC), 4);
	stats_rate_feed(&r, 13, 4 * SEC);
	CU_ASSERT_EQUAL(stats_rate_now(&r, 4 * SEC), 4);
}

CU_TestInfo stats_rate_tests[] = {
	{"a steady rate is found in both windows", test_steady},
	{"a step shows now at once and slowly in 30 minutes", test_step},
	{"three minutes of load", test_three_minutes},
	{"what is not fed counts as none", test_no_news_is_none},
	{"a gap gives its mean", test_gap},
	{"a wrapped count goes on, a cleared one starts over", test_wrap_and_clear},
	{"often fed, large, rounded", test_often_and_large},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include "srp/backlog.h"

#define T(ms) ((struct srp_time){SRP_SEC(5) + SRP_MS(ms)})

static void hear(struct srp_backlog *b, uint64_t octets, uint64_t charged, struct srp_time now)
{
	const struct srp_backlog_figure f = {.objects = 3, .bytes = 600, .octets = octets, .charged = charged};

	srp_backlog_heard(b, 77, &f, now);
}

static void test_nothing_heard(void)
{
	struct srp_backlog b = {0};

	CU_ASSERT_EQUAL(srp_backlog_rate(&b), 0);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(1000)), 0);
	hear(&b, 0, 0, T(0));
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(1000)), 0);
	CU_ASSERT_EQUAL(b.last.objects, 3);
}

/* 1000 octets a millisecond, told each 10 ms; what is not acknowledged is 40 ms of it. */
static void test_rate_and_age(void)
{
	struct srp_backlog b = {0};

	for (uint64_t ms = 0; ms < 100; ms += 10)
		hear(&b, 40000, 7 + 1000 * ms, T(ms));
	CU_ASSERT_EQUAL(srp_backlog_rate(&b), 0); /* not over less than a tenth of a second */
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(90)), 40000);
	hear(&b, 40000, 7 + 100000, T(100));
	CU_ASSERT_EQUAL(srp_backlog_rate(&b), 1000000);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(100)), 40000);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(130)), 70000);
	/* a part of a millisecond is one */
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, srp_time_add(T(130), 1)), 71000);
	/* of an earlier moment: nothing came to it */
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(50)), 40000);
}

/* The higher of two times counts, and then no more. */
static void test_highest_of_two(void)
{
	struct srp_backlog b = {0};

	hear(&b, 0, 0, T(0));
	hear(&b, 0, 100001, T(100)); /* rounded up */
	CU_ASSERT_EQUAL(srp_backlog_rate(&b), 1001000);
	hear(&b, 0, 100001, T(200));
	CU_ASSERT_EQUAL(srp_backlog_rate(&b), 1001000);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(210)), 10010);
	hear(&b, 0, 100001, T(300));
	CU_ASSERT_EQUAL(srp_backlog_rate(&b), 0);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(9999)), 0);
	/* hellos that are seconds apart */
	hear(&b, 5, 3100001, T(3300));
	CU_ASSERT_EQUAL(srp_backlog_rate(&b), 1000000);
}

static void test_overtaken_and_new(void)
{
	struct srp_backlog b = {0};
	const struct srp_backlog_figure less = {.octets = 9, .charged = 10};

	hear(&b, 0, 0, T(0));
	hear(&b, 500, 100000, T(100));
	hear(&b, 100, 99999, T(150)); /* a hello behind the beat */
	CU_ASSERT_EQUAL(b.last.octets, 500);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(100)), 500);
	/* another start of the peer counts from anew */
	srp_backlog_heard(&b, 78, &less, T(200));
	CU_ASSERT_EQUAL(srp_backlog_rate(&b), 0);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(300)), 9);
}

/* Whatever a peer says: no figure wraps. */
static void test_largest(void)
{
	const struct srp_backlog_figure all = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct srp_backlog_figure sum = {1, 2, 3, 4};
	struct srp_backlog b = {0};

	srp_backlog_add(&sum, &sum);
	CU_ASSERT_TRUE(sum.objects == 2 && sum.bytes == 4 && sum.octets == 6 && sum.charged == 8);
	srp_backlog_add(&sum, &all);
	CU_ASSERT_TRUE(sum.objects == UINT64_MAX && sum.bytes == UINT64_MAX && sum.octets == UINT64_MAX &&
		sum.charged == UINT64_MAX);
	hear(&b, 1, 0, T(0));
	hear(&b, 1, UINT64_MAX, T(100));
	CU_ASSERT_EQUAL(srp_backlog_rate(&b), UINT64_MAX);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, T(100)), 1);
	CU_ASSERT_EQUAL(srp_backlog_at_most(&b, (struct srp_time){UINT64_MAX}), UINT64_MAX);
}

CU_TestInfo srp_backlog_tests[] = {
	{"nothing heard", test_nothing_heard},
	{"rate and age", test_rate_and_age},
	{"the highest of two times", test_highest_of_two},
	{"overtaken, and another start", test_overtaken_and_new},
	{"the largest figures", test_largest},
	CU_TEST_INFO_NULL,
};

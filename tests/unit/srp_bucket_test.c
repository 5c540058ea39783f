#include "config.h"
#include "suites.h"

#include "srp/bucket.h"

#define T(us) ((struct srp_time){us})

static void test_limits(void)
{
	struct srp_bucket b;

	srp_bucket_init(&b, 10, 3, T(1));
	CU_ASSERT_FALSE(srp_bucket_take(&b, 4, T(1)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 2, T(1)));
	CU_ASSERT_FALSE(srp_bucket_take(&b, 2, T(1)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 1, T(1)));
	CU_ASSERT_FALSE(srp_bucket_take(&b, 1, T(100000)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 1, T(100001)));
	CU_ASSERT_FALSE(srp_bucket_take(&b, 1, T(100001)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 0, T(100001)));
	CU_ASSERT_FALSE(srp_bucket_take(&b, 4, T(100001 + 450000))); /* never more than the burst */
	CU_ASSERT_FALSE(srp_bucket_take(&b, 4, T(UINT64_MAX)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 3, T(UINT64_MAX)));
	srp_bucket_init(&b, 7, 0, T(1)); /* no burst given: one second's worth */
	CU_ASSERT_FALSE(srp_bucket_take(&b, 8, T(1)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 7, T(1)));
}

/* Polled at odd moments for 1000 s, not one token is lost or made up. */
static void test_no_drift(void)
{
	static const uint32_t rates[] = {1, 3, 7, 999, 12000, 999999, 1000001};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct srp_bucket b;
		uint64_t taken = 0, us = 0;

		/* the burst holds what comes between two polls, so nothing overflows */
		srp_bucket_init(&b, rates[i], rates[i] + 2, T(1));
		CU_ASSERT_TRUE(srp_bucket_take(&b, rates[i] + 2, T(1)));
		for (unsigned n = 0; us < 1000000000; n++) {
			uint64_t have;

			us += 70001 + n % 13;
			if (us > 1000000000)
				us = 1000000000;
			have = us * rates[i] / 1000000 - taken;
			CU_ASSERT_TRUE(srp_bucket_take(&b, (uint32_t)have, T(1 + us)));
			CU_ASSERT_FALSE(srp_bucket_take(&b, 1, T(1 + us)));
			taken += have;
		}
		CU_ASSERT_EQUAL(taken, (uint64_t)rates[i] * 1000);
	}
}

static void test_due(void)
{
	struct srp_bucket b;

	srp_bucket_init(&b, 3, 5, T(10));
	CU_ASSERT_EQUAL(srp_bucket_due(&b, 5, T(10)).us, 10);
	CU_ASSERT_TRUE(srp_bucket_take(&b, 5, T(10)));
	for (uint32_t n = 1; n <= 5; n++) {
		struct srp_time at = srp_bucket_due(&b, n, T(10));
		struct srp_bucket copy = b;

		CU_ASSERT_EQUAL(at.us, 10 + (n * 1000000 + 2) / 3);
		CU_ASSERT_FALSE(srp_bucket_take(&copy, n, T(at.us - 1)));
		CU_ASSERT_TRUE(srp_bucket_take(&copy, n, at));
	}
}

static void test_no_limit_and_changes(void)
{
	struct srp_bucket b;

	srp_bucket_init(&b, 0, 0, T(1));
	CU_ASSERT_TRUE(srp_bucket_take(&b, UINT32_MAX, T(1)));
	CU_ASSERT_EQUAL(srp_bucket_due(&b, UINT32_MAX, T(5)).us, 5);
	srp_bucket_set(&b, 10, 20, T(5));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 20, T(5)));
	CU_ASSERT_FALSE(srp_bucket_take(&b, 1, T(5)));
	srp_bucket_set(&b, 1000, 2000, T(100005)); /* what came at the old rate stays */
	CU_ASSERT_FALSE(srp_bucket_take(&b, 2, T(100005)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 1, T(100005)));
	srp_bucket_set(&b, 1000, 10, T(9000000)); /* a smaller burst cuts */
	CU_ASSERT_FALSE(srp_bucket_take(&b, 11, T(9000000)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 10, T(9000000)));
	/* a clock that goes back gives nothing */
	CU_ASSERT_FALSE(srp_bucket_take(&b, 1, T(1)));
	CU_ASSERT_FALSE(srp_bucket_take(&b, 1, T(9000999)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, 1, T(9001000)));
	srp_bucket_init(&b, UINT32_MAX, UINT32_MAX, T(1)); /* the greatest there is */
	CU_ASSERT_TRUE(srp_bucket_take(&b, UINT32_MAX, T(1)));
	CU_ASSERT_FALSE(srp_bucket_take(&b, UINT32_MAX, T(1000000)));
	CU_ASSERT_TRUE(srp_bucket_take(&b, UINT32_MAX, T(1000001)));
}

CU_TestInfo srp_bucket_tests[] = {
	{"at the limit and one past it", test_limits},
	{"no token is lost or made up in 1000 seconds", test_no_drift},
	{"due is exact", test_due},
	{"no limit, changes, clocks that go back", test_no_limit_and_changes},
	CU_TEST_INFO_NULL,
};

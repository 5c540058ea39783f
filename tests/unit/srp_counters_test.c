#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/counters.h"
#include "srp/err.h"

static uint64_t total(const struct srp_counters *c)
{
	const uint64_t *v = (const uint64_t *)c;
	uint64_t sum = 0;

	for (size_t i = 0; i < srp_counter_count; i++)
		sum += v[i];
	return sum;
}

static void test_table(void)
{
	for (size_t i = 0; i < srp_counter_count; i++) {
		CU_ASSERT_EQUAL(srp_counter_desc[i].offset, i * sizeof(uint64_t));
		CU_ASSERT_TRUE(strlen(srp_counter_desc[i].help) > 0);
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(srp_counter_desc[i].name, srp_counter_desc[j].name);
	}
}

/* Whatever the reason, a refusal is counted exactly once, and under its own name. */
static void test_refusals(void)
{
	struct srp_counters c;

	for (int err = 0; err >= -(int)SRP_ERR__N; err--) {
		memset(&c, 0, sizeof(c));
		srp_counters_refused(&c, err);
		CU_ASSERT_EQUAL(total(&c), 1);
	}
	memset(&c, 0, sizeof(c));
	srp_counters_refused(&c, SRP_EVERSION);
	srp_counters_refused(&c, SRP_ETYPE);
	srp_counters_refused(&c, SRP_ERANGE);
	srp_counters_refused(&c, SRP_ESTATE);
	srp_counters_refused(&c, SRP_ESHORT);
	srp_counters_refused(&c, SRP_EMISMATCH);
	srp_counters_refused(&c, SRP_ESTALE);
	CU_ASSERT_TRUE(c.rx_bad_version == 1 && c.rx_bad_type == 1 && c.rx_bad_length == 1 &&
		c.rx_bad_state == 1 && c.rx_bad_body == 1 && c.rx_mismatch == 1 && c.rx_stale == 1);
	CU_ASSERT_EQUAL(c.rx_refused_other, 0);
}

CU_TestInfo srp_counters_tests[] = {
	{"every field has one row and one name", test_table},
	{"every refusal is counted once", test_refusals},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/err.h"

/* The numbers travel: they must never move. */
static void test_numbers(void)
{
	static const struct {
		int code, number;
	} wire[] = {
		{SRP_EINVAL, -1}, {SRP_ESHORT, -4}, {SRP_ESTATE, -8}, {SRP_EFORMAT, -10},
		{SRP_ENOSESS, -13}, {SRP_ESTALE, -16}, {SRP_EMISMATCH, -25},
	};

	for (size_t i = 0; i < sizeof(wire) / sizeof(wire[0]); i++)
		CU_ASSERT_EQUAL(wire[i].code, wire[i].number);
}

static void test_texts(void)
{
	for (int c = 0; c > -(int)SRP_ERR__N; c--) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(srp_strerror(c));
		CU_ASSERT_STRING_NOT_EQUAL(srp_strerror(c), "unknown error");
		for (int d = 0; d > c; d--)
			CU_ASSERT_STRING_NOT_EQUAL(srp_strerror(c), srp_strerror(d));
	}
	CU_ASSERT_STRING_EQUAL(srp_strerror(1), "unknown error");
	CU_ASSERT_STRING_EQUAL(srp_strerror(-(int)SRP_ERR__N), "unknown error");
	CU_ASSERT_STRING_EQUAL(srp_strerror(-2147483647 - 1), "unknown error");
}

CU_TestInfo srp_err_tests[] = {
	{"numbers stay", test_numbers},
	{"every code has its own text", test_texts},
	CU_TEST_INFO_NULL,
};

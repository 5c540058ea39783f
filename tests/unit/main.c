#include "config.h"
#include "suites.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

int main(void)
{
	static CU_SuiteInfo suites[] = {
#define SUITE(n) {#n, NULL, NULL, NULL, NULL, n##_tests},
#include SUITES
#undef SUITE
		CU_SUITE_INFO_NULL,
	};
	unsigned failed;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return EXIT_FAILURE;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* suites: one CUnit suite per module. A folder's suites are the rows of tests/unit/<folder>.def. */
#ifndef TESTS_UNIT_SUITES_H
#define TESTS_UNIT_SUITES_H

#include <CUnit/CUnit.h>

#define SUITE(n) extern CU_TestInfo n##_tests[];
#include SUITES
#undef SUITE

#endif

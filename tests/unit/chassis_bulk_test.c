#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "chassis/cli/bulk.h"

static const uint64_t figures[ECS_KPI__N] = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, UINT64_MAX};
static const struct chassis_bulk_now schema_now = {
	.wall = 1700000000, .host = "h", .version = "v", .address = "192.0.2.9", .uptime_s = 5, .rule = "r", .figure = figures};

static char *filled(const char *format, const struct chassis_bulk_now *now)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	chassis_bulk_fill(out, format, now);
	fclose(out);
	return text;
}

static void is(const char *format, const char *want)
{
	char *text = filled(format, &schema_now);

	CU_ASSERT_STRING_EQUAL(text, want);
	free(text);
}

/* FR-128, FR-129: each variable by its name, text and escapes as they are. */
static void test_fill(void)
{
	is("", "");
	is("%date% %date3% %time%", "20231114 231114 221320");
	is("%ipaddr%", "192.0.2.9");
	is("%epochtime%,%host%,%sysuptime%,%swbuild%", "1700000000,h,5,v");
	is("%ecs-flow-rule-name%,%ecs-num-active-flow%,%ecs-flow-lifetime-bucket3%",
	   "r,10,18446744073709551615");
	is("a\\nb\\tc\\d\\", "a\nb\tc\\d\\");
	is("100%%%host%%%", "100%h%");
	for (unsigned i = 0; i < ECS_KPI__N; i++) {
		char format[64], want[64];

		snprintf(format, sizeof(format), "%%%s%%", ecs_kpi_rows[i].variable);
		snprintf(want, sizeof(want), "%llu", (unsigned long long)figures[i]);
		is(format, want);
	}
}

static void test_check(void)
{
	static const char *const bad[] = {"%", "a%b", "%nothing%", "%%%", "%host%%", "% host%",
	                                  "%ecs-num-active-flows%"};
	static const char *const good[] = {"", "plain", "%%", "%host%", "%host%%host%", "%localtz%"};
	char why[160];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		CU_ASSERT_NOT_EQUAL(chassis_bulk_check(bad[i], true, why, sizeof(why)), 0);
		CU_ASSERT(strncmp(why, "expected ", 9) == 0);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CU_ASSERT_EQUAL(chassis_bulk_check(good[i], false, why, sizeof(why)), 0);
	/* of the schema only */
	CU_ASSERT_EQUAL(chassis_bulk_check("%ecs-flow-rule-name%", true, why, sizeof(why)), 0);
	CU_ASSERT_NOT_EQUAL(chassis_bulk_check("%ecs-flow-rule-name%", false, why, sizeof(why)), 0);
}

/* A format that was checked, cut anywhere, is refused or filled; nothing else. */
static void test_cut(void)
{
	static const char whole[] = "a%host%\\n%%%ecs-flow-rule-name%b\\";
	char part[sizeof(whole)], why[160];

	for (size_t n = 0; n < sizeof(whole); n++) {
		memcpy(part, whole, n);
		part[n] = '\0';
		if (chassis_bulk_check(part, true, why, sizeof(why)) == 0)
			free(filled(part, &schema_now));
	}
	CU_ASSERT_EQUAL(chassis_bulk_check(whole, true, why, sizeof(why)), 0);
}

/* What a name may not have is replaced: it stays in its directory, and is seen there. */
static void test_name(void)
{
	static const struct {
		const char *format, *want;
	} row[] = {{"", "bulkstats-3-20231114-221320"}, {"a/../b", "a_.._b"}, {"../x", "_._x"},
	           {".hidden", "_hidden"}, {"x\\ny", "x_y"}, {"%host%.csv", "h.csv"}};
	struct chassis_bulk_now now = schema_now;
	struct chassis_bulk_file f;
	char name[CHASSIS_BULK_REMOTE + 1];

	now.rule = NULL;
	now.figure = NULL;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		memset(&f, 0, sizeof(f));
		snprintf(f.remote, sizeof(f.remote), "%s", row[i].format);
		chassis_bulk_name(&f, 3, &now, name);
		CU_ASSERT_STRING_EQUAL(name, row[i].want);
	}
	/* at the limit */
	memset(f.remote, 'x', sizeof(f.remote) - 1);
	chassis_bulk_name(&f, 1, &now, name);
	CU_ASSERT_EQUAL(strlen(name), CHASSIS_BULK_REMOTE);
}

CU_TestInfo chassis_bulk_tests[] = {
	{"formats are filled", test_fill},
	{"formats are checked", test_check},
	{"formats that are cut", test_cut},
	{"names of files", test_name},
	CU_TEST_INFO_NULL,
};

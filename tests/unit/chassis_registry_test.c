#include "config.h"
#include "suites.h"

#include <string.h>

#include "chassis/registry.h"
#include "ecs/record_copy.h"
#include "ecs/session.h"

static void test_check(void)
{
	CU_ASSERT_EQUAL(chassis_registry_check(), 0);
	CU_ASSERT_EQUAL(chassis_nkinds, 14);
}

/* Ids are an interface: as published, or ours where none is. */
static void test_ids(void)
{
	static const struct {
		uint8_t id, del;
		const char *name, *del_name;
	} rows[] = {
		{240, 1, "Full Checkpoint", "INVALIDATE_CRR"},
		{179, 188, "ACS_CALL_INFO", "DEL_ACS_CALL_INFO"},
		{33, 187, "ACS_SESS_INFO", "DEL_ACS_SESS_INFO"},
		{4, 0, "UPDATE_CLPSTATS", NULL},
		{43, 178, "DYNAMIC_RULE_INFO", "DYNAMIC_RULE_DEL_INFO"},
		{193, 213, "PGW_UBR_MBR_INFO", "DEL_PGW_UBR_MBR_INFO"},
		{210, 211, "ACS_FLOW_INFO", "DEL_ACS_FLOW_INFO"},
		{212, 0, "ACS_USAGE_INFO", NULL},
		{214, 0, "ACS_LIMIT_INFO", NULL},
		{216, 217, "ACS_FLOW_USAGE_INFO", "DEL_ACS_FLOW_USAGE_INFO"},
		{218, 0, "ACS_QUOTA_INFO", NULL},
		{219, 220, "ACS_RECORD_INFO", "DEL_ACS_RECORD_INFO"},
		{221, 222, "ACS_SHIFT_INFO", "DEL_ACS_SHIFT_INFO"},
		{241, 0, "RULE_MAP", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct srp_ckpt_kind *k = chassis_registry_find(rows[i].id);

		CU_ASSERT_PTR_NOT_NULL_FATAL(k);
		CU_ASSERT_EQUAL(k->id, rows[i].id);
		CU_ASSERT_EQUAL(k->del_id, rows[i].del);
		CU_ASSERT_STRING_EQUAL(k->name, rows[i].name);
		if (rows[i].del) {
			CU_ASSERT_PTR_EQUAL(chassis_registry_find(rows[i].del), k);
			CU_ASSERT_STRING_EQUAL(k->del_name, rows[i].del_name);
		}
	}
	CU_ASSERT_PTR_NULL(chassis_registry_find(0));
	CU_ASSERT_PTR_NULL(chassis_registry_find(2));
}

/* What a record names comes before it; the limiter acts on flows only; all fit their frame. */
static void test_order(void)
{
	for (size_t i = 0; i < chassis_nkinds; i++) {
		const struct srp_ckpt_kind *k = chassis_kinds[i];

		CU_ASSERT_TRUE(i == 0 || chassis_kinds[i - 1]->rank <= k->rank);
		CU_ASSERT_EQUAL(k->limited, k == &ecs_kind_flow);
		CU_ASSERT_EQUAL(k->first, k == &ecs_kind_record);
		CU_ASSERT_TRUE(k->max_len + SRP_CKPT_TAIL_MAX <= SRP_CKPT_RECORD_MAX);
	}
	CU_ASSERT_PTR_EQUAL(chassis_kinds[0], &ecs_kind_rule_map);
	CU_ASSERT_PTR_EQUAL(chassis_kinds[chassis_nkinds - 1], &ecs_kind_flow);
	CU_ASSERT_TRUE(ecs_kind_usage.rank < ecs_kind_flow.rank);
}

CU_TestInfo chassis_registry_tests[] = {
	{"the list passes its check", test_check},
	{"ids and names", test_ids},
	{"order and limits", test_order},
	CU_TEST_INFO_NULL,
};

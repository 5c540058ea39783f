#include "config.h"
#include "suites.h"

#include <string.h>

#include "recovery/counters.h"
#include "tests/sim/toy.h"

static void rows(void)
{
	CU_ASSERT_EQUAL(recovery_rows(TOY_KINDS), 8);
	CU_ASSERT_STRING_EQUAL(
		recovery_row_name(toy_kinds, TOY_KINDS, recovery_row(TOY_CHILD, false)), "CHILD");
	CU_ASSERT_STRING_EQUAL(
		recovery_row_name(toy_kinds, TOY_KINDS, recovery_row(TOY_CHILD, true)),
		"DEL_CHILD");
	CU_ASSERT_PTR_NULL(recovery_row_name(toy_kinds, TOY_KINDS, recovery_row(TOY_STAT, true)));
	CU_ASSERT_PTR_NULL(recovery_row_name(toy_kinds, TOY_KINDS, 8));
}

static void gates(void)
{
	struct recovery_kind_counters c = {0};

	CU_ASSERT_PTR_NULL(recovery_gate_counter(&c, SRP_GATE_OPEN));
	CU_ASSERT_PTR_NULL(recovery_gate_counter(&c, SRP_GATE__N));
	for (int g = SRP_GATE_OPEN + 1; g < SRP_GATE__N; g++) {
		uint64_t *n = recovery_gate_counter(&c, (enum srp_gate)g);

		CU_ASSERT_PTR_NOT_NULL_FATAL(n);
		CU_ASSERT_EQUAL(*n, 0);
		*n = (uint64_t)g;
	}
	CU_ASSERT_EQUAL(c.gate_first_fc, SRP_GATE_FIRST_FC);
	CU_ASSERT_EQUAL(c.gate_audit, SRP_GATE_AUDIT);
}

static void descriptors(void)
{
	struct recovery_kind_counters c = {.sent = 5, .silent = 9};
	struct recovery_counters t = {.frames_in = 3, .unknown_kind = 4};
	const struct stats_desc *d = recovery_kind_desc, *e = recovery_desc;

	CU_ASSERT_STRING_EQUAL(d[0].name, "sent");
	CU_ASSERT_STRING_EQUAL(d[0].help, "Messages sent");
	CU_ASSERT_EQUAL(*(uint64_t *)(void *)((char *)&c + d[0].offset), 5);
	CU_ASSERT_STRING_EQUAL(d[RECOVERY_KIND_ORD_silent].name, "silent");
	CU_ASSERT_EQUAL(*(uint64_t *)(void *)((char *)&c + d[RECOVERY_KIND_ORD_silent].offset), 9);
	CU_ASSERT_EQUAL(d[RECOVERY_KIND_ORD_inflight].kind, STATS_GAUGE);
	CU_ASSERT_STRING_EQUAL(e[0].name, "frames_in");
	CU_ASSERT_EQUAL(*(uint64_t *)(void *)((char *)&t + e[0].offset), 3);
	CU_ASSERT_EQUAL(*(uint64_t *)(void *)((char *)&t + e[RECOVERY_ORD_unknown_kind].offset), 4);
	for (int i = 0; i < RECOVERY_KIND_COUNTERS; i++)
		for (int j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(d[i].name, d[j].name);
}

CU_TestInfo recovery_counters_tests[] = {
	{"rows and their names", rows},
	{"a counter for each gate", gates},
	{"descriptors", descriptors},
	CU_TEST_INFO_NULL,
};

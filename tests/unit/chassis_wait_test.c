/* What waits while sessions are recovered, and whether memory is short. */
#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "chassis/task/demux_wait.h"
#include "chassis/task/memory.h"
#include "srp/err.h"

static void test_in_order(void)
{
	struct demux_wait w;
	uint8_t body[] = {1, 2, 3};

	demux_wait_init(&w);
	CU_ASSERT_PTR_NULL(demux_wait_first(&w));
	demux_wait_pop(&w); /* there is none: nothing happens */
	CU_ASSERT_EQUAL(demux_wait_put(&w, 7, body, sizeof(body), (struct srp_time){100}), 0);
	CU_ASSERT_EQUAL(demux_wait_put(&w, 8, NULL, 0, (struct srp_time){200}), 0);
	body[0] = 9; /* it is a copy */
	CU_ASSERT_PTR_NOT_NULL_FATAL(demux_wait_first(&w));
	CU_ASSERT_EQUAL(demux_wait_first(&w)->id, 7);
	CU_ASSERT_EQUAL(demux_wait_first(&w)->len, 3);
	CU_ASSERT_EQUAL(memcmp(demux_wait_first(&w)->body, (uint8_t[]){1, 2, 3}, 3), 0);
	demux_wait_pop(&w);
	CU_ASSERT_EQUAL(demux_wait_first(&w)->id, 8);
	CU_ASSERT_EQUAL(demux_wait_first(&w)->len, 0);
	CU_ASSERT_EQUAL(demux_wait_first(&w)->since.us, 200);
	demux_wait_pop(&w);
	CU_ASSERT_PTR_NULL(demux_wait_first(&w));
	CU_ASSERT_EQUAL(w.n, 0);
}

static void test_bounded(void)
{
	struct demux_wait w;

	demux_wait_init(&w);
	for (uint32_t i = 1; i <= DEMUX_WAIT_MAX; i++)
		CU_ASSERT_EQUAL_FATAL(demux_wait_put(&w, i, NULL, 0, (struct srp_time){1}), 0);
	CU_ASSERT_EQUAL(demux_wait_put(&w, 1, NULL, 0, (struct srp_time){1}), SRP_EFULL);
	CU_ASSERT_EQUAL(w.n, DEMUX_WAIT_MAX);
	demux_wait_pop(&w);
	CU_ASSERT_EQUAL(demux_wait_put(&w, 1, NULL, 0, (struct srp_time){1}), 0);
	CU_ASSERT_EQUAL(demux_wait_put(&w, 1, NULL, 0, (struct srp_time){1}), SRP_EFULL);
	while (demux_wait_first(&w))
		demux_wait_pop(&w);
	CU_ASSERT_EQUAL(w.n, 0);
}

static void test_late(void)
{
	struct demux_waiting q = {.since = {SRP_SEC(5)}};

	CU_ASSERT_FALSE(demux_wait_late(&q, (struct srp_time){SRP_SEC(5)}));
	CU_ASSERT_FALSE(demux_wait_late(&q, (struct srp_time){SRP_SEC(5) + DEMUX_WAIT_US - 1}));
	CU_ASSERT_TRUE(demux_wait_late(&q, (struct srp_time){SRP_SEC(5) + DEMUX_WAIT_US}));
}

static bool judge(unsigned long long kib)
{
	char text[200];

	snprintf(text, sizeof(text), "MemTotal:       8000000 kB\nMemFree:        1 kB\n"
	         "MemAvailable:   %llu kB\nBuffers:        9 kB\n", kib);
	return chassis_memory_judge(text);
}

static void test_memory_short(void)
{
	const unsigned long long least = CHASSIS_MEMORY_LEAST / 1024;

	CU_ASSERT_TRUE(judge(0));
	CU_ASSERT_TRUE(judge(least - 1));
	CU_ASSERT_FALSE(judge(least));
	/* What is not said is not known. */
	CU_ASSERT_FALSE(chassis_memory_judge(""));
	CU_ASSERT_FALSE(chassis_memory_judge("MemTotal: 1 kB\nMemFree: 1 kB\n"));
	CU_ASSERT_FALSE(chassis_memory_judge("MemTotal: 1 kB\nMemAvailable:"));
	CU_ASSERT_FALSE(chassis_memory_judge("MemTotal: 1 kB\nMemAvailable: many\n"));
	CU_ASSERT_FALSE(chassis_memory_judge("x\nNotMemAvailable: 0 kB\n"));
}

/* Whether the kernel has large pages or not: what is in them stays. */
static void test_memory_settled(void)
{
	const size_t len = (size_t)6 << 20;
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t wrong = 0;

	CU_ASSERT_NOT_EQUAL_FATAL(p, MAP_FAILED);
	for (size_t i = 0; i < len; i += 4096)
		p[i] = (uint8_t)(i >> 12);
	chassis_memory_settle_at(p, len);
	chassis_memory_settle_at(p + 4096, 4096); /* too small for one */
	chassis_memory_settle_at(p, 0);
	chassis_memory_settle();
	for (size_t i = 0; i < len; i += 4096)
		wrong += p[i] != (uint8_t)(i >> 12);
	CU_ASSERT_EQUAL(wrong, 0);
	munmap(p, len);
}

CU_TestInfo chassis_wait_tests[] = {
	{"requests wait in their order", test_in_order},
	{"as many as may, and no more", test_bounded},
	{"no longer than they may", test_late},
	{"memory is short below what is left to others", test_memory_short},
	{"memory in large pages holds what it held", test_memory_settled},
	CU_TEST_INFO_NULL,
};

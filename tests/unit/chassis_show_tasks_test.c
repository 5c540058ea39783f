/* `show task resources`, and what the kernel says of a process. */
#include "config.h"
#include "suites.h"

#include <unistd.h>

#include "chassis/task/proc.h"
#include "show_kit.h"

static bool a_process(void *arg, uint32_t pid, struct chassis_proc *out)
{
	(void)arg;
	*out = (struct chassis_proc){.cpu_ms = 1234, .age_ms = 10000, .resident = 1536 * 1024,
	                             .virtual = 8ull << 30, .files = 17};
	return pid != 99;
}

static void sessmgrs(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_tasks(v, d, CHASSIS_TASK_SESSMGR, UINT32_MAX);
}

static void standby(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_tasks(v, d, CHASSIS_TASK__N, 0);
}

#define TASKS_HEAD \
	"                   task         cputime        memory     files sessions\n" \
	" cpu facility      inst     pid   used  allc    used    held  used held     used S status\n" \
	"---- ------------- ---- ------- ------ ----- ------- ------- ----- ---- -------- - ------\n"

static void test_tasks(void)
{
	struct bed b;

	bed_init(&b);
	b.view.proc = a_process;
	for (unsigned i = 0; i < 5; i++) {
		b.slab[i].task = CHASSIS_TASK_SESSMGR;
		b.slab[i].head.owner = 100 + i;
		b.slab[i].starts = 1;
		b.slab[i].head.beat_us = b.view.now_us - 50000;
	}
	b.slab[0].task = CHASSIS_TASK_VPNMGR;
	b.slab[1].sessions = 12345;
	b.slab[1].stats_since_us = b.view.now_us - 7000000;
	b.slab[2].head.owner = 99; /* cannot be looked at */
	b.slab[2].head.beat_us = b.view.now_us - 2001000;
	b.slab[4].reserved_bytes = 100ull << 20;
	b.slab[4].reserved_fds = 24;
	expect(&b.view, sessmgrs, TASKS_HEAD
	       " 1/0 sessmgr          0     104  12.3%  100%    1.5M  100.0M    17   24       -- S warming\n"
	       " 1/0 sessmgr          1     101  12.3%  100%    1.5M      --    17   --    12345 A good\n"
	       " 1/0 sessmgr          2      99     --  100%      --      --    --   --        0 A stuck\n",
	       "\"sessions\":12345,\"flows\":0,\"recoverable_flows\":0,\"store_bytes\":0,\"store_sessions\":0,"
	       "\"store_flows\":0,\"recovering\":false,\"statistics_age_s\":7");
	b.slab[4].ready = 1;
	b.slab[5].head.owner = 0; /* a standby that does not run is no task */
	expect(&b.view, standby, TASKS_HEAD
	       " 1/0 chassisd         0     103  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 vpnmgr           0     100  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 sessmgr          0     104  12.3%  100%    1.5M  100.0M    17   24       -- S good\n",
	       "\"task\":\"sessmgr\",\"standby\":true,\"starts\":1,\"beat_age_ms\":50,\"cpu_ms\":1234,"
	       "\"process_age_ms\":10000,\"memory_bytes\":1572864");
	snprintf(b.slab[4].not_ready, sizeof(b.slab[4].not_ready), "no memory");
	expect(&b.view, standby, TASKS_HEAD
	       " 1/0 chassisd         0     103  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 vpnmgr           0     100  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 sessmgr          0     104  12.3%  100%    1.5M  100.0M    17   24       -- S not ready\n",
	       "\"not_ready\":\"no memory\"");
	b.slab[4].starts = 0; /* nor is a place that never had one, which is the supervisor's */
	expect(&b.view, standby, TASKS_HEAD
	       " 1/0 chassisd         0     103  12.3%  100%    1.5M      --    17   --       -- A good\n"
	       " 1/0 vpnmgr           0     100  12.3%  100%    1.5M      --    17   --       -- A good\n",
	       "\"task\":\"vpnmgr\"");
	bed_free(&b);
}

static void test_proc(void)
{
	static const char line[] =
		"4711 (sess) mgr (1) S 1 -4 5 0 -1 4194304 10 20 30 40 150 50 1 2 -20 0 1 0 2000 8589934592 512 1";
	struct chassis_proc p;

	CU_ASSERT_FATAL(chassis_proc_stat(line, 100, 30000, &p));
	CU_ASSERT_EQUAL(p.cpu_ms, 2000);
	CU_ASSERT_EQUAL(p.age_ms, 10000);
	CU_ASSERT_EQUAL(p.virtual, 8589934592);
	CU_ASSERT_EQUAL(p.resident % 512, 0);
	CU_ASSERT(p.resident >= 512 * 1024);
	CU_ASSERT_FATAL(chassis_proc_stat(line, 100, 19999, &p));
	CU_ASSERT_EQUAL(p.age_ms, 0);
	CU_ASSERT(!chassis_proc_stat(line, 0, 30000, &p));
	for (size_t n = 0; n < strlen(line) - 6; n++) {
		char cut[sizeof(line)];

		memcpy(cut, line, n);
		cut[n] = '\0';
		CU_ASSERT(!chassis_proc_stat(cut, 100, 30000, &p));
	}
	/* this process, and one that cannot be */
	CU_ASSERT(chassis_proc_read((uint32_t)getpid(), &p));
	CU_ASSERT(p.resident > 0 && p.virtual > p.resident && p.files > 0);
	CU_ASSERT(!chassis_proc_read(UINT32_MAX, &p));
}

CU_TestInfo chassis_show_tasks_tests[] = {
	{"task resources", test_tasks},
	{"what the kernel says of a process", test_proc},
	CU_TEST_INFO_NULL,
};

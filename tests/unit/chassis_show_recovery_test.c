/* Shows of session recovery: its status, why it is not ready, crashes. */
#include "config.h"
#include "suites.h"

#include "show_kit.h"
#include "srp/role.h"

#define STATUS(overall, age)                                                                 \
	"Session Recovery Status:\n"                                                         \
	"  Overall Status           : " overall "\n"                                         \
	"  Last Status Update      : " age " ago\n"
#define CPUS                                                                                 \
	"\n"                                                                                 \
	"              ----sessmgr---  ----aaamgr----  demux\n"                              \
	"cpu state     active standby  active standby  active  status\n"                     \
	"---- -------  ------ -------  ------ -------  ------  -------------------------\n"

static void status(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_session_recovery(v, d, false);
}

static void verbose(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_session_recovery(v, d, true);
}

static struct chassis_sr_slab *recovering(struct bed *b, enum chassis_sr_state state)
{
	struct chassis_sr_slab *sr;

	bed_init(b);
	sr = &b->slab[3].sr;
	sr->enabled = 1;
	sr->state = state;
	sr->updated_us = b->view.now_us;
	return sr;
}

/* The samples of the chapter, and the row of seven instances. */
static void test_recovery_status(void)
{
	struct bed b;
	struct chassis_sr_slab *sr = recovering(&b, CHASSIS_SR_SESSMGR);

	sr->updated_us = 98000001;
	expect(&b.view, status, STATUS("SESSMGR Not Ready For Recovery", "1 second"),
	       "\"overall_status\":\"SESSMGR Not Ready For Recovery\",\"last_update_s\":1");
	sr->state = CHASSIS_SR_READY;
	sr->updated_us = 92000000;
	sr->sessmgr_active = sr->aaamgr_active = 7;
	sr->sessmgr_standby = sr->aaamgr_standby = sr->demux_active = 1;
	expect(&b.view, verbose, STATUS("Ready For Recovery", "8 seconds") CPUS
	       " 1/0 Active   7      1        7      1        1       Good\n",
	       "\"cpu\":\"1/0\",\"state\":\"Active\",\"sessmgr_active\":7");
	/* a time that has not come, and the one at which it is written */
	sr->updated_us = UINT64_MAX;
	sr->state = CHASSIS_SR__N;
	expect(&b.view, status, STATUS("Session Recovery Is Not Enabled", "0 seconds"), "\"ready\":false");
	bed_free(&b);
}

static void test_recovery_reasons(void)
{
	struct bed b;
	struct chassis_sr_slab *sr = recovering(&b, CHASSIS_SR_AAAMGR);

	memset(sr->why, 'w', sizeof(sr->why)); /* not terminated */
	snprintf(b.slab[4].not_ready, sizeof(b.slab[4].not_ready), "no memory for 20000 sessions");
	snprintf(b.slab[5].not_ready, sizeof(b.slab[5].not_ready), "no room");
	b.slab[1].recovering = 1;
	b.slab[2].applied_role = SRP_ROLE_ACTIVE;
	b.slab[2].sessions = 1;
	sr->quarantine[0] = 0x8000000a;
	sr->nquarantine = 1;
	expect(&b.view, verbose, STATUS("AAAMGR Not Ready For Recovery", "0 seconds") CPUS
	       " 1/0 Active   0      0        0      0        0       AAAMGR Not Ready\n"
	       "\n"
	       "Not ready for recovery:\n"
	       "  wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\n"
	       "  standby sessmgr: no memory for 20000 sessions\n"
	       "  standby aaamgr: no room\n"
	       "  sessmgr:1: its sessions are being recovered\n"
	       "  sessmgr:2: aaamgr not level\n"
	       "\n"
	       "Calls put aside, since session managers died of them:\n"
	       "  8000000a\n",
	       "{\"reason\":\"standby aaamgr: no room\"}");
	/* the first reason is not told twice */
	snprintf(sr->why, sizeof(sr->why), "sessmgr:2: aaamgr not level");
	sr->nquarantine = 0;
	b.slab[1].recovering = 0;
	b.slab[4].not_ready[0] = b.slab[5].not_ready[0] = '\0';
	sr->state = CHASSIS_SR_SESSMGR;
	expect(&b.view, verbose, STATUS("SESSMGR Not Ready For Recovery", "0 seconds") CPUS
	       " 1/0 Active   0      0        0      0        0       SESSMGR Not Ready\n"
	       "\n"
	       "Not ready for recovery:\n"
	       "  sessmgr:2: aaamgr not level\n",
	       "\"reasons\":[{\"reason\":\"sessmgr:2: aaamgr not level\"}]");
	/* level, or a standby chassis, where nothing is replicated: no reason */
	b.slab[2].sr_level = 1;
	sr->state = CHASSIS_SR_OFF;
	snprintf(sr->why, sizeof(sr->why), "not configured");
	expect(&b.view, verbose, STATUS("Session Recovery Is Not Enabled", "0 seconds") CPUS
	       " 1/0 Active   0      0        0      0        0       Not Enabled\n"
	       "\n"
	       "Not ready for recovery:\n"
	       "  not configured\n", "\"reasons\":[{\"reason\":\"not configured\"}]");
	/* a heading needs something below it */
	sr->why[0] = '\0';
	expect(&b.view, verbose, STATUS("Session Recovery Is Not Enabled", "0 seconds") CPUS
	       " 1/0 Active   0      0        0      0        0       Not Enabled\n",
	       "\"reasons\":[]");
	sr->nquarantine = UINT32_MAX;
	sr->state = CHASSIS_SR_READY;
	expect(&b.view, status, STATUS("Ready For Recovery", "0 seconds"), "\"ready\":true");
	bed_free(&b);
}

static void crashes(const struct chassis_view *v, struct stats_doc *d)
{
	chassis_show_crashes(v, d);
}

static void crash_66(const struct chassis_view *v, struct stats_doc *d)
{
	CU_ASSERT(chassis_show_crash(v, d, 66));
}

static const char crash_killed[] =
	"********************* CRASH #66 ***********************\n"
	"SW Version:           " PACKAGE_VERSION "\n"
	"Crash time (UTC):     2026-Nov-21+03:31:37\n"
	"Process:              sessmgr\n"
	"Instance:             2\n"
	"Card/Cpu:             1/0\n"
	"Pid:                  4711\n"
	"Fatal Signal:         SIGKILL\n"
	"Fault Address:        0x10\n"
	"Killed:               N\n"
	"Working on callid:    8000000a\n"
	"Core file:            not kept\n"
	"Backtrace:            none: SIGKILL leaves no time to take one\n";

static const char crash_traced[] =
	"********************* CRASH #66 ***********************\n"
	"SW Version:           " PACKAGE_VERSION "\n"
	"Crash time (UTC):     2026-Nov-21+03:31:37\n"
	"Process:              sessmgr\n"
	"Instance:             2\n"
	"Card/Cpu:             1/0\n"
	"Pid:                  4711\n"
	"Fatal Signal:         SIGSEGV\n"
	"Fault Address:        0x10\n"
	"Killed:               N\n"
	"Working on callid:    8000000a\n"
	"Core file:            not kept\n"
	"Backtrace:\n"
	"  b\n"
	"  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n";

static void test_crashes(void)
{
	struct chassis_sr_slab *sr;
	struct chassis_crash *c;
	struct stats_doc d;
	struct out o = {0};
	struct bed b;

	bed_init(&b);
	sr = &b.slab[3].sr;
	sr->ncrashes = 2;
	sr->crash[0] = (struct chassis_crash){.wall_ms = 1795231897000, .task = CHASSIS_TASK_SESSMGR, .instance = 2,
	                                      .pid = 4711, .signal = 11, .handling = 0x8000000a, .addr = 0x10,
	                                      .core = "not kept", .backtrace = "#0 0x1 f+1\n#1 0x2 g+2\n\n"};
	sr->crash[1] = (struct chassis_crash){.wall_ms = 1795231898000, .task = CHASSIS_TASK__N, .pid = 4712,
	                                      .status = 1, .killed = 1};
	expect(&b.view, crashes,
	       "#   Time                 Process   Inst Card/CPU/PID  Signal    Killed Callid   Core\n"
	       "-   ----                 -------   ---- ------------  ------    ------ ------   ----\n"
	       "1   2026-Nov-21+03:31:37 sessmgr      2 01/0/4711     SIGSEGV   N      8000000a not kept\n"
	       "2   2026-Nov-21+03:31:38 unknown      0 01/0/4712     exit 1    Y      -        -\n"
	       "\n"
	       "Total Crashes: 2\n",
	       "\"signal\":\"SIGSEGV\",\"killed_by_supervisor\":false,\"callid\":\"8000000a\"");
	/* the ring is full: number 65 has taken the place of number 1, 66 that of number 2 */
	sr->ncrashes = 66;
	c = &sr->crash[1];
	*c = sr->crash[0];
	memset(c->backtrace, 'b', sizeof(c->backtrace));
	c->backtrace[1] = '\n';
	expect(&b.view, crash_66, crash_traced, "\"backtrace\":[{\"frame\":\"b\"},");
	/* who can take none */
	c->backtrace[0] = '\0';
	c->signal = 9;
	expect(&b.view, crash_66, crash_killed, "\"no_backtrace\":\"none: SIGKILL leaves no time to take one\"");
	stats_doc_begin(&d, STATS_DOC_TEXT, put, &o);
	CU_ASSERT(!chassis_show_crash(&b.view, &d, 0));
	CU_ASSERT(!chassis_show_crash(&b.view, &d, 2));
	CU_ASSERT(!chassis_show_crash(&b.view, &d, 67));
	CU_ASSERT(!chassis_show_crash(&b.view, &d, UINT64_MAX));
	CU_ASSERT_EQUAL(o.n, 0);
	CU_ASSERT(chassis_show_crash(&b.view, &d, 3));
	bed_free(&b);
}

CU_TestInfo chassis_show_recovery_tests[] = {
	{"session recovery status as in the chapter", test_recovery_status},
	{"why session recovery is not ready", test_recovery_reasons},
	{"crashes", test_crashes},
	CU_TEST_INFO_NULL,
};

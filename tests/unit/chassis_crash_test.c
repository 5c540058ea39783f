/* What is known of a death: the list of crashes, calls put aside, where core files go. */
#include "config.h"
#include "suites.h"

#include "chassis/task/crash.h"
#include "standby_kit.h"

static void tell(size_t slot, uint32_t callid, int sig)
{
	uint8_t buf[32];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, callid);
	srp_mp_w_uint(&w, (uint64_t)sig);
	CU_ASSERT_EQUAL(chassis_conn_send(sup->slot[slot].live->line, CHASSIS_IPC_SWITCH, w.start,
	                                  srp_mp_w_len(&w), -1), 0);
}

static uint32_t crashes;

static bool crashed(void)
{
	return sr()->ncrashes == crashes && recovery_ready();
}

static void crash(size_t slot, uint32_t callid, int sig)
{
	crashes++;
	tell(slot, callid, sig);
	CU_ASSERT_FATAL(until(crashed));
}

static void crash_list(void)
{
	const struct chassis_crash *r;
	pid_t pid;

	begin(true);
	crashes = 0;
	start_all();
	r = sr()->crash;
	pid = pid_of(S2);
	crash(S2, 0xa1000010, SIGSEGV);
	CU_ASSERT_EQUAL(r->task, CHASSIS_TASK_SESSMGR);
	CU_ASSERT_EQUAL(r->instance, 2);
	CU_ASSERT_EQUAL(r->pid, (uint32_t)pid);
	CU_ASSERT_EQUAL(r->signal, SIGSEGV);
	CU_ASSERT_EQUAL(r->addr, 0x10);
	CU_ASSERT_EQUAL(r->handling, 0xa1000010);
	CU_ASSERT_EQUAL(r->killed, 0);
	CU_ASSERT(r->wall_ms > 0);
	CU_ASSERT_STRING_EQUAL(r->core, "core files are not enabled");
	CU_ASSERT_PTR_NOT_NULL(strstr(r->backtrace, "chassisd+0x"));
	CU_ASSERT_PTR_NOT_NULL(strchr(r->backtrace, '\n'));
	/* what is killed leaves no note, and its call is not blamed */
	crash(S2, 0xa1000010, SIGKILL);
	CU_ASSERT_EQUAL(r[1].signal, SIGKILL);
	CU_ASSERT_STRING_EQUAL(r[1].backtrace, "");
	CU_ASSERT_EQUAL(r[1].handling, 0xa1000010);
	CU_ASSERT_EQUAL(sr()->nquarantine, 0);
	crash(S1, 0, SIGABRT);
	crash(S1, 0, SIGABRT);
	CU_ASSERT_EQUAL(r[3].signal, SIGABRT);
	CU_ASSERT_EQUAL(r[3].addr, 0);
	CU_ASSERT_EQUAL(sr()->nquarantine, 0);
	/* the second one, on another instance too */
	crash(S1, 0xa1000010, SIGBUS);
	CU_ASSERT_EQUAL(sr()->nquarantine, 1);
	CU_ASSERT_EQUAL(sr()->quarantine[0], 0xa1000010);
	crash(S2, 0xa1000010, SIGFPE);
	CU_ASSERT_EQUAL(sr()->nquarantine, 1);
	stop_all();
	CU_ASSERT_EQUAL(sr()->ncrashes, crashes); /* ends in order are none */
	end();
}

static struct sup_child *fake(struct chassis_supervisor *s, uint32_t callid)
{
	static struct sup_child c;

	c = (struct sup_child){.sup = s, .slot = S1, .pid = 1};
	s->shared->slab[S1]->handling = callid;
	s->shared->slab[S1]->crash_note.set = 1;
	s->shared->slab[S1]->crash_note.nframes = UINT32_MAX; /* a task writes what it likes */
	sup_crash_see(&c);
	return &c;
}

/* Rings, past their ends. */
static void bounds(void)
{
	uint32_t i;

	begin(true);
	for (i = 1; i <= CHASSIS_QUARANTINE + 1; i++) {
		(void)fake(sup, i);
		(void)fake(sup, i);
	}
	CU_ASSERT_EQUAL(sr()->nquarantine, CHASSIS_QUARANTINE + 1);
	CU_ASSERT_EQUAL(sr()->quarantine[0], CHASSIS_QUARANTINE + 1);
	CU_ASSERT_EQUAL(sr()->quarantine[1], 2);
	/* one that is remembered no more has killed for the first time again */
	(void)fake(sup, 5000);
	for (i = 0; i < SUP_SUSPECTS; i++)
		(void)fake(sup, 6000 + i);
	(void)fake(sup, 5000);
	CU_ASSERT_EQUAL(sr()->nquarantine, CHASSIS_QUARANTINE + 1);
	(void)fake(sup, 6000 + SUP_SUSPECTS - 1);
	CU_ASSERT_EQUAL(sr()->nquarantine, CHASSIS_QUARANTINE + 2);
	for (i = 0; i <= CHASSIS_CRASHES; i++)
		sup_crash_record(fake(sup, 0), (int)(i << 8)); /* exit status i */
	CU_ASSERT_EQUAL(sr()->ncrashes, CHASSIS_CRASHES + 1);
	CU_ASSERT_EQUAL(sr()->crash[0].status, CHASSIS_CRASHES);
	CU_ASSERT_EQUAL(sr()->crash[1].status, 1);
	CU_ASSERT(strlen(sr()->crash[0].backtrace) < sizeof(sr()->crash[0].backtrace));
	CU_ASSERT_STRING_EQUAL(sr()->crash[0].core, "none: it was no signal");
	end();
}

static void patterns(void)
{
	char out[128];

	CU_ASSERT_EQUAL(sup_crash_pattern("core", "/var/crash", false, 7, 11, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/var/crash/core");
	CU_ASSERT_EQUAL(sup_crash_pattern("core", "/a*b", true, 7, 11, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/a\\*b/core.7");
	CU_ASSERT_EQUAL(sup_crash_pattern("/c/%e-%p-%s-%t%%[", "/x", true, 7, 11, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/c/*-7-11-*%\\[");
	CU_ASSERT_EQUAL(sup_crash_pattern("a%", "/x", false, 7, 11, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/x/a");
	CU_ASSERT_EQUAL(sup_crash_pattern("|/bin/handler %p", "/x", false, 7, 11, out, sizeof(out)), -1);
	CU_ASSERT_EQUAL(sup_crash_pattern("/12345", "/x", false, 7, 11, out, 8), 0);
	CU_ASSERT_EQUAL(sup_crash_pattern("/123456", "/x", false, 7, 11, out, 8), -1);
}

CU_TestInfo chassis_crash_tests[] = {
	{"list of crashes, quarantine", crash_list},
	{"rings past their ends", bounds},
	{"where core files go", patterns},
	CU_TEST_INFO_NULL,
};

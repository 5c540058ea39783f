/* Standbys that become instances, deaths in pairs, and the status of session recovery. */
#include "config.h"
#include "suites.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "recovery/replica.h"
#include "standby_kit.h"

/* Off: none of it is there. */
static void not_enabled(void)
{
	begin(false);
	CU_ASSERT_EQUAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT(until(ready));
	for (size_t i = 1; i < SLOTS; i++)
		CU_ASSERT_EQUAL(sup->slot[i].live != NULL, i <= DEMUX || i == S1 || i == S2);
	CU_ASSERT_EQUAL(shared.store_fd[1], -1);
	CU_ASSERT_EQUAL(shared.ledger_fd[1], -1);
	CU_ASSERT_EQUAL(sr()->enabled, 0);
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_OFF);
	CU_ASSERT(sr()->updated_us > 0);
	stop_all();
	end();
}

static void enabled(void)
{
	begin(true);
	start_all();
	CU_ASSERT_EQUAL(sr()->enabled, 1);
	CU_ASSERT_STRING_EQUAL(sr()->why, "");
	CU_ASSERT_EQUAL(sr()->sessmgr_active, 2);
	CU_ASSERT_EQUAL(sr()->sessmgr_standby, 1);
	CU_ASSERT_EQUAL(sr()->aaamgr_active, 2);
	CU_ASSERT_EQUAL(sr()->aaamgr_standby, 1);
	CU_ASSERT_EQUAL(sr()->demux_active, 1);
	CU_ASSERT_EQUAL(shared.slab[S0]->ready, 1);
	CU_ASSERT_STRING_EQUAL(notes->title[S0], "sessmgr:standby");
	CU_ASSERT_STRING_EQUAL(notes->title[A0], "aaamgr:standby");
	CU_ASSERT_STRING_EQUAL(notes->title[S1], "sessmgr:1");
	/* a session manager has a line to its own store, and a standby has none at all */
	CU_ASSERT_EQUAL(notes->up[S1][A1], 1);
	CU_ASSERT_EQUAL(notes->up[S1][A2], 0);
	CU_ASSERT_EQUAL(notes->up[SCT][A2], 1);
	for (size_t i = 0; i < SLOTS; i++) {
		CU_ASSERT_EQUAL(notes->up[S0][i], 0);
		CU_ASSERT_EQUAL(notes->up[i][S0] + notes->up[i][A0], 0);
	}
	stop_all();
	CU_ASSERT_EQUAL(notes->stopped[S0] + notes->stopped[A0], 0);
	CU_ASSERT_EQUAL(notes->stopped[S1], 1);
	end();
}

static pid_t was_standby, victim;
static size_t place;

static bool taken_over(void)
{
	return pid_of(place) == was_standby && notes->becomes[place] && recovery_ready();
}

static void becomes(size_t slot, size_t standby, const char *title)
{
	begin(true);
	start_all();
	place = slot;
	was_standby = pid_of(standby);
	CU_ASSERT_EQUAL(kill(pid_of(slot), SIGKILL), 0);
	CU_ASSERT(until(taken_over));
	CU_ASSERT_EQUAL(notes->becomes[slot], 1);
	CU_ASSERT_EQUAL(notes->starts[slot], 1);
	CU_ASSERT_EQUAL(notes->standbys[standby], 2);
	CU_ASSERT_STRING_EQUAL(notes->title[slot], title);
	CU_ASSERT_EQUAL(notes->other_fds, 0);
	CU_ASSERT_EQUAL(shared.slab[slot]->starts, 2);
	CU_ASSERT_EQUAL(stats_slab_owner(&shared.slab[slot]->head), (uint32_t)was_standby);
	CU_ASSERT_EQUAL(notes->up[slot][SCT], 2);
	CU_ASSERT_EQUAL(notes->up[SCT][slot], 2);
	CU_ASSERT_EQUAL(notes->gone[SCT][slot], 1);
	CU_ASSERT_EQUAL(sup->slot[slot].deaths, 1);
	CU_ASSERT(pid_of(standby) != was_standby);
	stop_all();
	CU_ASSERT_EQUAL(notes->stopped[slot], 1);
	end();
}

static void sessmgr_dies(void)
{
	becomes(S2, S0, "sessmgr:2");
}

static void aaamgr_dies(void)
{
	becomes(A1, A0, "aaamgr:1");
}

static bool pair_back(void)
{
	return shared.slab[S1]->starts == 2 && shared.slab[S2]->starts == 2 && recovery_ready();
}

/* Two at once: one is taken over from, the other is started anew. */
static void pair_dies(void)
{
	begin(true);
	start_all();
	kill(pid_of(S1), SIGKILL);
	kill(pid_of(S2), SIGKILL);
	CU_ASSERT(until(pair_back));
	CU_ASSERT_EQUAL(notes->becomes[S1] + notes->becomes[S2], 1);
	CU_ASSERT_EQUAL(notes->starts[S1] + notes->starts[S2], 3);
	stop_all();
	end();
}

static bool mirror_back(void)
{
	return shared.slab[S1]->starts == 2 && shared.slab[A1]->starts == 2 && recovery_ready();
}

static void with_its_mirror(void)
{
	begin(true);
	start_all();
	kill(pid_of(A1), SIGKILL);
	kill(pid_of(S1), SIGKILL);
	CU_ASSERT(until(mirror_back));
	CU_ASSERT_EQUAL(notes->becomes[S1], 1);
	CU_ASSERT_EQUAL(notes->becomes[A1], 1);
	stop_all();
	end();
}

static bool standby_back(void)
{
	/* three: the standby's death was seen after it had been chosen */
	return notes->standbys[S0] == 2 && shared.slab[S1]->starts >= 2 && recovery_ready();
}

/* The standby and an instance: nobody is asked to become who cannot. */
static void with_the_standby(void)
{
	begin(true);
	start_all();
	kill(pid_of(S0), SIGKILL);
	kill(pid_of(S1), SIGKILL);
	CU_ASSERT(until(standby_back));
	CU_ASSERT(notes->becomes[S1] + notes->starts[S1] == 2);
	stop_all();
	end();
}

static bool standby_alone_back(void)
{
	return notes->standbys[A0] == 2 && recovery_ready();
}

static void standby_dies(void)
{
	begin(true);
	start_all();
	kill(pid_of(A0), SIGKILL);
	CU_ASSERT(until(standby_alone_back));
	CU_ASSERT_EQUAL(shared.slab[A1]->starts, 1);
	CU_ASSERT_EQUAL(notes->gone[SCT][A1] + notes->gone[SCT][A2], 0);
	stop_all();
	end();
}

static bool after_two_deaths(void)
{
	return shared.slab[S1]->starts == 3 && recovery_ready();
}

static void dies_becoming(void)
{
	begin(true);
	start_all();
	notes->die_becoming = 1;
	kill(pid_of(S1), SIGKILL);
	CU_ASSERT(until(after_two_deaths));
	CU_ASSERT_EQUAL(notes->becomes[S1], 0);
	CU_ASSERT_EQUAL(notes->starts[S1], 2);
	CU_ASSERT_EQUAL(sup->slot[S1].deaths, 2);
	stop_all();
	end();
}

static bool hung_replaced(void)
{
	return pid_of(place) && pid_of(place) != victim && all_ready() && sr()->ncrashes == 1;
}

/* Stopped, not dead: missed by its beat, killed, and its place taken. */
static void hangs(void)
{
	begin(true);
	start_all();
	place = S1;
	victim = pid_of(S1);
	kill(victim, SIGSTOP);
	CU_ASSERT(until(hung_replaced));
	CU_ASSERT_EQUAL(notes->becomes[S1], 1);
	CU_ASSERT_EQUAL(sr()->crash[0].killed, 1);
	CU_ASSERT_EQUAL(sr()->crash[0].signal, SIGKILL);
	CU_ASSERT_EQUAL(sr()->crash[0].pid, (uint32_t)victim);
	stop_all();
	end();
}

static bool recovery_under_way(void)
{
	return notes->becomes[S1] && all_ready() && sr()->state == CHASSIS_SR_SESSMGR;
}

static bool says_recovering(void)
{
	return notes->becomes[S1] && sup->slot[S1].live->ready && !strcmp(sr()->why,
		"sessmgr:1: its sessions are being recovered");
}

static bool demux_missed(void)
{
	return sr()->state == CHASSIS_SR_DEMUX;
}

static void states(void)
{
	struct chassis_slab *s1, *vpn;
	uint64_t at;

	begin(true);
	notes->recovering = 1;
	start_all();
	kill(pid_of(S1), SIGKILL);
	CU_ASSERT(until(says_recovering));
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_SESSMGR);
	/* a recovery that does not end does not keep the standby away */
	CU_ASSERT(until(recovery_under_way));
	s1 = shared.slab[S1];
	vpn = shared.slab[VPN];
	s1->recovering = 0;
	/* the active's sessions must be mirrored */
	vpn->role.role = SRP_ROLE_ACTIVE;
	CU_ASSERT(says(""));
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_READY);
	at = sr()->updated_us;
	sup_sr_judge(sup, (struct srp_time){at + SRP_MS(9999)});
	CU_ASSERT_EQUAL(sr()->updated_us, at);
	sup_sr_judge(sup, (struct srp_time){at + SRP_MS(10000)});
	CU_ASSERT_EQUAL(sr()->updated_us, at + SRP_MS(10000));
	s1->sessions = 1;
	CU_ASSERT(says("sessmgr:1: aaamgr not level"));
	at = sr()->updated_us;
	sup_sr_judge(sup, (struct srp_time){at + SRP_MS(999)});
	CU_ASSERT_EQUAL(sr()->updated_us, at);
	sup_sr_judge(sup, (struct srp_time){at + SRP_MS(1000)});
	CU_ASSERT_EQUAL(sr()->updated_us, at + SRP_MS(1000));
	s1->sr_level = 1;
	CU_ASSERT(says(""));
	/* the standby's at the peer, where it is connected */
	vpn->role.role = SRP_ROLE_STANDBY;
	s1->sr_level = 0;
	CU_ASSERT(says(""));
	s1->link = RECOVERY_LINK_SYNC;
	CU_ASSERT(says("sessmgr:1: not level with the peer chassis"));
	s1->link = RECOVERY_LINK_READY;
	CU_ASSERT(says(""));
	snprintf(shared.slab[A0]->not_ready, sizeof(shared.slab[A0]->not_ready), "no memory");
	CU_ASSERT(says("standby aaamgr: no memory"));
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_AAAMGR);
	shared.slab[A0]->not_ready[0] = '\0';
	kill(pid_of(DEMUX), SIGKILL);
	CU_ASSERT(until(demux_missed));
	CU_ASSERT_STRING_EQUAL(sr()->why, "demuxmgr is being started");
	CU_ASSERT_EQUAL(sr()->demux_active, 0);
	CU_ASSERT(until(recovery_ready));
	stop_all();
	end();
}

static bool refused(void)
{
	return sr()->state == CHASSIS_SR_SESSMGR && all_ready();
}

static bool renewed(void)
{
	return notes->standbys[S0] == 2 && recovery_ready();
}

/* What could not be had is said, and asked for again. */
static void reservation(void)
{
	begin(true);
	notes->refuse = 1;
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT(until(refused) && shared.slab[S0]->not_ready[0]);
	CU_ASSERT_STRING_EQUAL(sr()->why, "standby sessmgr: 120 MB of memory could not be had");
	CU_ASSERT_EQUAL(shared.slab[S0]->ready, 0);
	sup->slot[S0].live->born.us -= SRP_MS(SUP_RETRY_MS);
	CU_ASSERT(until(renewed));
	CU_ASSERT_EQUAL(sup->slot[S0].deaths, 0);
	CU_ASSERT_EQUAL(sr()->ncrashes, 0);
	stop_all();
	end();
}

static void cannot_shrink(void)
{
	struct stat st;

	begin(true);
	CU_ASSERT_EQUAL(shared.store_fd[0], -1);
	for (unsigned i = 1; i <= 2; i++) {
		CU_ASSERT_EQUAL(fstat(shared.store_fd[i], &st), 0);
		CU_ASSERT_EQUAL((uint64_t)st.st_size, CHASSIS_STORE_BYTES);
		CU_ASSERT_EQUAL(st.st_blocks, 0);
		CU_ASSERT_EQUAL(ftruncate(shared.store_fd[i], 4096), -1);
		CU_ASSERT_EQUAL(fstat(shared.ledger_fd[i], &st), 0);
		CU_ASSERT_EQUAL((uint64_t)st.st_size, CHASSIS_LEDGER_BYTES);
		CU_ASSERT_EQUAL(ftruncate(shared.ledger_fd[i], 4096), -1);
	}
	end();
}

static bool missed(void)
{
	return !strcmp(sr()->why, "standby sessmgr: cannot be started: Too many open files");
}

/* No room for another process: said, and tried again. */
static void standby_cannot_start(void)
{
	struct rlimit old, low;

	begin(true);
	start_all();
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){0, old.rlim_max};
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
	kill(pid_of(S0), SIGKILL);
	CU_ASSERT(until(missed));
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &old), 0);
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	CU_ASSERT(sup->slot[S0].retry.us > chassis_now().us);
	sup_standbys(sup, sup->slot[S0].retry);
	CU_ASSERT(until(recovery_ready));
	stop_all();
	end();
}

CU_TestInfo chassis_standby_tests[] = {
	{"not enabled", not_enabled},
	{"enabled", enabled},
	{"a session manager dies", sessmgr_dies},
	{"a mirror dies", aaamgr_dies},
	{"two session managers die", pair_dies},
	{"a session manager dies with its mirror", with_its_mirror},
	{"a session manager dies with the standby", with_the_standby},
	{"the standby dies", standby_dies},
	{"one dies that is just becoming", dies_becoming},
	{"one hangs", hangs},
	{"states", states},
	{"a reservation that cannot be had", reservation},
	{"a standby that cannot be started", standby_cannot_start},
	{"memory that cannot be made smaller", cannot_shrink},
	CU_TEST_INFO_NULL,
};

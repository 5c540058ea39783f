/* Tasks that die again and again, or cannot start: who is tried anew, when, and when the role is given
 * away. */
#include "config.h"
#include "suites.h"

#include <sys/wait.h>

#include "standby_kit.h"

static uint32_t crashes;
static pid_t victim;

static bool told_of_store(void)
{
	return notes->store[S2] == 1;
}

static bool stopped(void)
{
	return notes->stopped[VPN] && none_left();
}

static bool back(void)
{
	return shared.slab[DEMUX]->starts > crashes || sup->stage != SUP_RUN;
}

/* The role is given away before the chassis ends. */
static void crash_loop(void)
{
	begin(true);
	start_all();
	peer_stands_by();
	for (crashes = 1; crashes <= SUP_CRASHES; crashes++) {
		CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
		kill(pid_of(DEMUX), SIGKILL);
		CU_ASSERT_FATAL(until(back));
	}
	CU_ASSERT_EQUAL(notes->stopped[VPN], 0);
	kill(pid_of(DEMUX), SIGKILL);
	CU_ASSERT(until(stopped));
	CU_ASSERT_EQUAL(sup->status, EXIT_FAILURE);
	CU_ASSERT_EQUAL(notes->giving_up, 1);
	CU_ASSERT_EQUAL(notes->stopped[S1], 1);
	end();
}

/* Kills who has a place until the next one is put off. */
static void loop_of(size_t slot)
{
	for (crashes = 1; crashes <= SUP_CRASHES; crashes++) {
		uint32_t starts = shared.slab[slot]->starts;

		CU_ASSERT_FATAL(pid_of(slot) > 0);
		kill(pid_of(slot), SIGKILL);
		while (shared.slab[slot]->starts == starts || !sup->slot[slot].live->ready)
			ev_run(loop, EVRUN_ONCE);
	}
	CU_ASSERT_EQUAL(sup->slot[slot].delay_ms, 0);
	kill(pid_of(slot), SIGKILL);
	while (sup->slot[slot].live)
		ev_run(loop, EVRUN_ONCE);
}

/* Time has passed, and the tick is made. */
static void delay_over(size_t slot)
{
	CU_ASSERT_PTR_NULL(sup->slot[slot].live);
	sup_again(sup, (struct srp_time){sup->slot[slot].retry.us - 1});
	CU_ASSERT_PTR_NULL(sup->slot[slot].live);
	sup_again(sup, sup->slot[slot].retry);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sup->slot[slot].live);
	while (!sup->slot[slot].live->ready)
		ev_run(loop, EVRUN_ONCE);
}

/* A chassis whose peer cannot take over goes on, with a delay that grows up to its limit and ends when one
 * has lived. */
static void lone_loop(void)
{
	static const uint32_t delays[] = {1000, 2000, 4000, 8000, 10000, 10000};

	begin(true);
	start_all();
	peer_stands_by();
	shared.slab[VPN]->role.peer_role = SRP_ROLE_INIT;
	loop_of(DEMUX);
	for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
		CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
		CU_ASSERT_EQUAL(sup->slot[DEMUX].delay_ms, delays[i]);
		CU_ASSERT(says("demuxmgr dies too often"));
		CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_DEMUX);
		CU_ASSERT_EQUAL(stats_slab_owner(&shared.slab[DEMUX]->head), 0);
		delay_over(DEMUX);
		CU_ASSERT(says("demuxmgr dies too often"));
		kill(pid_of(DEMUX), SIGKILL);
		while (sup->slot[DEMUX].live)
			ev_run(loop, EVRUN_ONCE);
	}
	delay_over(DEMUX);
	sup->slot[DEMUX].live->born.us -= SRP_SEC(SUP_CRASH_S);
	sup_again(sup, chassis_now());
	CU_ASSERT_EQUAL(sup->slot[DEMUX].delay_ms, 0);
	CU_ASSERT(until(recovery_ready));
	CU_ASSERT(says(""));
	CU_ASSERT_EQUAL(shared.slab[DEMUX]->starts, 1 + SUP_CRASHES + 7);
	stop_all();
	end();
}

/* The peer comes: the next death gives it the role. */
static void lone_no_more(void)
{
	begin(true);
	start_all();
	loop_of(DEMUX);
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	delay_over(DEMUX);
	peer_stands_by();
	kill(pid_of(DEMUX), SIGKILL);
	CU_ASSERT(until(stopped));
	CU_ASSERT_EQUAL(sup->status, EXIT_FAILURE);
	CU_ASSERT_EQUAL(notes->giving_up, 1);
	end();
}

static bool standby_warm(void)
{
	return pid_of(S0) && sup->slot[S0].live->ready;
}

/* A session manager that waits for its next process keeps neither standby away. */
static void lone_sessmgr(void)
{
	pid_t standby;

	begin(true);
	start_all();
	loop_of(S1);
	CU_ASSERT(says("sessmgr:1 dies too often"));
	CU_ASSERT(until(standby_warm));
	standby = pid_of(S0);
	delay_over(S1);
	CU_ASSERT_EQUAL(pid_of(S1), standby);
	stop_all();
	end();
}

static bool mirrors_put_off(void)
{
	return is_ready && sup->slot[A1].delay_ms && !sup->slot[A1].live;
}

/* Mirrors that cannot start: the chassis runs without, says why, and tries again, with a peer as well. */
static void mirror_cannot_start(void)
{
	begin(true);
	peer_stands_by();
	notes->fail_start = A1;
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT(until(mirrors_put_off));
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	CU_ASSERT_EQUAL(notes->starts[A1], SUP_CRASHES + 1);
	CU_ASSERT(says("aaamgr:1 dies too often: no room for the store"));
	CU_ASSERT_EQUAL(sr()->state, CHASSIS_SR_AAAMGR);
	CU_ASSERT_EQUAL(sr()->aaamgr_active, 1);
	CU_ASSERT_EQUAL(sr()->sessmgr_active, 2);
	notes->fail_start = 0;
	delay_over(A1);
	sup->slot[A1].live->born.us -= SRP_SEC(SUP_CRASH_S);
	CU_ASSERT(until(recovery_ready));
	sup_again(sup, chassis_now());
	CU_ASSERT_EQUAL(sup->slot[A1].delay_ms, 0);
	stop_all();
	end();
}

static bool mirror_replaced(void)
{
	return pid_of(A1) && pid_of(A1) != victim && sr()->ncrashes == 1;
}

/* Whom a recovery waits for is killed long before others would be, and only then. */
static void mirror_hangs(void)
{
	struct sup_child *s1;
	int st = 0;

	begin(true);
	start_all();
	s1 = sup->slot[S1].live;
	victim = pid_of(A1);
	kill(victim, SIGSTOP);
	CU_ASSERT_EQUAL(waitpid(victim, &st, WUNTRACED), victim);
	stats_slab_beat(&shared.slab[A1]->head, chassis_now().us - SRP_MS(SUP_HANG_MS) / 2);
	sup->slot[A1].live->born.us = sup->fresh.us = 0;
	sup_hangs(s1);
	CU_ASSERT(!sup->slot[A1].live->killed);
	stats_slab_beat(&shared.slab[A1]->head, chassis_now().us - SRP_MS(SUP_HANG_MS) - 1);
	sup_hangs(sup->slot[S2].live); /* has another mirror */
	CU_ASSERT(!sup->slot[A1].live->killed);
	sup_hangs(s1);
	CU_ASSERT(sup->slot[A1].live->killed);
	CU_ASSERT(until(mirror_replaced));
	CU_ASSERT_EQUAL(sr()->crash[0].killed, 1);
	CU_ASSERT(until(recovery_ready));
	CU_ASSERT_EQUAL(notes->store[S1], 0);
	/* where there is nobody to kill, the session manager hears that */
	loop_of(A2);
	sup_hangs(sup->slot[S2].live);
	CU_ASSERT(until(told_of_store));
	CU_ASSERT_EQUAL(notes->store[S1], 0);
	stop_all();
	end();
}

static bool left_alone(void)
{
	return sup->slot[S0].deaths > SUP_CRASHES;
}

static bool another_standby(void)
{
	return sup->slot[S0].deaths > crashes && (sup->slot[S0].live || left_alone());
}

/* A standby that cannot live does not take the chassis with it. */
static void standby_loop(void)
{
	begin(true);
	start_all();
	for (crashes = 0; crashes <= SUP_CRASHES; crashes++) {
		kill(pid_of(S0), SIGKILL);
		CU_ASSERT_FATAL(until(another_standby));
	}
	CU_ASSERT_EQUAL(sup->stage, SUP_RUN);
	CU_ASSERT_PTR_NULL(sup->slot[S0].live);
	CU_ASSERT(says("standby sessmgr: died too often, is not made at once"));
	sup_standbys(sup, (struct srp_time){sup->slot[S0].retry.us - 1});
	CU_ASSERT_PTR_NULL(sup->slot[S0].live);
	sup_standbys(sup, sup->slot[S0].retry);
	CU_ASSERT_PTR_NOT_NULL(sup->slot[S0].live);
	stop_all();
	end();
}

CU_TestInfo chassis_again_tests[] = {
	{"a crash loop gives the role away", crash_loop},
	{"a crash loop without a peer", lone_loop},
	{"a crash loop, and the peer comes", lone_no_more},
	{"a session manager dies too often", lone_sessmgr},
	{"mirrors that cannot start", mirror_cannot_start},
	{"a mirror that hangs", mirror_hangs},
	{"a standby that cannot live", standby_loop},
	CU_TEST_INFO_NULL,
};

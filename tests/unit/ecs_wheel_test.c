#include "config.h"
#include "suites.h"

#include <stdlib.h>

#include "ecs/wheel.h"

#define TICK 100u
#define NODES 400

struct item {
	struct ecs_wheel_node n; /* first */
	uint64_t fired_at;       /* us */
	unsigned fired;
};

struct rig {
	struct ecs_wheel *w;
	unsigned fired;
	uint64_t again_ms;       /* re-arms what fires, 0 not */
};

static void on_fire(void *owner, struct ecs_wheel_node *n, struct srp_time now)
{
	struct rig *r = owner;
	struct item *it = (struct item *)(void *)n;

	CU_ASSERT_FALSE(ecs_wheel_armed(n));
	it->fired++;
	it->fired_at = now.us;
	r->fired++;
	if (r->again_ms)
		ecs_wheel_arm(r->w, n, r->again_ms);
}

static const uint64_t start = SRP_SEC(5000);

static size_t run(struct rig *r, uint64_t ms)
{
	return ecs_wheel_run(r->w, (struct srp_time){start + SRP_MS(ms)}, SIZE_MAX, on_fire, r);
}

/* Never early, and at most two ticks late, over every level of the wheel. */
static void fires_when_due(void)
{
	static const uint64_t after[] = {0, 1, 99, 100, 101, 25500, 25600, 25700, 6553500, 6553600,
	                                 6553700, 1677721600, 2000000000};

	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		struct rig r = {.w = ecs_wheel_new(TICK, (struct srp_time){start})};
		struct item it = {0};

		run(&r, 12300);
		ecs_wheel_arm(r.w, &it.n, after[i]);
		CU_ASSERT_TRUE(ecs_wheel_left(r.w, &it.n) >= after[i]);
		CU_ASSERT_TRUE(ecs_wheel_left(r.w, &it.n) < after[i] + TICK);
		if (after[i]) {
			run(&r, 12300 + after[i] - 1);
			CU_ASSERT_EQUAL(it.fired, 0);
		}
		run(&r, 12300 + after[i] + 2 * TICK);
		CU_ASSERT_EQUAL(it.fired, 1);
		run(&r, 12300 + after[i] + 100000);
		CU_ASSERT_EQUAL(it.fired, 1);
		ecs_wheel_free(r.w);
	}
}

/* Against a list of deadlines: nodes armed, moved and disarmed at random. */
static void against_a_model(void)
{
	static struct item it[NODES];
	uint64_t due[NODES] = {0}, now_ms = 0;
	struct rig r = {.w = ecs_wheel_new(TICK, (struct srp_time){start})};
	unsigned expected = 0;

	srand(7);
	for (int step = 0; step < 20000; step++) {
		int i = rand() % NODES, what = rand() % 10;

		if (what < 6) {
			uint64_t ms = (uint64_t)(rand() % 3 ? rand() % 60000 : rand() % 9000000);

			if (due[i] && due[i] <= now_ms)
				continue; /* due in this very step */
			ecs_wheel_arm(r.w, &it[i].n, ms);
			due[i] = now_ms + ms + 1;
		} else if (what < 7) {
			ecs_wheel_disarm(r.w, &it[i].n);
			due[i] = 0;
		} else {
			now_ms += (uint64_t)(rand() % 20000);
			now_ms -= now_ms % TICK;
			run(&r, now_ms);
			for (int k = 0; k < NODES; k++) {
				if (due[k] && due[k] + 2 * TICK <= now_ms) {
					CU_ASSERT_FATAL(!ecs_wheel_armed(&it[k].n));
					due[k] = 0;
				} else if (due[k] && due[k] > now_ms + 1) {
					CU_ASSERT_FATAL(ecs_wheel_armed(&it[k].n));
				} else if (due[k] && !ecs_wheel_armed(&it[k].n)) {
					due[k] = 0;
				}
			}
		}
	}
	for (int k = 0; k < NODES; k++)
		expected += ecs_wheel_armed(&it[k].n);
	r.fired = 0;
	run(&r, now_ms + 10000000);
	CU_ASSERT_EQUAL(r.fired, expected);
	ecs_wheel_free(r.w);
}

static void stands_still(void)
{
	struct rig r = {.w = ecs_wheel_new(TICK, (struct srp_time){start})};
	struct item it = {0};

	ecs_wheel_arm(r.w, &it.n, 10000);
	run(&r, 4000);
	ecs_wheel_stop(r.w, (struct srp_time){start + SRP_MS(4000)});
	CU_ASSERT_EQUAL(run(&r, 3600000), 0);
	CU_ASSERT_TRUE(ecs_wheel_left(r.w, &it.n) >= 6000);
	CU_ASSERT_TRUE(ecs_wheel_left(r.w, &it.n) <= 6100);
	/* hours later: what was left at the stop is left */
	ecs_wheel_start(r.w, (struct srp_time){start + SRP_MS(3600000)});
	run(&r, 3605900);
	CU_ASSERT_EQUAL(it.fired, 0);
	run(&r, 3606300);
	CU_ASSERT_EQUAL(it.fired, 1);
	/* armed while it stands */
	ecs_wheel_stop(r.w, (struct srp_time){start + SRP_MS(3606300)});
	ecs_wheel_arm(r.w, &it.n, 500);
	run(&r, 9999999);
	CU_ASSERT_EQUAL(it.fired, 1);
	ecs_wheel_start(r.w, (struct srp_time){start + SRP_MS(10000000)});
	run(&r, 10000700);
	CU_ASSERT_EQUAL(it.fired, 2);
	ecs_wheel_free(r.w);
}

static void keeps_its_budget(void)
{
	static struct item it[50];
	struct rig r = {.w = ecs_wheel_new(TICK, (struct srp_time){start})};
	struct srp_time now = {start + SRP_SEC(5)};

	for (int i = 0; i < 50; i++)
		ecs_wheel_arm(r.w, &it[i].n, 1000);
	CU_ASSERT_EQUAL(ecs_wheel_run(r.w, now, 20, on_fire, &r), 20);
	CU_ASSERT_EQUAL(r.fired, 20);
	/* one that is waiting for its turn can be disarmed */
	for (int i = 0; i < 50; i++)
		if (it[i].fired == 0) {
			ecs_wheel_disarm(r.w, &it[i].n);
			break;
		}
	CU_ASSERT_EQUAL(ecs_wheel_run(r.w, now, 20, on_fire, &r), 20);
	CU_ASSERT_EQUAL(ecs_wheel_run(r.w, now, 20, on_fire, &r), 9);
	CU_ASSERT_EQUAL(r.fired, 49);
	ecs_wheel_free(r.w);
}

static void armed_again_from_its_call(void)
{
	struct rig r = {.w = ecs_wheel_new(TICK, (struct srp_time){start}), .again_ms = 1000};
	struct item it = {0};

	ecs_wheel_arm(r.w, &it.n, 0);
	for (uint64_t ms = 0; ms <= 10000; ms += 100)
		run(&r, ms);
	CU_ASSERT_TRUE(it.fired >= 9 && it.fired <= 10);
	CU_ASSERT_TRUE(ecs_wheel_armed(&it.n));
	ecs_wheel_disarm(r.w, &it.n);
	ecs_wheel_disarm(r.w, &it.n);
	CU_ASSERT_EQUAL(ecs_wheel_left(r.w, &it.n), 0);
	ecs_wheel_free(r.w);
	CU_ASSERT_PTR_NULL(ecs_wheel_new(0, (struct srp_time){start}));
}

CU_TestInfo ecs_wheel_tests[] = {
	{"fires when due, on every level", fires_when_due},
	{"against a model", against_a_model},
	{"stands still on a standby", stands_still},
	{"keeps its budget", keeps_its_budget},
	{"armed again from its call", armed_again_from_its_call},
	CU_TEST_INFO_NULL,
};

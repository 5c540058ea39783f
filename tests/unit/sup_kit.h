/* sup_kit: a supervisor under test, with processes that do what the test says, and the loop it turns in. */
#ifndef TESTS_UNIT_SUP_KIT_H
#define TESTS_UNIT_SUP_KIT_H

#include <sys/mman.h>

#include "chassis/task/supervisor_impl.h"
#include "suites.h"

#define HANG_S 60.

static struct chassis_shared shared;
static struct ev_loop *loop;
static struct chassis_supervisor *sup;
static bool is_ready, hung;

static inline size_t slot_of(const struct chassis_task_ctx *ctx)
{
	return chassis_slot(ctx->row->task, ctx->instance);
}

static inline void on_ready(void *arg)
{
	(void)arg;
	is_ready = true;
}

static inline void on_hang(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l, (void)w, (void)revents;
	hung = true;
}

static inline void on_step(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l, (void)w, (void)revents;
}

/* Turns the loop until @p done says so; a guard against a hang, not a measurement, ends it. */
static inline bool until(bool (*done)(void))
{
	ev_timer hang, step;

	hung = false;
	ev_timer_init(&hang, on_hang, HANG_S, 0.);
	ev_timer_init(&step, on_step, 0.005, 0.005); /* what processes note wakes no loop */
	ev_timer_start(loop, &hang);
	ev_timer_start(loop, &step);
	while (!done() && !hung)
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &hang);
	ev_timer_stop(loop, &step);
	return !hung;
}

static inline bool ready(void)
{
	return is_ready;
}

static inline bool none_left(void)
{
	return TAILQ_EMPTY(&sup->children);
}

/* Memory in which processes note what the test is to see. */
static inline void *notes_map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_FATAL(p != MAP_FAILED);
	return p;
}

/* The supervisor of @p rows, not started; @p conf is borrowed. */
static inline void sup_begin(const struct chassis_config *conf, const struct chassis_task_row *const *rows)
{
	is_ready = false;
	chassis_log_init("stderr", conf->severity, "test", 0);
	sup_shared_init(&shared, conf);
	CU_ASSERT_EQUAL_FATAL(sup_slabs_open(&shared), 0);
	loop = ev_loop_new(0);
	sup = chassis_supervisor_new(loop, &shared, rows);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sup);
	sup->on_ready = on_ready;
}

/* The threads of the guards end when their processes have. */
static inline void sup_end(void)
{
	CU_ASSERT(until(none_left));
	chassis_supervisor_free(sup);
	ev_loop_destroy(loop);
	sup_slabs_close(&shared);
}

static inline void stop_all(void)
{
	chassis_supervisor_stop(sup);
	CU_ASSERT(until(none_left));
	CU_ASSERT_EQUAL(sup->status, 0);
}

#endif

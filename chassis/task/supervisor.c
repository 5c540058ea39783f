#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/task/crash.h"
#include "srp/err.h"

struct chassis_supervisor *chassis_supervisor_new(struct ev_loop *loop,
						  struct chassis_shared *shared,
						  const struct chassis_task_row *const *rows)
{
	struct chassis_supervisor *s = calloc(1, sizeof(*s));
	bool recovery = shared->config && shared->config->session_recovery;

	if (!s || shared->nslabs > SUP_SLOTS_MAX) {
		free(s);
		return NULL;
	}
	s->loop = loop;
	s->shared = shared;
	s->commit.fd = -1;
	TAILQ_INIT(&s->children);
	for (size_t i = 0; i < SUP_HOLDS_MAX; i++)
		s->hold[i] = -1;
	for (size_t i = 1; i < shared->nslabs; i++) {
		enum chassis_task task = CHASSIS_TASK_SUPERVISOR;
		struct sup_slot *slot = &s->slot[i];

		(void)chassis_slot_task(i, shared->nsessmgr, &task, &slot->instance);
		slot->row = rows[task];
		slot->standby = chassis_task_many(task) && !slot->instance;
		slot->wanted = slot->row && (recovery || task != CHASSIS_TASK_AAAMGR) &&
			       (shared->record_journal_fd >= 0 || task != CHASSIS_TASK_CDRMOD);
		if (slot->standby)
			slot->wanted = recovery && slot->row && slot->row->standby &&
				       slot->row->become;
	}
	s->guard_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->guard_fd < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void chassis_supervisor_free(struct chassis_supervisor *s)
{
	struct sup_child *c, *next;

	sup_watch_stop(s);
	for (c = TAILQ_FIRST(&s->children); c; c = next) {
		next = TAILQ_NEXT(c, link);
		sup_child_free(c);
	}
	if (!TAILQ_EMPTY(&s->children))
		return; /* a guard's thread still points into this: it goes with the process */
	sup_commit_fini(s);
	for (size_t i = 0; i < SUP_HOLDS_MAX; i++)
		if (s->hold[i] >= 0)
			close(s->hold[i]);
	close(s->guard_fd);
	free(s);
}

static int spawn_first(struct chassis_supervisor *s, size_t slot)
{
	int rc = sup_spawn(s, slot);
	char name[48];

	if (rc < 0)
		chassis_log(LOG_CRIT, "%s cannot be started: %s", sup_who(s, slot, name, sizeof(name)),
		            sup_spawn_why(rc));
	return rc;
}

int chassis_supervisor_start(struct chassis_supervisor *s)
{
	int rc = SRP_OK;

	chassis_crash_warm();
	sup_watch_start(s);
	sup_keys_look(s, chassis_now());
	sup_sr_judge(s, chassis_now()); /* who is asked before all have started must know */
	for (size_t i = 1; i < s->shared->nslabs && rc == SRP_OK; i++) {
		if (s->slot[i].standby)
			s->slot[i].vacant = chassis_now(); /* after the others */
		else if (s->slot[i].wanted && s->slot[i].row->task != CHASSIS_TASK_AAAMGR)
			rc = spawn_first(s, i);
	}
	/* Where not all can be had, service comes before its recovery. */
	for (unsigned i = 1; i <= s->shared->nsessmgr && rc == SRP_OK; i++)
		if (s->slot[chassis_slot(CHASSIS_TASK_AAAMGR, i)].wanted)
			sup_replace(s, chassis_slot(CHASSIS_TASK_AAAMGR, i));
	sup_sr_judge(s, chassis_now());
	if (rc < 0)
		chassis_supervisor_abandon(s, EXIT_FAILURE);
	return rc;
}

static bool running(const struct chassis_supervisor *s)
{
	const struct sup_child *c;

	TAILQ_FOREACH(c, &s->children, link)
		if (c->pid)
			return true;
	return false;
}

static void kill_all(struct chassis_supervisor *s)
{
	struct sup_child *c;

	s->stage = SUP_KILL;
	TAILQ_FOREACH(c, &s->children, link)
		sup_kill(c);
}

void chassis_supervisor_abandon(struct chassis_supervisor *s, int status)
{
	s->status = status;
	kill_all(s);
	chassis_supervisor_advance(s);
}

void chassis_supervisor_give_up(struct chassis_supervisor *s)
{
	if (!s->all_ready || !s->slot[chassis_slot(CHASSIS_TASK_VPNMGR, 0)].live) {
		chassis_supervisor_abandon(s, EXIT_FAILURE);
		return;
	}
	s->status = EXIT_FAILURE;
	s->shared->slab[0]->sr.giving_up = 1;
	chassis_supervisor_stop(s);
}

void chassis_supervisor_stop(struct chassis_supervisor *s)
{
	struct sup_child *vpn = s->slot[chassis_slot(CHASSIS_TASK_VPNMGR, 0)].live;

	if (s->stage != SUP_RUN)
		return;
	s->stage = SUP_HANDOVER;
	s->stop_began = chassis_now();
	if (vpn)
		sup_order(vpn, CHASSIS_IPC_STOP);
	chassis_supervisor_advance(s);
}

void chassis_supervisor_advance(struct chassis_supervisor *s)
{
	uint64_t ms;

	if (s->stage == SUP_RUN)
		return;
	ms = srp_time_since(s->stop_began, chassis_now()) / 1000;
	if (s->stage == SUP_HANDOVER &&
	    (!s->slot[chassis_slot(CHASSIS_TASK_VPNMGR, 0)].live || ms >= SUP_HANDOVER_MS)) {
		s->stage = SUP_STOP;
		for (size_t i = 1; i < s->shared->nslabs; i++)
			if (s->slot[i].live)
				sup_order(s->slot[i].live, CHASSIS_IPC_STOP);
	}
	if (s->stage == SUP_STOP && ms >= SUP_STOP_MS && running(s)) {
		chassis_log(LOG_WARNING, "some tasks do not end by themselves: they are killed");
		kill_all(s);
	}
	sup_sr_judge(s, chassis_now());
	if (!running(s))
		ev_break(s->loop, EVBREAK_ALL);
}

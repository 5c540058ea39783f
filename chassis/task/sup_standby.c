#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "srp/err.h"

#define AGAIN_MS 10000 /* after a fork that failed, and while they die too often */

static void become_order(struct sup_child *c, const struct sup_slot *slot)
{
	uint8_t buf[32];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, slot->row->task);
	srp_mp_w_uint(&w, slot->instance);
	/* One that cannot hear it is as good as dead: its own death is handled like any other. */
	if (!c->line || chassis_conn_send(c->line, CHASSIS_IPC_BECOME, w.start, srp_mp_w_len(&w), -1) < 0)
		sup_kill(c);
}

/* Nobody's until the next one is there: what is shown of it must not be the one that left. */
static void vacate(struct chassis_supervisor *s, size_t slot)
{
	struct chassis_slab *slab = s->shared->slab[slot];

	s->slot[slot].vacant = chassis_now();
	stats_slab_adopt(&slab->head, 0, 0);
	slab->ready = 0;
	slab->reserved_bytes = slab->reserved_fds = 0;
}

bool sup_take_over(struct chassis_supervisor *s, size_t slot)
{
	enum chassis_task task = s->slot[slot].row->task;
	struct sup_slot *sb = &s->slot[chassis_slot(task, 0)];
	struct sup_child *c = sb->live;
	char name[48];

	if (!chassis_task_many(task) || !sb->wanted || !c || !c->ready || c->killed || c->ordered ||
	    chassis_guard_fired(c->guard))
		return false;
	sb->live = NULL;
	vacate(s, chassis_slot(task, 0));
	sup_slab_begin(s, slot);
	c->slot = slot;
	c->ready = false;
	c->becoming = true;
	c->born = sb->vacant; /* its beats are those of an instance from here on */
	s->slot[slot].live = c;
	become_order(c, &s->slot[slot]);
	sup_connect(s, slot);
	chassis_log(LOG_NOTICE, "the standby (pid %d) becomes %s", (int)c->pid,
	            sup_who(s, slot, name, sizeof(name)));
	return true;
}

void sup_standby_gone(struct chassis_supervisor *s, size_t slot, bool ordered, bool loop)
{
	struct sup_slot *x = &s->slot[slot];
	char name[48];

	vacate(s, slot);
	x->retry = x->vacant;
	sup_who(s, slot, name, sizeof(name));
	if (loop) {
		x->retry.us += SRP_MS(AGAIN_MS);
		snprintf(x->late, sizeof(x->late), "died too often, is not made at once");
		chassis_log(LOG_ERR, "%s dies too often: the next one is made in %d seconds", name,
		            AGAIN_MS / 1000);
	} else if (!ordered) {
		chassis_log(LOG_ERR, "%s is dead and is started again", name);
	}
}

/* Warming takes time from the recovery that has just used up the last one. */
static bool recovering(const struct chassis_supervisor *s)
{
	for (size_t i = 1; i < s->shared->nslabs; i++) {
		const struct sup_slot *x = &s->slot[i];

		if (x->wanted && !x->standby &&
		    ((!x->live && !x->delay_ms) || (x->live && !x->live->ready) || s->shared->slab[i]->recovering))
			return true;
	}
	return false;
}

/* One that could not have what it reserves is as good as it is; it may be had by now. */
static void renew(struct chassis_supervisor *s, size_t slot, struct srp_time now)
{
	struct sup_child *c = s->slot[slot].live;

	if (!c->ready || c->ordered || !s->shared->slab[slot]->not_ready[0] ||
	    srp_time_since(c->born, now) < SRP_MS(SUP_RETRY_MS))
		return;
	c->ordered = true;
	sup_order(c, CHASSIS_IPC_STOP);
}

void sup_standbys(struct chassis_supervisor *s, struct srp_time now)
{
	static const enum chassis_task kind[] = {CHASSIS_TASK_SESSMGR, CHASSIS_TASK_AAAMGR};

	for (size_t k = 0; k < sizeof(kind) / sizeof(*kind); k++) {
		size_t slot = chassis_slot(kind[k], 0);
		struct sup_slot *x = &s->slot[slot];
		char name[48];
		int rc;

		if (!x->wanted)
			continue;
		if (x->live) {
			renew(s, slot, now);
			continue;
		}
		if (now.us < x->retry.us ||
		    (recovering(s) && srp_time_since(x->vacant, now) < SRP_MS(SUP_WARM_MS)))
			continue;
		rc = sup_spawn(s, slot);
		if (rc == SRP_OK)
			continue;
		x->retry.us = now.us + SRP_MS(AGAIN_MS);
		snprintf(x->late, sizeof(x->late), "cannot be started: %s", sup_spawn_why(rc));
		chassis_log(LOG_ERR, "%s %s", sup_who(s, slot, name, sizeof(name)), x->late);
	}
}

#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "recovery/replica.h"

#define REFRESH_MS     10000 /* the status is judged anew at least this often ... */
#define REFRESH_BAD_MS 1000  /* ... and while it is not ready */

/* What was found, before it is compared with what is told. */
struct verdict {
	enum chassis_sr_state state;
	char why[sizeof(((struct chassis_sr_slab *)0)->why)];
	uint32_t sessmgr_active, sessmgr_standby, aaamgr_active, aaamgr_standby, demux_active;
};

/* The first reason stays. */
static void not_ready(struct verdict *v, enum chassis_sr_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void not_ready(struct verdict *v, enum chassis_sr_state state, const char *fmt, ...)
{
	va_list ap;

	if (v->state != CHASSIS_SR_READY)
		return;
	v->state = state;
	va_start(ap, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
}

static bool serves(const struct sup_slot *x)
{
	return x->live && x->live->ready && !x->live->killed;
}

static enum chassis_sr_state state_of(enum chassis_task task)
{
	switch (task) {
	case CHASSIS_TASK_SESSMGR:  return CHASSIS_SR_SESSMGR;
	case CHASSIS_TASK_AAAMGR:   return CHASSIS_SR_AAAMGR;
	case CHASSIS_TASK_DEMUXMGR: return CHASSIS_SR_DEMUX;
	default:                    return CHASSIS_SR_VPNMGR;
	}
}

static void judge_sessmgr(const struct chassis_supervisor *s, size_t i, bool mirrors, struct verdict *v)
{
	const struct chassis_slab *slab = s->shared->slab[i];
	unsigned n = s->slot[i].instance;

	if (slab->recovering)
		not_ready(v, CHASSIS_SR_SESSMGR, "sessmgr:%u: its sessions are being recovered", n);
	else if (mirrors && slab->sessions && !slab->sr_level)
		not_ready(v, CHASSIS_SR_SESSMGR, "sessmgr:%u: aaamgr not level", n);
	else if (!mirrors && slab->link != RECOVERY_LINK_DOWN && slab->link != RECOVERY_LINK_READY)
		not_ready(v, CHASSIS_SR_SESSMGR, "sessmgr:%u: not level with the peer chassis", n);
}

/* sct is not asked for: without it operators wait, and nothing is lost. */
static void judge_instances(const struct chassis_supervisor *s, struct srp_time now, struct verdict *v)
{
	const struct chassis_slab *vpn = s->shared->slab[chassis_slot(CHASSIS_TASK_VPNMGR, 0)];
	bool mirrors = vpn->role.role < SRP_ROLE__N && srp_role_permit[vpn->role.role].sr_replica;

	for (size_t i = chassis_slot(CHASSIS_TASK_VPNMGR, 0); i < s->shared->nslabs; i++) {
		const struct sup_slot *x = &s->slot[i];
		char name[48];

		if (x->standby || !x->wanted)
			continue;
		if (sup_unsteady(x, now))
			not_ready(v, state_of(x->row->task), "%s %s", sup_who(s, i, name, sizeof(name)), x->late);
		if (!serves(x)) {
			not_ready(v, state_of(x->row->task), "%s is being started",
			          sup_who(s, i, name, sizeof(name)));
			continue;
		}
		v->sessmgr_active += x->row->task == CHASSIS_TASK_SESSMGR;
		v->aaamgr_active += x->row->task == CHASSIS_TASK_AAAMGR;
		v->demux_active += x->row->task == CHASSIS_TASK_DEMUXMGR;
	}
	/* What they lack may be for want of one of those: that is named first. */
	for (size_t i = chassis_slot(CHASSIS_TASK_SESSMGR, 1); i < s->shared->nslabs; i++)
		if (s->slot[i].wanted && s->slot[i].row->task == CHASSIS_TASK_SESSMGR && serves(&s->slot[i]))
			judge_sessmgr(s, i, mirrors, v);
}

static void judge_standby(const struct chassis_supervisor *s, enum chassis_task task, const char *name,
                          struct srp_time now, struct verdict *v, uint32_t *count)
{
	size_t slot = chassis_slot(task, 0);
	const struct chassis_slab *slab = s->shared->slab[slot];
	const struct sup_slot *x = &s->slot[slot];

	if (!serves(x)) {
		not_ready(v, state_of(task), "standby %s: %s", name,
		          x->retry.us > now.us ? x->late : "is being started");
		return;
	}
	++*count;
	if (slab->not_ready[0])
		not_ready(v, state_of(task), "standby %s: %.*s", name, (int)sizeof(slab->not_ready) - 1,
		          slab->not_ready);
	else if (!slab->ready)
		not_ready(v, state_of(task), "standby %s: is not warm yet", name);
}

static void judge(const struct chassis_supervisor *s, struct srp_time now, struct verdict *v)
{
	if (s->stage != SUP_RUN)
		not_ready(v, CHASSIS_SR_SESSMGR, "the chassis ends");
	judge_instances(s, now, v);
	if (s->lines_short)
		not_ready(v, CHASSIS_SR_SESSMGR, "lines between tasks cannot be made: %s",
		          strerror(s->lines_short));
	judge_standby(s, CHASSIS_TASK_SESSMGR, "sessmgr", now, v, &v->sessmgr_standby);
	judge_standby(s, CHASSIS_TASK_AAAMGR, "aaamgr", now, v, &v->aaamgr_standby);
}

static bool differs(const struct chassis_sr_slab *sr, const struct verdict *v)
{
	return sr->state != v->state || strcmp(sr->why, v->why) != 0 ||
	       sr->sessmgr_active != v->sessmgr_active || sr->sessmgr_standby != v->sessmgr_standby ||
	       sr->aaamgr_active != v->aaamgr_active || sr->aaamgr_standby != v->aaamgr_standby ||
	       sr->demux_active != v->demux_active;
}

static void publish(struct chassis_slab *slab, const struct verdict *v, bool enabled, struct srp_time now)
{
	struct chassis_sr_slab *sr = &slab->sr;

	stats_slab_write_begin(&slab->head);
	if (sr->state != (uint32_t)v->state)
		sr->changed_us = now.us;
	sr->enabled = enabled;
	sr->state = v->state;
	memcpy(sr->why, v->why, sizeof(sr->why));
	sr->sessmgr_active = v->sessmgr_active;
	sr->sessmgr_standby = v->sessmgr_standby;
	sr->aaamgr_active = v->aaamgr_active;
	sr->aaamgr_standby = v->aaamgr_standby;
	sr->demux_active = v->demux_active;
	sr->updated_us = now.us;
	stats_slab_write_end(&slab->head);
}

void sup_sr_judge(struct chassis_supervisor *s, struct srp_time now)
{
	struct chassis_slab *slab = s->shared->slab[0];
	struct chassis_sr_slab *sr = &slab->sr;
	bool enabled = s->shared->config && s->shared->config->session_recovery;
	struct verdict v = {.state = CHASSIS_SR_READY};
	uint64_t every;

	judge(s, now, &v);
	if (!enabled) {
		v.state = CHASSIS_SR_OFF;
		v.why[0] = '\0';
	}
	every = SRP_MS(v.state == CHASSIS_SR_READY || !enabled ? REFRESH_MS : REFRESH_BAD_MS);
	if (sr->updated_us && !differs(sr, &v) &&
	    srp_time_since((struct srp_time){sr->updated_us}, now) < every)
		return;
	if (sr->updated_us && enabled && sr->state != (uint32_t)v.state)
		chassis_log(LOG_NOTICE, "session recovery: %s%s",
		            v.state == CHASSIS_SR_READY ? "ready" : "not ready: ", v.why);
	publish(slab, &v, enabled, now);
}

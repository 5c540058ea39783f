#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>

#include "srp/err.h"

const char *sup_spawn_why(int rc)
{
	return rc == SRP_EIO ? strerror(errno) : srp_strerror(rc);
}

bool sup_peer_stands_by(const struct chassis_supervisor *s)
{
	const struct chassis_role_slab *r = &s->shared->slab[chassis_slot(CHASSIS_TASK_VPNMGR, 0)]->role;

	/* The control connection is kept here for as long as it stands. */
	return r->role == SRP_ROLE_ACTIVE && r->peer_role == SRP_ROLE_STANDBY && s->hold[0] >= 0;
}

void sup_put_off(struct chassis_supervisor *s, size_t slot, const char *fmt, ...)
{
	struct sup_slot *x = &s->slot[slot];
	struct chassis_slab *slab = s->shared->slab[slot];
	uint32_t ms = x->delay_ms ? 2 * x->delay_ms : SUP_DELAY_MS;
	char name[48];
	va_list ap;

	x->delay_ms = ms < SUP_DELAY_MAX_MS ? ms : SUP_DELAY_MAX_MS;
	x->retry = srp_time_add(chassis_now(), SRP_MS(x->delay_ms));
	va_start(ap, fmt);
	vsnprintf(x->late, sizeof(x->late), fmt, ap);
	va_end(ap);
	chassis_log(LOG_CRIT, "%s %s: the next one is started in %u second%s",
	            sup_who(s, slot, name, sizeof(name)), x->late, x->delay_ms / 1000,
	            x->delay_ms == 1000 ? "" : "s");
	/* Nobody's until then. */
	stats_slab_adopt(&slab->head, 0, 0);
	snprintf(slab->not_ready, sizeof(slab->not_ready), "%s", x->late);
	sup_judge_ready(s);
}

bool sup_unsteady(const struct sup_slot *x, struct srp_time now)
{
	return x->delay_ms && (!x->live || !x->live->ready ||
	                       (x->looping && srp_time_since(x->live->born, now) < SRP_SEC(SUP_CRASH_S)));
}

void sup_again(struct chassis_supervisor *s, struct srp_time now)
{
	for (size_t i = 1; i < s->shared->nslabs; i++) {
		struct sup_slot *x = &s->slot[i];
		char name[48];

		if (x->standby || !x->delay_ms)
			continue;
		if (!x->live && now.us >= x->retry.us) {
			sup_replace(s, i);
		} else if (x->live && !sup_unsteady(x, now)) {
			x->delay_ms = 0;
			x->looping = false;
			chassis_log(LOG_NOTICE, "%s is well again", sup_who(s, i, name, sizeof(name)));
		}
	}
}

void sup_descriptors_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max < SUP_DESCRIPTORS ? l.rlim_max : SUP_DESCRIPTORS;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

void sup_lines_short(struct chassis_supervisor *s, int error)
{
	struct rlimit l = {0};

	if (s->lines_short == error)
		return;
	s->lines_short = error;
	if (!error) {
		chassis_log(LOG_NOTICE, "all lines between tasks are made");
		return;
	}
	(void)getrlimit(RLIMIT_NOFILE, &l);
	chassis_log(LOG_ERR, "not all lines between tasks can be made: %s (%llu descriptors are permitted): tried "
	            "again", strerror(error), (unsigned long long)l.rlim_cur);
}

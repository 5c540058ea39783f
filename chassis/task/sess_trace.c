/* sess_trace: the packet trace of a session manager. Whose packets it traces is kept in its slab: a
 * successor goes on. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "chassis/task/trace_row.h"
#include "srp/err.h"

#define CLOCK_SET_US 100000u

/* callid, on, imsi, rows */
int sessmgr_trace(struct sessmgr *s, uint32_t callid, struct srp_mp_r *r, char *text, size_t cap)
{
	struct ecs_trace_ask ask = {.callid = callid};
	bool on = srp_mp_bool(r);
	uint32_t rows;
	int rc;

	srp_mp_str(r, ask.imsi, sizeof(ask.imsi));
	rows = (uint32_t)srp_mp_uint(r, ECS_TRACE_ROWS_MAX);
	if (r->err)
		return SRP_EFORMAT;
	rc = ecs_trace_ask(s->engine, &ask, on, rows);
	if (rc == SRP_EFULL)
		snprintf(text, cap, "%u calls and subscribers are traced already", ECS_TRACE_ASKS_MAX);
	else if (rc == SRP_ENOENT)
		snprintf(text, cap, "nothing of that is traced");
	return rc;
}

void sessmgr_trace_start(struct sessmgr *s)
{
	if (ecs_trace_keep(s->engine, &s->ctx->slab->trace) < 0)
		chassis_log(LOG_ERR, "the packet trace ends: no memory");
	else if (ecs_trace_state(s->engine)->size)
		chassis_log(LOG_NOTICE, "the packet trace goes on behind row %llu; the rows before it are lost",
		            (unsigned long long)ecs_trace_state(s->engine)->seq);
}

/* Time of day of an event. A row says the same each time that it is read, unless the clock was set. */
static uint64_t wall_us(struct sessmgr *s, struct srp_time at)
{
	struct timespec t;
	uint64_t ahead;

	clock_gettime(CLOCK_REALTIME, &t);
	ahead = (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u - chassis_now().us;
	if (ahead + CLOCK_SET_US - s->wall_ahead > 2 * CLOCK_SET_US)
		s->wall_ahead = ahead;
	return s->wall_ahead + at.us;
}

void sessmgr_trace_row(struct sessmgr *s, struct srp_mp_w *w, const struct ecs_trace_row *r)
{
	chassis_trace_row(w, wall_us(s, r->at), r);
}

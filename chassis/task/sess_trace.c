/* sess_trace: the packet trace of a session manager. Whose packets it traces is kept in its slab: a
 * successor goes on. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "srp/err.h"

#define CLOCK_SET_US 100000u
#define TIME_TEXT 16 /* "14:12:58.000001" */

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

static const char *time_text(uint64_t us, char *out)
{
	time_t sec = (time_t)(us / 1000000u);
	struct tm tm;

	if (!localtime_r(&sec, &tm))
		return "";
	snprintf(out, TIME_TEXT, "%02u:%02u:%02u.%06u", (unsigned)tm.tm_hour % 100u,
	         (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u, (unsigned)(us % 1000000u));
	return out;
}

static void put_addr(struct srp_mp_w *w, const struct ecs_addr *a)
{
	static const struct ecs_addr none;
	char text[64];

	srp_mp_w_str(w, memcmp(a, &none, sizeof(none)) ? ecs_addr_text(a, text, sizeof(text)) : "");
}

static void put_charging(struct srp_mp_w *w, const struct ecs_trace_row *r)
{
	char did[ECS_TRACE_DID_MAX];

	srp_mp_w_uint(w, r->len);
	srp_mp_w_uint(w, r->pkts);
	srp_mp_w_uint(w, r->bytes);
	srp_mp_w_bool(w, r->charged);
	srp_mp_w_str(w, r->rule);
	srp_mp_w_str(w, r->action);
	srp_mp_w_uint(w, r->content_id);
	srp_mp_w_uint(w, r->rating_group);
	srp_mp_w_uint(w, r->bearer);
	srp_mp_w_str(w, ecs_trace_fate_text(r->fate));
	srp_mp_w_str(w, ecs_trace_by_text(r->by));
	srp_mp_w_str(w, ecs_trace_did_text(r->did, did, sizeof(did)));
	srp_mp_w_str(w, ecs_trace_ends_text(r->ends));
	srp_mp_w_bool(w, r->recovered);
	srp_mp_w_bool(w, r->bypassed);
	srp_mp_w_bool(w, r->pending);
	srp_mp_w_bool(w, r->late);
	srp_mp_w_bool(w, r->anew);
}

void sessmgr_trace_row(struct sessmgr *s, struct srp_mp_w *w, const struct ecs_trace_row *r)
{
	static const char *const frag[] = {[ECS_FRAG_NONE] = "", [ECS_FRAG_FIRST] = "first",
	                                   [ECS_FRAG_LATER] = "later"};
	uint64_t wall = wall_us(s, r->at);
	char text[TIME_TEXT];

	srp_mp_w_uint(w, r->seq);
	srp_mp_w_uint(w, r->packet);
	srp_mp_w_uint(w, wall);
	srp_mp_w_str(w, time_text(wall, text));
	srp_mp_w_uint(w, r->callid);
	srp_mp_w_uint(w, r->flow_id);
	srp_mp_w_str(w, r->dir == ECS_UPLINK ? "uplink" : "downlink");
	srp_mp_w_uint(w, r->proto);
	put_addr(w, &r->subscriber);
	srp_mp_w_uint(w, r->subscriber_port);
	put_addr(w, &r->server);
	srp_mp_w_uint(w, r->server_port);
	put_charging(w, r);
	srp_mp_w_uint(w, r->ip_id);
	srp_mp_w_str(w, frag[r->frag]);
	srp_mp_w_uint(w, r->tcp_flags);
	srp_mp_w_uint(w, r->tcp_seq);
	srp_mp_w_uint(w, r->tcp_ack);
	srp_mp_w_uint(w, r->payload_len);
	srp_mp_w_uint(w, r->payload_crc);
}

/* trace_row: a row of the packet trace as an answer, see rows.h. */
#include "config.h"
#include "chassis/task/trace_row.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIME_TEXT 16 /* "14:12:58.000001" */

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

void chassis_trace_row(struct srp_mp_w *w, uint64_t wall, const struct ecs_trace_row *r)
{
	static const char *const frag[] = {[ECS_FRAG_NONE] = "", [ECS_FRAG_FIRST] = "first",
	                                   [ECS_FRAG_LATER] = "later"};
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

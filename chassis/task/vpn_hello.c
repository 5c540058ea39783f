/* vpn_hello: what this chassis tells of itself on the control link, and what the peer's hello says. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "srp/err.h"

#define BACKLOG_MS 100 /* in which the messages are read that came while we stood still */

static uint64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* --- ours ---------------------------------------------------------------------------------------------------- */

/* Whether there is state, for the election: an active that was never filled, but serves sessions, has some. */
static bool has_state(const struct chassis_slab *s)
{
	return s->applied_role != SRP_ROLE_INIT &&
	       (s->complete == CHASSIS_COMPLETE || (s->complete == CHASSIS_STARTED_EMPTY && s->sessions));
}

static void fill_instances(const struct vpnmgr *v, struct srp_hello *h)
{
	h->ninstances = (uint32_t)v->ctx->shared->nsessmgr;
	for (uint32_t i = 0; i < h->ninstances; i++) {
		const struct chassis_slab *s = v->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i + 1)];

		h->instance[i] = (struct srp_hello_instance){
			.complete = !v->lost[i + 1] && has_state(s),
			.link = (uint8_t)s->link, .sessions = s->sessions,
		};
		chassis_backlog(s, &h->instance[i].backlog);
	}
}

static void fill_addrs(const struct vpnmgr *v, struct srp_hello *h)
{
	struct vpn_own own;

	vpn_net_own(v->conf, &own);
	for (int s = 0; s < 2; s++) {
		h->addr[s].has4 = own.side[s].has4;
		h->addr[s].has6 = own.side[s].has6;
		memcpy(h->addr[s].v4, own.side[s].v4.b + 12, 4);
		memcpy(h->addr[s].v6, own.side[s].v6.b, 16);
	}
}

static void fill(const struct vpnmgr *v, struct srp_hello *h)
{
	const struct chassis_role_slab *r = &v->ctx->slab->role;
	const struct chassis_srp_config *c = &v->conf->srp;

	memset(h, 0, sizeof(*h));
	h->ver_min = SRP_PROTOCOL_MIN;
	h->ver_max = SRP_PROTOCOL_MAX;
	snprintf(h->name, sizeof(h->name), "%s", v->conf->hostname);
	h->incarnation = r->incarnation;
	h->role = (enum srp_role)r->role;
	h->handed = v->role.phase == SRP_PHASE_HANDED;
	h->unfit = r->unfit;
	h->term = r->term;
	h->highest = r->highest_term;
	h->mode = c->mode == CHASSIS_PRIMARY ? SRP_MODE_PRIMARY : SRP_MODE_BACKUP;
	h->priority = c->priority;
	memcpy(h->mac, r->mac, sizeof(h->mac));
	h->bit = (uint8_t)r->chassis_bit;
	h->route_modifier = r->route_modifier;
	h->config_digest = v->ctx->shared->running.digest;
	fill_instances(v, h);
	h->hello_ms = c->hello_ms;
	h->dead_ms = c->dead_ms;
	fill_addrs(v, h);
	h->caps = (c->lz4 ? SRP_CAP_LZ4 : 0) | (v->beats ? SRP_CAP_BEATS : 0);
	h->wall_us = wall_us();
}

void vpn_hello(struct vpnmgr *v)
{
	struct srp_hello h;
	uint8_t body[4096];

	if (!v->peer || !chassis_peer_conn(v->peer))
		return;
	fill(v, &h);
	if (vpn_send(v, SRP_CONTROL_HELLO, body, srp_hello_encode(&h, body, sizeof(body))) == 0) {
		v->told = srp_hello_candidate(&h);
		v->ctx->slab->srp.hello_tx++;
	}
}

/* --- the peer's ---------------------------------------------------------------------------------------------- */

static void side_addr(struct ecs_addr *out, const uint8_t *p, size_t n)
{
	memset(out, 0, sizeof(*out));
	if (n == 4)
		out->b[10] = out->b[11] = 0xff;
	memcpy(out->b + 16 - n, p, n);
}

static void note_addrs(struct vpnmgr *v)
{
	struct vpn_own own;

	memset(&own, 0, sizeof(own));
	for (int s = 0; s < 2; s++) {
		const struct srp_hello_addr *a = &v->hello.addr[s];

		own.side[s].has4 = a->has4;
		own.side[s].has6 = a->has6;
		side_addr(&own.side[s].v4, a->v4, sizeof(a->v4));
		side_addr(&own.side[s].v6, a->v6, sizeof(a->v6));
	}
	vpn_net_peer(v->net, &own);
}

static void note_peer(struct vpnmgr *v)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;
	const struct srp_hello *h = &v->hello;
	struct srp_backlog_figure sum = {0};

	r->peer_role = h->role;
	r->peer_term = h->term;
	r->peer_mode = h->mode;
	r->peer_priority = h->priority;
	r->peer_route_modifier = h->route_modifier;
	r->peer_incarnation = h->incarnation;
	r->last_hello_us = chassis_now().us;
	memcpy(r->peer_mac, h->mac, sizeof(r->peer_mac));
	v->hello_wall = wall_us() / 1000000u;
	v->sessions_seen = 0;
	for (uint32_t i = 0; i < h->ninstances; i++) {
		srp_backlog_add(&sum, &h->instance[i].backlog);
		v->sessions_seen += h->instance[i].sessions;
	}
	srp_backlog_heard(&v->backlog, h->incarnation, &sum, chassis_now());
	if (v->beats)
		chassis_beats_peer(v->beats, h->incarnation);
}

void vpn_config_note(struct vpnmgr *v)
{
	bool differs = v->hello.config_digest != v->ctx->shared->running.digest;
	const char *now = differs ? "Peer Checksum Validation Failure" : "None";

	if (strcmp(v->config_error, now) == 0)
		return;
	if (differs || v->config_error[0])
		chassis_log(differs ? LOG_WARNING : LOG_INFO, "configuration %s the peer's",
		            differs ? "differs from" : "equals");
	snprintf(v->config_error, sizeof(v->config_error), "%s", now);
	v->config_event_wall = wall_us() / 1000000u;
	v->ctx->slab->srp.config_mismatches += differs;
}

/* What lay in the socket while we stood still says what the peer was then: no role is taken for that, the
 * next hello says what it is. */
static bool history(const struct vpnmgr *v, enum srp_role_event ev)
{
	return v->role.phase == SRP_PHASE_STANDBY &&
	       srp_time_since(v->stale_at, chassis_now()) < SRP_MS(BACKLOG_MS) &&
	       (ev == SRP_ROLE_EV_ELECTED || ev == SRP_ROLE_EV_PEER_EMPTY || ev == SRP_ROLE_EV_PEER_GAVE_UP);
}

int vpn_hello_rx(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_candidate candidate;
	struct srp_hello h, me;
	uint32_t version;
	int rc = srp_hello_decode(body, len, &h);
	enum srp_role_event ev;

	if (rc < 0)
		return rc;
	fill(v, &me);
	rc = srp_hello_agree(&me, &h, &version);
	if (rc < 0) {
		char why[120];

		vpn_link_event(v, SRP_CONN_EV_HELLO_BAD);
		snprintf(why, sizeof(why), "hello does not fit: %s (sessmgrs here %u, there %u)",
		         srp_strerror(rc), me.ninstances, h.ninstances);
		v->ctx->slab->srp.rx_mismatch++;
		vpn_link_refuse(v, rc, why);
		return SRP_OK;
	}
	v->hello = h;
	v->hello_known = true;
	v->ctx->slab->srp.hello_rx++;
	vpn_term_seen(v, h.highest);
	vpn_term_seen(v, srp_term_number(h.term));
	note_peer(v);
	note_addrs(v);
	vpn_config_note(v);
	vpn_link_event(v, SRP_CONN_EV_RX_HELLO);
	vpn_link_level(v);
	candidate = srp_hello_candidate(&h);
	ev = srp_role_hello_event(v->role.phase, &v->told, &candidate, h.highest);
	if (!history(v, ev))
		vpn_event(v, ev, 0);
	return SRP_OK;
}

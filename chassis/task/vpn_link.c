/* vpn_link: the control connection to the peer chassis: hello, messages, and what its end means. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "srp/err.h"

#define BACKLOG_MS    100 /* in which the messages are read that came while we stood still */
#define SILENT_HELLOS 3 /* hello intervals without a frame after which a connection is given up */

static uint64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* --- sending ---------------------------------------------------------------------------------------------- */

int vpn_send(struct vpnmgr *v, uint8_t type, const uint8_t *body, int len)
{
	struct srp_counters *ctr = &v->ctx->slab->srp;
	struct srp_mp_w w = {.err = len < 0 ? len : 0};
	uint8_t copy[4096];
	int rc;

	if (!v->peer || len < 0 || (size_t)len > sizeof(copy))
		return SRP_ENOENT;
	memcpy(copy, body, (size_t)len);
	w.start = copy;
	w.p = w.end = copy + len;
	rc = chassis_peer_send(v->peer, type, &w);
	if (rc == 0) {
		ctr->tx_frames++;
		ctr->tx_bytes += SRP_FRAME_HDR_LEN + (uint64_t)len;
	}
	return rc;
}

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
			.backlog_objects = s->backlog_objects, .backlog_bytes = s->backlog_bytes};
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
	h->config_digest = chassis_config_digest(v->conf);
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

int vpn_config_check(struct vpnmgr *v)
{
	struct srp_config_check m = {.id = arc4random(), .digest = chassis_config_digest(v->conf)};
	uint8_t body[64];
	int rc = vpn_send(v, SRP_CONTROL_CONFIG_CHECK, body, srp_config_check_encode(&m, body, sizeof(body)));

	if (rc == 0) {
		v->check_id = m.id;
		v->ctx->slab->srp.config_checks_tx++;
	}
	return rc;
}

/* --- what the link machine decides -------------------------------------------------------------------------- */

static void send_error(struct vpnmgr *v, int status, const char *text)
{
	struct srp_status m = {.status = status};
	uint8_t body[256];

	snprintf(m.text, sizeof(m.text), "%s", text);
	vpn_send(v, SRP_CONTROL_ERROR, body, srp_error_encode(&m, body, sizeof(body)));
}

/* Feeds the link machine; the action, or NONE where the table knows no edge. */
static enum srp_conn_action conn_event(struct vpnmgr *v, enum srp_conn_event ev)
{
	enum srp_conn_action act = SRP_CONN_ACT_NONE;
	enum srp_conn_state before = v->conn.state;

	if (srp_conn_step(&v->conn, ev, &act) < 0)
		chassis_log(LOG_DEBUG, "control link: event %s has no edge in state %s", srp_conn_event_name(ev),
		            srp_conn_state_name(v->conn.state));
	if (v->conn.state != before) {
		ev_timer_stop(v->ctx->loop, &v->conn_timer);
		if (srp_conn_state_timer(v->conn.state) == SRP_CONN_TIMER_HELLO) {
			v->conn_timer.repeat = SRP_CONN_HELLO_MS / 1000.;
			ev_timer_again(v->ctx->loop, &v->conn_timer);
		}
	}
	return act;
}

static void lost(struct vpnmgr *v)
{
	v->hello_known = false;
	if (v->beats)
		chassis_beats_key(v->beats, NULL);
	vpn_event(v, SRP_ROLE_EV_LINK_DOWN, 0);
}

void vpn_gone_check(struct vpnmgr *v)
{
	if (!v->ended)
		return;
	for (unsigned i = 1; i <= v->ctx->shared->nsessmgr; i++)
		if (!v->lost[i] && v->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i)]->link !=
		                           RECOVERY_LINK_DOWN)
			return;
	v->ended = false;
	vpn_event(v, SRP_ROLE_EV_PEER_GONE, 0);
}

/* Closes a connection that cannot go on. */
static void refuse(struct vpnmgr *v, int status, const char *text)
{
	chassis_log(LOG_ERR, "control link refused: %s", text);
	send_error(v, status, text);
	chassis_peer_reset(v->peer, text);
	(void)conn_event(v, SRP_CONN_EV_CLOSED);
	lost(v);
}

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

	r->peer_role = h->role;
	r->peer_term = h->term;
	r->peer_mode = h->mode;
	r->peer_priority = h->priority;
	r->peer_route_modifier = h->route_modifier;
	r->peer_incarnation = h->incarnation;
	r->last_hello_us = chassis_now().us;
	memcpy(r->peer_mac, h->mac, sizeof(r->peer_mac));
	v->hello_wall = wall_us() / 1000000u;
	v->backlog_objects = v->backlog_bytes = 0;
	v->sessions_seen = 0;
	for (uint32_t i = 0; i < h->ninstances; i++) {
		v->backlog_objects += h->instance[i].backlog_objects;
		v->backlog_bytes += h->instance[i].backlog_bytes;
		v->sessions_seen += h->instance[i].sessions;
	}
	v->backlog_at = chassis_now();
	if (v->beats)
		chassis_beats_peer(v->beats, h->incarnation);
}

static void note_config(struct vpnmgr *v)
{
	bool differs = v->hello.config_digest != chassis_config_digest(v->conf);
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

static int rx_hello(struct vpnmgr *v, const uint8_t *body, size_t len)
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

		(void)conn_event(v, SRP_CONN_EV_HELLO_BAD);
		snprintf(why, sizeof(why), "hello does not fit: %s (sessmgrs here %u, there %u)",
		         srp_strerror(rc), me.ninstances, h.ninstances);
		v->ctx->slab->srp.rx_mismatch++;
		refuse(v, rc, why);
		return SRP_OK;
	}
	v->hello = h;
	v->hello_known = true;
	v->ctx->slab->srp.hello_rx++;
	vpn_term_seen(v, h.highest);
	vpn_term_seen(v, srp_term_number(h.term));
	note_peer(v);
	note_addrs(v);
	note_config(v);
	(void)conn_event(v, SRP_CONN_EV_RX_HELLO);
	vpn_link_level(v);
	candidate = srp_hello_candidate(&h);
	ev = srp_role_hello_event(v->role.phase, &v->told, &candidate, h.highest);
	if (!history(v, ev))
		vpn_event(v, ev, 0);
	return SRP_OK;
}

static int rx_prepare(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_switch_prepare m;
	int rc = srp_switch_prepare_decode(body, len, &m);

	if (rc < 0)
		return rc;
	if (m.term < v->ctx->slab->role.peer_term)
		return SRP_ESTALE;
	v->flush_ms = m.timeout_ms;
	return vpn_event_rx(v, SRP_ROLE_EV_RX_PREPARE, m.id, (enum srp_switch_reason)m.reason);
}

static int rx_switch_ready(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_status m;
	int rc = srp_switch_ready_decode(body, len, &m);

	if (rc < 0)
		return rc;
	if (m.status < 0)
		chassis_log(LOG_WARNING, "the peer refuses the switchover: %s", m.text);
	return vpn_event_rx(v, m.status == 0 ? SRP_ROLE_EV_RX_READY : SRP_ROLE_EV_RX_REFUSED, m.id, 0);
}

static int rx_abort(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	char text[SRP_MESSAGE_TEXT_MAX + 1];
	int rc = srp_switch_abort_decode(body, len, text);

	if (rc < 0)
		return rc;
	chassis_log(LOG_WARNING, "the peer aborted the switchover: %s", text);
	vpn_event(v, SRP_ROLE_EV_RX_ABORT, 0);
	return SRP_OK;
}

static int rx_term(struct vpnmgr *v, const uint8_t *body, size_t len, enum srp_role_event ev,
                   int (*decode)(const void *, size_t, uint32_t *))
{
	uint32_t term;
	int rc = decode(body, len, &term);

	if (rc < 0)
		return rc;
	/* A message of a term that was superseded meanwhile is history. */
	if (srp_term_number(term) < v->ctx->slab->role.highest_term && ev == SRP_ROLE_EV_RX_HANDOVER &&
	    term < v->ctx->slab->role.peer_term)
		return SRP_ESTALE;
	vpn_term_seen(v, srp_term_number(term));
	vpn_event(v, ev, 0);
	return SRP_OK;
}

static int rx_config_check(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_config_check m;
	uint8_t out[256];
	int rc = srp_config_check_decode(body, len, &m);
	char why[120];

	if (rc < 0)
		return rc;
	v->ctx->slab->srp.config_checks_rx++;
	if (m.digest != chassis_config_digest(v->conf)) {
		m.st.status = SRP_EMISMATCH;
		snprintf(m.st.text, sizeof(m.st.text), "the configuration differs");
	} else if (v->role.phase == SRP_PHASE_STANDBY && !vpn_ready(v, why, sizeof(why))) {
		m.st.status = SRP_ESTATE;
		snprintf(m.st.text, sizeof(m.st.text), "%s", why);
	} else {
		m.st.status = SRP_OK;
		m.st.text[0] = '\0';
	}
	m.digest = chassis_config_digest(v->conf);
	vpn_send(v, SRP_CONTROL_CONFIG_RESULT, out, srp_config_result_encode(&m, out, sizeof(out)));
	return SRP_OK;
}

static int rx_config_result(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_config_check m;
	int rc = srp_config_result_decode(body, len, &m);

	if (rc < 0)
		return rc;
	if (m.id != v->check_id)
		return SRP_OK; /* of an older question */
	v->validate_at = chassis_now();
	if (m.st.status == 0)
		snprintf(v->validate_status, sizeof(v->validate_status), "Remote Chassis - Ready for Switchover");
	else
		snprintf(v->validate_status, sizeof(v->validate_status), "Remote Chassis - %.60s", m.st.text);
	vpn_reply(v, &v->validate_id, m.st.status, m.st.status ? m.st.text : v->validate_status);
	return SRP_OK;
}

static int rx_bye(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	uint32_t reason;
	int rc = srp_bye_decode(body, len, &reason);

	if (rc < 0)
		return rc;
	chassis_log(LOG_NOTICE, "the peer leaves: %s", srp_switch_reason_name(reason));
	(void)conn_event(v, SRP_CONN_EV_RX_BYE);
	vpn_event(v, SRP_ROLE_EV_PEER_BYE, 0);
	return SRP_EPEER;
}

static int rx_error(struct vpnmgr *v, const uint8_t *body, size_t len)
{
	struct srp_status m;
	int rc = srp_error_decode(body, len, &m);

	if (rc < 0)
		return rc;
	chassis_log(LOG_ERR, "the peer refuses: %s", m.text);
	snprintf(v->config_error, sizeof(v->config_error), "%.90s", m.text);
	(void)conn_event(v, SRP_CONN_EV_RX_ERROR);
	return SRP_EPEER; /* it lives, and speaks: this end of the connection says nothing else */
}

static int dispatch(struct vpnmgr *v, uint8_t type, const uint8_t *body, size_t len)
{
	switch (type) {
	case SRP_CONTROL_HELLO:          return rx_hello(v, body, len);
	case SRP_CONTROL_SWITCH_PREPARE: return rx_prepare(v, body, len);
	case SRP_CONTROL_SWITCH_READY:   return rx_switch_ready(v, body, len);
	case SRP_CONTROL_HANDOVER:       return rx_term(v, body, len, SRP_ROLE_EV_RX_HANDOVER, srp_handover_decode);
	case SRP_CONTROL_TAKEN:          return rx_term(v, body, len, SRP_ROLE_EV_RX_TAKEN, srp_taken_decode);
	case SRP_CONTROL_SWITCH_ABORT:   return rx_abort(v, body, len);
	case SRP_CONTROL_CONFIG_CHECK:   return rx_config_check(v, body, len);
	case SRP_CONTROL_CONFIG_RESULT:  return rx_config_result(v, body, len);
	case SRP_CONTROL_BYE:            return rx_bye(v, body, len);
	case SRP_CONTROL_ERROR:          return rx_error(v, body, len);
	}
	return SRP_ETYPE;
}

/* --- the connection ---------------------------------------------------------------------------------------- */

/* The supervisor keeps a duplicate: the end of this stream then means that the whole chassis is gone,
 * not that vpnmgr died (R9). Without a descriptor it lets the kept one go. */
static void hold(struct vpnmgr *v, int fd)
{
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, 0);
	chassis_task_send(v->ctx, CHASSIS_TASK_SUPERVISOR, 0, CHASSIS_IPC_HOLD, &w, fd);
}

static void peer_up(void *owner)
{
	struct vpnmgr *v = owner;

	hold(v, chassis_conn_fd(chassis_peer_conn(v->peer)));
	v->silence.heard = v->control_rx = chassis_now();
	v->hello_known = v->ended = false;
	if (v->beats)
		chassis_beats_key(v->beats, chassis_peer_conn(v->peer));
	(void)conn_event(v, SRP_CONN_EV_CONNECTED);
	vpn_hello(v);
}

static void peer_down(void *owner, bool eof, const char *why)
{
	struct vpnmgr *v = owner;
	bool known = v->hello_known || v->conn.state >= SRP_CONN_SYNC;

	(void)why;
	hold(v, -1);
	(void)conn_event(v, SRP_CONN_EV_CLOSED);
	if (known) {
		lost(v);
		v->ended = eof;
		vpn_gone_check(v);
	}
	vpn_dead_rearm(v);
}

static unsigned peer_state(void *owner)
{
	struct vpnmgr *v = owner;

	return v->conn.state;
}

static int peer_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct vpnmgr *v = owner;
	struct srp_counters *ctr = &v->ctx->slab->srp;
	int rc;

	v->silence.heard = v->control_rx = chassis_now();
	ctr->rx_frames++;
	ctr->rx_bytes += SRP_FRAME_HDR_LEN + h->len;
	rc = dispatch(v, h->type, body, h->len);
	if (rc < 0 && rc != SRP_EPEER) {
		chassis_log(LOG_ERR, "control frame 0x%02x refused: %s", h->type, srp_strerror(rc));
		/* A message out of its time is refused; a body that cannot be read ends the connection,
		 * and is counted there. */
		if (rc == SRP_ESTALE) {
			srp_counters_refused(ctr, rc);
			return SRP_OK;
		}
		send_error(v, rc, srp_strerror(rc));
	}
	vpn_dead_rearm(v);
	return rc;
}

static const struct chassis_peer_ops peer_ops = {
	.up = peer_up, .down = peer_down, .state = peer_state, .rx = peer_rx,
};

void vpn_link_level(struct vpnmgr *v)
{
	bool level = true;

	if (v->conn.state < SRP_CONN_SYNC)
		return;
	for (unsigned i = 1; i <= v->ctx->shared->nsessmgr; i++)
		level = level && v->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i)]->link ==
		                         RECOVERY_LINK_READY;
	if (level != (v->conn.state == SRP_CONN_READY))
		(void)conn_event(v, level ? SRP_CONN_EV_LEVEL : SRP_CONN_EV_BEHIND);
}

void vpn_link_watch(struct vpnmgr *v, double every)
{
	/* The peer's interval may be longer than ours. */
	double peer_every = v->hello_known ? v->hello.hello_ms / 1000. : 0;
	uint64_t limit = SRP_MS(SILENT_HELLOS * 1000. * (peer_every > every ? peer_every : every)) + SRP_MS(500);

	if (v->conn.state < SRP_CONN_HELLO || !v->peer || !chassis_peer_conn(v->peer) ||
	    srp_time_since(v->control_rx, chassis_now()) < limit)
		return;
	chassis_peer_reset(v->peer, "no hello for three intervals");
	hold(v, -1);
	(void)conn_event(v, SRP_CONN_EV_CLOSED);
	lost(v);
}

static void on_conn_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpnmgr *v = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	if (v->conn.state == SRP_CONN_HELLO)
		refuse(v, SRP_ETIMEOUT, "the peer sent no hello");
}

/* --- beats --------------------------------------------------------------------------------------------------- */

static void beat_fill(void *owner, struct srp_beat *out)
{
	struct vpnmgr *v = owner;
	const struct chassis_role_slab *r = &v->ctx->slab->role;

	out->role = (enum srp_role)r->role;
	out->term = r->term;
	out->incarnation = r->incarnation;
	for (unsigned i = 1; i <= v->ctx->shared->nsessmgr; i++) {
		const struct chassis_slab *s = v->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i)];

		out->backlog_objects += s->backlog_objects;
		out->backlog_bytes += s->backlog_bytes;
	}
}

static void beat_heard(void *owner, const struct srp_beat *beat)
{
	struct vpnmgr *v = owner;

	v->silence.heard = chassis_now();
	v->backlog_at = v->silence.heard;
	v->backlog_objects = beat->backlog_objects;
	v->backlog_bytes = beat->backlog_bytes;
}

int vpn_link_start(struct vpnmgr *v)
{
	const struct chassis_shared *sh = v->ctx->shared;
	const struct chassis_peer_config pc = {
		.loop = v->ctx->loop, .srp = &v->conf->srp, .tls = sh->tls, .listen_fd = sh->listen_control,
		.port = v->conf->srp.port, .chassis_bit = chassis_bit(v->conf), .table = &srp_control_frames,
		.what = "control", .counters = &v->ctx->slab->task_ctr,
		.srp_counters = &v->ctx->slab->srp, .ops = &peer_ops, .owner = v,
	};
	const struct chassis_beats_config bc = {
		.loop = v->ctx->loop, .fd = sh->beat_fd[0], .srp = &v->conf->srp, .port = v->conf->srp.port,
		.chassis_bit = chassis_bit(v->conf), .counters = &v->ctx->slab->srp, .fill = beat_fill,
		.heard = beat_heard, .owner = v,
	};

	if (!v->conf->srp.present)
		return SRP_OK;
	v->conn.ctr = &v->ctx->slab->srp;
	ev_init(&v->conn_timer, on_conn_timer);
	v->conn_timer.data = v;
	if (chassis_beats_needed(&v->conf->srp)) {
		v->beats = chassis_beats_new(&bc);
		if (!v->beats)
			return SRP_ENOMEM;
	}
	chassis_tls_counters(sh->tls, v->ctx->slab->tls_refused);
	(void)conn_event(v, SRP_CONN_EV_START);
	v->peer = chassis_peer_new(&pc);
	return v->peer ? SRP_OK : SRP_ENOMEM;
}

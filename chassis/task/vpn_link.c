/* vpn_link: the control connection to the peer chassis, the link machine, and what its end means. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "srp/err.h"

#define SILENT_HELLOS 3 /* hello intervals without a frame after which a connection is given up */

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

/* --- what the link machine decides -------------------------------------------------------------------------- */

static void send_error(struct vpnmgr *v, int status, const char *text)
{
	struct srp_status m = {.status = status};
	uint8_t body[256];

	snprintf(m.text, sizeof(m.text), "%s", text);
	vpn_send(v, SRP_CONTROL_ERROR, body, srp_error_encode(&m, body, sizeof(body)));
}

void vpn_link_event(struct vpnmgr *v, enum srp_conn_event ev)
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

void vpn_link_refuse(struct vpnmgr *v, int status, const char *text)
{
	chassis_log(LOG_ERR, "control link refused: %s", text);
	send_error(v, status, text);
	chassis_peer_reset(v->peer, text);
	vpn_link_event(v, SRP_CONN_EV_CLOSED);
	lost(v);
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
	vpn_link_event(v, SRP_CONN_EV_CONNECTED);
	vpn_hello(v);
}

static void peer_down(void *owner, bool eof, const char *why)
{
	struct vpnmgr *v = owner;
	bool known = v->hello_known || v->conn.state >= SRP_CONN_SYNC;

	(void)why;
	hold(v, -1);
	vpn_link_event(v, SRP_CONN_EV_CLOSED);
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
	rc = vpn_message(v, h->type, body, h->len);
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
		vpn_link_event(v, level ? SRP_CONN_EV_LEVEL : SRP_CONN_EV_BEHIND);
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
	vpn_link_event(v, SRP_CONN_EV_CLOSED);
	lost(v);
}

static void on_conn_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpnmgr *v = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	if (v->conn.state == SRP_CONN_HELLO)
		vpn_link_refuse(v, SRP_ETIMEOUT, "the peer sent no hello");
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
		struct srp_backlog_figure one;

		chassis_backlog(vpn_instance_slab(v, i), &one);
		srp_backlog_add(&out->backlog, &one);
	}
}

static void beat_heard(void *owner, const struct srp_beat *beat)
{
	struct vpnmgr *v = owner;

	v->silence.heard = chassis_now();
	srp_backlog_heard(&v->backlog, beat->incarnation, &beat->backlog, v->silence.heard);
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
	vpn_link_event(v, SRP_CONN_EV_START);
	v->peer = chassis_peer_new(&pc);
	return v->peer ? SRP_OK : SRP_ENOMEM;
}

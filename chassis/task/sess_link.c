/* sess_link: the session manager's replica at the peer chassis, and its part in a switchover. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "chassis/registry.h"
#include "srp/err.h"

void sessmgr_link_kick(struct sessmgr *s)
{
	if (s->peer)
		chassis_peer_kick(s->peer);
	sessmgr_sr_kick(s);
}

/* To the replica there are only two ends: who keeps the state and who copies it. The pending roles do
 * not change that; a new stream would throw away the position in the middle of the flush. */
static enum srp_role replica_role(enum srp_role role)
{
	if (role == SRP_ROLE_PENDING_STANDBY)
		return SRP_ROLE_ACTIVE;
	return role == SRP_ROLE_PENDING_ACTIVE ? SRP_ROLE_STANDBY : role;
}

void sessmgr_link_role(struct sessmgr *s)
{
	s->sink.term = s->term;
	if (s->gr)
		recovery_replica_role(s->gr, replica_role(s->role), s->term,
		                      s->complete == CHASSIS_COMPLETE, chassis_now());
	sessmgr_sr_role(s);
	sessmgr_link_kick(s);
}

/* --- steps of a planned switchover ---------------------------------------------------------------- */

static void answer(struct sessmgr *s, enum chassis_step step, int status, const char *text)
{
	uint8_t buf[256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, step);
	srp_mp_w_int(&w, status);
	srp_mp_w_strn(&w, text, strnlen(text, 200));
	chassis_task_send(s->ctx, CHASSIS_TASK_VPNMGR, 0, CHASSIS_IPC_SWITCHED, &w, -1);
}

static bool link_up(const struct sessmgr *s)
{
	return s->gr && recovery_replica_link(s->gr) >= RECOVERY_LINK_SYNC;
}

void sessmgr_step(struct sessmgr *s, enum chassis_step step)
{
	struct srp_time now = chassis_now();

	if (step == CHASSIS_STEP_THAW) {
		s->flushing = s->ending = s->frozen = false;
		if (s->gr)
			recovery_replica_flush(s->gr, false);
		sessmgr_tun_reading(s, true);
		return;
	}
	if (step == CHASSIS_STEP_AUDIT) {
		if (link_up(s))
			recovery_replica_audit(s->gr, now);
		sessmgr_link_kick(s);
		return;
	}
	if (!link_up(s)) {
		answer(s, step, SRP_ESTATE, "the instance is not connected to its peer");
		return;
	}
	if (step == CHASSIS_STEP_FLUSH) {
		s->flushing = true;
		recovery_replica_flush(s->gr, true);
		ecs_engine_flush(s->engine, now);
	} else {
		s->frozen = true;
		s->ending = true;
		sessmgr_tun_reading(s, false);
		/* What was charged since the last turn goes before the end mark. */
		ecs_engine_freeze(s->engine, now);
		recovery_replica_end(s->gr, now);
	}
	sessmgr_steps(s);
	sessmgr_link_kick(s);
}

void sessmgr_steps(struct sessmgr *s)
{
	uint64_t objects, bytes;

	if (!s->flushing)
		return;
	recovery_replica_backlog(s->gr, &objects, &bytes);
	if (objects > CHASSIS_FLUSH_LEFT || recovery_replica_link(s->gr) != RECOVERY_LINK_READY)
		return;
	s->flushing = false;
	answer(s, CHASSIS_STEP_FLUSH, SRP_OK, "");
}

/* --- what the replica tells ------------------------------------------------------------------------ */

static void on_event(void *owner, enum recovery_event ev, const char *why)
{
	struct sessmgr *s = owner;
	struct recovery_status st;

	switch (ev) {
	case RECOVERY_EV_SYNC:
		recovery_replica_status(s->gr, &st);
		/* Nobody holds more than we do: what is here is the truth. */
		if (s->role == SRP_ROLE_ACTIVE && s->complete != CHASSIS_COMPLETE && !st.peer_complete)
			s->filled = true;
		break;
	case RECOVERY_EV_READY:
		chassis_log(LOG_INFO, "replica at the peer is level%s%s", why ? ": " : "", why ? why : "");
		break;
	case RECOVERY_EV_FILLED:
		s->filled = true;
		break;
	case RECOVERY_EV_FLUSHED:
	case RECOVERY_EV_FLUSH_FAILED:
		if (s->ending)
			answer(s, CHASSIS_STEP_FREEZE, ev == RECOVERY_EV_FLUSHED ? SRP_OK : SRP_EMISMATCH,
			       why ? why : "");
		s->ending = false;
		break;
	case RECOVERY_EV_AUDIT:
		chassis_log(why ? LOG_WARNING : LOG_INFO, "audit%s%s", why ? ": " : " ended", why ? why : "");
		break;
	case RECOVERY_EV_PROTOCOL:
		chassis_log(LOG_ERR, "peer broke the protocol: %s", why ? why : "malformed");
		break;
	}
}

static const struct recovery_ops ops = {
	.event = on_event, .question = sessmgr_debug_question, .answer = sessmgr_debug_answer_gr,
};

/* --- the connection -------------------------------------------------------------------------------- */

/* What an event asked for, done outside the replica; then the next look is planned. */
static void after(struct sessmgr *s)
{
	struct srp_time due, now = chassis_now();

	if (s->filled) {
		s->filled = false;
		if (s->complete != CHASSIS_COMPLETE)
			sessmgr_set_complete(s, CHASSIS_COMPLETE);
	}
	sessmgr_tun_confirmed(s);
	sessmgr_publish(s);
	due = recovery_replica_due(s->gr);
	if (!due.us) {
		ev_timer_stop(s->ctx->loop, &s->due);
		return;
	}
	s->due.repeat = due.us > now.us ? (double)(due.us - now.us) / 1e6 : 0.0001;
	ev_timer_again(s->ctx->loop, &s->due);
}

static void on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sessmgr *s = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	sessmgr_link_kick(s);
	after(s);
}

static void peer_up(void *owner)
{
	struct sessmgr *s = owner;

	recovery_replica_up(s->gr, chassis_now());
	if (s->beats)
		chassis_beats_key(s->beats, chassis_peer_conn(s->peer));
	sessmgr_link_kick(s);
	after(s);
	sessmgr_tell_vpnmgr(s);
}

static void peer_down(void *owner, bool eof, const char *why)
{
	struct sessmgr *s = owner;

	(void)eof;
	recovery_replica_down(s->gr, chassis_now());
	if (s->beats)
		chassis_beats_key(s->beats, NULL);
	if (s->flushing || s->ending)
		answer(s, s->ending ? CHASSIS_STEP_FREEZE : CHASSIS_STEP_FLUSH, SRP_ECLOSED, why);
	s->flushing = s->ending = false;
	after(s);
	sessmgr_tell_vpnmgr(s);
}

static unsigned peer_state(void *owner)
{
	struct sessmgr *s = owner;

	return recovery_replica_link(s->gr);
}

static int peer_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct sessmgr *s = owner;
	struct srp_time now = chassis_now();
	enum recovery_link before = recovery_replica_link(s->gr);
	int rc;

	s->ctx->slab->peer_rx_us = now.us;
	rc = recovery_replica_rx(s->gr, h, body, now);
	s->ctx->slab->handling = 0;
	sessmgr_steps(s);
	after(s);
	chassis_peer_kick(s->peer);
	if (recovery_replica_link(s->gr) != before)
		sessmgr_tell_vpnmgr(s);
	return rc;
}

static size_t peer_tx(void *owner, uint8_t *buf, size_t cap, bool *more)
{
	struct sessmgr *s = owner;

	return recovery_replica_tx(s->gr, buf, cap, chassis_now(), more);
}

static void peer_full(void *owner)
{
	recovery_replica_full(((struct sessmgr *)owner)->gr);
}

static const struct chassis_peer_ops peer_ops = {
	.up = peer_up, .down = peer_down, .state = peer_state, .rx = peer_rx, .tx = peer_tx,
	.full = peer_full,
};

/* --- beats ------------------------------------------------------------------------------------------ */

static void beat_fill(void *owner, struct srp_beat *out)
{
	struct sessmgr *s = owner;

	out->role = s->role;
	out->term = s->term;
	out->incarnation = s->ctx->shared->incarnation;
	chassis_backlog(s->ctx->slab, &out->backlog);
}

static void beat_heard(void *owner, const struct srp_beat *beat)
{
	struct sessmgr *s = owner;

	(void)beat;
	s->ctx->slab->peer_rx_us = chassis_now().us;
}

static int start_beats(struct sessmgr *s)
{
	const struct chassis_config *c = s->ctx->shared->config;
	const struct chassis_beats_config bc = {
		.loop = s->ctx->loop, .fd = s->ctx->shared->beat_fd[s->ctx->instance], .srp = &c->srp,
		.port = (uint16_t)(c->srp.port + s->ctx->instance), .chassis_bit = chassis_bit(c),
		.instance = s->ctx->instance, .counters = &s->ctx->slab->srp,
		.fill = beat_fill, .heard = beat_heard, .owner = s,
	};

	if (!chassis_beats_needed(&c->srp))
		return SRP_OK;
	s->beats = chassis_beats_new(&bc);
	return s->beats ? SRP_OK : SRP_ENOMEM;
}

static struct recovery_replica *new_replica(struct sessmgr *s)
{
	const struct chassis_config *c = s->ctx->shared->config;
	struct recovery_config rc = {
		.id = SRP_REPLICA_GR, .kinds = chassis_kinds, .nkinds = chassis_nkinds,
		.ckpt_owner = s->engine, .ops = &ops, .ops_owner = s,
		.counters = s->ctx->slab->kind[SRP_REPLICA_GR],
		.totals = &s->ctx->slab->replica[SRP_REPLICA_GR],
		.rate = c->srp.rate, .burst = c->srp.burst, .lz4 = c->srp.lz4,
		.instance = s->ctx->instance, .sink = &s->sink, .hkey = s->hkey,
		.skip = sessmgr_skip,
	};

	arc4random_buf(&rc.random, sizeof(rc.random));
	return recovery_replica_new(&rc);
}

int sessmgr_link_start(struct sessmgr *s)
{
	if (!s->ctx->shared->config->srp.present)
		return SRP_OK;
	s->gr = new_replica(s);
	if (!s->gr)
		return SRP_ENOMEM;
	s->sink.replica[SRP_REPLICA_GR] = s->gr;
	return SRP_OK;
}

int sessmgr_link_connect(struct sessmgr *s)
{
	const struct chassis_config *c = s->ctx->shared->config;
	const struct chassis_peer_config pc = {
		.loop = s->ctx->loop, .srp = &c->srp, .tls = s->ctx->shared->tls,
		.listen_fd = s->ctx->shared->listen_instance[s->ctx->instance - 1],
		.port = (uint16_t)(c->srp.port + s->ctx->instance), .chassis_bit = chassis_bit(c),
		.table = &recovery_frames, .what = s->name, .counters = &s->ctx->slab->task_ctr,
		.srp_counters = &s->ctx->slab->srp,
		.ops = &peer_ops, .owner = s,
	};

	if (!s->gr)
		return SRP_OK;
	ev_init(&s->due, on_due);
	s->due.data = s;
	snprintf(s->name, sizeof(s->name), "instance %u", s->ctx->instance);
	chassis_tls_counters(s->ctx->shared->tls, s->ctx->slab->tls_refused);
	s->peer = chassis_peer_new(&pc);
	return s->peer ? start_beats(s) : SRP_ENOMEM;
}

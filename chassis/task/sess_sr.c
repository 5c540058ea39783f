/* sess_sr: the session manager's replica at its aaamgr: the same engine as the replica at the peer, over
 * a socketpair. It runs where the role says so. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/registry.h"
#include "srp/err.h"

#define TURN_BYTES (128u * 1024) /* encoded in one turn of the loop: packets come between */
#define TURN_S     0.0005
#define AGAIN_US   SRP_MS(200)   /* after a stream was lost */

static bool permitted(const struct sessmgr *s)
{
	return srp_role_permit[s->role].sr_replica;
}

static void on_event(void *owner, enum recovery_event ev, const char *why)
{
	struct sessmgr *s = owner;

	switch (ev) {
	case RECOVERY_EV_READY:
		s->sr.go_on = true;
		chassis_log(LOG_INFO, "aaamgr:%u is level", s->ctx->instance);
		break;
	case RECOVERY_EV_PROTOCOL:
		s->sr.go_on = false;
		chassis_log(LOG_ERR, "aaamgr:%u broke the protocol: %s", s->ctx->instance,
		            why ? why : "malformed");
		break;
	default:
		break;
	}
}

static const struct recovery_ops replica_ops = {.event = on_event, .answer = sessmgr_debug_answer_sr};

/* --- the stream -------------------------------------------------------------------------------- */

static void plan(struct sessmgr *s)
{
	struct srp_time now = chassis_now(), due = recovery_replica_due(s->sr.replica);

	if (!s->sr.conn || !due.us) {
		ev_timer_stop(s->ctx->loop, &s->sr.due);
		return;
	}
	s->sr.due.repeat = due.us > now.us ? (double)(due.us - now.us) / 1e6 : TURN_S;
	ev_timer_again(s->ctx->loop, &s->sr.due);
}

static void on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sessmgr *s = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	sessmgr_sr_kick(s);
	plan(s);
}

static void conn_up(void *owner, struct chassis_conn *c)
{
	struct sessmgr *s = owner;

	recovery_replica_up(s->sr.replica, chassis_now());
	chassis_conn_kick(c);
}

static unsigned conn_state(void *owner)
{
	return recovery_replica_link(((struct sessmgr *)owner)->sr.replica);
}

static int conn_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct sessmgr *s = owner;
	enum recovery_link before = recovery_replica_link(s->sr.replica);
	int rc;

	if (fd >= 0)
		close(fd);
	rc = recovery_replica_rx(s->sr.replica, h, body, chassis_now());
	if (rc < 0)
		s->sr.go_on = false;
	chassis_conn_kick(s->sr.conn);
	plan(s);
	if (recovery_replica_link(s->sr.replica) != before)
		sessmgr_publish(s);
	return rc;
}

/* A whole mirror is a hundred megabytes: it goes in parts, a turn of the loop each. */
static size_t conn_tx(void *owner, uint8_t *buf, size_t cap, bool *more)
{
	struct sessmgr *s = owner;
	unsigned turn = ev_iteration(s->ctx->loop);
	size_t n;

	if (turn != s->sr.turn) {
		s->sr.turn = turn;
		s->sr.left = TURN_BYTES;
	}
	if (!s->sr.left) {
		*more = false;
		s->sr.due.repeat = TURN_S;
		ev_timer_again(s->ctx->loop, &s->sr.due);
		return 0;
	}
	n = recovery_replica_tx(s->sr.replica, buf, cap, chassis_now(), more);
	s->sr.left -= n < s->sr.left ? n : s->sr.left;
	return n;
}

static void conn_full(void *owner)
{
	recovery_replica_full(((struct sessmgr *)owner)->sr.replica);
}

static void gone(struct sessmgr *s)
{
	s->sr.conn = NULL;
	s->sr.closed = chassis_now();
	ev_timer_stop(s->ctx->loop, &s->sr.due);
	recovery_replica_down(s->sr.replica, s->sr.closed);
	sessmgr_publish(s);
}

static void conn_down(void *owner, int err, const char *why)
{
	struct sessmgr *s = owner;

	if (err != SRP_ECLOSED) {
		s->sr.go_on = false;
		chassis_log(LOG_ERR, "stream to aaamgr:%u: %s", s->ctx->instance, why);
	}
	gone(s);
}

static const struct chassis_conn_ops conn_ops = {
	.up = conn_up, .state = conn_state, .rx = conn_rx, .tx = conn_tx, .full = conn_full,
	.down = conn_down,
};

static void hang_up(struct sessmgr *s)
{
	chassis_conn_close(s->sr.conn);
	if (s->sr.conn)
		gone(s);
}

/* [mode] with the other end of the stream, or none: what is held is true no more. */
static int tell(struct sessmgr *s, unsigned mode, int fd)
{
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, mode);
	return chassis_task_send(s->ctx, CHASSIS_TASK_AAAMGR, s->ctx->instance, CHASSIS_IPC_SR_LINK, &w, fd);
}

void sessmgr_sr_link(struct sessmgr *s)
{
	struct sessmgr_sr *sr = &s->sr;
	int sv[2], rc;

	if (!sr->replica || sr->conn || sr->phase != SESSMGR_SERVES || !permitted(s) ||
	    !chassis_task_connected(s->ctx, CHASSIS_TASK_AAAMGR, s->ctx->instance) ||
	    (sr->closed.us && srp_time_since(sr->closed, chassis_now()) < AGAIN_US))
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0) {
		chassis_log(LOG_ERR, "stream to aaamgr:%u: %s", s->ctx->instance, strerror(errno));
		sr->closed = chassis_now();
		return;
	}
	rc = tell(s, sr->go_on && ecs_engine_sessions(s->engine), sv[1]);
	close(sv[1]);
	if (rc < 0) {
		close(sv[0]);
		sr->closed = chassis_now();
		return;
	}
	sr->voided = false;
	sr->conn = chassis_conn_new(s->ctx->loop, sv[0], NULL, false, &recovery_frames, &conn_ops, s);
	if (!sr->conn)
		sr->closed = chassis_now();
}

void sessmgr_sr_kick(struct sessmgr *s)
{
	if (s->sr.conn)
		chassis_conn_kick(s->sr.conn);
}

void sessmgr_sr_commit(struct sessmgr *s)
{
	if (s->sr.conn && recovery_replica_flows_wait(s->sr.replica))
		chassis_conn_flush(s->sr.conn);
}

void sessmgr_sr_role(struct sessmgr *s)
{
	struct sessmgr_sr *sr = &s->sr;

	if (!sr->replica)
		return;
	/* The peer's replica may have learnt its key from the peer: with one key the next session manager
	 * in this place takes the hashes of the mirror for both, and the peer need not compute its own
	 * anew. A mirror that is to go on has its hashes already. */
	if (permitted(s) && s->gr && !sr->go_on)
		recovery_replica_rekey(sr->replica, recovery_replica_hkey(s->gr));
	recovery_replica_role(sr->replica, permitted(s) ? SRP_ROLE_ACTIVE : SRP_ROLE_STANDBY, s->term, true,
	                      chassis_now());
	if (permitted(s)) {
		sessmgr_sr_link(s);
		sessmgr_sr_kick(s);
		return;
	}
	/* From here on the mirror grows old: nobody may ever be built from it. */
	hang_up(s);
	sr->go_on = false;
	if (s->role != SRP_ROLE_INIT && !sr->voided)
		sr->voided = tell(s, 0, -1) == SRP_OK;
}

void sessmgr_sr_peer(struct sessmgr *s, bool up)
{
	if (!up)
		sessmgr_recover_ask(s);
	if (!s->sr.replica)
		return;
	if (!up) {
		hang_up(s);
		s->sr.voided = false;
	}
	s->sr.closed.us = 0;
	if (up)
		sessmgr_sr_role(s);
}

void sessmgr_sr_publish(struct sessmgr *s)
{
	struct chassis_slab *slab = s->ctx->slab;

	slab->recovering = s->sr.phase != SESSMGR_SERVES;
	slab->sr_link = s->sr.replica ? recovery_replica_link(s->sr.replica) : RECOVERY_LINK_DOWN;
	slab->sr_level = slab->sr_link == RECOVERY_LINK_READY && s->complete != CHASSIS_FILLING;
}

int sessmgr_sr_start(struct sessmgr *s)
{
	struct recovery_config rc = {
		.id = SRP_REPLICA_SR, .kinds = chassis_kinds, .nkinds = chassis_nkinds,
		.ckpt_owner = s->engine, .ops = &replica_ops, .ops_owner = s,
		.counters = s->ctx->slab->kind[SRP_REPLICA_SR],
		.totals = &s->ctx->slab->replica[SRP_REPLICA_SR],
		.instance = s->ctx->instance, .sink = &s->sink, .hkey = s->hkey,
	};

	if (!s->ctx->shared->config->session_recovery)
		return SRP_OK;
	arc4random_buf(&rc.random, sizeof(rc.random));
	s->sr.replica = recovery_replica_new(&rc);
	if (!s->sr.replica)
		return SRP_ENOMEM;
	s->sink.replica[SRP_REPLICA_SR] = s->sr.replica;
	ev_init(&s->sr.due, on_due);
	s->sr.due.data = s;
	return SRP_OK;
}

void sessmgr_sr_stop(struct sessmgr *s)
{
	if (s->sr.replica)
		hang_up(s);
}

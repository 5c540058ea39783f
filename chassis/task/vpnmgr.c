/* vpnmgr: the task that knows which chassis is active and acts on it. The control link is in vpn_link.c,
 * the role in vpn_role.c, the host's network in vpn_net.c. Its memory that must outlive it is in its
 * slab: a successor goes on in the same role and term, without a switchover. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "chassis/io/netlink.h"
#include "srp/err.h"

#define STOP_MS 2500 /* at most, to hand the role over at an orderly end */
#define RELAY_S 0.3  /* late packets after it */

bool vpn_peer_holds(const struct vpnmgr *v, unsigned instance)
{
	return v->hello_known && instance >= 1 && instance <= v->hello.ninstances &&
	       v->hello.instance[instance - 1].complete;
}

static void on_hello(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpnmgr *v = w->data;

	(void)loop;
	(void)revents;
	vpn_hello(v);
	vpn_link_watch(v, w->repeat);
}

/* For a dead interval: the peer may have taken over. */
static void stood_still(struct vpnmgr *v)
{
	v->stale_at = v->silence.armed = chassis_now();
	v->ctx->slab->task_ctr.stood_still++;
	vpn_event(v, SRP_ROLE_EV_STALE, 0);
}

/* What a session manager says is in its slab already; this is the moment to look. */
static int rx_instance(struct vpnmgr *v, unsigned instance, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8);
	uint64_t complete;
	bool stale;

	(void)srp_mp_uint(r, UINT32_MAX);
	(void)srp_mp_uint(r, UINT32_MAX);
	complete = srp_mp_uint(r, UINT32_MAX);
	stale = srp_mp_bool(r);
	if (n < 4 || r->err)
		return SRP_EFORMAT;
	if (complete == CHASSIS_COMPLETE ||
	    (complete == CHASSIS_STARTED_EMPTY && v->conf->session_recovery))
		v->lost[instance] = false;
	if (v->suspect) {
		v->suspect = false;
		if (stale)
			stood_still(v);
		vpn_tell_role(v);
	}
	vpn_link_level(v);
	vpn_gone_check(v);
	vpn_take_check(v);
	vpn_dead_rearm(v);
	if (stale || v->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, instance)]->applied_role !=
	                     v->ctx->slab->role.role)
		vpn_tell_role(v);
	return SRP_OK;
}

static int rx_switched(struct vpnmgr *v, unsigned instance, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8);
	uint64_t step = srp_mp_uint(r, CHASSIS_STEP__N - 1);
	int64_t status = srp_mp_int(r);
	char text[256];

	srp_mp_str(r, text, sizeof(text));
	if (n < 3 || r->err)
		return SRP_EFORMAT;
	vpn_switched(v, instance, (enum chassis_step)step, (int)status, text);
	return SRP_OK;
}

/* A session manager died: the role stays, for the others are not to be disturbed. Its successor builds the
 * calls from the mirror, where there is one, and asks the peer for the rest. */
static void sessmgr_gone(struct vpnmgr *v, unsigned instance)
{
	v->lost[instance] = true;
	vpn_step_lost(v, instance);
	if (v->role.phase != SRP_PHASE_ACTIVE || v->conf->session_recovery)
		return;
	if (vpn_peer_holds(v, instance))
		chassis_log(LOG_NOTICE, "sessmgr:%u died: its sessions come from the peer", instance);
	else
		chassis_log(LOG_ERR, "sessmgr:%u died and the peer does not hold its sessions: they are lost",
		            instance);
}

static int rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
              const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct vpnmgr *v = ctx->priv;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);

	(void)from;
	(void)fd;
	switch (h->type) {
	case CHASSIS_IPC_INSTANCE: return rx_instance(v, instance, &r);
	case CHASSIS_IPC_SWITCHED: return rx_switched(v, instance, &r);
	case CHASSIS_IPC_QUERY:    return vpn_query(v, &r);
	case CHASSIS_IPC_COMMAND:  return vpn_command(v, &r);
	}
	ctx->slab->task_ctr.frames_refused++;
	return SRP_OK;
}

static void peer(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up)
{
	struct vpnmgr *v = ctx->priv;

	if (task == CHASSIS_TASK_SESSMGR && !up)
		sessmgr_gone(v, instance);
	if (up && !v->suspect && (task == CHASSIS_TASK_SESSMGR || task == CHASSIS_TASK_DEMUXMGR))
		vpn_tell_role(v);
}

static void probed(void *owner, bool nobody)
{
	vpn_event(owner, nobody ? SRP_ROLE_EV_PROBE_FREE : SRP_ROLE_EV_PROBE_TAKEN, 0);
}

static void conflict(void *owner, const struct ecs_addr *a)
{
	struct vpnmgr *v = owner;

	(void)a;
	v->ctx->slab->task_ctr.address_conflicts++;
}

static const struct vpn_net_ops net_ops = {probed, conflict};

/* A gap of a dead interval in our own loop: the peer may have taken over. Said before anything else is
 * done in this turn of the loop (R4). */
static void on_check(struct ev_loop *loop, ev_check *w, int revents)
{
	struct vpnmgr *v = w->data;
	uint64_t gap = chassis_task_gap_us(v->ctx);
	struct srp_time now = chassis_now();

	(void)loop;
	(void)revents;
	v->ctx->slab->role.alive_us = now.us;
	/* A gap that is told twice is one gap. */
	if (!v->conf->srp.present || gap <= v->silence.dead_us || v->role.phase < SRP_PHASE_STANDBY ||
	    srp_time_since(v->stale_at, now) <= gap)
		return;
	chassis_log(LOG_WARNING, "stood still for %llu ms, more than the dead interval",
	            (unsigned long long)(gap / 1000));
	stood_still(v);
}

/* Hellos and the dead timer must not wait for packets: the lowest of the real-time priorities. */
static void be_prompt(void)
{
	const struct sched_param p = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_FIFO, &p) < 0)
		chassis_log(LOG_WARNING, "no real-time priority: a busy machine may delay hellos");
}

static void first_mac(struct vpnmgr *v)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;

	for (size_t i = 0; i < v->conf->niface; i++)
		if (chassis_nl_mac(v->conf->iface[i].name, r->mac) == 0)
			return;
}

static int start(struct chassis_task_ctx *ctx)
{
	struct vpnmgr *v = calloc(1, sizeof(*v));
	struct chassis_role_slab *r = &ctx->slab->role;
	static ev_check gap_check;
	double every;
	int rc;

	if (!v)
		return SRP_ENOMEM;
	ctx->priv = v;
	v->ctx = ctx;
	v->conf = ctx->shared->config;
	v->flush_ms = 300000;
	be_prompt();
	r->incarnation = ctx->shared->incarnation;
	r->chassis_bit = chassis_bit(v->conf);
	if (ctx->slab->starts <= 1)
		r->route_modifier = v->conf->srp.route_modifier;
	first_mac(v);
	vpn_state_load(v);
	v->net = vpn_net_start(ctx, &net_ops, v);
	if (!v->net)
		return SRP_EIO;
	rc = vpn_link_start(v);
	if (rc < 0)
		return rc;
	/* Hellos carry more than life; where beats carry that, hellos need not be as quick. */
	every = v->beats && v->conf->srp.hello_ms < 200 ? 0.2 : v->conf->srp.hello_ms / 1000.;
	ev_timer_init(&v->hello_timer, on_hello, every, every);
	v->hello_timer.data = v;
	if (v->conf->srp.present)
		ev_timer_start(ctx->loop, &v->hello_timer);
	ev_check_init(&gap_check, on_check);
	ev_set_priority(&gap_check, EV_MAXPRI);
	gap_check.data = v;
	ev_check_start(ctx->loop, &gap_check);
	vpn_role_start(v);
	return SRP_OK;
}

/* The peer learns at once whether the configurations are equal. */
static void reconfigured(struct chassis_task_ctx *ctx)
{
	struct vpnmgr *v = ctx->priv;

	if (v->hello_known)
		vpn_config_note(v);
	vpn_hello(v);
}

static void finish(struct vpnmgr *v)
{
	vpn_event(v, SRP_ROLE_EV_STOP, SRP_SWITCH_SHUTDOWN);
	vpn_net_stop(v->net);
	chassis_peer_free(v->peer);
	v->peer = NULL;
	chassis_task_exit(v->ctx, EXIT_SUCCESS);
}

static void on_stop(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpnmgr *v = w->data;

	(void)revents;
	/* Given away, or no way to give it away in time. */
	if (v->role.phase == SRP_PHASE_STANDBY && v->stopping) {
		v->stopping = false;
		w->repeat = RELAY_S;
		ev_timer_again(loop, w);
		return;
	}
	if (v->stopping && !srp_time_due(v->stop_by, chassis_now())) {
		w->repeat = 0.02;
		ev_timer_again(loop, w);
		return;
	}
	ev_timer_stop(loop, w);
	finish(v);
}

static bool any_lost(const struct vpnmgr *v)
{
	for (size_t i = 1; i <= v->ctx->shared->nsessmgr; i++)
		if (v->lost[i])
			return true;
	return false;
}

void vpn_leave(struct vpnmgr *v, bool ready)
{
	static ev_timer stop_timer;
	bool force = v->force;

	if (!ready) {
		finish(v);
		return;
	}
	chassis_log(LOG_NOTICE, "shutting down: the role goes to the peer first");
	v->stopping = true;
	v->flush_ms = 2000;
	v->switch_start = chassis_now();
	v->ctx->slab->role.unfit = force;
	vpn_event(v, SRP_ROLE_EV_SWITCH, force && any_lost(v) ? SRP_SWITCH_SESSMGR : SRP_SWITCH_SHUTDOWN);
	ev_timer_init(&stop_timer, on_stop, 0.02, 0.02);
	stop_timer.data = v;
	ev_timer_start(v->ctx->loop, &stop_timer);
}

static void stop(struct chassis_task_ctx *ctx)
{
	struct vpnmgr *v = ctx->priv;
	char why[120];
	bool ready;

	if (v->role.phase != SRP_PHASE_ACTIVE) {
		finish(v);
		return;
	}
	/* A task of this chassis cannot be kept alive: the peer is better off even where not all is level. */
	v->force = ctx->shared->slab[0]->sr.giving_up && v->conn.state >= SRP_CONN_SYNC &&
	           v->hello_known && v->hello.role == SRP_ROLE_STANDBY;
	v->stop_by = srp_time_add(chassis_now(), SRP_MS(STOP_MS));
	ready = v->force || vpn_ready(v, why, sizeof(why));
	if (!ready && vpn_audit_first(v, VPN_ASKED_STOP, 1))
		return;
	vpn_leave(v, ready);
}

/* NET_ADMIN (12): addresses, routes; NET_RAW (13): announcements; SYS_NICE (23): its own priority. */
const struct chassis_task_row chassis_task_vpnmgr = {
	.task = CHASSIS_TASK_VPNMGR,
	.name = "vpnmgr",
	.config_use = CHASSIS_CONFIG_DIGEST,
	.reconfigured = reconfigured,
	.capabilities = UINT64_C(1) << 12 | UINT64_C(1) << 13 | UINT64_C(1) << 23,
	.start = start,
	.stop = stop,
	.rx = rx,
	.peer = peer,
	.peers = {CHASSIS_TASK_SCT, CHASSIS_TASK_DEMUXMGR, CHASSIS_TASK_SESSMGR, CHASSIS_TASK_SUPERVISOR},
};

/* vpn_act: carries out what the role machine decides: an action each, and the table of them. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "srp/err.h"

#define TAKE_WAIT_S 0.05 /* for the instances to read what a dead peer had sent */

typedef void act_fn(struct vpnmgr *v, const struct srp_role_step *st);

/* --- the instances ------------------------------------------------------------------------------------- */

static void tell_role_one(struct vpnmgr *v, enum chassis_task to, unsigned i)
{
	const struct chassis_role_slab *r = &v->ctx->slab->role;
	uint8_t buf[64];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 5);
	srp_mp_w_uint(&w, r->role);
	srp_mp_w_uint(&w, r->term);
	srp_mp_w_uint(&w, r->last_reason);
	srp_mp_w_bool(&w, i && vpn_peer_holds(v, i));
	srp_mp_w_uint(&w, v->relay_ms);
	chassis_task_send(v->ctx, to, i, CHASSIS_IPC_ROLE, &w, -1);
}

void vpn_tell_role(struct vpnmgr *v)
{
	for (unsigned i = 1; i <= vpn_instances(v); i++)
		tell_role_one(v, CHASSIS_TASK_SESSMGR, i);
	tell_role_one(v, CHASSIS_TASK_DEMUXMGR, 0);
}

static void step_send(struct vpnmgr *v, enum chassis_step step, unsigned i)
{
	uint8_t buf[32];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, step);
	srp_mp_w_uint(&w, v->ctx->slab->role.term);
	chassis_task_send(v->ctx, CHASSIS_TASK_SESSMGR, i, CHASSIS_IPC_SWITCH, &w, -1);
}

static void step_done(struct vpnmgr *v)
{
	for (unsigned i = 1; i <= vpn_instances(v); i++)
		if (v->step.waits[i])
			return;
	v->step.running = false;
	vpn_event(v, v->step.step == CHASSIS_STEP_FLUSH ? SRP_ROLE_EV_LEVEL : SRP_ROLE_EV_FLUSHED, 0);
}

/* Asks every living instance that has a level peer. One that died has nothing to hand over; its loss is
 * the reason of this switchover, or is found by the checks before it. */
static void step_begin(struct vpnmgr *v, enum chassis_step step)
{
	memset(&v->step, 0, sizeof(v->step));
	v->step.step = step;
	v->step.running = true;
	for (unsigned i = 1; i <= vpn_instances(v); i++)
		v->step.waits[i] = !v->lost[i] && chassis_task_connected(v->ctx, CHASSIS_TASK_SESSMGR, i) &&
		                   vpn_instance_slab(v, i)->complete == CHASSIS_COMPLETE;
	for (unsigned i = 1; i <= vpn_instances(v); i++)
		if (v->step.waits[i])
			step_send(v, step, i);
	step_done(v);
}

void vpn_audit(struct vpnmgr *v)
{
	for (unsigned i = 1; i <= vpn_instances(v); i++)
		step_send(v, CHASSIS_STEP_AUDIT, i);
}

static void thaw(struct vpnmgr *v)
{
	v->step.running = false;
	for (unsigned i = 1; i <= vpn_instances(v); i++)
		step_send(v, CHASSIS_STEP_THAW, i);
}

void vpn_switched(struct vpnmgr *v, unsigned instance, enum chassis_step step, int status,
                  const char *text)
{
	if (!v->step.running || step != v->step.step || instance > vpn_instances(v))
		return;
	if (status < 0) {
		chassis_log(LOG_WARNING, "switchover: sessmgr:%u cannot %s: %s", instance,
		            step == CHASSIS_STEP_FLUSH ? "flush" : "freeze", text[0] ? text : srp_strerror(status));
		v->step.running = false;
		vpn_event(v, SRP_ROLE_EV_FLUSH_FAILED, 0);
		return;
	}
	v->step.waits[instance] = false;
	step_done(v);
}

void vpn_step_lost(struct vpnmgr *v, unsigned instance)
{
	if (v->step.running && v->step.waits[instance]) {
		v->step.running = false;
		vpn_event(v, SRP_ROLE_EV_FLUSH_FAILED, 0);
	}
}

/* --- parts of actions ---------------------------------------------------------------------------------- */

void vpn_relay_off(struct vpnmgr *v)
{
	ev_timer_stop(v->ctx->loop, &v->relay_timer);
	vpn_net_relay(v->net, false);
	v->relay_ms = 0;
}

/* The sessmgrs first: no packet comes before the addresses are announced, and none may then wait. */
static void activate(struct vpnmgr *v)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;

	vpn_relay_off(v);
	if (v->hello_known && r->route_modifier >= r->peer_route_modifier)
		r->route_modifier = r->peer_route_modifier ? r->peer_route_modifier - 1 : 0;
	r->active_since_us = chassis_now().us;
	r->unfit = 0;
	vpn_tell_role(v);
	vpn_net_active(v->net, true);
}

/* No longer the owner: first nobody forwards, then the addresses go. */
static void withdraw(struct vpnmgr *v)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;

	vpn_tell_role(v);
	vpn_net_active(v->net, false);
	r->route_modifier += 8;
	if (r->route_modifier > 96)
		r->route_modifier = v->conf->srp.route_modifier;
}

static void relay_on(struct vpnmgr *v)
{
	vpn_net_relay(v->net, true);
	v->relay_ms = v->conf->srp.relay_ms;
	vpn_tell_role(v);
	v->relay_timer.repeat = (double)v->relay_ms / 1000. + 0.001;
	ev_timer_again(v->ctx->loop, &v->relay_timer);
}

static void send_term(struct vpnmgr *v, uint8_t type, int (*encode)(uint32_t, void *, size_t))
{
	uint8_t body[64];

	vpn_send(v, type, body, encode(v->ctx->slab->role.term, body, sizeof(body)));
}

static void send_prepare(struct vpnmgr *v)
{
	struct srp_switch_prepare m = {.id = v->role.attempt, .term = v->ctx->slab->role.term,
	                               .reason = v->role.asked, .timeout_ms = v->flush_ms, .force = v->force};
	uint8_t body[64];

	vpn_send(v, SRP_CONTROL_SWITCH_PREPARE, body, srp_switch_prepare_encode(&m, body, sizeof(body)));
}

static void send_ready(struct vpnmgr *v, int status, const char *text)
{
	struct srp_status m = {.id = v->role.attempt, .status = status};
	uint8_t body[256];

	snprintf(m.text, sizeof(m.text), "%s", text);
	vpn_send(v, SRP_CONTROL_SWITCH_READY, body, srp_switch_ready_encode(&m, body, sizeof(body)));
}

static void send_abort(struct vpnmgr *v, const char *why)
{
	uint8_t body[256];

	vpn_send(v, SRP_CONTROL_SWITCH_ABORT, body, srp_switch_abort_encode(why, body, sizeof(body)));
}

/* --- actions ------------------------------------------------------------------------------------------- */

static void act_listen(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	withdraw(v);
}

static void act_probe(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	vpn_net_probe(v->net);
}

static void act_rearm(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	v->silence.armed = chassis_now();
}

static void act_follow(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	v->silence.armed = chassis_now();
	vpn_tell_role(v);
}

static void act_take(struct vpnmgr *v, const struct srp_role_step *st)
{
	vpn_term_take(v);
	vpn_loss_begin(v);
	/* A silent peer has delivered all it could; one whose streams ended may have bytes in our sockets. */
	if (st->reason == SRP_SWITCH_DEAD_TIMER) {
		ev_feed_event(v->ctx->loop, &v->take_timer, EV_TIMER);
		return;
	}
	v->take_timer.repeat = TAKE_WAIT_S;
	ev_timer_again(v->ctx->loop, &v->take_timer);
	vpn_take_check(v);
}

static void act_activate(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	activate(v);
}

static void act_assume(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	vpn_loss_begin(v);
	vpn_term_take(v);
	activate(v);
}

static void act_assume_taken(struct vpnmgr *v, const struct srp_role_step *st)
{
	act_assume(v, st);
	send_term(v, SRP_CONTROL_TAKEN, srp_taken_encode);
}

static void act_send_taken(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	send_term(v, SRP_CONTROL_TAKEN, srp_taken_encode);
}

static void act_raise_term(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	vpn_term_take(v);
	activate(v);
}

static void act_step_down(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	withdraw(v);
	vpn_reply(v, &v->oper_id, SRP_ESTATE, "this chassis stepped down");
}

static void act_leave(struct vpnmgr *v, const struct srp_role_step *st)
{
	uint8_t body[64];

	(void)st;
	withdraw(v);
	vpn_send(v, SRP_CONTROL_BYE, body, srp_bye_encode(SRP_SWITCH_SHUTDOWN, body, sizeof(body)));
}

void vpn_take_check(struct vpnmgr *v)
{
	if (v->role.phase != SRP_PHASE_TAKEOVER)
		return;
	for (unsigned i = 1; i <= vpn_instances(v); i++)
		if (vpn_instance_slab(v, i)->link != RECOVERY_LINK_DOWN)
			return;
	ev_timer_stop(v->ctx->loop, &v->take_timer);
	vpn_event(v, SRP_ROLE_EV_TAKEN_OVER, 0);
}

/* --- those of a planned switchover --------------------------------------------------------------------- */

static void act_prepare(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	vpn_loss_begin(v);
	vpn_tell_role(v);
	send_prepare(v);
}

static void act_send_ready(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	vpn_loss_begin(v);
	vpn_tell_role(v);
	send_ready(v, SRP_OK, "");
}

static void act_flush(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	step_begin(v, CHASSIS_STEP_FLUSH);
}

static void act_freeze(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	step_begin(v, CHASSIS_STEP_FREEZE);
}

static void act_resend(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	send_term(v, SRP_CONTROL_HANDOVER, srp_handover_encode);
}

static void act_hand_over(struct vpnmgr *v, const struct srp_role_step *st)
{
	vpn_net_active(v->net, false);
	act_resend(v, st);
}

static void act_relay(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	relay_on(v);
	vpn_reply(v, &v->oper_id, SRP_OK, "");
}

static void stay_active(struct vpnmgr *v, bool tell)
{
	thaw(v);
	if (tell)
		send_abort(v, "the active chassis gave the switchover up");
	vpn_tell_role(v);
	vpn_reply(v, &v->oper_id, SRP_ESTATE, "the switchover was aborted; this chassis stays active");
	chassis_log(LOG_ERR, "planned switchover aborted; this chassis stays active");
}

static void act_abort(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	stay_active(v, true);
}

static void act_thaw(struct vpnmgr *v, const struct srp_role_step *st)
{
	(void)st;
	stay_active(v, false);
	vpn_net_active(v->net, true);
}

static void act_cancel_tell(struct vpnmgr *v, const struct srp_role_step *st)
{
	act_follow(v, st);
	send_abort(v, "the standby chassis gave the switchover up");
}

/* --- the table ----------------------------------------------------------------------------------------- */

/* NULL: nothing is to be done. */
static act_fn *action(enum srp_role_action a)
{
	switch (a) {
	case SRP_ROLE_ACT_LISTEN:       return act_listen;
	case SRP_ROLE_ACT_PROBE:        return act_probe;
	case SRP_ROLE_ACT_FOLLOW:       return act_follow;
	case SRP_ROLE_ACT_CANCEL:       return act_follow;
	case SRP_ROLE_ACT_REARM:        return act_rearm;
	case SRP_ROLE_ACT_TAKE:         return act_take;
	case SRP_ROLE_ACT_ACTIVATE:     return act_activate;
	case SRP_ROLE_ACT_ASSUME:       return act_assume;
	case SRP_ROLE_ACT_ASSUME_TAKEN: return act_assume_taken;
	case SRP_ROLE_ACT_SEND_TAKEN:   return act_send_taken;
	case SRP_ROLE_ACT_RAISE_TERM:   return act_raise_term;
	case SRP_ROLE_ACT_STEP_DOWN:    return act_step_down;
	case SRP_ROLE_ACT_LEAVE:        return act_leave;
	case SRP_ROLE_ACT_PREPARE:      return act_prepare;
	case SRP_ROLE_ACT_SEND_READY:   return act_send_ready;
	case SRP_ROLE_ACT_FLUSH:        return act_flush;
	case SRP_ROLE_ACT_FREEZE:       return act_freeze;
	case SRP_ROLE_ACT_HAND_OVER:    return act_hand_over;
	case SRP_ROLE_ACT_RESEND:       return act_resend;
	case SRP_ROLE_ACT_RELAY:        return act_relay;
	case SRP_ROLE_ACT_ABORT:        return act_abort;
	case SRP_ROLE_ACT_THAW:         return act_thaw;
	case SRP_ROLE_ACT_CANCEL_TELL:  return act_cancel_tell;
	case SRP_ROLE_ACT_NONE:
	case SRP_ROLE_ACT__N:
		break;
	}
	return NULL;
}

void vpn_act(struct vpnmgr *v, const struct srp_role_step *st)
{
	act_fn *act = action(st->act);

	if (act)
		act(v, st);
}

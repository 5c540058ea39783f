/* vpn_role: carries out what the role machine decides. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "srp/err.h"

#define TAKE_WAIT_S 0.05 /* for the instances to read what a dead peer had sent */

static unsigned ninstances(const struct vpnmgr *v)
{
	return (unsigned)v->ctx->shared->nsessmgr;
}

static const struct chassis_slab *instance_slab(const struct vpnmgr *v, unsigned i)
{
	return v->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i)];
}

/* --- the instances ------------------------------------------------------------------------------------ */

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
	for (unsigned i = 1; i <= ninstances(v); i++)
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
	for (unsigned i = 1; i <= ninstances(v); i++)
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
	for (unsigned i = 1; i <= ninstances(v); i++)
		v->step.waits[i] = !v->lost[i] && chassis_task_connected(v->ctx, CHASSIS_TASK_SESSMGR, i) &&
		                   instance_slab(v, i)->complete == CHASSIS_COMPLETE;
	for (unsigned i = 1; i <= ninstances(v); i++)
		if (v->step.waits[i])
			step_send(v, step, i);
	step_done(v);
}

static void thaw(struct vpnmgr *v)
{
	v->step.running = false;
	for (unsigned i = 1; i <= ninstances(v); i++)
		step_send(v, CHASSIS_STEP_THAW, i);
}

void vpn_switched(struct vpnmgr *v, unsigned instance, enum chassis_step step, int status,
                  const char *text)
{
	if (!v->step.running || step != v->step.step || instance > ninstances(v))
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

static void relay_off(struct vpnmgr *v)
{
	ev_timer_stop(v->ctx->loop, &v->relay_timer);
	vpn_net_relay(v->net, false);
	v->relay_ms = 0;
}

/* The sessmgrs first: no packet comes before the addresses are announced, and none may then wait. */
static void activate(struct vpnmgr *v)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;

	relay_off(v);
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

static void leave(struct vpnmgr *v)
{
	uint8_t body[64];

	withdraw(v);
	vpn_send(v, SRP_CONTROL_BYE, body, srp_bye_encode(SRP_SWITCH_SHUTDOWN, body, sizeof(body)));
}

/* --- actions ------------------------------------------------------------------------------------------- */

static void act_abort(struct vpnmgr *v, bool tell)
{
	thaw(v);
	if (tell)
		send_abort(v, "the active chassis gave the switchover up");
	vpn_tell_role(v);
	vpn_reply(v, &v->oper_id, SRP_ESTATE, "the switchover was aborted; this chassis stays active");
	chassis_log(LOG_ERR, "planned switchover aborted; this chassis stays active");
}

static void act_take(struct vpnmgr *v, enum srp_switch_reason reason)
{
	vpn_term_take(v);
	vpn_loss_begin(v);
	/* A silent peer has delivered all it could; one whose streams ended may have bytes in our sockets. */
	if (reason == SRP_SWITCH_DEAD_TIMER) {
		ev_feed_event(v->ctx->loop, &v->take_timer, EV_TIMER);
		return;
	}
	v->take_timer.repeat = TAKE_WAIT_S;
	ev_timer_again(v->ctx->loop, &v->take_timer);
	vpn_take_check(v);
}

void vpn_take_check(struct vpnmgr *v)
{
	if (v->role.phase != SRP_PHASE_TAKEOVER)
		return;
	for (unsigned i = 1; i <= ninstances(v); i++)
		if (instance_slab(v, i)->link != RECOVERY_LINK_DOWN)
			return;
	ev_timer_stop(v->ctx->loop, &v->take_timer);
	vpn_event(v, SRP_ROLE_EV_TAKEN_OVER, 0);
}

static void assume(struct vpnmgr *v, const struct srp_role_step *st)
{
	vpn_loss_begin(v);
	vpn_term_take(v);
	activate(v);
	if (st->act == SRP_ROLE_ACT_ASSUME_TAKEN)
		send_term(v, SRP_CONTROL_TAKEN, srp_taken_encode);
}

static void relay(struct vpnmgr *v)
{
	relay_on(v);
	vpn_reply(v, &v->oper_id, SRP_OK, "");
}

static void carry_out(struct vpnmgr *v, const struct srp_role_step *st)
{
	switch (st->act) {
	case SRP_ROLE_ACT_NONE:
		break;
	case SRP_ROLE_ACT_LISTEN:
		withdraw(v);
		break;
	case SRP_ROLE_ACT_PROBE:
		vpn_net_probe(v->net);
		break;
	case SRP_ROLE_ACT_FOLLOW:
	case SRP_ROLE_ACT_CANCEL:
		v->silence.armed = chassis_now();
		vpn_tell_role(v);
		break;
	case SRP_ROLE_ACT_REARM:
		v->silence.armed = chassis_now();
		break;
	case SRP_ROLE_ACT_TAKE:
		act_take(v, st->reason);
		break;
	case SRP_ROLE_ACT_ACTIVATE:
		activate(v);
		break;
	case SRP_ROLE_ACT_ASSUME:
	case SRP_ROLE_ACT_ASSUME_TAKEN:
		assume(v, st);
		break;
	case SRP_ROLE_ACT_SEND_TAKEN:
		send_term(v, SRP_CONTROL_TAKEN, srp_taken_encode);
		break;
	case SRP_ROLE_ACT_RAISE_TERM:
		vpn_term_take(v);
		activate(v);
		break;
	case SRP_ROLE_ACT_PREPARE:
		vpn_loss_begin(v);
		vpn_tell_role(v);
		send_prepare(v);
		break;
	case SRP_ROLE_ACT_SEND_READY:
		vpn_loss_begin(v);
		vpn_tell_role(v);
		send_ready(v, SRP_OK, "");
		break;
	case SRP_ROLE_ACT_FLUSH:
		step_begin(v, CHASSIS_STEP_FLUSH);
		break;
	case SRP_ROLE_ACT_FREEZE:
		step_begin(v, CHASSIS_STEP_FREEZE);
		break;
	case SRP_ROLE_ACT_HAND_OVER:
		vpn_net_active(v->net, false);
		send_term(v, SRP_CONTROL_HANDOVER, srp_handover_encode);
		break;
	case SRP_ROLE_ACT_RESEND:
		send_term(v, SRP_CONTROL_HANDOVER, srp_handover_encode);
		break;
	case SRP_ROLE_ACT_RELAY:
		relay(v);
		break;
	case SRP_ROLE_ACT_ABORT:
		act_abort(v, true);
		break;
	case SRP_ROLE_ACT_THAW:
		act_abort(v, false);
		vpn_net_active(v->net, true);
		break;
	case SRP_ROLE_ACT_CANCEL_TELL:
		v->silence.armed = chassis_now();
		vpn_tell_role(v);
		send_abort(v, "the standby chassis gave the switchover up");
		break;
	case SRP_ROLE_ACT_STEP_DOWN:
		withdraw(v);
		vpn_reply(v, &v->oper_id, SRP_ESTATE, "this chassis stepped down");
		break;
	case SRP_ROLE_ACT_LEAVE:
		leave(v);
		break;
	case SRP_ROLE_ACT__N:
		break;
	}
}

/* Milliseconds of a phase whose timer has a configured length. */
static uint32_t timer_ms(const struct vpnmgr *v, enum srp_role_timer t)
{
	const struct chassis_srp_config *c = &v->conf->srp;

	switch (t) {
	case SRP_TIMER_START:    return c->present ? c->delay_ms + c->dead_ms : 0;
	case SRP_TIMER_PREPARED: return v->flush_ms + c->dead_ms;
	case SRP_TIMER_FLUSH:    return v->flush_ms;
	case SRP_TIMER_HANDED:   return c->dead_ms;
	default:                 return 0;
	}
}

static void arm_phase(struct vpnmgr *v)
{
	uint32_t ms;
	enum srp_role_timer t = srp_phase_timer(v->role.phase, &ms);

	ev_timer_stop(v->ctx->loop, &v->phase_timer);
	if (t == SRP_TIMER_NONE || t == SRP_TIMER_DEAD)
		return;
	if (!ms)
		ms = timer_ms(v, t);
	v->phase_timer.repeat = ms / 1000. + 0.001;
	ev_timer_again(v->ctx->loop, &v->phase_timer);
}

/* True for the edges on which the owner of the traffic changed in order. */
static bool planned(const struct srp_role_step *st)
{
	return st->act == SRP_ROLE_ACT_ASSUME_TAKEN || st->act == SRP_ROLE_ACT_RELAY;
}

/* Each switchover is written down once, when the new owner forwards. A start is none, and who leaves in
 * order without a peer has nobody to switch to. */
static void account(struct vpnmgr *v, const struct srp_role_step *st)
{
	if (st->act == SRP_ROLE_ACT_ACTIVATE) {
		if (v->taking != SRP_SWITCH_START)
			vpn_loss_end(v, false, v->taking);
	} else if (st->switched && st->act != SRP_ROLE_ACT_TAKE && st->reason != SRP_SWITCH_START &&
	           (planned(st) || st->reason != SRP_SWITCH_SHUTDOWN)) {
		vpn_loss_end(v, planned(st), st->reason);
	}
}

/* A switchover that neither succeeded nor was aborted: nobody answered, the peer went, we stood still. */
static void tell_operator(struct vpnmgr *v)
{
	const struct chassis_role_slab *r = &v->ctx->slab->role;
	char text[120];

	if (!v->oper_id || r->role == SRP_ROLE_PENDING_STANDBY)
		return;
	snprintf(text, sizeof(text), "the switchover was not finished: this chassis is %s, reason %s",
	         srp_role_name((enum srp_role)r->role), srp_switch_reason_name(r->last_reason));
	vpn_reply(v, &v->oper_id, SRP_ESTATE, text);
}

/* What every step is followed by, once the machine has decided. */
static void follow(struct vpnmgr *v, enum srp_role_event ev, const struct srp_role_step *st)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;

	if (st->switched)
		r->last_reason = st->reason;
	r->phase = st->to;
	r->role = srp_phase_role(st->to);
	r->asked = v->role.asked;
	if (st->from != st->to)
		chassis_log(st->switched ? LOG_NOTICE : LOG_INFO, "%s: %s -> %s on %s%s%s",
		            srp_role_name((enum srp_role)r->role), srp_phase_name(st->from),
		            srp_phase_name(st->to), srp_role_event_name(ev), st->switched ? ", reason " : "",
		            st->switched ? srp_switch_reason_name(st->reason) : "");
	/* Before the action: it may end in the event that the account is made at. */
	if (st->switched && st->act == SRP_ROLE_ACT_TAKE)
		v->taking = st->reason;
	carry_out(v, st);
	tell_operator(v);
	/* An action may have led on to a further event: what follows is of the phase that is now. */
	account(v, st);
	if (st->from != st->to && v->role.phase == st->to) {
		arm_phase(v);
		vpn_dead_rearm(v);
		vpn_hello(v);
	}
}

void vpn_event(struct vpnmgr *v, enum srp_role_event ev, enum srp_switch_reason reason)
{
	struct srp_role_step st;

	if (srp_role_step(&v->role, ev, reason, &st) == 0)
		follow(v, ev, &st);
	else
		chassis_log(LOG_DEBUG, "event %s has no edge in phase %s", srp_role_event_name(ev),
		            srp_phase_name(v->role.phase));
}

int vpn_event_rx(struct vpnmgr *v, enum srp_role_event ev, uint32_t id, enum srp_switch_reason reason)
{
	struct srp_role_step st;
	int rc = srp_role_rx(&v->role, ev, id, reason, &st);

	if (rc == 0)
		follow(v, ev, &st);
	return rc == SRP_ESTATE ? SRP_OK : rc;
}

/* --- timers --------------------------------------------------------------------------------------------- */

static uint64_t last_delivery(const struct vpnmgr *v)
{
	uint64_t last = 0;

	for (unsigned i = 1; i <= ninstances(v); i++)
		if (instance_slab(v, i)->peer_rx_us > last)
			last = instance_slab(v, i)->peer_rx_us;
	return last;
}

void vpn_dead_rearm(struct vpnmgr *v)
{
	struct srp_time at, now = chassis_now();

	/* Who is nothing yet waits for nobody's death, and would wake for it all the time. */
	if (v->role.phase < SRP_PHASE_STANDBY) {
		ev_timer_stop(v->ctx->loop, &v->dead_timer);
		return;
	}
	v->silence.delivered.us = last_delivery(v);
	at = srp_role_dead_at(&v->silence);
	v->dead_timer.repeat = at.us > now.us ? (double)(at.us - now.us) / 1e6 : 0.0005;
	ev_timer_again(v->ctx->loop, &v->dead_timer);
}

static void on_dead(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpnmgr *v = w->data;

	(void)loop;
	(void)revents;
	v->silence.delivered.us = last_delivery(v);
	if (v->role.phase >= SRP_PHASE_STANDBY && srp_role_silent(&v->silence, chassis_now())) {
		v->silence.armed = chassis_now();
		/* Where the table knows no edge, a silent peer changes nothing. */
		if (srp_role_permits(v->role.phase, SRP_ROLE_EV_PEER_DEAD, NULL))
			vpn_event(v, SRP_ROLE_EV_PEER_DEAD, 0);
	}
	vpn_dead_rearm(v);
}

static void on_phase(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpnmgr *v = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	vpn_event(v, srp_phase_timer(v->role.phase, NULL) == SRP_TIMER_START ? SRP_ROLE_EV_ALONE
	                                                                     : SRP_ROLE_EV_TIMEOUT, 0);
}

static void on_take(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpnmgr *v = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	if (v->role.phase == SRP_PHASE_TAKEOVER)
		vpn_event(v, SRP_ROLE_EV_TAKEN_OVER, 0);
}

static void on_relay(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	relay_off(w->data);
}

static void timer(struct vpnmgr *v, ev_timer *t, void (*fn)(struct ev_loop *, ev_timer *, int))
{
	ev_init(t, fn);
	t->data = v;
}

/* Goes on where a predecessor died, or begins. */
void vpn_role_start(struct vpnmgr *v)
{
	struct chassis_role_slab *r = &v->ctx->slab->role;
	struct srp_role_step st = {.from = SRP_PHASE_DOWN};

	timer(v, &v->dead_timer, on_dead);
	timer(v, &v->phase_timer, on_phase);
	timer(v, &v->take_timer, on_take);
	timer(v, &v->relay_timer, on_relay);
	v->role.ctr = &v->ctx->slab->srp;
	v->silence.dead_us = SRP_MS(v->conf->srp.dead_ms);
	v->silence.armed = chassis_now();
	if (r->phase == SRP_PHASE_DOWN) {
		vpn_event(v, SRP_ROLE_EV_START, 0);
		return;
	}
	/* The predecessor may have died with its chassis standing still: the session managers know. */
	v->suspect = v->conf->srp.present &&
	             srp_time_since((struct srp_time){r->alive_us}, chassis_now()) > v->silence.dead_us;
	st.act = srp_role_resume(&v->role, (enum srp_phase)r->phase);
	if (r->asked < SRP_SWITCH__N)
		v->taking = st.reason = v->role.asked = (enum srp_switch_reason)r->asked;
	st.to = v->role.phase;
	r->phase = st.to;
	r->role = srp_phase_role(st.to);
	chassis_log(LOG_NOTICE, "goes on as %s in term %u.%u", srp_role_name((enum srp_role)r->role),
	            srp_term_number(r->term), srp_term_bit(r->term));
	carry_out(v, &st);
	arm_phase(v);
	vpn_dead_rearm(v);
	/* The predecessor may have died between its decision and the deed: what the addresses should be
	 * is said again, and changes nothing where they are so. */
	vpn_net_active(v->net, r->role == SRP_ROLE_ACTIVE);
	vpn_tell_role(v);
}

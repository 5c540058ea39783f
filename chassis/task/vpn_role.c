/* vpn_role: feeds the role machine with events, and sees to what follows each of its steps. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <stdio.h>
#include <syslog.h>

#include "srp/err.h"

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
	vpn_act(v, st);
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

	for (unsigned i = 1; i <= vpn_instances(v); i++)
		if (vpn_instance_slab(v, i)->peer_rx_us > last)
			last = vpn_instance_slab(v, i)->peer_rx_us;
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
	vpn_relay_off(w->data);
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
	vpn_act(v, &st);
	arm_phase(v);
	vpn_dead_rearm(v);
	/* The predecessor may have died between its decision and the deed: what the addresses should be
	 * is said again, and changes nothing where they are so. */
	vpn_net_active(v->net, r->role == SRP_ROLE_ACTIVE);
	vpn_tell_role(v);
}

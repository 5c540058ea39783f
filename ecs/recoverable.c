#include "config.h"
#include "ecs/recoverable.h"

#include "ecs/app.h"
#include "ecs/engine_impl.h"
#include "ecs/unsent.h"

enum { L7_INELIGIBLE = 1, L7_ELIGIBLE }; /* of ecs_session.l7_eligible */

/* --- eligibility ------------------------------------------------------------------------------ */

/* By the name of the rule (the action line that matched, group or ruledef), under the session's
 * scheme. The answer is kept with the ref: all sessions of a ref mostly have one scheme. */
static bool rule_eligible(struct ecs_engine *e, const struct ecs_session *s, uint16_t ref,
                          uint32_t *delay)
{
	struct ecs_ruleref *r = ecs_ruleref_get(e->refs, ref);
	uint32_t d = 0;

	*delay = 0;
	if (!r || r->gone || r->bind == ECS_BIND_NO_RULE || r->bind == ECS_BIND_NO_RULEBASE ||
	    s->scheme < 0)
		return false;
	if (!r->judged || r->scheme != s->scheme) {
		r->eligible = ecs_service_eligible(e->conf.service, s->scheme, r->rule, r->dynamic, &d);
		r->p2p = ECS_P2P_NOT;
		if (r->eligible && !r->dynamic)
			r->p2p = (uint8_t)ecs_service_p2p_barred(e->conf.service, r->rule);
		r->delay = r->eligible ? (uint16_t)d : 0;
		r->scheme = s->scheme;
		r->judged = true;
	}
	*delay = r->delay;
	return r->eligible;
}

/* A flow of a P2P rule, which is not checkpointed for that; asked when its rule is eligible. */
static bool is_p2p(struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

	if (!r || !r->judged || !r->eligible || r->p2p == ECS_P2P_NOT)
		return false;
	return r->p2p == ECS_P2P_ALL || ecs_app_behavior(f->app, f->app_master) == ECS_BEHAVIOR_P2P;
}

static bool eligible(struct ecs_engine *e, const struct ecs_flow *f, uint32_t *delay)
{
	*delay = 0;
	return f->triggered && !(f->flags & ECS_FLOW_F_RESTING) &&
	       rule_eligible(e, f->session, f->ref, delay) && !is_p2p(e, f);
}

/* --- slots ------------------------------------------------------------------------------------ */

static bool call_full(const struct ecs_engine *e, const struct ecs_session *s)
{
	return s->slots >= ecs_service_flow_chkpt_limit(e->conf.service);
}

static bool instance_full(const struct ecs_engine *e)
{
	return e->slots >= ECS_FLOW_CHKPT_PER_SESSMGR;
}

/* The slots of a call change, or are asked for: notes, once in a generation, whether all were
 * taken. */
static void note_full(const struct ecs_engine *e, struct ecs_session *s)
{
	if (!e->active || s->full_gen == e->gen)
		return;
	s->full_gen = e->gen;
	s->full_then = call_full(e, s);
}

/* Sessions that wait for nothing but a slot of the instance are on a list, in their order of
 * coming. */
static void starve(struct ecs_engine *e, struct ecs_session *s)
{
	bool is = !ecs_list_empty(&s->waiting) && !call_full(e, s);

	if (is && !ecs_list_on(&s->starved))
		ecs_list_add_tail(&e->starved, &s->starved);
	else if (!is)
		ecs_list_del(&s->starved);
}

static void wait_for_slot(struct ecs_engine *e, struct ecs_flow *f)
{
	f->flags |= ECS_FLOW_F_WAITING;
	ecs_list_add_tail(&f->session->waiting, &f->waiting);
	if (call_full(e, f->session))
		e->conf.counters->limit_call++;
	else
		e->conf.counters->limit_sessmgr++;
	starve(e, f->session);
	ecs_unsent_flow(e, f);
}

static void stop_waiting(struct ecs_engine *e, struct ecs_flow *f)
{
	f->flags &= (uint16_t)~ECS_FLOW_F_WAITING;
	ecs_list_del(&f->waiting);
	starve(e, f->session);
	ecs_unsent_changed(e, f->session);
}

/* --- the first send --------------------------------------------------------------------------- */

static void take_slot(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	note_full(e, f->session);
	ecs_flow_slot(e, f, true);
	ecs_tell_changed(e, &f->ckpt, now);
	ecs_unsent_flow(e, f);
}

/* The delay is over: a place, if there is one, and nobody waits for it. */
static void claim(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	const struct ecs_session *s = f->session;

	if (call_full(e, s) || instance_full(e) || !ecs_list_empty(&s->waiting))
		wait_for_slot(e, f);
	else
		take_slot(e, f, now);
}

/* Arms what is left of the delay, which counts from the flow's creation. False: it is over; without
 * memory for one too. */
static bool delayed(struct ecs_engine *e, struct ecs_flow *f, uint32_t delay, struct srp_time now)
{
	uint64_t age = srp_time_since(f->created, now), left;

	ecs_flow_undelay(e, f);
	if (age >= SRP_SEC(delay) || ecs_flow_delay(e, f, delay) != 0)
		return false;
	left = (SRP_SEC(delay) - age + SRP_MS(1) - 1) / SRP_MS(1);
	ecs_wheel_arm(e->wheel, f->delay, left);
	return true;
}

/* Takes the oldest off the waiting flows of a call: it gets the slot that is free. */
static void serve_one(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct ecs_flow *f = ECS_CONTAINER(s->waiting.next, struct ecs_flow, waiting);
	uint32_t delay;

	ecs_list_del(&f->waiting);
	f->flags &= (uint16_t)~ECS_FLOW_F_WAITING;
	ecs_unsent_changed(e, s);
	/* One that waited before this chassis lost its role and got it back was never told: it goes
	 * with its next packet. */
	if (f->gen != e->gen || !eligible(e, f, &delay))
		f->flags &= (uint16_t)~ECS_FLOW_F_ELIGIBLE;
	else if (!delayed(e, f, delay, now))
		take_slot(e, f, now);
}

/* Free slots go to the waiting flows of a call, oldest first. */
static void serve(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	while (!ecs_list_empty(&s->waiting) && !call_full(e, s) && !instance_full(e))
		serve_one(e, s, now);
	starve(e, s);
}

/* A slot was given back: to this call, else to those that have waited longest for one of the
 * instance. */
static void hand_over(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	serve(e, s, now);
	ecs_recoverable_freed(e, now);
}

/* Gives the slot back; the checkpoint is deleted where the peer may have it. The flow may live on:
 * its object begins anew then. */
static void give_slot(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	note_full(e, f->session);
	ecs_tell_deleted(e, &f->ckpt, ECS_TELL, now);
	ecs_obj_anew(&f->ckpt);
	ecs_flow_slot(e, f, false);
}

/* --- public ----------------------------------------------------------------------------------- */

static void become_ineligible(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	f->flags &= (uint16_t)~ECS_FLOW_F_ELIGIBLE;
	ecs_flow_undelay(e, f);
	if (f->flags & ECS_FLOW_F_WAITING)
		stop_waiting(e, f);
	if (!(f->flags & ECS_FLOW_F_CHECKPOINT))
		return;
	give_slot(e, f, now);
	hand_over(e, f->session, now);
}

/* The rule of a flow without a slot is eligible, and so is that of one that waits, for its delay or for
 * a slot: its delay may be another. */
static void begin(struct ecs_engine *e, struct ecs_flow *f, uint32_t delay, struct srp_time now)
{
	bool late = delayed(e, f, delay, now), waits = f->flags & ECS_FLOW_F_WAITING;

	f->flags |= ECS_FLOW_F_ELIGIBLE;
	if (late && waits)
		stop_waiting(e, f);
	else if (!late && !waits)
		claim(e, f, now);
}

void ecs_recoverable_rule(struct ecs_engine *e, struct ecs_flow *f, uint16_t old_ref,
                          struct srp_time now)
{
	uint32_t delay;
	bool is = eligible(e, f, &delay), was = f->flags & ECS_FLOW_F_ELIGIBLE;

	if (!is && (was || f->ref != old_ref) && is_p2p(e, f))
		e->conf.counters->p2p_not_recovered++;
	if (was && !is) {
		become_ineligible(e, f, now);
		ecs_unsent_flow(e, f);
	} else if (is && !(f->flags & ECS_FLOW_F_CHECKPOINT)) {
		begin(e, f, delay, now);
	} else if (is && f->ref != old_ref) {
		ecs_tell_changed(e, &f->ckpt, now);
	}
}

void ecs_recoverable_rest(struct ecs_engine *e, struct ecs_flow *f, bool rests, uint16_t ref,
                          struct srp_time now)
{
	uint32_t delay;

	if (rests && rule_eligible(e, f->session, ref, &delay))
		rests = false;
	if (rests == ((f->flags & ECS_FLOW_F_RESTING) != 0))
		return;
	f->flags ^= ECS_FLOW_F_RESTING;
	ecs_recoverable_rule(e, f, f->ref, now);
}

void ecs_recoverable_end(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	if (f->flags & ECS_FLOW_F_ELIGIBLE)
		become_ineligible(e, f, now);
}

void ecs_recoverable_delay(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	uint32_t delay;

	if (f->gen != e->gen || !eligible(e, f, &delay))
		f->flags &= (uint16_t)~ECS_FLOW_F_ELIGIBLE; /* as in serve_one() */
	else
		begin(e, f, delay, now); /* a wheel that ran behind may have been early */
}

void ecs_recoverable_app(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

	if (r && r->p2p == ECS_P2P_SOME)
		ecs_recoverable_rule(e, f, f->ref, now);
}

void ecs_recoverable_changed(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	if (f->flags & ECS_FLOW_F_CHECKPOINT)
		ecs_tell_changed(e, &f->ckpt, now);
}

/* Whether any L7 line of the session's rulebase is eligible. Asked once until the next commit. */
static bool l7_eligible(struct ecs_engine *e, struct ecs_session *s)
{
	const struct ecs_service *svc = e->conf.service;
	size_t n = 0;
	uint16_t first = 0;

	if (s->l7_eligible)
		return s->l7_eligible == L7_ELIGIBLE;
	s->l7_eligible = L7_INELIGIBLE;
	if (s->rulebase >= 0 && s->scheme >= 0)
		first = ecs_service_first_line(svc, s->rulebase, &n);
	for (size_t i = 0; i < n; i++) {
		const struct ecs_line *l = ecs_service_line(svc, (uint16_t)(first + i));

		if (l->bound && !l->l34 &&
		    ecs_service_eligible(svc, s->scheme, l->rule_name, false, NULL) &&
		    ecs_service_p2p_barred(svc, l->rule_name) != ECS_P2P_ALL) {
			s->l7_eligible = L7_ELIGIBLE;
			break;
		}
	}
	return s->l7_eligible == L7_ELIGIBLE;
}

/* What the old active has told of the flow comes first. Of what it has not, only those flows had a rule that
 * is eligible whose line of L3/L4 is: of one that an application could have matched, it would have been told,
 * or its checkpoint would be here. */
void ecs_recoverable_mid(struct ecs_engine *e, const struct ecs_flow *f, uint16_t ref, bool maybe)
{
	struct ecs_counters *c = e->conf.counters;
	struct ecs_session *s = f->session;
	enum ecs_unsent_why why;
	uint32_t delay;
	bool sure;

	if (!ecs_session_recovered(e, s))
		return;
	note_full(e, s);
	sure = rule_eligible(e, s, ref, &delay);
	why = ecs_unsent_why(e, s, &f->key, sure || (maybe && l7_eligible(e, s)));
	if (why == ECS_UNSENT_INELIGIBLE) /* of another flow, by chance */
		why = ECS_UNSENT_NOT;
	if (why == ECS_UNSENT_NOT && !sure)
		c->flows_mid_stream_ineligible++;
	else if (why == ECS_UNSENT_LIMIT ||
	         (why == ECS_UNSENT_NOT && (s->full_then || instance_full(e))))
		c->flows_mid_stream_limit++;
	else
		c->flows_mid_stream_unacknowledged++;
}

bool ecs_recoverable_goes_on(struct ecs_engine *e, const struct ecs_flow *f, struct srp_time now)
{
	const struct ecs_session *s = f->session;
	enum ecs_unsent_why why;

	if (!s->unsent || !ecs_session_recovered(e, s))
		return false;
	/* then it is another flow, of the same ports; which rule the old one had is not known */
	if (srp_time_since(e->active_since, now) >
	    SRP_SEC(ecs_service_idle_longest(e->conf.service, s->rulebase, f->key.proto)))
		return false;
	why = ecs_unsent_why(e, f->session, &f->key, false);
	e->conf.counters->flows_mid_stream_ineligible += why == ECS_UNSENT_INELIGIBLE;
	e->conf.counters->flows_mid_stream_limit += why == ECS_UNSENT_LIMIT;
	e->conf.counters->flows_mid_stream_unacknowledged += why == ECS_UNSENT_LATE;
	return why != ECS_UNSENT_NOT;
}

void ecs_recoverable_freed(struct ecs_engine *e, struct srp_time now)
{
	while (!ecs_list_empty(&e->starved) && !instance_full(e))
		serve(e, ECS_CONTAINER(e->starved.next, struct ecs_session, starved), now);
}

bool ecs_recoverable_flush(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	for (; budget > 0 && !ecs_list_empty(&e->delays); budget--) {
		struct ecs_delay *d = ECS_CONTAINER(e->delays.next, struct ecs_delay, in_engine);
		struct ecs_flow *f = d->flow;

		ecs_flow_undelay(e, f);
		if (f->gen == e->gen)
			claim(e, f, now);
	}
	return !ecs_list_empty(&e->delays);
}

/* Under a lower limit the flows that came last give their slots back, and wait before all others. */
static void shrink(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	uint32_t limit = ecs_service_flow_chkpt_limit(e->conf.service);

	for (struct srp_list *l = s->flows.prev; s->slots > limit && l != &s->flows; l = l->prev) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		if (!(f->flags & ECS_FLOW_F_CHECKPOINT))
			continue;
		give_slot(e, f, now);
		f->flags |= ECS_FLOW_F_WAITING;
		ecs_list_add_head(&s->waiting, &f->waiting);
		ecs_unsent_flow(e, f);
		e->conf.counters->limit_call++;
	}
}

bool ecs_recoverable_beyond(const struct ecs_engine *e, const struct ecs_flow *f)
{
	uint32_t limit = ecs_service_flow_chkpt_limit(e->conf.service), n = 0;
	const struct ecs_session *s = f->session;

	if (s->slots <= limit)
		return false;
	for (struct srp_list *l = s->flows.next; l != &f->in_session; l = l->next)
		n += ECS_CONTAINER(l, struct ecs_flow, in_session)->flags & ECS_FLOW_F_CHECKPOINT ? 1 : 0;
	return n >= limit;
}

void ecs_recoverable_session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct srp_list *l, *next;

	for (l = s->flows.next; l != &s->flows; l = next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		next = l->next;
		/* one that was taken over and has had no packet since is not to be thought the peer's
		 * unknown, once its slot is given back */
		if (!ecs_flow_adopt(e, f, now))
			continue;
		ecs_recoverable_rule(e, f, f->ref, now);
		if (!(f->flags & ECS_FLOW_F_CHECKPOINT))
			ecs_unsent_flow(e, f);
	}
	ecs_unsent_changed(e, s);
	shrink(e, s, now);
	hand_over(e, s, now);
}

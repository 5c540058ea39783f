#include "config.h"
#include "ecs/flow.h"

#include <string.h>

#include "ecs/analyze.h"
#include "ecs/call.h"
#include "ecs/enforce.h"
#include "ecs/engine_impl.h"
#include "ecs/parent.h"
#include "ecs/redirect.h"
#include "ecs/tally.h"
#include "ecs/tcp.h"
#include "ecs/unsent.h"

#define PROTO_ICMP   1u
#define PROTO_TCP    6u
#define PROTO_UDP    17u
#define PROTO_ICMPV6 58u
#define BOTH_FINS (ECS_FLOW_F_FIN_UP | ECS_FLOW_F_FIN_DOWN)

bool ecs_flow_recovered(const struct ecs_engine *e, const struct ecs_flow *f)
{
	return (f->flags & ECS_FLOW_F_RECOVERED) || f->gen != e->gen;
}

/* --- life ------------------------------------------------------------------------------------- */

static int next_id(struct ecs_engine *e, struct ecs_session *s, uint32_t *id, struct srp_time now)
{
	/* an id that is there already can only come from a peer that does not keep to its half */
	for (unsigned i = 0; i < 16; i++) {
		if (s->next_flow >= UINT32_MAX >> 1)
			return SRP_EFULL;
		*id = ++s->next_flow << 1 | e->conf.chassis_bit;
		ecs_flow_reserve(e, s, now);
		if (!ecs_flow_find_id(e->flows, s->spec.callid, *id))
			return 0;
	}
	return SRP_EDUP;
}

int ecs_flow_build(struct ecs_engine *e, struct ecs_session *s, const struct ecs_flow_key *key,
                   uint32_t id, struct srp_time now, struct ecs_flow **out)
{
	struct ecs_flow *f;
	int err;

	if (ecs_flow_held(e->flows, s, key) || (id && ecs_flow_of(e->flows, s, id)))
		return SRP_EDUP;
	if (!id) {
		err = next_id(e, s, &id, now);
		if (err)
			return err;
	}
	f = ecs_pool_get(&e->flow_pool);
	if (!f)
		return SRP_ENOMEM;
	f->ckpt.kind = &ecs_kind_flow;
	f->key = *key;
	f->session = s;
	f->idle.what = ECS_TIMER_FLOW;
	f->created = f->last = now;
	f->id = id;
	f->ref = f->back = f->known = f->known_back = ECS_REF_NONE;
	f->bearer = ECS_BEARER_DEFAULT;
	f->gen = e->gen;
	f->triggered = ecs_service_triggers(e->conf.service, s->scheme);
	err = ecs_flow_insert(e->flows, f);
	if (err) {
		ecs_pool_put(&e->flow_pool, f);
		return err;
	}
	ecs_list_add_tail(&s->flows, &f->in_session);
	s->nflows++;
	s->ntcp += key->proto == PROTO_TCP;
	*out = f;
	return 0;
}

void ecs_flow_unanalyze(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_analysis *a = f->analysis;

	if (!a)
		return;
	ecs_charge_release(e, f);
	f->app = a->l7.app;
	f->app_master = a->l7.app_master;
	ecs_wheel_disarm(e->wheel, &a->wait);
	ecs_analysis_fini(a);
	if (e->streams.counted)
		ecs_call_reordered(e, f->session);
	ecs_pool_put(&e->analysis_pool, a);
	e->nanalyses--;
	f->session->nanalyses--;
	f->analysis = NULL;
}

void ecs_flow_drop(struct ecs_engine *e, struct ecs_flow *f, enum ecs_tell tell,
                   struct srp_time now)
{
	struct ecs_session *s = f->session;

	ecs_flow_unanalyze(e, f);
	if (s->kin && tell == ECS_TELL)
		ecs_parent_ends(e, f, now);
	if (s->redirects)
		ecs_redirect_end(e, f);
	if (tell == ECS_TELL)
		ecs_shift_end(e, f, now);
	ecs_flow_more_drop(e, f);
	if (f->tally)
		ecs_tally_drop(e, f, now);
	if (e->conf.ops && e->conf.ops->flow_down)
		e->conf.ops->flow_down(e->conf.owner, f);
	ecs_flow_undelay(e, f);
	if (tell == ECS_TELL) {
		ecs_kpi_ended(e, f, now);
		ecs_recoverable_end(e, f, now);
	} else {
		ecs_flow_slot(e, f, false);
		ecs_tell_deleted(e, &f->ckpt, tell, now);
	}
	ecs_list_del(&f->waiting);
	ecs_unsent_gone(e, f);
	ecs_wheel_disarm(e->wheel, &f->idle);
	ecs_flow_ref(e, f, ECS_REF_NONE);
	ecs_flow_back(e, f, ECS_REF_NONE);
	ecs_flow_known(e, f, ECS_REF_NONE, ECS_REF_NONE);
	ecs_flow_remove(e->flows, f);
	ecs_list_del(&f->in_session);
	s->nflows--;
	s->ntcp -= f->key.proto == PROTO_TCP;
	ecs_pool_put(&e->flow_pool, f);
}

void ecs_flow_over(struct ecs_engine *e, struct ecs_flow *f, enum ecs_flow_end why,
                   struct srp_time now)
{
	if (f->session->records) {
		ecs_flow_unanalyze(e, f); /* charges what was held */
		ecs_records_end(e, f, why, now);
	}
	ecs_flow_drop(e, f, ECS_TELL, now);
}

void ecs_flow_slot(struct ecs_engine *e, struct ecs_flow *f, bool take)
{
	if (take == ((f->flags & ECS_FLOW_F_CHECKPOINT) != 0))
		return;
	if (take) {
		const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

		f->flags |= ECS_FLOW_F_CHECKPOINT;
		f->kpi = r ? r->kpi : 0;
		f->session->slots++;
		e->slots++;
	} else {
		f->flags &= (uint16_t)~ECS_FLOW_F_CHECKPOINT;
		f->session->slots--;
		e->slots--;
	}
}

void ecs_flow_ref(struct ecs_engine *e, struct ecs_flow *f, uint16_t ref)
{
	struct ecs_ruleref *old = ecs_ruleref_get(e->refs, f->ref);
	struct ecs_ruleref *now = ecs_ruleref_get(e->refs, ref);

	if (old && old->flows)
		old->flows--;
	if (now)
		now->flows++;
	if ((old && old->kpi) || (now && now->kpi))
		ecs_kpi_move(e, old ? old->kpi : 0, now ? now->kpi : 0);
	f->ref = ref;
}

/* Has a flow name another ref: one that is named is not given to another rule. */
static void know(struct ecs_engine *e, uint16_t *known, uint16_t ref)
{
	struct ecs_ruleref *old = ecs_ruleref_get(e->refs, *known);
	struct ecs_ruleref *now = ecs_ruleref_get(e->refs, ref);

	if (now)
		now->users++;
	if (old && old->users > 0)
		old->users--;
	*known = now ? ref : ECS_REF_NONE;
}

void ecs_flow_back(struct ecs_engine *e, struct ecs_flow *f, uint16_t back)
{
	if (back != f->back)
		know(e, &f->back, back);
}

uint16_t ecs_flow_means(const struct ecs_engine *e, uint16_t ref, uint16_t known)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, ref);

	return r && r->l7 ? ref : known;
}

void ecs_flow_known(struct ecs_engine *e, struct ecs_flow *f, uint16_t ref, uint16_t back)
{
	if (ref != f->known)
		know(e, &f->known, ref);
	if (back != f->known_back)
		know(e, &f->known_back, back);
}

/* The session changed its rulebase, and no packet of this flow came before it was taken over. */
static bool of_other_base(const struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

	return r && r->line != ECS_LINE_NONE && f->session->rulebase >= 0 &&
	       ecs_service_line(e->conf.service, r->line)->rulebase != f->session->rulebase;
}

bool ecs_flow_adopt(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	struct ecs_shift *t;

	if (f->gen == e->gen)
		return true;
	if (ecs_flow_local(f)) {
		e->conf.counters->flows_purged++;
		ecs_flow_drop(e, f, ECS_TELL_LISTS, now);
		return false;
	}
	if (e->trimming && ecs_recoverable_beyond(e, f)) {
		e->conf.counters->limit_call++;
		ecs_flow_drop(e, f, ECS_TELL, now);
		return false;
	}
	ecs_flow_unanalyze(e, f);
	ecs_alias_drop(e, f);
	if (!ecs_parent_kept(f))
		ecs_parent_leave(f);
	if (f->tally)
		ecs_tally_drop(e, f, now); /* of another time as active */
	ecs_flow_known(e, f, ECS_REF_NONE, ECS_REF_NONE);
	f->stale = f->lost = false;
	f->gen = e->gen;
	f->tethered = f->tether_judged = false;
	f->released = f->moved = false; /* when this chassis was active before */
	f->flags |= ECS_FLOW_F_RECOVERED;
	f->flags &= (uint16_t)~ECS_FLOW_F_SEEN;
	t = f->more && f->more->shift ? NULL : ecs_shift_waits(f->session, &f->key);
	if (t && ecs_shift_attach(e, t, f) != 0) {
		ecs_flow_drop(e, f, ECS_TELL_LISTS, now); /* no packet goes on with other numbers */
		return false;
	}
	if (of_other_base(e, f))
		ecs_flow_rebased(e, f, now);
	return true;
}

/* --- the delay of the first checkpoint -------------------------------------------------------- */

int ecs_flow_delay(struct ecs_engine *e, struct ecs_flow *f, uint32_t seconds)
{
	struct ecs_delay *d;

	if (f->delay) {
		ecs_wheel_arm(e->wheel, f->delay, (uint64_t)seconds * 1000);
		return 0;
	}
	d = ecs_pool_get(&e->delay_pool);
	if (!d)
		return SRP_ENOMEM;
	d->flow = f;
	d->node.what = ECS_TIMER_DELAY;
	f->delay = &d->node;
	ecs_list_add_tail(&e->delays, &d->in_engine);
	f->session->ndelays++;
	ecs_unsent_flow(e, f);
	ecs_wheel_arm(e->wheel, &d->node, (uint64_t)seconds * 1000);
	return 0;
}

void ecs_flow_undelay(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_delay *d;

	if (!f->delay)
		return;
	d = ECS_CONTAINER(f->delay, struct ecs_delay, node);
	ecs_wheel_disarm(e->wheel, &d->node);
	ecs_list_del(&d->in_engine);
	ecs_pool_put(&e->delay_pool, d);
	f->delay = NULL;
	f->session->ndelays--;
	ecs_unsent_changed(e, f->session);
}

/* --- timers ----------------------------------------------------------------------------------- */

static const struct ecs_timeouts *timeouts(const struct ecs_engine *e)
{
	return ecs_service_idle(e->conf.service);
}

uint32_t ecs_flow_timeout(struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);
	const struct ecs_timeouts *t = timeouts(e);

	if (r && r->line != ECS_LINE_NONE) {
		const struct ecs_line *l = ecs_service_line(e->conf.service, r->line);

		if (l && l->action && l->action->idle_timeout >= 0)
			return (uint32_t)l->action->idle_timeout;
	}
	switch (f->key.proto) {
	case PROTO_TCP:
		return t->tcp;
	case PROTO_UDP:
		return t->udp;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return t->icmp;
	default:
		return t->other;
	}
}

/* Closed by both sides before any recovery: FINs that come after one do not end a flow. */
static bool lingers(const struct ecs_flow *f)
{
	return (f->flags & BOTH_FINS) == BOTH_FINS;
}

/* Seconds without a packet after which the flow ends in its present state; 0 never. */
static uint32_t limit(const struct ecs_engine *e, const struct ecs_flow *f)
{
	if (f->key.proto == PROTO_TCP && ecs_tcp_half_open(f->tcp_state))
		return timeouts(e)->tcp_half_open;
	return f->idle_timeout;
}

/* `tcp 2msl-timeout` of the flow's rulebase; 0: the flow ends when the second FIN is acknowledged. */
static uint32_t linger_ms(const struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_rulebase_conf *rb =
		ecs_service_rulebase_conf(e->conf.service, f->session->rulebase);

	return rb ? rb->tcp_linger_s * 1000 : ECS_LINGER_MS;
}

/* Arms the end of a closed connection, of which @p age_ms have gone. */
static void linger(struct ecs_engine *e, struct ecs_flow *f, uint64_t age_ms)
{
	uint64_t ms = linger_ms(e, f) ? linger_ms(e, f) : ECS_LINGER_MS;

	f->flags |= ECS_FLOW_F_LINGER;
	ecs_wheel_arm(e->wheel, &f->idle, ms > age_ms ? ms - age_ms : 0);
}

void ecs_flow_closed(struct ecs_engine *e, struct ecs_flow *f)
{
	if (lingers(f) && linger_ms(e, f) == 0)
		ecs_wheel_arm(e->wheel, &f->idle, 0);
}

void ecs_flow_rearm(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	uint64_t us = SRP_SEC(limit(e, f)), idle = srp_time_since(f->last, now);

	f->flags &= (uint16_t)~ECS_FLOW_F_LINGER;
	if (lingers(f)) {
		linger(e, f, 0);
	} else if (us == 0) {
		ecs_wheel_disarm(e->wheel, &f->idle);
	} else {
		ecs_wheel_arm(e->wheel, &f->idle, us > idle ? (us - idle) / 1000 : 0);
	}
}

void ecs_flow_arm(struct ecs_engine *e, struct ecs_flow *f, uint64_t age_ms, struct srp_time now)
{
	uint64_t ms;

	f->flags &= (uint16_t)~ECS_FLOW_F_LINGER;
	f->idle_timeout = ecs_flow_timeout(e, f);
	f->last.us = now.us / 1000 > age_ms ? now.us - age_ms * 1000 : 1;
	ms = (uint64_t)limit(e, f) * 1000;
	if (lingers(f))
		linger(e, f, age_ms);
	else if (ms == 0)
		ecs_wheel_disarm(e->wheel, &f->idle);
	else
		ecs_wheel_arm(e->wheel, &f->idle, ms > age_ms ? ms - age_ms : 0);
}

uint64_t ecs_flow_idle_ms(const struct ecs_engine *e, const struct ecs_flow *f, struct srp_time now)
{
	uint64_t ms = (uint64_t)limit(e, f) * 1000, left;

	if (e->active && f->last.us >= e->active_since.us)
		return srp_time_since(f->last, now) / 1000;
	/* the timer is that of the end, and what is silence begins anew when we are active */
	if (f->flags & ECS_FLOW_F_LINGER)
		return e->active ? srp_time_since(e->active_since, now) / 1000 : 0;
	if (!ecs_wheel_armed(&f->idle) || ms == 0)
		return e->active ? srp_time_since(f->last, now) / 1000 : 0;
	left = ecs_wheel_left(e->wheel, &f->idle);
	return ms > left ? ms - left : 0;
}

void ecs_flow_expire(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	uint64_t us = SRP_SEC(limit(e, f)), idle = srp_time_since(f->last, now);

	if (lingers(f)) {
		e->conf.counters->flows_fin++;
		ecs_flow_over(e, f, ECS_FLOW_END_NORMAL, now);
		return;
	}
	if (us == 0)
		return;
	/* packets do not move the timer: it looks here when the last one was. Where none came since
	 * takeover, what was left then is what counts. */
	if (f->last.us >= e->active_since.us && idle < us) {
		ecs_wheel_arm(e->wheel, &f->idle, (us - idle) / 1000);
		return;
	}
	e->conf.counters->flows_idle++;
	f->unlived = ecs_flow_recovered(e, f) && (f->gen != e->gen || !(f->flags & ECS_FLOW_F_SEEN));
	ecs_flow_over(e, f, ECS_FLOW_END_TIMEOUT, now);
}

void ecs_flow_verdict(struct ecs_engine *e, struct ecs_flow *f, uint16_t ref, uint16_t back,
                      struct srp_time now)
{
	uint16_t old = f->ref;
	bool turned = f->back != back;
	uint32_t timeout;

	ecs_flow_back(e, f, back);
	if (ref == old) {
		if (turned)
			ecs_recoverable_changed(e, f, now);
		return;
	}
	ecs_flow_ref(e, f, ref);
	timeout = ecs_flow_timeout(e, f);
	if (timeout != f->idle_timeout) {
		f->idle_timeout = timeout;
		ecs_flow_rearm(e, f, now);
	}
	ecs_recoverable_rule(e, f, old, now);
}

static size_t clear_session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	size_t n = 0;

	for (; !ecs_list_empty(&s->flows); n++) {
		struct ecs_flow *f = ECS_CONTAINER(s->flows.next, struct ecs_flow, in_session);

		if (e->active)
			ecs_flow_over(e, f, ECS_FLOW_END_SESSION, now);
		else
			ecs_flow_drop(e, f, ECS_TELL_LISTS, now);
	}
	return n;
}

size_t ecs_flows_clear(struct ecs_engine *e, uint32_t callid, struct srp_time now)
{
	struct ecs_session *s = callid ? ecs_session_find(e, callid) : NULL;
	size_t n = 0;

	if (s)
		n = clear_session(e, s, now);
	else if (!callid)
		for (struct srp_list *l = e->all.next; l != &e->all; l = l->next)
			n += clear_session(e, ECS_CONTAINER(l, struct ecs_session, all), now);
	e->conf.counters->flows_cleared += n;
	return n;
}

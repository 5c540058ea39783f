#include "config.h"
#include "ecs/session.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/app.h"
#include "ecs/call.h"
#include "ecs/content.h"
#include "ecs/engine_impl.h"
#include "ecs/ledger.h"
#include "ecs/redirect.h"
#include "ecs/shift.h"
#include "ecs/tally.h"
#include "ecs/unsent.h"

#define DEFAULT_RULEBASE "default" /* serves subscribers without one */

/* --- life ------------------------------------------------------------------------------------- */

bool ecs_session_recovered(const struct ecs_engine *e, const struct ecs_session *s)
{
	return !s->original || s->gen != e->gen || !e->active;
}

static bool spec_ok(const struct ecs_session_spec *spec)
{
	return spec->callid != 0 && (spec->has4 || spec->has6) &&
	       (!spec->has4 || ecs_addr_is4(&spec->v4));
}

int ecs_session_rulebase(const struct ecs_session *s, const struct ecs_service *svc)
{
	return ecs_service_find_rulebase(svc, s->spec.rulebase[0] ? s->spec.rulebase : DEFAULT_RULEBASE);
}

/* Looks the rulebase up; false: there is none of that name. */
static bool find_rulebase(struct ecs_engine *e, struct ecs_session *s)
{
	s->rulebase = ecs_session_rulebase(s, e->conf.service);
	return s->rulebase >= 0;
}

/* Binds what the rulebase says, and the service-scheme. */
static void bind(struct ecs_engine *e, struct ecs_session *s)
{
	const char *rb = s->spec.rulebase[0] ? s->spec.rulebase : DEFAULT_RULEBASE;

	enum ecs_post_looks looks = ECS_POST_NOTHING;
	uint32_t services;

	s->scheme = ecs_service_find_scheme(e->conf.service, rb, s->spec.apn);
	s->l7_eligible = 0;
	s->needs = (struct ecs_needs){0};
	s->handshaking = 0;
	s->records = ecs_service_records(e->conf.service, s->rulebase);
	if (s->rulebase >= 0) {
		s->needs = ecs_service_needs(e->conf.service, s->rulebase);
		looks = ecs_service_post_looks(e->conf.service, s->rulebase);
		s->handshaking = (uint8_t)ecs_service_handshaking_of(e->conf.service, s->rulebase);
	}
	s->post_l7 = looks == ECS_POST_L7;
	s->content = ecs_content_of(e->conf.service, s->rulebase, &services);
	s->again = ecs_again_of(e->conf.service, s->content);
	s->splices = ecs_service_does(e->conf.service, s->rulebase, ECS_STAGE_SPLICE);
	s->tether = ecs_tether_of(e->conf.service, s->rulebase);
	s->stages &= ~(ECS_STAGE_BIT(POST) | ECS_STAGE_BIT(BLACKLIST) | ECS_STAGE_BIT(FILTER) |
	               ECS_STAGE_BIT(RATE));
	s->stages |= services;
	if (looks != ECS_POST_NOTHING)
		s->stages |= ECS_STAGE_BIT(POST);
	if (s->needs.app && !e->app)
		e->app = ecs_app_new();
}

/* Looks up in the service what a call in service may use. */
static void authorize(struct ecs_engine *e, struct ecs_session *s)
{
	ecs_call_step(e, s, ECS_CALL_EV_AUTH_REQ);
	ecs_call_step(e, s,
	              find_rulebase(e, s) ? ECS_CALL_EV_AUTH_SUCCESS : ECS_CALL_EV_AUTH_FAILURE);
	bind(e, s);
}

void ecs_session_resolve(struct ecs_engine *e, struct ecs_session *s)
{
	authorize(e, s);
	ecs_call_step(e, s, ECS_CALL_EV_UPDATE_SESS_CONFIG);
}

static void arm_idle(struct ecs_engine *e, struct ecs_session *s)
{
	if (s->spec.idle_timeout)
		ecs_wheel_arm(e->wheel, &s->idle, (uint64_t)s->spec.idle_timeout * 1000);
	else
		ecs_wheel_disarm(e->wheel, &s->idle);
}

static struct ecs_session *session_new(struct ecs_engine *e, const struct ecs_session_spec *spec,
                                       struct srp_time now)
{
	struct ecs_session *s = ecs_pool_get(&e->session_pool);

	if (!s)
		return NULL;
	s->spec = *spec;
	s->full.kind = &ecs_kind_full;
	s->call.kind = &ecs_kind_call;
	s->clp.kind = &ecs_kind_clp;
	s->idle.what = ECS_TIMER_SESSION;
	s->ready.what = ECS_TIMER_READY;
	s->pend.what = ECS_TIMER_PENDING;
	s->created = s->last = s->clp_told = now;
	s->gen = e->gen;
	s->consistent = true;
	s->rulebase = s->scheme = -1;
	ecs_list_init(&s->flows);
	ecs_list_init(&s->waiting);
	ecs_list_init(&s->usages);
	ecs_list_init(&s->limiters);
	ecs_list_init(&s->dynrules);
	ecs_list_init(&s->shifts);
	return s;
}

static void connect_line(struct ecs_session *s)
{
	struct ecs_bearer *b = ecs_session_bearer(s, ECS_BEARER_DEFAULT, true);

	b->qci = s->spec.qci;
	b->arp = s->spec.arp;
}

/* The session is whole: packets find it from here on. */
static void steer(struct ecs_engine *e, struct ecs_session *s)
{
	ecs_list_add_tail(&e->all, &s->all);
	e->nsessions++;
	arm_idle(e, s);
	if (e->conf.ops && e->conf.ops->session_up)
		e->conf.ops->session_up(e->conf.owner, s);
	ecs_call_step(e, s, ECS_CALL_EV_LOWER_LAYER_UP);
}

int ecs_session_build(struct ecs_engine *e, const struct ecs_session_spec *spec,
                      struct srp_time now, struct ecs_session **out)
{
	struct ecs_session *s;

	if (!spec_ok(spec))
		return SRP_EINVAL;
	if (ecs_session_find(e, spec->callid) || ecs_session_held(e, spec, NULL))
		return SRP_EDUP;
	s = session_new(e, spec, now);
	if (!s)
		return SRP_ENOMEM;
	ecs_call_recreated(&s->machine);
	connect_line(s);
	ecs_session_link(e, s);
	ecs_session_link_addrs(e, s);
	steer(e, s);
	authorize(e, s);
	*out = s;
	return 0;
}

/* Takes the addresses and the rulebase of a new call; a failure moves the machine to its end. */
static int set_up(struct ecs_engine *e, struct ecs_session *s)
{
	ecs_call_step(e, s, ECS_CALL_EV_AUTH_REQ);
	if (ecs_session_held(e, &s->spec, s)) {
		ecs_call_step(e, s, ECS_CALL_EV_IPADDR_ALLOC_FAILURE);
		return SRP_EDUP;
	}
	ecs_session_link_addrs(e, s);
	ecs_call_step(e, s, ECS_CALL_EV_IPADDR_ALLOC_SUCCESS);
	if (!find_rulebase(e, s)) {
		ecs_session_unlink_addrs(e, s);
		ecs_call_step(e, s, ECS_CALL_EV_AUTH_FAILURE);
		return SRP_ENORULE;
	}
	ecs_call_step(e, s, ECS_CALL_EV_AUTH_SUCCESS);
	bind(e, s);
	ecs_call_step(e, s, ECS_CALL_EV_UPDATE_SESS_CONFIG);
	return 0;
}

/* A new call, step by step. */
static int new_call(struct ecs_engine *e, const struct ecs_session_spec *spec, struct srp_time now,
                    struct ecs_session **out)
{
	struct ecs_call_machine m = {0};
	struct ecs_session *s;
	int err;

	if (!spec_ok(spec))
		return SRP_EINVAL;
	if (ecs_session_find(e, spec->callid))
		return SRP_EDUP;
	(void)ecs_call_event(&m, ECS_CALL_EV_NEWCALL);
	s = session_new(e, spec, now);
	if (!s)
		return SRP_ENOMEM;
	s->machine = m;
	ecs_call_step(e, s, ECS_CALL_EV_ANSWER_CALL);
	connect_line(s);
	ecs_call_step(e, s, ECS_CALL_EV_LINE_CONNECTED);
	ecs_session_link(e, s);
	ecs_call_step(e, s, ECS_CALL_EV_LINK_CONTROL_UP);
	err = set_up(e, s);
	if (err) {
		ecs_session_unlink(e, s);
		ecs_call_step(e, s, ECS_CALL_EV_CALL_CLEARED);
		ecs_pool_put(&e->session_pool, s);
		return err;
	}
	s->original = true;
	steer(e, s);
	*out = s;
	return 0;
}

int ecs_session_update(struct ecs_engine *e, struct ecs_session *s,
                       const struct ecs_session_spec *spec, struct srp_time now)
{
	struct ecs_session_spec old = s->spec;
	bool moves = old.has4 != spec->has4 || old.has6 != spec->has6 ||
	             (spec->has4 && memcmp(&old.v4, &spec->v4, sizeof(old.v4)) != 0) ||
	             (spec->has6 && memcmp(&old.v6, &spec->v6, 8) != 0);

	(void)now;
	if (!spec_ok(spec) || spec->callid != old.callid)
		return SRP_EINVAL;
	if (ecs_session_held(e, spec, s))
		return SRP_EDUP;
	if (moves) {
		if (e->conf.ops && e->conf.ops->session_down)
			e->conf.ops->session_down(e->conf.owner, s, ECS_END_REPLACED);
		ecs_session_unlink_addrs(e, s);
	}
	s->spec = *spec;
	if (moves) {
		ecs_redirect_revoke(e, s, false);
		ecs_session_link_addrs(e, s);
		if (e->conf.ops && e->conf.ops->session_up)
			e->conf.ops->session_up(e->conf.owner, s);
		ecs_call_step(e, s, ECS_CALL_EV_IPADDR_ALLOC_SUCCESS);
	} else if (spec->has6) {
		s->spec.v6 = old.v6;
	}
	if (strcmp(old.imsi, spec->imsi) != 0 || strcmp(old.username, spec->username) != 0)
		ecs_usage_replace(e, s);
	authorize(e, s);
	ecs_dyn_resolve(e, s);
	if (old.idle_timeout != spec->idle_timeout)
		arm_idle(e, s);
	return 0;
}

/* What belongs to a session that has been deleted leaves the lists as well. */
static void drop_children(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct ecs_bearer *b;

	while (!ecs_list_empty(&s->flows)) {
		struct ecs_flow *f = ECS_CONTAINER(s->flows.next, struct ecs_flow, in_session);

		if (e->active)
			ecs_kpi_ended(e, f, now);
		ecs_flow_drop(e, f, ECS_TELL_LISTS, now);
	}
	while (!ecs_list_empty(&s->usages)) {
		struct ecs_usage *u = ECS_CONTAINER(s->usages.next, struct ecs_usage, in_session);

		if (ecs_list_on(&u->in_changed)) /* since its last turn */
			ecs_tell_changed(e, &u->ckpt, now);
		ecs_usage_drop(e, u, ECS_TELL_LISTS, now);
	}
	while (!ecs_list_empty(&s->shifts))
		ecs_shift_drop(e, ECS_CONTAINER(s->shifts.next, struct ecs_shift, in_session),
		               ECS_TELL_LISTS, now);
	while (!ecs_list_empty(&s->limiters))
		ecs_limiter_drop(e, ECS_CONTAINER(s->limiters.next, struct ecs_limiter, in_session),
		                 now);
	if (e->ledger)
		ecs_ledger_prune(e->ledger, s->spec.callid);
	while (!ecs_list_empty(&s->dynrules))
		ecs_dyn_drop(e, ECS_CONTAINER(s->dynrules.next, struct ecs_dynrule, in_session),
		             ECS_TELL_LISTS, now);
	for (unsigned i = 0; i < ECS_BEARERS_MAX; i++)
		if ((b = ecs_session_bearer_at(s, i)) != NULL) {
			if (b->updated)
				ecs_tell_deleted(e, &b->qos, ECS_TELL_LISTS, now);
			ecs_tell_deleted(e, &b->ckpt, ECS_TELL_LISTS, now);
			ecs_bearer_untft(b);
		}
}

void ecs_session_drop(struct ecs_engine *e, struct ecs_session *s, enum ecs_session_end why,
                      enum ecs_tell tell, struct srp_time now)
{
	ecs_call_step(e, s, ECS_CALL_EV_DISCONNECT);
	if (e->conf.ops && e->conf.ops->session_down)
		e->conf.ops->session_down(e->conf.owner, s, why);
	e->conf.counters->sessions_ended++;
	if (why == ECS_END_REPLACED)
		e->conf.counters->sessions_replaced++;
	if (why == ECS_END_IDLE)
		e->conf.counters->sessions_idle++;
	if (why == ECS_END_REPLACED)
		ecs_redirect_revoke(e, s, true);
	if (e->active && tell == ECS_TELL)
		ecs_records_session(e, s, now);
	/* what is told of its children from here on is too late: their deletion travels with the session's */
	ecs_tell_deleted(e, &s->full, tell, now);
	drop_children(e, s, now);
	ecs_tell_deleted(e, &s->clp, ECS_TELL_LISTS, now);
	ecs_tell_deleted(e, &s->call, ECS_TELL_LISTS, now);
	ecs_wheel_disarm(e->wheel, &s->idle);
	ecs_wheel_disarm(e->wheel, &s->ready);
	ecs_wheel_disarm(e->wheel, &s->pend);
	ecs_session_unlink_addrs(e, s);
	ecs_session_unlink(e, s);
	ecs_list_del(&s->all);
	ecs_list_del(&s->in_young);
	ecs_list_del(&s->starved);
	e->nsessions--;
	ecs_call_step(e, s, ECS_CALL_EV_CALL_CLEARED);
	ecs_call_forget(e, s);
	ecs_unsent_free(s);
	free(s->dedicated);
	free(s->active);
	free(s->kin);
	s->active = NULL;
	ecs_pool_put(&e->session_pool, s);
	if (e->active)
		ecs_recoverable_freed(e, now);
}

void ecs_session_tell(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct ecs_bearer *b;

	ecs_tell_changed(e, &s->full, now);
	ecs_tell_changed(e, &s->call, now);
	for (unsigned i = 0; i < ECS_BEARERS_MAX; i++)
		if ((b = ecs_session_bearer_at(s, i)) != NULL) {
			ecs_tell_changed(e, &b->ckpt, now);
			if (b->updated)
				ecs_tell_changed(e, &b->qos, now);
		}
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next)
		ecs_tell_changed(e, &ECS_CONTAINER(l, struct ecs_dynrule, in_session)->ckpt, now);
}

void ecs_session_make_ready(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	ecs_list_del(&s->in_young);
	ecs_wheel_disarm(e->wheel, &s->ready);
	if (s->ready_for_recovery)
		return;
	s->ready_for_recovery = true;
	ecs_session_tell(e, s, now);
	for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next)
		ecs_tell_changed(e, &ECS_CONTAINER(l, struct ecs_usage, in_session)->ckpt, now);
	for (struct srp_list *l = s->shifts.next; l != &s->shifts; l = l->next)
		ecs_tell_changed(e, &ECS_CONTAINER(l, struct ecs_shift, in_session)->ckpt, now);
	for (struct srp_list *l = s->limiters.next; l != &s->limiters; l = l->next)
		ecs_tell_changed(e, &ECS_CONTAINER(l, struct ecs_limiter, in_session)->ckpt, now);
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		if (f->flags & ECS_FLOW_F_CHECKPOINT)
			ecs_tell_changed(e, &f->ckpt, now);
	}
}

void ecs_session_pending(struct ecs_engine *e, struct ecs_session *s, uint8_t set, uint8_t clear,
                         struct srp_time now)
{
	uint8_t was = s->pending;

	s->pending = (uint8_t)((was & ~clear) | set);
	if (!s->pending) {
		ecs_wheel_disarm(e->wheel, &s->pend);
	} else if (set & ~was) {
		s->pending_since = now;
		ecs_wheel_arm(e->wheel, &s->pend, (uint64_t)e->conf.pending_timeout * 1000);
	}
}

/* Few sessions have dedicated bearers: places for them are made with the first. */
static struct ecs_bearer *free_place(struct ecs_session *s, uint8_t id)
{
	if (id == ECS_BEARER_DEFAULT)
		return &s->first;
	if (!s->dedicated)
		s->dedicated = calloc(ECS_BEARERS_MAX - 1, sizeof(*s->dedicated));
	for (unsigned i = 1; s->dedicated && i < ECS_BEARERS_MAX; i++)
		if (!ecs_session_bearer_at(s, i))
			return &s->dedicated[i - 1];
	return NULL;
}

struct ecs_bearer *ecs_session_bearer(struct ecs_session *s, uint8_t id, bool make)
{
	struct ecs_bearer *b;

	if (id < ECS_BEARER_DEFAULT || id > ECS_BEARER_LAST)
		return NULL;
	for (unsigned i = 0; i < (s->dedicated ? ECS_BEARERS_MAX : 1u); i++)
		if ((b = ecs_session_bearer_at(s, i)) != NULL && b->id == id)
			return b;
	b = make ? free_place(s, id) : NULL;
	if (b)
		*b = (struct ecs_bearer){.ckpt.kind = &ecs_kind_bearer, .qos.kind = &ecs_kind_qos,
		                         .session = s, .id = id, .used = true};
	return b;
}

/* --- timers ----------------------------------------------------------------------------------- */

void ecs_session_idle(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	uint64_t limit = SRP_SEC(s->spec.idle_timeout), idle = srp_time_since(s->last, now);

	if (limit == 0)
		return;
	/* packets do not move the timer: it looks here when the last one was */
	if (s->last.us >= e->active_since.us && idle < limit) {
		ecs_wheel_arm(e->wheel, &s->idle, (limit - idle) / 1000);
		return;
	}
	ecs_session_drop(e, s, ECS_END_IDLE, ECS_TELL, now);
}

void ecs_session_pending_timeout(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	if (!s->pending)
		return;
	e->conf.counters->pending_timeouts++;
	ecs_session_pending(e, s, 0, s->pending, now);
	ecs_tell_changed(e, &s->call, now);
}

void ecs_session_traffic(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	uint32_t every = ecs_service_sync_time(e->conf.service, true);

	s->last = now;
	if (srp_time_since(s->clp_told, now) < SRP_SEC(every ? every : ECS_CLP_EVERY_S))
		return;
	s->clp_told = now;
	ecs_tell_changed(e, &s->clp, now);
}

/* --- the interface of the fronts -------------------------------------------------------------- */

int ecs_session_create(struct ecs_engine *e, const struct ecs_session_spec *spec,
                       struct srp_time now, struct ecs_session **out)
{
	struct ecs_session *s;
	int err;

	if (!e->active)
		return SRP_EROLE;
	err = new_call(e, spec, now, &s);
	if (err) {
		e->conf.counters->calls_failed++;
		return err;
	}
	e->conf.counters->sessions_created++;
	ecs_ledger_disown(e->ledger, spec->callid);
	if (e->conf.checkpoint_duration == 0) {
		s->ready_for_recovery = true;
	} else {
		ecs_list_add_tail(&e->young, &s->in_young);
		ecs_wheel_arm(e->wheel, &s->ready, (uint64_t)e->conf.checkpoint_duration * 1000);
	}
	/* told in either case: the gate counts what it holds back */
	ecs_session_tell(e, s, now);
	ecs_trigger(e, s, ECS_TRIGGER_SESS_SETUP, now);
	if (out)
		*out = s;
	return 0;
}

int ecs_session_delete(struct ecs_engine *e, uint32_t callid, enum ecs_session_end why,
                       struct srp_time now)
{
	struct ecs_session *s = ecs_session_find(e, callid);

	if (!s)
		return SRP_ENOSESS;
	ecs_session_drop(e, s, why, e->active ? ECS_TELL : ECS_TELL_LISTS, now);
	return 0;
}

int ecs_session_control(struct ecs_engine *e, uint32_t callid, bool begin, struct srp_time now)
{
	struct ecs_session *s = ecs_session_find(e, callid);
	uint8_t was;

	if (!s)
		return SRP_ENOSESS;
	if (!e->active)
		return SRP_EROLE;
	was = s->pending;
	/* the end of a transaction is word from the control plane: it settles a switchover as
	 * well */
	ecs_session_pending(e, s, begin ? ECS_PENDING_HANDOFF : 0,
	                    begin ? 0 : ECS_PENDING_HANDOFF | ECS_PENDING_SWITCHOVER, now);
	for (struct srp_list *l = s->flows.next; !begin && l != &s->flows; l = l->next)
		ECS_CONTAINER(l, struct ecs_flow, in_session)->moved = false;
	if (s->pending != was)
		ecs_tell_changed(e, &s->call, now);
	return 0;
}

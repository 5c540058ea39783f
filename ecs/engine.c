#include "config.h"
#include "ecs/engine.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/analyze.h"
#include "ecs/call.h"
#include "ecs/content.h"
#include "ecs/enforce.h"
#include "ecs/engine_impl.h"
#include "ecs/frag.h"
#include "ecs/names.h"
#include "ecs/kind.h"
#include "ecs/ledger.h"
#include "ecs/parent.h"
#include "ecs/path.h"
#include "ecs/quota.h"
#include "ecs/record_copy.h"
#include "ecs/redirect.h"
#include "ecs/splice.h"
#include "ecs/tally.h"
#include "ecs/unsent.h"

/* --- life ------------------------------------------------------------------------------------- */

static void init_pools(struct ecs_engine *e)
{
#define X(pool, type) ecs_pool_init(&e->pool, sizeof(type));
	ECS_POOLS(X)
#undef X
}

struct ecs_engine *ecs_engine_new(const struct ecs_engine_config *conf, struct srp_time now)
{
	struct ecs_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->conf = *conf;
	init_pools(e);
	ecs_list_init(&e->all);
	ecs_list_init(&e->changed);
	ecs_list_init(&e->turning);
	ecs_list_init(&e->delays);
	ecs_list_init(&e->young);
	ecs_list_init(&e->starved);
	ecs_list_init(&e->held);
	ecs_list_init(&e->splices);
	ecs_list_init(&e->unsent);
	ecs_list_init(&e->unsent_soon);
	ecs_list_init(&e->unsent_turning);
	e->times.week_s = ECS_WEEK_S;
	e->streams.held_max = ECS_STREAMS_BYTES_MAX;
	e->no_rule = (uint16_t)ecs_service_stats_count(conf->service);
	e->matcher = ecs_matcher_new(conf->service);
	e->refs = ecs_ruleref_new(conf->service, conf->sink, e);
	e->kpi = ecs_kpi_new();
	ecs_owed_begin(e, conf->owed);
	e->flows = ecs_flow_table_new(conf->flows_expected, conf->seed);
	e->wheel = ecs_wheel_new(ECS_WHEEL_TICK_MS, now);
	e->nobody = ecs_pool_get(&e->more_pool);
	if (!conf->dyn_stats)
		e->conf.dyn_stats = e->own_dyn = calloc(ECS_DYN_STATS_MAX, sizeof(*e->own_dyn));
	if (!conf->limit_stats)
		e->conf.limit_stats = e->own_limits =
			calloc(ECS_LIMIT_STATS_MAX, sizeof(*e->own_limits));
	if (!conf->acted_stats)
		e->conf.acted_stats = e->own_acted = calloc(ECS_ACTED_MAX, sizeof(*e->own_acted));
	if (!e->nobody || !e->conf.dyn_stats || !e->matcher || !e->refs || !e->kpi || !e->flows || !e->wheel ||
	    !e->conf.limit_stats || !e->conf.acted_stats || ecs_limiters_init(e) != 0 ||
	    ecs_sessions_init(e) != 0 || ecs_usages_init(e) != 0 || ecs_aliases_init(e) != 0 ||
	    ecs_shifts_init(e) != 0 || ecs_copies_init(e) != 0) {
		ecs_engine_free(e);
		return NULL;
	}
	if (conf->ledger)
		e->ledger = ecs_ledger_open(conf->ledger, conf->ledger_len, conf->ledger_fresh,
		                            conf->seed);
	ecs_wheel_stop(e->wheel, now);
	ecs_acted_begin(e->conf.acted_stats, conf->service);
	ecs_kpi_bind(e);
	return e;
}

/* What a flow, a session has outside of the pools: only that must be visited. */
static void flow_fini(struct ecs_engine *e, struct ecs_flow *f)
{
	ecs_flow_unanalyze(e, f);
	ecs_flow_more_drop(e, f);
	ecs_tally_free(e, f);
}

static void session_fini(struct ecs_engine *e, struct ecs_session *s)
{
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next)
		flow_fini(e, ECS_CONTAINER(l, struct ecs_flow, in_session));
	for (size_t i = 0; i < ECS_BEARERS_MAX; i++) {
		const struct ecs_bearer *b = ecs_session_bearer_at(s, i);

		if (b)
			free(b->tft);
	}
	while (!ecs_list_empty(&s->shifts))
		ecs_shift_drop(e, ECS_CONTAINER(s->shifts.next, struct ecs_shift, in_session), ECS_TELL_NOT,
		               (struct srp_time){0});
	for (struct srp_list *l = s->usages.next; e->nurls && l != &s->usages; l = l->next)
		(void)ecs_quota_set_url(e, ECS_CONTAINER(l, struct ecs_usage, in_session), "");
	ecs_unsent_free(s);
	free(s->dedicated);
	free(s->active);
	free(s->kin);
}

void ecs_engine_free(struct ecs_engine *e)
{
	if (!e)
		return;
	for (struct srp_list *l = e->all.next; l != &e->all; l = l->next)
		session_fini(e, ECS_CONTAINER(l, struct ecs_session, all));
	free(e->own_dyn);
	free(e->own_limits);
	free(e->own_acted);
	free(e->kpi);
	ecs_chain_fini(&e->by_callid);
	ecs_chain_fini(&e->by_v4);
	ecs_chain_fini(&e->by_v6);
	ecs_chain_fini(&e->usages);
	ecs_chain_fini(&e->limiters);
	ecs_chain_fini(&e->aliases);
	ecs_copies_fini(e);
	ecs_chain_fini(&e->shifts);
	ecs_ledger_close(e->ledger);
	ecs_flow_table_free(e->flows);
	ecs_wheel_free(e->wheel);
	ecs_frags_free(e->frags);
	ecs_names_free(e->names);
	free(e->redirects);
	free(e->holds);
	free(e->content);
	ecs_trace_free(e);
	ecs_app_free(e->app);
	ecs_ruleref_free(e->refs);
	ecs_matcher_free(e->matcher);
	ecs_matcher_free(e->next_matcher);
	free(e->next_move);
#define X(pool, type) ecs_pool_fini(&e->pool);
	ECS_POOLS(X)
#undef X
	free(e->record_text);
	free(e);
}

/* --- records ---------------------------------------------------------------------------------- */

void ecs_engine_env(struct ecs_engine *e, const struct ecs_edr_env *env)
{
	e->env = *env;
}

void ecs_engine_handed_over(struct ecs_engine *e)
{
	e->hagr = e->gave = !e->active;
	e->hagr_at = 0;
}

/* EDRs of what the peer has taken over, at most @p budget flows; true: call again. */
static bool hand_over(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	while (e->hagr && budget > 0) {
		struct ecs_session *s = ecs_session_next(e, e->hagr_at);

		if (!s) {
			e->hagr = false;
			break;
		}
		e->hagr_at = s->spec.callid;
		budget--;
		for (struct srp_list *l = s->flows.next; s->records && l != &s->flows; l = l->next) {
			ecs_records_hagr(e, ECS_CONTAINER(l, struct ecs_flow, in_session), now);
			budget -= budget > 0;
		}
	}
	return e->hagr;
}

/* --- role ------------------------------------------------------------------------------------- */

void ecs_engine_known_only(struct ecs_engine *e, bool on)
{
	e->known_only = on;
}

/* What waits to be charged is charged by the rules that its flows have now. */
static void release_held(struct ecs_engine *e)
{
	while (!ecs_list_empty(&e->held))
		ecs_charge_release(
			e, ECS_CONTAINER(e->held.next, struct ecs_analysis, in_held)->flow);
}

void ecs_engine_active(struct ecs_engine *e, bool active, struct srp_time now)
{
	if (active == e->active)
		return;
	while (hand_over(e, now, SIZE_MAX))
		; /* it comes back before the EDRs of its last time were made */
	if (active) {
		e->gen++;
		e->active = true;
		ecs_ruleref_return(e->refs, now);
		e->purging = false;
		e->trimming = true;
		e->walk_at = 0;
		e->active_since = now;
		e->unsent_then = true;
		e->unsent_walk = 0;
		e->usage_turn_of = (1u << SRP_REPLICA__N) - 1;
		for (int i = 0; i < SRP_REPLICA__N; i++)
			e->next_usage[i] = now;
		e->next_limits = now;
		ecs_wheel_start(e->wheel, now);
		return;
	}
	release_held(e);
	ecs_usage_turn(e, now);
	ecs_records_forget(e, NULL, NULL, now);
	e->gave = e->lost.on = false;
	if (e->frags)
		ecs_frags_clear(e->frags);
	ecs_redirect_clear(e);
	ecs_holds_clear(e);
	ecs_splices_clear(e);
	ecs_wheel_stop(e->wheel, now);
	e->active = false;
	e->trimming = false;
	e->times.turning = false;
	e->purging = true;
	e->walk_at = 0;
}

void ecs_engine_flush(struct ecs_engine *e, struct srp_time now)
{
	while (!ecs_list_empty(&e->young))
		ecs_session_make_ready(
			e, ECS_CONTAINER(e->young.next, struct ecs_session, in_young), now);
	while (ecs_recoverable_flush(e, now, SIZE_MAX))
		;
	(void)ecs_unsent_turn(e, true, now, SIZE_MAX);
	ecs_usage_turn(e, now);
}

void ecs_engine_freeze(struct ecs_engine *e, struct srp_time now)
{
	release_held(e);
	ecs_engine_flush(e, now);
}

/* --- configuration ---------------------------------------------------------------------------- */

struct named {
	const char *name;
	uint16_t index;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* What a change of the service needs to move per-rule counters. */
struct ecs_move {
	struct ecs_rule_stats stats[ECS_STATS_MAX];
	struct named names[ECS_STATS_MAX]; /* of the new service, sorted */
	const struct ecs_service *was;
	uint16_t map[ECS_STATS_MAX]; /* old index to new; `(no rule)` where the name is gone */
	size_t nmap;
	struct ecs_acted_move acted;
};

static void move_stats(struct ecs_engine *e, const struct ecs_service *svc, struct ecs_move *m)
{
	size_t was = e->no_rule, n = ecs_service_stats_count(svc);

	for (size_t i = 0; i < n; i++)
		m->names[i] = (struct named){ecs_service_stats_name(svc, i), (uint16_t)i};
	qsort(m->names, n, sizeof(m->names[0]), by_name);
	for (size_t i = 0; i < was; i++) {
		struct named key = {ecs_service_stats_name(e->conf.service, i), 0};
		const struct named *to = bsearch(&key, m->names, n, sizeof(key), by_name);

		m->map[i] = to ? to->index : (uint16_t)n;
		if (to)
			m->stats[to->index] = e->conf.rule_stats[i];
	}
	m->map[was] = (uint16_t)n;
	m->stats[n] = e->conf.rule_stats[was];
	m->nmap = was + 1;
	memcpy(e->conf.rule_stats, m->stats, sizeof(m->stats));
}

/* Flows whose rule is there with another action are done to as that says, recovered or not
 * (flow-recovery, Flow Actions: dynamic changes to charging action configuration). */
static void move_flows(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);
		uint16_t ref = ecs_ruleref_moved(e->refs, f->ref, now);
		uint16_t back = ecs_ruleref_moved(e->refs, f->back, now);

		if ((ref == f->ref && back == f->back) || ref == ECS_REF_NONE)
			continue;
		ecs_flow_ref(e, f, ref);
		ecs_flow_back(e, f, back);
		f->idle_timeout = ecs_flow_timeout(e, f);
		if (f->flags & ECS_FLOW_F_CHECKPOINT)
			ecs_recoverable_changed(e, f, now);
	}
}

void ecs_session_stale(struct ecs_session *s)
{
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		f->stale = f->flags & ECS_FLOW_F_FINAL;
	}
}

static void resolve_session(struct ecs_engine *e, struct ecs_session *s, const struct ecs_move *m,
                            struct srp_time now)
{
	uint64_t said = ecs_service_rulebase_says(m->was, s->rulebase);

	for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next) {
		struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);

		if (u->of == ECS_USAGE_RULE && u->stats < m->nmap)
			u->stats = m->map[u->stats];
	}
	ecs_session_resolve(e, s);
	ecs_dyn_resolve(e, s);
	if (!s->consistent)
		ecs_kind_judge(e, s, NULL, now);
	if (e->active) {
		move_flows(e, s, now);
		if (ecs_service_rulebase_says(e->conf.service, s->rulebase) != said)
			ecs_session_stale(s);
		ecs_parent_session(e, s, now);
		ecs_recoverable_session(e, s, now);
	}
}

/* As the service has it that is not replaced yet. */
static void end_records(struct ecs_engine *e, const struct ecs_service *svc, struct srp_time now)
{
	for (struct srp_list *l = e->all.next; e->active && l != &e->all; l = l->next) {
		struct ecs_session *s = ECS_CONTAINER(l, struct ecs_session, all);

		ecs_records_become(e, s, ecs_service_records(svc, ecs_session_rulebase(s, svc)), now);
	}
}

static void prepare_drop(struct ecs_engine *e)
{
	ecs_matcher_free(e->next_matcher);
	free(e->next_move);
	e->next = NULL;
	e->next_matcher = NULL;
	e->next_move = NULL;
}

int ecs_engine_prepare(struct ecs_engine *e, const struct ecs_service *svc)
{
	prepare_drop(e);
	if (!svc)
		return 0;
	e->next_matcher = ecs_matcher_new(svc);
	e->next_move = calloc(1, sizeof(*e->next_move));
	if (!e->next_matcher || !e->next_move) {
		prepare_drop(e);
		return SRP_ENOMEM;
	}
	e->next = svc;
	return 0;
}

void ecs_engine_tune(struct ecs_engine *e, uint32_t checkpoint_duration, uint32_t pending_timeout)
{
	e->conf.checkpoint_duration = checkpoint_duration;
	e->conf.pending_timeout = pending_timeout;
}

int ecs_engine_reconfigure(struct ecs_engine *e, const struct ecs_service *svc, struct srp_time now)
{
	struct ecs_move *m;

	if (e->next != svc && ecs_engine_prepare(e, svc) != 0)
		return SRP_ENOMEM;
	m = e->next_move;
	end_records(e, svc, now);
	move_stats(e, svc, m);
	ecs_acted_move(e->conf.acted_stats, svc, &m->acted);
	m->was = e->conf.service;
	ecs_matcher_free(e->matcher);
	e->matcher = e->next_matcher;
	(void)ecs_matcher_time(e->matcher, e->times.week_s);
	e->next = NULL;
	e->next_matcher = NULL;
	e->next_move = NULL;
	e->conf.service = svc;
	e->commits++;
	e->no_rule = (uint16_t)ecs_service_stats_count(svc);
	ecs_ruleref_rebind(e->refs, svc);
	ecs_kpi_bind(e);
	for (struct srp_list *l = e->all.next; l != &e->all; l = l->next)
		resolve_session(e, ECS_CONTAINER(l, struct ecs_session, all), m, now);
	free(m);
	if (e->warm)
		ecs_engine_warm(e);
	return 0;
}

/* --- packets and time ------------------------------------------------------------------------- */

/* The same as ecs_path(), with a row for what ends before it is charged. */
static enum ecs_verdict traced(struct ecs_engine *e, const uint8_t *pkt, size_t len, enum ecs_dir dir,
                               uint16_t gso_size, struct ecs_raw *raw, struct srp_time now)
{
	enum ecs_verdict v;

	ecs_trace_arrives(e, pkt, len, dir, 0);
	v = ecs_path(e, pkt, len, dir, gso_size, raw, now);
	if (v == ECS_DROP)
		ecs_trace_dropped(e, now);
	return v;
}

enum ecs_verdict ecs_engine_packet(struct ecs_engine *e, const uint8_t *pkt, size_t len,
                                   enum ecs_dir dir, uint16_t gso_size, struct srp_time now)
{
	if (!e->active) {
		e->conf.counters->drop_not_active++;
		return ECS_DROP;
	}
	if (e->tracing)
		return traced(e, pkt, len, dir, gso_size, NULL, now);
	return ecs_path(e, pkt, len, dir, gso_size, NULL, now);
}

enum ecs_verdict ecs_engine_forward(struct ecs_engine *e, struct ecs_raw *r, enum ecs_dir dir,
                                    struct srp_time now)
{
	if (!e->active) {
		e->conf.counters->drop_not_active++;
		return ECS_DROP;
	}
	if (e->tracing)
		return traced(e, r->ip, r->len, dir, r->gso_size, r, now);
	return ecs_path(e, r->ip, r->len, dir, r->gso_size, r, now);
}

static void on_timer(void *owner, struct ecs_wheel_node *n, struct srp_time now)
{
	struct ecs_engine *e = owner;
	struct ecs_flow *f;

	switch ((enum ecs_timer)n->what) {
	case ECS_TIMER_FLOW:
		ecs_flow_expire(e, ECS_CONTAINER(n, struct ecs_flow, idle), now);
		break;
	case ECS_TIMER_DELAY:
		f = ECS_CONTAINER(n, struct ecs_delay, node)->flow;
		ecs_flow_undelay(e, f);
		ecs_recoverable_delay(e, f, now);
		break;
	case ECS_TIMER_SESSION:
		ecs_session_idle(e, ECS_CONTAINER(n, struct ecs_session, idle), now);
		break;
	case ECS_TIMER_READY:
		ecs_session_make_ready(e, ECS_CONTAINER(n, struct ecs_session, ready), now);
		break;
	case ECS_TIMER_REORDER:
		ecs_inspect_late(e, ECS_CONTAINER(n, struct ecs_analysis, wait), now);
		break;
	case ECS_TIMER_PENDING:
		ecs_session_pending_timeout(e, ECS_CONTAINER(n, struct ecs_session, pend), now);
		break;
	case ECS_TIMER_SPLICE:
		ecs_splice_late(e, ECS_CONTAINER(n, struct ecs_splice, wait), now);
		break;
	case ECS_TIMER_SHIFT:
		ecs_shift_expire(e, ECS_CONTAINER(n, struct ecs_shift, wait), now);
		break;
	}
}

/* Drops what a new standby has of a session and the peer never had: flows without a slot. */
static void purge_session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct srp_list *l, *next;

	for (l = s->flows.next; l != &s->flows; l = next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		next = l->next;
		if (!ecs_flow_local(f))
			continue;
		e->conf.counters->flows_purged++;
		ecs_flow_drop(e, f, ECS_TELL_LISTS, now);
	}
}

static bool purge(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	for (; e->purging && budget > 0; budget--) {
		struct ecs_session *s = ecs_session_next(e, e->walk_at);

		if (!s) {
			e->purging = false;
			break;
		}
		e->walk_at = s->spec.callid;
		purge_session(e, s, now);
	}
	return e->purging;
}

/* What the peer's higher limit has brought is not recovered: the flows that came last. */
static bool trim(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	uint32_t limit = ecs_service_flow_chkpt_limit(e->conf.service);

	for (; e->trimming && budget > 0; budget--) {
		struct ecs_session *s = ecs_session_next(e, e->walk_at);
		struct srp_list *l, *next;

		if (!s) {
			e->trimming = false;
			break;
		}
		e->walk_at = s->spec.callid;
		for (l = s->flows.prev; s->slots > limit && l != &s->flows; l = next) {
			next = l->prev;
			(void)ecs_flow_adopt(e, ECS_CONTAINER(l, struct ecs_flow, in_session), now);
		}
	}
	return e->trimming;
}

bool ecs_engine_tick(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	bool more;

	if (!e->active) {
		more = hand_over(e, now, budget);
		return purge(e, now, budget) || more;
	}
	more = ecs_wheel_run(e->wheel, now, budget, on_timer, e) == budget;
	if (trim(e, now, budget))
		more = true;
	if (ecs_times_turn(e, budget))
		more = true;
	if (ecs_usage_step(e, now, budget))
		more = true;
	ecs_owed_turn(e, now);
	if (ecs_police_turn(e, false, now, budget))
		more = true;
	if (ecs_lost_turn(e, now, budget))
		more = true;
	if (ecs_unsent_turn(e, false, now, budget))
		more = true;
	if (e->frags && ecs_frags_expire(e->frags, now, budget) == budget)
		more = true;
	return more && budget > 0;
}

/* --- looking at it ---------------------------------------------------------------------------- */

size_t ecs_engine_sessions(const struct ecs_engine *e)
{
	return e->nsessions;
}

size_t ecs_engine_flows(const struct ecs_engine *e)
{
	return ecs_flow_count(e->flows);
}

size_t ecs_engine_recoverable(const struct ecs_engine *e)
{
	return e->slots;
}

struct ecs_ruleref_table *ecs_engine_refs(struct ecs_engine *e)
{
	return e->refs;
}

const struct ecs_service *ecs_engine_service(const struct ecs_engine *e)
{
	return e->conf.service;
}

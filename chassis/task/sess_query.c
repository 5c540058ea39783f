/* sess_query: the session manager's answers to sct, a page at a time: a show over a million flows must
 * not stop a packet (R41). */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/task/commands.h"
#include "chassis/task/rows.h"
#include "ecs/app.h"
#include "ecs/parent.h"
#include "ecs/quota.h"
#include "srp/err.h"

#define CONTAINER(ptr, type, member) ((type *)(uintptr_t)((uintptr_t)(ptr)-offsetof(type, member)))
#define PAGE_MAX 1000u /* rows of one page at most */
#define TRACE_BITS 47  /* of the number of a row; the rest is enough for those of a ring */
#define TRACE_MASK ((UINT64_C(1) << TRACE_BITS) - 1)
_Static_assert(ECS_TRACE_ROWS_MAX < UINT64_C(1) << (64 - TRACE_BITS), "a cursor says how many");

/* One page being answered. */
struct page {
	struct sessmgr *s;
	uint32_t id;
	unsigned query;        /**< enum chassis_query, or CHASSIS_QUERY_SESSION */
	enum chassis_query part; /**< what the next row is of */
	uint32_t left;         /* rows that may still be sent */
	uint32_t callid;       /* filter, 0 all */
	struct srp_time now;
	uint8_t buf[4096];
	struct srp_mp_w w;
};

static const uint32_t row_len[CHASSIS_QUERY__N] = {
#define ONE(name, ...) +1
#define X(sym, name, task, row) [CHASSIS_QUERY_##sym] = 0 row(ONE),
	CHASSIS_QUERIES(X)
#undef X
#undef ONE
};

static struct srp_mp_w *row_begin(struct page *p)
{
	p->w = srp_mp_w_init(p->buf, sizeof(p->buf));
	srp_mp_w_array(&p->w, p->query == p->part ? 2 : 3);
	srp_mp_w_uint(&p->w, p->id);
	srp_mp_w_array(&p->w, row_len[p->part]);
	srp_mp_w_uint(&p->w, p->s->ctx->instance);
	return &p->w;
}

static void row_end(struct page *p)
{
	if (p->query != p->part)
		srp_mp_w_uint(&p->w, p->part);
	chassis_task_send(p->s->ctx, CHASSIS_TASK_SCT, 0, CHASSIS_IPC_ROW, &p->w, -1);
	p->left--;
}

static void put_addr(struct srp_mp_w *w, bool has, const struct ecs_addr *a)
{
	char text[64];

	srp_mp_w_str(w, has ? ecs_addr_text(a, text, sizeof(text)) : "");
}

static void put_volume(struct srp_mp_w *w, const struct ecs_volume *v)
{
	srp_mp_w_uint(w, v->pkts[ECS_UPLINK]);
	srp_mp_w_uint(w, v->bytes[ECS_UPLINK]);
	srp_mp_w_uint(w, v->pkts[ECS_DOWNLINK]);
	srp_mp_w_uint(w, v->bytes[ECS_DOWNLINK]);
}

static const char *const bind_text[] = {
	[ECS_BIND_OK] = "ok",
	[ECS_BIND_NO_RULEBASE] = "no such rulebase",
	[ECS_BIND_NO_RULE] = "no such rule",
	[ECS_BIND_RULE_DIFFERS] = "rule differs",
	[ECS_BIND_ACTION_DIFFERS] = "charging-action differs",
};

static uint64_t seconds(struct srp_time from, struct srp_time to)
{
	return srp_time_since(from, to) / 1000000u;
}

static void flow_row(struct page *p, const struct ecs_flow *f)
{
	struct srp_mp_w *w = row_begin(p);
	struct ecs_volume v;
	const struct ecs_flow *parent = ecs_parent_of(p->s->engine, f);
	const struct ecs_ruleref *ref = f->ref == ECS_REF_NONE
		? NULL : ecs_ruleref_get(ecs_engine_refs(p->s->engine), f->ref);

	memcpy(v.pkts, f->pkts, sizeof(v.pkts));
	memcpy(v.bytes, f->bytes, sizeof(v.bytes));
	srp_mp_w_uint(w, f->session->spec.callid);
	srp_mp_w_uint(w, f->id);
	srp_mp_w_bool(w, ecs_flow_recovered(p->s->engine, f));
	srp_mp_w_uint(w, f->key.proto);
	put_addr(w, true, &f->key.subscriber);
	srp_mp_w_uint(w, f->key.subscriber_port);
	put_addr(w, true, &f->key.server);
	srp_mp_w_uint(w, f->key.server_port);
	srp_mp_w_str(w, ref ? ref->rule : "(no rule)");
	srp_mp_w_str(w, ref ? ref->rulebase : f->session->spec.rulebase);
	srp_mp_w_bool(w, f->flags & ECS_FLOW_F_CHECKPOINT);
	srp_mp_w_str(w, ref ? bind_text[ref->bind] : "");
	srp_mp_w_str(w, f->app ? ecs_app_name(f->app) : "");
	put_volume(w, &v);
	srp_mp_w_uint(w, seconds(f->created, p->now));
	srp_mp_w_uint(w, seconds(f->last, p->now));
	srp_mp_w_uint(w, f->idle_timeout);
	srp_mp_w_uint(w, f->bearer);
	srp_mp_w_bool(w, f->tethered);
	srp_mp_w_uint(w, parent ? parent->id : 0);
	row_end(p);
}

/* The session's own volume: its usage of the kind SESSION, summed over bearers. */
static struct ecs_volume session_volume(const struct ecs_session *c)
{
	struct ecs_volume v = {0};

	for (const struct srp_list *n = c->usages.next; n != &c->usages; n = n->next) {
		const struct ecs_usage *u = CONTAINER(n, const struct ecs_usage, in_session);
		struct ecs_volume one = ecs_usage_sum(u);

		for (int d = 0; u->of == ECS_USAGE_SESSION && d < 2; d++) {
			v.pkts[d] += one.pkts[d];
			v.bytes[d] += one.bytes[d];
		}
	}
	return v;
}

static void subscriber_row(struct page *p, const struct ecs_session *c)
{
	struct srp_mp_w *w = row_begin(p);
	struct ecs_volume v = session_volume(c);
	uint64_t age = seconds(c->created, p->now);

	srp_mp_w_uint(w, c->spec.callid);
	srp_mp_w_str(w, c->spec.imsi);
	srp_mp_w_str(w, c->spec.username);
	srp_mp_w_str(w, c->spec.apn);
	srp_mp_w_str(w, c->spec.rulebase);
	put_addr(w, c->spec.has4, &c->spec.v4);
	put_addr(w, c->spec.has6, &c->spec.v6);
	srp_mp_w_bool(w, ecs_session_recovered(p->s->engine, c));
	srp_mp_w_uint(w, c->pending);
	srp_mp_w_uint(w, c->nflows);
	srp_mp_w_uint(w, c->slots);
	put_volume(w, &v);
	srp_mp_w_uint(w, age);
	srp_mp_w_uint(w, seconds(c->last, p->now));
	srp_mp_w_bool(w, c->ready_for_recovery);
	sessmgr_given_row(w, ecs_engine_service(p->s->engine), c, age, p->s->ctx->instance);
	row_end(p);
}

/* A volume that came by checkpoint names its rule by the hash alone. */
static const char *usage_rule(struct ecs_engine *e, const struct ecs_usage *u)
{
	struct ecs_ruleref_table *refs = ecs_engine_refs(e);
	const struct ecs_ruleref *r = ecs_ruleref_get(refs, ecs_ruleref_by_hash(refs, u->id));

	return r ? r->rule : ecs_service_stats_name(ecs_engine_service(e), u->stats);
}

/* What a volume is of: a rating group with the content-id beside it. */
static void usage_id(const struct ecs_usage *u, char *text, size_t cap)
{
	text[0] = '\0';
	if (u->of == ECS_USAGE_RATING || u->of == ECS_USAGE_EXCLUDED)
		snprintf(text, cap, "%llu/%llu", (unsigned long long)(u->id >> 32),
		         (unsigned long long)(u->id & UINT32_MAX));
	else if (u->of != ECS_USAGE_SESSION)
		snprintf(text, cap, "%llu", (unsigned long long)u->id);
}

static void usage_row(struct page *p, const struct ecs_session *c, const struct ecs_usage *u)
{
	static const char *const of[] = {
#define X(sym, text) [ECS_USAGE_##sym] = (text),
		ECS_USAGES(X)
#undef X
	};
	struct srp_mp_w *w;
	struct ecs_volume v = ecs_usage_sum(u);
	char number[48];

	if (u->of == ECS_USAGE_QUOTA)
		return; /* no volume of directions: it has a show of its own */
	if (p->query == CHASSIS_QUERY_SESSION && u->of != ECS_USAGE_RULE)
		return;
	w = row_begin(p);

	srp_mp_w_uint(w, c->spec.callid);
	srp_mp_w_uint(w, u->bearer);
	srp_mp_w_str(w, of[u->of]);
	if (u->of == ECS_USAGE_RULE) {
		srp_mp_w_str(w, usage_rule(p->s->engine, u));
	} else {
		usage_id(u, number, sizeof(number));
		srp_mp_w_str(w, number);
	}
	put_volume(w, &v);
	row_end(p);
}

/* As much of a text as a row shows. */
static void put_cut(struct srp_mp_w *w, const char *text)
{
	char cut[SESSMGR_FILTERS_SHOWN + 1];
	size_t n = strlen(text);

	memcpy(cut, text, n < sizeof(cut) ? n + 1 : sizeof(cut) - 1);
	if (n >= sizeof(cut))
		memcpy(cut + sizeof(cut) - 5, " ...", sizeof(" ..."));
	srp_mp_w_str(w, cut);
}

/* Nothing where the volume is no quota. */
static void quota_row(struct page *p, const struct ecs_session *c, const struct ecs_usage *u)
{
	struct ecs_quota q;
	struct srp_mp_w *w;

	if (!ecs_quota_of(u, &q))
		return;
	w = row_begin(p);
	srp_mp_w_uint(w, c->spec.callid);
	srp_mp_w_uint(w, q.rating_group);
	srp_mp_w_uint(w, q.grants);
	srp_mp_w_uint(w, q.granted);
	srp_mp_w_uint(w, q.used);
	srp_mp_w_uint(w, q.used_pkts);
	srp_mp_w_uint(w, q.granted > q.used ? q.granted - q.used : 0);
	put_cut(w, q.url);
	row_end(p);
}

static void rule_row(struct page *p, const struct ecs_dynrule *d)
{
	sessmgr_rule_row(row_begin(p), ecs_engine_service(p->s->engine), d);
	row_end(p);
}

static void limit_row(struct page *p, const struct ecs_limiter *m)
{
	sessmgr_limit_row(row_begin(p), p->s->ctx->slab->limit, m, p->now);
	row_end(p);
}

/* Bearers of one session from the place @p skip on. */
static bool bearer_rows(struct page *p, const struct ecs_session *c, uint32_t *skip)
{
	for (uint32_t i = *skip; i < ECS_BEARERS_MAX; i++) {
		const struct ecs_bearer *b = ecs_session_bearer_at(c, i);

		if (!b)
			continue;
		if (!p->left) {
			*skip = i;
			return true;
		}
		sessmgr_bearer_row(row_begin(p), p->s->engine, b);
		row_end(p);
	}
	*skip = 0;
	return false;
}

static void element_row(struct page *p, const struct ecs_session *c, const struct srp_list *n)
{
	switch (p->part) {
	case CHASSIS_QUERY_FLOW:
		flow_row(p, CONTAINER(n, struct ecs_flow, in_session));
		break;
	case CHASSIS_QUERY_DYNRULE:
		rule_row(p, CONTAINER(n, struct ecs_dynrule, in_session));
		break;
	case CHASSIS_QUERY_LIMIT:
		limit_row(p, CONTAINER(n, struct ecs_limiter, in_session));
		break;
	case CHASSIS_QUERY_QUOTA:
		quota_row(p, c, CONTAINER(n, struct ecs_usage, in_session));
		break;
	default:
		usage_row(p, c, CONTAINER(n, struct ecs_usage, in_session));
	}
}

/* Rows of a list of a session from its skip-th element on, of which @p at have been before the list; true
 * when the page is full. */
static bool list_rows(struct page *p, const struct ecs_session *c, enum chassis_query part,
                      uint32_t *at, uint32_t *skip)
{
	const struct srp_list *head = part == CHASSIS_QUERY_FLOW ? &c->flows
	                              : part == CHASSIS_QUERY_DYNRULE ? &c->dynrules
	                              : part == CHASSIS_QUERY_LIMIT   ? &c->limiters : &c->usages;

	p->part = part;
	for (const struct srp_list *n = head->next; n != head; n = n->next, ++*at) {
		if (*at < *skip)
			continue;
		if (!p->left) {
			*skip = *at;
			return true;
		}
		element_row(p, c, n);
	}
	return false;
}

/* All that is known of one session: itself, then volumes of its rules, then rules that it was given. */
static bool whole_rows(struct page *p, const struct ecs_session *c, uint32_t *skip)
{
	uint32_t at = 1;

	if (!*skip) {
		p->part = CHASSIS_QUERY_SUBSCRIBER;
		subscriber_row(p, c);
	}
	if (list_rows(p, c, CHASSIS_QUERY_USAGE, &at, skip) ||
	    list_rows(p, c, CHASSIS_QUERY_DYNRULE, &at, skip))
		return true;
	*skip = 0;
	return p->left == 0;
}

/* Rows of one session from its skip-th element on; true when the page is full. */
static bool session_rows(struct page *p, const struct ecs_session *c, uint32_t *skip)
{
	uint32_t at = 0;

	if (p->query == CHASSIS_QUERY_SESSION)
		return whole_rows(p, c, skip);
	if (p->query == CHASSIS_QUERY_BEARER)
		return bearer_rows(p, c, skip);
	if (p->query == CHASSIS_QUERY_SUBSCRIBER) {
		subscriber_row(p, c);
		return p->left == 0;
	}
	if (list_rows(p, c, p->part, &at, skip))
		return true;
	*skip = 0;
	return false;
}

/* Cursor: call-id of the last whole session << 32 | elements of the next one already sent. */
static uint64_t walk_sessions(struct page *p, uint64_t cursor)
{
	uint32_t last = (uint32_t)(cursor >> 32), skip = (uint32_t)cursor;
	struct ecs_session *c;

	if (p->callid) {
		c = ecs_session_find(p->s->engine, p->callid);
		return c && session_rows(p, c, &skip) && skip ? skip : 0;
	}
	/* Sessions without a row must not make a page endless either. */
	for (uint32_t seen = 0; p->left && seen < PAGE_MAX; seen++) {
		c = ecs_session_next(p->s->engine, last);
		if (!c)
			return 0;
		if (session_rows(p, c, &skip) && skip)
			return (uint64_t)last << 32 | skip;
		last = c->spec.callid;
	}
	return ecs_session_next(p->s->engine, last) ? (uint64_t)last << 32 : 0;
}

/* Rows of the packet trace behind the number @p after. The show ends with the row that was the last when
 * it began. Cursor: how many are to be looked at << TRACE_BITS | the one looked at last. */
static uint64_t trace_rows(struct page *p, uint64_t cursor, const char *after)
{
	const struct ecs_trace_kept *k = ecs_trace_state(p->s->engine);
	uint64_t at = cursor ? cursor & TRACE_MASK : strtoull(after, NULL, 10), last;
	const struct ecs_trace_row *r;

	if (!k)
		return 0;
	last = cursor ? at + (cursor >> TRACE_BITS) : k->seq;
	while (p->left && (r = ecs_trace_next(p->s->engine, at, p->callid)) != NULL && r->seq <= last) {
		sessmgr_trace_row(p->s, row_begin(p), r);
		row_end(p);
		at = r->seq;
	}
	return p->left || at >= last ? 0 : (last - at) << TRACE_BITS | at;
}

static void replica_row(struct page *p)
{
	static const char *const link[] = {"down", "hello", "sync", "Ready"};
	struct sessmgr *s = p->s;
	struct recovery_status st;
	struct srp_mp_w *w;
	char why[200] = "hold", unknown[200];

	if (!s->gr)
		return;
	recovery_replica_status(s->gr, &st);
	(void)recovery_replica_check(s->gr, why, sizeof(why));
	recovery_replica_unknown(s->gr, unknown, sizeof(unknown));
	w = row_begin(p);
	srp_mp_w_str(w, "GR");
	srp_mp_w_str(w, link[st.link]);
	srp_mp_w_str(w, srp_role_name(s->role));
	srp_mp_w_bool(w, st.source);
	srp_mp_w_bool(w, s->complete == CHASSIS_COMPLETE);
	srp_mp_w_uint(w, s->term);
	srp_mp_w_uint(w, st.stream);
	srp_mp_w_uint(w, st.sent_seq);
	srp_mp_w_uint(w, st.acked_seq);
	srp_mp_w_uint(w, st.peer_stream);
	srp_mp_w_uint(w, st.applied_seq);
	srp_mp_w_uint(w, st.dirty);
	srp_mp_w_uint(w, st.inflight);
	srp_mp_w_uint(w, st.refused);
	srp_mp_w_uint(w, st.unknown);
	srp_mp_w_uint(w, st.tombs);
	srp_mp_w_uint(w, st.objects);
	srp_mp_w_uint(w, ecs_engine_sessions(s->engine));
	srp_mp_w_uint(w, ecs_engine_flows(s->engine));
	srp_mp_w_uint(w, st.digest);
	srp_mp_w_uint(w, recovery_replica_digest(s->gr, true, p->now));
	srp_mp_w_uint(w, st.verified.us ? seconds(st.verified, p->now) : UINT32_MAX);
	srp_mp_w_str(w, unknown);
	srp_mp_w_str(w, why);
	row_end(p);
}

void sessmgr_query_done(struct sessmgr *s, uint32_t id, int status, const char *text, uint64_t cursor)
{
	uint8_t buf[512];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, id);
	srp_mp_w_int(&w, status);
	srp_mp_w_str(&w, text);
	srp_mp_w_uint(&w, cursor);
	chassis_task_send(s->ctx, CHASSIS_TASK_SCT, 0, CHASSIS_IPC_DONE, &w, -1);
}

/* [id, query, cursor, limit, callid, text] */
int sessmgr_query(struct sessmgr *s, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 16);
	struct page p = {.s = s, .now = chassis_now()};
	char text[128] = "";
	uint64_t cursor;

	p.id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	p.query = (unsigned)srp_mp_uint(r, CHASSIS_QUERY_SESSION);
	p.part = (enum chassis_query)p.query;
	cursor = srp_mp_uint(r, UINT64_MAX);
	p.left = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	p.callid = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	if (n > 5)
		srp_mp_str(r, text, sizeof(text));
	if (n < 5 || r->err)
		return SRP_EFORMAT;
	if (!p.left || p.left > PAGE_MAX)
		p.left = PAGE_MAX;
	switch (p.query) {
	case CHASSIS_QUERY_FLOW:
	case CHASSIS_QUERY_SUBSCRIBER:
	case CHASSIS_QUERY_USAGE:
	case CHASSIS_QUERY_DYNRULE:
	case CHASSIS_QUERY_BEARER:
	case CHASSIS_QUERY_LIMIT:
	case CHASSIS_QUERY_QUOTA:
	case CHASSIS_QUERY_SESSION:
		cursor = walk_sessions(&p, cursor);
		break;
	case CHASSIS_QUERY_TRACE:
		cursor = trace_rows(&p, cursor, text);
		break;
	case CHASSIS_QUERY_REPLICA:
		replica_row(&p);
		cursor = 0;
		break;
	case CHASSIS_QUERY_DEBUG:
		sessmgr_debug_query(s, p.id, cursor, p.callid, text);
		return SRP_OK;
	default:
		sessmgr_query_done(s, p.id, SRP_ETYPE, "not a question for a session manager", 0);
		return SRP_OK;
	}
	sessmgr_query_done(s, p.id, SRP_OK, "", cursor);
	return SRP_OK;
}

/* Sets what is counted back to zero; gauges stay, and so do the terms of the equations, which would not
 * hold any more without their past. */
static void clear_stats(struct sessmgr *s)
{
	memset(s->ctx->slab->rule, 0, sizeof(s->ctx->slab->rule));
	for (size_t i = 0; i < ECS_DYN_STATS_MAX; i++)
		s->ctx->slab->dyn[i].st = (struct ecs_rule_stats){0};
	for (size_t i = 0; i < ECS_ACTED_MAX; i++)
		if (s->ctx->slab->acted[i].name[0])
			memset(s->ctx->slab->acted[i].n, 0, sizeof(s->ctx->slab->acted[i].n));
	for (size_t i = 0; i < ECS_LIMIT_STATS_MAX; i++)
		memset(s->ctx->slab->limit[i].n, 0, sizeof(s->ctx->slab->limit[i].n));
	ecs_kpi_clear(s->ctx->slab->kpi);
	memset(&s->ctx->slab->ecs, 0, sizeof(s->ctx->slab->ecs));
	memset(&s->ctx->slab->task_ctr, 0, sizeof(s->ctx->slab->task_ctr));
	s->ctx->slab->stats_since_us = chassis_now().us;
}

void sessmgr_clear_some(struct sessmgr *s)
{
	struct srp_time start = chassis_now(), now = start;
	struct ecs_session *c = NULL;
	int rc = srp_role_permit[s->role].owns_timers ? SRP_OK : SRP_EROLE;
	char text[80];

	if (!s->clear_all.on)
		return;
	while (rc == 0 && (c = ecs_session_next(s->engine, s->clear_all.after)) != NULL &&
	       srp_time_since(start, now) < SESSMGR_STEP_US) {
		s->clear_all.after = c->spec.callid;
		s->clear_all.n += ecs_flows_clear(s->engine, c->spec.callid, now);
		now = chassis_now();
	}
	if (c)
		return;
	s->clear_all.on = false;
	snprintf(text, sizeof(text), "%zu", s->clear_all.n);
	sessmgr_query_done(s, s->clear_all.id, rc, rc ? srp_strerror(rc) : text, 0);
}

/* Flows of one session at once, those of all of them in steps; 1: answered later. */
static int clear_flows(struct sessmgr *s, uint32_t id, uint32_t callid, char *text, size_t cap)
{
	if (!srp_role_permit[s->role].owns_timers)
		return SRP_EROLE;
	if (callid) {
		snprintf(text, cap, "%zu", ecs_flows_clear(s->engine, callid, chassis_now()));
		return SRP_OK;
	}
	if (s->clear_all.on)
		return SRP_EBUSY;
	s->clear_all.id = id;
	s->clear_all.after = 0;
	s->clear_all.n = 0;
	s->clear_all.on = true;
	return 1;
}

int sessmgr_command(struct sessmgr *s, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 32), id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	uint64_t cmd = srp_mp_uint(r, CHASSIS_CMD__N - 1);
	struct srp_time now = chassis_now();
	uint32_t callid = n > 2 ? (uint32_t)srp_mp_uint(r, UINT32_MAX) : 0;
	char text[240] = "";
	int rc = SRP_OK;

	if (n < 2 || r->err)
		return SRP_EFORMAT;
	switch (cmd) {
	case CHASSIS_CMD_AUDIT:
		if (s->gr && recovery_replica_link(s->gr) >= RECOVERY_LINK_SYNC)
			recovery_replica_audit(s->gr, now);
		else
			rc = SRP_ENOENT;
		snprintf(text, sizeof(text), "%s", rc ? "no connection to the peer" : "");
		break;
	case CHASSIS_CMD_FLOWS_CLEAR:
		rc = clear_flows(s, id, callid, text, sizeof(text));
		if (rc > 0)
			return SRP_OK;
		break;
	case CHASSIS_CMD_CONTROL:
		rc = srp_role_permit[s->role].new_sessions
			? ecs_session_control(s->engine, callid, srp_mp_bool(r), now) : SRP_EROLE;
		break;
	case CHASSIS_CMD_RULE:
	case CHASSIS_CMD_BEARER:
	case CHASSIS_CMD_HANDOFF:
	case CHASSIS_CMD_UNSETTLE:
	case CHASSIS_CMD_QUOTA:
		rc = sessmgr_give(s, (enum chassis_command)cmd, callid, r, text, sizeof(text));
		break;
	case CHASSIS_CMD_TRACE:
		rc = sessmgr_trace(s, callid, r, text, sizeof(text));
		break;
	case CHASSIS_CMD_CLEAR_STATS:
		clear_stats(s);
		break;
	default:
		rc = SRP_ETYPE;
	}
	if (rc < 0 && !text[0])
		snprintf(text, sizeof(text), "%s", srp_strerror(rc));
	sessmgr_query_done(s, id, rc, text, 0);
	sessmgr_link_kick(s);
	return SRP_OK;
}

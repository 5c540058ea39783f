#include "config.h"
#include "ecs/police.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ecs/enforce.h"
#include "ecs/engine_impl.h"
#include "ecs/rewrite.h"
#include "srp/hash.h"

#define TURN_S         1u
#define SCAN           6 /* limiters looked at before the index */
#define MBR_BURST_PART 80u /* of the bits of a second: the bytes of a tenth of it */
#define MBR_BURST_MIN  15000u
#define HITS_MAX       ECS_LIMIT__N
#define PRECEDENCE     0xe0u /* the three bits of IP precedence (RFC 791) */

/* --- buckets ---------------------------------------------------------------------------------- */

void ecs_bucket_fill(struct ecs_bucket *b, const struct ecs_rate *r, struct srp_time now)
{
	int64_t full = (int64_t)r->burst * ECS_BUCKET_BYTE;
	uint64_t room, passed;

	if (b->at.us == 0 || b->level >= full) {
		b->level = full;
		b->at.us = 0;
		return;
	}
	room = (uint64_t)full - (uint64_t)b->level;
	passed = srp_time_since(b->at, now);
	if (passed == 0)
		return;
	b->at = now;
	if (r->bits && room / r->bits < passed) {
		b->level = full;
		b->at.us = 0;
	} else {
		b->level += (int64_t)(r->bits * passed);
	}
}

void ecs_bucket_take(struct ecs_bucket *b, uint64_t bytes, struct srp_time now)
{
	b->level -= (int64_t)bytes * ECS_BUCKET_BYTE;
	if (b->at.us == 0)
		b->at = now;
}

int64_t ecs_bucket_bytes(const struct ecs_bucket *b)
{
	int64_t bytes = b->level / ECS_BUCKET_BYTE;

	if (b->at.us == 0)
		return ECS_BUCKET_FULL;
	if (b->level % ECS_BUCKET_BYTE < 0)
		bytes--;
	return bytes < ECS_BUCKET_LEAST ? ECS_BUCKET_LEAST : bytes;
}

uint64_t ecs_mbr_burst(uint32_t kbits)
{
	uint64_t burst = (uint64_t)kbits * 1000 / MBR_BURST_PART;

	return burst > MBR_BURST_MIN ? burst : MBR_BURST_MIN;
}

/* --- limiters --------------------------------------------------------------------------------- */

const char *ecs_limit_text(enum ecs_limit_of of)
{
	static const char *const text[] = {
#define X(sym, name) [ECS_LIMIT_##sym] = (name),
		ECS_LIMITS(X)
#undef X
	};

	return of < ECS_LIMIT__N ? text[of] : "?";
}

static uint64_t hash_of(uint32_t callid, unsigned of, uint64_t id, uint64_t seed)
{
	return ecs_hash_mix((((uint64_t)callid << 8 | of) ^ ECS_HASH_K0) ^ seed, id ^ ECS_HASH_K1);
}

static uint64_t limiter_hash(const void *obj, uint64_t seed)
{
	const struct ecs_limiter *m = obj;

	return hash_of(m->session->spec.callid, m->of, m->id, seed);
}

int ecs_limiters_init(struct ecs_engine *e)
{
	ecs_list_init(&e->unfull);
	ecs_list_init(&e->unfull_turning);
	return ecs_chain_init(&e->limiters, 0, offsetof(struct ecs_limiter, by_key), limiter_hash,
	                      ecs_hash_mix(e->conf.seed, ECS_HASH_K0));
}

struct ecs_limiter *ecs_limiter_find(const struct ecs_engine *e, uint32_t callid,
                                     enum ecs_limit_of of, uint64_t id)
{
	struct ecs_limiter *m;

	m = *ecs_chain_head(&e->limiters, hash_of(callid, of, id, e->limiters.seed));
	while (m && (m->id != id || m->of != of || m->session->spec.callid != callid))
		m = m->by_key;
	return m;
}

struct ecs_limiter *ecs_limiter_build(struct ecs_engine *e, struct ecs_session *s,
                                      enum ecs_limit_of of, uint64_t id)
{
	struct ecs_limiter *m = NULL;

	if (s->nlimiters < ECS_LIMITERS_MAX)
		m = ecs_pool_get(&e->limiter_pool);
	if (!m)
		return NULL;
	m->ckpt.kind = &ecs_kind_limit;
	m->session = s;
	m->of = (uint8_t)of;
	m->id = id;
	for (int d = 0; d < 2; d++)
		m->way[d].told_peak = m->way[d].told_committed = ECS_BUCKET_FULL;
	ecs_list_add_head(&s->limiters, &m->in_session);
	ecs_chain_insert(&e->limiters, m);
	s->nlimiters++;
	return m;
}

void ecs_limiter_drop(struct ecs_engine *e, struct ecs_limiter *m, struct srp_time now)
{
	ecs_tell_deleted(e, &m->ckpt, ECS_TELL_LISTS, now);
	ecs_list_del(&m->in_session);
	ecs_list_del(&m->in_changed);
	ecs_chain_remove(&e->limiters, m);
	m->session->nlimiters--;
	ecs_pool_put(&e->limiter_pool, m);
}

/* The limiter that a packet meets; made at its first. */
static struct ecs_limiter *lookup(struct ecs_engine *e, struct ecs_session *s,
                                  enum ecs_limit_of of, uint64_t id)
{
	struct srp_list *l = s->limiters.next;
	struct ecs_limiter *m;

	for (int i = 0; i < SCAN && l != &s->limiters; i++, l = l->next) {
		m = ECS_CONTAINER(l, struct ecs_limiter, in_session);
		if (m->id == id && m->of == of)
			return m;
	}
	m = s->nlimiters > SCAN ? ecs_limiter_find(e, s->spec.callid, of, id) : NULL;
	if (!m)
		return ecs_limiter_build(e, s, of, id);
	ecs_list_del(&m->in_session);
	ecs_list_add_head(&s->limiters, &m->in_session);
	return m;
}

/* --- which packets are looked at -------------------------------------------------------------- */

static bool has_mbr(const struct ecs_qos *q)
{
	return q->mbr[ECS_UPLINK] || q->mbr[ECS_DOWNLINK];
}

void ecs_police_session(struct ecs_session *s)
{
	bool any = false;

	for (struct srp_list *l = s->limiters.next; l != &s->limiters; l = l->next)
		if (ECS_CONTAINER(l, struct ecs_limiter, in_session)->of == ECS_LIMIT_BEARER)
			ECS_CONTAINER(l, struct ecs_limiter, in_session)->named = false;
	for (unsigned i = 0; i < ECS_BEARERS_MAX && !any; i++) {
		const struct ecs_bearer *b = ecs_session_bearer_at(s, i);
		struct ecs_qos q = b ? ecs_bearer_qos(b) : (struct ecs_qos){0};

		any = has_mbr(&q);
	}
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules && !any; l = l->next)
		any = has_mbr(&ECS_CONTAINER(l, struct ecs_dynrule, in_session)->spec.qos);
	if (any)
		s->stages |= ECS_STAGE_BIT(POLICE);
	else
		s->stages &= ~ECS_STAGE_BIT(POLICE);
}

/* --- the limits of a packet ------------------------------------------------------------------- */

/* A limit that a packet meets. */
struct hit {
	struct ecs_limiter *m;
	struct ecs_limiter_way *way;
	uint8_t colour, action; /* enum ecs_colour, enum ecs_over */
};

struct hits {
	struct hit v[HITS_MAX];
	size_t n;
	const struct ecs_line *l;    /* of the packet; NULL: none */
	const struct ecs_dynrule *d; /* likewise: dynamic, or what activates the line */
	uint8_t qci;                 /* of its bearer */
};

uint16_t ecs_limit_stats_of(struct ecs_limit_stats *v, enum ecs_limit_of of, const char *name)
{
	size_t len = strnlen(name, sizeof(v->name) - 1);
	uint16_t at = (uint16_t)(srp_hash64(of, name, len) % (ECS_LIMIT_STATS_MAX - 1));

	for (unsigned i = 0; i < ECS_LIMIT_STATS_MAX - 1; i++) {
		if (!v[at].name[0]) {
			memcpy(v[at].name, name, len);
			v[at].of = (uint8_t)of;
		}
		if (v[at].of == of && strcmp(v[at].name, name) == 0)
			return at;
		at = (uint16_t)((at + 1) % (ECS_LIMIT_STATS_MAX - 1));
	}
	at = ECS_LIMIT_STATS_MAX - 1;
	snprintf(v[at].name, sizeof(v[at].name), "(other limits)");
	v[at].of = ECS_LIMIT__N;
	return at;
}

/* Its name, for the counters. */
static void name_of(const struct ecs_engine *e, const struct hits *to, const struct ecs_session *s,
                    enum ecs_limit_of of, char *out, size_t cap)
{
	const struct ecs_rulebase_conf *rb;

	switch (of) {
	case ECS_LIMIT_RULE:
		snprintf(out, cap, "%s", to->l->action->name);
		break;
	case ECS_LIMIT_DYNAMIC:
		snprintf(out, cap, "%s", to->d->spec.name);
		break;
	case ECS_LIMIT_POLICY:
		rb = ecs_service_rulebase_conf(e->conf.service, s->rulebase);
		snprintf(out, cap, "%s %" PRIu32, rb ? rb->bandwidth_policy : "",
		         to->l->policy->id);
		break;
	case ECS_LIMIT_GROUP:
		snprintf(out, cap, "%s", to->l->qos_group->name);
		break;
	default:
		snprintf(out, cap, "qci %u", to->qci);
	}
}

static void name_it(struct ecs_engine *e, const struct hits *to, struct ecs_limiter *m)
{
	char name[2 * ECS_NAME_MAX + 2];

	name_of(e, to, m->session, (enum ecs_limit_of)m->of, name, sizeof(name));
	m->stats = ecs_limit_stats_of(e->conf.limit_stats, (enum ecs_limit_of)m->of, name);
	m->named_at = e->commits;
	m->named = true;
}

/* Adds a limit, and says how the packet stands to it. */
static void add(struct ecs_engine *e, struct ecs_way *w, struct hits *to, enum ecs_limit_of of,
                uint64_t id, const struct ecs_bandwidth *b, const struct ecs_rate *peak)
{
	struct ecs_limiter *m = lookup(e, w->s, of, id);
	struct hit *h = &to->v[to->n];
	uint64_t each = (w->bytes + w->pkts - 1) / w->pkts; /* of a super-packet: its segments */

	if (!m) {
		e->conf.counters->limiters_refused += w->pkts;
		return;
	}
	if (!m->named || m->named_at != e->commits)
		name_it(e, to, m);
	*h = (struct hit){.m = m, .way = &m->way[w->p->dir], .colour = ECS_CONFORMED};
	to->n++;
	h->way->peak_rate = *peak;
	h->way->committed_rate = (struct ecs_rate){0};
	ecs_bucket_fill(&h->way->peak, peak, w->now);
	if (b->has_committed) {
		h->way->committed_rate = (struct ecs_rate){b->committed, b->committed_burst};
		ecs_bucket_fill(&h->way->committed, &h->way->committed_rate, w->now);
		if (!ecs_bucket_has(&h->way->committed, each)) {
			h->colour = ECS_EXCEEDED;
			h->action = b->exceed;
		}
	}
	if (!ecs_bucket_has(&h->way->peak, each)) {
		h->colour = ECS_VIOLATED;
		h->action = b->violate;
	}
}

static void add_bandwidth(struct ecs_engine *e, struct ecs_way *w, struct hits *to,
                          enum ecs_limit_of of, uint64_t id, const struct ecs_bandwidth *b)
{
	const struct ecs_rate peak = {b->peak, b->peak_burst};

	if (b->on)
		add(e, w, to, of, id, b, &peak);
}

static void add_mbr(struct ecs_engine *e, struct ecs_way *w, struct hits *to,
                    enum ecs_limit_of of, uint64_t id, uint32_t kbits)
{
	static const struct ecs_bandwidth mbr = {.violate = ECS_OVER_DISCARD};
	const struct ecs_rate peak = {(uint64_t)kbits * 1000, ecs_mbr_burst(kbits)};

	if (kbits)
		add(e, w, to, of, id, &mbr, &peak);
}

static void gather(struct ecs_engine *e, struct ecs_way *w, struct hits *to)
{
	uint8_t id = w->bearer ? w->bearer : w->f ? w->f->bearer : ECS_BEARER_DEFAULT;
	const struct ecs_bearer *b = ecs_session_bearer(w->s, id, false);
	const struct ecs_line *l = w->line == ECS_LINE_NONE || w->dyn
	                                   ? NULL
	                                   : ecs_service_line(e->conf.service, w->line);
	const struct ecs_charging_action *a = l ? l->action : NULL;
	enum ecs_dir dir = w->p->dir;

	to->l = l;
	to->d = l && w->s->active ? ecs_dyn_of_line(w->s, w->line) : w->dyn;
	if (a)
		add_bandwidth(e, w, to, ECS_LIMIT_RULE, l->limit_id,
		              dir == ECS_UPLINK ? &a->limit_up : &a->limit_down);
	if (to->d)
		add_mbr(e, w, to, ECS_LIMIT_DYNAMIC, to->d->key, to->d->spec.qos.mbr[dir]);
	if (l && l->policy)
		add_bandwidth(e, w, to, ECS_LIMIT_POLICY, l->policy->id, &l->policy->limit[dir]);
	if (l && l->qos_group)
		add_bandwidth(e, w, to, ECS_LIMIT_GROUP, l->qos_group->id,
		              &l->qos_group->limit[dir]);
	if (b) {
		struct ecs_qos q = ecs_bearer_qos(b);

		to->qci = q.qci;
		add_mbr(e, w, to, ECS_LIMIT_BEARER, id, q.mbr[dir]);
	}
}

/* --- the stages ------------------------------------------------------------------------------- */

static void count(struct ecs_engine *e, const struct hit *h, const struct ecs_way *w)
{
	struct ecs_limit_volume *v[] = {
		&h->way->n[h->colour], &e->conf.limit_stats[h->m->stats].n[w->p->dir][h->colour]};

	for (size_t i = 0; i < 2; i++) {
		v[i]->pkts += w->pkts;
		v[i]->bytes += w->bytes;
	}
}

/* Takes the tokens of a packet that goes on. */
static void take(struct ecs_engine *e, const struct hit *h, const struct ecs_way *w)
{
	if (h->colour == ECS_VIOLATED)
		return;
	ecs_bucket_take(&h->way->peak, w->bytes, w->now);
	if (h->colour == ECS_CONFORMED && h->way->committed_rate.burst)
		ecs_bucket_take(&h->way->committed, w->bytes, w->now);
	if (!ecs_list_on(&h->m->in_changed))
		ecs_list_add_tail(&e->unfull, &h->m->in_changed);
}

enum ecs_stage_did ecs_stage_police(struct ecs_engine *e, struct ecs_way *w,
                                    const struct ecs_charging_action *a)
{
	struct hits hits = {.n = 0};

	(void)a;
	if (!w->pkts)
		return ECS_STAGE_PASSED;
	gather(e, w, &hits);
	for (size_t i = 0; i < hits.n; i++)
		if (hits.v[i].action == ECS_OVER_DISCARD) {
			count(e, &hits.v[i], w);
			return ECS_STAGE_STOPPED;
		}
	for (size_t i = 0; i < hits.n; i++) {
		count(e, &hits.v[i], w);
		take(e, &hits.v[i], w);
		if (hits.v[i].action == ECS_OVER_LOWER)
			w->also |= ECS_STAGE_BIT(LOWER);
	}
	return ECS_STAGE_PASSED;
}

enum ecs_stage_did ecs_stage_lower(struct ecs_engine *e, struct ecs_way *w,
                                   const struct ecs_charging_action *a)
{
	const uint8_t *ip;
	uint8_t tos;

	(void)e;
	(void)a;
	if (!w->raw)
		return ECS_STAGE_ACTED;
	ip = w->raw->ip; /* as `ip tos` has left it */
	tos = w->p->version == 4 ? ip[1] : (uint8_t)((ip[0] & 15) << 4 | ip[1] >> 4);
	ecs_rewrite_tos(w->raw, w->p, (uint8_t)(tos & ~PRECEDENCE));
	return ECS_STAGE_ACTED;
}

/* --- what is told of them --------------------------------------------------------------------- */

/* Notes what is told of one direction; true: it need not be told again. */
static bool told(struct ecs_limiter_way *way, struct srp_time now)
{
	if (!way->peak_rate.burst)
		return true; /* no packet since it was recovered: what is told of it holds */
	ecs_bucket_fill(&way->peak, &way->peak_rate, now);
	if (way->committed_rate.burst)
		ecs_bucket_fill(&way->committed, &way->committed_rate, now);
	else
		way->committed = (struct ecs_bucket){.level = 0}; /* it has none any more */
	way->told_peak = ecs_bucket_bytes(&way->peak);
	way->told_committed = ecs_bucket_bytes(&way->committed);
	way->told_at = now;
	return way->told_peak == ECS_BUCKET_FULL && way->told_committed == ECS_BUCKET_FULL;
}

static bool tell_some(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	struct srp_list *turning = &e->unfull_turning;

	for (; budget > 0 && !ecs_list_empty(turning); budget--) {
		struct ecs_limiter *m = ECS_CONTAINER(turning->next, struct ecs_limiter, in_changed);
		bool up = told(&m->way[ECS_UPLINK], now), down = told(&m->way[ECS_DOWNLINK], now);

		ecs_list_del(&m->in_changed);
		if (!up || !down)
			ecs_list_add_tail(&e->unfull, &m->in_changed);
		ecs_tell_changed(e, &m->ckpt, now);
	}
	return !ecs_list_empty(turning);
}

bool ecs_police_turn(struct ecs_engine *e, bool all, struct srp_time now, size_t budget)
{
	struct srp_list *turning = &e->unfull_turning;

	if (all)
		(void)tell_some(e, now, SIZE_MAX);
	if (ecs_list_empty(turning) && !ecs_list_empty(&e->unfull) &&
	    (all || srp_time_due(e->next_limits, now))) {
		e->next_limits = srp_time_add(now, SRP_SEC(TURN_S));
		*turning = e->unfull;
		turning->next->prev = turning->prev->next = turning;
		ecs_list_init(&e->unfull);
	}
	return tell_some(e, now, budget);
}

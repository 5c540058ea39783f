/* hold: packets of a flow whose request a rating server is asked about. Nobody here knows of servers:
 * the owner is asked (ecs_engine_ops.rate) and answers (ecs_engine_rated). */
#include "config.h"
#include "ecs/content.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/enforce.h"
#include "ecs/redirect.h"

#define ROOM      2048u /* behind a packet, for header fields */
#define SLOT_BITS 10
#define ASK_BITS  4
_Static_assert(ECS_HOLDS_MAX == 1u << SLOT_BITS && ECS_CONTENT_REQUESTS == 1u << ASK_BITS,
               "the number of a question holds both");

struct packet {
	struct ecs_raw raw;
	uint64_t pkts, bytes;
	uint64_t row;            /* of the trace; 0: it has none */
};

struct ecs_hold {
	uint64_t serial;
	unsigned slot;
	struct ecs_flow *flow;
	uint16_t open;           /* questions without an answer, a bit each */
	size_t n, bytes;
	struct packet pkt[ECS_HOLD_PACKETS];
	uint32_t end;            /* sequence number behind what is held */
	uint8_t bearer;
	/* of the packet with the request */
	bool head_seen;
	uint32_t head_end;
	char group[ECS_NAME_MAX + 1];
};

struct ecs_holds {
	struct ecs_hold *slot[ECS_HOLDS_MAX];
	uint16_t next;
	size_t n, bytes;
	uint64_t serial;
};

/* --- holding ---------------------------------------------------------------------------------- */

static struct ecs_hold *hold_new(struct ecs_engine *e, struct ecs_way *w, const char *group)
{
	struct ecs_flow_more *m;
	struct ecs_holds *t = e->holds;
	struct ecs_hold *h;

	if (!t)
		t = e->holds = calloc(1, sizeof(*t));
	m = t && t->n < ECS_HOLDS_MAX ? ecs_flow_more(e, w->f) : NULL;
	h = m ? calloc(1, sizeof(*h)) : NULL;
	if (!h)
		return NULL;
	while (t->slot[t->next])
		t->next = (t->next + 1) % ECS_HOLDS_MAX;
	h->slot = t->next;
	h->serial = ++t->serial;
	h->flow = w->f;
	h->bearer = w->bearer;
	h->head_seen = w->head_seen;
	h->head_end = w->head_end;
	memcpy(h->group, group, strnlen(group, ECS_NAME_MAX));
	t->slot[h->slot] = h;
	t->n++;
	m->hold = h;
	m->stages |= ECS_STAGE_BIT(RATE);
	return h;
}

/* Takes it off its flow. */
static void detach(struct ecs_engine *e, struct ecs_hold *h)
{
	struct ecs_flow_more *m = h->flow->more;

	e->holds->slot[h->slot] = NULL;
	e->holds->n--;
	e->holds->bytes -= h->bytes;
	m->hold = NULL;
	if (!m->blocked)
		m->stages &= ~ECS_STAGE_BIT(RATE);
}

static void hold_free(struct ecs_hold *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->pkt[i].raw.ip);
	free(h);
}

void ecs_hold_drop(struct ecs_engine *e, struct ecs_flow_more *m)
{
	struct ecs_hold *h = m->hold;

	if (!h)
		return;
	detach(e, h);
	hold_free(h);
}

void ecs_holds_clear(struct ecs_engine *e)
{
	for (size_t i = 0; e->holds && i < ECS_HOLDS_MAX; i++)
		if (e->holds->slot[i])
			ecs_hold_drop(e, e->holds->slot[i]->flow->more);
}

static uint32_t data_of(const struct ecs_packet *p)
{
	return p->len > p->hdr_len ? (uint32_t)(p->len - p->hdr_len) : 0;
}

static bool hold_add(struct ecs_engine *e, struct ecs_hold *h, const struct ecs_way *w)
{
	size_t len = w->raw->len;
	struct packet *to = &h->pkt[h->n];
	uint8_t *copy;

	if (h->n == ECS_HOLD_PACKETS || h->bytes + len > ECS_HOLD_FLOW_BYTES ||
	    e->holds->bytes + len > ECS_HOLD_BYTES)
		return false;
	copy = malloc(len + ROOM);
	if (!copy)
		return false;
	memcpy(copy, w->raw->ip, len);
	*to = (struct packet){*w->raw, w->pkts, w->bytes, e->tracing ? ecs_trace_keeps(e, true) : 0};
	to->raw.ip = copy;
	to->raw.room = len + ROOM;
	h->n++;
	h->bytes += len;
	e->holds->bytes += len;
	if (w->p->frag != ECS_FRAG_LATER)
		h->end = w->p->tcp_seq + data_of(w->p);
	e->conf.counters->icap_held += w->pkts;
	return true;
}

/* --- asking ----------------------------------------------------------------------------------- */

static enum ecs_stage_did failed(struct ecs_engine *e, struct ecs_way *w, const struct ecs_rater *r)
{
	e->conf.counters->icap_failed++;
	return r ? ecs_content_do(e, w, &r->failure, r->deny) : ECS_STAGE_PASSED;
}

static bool ask(struct ecs_engine *e, struct ecs_hold *h, const struct ecs_rater *r)
{
	const struct ecs_session *s = h->flow->session;
	const struct ecs_content *k = e->content;

	for (unsigned i = 0; i < k->n; i++) {
		const struct ecs_rate_ask q = {
			.id = h->serial << (SLOT_BITS + ASK_BITS) | h->slot << ASK_BITS | i,
			.group = r, .method = k->ask[i].method, .host = k->ask[i].host,
			.uri = k->ask[i].uri, .user_agent = k->ask[i].user_agent,
			.subscriber = &h->flow->key.subscriber, .imsi = s->spec.imsi};

		if (e->conf.ops->rate(e->conf.owner, &q) != 0)
			return false;
		h->open |= (uint16_t)(1u << i);
		e->conf.counters->icap_asked++;
	}
	return true;
}

static enum ecs_stage_did begin(struct ecs_engine *e, struct ecs_way *w,
                                const struct ecs_rulebase_conf *c)
{
	const struct ecs_rater *r = ecs_service_find_rater(e->conf.service, c->cf_group);
	struct ecs_hold *h;

	if (!w->raw)
		return ECS_STAGE_PASSED; /* judged only */
	if (!r || !e->conf.ops || !e->conf.ops->rate || e->content->unrated)
		return failed(e, w, r);
	h = hold_new(e, w, r->name);
	if (!h || !hold_add(e, h, w)) {
		e->conf.counters->icap_hold_full++;
	} else if (ask(e, h, r)) {
		return ECS_STAGE_STOPPED;
	}
	if (h)
		ecs_hold_drop(e, w->f->more);
	if (e->tracing)
		(void)ecs_trace_keeps(e, false);
	return failed(e, w, r);
}

/* A further packet of a flow that waits: it keeps its place behind the request. */
static enum ecs_stage_did wait(struct ecs_engine *e, struct ecs_way *w, struct ecs_hold *h)
{
	const struct ecs_packet *p = w->p;

	if (p->frag != ECS_FRAG_LATER && !data_of(p) && !(p->tcp_flags & ECS_TCP_FIN))
		return ECS_STAGE_PASSED;
	if (p->frag != ECS_FRAG_LATER && (int32_t)(p->tcp_seq - h->end) < 0)
		return ECS_STAGE_STOPPED; /* it was held, and is sent again */
	if (!w->raw || !hold_add(e, h, w))
		e->conf.counters->icap_hold_full++;
	return ECS_STAGE_STOPPED;
}

enum ecs_stage_did ecs_stage_rate(struct ecs_engine *e, struct ecs_way *w,
                                  const struct ecs_charging_action *a)
{
	const struct ecs_rulebase_conf *c;
	struct ecs_flow_more *m = w->f ? w->f->more : NULL;
	const struct ecs_packet *p = w->p;

	if (p->dir != ECS_UPLINK || p->icmp_error || (p->tcp_flags & ECS_TCP_RST))
		return ECS_STAGE_PASSED;
	if (m && m->hold)
		return wait(e, w, m->hold);
	if (m && m->blocked)
		return p->frag == ECS_FRAG_LATER || data_of(p) ? ECS_STAGE_STOPPED : ECS_STAGE_PASSED;
	if (!w->content || (!e->content->n && !e->content->unrated))
		return ECS_STAGE_PASSED;
	c = ecs_service_rulebase_conf(e->conf.service, w->s->rulebase);
	if (!c || (c->cf_mode == ECS_CF_MODE_GROUP ? !a || !a->content_filtering
	                                           : c->cf_mode != ECS_CF_MODE_DYNAMIC))
		return ECS_STAGE_PASSED;
	return begin(e, w, c);
}

/* --- the answer ------------------------------------------------------------------------------- */

/* A held packet on its way again, as its flow is judged now. */
static struct ecs_way way_of(struct ecs_engine *e, struct ecs_hold *h, size_t i,
                             struct ecs_packet *p, struct srp_time now)
{
	struct ecs_way w = ecs_charge_again(e, h->flow, &h->pkt[i].raw, p, ECS_STAGE_BIT(RATE) * 2 - 1,
	                                    now);

	w.pkts = h->pkt[i].pkts;
	w.bytes = h->pkt[i].bytes;
	w.bearer = h->bearer;
	if (i == 0) {
		w.request = true;
		w.head_seen = h->head_seen;
		w.head_end = h->head_end;
	}
	return w;
}

static bool parse(const struct ecs_hold *h, size_t i, struct ecs_packet *p)
{
	return ecs_packet_parse(h->pkt[i].raw.ip, h->pkt[i].raw.len, ECS_UPLINK, p) == 0;
}

static void release(struct ecs_engine *e, struct ecs_hold *h, struct srp_time now)
{
	bool gone = false;

	detach(e, h);
	for (size_t i = 0; i < h->n && !gone; i++) {
		struct ecs_packet p;
		struct ecs_way w;

		if (!parse(h, i, &p))
			continue;
		w = way_of(e, h, i, &p, now);
		if (e->tracing)
			ecs_trace_arrives(e, h->pkt[i].raw.ip, h->pkt[i].raw.len, p.dir, h->pkt[i].row);
		if (ecs_charge(e, &w) == ECS_FORWARD && e->conf.ops->release)
			e->conf.ops->release(e->conf.owner, &h->pkt[i].raw, ECS_UPLINK);
		if (w.changed)
			ecs_recoverable_changed(e, h->flow, now);
		gone = ecs_enforce_end(e, &w);
	}
	hold_free(h);
}

/* None of them goes on. */
static void trace_refused(struct ecs_engine *e, struct ecs_hold *h, struct srp_time now)
{
	for (size_t i = 0; i < h->n; i++) {
		struct ecs_packet p;
		struct ecs_way w;

		if (!parse(h, i, &p))
			continue;
		w = way_of(e, h, i, &p, now);
		ecs_trace_arrives(e, h->pkt[i].raw.ip, h->pkt[i].raw.len, p.dir, h->pkt[i].row);
		ecs_trace_stopped(e, &w, ECS_STAGE_RATE);
	}
}

static void refuse(struct ecs_engine *e, struct ecs_hold *h, const struct ecs_cf_action *a,
                   const char *text, struct srp_time now)
{
	struct ecs_packet p;
	struct ecs_way w;

	detach(e, h);
	if (e->tracing)
		trace_refused(e, h, now);
	if (parse(h, 0, &p)) {
		w = way_of(e, h, 0, &p, now);
		(void)ecs_content_do(e, &w, a, text);
		(void)ecs_enforce_end(e, &w);
	}
	hold_free(h);
}

/* What is to be done with the request; @p url: room for a server's own redirection. */
static const struct ecs_cf_action *verdict(struct ecs_engine *e, const struct ecs_hold *h,
                                           const struct ecs_rating *r, struct ecs_cf_action *own)
{
	const struct ecs_rater *g = ecs_service_find_rater(e->conf.service, h->group);
	const struct ecs_cf_action *a;

	*own = (struct ecs_cf_action){.act = ECS_CF_ALLOW};
	switch (r->said) {
	case ECS_RATED_ALLOW:
		e->conf.counters->icap_allowed++;
		a = ecs_content_policy(e, h->flow->session, r->categories, r->len);
		return a ? a : own;
	case ECS_RATED_DENY:
		e->conf.counters->icap_denied++;
		own->act = r->url ? ECS_CF_REDIRECT : ECS_CF_REPLY;
		own->code = 403;
		if (r->url)
			memcpy(own->text, r->url, strnlen(r->url, ECS_URL_MAX));
		return own;
	case ECS_RATED_FAILED:
		break;
	}
	e->conf.counters->icap_failed++;
	return g ? &g->failure : own;
}

void ecs_engine_rated(struct ecs_engine *e, uint64_t id, const struct ecs_rating *r,
                      struct srp_time now)
{
	unsigned slot = id >> ASK_BITS & (ECS_HOLDS_MAX - 1), i = id & (ECS_CONTENT_REQUESTS - 1);
	struct ecs_hold *h = e->holds ? e->holds->slot[slot] : NULL;
	const struct ecs_rater *g;
	const struct ecs_cf_action *a;
	struct ecs_cf_action own;

	if (!h || h->serial != id >> (SLOT_BITS + ASK_BITS) || !(h->open >> i & 1)) {
		e->conf.counters->icap_late++;
		return;
	}
	h->open &= (uint16_t)~(1u << i);
	a = verdict(e, h, r, &own);
	if (a->act != ECS_CF_ALLOW) {
		g = ecs_service_find_rater(e->conf.service, h->group);
		refuse(e, h, a, g ? g->deny : NULL, now);
	} else if (!h->open) {
		e->conf.counters->cf_allowed++;
		release(e, h, now);
	}
}

size_t ecs_engine_holds(const struct ecs_engine *e)
{
	return e->holds ? e->holds->n : 0;
}

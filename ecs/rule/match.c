#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX (ECS_LINES_MAX / 64)
#define TCP       6
#define UDP       17
#define ICMP      1
#define ICMPV6    58

/** What a condition, a rule or a line says of a packet. */
enum verdict { NO, MAYBE, YES };

/** Which patterns of a field hit its string; valid for one call. */
struct hits {
	uint64_t *bits;
	uint16_t *list;
	size_t n;
};

struct ecs_matcher {
	const struct ecs_service *s;
	hs_scratch_t *scratch;
	struct hits hits[ECS_F__N];
};

/** A call, as its parts see it. */
struct call {
	struct ecs_matcher *m;
	const struct rulebase *rb;
	const struct ecs_match_in *in;
	uint64_t yes[WORDS_MAX];   /**< lines that could match */
	uint64_t later[WORDS_MAX]; /**< lines that only what is not yet known could make match */
	bool maybe;
};

/* --- one condition ---------------------------------------------------------------------------- */

static enum verdict known(bool match)
{
	return match ? YES : NO;
}

static enum verdict in_range(const struct cond *c, uint16_t v)
{
	return known((v >= c->lo && v <= c->hi) != c->neg);
}

static enum verdict either(const struct cond *c, uint16_t a, uint16_t b)
{
	bool hit = (a >= c->lo && a <= c->hi) || (b >= c->lo && b <= c->hi);

	return known(hit != c->neg);
}

static enum verdict addr(const struct cond *c, const struct ecs_addr *a)
{
	bool hit = ecs_addr_is4(a) == c->v4 && memcmp(a, &c->alo, sizeof(*a)) >= 0 &&
	           memcmp(a, &c->ahi, sizeof(*a)) <= 0;

	return known(hit != c->neg);
}

static bool has_ports(const struct ecs_packet *p, uint8_t proto)
{
	return p->proto == proto && p->frag != ECS_FRAG_LATER;
}

static bool is_icmp(const struct ecs_packet *p)
{
	return p->proto == ICMP || p->proto == ICMPV6;
}

static const char *l7_string(const struct ecs_l7 *l7, unsigned field)
{
	switch (field) {
	case ECS_F_HTTP_HOST:
		return l7->http_host;
	case ECS_F_HTTP_URL:
		return l7->http_url;
	case ECS_F_HTTP_UA:
		return l7->http_user_agent;
	case ECS_F_TLS_SNI:
		return l7->tls_sni;
	case ECS_F_DNS_QUERY:
		return l7->dns_query;
	default:
		return NULL;
	}
}

static enum verdict l7_cond(const struct ecs_matcher *m, const struct ecs_l7 *l7,
                            const struct cond *c)
{
	const uint64_t *bits = m->hits[c->field].bits;
	bool http;

	if (!l7)
		return NO;
	if (c->field == ECS_F_HTTP_ANY) {
		http = l7->http_host || l7->http_url || l7->http_user_agent;
		return http || l7->final ? known(http == c->want) : MAYBE;
	}
	if (c->field == ECS_F_P2P_PROTOCOL) {
		if ((l7->app && l7->app == c->lo) || (l7->app_master && l7->app_master == c->lo))
			return YES;
		return l7->final ? NO : MAYBE; /* nDPI may still refine what it has said */
	}
	if (!l7_string(l7, c->field)) /* absent: only !present can match */
		return l7->final ? known(c->op == ECS_OP_NPRESENT) : MAYBE;
	if (c->op == ECS_OP_PRESENT || c->op == ECS_OP_NPRESENT)
		return known(c->want);
	return known((bits[c->pattern / 64] >> (c->pattern % 64) & 1) != c->neg);
}

static enum verdict cond_eval(const struct call *k, const struct cond *c)
{
	const struct ecs_packet *p = k->in->pkt;
	bool up = p->dir == ECS_UPLINK;

	switch ((enum ecs_field)c->field) {
	case ECS_F_IP_ANY:
		return known(c->want);
	case ECS_F_IP_SRC:
		return addr(c, &p->src);
	case ECS_F_IP_DST:
		return addr(c, &p->dst);
	case ECS_F_IP_SERVER:
		return addr(c, up ? &p->dst : &p->src);
	case ECS_F_IP_SUBSCRIBER:
		return addr(c, up ? &p->src : &p->dst);
	case ECS_F_IP_PROTOCOL:
		return in_range(c, p->proto);
	case ECS_F_IP_VERSION:
		return in_range(c, p->version);
	case ECS_F_IP_UPLINK:
		return known(up == c->want);
	case ECS_F_IP_DOWNLINK:
		return known(!up == c->want);
	case ECS_F_TCP_ANY:
		return known((p->proto == TCP) == c->want);
	case ECS_F_TCP_SPORT:
		return has_ports(p, TCP) ? in_range(c, p->sport) : NO;
	case ECS_F_TCP_DPORT:
		return has_ports(p, TCP) ? in_range(c, p->dport) : NO;
	case ECS_F_TCP_EPORT:
		return has_ports(p, TCP) ? either(c, p->sport, p->dport) : NO;
	case ECS_F_TCP_STATE:
		return p->proto == TCP && k->in->tcp_state ? in_range(c, k->in->tcp_state) : NO;
	case ECS_F_UDP_ANY:
		return known((p->proto == UDP) == c->want);
	case ECS_F_UDP_SPORT:
		return has_ports(p, UDP) ? in_range(c, p->sport) : NO;
	case ECS_F_UDP_DPORT:
		return has_ports(p, UDP) ? in_range(c, p->dport) : NO;
	case ECS_F_UDP_EPORT:
		return has_ports(p, UDP) ? either(c, p->sport, p->dport) : NO;
	case ECS_F_ICMP_ANY:
		return known(is_icmp(p) == c->want);
	case ECS_F_ICMP_TYPE:
		return is_icmp(p) && p->frag != ECS_FRAG_LATER ? in_range(c, p->icmp_type) : NO;
	case ECS_F_ICMP_CODE:
		return is_icmp(p) && p->frag != ECS_FRAG_LATER ? in_range(c, p->icmp_code) : NO;
	default:
		return l7_cond(k->m, k->in->l7, c);
	}
}

/* --- rules and lines -------------------------------------------------------------------------- */

static enum verdict rule_eval(const struct call *k, const struct ruledef *r)
{
	enum verdict stop = r->any ? YES : NO, v = r->any || !r->nconds ? NO : YES;

	for (size_t i = 0; i < r->nconds; i++) {
		enum verdict t = cond_eval(k, &r->conds[i]);

		if (t == stop)
			return t;
		if (t == MAYBE)
			v = MAYBE;
	}
	return v;
}

static enum verdict line_eval(const struct call *k, uint16_t line)
{
	const struct ecs_service *s = k->m->s;
	const struct ecs_line *l = &s->lines[line];
	const struct group *g;
	enum verdict v = NO;

	if (!l->group)
		return rule_eval(k, (const struct ruledef *)(const void *)s->ruledefs.v[l->stats]);
	g = (const struct group *)(const void *)s->groups.v[l->stats - s->ruledefs.n];
	for (size_t i = 0; i < g->n; i++) {
		enum verdict t = g->members[i].rule ? rule_eval(k, g->members[i].rule) : NO;

		if (t > v)
			v = t;
		if (v == YES)
			break;
	}
	return v;
}

/** Tries the lines of the two sets in their order, from bit @p from up to @p to. */
static uint16_t walk(struct call *k, size_t from, size_t to)
{
	for (size_t w = from / 64; w < (to + 63) / 64; w++) {
		uint64_t cand = k->yes[w] | (k->maybe ? 0 : k->later[w]);

		if (w == from / 64)
			cand &= ~(uint64_t)0 << (from % 64);
		if (w == to / 64)
			cand &= ((uint64_t)1 << (to % 64)) - 1;
		while (cand) {
			unsigned bit = (unsigned)__builtin_ctzll(cand);
			uint16_t line = (uint16_t)(k->rb->first + w * 64 + bit);
			enum verdict v = line_eval(k, line);

			if (v == YES)
				return line;
			cand &= cand - 1;
			if (v == MAYBE) { /* one is enough to know */
				k->maybe = true;
				cand &= k->yes[w];
			}
		}
	}
	return ECS_LINE_NONE;
}

/* --- strings ---------------------------------------------------------------------------------- */

static void on_hit(void *arg, uint16_t id)
{
	struct hits *h = arg;
	uint64_t bit = (uint64_t)1 << (id % 64);

	if (!(h->bits[id / 64] & bit)) {
		h->bits[id / 64] |= bit;
		h->list[h->n++] = id;
	}
}

static void scan(struct ecs_matcher *m, unsigned field, const char *text)
{
	struct hits *h = &m->hits[field];

	while (h->n > 0) { /* of the call before */
		h->n--;
		h->bits[h->list[h->n] / 64] = 0;
	}
	ecs_stringset_find(&m->s->sets[field], text, m->scratch, on_hit, h);
}

/** Makes candidates of the lines of this rulebase that look at one of these ruledefs. */
static void candidates(struct call *k, const uint16_t *rules, size_t n)
{
	const struct ecs_service *s = k->m->s;
	uint32_t first = k->rb->first, end = (uint32_t)(first + k->rb->n);

	for (size_t i = 0; i < n; i++) {
		uint32_t lo = s->lines_at[rules[i]], hi = s->lines_at[rules[i] + 1u], stop = hi;

		while (lo < hi) { /* the first line at or after ours */
			uint32_t mid = (lo + hi) / 2;

			if (s->lines_of[mid] < first)
				lo = mid + 1;
			else
				hi = mid;
		}
		for (; lo < stop && s->lines_of[lo] < end; lo++) {
			uint32_t bit = s->lines_of[lo] - first;

			k->yes[bit / 64] |= (uint64_t)1 << (bit % 64);
		}
	}
}

/** Makes candidates of the lines whose rules stand and fall with this pattern. */
static void on_pattern(void *arg, unsigned field, uint16_t pattern)
{
	struct call *k = arg;
	const struct patterns *set = &k->m->s->sets[field];

	if (pattern < set->n)
		candidates(k, set->gate + set->gate_at[pattern],
		           set->gate_at[pattern + 1u] - set->gate_at[pattern]);
}

static void add_set(const struct call *k, uint64_t *to, unsigned which)
{
	const uint64_t *set = rulebase_set(k->rb, which);

	for (size_t w = 0; w < k->rb->words; w++)
		to[w] |= set[w];
}

/** Looks at what analyzers have said: one scan per known string, and the lines that its hits, or
 *  what is still to come, can make match. */
static void look(struct call *k)
{
	const struct ecs_l7 *l7 = k->in->l7;

	if (!l7)
		return;
	for (unsigned f = ECS_F_HTTP_ANY; f < ECS_F__N; f++) {
		const char *text = l7_string(l7, f);

		if (!(k->rb->l7_fields & FIELD_BIT(f)))
			continue;
		if (!text && !l7->final)
			add_set(k, k->later, set_gated(f));
		if (f == ECS_F_P2P_PROTOCOL) {
			on_pattern(k, f, l7->app);
			on_pattern(k, f, l7->app_master);
		}
		if (!text)
			continue;
		scan(k->m, f, text);
		for (size_t i = 0; i < k->m->hits[f].n; i++)
			on_pattern(k, f, k->m->hits[f].list[i]);
	}
}

static void keep_set(struct call *k, unsigned which)
{
	const uint64_t *set = rulebase_set(k->rb, which);

	for (size_t w = 0; w < k->rb->words; w++) {
		k->yes[w] &= set[w];
		k->later[w] &= set[w];
	}
}

/* --- public ----------------------------------------------------------------------------------- */

static const struct rulebase *rulebase_at(const struct ecs_service *s, int rulebase)
{
	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return NULL;
	return (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
}

/** Leaves out the lines that are not static, but for those that are active. */
static void keep_active(struct call *k)
{
	const uint64_t *not, *active = k->in->active;

	if (!k->rb->dynamic)
		return;
	not = rulebase_set(k->rb, k->in->policy ? SET_POLICY : SET_DYNAMIC);
	for (size_t w = 0; w < k->rb->words; w++) {
		uint64_t on = ~not[w] | (active ? active[w] : 0);

		k->yes[w] &= on;
		k->later[w] &= on;
	}
}

/** Behind the last line that counts. */
static size_t end_of(const struct call *k)
{
	size_t n = k->rb->n;

	while (k->in->before && n > 0 && k->rb->lines[n - 1].priority >= k->in->before)
		n--;
	return n;
}

static uint16_t match_list(struct call *k)
{
	size_t end = end_of(k), l34 = k->rb->first_l7 < end ? k->rb->first_l7 : end;
	unsigned proto = SET_PROTO + ecs_proto_class(k->in->pkt->proto);
	uint16_t line;

	add_set(k, k->yes, SET_ALWAYS);
	ecs_exacts_find(k->m->s, k->in->pkt, on_pattern, k);
	keep_set(k, proto);
	keep_active(k);
	if (k->in->l34_only) {
		keep_set(k, SET_L34);
		return walk(k, 0, end);
	}
	line = walk(k, 0, l34);
	if (line == ECS_LINE_NONE && k->rb->first_l7 < end) {
		look(k);
		keep_set(k, proto);
		keep_active(k);
		line = walk(k, k->rb->first_l7, end);
	}
	return line;
}

uint16_t ecs_match(struct ecs_matcher *m, int rulebase, const struct ecs_match_in *in, bool *maybe)
{
	struct call k = {.m = m, .in = in, .rb = rulebase_at(m->s, rulebase)};
	uint16_t line = k.rb ? match_list(&k) : ECS_LINE_NONE;

	if (maybe)
		*maybe = k.maybe;
	return line;
}

uint16_t ecs_match_post(struct ecs_matcher *m, int rulebase, const struct ecs_match_in *in)
{
	const struct rulebase *rb = rulebase_at(m->s, rulebase);
	struct call k = {.m = m, .in = in, .rb = rb ? rb->post : NULL};

	return k.rb ? match_list(&k) : ECS_LINE_NONE;
}

enum ecs_analyzer ecs_match_route(struct ecs_matcher *m, int rulebase,
                                  const struct ecs_packet *pkt)
{
	const struct ecs_match_in in = {.pkt = pkt, .l34_only = true};
	const struct rulebase *rb = rulebase_at(m->s, rulebase);
	struct call k = {.m = m, .in = &in, .rb = rb ? rb->route : NULL};
	uint16_t line = k.rb ? match_list(&k) : ECS_LINE_NONE;

	if (line == ECS_LINE_NONE)
		return ECS_ANALYZER_NONE;
	return (enum ecs_analyzer)k.rb->lines[line - k.rb->first].analyzer;
}

struct ecs_matcher *ecs_matcher_new(const struct ecs_service *s)
{
	struct ecs_matcher *m;

	if (!s->frozen)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->s = s;
	for (size_t f = 0; f < ECS_F__N; f++) {
		struct hits *h = &m->hits[f];

		if (ecs_fields[f].type != T_STR || !s->sets[f].n)
			continue;
		h->bits = calloc((s->sets[f].n + 63) / 64, sizeof(*h->bits));
		h->list = calloc(s->sets[f].n, sizeof(*h->list));
		if (!h->bits || !h->list ||
		    (s->sets[f].db &&
		     hs_alloc_scratch(s->sets[f].db, &m->scratch) != HS_SUCCESS)) {
			ecs_matcher_free(m);
			return NULL;
		}
	}
	return m;
}

void ecs_matcher_free(struct ecs_matcher *m)
{
	if (!m)
		return;
	for (size_t f = 0; f < ECS_F__N; f++) {
		free(m->hits[f].bits);
		free(m->hits[f].list);
	}
	hs_free_scratch(m->scratch);
	free(m);
}

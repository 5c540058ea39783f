#include "config.h"
#include "ecs/rule/match_impl.h"

#include <stdlib.h>
#include <string.h>

/* --- candidates in their order ---------------------------------------------------------------- */

/** Words of the sets in which a line can be found. */
static uint64_t words_of(const struct call *k)
{
	uint64_t words = k->words | rulebase_words(k->rb, SET_ALWAYS);

	for (uint64_t f = k->unknown; f; f &= f - 1)
		words |= rulebase_words(k->rb, set_gated((unsigned)__builtin_ctzll(f)));
	return words & rulebase_words(k->rb, k->proto);
}

/** Lines of word @p w that count: not those of another protocol, nor those that are not static and not
 *  active, nor those that are not in force. */
static uint64_t counted(const struct call *k, size_t w)
{
	uint64_t on = rulebase_set(k->rb, k->proto)[w];

	if (k->in->l34_only)
		on &= rulebase_set(k->rb, SET_L34)[w];
	if (k->rb->dynamic) {
		on &= ~rulebase_set(k->rb, k->in->policy ? SET_POLICY : SET_DYNAMIC)[w] |
		      (k->in->active ? k->in->active[w] : 0);
		on &= k->off ? ~k->off[w] : ~UINT64_C(0);
	}
	return on;
}

/** Lines of word @p w that could match. */
static uint64_t possible(const struct call *k, size_t w)
{
	return (k->words >> w & 1 ? k->m->hit[w] : 0) | rulebase_set(k->rb, SET_ALWAYS)[w];
}

/** Lines of word @p w that only what is not yet known could make match. */
static uint64_t later(const struct call *k, size_t w)
{
	uint64_t set = 0;

	for (uint64_t f = k->unknown; f; f &= f - 1)
		set |= rulebase_set(k->rb, set_gated((unsigned)__builtin_ctzll(f)))[w];
	return set;
}

/** Tries the lines that could match in their order, from bit @p from up to @p to. */
static uint16_t walk(struct call *k, size_t from, size_t to)
{
	uint64_t words = words_of(k);

	for (words = words >> from / 64 << from / 64; words; words &= words - 1) {
		size_t w = (size_t)__builtin_ctzll(words);
		uint64_t on = counted(k, w), yes = possible(k, w) & on, cand;

		if (w * 64 >= to)
			break;
		cand = yes | (k->maybe ? 0 : later(k, w) & on);
		if (w == from / 64)
			cand &= ~(uint64_t)0 << (from % 64);
		if (w == to / 64)
			cand &= ((uint64_t)1 << (to % 64)) - 1;
		while (cand) {
			unsigned bit = (unsigned)__builtin_ctzll(cand);
			uint16_t line = (uint16_t)(k->rb->first + w * 64 + bit);
			enum verdict v = ecs_eval_line(k, line);

			if (v == YES)
				return line;
			cand &= cand - 1;
			if (v == MAYBE) { /* one is enough to know */
				k->maybe = true;
				cand &= yes;
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

static void scan(struct ecs_matcher *m, unsigned column, const char *text, size_t len)
{
	struct hits *h = &m->hits[column];

	while (h->n > 0) { /* of the call before */
		h->n--;
		h->bits[h->list[h->n] / 64] = 0;
	}
	h->call = m->call;
	if (h->bits)
		ecs_stringset_find(&m->s->sets[column], text, len, m->scratch, on_hit, h);
}

/** Makes a candidate of the line at @p bit. */
static void candidate(struct call *k, uint32_t bit)
{
	uint64_t word = (uint64_t)1 << (bit / 64), *hit = &k->m->hit[bit / 64];

	if (!(k->words & word)) {
		k->words |= word;
		*hit = 0;
	}
	*hit |= (uint64_t)1 << (bit % 64);
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
		for (; lo < stop && s->lines_of[lo] < end; lo++)
			candidate(k, s->lines_of[lo] - first);
	}
}

/** Makes candidates of the lines whose rules stand and fall with this pattern. */
static void on_pattern(void *arg, unsigned column, uint16_t pattern)
{
	struct call *k = arg;
	const struct ecs_service *s = k->m->s;
	const struct patterns *set = &s->sets[column];
	const uint32_t *at = s->gate_at + set->first + pattern;

	if (pattern < set->n)
		candidates(k, s->gate + at[0], at[1] - at[0]);
}

static void scan_gates(struct call *k, unsigned column, const char *text, size_t len)
{
	const struct hits *h = &k->m->hits[column];

	scan(k->m, column, text, len);
	for (size_t i = 0; i < h->n; i++)
		on_pattern(k, column, h->list[i]);
}

/** Of a name and its value that a rule may look at; what was there before counts. */
static void keyed(struct call *k, unsigned field, const char *name, size_t len, const char *value,
                  size_t value_len)
{
	uint16_t column = ecs_keys_find(k->m->s->keys, field, name, len);

	if (column && k->m->hits[column].call != k->m->call)
		scan_gates(k, column, value, value_len);
}

/** The attributes of a URL: what stands behind its question mark, up to a fragment. */
static void look_attributes(struct call *k, const char *url)
{
	const char *p = strchr(url, '?');
	size_t left = p ? strcspn(p, "#") : 0;

	while (left > 1) {
		size_t n, name;

		p++;
		left--;
		n = strcspn(p, "&;");
		if (n > left)
			n = left;
		name = strcspn(p, "=");
		if (name < n)
			keyed(k, ECS_F_HTTP_ATTR, p, name, p + name + 1, n - name - 1);
		else
			keyed(k, ECS_F_HTTP_ATTR, p, n, p + n, 0);
		p += n;
		left -= n;
	}
}

static void look_headers(struct call *k, const char *p)
{
	while (*p) {
		size_t name = strlen(p);
		const char *value = p + name + 1;
		size_t len = strlen(value);

		keyed(k, ECS_F_HTTP_XHEADER, p, name, value, len);
		p = value + len + 1;
	}
}

static void look_keyed(struct call *k, unsigned field)
{
	const struct ecs_l7 *l7 = k->in->l7;

	if (field == ECS_F_HTTP_ATTR && l7->http_url)
		look_attributes(k, l7->http_url);
	if (field == ECS_F_HTTP_XHEADER && l7->http_headers)
		look_headers(k, l7->http_headers);
}

static void look_number(struct call *k, unsigned field)
{
	const struct ecs_l7 *l7 = k->in->l7;

	if (field == ECS_F_P2P_PROTOCOL) {
		on_pattern(k, field, l7->app);
		on_pattern(k, field, l7->app_master);
	} else {
		on_pattern(k, field, ecs_field_number(k->in, field));
	}
}

/** Looks at what is known of the session and of the address: strings and numbers of L3. */
static void look_l3(struct call *k)
{
	const uint64_t strings = FIELD_BIT(ECS_F_IP_NAME) | FIELD_BIT(ECS_F_BEARER_APN) |
				 FIELD_BIT(ECS_F_BEARER_IMSI);

	k->m->call++;
	for (uint64_t left = k->rb->fields & strings; left; left &= left - 1) {
		unsigned f = (unsigned)__builtin_ctzll(left);
		const char *text = ecs_field_string(k->in, f);

		if (text)
			scan_gates(k, f, text, strlen(text));
	}
	if ((k->rb->fields & FIELD_BIT(ECS_F_BEARER_IMSI)) && k->in->imsi)
		ecs_ranges_find_imsi(k->m->s, k->in->imsi, on_pattern, k);
	if (k->rb->fields & FIELD_BIT(ECS_F_BEARER_RAT))
		on_pattern(k, ECS_F_BEARER_RAT, k->in->rat);
}

/** Looks at what analyzers have said: one scan per known string, and the lines that its hits, or
 *  what is still to come, can make match. */
static void look(struct call *k)
{
	const struct ecs_l7 *l7 = k->in->l7;

	if (!l7)
		return;
	for (uint64_t left = k->rb->fields & L7_BITS; left; left &= left - 1) {
		unsigned f = (unsigned)__builtin_ctzll(left);
		enum ecs_type t = ecs_fields[f].type;
		const char *text = t == T_STR ? ecs_field_string(k->in, f) : NULL;

		if (!text && !l7->final)
			k->unknown |= FIELD_BIT(f);
		if (text)
			scan_gates(k, f, text, strlen(text));
		else if (t == T_KEYSTR)
			look_keyed(k, f);
		else if (t == T_APP || t == T_CODE || t == T_ENUM)
			look_number(k, f);
	}
}

/* --- public ----------------------------------------------------------------------------------- */

static const struct rulebase *rulebase_at(const struct ecs_service *s, int rulebase)
{
	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return NULL;
	return (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
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
	uint16_t line;

	k->proto = SET_PROTO + ecs_proto_class(k->in->pkt->proto);
	if (k->rb->fields & ADDR_PORT_BITS) {
		ecs_exacts_find(k->m->s, k->in->pkt, k->rb->fields, on_pattern, k);
		ecs_ranges_find(k->m->s, k->in->pkt, k->rb->fields, on_pattern, k);
	}
	look_l3(k);
	if (k->in->l34_only)
		return walk(k, 0, end);
	line = walk(k, 0, l34);
	if (line == ECS_LINE_NONE && k->rb->first_l7 < end) {
		look(k);
		line = walk(k, k->rb->first_l7, end);
	}
	return line;
}

uint16_t ecs_match(struct ecs_matcher *m, int rulebase, const struct ecs_match_in *in, bool *maybe)
{
	struct call k = {.m = m, .in = in, .rb = rulebase_at(m->s, rulebase)};
	uint16_t line;

	if (k.rb && k.rb->timed)
		k.off = m->times.off + k.rb->off_at;
	line = k.rb ? match_list(&k) : ECS_LINE_NONE;
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

/** Of the lines that have a rule; the others are never candidates. */
static struct rule *rules_of(const struct ecs_service *s)
{
	size_t n = s->nlines + s->nposts + s->nroutes;
	struct rule *rules = calloc(n + 1, sizeof(*rules));

	for (size_t i = 0; rules && i < n; i++)
		if (s->lines[i].bound && !s->lines[i].group)
			rules[i] = rule_of((const struct ruledef *)(const void *)
			                           s->ruledefs.v[s->lines[i].stats]);
	return rules;
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
	m->rules = rules_of(s);
	m->hits = m->rules && ecs_times_init(&m->times, s) == 0
	                  ? calloc(s->ncolumns, sizeof(*m->hits)) : NULL;
	for (size_t i = 0; m->hits && i < s->ncolumns; i++) {
		struct hits *h = &m->hits[i];

		if ((i < ECS_F__N && !is_string((unsigned)i)) || !s->sets[i].n)
			continue;
		h->bits = calloc((s->sets[i].n + 63) / 64, sizeof(*h->bits));
		h->list = calloc(s->sets[i].n, sizeof(*h->list));
		if (!h->bits || !h->list ||
		    (s->sets[i].db &&
		     hs_alloc_scratch(s->sets[i].db, &m->scratch) != HS_SUCCESS)) {
			ecs_matcher_free(m);
			return NULL;
		}
	}
	if (!m->hits) {
		ecs_matcher_free(m);
		return NULL;
	}
	return m;
}

void ecs_matcher_free(struct ecs_matcher *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->hits && i < m->s->ncolumns; i++) {
		free(m->hits[i].bits);
		free(m->hits[i].list);
	}
	free(m->hits);
	free(m->rules);
	ecs_times_fini(&m->times);
	hs_free_scratch(m->scratch);
	free(m);
}

bool ecs_matcher_time(struct ecs_matcher *m, uint32_t week_s)
{
	return ecs_times_tell(&m->times, m->s, week_s);
}

bool ecs_matcher_in_force(const struct ecs_matcher *m, uint16_t line)
{
	uint16_t of = m->s->lines[line].timedef;

	return !of || !m->times.on || m->times.on[of - 1];
}

/* Literals that are anchored (=, starts-with, ends-with): found by the hash of the prefixes and
 * suffixes whose lengths occur, so that neither commit nor match depends on how many there are. As
 * anchored expressions 2048 of them took 2 s to compile, and 20 us to match where they end alike.
 */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

/* A hash is the sum of the bytes, each times its own power of this odd number: of all prefixes of a text
 * it is made in one pass, in which no multiplication waits for the one before. */
#define HASH_BASE 0x9e3779b97f4a7c15u

struct literal {
	uint64_t hash;
	const char *text; /**< of a line of its ruledef; borrowed */
	uint8_t len, op;
	bool case_sensitive;
	uint16_t pattern;
};

#define WORDS (VALUE_MAX / 64 + 1)

/** Lengths for which there is a literal, by operator and case. */
struct lengths {
	uint64_t set[WORDS];
};

struct literals {
	struct literal *v;
	size_t n;
	uint32_t *slot; /**< index + 1 into v; 0 free */
	size_t mask;
	struct lengths eq[2], starts[2], ends[2]; /**< [case_sensitive] */
	uint64_t power[VALUE_MAX]; /**< of HASH_BASE, from the first on */
	uint8_t map[2][256];       /**< [case_sensitive]: what a byte is compared as */
};

static uint8_t fold(char c, bool case_sensitive)
{
	return (uint8_t)(!case_sensitive && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static uint64_t step(const struct literals *l, uint64_t h, size_t i, uint8_t b)
{
	return h + (b + 1u) * l->power[i];
}

/** The bits of a product are best in its upper half. */
static size_t slot_of(const struct literals *l, uint64_t h)
{
	return (size_t)(h >> 32) & l->mask;
}

static struct lengths *lengths_of(struct literals *l, const struct literal *x)
{
	struct lengths *v = x->op == ECS_OP_EQ       ? l->eq
			    : x->op == ECS_OP_STARTS ? l->starts
						     : l->ends;

	return &v[x->case_sensitive];
}

static uint64_t hash_of(const struct literals *l, const struct literal *x)
{
	uint64_t h = 0;

	for (size_t i = 0; i < x->len; i++)
		h = step(l, h, i, fold(x->text[x->op == ECS_OP_ENDS ? x->len - 1u - i : i],
		                 x->case_sensitive));
	return h;
}

bool ecs_literal_is(enum ecs_op op)
{
	return op == ECS_OP_EQ || op == ECS_OP_STARTS || op == ECS_OP_ENDS;
}

struct literals *ecs_literals_new(size_t n)
{
	struct literals *l = calloc(1, sizeof(*l));
	size_t slots = 16;

	if (!l)
		return NULL;
	while (slots < n * 2)
		slots *= 2;
	l->mask = slots - 1;
	l->power[0] = HASH_BASE;
	for (size_t i = 1; i < VALUE_MAX; i++)
		l->power[i] = l->power[i - 1] * HASH_BASE;
	for (size_t i = 0; i < 512; i++)
		l->map[i / 256][i % 256] = fold((char)(i % 256), i / 256);
	l->v = calloc(n ? n : 1, sizeof(*l->v));
	l->slot = calloc(slots, sizeof(*l->slot));
	if (!l->v || !l->slot) {
		ecs_literals_free(l);
		return NULL;
	}
	return l;
}

void ecs_literals_free(struct literals *l)
{
	if (!l)
		return;
	free(l->v);
	free(l->slot);
	free(l);
}

void ecs_literals_add(struct literals *l, enum ecs_op op, bool case_sensitive, const char *text,
		      uint16_t pattern)
{
	struct literal *x = &l->v[l->n++];
	struct lengths *len;
	size_t i;

	*x = (struct literal){
		.text = text,
		.len = (uint8_t)strlen(text),
		.op = (uint8_t)op,
		.case_sensitive = case_sensitive,
		.pattern = pattern,
	};
	x->hash = hash_of(l, x);
	len = lengths_of(l, x);
	len->set[x->len / 64] |= (uint64_t)1 << (x->len % 64);
	for (i = slot_of(l, x->hash); l->slot[i]; i = (i + 1) & l->mask)
		;
	l->slot[i] = (uint32_t)l->n;
}

static bool same(const struct literals *l, const struct literal *x, const char *text)
{
	const uint8_t *map = l->map[x->case_sensitive];

	for (size_t i = 0; i < x->len; i++)
		if (map[(uint8_t)x->text[i]] != map[(uint8_t)text[i]])
			return false;
	return true;
}

/** Looks up @p len bytes at @p text, whose hash is @p h. */
static void look_up(const struct literals *l, enum ecs_op op, bool case_sensitive, uint64_t h,
                    const char *text, size_t len, literal_hit_fn *fn, void *arg)
{
	for (size_t i = slot_of(l, h); l->slot[i]; i = (i + 1) & l->mask) {
		const struct literal *x = &l->v[l->slot[i] - 1];

		if (x->hash == h && x->op == op && x->case_sensitive == case_sensitive &&
		    x->len == len && same(l, x, text))
			fn(arg, x->pattern);
	}
}

/** The next length for which there is a literal, after @p len; more than VALUE_MAX: there is none. */
static size_t next_length(const struct lengths *v, size_t len)
{
	uint64_t bits;
	size_t w;

	if (++len > VALUE_MAX)
		return len;
	w = len / 64;
	bits = v->set[w] >> (len % 64) << (len % 64);
	while (!bits && ++w < WORDS)
		bits = v->set[w];
	return bits ? w * 64 + (size_t)__builtin_ctzll(bits) : VALUE_MAX + 1;
}

/** The hash of the first, or last, @p to bytes, from that of @p from of them. */
static uint64_t hash_on(const struct literals *l, uint64_t h, const uint8_t *map, const char *text,
                        size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		h = step(l, h, i, map[(uint8_t)text[i]]);
	return h;
}

static uint64_t hash_back(const struct literals *l, uint64_t h, const uint8_t *map, const char *end,
                          size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		h = step(l, h, i, map[(uint8_t)end[-1 - (ptrdiff_t)i]]);
	return h;
}

static void find_case(const struct literals *l, bool cs, const char *text, size_t len,
                      literal_hit_fn *fn, void *arg)
{
	const struct lengths *starts = &l->starts[cs], *ends = &l->ends[cs];
	const uint8_t *map = l->map[cs];
	uint64_t h = 0;
	size_t at = 0;

	for (size_t n = next_length(starts, 0); n <= len && n <= VALUE_MAX; n = next_length(starts, n)) {
		h = hash_on(l, h, map, text, at, n);
		at = n;
		look_up(l, ECS_OP_STARTS, cs, h, text, n, fn, arg);
	}
	if (len && len <= VALUE_MAX && next_length(&l->eq[cs], len - 1) == len)
		look_up(l, ECS_OP_EQ, cs, hash_on(l, h, map, text, at, len), text, len, fn, arg);
	h = 0;
	at = 0;
	for (size_t n = next_length(ends, 0); n <= len && n <= VALUE_MAX; n = next_length(ends, n)) {
		h = hash_back(l, h, map, text + len, at, n);
		at = n;
		look_up(l, ECS_OP_ENDS, cs, h, text + len - n, n, fn, arg);
	}
}

void ecs_literals_find(const struct literals *l, const char *text, size_t len, literal_hit_fn *fn,
		       void *arg)
{
	find_case(l, false, text, len, fn, arg);
	find_case(l, true, text, len, fn, arg);
}

/* Literals that are anchored (=, starts-with, ends-with): found by the hash of the prefixes and
 * suffixes whose lengths occur, so that neither commit nor match depends on how many there are. As
 * anchored expressions 2048 of them took 2 s to compile, and 20 us to match where they end alike.
 */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* A text is hashed by words of eight bytes, of ends-with from its end on: the hash of a longer prefix
 * goes on from that of a shorter one. */
#define WORD     8u
#define HASH_MUL 0x9e3779b97f4a7c15u
#define BITS     32u /**< of the filter, for each slot */

struct literal {
	const char *text; /**< of a line of its ruledef; borrowed */
	uint8_t len, op;
	bool case_sensitive;
	uint16_t pattern;
};

struct slot {
	uint32_t tag;     /**< a half of the hash; the other one is the place */
	uint32_t literal; /**< index + 1 into the literals; 0 free */
};

/** Lengths for which there is a literal, ascending. */
struct lengths {
	uint8_t v[VALUE_MAX];
	size_t n;
};

struct literals {
	struct literal *v;
	size_t n;
	uint32_t *filter; /**< BITS for each slot: most of what is not there is found out by one */
	struct slot *slot;
	size_t mask;
	struct lengths eq[2], starts[2], ends[2]; /**< [case_sensitive] */
};

/** A text as it is hashed. */
struct side {
	const char *text;
	size_t len;
	enum ecs_op op;
	bool case_sensitive;
};

/** Bytes that are capital letters in lower case, all others as they are. */
static uint64_t fold(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), low = w & 0x7f * ones;
	uint64_t from_a = low + (0x80 - 'A') * ones, behind_z = low + (0x7f - 'Z') * ones;

	return w | ((from_a ^ behind_z) & ~w & 0x80 * ones) >> 2;
}

/** The word behind the first @p at bytes, the next byte lowest; 0 for bytes that are not there. */
static inline uint64_t word(struct side t, size_t at)
{
	bool back = t.op == ECS_OP_ENDS;
	size_t left = t.len - at;
	uint64_t w = 0;

	if (left >= WORD) {
		memcpy(&w, back ? t.text + left - WORD : t.text + at, WORD);
		w = back ? be64toh(w) : le64toh(w);
	} else if (left && t.len >= WORD) { /* reads a whole one, and drops what is in front */
		memcpy(&w, back ? t.text : t.text + t.len - WORD, WORD);
		w = (back ? be64toh(w) : le64toh(w)) >> (64 - 8 * left);
	} else {
		for (size_t i = 0; i < left; i++)
			w |= (uint64_t)(uint8_t)t.text[back ? left - 1 - i : at + i] << (8 * i);
	}
	return t.case_sensitive ? w : fold(w);
}

/** The first @p n bytes of a word, fewer than all. */
static uint64_t first_of(uint64_t w, size_t n)
{
	return w & ((UINT64_C(1) << (8 * n)) - 1);
}

static uint64_t step(uint64_t h, uint64_t w)
{
	h = (h ^ w) * HASH_MUL;
	return h ^ h >> 32;
}

static uint64_t hash_start(struct side t)
{
	return (uint64_t)t.op << 1 | t.case_sensitive;
}

/** The hash of a prefix of @p len bytes, from that of its whole words and the rest. */
static uint64_t finish(uint64_t h, size_t len, uint64_t rest)
{
	return step(h + (len << 8), rest);
}

static size_t slot_of(const struct literals *l, uint64_t h)
{
	return (size_t)(h >> 32) & l->mask;
}

/** The bit of the filter, in the word whose number is that of the slot. */
static uint32_t filter_bit(uint64_t h)
{
	return 1u << (h % BITS);
}

static bool filter_has(const struct literals *l, uint64_t h)
{
	return l->filter[slot_of(l, h)] & filter_bit(h);
}

static void filter_add(struct literals *l, uint64_t h)
{
	l->filter[slot_of(l, h)] |= filter_bit(h);
}

static void lengths_add(struct lengths *v, uint8_t len)
{
	size_t i = v->n;

	if (!len || memchr(v->v, len, v->n))
		return;
	for (; i > 0 && v->v[i - 1] > len; i--)
		v->v[i] = v->v[i - 1];
	v->v[i] = len;
	v->n++;
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
	l->v = calloc(n ? n : 1, sizeof(*l->v));
	l->slot = calloc(slots, sizeof(*l->slot));
	l->filter = calloc(slots, sizeof(*l->filter));
	if (!l->v || !l->slot || !l->filter) {
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
	free(l->filter);
	free(l);
}

void ecs_literals_add(struct literals *l, enum ecs_op op, bool case_sensitive, const char *text,
		      uint16_t pattern)
{
	const struct side t = {text, strlen(text), op, case_sensitive};
	struct lengths *v = op == ECS_OP_EQ ? l->eq : op == ECS_OP_STARTS ? l->starts : l->ends;
	uint64_t h = hash_start(t);
	size_t at = 0, i;

	for (; t.len - at >= WORD; at += WORD) {
		h = step(h, word(t, at));
		filter_add(l, h); /* here it goes on */
	}
	h = finish(h, t.len, first_of(word(t, at), t.len - at));
	filter_add(l, h);
	l->v[l->n++] = (struct literal){
		.text = text,
		.len = (uint8_t)t.len,
		.op = (uint8_t)op,
		.case_sensitive = case_sensitive,
		.pattern = pattern,
	};
	lengths_add(&v[case_sensitive], (uint8_t)t.len);
	for (i = slot_of(l, h); l->slot[i].literal; i = (i + 1) & l->mask)
		;
	l->slot[i] = (struct slot){(uint32_t)h, (uint32_t)l->n};
}

/** Whether a literal is what a text begins, or ends, with. */
static bool same(const struct literal *x, struct side t)
{
	const struct side l = {x->text, x->len, t.op, t.case_sensitive};
	size_t at = 0;

	for (; l.len - at >= WORD; at += WORD)
		if (word(l, at) != word(t, at))
			return false;
	return word(l, at) == first_of(word(t, at), l.len - at);
}

/** Calls @p fn for the literals of @p len bytes, of hash @p h, that a text begins or ends with. */
static void look_up(const struct literals *l, struct side t, uint64_t h, size_t len,
                    literal_hit_fn *fn, void *arg)
{
	for (size_t i = slot_of(l, h); l->slot[i].literal; i = (i + 1) & l->mask) {
		const struct literal *x = &l->v[l->slot[i].literal - 1];

		if (l->slot[i].tag == (uint32_t)h && x->op == t.op && x->len == len &&
		    x->case_sensitive == t.case_sensitive && same(x, t))
			fn(arg, x->pattern);
	}
}

/** Looks up what a text begins, or ends, with, in @p n ascending lengths, as far as some literal goes on
 *  like it. */
static inline __attribute__((always_inline)) void
find_side(const struct literals *l, struct side t, const uint8_t *lengths, size_t n, literal_hit_fn *fn,
          void *arg)
{
	uint64_t h = hash_start(t), w = n ? word(t, 0) : 0;
	size_t at = 0;

	for (size_t i = 0; i < n && lengths[i] <= t.len; i++) {
		uint64_t whole;

		for (; lengths[i] - at >= WORD; w = word(t, at)) {
			h = step(h, w);
			at += WORD;
			if (!filter_has(l, h))
				return;
		}
		whole = finish(h, lengths[i], first_of(w, lengths[i] - at));
		if (filter_has(l, whole))
			look_up(l, t, whole, lengths[i], fn, arg);
	}
}

static inline __attribute__((always_inline)) void
find_case(const struct literals *l, bool cs, const char *text, size_t len, literal_hit_fn *fn, void *arg)
{
	const struct side starts = {text, len, ECS_OP_STARTS, cs}, ends = {text, len, ECS_OP_ENDS, cs},
			  eq = {text, len, ECS_OP_EQ, cs};
	const struct lengths *v = &l->eq[cs];
	const uint8_t *whole = v->n && len <= VALUE_MAX ? memchr(v->v, (int)len, v->n) : NULL;

	find_side(l, starts, l->starts[cs].v, l->starts[cs].n, fn, arg);
	find_side(l, eq, whole, whole != NULL, fn, arg);
	find_side(l, ends, l->ends[cs].v, l->ends[cs].n, fn, arg);
}

void ecs_literals_find(const struct literals *l, const char *text, size_t len, literal_hit_fn *fn,
		       void *arg)
{
	find_case(l, false, text, len, fn, arg);
	find_case(l, true, text, len, fn, arg);
}

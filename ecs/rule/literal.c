/* Literals that are anchored (=, starts-with, ends-with): found by the hash of the prefixes and
 * suffixes whose lengths occur, so that neither commit nor match depends on how many there are. As
 * anchored expressions 2048 of them took 2 s to compile, and 20 us to match where they end alike.
 */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#define HASH_START 14695981039346656037u
#define HASH_PRIME 1099511628211u

struct literal {
	uint64_t hash;
	const char *text; /**< of a line of its ruledef; borrowed */
	uint8_t len, op;
	bool case_sensitive;
	uint16_t pattern;
};

/** Lengths for which there is a literal, by operator and case. */
struct lengths {
	uint64_t set[(VALUE_MAX + 64) / 64];
	uint8_t max;
};

struct literals {
	struct literal *v;
	size_t n;
	uint32_t *slot; /**< index + 1 into v; 0 free */
	size_t mask;
	struct lengths eq[2], starts[2], ends[2]; /**< [case_sensitive] */
};

static uint8_t fold(char c, bool case_sensitive)
{
	return (uint8_t)(!case_sensitive && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static uint64_t step(uint64_t h, uint8_t b)
{
	return (h ^ b) * HASH_PRIME;
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

static uint64_t hash_of(const struct literal *x)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < x->len; i++)
		h = step(h, fold(x->text[x->op == ECS_OP_ENDS ? x->len - 1u - i : i],
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
	x->hash = hash_of(x);
	len = lengths_of(l, x);
	len->set[x->len / 64] |= (uint64_t)1 << (x->len % 64);
	if (x->len > len->max)
		len->max = x->len;
	for (i = slot_of(l, x->hash); l->slot[i]; i = (i + 1) & l->mask)
		;
	l->slot[i] = (uint32_t)l->n;
}

static bool same(const struct literal *x, const char *text)
{
	for (size_t i = 0; i < x->len; i++)
		if (fold(x->text[i], x->case_sensitive) != fold(text[i], x->case_sensitive))
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
		    x->len == len && same(x, text))
			fn(arg, x->pattern);
	}
}

static bool has(const struct lengths *v, size_t len)
{
	return len <= v->max && (v->set[len / 64] >> (len % 64) & 1);
}

static void find_case(const struct literals *l, bool cs, const char *text, size_t len,
                      literal_hit_fn *fn, void *arg)
{
	const struct lengths *eq = &l->eq[cs], *starts = &l->starts[cs], *ends = &l->ends[cs];
	size_t max = starts->max;
	uint64_t h = HASH_START;

	if (has(eq, len) && len > max)
		max = len;
	for (size_t i = 1; i <= max && i <= len; i++) {
		h = step(h, fold(text[i - 1], cs));
		if (has(starts, i))
			look_up(l, ECS_OP_STARTS, cs, h, text, i, fn, arg);
		if (i == len && has(eq, len))
			look_up(l, ECS_OP_EQ, cs, h, text, len, fn, arg);
	}
	h = HASH_START;
	for (size_t i = 1; i <= ends->max && i <= len; i++) {
		h = step(h, fold(text[len - i], cs));
		if (has(ends, i))
			look_up(l, ECS_OP_ENDS, cs, h, text + len - i, i, fn, arg);
	}
}

void ecs_literals_find(const struct literals *l, const char *text, size_t len, literal_hit_fn *fn,
		       void *arg)
{
	find_case(l, false, text, len, fn, arg);
	find_case(l, true, text, len, fn, arg);
}

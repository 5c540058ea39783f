#include "config.h"
#include "ecs/rule/service_impl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "srp/hash.h"

#define REGEX_MIN_MAX   128u
#define REGEX_WIDTH_MAX 1024u
#define EXPR_MAX        (VALUE_MAX * 4 + 1)
#define SETS_KEY        0x7365747301u

/** One string condition, with what makes two of them the same. */
struct want {
	struct rule_line *line;
	enum ecs_op op;      /**< without negation */
	bool case_sensitive;
};

/** What is handed to the compiler: conditions that are no anchored literals. */
struct exprs {
	char **text;
	unsigned *flags, *ids; /**< an id is the index of the pattern in its set */
	size_t n;
};

static enum ecs_op positive(enum ecs_op op)
{
	switch (op) {
	case ECS_OP_NE:
		return ECS_OP_EQ;
	case ECS_OP_NCONTAINS:
		return ECS_OP_CONTAINS;
	case ECS_OP_NSTARTS:
		return ECS_OP_STARTS;
	case ECS_OP_NENDS:
		return ECS_OP_ENDS;
	default:
		return op;
	}
}

static bool has_pattern(const struct rule_line *l)
{
	return is_string(l->c.field) && !l->c.pool && l->c.op != ECS_OP_PRESENT &&
	       l->c.op != ECS_OP_NPRESENT;
}

static int want_cmp(const void *x, const void *y)
{
	const struct want *a = x, *b = y;

	if (a->line->c.column != b->line->c.column)
		return a->line->c.column < b->line->c.column ? -1 : 1;
	if (a->op != b->op)
		return a->op < b->op ? -1 : 1;
	if (a->case_sensitive != b->case_sensitive)
		return a->case_sensitive ? 1 : -1;
	return a->case_sensitive || a->op == ECS_OP_REGEX ? strcmp(a->line->a, b->line->a)
	                                                  : strcasecmp(a->line->a, b->line->a);
}

/** The expression for a condition: of `contains` each byte escaped. */
static char *expression(const struct want *w)
{
	static const char hex[] = "0123456789abcdef";
	char buf[EXPR_MAX], *p = buf;

	if (w->op == ECS_OP_REGEX)
		return strdup(w->line->a);
	for (const char *t = w->line->a; *t; t++) {
		*p++ = '\\';
		*p++ = 'x';
		*p++ = hex[(uint8_t)*t >> 4];
		*p++ = hex[*t & 15];
	}
	*p = '\0';
	return strdup(buf);
}

static unsigned flags_of(enum ecs_op op, bool case_sensitive)
{
	unsigned f = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL;

	if (!case_sensitive)
		f |= HS_FLAG_CASELESS;
	if (op == ECS_OP_REGEX) /* a* is an expression too: it matches every string */
		f |= HS_FLAG_ALLOWEMPTY;
	return f;
}

/** Repeats such as .{30000} take seconds to compile: what an expression can match is bounded. */
static int check_width(const hs_expr_info_t *info, struct ecs_err *e)
{
	if (info->min_width > REGEX_MIN_MAX ||
	    (info->max_width != UINT_MAX && info->max_width > REGEX_WIDTH_MAX))
		return ecs_refuse(
			e, SRP_ERANGE,
			"expected a regular expression with repeats that add up to at most "
			"%u characters, %u of them required",
			REGEX_WIDTH_MAX, REGEX_MIN_MAX);
	return 0;
}

int ecs_stringset_check_regex(const char *regex, bool case_sensitive, struct ecs_err *e)
{
	unsigned flags = flags_of(ECS_OP_REGEX, case_sensitive);
	hs_compile_error_t *err = NULL;
	hs_expr_info_t *info = NULL;
	hs_database_t *db = NULL;
	int rc = 0;

	if (hs_expression_info(regex, flags, &info, &err) == HS_SUCCESS)
		rc = check_width(info, e);
	if (rc == 0 &&
	    (err || hs_compile(regex, flags, HS_MODE_BLOCK, NULL, &db, &err) != HS_SUCCESS))
		rc = ecs_refuse(e, SRP_EINVAL, "expected a regular expression: %.100s",
				err ? err->message : "it does not compile");
	free(info); /* of the default allocator */
	hs_free_compile_error(err);
	hs_free_database(db);
	return rc;
}

static int exprs_add(struct exprs *x, const struct want *w, size_t pattern)
{
	x->text[x->n] = expression(w);
	if (!x->text[x->n])
		return SRP_ENOMEM;
	x->flags[x->n] = flags_of(w->op, w->case_sensitive);
	x->ids[x->n++] = (unsigned)pattern;
	return 0;
}

/** Gives equal conditions one index, and each index its literal or its expression. */
static int patterns_make(struct patterns *set, struct exprs *x, const struct want *w, size_t n)
{
	int rc = 0;

	x->text = calloc(n, sizeof(*x->text));
	x->flags = calloc(n, sizeof(*x->flags));
	x->ids = calloc(n, sizeof(*x->ids));
	set->lit = ecs_literals_new(n);
	if (!x->text || !x->flags || !x->ids || !set->lit)
		return SRP_ENOMEM;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (i == 0 || want_cmp(&w[i - 1], &w[i]) != 0) {
			if (ecs_literal_is(w[i].op))
				ecs_literals_add(set->lit, w[i].op, w[i].case_sensitive,
						 w[i].line->a, (uint16_t)set->n);
			else
				rc = exprs_add(x, &w[i], set->n);
			set->n++;
		}
		w[i].line->c.pattern = (uint16_t)(set->n - 1);
	}
	return rc;
}

static void exprs_free(struct exprs *x)
{
	for (size_t i = 0; i < x->n; i++)
		free(x->text[i]);
	free(x->text);
	free(x->flags);
	free(x->ids);
}

/** Of all that a database depends on, in its order. */
static uint64_t exprs_key(const struct exprs *x)
{
	uint64_t h = srp_hash64(SETS_KEY, &x->n, sizeof(x->n));

	for (size_t i = 0; i < x->n; i++) {
		h = srp_hash64(h, x->text[i], strlen(x->text[i]));
		h = srp_hash64(h ^ x->flags[i], &x->ids[i], sizeof(x->ids[i]));
	}
	return h;
}

static bool set_given(struct patterns *set, const struct ecs_sets *given)
{
	size_t len = 0;
	const uint8_t *p = ecs_sets_find(given, set->key, &len);

	return p && hs_deserialize_database((const char *)p, len, &set->db) == HS_SUCCESS;
}

static int set_compile(struct patterns *set, const struct exprs *x, const struct ecs_sets *given,
                       const char *words, struct ecs_err *e)
{
	hs_compile_error_t *err = NULL;
	int rc = 0;

	if (!x->n)
		return 0;
	set->key = exprs_key(x);
	if (set_given(set, given))
		return 0;
	if (hs_compile_multi((const char *const *)x->text, x->flags, x->ids, (unsigned)x->n,
	                     HS_MODE_BLOCK, NULL, &set->db, &err) != HS_SUCCESS) {
		rc = err && err->expression >= 0 ? SRP_EINVAL : SRP_ENOMEM;
		ecs_refuse(e, rc, "the %s conditions do not compile: %.60s: %.40s", words,
			   err && err->expression >= 0 ? x->text[err->expression] : "all together",
			   err ? err->message : "out of memory");
		hs_free_compile_error(err);
	}
	return rc;
}

/** Compiles the @p n conditions of one column. */
static int column_build(struct ecs_service *s, struct want *w, size_t n, struct ecs_err *e)
{
	const struct cond *c = &w->line->c;
	struct exprs x = {0};
	int rc = patterns_make(&s->sets[c->column], &x, w, n);

	if (rc)
		ecs_refuse(e, rc, "out of memory");
	else
		rc = set_compile(&s->sets[c->column], &x, &s->given, ecs_fields[c->field].words, e);
	exprs_free(&x);
	return rc;
}

int ecs_stringset_build(struct ecs_service *s, struct ecs_err *e)
{
	size_t n = 0, from = 0;
	struct want *w;
	int rc = 0;

	TABLE_EACH(&s->ruledefs, ruledef, r)
		n += r->n;
	w = calloc(n ? n : 1, sizeof(*w));
	if (!w)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	n = 0;
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++)
			if (has_pattern(&r->lines[i]))
				w[n++] = (struct want){&r->lines[i], positive(r->lines[i].c.op),
				                       r->lines[i].case_sensitive};
	qsort(w, n, sizeof(*w), want_cmp);
	for (size_t i = 1; rc == 0 && i <= n; i++)
		if (i == n || w[i].line->c.column != w[from].line->c.column) {
			rc = column_build(s, w + from, i - from, e);
			from = i;
		}
	free(w);
	return rc;
}

void ecs_stringset_free(struct patterns *set)
{
	ecs_literals_free(set->lit);
	hs_free_database(set->db);
	*set = (struct patterns){0};
}

struct hit {
	literal_hit_fn *fn;
	void *arg;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *arg)
{
	const struct hit *h = arg;

	(void)from;
	(void)to;
	(void)flags;
	h->fn(h->arg, (uint16_t)id);
	return 0;
}

void ecs_stringset_find(const struct patterns *set, const char *text, size_t len,
                        hs_scratch_t *scratch, literal_hit_fn *fn, void *arg)
{
	struct hit h = {fn, arg};

	if (set->lit)
		ecs_literals_find(set->lit, text, len, fn, arg);
	if (set->db)
		hs_scan(set->db, text, (unsigned)(len < UINT32_MAX ? len : UINT32_MAX), 0, scratch,
		        on_match, &h);
}

#include <config.h>
#include "chassis/cli/grammar.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "chassis/cli/program.h"
#include "srp/err.h"

/* How a word fits a node, best first. A keyword in full beats an argument, an argument a prefix:
 * else a name that begins like a keyword could not be typed. */
enum fit { FIT_EXACT, FIT_ARG, FIT_PREFIX, FIT_NONE };

/* One way in which the words so far can be read: a node that waits for the next word, and the trail
 * of nodes that took the words before. */
struct thread {
	uint16_t node;
	uint32_t trail;
};

#define TRAIL_NONE UINT32_MAX
#define TRAIL_MAX  8192u

struct step {
	uint16_t node;
	uint32_t before;
};

struct chassis_grammar {
	struct chassis_program prog;
	const struct chassis_row *rows;
	size_t nrows;
	uint16_t *first;          /* node at which each row begins */
	uint32_t *mark;           /* per node: generation in which it was added */
	uint32_t generation;
	struct thread *now, *next;
	size_t nnow, nnext;
	struct step *trail;
	uint32_t ntrail;
};

void chassis_grammar_free(struct chassis_grammar *g)
{
	if (!g)
		return;
	chassis_program_free(&g->prog);
	free(g->first);
	free(g->mark);
	free(g->now);
	free(g->next);
	free(g->trail);
	free(g);
}

struct chassis_grammar *chassis_grammar_new(const struct chassis_row *rows, size_t n,
					    unsigned modes, char *why, size_t cap)
{
	struct chassis_grammar *g = calloc(1, sizeof(*g));

	if (!g)
		goto fail;
	g->rows = rows;
	g->nrows = n;
	g->first = calloc(n, sizeof(*g->first));
	g->trail = calloc(TRAIL_MAX, sizeof(*g->trail));
	if (!g->first || !g->trail)
		goto fail;
	for (size_t i = 0; i < n; i++) {
		int rc = rows[i].mode < modes && rows[i].enter < modes
				 ? chassis_program_add(&g->prog, rows[i].pattern, (uint16_t)i,
						       &g->first[i])
				 : SRP_ERANGE;

		if (rc) {
			snprintf(why, cap, "%s: %s", rows[i].pattern, srp_strerror(rc));
			chassis_grammar_free(g);
			return NULL;
		}
	}
	g->mark = calloc(g->prog.n, sizeof(*g->mark));
	g->now = calloc(g->prog.n, sizeof(*g->now));
	g->next = calloc(g->prog.n, sizeof(*g->next));
	if (g->mark && g->now && g->next)
		return g;
fail:
	snprintf(why, cap, "%s", srp_strerror(SRP_ENOMEM));
	chassis_grammar_free(g);
	return NULL;
}

/* --- running -------------------------------------------------------------------------------- */

/* Follows the nodes that take no word. Each node is entered once per word, so this ends. */
static void follow(struct chassis_grammar *g, uint16_t at, uint32_t trail)
{
	const struct chassis_node *n = &g->prog.node[at];

	if (g->mark[at] == g->generation)
		return;
	g->mark[at] = g->generation;
	if (n->op == CHASSIS_NODE_SPLIT || n->op == CHASSIS_NODE_JUMP) {
		follow(g, n->a, trail);
		if (n->op == CHASSIS_NODE_SPLIT)
			follow(g, n->b, trail);
		return;
	}
	g->next[g->nnext++] = (struct thread){at, trail};
}

static void advance(struct chassis_grammar *g)
{
	struct thread *t = g->now;

	g->now = g->next;
	g->nnow = g->nnext;
	g->next = t;
	g->nnext = 0;
}

static void begin(struct chassis_grammar *g, unsigned mode)
{
	g->generation++;
	g->ntrail = 0;
	g->nnext = 0;
	for (size_t i = 0; i < g->nrows; i++)
		if (g->rows[i].mode == mode)
			follow(g, g->first[i], TRAIL_NONE);
	advance(g);
}

static enum fit fits(const struct chassis_node *n, const char *word, bool quoted)
{
	size_t len = strlen(word);
	uint64_t num;

	if (n->op == CHASSIS_NODE_ARG)
		return chassis_type_check(&n->type, word, &num) ? FIT_ARG : FIT_NONE;
	if (n->op != CHASSIS_NODE_WORD || quoted || len == 0 || len > n->len ||
	    strncasecmp(n->text, word, len) != 0)
		return FIT_NONE;
	if (len == n->len)
		return FIT_EXACT;
	/* an operator is not abbreviated: `>` is not `>=` */
	return isalnum((unsigned char)word[len - 1]) ? FIT_PREFIX : FIT_NONE;
}

/* To who types less, "subscriber" and "subscribers" are one word. */
static bool same_word(const struct chassis_node *a, const struct chassis_node *b)
{
	size_t len = a->len < b->len ? a->len : b->len;

	if (a->op != b->op || memcmp(a->text, b->text, len) != 0)
		return false;
	return a->len == b->len || (a->len == len + 1 && a->text[len] == 's') ||
	       (b->len == len + 1 && b->text[len] == 's');
}

/* Writes what the threads wait for: "expected a, b or c". */
static void expected(struct chassis_grammar *g, struct chassis_cli_err *e)
{
	char item[96];
	size_t used = 0, n = g->nnow;
	bool shown = false;

	used = (size_t)snprintf(e->text, sizeof(e->text), "expected ");
	for (size_t i = 0; i < n; i++) {
		const struct chassis_node *nd = &g->prog.node[g->now[i].node];
		bool seen = false, last = true;

		for (size_t k = 0; k < i && !seen; k++)
			seen = chassis_node_same(nd, &g->prog.node[g->now[k].node]);
		if (seen)
			continue;
		for (size_t k = i + 1; k < n && last; k++) {
			const struct chassis_node *later = &g->prog.node[g->now[k].node];
			bool old = false;

			for (size_t j = 0; j <= i && !old; j++)
				old = chassis_node_same(later, &g->prog.node[g->now[j].node]);
			last = old;
		}
		chassis_node_describe(nd, item, sizeof(item));
		if (used + strlen(item) + 12 > sizeof(e->text)) {
			snprintf(e->text + used, sizeof(e->text) - used, ", ...");
			return;
		}
		used += (size_t)snprintf(e->text + used, sizeof(e->text) - used, "%s%s",
		                         !shown ? "" : last ? " or " : ", ", item);
		shown = true;
	}
}

static void at_word(struct chassis_cli_err *e, const char *word)
{
	e->end = !word;
	snprintf(e->word, sizeof(e->word), "%s", word ? word : "");
}

/* A prefix of two different keywords is neither. */
static bool ambiguous(struct chassis_grammar *g, const char *word, struct chassis_cli_err *e)
{
	const struct chassis_node *first = NULL;

	for (size_t i = 0; i < g->nnow; i++) {
		const struct chassis_node *n = &g->prog.node[g->now[i].node];

		if (fits(n, word, false) != FIT_PREFIX)
			continue;
		if (!first) {
			first = n;
		} else if (!same_word(first, n)) {
			snprintf(e->text, sizeof(e->text),
				 "expected either %.*s or %.*s, not a part of both",
				 (int)first->len, first->text, (int)n->len, n->text);
			at_word(e, word);
			return true;
		}
	}
	return false;
}

/* Takes one word: the threads that it fits best go on. */
static int take(struct chassis_grammar *g, const char *word, bool quoted, struct chassis_cli_err *e)
{
	enum fit best = FIT_NONE;

	for (size_t i = 0; i < g->nnow; i++) {
		enum fit f = fits(&g->prog.node[g->now[i].node], word, quoted);

		if (f < best)
			best = f;
	}
	if (best == FIT_NONE) {
		expected(g, e);
		at_word(e, word);
		return SRP_EINVAL;
	}
	if (best == FIT_PREFIX && ambiguous(g, word, e))
		return SRP_EINVAL;
	g->generation++;
	for (size_t i = 0; i < g->nnow; i++) {
		struct thread t = g->now[i];

		if (fits(&g->prog.node[t.node], word, quoted) != best || g->ntrail == TRAIL_MAX)
			continue;
		g->trail[g->ntrail] = (struct step){t.node, t.trail};
		follow(g, g->prog.node[t.node].a, g->ntrail++);
	}
	advance(g);
	return SRP_OK;
}

/* The row that a refused line came near to: the one that all threads are of, or one that opens a
 * mode, so that the lines of its block are not taken for commands of this one. */
static size_t nearest(const struct chassis_grammar *g, size_t word)
{
	size_t best = SIZE_MAX;

	if (word == 0)
		return SIZE_MAX;
	for (size_t i = 0; i < g->nnow; i++) {
		size_t row = g->prog.node[g->now[i].node].row;

		if (best == SIZE_MAX || g->rows[row].enter != g->rows[row].mode)
			best = row;
	}
	return best;
}

/* Reads the trail back into arguments. */
static int collect(const struct chassis_grammar *g, const struct chassis_line *l, uint32_t trail,
                   struct chassis_match *m, struct chassis_cli_err *e)
{
	uint16_t node[CHASSIS_WORDS_MAX];

	m->n = l->n;
	for (size_t i = l->n; i > 0; i--) {
		node[i - 1] = g->trail[trail].node;
		trail = g->trail[trail].before;
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct chassis_node *n = &g->prog.node[node[i]];
		struct chassis_arg *a = &m->arg[i];

		for (size_t k = 0; k < i; k++) {
			if (node[k] == node[i]) {
				snprintf(e->text, sizeof(e->text), "expected '%.*s' only once",
				         (int)n->key_len, n->key);
				at_word(e, l->word[i]);
				return SRP_EINVAL;
			}
		}
		*a = (struct chassis_arg){.key = n->key, .key_len = n->key_len, .text = l->word[i],
		                          .keyword = n->op == CHASSIS_NODE_WORD};
		if (n->op == CHASSIS_NODE_ARG)
			chassis_type_check(&n->type, l->word[i], &a->num);
	}
	return SRP_OK;
}

int chassis_grammar_match(struct chassis_grammar *g, unsigned mode, const struct chassis_line *l,
                          struct chassis_match *m, size_t *guess, struct chassis_cli_err *e)
{
	int rc;

	if (guess)
		*guess = SIZE_MAX;
	begin(g, mode);
	for (size_t i = 0; i < l->n; i++) {
		rc = take(g, l->word[i], l->quoted[i], e);
		if (rc) {
			if (guess)
				*guess = nearest(g, i);
			return rc;
		}
	}
	for (size_t i = 0; i < g->nnow; i++) {
		const struct chassis_node *n = &g->prog.node[g->now[i].node];

		if (n->op != CHASSIS_NODE_MATCH)
			continue;
		rc = collect(g, l, g->now[i].trail, m, e);
		m->row = n->row;
		if (rc && guess)
			*guess = n->row;
		return rc;
	}
	expected(g, e);
	at_word(e, NULL);
	if (guess)
		*guess = nearest(g, l->n);
	return SRP_EINVAL;
}

int chassis_grammar_next(struct chassis_grammar *g, unsigned mode, const struct chassis_line *l,
                         size_t words, const char *prefix, chassis_grammar_next_fn *fn, void *arg,
                         struct chassis_cli_err *e)
{
	char text[96];
	size_t plen = strlen(prefix);

	begin(g, mode);
	for (size_t i = 0; i < words; i++) {
		int rc = take(g, l->word[i], l->quoted[i], e);

		if (rc)
			return rc;
	}
	for (size_t i = 0; i < g->nnow; i++) {
		const struct chassis_node *n = &g->prog.node[g->now[i].node];
		bool seen = false, word = n->op == CHASSIS_NODE_WORD, alone = true;

		for (size_t k = 0; k < g->nnow; k++) {
			const struct chassis_node *o = &g->prog.node[g->now[k].node];

			if (chassis_node_same(n, o)) {
				seen |= k < i;
				alone &= o->row == n->row;
			}
		}
		if (seen ||
		    (plen && (!word || plen > n->len || strncasecmp(n->text, prefix, plen) != 0)))
			continue;
		chassis_node_describe(n, text, sizeof(text));
		fn(arg, text, word, alone ? g->rows[n->row].help : "");
	}
	return SRP_OK;
}

/* --- what was matched ----------------------------------------------------------------------- */

const struct chassis_arg *chassis_match_arg(const struct chassis_match *m, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < m->n; i++)
		if (m->arg[i].key_len == len && memcmp(m->arg[i].key, key, len) == 0)
			return &m->arg[i];
	return NULL;
}

bool chassis_match_has(const struct chassis_match *m, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < m->n; i++)
		if (m->arg[i].keyword && m->arg[i].key_len == len &&
		    memcmp(m->arg[i].key, key, len) == 0)
			return true;
	return false;
}

/* An argument may have the name of the keyword before it. */
static const struct chassis_arg *value(const struct chassis_match *m, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < m->n; i++)
		if (!m->arg[i].keyword && m->arg[i].key_len == len &&
		    memcmp(m->arg[i].key, key, len) == 0)
			return &m->arg[i];
	return NULL;
}

const char *chassis_match_text(const struct chassis_match *m, const char *key)
{
	const struct chassis_arg *a = value(m, key);

	return a ? a->text : NULL;
}

uint64_t chassis_match_num(const struct chassis_match *m, const char *key, uint64_t none)
{
	const struct chassis_arg *a = value(m, key);

	return a ? a->num : none;
}

#include <config.h>
#include "chassis/cli/program.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

#define NODES_MAX 60000u /* node numbers are 16 bits */
#define DEPTH_MAX 8      /* brackets in brackets */

struct compiler {
	struct chassis_program *p;
	const char *s;
	uint16_t row;
	unsigned depth;
	int err;
};

static uint16_t emit(struct compiler *c, enum chassis_node_op op)
{
	struct chassis_program *p = c->p;

	if (c->err)
		return 0;
	if (p->n == NODES_MAX) {
		c->err = SRP_EFULL;
		return 0;
	}
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 256;
		struct chassis_node *node = realloc(p->node, cap * sizeof(*node));

		if (!node) {
			c->err = SRP_ENOMEM;
			return 0;
		}
		p->node = node;
		p->cap = cap;
	}
	p->node[p->n] = (struct chassis_node){.op = (uint8_t)op, .row = c->row,
	                                      .a = (uint16_t)(p->n + 1)};
	return (uint16_t)p->n++;
}

/* ":15" or ":1..300" behind a type; the usual limits stay where there is none. */
static void limits(struct compiler *c, const char *s, const char *end, struct chassis_type_spec *t)
{
	char *after;
	uint64_t first;

	if (s == end)
		return;
	first = strtoull(s + 1, &after, 10);
	if (*s != ':' || after == s + 1) {
		c->err = SRP_EFORMAT;
	} else if (after == end) {
		t->max = first;
	} else if (after[0] == '.' && after[1] == '.') {
		t->min = first;
		t->max = strtoull(after + 2, &after, 10);
		if (after != end)
			c->err = SRP_EFORMAT;
	} else {
		c->err = SRP_EFORMAT;
	}
	if (t->min > t->max)
		c->err = SRP_EFORMAT;
}

/* <type>, <type:limits>, <name=type:limits> */
static void argument(struct compiler *c)
{
	const char *s = c->s + 1, *end = strchr(s, '>');
	uint16_t at = emit(c, CHASSIS_NODE_ARG);
	struct chassis_node *n;
	const char *eq, *type;
	size_t len;

	if (!end || c->err) {
		c->err = c->err ? c->err : SRP_EFORMAT;
		return;
	}
	n = &c->p->node[at];
	eq = memchr(s, '=', (size_t)(end - s));
	type = eq ? eq + 1 : s;
	len = strcspn(type, ":>");
	n->text = c->s;
	n->len = (size_t)(end - c->s) + 1;
	n->key = s;
	n->key_len = eq ? (size_t)(eq - s) : len;
	if (!n->key_len || !chassis_type_find(type, len, &n->type))
		c->err = SRP_EFORMAT;
	else
		limits(c, type + len, end, &n->type);
	c->s = end + 1;
}

static void keyword(struct compiler *c)
{
	uint16_t at = emit(c, CHASSIS_NODE_WORD);
	struct chassis_node *n;

	if (c->err)
		return;
	n = &c->p->node[at];
	n->text = n->key = c->s;
	n->len = n->key_len = strcspn(c->s, " []{}|");
	c->s += n->len;
}

static void sequence(struct compiler *c);

/* The inside of brackets, up to the closing one: alternatives, each a fork before and a jump
 * behind. */
static void alternatives(struct compiler *c)
{
	uint16_t jump[64], split;
	size_t n = 0;

	for (;;) {
		split = emit(c, CHASSIS_NODE_SPLIT);
		sequence(c);
		if (c->err)
			return;
		if (*c->s != '|') {
			/* the last one: its fork has one way */
			c->p->node[split].op = CHASSIS_NODE_JUMP;
			break;
		}
		if (n == sizeof(jump) / sizeof(jump[0])) {
			c->err = SRP_EFULL;
			return;
		}
		jump[n++] = emit(c, CHASSIS_NODE_JUMP);
		c->p->node[split].b = (uint16_t)c->p->n;
		c->s++;
	}
	while (n > 0)
		c->p->node[jump[--n]].a = (uint16_t)c->p->n;
}

static void brackets(struct compiler *c)
{
	char close = *c->s == '[' ? ']' : '}';
	uint16_t split = 0, start, back;

	if (++c->depth > DEPTH_MAX) {
		c->err = SRP_EDEPTH;
		return;
	}
	if (close == ']')
		split = emit(c, CHASSIS_NODE_SPLIT);
	c->s++;
	start = (uint16_t)c->p->n;
	alternatives(c);
	if (c->err || *c->s != close) {
		c->err = c->err ? c->err : SRP_EFORMAT;
		return;
	}
	c->s++;
	if (close == ']') {
		if (*c->s == '*') {
			back = emit(c, CHASSIS_NODE_JUMP);
			c->p->node[back].a = split;
			c->s++;
		}
		c->p->node[split].b = (uint16_t)c->p->n;
	} else if (*c->s == '+') {
		back = emit(c, CHASSIS_NODE_SPLIT);
		c->p->node[back].a = start;
		c->p->node[back].b = (uint16_t)c->p->n;
		c->s++;
	}
	c->depth--;
}

static void sequence(struct compiler *c)
{
	while (!c->err) {
		c->s += strspn(c->s, " ");
		if (!*c->s || strchr("]}|", *c->s))
			return;
		if (*c->s == '[' || *c->s == '{')
			brackets(c);
		else if (*c->s == '<' && c->s[1] != '=')
			argument(c);
		else
			keyword(c);
	}
}

int chassis_program_add(struct chassis_program *p, const char *pattern, uint16_t row,
                        uint16_t *first)
{
	struct compiler c = {.p = p, .s = pattern, .row = row};

	*first = (uint16_t)p->n;
	sequence(&c);
	if (!c.err && *c.s)
		c.err = SRP_EFORMAT;
	emit(&c, CHASSIS_NODE_MATCH);
	return c.err;
}

void chassis_program_free(struct chassis_program *p)
{
	free(p->node);
	*p = (struct chassis_program){0};
}

bool chassis_node_same(const struct chassis_node *a, const struct chassis_node *b)
{
	if (a->op != b->op)
		return false;
	if (a->op == CHASSIS_NODE_WORD)
		return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
	if (a->op == CHASSIS_NODE_ARG)
		return a->type.type == b->type.type && a->type.min == b->type.min &&
		       a->type.max == b->type.max;
	return true;
}

void chassis_node_describe(const struct chassis_node *n, char *buf, size_t cap)
{
	if (n->op == CHASSIS_NODE_WORD)
		snprintf(buf, cap, "%.*s", (int)n->len, n->text);
	else if (n->op == CHASSIS_NODE_ARG)
		chassis_type_describe(&n->type, buf, cap);
	else
		snprintf(buf, cap, "end of line");
}

/* ecs_rule_oracle: a matcher that is slow and obviously right: it reads the texts of the lines at each
 * packet, looks at every line of the rulebase in order, and knows no sets, no gates and no bits. It
 * must agree with ecs_match over random rulebases, packets and states of knowledge. */
#ifndef TESTS_UNIT_ECS_RULE_ORACLE_H
#define TESTS_UNIT_ECS_RULE_ORACLE_H

#include <arpa/inet.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/app.h"
#include "ecs/rule/service.h"

#define RULEBASES 8
#define RULES     24
#define GROUPS    5
#define LINES_MAX 6

enum v { NO, MAYBE, YES };

struct oline {
	const char *words;
	const char *op;
	bool cs;
	char a[64], b[64];
};

struct orule {
	struct oline l[LINES_MAX];
	int n;
	bool any;
};

struct ogroup {
	int member[6]; /* a rule, RULES and above: unknown */
	int n;
};

struct oaction {
	bool group;
	int rule;      /* RULES or GROUPS and above: unknown */
	bool known_action;
};

struct oracle {
	struct orule rule[RULES];
	struct ogroup group[GROUPS];
	struct oaction line[RULEBASES][16];
	int nlines[RULEBASES];
};

static void set(char out[64], const char *t)
{
	snprintf(out, 64, "%s", t);
}

static enum v truth(bool b)
{
	return b ? YES : NO;
}

static int parse_addr(const char *t, uint8_t out[16])
{
	if (inet_pton(AF_INET, t, out) == 1)
		return 4;
	return inet_pton(AF_INET6, t, out) == 1 ? 16 : 0;
}

/* The packet's address in the bytes of its own family. */
static int own_bytes(const struct ecs_addr *a, uint8_t out[16])
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (memcmp(a->b, mapped, 12) == 0) {
		memcpy(out, a->b + 12, 4);
		return 4;
	}
	memcpy(out, a->b, 16);
	return 16;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, int bits)
{
	for (int i = 0; i < bits; i++)
		if (((a[i / 8] ^ b[i / 8]) >> (7 - i % 8)) & 1)
			return false;
	return true;
}

static bool addr_positive(const struct oline *l, const struct ecs_addr *a)
{
	uint8_t p[16], x[16], y[16];
	char text[64];
	char *slash;
	int np = own_bytes(a, p), n;

	set(text, l->a);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	n = parse_addr(text, x);
	if (n != np)
		return false;
	if (slash)
		return same_bits(p, x, atoi(slash + 1));
	if (strcmp(l->op, "<=") == 0)
		return memcmp(p, x, (size_t)n) <= 0;
	if (strcmp(l->op, ">=") == 0)
		return memcmp(p, x, (size_t)n) >= 0;
	if (l->b[0]) {
		parse_addr(l->b, y);
		return memcmp(p, x, (size_t)n) >= 0 && memcmp(p, y, (size_t)n) <= 0;
	}
	return memcmp(p, x, (size_t)n) == 0;
}

static bool num_positive(const struct oline *l, int v)
{
	if (strcmp(l->op, "<=") == 0)
		return v <= atoi(l->a);
	if (strcmp(l->op, ">=") == 0)
		return v >= atoi(l->a);
	if (l->b[0])
		return v >= atoi(l->a) && v <= atoi(l->b);
	return v == atoi(l->a);
}

static void fold(char *out, const char *t, bool cs)
{
	for (; *t; t++)
		*out++ = (char)(!cs && *t >= 'A' && *t <= 'Z' ? *t + 32 : *t);
	*out = '\0';
}

static bool str_positive(const struct oline *l, const char *text)
{
	const char *op = l->op + (l->op[0] == '!' && l->op[1] != '=');
	char a[64], t[64];
	size_t na, nt;
	regex_t re;
	bool hit;

	if (strcmp(op, "regex") == 0) {
		CU_ASSERT_EQUAL_FATAL(
			regcomp(&re, l->a, REG_EXTENDED | REG_NOSUB | (l->cs ? 0 : REG_ICASE)), 0);
		hit = regexec(&re, text, 0, NULL, 0) == 0;
		regfree(&re);
		return hit;
	}
	fold(a, l->a, l->cs);
	fold(t, text, l->cs);
	na = strlen(a);
	nt = strlen(t);
	if (strcmp(op, "contains") == 0)
		return strstr(t, a) != NULL;
	if (strcmp(op, "starts-with") == 0)
		return strncmp(t, a, na) == 0;
	if (strcmp(op, "ends-with") == 0)
		return nt >= na && strcmp(t + nt - na, a) == 0;
	return strcmp(t, a) == 0;
}

static enum v o_string(const struct oline *l, const struct ecs_l7 *l7)
{
	const char *t = NULL;

	if (!l7)
		return NO;
	if (strcmp(l->words, "http host") == 0)
		t = l7->http_host;
	else if (strcmp(l->words, "http url") == 0)
		t = l7->http_url;
	else if (strcmp(l->words, "http user-agent") == 0)
		t = l7->http_user_agent;
	else if (strcmp(l->words, "tls sni") == 0)
		t = l7->tls_sni;
	else
		t = l7->dns_query;
	if (!t && !l7->final)
		return MAYBE;
	if (strcmp(l->op, "present") == 0)
		return truth(t != NULL);
	if (strcmp(l->op, "!present") == 0)
		return truth(t == NULL);
	if (!t)
		return NO;
	return truth(str_positive(l, t) != (l->op[0] == '!'));
}

static enum v o_bool(const struct oline *l, const struct ecs_match_in *in)
{
	bool asked = (strcmp(l->a, "TRUE") == 0) == (strcmp(l->op, "=") == 0), is = true;
	const struct ecs_packet *p = in->pkt;

	if (strcmp(l->words, "ip uplink") == 0)
		is = p->dir == ECS_UPLINK;
	else if (strcmp(l->words, "ip downlink") == 0)
		is = p->dir == ECS_DOWNLINK;
	else if (strcmp(l->words, "tcp any-match") == 0)
		is = p->proto == 6;
	else if (strcmp(l->words, "udp any-match") == 0)
		is = p->proto == 17;
	else if (strcmp(l->words, "icmp any-match") == 0)
		is = p->proto == 1 || p->proto == 58;
	else if (strcmp(l->words, "http any-match") == 0) {
		if (!in->l7)
			return NO;
		is = in->l7->http_host || in->l7->http_url || in->l7->http_user_agent;
		if (!is && !in->l7->final)
			return MAYBE;
	}
	return truth(is == asked);
}

static enum v o_port(const struct oline *l, const struct ecs_packet *p)
{
	bool hit, neg = l->op[0] == '!';

	if (p->proto != (l->words[0] == 't' ? 6 : 17) || p->frag == ECS_FRAG_LATER)
		return NO;
	if (strstr(l->words, "src"))
		hit = num_positive(l, p->sport);
	else if (strstr(l->words, "dst"))
		hit = num_positive(l, p->dport);
	else
		hit = num_positive(l, p->sport) || num_positive(l, p->dport);
	return truth(hit != neg);
}

static enum v o_state(const struct oline *l, const struct ecs_match_in *in)
{
	static const struct {
		const char *name;
		uint8_t st;
	} tab[] = {{"established", ECS_TCP_ST_ESTABLISHED}, {"syn-sent", ECS_TCP_ST_SYN_SENT},
	           {"time-wait", ECS_TCP_ST_TIME_WAIT}, {"close", ECS_TCP_ST_CLOSE}};
	bool hit = false;

	if (in->pkt->proto != 6 || in->tcp_state == ECS_TCP_ST_NONE)
		return NO;
	for (size_t i = 0; i < 4; i++)
		hit = hit || (strcmp(tab[i].name, l->a) == 0 && tab[i].st == in->tcp_state);
	return truth(hit != (l->op[0] == '!'));
}

static enum v o_line(const struct oline *l, const struct ecs_match_in *in)
{
	const struct ecs_packet *p = in->pkt;
	bool neg = l->op[0] == '!', up = p->dir == ECS_UPLINK;

	if (strstr(l->words, "any-match") || strstr(l->words, "link"))
		return o_bool(l, in);
	if (strcmp(l->words, "ip src-address") == 0)
		return truth(addr_positive(l, &p->src) != neg);
	if (strcmp(l->words, "ip dst-address") == 0)
		return truth(addr_positive(l, &p->dst) != neg);
	if (strcmp(l->words, "ip server-ip-address") == 0)
		return truth(addr_positive(l, up ? &p->dst : &p->src) != neg);
	if (strcmp(l->words, "ip subscriber-ip-address") == 0)
		return truth(addr_positive(l, up ? &p->src : &p->dst) != neg);
	if (strcmp(l->words, "ip protocol") == 0)
		return truth(num_positive(l, p->proto) != neg);
	if (strcmp(l->words, "ip version") == 0)
		return truth((p->version == (l->a[3] - '0')) != neg);
	if (strstr(l->words, "port"))
		return o_port(l, p);
	if (strcmp(l->words, "tcp state") == 0)
		return o_state(l, in);
	if (strncmp(l->words, "icmp", 4) == 0) {
		if ((p->proto != 1 && p->proto != 58) || p->frag == ECS_FRAG_LATER)
			return NO;
		return truth(num_positive(l, l->words[5] == 't' ? p->icmp_type : p->icmp_code) !=
			     neg);
	}
	if (strcmp(l->words, "p2p protocol") == 0) {
		int id = ecs_app_by_name(l->a);

		if (!in->l7)
			return NO;
		if (in->l7->app == id || in->l7->app_master == id)
			return YES;
		return in->l7->final ? NO : MAYBE;
	}
	return o_string(l, in->l7);
}

static bool is_l7(const struct oline *l)
{
	return strncmp(l->words, "http", 4) == 0 || strncmp(l->words, "tls", 3) == 0 ||
	       strncmp(l->words, "dns", 3) == 0 || strncmp(l->words, "p2p", 3) == 0;
}

static enum v o_rule(const struct orule *r, const struct ecs_match_in *in)
{
	int yes = 0, no = 0;

	for (int i = 0; i < r->n; i++) {
		enum v t = o_line(&r->l[i], in);

		yes += t == YES;
		no += t == NO;
	}
	if (r->n == 0)
		return NO;
	if (r->any)
		return yes ? YES : no == r->n ? NO : MAYBE;
	return no ? NO : yes == r->n ? YES : MAYBE;
}

static bool o_rule_l34(const struct orule *r)
{
	for (int i = 0; i < r->n; i++)
		if (is_l7(&r->l[i]))
			return false;
	return r->n > 0;
}

static enum v o_action(const struct oracle *o, const struct oaction *l,
                       const struct ecs_match_in *in, bool *l34)
{
	const struct ogroup *g = &o->group[l->rule < GROUPS ? l->rule : 0];
	enum v best = NO;
	int members = 0;

	*l34 = true;
	if (!l->known_action || l->rule >= (l->group ? GROUPS : RULES))
		return NO;
	if (!l->group) {
		*l34 = o_rule_l34(&o->rule[l->rule]);
		return o_rule(&o->rule[l->rule], in);
	}
	for (int i = 0; i < g->n; i++) {
		enum v t;

		if (g->member[i] >= RULES)
			continue;
		members++;
		*l34 = *l34 && o_rule_l34(&o->rule[g->member[i]]);
		t = o_rule(&o->rule[g->member[i]], in);
		best = t > best ? t : best;
	}
	*l34 = *l34 && members;
	return best;
}

/* The index of the line within the rulebase, or -1. */
static int o_match(const struct oracle *o, int rb, const struct ecs_match_in *in, bool *maybe)
{
	*maybe = false;
	for (int i = 0; i < o->nlines[rb]; i++) {
		bool l34;
		enum v t = o_action(o, &o->line[rb][i], in, &l34);

		if (in->l34_only && !l34)
			continue;
		if (t == YES)
			return i;
		if (t == MAYBE)
			*maybe = true;
	}
	return -1;
}

#endif

/* match: what it costs to find the rule of a new URL, by the number of rules.
 *
 *   match [RULES...]     prints JSON; 32, 256 and 2048 rules where none are said
 *
 * For each number N: match_ns_N, a call of ecs_match() with a URL that was not seen before; match_set_ns_N,
 * a bare scan of the same URLs with all strings of the rules as one Vectorscan or Hyperscan set, which is
 * the limit; match_loop_ns_N, the same rules tried one after the other, as who has no set does. The three
 * are measured in turns, over the same URLs, and the medians of the turns are printed. Before that, each
 * URL's rule is compared with that of the loop. Rules are a third each of starts-with, contains and
 * ends-with of `http url`, without case; half of the URLs match one. match_host_ns_N is ecs_match() where
 * each rule has a second line, `http host`, the same in all of them. */
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ecs/rule/service.h"

#define URLS      4096
#define URL_LEN   128
#define TURNS     9
#define HOST      "www.example.net"
#define RULES_MAX 2047 /**< and the rule for all */

/** What a rule asks of a URL; kind is that of its number: starts-with, contains, ends-with. */
struct text {
	char s[48];
	size_t len;
};

static struct text rule[RULES_MAX];
static unsigned nrules;
static char url[URLS][URL_LEN + 1]; /**< as sent */
static char low[URLS][URL_LEN + 1]; /**< without case */
static volatile uint64_t sum;       /**< keeps what is measured from being left out */
static uint64_t seed = 88172645463325252u;

static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

static void die(const char *what)
{
	fprintf(stderr, "match: %s\n", what);
	exit(EXIT_FAILURE);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- rules and URLs ----------------------------------------------------------------------------------- */

static void make_rules(unsigned n)
{
	nrules = n;
	for (unsigned i = 0; i < n; i++) {
		struct text *r = &rule[i];

		if (i % 3 == 0)
			snprintf(r->s, sizeof(r->s), "http://host%u.example.net/", i * 7919);
		else if (i % 3 == 1)
			snprintf(r->s, sizeof(r->s), "/catalogue-%u/", i * 104729);
		else
			snprintf(r->s, sizeof(r->s), "-%u.mp4", i * 15485863u);
		r->len = strlen(r->s);
	}
}

/** A URL of URL_LEN characters that matches rule @p i, or none where it is nrules. */
static void make_url(char *u, unsigned i)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_/0123456789";
	unsigned kind = i % 3;
	size_t at;

	for (at = 0; at < URL_LEN; at++)
		u[at] = letters[rnd(sizeof(letters) - 1)];
	u[URL_LEN] = 0;
	memcpy(u, "http://WWW.", 11);
	if (i == nrules)
		return;
	at = kind == 0 ? 0 : kind == 1 ? 40 + rnd(40) : URL_LEN - rule[i].len;
	memcpy(u + at, rule[i].s, rule[i].len);
}

static void make_urls(void)
{
	for (unsigned i = 0; i < URLS; i++) {
		make_url(url[i], rnd(2) ? rnd(nrules) : nrules);
		for (unsigned k = 0; k <= URL_LEN; k++)
			low[i][k] = (char)tolower((unsigned char)url[i][k]);
	}
}

/* --- ours --------------------------------------------------------------------------------------------- */

static struct ecs_matcher *matcher;
static struct ecs_service *service;
static int rulebase;

static void must(int rc, const struct ecs_err *e)
{
	if (rc != 0)
		die(e->text);
}

static void build_ours(bool host)
{
	static const enum ecs_op ops[] = {ECS_OP_STARTS, ECS_OP_CONTAINS, ECS_OP_ENDS};
	struct ecs_err e;
	char name[16];

	service = ecs_service_new("bench");
	if (!service || !ecs_service_charging_action(service, "count", false, &e))
		die("memory");
	must(ecs_service_rulebase(service, "rb", false, &e), &e);
	for (unsigned i = 0; i < nrules; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		must(ecs_service_ruledef(service, name, false, &e), &e);
		must(ecs_service_rule_line(service, name, false, ECS_F_HTTP_URL, false, ops[i % 3],
					   rule[i].s, NULL, &e), &e);
		if (host)
			must(ecs_service_rule_line(service, name, false, ECS_F_HTTP_HOST, false,
						   ECS_OP_EQ, HOST, NULL, &e), &e);
		must(ecs_service_action_line(service, "rb", false, i + 1, false, name, "count", &e), &e);
	}
	must(ecs_service_ruledef(service, "any", false, &e), &e);
	must(ecs_service_rule_line(service, "any", false, ECS_F_IP_ANY, false, ECS_OP_EQ, "TRUE", NULL,
				   &e), &e);
	must(ecs_service_action_line(service, "rb", false, 65000, false, "any", "count", &e), &e);
	must(ecs_service_commit(service, &e), &e);
	matcher = ecs_matcher_new(service);
	if (!matcher)
		die("memory");
	rulebase = ecs_service_find_rulebase(service, "rb");
}

static void drop_ours(void)
{
	ecs_matcher_free(matcher);
	ecs_service_free(service);
}

static const struct ecs_packet packet = {
	.dir = ECS_UPLINK, .version = 4, .proto = 6, .sport = 40000, .dport = 80,
	.src = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 45, 0, 1}},
	.dst = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 10}},
};

static unsigned ours(unsigned i)
{
	const struct ecs_l7 l7 = {.http_url = url[i], .http_host = HOST, .final = true};
	const struct ecs_match_in in = {.pkt = &packet, .l7 = &l7, .tcp_state = ECS_TCP_ST_ESTABLISHED};

	return ecs_match(matcher, rulebase, &in, NULL);
}

/* --- the limit: a set alone --------------------------------------------------------------------------- */

static hs_database_t *db;
static hs_scratch_t *scratch;

static void build_set(void)
{
	static char text[RULES_MAX][128];
	static const char *expr[RULES_MAX];
	static unsigned flags[RULES_MAX], ids[RULES_MAX];
	hs_compile_error_t *err;

	for (unsigned i = 0; i < nrules; i++) {
		char *p = text[i];

		p += sprintf(p, "%s", i % 3 == 0 ? "^" : "");
		for (const char *s = rule[i].s; *s; s++)
			p += sprintf(p, isalnum((unsigned char)*s) ? "%c" : "\\x%02x", (unsigned char)*s);
		sprintf(p, "%s", i % 3 == 2 ? "$" : "");
		expr[i] = text[i];
		ids[i] = i;
		flags[i] = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH;
	}
	if (hs_compile_multi(expr, flags, ids, nrules, HS_MODE_BLOCK, NULL, &db, &err) != HS_SUCCESS ||
	    hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
		die("the set does not compile");
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	unsigned *least = arg;

	(void)from, (void)to, (void)flags;
	if (id < *least)
		*least = id;
	return 0;
}

static unsigned of_set(unsigned i)
{
	unsigned least = nrules;

	if (hs_scan(db, url[i], URL_LEN, 0, scratch, on_match, &least) != HS_SUCCESS)
		die("hs_scan");
	return least;
}

/* --- a loop over the rules ---------------------------------------------------------------------------- */

static unsigned of_loop(unsigned i)
{
	const char *u = low[i];

	for (unsigned k = 0; k < nrules; k++) {
		const struct text *r = &rule[k];

		if (k % 3 == 0 ? memcmp(u, r->s, r->len) == 0
		    : k % 3 == 1 ? memmem(u, URL_LEN, r->s, r->len) != NULL
				 : memcmp(u + URL_LEN - r->len, r->s, r->len) == 0)
			return k;
	}
	return nrules;
}

/* --- measuring ---------------------------------------------------------------------------------------- */

typedef unsigned one_fn(unsigned i);

/** Nanoseconds of a call; the calls last some milliseconds, whatever they cost. */
static double measure(one_fn *fn)
{
	double began = now_ns(), took;
	unsigned calls = 0;

	do {
		for (unsigned i = 0; i < 256; i++, calls++)
			sum += fn(calls % URLS);
		took = now_ns() - began;
	} while (took < 2e7);
	return took / calls;
}

static int smaller(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void agree(void)
{
	unsigned matched = 0;

	for (unsigned i = 0; i < URLS; i++) {
		unsigned want = of_loop(i), got = ours(i);
		const struct ecs_line *l = ecs_service_line(service, (uint16_t)got);

		if (!l || l->priority != (want < nrules ? want + 1 : 65000) || of_set(i) != want)
			die("a URL is given to another rule than the loop gives it to");
		matched += want < nrules;
	}
	if (matched < URLS / 4 || matched > URLS * 3 / 4)
		die("the URLs say nothing");
}

static void run(unsigned n, bool first)
{
	static one_fn *const fns[] = {ours, of_set, of_loop};
	static const char *const names[] = {"match_ns", "match_set_ns", "match_loop_ns", "match_host_ns"};
	double t[4][TURNS];

	make_rules(n - 1); /* and the one for all */
	make_urls();
	build_ours(false);
	build_set();
	agree();
	for (unsigned turn = 0; turn < TURNS; turn++)
		for (unsigned k = 0; k < 3; k++)
			t[k][turn] = measure(fns[k]);
	drop_ours();
	build_ours(true);
	agree();
	for (unsigned turn = 0; turn < TURNS; turn++)
		t[3][turn] = measure(ours);
	drop_ours();
	for (unsigned k = 0; k < 4; k++) {
		qsort(t[k], TURNS, sizeof(t[k][0]), smaller);
		printf("%s\"%s_%u\": %.1f", first && k == 0 ? "" : ", ", names[k], n, t[k][TURNS / 2]);
	}
	hs_free_scratch(scratch);
	scratch = NULL;
	hs_free_database(db);
}

int main(int argc, char **argv)
{
	static const char *const usual[] = {"32", "256", "2048"};
	int n = argc > 1 ? argc - 1 : 3;

	printf("{");
	for (int i = 0; i < n; i++) {
		unsigned long rules = strtoul(argc > 1 ? argv[i + 1] : usual[i], NULL, 10);

		if (rules < 2 || rules > RULES_MAX + 1)
			die("usage: match [RULES...], of 2 to 2048");
		run((unsigned)rules, i == 0);
	}
	printf("}\n");
	return EXIT_SUCCESS;
}

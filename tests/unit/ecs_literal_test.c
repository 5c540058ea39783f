/* Anchored literals of each length, which are looked up word by word: what a text has in common with
 * them ends at each of their bytes. */
#include "config.h"
#include "suites.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/rule/service.h"

#define LEN 127 /**< the longest value */

static const struct kind {
	enum ecs_op op;
	bool case_sensitive;
} kinds[] = {
	{ECS_OP_STARTS, false}, {ECS_OP_STARTS, true}, {ECS_OP_ENDS, false},
	{ECS_OP_ENDS, true},    {ECS_OP_EQ, false},    {ECS_OP_EQ, true},
};

static char base[LEN + 1];

/* Letters in both cases, and the characters that stand beside them. */
static void make_base(void)
{
	static const char some[] = "AbZaz@[`{kK0/.-Qq";

	for (size_t i = 0; i < LEN; i++)
		base[i] = some[(i * 7 + i / 5) % (sizeof(some) - 1)];
}

/* One rule for each length, the longest first: line LEN - n is that of n bytes. */
static struct ecs_service *make(const struct kind *k)
{
	struct ecs_service *s = ecs_service_new("s");
	struct ecs_err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_PTR_NOT_NULL(ecs_service_charging_action(s, "c", false, &e));
	CU_ASSERT_EQUAL(ecs_service_rulebase(s, "rb", false, &e), 0);
	for (unsigned n = LEN; n > 0; n--) {
		char name[16], value[LEN + 1];

		snprintf(name, sizeof(name), "r%u", n);
		snprintf(value, sizeof(value), "%.*s", (int)n, k->op == ECS_OP_ENDS ? base + LEN - n : base);
		CU_ASSERT_EQUAL(ecs_service_ruledef(s, name, false, &e), 0);
		CU_ASSERT_EQUAL(ecs_service_rule_line(s, name, false, ECS_F_HTTP_URL, k->case_sensitive,
		                                      k->op, value, NULL, &e), 0);
		CU_ASSERT_EQUAL(ecs_service_action_line(s, "rb", false, LEN + 1 - n, false, name, "c", &e),
		                0);
	}
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(s, &e), 0);
	return s;
}

/* The length of the longest literal that a text has; 0: none. The text is the whole of its memory. */
static unsigned longest(struct ecs_matcher *m, const char *text)
{
	const struct ecs_packet pkt = {.version = 4, .proto = 6, .dport = 80};
	char *url = strdup(text);
	const struct ecs_l7 l7 = {.http_url = url, .final = true};
	const struct ecs_match_in in = {.pkt = &pkt, .l7 = &l7, .tcp_state = ECS_TCP_ST_ESTABLISHED};
	uint16_t line = ecs_match(m, 0, &in, NULL);

	free(url);
	return line == ECS_LINE_NONE ? 0 : LEN - line;
}

static void flip_case(char *s)
{
	for (; *s; s++)
		*s = (char)(isupper((unsigned char)*s) ? tolower((unsigned char)*s)
		                                       : toupper((unsigned char)*s));
}

/* How many of the @p n bytes of the base, from the anchored side, are in front of the first letter. */
static size_t without_case(const struct kind *k, size_t n)
{
	size_t i = 0;

	while (i < n && !isalpha((unsigned char)(k->op == ECS_OP_ENDS ? base[LEN - 1 - i] : base[i])))
		i++;
	return i;
}

/* The @p n bytes of the base, @p more of others on the side that is open, the one at @p wrong (from the
 * anchored side; n: none) another one. */
static void make_text(const struct kind *k, char *out, size_t n, size_t more, size_t wrong)
{
	bool back = k->op == ECS_OP_ENDS;

	memset(out, '~', n + more);
	out[n + more] = '\0';
	memcpy(back ? out + more : out, back ? base + LEN - n : base, n);
	if (wrong < n)
		out[back ? n + more - 1 - wrong : wrong] = '~';
}

static void check(const struct kind *k, struct ecs_matcher *m, size_t n, size_t more, size_t wrong)
{
	char text[2 * LEN + 1];
	size_t same = wrong, whole = n + more;

	make_text(k, text, n, more, wrong);
	CU_ASSERT_EQUAL(longest(m, text), k->op != ECS_OP_EQ || same == whole ? same : 0);
	flip_case(text);
	if (k->case_sensitive)
		same = without_case(k, wrong);
	CU_ASSERT_EQUAL(longest(m, text), k->op != ECS_OP_EQ || same == whole ? same : 0);
}

static void test_each_length(void)
{
	make_base();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct ecs_service *s = make(&kinds[i]);
		struct ecs_matcher *m = ecs_matcher_new(s);

		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		for (size_t n = 1; n <= LEN; n++) {
			check(&kinds[i], m, n, 0, n);
			check(&kinds[i], m, n, 1, n);
			check(&kinds[i], m, n, LEN, n);
		}
		for (size_t wrong = 0; wrong < LEN; wrong++)
			check(&kinds[i], m, LEN, wrong % 3, wrong);
		CU_ASSERT_EQUAL(longest(m, ""), 0);
		ecs_matcher_free(m);
		ecs_service_free(s);
	}
}

CU_TestInfo ecs_literal_tests[] = {
	{"anchored literals of each length", test_each_length},
	CU_TEST_INFO_NULL,
};

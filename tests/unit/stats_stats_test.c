#include "config.h"
#include "suites.h"

#include <string.h>

#include "stats/stats.h"

struct sample {
	uint64_t first, second;
};

static const struct stats_desc desc[] = {
	STATS_DESC(struct sample, first, COUNTER, "units", "First")
	STATS_DESC(struct sample, second, GAUGE, "bytes", "Second")
};

struct seen {
	unsigned n;
	uint64_t value[3];
	const char *name[3];
	enum stats_kind kind[3];
};

static void visit(const char *prefix, const struct stats_desc *d, uint64_t value, void *arg)
{
	struct seen *s = arg;

	CU_ASSERT_STRING_EQUAL(prefix, "sample");
	CU_ASSERT_TRUE_FATAL(s->n < 3);
	s->value[s->n] = value;
	s->kind[s->n] = d->kind;
	s->name[s->n++] = d->name;
}

static void test_walk(void)
{
	const struct sample v = {UINT64_MAX, 7};
	struct stats_group g = {"sample", desc, 2, &v};
	struct seen s = {0};

	stats_walk(&g, visit, &s);
	CU_ASSERT_EQUAL(s.n, 2);
	CU_ASSERT_STRING_EQUAL(s.name[0], "first");
	CU_ASSERT_EQUAL(s.value[0], UINT64_MAX);
	CU_ASSERT_EQUAL(s.kind[0], STATS_COUNTER);
	CU_ASSERT_STRING_EQUAL(s.name[1], "second");
	CU_ASSERT_EQUAL(s.value[1], 7);
	CU_ASSERT_EQUAL(s.kind[1], STATS_GAUGE);
	g.n = 0;
	stats_walk(&g, visit, &s);
	CU_ASSERT_EQUAL(s.n, 2);
}

CU_TestInfo stats_stats_tests[] = {
	{"a walk visits every value once, in order", test_walk},
	CU_TEST_INFO_NULL,
};

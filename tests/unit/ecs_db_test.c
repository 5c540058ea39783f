/* Databases: URLs and signatures, whole, cut at every byte, at their limits, against a plain lookup. */
#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/rule/db.h"

static unsigned nbad, last_line;
static char last_text[256];

static void on_bad(void *arg, unsigned line, const char *text)
{
	(void)arg;
	nbad++;
	last_line = line;
	snprintf(last_text, sizeof(last_text), "%s", text);
}

static struct ecs_db *parse(enum ecs_db_kind kind, const char *text)
{
	nbad = 0;
	return ecs_db_parse(kind, text, strlen(text), on_bad, NULL);
}

/* The categories of a URL; NULL: it is not there. */
static const char *look(const struct ecs_db *db, const char *host, const char *path)
{
	static char out[300];
	const char *c;
	size_t n;

	if (!ecs_db_url(db, host, path, &c, &n))
		return NULL;
	snprintf(out, sizeof(out), "%.*s", (int)n, c);
	return out;
}

static void is(const struct ecs_db *db, const char *host, const char *path, const char *want)
{
	const char *got = look(db, host, path);

	if (!got || !want) {
		CU_ASSERT_TRUE(got == want);
		return;
	}
	CU_ASSERT_STRING_EQUAL(got, want);
}

static void test_urls(void)
{
	struct ecs_db *db = parse(ECS_DB_CATEGORIES,
	                          "# comment\r\n\n  Example.ORG\tnews\r\nwww.example.org/a Games,Ads\n"
	                          "www.example.org/ab/c deep\nexample.org/b/ below\n[2001:db8::1] v6");

	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL(ecs_db_entries(db), 5);
	is(db, "example.org", "/", "news");
	is(db, "EXAMPLE.org.", "", "news");
	is(db, "deep.below.example.org", "/x", "news");
	is(db, "notexample.org", "/", NULL);
	is(db, "org", "/", NULL);
	is(db, "www.example.org", "/a", "games,ads");
	is(db, "www.example.org", "/ab/d", "games,ads");
	is(db, "www.example.org", "/ab/c/d", "deep");
	is(db, "x.www.example.org", "/ab/c", "deep");
	is(db, "www.example.org", "/b/x", "below"); /* of the host above: none of its own fits */
	is(db, "www.example.org", "/b", "news");
	is(db, "[2001:db8::1]", "/", "v6");
	is(db, "", "/", NULL);
	is(NULL, "example.org", "/", NULL);
	ecs_db_unref(db);
}

static void test_categories(void)
{
	CU_ASSERT_TRUE(ecs_db_has_category("a,bc", 4, "BC"));
	CU_ASSERT_TRUE(ecs_db_has_category("a,bc", 4, "a"));
	CU_ASSERT_FALSE(ecs_db_has_category("a,bc", 4, "b"));
	CU_ASSERT_FALSE(ecs_db_has_category("a,bc", 3, "bc"));
	CU_ASSERT_FALSE(ecs_db_has_category("", 0, "a"));
}

static void test_refused(void)
{
	static const struct {
		enum ecs_db_kind kind;
		const char *text;
		unsigned line;
	} bad[] = {
		{ECS_DB_CATEGORIES, "a.test\n", 1},
		{ECS_DB_CATEGORIES, "a.test x\nb.test x,,y\n", 2},
		{ECS_DB_CATEGORIES, "a.test x y\n", 1},
		{ECS_DB_CATEGORIES, "a.test x!\n", 1},
		{ECS_DB_CATEGORIES, "http://a.test x\n", 1},
		{ECS_DB_CATEGORIES, "a.test:80 x\n", 1},
		{ECS_DB_CATEGORIES, "u@a.test x\n", 1},
		{ECS_DB_CATEGORIES, ".a.test x\n", 1},
		{ECS_DB_CATEGORIES, "a..test x\n", 1},
		{ECS_DB_CATEGORIES, "/a x\n", 1},
		{ECS_DB_CATEGORIES, "a.test x\nA.test y\n", 0},
		{ECS_DB_CATEGORIES, "a.test aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 1},
		{ECS_DB_BLACKLIST, "a.test x\n", 1},
		{ECS_DB_BLACKLIST, "a.test/\x01\n", 1},
		{ECS_DB_OS, "label\n", 1},
		{ECS_DB_OS, "label ttl=0\n", 1},
		{ECS_DB_OS, "label ttl=256\n", 1},
		{ECS_DB_OS, "label ttl=64 ttl=65\n", 1},
		{ECS_DB_OS, "label scale=15\n", 1},
		{ECS_DB_OS, "label options=MX\n", 1},
		{ECS_DB_OS, "label window=mss*0\n", 1},
		{ECS_DB_OS, "label window=65536\n", 1},
		{ECS_DB_OS, "label df=2\n", 1},
		{ECS_DB_OS, "label what=2\n", 1},
		{ECS_DB_OS, "label ttl\n", 1},
		{ECS_DB_OS, "la!bel ttl=1\n", 1},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_PTR_NULL(parse(bad[i].kind, bad[i].text));
		CU_ASSERT_EQUAL(nbad, 1);
		CU_ASSERT_EQUAL(last_line, bad[i].line);
		CU_ASSERT_TRUE(last_text[0] != '\0');
	}
	/* no more are told than anybody reads */
	CU_ASSERT_PTR_NULL(parse(ECS_DB_BLACKLIST, "/\n/\n/\n/\n/\n/\n/\n/\n/\n/\n/\n/\n/\n"));
	CU_ASSERT_EQUAL(nbad, ECS_DB_ERRORS_MAX);
	CU_ASSERT_PTR_NULL(ecs_db_parse(ECS_DB_BLACKLIST, "a.test\0b\n", 9, NULL, NULL));
	CU_ASSERT_PTR_NULL(ecs_db_parse(ECS_DB_OS, "a options=M\0\n", 13, NULL, NULL));
}

static void test_limits(void)
{
	char line[1200], host[ECS_DB_HOST_MAX + 2];
	struct ecs_db *db;

	memset(host, 'h', sizeof(host));
	for (unsigned n = ECS_DB_HOST_MAX; n <= ECS_DB_HOST_MAX + 1; n++) {
		snprintf(line, sizeof(line), "%.*s x\n", (int)n, host);
		db = parse(ECS_DB_CATEGORIES, line);
		CU_ASSERT_EQUAL(db != NULL, n == ECS_DB_HOST_MAX);
		host[n] = '\0';
		CU_ASSERT_EQUAL(db && look(db, host, "/"), n == ECS_DB_HOST_MAX);
		host[n] = 'h';
		ecs_db_unref(db);
	}
	for (unsigned n = ECS_DB_PATH_MAX; n <= ECS_DB_PATH_MAX + 1; n++) {
		char path[ECS_DB_PATH_MAX + 40];

		memset(path, '/', sizeof(path));
		path[sizeof(path) - 1] = '\0';
		snprintf(line, sizeof(line), "a.test%.*s x\n", (int)n, path);
		db = parse(ECS_DB_CATEGORIES, line);
		CU_ASSERT_EQUAL(db != NULL, n == ECS_DB_PATH_MAX);
		is(db, "a.test", path, n == ECS_DB_PATH_MAX ? "x" : NULL);
		ecs_db_unref(db);
	}
}

static void test_many(void)
{
	size_t cap = 24u * (ECS_DB_SIGS_MAX + 2), n = 0;
	char *text = malloc(cap);
	struct ecs_db *db;

	for (unsigned i = 0; i < ECS_DB_SIGS_MAX; i++)
		n += (size_t)snprintf(text + n, cap - n, "os-%u mss=%u\n", i, i);
	db = ecs_db_parse(ECS_DB_OS, text, n, on_bad, NULL);
	CU_ASSERT_EQUAL(ecs_db_entries(db), ECS_DB_SIGS_MAX);
	ecs_db_unref(db);
	n += (size_t)snprintf(text + n, cap - n, "more mss=1\n");
	nbad = 0;
	CU_ASSERT_PTR_NULL(ecs_db_parse(ECS_DB_OS, text, n, on_bad, NULL));
	CU_ASSERT_EQUAL(last_line, ECS_DB_SIGS_MAX + 1);
	free(text);
}

/* Every beginning of a file is read or refused, and what is read reads back to itself. */
static void test_cut(void)
{
	static const char *const whole[ECS_DB__N] = {
		"a.test/p/q x,y\nwww.a.test z\n\n#c\nb.test/p w\n",
		"a.test/p/q\nwww.a.test\n\n#c\nb.test/p\n",
		"win ttl=128 window=64240 mss=1460 scale=8 options=MNWNNS df=1\nold window=mss*4\n"};

	for (unsigned k = 0; k < ECS_DB__N; k++)
		for (size_t n = 0; n <= strlen(whole[k]); n++) {
			char *cut = malloc(n ? n : 1);
			struct ecs_db *db, *again;
			const char *text;
			size_t len;

			memcpy(cut, whole[k], n);
			db = ecs_db_parse((enum ecs_db_kind)k, cut, n, NULL, NULL);
			free(cut);
			if (!db)
				continue;
			text = ecs_db_text(db, &len);
			again = ecs_db_parse((enum ecs_db_kind)k, text, len, NULL, NULL);
			CU_ASSERT_PTR_NOT_NULL_FATAL(again);
			CU_ASSERT_EQUAL(ecs_db_entries(db), ecs_db_entries(again));
			CU_ASSERT_EQUAL(ecs_db_digest(db), ecs_db_digest(again));
			ecs_db_unref(db);
			ecs_db_unref(again);
		}
}

/* --- against a plain lookup --------------------------------------------------------------------- */

#define PLAIN 300

static char hosts[PLAIN][40], paths[PLAIN][40];

static bool below(const char *host, const char *entry)
{
	size_t n = strlen(host), k = strlen(entry);

	return n >= k && strcmp(host + n - k, entry) == 0 && (n == k || host[n - k - 1] == '.');
}

/* The entry of the longest host, then of the longest path; -1. */
static int plain(unsigned n, const char *host, const char *path)
{
	int best = -1;

	for (unsigned i = 0; i < n; i++) {
		if (!below(host, hosts[i]) || strncmp(path, paths[i], strlen(paths[i])) != 0)
			continue;
		if (best < 0 || strlen(hosts[i]) > strlen(hosts[best]) ||
		    (strlen(hosts[i]) == strlen(hosts[best]) && strlen(paths[i]) > strlen(paths[best])))
			best = (int)i;
	}
	return best;
}

static unsigned rnd(unsigned below_)
{
	static unsigned seed = 5;

	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % below_;
}

static void word(char *out, const char *letters, char sep, unsigned parts)
{
	for (unsigned i = 0; i < parts; i++) {
		if (i || sep == '/')
			*out++ = sep;
		*out++ = letters[rnd((unsigned)strlen(letters))];
		if (rnd(3) == 0)
			*out++ = letters[rnd((unsigned)strlen(letters))];
	}
	*out = '\0';
}

static void test_plain(void)
{
	static char text[PLAIN * 100];
	size_t len = 0;
	unsigned n = 0;
	struct ecs_db *db;

	for (unsigned i = 0; i < PLAIN; i++) {
		bool twice = false;

		word(hosts[n], "ab", '.', 1 + rnd(3));
		word(paths[n], "xy", '/', rnd(4));
		for (unsigned j = 0; j < n; j++)
			twice |= strcmp(hosts[j], hosts[n]) == 0 && strcmp(paths[j], paths[n]) == 0;
		if (twice)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s n%u\n", hosts[n], paths[n], n);
		n++;
	}
	db = ecs_db_parse(ECS_DB_CATEGORIES, text, len, on_bad, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	for (unsigned i = 0; i < 20000; i++) {
		char host[40], path[40], want[16];
		int at;

		word(host, "ab", '.', 1 + rnd(4));
		word(path, "xy", '/', rnd(5));
		at = plain(n, host, path);
		snprintf(want, sizeof(want), "n%d", at);
		is(db, host, path, at < 0 ? NULL : want);
	}
	ecs_db_unref(db);
}

/* --- signatures --------------------------------------------------------------------------------- */

static void test_os(void)
{
	struct ecs_db *db = parse(ECS_DB_OS, "win ttl=128 window=64240 mss=1460 scale=8 options=MNWNNS df=1\n"
	                                     "bsd window=mss*4\nplain options=\n");
	struct ecs_syn y = {.ttl = 127, .window = 64240, .mss = 1460, .has_scale = true, .scale = 8,
	                    .df = true, .options = "MNWNNS"}, z;

	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_STRING_EQUAL(ecs_db_os(db, &y), "win");
	y.ttl = 97;
	CU_ASSERT_STRING_EQUAL(ecs_db_os(db, &y), "win");
	y.ttl = 96;
	CU_ASSERT_PTR_NULL(ecs_db_os(db, &y));
	y.ttl = 129;
	CU_ASSERT_PTR_NULL(ecs_db_os(db, &y));
	y.ttl = 128;
#define OTHER(what) \
	z = y; \
	what; \
	CU_ASSERT_PTR_NULL(ecs_db_os(db, &z))
	OTHER(z.window--);
	OTHER(z.mss++);
	OTHER(z.scale = 7);
	OTHER(z.has_scale = false);
	OTHER(z.df = false);
	OTHER(z.options[2] = 'N');
#undef OTHER
	y.window = 5840;
	CU_ASSERT_STRING_EQUAL(ecs_db_os(db, &y), "bsd");
	y.window = 1;
	y.options[0] = '\0';
	CU_ASSERT_STRING_EQUAL(ecs_db_os(db, &y), "plain");
	CU_ASSERT_PTR_NULL(ecs_db_os(NULL, &y));
	ecs_db_unref(db);
}

CU_TestInfo ecs_db_tests[] = {
	{"URLs by host and path", test_urls},
	{"names of categories", test_categories},
	{"bad lines, by their number", test_refused},
	{"lengths at the limit and beyond", test_limits},
	{"as many entries as there may be", test_many},
	{"files cut at every byte", test_cut},
	{"as a plain lookup finds", test_plain},
	{"signatures", test_os},
	CU_TEST_INFO_NULL};

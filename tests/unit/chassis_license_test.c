#include "config.h"
#include "suites.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chassis/cli/config_impl.h"
#include "chassis/cli/show.h"
#include "chassis/license.h"
#include "json_check.h"
#include "srp/err.h"

static int parse(const char *text, struct chassis_license *l, char why[CHASSIS_LICENSE_WHY])
{
	why[0] = '\0';
	return chassis_license_parse(text, strlen(text), l, why, CHASSIS_LICENSE_WHY);
}

static void test_rows(void)
{
	for (unsigned i = 0; i < CHASSIS_LICENSE__N; i++) {
		CU_ASSERT(chassis_features[i].word && chassis_features[i].name && chassis_features[i].part);
		for (unsigned k = 0; k < i; k++) {
			CU_ASSERT_STRING_NOT_EQUAL(chassis_features[i].word, chassis_features[k].word);
			CU_ASSERT_STRING_NOT_EQUAL(chassis_features[i].part, chassis_features[k].part);
		}
	}
}

/* The shell knows the line for which it opens the file: it is a row of the configuration. */
static void test_command(void)
{
	size_t n, found = 0;
	const struct chassis_row *rows = cfg_rows(&n);

	for (size_t i = 0; i < n; i++)
		found += strcmp(rows[i].pattern, CHASSIS_LICENSE_COMMAND) == 0;
	CU_ASSERT_EQUAL(found, 1);
}

static void test_good(void)
{
	static const struct {
		const char *text;
		bool sr, fr;
		uint32_t sr_until;
	} good[] = {
		{"", false, false, 0},
		{"\n\n# nothing\n   # more\n", false, false, 0},
		{"session-recovery", true, false, 0},
		{"session-recovery\r\nflow-recovery\r\n", true, true, 0},
		{" \tsession-recovery \t expires  2031-12-31 \n", true, false, 20311231},
		{"session-recovery expires 2024-02-29\n", true, false, 20240229},
		{"session-recovery expires 2000-02-29\n", true, false, 20000229},
		{"session-recovery expires 9999-12-31\n", true, false, 99991231},
		{"inter-chassis-session-recovery\n", false, false, 0},
	};
	struct chassis_license l;
	char why[CHASSIS_LICENSE_WHY];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int rc = parse(good[i].text, &l, why);

		if (rc)
			printf("\n%s: %s\n", good[i].text, why);
		CU_ASSERT_EQUAL(rc, SRP_OK);
		CU_ASSERT_EQUAL(l.key[CHASSIS_LICENSE_SESSION_RECOVERY], good[i].sr);
		CU_ASSERT_EQUAL(l.key[CHASSIS_LICENSE_FLOW_RECOVERY], good[i].fr);
		CU_ASSERT_EQUAL(l.expires[CHASSIS_LICENSE_SESSION_RECOVERY], good[i].sr_until);
	}
}

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* Whatever is wrong, nothing of the file is taken, and the line is named. */
static void test_bad(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"session-recovery\nteleport\n", "line 2: expected the key word of a feature"},
		{"Session-Recovery\n", "line 1: expected the key word of a feature"},
		{"session-recover\n", "line 1: expected the key word of a feature"},
		{"session-recoveryy\n", "line 1: expected the key word of a feature"},
		{"session-recovery\n\nsession-recovery\n", "line 3: expected each feature only once"},
		{"session-recovery expires\n", "line 1: expected `expires` and a date"},
		{"session-recovery until 2031-01-01\n", "line 1: expected `expires` and a date"},
		{"session-recovery expires 2031-01-01 now\n", "line 1: expected `expires` and a date"},
		{"session-recovery expires 2031-1-01\n", "line 1: expected a date YYYY-MM-DD"},
		{"session-recovery expires 2031-00-01\n", "line 1: expected a date"},
		{"session-recovery expires 2031-13-01\n", "line 1: expected a date"},
		{"session-recovery expires 2031-01-00\n", "line 1: expected a date"},
		{"session-recovery expires 2031-01-32\n", "line 1: expected a date"},
		{"session-recovery expires 2031-04-31\n", "line 1: expected a date"},
		{"session-recovery expires 2023-02-29\n", "line 1: expected a date"},
		{"session-recovery expires 2100-02-29\n", "line 1: expected a date"},
		{"session-recovery expires 1969-12-31\n", "line 1: expected a date"},
		{"session-recovery expires 2031-01-0x\n", "line 1: expected a date"},
		{"session-recovery\nflow-recovery\001\n", "line 2: expected printable characters"},
		{"#\303\251\n", "line 1: expected printable characters"},
		{"#" X50 X50 X50 X50 X50 "xxxxx\n", "line 1: expected at most 255 characters"},
	};
	struct chassis_license l, before;
	char why[CHASSIS_LICENSE_WHY];

	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		l = before;
		CU_ASSERT_EQUAL(parse(bad[i].text, &l, why), SRP_EFORMAT);
		CU_ASSERT_EQUAL(memcmp(&l, &before, sizeof(l)), 0);
		if (strncmp(why, bad[i].why, strlen(bad[i].why)) != 0)
			printf("\n%s: %s\n", bad[i].text, why);
		CU_ASSERT_EQUAL(strncmp(why, bad[i].why, strlen(bad[i].why)), 0);
	}
	/* one character less is a comment */
	CU_ASSERT_EQUAL(parse("#" X50 X50 X50 X50 X50 "xxxx\n", &l, why), SRP_OK);
	CU_ASSERT_EQUAL(chassis_license_parse("session-recovery\0\n", 18, &l, why, sizeof(why)), SRP_EFORMAT);
}

/* A file that ends early gives fewer keys or a refusal, never another key or day. */
static void test_cut(void)
{
	static const char text[] = "# keys\nsession-recovery expires 2031-12-31\nflow-recovery\n";
	char why[CHASSIS_LICENSE_WHY];
	size_t taken = 0;

	for (size_t n = 0; n <= strlen(text); n++) {
		struct chassis_license l;
		char *part = malloc(n + 1);

		CU_ASSERT_PTR_NOT_NULL_FATAL(part);
		memcpy(part, text, n);
		if (chassis_license_parse(part, n, &l, why, sizeof(why)) == SRP_OK) {
			uint32_t day = l.expires[CHASSIS_LICENSE_SESSION_RECOVERY];

			taken++;
			CU_ASSERT(day == 0 || day == 20311231);
			CU_ASSERT(l.key[CHASSIS_LICENSE_SESSION_RECOVERY] || n < 23);
			CU_ASSERT(!l.key[CHASSIS_LICENSE_FLOW_RECOVERY] || n >= 56);
		}
		free(part);
	}
	CU_ASSERT(taken > 8 && taken < 20);
}

static void test_states(void)
{
	struct chassis_license l = {{false}, {0}};
	const enum chassis_feature f = CHASSIS_LICENSE_SESSION_RECOVERY;

	CU_ASSERT_EQUAL(chassis_license_state(&l, f, 20260101), CHASSIS_LICENSE_DISABLED);
	CU_ASSERT_EQUAL(chassis_license_state(&l, CHASSIS_LICENSE_ICSR, 20260101), CHASSIS_LICENSE_ENABLED);
	l.key[f] = true;
	CU_ASSERT_EQUAL(chassis_license_state(&l, f, UINT32_MAX), CHASSIS_LICENSE_ENABLED);
	l.expires[f] = 20260131;
	CU_ASSERT_EQUAL(chassis_license_state(&l, f, 20260131), CHASSIS_LICENSE_ENABLED);
	CU_ASSERT_EQUAL(chassis_license_state(&l, f, 20260201), CHASSIS_LICENSE_EXPIRED);
	CU_ASSERT(chassis_license_today() > 20200101 && chassis_license_today() < 99991231);
}

static void put_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void test_files(void)
{
	char dir[] = P_tmpdir "/license.XXXXXX", path[64], why[CHASSIS_LICENSE_WHY];
	struct chassis_license l;
	char *big = malloc(CHASSIS_LICENSE_BYTES_MAX + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(big);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/keys", dir);
	CU_ASSERT_EQUAL(chassis_license_load(NULL, path, &l, why, sizeof(why)), SRP_EIO);
	CU_ASSERT_STRING_EQUAL(why, "No such file or directory");
	put_file(path, "session-recovery\n", 17);
	CU_ASSERT_EQUAL(chassis_license_load(NULL, path, &l, why, sizeof(why)), SRP_OK);
	CU_ASSERT(l.key[CHASSIS_LICENSE_SESSION_RECOVERY] && !l.key[CHASSIS_LICENSE_FLOW_RECOVERY]);
	memset(big, '\n', CHASSIS_LICENSE_BYTES_MAX + 1);
	put_file(path, big, CHASSIS_LICENSE_BYTES_MAX);
	CU_ASSERT_EQUAL(chassis_license_load(NULL, path, &l, why, sizeof(why)), SRP_OK);
	CU_ASSERT(!l.key[CHASSIS_LICENSE_SESSION_RECOVERY]);
	put_file(path, big, CHASSIS_LICENSE_BYTES_MAX + 1);
	CU_ASSERT_EQUAL(chassis_license_load(NULL, path, &l, why, sizeof(why)), SRP_EFORMAT);
	CU_ASSERT_STRING_EQUAL(why, "expected at most 65536 bytes");
	CU_ASSERT_EQUAL(unlink(path), 0);
	/* nobody writes to it: who waited for that would wait for ever */
	CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
	CU_ASSERT_EQUAL(chassis_license_load(NULL, path, &l, why, sizeof(why)), SRP_EIO);
	CU_ASSERT_STRING_EQUAL(why, "expected a plain file");
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_EQUAL(chassis_license_load(NULL, dir, &l, why, sizeof(why)), SRP_EIO);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	free(big);
}

/* --- show license info -------------------------------------------------------------------------- */

static void append(void *arg, const char *p, size_t n)
{
	fwrite(p, 1, n, arg);
}

static struct chassis_slab supervisor;

static const struct chassis_slab *slab(void *arg, enum chassis_task task, unsigned instance)
{
	(void)arg;
	return task == CHASSIS_TASK_SUPERVISOR && !instance ? &supervisor : NULL;
}

static char *shown(const char *file, const char *keys, enum stats_doc_format format)
{
	static struct chassis_config running;
	struct chassis_config *c = calloc(1, sizeof(*c));
	struct chassis_view v = {.config = c, .acts = &running, .slab = slab};
	char *text = NULL, why[CHASSIS_LICENSE_WHY];
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct stats_doc d;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	snprintf(running.license_file, sizeof(running.license_file), "/k");
	snprintf(c->license_file, sizeof(c->license_file), "%s", file);
	CU_ASSERT_EQUAL(parse(keys, &c->license, why), SRP_OK);
	stats_doc_begin(&d, format, append, out);
	chassis_show_license(&v, &d);
	stats_doc_end(&d);
	fclose(out);
	free(c);
	return text;
}

static bool has(const char *file, const char *keys, const char *line)
{
	char *text = shown(file, keys, STATS_DOC_TEXT);
	bool yes = strstr(text, line) != NULL;

	if (!yes)
		printf("\n%s", text);
	free(text);
	return yes;
}

static void test_show(void)
{
	char *json = shown("/k", "session-recovery expires 2001-01-01\n", STATS_DOC_JSON);

	CU_ASSERT(json_valid(json, strlen(json)));
	free(json);
	CU_ASSERT(has("", "", "\nEnabled Features:\n"));
	CU_ASSERT(has("", "", " 0 Session Recovery                 -             Disabled\n"));
	CU_ASSERT(has("", "", " 1 Inter-Chassis Session Recovery   no key needed Enabled\n"));
	CU_ASSERT(has("", "", "Status:\n    License Status       No key installed\n"));
	CU_ASSERT(has("/k", "session-recovery\n", " 1 Session Recovery                 never         Enabled\n"));
	CU_ASSERT(has("/k", "session-recovery\n", " 0 Flow Recovery                    -             Disabled\n"));
	CU_ASSERT(has("/k", "session-recovery\n", "Status:\n    License Status       Good (Redundant)\n"));
	CU_ASSERT(has("/k", "flow-recovery expires 2999-12-31\n", " 1 Flow Recovery                    2999-12-31    Enabled\n"));
	CU_ASSERT(has("/k", "flow-recovery expires 2001-01-01\n", " 2001-01-01    Disabled (key expired)\n"));
	CU_ASSERT(has("/k", "flow-recovery expires 2001-01-01\n", "    License Status       Expired\n"));
}

#define STATE "    Key File State       "

/* What was read acts, whatever has become of the file; another one acts later. */
static void test_file_state(void)
{
	CU_ASSERT(has("", "", STATE "-\n"));
	CU_ASSERT(has("/k", "session-recovery\n", STATE "as it was read\n"));
	CU_ASSERT(has("/l", "session-recovery\n", STATE "entered: session recovery obeys it after `save configuration` and `reload`\n"));
	supervisor.sr.keys = CHASSIS_KEYS_CHANGED;
	CU_ASSERT(has("/k", "session-recovery\n", STATE "changed since it was read: acts from the next reload on\n"));
	CU_ASSERT(has("/k", "session-recovery\n", " 1 Session Recovery                 never         Enabled\n"));
	CU_ASSERT(has("/l", "session-recovery\n", STATE "entered: "));
	CU_ASSERT(has("", "", STATE "-\n"));
	supervisor.sr.keys = CHASSIS_KEYS_GONE;
	CU_ASSERT(has("/k", "session-recovery\n", STATE "gone since it was read: it is missed at the next reload\n"));
	supervisor.sr.keys = UINT32_MAX; /* a slab says what it likes */
	CU_ASSERT(has("/k", "session-recovery\n", STATE "-\n"));
	supervisor.sr.keys = CHASSIS_KEYS_READ;
}

CU_TestInfo chassis_license_tests[] = {
	{"features are distinct", test_rows},
	{"the line that the shell knows", test_command},
	{"files that are taken", test_good},
	{"files that are refused, and why", test_bad},
	{"cut files", test_cut},
	{"what a key is worth on a day", test_states},
	{"files that can be read, and others", test_files},
	{"show license info", test_show},
	{"what has become of the file", test_file_state},
	CU_TEST_INFO_NULL,
};

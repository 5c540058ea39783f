#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config_kit.h"
#include "srp/err.h"

#define WHY 700

static const char base_text[] =
	"configure\nlicense key-file /k\ncontext x\ninterface e\nip address 10.0.0.1/24\nexit\n"
	"service-redundancy-protocol\nexit\nexit\nactive-charging service s\nruledef r\n"
	"ip any-match = TRUE\nexit\nrulebase b\naction priority 1 ruledef r charging-action c\nexit\n"
	"charging-action c\nexit\nend\n";

static int session_recovery(void *arg, const char *path, struct chassis_license *out, char *why,
                            size_t cap)
{
	const char *text = strcmp(path, "/none") == 0 ? "" : "session-recovery\n";

	(*(unsigned *)arg)++;
	return chassis_license_parse(text, strlen(text), out, why, cap);
}

static struct chassis_config *base(void)
{
	unsigned asked = 0;
	struct chassis_config *c = chassis_config_parse_with(base_text, strlen(base_text), "base",
							     session_recovery, &asked, NULL, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(asked, 1);
	return c;
}

static struct chassis_config_edit *edit(const struct chassis_config *c)
{
	struct chassis_config_edit *e = chassis_config_edit_new(c);

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	return e;
}

static int line(struct chassis_config_edit *e, const char *text, char why[WHY])
{
	unsigned asked = 0;

	why[0] = '\0';
	return chassis_config_edit_line(e, text, strlen(text), session_recovery, &asked, why, WHY);
}

static void lines(struct chassis_config_edit *e, const char *const *text)
{
	char why[WHY];

	for (; *text; text++) {
		int rc = line(e, *text, why);

		if (rc)
			printf("\n%s: %s\n", *text, why);
		CU_ASSERT_EQUAL(rc, SRP_OK);
	}
}

/* The configuration that the lines give. */
static struct chassis_config *after(const struct chassis_config *c, const char *const *text)
{
	struct chassis_config_edit *e = edit(c);
	struct chassis_config *next;
	char why[WHY];

	lines(e, text);
	CU_ASSERT(chassis_config_edit_left(e));
	next = chassis_config_edit_end(e, why, sizeof(why));
	CU_ASSERT_PTR_NOT_NULL_FATAL(next);
	chassis_config_edit_free(e);
	return next;
}

static bool mode_is(const struct chassis_config_edit *e, const char *context, const char *mode)
{
	const char *in, *what = chassis_config_edit_mode(e, &in);

	return strcmp(in, context) == 0 && strcmp(what, mode) == 0;
}

/* Nothing entered: nothing changed, and the keys of the base are kept without asking for them. */
static void test_nothing(void)
{
	static const char *const none[] = {"", "   ", "end", NULL};
	struct chassis_config *c = base(), *next = after(c, none);
	char *a = printed(c), *b = printed(next);

	CU_ASSERT_STRING_EQUAL(a, b);
	CU_ASSERT(next->license.key[CHASSIS_LICENSE_SESSION_RECOVERY]);
	free(a);
	free(b);
	chassis_config_free(c);
	chassis_config_free(next);
}

static void test_modes(void)
{
	struct chassis_config *c = base();
	struct chassis_config_edit *e = edit(c);
	char why[WHY];

	CU_ASSERT(mode_is(e, "local", "config"));
	CU_ASSERT_EQUAL(line(e, "context x", why), 0);
	CU_ASSERT(mode_is(e, "x", "config-ctx"));
	CU_ASSERT_EQUAL(line(e, "service-redundancy-protocol", why), 0);
	CU_ASSERT(mode_is(e, "x", "config-srp"));
	CU_ASSERT_EQUAL(line(e, "#exit", why), 0);
	CU_ASSERT_EQUAL(line(e, "exit", why), 0);
	CU_ASSERT(mode_is(e, "local", "config"));
	CU_ASSERT_EQUAL(line(e, "active-charging service s", why), 0);
	CU_ASSERT_EQUAL(line(e, "ruledef q", why), 0);
	CU_ASSERT(mode_is(e, "local", "config-acs-ruledef"));
	CU_ASSERT(!chassis_config_edit_left(e));
	CU_ASSERT_EQUAL(line(e, "end", why), 0);
	CU_ASSERT(chassis_config_edit_left(e));
	chassis_config_edit_free(e);
	chassis_config_free(c);
}

static void test_changes(void)
{
	static const char *const text[] = {
		"task facility sessmgr max 4", "require session recovery",
		"session-recovery reserve sessions 10 flows 20", "context x", "interface e",
		"ip address 10.0.0.2/24", "no ip address 10.0.0.1/24", "exit",
		"service-redundancy-protocol", "hello-interval 20", "dead-interval 60", "exit", "exit",
		"active-charging service s", "ruledef r", "udp either-port = 53", "exit",
		"rulebase b", "action priority 2 ruledef r charging-action c",
		"no action priority 2", "exit", "ruledef gone", "exit", "no ruledef gone", "end", NULL};
	static const char *const back[] = {"no require session recovery", "exit", NULL};
	struct chassis_config *c = base(), *next = after(c, text), *last;
	char *p = printed(next);

	CU_ASSERT_EQUAL(next->sessmgrs, 4);
	CU_ASSERT(next->session_recovery && !c->session_recovery);
	CU_ASSERT_EQUAL(next->reserve_flows, 20);
	CU_ASSERT_EQUAL(next->iface[0].naddr, 1);
	CU_ASSERT_EQUAL(next->srp.dead_ms, 60000);
	CU_ASSERT_PTR_NOT_NULL(strstr(p, "udp either-port = 53"));
	CU_ASSERT(strncmp(p, "configure\n  license key-file \"/k\"\n  require session recovery\n", 60) == 0);
	free(p);
	last = after(next, back);
	CU_ASSERT(!last->session_recovery);
	chassis_config_free(c);
	chassis_config_free(next);
	chassis_config_free(last);
}

/* A line that is refused says why and changes nothing, not even the mode. */
static void test_refused(void)
{
	static const struct {
		const char *before, *line, *why;
	} bad[] = {
		{"", "frobnicate", "at 'frobnicate': expected system"},
		{"", "license", "at end of line: expected key-file"},
		{"", "license key-file keys", "at 'keys': expected a path that begins with /"},
		{"", "active-charging service other", "at 'other': expected s: there is one service only"},
		{"context x", "require session recovery", "at 'require': expected interface"},
		{"context x", "interface e loopback now", "at 'now': expected"},
		{"context x", "no ip pool p", "at 'p': expected the name of a pool"},
		{"require session recovery", "license key-file /none", "at '/none': expected a key for Session Recovery"},
		{"require session recovery", "no license key-file", "at 'key-file': expected a key for Session Recovery"},
		{"no license key-file", "require session recovery", "at 'recovery': expected a feature key"},
		{"", "context \"x", "at '\"x': expected a closing quotation mark"},
	};
	struct chassis_config *c = base();
	char why[WHY];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const one[] = {bad[i].before, NULL}, *const end[] = {bad[i].before, "end", NULL};
		struct chassis_config *x = after(c, end), *y;
		struct chassis_config_edit *e = edit(c);
		const char *context, *mode;
		char *a, *b;

		lines(e, one);
		mode = chassis_config_edit_mode(e, &context);
		CU_ASSERT_EQUAL(line(e, bad[i].line, why), SRP_EINVAL);
		if (strncmp(why, bad[i].why, strlen(bad[i].why)) != 0)
			printf("\n%s: %s\n", bad[i].line, why);
		CU_ASSERT_EQUAL(strncmp(why, bad[i].why, strlen(bad[i].why)), 0);
		CU_ASSERT(mode_is(e, context, mode));
		CU_ASSERT_EQUAL(line(e, "end", why), 0);
		y = chassis_config_edit_end(e, why, sizeof(why));
		CU_ASSERT_PTR_NOT_NULL_FATAL(y);
		a = printed(x);
		b = printed(y);
		CU_ASSERT_STRING_EQUAL(a, b);
		free(a);
		free(b);
		chassis_config_edit_free(e);
		chassis_config_free(x);
		chassis_config_free(y);
	}
	chassis_config_free(c);
}

/* A block that is not whole is not left by `exit`; `end` leaves it and is refused. */
static void test_whole_blocks(void)
{
	static const char *const in[] = {"context x", "service-redundancy-protocol", "hello-interval 11", NULL};
	static const char *const well[] = {"dead-interval 33", "exit", "end", NULL};
	struct chassis_config *c = base(), *next;
	struct chassis_config_edit *e = edit(c);
	char why[WHY];

	lines(e, in);
	CU_ASSERT_EQUAL(line(e, "exit", why), SRP_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "at 'dead-interval': expected at least 3 times"));
	CU_ASSERT(mode_is(e, "x", "config-srp"));
	lines(e, well);
	next = chassis_config_edit_end(e, why, sizeof(why));
	CU_ASSERT_PTR_NOT_NULL_FATAL(next);
	CU_ASSERT_EQUAL(next->srp.hello_ms, 11000);
	chassis_config_edit_free(e);
	chassis_config_free(next);
	e = edit(c);
	lines(e, in);
	CU_ASSERT_EQUAL(line(e, "end", why), SRP_EINVAL);
	CU_ASSERT(chassis_config_edit_left(e));
	CU_ASSERT_PTR_NULL(chassis_config_edit_end(e, why, sizeof(why)));
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "at 'dead-interval'"));
	chassis_config_edit_free(e);
	chassis_config_free(c);
}

/* What only the whole configuration tells. */
static void test_whole(void)
{
	static const char *const in[] = {"context x", "ip pool p 10.9.0.0/24 first-packet apn later", "end", NULL};
	static const char *const well[] = {"context x", "ip pool p 10.9.0.0/24 first-packet apn later",
	                                   "apn later", "end", NULL};
	struct chassis_config *c = base(), *next;
	struct chassis_config_edit *e = edit(c);
	char why[WHY];

	lines(e, in);
	CU_ASSERT_PTR_NULL(chassis_config_edit_end(e, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(why, "at 'later': expected the name of a configured APN");
	chassis_config_edit_free(e);
	next = after(c, well);
	CU_ASSERT_EQUAL(next->npool, 1);
	chassis_config_free(next);
	chassis_config_free(c);
}

/* What ran already goes on: a key that ends while the chassis runs does not lock its operators out. */
static void test_expired(void)
{
	static const char *const text[] = {"task facility sessmgr max 3", "end", NULL};
	static const char *const off[] = {"no require session recovery", "end", NULL};
	static const char *const on[] = {"require session recovery", "end", NULL};
	struct chassis_config *c = base(), *with = after(c, on), *next, *without;
	struct chassis_config_edit *e;
	char why[WHY];

	with->license.expires[CHASSIS_LICENSE_SESSION_RECOVERY] = 20010101;
	next = after(with, text);
	CU_ASSERT_EQUAL(next->sessmgrs, 3);
	CU_ASSERT(next->session_recovery);
	CU_ASSERT_EQUAL(next->license.expires[CHASSIS_LICENSE_SESSION_RECOVERY], 20010101);
	without = after(next, off);
	CU_ASSERT(!without->session_recovery);
	e = edit(without);
	CU_ASSERT_EQUAL(line(e, "require session recovery", why), SRP_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "its key has expired"));
	chassis_config_edit_free(e);
	chassis_config_free(c);
	chassis_config_free(with);
	chassis_config_free(next);
	chassis_config_free(without);
}

static void count(void *arg, const char *word, bool keyword, const char *help)
{
	(void)help;
	if (strcmp(word, "session") == 0 && keyword)
		(*(unsigned *)arg) += 100;
	(*(unsigned *)arg)++;
}

static void test_help(void)
{
	struct chassis_config *c = base();
	struct chassis_config_edit *e = edit(c);
	unsigned n = 0;
	char why[WHY];

	CU_ASSERT_EQUAL(chassis_config_edit_help(e, "require ", 8, count, &n, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(n, 102); /* active-charging and session */
	n = 0;
	CU_ASSERT_EQUAL(chassis_config_edit_help(e, "require ses", 11, count, &n, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(n, 101);
	n = 0;
	CU_ASSERT_EQUAL(chassis_config_edit_help(e, "", 0, count, &n, why, sizeof(why)), 0);
	CU_ASSERT(n > 8 && n < 100);
	CU_ASSERT_EQUAL(chassis_config_edit_help(e, "nothing such ", 13, count, &n, why, sizeof(why)), SRP_EINVAL);
	chassis_config_edit_free(e);
	chassis_config_free(c);
}

/* A line of a database reads the file that the shell has opened; entered again it reads it again. */
static void databases(void)
{
	static const char words[] = "url-blacklisting database /etc/list";
	struct chassis_config *c = base(), *next;
	struct chassis_config_edit *e = edit(c);
	char why[WHY] = "";
	int fd = memfd_create("list", MFD_CLOEXEC), pipes[2];

	CU_ASSERT_EQUAL(pwrite(fd, "a.test\nb.test x\n", 16, 0), 16);
	CU_ASSERT_EQUAL(line(e, "active-charging service s", why), 0);
	chassis_config_edit_file(e, -1);
	CU_ASSERT_EQUAL(line(e, words, why), SRP_EINVAL);
	chassis_config_edit_file(e, fd);
	CU_ASSERT_EQUAL(line(e, words, why), SRP_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "line 2: "));
	CU_ASSERT_EQUAL(pipe(pipes), 0);
	chassis_config_edit_file(e, pipes[0]); /* who reads it could be held up */
	CU_ASSERT_EQUAL(line(e, words, why), SRP_EINVAL);
	CU_ASSERT_EQUAL(ftruncate(fd, 7), 0);
	chassis_config_edit_file(e, fd);
	CU_ASSERT_EQUAL(line(e, words, why), 0);
	next = chassis_config_edit_end(e, why, sizeof(why));
	chassis_config_edit_free(e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(next);
	CU_ASSERT_EQUAL(ecs_db_entries(ecs_service_db(next->service, ECS_DB_BLACKLIST)), 1);
	/* an edit of another line keeps it, another file does not */
	e = edit(next);
	chassis_config_free(c);
	CU_ASSERT_EQUAL(line(e, "active-charging service s", why), 0);
	CU_ASSERT_EQUAL(line(e, "charging-action d", why), 0);
	CU_ASSERT_EQUAL(line(e, "exit", why), 0);
	c = chassis_config_edit_end(e, why, sizeof(why));
	chassis_config_edit_free(e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_TRUE(ecs_service_db_same(c->service, next->service));
	e = edit(c);
	CU_ASSERT_EQUAL(line(e, "active-charging service s", why), 0);
	CU_ASSERT_EQUAL(line(e, "no url-blacklisting database", why), 0);
	chassis_config_free(next);
	next = chassis_config_edit_end(e, why, sizeof(why));
	chassis_config_edit_free(e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(next);
	CU_ASSERT_PTR_NULL(ecs_service_db(next->service, ECS_DB_BLACKLIST));
	chassis_config_free(c);
	chassis_config_free(next);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

CU_TestInfo chassis_config_edit_tests[] = {
	{"files of databases", databases},
	{"nothing entered", test_nothing},
	{"modes", test_modes},
	{"changes", test_changes},
	{"lines that are refused", test_refused},
	{"blocks that are not whole", test_whole_blocks},
	{"what the whole configuration tells", test_whole},
	{"a key that expired", test_expired},
	{"help", test_help},
	CU_TEST_INFO_NULL,
};

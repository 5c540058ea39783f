/* Sealed memory of what runs, what of a new configuration acts at once, and what is kept of the old one. */
#include "config.h"
#include "suites.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "chassis/task/background.h"
#include "chassis/task/sessmgr.h"
#include "running_kit.h"
#include "srp/err.h"

/* --- the memory ----------------------------------------------------------------------------- */

static void written_and_read(void)
{
	struct chassis_config *c = parse(HEAD SERVICE("1", "10"));
	struct chassis_running_file f = {{0}, NULL};
	char why[200] = "", *a, *b;
	int fd = sealed(c, 3, 0);

	c->license.key[0] = true;
	CU_ASSERT_EQUAL(ftruncate(fd, 1), -1);
	CU_ASSERT_EQUAL(pwrite(fd, "x", 1, 0), -1);
	CU_ASSERT_EQUAL_FATAL(chassis_running_read(fd, &f, why, sizeof(why)), 0);
	CU_ASSERT(f.is.version == 3 && f.is.wall_ms == 5);
	CU_ASSERT_EQUAL(f.is.digest, chassis_config_digest(c));
	a = print(c, NULL);
	b = print(f.config, NULL);
	CU_ASSERT_STRING_EQUAL(a, b);
	free(a);
	free(b);
	chassis_config_free(f.config);
	chassis_config_free(c);
	close(fd);
}

/* Databases go with it: what was read, and that nothing was. */
static void databases(void)
{
	static const char urls[] = "a.test x\nb.test/p y\n";
	struct chassis_config *c = parse(HEAD SERVICE("1", "10"));
	struct chassis_running_file f = {{0}, NULL};
	char why[200] = "";
	int fd;

	ecs_service_db_set(c->service, ECS_DB_CATEGORIES,
	                   ecs_db_parse(ECS_DB_CATEGORIES, urls, strlen(urls), NULL, NULL));
	ecs_service_db_set(c->service, ECS_DB_OS, ecs_db_parse(ECS_DB_OS, "", 0, NULL, NULL));
	fd = sealed(c, 3, 0);
	CU_ASSERT_EQUAL_FATAL(chassis_running_read(fd, &f, why, sizeof(why)), 0);
	CU_ASSERT_TRUE(ecs_service_db_same(c->service, f.config->service));
	CU_ASSERT_EQUAL(ecs_db_entries(ecs_service_db(f.config->service, ECS_DB_CATEGORIES)), 2);
	CU_ASSERT_PTR_NULL(ecs_service_db(f.config->service, ECS_DB_BLACKLIST));
	CU_ASSERT_PTR_NOT_NULL(ecs_service_db(f.config->service, ECS_DB_OS));
	ecs_service_db_set(f.config->service, ECS_DB_CATEGORIES, NULL);
	CU_ASSERT_FALSE(ecs_service_db_same(c->service, f.config->service));
	chassis_config_free(f.config);
	chassis_config_free(c);
	close(fd);
}

static int reads(const uint8_t *p, size_t n)
{
	struct chassis_running_file f = {{0}, NULL};
	char why[200] = "";
	int rc = chassis_running_parse(p, n, &f, why, sizeof(why));

	CU_ASSERT_EQUAL(rc < 0, why[0] != '\0');
	CU_ASSERT_EQUAL(rc < 0, f.config == NULL);
	chassis_config_free(f.config);
	return rc;
}

static void damaged_memory(void)
{
	struct chassis_config *c = parse(HEAD SERVICE("1", "10"));
	int fd = sealed(c, 2, 0);
	struct stat st;
	uint8_t *p;
	ssize_t n;

	CU_ASSERT_EQUAL_FATAL(fstat(fd, &st), 0);
	p = malloc((size_t)st.st_size + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	n = pread(fd, p, (size_t)st.st_size, 0);
	CU_ASSERT_EQUAL_FATAL(n, st.st_size);
	CU_ASSERT_EQUAL(reads(p, (size_t)n), 0);
	for (size_t cut = 0; cut < (size_t)n; cut += cut % 4096 < 200 ? 1 : 61) {
		uint8_t *q = malloc(cut ? cut : 1);

		CU_ASSERT_PTR_NOT_NULL_FATAL(q);
		memcpy(q, p, cut);
		CU_ASSERT(reads(q, cut) < 0);
		free(q);
	}
	CU_ASSERT(reads(p, (size_t)n + 1) < 0);
	for (size_t at = 0; at < (size_t)n; at++) {
		bool filled = at >= 152 && at < 4096; /* behind the head: nobody looks at it */
		bool gap = at > 4096 && p[at] == 0;   /* behind the text, or in a set */

		if (filled || gap || (at > 8192 && at % 7))
			continue;
		p[at] ^= 1;
		CU_ASSERT(reads(p, (size_t)n) < 0);
		p[at] ^= 1;
	}
	free(p);
	chassis_config_free(c);
	close(fd);
}

static void refused_memory(void)
{
	struct chassis_config *c = parse(HEAD SERVICE("1", "10"));
	const struct chassis_running r = {.version = 1, .digest = 1}, zero = {.digest = 1};
	struct chassis_running_file f;
	char why[200];
	int fd;

	fd = sealed(c, 2, 77);
	CU_ASSERT_EQUAL(chassis_running_read(fd, &f, why, sizeof(why)), SRP_EMISMATCH);
	CU_ASSERT(strstr(why, "digest") != NULL);
	close(fd);
	fd = chassis_running_write(&zero, "configure\nend\n", 14, NULL, &c->license);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(chassis_running_read(fd, &f, why, sizeof(why)), SRP_EFORMAT);
	close(fd);
	fd = chassis_running_write(&r, "configure\nwhat\nend\n", 19, NULL, &c->license);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(chassis_running_read(fd, &f, why, sizeof(why)), SRP_EFORMAT);
	CU_ASSERT(strstr(why, "what") != NULL);
	close(fd);
	CU_ASSERT_EQUAL(chassis_running_write(&r, "", 0, NULL, &c->license), SRP_ERANGE);
	CU_ASSERT_EQUAL(chassis_running_read(-1, &f, why, sizeof(why)), SRP_EFORMAT);
	fd = memfd_create("t", MFD_ALLOW_SEALING | MFD_CLOEXEC); /* could be cut under the reader */
	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, 8192) == 0);
	CU_ASSERT_EQUAL(chassis_running_read(fd, &f, why, sizeof(why)), SRP_EFORMAT);
	CU_ASSERT(strstr(why, "sealed") != NULL);
	close(fd);
	chassis_config_free(c);
}

static void what_acts_at_once(void)
{
	static const char was[] =
		"configure\n  system hostname one\n  context local\n    apn internet\n"
		"      active-charging rulebase rb\n    #exit\n"
		"    ip pool p 10.0.0.0/16 first-packet apn internet\n"
		"    edr-module active-charging-service\n      file directory /one\n      file rotation time 7\n"
		"    #exit\n"
		"    service-redundancy-protocol\n      port 5000\n      control-pending timeout 60\n"
		"    #exit\n  #exit\n" SERVICE("1", "10");
	static const char entered[] =
		"configure\n  system hostname two\n  context local\n    apn other\n"
		"      active-charging rulebase rb\n    #exit\n"
		"    edr-module active-charging-service\n      file directory /two\n      file rotation num-records 9\n"
		"    #exit\n    udr-module active-charging-service\n      file directory /two\n    #exit\n"
		"    service-redundancy-protocol\n      port 6000\n      control-pending timeout 90\n"
		"      checkpoint rate-limit 7 burst 9\n    #exit\n  #exit\n" SERVICE("2", "20");
	struct chassis_config *a = parse(was), *b = parse(entered);
	char *text = print(a, b), *same = print(a, a), *own = print(a, NULL);

	for (size_t i = 0; i < 11; i++) {
		static const char *const there[] = {
			"hostname one", "port 5000", "timeout 90", "rate-limit 7 burst 9", "content-id 2",
			"per-call 20", "apn other", "apn internet\n", "ip pool p 10.0.0.0/16",
			"/one", "file rotation num-records 9"};

		CU_ASSERT(strstr(text, there[i]) != NULL);
	}
	CU_ASSERT(!strstr(text, "two") && !strstr(text, "port 6000") && !strstr(text, "content-id 1\n"));
	CU_ASSERT(!strstr(text, "rotation time 7") && !strstr(text, "/two"));
	CU_ASSERT_STRING_EQUAL(same, own);
	CU_ASSERT_EQUAL(chassis_config_digest_running(a, a), chassis_config_digest(a));
	free(text);
	free(same);
	free(own);
	chassis_config_free(a);
	chassis_config_free(b);
}

/* --- counters of a slab --------------------------------------------------------------------- */

static void counters_by_name(void)
{
	static struct chassis_slab slab;
	struct ecs_service *a = ecs_service_new("a"), *b = ecs_service_new("b");
	struct ecs_err e;

	CU_ASSERT_FATAL(a != NULL && b != NULL);
	memset(&slab, 0, sizeof(slab));
	(void)ecs_service_ruledef(a, "one", false, &e);
	(void)ecs_service_ruledef(a, "two", false, &e);
	(void)ecs_service_ruledef(b, "new", false, &e);
	(void)ecs_service_ruledef(b, "two", false, &e);
	(void)ecs_service_ruledef(b, "last", false, &e);
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(a, &e), 0);
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(b, &e), 0);
	sessmgr_rules_align(&slab, a); /* the first of all: nothing to move */
	slab.rule[0].hits = 1;
	slab.rule[1].hits = 2;
	slab.rule[2].hits = 3; /* (no rule) */
	sessmgr_rules_align(&slab, a);
	CU_ASSERT(slab.rule[0].hits == 1 && slab.rule[1].hits == 2 && slab.rule[2].hits == 3);
	sessmgr_rules_align(&slab, b);
	CU_ASSERT(slab.rule[0].hits == 0 && slab.rule[1].hits == 2 && slab.rule[2].hits == 0 &&
		  slab.rule[3].hits == 3);
	sessmgr_rules_align(&slab, a);
	CU_ASSERT(slab.rule[0].hits == 0 && slab.rule[1].hits == 2 && slab.rule[2].hits == 3 &&
		  slab.rule[3].hits == 0);
	ecs_service_free(a);
	ecs_service_free(b);
}

/* --- work beside a loop --------------------------------------------------------------------- */

static struct {
	pthread_t by;
	int done;
	struct ev_loop *loop;
} job;

static void work(void *arg)
{
	(void)arg;
	job.by = pthread_self();
}

static void worked(void *arg)
{
	(void)arg;
	job.done++;
	ev_break(job.loop, EVBREAK_ALL);
}

static void in_background(void)
{
	struct chassis_background b;

	memset(&b, 0, sizeof(b));
	job.done = 0;
	job.loop = ev_loop_new(0);
	for (int i = 1; i <= 3; i++) {
		CU_ASSERT_EQUAL(chassis_background_start(&b, job.loop, work, worked, NULL), 0);
		CU_ASSERT_EQUAL(chassis_background_start(&b, job.loop, work, worked, NULL), SRP_EBUSY);
		ev_run(job.loop, 0);
		CU_ASSERT_EQUAL(job.done, i);
		CU_ASSERT(!pthread_equal(job.by, pthread_self()));
	}
	ev_loop_destroy(job.loop);
}

CU_TestInfo chassis_running_tests[] = {
	{"what runs is written and read", written_and_read},
	{"databases go with it", databases},
	{"damaged memory is refused", damaged_memory},
	{"memory that cannot be right is refused", refused_memory},
	{"what acts at once, and what waits", what_acts_at_once},
	{"per-rule counters follow their names", counters_by_name},
	{"work beside a loop", in_background},
	CU_TEST_INFO_NULL,
};

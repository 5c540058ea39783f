/* What runs: sealed memory of it, and its change over all tasks. */
#include "config.h"
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chassis/task/background.h"
#include "chassis/task/base.h"
#include "chassis/task/sessmgr.h"
#include "chassis/task/supervisor_impl.h"
#include "srp/err.h"

#define HEAD                                                                                 \
	"configure\n  context local\n    apn internet\n      active-charging rulebase rb\n"    \
	"    #exit\n    ip pool p 10.0.0.0/16 first-packet apn internet\n  #exit\n"
#define SERVICE(content, chkpt)                                                              \
	"  active-charging service ecs\n    system-limit flow-chkpt-per-call " chkpt "\n"      \
	"    ruledef page\n      http url regex /p[0-9]+x\n    #exit\n"                        \
	"    charging-action c\n      content-id " content "\n    #exit\n"                      \
	"    rulebase rb\n      action priority 1 ruledef page charging-action c\n    #exit\n"  \
	"  #exit\nend\n"

static struct chassis_config *parse(const char *text)
{
	struct chassis_config *c = chassis_config_parse_with(
		text, strlen(text), "t", chassis_license_assume, NULL, NULL, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	return c;
}

static char *print(const struct chassis_config *running, const struct chassis_config *next)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	if (next)
		chassis_config_print_running(running, next, out);
	else
		chassis_config_print(running, out);
	fclose(out);
	return text;
}

/* Sealed memory in which @p next runs, as version @p version; @p digest 0: the right one. */
static int sealed(const struct chassis_config *next, uint64_t version, uint64_t digest)
{
	const struct chassis_running r = {version, digest ? digest : chassis_config_digest(next), 5};
	char *text = print(next, NULL);
	int fd = chassis_running_write(&r, text, strlen(text), next->service, &next->license);

	free(text);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

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
		"    service-redundancy-protocol\n      port 5000\n      control-pending timeout 60\n"
		"    #exit\n  #exit\n" SERVICE("1", "10");
	static const char entered[] =
		"configure\n  system hostname two\n  context local\n    apn other\n"
		"      active-charging rulebase rb\n    #exit\n"
		"    service-redundancy-protocol\n      port 6000\n      control-pending timeout 90\n"
		"      checkpoint rate-limit 7 burst 9\n    #exit\n  #exit\n" SERVICE("2", "20");
	struct chassis_config *a = parse(was), *b = parse(entered);
	char *text = print(a, b), *same = print(a, a), *own = print(a, NULL);

	for (size_t i = 0; i < 9; i++) {
		static const char *const there[] = {
			"hostname one", "port 5000", "timeout 90", "rate-limit 7 burst 9", "content-id 2",
			"per-call 20", "apn other", "apn internet\n", "ip pool p 10.0.0.0/16"};

		CU_ASSERT(strstr(text, there[i]) != NULL);
	}
	CU_ASSERT(!strstr(text, "two") && !strstr(text, "port 6000") && !strstr(text, "content-id 1\n"));
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

/* --- over all tasks ------------------------------------------------------------------------- */

#define S1     7 /* sessmgr:1 */
#define S2     9
#define SLOTS  11
#define HANG_S 60.

struct notes {
	_Atomic uint64_t runs[SLOTS];     /* version by which a task runs */
	_Atomic uint64_t content[SLOTS];  /* of its configuration */
	_Atomic int prepared[SLOTS], forgotten[SLOTS];
	_Atomic int refuses;              /* slot that refuses */
	_Atomic int answers, status;      /* to sct */
	char text[300];
};

static struct notes *notes;
static struct chassis_shared shared;
static struct ev_loop *loop;
static struct chassis_supervisor *sup;
static struct chassis_config *first, *second;
static bool is_ready, hung;

static size_t slot_of(const struct chassis_task_ctx *ctx)
{
	return chassis_slot(ctx->row->task, ctx->instance);
}

static void note(struct chassis_task_ctx *ctx)
{
	const struct ecs_charging_action *a = ecs_service_action(ctx->shared->config->service, 0);

	notes->content[slot_of(ctx)] = a ? a->content_id : 0;
	notes->runs[slot_of(ctx)] = ctx->shared->running.version;
}

static int t_start(struct chassis_task_ctx *ctx)
{
	note(ctx);
	return SRP_OK;
}

static void t_stop(struct chassis_task_ctx *ctx)
{
	chassis_task_exit(ctx, EXIT_SUCCESS);
}

static int t_prepare(struct chassis_task_ctx *ctx, const struct chassis_config *next)
{
	if (!next)
		notes->forgotten[slot_of(ctx)]++;
	else if (notes->refuses == (int)slot_of(ctx))
		return SRP_ENOMEM;
	else
		notes->prepared[slot_of(ctx)]++;
	return SRP_OK;
}

static int t_rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
                const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);

	(void)ctx;
	(void)instance;
	if (fd >= 0)
		close(fd);
	if (h->type != CHASSIS_IPC_CONFIG_DONE || from != CHASSIS_TASK_SUPERVISOR)
		return SRP_ETYPE;
	(void)srp_mp_array(&r, 3);
	(void)srp_mp_uint(&r, UINT64_MAX);
	notes->status = (int)srp_mp_int(&r);
	srp_mp_str(&r, notes->text, sizeof(notes->text));
	notes->answers++;
	return r.err;
}

#define ROW(sym, nm, use)                                                                    \
	{.task = CHASSIS_TASK_##sym, .name = nm, .start = t_start, .stop = t_stop, .rx = t_rx, \
	 .config_use = CHASSIS_CONFIG_##use, .prepare = t_prepare, .reconfigured = note,        \
	 .peers = {CHASSIS_TASK_SUPERVISOR}}
static const struct chassis_task_row r_sct = ROW(SCT, "sct", WHOLE), r_vpn = ROW(VPNMGR, "vpnmgr", DIGEST),
	r_demux = ROW(DEMUXMGR, "demuxmgr", WHOLE), r_sess = ROW(SESSMGR, "sessmgr", WHOLE);
static const struct chassis_task_row *const rows[CHASSIS_TASK__N] = {
	[CHASSIS_TASK_SCT] = &r_sct, [CHASSIS_TASK_VPNMGR] = &r_vpn,
	[CHASSIS_TASK_DEMUXMGR] = &r_demux, [CHASSIS_TASK_SESSMGR] = &r_sess};

static void on_ready(void *arg)
{
	(void)arg;
	is_ready = true;
}

static void on_hang(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l, (void)w, (void)revents;
	hung = true;
}

static void on_step(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l, (void)w, (void)revents;
}

static bool until(bool (*done)(void))
{
	ev_timer hang, step;

	hung = false;
	ev_timer_init(&hang, on_hang, HANG_S, 0.);
	ev_timer_init(&step, on_step, 0.005, 0.005);
	ev_timer_start(loop, &hang);
	ev_timer_start(loop, &step);
	while (!done() && !hung)
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &hang);
	ev_timer_stop(loop, &step);
	return !hung;
}

static bool ready(void) { return is_ready; }
static bool answered(void) { return notes->answers > 0; }
static bool none_left(void) { return TAILQ_EMPTY(&sup->children); }

static bool all_run(uint64_t version)
{
	return notes->runs[2] == version && notes->runs[3] == version &&
	       notes->runs[S1] == version && notes->runs[S2] == version;
}

static bool run_second(void) { return all_run(2); }

static void begin(void)
{
	void *p = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_FATAL(p != MAP_FAILED);
	notes = p;
	is_ready = false;
	first = parse(HEAD SERVICE("1", "10"));
	second = parse(HEAD SERVICE("2", "10"));
	first->severity = 0;
	chassis_log_init("stderr", 0, "test", 0);
	sup_shared_init(&shared, first);
	CU_ASSERT_EQUAL(shared.running.version, 1);
	CU_ASSERT_EQUAL(shared.running.digest, chassis_config_digest(first));
	CU_ASSERT_EQUAL_FATAL(sup_slabs_open(&shared), 0);
	loop = ev_loop_new(0);
	sup = chassis_supervisor_new(loop, &shared, rows);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sup);
	sup->on_ready = on_ready;
	CU_ASSERT_EQUAL_FATAL(chassis_supervisor_start(sup), 0);
	CU_ASSERT_FATAL(until(ready));
}

static void end(void)
{
	chassis_supervisor_stop(sup);
	CU_ASSERT(until(none_left));
	chassis_supervisor_free(sup);
	ev_loop_destroy(loop);
	if (shared.running_fd >= 0)
		close(shared.running_fd);
	sup_slabs_close(&shared);
	chassis_config_free(first);
	chassis_config_free(second);
	munmap(notes, sizeof(*notes));
}

/* What sct would send: [version, ...] with @p fd (taken). */
static int offer(uint64_t version, int fd)
{
	const struct chassis_running r = {version, chassis_config_digest(second), 5};
	uint8_t buf[64];
	struct srp_mp_w w = chassis_running_put(0, &r, buf, sizeof(buf));
	const struct srp_frame_hdr h = {.type = CHASSIS_IPC_CONFIG_NEW,
	                                .len = (uint32_t)srp_mp_w_len(&w)};

	notes->answers = 0;
	return sup_config_new(sup->slot[1].live, &h, buf, fd);
}

static void all_or_none(void)
{
	begin();
	/* one refuses: all forget it */
	notes->refuses = S2;
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	CU_ASSERT_EQUAL(sup->commit.is.version, 2);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status < 0);
	CU_ASSERT(strstr(notes->text, "sessmgr:2 refuses") != NULL);
	CU_ASSERT(shared.running.version == 1 && shared.running_fd < 0);
	/* the same again, and nobody refuses */
	notes->refuses = 0;
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT_EQUAL(notes->status, 0);
	CU_ASSERT(until(run_second));
	CU_ASSERT(shared.running.version == 2 && shared.running_fd >= 0);
	CU_ASSERT(notes->content[3] == 2 && notes->content[S1] == 2 && notes->content[S2] == 2);
	CU_ASSERT_EQUAL(notes->content[2], 1); /* it needs the digest only */
	CU_ASSERT_EQUAL(notes->content[1], 1); /* sct has built it itself */
	CU_ASSERT(notes->prepared[S1] >= 1 && notes->prepared[1] == 0 && notes->prepared[2] == 0);
	for (size_t i = 1; i < SLOTS; i++)
		CU_ASSERT(shared.slab[i]->starts <= 1);
	end();
}

static void offers_refused(void)
{
	int fd;

	begin();
	fd = memfd_create("t", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	CU_ASSERT_EQUAL(offer(2, fd), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status == SRP_EFORMAT);
	for (uint64_t version = 1; version <= 3; version += 2) { /* 2 is next */
		CU_ASSERT_EQUAL(offer(version, sealed(second, version, 0)), 0);
		CU_ASSERT(until(answered));
		CU_ASSERT_EQUAL(notes->status, SRP_ESTALE);
	}
	CU_ASSERT_EQUAL(offer(2, -1), SRP_EFORMAT);
	/* what is in the memory is not what was said: every task refuses it */
	CU_ASSERT_EQUAL(offer(2, sealed(second, 9, 0)), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status < 0);
	CU_ASSERT(strstr(notes->text, "another version") != NULL);
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 99)), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status < 0);
	CU_ASSERT(strstr(notes->text, "digest") != NULL);
	CU_ASSERT(all_run(1));
	end();
}

static void no_answer(void)
{
	const struct chassis_running r = {2, 3, 4};
	struct chassis_running out;
	uint64_t n = 7;
	uint8_t buf[64];
	struct srp_mp_w w = chassis_running_put(0, &r, buf, sizeof(buf));

	for (size_t cut = 0; cut < srp_mp_w_len(&w); cut++)
		CU_ASSERT(chassis_running_get(buf, cut, &n, &out) < 0);
	CU_ASSERT_EQUAL(chassis_running_get(buf, srp_mp_w_len(&w), &n, &out), 0);
	CU_ASSERT(n == 0 && out.version == 2 && out.digest == 3 && out.wall_ms == 4);
	begin();
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	sup_commit_advance(sup, (struct srp_time){sup->commit.deadline.us - 1});
	CU_ASSERT_EQUAL(sup->commit.is.version, 2);
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0); /* one at a time */
	CU_ASSERT_EQUAL(sup->commit.is.version, 2);
	sup_commit_advance(sup, sup->commit.deadline);
	CU_ASSERT_EQUAL(sup->commit.attempt, 0);
	CU_ASSERT(until(answered));
	CU_ASSERT(notes->status < 0);
	/* who was asked answers late, or was told before: the next one is not disturbed */
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	notes->answers = 0;
	CU_ASSERT(until(run_second));
	CU_ASSERT(until(answered));
	end();
}

/* Dies while it prepares: its successor is asked, too; and dies after it: the successor begins with it. */
static void deaths(void)
{
	begin();
	CU_ASSERT_EQUAL(kill(sup->slot[S1].live->pid, SIGSTOP), 0);
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	CU_ASSERT_EQUAL(kill(sup->slot[S1].live->pid, SIGKILL), 0);
	CU_ASSERT(until(answered));
	CU_ASSERT_EQUAL(notes->status, 0);
	CU_ASSERT(until(run_second));
	CU_ASSERT_EQUAL(shared.slab[S1]->starts, 2);
	CU_ASSERT_EQUAL(notes->runs[1], 1); /* it had offered it */
	notes->runs[S2] = notes->content[S2] = notes->runs[2] = 0;
	CU_ASSERT_EQUAL(kill(sup->slot[S2].live->pid, SIGKILL), 0);
	CU_ASSERT_EQUAL(kill(sup->slot[2].live->pid, SIGKILL), 0);
	CU_ASSERT(until(run_second));
	CU_ASSERT_EQUAL(notes->content[S2], 2);
	end();
}

static bool run_by_sct(void) { return run_second() && notes->runs[1] == 2; }

/* The sct that has offered it dies: the next one takes part, whenever it was born. */
static void death_of_sct(void)
{
	begin();
	CU_ASSERT_EQUAL(kill(sup->slot[S1].live->pid, SIGSTOP), 0);
	CU_ASSERT_EQUAL(offer(2, sealed(second, 2, 0)), 0);
	notes->runs[1] = 0;
	CU_ASSERT_EQUAL(kill(sup->slot[1].live->pid, SIGKILL), 0);
	CU_ASSERT(until(run_by_sct)); /* the one that stands still is killed, and replaced */
	CU_ASSERT_EQUAL(notes->content[1], 2);
	CU_ASSERT_EQUAL(shared.slab[1]->starts, 2);
	end();
}

CU_TestInfo chassis_commit_tests[] = {
	{"what runs is written and read", written_and_read},
	{"databases go with it", databases},
	{"damaged memory is refused", damaged_memory},
	{"memory that cannot be right is refused", refused_memory},
	{"what acts at once, and what waits", what_acts_at_once},
	{"per-rule counters follow their names", counters_by_name},
	{"work beside a loop", in_background},
	{"all tasks or none", all_or_none},
	{"offers that are refused", offers_refused},
	{"a task that does not answer", no_answer},
	{"deaths on the way", deaths},
	{"death of who offered it", death_of_sct},
	CU_TEST_INFO_NULL,
};

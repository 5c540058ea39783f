/* Records on their way: the queue of a session manager, and the files; deaths of the writer at every
 * step, a disk that is full, what another life has left. */
#include "config.h"
#include "suites.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chassis/task/record_files.h"

#define KEYS_LEN (CHASSIS_RECORD_KEYS * 8u)
#define RING_LEN (KEYS_LEN + 16384u) /* some KiB of records */

static struct ecs_record record(const char *format, const char *line, uint32_t flow)
{
	return (struct ecs_record){.format = format, .header = "#a,b", .header_len = 4, .line = line,
	                           .line_len = strlen(line), .callid = 7, .flow_id = flow, .last = true};
}

static void *memory(size_t len)
{
	void *p = NULL;

	CU_ASSERT_EQUAL_FATAL(posix_memalign(&p, 64, len), 0);
	memset(p, 0, len);
	return p;
}

/* --- the queue ------------------------------------------------------------------------------ */

static void test_ring(void)
{
	void *mem = memory(RING_LEN);
	struct chassis_ring *w = chassis_ring_open(mem, RING_LEN), *r = chassis_ring_open(mem, RING_LEN);
	struct chassis_ring_record got;
	unsigned put = 0, taken = 0, refused = 0;
	char line[400];
	uint64_t at = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_PTR_NULL(chassis_ring_open(mem, KEYS_LEN));
	CU_ASSERT_EQUAL(chassis_ring_read(r, at, &got), 0);
	/* round and round, of all lengths; what is read is what was put in */
	for (unsigned round = 0; round < 4000; round++) {
		struct ecs_record rec;

		snprintf(line, sizeof(line), "%u,%*s", put, (int)(put % 300), "x");
		rec = record("f", line, put + 1);
		if (chassis_ring_put(w, &rec))
			put++;
		else
			refused++;
		if (round % 3 == 0)
			chassis_ring_release(w, chassis_ring_head(w));
		if (round % 7)
			continue;
		while (chassis_ring_read(r, at, &got) == 1) {
			snprintf(line, sizeof(line), "%u,%*s", taken, (int)(taken % 300), "x");
			CU_ASSERT_EQUAL(got.line_len, strlen(line));
			CU_ASSERT_EQUAL(memcmp(got.line, line, got.line_len), 0);
			at = got.next;
			taken++;
		}
		if (round % 210 == 0)
			chassis_ring_done(r, at);
	}
	CU_ASSERT(refused > 0); /* it was full now and then: refused, and nothing overwritten */
	CU_ASSERT(taken > 500);
	chassis_ring_release(w, chassis_ring_head(w));
	while (chassis_ring_read(r, at, &got) == 1) {
		at = got.next;
		taken++;
	}
	CU_ASSERT_EQUAL(taken, put);
	/* a successor finds what was ended; one key less than nobody's is not there */
	chassis_ring_close(w);
	w = chassis_ring_open(mem, RING_LEN);
	CU_ASSERT_FALSE(chassis_ring_has_key(w, 7, put));
	chassis_ring_keys_read(w);
	CU_ASSERT_TRUE(chassis_ring_has_key(w, 7, put));
	CU_ASSERT_TRUE(chassis_ring_has_key(w, 7, 1));
	CU_ASSERT_FALSE(chassis_ring_has_key(w, 7, put + 1));
	CU_ASSERT_FALSE(chassis_ring_has_key(w, 8, 1));
	chassis_ring_close(w);
	chassis_ring_close(r);
	free(mem);
}

/* The reader trusts no byte of it. */
static void test_ring_broken(void)
{
	void *mem = memory(RING_LEN), *copy = malloc(RING_LEN);
	struct chassis_ring *r = chassis_ring_open(mem, RING_LEN);
	struct chassis_ring_record got;
	struct ecs_record rec = record("f", "one,two", 1);
	unsigned bad = 0;

	for (int i = 0; i < 3; i++)
		CU_ASSERT_TRUE(chassis_ring_put(r, &rec));
	chassis_ring_release(r, chassis_ring_head(r));
	memcpy(copy, mem, RING_LEN);
	/* items, and the counts in front of the keys */
	for (size_t i = RING_LEN - 16384; i < RING_LEN - 16384 + 700; i++)
		for (unsigned v = 0; v < 256; v += 5) {
			uint64_t at = 0;
			int rc, steps = 0;

			((uint8_t *)mem)[i] = (uint8_t)v;
			do {
				rc = chassis_ring_read(r, at, &got);
				at = got.next;
				bad += rc < 0;
			} while (rc != 0 && steps++ < 10);
			CU_ASSERT(steps < 10);
			((uint8_t *)mem)[i] = ((uint8_t *)copy)[i];
		}
	CU_ASSERT(bad > 100);
	chassis_ring_close(r);
	/* a head that cannot be read is made anew */
	((uint8_t *)mem)[0] ^= 1;
	r = chassis_ring_open(mem, RING_LEN);
	CU_ASSERT_EQUAL(chassis_ring_head(r), 0);
	CU_ASSERT_EQUAL(chassis_ring_read(r, 0, &got), 0);
	chassis_ring_close(r);
	free(mem);
	free(copy);
}

/* What is withdrawn is passed by; what is in a file cannot be. */
static void test_ring_withdraw(void)
{
	void *mem = memory(RING_LEN);
	struct chassis_ring *r = chassis_ring_open(mem, RING_LEN);
	struct chassis_ring_record got;
	char line[2] = "0";
	struct ecs_record rec = record("f", line, 1);
	uint64_t at[8], next;

	for (unsigned round = 0; round < 300; round++) { /* over the end, too */
		for (unsigned i = 0; i < 8; i++) {
			line[0] = (char)('0' + i);
			at[i] = chassis_ring_head(r);
			CU_ASSERT_TRUE(chassis_ring_put(r, &rec));
			if (i == 4)
				chassis_ring_release(r, chassis_ring_head(r));
		}
		next = chassis_ring_tail(r);
		CU_ASSERT_EQUAL(chassis_ring_read(r, next, &got), 1);
		CU_ASSERT_EQUAL(got.line[0], '0');
		chassis_ring_done(r, got.next);
		CU_ASSERT_FALSE(chassis_ring_withdraw(r, at[0])); /* it is in a file */
		CU_ASSERT_TRUE(chassis_ring_withdraw(r, at[1]));
		CU_ASSERT_TRUE(chassis_ring_withdraw(r, at[2]));
		CU_ASSERT_TRUE(chassis_ring_withdraw(r, at[4]));
		CU_ASSERT_EQUAL(chassis_ring_read(r, chassis_ring_tail(r), &got), 1);
		CU_ASSERT_EQUAL(got.line[0], '3');
		next = got.next;
		CU_ASSERT_EQUAL(chassis_ring_read(r, next, &got), 0); /* 4 is not wanted, 5 is held */
		CU_ASSERT_TRUE(got.next > next);
		CU_ASSERT_EQUAL(chassis_ring_withdraw_held(r), 3);
		chassis_ring_release(r, chassis_ring_head(r));
		CU_ASSERT_EQUAL(chassis_ring_read(r, got.next, &got), 0);
		chassis_ring_done(r, got.next);
		CU_ASSERT_EQUAL(chassis_ring_tail(r), chassis_ring_head(r));
	}
	CU_ASSERT_FALSE(chassis_ring_withdraw(r, chassis_ring_head(r))); /* nothing is there */
	/* paused: nothing is to be read, and nothing is lost of it */
	CU_ASSERT_TRUE(chassis_ring_put(r, &rec));
	chassis_ring_release(r, chassis_ring_head(r));
	chassis_ring_pause(r, true);
	CU_ASSERT_EQUAL(chassis_ring_read(r, chassis_ring_tail(r), &got), 0);
	CU_ASSERT_EQUAL(got.next, chassis_ring_tail(r));
	chassis_ring_pause(r, false);
	CU_ASSERT_EQUAL(chassis_ring_read(r, chassis_ring_tail(r), &got), 1);
	chassis_ring_keys_read(r);
	CU_ASSERT_TRUE(chassis_ring_has_key(r, 7, 1));
	chassis_ring_keys_forget(r);
	CU_ASSERT_FALSE(chassis_ring_has_key(r, 7, 1));
	chassis_ring_close(r);
	free(mem);
}

/* --- files ---------------------------------------------------------------------------------- */

struct bed {
	char dir[64];
	int fd[2];
	void *mem, *journal;
	struct chassis_ring *ring[2];
	struct chassis_record_conf conf[2];
	struct chassis_files *f;
	uint32_t n; /* records put in */
};

static void open_writer(struct bed *b)
{
	b->f = chassis_files_open(b->conf, b->fd, b->journal, b->ring, 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->f);
}

static void begin(struct bed *b)
{
	*b = (struct bed){.dir = "/tmp/records.XXXXXX", .fd = {-1, -1}};
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(b->dir));
	b->fd[0] = open(b->dir, O_RDONLY | O_DIRECTORY);
	b->mem = memory(RING_LEN);
	b->journal = memory(CHASSIS_RECORD_JOURNAL_BYTES);
	b->ring[1] = chassis_ring_open(b->mem, RING_LEN);
	b->conf[0] = (struct chassis_record_conf){.present = true, .name = "c", .current = "curr",
	                                          .rotate_records = 1000, .rotate_s = 60,
	                                          .rotate_bytes = 100000, .headers = true};
	open_writer(b);
}

/* Calls fn with the path of each file; those that are being written only where @p open. */
static unsigned each(const struct bed *b, bool open, void (*fn)(void *arg, const char *path), void *arg)
{
	DIR *d = opendir(b->dir);
	const struct dirent *e;
	unsigned n = 0;
	char path[400];

	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || (strncmp(e->d_name, "curr_", 5) == 0) != open)
			continue;
		snprintf(path, sizeof(path), "%s/%s", b->dir, e->d_name);
		n++;
		if (fn)
			fn(arg, path);
	}
	closedir(d);
	return n;
}

static void remove_one(void *arg, const char *path)
{
	(void)arg;
	(void)unlink(path);
}

static void end(struct bed *b)
{
	chassis_files_close(b->f);
	chassis_ring_close(b->ring[1]);
	each(b, true, remove_one, NULL);
	each(b, false, remove_one, NULL);
	CU_ASSERT_EQUAL(rmdir(b->dir), 0);
	close(b->fd[0]);
	free(b->mem);
	free(b->journal);
}

static void put(struct bed *b, unsigned n)
{
	char line[64];

	while (n--) {
		struct ecs_record r;

		snprintf(line, sizeof(line), "%u,\x01", b->n);
		r = record("f", line, ++b->n);
		CU_ASSERT_TRUE(chassis_ring_put(b->ring[1], &r));
	}
	chassis_ring_release(b->ring[1], chassis_ring_head(b->ring[1]));
}

struct seen {
	unsigned times[4096], bad;
};

/* Each line is whole: its number, and where it stands in the file. */
static void read_one(void *arg, const char *path)
{
	struct seen *s = arg;
	FILE *f = fopen(path, "re");
	unsigned n, seq, want = 0;
	char line[256];

	s->bad += !f || !fgets(line, sizeof(line), f) || strcmp(line, "#a,b\n") != 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u,%u\n", &n, &seq) == 2 && n < 4096 && seq == ++want &&
		    line[strlen(line) - 1] == '\n')
			s->times[n]++;
		else
			s->bad++;
	}
	if (f)
		fclose(f);
}

/* All that were put in are in complete files, each once. */
static void expect_all(const struct bed *b)
{
	struct seen *s = calloc(1, sizeof(*s));
	unsigned once = 0;

	each(b, false, read_one, s);
	for (unsigned i = 0; i < b->n; i++)
		once += s->times[i] == 1;
	CU_ASSERT_EQUAL(once, b->n);
	CU_ASSERT_EQUAL(s->bad, 0);
	free(s);
}

static void test_rotation(void)
{
	struct bed b;

	begin(&b);
	chassis_files_turn(b.f, 1000, false);
	CU_ASSERT_EQUAL(each(&b, true, NULL, NULL) + each(&b, false, NULL, NULL), 0); /* no empty files */
	put(&b, 3);
	chassis_files_turn(b.f, 1000, false);
	CU_ASSERT_EQUAL(each(&b, true, NULL, NULL), 1);
	CU_ASSERT_EQUAL(each(&b, false, NULL, NULL), 0);
	chassis_files_turn(b.f, 1059, false);
	CU_ASSERT_EQUAL(each(&b, false, NULL, NULL), 0);
	chassis_files_turn(b.f, 1060, false); /* by time */
	CU_ASSERT_EQUAL(each(&b, false, NULL, NULL), 1);
	b.conf[0].rotate_records = 2;
	put(&b, 5);
	chassis_files_turn(b.f, 1061, false); /* by records: 2, 2, and one that waits */
	CU_ASSERT_EQUAL(each(&b, false, NULL, NULL), 3);
	CU_ASSERT_EQUAL(each(&b, true, NULL, NULL), 1);
	b.conf[0].rotate_records = 1000;
	b.conf[0].rotate_bytes = 60;
	put(&b, 20);
	chassis_files_turn(b.f, 1062, true);
	CU_ASSERT(each(&b, false, NULL, NULL) > 5);
	CU_ASSERT_EQUAL(each(&b, true, NULL, NULL), 0);
	expect_all(&b);
	CU_ASSERT_EQUAL(chassis_files_stats(b.f).records, b.n);
	end(&b);
}

/* The writer dies between any two turns, and in the middle of one: what it had written since its journal
 * was noted is undone, and done again by its successor. */
static void test_deaths(void)
{
	struct bed b;
	void *before = malloc(CHASSIS_RECORD_JOURNAL_BYTES);
	void *queue = malloc(RING_LEN);

	begin(&b);
	b.conf[0].rotate_records = 7;
	for (unsigned k = 0; k < 40; k++) {
		put(&b, 1 + k % 5);
		memcpy(before, b.journal, CHASSIS_RECORD_JOURNAL_BYTES);
		memcpy(queue, b.mem, RING_LEN);
		chassis_files_turn(b.f, 1000 + (int64_t)k, false);
		if (k % 3 == 1 && b.n % 7 > 4) {
			/* it has written, completed nothing, and noted nothing */
			memcpy(b.journal, before, CHASSIS_RECORD_JOURNAL_BYTES);
			memcpy(b.mem, queue, RING_LEN);
		}
		if (k % 2)
			continue;
		chassis_files_close(b.f);
		open_writer(&b);
	}
	chassis_files_close(b.f);
	open_writer(&b);
	chassis_files_turn(b.f, 2000, true);
	expect_all(&b);
	CU_ASSERT_EQUAL(each(&b, true, NULL, NULL), 0);
	free(before);
	free(queue);
	end(&b);
}

static void half_line(void *arg, const char *path)
{
	FILE *f = fopen(path, "ae");

	(void)arg;
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs("77,", f);
	fclose(f);
}

/* Another life of the chassis: there is no journal. What it has left is completed up to its last whole
 * line; what has nothing in it is removed; its numbers are not given again. */
static void test_another_life(void)
{
	struct bed b;
	char path[128];
	int fd;

	begin(&b);
	put(&b, 4);
	chassis_files_turn(b.f, 1000, false);
	each(&b, true, half_line, NULL);
	snprintf(path, sizeof(path), "%s/curr_c_edr_f_20200101000000_000000009.csv", b.dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CU_ASSERT(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/curr_other.txt", b.dir); /* none of ours */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	chassis_files_close(b.f);
	memset(b.journal, 0, CHASSIS_RECORD_JOURNAL_BYTES);
	open_writer(&b);
	CU_ASSERT_EQUAL(each(&b, false, NULL, NULL), 1);
	CU_ASSERT_EQUAL(each(&b, true, NULL, NULL), 1);
	CU_ASSERT_EQUAL(unlink(path), 0);
	put(&b, 1);
	chassis_files_turn(b.f, 1001, true);
	snprintf(path, sizeof(path), "%s/c_edr_f_19700101001641_000000010.csv", b.dir);
	CU_ASSERT_EQUAL(access(path, R_OK), 0);
	expect_all(&b);
	end(&b);
}

/* A disk that takes no more: whole lines only, the rest waits, and nothing is lost. */
static void test_full(void)
{
	struct rlimit was, few;
	struct seen *s = calloc(1, sizeof(*s));
	struct bed b;

	begin(&b);
	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &was), 0);
	few = was;
	few.rlim_cur = 50; /* in the middle of a line */
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &few), 0);
	put(&b, 100);
	chassis_files_turn(b.f, 1000, false);
	CU_ASSERT(chassis_files_stats(b.f).failures > 0);
	CU_ASSERT(chassis_files_stats(b.f).why[0] != '\0');
	CU_ASSERT(chassis_files_stats(b.f).records < 20);
	each(&b, true, read_one, s);
	CU_ASSERT_EQUAL(s->bad, 0);
	CU_ASSERT(chassis_ring_look(b.ring[1]).waiting > 0);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &was), 0);
	chassis_files_turn(b.f, 1001, true);
	CU_ASSERT_EQUAL(chassis_files_stats(b.f).why[0], '\0');
	CU_ASSERT_EQUAL(chassis_ring_look(b.ring[1]).waiting, 0);
	expect_all(&b);
	free(s);
	end(&b);
}

/* A file that somebody takes away is counted, and does not stop the others; nor does a directory that
 * could not be had: what belongs there is lost, and counted. */
static void test_taken_away(void)
{
	struct bed b;
	int fd;

	begin(&b);
	put(&b, 3);
	chassis_files_turn(b.f, 1000, false);
	each(&b, true, remove_one, NULL);
	chassis_files_close(b.f);
	open_writer(&b);
	CU_ASSERT_EQUAL(chassis_files_stats(b.f).missing, 3);
	chassis_files_turn(b.f, 1001, true);
	CU_ASSERT_EQUAL(each(&b, false, NULL, NULL), 0);
	chassis_files_close(b.f);
	fd = b.fd[0];
	b.fd[0] = -1;
	open_writer(&b);
	put(&b, 2);
	chassis_files_turn(b.f, 1002, true);
	CU_ASSERT_EQUAL(chassis_ring_look(b.ring[1]).waiting, 0);
	CU_ASSERT_EQUAL(chassis_files_stats(b.f).nowhere, 2);
	chassis_files_close(b.f);
	b.fd[0] = fd;
	open_writer(&b);
	put(&b, 1);
	chassis_files_turn(b.f, 1003, true);
	CU_ASSERT_EQUAL(each(&b, false, NULL, NULL), 1);
	end(&b);
}

CU_TestInfo chassis_record_tests[] = {
	{"the queue, round and round", test_ring},
	{"a queue with any bytes", test_ring_broken},
	{"a queue: what is withdrawn", test_ring_withdraw},
	{"files: by records, bytes, time", test_rotation},
	{"files: the writer dies", test_deaths},
	{"files of another life", test_another_life},
	{"a disk that is full", test_full},
	{"files that are taken away, no directory", test_taken_away},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stats/segment.h"

#define LAYOUT 3u

/* An owner keeps a == b == c: a reader that sees them differ has a torn copy. */
struct slab {
	struct stats_slab head;
	uint64_t a, b, c;
	uint8_t tail[4];
};

static void fresh(struct slab *s)
{
	memset(s, 0, sizeof(*s));
	stats_slab_init(&s->head, sizeof(*s), LAYOUT, 42);
}

static void test_head(void)
{
	struct slab s, copy;

	memset(&s, 0, sizeof(s));
	CU_ASSERT_FALSE(stats_slab_valid(&s, sizeof(s), LAYOUT));
	s.a = 5;
	stats_slab_init(&s.head, sizeof(s), LAYOUT, 42);
	CU_ASSERT_EQUAL(s.a, 5);
	CU_ASSERT_TRUE(stats_slab_valid(&s, sizeof(s), LAYOUT));
	CU_ASSERT_TRUE(stats_slab_valid(&s, sizeof(s.head), LAYOUT));
	CU_ASSERT_FALSE(stats_slab_valid(&s, sizeof(s.head) - 1, LAYOUT));
	CU_ASSERT_FALSE(stats_slab_valid(&s, sizeof(s) + 1, LAYOUT));
	CU_ASSERT_FALSE(stats_slab_valid(&s, sizeof(s), LAYOUT + 1));
	CU_ASSERT_FALSE(stats_slab_valid(NULL, sizeof(s), LAYOUT));
	CU_ASSERT_FALSE(stats_slab_valid((const char *)&s + 4, sizeof(s.head), LAYOUT));
	CU_ASSERT_EQUAL(stats_slab_owner(&s.head), 42);
	CU_ASSERT_EQUAL(stats_slab_last_beat(&s.head), 0);
	stats_slab_beat(&s.head, 77);
	CU_ASSERT_EQUAL(stats_slab_last_beat(&s.head), 77);
	CU_ASSERT_EQUAL(stats_slab_read(&s, sizeof(s), &copy), STATS_SLAB_OK);
	CU_ASSERT_EQUAL(copy.head.beat_us, 77);
}

static void test_foreign(void)
{
	static uint64_t buf[16];
	struct slab s, copy = {.a = 1};

	fresh(&s);
	CU_ASSERT_EQUAL(stats_slab_read(NULL, sizeof(s), &copy), STATS_SLAB_FOREIGN);
	CU_ASSERT_EQUAL(stats_slab_read(buf, sizeof(s), &copy), STATS_SLAB_FOREIGN);
	CU_ASSERT_EQUAL(stats_slab_read(&s, sizeof(s) + 1, &copy), STATS_SLAB_FOREIGN);
	CU_ASSERT_EQUAL(stats_slab_read(&s, sizeof(s.head) - 1, &copy), STATS_SLAB_FOREIGN);
	CU_ASSERT_EQUAL(stats_slab_read(&s, sizeof(s.head), (char *)buf + 4), STATS_SLAB_FOREIGN);
	CU_ASSERT_EQUAL(copy.a, 1);
}

static void test_every_length(void)
{
	uint64_t raw[sizeof(struct slab) / 8 + 2];
	struct slab s;

	fresh(&s);
	s.a = s.b = s.c = 0x0102030405060708;
	memset(s.tail, 0xaa, sizeof(s.tail));
	for (size_t len = sizeof(s.head); len <= sizeof(s); len++) {
		memset(raw, 0x55, sizeof(raw));
		CU_ASSERT_EQUAL(stats_slab_read(&s, len, raw), STATS_SLAB_OK);
		CU_ASSERT_EQUAL(memcmp(raw, &s, len), 0);
		CU_ASSERT_EQUAL(((uint8_t *)raw)[len], 0x55);
	}
}

static void test_odd_is_given_up(void)
{
	struct slab s, copy = {.a = 0};

	fresh(&s);
	s.a = s.b = s.c = 9;
	stats_slab_write_begin(&s.head);
	s.a = 10;
	CU_ASSERT_EQUAL(stats_slab_read(&s, sizeof(s), &copy), STATS_SLAB_TORN);
	CU_ASSERT_EQUAL(copy.a, 10);
	CU_ASSERT_EQUAL(copy.b, 9);
	s.b = s.c = 10;
	stats_slab_write_end(&s.head);
	CU_ASSERT_EQUAL(stats_slab_read(&s, sizeof(s), &copy), STATS_SLAB_OK);
	CU_ASSERT_EQUAL(copy.c, 10);
}

static void test_sequence_moves(void)
{
	struct slab s;
	uint32_t before;

	fresh(&s);
	before = s.head.seq;
	CU_ASSERT_EQUAL(before % 2, 0);
	stats_slab_write_begin(&s.head);
	CU_ASSERT_EQUAL(s.head.seq % 2, 1);
	stats_slab_write_begin(&s.head); /* a lost end leaves it odd, not even */
	CU_ASSERT_EQUAL(s.head.seq % 2, 1);
	stats_slab_write_end(&s.head);
	CU_ASSERT_EQUAL(s.head.seq % 2, 0);
	CU_ASSERT_NOT_EQUAL(s.head.seq, before);
	s.head.seq = UINT32_MAX - 1;
	stats_slab_write_begin(&s.head);
	stats_slab_write_end(&s.head);
	CU_ASSERT_EQUAL(s.head.seq, 0);
}

static struct slab *shared(void)
{
	struct slab *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                      -1, 0);

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(s, MAP_FAILED);
	stats_slab_init(&s->head, sizeof(*s), LAYOUT, 1);
	return s;
}

#define WORDS 4096

/* Large, so that a change often falls into the time of a copy. */
struct large {
	struct stats_slab head;
	uint64_t v[WORDS];
};

static void write_for_ever(struct large *s)
{
	for (uint64_t i = 1;; i++) {
		stats_slab_write_begin(&s->head);
		for (unsigned w = 0; w < WORDS; w++)
			__atomic_store_n(&s->v[w], i, __ATOMIC_RELAXED);
		stats_slab_write_end(&s->head);
		for (unsigned pause = 0; pause < 4 * WORDS; pause++)
			stats_slab_beat(&s->head, pause); /* as an owner that waits for its next event */
	}
}

/* A process writes as fast as it can while another one reads: a copy called OK is never torn. */
static void test_across_processes(void)
{
	struct large *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                       -1, 0);
	static struct large copy;
	unsigned ok = 0;
	pid_t pid;

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(s, MAP_FAILED);
	stats_slab_init(&s->head, sizeof(*s), LAYOUT, 1);
	pid = fork();
	CU_ASSERT_TRUE_FATAL(pid >= 0);
	if (pid == 0)
		write_for_ever(s);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned torn = 0;

		if (stats_slab_read(s, sizeof(*s), &copy) != STATS_SLAB_OK)
			continue;
		ok++;
		for (unsigned w = 1; w < WORDS; w++)
			torn += copy.v[w] != copy.v[0];
		CU_ASSERT_EQUAL(torn, 0);
	}
	CU_ASSERT_TRUE(ok > 0);
	kill(pid, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	munmap(s, sizeof(*s));
}

static void test_dead_owner_is_adopted(void)
{
	struct slab *s = shared(), copy;
	pid_t pid = fork();

	CU_ASSERT_TRUE_FATAL(pid >= 0);
	if (pid == 0) {
		s->c = 4;
		stats_slab_write_begin(&s->head);
		s->a = 4;
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	CU_ASSERT_EQUAL(stats_slab_read(s, sizeof(*s), &copy), STATS_SLAB_TORN);
	CU_ASSERT_EQUAL(copy.a, 4);
	stats_slab_adopt(&s->head, 99, 1234);
	CU_ASSERT_EQUAL(stats_slab_read(s, sizeof(*s), &copy), STATS_SLAB_OK);
	CU_ASSERT_EQUAL(stats_slab_owner(&copy.head), 99);
	CU_ASSERT_EQUAL(copy.head.beat_us, 1234);
	CU_ASSERT_TRUE(copy.a == 4 && copy.c == 4);
	stats_slab_adopt(&s->head, 100, 1235); /* an even sequence stays even */
	CU_ASSERT_EQUAL(s->head.seq % 2, 0);
	munmap(s, sizeof(*s));
}

CU_TestInfo stats_segment_tests[] = {
	{"the head names layout, size and owner", test_head},
	{"what is no slab is not read", test_foreign},
	{"every length is copied whole and no further", test_every_length},
	{"an odd sequence is given up and said so", test_odd_is_given_up},
	{"the sequence moves and wraps", test_sequence_moves},
	{"a copy called consistent is so across processes", test_across_processes},
	{"a dead owner's slab is read and adopted", test_dead_owner_is_adopted},
	CU_TEST_INFO_NULL,
};

/* What others see of a store: at any time, also when it dies in the middle of a change. */
#include "config.h"
#include "suites.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recovery_box.h"

static enum recovery_view_state box_state(struct box *b)
{
	struct recovery_view *v = box_view(b);
	enum recovery_view_state st = recovery_view_state(v);

	recovery_view_free(v);
	return st;
}

static void test_states_of_a_view(void)
{
	struct box b;
	const char *why = NULL;
	struct recovery_view *v;

	box_init(&b, RECOVERY_STORE_CAP_MIN);
	CU_ASSERT_EQUAL(box_state(&b), RECOVERY_VIEW_NONE); /* empty */
	CU_ASSERT_PTR_NULL(recovery_view_open(b.mem, b.cap, toy_kinds, TOY_KINDS, &why));
	CU_ASSERT_STRING_EQUAL(why, "empty");
	recovery_store_level(b.s, true);
	CU_ASSERT_EQUAL(box_state(&b), RECOVERY_VIEW_WHOLE); /* holds all: nothing */
	recovery_store_level(b.s, false);
	CU_ASSERT_EQUAL(box_parent(&b, 1, 2), SRP_OK);
	CU_ASSERT_EQUAL(box_state(&b), RECOVERY_VIEW_PART);
	recovery_store_level(b.s, true);
	CU_ASSERT_EQUAL(box_state(&b), RECOVERY_VIEW_WHOLE);
	recovery_store_enter(b.s);
	CU_ASSERT_PTR_NULL(recovery_view_open(b.mem, b.cap, toy_kinds, TOY_KINDS, &why));
	CU_ASSERT_STRING_EQUAL(why, "in the middle of a change");
	recovery_store_leave(b.s);
	CU_ASSERT_EQUAL(box_state(&b), RECOVERY_VIEW_WHOLE);
	v = recovery_view_open(b.mem, b.cap, toy_kinds + 1, TOY_KINDS - 1, &why);
	CU_ASSERT_PTR_NULL(v);
	CU_ASSERT_STRING_EQUAL(why, "of another registry");
	CU_ASSERT_PTR_NULL(recovery_view_open(b.mem, b.cap - 64, toy_kinds, TOY_KINDS, NULL));
	/* another process formats it: nothing of before is left */
	recovery_store_free(b.s);
	CU_ASSERT_EQUAL(box_state(&b), RECOVERY_VIEW_WHOLE);
	b.s = recovery_store_new(b.mem, b.cap, toy_kinds, TOY_KINDS, 8);
	CU_ASSERT_EQUAL(box_state(&b), RECOVERY_VIEW_NONE);
	CU_ASSERT_PTR_NULL(box_find(&b, TOY_PARENT, 1, 0));
	memset(b.mem, 0, 64);
	CU_ASSERT_EQUAL(box_state(&b), RECOVERY_VIEW_NONE);
	CU_ASSERT_EQUAL(recovery_view_state(NULL), RECOVERY_VIEW_NONE);
	box_fini(&b);
}

/* Hashes are given away only while all are of one key. */
static void test_key_of_hashes(void)
{
	struct box b;
	struct recovery_view *v;

	box_init(&b, RECOVERY_STORE_CAP_MIN);
	recovery_store_hkey(b.s, 17);
	CU_ASSERT_EQUAL(box_parent(&b, 1, 2), SRP_OK);
	v = box_view(&b);
	CU_ASSERT_EQUAL(recovery_view_hkey(v), 17);
	recovery_view_free(v);
	recovery_store_hkey(b.s, 17);
	recovery_store_hkey(b.s, 18);
	v = box_view(&b);
	CU_ASSERT_EQUAL(recovery_view_hkey(v), 0);
	recovery_view_free(v);
	recovery_store_level(b.s, true);
	v = box_view(&b);
	CU_ASSERT_EQUAL(recovery_view_hkey(v), 18);
	recovery_view_free(v);
	box_fini(&b);
}

/* Between the store's part of an application and the replica's, term, version and hash of the entry
 * are those of what it was before. */
static void test_applied_last(void)
{
	struct box b;
	struct srp_ckpt_obj *o, *p;
	struct recovery_view *v;
	struct recovery_seen e;
	uint64_t two[] = {1, 2};

	box_init(&b, RECOVERY_STORE_CAP_MIN);
	recovery_store_hkey(b.s, 5);
	CU_ASSERT_EQUAL(box_put(&b, TOY_PARENT, 1, 0, two, 2, &o), SRP_OK);
	o->term = 9;
	o->version = 8;
	o->link[0].hash = 77;
	o->link[0].flags = SRP_LINK_F_COUNTED;
	v = box_view(&b);
	CU_ASSERT(recovery_view_entry(v, recovery_ref_of(b.s, o), &e));
	CU_ASSERT_EQUAL(e.hash, 0);
	CU_ASSERT_EQUAL(e.term, 2);    /* what the record said */
	CU_ASSERT_EQUAL(e.version, 1);
	recovery_view_free(v);
	b.now.us += 7000;
	CU_ASSERT_EQUAL(box_put(&b, TOY_PARENT, 2, 0, two, 2, &p), SRP_OK);
	v = box_view(&b);
	CU_ASSERT(recovery_view_entry(v, recovery_ref_of(b.s, o), &e));
	CU_ASSERT_EQUAL(e.hash, 77);
	CU_ASSERT_EQUAL(e.term, 9);
	CU_ASSERT_EQUAL(e.version, 8);
	CU_ASSERT_EQUAL(e.when.us, 5000000);
	CU_ASSERT(recovery_view_entry(v, recovery_ref_of(b.s, p), &e));
	CU_ASSERT_EQUAL(e.when.us, 5007000);
	recovery_view_free(v);
	/* one whose hash does not count has none */
	o->link[0].flags = 0;
	v = box_view(&b);
	CU_ASSERT(recovery_view_entry(v, recovery_ref_of(b.s, o), &e));
	CU_ASSERT_EQUAL(e.hash, 0);
	recovery_view_free(v);
	/* its memory is given to another: that one is not taken for it */
	CU_ASSERT_EQUAL(box_del(&b, TOY_PARENT, 2, 0, 1), SRP_OK);
	CU_ASSERT_EQUAL(b.s->h->limbo, 0);
	box_fini(&b);
}

static uint64_t named(struct box *b, uint64_t name)
{
	struct recovery_view *v = box_view(b);
	struct recovery_group g;
	recovery_ref ref = recovery_view_name(v, name, &g);

	recovery_view_free(v);
	return ref ? g.k0 : UINT64_MAX;
}

static void test_names(void)
{
	struct box b;

	box_init(&b, RECOVERY_STORE_CAP_MIN);
	for (uint64_t i = 0; i < 500; i++)
		CU_ASSERT_EQUAL(box_parent(&b, i, 3 * i), SRP_OK);
	for (uint64_t i = 0; i < 500; i++) {
		CU_ASSERT_EQUAL(named(&b, TOY_NAME + 3 * i), i);
		CU_ASSERT_EQUAL(named(&b, TOY_NAME + 3 * i + 1), UINT64_MAX);
	}
	/* it moves, it goes, it goes from hand to hand */
	CU_ASSERT_EQUAL(box_parent(&b, 7, 9999), SRP_OK);
	CU_ASSERT_EQUAL(named(&b, TOY_NAME + 9999), 7);
	CU_ASSERT_EQUAL(named(&b, TOY_NAME + 21), UINT64_MAX);
	CU_ASSERT_EQUAL(box_parent(&b, 8, 9999), SRP_OK);
	CU_ASSERT_EQUAL(box_del(&b, TOY_PARENT, 7, 0, 1), SRP_OK);
	CU_ASSERT_EQUAL(named(&b, TOY_NAME + 9999), 8);
	CU_ASSERT_EQUAL(box_del(&b, TOY_PARENT, 8, 0, 1), SRP_OK);
	CU_ASSERT_EQUAL(named(&b, TOY_NAME + 9999), UINT64_MAX);
	/* one that cannot be read gives no name, and is kept */
	CU_ASSERT_EQUAL(box_parent(&b, 9, UINT64_MAX), SRP_OK);
	CU_ASSERT_EQUAL(named(&b, TOY_NAME + 27), UINT64_MAX);
	CU_ASSERT_PTR_NOT_NULL(box_find(&b, TOY_PARENT, 9, 0));
	box_fini(&b);
}

/* The ring of deletions: the newest are kept, newest first. */
static void test_deletions(void)
{
	struct box b;
	struct recovery_store_stats st;
	struct recovery_view *v;
	struct recovery_mark m;
	uint64_t n = RECOVERY_STORE_TOMBS + 10;

	box_init(&b, 8u << 20);
	CU_ASSERT_EQUAL(box_parent(&b, 1, 1), SRP_OK);
	for (uint64_t i = 0; i < n; i++) {
		CU_ASSERT_EQUAL(box_child(&b, 1, i, 1), SRP_OK);
		CU_ASSERT_EQUAL(box_del(&b, TOY_CHILD, 1, i, (uint32_t)i), SRP_OK);
	}
	/* a kind without a deletion leaves none */
	CU_ASSERT_EQUAL(box_put(&b, TOY_STAT, 1, 0, (uint64_t[]){1}, 1, NULL), SRP_OK);
	CU_ASSERT_EQUAL(box_del(&b, TOY_STAT, 1, 0, 3), SRP_OK);
	recovery_store_stats(b.s, &st);
	CU_ASSERT_EQUAL(st.tombs, RECOVERY_STORE_TOMBS);
	CU_ASSERT_EQUAL(st.dropped, 10);
	v = box_view(&b);
	for (uint32_t i = 0; i < RECOVERY_STORE_TOMBS; i++) {
		CU_ASSERT_FATAL(recovery_view_mark(v, i, &m));
		CU_ASSERT_FATAL(m.kind == toy_kinds[TOY_CHILD]->id && m.key.k[1] == n - 1 - i &&
		                m.version == (uint32_t)(n - 1 - i));
	}
	recovery_view_free(v);
	/* one found by comparison has no version: the entry's own is kept */
	{
		struct srp_ckpt_obj *o;

		CU_ASSERT_EQUAL(box_put(&b, TOY_CHILD, 1, 1, (uint64_t[]){1, 2, 3}, 3, &o), SRP_OK);
		o->term = 4;
		o->version = 44;
		CU_ASSERT_EQUAL(box_del(&b, TOY_CHILD, 1, 1, 0), SRP_OK);
		v = box_view(&b);
		CU_ASSERT(recovery_view_mark(v, 0, &m));
		CU_ASSERT(m.term == 4 && m.version == 44);
		recovery_view_free(v);
	}
	box_fini(&b);
}

/* Changes without end, of everything but the rules; @p done counts them. */
static void churn(struct box *b, uint64_t x, volatile uint64_t *done)
{
	for (;; ++*done) {
		uint64_t p = mirror_random(&x) % TOY_PARENTS, c = mirror_random(&x) % TOY_CHILDREN;
		uint64_t v = mirror_random(&x) % 2 ? 1 : TOY_VALUE_MAX - 10; /* records grow and shrink */

		switch (mirror_random(&x) % 8) {
		case 0: (void)box_parent(b, p, v); break;
		case 1: (void)box_put(b, TOY_STAT, p, 0, &v, 1, NULL); break;
		case 2: (void)box_del(b, TOY_CHILD, p, c, 1); break;
		case 3:
			if (c == 0)
				(void)box_del(b, TOY_PARENT, p, 0, 1);
			break;
		default: (void)box_child(b, p, c, v); break;
		}
	}
}

/* What a killed process has left is whole, or says that it is not. */
static bool left_whole(const struct box *b)
{
	const char *why = NULL;
	struct recovery_view *v =
		recovery_view_open(b->mem, b->cap, toy_kinds, TOY_KINDS, &why);
	struct toy t;
	struct recovery_sink sink;
	const struct recovery_fill_config conf = {
		.view = v, .kinds = toy_kinds, .nkinds = TOY_KINDS, .ckpt_owner = &t, .sink = &sink};
	struct recovery_fill_stats st;
	struct recovery_fill *f;

	if (!v) {
		CU_ASSERT_STRING_EQUAL(why, "in the middle of a change");
		return false;
	}
	recovery_sink_init(&sink);
	toy_init(&t, &sink.sink);
	f = recovery_fill_new(&conf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (recovery_fill_step(f, (struct srp_time){SRP_SEC(10)}, 100))
		continue;
	recovery_fill_stats(f, &st);
	CU_ASSERT_EQUAL(st.broken + st.refused, 0);
	CU_ASSERT_EQUAL(st.fetched, st.records);
	CU_ASSERT_EQUAL(st.sessions_built, st.sessions_total);
	CU_ASSERT_EQUAL(toy_count(&t), st.records);
	recovery_fill_free(f);
	recovery_view_free(v);
	toy_fini(&t);
	return true;
}

static void test_death_at_any_time(void)
{
	struct box b = {.cap = RECOVERY_STORE_CAP_MIN, .now = {5000000}};
	volatile uint64_t *done;
	unsigned whole = 0;
	uint64_t x = 11;
	void *p = mmap(NULL, b.cap + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_FATAL(p != MAP_FAILED);
	b.mem = p;
	done = (volatile uint64_t *)(void *)((char *)p + b.cap);
	for (int round = 0; round < 40; round++) {
		uint64_t seed = mirror_random(&x), until = mirror_random(&x) % 20000;
		pid_t pid;

		b.s = recovery_store_new(b.mem, b.cap, toy_kinds, TOY_KINDS, seed);
		for (uint64_t i = 0; i < TOY_RULES; i++)
			CU_ASSERT_EQUAL(box_put(&b, TOY_RULE, i, 0, &i, 1, NULL), SRP_OK);
		*done = 0;
		pid = fork();
		CU_ASSERT_FATAL(pid >= 0);
		if (pid == 0)
			churn(&b, seed, done);
		while (*done < until)
			sched_yield();
		CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
		CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
		whole += left_whole(&b);
		recovery_store_free(b.s);
	}
	CU_ASSERT(whole > 0);
	munmap(p, b.cap + 4096);
}

CU_TestInfo recovery_view_tests[] = {
	{"states of a view", test_states_of_a_view},
	{"key of hashes", test_key_of_hashes},
	{"applied last", test_applied_last},
	{"names", test_names},
	{"deletions", test_deletions},
	{"death at any time", test_death_at_any_time},
	CU_TEST_INFO_NULL,
};

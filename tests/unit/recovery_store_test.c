#include "config.h"
#include "suites.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recovery_mirror.h"

/* --- as a mirror ------------------------------------------------------------------------------ */

static void test_mirrors_all(void)
{
	struct mirror m;
	struct recovery_store_stats st;

	mirror_init(&m);
	CU_ASSERT_EQUAL(mirror_stats(&m).entries, 0);
	mirror_join(&m);
	mirror_load(&m, 10, 4);
	(void)mirror_exchange(&m);
	CU_ASSERT(mirror_same(&m));
	st = mirror_stats(&m);
	CU_ASSERT_EQUAL(st.entries, TOY_RULES + 10 + 10 + 20);
	CU_ASSERT_EQUAL(st.sessions, 10);
	CU_ASSERT_EQUAL(st.flows, 20);
	CU_ASSERT_EQUAL(st.tombs, 0);
	CU_ASSERT_EQUAL(st.full, 0);
	CU_ASSERT_EQUAL(m.filled, 1);
	/* changes, deletions of every kind */
	for (uint32_t round = 0; round < 30; round++) {
		struct toy *t = &m.k.s[0].toy;

		toy_set_parent(t, round % 10, 500 + round * 37, m.k.now);
		toy_set_child(t, round % 10, round % 4, round * 999, 1, m.k.now);
		toy_set_stat(t, round % 10, round * 33333, m.k.now);
		toy_del_child(t, (round + 2) % 10, 0, m.k.now);
		if (round % 5 == 0)
			toy_del_parent(t, (round + 3) % 10, m.k.now);
		if (round % 7 == 0)
			toy_del_rule(t, 7, m.k.now);
		(void)mirror_exchange(&m);
		CU_ASSERT(mirror_same(&m));
		CU_ASSERT_EQUAL(mirror_stats(&m).entries, toy_count(&m.k.s[0].toy));
		m.k.now.us += 1100000;
		(void)mirror_exchange(&m);
	}
	CU_ASSERT_EQUAL(m.totals.digests_unequal, 0);
	CU_ASSERT(m.totals.digests_equal >= 30);
	mirror_fini(&m);
}

/* An audit recomputes what both hold. */
static void test_audit_finds_nothing(void)
{
	struct mirror m;

	mirror_init(&m);
	mirror_load(&m, 20, 8);
	mirror_join(&m);
	CU_ASSERT(mirror_same(&m));
	recovery_replica_audit(m.sr, m.k.now);
	(void)mirror_exchange(&m);
	CU_ASSERT_EQUAL(m.totals.audits, 1);
	CU_ASSERT_EQUAL(m.totals.silent_changes, 0);
	CU_ASSERT_EQUAL(m.sr_totals.silent_changes, 0);
	mirror_fini(&m);
}

static void test_session_takes_its_records_along(void)
{
	struct mirror m;
	struct recovery_store_stats st;

	mirror_init(&m);
	mirror_load(&m, 4, 8);
	mirror_join(&m);
	toy_del_parent(&m.k.s[0].toy, 2, m.k.now);
	(void)mirror_exchange(&m);
	st = mirror_stats(&m);
	CU_ASSERT_EQUAL(st.sessions, 3);
	CU_ASSERT_EQUAL(st.flows, 8);
	CU_ASSERT_EQUAL(st.entries, toy_count(&m.k.s[0].toy));
	CU_ASSERT_EQUAL(st.tombs, 1); /* the others went with it */
	CU_ASSERT(mirror_same(&m));
	toy_del_child(&m.k.s[0].toy, 0, 3, m.k.now);
	(void)mirror_exchange(&m);
	CU_ASSERT_EQUAL(mirror_stats(&m).tombs, 2);
	CU_ASSERT_EQUAL(mirror_stats(&m).flows, 7);
	mirror_fini(&m);
}

/* What the store lacks or has too many of is found by digest; one that was left alone goes on. */
static void test_digest_mends(void)
{
	struct mirror m;
	uint64_t n;

	mirror_init(&m);
	mirror_load(&m, 16, 8);
	mirror_join(&m);
	mirror_part(&m);
	toy_set_parent(&m.k.s[0].toy, 3, 77, m.k.now);
	toy_del_parent(&m.k.s[0].toy, 4, m.k.now);
	toy_set_child(&m.k.s[0].toy, 2, 1, 55, 2, m.k.now);
	n = mirror_records(&m);
	mirror_join(&m);
	CU_ASSERT(mirror_same(&m));
	CU_ASSERT_EQUAL(mirror_stats(&m).entries, toy_count(&m.k.s[0].toy));
	CU_ASSERT(mirror_records(&m) - n <= 4);
	/* another store: everything again */
	mirror_part(&m);
	mirror_close(&m);
	mirror_store(&m);
	CU_ASSERT_EQUAL(mirror_stats(&m).entries, 0);
	mirror_join(&m);
	CU_ASSERT(mirror_same(&m));
	CU_ASSERT_EQUAL(mirror_stats(&m).entries, toy_count(&m.k.s[0].toy));
	mirror_fini(&m);
}

/* --- as a container, without a replica -------------------------------------------------------- */

struct box {
	void *mem;
	size_t cap;
	struct recovery_store *s;
	struct srp_time now;
};

static void box_init(struct box *b, size_t cap)
{
	b->cap = cap;
	b->mem = aligned_alloc(4096, cap);
	b->s = recovery_store_new(b->mem, cap, toy_kinds, TOY_KINDS, 4711);
	b->now = (struct srp_time){5000000};
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->s);
}

static void box_fini(struct box *b)
{
	recovery_store_free(b->s);
	free(b->mem);
}

static struct srp_ckpt_ctx box_ctx(struct box *b, enum toy_kind kind, uint32_t version)
{
	return (struct srp_ckpt_ctx){.now = b->now, .owner = b->s, .replica = SRP_REPLICA_SR,
	                             .ver = 1, .term = 2, .version = version,
	                             .kind = recovery_store_kinds(b->s)[kind]};
}

/* A record of @p n numbers. */
static int box_put(struct box *b, enum toy_kind kind, uint64_t k0, uint64_t k1,
                   const uint64_t *v, unsigned n, struct srp_ckpt_obj **out)
{
	const struct srp_ckpt_ctx ctx = box_ctx(b, kind, 1);
	const struct srp_ckpt_key key = {{k0, k1}};
	struct srp_ckpt_obj *o = NULL;
	uint8_t buf[256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;
	int rc;

	for (unsigned i = 0; i < n; i++)
		srp_mp_w_uint(&w, v[i]);
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	rc = ctx.kind->apply(&ctx, &key, &r, n, &o);
	if (out)
		*out = o;
	return rc;
}

static int box_parent(struct box *b, uint64_t k0, uint64_t value)
{
	return box_put(b, TOY_PARENT, k0, 0, (uint64_t[]){value, 12345}, 2, NULL);
}

static int box_child(struct box *b, uint64_t k0, uint64_t k1, uint64_t value)
{
	return box_put(b, TOY_CHILD, k0, k1, (uint64_t[]){value, 3, 70000}, 3, NULL);
}

static struct srp_ckpt_obj *box_find(struct box *b, enum toy_kind kind, uint64_t k0, uint64_t k1)
{
	const struct srp_ckpt_ctx ctx = box_ctx(b, kind, 0);
	const struct srp_ckpt_key key = {{k0, k1}};

	return ctx.kind->find(&ctx, &key);
}

static int box_del(struct box *b, enum toy_kind kind, uint64_t k0, uint64_t k1, uint32_t version)
{
	const struct srp_ckpt_ctx ctx = box_ctx(b, kind, version);
	const struct srp_ckpt_key key = {{k0, k1}};

	return ctx.kind->remove(&ctx, &key);
}

static struct recovery_view *box_view(struct box *b)
{
	return recovery_view_open(b->mem, b->cap, toy_kinds, TOY_KINDS, NULL);
}

static int count(struct srp_ckpt_obj *o, void *arg)
{
	(void)o;
	++*(uint64_t *)arg;
	return 0;
}

static uint64_t box_walk(struct box *b, enum toy_kind kind)
{
	const struct srp_ckpt_ctx ctx = box_ctx(b, kind, 0);
	uint64_t n = 0;

	ctx.kind->walk(&ctx, count, &n);
	return n;
}

static void test_limits_of_a_region(void)
{
	size_t cap = RECOVERY_STORE_CAP_MIN;
	uint8_t *mem = aligned_alloc(4096, cap + 4096);
	struct recovery_store *s = recovery_store_new(mem, cap, toy_kinds, TOY_KINDS, 1);

	CU_ASSERT_PTR_NOT_NULL(s);
	recovery_store_free(s);
	CU_ASSERT_PTR_NULL(recovery_store_new(mem, cap - 1, toy_kinds, TOY_KINDS, 1));
	CU_ASSERT_PTR_NULL(recovery_store_new(mem + 8, cap, toy_kinds, TOY_KINDS, 1));
	CU_ASSERT_PTR_NULL(recovery_store_new(mem, cap, toy_kinds, 0, 1));
	cap = ((size_t)32 << 30) + 8;
	CU_ASSERT_PTR_NULL(recovery_store_new(mem, cap, toy_kinds, TOY_KINDS, 1));
	cap = RECOVERY_STORE_CAP_MIN;
	CU_ASSERT_PTR_NULL(recovery_view_open(mem, cap - 1, toy_kinds, TOY_KINDS, NULL));
	free(mem);
}

/* The indexes grow; everything is found, nothing that is not there. */
static void test_many(void)
{
	enum { N = 9000 };
	struct box b;
	struct recovery_store_stats st;

	box_init(&b, 16u << 20);
	for (uint64_t i = 0; i < N; i++) {
		CU_ASSERT_EQUAL(box_parent(&b, i << 20, i), SRP_OK);
		CU_ASSERT_EQUAL(box_child(&b, i << 20, 2 * i, i), SRP_OK);
		CU_ASSERT_EQUAL(box_child(&b, i << 20, UINT64_MAX - i, i), SRP_OK);
	}
	recovery_store_stats(b.s, &st);
	CU_ASSERT_EQUAL(st.entries, 3 * N);
	CU_ASSERT_EQUAL(st.sessions, N);
	CU_ASSERT_EQUAL(st.flows, 2 * N);
	for (uint64_t i = 0; i < N; i++) {
		struct srp_ckpt_obj *o = box_find(&b, TOY_CHILD, i << 20, UINT64_MAX - i);
		struct srp_ckpt_key key;

		CU_ASSERT_PTR_NOT_NULL_FATAL(o);
		o->kind->key(o, &key);
		CU_ASSERT(key.k[0] == i << 20 && key.k[1] == UINT64_MAX - i && !key.k[2]);
		CU_ASSERT_PTR_NULL(box_find(&b, TOY_CHILD, i << 20, 2 * i + 1));
		CU_ASSERT_PTR_NULL(box_find(&b, TOY_STAT, i << 20, 0));
	}
	CU_ASSERT_EQUAL(box_walk(&b, TOY_PARENT), N);
	CU_ASSERT_EQUAL(box_walk(&b, TOY_CHILD), 2 * N);
	CU_ASSERT_EQUAL(box_walk(&b, TOY_STAT), 0);
	for (uint64_t i = 0; i < N; i += 2)
		CU_ASSERT_EQUAL(box_del(&b, TOY_PARENT, i << 20, 0, 2), SRP_OK);
	CU_ASSERT_EQUAL(box_del(&b, TOY_PARENT, 0, 0, 2), SRP_ENOENT);
	CU_ASSERT_EQUAL(box_walk(&b, TOY_CHILD), N);
	for (uint64_t i = 0; i < N; i++)
		CU_ASSERT_EQUAL(box_find(&b, TOY_CHILD, i << 20, 2 * i) != NULL, i % 2);
	recovery_store_stats(b.s, &st);
	CU_ASSERT_EQUAL(st.sessions, N / 2);
	CU_ASSERT_EQUAL(st.tombs, N / 2 + 1); /* and the one that was not there */
	box_fini(&b);
}

/* Memory of what went is used again: the region does not grow by changes. */
static void test_memory_comes_back(void)
{
	struct box b;
	uint32_t top = 0;
	struct recovery_store_stats st, was = {0};

	box_init(&b, RECOVERY_STORE_CAP_MIN);
	for (uint32_t round = 0; round < 50; round++) {
		for (uint64_t i = 0; i < 50; i++) {
			CU_ASSERT_EQUAL(box_parent(&b, i, i), SRP_OK);
			for (uint64_t k = 0; k < 5; k++)
				CU_ASSERT_EQUAL(box_child(&b, i, k, 1), SRP_OK);
		}
		if (round == 1) {
			top = b.s->h->top;
			recovery_store_stats(b.s, &was);
		}
		for (uint64_t i = 0; i < 50; i++)
			CU_ASSERT_EQUAL(box_del(&b, TOY_PARENT, i, 0, 2), SRP_OK);
	}
	CU_ASSERT_EQUAL(b.s->h->top, top);
	CU_ASSERT_EQUAL(b.s->h->entries, 0);
	CU_ASSERT_EQUAL(b.s->h->groups, 0);
	recovery_store_stats(b.s, &st);
	CU_ASSERT(st.bytes - st.tombs * sizeof(struct recovery_mark) < was.bytes);
	CU_ASSERT_EQUAL(((uint64_t)top - b.s->h->free) * RECOVERY_UNIT, b.s->at.blocks);
	box_fini(&b);
}

/* A record that grows moves; one that shrinks by much does, too. */
static void test_records_move(void)
{
	struct mirror m;
	struct toy *t = &m.k.s[0].toy;

	mirror_init(&m);
	mirror_load(&m, 2, 2);
	mirror_join(&m);
	for (uint32_t i = 0; i < 40; i++) {
		m.k.now.us += i % 2 ? 1 : SRP_SEC(100000); /* the age takes one byte, or five */
		toy_set_parent(t, 0, i % 2 ? 1 : TOY_VALUE_MAX - 10, m.k.now);
		toy_set_child(t, 0, 1, i % 3 ? 1 : TOY_VALUE_MAX, 1, m.k.now);
		(void)mirror_exchange(&m);
		CU_ASSERT(mirror_same(&m));
	}
	CU_ASSERT_EQUAL(mirror_stats(&m).entries, toy_count(t));
	CU_ASSERT_EQUAL(mirror_stats(&m).flows, 2);
	mirror_fini(&m);
}

static int box_blob(struct box *b, uint64_t k0, size_t len)
{
	static uint8_t buf[SRP_CKPT_RECORD_MAX + 64], blob[SRP_CKPT_RECORD_MAX + 64];
	const struct srp_ckpt_ctx ctx = box_ctx(b, TOY_PARENT, 1);
	const struct srp_ckpt_key key = {{k0}};
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_ckpt_obj *o;
	struct srp_mp_r r;

	srp_mp_w_uint(&w, 7);
	srp_mp_w_bin(&w, blob, len);
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	return ctx.kind->apply(&ctx, &key, &r, 2, &o);
}

/* A full region refuses, stays whole, and takes records again when there is room. */
static void test_full(void)
{
	struct box b;
	const uint64_t longest[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct recovery_store_stats st;
	uint64_t n = 0;
	int rc;

	box_init(&b, RECOVERY_STORE_CAP_MIN);
	while ((rc = box_blob(&b, n, 8000)) == SRP_OK && n < 1000)
		n++;
	CU_ASSERT_EQUAL(rc, SRP_EFULL);
	recovery_store_stats(b.s, &st);
	CU_ASSERT_EQUAL(st.entries, n);
	CU_ASSERT_EQUAL(st.sessions, n); /* none without a record is left over */
	CU_ASSERT(st.full > 0);
	CU_ASSERT_PTR_NULL(box_find(&b, TOY_PARENT, n, 0));
	/* small ones, until nothing goes any more */
	for (uint64_t i = 0; box_child(&b, 0, i, 1) == SRP_OK && i < 100000; i++)
		continue;
	/* one that is there, and cannot grow, stays as it was */
	CU_ASSERT_EQUAL(box_put(&b, TOY_CHILD, 0, 0, longest, 3, NULL), SRP_EFULL);
	CU_ASSERT_PTR_NOT_NULL(box_find(&b, TOY_CHILD, 0, 0));
	/* what goes makes room, also for smaller ones */
	CU_ASSERT_EQUAL(box_del(&b, TOY_PARENT, n - 1, 0, 9), SRP_OK);
	CU_ASSERT_EQUAL(box_child(&b, 0, 200000, 1), SRP_OK);
	CU_ASSERT_PTR_NOT_NULL(box_find(&b, TOY_CHILD, 0, 200000));
	CU_ASSERT_EQUAL(b.s->h->busy & 1, 0);
	box_fini(&b);
}

static void test_longest_record(void)
{
	struct box b;

	box_init(&b, RECOVERY_STORE_CAP_MIN);
	CU_ASSERT_EQUAL(box_blob(&b, UINT64_MAX, SRP_CKPT_RECORD_MAX - 4), SRP_OK);
	CU_ASSERT_EQUAL(box_blob(&b, 1, SRP_CKPT_RECORD_MAX - 3), SRP_ERANGE);
	CU_ASSERT_PTR_NULL(box_find(&b, TOY_PARENT, 1, 0));
	box_fini(&b);
}

/* Cut at every byte, and with too few fields: refused, and nothing has changed. */
static void test_malformed(void)
{
	struct box b;
	uint8_t buf[64], was[256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_ckpt_obj *o = NULL;
	struct srp_ckpt_ctx ctx;
	const struct srp_ckpt_key key = {{1, 1}};
	uint32_t before;

	box_init(&b, RECOVERY_STORE_CAP_MIN);
	CU_ASSERT_EQUAL(box_child(&b, 1, 1, 5), SRP_ENOSESS);
	CU_ASSERT_EQUAL(box_put(&b, TOY_STAT, 1, 0, (uint64_t[]){1}, 1, NULL), SRP_ENOSESS);
	CU_ASSERT_EQUAL(b.s->h->groups, 0);
	CU_ASSERT_EQUAL(box_parent(&b, 1, 5), SRP_OK);
	CU_ASSERT_EQUAL(box_put(&b, TOY_CHILD, 1, 1, (uint64_t[]){1, 2, 3}, 3, &o), SRP_OK);
	memcpy(was, o, 96);
	before = b.s->h->top;
	ctx = box_ctx(&b, TOY_CHILD, 2);
	srp_mp_w_uint(&w, 90000);
	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, 1);
	srp_mp_w_str(&w, "two");
	srp_mp_w_uint(&w, 70000);
	for (size_t len = 0; len < srp_mp_w_len(&w); len++) {
		struct srp_mp_r r = srp_mp_r_init(buf, len);

		CU_ASSERT(ctx.kind->apply(&ctx, &key, &r, 3, &o) < 0);
	}
	for (unsigned n = 0; n < 3; n++) {
		struct srp_mp_r r = srp_mp_r_init(buf, srp_mp_w_len(&w));

		CU_ASSERT_EQUAL(ctx.kind->apply(&ctx, &key, &r, n, &o), SRP_ESHORT);
	}
	CU_ASSERT_EQUAL(memcmp(was, box_find(&b, TOY_CHILD, 1, 1), 96), 0);
	CU_ASSERT_EQUAL(b.s->h->top, before);
	CU_ASSERT_EQUAL(b.s->h->busy & 1, 0);
	box_fini(&b);
}

/* --- what others see -------------------------------------------------------------------------- */

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

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

/* Changes without end, of everything but the rules; @p done counts them. */
static void churn(struct box *b, uint64_t x, volatile uint64_t *done)
{
	for (;; ++*done) {
		uint64_t p = next(&x) % TOY_PARENTS, c = next(&x) % TOY_CHILDREN;
		uint64_t v = next(&x) % 2 ? 1 : TOY_VALUE_MAX - 10; /* records grow and shrink */

		switch (next(&x) % 8) {
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
		uint64_t seed = next(&x), until = next(&x) % 20000;
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

/* The canonical form: as the row says, for numbers, arrays and nil. */
static void test_canonical(void)
{
	struct srp_ckpt_kind kind = *toy_kinds[TOY_PARENT];
	const struct srp_ckpt_kind *tab[] = {&kind};
	const struct srp_ckpt_key key = {{300}};
	void *mem = aligned_alloc(4096, RECOVERY_STORE_CAP_MIN);
	struct recovery_store *s;
	struct srp_ckpt_ctx ctx;
	struct srp_ckpt_obj *o;
	uint8_t in[128], out[128], want[128];
	struct srp_mp_w w = srp_mp_w_init(in, sizeof(in)), x;
	struct srp_mp_r r;

	kind.nfields = 6;
	kind.left_out = 1u << 0 | 1u << 3;
	kind.left_nil = 1u << 4;
	kind.names = NULL;
	s = recovery_store_new(mem, RECOVERY_STORE_CAP_MIN, tab, 1, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	ctx = (struct srp_ckpt_ctx){.owner = s, .kind = recovery_store_kinds(s)[0]};
	srp_mp_w_uint(&w, 70000);
	srp_mp_w_str(&w, "kept");
	srp_mp_w_nil(&w);
	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, 1);
	srp_mp_w_array(&w, 0);
	srp_mp_w_uint(&w, 5);
	srp_mp_w_bool(&w, true);
	r = srp_mp_r_init(in, srp_mp_w_len(&w));
	CU_ASSERT_EQUAL_FATAL(ctx.kind->apply(&ctx, &key, &r, 6, &o), SRP_OK);
	x = srp_mp_w_init(out, sizeof(out));
	CU_ASSERT_EQUAL(o->kind->encode(o, &ctx, &x), SRP_OK);
	CU_ASSERT(srp_mp_w_len(&x) == srp_mp_w_len(&w) && !memcmp(in, out, srp_mp_w_len(&x)));
	w = srp_mp_w_init(want, sizeof(want));
	srp_mp_w_uint(&w, 0);
	srp_mp_w_str(&w, "kept");
	srp_mp_w_nil(&w);
	srp_mp_w_array(&w, 0);
	srp_mp_w_nil(&w);
	srp_mp_w_bool(&w, true);
	ctx.canonical = true;
	x = srp_mp_w_init(out, sizeof(out));
	CU_ASSERT_EQUAL(o->kind->encode(o, &ctx, &x), SRP_OK);
	CU_ASSERT(srp_mp_w_len(&x) == srp_mp_w_len(&w) && !memcmp(want, out, srp_mp_w_len(&x)));
	x = srp_mp_w_init(out, srp_mp_w_len(&w) - 1);
	CU_ASSERT_EQUAL(o->kind->encode(o, &ctx, &x), SRP_ENOSPC);
	recovery_store_free(s);
	free(mem);
}

CU_TestInfo recovery_store_tests[] = {
	{"mirrors all", test_mirrors_all},
	{"audit finds nothing", test_audit_finds_nothing},
	{"a session takes its records along", test_session_takes_its_records_along},
	{"digest mends", test_digest_mends},
	{"limits of a region", test_limits_of_a_region},
	{"many", test_many},
	{"memory comes back", test_memory_comes_back},
	{"records move", test_records_move},
	{"full", test_full},
	{"longest record", test_longest_record},
	{"malformed", test_malformed},
	{"states of a view", test_states_of_a_view},
	{"key of hashes", test_key_of_hashes},
	{"applied last", test_applied_last},
	{"names", test_names},
	{"deletions", test_deletions},
	{"death at any time", test_death_at_any_time},
	{"canonical form", test_canonical},
	CU_TEST_INFO_NULL,
};

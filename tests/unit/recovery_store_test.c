/* The store: as a mirror of an instance, and as a container. */
#include "config.h"
#include "suites.h"

#include "recovery_box.h"

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
	{"canonical form", test_canonical},
	CU_TEST_INFO_NULL,
};

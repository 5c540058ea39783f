/* A store that is damaged: the reader ends, within its bounds, and gives what is whole. */
#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "recovery_mirror.h"

/* A session whose own record is no good is lost with all it has; the others are not. */
static void test_broken_records(void)
{
	struct mirror m;
	struct recovery_fill_stats st;

	mirror_loaded(&m);
	memset(recovery_entry_tail(m.store, mirror_entry(&m, TOY_PARENT, 0, 0))->record, 0xc1, 4);
	recovery_entry_tail(m.store, mirror_entry(&m, TOY_CHILD, 2, 1))->record[2] = 0xc1;
	recovery_entry_tail(m.store, mirror_entry(&m, TOY_CHILD, 4, 1))->record[0] = 3; /* of another */
	recovery_entry_tail(m.store, mirror_entry(&m, TOY_CHILD, 6, 1))->len = UINT16_MAX;
	st = mirror_recover(&m);
	CU_ASSERT_EQUAL(st.sessions_lost, 1);
	CU_ASSERT_EQUAL(st.sessions_built, 9);
	CU_ASSERT_EQUAL(st.passed_audit, 6);
	CU_ASSERT(st.broken >= 3);
	CU_ASSERT_PTR_NULL(m.k.s[0].toy.parent[0]);
	CU_ASSERT_PTR_NULL(m.k.s[0].toy.child[2][1]);
	CU_ASSERT_PTR_NOT_NULL(m.k.s[0].toy.child[2][2]);
	CU_ASSERT_PTR_NULL(m.k.s[0].toy.child[4][1]);
	CU_ASSERT_PTR_NOT_NULL(m.k.s[0].toy.child[4][2]);
	CU_ASSERT_PTR_NULL(m.k.s[0].toy.child[3][1]);
	mirror_fini(&m);
}

/* Chains that lead back, out of the region, or into each other. */
static void test_broken_chains(void)
{
	struct mirror m;
	struct recovery_fill_stats st;
	struct recovery_group *g;

	mirror_loaded(&m);
	g = recovery_group_at(m.store, m.store->h->with.head);
	g->next = m.store->h->with.head; /* the first follows itself */
	m.store->h->rules.tail = 0;
	st = mirror_recover(&m);
	CU_ASSERT(st.broken > 0);
	CU_ASSERT_EQUAL(st.sessions_built, 1 + 5);
	mirror_part(&m);
	mirror_fini(&m);

	mirror_loaded(&m);
	g = recovery_group_at(m.store, m.store->h->with.head);
	recovery_entry_tail(m.store, g->head)->next = g->head;
	st = mirror_recover(&m);
	CU_ASSERT_EQUAL(st.sessions_built, 10);
	CU_ASSERT_EQUAL(st.passed_audit, 9);
	mirror_fini(&m);

	mirror_loaded(&m);
	m.store->h->with.head = m.store->h->top;
	m.store->h->idle.head = UINT32_MAX;
	m.store->h->rules.head = 1;
	st = mirror_recover(&m);
	CU_ASSERT_EQUAL(st.applied, 0);
	CU_ASSERT_EQUAL(st.broken, 3);
	mirror_fini(&m);
}

/* A region that is damaged again and again, from one that is whole. */
struct damage {
	uint8_t *whole, *bad;
	size_t used, blocks; /* bytes in use; where the blocks begin */
	struct recovery_areas at;
	uint64_t x;
	uint64_t opened, built, broken;
};

static void damage_hit(struct damage *d)
{
	/* mostly where it hurts: blocks, and numbers of the header */
	size_t at = mirror_random(&d->x) % 3 ? d->blocks + mirror_random(&d->x) % (d->used - d->blocks)
	                            : 48 + mirror_random(&d->x) % 160;
	uint64_t what = mirror_random(&d->x);
	uint32_t ref = (uint32_t)(d->blocks / 8 + what % ((d->used - d->blocks) / 8));

	d->bad[at] = (uint8_t)what;
	if (what >> 8 & 1 && at + 4 < d->used) /* a reference that could be one */
		memcpy(d->bad + at / 4 * 4, &ref, sizeof(ref));
}

static void damage_round(struct damage *d)
{
	memcpy(d->bad, d->whole, sizeof(struct recovery_region));
	for (int i = 0; i < RECOVERY_INDEXES; i++)
		memcpy(d->bad + d->at.index[i], d->whole + d->at.index[i],
		       RECOVERY_BUCKETS_MIN * sizeof(recovery_ref));
	memcpy(d->bad + d->blocks, d->whole + d->blocks, d->used - d->blocks);
	for (unsigned hits = 1 + (unsigned)(mirror_random(&d->x) % 20); hits; hits--)
		damage_hit(d);
}

/* Everything is read, by every way there is. */
static void damage_read(struct damage *d, const struct recovery_view *v, struct srp_time now)
{
	struct toy t;
	struct recovery_sink sink;
	const struct recovery_fill_config conf = {
		.view = v, .kinds = toy_kinds, .nkinds = TOY_KINDS, .ckpt_owner = &t, .sink = &sink};
	struct recovery_fill_stats st;
	struct recovery_store_stats ss;
	struct recovery_fill *f;
	uint64_t steps = 0;

	recovery_sink_init(&sink);
	toy_init(&t, &sink.sink);
	f = recovery_fill_new(&conf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	for (uint64_t i = 0; i < 12; i++) {
		(void)recovery_fill_name(f, TOY_NAME + 100 + i, now);
		(void)recovery_fill_key(f, i, now);
	}
	while (recovery_fill_step(f, now, 3))
		steps++;
	recovery_fill_stats(f, &st);
	recovery_view_stats(v, &ss);
	CU_ASSERT(steps <= ss.entries + 2 * ss.sessions + ss.tombs + 10);
	d->opened++;
	d->built += st.sessions_built;
	d->broken += st.broken;
	recovery_fill_free(f);
	toy_fini(&t);
}

/* Bytes at random places: the reader ends, within its bounds, whatever it finds. */
static void test_damage_at_random(void)
{
	struct damage d = {.x = 20260711};
	struct recovery_view *v;
	struct mirror m;

	mirror_loaded(&m);
	d.used = (size_t)m.store->h->top * RECOVERY_UNIT;
	d.at = m.store->at;
	d.blocks = d.at.blocks;
	d.whole = malloc(d.used);
	d.bad = aligned_alloc(4096, MIRROR_CAP);
	memcpy(d.whole, m.mem, d.used);
	memset(d.bad, 0, MIRROR_CAP);
	for (int round = 0; round < 3000; round++) {
		damage_round(&d);
		v = recovery_view_open(d.bad, MIRROR_CAP, toy_kinds, TOY_KINDS, NULL);
		if (v)
			damage_read(&d, v, m.k.now);
		recovery_view_free(v);
	}
	/* some were refused whole, of most something was left */
	CU_ASSERT(d.opened > 300 && d.opened < 3000);
	CU_ASSERT(d.built > 3 * d.opened);
	CU_ASSERT(d.broken > d.opened / 2);
	free(d.whole);
	free(d.bad);
	mirror_fini(&m);
}

CU_TestInfo recovery_damage_tests[] = {
	{"broken records", test_broken_records},
	{"broken chains", test_broken_chains},
	{"damage at random", test_damage_at_random},
	CU_TEST_INFO_NULL,
};

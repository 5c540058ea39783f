#include "config.h"
#include "suites.h"

#include "recovery_mirror.h"

static void peer_joins(struct mirror *m)
{
	kit_role(&m->k, 1, SRP_ROLE_STANDBY, 0, true);
	recovery_replica_up(m->k.s[0].r, m->k.now);
	recovery_replica_up(m->k.s[1].r, m->k.now);
	kit_after(&m->k, 1500000);
}

/* What the model was is what it is; the replicas have the hashes, and nothing travels. */
static void test_fills_all(void)
{
	struct mirror m;
	struct recovery_fill_stats st;
	struct toy was, *t = &m.k.s[0].toy;
	uint64_t n, hkey;
	char why[128];

	mirror_loaded(&m);
	was = *t;
	*t = (struct toy){.sink = was.sink}; /* kept aside: the process dies with an empty model */
	hkey = recovery_replica_hkey(m.sr);
	n = mirror_records(&m);
	st = mirror_recover(&m);
	CU_ASSERT_EQUAL(toy_compare(&was, t, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(st.records, TOY_RULES + 10 + 10 + 20);
	CU_ASSERT_EQUAL(st.fetched, st.records);
	CU_ASSERT_EQUAL(st.applied, st.records);
	CU_ASSERT_EQUAL(st.rules, TOY_RULES);
	CU_ASSERT_EQUAL(st.flows, 20);
	CU_ASSERT_EQUAL(st.sessions_total, 10);
	CU_ASSERT_EQUAL(st.sessions_built, 10);
	CU_ASSERT_EQUAL(st.passed_audit, 10);
	CU_ASSERT_EQUAL(st.refused + st.broken + st.sessions_lost + st.skipped + st.named, 0);
	CU_ASSERT_EQUAL(recovery_replica_hkey(m.sr), hkey);
	CU_ASSERT_FALSE(m.k.s[0].sink.filling);
	mirror_join(&m);
	CU_ASSERT(mirror_same(&m));
	CU_ASSERT_EQUAL(mirror_records(&m), n);
	CU_ASSERT_EQUAL(m.totals.digests_unequal, 0);
	/* and an audit agrees */
	recovery_replica_audit(m.sr, m.k.now);
	(void)mirror_exchange(&m);
	CU_ASSERT_EQUAL(m.totals.silent_changes + m.sr_totals.silent_changes, 0);
	/* it goes on from there */
	toy_set_parent(t, 3, 777, m.k.now);
	toy_del_parent(t, 4, m.k.now);
	(void)mirror_exchange(&m);
	CU_ASSERT(mirror_same(&m));
	CU_ASSERT_EQUAL(m.totals.digests_unequal, 0);
	toy_fini(&was);
	mirror_fini(&m);
}

/* The peer chassis held the same: it learns nothing but what changes. */
static void test_peer_stays_level(void)
{
	struct mirror m;
	uint64_t n = 0, after = 0;

	mirror_level(&m);
	CU_ASSERT(kit_same(&m.k));
	for (size_t i = 0; i < 2 * TOY_KINDS; i++)
		n += m.k.s[1].rows[i].received;
	(void)mirror_recover(&m);
	kit_role(&m.k, 0, SRP_ROLE_ACTIVE, 2, true);
	peer_joins(&m);
	CU_ASSERT(kit_same(&m.k));
	for (size_t i = 0; i < 2 * TOY_KINDS; i++)
		after += m.k.s[1].rows[i].received;
	/* the one that was applied last is hashed anew, and no more */
	CU_ASSERT_EQUAL(after, n);
	CU_ASSERT_EQUAL(m.k.s[1].totals.digests_unequal, 0);
	/* a deletion is told, though this process never sent the object */
	toy_del_child(&m.k.s[0].toy, 0, 1, m.k.now);
	kit_exchange(&m.k);
	CU_ASSERT_EQUAL(kit_row(&m.k, 1, TOY_CHILD, true)->received, 1);
	CU_ASSERT(kit_same(&m.k));
	mirror_fini(&m);
}

/* What was deleted before the death, and not heard by the peer, does not come back from it. */
static void test_deletions_are_kept(void)
{
	struct mirror m;
	struct recovery_fill_stats st;
	struct toy *t = &m.k.s[0].toy;

	mirror_level(&m);
	kit_down(&m.k);
	toy_del_parent(t, 2, m.k.now);
	toy_del_child(t, 4, 1, m.k.now);
	toy_del_parent(t, 6, m.k.now); /* and is there again */
	toy_set_parent(t, 6, 66, m.k.now);
	(void)mirror_exchange(&m);
	st = mirror_recover(&m);
	CU_ASSERT_EQUAL(st.tombs, 3);
	CU_ASSERT_EQUAL(st.buried, 2);
	CU_ASSERT_EQUAL(kit_status(&m.k, 0).tombs, 2);
	/* the peer gives what is newer there: nothing */
	kit_connect(&m.k);
	CU_ASSERT(m.k.s[0].r->dir == RECOVERY_DIR_MERGE);
	kit_exchange(&m.k);
	CU_ASSERT_EQUAL(m.k.s[0].ev[RECOVERY_EV_FILLED], 1);
	CU_ASSERT_PTR_NULL(t->parent[2]);
	CU_ASSERT_PTR_NULL(t->child[4][1]);
	CU_ASSERT_PTR_NOT_NULL(m.k.s[1].toy.parent[2]);
	/* and hears of the deletions when the instance is whole */
	kit_role(&m.k, 0, SRP_ROLE_ACTIVE, 2, true);
	kit_after(&m.k, 1500000);
	CU_ASSERT_PTR_NULL(m.k.s[1].toy.parent[2]);
	CU_ASSERT_PTR_NULL(m.k.s[1].toy.child[4][1]);
	CU_ASSERT(kit_same(&m.k));
	CU_ASSERT_EQUAL(kit_status(&m.k, 0).tombs, 0);
	mirror_fini(&m);
}

/* What the peer has that is newer than the deletion is taken, and the deletion is forgotten. */
static void test_newer_than_a_deletion(void)
{
	struct mirror m;
	const struct srp_ckpt_key key = {{3}}, other = {{4}};
	uint8_t id = toy_kinds[TOY_PARENT]->id;

	mirror_init(&m);
	toy_set_parent(&m.k.s[0].toy, 3, 5, m.k.now);
	toy_set_parent(&m.k.s[0].toy, 3, 6, m.k.now);
	kit_connect(&m.k);
	kit_role(&m.k, 1, SRP_ROLE_STANDBY, 0, true);
	kit_exchange(&m.k);
	CU_ASSERT_EQUAL(m.k.s[1].toy.parent[3]->ckpt.version, 2);
	mirror_successor(&m, 0);
	CU_ASSERT(recovery_replica_bury(m.k.s[0].r, id, &key, 2, 1));
	CU_ASSERT_FALSE(recovery_replica_bury(m.k.s[0].r, id, &key, 2, 1)); /* it is */
	CU_ASSERT(recovery_replica_bury(m.k.s[0].r, id, &other, 2, 1));
	/* of a kind without deletions, or of none */
	CU_ASSERT_FALSE(recovery_replica_bury(m.k.s[0].r, toy_kinds[TOY_STAT]->id, &key, 2, 1));
	CU_ASSERT_FALSE(recovery_replica_bury(m.k.s[0].r, 99, &key, 2, 1));
	kit_connect(&m.k);
	CU_ASSERT_PTR_NOT_NULL(m.k.s[0].toy.parent[3]);
	CU_ASSERT_EQUAL(kit_status(&m.k, 0).tombs, 1);
	kit_check(&m.k);
	/* one that loses the role before it could say it, forgets it */
	kit_role(&m.k, 0, SRP_ROLE_STANDBY, 2, true);
	CU_ASSERT_EQUAL(kit_status(&m.k, 0).tombs, 0);
	kit_check(&m.k);
	mirror_fini(&m);
}

static void test_taken_in_before_a_role(void)
{
	struct mirror m;
	const struct srp_ckpt_key key = {{3}};

	mirror_init(&m);
	kit_death(&m.k, 1);
	kit_birth(&m.k, 1);
	CU_ASSERT(recovery_replica_bury(m.k.s[1].r, toy_kinds[TOY_PARENT]->id, &key, 2, 1));
	kit_role(&m.k, 1, SRP_ROLE_STANDBY, 0, false);
	CU_ASSERT_EQUAL(kit_status(&m.k, 1).tombs, 0);
	mirror_fini(&m);
}

/* --- order ------------------------------------------------------------------------------------ */

struct log {
	uint64_t built[64], asked[64];
	unsigned n, nasked, whole;
	uint64_t out; /* bit per session that is to be left out */
};

static bool log_skip(void *owner, uint64_t session)
{
	struct log *l = owner;

	l->asked[l->nasked++] = session;
	return l->out >> session & 1;
}

static void log_built(void *owner, uint64_t session, bool whole)
{
	struct log *l = owner;

	l->built[l->n++] = session;
	l->whole += whole;
}

static struct recovery_fill *fill_logged(struct mirror *m, const struct recovery_view *v,
                                         struct log *l)
{
	const struct recovery_fill_config conf = {
		.view = v, .kinds = toy_kinds, .nkinds = TOY_KINDS,
		.ckpt_owner = &m->k.s[0].toy, .sink = &m->k.s[0].sink, .skip = log_skip,
		.built = log_built, .owner = l};
	struct recovery_fill *f = recovery_fill_new(&conf);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	return f;
}

static void test_order(void)
{
	struct mirror m;
	struct log l = {.n = 0};
	struct recovery_view *v;
	struct recovery_fill *f;
	struct recovery_fill_stats st;
	struct toy *t = &m.k.s[0].toy;
	unsigned steps = 0;

	mirror_loaded(&m);
	v = mirror_view(&m);
	mirror_successor(&m, recovery_view_hkey(v));
	f = fill_logged(&m, v, &l);
	/* rules come first */
	CU_ASSERT(recovery_fill_step(f, m.k.now, TOY_RULES));
	recovery_fill_stats(f, &st);
	CU_ASSERT_EQUAL(st.rules, TOY_RULES);
	CU_ASSERT_EQUAL(st.fetched, TOY_RULES);
	/* one without flows, by its name; one by its number */
	CU_ASSERT_EQUAL(recovery_fill_name(f, TOY_NAME + 107, m.k.now), SRP_OK);
	CU_ASSERT_PTR_NOT_NULL(t->parent[7]);
	CU_ASSERT(t->parent[7]->stat.used);
	CU_ASSERT_EQUAL(recovery_fill_key(f, 8, m.k.now), SRP_OK);
	CU_ASSERT_PTR_NOT_NULL(t->child[8][3]);
	CU_ASSERT_EQUAL(recovery_fill_key(f, 8, m.k.now), SRP_OK);
	CU_ASSERT_EQUAL(recovery_fill_name(f, TOY_NAME + 5, m.k.now), SRP_ENOENT);
	CU_ASSERT_EQUAL(recovery_fill_key(f, 11, m.k.now), SRP_ENOENT);
	CU_ASSERT_EQUAL(toy_count(t), TOY_RULES + 2 + 6);
	/* a session that has ended meanwhile is not built again */
	toy_del_parent(t, 7, m.k.now);
	CU_ASSERT_EQUAL(recovery_fill_name(f, TOY_NAME + 107, m.k.now), SRP_OK);
	CU_ASSERT_PTR_NULL(t->parent[7]);
	recovery_fill_stats(f, &st);
	for (; recovery_fill_step(f, m.k.now, 1); steps++) {
		uint64_t was = st.fetched;

		recovery_fill_stats(f, &st);
		CU_ASSERT(st.fetched - was <= 6); /* no more than one session at a time */
	}
	CU_ASSERT(steps >= 8);
	CU_ASSERT_FALSE(recovery_fill_step(f, m.k.now, 100));
	CU_ASSERT_EQUAL(l.n, 10);
	CU_ASSERT_EQUAL(l.whole, 10);
	CU_ASSERT(l.built[0] == 7 && l.built[1] == 8);
	for (unsigned i = 2; i < 10; i++)
		CU_ASSERT_EQUAL(l.built[i] % 2, i >= 6); /* those with flows first */
	CU_ASSERT_PTR_NULL(t->parent[7]);
	recovery_fill_stats(f, &st);
	CU_ASSERT_EQUAL(st.named, 2);
	CU_ASSERT_EQUAL(st.sessions_built, 10);
	recovery_fill_free(f);
	recovery_view_free(v);
	mirror_fini(&m);
}

/* One that is asked for at once finds the rules built before it. */
static void test_rules_before_a_name(void)
{
	struct mirror m;
	struct recovery_view *v;
	struct recovery_fill *f;
	struct toy *t = &m.k.s[0].toy;

	mirror_loaded(&m);
	v = mirror_view(&m);
	mirror_successor(&m, recovery_view_hkey(v));
	f = mirror_fill(&m, v);
	CU_ASSERT_EQUAL(recovery_fill_key(f, 0, m.k.now), SRP_OK);
	CU_ASSERT_EQUAL(toy_count(t), TOY_RULES + 6);
	recovery_fill_free(f);
	recovery_view_free(v);
	mirror_fini(&m);
}

static void test_left_out(void)
{
	struct mirror m;
	struct log l = {.out = 1u << 2 | 1u << 5};
	struct recovery_view *v;
	struct recovery_fill *f;
	struct recovery_fill_stats st;

	mirror_loaded(&m);
	v = mirror_view(&m);
	mirror_successor(&m, recovery_view_hkey(v));
	f = fill_logged(&m, v, &l);
	CU_ASSERT_EQUAL(recovery_fill_key(f, 2, m.k.now), SRP_ENOSESS);
	CU_ASSERT_EQUAL(recovery_fill_name(f, TOY_NAME + 102, m.k.now), SRP_ENOSESS);
	while (recovery_fill_step(f, m.k.now, 7))
		continue;
	recovery_fill_stats(f, &st);
	CU_ASSERT_EQUAL(st.skipped, 2);
	CU_ASSERT_EQUAL(st.sessions_built, 8);
	CU_ASSERT_EQUAL(l.nasked, 10); /* once each */
	CU_ASSERT_PTR_NULL(m.k.s[0].toy.parent[2]);
	CU_ASSERT_PTR_NULL(m.k.s[0].toy.parent[5]);
	recovery_fill_free(f);
	recovery_view_free(v);
	/* what was left out, the store loses when they are level */
	mirror_join(&m);
	CU_ASSERT(mirror_same(&m));
	CU_ASSERT_EQUAL(mirror_stats(&m).sessions, 8);
	mirror_fini(&m);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void test_refused(void)
{
	struct mirror m;
	struct log l = {.n = 0};
	struct recovery_view *v;
	struct recovery_fill *f;
	struct recovery_fill_stats st;
	struct toy *t = &m.k.s[0].toy;

	mirror_loaded(&m);
	v = mirror_view(&m);
	mirror_successor(&m, recovery_view_hkey(v));
	t->full = 1u << 1; /* no child 1 */
	f = fill_logged(&m, v, &l);
	while (recovery_fill_step(f, m.k.now, 7))
		continue;
	recovery_fill_stats(f, &st);
	CU_ASSERT_EQUAL(st.refused, 5);
	CU_ASSERT_EQUAL(st.why, SRP_EFULL);
	CU_ASSERT_EQUAL(st.sessions_built, 10);
	CU_ASSERT_EQUAL(st.passed_audit, 5);
	CU_ASSERT_EQUAL(l.whole, 5);
	CU_ASSERT_EQUAL(st.fetched, st.applied + st.refused);
	recovery_fill_free(f);
	recovery_view_free(v);
	mirror_fini(&m);
}

/* --- time, hashes ----------------------------------------------------------------------------- */

/* Ages go on from the arrival of the record. */
static void test_ages(void)
{
	struct mirror m;
	struct recovery_fill_stats st;
	uint64_t since;

	mirror_init(&m);
	mirror_join(&m);
	toy_set_parent(&m.k.s[0].toy, 1, 5, m.k.now);
	m.k.now.us += SRP_SEC(20);
	toy_set_parent(&m.k.s[0].toy, 1, 6, m.k.now);
	(void)mirror_exchange(&m);
	since = m.k.s[0].toy.parent[1]->since.us;
	m.k.now.us += SRP_SEC(300);
	st = mirror_recover(&m);
	CU_ASSERT_EQUAL(st.sessions_built, 1);
	CU_ASSERT(m.k.s[0].toy.parent[1]->since.us / 1000 - since / 1000 <= 1);
	/* an arrival that is still to come is none */
	recovery_entry_tail(m.store, mirror_entry(&m, TOY_PARENT, 1, 0))->when = UINT32_MAX;
	(void)mirror_recover(&m);
	CU_ASSERT(m.k.s[0].toy.parent[1]->since.us <= m.k.now.us);
	mirror_fini(&m);
}

/* A successor with another key computes the hashes anew; they are equal in the end. */
static void test_another_key(void)
{
	struct mirror m;
	struct recovery_view *v;
	struct recovery_fill *f;
	uint64_t n;

	mirror_loaded(&m);
	v = mirror_view(&m);
	mirror_successor(&m, 0xabcdef);
	f = mirror_fill(&m, v);
	while (recovery_fill_step(f, m.k.now, 100))
		continue;
	recovery_fill_free(f);
	recovery_view_free(v);
	CU_ASSERT(recovery_fresh_left(m.sr));
	n = mirror_records(&m);
	mirror_join(&m);
	CU_ASSERT(mirror_same(&m));
	CU_ASSERT_EQUAL(mirror_records(&m), n);
	v = mirror_view(&m);
	CU_ASSERT_EQUAL(recovery_view_hkey(v), 0xabcdef);
	recovery_view_free(v);
	mirror_fini(&m);
}

/* A replica that begins to mirror takes the key that the other one has. */
static void test_rekey(void)
{
	struct mirror m;
	uint64_t n;

	mirror_loaded(&m);
	recovery_replica_rekey(m.sr, 99); /* not while it is connected */
	CU_ASSERT_NOT_EQUAL(recovery_replica_hkey(m.sr), 99);
	n = mirror_records(&m);
	mirror_part(&m);
	recovery_replica_rekey(m.sr, 0);
	CU_ASSERT_FALSE(recovery_fresh_left(m.sr));
	recovery_replica_rekey(m.sr, 99);
	CU_ASSERT_EQUAL(recovery_replica_hkey(m.sr), 99);
	recovery_replica_role(m.sr, SRP_ROLE_ACTIVE, 4, true, m.k.now);
	mirror_join(&m);
	CU_ASSERT(mirror_same(&m));
	CU_ASSERT_EQUAL(recovery_replica_hkey(m.r), 99);
	CU_ASSERT_EQUAL(mirror_records(&m), n);
	mirror_fini(&m);
}

/* What is deleted before the mirror has it, and what it never had, is remembered there. */
static void test_deleted_before_it_was_mirrored(void)
{
	struct mirror m;

	mirror_init(&m);
	mirror_load(&m, 4, 2);
	toy_del_parent(&m.k.s[0].toy, 1, m.k.now);
	toy_del_child(&m.k.s[0].toy, 2, 1, m.k.now);
	mirror_join(&m);
	CU_ASSERT(mirror_same(&m));
	CU_ASSERT_EQUAL(mirror_stats(&m).tombs, 2);
	CU_ASSERT_EQUAL(mirror_stats(&m).sessions, 3);
	mirror_fini(&m);
}

/* Again and again, with changes between: nothing is lost, nothing comes back. */
static void test_many_deaths(void)
{
	struct mirror m;
	uint64_t x = 7;

	mirror_init(&m);
	mirror_join(&m);
	for (int round = 0; round < 60; round++) {
		struct toy *t = &m.k.s[0].toy;
		struct recovery_fill_stats st;
		size_t n;

		for (int i = 0; i < 40; i++) {
			uint32_t a = (uint32_t)(mirror_random(&x) % 12);
			uint32_t b = (uint32_t)(mirror_random(&x) % TOY_CHILDREN);
			uint32_t value = (uint32_t)(mirror_random(&x) % 900000);

			switch (mirror_random(&x) % 6) {
			case 0: toy_set_parent(t, a, value, m.k.now); break;
			case 1: toy_set_child(t, a, b, value, b, m.k.now); break;
			case 2: toy_set_rule(t, b, value, m.k.now); break;
			case 3: toy_set_stat(t, a, value, m.k.now); break;
			case 4: toy_del_child(t, a, b, m.k.now); break;
			default:
				if (mirror_random(&x) % 4 == 0)
					toy_del_parent(t, a, m.k.now);
			}
			if (!t->rule[b])
				toy_set_rule(t, b, 1, m.k.now);
		}
		(void)mirror_exchange(&m);
		CU_ASSERT(mirror_same(&m));
		n = toy_count(t);
		CU_ASSERT_EQUAL(mirror_stats(&m).entries, n);
		st = mirror_recover(&m);
		CU_ASSERT_EQUAL(st.refused + st.broken + st.sessions_lost, 0);
		CU_ASSERT_EQUAL(toy_count(t), n);
		if (round % 3 == 0) { /* the store dies, too */
			mirror_close(&m);
			mirror_store(&m);
		}
		mirror_join(&m);
		CU_ASSERT(mirror_same(&m));
	}
	mirror_fini(&m);
}

static void test_arguments(void)
{
	struct mirror m;
	struct recovery_view *v;
	struct recovery_fill_config conf = {.kinds = toy_kinds, .nkinds = TOY_KINDS};

	mirror_loaded(&m);
	CU_ASSERT_PTR_NULL(recovery_fill_new(&conf));
	v = mirror_view(&m);
	conf.view = v;
	conf.nkinds = TOY_KINDS - 1;
	CU_ASSERT_PTR_NULL(recovery_fill_new(&conf));
	recovery_fill_free(NULL);
	recovery_view_free(v);
	mirror_fini(&m);
}

CU_TestInfo recovery_fill_tests[] = {
	{"fills all", test_fills_all},
	{"peer stays level", test_peer_stays_level},
	{"deletions are kept", test_deletions_are_kept},
	{"newer than a deletion", test_newer_than_a_deletion},
	{"taken in before a role", test_taken_in_before_a_role},
	{"order", test_order},
	{"rules before a name", test_rules_before_a_name},
	{"left out", test_left_out},
	{"refused", test_refused},
	{"ages", test_ages},
	{"another key", test_another_key},
	{"rekey", test_rekey},
	{"deleted before it was mirrored", test_deleted_before_it_was_mirrored},
	{"many deaths", test_many_deaths},
	{"arguments", test_arguments},
	CU_TEST_INFO_NULL,
};

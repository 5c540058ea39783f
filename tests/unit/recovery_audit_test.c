#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

/* A field that changes without a word, on the standby: stored hashes say nothing of it. */
static void silent_on_the_standby(void)
{
	struct kit k = {0};

	kit_level(&k, 10);
	k.s[1].toy.child[3][0]->value = 424242;
	kit_after(&k, SRP_SEC(3));
	CU_ASSERT_EQUAL(k.s[1].totals.digests_unequal, 0);
	recovery_replica_audit(k.s[0].r, k.now);
	kit_after(&k, 100000);
	CU_ASSERT_EQUAL(k.s[1].totals.silent_changes, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_CHILD, false)->silent, 1);
	CU_ASSERT(k.s[1].ev[RECOVERY_EV_AUDIT] == 1);
	CU_ASSERT_STRING_EQUAL(k.s[1].why, "silent change of CHILD 3/0/0, version 1");
	CU_ASSERT_EQUAL(k.s[1].toy.child[3][0]->value, 4);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->again_audit, 1);
	kit_after(&k, SRP_SEC(2));
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* The likeliest bug of all: a change on the active that nobody marked. Asked for by the standby. */
static void silent_on_the_active(void)
{
	struct kit k = {0};

	kit_level(&k, 10);
	k.s[0].toy.parent[5]->value = 4711;
	recovery_replica_audit(k.s[1].r, k.now);
	kit_after(&k, 100000);
	CU_ASSERT_EQUAL(k.s[0].totals.silent_changes, 1);
	CU_ASSERT_EQUAL(k.s[0].totals.audits, 1);
	CU_ASSERT_EQUAL(k.s[1].totals.audits, 1);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[5]->value, 4711);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_STRING_EQUAL(k.s[0].why, "silent changes repaired");
	kit_fini(&k);
}

static void nothing_to_find(void)
{
	struct kit k = {0};
	struct recovery_kind_counters was[2 * TOY_KINDS];

	kit_level(&k, 10);
	memcpy(was, k.s[0].rows, sizeof(was));
	recovery_replica_audit(k.s[0].r, k.now);
	kit_after(&k, 100000);
	CU_ASSERT_STRING_EQUAL(k.s[0].why, "equal");
	for (size_t i = 0; i < 2 * TOY_KINDS; i++)
		CU_ASSERT_EQUAL(k.s[0].rows[i].attempted, was[i].attempted);
	kit_down(&k);
	recovery_replica_audit(k.s[0].r, k.now);
	CU_ASSERT_STRING_EQUAL(k.s[0].why, "nobody to compare with");
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[0].totals.audits, 1);
	kit_fini(&k);
}

/* The connection goes while hashes are computed: the audit ends, and what it held goes on. */
static void interrupted(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};

	kit_level(&k, 10);
	toy_set_stat(&k.s[0].toy, 0, 1, k.now);
	kit_exchange(&k);
	recovery_replica_audit(k.s[0].r, k.now);
	(void)kit_take(&k, 0, buf, NULL);
	toy_set_stat(&k.s[0].toy, 0, 2, k.now);
	kit_down(&k);
	CU_ASSERT_STRING_EQUAL(k.s[0].why, "not finished");
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->stat.value, 2);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* Roots are compared each second, also when nothing happens; the digest is of what is stored. */
static void verified_each_second(void)
{
	struct kit k = {0};

	kit_level(&k, 5);
	for (int i = 0; i < 5; i++) {
		kit_after(&k, SRP_SEC(1));
		CU_ASSERT(kit_status(&k, 0).verified.us + SRP_SEC(1) >= k.now.us - 20000);
		CU_ASSERT(kit_status(&k, 1).verified.us + SRP_SEC(1) >= k.now.us - 20000);
	}
	CU_ASSERT_EQUAL(k.s[0].totals.digests_equal, 5);
	kit_fini(&k);
}

/* Every way in which one object can differ is found by the comparison alone. */
static void each_difference(void)
{
	for (int what = 0; what < 4; what++) {
		struct kit k = {0};
		struct recovery_kind *rk;

		kit_level(&k, TOY_PARENTS);
		rk = &k.s[1].r->kind[TOY_CHILD];
		switch (what) {
		case 0: /* missing on the standby */
			toy_del_child(&k.s[1].toy, 7, 0, k.now);
			break;
		case 1: /* only on the standby */
			toy_del_child(&k.s[0].toy, 7, 0, k.now);
			recovery_tomb_forget(k.s[0].r, false);
			break;
		case 2: /* other content, and the hash of it */
			k.s[1].toy.child[7][0]->value = 99;
			recovery_count(rk, &k.s[1].toy.child[7][0]->ckpt.link[0],
				       recovery_obj_hash(k.s[1].r, rk,
							 &k.s[1].toy.child[7][0]->ckpt, k.now));
			break;
		case 3: /* not counted any more */
			recovery_uncount(rk, &k.s[1].toy.child[7][0]->ckpt.link[0]);
			break;
		}
		kit_after(&k, SRP_SEC(2));
		CU_ASSERT(kit_same(&k));
		CU_ASSERT_EQUAL(k.s[1].totals.digests_unequal, 1);
		CU_ASSERT_EQUAL(k.s[1].totals.extra_deleted, what == 1);
		CU_ASSERT(k.s[0].totals.keys_named < 4);
		kit_fini(&k);
	}
}

/* An opaque kind hashes by the key that the source says, and by none that strangers choose. */
static void hash_keys(void)
{
	struct kit k = {0};

	kit_init(&k);
	CU_ASSERT_NOT_EQUAL(k.s[0].r->hkey, k.s[1].r->hkey);
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[0].r->hkey, k.s[1].r->hkey);
	toy_set_parent(&k.s[0].toy, 1, 1, k.now);
	kit_exchange(&k);
	CU_ASSERT(kit_same(&k));
	kit_down(&k);
	/* the other becomes the source: it keeps the key, nothing is hashed again */
	uint64_t key = k.s[0].r->hkey;

	kit_role(&k, 0, SRP_ROLE_STANDBY, 2, true);
	kit_role(&k, 1, SRP_ROLE_ACTIVE, 5, true);
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[1].r->hkey, key);
	/* a source with another key: the receiver hashes all again, and is busy meanwhile */
	kit_down(&k);
	k.s[1].r->hkey ^= 1;
	for (uint32_t i = 0; i < TOY_KINDS; i++)
		recovery_void_hashes(k.s[1].r, &k.s[1].r->kind[i], true);
	kit_role(&k, 1, SRP_ROLE_ACTIVE, 7, true);
	kit_connect(&k);
	kit_after(&k, SRP_SEC(1));
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(k.s[1].totals.syncs_digest, 2);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_PARENT, false)->sent, 0);
	kit_fini(&k);
}

CU_TestInfo recovery_audit_tests[] = {
	{"silent change on the standby", silent_on_the_standby},
	{"silent change on the active", silent_on_the_active},
	{"nothing to find", nothing_to_find},
	{"interrupted", interrupted},
	{"verified each second", verified_each_second},
	{"each difference is found", each_difference},
	{"hash keys", hash_keys},
	CU_TEST_INFO_NULL,
};

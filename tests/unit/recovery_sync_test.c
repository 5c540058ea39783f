#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

static void everything_to_an_empty_peer(void)
{
	struct kit k = {0};

	kit_init(&k);
	for (uint32_t i = 0; i < TOY_RULES; i++)
		toy_set_rule(&k.s[0].toy, i, 1, k.now);
	for (uint32_t i = 0; i < TOY_PARENTS; i++) {
		toy_set_parent(&k.s[0].toy, i, i, k.now);
		for (uint32_t j = 0; j < TOY_CHILDREN; j++)
			toy_set_child(&k.s[0].toy, i, j, j, j, k.now);
	}
	kit_connect(&k);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(toy_count(&k.s[1].toy), TOY_RULES + TOY_PARENTS * (1 + TOY_CHILDREN));
	CU_ASSERT_EQUAL(k.s[0].totals.syncs_full, 1);
	CU_ASSERT_EQUAL(k.s[1].ev[RECOVERY_EV_FILLED], 1);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_READY], 1);
	for (size_t i = 0; i < 2 * TOY_KINDS; i++)
		CU_ASSERT_EQUAL(k.s[1].rows[i].nacks, 0); /* in an order that can be applied */
	CU_ASSERT_EQUAL(kit_status(&k, 0).unknown, 0);
	kit_fini(&k);
}

static void resume_by_position(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};
	struct recovery_kind_counters was;
	size_t n;

	kit_level(&k, 10);
	was = *kit_row(&k, 0, TOY_PARENT, false);
	for (uint32_t i = 0; i < 6; i++)
		toy_set_parent(&k.s[0].toy, i, 100 + i, k.now);
	n = kit_take(&k, 0, buf, NULL); /* arrives, but its acknowledgement does not */
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_OK);
	toy_set_parent(&k.s[0].toy, 7, 107, k.now);
	(void)kit_take(&k, 0, buf, NULL); /* does not arrive */
	kit_down(&k);
	CU_ASSERT_EQUAL(kit_status(&k, 0).dirty, 7); /* exactly what was not acknowledged */
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->returned - was.returned, 7);
	toy_del_child(&k.s[0].toy, 9, 0, k.now);
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[0].totals.resumes, 2); /* one when the standby said it was complete */
	CU_ASSERT_EQUAL(k.s[0].totals.syncs_digest, 0);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->again_reset - was.again_reset, 7);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_PARENT, false)->duplicates, 6);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(k.s[1].totals.digests_unequal, 0);
	kit_fini(&k);
}

/* R2: the successor of a dead process is another stream: nothing is clean by arithmetic. */
static void another_stream(void)
{
	struct kit k = {0};

	kit_level(&k, 4);
	kit_down(&k);
	kit_death(&k, 1);
	kit_birth(&k, 1);
	kit_role(&k, 1, SRP_ROLE_STANDBY, 0, false);
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[0].totals.syncs_full, 2);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void only_what_differs(void)
{
	struct kit k = {0};

	kit_level(&k, TOY_PARENTS);
	kit_down(&k);
	/* both go on by themselves; then 1 has the role */
	kit_role(&k, 1, SRP_ROLE_ACTIVE, 5, true);
	toy_set_parent(&k.s[1].toy, 3, 333, k.now);
	toy_del_parent(&k.s[1].toy, 4, k.now);
	toy_set_child(&k.s[1].toy, 5, 5, 55, 1, k.now);
	toy_set_parent(&k.s[0].toy, 6, 666, k.now);     /* divergent: changed, */
	toy_set_child(&k.s[0].toy, 7, 7, 77, 1, k.now); /* created, */
	toy_del_parent(&k.s[0].toy, 8, k.now);          /* deleted by the loser */
	kit_role(&k, 0, SRP_ROLE_STANDBY, 2, true);
	CU_ASSERT_EQUAL(k.s[0].totals.divergent, 3);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->waiting, 0);
	kit_connect(&k);
	kit_after(&k, SRP_SEC(1));
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(k.s[0].toy.parent[6]->value, 7);
	CU_ASSERT_PTR_NULL(k.s[0].toy.child[7][7]);
	CU_ASSERT_PTR_NOT_NULL(k.s[0].toy.parent[8]);
	CU_ASSERT_PTR_NULL(k.s[0].toy.parent[4]);
	CU_ASSERT_EQUAL(k.s[1].totals.syncs_digest, 1);
	CU_ASSERT_EQUAL(k.s[0].totals.extra_deleted, 1); /* child 7/7; parent 4 by its record */
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_PARENT, false)->sent, 3); /* 3, 6, 8 */
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->replaced, 1);
	CU_ASSERT(kit_row(&k, 1, TOY_CHILD, false)->sent <= 3);
	kit_fini(&k);
}

/* R1: an active that came back empty empties nobody; it is refilled, and then is the source. */
static void empty_active(void)
{
	struct kit k = {0};
	size_t n;

	kit_level(&k, 20);
	n = toy_count(&k.s[1].toy);
	kit_down(&k);
	kit_death(&k, 0);
	kit_birth(&k, 0);
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 4, false);
	kit_connect(&k);
	kit_after(&k, SRP_SEC(3));
	CU_ASSERT_EQUAL(toy_count(&k.s[1].toy), n);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FILLED], 1);
	CU_ASSERT_EQUAL(k.s[1].totals.refills, 1);
	CU_ASSERT_FALSE(kit_status(&k, 0).source);
	CU_ASSERT(kit_same(&k));
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 4, true);
	kit_exchange(&k);
	CU_ASSERT(kit_status(&k, 0).source);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->sent, 20); /* counted before its death */
	toy_set_parent(&k.s[0].toy, 1, 99, k.now);
	toy_del_parent(&k.s[0].toy, 2, k.now);
	kit_after(&k, SRP_SEC(2));
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* The same with a part of its state: what is newer here stays, what is older is replaced, what only
 * it has stays, and nothing is deleted there. */
static void half_filled_active(void)
{
	struct kit k = {0};

	kit_level(&k, 6);
	kit_down(&k);
	kit_death(&k, 0);
	kit_birth(&k, 0);
	k.s[0].sink.term = 2;
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 2, false);
	toy_set_rule(&k.s[0].toy, 1, 1, k.now);
	toy_set_parent(&k.s[0].toy, 1, 1000, k.now); /* version 1, as there, other content */
	toy_set_parent(&k.s[0].toy, 2, 1000, k.now);
	toy_set_parent(&k.s[0].toy, 2, 1001, k.now); /* newer */
	toy_set_parent(&k.s[0].toy, 30, 30, k.now);  /* only here */
	k.s[0].toy.parent[1]->ckpt.version = 0;      /* older */
	kit_connect(&k);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FILLED], 1);
	CU_ASSERT_EQUAL(k.s[0].toy.parent[1]->value, 2);
	CU_ASSERT_EQUAL(k.s[0].toy.parent[2]->value, 1001);
	CU_ASSERT_PTR_NOT_NULL(k.s[0].toy.parent[30]);
	CU_ASSERT_PTR_NOT_NULL(k.s[0].toy.parent[5]);
	CU_ASSERT_PTR_NULL(k.s[1].toy.parent[30]);
	CU_ASSERT(kit_row(&k, 0, TOY_PARENT, false)->older >= 1);
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 4, true);
	kit_after(&k, SRP_SEC(2));
	CU_ASSERT_EQUAL(k.s[1].toy.parent[2]->value, 1001);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.parent[30]);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* An active that is said to be complete and has not one object sends no digest. */
static void complete_and_empty(void)
{
	struct kit k = {0};
	size_t n;

	kit_level(&k, 5);
	n = toy_count(&k.s[1].toy);
	kit_down(&k);
	kit_death(&k, 0);
	kit_birth(&k, 0);
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 4, true);
	kit_connect(&k);
	kit_after(&k, SRP_SEC(3));
	CU_ASSERT_EQUAL(toy_count(&k.s[1].toy), n);
	CU_ASSERT_EQUAL(k.s[1].totals.digests_equal + k.s[1].totals.digests_unequal, 0);
	kit_fini(&k);
}

/* One whose last object was deleted is the source all the same: the peer missed that, and forgot the
 * stream, for it was active meanwhile. */
static void became_empty(void)
{
	struct kit k = {0};

	kit_level(&k, 5);
	kit_down(&k);
	kit_role(&k, 1, SRP_ROLE_ACTIVE, 4, true);
	toy_set_parent(&k.s[1].toy, 9, 1, k.now);
	for (uint32_t i = 0; i < 5; i++)
		toy_del_parent(&k.s[0].toy, i, k.now);
	for (uint32_t i = 0; i < TOY_RULES; i++)
		toy_del_rule(&k.s[0].toy, i, k.now);
	CU_ASSERT_EQUAL(toy_count(&k.s[0].toy), 0);
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 6, true);
	kit_role(&k, 1, SRP_ROLE_STANDBY, 6, true);
	kit_connect(&k);
	kit_after(&k, SRP_SEC(3));
	CU_ASSERT_EQUAL(recovery_replica_link(k.s[0].r), RECOVERY_LINK_READY);
	CU_ASSERT_EQUAL(recovery_replica_link(k.s[1].r), RECOVERY_LINK_READY);
	CU_ASSERT_EQUAL(toy_count(&k.s[1].toy), 0);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void both_active(void)
{
	struct kit k = {0};

	kit_level(&k, 3);
	kit_role(&k, 1, SRP_ROLE_ACTIVE, 5, true);
	toy_set_parent(&k.s[0].toy, 0, 50, k.now);
	toy_set_parent(&k.s[1].toy, 0, 60, k.now);
	kit_exchange(&k);
	toy_set_parent(&k.s[0].toy, 0, 51, k.now);
	kit_after(&k, SRP_SEC(2)); /* neither accepts: nothing moves */
	CU_ASSERT_EQUAL(k.s[0].toy.parent[0]->value, 51);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 60);
	CU_ASSERT(kit_row(&k, 0, TOY_PARENT, false)->gate_gr_state > 0);
	kit_role(&k, 0, SRP_ROLE_STANDBY, 2, true);
	kit_after(&k, SRP_SEC(2));
	CU_ASSERT_EQUAL(k.s[0].toy.parent[0]->value, 60);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* The term fences: an active whose term is lower than one that was seen sends nothing. */
static void stale_term(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};
	size_t n;

	kit_level(&k, 3);
	toy_set_parent(&k.s[0].toy, 0, 50, k.now);
	n = kit_take(&k, 0, buf, NULL);
	kit_role(&k, 1, SRP_ROLE_STANDBY, 9, true); /* has heard of a newer one meanwhile */
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_OK);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 1);
	CU_ASSERT(k.s[1].totals.role_frames + k.s[1].totals.stale_frames > 0);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 1);
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 10, true);
	kit_after(&k, SRP_SEC(1));
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 50);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void planned_switchover(void)
{
	struct kit k = {0};

	kit_level(&k, 8);
	kit_role(&k, 1, SRP_ROLE_PENDING_ACTIVE, 0, true);
	kit_role(&k, 0, SRP_ROLE_PENDING_STANDBY, 2, true);
	recovery_replica_flush(k.s[0].r, true);
	for (uint32_t i = 0; i < 8; i++)
		toy_set_child(&k.s[0].toy, i, 1, i, 1, k.now);
	recovery_replica_end(k.s[0].r, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FLUSHED], 1);
	CU_ASSERT_EQUAL(k.s[0].totals.flushes, 1);
	CU_ASSERT(kit_same(&k));
	recovery_replica_flush(k.s[0].r, false);
	kit_role(&k, 0, SRP_ROLE_STANDBY, 2, true);
	kit_role(&k, 1, SRP_ROLE_ACTIVE, 5, true);
	kit_exchange(&k);
	CU_ASSERT(kit_status(&k, 1).source);
	CU_ASSERT_EQUAL(k.s[1].totals.syncs_digest, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_CHILD, false)->sent, 0); /* nothing differs */
	toy_set_parent(&k.s[1].toy, 0, 99, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[0].toy.parent[0]->value, 99);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* The answer to the end mark of a switchover that was given up comes in the middle of the next. */
static void end_mark_given_up(void)
{
	struct kit k = {0};

	kit_level(&k, 4);
	recovery_replica_flush(k.s[0].r, true);
	recovery_replica_end(k.s[0].r, k.now);
	(void)kit_send(&k, 0);
	recovery_replica_flush(k.s[0].r, false);
	toy_set_parent(&k.s[0].toy, 1, 77, k.now);
	recovery_replica_flush(k.s[0].r, true);
	recovery_replica_end(k.s[0].r, k.now);
	(void)kit_send(&k, 1);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FLUSHED], 0);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FLUSHED], 1);
	CU_ASSERT_EQUAL(k.s[0].totals.flushes, 2);
	CU_ASSERT_EQUAL(k.s[0].totals.flushes_failed, 0);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void end_mark_fails(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};

	kit_level(&k, 2);
	/* the standby's copy has changed, and its hash with it: as after an audit there */
	k.s[1].toy.parent[0]->value = 4711;
	struct recovery_kind *rk = &k.s[1].r->kind[TOY_PARENT];
	struct srp_ckpt_obj *o = &k.s[1].toy.parent[0]->ckpt;

	recovery_count(rk, &o->link[SRP_REPLICA_GR], recovery_obj_hash(k.s[1].r, rk, o, k.now));
	recovery_replica_end(k.s[0].r, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FLUSH_FAILED], 1);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FLUSHED], 0);
	kit_after(&k, SRP_SEC(1));
	CU_ASSERT(kit_same(&k)); /* repaired all the same */
	/* the connection goes before the answer */
	recovery_replica_end(k.s[0].r, k.now);
	(void)kit_take(&k, 0, buf, NULL);
	kit_down(&k);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FLUSH_FAILED], 2);
	recovery_replica_end(k.s[0].r, k.now); /* and without one at all */
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FLUSH_FAILED], 3);
	CU_ASSERT_EQUAL(k.s[0].totals.flushes_failed, 3);
	kit_fini(&k);
}

/* Live traffic while roots are compared each second: no comparison is ever unequal. */
static void equal_at_every_position(void)
{
	struct kit k = {0};
	uint32_t x = 1;

	kit_level(&k, TOY_PARENTS);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t p, c;

		x = x * 1664525 + 1013904223;
		p = x >> 8 & (TOY_PARENTS - 1);
		c = x >> 16 & (TOY_CHILDREN - 1);
		switch (x >> 24 & 7) {
		case 0: toy_set_parent(&k.s[0].toy, p, x >> 13 & 1023, k.now); break;
		case 1: toy_del_child(&k.s[0].toy, p, c, k.now); break;
		case 2: toy_set_stat(&k.s[0].toy, p, x >> 13 & 1023, k.now); break;
		case 3: if (!(x >> 27)) toy_del_parent(&k.s[0].toy, p, k.now); break;
		default: toy_set_child(&k.s[0].toy, p, c, x >> 13 & 1023, c, k.now);
		}
		if (i % 3 == 0)
			(void)kit_send(&k, (int)(i & 1));
		k.now.us += 1000;
	}
	kit_after(&k, SRP_SEC(2));
	CU_ASSERT(k.s[1].totals.digests_equal >= 15);
	CU_ASSERT_EQUAL(k.s[1].totals.digests_unequal, 0);
	CU_ASSERT_EQUAL(k.s[0].totals.digests_void, 0);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void hellos_that_do_not_fit(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};
	size_t n;

	kit_init(&k);
	k.s[1].r->conf.instance = 2; /* another instance */
	kit_up(&k);
	n = kit_take(&k, 0, buf, NULL);
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_EMISMATCH);
	CU_ASSERT_EQUAL(k.s[1].ev[RECOVERY_EV_PROTOCOL], 1);
	CU_ASSERT_EQUAL(recovery_replica_link(k.s[1].r), RECOVERY_LINK_HELLO);
	kit_down(&k);
	k.s[1].r->conf.instance = 0;
	kit_up(&k);
	n = kit_take(&k, 0, buf, NULL);
	buf[SRP_FRAME_HDR_LEN + 3] = buf[SRP_FRAME_HDR_LEN + 4] = 2; /* versions 2 to 2 */
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_EVERSION);
	kit_fini(&k);
}

/* FR-088: a peer without a kind: it is not sent, the others are. */
static void peer_without_a_kind(void)
{
	struct kit k = {0};

	kit_init(&k);
	k.s[1].r->by_id[210] = 0; /* does not know children, and does not offer them */
	k.s[1].r->conf.nkinds = TOY_KINDS;
	kit_up(&k);
	kit_exchange(&k);
	k.s[0].r->kind[TOY_CHILD].active = false;
	k.s[1].r->kind[TOY_CHILD].active = false;
	toy_set_rule(&k.s[0].toy, 1, 1, k.now);
	toy_set_parent(&k.s[0].toy, 1, 1, k.now);
	kit_exchange(&k);
	toy_set_child(&k.s[0].toy, 1, 1, 1, 1, k.now);
	kit_after(&k, SRP_SEC(2));
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->gate_gr_state, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->sent, 0);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.parent[1]);
	CU_ASSERT(k.s[1].totals.digests_equal > 0);
	CU_ASSERT_EQUAL(k.s[1].totals.digests_unequal, 0);
	kit_fini(&k);
}

CU_TestInfo recovery_sync_tests[] = {
	{"everything to an empty peer", everything_to_an_empty_peer},
	{"resume by position", resume_by_position},
	{"another stream", another_stream},
	{"only what differs", only_what_differs},
	{"an empty active empties nobody", empty_active},
	{"a half-filled active", half_filled_active},
	{"complete and empty", complete_and_empty},
	{"became empty", became_empty},
	{"both active", both_active},
	{"a stale term", stale_term},
	{"planned switchover", planned_switchover},
	{"an end mark that fails", end_mark_fails},
	{"an end mark is given up", end_mark_given_up},
	{"equal at every position", equal_at_every_position},
	{"hellos that do not fit", hellos_that_do_not_fit},
	{"a peer without a kind", peer_without_a_kind},
	CU_TEST_INFO_NULL,
};

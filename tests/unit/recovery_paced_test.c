/* Kinds whose changes wait for a turn of their replica: struct srp_ckpt_kind, paced. */
#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

static bool closed; /* it is nobody's turn */

static bool paced(const struct srp_ckpt_ctx *ctx)
{
	CU_ASSERT_PTR_NOT_NULL(ctx->owner);
	CU_ASSERT_EQUAL(ctx->replica, SRP_REPLICA_GR);
	return closed;
}

/* Both sides level; children of side 0 wait for turns from now on. */
static void begin(struct kit *k)
{
	static struct srp_ckpt_kind child;

	*k = (struct kit){0};
	closed = false;
	kit_level(k, 3);
	child = *toy_kinds[TOY_CHILD];
	child.paced = paced;
	k->s[0].r->kind[TOY_CHILD].k = &child;
	closed = true;
}

static uint32_t child_there(const struct kit *k)
{
	return k->s[1].toy.child[0][0]->value;
}

static void changes_wait_for_the_turn(void)
{
	struct kit k;
	uint64_t sent;

	begin(&k);
	sent = kit_row(&k, 0, TOY_CHILD, false)->sent;
	toy_set_child(&k.s[0].toy, 0, 0, 50, 0, k.now);
	toy_set_parent(&k.s[0].toy, 0, 70, k.now); /* another kind does not wait */
	CU_ASSERT_EQUAL(recovery_replica_due(k.s[0].r).us, 1);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 70);
	CU_ASSERT_EQUAL(child_there(&k), 1);
	CU_ASSERT_NOT_EQUAL(recovery_replica_due(k.s[0].r).us, 1); /* nobody spins */
	toy_set_child(&k.s[0].toy, 0, 0, 51, 0, k.now); /* overtakes the one that waits */
	kit_after(&k, SRP_SEC(5));
	CU_ASSERT_EQUAL(child_there(&k), 1);
	closed = false;
	CU_ASSERT_EQUAL(recovery_replica_due(k.s[0].r).us, 1);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(child_there(&k), 51);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->sent, sent + 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->coalesced, 1);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* What is begun in a turn is not cut short by its end. */
static void a_turn_is_finished(void)
{
	struct kit k;

	begin(&k);
	closed = false;
	toy_set_child(&k.s[0].toy, 0, 0, 50, 0, k.now);
	closed = true;
	kit_exchange(&k);
	CU_ASSERT_EQUAL(child_there(&k), 50);
	kit_fini(&k);
}

/* An audit finds nothing in what waits; a flush waits for nobody. */
static void audit_and_flush(void)
{
	struct kit k;

	begin(&k);
	toy_set_child(&k.s[0].toy, 0, 0, 50, 0, k.now);
	recovery_replica_audit(k.s[0].r, k.now);
	kit_after(&k, 200000);
	CU_ASSERT_EQUAL(k.s[0].totals.silent_changes, 0);
	CU_ASSERT_EQUAL(k.s[1].totals.silent_changes, 0);
	CU_ASSERT_EQUAL(child_there(&k), 1);
	recovery_replica_flush(k.s[0].r, true);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(child_there(&k), 50);
	recovery_replica_flush(k.s[0].r, false);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* The link goes and comes, a deletion overtakes, the role is lost: nothing that waits is forgotten. */
static void while_they_wait(void)
{
	struct kit k;

	begin(&k);
	toy_set_child(&k.s[0].toy, 0, 0, 50, 0, k.now);
	toy_set_child(&k.s[0].toy, 1, 0, 50, 0, k.now);
	toy_del_child(&k.s[0].toy, 1, 0, k.now);
	kit_exchange(&k);
	CU_ASSERT_PTR_NULL(k.s[1].toy.child[1][0]);
	kit_down(&k);
	kit_after(&k, SRP_SEC(1));
	kit_up(&k);
	kit_after(&k, SRP_SEC(1));
	closed = false;
	kit_after(&k, SRP_SEC(1));
	CU_ASSERT_EQUAL(child_there(&k), 50);
	CU_ASSERT(kit_same(&k));
	closed = true;
	toy_set_child(&k.s[0].toy, 0, 0, 60, 0, k.now);
	kit_role(&k, 0, SRP_ROLE_STANDBY, 2, true);
	CU_ASSERT_EQUAL(k.s[0].totals.divergent, 1);
	kit_check(&k);
	kit_fini(&k);
}

CU_TestInfo recovery_paced_tests[] = {
	{"changes wait for the turn", changes_wait_for_the_turn},
	{"a turn is finished", a_turn_is_finished},
	{"audit and flush", audit_and_flush},
	{"while they wait", while_they_wait},
	CU_TEST_INFO_NULL,
};

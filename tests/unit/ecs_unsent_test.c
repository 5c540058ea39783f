/* Flows that are eligible and not checkpointed: told of, so that the peer knows why it has not got them. */
#include "config.h"
#include "suites.h"

#include "ecs/unsent.h"
#include "ecs_kit.h"

static enum ecs_unsent_why why(struct kit *k, uint32_t callid, uint16_t port, bool v6, bool unnamed)
{
	struct ecs_session *s = ecs_session_find(k->e, callid);
	struct ecs_flow_key key = kit_key(s, port, v6);

	return ecs_unsent_why(k->e, s, &key, unnamed);
}

static void second(struct kit *k)
{
	k->now.us += SRP_SEC(1);
	while (ecs_engine_tick(k->e, k->now, 100))
		;
}

static void become(struct kit *k, bool active)
{
	ecs_engine_active(k->e, active, k->now);
}

static void test_reasons(void)
{
	struct ecs_unsent_image most = {.n = 0};
	struct ecs_session *s;
	struct ecs_flow *f[4], *slow;
	struct kit a, b;
	unsigned told;

	kit_init_with(&a, 0, true, 0, 1);
	kit_init_with(&b, 1, false, 0, 1);
	s = kit_session(&a, 7, 1, true);
	kit_flow(&a, s, 2000, false, "plain"); /* the first speaks for a block of ids */
	second(&a);
	told = a.rec.changed[179];
	slow = kit_flow(&a, s, 900, false, "slow");
	for (uint16_t i = 0; i < 4; i++)
		f[i] = kit_flow(&a, s, (uint16_t)(1000 + i), i & 1, "web");
	CU_ASSERT_EQUAL(a.rec.changed[179], told); /* not for each of them: once in the turn */
	second(&a);
	CU_ASSERT_EQUAL(a.rec.changed[179], told + 1);
	CU_ASSERT_EQUAL(a.ctr.unsent_told, 1);
	second(&a);
	CU_ASSERT_EQUAL(a.rec.changed[179], told + 1);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	kit_torture(&a, &b, &s->call);
	CU_ASSERT_TRUE(kit_same(&a, &s->call, &b, &ecs_session_find(b.e, 7)->call));

	/* as many as there can be, of both sorts */
	ecs_unsent_free(ecs_session_find(b.e, 7));
	most.beyond[0] = most.beyond[1] = UINT32_C(1) << 31;
	CU_ASSERT_EQUAL(ecs_unsent_apply(b.e, ecs_session_find(b.e, 7), &most), 0);
	CU_ASSERT_PTR_NOT_NULL(ecs_session_find(b.e, 7)->unsent);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);

	become(&b, true);
	CU_ASSERT_EQUAL(why(&b, 7, 900, false, true), ECS_UNSENT_LATE);
	CU_ASSERT_EQUAL(why(&b, 7, 1001, true, true), ECS_UNSENT_LIMIT);
	CU_ASSERT_EQUAL(why(&b, 7, 1001, true, true), ECS_UNSENT_NOT); /* once */
	CU_ASSERT_EQUAL(why(&b, 7, 1002, false, false), ECS_UNSENT_LIMIT);
	CU_ASSERT_EQUAL(why(&b, 7, 1003, true, false), ECS_UNSENT_LIMIT);
	CU_ASSERT_EQUAL(why(&b, 7, 2000, false, true), ECS_UNSENT_NOT);
	/* it speaks for itself now */
	second(&b);
	become(&b, false);
	become(&b, true);
	CU_ASSERT_EQUAL(why(&b, 7, 900, false, true), ECS_UNSENT_NOT);

	/* none any more */
	ecs_flow_drop(a.e, slow, ECS_TELL, a.now);
	for (unsigned i = 0; i < 4; i++)
		ecs_flow_drop(a.e, f[i], ECS_TELL, a.now);
	second(&a);
	CU_ASSERT_EQUAL(a.ctr.unsent_told, 2);
	CU_ASSERT_EQUAL(s->ndelays, 0);
	kit_fini(&a);
	kit_fini(&b);
}

/* One named more than there are places for. */
static void test_many(void)
{
	struct ecs_session *s;
	struct srp_ckpt_obj *out;
	unsigned found = 0;
	struct kit a, b;

	kit_init_with(&a, 0, true, 0, 1);
	kit_init_with(&b, 1, false, 0, 1);
	s = kit_session(&a, 7, 1, false);
	for (uint16_t i = 0; i < ECS_UNSENT_NAMED + 2; i++)
		kit_flow(&a, s, (uint16_t)(1000 + i), false, "web");
	second(&a);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	become(&b, true);
	for (uint16_t i = 1; i < ECS_UNSENT_NAMED + 2; i++)
		found += why(&b, 7, (uint16_t)(1000 + i), false, false) == ECS_UNSENT_LIMIT;
	CU_ASSERT_EQUAL(found, ECS_UNSENT_NAMED);
	CU_ASSERT_EQUAL(why(&b, 7, 5000, false, true), ECS_UNSENT_LIMIT);
	CU_ASSERT_EQUAL(why(&b, 7, 5001, false, true), ECS_UNSENT_NOT);
	/* told to a chassis that is active: it is being filled */
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	CU_ASSERT_EQUAL(why(&b, 7, 5001, false, true), ECS_UNSENT_LIMIT);
	CU_ASSERT_EQUAL(why(&b, 7, 1001, false, false), ECS_UNSENT_LIMIT);
	kit_fini(&a);
	kit_fini(&b);
}

/* At a planned switchover at once, and the delays have been fired: what has no place then waits for one. */
static void test_flush(void)
{
	struct ecs_session *s;
	struct kit a, b;

	kit_init_with(&a, 0, true, 0, 2);
	kit_init_with(&b, 1, false, 0, 2);
	s = kit_session(&a, 7, 1, false);
	second(&a);
	kit_flow(&a, s, 900, false, "slow");
	kit_flow(&a, s, 901, false, "web");
	kit_flow(&a, s, 902, false, "web");
	ecs_engine_flush(a.e, a.now);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	become(&b, true);
	CU_ASSERT_EQUAL(why(&b, 7, 902, false, true), ECS_UNSENT_NOT);
	CU_ASSERT_EQUAL(why(&b, 7, 900, false, true), ECS_UNSENT_LIMIT);
	kit_fini(&a);
	kit_fini(&b);
}

CU_TestInfo ecs_unsent_tests[] = {
	{"reasons", test_reasons},
	{"more than are named", test_many},
	{"flush", test_flush},
	CU_TEST_INFO_NULL,
};

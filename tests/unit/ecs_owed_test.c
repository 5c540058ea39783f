#include "config.h"
#include "suites.h"

#include "ecs/engine_impl.h"
#include "ecs/ledger.h"
#include "ecs_kit.h"

/* As a packet does. */
static void charge(struct kit *k, struct ecs_session *s, uint64_t bytes)
{
	k->e->conf.owed->charged += bytes;
	ecs_usage_charge(k->e, s, 0, ECS_USAGE_SESSION, 0, 0, ECS_UPLINK, 1, bytes, k->now);
	ecs_usage_charge(k->e, s, 5, ECS_USAGE_RULE, 77, 0, ECS_UPLINK, 1, bytes, k->now);
}

static uint64_t owed(struct kit *k)
{
	uint64_t charged;

	return ecs_owed_octets(k->e->conf.owed, &charged);
}

static void pass(struct kit *k, uint32_t callid, enum ecs_usage_of of, enum srp_replica_id replica,
                 enum srp_ckpt_passing what)
{
	struct ecs_usage *u = of == ECS_USAGE_SESSION ? ecs_usage_find(k->e, callid, 0, of, 0)
	                                              : ecs_usage_find(k->e, callid, 5, of, 77);
	struct srp_ckpt_pass p = {.what = what, .replica = replica, .seq = 1, .now = k->now, .owner = k->e};

	CU_ASSERT_PTR_NOT_NULL_FATAL(u);
	u->ckpt.kind->passed(&u->ckpt, NULL, &p);
}

/* Owed until the peer has acknowledged what was told, and of that no more. */
static void test_acknowledged(void)
{
	struct ecs_session *s;
	struct kit a;

	kit_init(&a, 1, true);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(owed(&a), 0);
	charge(&a, s, 100);
	charge(&a, s, 50);
	CU_ASSERT_EQUAL(owed(&a), 150); /* each octet once */
	ecs_usage_turn(a.e, a.now);
	pass(&a, 7, ECS_USAGE_SESSION, SRP_REPLICA_GR, SRP_CKPT_SENT);
	pass(&a, 7, ECS_USAGE_RULE, SRP_REPLICA_GR, SRP_CKPT_ACKED);
	pass(&a, 7, ECS_USAGE_SESSION, SRP_REPLICA_SR, SRP_CKPT_ACKED);
	pass(&a, 7, ECS_USAGE_SESSION, SRP_REPLICA_GR, SRP_CKPT_REFUSED);
	CU_ASSERT_EQUAL(owed(&a), 150);
	charge(&a, s, 7); /* while the record was on its way: it is of the next turn */
	pass(&a, 7, ECS_USAGE_SESSION, SRP_REPLICA_GR, SRP_CKPT_ACKED);
	CU_ASSERT_EQUAL(owed(&a), 7);
	pass(&a, 7, ECS_USAGE_SESSION, SRP_REPLICA_GR, SRP_CKPT_ACKED); /* repeated */
	CU_ASSERT_EQUAL(owed(&a), 7);
	ecs_usage_turn(a.e, a.now);
	pass(&a, 7, ECS_USAGE_SESSION, SRP_REPLICA_GR, SRP_CKPT_ACKED);
	CU_ASSERT_EQUAL(owed(&a), 0);
	CU_ASSERT_EQUAL(a.e->conf.owed->charged, 157);
	kit_fini(&a);
}

/* The volume of a session that ends is owed until the peer must have heard of its end. */
static void test_ended(void)
{
	struct ecs_session *s;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 100);
	ecs_usage_turn(a.e, a.now);
	pass(&a, 7, ECS_USAGE_SESSION, SRP_REPLICA_GR, SRP_CKPT_ACKED);
	charge(&a, s, 30);
	ecs_engine_tick(a.e, a.now, 100);
	ecs_session_delete(a.e, 7, ECS_END_OPERATOR, a.now);
	CU_ASSERT_EQUAL(owed(&a), 30);
	for (int i = 0; i < 10; i++) { /* a second, at least */
		ecs_engine_tick(a.e, a.now, 100);
		CU_ASSERT_EQUAL(owed(&a), 30);
		a.now = srp_time_add(a.now, SRP_MS(100));
	}
	a.now = srp_time_add(a.now, SRP_SEC(1));
	ecs_engine_tick(a.e, a.now, 100);
	CU_ASSERT_EQUAL(owed(&a), 0);
	/* who lost the role owes nothing for what the peer ends */
	s = kit_session(&a, 8, 1, false);
	charge(&a, s, 40);
	ecs_engine_active(a.e, false, a.now);
	CU_ASSERT_EQUAL(owed(&a), 40);
	ecs_session_delete(a.e, 8, ECS_END_OPERATOR, a.now);
	CU_ASSERT_EQUAL(owed(&a), 0);
	kit_fini(&a);
}

/* What comes in a record is known to who sent it; what it lacks of ours is not. */
static void test_records(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 100);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(owed(&b), 0);
	/* both were active: B's record does not know of what A has charged since */
	charge(&a, s, 25);
	ecs_engine_active(a.e, false, a.now);
	ecs_engine_active(b.e, true, b.now);
	charge(&b, ecs_session_find(b.e, 7), 11);
	ecs_usage_turn(b.e, b.now);
	CU_ASSERT_EQUAL(owed(&b), 11);
	CU_ASSERT_EQUAL(kit_send(&b, &a, &ecs_usage_find(b.e, 7, 0, ECS_USAGE_SESSION, 0)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(owed(&a), 25);
	ecs_engine_active(a.e, true, a.now);
	ecs_usage_turn(a.e, a.now);
	pass(&a, 7, ECS_USAGE_SESSION, SRP_REPLICA_GR, SRP_CKPT_ACKED);
	CU_ASSERT_EQUAL(owed(&a), 0);
	kit_fini(&a);
	kit_fini(&b);
}

static void begin(struct kit *k, struct ecs_owed *o, char *mem, size_t len, bool fresh)
{
	struct ecs_engine_identity id = {.instance = 3, .ledger = mem, .ledger_len = len,
	                                 .ledger_fresh = fresh, .owed = o};

	kit_init(k, 1, false);
	id.counters = &k->ctr;
	id.rule_stats = k->stats;
	CU_ASSERT_EQUAL(ecs_engine_assume(k->e, &id), 0);
}

/* The count goes on with the next process of the instance, and what its ledger has and no record is owed. */
static void test_next_process(void)
{
	size_t len = 16384;
	char *m = aligned_alloc(64, len);
	struct ecs_owed o = {.charged = 1000, .known = 900};
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct kit a, b, c;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	memset(m, 0, len);
	begin(&a, &o, m, len, true);
	CU_ASSERT_EQUAL(owed(&a), 0); /* of the one before: it had no ledger */
	ecs_engine_active(a.e, true, a.now);
	s = kit_session(&a, 7, 1, false);
	charge(&a, s, 100);
	ecs_usage_turn(a.e, a.now);
	charge(&a, s, 60);
	CU_ASSERT_EQUAL(owed(&a), 160);
	CU_ASSERT_EQUAL(o.charged, 1160);
	begin(&b, &o, m, len, false);
	CU_ASSERT_EQUAL(owed(&b), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_EQUAL(owed(&b), 160); /* no record of the volume yet */
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(owed(&b), 60);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0); /* again */
	CU_ASSERT_EQUAL(owed(&b), 60);
	CU_ASSERT_EQUAL(o.charged, 1160);
	begin(&c, NULL, NULL, 0, false); /* its own */
	CU_ASSERT_EQUAL(owed(&c), 0);
	CU_ASSERT_EQUAL(owed(&b), 60);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
	free(m);
}

CU_TestInfo ecs_owed_tests[] = {
	{"owed until it is acknowledged", test_acknowledged},
	{"sessions that end", test_ended},
	{"what records say", test_records},
	{"the next process", test_next_process},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

/* FR-168 */
static void first_fc(void)
{
	struct kit k = {0};

	kit_level(&k, 1);
	toy_set_parent(&k.s[0].toy, 5, 1, k.now);
	toy_set_child(&k.s[0].toy, 5, 0, 1, 1, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->gate_first_fc, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->waiting, 0);
	kit_exchange(&k); /* the child goes right after its parent, without another change */
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->again_period, 1);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.child[5][0]);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(kit_row(&k, 1, TOY_CHILD, false)->nacks, 0);
	kit_fini(&k);
}

/* FR-172 */
static void young_parent(void)
{
	struct kit k = {0};

	kit_level(&k, 1);
	toy_set_parent(&k.s[0].toy, 5, 1, k.now); /* first it is young, then told of */
	toy_del_parent(&k.s[0].toy, 5, k.now);
	toy_set_parent(&k.s[0].toy, 6, 1, k.now);
	k.s[0].toy.parent[6]->young = true;
	toy_set_parent(&k.s[0].toy, 6, 2, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_not_ready, 1);
	kit_exchange(&k); /* the change before it was young waits in its place, and goes */
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.parent[6]);
	toy_set_parent(&k.s[0].toy, 6, 3, k.now);
	toy_set_child(&k.s[0].toy, 6, 1, 1, 1, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[6]->value, 2);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.child[6][1]); /* the peer has its parent */
	k.s[0].toy.parent[6]->young = false;
	kit_after(&k, SRP_SEC(3)); /* found without a change */
	CU_ASSERT_EQUAL(k.s[1].toy.parent[6]->value, 3);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

static void flush_takes_the_young(void)
{
	struct kit k = {0};

	kit_level(&k, 1);
	toy_set_parent(&k.s[0].toy, 0, 1, k.now);
	kit_exchange(&k);
	struct toy_parent *p = k.s[0].toy.parent[0];

	p->young = true;
	toy_set_parent(&k.s[0].toy, 0, 77, k.now);
	kit_after(&k, SRP_SEC(3));
	CU_ASSERT_NOT_EQUAL(k.s[1].toy.parent[0]->value, 77);
	recovery_replica_flush(k.s[0].r, true);
	recovery_replica_end(k.s[0].r, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 77);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FLUSHED], 1);
	toy_set_parent(&k.s[0].toy, 0, 78, k.now); /* the gate is off while flushing */
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_not_ready, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->waiting, 1);
	kit_fini(&k);
}

/* FR-169 */
static void invalidate(void)
{
	struct kit k = {0};
	struct toy_parent *p;

	kit_level(&k, 1);
	p = k.s[0].toy.parent[0];
	toy_set_child(&k.s[0].toy, 0, 0, 9, 1, k.now); /* pending when the call ends */
	k.s[0].sink.sink.deleted(&k.s[0].sink.sink, &p->ckpt, true, k.now);
	toy_set_child(&k.s[0].toy, 0, 0, 10, 1, k.now);
	toy_set_child(&k.s[0].toy, 0, 7, 11, 1, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->gate_invalidate, 2);
	k.s[0].sink.sink.changed(&k.s[0].sink.sink, &p->ckpt, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_invalidate, 1);
	toy_del_child(&k.s[0].toy, 0, 0, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, true)->gate_invalidate, 1);
	/* and what was pending has not gone either */
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->gate_invalidate, 3);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->cancelled, 0);
	toy_del_parent(&k.s[0].toy, 0, k.now);
	kit_exchange(&k);
	CU_ASSERT_PTR_NULL(k.s[1].toy.parent[0]);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* FR-173 */
static void gr_state(void)
{
	struct kit k = {0};

	kit_level(&k, 2);
	kit_down(&k);
	toy_set_parent(&k.s[0].toy, 0, 9, k.now);
	toy_set_parent(&k.s[0].toy, 0, 10, k.now);
	toy_del_child(&k.s[0].toy, 1, 0, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_gr_state, 2);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, true)->gate_gr_state, 1);
	kit_connect(&k); /* sent after it is back */
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 10);
	CU_ASSERT_PTR_NULL(k.s[1].toy.child[1][0]);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->again_period, 1);
	/* a role that may not send */
	kit_role(&k, 0, SRP_ROLE_INIT, 2, true);
	toy_set_parent(&k.s[0].toy, 0, 11, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_gr_state, 3);
	kit_fini(&k);
}

/* FR-174 */
static void congested(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {.inflight_max = 4};
	size_t n;

	kit_level(&k, 8);
	for (uint32_t i = 0; i < 8; i++)
		toy_set_parent(&k.s[0].toy, i, 100 + i, k.now);
	n = kit_take(&k, 0, buf, NULL);
	CU_ASSERT_EQUAL(kit_status(&k, 0).inflight, 4); /* the peer does not read */
	CU_ASSERT_EQUAL(kit_take(&k, 0, buf + n, NULL), 0);
	for (uint32_t i = 0; i < 8; i++)
		toy_set_child(&k.s[0].toy, i, 0, 200 + i, 1, k.now);
	toy_del_child(&k.s[0].toy, 0, 0, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->gate_congested, 8);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, true)->gate_congested, 1);
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_OK);
	kit_exchange(&k);
	CU_ASSERT(kit_same(&k));
	CU_ASSERT_EQUAL(kit_status(&k, 0).dirty, 0);
	kit_fini(&k);
}

/* The connection takes no more, though little is in flight. */
static void full(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};
	struct recovery_kind_counters *row;

	kit_level(&k, 2);
	row = kit_row(&k, 0, TOY_PARENT, false);
	recovery_replica_full(k.s[0].r);
	toy_set_parent(&k.s[0].toy, 0, 7, k.now);
	toy_del_child(&k.s[0].toy, 1, 0, k.now);
	CU_ASSERT_EQUAL(row->gate_congested, 1);
	CU_ASSERT_EQUAL(row->waiting, 0);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, true)->gate_congested, 1);
	CU_ASSERT(kit_take(&k, 0, buf, NULL) > 0); /* it takes more again: what was held goes */
	toy_set_parent(&k.s[0].toy, 1, 8, k.now);
	CU_ASSERT_EQUAL(row->gate_congested, 1);
	kit_down(&k); /* what was given out is sent again */
	recovery_replica_full(k.s[0].r);
	kit_connect(&k);
	toy_set_parent(&k.s[0].toy, 1, 9, k.now);
	CU_ASSERT_EQUAL(row->gate_congested, 1);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 7);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[1]->value, 9);
	CU_ASSERT_PTR_NULL(k.s[1].toy.child[1][0]);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* FR-175 */
static void recovery(void)
{
	struct kit k = {0};

	kit_level(&k, 2);
	kit_down(&k);
	kit_death(&k, 0);
	kit_birth(&k, 0);
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 4, false);
	kit_up(&k);
	kit_send(&k, 0);
	kit_send(&k, 1);
	kit_send(&k, 0); /* agreed, nothing filled yet */
	toy_set_parent(&k.s[0].toy, 20, 1, k.now);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_recovery, 1);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_FILLED], 1);
	kit_role(&k, 0, SRP_ROLE_ACTIVE, 4, true);
	kit_exchange(&k);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.parent[20]);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* FR-176, FR-185: it counts changes, nothing is attempted. */
static void audit(void)
{
	static uint8_t buf[KIT_BUF];
	struct kit k = {0};
	bool more;

	kit_level(&k, 2);
	toy_set_stat(&k.s[0].toy, 0, 5, k.now);
	kit_exchange(&k);
	struct recovery_kind_counters was = *kit_row(&k, 0, TOY_STAT, false);

	recovery_replica_audit(k.s[0].r, k.now);
	size_t n = kit_take(&k, 0, buf, &more); /* it has begun, and not ended */

	CU_ASSERT(more);
	for (uint32_t i = 0; i < 3; i++)
		toy_set_stat(&k.s[0].toy, 0, 6 + i, k.now);
	toy_set_parent(&k.s[0].toy, 0, 6, k.now); /* not of that sort */
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_STAT, false)->gate_audit - was.gate_audit, 3);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_STAT, false)->attempted, was.attempted);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_audit, 0);
	CU_ASSERT_EQUAL(kit_feed(&k, 1, buf, n), SRP_OK);
	kit_after(&k, 100000);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->stat.value, 8);
	CU_ASSERT_EQUAL(k.s[0].ev[RECOVERY_EV_AUDIT], 1);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* One change, several reasons: the first one counts, and only that. */
static void first_reason(void)
{
	struct kit k = {0};

	kit_level(&k, 1);
	kit_down(&k);
	toy_set_parent(&k.s[0].toy, 9, 1, k.now);
	toy_set_child(&k.s[0].toy, 9, 0, 1, 1, k.now); /* no first FC, and no link */
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->gate_first_fc, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, false)->gate_gr_state, 0);
	k.s[0].toy.parent[9]->young = true;
	toy_set_parent(&k.s[0].toy, 9, 2, k.now); /* not ready, and no link */
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_not_ready, 1);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->gate_gr_state, 1);
	kit_check(&k);
	kit_fini(&k);
}

/* FR-170 */
static void encoding(void)
{
	struct kit k = {0};
	struct recovery_kind_counters *row;

	kit_level(&k, 2);
	row = kit_row(&k, 0, TOY_PARENT, false);
	toy_set_parent(&k.s[0].toy, 0, TOY_BIG, k.now);
	kit_after(&k, SRP_SEC(2));
	CU_ASSERT_EQUAL(row->encode_failed, 1);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[0]->value, 1); /* as it was */
	toy_set_parent(&k.s[0].toy, 0, 5, k.now);        /* not lost */
	kit_exchange(&k);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* FR-171: between the list of keys and what the peer wants of it. */
static void gone(void)
{
	struct kit k = {0};
	struct recovery_kind_counters *row, was;

	kit_level(&k, 3);
	toy_del_parent(&k.s[1].toy, 0, k.now); /* the peer has lost two */
	toy_del_parent(&k.s[1].toy, 1, k.now);
	row = kit_row(&k, 0, TOY_PARENT, false);
	was = *row;
	k.now.us += SRP_SEC(2);
	kit_send(&k, 0);
	kit_send(&k, 1); /* they differ */
	kit_send(&k, 0);
	kit_send(&k, 1); /* in which buckets */
	kit_send(&k, 0);
	toy_del_parent(&k.s[0].toy, 1, k.now);
	kit_send(&k, 1); /* in which keys */
	CU_ASSERT_EQUAL(row->encode_ignored - was.encode_ignored, 1);
	CU_ASSERT_EQUAL(row->attempted - was.attempted, 1);
	CU_ASSERT_EQUAL(row->sent, was.sent);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->attempted - was.attempted, 2);
	CU_ASSERT_EQUAL(row->sent - was.sent, 1);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.parent[0]);
	CU_ASSERT_PTR_NULL(k.s[1].toy.parent[1]);
	kit_after(&k, SRP_SEC(2));
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* FR-178, the limiter: 50 flows at once, 20 over the burst: 30 sent, 50 attempted, 20 limited; after the
 * retry 50, 70, 20. */
static void limiter(void)
{
	struct kit k = {.rate = 100, .burst = 30};
	struct recovery_kind_counters *row, was;

	kit_level(&k, TOY_PARENTS);
	k.now.us += SRP_SEC(10);
	kit_exchange(&k);
	row = kit_row(&k, 0, TOY_CHILD, false);
	was = *row;
	for (uint32_t i = 0; i < 50; i++)
		toy_set_child(&k.s[0].toy, i / 7, 1 + i % 7, i, 1, k.now);
	toy_set_parent(&k.s[0].toy, 20, 4711, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->sent - was.sent, 30);
	CU_ASSERT_EQUAL(row->attempted - was.attempted, 50);
	CU_ASSERT_EQUAL(row->rate_limited - was.rate_limited, 20);
	CU_ASSERT_EQUAL(k.s[1].toy.parent[20]->value, 4711); /* held up by nothing */
	toy_set_child(&k.s[0].toy, 49 / 7, 1, 9999, 1, k.now);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->rate_limited - was.rate_limited, 20); /* it waits already */
	CU_ASSERT_EQUAL(recovery_replica_due(k.s[0].r).us, k.now.us + 10000);
	k.now.us += 9999;
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->sent - was.sent, 30);
	k.now.us += 1;
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->sent - was.sent, 31);
	kit_after(&k, SRP_SEC(1));
	CU_ASSERT_EQUAL(row->sent - was.sent, 50);
	CU_ASSERT_EQUAL(row->attempted - was.attempted, 70);
	CU_ASSERT_EQUAL(row->rate_limited - was.rate_limited, 20);
	CU_ASSERT_EQUAL(row->again_limiter - was.again_limiter, 20);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_PARENT, false)->rate_limited, 0);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* What must be at the other side before its packet goes on: changes of flows, between sides that are level. */
static void flows_wait(void)
{
	struct kit k = {0};

	kit_level(&k, TOY_PARENTS);
	k.now.us += SRP_SEC(10);
	kit_exchange(&k);
	CU_ASSERT(!recovery_replica_flows_wait(k.s[0].r));
	toy_set_parent(&k.s[0].toy, 0, 5, k.now);
	CU_ASSERT(!recovery_replica_flows_wait(k.s[0].r));
	toy_set_child(&k.s[0].toy, 0, 1, 7, 1, k.now);
	CU_ASSERT(recovery_replica_flows_wait(k.s[0].r));
	CU_ASSERT(!recovery_replica_flows_wait(k.s[1].r));
	kit_send(&k, 0); /* not answered yet */
	CU_ASSERT(!recovery_replica_flows_wait(k.s[0].r));
	kit_exchange(&k);
	kit_down(&k);
	toy_set_child(&k.s[0].toy, 0, 1, 8, 1, k.now);
	CU_ASSERT(!recovery_replica_flows_wait(k.s[0].r));
	kit_connect(&k);
	CU_ASSERT(!recovery_replica_flows_wait(k.s[0].r));
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* What packets wait for: until the other side has acknowledged what was told of a kind that is prompt. */
static void confirmed(void)
{
	struct srp_ckpt_kind prompt = *toy_kinds[TOY_PARENT];
	struct kit k = {0};
	uint64_t first = 0, then = 0;

	kit_level(&k, TOY_PARENTS);
	prompt.prompt = true;
	k.s[0].r->kind[TOY_PARENT].k = &prompt;
	k.now.us += SRP_SEC(10);
	kit_exchange(&k);
	CU_ASSERT(recovery_replica_confirmed(k.s[0].r, &first));
	CU_ASSERT_NOT_EQUAL(first, 0); /* all until now is there, whatever comes */
	toy_set_child(&k.s[0].toy, 0, 1, 7, 1, k.now);
	CU_ASSERT(recovery_replica_confirmed(k.s[0].r, &then)); /* of another kind */
	then = 0;
	toy_set_parent(&k.s[0].toy, 0, 5, k.now);
	CU_ASSERT(recovery_replica_flows_wait(k.s[0].r));
	CU_ASSERT(!recovery_replica_confirmed(k.s[0].r, &then));
	CU_ASSERT_EQUAL(then, 0); /* it has no number yet */
	CU_ASSERT(recovery_replica_confirmed(k.s[0].r, &first));
	kit_send(&k, 0);
	CU_ASSERT(!recovery_replica_flows_wait(k.s[0].r));
	CU_ASSERT(!recovery_replica_confirmed(k.s[0].r, &then));
	CU_ASSERT_NOT_EQUAL(then, 0);
	toy_set_parent(&k.s[0].toy, 1, 6, k.now); /* of after that */
	kit_send(&k, 1);
	CU_ASSERT(recovery_replica_confirmed(k.s[0].r, &then));
	then = 0;
	CU_ASSERT(!recovery_replica_confirmed(k.s[0].r, &then));
	kit_down(&k); /* nobody can */
	CU_ASSERT(recovery_replica_confirmed(k.s[0].r, &then));
	CU_ASSERT_EQUAL(then, 0);
	k.s[0].r->kind[TOY_PARENT].k = toy_kinds[TOY_PARENT];
	kit_fini(&k);
}

static void limiter_exempt(void)
{
	struct kit k = {.rate = 1, .burst = 1};
	struct recovery_kind_counters *row;

	kit_init(&k);
	for (uint32_t i = 0; i < TOY_RULES; i++)
		toy_set_rule(&k.s[0].toy, i, 1, k.now);
	for (uint32_t i = 0; i < 10; i++)
		toy_set_parent(&k.s[0].toy, i, 1, k.now);
	for (uint32_t i = 0; i < 10; i++)
		toy_set_child(&k.s[0].toy, i, 0, 1, 1, k.now);
	kit_connect(&k); /* resynchronisation */
	row = kit_row(&k, 0, TOY_CHILD, false);
	CU_ASSERT_EQUAL(row->sent, 10);
	CU_ASSERT_EQUAL(row->limit_exempt, 10);
	for (uint32_t i = 0; i < 5; i++)
		toy_set_child(&k.s[0].toy, i, 0, 2, 1, k.now);
	for (uint32_t i = 5; i < 10; i++)
		toy_del_child(&k.s[0].toy, i, 0, k.now);
	kit_exchange(&k); /* one bucket for both kinds of records, deletions first */
	CU_ASSERT_EQUAL(row->sent, 10);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, true)->sent, 1);
	CU_ASSERT_EQUAL(row->rate_limited + kit_row(&k, 0, TOY_CHILD, true)->rate_limited, 9);
	recovery_replica_flush(k.s[0].r, true);
	kit_exchange(&k);
	CU_ASSERT_EQUAL(row->sent, 15);
	CU_ASSERT_EQUAL(kit_row(&k, 0, TOY_CHILD, true)->sent, 5);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

/* A waiting deletion and a new child of the same key: the child takes its place, whatever waits. */
static void same_key_under_the_limiter(void)
{
	struct kit k = {.rate = 1, .burst = 1};

	kit_level(&k, 3);
	toy_set_child(&k.s[0].toy, 2, 0, 50, 1, k.now); /* takes the token */
	kit_exchange(&k);
	toy_del_child(&k.s[0].toy, 0, 0, k.now);
	kit_exchange(&k);
	CU_ASSERT_PTR_NOT_NULL(k.s[1].toy.child[0][0]);
	toy_set_child(&k.s[0].toy, 0, 0, 51, 1, k.now);
	CU_ASSERT_EQUAL(kit_status(&k, 0).tombs, 0);
	kit_after(&k, SRP_SEC(5));
	CU_ASSERT_EQUAL(k.s[1].toy.child[0][0]->value, 51);
	CU_ASSERT(kit_same(&k));
	kit_fini(&k);
}

CU_TestInfo recovery_gates_tests[] = {
	{"first full checkpoint never sent", first_fc},
	{"session not ready", young_parent},
	{"a flush takes what is not ready", flush_takes_the_young},
	{"invalidate sent", invalidate},
	{"invalid GR state", gr_state},
	{"write list congested", congested},
	{"the connection is full", full},
	{"recovery in progress", recovery},
	{"external audit in progress", audit},
	{"the first reason counts", first_reason},
	{"encoding failures", encoding},
	{"gone before it was wanted", gone},
	{"rate limited", limiter},
	{"changes of flows that wait", flows_wait},
	{"what packets wait for", confirmed},
	{"past the limiter", limiter_exempt},
	{"same key under the limiter", same_key_under_the_limiter},
	CU_TEST_INFO_NULL,
};

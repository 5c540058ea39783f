/* Two replicas of one instance: what one applies, the other must know of. */
#include "config.h"
#include "suites.h"

#include "recovery_kit.h"

/* A session manager with a peer chassis (GR) and a store (SR). */
struct trio {
	struct kit gr;              /* side 0: the instance, side 1: its peer */
	struct recovery_replica *sr; /* of the instance */
	struct recovery_kind_counters sr_rows[2 * TOY_KINDS];
	struct recovery_counters sr_totals;
	struct kit_side store;
};

static void trio_init(struct trio *t)
{
	struct kit_side *e = &t->gr.s[0];
	struct recovery_config conf = {.id = SRP_REPLICA_SR,
				       .kinds = toy_kinds,
				       .nkinds = TOY_KINDS,
				       .ckpt_owner = &e->toy,
				       .counters = t->sr_rows,
				       .totals = &t->sr_totals,
				       .random = 5,
				       .sink = &e->sink};

	kit_init(&t->gr);
	t->sr = recovery_replica_new(&conf);
	e->sink.replica[SRP_REPLICA_SR] = t->sr;
	recovery_sink_init(&t->store.sink);
	toy_init(&t->store.toy, &t->store.sink.sink);
	conf = (struct recovery_config){
		.id = SRP_REPLICA_SR, .kinds = toy_kinds, .nkinds = TOY_KINDS,
		.ckpt_owner = &t->store.toy, .counters = t->store.rows, .totals = &t->store.totals,
		.random = 6, .sink = &t->store.sink};
	t->store.r = recovery_replica_new(&conf);
	t->store.sink.replica[SRP_REPLICA_SR] = t->store.r;
	recovery_replica_role(t->store.r, SRP_ROLE_STANDBY, 0, false, t->gr.now);
}

static void trio_fini(struct trio *t)
{
	recovery_replica_free(t->sr);
	recovery_replica_free(t->store.r);
	toy_fini(&t->store.toy);
	kit_fini(&t->gr);
}

static size_t pass_on(struct trio *t, struct recovery_replica *from, struct recovery_replica *to)
{
	static uint8_t buf[KIT_BUF];
	size_t n, pos = 0;
	struct srp_frame_hdr h;
	char why[256];

	n = recovery_replica_tx(from, buf, sizeof(buf), t->gr.now, NULL);
	for (; pos < n; pos += SRP_FRAME_HDR_LEN + h.len) {
		CU_ASSERT_EQUAL_FATAL(srp_frame_peek(&recovery_frames, buf + pos, n - pos,
		                                     recovery_replica_link(to), &h), SRP_OK);
		CU_ASSERT_EQUAL_FATAL(recovery_replica_rx(to, &h, buf + pos + SRP_FRAME_HDR_LEN,
		                                          t->gr.now), SRP_OK);
	}
	CU_ASSERT_EQUAL(recovery_replica_check(from, why, sizeof(why)), SRP_OK);
	CU_ASSERT_EQUAL(recovery_replica_check(to, why, sizeof(why)), SRP_OK);
	return n;
}

static void sr_exchange(struct trio *t)
{
	while (pass_on(t, t->sr, t->store.r) + pass_on(t, t->store.r, t->sr) > 0)
		continue;
}

static bool same(const struct toy *a, const struct toy *b)
{
	char why[256];

	if (toy_compare(a, b, why, sizeof(why)) == 0)
		return true;
	puts(why);
	return false;
}

static void fill(struct trio *t, struct toy *m)
{
	for (uint32_t i = 0; i < TOY_RULES; i++)
		toy_set_rule(m, i, 1, t->gr.now);
	for (uint32_t i = 0; i < 10; i++)
		toy_set_parent(m, i, i, t->gr.now);
	for (uint32_t i = 0; i < 10; i++)
		toy_set_child(m, i, 1, i, 1, t->gr.now);
}

/* One change goes to both, with one version. */
static void both_replicas(void)
{
	struct trio t = {.gr = {.id = SRP_REPLICA_GR}};

	trio_init(&t);
	recovery_replica_role(t.sr, SRP_ROLE_ACTIVE, 2, true, t.gr.now);
	kit_connect(&t.gr);
	recovery_replica_up(t.sr, t.gr.now);
	recovery_replica_up(t.store.r, t.gr.now);
	sr_exchange(&t);
	fill(&t, &t.gr.s[0].toy);
	kit_exchange(&t.gr);
	sr_exchange(&t);
	CU_ASSERT(same(&t.gr.s[0].toy, &t.gr.s[1].toy));
	CU_ASSERT(same(&t.gr.s[0].toy, &t.store.toy));
	CU_ASSERT_EQUAL(t.store.toy.parent[3]->ckpt.version, 1);
	toy_del_parent(&t.gr.s[0].toy, 3, t.gr.now);
	sr_exchange(&t); /* one of them only */
	CU_ASSERT_PTR_NULL(t.store.toy.parent[3]);
	CU_ASSERT_PTR_NOT_NULL(t.gr.s[1].toy.parent[3]);
	kit_exchange(&t.gr);
	CU_ASSERT_PTR_NULL(t.gr.s[1].toy.parent[3]);
	trio_fini(&t);
}

/* A kind that is the peer's only: the store hears nothing of it, whichever end of it this is. */
static void peer_only(void)
{
	static struct srp_ckpt_kind child;
	struct trio t = {.gr = {.id = SRP_REPLICA_GR}};
	struct kit *k = &t.gr;

	child = *toy_kinds[TOY_CHILD];
	child.peer_only = true;
	trio_init(&t);
	t.sr->kind[TOY_CHILD].k = &child;
	kit_role(k, 0, SRP_ROLE_STANDBY, 2, false);
	recovery_replica_role(t.sr, SRP_ROLE_STANDBY, 2, false, k->now);
	kit_role(k, 1, SRP_ROLE_ACTIVE, 5, true);
	kit_connect(k);
	recovery_replica_up(t.sr, k->now);
	recovery_replica_up(t.store.r, k->now);
	fill(&t, &k->s[1].toy);
	kit_exchange(k);
	CU_ASSERT(same(&k->s[0].toy, &k->s[1].toy));
	kit_down(k);
	kit_role(k, 0, SRP_ROLE_ACTIVE, 8, true);
	recovery_replica_role(t.sr, SRP_ROLE_ACTIVE, 8, true, k->now);
	sr_exchange(&t);
	CU_ASSERT_EQUAL(toy_count(&t.store.toy), TOY_RULES + 10); /* what was there, but the children */
	toy_set_child(&k->s[0].toy, 3, 1, 33, 1, k->now);
	toy_del_child(&k->s[0].toy, 4, 1, k->now);
	sr_exchange(&t);
	CU_ASSERT_EQUAL(toy_count(&t.store.toy), TOY_RULES + 10);
	CU_ASSERT_EQUAL(t.sr_rows[recovery_row(TOY_CHILD, false)].changes +
	                t.sr_rows[recovery_row(TOY_CHILD, true)].changes, 0);
	trio_fini(&t);
}

/* The standby's store replica is silent; at takeover all goes there, though nothing has changed. */
static void takeover_starts_the_store(void)
{
	struct trio t = {.gr = {.id = SRP_REPLICA_GR}};
	struct kit *k = &t.gr;

	trio_init(&t);
	kit_role(k, 0, SRP_ROLE_STANDBY, 2, false); /* here the instance is the standby */
	recovery_replica_role(t.sr, SRP_ROLE_STANDBY, 2, false, k->now);
	kit_role(k, 1, SRP_ROLE_ACTIVE, 5, true);
	kit_connect(k);
	recovery_replica_up(t.sr, k->now);
	recovery_replica_up(t.store.r, k->now);
	fill(&t, &k->s[1].toy);
	kit_exchange(k);
	toy_del_parent(&k->s[1].toy, 9, k->now);
	toy_set_child(&k->s[1].toy, 2, 1, 77, 1, k->now);
	kit_exchange(k);
	sr_exchange(&t);
	CU_ASSERT_EQUAL(toy_count(&t.store.toy), 0);
	kit_down(k);
	kit_role(k, 0, SRP_ROLE_ACTIVE, 8, true);
	recovery_replica_role(t.sr, SRP_ROLE_ACTIVE, 8, true, k->now);
	sr_exchange(&t);
	CU_ASSERT(same(&k->s[0].toy, &t.store.toy));
	CU_ASSERT_EQUAL(toy_count(&t.store.toy), TOY_RULES + 18);
	trio_fini(&t);
}

/* R5: the successor of a dead process is filled from the store, then from the peer, which knows a
 * newer version and one more object: nothing that either acknowledged is lost or rolled back. */
static void refilled_from_both(void)
{
	struct trio t = {.gr = {.id = SRP_REPLICA_GR}};
	struct kit *k = &t.gr;
	struct recovery_config conf;

	trio_init(&t);
	recovery_replica_role(t.sr, SRP_ROLE_ACTIVE, 2, true, k->now);
	kit_connect(k);
	recovery_replica_up(t.sr, k->now);
	recovery_replica_up(t.store.r, k->now);
	sr_exchange(&t);
	fill(&t, &k->s[0].toy);
	kit_exchange(k);
	sr_exchange(&t);
	toy_set_parent(&k->s[0].toy, 4, 444,
		       k->now); /* the peer hears of these, the store does not */
	toy_set_parent(&k->s[0].toy, 20, 20, k->now);
	toy_set_child(&k->s[0].toy, 20, 0, 20, 1, k->now);
	kit_exchange(k);
	kit_role(k, 1, SRP_ROLE_STANDBY, 2, true);
	recovery_replica_role(t.store.r, SRP_ROLE_STANDBY, 2, true, k->now);
	/* the process dies */
	kit_down(k);
	recovery_replica_down(t.store.r, k->now);
	recovery_replica_free(t.sr);
	kit_death(k, 0);
	kit_birth(k, 0);
	conf = (struct recovery_config){.id = SRP_REPLICA_SR,
					.kinds = toy_kinds,
					.nkinds = TOY_KINDS,
					.ckpt_owner = &k->s[0].toy,
					.counters = t.sr_rows,
					.totals = &t.sr_totals,
					.random = 9,
					.sink = &k->s[0].sink};
	t.sr = recovery_replica_new(&conf);
	k->s[0].sink.replica[SRP_REPLICA_SR] = t.sr;
	kit_role(k, 0, SRP_ROLE_ACTIVE, 4, false);
	recovery_replica_role(t.sr, SRP_ROLE_ACTIVE, 4, false, k->now);
	recovery_replica_up(t.sr, k->now);
	recovery_replica_up(t.store.r, k->now);
	sr_exchange(&t);
	CU_ASSERT_EQUAL(k->s[0].toy.parent[4]->value, 4);
	kit_connect(k);
	CU_ASSERT_EQUAL(k->s[0].toy.parent[4]->value, 444);
	CU_ASSERT_PTR_NOT_NULL(k->s[0].toy.child[20][0]);
	/* complete: the source for both, and only what differs is sent */
	kit_role(k, 0, SRP_ROLE_ACTIVE, 4, true);
	recovery_replica_role(t.sr, SRP_ROLE_ACTIVE, 4, true, k->now);
	struct recovery_kind_counters was = *kit_row(k, 0, TOY_PARENT, false), sr = t.sr_rows[2];

	kit_after(k, SRP_SEC(1));
	for (int i = 0; i < 10; i++, k->now.us += 100000)
		sr_exchange(&t);
	CU_ASSERT(kit_same(k));
	CU_ASSERT(same(&k->s[0].toy, &t.store.toy));
	CU_ASSERT_EQUAL(kit_row(k, 0, TOY_PARENT, false)->sent, was.sent);
	CU_ASSERT_EQUAL(t.sr_rows[2].sent - sr.sent, 2); /* parents 4 and 20 */
	trio_fini(&t);
}

/* A replica that is made when the model has objects already knows of them. */
static void made_late(void)
{
	struct trio t = {.gr = {.id = SRP_REPLICA_GR}};
	struct toy_parent *p;

	trio_init(&t);
	fill(&t, &t.gr.s[0].toy);
	p = t.gr.s[0].toy.parent[0];
	CU_ASSERT_NOT_EQUAL(p->ckpt.link[SRP_REPLICA_SR].state, SRP_LINK_NONE);
	recovery_replica_free(t.sr);
	for (uint32_t i = 0; i < 10; i++) {
		t.gr.s[0].toy.parent[i]->ckpt.link[SRP_REPLICA_SR] =
			(struct srp_ckpt_link){.hash = 0};
		t.gr.s[0].toy.child[i][1]->ckpt.link[SRP_REPLICA_SR] =
			(struct srp_ckpt_link){.hash = 0};
	}
	for (uint32_t i = 0; i < TOY_RULES; i++)
		t.gr.s[0].toy.rule[i]->ckpt.link[SRP_REPLICA_SR] =
			(struct srp_ckpt_link){.hash = 0};
	memset(t.sr_rows, 0, sizeof(t.sr_rows));
	struct recovery_config conf = {
		.id = SRP_REPLICA_SR, .kinds = toy_kinds, .nkinds = TOY_KINDS,
		.ckpt_owner = &t.gr.s[0].toy, .counters = t.sr_rows, .totals = &t.sr_totals,
		.random = 5, .sink = &t.gr.s[0].sink};

	t.sr = recovery_replica_new(&conf);
	t.gr.s[0].sink.replica[SRP_REPLICA_SR] = t.sr;
	recovery_replica_role(t.sr, SRP_ROLE_ACTIVE, 2, true, t.gr.now);
	recovery_replica_up(t.sr, t.gr.now);
	recovery_replica_up(t.store.r, t.gr.now);
	sr_exchange(&t);
	CU_ASSERT(same(&t.gr.s[0].toy, &t.store.toy));
	trio_fini(&t);
}

CU_TestInfo recovery_sink_tests[] = {
	{"one change, both replicas", both_replicas},
	{"takeover starts the store", takeover_starts_the_store},
	{"what is the peer's only", peer_only},
	{"refilled from store and peer", refilled_from_both},
	{"a replica made late", made_late},
	CU_TEST_INFO_NULL,
};

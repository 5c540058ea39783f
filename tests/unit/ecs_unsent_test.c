/* Flows that are eligible and not checkpointed: told of, so that the peer knows why it has not got them. */
#include "config.h"
#include "suites.h"

#include "ecs/unsent.h"
#include "srp/err.h"
#include "ecs_kit.h"

static enum ecs_unsent_why why(struct kit *k, uint32_t callid, uint16_t port, bool v6, bool unnamed)
{
	struct ecs_session *s = ecs_session_find(k->e, callid);
	struct ecs_flow_key key = kit_key(s, port, v6);

	return ecs_unsent_why(k->e, s, &key, unnamed);
}

static enum ecs_unsent_why why_of(struct kit *k, uint8_t proto, uint16_t port, uint16_t server_port)
{
	struct ecs_session *s = ecs_session_find(k->e, 7);
	struct ecs_flow_key key = kit_key(s, port, false);

	key.proto = proto;
	key.server_port = server_port;
	return ecs_unsent_why(k->e, s, &key, false);
}

/* A flow without a connection begins, as the data plane does it. */
static struct ecs_flow *datagram(struct kit *k, struct ecs_session *s, uint8_t proto, uint16_t port,
                                 uint16_t server_port, const char *rule)
{
	struct ecs_flow_key key = kit_key(s, port, false);
	struct ecs_flow *f = NULL;

	key.proto = proto;
	key.server_port = server_port;
	CU_ASSERT_EQUAL_FATAL(ecs_flow_build(k->e, s, &key, 0, k->now, &f), 0);
	ecs_unsent_flow(k->e, f);
	ecs_flow_arm(k->e, f, 0, k->now);
	if (rule)
		kit_set_rule(k, f, rule);
	return f;
}

/* How many flows of a call were told of, named or not, as its record has it. */
static unsigned told_of(struct kit *k, const struct ecs_session *s)
{
	struct ecs_unsent_image m;
	uint8_t buf[KIT_RECORD];
	struct srp_mp_r r = srp_mp_r_init(buf, kit_encode(k, &s->call, false, buf));

	for (unsigned i = 0; i + 1 < ecs_kind_call.nfields; i++)
		srp_mp_skip(&r);
	ecs_unsent_read(&r, &m);
	CU_ASSERT_EQUAL(r.err, 0);
	return m.n + m.beyond[0] + m.beyond[1];
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

/* More than there are places for. */
static void test_many(void)
{
	struct ecs_session *s;
	struct srp_ckpt_obj *out;
	unsigned found = 0;
	struct kit a, b;

	kit_init_with(&a, 0, true, 0, 1);
	kit_init_with(&b, 1, false, 0, 1);
	s = kit_session(&a, 7, 1, false);
	kit_flow(&a, s, 1000, false, "web");
	second(&a);
	for (uint16_t i = 1; i < ECS_UNSENT_NAMED + 2; i++)
		kit_flow(&a, s, (uint16_t)(1000 + i), false, "web");
	second(&a);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	become(&b, true);
	for (uint16_t i = 1; i < ECS_UNSENT_NAMED + 2; i++)
		found += why(&b, 7, (uint16_t)(1000 + i), false, false) == ECS_UNSENT_LIMIT;
	CU_ASSERT_EQUAL(found, ECS_UNSENT_NAMED);
	CU_ASSERT_EQUAL(a.ctr.unsent_unnamed, 1);
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

/* Flows without a connection: all that have no checkpoint, but for questions of DNS. */
static void test_datagrams(void)
{
	struct ecs_flow *ping, *talk, *held;
	struct ecs_session *s;
	struct kit a, b;

	kit_init_with(&a, 0, true, 0, 1);
	kit_init_with(&b, 1, false, 0, 1);
	s = kit_session(&a, 7, 1, false);
	held = datagram(&a, s, 17, 100, 53, "dns"); /* has the one slot */
	talk = datagram(&a, s, 17, 101, 7001, "any");
	ping = datagram(&a, s, 1, 102, 0, NULL);
	datagram(&a, s, 17, 103, 53, "any"); /* nobody reads it */
	datagram(&a, s, 17, 104, 53, "dns"); /* beyond the limit */
	datagram(&a, s, 17, 105, 5353, "any")->flags |= ECS_FLOW_F_AGAIN;
	kit_flow(&a, s, 106, false, "any"); /* of TCP, which begins with SYN */
	second(&a);
	CU_ASSERT_EQUAL(a.ctr.unsent_told, 1);
	CU_ASSERT_TRUE(kit_has(held, ECS_FLOW_F_CHECKPOINT));
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	kit_torture(&a, &b, &s->call);
	become(&b, true);
	CU_ASSERT_EQUAL(why_of(&b, 17, 100, 53), ECS_UNSENT_NOT);
	CU_ASSERT_EQUAL(why_of(&b, 17, 101, 7001), ECS_UNSENT_INELIGIBLE);
	CU_ASSERT_EQUAL(why_of(&b, 17, 101, 7001), ECS_UNSENT_NOT); /* once */
	CU_ASSERT_EQUAL(why_of(&b, 1, 102, 0), ECS_UNSENT_INELIGIBLE);
	CU_ASSERT_EQUAL(why_of(&b, 17, 104, 53), ECS_UNSENT_LIMIT);
	CU_ASSERT_EQUAL(why_of(&b, 17, 105, 5353), ECS_UNSENT_NOT);
	CU_ASSERT_EQUAL(why(&b, 7, 106, false, false), ECS_UNSENT_NOT);

	/* what has ended is not told of */
	ecs_flow_drop(a.e, talk, ECS_TELL, a.now);
	kit_set_rule(&a, ping, "web"); /* the limit has its place: it waits */
	second(&a);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(why_of(&b, 17, 103, 53), ECS_UNSENT_INELIGIBLE);
	CU_ASSERT_EQUAL(why_of(&b, 17, 101, 7001), ECS_UNSENT_NOT);
	CU_ASSERT_EQUAL(why_of(&b, 1, 102, 0), ECS_UNSENT_LIMIT);
	kit_fini(&a);
	kit_fini(&b);
}

/* What is on its way, or was refused, is told of until it is acknowledged; but not where the call cannot
 * be told either. */
static void test_on_its_way(void)
{
	const struct srp_ckpt_pass ack = {.what = SRP_CKPT_ACKED};
	struct srp_ckpt_pass passed = ack;
	struct ecs_flow *f, *g;
	struct ecs_session *s;
	struct srp_ckpt_key key;
	struct kit a;

	kit_init_with(&a, 0, true, 0, 0);
	passed.owner = a.e;
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 100, false, "web");
	f->ckpt.link[SRP_REPLICA_SR].state = SRP_LINK_INFLIGHT;
	g = datagram(&a, s, 17, 101, 53, "dns");
	g->ckpt.link[SRP_REPLICA_GR].state = SRP_LINK_DIRTY;
	second(&a);
	CU_ASSERT_EQUAL(told_of(&a, s), 2);
	f->ckpt.link[SRP_REPLICA_SR].state = SRP_LINK_SETTLED;
	f->ckpt.kind->key(&f->ckpt, &key);
	ecs_kind_flow.passed(&f->ckpt, &key, &passed);
	g->ckpt.link[SRP_REPLICA_GR].state = SRP_LINK_REFUSED;
	second(&a);
	CU_ASSERT_EQUAL(told_of(&a, s), 1);
	g->ckpt.link[SRP_REPLICA_GR].state = SRP_LINK_DIRTY;
	s->call.link[SRP_REPLICA_GR].state = SRP_LINK_DIRTY; /* there is no connection */
	ecs_kind_flow.passed(&g->ckpt, &key, &passed);
	second(&a);
	CU_ASSERT_EQUAL(told_of(&a, s), 0);
	s->call.link[SRP_REPLICA_GR].state = SRP_LINK_SETTLED;
	ecs_unsent_changed(a.e, s);
	second(&a);
	CU_ASSERT_EQUAL(told_of(&a, s), 1);
	ecs_unsent_changed(a.e, s);
	ecs_engine_flush(a.e, a.now); /* they arrive before the role does */
	CU_ASSERT_EQUAL(told_of(&a, s), 0);
	g->ckpt.link[SRP_REPLICA_GR].state = SRP_LINK_SETTLED;
	ecs_kind_flow.passed(&g->ckpt, &key, &passed);
	second(&a);
	CU_ASSERT_FALSE(ecs_list_on(&f->unsent) || ecs_list_on(&g->unsent));
	CU_ASSERT_EQUAL(a.ctr.unsent_told, 5);
	kit_fini(&a);
}

/* What is told of a call that was silent does not wait for the turn of the second. */
static void test_soon(void)
{
	struct ecs_session *s;
	struct kit a;

	kit_init_with(&a, 0, true, 0, 0);
	s = kit_session(&a, 7, 1, false);
	second(&a);
	datagram(&a, s, 17, 100, 7001, "any");
	kit_flow(&a, s, 900, false, "slow");
	CU_ASSERT_EQUAL(told_of(&a, s), 0);
	kit_wait(&a, 100);
	CU_ASSERT_EQUAL(told_of(&a, s), 2);
	kit_flow(&a, s, 901, false, "slow");
	kit_wait(&a, 300);
	CU_ASSERT_EQUAL(told_of(&a, s), 2);
	kit_wait(&a, 600);
	CU_ASSERT_EQUAL(told_of(&a, s), 3);
	kit_flow(&a, s, 902, false, "slow");
	kit_wait(&a, 900);
	CU_ASSERT_EQUAL(told_of(&a, s), 3);
	kit_wait(&a, 100);
	CU_ASSERT_EQUAL(told_of(&a, s), 4);
	kit_wait(&a, 1000);
	kit_flow(&a, s, 903, false, "slow");
	kit_wait(&a, 100);
	CU_ASSERT_EQUAL(told_of(&a, s), 5);
	CU_ASSERT_EQUAL(a.ctr.unsent_told, 4);
	kit_fini(&a);
}

/* All places of a call are taken: who was silent gives his to a new one, who was not keeps it. */
static void test_places(void)
{
	struct ecs_flow *f[ECS_UNSENT_NAMED], *more;
	struct ecs_session *s;
	struct kit a, b;

	kit_init_with(&a, 0, true, 0, 0);
	kit_init_with(&b, 1, false, 0, 0);
	s = kit_session(&a, 7, 1, true);
	for (uint16_t i = 0; i < ECS_UNSENT_NAMED; i++)
		f[i] = datagram(&a, s, 17, (uint16_t)(1000 + i), 7001, "any");
	CU_ASSERT_EQUAL(a.ctr.unsent_unnamed, 0);
	more = datagram(&a, s, 17, 2000, 7001, "any");
	CU_ASSERT_EQUAL(a.ctr.unsent_unnamed, 1);
	second(&a);
	CU_ASSERT_EQUAL(told_of(&a, s), ECS_UNSENT_NAMED);
	CU_ASSERT_FALSE(ecs_list_on(&more->unsent));
	CU_ASSERT_TRUE(kit_record_len(&a, &s->call) <= ecs_kind_call.max_len);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	kit_torture(&a, &b, &s->call);

	kit_wait(&a, 10000);
	for (uint16_t i = 0; i < ECS_UNSENT_NAMED; i++)
		if (i != 7)
			f[i]->last = a.now;
	for (uint16_t i = 0; i < 8; i++) /* each looks at a few */
		datagram(&a, s, 17, (uint16_t)(3000 + i), 7001, "any");
	CU_ASSERT_EQUAL(a.ctr.unsent_unnamed, 8);
	CU_ASSERT_FALSE(ecs_list_on(&f[7]->unsent));
	CU_ASSERT_TRUE(ecs_list_on(&f[6]->unsent));
	ecs_flow_drop(a.e, f[6], ECS_TELL, a.now);
	more = datagram(&a, s, 17, 4000, 7001, "any");
	CU_ASSERT_TRUE(ecs_list_on(&more->unsent));
	ecs_session_drop(a.e, s, ECS_END_PEER, ECS_TELL, a.now);
	second(&a);
	kit_fini(&a);
	kit_fini(&b);
}

/* Who is not named is counted once: not at each commit, nor for each change of its rule. */
static void test_unnamed(void)
{
	struct ecs_service *svc = kit_service(0, 1);
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a;

	kit_init_with(&a, 0, true, 0, 1);
	s = kit_session(&a, 7, 1, false);
	kit_set_rule(&a, datagram(&a, s, 17, 100, 53, "any"), "dns"); /* has the one slot */
	for (uint16_t i = 1; i < ECS_UNSENT_NAMED; i++)
		datagram(&a, s, 17, (uint16_t)(1000 + i), 7001, "any");
	CU_ASSERT_EQUAL(a.ctr.unsent_unnamed, 0);
	f = datagram(&a, s, 17, 3000, 53, "any");
	datagram(&a, s, 17, 3001, 53, "any");
	CU_ASSERT_EQUAL(a.ctr.unsent_unnamed, 2);
	kit_set_rule(&a, f, "dns");
	kit_set_rule(&a, f, "any");
	ecs_recoverable_session(a.e, s, a.now); /* as after a rulebase-change */
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, svc, a.now), 0);
		CU_ASSERT_EQUAL(ecs_engine_reconfigure(a.e, a.svc, a.now), 0);
	}
	CU_ASSERT_EQUAL(a.ctr.unsent_unnamed, 2);
	datagram(&a, s, 17, 3002, 53, "any");
	CU_ASSERT_EQUAL(a.ctr.unsent_unnamed, 3);
	kit_fini(&a);
	ecs_service_free(svc);
}

/* A call of which nobody asks anything: it tells nothing. */
static void test_without(void)
{
	struct ecs_session *s;
	struct kit a;

	kit_init_with(&a, 0, true, 5, 0);
	s = kit_session(&a, 7, 1, false);
	datagram(&a, s, 17, 100, 7001, "any");
	second(&a);
	CU_ASSERT_PTR_NULL(s->unsent);
	s->needs.quic = true; /* a rule of L7 must not be found in mid-stream */
	datagram(&a, s, 17, 101, 7001, "any");
	second(&a);
	CU_ASSERT_EQUAL(told_of(&a, s), 1);
	s->needs.quic = false;
	ecs_recoverable_session(a.e, s, a.now);
	second(&a);
	CU_ASSERT_EQUAL(told_of(&a, s), 0);
	kit_fini(&a);
}

/* What no packet has come of is told on, to the next one that takes over; and is forgotten in the end. */
static void test_then(void)
{
	struct ecs_session *s;
	struct kit a, b, c;

	kit_init_with(&a, 0, true, 0, 0);
	kit_init_with(&b, 1, false, 0, 0);
	kit_init_with(&c, 0, false, 0, 0);
	s = kit_session(&a, 7, 1, false);
	datagram(&a, s, 17, 100, 7001, "any");
	datagram(&a, s, 1, 101, 0, "any");
	kit_flow(&a, s, 900, false, "slow");
	second(&a);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	become(&b, true);
	s = ecs_session_find(b.e, 7);
	CU_ASSERT_EQUAL(why_of(&b, 17, 100, 7001), ECS_UNSENT_INELIGIBLE); /* and so is it here */
	datagram(&b, s, 17, 100, 7001, "any");
	datagram(&b, s, 17, 102, 7001, "any");
	second(&b);
	CU_ASSERT_EQUAL(told_of(&b, s), 4);
	CU_ASSERT_EQUAL(kit_sync(&b, &c), 0);
	become(&c, true);
	CU_ASSERT_EQUAL(why_of(&c, 17, 100, 7001), ECS_UNSENT_INELIGIBLE);
	CU_ASSERT_EQUAL(why_of(&c, 1, 101, 0), ECS_UNSENT_INELIGIBLE);
	CU_ASSERT_EQUAL(why_of(&c, 17, 102, 7001), ECS_UNSENT_INELIGIBLE);
	CU_ASSERT_EQUAL(why(&c, 7, 900, false, false), ECS_UNSENT_LATE);

	b.now.us += SRP_SEC(298);
	while (ecs_engine_tick(b.e, b.now, 1))
		;
	CU_ASSERT_TRUE(b.e->unsent_then);
	CU_ASSERT_EQUAL(told_of(&b, s), 4);
	b.now.us += SRP_SEC(2);
	while (ecs_engine_tick(b.e, b.now, 1))
		;
	CU_ASSERT_FALSE(b.e->unsent_then);
	second(&b);
	CU_ASSERT_EQUAL(told_of(&b, s), s->nflows);
	CU_ASSERT_EQUAL(why_of(&b, 1, 101, 0), ECS_UNSENT_NOT);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
}

static int read_names(const char *bytes, size_t len, unsigned n)
{
	struct ecs_unsent_image m;
	uint8_t b[1024];
	struct srp_mp_w w = srp_mp_w_init(b, sizeof(b));
	struct srp_mp_r r;

	srp_mp_w_array(&w, n);
	srp_mp_w_uint(&w, 1);
	srp_mp_w_uint(&w, 2);
	srp_mp_w_bin(&w, bytes, len);
	r = srp_mp_r_init(b, srp_mp_w_len(&w));
	ecs_unsent_read(&r, &m);
	return r.err;
}

/* What a peer may not say. */
static void test_wire(void)
{
	char many[ECS_UNSENT_NAME_LEN * (ECS_UNSENT_NAMED + 1)];

	for (unsigned i = 0; i <= ECS_UNSENT_NAMED; i++) {
		many[3 * i] = 0;
		many[3 * i + 1] = (char)(i >> 6);
		many[3 * i + 2] = (char)(i << 2 | 1);
	}
	CU_ASSERT_EQUAL(read_names("", 0, 3), 0);
	CU_ASSERT_EQUAL(read_names("\0\0\1\0\0\2\0\0\3\377\377\377", 12, 3), 0);
	CU_ASSERT_EQUAL(read_names(many, sizeof(many) - 3, 3), 0);
	CU_ASSERT_NOT_EQUAL(read_names(many, sizeof(many), 3), 0);
	CU_ASSERT_NOT_EQUAL(read_names("", 0, 2), 0);
	CU_ASSERT_EQUAL(read_names("\0\0\1\0", 4, 3), SRP_EINVAL);
	CU_ASSERT_EQUAL(read_names("\0\0\4", 3, 3), SRP_EINVAL);       /* for no reason */
	CU_ASSERT_EQUAL(read_names("\0\0\1\0\0\1", 6, 3), SRP_EINVAL); /* twice */
	CU_ASSERT_EQUAL(read_names("\0\1\1\0\0\1", 6, 3), SRP_EINVAL);
}

CU_TestInfo ecs_unsent_tests[] = {
	{"reasons", test_reasons},
	{"more than are named", test_many},
	{"flush", test_flush},
	{"without a connection", test_datagrams},
	{"on its way", test_on_its_way},
	{"soon", test_soon},
	{"places of a call", test_places},
	{"what is not named is counted once", test_unnamed},
	{"nothing to tell", test_without},
	{"told on, and forgotten", test_then},
	{"what a peer may not say", test_wire},
	CU_TEST_INFO_NULL,
};

/* What was inserted into a connection, on the other side and after a recovery, whatever its flow is. */
#include "config.h"
#include "suites.h"

#include "ecs/enforce.h"
#include "ecs_enforce_rig.h"
#include "ecs_kit.h"

#define HEAD  "GET / HTTP/1.1\r\nHost: header.test\r\n"
#define FIELD "X-A: bcd\r\n"

/* --- the record ------------------------------------------------------------------------------- */

static struct ecs_shift *only(struct kit *k)
{
	struct ecs_session *s = ecs_session_find(k->e, 7);

	CU_ASSERT_FATAL(!ecs_list_empty(&s->shifts));
	return ECS_CONTAINER(s->shifts.next, struct ecs_shift, in_session);
}

static int add(struct kit *k, struct ecs_flow *f, uint32_t at, const char *text)
{
	return ecs_shift_add(k->e, f, at, (const uint8_t *)text, strlen(text), k->now);
}

static void test_record(void)
{
	static const uint8_t most[ECS_SHIFT_BYTES + 1];
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct ecs_flow *f;
	struct ecs_shift *t;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, true);
	f = kit_flow(&a, s, 1000, true, "plain");
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(add(&a, f, 4000, "abcde"), 0);
	CU_ASSERT_EQUAL(add(&a, f, 4000, "x"), SRP_EFULL);
	CU_ASSERT_EQUAL(add(&a, f, 4500, "fgh"), 0);
	CU_ASSERT_EQUAL(a.rec.changed[221], 2);
	CU_ASSERT_EQUAL(a.rec.changed[210], 0); /* its rule is not eligible */
	t = only(&a);
	kit_torture(&a, &b, &t->ckpt);
	CU_ASSERT_TRUE(kit_same(&a, &t->ckpt, &b, &only(&b)->ckpt));
	CU_ASSERT_EQUAL(kit_sum(&a, true), kit_sum(&b, true));
	/* the most there can be */
	for (unsigned i = 2; i < ECS_SHIFT_PIECES; i++) {
		CU_ASSERT_EQUAL(ecs_shift_add(a.e, f, 5000 + i, most, sizeof(most), a.now), SRP_EFULL);
		CU_ASSERT_EQUAL(ecs_shift_add(a.e, f, 5000 + i, most, sizeof(most) - 1, a.now), 0);
	}
	CU_ASSERT_EQUAL(add(&a, f, 9000, "x"), SRP_EFULL);
	CU_ASSERT_TRUE(kit_record_len(&a, &t->ckpt) <= ecs_kind_shift.max_len);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &t->ckpt, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, &t->ckpt, &b, &only(&b)->ckpt));
	/* the connection is over */
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	CU_ASSERT_EQUAL(a.rec.told[221], 1);
	CU_ASSERT_EQUAL(s->nshifts + s->nloose, 0);
	kit_fini(&a);
	kit_fini(&b);
}

/* One for each connection: a newer one takes the place, unless it carries traffic here. */
static void test_ends(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *p;
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "plain");
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(add(&a, f, 4000, "abc"), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &only(&a)->ckpt, &out), 0);
	p = ecs_session_find(b.e, 7);
	CU_ASSERT_EQUAL(p->nloose, 1);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	f = kit_flow(&a, s, 1000, false, "plain");
	CU_ASSERT_EQUAL(add(&a, f, 8000, "d"), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &only(&a)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(p->nshifts, 1);
	CU_ASSERT_EQUAL(only(&b)->id, f->id);
	CU_ASSERT_EQUAL(b.rec.deleted[221], 1);
	CU_ASSERT_EQUAL(b.rec.told[221], 0);
	/* in the hands of an active chassis */
	ecs_engine_active(b.e, true, b.now);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	f = kit_flow(&a, s, 1000, false, "plain");
	CU_ASSERT_EQUAL(add(&a, f, 8000, "d"), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &only(&a)->ckpt, &out), SRP_EDUP);
	/* its flow does not come */
	for (unsigned i = 0; i < 30 && p->nshifts; i++) {
		b.now.us += SRP_SEC(3600);
		while (ecs_engine_tick(b.e, b.now, 100))
			;
		if (!ecs_session_find(b.e, 7))
			break;
	}
	CU_ASSERT_EQUAL(b.e->shifts.count, 0);
	kit_fini(&a);
	kit_fini(&b);
}

/* An active chassis is being filled: flow and record meet, whichever comes first. */
static void test_filled(void)
{
	struct ecs_flow *plain, *web, *f;
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *p;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	plain = kit_flow(&a, s, 1000, false, "plain");
	web = kit_flow(&a, s, 1001, false, "web");
	CU_ASSERT_EQUAL(add(&a, plain, 4000, "abc"), 0);
	CU_ASSERT_EQUAL(add(&a, web, 5000, "de"), 0);
	ecs_engine_active(b.e, true, b.now);
	p = ecs_session_find(b.e, 7);
	f = kit_flow(&b, p, 1000, false, NULL);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &plain->more->shift->ckpt, &out), 0);
	CU_ASSERT_EQUAL(p->nloose, 0);
	CU_ASSERT_EQUAL(ecs_shift_seq(f, 4001), 4004);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &web->more->shift->ckpt, &out), 0);
	CU_ASSERT_EQUAL(p->nloose, 1);
	kit_precede(&a, &b, web);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &web->ckpt, &out), 0);
	CU_ASSERT_EQUAL(p->nloose, 0);
	CU_ASSERT_EQUAL(ecs_shift_seq(kit_flow_at(&b, 7, web->id), 5001), 5003);
	/* without a place for what it has aside, a flow goes, and what was inserted is kept */
	f = kit_flow(&b, p, 1002, false, NULL);
	plain = kit_flow(&a, s, 1002, false, "plain");
	CU_ASSERT_EQUAL(add(&a, plain, 4000, "abc"), 0);
	b.e->nmores = ECS_FLOW_MORES_MAX;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &plain->more->shift->ckpt, &out), 0);
	CU_ASSERT_PTR_NULL(ecs_flow_held(b.e->flows, p, &plain->key));
	CU_ASSERT_EQUAL(p->nloose, 1);
	b.e->nmores = 2;
	kit_fini(&a);
	kit_fini(&b);
}

static void test_too_many(void)
{
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	for (uint16_t i = 0; i < ECS_CALL_SHIFTS_MAX; i++)
		CU_ASSERT_EQUAL(add(&a, kit_flow(&a, s, (uint16_t)(1000 + i), false, NULL), 1, "x"), 0);
	f = kit_flow(&a, s, 9000, false, NULL);
	CU_ASSERT_EQUAL(add(&a, f, 1, "x"), SRP_ENOMEM);
	ecs_flow_drop(a.e, kit_flow_at(&a, 7, 2 * 17), ECS_TELL, a.now);
	CU_ASSERT_EQUAL(add(&a, f, 1, "x"), 0);
	CU_ASSERT_EQUAL(ecs_session_delete(a.e, 7, ECS_END_OPERATOR, a.now), 0);
	CU_ASSERT_EQUAL(a.e->shifts.count, 0);
	kit_fini(&a);
}

/* --- the stream ------------------------------------------------------------------------------- */

static struct pk segment(bool up, uint32_t seq, uint32_t ack, uint8_t flags, const char *text)
{
	struct pk k = packet(up, 6, 80, flags, text);

	k.seq = seq;
	k.ack = ack;
	return k;
}

static void up(struct rig *r, struct box *x, uint32_t at, uint8_t flags, const char *text)
{
	struct pk k = segment(true, ISN + 1 + at, 1, flags, text);

	send_on(r, x, &k, ECS_UPLINK, false);
}

static void down(struct rig *r, struct box *x, uint32_t acks)
{
	struct pk k = segment(false, 1, ISN + 1 + acks, ACK, NULL);

	send_on(r, x, &k, ECS_DOWNLINK, false);
}

/* A connection of a rule that is not eligible, with one request that was inserted into. */
static void asked(struct rig *r, struct box *x)
{
	start(r);
	shake_hands(r);
	up(r, x, 0, ACK, HEAD "\r\n");
	CU_ASSERT_EQUAL(x->v, ECS_FORWARD);
	CU_ASSERT_EQUAL(x->p.payload_len, strlen(HEAD FIELD "\r\n"));
	CU_ASSERT_EQUAL(r->changed[221], 1);
}

static void taken_over(struct rig *r)
{
	ecs_engine_active(r->e, false, r->now);
	ecs_engine_active(r->e, true, r->now);
}

static void test_goes_on(void)
{
	const uint32_t n = sizeof(HEAD "\r\n") - 1, f = sizeof(FIELD) - 1;
	struct rig r;
	struct box x;

	asked(&r, &x);
	taken_over(&r);
	/* not heard by the server: sent again as it was */
	up(&r, &x, 0, ACK, HEAD "\r\n");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream_ineligible, 1);
	CU_ASSERT_EQUAL(x.p.payload_len, n + f);
	CU_ASSERT_EQUAL(memcmp(x.p.payload, HEAD FIELD "\r\n", n + f), 0);
	down(&r, &x, n + f);
	CU_ASSERT_EQUAL(x.p.tcp_ack, ISN + 1 + n);
	CU_ASSERT_EQUAL(r.changed[221], 2);
	taken_over(&r);
	up(&r, &x, n, ACK, HEAD "\r\n");
	CU_ASSERT_EQUAL(x.p.tcp_seq, ISN + 1 + n + f);
	CU_ASSERT_EQUAL(x.p.payload_len, n); /* no L7 any more: nothing is inserted */
	down(&r, &x, n + f + n);
	CU_ASSERT_EQUAL(x.p.tcp_ack, ISN + 1 + n + n);
	/* first heard from the server */
	taken_over(&r);
	down(&r, &x, n + f + n);
	CU_ASSERT_EQUAL(x.p.tcp_ack, ISN + 1 + n + n);
	/* a reset is one that the server takes */
	taken_over(&r);
	up(&r, &x, 2 * n, RST, NULL);
	CU_ASSERT_EQUAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(x.p.tcp_seq, ISN + 1 + 2 * n + f);
	CU_ASSERT_EQUAL(r.s->nshifts, 0);
	CU_ASSERT_EQUAL(r.told[221], 1);
	CU_ASSERT_EQUAL(r.s->nflows, 0);
	end(&r);
}

/* Another connection of the same ports counts anew. */
static void test_other_connection(void)
{
	struct rig r;
	struct box x;

	asked(&r, &x);
	taken_over(&r);
	up(&r, &x, (uint32_t)-1, SYN, NULL);
	CU_ASSERT_EQUAL(r.s->nshifts, 0);
	CU_ASSERT_EQUAL(r.told[221], 1);
	up(&r, &x, 0, ACK, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
	CU_ASSERT_EQUAL(x.p.tcp_seq, ISN + 1);
	end(&r);
}

/* Without a place for its flow the connection does not go on with wrong numbers. */
static void test_no_place(void)
{
	struct rig r;
	struct box x;
	size_t n;

	asked(&r, &x);
	n = r.e->nmores;
	ecs_engine_active(r.e, false, r.now);
	while (ecs_engine_tick(r.e, r.now, 100))
		; /* the old flow is purged */
	ecs_engine_active(r.e, true, r.now);
	r.e->nmores = ECS_FLOW_MORES_MAX;
	up(&r, &x, 37, ACK, "more");
	CU_ASSERT_EQUAL(x.v, ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_shift, 1);
	CU_ASSERT_EQUAL(r.s->nflows, 0);
	r.e->nmores = n - 1;
	up(&r, &x, 37, ACK, "more");
	CU_ASSERT_EQUAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(x.p.tcp_seq, ISN + 1 + 37 + sizeof(FIELD) - 1);
	end(&r);
}

/* What rests on an insertion waits for the peer, until that has been confirmed. */
static void test_confirm(void)
{
	struct srp_ckpt_link *l;
	struct ecs_shift *t;
	struct rig r;
	struct box x;

	asked(&r, &x);
	CU_ASSERT_FALSE(x.r.confirm); /* there is none */
	t = ECS_CONTAINER(r.s->shifts.next, struct ecs_shift, in_session);
	l = &t->ckpt.link[SRP_REPLICA_GR];
	t->fresh = true;
	l->state = SRP_LINK_DIRTY;
	up(&r, &x, 37, ACK, "more");
	CU_ASSERT_TRUE(x.r.confirm);
	down(&r, &x, 1);
	CU_ASSERT_FALSE(x.r.confirm);
	r.s->ready_for_recovery = false; /* the peer has not even the session */
	up(&r, &x, 41, ACK, "more");
	CU_ASSERT_FALSE(x.r.confirm);
	r.s->ready_for_recovery = true;
	t->fresh = true;
	l->state = SRP_LINK_INFLIGHT;
	up(&r, &x, 45, ACK, "more");
	CU_ASSERT_TRUE(x.r.confirm);
	l->state = SRP_LINK_SETTLED;
	up(&r, &x, 49, ACK, "more");
	CU_ASSERT_FALSE(x.r.confirm);
	/* told again, as the server has acknowledged: nothing rests on that */
	l->state = SRP_LINK_DIRTY;
	up(&r, &x, 53, ACK, "more");
	CU_ASSERT_FALSE(x.r.confirm);
	l->state = SRP_LINK_NONE;
	end(&r);
}

CU_TestInfo ecs_shifts_tests[] = {
	{"the record", test_record},
	{"one for each connection", test_ends},
	{"an active chassis is filled", test_filled},
	{"too many", test_too_many},
	{"a connection goes on", test_goes_on},
	{"another connection", test_other_connection},
	{"no place", test_no_place},
	{"what waits for the peer", test_confirm},
	CU_TEST_INFO_NULL,
};

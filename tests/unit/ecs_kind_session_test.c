#include "config.h"
#include "suites.h"

#include "ecs_kit.h"

static struct ecs_session *at(struct kit *k, uint32_t callid)
{
	return ecs_session_find(k->e, callid);
}

static void test_full_round_trip(void)
{
	struct srp_ckpt_obj *out = NULL;
	struct ecs_session *s, *t;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ecs_session_bearer(s, 6, true));
	ecs_session_bearer(s, 6, false)->qci = 1;
	a.now = srp_time_add(a.now, SRP_SEC(100));
	s->last = a.now;
	a.now = srp_time_add(a.now, SRP_MS(2500));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	t = at(&b, 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_PTR_EQUAL(out, &t->full);
	CU_ASSERT_TRUE(kit_same(&a, &s->full, &b, &t->full));
	CU_ASSERT_EQUAL(memcmp(&s->spec, &t->spec, sizeof(s->spec)), 0);
	CU_ASSERT_PTR_EQUAL(ecs_session_by_addr(b.e, &s->spec.v4), t);
	CU_ASSERT_PTR_EQUAL(ecs_session_by_addr(b.e, &s->spec.v6), t);
	/* a dedicated bearer is made by its own record, and then kept by the session's */
	CU_ASSERT_PTR_NULL(ecs_session_bearer(t, 6, false));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_session_bearer(s, 6, false)->ckpt, &out), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ecs_session_bearer(t, 6, false));
	CU_ASSERT_EQUAL(ecs_session_bearer(t, 6, false)->qci, 1);
	CU_ASSERT_EQUAL(srp_time_since(t->created, b.now), SRP_MS(102500));
	CU_ASSERT_EQUAL(srp_time_since(t->last, b.now), SRP_MS(2500));
	CU_ASSERT_TRUE(t->ready_for_recovery && t->consistent);
	CU_ASSERT_EQUAL(t->pending, 0);
	CU_ASSERT_EQUAL(b.ctr.sessions_applied, 1);
	CU_ASSERT_EQUAL(b.rec.changed[240], 0); /* a standby tells nobody */
	/* again: the same object, and nothing new */
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_PTR_EQUAL(out, &t->full);
	CU_ASSERT_EQUAL(b.ctr.sessions_applied, 1);
	CU_ASSERT_PTR_NOT_NULL(ecs_session_bearer(t, 6, false));
	kit_fini(&a);
	kit_fini(&b);
}

static void test_full_ends_bearers_leaves_flows(void)
{
	struct srp_ckpt_obj *out = NULL;
	struct ecs_session *s, *t;
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	ecs_session_bearer(s, 6, true);
	f = kit_flow(&a, s, 1000, false, "web");
	ecs_usage_charge(a.e, s, 0, ECS_USAGE_SESSION, 0, 0, ECS_UPLINK, 1, 100, a.now);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	t = at(&b, 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	ecs_session_bearer(s, 6, false)->used = false;
	ecs_session_bearer(s, 7, true);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_PTR_NULL(ecs_session_bearer(t, 6, false));
	CU_ASSERT_PTR_NULL(ecs_session_bearer(t, 7, false)); /* its record is on the way */
	CU_ASSERT_EQUAL(b.rec.deleted[33], 1); /* its lists were left */
	CU_ASSERT_EQUAL(b.rec.told[33], 0);
	CU_ASSERT_PTR_NOT_NULL(ecs_flow_find_id(b.e->flows, 7, f->id));
	CU_ASSERT_EQUAL(t->nusages, 1);
	kit_fini(&a);
	kit_fini(&b);
}

static void test_full_torture(void)
{
	struct ecs_session *s;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, true);
	kit_torture(&a, &b, &s->full); /* creates */
	s->spec.idle_timeout = 60;
	ecs_session_bearer(s, 15, true);
	kit_torture(&a, &b, &s->full); /* updates */
	kit_torture(&a, &b, &s->call);
	kit_torture(&a, &b, &s->clp);
	kit_torture(&a, &b, &s->first.ckpt);
	kit_fini(&a);
	kit_fini(&b);
}

/* The longest record that a session can make stays within the kind's own limit. */
static void test_full_longest(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, UINT32_MAX, 1, true);
	memset(s->spec.imsi, '9', 15);
	memset(s->spec.username, 'u', 63);
	memset(s->spec.apn, 'a', 63);
	memset(s->spec.rulebase, 'r', 63);
	s->spec.idle_timeout = UINT32_MAX;
	for (uint8_t id = 5; id <= 15; id++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(ecs_session_bearer(s, id, true));
		ecs_session_bearer(s, id, true)->qci = 255;
		ecs_session_bearer(s, id, true)->arp = 255;
	}
	s->full.term = s->full.version = UINT32_MAX;
	s->created.us = 1;
	CU_ASSERT_TRUE(kit_record_len(&a, &s->full) <= ecs_kind_full.max_len);
	CU_ASSERT_TRUE(ecs_kind_full.max_len < 512);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_STRING_EQUAL(at(&b, UINT32_MAX)->spec.rulebase, s->spec.rulebase);
	CU_ASSERT_EQUAL(ecs_session_bearer(at(&b, UINT32_MAX), 5, false)->qci, 255);
	kit_fini(&a);
	kit_fini(&b);
}

/* One field of a full checkpoint written by hand. */
static int apply_full(struct kit *b, uint64_t callid, const char *imsi, const uint8_t *v4,
                      const uint8_t *v6, const uint8_t *bearers, size_t nbearers, uint64_t age)
{
	uint8_t buf[512];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_ckpt_obj *out;

	srp_mp_w_str(&w, imsi);
	srp_mp_w_str(&w, "user");
	srp_mp_w_str(&w, "apn");
	srp_mp_w_str(&w, "rb");
	if (v4)
		srp_mp_w_bin(&w, v4, 4);
	else
		srp_mp_w_nil(&w);
	if (v6)
		srp_mp_w_bin(&w, v6, 8);
	else
		srp_mp_w_nil(&w);
	srp_mp_w_uint(&w, 0);
	srp_mp_w_array(&w, (uint32_t)nbearers);
	for (size_t i = 0; i < nbearers; i++) {
		srp_mp_w_array(&w, 3);
		srp_mp_w_uint(&w, bearers[i]);
		srp_mp_w_uint(&w, 9);
		srp_mp_w_uint(&w, 1);
	}
	srp_mp_w_uint(&w, age);
	srp_mp_w_uint(&w, 0);
	CU_ASSERT_EQUAL(w.err, 0);
	return kit_apply(b, &ecs_kind_full, &(struct srp_ckpt_key){{callid}}, buf, srp_mp_w_len(&w),
	                 ecs_kind_full.nfields, &out);
}

static void test_full_refusals(void)
{
	static const uint8_t v4[4] = {10, 0, 0, 1}, zero[8], v6[8] = {0x20, 1, 0xd, 0xb8};
	static const uint8_t five[] = {5}, four[] = {5, 4}, sixteen[] = {5, 16}, twice[] = {5, 5};
	static const uint8_t without[] = {6};
	static const uint8_t all[] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	static const uint8_t more[] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 5};
	struct kit_state st;
	struct kit b;

	kit_init(&b, 1, false);
	st = kit_state(&b);
	CU_ASSERT_EQUAL(apply_full(&b, 0, "1", v4, NULL, five, 1, 0), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_full(&b, (uint64_t)1 << 32, "1", v4, NULL, five, 1, 0), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", NULL, NULL, five, 1, 0), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", zero, NULL, five, 1, 0), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", NULL, zero, five, 1, 0), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "0123456789012345", v4, NULL, five, 1, 0), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "12\n", v4, NULL, five, 1, 0), SRP_EFORMAT);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "12\x7f", v4, NULL, five, 1, 0), SRP_EFORMAT);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", v4, NULL, four, 2, 0), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", v4, NULL, sixteen, 2, 0), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", v4, NULL, twice, 2, 0), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", v4, NULL, without, 1, 0), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", v4, NULL, NULL, 0, 0), SRP_EINVAL);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", v4, NULL, more, 12, 0), SRP_ERANGE);
	CU_ASSERT_EQUAL(apply_full(&b, 1, "1", v4, NULL, five, 1, ECS_KIND_AGE_MAX_MS + 1),
	                SRP_ERANGE);
	CU_ASSERT_TRUE(kit_unchanged(&b, &st));
	CU_ASSERT_EQUAL(apply_full(&b, 1, "012345678901234", v4, v6, all, 11, ECS_KIND_AGE_MAX_MS),
	                0);
	CU_ASSERT_EQUAL(ecs_engine_sessions(b.e), 1);
	/* an age before the clock's start is no "never" */
	CU_ASSERT_TRUE(at(&b, 1)->created.us >= 1);
	kit_fini(&b);
}

/* Addresses that others hold: the peer's view wins, what they had leaves the lists (R12). */
static void test_full_replaces_holders(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct kit a, b, c;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	kit_init(&c, 1, true);
	/* at b: call 1 has the IPv4 address, call 2 the IPv6 prefix that call 3 now has */
	kit_flow(&a, kit_session(&a, 1, 1, false), 1000, false, "web");
	s = kit_session(&a, 2, 2, true);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(b.e), 1);
	ecs_session_delete(a.e, 1, ECS_END_OPERATOR, a.now);
	ecs_session_delete(a.e, 2, ECS_END_OPERATOR, a.now);
	s = kit_session(&a, 3, 1, false);
	s->spec.has6 = true;
	s->spec.v6 = kit_v6(2, 0);
	ecs_chain_insert(&a.e->by_v6, s);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_EQUAL(ecs_engine_sessions(b.e), 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(b.e), 0);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(b.e), 0);
	CU_ASSERT_EQUAL(b.ctr.sessions_replaced, 2);
	CU_ASSERT_EQUAL(b.rec.deleted[240], 2);
	CU_ASSERT_EQUAL(b.rec.deleted[179], 2);
	CU_ASSERT_EQUAL(b.rec.deleted[210], 1);
	CU_ASSERT_EQUAL(b.rec.told[240] + b.rec.told[210], 0);
	/* where a session is in service it is not replaced: the offer is refused */
	kit_session(&c, 9, 1, false);
	CU_ASSERT_EQUAL(kit_send(&a, &c, &s->full, &out), SRP_EDUP);
	CU_ASSERT_EQUAL(ecs_engine_sessions(c.e), 1);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
}

/* A session whose address changes loses the flows of the old one. */
static void test_full_moves(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *t;
	struct kit a, b, c;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	kit_init(&c, 0, true);
	kit_flow(&a, kit_session(&a, 1, 1, false), 1000, false, "web");
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	s = kit_session(&c, 1, 2, false);
	CU_ASSERT_EQUAL(kit_send(&c, &b, &s->full, &out), 0);
	t = at(&b, 1);
	CU_ASSERT_PTR_EQUAL(ecs_session_by_addr(b.e, &s->spec.v4), t);
	CU_ASSERT_EQUAL(t->nflows, 0);
	CU_ASSERT_EQUAL(b.ctr.flows_replaced, 1);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
}

/* INVALIDATE_CRR takes all that belongs to the session; each leaves the lists, none is told. */
static void test_invalidate(void)
{
	struct srp_ckpt_ctx ctx;
	struct ecs_session *s;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	ecs_session_bearer(s, 6, true);
	kit_flow(&a, s, 1000, false, "web");
	kit_flow(&a, s, 1001, false, "dns");
	ecs_usage_charge(a.e, s, 0, ECS_USAGE_SESSION, 0, 0, ECS_UPLINK, 1, 100, a.now);
	ecs_usage_turn(a.e, a.now);
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	ctx = kit_ctx(&b, false);
	CU_ASSERT_EQUAL(ecs_kind_full.remove(&ctx, &(struct srp_ckpt_key){{8}}), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_kind_full.remove(&ctx, &(struct srp_ckpt_key){{0}}), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_kind_full.remove(&ctx, &(struct srp_ckpt_key){{7}}), 0);
	CU_ASSERT_PTR_NULL(ecs_kind_full.find(&ctx, &(struct srp_ckpt_key){{7}}));
	CU_ASSERT_EQUAL(ecs_engine_sessions(b.e), 0);
	CU_ASSERT_EQUAL(ecs_engine_flows(b.e), 0);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(b.e), 0);
	CU_ASSERT_EQUAL(b.rec.deleted[240], 1);
	CU_ASSERT_EQUAL(b.rec.deleted[179], 1);
	CU_ASSERT_EQUAL(b.rec.deleted[4], 1);
	CU_ASSERT_EQUAL(b.rec.deleted[33], 2);
	CU_ASSERT_EQUAL(b.rec.deleted[210], 2);
	CU_ASSERT_EQUAL(b.rec.deleted[212], 1);
	CU_ASSERT_EQUAL(b.rec.told[240] + b.rec.told[210] + b.rec.told[33], 0);
	kit_fini(&a);
	kit_fini(&b);
}

static void test_call(void)
{
	struct srp_ckpt_obj *out;
	struct srp_ckpt_ctx ctx;
	struct ecs_session *s, *t;
	uint8_t buf[16];
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), SRP_ENOSESS);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	t = at(&b, 7);
	CU_ASSERT_EQUAL(ecs_session_control(a.e, 7, true, a.now), 0);
	s->flow_ids = 500;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	CU_ASSERT_PTR_EQUAL(out, &t->call);
	CU_ASSERT_EQUAL(t->pending, ECS_PENDING_HANDOFF);
	CU_ASSERT_EQUAL(t->next_flow, 500);
	CU_ASSERT_TRUE(kit_same(&a, &s->call, &b, &t->call));
	s->redirected[0] = 77;
	s->redirected[1] = UINT32_MAX;
	CU_ASSERT_FALSE(kit_same(&a, &s->call, &b, &t->call));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, &s->call, &b, &t->call));
	CU_ASSERT_EQUAL(memcmp(s->redirected, t->redirected, sizeof(s->redirected)), 0);
	CU_ASSERT_EQUAL(ecs_session_control(a.e, 7, false, a.now), 0);
	CU_ASSERT_FALSE(kit_same(&a, &s->call, &b, &t->call));
	s->flow_ids = 3;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	CU_ASSERT_EQUAL(t->pending, 0);
	CU_ASSERT_EQUAL(t->next_flow, 500); /* never back */
	/* a reason that is not a peer's to give, a counter that leaves us no ids */
	buf[0] = ECS_PENDING_SWITCHOVER;
	buf[1] = buf[2] = 0;
	buf[3] = 0x90;
	CU_ASSERT_EQUAL(kit_apply(&b, &ecs_kind_call, &(struct srp_ckpt_key){{7}}, buf, 4, 5, &out),
	                SRP_ERANGE);
	memcpy(buf, "\x00\xce\xff\xff\xff\xff\x00\x90", 8);
	CU_ASSERT_EQUAL(kit_apply(&b, &ecs_kind_call, &(struct srp_ckpt_key){{7}}, buf, 8, 5, &out),
	                SRP_ERANGE);
	/* a radio access that there is not */
	buf[0] = buf[1] = 0;
	buf[2] = ECS_RAT__N;
	buf[3] = 0x90;
	CU_ASSERT_EQUAL(kit_apply(&b, &ecs_kind_call, &(struct srp_ckpt_key){{7}}, buf, 4, 5, &out),
	                SRP_ERANGE);
	/* redirections: none of them nothing, no more than there is room for */
	memcpy(buf, "\x00\x00\x00\x92\x05\x00", 6);
	CU_ASSERT_EQUAL(kit_apply(&b, &ecs_kind_call, &(struct srp_ckpt_key){{7}}, buf, 6, 5, &out),
	                SRP_EINVAL);
	memcpy(buf, "\x00\x00\x00\x95\x01\x02\x03\x04\x05", 9);
	CU_ASSERT_NOT_EQUAL(kit_apply(&b, &ecs_kind_call, &(struct srp_ckpt_key){{7}}, buf, 9, 5, &out),
	                    0);
	CU_ASSERT_EQUAL(t->next_flow, 500);
	ecs_session_control(a.e, 7, true, a.now);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	ctx = kit_ctx(&b, false);
	CU_ASSERT_EQUAL(ecs_kind_call.remove(&ctx, &(struct srp_ckpt_key){{7}}), 0);
	CU_ASSERT_EQUAL(t->pending, 0);
	CU_ASSERT_EQUAL(ecs_kind_call.remove(&ctx, &(struct srp_ckpt_key){{8}}), SRP_ENOENT);
	kit_fini(&a);
	kit_fini(&b);
}

static void test_bearer(void)
{
	struct srp_ckpt_obj *out;
	struct srp_ckpt_ctx ctx;
	struct ecs_bearer *d;
	struct ecs_session *s, *t;
	uint8_t two[6] = {9, 1, 0, 0, 0xc4, 0};
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	d = ecs_session_bearer(s, 8, true);
	d->qci = 1;
	d->arp = 3;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &d->ckpt, &out), SRP_ENOSESS);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	t = at(&b, 7);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &d->ckpt, &out), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ecs_session_bearer(t, 8, false));
	ecs_session_bearer(t, 8, false)->qci = 77;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &d->ckpt, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, &d->ckpt, &b, out));
	CU_ASSERT_EQUAL(ecs_session_bearer(t, 8, false)->qci, 1);
	CU_ASSERT_EQUAL(
	        kit_apply(&b, &ecs_kind_bearer, &(struct srp_ckpt_key){{7, 4}}, two, 6, 5, &out),
	        SRP_ERANGE);
	CU_ASSERT_EQUAL(
	        kit_apply(&b, &ecs_kind_bearer, &(struct srp_ckpt_key){{7, 16}}, two, 6, 5, &out),
	        SRP_ERANGE);
	CU_ASSERT_EQUAL(
	        kit_apply(&b, &ecs_kind_bearer, &(struct srp_ckpt_key){{7, 15}}, two, 6, 5, &out),
	        0);
	CU_ASSERT_PTR_EQUAL(ecs_kind_bearer.parent(out), &t->full);
	ctx = kit_ctx(&b, false);
	CU_ASSERT_EQUAL(ecs_kind_bearer.remove(&ctx, &(struct srp_ckpt_key){{7, 15}}), 0);
	CU_ASSERT_EQUAL(ecs_kind_bearer.remove(&ctx, &(struct srp_ckpt_key){{7, 15}}), SRP_ENOENT);
	/* the default bearer stays, on no list */
	CU_ASSERT_EQUAL(ecs_kind_bearer.remove(&ctx, &(struct srp_ckpt_key){{7, 5}}), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ecs_session_bearer(t, 5, false));
	CU_ASSERT_EQUAL(ecs_session_bearer(t, 5, false)->ckpt.link[SRP_REPLICA_GR].flags, 0);
	kit_fini(&a);
	kit_fini(&b);
}

static void test_clp(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *t;
	uint64_t left;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	t = at(&b, 7);
	left = ecs_wheel_left(b.e->wheel, &t->idle);
	a.now = srp_time_add(a.now, SRP_SEC(60));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->clp, &out), 0);
	CU_ASSERT_PTR_EQUAL(out, &t->clp);
	/* the standing wheel has what is left, not what was left when it came first */
	CU_ASSERT_EQUAL(left - ecs_wheel_left(b.e->wheel, &t->idle), 60000);
	CU_ASSERT_TRUE(kit_same(&a, &s->clp, &b, &t->clp));
	CU_ASSERT_EQUAL(ecs_kind_clp.del_id, 0);
	kit_fini(&a);
	kit_fini(&b);
}

/* An idle age that a standby hands on is the one it was told, however long it has been standing. */
static void test_idle_age_stands(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct kit a, b, c;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	kit_init(&c, 0, false);
	s = kit_session(&a, 7, 1, false);
	a.now = srp_time_add(a.now, SRP_SEC(30));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	b.now = srp_time_add(b.now, SRP_SEC(7200));
	CU_ASSERT_EQUAL(kit_send(&b, &c, out, &out), 0);
	CU_ASSERT_EQUAL(srp_time_since(at(&c, 7)->last, c.now), SRP_SEC(30));
	/* a life goes on meanwhile */
	CU_ASSERT_EQUAL(srp_time_since(at(&c, 7)->created, c.now), SRP_SEC(7230));
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
}

/* What does not resolve here makes a session pending until a record mends it (R16). */
static void test_consistency(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *t;
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init_with(&b, 1, false, 1, 0); /* rule web is another there */
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_ruleref_get(a.e->refs, f->ref)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	t = at(&b, 7);
	CU_ASSERT_TRUE(t->consistent);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_FALSE(t->consistent);
	CU_ASSERT_EQUAL(t->pending, ECS_PENDING_SWITCHOVER);
	kit_set_rule(&a, f, "dns");
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_ruleref_get(a.e->refs, f->ref)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_TRUE(t->consistent);
	CU_ASSERT_EQUAL(t->pending, 0);
	/* no such rulebase */
	strcpy(s->spec.rulebase, "elsewhere");
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_FALSE(t->consistent);
	CU_ASSERT_EQUAL(t->pending, ECS_PENDING_SWITCHOVER);
	CU_ASSERT_EQUAL(t->rulebase, -1);
	/* the reason is ours, it does not travel */
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->call, &out), 0);
	CU_ASSERT_EQUAL(t->pending, ECS_PENDING_SWITCHOVER);
	CU_ASSERT_TRUE(kit_same(&a, &s->call, &b, &t->call));
	strcpy(s->spec.rulebase, "rb");
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_TRUE(t->consistent);
	CU_ASSERT_EQUAL(t->pending, 0);
	kit_fini(&a);
	kit_fini(&b);
}

static void test_gates(void)
{
	struct srp_ckpt_ctx ctx;
	struct ecs_session *s;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	ctx = kit_ctx(&a, false);
	CU_ASSERT_PTR_NULL(ecs_kind_full.parent);
	CU_ASSERT_PTR_EQUAL(ecs_kind_call.parent(&s->call), &s->full);
	CU_ASSERT_PTR_EQUAL(ecs_kind_clp.parent(&s->clp), &s->full);
	s->ready_for_recovery = true;
	CU_ASSERT_EQUAL(ecs_kind_full.gate(&s->full, &ctx), SRP_GATE_OPEN);
	s->ready_for_recovery = false;
	CU_ASSERT_EQUAL(ecs_kind_full.gate(&s->full, &ctx), SRP_GATE_NOT_READY);
	CU_ASSERT_EQUAL(ecs_kind_call.gate(&s->call, &ctx), SRP_GATE_NOT_READY);
	CU_ASSERT_EQUAL(ecs_kind_clp.gate(&s->clp, &ctx), SRP_GATE_NOT_READY);
	CU_ASSERT_EQUAL(ecs_kind_bearer.gate(&s->first.ckpt, &ctx), SRP_GATE_NOT_READY);
	kit_fini(&a);
}

CU_TestInfo ecs_kind_session_tests[] = {
	{"a full checkpoint makes the session", test_full_round_trip},
	{"it ends bearers and leaves flows", test_full_ends_bearers_leaves_flows},
	{"cut and twisted records are refused whole", test_full_torture},
	{"the longest record", test_full_longest},
	{"refusals", test_full_refusals},
	{"holders of its addresses are replaced", test_full_replaces_holders},
	{"a session that moves loses its old flows", test_full_moves},
	{"invalidate takes all children", test_invalidate},
	{"call info", test_call},
	{"bearers", test_bearer},
	{"clpstats", test_clp},
	{"idle ages stand on a standby", test_idle_age_stands},
	{"consistency", test_consistency},
	{"gates and parents", test_gates},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include "ecs/enforce.h"
#include "ecs_kit.h"

static void check_copy(struct kit *a, const struct ecs_flow *f, struct kit *b)
{
	struct ecs_flow *g = kit_flow_at(b, f->session->spec.callid, f->id);

	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	CU_ASSERT_TRUE(kit_same(a, &f->ckpt, b, &g->ckpt));
	CU_ASSERT_EQUAL(memcmp(&f->key, &g->key, sizeof(f->key)), 0);
	CU_ASSERT_PTR_EQUAL(ecs_flow_find(b->e->flows, &f->key), g);
	CU_ASSERT_STRING_EQUAL(ecs_ruleref_get(a->e->refs, f->ref)->rule,
	                       ecs_ruleref_get(b->e->refs, g->ref)->rule);
	CU_ASSERT_TRUE(g->flags & ECS_FLOW_F_FINAL);
	CU_ASSERT_TRUE(g->flags & ECS_FLOW_F_CHECKPOINT);
	CU_ASSERT_TRUE(g->flags & ECS_FLOW_F_ELIGIBLE);
	CU_ASSERT_EQUAL(g->tcp_state, f->tcp_state);
	CU_ASSERT_EQUAL(g->idle_timeout, f->idle_timeout);
}

static void test_round_trip(void)
{
	struct srp_ckpt_obj *out = NULL;
	struct ecs_session *s, *t;
	struct ecs_flow *f4, *f6;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, true);
	f4 = kit_flow(&a, s, 1000, false, "web");
	f6 = kit_flow(&a, s, 1001, true, "web");
	f4->flags |= ECS_FLOW_F_FIN_UP | ECS_FLOW_F_MID | ECS_FLOW_F_OPENER_UP;
	f6->app = 300;
	f6->app_master = 7;
	f6->bearer = 6;
	t = kit_precede(&a, &b, f4);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f4->ckpt, &out), 0);
	CU_ASSERT_PTR_EQUAL(out, &kit_flow_at(&b, 7, f4->id)->ckpt);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f6->ckpt, &out), 0);
	check_copy(&a, f4, &b);
	check_copy(&a, f6, &b);
	CU_ASSERT_EQUAL(kit_flow_at(&b, 7, f6->id)->app, 300);
	CU_ASSERT_EQUAL(kit_flow_at(&b, 7, f6->id)->bearer, 6);
	CU_ASSERT_TRUE(kit_flow_at(&b, 7, f4->id)->flags & ECS_FLOW_F_MID);
	CU_ASSERT_TRUE(kit_flow_at(&b, 7, f4->id)->flags & ECS_FLOW_F_OPENER_UP);
	CU_ASSERT_FALSE(kit_flow_at(&b, 7, f6->id)->flags & ECS_FLOW_F_OPENER_UP);
	CU_ASSERT_EQUAL(t->slots, 2);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(b.e), 2);
	CU_ASSERT_EQUAL(b.ctr.flows_applied, 2);
	CU_ASSERT_EQUAL(ecs_ruleref_get(b.e->refs, kit_flow_at(&b, 7, f4->id)->ref)->flows, 2);
	/* an update changes the object that is there, and takes no second slot */
	f4->flags |= ECS_FLOW_F_FIN_DOWN;
	f4->tcp_state = ECS_TCP_ST_TIME_WAIT;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f4->ckpt, &out), 0);
	check_copy(&a, f4, &b);
	CU_ASSERT_EQUAL(t->slots, 2);
	CU_ASSERT_EQUAL(b.ctr.flows_applied, 2);
	CU_ASSERT_EQUAL(b.rec.changed[210], 0);
	CU_ASSERT_PTR_EQUAL(ecs_kind_flow.parent(&kit_flow_at(&b, 7, f4->id)->ckpt), &t->full);
	kit_fini(&a);
	kit_fini(&b);
}

/* A record of a new flow with its head: near 40 bytes, and never 55 for IPv4. */
static void test_size(void)
{
	struct ecs_session *s;
	struct ecs_flow *f;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 0x80001234, 1, true);
	s->next_flow = 1000;
	f = kit_flow(&a, s, 40000, false, "web");
	CU_ASSERT_TRUE(kit_record_len(&a, &f->ckpt) <= 40);
	a.now = srp_time_add(a.now, SRP_SEC(86400));
	f->app = 300;
	f->app_master = 7;
	f->ckpt.version = 70000;
	f->ckpt.term = 300;
	CU_ASSERT_TRUE(kit_record_len(&a, &f->ckpt) < 55);
	f = kit_flow(&a, s, 40000, true, "web");
	CU_ASSERT_TRUE(kit_record_len(&a, &f->ckpt) <= 60);
	CU_ASSERT_TRUE(ecs_kind_flow.max_len < 160);
	kit_fini(&a);
}

/* What is not decided yet: only of TCP that has not begun the record grows, by its ISN. */
static void test_open(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct ecs_flow *f, *g;
	struct kit a, b;
	size_t len;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, true);
	f = kit_flow(&a, s, 1000, true, "web");
	kit_precede(&a, &b, f);
	len = kit_record_len(&a, &f->ckpt);
	f->flags &= (uint16_t)~ECS_FLOW_F_FINAL;
	CU_ASSERT_EQUAL(kit_record_len(&a, &f->ckpt), len);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	g = kit_flow_at(&b, 7, f->id);
	CU_ASSERT_EQUAL(g->flags & (ECS_FLOW_F_FINAL | ECS_FLOW_F_FRESH), 0);
	CU_ASSERT_TRUE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	f->flags |= ECS_FLOW_F_FRESH;
	f->isn = UINT32_MAX;
	CU_ASSERT_EQUAL(kit_record_len(&a, &f->ckpt), len + 6);
	CU_ASSERT_FALSE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_EQUAL(g->flags & (ECS_FLOW_F_FINAL | ECS_FLOW_F_FRESH), ECS_FLOW_F_FRESH);
	CU_ASSERT_EQUAL(g->isn, UINT32_MAX);
	CU_ASSERT_TRUE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	f->isn = 1; /* the canonical form tells */
	CU_ASSERT_FALSE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	f->isn = UINT32_MAX;
	kit_torture(&a, &b, &f->ckpt);
	f->flags ^= ECS_FLOW_F_FRESH | ECS_FLOW_F_FINAL;
	CU_ASSERT_EQUAL(kit_record_len(&a, &f->ckpt), len);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_EQUAL(g->flags & (ECS_FLOW_F_FINAL | ECS_FLOW_F_FRESH), ECS_FLOW_F_FINAL);
	CU_ASSERT_TRUE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	/* without a connection there is no ISN to know */
	ecs_flow_remove(a.e->flows, f);
	f->key.proto = 17;
	f->tcp_state = ECS_TCP_ST_NONE;
	ecs_flow_insert(a.e->flows, f);
	f->flags ^= ECS_FLOW_F_FRESH | ECS_FLOW_F_FINAL;
	CU_ASSERT_EQUAL(kit_record_len(&a, &f->ckpt), len);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_EQUAL(g->flags & (ECS_FLOW_F_FINAL | ECS_FLOW_F_FRESH), ECS_FLOW_F_FRESH);
	CU_ASSERT_TRUE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	kit_fini(&a);
	kit_fini(&b);
}

static void test_torture(void)
{
	struct ecs_session *s;
	struct ecs_flow *f4, *f6;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, true);
	f4 = kit_flow(&a, s, 1000, false, "web");
	f6 = kit_flow(&a, s, 1000, true, "web");
	kit_precede(&a, &b, f4);
	kit_torture(&a, &b, &f4->ckpt);
	kit_torture(&a, &b, &f6->ckpt);
	a.now = srp_time_add(a.now, SRP_SEC(100));
	f4->idle_timeout = 12345;
	f4->back = kit_ref(&a, "dns");
	kit_sync(&a, &b);
	kit_torture(&a, &b, &f4->ckpt);
	kit_fini(&a);
	kit_fini(&b);
}

/* Two verdicts, where rules tell directions apart. */
static void test_back(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct ecs_flow *f, *g;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	kit_precede(&a, &b, f);
	f->back = kit_ref(&a, "any");
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), SRP_ENORULE);
	CU_ASSERT_EQUAL(ecs_engine_flows(b.e), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_ruleref_get(a.e->refs, f->back)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	g = kit_flow_at(&b, 7, f->id);
	CU_ASSERT_STRING_EQUAL(ecs_ruleref_get(b.e->refs, g->back)->rule, "any");
	CU_ASSERT_STRING_EQUAL(ecs_ruleref_get(b.e->refs, g->ref)->rule, "web");
	CU_ASSERT_TRUE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	f->back = ECS_REF_NONE; /* `(no rule)` that way */
	CU_ASSERT_FALSE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_EQUAL(g->back, ECS_REF_NONE);
	f->back = f->ref;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_EQUAL(g->back, g->ref);
	kit_fini(&a);
	kit_fini(&b);
}

struct raw {
	uint64_t callid, id;
	uint8_t key[64];
	size_t nkey;
	uint64_t rule, bearer, flags, tcp, app, isn;
	bool has_isn;
};

static int apply_raw(struct kit *b, const struct raw *x)
{
	uint8_t buf[256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_ckpt_obj *out;

	srp_mp_w_bin(&w, x->key, x->nkey);
	srp_mp_w_uint(&w, x->rule);
	srp_mp_w_uint(&w, x->bearer);
	if (x->has_isn)
		srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, x->flags);
	if (x->has_isn)
		srp_mp_w_uint(&w, x->isn);
	srp_mp_w_uint(&w, x->tcp);
	srp_mp_w_nil(&w);
	srp_mp_w_uint(&w, x->app);
	srp_mp_w_uint(&w, 0);
	srp_mp_w_uint(&w, 0);
	srp_mp_w_uint(&w, 0);
	CU_ASSERT_EQUAL(w.err, 0);
	return kit_apply(b, &ecs_kind_flow, &(struct srp_ckpt_key){{x->callid, x->id}}, buf,
	                 srp_mp_w_len(&w), ecs_kind_flow.nfields, &out);
}

/* @p x with one member changed is refused with @p code, and changes nothing. */
#define REFUSED(code, change)                                         \
	do {                                                          \
		struct raw x = good;                                  \
		change;                                               \
		CU_ASSERT_EQUAL(apply_raw(&b, &x), code);             \
		CU_ASSERT_TRUE(kit_unchanged(&b, &st));               \
	} while (0)

static void test_refusals(void)
{
	struct raw good = {.callid = 7, .id = 3, .nkey = 9, .bearer = 5, .flags = 0, .tcp = 3,
	                   .key = {6, 0x10, 0, 0, 80, 192, 0, 2, 1}};
	struct ecs_session *s;
	struct kit_state st;
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	kit_precede(&a, &b, f);
	good.rule = ecs_ruleref_get(a.e->refs, f->ref)->name_hash;
	st = kit_state(&b);
	REFUSED(SRP_ENOSESS, x.callid = 8);
	REFUSED(SRP_ERANGE, x.callid = 0);
	REFUSED(SRP_ERANGE, x.callid = (uint64_t)1 << 32);
	REFUSED(SRP_ERANGE, x.id = 0);
	REFUSED(SRP_ERANGE, x.id = (uint64_t)ECS_FLOW_COUNTER_MAX << 1);
	REFUSED(SRP_ERANGE, x.nkey = 8);
	REFUSED(SRP_EINVAL, x.nkey = 10);
	REFUSED(SRP_EINVAL, x.nkey = 13);
	REFUSED(SRP_EINVAL, x.nkey = 29); /* the session has no IPv6 */
	REFUSED(SRP_ERANGE, x.nkey = 30);
	REFUSED(SRP_ENORULE, x.rule = 0);
	REFUSED(SRP_ENORULE, x.rule ^= 1);
	REFUSED(SRP_ERANGE, x.bearer = 4);
	REFUSED(SRP_ERANGE, x.bearer = 16);
	REFUSED(SRP_ERANGE, x.flags = 0x80);
	REFUSED(SRP_EINVAL, x.flags = 0x20);                 /* not begun, from no ISN */
	REFUSED(SRP_EINVAL, x.has_isn = true);               /* or an ISN, and begun */
	REFUSED(SRP_EINVAL, (x.has_isn = true, x.flags = 0x40));
	REFUSED(SRP_ERANGE, (x.has_isn = true, x.flags = 0x20, x.isn = (uint64_t)1 << 32));
	REFUSED(SRP_EINVAL, (x.has_isn = true, x.flags = 0x60)); /* and undecided */
	REFUSED(SRP_EINVAL, (x.has_isn = true, x.flags = 0x21)); /* and closed */
	REFUSED(SRP_EINVAL, (x.has_isn = true, x.flags = 0x22));
	REFUSED(SRP_EINVAL, (x.has_isn = true, x.flags = 0x28)); /* and in mid-stream */
	REFUSED(SRP_EINVAL, (x.has_isn = true, x.flags = 0x20, x.tcp = 4));
	REFUSED(SRP_EINVAL, (x.key[0] = 17, x.tcp = 0, x.flags = 0x20, x.has_isn = true));
	REFUSED(SRP_EINVAL, (x.key[0] = 17, x.tcp = 0, x.flags = 0x40));
	REFUSED(SRP_ERANGE, x.tcp = ECS_TCP_ST__N);
	REFUSED(SRP_ERANGE, x.app = 65536);
	REFUSED(SRP_EINVAL, x.key[0] = 17);                  /* UDP with a state of TCP */
	REFUSED(SRP_EINVAL, (x.key[0] = 17, x.tcp = 0, x.flags = 1)); /* or with a FIN */
	CU_ASSERT_EQUAL(apply_raw(&b, &good), 0);
	good.id = ((uint64_t)ECS_FLOW_COUNTER_MAX << 1) - 1;
	good.key[1]++;
	CU_ASSERT_EQUAL(apply_raw(&b, &good), 0);
	/* ids are left for ourselves */
	ecs_engine_active(b.e, true, b.now);
	CU_ASSERT_PTR_NOT_NULL(kit_flow(&b, ecs_session_find(b.e, 7), 2000, false, "web"));
	kit_fini(&a);
	kit_fini(&b);
}

/* An IPv6 flow whose server is a mapped IPv4 address would be of two families. */
static void test_families(void)
{
	struct raw x = {
	        .callid = 7, .id = 3, .nkey = 29, .bearer = 5, .tcp = 3, .key = {6, 0, 1, 0, 80}};
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	f = kit_flow(&a, kit_session(&a, 7, 1, true), 1000, true, "web");
	kit_precede(&a, &b, f);
	x.rule = ecs_ruleref_get(a.e->refs, f->ref)->name_hash;
	x.key[15] = x.key[16] = 0xff;
	x.key[20] = 1;
	CU_ASSERT_EQUAL(apply_raw(&b, &x), SRP_EINVAL);
	x.key[5] = 0x20;
	CU_ASSERT_EQUAL(apply_raw(&b, &x), 0);
	kit_fini(&a);
	kit_fini(&b);
}

/* A 5-tuple that another flow holds: on a standby the peer's view wins, in service ours (R12). */
static void test_replaces_holder(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *t;
	struct ecs_flow *f, *g;
	struct kit a, b, c;
	uint32_t old;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	kit_init(&c, 1, true);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	old = f->id;
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	t = ecs_session_find(b.e, 7);
	ecs_flow_drop(a.e, f, ECS_TELL, a.now);
	f = kit_flow(&a, s, 1000, false, "web");
	CU_ASSERT_NOT_EQUAL(f->id, old);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_PTR_NULL(kit_flow_at(&b, 7, old));
	check_copy(&a, f, &b);
	CU_ASSERT_EQUAL(b.ctr.flows_replaced, 1);
	CU_ASSERT_EQUAL(b.rec.deleted[210], 1);
	CU_ASSERT_EQUAL(b.rec.told[210], 0);
	CU_ASSERT_EQUAL(t->nflows, 1);
	CU_ASSERT_EQUAL(t->slots, 1);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(b.e), 1);
	/* the same id with another 5-tuple: the flow moves, it is not two */
	ecs_flow_remove(a.e->flows, f);
	f->key.subscriber_port = 2222;
	ecs_flow_insert(a.e->flows, f);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	check_copy(&a, f, &b);
	CU_ASSERT_EQUAL(ecs_engine_flows(b.e), 1);
	/* in service */
	g = kit_flow(&c, kit_session(&c, 7, 1, false), 2222, false, "web");
	CU_ASSERT_NOT_EQUAL(g->id, f->id);
	CU_ASSERT_EQUAL(kit_send(&a, &c, &f->ckpt, &out), SRP_EDUP);
	CU_ASSERT_PTR_EQUAL(kit_flow_at(&c, 7, g->id), g);
	kit_fini(&a);
	kit_fini(&b);
	kit_fini(&c);
}

/* Idle time goes on from the reported age when the wheel starts (R18). */
static void test_ages(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct ecs_flow *f, *g;
	uint64_t full, left;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	kit_precede(&a, &b, f);
	full = (uint64_t)f->idle_timeout * 1000;
	CU_ASSERT_TRUE_FATAL(full > 20000);
	a.now = srp_time_add(a.now, SRP_SEC(30));
	f->last = a.now;
	a.now = srp_time_add(a.now, SRP_SEC(10));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	g = kit_flow_at(&b, 7, f->id);
	CU_ASSERT_EQUAL(srp_time_since(g->created, b.now), SRP_SEC(40));
	CU_ASSERT_EQUAL(srp_time_since(g->last, b.now), SRP_SEC(10));
	left = ecs_wheel_left(b.e->wheel, &g->idle);
	CU_ASSERT_EQUAL(full - left, 10000);
	b.now = srp_time_add(b.now, SRP_SEC(100000));
	ecs_engine_tick(b.e, b.now, 1000);
	CU_ASSERT_PTR_EQUAL(kit_flow_at(&b, 7, f->id), g); /* a standby ages nothing */
	ecs_engine_active(b.e, true, b.now);
	b.now = srp_time_add(b.now, (left - 200) * 1000);
	ecs_engine_tick(b.e, b.now, 1000);
	CU_ASSERT_PTR_EQUAL(kit_flow_at(&b, 7, f->id), g);
	b.now = srp_time_add(b.now, SRP_SEC(1));
	ecs_engine_tick(b.e, b.now, 1000);
	CU_ASSERT_PTR_NULL(kit_flow_at(&b, 7, f->id));
	CU_ASSERT_EQUAL(b.rec.told[210], 1);
	kit_fini(&a);
	kit_fini(&b);
}

/* An idle timeout travels only where the rule does not imply it, and is no part of the hash. */
static void test_own_timeout(void)
{
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct ecs_flow *f, *g;
	size_t len;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	f = kit_flow(&a, s, 1000, false, "web");
	kit_precede(&a, &b, f);
	len = kit_record_len(&a, &f->ckpt);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	g = kit_flow_at(&b, 7, f->id);
	f->idle_timeout = 17;
	CU_ASSERT_EQUAL(kit_record_len(&a, &f->ckpt), len); /* 17 is as short as nil */
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_EQUAL(g->idle_timeout, 17);
	CU_ASSERT_EQUAL(ecs_wheel_left(b.e->wheel, &g->idle), 17000);
	CU_ASSERT_TRUE(kit_same(&a, &f->ckpt, &b, &g->ckpt));
	f->idle_timeout = 0;
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_FALSE(ecs_wheel_armed(&g->idle));
	f->idle_timeout = ecs_flow_timeout(a.e, f);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	CU_ASSERT_EQUAL(g->idle_timeout, f->idle_timeout);
	CU_ASSERT_TRUE(ecs_wheel_armed(&g->idle));
	kit_fini(&a);
	kit_fini(&b);
}

/* A peer cannot make a call hold more than the highest limit there is: 300, and not 301. */
static void test_limit(void)
{
	struct raw x = {.callid = 7,
	                .nkey = 9,
	                .bearer = 5,
	                .tcp = 3,
	                .key = {6, 0, 0, 0, 80, 192, 0, 2, 1}};
	struct kit_state st;
	struct ecs_flow *f;
	struct kit a, b;
	unsigned ok = 0;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	f = kit_flow(&a, kit_session(&a, 7, 1, false), 1, false, "web");
	kit_precede(&a, &b, f);
	x.rule = ecs_ruleref_get(a.e->refs, f->ref)->name_hash;
	for (x.id = 1; x.id <= 300; x.id++) {
		x.key[1] = (uint8_t)(x.id >> 8);
		x.key[2] = (uint8_t)x.id;
		ok += apply_raw(&b, &x) == 0;
	}
	CU_ASSERT_EQUAL(ok, 300);
	x.key[1] = 9;
	st = kit_state(&b);
	CU_ASSERT_EQUAL(apply_raw(&b, &x), SRP_EFULL);
	CU_ASSERT_TRUE(kit_unchanged(&b, &st));
	x.id = 5; /* one that has its slot moves, as ever */
	CU_ASSERT_EQUAL(apply_raw(&b, &x), 0);
	x.id = 301; /* and one that takes the place of another fits */
	CU_ASSERT_EQUAL(apply_raw(&b, &x), 0);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(b.e), 300);
	/* the limit of the instance, at the limit and one before */
	x.id = 302;
	x.key[1] = 10;
	b.e->slots += ECS_FLOW_CHKPT_PER_SESSMGR - 300;
	ecs_session_find(b.e, 7)->slots -= 2;
	CU_ASSERT_EQUAL(apply_raw(&b, &x), SRP_EFULL);
	b.e->slots--;
	CU_ASSERT_EQUAL(apply_raw(&b, &x), 0);
	kit_fini(&a);
	kit_fini(&b);
}

static void test_remove(void)
{
	struct srp_ckpt_ctx ctx;
	struct srp_ckpt_key key;
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	f = kit_flow(&a, kit_session(&a, 7, 1, false), 1000, false, "web");
	CU_ASSERT_EQUAL(kit_sync(&a, &b), 0);
	ctx = kit_ctx(&b, false);
	ecs_kind_flow.key(&f->ckpt, &key);
	CU_ASSERT_PTR_NOT_NULL(ecs_kind_flow.find(&ctx, &key));
	CU_ASSERT_EQUAL(ecs_kind_flow.remove(&ctx, &(struct srp_ckpt_key){{7, 999}}), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_kind_flow.remove(&ctx, &(struct srp_ckpt_key){{7, UINT64_MAX}}),
	                SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_kind_flow.remove(&ctx, &key), 0);
	CU_ASSERT_PTR_NULL(ecs_kind_flow.find(&ctx, &key));
	CU_ASSERT_EQUAL(ecs_engine_recoverable(b.e), 0);
	CU_ASSERT_EQUAL(ecs_session_find(b.e, 7)->slots, 0);
	CU_ASSERT_EQUAL(b.rec.deleted[210], 1);
	CU_ASSERT_EQUAL(b.rec.told[210], 0);
	kit_fini(&a);
	kit_fini(&b);
}

static int count(struct srp_ckpt_obj *o, void *arg)
{
	(void)o;
	++*(unsigned *)arg;
	return 0;
}

/* Only what is, or would be, at the peer is walked. */
static void test_walk(void)
{
	struct srp_ckpt_ctx ctx;
	struct ecs_session *s;
	unsigned n = 0;
	struct kit a;

	kit_init(&a, 0, true);
	s = kit_session(&a, 7, 1, false);
	kit_flow(&a, s, 1000, false, "web");
	kit_flow(&a, s, 1001, false, "slow");  /* delayed */
	kit_flow(&a, s, 1002, false, "plain"); /* not eligible */
	ctx = kit_ctx(&a, false);
	ecs_kind_flow.walk(&ctx, count, &n);
	CU_ASSERT_EQUAL(n, 1);
	s->ready_for_recovery = false;
	ecs_kind_flow.walk(&ctx, count, &n);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(ecs_kind_flow.gate(
		&ECS_CONTAINER(s->flows.next, struct ecs_flow, in_session)->ckpt, &ctx),
		SRP_GATE_NOT_READY);
	kit_fini(&a);
}

CU_TestInfo ecs_kind_flow_tests[] = {
	{"a record makes the flow", test_round_trip},
	{"sizes", test_size},
	{"what is not decided", test_open},
	{"cut and twisted records are refused whole", test_torture},
	{"two verdicts", test_back},
	{"refusals", test_refusals},
	{"address families", test_families},
	{"the holder of its 5-tuple is replaced", test_replaces_holder},
	{"ages", test_ages},
	{"an idle timeout of its own", test_own_timeout},
	{"limits against the peer", test_limit},
	{"removal", test_remove},
	{"walk and gate", test_walk},
	CU_TEST_INFO_NULL,
};

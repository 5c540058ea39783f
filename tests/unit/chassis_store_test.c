/* The kinds of the registry, and the store that holds their records without knowing them: what is
 * hashed must be the same bytes on both ends, for every kind and whatever an object is like. */
#include "config.h"
#include "suites.h"

#include "chassis/registry.h"
#include "ecs/shift.h"
#include "ecs/quota.h"
#include "ecs_rig.h"
#include "recovery/fill.h"
#include "recovery/store_impl.h"

#define CAP (8u << 20)

struct bed {
	struct rig r;
	void *mem;
	struct recovery_store *store;
	unsigned n[256]; /* objects mirrored, by kind */
};

static struct srp_ckpt_ctx ctx_of(struct rig *r, const struct srp_ckpt_kind *k, bool canonical)
{
	return (struct srp_ckpt_ctx){.now = r->now, .owner = r->e, .replica = SRP_REPLICA_SR,
	                             .canonical = canonical, .ver = k->ver_max, .kind = k};
}

static const struct srp_ckpt_kind *row_of(struct bed *b, const struct srp_ckpt_kind *k)
{
	for (size_t i = 0; i < chassis_nkinds; i++)
		if (chassis_kinds[i] == k)
			return recovery_store_kinds(b->store)[i];
	return NULL;
}

static struct srp_ckpt_ctx store_ctx(struct bed *b, const struct srp_ckpt_kind *k, bool canonical)
{
	struct srp_ckpt_ctx ctx = ctx_of(&b->r, k, canonical);

	ctx.owner = b->store;
	ctx.kind = row_of(b, k);
	return ctx;
}

/* One record goes into the store. */
static int mirror_one(struct srp_ckpt_obj *o, void *arg)
{
	struct bed *b = arg;
	const struct srp_ckpt_kind *k = o->kind;
	const struct srp_ckpt_ctx from = ctx_of(&b->r, k, false);
	struct srp_ckpt_ctx to = store_ctx(b, k, false);
	struct srp_ckpt_key key = {{0}};
	struct srp_ckpt_obj *copy = NULL;
	uint8_t buf[SRP_CKPT_RECORD_MAX];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;

	k->key(o, &key);
	CU_ASSERT_EQUAL_FATAL(k->encode(o, &from, &w), 0);
	to.term = o->term;
	to.version = o->version;
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	CU_ASSERT_EQUAL_FATAL(to.kind->apply(&to, &key, &r, k->nfields, &copy), 0);
	CU_ASSERT_EQUAL(srp_mp_finish(&r), 0);
	copy->term = o->term;
	copy->version = o->version;
	b->n[k->id]++;
	return 0;
}

static void mirror_all(struct bed *b)
{
	for (size_t i = 0; i < chassis_nkinds; i++) {
		const struct srp_ckpt_ctx ctx = ctx_of(&b->r, chassis_kinds[i], false);

		chassis_kinds[i]->walk(&ctx, mirror_one, b);
	}
}

struct against {
	struct bed *b;
	struct rig *r; /* the engine whose objects are compared with the store */
	unsigned n;
};

/* The canonical form of an object, and of what the store has of it. */
static int compare_one(struct srp_ckpt_obj *o, void *arg)
{
	struct against *a = arg;
	const struct srp_ckpt_kind *k = o->kind;
	const struct srp_ckpt_ctx mine = ctx_of(a->r, k, true), other = store_ctx(a->b, k, true);
	struct srp_ckpt_key key = {{0}};
	struct srp_ckpt_obj *copy;
	uint8_t x[SRP_CKPT_RECORD_MAX], y[SRP_CKPT_RECORD_MAX];
	struct srp_mp_w wx = srp_mp_w_init(x, sizeof(x)), wy = srp_mp_w_init(y, sizeof(y));

	k->key(o, &key);
	copy = other.kind->find(&other, &key);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	CU_ASSERT_EQUAL_FATAL(k->encode(o, &mine, &wx), 0);
	CU_ASSERT_EQUAL_FATAL(other.kind->encode(copy, &other, &wy), 0);
	CU_ASSERT_EQUAL(srp_mp_w_len(&wx), srp_mp_w_len(&wy));
	if (srp_mp_w_len(&wx) != srp_mp_w_len(&wy) || memcmp(x, y, srp_mp_w_len(&wx)) != 0)
		CU_FAIL(k->name);
	a->n++;
	return 0;
}

static unsigned compare_all(struct bed *b, struct rig *r)
{
	struct against a = {b, r, 0};

	for (size_t i = 0; i < chassis_nkinds; i++) {
		const struct srp_ckpt_ctx ctx = ctx_of(r, chassis_kinds[i], false);

		chassis_kinds[i]->walk(&ctx, compare_one, &a);
	}
	return a.n;
}

/* Flows as different as flows are: both families, every shape of a field. */
static void flows(struct rig *r)
{
	struct conn c[6] = {tcp(r, 1001, 80), tcp(r, 1002, 80), tcp(r, 1003, 80), tcp(r, 1004, 80),
	                    tcp(r, 1005, 80), tcp(r, 1006, 80)};
	struct ecs_flow *f;

	c[1].v6 = true;
	for (int i = 0; i < 6; i++) {
		handshake(&c[i]);
		(void)say(&c[i], ECS_UPLINK, ACK, GET("www.video.example"));
		CU_ASSERT_STRING_EQUAL_FATAL(rule_of(&c[i]), "video");
	}
	(void)say(&c[2], ECS_UPLINK, FIN | ACK, NULL);
	f = flow_of(&c[3]);
	f->idle_timeout = 999; /* not what its rule implies */
	f->app = 300;
	f->app_master = 7;
	f = flow_of(&c[4]);
	f->back = ECS_REF_NONE; /* the other direction has no rule */
	f->flags &= (uint16_t)~ECS_FLOW_F_FINAL;
	f = flow_of(&c[5]); /* nothing is decided yet */
	f->flags = (uint16_t)((f->flags & ~ECS_FLOW_F_FINAL) | ECS_FLOW_F_FRESH);
	f->tcp_state = ECS_TCP_ST_ESTABLISHED;
	f->isn = 0x89abcdef;
}

/* Rate limits with tokens: some, owed ones, all. */
static void limits(struct rig *r)
{
	struct ecs_session *s = ecs_session_find(r->e, 1);
	struct ecs_limiter *m = ecs_limiter_build(r->e, s, ECS_LIMIT_BEARER, 5);

	m->way[ECS_UPLINK].told_peak = 12345;
	m->way[ECS_UPLINK].told_committed = -3;
	m->way[ECS_UPLINK].told_at = r->now;
	m = ecs_limiter_build(r->e, s, ECS_LIMIT_RULE, UINT64_MAX - 1);
	m->way[ECS_DOWNLINK].told_peak = 0;
}

static void bed_init(struct bed *b)
{
	struct ecs_session_spec sp = spec_of(2, "10.0.0.2", NULL);
	struct ecs_dyn_spec rule = {.name = "given", .precedence = 7, .content_id = 5};
	char why[200];

	memset(b, 0, sizeof(*b));
	begin(&b->r);
	(void)snprintf(sp.imsi, sizeof(sp.imsi), "001010000000001");
	(void)snprintf(sp.username, sizeof(sp.username), "somebody");
	sp.idle_timeout = 70000;
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(b->r.e, &sp, b->r.now, NULL), 0);
	sp = spec_of(0x80000003, NULL, "2001:db8:77::");
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(b->r.e, &sp, b->r.now, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(ecs_bearer_create(b->r.e, 1, 7, 5, 3, b->r.now), 0);
	CU_ASSERT_EQUAL(ecs_bearer_update(b->r.e, 1,
	                                  &(struct ecs_bearer_spec){.id = 7, .qos.mbr = {64, 640}},
	                                  ECS_BEARER_UP | ECS_BEARER_DOWN, b->r.now), 0);
	CU_ASSERT_EQUAL(ecs_sdfs_parse("udp 192.0.2.0/24 port 9", &rule.filters, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(ecs_rule_install(b->r.e, 1, &rule, b->r.now), 0);
	CU_ASSERT_EQUAL(ecs_session_control(b->r.e, 2, true, b->r.now), 0);
	flows(&b->r);
	wait_ms(&b->r, 15000);
	ecs_usage_charge(b->r.e, b->r.s, 0, ECS_USAGE_FLOW, 2, 0, ECS_UPLINK, 1, 40, b->r.now);
	CU_ASSERT_EQUAL(ecs_quota_grant(b->r.e, 1, 77, 1000, NULL, b->r.now), 0);
	ecs_usage_turn(b->r.e, b->r.now);
	limits(&b->r);
	CU_ASSERT_EQUAL(ecs_shift_add(b->r.e, ECS_CONTAINER(b->r.s->flows.next, struct ecs_flow, in_session),
	                              5000, (const uint8_t *)"X-A: b", 6, b->r.now), 0);
	b->mem = aligned_alloc(4096, CAP);
	b->store = recovery_store_new(b->mem, CAP, chassis_kinds, chassis_nkinds, 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->store);
	mirror_all(b);
}

static void bed_fini(struct bed *b)
{
	recovery_store_free(b->store);
	free(b->mem);
	end(&b->r);
}

static void test_canonical(void)
{
	struct bed b;
	unsigned n = 0;

	bed_init(&b);
	for (size_t i = 0; i < chassis_nkinds; i++) {
		/* none was forgotten, but for what is not the mirror's */
		CU_ASSERT_EQUAL(b.n[chassis_kinds[i]->id] > 0, !chassis_kinds[i]->peer_only);
		n += b.n[chassis_kinds[i]->id];
	}
	CU_ASSERT_EQUAL(b.n[ecs_kind_flow.id], 6);
	CU_ASSERT_EQUAL(b.n[ecs_kind_full.id], 3);
	CU_ASSERT_EQUAL(compare_all(&b, &b.r), n);
	/* and it stays so while ages move, and timeouts are what rules imply here */
	wait_ms(&b.r, 3000);
	CU_ASSERT_EQUAL(compare_all(&b, &b.r), n);
	bed_fini(&b);
}

/* A record in its other forms is mirrored again: what was longer gets shorter and the reverse. */
static void test_again(void)
{
	struct bed b;

	bed_init(&b);
	for (int i = 0; i < 5; i++) {
		wait_ms(&b.r, i % 2 ? 100 : 700000);
		CU_ASSERT_EQUAL_FATAL(ecs_engine_flows(b.r.e) > 0 || i > 0, true);
		mirror_all(&b);
		(void)compare_all(&b, &b.r);
	}
	bed_fini(&b);
}

static void test_names(void)
{
	struct bed b;
	struct recovery_view *v;
	struct recovery_group g;
	struct ecs_addr near = addr("2001:db8:77::ffff"), other = addr("2001:db8:78::");
	struct ecs_addr v4 = addr("10.0.0.2"), none = addr("10.0.0.3");

	bed_init(&b);
	v = recovery_view_open(b.mem, CAP, chassis_kinds, chassis_nkinds, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	CU_ASSERT(recovery_view_name(v, ecs_addr_name(&near), &g) && g.k0 == 0x80000003);
	CU_ASSERT(recovery_view_name(v, ecs_addr_name(&v4), &g) && g.k0 == 2);
	v4 = addr(UE);
	near = addr(UE6);
	CU_ASSERT(recovery_view_name(v, ecs_addr_name(&v4), &g) && g.k0 == 1);
	CU_ASSERT(recovery_view_name(v, ecs_addr_name(&near), &g) && g.k0 == 1);
	CU_ASSERT_EQUAL(recovery_view_name(v, ecs_addr_name(&none), &g), 0);
	CU_ASSERT_EQUAL(recovery_view_name(v, ecs_addr_name(&other), &g), 0);
	recovery_view_free(v);
	bed_fini(&b);
}

/* Cut at every byte: no name is read that is not there, nothing is read behind. */
static void test_names_of_a_cut_record(void)
{
	struct bed b;
	struct srp_ckpt_ctx at;
	uint8_t buf[SRP_CKPT_RECORD_MAX], *cut;
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	uint64_t name[SRP_CKPT_NAMES_MAX];
	size_t with = 0;

	bed_init(&b);
	at = ctx_of(&b.r, &ecs_kind_full, false);
	CU_ASSERT_EQUAL(ecs_kind_full.encode(&b.r.s->full, &at, &w), 0);
	for (size_t len = 0; len <= srp_mp_w_len(&w); len++) {
		struct srp_mp_r r;
		int n;

		cut = malloc(len ? len : 1);
		memcpy(cut, buf, len);
		r = srp_mp_r_init(cut, len);
		n = ecs_kind_full.names(&r, ecs_kind_full.nfields, name);
		CU_ASSERT(n == 0 || n == 2);
		with += n == 2;
		r = srp_mp_r_init(cut, len);
		CU_ASSERT_EQUAL(ecs_kind_full.names(&r, ecs_kind_full.nfields - 1u, name), 0);
		free(cut);
	}
	CU_ASSERT(with > 1 && with < srp_mp_w_len(&w) / 2);
	bed_fini(&b);
}

/* No two addresses have one name. */
static void test_names_differ(void)
{
	uint64_t name[512];

	for (int i = 0; i < 256; i++) {
		uint8_t x = (uint8_t)(i / 16), y = (uint8_t)(i * 17);
		struct ecs_addr a = {.b = {[10] = 0xff, 0xff, 10, 0, x, y}};
		struct ecs_addr p = {.b = {0x20, 1, 0xd, 0xb8, 0, x, 0, y}};
		struct ecs_addr host = p;

		name[2 * i] = ecs_addr_name(&a);
		name[2 * i + 1] = ecs_addr_name(&p);
		host.b[12] = (uint8_t)i;
		CU_ASSERT_EQUAL(ecs_addr_name(&host), ecs_addr_name(&p));
		for (int j = 0; j < 2 * i; j++)
			CU_ASSERT(name[j] != name[2 * i] && name[j] != name[2 * i + 1]);
	}
}

/* Another engine is filled from it, in service: it holds the same, ages go on, own timeouts too. */
static void test_fill(void)
{
	struct bed b;
	struct rig into;
	struct recovery_view *v;
	struct recovery_fill *f;
	struct recovery_fill_stats st;
	struct recovery_fill_config conf = {.kinds = chassis_kinds, .nkinds = chassis_nkinds};
	struct recovery_sink sink;
	struct conn own = {.proto = 6, .sport = 1004, .dport = 80};
	struct ecs_session *s;
	struct srp_time created;

	bed_init(&b);
	created = ecs_session_find(b.r.e, 2)->created;
	v = recovery_view_open(b.mem, CAP, chassis_kinds, chassis_nkinds, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	recovery_sink_init(&sink);
	setup(&into, rules, 0);
	into.now = srp_time_add(b.r.now, SRP_SEC(40));
	ecs_engine_active(into.e, true, into.now);
	conf.view = v;
	conf.ckpt_owner = into.e;
	conf.sink = &sink;
	f = recovery_fill_new(&conf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (recovery_fill_step(f, into.now, 5))
		continue;
	recovery_fill_stats(f, &st);
	CU_ASSERT_EQUAL(st.refused + st.broken, 0);
	CU_ASSERT_EQUAL(st.passed_audit, 3);
	CU_ASSERT_EQUAL(st.flows, 6);
	CU_ASSERT_EQUAL(compare_all(&b, &into), st.applied);
	s = ecs_session_find(into.e, 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT(s->created.us / 1000 - created.us / 1000 <= 1);
	CU_ASSERT_EQUAL(s->pending, ECS_PENDING_HANDOFF);
	own.r = &into;
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow_of(&own));
	CU_ASSERT_EQUAL(flow_of(&own)->idle_timeout, 999);
	CU_ASSERT(flow_of(&own)->flags & ECS_FLOW_F_RECOVERED);
	recovery_fill_free(f);
	recovery_view_free(v);
	end(&into);
	bed_fini(&b);
}

/* One flow of IPv4, with all that belongs to it, is not more than 128 bytes of the region. */
static void test_size_of_a_flow(void)
{
	struct bed b;
	struct recovery_store_stats was, st;
	struct srp_ckpt_ctx from, to;
	struct conn c = {.proto = 6, .sport = 1001, .dport = 80};
	struct srp_ckpt_key key = {{0}};
	struct srp_ckpt_obj *copy;
	uint8_t buf[256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	bed_init(&b);
	c.r = &b.r;
	wait_ms(&b.r, 70000); /* ages of five bytes */
	from = ctx_of(&b.r, &ecs_kind_flow, false);
	to = store_ctx(&b, &ecs_kind_flow, false);
	CU_ASSERT_EQUAL_FATAL(ecs_kind_flow.encode(&flow_of(&c)->ckpt, &from, &w), 0);
	ecs_kind_flow.key(&flow_of(&c)->ckpt, &key);
	recovery_store_stats(b.store, &was);
	for (uint64_t i = 1; i <= 5000; i++) {
		struct srp_mp_r r = srp_mp_r_init(buf, srp_mp_w_len(&w));

		key.k[1] = 20000 + i;
		CU_ASSERT_EQUAL_FATAL(to.kind->apply(&to, &key, &r, 10, &copy), 0);
	}
	recovery_store_stats(b.store, &st);
	CU_ASSERT_EQUAL(st.flows - was.flows, 5000);
	CU_ASSERT(st.bytes - was.bytes <= 128u * 5000u);
	bed_fini(&b);
}

CU_TestInfo chassis_store_tests[] = {
	{"canonical form of every kind", test_canonical},
	{"mirrored again", test_again},
	{"names", test_names},
	{"names of a cut record", test_names_of_a_cut_record},
	{"names differ", test_names_differ},
	{"fill", test_fill},
	{"size of a flow", test_size_of_a_flow},
	CU_TEST_INFO_NULL,
};

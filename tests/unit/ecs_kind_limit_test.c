/* Records of rate limits: when they are told, what they say, recoveries from them. */
#include "config.h"
#include "suites.h"

#include "ecs/kind.h"
#include "ecs_limits.h"

static struct srp_ckpt_ctx ctx_of(struct rig *r, enum srp_replica_id replica, bool canonical)
{
	return (struct srp_ckpt_ctx){.now = r->now, .owner = r->e, .replica = replica,
	                             .canonical = canonical, .ver = 1, .kind = &ecs_kind_limit};
}

static size_t record(struct rig *r, const struct srp_ckpt_obj *o, enum srp_replica_id replica,
                     bool canonical, uint8_t buf[128])
{
	struct srp_ckpt_ctx ctx = ctx_of(r, replica, canonical);
	struct srp_mp_w w = srp_mp_w_init(buf, 128);

	CU_ASSERT_EQUAL(ecs_kind_limit.encode(o, &ctx, &w), 0);
	return srp_mp_w_len(&w);
}

static int apply(struct rig *r, const struct srp_ckpt_key *key, const uint8_t *buf, size_t len,
                 enum srp_replica_id replica, struct srp_ckpt_obj **out)
{
	struct srp_ckpt_ctx ctx = ctx_of(r, replica, false);
	uint8_t *copy = malloc(len ? len : 1);
	struct srp_mp_r m;
	int rc;

	memcpy(copy, buf, len);
	m = srp_mp_r_init(copy, len);
	rc = ecs_kind_limit.apply(&ctx, key, &m, ecs_kind_limit.nfields, out);
	free(copy);
	return rc;
}

/* A standby with the session of @p from and its limiters, as their records say. */
static void recover(struct rig *from, struct rig *to, enum srp_replica_id replica)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(to, limited, 0);
	to->now = from->now;
	CU_ASSERT_EQUAL_FATAL(ecs_session_build(to->e, &sp, to->now, &to->s), 0);
	for (struct srp_list *l = from->s->limiters.next; l != &from->s->limiters; l = l->next) {
		struct ecs_limiter *m = ECS_CONTAINER(l, struct ecs_limiter, in_session);
		struct srp_ckpt_obj *out = NULL;
		struct srp_ckpt_key key = {{0}};
		uint8_t a[128], b[128];
		size_t n = record(from, &m->ckpt, replica, false, a);

		ecs_kind_limit.key(&m->ckpt, &key);
		CU_ASSERT_EQUAL_FATAL(apply(to, &key, a, n, replica, &out), 0);
		/* both say the same */
		n = record(from, &m->ckpt, replica, true, a);
		CU_ASSERT_EQUAL(record(to, out, replica, true, b), n);
		CU_ASSERT_EQUAL(memcmp(a, b, n), 0);
	}
}

/* One record a second while a bucket is not full, whatever packets there are; then one that says so. */
static void test_turns(void)
{
	struct rig r;

	start(&r);
	wait_ms(&r, 3000);
	for (unsigned i = 0; i < 100; i++) {
		(void)burst(&r, ECS_UPLINK, 7001, 10);
		wait_ms(&r, 100);
	}
	CU_ASSERT_TRUE(r.changed[214] >= 9 && r.changed[214] <= 11);
	wait_ms(&r, 3000); /* full after 300 ms */
	CU_ASSERT_TRUE(r.changed[214] <= 13);
	CU_ASSERT_EQUAL(limiter(&r, ECS_LIMIT_RULE)->way[ECS_UPLINK].told_peak, ECS_BUCKET_FULL);
	r.changed[214] = 0;
	wait_ms(&r, 30000);
	CU_ASSERT_EQUAL(r.changed[214], 0); /* and silence */
	/* a flush tells at once */
	(void)burst(&r, ECS_UPLINK, 7001, 2);
	ecs_engine_flush(r.e, r.now);
	CU_ASSERT_EQUAL(r.changed[214], 1);
	CU_ASSERT_EQUAL(limiter(&r, ECS_LIMIT_RULE)->way[ECS_UPLINK].told_peak, 1000);
	CU_ASSERT_EQUAL(limiter(&r, ECS_LIMIT_RULE)->way[ECS_DOWNLINK].told_peak, ECS_BUCKET_FULL);
	/* the session ends with them */
	ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now);
	CU_ASSERT_EQUAL(r.deleted[214], 1);
	CU_ASSERT_EQUAL(r.told[214], 0);
	wait_ms(&r, 3000);
	end(&r);
}

/* After a recovery a bucket goes on from what it had: at each of its levels, by both ways. */
static void test_recovered(void)
{
	for (unsigned replica = 0; replica < SRP_REPLICA__N; replica++)
		for (unsigned sent = 0; sent <= 4; sent++)
			for (unsigned gap = 0; gap <= 400; gap += 50) {
				unsigned left = 3 - (sent < 3 ? sent : 3), more = gap / 100;
				struct rig a, b;

				start(&a);
				(void)burst(&a, ECS_UPLINK, 7001, sent);
				(void)burst(&a, ECS_UPLINK, 7002, sent);
				(void)burst(&a, ECS_UPLINK, 7005, sent);
				ecs_engine_flush(a.e, a.now);
				recover(&a, &b, replica);
				b.now.us += SRP_MS(gap);
				ecs_engine_active(b.e, true, b.now);
				left = left + more > 3 ? 3 : left + more;
				CU_ASSERT_EQUAL(burst(&b, ECS_UPLINK, 7001, 9), left);
				CU_ASSERT_EQUAL(burst(&b, ECS_UPLINK, 7003, 9), left);
				CU_ASSERT_EQUAL(burst(&b, ECS_UPLINK, 7004, 9), left);
				CU_ASSERT_EQUAL(burst(&b, ECS_DOWNLINK, 7001, 9), 6);
				end(&a);
				end(&b);
			}
}

/* The time that a record has lain at aaamgr counts, that of a peer whose clock is another does not. */
static void test_ages(void)
{
	struct srp_ckpt_obj *out = NULL;
	struct srp_ckpt_key key = {{0}};
	const struct ecs_limiter *m;
	struct rig a, b, c;
	uint8_t buf[128];
	size_t n;

	start(&a);
	(void)burst(&a, ECS_UPLINK, 7001, 3);
	ecs_engine_flush(a.e, a.now);
	m = limiter(&a, ECS_LIMIT_RULE);
	ecs_kind_limit.key(&m->ckpt, &key);
	recover(&a, &b, SRP_REPLICA_SR);
	n = record(&a, &m->ckpt, SRP_REPLICA_SR, false, buf);
	b.now.us += SRP_MS(200);
	CU_ASSERT_EQUAL(apply(&b, &key, buf, n, SRP_REPLICA_SR, &out), 0);
	ecs_engine_active(b.e, true, b.now);
	CU_ASSERT_EQUAL(burst(&b, ECS_UPLINK, 7001, 9), 2);
	/* a clock that is ahead of ours gives nothing */
	recover(&a, &c, SRP_REPLICA_GR);
	c.now.us -= SRP_SEC(50);
	CU_ASSERT_EQUAL(apply(&c, &key, buf, n, SRP_REPLICA_SR, &out), 0);
	ecs_engine_active(c.e, true, c.now);
	CU_ASSERT_EQUAL(burst(&c, ECS_UPLINK, 7001, 9), 0);
	ecs_engine_active(c.e, false, c.now);
	/* what waited to be sent is older */
	a.now.us += SRP_MS(100);
	n = record(&a, &m->ckpt, SRP_REPLICA_GR, false, buf);
	CU_ASSERT_EQUAL(apply(&c, &key, buf, n, SRP_REPLICA_GR, &out), 0);
	ecs_engine_active(c.e, true, c.now);
	CU_ASSERT_EQUAL(burst(&c, ECS_UPLINK, 7001, 9), 1);
	end(&a);
	end(&b);
	end(&c);
}

/* A direction that has seen no packet since it was recovered is told as it was, and not for ever. */
static void test_idle_way(void)
{
	struct ecs_limiter *m;
	struct rig a, b, c;

	start(&a);
	(void)burst(&a, ECS_UPLINK, 7001, 3);
	(void)burst(&a, ECS_DOWNLINK, 7001, 6);
	ecs_engine_flush(a.e, a.now);
	recover(&a, &b, SRP_REPLICA_GR);
	b.s->ready_for_recovery = true;
	ecs_engine_active(b.e, true, b.now);
	wait_ms(&b, 100);
	CU_ASSERT_EQUAL(burst(&b, ECS_UPLINK, 7001, 9), 1);
	wait_ms(&b, 3000); /* uplink is full again */
	CU_ASSERT_TRUE(b.changed[214] > 0 && b.changed[214] <= 4);
	b.changed[214] = 0;
	wait_ms(&b, 3000);
	CU_ASSERT_EQUAL(b.changed[214], 0);
	m = ECS_CONTAINER(b.s->limiters.next, struct ecs_limiter, in_session);
	CU_ASSERT_EQUAL(m->way[ECS_DOWNLINK].told_peak, 0);
	/* a second recovery: the time since it was empty counts, whole */
	recover(&b, &c, SRP_REPLICA_GR);
	ecs_engine_active(c.e, true, c.now);
	CU_ASSERT_EQUAL(burst(&c, ECS_DOWNLINK, 7001, 9), 6);
	end(&a);
	end(&b);
	end(&c);
}

/* Another rate, a smaller bucket: from the next packet on, with what tokens there are. */
static void test_commit(void)
{
	char text[sizeof(limited) + 100], *at;
	static const char was[] = "peak-data-rate 80000 peak-burst-size 3000\n flow limit";
	struct ecs_service *old;
	struct rig r;

	start(&r);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 1), 1);
	strcpy(text, limited);
	at = strstr(text, was);
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	memcpy(at, "peak-data-rate 16000 peak-burst-size 1000\n", 42);
	old = r.svc;
	r.svc = service(text);
	CU_ASSERT_EQUAL_FATAL(ecs_engine_reconfigure(r.e, r.svc, r.now), 0);
	ecs_service_free(old);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 5), 1);
	r.now.us += SRP_MS(499);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 5), 0);
	r.now.us += SRP_MS(1);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 5), 1);
	CU_ASSERT_EQUAL(r.e->conf.limit_stats[limiter(&r, ECS_LIMIT_RULE)->stats].n[ECS_UPLINK]
	                [ECS_CONFORMED].pkts, 3);
	end(&r);
}

static void test_refusals(void)
{
	static const uint64_t keys[][3] = {
		{0, 0, 1}, {2, 0, 1}, {(uint64_t)1 << 32 | 1, 0, 1}, {1, ECS_LIMIT__N, 1},
		{1, ECS_LIMIT_BEARER, 4}, {1, ECS_LIMIT_BEARER, 16}, {1, ECS_LIMIT_POLICY, 0},
		{1, ECS_LIMIT_POLICY, (uint64_t)1 << 32}};
	static const struct {
		int64_t v;
		bool good;
	} levels[] = {{0, true}, {-1, true}, {ECS_BUCKET_LEAST, true}, {ECS_BUCKET_LEAST - 1, false},
	              {ECS_BUCKET_MOST, true}, {ECS_BUCKET_MOST + 1, false}, {INT64_MIN, false}};
	struct srp_ckpt_key key = {{1, ECS_LIMIT_RULE, 77}};
	struct srp_ckpt_obj *out = NULL;
	uint8_t buf[128];
	unsigned ok = 0;
	struct rig r;
	size_t n;

	start(&r);
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		for (unsigned k = 0; k < 2; k++) {
			struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

			srp_mp_w_nil(&w);
			srp_mp_w_array(&w, 2);
			srp_mp_w_int(&w, k ? 5 : levels[i].v);
			srp_mp_w_int(&w, k ? levels[i].v : 5);
			srp_mp_w_uint(&w, 7);
			srp_mp_w_uint(&w, 0);
			CU_ASSERT_EQUAL(apply(&r, &key, buf, srp_mp_w_len(&w), SRP_REPLICA_GR, &out) == 0,
			                levels[i].good);
			key.k[2]++;
		}
	ok = r.s->nlimiters;
	CU_ASSERT_EQUAL(ok, 8);
	/* cut at each byte; of nobody; of nothing */
	n = record(&r, &limiter(&r, ECS_LIMIT_RULE)->ckpt, SRP_REPLICA_GR, false, buf);
	key.k[2] = 9999;
	for (size_t cut = 0; cut < n; cut++)
		CU_ASSERT_NOT_EQUAL(apply(&r, &key, buf, cut, SRP_REPLICA_GR, &out), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct srp_ckpt_key bad = {{keys[i][0], keys[i][1], keys[i][2]}};

		CU_ASSERT_NOT_EQUAL(apply(&r, &bad, buf, n, SRP_REPLICA_GR, &out), 0);
	}
	CU_ASSERT_EQUAL(r.s->nlimiters, ok);
	/* a peer cannot make us hold them without end */
	for (key.k[2] = 1000000; ok < ECS_LIMITERS_MAX; ok++, key.k[2]++)
		CU_ASSERT_EQUAL_FATAL(apply(&r, &key, buf, n, SRP_REPLICA_GR, &out), 0);
	CU_ASSERT_EQUAL(apply(&r, &key, buf, n, SRP_REPLICA_GR, &out), SRP_EFULL);
	key.k[2]--;
	CU_ASSERT_EQUAL(apply(&r, &key, buf, n, SRP_REPLICA_GR, &out), 0);
	/* beyond them packets pass, and are counted */
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 9), 9);
	CU_ASSERT_EQUAL(r.c.limiters_refused, 9);
	/* each is found, and goes */
	{
		struct srp_ckpt_ctx ctx = ctx_of(&r, SRP_REPLICA_GR, false);

		CU_ASSERT_PTR_EQUAL(ecs_kind_limit.find(&ctx, &key), out);
		CU_ASSERT_EQUAL(ecs_kind_limit.remove(&ctx, &key), 0);
		CU_ASSERT_EQUAL(ecs_kind_limit.remove(&ctx, &key), SRP_ENOENT);
		CU_ASSERT_PTR_NULL(ecs_kind_limit.find(&ctx, &key));
	}
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 9), 3);
	end(&r);
}

CU_TestInfo ecs_kind_limit_tests[] = {
	{"a record a second", test_turns},
	{"recovered at every level", test_recovered},
	{"how old tokens are", test_ages},
	{"a direction without packets", test_idle_way},
	{"another rate", test_commit},
	{"records that are refused", test_refusals},
	CU_TEST_INFO_NULL,
};

/* Rate limits: buckets, what limits a packet, records of them, recoveries. */
#include "config.h"
#include "suites.h"

#include "ecs/kind.h"
#include "ecs_rig.h"

/* --- buckets ---------------------------------------------------------------------------------- */

static const struct ecs_rate mbit = {.bits = 1000000, .burst = 10000};

static struct srp_time at_us(uint64_t us)
{
	return (struct srp_time){SRP_SEC(1000) + us};
}

static void test_bucket(void)
{
	struct ecs_bucket b = {0};

	ecs_bucket_fill(&b, &mbit, at_us(0));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&b), ECS_BUCKET_FULL);
	CU_ASSERT_TRUE(ecs_bucket_has(&b, 10000));
	CU_ASSERT_FALSE(ecs_bucket_has(&b, 10001));
	ecs_bucket_take(&b, 10000, at_us(0));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&b), 0);
	ecs_bucket_fill(&b, &mbit, at_us(0));
	CU_ASSERT_FALSE(ecs_bucket_has(&b, 1));
	/* a byte takes eight microseconds of a megabit */
	ecs_bucket_fill(&b, &mbit, at_us(7));
	CU_ASSERT_FALSE(ecs_bucket_has(&b, 1));
	ecs_bucket_fill(&b, &mbit, at_us(8));
	CU_ASSERT_TRUE(ecs_bucket_has(&b, 1));
	/* what flows in bit by bit is all there */
	for (uint64_t us = 9; us <= 8000; us++)
		ecs_bucket_fill(&b, &mbit, at_us(us));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&b), 1000);
	/* time does not run backwards */
	ecs_bucket_fill(&b, &mbit, at_us(100));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&b), 1000);
	/* full at its size and not beyond, a microsecond before it is not */
	ecs_bucket_fill(&b, &mbit, at_us(80000 - 1));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&b), 9999);
	ecs_bucket_fill(&b, &mbit, at_us(80000 + 1));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&b), ECS_BUCKET_FULL);
	ecs_bucket_fill(&b, &mbit, at_us(SRP_SEC(100000)));
	CU_ASSERT_FALSE(ecs_bucket_has(&b, 10001));
	CU_ASSERT_TRUE(ecs_bucket_has(&b, 10000));
}

static void test_bucket_ends(void)
{
	const struct ecs_rate fast = {.bits = (uint64_t)UINT32_MAX * 1000,
	                              .burst = ecs_mbr_burst(UINT32_MAX)};
	const struct ecs_rate slow = {.bits = 1, .burst = UINT32_MAX};
	const struct ecs_rate unknown = {0, 0};
	struct ecs_bucket b = {0}, c = {0};

	/* the greatest rate over the longest time */
	ecs_bucket_fill(&b, &fast, at_us(0));
	CU_ASSERT_TRUE(ecs_bucket_has(&b, fast.burst));
	CU_ASSERT_TRUE((int64_t)fast.burst < ECS_BUCKET_MOST);
	ecs_bucket_take(&b, fast.burst, at_us(0));
	ecs_bucket_fill(&b, &fast, (struct srp_time){UINT64_MAX});
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&b), ECS_BUCKET_FULL);
	/* the least one, of the greatest burst, in debt */
	ecs_bucket_fill(&c, &slow, at_us(0));
	ecs_bucket_take(&c, UINT32_MAX, at_us(0));
	ecs_bucket_take(&c, 1, at_us(0));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&c), -1);
	ecs_bucket_fill(&c, &slow, at_us(SRP_SEC(1)));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&c), -1); /* seven bits are owed */
	ecs_bucket_fill(&c, &slow, at_us(SRP_SEC(8)));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&c), 0);
	ecs_bucket_take(&c, UINT32_MAX, at_us(SRP_SEC(8)));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&c), ECS_BUCKET_LEAST);
	/* a burst that was made smaller */
	c = (struct ecs_bucket){.level = 20000 * ECS_BUCKET_BYTE, .at = at_us(0)};
	ecs_bucket_fill(&c, &mbit, at_us(0));
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&c), ECS_BUCKET_FULL);
	CU_ASSERT_FALSE(ecs_bucket_has(&c, 10001));
	/* without a rate nothing is there */
	c = (struct ecs_bucket){0};
	ecs_bucket_fill(&c, &unknown, at_us(0));
	CU_ASSERT_FALSE(ecs_bucket_has(&c, 1));
	CU_ASSERT_EQUAL(ecs_mbr_burst(1), 15000);
	CU_ASSERT_EQUAL(ecs_mbr_burst(1200), 15000);
	CU_ASSERT_EQUAL(ecs_mbr_burst(1201), 15012);
}

/* --- limits of packets ------------------------------------------------------------------------ */

static const char limited[] =
	"ruledef own\n udp either-port = 7001\n#exit\n"
	"ruledef itc1\n udp either-port = 7002\n#exit\n"
	"ruledef itc2\n udp either-port = 7003\n#exit\n"
	"ruledef qg1\n udp either-port = 7004\n#exit\n"
	"ruledef qg2\n udp either-port = 7005\n#exit\n"
	"ruledef color\n udp either-port = 7006\n#exit\n"
	"ruledef both\n udp either-port = 7007\n#exit\n"
	"ruledef pre\n udp either-port = 7008\n#exit\n"
	"ruledef any\n ip any-match = TRUE\n#exit\n"
	"group-of-ruledefs gq\n add-ruledef priority 1 ruledef qg2\n#exit\n"
	"bandwidth-policy bp\n flow limit-for-bandwidth id 1 group-id 9\n"
	" flow limit-for-bandwidth id 2 group-id 9\n"
	" group-id 9 direction uplink peak-data-rate 80000 peak-burst-size 3000\n#exit\n"
	"qos-group-of-ruledefs qos\n add-ruledef qg1\n add-group-of-ruledef gq\n"
	" flow limit-for-bandwidth direction uplink peak-data-rate 80000 peak-burst-size 3000\n#exit\n"
	"charging-action count\n content-id 1\n#exit\n"
	"charging-action own\n"
	" flow limit-for-bandwidth direction uplink peak-data-rate 80000 peak-burst-size 3000\n"
	" flow limit-for-bandwidth direction downlink peak-data-rate 160000 peak-burst-size 6000\n#exit\n"
	"charging-action id1\n flow limit-for-bandwidth id 1\n#exit\n"
	"charging-action id2\n flow limit-for-bandwidth id 2\n#exit\n"
	"charging-action color\n ip tos ef\n"
	" flow limit-for-bandwidth direction uplink peak-data-rate 80000 peak-burst-size 4000 "
	"violate-action discard committed-data-rate 8000 committed-burst-size 2000 "
	"exceed-action lower-ip-precedence\n#exit\n"
	"charging-action both\n flow limit-for-bandwidth id 1\n"
	" flow limit-for-bandwidth direction uplink peak-data-rate 80000 peak-burst-size 5000\n#exit\n"
	"rulebase rb\n bandwidth default-policy bp\n"
	" action priority 1 ruledef own charging-action own\n"
	" action priority 2 ruledef itc1 charging-action id1\n"
	" action priority 3 ruledef itc2 charging-action id2\n"
	" action priority 4 ruledef qg1 charging-action count\n"
	" action priority 5 group-of-ruledefs gq charging-action count\n"
	" action priority 6 ruledef color charging-action color\n"
	" action priority 7 ruledef both charging-action both\n"
	" action priority 8 dynamic-only ruledef pre charging-action count\n"
	" action priority 9 ruledef any charging-action count\n"
	" flow limit-across-applications 6\n flow limit-across-applications tcp 2\n"
	" flow limit-across-applications non-tcp 5\n#exit\n";

static void start(struct rig *r)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, limited, 0);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

/* A packet of 1000 bytes; true: it passed. */
static bool pass(struct rig *r, enum ecs_dir dir, uint16_t port)
{
	static uint8_t data[972];
	struct conn c = {.r = r, .proto = 17, .sport = (uint16_t)(port + 10000), .dport = port};

	return say_n(&c, dir, 0, data, sizeof(data)) == ECS_FORWARD;
}

/* How many of @p n packets pass. */
static unsigned burst(struct rig *r, enum ecs_dir dir, uint16_t port, unsigned n)
{
	unsigned ok = 0;

	while (n--)
		ok += pass(r, dir, port);
	return ok;
}

static const struct ecs_limiter *limiter(struct rig *r, enum ecs_limit_of of)
{
	for (struct srp_list *l = r->s->limiters.next; l != &r->s->limiters; l = l->next) {
		struct ecs_limiter *m = ECS_CONTAINER(l, struct ecs_limiter, in_session);

		if (m->of == of)
			return m;
	}
	return NULL;
}

static void test_rule(void)
{
	const struct ecs_limit_stats *st;
	const struct ecs_limiter *m;
	struct rig r;

	start(&r);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 10), 3);
	CU_ASSERT_EQUAL(burst(&r, ECS_DOWNLINK, 7001, 10), 6); /* each direction has its own */
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 9999, 10), 10); /* other rules have none */
	CU_ASSERT_EQUAL(r.c.drop_police, 11);
	r.now.us += SRP_MS(99);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 2), 0);
	r.now.us += SRP_MS(1); /* 80 kbit/s: a packet of 1000 bytes each 100 ms */
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7001, 2), 1);
	CU_ASSERT_EQUAL(burst(&r, ECS_DOWNLINK, 7001, 3), 2);
	/* over a long time: the rate */
	unsigned n = 0;
	for (unsigned i = 0; i < 10000; i++) {
		r.now.us += SRP_MS(1);
		n += pass(&r, ECS_UPLINK, 7001);
	}
	CU_ASSERT_EQUAL(n, 100);
	m = limiter(&r, ECS_LIMIT_RULE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->way[ECS_UPLINK].n[ECS_CONFORMED].pkts, 104);
	CU_ASSERT_EQUAL(m->way[ECS_UPLINK].n[ECS_CONFORMED].bytes, 104000);
	CU_ASSERT_EQUAL(m->way[ECS_UPLINK].n[ECS_VIOLATED].pkts, 7 + 2 + 1 + 9900);
	CU_ASSERT_EQUAL(m->way[ECS_DOWNLINK].n[ECS_VIOLATED].bytes, 5000);
	st = &r.e->conf.limit_stats[m->stats];
	CU_ASSERT_STRING_EQUAL(st->name, "own");
	CU_ASSERT_EQUAL(st->of, ECS_LIMIT_RULE);
	CU_ASSERT_EQUAL(memcmp(st->n[ECS_UPLINK], m->way[ECS_UPLINK].n, sizeof(st->n[0])), 0);
	/* what is dropped is a hit and not charged */
	CU_ASSERT_EQUAL(stats_of(&r, "own")->pkts_up, 104);
	CU_ASSERT_EQUAL(stats_of(&r, "own")->hits, 104 + 9910 + 8 + 5);
	end(&r);
}

static void test_joint(void)
{
	struct rig r;

	start(&r);
	/* two rules share the group of the policy, two others the QoS group */
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7002, 2), 2);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7003, 9), 1);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7002, 9), 0);
	CU_ASSERT_EQUAL(burst(&r, ECS_DOWNLINK, 7003, 9), 9); /* no limit downlink */
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7004, 1), 1);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7005, 9), 2);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7004, 9), 0);
	CU_ASSERT_STRING_EQUAL(r.e->conf.limit_stats[limiter(&r, ECS_LIMIT_POLICY)->stats].name, "bp 9");
	CU_ASSERT_STRING_EQUAL(r.e->conf.limit_stats[limiter(&r, ECS_LIMIT_GROUP)->stats].name, "qos");
	CU_ASSERT_EQUAL(r.s->nlimiters, 2);
	/* what one limit drops takes no tokens of another: `both` has 5000 bytes of its own */
	r.now.us += SRP_MS(100);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7007, 9), 1);
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&limiter(&r, ECS_LIMIT_RULE)->way[ECS_UPLINK].peak), 4000);
	CU_ASSERT_EQUAL(limiter(&r, ECS_LIMIT_RULE)->way[ECS_UPLINK].n[ECS_VIOLATED].pkts, 0);
	end(&r);
}

static void test_mbr(void)
{
	struct ecs_bearer_spec mbr = {.id = 5, .qos = {.mbr = {80, 0}}};
	struct ecs_dyn_spec d = {.name = "d1", .precedence = 1, .qos.mbr = {0, 80}};
	struct ecs_dyn_spec pre = {.name = "pre", .predefined = true, .qos.mbr = {80, 80}};
	char why[200];
	struct rig r;

	start(&r);
	CU_ASSERT_EQUAL(r.s->stages & ECS_STAGE_BIT(POLICE), 0);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 9999, 50), 50);
	CU_ASSERT_EQUAL(ecs_bearer_update(r.e, 1, &mbr, ECS_BEARER_QCI, r.now), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_bearer_update(r.e, 1, &mbr, ECS_BEARER_UP, r.now), 0);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 9999, 50), 15);
	CU_ASSERT_EQUAL(burst(&r, ECS_DOWNLINK, 9999, 50), 50);
	r.now.us += SRP_MS(100);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 9999, 5), 1);
	/* 0: none again */
	mbr.qos.mbr[ECS_UPLINK] = 0;
	CU_ASSERT_EQUAL(ecs_bearer_update(r.e, 1, &mbr, ECS_BEARER_UP, r.now), 0);
	CU_ASSERT_EQUAL(r.s->stages & ECS_STAGE_BIT(POLICE), 0);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 9999, 50), 50);
	/* dynamic and predefined rules */
	CU_ASSERT_EQUAL(ecs_sdfs_parse("udp any port 9999", &d.filters, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(ecs_rule_install(r.e, 1, &d, r.now), 0);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 9999, 50), 50);
	CU_ASSERT_EQUAL(burst(&r, ECS_DOWNLINK, 9999, 50), 15);
	CU_ASSERT_EQUAL(burst(&r, ECS_DOWNLINK, 9998, 50), 50);
	CU_ASSERT_EQUAL(ecs_rule_install(r.e, 1, &pre, r.now), 0);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 7008, 50), 15);
	CU_ASSERT_EQUAL(ecs_rule_remove(r.e, 1, "d1", r.now), 0);
	CU_ASSERT_EQUAL(burst(&r, ECS_DOWNLINK, 9999, 50), 50);
	CU_ASSERT_EQUAL(ecs_rule_remove(r.e, 1, "pre", r.now), 0);
	CU_ASSERT_EQUAL(r.s->stages & ECS_STAGE_BIT(POLICE), 0);
	/* a dedicated bearer */
	mbr = (struct ecs_bearer_spec){.id = 6, .qos = {.qci = 1, .mbr = {80, 0}}, .has_tft = true};
	CU_ASSERT_EQUAL(ecs_sdfs_parse("udp any port 9998", &mbr.tft, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(ecs_bearer_make(r.e, 1, &mbr, r.now), 0);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 9998, 50), 15);
	CU_ASSERT_EQUAL(burst(&r, ECS_UPLINK, 9999, 50), 50);
	CU_ASSERT_EQUAL(ecs_bearer_delete(r.e, 1, 6, r.now), 0);
	CU_ASSERT_EQUAL(r.s->stages & ECS_STAGE_BIT(POLICE), 0);
	end(&r);
}

static void test_colours(void)
{
	static uint8_t data[972], b[PK_CAP];
	struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 1, .dport = 7006, .data = data,
	               .len = sizeof(data)};
	unsigned tos[8], n = 0;
	struct rig r;

	start(&r);
	for (unsigned i = 0; i < 8; i++) {
		struct ecs_raw raw = {.ip = b, .len = pk_build(&k, b), .room = PK_CAP};

		if (ecs_engine_forward(r.e, &raw, ECS_UPLINK, r.now) == ECS_FORWARD)
			tos[n++] = b[1];
	}
	/* marked EF; beyond the committed rate without its precedence, beyond the peak dropped */
	CU_ASSERT_EQUAL_FATAL(n, 4);
	CU_ASSERT_EQUAL(tos[0], 46 << 2);
	CU_ASSERT_EQUAL(tos[1], 46 << 2);
	CU_ASSERT_EQUAL(tos[2], (46 << 2) & 0x1f);
	CU_ASSERT_EQUAL(tos[3], (46 << 2) & 0x1f);
	CU_ASSERT_EQUAL(r.c.packets_lowered, 2);
	CU_ASSERT_EQUAL(limiter(&r, ECS_LIMIT_RULE)->way[ECS_UPLINK].n[ECS_EXCEEDED].bytes, 2000);
	CU_ASSERT_EQUAL(limiter(&r, ECS_LIMIT_RULE)->way[ECS_UPLINK].n[ECS_VIOLATED].bytes, 4000);
	k.src = UE6;
	k.dst = SERVER6;
	r.now.us += SRP_MS(200); /* 2000 bytes of the peak rate, 200 of the committed one */
	{
		struct ecs_raw raw = {.ip = b, .len = pk_build(&k, b), .room = PK_CAP};

		CU_ASSERT_EQUAL(ecs_engine_forward(r.e, &raw, ECS_UPLINK, r.now), ECS_FORWARD);
		CU_ASSERT_EQUAL((b[0] & 15) << 4 | b[1] >> 4, (46 << 2) & 0x1f);
	}
	end(&r);
}

/* A super-packet conforms with its first segment, and costs the bytes of all of them. */
static void test_super(void)
{
	static uint8_t data[1900];
	struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 17001, .dport = 7001, .data = data,
	               .len = sizeof(data)};
	unsigned n = 0;
	struct rig r;

	start(&r);
	for (unsigned i = 0; i < 8; i++)
		n += put(&r, &k, ECS_UPLINK, 100) == ECS_FORWARD;
	/* 19 segments of 128 bytes: 2432 of 3000, then 568 with 128 at hand: 1864 owed */
	CU_ASSERT_EQUAL(n, 2);
	CU_ASSERT_EQUAL(ecs_bucket_bytes(&limiter(&r, ECS_LIMIT_RULE)->way[ECS_UPLINK].peak), -1864);
	CU_ASSERT_EQUAL(limiter(&r, ECS_LIMIT_RULE)->way[ECS_UPLINK].n[ECS_CONFORMED].pkts, 38);
	r.now.us += SRP_MS(186) + 400; /* the debt is paid */
	CU_ASSERT_EQUAL(put(&r, &k, ECS_UPLINK, 100), ECS_DROP);
	r.now.us += 12800; /* and a segment is there */
	CU_ASSERT_EQUAL(put(&r, &k, ECS_UPLINK, 100), ECS_FORWARD);
	end(&r);
}

static void test_flows(void)
{
	struct rig r;
	struct conn c[4];

	start(&r);
	for (unsigned i = 0; i < 4; i++) {
		c[i] = tcp(&r, (uint16_t)(1000 + i), 80);
		CU_ASSERT_EQUAL(say(&c[i], ECS_UPLINK, SYN, NULL), i < 2 ? ECS_FORWARD : ECS_DROP);
	}
	CU_ASSERT_EQUAL(r.c.drop_flow_limit, 2);
	CU_ASSERT_EQUAL(r.s->ntcp, 2);
	for (uint16_t i = 0; i < 6; i++) /* five that are not TCP, but six of all */
		CU_ASSERT_EQUAL(pass(&r, ECS_UPLINK, (uint16_t)(9000 + i)), i < 4);
	CU_ASSERT_EQUAL(r.s->nflows, 6);
	CU_ASSERT_EQUAL(pass(&r, ECS_UPLINK, 9001), true); /* a flow that is there */
	/* one ends: another may begin */
	CU_ASSERT_EQUAL(say(&c[0], ECS_UPLINK, RST, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.s->ntcp, 1);
	CU_ASSERT_EQUAL(pass(&r, ECS_UPLINK, 9005), true);
	CU_ASSERT_EQUAL(say(&c[3], ECS_UPLINK, SYN, NULL), ECS_DROP);
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 1, r.now), 6);
	CU_ASSERT_EQUAL(r.s->ntcp, 0);
	for (uint16_t i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(pass(&r, ECS_UPLINK, (uint16_t)(9000 + i)), i < 5);
	end(&r);
}

/* --- records ---------------------------------------------------------------------------------- */

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

/* --- counters by name ------------------------------------------------------------------------- */

static void test_stats(void)
{
	struct ecs_limit_stats *v = calloc(ECS_LIMIT_STATS_MAX, sizeof(*v));
	char name[200];
	uint16_t first;

	first = ecs_limit_stats_of(v, ECS_LIMIT_RULE, "a");
	CU_ASSERT_EQUAL(ecs_limit_stats_of(v, ECS_LIMIT_RULE, "a"), first);
	CU_ASSERT_NOT_EQUAL(ecs_limit_stats_of(v, ECS_LIMIT_GROUP, "a"), first);
	for (unsigned i = 2; i < ECS_LIMIT_STATS_MAX - 1; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		CU_ASSERT_TRUE_FATAL(ecs_limit_stats_of(v, ECS_LIMIT_RULE, name) < ECS_LIMIT_STATS_MAX - 1);
	}
	CU_ASSERT_EQUAL(ecs_limit_stats_of(v, ECS_LIMIT_RULE, "one more"), ECS_LIMIT_STATS_MAX - 1);
	CU_ASSERT_EQUAL(ecs_limit_stats_of(v, ECS_LIMIT_RULE, "a"), first);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CU_ASSERT_EQUAL(ecs_limit_stats_of(v, ECS_LIMIT_RULE, name), ECS_LIMIT_STATS_MAX - 1);
	free(v);
}

/* --- configuration ---------------------------------------------------------------------------- */

static void count_finding(void *arg, bool warning, const char *text)
{
	(void)text;
	((unsigned *)arg)[warning]++;
}

static void test_lint(void)
{
	static const char base[] =
		"ruledef r\n udp either-port = 1\n#exit\n"
		"charging-action c\n flow limit-for-bandwidth id 1\n#exit\n"
		"bandwidth-policy bp\n flow limit-for-bandwidth id 1 group-id 2\n"
		" group-id 2 direction uplink peak-data-rate 1\n#exit\n"
		"qos-group-of-ruledefs q\n add-ruledef r\n"
		" flow limit-for-bandwidth direction uplink\n#exit\n"
		"rulebase rb\n action priority 1 ruledef r charging-action c\n"
		" bandwidth default-policy bp\n#exit\n";
	static const struct {
		const char *more;
		unsigned errors, warnings;
	} cases[] = {
		{"", 0, 0},
		{"charging-action c\n flow limit-for-bandwidth id 3\n#exit\n", 1, 0},
		{"rulebase rb\n no bandwidth default-policy\n#exit\n", 1, 1},
		{"rulebase rb\n bandwidth default-policy nowhere\n#exit\n", 1, 1},
		{"bandwidth-policy bp\n no group-id 2\n#exit\n", 2, 0},
		{"bandwidth-policy bp\n flow limit-for-bandwidth id 9 group-id 9\n#exit\n", 1, 0},
		{"bandwidth-policy other\n#exit\n", 0, 1},
		{"qos-group-of-ruledefs q\n add-ruledef nowhere\n add-group-of-ruledef g\n#exit\n", 2, 0},
		{"qos-group-of-ruledefs q\n no flow limit-for-bandwidth\n#exit\n", 0, 1},
		{"qos-group-of-ruledefs q\n no add-ruledef r\n#exit\n", 0, 1},
		{"qos-group-of-ruledefs z\n add-ruledef r\n flow limit-for-bandwidth direction uplink\n#exit\n",
		 0, 1},
	};
	unsigned none[2] = {0, 0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048];
		unsigned n[2] = {0, 0};
		struct ecs_service *s;

		snprintf(text, sizeof(text), "%s%s", base, cases[i].more);
		s = ecs_rule_text(text, true);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		ecs_service_lint(s, count_finding, n);
		if (i == 0)
			memcpy(none, n, sizeof(n));
		if (n[0] != none[0] + cases[i].errors || n[1] != none[1] + cases[i].warnings)
			printf("\ncase %zu: %u %u\n", i, n[0] - none[0], n[1] - none[1]);
		CU_ASSERT_EQUAL(n[0], none[0] + cases[i].errors);
		CU_ASSERT_EQUAL(n[1], none[1] + cases[i].warnings);
		ecs_service_free(s);
	}
}

static int policy(struct ecs_bandwidth_policy *p, enum ecs_form form, unsigned id)
{
	char num[16];
	const char *w[] = {"flow", "limit-for-bandwidth", "id", num, "group-id", "1"};
	struct ecs_err e;

	snprintf(num, sizeof(num), "%u", id);
	return ecs_bandwidth_policy_set(p, form, w, form == ECS_FORM_SET ? 6 : 4, &e);
}

static int member(struct ecs_qos_group *g, enum ecs_form form, unsigned id)
{
	char name[16];
	const char *w[] = {"add-ruledef", name};
	struct ecs_err e;

	snprintf(name, sizeof(name), "r%u", id);
	return ecs_qos_group_set(g, form, w, 2, &e);
}

static void test_lines(void)
{
	static const char *const wrong[][7] = {
		{"group-id", "0", "direction", "uplink"}, {"group-id", "1"}, {"group-id", "1", "direction"},
		{"group-id", "1", "direction", "sideways"},
		{"group-id", "1", "direction", "uplink", "peak-data-rate", "0"},
		{"group-id", "1", "direction", "uplink", "committed-data-rate", "256001"},
		{"flow", "limit-for-bandwidth", "id", "1"}, {"flow", "limit-for-bandwidth", "id", "0"},
		{"flow", "limit-for-bandwidth", "id", "1", "group-id", "4294967296"}, {"else"}};
	struct ecs_service *s = ecs_service_new("x");
	struct ecs_bandwidth_policy *p;
	struct ecs_qos_group *g;
	struct ecs_err e;

	p = ecs_service_bandwidth_policy(s, "p", false, &e);
	g = ecs_service_qos_group(s, "g", false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		size_t n = 0;

		while (n < 7 && wrong[i][n])
			n++;
		CU_ASSERT_TRUE(ecs_bandwidth_policy_set(p, ECS_FORM_SET, wrong[i], n, &e) < 0);
		CU_ASSERT_NOT_EQUAL(e.text[0], '\0');
	}
	CU_ASSERT_EQUAL(p->nflows + p->ngroups, 0);
	for (unsigned i = 1; i <= ECS_POLICY_LINES_MAX; i++)
		CU_ASSERT_EQUAL(policy(p, ECS_FORM_SET, ECS_POLICY_LINES_MAX + 1 - i), 0);
	CU_ASSERT_EQUAL(policy(p, ECS_FORM_SET, 1000), SRP_EFULL);
	CU_ASSERT_EQUAL(policy(p, ECS_FORM_SET, 7), 0); /* entered again */
	CU_ASSERT_EQUAL(policy(p, ECS_FORM_NO, 1000), 0);
	CU_ASSERT_EQUAL(policy(p, ECS_FORM_NO, 7), 0);
	CU_ASSERT_EQUAL(policy(p, ECS_FORM_SET, 1000), 0);
	for (size_t i = 1; i < p->nflows; i++)
		CU_ASSERT_TRUE(p->flow[i - 1].id < p->flow[i].id);
	for (unsigned i = 1; i <= ECS_QOS_MEMBERS_MAX; i++)
		CU_ASSERT_EQUAL(member(g, ECS_FORM_SET, i), 0);
	CU_ASSERT_EQUAL(member(g, ECS_FORM_SET, 1000), SRP_EFULL);
	CU_ASSERT_EQUAL(member(g, ECS_FORM_NO, 5), 0);
	CU_ASSERT_EQUAL(member(g, ECS_FORM_NO, 5), 0);
	CU_ASSERT_EQUAL(g->n, ECS_QOS_MEMBERS_MAX - 1);
	CU_ASSERT_PTR_NULL(ecs_service_bandwidth_policy(s, "p", true, &e));
	CU_ASSERT_EQUAL(e.text[0], '\0');
	CU_ASSERT_PTR_NULL(ecs_service_qos_group(s, "no such", true, &e));
	ecs_service_free(s);
}

CU_TestInfo ecs_police_tests[] = {
	{"a bucket", test_bucket},
	{"ends of buckets", test_bucket_ends},
	{"the limit of a rule", test_rule},
	{"limits over several rules", test_joint},
	{"MBR of bearers and rules", test_mbr},
	{"colours", test_colours},
	{"super-packets", test_super},
	{"limits of flows", test_flows},
	{"a record a second", test_turns},
	{"recovered at every level", test_recovered},
	{"how old tokens are", test_ages},
	{"a direction without packets", test_idle_way},
	{"another rate", test_commit},
	{"records that are refused", test_refusals},
	{"counters by name", test_stats},
	{"what is named and not there", test_lint},
	{"lines", test_lines},
	CU_TEST_INFO_NULL,
};

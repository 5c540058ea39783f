/* Rate limits: buckets, what limits a packet, lines and what they name. */
#include "config.h"
#include "suites.h"

#include "ecs_limits.h"

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
	{"counters by name", test_stats},
	{"what is named and not there", test_lint},
	{"lines", test_lines},
	CU_TEST_INFO_NULL,
};

/* Rules and bearers that a control plane gives a call. */
#include "config.h"
#include "suites.h"

#include "ecs/dynamic.h"
#include "ecs_kit.h"
#include "ecs_packets.h"

static const char ue[] = "10.0.0.1", server[] = "192.0.2.1";

static struct ecs_dyn_spec rule(const char *name, uint32_t precedence, const char *filters)
{
	struct ecs_dyn_spec s = {.precedence = precedence, .content_id = 700};
	char why[200];

	strcpy(s.name, name);
	CU_ASSERT_EQUAL_FATAL(ecs_sdfs_parse(filters, &s.filters, why, sizeof(why)), 0);
	return s;
}

static enum ecs_verdict udp(struct kit *k, enum ecs_dir dir, uint16_t sport, uint16_t dport)
{
	bool up = dir == ECS_UPLINK;
	struct pk p = {.src = up ? ue : server, .dst = up ? server : ue, .proto = 17,
	               .sport = up ? sport : dport, .dport = up ? dport : sport, .text = "data"};
	uint8_t b[PK_CAP];

	return ecs_engine_packet(k->e, b, pk_build(&p, b), dir, 0, k->now);
}

static const char *rule_of(struct kit *k, const struct ecs_session *s, uint16_t sport)
{
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
		const struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);
		const struct ecs_ruleref *r = ecs_ruleref_get(k->e->refs, f->ref);

		if (f->key.subscriber_port == sport)
			return r ? r->rule : "(no rule)";
	}
	return "(no flow)";
}

static uint64_t hits(struct kit *k, const char *name)
{
	for (size_t i = 0; i < ECS_DYN_STATS_MAX; i++)
		if (strcmp(k->e->conf.dyn_stats[i].name, name) == 0)
			return k->e->conf.dyn_stats[i].st.pkts_up +
			       k->e->conf.dyn_stats[i].st.pkts_down;
	return 0;
}

/* --- filters ---------------------------------------------------------------------------------- */

static void test_filters(void)
{
	static const char *const good[] = {
		"udp 192.0.2.1/32 port 53", "ip any", "uplink tcp any port 80-90 local 1000",
		"downlink precedence 7 icmp 192.0.2.0/24", "icmpv6 2001:db8::/32",
		"ip any; udp 10.0.0.0/8; 47 any",
	};
	static const char *const bad[] = {
		"", "udp", "udp 192.0.2.1/33", "udp any port 9-8", "udp any port 65536", "tcp any x",
		"icmp any port 3", "256 any", "udp any;", "precedence 256 ip any", "ip 2001:db8::/129",
	};
	struct ecs_sdfs f, g;
	uint8_t b[ECS_SDFS_MAX * ECS_SDF_LEN + 1], again[sizeof(b)];
	char text[600], many[600] = "ip any", why[200];
	size_t n;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(ecs_sdfs_parse(good[i], &f, why, sizeof(why)), 0);
		CU_ASSERT_STRING_EQUAL(ecs_sdfs_text(&f, text, sizeof(text)), good[i]);
		n = ecs_sdfs_put(&f, b);
		CU_ASSERT_TRUE(ecs_sdfs_get(b, n, &g));
		CU_ASSERT_EQUAL(ecs_sdfs_put(&g, again), n);
		CU_ASSERT_EQUAL(memcmp(b, again, n), 0);
		for (size_t cut = 1; cut < ECS_SDF_LEN; cut++)
			CU_ASSERT_FALSE(ecs_sdfs_get(b, n - cut, &g));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_TRUE(ecs_sdfs_parse(bad[i], &f, why, sizeof(why)) < 0);
	for (unsigned i = 1; i < ECS_SDFS_MAX; i++)
		strcat(many, "; ip any");
	CU_ASSERT_EQUAL(ecs_sdfs_parse(many, &f, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(f.n, ECS_SDFS_MAX);
	strcat(many, "; ip any");
	CU_ASSERT_EQUAL(ecs_sdfs_parse(many, &f, why, sizeof(why)), SRP_EFULL);
	/* bytes that no writer makes: directions, host bits, ranges */
	CU_ASSERT_EQUAL(ecs_sdfs_parse("udp 192.0.2.0/24 port 5-9", &f, why, sizeof(why)), 0);
	n = ecs_sdfs_put(&f, b);
	b[0] ^= 3;
	CU_ASSERT_FALSE(ecs_sdfs_get(b, n, &g));
	b[0] ^= 3;
	b[19] = 1;
	CU_ASSERT_FALSE(ecs_sdfs_get(b, n, &g));
	b[19] = 0;
	b[25] = 10;
	CU_ASSERT_FALSE(ecs_sdfs_get(b, n, &g));
	b[25] = 5;
	CU_ASSERT_TRUE(ecs_sdfs_get(b, n, &g));
}

/* --- rules ------------------------------------------------------------------------------------ */

static void test_precedence(void)
{
	struct ecs_dyn_spec d1 = rule("d1", 20, "udp 192.0.2.1 port 7000");
	struct ecs_dyn_spec d2 = rule("d2", 10, "udp any port 7000-7001");
	struct ecs_session *s;
	struct kit k;

	kit_init(&k, 0, true);
	s = kit_session(&k, 7, 1, false);
	s->spec.v4 = kit_v4(1);
	CU_ASSERT_EQUAL(udp(&k, ECS_UPLINK, 1000, 7000), ECS_FORWARD);
	CU_ASSERT_STRING_EQUAL(rule_of(&k, s, 1000), "any");
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 8, &d1, k.now), SRP_ENOSESS);
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &d1, k.now), 0);
	CU_ASSERT_EQUAL(k.rec.changed[43], 1);
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &d1, k.now), SRP_EDUP);
	CU_ASSERT_STRING_EQUAL(rule_of(&k, s, 1000), "d1"); /* at once */
	udp(&k, ECS_DOWNLINK, 1000, 7000);
	CU_ASSERT_EQUAL(hits(&k, "d1"), 1);
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &d2, k.now), 0);
	CU_ASSERT_STRING_EQUAL(rule_of(&k, s, 1000), "d2");
	d2.precedence = 30;
	CU_ASSERT_EQUAL(ecs_rule_modify(k.e, 7, &d2, ECS_DYN_PRECEDENCE, k.now), 0);
	CU_ASSERT_STRING_EQUAL(rule_of(&k, s, 1000), "d1");
	CU_ASSERT_EQUAL(ecs_rule_remove(k.e, 7, "d1", k.now), 0);
	CU_ASSERT_EQUAL(k.rec.told[43], 1);
	CU_ASSERT_EQUAL(ecs_rule_remove(k.e, 7, "d1", k.now), SRP_ENOENT);
	udp(&k, ECS_UPLINK, 1000, 7000);
	CU_ASSERT_STRING_EQUAL(rule_of(&k, s, 1000), "d2"); /* by addresses and ports */
	CU_ASSERT_EQUAL(ecs_rule_remove(k.e, 7, "d2", k.now), 0);
	udp(&k, ECS_UPLINK, 1000, 7000);
	CU_ASSERT_STRING_EQUAL(rule_of(&k, s, 1000), "any");
	kit_fini(&k);
}

static void test_wrong(void)
{
	struct ecs_dyn_spec d = rule("d", 1, "ip any"), x = d;
	struct kit k;

	kit_init(&k, 0, true);
	kit_session(&k, 7, 1, false);
	x.precedence = 0;
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &x, k.now), SRP_ERANGE);
	x = d;
	x.filters.n = 0;
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &x, k.now), SRP_EINVAL);
	x = d;
	x.bearer = 6;
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &x, k.now), SRP_ENOENT);
	x = d;
	x.status = ECS_STATUS__N;
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &x, k.now), SRP_ERANGE);
	x = (struct ecs_dyn_spec){.name = "any", .predefined = true};
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &x, k.now), SRP_ENORULE); /* a static line */
	for (unsigned i = 0; i < ECS_DYN_RULES_MAX; i++) {
		(void)snprintf(d.name, sizeof(d.name), "r%u", i);
		CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &d, k.now), 0);
	}
	strcpy(d.name, "more");
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &d, k.now), SRP_EFULL);
	ecs_engine_active(k.e, false, k.now);
	CU_ASSERT_EQUAL(ecs_rule_remove(k.e, 7, "r1", k.now), SRP_EROLE);
	kit_fini(&k);
}

static void test_status(void)
{
	struct ecs_dyn_spec d = rule("d", 1, "udp any port 7000");
	struct kit k;

	kit_init(&k, 0, true);
	kit_session(&k, 7, 1, false);
	d.status = ECS_STATUS_UPLINK;
	CU_ASSERT_EQUAL(ecs_rule_install(k.e, 7, &d, k.now), 0);
	CU_ASSERT_EQUAL(udp(&k, ECS_UPLINK, 1000, 7000), ECS_FORWARD);
	CU_ASSERT_EQUAL(udp(&k, ECS_DOWNLINK, 1000, 7000), ECS_DROP);
	CU_ASSERT_EQUAL(k.ctr.drop_flow_status, 1);
	d.status = ECS_STATUS_DISABLED;
	CU_ASSERT_EQUAL(ecs_rule_modify(k.e, 7, &d, ECS_DYN_STATUS, k.now), 0);
	CU_ASSERT_EQUAL(udp(&k, ECS_UPLINK, 1000, 7000), ECS_DROP);
	d.status = ECS_STATUS_ENABLED;
	CU_ASSERT_EQUAL(ecs_rule_modify(k.e, 7, &d, ECS_DYN_STATUS, k.now), 0);
	CU_ASSERT_EQUAL(udp(&k, ECS_DOWNLINK, 1000, 7000), ECS_FORWARD);
	CU_ASSERT_EQUAL(udp(&k, ECS_UPLINK, 1000, 7001), ECS_FORWARD);
	kit_fini(&k);
}

/* --- to the peer ------------------------------------------------------------------------------ */

/* An eligible dynamic rule, its flow, to the peer, which takes over and loses the rule. */
static void test_recovered(void)
{
	struct ecs_dyn_spec d = rule("dns", 1, "udp any port 7000"); /* `=` names it */
	struct srp_ckpt_obj *out;
	struct ecs_session *s, *t;
	struct ecs_flow *f;
	struct kit a, b;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(ecs_rule_install(a.e, 7, &d, a.now), 0);
	udp(&a, ECS_UPLINK, 1000, 7000);
	f = ECS_CONTAINER(s->flows.next, struct ecs_flow, in_session);
	CU_ASSERT_TRUE(f->flags & ECS_FLOW_F_CHECKPOINT);
	CU_ASSERT_EQUAL(a.rec.changed[210], 1);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_ruleref_get(a.e->refs, f->ref)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &f->ckpt, &out), 0);
	t = ecs_session_find(b.e, 7);
	CU_ASSERT_EQUAL(t->pending, ECS_PENDING_SWITCHOVER); /* its rule is not known yet */
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_dyn_find(s, "dns")->ckpt, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, &ecs_dyn_find(s, "dns")->ckpt, &b, out));
	CU_ASSERT_EQUAL(t->pending, 0);
	ecs_engine_active(b.e, true, b.now);
	udp(&b, ECS_DOWNLINK, 1000, 7000);
	CU_ASSERT_EQUAL(hits(&b, "dns"), 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&b, t, 1000), "dns");
	CU_ASSERT_EQUAL(ecs_rule_remove(b.e, 7, "dns", b.now), 0);
	CU_ASSERT_EQUAL(b.rec.told[210], 1); /* the checkpoint, not the flow */
	udp(&b, ECS_UPLINK, 1000, 7000);
	CU_ASSERT_STRING_EQUAL(rule_of(&b, t, 1000), "any");
	CU_ASSERT_TRUE(ecs_flow_recovered(
	        b.e, ECS_CONTAINER(t->flows.next, struct ecs_flow, in_session)));
	kit_fini(&a);
	kit_fini(&b);
}

static void test_record_cut(void)
{
	struct ecs_dyn_spec d = rule("d", 1, "udp any port 7000");
	uint8_t buf[KIT_RECORD];
	struct srp_ckpt_obj *out;
	struct srp_ckpt_key key;
	struct ecs_session *s;
	struct kit a, b;
	size_t len;

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(ecs_rule_install(a.e, 7, &d, a.now), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	len = kit_encode(&a, &ecs_dyn_find(s, "d")->ckpt, false, buf);
	key = (struct srp_ckpt_key){{7, ecs_dyn_key("d")}};
	for (size_t n = 0; n < len; n++)
		CU_ASSERT_TRUE(kit_apply(&b, &ecs_kind_dynrule, &key, buf, n, 13, &out) < 0);
	CU_ASSERT_EQUAL(kit_apply(&b, &ecs_kind_dynrule, &key, buf, len, 12, &out), SRP_ESHORT);
	key.k[1]++;
	CU_ASSERT_EQUAL(kit_apply(&b, &ecs_kind_dynrule, &key, buf, len, 13, &out), SRP_EINVAL);
	CU_ASSERT_EQUAL(ecs_session_find(b.e, 7)->ndynrules, 0);
	kit_fini(&a);
	kit_fini(&b);
}

/* --- bearers ---------------------------------------------------------------------------------- */

static const struct ecs_flow *only(const struct ecs_session *s)
{
	return ECS_CONTAINER(s->flows.next, struct ecs_flow, in_session);
}

static void test_bearers(void)
{
	struct ecs_bearer_spec b6 = {.id = 6, .qos = {.qci = 1, .arp = 2}, .has_tft = true};
	struct ecs_dyn_spec d = rule("d", 1, "udp any port 7000");
	struct srp_ckpt_obj *out;
	struct ecs_session *s;
	struct kit a, b;
	char why[200];

	kit_init(&a, 0, true);
	kit_init(&b, 1, false);
	s = kit_session(&a, 7, 1, false);
	CU_ASSERT_EQUAL(ecs_sdfs_parse("udp any port 7000", &b6.tft, why, sizeof(why)), 0);
	udp(&a, ECS_UPLINK, 1000, 7000);
	CU_ASSERT_EQUAL(only(s)->bearer, 5);
	CU_ASSERT_EQUAL(ecs_bearer_make(a.e, 7, &b6, a.now), 0);
	CU_ASSERT_EQUAL(a.rec.changed[193], 0);
	udp(&a, ECS_UPLINK, 1000, 7000);
	CU_ASSERT_EQUAL(only(s)->bearer, 6);
	CU_ASSERT_STRING_EQUAL(rule_of(&a, s, 1000), "any"); /* a static rule is bound to none */
	CU_ASSERT_PTR_NOT_NULL(ecs_usage_find(a.e, 7, 6, ECS_USAGE_CONTENT, 1));
	b6.qos.mbr[ECS_UPLINK] = 640;
	CU_ASSERT_EQUAL(ecs_bearer_update(a.e, 7, &b6, ECS_BEARER_UP, a.now), 0);
	CU_ASSERT_EQUAL(a.rec.changed[193], 1);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &s->full, &out), 0);
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_session_bearer(s, 6, false)->ckpt, &out), 0);
	CU_ASSERT_TRUE(kit_same(&a, &ecs_session_bearer(s, 6, false)->ckpt, &b, out));
	CU_ASSERT_EQUAL(kit_send(&a, &b, &ecs_session_bearer(s, 6, false)->qos, &out), 0);
	CU_ASSERT_EQUAL(ecs_bearer_qos(ecs_session_bearer(ecs_session_find(b.e, 7), 6, false))
	                        .mbr[ECS_UPLINK], 640);
	CU_ASSERT_EQUAL(ecs_session_find(b.e, 7)->ntfts, 1);
	/* a rule of the default bearer does not mean what comes on another one */
	d.bearer = 5;
	CU_ASSERT_EQUAL(ecs_rule_install(a.e, 7, &d, a.now), 0);
	CU_ASSERT_STRING_EQUAL(rule_of(&a, s, 1000), "any");
	d.bearer = 0;
	d.qos.qci = 1;
	CU_ASSERT_EQUAL(ecs_rule_modify(a.e, 7, &d, ECS_DYN_BEARER | ECS_DYN_QOS, a.now), 0);
	udp(&a, ECS_UPLINK, 1000, 7000);
	CU_ASSERT_STRING_EQUAL(rule_of(&a, s, 1000), "d");
	/* its deletion, in a handoff to WLAN: L3/L4 lines of the default bearer, which the rule is one of */
	CU_ASSERT_EQUAL(ecs_session_control(a.e, 7, true, a.now), 0);
	CU_ASSERT_EQUAL(ecs_session_handoff(a.e, 7, ECS_RAT_WLAN, a.now), 0);
	CU_ASSERT_EQUAL(s->ndedicated, 0);
	CU_ASSERT_EQUAL(a.rec.told[33], 1);
	CU_ASSERT_EQUAL(a.rec.told[193], 1);
	CU_ASSERT_TRUE(only(s)->released);
	udp(&a, ECS_UPLINK, 1000, 7000);
	CU_ASSERT_EQUAL(only(s)->bearer, 5);
	CU_ASSERT_EQUAL(ecs_bearer_update(a.e, 7, &b6, ECS_BEARER_UP, a.now), SRP_ENOENT);
	kit_fini(&a);
	kit_fini(&b);
}

CU_TestInfo ecs_dynamic_tests[] = {
	{"filters", test_filters},     {"precedence", test_precedence}, {"wrong", test_wrong},
	{"status", test_status},       {"recovered", test_recovered},   {"record cut", test_record_cut},
	{"bearers", test_bearers},     CU_TEST_INFO_NULL,
};

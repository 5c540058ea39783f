#include "config.h"
#include "suites.h"

#include "ecs_kit.h"

/* The kit's rules web, slow and dns are eligible, plain and any are not. */
struct bed {
	struct kit a;
	struct ecs_kpi *kpi;
};

static void bed_init(struct bed *b)
{
	struct ecs_engine_identity id = {0};

	kit_init(&b->a, 0, false);
	b->kpi = calloc(ECS_KPI_MAX, sizeof(*b->kpi));
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->kpi);
	id.counters = &b->a.ctr;
	id.rule_stats = b->a.stats;
	id.kpi = b->kpi;
	CU_ASSERT_EQUAL(ecs_engine_assume(b->a.e, &id), 0);
	ecs_engine_active(b->a.e, true, b->a.now);
}

static void bed_fini(struct bed *b)
{
	kit_fini(&b->a);
	free(b->kpi);
}

/* The place of a rule; NULL: it has none. */
static struct ecs_kpi *place(struct bed *b, const char *rule)
{
	struct ecs_kpi *found = NULL;

	for (size_t i = 0; i < ECS_KPI_MAX; i++)
		if (b->kpi[i].tag && b->kpi[i].name == ecs_kpi_name(rule)) {
			CU_ASSERT_PTR_NULL(found);
			found = &b->kpi[i];
		}
	return found;
}

static size_t places(const struct bed *b)
{
	size_t n = 0;

	for (size_t i = 0; i < ECS_KPI_MAX; i++)
		n += b->kpi[i].tag != 0;
	return n;
}

static uint64_t figure(struct bed *b, const char *rule, enum ecs_kpi_figure f)
{
	struct ecs_kpi *k = place(b, rule);

	return k ? k->v[f] : UINT64_MAX;
}

/* FR-030, FR-031, FR-032: eligible rules have a place before their first flow, and lose it. */
static void test_places(void)
{
	struct bed b;
	struct ecs_service *old, *less;
	struct ecs_err e;
	uint32_t tag;

	bed_init(&b);
	CU_ASSERT_EQUAL(places(&b), 3);
	CU_ASSERT(place(&b, "web") && place(&b, "slow") && place(&b, "dns"));
	CU_ASSERT(!place(&b, "plain") && !place(&b, "any"));
	tag = place(&b, "dns")->tag;
	place(&b, "dns")->v[ECS_KPI_SENT_GR] = 7;
	place(&b, "web")->v[ECS_KPI_SENT_GR] = 8;
	/* rule web goes: the others stay where they are */
	old = b.a.svc;
	less = kit_service(3, 0);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.a.e, less, b.a.now), 0);
	CU_ASSERT_EQUAL(figure(&b, "dns", ECS_KPI_SENT_GR), 7);
	CU_ASSERT_EQUAL(place(&b, "dns")->tag, tag);
	/* web is named with `=`: it may be a dynamic rule now, and goes on */
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_SENT_GR), 8);
	ecs_service_free(old);
	/* a service without a scheme: nobody is eligible */
	old = less;
	b.a.svc = ecs_service_new("none");
	CU_ASSERT_EQUAL(ecs_service_commit(b.a.svc, &e), 0);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.a.e, b.a.svc, b.a.now), 0);
	CU_ASSERT_EQUAL(places(&b), 0);
	CU_ASSERT_EQUAL(ecs_service_eligible_names(b.a.svc, NULL, 0), 0);
	ecs_service_free(old);
	/* and back: from zero, under another tag */
	old = b.a.svc;
	b.a.svc = kit_service(0, 0);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(b.a.e, b.a.svc, b.a.now), 0);
	CU_ASSERT_EQUAL(places(&b), 3);
	CU_ASSERT_EQUAL(figure(&b, "dns", ECS_KPI_SENT_GR), 0);
	CU_ASSERT_NOT_EQUAL(place(&b, "dns")->tag, tag);
	CU_ASSERT_PTR_NULL(ecs_kpi_figures(b.a.e, tag)); /* who still holds the old one counts nowhere */
	ecs_service_free(old);
	bed_fini(&b);
}

/* FR-138: a gauge that follows the flows over all ways that they get and lose a rule. */
static void test_active(void)
{
	struct ecs_session *s;
	struct ecs_flow *f[4];
	struct bed b;

	bed_init(&b);
	s = kit_session(&b.a, 7, 1, false);
	for (uint16_t i = 0; i < 4; i++)
		f[i] = kit_flow(&b.a, s, (uint16_t)(1000 + i), false, "web");
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_ACTIVE), 4);
	kit_set_rule(&b.a, f[0], "dns");
	kit_set_rule(&b.a, f[1], "plain");
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_ACTIVE), 2);
	CU_ASSERT_EQUAL(figure(&b, "dns", ECS_KPI_ACTIVE), 1);
	/* a commit that changes nothing leaves it as it is */
	ecs_kpi_bind(b.a.e);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_ACTIVE), 2);
	/* statistics are cleared, a gauge is not */
	place(&b, "web")->v[ECS_KPI_SENT_SR] = 3;
	ecs_kpi_clear(b.kpi);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_SENT_SR), 0);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_ACTIVE), 2);
	ecs_flow_drop(b.a.e, f[2], ECS_TELL, b.a.now);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_ACTIVE), 1);
	CU_ASSERT_EQUAL(ecs_session_delete(b.a.e, 7, ECS_END_OPERATOR, b.a.now), 0);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_ACTIVE), 0);
	CU_ASSERT_EQUAL(figure(&b, "dns", ECS_KPI_ACTIVE), 0);
	bed_fini(&b);
}

static void pass(struct bed *b, struct ecs_flow *f, enum srp_replica_id r, enum srp_ckpt_passing what,
                 uint32_t tag)
{
	const struct srp_ckpt_key key = {{7, 2}};
	const struct srp_ckpt_pass p = {.what = what, .replica = r, .now = b->a.now, .owner = b->a.e,
	                                .tag = tag};

	ecs_kind_flow.passed(f ? &f->ckpt : NULL, f ? NULL : &key, &p);
}

/* FR-139, FR-141, FR-143 to FR-146: SR and GR apart; a deletion counts for the rule that was sent. */
static void test_checkpoints(void)
{
	struct srp_ckpt_ctx ctx;
	struct ecs_session *s;
	struct ecs_flow *f;
	struct bed b;
	uint32_t tag;

	bed_init(&b);
	s = kit_session(&b.a, 7, 1, false);
	f = kit_flow(&b.a, s, 1000, false, "web");
	pass(&b, f, SRP_REPLICA_GR, SRP_CKPT_SENT, 0);
	pass(&b, f, SRP_REPLICA_GR, SRP_CKPT_ACKED, 0);
	pass(&b, f, SRP_REPLICA_SR, SRP_CKPT_SENT, 0);
	pass(&b, f, SRP_REPLICA_SR, SRP_CKPT_REFUSED, 0);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_SENT_GR), 1);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_SENT_SR), 1);
	/* its rule changes to one that is not eligible: the deletion is of the rule that it had */
	kit_set_rule(&b.a, f, "plain");
	tag = ecs_kind_flow.tag(&f->ckpt);
	CU_ASSERT_EQUAL(tag, place(&b, "web")->tag);
	pass(&b, NULL, SRP_REPLICA_GR, SRP_CKPT_SENT, tag);
	pass(&b, NULL, SRP_REPLICA_GR, SRP_CKPT_ACKED, tag);
	pass(&b, NULL, SRP_REPLICA_SR, SRP_CKPT_SENT, tag);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_DEL_RECVD_SR), 0);
	pass(&b, NULL, SRP_REPLICA_SR, SRP_CKPT_ACKED, tag);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_DEL_SENT_GR), 1);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_DEL_SENT_SR), 1);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_DEL_RECVD_SR), 1);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_DEL_RECVD_GR), 0); /* the peer's to count */
	pass(&b, NULL, SRP_REPLICA_GR, SRP_CKPT_SENT, 0); /* of no rule that has a place */
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_DEL_SENT_GR), 1);
	/* what arrives */
	kit_set_rule(&b.a, f, "dns");
	ctx = kit_ctx(&b.a, false);
	ecs_kind_flow.arrived(&f->ckpt, &ctx, false);
	ecs_kind_flow.arrived(&f->ckpt, &ctx, true);
	ctx.replica = SRP_REPLICA_SR;
	ecs_kind_flow.arrived(&f->ckpt, &ctx, false);
	CU_ASSERT_EQUAL(figure(&b, "dns", ECS_KPI_RECVD_GR), 1);
	CU_ASSERT_EQUAL(figure(&b, "dns", ECS_KPI_DEL_RECVD_GR), 1);
	CU_ASSERT_EQUAL(figure(&b, "dns", ECS_KPI_RECVD_SR), 1);
	bed_fini(&b);
}

static void lives(struct bed *b, struct ecs_session *s, uint64_t ms)
{
	struct ecs_flow *f = kit_flow(&b->a, s, (uint16_t)(1000 + ms % 50000), false, "web");

	b->a.now = srp_time_add(b->a.now, SRP_MS(ms));
	ecs_flow_drop(b->a.e, f, ECS_TELL, b->a.now);
}

/* FR-147 to FR-150: at the borders of the buckets, which begin at 0, 10 and 60 s by default. */
static void test_lifetimes(void)
{
	struct ecs_session *s;
	struct bed b;

	bed_init(&b);
	s = kit_session(&b.a, 7, 1, false);
	lives(&b, s, 0);
	lives(&b, s, 9999);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE1), 2);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE2), 0);
	lives(&b, s, 10000);
	lives(&b, s, 59999);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE2), 2);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE3), 0);
	lives(&b, s, 60000);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE3), 1);
	/* a flow that is only applied, or purged, has not ended here */
	ecs_flow_drop(b.a.e, kit_flow(&b.a, s, 2000, false, "web"), ECS_TELL_LISTS, b.a.now);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE1), 2);
	/* with its session it has */
	kit_flow(&b.a, s, 2001, false, "web");
	CU_ASSERT_EQUAL(ecs_session_delete(b.a.e, 7, ECS_END_OPERATOR, b.a.now), 0);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE1), 3);
	bed_fini(&b);
}

/* FR-077: recovered, and idle ever since: it is not counted; with a packet since, it is. */
static void test_recovered(void)
{
	struct ecs_session *s;
	struct ecs_flow *f[2];
	struct bed b;

	bed_init(&b);
	s = kit_session(&b.a, 7, 1, false);
	for (uint16_t i = 0; i < 2; i++)
		f[i] = kit_flow(&b.a, s, (uint16_t)(1000 + i), false, "web");
	ecs_engine_active(b.a.e, false, b.a.now);
	ecs_engine_active(b.a.e, true, b.a.now);
	CU_ASSERT_TRUE(ecs_flow_adopt(b.a.e, f[1], b.a.now));
	f[1]->flags |= ECS_FLOW_F_SEEN;
	b.a.now = srp_time_add(b.a.now, SRP_SEC(301));
	f[0]->last = f[1]->last = (struct srp_time){1};
	ecs_flow_expire(b.a.e, f[0], b.a.now);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE3), 0);
	ecs_flow_expire(b.a.e, f[1], b.a.now);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_LIFE3), 1);
	CU_ASSERT_EQUAL(figure(&b, "web", ECS_KPI_ACTIVE), 0);
	bed_fini(&b);
}

/* The limits of the command, and the names that a service gives. */
static void test_service(void)
{
	static const uint32_t good[][ECS_LIFETIMES] = {{0, 1, 2}, {0, 10, 2592000}, {5, 6, 7}};
	static const uint32_t bad[][ECS_LIFETIMES] = {{0, 0, 1}, {0, 2, 2}, {3, 2, 1}, {0, 1, 2592001}};
	struct ecs_service *s = ecs_service_new("s");
	const char *names[2] = {NULL, NULL};
	struct ecs_err e;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(ecs_service_lifetimes(s, good[i], &e), 0);
		CU_ASSERT_EQUAL(memcmp(ecs_service_lifetimes_from(s), good[i], sizeof(good[i])), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_NOT_EQUAL(ecs_service_lifetimes(s, bad[i], &e), 0);
		CU_ASSERT_EQUAL(ecs_service_lifetimes_from(s)[0], 5);
	}
	CU_ASSERT_EQUAL(ecs_service_lifetimes(s, NULL, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_lifetimes_from(s)[2], 60);
	CU_ASSERT_FALSE(ecs_service_recovers(s));
	ecs_service_free(s);
	s = kit_service(3, 0); /* no rule web, which is named all the same */
	CU_ASSERT_TRUE(ecs_service_recovers(s));
	CU_ASSERT_EQUAL(ecs_service_eligible_names(s, names, 2), 3);
	CU_ASSERT_STRING_EQUAL(names[0], "slow");
	CU_ASSERT_STRING_EQUAL(names[1], "dns");
	ecs_service_free(s);
}

CU_TestInfo ecs_kpi_tests[] = {
	{"who has figures", test_places},
	{"active flows", test_active},
	{"checkpoints and deletions", test_checkpoints},
	{"lifetimes", test_lifetimes},
	{"lifetime of recovered flows", test_recovered},
	{"lifetime buckets and names of a service", test_service},
	CU_TEST_INFO_NULL,
};

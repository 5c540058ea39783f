/* Tethering detection, by TTL and by the signature of a SYN: of fresh flows and of recovered ones. */
#include "config.h"
#include "suites.h"

#include "ecs_rig.h"

static const char base[] =
	"ruledef tethered\n tethering-detection flow-tethered = TRUE\n#exit\n"
	"ruledef any\n ip any-match = TRUE\n#exit\n"
	"charging-action count\n content-id 1\n#exit\n"
	"rulebase rb\n"
	" action priority 1 ruledef tethered charging-action count\n"
	" action priority 9 ruledef any charging-action count\n";

/* An active engine with one session, and these lines in its rulebase. */
static void start(struct rig *r, const char *more)
{
	static const char os[] = "laptop mss=1400 options=M\n";
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	struct ecs_service *s;
	char text[4096];

	setup(r, rules, 0);
	snprintf(text, sizeof(text), "%s%s%s", base, more, eligible);
	s = ecs_rule_text(text, false);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	ecs_service_db_set(s, ECS_DB_OS, ecs_db_parse(ECS_DB_OS, os, strlen(os), NULL, NULL));
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(s, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(ecs_engine_reconfigure(r->e, s, r->now), 0);
	ecs_service_free(r->svc);
	r->svc = s;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

static struct ecs_flow *flow(struct rig *r, const char *ue, uint16_t sport, uint8_t proto, uint16_t port)
{
	struct ecs_flow_key k = {.subscriber = addr(ue), .server = addr(strchr(ue, ':') ? SERVER6 : SERVER),
	                         .subscriber_port = sport, .server_port = port, .proto = proto};
	struct ecs_flow *f = ecs_flow_find(r->e->flows, &k);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	return f;
}

static void with_ttl(struct rig *r, const char *ue, uint16_t sport, uint8_t ttl, enum ecs_dir dir)
{
	bool up = dir == ECS_UPLINK, v6 = strchr(ue, ':') != NULL;
	const char *server = v6 ? SERVER6 : SERVER;
	struct pk k = {.src = up ? ue : server, .dst = up ? server : ue, .proto = 17,
	               .sport = up ? sport : 500, .dport = up ? 500 : sport, .text = "x"};
	uint8_t b[PK_CAP];
	size_t n = pk_build(&k, b);

	b[v6 ? 7 : 8] = ttl;
	CU_ASSERT_EQUAL(ecs_engine_packet(r->e, b, n, dir, 0, r->now), ECS_FORWARD);
}

#define TTL(more) " tethering-detection ip-ttl value 63\n tethering-detection ip-ttl value 127\n" more "#exit\n"

static void test_ttl(void)
{
	struct rig r;

	start(&r, TTL(""));
	with_ttl(&r, UE, 1, 64, ECS_UPLINK);
	with_ttl(&r, UE, 2, 63, ECS_UPLINK);
	with_ttl(&r, UE6, 3, 127, ECS_UPLINK);
	with_ttl(&r, UE, 4, 63, ECS_DOWNLINK);
	CU_ASSERT_FALSE(flow(&r, UE, 1, 17, 500)->tethered);
	CU_ASSERT_TRUE(flow(&r, UE, 2, 17, 500)->tethered);
	CU_ASSERT_TRUE(flow(&r, UE6, 3, 17, 500)->tethered);
	CU_ASSERT_FALSE(flow(&r, UE, 4, 17, 500)->tethered);
	with_ttl(&r, UE, 1, 63, ECS_UPLINK); /* judged by its first packet */
	CU_ASSERT_FALSE(flow(&r, UE, 1, 17, 500)->tethered);
	with_ttl(&r, UE, 4, 63, ECS_UPLINK); /* its first uplink one */
	CU_ASSERT_TRUE(flow(&r, UE, 4, 17, 500)->tethered);
	CU_ASSERT_EQUAL(r.c.tethered_flows, 3);
	CU_ASSERT_EQUAL(ecs_service_line(r.svc, ecs_ruleref_get(r.e->refs, flow(&r, UE, 4, 17, 500)->ref)->line)->priority, 1);
	end(&r);
}

/* Taken over: by the direction of the first packet, or with the switch by its TTL. */
static void test_ttl_recovered(void)
{
	for (unsigned check = 0; check < 2; check++) {
		struct rig r;

		start(&r, check ? TTL(" tethering-detection recovered-flows check-ttl\n") : TTL(""));
		for (uint16_t i = 1; i <= 4; i++) {
			with_ttl(&r, UE, i, i < 4 ? 64 : 63, ECS_UPLINK);
			ecs_flow_slot(r.e, flow(&r, UE, i, 17, 500), true);
		}
		ecs_engine_active(r.e, false, r.now);
		ecs_engine_active(r.e, true, r.now);
		with_ttl(&r, UE, 1, 64, ECS_UPLINK);
		with_ttl(&r, UE, 2, 64, ECS_DOWNLINK);
		with_ttl(&r, UE, 2, 63, ECS_UPLINK);
		with_ttl(&r, UE, 3, 63, ECS_UPLINK);
		with_ttl(&r, UE, 4, 63, ECS_DOWNLINK); /* tethered before: it is judged anew */
		CU_ASSERT_EQUAL(flow(&r, UE, 1, 17, 500)->tethered, !check);
		CU_ASSERT_FALSE(flow(&r, UE, 2, 17, 500)->tethered);
		CU_ASSERT_TRUE(flow(&r, UE, 3, 17, 500)->tethered);
		CU_ASSERT_FALSE(flow(&r, UE, 4, 17, 500)->tethered);
		CU_ASSERT_EQUAL(r.c.tether_recovered, check ? 0 : 2);
		end(&r);
	}
}

static void syn(struct rig *r, uint16_t sport, const uint8_t *opts, size_t n, unsigned words)
{
	struct pk k = {.src = UE, .dst = SERVER, .proto = 6, .sport = sport, .dport = 82, .flags = SYN,
	               .seq = 77, .data = opts, .len = n};
	uint8_t b[PK_CAP];
	size_t len = pk_build(&k, b);

	b[32] = (uint8_t)((5 + words) << 4);
	(void)ecs_engine_packet(r->e, b, len, ECS_UPLINK, 0, r->now);
}

static void test_syn(void)
{
	static const uint8_t listed[] = {2, 4, 0x05, 0x78}, other[] = {2, 4, 0x05, 0x79},
	                     more[] = {1, 1, 1, 0, 2, 4, 0x05, 0x78};
	uint8_t bad[40];
	struct rig r;

	start(&r, " tethering-detection os-db\n#exit\n");
	syn(&r, 1, listed, 4, 1);
	syn(&r, 2, other, 4, 1);
	syn(&r, 3, more, 8, 2);
	CU_ASSERT_TRUE(flow(&r, UE, 1, 6, 82)->tethered);
	CU_ASSERT_FALSE(flow(&r, UE, 2, 6, 82)->tethered);
	CU_ASSERT_FALSE(flow(&r, UE, 3, 6, 82)->tethered);
	/* a SYN on a recovered flow */
	ecs_flow_slot(r.e, flow(&r, UE, 2, 6, 82), true);
	flow(&r, UE, 2, 6, 82)->flags &= (uint16_t)~ECS_FLOW_F_FRESH;
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	syn(&r, 2, listed, 4, 1);
	CU_ASSERT_TRUE(flow(&r, UE, 2, 6, 82)->tethered);
	CU_ASSERT_EQUAL(r.c.tether_os, 2);
	/* options of every length, whole or not */
	for (unsigned kind = 0; kind < 256; kind++)
		for (unsigned len = 0; len < 44; len++) {
			memset(bad, (int)kind, sizeof(bad));
			bad[1] = (uint8_t)len;
			syn(&r, (uint16_t)(100 + kind), bad, sizeof(bad), 10);
		}
	CU_ASSERT_EQUAL(r.c.tether_os, 2);
	end(&r);
}

CU_TestInfo ecs_tether_tests[] = {
	{"by TTL", test_ttl},
	{"by TTL, of recovered flows", test_ttl_recovered},
	{"by SYN", test_syn},
	CU_TEST_INFO_NULL,
};

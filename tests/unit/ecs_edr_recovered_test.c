/* Records of recovered flows and sessions: what they say, and that each byte is in one of them, or counted. */
#include "config.h"
#include "suites.h"

#include "ecs_edr_kit.h"
#include "srp/err.h"

static void test_recovered(void)
{
	struct rig r;
	struct conn c;

	for (int planned = 0; planned < 2; planned++) {
		start(&r, ENDS);
		c = udp(&r, 5001, 7001);
		CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
		away(&r, planned);
		CU_ASSERT_EQUAL_FATAL(nmade, (unsigned)planned);
		if (planned)
			expect(0, ECS_STREAM_EDR, "3,FromMobile,one,32,0");
		CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "22"), ECS_FORWARD);
		CU_ASSERT_EQUAL(r.c.records_lost, !planned);
		wait_ms(&r, 301000);
		CU_ASSERT_EQUAL_FATAL(nmade, 1u + (unsigned)planned);
		expect((unsigned)planned, ECS_STREAM_EDR, "4,Unknown,one,0,30");
		end(&r);
	}
	/* no packet since: nothing to tell */
	start(&r, ENDS);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	away(&r, false);
	wait_ms(&r, 301000);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(nmade, 0);
	end(&r);
}

/* The walk over what was handed over is not through when the role comes back, or a flow goes. */
static void test_handed_over(void)
{
	struct rig r;
	struct conn c, d;

	start(&r, ENDS);
	c = udp(&r, 5001, 7001);
	d = udp(&r, 5002, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "a"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, 0, "bb"), ECS_FORWARD);
	ecs_flow_slot(r.e, flow_of(&c), true);
	ecs_flow_slot(r.e, flow_of(&d), true);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_handed_over(r.e);
	ecs_flow_drop(r.e, flow_of(&d), ECS_TELL_LISTS, r.now);
	expect(0, ECS_STREAM_EDR, "3,FromMobile,one,30,0");
	ecs_engine_active(r.e, true, r.now);
	expect(1, ECS_STREAM_EDR, "3,FromMobile,one,29,0");
	CU_ASSERT_EQUAL(nmade, 2);
	CU_ASSERT_EQUAL(r.c.records_lost, 0);
	end(&r);
}

static void lost(const struct rig *r, uint64_t flows, uint64_t bytes)
{
	CU_ASSERT_EQUAL(r->c.records_lost, flows);
	CU_ASSERT_EQUAL(r->c.records_lost_bytes, bytes);
}

/* What is in no EDR is counted by who goes on: each flow once, with FDRs to the byte. */
static void test_lost(void)
{
	struct rig r;
	struct conn c, d, f;

	start(&r, ENDS " billing-records fdr edr-format flow\n");
	c = udp(&r, 5001, 7001);
	d = udp(&r, 5002, 7001);
	f = udp(&r, 5003, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, 0, "one"), ECS_FORWARD);
	ecs_flow_slot(r.e, flow_of(&c), true);
	ecs_flow_slot(r.e, flow_of(&d), true);
	CU_ASSERT_EQUAL(ecs_session_handoff(r.e, 1, ECS_RAT_UTRAN, r.now), 0); /* all so far is in EDRs */
	CU_ASSERT_EQUAL(nmade, 2);
	away(&r, false);
	lost(&r, 0, 0);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "sixsix"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, 0, "1"), ECS_FORWARD); /* it will not be recovered */
	away(&r, false);
	lost(&r, 2, B(4) + B(6) + B(1));
	away(&r, false); /* nothing came since */
	lost(&r, 2, B(4) + B(6) + B(1));
	/* one ends before it is its turn, with an EDR of what came since; one goes on */
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "22"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, 0, "333"), ECS_FORWARD);
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	ecs_records_recovered(r.e, false);
	nmade = 0;
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "4444"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, 0, "4444"), ECS_FORWARD);
	ecs_flow_over(r.e, flow_of(&c), ECS_FLOW_END_NORMAL, r.now);
	CU_ASSERT_EQUAL(nmade, 2);
	expect(0, ECS_STREAM_EDR, "0,Unknown,one,32,0");
	lost(&r, 3, B(4) + B(6) + B(1) + B(2));
	ecs_records_recovered(r.e, true);
	while (ecs_engine_tick(r.e, r.now, 1))
		;
	lost(&r, 4, B(4) + B(6) + B(1) + B(2) + B(3));
	end(&r);

	start(&r, ENDS); /* volumes of flows are not kept: flows alone */
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	away(&r, false);
	lost(&r, 1, 0);
	end(&r);

	start(&r, " billing-records fdr edr-format flow\n"); /* no EDRs: none lack anything */
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	away(&r, false);
	lost(&r, 0, 0);
	end(&r);
}

/* Calls end while they are walked over, in whatever order: each is counted once. */
static void test_lost_walk(void)
{
	enum { CALLS = 12 };
	struct ecs_session_spec sp;
	struct ecs_session *s;
	struct rig r;

	start(&r, ENDS " billing-records fdr edr-format flow\n");
	for (uint32_t i = 2; i < 2 + CALLS; i++) {
		char addr[32];

		snprintf(addr, sizeof(addr), "10.77.0.%u", i);
		sp = spec_of(i, addr, NULL);
		CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, &s), 0);
		ecs_usage_charge(r.e, s, 0, ECS_USAGE_FLOW, 2, 0, ECS_UPLINK, 1, 100, r.now);
	}
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	ecs_records_recovered(r.e, true);
	for (unsigned i = 0; i < CALLS / 2; i++)
		CU_ASSERT_TRUE(ecs_lost_turn(r.e, r.now, 2));
	CU_ASSERT(r.c.records_lost > 0 && r.c.records_lost < CALLS);
	for (uint32_t i = 2; i < 2 + CALLS; i++)
		CU_ASSERT_EQUAL(ecs_session_delete(r.e, i, ECS_END_OPERATOR, r.now), 0);
	lost(&r, CALLS, 100 * CALLS);
	while (ecs_lost_turn(r.e, r.now, 2))
		;
	lost(&r, CALLS, 100 * CALLS);
	end(&r);
}

/* Flows beyond what is kept of a call have one FDR together, over recoveries too. */
static void test_rest(void)
{
	struct rig r;
	struct conn c, d;

	start(&r, ENDS " billing-records fdr edr-format flow\n");
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	for (uint64_t id = 1; r.s->nusages < ECS_FLOW_USAGES_MAX; id++)
		CU_ASSERT_PTR_NOT_NULL(ecs_usage_build(r.e, r.s, 6, ECS_USAGE_CONTENT, id));
	d = udp(&r, 5002, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD); /* its own is there */
	CU_ASSERT_EQUAL(r.c.records_unkept, 0);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, 0, "333"), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.records_unkept, 1);
	ecs_flow_slot(r.e, flow_of(&c), true);
	ecs_flow_over(r.e, flow_of(&d), ECS_FLOW_END_NORMAL, r.now);
	CU_ASSERT_EQUAL(nmade, 1);
	expect(0, ECS_STREAM_EDR, "0,FromMobile,one,31,0");
	d = udp(&r, 5003, 7001);
	CU_ASSERT_EQUAL(say(&d, ECS_UPLINK, 0, "22"), ECS_FORWARD);
	away(&r, false);
	lost(&r, 2, 2 * B(4) + B(2)); /* not what has an EDR */
	nmade = 0;
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(nmade, 2);
	expect(0, ECS_STREAM_FDR, "2,FromMobile,one,64,0");
	expect(1, ECS_STREAM_FDR, "10,Unknown,,61,0");
	CU_ASSERT_EQUAL(made[1].flow_id, ECS_FLOW_REST);
	end(&r);
}

/* `flow-recovery edr`: initiator and volumes of the whole flow; no byte twice. */
static void test_whole(void)
{
	struct rig r;
	struct conn c;

	start(&r, ENDS "#exit\nflow-recovery edr\nrulebase rb\n");
	CU_ASSERT_TRUE(r.s->records & ECS_RECORDS_WHOLE);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	away(&r, true);
	CU_ASSERT_EQUAL(nmade, 0);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "22"), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_session_handoff(r.e, 1, ECS_RAT_UTRAN, r.now), 0);
	expect(0, ECS_STREAM_EDR, "1,FromMobile,one,32,30");
	away(&r, false);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "1"), ECS_FORWARD);
	wait_ms(&r, 301000);
	CU_ASSERT_EQUAL(nmade, 2);
	expect(1, ECS_STREAM_EDR, "4,FromMobile,one,29,0");
	CU_ASSERT_EQUAL(r.c.records_lost, 0);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_FLOW, 2).pkts[0], 0); /* gone with the flow */
	CU_ASSERT_TRUE(r.told[216] >= 2);
	end(&r);
}

#define FDR " billing-records fdr edr-format flow\n"

static void test_fdr(void)
{
	struct rig r;
	struct conn c, d;
	struct ecs_flow *f;
	uint32_t id;

	start(&r, FDR);
	c = udp(&r, 5001, 7001);
	d = udp(&r, 5002, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&d, ECS_DOWNLINK, 0, "xy"), ECS_FORWARD);
	id = flow_of(&d)->id;
	away(&r, false); /* c has a slot; d is gone, its volume is not */
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "22"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nmade, 0);
	wait_ms(&r, 301000);
	CU_ASSERT_EQUAL_FATAL(nmade, 1);
	expect(0, ECS_STREAM_FDR, "4,FromMobile,one,32,30");
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL_FATAL(nmade, 2);
	expect(1, ECS_STREAM_FDR, "10,Unknown,,0,30");
	CU_ASSERT_EQUAL(made[1].flow_id, id);
	end(&r);

	/* its record was made, but not that it is over: only what came since is told */
	for (int more = 0; more < 2; more++) {
		start(&r, FDR);
		c = udp(&r, 5001, 7001);
		CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
		f = flow_of(&c);
		before_callid = 1;
		before_flow = f->id;
		away(&r, false);
		if (more)
			CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "22"), ECS_FORWARD);
		wait_ms(&r, 301000);
		CU_ASSERT_EQUAL(nmade, (unsigned)more);
		if (more)
			expect(0, ECS_STREAM_FDR, "4,FromMobile,one,0,30");
		CU_ASSERT_EQUAL(r.c.records_again, 1);
		end(&r);
	}
}

/* A recovered flow goes on by its rule: it is not hit again, not after an interlude of pending control either;
 * another rule is. */
static void test_hit_before(void)
{
	struct rig r;
	struct conn c;

	start(&r, "#exit\ncharging-action one\n billing-action create-edrs charging-edr flow\n#exit\n"
	          "charging-action any\n billing-action create-edrs charging-edr flow\n#exit\nrulebase rb\n");
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nmade, 1);
	away(&r, false);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, false, r.now), 0);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nmade, 1);
	flow_of(&c)->ref = ecs_ruleref_of_line(r.e->refs, ecs_service_find_line(r.svc,
	                                       ecs_service_find_rulebase(r.svc, "rb"), "any"), r.now);
	flow_of(&c)->back = flow_of(&c)->ref;
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nmade, 2);
	expect(1, ECS_STREAM_EDR, "8,Unknown,any,128,0");
	end(&r);
}

CU_TestInfo ecs_edr_recovered_tests[] = {
	{"recovered flows: direction Unknown, what came since", test_recovered},
	{"EDRs of what was handed over", test_handed_over},
	{"recovered flows: what is in no EDR", test_lost},
	{"what is in no EDR, of calls that end meanwhile", test_lost_walk},
	{"flows beyond what is kept of a call", test_rest},
	{"EDRs of whole flows", test_whole},
	{"one FDR for each flow, across recoveries", test_fdr},
	{"a rule that was hit before a recovery", test_hit_before},
	CU_TEST_INFO_NULL,
};

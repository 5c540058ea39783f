/* Records of flows whose session gets a rulebase with other records, or whose rulebase does. */
#include "config.h"
#include "suites.h"

#include "ecs_edr_kit.h"
#include "ecs/enforce.h"

#define FDR   " billing-records fdr edr-format flow\n"
#define PLAIN "#exit\nrulebase rc\n" LINES
#define WHOLE "#exit\nflow-recovery edr\n"

static void become(struct rig *r, const char *rulebase)
{
	ecs_session_rebase(r->e, r->s, rulebase, r->now);
}

/* The other service: the same but for the end of its rulebase. */
static void commit(struct rig *r, const char *base)
{
	char text[8192];
	struct ecs_service *was = r->svc;

	snprintf(text, sizeof(text), "%s%srulebase rb\n%s%s#exit\n", FORMATS, RULES, LINES, base);
	r->svc = service(text);
	CU_ASSERT_EQUAL_FATAL(ecs_engine_reconfigure(r->e, r->svc, r->now), 0);
	ecs_service_free(was);
}

/* Volumes of flows that the session keeps. */
static unsigned kept(const struct rig *r)
{
	unsigned n = 0;

	for (struct srp_list *l = r->s->usages.next; l != &r->s->usages; l = l->next) {
		const struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);

		n += u->of == ECS_USAGE_FLOW || u->of == ECS_USAGE_RECORDED;
	}
	return n;
}

/* FDRs of what was until then; what comes back begins anew. */
static void test_fdr(void)
{
	for (int by_commit = 0; by_commit < 2; by_commit++) {
		struct rig r;
		struct conn c, d;
		unsigned told;

		start(&r, by_commit ? FDR : FDR PLAIN);
		c = udp(&r, 5001, 7001);
		d = udp(&r, 5002, 7001);
		CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
		CU_ASSERT_EQUAL(say(&d, ECS_DOWNLINK, 0, "22"), ECS_FORWARD);
		CU_ASSERT_EQUAL(kept(&r), 2);
		told = r.told[216];
		if (by_commit)
			commit(&r, "");
		else
			become(&r, "rc");
		CU_ASSERT_EQUAL_FATAL(nmade, 2);
		expect(0, ECS_STREAM_FDR, "2,FromMobile,one,32,0");
		expect(1, ECS_STREAM_FDR, "2,ToMobile,one,0,30");
		CU_ASSERT_FALSE(made[0].last); /* the flow goes on */
		CU_ASSERT_EQUAL(kept(&r), 0);
		CU_ASSERT_EQUAL(r.told[216], told + 2);
		CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "1"), ECS_FORWARD);
		ecs_flow_over(r.e, flow_of(&d), ECS_FLOW_END_NORMAL, r.now);
		CU_ASSERT_EQUAL(kept(&r), 0);
		if (by_commit)
			commit(&r, FDR);
		else
			become(&r, "rb");
		CU_ASSERT_EQUAL(nmade, 2);
		CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "333"), ECS_FORWARD);
		ecs_flow_over(r.e, flow_of(&c), ECS_FLOW_END_NORMAL, r.now);
		CU_ASSERT_EQUAL_FATAL(nmade, 3);
		expect(2, ECS_STREAM_FDR, "0,FromMobile,one,31,0");
		CU_ASSERT_TRUE(made[2].last);
		CU_ASSERT_EQUAL(kept(&r), 0);
		CU_ASSERT_EQUAL(r.c.records_lost, 0);
		end(&r);
	}
}

/* Volumes of a flow that was not recovered go with the others, and so does its record. */
static void test_remains(void)
{
	struct rig r;
	struct conn c, d;

	start(&r, FDR PLAIN);
	c = udp(&r, 5001, 7001);
	d = udp(&r, 5002, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(&d, ECS_DOWNLINK, 0, "22"), ECS_FORWARD);
	away(&r, false);
	become(&r, "rc");
	CU_ASSERT_EQUAL_FATAL(nmade, 2);
	expect(0, ECS_STREAM_FDR, "2,FromMobile,one,32,0");
	expect(1, ECS_STREAM_FDR, "10,Unknown,,0,30");
	CU_ASSERT_EQUAL(kept(&r), 0);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(nmade, 2);
	end(&r);
}

/* EDRs as at the end of the session; without such a condition what they would have told of is lost. */
static void test_edr(void)
{
	struct rig r;
	struct conn c;

	start(&r, ENDS PLAIN);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	become(&r, "rc");
	CU_ASSERT_EQUAL_FATAL(nmade, 1);
	expect(0, ECS_STREAM_EDR, "2,FromMobile,one,32,0");
	CU_ASSERT_EQUAL(r.c.records_lost, 0);
	become(&r, "rb");
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "1"), ECS_FORWARD);
	ecs_flow_over(r.e, flow_of(&c), ECS_FLOW_END_NORMAL, r.now);
	CU_ASSERT_EQUAL_FATAL(nmade, 2);
	expect(1, ECS_STREAM_EDR, "0,FromMobile,one,29,0");
	end(&r);

	start(&r, " flow end-condition timeout charging-edr flow\n" PLAIN);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	become(&r, "rc");
	become(&r, "rb");
	become(&r, "rc"); /* counted once */
	CU_ASSERT_EQUAL(nmade, 0);
	CU_ASSERT_EQUAL(r.c.records_lost, 1);
	CU_ASSERT_EQUAL(r.c.records_lost_bytes, B(4));
	end(&r);
}

/* EDRs of whole flows, and of what came since the last one: neither loses what the other has counted. */
static void test_whole(void)
{
	struct rig r;
	struct conn c;

	start(&r, ENDS WHOLE);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	away(&r, false);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "1"), ECS_FORWARD);
	commit(&r, ENDS);
	CU_ASSERT_EQUAL_FATAL(nmade, 1);
	expect(0, ECS_STREAM_EDR, "2,FromMobile,one,61,0");
	CU_ASSERT_EQUAL(kept(&r), 0);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "22"), ECS_FORWARD);
	commit(&r, ENDS WHOLE);
	CU_ASSERT_EQUAL_FATAL(nmade, 2);
	expect(1, ECS_STREAM_EDR, "2,Unknown,one,30,0");
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "333"), ECS_FORWARD);
	ecs_flow_over(r.e, flow_of(&c), ECS_FLOW_END_NORMAL, r.now);
	CU_ASSERT_EQUAL_FATAL(nmade, 3);
	expect(2, ECS_STREAM_EDR, "0,FromMobile,one,31,0");
	CU_ASSERT_EQUAL(r.c.records_lost, 0);
	end(&r);
}

/* A commit that leaves the records as they are makes none, and neither does who has not the role. */
static void test_none(void)
{
	struct rig r;
	struct conn c;

	start(&r, FDR);
	c = udp(&r, 5001, 7001);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "four"), ECS_FORWARD);
	commit(&r, FDR ENDS);
	CU_ASSERT_EQUAL(nmade, 0);
	CU_ASSERT_EQUAL(kept(&r), 1);
	ecs_engine_active(r.e, false, r.now);
	commit(&r, "");
	CU_ASSERT_EQUAL(nmade, 0);
	end(&r);
}

CU_TestInfo ecs_edr_rebase_tests[] = {
	{"a rulebase without FDRs, and back", test_fdr},
	{"what is left of flows that were not recovered", test_remains},
	{"a rulebase without EDRs, and back", test_edr},
	{"EDRs of whole flows, and of parts", test_whole},
	{"where no records are made", test_none},
	CU_TEST_INFO_NULL,
};

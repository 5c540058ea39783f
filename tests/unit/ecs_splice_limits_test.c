/* Bounds of url-readdress: what is kept back, how many connections are watched, and whose. */
#include "config.h"
#include "suites.h"

#include "ecs_splice_rig.h"

static void test_bounds(void)
{
	struct rig r;
	struct link l;
	uint32_t at = (uint32_t)strlen(SHOP);

	start_splicing(&r);
	l = link_of(&r, 2000);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	for (unsigned i = 1; i < ECS_SPLICE_PACKETS; i++, at++)
		CU_ASSERT_EQUAL(ask(&l, at, "b"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.url_readdress_full, 0);
	CU_ASSERT_EQUAL(ask(&l, at, "b"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.url_readdress_full, 1);
	CU_ASSERT_EQUAL(agree(&l), ECS_DROP);
	CU_ASSERT_EQUAL(world.nreleased, ECS_SPLICE_PACKETS);
	for (unsigned i = 0; i < world.nreleased; i++)
		CU_ASSERT_TRUE(goes_to(&world.released[i], OTHER, 9001));
	/* of a call: what is beyond goes to the server that was named */
	r.s->splice_bytes = ECS_SPLICE_CALL_BYTES - 10;
	l = link_of(&r, 2001);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.url_readdress_full, 2);
	r.s->splice_bytes = 0;
	r.e->splice_bytes = ECS_SPLICE_BYTES - 10; /* and of all */
	l = link_of(&r, 2002);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.url_readdress_full, 3);
	r.e->splice_bytes = 0;
	CU_ASSERT_EQUAL(world.nmade, 0);
	CU_ASSERT_EQUAL(r.e->aliases.count, 1);
	end(&r);
}

/* Connections that have said nothing are so many, and not more: they leave room for others. */
static void test_watched(void)
{
	struct link l[4];
	struct rig r;

	start_splicing(&r);
	for (uint16_t i = 0; i < 4; i++)
		l[i] = link_of(&r, (uint16_t)(2000 + i));
	greet(&l[0]);
	CU_ASSERT_EQUAL(r.e->nwatched, 1);
	r.e->nwatched = ECS_SPLICE_WATCHED_MAX - 1;
	greet(&l[1]); /* the last one */
	CU_ASSERT_PTR_NOT_NULL(splice_of(&l[1]));
	CU_ASSERT_EQUAL(r.c.url_readdress_unwatched, 0);
	greet(&l[2]);
	CU_ASSERT_PTR_NULL(splice_of(&l[2]));
	CU_ASSERT_EQUAL(r.c.url_readdress_unwatched, 1);
	CU_ASSERT_EQUAL(r.c.flow_mores_refused, 0);
	CU_ASSERT_EQUAL(r.e->nmores, 2);
	CU_ASSERT_EQUAL(ask(&l[2], 0, SHOP), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.url_readdress_missed, 1);
	CU_ASSERT_EQUAL(ask(&l[1], 0, "GET /a HT"), ECS_DROP); /* this says something */
	CU_ASSERT_EQUAL(r.e->nwatched, ECS_SPLICE_WATCHED_MAX - 1);
	greet(&l[3]);
	CU_ASSERT_EQUAL(r.e->nwatched, ECS_SPLICE_WATCHED_MAX);
	CU_ASSERT_EQUAL(ask(&l[0], 0, SHOP), ECS_DROP);
	CU_ASSERT_EQUAL(r.e->nwatched, ECS_SPLICE_WATCHED_MAX - 1);
	CU_ASSERT_EQUAL(say_as(&l[3], SUB, seg_of(RST, SUB_ISN + 1, 0, NULL)), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.e->nwatched, ECS_SPLICE_WATCHED_MAX - 2);
	r.e->nmores = ECS_FLOW_MORES_MAX; /* and none where there is no room at all */
	l[2] = link_of(&r, 2010);
	greet(&l[2]);
	CU_ASSERT_EQUAL(r.c.url_readdress_unwatched, 2);
	CU_ASSERT_EQUAL(r.e->nwatched, ECS_SPLICE_WATCHED_MAX - 2);
	r.e->nmores = 2;
	r.e->nwatched = 0;
	l[3] = link_of(&r, 2011);
	greet(&l[3]);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(r.e->nwatched, 0);
	CU_ASSERT_EQUAL(r.e->nmores, 0);
	end(&r);
}

/* Only sessions whose rulebase can ask for it are watched. */
static size_t watched(const char *lines, const char *then)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	char text[4096];
	struct link l;
	struct rig r;
	size_t n;

	snprintf(text, sizeof(text),
	         "ruledef shop\n http host = shop.test\n#exit\nruledef any\n ip any-match = TRUE\n#exit\n"
	         "ruledef posted\n rule-application post-processing\n http host = shop.test\n#exit\n"
	         "group-of-ruledefs all\n add-ruledef priority 1 ruledef shop\n#exit\n"
	         "charging-action count\n content-id 1\n#exit\n"
	         "charging-action moved\n flow action url-readdress server " OTHER " port 9001\n#exit\n"
	         "rulebase other\n action priority 1 ruledef shop charging-action moved\n#exit\n"
	         "rulebase rb\n action priority 9 ruledef any charging-action count\n%s#exit\n", lines);
	setup(&r, text, 0);
	r.e->conf.ops = &splice_ops;
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	memset(&world, 0, sizeof(world));
	if (then)
		ecs_session_rebase(r.e, r.s, then, r.now);
	l = link_of(&r, 2000);
	greet(&l);
	n = r.e->nwatched;
	CU_ASSERT_EQUAL(r.e->nmores, n);
	end(&r);
	return n;
}

static void test_whom(void)
{
	static const char line[] = " action priority 1 ruledef shop charging-action moved\n";

	CU_ASSERT_EQUAL(watched("", NULL), 0);
	CU_ASSERT_EQUAL(watched("", "other"), 1);
	CU_ASSERT_EQUAL(watched(line, NULL), 1);
	CU_ASSERT_EQUAL(watched(line, "nowhere"), 0);
	CU_ASSERT_EQUAL(watched(" action priority 1 group-of-ruledefs all charging-action moved\n", NULL), 1);
	CU_ASSERT_EQUAL(watched(" action priority 1 dynamic-only ruledef shop charging-action moved\n", NULL), 1);
	CU_ASSERT_EQUAL(watched(" action priority 1 ruledef gone charging-action moved\n", NULL), 0);
	CU_ASSERT_EQUAL(watched(" action priority 1 ruledef shop charging-action gone\n", NULL), 0);
	/* of these the action does nothing */
	CU_ASSERT_EQUAL(watched(" post-processing priority 1 ruledef posted charging-action moved\n", NULL), 0);
}

CU_TestInfo ecs_splice_limits_tests[] = {
	{"bounds", test_bounds},
	{"so many are watched", test_watched},
	{"who is watched", test_whom},
	CU_TEST_INFO_NULL,
};

/* Triggers of a service-scheme that activate predefined rules. */
#include "config.h"
#include "suites.h"

#include "ecs/dynamic.h"
#include "ecs_rig.h"

#define SPECIAL                                                                                    \
	"ruledef special\n udp either-port = 4444\n#exit\nruledef other\n udp either-port = 5555\n#exit\n" \
	"rulebase rb\n action priority 5 dynamic-only ruledef special charging-action ca-any\n"      \
	" action priority 6 dynamic-only ruledef other charging-action ca-any\n#exit\n"              \
	"trigger-condition all\n any-match = TRUE\n#exit\n"                                         \
	"trigger-condition never\n any-match != TRUE\n rule-name = special\n#exit\n"                \
	"trigger-action act\n activate-predef-rule special\n#exit\n"                                \
	"trigger-action act2\n activate-predef-rule other\n#exit\n"                                 \
	"trigger-action idle\n#exit\ntrigger-action lost\n activate-predef-rule late\n#exit\n"
#define AT(trigger, lines) "service-scheme ss\n trigger " trigger "\n" lines " #exit\n#exit\n"

static void begin_with(struct rig *r, const char *more)
{
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	char text[12000];

	snprintf(text, sizeof(text), "%s%s%s", rules, SPECIAL, more);
	setup(r, text, 0);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

static const char *udp_rule(struct rig *r, uint16_t port)
{
	struct conn u = {.r = r, .proto = 17, .sport = 4000, .dport = port};

	say(&u, ECS_UPLINK, 0, "x");
	return rule_of(&u);
}

static void at_setup(void)
{
	struct rig r;

	begin_with(&r, AT("sess-setup", "  priority 1 trigger-condition all trigger-action act\n"));
	CU_ASSERT_PTR_NOT_NULL(ecs_dyn_find(r.s, "special"));
	CU_ASSERT_EQUAL(r.changed[ecs_kind_dynrule.id], 1); /* as one from outside: it is recovered */
	CU_ASSERT_EQUAL(r.c.triggers_activated, 1);
	CU_ASSERT_STRING_EQUAL(udp_rule(&r, 4444), "special");
	CU_ASSERT_STRING_EQUAL(udp_rule(&r, 5555), "udp-any");
	CU_ASSERT_EQUAL(ecs_rule_remove(r.e, 1, "special", r.now), 0);
	CU_ASSERT_STRING_EQUAL(udp_rule(&r, 4444), "udp-any");
	end(&r);
}

static void at_bearers(void)
{
	const struct ecs_bearer_spec b = {.id = 6, .qos = {.qci = 1}};
	struct rig r;

	begin_with(&r, AT("bearer-creation", "  priority 1 trigger-condition all trigger-action act\n"));
	CU_ASSERT_PTR_NULL(ecs_dyn_find(r.s, "special"));
	CU_ASSERT_STRING_EQUAL(udp_rule(&r, 4444), "udp-any");
	CU_ASSERT_EQUAL(ecs_bearer_make(r.e, 1, &b, r.now), 0);
	CU_ASSERT_PTR_NOT_NULL(ecs_dyn_find(r.s, "special"));
	CU_ASSERT_STRING_EQUAL(udp_rule(&r, 4444), "special");
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 7, 1, 0, r.now), 0); /* it has it */
	CU_ASSERT_EQUAL(r.c.triggers_activated, 1);
	CU_ASSERT_EQUAL(r.c.triggers_failed, 0);
	end(&r);
}

static void which_holds(void)
{
	static const struct {
		const char *more, *rule;
		unsigned failed;
	} rows[] = {
		{"", NULL, 0},
		{AT("sess-setup", ""), NULL, 0},
		/* the first that holds */
		{AT("sess-setup", "  priority 1 trigger-condition never trigger-action act\n"
		                  "  priority 2 trigger-condition all trigger-action act2\n"
		                  "  priority 3 trigger-condition all trigger-action act\n"), "other", 0},
		{AT("sess-setup", "  priority 3 trigger-condition all trigger-action act\n"
		                  "  priority 2 trigger-condition all trigger-action idle\n"), NULL, 0},
		/* what is not there */
		{AT("sess-setup", "  priority 1 trigger-condition nobody trigger-action act\n"
		                  "  priority 2 trigger-condition all trigger-action nobody\n"
		                  "  priority 3 trigger-condition all trigger-action act\n"), "special", 0},
		/* a line that needs no activation */
		{AT("sess-setup", "  priority 1 trigger-condition all trigger-action lost\n"), NULL, 1},
		/* triggers that do not act */
		{AT("loc-update", "  priority 1 trigger-condition all trigger-action act\n"), NULL, 0},
		{AT("flow-create", "  priority 9 trigger-condition all trigger-action act\n"), NULL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig r;

		begin_with(&r, rows[i].more);
		CU_ASSERT_EQUAL(r.s->ndynrules, rows[i].rule != NULL);
		CU_ASSERT_EQUAL(r.c.triggers_failed, rows[i].failed);
		if (rows[i].rule)
			CU_ASSERT_PTR_NOT_NULL(ecs_dyn_find(r.s, rows[i].rule));
		end(&r);
	}
}

CU_TestInfo ecs_trigger_tests[] = {
	{"at the setup of a call", at_setup},
	{"when a bearer is made", at_bearers},
	{"which holds", which_holds},
	CU_TEST_INFO_NULL,
};

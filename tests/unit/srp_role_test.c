#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/role.h"

/* The table of the design, column by column: forwards, owns timers, accepts, final flush only,
 * sends, answers refill, SR replica, new sessions, announces. */
static const char *const want[SRP_ROLE__N] = {
	[SRP_ROLE_INIT]            = "---------",
	[SRP_ROLE_STANDBY]         = "--a--r---",
	[SRP_ROLE_PENDING_ACTIVE]  = "--af-r---",
	[SRP_ROLE_ACTIVE]          = "Ft--sr+na",
	[SRP_ROLE_PENDING_STANDBY] = "Ft--sr+-a",
};

static void test_permits(void)
{
	for (int r = 0; r < SRP_ROLE__N; r++) {
		const struct srp_role_permit *p = &srp_role_permit[r];
		const bool is[] = {p->forwards, p->owns_timers, p->accepts, p->final_flush_only,
			p->sends, p->answers_refill, p->sr_replica, p->new_sessions, p->announces};

		for (size_t i = 0; i < sizeof(is); i++)
			CU_ASSERT_EQUAL(is[i], want[r][i] != '-');
	}
}

/* Scripts read one word of letters behind "Chassis State:". */
static void test_names(void)
{
	static const char *const name[] = {"Init", "Standby", "PendingActive", "Active",
		"PendingStandby"};

	for (int r = 0; r < SRP_ROLE__N; r++) {
		CU_ASSERT_STRING_EQUAL(srp_role_name((enum srp_role)r), name[r]);
		CU_ASSERT_EQUAL(strspn(name[r], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
			strlen(name[r]));
	}
	CU_ASSERT_STRING_EQUAL(srp_role_name(SRP_ROLE__N), "unknown");
}

CU_TestInfo srp_role_tests[] = {
	{"what each role may do", test_permits},
	{"names are single words", test_names},
	CU_TEST_INFO_NULL,
};

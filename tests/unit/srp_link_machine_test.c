#include "config.h"
#include "suites.h"

#include "srp/err.h"
#include "srp/link_machine.h"

/* Every cell: a declared edge is taken, any other is refused, counted, and changes nothing. */
static void test_every_cell(void)
{
	for (int s = 0; s < SRP_CONN__N; s++)
		for (int e = 0; e <= SRP_CONN_EV__N; e++) {
			struct srp_counters c = {0};
			struct srp_conn_machine m = {(enum srp_conn_state)s, &c};
			enum srp_conn_state next = m.state;
			enum srp_conn_action act = SRP_CONN_ACT__N;
			bool allowed = e < SRP_CONN_EV__N &&
			               srp_conn_permits(m.state, (enum srp_conn_event)e, &next);

			CU_ASSERT_EQUAL(srp_conn_step(&m, (enum srp_conn_event)e, &act),
				allowed ? 0 : SRP_ESTATE);
			CU_ASSERT_EQUAL(m.state, next);
			CU_ASSERT_EQUAL(act == SRP_CONN_ACT__N, !allowed);
			CU_ASSERT_EQUAL(c.conn_refused, allowed ? 0u : 1u);
			CU_ASSERT_EQUAL(c.conn_transitions, m.state != (enum srp_conn_state)s);
		}
}

/* Which events each state takes, one letter each in the order of SRP_CONN_EVENTS; the letter is the
 * next state. Changed on purpose only. */
static void test_shape(void)
{
	static const char *const want[SRP_CONN__N] = {
		/*                    START STOP CONNECTED CLOSED TIMEOUT SILENT RX_HELLO HELLO_BAD
		 *                    LEVEL BEHIND RX_MESSAGE RX_BYE RX_ERROR PROTOCOL */
		[SRP_CONN_DOWN]    = "C.............",
		[SRP_CONN_CONNECT] = ".DHCC.........",
		[SRP_CONN_HELLO]   = ".DHCC.SC...CCC",
		[SRP_CONN_SYNC]    = ".DHC.CSCRSSCCC",
		[SRP_CONN_READY]   = ".DHC.CRCRSRCCC",
	};
	static const char letter[SRP_CONN__N] = {'D', 'C', 'H', 'S', 'R'};

	for (int s = 0; s < SRP_CONN__N; s++)
		for (int e = 0; e < SRP_CONN_EV__N; e++) {
			enum srp_conn_state n;
			bool ok = srp_conn_permits((enum srp_conn_state)s, (enum srp_conn_event)e, &n);

			CU_ASSERT_EQUAL(ok ? letter[n] : '.', want[s][e]);
		}
}

static void test_reachable_and_stoppable(void)
{
	bool seen[SRP_CONN__N] = {[SRP_CONN_DOWN] = true};

	for (int round = 0; round < SRP_CONN__N; round++)
		for (int s = 0; s < SRP_CONN__N; s++)
			for (int e = 0; seen[s] && e < SRP_CONN_EV__N; e++) {
				enum srp_conn_state n;

				if (srp_conn_permits((enum srp_conn_state)s, (enum srp_conn_event)e, &n))
					seen[n] = true;
			}
	for (int s = 0; s < SRP_CONN__N; s++) {
		enum srp_conn_state n = SRP_CONN__N;

		CU_ASSERT_TRUE(seen[s]);
		if (s != SRP_CONN_DOWN)
			CU_ASSERT_TRUE(srp_conn_permits((enum srp_conn_state)s, SRP_CONN_EV_STOP, &n));
		CU_ASSERT_TRUE(s == SRP_CONN_DOWN || n == SRP_CONN_DOWN);
		if (srp_conn_state_timer((enum srp_conn_state)s) != SRP_CONN_TIMER_NONE)
			CU_ASSERT_TRUE(srp_conn_permits((enum srp_conn_state)s, SRP_CONN_EV_TIMEOUT, &n));
	}
}

struct move {
	enum srp_conn_event ev;
	enum srp_conn_state to;
	enum srp_conn_action act;
};

#define M(ev, to, act) {SRP_CONN_EV_##ev, SRP_CONN_##to, SRP_CONN_ACT_##act}

static void test_a_life(void)
{
	static const struct move life[] = {
		M(START, CONNECT, OPEN), M(CLOSED, CONNECT, NONE), M(TIMEOUT, CONNECT, OPEN),
		M(CONNECTED, HELLO, HELLO), M(RX_HELLO, SYNC, UP), M(BEHIND, SYNC, NONE),
		M(LEVEL, READY, ALL_READY), M(RX_HELLO, READY, PROCESS), M(RX_MESSAGE, READY, DELIVER),
		M(BEHIND, SYNC, NOT_READY), M(RX_MESSAGE, SYNC, DELIVER),
		/* a newer connection replaces the older, and is greeted anew */
		M(CONNECTED, HELLO, REPLACE), M(HELLO_BAD, CONNECT, REFUSE),
		M(CONNECTED, HELLO, HELLO), M(TIMEOUT, CONNECT, CLOSE),
		M(CONNECTED, HELLO, HELLO), M(RX_HELLO, SYNC, UP), M(SILENT, CONNECT, LOST),
		M(CONNECTED, HELLO, HELLO), M(RX_HELLO, SYNC, UP), M(RX_ERROR, CONNECT, NOTE),
		M(CONNECTED, HELLO, HELLO), M(RX_HELLO, SYNC, UP), M(RX_BYE, CONNECT, LEAVING),
		M(CONNECTED, HELLO, HELLO), M(RX_HELLO, SYNC, UP), M(LEVEL, READY, ALL_READY),
		M(PROTOCOL, CONNECT, REFUSE), M(STOP, DOWN, CLOSE),
	};
	struct srp_counters c = {0};
	struct srp_conn_machine m = {SRP_CONN_DOWN, &c};

	for (size_t i = 0; i < sizeof(life) / sizeof(life[0]); i++) {
		enum srp_conn_action act;

		CU_ASSERT_EQUAL_FATAL(srp_conn_step(&m, life[i].ev, &act), 0);
		CU_ASSERT_EQUAL(m.state, life[i].to);
		CU_ASSERT_EQUAL(act, life[i].act);
	}
	CU_ASSERT_EQUAL(c.conn_up, 5);
	CU_ASSERT_EQUAL(c.conn_down, 5);
}

static void test_names(void)
{
	CU_ASSERT_STRING_EQUAL(srp_conn_state_name(SRP_CONN_SYNC), "Connected");
	CU_ASSERT_STRING_EQUAL(srp_conn_state_name(SRP_CONN__N), "unknown");
	CU_ASSERT_STRING_EQUAL(srp_conn_event_name(SRP_CONN_EV_RX_BYE), "RX_BYE");
	CU_ASSERT_STRING_EQUAL(srp_conn_event_name(SRP_CONN_EV__N), "unknown");
	CU_ASSERT_STRING_EQUAL(srp_conn_action_name(SRP_CONN_ACT_LOST), "LOST");
	CU_ASSERT_STRING_EQUAL(srp_conn_action_name(SRP_CONN_ACT__N), "unknown");
}

CU_TestInfo srp_link_machine_tests[] = {
	{"every cell", test_every_cell},
	{"the shape of the table", test_shape},
	{"every state is reachable and can be stopped", test_reachable_and_stoppable},
	{"a life", test_a_life},
	{"names", test_names},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/err.h"
#include "srp/role_machine.h"

#define EV(e)  SRP_ROLE_EV_##e
#define PH(p)  SRP_PHASE_##p
#define ACT(a) SRP_ROLE_ACT_##a
#define WHY(r) SRP_SWITCH_##r

static const struct srp_role_step untouched = {.reason = WHY(EGQC), .act = SRP_ROLE_ACT__N};

/* Every cell: a declared edge is taken, any other is refused, counted, and changes nothing. */
static void test_every_cell(void)
{
	for (int p = 0; p < SRP_PHASE__N; p++)
		for (int e = 0; e <= SRP_ROLE_EV__N; e++) {
			struct srp_counters c = {0};
			struct srp_role_machine m = {(enum srp_phase)p, WHY(MANUAL), 7, &c};
			enum srp_phase next = m.phase;
			struct srp_role_step s = untouched;
			bool allowed = e < SRP_ROLE_EV__N &&
			               srp_role_permits(m.phase, (enum srp_role_event)e, &next);

			CU_ASSERT_EQUAL(srp_role_step(&m, (enum srp_role_event)e, WHY(FORCED), &s),
				allowed ? 0 : SRP_ESTATE);
			CU_ASSERT_EQUAL(m.phase, next);
			CU_ASSERT_EQUAL(c.role_refused, allowed ? 0u : 1u);
			CU_ASSERT_EQUAL(c.role_transitions, m.phase != (enum srp_phase)p);
			CU_ASSERT_EQUAL(s.act == SRP_ROLE_ACT__N, !allowed);
			if (!allowed)
				continue;
			CU_ASSERT_TRUE(s.from == (enum srp_phase)p && s.to == next);
			CU_ASSERT_TRUE(s.act < SRP_ROLE_ACT__N && s.reason < SRP_SWITCH__N);
			CU_ASSERT_TRUE(s.switched || s.reason == WHY(NOT_DEFINED));
		}
}

/* The next phase for every event, in the order of SRP_ROLE_EVENTS. Changed on purpose only: a lost
 * edge shows here. D down, L listen, P probe, S standby, T takeover, R prepared, A active, K asked,
 * F flushing, Z frozen, H handed. */
static void test_shape(void)
{
	static const char letter[] = "DLPSTRAKFZH";
	static const char *const want[SRP_PHASE__N] = {
		/* START STOP ALONE FREE TAKEN | PEER_ ACTIVE LEAVING HANDED TAKING STANDBY INIT |
		 * ELECTED YIELD EMPTY GAVE_UP | DUAL WIN LOSE BEHIND | DEAD GONE BYE LINK_DOWN |
		 * SWITCH PREPARE READY REFUSED LEVEL FLUSHED FAILED HANDOVER TAKEN ABORT |
		 * TAKEN_OVER TIMEOUT GIVE_UP STALE */
		[PH(DOWN)]     = "L...." "......" "...." "..." "...." ".........." "....",
		[PH(LISTEN)]   = ".DP.." "SSSS.." "TS.." "..." ".LLL" ".........." "..LL",
		[PH(PROBE)]    = ".D.AL" "SSSS.." "TS.." "..." ".PPP" ".........." ".LLL",
		[PH(STANDBY)]  = ".D..." "SSSS.." "TSTT" "..." "TTTS" ".R......SS" "..SS",
		[PH(TAKEOVER)] = ".D..." "SST.TT" "TS.." "..." "TTTT" ".......A.S" "AASS",
		[PH(PREPARED)] = ".D..." "SRR.TT" "TS.." "..." "TTTR" ".R.....A.S" ".SSS",
		[PH(ACTIVE)]   = ".D..." "..AAAA" "...." "ASA" "AAAA" "K.AA...A.A" "..SS",
		[PH(ASKED)]    = ".D..." "..KKKA" "...." "AS." "AAAA" "..FA.....A" ".ASS",
		[PH(FLUSHING)] = ".D..." "..AFAA" "...." "AS." "AAAA" "....Z.A..A" ".ASS",
		[PH(FROZEN)]   = ".D..." "..AZAA" "...." "AS." "AAAA" ".....HA..A" ".ASS",
		[PH(HANDED)]   = ".D..." "SS.HTT" "TS.." "..." "TTTH" "........ST" ".THS",
	};

	for (int p = 0; p < SRP_PHASE__N; p++) {
		CU_ASSERT_EQUAL_FATAL(strlen(want[p]), SRP_ROLE_EV__N);
		for (int e = 0; e < SRP_ROLE_EV__N; e++) {
			enum srp_phase n;
			bool ok = srp_role_permits((enum srp_phase)p, (enum srp_role_event)e, &n);

			CU_ASSERT_EQUAL(ok ? letter[n] : '.', want[p][e]);
		}
	}
}

static bool owner(enum srp_phase p) { return p >= PH(ACTIVE) && p <= PH(FROZEN); }

/* Rules that hold for whole classes of edges. */
static void check_edge(enum srp_phase from, enum srp_role_event ev, const struct srp_role_step *s)
{
	bool ends = owner(from) && !owner(s->to);

	/* who stops owning the traffic says so, gives a reason, and does it as its action */
	if (ends && s->to != PH(HANDED)) {
		CU_ASSERT_TRUE(s->switched);
		CU_ASSERT_TRUE(s->act == ACT(STEP_DOWN) || s->act == ACT(LEAVE));
	}
	if (s->to == PH(HANDED) && from != PH(HANDED))
		CU_ASSERT_TRUE(from == PH(FROZEN) && ev == EV(FLUSHED) && s->act == ACT(HAND_OVER));
	/* nobody becomes active without a term of its own */
	if (s->to == PH(ACTIVE) && !owner(from))
		CU_ASSERT_TRUE(s->act == ACT(ASSUME) || s->act == ACT(ASSUME_TAKEN) ||
			(s->act == ACT(ACTIVATE) && from == PH(TAKEOVER)));
	if (s->to == PH(TAKEOVER) && from != PH(TAKEOVER))
		CU_ASSERT_TRUE(s->act == ACT(TAKE) && s->switched);
	/* a frozen or flushing side never just goes on: it thaws, telling the peer if it can */
	if (from >= PH(ASKED) && from <= PH(FROZEN) && s->to == PH(ACTIVE))
		CU_ASSERT_TRUE(s->act == ACT(THAW) || s->act == ACT(ABORT));
	if (ev == EV(LINK_DOWN) || ev == EV(PEER_GONE) || ev == EV(PEER_DEAD))
		CU_ASSERT_TRUE(s->act != ACT(ABORT) && s->act != ACT(CANCEL_TELL)); /* nobody to tell */
	/* after the handover there is no thaw */
	if (from == PH(HANDED))
		CU_ASSERT_TRUE(!owner(s->to) && s->act != ACT(THAW) && s->act != ACT(ABORT));
	if (ev == EV(STALE))
		CU_ASSERT_TRUE(!owner(s->to) && s->to != PH(TAKEOVER) && s->to != PH(PREPARED));
	if (s->to == PH(STANDBY) && from != PH(STANDBY))
		CU_ASSERT_TRUE(s->act != ACT(NONE));
}

static void test_rules(void)
{
	for (int p = 0; p < SRP_PHASE__N; p++)
		for (int e = 0; e < SRP_ROLE_EV__N; e++) {
			struct srp_counters c = {0};
			struct srp_role_machine m = {(enum srp_phase)p, WHY(MANUAL), 7, &c};
			struct srp_role_step s;

			if (srp_role_step(&m, (enum srp_role_event)e, WHY(FORCED), &s) == 0)
				check_edge((enum srp_phase)p, (enum srp_role_event)e, &s);
		}
}

static void test_reachable_leavable_bounded(void)
{
	bool seen[SRP_PHASE__N] = {[PH(DOWN)] = true};

	for (int round = 0; round < SRP_PHASE__N; round++)
		for (int p = 0; p < SRP_PHASE__N; p++)
			for (int e = 0; seen[p] && e < SRP_ROLE_EV__N; e++) {
				enum srp_phase n;

				if (srp_role_permits((enum srp_phase)p, (enum srp_role_event)e, &n))
					seen[n] = true;
			}
	for (int p = 0; p < SRP_PHASE__N; p++) {
		enum srp_phase ph = (enum srp_phase)p, n = PH(DOWN);
		enum srp_role_timer t = srp_phase_timer(ph, NULL);

		CU_ASSERT_TRUE(seen[p]);
		CU_ASSERT_TRUE(p == PH(DOWN) || srp_role_permits(ph, EV(STOP), &n));
		CU_ASSERT_EQUAL(n, PH(DOWN));
		/* every phase that waits for somebody is left by its timer: nothing ever hangs */
		CU_ASSERT_TRUE(t != SRP_TIMER_START || srp_role_permits(ph, EV(ALONE), &n));
		CU_ASSERT_TRUE(t != SRP_TIMER_DEAD || srp_role_permits(ph, EV(PEER_DEAD), &n));
		CU_ASSERT_TRUE(t == SRP_TIMER_START || t == SRP_TIMER_DEAD || t == SRP_TIMER_NONE ||
			(srp_role_permits(ph, EV(TIMEOUT), &n) && n != ph));
		CU_ASSERT_EQUAL(t == SRP_TIMER_NONE, p == PH(DOWN));
	}
}

/* Whatever a peer says in a hello, in whatever phase we are: the table has an edge for it. */
static void test_every_hello_is_taken(void)
{
	for (unsigned i = 0; i < SRP_ROLE__N * 2 * 2 * 2 * 2 * 2 * 2; i++) {
		unsigned n = i / SRP_ROLE__N;
		struct srp_candidate peer = {.role = (enum srp_role)(i % SRP_ROLE__N), .handed = n & 1,
			.unfit = n & 2, .complete = n & 4 ? 2 : 0, .priority = n & 8 ? 1 : 200,
			.term = 4, .bit = 1};

		for (int p = PH(LISTEN); p < SRP_PHASE__N; p++) {
			struct srp_candidate me = {.role = srp_phase_role((enum srp_phase)p),
				.handed = p == PH(HANDED), .complete = n & 16 ? 1 : 0,
				.unfit = n & 32, .priority = 100, .term = 6};

			for (uint32_t seen = 2; seen <= 4; seen++)
				CU_ASSERT_TRUE(srp_role_permits((enum srp_phase)p,
					srp_role_hello_event((enum srp_phase)p, &me, &peer, seen), NULL));
		}
	}
}

struct move {
	enum srp_role_event ev;
	enum srp_phase to;
	enum srp_role_action act;
	bool switched;
	enum srp_switch_reason reason;
};
#define M(ev, to, act)       {EV(ev), PH(to), ACT(act), false, WHY(NOT_DEFINED)}
#define W(ev, to, act, why)  {EV(ev), PH(to), ACT(act), true, WHY(why)}

static struct srp_counters ctr;

static void play(enum srp_phase from, const struct move *mv, size_t n)
{
	struct srp_role_machine m = {from, WHY(NOT_DEFINED), 7, &ctr};

	memset(&ctr, 0, sizeof(ctr));
	for (size_t i = 0; i < n; i++) {
		struct srp_role_step s;

		CU_ASSERT_EQUAL_FATAL(srp_role_step(&m, mv[i].ev, WHY(MANUAL), &s), 0);
		CU_ASSERT_EQUAL(s.to, mv[i].to);
		CU_ASSERT_EQUAL(s.act, mv[i].act);
		CU_ASSERT_EQUAL(s.switched, mv[i].switched);
		CU_ASSERT_EQUAL(s.reason, mv[i].reason);
	}
	CU_ASSERT_EQUAL(ctr.role_refused, 0);
}
#define PLAY(from, ...) \
	do { \
		static const struct move mv[] = {__VA_ARGS__}; \
		play(PH(from), mv, sizeof(mv) / sizeof(mv[0])); \
	} while (0)

static void test_start(void)
{
	/* alone: nobody heard, nobody answers for the address */
	PLAY(DOWN, M(START, LISTEN, LISTEN), M(ALONE, PROBE, PROBE), W(PROBE_FREE, ACTIVE, ASSUME, START),
		M(PEER_INIT, ACTIVE, NONE), W(STOP, DOWN, LEAVE, SHUTDOWN));
	CU_ASSERT_EQUAL(ctr.switch_unplanned + ctr.switch_planned, 0);
	/* somebody answers: wait, ask again; nobody tells: wait */
	PLAY(DOWN, M(START, LISTEN, LISTEN), M(ALONE, PROBE, PROBE), M(PROBE_TAKEN, LISTEN, LISTEN),
		M(ALONE, PROBE, PROBE), M(TIMEOUT, LISTEN, LISTEN), M(ALONE, PROBE, PROBE),
		M(PEER_ACTIVE, STANDBY, FOLLOW));
	/* both start */
	PLAY(DOWN, M(START, LISTEN, LISTEN), W(ELECTED, TAKEOVER, TAKE, START),
		M(PEER_STANDBY, TAKEOVER, NONE), M(TAKEN_OVER, ACTIVE, ACTIVATE));
	CU_ASSERT_EQUAL(ctr.switch_unplanned, 0);
	PLAY(DOWN, M(START, LISTEN, LISTEN), M(YIELD, STANDBY, FOLLOW), M(PEER_TAKING, STANDBY, NONE),
		M(PEER_ACTIVE, STANDBY, NONE));
	/* no pre-emption: an active peer is followed */
	PLAY(DOWN, M(START, LISTEN, LISTEN), M(PEER_ACTIVE, STANDBY, FOLLOW));
}

static void test_peer_lost(void)
{
	PLAY(STANDBY, W(PEER_DEAD, TAKEOVER, TAKE, DEAD_TIMER), M(TAKEN_OVER, ACTIVE, ACTIVATE));
	CU_ASSERT_EQUAL(ctr.switch_unplanned, 1);
	PLAY(STANDBY, W(PEER_GONE, TAKEOVER, TAKE, PEER_GONE), M(TIMEOUT, ACTIVE, ACTIVATE));
	CU_ASSERT_EQUAL(ctr.switch_unplanned, 1);
	PLAY(STANDBY, W(PEER_BYE, TAKEOVER, TAKE, PEER_SHUTDOWN), M(PEER_GONE, TAKEOVER, NONE),
		M(TAKEN_OVER, ACTIVE, ACTIVATE));
	/* it restarted before the dead timer, empty (R1); it gave its role up */
	PLAY(STANDBY, W(PEER_EMPTY, TAKEOVER, TAKE, PEER_RESTARTED));
	PLAY(STANDBY, W(PEER_GAVE_UP, TAKEOVER, TAKE, PEER_GAVE_UP));
	/* a link that breaks proves nothing; a false alarm ends before anything was announced */
	PLAY(STANDBY, M(LINK_DOWN, STANDBY, NONE), W(PEER_DEAD, TAKEOVER, TAKE, DEAD_TIMER),
		M(PEER_ACTIVE, STANDBY, FOLLOW));
	CU_ASSERT_EQUAL(ctr.switch_unplanned, 0);
	/* own silence is not the peer's */
	PLAY(STANDBY, M(STALE, STANDBY, REARM));
	CU_ASSERT_EQUAL(ctr.stale, 1);
}

static void test_planned(void)
{
	PLAY(ACTIVE, M(SWITCH, ASKED, PREPARE), M(PEER_STANDBY, ASKED, NONE), M(RX_READY, FLUSHING, FLUSH),
		M(PEER_TAKING, FLUSHING, NONE), M(LEVEL, FROZEN, FREEZE), M(FLUSHED, HANDED, HAND_OVER),
		W(RX_TAKEN, STANDBY, RELAY, MANUAL), M(PEER_ACTIVE, STANDBY, NONE));
	CU_ASSERT_TRUE(ctr.switch_attempts == 1 && ctr.switch_planned == 1 && ctr.switch_aborted == 0);
	PLAY(STANDBY, M(RX_PREPARE, PREPARED, SEND_READY), M(PEER_LEAVING, PREPARED, NONE),
		M(PEER_HANDED, PREPARED, NONE), W(RX_HANDOVER, ACTIVE, ASSUME_TAKEN, MANUAL),
		M(PEER_HANDED, ACTIVE, SEND_TAKEN));
	CU_ASSERT_EQUAL(ctr.switch_planned, 1);
	/* TAKEN is lost with the link, the hello says it */
	PLAY(HANDED, M(LINK_DOWN, HANDED, NONE), W(PEER_ACTIVE, STANDBY, RELAY, NOT_DEFINED));
	/* HANDOVER is lost with the link, the hello asks for it */
	PLAY(HANDED, M(LINK_DOWN, HANDED, NONE), M(PEER_TAKING, HANDED, RESEND),
		W(RX_TAKEN, STANDBY, RELAY, NOT_DEFINED));
}

static void test_planned_fails(void)
{
	PLAY(ACTIVE, M(SWITCH, ASKED, PREPARE), M(RX_REFUSED, ACTIVE, THAW),
		M(SWITCH, ASKED, PREPARE), M(TIMEOUT, ACTIVE, ABORT), M(RX_READY, ACTIVE, NONE),
		M(SWITCH, ASKED, PREPARE), M(RX_READY, FLUSHING, FLUSH), M(TIMEOUT, ACTIVE, ABORT),
		M(SWITCH, ASKED, PREPARE), M(RX_READY, FLUSHING, FLUSH), M(LINK_DOWN, ACTIVE, THAW),
		M(SWITCH, ASKED, PREPARE), M(RX_READY, FLUSHING, FLUSH), M(LEVEL, FROZEN, FREEZE),
		M(FLUSH_FAILED, ACTIVE, ABORT), M(RX_ABORT, ACTIVE, NONE),
		M(SWITCH, ASKED, PREPARE), M(RX_READY, FLUSHING, FLUSH), M(LEVEL, FROZEN, FREEZE),
		M(TIMEOUT, ACTIVE, ABORT),
		M(SWITCH, ASKED, PREPARE), M(RX_READY, FLUSHING, FLUSH), M(LEVEL, FROZEN, FREEZE),
		M(PEER_GONE, ACTIVE, THAW));
	CU_ASSERT_TRUE(ctr.switch_attempts == 7 && ctr.switch_aborted == 7 && ctr.switch_planned == 0);
	PLAY(PREPARED, M(RX_ABORT, STANDBY, CANCEL), M(RX_PREPARE, PREPARED, SEND_READY),
		M(TIMEOUT, STANDBY, CANCEL_TELL), M(RX_PREPARE, PREPARED, SEND_READY),
		M(LINK_DOWN, PREPARED, NONE), M(PEER_ACTIVE, STANDBY, CANCEL),
		M(RX_PREPARE, PREPARED, SEND_READY), W(PEER_DEAD, TAKEOVER, TAKE, DEAD_TIMER),
		M(TIMEOUT, ACTIVE, ACTIVATE));
	/* handed over and not taken: the unplanned rules, with a new term */
	PLAY(HANDED, W(TIMEOUT, TAKEOVER, TAKE, UNANSWERED), M(TIMEOUT, ACTIVE, ACTIVATE));
	PLAY(HANDED, W(PEER_STANDBY, TAKEOVER, TAKE, UNANSWERED));
	PLAY(HANDED, W(PEER_INIT, TAKEOVER, TAKE, PEER_RESTARTED));
	PLAY(HANDED, W(PEER_GONE, TAKEOVER, TAKE, PEER_GONE));
	PLAY(HANDED, W(RX_ABORT, TAKEOVER, TAKE, PEER_GAVE_UP));
}

static void test_both(void)
{
	PLAY(ACTIVE, W(DUAL_LOSE, STANDBY, STEP_DOWN, DUAL_ACTIVE), M(PEER_ACTIVE, STANDBY, NONE));
	CU_ASSERT_TRUE(ctr.dual_active == 1 && ctr.stepped_down == 1);
	PLAY(ACTIVE, M(DUAL_WIN, ACTIVE, RAISE_TERM), M(PEER_STANDBY, ACTIVE, NONE));
	PLAY(FROZEN, M(DUAL_WIN, ACTIVE, ABORT), M(DUAL_WIN, ACTIVE, RAISE_TERM));
	PLAY(ACTIVE, M(TERM_BEHIND, ACTIVE, RAISE_TERM));
	/* dual standby ends in one exchange: one side is elected, the other yields */
	PLAY(STANDBY, W(ELECTED, TAKEOVER, TAKE, DUAL_STANDBY), M(TAKEN_OVER, ACTIVE, ACTIVATE));
	CU_ASSERT_EQUAL(ctr.dual_standby, 1);
	PLAY(STANDBY, M(YIELD, STANDBY, NONE), M(PEER_TAKING, STANDBY, NONE));
}

static void test_role_lost(void)
{
	PLAY(ACTIVE, W(GIVE_UP, STANDBY, STEP_DOWN, MANUAL));
	PLAY(FLUSHING, W(GIVE_UP, STANDBY, STEP_DOWN, MANUAL));
	PLAY(ACTIVE, W(STALE, STANDBY, STEP_DOWN, STALE));
	PLAY(FROZEN, W(STALE, STANDBY, STEP_DOWN, STALE));
	PLAY(FROZEN, W(STOP, DOWN, LEAVE, SHUTDOWN));
	PLAY(TAKEOVER, M(STALE, STANDBY, FOLLOW));
	/* a role that is not held cannot change the reason of a switch under way */
	PLAY(ACTIVE, M(SWITCH, ASKED, PREPARE), M(RX_READY, FLUSHING, FLUSH), M(LEVEL, FROZEN, FREEZE),
		M(FLUSHED, HANDED, HAND_OVER), M(GIVE_UP, HANDED, NONE), W(RX_TAKEN, STANDBY, RELAY, MANUAL));
}

/* An answer to an earlier attempt is none to this. */
static void test_attempts(void)
{
	struct srp_role_machine a = {PH(ACTIVE), WHY(NOT_DEFINED), 7, &ctr}, b = {PH(STANDBY), 0, 3, &ctr};
	struct srp_role_step s = untouched;

	memset(&ctr, 0, sizeof(ctr));
	CU_ASSERT_EQUAL(srp_role_step(&a, EV(SWITCH), WHY(MANUAL), &s), 0);
	CU_ASSERT_EQUAL(a.attempt, 8);
	s = untouched;
	CU_ASSERT_EQUAL(srp_role_rx(&a, EV(RX_READY), 7, WHY(FORCED), &s), SRP_ESTALE);
	CU_ASSERT_TRUE(s.act == SRP_ROLE_ACT__N && a.phase == PH(ASKED) && ctr.rx_stale == 1);
	CU_ASSERT_EQUAL(srp_role_rx(&a, EV(RX_READY), 8, WHY(FORCED), &s), 0);
	CU_ASSERT_TRUE(a.phase == PH(FLUSHING) && a.asked == WHY(MANUAL));
	CU_ASSERT_EQUAL(srp_role_rx(&b, EV(RX_PREPARE), 8, WHY(AAA), &s), 0);
	CU_ASSERT_TRUE(b.attempt == 8 && b.asked == WHY(AAA));
	CU_ASSERT_EQUAL(srp_role_rx(&b, EV(RX_PREPARE), 9, WHY(BGP), &s), 0);
	CU_ASSERT_TRUE(b.attempt == 9 && b.asked == WHY(BGP) && b.phase == PH(PREPARED));
	CU_ASSERT_EQUAL(srp_role_step(&b, EV(RX_HANDOVER), WHY(FORCED), &s), 0);
	CU_ASSERT_TRUE(b.phase == PH(ACTIVE) && s.reason == WHY(BGP));
	CU_ASSERT_EQUAL(srp_role_step(&b, EV(SWITCH), WHY(MANUAL), &s), 0);
	CU_ASSERT_EQUAL(srp_role_rx(&b, EV(RX_REFUSED), 9, WHY(FORCED), &s), SRP_ESTALE);
	CU_ASSERT_EQUAL(srp_role_rx(&b, EV(RX_REFUSED), 10, WHY(FORCED), &s), 0);
	/* a refused RX_PREPARE begins nothing */
	CU_ASSERT_EQUAL(srp_role_rx(&b, EV(RX_PREPARE), 99, WHY(AAA), &s), SRP_ESTATE);
	CU_ASSERT_EQUAL(b.attempt, 10);
}

static void test_resume(void)
{
	for (int p = 0; p <= SRP_PHASE__N; p++) {
		struct srp_role_machine m = {PH(DOWN), WHY(NOT_DEFINED), 7, &ctr};
		enum srp_role_action act = srp_role_resume(&m, (enum srp_phase)p);
		bool owned = p < SRP_PHASE__N && owner((enum srp_phase)p);

		/* who forwarded goes on forwarding, who did not does not begin */
		CU_ASSERT_EQUAL(m.phase == PH(ACTIVE), owned);
		CU_ASSERT_EQUAL(act == ACT(THAW), owned && p != PH(ACTIVE));
		if (p == PH(HANDED))
			CU_ASSERT_EQUAL(m.phase, PH(HANDED));
		if (p == SRP_PHASE__N)
			CU_ASSERT_TRUE(m.phase == PH(LISTEN) && act == ACT(LISTEN));
	}
}

static void test_silence(void)
{
	struct srp_silence s = {.armed = {1000}, .dead_us = 500};
	struct srp_time t;

	for (t.us = 1000; t.us < 1500; t.us += 100)
		CU_ASSERT_FALSE(srp_role_silent(&s, t));
	CU_ASSERT_FALSE(srp_role_silent(&s, (struct srp_time){1499}));
	CU_ASSERT_TRUE(srp_role_silent(&s, (struct srp_time){1500}));
	s.heard.us = 1200;
	CU_ASSERT_FALSE(srp_role_silent(&s, (struct srp_time){1699}));
	CU_ASSERT_TRUE(srp_role_silent(&s, (struct srp_time){1700}));
	s.delivered.us = 1300; /* the control link is silent, an instance still delivers */
	CU_ASSERT_FALSE(srp_role_silent(&s, (struct srp_time){1799}));
	CU_ASSERT_EQUAL(srp_role_dead_at(&s).us, 1800);
	s.armed.us = 9000; /* started again after the own loop stood still */
	CU_ASSERT_FALSE(srp_role_silent(&s, (struct srp_time){9499}));
	CU_ASSERT_TRUE(srp_role_silent(&s, (struct srp_time){9500}));
}

static void test_names_and_reasons(void)
{
	static const char *const published[] = {"notDefined", "aaaFailure", "bgpFailure", "bfdFailure",
		"diameterFailure", "hsrpSwitchover", "chassisChassisBfdFailure", "dualActive",
		"dualStandby", "deadTimerExpiry", "forceStateChange", "manualSwitchOver", "egqcFailure"};

	for (unsigned i = 0; i < sizeof(published) / sizeof(published[0]); i++)
		CU_ASSERT_STRING_EQUAL(srp_switch_reason_name(i), published[i]);
	for (unsigned i = 0; i < SRP_SWITCH__N; i++)
		CU_ASSERT_STRING_NOT_EQUAL(srp_switch_reason_name(i), "unknown");
	CU_ASSERT_STRING_EQUAL(srp_switch_reason_name(SRP_SWITCH__N), "unknown");
	CU_ASSERT_STRING_EQUAL(srp_switch_reason_name(UINT32_MAX), "unknown");
	CU_ASSERT_STRING_EQUAL(srp_role_event_name(EV(PEER_GONE)), "PEER_GONE");
	CU_ASSERT_STRING_EQUAL(srp_role_event_name(SRP_ROLE_EV__N), "unknown");
	CU_ASSERT_STRING_EQUAL(srp_role_action_name(ACT(HAND_OVER)), "HAND_OVER");
	CU_ASSERT_STRING_EQUAL(srp_role_action_name(SRP_ROLE_ACT__N), "unknown");
	CU_ASSERT_STRING_EQUAL(srp_phase_name(PH(ACTIVE)), "forwards");
	CU_ASSERT_STRING_EQUAL(srp_phase_name(SRP_PHASE__N), "unknown");
}

CU_TestInfo srp_role_machine_tests[] = {
	{"every cell", test_every_cell},
	{"the shape of the table", test_shape},
	{"rules over all edges", test_rules},
	{"every phase is reachable, can be left, and ends by time", test_reachable_leavable_bounded},
	{"every hello is taken in every phase", test_every_hello_is_taken},
	{"start: alone, both, beside an active", test_start},
	{"the peer is lost", test_peer_lost},
	{"planned switchover", test_planned},
	{"planned switchover fails", test_planned_fails},
	{"both active, both standby", test_both},
	{"the role is lost", test_role_lost},
	{"an attempt is not mistaken for another", test_attempts},
	{"a successor goes on", test_resume},
	{"silence", test_silence},
	{"names and published reasons", test_names_and_reasons},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "suites.h"

#include "ecs/call.h"
#include "ecs_rig.h"

/* --- the machine ------------------------------------------------------------------------------ */

static const char *const set_up[][2] = {
	{"SMGR_STATE_OPEN", "SMGR_EVT_NEWCALL"},
	{"SMGR_STATE_NEWCALL_ARRIVED", "SMGR_EVT_ANSWER_CALL"},
	{"SMGR_STATE_NEWCALL_ANSWERED", "SMGR_EVT_LINE_CONNECTED"},
	{"SMGR_STATE_LINE_CONNECTED", "SMGR_EVT_LINK_CONTROL_UP"},
	{"SMGR_STATE_LINE_CONNECTED", "SMGR_EVT_AUTH_REQ"},
	{"SMGR_STATE_LINE_CONNECTED", "SMGR_EVT_IPADDR_ALLOC_SUCCESS"},
	{"SMGR_STATE_LINE_CONNECTED", "SMGR_EVT_AUTH_SUCCESS"},
	{"SMGR_STATE_LINE_CONNECTED", "SMGR_EVT_UPDATE_SESS_CONFIG"},
	{"SMGR_STATE_LINE_CONNECTED", "SMGR_EVT_LOWER_LAYER_UP"},
};
#define SET_UP (sizeof(set_up) / sizeof(set_up[0]))

static const char *const rebuilt[][2] = {
	{"SMGR_STATE_LINE_CONNECTED", "SMGR_EVT_LOWER_LAYER_UP"},
	{"SMGR_STATE_CONNECTED", "SMGR_EVT_AUTH_REQ"},
	{"SMGR_STATE_CONNECTED", "SMGR_EVT_AUTH_SUCCESS"},
};

static const char *const added[][2] = {
	{"SMGR_STATE_CONNECTED", "SMGR_EVT_REQ_SUB_SESSION"},
	{"SMGR_STATE_CONNECTED", "SMGR_EVT_RSP_SUB_SESSION"},
	{"SMGR_STATE_CONNECTED", "SMGR_EVT_ADD_SUB_SESSION"},
};

/* Whether the trace has @p n steps from @p at on as they are in @p want. */
static void traced(const struct rig *r, const struct ecs_session *s, size_t at,
                   const char *const want[][2], size_t n)
{
	struct ecs_session_debug d;

	ecs_session_debug(r->e, s, &d, r->now);
	CU_ASSERT_FATAL(d.nsteps >= at + n);
	for (size_t i = 0; i < n; i++) {
		CU_ASSERT_STRING_EQUAL(ecs_call_state_name(d.step[at + i].state), want[i][0]);
		CU_ASSERT_STRING_EQUAL(ecs_call_event_name(d.step[at + i].event), want[i][1]);
	}
}

static void cells(void)
{
	struct ecs_call_machine m = {0};
	struct ecs_call_step out[ECS_CALL_TRACE_MAX];

	CU_ASSERT_FALSE(ecs_call_event(&m, ECS_CALL_EV_ANSWER_CALL)); /* of no call */
	CU_ASSERT_FALSE(ecs_call_event(&m, (enum ecs_call_event)ECS_CALL_EV__N));
	CU_ASSERT_EQUAL(m.refused, 2);
	CU_ASSERT_EQUAL(m.state, ECS_CALL_OPEN);
	CU_ASSERT_EQUAL(ecs_call_trace(&m, out, ECS_CALL_TRACE_MAX), 0);
	for (unsigned i = 0; i < 300; i++)
		(void)ecs_call_event(&m, ECS_CALL_EV_LOWER_LAYER_UP);
	CU_ASSERT_EQUAL(m.refused, UINT8_MAX);
	CU_ASSERT_TRUE(ecs_call_event(&m, ECS_CALL_EV_NEWCALL));
	CU_ASSERT_TRUE(ecs_call_event(&m, ECS_CALL_EV_DISCONNECT));
	CU_ASSERT_TRUE(ecs_call_event(&m, ECS_CALL_EV_CALL_CLEARED));
	CU_ASSERT_EQUAL(m.state, ECS_CALL_OPEN);
	CU_ASSERT_EQUAL(ecs_call_trace(&m, out, ECS_CALL_TRACE_MAX), 3);
	CU_ASSERT_STRING_EQUAL(ecs_call_state_name(ECS_CALL__N), "?");
	CU_ASSERT_STRING_EQUAL(ecs_call_event_name(ECS_CALL_EV__N), "?");
	for (unsigned i = 0; i < ECS_CALL_EV__N; i++)
		CU_ASSERT(ecs_call_event_help(i)[0] != '\0');
}

/* Every state is left by some event, and each event is known to some state. */
static void whole_table(void)
{
	bool known[ECS_CALL_EV__N] = {false};

	for (unsigned st = 0; st < ECS_CALL__N; st++) {
		unsigned n = 0;

		for (unsigned ev = 0; ev < ECS_CALL_EV__N; ev++) {
			struct ecs_call_machine m = {.state = (uint8_t)st};

			if (!ecs_call_event(&m, (enum ecs_call_event)ev))
				continue;
			CU_ASSERT(m.state < ECS_CALL__N);
			known[ev] = true;
			n++;
		}
		CU_ASSERT(n > 0);
	}
	for (unsigned ev = 0; ev < ECS_CALL_EV__N; ev++)
		CU_ASSERT_TRUE(known[ev]);
}

static void ring(void)
{
	struct ecs_call_machine m;
	struct ecs_call_step out[ECS_CALL_TRACE_MAX];

	ecs_call_recreated(&m);
	CU_ASSERT_TRUE(ecs_call_event(&m, ECS_CALL_EV_LOWER_LAYER_UP));
	for (unsigned i = 1; i < ECS_CALL_TRACE_MAX; i++)
		CU_ASSERT_TRUE(ecs_call_event(&m, ECS_CALL_EV_AUTH_REQ));
	CU_ASSERT_EQUAL(ecs_call_trace(&m, out, ECS_CALL_TRACE_MAX), ECS_CALL_TRACE_MAX);
	CU_ASSERT_EQUAL(out[0].event, ECS_CALL_EV_LOWER_LAYER_UP);
	CU_ASSERT_TRUE(ecs_call_event(&m, ECS_CALL_EV_AUTH_SUCCESS)); /* the oldest goes */
	CU_ASSERT_EQUAL(ecs_call_trace(&m, out, ECS_CALL_TRACE_MAX), ECS_CALL_TRACE_MAX);
	CU_ASSERT_EQUAL(out[0].event, ECS_CALL_EV_AUTH_REQ);
	CU_ASSERT_EQUAL(out[ECS_CALL_TRACE_MAX - 1].event, ECS_CALL_EV_AUTH_SUCCESS);
	CU_ASSERT_EQUAL(ecs_call_trace(&m, out, 2), 2);
	CU_ASSERT_EQUAL(out[1].event, ECS_CALL_EV_AUTH_SUCCESS);
}

/* --- calls ------------------------------------------------------------------------------------ */

static void a_new_call(void)
{
	struct rig r;
	struct ecs_session_debug d;

	begin(&r);
	traced(&r, r.s, 0, set_up, SET_UP);
	ecs_session_debug(r.e, r.s, &d, r.now);
	CU_ASSERT_EQUAL(d.nsteps, SET_UP);
	CU_ASSERT_EQUAL(d.state, ECS_CALL_CONNECTED);
	CU_ASSERT_EQUAL(d.refused, 0);
	CU_ASSERT_FALSE(d.recreated);
	CU_ASSERT_EQUAL(d.redirect.allowed, 2000);
	CU_ASSERT_EQUAL(r.c.call_events_refused, 0);
	end(&r);
}

static void calls_that_fail(void)
{
	struct rig r;
	struct ecs_session_spec sp = spec_of(2, UE, NULL);
	struct ecs_addr a = addr("10.0.0.9");
	struct ecs_session *s;

	begin(&r);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EDUP);
	sp = spec_of(2, "10.0.0.9", NULL);
	strcpy(sp.rulebase, "none");
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_ENORULE);
	CU_ASSERT_EQUAL(r.c.calls_failed, 2);
	CU_ASSERT_EQUAL(r.c.call_events_refused, 0);
	CU_ASSERT_EQUAL(r.ups, 1);
	CU_ASSERT_EQUAL(r.downs, 0);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_full.id], 1); /* of the first */
	CU_ASSERT_PTR_NULL(ecs_session_find(r.e, 2));
	CU_ASSERT_PTR_NULL(ecs_session_by_addr(r.e, &a));
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), 1);
	sp = spec_of(2, "10.0.0.9", NULL); /* nothing of them is in the way */
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), 0);
	traced(&r, s, 0, set_up, SET_UP);
	end(&r);
}

static void a_rebuilt_call(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80};
	struct ecs_session_debug d;
	struct ecs_session_spec sp;

	standby(&r, &c, "video");
	traced(&r, r.s, 0, rebuilt, 3);
	ecs_session_debug(r.e, r.s, &d, r.now);
	CU_ASSERT_EQUAL(d.nsteps, 3);
	CU_ASSERT_TRUE(d.recreated);
	sp = r.s->spec; /* its record comes again */
	CU_ASSERT_EQUAL(ecs_session_update(r.e, r.s, &sp, r.now), 0);
	traced(&r, r.s, 3, &rebuilt[1], 2);
	strcpy(sp.rulebase, "none"); /* a rulebase that is not here: the call stays */
	CU_ASSERT_EQUAL(ecs_session_update(r.e, r.s, &sp, r.now), 0);
	ecs_session_debug(r.e, r.s, &d, r.now);
	CU_ASSERT_EQUAL(d.step[d.nsteps - 1].event, ECS_CALL_EV_AUTH_FAILURE);
	CU_ASSERT_EQUAL(d.state, ECS_CALL_CONNECTED);
	CU_ASSERT_EQUAL(r.c.call_events_refused, 0);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_TRUE(ecs_session_recovered(r.e, r.s)); /* taken over */
	end(&r);
}

/* Original until its role or its process has gone. */
static void original(void)
{
	struct rig r;
	struct ecs_session_spec sp = spec_of(2, "10.0.0.9", NULL);
	struct ecs_session *s;

	begin(&r);
	CU_ASSERT_FALSE(ecs_session_recovered(r.e, r.s));
	/* from the mirror of the process that died: the engine is active */
	CU_ASSERT_EQUAL_FATAL(ecs_session_build(r.e, &sp, r.now, &s), 0);
	CU_ASSERT_TRUE(ecs_session_recovered(r.e, s));
	ecs_engine_active(r.e, false, r.now);
	CU_ASSERT_TRUE(ecs_session_recovered(r.e, r.s));
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_TRUE(ecs_session_recovered(r.e, r.s));
	sp = spec_of(3, "10.0.0.10", NULL);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, &s), 0);
	CU_ASSERT_FALSE(ecs_session_recovered(r.e, s));
	end(&r);
}

static void configured_anew(void)
{
	struct rig r;
	struct ecs_service *svc = service(rules);
	struct ecs_session_debug d;

	begin(&r);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, svc, r.now), 0);
	ecs_session_debug(r.e, r.s, &d, r.now);
	CU_ASSERT_EQUAL(d.nsteps, SET_UP + 3);
	CU_ASSERT_EQUAL(d.step[SET_UP].event, ECS_CALL_EV_AUTH_REQ);
	CU_ASSERT_EQUAL(d.step[SET_UP + 1].event, ECS_CALL_EV_AUTH_SUCCESS);
	CU_ASSERT_EQUAL(d.step[SET_UP + 2].event, ECS_CALL_EV_UPDATE_SESS_CONFIG);
	CU_ASSERT_EQUAL(r.c.call_events_refused, 0);
	ecs_service_free(r.svc);
	r.svc = svc;
	end(&r);
}

/* --- dedicated bearers ------------------------------------------------------------------------ */

static void bearers(void)
{
	struct rig r;
	struct ecs_bearer *b;
	struct ecs_session_debug d;

	begin(&r);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_bearer.id], 1);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 5, 1, 1, r.now), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 16, 1, 1, r.now), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 6, 0, 1, r.now), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 9, 6, 1, 1, r.now), SRP_ENOSESS);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_bearer.id], 1);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 6, 1, 2, r.now), 0);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 15, 3, 4, r.now), 0);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_bearer.id], 3);
	traced(&r, r.s, SET_UP, added, 3);
	traced(&r, r.s, SET_UP + 3, added, 3);
	b = ecs_session_bearer(r.s, 15, false);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT(b->qci == 3 && b->arp == 4);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 15, 3, 4, r.now), SRP_EDUP);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 15, 7, 9, r.now), SRP_EDUP);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_bearer.id], 3);
	CU_ASSERT(b->qci == 3 && b->arp == 4);
	ecs_session_debug(r.e, r.s, &d, r.now);
	CU_ASSERT_EQUAL(d.nsteps, SET_UP + 6); /* none for one that is there */
	CU_ASSERT_EQUAL(ecs_bearer_delete(r.e, 1, 5, r.now), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_bearer_delete(r.e, 1, 7, r.now), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_bearer_delete(r.e, 1, 15, r.now), 0);
	CU_ASSERT_EQUAL(r.told[ecs_kind_bearer.id], 1);
	CU_ASSERT_PTR_NULL(ecs_session_bearer(r.s, 15, false));
	ecs_session_debug(r.e, r.s, &d, r.now);
	CU_ASSERT_EQUAL(d.step[d.nsteps - 1].event, ECS_CALL_EV_DEL_SUB_SESSION);
	ecs_engine_active(r.e, false, r.now);
	CU_ASSERT_EQUAL(ecs_bearer_create(r.e, 1, 8, 1, 1, r.now), SRP_EROLE);
	CU_ASSERT_EQUAL(ecs_bearer_delete(r.e, 1, 6, r.now), SRP_EROLE);
	CU_ASSERT_EQUAL(r.c.call_events_refused, 0);
	end(&r);
}

/* --- the fate of checkpoints ------------------------------------------------------------------ */

static void pass(struct rig *r, struct srp_ckpt_obj *o, enum srp_ckpt_passing what, uint32_t seq,
                 uint16_t epoch)
{
	struct srp_ckpt_pass p = {.what = what, .replica = SRP_REPLICA_GR, .seq = seq,
	                          .epoch = epoch, .now = r->now, .owner = r->e};

	o->kind->passed(o, NULL, &p);
}

static struct ecs_call_ckpt figure(const struct rig *r, enum ecs_call_ckpt_of of)
{
	struct ecs_session_debug d;

	ecs_session_debug(r->e, r->s, &d, r->now);
	return d.ckpt[SRP_REPLICA_GR][of];
}

static void figures(void)
{
	struct rig r;
	struct ecs_call_ckpt f;
	struct ecs_bearer *b;

	begin(&r);
	b = ecs_session_bearer(r.s, 5, false);
	CU_ASSERT_EQUAL(ecs_call_age_ms(figure(&r, ECS_CALL_FULL).last_attempt, r.now), 0);
	pass(&r, &r.s->full, SRP_CKPT_SENT, 1, 0);
	r.now.us += SRP_MS(20);
	pass(&r, &r.s->full, SRP_CKPT_ACKED, 1, 0);
	r.now.us += SRP_MS(80);
	f = figure(&r, ECS_CALL_FULL);
	CU_ASSERT(f.attempts == 1 && f.successes == 1);
	CU_ASSERT_EQUAL(ecs_call_age_ms(f.last_attempt, r.now), 100);
	CU_ASSERT_EQUAL(ecs_call_age_ms(f.last_success, r.now), 80);
	CU_ASSERT_EQUAL(figure(&r, ECS_CALL_MICRO).attempts, 0);
	/* the first of the call's is overtaken: it is settled with what comes after it */
	pass(&r, &r.s->call, SRP_CKPT_SENT, 2, 0);
	pass(&r, &b->ckpt, SRP_CKPT_SENT, 3, 0);
	pass(&r, &r.s->call, SRP_CKPT_SENT, 4, 0);
	pass(&r, &b->ckpt, SRP_CKPT_ACKED, 3, 0);
	CU_ASSERT_EQUAL(figure(&r, ECS_CALL_MICRO).successes, 1);
	pass(&r, &r.s->call, SRP_CKPT_ACKED, 9, 0);
	f = figure(&r, ECS_CALL_MICRO);
	CU_ASSERT(f.attempts == 3 && f.successes == 3);
	pass(&r, &r.s->clp, SRP_CKPT_SENT, 10, 0);
	pass(&r, &r.s->clp, SRP_CKPT_REFUSED, 10, 0);
	/* the connection breaks: what was on its way is lost */
	pass(&r, &r.s->clp, SRP_CKPT_SENT, 11, 0);
	pass(&r, &r.s->clp, SRP_CKPT_SENT, 12, 1);
	pass(&r, &r.s->clp, SRP_CKPT_ACKED, 12, 1);
	pass(&r, &r.s->clp, SRP_CKPT_ACKED, 12, 1); /* an answer to nothing */
	f = figure(&r, ECS_CALL_MICRO);
	CU_ASSERT(f.attempts == 6 && f.successes == 4);
	end(&r);
}

/* Deletions have no object: they are the call's by their key. */
static void figures_of_deletions(void)
{
	struct rig r;
	struct srp_ckpt_key key = {{1, 8}};
	struct srp_ckpt_pass p = {.what = SRP_CKPT_SENT, .replica = SRP_REPLICA_GR, .seq = 1};
	struct ecs_session_debug d;

	begin(&r);
	p.now = r.now;
	p.owner = r.e;
	ecs_kind_flow.passed(NULL, &key, &p);
	CU_ASSERT_EQUAL(figure(&r, ECS_CALL_MICRO).attempts, 1);
	p.what = SRP_CKPT_ACKED;
	ecs_kind_flow.passed(NULL, &key, &p);
	CU_ASSERT_EQUAL(figure(&r, ECS_CALL_MICRO).successes, 1);
	key.k[0] = 2; /* a call that has ended */
	ecs_kind_full.passed(NULL, &key, &p);
	p.replica = SRP_REPLICA_SR; /* counted apart */
	p.what = SRP_CKPT_SENT;
	ecs_kind_full.passed(&r.s->full, NULL, &p);
	ecs_session_debug(r.e, r.s, &d, r.now);
	CU_ASSERT_EQUAL(d.ckpt[SRP_REPLICA_SR][ECS_CALL_FULL].attempts, 1);
	CU_ASSERT_EQUAL(d.ckpt[SRP_REPLICA_GR][ECS_CALL_FULL].attempts, 0);
	CU_ASSERT_EQUAL(sizeof(struct ecs_call_figure), 32);
	end(&r);
}

CU_TestInfo ecs_call_tests[] = {
	{"cells: known, refused, counted", cells},
	{"table: each state has an exit, each event a state", whole_table},
	{"trace: the last sixteen", ring},
	{"call: set up as in the chapter", a_new_call},
	{"call: set-up that fails leaves nothing", calls_that_fail},
	{"call: rebuilt from records", a_rebuilt_call},
	{"call: original and recreated", original},
	{"call: authorised anew by a commit", configured_anew},
	{"bearers: dedicated", bearers},
	{"figures: attempts and successes", figures},
	{"figures: deletions, and the mirror apart", figures_of_deletions},
	CU_TEST_INFO_NULL,
};

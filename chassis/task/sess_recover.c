/* sess_recover: a session manager in the place of a dead one. It hears its role and what the store of
 * aaamgr holds, builds the sessions from it while it forwards, and then asks the peer chassis for what is
 * newer there. What nobody has is counted as lost. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <string.h>
#include <sys/mman.h>
#include <syslog.h>

#include "chassis/registry.h"
#include "ecs/ledger.h"
#include "recovery/fill.h"
#include "srp/err.h"

/* aaamgr answers in a millisecond. One that does not must be dead before its store may be read as it
 * stands, for it may still change it: the supervisor is asked for that. */
#define STORE_ASK_S  0.1
#define STORE_AGAIN_S 0.05
#define STORE_WAIT_US (SRP_MS(CHASSIS_STUCK_MS) + SRP_SEC(1))
#define STEP_US      SRP_MS(2) /* of each turn of the loop */
#define STEP_RECORDS 256u      /* between two looks at the clock */
#define SWEEP_SLOTS  4096u

static struct chassis_task_counters *ctr(const struct sessmgr *s)
{
	return &s->ctx->slab->task_ctr;
}

/* --- the end of a recovery --------------------------------------------------------------------- */

static void report(struct sessmgr *s, enum recovery_view_state state)
{
	const struct sessmgr_sr *sr = &s->sr;
	uint64_t ms = srp_time_since(sr->began, chassis_now()) / 1000u;
	struct recovery_fill_stats st;

	recovery_fill_stats(sr->fill, &st);
	ctr(s)->sr_recovered += st.sessions_built;
	ctr(s)->sr_refused += st.refused + st.broken;
	ctr(s)->sr_skipped += st.skipped;
	chassis_log(LOG_NOTICE, "Session Manager task recovery completed, in %llu (ms) fetched from aaamgr %llu "
	            "calls recovered %llu passed audit %llu prior to audit %llu all call lines %zu on Slot "
	            "Number 1 Cpu Number 0", (unsigned long long)ms, (unsigned long long)st.sessions_total,
	            (unsigned long long)st.sessions_built, (unsigned long long)st.passed_audit,
	            (unsigned long long)(st.sessions_built + st.sessions_lost),
	            ecs_engine_sessions(s->engine));
	if (state != RECOVERY_VIEW_WHOLE)
		chassis_log(LOG_WARNING, "aaamgr:%u did not hold all of it yet", s->ctx->instance);
	if (st.skipped)
		chassis_log(LOG_ERR, "left out for that session managers have died of them: %llu call%s",
		            (unsigned long long)st.skipped, st.skipped == 1 ? "" : "s");
	if (st.refused || st.broken || st.sessions_lost)
		chassis_log(LOG_ERR, "store of aaamgr:%u: records refused %llu (first: %s), not readable %llu; "
		            "calls not built %llu", s->ctx->instance,
		            (unsigned long long)st.refused, st.why ? srp_strerror(st.why) : "none",
		            (unsigned long long)st.broken, (unsigned long long)st.sessions_lost);
}

/* Who died before it had any sessions, or could mirror them, is not missed. */
static void not_recovered(struct sessmgr *s)
{
	uint64_t n = s->ctx->slab->sessions_before;

	if (!n) {
		chassis_log(LOG_NOTICE, "takes the place of a session manager that had no sessions");
		return;
	}
	ctr(s)->restarted_empty++;
	chassis_log(LOG_ERR, "Session Manager task recovery failed: the store of aaamgr:%u cannot be read: %s: "
	            "%llu session%s lost%s", s->ctx->instance, s->sr.why ? s->sr.why : "no memory",
	            (unsigned long long)n, n == 1 ? " is" : "s are",
	            s->sr.elsewhere ? " unless the peer still holds what is missing" : "");
}

/* What the instance is now, as far as the peer may hold more of it (R5). */
static enum chassis_complete completeness(struct sessmgr *s, bool recovered)
{
	if (!srp_role_permit[s->role].forwards)
		return CHASSIS_FILLING;
	if (!recovered)
		not_recovered(s);
	if (!s->ctx->shared->config->srp.present)
		return CHASSIS_COMPLETE;
	return s->sr.elsewhere ? CHASSIS_FILLING : CHASSIS_STARTED_EMPTY;
}

static void serve(struct sessmgr *s, bool recovered)
{
	s->sr.phase = SESSMGR_SERVES;
	s->sr.sweep = true;
	s->sr.go_on = recovered;
	s->sr.refill = !recovered;
	ev_timer_stop(s->ctx->loop, &s->sr.wait);
	s->complete = completeness(s, recovered);
	s->peer_seen = chassis_now();
	if (sessmgr_serve(s) < 0) {
		chassis_log(LOG_CRIT, "no memory to serve: ends, for a successor to try");
		chassis_task_exit(s->ctx, 1);
		return;
	}
	/* Where the peer is asked for more, all are told when that has come: what is not told is lost. */
	s->sr.walk_due = srp_role_permit[s->role].forwards && s->complete == CHASSIS_FILLING;
	if (!s->sr.walk_due)
		sessmgr_news_walk(s);
	sessmgr_tun_reading(s, true);
	sessmgr_tell_vpnmgr(s);
}

static void store_close(struct sessmgr_sr *sr)
{
	recovery_fill_free(sr->fill);
	sr->fill = NULL;
	recovery_view_free(sr->view);
	sr->view = NULL;
	if (sr->mem)
		munmap(sr->mem, CHASSIS_STORE_BYTES);
	sr->mem = NULL;
}

static void fill_end(struct sessmgr *s)
{
	enum recovery_view_state state = recovery_view_state(s->sr.view);

	ev_prepare_stop(s->ctx->loop, &s->sr.step);
	ev_idle_stop(s->ctx->loop, &s->sr.awake);
	report(s, state);
	store_close(&s->sr);
	s->ctx->slab->handling = 0;
	serve(s, true);
}

/* --- the fill ---------------------------------------------------------------------------------- */

static bool quarantined(const struct sessmgr *s, uint32_t callid)
{
	const struct chassis_sr_slab *sr = &s->ctx->shared->slab[0]->sr;
	uint32_t n = sr->nquarantine;

	for (uint32_t i = 0; i < n && i < CHASSIS_QUARANTINE; i++)
		if (sr->quarantine[i] == callid)
			return true;
	return false;
}

bool sessmgr_skip(void *owner, uint64_t session)
{
	struct sessmgr *s = owner;

	s->ctx->slab->handling = (uint32_t)session;
	return quarantined(s, (uint32_t)session);
}

static void on_idle(struct ev_loop *loop, ev_idle *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

/* Before the loop looks for packets again. */
static void on_step(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct sessmgr *s = w->data;
	struct srp_time start = chassis_now(), now = start;
	bool more = srp_role_permit[s->role].sr_replica; /* else the store is being emptied */

	(void)loop;
	(void)revents;
	while (more && srp_time_since(start, now) < STEP_US) {
		more = recovery_fill_step(s->sr.fill, now, STEP_RECORDS);
		now = chassis_now();
	}
	s->ctx->slab->handling = 0;
	if (!more)
		fill_end(s);
}

static int store_open(struct sessmgr *s)
{
	struct sessmgr_sr *sr = &s->sr;
	int fd = s->ctx->shared->store_fd[s->ctx->instance];
	const char *why = "no memory";
	void *p;

	if (fd < 0)
		return SRP_ENOENT;
	p = mmap(NULL, CHASSIS_STORE_BYTES, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (p != MAP_FAILED) {
		sr->mem = p;
		(void)madvise(p, CHASSIS_STORE_BYTES, MADV_DONTDUMP);
		sr->view = recovery_view_open(p, CHASSIS_STORE_BYTES, chassis_kinds, chassis_nkinds, &why);
	}
	if (sr->view)
		return SRP_OK;
	sr->why = why;
	store_close(sr);
	return SRP_ENOENT;
}

static int fill_begin(struct sessmgr *s)
{
	struct sessmgr_sr *sr = &s->sr;
	struct recovery_fill_config fc = {
		.kinds = chassis_kinds, .nkinds = chassis_nkinds, .ckpt_owner = s->engine,
		.sink = &s->sink, .skip = sessmgr_skip, .owner = s,
	};
	int rc = store_open(s);

	if (rc < 0)
		return rc;
	s->hkey = recovery_view_hkey(sr->view);
	rc = sessmgr_replicas(s);
	if (rc < 0)
		return rc;
	fc.view = sr->view;
	sr->fill = recovery_fill_new(&fc);
	if (!sr->fill)
		return SRP_ENOMEM;
	sr->phase = SESSMGR_FILLS;
	ecs_records_recovered(s->engine, false);
	ev_timer_stop(s->ctx->loop, &sr->wait);
	ev_prepare_start(s->ctx->loop, &sr->step);
	ev_idle_start(s->ctx->loop, &sr->awake);
	sessmgr_link_role(s);
	sessmgr_tun_reading(s, true);
	return SRP_OK;
}

bool sessmgr_recover_addr(struct sessmgr *s, const struct ecs_addr *a, struct srp_time now)
{
	bool there = s->sr.phase == SESSMGR_FILLS && srp_role_permit[s->role].sr_replica &&
	             recovery_fill_name(s->sr.fill, ecs_addr_name(a), now) == 0;

	s->ctx->slab->handling = 0;
	return there;
}

bool sessmgr_recover_callid(struct sessmgr *s, uint32_t callid, struct srp_time now)
{
	bool there = s->sr.phase == SESSMGR_FILLS && srp_role_permit[s->role].sr_replica &&
	             recovery_fill_key(s->sr.fill, callid, now) == 0;

	s->ctx->slab->handling = 0;
	return there;
}

/* --- what is waited for ------------------------------------------------------------------------ */

void sessmgr_recover_advance(struct sessmgr *s)
{
	struct sessmgr_sr *sr = &s->sr;

	if (sr->phase != SESSMGR_WAITS || s->role == SRP_ROLE_INIT)
		return;
	if (!srp_role_permit[s->role].sr_replica) {
		/* Whoever only follows is filled by whom he follows. */
		serve(s, false);
		return;
	}
	if (!sr->store_known)
		return;
	if (fill_begin(s) == SRP_OK) {
		sessmgr_publish(s);
		return;
	}
	store_close(sr);
	serve(s, false);
}

int sessmgr_recover_store(struct sessmgr *s, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8);

	if (s->sr.phase != SESSMGR_WAITS)
		return SRP_OK;
	(void)srp_mp_uint(r, RECOVERY_VIEW_PART); /* the store itself is looked at */
	if (n < 1 || r->err)
		return SRP_EFORMAT;
	s->sr.store_known = true;
	sessmgr_recover_advance(s);
	return SRP_OK;
}

void sessmgr_recover_ask(struct sessmgr *s)
{
	uint8_t buf[8];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	if (s->sr.phase != SESSMGR_WAITS || s->sr.store_known)
		return;
	srp_mp_w_array(&w, 0);
	(void)chassis_task_send(s->ctx, CHASSIS_TASK_SUPERVISOR, 0, CHASSIS_IPC_HANGS, &w, -1);
}

static void on_wait(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sessmgr *s = w->data;

	(void)revents;
	if (!s->sr.store_known && srp_time_since(s->sr.began, chassis_now()) < STORE_WAIT_US) {
		sessmgr_recover_ask(s);
		return;
	}
	ev_timer_stop(loop, w);
	if (!s->sr.store_known)
		chassis_log(LOG_ERR, "aaamgr:%u does not say what it holds: its store is read as it stands",
		            s->ctx->instance);
	s->sr.store_known = true;
	sessmgr_recover_advance(s);
}

void sessmgr_recover_start(struct sessmgr *s)
{
	struct sessmgr_sr *sr = &s->sr;

	sr->phase = SESSMGR_WAITS;
	sr->began = chassis_now();
	ev_prepare_init(&sr->step, on_step);
	ev_idle_init(&sr->awake, on_idle);
	ev_timer_init(&sr->wait, on_wait, STORE_ASK_S, STORE_AGAIN_S);
	sr->step.data = sr->awake.data = sr->wait.data = s;
	ev_timer_start(s->ctx->loop, &sr->wait);
}

/* --- what is lost ------------------------------------------------------------------------------ */

void sessmgr_recover_sweep(struct sessmgr *s)
{
	struct ecs_ledger_lost lost = {0};

	if (!s->sr.sweep || s->sr.phase != SESSMGR_SERVES || s->complete == CHASSIS_FILLING)
		return;
	if (ecs_ledger_sweep(s->engine, SWEEP_SLOTS, chassis_now(), &lost))
		return;
	s->sr.sweep = false;
	if (srp_role_permit[s->role].forwards)
		ecs_records_recovered(s->engine, true);
	ctr(s)->sr_lost_bytes += lost.volume.bytes[ECS_UPLINK] + lost.volume.bytes[ECS_DOWNLINK];
	if (!lost.sessions && !lost.volumes)
		return;
	chassis_log(LOG_ERR, "Session Manager task recovery: the volumes of %llu session%s are lost, %llu bytes",
	            (unsigned long long)lost.sessions, lost.sessions == 1 ? "" : "s",
	            (unsigned long long)(lost.volume.bytes[ECS_UPLINK] + lost.volume.bytes[ECS_DOWNLINK]));
}

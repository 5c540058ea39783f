/* sessmgr: the session manager task: one instance's sessions and flows. Its packets are in sess_tun.c,
 * its role in sess_role.c, its replica in sess_link.c, its answers to the operator in sess_query.c. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/io/quic_crypto.h"
#include "chassis/task/memory.h"
#include "srp/err.h"

#define TICK_S      0.01  /* timers of sessions and flows */
#define PUBLISH_S   0.05  /* gauges in the slab */
#define TICK_BUDGET 4000  /* timer steps per turn of the loop */
#define RESERVE_PARTS 16  /* of a reservation */

void sessmgr_publish(struct sessmgr *s)
{
	struct chassis_slab *slab = s->ctx->slab;
	struct recovery_status st;

	slab->sessions = ecs_engine_sessions(s->engine);
	slab->flows = ecs_engine_flows(s->engine);
	slab->recoverable = ecs_engine_recoverable(s->engine);
	slab->complete = s->complete;
	slab->applied_role = s->role;
	sessmgr_sr_publish(s);
	sessmgr_rate_publish(s);
	if (!s->gr)
		return;
	recovery_replica_status(s->gr, &st);
	slab->link = st.link;
	slab->verified_us = st.verified.us;
	recovery_replica_backlog(s->gr, &slab->backlog_objects, &slab->backlog_bytes);
	if (s->peer && chassis_peer_conn(s->peer))
		chassis_conn_bytes(chassis_peer_conn(s->peer), &slab->link_rx_bytes, &slab->link_tx_bytes);
}

/* vpnmgr reads the slab; this only says that a look is worth it. */
void sessmgr_tell_vpnmgr(struct sessmgr *s)
{
	uint8_t buf[64];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	sessmgr_publish(s);
	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, s->ctx->instance);
	srp_mp_w_uint(&w, s->ctx->slab->link);
	srp_mp_w_uint(&w, s->complete);
	srp_mp_w_bool(&w, s->stale);
	chassis_task_send(s->ctx, CHASSIS_TASK_VPNMGR, 0, CHASSIS_IPC_INSTANCE, &w, -1);
}

/* False after a gap: timers and orders wait until the role is settled. Without packets a gap does no harm, but
 * must be told all the same. */
static bool serves_still(struct sessmgr *s, struct srp_time now)
{
	return !srp_role_permit[s->role].forwards || !sessmgr_stood_still(s, now);
}

static int rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
              const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct sessmgr *s = ctx->priv;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);

	(void)instance;
	if (fd >= 0)
		close(fd);
	if (h->type != CHASSIS_IPC_ROLE)
		(void)serves_still(s, chassis_now());
	if (from == CHASSIS_TASK_AAAMGR && h->type != CHASSIS_IPC_SR_STORE)
		return SRP_ETYPE;
	switch (h->type) {
	case CHASSIS_IPC_ROLE:        return sessmgr_role_rx(s, &r);
	case CHASSIS_IPC_SR_STORE:    return sessmgr_recover_store(s, &r);
	case CHASSIS_IPC_SESSION_NEW: return sessmgr_add(s, &r);
	case CHASSIS_IPC_SESSION_END: return sessmgr_end(s, &r);
	case CHASSIS_IPC_FOREIGN:     return sessmgr_foreign(s, &r);
	case CHASSIS_IPC_QUERY:       return sessmgr_query(s, &r);
	case CHASSIS_IPC_COMMAND:     return sessmgr_command(s, &r);
	case CHASSIS_IPC_SWITCH:
		if (srp_mp_array(&r, 4) >= 1)
			sessmgr_step(s, (enum chassis_step)srp_mp_uint(&r, CHASSIS_STEP__N - 1));
		return r.err;
	}
	ctx->slab->task_ctr.frames_refused++;
	return SRP_OK;
}

static void peer(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up)
{
	struct sessmgr *s = ctx->priv;

	if (task == CHASSIS_TASK_AAAMGR && instance == ctx->instance)
		sessmgr_sr_peer(s, up);
	if (task == CHASSIS_TASK_DEMUXMGR && up && !s->sr.walk_due)
		sessmgr_news_walk(s);
	if (task == CHASSIS_TASK_VPNMGR && up)
		sessmgr_tell_vpnmgr(s);
}

/* A successor on the active chassis tells what it holds when it has got all that it will get: what it
 * does not tell then is lost. */
static void walk_when_due(struct sessmgr *s)
{
	if (!s->sr.walk_due || s->role == SRP_ROLE_INIT || sessmgr_pulls(s))
		return;
	s->sr.walk_due = false;
	sessmgr_news_walk(s);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sessmgr *s = w->data;

	(void)loop;
	(void)revents;
	(void)serves_still(s, chassis_now());
	/* On a standby the wheel stands still: a turn only drops what was never replicated. */
	if (!s->stale && !s->frozen) {
		sessmgr_times_turn(s, chassis_now(), false);
		(void)ecs_engine_tick(s->engine, chassis_now(), TICK_BUDGET);
	}
	sessmgr_known_only(s);
	sessmgr_tun_held(s);
	sessmgr_tun_confirmed(s);
	sessmgr_end_some(s);
	sessmgr_clear_some(s);
	sessmgr_recover_sweep(s);
	sessmgr_records_turn(s);
	sessmgr_steps(s);
	walk_when_due(s);
	sessmgr_news_flush(s);
	sessmgr_link_kick(s);
}

static void on_alive(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sessmgr *s = w->data;
	struct srp_time now = chassis_now();

	(void)loop;
	(void)revents;
	(void)serves_still(s, now);
	s->alive = now;
}

/* `audit periodicity`: counted from the last one, or from the start. */
static void audit(struct sessmgr *s, struct srp_time now)
{
	uint64_t minutes = s->ctx->shared->config->srp.audit_minutes;

	if (!s->gr || srp_time_since(s->audited, now) < SRP_SEC(60) * minutes)
		return;
	s->audited = now;
	if (s->role == SRP_ROLE_ACTIVE && recovery_replica_link(s->gr) == RECOVERY_LINK_READY)
		recovery_replica_audit(s->gr, now);
	sessmgr_link_kick(s);
}

static void on_publish(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	sessmgr_judge(w->data, chassis_now());
	audit(w->data, chassis_now());
	sessmgr_sr_link(w->data);
	sessmgr_publish(w->data);
}

static void start_timer(struct sessmgr *s, ev_timer *t,
                        void (*fn)(struct ev_loop *, ev_timer *, int), double every)
{
	ev_timer_init(t, fn, every, every);
	t->data = s;
	ev_timer_start(s->ctx->loop, t);
}

/* Without an active-charging service everything is forwarded by no rule, and counted so. */
static struct ecs_service *empty_service(void)
{
	struct ecs_service *svc = ecs_service_new("none");
	struct ecs_err e;

	if (svc && ecs_service_commit(svc, &e) < 0) {
		ecs_service_free(svc);
		return NULL;
	}
	return svc;
}

static const struct ecs_service *service_of(struct sessmgr *s, const struct chassis_config *c)
{
	if (!c->service && !s->none)
		s->none = empty_service();
	return c->service ? c->service : s->none;
}

/* --- another configuration --------------------------------------------------------------------- */

static int prepare(struct chassis_task_ctx *ctx, const struct chassis_config *next)
{
	struct sessmgr *s = ctx->priv;
	const struct ecs_service *svc = next ? service_of(s, next) : NULL;

	return next && !svc ? SRP_ENOMEM : ecs_engine_prepare(s->engine, svc);
}

static void reconfigured(struct chassis_task_ctx *ctx)
{
	struct sessmgr *s = ctx->priv;
	const struct chassis_config *c = ctx->shared->config;

	/* what it needs was taken by prepare() */
	(void)ecs_engine_reconfigure(s->engine, service_of(s, c), chassis_now());
	sessmgr_rate_configure(s);
	sessmgr_rules_note(ctx->slab, service_of(s, c));
	ecs_engine_tune(s->engine, c->srp.session_duration, c->srp.pending_s);
	if (s->gr) {
		recovery_replica_rate(s->gr, c->srp.rate, c->srp.burst);
		if (!c->srp.lz4)
			recovery_replica_plain(s->gr);
	}
	sessmgr_link_kick(s);
	sessmgr_sr_kick(s);
}

/* Memory for volumes that outlives this process; NULL without session recovery. */
static void *ledger_map(const struct chassis_task_ctx *ctx)
{
	int fd = ctx->shared->ledger_fd[ctx->instance];
	void *p;

	if (!ctx->shared->config->session_recovery || fd < 0)
		return NULL;
	p = mmap(NULL, CHASSIS_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (p == MAP_FAILED) {
		chassis_log(LOG_ERR, "volumes since the last checkpoint die with this process: %s",
		            strerror(errno));
		return NULL;
	}
	(void)madvise(p, CHASSIS_LEDGER_BYTES, MADV_DONTDUMP);
	return p;
}

static struct ecs_engine *new_engine(struct sessmgr *s)
{
	const struct chassis_config *c = s->ctx->shared->config;
	struct ecs_engine_config ec = {
		.service = service_of(s, c),
		.sink = &s->sink.sink, .ops = &sessmgr_engine_ops, .owner = s,
		.counters = &s->ctx->slab->ecs, .rule_stats = s->ctx->slab->rule, .dyn_stats = s->ctx->slab->dyn,
		.kpi = s->ctx->slab->kpi, .owed = &s->ctx->slab->owed,
		.limit_stats = s->ctx->slab->limit, .acted_stats = s->ctx->slab->acted,
		.handling = &s->ctx->slab->handling, .chassis_bit = (uint8_t)chassis_bit(c), .instance = (uint8_t)s->ctx->instance,
		.checkpoint_duration = c->srp.session_duration, .pending_timeout = c->srp.pending_s,
		.sessions_expected = 4096, .flows_expected = 16384,
		.ledger = s->ctx->instance ? ledger_map(s->ctx) : NULL,
		.crypto = &chassis_quic_crypto,
		.hops = 1, /* from the interface to the device */
		.ledger_len = CHASSIS_LEDGER_BYTES, .ledger_fresh = s->ctx->slab->starts <= 1,
	};

	if (!ec.service)
		return NULL;
	chassis_quic_crypto_warm();
	sessmgr_rules_align(s->ctx->slab, ec.service);
	arc4random_buf(&ec.seed, sizeof(ec.seed));
	return ecs_engine_new(&ec, chassis_now());
}

/* What a session manager has, whoever it will be. */
static struct sessmgr *sessmgr_new(struct chassis_task_ctx *ctx)
{
	struct sessmgr *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	ctx->priv = s;
	s->ctx = ctx;
	recovery_sink_init(&s->sink);
	if (sessmgr_news_start(s) < 0)
		return NULL; /* the process ends */
	s->engine = new_engine(s);
	if (!s->engine)
		return NULL;
	ecs_engine_active(s->engine, false, chassis_now());
	return s;
}

int sessmgr_replicas(struct sessmgr *s)
{
	int rc = SRP_OK;

	while (!s->hkey)
		arc4random_buf(&s->hkey, sizeof(s->hkey));
	if (!s->gr)
		rc = sessmgr_link_start(s);
	if (rc == SRP_OK && !s->sr.replica)
		rc = sessmgr_sr_start(s);
	return rc;
}

int sessmgr_serve(struct sessmgr *s)
{
	int rc = sessmgr_replicas(s);

	if (rc == SRP_OK)
		rc = sessmgr_link_connect(s);
	if (rc == SRP_OK)
		sessmgr_link_role(s);
	return rc;
}

/* @p again: another process has had this instance before. */
static int begin(struct sessmgr *s, bool again)
{
	const struct chassis_config *c = s->ctx->shared->config;
	double alive_s = c->srp.present && c->srp.dead_ms < 200 ? c->srp.dead_ms / 4000. : 0.05;
	int rc;

	sessmgr_records_start(s);
	sessmgr_trace_start(s);
	sessmgr_times_turn(s, chassis_now(), true);
	s->alive = s->audited = chassis_now();
	s->dead_us = c->srp.present ? SRP_MS(c->srp.dead_ms) : 0;
	s->sr.walk_due = again && !c->session_recovery;
	if (c->session_recovery && again)
		sessmgr_recover_start(s);
	else if (!again)
		sessmgr_news_walk(s);
	rc = sessmgr_tun_start(s);
	if (rc == SRP_OK && s->sr.phase == SESSMGR_SERVES)
		rc = sessmgr_serve(s);
	start_timer(s, &s->tick, on_tick, TICK_S);
	start_timer(s, &s->alive_timer, on_alive, alive_s);
	start_timer(s, &s->publish, on_publish, PUBLISH_S);
	return rc;
}

/* What is kept of each manager begins anew with its process; what is charged does not, nor what tells of
 * the losses. */
static void stats_anew(struct chassis_slab *slab)
{
	struct chassis_task_counters old = slab->task_ctr;

	memset(&slab->ecs, 0, sizeof(slab->ecs));
	memset(&slab->task_ctr, 0, sizeof(slab->task_ctr));
#define KEEP(name) slab->task_ctr.name = old.name
	KEEP(restarted_empty);
	KEEP(sr_recovered);
	KEEP(sr_refused);
	KEEP(sr_skipped);
	KEEP(sr_lost_bytes);
#undef KEEP
	slab->stats_since_us = chassis_now().us;
}

static int start(struct chassis_task_ctx *ctx)
{
	bool again = ctx->slab->starts > 1;
	struct sessmgr *s;

	if (!again || ctx->shared->config->session_recovery)
		stats_anew(ctx->slab);
	s = sessmgr_new(ctx);
	return s ? begin(s, again) : SRP_ENOMEM;
}

/* In parts: where memory is short this must be seen before the kernel ends somebody for it; and a
 * reservation that takes its time is no task that hangs. */
static int reserve(struct chassis_task_ctx *ctx, struct ecs_engine *e, uint64_t sessions, uint64_t flows)
{
	int rc = SRP_OK;

	for (uint64_t i = 1; i <= RESERVE_PARTS && rc == SRP_OK; i++) {
		rc = chassis_memory_short() ? SRP_ENOMEM
		     : ecs_engine_reserve(e, sessions * i / RESERVE_PARTS, flows * i / RESERVE_PARTS);
		stats_slab_beat(&ctx->slab->head, chassis_now().us);
	}
	return rc;
}

static int standby(struct chassis_task_ctx *ctx)
{
	const struct chassis_config *c = ctx->shared->config;
	struct chassis_slab *slab = ctx->slab;
	struct sessmgr *s = sessmgr_new(ctx);

	if (!s)
		return SRP_ENOMEM;
	if (reserve(ctx, s->engine, c->reserve_sessions, c->reserve_flows) < 0)
		snprintf(slab->not_ready, sizeof(slab->not_ready), "no memory for %u sessions and %u flows",
		         c->reserve_sessions, c->reserve_flows);
	slab->reserved_bytes = ecs_engine_reserved(s->engine);
	chassis_memory_settle();
	return SRP_OK;
}

static int become(struct chassis_task_ctx *ctx)
{
	struct sessmgr *s = ctx->priv;
	struct ecs_engine_identity id = {
		.instance = (uint8_t)ctx->instance, .counters = &ctx->slab->ecs,
		.rule_stats = ctx->slab->rule, .dyn_stats = ctx->slab->dyn, .handling = &ctx->slab->handling,
		.kpi = ctx->slab->kpi, .owed = &ctx->slab->owed,
		.limit_stats = ctx->slab->limit, .acted_stats = ctx->slab->acted,
		.ledger_len = CHASSIS_LEDGER_BYTES,
	};
	int rc;

	stats_anew(ctx->slab);
	sessmgr_rules_align(ctx->slab, ecs_engine_service(s->engine));
	id.ledger = ledger_map(ctx);
	rc = ecs_engine_assume(s->engine, &id);
	if (rc == SRP_ENOMEM)
		chassis_log(LOG_ERR, "volumes since the last checkpoint die with this process: no memory");
	else if (rc < 0)
		return rc;
	return begin(s, true);
}

static void stop(struct chassis_task_ctx *ctx)
{
	struct sessmgr *s = ctx->priv;

	sessmgr_tun_reading(s, false);
	sessmgr_records_stop(s);
	sessmgr_sr_stop(s);
	chassis_icap_free(s->icap);
	chassis_peer_free(s->peer);
	s->peer = NULL;
	chassis_task_exit(ctx, EXIT_SUCCESS);
}

const struct chassis_task_row chassis_task_sessmgr = {
	.task = CHASSIS_TASK_SESSMGR,
	.name = "sessmgr",
	.own_uid = true,
	.config_use = CHASSIS_CONFIG_WHOLE,
	.prepare = prepare,
	.reconfigured = reconfigured,
	.start = start,
	.standby = standby,
	.become = become,
	.stop = stop,
	.rx = rx,
	.peer = peer,
	.peers = {CHASSIS_TASK_SCT, CHASSIS_TASK_VPNMGR, CHASSIS_TASK_DEMUXMGR, CHASSIS_TASK_AAAMGR,
	          CHASSIS_TASK_SUPERVISOR},
};

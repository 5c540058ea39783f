/* aaamgr: holds the mirror of one session manager, in memory that outlives both of them: the receiver of
 * its session recovery replica. When the session manager dies, its successor reads that memory. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/registry.h"
#include "chassis/task/aaa_query.h"
#include "chassis/task/memory.h"
#include "chassis/task/task.h"
#include "recovery/replica.h"
#include "recovery/store.h"
#include "srp/err.h"

#define PUBLISH_S     0.1
/* What a mirror commonly takes; for the reservation of a standby. */
#define SESSION_BYTES 1536u
#define FLOW_BYTES    128u
#define PAGE          4096u
#define TOUCH_PART    (16u << 20)

struct aaamgr {
	struct chassis_task_ctx *ctx;
	void *mem;                      /* of the store, shared */
	struct recovery_store *store;   /* NULL: this process has received nothing yet */
	struct recovery_replica *replica;
	struct recovery_sink sink;      /* the replica's: what goes with a session leaves its lists */
	struct chassis_conn *conn;      /* to the session manager's replica */
	ev_timer due, publish;
	void *reserve;                  /* of a standby */
	size_t reserve_len;
};

/* --- what is published ------------------------------------------------------------------------- */

static void publish(struct aaamgr *a)
{
	struct recovery_store_stats st = {0};
	struct chassis_slab *slab = a->ctx->slab;

	if (a->store)
		recovery_store_stats(a->store, &st);
	slab->store_bytes = st.bytes;
	slab->store_sessions = st.sessions;
	slab->store_flows = st.flows;
	if (!a->replica)
		return;
	slab->link = recovery_replica_link(a->replica);
	if (a->conn)
		chassis_conn_bytes(a->conn, &slab->link_rx_bytes, &slab->link_tx_bytes);
}

static void on_publish(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	publish(w->data);
}

/* --- the replica ------------------------------------------------------------------------------- */

static void on_event(void *owner, enum recovery_event ev, const char *why)
{
	struct aaamgr *a = owner;

	switch (ev) {
	case RECOVERY_EV_SYNC:
		recovery_store_hkey(a->store, recovery_replica_hkey(a->replica));
		recovery_store_level(a->store, false);
		break;
	case RECOVERY_EV_FILLED:
		recovery_store_level(a->store, true);
		chassis_log(LOG_INFO, "holds all that sessmgr:%u has", a->ctx->instance);
		break;
	case RECOVERY_EV_PROTOCOL:
		chassis_log(LOG_ERR, "sessmgr:%u broke the protocol: %s", a->ctx->instance,
		            why ? why : "malformed");
		break;
	default:
		break;
	}
}

static size_t on_question(void *owner, const uint8_t *question, size_t len, uint8_t *answer, size_t cap,
                          struct srp_time now)
{
	return chassis_aaa_answer(((struct aaamgr *)owner)->store, question, len, answer, cap, now);
}

static const struct recovery_ops replica_ops = {.event = on_event, .question = on_question};

static void plan(struct aaamgr *a)
{
	struct srp_time now = chassis_now(), due = recovery_replica_due(a->replica);

	if (!due.us) {
		ev_timer_stop(a->ctx->loop, &a->due);
		return;
	}
	a->due.repeat = due.us > now.us ? (double)(due.us - now.us) / 1e6 : 0.0001;
	ev_timer_again(a->ctx->loop, &a->due);
}

static void on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct aaamgr *a = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	if (!a->conn)
		return;
	chassis_conn_kick(a->conn);
	plan(a);
}

/* --- the stream from the session manager ------------------------------------------------------- */

static void conn_up(void *owner, struct chassis_conn *c)
{
	struct aaamgr *a = owner;

	recovery_replica_up(a->replica, chassis_now());
	chassis_conn_kick(c);
}

static unsigned conn_state(void *owner)
{
	return recovery_replica_link(((struct aaamgr *)owner)->replica);
}

static int conn_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct aaamgr *a = owner;
	int rc;

	if (fd >= 0)
		close(fd);
	rc = recovery_replica_rx(a->replica, h, body, chassis_now());
	/* One that is being drained has nobody to answer to. */
	if (rc >= 0 && a->conn) {
		chassis_conn_kick(a->conn);
		plan(a);
	}
	return rc;
}

static size_t conn_tx(void *owner, uint8_t *buf, size_t cap, bool *more)
{
	return recovery_replica_tx(((struct aaamgr *)owner)->replica, buf, cap, chassis_now(), more);
}

static void conn_down(void *owner, int err, const char *why)
{
	struct aaamgr *a = owner;

	a->conn = NULL;
	ev_timer_stop(a->ctx->loop, &a->due);
	recovery_replica_down(a->replica, chassis_now());
	chassis_log(err == SRP_ECLOSED ? LOG_DEBUG : LOG_ERR, "stream of sessmgr:%u: %s",
	            a->ctx->instance, why);
}

static const struct chassis_conn_ops conn_ops = {
	.up = conn_up, .state = conn_state, .rx = conn_rx, .tx = conn_tx, .down = conn_down,
};

/* Takes what has arrived, and lets go of the stream. */
static void conn_end(struct aaamgr *a)
{
	struct chassis_conn *c = a->conn;

	if (!c)
		return;
	chassis_conn_drain(c);
	if (!a->conn)
		return; /* down has been told */
	a->conn = NULL;
	ev_timer_stop(a->ctx->loop, &a->due);
	recovery_replica_down(a->replica, chassis_now());
	chassis_conn_close(c);
}

/* --- the store --------------------------------------------------------------------------------- */

static void forget(struct aaamgr *a)
{
	recovery_replica_free(a->replica);
	a->replica = NULL;
	a->sink.replica[SRP_REPLICA_SR] = NULL;
	recovery_store_free(a->store);
	a->store = NULL;
}

/* An empty store in memory that is given back first, and a replica that receives into it. */
static int format(struct aaamgr *a)
{
	struct chassis_slab *slab = a->ctx->slab;
	struct recovery_config rc = {
		.id = SRP_REPLICA_SR, .ops = &replica_ops, .ops_owner = a,
		.counters = slab->kind[SRP_REPLICA_SR], .totals = &slab->replica[SRP_REPLICA_SR],
		.instance = a->ctx->instance, .nkinds = chassis_nkinds, .sink = &a->sink,
		.sole_link = true,
	};
	uint64_t seed;

	forget(a);
	if (madvise(a->mem, CHASSIS_STORE_BYTES, MADV_REMOVE) < 0)
		chassis_log(LOG_WARNING, "memory of the store is not given back: %s", strerror(errno));
	arc4random_buf(&seed, sizeof(seed));
	arc4random_buf(&rc.random, sizeof(rc.random));
	a->store = recovery_store_new(a->mem, CHASSIS_STORE_BYTES, chassis_kinds, chassis_nkinds, seed);
	if (!a->store)
		return SRP_ENOMEM;
	recovery_sink_init(&a->sink);
	recovery_store_sink(a->store, &a->sink.sink);
	rc.kinds = recovery_store_kinds(a->store);
	rc.ckpt_owner = a->store;
	a->replica = recovery_replica_new(&rc);
	if (!a->replica) {
		forget(a);
		return SRP_ENOMEM;
	}
	a->sink.replica[SRP_REPLICA_SR] = a->replica;
	recovery_replica_role(a->replica, SRP_ROLE_STANDBY, 0, false, chassis_now());
	return SRP_OK;
}

/* What a successor of the session manager can have of the memory. */
static enum recovery_view_state judge(const struct aaamgr *a)
{
	struct recovery_view *v = recovery_view_open(a->mem, CHASSIS_STORE_BYTES, chassis_kinds,
	                                             chassis_nkinds, NULL);
	enum recovery_view_state state = recovery_view_state(v);

	recovery_view_free(v);
	return state;
}

/* --- the session manager ----------------------------------------------------------------------- */

static void tell_state(struct aaamgr *a)
{
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, judge(a));
	chassis_task_send(a->ctx, CHASSIS_TASK_SESSMGR, a->ctx->instance, CHASSIS_IPC_SR_STORE, &w, -1);
}

/* [mode] and the stream. Without one: what is held is true no more, and none follows. */
static int rx_link(struct aaamgr *a, struct srp_mp_r *r, int fd)
{
	uint32_t n = srp_mp_array(r, 8);
	uint64_t mode = srp_mp_uint(r, 1);
	int rc = SRP_OK;

	if (n < 1 || r->err) {
		if (fd >= 0)
			close(fd);
		return SRP_EFORMAT;
	}
	conn_end(a);
	if (mode == 0 || !a->store)
		rc = format(a);
	if (rc < 0)
		chassis_log(LOG_ERR, "no store for sessmgr:%u: %s", a->ctx->instance, srp_strerror(rc));
	if (rc < 0 && fd >= 0)
		close(fd);
	if (rc < 0 || fd < 0)
		return SRP_OK;
	a->conn = chassis_conn_new(a->ctx->loop, fd, NULL, false, &recovery_frames, &conn_ops, a);
	return a->conn ? SRP_OK : SRP_ENOMEM;
}

static int rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
              const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct aaamgr *a = ctx->priv;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);

	if (a && a->mem && from == CHASSIS_TASK_SESSMGR && instance == ctx->instance &&
	    h->type == CHASSIS_IPC_SR_LINK)
		return rx_link(a, &r, fd);
	if (fd >= 0)
		close(fd);
	ctx->slab->task_ctr.frames_refused++;
	return SRP_OK;
}

static void peer(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up)
{
	struct aaamgr *a = ctx->priv;

	if (!a->mem || task != CHASSIS_TASK_SESSMGR || instance != ctx->instance)
		return;
	/* The dead one writes no more: what is in the stream now is all it has written. */
	if (!up)
		conn_end(a);
	else
		tell_state(a);
}

/* --- life -------------------------------------------------------------------------------------- */

static void reserve_free(struct aaamgr *a)
{
	if (a->reserve)
		munmap(a->reserve, a->reserve_len);
	a->reserve = NULL;
	a->ctx->slab->reserved_bytes = 0;
}

/* What is kept of each manager begins anew with its process. */
static void stats_anew(struct chassis_slab *slab)
{
	memset(&slab->task_ctr, 0, sizeof(slab->task_ctr));
	slab->stats_since_us = chassis_now().us;
}

static int serve(struct aaamgr *a)
{
	int fd = a->ctx->shared->store_fd[a->ctx->instance];
	void *mem;

	stats_anew(a->ctx->slab);
	mem = fd < 0 ? MAP_FAILED
		: mmap(NULL, CHASSIS_STORE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (mem == MAP_FAILED) {
		snprintf(a->ctx->slab->not_ready, sizeof(a->ctx->slab->not_ready),
		         "no address space for the store: %s", fd < 0 ? "there is none" : strerror(errno));
		return SRP_ENOMEM;
	}
	(void)madvise(mem, CHASSIS_STORE_BYTES, MADV_DONTDUMP);
	a->mem = mem;
	ev_init(&a->due, on_due);
	ev_timer_init(&a->publish, on_publish, PUBLISH_S, PUBLISH_S);
	a->due.data = a->publish.data = a;
	ev_timer_start(a->ctx->loop, &a->publish);
	publish(a);
	return SRP_OK;
}

static struct aaamgr *aaamgr_new(struct chassis_task_ctx *ctx)
{
	struct aaamgr *a = calloc(1, sizeof(*a));

	if (a) {
		ctx->priv = a;
		a->ctx = ctx;
	}
	return a;
}

static int start(struct chassis_task_ctx *ctx)
{
	struct aaamgr *a = aaamgr_new(ctx);

	return a ? serve(a) : SRP_ENOMEM;
}

/* In parts: where memory is short this must be seen before the kernel ends somebody for it. */
static int touch(uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len; at += PAGE) {
		if (at % TOUCH_PART == 0 && chassis_memory_short())
			return SRP_ENOMEM;
		p[at] = 1;
	}
	return SRP_OK;
}

/* The memory that the mirror of the reserved sessions needs is held until it becomes somebody, so that it
 * is there then. */
static int standby(struct chassis_task_ctx *ctx)
{
	const struct chassis_config *c = ctx->shared->config;
	struct aaamgr *a = aaamgr_new(ctx);
	size_t len = (size_t)c->reserve_sessions * SESSION_BYTES + (size_t)c->reserve_flows * FLOW_BYTES;
	void *p;

	if (!a)
		return SRP_ENOMEM;
	if (!len)
		return SRP_OK;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED && touch(p, len) < 0) {
		munmap(p, len);
		p = MAP_FAILED;
	}
	if (p == MAP_FAILED) {
		snprintf(ctx->slab->not_ready, sizeof(ctx->slab->not_ready),
		         "no memory for %u sessions and %u flows", c->reserve_sessions, c->reserve_flows);
		return SRP_OK;
	}
	a->reserve = p;
	a->reserve_len = len;
	ctx->slab->reserved_bytes = len;
	return SRP_OK;
}

static int become(struct chassis_task_ctx *ctx)
{
	struct aaamgr *a = ctx->priv;

	reserve_free(a);
	return serve(a);
}

static void stop(struct chassis_task_ctx *ctx)
{
	struct aaamgr *a = ctx->priv;

	chassis_conn_close(a->conn);
	a->conn = NULL;
	chassis_task_exit(ctx, EXIT_SUCCESS);
}

const struct chassis_task_row chassis_task_aaamgr = {
	.task = CHASSIS_TASK_AAAMGR,
	.name = "aaamgr",
	.own_uid = true,
	.start = start,
	.standby = standby,
	.become = become,
	.stop = stop,
	.rx = rx,
	.peer = peer,
	.peers = {CHASSIS_TASK_SESSMGR, CHASSIS_TASK_SUPERVISOR},
};

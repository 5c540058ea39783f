/* demuxmgr: places sessions on instances, gives out call-ids and addresses, feeds the steering map.
 * It holds nothing that the sessmgrs do not know: after its death it is rebuilt from them. */
#include "config.h"
#include "chassis/task/demuxmgr.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/task/commands.h"
#include "chassis/task/peer.h"
#include "srp/err.h"

#define REQUESTS_MAX 65536u /* outstanding requests to the sessmgrs */
#define ASIDE_S      0.5    /* how often the end of displaced sessions is asked for */
#define ASIDE_TURN   1000u  /* of them at once */
#define YOUNGER_US   SRP_SEC(2) /* ages come by checkpoint in seconds */

void demuxmgr_done(struct demuxmgr *d, uint32_t id, int status, const char *text, uint64_t value)
{
	uint8_t buf[512];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	if (!id)
		return;
	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, id);
	srp_mp_w_int(&w, status);
	srp_mp_w_strn(&w, text, strnlen(text, 400));
	srp_mp_w_uint(&w, value);
	chassis_task_send(d->ctx, CHASSIS_TASK_SCT, 0, CHASSIS_IPC_DONE, &w, -1);
}

void demuxmgr_steer(struct demuxmgr *d, const struct chassis_call *call, bool set)
{
	const struct ecs_addr *a[2] = {call->has4 ? &call->v4 : NULL, call->has6 ? &call->v6 : NULL};

	for (int i = 0; d->steer && i < 2; i++) {
		int rc = !a[i] ? 0
		         : set ? chassis_steer_set(d->steer, a[i], call->instance - 1)
		               : chassis_steer_del(d->steer, a[i]);

		if (rc < 0 && rc != SRP_ENOENT)
			d->ctx->slab->task_ctr.steer_failed++;
	}
}

struct request *demuxmgr_request_new(struct demuxmgr *d)
{
	struct request *q = HASH_COUNT(d->requests) < REQUESTS_MAX ? calloc(1, sizeof(*q)) : NULL;

	if (!q)
		return NULL;
	do
		q->id = ++d->next_id;
	while (!q->id);
	HASH_ADD(hh, d->requests, id, sizeof(q->id), q);
	return q;
}

void demuxmgr_request_free(struct demuxmgr *d, struct request *q)
{
	HASH_DELETE(hh, d->requests, q);
	free(q);
}

/* @p q NULL: nobody waits, another session has the address. */
static int ask_end(struct demuxmgr *d, struct request *q, unsigned instance, uint32_t callid)
{
	uint8_t buf[64];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, q ? q->id : 0);
	srp_mp_w_uint(&w, callid);
	srp_mp_w_uint(&w, q ? ECS_END_OPERATOR : ECS_END_REPLACED);
	return chassis_task_send(d->ctx, CHASSIS_TASK_SESSMGR, instance, CHASSIS_IPC_SESSION_END, &w, -1);
}

static void session_del(struct demuxmgr *d, uint32_t id, uint32_t callid)
{
	const struct chassis_call *call = callid ? chassis_calls_find(d->calls, callid) : NULL;
	struct request *q;

	if (!srp_role_permit[d->role].new_sessions)
		return demuxmgr_done(d, id, SRP_EROLE, "this chassis is not active", 0);
	if (callid && !call)
		return demuxmgr_done(d, id, SRP_ENOENT, "no such session", 0);
	q = demuxmgr_request_new(d);
	if (!q)
		return demuxmgr_done(d, id, SRP_EBUSY, "too many requests", 0);
	q->sct_id = id;
	q->callid = callid;
	q->instance = call ? call->instance : 0;
	for (unsigned i = 1; i <= d->ctx->shared->nsessmgr; i++)
		if ((!call || call->instance == i) && ask_end(d, q, i, callid) == 0)
			q->waits_for++;
	if (!q->waits_for) {
		demuxmgr_done(d, id, SRP_EBUSY, "no session manager is ready", 0);
		demuxmgr_request_free(d, q);
	}
}

static int rx_command(struct demuxmgr *d, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 32);
	uint32_t id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	uint64_t cmd = srp_mp_uint(r, CHASSIS_CMD__N - 1);

	if (n < 2 || r->err)
		return SRP_EFORMAT;
	if (cmd == CHASSIS_CMD_SESSION_ADD)
		demuxmgr_add(d, id, r);
	else if (cmd == CHASSIS_CMD_SESSION_DEL)
		session_del(d, id, (uint32_t)srp_mp_uint(r, UINT32_MAX));
	else
		demuxmgr_done(d, id, SRP_ETYPE, "not a command of demuxmgr", 0);
	return SRP_OK;
}

static void call_down(struct demuxmgr *d, const struct chassis_call *call)
{
	const struct chassis_call *known = chassis_calls_find(d->calls, call->callid);

	if (known && known->instance == call->instance)
		demuxmgr_steer(d, known, false);
	(void)chassis_calls_remove(d->calls, call->callid, call->instance);
}

/* A sessmgr's answer: [id, status, callid, text]. */
static int rx_done(struct demuxmgr *d, unsigned instance, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8), id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	int64_t status = srp_mp_int(r);
	uint32_t callid = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	struct request *q;
	char text[256];

	srp_mp_str(r, text, sizeof(text));
	if (n < 4 || r->err)
		return SRP_EFORMAT;
	/* It does not hold what we thought it holds. */
	if (status == SRP_ENOSESS && callid)
		call_down(d, &(struct chassis_call){.callid = callid, .instance = instance});
	HASH_FIND(hh, d->requests, &id, sizeof(id), q);
	if (!q || --q->waits_for)
		return SRP_OK; /* of a sessmgr that was restarted meanwhile, or one of several */
	if (q->creates && status < 0) {
		const struct chassis_call *call = chassis_calls_find(d->calls, q->callid);

		if (call)
			demuxmgr_steer(d, call, false);
		chassis_calls_remove(d->calls, q->callid, q->instance);
		d->ctx->slab->task_ctr.sessions_refused++;
	} else if (q->creates) {
		d->ctx->slab->task_ctr.sessions_placed++;
	}
	demuxmgr_done(d, q->sct_id, (int)status, text, callid);
	demuxmgr_request_free(d, q);
	return SRP_OK;
}

static void get_addr(struct srp_mp_r *r, bool *has, struct ecs_addr *out)
{
	size_t n;
	const uint8_t *p;

	*has = !srp_mp_nil(r);
	if (!*has)
		return;
	p = srp_mp_bin(r, sizeof(out->b), sizeof(out->b), &n);
	if (p)
		memcpy(out->b, p, sizeof(out->b));
}

static void end_aside(void *arg, const struct chassis_call *call)
{
	struct demuxmgr *d = arg;

	if (d->aside_left && d->aside_left-- && ask_end(d, NULL, call->instance, call->callid) == 0)
		d->ctx->slab->task_ctr.sessions_displaced++;
}

/* Two instances hold one address: after a partition, or where the end of a session was lost with
 * its chassis. On the standby that passes, for the active ends one of them; the active must end it
 * itself, and asks until it is gone. */
static void on_aside(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct demuxmgr *d = w->data;

	(void)loop;
	(void)revents;
	d->aside_left = ASIDE_TURN;
	if (srp_role_permit[d->role].new_sessions)
		chassis_calls_aside(d->calls, end_aside, d);
}

static void put_aside(struct demuxmgr *d, const struct chassis_call *call)
{
	if (chassis_calls_put_aside(d->calls, call) < 0)
		chassis_log(LOG_ERR, "no memory to keep call %08x in mind", call->callid);
}

/* The younger one has the address: a subscriber who came again is not where he was. On the standby,
 * and where both are about as old, it is who is told last. */
static void call_up(struct demuxmgr *d, const struct chassis_call *call)
{
	uint32_t holder;

	while (chassis_calls_add(d->calls, call, &holder) == SRP_EDUP) {
		struct chassis_call old = *chassis_calls_find(d->calls, holder);

		if (srp_role_permit[d->role].new_sessions &&
		    call->created_us + YOUNGER_US < old.created_us) {
			put_aside(d, call);
			return;
		}
		demuxmgr_steer(d, &old, false);
		put_aside(d, &old);
	}
	demuxmgr_steer(d, call, true);
}

static void unsteer(void *arg, const struct chassis_call *call)
{
	demuxmgr_steer(arg, call, false);
}

/* What a dead session manager was asked for, and did not answer: its successor has it, or has it not. */
static void settle_doubt(struct demuxmgr *d, struct request *q)
{
	const struct chassis_call *call = chassis_calls_find(d->calls, q->callid);
	bool there = call && call->instance == q->instance && call->told == d->walk[q->instance];

	if (there) {
		d->ctx->slab->task_ctr.sessions_placed++;
	} else {
		/* It was never said to be there. */
		d->ctx->slab->task_ctr.sessions_refused++;
		if (call)
			call_down(d, &(struct chassis_call){.callid = q->callid, .instance = q->instance});
	}
	demuxmgr_done(d, q->sct_id, there ? SRP_OK : SRP_ECLOSED, there ? "" : "the session manager died",
	              there ? q->callid : 0);
	demuxmgr_request_free(d, q);
}

/* The instance has told all it holds: what it was thought to hold besides is gone, but for what it
 * was asked for and has not made yet. */
static void all_told(struct demuxmgr *d, unsigned instance)
{
	struct request *q, *tmp;
	size_t n;

	HASH_ITER(hh, d->requests, q, tmp) {
		if (!q->creates || q->instance != instance)
			continue;
		if (q->in_doubt)
			settle_doubt(d, q);
		else
			chassis_calls_touch(d->calls, q->callid, d->walk[instance]);
	}
	n = chassis_calls_sweep(d->calls, instance, d->walk[instance], unsteer, d);
	d->told[instance] = true;
	if (d->died[instance] && n) {
		d->ctx->slab->task_ctr.sr_lost_sessions += n;
		chassis_log(LOG_ERR, "Session Manager task recovery: %zu session%s lost of those of sessmgr:%u",
		            n, n == 1 ? " is" : "s are", instance);
	}
	d->died[instance] = false;
}

/* See CHASSIS_NEWS_FIELDS. */
static int rx_calls(struct demuxmgr *d, unsigned instance, struct srp_mp_r *r, bool up)
{
	uint32_t n = srp_mp_array(r, 4096);
	uint64_t walk = srp_mp_uint(r, CHASSIS_NEWS_FIRST | CHASSIS_NEWS_LAST);

	if (walk & CHASSIS_NEWS_FIRST) {
		d->walk[instance]++;
		d->told[instance] = false;
	}
	for (uint32_t i = 1; i + CHASSIS_NEWS_FIELDS <= n && !r->err; i += CHASSIS_NEWS_FIELDS) {
		struct chassis_call call = {.instance = instance, .told = d->walk[instance]};

		call.callid = (uint32_t)srp_mp_uint(r, UINT32_MAX);
		get_addr(r, &call.has4, &call.v4);
		get_addr(r, &call.has6, &call.v6);
		call.created_us = srp_mp_uint(r, UINT64_MAX);
		if (r->err)
			break;
		if (up)
			call_up(d, &call);
		else
			call_down(d, &call);
	}
	if (!r->err && walk & CHASSIS_NEWS_LAST)
		all_told(d, instance);
	return r->err;
}

/* Sends the packet to the instance that holds its subscriber: [dir, vnet, packet]. */
static void hand_on(struct demuxmgr *d, unsigned instance, uint64_t dir, const uint8_t *vnet,
                    size_t nvnet, const uint8_t *pkt, size_t len)
{
	static uint8_t buf[16384];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 3);
	srp_mp_w_uint(&w, dir);
	srp_mp_w_bin(&w, vnet, nvnet);
	srp_mp_w_bin(&w, pkt, len);
	if (!w.err &&
	    chassis_task_send(d->ctx, CHASSIS_TASK_SESSMGR, instance, CHASSIS_IPC_FOREIGN, &w, -1) == 0)
		d->ctx->slab->task_ctr.foreign++;
	else
		d->ctx->slab->task_ctr.foreign_too_long++;
}

/* [dir, address, vnet, packet] from a sessmgr that does not know the subscriber. */
static int rx_unknown(struct demuxmgr *d, unsigned from, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8);
	uint64_t dir = srp_mp_uint(r, ECS_DOWNLINK);
	const struct chassis_call *call;
	size_t nvnet, len;
	const uint8_t *vnet, *pkt;
	struct ecs_addr a;
	unsigned instance;
	bool has;

	get_addr(r, &has, &a);
	vnet = srp_mp_bin(r, 0, 16, &nvnet);
	pkt = srp_mp_bin(r, 1, 16000, &len);
	if (n < 4 || r->err || !has)
		return SRP_EFORMAT;
	call = chassis_calls_by_addr(d->calls, &a);
	if (call && call->instance != from)
		demuxmgr_steer(d, call, true);
	/* Only what a subscriber sends creates a session: who scans a pool from outside must not. */
	if (!call && dir != ECS_UPLINK) {
		d->ctx->slab->task_ctr.unknown_no_pool++;
		return SRP_OK;
	}
	instance = call ? call->instance : demuxmgr_first_packet(d, &a);
	/* The sessmgr that asks may have been told of the session since; if not, it counts the drop. */
	if (instance)
		hand_on(d, instance, dir, vnet, nvnet, pkt, len);
	return SRP_OK;
}

static int rx_role(struct demuxmgr *d, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8);
	uint64_t role = srp_mp_uint(r, SRP_ROLE__N - 1);

	if (n < 1 || r->err)
		return SRP_EFORMAT;
	d->role = (enum srp_role)role;
	/* What is missing here is the new active's to miss. */
	if (!srp_role_permit[d->role].owns_timers)
		memset(d->died, 0, sizeof(d->died));
	return SRP_OK;
}

static int rx(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
              const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct demuxmgr *d = ctx->priv;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);

	(void)from;
	if (fd >= 0)
		close(fd);
	switch (h->type) {
	case CHASSIS_IPC_ROLE:         return rx_role(d, &r);
	case CHASSIS_IPC_COMMAND:      return rx_command(d, &r);
	case CHASSIS_IPC_SESSION_DONE: return rx_done(d, instance, &r);
	case CHASSIS_IPC_SESSION_UP:   return rx_calls(d, instance, &r, true);
	case CHASSIS_IPC_SESSION_DOWN: return rx_calls(d, instance, &r, false);
	case CHASSIS_IPC_UNKNOWN:      return rx_unknown(d, instance, &r);
	}
	ctx->slab->task_ctr.frames_refused++;
	return SRP_OK;
}

/* A sessmgr is gone. On the active its successor gets its calls back, from the mirror or from the peer:
 * until it tells what it holds they are its calls still, their addresses are not free, and are steered to
 * it. On a standby they are gone with it. Its requests have failed. */
static void sessmgr_gone(struct demuxmgr *d, unsigned instance)
{
	bool comes_back = srp_role_permit[d->role].owns_timers;
	size_t n = comes_back ? 0 : chassis_calls_drop(d->calls, instance, unsteer, d);
	struct request *q, *tmp;

	d->told[instance] = false;
	d->died[instance] = comes_back;
	HASH_ITER(hh, d->requests, q, tmp) {
		if (q->instance && q->instance != instance)
			continue;
		if (comes_back && q->creates) {
			q->in_doubt = true;
			continue;
		}
		if (q->instance || --q->waits_for == 0) {
			demuxmgr_done(d, q->sct_id, SRP_ECLOSED, "the session manager died", 0);
			demuxmgr_request_free(d, q);
		}
	}
	if (n)
		chassis_log(LOG_INFO, "sessmgr:%u is gone with %zu call%s", instance, n, n == 1 ? "" : "s");
}

static void peer(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up)
{
	struct demuxmgr *d = ctx->priv;

	if (task == CHASSIS_TASK_SESSMGR && !up)
		sessmgr_gone(d, instance);
}

static int start(struct chassis_task_ctx *ctx)
{
	struct demuxmgr *d = calloc(1, sizeof(*d));
	const struct chassis_slab *vpn = ctx->shared->slab[chassis_slot(CHASSIS_TASK_VPNMGR, 0)];
	uint32_t start_id;

	if (!d)
		return SRP_ENOMEM;
	arc4random_buf(&start_id, sizeof(start_id));
	d->ctx = ctx;
	d->role = (enum srp_role)vpn->role.role;
	d->calls = chassis_calls_new(chassis_bit(ctx->shared->config), start_id);
	d->steer = ctx->shared->steer_map_fd < 0 ? NULL : chassis_steer_from_map(ctx->shared->steer_map_fd);
	ctx->priv = d;
	ev_timer_init(&d->aside, on_aside, ASIDE_S, ASIDE_S);
	d->aside.data = d;
	ev_timer_start(ctx->loop, &d->aside);
	demuxmgr_add_start(d);
	return d->calls ? SRP_OK : SRP_ENOMEM;
}

static void stop(struct chassis_task_ctx *ctx)
{
	chassis_task_exit(ctx, EXIT_SUCCESS);
}

/* The map is written through its descriptor; the kernel asks CAP_BPF for each call (capability 39). */
const struct chassis_task_row chassis_task_demuxmgr = {
	.task = CHASSIS_TASK_DEMUXMGR,
	.name = "demuxmgr",
	.config_use = CHASSIS_CONFIG_WHOLE,
	.capabilities = UINT64_C(1) << 39,
	.own_uid = true,
	.start = start,
	.stop = stop,
	.rx = rx,
	.peer = peer,
	.peers = {CHASSIS_TASK_SCT, CHASSIS_TASK_VPNMGR, CHASSIS_TASK_SESSMGR, CHASSIS_TASK_SUPERVISOR},
};

/* demuxmgr: places sessions on instances, gives out call-ids and addresses, feeds the steering map.
 * It holds nothing that the sessmgrs do not know: after its death it is rebuilt from them. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/io/tun.h"
#include "chassis/task/calls.h"
#include "chassis/task/commands.h"
#include "chassis/task/demux_wait.h"
#include "chassis/task/peer.h"
#include "chassis/task/task.h"
#include "chassis/task/hash.h"
#include "srp/err.h"

#define REQUESTS_MAX 65536u /* outstanding requests to the sessmgrs */
#define ASIDE_S      0.5    /* how often the end of displaced sessions is asked for */
#define ASIDE_TURN   1000u  /* of them at once */
#define WAIT_S       0.01   /* how often those that wait for a recovery are looked at */
#define YOUNGER_US   SRP_SEC(2) /* ages come by checkpoint in seconds */

/* A request that a sessmgr has not answered yet. */
struct request {
	uint32_t id;
	uint32_t sct_id;       /* 0: nobody waits (first packet) */
	uint32_t callid;
	unsigned instance;
	unsigned waits_for;    /* answers still to come (deletion of all) */
	bool creates;
	bool in_doubt;         /* its session manager has died: the successor tells whether it was done */
	UT_hash_handle hh;
};

struct demuxmgr {
	struct chassis_task_ctx *ctx;
	struct chassis_calls *calls;
	struct chassis_steer *steer;
	struct request *requests;
	uint32_t next_id;
	enum srp_role role;
	bool told[CHASSIS_SESSMGRS_MAX + 1]; /* the instance has told all its calls */
	uint32_t walk[CHASSIS_SESSMGRS_MAX + 1]; /* number of the walk in which it tells them */
	ev_timer aside;
	ev_timer look;       /* at what waits */
	struct demux_wait waiting;
	unsigned aside_left; /* that may be asked for in this turn */
};

static void done(struct demuxmgr *d, uint32_t id, int status, const char *text, uint64_t value)
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

static void steer(struct demuxmgr *d, const struct chassis_call *call, bool set)
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

static bool usable(void *arg, unsigned instance)
{
	struct demuxmgr *d = arg;

	return d->told[instance] && chassis_task_connected(d->ctx, CHASSIS_TASK_SESSMGR, instance);
}

/* New sessions wait until every instance that lives has told what it holds: an address that looks
 * free could be one of theirs. */
static bool recovering(const struct demuxmgr *d)
{
	for (unsigned i = 1; i <= d->ctx->shared->nsessmgr; i++)
		if (!d->told[i] ||
		    !d->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i)]->complete)
			return true;
	return false;
}

static const char *not_now(const struct demuxmgr *d)
{
	if (!srp_role_permit[d->role].new_sessions)
		return "this chassis is not active";
	return recovering(d) ? "recovery in progress" : NULL;
}

static struct request *request_new(struct demuxmgr *d)
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

static void request_free(struct demuxmgr *d, struct request *q)
{
	HASH_DELETE(hh, d->requests, q);
	free(q);
}

/* Places a session and asks its instance for it; 0 or a refusal with its text. */
static int place(struct demuxmgr *d, struct ecs_session_spec *spec, uint32_t sct_id,
                 const char **text, unsigned *instance)
{
	struct chassis_call call = {.has4 = spec->has4, .has6 = spec->has6, .v4 = spec->v4, .v6 = spec->v6};
	uint8_t buf[1024];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct request *q;
	uint32_t holder;
	int rc;

	call.created_us = chassis_now().us;
	call.instance = chassis_calls_place(d->calls, (unsigned)d->ctx->shared->nsessmgr, usable, d);
	if (!call.instance) {
		*text = "no session manager is ready";
		return SRP_EBUSY;
	}
	q = request_new(d);
	if (!q) {
		*text = "too many requests";
		return SRP_EBUSY;
	}
	call.callid = spec->callid = chassis_calls_id(d->calls);
	rc = chassis_calls_add(d->calls, &call, &holder);
	if (rc == 0) {
		srp_mp_w_array(&w, 1 + CHASSIS_SPEC_FIELDS);
		srp_mp_w_uint(&w, q->id);
		chassis_spec_put(&w, spec);
		rc = chassis_task_send(d->ctx, CHASSIS_TASK_SESSMGR, call.instance, CHASSIS_IPC_SESSION_NEW,
		                       &w, -1);
		if (rc < 0)
			chassis_calls_remove(d->calls, call.callid, call.instance);
	}
	if (rc < 0) {
		*text = rc == SRP_EDUP ? "the address is held by another session" : srp_strerror(rc);
		request_free(d, q);
		return rc;
	}
	q->sct_id = sct_id;
	q->callid = call.callid;
	q->instance = call.instance;
	q->creates = true;
	q->waits_for = 1;
	steer(d, &call, true);
	*instance = call.instance;
	return SRP_OK;
}

/* "auto" takes an address from the first pool of the family that has one; "" is none. */
static int spec_addr(struct demuxmgr *d, const char *s, bool v6, bool *has, struct ecs_addr *out)
{
	const struct chassis_config *conf = d->ctx->shared->config;

	*has = s[0] != '\0';
	if (!*has)
		return SRP_OK;
	if (strcmp(s, "auto") != 0) {
		char plain[64];

		/* "2001:db8:1::/64" is accepted for the prefix that it is. */
		snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(s, "/"), s);
		if (ecs_addr_parse(plain, out) < 0 || ecs_addr_is4(out) == v6)
			return SRP_EFORMAT;
		*out = chassis_addr_prefix(out);
		return SRP_OK;
	}
	for (size_t i = 0; i < conf->npool; i++)
		if (conf->pool[i].v6 == v6 &&
		    chassis_calls_address(d->calls, &conf->pool[i], out) == SRP_OK)
			return SRP_OK;
	return SRP_EFULL;
}

/* [imsi, username, apn, v4, v6, rulebase, idle]: reads the operator's session. */
static const char *read_add(struct demuxmgr *d, struct srp_mp_r *r, struct ecs_session_spec *spec)
{
	const struct chassis_apn *apn;
	char v4[64], v6[64];

	memset(spec, 0, sizeof(*spec));
	srp_mp_str(r, spec->imsi, sizeof(spec->imsi));
	srp_mp_str(r, spec->username, sizeof(spec->username));
	srp_mp_str(r, spec->apn, sizeof(spec->apn));
	srp_mp_str(r, v4, sizeof(v4));
	srp_mp_str(r, v6, sizeof(v6));
	srp_mp_str(r, spec->rulebase, sizeof(spec->rulebase));
	spec->idle_timeout = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	if (r->err)
		return "malformed session: a value is too long";
	if (spec->imsi[strspn(spec->imsi, "0123456789")])
		return "an imsi is decimal digits";
	apn = spec->apn[0] ? chassis_config_apn(d->ctx->shared->config, spec->apn) : NULL;
	if (apn && !spec->rulebase[0])
		memcpy(spec->rulebase, apn->rulebase, sizeof(spec->rulebase));
	if (apn && !spec->idle_timeout)
		spec->idle_timeout = apn->idle_timeout;
	if (!spec->rulebase[0])
		strcpy(spec->rulebase, "default");
	if (spec_addr(d, v4, false, &spec->has4, &spec->v4) < 0)
		return "not an IPv4 address, or no address is free";
	if (spec_addr(d, v6, true, &spec->has6, &spec->v6) < 0)
		return "not an IPv6 address, or no address is free";
	return spec->has4 || spec->has6 ? NULL : "a session needs an address";
}

/* True when the request waits for the end of a recovery. */
static bool wait_for_it(struct demuxmgr *d, uint32_t id, const struct srp_mp_r *r)
{
	if (!d->ctx->shared->config->session_recovery || !srp_role_permit[d->role].new_sessions ||
	    demux_wait_put(&d->waiting, id, r->p, srp_mp_left(r), chassis_now()) < 0)
		return false;
	if (!ev_is_active(&d->look)) {
		ev_timer_set(&d->look, WAIT_S, WAIT_S);
		ev_timer_start(d->ctx->loop, &d->look);
	}
	return true;
}

static void session_add(struct demuxmgr *d, uint32_t id, struct srp_mp_r *r)
{
	struct ecs_session_spec spec;
	const char *text = not_now(d);
	unsigned instance;
	int rc = SRP_EROLE;

	if (text && wait_for_it(d, id, r))
		return;
	if (!text) {
		rc = SRP_EINVAL;
		text = read_add(d, r, &spec);
	}
	if (!text)
		rc = place(d, &spec, id, &text, &instance);
	if (rc < 0) {
		d->ctx->slab->task_ctr.sessions_refused++;
		done(d, id, rc, text, 0);
	}
}

static void on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct demuxmgr *d = w->data;
	const struct demux_waiting *q;
	struct srp_time now = chassis_now();

	(void)revents;
	while ((q = demux_wait_first(&d->waiting)) != NULL) {
		const char *text = not_now(d);
		struct srp_mp_r r = srp_mp_r_init(q->body, q->len);

		if (!text) {
			session_add(d, q->id, &r);
		} else if (recovering(d) && srp_role_permit[d->role].new_sessions &&
		           !demux_wait_late(q, now)) {
			return;
		} else {
			d->ctx->slab->task_ctr.sessions_refused++;
			done(d, q->id, SRP_EROLE, text, 0);
		}
		demux_wait_pop(&d->waiting);
	}
	ev_timer_stop(loop, w);
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
		return done(d, id, SRP_EROLE, "this chassis is not active", 0);
	if (callid && !call)
		return done(d, id, SRP_ENOENT, "no such session", 0);
	q = request_new(d);
	if (!q)
		return done(d, id, SRP_EBUSY, "too many requests", 0);
	q->sct_id = id;
	q->callid = callid;
	q->instance = call ? call->instance : 0;
	for (unsigned i = 1; i <= d->ctx->shared->nsessmgr; i++)
		if ((!call || call->instance == i) && ask_end(d, q, i, callid) == 0)
			q->waits_for++;
	if (!q->waits_for) {
		done(d, id, SRP_EBUSY, "no session manager is ready", 0);
		request_free(d, q);
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
		session_add(d, id, r);
	else if (cmd == CHASSIS_CMD_SESSION_DEL)
		session_del(d, id, (uint32_t)srp_mp_uint(r, UINT32_MAX));
	else
		done(d, id, SRP_ETYPE, "not a command of demuxmgr", 0);
	return SRP_OK;
}

static void call_down(struct demuxmgr *d, const struct chassis_call *call)
{
	const struct chassis_call *known = chassis_calls_find(d->calls, call->callid);

	if (known && known->instance == call->instance)
		steer(d, known, false);
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
			steer(d, call, false);
		chassis_calls_remove(d->calls, q->callid, q->instance);
		d->ctx->slab->task_ctr.sessions_refused++;
	} else if (q->creates) {
		d->ctx->slab->task_ctr.sessions_placed++;
	}
	done(d, q->sct_id, (int)status, text, callid);
	request_free(d, q);
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
		steer(d, &old, false);
		put_aside(d, &old);
	}
	steer(d, call, true);
}

static void unsteer(void *arg, const struct chassis_call *call)
{
	steer(arg, call, false);
}

/* What a dead session manager was asked for, and did not answer: its successor has it, or has it not. */
static void settle_doubt(struct demuxmgr *d, struct request *q)
{
	const struct chassis_call *call = chassis_calls_find(d->calls, q->callid);
	bool there = call && call->instance == q->instance && call->told == d->walk[q->instance];

	if (there)
		d->ctx->slab->task_ctr.sessions_placed++;
	else
		d->ctx->slab->task_ctr.sessions_refused++;
	done(d, q->sct_id, there ? SRP_OK : SRP_ECLOSED, there ? "" : "the session manager died",
	     there ? q->callid : 0);
	request_free(d, q);
}

/* The instance has told all it holds: what it was thought to hold besides is gone, but for what it
 * was asked for and has not made yet. */
static void all_told(struct demuxmgr *d, unsigned instance)
{
	struct request *q, *tmp;

	HASH_ITER(hh, d->requests, q, tmp) {
		if (!q->creates || q->instance != instance)
			continue;
		if (q->in_doubt)
			settle_doubt(d, q);
		else
			chassis_calls_touch(d->calls, q->callid, d->walk[instance]);
	}
	(void)chassis_calls_sweep(d->calls, instance, d->walk[instance], unsteer, d);
	d->told[instance] = true;
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

static unsigned first_packet(struct demuxmgr *d, const struct ecs_addr *a)
{
	const struct chassis_pool *pool = chassis_config_pool(d->ctx->shared->config, a);
	const struct chassis_apn *apn = pool && pool->first_packet_apn[0]
		? chassis_config_apn(d->ctx->shared->config, pool->first_packet_apn) : NULL;
	struct ecs_session_spec spec = {.qci = 9};
	const char *text;
	unsigned instance = 0;

	if (!apn) {
		d->ctx->slab->task_ctr.unknown_no_pool++;
		return 0;
	}
	if (not_now(d)) {
		d->ctx->slab->task_ctr.sessions_refused++;
		return 0;
	}
	memcpy(spec.apn, apn->name, sizeof(spec.apn));
	memcpy(spec.rulebase, apn->rulebase, sizeof(spec.rulebase));
	spec.idle_timeout = apn->idle_timeout;
	spec.has4 = ecs_addr_is4(a);
	spec.has6 = !spec.has4;
	if (spec.has4)
		spec.v4 = *a;
	else
		spec.v6 = chassis_addr_prefix(a);
	ecs_addr_text(a, spec.username, sizeof(spec.username));
	if (place(d, &spec, 0, &text, &instance) < 0) {
		d->ctx->slab->task_ctr.sessions_refused++;
		return 0;
	}
	d->ctx->slab->task_ctr.first_packet++;
	return instance;
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
		steer(d, call, true);
	/* Only what a subscriber sends creates a session: who scans a pool from outside must not. */
	if (!call && dir != ECS_UPLINK) {
		d->ctx->slab->task_ctr.unknown_no_pool++;
		return SRP_OK;
	}
	instance = call ? call->instance : first_packet(d, &a);
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

/* A sessmgr is gone: its calls with it, until it tells what it holds; its requests have failed. Where its
 * successor recovers them they are its calls still: their addresses are not free, and are steered to it. */
static void sessmgr_gone(struct demuxmgr *d, unsigned instance)
{
	bool comes_back = d->ctx->shared->config->session_recovery && srp_role_permit[d->role].sr_replica;
	size_t n = comes_back ? 0 : chassis_calls_drop(d->calls, instance, unsteer, d);
	struct request *q, *tmp;

	d->told[instance] = false;
	HASH_ITER(hh, d->requests, q, tmp) {
		if (q->instance && q->instance != instance)
			continue;
		if (comes_back && q->creates) {
			q->in_doubt = true;
			continue;
		}
		if (q->instance || --q->waits_for == 0) {
			done(d, q->sct_id, SRP_ECLOSED, "the session manager died", 0);
			request_free(d, q);
		}
	}
	if (n)
		chassis_log(LOG_WARNING, "sessmgr:%u is gone with %zu calls", instance, n);
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
	demux_wait_init(&d->waiting);
	ev_init(&d->look, on_look);
	d->look.data = d;
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

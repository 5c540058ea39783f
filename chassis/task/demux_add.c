/* demux_add: new sessions: of the operator, and of a subscriber's first packet. */
#include "config.h"
#include "chassis/task/demuxmgr.h"

#include <stdlib.h>
#include <string.h>

#include "chassis/task/peer.h"
#include "chassis/task/switch.h"
#include "srp/err.h"

#define WAIT_S 0.01 /* how often those that wait for a recovery are looked at */

static bool takes_new(uint32_t role)
{
	return role < SRP_ROLE__N && srp_role_permit[role].new_sessions;
}

static bool usable(void *arg, unsigned instance)
{
	struct demuxmgr *d = arg;

	return d->told[instance] && chassis_task_connected(d->ctx, CHASSIS_TASK_SESSMGR, instance);
}

/* New sessions wait until every instance has told what it holds, an address that looks free could be one
 * of theirs; and until it has heard that this chassis is active. */
static bool recovering(const struct demuxmgr *d)
{
	for (unsigned i = 1; i <= d->ctx->shared->nsessmgr; i++) {
		const struct chassis_slab *s = d->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i)];

		if (!d->told[i] || s->complete == CHASSIS_FILLING ||
		    !takes_new(s->applied_role))
			return true;
	}
	return false;
}

static const char *not_now(const struct demuxmgr *d)
{
	if (!srp_role_permit[d->role].new_sessions)
		return "this chassis is not active";
	return recovering(d) ? "recovery in progress" : NULL;
}

/* True when new sessions are refused now, and will not be in a moment: this chassis is active, and its
 * tasks have not all heard of it yet, or are recovering. */
static bool in_a_moment(const struct demuxmgr *d)
{
	const struct chassis_slab *vpn = d->ctx->shared->slab[chassis_slot(CHASSIS_TASK_VPNMGR, 0)];

	return takes_new(vpn->role.role) && not_now(d);
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
	q = demuxmgr_request_new(d);
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
		demuxmgr_request_free(d, q);
		return rc;
	}
	q->sct_id = sct_id;
	q->callid = call.callid;
	q->instance = call.instance;
	q->creates = true;
	q->waits_for = 1;
	demuxmgr_steer(d, &call, true);
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

/* True when the request waits. */
static bool wait_for_it(struct demuxmgr *d, uint32_t id, const struct srp_mp_r *r)
{
	if (!in_a_moment(d) ||
	    demux_wait_put(&d->waiting, id, r->p, srp_mp_left(r), chassis_now()) < 0)
		return false;
	if (!ev_is_active(&d->look)) {
		ev_timer_set(&d->look, WAIT_S, WAIT_S);
		ev_timer_start(d->ctx->loop, &d->look);
	}
	return true;
}

void demuxmgr_add(struct demuxmgr *d, uint32_t id, struct srp_mp_r *r)
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
		demuxmgr_done(d, id, rc, text, 0);
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
			demuxmgr_add(d, q->id, &r);
		} else if (in_a_moment(d) && !demux_wait_late(q, now)) {
			return;
		} else {
			d->ctx->slab->task_ctr.sessions_refused++;
			demuxmgr_done(d, q->id, SRP_EROLE, text, 0);
		}
		demux_wait_pop(&d->waiting);
	}
	ev_timer_stop(loop, w);
}

unsigned demuxmgr_first_packet(struct demuxmgr *d, const struct ecs_addr *a)
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

void demuxmgr_add_start(struct demuxmgr *d)
{
	demux_wait_init(&d->waiting);
	ev_init(&d->look, on_look);
	d->look.data = d;
}

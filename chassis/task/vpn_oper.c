/* vpn_oper: what the operator asks of vpnmgr, and the account of each switchover. */
#include "config.h"
#include "chassis/task/vpn.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "chassis/task/commands.h"
#include "chassis/task/rows.h"
#include "srp/err.h"

#define AUDIT_AGE_S 60 /* a planned switchover wants digests that were equal within this time */
#define AUDIT_MS 1000  /* or an audit that finds them so within this one */
#define AUDIT_LOOK_S 0.01
#define STOPS "the chassis is shutting down"

static const struct chassis_slab *instance_slab(const struct vpnmgr *v, unsigned i)
{
	return v->ctx->shared->slab[chassis_slot(CHASSIS_TASK_SESSMGR, i)];
}

static unsigned connected(const struct vpnmgr *v)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= v->ctx->shared->nsessmgr; i++)
		n += instance_slab(v, i)->link == RECOVERY_LINK_READY;
	return n;
}

/* Age of the oldest of the instances' last equal digests, in seconds; UINT32_MAX: never. */
static uint32_t verified_age(const struct vpnmgr *v)
{
	uint64_t now = chassis_now().us, age = 0;

	for (unsigned i = 1; i <= v->ctx->shared->nsessmgr; i++) {
		uint64_t at = instance_slab(v, i)->verified_us;

		if (!at)
			return UINT32_MAX;
		if (now > at && now - at > age)
			age = now - at;
	}
	return (uint32_t)(age / 1000000u);
}

/* All that a switchover needs but an audit. */
static bool level(const struct vpnmgr *v, char *why, size_t cap)
{
	unsigned n = (unsigned)v->ctx->shared->nsessmgr, c = connected(v);

	if (v->conn.state < SRP_CONN_SYNC || !v->hello_known)
		snprintf(why, cap, "the peer chassis is not connected");
	else if (v->hello.role != SRP_ROLE_STANDBY && v->hello.role != SRP_ROLE_ACTIVE)
		snprintf(why, cap, "the peer chassis is %s", srp_role_name(v->hello.role));
	else if (v->hello.config_digest != v->ctx->shared->running.digest)
		snprintf(why, cap, "the configurations differ");
	else if (c < n)
		snprintf(why, cap, "%u session manager%s not connected to the peer", n - c, n - c == 1 ? " is" : "s are");
	else
		return true;
	return false;
}

bool vpn_ready(const struct vpnmgr *v, char *why, size_t cap)
{
	uint32_t age = verified_age(v);

	if (!level(v, why, cap))
		return false;
	if (v->role.phase != SRP_PHASE_ACTIVE || age <= AUDIT_AGE_S)
		return true;
	if (age == UINT32_MAX)
		snprintf(why, cap, "no audit has found both sides equal yet");
	else
		snprintf(why, cap, "the last audit that found both sides equal is older than %d seconds",
		         AUDIT_AGE_S);
	return false;
}

/* --- the account ------------------------------------------------------------------------------------------ */

static void count_own(const struct vpnmgr *v, uint64_t *sessions, uint64_t *flows)
{
	*sessions = *flows = 0;
	for (unsigned i = 1; i <= v->ctx->shared->nsessmgr; i++) {
		*sessions += instance_slab(v, i)->sessions;
		*flows += instance_slab(v, i)->recoverable;
	}
}

void vpn_loss_begin(struct vpnmgr *v)
{
	uint64_t sessions, flows;

	v->switch_start = chassis_now();
	count_own(v, &sessions, &flows);
	/* The peer's figure is from its last hello; what we hold may be newer than that. */
	if (!srp_role_permit[v->ctx->slab->role.role].forwards && v->sessions_seen > sessions)
		sessions = v->sessions_seen;
	v->sessions_seen = sessions;
	v->flows_seen = flows;
}

static void loss_figure(const struct vpnmgr *v, struct vpn_loss *l, struct srp_time now)
{
	const struct srp_backlog *b = &v->backlog;

	l->objects_at_most = b->last.objects;
	l->record_bytes_at_most = b->last.bytes;
	l->octets_at_most = srp_backlog_at_most(b, now);
	l->octets_per_s = srp_backlog_rate(b);
	l->figure_age_ms = b->at.us ? srp_time_since(b->at, now) / 1000u : UINT32_MAX;
}

void vpn_loss_end(struct vpnmgr *v, bool planned, enum srp_switch_reason reason)
{
	struct vpn_loss *l = &v->loss[v->nlosses % VPN_LOSSES];
	struct srp_time now = chassis_now();
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	memset(l, 0, sizeof(*l));
	l->number = ++v->nlosses;
	l->planned = planned;
	l->reason = reason;
	l->duration_us = v->switch_start.us ? srp_time_since(v->switch_start, now) : 0;
	l->start_wall_ms = (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u - l->duration_us / 1000u;
	l->sessions_before = v->sessions_seen;
	l->flows_before = v->flows_seen;
	count_own(v, &l->sessions_after, &l->flows_after);
	l->term = v->ctx->slab->role.term;
	if (!planned)
		loss_figure(v, l, now);
	chassis_log(LOG_NOTICE, "switchover %u %s, reason %s: %llu us, sessions %llu -> %llu, checkpointed flows "
	            "%llu -> %llu, not acknowledged at most %llu objects, %llu octets of traffic", l->number,
	            planned ? "planned" : "unplanned", srp_switch_reason_name(reason),
	            (unsigned long long)l->duration_us, (unsigned long long)l->sessions_before,
	            (unsigned long long)l->sessions_after, (unsigned long long)l->flows_before,
	            (unsigned long long)l->flows_after, (unsigned long long)l->objects_at_most,
	            (unsigned long long)l->octets_at_most);
}

/* --- answers ------------------------------------------------------------------------------------------------ */

static void done(struct vpnmgr *v, uint32_t id, int status, const char *text)
{
	uint8_t buf[512];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, id);
	srp_mp_w_int(&w, status);
	srp_mp_w_strn(&w, text, strnlen(text, 400));
	srp_mp_w_uint(&w, 0);
	chassis_task_send(v->ctx, CHASSIS_TASK_SCT, 0, CHASSIS_IPC_DONE, &w, -1);
}

void vpn_reply(struct vpnmgr *v, uint32_t *id, int status, const char *text)
{
	if (*id)
		done(v, *id, status, text);
	*id = 0;
}

#define ONE(name, type) +1
enum { SRP_LEN = 0 CHASSIS_ROW_SRP(ONE), LOSS_LEN = 0 CHASSIS_ROW_LOSS(ONE) };
#undef ONE

static void put_addr(struct srp_mp_w *w, bool has, const struct ecs_addr *a)
{
	char text[64];

	srp_mp_w_str(w, has ? ecs_addr_text(a, text, sizeof(text)) : "");
}

static void put_mac(struct srp_mp_w *w, const uint8_t mac[6])
{
	char text[24];

	snprintf(text, sizeof(text), "%02X-%02X-%02X-%02X-%02X-%02X", mac[0], mac[1], mac[2], mac[3], mac[4],
	         mac[5]);
	srp_mp_w_str(w, text);
}

static void put_peer(struct vpnmgr *v, struct srp_mp_w *w)
{
	const struct chassis_role_slab *r = &v->ctx->slab->role;
	const struct chassis_srp_config *c = &v->conf->srp;

	put_addr(w, c->has_peer, &c->peer);
	srp_mp_w_str(w, v->hello_known ? srp_role_name((enum srp_role)r->peer_role) : "Unknown");
	srp_mp_w_str(w, !r->last_hello_us ? "Unknown" : r->peer_mode == SRP_MODE_PRIMARY ? "Primary" : "Backup");
	srp_mp_w_uint(w, r->peer_priority);
	put_mac(w, r->peer_mac);
	srp_mp_w_uint(w, r->peer_route_modifier);
	srp_mp_w_uint(w, r->last_hello_us ? srp_time_since((struct srp_time){r->last_hello_us}, chassis_now()) / 1000000u
	                                  : UINT32_MAX);
	srp_mp_w_uint(w, v->hello_wall);
}

static void srp_row(struct vpnmgr *v, uint32_t id)
{
	const struct chassis_role_slab *r = &v->ctx->slab->role;
	const struct chassis_srp_config *c = &v->conf->srp;
	uint8_t buf[2048];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, id);
	srp_mp_w_array(&w, SRP_LEN);
	srp_mp_w_str(&w, c->context);
	put_addr(&w, c->has_bind, &c->bind);
	srp_mp_w_str(&w, srp_role_name((enum srp_role)r->role));
	srp_mp_w_str(&w, c->mode == CHASSIS_PRIMARY ? "Primary" : "Backup");
	srp_mp_w_uint(&w, c->priority);
	put_mac(&w, r->mac);
	srp_mp_w_uint(&w, r->route_modifier);
	put_peer(v, &w);
	srp_mp_w_str(&w, v->hello_known ? "Complete" : "Not yet");
	srp_mp_w_str(&w, v->config_error[0] ? v->config_error : "None");
	srp_mp_w_uint(&w, v->config_event_wall);
	srp_mp_w_str(&w, v->validate_status[0] ? v->validate_status : "None");
	srp_mp_w_str(&w, v->conn.state >= SRP_CONN_SYNC ? "Connected" : "None");
	srp_mp_w_uint(&w, r->term);
	srp_mp_w_str(&w, srp_switch_reason_name(r->last_reason));
	srp_mp_w_uint(&w, connected(v));
	srp_mp_w_uint(&w, v->ctx->shared->nsessmgr);
	srp_mp_w_uint(&w, verified_age(v));
	srp_mp_w_uint(&w, r->peer_term);
	srp_mp_w_uint(&w, c->dead_ms);
	srp_mp_w_uint(&w, c->hello_ms);
	chassis_task_send(v->ctx, CHASSIS_TASK_SCT, 0, CHASSIS_IPC_ROW, &w, -1);
}

static void loss_row(struct vpnmgr *v, uint32_t id, const struct vpn_loss *l)
{
	uint8_t buf[512];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, id);
	srp_mp_w_array(&w, LOSS_LEN);
	srp_mp_w_uint(&w, l->number);
	srp_mp_w_str(&w, l->planned ? "planned" : "unplanned");
	srp_mp_w_str(&w, srp_switch_reason_name(l->reason));
	srp_mp_w_uint(&w, l->start_wall_ms);
	srp_mp_w_uint(&w, l->duration_us);
	srp_mp_w_uint(&w, l->sessions_before);
	srp_mp_w_uint(&w, l->sessions_after);
	srp_mp_w_uint(&w, l->flows_before);
	srp_mp_w_uint(&w, l->flows_after);
	srp_mp_w_uint(&w, l->objects_at_most);
	srp_mp_w_uint(&w, l->record_bytes_at_most);
	srp_mp_w_uint(&w, l->octets_at_most);
	srp_mp_w_uint(&w, l->octets_per_s);
	srp_mp_w_uint(&w, l->figure_age_ms);
	srp_mp_w_uint(&w, l->term);
	chassis_task_send(v->ctx, CHASSIS_TASK_SCT, 0, CHASSIS_IPC_ROW, &w, -1);
}

int vpn_query(struct vpnmgr *v, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 16), id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	uint64_t query = srp_mp_uint(r, CHASSIS_QUERY__N - 1);
	uint32_t first = v->nlosses > VPN_LOSSES ? v->nlosses - VPN_LOSSES : 0;

	if (n < 2 || r->err)
		return SRP_EFORMAT;
	if (query == CHASSIS_QUERY_SRP) {
		srp_row(v, id);
	} else if (query == CHASSIS_QUERY_LOSS) {
		for (uint32_t i = first; i < v->nlosses; i++)
			loss_row(v, id, &v->loss[i % VPN_LOSSES]);
	} else {
		done(v, id, SRP_ETYPE, "not a question for vpnmgr");
		return SRP_OK;
	}
	done(v, id, SRP_OK, "");
	return SRP_OK;
}

static void switchover(struct vpnmgr *v, uint32_t id, bool force, uint32_t timeout_s)
{
	v->oper_id = id;
	v->force = force;
	v->flush_ms = (timeout_s ? timeout_s : 300) * 1000u;
	vpn_event(v, SRP_ROLE_EV_SWITCH, SRP_SWITCH_MANUAL);
}

static void validate(struct vpnmgr *v, uint32_t id)
{
	vpn_reply(v, &v->validate_id, SRP_EBUSY, "another validation has begun");
	if (vpn_config_check(v) < 0)
		done(v, id, SRP_ENOENT, "the peer chassis is not connected");
	else
		v->validate_id = id;
}

static void not_valid(struct vpnmgr *v, uint32_t id, const char *why)
{
	snprintf(v->validate_status, sizeof(v->validate_status), "Local Chassis - %.70s", why);
	v->validate_at = chassis_now();
	done(v, id, SRP_ESTATE, why);
}

/* --- an audit first ----------------------------------------------------------------------------------------- */

static bool audited(const struct vpnmgr *v)
{
	for (unsigned i = 1; i <= vpn_instances(v); i++)
		if (vpn_instance_slab(v, i)->verified_us < v->audit_since.us)
			return false;
	return true;
}

/* Goes on with what waited: the audit has come to an end, its time is over, or it is in vain. */
static void on_audit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpnmgr *v = w->data;
	uint32_t asked[VPN_ASKED__N];
	char why[160] = "this chassis is not active";
	bool ready;

	(void)revents;
	if (v->role.phase == SRP_PHASE_ACTIVE && !audited(v) && level(v, why, sizeof(why)) &&
	    srp_time_since(v->audit_since, chassis_now()) < SRP_MS(AUDIT_MS))
		return;
	ev_timer_stop(loop, w);
	memcpy(asked, v->asked, sizeof(asked));
	memset(v->asked, 0, sizeof(v->asked));
	ready = v->role.phase == SRP_PHASE_ACTIVE && vpn_ready(v, why, sizeof(why));
	if (asked[VPN_ASKED_STOP]) {
		vpn_reply(v, &asked[VPN_ASKED_VALIDATE], SRP_ESTATE, STOPS);
		vpn_reply(v, &asked[VPN_ASKED_SWITCHOVER], SRP_ESTATE, STOPS);
		vpn_leave(v, ready);
		return;
	}
	if (asked[VPN_ASKED_VALIDATE] && ready)
		validate(v, asked[VPN_ASKED_VALIDATE]);
	else if (asked[VPN_ASKED_VALIDATE])
		not_valid(v, asked[VPN_ASKED_VALIDATE], why);
	if (asked[VPN_ASKED_SWITCHOVER] && ready)
		switchover(v, asked[VPN_ASKED_SWITCHOVER], false, v->asked_timeout_s);
	else if (asked[VPN_ASKED_SWITCHOVER])
		done(v, asked[VPN_ASKED_SWITCHOVER], SRP_ESTATE, why);
}

bool vpn_audit_first(struct vpnmgr *v, enum vpn_asked what, uint32_t id)
{
	char why[160];

	if (v->role.phase != SRP_PHASE_ACTIVE || !level(v, why, sizeof(why)))
		return false;
	vpn_reply(v, &v->asked[what], SRP_EBUSY, "the same was asked for again");
	v->asked[what] = id;
	if (ev_is_active(&v->audit_timer))
		return true;
	v->audit_since = chassis_now();
	ev_timer_init(&v->audit_timer, on_audit, AUDIT_LOOK_S, AUDIT_LOOK_S);
	v->audit_timer.data = v;
	ev_timer_start(v->ctx->loop, &v->audit_timer);
	vpn_audit(v);
	return true;
}

static void ask_switchover(struct vpnmgr *v, uint32_t id, bool force, uint32_t timeout_s)
{
	char why[160];

	if (v->role.phase != SRP_PHASE_ACTIVE) {
		done(v, id, SRP_EROLE, v->ctx->slab->role.role == SRP_ROLE_PENDING_STANDBY
			? "a switchover is under way" : "this chassis is not active");
		return;
	}
	if (vpn_ready(v, why, sizeof(why)) || (force && v->conn.state >= SRP_CONN_SYNC)) {
		switchover(v, id, force, timeout_s);
		return;
	}
	if (vpn_audit_first(v, VPN_ASKED_SWITCHOVER, id))
		v->asked_timeout_s = timeout_s;
	else
		done(v, id, SRP_ESTATE, why);
}

static void ask_validate(struct vpnmgr *v, uint32_t id)
{
	char why[160];

	if (vpn_ready(v, why, sizeof(why)))
		validate(v, id);
	else if (!vpn_audit_first(v, VPN_ASKED_VALIDATE, id))
		not_valid(v, id, why);
}

int vpn_command(struct vpnmgr *v, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 16), id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	uint64_t cmd = srp_mp_uint(r, CHASSIS_CMD__N - 1);
	bool force;

	if (n < 2 || r->err)
		return SRP_EFORMAT;
	switch (cmd) {
	case CHASSIS_CMD_SWITCHOVER:
		force = srp_mp_bool(r);
		ask_switchover(v, id, force, (uint32_t)srp_mp_uint(r, 65535));
		return r->err;
	case CHASSIS_CMD_VALIDATE:
		ask_validate(v, id);
		return SRP_OK;
	case CHASSIS_CMD_VALIDATE_CONFIG:
		validate(v, id);
		return SRP_OK;
	}
	done(v, id, SRP_ETYPE, "not a command of vpnmgr");
	return SRP_OK;
}

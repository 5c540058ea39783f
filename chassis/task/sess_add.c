/* sess_add: sessions that demuxmgr has an instance begin and end. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include "chassis/task/calls.h"
#include "srp/err.h"

/* @p text NULL: that of the status. */
static void session_done_text(struct sessmgr *s, uint32_t id, int status, uint32_t callid,
                              const char *text)
{
	uint8_t buf[256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	/* demuxmgr must know whose address is free before it hears that the call has ended */
	sessmgr_news_flush(s);
	srp_mp_w_array(&w, 4);
	srp_mp_w_uint(&w, id);
	srp_mp_w_int(&w, status);
	srp_mp_w_uint(&w, callid);
	srp_mp_w_str(&w, text ? text : status < 0 ? srp_strerror(status) : "");
	chassis_task_send(s->ctx, CHASSIS_TASK_DEMUXMGR, 0, CHASSIS_IPC_SESSION_DONE, &w, -1);
}

static void session_done(struct sessmgr *s, uint32_t id, int status, uint32_t callid)
{
	session_done_text(s, id, status, callid, NULL);
}

/* What a session without a rulebase lacks. */
static const char *no_rulebase(const struct sessmgr *s, const struct ecs_session_spec *spec)
{
	if (spec->rulebase[0])
		return "no such rulebase";
	if (spec->apn[0] && !chassis_config_apn(s->ctx->shared->config, spec->apn))
		return "no such APN, and no rulebase is named";
	return "no rulebase is named, neither here nor by the APN, and there is none called default";
}

int sessmgr_add(struct sessmgr *s, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 32), id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	struct ecs_session_spec spec;
	struct ecs_session *c;
	int rc;

	chassis_spec_get(r, &spec);
	if (n < 1 + CHASSIS_SPEC_FIELDS || r->err)
		return SRP_EFORMAT;
	rc = s->sr.phase != SESSMGR_SERVES ? SRP_EBUSY
	     : srp_role_permit[s->role].new_sessions
		? ecs_session_create(s->engine, &spec, chassis_now(), &c) : SRP_EROLE;
	s->ctx->slab->sessions = ecs_engine_sessions(s->engine); /* for who counts what is lost */
	session_done_text(s, id, rc, spec.callid, rc == SRP_ENORULE ? no_rulebase(s, &spec) : NULL);
	sessmgr_link_kick(s);
	return SRP_OK;
}

void sessmgr_end_some(struct sessmgr *s)
{
	struct srp_time start = chassis_now(), now = start;
	struct ecs_session *c = NULL;
	int rc = srp_role_permit[s->role].new_sessions ? SRP_OK : SRP_EROLE;

	if (!s->end_all.on || s->sr.phase != SESSMGR_SERVES || sessmgr_pulls(s))
		return; /* what is not there yet must end, too */
	while (rc == 0 && (c = ecs_session_next(s->engine, s->end_all.after)) != NULL &&
	       srp_time_since(start, now) < SESSMGR_STEP_US) {
		s->end_all.after = c->spec.callid;
		ecs_session_delete(s->engine, c->spec.callid, ECS_END_OPERATOR, now);
		now = chassis_now();
	}
	if (c)
		return;
	s->end_all.on = false;
	session_done(s, s->end_all.id, rc, 0);
}

static void end_one(struct sessmgr *s, uint32_t id, uint32_t callid, enum ecs_session_end why)
{
	struct srp_time now = chassis_now();
	int rc;

	(void)sessmgr_recover_callid(s, callid, now);
	rc = ecs_session_delete(s->engine, callid, why, now);
	if (rc == SRP_ENOSESS && sessmgr_pulls(s))
		session_done_text(s, id, SRP_EBUSY, callid, "recovery in progress");
	else
		session_done(s, id, rc, callid);
}

int sessmgr_end(struct sessmgr *s, struct srp_mp_r *r)
{
	uint32_t n = srp_mp_array(r, 8), id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	uint32_t callid = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	enum ecs_session_end why = (enum ecs_session_end)srp_mp_uint(r, ECS_SESSION_END__N - 1);

	if (n < 3 || r->err)
		return SRP_EFORMAT;
	if (!srp_role_permit[s->role].owns_timers) {
		session_done(s, id, SRP_EROLE, callid); /* who only follows ends nothing by itself */
	} else if (callid) {
		end_one(s, id, callid, why);
	} else if (s->end_all.on) {
		session_done(s, id, SRP_EBUSY, 0);
	} else {
		s->end_all.id = id;
		s->end_all.after = 0;
		s->end_all.on = true;
	}
	sessmgr_link_kick(s);
	return SRP_OK;
}

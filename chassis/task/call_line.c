#include "config.h"
#include "chassis/task/call_line.h"

#include <stdio.h>
#include <string.h>

#include "srp/err.h"
#include "srp/mp.h"

#define ITEMS      16u
#define ITEMS_MAX  64u /* of a newer chassis; what is behind ours is skipped */
#define WHAT_CALL  1u  /* the only question that there is, and the version of the answer */

#define COUNT(...) +1
enum { REORDERS = 0 ECS_CALL_REORDERS(COUNT) };
#undef COUNT

static const enum srp_replica_id replicas[] = {SRP_REPLICA_GR, SRP_REPLICA_SR};

void chassis_call_line_of(const struct ecs_engine *e, const struct ecs_session *s, struct srp_time now,
                          struct chassis_call_line *out)
{
	struct ecs_session_debug d;

	ecs_session_debug(e, s, &d, now);
	*out = (struct chassis_call_line){
		.copy = CHASSIS_COPY_SESSION, .callid = s->spec.callid, .recreated = d.recreated,
		.state = d.state, .refused = d.refused, .reorder = d.reorder,
		.reassembly = d.reassembly, .redirect = d.redirect};
	snprintf(out->msid, sizeof(out->msid), "%s", s->spec.imsi);
	snprintf(out->username, sizeof(out->username), "%s", s->spec.username);
	out->nsteps = d.nsteps < ECS_CALL_TRACE_MAX ? d.nsteps : ECS_CALL_TRACE_MAX;
	memcpy(out->step, d.step, out->nsteps * sizeof(d.step[0]));
	for (int r = 0; r < SRP_REPLICA__N; r++)
		for (int k = 0; k < ECS_CALL_CKPT__N; k++) {
			const struct ecs_call_ckpt *c = &d.ckpt[r][k];

			out->ckpt[r][k] = (struct chassis_call_ckpt){
				c->attempts, c->successes, ecs_call_age_ms(c->last_attempt, now),
				ecs_call_age_ms(c->last_success, now)};
		}
}

/* --- writing -------------------------------------------------------------------------------- */

static void put_ckpt(struct srp_mp_w *w, const struct chassis_call_ckpt *c)
{
	srp_mp_w_array(w, 4);
	srp_mp_w_uint(w, c->attempts);
	srp_mp_w_uint(w, c->successes);
	srp_mp_w_uint(w, c->attempt_ms);
	srp_mp_w_uint(w, c->success_ms);
}

static void put_counters(struct srp_mp_w *w, const struct chassis_call_line *l)
{
	srp_mp_w_array(w, REORDERS);
#define X(name, label, help) srp_mp_w_uint(w, l->reorder.name);
	ECS_CALL_REORDERS(X)
#undef X
	srp_mp_w_array(w, 5);
	srp_mp_w_uint(w, l->reassembly.success);
	srp_mp_w_uint(w, l->reassembly.in_progress);
	srp_mp_w_uint(w, l->reassembly.timeout);
	srp_mp_w_uint(w, l->reassembly.no_buffers);
	srp_mp_w_uint(w, l->reassembly.other);
	srp_mp_w_array(w, 6);
	srp_mp_w_uint(w, l->redirect.allowed);
	srp_mp_w_uint(w, l->redirect.current);
	srp_mp_w_uint(w, l->redirect.added);
	srp_mp_w_uint(w, l->redirect.deleted);
	srp_mp_w_uint(w, l->redirect.revoked);
	srp_mp_w_uint(w, l->redirect.refused);
}

size_t chassis_call_line_put(const struct chassis_call_line *l, uint8_t *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	srp_mp_w_array(&w, ITEMS);
	srp_mp_w_uint(&w, WHAT_CALL);
	srp_mp_w_uint(&w, l->copy);
	srp_mp_w_uint(&w, l->callid);
	srp_mp_w_str(&w, l->msid);
	srp_mp_w_str(&w, l->username);
	srp_mp_w_bool(&w, l->recreated);
	srp_mp_w_uint(&w, l->state);
	srp_mp_w_uint(&w, l->refused);
	srp_mp_w_array(&w, (uint32_t)(2 * l->nsteps));
	for (size_t i = 0; i < l->nsteps; i++) {
		srp_mp_w_uint(&w, l->step[i].state);
		srp_mp_w_uint(&w, l->step[i].event);
	}
	for (size_t r = 0; r < 2; r++)
		for (int k = 0; k < ECS_CALL_CKPT__N; k++)
			put_ckpt(&w, &l->ckpt[replicas[r]][k]);
	put_counters(&w, l);
	return w.err ? 0 : srp_mp_w_len(&w);
}

/* --- reading -------------------------------------------------------------------------------- */

/* Numbers of an array that has at least @p n; what is behind them is skipped. */
static void get_numbers(struct srp_mp_r *r, uint64_t max, uint64_t *v, size_t n)
{
	uint32_t have = srp_mp_array(r, ITEMS_MAX);

	if (have < n)
		srp_mp_fail(r, SRP_EFORMAT);
	for (size_t i = 0; i < n; i++)
		v[i] = srp_mp_uint(r, max);
	for (size_t i = n; !r->err && i < have; i++)
		srp_mp_skip(r);
}

static void get_ckpt(struct srp_mp_r *r, struct chassis_call_ckpt *c)
{
	uint64_t v[4];

	get_numbers(r, UINT64_MAX, v, 4);
	if (v[0] > UINT32_MAX || v[1] > UINT32_MAX)
		srp_mp_fail(r, SRP_ERANGE);
	*c = (struct chassis_call_ckpt){(uint32_t)v[0], (uint32_t)v[1], v[2], v[3]};
}

static void get_counters(struct srp_mp_r *r, struct chassis_call_line *l)
{
	uint64_t v[REORDERS];
	size_t i = 0;

	get_numbers(r, UINT32_MAX, v, REORDERS);
#define X(name, label, help) l->reorder.name = (uint32_t)v[i++];
	ECS_CALL_REORDERS(X)
#undef X
	get_numbers(r, UINT32_MAX, v, 5);
	l->reassembly = (struct ecs_call_reassembly){
		.success = (uint32_t)v[0], .in_progress = (uint32_t)v[1], .timeout = (uint32_t)v[2],
		.no_buffers = (uint32_t)v[3], .other = (uint32_t)v[4]};
	get_numbers(r, UINT32_MAX, v, 6);
	l->redirect = (struct ecs_call_redirect){
		.allowed = (uint32_t)v[0], .current = (uint32_t)v[1], .added = (uint32_t)v[2],
		.deleted = (uint32_t)v[3], .revoked = (uint32_t)v[4], .refused = (uint32_t)v[5]};
}

int chassis_call_line_get(const uint8_t *buf, size_t len, struct chassis_call_line *out)
{
	struct srp_mp_r r = srp_mp_r_init(buf, len);
	uint32_t n = srp_mp_array(&r, ITEMS_MAX), steps;
	struct chassis_call_line l = {.copy = CHASSIS_COPY_SESSION};
	uint64_t copy;

	if (n < ITEMS || srp_mp_uint(&r, UINT32_MAX) != WHAT_CALL)
		srp_mp_fail(&r, SRP_EFORMAT);
	copy = srp_mp_uint(&r, CHASSIS_COPY_MIRROR);
	l.callid = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	srp_mp_str(&r, l.msid, sizeof(l.msid));
	srp_mp_str(&r, l.username, sizeof(l.username));
	l.recreated = srp_mp_bool(&r);
	l.state = (uint8_t)srp_mp_uint(&r, UINT8_MAX);
	l.refused = (uint8_t)srp_mp_uint(&r, UINT8_MAX);
	steps = srp_mp_array(&r, 2 * ECS_CALL_TRACE_MAX);
	if (steps % 2 || copy < CHASSIS_COPY_SESSION)
		srp_mp_fail(&r, SRP_EFORMAT);
	for (l.nsteps = 0; !r.err && l.nsteps < steps / 2; l.nsteps++) {
		l.step[l.nsteps].state = (uint8_t)srp_mp_uint(&r, UINT8_MAX);
		l.step[l.nsteps].event = (uint8_t)srp_mp_uint(&r, UINT8_MAX);
	}
	for (size_t i = 0; i < 2; i++)
		for (int k = 0; k < ECS_CALL_CKPT__N; k++)
			get_ckpt(&r, &l.ckpt[replicas[i]][k]);
	get_counters(&r, &l);
	for (uint32_t i = ITEMS; !r.err && i < n; i++)
		srp_mp_skip(&r);
	if (srp_mp_finish(&r))
		return srp_mp_finish(&r);
	l.copy = (enum chassis_copy)copy;
	*out = l;
	return SRP_OK;
}

/* --- questions ------------------------------------------------------------------------------ */

size_t chassis_call_question_put(uint32_t callid, uint8_t *buf, size_t cap)
{
	struct srp_mp_w w = srp_mp_w_init(buf, cap);

	srp_mp_w_array(&w, 2);
	srp_mp_w_uint(&w, WHAT_CALL);
	srp_mp_w_uint(&w, callid);
	return w.err ? 0 : srp_mp_w_len(&w);
}

uint32_t chassis_call_question_get(const uint8_t *buf, size_t len)
{
	struct srp_mp_r r = srp_mp_r_init(buf, len);
	uint32_t n = srp_mp_array(&r, ITEMS_MAX), callid;

	if (n < 2 || srp_mp_uint(&r, UINT32_MAX) != WHAT_CALL)
		return 0;
	callid = (uint32_t)srp_mp_uint(&r, UINT32_MAX);
	for (uint32_t i = 2; !r.err && i < n; i++)
		srp_mp_skip(&r);
	return srp_mp_finish(&r) ? 0 : callid;
}

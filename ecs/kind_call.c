#include "config.h"
#include "ecs/session.h"

#include <string.h>

#include "ecs/call.h"
#include "ecs/kind.h"
#include "ecs/unsent.h"

#define IDS_AT_ONCE 64u

#define CALL_LEN   (ECS_KIND_HEAD_MAX(1) + 2 + 5 + 1 + 1 + 5 * ECS_REDIRECTED_MAX + ECS_UNSENT_WIRE)
#define BEARER_LEN (ECS_KIND_HEAD_MAX(2) + 4 + 10 + 3 + ECS_SDFS_MAX * ECS_SDF_LEN)
#define CLP_LEN    (ECS_KIND_HEAD_MAX(1) + 18)

static const struct ecs_session *of_call(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_session *)(const void *)
	       ((const char *)o - offsetof(struct ecs_session, call));
}

static const struct ecs_session *of_clp(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_session *)(const void *)
	       ((const char *)o - offsetof(struct ecs_session, clp));
}

static const struct ecs_bearer *of_bearer(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_bearer *)(const void *)
	       ((const char *)o - offsetof(struct ecs_bearer, ckpt));
}

/* --- ACS_CALL_INFO, 179; DEL_ACS_CALL_INFO, 188 ----------------------------------------------- */

static void call_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{of_call(o)->spec.callid}};
}

/* The parent is asked for to be sent first: the engine's, not ours, to change. */
static struct srp_ckpt_obj *full_of(const struct ecs_session *s)
{
	return (struct srp_ckpt_obj *)((uintptr_t)s + offsetof(struct ecs_session, full));
}

static struct srp_ckpt_obj *call_parent(const struct srp_ckpt_obj *o)
{
	return full_of(of_call(o));
}

static int call_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                       struct srp_mp_w *w)
{
	const struct ecs_session *s = of_call(o);
	uint32_t n = 0;

	(void)ctx;
	srp_mp_w_uint(w, s->pending & ECS_PENDING_HANDOFF);
	srp_mp_w_uint(w, s->flow_ids);
	srp_mp_w_uint(w, s->rat);
	while (n < ECS_REDIRECTED_MAX && s->redirected[n])
		n++;
	srp_mp_w_array(w, n);
	for (uint32_t i = 0; i < n; i++)
		srp_mp_w_uint(w, s->redirected[i]);
	ecs_unsent_write(s, w);
	return w->err;
}

void ecs_flow_reserve(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	if (s->next_flow <= s->flow_ids)
		return;
	s->flow_ids = s->next_flow + IDS_AT_ONCE - 1;
	ecs_tell_changed(e, &s->call, now);
}

static int call_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                      struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	uint32_t ids, n, redirected[ECS_REDIRECTED_MAX] = {0};
	struct ecs_unsent_image unsent;
	uint8_t pending, rat;
	struct ecs_session *s;
	int rc = ecs_kind_session(ctx, key, &s);

	if (rc)
		return rc;
	if (nfields < ecs_kind_call.nfields)
		return SRP_ESHORT;
	pending = (uint8_t)srp_mp_uint(r, ECS_PENDING_HANDOFF);
	ids = (uint32_t)srp_mp_uint(r, ECS_FLOW_COUNTER_MAX);
	rat = (uint8_t)srp_mp_uint(r, ECS_RAT__N - 1);
	n = srp_mp_array(r, ECS_REDIRECTED_MAX);
	for (uint32_t i = 0; i < n && !r->err; i++) {
		redirected[i] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
		if (!redirected[i])
			srp_mp_fail(r, SRP_EINVAL);
	}
	ecs_unsent_read(r, &unsent);
	if (r->err)
		return r->err;
	rc = ecs_unsent_apply(ctx->owner, s, &unsent);
	if (rc)
		return rc;
	if (pending != (s->pending & ECS_PENDING_HANDOFF))
		ecs_session_pending(ctx->owner, s, pending,
		                    (uint8_t)(ECS_PENDING_HANDOFF & ~pending), ctx->now);
	s->rat = rat;
	memcpy(s->redirected, redirected, sizeof(redirected));
	s->flow_ids = ids;
	if (ids > s->next_flow)
		s->next_flow = ids;
	ecs_kind_judge(ctx->owner, s, NULL, ctx->now);
	*out = &s->call;
	return 0;
}

/* What a call says is part of the session: a deletion leaves nothing of it behind. Ids that were spoken
 * for here the peer knows nothing of: they are spoken for again before one more is given. The counter
 * itself never goes back. */
static int call_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_session *s;
	int rc = ecs_kind_session(ctx, key, &s);

	if (rc)
		return rc == SRP_ENOSESS ? SRP_ENOENT : rc;
	ecs_tell_deleted(ctx->owner, &s->call, ECS_TELL_LISTS, ctx->now);
	ecs_obj_anew(&s->call);
	memset(s->redirected, 0, sizeof(s->redirected));
	ecs_unsent_free(s);
	s->rat = ECS_RAT_NONE;
	s->flow_ids = 0;
	ecs_session_pending(ctx->owner, s, 0, ECS_PENDING_HANDOFF, ctx->now);
	return 0;
}

static struct srp_ckpt_obj *call_find(const struct srp_ckpt_ctx *ctx,
                                      const struct srp_ckpt_key *key)
{
	struct ecs_session *s;

	return ecs_kind_session(ctx, key, &s) == 0 ? &s->call : NULL;
}

static void call_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	ecs_kind_walk(ctx, offsetof(struct ecs_session, call), fn, arg);
}

/* --- ACS_SESS_INFO, 33; DEL_ACS_SESS_INFO, 187: one bearer ------------------------------------ */

static void bearer_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	const struct ecs_bearer *b = of_bearer(o);

	*out = (struct srp_ckpt_key){{b->session->spec.callid, b->id}};
}

static struct srp_ckpt_obj *bearer_parent(const struct srp_ckpt_obj *o)
{
	return &of_bearer(o)->session->full;
}

static int bearer_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                         struct srp_mp_w *w)
{
	const struct ecs_bearer *b = of_bearer(o);
	uint8_t tft[ECS_SDFS_MAX * ECS_SDF_LEN];

	(void)ctx;
	srp_mp_w_uint(w, b->qci);
	srp_mp_w_uint(w, b->arp);
	srp_mp_w_uint(w, b->mbr[ECS_UPLINK]);
	srp_mp_w_uint(w, b->mbr[ECS_DOWNLINK]);
	srp_mp_w_bin(w, tft, b->tft ? ecs_sdfs_put(b->tft, tft) : 0);
	return w->err;
}

static int bearer_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                        struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct ecs_qos q;
	struct ecs_sdfs tft = {0};
	struct ecs_bearer *b;
	struct ecs_session *s;
	const uint8_t *p;
	size_t len;
	int rc;

	if (key->k[1] < ECS_BEARER_DEFAULT || key->k[1] > ECS_BEARER_LAST)
		return SRP_ERANGE;
	rc = ecs_kind_session(ctx, key, &s);
	if (rc)
		return rc;
	if (nfields < ecs_kind_bearer.nfields)
		return SRP_ESHORT;
	q.qci = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	q.arp = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	q.mbr[ECS_UPLINK] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	q.mbr[ECS_DOWNLINK] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	p = srp_mp_bin(r, 0, ECS_SDFS_MAX * ECS_SDF_LEN, &len);
	if (r->err)
		return r->err;
	if (!ecs_sdfs_get(p, len, &tft) || (tft.n && key->k[1] == ECS_BEARER_DEFAULT))
		return SRP_EINVAL;
	b = ecs_session_bearer(s, (uint8_t)key->k[1], false);
	if (!b)
		b = ecs_session_add_bearer(ctx->owner, s, (uint8_t)key->k[1]);
	if (!b)
		return SRP_EFULL;
	rc = ecs_bearer_set_tft(b, &tft);
	if (rc)
		return rc;
	b->qci = q.qci;
	b->arp = q.arp;
	memcpy(b->mbr, q.mbr, sizeof(b->mbr));
	ecs_police_session(s);
	if (b->id == ECS_BEARER_DEFAULT) {
		s->spec.qci = q.qci;
		s->spec.arp = q.arp;
	}
	*out = &b->ckpt;
	return 0;
}

static struct srp_ckpt_obj *bearer_find(const struct srp_ckpt_ctx *ctx,
                                        const struct srp_ckpt_key *key)
{
	struct ecs_bearer *b = ecs_kind_bearer_of(ctx, key);

	return b ? &b->ckpt : NULL;
}

static int bearer_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct srp_ckpt_obj *o = bearer_find(ctx, key);

	if (!o)
		return SRP_ENOENT;
	/* the default bearer is part of the session and stays, as one that was never told of: that
	 * is what a peer has of it whose session came by a full checkpoint alone */
	if (key->k[1] == ECS_BEARER_DEFAULT) {
		ecs_tell_deleted(ctx->owner, o, ECS_TELL_LISTS, ctx->now);
		ecs_obj_anew(o);
	} else {
		struct ecs_bearer *b = ECS_CONTAINER(o, struct ecs_bearer, ckpt);

		ecs_session_end_bearer(ctx->owner, b->session, b, ECS_TELL_LISTS, ctx->now);
	}
	return 0;
}

static void bearer_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	ecs_kind_walk_bearers(ctx, offsetof(struct ecs_bearer, ckpt), NULL, fn, arg);
}

/* --- UPDATE_CLPSTATS, 4: what moves with every packet ----------------------------------------- */

static void clp_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{of_clp(o)->spec.callid}};
}

static struct srp_ckpt_obj *clp_parent(const struct srp_ckpt_obj *o)
{
	return full_of(of_clp(o));
}

static int clp_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                      struct srp_mp_w *w)
{
	const struct ecs_session *s = of_clp(o);

	srp_mp_w_uint(w, ecs_kind_age(ctx, s->created));
	srp_mp_w_uint(w, ecs_kind_idle(ctx, s));
	return w->err;
}

static int clp_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                     struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	uint64_t age, idle;
	struct ecs_session *s;
	int rc = ecs_kind_session(ctx, key, &s);

	if (rc)
		return rc;
	if (nfields < ecs_kind_clp.nfields)
		return SRP_ESHORT;
	age = ecs_kind_read_age(r);
	idle = ecs_kind_read_age(r);
	if (r->err)
		return r->err;
	ecs_kind_set_ages(ctx->owner, s, ctx->now, age, idle);
	*out = &s->clp;
	return 0;
}

/* No deletion of its own on the wire; an audit may find one too many. */
static int clp_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_session *s;
	int rc = ecs_kind_session(ctx, key, &s);

	if (rc)
		return rc == SRP_ENOSESS ? SRP_ENOENT : rc;
	ecs_tell_deleted(ctx->owner, &s->clp, ECS_TELL_LISTS, ctx->now);
	ecs_obj_anew(&s->clp);
	return 0;
}

static struct srp_ckpt_obj *clp_find(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_session *s;

	return ecs_kind_session(ctx, key, &s) == 0 ? &s->clp : NULL;
}

static void clp_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	ecs_kind_walk(ctx, offsetof(struct ecs_session, clp), fn, arg);
}

const struct srp_ckpt_kind ecs_kind_call = {
	.id = 179, .del_id = 188, .name = "ACS_CALL_INFO", .del_name = "DEL_ACS_CALL_INFO",
	.rank = 1, .nkey = 1, .nfields = 5, .ver_min = 1, .ver_max = 1, .max_len = CALL_LEN,
	.key = call_key, .parent = call_parent, .gate = ecs_kind_gate, .encode = call_encode,
	.apply = call_apply, .remove = call_remove, .find = call_find, .walk = call_walk,
	.passed = ecs_kind_passed,
};

const struct srp_ckpt_kind ecs_kind_bearer = {
	.id = 33, .del_id = 187, .name = "ACS_SESS_INFO", .del_name = "DEL_ACS_SESS_INFO",
	.rank = 1, .nkey = 2, .nfields = 5, .ver_min = 1, .ver_max = 1, .max_len = BEARER_LEN,
	.key = bearer_key, .parent = bearer_parent, .gate = ecs_kind_gate, .encode = bearer_encode,
	.apply = bearer_apply, .remove = bearer_remove, .find = bearer_find, .walk = bearer_walk,
	.passed = ecs_kind_passed,
};

const struct srp_ckpt_kind ecs_kind_clp = {
	.id = 4, .name = "UPDATE_CLPSTATS",
	.rank = 1, .nkey = 1, .nfields = 2, .ver_min = 1, .ver_max = 1, .max_len = CLP_LEN,
	.left_out = 1u << 0 | 1u << 1, /* age, idleness */
	.key = clp_key, .parent = clp_parent, .gate = ecs_kind_gate, .encode = clp_encode,
	.apply = clp_apply, .remove = clp_remove, .find = clp_find, .walk = clp_walk,
	.passed = ecs_kind_passed,
};

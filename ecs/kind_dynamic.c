/* kind_dynamic: rules of calls, DYNAMIC_RULE_INFO, and changes of bearers' QoS, PGW_UBR_MBR_INFO. */
#include "config.h"
#include "ecs/dynamic.h"

#include <stddef.h>
#include <string.h>

#include "ecs/kind.h"

#define FILTERS_LEN (3 + ECS_SDFS_MAX * ECS_SDF_LEN)
#define RULE_LEN    (ECS_KIND_HEAD_MAX(2) + 65 + 1 + 5 + 1 + 1 + 2 + 2 + 5 * 5 + FILTERS_LEN)
#define QOS_LEN     (ECS_KIND_HEAD_MAX(2) + 2 + 2 + 5 + 5)

/* --- DYNAMIC_RULE_INFO, 43; DYNAMIC_RULE_DEL_INFO, 178 ---------------------------------------- */

static const struct ecs_dynrule *of_rule(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_dynrule *)(const void *)
	       ((const char *)o - offsetof(struct ecs_dynrule, ckpt));
}

static void rule_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{of_rule(o)->session->spec.callid, of_rule(o)->key}};
}

static struct srp_ckpt_obj *rule_parent(const struct srp_ckpt_obj *o)
{
	return &of_rule(o)->session->full;
}

static int rule_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                       struct srp_mp_w *w)
{
	const struct ecs_dyn_spec *s = &of_rule(o)->spec;
	uint8_t filters[ECS_SDFS_MAX * ECS_SDF_LEN];

	(void)ctx;
	srp_mp_w_str(w, s->name);
	srp_mp_w_uint(w, s->predefined);
	srp_mp_w_uint(w, s->precedence);
	srp_mp_w_uint(w, s->status);
	srp_mp_w_uint(w, s->bearer);
	srp_mp_w_uint(w, s->qos.qci);
	srp_mp_w_uint(w, s->qos.arp);
	srp_mp_w_uint(w, s->qos.mbr[ECS_UPLINK]);
	srp_mp_w_uint(w, s->qos.mbr[ECS_DOWNLINK]);
	srp_mp_w_uint(w, s->content_id);
	srp_mp_w_uint(w, s->rating_group);
	srp_mp_w_uint(w, s->service_id);
	srp_mp_w_bin(w, filters, ecs_sdfs_put(&s->filters, filters));
	return w->err;
}

static int read_rule(struct srp_mp_r *r, struct ecs_dyn_spec *s)
{
	const uint8_t *p;
	size_t len;

	ecs_kind_read_name(r, s->name, sizeof(s->name), false);
	s->predefined = srp_mp_uint(r, 1) != 0;
	s->precedence = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	s->status = (uint8_t)srp_mp_uint(r, ECS_STATUS__N - 1);
	s->bearer = (uint8_t)srp_mp_uint(r, ECS_BEARER_LAST);
	s->qos.qci = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	s->qos.arp = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	s->qos.mbr[ECS_UPLINK] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	s->qos.mbr[ECS_DOWNLINK] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	s->content_id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	s->rating_group = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	s->service_id = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	p = srp_mp_bin(r, 0, ECS_SDFS_MAX * ECS_SDF_LEN, &len);
	if (r->err)
		return r->err;
	return ecs_sdfs_get(p, len, &s->filters) ? ecs_dyn_check(s) : SRP_EINVAL;
}

static struct ecs_dynrule *rule_of(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_session *s;

	if (ecs_kind_session(ctx, key, &s) != 0)
		return NULL;
	for (struct srp_list *l = s->dynrules.next; l != &s->dynrules; l = l->next) {
		struct ecs_dynrule *d = ECS_CONTAINER(l, struct ecs_dynrule, in_session);

		if (d->key == key->k[1])
			return d;
	}
	return NULL;
}

static int rule_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                      struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct ecs_dyn_spec spec = {.name = ""};
	struct ecs_dynrule *d;
	struct ecs_session *s;
	int rc = ecs_kind_session(ctx, key, &s);

	if (rc)
		return rc;
	if (nfields < ecs_kind_dynrule.nfields)
		return SRP_ESHORT;
	rc = read_rule(r, &spec);
	if (rc)
		return rc;
	if (key->k[1] != ecs_dyn_key(spec.name))
		return SRP_EINVAL;
	rc = ecs_dyn_put(ctx->owner, s, &spec, &d);
	if (rc)
		return rc;
	ecs_dyn_rejudge(ctx->owner, s, ctx->now);
	ecs_kind_judge(ctx->owner, s, NULL, ctx->now);
	*out = &d->ckpt;
	return 0;
}

static int rule_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_dynrule *d = rule_of(ctx, key);
	struct ecs_session *s;

	if (!d)
		return SRP_ENOENT;
	s = d->session;
	ecs_dyn_drop(ctx->owner, d, ECS_TELL_LISTS, ctx->now);
	ecs_dyn_rejudge(ctx->owner, s, ctx->now);
	return 0;
}

static struct srp_ckpt_obj *rule_find(const struct srp_ckpt_ctx *ctx,
                                      const struct srp_ckpt_key *key)
{
	struct ecs_dynrule *d = rule_of(ctx, key);

	return d ? &d->ckpt : NULL;
}

static void rule_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	static const struct ecs_kind_list dynrules = {
		.list = offsetof(struct ecs_session, dynrules),
		.link = offsetof(struct ecs_dynrule, in_session),
		.member = offsetof(struct ecs_dynrule, ckpt)};

	ecs_kind_walk_list(ctx, &dynrules, fn, arg);
}

/* --- PGW_UBR_MBR_INFO, 193: the QoS of a bearer as it was changed ----------------------------- */

static const struct ecs_bearer *of_qos(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_bearer *)(const void *)
	       ((const char *)o - offsetof(struct ecs_bearer, qos));
}

static void qos_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{of_qos(o)->session->spec.callid, of_qos(o)->id}};
}

static struct srp_ckpt_obj *qos_parent(const struct srp_ckpt_obj *o)
{
	return (struct srp_ckpt_obj *)((uintptr_t)of_qos(o) + offsetof(struct ecs_bearer, ckpt));
}

static int qos_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                      struct srp_mp_w *w)
{
	const struct ecs_qos *q = &of_qos(o)->update;

	(void)ctx;
	srp_mp_w_uint(w, q->qci);
	srp_mp_w_uint(w, q->arp);
	srp_mp_w_uint(w, q->mbr[ECS_UPLINK]);
	srp_mp_w_uint(w, q->mbr[ECS_DOWNLINK]);
	return w->err;
}

static int qos_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                     struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct ecs_bearer *b;
	struct ecs_qos q;

	if (key->k[1] < ECS_BEARER_DEFAULT || key->k[1] > ECS_BEARER_LAST)
		return SRP_ERANGE;
	if (nfields < ecs_kind_qos.nfields)
		return SRP_ESHORT;
	q.qci = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	q.arp = (uint8_t)srp_mp_uint(r, UINT8_MAX);
	q.mbr[ECS_UPLINK] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	q.mbr[ECS_DOWNLINK] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	if (r->err)
		return r->err;
	b = ecs_kind_bearer_of(ctx, key);
	if (!b)
		return SRP_ENOSESS; /* what it is of must come first */
	b->update = q;
	b->updated = true;
	b->qos.kind = &ecs_kind_qos;
	ecs_police_session(b->session);
	*out = &b->qos;
	return 0;
}

static struct srp_ckpt_obj *qos_find(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_bearer *b = ecs_kind_bearer_of(ctx, key);

	return b && b->updated ? &b->qos : NULL;
}

static int qos_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_bearer *b = ecs_kind_bearer_of(ctx, key);

	if (!b || !b->updated)
		return SRP_ENOENT;
	ecs_tell_deleted(ctx->owner, &b->qos, ECS_TELL_LISTS, ctx->now);
	ecs_obj_anew(&b->qos);
	b->updated = false;
	ecs_police_session(b->session);
	return 0;
}

static bool qos_told(const struct srp_ckpt_obj *o)
{
	return of_qos(o)->updated;
}

static void qos_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	ecs_kind_walk_bearers(ctx, offsetof(struct ecs_bearer, qos), qos_told, fn, arg);
}

const struct srp_ckpt_kind ecs_kind_dynrule = {
	.id = 43, .del_id = 178, .name = "DYNAMIC_RULE_INFO", .del_name = "DYNAMIC_RULE_DEL_INFO",
	.rank = 1, .nkey = 2, .nfields = 13, .ver_min = 1, .ver_max = 1, .max_len = RULE_LEN,
	.key = rule_key, .parent = rule_parent, .gate = ecs_kind_gate, .encode = rule_encode,
	.apply = rule_apply, .remove = rule_remove, .find = rule_find, .walk = rule_walk,
	.passed = ecs_kind_passed,
};

const struct srp_ckpt_kind ecs_kind_qos = {
	.id = 193, .del_id = 213, .name = "PGW_UBR_MBR_INFO", .del_name = "DEL_PGW_UBR_MBR_INFO",
	.rank = 2, .nkey = 2, .nfields = 4, .ver_min = 1, .ver_max = 1, .max_len = QOS_LEN,
	.key = qos_key, .parent = qos_parent, .gate = ecs_kind_gate, .encode = qos_encode,
	.apply = qos_apply, .remove = qos_remove, .find = qos_find, .walk = qos_walk,
	.passed = ecs_kind_passed,
};

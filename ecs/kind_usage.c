#include "config.h"
#include "ecs/usage.h"

#include <string.h>

#include "ecs/call.h"
#include "ecs/kind.h"
#include "ecs/ledger.h"
#include "ecs/quota.h"

/* key: call-id, bearer << 3 | what, id. Fields: the slot of chassis 0, the slot of chassis 1; each
 * nil (nothing charged there) or [packets up, packets down, bytes up, bytes down]. Of a quota, behind them,
 * the URL of its last grant: "" for none. */
#define OF_BITS   3u
#define OF_MASK   7u
#define SLOT_LEN  (1 + 4 * 9)
#define USAGE_LEN (ECS_KIND_HEAD_MAX(3) + 2 * SLOT_LEN)
#define QUOTA_LEN (USAGE_LEN + 3 + ECS_URL_MAX)

static const struct ecs_usage *of(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_usage *)(const void *)
	       ((const char *)o - offsetof(struct ecs_usage, ckpt));
}

static void usage_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	const struct ecs_usage *u = of(o);

	*out = (struct srp_ckpt_key){
		{u->session->spec.callid, (uint64_t)u->bearer << OF_BITS | u->of, u->id}};
}

static struct srp_ckpt_obj *usage_parent(const struct srp_ckpt_obj *o)
{
	return &of(o)->session->full;
}

static bool usage_paced(const struct srp_ckpt_ctx *ctx)
{
	return ecs_usage_paced(ctx->owner, ctx->replica);
}

static void usage_passed(struct srp_ckpt_obj *o, const struct srp_ckpt_key *key,
                         const struct srp_ckpt_pass *p)
{
	/* what overtakes a record on its way is told of again, so what is told is what was sent */
	if (o && p->what == SRP_CKPT_ACKED && p->replica == SRP_REPLICA_GR)
		ecs_owed_acked(p->owner, of(o));
	ecs_kind_passed(o, key, p);
}

static void write_slot(const struct ecs_volume *v, struct srp_mp_w *w)
{
	if (!(v->pkts[0] | v->pkts[1] | v->bytes[0] | v->bytes[1])) {
		srp_mp_w_nil(w);
		return;
	}
	srp_mp_w_array(w, 4);
	srp_mp_w_uint(w, v->pkts[ECS_UPLINK]);
	srp_mp_w_uint(w, v->pkts[ECS_DOWNLINK]);
	srp_mp_w_uint(w, v->bytes[ECS_UPLINK]);
	srp_mp_w_uint(w, v->bytes[ECS_DOWNLINK]);
}

static int usage_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                        struct srp_mp_w *w)
{
	const struct ecs_engine *e = ctx->owner;
	const struct ecs_usage *u = of(o);

	for (unsigned bit = 0; bit < 2; bit++)
		write_slot(bit == (e->conf.chassis_bit & 1u) ? &u->told : &u->own[bit], w);
	return w->err;
}

static int quota_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                        struct srp_mp_w *w)
{
	(void)usage_encode(o, ctx, w);
	srp_mp_w_str(w, of(o)->url ? of(o)->url : "");
	return w->err;
}

/* What goes out in a header field is as it may be entered here. */
static void read_url(struct srp_mp_r *r, char out[ECS_URL_MAX + 1])
{
	ecs_kind_read_name(r, out, ECS_URL_MAX + 1, true);
	if (!r->err && out[0] && ecs_url_check(out, NULL) != 0)
		srp_mp_fail(r, SRP_EINVAL);
}

static struct ecs_volume read_slot(struct srp_mp_r *r)
{
	struct ecs_volume v = {0};

	if (srp_mp_nil(r))
		return v;
	if (srp_mp_array(r, 4) != 4)
		srp_mp_fail(r, SRP_EFORMAT);
	v.pkts[ECS_UPLINK] = srp_mp_uint(r, ECS_VOLUME_MAX);
	v.pkts[ECS_DOWNLINK] = srp_mp_uint(r, ECS_VOLUME_MAX);
	v.bytes[ECS_UPLINK] = srp_mp_uint(r, ECS_VOLUME_MAX);
	v.bytes[ECS_DOWNLINK] = srp_mp_uint(r, ECS_VOLUME_MAX);
	return v;
}

static void raise(struct ecs_volume *v, const struct ecs_volume *to)
{
	for (int d = 0; d < 2; d++) {
		if (to->pkts[d] > v->pkts[d])
			v->pkts[d] = to->pkts[d];
		if (to->bytes[d] > v->bytes[d])
			v->bytes[d] = to->bytes[d];
	}
}

/* Takes a key apart and checks it. */
static int split(const struct srp_ckpt_kind *k, const struct srp_ckpt_key *key, uint8_t *bearer,
                 unsigned *what)
{
	uint64_t b = key->k[1] >> OF_BITS;

	*what = (unsigned)(key->k[1] & OF_MASK);
	if (k != ecs_kind_of_usage(*what) || b > 15)
		return SRP_ERANGE;
	*bearer = (uint8_t)b;
	switch ((enum ecs_usage_of)*what) {
	case ECS_USAGE_SESSION:
		return b == 0 && key->k[2] == 0 ? 0 : SRP_ERANGE;
	case ECS_USAGE_CONTENT:
		return b >= 5 && key->k[2] >= 1 && key->k[2] <= UINT32_MAX ? 0 : SRP_ERANGE;
	case ECS_USAGE_RATING:
		return b >= 5 && key->k[2] >> 32 ? 0 : SRP_ERANGE;
	case ECS_USAGE_QUOTA:
	case ECS_USAGE_FLOW:
	case ECS_USAGE_RECORDED:
		return b == 0 && key->k[2] >= 1 && key->k[2] <= UINT32_MAX ? 0 : SRP_ERANGE;
	default:
		return b >= 5 ? 0 : SRP_ERANGE;
	}
}

/* Our slot is ours: a record can only give back what a restart has lost. `told` is what the others
 * know of it, so that both sides' hashes are equal; what they lack is told when we speak next. The
 * peer's slot is the peer's, as the newest record says (so that a damaged one is mended); our own
 * aaamgr's copy of it may be older than what is here. */
static void take(struct ecs_engine *e, struct ecs_usage *u, const struct ecs_volume slot[2],
                 enum srp_replica_id from)
{
	unsigned mine = e->conf.chassis_bit & 1u;
	const struct ecs_volume before = u->own[mine];

	raise(&u->own[mine], &slot[mine]);
	ecs_usage_keep(e, u);
	u->told = slot[mine];
	ecs_owed_taken(e, u, &before);
	if (memcmp(&u->told, &u->own[mine], sizeof(u->told)) != 0) {
		if (!ecs_list_on(&u->in_changed))
			ecs_list_add_tail(&e->changed, &u->in_changed);
	} else if (!e->active) {
		ecs_list_del(&u->in_changed); /* from the ledger: the record says the same */
	}
	if (from == SRP_REPLICA_GR)
		u->own[!mine] = slot[!mine];
	else
		raise(&u->own[!mine], &slot[!mine]);
}

static int apply(const struct srp_ckpt_kind *k, const struct srp_ckpt_ctx *ctx,
                 const struct srp_ckpt_key *key, struct srp_mp_r *r, unsigned nfields,
                 struct srp_ckpt_obj **out)
{
	struct ecs_engine *e = ctx->owner;
	char url[ECS_URL_MAX + 1] = "";
	struct ecs_volume slot[2];
	unsigned what = 0;
	struct ecs_session *s;
	struct ecs_usage *u;
	uint8_t bearer = 0;
	int rc = split(k, key, &bearer, &what);

	if (!rc)
		rc = ecs_kind_session(ctx, key, &s);
	if (rc)
		return rc;
	ecs_usage_expect(e, s->spec.callid, bearer, what, key->k[2]);
	if (nfields < k->nfields)
		return SRP_ESHORT;
	slot[0] = read_slot(r);
	slot[1] = read_slot(r);
	if (what == ECS_USAGE_QUOTA)
		read_url(r, url);
	if (r->err)
		return r->err;
	u = ecs_usage_of(e, s, bearer, what, key->k[2]);
	if (!u) {
		if (s->nusages >= ECS_CALL_USAGES_MAX)
			return SRP_EFULL;
		u = ecs_usage_build(e, s, bearer, what, key->k[2]);
		if (!u)
			return SRP_ENOMEM;
	}
	if ((url[0] || u->url) && (rc = ecs_quota_set_url(e, u, url)) != 0)
		return rc;
	take(e, u, slot, ctx->replica);
	*out = &u->ckpt;
	return 0;
}

static struct srp_ckpt_obj *find(const struct srp_ckpt_kind *k, const struct srp_ckpt_ctx *ctx,
                                 const struct srp_ckpt_key *key)
{
	struct ecs_usage *u;
	unsigned what = 0;
	uint8_t bearer = 0;

	if (key->k[0] > UINT32_MAX || split(k, key, &bearer, &what) != 0)
		return NULL;
	u = ecs_usage_find(ctx->owner, (uint32_t)key->k[0], bearer, what, key->k[2]);
	return u ? &u->ckpt : NULL;
}

static int take_off(const struct srp_ckpt_kind *k, const struct srp_ckpt_ctx *ctx,
                    const struct srp_ckpt_key *key)
{
	struct srp_ckpt_obj *o = find(k, ctx, key);
	struct ecs_engine *e = ctx->owner;

	if (!o)
		return SRP_ENOENT;
	ecs_usage_drop(e, ECS_CONTAINER(o, struct ecs_usage, ckpt), ECS_TELL_LISTS, ctx->now);
	if (e->ledger)
		ecs_ledger_prune(e->ledger, (uint32_t)key->k[0]);
	return 0;
}

/* The same for volumes that go with their session, for those of flows, and for quotas. */
#define OF_KIND(k)                                                                            \
	static int k##_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,  \
	                     struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out) \
	{                                                                                     \
		return apply(&ecs_kind_##k, ctx, key, r, nfields, out);                       \
	}                                                                                     \
	static int k##_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key) \
	{                                                                                     \
		return take_off(&ecs_kind_##k, ctx, key);                                     \
	}                                                                                     \
	static struct srp_ckpt_obj *k##_find(const struct srp_ckpt_ctx *ctx,                  \
	                                     const struct srp_ckpt_key *key)                  \
	{                                                                                     \
		return find(&ecs_kind_##k, ctx, key);                                         \
	}                                                                                     \
	static bool k##_told(const struct srp_ckpt_obj *o)                                    \
	{                                                                                     \
		return o->kind == &ecs_kind_##k;                                              \
	}                                                                                     \
	static void k##_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg) \
	{                                                                                     \
		static const struct ecs_kind_list usages = {                                  \
			.list = offsetof(struct ecs_session, usages), .told = k##_told,       \
			.link = offsetof(struct ecs_usage, in_session),                       \
			.member = offsetof(struct ecs_usage, ckpt)};                          \
                                                                                              \
		ecs_kind_walk_list(ctx, &usages, fn, arg);                                    \
	}
OF_KIND(usage)
OF_KIND(flow_usage)
OF_KIND(quota)
#undef OF_KIND

const struct srp_ckpt_kind ecs_kind_usage = {
	.id = 212, .name = "ACS_USAGE_INFO",
	.rank = 2, .nkey = 3, .nfields = 2, .ver_min = 1, .ver_max = 1, .max_len = USAGE_LEN,
	.key = usage_key, .parent = usage_parent, .gate = ecs_kind_gate, .encode = usage_encode,
	.paced = usage_paced,
	.apply = usage_apply, .remove = usage_remove, .find = usage_find, .walk = usage_walk,
	.passed = usage_passed,
};

const struct srp_ckpt_kind ecs_kind_flow_usage = {
	.id = 216, .del_id = 217, .name = "ACS_FLOW_USAGE_INFO", .del_name = "DEL_ACS_FLOW_USAGE_INFO",
	.rank = 2, .nkey = 3, .nfields = 2, .ver_min = 1, .ver_max = 1, .max_len = USAGE_LEN,
	.key = usage_key, .parent = usage_parent, .gate = ecs_kind_gate, .encode = usage_encode,
	.paced = usage_paced,
	.apply = flow_usage_apply, .remove = flow_usage_remove, .find = flow_usage_find,
	.walk = flow_usage_walk, .passed = ecs_kind_passed,
};

const struct srp_ckpt_kind ecs_kind_quota = {
	.id = 218, .name = "ACS_QUOTA_INFO",
	.rank = 2, .nkey = 3, .nfields = 3, .ver_min = 1, .ver_max = 1, .max_len = QUOTA_LEN,
	.key = usage_key, .parent = usage_parent, .gate = ecs_kind_gate, .encode = quota_encode,
	.apply = quota_apply, .remove = quota_remove, .find = quota_find, .walk = quota_walk,
	.passed = ecs_kind_passed,
};

const struct srp_ckpt_kind *ecs_kind_of_usage(enum ecs_usage_of of)
{
	switch (of) {
	case ECS_USAGE_QUOTA:
		return &ecs_kind_quota;
	case ECS_USAGE_FLOW:
	case ECS_USAGE_RECORDED:
		return &ecs_kind_flow_usage;
	default:
		return &ecs_kind_usage;
	}
}

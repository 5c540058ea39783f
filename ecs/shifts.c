/* shifts: connections into which something was inserted, of each session: with the flow, and where there
 * is none while it may come back. And their checkpoint. */
#include "config.h"
#include "ecs/shift.h"

#include <stdlib.h>

#include "ecs/enforce.h"
#include "ecs/kind.h"
#include "srp/err.h"

#define PROTO_TCP 6u
#define SHIFT_LEN (ECS_KIND_HEAD_MAX(2) + 2 + ECS_KIND_KEY_MAX + ECS_SHIFT_WIRE)

/* --- those that there are --------------------------------------------------------------------- */

static uint64_t hash_id(uint32_t callid, uint32_t id, uint64_t seed)
{
	return ecs_hash_mix(((uint64_t)callid << 32 | id) ^ ECS_HASH_K1, seed ^ ECS_HASH_K2);
}

static uint64_t hash_shift(const void *obj, uint64_t seed)
{
	const struct ecs_shift *t = obj;

	return hash_id(t->session->spec.callid, t->id, seed);
}

int ecs_shifts_init(struct ecs_engine *e)
{
	return ecs_chain_init(&e->shifts, 64, offsetof(struct ecs_shift, by_id), hash_shift, e->conf.seed);
}

static struct ecs_shift *shift_of(const struct ecs_engine *e, uint32_t callid, uint32_t id)
{
	struct ecs_shift *t;

	if (e->shifts.count == 0)
		return NULL;
	t = *ecs_chain_head(&e->shifts, hash_id(callid, id, e->conf.seed));
	while (t && (t->id != id || t->session->spec.callid != callid))
		t = t->by_id;
	return t;
}

/* For how long it waits for its flow. */
static void wait(struct ecs_engine *e, struct ecs_shift *t)
{
	uint64_t s = ecs_service_idle(e->conf.service)->tcp;

	t->wait.what = ECS_TIMER_SHIFT;
	if (s)
		ecs_wheel_arm(e->wheel, &t->wait, s * 1000);
	else
		ecs_wheel_disarm(e->wheel, &t->wait);
}

struct ecs_shift *ecs_shift_build(struct ecs_engine *e, struct ecs_session *s,
                                  const struct ecs_flow_key *k, uint32_t id)
{
	struct ecs_shift *t = s->nshifts < ECS_CALL_SHIFTS_MAX ? calloc(1, sizeof(*t)) : NULL;

	if (!t)
		return NULL;
	t->ckpt.kind = &ecs_kind_shift;
	t->session = s;
	t->key = *k;
	t->id = id;
	ecs_chain_insert(&e->shifts, t);
	ecs_list_add_tail(&s->shifts, &t->in_session);
	s->nshifts++;
	s->nloose++;
	wait(e, t);
	return t;
}

static struct ecs_shift *seek(const struct ecs_session *s, const struct ecs_flow_key *k)
{
	for (struct srp_list *l = s->shifts.next; l != &s->shifts; l = l->next) {
		struct ecs_shift *t = ECS_CONTAINER(l, struct ecs_shift, in_session);

		if (ecs_flow_key_equal(&t->key, k))
			return t;
	}
	return NULL;
}

struct ecs_shift *ecs_shift_waits(const struct ecs_session *s, const struct ecs_flow_key *k)
{
	struct ecs_shift *t = s->nloose && k->proto == PROTO_TCP ? seek(s, k) : NULL;

	return t && !t->flow ? t : NULL;
}

/* --- with a flow, and without ----------------------------------------------------------------- */

int ecs_shift_attach(struct ecs_engine *e, struct ecs_shift *t, struct ecs_flow *f)
{
	struct ecs_flow_more *m = ecs_flow_more(e, f);

	if (!m)
		return SRP_ENOMEM;
	m->shift = t;
	m->stages |= ECS_STAGE_BIT(SHIFT);
	t->flow = f;
	t->session->nloose--;
	ecs_wheel_disarm(e->wheel, &t->wait);
	return 0;
}

void ecs_shift_detach(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_shift *t = f->more ? f->more->shift : NULL;

	if (!t)
		return;
	f->more->shift = NULL;
	f->more->stages &= ~ECS_STAGE_BIT(SHIFT);
	t->flow = NULL;
	t->session->nloose++;
	wait(e, t);
}

void ecs_shift_drop(struct ecs_engine *e, struct ecs_shift *t, enum ecs_tell tell, struct srp_time now)
{
	struct ecs_session *s = t->session;

	if (t->flow)
		ecs_shift_detach(e, t->flow);
	ecs_tell_deleted(e, &t->ckpt, tell, now);
	ecs_wheel_disarm(e->wheel, &t->wait);
	ecs_chain_remove(&e->shifts, t);
	ecs_list_del(&t->in_session);
	s->nshifts--;
	s->nloose--;
	ecs_shift_clear(t);
	free(t);
}

void ecs_shift_end(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	struct ecs_shift *t = f->more ? f->more->shift : NULL;

	if (!t)
		t = ecs_shift_waits(f->session, &f->key); /* taken over, and not a packet since */
	if (t)
		ecs_shift_drop(e, t, ECS_TELL, now);
}

void ecs_shift_expire(struct ecs_engine *e, struct ecs_shift *t, struct srp_time now)
{
	/* a flow that was taken over lives for as long as its rule says */
	if (ecs_flow_held(e->flows, t->session, &t->key))
		wait(e, t);
	else
		ecs_shift_drop(e, t, ECS_TELL, now);
}

/* --- ACS_SHIFT_INFO, 221; DEL_ACS_SHIFT_INFO, 222 --------------------------------------------- */

static const struct ecs_shift *of(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_shift *)(const void *)
	       ((const char *)o - offsetof(struct ecs_shift, ckpt));
}

static void shift_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{of(o)->session->spec.callid, of(o)->id}};
}

static struct srp_ckpt_obj *shift_parent(const struct srp_ckpt_obj *o)
{
	return &of(o)->session->full;
}

static int shift_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                        struct srp_mp_w *w)
{
	(void)ctx;
	if (!ecs_kind_owns(of(o)->session, &of(o)->key.subscriber))
		return SRP_ESTATE;
	ecs_kind_write_key(&of(o)->key, w);
	ecs_shift_encode(of(o), w);
	return w->err;
}

static int shift_read(struct srp_mp_r *r, const struct ecs_session *s, struct ecs_flow_key *k,
                      struct ecs_shift_image *m)
{
	ecs_kind_read_key(r, s, k);
	ecs_shift_read(r, m);
	if (r->err)
		return r->err;
	return k->proto == PROTO_TCP ? 0 : SRP_EINVAL;
}

/* Its flow may have been here first. Without a place for it, it goes: no packet goes on with other numbers. */
static void meet(struct ecs_engine *e, struct ecs_shift *t, struct srp_time now)
{
	struct ecs_flow *f = ecs_flow_held(e->flows, t->session, &t->key);

	if (f && ecs_shift_attach(e, t, f) != 0)
		ecs_flow_drop(e, f, ECS_TELL_LISTS, now);
}

static int shift_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                       struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct ecs_engine *e = ctx->owner;
	struct ecs_flow_key k = {.proto = 0};
	struct ecs_shift_image m;
	struct ecs_shift *t, *held;
	struct ecs_session *s;
	bool is_new;
	int rc;

	if (key->k[1] == 0 || key->k[1] >> 1 >= ECS_FLOW_COUNTER_MAX)
		return SRP_ERANGE;
	rc = ecs_kind_session(ctx, key, &s);
	if (rc)
		return rc;
	if (nfields < ecs_kind_shift.nfields)
		return SRP_ESHORT;
	rc = shift_read(r, s, &k, &m);
	if (rc)
		return rc;
	t = shift_of(e, s->spec.callid, (uint32_t)key->k[1]);
	held = seek(s, &k);
	if (t && !ecs_flow_key_equal(&t->key, &k))
		return SRP_EINVAL; /* a connection keeps its ends */
	if (held && held != t) {
		if (e->active)
			return SRP_EDUP; /* what carries traffic here is not replaced */
		ecs_shift_drop(e, held, ECS_TELL_LISTS, ctx->now);
	}
	is_new = !t;
	if (is_new)
		t = ecs_shift_build(e, s, &k, (uint32_t)key->k[1]);
	if (!t)
		return SRP_EFULL;
	rc = ecs_shift_set(t, &m);
	if (rc) {
		if (is_new)
			ecs_shift_drop(e, t, ECS_TELL_LISTS, ctx->now);
		return rc;
	}
	if (e->active && !t->flow)
		meet(e, t, ctx->now);
	*out = &t->ckpt;
	return 0;
}

static struct srp_ckpt_obj *shift_find(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_shift *t;

	if (key->k[0] > UINT32_MAX || key->k[1] > UINT32_MAX)
		return NULL;
	t = shift_of(ctx->owner, (uint32_t)key->k[0], (uint32_t)key->k[1]);
	return t ? &t->ckpt : NULL;
}

static int shift_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct srp_ckpt_obj *o = shift_find(ctx, key);

	if (!o)
		return SRP_ENOENT;
	ecs_shift_drop(ctx->owner, ECS_CONTAINER(o, struct ecs_shift, ckpt), ECS_TELL_LISTS, ctx->now);
	return 0;
}

static void shift_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	static const struct ecs_kind_list shifts = {
		.list = offsetof(struct ecs_session, shifts),
		.link = offsetof(struct ecs_shift, in_session),
		.member = offsetof(struct ecs_shift, ckpt)};

	ecs_kind_walk_list(ctx, &shifts, fn, arg);
}

const struct srp_ckpt_kind ecs_kind_shift = {
	.id = 221, .del_id = 222, .name = "ACS_SHIFT_INFO", .del_name = "DEL_ACS_SHIFT_INFO",
	.rank = 1, .prompt = true, .nkey = 2, .nfields = 2, .ver_min = 1, .ver_max = 1,
	.max_len = SHIFT_LEN,
	.key = shift_key, .parent = shift_parent, .gate = ecs_kind_gate, .encode = shift_encode,
	.apply = shift_apply, .remove = shift_remove, .find = shift_find, .walk = shift_walk,
	.passed = ecs_kind_passed,
};

#include "config.h"
#include "ecs/session.h"

#include <string.h>

#include "ecs/call.h"
#include "ecs/kind.h"
#include "ecs/ledger.h"

#define FULL_LEN   (ECS_KIND_HEAD_MAX(1) + 17 + 3 * 66 + 6 + 10 + 5 + 1 + ECS_BEARERS_MAX * 6 + 18)

/* What a Full Checkpoint says. */
struct full {
	struct ecs_session_spec spec;
	struct {
		uint8_t id, qci, arp;
	} bearer[ECS_BEARERS_MAX];
	uint32_t nbearers;
	uint64_t age_ms, idle_ms;
};

static const struct ecs_session *of_full(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_session *)(const void *)
	       ((const char *)o - offsetof(struct ecs_session, full));
}

/* --- Full Checkpoint, 240; INVALIDATE_CRR, 1 -------------------------------------------------- */

static void full_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{of_full(o)->spec.callid}};
}

static int full_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                       struct srp_mp_w *w)
{
	const struct ecs_session *s = of_full(o);
	uint32_t n = 0;

	srp_mp_w_str(w, s->spec.imsi);
	srp_mp_w_str(w, s->spec.username);
	srp_mp_w_str(w, s->spec.apn);
	srp_mp_w_str(w, s->spec.rulebase);
	if (s->spec.has4)
		srp_mp_w_bin(w, s->spec.v4.b + 12, 4);
	else
		srp_mp_w_nil(w);
	if (s->spec.has6)
		srp_mp_w_bin(w, s->spec.v6.b, 8);
	else
		srp_mp_w_nil(w);
	srp_mp_w_uint(w, s->spec.idle_timeout);
	for (size_t i = 0; i < ECS_BEARERS_MAX; i++)
		n += ecs_session_bearer_at(s, i) != NULL;
	/* bearers have records, versions and digests of their own: not part of this one's hash */
	srp_mp_w_array(w, ctx->canonical ? 0 : n);
	for (size_t i = 0; i < ECS_BEARERS_MAX && !ctx->canonical; i++) {
		const struct ecs_bearer *b = ecs_session_bearer_at(s, i);

		if (!b)
			continue;
		srp_mp_w_array(w, 3);
		srp_mp_w_uint(w, b->id);
		srp_mp_w_uint(w, b->qci);
		srp_mp_w_uint(w, b->arp);
	}
	srp_mp_w_uint(w, ecs_kind_age(ctx, s->created));
	srp_mp_w_uint(w, ecs_kind_idle(ctx, s));
	return w->err;
}

static void read_addresses(struct srp_mp_r *r, struct ecs_session_spec *spec)
{
	static const uint8_t none[8];
	const uint8_t *p;
	size_t n;

	if (!srp_mp_nil(r) && (p = srp_mp_bin(r, 4, 4, &n)) != NULL) {
		spec->has4 = true;
		spec->v4.b[10] = spec->v4.b[11] = 0xff;
		memcpy(spec->v4.b + 12, p, 4);
		if (memcmp(p, none, 4) == 0)
			srp_mp_fail(r, SRP_EINVAL);
	}
	if (!srp_mp_nil(r) && (p = srp_mp_bin(r, 8, 8, &n)) != NULL) {
		spec->has6 = true;
		memcpy(spec->v6.b, p, 8);
		if (memcmp(p, none, 8) == 0)
			srp_mp_fail(r, SRP_EINVAL);
	}
	if (!spec->has4 && !spec->has6)
		srp_mp_fail(r, SRP_EINVAL);
}

static void read_bearers(struct srp_mp_r *r, struct full *f)
{
	uint32_t seen = 0;

	f->nbearers = srp_mp_array(r, ECS_BEARERS_MAX);
	for (uint32_t i = 0; i < f->nbearers && !r->err; i++) {
		if (srp_mp_array(r, 3) != 3)
			srp_mp_fail(r, SRP_EFORMAT);
		f->bearer[i].id = (uint8_t)srp_mp_uint(r, ECS_BEARER_LAST);
		f->bearer[i].qci = (uint8_t)srp_mp_uint(r, UINT8_MAX);
		f->bearer[i].arp = (uint8_t)srp_mp_uint(r, UINT8_MAX);
		if (f->bearer[i].id < ECS_BEARER_DEFAULT || (seen & 1u << f->bearer[i].id))
			srp_mp_fail(r, SRP_ERANGE);
		if (f->bearer[i].id == ECS_BEARER_DEFAULT) {
			f->spec.qci = f->bearer[i].qci;
			f->spec.arp = f->bearer[i].arp;
		}
		seen |= 1u << f->bearer[i].id;
	}
	if (!(seen & 1u << ECS_BEARER_DEFAULT))
		srp_mp_fail(r, SRP_EINVAL);
}

static int read_full(struct srp_mp_r *r, const struct srp_ckpt_key *key, unsigned nfields,
                     struct full *f)
{
	*f = (struct full){.spec.callid = (uint32_t)key->k[0]};
	if (key->k[0] == 0 || key->k[0] > UINT32_MAX)
		return SRP_ERANGE;
	if (nfields < ecs_kind_full.nfields)
		return SRP_ESHORT;
	ecs_kind_read_name(r, f->spec.imsi, sizeof(f->spec.imsi), true);
	ecs_kind_read_name(r, f->spec.username, sizeof(f->spec.username), true);
	ecs_kind_read_name(r, f->spec.apn, sizeof(f->spec.apn), true);
	ecs_kind_read_name(r, f->spec.rulebase, sizeof(f->spec.rulebase), true);
	read_addresses(r, &f->spec);
	f->spec.idle_timeout = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	read_bearers(r, f);
	f->age_ms = ecs_kind_read_age(r);
	f->idle_ms = ecs_kind_read_age(r);
	return r->err;
}

/* The session that holds an address of @p spec and is not @p self; NULL: none. */
static struct ecs_session *holder(struct ecs_engine *e, const struct ecs_session_spec *spec,
                                  const struct ecs_session *self)
{
	struct ecs_session *h = spec->has4 ? ecs_session_by_addr(e, &spec->v4) : NULL;

	if (h && h != self)
		return h;
	h = spec->has6 ? ecs_session_by_addr(e, &spec->v6) : NULL;
	return h && h != self ? h : NULL;
}

/* Flows whose address the session has lost can carry no packet any more. */
static void drop_strangers(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct srp_list *l, *next;

	for (l = s->flows.next; l != &s->flows; l = next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		next = l->next;
		if (ecs_kind_owns(s, &f->key.subscriber))
			continue;
		e->conf.counters->flows_replaced++;
		ecs_flow_drop(e, f, ECS_TELL_LISTS, now);
	}
}

/* A dedicated bearer comes with its own record, which follows: one that is made here could have ended
 * before it was ever sent, so that nobody would tell its end, or since a mirror was told of the session. */
static void set_bearers(struct ecs_engine *e, struct ecs_session *s, const struct full *f,
                        struct srp_time now)
{
	uint32_t keep = 0;

	for (uint32_t i = 0; i < f->nbearers; i++)
		keep |= 1u << f->bearer[i].id;
	for (size_t i = 0; i < ECS_BEARERS_MAX; i++) {
		struct ecs_bearer *b = ecs_session_bearer_at(s, i);

		if (b && !(keep & 1u << b->id))
			ecs_session_end_bearer(e, s, b, ECS_TELL_LISTS, now);
	}
	for (uint32_t i = 0; i < f->nbearers; i++) {
		struct ecs_bearer *b = ecs_session_bearer(s, f->bearer[i].id, false);

		if (!b && f->bearer[i].id != ECS_BEARER_DEFAULT)
			continue;
		if (!b)
			b = ecs_session_add_bearer(e, s, f->bearer[i].id);
		if (!b)
			continue; /* no memory: as many places as ids */
		b->qci = f->bearer[i].qci;
		b->arp = f->bearer[i].arp;
	}
}

static int full_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                      struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct ecs_engine *e = ctx->owner;
	struct ecs_session *s, *h;
	struct full f;
	int rc;

	ecs_session_expect(e, (uint32_t)key->k[0]);
	ecs_ledger_await(e->ledger, (uint32_t)key->k[0]);
	rc = read_full(r, key, nfields, &f);
	if (rc)
		return rc;
	s = ecs_session_find(e, f.spec.callid);
	h = holder(e, &f.spec, s);
	if (h && e->active)
		return SRP_EDUP; /* a session in service is not replaced by an offered one */
	if (!s && e->nsessions >= ECS_SESSIONS_MAX && !h)
		return SRP_EFULL;
	for (; h; h = holder(e, &f.spec, s))
		ecs_session_drop(e, h, ECS_END_REPLACED, ECS_TELL_LISTS, ctx->now);
	if (s) {
		rc = ecs_session_update(e, s, &f.spec, ctx->now);
	} else {
		rc = ecs_session_build(e, &f.spec, ctx->now, &s);
		if (rc == 0) {
			e->conf.counters->sessions_applied++;
			ecs_ledger_adopt(e, s);
		}
	}
	if (rc)
		return rc;
	s->ready_for_recovery = true;
	ecs_wheel_disarm(e->wheel, &s->ready);
	drop_strangers(e, s, ctx->now);
	set_bearers(e, s, &f, ctx->now);
	ecs_kind_set_ages(e, s, ctx->now, f.age_ms, f.idle_ms);
	ecs_kind_judge(e, s, NULL, ctx->now);
	*out = &s->full;
	return 0;
}

static int full_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct ecs_session *s;
	int rc = ecs_kind_session(ctx, key, &s);

	if (rc)
		return rc == SRP_ENOSESS ? SRP_ENOENT : rc;
	ecs_session_drop(ctx->owner, s, ECS_END_PEER, ECS_TELL_LISTS, ctx->now);
	return 0;
}

static struct srp_ckpt_obj *full_find(const struct srp_ckpt_ctx *ctx,
                                      const struct srp_ckpt_key *key)
{
	struct ecs_session *s;

	return ecs_kind_session(ctx, key, &s) == 0 ? &s->full : NULL;
}

static void full_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	ecs_kind_walk(ctx, offsetof(struct ecs_session, full), fn, arg);
}

/* The addresses: fields 4 and 5, behind the names. */
static int full_names(struct srp_mp_r *r, unsigned nfields, uint64_t *name)
{
	struct ecs_session_spec spec = {.has4 = false};
	int n = 0;

	if (nfields < ecs_kind_full.nfields)
		return 0;
	for (int i = 0; i < 4; i++)
		srp_mp_skip(r);
	read_addresses(r, &spec);
	if (r->err)
		return 0;
	if (spec.has4)
		name[n++] = ecs_addr_name(&spec.v4);
	if (spec.has6)
		name[n++] = ecs_addr_name(&spec.v6);
	return n;
}

/* Left out: bearers (field 7), age and idleness. */
static void full_passed(struct srp_ckpt_obj *o, const struct srp_ckpt_key *key,
                        const struct srp_ckpt_pass *p)
{
	if (o)
		ecs_call_passed(ECS_CONTAINER(o, struct ecs_session, full), ECS_CALL_FULL, p);
	else
		ecs_call_passed_key(ECS_CALL_FULL, key, p);
}

const struct srp_ckpt_kind ecs_kind_full = {
	.id = 240, .del_id = 1, .name = "Full Checkpoint", .del_name = "INVALIDATE_CRR",
	.rank = 1, .nkey = 1, .nfields = 10, .ver_min = 1, .ver_max = 1, .max_len = FULL_LEN,
	.left_out = 1u << 7 | 1u << 8 | 1u << 9, .names = full_names,
	.key = full_key, .gate = ecs_kind_gate, .encode = full_encode, .apply = full_apply,
	.remove = full_remove, .find = full_find, .walk = full_walk,
	.passed = full_passed,
};

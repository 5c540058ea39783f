/* kind_police: the tokens of limiters, ACS_LIMIT_INFO. */
#include "config.h"
#include "ecs/police.h"

#include "ecs/kind.h"

/* key: call-id, what it is of, id. Fields: uplink, downlink: each nil where both buckets are full, else
 * [peak, committed] with bytes, nil where it is full; and since when, for both: to the peer an age in
 * milliseconds, to the mirror the time of the clock that the tasks of a chassis have in common, in
 * milliseconds, as it hands the record on when nobody knows how old it is. */
#define WAY_LEN   (1 + 2 * 9)
#define LIMIT_LEN (ECS_KIND_HEAD_MAX(3) + 2 * WAY_LEN + 2 * 9)
#define AT_FIELDS (3u << 2)

static const struct ecs_limiter *of(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_limiter *)(const void *)
	       ((const char *)o - offsetof(struct ecs_limiter, ckpt));
}

static void limit_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	const struct ecs_limiter *m = of(o);

	*out = (struct srp_ckpt_key){{m->session->spec.callid, m->of, m->id}};
}

static struct srp_ckpt_obj *limit_parent(const struct srp_ckpt_obj *o)
{
	return &of(o)->session->full;
}

static void write_level(int64_t bytes, struct srp_mp_w *w)
{
	if (bytes == ECS_BUCKET_FULL)
		srp_mp_w_nil(w);
	else
		srp_mp_w_int(w, bytes);
}

static void write_way(const struct ecs_limiter_way *way, struct srp_mp_w *w)
{
	if (way->told_peak == ECS_BUCKET_FULL && way->told_committed == ECS_BUCKET_FULL) {
		srp_mp_w_nil(w);
		return;
	}
	srp_mp_w_array(w, 2);
	write_level(way->told_peak, w);
	write_level(way->told_committed, w);
}

static int limit_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                        struct srp_mp_w *w)
{
	const struct ecs_limiter *m = of(o);

	write_way(&m->way[ECS_UPLINK], w);
	write_way(&m->way[ECS_DOWNLINK], w);
	for (unsigned d = ECS_UPLINK; d <= ECS_DOWNLINK; d++) {
		if (ctx->canonical)
			srp_mp_w_uint(w, 0);
		else if (ctx->replica == SRP_REPLICA_SR)
			srp_mp_w_uint(w, m->way[d].told_at.us / 1000);
		else
			srp_mp_w_uint(w, ecs_kind_age(ctx, m->way[d].told_at));
	}
	return w->err;
}

static int64_t read_level(struct srp_mp_r *r)
{
	int64_t v;

	if (srp_mp_nil(r))
		return ECS_BUCKET_FULL;
	v = srp_mp_int(r);
	if (v < ECS_BUCKET_LEAST || v > ECS_BUCKET_MOST)
		srp_mp_fail(r, SRP_ERANGE);
	return v;
}

static void read_way(struct srp_mp_r *r, int64_t level[2])
{
	level[0] = level[1] = ECS_BUCKET_FULL;
	if (srp_mp_nil(r))
		return;
	if (srp_mp_array(r, 2) != 2)
		srp_mp_fail(r, SRP_EFORMAT);
	level[0] = read_level(r);
	level[1] = read_level(r);
}

/* When the levels were so, by our clock: not later than now. */
static struct srp_time read_at(struct srp_mp_r *r, const struct srp_ckpt_ctx *ctx)
{
	uint64_t v = srp_mp_uint(r, UINT64_MAX / 1000);

	if (ctx->replica != SRP_REPLICA_SR)
		return ecs_kind_ago(ctx->now, v < ECS_KIND_AGE_MAX_MS ? v : ECS_KIND_AGE_MAX_MS);
	return v && v * 1000 < ctx->now.us ? (struct srp_time){v * 1000} : ctx->now;
}

static void take_level(struct ecs_bucket *b, int64_t level, struct srp_time at)
{
	*b = (struct ecs_bucket){.level = 0};
	if (level == ECS_BUCKET_FULL)
		return;
	b->level = level * ECS_BUCKET_BYTE;
	b->at = at;
}

static void take_way(struct ecs_limiter_way *way, const int64_t level[2], struct srp_time at)
{
	way->told_at = at;
	way->told_peak = level[0];
	way->told_committed = level[1];
	take_level(&way->peak, level[0], at);
	take_level(&way->committed, level[1], at);
}

static int check_key(const struct srp_ckpt_key *key)
{
	if (key->k[1] >= ECS_LIMIT__N)
		return SRP_ERANGE;
	if (key->k[1] == ECS_LIMIT_BEARER && (key->k[2] < 5 || key->k[2] > 15))
		return SRP_ERANGE;
	if (key->k[1] == ECS_LIMIT_POLICY && (key->k[2] < 1 || key->k[2] > UINT32_MAX))
		return SRP_ERANGE;
	return 0;
}

static int limit_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                       struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct ecs_engine *e = ctx->owner;
	struct srp_time at_up, at_down;
	int64_t up[2], down[2];
	struct ecs_limiter *m;
	struct ecs_session *s;
	int rc = check_key(key);

	if (!rc)
		rc = ecs_kind_session(ctx, key, &s);
	if (rc)
		return rc;
	if (nfields < ecs_kind_limit.nfields)
		return SRP_ESHORT;
	read_way(r, up);
	read_way(r, down);
	at_up = read_at(r, ctx);
	at_down = read_at(r, ctx);
	if (r->err)
		return r->err;
	m = ecs_limiter_find(e, s->spec.callid, (enum ecs_limit_of)key->k[1], key->k[2]);
	if (!m && s->nlimiters >= ECS_LIMITERS_MAX)
		return SRP_EFULL;
	if (!m)
		m = ecs_limiter_build(e, s, (enum ecs_limit_of)key->k[1], key->k[2]);
	if (!m)
		return SRP_ENOMEM;
	take_way(&m->way[ECS_UPLINK], up, at_up);
	take_way(&m->way[ECS_DOWNLINK], down, at_down);
	*out = &m->ckpt;
	return 0;
}

static struct srp_ckpt_obj *limit_find(const struct srp_ckpt_ctx *ctx,
                                       const struct srp_ckpt_key *key)
{
	struct ecs_limiter *m;

	if (key->k[0] > UINT32_MAX || check_key(key) != 0)
		return NULL;
	m = ecs_limiter_find(ctx->owner, (uint32_t)key->k[0], (enum ecs_limit_of)key->k[1],
	                     key->k[2]);
	return m ? &m->ckpt : NULL;
}

static int limit_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct srp_ckpt_obj *o = limit_find(ctx, key);

	if (!o)
		return SRP_ENOENT;
	ecs_limiter_drop(ctx->owner, ECS_CONTAINER(o, struct ecs_limiter, ckpt), ctx->now);
	return 0;
}

static void limit_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	static const struct ecs_kind_list limiters = {
		.list = offsetof(struct ecs_session, limiters),
		.link = offsetof(struct ecs_limiter, in_session),
		.member = offsetof(struct ecs_limiter, ckpt)};

	ecs_kind_walk_list(ctx, &limiters, fn, arg);
}

const struct srp_ckpt_kind ecs_kind_limit = {
	.id = 214, .name = "ACS_LIMIT_INFO",
	.rank = 2, .nkey = 3, .nfields = 4, .ver_min = 1, .ver_max = 1, .max_len = LIMIT_LEN,
	.left_out = AT_FIELDS,
	.key = limit_key, .parent = limit_parent, .gate = ecs_kind_gate, .encode = limit_encode,
	.apply = limit_apply, .remove = limit_remove, .find = limit_find, .walk = limit_walk,
	.passed = ecs_kind_passed,
};

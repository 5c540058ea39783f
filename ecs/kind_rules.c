#include "config.h"
#include "ecs/ruleref.h"

#include <string.h>

#include "ecs/kind.h"

#define RULES_LEN (ECS_KIND_HEAD_MAX(1) + 2 * 65 + 18)

struct walk {
	srp_ckpt_walk_fn *fn;
	void *arg;
};

static struct ecs_ruleref_table *table(const struct srp_ckpt_ctx *ctx)
{
	return ecs_engine_refs(ctx->owner);
}

static const struct ecs_ruleref *of(const struct srp_ckpt_obj *o)
{
	return (const struct ecs_ruleref *)(const void *)
	       ((const char *)o - offsetof(struct ecs_ruleref, ckpt));
}

static void rules_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{of(o)->name_hash}};
}

static int rules_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                        struct srp_mp_w *w)
{
	const struct ecs_ruleref *r = of(o);

	(void)ctx;
	srp_mp_w_str(w, r->rulebase);
	srp_mp_w_str(w, r->rule);
	srp_mp_w_uint(w, r->rule_digest);
	srp_mp_w_uint(w, r->action_digest);
	return w->err;
}

static int rules_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                       struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	char rulebase[ECS_NAME_MAX + 1], rule[ECS_NAME_MAX + 1];
	struct ecs_rule_name n = {.rulebase = rulebase, .rule = rule};
	struct ecs_ruleref *ref;
	int rc;

	if (nfields < ecs_kind_rule_map.nfields)
		return SRP_ESHORT;
	ecs_kind_read_name(r, rulebase, sizeof(rulebase), false);
	ecs_kind_read_name(r, rule, sizeof(rule), false);
	n.rule_digest = srp_mp_uint(r, UINT64_MAX);
	n.action_digest = srp_mp_uint(r, UINT64_MAX);
	if (r->err)
		return r->err;
	rc = ecs_ruleref_intern(table(ctx), &n, key->k[0], ctx->now, &ref);
	if (rc)
		return rc;
	*out = &ref->ckpt;
	return 0;
}

static int rules_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	return ecs_ruleref_remove(table(ctx), key->k[0], ctx->now);
}

static struct srp_ckpt_obj *rules_find(const struct srp_ckpt_ctx *ctx,
                                       const struct srp_ckpt_key *key)
{
	struct ecs_ruleref *r = ecs_ruleref_get(table(ctx),
	                                        ecs_ruleref_by_hash(table(ctx), key->k[0]));

	return r ? &r->ckpt : NULL;
}

static int visit(struct ecs_ruleref *r, void *arg)
{
	const struct walk *w = arg;

	return w->fn(&r->ckpt, w->arg);
}

static void rules_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	ecs_ruleref_walk(table(ctx), visit, &(struct walk){fn, arg});
}

const struct srp_ckpt_kind ecs_kind_rule_map = {
	.id = 241, .name = "RULE_MAP",
	.rank = 0, .nkey = 1, .nfields = 4, .ver_min = 1, .ver_max = 1, .max_len = RULES_LEN,
	.key = rules_key, .encode = rules_encode, .apply = rules_apply, .remove = rules_remove,
	.find = rules_find, .walk = rules_walk,
};

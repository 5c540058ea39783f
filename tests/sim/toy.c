#include "config.h"
#include "tests/sim/toy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

static void unlink_obj(struct toy *t, struct srp_ckpt_obj *o, bool tell, struct srp_time now)
{
	if (t->sink)
		t->sink->deleted(t->sink, o, tell, now);
}

static void tell_changed(struct toy *t, struct srp_ckpt_obj *o, struct srp_time now)
{
	if (t->sink)
		t->sink->changed(t->sink, o, now);
}

static void write_age(const struct srp_ckpt_ctx *ctx, struct srp_time since, struct srp_mp_w *w)
{
	if (ctx->canonical)
		srp_mp_w_nil(w);
	else
		srp_mp_w_uint(w, srp_time_since(since, ctx->now) / 1000);
}

static struct srp_time read_age(const struct srp_ckpt_ctx *ctx, struct srp_mp_r *r)
{
	uint64_t age = srp_mp_uint(r, UINT32_MAX) * 1000;

	return (struct srp_time){ctx->now.us > age ? ctx->now.us - age : 1};
}

/* --- rule ------------------------------------------------------------------------------------- */

static struct toy_rule *rule_new(struct toy *t, uint32_t id)
{
	struct toy_rule *o = calloc(1, sizeof(*o));

	o->ckpt.kind = toy_kinds[TOY_RULE];
	o->id = id;
	return t->rule[id] = o;
}

static void rule_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{((const struct toy_rule *)o)->id}};
}

static int rule_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                       struct srp_mp_w *w)
{
	(void)ctx;
	srp_mp_w_uint(w, ((const struct toy_rule *)o)->value);
	return w->err;
}

static int rule_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                      struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct toy *t = ctx->owner;
	uint32_t value;
	struct toy_rule *o;

	if (nfields < 1)
		return SRP_ESHORT;
	value = (uint32_t)srp_mp_uint(r, TOY_VALUE_MAX);
	if (r->err || key->k[0] >= TOY_RULES)
		return r->err ? r->err : SRP_ERANGE;
	o = t->rule[key->k[0]];
	if (!o)
		o = rule_new(t, (uint32_t)key->k[0]);
	o->value = value;
	t->applied++;
	*out = &o->ckpt;
	return SRP_OK;
}

static struct srp_ckpt_obj *rule_find(const struct srp_ckpt_ctx *ctx,
				      const struct srp_ckpt_key *key)
{
	struct toy *t = ctx->owner;

	return key->k[0] < TOY_RULES && t->rule[key->k[0]] ? &t->rule[key->k[0]]->ckpt : NULL;
}

static int rule_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct toy *t = ctx->owner;

	if (!rule_find(ctx, key))
		return SRP_ENOENT;
	free(t->rule[key->k[0]]);
	t->rule[key->k[0]] = NULL;
	return SRP_OK;
}

static void rule_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	struct toy *t = ctx->owner;

	for (uint32_t i = 0; i < TOY_RULES; i++)
		if (t->rule[i] && fn(&t->rule[i]->ckpt, arg))
			return;
}

/* --- parent ----------------------------------------------------------------------------------- */

static struct toy_parent *parent_new(struct toy *t, uint32_t id, struct srp_time now)
{
	struct toy_parent *o = calloc(1, sizeof(*o));

	o->ckpt.kind = toy_kinds[TOY_PARENT];
	o->stat.ckpt.kind = toy_kinds[TOY_STAT];
	o->id = id;
	o->since = now;
	return t->parent[id] = o;
}

static void parent_end(struct toy *t, struct toy_parent *o, struct srp_time now)
{
	for (uint32_t i = 0; i < TOY_CHILDREN; i++)
		if (t->child[o->id][i]) {
			unlink_obj(t, &t->child[o->id][i]->ckpt, false, now);
			free(t->child[o->id][i]);
			t->child[o->id][i] = NULL;
		}
	unlink_obj(t, &o->stat.ckpt, false, now);
	t->parent[o->id] = NULL;
	free(o);
}

static void parent_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{((const struct toy_parent *)o)->id}};
}

static enum srp_gate parent_gate(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx)
{
	(void)ctx;
	return ((const struct toy_parent *)o)->young ? SRP_GATE_NOT_READY : SRP_GATE_OPEN;
}

static int parent_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                         struct srp_mp_w *w)
{
	static const uint8_t big[256];
	const struct toy_parent *p = (const struct toy_parent *)o;

	srp_mp_w_uint(w, p->value);
	write_age(ctx, p->since, w);
	if (p->value == TOY_BIG)
		srp_mp_w_bin(w, big, sizeof(big));
	return w->err;
}

static int parent_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                        struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct toy *t = ctx->owner;
	struct srp_time since;
	struct toy_parent *o;
	uint32_t value;

	if (nfields < 2)
		return SRP_ESHORT;
	value = (uint32_t)srp_mp_uint(r, TOY_VALUE_MAX);
	since = read_age(ctx, r);
	if (r->err || key->k[0] >= TOY_PARENTS)
		return r->err ? r->err : SRP_ERANGE;
	o = t->parent[key->k[0]];
	if (!o)
		o = parent_new(t, (uint32_t)key->k[0], ctx->now);
	o->value = value;
	o->since = since;
	t->applied++;
	*out = &o->ckpt;
	return SRP_OK;
}

/* It is also called by its value. */
static int parent_names(struct srp_mp_r *r, unsigned nfields, uint64_t *name)
{
	name[0] = TOY_NAME + srp_mp_uint(r, TOY_VALUE_MAX);
	return nfields && !r->err;
}

static struct srp_ckpt_obj *parent_find(const struct srp_ckpt_ctx *ctx,
                                        const struct srp_ckpt_key *key)
{
	struct toy *t = ctx->owner;

	return key->k[0] < TOY_PARENTS && t->parent[key->k[0]] ? &t->parent[key->k[0]]->ckpt : NULL;
}

static int parent_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct toy *t = ctx->owner;

	if (!parent_find(ctx, key))
		return SRP_ENOENT;
	parent_end(t, t->parent[key->k[0]], ctx->now);
	return SRP_OK;
}

static void parent_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	struct toy *t = ctx->owner;

	for (uint32_t i = 0; i < TOY_PARENTS; i++)
		if (t->parent[i] && fn(&t->parent[i]->ckpt, arg))
			return;
}

/* --- figure of a parent ----------------------------------------------------------------------- */

static struct toy_parent *stat_owner(const struct srp_ckpt_obj *o)
{
	const char *p = (const char *)o - offsetof(struct toy_parent, stat);

	return (struct toy_parent *)(uintptr_t)p;
}

static void stat_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	*out = (struct srp_ckpt_key){{stat_owner(o)->id}};
}

static struct srp_ckpt_obj *stat_parent(const struct srp_ckpt_obj *o)
{
	return &stat_owner(o)->ckpt;
}

static int stat_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                       struct srp_mp_w *w)
{
	(void)ctx;
	srp_mp_w_uint(w, stat_owner(o)->stat.value);
	return w->err;
}

static int stat_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                      struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct toy *t = ctx->owner;
	uint32_t value;

	if (nfields < 1)
		return SRP_ESHORT;
	value = (uint32_t)srp_mp_uint(r, TOY_VALUE_MAX);
	if (r->err || key->k[0] >= TOY_PARENTS)
		return r->err ? r->err : SRP_ERANGE;
	if (!t->parent[key->k[0]])
		return SRP_ENOSESS;
	t->parent[key->k[0]]->stat.value = value;
	t->parent[key->k[0]]->stat.used = true;
	t->applied++;
	*out = &t->parent[key->k[0]]->stat.ckpt;
	return SRP_OK;
}

static struct srp_ckpt_obj *stat_find(const struct srp_ckpt_ctx *ctx,
				      const struct srp_ckpt_key *key)
{
	struct toy *t = ctx->owner;
	struct toy_parent *p = key->k[0] < TOY_PARENTS ? t->parent[key->k[0]] : NULL;

	return p && p->stat.used ? &p->stat.ckpt : NULL;
}

static int stat_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct srp_ckpt_obj *o = stat_find(ctx, key);

	if (!o)
		return SRP_ENOENT;
	stat_owner(o)->stat = (struct toy_stat){.ckpt.kind = toy_kinds[TOY_STAT]};
	return SRP_OK;
}

static void stat_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	struct toy *t = ctx->owner;

	for (uint32_t i = 0; i < TOY_PARENTS; i++)
		if (t->parent[i] && t->parent[i]->stat.used &&
		    fn(&t->parent[i]->stat.ckpt, arg))
			return;
}

/* --- child ------------------------------------------------------------------------------------ */

static struct toy_child *child_new(struct toy *t, uint32_t parent, uint32_t id, struct srp_time now)
{
	struct toy_child *o = calloc(1, sizeof(*o));

	o->ckpt.kind = toy_kinds[TOY_CHILD];
	o->parent = t->parent[parent];
	o->id = id;
	o->since = now;
	return t->child[parent][id] = o;
}

static void child_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	const struct toy_child *c = (const struct toy_child *)o;

	*out = (struct srp_ckpt_key){{c->parent->id, c->id}};
}

static struct srp_ckpt_obj *child_parent(const struct srp_ckpt_obj *o)
{
	return &((const struct toy_child *)o)->parent->ckpt;
}

static int child_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                        struct srp_mp_w *w)
{
	const struct toy_child *c = (const struct toy_child *)o;

	srp_mp_w_uint(w, c->value);
	srp_mp_w_uint(w, c->rule);
	write_age(ctx, c->since, w);
	return w->err;
}

static int child_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                       struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct toy *t = ctx->owner;
	uint32_t value, rule;
	struct srp_time since;
	struct toy_child *o;

	if (nfields < 3)
		return SRP_ESHORT;
	value = (uint32_t)srp_mp_uint(r, TOY_VALUE_MAX);
	rule = (uint32_t)srp_mp_uint(r, TOY_RULES - 1);
	since = read_age(ctx, r);
	if (r->err || key->k[0] >= TOY_PARENTS || key->k[1] >= TOY_CHILDREN)
		return r->err ? r->err : SRP_ERANGE;
	if (!t->parent[key->k[0]])
		return SRP_ENOSESS;
	if (!t->rule[rule])
		return SRP_ENORULE;
	o = t->child[key->k[0]][key->k[1]];
	if (!o && (t->full >> key->k[1] & 1))
		return SRP_EFULL;
	if (!o)
		o = child_new(t, (uint32_t)key->k[0], (uint32_t)key->k[1], ctx->now);
	o->value = value;
	o->rule = rule;
	o->since = since;
	t->applied++;
	*out = &o->ckpt;
	return SRP_OK;
}

static struct srp_ckpt_obj *child_find(const struct srp_ckpt_ctx *ctx,
				       const struct srp_ckpt_key *key)
{
	struct toy *t = ctx->owner;

	if (key->k[0] >= TOY_PARENTS || key->k[1] >= TOY_CHILDREN ||
	    !t->child[key->k[0]][key->k[1]])
		return NULL;
	return &t->child[key->k[0]][key->k[1]]->ckpt;
}

static int child_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct toy *t = ctx->owner;

	if (!child_find(ctx, key))
		return SRP_ENOENT;
	free(t->child[key->k[0]][key->k[1]]);
	t->child[key->k[0]][key->k[1]] = NULL;
	return SRP_OK;
}

static void child_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	struct toy *t = ctx->owner;

	for (uint32_t i = 0; i < TOY_PARENTS; i++)
		for (uint32_t j = 0; j < TOY_CHILDREN; j++)
			if (t->child[i][j] && fn(&t->child[i][j]->ckpt, arg))
				return;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static const struct srp_ckpt_kind kind_rule = {
	.id = 241, .del_id = 242, .name = "RULE", .del_name = "DEL_RULE", .rank = 0, .nkey = 1,
	.nfields = 1, .ver_min = 1, .ver_max = 1, .max_len = 32, .key = rule_key,
	.encode = rule_encode, .apply = rule_apply, .remove = rule_remove, .find = rule_find,
	.walk = rule_walk};

static const struct srp_ckpt_kind kind_parent = {
	.id = 240, .del_id = 1, .name = "PARENT", .del_name = "DEL_PARENT", .rank = 1, .nkey = 1,
	.nfields = 2, .ver_min = 1, .ver_max = 1, .max_len = 64, .key = parent_key,
	.gate = parent_gate, .encode = parent_encode, .apply = parent_apply,
	.remove = parent_remove, .find = parent_find, .walk = parent_walk,
	.left_nil = 1u << 1, .names = parent_names};

static const struct srp_ckpt_kind kind_stat = {
	.id = 4, .name = "STAT", .rank = 2, .nkey = 1, .nfields = 1, .ver_min = 1, .ver_max = 1,
	.max_len = 32, .key = stat_key, .parent = stat_parent, .encode = stat_encode,
	.apply = stat_apply, .remove = stat_remove, .find = stat_find, .walk = stat_walk};

static const struct srp_ckpt_kind kind_child = {.id = 210,
						.del_id = 211,
						.name = "CHILD",
						.del_name = "DEL_CHILD",
						.rank = 3,
						.limited = true,
						.nkey = 2,
						.nfields = 3,
						.ver_min = 1,
						.ver_max = 1,
						.max_len = 64,
						.key = child_key,
						.parent = child_parent,
						.encode = child_encode,
						.apply = child_apply,
						.remove = child_remove,
						.find = child_find,
						.walk = child_walk,
						.left_nil = 1u << 2};

const struct srp_ckpt_kind *const toy_kinds[TOY_KINDS] = {
	[TOY_RULE] = &kind_rule, [TOY_PARENT] = &kind_parent, [TOY_STAT] = &kind_stat,
	[TOY_CHILD] = &kind_child};

/* --- the model's own doings ------------------------------------------------------------------- */

void toy_init(struct toy *t, struct srp_ckpt_sink *sink)
{
	*t = (struct toy){.sink = sink};
}

void toy_fini(struct toy *t)
{
	for (uint32_t i = 0; i < TOY_RULES; i++)
		free(t->rule[i]);
	for (uint32_t i = 0; i < TOY_PARENTS; i++) {
		for (uint32_t j = 0; j < TOY_CHILDREN; j++)
			free(t->child[i][j]);
		free(t->parent[i]);
	}
	*t = (struct toy){.sink = NULL};
}

void toy_set_rule(struct toy *t, uint32_t id, uint32_t value, struct srp_time now)
{
	struct toy_rule *o = t->rule[id] ? t->rule[id] : rule_new(t, id);

	o->value = value;
	tell_changed(t, &o->ckpt, now);
}

void toy_set_parent(struct toy *t, uint32_t id, uint32_t value, struct srp_time now)
{
	struct toy_parent *o = t->parent[id] ? t->parent[id] : parent_new(t, id, now);

	o->value = value;
	tell_changed(t, &o->ckpt, now);
}

void toy_set_stat(struct toy *t, uint32_t id, uint32_t value, struct srp_time now)
{
	if (!t->parent[id])
		return;
	t->parent[id]->stat.value = value;
	t->parent[id]->stat.used = true;
	tell_changed(t, &t->parent[id]->stat.ckpt, now);
}

void toy_set_child(struct toy *t, uint32_t parent, uint32_t id, uint32_t value, uint32_t rule,
                   struct srp_time now)
{
	struct toy_child *o;

	if (!t->parent[parent])
		return;
	o = t->child[parent][id] ? t->child[parent][id] : child_new(t, parent, id, now);
	o->value = value;
	o->rule = rule;
	tell_changed(t, &o->ckpt, now);
}

void toy_del_rule(struct toy *t, uint32_t id, struct srp_time now)
{
	if (!t->rule[id])
		return;
	unlink_obj(t, &t->rule[id]->ckpt, true, now);
	free(t->rule[id]);
	t->rule[id] = NULL;
}

void toy_del_parent(struct toy *t, uint32_t id, struct srp_time now)
{
	if (!t->parent[id])
		return;
	unlink_obj(t, &t->parent[id]->ckpt, true, now);
	parent_end(t, t->parent[id], now);
}

void toy_del_child(struct toy *t, uint32_t parent, uint32_t id, struct srp_time now)
{
	struct toy_child *o = t->child[parent][id];

	if (!o)
		return;
	unlink_obj(t, &o->ckpt, true, now);
	t->child[parent][id] = NULL;
	free(o);
}

/* --- comparison ------------------------------------------------------------------------------- */

struct comparison {
	const struct toy *other;
	const char *what;
	char *why;
	size_t cap;
	bool differs;
};

static uint64_t value_of(const struct srp_ckpt_obj *o)
{
	uint8_t buf[512];
	const struct srp_ckpt_ctx ctx = {.canonical = true};
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	uint64_t v = 0;

	(void)o->kind->encode(o, &ctx, &w);
	for (const uint8_t *p = w.start; p < w.p; p++)
		v = v * 1099511628211u + *p;
	return v;
}

static int compare_one(struct srp_ckpt_obj *o, void *arg)
{
	struct comparison *c = arg;
	const struct srp_ckpt_ctx ctx = {.owner = (void *)(uintptr_t)c->other};
	struct srp_ckpt_key key;
	const struct srp_ckpt_obj *x;

	o->kind->key(o, &key);
	x = o->kind->find(&ctx, &key);
	if (x && x->term == o->term && x->version == o->version && value_of(x) == value_of(o))
		return 0;
	c->differs = true;
	(void)snprintf(c->why, c->cap, "%s %u/%u %s: version %u/%u here, %u/%u there",
		       o->kind->name, (unsigned)key.k[0], (unsigned)key.k[1],
		       x ? c->what : "missing", o->term, o->version, x ? x->term : 0,
		       x ? x->version : 0);
	return 1;
}

int toy_compare(const struct toy *a, const struct toy *b, char *why, size_t cap)
{
	struct comparison c = {.other = b, .what = "differs", .why = why, .cap = cap};
	struct comparison d = {.other = a, .what = "differs (other way)", .why = why, .cap = cap};
	const struct srp_ckpt_ctx ctx_a = {.owner = (void *)(uintptr_t)a};
	const struct srp_ckpt_ctx ctx_b = {.owner = (void *)(uintptr_t)b};

	for (uint32_t i = 0; i < TOY_KINDS; i++) {
		toy_kinds[i]->walk(&ctx_a, compare_one, &c);
		toy_kinds[i]->walk(&ctx_b, compare_one, &d);
	}
	return c.differs || d.differs;
}

static int count_one(struct srp_ckpt_obj *o, void *arg)
{
	(void)o;
	++*(size_t *)arg;
	return 0;
}

size_t toy_count(const struct toy *t)
{
	const struct srp_ckpt_ctx ctx = {.owner = (void *)(uintptr_t)t};
	size_t n = 0;

	for (uint32_t i = 0; i < TOY_KINDS; i++)
		toy_kinds[i]->walk(&ctx, count_one, &n);
	return n;
}

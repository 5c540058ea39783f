#include "config.h"
#include "ecs/ruleref.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/dynamic.h"
#include "ecs/engine_impl.h"

#define BUCKETS 4096u /* power of two, half of ECS_REFS_MAX */
#define STEPS   256u  /* slots looked at for one new ref in a full table */

struct ecs_ruleref_table {
	const struct ecs_service *svc;
	struct srp_ckpt_sink *sink;
	const struct ecs_engine *engine;        /* NULL: nobody's */
	uint16_t of_line[ECS_LINES_MAX];        /* ECS_REF_NONE: not made yet */
	struct ecs_ruleref *slot[ECS_REFS_MAX]; /* by id */
	struct ecs_ruleref *bucket[BUCKETS];
	size_t used;                            /* slots below it were used once */
	uint16_t hand;                          /* where a full table is searched for a slot */
	size_t count;                           /* refs that are there */
	size_t ngone;                           /* removed, but still named by flows */
};

static uint64_t mix_bytes(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3u;
	return h;
}

static uint64_t mix_u64(uint64_t h, uint64_t v)
{
	for (int i = 0; i < 8; i++, v >>= 8)
		h = (h ^ (v & 0xff)) * 0x100000001b3u;
	return h;
}

uint64_t ecs_ruleref_full_hash(const struct ecs_rule_name *n)
{
	uint64_t h = 0xcbf29ce484222325u;

	h = mix_bytes(h, n->rulebase, strlen(n->rulebase) + 1);
	h = mix_bytes(h, n->rule, strlen(n->rule) + 1);
	h = mix_u64(h, n->rule_digest);
	h = mix_u64(h, n->action_digest);
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	/* the upper half is never 0, so that a whole hash cannot be another ref's lower half */
	return h >> 32 ? h : h | (uint64_t)1 << 63;
}

static size_t bucket_of(uint64_t name_hash)
{
	return (size_t)(name_hash & (BUCKETS - 1));
}

static struct ecs_ruleref *find(const struct ecs_ruleref_table *t, uint64_t name_hash)
{
	struct ecs_ruleref *r = t->bucket[bucket_of(name_hash)];

	while (r && r->name_hash != name_hash)
		r = r->hash_next;
	return r;
}

static bool named(const struct ecs_ruleref *r, const struct ecs_rule_name *n)
{
	return r->rule_digest == n->rule_digest && r->action_digest == n->action_digest &&
	       strcmp(r->rule, n->rule) == 0 && strcmp(r->rulebase, n->rulebase) == 0;
}

static void hash_in(struct ecs_ruleref_table *t, struct ecs_ruleref *r)
{
	struct ecs_ruleref **b = &t->bucket[bucket_of(r->name_hash)];

	r->hash_next = *b;
	*b = r;
	t->count++;
}

static void hash_out(struct ecs_ruleref_table *t, struct ecs_ruleref *r)
{
	struct ecs_ruleref **p = &t->bucket[bucket_of(r->name_hash)];

	while (*p && *p != r)
		p = &(*p)->hash_next;
	if (!*p)
		return;
	*p = r->hash_next;
	r->hash_next = NULL;
	t->count--;
}

static void bind_ref(const struct ecs_ruleref_table *t, struct ecs_ruleref *r)
{
	int rb = ecs_service_find_rulebase(t->svc, r->rulebase);
	const struct ecs_line *l;
	uint16_t line;

	r->line = ECS_LINE_NONE;
	r->judged = false;
	r->dynamic = strcmp(r->rulebase, ECS_DYN_BASE) == 0;
	r->bind = r->dynamic ? ECS_BIND_OK : ECS_BIND_NO_RULEBASE;
	if (r->dynamic || rb < 0)
		return;
	line = ecs_service_find_line(t->svc, rb, r->rule);
	l = line == ECS_LINE_NONE ? NULL : ecs_service_line(t->svc, line);
	if (!l || !l->bound) {
		r->bind = ECS_BIND_NO_RULE;
	} else if (l->rule_digest != r->rule_digest) {
		r->bind = ECS_BIND_RULE_DIFFERS;
	} else if (l->action_digest != r->action_digest) {
		r->bind = ECS_BIND_ACTION_DIFFERS;
	} else {
		r->bind = ECS_BIND_OK;
		r->line = line;
		r->l7 = !l->l34;
	}
}

/* Frees the slot of a ref that is in no bucket any more. */
static void slot_free(struct ecs_ruleref_table *t, struct ecs_ruleref *r)
{
	for (size_t i = 0; i < ECS_LINES_MAX; i++)
		if (t->of_line[i] == r->id)
			t->of_line[i] = ECS_REF_NONE;
	if (r->gone)
		t->ngone--;
	t->slot[r->id] = NULL;
	free(r->action);
	free(r);
}

/* A free slot; where all are used, that of a ref that no flow names and no line has. The hand goes
 * round, so that a full table costs a new ref a few steps and not a walk. */
static uint16_t slot_get(struct ecs_ruleref_table *t, struct srp_time now)
{
	if (t->used < ECS_REFS_MAX)
		return (uint16_t)t->used++;
	for (size_t n = 0; n < STEPS; n++) {
		uint16_t i = t->hand;
		struct ecs_ruleref *r = t->slot[i];

		t->hand = (uint16_t)((i + 1u) % ECS_REFS_MAX);
		if (!r)
			return i;
		if (r->flows > 0 || r->users > 0 || (r->line != ECS_LINE_NONE && !r->gone))
			continue;
		if (t->sink && !r->gone)
			t->sink->deleted(t->sink, &r->ckpt, false, now);
		hash_out(t, r);
		slot_free(t, r);
		return i;
	}
	return ECS_REF_NONE;
}

static void come_back(struct ecs_ruleref_table *t, struct ecs_ruleref *r)
{
	r->gone = false;
	t->ngone--;
	ecs_obj_anew(&r->ckpt);
	hash_in(t, r);
	bind_ref(t, r);
}

/* A removed ref of this name that flows still name; it comes back as it was. */
static struct ecs_ruleref *revive(struct ecs_ruleref_table *t, const struct ecs_rule_name *n)
{
	for (size_t i = 0; t->ngone > 0 && i < t->used; i++) {
		struct ecs_ruleref *r = t->slot[i];

		if (!r || !r->gone || !named(r, n) || find(t, r->name_hash))
			continue;
		come_back(t, r);
		return r;
	}
	return NULL;
}

static struct ecs_ruleref *make(struct ecs_ruleref_table *t, const struct ecs_rule_name *n,
                                uint64_t name_hash, struct srp_time now)
{
	struct ecs_ruleref *r = revive(t, n);
	uint16_t id;

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	id = slot_get(t, now);
	if (id == ECS_REF_NONE) {
		free(r);
		return NULL;
	}
	r->ckpt.kind = &ecs_kind_rule_map;
	memcpy(r->rulebase, n->rulebase, strlen(n->rulebase) + 1);
	memcpy(r->rule, n->rule, strlen(n->rule) + 1);
	r->rule_digest = n->rule_digest;
	r->action_digest = n->action_digest;
	r->name_hash = name_hash;
	r->id = id;
	if (t->engine)
		r->kpi = ecs_kpi_find(t->engine, r->rule);
	t->slot[id] = r;
	hash_in(t, r);
	bind_ref(t, r);
	return r;
}

struct ecs_ruleref_table *ecs_ruleref_new(const struct ecs_service *svc, struct srp_ckpt_sink *sink,
                                          const struct ecs_engine *engine)
{
	struct ecs_ruleref_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->svc = svc;
	t->sink = sink;
	t->engine = engine;
	memset(t->of_line, 0xff, sizeof(t->of_line));
	return t;
}

void ecs_ruleref_free(struct ecs_ruleref_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->used; i++) {
		if (t->slot[i])
			free(t->slot[i]->action);
		free(t->slot[i]);
	}
	free(t);
}

/* The ref of a rule of this chassis: made, and told, where there is none. */
static uint16_t ours(struct ecs_ruleref_table *t, const struct ecs_rule_name *n, struct srp_time now)
{
	uint64_t h = ecs_ruleref_full_hash(n);
	struct ecs_ruleref *r = find(t, h & UINT32_MAX);

	if (!r || !named(r, n)) {
		bool whole = r || (h & UINT32_MAX) == 0;

		r = find(t, h);
		if (!r && !whole)
			h &= UINT32_MAX;
	}
	if (!r) {
		r = make(t, n, h, now);
		if (!r)
			return ECS_REF_NONE;
		if (t->sink)
			t->sink->changed(t->sink, &r->ckpt, now);
	}
	return r->id;
}

uint16_t ecs_ruleref_of_dynamic(struct ecs_ruleref_table *t, const struct ecs_rule_name *n,
                                struct srp_time now)
{
	return ours(t, n, now);
}

uint16_t ecs_ruleref_of_line(struct ecs_ruleref_table *t, uint16_t line, struct srp_time now)
{
	const struct ecs_line *l;
	struct ecs_rule_name n;
	uint16_t id;

	if (line >= ECS_LINES_MAX || line >= ecs_service_lines(t->svc))
		return ECS_REF_NONE;
	if (t->of_line[line] != ECS_REF_NONE)
		return t->of_line[line];
	l = ecs_service_line(t->svc, line);
	n = (struct ecs_rule_name){
		.rulebase = ecs_service_rulebase_name(t->svc, l->rulebase), .rule = l->rule_name,
		.rule_digest = l->rule_digest, .action_digest = l->action_digest};
	id = ours(t, &n, now);
	t->of_line[line] = id;
	return id;
}

int ecs_ruleref_intern(struct ecs_ruleref_table *t, const struct ecs_rule_name *n,
                       uint64_t name_hash, struct srp_time now, struct ecs_ruleref **out)
{
	uint64_t h = ecs_ruleref_full_hash(n);
	struct ecs_ruleref *r = find(t, name_hash);

	if (name_hash == 0 || (name_hash != h && name_hash != (h & UINT32_MAX)))
		return SRP_EINVAL;
	if (r && !named(r, n))
		return SRP_EDUP;
	if (!r) {
		r = make(t, n, name_hash, now);
		if (!r)
			return SRP_EFULL;
	}
	*out = r;
	return 0;
}

int ecs_ruleref_remove(struct ecs_ruleref_table *t, uint64_t name_hash, struct srp_time now)
{
	struct ecs_ruleref *r = find(t, name_hash);

	if (!r)
		return SRP_ENOENT;
	if (t->sink)
		t->sink->deleted(t->sink, &r->ckpt, false, now);
	hash_out(t, r);
	if (r->flows > 0 || r->users > 0) {
		r->gone = true;
		t->ngone++;
	} else {
		slot_free(t, r);
	}
	return 0;
}

void ecs_ruleref_return(struct ecs_ruleref_table *t, struct srp_time now)
{
	for (size_t i = 0; t->ngone > 0 && i < t->used; i++) {
		struct ecs_ruleref *r = t->slot[i];

		if (!r || !r->gone || (r->flows == 0 && r->users == 0) || find(t, r->name_hash))
			continue;
		come_back(t, r);
		if (t->sink)
			t->sink->changed(t->sink, &r->ckpt, now);
	}
}

uint16_t ecs_ruleref_by_hash(const struct ecs_ruleref_table *t, uint64_t name_hash)
{
	const struct ecs_ruleref *r = find(t, name_hash);

	return r ? r->id : ECS_REF_NONE;
}

struct ecs_ruleref *ecs_ruleref_get(struct ecs_ruleref_table *t, uint16_t id)
{
	return id < ECS_REFS_MAX ? t->slot[id] : NULL;
}

size_t ecs_ruleref_count(const struct ecs_ruleref_table *t)
{
	return t->count;
}

void ecs_ruleref_rebind(struct ecs_ruleref_table *t, const struct ecs_service *svc)
{
	t->svc = svc;
	memset(t->of_line, 0xff, sizeof(t->of_line));
	for (size_t i = 0; i < t->used; i++) {
		struct ecs_ruleref *r = t->slot[i];
		bool was = r && r->line != ECS_LINE_NONE;

		if (!r)
			continue;
		bind_ref(t, r);
		r->moved = was && r->bind == ECS_BIND_ACTION_DIFFERS;
	}
}

uint16_t ecs_ruleref_moved(struct ecs_ruleref_table *t, uint16_t id, struct srp_time now)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(t, id);
	int rb;

	if (!r || !r->moved)
		return id;
	rb = ecs_service_find_rulebase(t->svc, r->rulebase);
	return ecs_ruleref_of_line(t, ecs_service_find_line(t->svc, rb, r->rule), now);
}

uint16_t ecs_ruleref_now(struct ecs_ruleref_table *t, uint16_t id, struct srp_time now)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(t, id);
	int rb;

	if (!r || r->gone || r->dynamic)
		return ECS_REF_NONE;
	if (r->bind != ECS_BIND_ACTION_DIFFERS)
		return r->line == ECS_LINE_NONE ? ECS_REF_NONE : id;
	rb = ecs_service_find_rulebase(t->svc, r->rulebase);
	return ecs_ruleref_of_line(t, ecs_service_find_line(t->svc, rb, r->rule), now);
}

uint16_t ecs_ruleref_in(struct ecs_ruleref_table *t, uint16_t id, int rulebase, struct srp_time now)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(t, id);
	uint16_t line = r ? ecs_service_find_line(t->svc, rulebase, r->rule) : ECS_LINE_NONE;

	if (line == ECS_LINE_NONE || ecs_service_line(t->svc, line)->rule_digest != r->rule_digest)
		return ECS_REF_NONE;
	return ecs_ruleref_of_line(t, line, now);
}

void ecs_ruleref_walk_all(struct ecs_ruleref_table *t,
                          int (*fn)(struct ecs_ruleref *r, void *arg), void *arg)
{
	for (size_t i = 0; i < t->used; i++)
		if (t->slot[i] && fn(t->slot[i], arg) != 0)
			return;
}

void ecs_ruleref_walk(struct ecs_ruleref_table *t, int (*fn)(struct ecs_ruleref *r, void *arg),
                      void *arg)
{
	for (size_t i = 0; i < t->used; i++) {
		struct ecs_ruleref *r = t->slot[i];

		if (r && !r->gone && fn(r, arg) != 0)
			return;
	}
}

/* store_kind: the rows that a store offers to its replica: records are kept as they come, and
 * written as they were kept. */
#include "config.h"
#include "recovery/store_impl.h"

#include "srp/err.h"

#define SHRINK 8u /* units; a block that would be larger than needed by more is given back */

static unsigned index_of(const struct recovery_store *s, const struct srp_ckpt_kind *k)
{
	return (unsigned)(k - s->kind);
}

/* The entry of an object: its tail begins where the second link of a whole object would. */
static struct recovery_tail *tail_of(const struct srp_ckpt_obj *o)
{
	return (struct recovery_tail *)((uintptr_t)o + RECOVERY_HEAD_LEN);
}

static recovery_ref find_ref(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	const struct recovery_store *s = ctx->owner;
	uint8_t bytes[RECOVERY_KEY_MAX];
	size_t len = recovery_key_bytes(ctx->kind, key, bytes);

	return recovery_entry_find(s, index_of(s, ctx->kind), bytes, len);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void entry_key(const struct srp_ckpt_obj *o, struct srp_ckpt_key *out)
{
	const struct recovery_tail *t = tail_of(o);
	struct srp_mp_r r = srp_mp_r_init(t->record, t->keylen);

	*out = (struct srp_ckpt_key){{0}};
	recovery_r_key(&r, o->kind, out);
}

static struct srp_ckpt_obj *entry_find(const struct srp_ckpt_ctx *ctx,
                                       const struct srp_ckpt_key *key)
{
	recovery_ref ref = find_ref(ctx, key);

	return ref ? recovery_entry_obj(ctx->owner, ref) : NULL;
}

/* One field as the canonical form has it. */
static void write_left_out(struct srp_mp_r *r, bool nil, struct srp_mp_w *w)
{
	bool array = srp_mp_left(r) && ((*r->p & 0xf0) == 0x90 || *r->p == 0xdc || *r->p == 0xdd);

	srp_mp_skip(r);
	if (nil)
		srp_mp_w_nil(w);
	else if (array)
		srp_mp_w_array(w, 0);
	else
		srp_mp_w_uint(w, 0);
}

static int entry_encode(const struct srp_ckpt_obj *o, const struct srp_ckpt_ctx *ctx,
                        struct srp_mp_w *w)
{
	const struct recovery_tail *t = tail_of(o);
	uint64_t out = o->kind->left_out | o->kind->left_nil;
	const uint8_t *from = t->record + t->keylen;
	struct srp_mp_r r = srp_mp_r_init(from, t->len - (size_t)t->keylen);

	for (unsigned i = 0; ctx->canonical && out >> i; i++) {
		if (!(out >> i & 1)) {
			srp_mp_skip(&r);
			continue;
		}
		srp_mp_w_raw(w, from, (size_t)(r.p - from));
		write_left_out(&r, o->kind->left_nil >> i & 1, w);
		from = r.p;
	}
	if (r.err)
		return r.err;
	srp_mp_w_raw(w, from, (size_t)(r.end - from));
	return w->err;
}

struct walk {
	const struct recovery_store *s;
	unsigned kind;
	srp_ckpt_walk_fn *fn;
	void *arg;
};

/* @return false to stop */
static bool walk_entries(const struct walk *w, recovery_ref ref)
{
	while (ref) {
		const struct recovery_tail *t = recovery_entry_tail(w->s, ref);
		recovery_ref next = t->next;

		if (t->kind == w->kind && w->fn(recovery_entry_obj(w->s, ref), w->arg))
			return false;
		ref = next;
	}
	return true;
}

static void entry_walk(const struct srp_ckpt_ctx *ctx, srp_ckpt_walk_fn *fn, void *arg)
{
	const struct recovery_store *s = ctx->owner;
	const struct walk w = {s, index_of(s, ctx->kind), fn, arg};
	const recovery_ref lists[] = {s->h->with.head, s->h->idle.head};

	if (!ctx->kind->rank) {
		(void)walk_entries(&w, s->h->rules.head);
		return;
	}
	for (int i = 0; i < 2; i++)
		for (recovery_ref g = lists[i], next; g; g = next) {
			next = recovery_group_at(s, g)->next;
			if (!walk_entries(&w, recovery_group_at(s, g)->head))
				return;
		}
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The entry leaves the lists of the replica, where it still is on one, and its memory goes. */
static void entry_drop(struct recovery_store *s, recovery_ref ref, recovery_ref g,
                       struct srp_time now)
{
	struct srp_ckpt_obj *o = recovery_entry_obj(s, ref);

	if (s->sink)
		s->sink->deleted(s->sink, o, false, now);
	recovery_entry_unlink(s, ref, g);
	recovery_block_put(s, ref, tail_of(o)->units);
}

/* Where a record of this length goes: into its present block, or a new one. 0: no room; then the
 * entry is as it was. */
static recovery_ref place(struct recovery_store *s, const struct srp_ckpt_ctx *ctx,
                          recovery_ref old, recovery_ref g, size_t len)
{
	size_t bytes = RECOVERY_ENTRY_LEN + len;
	uint32_t units;
	recovery_ref ref;

	if (bytes < RECOVERY_ENTRY_MIN)
		bytes = RECOVERY_ENTRY_MIN;
	if (old) {
		size_t has = recovery_entry_tail(s, old)->units * (size_t)RECOVERY_UNIT;

		if (bytes <= has && has - bytes < SHRINK * RECOVERY_UNIT)
			return old;
	}
	ref = recovery_block_get(s, bytes, &units);
	if (!ref)
		return 0;
	memset(recovery_at(s, ref), 0, RECOVERY_ENTRY_LEN);
	recovery_entry_obj(s, ref)->kind = ctx->kind;
	recovery_entry_tail(s, ref)->units = (uint16_t)units;
	if (old)
		entry_drop(s, old, g, ctx->now);
	return ref;
}

static void fill_in(struct recovery_store *s, recovery_ref ref, const struct srp_ckpt_ctx *ctx,
                    const uint8_t *key, size_t keylen, const uint8_t *fields, size_t len)
{
	struct recovery_tail *t = recovery_entry_tail(s, ref);
	uint64_t ms = ctx->now.us / 1000;

	t->kind = (uint8_t)index_of(s, ctx->kind);
	t->keylen = (uint8_t)keylen;
	t->len = (uint16_t)(keylen + len);
	t->when = (uint32_t)ms;
	t->when_high = (uint8_t)(ms >> 32);
	memcpy(t->record, key, keylen);
	memcpy(t->record + keylen, fields, len);
	s->h->limbo = ref;
	s->h->limbo_term = ctx->term;
	s->h->limbo_version = ctx->version;
}

/* The session of a record, made where there is none. */
static int group_for(struct recovery_store *s, const struct srp_ckpt_ctx *ctx,
                     const struct srp_ckpt_key *key, recovery_ref *out)
{
	const struct srp_ckpt_kind *k = ctx->kind;

	*out = 0;
	if (!k->rank)
		return SRP_OK;
	*out = recovery_group_find(s, key->k[0]);
	if (s->rows[index_of(s, k)]->parent &&
	    (s->root < 0 || !*out || !recovery_group_at(s, *out)->root))
		return SRP_ENOSESS;
	if (!*out)
		*out = recovery_group_new(s, key->k[0]);
	return *out ? SRP_OK : SRP_EFULL;
}

static int put(struct recovery_store *s, const struct srp_ckpt_ctx *ctx,
               const struct srp_ckpt_key *key, const uint8_t *fields, size_t len,
               struct srp_ckpt_obj **out)
{
	uint8_t bytes[RECOVERY_KEY_MAX];
	size_t keylen = recovery_key_bytes(ctx->kind, key, bytes);
	recovery_ref g, ref, old = recovery_entry_find(s, index_of(s, ctx->kind), bytes, keylen);
	int rc = group_for(s, ctx, key, &g);

	if (rc)
		return rc;
	/* an entry that moves must not be the last of its session on the way */
	if (g)
		recovery_group_at(s, g)->entries++;
	ref = place(s, ctx, old, g, keylen + len);
	if (g && !--recovery_group_at(s, g)->entries && !ref)
		recovery_group_drop(s, g);
	if (!ref)
		return SRP_EFULL;
	fill_in(s, ref, ctx, bytes, keylen, fields, len);
	if (ref != old)
		recovery_entry_link(s, ref, g);
	*out = recovery_entry_obj(s, ref);
	return SRP_OK;
}

static int entry_apply(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key,
                       struct srp_mp_r *r, unsigned nfields, struct srp_ckpt_obj **out)
{
	struct recovery_store *s = ctx->owner;
	const struct srp_ckpt_kind *row = s->rows[index_of(s, ctx->kind)];
	const uint8_t *from = r->p;
	uint64_t name[SRP_CKPT_NAMES_MAX];
	struct srp_mp_r fields;
	int rc, n;

	if (nfields < row->nfields)
		return SRP_ESHORT;
	for (unsigned i = 0; i < row->nfields; i++)
		srp_mp_skip(r);
	if (r->err)
		return r->err;
	if ((size_t)(r->p - from) > SRP_CKPT_RECORD_MAX)
		return SRP_ERANGE;
	recovery_store_enter(s);
	rc = put(s, ctx, key, from, (size_t)(r->p - from), out);
	if (!rc && row->names && row->rank) {
		fields = srp_mp_r_init(from, (size_t)(r->p - from));
		n = row->names(&fields, row->nfields, name);
		recovery_group_names(s, recovery_group_find(s, key->k[0]), name, n);
	}
	recovery_store_leave(s);
	return rc;
}

/* All of a session but the entry that they go with. */
static void drop_others(struct recovery_store *s, recovery_ref g, recovery_ref root,
                        struct srp_time now)
{
	recovery_ref next;

	for (recovery_ref ref = recovery_group_at(s, g)->head; ref; ref = next) {
		next = recovery_entry_tail(s, ref)->next;
		if (ref != root)
			entry_drop(s, ref, g, now);
	}
}

static void remember(struct recovery_store *s, const struct srp_ckpt_ctx *ctx,
                     const struct srp_ckpt_key *key, uint32_t term, uint32_t version)
{
	if (!ctx->kind->del_id)
		return;
	recovery_store_enter(s);
	recovery_mark_add(s, ctx->kind->id, key, term, version);
	recovery_store_leave(s);
}

static int entry_remove(const struct srp_ckpt_ctx *ctx, const struct srp_ckpt_key *key)
{
	struct recovery_store *s = ctx->owner;
	recovery_ref ref = find_ref(ctx, key), g;
	const struct srp_ckpt_obj *o = recovery_entry_obj(s, ref);
	uint32_t term = ctx->term, version = ctx->version;

	if (!ref) {
		remember(s, ctx, key, term, version);
		return SRP_ENOENT;
	}
	if (o->term > term || (o->term == term && o->version > version)) {
		term = o->term;
		version = o->version;
	}
	g = ctx->kind->rank ? recovery_group_find(s, key->k[0]) : 0;
	recovery_store_enter(s);
	if (g && recovery_group_at(s, g)->root == ref)
		drop_others(s, g, ref, ctx->now);
	entry_drop(s, ref, g, ctx->now);
	recovery_store_leave(s);
	remember(s, ctx, key, term, version);
	return SRP_OK;
}

void recovery_store_row(struct recovery_store *s, size_t i)
{
	struct srp_ckpt_kind *k = &s->kind[i];

	*k = *s->rows[i];
	k->key = entry_key;
	k->parent = NULL;
	k->gate = NULL;
	k->encode = entry_encode;
	k->apply = entry_apply;
	k->remove = entry_remove;
	k->find = entry_find;
	k->walk = entry_walk;
	k->names = NULL;
	k->passed = NULL;
	k->tag = NULL;
	k->arrived = NULL;
	s->tab[i] = k;
}

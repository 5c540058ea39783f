/* view: reading a region that another process wrote, and may have left in any state. Nothing read
 * from it is used before it is checked; what is checked is a copy. */
#include "config.h"
#include "recovery/store_impl.h"

#include <stdlib.h>

/* --- entries and sessions --------------------------------------------------------------------- */

/* Copies @p len bytes at @p ref, where they lie among the blocks. */
static bool copy(const struct recovery_view *v, recovery_ref ref, size_t skip, void *out,
                 size_t len)
{
	size_t at = (size_t)ref * RECOVERY_UNIT, end = (size_t)v->h.top * RECOVERY_UNIT;

	if (at < v->at.blocks || at > end || end - at < skip + len)
		return false;
	memcpy(out, v->mem + at + skip, len);
	return true;
}

static bool tail_ok(const struct recovery_view *v, recovery_ref ref, struct recovery_tail *t)
{
	size_t left = (size_t)v->h.top * RECOVERY_UNIT - (size_t)ref * RECOVERY_UNIT;

	return copy(v, ref, RECOVERY_HEAD_LEN, t, sizeof(*t)) && t->kind < v->n &&
	       t->keylen <= t->len && t->len <= RECOVERY_KEY_MAX + SRP_CKPT_RECORD_MAX &&
	       RECOVERY_ENTRY_LEN + t->len <= left;
}

bool recovery_view_peek(const struct recovery_view *v, recovery_ref ref, unsigned *kind,
                        recovery_ref *next)
{
	struct recovery_tail t;

	if (!tail_ok(v, ref, &t))
		return false;
	*kind = t.kind;
	*next = t.next;
	return true;
}

bool recovery_view_entry(const struct recovery_view *v, recovery_ref ref, struct recovery_seen *out)
{
	struct recovery_tail t;
	struct srp_ckpt_link l;
	uint32_t stamp[2];

	if (!tail_ok(v, ref, &t) ||
	    !copy(v, ref, offsetof(struct srp_ckpt_obj, term), stamp, sizeof(stamp)) ||
	    !copy(v, ref, offsetof(struct srp_ckpt_obj, link[0]), &l, sizeof(l)))
		return false;
	*out = (struct recovery_seen){
		.hash = v->h.hkey && (l.flags & SRP_LINK_F_COUNTED) ? l.hash : 0,
		.term = stamp[0], .version = stamp[1], .next = t.next, .kind = t.kind,
		.when = {((uint64_t)t.when_high << 32 | t.when) * 1000},
		.record = v->mem + (size_t)ref * RECOVERY_UNIT + RECOVERY_ENTRY_LEN, .len = t.len};
	if (ref == v->h.limbo) {
		out->hash = 0;
		out->term = v->h.limbo_term;
		out->version = v->h.limbo_version;
	}
	return true;
}

bool recovery_view_group(const struct recovery_view *v, recovery_ref ref,
                         struct recovery_group *out)
{
	return copy(v, ref, 0, out, sizeof(*out));
}

static recovery_ref first(const struct recovery_view *v, int which, uint64_t key)
{
	uint32_t b = recovery_bucket(recovery_num_hash(v->h.seed, key), v->h.index[which].n);
	recovery_ref ref;

	memcpy(&ref, v->mem + v->at.index[which] + b * sizeof(ref), sizeof(ref));
	return ref;
}

recovery_ref recovery_view_session(const struct recovery_view *v, uint64_t k0,
                                   struct recovery_group *out)
{
	recovery_ref ref = first(v, RECOVERY_BY_SESSION, k0);

	for (unsigned i = 0; ref && i < RECOVERY_CHAIN_MAX; i++) {
		if (!recovery_view_group(v, ref, out))
			return 0;
		if (out->k0 == k0)
			return ref;
		ref = out->chain;
	}
	return 0;
}

/* A session has the name that leads to it, or the way is damaged. */
static bool has_name(const struct recovery_group *g, recovery_ref name)
{
	for (int i = 0; i < SRP_CKPT_NAMES_MAX; i++)
		if (g->name[i] == name)
			return true;
	return false;
}

recovery_ref recovery_view_name(const struct recovery_view *v, uint64_t name,
                                struct recovery_group *out)
{
	recovery_ref ref = first(v, RECOVERY_BY_NAME, name);
	struct recovery_name x;

	for (unsigned i = 0; ref && i < RECOVERY_CHAIN_MAX; i++) {
		if (!copy(v, ref, 0, &x, sizeof(x)))
			return 0;
		if (x.name == name && recovery_view_group(v, x.group, out) && has_name(out, ref))
			return x.group;
		ref = x.chain;
	}
	return 0;
}

bool recovery_view_mark(const struct recovery_view *v, uint32_t i, struct recovery_mark *out)
{
	uint32_t at = (v->h.tomb_at + 2 * RECOVERY_STORE_TOMBS - 1 - i) % RECOVERY_STORE_TOMBS;

	memcpy(out, v->mem + v->at.tombs + at * sizeof(*out), sizeof(*out));
	for (size_t k = 0; k < v->n; k++)
		if (v->rows[k]->id == out->kind)
			return v->rows[k]->del_id != 0;
	return false;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* What is wrong with a header; NULL: nothing. No number in it exceeds what fits, then. */
static const char *judge(struct recovery_view *v, size_t cap)
{
	struct recovery_region *h = &v->h;
	size_t room;

	if (h->magic != RECOVERY_STORE_MAGIC)
		return "not formatted";
	if (h->layout != RECOVERY_STORE_LAYOUT || h->cap != cap)
		return "of another layout";
	if (h->nkinds != v->n || h->registry != recovery_registry_hash(v->rows, v->n))
		return "of another registry";
	if (h->busy & 1)
		return "in the middle of a change";
	if ((size_t)h->top * RECOVERY_UNIT < v->at.blocks ||
	    (size_t)h->top * RECOVERY_UNIT > cap || h->tombs > RECOVERY_STORE_TOMBS ||
	    h->tomb_at >= RECOVERY_STORE_TOMBS)
		return "damaged";
	for (int i = 0; i < RECOVERY_INDEXES; i++)
		if (h->index[i].n < RECOVERY_BUCKETS_MIN || h->index[i].n > v->at.max[i])
			return "damaged";
	room = (size_t)h->top * RECOVERY_UNIT - v->at.blocks;
	if (h->entries > room / RECOVERY_ENTRY_MIN || h->flows > h->entries ||
	    h->groups > room / sizeof(struct recovery_group) ||
	    h->free > room / RECOVERY_UNIT)
		return "damaged";
	return !h->entries && !h->level ? "empty" : NULL;
}

struct recovery_view *recovery_view_open(const void *mem, size_t cap,
                                         const struct srp_ckpt_kind *const *kinds, size_t n,
                                         const char **why)
{
	const char *wrong = "of a size that no store has";
	struct recovery_areas at;
	struct recovery_view *v = NULL;

	if (n <= RECOVERY_KINDS_MAX && recovery_areas_of(cap, &at)) {
		wrong = "no memory";
		v = malloc(sizeof(*v));
	}
	if (v) {
		v->mem = mem;
		v->at = at;
		v->rows = kinds;
		v->n = n;
		memcpy(&v->h, mem, sizeof(v->h));
		wrong = judge(v, cap);
	}
	if (why)
		*why = wrong;
	if (!wrong)
		return v;
	free(v);
	return NULL;
}

void recovery_view_free(struct recovery_view *v)
{
	free(v);
}

enum recovery_view_state recovery_view_state(const struct recovery_view *v)
{
	if (!v)
		return RECOVERY_VIEW_NONE;
	return v->h.level ? RECOVERY_VIEW_WHOLE : RECOVERY_VIEW_PART;
}

uint64_t recovery_view_hkey(const struct recovery_view *v)
{
	return v->h.hkey;
}

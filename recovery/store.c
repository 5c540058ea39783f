/* store: the region: blocks, indexes, sessions, deletions. */
#include "config.h"
#include "recovery/store_impl.h"

#include <stdlib.h>

#include "srp/err.h"
#include "srp/hash.h"

#define LINE 64u

/* --- what is where ---------------------------------------------------------------------------- */

static size_t area(size_t *at, size_t len)
{
	size_t begin = *at;

	*at += (len + LINE - 1) / LINE * LINE;
	return begin;
}

bool recovery_areas_of(size_t cap, struct recovery_areas *out)
{
	/* as many buckets as there can be blocks of a usual size; beyond, chains get longer */
	static const size_t share[RECOVERY_INDEXES] = {96, 256, 256};
	size_t at = 0;

	if (cap < RECOVERY_STORE_CAP_MIN || (cap - 1) / RECOVERY_UNIT > UINT32_MAX)
		return false;
	(void)area(&at, sizeof(struct recovery_region));
	out->tombs = area(&at, RECOVERY_STORE_TOMBS * sizeof(struct recovery_mark));
	for (int i = 0; i < RECOVERY_INDEXES; i++) {
		out->max[i] = (uint32_t)(cap / share[i]);
		out->index[i] = area(&at, out->max[i] * sizeof(recovery_ref));
	}
	out->blocks = at;
	return true;
}

uint64_t recovery_registry_hash(const struct srp_ckpt_kind *const *rows, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i++) {
		const struct srp_ckpt_kind *k = rows[i];
		const uint64_t v[] = {h, k->id, k->del_id, k->rank, k->limited, k->nkey, k->nfields,
		                      k->ver_min, k->ver_max, k->left_out, k->left_nil,
		                      k->parent != NULL, k->names != NULL};

		h = srp_hash64(RECOVERY_STORE_MAGIC, v, sizeof(v));
	}
	return h;
}

int recovery_root_kind(const struct srp_ckpt_kind *const *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!rows[i]->parent && rows[i]->rank && !rows[i]->peer_only)
			return (int)i;
	return -1;
}

uint64_t recovery_key_hash(uint64_t seed, unsigned kind, const uint8_t *key, size_t len)
{
	uint64_t w[4] = {0}, h;

	memcpy(w, key, len < sizeof(w) ? len : sizeof(w));
	h = recovery_num_hash(seed ^ kind, w[0]);
	for (int i = 1; i < 4 && (w[i] || len > 8u * (unsigned)i); i++)
		h = recovery_num_hash(h, w[i]);
	return recovery_num_hash(h, len);
}

size_t recovery_key_bytes(const struct srp_ckpt_kind *k, const struct srp_ckpt_key *key,
                          uint8_t *out)
{
	struct srp_mp_w w = srp_mp_w_init(out, RECOVERY_KEY_MAX);

	recovery_w_key(&w, k, key);
	return srp_mp_w_len(&w);
}

/* --- blocks ----------------------------------------------------------------------------------- */

static recovery_ref pop(struct recovery_store *s, uint32_t units)
{
	recovery_ref ref = s->h->free_list[units];

	memcpy(&s->h->free_list[units], recovery_at(s, ref), sizeof(ref));
	s->h->free -= units;
	return ref;
}

recovery_ref recovery_block_get(struct recovery_store *s, size_t bytes, uint32_t *units)
{
	uint32_t n = (uint32_t)((bytes + RECOVERY_UNIT - 1) / RECOVERY_UNIT);
	struct recovery_region *h = s->h;

	*units = n;
	if (h->free_list[n])
		return pop(s, n);
	if (n <= h->cap / RECOVERY_UNIT - h->top) {
		h->top += n;
		return h->top - n;
	}
	while (++n <= RECOVERY_UNITS_MAX)
		if (h->free_list[n]) {
			*units = n;
			return pop(s, n);
		}
	h->full++;
	return 0;
}

void recovery_block_put(struct recovery_store *s, recovery_ref ref, uint32_t units)
{
	memcpy(recovery_at(s, ref), &s->h->free_list[units], sizeof(ref));
	s->h->free_list[units] = ref;
	s->h->free += units;
}

/* --- indexes ---------------------------------------------------------------------------------- */

static recovery_ref *bucket_at(const struct recovery_store *s, int which, uint32_t b)
{
	return (recovery_ref *)(void *)(s->mem + s->at.index[which]) + b;
}

static recovery_ref *chain_of(const struct recovery_store *s, int which, recovery_ref ref)
{
	switch (which) {
	case RECOVERY_BY_KEY:     return &recovery_entry_tail(s, ref)->chain;
	case RECOVERY_BY_SESSION: return &recovery_group_at(s, ref)->chain;
	}
	return &((struct recovery_name *)recovery_at(s, ref))->chain;
}

static uint64_t hash_of(const struct recovery_store *s, int which, recovery_ref ref)
{
	const struct recovery_tail *t;

	switch (which) {
	case RECOVERY_BY_KEY:
		t = recovery_entry_tail(s, ref);
		return recovery_key_hash(s->h->seed, t->kind, t->record, t->keylen);
	case RECOVERY_BY_SESSION:
		return recovery_num_hash(s->h->seed, recovery_group_at(s, ref)->k0);
	}
	return recovery_num_hash(s->h->seed, ((struct recovery_name *)recovery_at(s, ref))->name);
}

/* One bucket more: it takes its share of the one that has had it until now. */
static void split(struct recovery_store *s, int which)
{
	struct recovery_index *x = &s->h->index[which];
	uint32_t n = x->n, from = n & (UINT32_MAX >> __builtin_clz(n) >> 1);
	recovery_ref *p = bucket_at(s, which, from), *to = bucket_at(s, which, n);

	*to = 0;
	x->n = n + 1;
	while (*p) {
		recovery_ref ref = *p, *next = chain_of(s, which, ref);

		if (recovery_bucket(hash_of(s, which, ref), n + 1) != n) {
			p = next;
			continue;
		}
		*p = *next;
		*next = *to;
		*to = ref;
	}
}

static void index_add(struct recovery_store *s, int which, recovery_ref ref, uint32_t count)
{
	struct recovery_index *x = &s->h->index[which];
	recovery_ref *p;

	if (count >= x->n && x->n < x->max)
		split(s, which);
	p = bucket_at(s, which, recovery_bucket(hash_of(s, which, ref), x->n));
	*chain_of(s, which, ref) = *p;
	*p = ref;
}

static void index_del(struct recovery_store *s, int which, recovery_ref ref)
{
	recovery_ref *p = bucket_at(s, which, recovery_bucket(hash_of(s, which, ref),
	                                                      s->h->index[which].n));

	while (*p != ref)
		p = chain_of(s, which, *p);
	*p = *chain_of(s, which, ref);
}

recovery_ref recovery_entry_find(const struct recovery_store *s, unsigned kind, const uint8_t *key,
                                 size_t len)
{
	uint64_t hash = recovery_key_hash(s->h->seed, kind, key, len);
	recovery_ref ref =
		*bucket_at(s, RECOVERY_BY_KEY,
	                   recovery_bucket(hash, s->h->index[RECOVERY_BY_KEY].n));

	while (ref) {
		const struct recovery_tail *t = recovery_entry_tail(s, ref);

		if (t->kind == kind && t->keylen == len && memcmp(t->record, key, len) == 0)
			break;
		ref = t->chain;
	}
	return ref;
}

recovery_ref recovery_group_find(const struct recovery_store *s, uint64_t k0)
{
	uint32_t b = recovery_bucket(recovery_num_hash(s->h->seed, k0),
	                             s->h->index[RECOVERY_BY_SESSION].n);
	recovery_ref ref = *bucket_at(s, RECOVERY_BY_SESSION, b);

	while (ref && recovery_group_at(s, ref)->k0 != k0)
		ref = recovery_group_at(s, ref)->chain;
	return ref;
}

/* --- sessions --------------------------------------------------------------------------------- */

static void group_list_add(struct recovery_store *s, recovery_ref ref)
{
	struct recovery_group *g = recovery_group_at(s, ref);
	struct recovery_ends *e = g->flows ? &s->h->with : &s->h->idle;

	g->prev = e->tail;
	g->next = 0;
	*(e->tail ? &recovery_group_at(s, e->tail)->next : &e->head) = ref;
	e->tail = ref;
}

static void group_list_del(struct recovery_store *s, recovery_ref ref, bool with)
{
	struct recovery_group *g = recovery_group_at(s, ref);
	struct recovery_ends *e = with ? &s->h->with : &s->h->idle;

	*(g->prev ? &recovery_group_at(s, g->prev)->next : &e->head) = g->next;
	*(g->next ? &recovery_group_at(s, g->next)->prev : &e->tail) = g->prev;
}

static void count_flow(struct recovery_store *s, recovery_ref ref, bool more)
{
	struct recovery_group *g = recovery_group_at(s, ref);
	bool with = g->flows != 0;

	s->h->flows += more ? 1u : UINT32_MAX;
	if (with == (g->flows + (more ? 1u : UINT32_MAX) != 0)) {
		g->flows += more ? 1u : UINT32_MAX;
		return;
	}
	group_list_del(s, ref, with);
	g->flows = more;
	group_list_add(s, ref);
}

recovery_ref recovery_group_new(struct recovery_store *s, uint64_t k0)
{
	uint32_t units;
	recovery_ref ref = recovery_block_get(s, sizeof(struct recovery_group), &units);

	if (!ref)
		return 0;
	*recovery_group_at(s, ref) = (struct recovery_group){.k0 = k0};
	index_add(s, RECOVERY_BY_SESSION, ref, s->h->groups);
	s->h->groups++;
	group_list_add(s, ref);
	return ref;
}

static void name_drop(struct recovery_store *s, recovery_ref *at)
{
	if (!*at)
		return;
	index_del(s, RECOVERY_BY_NAME, *at);
	recovery_block_put(s, *at, sizeof(struct recovery_name) / RECOVERY_UNIT);
	*at = 0;
}

void recovery_group_names(struct recovery_store *s, recovery_ref g, const uint64_t *name, int n)
{
	for (int i = 0; i < SRP_CKPT_NAMES_MAX; i++) {
		recovery_ref *at = &recovery_group_at(s, g)->name[i];
		struct recovery_name *x = *at ? recovery_at(s, *at) : NULL;
		uint32_t units;

		if (x && i < n && x->name == name[i])
			continue;
		name_drop(s, at);
		if (i >= n)
			continue;
		*at = recovery_block_get(s, sizeof(*x), &units);
		if (!*at)
			continue;
		x = recovery_at(s, *at);
		*x = (struct recovery_name){.name = name[i], .group = g};
		index_add(s, RECOVERY_BY_NAME, *at, 2 * s->h->groups);
	}
}

void recovery_group_drop(struct recovery_store *s, recovery_ref ref)
{
	struct recovery_group *g = recovery_group_at(s, ref);

	for (int i = 0; i < SRP_CKPT_NAMES_MAX; i++)
		name_drop(s, &g->name[i]);
	group_list_del(s, ref, g->flows != 0);
	index_del(s, RECOVERY_BY_SESSION, ref);
	s->h->groups--;
	recovery_block_put(s, ref, sizeof(*g) / RECOVERY_UNIT);
}

/* --- entries ---------------------------------------------------------------------------------- */

void recovery_entry_link(struct recovery_store *s, recovery_ref ref, recovery_ref g)
{
	struct recovery_tail *t = recovery_entry_tail(s, ref);
	struct recovery_group *grp = g ? recovery_group_at(s, g) : NULL;
	recovery_ref *head = grp ? &grp->head : &s->h->rules.head;
	recovery_ref *tail = grp ? &grp->tail : &s->h->rules.tail;

	index_add(s, RECOVERY_BY_KEY, ref, s->h->entries);
	s->h->entries++;
	s->h->per_kind[t->kind]++;
	t->prev = *tail;
	t->next = 0;
	*(*tail ? &recovery_entry_tail(s, *tail)->next : head) = ref;
	*tail = ref;
	if (!g)
		return;
	grp->entries++;
	if ((int)t->kind == s->root)
		grp->root = ref;
	if (s->rows[t->kind]->limited)
		count_flow(s, g, true);
}

void recovery_entry_unlink(struct recovery_store *s, recovery_ref ref, recovery_ref g)
{
	struct recovery_tail *t = recovery_entry_tail(s, ref);
	struct recovery_group *grp = g ? recovery_group_at(s, g) : NULL;

	index_del(s, RECOVERY_BY_KEY, ref);
	s->h->entries--;
	s->h->per_kind[t->kind]--;
	*(t->prev ? &recovery_entry_tail(s, t->prev)->next
	          : grp ? &grp->head : &s->h->rules.head) = t->next;
	*(t->next ? &recovery_entry_tail(s, t->next)->prev
	          : grp ? &grp->tail : &s->h->rules.tail) = t->prev;
	if (s->h->limbo == ref)
		s->h->limbo = 0;
	if (!g)
		return;
	grp->entries--;
	if (grp->root == ref)
		grp->root = 0;
	if (s->rows[t->kind]->limited)
		count_flow(s, g, false);
	if (!grp->entries)
		recovery_group_drop(s, g);
}

void recovery_mark_add(struct recovery_store *s, uint8_t kind, const struct srp_ckpt_key *key,
                       uint32_t term, uint32_t version)
{
	struct recovery_mark *ring = (struct recovery_mark *)(void *)(s->mem + s->at.tombs);

	ring[s->h->tomb_at] = (struct recovery_mark){
		.key = *key, .kind = kind, .term = term, .version = version};
	s->h->tomb_at = (s->h->tomb_at + 1) % RECOVERY_STORE_TOMBS;
	if (s->h->tombs < RECOVERY_STORE_TOMBS)
		s->h->tombs++;
	else
		s->h->dropped++;
}

/* --- life ------------------------------------------------------------------------------------- */

/* The magic number goes first and comes last: a region that is half formatted is none. */
static void format(struct recovery_store *s, size_t cap, uint64_t seed)
{
	struct recovery_region *h = s->h;

	h->magic = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memset(h, 0, sizeof(*h));
	h->layout = RECOVERY_STORE_LAYOUT;
	h->nkinds = (uint32_t)s->n;
	h->cap = cap;
	h->seed = seed;
	h->registry = recovery_registry_hash(s->rows, s->n);
	h->top = (uint32_t)(s->at.blocks / RECOVERY_UNIT);
	for (int i = 0; i < RECOVERY_INDEXES; i++) {
		h->index[i] = (struct recovery_index){RECOVERY_BUCKETS_MIN, s->at.max[i]};
		memset(bucket_at(s, i, 0), 0, RECOVERY_BUCKETS_MIN * sizeof(recovery_ref));
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	h->magic = RECOVERY_STORE_MAGIC;
}

struct recovery_store *recovery_store_new(void *mem, size_t cap,
                                          const struct srp_ckpt_kind *const *kinds, size_t n,
                                          uint64_t seed)
{
	struct recovery_areas at;
	struct recovery_store *s;

	if (!recovery_areas_of(cap, &at) || (uintptr_t)mem % LINE || !n || n > RECOVERY_KINDS_MAX ||
	    srp_ckpt_check(kinds, n))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->mem = mem;
	s->h = mem;
	s->at = at;
	s->rows = kinds;
	s->n = n;
	s->root = recovery_root_kind(kinds, n);
	for (size_t i = 0; i < n; i++)
		recovery_store_row(s, i);
	format(s, cap, seed);
	return s;
}

void recovery_store_free(struct recovery_store *s)
{
	free(s);
}

const struct srp_ckpt_kind *const *recovery_store_kinds(struct recovery_store *s)
{
	return s->tab;
}

void recovery_store_sink(struct recovery_store *s, struct srp_ckpt_sink *sink)
{
	s->sink = sink;
}

void recovery_store_hkey(struct recovery_store *s, uint64_t hkey)
{
	struct recovery_region *h = s->h;

	if (hkey == h->hkey_next)
		return;
	h->hkey = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	h->hkey_next = hkey;
	if (!h->entries)
		h->hkey = hkey;
}

void recovery_store_level(struct recovery_store *s, bool level)
{
	/* the source compares before it says so, and a comparison has all hashes computed anew */
	if (level)
		s->h->hkey = s->h->hkey_next;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	s->h->level = level;
}

static void stats_of(const struct recovery_region *h, const struct recovery_areas *at,
                     struct recovery_store_stats *out)
{
	*out = (struct recovery_store_stats){
		.bytes = ((uint64_t)h->top - h->free) * RECOVERY_UNIT - at->blocks +
	                 sizeof(*h) + (uint64_t)h->tombs * sizeof(struct recovery_mark),
		.entries = h->entries, .sessions = h->groups, .flows = h->flows, .tombs = h->tombs,
		.dropped = h->dropped, .full = h->full};
	for (int i = 0; i < RECOVERY_INDEXES; i++)
		out->bytes += (uint64_t)h->index[i].n * sizeof(recovery_ref);
}

void recovery_store_stats(const struct recovery_store *s, struct recovery_store_stats *out)
{
	stats_of(s->h, &s->at, out);
}

void recovery_view_stats(const struct recovery_view *v, struct recovery_store_stats *out)
{
	stats_of(&v->h, &v->at, out);
}

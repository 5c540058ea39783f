/* store_impl: what is where in the region of a store, for those that write it (store.c,
 * store_kind.c) and for those that read it in another process (view.c, fill.c). Private to
 * recovery/. */
#ifndef RECOVERY_STORE_IMPL_H
#define RECOVERY_STORE_IMPL_H

#include <string.h>

#include "recovery/replica_impl.h"
#include "recovery/store.h"

#define RECOVERY_STORE_MAGIC  UINT64_C(0x53524d4952524f52) /* "RORRIMRS" in memory */
#define RECOVERY_STORE_LAYOUT 1u
#define RECOVERY_UNIT         8u  /**< bytes; what references count */
#define RECOVERY_LINE         64u /**< bytes that the processor fetches at once */
#define RECOVERY_KEY_MAX      27u /**< bytes of an encoded key */
#define RECOVERY_BUCKETS_MIN  64u
#define RECOVERY_CHAIN_MAX    1024u /**< steps in a chain of an index; more is damage */

/** A place in the region, in units; 0 none. */
typedef uint32_t recovery_ref;

/** What an entry has behind the head of its object (up to the second link). */
struct recovery_tail {
	recovery_ref chain;      /**< of the index */
	recovery_ref next, prev; /**< of the session, or of the rules */
	uint32_t when;           /**< arrival, ms: low half */
	uint16_t len;            /**< of the record: key and fields */
	uint16_t units;          /**< of the block */
	uint8_t kind;            /**< index in the registry */
	uint8_t when_high;
	uint8_t keylen;
	uint8_t unused;
	uint8_t record[];
};
#define RECOVERY_HEAD_LEN offsetof(struct srp_ckpt_obj, link[1])
#define RECOVERY_ENTRY_LEN (RECOVERY_HEAD_LEN + offsetof(struct recovery_tail, record))
/** No block is smaller than the object that its head is taken for. */
#define RECOVERY_ENTRY_MIN sizeof(struct srp_ckpt_obj)
#define RECOVERY_UNITS_MAX \
	((RECOVERY_ENTRY_LEN + RECOVERY_KEY_MAX + SRP_CKPT_RECORD_MAX) / RECOVERY_UNIT + 1)

/** A session: all entries whose keys begin with the same number. */
struct recovery_group {
	uint64_t k0;
	recovery_ref head, tail; /**< its entries */
	recovery_ref prev, next; /**< of the sessions with flows, or of those without */
	recovery_ref chain;
	recovery_ref root; /**< the entry that the others go with */
	uint32_t entries, flows;
	recovery_ref name[SRP_CKPT_NAMES_MAX];
};

struct recovery_name {
	uint64_t name;
	recovery_ref chain, group;
};

struct recovery_mark {
	struct srp_ckpt_key key;
	uint32_t term, version;
	uint8_t kind; /**< id */
	uint8_t unused[7];
};

/** An index: buckets [0, n) of its area are in use. */
struct recovery_index {
	uint32_t n, max;
};
enum { RECOVERY_BY_KEY, RECOVERY_BY_SESSION, RECOVERY_BY_NAME, RECOVERY_INDEXES };

struct recovery_ends {
	recovery_ref head, tail;
};

struct recovery_region {
	uint64_t magic;
	uint32_t layout, nkinds;
	uint64_t cap, seed;
	uint64_t registry; /**< hash of what the rows say */
	uint64_t hkey;     /**< of the hashes; 0: they are of no one key */
	uint64_t hkey_next;
	uint32_t busy;     /**< odd while the structure is being changed */
	uint32_t level;
	recovery_ref limbo; /**< applied last: its hash may not be its own yet, nor its version */
	uint32_t limbo_term, limbo_version;
	uint32_t top;      /**< units in use from the beginning: blocks end here */
	uint32_t free;     /**< units in lists of free blocks */
	uint32_t entries, groups, flows;
	struct recovery_index index[RECOVERY_INDEXES];
	struct recovery_ends rules, with, idle; /**< entries; sessions with flows; without */
	uint32_t tomb_at, tombs; /**< next place of the ring; places in use */
	uint64_t dropped, full;
	uint32_t per_kind[RECOVERY_KINDS_MAX];
	recovery_ref free_list[RECOVERY_UNITS_MAX + 1];
};

/** Where the areas begin, in bytes; follows from cap alone. */
struct recovery_areas {
	size_t tombs, index[RECOVERY_INDEXES], blocks;
	uint32_t max[RECOVERY_INDEXES]; /**< buckets */
};

struct recovery_store {
	uint8_t *mem;
	struct recovery_region *h; /**< mem */
	struct recovery_areas at;
	const struct srp_ckpt_kind *const *rows; /**< the registry */
	size_t n;
	int root; /**< index of the kind that the others of a session go with; -1 none */
	struct srp_ckpt_sink *sink;
	struct srp_ckpt_kind kind[RECOVERY_KINDS_MAX];
	const struct srp_ckpt_kind *tab[RECOVERY_KINDS_MAX];
};

struct recovery_view {
	const uint8_t *mem;
	struct recovery_areas at;
	const struct srp_ckpt_kind *const *rows;
	size_t n;
	struct recovery_region h; /**< a copy: it does not change while it is read */
};

/** False where @p cap is out of range. */
bool recovery_areas_of(size_t cap, struct recovery_areas *out);
uint64_t recovery_registry_hash(const struct srp_ckpt_kind *const *rows, size_t n);
/** The kind without a parent that is not a rule, nor the peer's only; -1 none. */
int recovery_root_kind(const struct srp_ckpt_kind *const *rows, size_t n);

static inline uint64_t recovery_mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t recovery_num_hash(uint64_t seed, uint64_t v)
{
	return recovery_mix(v ^ seed ^ UINT64_C(0xa0761d6478bd642f),
	                    seed ^ UINT64_C(0xe7037ed1a0b428db));
}

/** Of an encoded key. */
uint64_t recovery_key_hash(uint64_t seed, unsigned kind, const uint8_t *key, size_t len);
/** Encodes a key; @return its length. @p out: RECOVERY_KEY_MAX bytes. */
size_t recovery_key_bytes(const struct srp_ckpt_kind *k, const struct srp_ckpt_key *key,
                          uint8_t *out);

/** The bucket of a hash, of @p n in use. */
static inline uint32_t recovery_bucket(uint64_t hash, uint32_t n)
{
	uint32_t mask = n < 2 ? 0 : UINT32_MAX >> __builtin_clz(n - 1), b = (uint32_t)hash & mask;

	return b < n ? b : b & mask >> 1;
}

/* --- the writer ------------------------------------------------------------------------------- */

static inline void *recovery_at(const struct recovery_store *s, recovery_ref ref)
{
	return s->mem + (size_t)ref * RECOVERY_UNIT;
}
static inline struct srp_ckpt_obj *recovery_entry_obj(const struct recovery_store *s,
                                                      recovery_ref ref)
{
	return recovery_at(s, ref);
}
static inline struct recovery_tail *recovery_entry_tail(const struct recovery_store *s,
                                                        recovery_ref ref)
{
	return (struct recovery_tail *)(void *)(s->mem + (size_t)ref * RECOVERY_UNIT +
	                                        RECOVERY_HEAD_LEN);
}
static inline recovery_ref recovery_ref_of(const struct recovery_store *s,
                                           const struct srp_ckpt_obj *o)
{
	return (recovery_ref)((size_t)((const uint8_t *)o - s->mem) / RECOVERY_UNIT);
}
static inline struct recovery_group *recovery_group_at(const struct recovery_store *s,
                                                       recovery_ref ref)
{
	return recovery_at(s, ref);
}

/** Changes of the structure lie between these two; the compiler moves none out. */
static inline void recovery_store_enter(struct recovery_store *s)
{
	__atomic_store_n(&s->h->busy, s->h->busy + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static inline void recovery_store_leave(struct recovery_store *s)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&s->h->busy, s->h->busy + 1, __ATOMIC_RELAXED);
}

/** A block of at least @p bytes, not cleared; 0 where the region is full. @p units: its size. */
recovery_ref recovery_block_get(struct recovery_store *s, size_t bytes, uint32_t *units);
void recovery_block_put(struct recovery_store *s, recovery_ref ref, uint32_t units);
/** The entry with this encoded key; 0 none. */
recovery_ref recovery_entry_find(const struct recovery_store *s, unsigned kind, const uint8_t *key,
                                 size_t len);
recovery_ref recovery_group_find(const struct recovery_store *s, uint64_t k0);
/** Links an entry (its tail filled in) into the index and @p g (0: the rules). */
void recovery_entry_link(struct recovery_store *s, recovery_ref ref, recovery_ref g);
/** The reverse; a session without entries goes too. The block is not freed. */
void recovery_entry_unlink(struct recovery_store *s, recovery_ref ref, recovery_ref g);
/** An empty session; 0 where the region is full. */
recovery_ref recovery_group_new(struct recovery_store *s, uint64_t k0);
/** Gives @p g these names and no others; where the region is full it lacks some. */
void recovery_group_names(struct recovery_store *s, recovery_ref g, const uint64_t *name, int n);
void recovery_group_drop(struct recovery_store *s, recovery_ref g);
void recovery_mark_add(struct recovery_store *s, uint8_t kind, const struct srp_ckpt_key *key,
                       uint32_t term, uint32_t version);
/** Makes the store's row of the registry's row @p i. */
void recovery_store_row(struct recovery_store *s, size_t i);

/* --- the reader ------------------------------------------------------------------------------- */

/** An entry as read: checked, its record lies in the region. */
struct recovery_seen {
	uint64_t hash; /**< 0: not known */
	uint32_t term, version;
	struct srp_time when;
	recovery_ref next;
	unsigned kind; /**< index, below n */
	const uint8_t *record;
	size_t len;
};

/** Only the kind and the next; false where the entry makes no sense. */
bool recovery_view_peek(const struct recovery_view *v, recovery_ref ref, unsigned *kind,
                        recovery_ref *next);
bool recovery_view_entry(const struct recovery_view *v, recovery_ref ref,
                         struct recovery_seen *out);
bool recovery_view_group(const struct recovery_view *v, recovery_ref ref,
                         struct recovery_group *out);
/** The session with this number or name; 0 none. */
recovery_ref recovery_view_session(const struct recovery_view *v, uint64_t k0,
                                   struct recovery_group *out);
recovery_ref recovery_view_name(const struct recovery_view *v, uint64_t name,
                                struct recovery_group *out);
/** The deletion at place @p i of @p h.tombs, newest first; false where it makes no sense. */
bool recovery_view_mark(const struct recovery_view *v, uint32_t i, struct recovery_mark *out);
/** Tells the processor that a block will be read: it begins in one line, and most end in the next. */
static inline void recovery_view_soon(const struct recovery_view *v, recovery_ref ref)
{
	const uint8_t *p = v->mem + (size_t)ref * RECOVERY_UNIT;

	if (!ref || ref >= v->h.top || v->h.top - ref <= RECOVERY_LINE / RECOVERY_UNIT)
		return;
	__builtin_prefetch(p);
	__builtin_prefetch(p + RECOVERY_LINE);
	__asm__ volatile(""); /* gcc leaves out calls of what does nothing but ask for memory */
}

#endif

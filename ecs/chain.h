/* chain: a seeded hash table of intrusive chains that grows a few buckets at a time, so that no
 * insertion stops the packet path for longer than a few of them take. */
#ifndef ECS_CHAIN_H
#define ECS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Hash of the key of an object. */
typedef uint64_t ecs_chain_hash_fn(const void *obj, uint64_t seed);

struct ecs_chain {
	void **cur, **old;        /**< buckets; old: those not moved yet, NULL when none */
	size_t mask, old_mask;
	size_t moved;             /**< buckets of old that are moved already */
	size_t count;
	size_t next;              /**< offset of the object's chain pointer */
	ecs_chain_hash_fn *hash;
	uint64_t seed;
	bool touched;             /**< cur is from ecs_chain_reserve() */
};

/** @p expected objects; @p next is the offset of the object's `next` pointer. 0 or SRP_ENOMEM. */
int ecs_chain_init(struct ecs_chain *c, size_t expected, size_t next, ecs_chain_hash_fn *hash,
                   uint64_t seed);
/** Makes buckets for @p expected objects at once, touched, and raises @p bytes by what was.
 *  @return 0, or SRP_ENOMEM: nothing has changed */
int ecs_chain_reserve(struct ecs_chain *c, size_t expected, size_t *bytes);
void ecs_chain_fini(struct ecs_chain *c);
/** Links @p obj; its key must not be there. Never fails: without memory chains only get longer. */
void ecs_chain_insert(struct ecs_chain *c, void *obj);
/** Unlinks @p obj, which must be there. */
void ecs_chain_remove(struct ecs_chain *c, void *obj);

/** First object of the chain where a key with this hash would be. */
static inline void **ecs_chain_head(const struct ecs_chain *c, uint64_t hash)
{
	size_t o;

	if (c->old) {
		o = (size_t)hash & c->old_mask;
		if (o >= c->moved)
			return &c->old[o];
	}
	return &c->cur[(size_t)hash & c->mask];
}

/** A key with this hash will be inserted: its bucket is fetched meanwhile. */
static inline void ecs_chain_expect(const struct ecs_chain *c, uint64_t hash)
{
	__builtin_prefetch(ecs_chain_head(c, hash), 1);
	__asm__ volatile(""); /* gcc leaves out calls of what does nothing but ask for memory */
}

/** The object after @p obj in its chain. */
static inline void *ecs_chain_next(const struct ecs_chain *c, const void *obj)
{
	void *n;

	memcpy(&n, (const char *)obj + c->next, sizeof(n));
	return n;
}

/** Mixes two words: the 128-bit product, folded. */
static inline uint64_t ecs_hash_mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

#define ECS_HASH_K0 0xa0761d6478bd642fu
#define ECS_HASH_K1 0xe7037ed1a0b428dbu
#define ECS_HASH_K2 0x8ebc6af09c88c6e3u

#endif

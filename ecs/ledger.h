/* ledger: volumes that outlive the process. What packets add to the volumes of this chassis is kept
 * in a memory region of the owner as well, which it gives to the next process of the instance: the
 * records of usage go once a second, so without it the bytes since the last one would be lost.
 *
 * The region: a head, buckets, slots of 64 bytes. A slot is in the chain of its call-id's bucket.
 * All changes are single stores in an order that leaves the region readable after a death at any
 * instruction; and whoever opens it again trusts none of it: indexes and chains are bounded, a slot
 * carries a check word over its identity. A broken slot is counted and left alone.
 *
 * A session that is applied from a record takes over the slots of its call-id and its subscriber
 * (IMSI and user name, which travel in the Full Checkpoint); a session that is created has no
 * predecessor, so what is found under its call-id is another's: freed and counted as lost. */
#ifndef ECS_LEDGER_H
#define ECS_LEDGER_H

#include "ecs/usage.h"

struct ecs_engine;
struct ecs_ledger;
struct ecs_session;

/** Room of a head, buckets and one slot: a region below has no room for anything. */
#define ECS_LEDGER_MIN ((size_t)8192)

/** What was in the ledger and belongs to no session that came back. */
struct ecs_ledger_lost {
	uint64_t sessions;        /**< with a volume of the session */
	uint64_t volumes;         /**< slots freed, of all kinds */
	struct ecs_volume volume; /**< of those sessions, each byte once */
};

/** What a ledger holds, for shows and tests. */
struct ecs_ledger_stats {
	size_t slots;      /**< room */
	size_t used;       /**< slots that this process uses: adopted or made */
	size_t adopted;    /**< of a predecessor, taken over by a session */
	size_t broken;     /**< slots and chains that could not be read */
	size_t full;       /**< volumes that found no room and die with the process */
	bool formatted;    /**< the head of a region that was not fresh could not be read */
};

/**
 * After a fill: frees what belongs to no session of @p e, at most @p budget slots of it a call. New
 * sessions may be created and packets charged between the calls.
 *
 * @param lost  what was lost since the engine took the region over, so far
 * @return true: call again
 */
bool ecs_ledger_sweep(struct ecs_engine *e, size_t budget, struct srp_time now,
                      struct ecs_ledger_lost *lost);
/** False where the engine has no ledger. */
bool ecs_ledger_look(const struct ecs_engine *e, struct ecs_ledger_stats *out);

/* --- for usage.c, session.c and engine.c ------------------------------------------------------ */

/**
 * @param mem    stays the owner's; aligned to 64 bytes
 * @param fresh  all zero: is formatted; else it is read, and formatted where its head is broken
 * @param seed   of the chains, where it is formatted
 * @return NULL: no memory, or no room in @p len
 */
struct ecs_ledger *ecs_ledger_open(void *mem, size_t len, bool fresh, uint64_t seed);
/** Leaves the region as it is. */
void ecs_ledger_close(struct ecs_ledger *l);

#define ECS_LEDGER_SLOT    64u        /**< bytes of a slot */
#define ECS_LEDGER_VOLUME  32u        /**< where in it the volume is */
#define ECS_LEDGER_NOWHERE UINT32_MAX /**< ecs_usage.place: there was no room */

struct ecs_ledger {
	char *slots;
	uint32_t *bucket;     /**< places: index of a slot + 1; 0 none */
	uint64_t *high_word;
	uint64_t seed;
	uint32_t nslots, nbuckets;
	uint32_t high;        /**< slots that were ever used */
	uint32_t left_by;     /**< of these, when it was opened */
	uint32_t swept;       /**< and of these, looked at by the sweep */
	uint32_t free;        /**< chain of free slots: known to this process only */
	struct ecs_ledger_stats stats;
	struct ecs_ledger_lost lost;
};

/** A place for the volume @p u, with @p v to begin with; 0: there is no room (counted). */
uint32_t ecs_ledger_add(struct ecs_ledger *l, const struct ecs_usage *u,
                        const struct ecs_volume *v);

/** Where the volume of a place is kept. */
static inline struct ecs_volume *ecs_ledger_at(const struct ecs_ledger *l, uint32_t place)
{
	return (struct ecs_volume *)(void *)(l->slots + (size_t)(place - 1) * ECS_LEDGER_SLOT +
	                                     ECS_LEDGER_VOLUME);
}

/** A packet will be charged to volumes at and after @p place: they are fetched meanwhile. */
static inline void ecs_ledger_expect(const struct ecs_ledger *l, uint32_t place)
{
	const char *p = l->slots + (size_t)(place - 1) * ECS_LEDGER_SLOT + ECS_LEDGER_VOLUME;

	for (unsigned i = 0; i < 3; i++) /* whatever is there: nothing is read */
		__builtin_prefetch(p + i * ECS_LEDGER_SLOT, 1);
	__asm__ volatile(""); /* gcc leaves out calls of what does nothing but ask for memory */
}

/** The place is no more in use: it stays in its chain until ecs_ledger_prune() of its call-id. */
void ecs_ledger_kill(struct ecs_ledger *l, uint32_t place);
/** Takes what was killed out of the chain of @p callid and makes it free. */
void ecs_ledger_prune(struct ecs_ledger *l, uint32_t callid);
/** A session will be built from a record: its bucket is fetched meanwhile. @p l may be NULL. */
void ecs_ledger_await(const struct ecs_ledger *l, uint32_t callid);
/** A session was built from a record: its volumes are made of its places, and go on there. */
void ecs_ledger_adopt(struct ecs_engine *e, struct ecs_session *s);
/** A session was created: what is there under its call-id is another's. @p l may be NULL. */
void ecs_ledger_disown(struct ecs_ledger *l, uint32_t callid);

#endif

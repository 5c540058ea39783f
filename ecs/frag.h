/* frag: which flow the later fragments of a datagram belong to, and whether all fragments of an
 * IPv4 datagram were seen. Fragments are not held: each goes on its way as it comes. A fixed table:
 * what does not fit, or is older than its lifetime, is forgotten, and the fragment is charged by L3
 * lines. */
#ifndef ECS_FRAG_H
#define ECS_FRAG_H

#include "ecs/packet.h"
#include "srp/time.h"

#define ECS_FRAG_LIFE_S   30u /**< RFC 791 reassembly lower bound is 15 s; systems use 30 s */
#define ECS_FRAG_PIECES   8u  /**< stretches of a datagram that are not next to each other */

struct ecs_frags;

/** What becomes of a datagram that is followed. */
enum ecs_frag_news {
	ECS_FRAG_BEGUN,   /**< its first fragment to come */
	ECS_FRAG_WHOLE,   /**< all of it was seen */
	ECS_FRAG_LATE,    /**< not within ECS_FRAG_LIFE_S */
	ECS_FRAG_CROWDED, /**< given up for another one */
	ECS_FRAG_BROKEN   /**< fragments that contradict each other, too many pieces, or the table
	                       was cleared */
};

/** Told once BEGUN and once what became of it; must not call ecs_frags_*. */
typedef void ecs_frag_fn(void *arg, uint32_t callid, enum ecs_frag_news news);

/** NULL without memory. @p fn may be NULL. */
struct ecs_frags *ecs_frags_new(uint64_t seed, ecs_frag_fn *fn, void *arg);
void ecs_frags_free(struct ecs_frags *t);
/** A fragment @p p of IPv4 came, first or later, of a subscriber with call @p callid. */
void ecs_frags_seen(struct ecs_frags *t, const struct ecs_packet *p, uint32_t callid,
                    struct srp_time now);
/** A first fragment @p p belongs to flow @p id of @p callid. */
void ecs_frags_first(struct ecs_frags *t, const struct ecs_packet *p, uint32_t callid, uint32_t id,
                     struct srp_time now);
/** True, and which flow, when the first fragment of @p p was seen. */
bool ecs_frags_find(const struct ecs_frags *t, const struct ecs_packet *p, struct srp_time now,
                    uint32_t *callid, uint32_t *id);
/** Gives up datagrams that are too old, at most @p budget of them; returns how many. */
size_t ecs_frags_expire(struct ecs_frags *t, struct srp_time now, size_t budget);
/** Forgets everything. */
void ecs_frags_clear(struct ecs_frags *t);

#endif

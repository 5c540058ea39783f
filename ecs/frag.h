/* frag: which flow the later fragments of a datagram belong to. A fixed table: what does not fit,
 * or is older than its lifetime, is forgotten, and the fragment is charged by L3 lines. */
#ifndef ECS_FRAG_H
#define ECS_FRAG_H

#include "ecs/packet.h"
#include "srp/time.h"

#define ECS_FRAG_LIFE_S 30u /**< RFC 791 reassembly lower bound is 15 s; systems use 30 s */

struct ecs_frags;

/** NULL without memory. */
struct ecs_frags *ecs_frags_new(uint64_t seed);
void ecs_frags_free(struct ecs_frags *t);
/** A first fragment @p p belongs to flow @p id of @p callid. */
void ecs_frags_first(struct ecs_frags *t, const struct ecs_packet *p, uint32_t callid, uint32_t id,
                     struct srp_time now);
/** True, and which flow, when the first fragment of @p p was seen. */
bool ecs_frags_find(const struct ecs_frags *t, const struct ecs_packet *p, struct srp_time now,
                    uint32_t *callid, uint32_t *id);

#endif

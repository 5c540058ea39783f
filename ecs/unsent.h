/* unsent: which flows of a call are eligible for recovery and not checkpointed: beyond the limit, or in
 * the delay of their checkpoint. ACS_CALL_INFO tells it once a second where it changes, so that who takes
 * over knows of a flow that it was not told of why: it was beyond the limit, late, or not eligible. */
#ifndef ECS_UNSENT_H
#define ECS_UNSENT_H

#include "ecs/engine_impl.h"

#define ECS_UNSENT_NAMED 32u /**< of a call; of the others only how many they are is told */
#define ECS_UNSENT_WIRE  (1 + 5 + 5 + 3 + 5 * ECS_UNSENT_NAMED)

enum ecs_unsent_why {
	ECS_UNSENT_NOT,   /**< it is none of them */
	ECS_UNSENT_LIMIT, /**< beyond the limit of its call or of the instance */
	ECS_UNSENT_LATE   /**< the delay of its checkpoint had not run out */
};

/** The flows of @p s may be others: told at the next turn. */
void ecs_unsent_touch(struct ecs_engine *e, struct ecs_session *s);
/** The turn of each second, at most @p budget sessions of it; @p all: of whatever waits, now. True: call
 *  again. */
bool ecs_unsent_turn(struct ecs_engine *e, bool all, struct srp_time now, size_t budget);
void ecs_unsent_free(struct ecs_session *s);

/**
 * Why the flow of @p k was not recovered, as its call was when it was taken over; each flow is answered
 * for once.
 *
 * @param unnamed  its rule may have been eligible: it can be one of those of which only the number is known
 */
enum ecs_unsent_why ecs_unsent_why(struct ecs_engine *e, struct ecs_session *s,
                                   const struct ecs_flow_key *k, bool unnamed);

/** The element of ACS_CALL_INFO: [how many are beyond the limit and not named, how many are late and not
 *  named, (31 bits of a hash of the 5-tuple, under the call-id, and whether it is late)...]. */
void ecs_unsent_write(const struct ecs_session *s, struct srp_mp_w *w);
struct ecs_unsent_image {
	uint32_t beyond[2]; /**< by late */
	uint32_t n;
	uint32_t flow[ECS_UNSENT_NAMED]; /**< hash << 1 | late */
};
void ecs_unsent_read(struct srp_mp_r *r, struct ecs_unsent_image *m);
/** Takes it over. 0, or SRP_ENOMEM: what was known is as it was. */
int ecs_unsent_apply(struct ecs_engine *e, struct ecs_session *s, const struct ecs_unsent_image *m);

#endif

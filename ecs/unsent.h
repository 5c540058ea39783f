/* unsent: which flows of a call the peer has no checkpoint of, and why: who takes over knows by it which
 * of the flows that go on are old, and counts each by its reason.
 *
 * A first packet of TCP that is no SYN says by itself that its flow is old; of one of UDP or ICMP nothing
 * does. So the active chassis tells of the flows without a connection that have no checkpoint: ineligible,
 * beyond the limit, or late, which is in the delay of the checkpoint or waiting for its acknowledgement.
 * Of TCP it tells the eligible ones alone. It tells by 22 bits of a hash of the 5-tuple and the reason,
 * 3 bytes each, in ACS_CALL_INFO, 256 of a call; who comes later has the place of one that has been silent
 * for 10 seconds, or is not named, which is counted. A change is told within a tenth of a second where
 * nothing of the call was in the second before, else once a second.
 * A flow that is analyzed anew with each question, of DNS, is not told: the next one stands for itself.
 *
 * After a recovery a new flow without a connection whose hash was told is in mid-stream: lines of L3/L4
 * alone, and its reason is counted. A name is good for one flow, and since the recovery for as long as a flow
 * of its protocol can be silent under the rulebase of its call, whichever rule it had (rule/idle.c). It is told
 * on until no flow of before can go on, so that it outlives another recovery. One new flow in 16384 is taken for an old one in a call with all of its 256 names. A call in which no rule of L7
 * is asked for and no flow can be recovered tells nothing. */
#ifndef ECS_UNSENT_H
#define ECS_UNSENT_H

#include "ecs/engine_impl.h"

#define ECS_UNSENT_NAMED    256u /**< of a call; of other eligible ones only how many they are is told */
#define ECS_UNSENT_NAME_LEN 3u
#define ECS_UNSENT_WIRE     (1 + 5 + 5 + 3 + ECS_UNSENT_NAME_LEN * ECS_UNSENT_NAMED)

enum ecs_unsent_why { /* as it travels */
	ECS_UNSENT_NOT,        /**< it is none of them */
	ECS_UNSENT_INELIGIBLE, /**< without a connection, and its rule is not eligible */
	ECS_UNSENT_LIMIT,      /**< beyond the limit of its call or of the instance */
	ECS_UNSENT_LATE,       /**< its checkpoint was delayed, or not acknowledged */
	ECS_UNSENT__N
};

/** A flow has begun, is to be checkpointed, or is not any more. */
void ecs_unsent_flow(struct ecs_engine *e, struct ecs_flow *f);
/** What is to be told of flows of @p s may be something else. */
void ecs_unsent_changed(struct ecs_engine *e, struct ecs_session *s);
/** Its checkpoint was acknowledged, at one of its destinations. */
void ecs_unsent_acked(struct ecs_engine *e, struct ecs_flow *f);
/** It is about to be freed. */
void ecs_unsent_gone(struct ecs_engine *e, struct ecs_flow *f);
/** Tells what is due, of at most @p budget sessions; @p all: all that has changed, at a planned switchover,
 *  before which checkpoints that are on their way arrive. True: call again. */
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
 *  named, names]; a name is 22 bits of a hash of the 5-tuple, under the call-id, and 2 bits of why. */
void ecs_unsent_write(const struct ecs_session *s, struct srp_mp_w *w);
struct ecs_unsent_image {
	uint32_t beyond[2]; /**< by late */
	uint32_t n;
	uint32_t name[ECS_UNSENT_NAMED]; /**< hash << 2 | why, ascending */
};
void ecs_unsent_read(struct srp_mp_r *r, struct ecs_unsent_image *m);
/** Takes it over. 0, or SRP_ENOMEM: what was known is as it was. */
int ecs_unsent_apply(struct ecs_engine *e, struct ecs_session *s, const struct ecs_unsent_image *m);

#endif

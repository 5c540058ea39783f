/* recoverable: which flows are checkpointed: eligibility by service-scheme, the delay of the first
 * send, the limit per call and per sessmgr, who gets a freed slot. Source: flow-recovery.txt,
 * Feature Description and Configuring Flow Recovery. */
#ifndef ECS_RECOVERABLE_H
#define ECS_RECOVERABLE_H

#include "ecs/engine.h"

/** Flows with a checkpoint slot per sessmgr instance: fixed, published (flow-recovery.txt: "a
 *  non-configurable value"); admits a million. */
#define ECS_FLOW_CHKPT_PER_SESSMGR 1048576u

/** The rule of @p f has just been decided, or has changed from @p old_ref: arms the delay, or takes a
 * slot and tells the sink, or waits for one, or gives its own back. */
void ecs_recoverable_rule(struct ecs_engine *e, struct ecs_flow *f, uint16_t old_ref,
                          struct srp_time now);
/**
 * What the last packet of @p f was charged by. @p rests: by another rule than its own, @p ref, having
 * no payload: unless that one is eligible too, the checkpoint is taken back until a packet with
 * payload comes (flow-recovery.txt, Restrictions).
 */
void ecs_recoverable_rest(struct ecs_engine *e, struct ecs_flow *f, bool rests, uint16_t ref,
                          struct srp_time now);
/** @p f is about to be freed: gives its slot to the oldest waiting flow and tells the sink. */
void ecs_recoverable_end(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** The delay of @p f has run out: it takes a slot, or waits for one. */
void ecs_recoverable_delay(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/**
 * A flow of TCP begins in mid-stream: counts why it was not recovered, where its session was.
 *
 * @param ref    the rule that its packet matches by L3/L4
 * @param maybe  an L7 line could have matched once its application was known
 */
void ecs_recoverable_mid(struct ecs_engine *e, const struct ecs_flow *f, uint16_t ref, bool maybe);
/** Whether a flow without a connection that begins here was there before its session was taken over, as the
 *  peer has told; then it is counted as above. */
bool ecs_recoverable_goes_on(struct ecs_engine *e, const struct ecs_flow *f, struct srp_time now);
/** The application of @p f is known, or another than before: some rules are checkpointed but for those
 *  that share files. */
void ecs_recoverable_app(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** Something that a checkpoint carries changed in a flow that has a slot. */
void ecs_recoverable_changed(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);

#endif

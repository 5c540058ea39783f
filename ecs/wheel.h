/* wheel: a hierarchical timing wheel with a cursor that moves only when it is told the time, and
 * stands still on a standby. Insert, move and remove are O(1). */
#ifndef ECS_WHEEL_H
#define ECS_WHEEL_H

#include "srp/ckpt.h"

struct ecs_wheel;

struct ecs_wheel_node {
	struct srp_list node;  /**< zeroed: not armed */
	uint64_t at;           /**< tick */
	uint8_t what;          /**< the owner's: which timer this is */
	uint8_t level;         /**< the wheel's */
};

/** Called for each node that is due; the node is not armed any more and may be freed or
 *  re-armed. */
typedef void ecs_wheel_fn(void *owner, struct ecs_wheel_node *n, struct srp_time now);

struct ecs_wheel *ecs_wheel_new(uint32_t tick_ms, struct srp_time now);
void ecs_wheel_free(struct ecs_wheel *w);
/** Arms (or moves) @p n to fire @p after_ms from the wheel's own time. */
void ecs_wheel_arm(struct ecs_wheel *w, struct ecs_wheel_node *n, uint64_t after_ms);
void ecs_wheel_disarm(struct ecs_wheel *w, struct ecs_wheel_node *n);
bool ecs_wheel_armed(const struct ecs_wheel_node *n);
/** Milliseconds until @p n fires, by the wheel's own time. */
uint64_t ecs_wheel_left(const struct ecs_wheel *w, const struct ecs_wheel_node *n);
/** Starts the wheel at @p now: what was left at the stop is left from here on. */
void ecs_wheel_start(struct ecs_wheel *w, struct srp_time now);
void ecs_wheel_stop(struct ecs_wheel *w, struct srp_time now);
/**
 * Moves to @p now and fires what is due, at most @p budget nodes.
 * @return nodes fired; equal to @p budget: call again
 */
size_t ecs_wheel_run(struct ecs_wheel *w, struct srp_time now, size_t budget, ecs_wheel_fn *fn,
                     void *owner);

#endif

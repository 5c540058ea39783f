/* parent: flows that another flow has set up: the media of an RTSP session. What its analyzer has
 * found is expected for some time; a flow of UDP that comes up to it is the child of that connection.
 *
 * After a recovery the relation is not kept (flow-recovery, Limitations). With `flow-recovery
 * parent-child` the child's checkpoint names its parent, by the number that the flow has for its
 * whole life: neither has to arrive first. Only a flow that is there is a parent. */
#ifndef ECS_PARENT_H
#define ECS_PARENT_H

#include "ecs/path.h"
#include "ecs/rtsp.h"

#define ECS_EXPECTED_MAX 16u   /**< pairs of ports that a call waits for */
#define ECS_CHILDREN_MAX 64u   /**< flows of a call that have a parent */
#define ECS_EXPECTED_S   120u  /**< seconds for which they are expected */

struct ecs_kin;

/** Takes what the analyzer of @p f has found. */
void ecs_parent_expect(struct ecs_engine *e, struct ecs_flow *f, struct ecs_rtsp *r,
                       struct srp_time now);
/** A flow was made: whether it is the child of another is seen now, and never later. */
void ecs_parent_seek(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** The parent of a flow; NULL: it has none, or has it no more. */
struct ecs_flow *ecs_parent_of(const struct ecs_engine *e, const struct ecs_flow *f);
/** A flow ends, on the active: what it has set up is without it. */
void ecs_parent_ends(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** The child @p f ends, or was taken over without its parent. */
void ecs_parent_leave(struct ecs_flow *f);
/** The switch may be another: the children of a session are told anew where it is. */
void ecs_parent_session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now);

/** Number of the parent that the flow's checkpoint names; 0: none. */
uint32_t ecs_parent_kept(const struct ecs_flow *f);
/** Takes over what a record says: 0 for none. */
void ecs_parent_apply(struct ecs_engine *e, struct ecs_flow *f, uint32_t id);

#endif

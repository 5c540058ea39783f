/* reply: a segment of TCP that the engine makes itself: to the subscriber of a flow in the name of its
 * server, or the other way round. */
#ifndef ECS_REPLY_H
#define ECS_REPLY_H

#include "ecs/engine_impl.h"

#define ECS_REPLY_ECN 0xc0u /**< flags: ECE and CWR */
#define ECS_REPLY_MAX (ECS_URL_MAX + 128u) /**< bytes of payload */

struct ecs_reply {
	enum ecs_dir dir;  /**< DOWNLINK: to the subscriber */
	uint32_t seq, ack; /**< as the subscriber counts */
	uint8_t flags;
	const char *body;
	size_t len;        /**< at most ECS_REPLY_MAX */
	const uint8_t *options;
	size_t noptions;   /**< bytes, of whole words, at most 40 */
	uint16_t window;   /**< 0: the greatest */
	const struct ecs_flow_key *to; /**< uplink: a server that is not the flow's; @ref ack is as it
	                                    counts. NULL: the flow's */
};

void ecs_reply(struct ecs_engine *e, const struct ecs_flow *f, const struct ecs_reply *r);

#endif

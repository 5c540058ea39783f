/* filter: packet filters (`packet-filter NAME`), of which a bearer's traffic flow template is made. */
#ifndef ECS_RULE_FILTER_H
#define ECS_RULE_FILTER_H

#include "ecs/rule/action.h"

struct ecs_flow_key;

#define ECS_FILTERS_MAX 1024 /**< of a service; no figure is published */

#define ECS_FILTER_DIRS(X)                                                                    \
	X(BOTH, "bi-directional") X(DOWNLINK, "downlink") X(UPLINK, "uplink")
#define X(sym, text) ECS_FILTER_##sym,
enum ecs_filter_dir { ECS_FILTER_DIRS(X) ECS_FILTER_DIR__N };
#undef X

/** A range of ports; hi 0: any. Nothing but TCP and UDP has ports. */
struct ecs_port_range {
	uint16_t lo, hi;
};

/** What is not set matches all. */
struct ecs_packet_filter {
	char name[ECS_NAME_MAX + 1];
	enum ecs_filter_dir dir;        /**< default bi-directional */
	struct ecs_port_range local;    /**< the subscriber's */
	struct ecs_port_range remote;
	bool has_proto, has_tos, has_remote_addr;
	uint8_t proto;
	uint8_t tos, tos_mask;
	struct ecs_addr remote_addr;    /**< without host bits */
	uint8_t remote_len;             /**< within its own family */
	int priority;                   /**< 0 to 255, 0 first; -1 not set: in the order of the action */
};

/** Whether packets of this flow and direction are among those that @p f means. Its priority says nothing
 *  here. @param tos  their type of service or traffic class; negative: not known, and then a filter that
 *  looks at it means none. */
bool ecs_filter_means(const struct ecs_packet_filter *f, const struct ecs_flow_key *k,
                      enum ecs_dir dir, int tos);

#endif

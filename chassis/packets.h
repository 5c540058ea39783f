/* packets: what an engine has made of packets, one by one: rows of its packet trace as they come, with the columns
 * of `show active-charging packet-trace`. */
#ifndef CHASSIS_PACKETS_H
#define CHASSIS_PACKETS_H

#include "chassis/cli/answer.h"
#include "ecs/trace.h"

struct chassis_packets {
	struct chassis_show_rows show;
	struct stats_doc *doc;
	uint64_t seq;  /**< of the last row that was printed */
	uint64_t lost; /**< rows that had given way before they were printed */
};

/** Has all packets of @p e traced, and opens the table. @p doc is kept until the end.
 *  @return 0 or SRP_ENOMEM */
int chassis_packets_begin(struct chassis_packets *k, struct ecs_engine *e, struct stats_doc *doc);
/** Prints the rows that are new. Times of the engine are taken for microseconds since 1970. */
void chassis_packets_print(struct chassis_packets *k, const struct ecs_engine *e);
void chassis_packets_end(struct chassis_packets *k);

#endif

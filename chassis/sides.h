/* sides: which end of a captured packet is the subscriber. */
#ifndef CHASSIS_SIDES_H
#define CHASSIS_SIDES_H

#include "ecs/chain.h"
#include "ecs/packet.h"

#define CHASSIS_SIDES_MAX 64

struct chassis_sides {
	struct chassis_sides_net {
		struct ecs_addr addr;
		unsigned len; /* of the 128 bits */
	} net[CHASSIS_SIDES_MAX];
	size_t n;
	struct ecs_chain pairs; /* of addresses that talk to each other */
};

/** @return 0 or SRP_ENOMEM */
int chassis_sides_init(struct chassis_sides *s);
void chassis_sides_fini(struct chassis_sides *s);
/** Adds an address or a prefix of subscribers. @return 0, SRP_EFORMAT or SRP_EFULL */
int chassis_sides_add(struct chassis_sides *s, const char *text);
/** The direction of a packet. Where no prefix was given, or both ends are in one, who spoke first of the two is the
 *  subscriber. @return 0; SRP_ENOENT: neither end is a subscriber; SRP_ENOMEM */
int chassis_sides_direction(struct chassis_sides *s, const struct ecs_packet *p, enum ecs_dir *dir);

#endif

/* announce: says on the wire who owns the service addresses. Gratuitous ARP and unsolicited neighbour
 * advertisements, repeated; answers neighbour solicitations for the IPv6 ones (the kernel answers ARP
 * for them, but not ND, because they are on another device); notices another owner. */
#ifndef CHASSIS_IO_ANNOUNCE_H
#define CHASSIS_IO_ANNOUNCE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/packet.h"

struct chassis_announce;

struct chassis_announce_ops {
	/** Somebody else answers for one of our addresses. */
	void (*conflict)(void *owner, const struct ecs_addr *a, const uint8_t mac[6]);
	/** The probe has ended: true, nobody answered. */
	void (*probed)(void *owner, bool free);
};

/** Packet sockets on @p dev; needs NET_RAW while it opens. */
struct chassis_announce *chassis_announce_new(struct ev_loop *loop, const char *dev,
                                              const struct chassis_announce_ops *ops, void *owner);
void chassis_announce_free(struct chassis_announce *a);
/** Addresses of this interface, copied. */
int chassis_announce_set(struct chassis_announce *a, const struct ecs_addr *addr, size_t n);
/** Starts announcing (at once, then repeated for some seconds) and answering; or stops. */
void chassis_announce_active(struct chassis_announce *a, bool on);
/** Asks whether anybody holds the addresses (RFC 5227 probe, DAD solicitation), for @p ms. */
void chassis_announce_probe(struct chassis_announce *a, unsigned ms);

#endif

/* rewrite: changes of a packet in place, with its checksums (RFC 1624). A packet whose transport
 * checksum is left to a device (ecs_raw.partial) has that of the pseudo header alone in its place:
 * only what the pseudo header says is counted there. */
#ifndef ECS_REWRITE_H
#define ECS_REWRITE_H

#include "ecs/engine.h"

/** Which end of a packet. */
enum ecs_rewrite_end { ECS_REWRITE_SRC, ECS_REWRITE_DST };

/** Sets the byte of TOS or traffic class. */
void ecs_rewrite_tos(struct ecs_raw *r, const struct ecs_packet *p, uint8_t tos);
/** Sets an address of the same family, and the port (0: it stays) where the packet has one. */
void ecs_rewrite_end(struct ecs_raw *r, const struct ecs_packet *p, enum ecs_rewrite_end end,
                     const struct ecs_addr *a, uint16_t port);
/** The same in the packet that an ICMP error speaks of, and in the checksum of the error. */
void ecs_rewrite_quoted(struct ecs_raw *r, const struct ecs_packet *p, enum ecs_rewrite_end end,
                        const struct ecs_addr *a, uint16_t port);
/** Sets @p n bytes (even, at an even place) of the transport header. */
void ecs_rewrite_l4(struct ecs_raw *r, const struct ecs_packet *p, size_t at, const uint8_t *to,
                    size_t n);
/**
 * Makes room for @p n bytes in the payload of a segment of TCP that is there as a whole, @p at bytes
 * from its beginning, and copies them there. What becomes too long for one packet is left to be
 * segmented as it was.
 * @return 0 or SRP_EFULL: there is no room, nothing has changed
 */
int ecs_rewrite_insert(struct ecs_raw *r, const struct ecs_packet *p, size_t at,
                       const uint8_t *bytes, size_t n);

/** Adds bytes to a sum of 16-bit words; they begin at an even place. */
uint32_t ecs_sum_add(const uint8_t *p, size_t n, uint32_t sum);
/** The checksum of a sum. */
uint16_t ecs_sum_fold(uint32_t sum);

#endif

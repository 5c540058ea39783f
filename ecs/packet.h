/* packet: what the engine needs to know of one IP packet. Reads no byte outside it. */
#ifndef ECS_PACKET_H
#define ECS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** An address of either family: IPv4 as ::ffff:a.b.c.d. */
struct ecs_addr {
	uint8_t b[16];
};

enum ecs_dir { ECS_UPLINK, ECS_DOWNLINK };

enum ecs_frag { ECS_FRAG_NONE, ECS_FRAG_FIRST, ECS_FRAG_LATER };

#define ECS_TCP_FIN 0x01u
#define ECS_TCP_SYN 0x02u
#define ECS_TCP_RST 0x04u
#define ECS_TCP_PSH 0x08u
#define ECS_TCP_ACK 0x10u

#define ECS_IPV6_EXT_MAX 8 /**< extension headers followed; beyond it the packet is malformed */

struct ecs_packet {
	const uint8_t *data;     /**< the IP header; borrowed */
	size_t len;              /**< IP bytes (total length of the header; a capture may have cut
	                              the packet: then it is more than what can be read) */
	enum ecs_dir dir;
	uint8_t version;         /**< 4 or 6 */
	uint8_t proto;           /**< upper layer, after extension headers */
	uint8_t tos;
	enum ecs_frag frag;
	uint32_t frag_id;
	struct ecs_addr src, dst;
	uint16_t sport, dport;   /**< 0 without ports; for ICMP echo both are the identifier */
	uint8_t tcp_flags;
	uint32_t tcp_seq, tcp_ack;
	uint8_t icmp_type, icmp_code;
	uint8_t flow_proto;      /**< of the flow: of an ICMP error, that of what it speaks of */
	bool icmp_error;         /**< the addresses and ports are those of the packet it speaks of,
	                              turned round so that they name the flow in this direction */
	const uint8_t *payload;  /**< above the transport header */
	size_t payload_len;      /**< bytes that are there to read */
	size_t cap;              /**< IP bytes that are there to read, at most len */
	size_t hdr_len;          /**< IP and transport headers together */
	size_t l4;               /**< where the transport header begins */
	size_t quoted, quoted_l4; /**< of an ICMP error: the packet that it speaks of, and its transport */
};

/**
 * Parses one IP packet.
 *
 * @param buf  from the IP header on; borrowed by @p out
 * @param len  bytes present
 * @return 0, or SRP_EFORMAT / SRP_ESHORT; @p out is written on success only
 */
int ecs_packet_parse(const uint8_t *buf, size_t len, enum ecs_dir dir, struct ecs_packet *out);

/** The subscriber's end (source on uplink), and the other. */
static inline const struct ecs_addr *ecs_packet_subscriber(const struct ecs_packet *p)
{
	return p->dir == ECS_UPLINK ? &p->src : &p->dst;
}

/** Writes an address as text into @p out (at least 46 bytes); returns @p out. */
const char *ecs_addr_text(const struct ecs_addr *a, char *out, size_t cap);
/** Reads an address; 0 or SRP_EFORMAT. */
int ecs_addr_parse(const char *s, struct ecs_addr *out);
/** True for ::ffff:0:0/96. */
bool ecs_addr_is4(const struct ecs_addr *a);
/** The name by which the session of a subscriber's address is found before it is built
 *  (srp_ckpt_kind.names): a number for each IPv4 address, and for each IPv6 /64. */
uint64_t ecs_addr_name(const struct ecs_addr *a);

#endif

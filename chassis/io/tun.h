/* tun: the two multi-queue devices `acc` and `core`, their queues, their steering program. */
#ifndef CHASSIS_IO_TUN_H
#define CHASSIS_IO_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/packet.h"

#define CHASSIS_TUN_PKT_MAX 65536

/** One read: the IP packet and what the virtual header said of it. */
struct chassis_tun_pkt {
	uint8_t *ip;        /**< borrowed from the caller's buffer */
	size_t len;
	uint16_t gso_size;  /**< 0: a plain packet */
	uint8_t vnet[12];   /**< the virtio header as read; written back with the packet */
	bool headed;        /**< the bytes in front of ip are there for the header, to be written at once */
};

/**
 * Opens @p queues queues of a device named @p name, non-persistent, with virtual header and
 * segmentation offload, txqueuelen at least 20 000, and brings it up. Refuses (SRP_EDUP) when a
 * device of that name exists already.
 * @return 0 or a negative code with @p why filled
 */
int chassis_tun_open(const char *name, size_t queues, int *fds, char *why, size_t cap);
/** A non-persistent device without traffic, for service addresses: vanishes with @p fd. */
int chassis_tun_dummy(const char *name, int *fd, char *why, size_t cap);
/** Payload bytes of each segment according to a virtio header; 0: a plain packet. */
static inline uint16_t chassis_tun_gso_size(const uint8_t vnet[12])
{
	unsigned size = vnet[4] | (unsigned)vnet[5] << 8;

	return vnet[1] ? (uint16_t)size : 0;
}

/** Whether a virtio header says that the transport checksum is that of the pseudo header alone. */
static inline bool chassis_tun_partial(const uint8_t vnet[12])
{
	return vnet[0] & 1; /* VIRTIO_NET_HDR_F_NEEDS_CSUM */
}
/** Has a packet of TCP, whose checksum is that of the pseudo header alone, segmented: its transport
 *  header is at @p l4, its payload at @p hdr_len. */
void chassis_tun_remake(struct chassis_tun_pkt *p, uint16_t gso_size, size_t l4, size_t hdr_len);

/** Reads one packet into @p buf (CHASSIS_TUN_PKT_MAX + 64); 0, SRP_EAGAIN, SRP_EIO. */
int chassis_tun_read(int fd, uint8_t *buf, struct chassis_tun_pkt *out);
/** Writes a packet as it was read; 0, SRP_EAGAIN, SRP_EIO. */
int chassis_tun_write(int fd, const struct chassis_tun_pkt *p);

/** The map subscriber -> instance that the steering programs look in. */
struct chassis_steer;
/** Creates map (@p entries) and programs. Needs CAP_BPF. */
struct chassis_steer *chassis_steer_new(uint32_t entries, char *why, size_t cap);
/** Attaches to a device: uplink looks at the source, downlink at the destination. */
int chassis_steer_attach(struct chassis_steer *s, int tun_fd, enum ecs_dir dir);
int chassis_steer_map_fd(const struct chassis_steer *s);
/** In another process: the same map by its descriptor. */
struct chassis_steer *chassis_steer_from_map(int map_fd);
/** @p addr: IPv4, or the /64 of an IPv6 address. @p queue: 0-based. 0 or a negative code. */
int chassis_steer_set(struct chassis_steer *s, const struct ecs_addr *addr, uint32_t queue);
int chassis_steer_del(struct chassis_steer *s, const struct ecs_addr *addr);
void chassis_steer_free(struct chassis_steer *s);

#endif

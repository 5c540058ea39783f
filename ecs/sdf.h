/* sdf: packet filters of dynamic rules and of the traffic flow templates (TFT) of bearers: what a
 * flow's addresses, ports and protocol must be, seen from the subscriber. */
#ifndef ECS_SDF_H
#define ECS_SDF_H

#include <stddef.h>

#include "ecs/flow.h"

#define ECS_SDFS_MAX     16u  /**< of one rule or bearer: identifiers are 4 bits (TS 24.008) */
#define ECS_SDF_LEN      28u  /**< bytes of one in a record */
#define ECS_SDF_TEXT_MAX 160u /**< of one, as text, with its end */
#define ECS_SDF_ANY      255u /**< prefix of a filter that looks at no address */

#define ECS_SDF_UP   0x1u
#define ECS_SDF_DOWN 0x2u
#define ECS_SDF_BOTH 0x3u

struct ecs_sdf {
	uint8_t dirs;       /**< ECS_SDF_UP, _DOWN or both */
	uint8_t precedence; /**< among the filters of all bearers: low first */
	bool has_proto;
	uint8_t proto;
	uint8_t prefix;     /**< bits of @c addr, of 128 (IPv4: 96 more); ECS_SDF_ANY */
	struct ecs_addr addr; /**< of the server, without host bits; of its family only */
	uint16_t local_lo, local_hi, remote_lo, remote_hi; /**< 0 and 65535: not looked at */
};

/** Filters of one rule or bearer. */
struct ecs_sdfs {
	uint8_t n;
	struct ecs_sdf v[ECS_SDFS_MAX];
};

/** True when a packet of the flow @p k in this direction is meant. Ports: of TCP, UDP and SCTP. */
bool ecs_sdf_match(const struct ecs_sdf *f, const struct ecs_flow_key *k, enum ecs_dir dir);
bool ecs_sdfs_match(const struct ecs_sdfs *f, const struct ecs_flow_key *k, enum ecs_dir dir);
/**
 * Reads filters, with semicolons between them:
 *
 *     [uplink|downlink|both] [precedence N] {ip|tcp|udp|icmp|icmpv6|N} {any|ADDRESS[/LENGTH]}
 *             [port N[-N]] [local N[-N]]
 *
 * The address and `port` are the server's, `local` is the subscriber's port.
 * @return 0; SRP_EINVAL, SRP_ERANGE, SRP_EFULL with what was expected in @p why: nothing is written
 */
int ecs_sdfs_parse(const char *text, struct ecs_sdfs *out, char *why, size_t cap);
/** Writes filters so that they are read back as they are; returns @p out, cut where it is short. */
const char *ecs_sdfs_text(const struct ecs_sdfs *f, char *out, size_t cap);
/** Filters as one byte string of a record: @c n times ECS_SDF_LEN bytes. */
size_t ecs_sdfs_put(const struct ecs_sdfs *f, uint8_t *out);
/** Reads them; false: they are not as they would be written. */
bool ecs_sdfs_get(const uint8_t *p, size_t len, struct ecs_sdfs *out);

#endif

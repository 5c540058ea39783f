/* netlink: addresses, routes, rules, links through rtnetlink (libmnl). All calls are synchronous and
 * idempotent: adding what is there and removing what is not succeeds. 0 or a negative code. */
#ifndef CHASSIS_IO_NETLINK_H
#define CHASSIS_IO_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "ecs/packet.h"

struct chassis_nl;

struct chassis_nl *chassis_nl_open(void);
void chassis_nl_close(struct chassis_nl *n);

int chassis_nl_ifindex(const char *name); /**< or SRP_ENOENT */
int chassis_nl_mac(const char *name, uint8_t mac[6]);
int chassis_nl_up(struct chassis_nl *n, const char *dev);
/** Packets for @p dev that it did not take, since it is there. */
int chassis_nl_dropped(struct chassis_nl *n, const char *dev, uint64_t *packets);
int chassis_nl_txqlen(struct chassis_nl *n, const char *dev, uint32_t len);
/** @p len within the family; IPv6 is added with nodad. */
int chassis_nl_addr(struct chassis_nl *n, bool add, const char *dev, const struct ecs_addr *a,
                    uint8_t len);
/** A route in @p table to @p dst/len (len 0: default) by device, by next hop, or both. */
int chassis_nl_route(struct chassis_nl *n, bool add, uint32_t table, const struct ecs_addr *dst,
                     uint8_t len, const char *dev, const struct ecs_addr *via, uint32_t metric);
/** A blackhole route: packets of a chassis whose processes are gone must not pass uncharged. */
int chassis_nl_blackhole(struct chassis_nl *n, bool add, uint32_t table, bool v6, uint32_t metric);
/** A rule `iif DEV [to DST/LEN] lookup TABLE`; @p dst NULL: any; @p v6 picks the family then. */
int chassis_nl_rule(struct chassis_nl *n, bool add, uint32_t priority, const char *iif, bool v6,
                    const struct ecs_addr *dst, uint8_t len, uint32_t table);
/** Removes all rules of a priority range and all routes of a table range: leftovers of an earlier life. */
int chassis_nl_sweep(struct chassis_nl *n, uint32_t prio_lo, uint32_t prio_hi, uint32_t table_lo,
                     uint32_t table_hi);
/**
 * Has the kernel resolve the gateways of its main routes on @p dev, so that the first packet after a
 * take-over need not wait for that (R7).
 * @return how many were asked for, or a negative code
 */
int chassis_nl_warm(struct chassis_nl *n, const char *dev);
/** The same for one neighbour. */
int chassis_nl_resolve(struct chassis_nl *n, const char *dev, const struct ecs_addr *a);
/** Sets a file under /proc/sys/net (forwarding, rp_filter, send_redirects...). */
int chassis_sysctl(const char *path, const char *value);

#endif

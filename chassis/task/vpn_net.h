/* vpn_net: what vpnmgr does to the host's network: own and service addresses, policy routes into the
 * TUN devices, announcements, and the relaying of late packets to the other chassis. */
#ifndef CHASSIS_TASK_VPN_NET_H
#define CHASSIS_TASK_VPN_NET_H

#include <ev.h>
#include <stdbool.h>

#include "chassis/task/task.h"

struct vpn_net;

/** This chassis' (or the peer's) own addresses on each side: where late packets are sent on to. */
struct vpn_own {
	struct {
		bool has4, has6;
		struct ecs_addr v4, v6;
	} side[2]; /**< 0 access, 1 core */
};

struct vpn_net_ops {
	/** The probe of the service addresses has ended; free: nobody answered. */
	void (*probed)(void *owner, bool free);
	void (*conflict)(void *owner, const struct ecs_addr *a);
};

/** Sets up forwarding, own addresses, rules and routes; NULL with the reason logged. */
struct vpn_net *vpn_net_start(struct chassis_task_ctx *ctx, const struct vpn_net_ops *ops,
                              void *owner);
/** Takes or gives up the service addresses, and announces them. */
void vpn_net_active(struct vpn_net *n, bool on);
/** Late packets read from the devices lead to the peer's own addresses, or are not relayed. */
void vpn_net_relay(struct vpn_net *n, bool on);
/** The peer's own addresses, from its hello: kept resolved, and where late packets go. */
void vpn_net_peer(struct vpn_net *n, const struct vpn_own *peer);
/** Asks whether somebody holds the service addresses; answered by ops->probed. */
void vpn_net_probe(struct vpn_net *n);
void vpn_net_own(const struct chassis_config *c, struct vpn_own *out);
/** Removes addresses, rules and routes. */
void vpn_net_stop(struct vpn_net *n);

#endif

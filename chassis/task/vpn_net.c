#include "config.h"
#include "chassis/task/vpn_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "chassis/io/announce.h"
#include "chassis/io/netlink.h"
#include "srp/err.h"

/* Rule priorities and tables of ours: 4700 to 4799; the supervisor sweeps that range at start. */
enum {
	TABLE_ACC = 4701,  /* what comes in on an access interface goes to the device acc */
	TABLE_CORE,        /* what comes in on a core interface for a subscriber goes to core */
	TABLE_RELAY_ACC,   /* what a standby wrote back to acc goes to the peer's access address */
	TABLE_RELAY_CORE,
	TABLE_HOP          /* and after: what session managers write to the device of a next hop goes by it */
};
#define METRIC_TUN       10
/* When the processes die the devices and their routes vanish; without this route the packets would
 * fall through to the main table and pass uncharged. */
#define METRIC_BLACKHOLE 9999
#define PROBE_MS         300
#define STATS_S          1.
#define WARM_S           5. /* how often next hops are resolved */

struct announcer {
	struct vpn_net *net;
	struct chassis_announce *a;
};

struct vpn_net {
	struct chassis_task_ctx *ctx;
	const struct chassis_config *conf;
	struct chassis_nl *nl;
	const struct vpn_net_ops *ops;
	void *owner;
	struct announcer ann[CHASSIS_IFACES_MAX];
	unsigned probing;      /* probes still to end */
	bool probe_free;
	bool relaying;
	struct vpn_own peer;   /* its own addresses, as last heard */
	struct vpn_own relay;  /* those that the relay routes of now lead to */
	ev_timer warm, stats;
};

static const struct ecs_addr any4 = {.b = {[10] = 0xff, [11] = 0xff}};
static const struct ecs_addr any6;

static void check(int rc, const char *what, const char *dev)
{
	if (rc < 0)
		chassis_log(LOG_ERR, "cannot %s on %s: %s", what, dev, srp_strerror(rc));
}

static bool served(const struct chassis_iface *i)
{
	return i->side != CHASSIS_SIDE_NONE;
}

/* --- what is there from start to end ----------------------------------------------------------------- */

static void sysctls(const struct vpn_net *n)
{
	char path[96];

	chassis_sysctl("ipv4/ip_forward", "1");
	chassis_sysctl("ipv6/conf/all/forwarding", "1");
	chassis_sysctl("ipv4/conf/all/rp_filter", "0");
	chassis_sysctl("ipv4/conf/all/send_redirects", "0");
	for (size_t i = 0; i < n->conf->niface + 2; i++) {
		const char *dev = i < n->conf->niface ? n->conf->iface[i].name
		                  : i == n->conf->niface ? n->ctx->shared->dev_acc
		                                         : n->ctx->shared->dev_core;

		snprintf(path, sizeof(path), "ipv4/conf/%s/rp_filter", dev);
		chassis_sysctl(path, "0");
		snprintf(path, sizeof(path), "ipv4/conf/%s/send_redirects", dev);
		chassis_sysctl(path, "0");
	}
}

static void own_addresses(struct vpn_net *n)
{
	for (size_t i = 0; i < n->conf->niface; i++) {
		const struct chassis_iface *f = &n->conf->iface[i];

		if (chassis_nl_ifindex(f->name) < 0) {
			chassis_log(LOG_ERR, "interface %s does not exist", f->name);
			continue;
		}
		check(chassis_nl_up(n->nl, f->name), "bring up", f->name);
		for (size_t k = 0; k < f->naddr; k++)
			if (!f->addr[k].activate)
				check(chassis_nl_addr(n->nl, true, f->name, &f->addr[k].addr, f->addr[k].len),
				      "set the address", f->name);
	}
}

/* Rules of one interface, added or removed. */
static void iface_rules(struct vpn_net *n, bool add, const struct chassis_iface *f)
{
	if (f->side == CHASSIS_SIDE_ACCESS) {
		check(chassis_nl_rule(n->nl, add, TABLE_ACC, f->name, false, NULL, 0, TABLE_ACC), "set the rule",
		      f->name);
		check(chassis_nl_rule(n->nl, add, TABLE_ACC, f->name, true, NULL, 0, TABLE_ACC), "set the rule",
		      f->name);
		return;
	}
	for (size_t i = 0; i < n->conf->npool; i++) {
		const struct chassis_pool *p = &n->conf->pool[i];

		check(chassis_nl_rule(n->nl, add, TABLE_CORE, f->name, p->v6, &p->prefix, p->len, TABLE_CORE),
		      "set the rule", f->name);
	}
}

static void table(struct vpn_net *n, bool add, uint32_t id, const char *dev)
{
	check(chassis_nl_route(n->nl, add, id, &any4, 0, dev, NULL, METRIC_TUN), "set the route", dev);
	check(chassis_nl_route(n->nl, add, id, &any6, 0, dev, NULL, METRIC_TUN), "set the route", dev);
	check(chassis_nl_blackhole(n->nl, add, id, false, METRIC_BLACKHOLE), "set the last route", dev);
	check(chassis_nl_blackhole(n->nl, add, id, true, METRIC_BLACKHOLE), "set the last route", dev);
}

/* By the next hop or not at all. Packets of the other family are never written to its device. */
static void hop(struct vpn_net *n, bool add, const struct chassis_hop *h, uint32_t id)
{
	bool v6 = !ecs_addr_is4(&h->addr);
	char path[96];

	snprintf(path, sizeof(path), "ipv4/conf/%s/rp_filter", h->dev);
	if (add)
		chassis_sysctl(path, "0");
	check(chassis_nl_route(n->nl, add, id, v6 ? &any6 : &any4, 0, NULL, &h->addr, METRIC_TUN),
	      "route by the next hop", h->dev);
	check(chassis_nl_blackhole(n->nl, add, id, v6, METRIC_BLACKHOLE), "set the last route", h->dev);
	check(chassis_nl_rule(n->nl, add, id, h->dev, v6, NULL, 0, id), "set the rule", h->dev);
}

static void policy(struct vpn_net *n, bool add)
{
	table(n, add, TABLE_ACC, n->ctx->shared->dev_acc);
	table(n, add, TABLE_CORE, n->ctx->shared->dev_core);
	for (size_t i = 0; i < n->conf->niface; i++)
		if (served(&n->conf->iface[i]))
			iface_rules(n, add, &n->conf->iface[i]);
	for (size_t i = 0; i < n->ctx->shared->nhop; i++)
		hop(n, add, &n->ctx->shared->hop[i], TABLE_HOP + (uint32_t)i);
}

/* --- announcements ------------------------------------------------------------------------------------ */

static void on_conflict(void *owner, const struct ecs_addr *a, const uint8_t mac[6])
{
	struct announcer *an = owner;
	char text[64];

	chassis_log(LOG_WARNING, "%02x:%02x:%02x:%02x:%02x:%02x answers for our address %s", mac[0], mac[1],
	            mac[2], mac[3], mac[4], mac[5], ecs_addr_text(a, text, sizeof(text)));
	an->net->ops->conflict(an->net->owner, a);
}

static void on_probed(void *owner, bool nobody)
{
	struct announcer *an = owner;
	struct vpn_net *n = an->net;

	n->probe_free = n->probe_free && nobody;
	if (n->probing && --n->probing == 0)
		n->ops->probed(n->owner, n->probe_free);
}

static const struct chassis_announce_ops announce_ops = {on_conflict, on_probed};

static size_t activate_addrs(const struct chassis_iface *f, struct ecs_addr *out)
{
	size_t k = 0;

	for (size_t i = 0; i < f->naddr; i++)
		if (f->addr[i].activate)
			out[k++] = f->addr[i].addr;
	return k;
}

static void announcers(struct vpn_net *n)
{
	for (size_t i = 0; i < n->conf->niface; i++) {
		struct ecs_addr addr[CHASSIS_ADDRS_MAX];
		size_t k = activate_addrs(&n->conf->iface[i], addr);

		n->ann[i].net = n;
		if (!k || chassis_nl_ifindex(n->conf->iface[i].name) < 0)
			continue;
		n->ann[i].a = chassis_announce_new(n->ctx->loop, n->conf->iface[i].name, &announce_ops,
		                                   &n->ann[i]);
		if (!n->ann[i].a || chassis_announce_set(n->ann[i].a, addr, k) < 0)
			chassis_log(LOG_ERR, "cannot announce on %s", n->conf->iface[i].name);
	}
}

void vpn_net_active(struct vpn_net *n, bool on)
{
	const char *dev = n->ctx->shared->dev_service;

	for (size_t i = 0; i < n->conf->niface; i++) {
		const struct chassis_iface *f = &n->conf->iface[i];

		for (size_t k = 0; k < f->naddr; k++)
			if (f->addr[k].activate)
				check(chassis_nl_addr(n->nl, on, dev, &f->addr[k].addr,
				                      ecs_addr_is4(&f->addr[k].addr) ? 32 : 128),
				      on ? "take the service address" : "give up the service address", dev);
	}
	for (size_t i = 0; i < n->conf->niface; i++)
		if (n->ann[i].a)
			chassis_announce_active(n->ann[i].a, on);
}

void vpn_net_probe(struct vpn_net *n)
{
	n->probe_free = true;
	n->probing = 0;
	for (size_t i = 0; i < n->conf->niface; i++)
		n->probing += n->ann[i].a != NULL;
	if (!n->probing) {
		n->ops->probed(n->owner, true);
		return;
	}
	for (size_t i = 0; i < n->conf->niface; i++)
		if (n->ann[i].a)
			chassis_announce_probe(n->ann[i].a, PROBE_MS);
}

/* --- relaying ----------------------------------------------------------------------------------------- */

void vpn_net_own(const struct chassis_config *c, struct vpn_own *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < c->niface; i++) {
		const struct chassis_iface *f = &c->iface[i];
		int side = f->side == CHASSIS_SIDE_ACCESS ? 0 : 1;

		for (size_t k = 0; served(f) && k < f->naddr; k++) {
			const struct chassis_if_addr *a = &f->addr[k];

			if (a->activate)
				continue;
			if (ecs_addr_is4(&a->addr) && !out->side[side].has4) {
				out->side[side].has4 = true;
				out->side[side].v4 = a->addr;
			} else if (!ecs_addr_is4(&a->addr) && !out->side[side].has6) {
				out->side[side].has6 = true;
				out->side[side].v6 = a->addr;
			}
		}
	}
}

static void relay_side(struct vpn_net *n, bool on, int side, const char *dev, uint32_t id)
{
	const struct vpn_own *o = &n->relay;

	if (o->side[side].has4) {
		check(chassis_nl_route(n->nl, on, id, &any4, 0, NULL, &o->side[side].v4, 0), "relay", dev);
		check(chassis_nl_rule(n->nl, on, id, dev, false, NULL, 0, id), "relay", dev);
	}
	if (o->side[side].has6) {
		check(chassis_nl_route(n->nl, on, id, &any6, 0, NULL, &o->side[side].v6, 0), "relay", dev);
		check(chassis_nl_rule(n->nl, on, id, dev, true, NULL, 0, id), "relay", dev);
	}
}

void vpn_net_relay(struct vpn_net *n, bool on)
{
	if (on == n->relaying)
		return;
	if (on)
		n->relay = n->peer;
	n->relaying = on;
	relay_side(n, on, 0, n->ctx->shared->dev_acc, TABLE_RELAY_ACC);
	relay_side(n, on, 1, n->ctx->shared->dev_core, TABLE_RELAY_CORE);
}

static bool on_link(const struct chassis_iface *f, const struct ecs_addr *a)
{
	for (size_t i = 0; i < f->naddr; i++) {
		const struct chassis_if_addr *own = &f->addr[i];
		unsigned bits = own->len + (ecs_addr_is4(&own->addr) ? 96u : 0u), n = bits / 8;
		uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

		if (ecs_addr_is4(a) == ecs_addr_is4(&own->addr) && memcmp(a->b, own->addr.b, n) == 0 &&
		    (n == 16 || ((a->b[n] ^ own->addr.b[n]) & mask) == 0))
			return true;
	}
	return false;
}

/* Both chassis, all the time: whoever forwards next knows its next hops. */
static void on_warm(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpn_net *n = w->data;

	(void)loop;
	(void)revents;
	for (size_t i = 0; i < n->conf->niface; i++) {
		const struct chassis_iface *f = &n->conf->iface[i];
		int side = f->side == CHASSIS_SIDE_ACCESS ? 0 : 1;

		if (!served(f))
			continue;
		(void)chassis_nl_warm(n->nl, f->name);
		/* Late packets go to the peer's own addresses. */
		if (n->peer.side[side].has4)
			(void)chassis_nl_resolve(n->nl, f->name, &n->peer.side[side].v4);
		if (n->peer.side[side].has6)
			(void)chassis_nl_resolve(n->nl, f->name, &n->peer.side[side].v6);
		for (size_t k = 0; k < n->ctx->shared->nhop; k++)
			if (on_link(f, &n->ctx->shared->hop[k].addr))
				(void)chassis_nl_resolve(n->nl, f->name, &n->ctx->shared->hop[k].addr);
	}
}

/* The queues of the devices are read by the session managers; what did not fit in them is known to the
 * kernel alone. The devices are as old as the chassis. */
static void on_stats(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vpn_net *n = w->data;
	const char *dev[] = {n->ctx->shared->dev_acc, n->ctx->shared->dev_core};
	uint64_t sum = 0;

	(void)loop;
	(void)revents;
	for (int i = 0; i < 2; i++) {
		uint64_t one = 0;

		if (chassis_nl_dropped(n->nl, dev[i], &one) < 0)
			return;
		sum += one;
	}
	n->ctx->slab->task_ctr.tun_dropped = sum;
}

void vpn_net_peer(struct vpn_net *n, const struct vpn_own *peer)
{
	if (memcmp(&n->peer, peer, sizeof(*peer)) == 0)
		return;
	n->peer = *peer;
	ev_feed_event(n->ctx->loop, &n->warm, EV_TIMER);
}

struct vpn_net *vpn_net_start(struct chassis_task_ctx *ctx, const struct vpn_net_ops *ops, void *owner)
{
	struct vpn_net *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->ctx = ctx;
	n->conf = ctx->shared->config;
	n->ops = ops;
	n->owner = owner;
	n->nl = chassis_nl_open();
	if (!n->nl) {
		chassis_log(LOG_ERR, "cannot open a netlink socket");
		free(n);
		return NULL;
	}
	/* What a predecessor that died relayed is over. */
	chassis_nl_sweep(n->nl, TABLE_RELAY_ACC, TABLE_RELAY_CORE, TABLE_RELAY_ACC, TABLE_RELAY_CORE);
	sysctls(n);
	check(chassis_nl_up(n->nl, ctx->shared->dev_service), "bring up", ctx->shared->dev_service);
	own_addresses(n);
	policy(n, true);
	announcers(n);
	ev_timer_init(&n->warm, on_warm, 0.5, WARM_S);
	n->warm.data = n;
	ev_timer_start(ctx->loop, &n->warm);
	ev_timer_init(&n->stats, on_stats, STATS_S, STATS_S);
	n->stats.data = n;
	ev_timer_start(ctx->loop, &n->stats);
	return n;
}

void vpn_net_stop(struct vpn_net *n)
{
	ev_timer_stop(n->ctx->loop, &n->warm);
	ev_timer_stop(n->ctx->loop, &n->stats);
	vpn_net_relay(n, false);
	vpn_net_active(n, false);
	policy(n, false);
	for (size_t i = 0; i < n->conf->niface; i++)
		chassis_announce_free(n->ann[i].a);
	chassis_nl_close(n->nl);
	free(n);
}

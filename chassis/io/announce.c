#include "config.h"

#include "chassis/io/announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "srp/err.h"

#define ADDRS_MAX      1024u /**< of one interface */
#define READ_BUDGET    64    /**< packets per wake-up */
#define PROBES         3     /**< sent in the time of a probe (RFC 5227 PROBE_NUM) */
#define DEFEND_MS      100   /**< two owners must not answer each other at wire speed */
#define REPORT_SECONDS 1.0   /**< conflicts of one address are reported once in this time */

#define ARP_LEN       28
#define IP6_LEN       40
#define ND_LEN        24 /**< NS or NA without options */
#define ND_OPT_LEN    8
#define ND_SOLICIT    135
#define ND_ADVERT     136
#define ND_OPT_SOURCE 1
#define ND_OPT_TARGET 2
#define NA_ROUTER     0x80u
#define NA_SOLICITED  0x40u
#define NA_OVERRIDE   0x20u
#define FRAME_MAX     (ETH_HLEN + IP6_LEN + ND_LEN + ND_OPT_LEN)

/** When the announcements go out, milliseconds after the start: close together at first, since a
 *  late packet of the former owner may come between; then for those who lost the first ones. */
static const unsigned schedule_ms[] = {0, 10, 50, 100, 200, 500, 1000, 2000, 4000, 8000};
#define SCHEDULE_N (sizeof(schedule_ms) / sizeof(schedule_ms[0]))

static const uint8_t mac_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

struct entry {
	struct ecs_addr addr;
	bool v6;
	double reported; /**< loop time of the last report of a conflict; 0 never */
};

struct chassis_announce {
	struct ev_loop *loop;
	const struct chassis_announce_ops *ops;
	void *owner;
	int index;
	uint8_t mac[6];
	int arp, nd; /**< packet sockets: ARP, and NS and NA of ICMPv6 */
	int join;    /**< UDP socket whose memberships make the host report its groups */
	ev_io arp_io, nd_io;
	ev_timer repeat, probe;
	struct entry *addr;
	size_t n;
	bool active, probing;
	bool reading, dead; /**< freed by its owner in a callback: the reader frees it at its end */
	size_t step;        /**< of schedule_ms, next to be sent */
	double defended;    /**< loop time of the last restart by a conflict; 0 never */
	unsigned probes_left;
	double probe_gap;
};

/* --- frames -------------------------------------------------------------------------------------
 */

static uint8_t *put_eth(uint8_t *p, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	p[12] = (uint8_t)(type >> 8);
	p[13] = (uint8_t)type;
	return p + ETH_HLEN;
}

/** @p op 1 request, 2 reply; @p spa NULL: 0.0.0.0, a probe. */
static size_t build_arp(uint8_t *f, const uint8_t *mac, uint8_t op, const uint8_t *spa,
			const uint8_t *tpa)
{
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0};
	uint8_t *p = put_eth(f, mac_broadcast, mac, ETH_P_ARP);

	memset(p, 0, ARP_LEN);
	memcpy(p, head, sizeof(head));
	p[7] = op;
	memcpy(p + 8, mac, 6);
	if (spa != NULL)
		memcpy(p + 14, spa, 4);
	if (op == ARPOP_REPLY)
		memcpy(p + 18, mac_broadcast, 6);
	memcpy(p + 24, tpa, 4);
	return ETH_HLEN + ARP_LEN;
}

static void checksum_icmp6(uint8_t *ip, size_t icmp_len)
{
	const uint8_t *p = ip + 8;
	uint32_t sum = (uint32_t)icmp_len + IPPROTO_ICMPV6;

	/* Both addresses and the message lie behind each other; all lengths are even. */
	for (size_t i = 0; i < 32 + icmp_len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	ip[IP6_LEN + 2] = (uint8_t)(~sum >> 8);
	ip[IP6_LEN + 3] = (uint8_t)~sum;
}

/** An NS or NA; @p opt 0: without a link-layer option. */
static size_t build_nd(uint8_t *f, const uint8_t *eth_dst, const uint8_t *mac, const uint8_t *src,
		       const uint8_t *dst, uint8_t type, uint8_t flags, const uint8_t *target,
		       uint8_t opt)
{
	uint8_t *ip = put_eth(f, eth_dst, mac, ETH_P_IPV6);
	uint8_t *icmp = ip + IP6_LEN;
	size_t len = ND_LEN + (opt != 0 ? ND_OPT_LEN : 0);

	memset(ip, 0, IP6_LEN + len);
	ip[0] = 0x60;
	ip[5] = (uint8_t)len;
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 255;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	icmp[0] = type;
	icmp[4] = flags;
	memcpy(icmp + 8, target, 16);
	if (opt != 0) {
		icmp[ND_LEN] = opt;
		icmp[ND_LEN + 1] = 1;
		memcpy(icmp + ND_LEN + 2, mac, 6);
	}
	checksum_icmp6(ip, len);
	return ETH_HLEN + IP6_LEN + len;
}

static void mac_of_group(const uint8_t group[16], uint8_t mac[6])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group + 12, 4);
}

static void solicited_node(const struct ecs_addr *a, uint8_t group[16])
{
	static const uint8_t prefix[13] = {0xff, 0x02, [11] = 1, 0xff};

	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + 13, a->b + 13, 3);
}

/* --- sending ------------------------------------------------------------------------------------
 */

/** A lost announcement is repeated by the schedule, so that errors of one are of no interest. */
static void transmit(int fd, const uint8_t *f, size_t len)
{
	ssize_t n;

	do
		n = send(fd, f, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
}

static void announce_one(const struct chassis_announce *a, const struct entry *e)
{
	uint8_t f[FRAME_MAX], mac[6];
	const uint8_t *v4 = e->addr.b + 12;

	if (!e->v6) {
		transmit(a->arp, f, build_arp(f, a->mac, ARPOP_REQUEST, v4, v4));
		transmit(a->arp, f, build_arp(f, a->mac, ARPOP_REPLY, v4, v4));
		return;
	}
	mac_of_group(all_nodes, mac);
	transmit(a->nd, f,
		 build_nd(f, mac, a->mac, e->addr.b, all_nodes, ND_ADVERT, NA_ROUTER | NA_OVERRIDE,
			  e->addr.b, ND_OPT_TARGET));
}

static void announce_all(const struct chassis_announce *a)
{
	for (size_t i = 0; i < a->n; i++)
		announce_one(a, &a->addr[i]);
}

static void probe_all(const struct chassis_announce *a)
{
	static const uint8_t unspecified[16];
	uint8_t f[FRAME_MAX], group[16], mac[6];

	for (size_t i = 0; i < a->n; i++) {
		const struct entry *e = &a->addr[i];

		if (!e->v6) {
			transmit(a->arp, f,
				 build_arp(f, a->mac, ARPOP_REQUEST, NULL, e->addr.b + 12));
			continue;
		}
		solicited_node(&e->addr, group);
		mac_of_group(group, mac);
		transmit(a->nd, f,
			 build_nd(f, mac, a->mac, unspecified, group, ND_SOLICIT, 0, e->addr.b, 0));
	}
}

/* --- timers -------------------------------------------------------------------------------------
 */

/** Arms the next repetition of the schedule. */
static void arm(struct chassis_announce *a)
{
	ev_timer_stop(a->loop, &a->repeat);
	if (a->step >= SCHEDULE_N)
		return;
	ev_timer_set(&a->repeat, (schedule_ms[a->step] - schedule_ms[a->step - 1]) / 1000.0, 0.);
	ev_timer_start(a->loop, &a->repeat);
}

static void repeat_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct chassis_announce *a = w->data;

	(void)loop;
	(void)revents;
	announce_all(a);
	a->step++;
	arm(a);
}

static void start_over(struct chassis_announce *a)
{
	announce_all(a);
	a->step = 1;
	arm(a);
}

static void probe_end(struct chassis_announce *a, bool is_free)
{
	a->probing = false;
	ev_timer_stop(a->loop, &a->probe);
	a->ops->probed(a->owner, is_free);
}

static void probe_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct chassis_announce *a = w->data;

	(void)revents;
	if (a->probes_left == 0) {
		probe_end(a, true);
		return;
	}
	a->probes_left--;
	probe_all(a);
	ev_timer_set(w, a->probe_gap, 0.);
	ev_timer_start(loop, w);
}

/* --- receiving ----------------------------------------------------------------------------------
 */

/** Somebody else speaks as the owner of @p e. */
static void claimed(struct chassis_announce *a, struct entry *e, const uint8_t mac[6])
{
	double now = ev_now(a->loop);
	struct ecs_addr addr = e->addr;

	if (a->active && now - a->defended >= DEFEND_MS / 1000.0) {
		a->defended = now;
		start_over(a);
	}
	if (a->active && now - e->reported >= REPORT_SECONDS) {
		e->reported = now;
		a->ops->conflict(a->owner, &addr, mac);
	}
	if (a->probing && !a->dead)
		probe_end(a, false);
}

static struct entry *find(const struct chassis_announce *a, bool v6, const uint8_t *addr)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->addr[i].v6 == v6 &&
		    memcmp(v6 ? a->addr[i].addr.b : a->addr[i].addr.b + 12, addr, v6 ? 16 : 4) == 0)
			return &a->addr[i];
	return NULL;
}

static void rx_arp(struct chassis_announce *a, const uint8_t *f, size_t len)
{
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4};
	const uint8_t *p = f + ETH_HLEN;
	struct entry *e;

	if (len < ETH_HLEN + ARP_LEN || memcmp(p, head, sizeof(head)) != 0)
		return;
	e = find(a, false, p + 14);
	if (e != NULL && memcmp(p + 8, a->mac, 6) != 0)
		claimed(a, e, p + 8);
}

/** The link-layer address in the options, or the sender of the frame. */
static const uint8_t *lladdr_of(const uint8_t *f, const uint8_t *opt, const uint8_t *end,
				uint8_t type)
{
	while (end - opt >= ND_OPT_LEN && opt[1] != 0 && end - opt >= opt[1] * 8) {
		if (opt[0] == type)
			return opt + 2;
		opt += opt[1] * 8;
	}
	return f + 6;
}

/** Answers a solicitation for an address that is announced. */
static void answer(const struct chassis_announce *a, const struct entry *e, const uint8_t *src,
		   const uint8_t *eth_src)
{
	static const uint8_t unspecified[16];
	uint8_t f[FRAME_MAX], mac[6];
	bool dad = memcmp(src, unspecified, 16) == 0;
	uint8_t flags = NA_ROUTER | NA_OVERRIDE;

	mac_of_group(all_nodes, mac);
	if (!dad)
		flags |= NA_SOLICITED;
	transmit(a->nd, f,
		 build_nd(f, dad ? mac : eth_src, a->mac, e->addr.b, dad ? all_nodes : src,
			  ND_ADVERT, flags, e->addr.b, ND_OPT_TARGET));
}

static void rx_nd(struct chassis_announce *a, const uint8_t *f, size_t len)
{
	const uint8_t *ip = f + ETH_HLEN, *icmp = ip + IP6_LEN, *end;
	struct entry *e;
	size_t payload;

	if (len < ETH_HLEN + IP6_LEN + ND_LEN)
		return;
	payload = (size_t)ip[4] << 8 | ip[5];
	/* Hop limit 255: it was not forwarded by anybody (RFC 4861, 7.1). */
	if (payload < ND_LEN || payload > len - ETH_HLEN - IP6_LEN || ip[7] != 255 || icmp[1] != 0)
		return;
	if (memcmp(f + 6, a->mac, 6) == 0)
		return;
	end = icmp + payload;
	e = find(a, true, icmp + 8);
	if (icmp[0] == ND_ADVERT) {
		const uint8_t *mac = lladdr_of(f, icmp + ND_LEN, end, ND_OPT_TARGET);

		if (e != NULL && memcmp(mac, a->mac, 6) != 0)
			claimed(a, e, mac);
		return;
	}
	if (e != NULL && a->active)
		answer(a, e, ip + 8, lladdr_of(f, icmp + ND_LEN, end, ND_OPT_SOURCE));
	e = find(a, true, ip + 8); /* somebody asks from our address */
	if (e != NULL)
		claimed(a, e, f + 6);
}

static void drain(struct chassis_announce *a, int fd,
		  void (*rx)(struct chassis_announce *, const uint8_t *, size_t))
{
	uint8_t f[256];

	a->reading = true;
	for (int i = 0; i < READ_BUDGET && !a->dead; i++) {
		ssize_t n = recv(fd, f, sizeof(f), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* nothing more; a device that went down says so once */
		if (a->active || a->probing)
			rx(a, f, (size_t)n);
	}
	a->reading = false;
	if (a->dead)
		chassis_announce_free(a);
}

static void arp_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	drain(w->data, w->fd, rx_arp);
}

static void nd_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	drain(w->data, w->fd, rx_nd);
}

/* --- sockets ------------------------------------------------------------------------------------
 */

/** Of IPv6 only solicitations and advertisements wake us: traffic passes this interface. */
static int filter_nd(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 4),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + IP6_LEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_SOLICIT, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_ADVERT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/** The filter is there before the socket is bound, so that nothing else is ever queued. */
static int open_packet(int index, uint16_t proto)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
		.sll_ifindex = index,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if ((proto == ETH_P_IPV6 && filter_nd(fd) != 0) ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/** Joins or leaves the solicited-node group of each address. The packet socket's membership opens
 *  the device's filter; the other one makes the host report the group to switches that snoop, and
 *  fails without harm where IPv6 is off or several addresses share a group. */
static void groups(struct chassis_announce *a, bool on)
{
	for (size_t i = 0; i < a->n; i++) {
		struct packet_mreq pm = {
			.mr_ifindex = a->index, .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6};
		struct ipv6_mreq im = {.ipv6mr_interface = (unsigned)a->index};

		if (!a->addr[i].v6)
			continue;
		solicited_node(&a->addr[i].addr, im.ipv6mr_multiaddr.s6_addr);
		mac_of_group(im.ipv6mr_multiaddr.s6_addr, pm.mr_address);
		(void)setsockopt(a->nd, SOL_PACKET,
				 on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &pm,
				 sizeof(pm));
		if (a->join >= 0)
			(void)setsockopt(a->join, IPPROTO_IPV6,
					 on ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &im, sizeof(im));
	}
}

static int device_of(const char *dev, int *index, uint8_t mac[6])
{
	struct ifreq ifr = {0};
	size_t len = strlen(dev);
	int s, rc;

	if (len == 0 || len >= IFNAMSIZ)
		return SRP_EINVAL;
	*index = (int)if_nametoindex(dev);
	memcpy(ifr.ifr_name, dev, len);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return SRP_EIO;
	rc = ioctl(s, SIOCGIFHWADDR, &ifr);
	close(s);
	if (rc != 0 || *index == 0)
		return SRP_ENOENT;
	if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return SRP_EINVAL;
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return 0;
}

struct chassis_announce *chassis_announce_new(struct ev_loop *loop, const char *dev,
					      const struct chassis_announce_ops *ops, void *owner)
{
	struct chassis_announce *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->ops = ops;
	a->owner = owner;
	if (device_of(dev, &a->index, a->mac) != 0) {
		free(a);
		return NULL;
	}
	a->arp = open_packet(a->index, ETH_P_ARP);
	a->nd = open_packet(a->index, ETH_P_IPV6);
	a->join = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ev_io_init(&a->arp_io, arp_cb, a->arp, EV_READ);
	ev_io_init(&a->nd_io, nd_cb, a->nd, EV_READ);
	ev_timer_init(&a->repeat, repeat_cb, 0., 0.);
	ev_timer_init(&a->probe, probe_cb, 0., 0.);
	a->arp_io.data = a->nd_io.data = a->repeat.data = a->probe.data = a;
	if (a->arp < 0 || a->nd < 0) {
		chassis_announce_free(a);
		return NULL;
	}
	ev_io_start(loop, &a->arp_io);
	ev_io_start(loop, &a->nd_io);
	return a;
}

void chassis_announce_free(struct chassis_announce *a)
{
	if (a == NULL)
		return;
	ev_io_stop(a->loop, &a->arp_io);
	ev_io_stop(a->loop, &a->nd_io);
	ev_timer_stop(a->loop, &a->repeat);
	ev_timer_stop(a->loop, &a->probe);
	if (a->arp >= 0)
		close(a->arp);
	if (a->nd >= 0)
		close(a->nd);
	if (a->join >= 0)
		close(a->join);
	a->arp = a->nd = a->join = -1;
	a->active = a->probing = false;
	a->dead = true;
	if (a->reading)
		return;
	free(a->addr);
	free(a);
}

int chassis_announce_set(struct chassis_announce *a, const struct ecs_addr *addr, size_t n)
{
	struct entry *e;

	if (n > ADDRS_MAX)
		return SRP_ERANGE;
	e = calloc(n == 0 ? 1 : n, sizeof(*e));
	if (e == NULL)
		return SRP_ENOMEM;
	for (size_t i = 0; i < n; i++)
		e[i] = (struct entry){.addr = addr[i], .v6 = !ecs_addr_is4(&addr[i])};
	if (a->active)
		groups(a, false);
	free(a->addr);
	a->addr = e;
	a->n = n;
	if (a->active) {
		groups(a, true);
		start_over(a);
	}
	return 0;
}

void chassis_announce_active(struct chassis_announce *a, bool on)
{
	if (on == a->active)
		return;
	a->active = on;
	groups(a, on);
	if (on) {
		a->defended = 0.;
		start_over(a);
	} else {
		ev_timer_stop(a->loop, &a->repeat);
	}
}

void chassis_announce_probe(struct chassis_announce *a, unsigned ms)
{
	a->probing = true;
	a->probe_gap = ms / 1000.0 / PROBES;
	a->probes_left = PROBES - 1;
	probe_all(a);
	ev_timer_stop(a->loop, &a->probe);
	ev_timer_set(&a->probe, a->probe_gap, 0.);
	ev_timer_start(a->loop, &a->probe);
}

#include "config.h"

#include "chassis/io/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "srp/err.h"

#define SYSCTL_ROOT   "/proc/sys/net/"
#define REQUEST_MAX   512    /**< of what we build ourselves */
#define SWEEP_MAX     65536u /**< objects removed by one sweep */
#define PROTO_CHASSIS 0x5c   /**< rtm_protocol of our routes, so that `ip route` tells them apart */

struct chassis_nl {
	struct mnl_socket *sock;
	unsigned portid;
	uint32_t seq;
};

/** Errors that mean that what was asked for is so already. */
static bool settled(bool add, int err)
{
	if (add)
		return err == EEXIST;
	return err == ENOENT || err == ESRCH || err == EADDRNOTAVAIL || err == ENODEV;
}

static int code_of(int err)
{
	switch (err) {
	case ENODEV:
	case ENOENT:
	case ESRCH:
	case EADDRNOTAVAIL:
		return SRP_ENOENT;
	case ENOMEM:
	case ENOBUFS:
		return SRP_ENOMEM;
	case EINVAL:
		return SRP_EINVAL;
	case EEXIST:
		return SRP_EDUP;
	default:
		return SRP_EIO;
	}
}

struct chassis_nl *chassis_nl_open(void)
{
	struct chassis_nl *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (n->sock == NULL || mnl_socket_bind(n->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		chassis_nl_close(n);
		return NULL;
	}
	n->portid = mnl_socket_get_portid(n->sock);
	n->seq = (uint32_t)time(NULL);
	return n;
}

void chassis_nl_close(struct chassis_nl *n)
{
	if (n == NULL)
		return;
	if (n->sock != NULL)
		mnl_socket_close(n->sock);
	free(n);
}

/** Sends @p h and waits for its end; returns 0 or a positive errno. */
static int talk(struct chassis_nl *n, struct nlmsghdr *h, mnl_cb_t cb, void *arg)
{
	uint8_t buf[32768];
	ssize_t len;
	int rc;

	h->nlmsg_seq = ++n->seq;
	h->nlmsg_pid = n->portid;
	if (mnl_socket_sendto(n->sock, h, h->nlmsg_len) < 0)
		return errno;
	do {
		len = mnl_socket_recvfrom(n->sock, buf, sizeof(buf));
		if (len < 0) {
			if (errno == EINTR)
				continue;
			return errno;
		}
		errno = 0;
		rc = mnl_cb_run(buf, (size_t)len, n->seq, n->portid, cb, arg);
		/* An answer to an earlier request that was given up: not ours, read on. */
		if (rc < 0 && errno == EPROTO)
			rc = MNL_CB_OK;
	} while (len < 0 || rc > MNL_CB_STOP);
	return rc < 0 ? errno : 0;
}

/** An acknowledged change; idempotent. */
static int change(struct chassis_nl *n, bool add, struct nlmsghdr *h)
{
	int err;

	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	err = talk(n, h, NULL, NULL);
	return err == 0 || settled(add, err) ? 0 : code_of(err);
}

static uint8_t family_of(const struct ecs_addr *a)
{
	return ecs_addr_is4(a) ? AF_INET : AF_INET6;
}

static uint8_t bits_of(uint8_t family)
{
	return family == AF_INET ? 32 : 128;
}

static void put_addr(struct nlmsghdr *h, uint16_t type, const struct ecs_addr *a)
{
	if (ecs_addr_is4(a))
		mnl_attr_put(h, type, 4, a->b + 12);
	else
		mnl_attr_put(h, type, 16, a->b);
}

/** Puts a destination cut to @p len bits: the kernel refuses bits behind a prefix. */
static void put_prefix(struct nlmsghdr *h, uint16_t type, const struct ecs_addr *a, uint8_t len)
{
	struct ecs_addr cut = *a;
	size_t from = ecs_addr_is4(a) ? 96u + len : len;

	for (size_t bit = from; bit < 128; bit++)
		cut.b[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	/* A mapped address stays one whatever is cut off it. */
	put_addr(h, type, &cut);
}

int chassis_nl_ifindex(const char *name)
{
	unsigned i = if_nametoindex(name);

	return i == 0 ? SRP_ENOENT : (int)i;
}

/** One SIOC* request on a device. */
static int dev_ioctl(const char *name, unsigned long request, struct ifreq *ifr)
{
	size_t len = strlen(name);
	int s, rc;

	if (len == 0 || len >= sizeof(ifr->ifr_name))
		return SRP_EINVAL;
	memcpy(ifr->ifr_name, name, len + 1);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return SRP_EIO;
	rc = ioctl(s, request, ifr) == 0 ? 0 : code_of(errno);
	close(s);
	return rc;
}

int chassis_nl_mac(const char *name, uint8_t mac[6])
{
	struct ifreq ifr = {0};
	int rc = dev_ioctl(name, SIOCGIFHWADDR, &ifr);

	if (rc == 0)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return rc;
}

/** A change of a link with one attribute of 32 bits at most. */
static int link_set(struct chassis_nl *n, const char *dev, unsigned flags, const uint32_t *txqlen)
{
	uint8_t buf[REQUEST_MAX];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int index = chassis_nl_ifindex(dev);

	if (index < 0)
		return index;
	h->nlmsg_type = RTM_NEWLINK;
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = index;
	m->ifi_flags = flags;
	m->ifi_change = flags;
	if (txqlen != NULL)
		mnl_attr_put_u32(h, IFLA_TXQLEN, *txqlen);
	return change(n, true, h);
}

static int dropped_attr(const struct nlattr *a, void *arg)
{
	struct rtnl_link_stats64 st;

	if (mnl_attr_get_type(a) == IFLA_STATS64 &&
	    mnl_attr_get_payload_len(a) >= offsetof(struct rtnl_link_stats64, multicast)) {
		memcpy(&st, mnl_attr_get_payload(a), offsetof(struct rtnl_link_stats64, multicast));
		*(uint64_t *)arg = st.tx_dropped;
	}
	return MNL_CB_OK;
}

static int dropped_cb(const struct nlmsghdr *h, void *arg)
{
	if (h->nlmsg_type == RTM_NEWLINK)
		(void)mnl_attr_parse(h, sizeof(struct ifinfomsg), dropped_attr, arg);
	return MNL_CB_STOP;
}

int chassis_nl_dropped(struct chassis_nl *n, const char *dev, uint64_t *packets)
{
	uint8_t buf[REQUEST_MAX];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int index = chassis_nl_ifindex(dev), err;

	if (index < 0)
		return index;
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = index;
	err = talk(n, h, dropped_cb, packets);
	return err ? code_of(err) : 0;
}

int chassis_nl_up(struct chassis_nl *n, const char *dev)
{
	return link_set(n, dev, IFF_UP, NULL);
}

int chassis_nl_txqlen(struct chassis_nl *n, const char *dev, uint32_t len)
{
	return link_set(n, dev, 0, &len);
}

int chassis_nl_addr(struct chassis_nl *n, bool add, const char *dev, const struct ecs_addr *a,
		    uint8_t len)
{
	uint8_t buf[REQUEST_MAX];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int index = chassis_nl_ifindex(dev);

	if (index < 0)
		return add ? index : 0;
	if (len > bits_of(family_of(a)))
		return SRP_ERANGE;
	h->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	h->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_EXCL : 0;
	m->ifa_family = family_of(a);
	m->ifa_prefixlen = len;
	m->ifa_index = (unsigned)index;
	/* Duplicate detection would hold the address back for a second and more. */
	m->ifa_flags = m->ifa_family == AF_INET6 ? IFA_F_NODAD : 0;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	put_addr(h, IFA_LOCAL, a);
	put_addr(h, IFA_ADDRESS, a);
	return change(n, add, h);
}

static struct nlmsghdr *route_start(uint8_t *buf, bool add, uint8_t family, uint32_t table,
				    uint8_t type, uint32_t metric)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	h->nlmsg_type = add ? RTM_NEWROUTE : RTM_DELROUTE;
	h->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	m->rtm_family = family;
	m->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	m->rtm_protocol = add ? PROTO_CHASSIS : RTPROT_UNSPEC;
	m->rtm_scope = add ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
	m->rtm_type = type;
	mnl_attr_put_u32(h, RTA_TABLE, table);
	if (metric != 0)
		mnl_attr_put_u32(h, RTA_PRIORITY, metric);
	return h;
}

int chassis_nl_route(struct chassis_nl *n, bool add, uint32_t table, const struct ecs_addr *dst,
		     uint8_t len, const char *dev, const struct ecs_addr *via, uint32_t metric)
{
	uint8_t buf[REQUEST_MAX];
	uint8_t family = family_of(dst);
	struct nlmsghdr *h;
	struct rtmsg *m;
	int index;

	if (len > bits_of(family))
		return SRP_ERANGE;
	if ((dev == NULL && via == NULL && add) || (via != NULL && family_of(via) != family))
		return SRP_EINVAL;
	h = route_start(buf, add, family, table, RTN_UNICAST, metric);
	m = mnl_nlmsg_get_payload(h);
	m->rtm_dst_len = len;
	if (add && via == NULL && family == AF_INET)
		m->rtm_scope = RT_SCOPE_LINK;
	if (len > 0)
		put_prefix(h, RTA_DST, dst, len);
	if (dev != NULL) {
		index = chassis_nl_ifindex(dev);
		if (index < 0)
			return add ? index : 0;
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)index);
	}
	if (via != NULL)
		put_addr(h, RTA_GATEWAY, via);
	return change(n, add, h);
}

int chassis_nl_blackhole(struct chassis_nl *n, bool add, uint32_t table, bool v6, uint32_t metric)
{
	uint8_t buf[REQUEST_MAX];
	uint8_t family = v6 ? AF_INET6 : AF_INET;

	return change(n, add, route_start(buf, add, family, table, RTN_BLACKHOLE, metric));
}

int chassis_nl_rule(struct chassis_nl *n, bool add, uint32_t priority, const char *iif, bool v6,
		    const struct ecs_addr *dst, uint8_t len, uint32_t table)
{
	uint8_t buf[REQUEST_MAX];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	uint8_t family = v6 ? AF_INET6 : AF_INET;

	if (dst != NULL)
		family = family_of(dst);
	if (len > bits_of(family) || (dst == NULL && len != 0))
		return SRP_ERANGE;
	if (iif != NULL && strlen(iif) >= IFNAMSIZ)
		return SRP_EINVAL;
	h->nlmsg_type = add ? RTM_NEWRULE : RTM_DELRULE;
	h->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_EXCL : 0;
	m->family = family;
	m->table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	m->action = FR_ACT_TO_TBL;
	m->dst_len = len;
	mnl_attr_put_u32(h, FRA_PRIORITY, priority);
	mnl_attr_put_u32(h, FRA_TABLE, table);
	if (iif != NULL)
		mnl_attr_put_strz(h, FRA_IIFNAME, iif);
	if (dst != NULL && len > 0)
		put_prefix(h, FRA_DST, dst, len);
	return change(n, add, h);
}

/* --- sweep --------------------------------------------------------------------------------------
 */

struct sweep {
	uint16_t del;  /**< RTM_DELRULE or RTM_DELROUTE */
	uint16_t attr; /**< which attribute is compared */
	uint32_t lo, hi;
	struct nlmsghdr **found;
	size_t n;
	bool failed;
};

struct attr_pick {
	uint16_t type;
	bool seen;
	uint32_t value;
};

static int attr_pick_cb(const struct nlattr *a, void *arg)
{
	struct attr_pick *p = arg;

	if (mnl_attr_get_type(a) == p->type && mnl_attr_get_payload_len(a) == sizeof(uint32_t)) {
		p->seen = true;
		p->value = mnl_attr_get_u32(a);
	}
	return MNL_CB_OK;
}

/** Keeps a copy of each message in the range: it becomes the request that removes the object. */
static int sweep_cb(const struct nlmsghdr *h, void *arg)
{
	struct sweep *s = arg;
	struct attr_pick p = {.type = s->attr};
	size_t head = s->del == RTM_DELRULE ? sizeof(struct fib_rule_hdr) : sizeof(struct rtmsg);
	struct nlmsghdr **grown, *copy;

	if (mnl_attr_parse(h, (unsigned)head, attr_pick_cb, &p) < 0)
		return MNL_CB_OK;
	if (!p.seen || p.value < s->lo || p.value > s->hi)
		return MNL_CB_OK;
	grown = s->n < SWEEP_MAX ? realloc(s->found, (s->n + 1) * sizeof(*grown)) : NULL;
	copy = malloc(h->nlmsg_len);
	if (grown != NULL)
		s->found = grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		s->failed = true;
		return MNL_CB_OK;
	}
	memcpy(copy, h, h->nlmsg_len);
	copy->nlmsg_type = s->del;
	copy->nlmsg_flags = 0;
	s->found[s->n++] = copy;
	return MNL_CB_OK;
}

static int sweep_family(struct chassis_nl *n, struct sweep *s, uint8_t family)
{
	uint8_t buf[REQUEST_MAX];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	int rc;

	h->nlmsg_type = s->del == RTM_DELRULE ? RTM_GETRULE : RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	if (s->del == RTM_DELRULE) {
		struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
		m->family = family;
	} else {
		struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
		m->rtm_family = family;
	}
	rc = talk(n, h, sweep_cb, s);
	rc = rc == 0 ? 0 : code_of(rc);
	for (size_t i = 0; i < s->n; i++) {
		int one = change(n, false, s->found[i]);

		rc = rc == 0 ? one : rc;
		free(s->found[i]);
	}
	free(s->found);
	s->found = NULL;
	s->n = 0;
	if (s->failed && rc == 0)
		rc = SRP_ENOMEM;
	return rc;
}

int chassis_nl_sweep(struct chassis_nl *n, uint32_t prio_lo, uint32_t prio_hi, uint32_t table_lo,
		     uint32_t table_hi)
{
	struct sweep rules = {
		.del = RTM_DELRULE, .attr = FRA_PRIORITY, .lo = prio_lo, .hi = prio_hi};
	struct sweep routes = {
		.del = RTM_DELROUTE, .attr = RTA_TABLE, .lo = table_lo, .hi = table_hi};
	static const uint8_t families[] = {AF_INET, AF_INET6};
	int rc = 0;

	/* Never the host's own: rules 0, 32766, 32767; tables default, main, local. */
	if (prio_lo == 0 || prio_lo > prio_hi || prio_hi >= 32766 || table_lo == 0 ||
	    table_lo > table_hi || (table_lo <= RT_TABLE_LOCAL && table_hi >= RT_TABLE_DEFAULT))
		return SRP_ERANGE;
	for (size_t i = 0; i < sizeof(families); i++) {
		int a = sweep_family(n, &rules, families[i]);
		int b = sweep_family(n, &routes, families[i]);

		rc = rc != 0 ? rc : a != 0 ? a : b;
	}
	return rc;
}

int chassis_sysctl(const char *path, const char *value)
{
	char full[256];
	size_t len = strlen(value);
	ssize_t n;
	int fd;

	if (path[0] == '/' || strstr(path, "..") != NULL ||
	    (size_t)snprintf(full, sizeof(full), SYSCTL_ROOT "%s", path) >= sizeof(full))
		return SRP_EINVAL;
	fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? SRP_ENOENT : SRP_EIO;
	n = write(fd, value, len);
	close(fd);
	return n == (ssize_t)len ? 0 : SRP_EIO;
}

/* --- next hops ------------------------------------------------------------------------------------ */

#define WARM_MAX 64 /**< gateways of one device */

struct gateways {
	uint32_t ifindex;
	size_t n;
	struct {
		uint8_t family, len, addr[16];
	} gw[WARM_MAX];
};

/** What a route says that matters here. */
struct route {
	uint32_t oif;
	const struct nlattr *via;
};

static int route_attr(const struct nlattr *a, void *arg)
{
	struct route *r = arg;

	if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) == sizeof(r->oif))
		r->oif = mnl_attr_get_u32(a);
	else if (mnl_attr_get_type(a) == RTA_GATEWAY)
		r->via = a;
	return MNL_CB_OK;
}

/** Collects the gateway of a route that leaves by the device. */
static int route_cb(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	struct gateways *g = arg;
	struct route r = {0};
	uint16_t len;

	mnl_attr_parse(h, sizeof(*rt), route_attr, &r);
	len = r.via ? mnl_attr_get_payload_len(r.via) : 0;
	if (rt->rtm_table != RT_TABLE_MAIN || r.oif != g->ifindex || g->n == WARM_MAX ||
	    (len != 4 && len != 16))
		return MNL_CB_OK;
	g->gw[g->n].family = rt->rtm_family;
	g->gw[g->n].len = (uint8_t)len;
	memcpy(g->gw[g->n].addr, mnl_attr_get_payload(r.via), len);
	g->n++;
	return MNL_CB_OK;
}

/** Has the kernel use a neighbour entry, which resolves it. */
static void resolve(struct chassis_nl *n, int index, uint8_t family, const uint8_t *addr, uint16_t len)
{
	uint8_t buf[REQUEST_MAX];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd;

	h->nlmsg_type = RTM_NEWNEIGH;
	h->nlmsg_flags = NLM_F_CREATE;
	nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));
	nd->ndm_family = family;
	nd->ndm_ifindex = index;
	nd->ndm_state = NUD_NONE;
	nd->ndm_flags = NTF_USE;
	mnl_attr_put(h, NDA_DST, len, addr);
	(void)change(n, true, h);
}

int chassis_nl_warm(struct chassis_nl *n, const char *dev)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	uint8_t buf[REQUEST_MAX];
	int index = chassis_nl_ifindex(dev);
	struct gateways g = {.ifindex = (uint32_t)index};

	if (index < 0)
		return index;
	for (size_t f = 0; f < sizeof(families); f++) {
		struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
		struct rtmsg *rt;
		int err;

		h->nlmsg_type = RTM_GETROUTE;
		h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
		rt->rtm_family = families[f];
		err = talk(n, h, route_cb, &g);
		if (err != 0)
			return code_of(err);
	}
	for (size_t i = 0; i < g.n; i++)
		resolve(n, index, g.gw[i].family, g.gw[i].addr, g.gw[i].len);
	return (int)g.n;
}

int chassis_nl_resolve(struct chassis_nl *n, const char *dev, const struct ecs_addr *a)
{
	int index = chassis_nl_ifindex(dev);

	if (index < 0)
		return index;
	resolve(n, index, family_of(a), ecs_addr_is4(a) ? a->b + 12 : a->b, ecs_addr_is4(a) ? 4 : 16);
	return 0;
}

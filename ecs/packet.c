#include "config.h"
#include "ecs/packet.h"

#include <arpa/inet.h>
#include <string.h>

#include "srp/err.h"

#define IP4_HDR     20u
#define IP6_HDR     40u
#define TCP_HDR     20u
#define UDP_HDR     8u
#define ICMP_HDR    8u
#define IP4_MF      0x2000u
#define IP4_OFFSET  0x1fffu

#define PROTO_ICMP     1u
#define PROTO_TCP      6u
#define PROTO_UDP      17u
#define PROTO_HOPOPTS  0u
#define PROTO_ROUTING  43u
#define PROTO_FRAGMENT 44u
#define PROTO_AH       51u
#define PROTO_ICMPV6   58u
#define PROTO_DSTOPTS  60u
#define PROTO_MOBILITY 135u
#define PROTO_HIP      139u
#define PROTO_SHIM6    140u

/* What the network header says, and where the transport begins. */
struct net {
	const uint8_t *up;      /* transport header */
	size_t cap;             /* bytes of it that are there to read */
	size_t len;             /* bytes of it by the header */
	size_t total;           /* IP bytes by the header */
	struct ecs_addr src, dst;
	enum ecs_frag frag;
	uint32_t frag_id;
	uint8_t proto, tos, version;
};

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void addr4(struct ecs_addr *a, const uint8_t *p)
{
	memset(a->b, 0, 10);
	a->b[10] = a->b[11] = 0xff;
	memcpy(a->b + 12, p, 4);
}

static enum ecs_frag frag_of(unsigned offset, bool more)
{
	return offset ? ECS_FRAG_LATER : more ? ECS_FRAG_FIRST : ECS_FRAG_NONE;
}

static int parse4(const uint8_t *b, size_t len, struct net *n)
{
	size_t hl, total;
	unsigned off;

	if (len < IP4_HDR)
		return SRP_ESHORT;
	hl = (size_t)(b[0] & 15) * 4;
	total = get16(b + 2);
	if (hl < IP4_HDR || total < hl)
		return SRP_EFORMAT;
	if (len < hl)
		return SRP_ESHORT;
	off = get16(b + 6);
	n->version = 4;
	n->tos = b[1];
	n->proto = b[9];
	n->total = total;
	n->frag = frag_of(off & IP4_OFFSET, off & IP4_MF);
	n->frag_id = get16(b + 4);
	addr4(&n->src, b + 12);
	addr4(&n->dst, b + 16);
	n->up = b + hl;
	n->len = total - hl;
	n->cap = (len < total ? len : total) - hl;
	return 0;
}

static bool is_extension(uint8_t proto)
{
	switch (proto) {
	case PROTO_HOPOPTS:
	case PROTO_ROUTING:
	case PROTO_FRAGMENT:
	case PROTO_AH:
	case PROTO_DSTOPTS:
	case PROTO_MOBILITY:
	case PROTO_HIP:
	case PROTO_SHIM6:
		return true;
	default:
		return false;
	}
}

/* Follows the extension headers of an IPv6 packet; those after a later fragment's are not there. */
static int extensions(struct net *n)
{
	for (unsigned i = 0; n->frag != ECS_FRAG_LATER && is_extension(n->proto); i++) {
		size_t hl;

		if (i == ECS_IPV6_EXT_MAX)
			return SRP_EFORMAT;
		if (n->len < 8)
			return SRP_EFORMAT;
		if (n->cap < 8)
			return SRP_ESHORT;
		if (n->proto == PROTO_FRAGMENT) {
			unsigned off = get16(n->up + 2);

			hl = 8;
			if (n->frag != ECS_FRAG_NONE)
				return SRP_EFORMAT;
			n->frag = frag_of(off >> 3, off & 1);
			n->frag_id = get32(n->up + 4);
		} else if (n->proto == PROTO_AH) {
			hl = ((size_t)n->up[1] + 2) * 4;
		} else {
			hl = ((size_t)n->up[1] + 1) * 8;
		}
		if (hl > n->len)
			return SRP_EFORMAT;
		if (hl > n->cap)
			return SRP_ESHORT;
		n->proto = n->up[0];
		n->up += hl;
		n->len -= hl;
		n->cap -= hl;
	}
	return 0;
}

static int parse6(const uint8_t *b, size_t len, struct net *n)
{
	if (len < IP6_HDR)
		return SRP_ESHORT;
	n->version = 6;
	n->tos = (uint8_t)((b[0] & 15) << 4 | b[1] >> 4);
	n->proto = b[6];
	n->len = get16(b + 4);
	n->total = IP6_HDR + n->len;
	n->cap = len - IP6_HDR < n->len ? len - IP6_HDR : n->len;
	n->frag = ECS_FRAG_NONE;
	n->frag_id = 0;
	memcpy(n->src.b, b + 8, 16);
	memcpy(n->dst.b, b + 24, 16);
	n->up = b + IP6_HDR;
	/* mapped addresses stand for IPv4 here and have no place on the wire (RFC 4942 2.2) */
	if (ecs_addr_is4(&n->src) || ecs_addr_is4(&n->dst))
		return SRP_EFORMAT;
	return extensions(n);
}

static int parse_net(const uint8_t *b, size_t len, struct net *n)
{
	if (len == 0)
		return SRP_ESHORT;
	switch (b[0] >> 4) {
	case 4:
		return parse4(b, len, n);
	case 6:
		return parse6(b, len, n);
	default:
		return SRP_EFORMAT;
	}
}

static void set_payload(struct ecs_packet *p, const struct net *n, size_t hdr, size_t end)
{
	if (end > n->cap)
		end = n->cap;
	p->hdr_len = n->total - n->len + hdr;
	p->payload = n->up + hdr;
	p->payload_len = end > hdr ? end - hdr : 0;
}

static int parse_tcp(struct ecs_packet *p, const struct net *n)
{
	size_t hl;

	if (n->len < TCP_HDR)
		return SRP_EFORMAT;
	if (n->cap < TCP_HDR)
		return SRP_ESHORT;
	hl = (size_t)(n->up[12] >> 4) * 4;
	/* a first fragment may end inside the options: what counts is there */
	if (hl < TCP_HDR || (hl > n->len && n->frag == ECS_FRAG_NONE))
		return SRP_EFORMAT;
	if (hl > n->len)
		hl = n->len;
	if (hl > n->cap)
		return SRP_ESHORT;
	p->sport = (uint16_t)get16(n->up);
	p->dport = (uint16_t)get16(n->up + 2);
	p->tcp_seq = get32(n->up + 4);
	p->tcp_ack = get32(n->up + 8);
	p->tcp_flags = n->up[13] & 0x3f;
	set_payload(p, n, hl, n->len);
	return 0;
}

static int parse_udp(struct ecs_packet *p, const struct net *n)
{
	size_t ulen;

	if (n->len < UDP_HDR)
		return SRP_EFORMAT;
	if (n->cap < UDP_HDR)
		return SRP_ESHORT;
	ulen = get16(n->up + 4);
	if (ulen < UDP_HDR || (ulen > n->len && n->frag == ECS_FRAG_NONE))
		return SRP_EFORMAT;
	p->sport = (uint16_t)get16(n->up);
	p->dport = (uint16_t)get16(n->up + 2);
	set_payload(p, n, UDP_HDR, ulen < n->len ? ulen : n->len);
	return 0;
}

/* Queries carry an identifier that both directions have. */
static bool icmp_has_id(uint8_t proto, uint8_t type)
{
	if (proto == PROTO_ICMPV6)
		return type == 128 || type == 129;
	return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

static bool icmp_is_error(uint8_t proto, uint8_t type)
{
	if (proto == PROTO_ICMPV6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static bool icmp_proto(const struct net *n)
{
	return (n->version == 4 && n->proto == PROTO_ICMP) ||
	       (n->version == 6 && n->proto == PROTO_ICMPV6);
}

/* Ports of the packet that an ICMP error quotes: 8 bytes of its transport are enough. */
static bool inner_ports(const struct net *in, uint16_t *sport, uint16_t *dport)
{
	*sport = *dport = 0;
	if (in->frag == ECS_FRAG_LATER)
		return false;
	if (in->proto == PROTO_TCP || in->proto == PROTO_UDP) {
		if (in->cap < 4)
			return false;
		*sport = (uint16_t)get16(in->up);
		*dport = (uint16_t)get16(in->up + 2);
	} else if (icmp_proto(in)) {
		if (in->cap < 6 || !icmp_has_id(in->proto, in->up[0]))
			return false;
		*sport = *dport = (uint16_t)get16(in->up + 4);
	}
	return true;
}

/* The subscriber of the quoted packet must be the one of the error: for IPv6, of its /64. */
static bool same_subscriber(const struct ecs_addr *a, const struct ecs_addr *b, uint8_t version)
{
	return memcmp(a->b, b->b, version == 6 ? 8 : 16) == 0;
}

static void parse_icmp_error(struct ecs_packet *p, const struct net *n)
{
	struct net in;
	uint16_t sport, dport;
	const struct ecs_addr *outer, *quoted;

	if (n->cap <= ICMP_HDR || parse_net(n->up + ICMP_HDR, n->cap - ICMP_HDR, &in) != 0)
		return;
	if (in.version != n->version || !inner_ports(&in, &sport, &dport))
		return;
	outer = p->dir == ECS_UPLINK ? &n->src : &n->dst;
	quoted = p->dir == ECS_UPLINK ? &in.dst : &in.src;
	if (!same_subscriber(outer, quoted, n->version))
		return;
	p->icmp_error = true;
	p->quoted = (size_t)(n->up - p->data) + ICMP_HDR;
	p->quoted_l4 = (size_t)(in.up - p->data);
	p->flow_proto = in.proto;
	p->src = in.dst;
	p->dst = in.src;
	p->sport = dport;
	p->dport = sport;
}

static int parse_icmp(struct ecs_packet *p, const struct net *n)
{
	if (n->len < 4)
		return SRP_EFORMAT;
	if (n->cap < 4)
		return SRP_ESHORT;
	p->icmp_type = n->up[0];
	p->icmp_code = n->up[1];
	if (icmp_has_id(n->proto, p->icmp_type)) {
		if (n->len < ICMP_HDR)
			return SRP_EFORMAT;
		if (n->cap < ICMP_HDR)
			return SRP_ESHORT;
		p->sport = p->dport = (uint16_t)get16(n->up + 4);
	} else if (icmp_is_error(n->proto, p->icmp_type) && n->frag == ECS_FRAG_NONE) {
		parse_icmp_error(p, n);
	}
	set_payload(p, n, n->len < ICMP_HDR ? n->len : ICMP_HDR, n->len);
	return 0;
}

static int parse_up(struct ecs_packet *p, const struct net *n)
{
	if (n->frag == ECS_FRAG_LATER) {
		set_payload(p, n, 0, n->len);
		return 0;
	}
	if (n->proto == PROTO_TCP)
		return parse_tcp(p, n);
	if (n->proto == PROTO_UDP)
		return parse_udp(p, n);
	if (icmp_proto(n))
		return parse_icmp(p, n);
	set_payload(p, n, 0, n->len);
	return 0;
}

int ecs_packet_parse(const uint8_t *buf, size_t len, enum ecs_dir dir, struct ecs_packet *out)
{
	struct ecs_packet p;
	struct net n;
	int err = parse_net(buf, len, &n);

	if (err)
		return err;
	p = (struct ecs_packet){.data = buf, .len = n.total, .dir = dir, .version = n.version,
	                        .proto = n.proto, .flow_proto = n.proto, .tos = n.tos,
	                        .frag = n.frag, .frag_id = n.frag_id, .src = n.src, .dst = n.dst};
	p.cap = len < n.total ? len : n.total;
	p.l4 = n.total - n.len;
	err = parse_up(&p, &n);
	if (err)
		return err;
	*out = p;
	return 0;
}

bool ecs_addr_is4(const struct ecs_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

uint64_t ecs_addr_name(const struct ecs_addr *a)
{
	bool is4 = ecs_addr_is4(a);
	const uint8_t *b = is4 ? a->b + 12 : a->b;
	uint64_t v = 0;

	for (int i = 0; i < (is4 ? 4 : 8); i++)
		v = v << 8 | b[i];
	/* no /64 that is routed begins with 31 zeros and a one; each step has an inverse, so that
	 * two addresses never have one name */
	v ^= is4 ? (uint64_t)1 << 32 : 0;
	v = (v ^ v >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return v ^ v >> 32;
}

const char *ecs_addr_text(const struct ecs_addr *a, char *out, size_t cap)
{
	bool is4 = ecs_addr_is4(a);
	const uint8_t *b = is4 ? a->b + 12 : a->b;

	if (!inet_ntop(is4 ? AF_INET : AF_INET6, b, out, (socklen_t)cap) && cap)
		out[0] = '\0';
	return out;
}

int ecs_addr_parse(const char *s, struct ecs_addr *out)
{
	uint8_t b[16];

	if (inet_pton(AF_INET, s, b) == 1) {
		addr4(out, b);
		return 0;
	}
	if (inet_pton(AF_INET6, s, b) == 1) {
		memcpy(out->b, b, sizeof(b));
		return 0;
	}
	return SRP_EFORMAT;
}

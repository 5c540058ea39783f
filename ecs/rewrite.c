#include "config.h"
#include "ecs/rewrite.h"

#include <string.h>

#include "srp/err.h"

#define PROTO_ICMP   1u
#define PROTO_TCP    6u
#define PROTO_UDP    17u
#define PROTO_ICMPV6 58u
#define TCP_SUM      16u
#define UDP_SUM      6u
#define ICMP_SUM     2u
#define IP4_SUM      10u
#define IP_MAX       65535u
#define IP6_HDR      40u
/* A packet that grew is sent whole up to this length (RFC 8200 5), and else in segments of the length
 * that it came in. */
#define WHOLE_MAX    1280u

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint32_t ecs_sum_add(const uint8_t *p, size_t n, uint32_t sum)
{
	for (; n > 1; p += 2, n -= 2)
		sum += get16(p);
	sum += n ? (uint32_t)p[0] << 8 : 0;
	return (sum & 0xffff) + (sum >> 16);
}

uint16_t ecs_sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* What is to be added to a sum for words that change: HC' = ~(~HC + ~m + m'), RFC 1624 eqn. 3. */
static uint32_t change(const uint8_t *from, const uint8_t *to, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		s += (~get16(from + i) & 0xffff) + get16(to + i);
	return s;
}

/* Applies a change to the checksum at @p sum. */
static void apply(uint8_t *sum, uint32_t s)
{
	put16(sum, ecs_sum_fold((~get16(sum) & 0xffff) + s));
}

/* Where the transport checksum of a packet is; NULL: it has none, or it is not here. */
static uint8_t *l4_sum(uint8_t *ip, size_t cap, size_t l4, uint8_t proto, enum ecs_frag frag)
{
	size_t at = proto == PROTO_TCP      ? TCP_SUM
	            : proto == PROTO_UDP    ? UDP_SUM
	            : proto == PROTO_ICMPV6 ? ICMP_SUM
	                                    : 0;

	if (!at || frag == ECS_FRAG_LATER || l4 + at + 2 > cap)
		return NULL;
	if (proto == PROTO_UDP && get16(ip + l4 + at) == 0)
		return NULL;
	return ip + l4 + at;
}

/* Applies a change to a transport checksum; @p pseudo: of what the pseudo header says. */
static void apply_l4(const struct ecs_raw *r, const struct ecs_packet *p, uint32_t s, bool pseudo)
{
	uint8_t *sum = l4_sum(r->ip, p->cap, p->l4, p->proto, p->frag);

	if (!sum)
		return;
	if (r->partial) {
		if (pseudo)
			put16(sum, (uint16_t)~ecs_sum_fold(get16(sum) + s));
		return;
	}
	apply(sum, s);
	if (p->proto == PROTO_UDP && get16(sum) == 0)
		put16(sum, 0xffff);
}

void ecs_rewrite_tos(struct ecs_raw *r, const struct ecs_packet *p, uint8_t tos)
{
	uint8_t to[2];

	if (p->version == 4) {
		to[0] = r->ip[0];
		to[1] = tos;
		apply(r->ip + IP4_SUM, change(r->ip, to, 2));
		r->ip[1] = tos;
		return;
	}
	r->ip[0] = (uint8_t)((r->ip[0] & 0xf0) | tos >> 4);
	r->ip[1] = (uint8_t)((r->ip[1] & 0x0f) | tos << 4);
}

/* Sets an address of an IP header, with the checksum of the header; returns what has changed, for
 * others. */
static uint32_t set_addr(uint8_t *ip, uint8_t version, enum ecs_rewrite_end end,
                         const struct ecs_addr *a)
{
	bool v4 = version == 4;
	size_t n = v4 ? 4 : 16;
	uint8_t *at = ip + (v4 ? 12 : 8) + (end == ECS_REWRITE_DST ? n : 0);
	const uint8_t *to = v4 ? a->b + 12 : a->b;
	uint32_t s = change(at, to, n);

	memcpy(at, to, n);
	if (v4)
		apply(ip + IP4_SUM, s);
	return s;
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP;
}

void ecs_rewrite_end(struct ecs_raw *r, const struct ecs_packet *p, enum ecs_rewrite_end end,
                     const struct ecs_addr *a, uint16_t port)
{
	size_t at = p->l4 + (end == ECS_REWRITE_DST ? 2 : 0);
	uint32_t s = set_addr(r->ip, p->version, end, a);
	uint8_t to[2];

	if (p->proto != PROTO_ICMP)
		apply_l4(r, p, s, true);
	if (!port || !has_ports(p->proto) || p->frag == ECS_FRAG_LATER)
		return;
	put16(to, port);
	apply_l4(r, p, change(r->ip + at, to, 2), false);
	memcpy(r->ip + at, to, 2);
}

void ecs_rewrite_quoted(struct ecs_raw *r, const struct ecs_packet *p, enum ecs_rewrite_end end,
                        const struct ecs_addr *a, uint16_t port)
{
	uint8_t *q = r->ip + p->quoted, was[2], to[2];
	size_t at = p->quoted_l4 + (end == ECS_REWRITE_DST ? 2 : 0), sum;
	uint32_t s;

	if (!p->icmp_error || p->quoted_l4 + 4 > p->cap || (r->ip[p->quoted] >> 4) != p->version)
		return;
	sum = p->quoted + IP4_SUM;
	memcpy(was, r->ip + sum, 2);
	s = set_addr(q, p->version, end, a);
	if (p->version == 4)
		s += change(was, r->ip + sum, 2);
	if (port && has_ports(p->flow_proto)) {
		put16(to, port);
		s += change(r->ip + at, to, 2);
		memcpy(r->ip + at, to, 2);
	}
	/* both begin at an even place behind that of the error */
	if (!r->partial)
		apply(r->ip + p->l4 + ICMP_SUM, s);
}

void ecs_rewrite_l4(struct ecs_raw *r, const struct ecs_packet *p, size_t at, const uint8_t *to,
                    size_t n)
{
	apply_l4(r, p, change(r->ip + p->l4 + at, to, n), false);
	memcpy(r->ip + p->l4 + at, to, n);
}

/* The pseudo header of a segment of TCP of @p len bytes. */
static uint32_t pseudo(const uint8_t *ip, uint8_t version, size_t len)
{
	uint32_t s = PROTO_TCP + (uint32_t)(len & 0xffff) + (uint32_t)(len >> 16);

	return version == 4 ? ecs_sum_add(ip + 12, 8, s) : ecs_sum_add(ip + 8, 32, s);
}

/* The lengths of the headers, and the checksum of what has grown. */
static void grown(struct ecs_raw *r, const struct ecs_packet *p)
{
	size_t len = r->len - p->l4;
	uint8_t to[2], *sum = r->ip + p->l4 + TCP_SUM;

	if (p->version == 4) {
		put16(to, (unsigned)r->len);
		apply(r->ip + IP4_SUM, change(r->ip + 2, to, 2));
		memcpy(r->ip + 2, to, 2);
	} else {
		put16(r->ip + 4, (unsigned)(r->len - IP6_HDR));
	}
	if (!r->gso_size && r->len > WHOLE_MAX) {
		r->gso_size = (uint16_t)p->payload_len;
		r->partial = r->remade = true;
		r->l4 = p->l4;
		r->hdr_len = p->hdr_len;
	}
	put16(sum, 0);
	put16(sum, r->partial ? (uint16_t)~ecs_sum_fold(pseudo(r->ip, p->version, len))
	                      : ecs_sum_fold(ecs_sum_add(r->ip + p->l4, len,
	                                                 pseudo(r->ip, p->version, len))));
}

int ecs_rewrite_insert(struct ecs_raw *r, const struct ecs_packet *p, size_t at,
                       const uint8_t *bytes, size_t n)
{
	size_t off = p->hdr_len + at;

	if (p->proto != PROTO_TCP || p->frag != ECS_FRAG_NONE || p->cap < p->len || off > r->len || r->len < p->len ||
	    (p->version == 6 && p->l4 != IP6_HDR) || r->len + n > r->room || r->len + n > IP_MAX)
		return SRP_EFULL;
	memmove(r->ip + off + n, r->ip + off, r->len - off);
	memcpy(r->ip + off, bytes, n);
	r->len += n;
	grown(r, p);
	return 0;
}

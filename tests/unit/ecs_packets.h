/* ecs_packets: IP packets for tests. */
#ifndef TESTS_UNIT_ECS_PACKETS_H
#define TESTS_UNIT_ECS_PACKETS_H

#include <string.h>

#include "ecs/packet.h"

/** One packet being built; what is 0 gets a sensible value. */
struct pk {
	const char *src, *dst;   /* addresses as text */
	uint8_t proto;
	uint16_t sport, dport;
	uint8_t flags;           /* TCP */
	uint32_t seq, ack;
	const char *text;        /* payload, as text */
	const uint8_t *data;     /* or as bytes */
	size_t len;
	uint8_t type, code;      /* ICMP; sport is the identifier */
	uint16_t frag;           /* IPv4: flags and offset as on the wire */
	uint16_t ipid;
};

#define PK_CAP 2048u

static inline void pk16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void pk32(uint8_t *p, uint32_t v)
{
	pk16(p, v >> 16);
	pk16(p + 2, v & 0xffff);
}

static inline size_t pk_transport(const struct pk *k, uint8_t *b)
{
	const uint8_t *data = k->text ? (const uint8_t *)k->text : k->data;
	size_t n = k->text ? strlen(k->text) : k->len, h = 0;

	memset(b, 0, 20);
	if (k->proto == 6) {
		h = 20;
		pk16(b, k->sport);
		pk16(b + 2, k->dport);
		pk32(b + 4, k->seq);
		pk32(b + 8, k->ack);
		b[12] = 5 << 4;
		b[13] = k->flags;
	} else if (k->proto == 17) {
		h = 8;
		pk16(b, k->sport);
		pk16(b + 2, k->dport);
		pk16(b + 4, (unsigned)(8 + n));
	} else if (k->proto == 1 || k->proto == 58) {
		h = 8;
		b[0] = k->type;
		b[1] = k->code;
		pk16(b + 4, k->sport);
	}
	if (n)
		memcpy(b + h, data, n);
	return h + n;
}

/** Writes the packet to @p b (PK_CAP bytes); returns its length. A later fragment has no transport
 *  header: its data follows the IP header. */
static inline size_t pk_build(const struct pk *k, uint8_t *b)
{
	struct ecs_addr src, dst;
	bool v4;
	size_t n, h;

	if (ecs_addr_parse(k->src, &src) != 0 || ecs_addr_parse(k->dst, &dst) != 0)
		return 0;
	v4 = ecs_addr_is4(&src);
	h = v4 ? 20 : 40;
	memset(b, 0, h);
	if (k->frag & 0x1fff) {
		n = k->len;
		memcpy(b + h, k->data, n);
	} else {
		n = pk_transport(k, b + h);
	}
	if (v4) {
		b[0] = 0x45;
		pk16(b + 2, (unsigned)(h + n));
		pk16(b + 4, k->ipid);
		pk16(b + 6, k->frag);
		b[8] = 64;
		b[9] = k->proto;
		memcpy(b + 12, src.b + 12, 4);
		memcpy(b + 16, dst.b + 12, 4);
	} else {
		b[0] = 0x60;
		pk16(b + 4, (unsigned)n);
		b[6] = k->proto;
		b[7] = 64;
		memcpy(b + 8, src.b, 16);
		memcpy(b + 24, dst.b, 16);
	}
	return h + n;
}

/** Fills @p b with a ClientHello in one record that names @p sni (NULL: no name); its length. */
static inline size_t pk_hello(const char *sni, uint8_t *b)
{
	size_t n = sni ? strlen(sni) : 0, ext = sni ? 9 + n : 0;
	size_t body = 2 + 32 + 1 + 6 + 2 + 2 + 4 + ext;
	uint8_t *p = b;

	memset(b, 0, 128);
	*p++ = 22;
	*p++ = 3;
	*p++ = 1;
	pk16(p, (unsigned)(4 + body));
	p += 2;
	*p++ = 1;
	*p++ = 0;
	pk16(p, (unsigned)body);
	p += 2;
	*p++ = 3;
	*p++ = 3;
	memset(p, 0x5a, 32);
	p += 32;
	*p++ = 0;               /* session id */
	pk16(p, 4);             /* cipher suites */
	pk16(p + 2, 0x1301);
	pk16(p + 4, 0x1302);
	p += 6;
	*p++ = 1;               /* compression */
	*p++ = 0;
	pk16(p, (unsigned)(4 + ext)); /* extensions: an empty one first */
	pk16(p + 2, 23);
	pk16(p + 4, 0);
	p += 6;
	if (sni) {
		pk16(p, 0);
		pk16(p + 2, (unsigned)(5 + n));
		pk16(p + 4, (unsigned)(3 + n));
		p[6] = 0;
		pk16(p + 7, (unsigned)n);
		memcpy(p + 9, sni, n);
		p += 9 + n;
	}
	return (size_t)(p - b);
}

/** Fills @p b with a DNS query for @p name; its length. */
static inline size_t pk_dns(const char *name, uint8_t *b)
{
	uint8_t *p = b + 12;

	memset(b, 0, 12);
	b[0] = 0x12;
	b[2] = 1;
	b[5] = 1;
	while (*name) {
		const char *dot = strchr(name, '.');
		size_t n = dot ? (size_t)(dot - name) : strlen(name);

		*p++ = (uint8_t)n;
		memcpy(p, name, n);
		p += n;
		name += n + (dot ? 1 : 0);
	}
	*p++ = 0;
	pk16(p, 1);
	pk16(p + 2, 1);
	return (size_t)(p + 4 - b);
}

#endif

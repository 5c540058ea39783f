#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/frag.h"
#include "ecs/packet.h"
#include "ecs_packets.h"
#include "srp/err.h"

static uint8_t buf[PK_CAP];

/* Parses a copy of exactly the given size, so that a read past it is found by the sanitizer. */
static int parse(const uint8_t *b, size_t len, enum ecs_dir dir, struct ecs_packet *p)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, b, len);
	err = ecs_packet_parse(copy, len, dir, p);
	if (!err) /* the payload must be inside as well */
		for (size_t i = 0; i < p->payload_len; i++)
			CU_ASSERT_FATAL(p->payload[i] == b[(size_t)(p->payload - copy) + i]);
	free(copy);
	return err;
}

static int parse_pk(const struct pk *k, enum ecs_dir dir, struct ecs_packet *p)
{
	return parse(buf, pk_build(k, buf), dir, p);
}

static bool addr_is(const struct ecs_addr *a, const char *text)
{
	char s[64];

	return strcmp(ecs_addr_text(a, s, sizeof(s)), text) == 0;
}

static void tcp_of_both_families(void)
{
	struct ecs_packet p;
	struct pk k = {.src = "10.0.0.1", .dst = "192.0.2.7", .proto = 6, .sport = 1234,
	               .dport = 80, .flags = ECS_TCP_SYN | ECS_TCP_ACK, .seq = 0x01020304,
	               .ack = 9, .text = "abc"};

	CU_ASSERT_EQUAL_FATAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.version, 4);
	CU_ASSERT_EQUAL(p.proto, 6);
	CU_ASSERT_EQUAL(p.flow_proto, 6);
	CU_ASSERT_EQUAL(p.len, 43);
	CU_ASSERT_EQUAL(p.hdr_len, 40);
	CU_ASSERT_EQUAL(p.payload_len, 3);
	CU_ASSERT_EQUAL(p.sport, 1234);
	CU_ASSERT_EQUAL(p.dport, 80);
	CU_ASSERT_EQUAL(p.tcp_flags, ECS_TCP_SYN | ECS_TCP_ACK);
	CU_ASSERT_EQUAL(p.tcp_seq, 0x01020304);
	CU_ASSERT_EQUAL(p.frag, ECS_FRAG_NONE);
	CU_ASSERT_TRUE(addr_is(&p.src, "10.0.0.1"));
	CU_ASSERT_TRUE(addr_is(ecs_packet_subscriber(&p), "10.0.0.1"));
	p.dir = ECS_DOWNLINK;
	CU_ASSERT_TRUE(addr_is(ecs_packet_subscriber(&p), "192.0.2.7"));

	k.src = "2001:db8::1";
	k.dst = "2001:db8:1::2";
	CU_ASSERT_EQUAL_FATAL(parse_pk(&k, ECS_DOWNLINK, &p), 0);
	CU_ASSERT_EQUAL(p.version, 6);
	CU_ASSERT_EQUAL(p.len, 63);
	CU_ASSERT_EQUAL(p.hdr_len, 60);
	CU_ASSERT_EQUAL(p.dport, 80);
	CU_ASSERT_TRUE(addr_is(&p.dst, "2001:db8:1::2"));
	/* an IPv4 address in an IPv6 header is nobody's */
	pk_build(&k, buf);
	memset(buf + 8, 0, 10);
	memset(buf + 18, 0xff, 2);
	CU_ASSERT_EQUAL(parse(buf, 63, ECS_UPLINK, &p), SRP_EFORMAT);
}

static void cut_at_every_byte(void)
{
	static const struct pk cases[] = {
		{.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 6, .dport = 2, .text = "xy"},
		{.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 17, .dport = 2, .text = "xy"},
		{.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 1, .type = 8, .sport = 77},
		{.src = "2001:db8::1", .dst = "2001:db8::2", .proto = 17, .sport = 1, .text = "q"},
	};
	static const size_t need[] = {40, 28, 28, 48};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = pk_build(&cases[i], buf);
		struct ecs_packet p, was;

		memset(&was, 0x77, sizeof(was));
		for (size_t n = 0; n <= len; n++) {
			p = was;
			if (n >= need[i]) {
				CU_ASSERT_EQUAL(parse(buf, n, ECS_UPLINK, &p), 0);
				CU_ASSERT_EQUAL(p.len, len);
				CU_ASSERT_EQUAL(p.cap, n);
				CU_ASSERT_EQUAL(p.payload_len, n - need[i]);
			} else {
				CU_ASSERT_EQUAL(parse(buf, n, ECS_UPLINK, &p), SRP_ESHORT);
				CU_ASSERT_EQUAL(memcmp(&p, &was, sizeof(p)), 0);
			}
		}
	}
}

static void malformed(void)
{
	struct pk k = {.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 6, .sport = 1, .dport = 2};
	size_t len = pk_build(&k, buf);
	struct ecs_packet p;

	buf[0] = 0x55; /* neither version */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
	buf[0] = 0x44; /* header of 16 bytes */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
	buf[0] = 0x45;
	pk16(buf + 2, 19); /* total length below the header */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
	pk16(buf + 2, 39); /* TCP does not fit */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
	pk16(buf + 2, 40);
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), 0);
	buf[32] = 4 << 4; /* TCP header of 16 bytes */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
	buf[32] = 6 << 4; /* options beyond the packet */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);

	k.proto = 17;
	len = pk_build(&k, buf);
	pk16(buf + 24, 7);
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
	pk16(buf + 24, 9);
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
	pk16(buf + 24, 8);
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), 0);
	/* bytes after the packet (padding of a link) are not part of it */
	memset(buf + len, 0xee, 8);
	CU_ASSERT_EQUAL(parse(buf, len + 8, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.len, len);
	CU_ASSERT_EQUAL(p.payload_len, 0);
}

/* An IPv6 packet with @p n destination option headers before UDP. */
static size_t with_extensions(unsigned n)
{
	struct pk k = {.src = "2001:db8::1", .dst = "2001:db8::2", .proto = 17, .sport = 5,
	               .dport = 6, .text = "z"};
	enum { up = 9 };
	uint8_t udp[up];

	CU_ASSERT_EQUAL(pk_build(&k, buf), 40 + up);
	memcpy(udp, buf + 40, up);
	buf[6] = n ? 60 : 17;
	for (unsigned i = 0; i < n; i++) {
		memset(buf + 40 + 8 * i, 0, 8);
		buf[40 + 8 * i] = i + 1 == n ? 17 : 60;
	}
	memcpy(buf + 40 + 8 * n, udp, up);
	pk16(buf + 4, (unsigned)(8 * n + up));
	return 40 + 8 * n + up;
}

static void ipv6_extensions(void)
{
	struct ecs_packet p;
	size_t len = with_extensions(ECS_IPV6_EXT_MAX);

	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.proto, 17);
	CU_ASSERT_EQUAL(p.dport, 6);
	CU_ASSERT_EQUAL(p.hdr_len, 40 + 8 * ECS_IPV6_EXT_MAX + 8);
	CU_ASSERT_EQUAL(p.payload_len, 1);
	len = with_extensions(ECS_IPV6_EXT_MAX + 1);
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
	len = with_extensions(2);
	for (size_t n = 0; n < 40 + 16 + 8; n++)
		CU_ASSERT_EQUAL(parse(buf, n, ECS_UPLINK, &p), SRP_ESHORT);
	buf[41] = 200; /* the first is longer than the packet */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), SRP_EFORMAT);
}

static void ipv6_fragments(void)
{
	struct ecs_packet p;
	size_t len = with_extensions(1);

	buf[6] = 44;
	buf[40] = 17;
	pk32(buf + 44, 0xabcdef01);
	pk16(buf + 42, 0x0001); /* offset 0, more */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.frag, ECS_FRAG_FIRST);
	CU_ASSERT_EQUAL(p.frag_id, 0xabcdef01);
	CU_ASSERT_EQUAL(p.sport, 5);
	pk16(buf + 42, 0x0008); /* offset 8 */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.frag, ECS_FRAG_LATER);
	CU_ASSERT_EQUAL(p.proto, 17);
	CU_ASSERT_EQUAL(p.sport, 0);
	pk16(buf + 42, 0); /* an atomic fragment is none */
	CU_ASSERT_EQUAL(parse(buf, len, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.frag, ECS_FRAG_NONE);
	CU_ASSERT_EQUAL(p.sport, 5);
}

static void ipv4_fragments(void)
{
	static const uint8_t data[8] = {0, 80, 0, 80, 1, 2, 3, 4};
	struct pk k = {.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 17, .ipid = 99, .sport = 7,
	               .dport = 8, .text = "hello", .frag = 0x2000};
	struct ecs_packet p;

	CU_ASSERT_EQUAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.frag, ECS_FRAG_FIRST);
	CU_ASSERT_EQUAL(p.sport, 7);
	CU_ASSERT_EQUAL(p.frag_id, 99);
	k = (struct pk){.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 6, .ipid = 99, .frag = 2,
	                .data = data, .len = sizeof(data)};
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.frag, ECS_FRAG_LATER);
	CU_ASSERT_EQUAL(p.sport, 0); /* what looks like ports is data */
	CU_ASSERT_EQUAL(p.tcp_flags, 0);
	/* a first fragment that has not even the ports is malformed, whatever follows */
	k = (struct pk){.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 6, .frag = 0x2000};
	pk_build(&k, buf);
	pk16(buf + 2, 28);
	CU_ASSERT_EQUAL(parse(buf, 28, ECS_UPLINK, &p), SRP_EFORMAT);
}

static void icmp_echo_and_others(void)
{
	struct pk k = {.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 1, .type = 8,
	               .sport = 0x4242};
	struct ecs_packet p;

	CU_ASSERT_EQUAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.sport, 0x4242);
	CU_ASSERT_EQUAL(p.dport, 0x4242);
	k.type = 0;
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_DOWNLINK, &p), 0);
	CU_ASSERT_EQUAL(p.sport, 0x4242);
	k = (struct pk){.src = "2001:db8::1", .dst = "2001:db8::2", .proto = 58, .type = 128,
	                .sport = 7};
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.dport, 7);
	k.type = 135; /* neighbour solicitation: no identifier */
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.dport, 0);
	/* tunnels are protocols without ports */
	k = (struct pk){.src = "10.0.0.1", .dst = "10.0.0.2", .proto = 41, .text = "0123"};
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_EQUAL(p.proto, 41);
	CU_ASSERT_EQUAL(p.dport, 0);
	CU_ASSERT_EQUAL(p.hdr_len, 20);
}

static void icmp_errors(void)
{
	struct pk in = {.src = "10.0.0.1", .dst = "192.0.2.9", .proto = 17, .sport = 1111,
	                .dport = 53};
	struct pk k = {.src = "192.0.2.1", .dst = "10.0.0.1", .proto = 1, .type = 3, .code = 3};
	uint8_t inner[PK_CAP];
	struct ecs_packet p;

	k.data = inner;
	k.len = pk_build(&in, inner);
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_DOWNLINK, &p), 0);
	CU_ASSERT_TRUE(p.icmp_error);
	CU_ASSERT_EQUAL(p.proto, 1);
	CU_ASSERT_EQUAL(p.flow_proto, 17);
	CU_ASSERT_TRUE(addr_is(&p.src, "192.0.2.9"));
	CU_ASSERT_TRUE(addr_is(&p.dst, "10.0.0.1"));
	CU_ASSERT_EQUAL(p.sport, 53);
	CU_ASSERT_EQUAL(p.dport, 1111);
	/* what is quoted may be cut after 8 bytes of transport, and even after the ports */
	for (size_t n = 0; n <= 28; n++) {
		k.len = n;
		CU_ASSERT_EQUAL(parse_pk(&k, ECS_DOWNLINK, &p), 0);
		CU_ASSERT_EQUAL(p.icmp_error, n >= 24);
	}
	/* the packet quoted must be the subscriber's own */
	in.src = "10.0.0.2";
	k.len = pk_build(&in, inner);
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_DOWNLINK, &p), 0);
	CU_ASSERT_FALSE(p.icmp_error);
	/* nor does an echo count as an error, whatever it carries */
	in.src = "10.0.0.1";
	k.len = pk_build(&in, inner);
	k.type = 8;
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_DOWNLINK, &p), 0);
	CU_ASSERT_FALSE(p.icmp_error);
}

static void icmpv6_error_from_the_prefix(void)
{
	struct pk in = {.src = "2001:db8:9::9", .dst = "2001:db8:1::77", .proto = 6, .sport = 443,
	                .dport = 5555};
	struct pk k = {.src = "2001:db8:1::1", .dst = "2001:db8:9::9", .proto = 58, .type = 1};
	uint8_t inner[PK_CAP];
	struct ecs_packet p;

	k.data = inner;
	k.len = pk_build(&in, inner);
	/* a router behind the subscriber's /64 speaks of a packet to a host behind it */
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_TRUE(p.icmp_error);
	CU_ASSERT_TRUE(addr_is(&p.src, "2001:db8:1::77"));
	CU_ASSERT_EQUAL(p.sport, 5555);
	CU_ASSERT_EQUAL(p.flow_proto, 6);
	k.src = "2001:db8:2::1";
	CU_ASSERT_EQUAL(parse_pk(&k, ECS_UPLINK, &p), 0);
	CU_ASSERT_FALSE(p.icmp_error);
}

static void addresses(void)
{
	struct ecs_addr a;
	char s[46];

	CU_ASSERT_EQUAL(ecs_addr_parse("198.51.100.255", &a), 0);
	CU_ASSERT_TRUE(ecs_addr_is4(&a));
	CU_ASSERT_STRING_EQUAL(ecs_addr_text(&a, s, sizeof(s)), "198.51.100.255");
	CU_ASSERT_EQUAL(ecs_addr_parse("2001:db8::a:0:1", &a), 0);
	CU_ASSERT_FALSE(ecs_addr_is4(&a));
	CU_ASSERT_STRING_EQUAL(ecs_addr_text(&a, s, sizeof(s)), "2001:db8::a:0:1");
	CU_ASSERT_EQUAL(ecs_addr_parse("198.51.100.256", &a), SRP_EFORMAT);
	CU_ASSERT_EQUAL(ecs_addr_parse("", &a), SRP_EFORMAT);
	CU_ASSERT_EQUAL(ecs_addr_parse("2001:db8::1::2", &a), SRP_EFORMAT);
}

static void fragments_follow_their_first(void)
{
	struct ecs_frags *t = ecs_frags_new(7, NULL, NULL);
	struct srp_time now = {SRP_SEC(1000)};
	struct ecs_packet p = {.version = 4, .proto = 17, .frag_id = 5};
	uint32_t callid = 0, id = 0;

	CU_ASSERT_EQUAL(ecs_addr_parse("10.0.0.1", &p.src), 0);
	CU_ASSERT_EQUAL(ecs_addr_parse("10.0.0.2", &p.dst), 0);
	CU_ASSERT_FALSE(ecs_frags_find(t, &p, now, &callid, &id));
	ecs_frags_first(t, &p, 11, 22, now);
	CU_ASSERT_TRUE(ecs_frags_find(t, &p, now, &callid, &id));
	CU_ASSERT_EQUAL(callid, 11);
	CU_ASSERT_EQUAL(id, 22);
	now.us += SRP_SEC(ECS_FRAG_LIFE_S);
	CU_ASSERT_TRUE(ecs_frags_find(t, &p, now, &callid, &id));
	now.us++;
	CU_ASSERT_FALSE(ecs_frags_find(t, &p, now, &callid, &id));
	p.proto = 6;
	CU_ASSERT_FALSE(ecs_frags_find(t, &p, (struct srp_time){SRP_SEC(1000)}, &callid, &id));
	/* bounded: a flood of firsts only makes it forget */
	for (uint32_t i = 0; i < 20000; i++) {
		p.frag_id = i;
		ecs_frags_first(t, &p, 1, i, now);
		CU_ASSERT_FATAL(ecs_frags_find(t, &p, now, &callid, &id) && id == i);
	}
	ecs_frags_free(t);
}

CU_TestInfo ecs_packet_tests[] = {
	{"TCP of both families", tcp_of_both_families},
	{"cut at every byte", cut_at_every_byte},
	{"malformed", malformed},
	{"IPv6 extension headers: eight, and one more", ipv6_extensions},
	{"IPv6 fragments", ipv6_fragments},
	{"IPv4 fragments", ipv4_fragments},
	{"ICMP echo, other ICMP, tunnels", icmp_echo_and_others},
	{"ICMP errors name the flow they speak of", icmp_errors},
	{"ICMPv6 error from within the /64", icmpv6_error_from_the_prefix},
	{"addresses as text", addresses},
	{"later fragments follow their first", fragments_follow_their_first},
	CU_TEST_INFO_NULL,
};

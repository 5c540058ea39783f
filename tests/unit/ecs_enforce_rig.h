/* ecs_enforce_rig: a rulebase of actions, and packets that are changed on their way. */
#ifndef TESTS_UNIT_ECS_ENFORCE_RIG_H
#define TESTS_UNIT_ECS_ENFORCE_RIG_H

#include "ecs_rig.h"

#define OTHER  "192.0.2.99"
#define OTHER6 "2001:db8:9::99"
#define ROOM   4096u
#define ISN    0xfffffc00u /* so that it wraps */

static const char acting[] =
	"ruledef header\n http host = header.test\n#exit\n"
	"ruledef cut\n tcp either-port = 7001\n#exit\n"
	"ruledef leave\n udp either-port = 7002\n#exit\n"
	"ruledef moved\n tcp either-port = 7003\n#exit\n"
	"ruledef moved6\n tcp either-port = 7004\n#exit\n"
	"ruledef mark\n udp either-port = 7005\n#exit\n"
	"ruledef posted\n rule-application post-processing\n udp either-port = 7006\n#exit\n"
	"ruledef far\n rule-application post-processing\n http host = far.test\n#exit\n"
	"ruledef movedu\n udp either-port = 7007\n#exit\n"
	"ruledef any\n ip any-match = TRUE\n#exit\n"
	"xheader-format who\n insert X-A string-constant \"bcd\"\n#exit\n"
	"charging-action count\n content-id 1\n#exit\n"
	"charging-action head\n xheader-insert xheader-format who\n#exit\n"
	"charging-action cut\n flow action terminate-flow\n#exit\n"
	"charging-action leave\n flow action terminate-session\n#exit\n"
	"charging-action moved\n flow action readdress server " OTHER " port 9001\n#exit\n"
	"charging-action moved6\n flow action readdress server " OTHER6 "\n#exit\n"
	"charging-action mark\n ip tos af11 uplink\n ip tos lower-bits 5 downlink\n"
	" nexthop-forwarding-address 10.9.9.9\n#exit\n"
	"charging-action drop\n flow action discard\n#exit\n"
	"charging-action away\n flow action redirect-url http://p.test/\n#exit\n"
	"rulebase rb\n"
	" action priority 1 ruledef header charging-action head\n"
	" action priority 2 ruledef cut charging-action cut\n"
	" action priority 3 ruledef leave charging-action leave\n"
	" action priority 4 ruledef moved charging-action moved\n"
	" action priority 5 ruledef moved6 charging-action moved6\n"
	" action priority 6 ruledef mark charging-action mark\n"
	" action priority 7 ruledef movedu charging-action moved\n"
	" action priority 90 ruledef any charging-action count\n"
	" post-processing priority 1 ruledef posted charging-action drop\n"
	" post-processing priority 2 ruledef far charging-action drop\n"
	" flow control-handshaking charge-to-application mid-session-packets tear-down-packets\n"
	"#exit\n";

/* A packet on its way, with room behind it. */
struct box {
	uint8_t b[ROOM];
	struct ecs_raw r;
	struct ecs_packet p; /* as it came out */
	enum ecs_verdict v;
};

static unsigned nsent;

static inline void on_send(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir)
{
	(void)owner, (void)pkt, (void)len, (void)dir;
	nsent++;
}

static const struct ecs_engine_ops sending = {
	.session_up = on_up, .session_down = on_down, .send = on_send};

static inline void start(struct rig *r)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, acting, 0);
	r->e->conf.ops = &sending;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	nsent = 0;
}

/* --- checksums, computed anew -------------------------------------------------------------------- */

static inline uint16_t sum16(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static inline uint16_t pseudo(const uint8_t *b, size_t l4, size_t n, uint8_t proto)
{
	bool v4 = b[0] >> 4 == 4;

	(void)l4;
	return sum16(b + (v4 ? 12 : 8), v4 ? 8 : 32, (uint32_t)n + proto);
}

static inline size_t sum_at(uint8_t proto)
{
	return proto == 6 ? 16 : proto == 17 ? 6 : 2;
}

static inline void seal(uint8_t *b, size_t n, bool partial)
{
	struct ecs_packet p;
	uint16_t s;

	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(b, n, ECS_UPLINK, &p), 0);
	if (p.version == 4) {
		pk16(b + 10, 0);
		pk16(b + 10, (uint16_t)~sum16(b, 20, 0));
	}
	pk16(b + p.l4 + sum_at(p.proto), 0);
	s = p.proto == 1 ? 0 : pseudo(b, p.l4, n - p.l4, p.proto);
	pk16(b + p.l4 + sum_at(p.proto), partial ? s : (uint16_t)~sum16(b + p.l4, n - p.l4, s));
}

static inline bool sealed(const uint8_t *b, size_t n, bool partial)
{
	struct ecs_packet p;
	const uint8_t *f;

	if (ecs_packet_parse(b, n, ECS_UPLINK, &p) != 0 || p.len != n)
		return false;
	if (p.version == 4 && sum16(b, 20, 0) != 0xffff)
		return false;
	f = b + p.l4 + sum_at(p.proto);
	if (partial)
		return (f[0] << 8 | f[1]) == pseudo(b, p.l4, n - p.l4, p.proto);
	return sum16(b + p.l4, n - p.l4,
	             p.proto == 1 ? 0 : pseudo(b, p.l4, n - p.l4, p.proto)) == 0xffff;
}

static inline void send_on(struct rig *r, struct box *x, const struct pk *k, enum ecs_dir dir, bool partial)
{
	size_t n = pk_build(k, x->b);

	seal(x->b, n, partial);
	x->r = (struct ecs_raw){.ip = x->b, .len = n, .room = ROOM, .partial = partial};
	x->v = ecs_engine_forward(r->e, &x->r, dir, r->now);
	if (x->v == ECS_FORWARD) {
		CU_ASSERT_TRUE(sealed(x->b, x->r.len, x->r.partial));
		CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(x->b, x->r.len, dir, &x->p), 0);
	}
}

static inline struct pk packet(bool up, uint8_t proto, uint16_t port, uint8_t flags, const char *text)
{
	return (struct pk){.src = up ? UE : SERVER, .dst = up ? SERVER : UE, .proto = proto,
	                   .sport = up ? 2000 : port, .dport = up ? port : 2000, .flags = flags,
	                   .seq = 1000, .ack = 5000, .text = text};
}

static inline void shake_hands(struct rig *r)
{
	struct pk k = packet(true, 6, 80, SYN, NULL);
	struct box x;

	k.seq = ISN;
	send_on(r, &x, &k, ECS_UPLINK, false);
	k = packet(false, 6, 80, SYN | ACK, NULL);
	k.seq = 0;
	k.ack = ISN + 1;
	send_on(r, &x, &k, ECS_DOWNLINK, false);
}

#endif

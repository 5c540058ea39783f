/* ecs_redirect_rig: a rulebase that redirects, and what the engine sends for it. */
#ifndef TESTS_UNIT_ECS_REDIRECT_RIG_H
#define TESTS_UNIT_ECS_REDIRECT_RIG_H

#include "ecs_rig.h"

#define PORTAL "http://portal.example/top-up?from=here&x=1"

static const char redirecting[] =
	"ruledef portal\n http host = portal.example\n#exit\n"
	"ruledef video\n http host ends-with video.example\n#exit\n"
	"ruledef shop\n tcp either-port = 8080\n#exit\n"
	"ruledef tcp-any\n tcp any-match = TRUE\n#exit\n"
	"ruledef udp-any\n udp any-match = TRUE\n#exit\n"
	"charging-action ca-free\n content-id 1\n#exit\n"
	"charging-action ca-to\n content-id 2\n flow action redirect-url \"" PORTAL "\"\n#exit\n"
	"rulebase rb\n"
	" action priority 10 ruledef portal charging-action ca-free\n"
	" action priority 20 ruledef video charging-action ca-to\n"
	" action priority 30 ruledef shop charging-action ca-to\n"
	" action priority 40 ruledef udp-any charging-action ca-to\n"
	" action priority 80 ruledef tcp-any charging-action ca-free\n#exit\n";

#define ANSWER "HTTP/1.1 302 Found\r\nLocation: " PORTAL "\r\nContent-Length: 0\r\n" \
	       "Connection: close\r\n\r\n"

struct seen {
	uint8_t b[1500];
	size_t len;
	enum ecs_dir dir;
};

/* What the engine has sent since it was looked at last. */
static struct seen sent[8];
static unsigned nsent;

static inline void on_send(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir)
{
	struct seen *s = &sent[nsent++ % 8];

	(void)owner;
	CU_ASSERT_FATAL(len <= sizeof(s->b));
	memcpy(s->b, pkt, len);
	s->len = len;
	s->dir = dir;
}

static const struct ecs_engine_ops sending = {
	.session_up = on_up, .session_down = on_down, .send = on_send};

static inline void start_active(struct rig *r, const char *v4, const char *v6)
{
	struct ecs_session_spec sp = spec_of(1, v4, v6);

	setup(r, redirecting, 0);
	r->e->conf.ops = &sending;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	nsent = 0;
}

static inline void start(struct rig *r)
{
	start_active(r, UE, UE6);
}

/* Says something with an acknowledgement of what the other end has sent. */
static inline enum ecs_verdict tell_n(struct conn *c, enum ecs_dir dir, uint8_t flags, const void *data,
                               size_t len)
{
	bool up = dir == ECS_UPLINK;
	const char *ue = c->v6 ? UE6 : UE, *server = c->v6 ? SERVER6 : SERVER;
	struct pk k = {.src = up ? ue : server, .dst = up ? server : ue, .proto = c->proto,
	               .sport = up ? c->sport : c->dport, .dport = up ? c->dport : c->sport,
	               .flags = flags, .seq = up ? c->up : c->down, .ack = up ? c->down : c->up,
	               .data = data, .len = len};

	*(up ? &c->up : &c->down) += (uint32_t)len + (flags & (SYN | FIN) ? 1 : 0);
	return put(c->r, &k, dir, 0);
}

static inline enum ecs_verdict tell(struct conn *c, enum ecs_dir dir, uint8_t flags, const char *text)
{
	return tell_n(c, dir, flags, text, text ? strlen(text) : 0);
}

static inline struct ecs_session_debug debug(const struct rig *r)
{
	struct ecs_session_debug d;

	ecs_session_debug(r->e, r->s, &d, r->now);
	return d;
}

#define COUNTS(r, cur, add, del, rev, ref)                                                     \
	do {                                                                                   \
		struct ecs_call_redirect c_ = debug(r).redirect;                               \
		CU_ASSERT_EQUAL(c_.current, cur);                                              \
		CU_ASSERT_EQUAL(c_.added, add);                                                \
		CU_ASSERT_EQUAL(c_.deleted, del);                                              \
		CU_ASSERT_EQUAL(c_.revoked, rev);                                              \
		CU_ASSERT_EQUAL(c_.refused, ref);                                              \
	} while (0)

static inline unsigned csum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* A packet that was sent: whole, its checksums right, a segment of this connection. */
static inline struct ecs_packet segment(const struct conn *c, unsigned i, enum ecs_dir dir)
{
	const struct seen *s = &sent[i];
	size_t h = c->v6 ? 40 : 20, n = s->len - h;
	struct ecs_packet p = {0};

	CU_ASSERT_FATAL(nsent > i);
	CU_ASSERT_EQUAL(s->dir, dir);
	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(s->b, s->len, dir, &p), 0);
	CU_ASSERT_EQUAL(p.len, s->len);
	CU_ASSERT_EQUAL(p.sport, dir == ECS_UPLINK ? c->sport : c->dport);
	CU_ASSERT_EQUAL(p.dport, dir == ECS_UPLINK ? c->dport : c->sport);
	if (!c->v6)
		CU_ASSERT_EQUAL(csum(s->b, 20, 0), 0xffff);
	CU_ASSERT_EQUAL(csum(s->b + h, n, csum(s->b + (c->v6 ? 8 : 12), c->v6 ? 32 : 8,
	                                       6 + (uint32_t)n)), 0xffff);
	return p;
}

static inline bool is_answer(const struct conn *c, unsigned i, uint32_t seq, uint32_t ack)
{
	struct ecs_packet p = segment(c, i, ECS_DOWNLINK);

	return p.tcp_flags == (ECS_TCP_PSH | ACK | FIN) && p.tcp_seq == seq && p.tcp_ack == ack &&
	       p.payload_len == strlen(ANSWER) && memcmp(p.payload, ANSWER, p.payload_len) == 0;
}

static inline bool is_reset(const struct conn *c, unsigned i, uint32_t seq, uint32_t ack)
{
	struct ecs_packet p = segment(c, i, ECS_UPLINK);

	return p.tcp_flags == (RST | ACK) && p.tcp_seq == seq && p.tcp_ack == ack &&
	       p.payload_len == 0;
}

static inline bool is_ack(const struct conn *c, unsigned i, uint32_t seq, uint32_t ack)
{
	struct ecs_packet p = segment(c, i, ECS_DOWNLINK);

	return p.tcp_flags == ACK && p.tcp_seq == seq && p.tcp_ack == ack && p.payload_len == 0;
}

static inline void open_up(struct conn *c)
{
	CU_ASSERT_EQUAL(tell(c, ECS_UPLINK, SYN, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(c, ECS_DOWNLINK, SYN | ACK, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(c, ECS_UPLINK, ACK, NULL), ECS_FORWARD);
}

#endif

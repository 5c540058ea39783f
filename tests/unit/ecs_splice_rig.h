/* ecs_splice_rig: a subscriber, the server that it named and another one, at the level of packets: what
 * the engine forwards, makes and releases. */
#ifndef TESTS_UNIT_ECS_SPLICE_RIG_H
#define TESTS_UNIT_ECS_SPLICE_RIG_H

#include "ecs_enforce_rig.h"
#include "ecs/enforce.h"
#include "ecs/splice.h"

#define ECE      0x40u
#define CWR      0x80u
#define SHOP     "GET /a HTTP/1.1\r\nHost: shop.test\r\n\r\n"
#define ELSEWHERE "GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n"
#define SUB_ISN  0xfffffff0u /* wraps within the request */
#define FIRST_ISN 0xffffff00u
#define OTHER_ISN 0x7ffffff0u
#define SUB_TIME 0xfffffffau
#define FIRST_TIME 5000u
#define OTHER_TIME 0xfffffff0u

static const char splicing[] =
	"ruledef shop\n http host = shop.test\n#exit\n"
	"ruledef shop6\n http host = shop6.test\n#exit\n"
	"ruledef both\n http host = both.test\n#exit\n"
	"ruledef end\n http uri = /end\n#exit\n"
	"ruledef away\n http uri = /away\n#exit\n"
	"ruledef port\n tcp either-port = 8080\n#exit\n"
	"ruledef any\n ip any-match = TRUE\n#exit\n"
	"xheader-format who\n insert X-A string-constant \"bcd\"\n#exit\n"
	"charging-action count\n content-id 1\n#exit\n"
	"charging-action end\n flow action terminate-flow\n#exit\n"
	"charging-action away\n flow action redirect-url http://p.test/\n#exit\n"
	"charging-action moved\n content-id 2\n flow action url-readdress server " OTHER " port 9001\n#exit\n"
	"charging-action moved6\n flow action url-readdress server " OTHER6 "\n#exit\n"
	"charging-action both\n flow action url-readdress server " OTHER " port 9001\n"
	" xheader-insert xheader-format who\n#exit\n"
	"rulebase rb\n"
	" action priority 1 ruledef port charging-action moved\n"
	" action priority 2 ruledef end charging-action end\n"
	" action priority 6 ruledef away charging-action away\n"
	" action priority 3 ruledef shop charging-action moved\n"
	" action priority 4 ruledef shop6 charging-action moved6\n"
	" action priority 5 ruledef both charging-action both\n"
	" action priority 90 ruledef any charging-action count\n"
	" flow control-handshaking charge-to-application mid-session-packets tear-down-packets\n"
	"#exit\n";

/* What an end offers in its SYN, or in its answer. */
struct offer {
	unsigned mss;
	int scale; /* -1: none */
	bool sack, stamped, ecn, odd;
};

#define ALL ((struct offer){1460, 7, true, true, false, false})

enum who { SUB, FIRST, OTHERS };

/* A segment of one of the three. */
struct seg {
	uint8_t flags;
	uint32_t seq, ack;
	unsigned window;
	uint8_t opt[40];
	size_t nopt;
	const void *data;
	size_t len;
};

/* A packet that came out, read. */
struct out {
	uint8_t b[8192];
	size_t len;
	enum ecs_dir dir;
	struct ecs_packet p;
	struct ecs_splice_tcp t;
};

#define OUTS 64u
static struct {
	struct out made[OUTS], released[OUTS];
	unsigned nmade, nreleased;
} world;

static inline void keep_out(struct out *o, const uint8_t *b, size_t len, enum ecs_dir dir, bool partial)
{
	CU_ASSERT_FATAL(len <= sizeof(o->b));
	memcpy(o->b, b, len);
	o->len = len;
	o->dir = dir;
	CU_ASSERT_TRUE(sealed(b, len, partial));
	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(o->b, len, dir, &o->p), 0);
	CU_ASSERT_TRUE(ecs_splice_read(&o->p, &o->t));
}

static inline void on_make(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir)
{
	(void)owner;
	CU_ASSERT_FATAL(world.nmade < OUTS);
	keep_out(&world.made[world.nmade++], pkt, len, dir, false);
}

static inline void on_let(void *owner, struct ecs_raw *r, enum ecs_dir dir)
{
	(void)owner;
	CU_ASSERT_FATAL(world.nreleased < OUTS);
	keep_out(&world.released[world.nreleased++], r->ip, r->len, dir, r->partial);
}

static const struct ecs_engine_ops splice_ops = {.session_up = on_up, .session_down = on_down,
	.send = on_make, .release = on_let};

/* A connection of the subscriber. */
struct link {
	struct rig *r;
	bool six;
	uint16_t sport, dport;
	const char *other; /* address and port that it comes to */
	uint16_t oport;
	struct offer sub, first, others;
	uint32_t isn;
};

static inline void start_splicing(struct rig *r)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, splicing, 0);
	r->e->conf.ops = &splice_ops;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	memset(&world, 0, sizeof(world));
}

static inline struct link link_of(struct rig *r, uint16_t sport)
{
	return (struct link){.r = r, .sport = sport, .dport = 80, .other = OTHER, .oport = 9001,
	                     .sub = ALL, .first = ALL, .others = ALL, .isn = SUB_ISN};
}

static inline size_t options_of(const struct offer *o, uint32_t stamp, uint32_t echo, uint8_t *b)
{
	size_t n = 0;

	if (o->mss) {
		b[n] = 2, b[n + 1] = 4;
		pk16(b + n + 2, o->mss);
		n += 4;
	}
	if (o->scale >= 0) /* at an odd place */
		b[n] = 3, b[n + 1] = 3, b[n + 2] = (uint8_t)o->scale, n += 3;
	if (o->sack)
		b[n] = 4, b[n + 1] = 2, n += 2;
	if (o->stamped) {
		b[n] = 8, b[n + 1] = 10;
		pk32(b + n + 2, stamp);
		pk32(b + n + 6, echo);
		n += 10;
	}
	if (o->odd)
		b[n] = 30, b[n + 1] = 4, b[n + 2] = b[n + 3] = 0, n += 4;
	while (n % 4)
		b[n++] = 1;
	return n;
}

/* Puts a segment on its way; x->v and x->p say what became of it. */
static inline void put_seg(struct link *l, enum who who, const struct seg *g, struct box *x, bool partial)
{
	const char *server = who == OTHERS ? l->other : l->six ? SERVER6 : SERVER;
	uint16_t sport = who == OTHERS ? l->oport : l->dport;
	const char *ue = l->six ? UE6 : UE;
	bool up = who == SUB;
	uint8_t text[2000];
	struct pk k = {.src = up ? ue : server, .dst = up ? server : ue, .proto = 6,
	               .sport = up ? l->sport : sport, .dport = up ? sport : l->sport, .flags = g->flags,
	               .seq = g->seq, .ack = g->ack, .data = text, .len = g->nopt + g->len};
	size_t n, l4 = l->six ? 40 : 20;

	memcpy(text, g->opt, g->nopt);
	if (g->len)
		memcpy(text + g->nopt, g->data, g->len);
	n = pk_build(&k, x->b);
	x->b[l4 + 12] = (uint8_t)((5 + g->nopt / 4) << 4);
	pk16(x->b + l4 + 14, g->window);
	seal(x->b, n, partial);
	x->r = (struct ecs_raw){.ip = x->b, .len = n, .room = ROOM, .partial = partial};
	x->v = ecs_engine_forward(l->r->e, &x->r, up ? ECS_UPLINK : ECS_DOWNLINK, l->r->now);
	if (x->v == ECS_FORWARD) {
		CU_ASSERT_TRUE(sealed(x->b, x->r.len, x->r.partial));
		CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(x->b, x->r.len, up ? ECS_UPLINK : ECS_DOWNLINK, &x->p), 0);
	}
}

static inline struct seg seg_of(uint8_t flags, uint32_t seq, uint32_t ack, const char *text)
{
	return (struct seg){.flags = flags, .seq = seq, .ack = ack, .window = 1000, .data = text,
	                    .len = text ? strlen(text) : 0};
}

static inline enum ecs_verdict say_as(struct link *l, enum who who, struct seg g)
{
	struct box x;

	put_seg(l, who, &g, &x, false);
	return x.v;
}

/* Whether the connection stamps, as both its ends have agreed. */
static inline bool stamps(const struct link *l)
{
	return l->sub.stamped && l->first.stamped;
}

static inline struct seg stamped_seg(const struct link *l, struct seg g, uint32_t stamp, uint32_t echo)
{
	struct offer o = {.scale = -1, .stamped = stamps(l)};

	g.nopt = options_of(&o, stamp, echo, g.opt);
	return g;
}

static inline void greet(struct link *l)
{
	struct seg g = seg_of(SYN | (l->sub.ecn ? ECE | CWR : 0), l->isn, 0, NULL);
	struct offer o = l->first;

	g.nopt = options_of(&l->sub, SUB_TIME, 0, g.opt);
	CU_ASSERT_EQUAL(say_as(l, SUB, g), ECS_FORWARD);
	g = seg_of(SYN | ACK | (l->first.ecn && l->sub.ecn ? ECE : 0), FIRST_ISN, l->isn + 1, NULL);
	o.sack &= l->sub.sack;
	o.stamped &= l->sub.stamped;
	o.scale = l->sub.scale < 0 ? -1 : o.scale;
	g.nopt = options_of(&o, FIRST_TIME, SUB_TIME, g.opt);
	CU_ASSERT_EQUAL(say_as(l, FIRST, g), ECS_FORWARD);
	g = stamped_seg(l, seg_of(ACK, l->isn + 1, FIRST_ISN + 1, NULL), SUB_TIME + 1, FIRST_TIME);
	CU_ASSERT_EQUAL(say_as(l, SUB, g), ECS_FORWARD);
	world.nmade = world.nreleased = 0;
}

/* Bytes of the subscriber from @p at on. */
static inline enum ecs_verdict ask(struct link *l, uint32_t at, const char *text)
{
	struct seg g = seg_of(ACK, l->isn + 1 + at, FIRST_ISN + 1, text);

	return say_as(l, SUB, stamped_seg(l, g, SUB_TIME + 2, FIRST_TIME));
}

/* The other server's answer to the SYN, of what it was offered. */
static inline enum ecs_verdict agree(struct link *l)
{
	struct seg g = seg_of(SYN | ACK | (l->others.ecn ? ECE : 0), OTHER_ISN, l->isn + 1, NULL);

	g.nopt = options_of(&l->others, OTHER_TIME, SUB_TIME + 2, g.opt);
	return say_as(l, OTHERS, g);
}

static inline struct ecs_splice *splice_of(const struct link *l)
{
	struct conn c = {.r = l->r, .proto = 6, .sport = l->sport, .dport = l->dport, .v6 = l->six};
	const struct ecs_flow *f = flow_of(&c);

	return f && f->more ? f->more->splice : NULL;
}

static inline bool goes_to(const struct out *o, const char *server, uint16_t port)
{
	struct ecs_addr a = addr(server);

	return o->dir == ECS_UPLINK && memcmp(&o->p.dst, &a, sizeof(a)) == 0 && o->p.dport == port;
}

/* A connection with the other server. */
static inline void join(struct link *l, const char *request)
{
	greet(l);
	CU_ASSERT_EQUAL(ask(l, 0, request), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(world.nmade, 1);
	CU_ASSERT_EQUAL(agree(l), ECS_DROP);
	CU_ASSERT_PTR_NOT_NULL_FATAL(splice_of(l));
	CU_ASSERT_EQUAL(splice_of(l)->phase, ECS_SPLICE_JOINED);
}

#endif

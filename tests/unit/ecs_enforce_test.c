/* Stages of a packet after its verdict: what is changed in it, with its checksums; inserted bytes. */
#include "config.h"
#include "suites.h"

#include "ecs/enforce.h"
#include "ecs/rewrite.h"
#include "ecs_rig.h"

#define OTHER  "192.0.2.99"
#define OTHER6 "2001:db8:9::99"
#define ROOM   4096u

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

static void on_send(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir)
{
	(void)owner, (void)pkt, (void)len, (void)dir;
	nsent++;
}

static const struct ecs_engine_ops sending = {
	.session_up = on_up, .session_down = on_down, .send = on_send};

static void start(struct rig *r)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, acting, 0);
	r->e->conf.ops = &sending;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	nsent = 0;
}

/* --- checksums, computed anew -------------------------------------------------------------------- */

static uint16_t sum16(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static uint16_t pseudo(const uint8_t *b, size_t l4, size_t n, uint8_t proto)
{
	bool v4 = b[0] >> 4 == 4;

	(void)l4;
	return sum16(b + (v4 ? 12 : 8), v4 ? 8 : 32, (uint32_t)n + proto);
}

static size_t sum_at(uint8_t proto)
{
	return proto == 6 ? 16 : proto == 17 ? 6 : 2;
}

static void seal(uint8_t *b, size_t n, bool partial)
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

static bool sealed(const uint8_t *b, size_t n, bool partial)
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

static void send_on(struct rig *r, struct box *x, const struct pk *k, enum ecs_dir dir, bool partial)
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

static void test_rewrite(void)
{
	static const uint8_t protos[] = {6, 17, 1};
	unsigned seed = 7;

	for (unsigned i = 0; i < 600; i++) {
		bool v4 = i & 1, partial = i & 2, dst = i & 4;
		uint8_t proto = protos[i / 8 % 3], data[40], b[PK_CAP];
		struct pk k = {.src = v4 ? UE : UE6, .dst = v4 ? SERVER : SERVER6, .sport = 1000,
		               .proto = proto == 1 && !v4 ? 58 : proto, .dport = 80, .type = 8, .data = data,
		               .len = i % 40};
		struct ecs_addr to = addr(v4 ? OTHER : OTHER6);
		struct ecs_packet p, q;
		struct ecs_raw r;
		size_t n;

		if (proto == 1 && !v4)
			k.type = 128;
		partial = partial && proto != 1;
		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		n = pk_build(&k, b);
		seal(b, n, partial);
		CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(b, n, ECS_UPLINK, &p), 0);
		r = (struct ecs_raw){.ip = b, .len = n, .room = sizeof(b), .partial = partial};
		ecs_rewrite_tos(&r, &p, (uint8_t)i);
		CU_ASSERT_TRUE(sealed(b, n, partial));
		ecs_rewrite_end(&r, &p, dst ? ECS_REWRITE_DST : ECS_REWRITE_SRC, &to, 4242);
		CU_ASSERT_TRUE(sealed(b, n, partial));
		CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(b, n, ECS_UPLINK, &q), 0);
		CU_ASSERT_EQUAL(q.tos, (uint8_t)i);
		CU_ASSERT_EQUAL(memcmp(dst ? &q.dst : &q.src, &to, sizeof(to)), 0);
		CU_ASSERT_EQUAL(memcmp(dst ? &q.src : &q.dst, dst ? &p.src : &p.dst, sizeof(to)), 0);
		if (proto != 1) {
			CU_ASSERT_EQUAL(dst ? q.dport : q.sport, 4242);
			CU_ASSERT_EQUAL(dst ? q.sport : q.dport, dst ? p.sport : p.dport);
		}
		CU_ASSERT_EQUAL(memcmp(b + p.hdr_len, data, k.len), 0);
	}
}

/* UDP without a checksum stays without. */
static void test_no_sum(void)
{
	struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 1, .dport = 2, .text = "x"};
	struct ecs_addr to = addr(OTHER);
	struct ecs_packet p;
	struct ecs_raw r;
	uint8_t b[PK_CAP];
	size_t n = pk_build(&k, b);

	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(b, n, ECS_UPLINK, &p), 0);
	r = (struct ecs_raw){.ip = b, .len = n, .room = sizeof(b)};
	ecs_rewrite_end(&r, &p, ECS_REWRITE_DST, &to, 9);
	CU_ASSERT_EQUAL(b[26] << 8 | b[27], 0);
}

static void test_insert(void)
{
	static uint8_t b[70000], data[1400];
	struct pk k = {.src = UE6, .dst = SERVER6, .proto = 6, .sport = 1, .dport = 2, .data = data,
	               .len = 5, .flags = ACK};
	struct ecs_packet p;
	struct ecs_raw r;
	size_t n = pk_build(&k, b);

	seal(b, n, false);
	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(b, n, ECS_UPLINK, &p), 0);
	r = (struct ecs_raw){.ip = b, .len = n, .room = n + 2};
	CU_ASSERT_EQUAL(ecs_rewrite_insert(&r, &p, 2, (const uint8_t *)"abc", 3), SRP_EFULL);
	CU_ASSERT_EQUAL(r.len, n);
	CU_ASSERT_TRUE(sealed(b, n, false));
	r.room = n + 3;
	CU_ASSERT_EQUAL(ecs_rewrite_insert(&r, &p, 2, (const uint8_t *)"abc", 3), 0);
	CU_ASSERT_EQUAL(r.len, n + 3);
	CU_ASSERT_TRUE(sealed(b, n + 3, false));
	CU_ASSERT_EQUAL(memcmp(b + p.hdr_len, "\0\0abc\0\0\0", 8), 0);
	CU_ASSERT_FALSE(r.remade);
	/* too long then for one packet: in segments as long as it was */
	k.len = sizeof(data) - 20;
	k.src = UE;
	k.dst = SERVER;
	n = pk_build(&k, b);
	seal(b, n, false);
	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(b, n, ECS_UPLINK, &p), 0);
	r = (struct ecs_raw){.ip = b, .len = n, .room = sizeof(b)};
	CU_ASSERT_EQUAL(ecs_rewrite_insert(&r, &p, 0, (const uint8_t *)"abc", 3), 0);
	CU_ASSERT_TRUE(r.remade && r.partial);
	CU_ASSERT_EQUAL(r.gso_size, k.len);
	CU_ASSERT_EQUAL(r.l4, 20);
	CU_ASSERT_EQUAL(r.hdr_len, 40);
	CU_ASSERT_TRUE(sealed(b, r.len, true));
	/* a fragment has no place for it */
	k.frag = 0x2000;
	n = pk_build(&k, b);
	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(b, n, ECS_UPLINK, &p), 0);
	r = (struct ecs_raw){.ip = b, .len = n, .room = sizeof(b)};
	CU_ASSERT_EQUAL(ecs_rewrite_insert(&r, &p, 0, (const uint8_t *)"abc", 3), SRP_EFULL);
}

/* --- actions ------------------------------------------------------------------------------------- */

static struct pk packet(bool up, uint8_t proto, uint16_t port, uint8_t flags, const char *text)
{
	return (struct pk){.src = up ? UE : SERVER, .dst = up ? SERVER : UE, .proto = proto,
	                   .sport = up ? 2000 : port, .dport = up ? port : 2000, .flags = flags,
	                   .seq = 1000, .ack = 5000, .text = text};
}

static void test_mark(void)
{
	struct rig r;
	struct box x;
	struct pk up = packet(true, 17, 7005, 0, "u"), down = packet(false, 17, 7005, 0, "d");
	struct ecs_addr hop = addr("10.9.9.9");

	start(&r);
	send_on(&r, &x, &up, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(x.p.tos, 10 << 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(x.r.nexthop);
	CU_ASSERT_EQUAL(memcmp(x.r.nexthop, &hop, sizeof(hop)), 0);
	send_on(&r, &x, &down, ECS_DOWNLINK, true);
	CU_ASSERT_EQUAL(x.p.tos, 5);
	CU_ASSERT_PTR_NULL(x.r.nexthop);
	up.src = UE6;
	up.dst = SERVER6;
	send_on(&r, &x, &up, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.p.tos, 10 << 2);
	CU_ASSERT_PTR_NULL(x.r.nexthop); /* of another family */
	CU_ASSERT_EQUAL(r.c.packets_marked, 3);
	CU_ASSERT_EQUAL(r.c.packets_nexthop, 1);
	up = packet(true, 17, 7006, 0, "post");
	send_on(&r, &x, &up, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_post, 1);
	up = packet(true, 17, 7008, 0, "none");
	send_on(&r, &x, &up, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_FORWARD);
	end(&r);
}

static void test_terminate(void)
{
	struct rig r;
	struct box x;
	struct pk k = packet(true, 6, 7001, SYN, NULL);

	start(&r);
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 1); /* the server has not heard of it */
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	k = packet(true, 6, 7001, ACK, "middle");
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(nsent, 3);
	CU_ASSERT_EQUAL(r.c.flows_terminated, 2);
	k = packet(true, 6, 7001, RST, NULL);
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(nsent, 3);
	k = packet(true, 17, 7002, 0, "bye");
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_DROP);
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), 0);
	CU_ASSERT_EQUAL(r.downs, 1);
	CU_ASSERT_EQUAL(r.why, ECS_END_ACTION);
	CU_ASSERT_EQUAL(r.told[240], 1);
	CU_ASSERT_EQUAL(r.c.sessions_terminated, 1);
	end(&r);
}

static void test_readdress(void)
{
	struct rig r;
	struct box x;
	struct pk k = packet(true, 6, 7003, SYN, NULL), back;
	struct ecs_addr other = addr(OTHER), server = addr(SERVER);

	start(&r);
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(memcmp(&x.p.dst, &other, sizeof(other)), 0);
	CU_ASSERT_EQUAL(x.p.dport, 9001);
	back = (struct pk){.src = OTHER, .dst = UE, .proto = 6, .sport = 9001, .dport = 2000,
	                   .flags = SYN | ACK, .seq = 1, .ack = 1001};
	send_on(&r, &x, &back, ECS_DOWNLINK, true);
	CU_ASSERT_EQUAL(memcmp(&x.p.src, &server, sizeof(server)), 0);
	CU_ASSERT_EQUAL(x.p.sport, 7003);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	/* a later fragment has no ports */
	/* of another family: as it came */
	k = packet(true, 6, 7004, SYN, NULL);
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(memcmp(&x.p.dst, &server, sizeof(server)), 0);
	/* not from the middle */
	k = packet(true, 6, 7003, ACK, "x");
	k.sport = 2001;
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(memcmp(&x.p.dst, &server, sizeof(server)), 0);
	/* two flows of one port cannot go to one place */
	k = packet(true, 17, 7007, 0, "one");
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.p.dport, 9001);
	k.dst = "192.0.2.81";
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.p.dport, 7007);
	CU_ASSERT_EQUAL(r.c.readdress_refused, 1);
	/* taken over: as the subscriber named it */
	k = packet(true, 6, 7003, ACK, "x");
	ecs_engine_active(r.e, false, r.now);
	ecs_engine_active(r.e, true, r.now);
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(x.p.dport, 7003);
	end(&r);
}

/* What an ICMP error quotes is shown as the subscriber knows it. */
static void test_readdress_error(void)
{
	struct rig r;
	struct box x;
	struct pk k = packet(true, 17, 7007, 0, "to the other"), e;
	uint8_t quoted[64];
	struct ecs_addr server = addr(SERVER);
	size_t n;

	start(&r);
	send_on(&r, &x, &k, ECS_UPLINK, false);
	n = x.r.len < 48 ? x.r.len : 48;
	memcpy(quoted, x.b, n);
	e = (struct pk){.src = OTHER, .dst = UE, .proto = 1, .type = 3, .code = 3, .data = quoted,
	                .len = n};
	send_on(&r, &x, &e, ECS_DOWNLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(memcmp(x.b + 12, server.b + 12, 4), 0);
	CU_ASSERT_EQUAL(memcmp(x.b + 28 + 16, server.b + 12, 4), 0);
	CU_ASSERT_EQUAL(x.b[28 + 22] << 8 | x.b[28 + 23], 7007);
	CU_ASSERT_EQUAL(sum16(x.b + 28, 20, 0), 0xffff);
	CU_ASSERT_EQUAL(r.c.icmp_errors, 1);
	end(&r);
}

/* --- bytes inserted ------------------------------------------------------------------------------ */

#define STREAM  4096u
#define ISN     0xfffffc00u /* so that it wraps */
#define HEAD    "GET /%u HTTP/1.1\r\nHost: header.test\r\n"
#define FIELD   "X-A: bcd\r\n"

/* A subscriber, and a server that checks that each byte is the same whenever it comes. */
struct ends {
	struct rig *r;
	uint8_t out[STREAM], want[STREAM * 2], got[STREAM * 2];
	bool have[STREAM * 2];
	size_t n, nwant;      /* bytes of the subscriber; of them with what is inserted */
	size_t end[8];        /* of the requests, as the subscriber counts */
	unsigned nreq;
	size_t sent, acked;   /* by the subscriber; as it was told */
	size_t next;          /* of the server */
	unsigned seed;
};

static unsigned dice(struct ends *t, unsigned n)
{
	t->seed = t->seed * 1103515245 + 12345;
	return (t->seed >> 16) % n;
}

static void compose(struct ends *t)
{
	for (unsigned i = 0; i < 6; i++) {
		char text[600];
		int n = snprintf(text, sizeof(text), HEAD, i);

		for (unsigned k = dice(t, 300); k > 0 && n < 500; k--)
			text[n++] = 'p';
		if (text[n - 1] != '\n')
			n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
		memcpy(t->out + t->n, text, (size_t)n);
		memcpy(t->want + t->nwant, text, (size_t)n);
		t->n += (size_t)n;
		t->nwant += (size_t)n;
		memcpy(t->want + t->nwant, FIELD, strlen(FIELD));
		t->nwant += strlen(FIELD);
		memcpy(t->out + t->n, "\r\n", 2);
		memcpy(t->want + t->nwant, "\r\n", 2);
		t->n += 2;
		t->nwant += 2;
		t->end[t->nreq++] = t->n;
	}
}

/* Sends [from, to) of the stream; the server may miss it, or a part of it. */
static void segment(struct ends *t, size_t from, size_t to, bool lost)
{
	struct pk k = packet(true, 6, 80, ACK, NULL);
	size_t at, n;
	struct box x;

	k.data = t->out + from;
	k.len = to - from;
	k.seq = ISN + 1 + (uint32_t)from;
	k.ack = 1;
	send_on(t->r, &x, &k, ECS_UPLINK, dice(t, 2));
	CU_ASSERT_EQUAL_FATAL(x.v, ECS_FORWARD);
	if (to > t->sent)
		t->sent = to;
	if (lost)
		return;
	at = x.p.tcp_seq - (ISN + 1);
	n = x.p.payload_len;
	CU_ASSERT_FATAL(at + n <= t->nwant || (int32_t)(x.p.tcp_seq - (ISN + 1)) < 0);
	for (size_t i = dice(t, 4) ? 0 : n / 2; i < n; i++) {
		/* what the server has had is not looked at */
		if (at + i >= t->next && at + i < t->nwant) {
			CU_ASSERT_EQUAL(x.p.payload[i], t->want[at + i]);
			t->got[at + i] = x.p.payload[i];
			t->have[at + i] = true;
		}
	}
	while (t->next < t->nwant && t->have[t->next])
		t->next++;
}

/* Bytes that the server must have when the subscriber takes @p n for acknowledged. */
static size_t with_fields(const struct ends *t, size_t n)
{
	size_t more = 0;

	for (unsigned i = 0; i < t->nreq; i++)
		if (n > t->end[i] - 2)
			more += strlen(FIELD);
	return n + more;
}

static void acknowledge(struct ends *t)
{
	struct pk k = packet(false, 6, 80, ACK, NULL);
	struct box x;
	size_t a;

	k.seq = 1;
	k.ack = ISN + 1 + (uint32_t)t->next;
	send_on(t->r, &x, &k, ECS_DOWNLINK, dice(t, 2));
	a = x.p.tcp_ack - (ISN + 1);
	CU_ASSERT_TRUE(a <= t->sent);
	CU_ASSERT_TRUE(a >= t->acked);
	CU_ASSERT_TRUE(with_fields(t, a) <= t->next);
	t->acked = a;
}

static void shake_hands(struct rig *r)
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

static void one_stream(unsigned seed)
{
	static struct ends t;
	struct rig r;
	unsigned turns = 0;

	memset(&t, 0, sizeof(t));
	t.seed = seed;
	t.r = &r;
	start(&r);
	shake_hands(&r);
	compose(&t);
	for (unsigned i = 0; i < t.nreq; i++) {
		/* a request in pieces, the end of its header in one */
		while (t.sent < t.end[i] - 2) {
			size_t to = t.sent + 1 + dice(&t, 200);

			segment(&t, t.sent, to > t.end[i] - 3 ? t.end[i] : to, !dice(&t, 3));
		}
		/* until nearly all is there, what was sent is sent again, cut anew */
		while (t.acked < t.end[i] && (i + 1 == t.nreq || dice(&t, 40)) && turns++ < 100000) {
			size_t from = t.acked - (t.acked ? dice(&t, 3) && t.acked > 30 ? 30 : 0 : 0);
			size_t to = from + 1 + dice(&t, 400);

			segment(&t, from, to > t.sent ? t.sent : to, !dice(&t, 3));
			if (dice(&t, 2))
				acknowledge(&t);
		}
		if (t.acked < t.end[i] && r.c.xheader_missed)
			break;
	}
	CU_ASSERT_EQUAL(r.c.xheader_missed, 0);
	CU_ASSERT_EQUAL(t.acked, t.n);
	CU_ASSERT_EQUAL(t.next, t.nwant);
	CU_ASSERT_EQUAL(memcmp(t.got, t.want, t.nwant), 0);
	CU_ASSERT_EQUAL(r.c.xheader_packets, t.nreq);
	end(&r);
}

static void test_streams(void)
{
	for (unsigned seed = 1; seed <= 60; seed++)
		one_stream(seed);
}

static enum ecs_verdict request(struct rig *r, struct box *x)
{
	struct pk k = packet(true, 6, 80, ACK, "GET / HTTP/1.1\r\nHost: header.test\r\n\r\n");

	k.seq = ISN + 1;
	send_on(r, x, &k, ECS_UPLINK, false);
	return x->v;
}

/* Edges of blocks never show the byte that an insertion travels with as received before that is. */
static void test_sack(void)
{
	static const struct {
		uint32_t left, right; /* of the server, behind the first byte */
		bool kept;
		uint32_t l, r;
	} cases[] = {
		/* the request has 35 bytes, 10 are inserted before the last two: 33..43 */
		{1, 33, true, 1, 33},  {1, 34, true, 1, 33},  {1, 43, true, 1, 33}, {1, 44, true, 1, 34},
		{1, 45, true, 1, 35},  {33, 44, true, 33, 34}, {34, 44, false, 0, 0}, {34, 45, true, 34, 35},
		{43, 45, true, 34, 35}, {44, 45, true, 34, 35}, {34, 40, false, 0, 0},
	};
	struct rig r;
	struct box x;

	start(&r);
	shake_hands(&r);
	CU_ASSERT_EQUAL(request(&r, &x), ECS_FORWARD);
	CU_ASSERT_EQUAL(x.p.payload_len, 45 + 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pk k = packet(false, 6, 80, ACK, NULL);
		uint8_t opt[12] = {1, 1, 5, 10}, *t;
		size_t n;

		k.ack = ISN + 1;
		k.data = opt;
		k.len = sizeof(opt);
		pk32(opt + 4, ISN + 1 + cases[i].left + 2);
		pk32(opt + 8, ISN + 1 + cases[i].right + 2);
		n = pk_build(&k, x.b);
		x.b[20 + 12] = 8 << 4; /* what was payload is options */
		seal(x.b, n, false);
		x.r = (struct ecs_raw){.ip = x.b, .len = n, .room = ROOM};
		CU_ASSERT_EQUAL(ecs_engine_forward(r.e, &x.r, ECS_DOWNLINK, r.now), ECS_FORWARD);
		CU_ASSERT_TRUE(sealed(x.b, n, false));
		t = x.b + 40;
		CU_ASSERT_EQUAL(t[2], cases[i].kept ? 5 : 1);
		if (!cases[i].kept)
			continue;
		pk32(opt, ISN + 1 + cases[i].l + 2);
		pk32(opt + 4, ISN + 1 + cases[i].r + 2);
		CU_ASSERT_EQUAL(memcmp(t + 4, opt, 8), 0);
	}
	end(&r);
}

/* A rule of post-processing that looks at L7 holds on when the analyzers have gone. */
static void test_post_l7(void)
{
	struct rig r;
	struct box x;
	struct pk k = packet(true, 6, 80, ACK, "GET / HTTP/1.1\r\nHost: far.test\r\n\r\n");

	start(&r);
	shake_hands(&r);
	k.seq = ISN + 1;
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_post, 1);
	k = packet(false, 6, 80, ACK, "answer");
	send_on(&r, &x, &k, ECS_DOWNLINK, false);
	CU_ASSERT_EQUAL(x.v, ECS_DROP);
	end(&r);
}

/* What is only judged stays as it is. */
static void test_judged(void)
{
	struct rig r;
	struct pk k = packet(true, 17, 7005, 0, "u");
	uint8_t b[PK_CAP], was[PK_CAP];
	size_t n = pk_build(&k, b);

	start(&r);
	memcpy(was, b, n);
	CU_ASSERT_EQUAL(ecs_engine_packet(r.e, b, n, ECS_UPLINK, 0, r.now), ECS_FORWARD);
	CU_ASSERT_EQUAL(memcmp(b, was, n), 0);
	end(&r);
}

CU_TestInfo ecs_enforce_tests[] = {
	{"addresses, ports, marks, with their checksums", test_rewrite},
	{"no checksum stays none", test_no_sum},
	{"bytes inserted into a segment", test_insert},
	{"marking, next hop, post-processing", test_mark},
	{"terminate flow and session", test_terminate},
	{"readdress", test_readdress},
	{"readdress: ICMP errors", test_readdress_error},
	{"streams with inserted bytes, lost and cut anew", test_streams},
	{"selective acknowledgements", test_sack},
	{"post-processing by L7", test_post_l7},
	{"judged only", test_judged},
	CU_TEST_INFO_NULL};

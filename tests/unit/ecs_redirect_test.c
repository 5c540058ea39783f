/* `flow action redirect-url`. */
#include "config.h"
#include "suites.h"

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

static void on_send(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir)
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

static void start_active(struct rig *r, const char *v4, const char *v6)
{
	struct ecs_session_spec sp = spec_of(1, v4, v6);

	setup(r, redirecting, 0);
	r->e->conf.ops = &sending;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	nsent = 0;
}

static void start(struct rig *r)
{
	start_active(r, UE, UE6);
}

/* Says something with an acknowledgement of what the other end has sent. */
static enum ecs_verdict tell_n(struct conn *c, enum ecs_dir dir, uint8_t flags, const void *data,
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

static enum ecs_verdict tell(struct conn *c, enum ecs_dir dir, uint8_t flags, const char *text)
{
	return tell_n(c, dir, flags, text, text ? strlen(text) : 0);
}

static struct ecs_session_debug debug(const struct rig *r)
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

static unsigned csum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* A packet that was sent: whole, its checksums right, a segment of this connection. */
static struct ecs_packet segment(const struct conn *c, unsigned i, enum ecs_dir dir)
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

static bool is_answer(const struct conn *c, unsigned i, uint32_t seq, uint32_t ack)
{
	struct ecs_packet p = segment(c, i, ECS_DOWNLINK);

	return p.tcp_flags == (ECS_TCP_PSH | ACK | FIN) && p.tcp_seq == seq && p.tcp_ack == ack &&
	       p.payload_len == strlen(ANSWER) && memcmp(p.payload, ANSWER, p.payload_len) == 0;
}

static bool is_reset(const struct conn *c, unsigned i, uint32_t seq, uint32_t ack)
{
	struct ecs_packet p = segment(c, i, ECS_UPLINK);

	return p.tcp_flags == (RST | ACK) && p.tcp_seq == seq && p.tcp_ack == ack &&
	       p.payload_len == 0;
}

static bool is_ack(const struct conn *c, unsigned i, uint32_t seq, uint32_t ack)
{
	struct ecs_packet p = segment(c, i, ECS_DOWNLINK);

	return p.tcp_flags == ACK && p.tcp_seq == seq && p.tcp_ack == ack && p.payload_len == 0;
}

static void open_up(struct conn *c)
{
	CU_ASSERT_EQUAL(tell(c, ECS_UPLINK, SYN, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(c, ECS_DOWNLINK, SYN | ACK, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(c, ECS_UPLINK, ACK, NULL), ECS_FORWARD);
}

/* --- a request -------------------------------------------------------------------------------- */

static void whole_life(bool v6)
{
	struct rig r;
	struct conn c;
	struct ecs_volume v;
	uint32_t at;

	start(&r);
	c = tcp(&r, 4000, 80);
	c.v6 = v6;
	open_up(&c);
	v = volume(&r, ECS_USAGE_CONTENT, 2);
	CU_ASSERT_EQUAL(v.pkts[ECS_UPLINK], 0);
	CU_ASSERT_EQUAL(nsent, 0);
	at = c.up;
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 2);
	CU_ASSERT_TRUE(is_reset(&c, 0, at, c.down));
	CU_ASSERT_TRUE(is_answer(&c, 1, c.down, c.up));
	CU_ASSERT_EQUAL(debug(&r).redirect.allowed, ECS_REDIRECTS_MAX);
	COUNTS(&r, 1, 1, 0, 0, 0);
	CU_ASSERT_EQUAL(ecs_engine_redirects(r.e), 1);
	/* counted as a hit, not charged */
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->pkts_up, 0);
	v = volume(&r, ECS_USAGE_CONTENT, 2);
	CU_ASSERT_EQUAL(v.pkts[ECS_UPLINK], 0);
	/* the same again, as it was not answered in time: the same answer, no second entry */
	c.up = at;
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 3);
	CU_ASSERT_TRUE(is_answer(&c, 2, c.down, c.up));
	COUNTS(&r, 1, 1, 0, 0, 0);
	/* the server that heard nothing of the end is reset again */
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "late"), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 4);
	CU_ASSERT_TRUE(is_reset(&c, 3, c.up, c.down));
	c.down -= 4;
	/* the subscriber closes */
	c.down += (uint32_t)strlen(ANSWER) + 1;
	nsent = 0;
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, NULL), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK | FIN, NULL), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 1);
	CU_ASSERT_TRUE(is_ack(&c, 0, c.down, c.up));
	wait_ms(&r, ECS_LINGER_MS + 1000);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	COUNTS(&r, 0, 1, 1, 0, 0);
	CU_ASSERT_EQUAL(ecs_engine_redirects(r.e), 0);
	CU_ASSERT_EQUAL(r.c.redirects_added, 1);
	CU_ASSERT_EQUAL(r.c.redirects_deleted, 1);
	CU_ASSERT_EQUAL(r.c.redirects_answered, 2);
	CU_ASSERT_EQUAL(r.c.drop_redirect, 5);
	CU_ASSERT_EQUAL(r.c.drop_discard, 0);
	end(&r);
}

static void a_request_of_ipv4(void)
{
	whole_life(false);
}

static void a_request_of_ipv6(void)
{
	whole_life(true);
}

/* In pieces, the first of which does not tell: they went to the server; the rest does not. */
static void a_request_in_pieces(void)
{
	static const char get[] = GET("a.video.example");
	struct rig r;
	struct conn c;
	uint32_t at;

	start(&r);
	c = tcp(&r, 4000, 80);
	open_up(&c);
	CU_ASSERT_EQUAL(tell_n(&c, ECS_UPLINK, ACK, get, 20), ECS_FORWARD);
	at = c.up;
	CU_ASSERT_EQUAL(tell_n(&c, ECS_UPLINK, ACK, get + 20, sizeof(get) - 1 - 20), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 2);
	CU_ASSERT_TRUE(is_reset(&c, 0, at, c.down));
	CU_ASSERT_TRUE(is_answer(&c, 1, c.down, c.up));
	/* more of the subscriber, before it has the answer: acknowledged, and nothing else */
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "body"), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 3);
	CU_ASSERT_TRUE(is_ack(&c, 2, c.down, c.up));
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, RST, NULL), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 3);
	COUNTS(&r, 0, 1, 1, 0, 0);
	end(&r);
}

/* A rule of L4 need not wait for an analyzer; what is no request of HTTP goes on its way. */
static void a_rule_without_analyzers(void)
{
	struct rig r;
	struct conn c, d, u;

	start(&r);
	c = tcp(&r, 4000, 8080);
	open_up(&c);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "\x16\x03\x01 of TLS"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "GET / HTTP/1.1\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	d = tcp(&r, 4001, 8080);
	open_up(&d);
	CU_ASSERT_EQUAL(tell(&d, ECS_UPLINK, ACK, "POST /x HTTP/1.1\r\nHost: a\r\n\r\nabc"),
	                ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	u = tcp(&r, 5000, 9);
	u.proto = 17;
	CU_ASSERT_EQUAL(tell(&u, ECS_UPLINK, 0, "GET / HTTP/1.1\r\n\r\n"), ECS_FORWARD);
	COUNTS(&r, 1, 1, 0, 0, 0);
	end(&r);
}

/* A connection that was let through, until its second request. */
static void the_second_request(void)
{
	struct rig r;
	struct conn c;

	start(&r);
	c = tcp(&r, 4000, 80);
	open_up(&c);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("portal.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("b.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	CU_ASSERT_TRUE(is_answer(&c, 1, c.down, c.up));
	end(&r);
}

/* --- first-request-only ----------------------------------------------------------------------- */

static void begin_first(struct rig *r, const char *how)
{
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	const char *at = strstr(redirecting, "\n#exit\nrulebase");
	char text[4000];

	snprintf(text, sizeof(text), "%.*s first-request-only%s%s", (int)(at - redirecting), redirecting,
	         how, at);
	setup(r, text, 0);
	r->e->conf.ops = &sending;
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	nsent = 0;
}

/* The verdict of the first request of another connection. */
static enum ecs_verdict another(struct rig *r, uint16_t sport)
{
	struct conn c = tcp(r, sport, 80);

	open_up(&c);
	nsent = 0;
	return tell(&c, ECS_UPLINK, ACK, GET("b.video.example"));
}

static void the_first_only(void)
{
	static const struct {
		const char *how;
		enum ecs_verdict v;
		unsigned sent, flows;
	} after[] = {
		{"", ECS_FORWARD, 0, 2}, {" post-redirect allow", ECS_FORWARD, 0, 2},
		{" post-redirect discard", ECS_DROP, 0, 2}, {" post-redirect terminate", ECS_DROP, 2, 1},
	};

	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		struct ecs_session_spec sp = spec_of(2, NULL, UE6);
		struct rig r;
		struct conn c;
		unsigned told;
		uint32_t at;

		begin_first(&r, after[i].how);
		c = tcp(&r, 4000, 80);
		open_up(&c);
		told = r.changed[ecs_kind_call.id];
		at = c.up;
		CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
		CU_ASSERT_EQUAL(nsent, 2);
		CU_ASSERT_EQUAL(r.changed[ecs_kind_call.id], told + 1);
		c.up = at; /* a retransmission is answered again */
		CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
		CU_ASSERT_EQUAL(nsent, 3);
		CU_ASSERT_EQUAL(r.c.redirects_followed, 0);
		CU_ASSERT_EQUAL(another(&r, 4001), after[i].v);
		CU_ASSERT_EQUAL(nsent, after[i].sent);
		CU_ASSERT_EQUAL(ecs_engine_flows(r.e), after[i].flows);
		CU_ASSERT_EQUAL(r.c.redirects_followed, 1);
		CU_ASSERT_EQUAL(r.c.redirects_added, 1);
		CU_ASSERT_EQUAL(r.changed[ecs_kind_call.id], told + 1);
		/* of another session it is the first */
		CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
		c = tcp(&r, 4000, 80);
		c.v6 = true;
		open_up(&c);
		CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
		CU_ASSERT_EQUAL(r.c.redirects_added, 2);
		end(&r);
	}
}

static void fragments(void)
{
	struct rig r;
	struct conn c;
	struct pk k;

	start(&r);
	c = tcp(&r, 4000, 8080);
	open_up(&c);
	k = (struct pk){.src = UE, .dst = SERVER, .proto = 6, .sport = 4000, .dport = 8080,
	                .flags = ACK, .seq = c.up, .ack = c.down, .frag = 0x2000, .ipid = 7,
	                .text = GET("x")};
	CU_ASSERT_EQUAL(put(&r, &k, ECS_UPLINK, 0), ECS_DROP); /* no answer can be made */
	CU_ASSERT_EQUAL(nsent, 0);
	COUNTS(&r, 0, 0, 0, 0, 0);
	end(&r);
}

/* --- entries ---------------------------------------------------------------------------------- */

static enum ecs_verdict request(struct rig *r, uint16_t port)
{
	struct conn c = tcp(r, port, 8080);

	open_up(&c);
	return tell(&c, ECS_UPLINK, ACK, GET("x"));
}

static void as_many_as_are_allowed(void)
{
	struct rig r;
	struct conn c;

	start(&r);
	for (uint16_t i = 0; i < ECS_REDIRECTS_MAX; i++)
		CU_ASSERT_EQUAL(request(&r, (uint16_t)(10000 + i)), ECS_DROP);
	COUNTS(&r, ECS_REDIRECTS_MAX, ECS_REDIRECTS_MAX, 0, 0, 0);
	nsent = 0;
	CU_ASSERT_EQUAL(request(&r, 20000), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 0);
	COUNTS(&r, ECS_REDIRECTS_MAX, ECS_REDIRECTS_MAX, 0, 0, 1);
	CU_ASSERT_EQUAL(r.c.redirects_refused, 1);
	c = tcp(&r, 10007, 8080);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, RST, NULL), ECS_DROP); /* one ends: there is room */
	COUNTS(&r, ECS_REDIRECTS_MAX - 1, ECS_REDIRECTS_MAX, 1, 0, 1);
	CU_ASSERT_EQUAL(request(&r, 20001), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	COUNTS(&r, ECS_REDIRECTS_MAX, ECS_REDIRECTS_MAX + 1, 1, 0, 1);
	ecs_engine_active(r.e, false, r.now); /* the role goes */
	COUNTS(&r, 0, ECS_REDIRECTS_MAX + 1, ECS_REDIRECTS_MAX + 1, 0, 1);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(request(&r, 20002), ECS_DROP);
	COUNTS(&r, 1, ECS_REDIRECTS_MAX + 2, ECS_REDIRECTS_MAX + 1, 0, 1);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(ecs_engine_redirects(r.e), 0);
	CU_ASSERT_EQUAL(r.c.redirects_added, r.c.redirects_deleted);
	end(&r);
}

static void the_address_moves(void)
{
	struct rig r;
	struct conn c;
	struct ecs_session_spec sp;

	start(&r);
	CU_ASSERT_EQUAL(request(&r, 4000), ECS_DROP);
	c = tcp(&r, 4001, 8080);
	c.v6 = true;
	open_up(&c);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("x")), ECS_DROP);
	COUNTS(&r, 2, 2, 0, 0, 0);
	sp = spec_of(1, "10.0.0.77", UE6); /* the IPv6 prefix stays its own */
	CU_ASSERT_EQUAL(ecs_session_update(r.e, r.s, &sp, r.now), 0);
	COUNTS(&r, 1, 2, 0, 1, 0);
	CU_ASSERT_EQUAL(r.c.redirects_revoked, 1);
	ecs_session_drop(r.e, r.s, ECS_END_REPLACED, ECS_TELL_LISTS, r.now);
	CU_ASSERT_EQUAL(r.c.redirects_revoked, 2);
	CU_ASSERT_EQUAL(r.c.redirects_deleted, 0);
	end(&r);
}

/* --- recovered flows -------------------------------------------------------------------------- */

/* Taken over with rule @p rule; the flow has been seen by the chassis that went. */
static struct conn taken_over_with(struct rig *r, const char *conf, const char *rule, uint16_t dport)
{
	struct conn c = {.proto = 6, .sport = 4000, .dport = dport, .up = 500, .down = 900};
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	struct ecs_flow_key k = {.proto = 6, .subscriber_port = 4000, .server_port = dport};
	struct ecs_flow *f;
	uint16_t line;

	setup(r, conf, 0);
	r->e->conf.ops = &sending;
	c.r = r;
	nsent = 0;
	CU_ASSERT_EQUAL_FATAL(ecs_session_build(r->e, &sp, r->now, &r->s), 0);
	r->s->ready_for_recovery = true;
	k.subscriber = addr(UE);
	k.server = addr(SERVER);
	CU_ASSERT_EQUAL_FATAL(ecs_flow_build(r->e, r->s, &k, 8, r->now, &f), 0);
	line = ecs_service_find_line(r->svc, 0, rule);
	ecs_flow_ref(r->e, f, ecs_ruleref_of_line(r->e->refs, line, r->now));
	f->back = f->ref;
	f->tcp_state = ECS_TCP_ST_ESTABLISHED;
	f->flags |= ECS_FLOW_F_FINAL | ECS_FLOW_F_FIRST_UP | ECS_FLOW_F_OPENER_UP |
	            ECS_FLOW_F_ELIGIBLE;
	ecs_flow_slot(r->e, f, true);
	ecs_engine_active(r->e, true, r->now);
	return c;
}

static struct conn taken_over(struct rig *r, const char *rule, uint16_t dport)
{
	return taken_over_with(r, redirecting, rule, dport);
}

/* What was redirected before is redirected after. */
static void redirected_before(void)
{
	struct rig r;
	struct conn c = taken_over(&r, "video", 80);

	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 2);
	CU_ASSERT_TRUE(is_answer(&c, 1, c.down, c.up));
	COUNTS(&r, 1, 1, 0, 0, 0);
	CU_ASSERT_TRUE(debug(&r).recreated);
	end(&r);
}

/* No redirection at run time. */
static void not_redirected_before(void)
{
	struct rig r;
	struct conn c = taken_over(&r, "tcp-any", 8080);

	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	end(&r);
	c = taken_over(&r, "tcp-any", 8080);
	/* while control is pending, it is charged by what its packets match: `shop` */
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "shop")->hits, 1);
	CU_ASSERT_EQUAL(nsent, 0);
	COUNTS(&r, 0, 0, 0, 0, 0);
	end(&r);
}

/* The rulebase above with a switch, and what comes behind it. */
static const char *with(const char *more)
{
	static char text[4096];

	snprintf(text, sizeof(text), "flow-recovery redirect\n%s%s", redirecting, more);
	return text;
}

/* With the switch a request is redirected by what it matches itself. */
static void again_by_its_match(void)
{
	struct rig r;
	struct conn c = taken_over_with(&r, with(""), "tcp-any", 80);
	uint32_t at = c.down;

	/* the end of a body, and what is no request or asks for somebody else */
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "video.example\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "GET up\r\nHost: a.video.example\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("portal.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "page"), ECS_FORWARD);
	at += 4;
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 2);
	CU_ASSERT_TRUE(is_answer(&c, 1, at, c.up));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 4);
	CU_ASSERT_EQUAL(r.c.redirects_recovered, 1);
	CU_ASSERT_EQUAL(r.c.redirects_answered, 1);
	COUNTS(&r, 1, 1, 0, 0, 0);
	/* what the server still says is for nobody; the subscriber's end is answered */
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "more"), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 3);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK | FIN, NULL), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 4);
	end(&r);
}

/* A request that is not whole is redirected by what no more of it can change. */
static void again_in_pieces(void)
{
	struct rig r;
	struct conn c = taken_over_with(&r, with(""), "tcp-any", 8080);

	/* `portal` and `video` could still match, and come before `shop` */
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\nHost: a.vid"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "eo.example\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("nobody.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "shop")->hits, 1);
	end(&r);
	c = taken_over_with(&r, with("rulebase rb\n action priority 1 ruledef shop charging-action ca-to\n"
	                             "#exit\n"), "tcp-any", 8080);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\nHost: a.vid"), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
}

/* While control is pending, and towards the subscriber, nothing is redirected. */
static void again_not_now(void)
{
	struct rig r;
	struct conn c = taken_over_with(&r, with(""), "tcp-any", 8080);

	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, false, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
}

/* A request that is not the first of its action goes on as its flow's. */
static void again_not_the_first(void)
{
	static char text[4096];
	const char *at = strstr(redirecting, "\n#exit\nrulebase");
	struct rig r;
	struct conn c;

	snprintf(text, sizeof(text), "flow-recovery redirect\n%.*s first-request-only%s",
	         (int)(at - redirecting), redirecting, at);
	c = taken_over_with(&r, text, "tcp-any", 80);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
	c = taken_over_with(&r, text, "tcp-any", 80);
	{
		struct conn first = {.r = &r, .proto = 6, .sport = 4100, .dport = 80, .up = 10, .down = 20};

		tell(&first, ECS_UPLINK, SYN, NULL);
		tell(&first, ECS_DOWNLINK, SYN | ACK, NULL);
		tell(&first, ECS_UPLINK, ACK, NULL);
		CU_ASSERT_EQUAL(tell(&first, ECS_UPLINK, ACK, GET("a.video.example")), ECS_DROP);
	}
	CU_ASSERT_EQUAL(nsent, 2);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	CU_ASSERT_EQUAL(r.c.redirects_followed, 1);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
}

#define POST_TO(rule) "rulebase rb\n post-processing priority 2 ruledef " rule " charging-action ca-to\n#exit\n"
#define POST_RULES                                                                                  \
	"ruledef to-post\n rule-application post-processing\n tcp either-port = 81\n#exit\n"        \
	"ruledef to-far\n rule-application post-processing\n http host = far.example\n#exit\n"      \
	"ruledef to-near\n rule-application post-processing\n http host = near.example\n#exit\n"

/* Rules of post-processing: a discard without the switch, for requests a redirection with it. */
static void again_by_post(void)
{
	static char text[4096];
	struct rig r;
	struct conn c;

	snprintf(text, sizeof(text), "%s" POST_RULES POST_TO("to-post"), redirecting);
	c = taken_over_with(&r, text, "tcp-any", 81);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("x.example")), ECS_DROP);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "body"), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(r.c.drop_post, 2);
	end(&r);

	c = taken_over_with(&r, with(POST_RULES POST_TO("to-post")), "tcp-any", 81);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "body"), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_DOWNLINK, ACK, "page"), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("x.example")), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(nsent, 2);
	CU_ASSERT_TRUE(is_answer(&c, 1, c.down, c.up));
	end(&r);

	/* by L7, while control is pending as well; a line before it keeps a request from it */
	c = taken_over_with(&r, with(POST_RULES POST_TO("to-far")), "tcp-any", 81);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("x.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("far.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
	c = taken_over_with(&r, with(POST_RULES POST_TO("to-post") "rulebase rb\n"
	                             " post-processing priority 1 ruledef to-near charging-action ca-free\n"
	                             "#exit\n"), "tcp-any", 81);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("near.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(nsent, 0);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("far.example")), ECS_DROP);
	CU_ASSERT_EQUAL(nsent, 2);
	end(&r);
}

/* A flow whose rule was taken from its call: its L3/L4 line is not what came with it. */
static void rule_taken_away(void)
{
	struct rig r;
	struct conn c = taken_over(&r, "tcp-any", 8080);
	struct ecs_flow_key k = {.proto = 6, .subscriber_port = 4000, .server_port = 8080};

	k.subscriber = addr(UE);
	k.server = addr(SERVER);
	CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, "body"), ECS_FORWARD);
	ecs_flow_release(r.e, ecs_flow_find(r.e->flows, &k), false, r.now);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(tell(&c, ECS_UPLINK, ACK, GET("a.video.example")), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "shop")->hits, 3);
	CU_ASSERT_EQUAL(nsent, 0);
	end(&r);
}

/* --- configuration ---------------------------------------------------------------------------- */

static int redirects_to(struct ecs_charging_action *a, const char *url, struct ecs_err *e)
{
	const char *const words[] = {"flow", "action", "redirect-url", url};

	return ecs_charging_action_set(a, ECS_FORM_SET, words, 4, e);
}

static void urls(void)
{
	static const char *const good[] = {"http://a", "HTTPS://a/b?c=d&e=%20#f", "http://[::1]/"};
	static const char *const bad[] = {"", "a", "ftp://a", "http://", "http:///x", "https://?x",
	                                  "http://a b", "http://a\r\nX: y", "http://a\"",
	                                  "http://a\\",
	                                  "http://\xc3\xa4"};
	struct ecs_charging_action a = {0};
	char url[ECS_URL_MAX + 2];
	struct ecs_err e;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(redirects_to(&a, good[i], &e), 0);
		CU_ASSERT_STRING_EQUAL(a.redirect_url, good[i]);
		CU_ASSERT_EQUAL(a.flow_action, ECS_ACT_REDIRECT);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ecs_charging_action b = {0};

		CU_ASSERT_NOT_EQUAL(redirects_to(&b, bad[i], &e), 0);
		CU_ASSERT_EQUAL(b.flow_action, ECS_ACT_NONE);
	}
	memset(url, 'x', sizeof(url));
	memcpy(url, "http://", 7);
	url[ECS_URL_MAX + 1] = '\0';
	CU_ASSERT_EQUAL(redirects_to(&a, url, &e), SRP_ERANGE);
	url[ECS_URL_MAX] = '\0';
	CU_ASSERT_EQUAL(redirects_to(&a, url, &e), 0);
}

CU_TestInfo ecs_redirect_tests[] = {
	{"a request, of IPv4: answered, reset, closed", a_request_of_ipv4},
	{"a request, of IPv6", a_request_of_ipv6},
	{"a request in pieces", a_request_in_pieces},
	{"a rule of L4; packets that are no requests", a_rule_without_analyzers},
	{"the second request of a connection", the_second_request},
	{"first-request-only", the_first_only},
	{"a request in fragments", fragments},
	{"entries: 2000, and one more", as_many_as_are_allowed},
	{"entries: revoked with the address", the_address_moves},
	{"recovered: redirected before", redirected_before},
	{"recovered: not redirected at run time", not_redirected_before},
	{"recovered: its rule was taken from the call", rule_taken_away},
	{"recovered, with the switch: by what a request matches", again_by_its_match},
	{"recovered, with the switch: requests in pieces", again_in_pieces},
	{"recovered, with the switch: when not", again_not_now},
	{"recovered, with the switch: first-request-only", again_not_the_first},
	{"recovered, with the switch: post-processing", again_by_post},
	{"URLs", urls},
	CU_TEST_INFO_NULL,
};

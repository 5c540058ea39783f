/* `flow action redirect-url`. */
#include "config.h"
#include "suites.h"

#include "ecs_redirect_rig.h"

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
	{"URLs", urls},
	CU_TEST_INFO_NULL,
};

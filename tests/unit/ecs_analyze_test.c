#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/analyze.h"
#include "ecs/dns.h"
#include "ecs/tls_hello.h"
#include "ecs_packets.h"
#include "srp/err.h"

static const struct srp_time now = {SRP_SEC(1000)};

/* --- HTTP ------------------------------------------------------------------------------------- */

static bool text_is(const char *have, const char *want)
{
	return want ? have && strcmp(have, want) == 0 : have == NULL;
}

static unsigned feed(struct ecs_http *h, const char *s, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	unsigned found;

	memcpy(copy, s, n);
	found = ecs_http_feed(h, copy, n);
	free(copy);
	return found;
}

static unsigned feed_text(struct ecs_http *h, const char *s)
{
	return feed(h, s, strlen(s));
}

static const struct {
	const char *text, *host, *url, *ua;
} requests[] = {
	{"GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: x/1\r\n\r\n",
	 "www.example.com", "www.example.com/", "x/1"},
	{"GET /a/b?c=d HTTP/1.0\nhost:example.com:8080 \nUSER-AGENT:\t q \n\n",
	 "example.com", "example.com/a/b?c=d", "q"},
	{"GET http://user@abs.example:81/p HTTP/1.1\r\nHost: other.example\r\n\r\n",
	 "abs.example", "abs.example/p", NULL},
	{"GET http://abs.example?q HTTP/1.1\r\n\r\n", "abs.example", "abs.example?q", NULL},
	{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", "a", NULL},
	{"CONNECT c.example:443 HTTP/1.1\r\nHost: other\r\n\r\n", "c.example", "c.example", NULL},
	{"GET /six HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "[2001:db8::1]",
	 "[2001:db8::1]/six", NULL},
	{"GET /nohost HTTP/1.0\r\n\r\n", NULL, "/nohost", NULL},
	{"\r\n\r\nM-SEARCH /x HTTP/1.1\r\nX: y\r\nHost: first\r\nHost: second\r\n\r\n", "first",
	 "first/x", NULL},
};

static void http_requests_cut_anywhere(void)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		size_t n = strlen(requests[i].text);

		for (size_t cut = 0; cut <= n; cut++) {
			struct ecs_http h = {0};
			unsigned found = feed(&h, requests[i].text, cut);

			found += feed(&h, requests[i].text + cut, n - cut);
			CU_ASSERT_EQUAL(found, 1);
			CU_ASSERT_TRUE(text_is(h.host, requests[i].host));
			CU_ASSERT_TRUE(text_is(h.url, requests[i].url));
			CU_ASSERT_TRUE(text_is(h.user_agent, requests[i].ua));
			ecs_http_fini(&h);
		}
	}
}

static void http_is_refused(void)
{
	static const char *const bad[] = {
		"GET /\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "get / HTTP/1.1\r\n\r\n",
		"GET  HTTP/1.1\r\n\r\n", "\x16\x03\x01", "G\xff", "SSH-2.0-x\r\n\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n\r\n", " GET / HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ecs_http h = {0};

		CU_ASSERT_EQUAL(feed_text(&h, bad[i]), 0);
		CU_ASSERT_EQUAL(h.state, ECS_HTTP_OVER);
		CU_ASSERT_EQUAL(feed_text(&h, requests[0].text), 0);
		ecs_http_fini(&h);
	}
}

static void http_persistent(void)
{
	static const char body[] = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\n"
	                           "GET /no HTTP/1.1\r\n" /* the body */
	                           "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
	struct ecs_http h = {0};

	CU_ASSERT_EQUAL(feed(&h, body, sizeof(body) - 1), 2);
	CU_ASSERT_TRUE(text_is(h.url, "b/2"));
	/* a chunked body has no known end: the next request is found where a segment begins with
	 * one */
	CU_ASSERT_EQUAL(feed_text(&h, "POST /3 HTTP/1.1\r\nHost: c\r\n"
	                              "Transfer-Encoding: chunked\r\n\r\n"), 1);
	CU_ASSERT_EQUAL(h.state, ECS_HTTP_RESYNC);
	CU_ASSERT_EQUAL(feed_text(&h, "5\r\nGET /\r\n0\r\n\r\n"), 0);
	CU_ASSERT_EQUAL(feed_text(&h, "HELLO WORLD\r\n"), 0);
	CU_ASSERT_EQUAL(feed_text(&h, "GET /4 HTTP/1.1\r\nHost: d\r\n\r\n"), 1);
	CU_ASSERT_TRUE(text_is(h.url, "d/4"));
	/* bytes are lost in the middle of a header */
	CU_ASSERT_EQUAL(feed_text(&h, "GET /5 HTTP/1.1\r\nHo"), 0);
	CU_ASSERT_EQUAL(ecs_http_feed(&h, NULL, 0), 0);
	CU_ASSERT_EQUAL(feed_text(&h, "GET /6 HTTP/1.1\r\nHost: e\r\n\r\n"), 1);
	CU_ASSERT_TRUE(text_is(h.url, "e/6"));
	CU_ASSERT_EQUAL(h.requests, 5);
	/* a switch to another protocol ends it */
	CU_ASSERT_EQUAL(feed_text(&h, "GET /ws HTTP/1.1\r\nHost: e\r\n"
	                              "Upgrade: websocket\r\n\r\n"), 1);
	CU_ASSERT_EQUAL(h.state, ECS_HTTP_OVER);
	ecs_http_fini(&h);
}

static void http_long_header(void)
{
	static char big[3 * ECS_HEADER_MAX];
	size_t n = (size_t)snprintf(big, sizeof(big), "GET /long HTTP/1.1\r\nHost: l\r\nX: ");
	static const char rest[] = "\r\n\r\nGET /next HTTP/1.1\r\nHost: m\r\n\r\n";
	size_t end, all;

	memset(big + n, 'y', 2 * ECS_HEADER_MAX);
	end = n + 2 * ECS_HEADER_MAX;
	memcpy(big + end, rest, sizeof(rest));
	all = end + sizeof(rest) - 1;
	for (size_t step = 1; step < end; step = step * 3 + 1) {
		struct ecs_http h = {0};
		unsigned found = 0;

		for (size_t at = 0; at < all; at += step)
			found += feed(&h, big + at, at + step < all ? step : all - at);
		CU_ASSERT_EQUAL(found, 2);
		CU_ASSERT_TRUE(text_is(h.url, "m/next"));
		CU_ASSERT_TRUE(h.head.cap <= ECS_HEADER_MAX);
		ecs_http_fini(&h);
	}
	/* a line that the limit cuts is not read as what it is not */
	for (size_t whole = 0; whole < 2; whole++) {
		static const char host[] = "\r\nHost: a.test.example\r\n";
		struct ecs_http h = {0};
		size_t at = ECS_HEADER_MAX - (whole ? sizeof(host) - 1 : strlen("\r\nHost: a.test"));

		n = (size_t)snprintf(big, sizeof(big), "GET /long HTTP/1.1\r\nX: ");
		memset(big + n, 'y', sizeof(big) - n);
		memcpy(big + at, host, sizeof(host) - 1);
		CU_ASSERT_EQUAL(feed(&h, big, sizeof(big)), 1);
		CU_ASSERT_TRUE(text_is(h.host, whole ? "a.test.example" : NULL));
		ecs_http_fini(&h);
	}
	n = (size_t)snprintf(big, sizeof(big), "GET /long HTTP/1.1\r\nHost: l\r\nX: ");
	/* the limit itself: the last byte of the empty line is byte 4096, or the one after it */
	for (size_t over = 0; over < 2; over++) {
		struct ecs_http h = {0};
		size_t len = ECS_HEADER_MAX + over;

		memset(big + n, 'y', len - n - 4);
		memcpy(big + len - 4, "\r\n\r\n", 4);
		CU_ASSERT_EQUAL(feed(&h, big, len), 1);
		CU_ASSERT_EQUAL(h.state, ECS_HTTP_START);
		CU_ASSERT_EQUAL(feed_text(&h, requests[0].text), 1);
		ecs_http_fini(&h);
	}
}

static void http_hides_zero_bytes(void)
{
	static const char text[] = "GET /a\0b HTTP/1.1\r\nHost: evil\0.good\r\n\r\n";
	struct ecs_http h = {0};

	CU_ASSERT_EQUAL(feed(&h, text, sizeof(text) - 1), 1);
	CU_ASSERT_TRUE(text_is(h.host, "evil?.good"));
	CU_ASSERT_TRUE(text_is(h.url, "evil?.good/a?b"));
	ecs_http_fini(&h);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static int sni(const uint8_t *b, size_t n, char *out, size_t *need)
{
	uint8_t *copy = malloc(n ? n : 1);
	int err;

	memcpy(copy, b, n);
	err = ecs_tls_server_name(copy, n, out, need);
	free(copy);
	return err;
}

static void tls_hello_cut(void)
{
	uint8_t b[512];
	char name[ECS_TLS_NAME_MAX + 1];
	size_t n = pk_hello("video.example.net", b), need = 0;
	size_t enough = n; /* the name is the last field */

	for (size_t i = 0; i <= n; i++) {
		int err = sni(b, i, name, &need);

		if (i < enough) {
			CU_ASSERT_EQUAL(err, SRP_EAGAIN);
			CU_ASSERT_TRUE(need > i && need <= n);
		} else {
			CU_ASSERT_EQUAL(err, 0);
			CU_ASSERT_STRING_EQUAL(name, "video.example.net");
		}
	}
	n = pk_hello(NULL, b);
	CU_ASSERT_EQUAL(sni(b, n, name, &need), SRP_ENOENT);
}

static void tls_hello_in_records(void)
{
	uint8_t b[512], r[4096];
	char name[ECS_TLS_NAME_MAX + 1];
	size_t n = pk_hello("a.example", b), need;

	for (size_t part = 1; part < n - 5; part += 7) {
		size_t len = 0;

		for (size_t at = 5; at < n; at += part) {
			size_t m = n - at < part ? n - at : part;

			r[len] = 22;
			r[len + 1] = 3;
			r[len + 2] = 3;
			pk16(r + len + 3, (unsigned)m);
			memcpy(r + len + 5, b + at, m);
			len += 5 + m;
		}
		CU_ASSERT_EQUAL(sni(r, len, name, &need), 0);
		CU_ASSERT_STRING_EQUAL(name, "a.example");
		CU_ASSERT_EQUAL(sni(r, len - 1, name, &need), SRP_EAGAIN);
	}
}

static void tls_hello_malformed(void)
{
	uint8_t b[512];
	char name[ECS_TLS_NAME_MAX + 1];
	size_t n = pk_hello("a.example", b), need;
	static const struct {
		size_t at;
		uint8_t v;
	} twist[] = {
		{0, 23}, {1, 2}, {5, 2}, /* not a handshake, not SSL3 or TLS, not a ClientHello */
		{43, 255},                     /* session id longer than the hello */
		{44, 255},                     /* cipher suites longer than it */
		{62, 255},                     /* server name extension longer than all of them */
	};

	for (size_t i = 0; i < sizeof(twist) / sizeof(twist[0]); i++) {
		uint8_t was = b[twist[i].at];

		b[twist[i].at] = twist[i].v;
		CU_ASSERT_EQUAL(sni(b, n, name, &need), SRP_EFORMAT);
		b[twist[i].at] = was;
	}
	CU_ASSERT_EQUAL(sni(b, n, name, &need), 0);
	b[n - 1] = 0; /* not printable */
	CU_ASSERT_EQUAL(sni(b, n, name, &need), 0);
	CU_ASSERT_STRING_EQUAL(name, "a.exampl?");
	/* every single byte changed in turn: no answer is prescribed, but it must be one */
	for (size_t i = 0; i < n; i++)
		for (unsigned v = 0; v < 256; v += 5) {
			uint8_t was = b[i];
			int err;

			b[i] = (uint8_t)v;
			err = sni(b, n, name, &need);
			CU_ASSERT_TRUE(err == 0 || err == SRP_EAGAIN || err == SRP_EFORMAT ||
			               err == SRP_ENOENT);
			b[i] = was;
		}
}

/* --- DNS -------------------------------------------------------------------------------------- */

static void dns_questions(void)
{
	uint8_t b[512];
	char name[ECS_DNS_NAME_MAX + 1];
	size_t n = pk_dns("www.example.org", b);

	CU_ASSERT_EQUAL(ecs_dns_question(b, n, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "www.example.org");
	for (size_t i = 0; i < n; i++) {
		uint8_t *copy = malloc(i ? i : 1);

		memcpy(copy, b, i);
		CU_ASSERT_EQUAL(ecs_dns_question(copy, i, name), SRP_ESHORT);
		free(copy);
	}
	b[12] = 0xc0; /* a pointer */
	CU_ASSERT_EQUAL(ecs_dns_question(b, n, name), SRP_EFORMAT);
	b[12] = 3;
	b[13] = '.';
	CU_ASSERT_EQUAL(ecs_dns_question(b, n, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "?ww.example.org");
	b[5] = 0;
	CU_ASSERT_EQUAL(ecs_dns_question(b, n, name), SRP_ENOENT);
	n = pk_dns("", b);
	CU_ASSERT_EQUAL(ecs_dns_question(b, n, name), 0);
	CU_ASSERT_STRING_EQUAL(name, ".");
}

static void dns_name_limit(void)
{
	char text[300], name[ECS_DNS_NAME_MAX + 1];
	uint8_t b[512];
	size_t n;

	/* 253 characters are the longest name: 4 labels of 63, 63, 63 and 61 */
	memset(text, 'a', sizeof(text));
	text[63] = text[127] = text[191] = '.';
	text[253] = '\0';
	n = pk_dns(text, b);
	CU_ASSERT_EQUAL(ecs_dns_question(b, n, name), 0);
	CU_ASSERT_STRING_EQUAL(name, text);
	memset(text, 'a', sizeof(text));
	text[63] = text[127] = text[191] = text[255] = '.';
	text[258] = '\0';
	n = pk_dns(text, b);
	CU_ASSERT_EQUAL(ecs_dns_question(b, n, name), SRP_EFORMAT);
}

/* --- streams ---------------------------------------------------------------------------------- */

struct got {
	uint8_t b[70000];
	size_t n;
	unsigned gaps;
};

static void on_bytes(void *arg, const uint8_t *data, size_t len)
{
	struct got *g = arg;

	if (!data) {
		g->gaps++;
		return;
	}
	CU_ASSERT_FATAL(g->n + len <= sizeof(g->b));
	memcpy(g->b + g->n, data, len);
	g->n += len;
}

static void stream_orders(void)
{
	static struct got g;
	uint8_t src[2000];
	struct ecs_stream s = {0};
	uint32_t isn = 0xfffffc00; /* wraps on the way */

	memset(&g, 0, sizeof(g));
	for (size_t i = 0; i < sizeof(src); i++)
		src[i] = (uint8_t)(i * 7 + (i >> 8));
	ecs_stream_syn(&s, isn);
	/* pairs of segments swapped, each overlapping the one before, one sent again */
	for (size_t at = 0; at < sizeof(src); at += 200) {
		size_t before = at ? 10 : 0;

		ecs_stream_push(&s, isn + 101 + (uint32_t)at, src + at + 100, 100, on_bytes, &g);
		ecs_stream_push(&s, isn + 1 + (uint32_t)(at - before), src + at - before,
		                100 + before, on_bytes, &g);
		ecs_stream_push(&s, isn + 1 + (uint32_t)at, src + at, 100, on_bytes, &g);
	}
	CU_ASSERT_EQUAL(g.n, sizeof(src));
	CU_ASSERT_EQUAL(memcmp(g.b, src, sizeof(src)), 0);
	CU_ASSERT_EQUAL(g.gaps, 0);
	CU_ASSERT_EQUAL(s.nheld, 0);
	CU_ASSERT_EQUAL(s.held_bytes, 0);
	ecs_stream_fini(&s);
}

static void stream_is_bounded(void)
{
	static struct got g;
	static const uint8_t z[ECS_STREAM_BYTES_MAX + 1];
	struct ecs_stream s = {0};

	memset(&g, 0, sizeof(g));
	ecs_stream_syn(&s, 0);
	for (uint32_t i = 0; i < ECS_STREAM_HELD_MAX; i++)
		ecs_stream_push(&s, 11 + i * 20, z, 10, on_bytes, &g);
	CU_ASSERT_EQUAL(s.nheld, ECS_STREAM_HELD_MAX);
	CU_ASSERT_EQUAL(g.gaps, 0);
	ecs_stream_push(&s, 11 + ECS_STREAM_HELD_MAX * 20, z, 10, on_bytes, &g);
	CU_ASSERT_TRUE(g.gaps > 0);
	CU_ASSERT_EQUAL(s.nheld, 0);
	CU_ASSERT_EQUAL(s.next, 11 + ECS_STREAM_HELD_MAX * 20 + 10);
	ecs_stream_fini(&s);
	/* by bytes */
	s = (struct ecs_stream){0};
	memset(&g, 0, sizeof(g));
	ecs_stream_syn(&s, 0);
	ecs_stream_push(&s, 100, z, ECS_STREAM_BYTES_MAX, on_bytes, &g);
	CU_ASSERT_EQUAL(s.nheld, 1);
	CU_ASSERT_EQUAL(g.gaps, 0);
	ecs_stream_push(&s, 99, z, 1, on_bytes, &g);
	CU_ASSERT_EQUAL(g.gaps, 1);
	CU_ASSERT_EQUAL(g.n, ECS_STREAM_BYTES_MAX + 1);
	ecs_stream_fini(&s);
	s = (struct ecs_stream){0};
	memset(&g, 0, sizeof(g));
	ecs_stream_syn(&s, 0);
	ecs_stream_push(&s, 100, z, ECS_STREAM_BYTES_MAX + 1, on_bytes, &g);
	CU_ASSERT_TRUE(g.gaps > 0);
	CU_ASSERT_EQUAL(s.nheld, 0);
	ecs_stream_fini(&s);
}

/* --- the analysis of a flow ------------------------------------------------------------------- */

struct flow {
	struct ecs_analysis a;
	struct ecs_counters ctr;
	uint32_t up, down;
	uint8_t proto;
	uint16_t port;
};

static unsigned say(struct flow *f, enum ecs_dir dir, uint8_t flags, const void *data, size_t len)
{
	bool up = dir == ECS_UPLINK;
	uint32_t *seq = up ? &f->up : &f->down;
	struct pk k = {.src = up ? "10.0.0.1" : "192.0.2.1", .dst = up ? "192.0.2.1" : "10.0.0.1",
	               .proto = f->proto, .sport = up ? 4000 : f->port,
	               .dport = up ? f->port : 4000, .flags = flags, .seq = *seq,
	               .data = data, .len = len};
	uint8_t b[PK_CAP];
	struct ecs_packet p;

	CU_ASSERT_EQUAL_FATAL(ecs_packet_parse(b, pk_build(&k, b), dir, &p), 0);
	*seq += (uint32_t)len + (flags & ECS_TCP_SYN ? 1 : 0);
	return ecs_analyze(&f->a, NULL, &p, &f->ctr, now);
}

static void begin(struct flow *f, struct ecs_needs needs, uint8_t proto, uint16_t port)
{
	memset(f, 0, sizeof(*f));
	f->proto = proto;
	f->port = port;
	f->up = 0xffffffff;
	f->down = 77;
	CU_ASSERT_TRUE_FATAL(ecs_analysis_init(&f->a, needs, proto, port, ECS_UPLINK, NULL));
	if (proto == 6) {
		CU_ASSERT_EQUAL(say(f, ECS_UPLINK, ECS_TCP_SYN, NULL, 0), 0);
		CU_ASSERT_EQUAL(say(f, ECS_DOWNLINK, ECS_TCP_SYN | ECS_TCP_ACK, NULL, 0), 0);
	}
}

static void analysis_of_http(void)
{
	static const char one[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
	static const char two[] = "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
	struct flow f;

	begin(&f, (struct ecs_needs){.http = true, .tls = true}, 6, 8000);
	CU_ASSERT_EQUAL(f.a.l7.mute & (ECS_WHO_HTTP | ECS_WHO_TLS | ECS_WHO_DNS), ECS_WHO_DNS);
	CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, ECS_TCP_ACK, one, 10), 0);
	CU_ASSERT_FALSE(f.a.l7.final);
	CU_ASSERT_EQUAL(f.a.l7.mute & (ECS_WHO_HTTP | ECS_WHO_TLS), ECS_WHO_TLS);
	CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, ECS_TCP_ACK, one + 10, sizeof(one) - 11), ECS_AN_NEWS);
	CU_ASSERT_TRUE(f.a.l7.final);
	CU_ASSERT_TRUE(f.a.l7.mute & ECS_WHO_HTTP);
	CU_ASSERT_TRUE(text_is(f.a.l7.http_url, "a/1"));
	CU_ASSERT_EQUAL(say(&f, ECS_DOWNLINK, ECS_TCP_ACK, "HTTP/1.1 200\r\n\r\n", 16), 0);
	CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, ECS_TCP_ACK, two, sizeof(two) - 1), ECS_AN_NEWS);
	CU_ASSERT_TRUE(text_is(f.a.l7.http_url, "b/2"));
	CU_ASSERT_EQUAL(f.ctr.http_requests, 2);
	CU_ASSERT_TRUE(ecs_analysis_spoken(&f.a));
	ecs_analysis_fini(&f.a);
}

static void analysis_of_tls(void)
{
	uint8_t b[512];
	size_t n = pk_hello("sni.example", b);
	struct flow f;

	for (size_t cut = 1; cut < n; cut += 13) {
		begin(&f, (struct ecs_needs){.tls = true}, 6, 443);
		CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, ECS_TCP_ACK, b, cut), 0);
		CU_ASSERT_EQUAL(say(&f, ECS_DOWNLINK, ECS_TCP_ACK, NULL, 0), 0);
		CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, ECS_TCP_ACK, b + cut, n - cut),
		                ECS_AN_NEWS | ECS_AN_OVER);
		CU_ASSERT_TRUE(text_is(f.a.l7.tls_sni, "sni.example"));
		CU_ASSERT_TRUE(f.a.l7.final);
		CU_ASSERT_EQUAL(f.ctr.tls_hellos, 1);
		ecs_analysis_fini(&f.a);
	}
	/* nobody asks for TLS: over at the first byte */
	begin(&f, (struct ecs_needs){.http = true}, 6, 443);
	CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, ECS_TCP_ACK, b, n), ECS_AN_NEWS | ECS_AN_OVER);
	CU_ASSERT_FALSE(ecs_analysis_spoken(&f.a));
	CU_ASSERT_TRUE(f.a.l7.final);
	ecs_analysis_fini(&f.a);
}

static void analysis_of_dns(void)
{
	uint8_t b[1024];
	size_t n = pk_dns("one.example", b), m;
	struct flow f;

	begin(&f, (struct ecs_needs){.dns = true}, 17, 53);
	CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, 0, b, n), ECS_AN_NEWS);
	CU_ASSERT_TRUE(text_is(f.a.l7.dns_query, "one.example"));
	CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, 0, b, n), 0); /* the same once more */
	n = pk_dns("two.example", b);
	CU_ASSERT_EQUAL(say(&f, ECS_UPLINK, 0, b, n), ECS_AN_NEWS);
	CU_ASSERT_TRUE(text_is(f.a.l7.dns_query, "two.example"));
	CU_ASSERT_EQUAL(f.ctr.dns_queries, 3);
	ecs_analysis_fini(&f.a);
	/* over TCP, two messages, cut anywhere */
	n = pk_dns("three.example", b + 2);
	pk16(b, (unsigned)n + 300); /* with 300 bytes of other sections */
	memset(b + 2 + n, 0, 300);
	n += 302;
	m = pk_dns("four.example", b + n + 2);
	pk16(b + n, (unsigned)m);
	m += n + 2;
	for (size_t cut = 1; cut < m; cut += 3) {
		begin(&f, (struct ecs_needs){.dns = true}, 6, 53);
		say(&f, ECS_UPLINK, ECS_TCP_ACK, b, cut);
		say(&f, ECS_UPLINK, ECS_TCP_ACK, b + cut, m - cut);
		CU_ASSERT_TRUE(text_is(f.a.l7.dns_query, "four.example"));
		CU_ASSERT_EQUAL(f.ctr.dns_queries, 2);
		ecs_analysis_fini(&f.a);
	}
	/* other ports are not DNS */
	memset(&f, 0, sizeof(f));
	CU_ASSERT_FALSE(ecs_analysis_init(&f.a, (struct ecs_needs){.dns = true}, 17, 5353,
	                                  ECS_UPLINK, NULL));
	CU_ASSERT_FALSE(ecs_analysis_init(&f.a, (struct ecs_needs){.http = true}, 17, 80,
	                                  ECS_UPLINK, NULL));
}

static void analysis_gives_up(void)
{
	struct flow f;
	unsigned said = 0;

	begin(&f, (struct ecs_needs){.http = true}, 6, 25);
	for (unsigned i = 1; i < ECS_ANALYZE_PACKETS_MAX; i++)
		said |= say(&f, ECS_DOWNLINK, ECS_TCP_ACK, "220 mail\r\n", 10);
	CU_ASSERT_EQUAL(said, 0);
	CU_ASSERT_EQUAL(say(&f, ECS_DOWNLINK, ECS_TCP_ACK, "220 mail\r\n", 10),
	                ECS_AN_NEWS | ECS_AN_OVER);
	CU_ASSERT_EQUAL(f.ctr.analyses_given_up, 1);
	ecs_analysis_fini(&f.a);
}

static void applications(void)
{
	struct ecs_app *app = ecs_app_new();
	uint8_t hs[68] = "\x13" "BitTorrent protocol", b[PK_CAP];
	struct pk k = {.src = "10.0.0.1", .dst = "192.0.2.1", .proto = 6, .sport = 4000,
	               .dport = 6881, .flags = ECS_TCP_ACK, .seq = 1, .data = hs,
	               .len = sizeof(hs)};
	struct ecs_counters ctr = {0};
	struct ecs_analysis a = {0};
	struct ecs_packet p;
	int bt = ecs_app_by_name("bittorrent");

	CU_ASSERT_TRUE(bt > 0);
	CU_ASSERT_STRING_EQUAL(ecs_app_name((uint16_t)bt), "BitTorrent");
	CU_ASSERT_EQUAL(ecs_app_by_name("no such application"), -1);
	CU_ASSERT_EQUAL(ecs_app_by_name("Unknown"), -1);
	CU_ASSERT_STRING_EQUAL(ecs_app_name(0), "Unknown");
	CU_ASSERT_PTR_NULL(ecs_app_name(65535));
	CU_ASSERT_PTR_NOT_NULL_FATAL(app);
	CU_ASSERT_TRUE(ecs_analysis_init(&a, (struct ecs_needs){.app = true}, 6, 6881, ECS_UPLINK, NULL));
	CU_ASSERT_EQUAL(ecs_packet_parse(b, pk_build(&k, b), ECS_UPLINK, &p), 0);
	CU_ASSERT_TRUE(ecs_analyze(&a, app, &p, &ctr, now) & ECS_AN_NEWS);
	CU_ASSERT_EQUAL(a.l7.app, bt);
	CU_ASSERT_TRUE(ecs_analysis_spoken(&a));
	CU_ASSERT_TRUE(ctr.analyzer_bytes >= sizeof(hs));
	ecs_analysis_fini(&a);
	ecs_app_free(app);
}

CU_TestInfo ecs_analyze_tests[] = {
	{"HTTP requests, cut anywhere", http_requests_cut_anywhere},
	{"what is not HTTP/1", http_is_refused},
	{"HTTP: persistent connections", http_persistent},
	{"HTTP: headers beyond the limit", http_long_header},
	{"HTTP: bytes of zero", http_hides_zero_bytes},
	{"TLS: a hello cut anywhere", tls_hello_cut},
	{"TLS: a hello in many records", tls_hello_in_records},
	{"TLS: malformed", tls_hello_malformed},
	{"DNS: questions", dns_questions},
	{"DNS: longest name", dns_name_limit},
	{"a stream is put in order", stream_orders},
	{"a stream holds little", stream_is_bounded},
	{"analysis of HTTP", analysis_of_http},
	{"analysis of TLS", analysis_of_tls},
	{"analysis of DNS", analysis_of_dns},
	{"an analysis gives up", analysis_gives_up},
	{"applications", applications},
	CU_TEST_INFO_NULL,
};

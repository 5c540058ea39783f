#include "config.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/rtsp.h"

#define SETUP "SETUP rtsp://m.test/1 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP;unicast;client_port=4588-4589\r\n\r\n"
#define OK    "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 12;timeout=60\r\n"
#define BOTH  "Transport: RTP/AVP;unicast;client_port=4588-4589;server_port=6256-6257\r\n\r\n"

/* As it comes, in pieces of @p by bytes, each in memory of its own. */
static bool feed(struct ecs_rtsp *r, bool to, const char *text, size_t by)
{
	size_t left = strlen(text);
	bool good = true;

	while (good && left) {
		size_t n = by < left ? by : left;
		uint8_t *copy = malloc(n);

		memcpy(copy, text, n);
		good = to ? ecs_rtsp_to(r, copy, n) : ecs_rtsp_from(r, copy, n);
		free(copy);
		text += n;
		left -= n;
	}
	return good;
}

static void is_media(const struct ecs_rtsp *r, size_t i, uint16_t client, uint16_t server, bool two)
{
	CU_ASSERT_TRUE_FATAL(r->nmedia > i);
	CU_ASSERT_EQUAL(r->media[i].client[0], client);
	CU_ASSERT_EQUAL(r->media[i].server[0], server);
	CU_ASSERT_EQUAL(r->media[i].client[1], two ? client + 1 : 0);
	CU_ASSERT_EQUAL(r->media[i].server[1], two ? server + 1 : 0);
}

/* What an answer to SETUP with this Transport (and status) gives: how many media. */
static unsigned answer(struct ecs_rtsp *r, const char *ask, const char *status, const char *transport)
{
	char text[4096];

	memset(r, 0, sizeof(*r));
	snprintf(text, sizeof(text), "SETUP rtsp://m/1 RTSP/1.0\r\nCSeq: 7\r\nTransport: %s\r\n\r\n", ask);
	CU_ASSERT_TRUE(feed(r, true, text, 4096));
	snprintf(text, sizeof(text), "RTSP/1.0 %s\r\ncseq:7\r\nTRANSPORT:  %s\r\n\r\n", status, transport);
	CU_ASSERT_TRUE(feed(r, false, text, 4096));
	return r->nmedia;
}

static void test_setup(void)
{
	/* whole, and cut at every byte */
	for (size_t by = 1; by <= sizeof(SETUP); by++) {
		struct ecs_rtsp r = {0};

		CU_ASSERT_TRUE(feed(&r, true, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" SETUP, by));
		CU_ASSERT_TRUE(r.known);
		CU_ASSERT_EQUAL(r.nsetups, 1);
		CU_ASSERT_TRUE(feed(&r, false, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n" OK BOTH, by));
		CU_ASSERT_EQUAL(r.nsetups, 0);
		CU_ASSERT_EQUAL(r.nmedia, 1);
		is_media(&r, 0, 4588, 6256, true);
	}
	for (size_t n = 0; n < sizeof(OK BOTH) - 1; n++) { /* nothing before the end of the answer */
		struct ecs_rtsp r = {0};
		char text[sizeof(OK BOTH)] = OK BOTH;

		text[n] = '\0';
		CU_ASSERT_TRUE(feed(&r, true, SETUP, 4096));
		CU_ASSERT_TRUE(feed(&r, false, text, 4096));
		CU_ASSERT_EQUAL(r.nmedia, 0);
	}
}

static void test_transport(void)
{
	struct ecs_rtsp r;
	struct ecs_addr a;

	CU_ASSERT_EQUAL(answer(&r, "RTP/AVP;unicast;client_port=5000-5001", "200 OK",
	                       "RTP/AVP/UDP;unicast;server_port=6000-6001"), 1);
	is_media(&r, 0, 5000, 6000, true); /* the port of the client is that of the request */
	CU_ASSERT_EQUAL(answer(&r, "RTP/AVP/TCP;interleaved=0-1 , rtp/avp ; unicast ; client_port=5000",
	                       "200 OK", "RTP/AVP;server_port=6000-6001"), 1);
	is_media(&r, 0, 5000, 6000, false);
	CU_ASSERT_EQUAL(answer(&r, "x", "200", "RTP/AVP;client_port=1-2;server_port=65534-65535;"
	                       "source=2001:db8::1;destination=10.0.0.1;ssrc=1;mode=play"), 1);
	is_media(&r, 0, 1, 65534, true);
	CU_ASSERT_TRUE(r.media[0].has_source && r.media[0].has_destination);
	CU_ASSERT_EQUAL(ecs_addr_parse("2001:db8::1", &a), 0);
	CU_ASSERT_EQUAL(memcmp(&a, &r.media[0].source, sizeof(a)), 0);

	static const char *const none[] = {
		"RTP/AVP;unicast;client_port=5000-5001",             /* no port of the server */
		"RTP/AVP;multicast;client_port=1-2;server_port=3-4", "RTP/AVP/TCP;interleaved=0-1",
		"RTP/AVP;client_port=0-1;server_port=3-4",           "RTP/AVP;client_port=1-3;server_port=3-4",
		"RTP/AVP;client_port=65535-65536;server_port=3-4",   "RTP/AVP;client_port=2-1;server_port=3-4",
		"RTP/AVP;client_port=99999999999;server_port=3-4",   "RTP/AVP;client_port=;server_port=3-4",
		"RTP/AVP;client_port=1-2x;server_port=3-4",          "RTP/AVP;server_port=3-4;client_port=1-",
		"RTP/AVP;client_port=1-2;server_port=3-4;source=nowhere", "", ";;;,,,", "=",
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CU_ASSERT_EQUAL(answer(&r, "RTP/AVP;unicast;client_port=5000-5001", "200 OK", none[i]), 0);
	CU_ASSERT_EQUAL(answer(&r, "x", "200 OK", "RTP/AVP;server_port=3-4"), 0); /* nobody named its port */
	CU_ASSERT_EQUAL(answer(&r, "x", "454 No", "RTP/AVP;client_port=1-2;server_port=3-4"), 0);
	CU_ASSERT_EQUAL(answer(&r, "x", "2000", "RTP/AVP;client_port=1-2;server_port=3-4"), 0);
}

/* Answers that nobody has asked for, and more than is kept. */
static void test_limits(void)
{
	struct ecs_rtsp r = {0};
	char text[256];

	CU_ASSERT_TRUE(feed(&r, true, "PLAY rtsp://m/1 RTSP/1.0\r\nCSeq: 2\r\n\r\n", 4096));
	CU_ASSERT_TRUE(feed(&r, false, OK BOTH, 4096));
	CU_ASSERT_EQUAL(r.nmedia, 0);
	for (unsigned i = 0; i < ECS_RTSP_SETUPS_MAX + 1; i++) {
		snprintf(text, sizeof(text), "SETUP a RTSP/1.0\r\nCSeq: %u\r\n\r\n", i);
		CU_ASSERT_TRUE(feed(&r, true, text, 4096));
	}
	CU_ASSERT_EQUAL(r.nsetups, ECS_RTSP_SETUPS_MAX);
	for (unsigned i = 0; i < ECS_RTSP_SETUPS_MAX + 1; i++) {
		snprintf(text, sizeof(text), "RTSP/1.0 200 OK\r\nCSeq: %u\r\n" BOTH, i);
		CU_ASSERT_TRUE(feed(&r, false, text, 4096));
		CU_ASSERT_TRUE(feed(&r, false, text, 4096)); /* twice: once */
		CU_ASSERT_EQUAL(r.nmedia, i); /* the oldest was let go */
	}
	CU_ASSERT_TRUE(feed(&r, true, SETUP, 4096));
	CU_ASSERT_TRUE(feed(&r, false, OK BOTH, 4096));
	CU_ASSERT_EQUAL(r.nmedia, ECS_RTSP_MEDIA_MAX);
	CU_ASSERT_EQUAL(r.missed, 1);
}

/* Bodies and interleaved data hold anything. */
static void test_passed_over(void)
{
	for (size_t by = 1; by < 40; by++) {
		struct ecs_rtsp r = {0};

		CU_ASSERT_TRUE(feed(&r, true, "ANNOUNCE a RTSP/1.0\r\nContent-Length: 15\r\n\r\nSETUP x\r\n\r\n"
		                              "\r\n\r\n" SETUP, by));
		CU_ASSERT_TRUE(feed(&r, false, "$\x01\x01\x02", by)); /* 258 bytes */
		for (unsigned i = 0; i < 258; i++)
			CU_ASSERT_TRUE(ecs_rtsp_from(&r, (const uint8_t *)"\0", 1));
		/* the server may ask, too */
		CU_ASSERT_TRUE(feed(&r, false, "SET_PARAMETER a RTSP/1.0\r\nCSeq: 2\r\n\r\n" OK BOTH, by));
		CU_ASSERT_EQUAL(r.nmedia, 1);
	}
}

static void test_hostile(void)
{
	static const char *const other[] = {
		"GET / HTTP/1.1\r\n", "SETUP\r\n", "SETUP RTSP/1.0\r\n", "RTSP/1.0 200 OK\r\n", "$abcd", "\x16\x03\x01",
		"a RTSP/1.0 b\r\n", "SETUP a RTSP/2.0\r\n", "SETUP a RTSP/1.0 \r\n", "\xff",
	};
	char longer[ECS_RTSP_LINE_MAX + 64];
	struct ecs_rtsp r;

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		memset(&r, 0, sizeof(r));
		CU_ASSERT_FALSE(feed(&r, true, other[i], 1));
		CU_ASSERT_FALSE(r.known);
	}
	memset(&r, 0, sizeof(r));
	CU_ASSERT_FALSE(ecs_rtsp_to(&r, NULL, 0)); /* a gap */
	CU_ASSERT_FALSE(ecs_rtsp_to(&r, (const uint8_t *)"A \0 RTSP/1.0\n", 13));
	memset(&r, 0, sizeof(r));
	CU_ASSERT_FALSE(feed(&r, true, "A a RTSP/1.0\r\nContent-Length: 1048577\r\n", 9));
	memset(&r, 0, sizeof(r));
	CU_ASSERT_TRUE(feed(&r, true, "A a RTSP/1.0\r\nContent-Length: 1048576\r\n", 9));
	memset(&r, 0, sizeof(r));
	CU_ASSERT_FALSE(feed(&r, true, "A a RTSP/1.0\r\nContent-Length: -1\r\n", 9));

	/* a line as long as one may be, and longer: as the first one, and of a header */
	for (size_t n = ECS_RTSP_LINE_MAX - 1; n <= ECS_RTSP_LINE_MAX + 1; n++) {
		memset(longer, 'A', sizeof(longer));
		memcpy(longer + n - 11, " b RTSP/1.0\n", 13);
		memset(&r, 0, sizeof(r));
		CU_ASSERT_EQUAL(feed(&r, true, longer, 4096), n <= ECS_RTSP_LINE_MAX);
		memset(longer, 'a', sizeof(longer));
		memcpy(longer, "Transport: RTP/AVP;", 19);
		longer[n] = '\n';
		longer[n + 1] = '\0';
		memset(&r, 0, sizeof(r));
		CU_ASSERT_TRUE(feed(&r, true, "SETUP a RTSP/1.0\nCSeq: 2\n", 4096));
		CU_ASSERT_TRUE(feed(&r, true, longer, 4096));
		CU_ASSERT_EQUAL(r.to.transport.udp, n <= ECS_RTSP_LINE_MAX);
		CU_ASSERT_TRUE(feed(&r, true, "\n", 1));
		CU_ASSERT_EQUAL(r.nsetups, 1);
	}
}

/* What is changed at one place is read or refused, and never more than that. */
static void test_changed(void)
{
	static const char text[] = OK BOTH;
	static const uint8_t with[] = {0, '\n', '\r', '$', ' ', ';', ',', '=', '-', '9', 0xff};

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		for (size_t w = 0; w < sizeof(with); w++) {
			uint8_t *copy = malloc(sizeof(text) - 1);
			struct ecs_rtsp r = {0};

			memcpy(copy, text, sizeof(text) - 1);
			copy[i] = with[w];
			CU_ASSERT_TRUE(feed(&r, true, SETUP, 4096));
			(void)ecs_rtsp_from(&r, copy, sizeof(text) - 1);
			CU_ASSERT_TRUE(r.nmedia <= 1);
			free(copy);
		}
}

CU_TestInfo ecs_rtsp_tests[] = {
	{"a SETUP and its answer", test_setup},
	{"transports", test_transport},
	{"limits", test_limits},
	{"bodies and interleaved data", test_passed_over},
	{"what is not RTSP, or too long", test_hostile},
	{"changed bytes", test_changed},
	CU_TEST_INFO_NULL,
};

/* Bytes inserted into a stream: those behind them, acknowledgements, what is sent again. */
#include "config.h"
#include "suites.h"

#include "ecs_enforce_rig.h"

#define STREAM  4096u
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

CU_TestInfo ecs_shift_tests[] = {
	{"streams with inserted bytes, lost and cut anew", test_streams},
	{"selective acknowledgements", test_sack},
	CU_TEST_INFO_NULL,
};

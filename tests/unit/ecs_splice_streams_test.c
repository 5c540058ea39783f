/* Whole streams of connections that get another server: with loss, out of order, twice; and their
 * packets in the trace. */
#include "config.h"
#include "suites.h"

#include "ecs_splice_rig.h"

#define STREAM 3000u

/* Bytes one way: what was sent, and what of it has come, wherever it was kept meanwhile. */
struct way {
	uint8_t sent[STREAM], got[STREAM];
	bool have[STREAM];
	size_t next; /* of the receiver */
};

static unsigned seed;

static unsigned dice(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void arrive(struct way *y, const struct ecs_packet *p, uint32_t first)
{
	uint32_t at = p->tcp_seq - first;

	CU_ASSERT_FATAL(at + p->payload_len <= STREAM);
	for (size_t i = 0; i < p->payload_len; i++) {
		y->got[at + i] = p->payload[i];
		y->have[at + i] = true;
	}
	while (y->next < STREAM && y->have[y->next])
		y->next++;
}

/* A segment of somewhere between what its receiver has and what follows. */
static void stretch(const struct way *y, size_t ahead, size_t *from, size_t *n)
{
	size_t left;

	*from = y->next + (dice(2) ? dice((unsigned)ahead) : 0);
	if (*from >= STREAM)
		*from = y->next;
	left = STREAM - *from;
	*n = 1 + dice(400);
	if (*n > left)
		*n = left;
}

static void request_comes(struct link *l, struct way *up)
{
	size_t whole = strlen(SHOP) + 40;
	unsigned sent[4] = {0};
	unsigned left = 4;

	/* four pieces, in any order, some of them twice */
	while (left) {
		unsigned i = dice(4);
		struct seg g = seg_of(ACK, l->isn + 1 + (uint32_t)(i * (whole / 4)), FIRST_ISN + 1, NULL);

		if (sent[i] == 2)
			continue; /* more is too much for who reads it */
		g.data = up->sent + i * (whole / 4);
		g.len = whole / 4;
		CU_ASSERT_EQUAL_FATAL(say_as(l, SUB, g), ECS_DROP);
		left -= !sent[i]++;
	}
	CU_ASSERT_EQUAL_FATAL(world.nmade, 1);
	CU_ASSERT_EQUAL(agree(l), ECS_DROP);
	CU_ASSERT_EQUAL(world.nreleased, 4);
	for (unsigned i = 0; i < world.nreleased; i++)
		if (dice(3)) /* some are lost behind the chassis */
			arrive(up, &world.released[i].p, l->isn + 1);
}

static void one_stream(struct rig *r, unsigned n)
{
	static struct way up, down;
	struct link l = link_of(r, (uint16_t)(2000 + n));
	unsigned turns = 0;

	seed = n;
	l.isn = SUB_ISN - n * 31;
	memset(&up, 0, sizeof(up));
	memset(&down, 0, sizeof(down));
	for (size_t i = 0; i < STREAM; i++) {
		up.sent[i] = (uint8_t)(i < strlen(SHOP) ? (unsigned)SHOP[i] : 'a' + dice(26));
		down.sent[i] = (uint8_t)dice(256);
	}
	greet(&l);
	request_comes(&l, &up);
	while ((up.next < STREAM || down.next < STREAM) && turns++ < 10000) {
		bool is_up = dice(2);
		struct way *y = is_up ? &up : &down;
		size_t from, len;
		struct box x;
		struct seg g;

		if (y->next == STREAM)
			continue;
		stretch(y, 500, &from, &len);
		g = is_up ? seg_of(ACK, l.isn + 1 + (uint32_t)from, FIRST_ISN + 1 + (uint32_t)down.next, NULL)
		          : seg_of(ACK, OTHER_ISN + 1 + (uint32_t)from, l.isn + 1 + (uint32_t)up.next, NULL);
		g.data = y->sent + from;
		g.len = len;
		put_seg(&l, is_up ? SUB : OTHERS, &g, &x, dice(2));
		CU_ASSERT_EQUAL_FATAL(x.v, ECS_FORWARD);
		CU_ASSERT_EQUAL(x.p.tcp_ack, is_up ? OTHER_ISN + 1 + (uint32_t)down.next : g.ack);
		if (dice(4)) /* else it is lost */
			arrive(y, &x.p, is_up ? l.isn + 1 : FIRST_ISN + 1);
	}
	CU_ASSERT_EQUAL(memcmp(up.got, up.sent, STREAM), 0);
	CU_ASSERT_EQUAL(memcmp(down.got, down.sent, STREAM), 0);
	CU_ASSERT_EQUAL(say_as(&l, SUB, seg_of(RST, l.isn + 1 + STREAM, 0, NULL)), ECS_FORWARD);
}

/* With loss, out of order, twice, over the wrap of numbers. */
static void test_streams(void)
{
	struct rig r;

	start_splicing(&r);
	for (unsigned n = 0; n < 200; n++)
		one_stream(&r, n);
	CU_ASSERT_EQUAL(r.c.url_readdressed, 200);
	CU_ASSERT_EQUAL(r.e->splice_bytes, 0);
	end(&r);
}

/* The packet trace tells of each packet what became of it. */
static void test_trace(void)
{
	static const uint8_t fates[] = {ECS_TRACE_FORWARDED, ECS_TRACE_FORWARDED, ECS_TRACE_FORWARDED,
	                                ECS_TRACE_HELD, ECS_TRACE_DROPPED, ECS_TRACE_FORWARDED};
	const struct ecs_trace_row *t = NULL;
	struct rig r;
	struct link l;
	unsigned n = 0;

	start_splicing(&r);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &(struct ecs_trace_ask){.callid = 1}, true, 0), 0);
	l = link_of(&r, 2000);
	join(&l, SHOP);
	while ((t = ecs_trace_next(r.e, t ? t->seq : 0, 0)) != NULL) {
		CU_ASSERT_FATAL(n < sizeof(fates));
		CU_ASSERT_EQUAL(t->fate, fates[n]);
		CU_ASSERT_EQUAL(t->late, n == 5);
		if (n == 4)
			CU_ASSERT_STRING_EQUAL(ecs_trace_by_text(t->by), "url-readdress");
		n++;
	}
	CU_ASSERT_EQUAL(n, sizeof(fates));
	end(&r);
}

CU_TestInfo ecs_splice_streams_tests[] = {
	{"streams with loss", test_streams},
	{"packet trace", test_trace},
	CU_TEST_INFO_NULL,
};

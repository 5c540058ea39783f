/* What is counted of segments out of order and of datagrams in fragments. */
#include "config.h"
#include "suites.h"

#include "ecs/call.h"
#include "ecs/stream.h"
#include "ecs_rig.h"

/* --- streams ---------------------------------------------------------------------------------- */

struct out {
	size_t bytes;
	unsigned gaps;
};

static void on_bytes(void *arg, const uint8_t *data, size_t len)
{
	struct out *o = arg;

	if (!data)
		o->gaps++;
	o->bytes += len;
}

static const uint8_t zero[ECS_STREAM_BYTES_MAX + 1];

struct reading {
	struct ecs_streams all;
	struct ecs_stream s;
	struct out out;
};

static void start(struct reading *r)
{
	*r = (struct reading){.all = {.now = {SRP_SEC(9)}, .held_max = ECS_STREAMS_BYTES_MAX}};
	r->s.all = &r->all;
	ecs_stream_syn(&r->s, 0);
}

static void push(struct reading *r, uint32_t seq, size_t len)
{
	ecs_stream_push(&r->s, seq, zero, len, on_bytes, &r->out);
}

static uint64_t due(struct reading *r)
{
	return ecs_stream_timer(&r->s, on_bytes, &r->out);
}

static void in_order_counts_nothing(void)
{
	struct reading r;

	start(&r);
	push(&r, 1, 100);
	push(&r, 101, 100);
	push(&r, 1, 100); /* a repetition */
	CU_ASSERT_FALSE(r.all.counted);
	CU_ASSERT_EQUAL(r.out.bytes, 200);
	push(&r, 301, 100);
	CU_ASSERT_TRUE(r.all.counted);
	CU_ASSERT_EQUAL(r.all.count.arrived, 1);
	CU_ASSERT_EQUAL(r.all.held, 100);
	push(&r, 201, 100);
	CU_ASSERT_EQUAL(r.out.bytes, 400);
	CU_ASSERT_EQUAL(r.all.held, 0);
	ecs_stream_fini(&r.s);
	CU_ASSERT_EQUAL(r.all.count.drop, 0);
}

static void queue_full(void)
{
	struct reading r;

	start(&r);
	for (uint32_t i = 0; i < ECS_STREAM_HELD_MAX; i++)
		push(&r, 11 + i * 20, 10);
	CU_ASSERT_EQUAL(r.all.count.arrived, ECS_STREAM_HELD_MAX);
	CU_ASSERT_EQUAL(r.all.count.flush_queue_full, 0);
	push(&r, 11 + ECS_STREAM_HELD_MAX * 20, 10);
	CU_ASSERT_EQUAL(r.all.count.flush_queue_full, ECS_STREAM_HELD_MAX + 1);
	CU_ASSERT_EQUAL(r.out.gaps, ECS_STREAM_HELD_MAX + 1);
	CU_ASSERT_EQUAL(r.all.held, 0);
	ecs_stream_fini(&r.s);
}

static void no_buffers(void)
{
	struct reading r;

	start(&r);
	r.all.held_max = 100;
	push(&r, 101, 100); /* at the limit */
	CU_ASSERT_EQUAL(r.all.count.no_buffers, 0);
	push(&r, 301, 1);
	CU_ASSERT_EQUAL(r.all.count.no_buffers, 1);
	CU_ASSERT_EQUAL(r.all.count.flush_no_buffers, 2);
	CU_ASSERT_EQUAL(r.out.bytes, 101);
	CU_ASSERT_EQUAL(r.all.held, 0);
	ecs_stream_fini(&r.s);
}

static void timer(void)
{
	struct reading r;

	start(&r);
	push(&r, 101, 10);
	push(&r, 201, 10);
	r.all.now.us += SRP_MS(ECS_STREAM_WAIT_MS) - 1;
	CU_ASSERT_EQUAL(due(&r), 1);
	CU_ASSERT_EQUAL(r.all.count.timer_expiry, 0);
	r.all.now.us++;
	CU_ASSERT_EQUAL(due(&r), 0);
	CU_ASSERT_EQUAL(r.all.count.timer_expiry, 1);
	CU_ASSERT_EQUAL(r.all.count.flush_timer, 2);
	CU_ASSERT_EQUAL(r.out.bytes, 20);
	CU_ASSERT_EQUAL(r.out.gaps, 2);
	CU_ASSERT_EQUAL(r.s.nheld, 0);
	/* the next gap has its own time */
	push(&r, 301, 10);
	push(&r, 401, 10);
	r.all.now.us += SRP_MS(ECS_STREAM_WAIT_MS);
	push(&r, 211, 90);
	CU_ASSERT_EQUAL(r.out.bytes, 120);
	CU_ASSERT_EQUAL(due(&r), ECS_STREAM_WAIT_MS + 1);
	CU_ASSERT_EQUAL(r.all.count.timer_expiry, 1);
	ecs_stream_fini(&r.s);
	CU_ASSERT_EQUAL(due(&r), 0);
}

static void out_of_range(void)
{
	struct reading r;

	start(&r);
	push(&r, 1 + ECS_STREAM_RANGE, 10); /* at the limit: held */
	CU_ASSERT_EQUAL(r.all.count.flush_out_of_range, 0);
	push(&r, 2 + ECS_STREAM_RANGE, 10);
	CU_ASSERT_EQUAL(r.all.count.flush_out_of_range, 1);
	CU_ASSERT_EQUAL(r.s.nheld, 1);
	push(&r, 1, 10); /* the stream goes on */
	CU_ASSERT_EQUAL(r.out.bytes, 10);
	/* where everything is far, it is the stream that has gone on */
	for (uint32_t i = 0; i < 3 * ECS_STREAM_HELD_MAX; i++)
		push(&r, 0x40000000u + i * 10, 10);
	CU_ASSERT_EQUAL(r.all.count.flush_out_of_range, 1 + ECS_STREAM_HELD_MAX);
	CU_ASSERT_EQUAL(r.s.next, 0x40000000u + 3 * ECS_STREAM_HELD_MAX * 10);
	ecs_stream_fini(&r.s);
	CU_ASSERT_EQUAL(r.all.held, 0);
}

static void let_go(void)
{
	struct reading r;

	start(&r);
	push(&r, 11, 10);
	push(&r, 31, 10);
	ecs_stream_fini(&r.s);
	CU_ASSERT_EQUAL(r.all.count.drop, 2);
	ecs_stream_fini(&r.s);
	CU_ASSERT_EQUAL(r.all.count.drop, 2);
	start(&r);
	push(&r, 11, 10);
	ecs_stream_let_go(&r.s, true);
	CU_ASSERT_EQUAL(r.all.count.flush_svc_change, 1);
	CU_ASSERT_EQUAL(r.all.count.drop, 0);
	CU_ASSERT_EQUAL(r.all.held, 0);
}

/* --- of a session ----------------------------------------------------------------------------- */

static struct ecs_session_debug debug(const struct rig *r)
{
	struct ecs_session_debug d;

	ecs_session_debug(r->e, r->s, &d, r->now);
	return d;
}

static void a_flow_out_of_order(void)
{
	static const char get[] = GET("a.video.example");
	struct rig r;
	struct conn c;
	uint32_t at;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(debug(&r).reorder.arrived, 0);
	CU_ASSERT_PTR_NULL(r.s->more); /* most sessions never need them */
	at = c.up;
	c.up = at + 10;
	say_n(&c, ECS_UPLINK, ACK, get + 10, sizeof(get) - 1 - 10);
	CU_ASSERT_EQUAL(debug(&r).reorder.arrived, 1);
	CU_ASSERT_STRING_NOT_EQUAL(rule_of(&c), "video");
	c.up = at;
	say_n(&c, ECS_UPLINK, ACK, get, 10);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_EQUAL(debug(&r).reorder.arrived, 1);
	/* and one that is held when the flow ends */
	c.up = at + 2000;
	say_n(&c, ECS_UPLINK, ACK, get, 10);
	say(&c, ECS_UPLINK, RST, NULL);
	CU_ASSERT_EQUAL(debug(&r).reorder.arrived, 2);
	CU_ASSERT_EQUAL(debug(&r).reorder.drop, 1);
	CU_ASSERT_EQUAL(r.e->streams.held, 0);
	end(&r);
}

/* What is missing never comes: the request behind the gap is read all the same. */
static void a_segment_that_never_comes(void)
{
	static const char get[] = GET("a.video.example");
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("b.other.example"));
	CU_ASSERT_STRING_NOT_EQUAL(rule_of(&c), "video");
	c.up += 10;
	say(&c, ECS_UPLINK, ACK, get);
	CU_ASSERT_STRING_NOT_EQUAL(rule_of(&c), "video");
	wait_ms(&r, ECS_STREAM_WAIT_MS - 500);
	CU_ASSERT_EQUAL(debug(&r).reorder.timer_expiry, 0);
	wait_ms(&r, 1000);
	CU_ASSERT_EQUAL(debug(&r).reorder.timer_expiry, 1);
	CU_ASSERT_EQUAL(debug(&r).reorder.flush_timer, 1);
	CU_ASSERT_EQUAL(r.e->streams.held, 0);
	say(&c, ECS_UPLINK, ACK, "rest of it"); /* matched anew with what was found out since */
	wait_ms(&r, 2 * ECS_STREAM_WAIT_MS);
	CU_ASSERT_EQUAL(debug(&r).reorder.timer_expiry, 1);
	/* and a flow that ends while it waits */
	c.up += 10;
	say(&c, ECS_UPLINK, ACK, get);
	say(&c, ECS_UPLINK, RST, NULL);
	wait_ms(&r, 2 * ECS_STREAM_WAIT_MS);
	CU_ASSERT_EQUAL(debug(&r).reorder.timer_expiry, 1);
	end(&r);
}

static void configuration_changes(void)
{
	static const char get[] = GET("a.video.example");
	static const char without[] =
		"ruledef any\n ip any-match = TRUE\n#exit\n"
		"charging-action ca\n content-id 1\n#exit\n"
		"rulebase rb\n action priority 1 ruledef any charging-action ca\n#exit\n";
	struct rig r;
	struct conn c;
	struct ecs_service *svc;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, get);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	c.up += 100;
	say_n(&c, ECS_UPLINK, ACK, get, 10);
	svc = service(without);
	CU_ASSERT_EQUAL_FATAL(ecs_engine_reconfigure(r.e, svc, r.now), 0);
	say(&c, ECS_DOWNLINK, ACK, "data");
	CU_ASSERT_EQUAL(debug(&r).reorder.flush_svc_change, 1);
	ecs_service_free(r.svc);
	r.svc = svc;
	end(&r);
}

/* --- fragments -------------------------------------------------------------------------------- */

#define MF 0x2000u

/* A piece of datagram @p ipid: @p at in units of eight bytes. */
static void piece(struct rig *r, uint16_t ipid, unsigned at, size_t len, bool more)
{
	struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 1, .dport = 2,
	               .frag = (uint16_t)(at | (more ? MF : 0)), .ipid = ipid, .data = zero,
	               .len = at ? len : len - 8};

	(void)put(r, &k, ECS_UPLINK, 0);
}

#define IS(d, s, p, t, n, o)                                                                    \
	CU_ASSERT((d).reassembly.success == (s) && (d).reassembly.in_progress == (p) &&          \
	          (d).reassembly.timeout == (t) && (d).reassembly.no_buffers == (n) &&           \
	          (d).reassembly.other == (o))

static void whole_datagrams(void)
{
	struct rig r;

	begin(&r);
	piece(&r, 1, 0, 800, true);
	IS(debug(&r), 0, 1, 0, 0, 0);
	piece(&r, 1, 100, 800, true);
	piece(&r, 1, 200, 33, false);
	IS(debug(&r), 1, 0, 0, 0, 0);
	piece(&r, 1, 100, 800, true); /* a repetition */
	IS(debug(&r), 1, 0, 0, 0, 0);
	piece(&r, 2, 200, 33, false); /* from behind, one twice, two that overlap */
	piece(&r, 2, 150, 400, true);
	piece(&r, 2, 150, 400, true);
	piece(&r, 2, 100, 600, true);
	IS(debug(&r), 1, 1, 0, 0, 0);
	piece(&r, 2, 0, 800, true);
	IS(debug(&r), 2, 0, 0, 0, 0);
	piece(&r, 1, 0, 800, true); /* the identification is used again */
	IS(debug(&r), 2, 1, 0, 0, 0);
	piece(&r, 1, 100, 8, false);
	IS(debug(&r), 3, 0, 0, 0, 0);
	end(&r);
}

static void datagrams_that_never_end(void)
{
	struct rig r;

	begin(&r);
	piece(&r, 1, 0, 800, true);
	piece(&r, 2, 100, 80, false);
	IS(debug(&r), 0, 2, 0, 0, 0);
	r.now.us += SRP_SEC(ECS_FRAG_LIFE_S);
	ecs_engine_tick(r.e, r.now, 100);
	IS(debug(&r), 0, 2, 0, 0, 0);
	r.now.us++;
	CU_ASSERT_TRUE(ecs_engine_tick(r.e, r.now, 1)); /* one by one */
	while (ecs_engine_tick(r.e, r.now, 100))
		;
	IS(debug(&r), 0, 0, 2, 0, 0);
	piece(&r, 2, 100, 80, false); /* too late: of a new one */
	IS(debug(&r), 0, 1, 2, 0, 0);
	ecs_engine_active(r.e, false, r.now);
	IS(debug(&r), 0, 0, 2, 0, 1);
	end(&r);
}

static void datagrams_that_make_no_sense(void)
{
	struct rig r;

	begin(&r);
	piece(&r, 1, 0, 801, true); /* not a multiple of eight */
	IS(debug(&r), 0, 0, 0, 0, 1);
	piece(&r, 2, 10, 80, false); /* two ends */
	piece(&r, 2, 30, 80, false);
	IS(debug(&r), 0, 0, 0, 0, 2);
	piece(&r, 3, 10, 80, false); /* beyond the end */
	piece(&r, 3, 30, 80, true);
	IS(debug(&r), 0, 0, 0, 0, 3);
	piece(&r, 4, 30, 80, true); /* an end before what there is */
	piece(&r, 4, 10, 80, false);
	IS(debug(&r), 0, 0, 0, 0, 4);
	piece(&r, 5, 8191, 80, false); /* longer than a datagram can be */
	IS(debug(&r), 0, 0, 0, 0, 5);
	for (unsigned i = 0; i < ECS_FRAG_PIECES; i++)
		piece(&r, 6, 10 + 20 * i, 80, true);
	IS(debug(&r), 0, 1, 0, 0, 5);
	piece(&r, 6, 10 + 20 * ECS_FRAG_PIECES, 80, true);
	IS(debug(&r), 0, 0, 0, 0, 6);
	end(&r);
}

static void many_datagrams(void)
{
	struct rig r;
	struct ecs_session_debug d;

	begin(&r);
	for (unsigned i = 0; i < 8192; i++)
		piece(&r, (uint16_t)i, 0, 80, true);
	d = debug(&r);
	CU_ASSERT(d.reassembly.in_progress <= 4096);
	CU_ASSERT(d.reassembly.no_buffers >= 4096);
	CU_ASSERT_EQUAL(d.reassembly.in_progress + d.reassembly.no_buffers, 8192);
	/* the session goes, then they do */
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	wait_ms(&r, 31000);
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), 0);
	end(&r);
}

CU_TestInfo ecs_reorder_tests[] = {
	{"stream: in order counts nothing", in_order_counts_nothing},
	{"stream: queue full", queue_full},
	{"stream: no memory", no_buffers},
	{"stream: what is missing does not come", timer},
	{"stream: out of range", out_of_range},
	{"stream: let go", let_go},
	{"session: a flow out of order", a_flow_out_of_order},
	{"session: a segment that never comes", a_segment_that_never_comes},
	{"session: the flow's rule leaves the configuration", configuration_changes},
	{"fragments: whole datagrams", whole_datagrams},
	{"fragments: datagrams that never end", datagrams_that_never_end},
	{"fragments: datagrams that make no sense", datagrams_that_make_no_sense},
	{"fragments: more datagrams than the table holds", many_datagrams},
	CU_TEST_INFO_NULL,
};

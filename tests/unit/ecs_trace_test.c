/* The packet trace: which rule charged each packet, and what became of it. */
#include "config.h"
#include "suites.h"

#include "ecs_rig.h"

#define CHECK "123456789"
#define CHECK_CRC 0xcbf43926u /* the published check value of this CRC-32 */

static const struct ecs_trace_ask everybody;

static void begin_traced(struct rig *r, uint32_t size)
{
	begin(r);
	CU_ASSERT_EQUAL_FATAL(ecs_trace_ask(r->e, &everybody, true, size), 0);
}

static const struct ecs_trace_row *row(const struct rig *r, uint64_t seq)
{
	const struct ecs_trace_row *row = ecs_trace_next(r->e, seq - 1, 0);

	CU_ASSERT_PTR_NOT_NULL_FATAL(row);
	CU_ASSERT_EQUAL_FATAL(row->seq, seq);
	return row;
}

static size_t rows(const struct rig *r)
{
	const struct ecs_trace_row *row = NULL;
	size_t n = 0;

	while ((row = ecs_trace_next(r->e, row ? row->seq : 0, 0)) != NULL)
		n++;
	return n;
}

static struct conn udp(struct rig *r, uint16_t sport, uint16_t dport)
{
	struct conn c = tcp(r, sport, dport);

	c.proto = 17;
	return c;
}

static void says(const struct ecs_trace_row *row, enum ecs_trace_fate fate, const char *by,
                 const char *rule)
{
	CU_ASSERT_STRING_EQUAL(ecs_trace_fate_text(row->fate), ecs_trace_fate_text((uint8_t)fate));
	CU_ASSERT_STRING_EQUAL(ecs_trace_by_text(row->by), by);
	CU_ASSERT_STRING_EQUAL(row->rule, rule);
	CU_ASSERT_EQUAL(row->charged, fate == ECS_TRACE_FORWARDED);
}

/* What is charged by the rows is what the rule has counted. */
static void adds_up(const struct rig *r, const char *rule)
{
	const struct ecs_rule_stats *st = stats_of(r, strcmp(rule, "(no rule)") ? rule : NULL);
	const struct ecs_trace_row *row = NULL;
	uint64_t pkts[2] = {0}, bytes[2] = {0};

	while ((row = ecs_trace_next(r->e, row ? row->seq : 0, 0)) != NULL) {
		if (!row->charged || strcmp(row->rule, rule) != 0)
			continue;
		pkts[row->dir] += row->pkts;
		bytes[row->dir] += row->bytes;
	}
	CU_ASSERT_EQUAL(pkts[ECS_UPLINK], st->pkts_up);
	CU_ASSERT_EQUAL(pkts[ECS_DOWNLINK], st->pkts_down);
	CU_ASSERT_EQUAL(bytes[ECS_UPLINK], st->bytes_up);
	CU_ASSERT_EQUAL(bytes[ECS_DOWNLINK], st->bytes_down);
}

static void test_off(void)
{
	struct ecs_trace_ask nobody = {.imsi = "001019999999999"};
	struct rig r;
	struct conn c;

	begin(&r);
	c = udp(&r, 1000, 5000);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_PTR_NULL(r.e->trace);
	CU_ASSERT_PTR_NULL(ecs_trace_state(r.e));
	CU_ASSERT_PTR_NULL(ecs_trace_next(r.e, 0, 0));
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &nobody, false, 0), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, false, 0), 0);
	/* another one's packets are traced, and these are not */
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &nobody, true, 0), 0);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_EQUAL(ecs_engine_packet(r.e, (const uint8_t *)"\x45", 1, ECS_UPLINK, 0, r.now), ECS_DROP);
	CU_ASSERT_EQUAL(rows(&r), 0);
	CU_ASSERT_EQUAL(ecs_trace_state(r.e)->size, ECS_TRACE_ROWS);
	/* it is over: nothing more is written, and what is there can be read */
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, 0), 0);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, false, 0), 0);
	CU_ASSERT_FALSE(r.e->tracing);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_EQUAL(rows(&r), 1);
	/* and begins anew: the numbers go on */
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, 0), 0);
	CU_ASSERT_EQUAL(rows(&r), 0);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_STRING_EQUAL(row(&r, 2)->rule, "udp-any");
	CU_ASSERT_EQUAL(ecs_trace_state(r.e)->start, 1);
	end(&r);
}

static void test_row(void)
{
	const struct ecs_trace_row *w;
	struct rig r;
	struct conn c;

	begin_traced(&r, 0);
	c = udp(&r, 1000, 5000);
	say(&c, ECS_DOWNLINK, 0, CHECK);
	w = row(&r, 1);
	says(w, ECS_TRACE_FORWARDED, "", "udp-any");
	CU_ASSERT_STRING_EQUAL(w->action, "ca-any");
	CU_ASSERT_EQUAL(w->content_id, 40);
	CU_ASSERT_EQUAL(w->packet, 1);
	CU_ASSERT_EQUAL(w->callid, 1);
	CU_ASSERT_EQUAL(w->flow_id, flow_of(&c)->id);
	CU_ASSERT_EQUAL(w->dir, ECS_DOWNLINK);
	CU_ASSERT_EQUAL(w->proto, 17);
	CU_ASSERT_EQUAL(memcmp(&w->subscriber, addr(UE).b, 16), 0);
	CU_ASSERT_EQUAL(memcmp(&w->server, addr(SERVER).b, 16), 0);
	CU_ASSERT_TRUE(w->subscriber_port == 1000 && w->server_port == 5000);
	CU_ASSERT_TRUE(w->len == 37 && w->bytes == 37 && w->pkts == 1);
	CU_ASSERT_TRUE(w->payload_len == 9 && w->payload_crc == CHECK_CRC);
	CU_ASSERT_EQUAL(w->bearer, ECS_BEARER_DEFAULT);
	CU_ASSERT_FALSE(w->recovered || w->bypassed || w->pending || w->late || w->anew);
	say(&c, ECS_UPLINK, 0, "");
	w = row(&r, 2);
	CU_ASSERT_TRUE(w->bypassed && w->payload_len == 0 && w->payload_crc == 0);
	adds_up(&r, "udp-any");
	end(&r);
}

/* Longer than a step of the CRC, of another protocol, in fragments, of IPv6. */
static void test_wire(void)
{
	static const uint8_t later[] = CHECK;
	struct pk k = {.src = UE, .dst = SERVER, .proto = 1, .type = 8, .sport = 77, .text = CHECK CHECK};
	const struct ecs_trace_row *w;
	struct rig r;
	struct conn c;

	begin_traced(&r, 0);
	put(&r, &k, ECS_UPLINK, 0);
	w = row(&r, 1);
	says(w, ECS_TRACE_FORWARDED, "", "ping");
	CU_ASSERT_TRUE(w->payload_len == 18 && w->payload_crc == 0x4b837ae4u && w->server_port == 77);
	k = (struct pk){.src = UE, .dst = SERVER, .proto = 17, .sport = 9, .dport = 10, .frag = 2,
	                .ipid = 4711, .data = later, .len = 9};
	put(&r, &k, ECS_UPLINK, 0);
	w = row(&r, 2);
	CU_ASSERT_TRUE(w->frag == ECS_FRAG_LATER && w->ip_id == 4711 && w->payload_crc == CHECK_CRC);
	CU_ASSERT_TRUE(w->flow_id == 0 && w->server_port == 0);
	c = tcp(&r, 1000, 7777);
	c.v6 = true;
	say(&c, ECS_UPLINK, SYN, NULL);
	say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
	say(&c, ECS_UPLINK, ACK | ECS_TCP_PSH, CHECK);
	w = row(&r, 5);
	CU_ASSERT_TRUE(w->tcp_seq == 2001 && w->tcp_ack == 78 && w->tcp_flags == (ACK | ECS_TCP_PSH));
	CU_ASSERT_TRUE(w->payload_crc == CHECK_CRC && w->len == 69 && w->bytes == 69);
	says(w, ECS_TRACE_FORWARDED, "", "late");
	end(&r);
}

static void test_segments(void)
{
	char data[1000];
	struct pk k = {.src = SERVER, .dst = UE, .proto = 17, .sport = 10, .dport = 9,
	               .data = (uint8_t *)data, .len = sizeof(data)};
	const struct ecs_trace_row *w;
	struct rig r;

	memset(data, 'x', sizeof(data));
	begin_traced(&r, 0);
	put(&r, &k, ECS_DOWNLINK, 400);
	w = row(&r, 1);
	CU_ASSERT_TRUE(w->len == 1028 && w->pkts == 3 && w->bytes == 1028 + 2 * 28);
	CU_ASSERT_EQUAL(w->payload_len, 1000);
	adds_up(&r, "udp-any");
	end(&r);
}

static void test_stopped(void)
{
	struct rig r;
	struct conn c;

	begin_traced(&r, 0);
	c = udp(&r, 1000, 666);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_DROP);
	says(row(&r, 1), ECS_TRACE_STOPPED, "discard", "drop-both");
	c = udp(&r, 1001, 667);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	says(row(&r, 2), ECS_TRACE_FORWARDED, "", "drop-up");
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_DROP);
	says(row(&r, 3), ECS_TRACE_STOPPED, "discard", "drop-up");
	/* what nobody can read is in the trace of all */
	CU_ASSERT_EQUAL(ecs_engine_packet(r.e, (const uint8_t *)"\x45", 1, ECS_UPLINK, 0, r.now), ECS_DROP);
	says(row(&r, 4), ECS_TRACE_DROPPED, "malformed", "");
	CU_ASSERT_EQUAL(row(&r, 4)->callid, 0);
	/* what is no subscriber's, and what a standby gets, is in none */
	CU_ASSERT_EQUAL(put(&r, &(struct pk){.src = "10.9.9.9", .dst = SERVER, .proto = 17}, ECS_UPLINK, 0),
	                ECS_NO_SESSION);
	ecs_engine_active(r.e, false, r.now);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_EQUAL(rows(&r), 4);
	adds_up(&r, "drop-up");
	adds_up(&r, "drop-both");
	end(&r);
}

static void test_refused(void)
{
	static const char limited[] = "rulebase rb\n flow limit-across-applications non-tcp 1\n#exit\n";
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	char text[8192];
	struct rig r;
	struct conn c;

	snprintf(text, sizeof(text), "%s%s", rules, limited);
	setup(&r, text, 0);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &(struct ecs_trace_ask){.callid = 1}, true, 0), 0);
	c = udp(&r, 1000, 5000);
	say(&c, ECS_UPLINK, 0, "x");
	c = udp(&r, 1001, 5000);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "xy"), ECS_DROP);
	says(row(&r, 2), ECS_TRACE_DROPPED, "flow-limit", "");
	CU_ASSERT_TRUE(row(&r, 2)->callid == 1 && row(&r, 2)->subscriber_port == 1001);
	CU_ASSERT_EQUAL(row(&r, 2)->bytes, 30);
	/* the next one is refused for nothing */
	c = udp(&r, 1000, 5000);
	say(&c, ECS_UPLINK, 0, "x");
	says(row(&r, 3), ECS_TRACE_FORWARDED, "", "udp-any");
	end(&r);
}

static void test_overflow(void)
{
	const struct ecs_trace_kept *k;
	struct rig r;
	struct conn c;

	begin_traced(&r, ECS_TRACE_ROWS_MIN);
	c = udp(&r, 1000, 5000);
	for (int i = 0; i < 64; i++)
		say(&c, ECS_UPLINK, 0, "x");
	k = ecs_trace_state(r.e);
	CU_ASSERT_TRUE(k->rows == 64 && k->seq == 64 && rows(&r) == 64);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_TRUE(k->rows == 64 && k->seq == 65 && rows(&r) == 64);
	CU_ASSERT_EQUAL(ecs_trace_next(r.e, 0, 0)->seq, 2);
	for (int i = 0; i < 100; i++)
		say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_TRUE(k->seq - k->start - k->rows == 101);
	CU_ASSERT_EQUAL(ecs_trace_next(r.e, 3, 0)->seq, 102);
	CU_ASSERT_EQUAL(ecs_trace_next(r.e, 164, 0)->seq, 165);
	CU_ASSERT_PTR_NULL(ecs_trace_next(r.e, 165, 0));
	CU_ASSERT_PTR_NULL(ecs_trace_next(r.e, UINT64_MAX, 0));
	CU_ASSERT_PTR_NULL(ecs_trace_next(r.e, 0, 2));
	CU_ASSERT_EQUAL(ecs_trace_next(r.e, 0, 1)->seq, 102);
	/* larger and smaller again: the newest stay */
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, 200), 0);
	CU_ASSERT_EQUAL(rows(&r), 64);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_TRUE(rows(&r) == 65 && ecs_trace_next(r.e, 0, 0)->seq == 102);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, 64), 0);
	CU_ASSERT_TRUE(rows(&r) == 64 && ecs_trace_next(r.e, 0, 0)->seq == 103);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, ECS_TRACE_ROWS_MIN - 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, ECS_TRACE_ROWS_MAX + 1), SRP_ERANGE);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, ECS_TRACE_ROWS_MAX), 0);
	CU_ASSERT_EQUAL(rows(&r), 64);
	end(&r);
}

/* A rulebase that charges the handshake by the application's rule. */
static void begin_holding(struct rig *r)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	char text[8192];

	snprintf(text, sizeof(text), "%.*s%s", (int)(sizeof(rules) - sizeof(HANDSHAKING_HERE)), rules,
	         HANDSHAKING(" all-packets"));
	setup(r, text, 0);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
	CU_ASSERT_EQUAL(ecs_trace_ask(r->e, &everybody, true, 64), 0);
}

static void test_held(void)
{
	struct rig r;
	struct conn c;

	begin_holding(&r);
	c = tcp(&r, 1000, 80);
	handshake(&c);
	for (uint64_t i = 1; i <= 3; i++) {
		says(row(&r, i), ECS_TRACE_HELD, "handshaking", "");
		CU_ASSERT_EQUAL(row(&r, i)->packet, i);
	}
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_EQUAL(rows(&r), 7);
	for (uint64_t i = 1; i <= 3; i++) {
		const struct ecs_trace_row *was = row(&r, i), *is = row(&r, 3 + i);

		says(is, ECS_TRACE_FORWARDED, "", "video");
		CU_ASSERT_TRUE(is->late && is->packet == i && is->tcp_seq == was->tcp_seq);
		CU_ASSERT_TRUE(is->dir == was->dir && is->bytes == 40 && is->content_id == 10);
	}
	says(row(&r, 7), ECS_TRACE_FORWARDED, "", "video");
	CU_ASSERT_FALSE(row(&r, 7)->late);
	adds_up(&r, "video");
	end(&r);
}

/* Rows that have given way before their packets are charged: what is known is the sum. */
static void test_held_lost(void)
{
	const struct ecs_trace_row *w;
	struct rig r;
	struct conn c, u;

	begin_holding(&r);
	c = tcp(&r, 1000, 80);
	u = udp(&r, 1001, 5000);
	say(&c, ECS_UPLINK, SYN, NULL);
	say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
	for (int i = 0; i < 63; i++)
		say(&u, ECS_UPLINK, 0, "x");
	/* of the three, the first has given way; the second does when the third is written, or later */
	say(&c, ECS_UPLINK, ACK, NULL);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_EQUAL(rows(&r), 64);
	w = row(&r, 67);
	CU_ASSERT_TRUE(w->late && w->packet == 66 && w->dir == ECS_UPLINK);
	w = row(&r, 68);
	says(w, ECS_TRACE_FORWARDED, "", "video");
	CU_ASSERT_TRUE(w->late && w->packet == 0 && w->len == 0 && w->dir == ECS_UPLINK && w->pkts == 1);
	CU_ASSERT_TRUE(w->proto == 6 && w->server_port == 80 && w->flow_id == flow_of(&c)->id);
	w = row(&r, 69);
	CU_ASSERT_TRUE(w->late && w->packet == 0 && w->dir == ECS_DOWNLINK && w->bytes == 40);
	CU_ASSERT_FALSE(row(&r, 70)->late);
	adds_up(&r, "video");
	end(&r);
}

static void test_recovered(void)
{
	struct rig r;
	struct conn c = tcp(NULL, 1000, 80);

	standby(&r, &c, "video");
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &(struct ecs_trace_ask){.callid = 1}, true, 0), 0);
	say(&c, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(rows(&r), 0);
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_UPLINK, ACK, "x");
	says(row(&r, 1), ECS_TRACE_FORWARDED, "", "video");
	CU_ASSERT_TRUE(row(&r, 1)->recovered && row(&r, 1)->bypassed && !row(&r, 1)->pending);
	r.s->pending = ECS_PENDING_HANDOFF;
	say(&c, ECS_DOWNLINK, ACK, "x");
	says(row(&r, 2), ECS_TRACE_FORWARDED, "", "tcp-any");
	CU_ASSERT_TRUE(row(&r, 2)->recovered && row(&r, 2)->pending && !row(&r, 2)->bypassed);
	end(&r);
}

static void test_asks(void)
{
	struct ecs_session_spec sp = spec_of(2, "10.0.0.2", NULL);
	struct ecs_trace_ask a = {.callid = 2};
	struct rig r;
	struct conn c;

	begin(&r);
	c = udp(&r, 1000, 5000);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &a, true, 0), SRP_ENOSESS);
	CU_ASSERT_FALSE(r.e->tracing);
	/* an IMSI holds for sessions to come */
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &(struct ecs_trace_ask){.imsi = "001"}, true, 0), 0);
	snprintf(sp.imsi, sizeof(sp.imsi), "001");
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, NULL), 0);
	say(&c, ECS_UPLINK, 0, "x");
	put(&r, &(struct pk){.src = "10.0.0.2", .dst = SERVER, .proto = 17}, ECS_UPLINK, 0);
	CU_ASSERT_TRUE(rows(&r) == 1 && row(&r, 1)->callid == 2);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &a, true, 0), 0);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &a, true, 0), 0); /* twice is once */
	CU_ASSERT_EQUAL(ecs_trace_state(r.e)->n, 2);
	for (uint32_t i = 2; i < ECS_TRACE_ASKS_MAX; i++) {
		struct ecs_trace_ask more = {.imsi = ""};

		snprintf(more.imsi, sizeof(more.imsi), "1%u", i);
		CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &more, true, 0), 0);
	}
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &(struct ecs_trace_ask){.callid = 1}, true, 0), SRP_EFULL);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, 0), 0); /* needs no room */
	/* a call that is over makes room */
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 2, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &(struct ecs_trace_ask){.callid = 1}, true, 0), 0);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &a, false, 0), SRP_ENOENT);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &(struct ecs_trace_ask){.imsi = "001"}, false, 0), 0);
	CU_ASSERT_EQUAL(ecs_trace_state(r.e)->n, ECS_TRACE_ASKS_MAX - 1);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, false, 0), 0);
	CU_ASSERT_TRUE(ecs_trace_state(r.e)->n == 0 && !r.e->tracing);
	CU_ASSERT_EQUAL(rows(&r), 1);
	end(&r);
}

/* What is asked for outlives the process; its rows do not. */
static void test_kept(void)
{
	struct ecs_trace_kept kept = {0};
	struct rig r;
	struct conn c;

	begin(&r);
	CU_ASSERT_EQUAL(ecs_trace_keep(r.e, &kept), 0);
	CU_ASSERT_FALSE(r.e->tracing);
	c = udp(&r, 1000, 5000);
	CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &(struct ecs_trace_ask){.callid = 1}, true, 100), 0);
	say(&c, ECS_UPLINK, 0, "x");
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_TRUE(kept.seq == 2 && kept.rows == 2 && kept.size == 100 && kept.n == 1);
	end(&r);
	begin(&r);
	c = udp(&r, 1000, 5000);
	CU_ASSERT_EQUAL(ecs_trace_keep(r.e, &kept), 0);
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_TRUE(rows(&r) == 1 && row(&r, 3)->packet == 3);
	CU_ASSERT_TRUE(kept.seq - kept.start - kept.rows == 2); /* lost */
	end(&r);
	/* a number of a row that is no number of a row any more */
	kept.seq = kept.start = UINT64_MAX;
	begin(&r);
	c = udp(&r, 1000, 5000);
	CU_ASSERT_EQUAL(ecs_trace_keep(r.e, &kept), 0);
	say(&c, ECS_UPLINK, 0, "x");
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_TRUE(r.e->tracing && kept.rows == 2 && kept.size == 100);
	end(&r);
	/* nothing is begun by what cannot have been asked for */
	for (int i = 0; i < 4; i++) {
		struct ecs_trace_kept bad = kept;

		bad.n = i == 0 ? ECS_TRACE_ASKS_MAX + 1 : bad.n;
		bad.size = i == 1 ? ECS_TRACE_ROWS_MAX + 1 : bad.size;
		bad.start = i == 2 ? bad.seq + 1 : bad.start;
		if (i == 3)
			memset(&bad.ask[0], 'x', sizeof(bad.ask[0]));
		begin(&r);
		CU_ASSERT_EQUAL(ecs_trace_keep(r.e, &bad), 0);
		CU_ASSERT_TRUE(!r.e->tracing && bad.n == 0 && bad.size == 0 && bad.seq == kept.seq);
		CU_ASSERT_EQUAL(ecs_trace_ask(r.e, &everybody, true, 0), 0);
		end(&r);
	}
}

static void test_texts(void)
{
	char out[ECS_TRACE_DID_MAX];

	CU_ASSERT_STRING_EQUAL(ecs_trace_did_text(0, out, sizeof(out)), "");
	CU_ASSERT_STRING_EQUAL(ecs_trace_did_text(ECS_STAGE_BIT(TOS) | ECS_STAGE_BIT(NEXTHOP), out,
	                                          sizeof(out)), "tos,nexthop");
	CU_ASSERT_STRING_EQUAL(ecs_trace_by_text(ECS_TRACE_STAGES + ECS_STAGE_POLICE), "police");
	CU_ASSERT_STRING_EQUAL(ecs_trace_by_text(ECS_TRACE_STAGES + ECS_STAGE__N), "?");
	CU_ASSERT_STRING_EQUAL(ecs_trace_fate_text(ECS_TRACE_FATE__N), "?");
	(void)ecs_trace_did_text(UINT32_MAX, out, sizeof(out));
	CU_ASSERT_TRUE(strlen(out) < sizeof(out) - 1); /* all of them have room */
}

CU_TestInfo ecs_trace_tests[] = {
	{"off", test_off},
	{"a row", test_row},
	{"as it came from the wire", test_wire},
	{"segments of a super-packet", test_segments},
	{"stopped and dropped", test_stopped},
	{"no flow may begin", test_refused},
	{"overflow and size", test_overflow},
	{"a handshake that is charged later", test_held},
	{"the same, its rows gone", test_held_lost},
	{"recovered flow, pending control", test_recovered},
	{"whose packets", test_asks},
	{"a successor goes on", test_kept},
	{"texts", test_texts},
	CU_TEST_INFO_NULL,
};

/* Connections that get another server with their first request: who hears what, and what becomes of it
 * where the other server does not play along. */
#include "config.h"
#include "suites.h"

#include "ecs_splice_rig.h"

static uint64_t bytes_of(const struct rig *r, const char *rule)
{
	const struct ecs_rule_stats *st = stats_of(r, rule);

	return st->bytes_up + st->bytes_down;
}

static void test_join(void)
{
	struct rig r;
	struct link l;
	struct box x;
	struct seg g;
	uint64_t was;

	start_splicing(&r);
	l = link_of(&r, 2000);
	greet(&l);
	was = bytes_of(&r, "shop");
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	/* a SYN in its name, of the byte before the request, with what the first server agreed to */
	CU_ASSERT_EQUAL_FATAL(world.nmade, 1);
	CU_ASSERT_TRUE(goes_to(&world.made[0], OTHER, 9001));
	CU_ASSERT_EQUAL(world.made[0].p.tcp_flags, SYN);
	CU_ASSERT_EQUAL(world.made[0].p.tcp_seq, SUB_ISN);
	CU_ASSERT_TRUE(world.made[0].t.sack && world.made[0].t.stamped && world.made[0].t.scales);
	CU_ASSERT_EQUAL(world.made[0].t.mss, 1460);
	CU_ASSERT_EQUAL(world.made[0].t.scale, 7);
	CU_ASSERT_EQUAL(world.made[0].t.stamp, SUB_TIME + 2);
	CU_ASSERT_EQUAL(bytes_of(&r, "shop"), was);
	/* it is sent again meanwhile */
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	CU_ASSERT_EQUAL(world.nmade, 1);
	CU_ASSERT_EQUAL(agree(&l), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(world.nmade, 3);
	CU_ASSERT_TRUE(goes_to(&world.made[1], OTHER, 9001));
	CU_ASSERT_EQUAL(world.made[1].p.tcp_flags, ACK);
	CU_ASSERT_EQUAL(world.made[1].p.tcp_seq, SUB_ISN + 1);
	CU_ASSERT_EQUAL(world.made[1].p.tcp_ack, OTHER_ISN + 1);
	CU_ASSERT_EQUAL(world.made[1].t.echo, OTHER_TIME);
	CU_ASSERT_TRUE(goes_to(&world.made[2], SERVER, 80));
	CU_ASSERT_EQUAL(world.made[2].p.tcp_flags, RST | ACK);
	CU_ASSERT_EQUAL(world.made[2].p.tcp_seq, SUB_ISN + 1);
	CU_ASSERT_EQUAL(world.made[2].p.tcp_ack, FIRST_ISN + 1);
	/* the request, once */
	CU_ASSERT_EQUAL_FATAL(world.nreleased, 1);
	CU_ASSERT_TRUE(goes_to(&world.released[0], OTHER, 9001));
	CU_ASSERT_EQUAL(world.released[0].p.tcp_seq, SUB_ISN + 1);
	CU_ASSERT_EQUAL(world.released[0].p.tcp_ack, OTHER_ISN + 1);
	CU_ASSERT_EQUAL(world.released[0].t.echo, OTHER_TIME);
	CU_ASSERT_EQUAL(world.released[0].p.payload_len, strlen(SHOP));
	CU_ASSERT_EQUAL(bytes_of(&r, "shop"), was + world.released[0].p.len);
	/* answers come in the name of the first, as it counted; pure acknowledgements as well */
	g = stamped_seg(&l, seg_of(ACK, OTHER_ISN + 1, SUB_ISN + 1 + (uint32_t)strlen(SHOP), "answer"),
	                OTHER_TIME + 20, SUB_TIME + 2);
	put_seg(&l, OTHERS, &g, &x, true);
	CU_ASSERT_EQUAL_FATAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(x.p.tcp_seq, FIRST_ISN + 1);
	CU_ASSERT_EQUAL(x.p.tcp_ack, g.ack);
	CU_ASSERT_EQUAL(x.p.sport, 80);
	CU_ASSERT_EQUAL(memcmp(&x.p.src, &(struct ecs_addr[]){addr(SERVER)}[0], 16), 0);
	g = seg_of(ACK, g.ack, FIRST_ISN + 7, NULL);
	put_seg(&l, SUB, &g, &x, false);
	CU_ASSERT_EQUAL_FATAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(x.p.tcp_ack, OTHER_ISN + 7);
	CU_ASSERT_EQUAL(x.p.dport, 9001);
	CU_ASSERT_EQUAL(r.c.url_readdressed, 1);
	CU_ASSERT_EQUAL(r.e->splice_bytes, 0);
	CU_ASSERT_EQUAL(r.s->splice_bytes, 0);
	end(&r);
}

/* What of an offer @p bits are. */
static struct offer offer_of(unsigned bits, int scale)
{
	return (struct offer){.mss = bits & 1 ? 1400 : 0, .scale = bits & 2 ? scale : -1,
	                      .sack = bits & 4, .stamped = bits & 8, .ecn = bits & 16};
}

static struct ecs_splice_tcp read_offer(const struct offer *o)
{
	return (struct ecs_splice_tcp){.mss = (uint16_t)o->mss, .scales = o->scale >= 0,
	                               .scale = o->scale < 0 ? 0 : (uint8_t)o->scale, .sack = o->sack,
	                               .stamped = o->stamped, .ecn = o->ecn, .other = o->odd};
}

/* A segment each way of a connection that joined, with SACK and times. */
static void numbers(struct link *l)
{
	bool scales = l->sub.scale >= 0 && l->first.scale >= 0;
	int up = scales && l->others.scale < 0 ? l->sub.scale : 0;
	int down = scales ? (l->others.scale < 0 ? 0 : l->others.scale) - l->first.scale : 0;
	struct offer blocks = {.scale = -1, .stamped = stamps(l)};
	struct seg g = seg_of(ACK, l->isn + 60, FIRST_ISN + 100, NULL);
	struct ecs_splice_tcp t;
	const uint8_t *sack;
	struct box x;

	g.nopt = options_of(&blocks, SUB_TIME + 9, FIRST_TIME + 40, g.opt);
	memcpy(g.opt + g.nopt, (uint8_t[]){1, 5, 10}, 3); /* at an odd place */
	pk32(g.opt + g.nopt + 3, FIRST_ISN + 200);
	pk32(g.opt + g.nopt + 7, FIRST_ISN + 300);
	g.opt[g.nopt + 11] = 1;
	g.nopt += 12;
	put_seg(l, SUB, &g, &x, false);
	CU_ASSERT_EQUAL_FATAL(x.v, ECS_FORWARD);
	CU_ASSERT_TRUE_FATAL(ecs_splice_read(&x.p, &t));
	CU_ASSERT_EQUAL(x.p.tcp_seq, g.seq);
	CU_ASSERT_EQUAL(x.p.tcp_ack, OTHER_ISN + 100);
	CU_ASSERT_EQUAL(t.window, (1000u << up) > 65535 ? 65535 : 1000u << up);
	if (stamps(l)) {
		CU_ASSERT_EQUAL(t.stamp, SUB_TIME + 9);
		CU_ASSERT_EQUAL(t.echo, OTHER_TIME + 40);
	}
	sack = x.b + x.p.hdr_len - 9;
	CU_ASSERT_EQUAL((uint32_t)sack[0] << 24 | (uint32_t)sack[1] << 16 | (uint32_t)sack[2] << 8 | sack[3],
	                OTHER_ISN + 200);
	CU_ASSERT_EQUAL((uint32_t)sack[4] << 24 | (uint32_t)sack[5] << 16 | (uint32_t)sack[6] << 8 | sack[7],
	                OTHER_ISN + 300);
	/* and back; blocks of the server's are of what the subscriber counts */
	g.seq = OTHER_ISN + 100;
	g.ack = l->isn + 60;
	if (stamps(l))
		options_of(&blocks, OTHER_TIME + 50, SUB_TIME + 9, g.opt);
	put_seg(l, OTHERS, &g, &x, false);
	CU_ASSERT_EQUAL_FATAL(x.v, ECS_FORWARD);
	CU_ASSERT_TRUE_FATAL(ecs_splice_read(&x.p, &t));
	CU_ASSERT_EQUAL(x.p.tcp_seq, FIRST_ISN + 100);
	CU_ASSERT_EQUAL(x.p.tcp_ack, g.ack);
	CU_ASSERT_EQUAL(t.window, down < 0 ? 1000u >> -down : (1000u << down) > 65535 ? 65535 : 1000u << down);
	CU_ASSERT_EQUAL(memcmp(x.b + x.p.hdr_len - 9, g.opt + g.nopt - 9, 8), 0);
	if (stamps(l)) {
		CU_ASSERT_EQUAL(t.stamp, FIRST_TIME + 50);
		CU_ASSERT_EQUAL(t.echo, SUB_TIME + 9);
	}
}

/* Every combination of what the three can do. */
static void test_options(void)
{
	static const int scales[] = {0, 7, 14};
	unsigned joined = 0;
	struct rig r;

	start_splicing(&r);
	for (unsigned i = 0; i < 32 * 32 * 32; i++) {
		struct link l = link_of(&r, (uint16_t)(1000 + i % 50000));
		struct ecs_splice_tcp sub, first, others;
		struct ecs_splice_map map;
		bool fits;

		l.sub = offer_of(i & 31, 7);
		l.first = offer_of(i >> 5 & 31, scales[i % 3]);
		l.others = offer_of(i >> 10 & 31, scales[i / 3 % 3]);
		greet(&l);
		CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
		CU_ASSERT_EQUAL_FATAL(world.nmade, 1);
		CU_ASSERT_EQUAL(world.made[0].t.sack, l.sub.sack && l.first.sack);
		CU_ASSERT_EQUAL(world.made[0].t.stamped, l.sub.stamped && l.first.stamped);
		CU_ASSERT_EQUAL(world.made[0].t.scales, l.sub.scale >= 0 && l.first.scale >= 0);
		CU_ASSERT_EQUAL(world.made[0].t.ecn, l.sub.ecn && l.first.ecn);
		CU_ASSERT_EQUAL(world.made[0].t.mss, l.sub.mss);
		sub = read_offer(&l.sub);
		first = read_offer(&l.first);
		others = read_offer(&l.others);
		fits = (l.sub.sack && l.first.sack) == l.others.sack && stamps(&l) == l.others.stamped &&
		       (l.sub.ecn && l.first.ecn) == l.others.ecn &&
		       (l.others.scale < 0 || (l.sub.scale >= 0 && l.first.scale >= 0));
		CU_ASSERT_EQUAL(ecs_splice_fits(&sub, &first, &others, &map), fits);
		CU_ASSERT_EQUAL(agree(&l), ECS_DROP);
		CU_ASSERT_EQUAL_FATAL(world.nreleased, 1);
		CU_ASSERT_EQUAL(goes_to(&world.released[0], OTHER, 9001), fits);
		CU_ASSERT_EQUAL(goes_to(&world.released[0], SERVER, 80), !fits);
		if (fits)
			numbers(&l);
		else
			CU_ASSERT_TRUE(world.nmade == 2 && world.made[1].p.tcp_flags == RST &&
			               goes_to(&world.made[1], OTHER, 9001));
		joined += fits;
		CU_ASSERT_EQUAL(say_as(&l, SUB, seg_of(RST, l.isn + 60, 0, NULL)), ECS_FORWARD);
	}
	CU_ASSERT_EQUAL(r.c.url_readdressed, joined);
	CU_ASSERT_EQUAL(r.c.url_readdress_unfit, 32 * 32 * 32 - joined);
	CU_ASSERT_TRUE(joined > 1000);
	CU_ASSERT_EQUAL(r.e->aliases.count, 0);
	CU_ASSERT_EQUAL(r.e->nmores, 0);
	end(&r);
}

/* Nothing comes of the SYN: it is sent again, and then no more. */
static void test_silence(void)
{
	struct rig r;
	struct link l;

	start_splicing(&r);
	l = link_of(&r, 2000);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	CU_ASSERT_EQUAL(ask(&l, (uint32_t)strlen(SHOP), "behind it"), ECS_DROP);
	wait_ms(&r, ECS_SPLICE_SYN_MS + 200);
	CU_ASSERT_EQUAL(world.nmade, 2);
	wait_ms(&r, ECS_SPLICE_SYN_MS + 200);
	CU_ASSERT_EQUAL_FATAL(world.nmade, 3);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_TRUE(world.made[i].p.tcp_flags == SYN && world.made[i].p.tcp_seq == SUB_ISN);
	CU_ASSERT_EQUAL(world.nreleased, 0);
	wait_ms(&r, ECS_SPLICE_SYN_MS + 200);
	CU_ASSERT_EQUAL_FATAL(world.nmade, 4);
	CU_ASSERT_TRUE(world.made[3].p.tcp_flags == RST && goes_to(&world.made[3], OTHER, 9001));
	CU_ASSERT_EQUAL_FATAL(world.nreleased, 2);
	CU_ASSERT_TRUE(goes_to(&world.released[0], SERVER, 80) && goes_to(&world.released[1], SERVER, 80));
	CU_ASSERT_EQUAL(world.released[1].p.tcp_ack, FIRST_ISN + 1);
	CU_ASSERT_EQUAL(world.released[1].p.payload_len, 9);
	CU_ASSERT_EQUAL(r.c.url_readdress_silent, 1);
	/* what comes late is not for the subscriber */
	CU_ASSERT_EQUAL(agree(&l), ECS_DROP);
	CU_ASSERT_TRUE(world.nmade == 5 && world.made[4].p.tcp_flags == RST);
	CU_ASSERT_EQUAL(r.c.url_readdress_taken, 1);
	CU_ASSERT_EQUAL(say_as(&l, FIRST, seg_of(ACK, FIRST_ISN + 1, SUB_ISN + 1, "hello")), ECS_FORWARD);
	wait_ms(&r, ECS_SPLICE_LATE_MS + 200);
	CU_ASSERT_PTR_NULL(splice_of(&l));
	CU_ASSERT_EQUAL(r.e->nmores, 0);
	end(&r);
}

/* The first SYN is lost, or its answer: the second is answered. */
static void test_loss(void)
{
	struct rig r;
	struct link l;
	struct seg g;

	start_splicing(&r);
	l = link_of(&r, 2000);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	wait_ms(&r, ECS_SPLICE_SYN_MS + 200);
	CU_ASSERT_EQUAL(world.nmade, 2);
	CU_ASSERT_EQUAL(agree(&l), ECS_DROP);
	CU_ASSERT_TRUE(world.nreleased == 1 && goes_to(&world.released[0], OTHER, 9001));
	CU_ASSERT_EQUAL(world.nmade, 4);
	/* the acknowledgement is lost: the answer comes again, and is not for the subscriber */
	CU_ASSERT_EQUAL(agree(&l), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(world.nmade, 5);
	CU_ASSERT_TRUE(world.made[4].p.tcp_flags == ACK && goes_to(&world.made[4], OTHER, 9001));
	CU_ASSERT_EQUAL(world.made[4].p.tcp_ack, OTHER_ISN + 1);
	/* the request is sent again by who has sent it, and goes the same way */
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_FORWARD);
	wait_ms(&r, 20000);
	CU_ASSERT_EQUAL(world.nmade, 5);
	/* the first server does not know that it is over: nobody hears of it */
	CU_ASSERT_EQUAL(say_as(&l, FIRST, seg_of(ACK, FIRST_ISN + 1, SUB_ISN + 1, "408")), ECS_DROP);
	CU_ASSERT_EQUAL(say_as(&l, FIRST, seg_of(RST, FIRST_ISN + 1, 0, NULL)), ECS_DROP);
	CU_ASSERT_EQUAL(say_as(&l, FIRST, seg_of(FIN | ACK, FIRST_ISN + 1, SUB_ISN + 1, NULL)), ECS_DROP);
	g = seg_of(ACK, OTHER_ISN + 1, SUB_ISN + 1, "page");
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, g), ECS_FORWARD);
	CU_ASSERT_PTR_NOT_NULL(splice_of(&l));
	/* a reset of the server that it has now ends it */
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, seg_of(RST, OTHER_ISN + 5, 0, NULL)), ECS_FORWARD);
	CU_ASSERT_PTR_NULL(splice_of(&l));
	CU_ASSERT_EQUAL(r.e->aliases.count, 0);
	end(&r);
}

static void test_refusal(void)
{
	struct rig r;
	struct link l;
	struct seg g;

	start_splicing(&r);
	l = link_of(&r, 2000);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	/* none of these is an answer */
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, seg_of(RST | ACK, 0, SUB_ISN, NULL)), ECS_DROP);
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, seg_of(RST, SUB_ISN + 1, SUB_ISN + 1, NULL)), ECS_DROP);
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, seg_of(SYN | ACK, 5, SUB_ISN + 2, NULL)), ECS_DROP);
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, seg_of(SYN, 5, SUB_ISN + 1, NULL)), ECS_DROP);
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, seg_of(ACK, 5, SUB_ISN + 1, "data")), ECS_DROP);
	g = seg_of(SYN | ACK, 5, SUB_ISN + 1, NULL);
	g.nopt = 4;
	memcpy(g.opt, (uint8_t[]){2, 40, 1, 1}, 4); /* beyond the header */
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, g), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.url_readdress_taken, 6);
	CU_ASSERT_EQUAL(world.nreleased, 0);
	/* from another port of it: a stranger, as ever */
	l.oport = 9002;
	CU_ASSERT_EQUAL(agree(&l), ECS_FORWARD);
	l.oport = 9001;
	CU_ASSERT_EQUAL(world.nreleased, 0);
	CU_ASSERT_EQUAL(say_as(&l, OTHERS, seg_of(RST | ACK, 0, SUB_ISN + 1, NULL)), ECS_DROP);
	CU_ASSERT_TRUE(world.nreleased == 1 && goes_to(&world.released[0], SERVER, 80));
	CU_ASSERT_EQUAL(world.nmade, 1);
	CU_ASSERT_EQUAL(r.c.url_readdress_failed, 1);
	CU_ASSERT_EQUAL(ask(&l, (uint32_t)strlen(SHOP), SHOP), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.url_readdress_missed, 1);
	end(&r);
}

/* The first server speaks, or ends, while the other is waited for. */
static void test_spoken(void)
{
	static const uint8_t flags[] = {ACK, FIN | ACK};
	struct rig r;

	start_splicing(&r);
	for (unsigned i = 0; i < 2; i++) {
		struct link l = link_of(&r, (uint16_t)(2000 + i));

		greet(&l);
		CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
		CU_ASSERT_EQUAL(say_as(&l, FIRST, seg_of(flags[i], FIRST_ISN + 1, SUB_ISN + 1, i ? NULL : "x")),
		                ECS_FORWARD);
		CU_ASSERT_TRUE(world.nreleased == 1 && goes_to(&world.released[0], SERVER, 80));
		CU_ASSERT_TRUE(world.nmade == 2 && world.made[1].p.tcp_flags == RST);
		CU_ASSERT_EQUAL(agree(&l), ECS_DROP);
	}
	CU_ASSERT_EQUAL(r.c.url_readdress_failed, 2);
	end(&r);
}

/* The header of the request comes in pieces. */
static void test_pieces(void)
{
	static const char *const whole[] = {SHOP, ELSEWHERE};
	struct rig r;

	start_splicing(&r);
	for (unsigned i = 0; i < 8; i++) {
		struct link l = link_of(&r, (uint16_t)(2000 + i));
		const char *text = whole[i & 1];
		uint32_t cut = i & 2 ? 3 : 25; /* in the method, and behind it */
		char begin[64] = "";

		greet(&l);
		memcpy(begin, text, cut);
		CU_ASSERT_EQUAL(i & 4 ? ask(&l, cut, text + cut) : ask(&l, 0, begin), ECS_DROP);
		CU_ASSERT_EQUAL(ask(&l, i & 4 ? cut : 0, i & 4 ? text + cut : begin), ECS_DROP); /* again */
		CU_ASSERT_EQUAL(world.nmade, 0);
		CU_ASSERT_EQUAL(i & 4 ? ask(&l, 0, begin) : ask(&l, cut, text + cut), ECS_DROP);
		CU_ASSERT_EQUAL(world.nmade, !(i & 1));
		if (!(i & 1))
			CU_ASSERT_EQUAL(agree(&l), ECS_DROP);
		CU_ASSERT_EQUAL_FATAL(world.nreleased, 2);
		CU_ASSERT_EQUAL(world.released[!!(i & 4)].p.tcp_seq, SUB_ISN + 1);
		CU_ASSERT_EQUAL(world.released[!(i & 4)].p.tcp_seq, SUB_ISN + 1 + cut);
		for (unsigned k = 0; k < 2; k++)
			CU_ASSERT_TRUE(i & 1 ? goes_to(&world.released[k], SERVER, 80)
			                     : goes_to(&world.released[k], OTHER, 9001));
	}
	CU_ASSERT_EQUAL(r.c.url_readdressed, 4);
	CU_ASSERT_EQUAL(r.e->nmores, 4);
	CU_ASSERT_EQUAL(r.e->splice_bytes, 0);
	end(&r);
}

/* The rest of it does not come. */
static void test_unfinished(void)
{
	struct rig r;
	struct link l;

	start_splicing(&r);
	l = link_of(&r, 2000);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, "GET /a HTTP/1.1\r\n"), ECS_DROP);
	wait_ms(&r, ECS_SPLICE_HEADER_MS + 200);
	CU_ASSERT_TRUE(world.nreleased == 1 && goes_to(&world.released[0], SERVER, 80));
	CU_ASSERT_EQUAL(r.c.url_readdress_partial, 1);
	CU_ASSERT_EQUAL(ask(&l, 17, "Host: shop.test\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.url_readdress_missed, 1);
	CU_ASSERT_EQUAL(r.e->nmores, 0);
	end(&r);
}

/* No request, not the first, or nobody knows how the connection began. */
static void test_not(void)
{
	struct rig r;
	struct link l;

	start_splicing(&r);
	l = link_of(&r, 2000);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, ELSEWHERE), ECS_FORWARD);
	CU_ASSERT_EQUAL(ask(&l, (uint32_t)strlen(ELSEWHERE), SHOP), ECS_FORWARD);
	l = link_of(&r, 2001);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, "\x16\x03\x01 no request"), ECS_FORWARD);
	l = link_of(&r, 2002);
	CU_ASSERT_EQUAL(say_as(&l, SUB, seg_of(SYN, SUB_ISN, 0, NULL)), ECS_FORWARD);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_FORWARD); /* the answer was not seen */
	l = link_of(&r, 2003);
	greet(&l);
	CU_ASSERT_EQUAL(say_as(&l, FIRST, seg_of(ACK, FIRST_ISN + 1, SUB_ISN + 1, "220 hello")), ECS_FORWARD);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_FORWARD);
	l = link_of(&r, 2004);
	l.first.odd = true; /* it is a part of something else */
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.url_readdress_missed, 3);
	l = link_of(&r, 2005); /* of the other family */
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, "GET / HTTP/1.1\r\nHost: shop6.test\r\n\r\n"), ECS_FORWARD);
	CU_ASSERT_EQUAL(world.nmade, 0);
	CU_ASSERT_EQUAL(r.c.url_readdressed, 0);
	CU_ASSERT_EQUAL(r.e->nmores, 0);
	end(&r);
}

/* What another action keeps of the flow outlives that it is watched. */
static void test_dropped(void)
{
	static const char text[] =
		"ruledef shop\n http host = shop.test\n#exit\nruledef any\n ip any-match = TRUE\n#exit\n"
		"charging-action moved\n flow action url-readdress server " OTHER " port 9001\n#exit\n"
		"charging-action some\n flow action random-drop interval 10 to 10 pkts-to-drop 1 to 1\n#exit\n"
		"rulebase rb\n action priority 1 ruledef shop charging-action moved\n"
		" action priority 9 ruledef any charging-action some\n"
		" flow control-handshaking charge-to-application mid-session-packets\n#exit\n";
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	struct link l;
	struct rig r;

	setup(&r, text, 0);
	r.e->conf.ops = &splice_ops;
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	memset(&world, 0, sizeof(world));
	l = link_of(&r, 2000);
	greet(&l);
	wait_ms(&r, 9000);
	CU_ASSERT_EQUAL(ask(&l, 0, "\x16\x03\x01 no request"), ECS_FORWARD);
	CU_ASSERT_PTR_NULL(splice_of(&l));
	CU_ASSERT_EQUAL(r.e->nmores, 1);
	wait_ms(&r, 1000);
	CU_ASSERT_EQUAL(ask(&l, 14, "more"), ECS_DROP); /* ten seconds after the first packet */
	CU_ASSERT_EQUAL(r.c.drop_random, 1);
	end(&r);
}

/* Who ends it while it waits: nothing is left. */
static void test_ends(void)
{
	struct rig r;
	struct link l;

	start_splicing(&r);
	l = link_of(&r, 2000);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	CU_ASSERT_EQUAL(say_as(&l, SUB, seg_of(RST, SUB_ISN + 40, 0, NULL)), ECS_FORWARD);
	CU_ASSERT_TRUE(world.nmade == 2 && world.made[1].p.tcp_flags == RST && goes_to(&world.made[1], OTHER, 9001));
	CU_ASSERT_EQUAL(r.e->splice_bytes, 0);
	l = link_of(&r, 2001);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	ecs_engine_active(r.e, false, r.now);
	CU_ASSERT_EQUAL(r.e->splice_bytes, 0);
	CU_ASSERT_EQUAL(r.e->aliases.count, 0);
	ecs_engine_active(r.e, true, r.now);
	l = link_of(&r, 2002);
	join(&l, SHOP);
	l = link_of(&r, 2003);
	greet(&l);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_DROP);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(r.e->aliases.count, 0);
	CU_ASSERT_EQUAL(r.e->nmores, 0);
	wait_ms(&r, 20000);
	end(&r);
}

/* What other actions do to such a connection. */
static void test_others(void)
{
	static const char head[] = "GET /a HTTP/1.1\r\nHost: both.test\r\n";
	uint32_t at = (uint32_t)strlen(head);
	struct rig r;
	struct link l;
	struct seg g;
	struct box x;

	start_splicing(&r);
	l = link_of(&r, 2000); /* header fields go in, and are counted as well */
	join(&l, "GET /a HTTP/1.1\r\nHost: both.test\r\n\r\n");
	CU_ASSERT_TRUE(world.nreleased == 1 && goes_to(&world.released[0], OTHER, 9001));
	CU_ASSERT_EQUAL(world.released[0].p.payload_len, at + 2 + strlen("X-A: bcd\r\n"));
	g = seg_of(ACK, OTHER_ISN + 1, SUB_ISN + 1 + at + 2 + 10, "page");
	put_seg(&l, OTHERS, &g, &x, false);
	CU_ASSERT_EQUAL_FATAL(x.v, ECS_FORWARD);
	CU_ASSERT_EQUAL(x.p.tcp_ack, SUB_ISN + 1 + at + 2);
	CU_ASSERT_EQUAL(x.p.tcp_seq, FIRST_ISN + 1);
	g = seg_of(ACK, SUB_ISN + 1 + at + 2, FIRST_ISN + 5, "GET /end HTTP/1.1\r\nHost: both.test\r\n\r\n");
	world.nmade = 0;
	put_seg(&l, SUB, &g, &x, false);
	CU_ASSERT_EQUAL(x.v, ECS_DROP); /* terminate-flow: both ends hear of it, as they count */
	CU_ASSERT_EQUAL_FATAL(world.nmade, 2);
	CU_ASSERT_EQUAL(world.made[0].dir, ECS_DOWNLINK);
	CU_ASSERT_EQUAL(world.made[0].p.tcp_seq, FIRST_ISN + 5);
	CU_ASSERT_TRUE(goes_to(&world.made[1], OTHER, 9001));
	CU_ASSERT_EQUAL(world.made[1].p.tcp_seq, SUB_ISN + 1 + at + 2 + 10);
	CU_ASSERT_EQUAL(world.made[1].p.tcp_ack, OTHER_ISN + 5);
	l = link_of(&r, 2001);
	join(&l, SHOP);
	world.nmade = 0;
	CU_ASSERT_EQUAL(ask(&l, (uint32_t)strlen(SHOP), "GET /away HTTP/1.1\r\nHost: x\r\n\r\n"), ECS_DROP);
	CU_ASSERT_EQUAL_FATAL(world.nmade, 2); /* redirected */
	CU_ASSERT_TRUE(goes_to(&world.made[0], OTHER, 9001));
	CU_ASSERT_EQUAL(world.made[0].p.tcp_ack, OTHER_ISN + 1);
	CU_ASSERT_EQUAL(world.made[1].p.tcp_seq, FIRST_ISN + 1);
	/* by a rule of L4: with the first packet of a request, whole or not */
	l = link_of(&r, 2002);
	l.dport = 8080;
	join(&l, "GET /no end");
	CU_ASSERT_TRUE(world.nreleased == 1 && goes_to(&world.released[0], OTHER, 9001));
	/* a request to another rule stays as well */
	CU_ASSERT_EQUAL(r.c.url_readdressed, 3);
	end(&r);
}

static void test_six(void)
{
	struct rig r;
	struct link l;

	start_splicing(&r);
	l = link_of(&r, 2000);
	l.six = true;
	l.other = OTHER6;
	l.oport = 80;
	join(&l, "GET / HTTP/1.1\r\nHost: shop6.test\r\n\r\n");
	CU_ASSERT_TRUE(goes_to(&world.made[0], OTHER6, 80) && goes_to(&world.made[2], SERVER6, 80));
	CU_ASSERT_TRUE(world.nreleased == 1 && goes_to(&world.released[0], OTHER6, 80));
	numbers(&l);
	end(&r);
}

/* Nothing is done, and nothing kept, where no action asks for it. */
static void test_nobody(void)
{
	struct rig r;
	struct link l;

	start(&r);
	r.e->conf.ops = &splice_ops;
	l = link_of(&r, 2000);
	greet(&l);
	CU_ASSERT_EQUAL(r.e->nmores, 0);
	CU_ASSERT_EQUAL(ask(&l, 0, SHOP), ECS_FORWARD);
	end(&r);
}

CU_TestInfo ecs_splice_tests[] = {
	{"a request goes to another server", test_join},
	{"every combination of options", test_options},
	{"no answer", test_silence},
	{"what is lost comes again", test_loss},
	{"a refusal, and what is none", test_refusal},
	{"the first server speaks", test_spoken},
	{"a header in pieces, and out of order", test_pieces},
	{"a header without an end", test_unfinished},
	{"connections that stay", test_not},
	{"an interval goes on", test_dropped},
	{"ends while it waits", test_ends},
	{"other actions", test_others},
	{"IPv6", test_six},
	{"no action asks for it", test_nobody},
	CU_TEST_INFO_NULL,
};

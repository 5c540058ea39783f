/* Stages of a packet after its verdict: what is changed in it, with its checksums. */
#include "config.h"
#include "suites.h"

#include "ecs/enforce.h"
#include "ecs/rewrite.h"
#include "ecs_enforce_rig.h"

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

static uint64_t acted(const struct rig *r, const char *name, enum ecs_dir dir, enum ecs_acted what)
{
	const struct ecs_charging_action *a;

	for (size_t i = 0; (a = ecs_service_action(r->svc, i)) != NULL; i++)
		if (strcmp(a->name, name) == 0) {
			CU_ASSERT_STRING_EQUAL(r->e->conf.acted_stats[i].name, name);
			return r->e->conf.acted_stats[i].n[dir][what].pkts;
		}
	CU_FAIL("no such charging-action");
	return 0;
}

/* What was done is counted by the charging-action that had it done, of post-processing by the one there. */
static void test_acted(void)
{
	static const struct {
		uint16_t port;
		enum ecs_dir dir;
		const char *action;
		enum ecs_acted what;
	} cases[] = {
		{7005, ECS_UPLINK, "mark", ECS_ACTED_MARKED}, {7005, ECS_UPLINK, "mark", ECS_ACTED_NEXTHOP},
		{7005, ECS_DOWNLINK, "mark", ECS_ACTED_MARKED}, {7006, ECS_UPLINK, "drop", ECS_ACTED_PP_DROPPED},
		{7007, ECS_UPLINK, "moved", ECS_ACTED_READDRESSED}, {7002, ECS_UPLINK, "leave", ECS_ACTED_TERMINATED},
	};
	struct rig r;
	struct box x;

	start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t was = acted(&r, cases[i].action, cases[i].dir, cases[i].what);
		struct pk k = packet(cases[i].dir == ECS_UPLINK, 17, cases[i].port, 0, "u");

		send_on(&r, &x, &k, cases[i].dir, false);
		CU_ASSERT_EQUAL(acted(&r, cases[i].action, cases[i].dir, cases[i].what), was + 1);
	}
	CU_ASSERT_EQUAL(acted(&r, "mark", ECS_DOWNLINK, ECS_ACTED_NEXTHOP), 0);
	for (unsigned i = 0; i < ECS_ACTED__N; i++)
		CU_ASSERT_EQUAL(acted(&r, "count", ECS_UPLINK, (enum ecs_acted)i), 0);
	end(&r);
}

/* Charging-actions @p from to below @p to, but for the one numbered @p without, in that order or from the last to
 * the first. */
static struct ecs_service *numbered(unsigned from, unsigned to, unsigned without, bool turned)
{
	struct ecs_service *s = ecs_service_new("s");
	struct ecs_err e = {{0}};
	char name[32];

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	for (unsigned i = 0; i < to - from; i++) {
		unsigned k = turned ? to - 1 - i : from + i;

		snprintf(name, sizeof(name), "action%u", k);
		if (k != without)
			CU_ASSERT_PTR_NOT_NULL(ecs_service_charging_action(s, name, false, &e));
	}
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(s, &e), 0);
	return s;
}

/* Each of @p svc has its place, where it has counted its number; @p but that numbered so, 0. */
static void counted(const struct ecs_acted_stats *v, const struct ecs_service *svc, unsigned but)
{
	const struct ecs_charging_action *a;
	bool all = true;
	size_t n = 0;

	for (; (a = ecs_service_action(svc, n)) != NULL; n++) {
		unsigned k = (unsigned)strtoul(a->name + strlen("action"), NULL, 10);

		all = all && a->index == n && strcmp(v[n].name, a->name) == 0 &&
		      v[n].n[ECS_UPLINK][ECS_ACTED_DROPPED].pkts == (k == but ? 0 : k + 1);
	}
	CU_ASSERT_TRUE(all);
	for (; n < ECS_ACTED_MAX; n++)
		all = all && !v[n].name[0] && !v[n].n[ECS_UPLINK][ECS_ACTED_DROPPED].pkts;
	CU_ASSERT_TRUE(all);
}

static void commit(struct ecs_acted_stats *v, struct ecs_service **was, struct ecs_service *next)
{
	struct ecs_acted_move *m = calloc(1, sizeof(*m));

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	ecs_acted_move(v, next, m);
	free(m);
	ecs_service_free(*was);
	*was = next;
}

/* As many as there can be have a place each. A commit moves what they have counted; what is removed is gone, and
 * leaves no trace where another comes in its place, or the same again. */
static void test_acted_places(void)
{
	enum { N = ECS_ACTED_MAX };
	struct ecs_acted_stats *v = calloc(N, sizeof(*v));
	struct ecs_service *svc = numbered(0, N, N, false);
	struct ecs_err e = {{0}};

	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	ecs_acted_begin(v, svc);
	for (unsigned i = 0; i < N; i++)
		v[ecs_service_action(svc, i)->index].n[ECS_UPLINK][ECS_ACTED_DROPPED].pkts = i + 1;
	counted(v, svc, N);
	commit(v, &svc, numbered(0, N, N, true));
	counted(v, svc, N);
	commit(v, &svc, numbered(0, N, 7, false));
	counted(v, svc, N);
	CU_ASSERT_STRING_EQUAL(v[7].name, "action8");
	/* a successor with another configuration */
	commit(v, &svc, numbered(0, N - 1, 7, false));
	ecs_service_free(svc);
	svc = numbered(0, N - 1, N, false);
	ecs_acted_begin(v, svc);
	counted(v, svc, 7);
	ecs_service_free(svc);
	/* one more than there can be */
	svc = ecs_service_new("s");
	for (unsigned i = 0; i <= N; i++) {
		char name[32];

		snprintf(name, sizeof(name), "action%u", i);
		CU_ASSERT_EQUAL(ecs_service_charging_action(svc, name, false, &e) != NULL, i < N);
	}
	CU_ASSERT_EQUAL_FATAL(ecs_service_commit(svc, &e), 0);
	ecs_acted_begin(v, svc);
	CU_ASSERT_STRING_EQUAL(v[N - 1].name, "action2047");
	CU_ASSERT_EQUAL(v[N - 1].n[ECS_UPLINK][ECS_ACTED_DROPPED].pkts, 0);
	CU_ASSERT_EQUAL(v[N - 2].n[ECS_UPLINK][ECS_ACTED_DROPPED].pkts, N - 1);
	ecs_service_free(svc);
	free(v);
}

/* The counters of an engine go on through a commit that moves its charging-actions, and in the one that takes its
 * place. */
static void test_acted_goes_on(void)
{
	struct ecs_engine_identity id = {0};
	struct ecs_service *was;
	struct rig r, next;
	char text[8192];
	struct box x;
	struct pk k = packet(true, 17, 7005, 0, "u");

	start(&r);
	send_on(&r, &x, &k, ECS_UPLINK, false);
	was = r.svc;
	snprintf(text, sizeof(text), "charging-action first\n#exit\n%sno charging-action moved6\n", acting);
	r.svc = service(text);
	CU_ASSERT_EQUAL_FATAL(ecs_engine_reconfigure(r.e, r.svc, r.now), 0);
	ecs_service_free(was);
	CU_ASSERT_EQUAL(acted(&r, "mark", ECS_UPLINK, ECS_ACTED_MARKED), 1);
	CU_ASSERT_EQUAL(acted(&r, "first", ECS_UPLINK, ECS_ACTED_MARKED), 0);
	send_on(&r, &x, &k, ECS_UPLINK, false);
	CU_ASSERT_EQUAL(acted(&r, "mark", ECS_UPLINK, ECS_ACTED_MARKED), 2);
	setup(&next, acting, 0);
	id.counters = &next.c;
	id.rule_stats = next.stats;
	id.acted_stats = r.e->conf.acted_stats;
	CU_ASSERT_EQUAL(ecs_engine_assume(next.e, &id), 0);
	CU_ASSERT_EQUAL(acted(&next, "mark", ECS_UPLINK, ECS_ACTED_MARKED), 2);
	CU_ASSERT_EQUAL(acted(&next, "moved6", ECS_UPLINK, ECS_ACTED_MARKED), 0);
	end(&next);
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
	{"post-processing by L7", test_post_l7},
	{"judged only", test_judged},
	{"counted by charging-action", test_acted},
	{"a place for each charging-action", test_acted_places},
	{"counted on through a commit and a death", test_acted_goes_on},
	CU_TEST_INFO_NULL};

/* Packets without payload, and others that nobody has said anything of: what waits, for whom, and what it is
 * charged to. */
#include "config.h"
#include "suites.h"

#include "ecs/dynamic.h"
#include "ecs/tally.h"
#include "ecs_rig.h"

#define RULES(handshaking)                                                               \
	"ruledef closing\n tcp state = fin-wait1\n#exit\n"                               \
	"ruledef opening\n tcp state = syn-sent\n#exit\n"                                \
	"ruledef failed\n http reply code = 404\n#exit\n"                                \
	"ruledef secret\n tls sni present\n#exit\n"                                      \
	"ruledef site\n http host = a.example\n#exit\n"                                  \
	"ruledef down\n ip downlink = TRUE\n tcp any-match = TRUE\n#exit\n"              \
	"ruledef tcp-any\n tcp any-match = TRUE\n#exit\n"                                \
	"ruledef udp-any\n udp any-match = TRUE\n#exit\n"                                \
	"charging-action ca\n content-id 1\n#exit\nrulebase rb\n" LINES handshaking "#exit\n"
#define LINE(n, name) " action priority " #n " ruledef " name " charging-action ca\n"
#define LEDGER        32768u
#define WAIT(what)    " flow control-handshaking charge-to-application " what "\n"

static void begin_with(struct rig *r, const char *text)
{
	begin_by(r, text, UE6);
}

static uint64_t packets(const struct rig *r, const char *rule)
{
	const struct ecs_rule_stats *st = stats_of(r, rule);

	return st->pkts_up + st->pkts_down;
}

/* --- a request whose rule depends on its response ----------------------------------------------- */

#define LINES LINE(10, "failed") LINE(20, "site") LINE(80, "tcp-any")

static void a_response(const char *text, unsigned failed, unsigned site, unsigned any)
{
	struct conn c;
	struct rig r;

	begin_with(&r, text);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("a.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "site");
	say(&c, ECS_DOWNLINK, ACK, NULL);
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "failed");
	CU_ASSERT_EQUAL(packets(&r, "failed"), failed);
	CU_ASSERT_EQUAL(packets(&r, "site"), site);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), any);
	/* a second one: the set-up is over */
	say(&c, ECS_UPLINK, ACK, GET("b.example"));
	say(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any") + packets(&r, "failed"),
	                any + failed + (strstr(text, "all-packets") ? 1 : 2));
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 Good\r\nContent-Length: 0\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), any + 3);
	end(&r);
}

static uint64_t bytes_of(const struct rig *r, enum ecs_usage_of of)
{
	uint64_t n = 0;

	for (struct srp_list *l = r->s->usages.next; l != &r->s->usages; l = l->next) {
		const struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);
		struct ecs_volume v = ecs_usage_sum(u);

		n += u->of == of ? v.bytes[0] + v.bytes[1] : 0;
	}
	return n;
}

static uint64_t session_bytes(const struct rig *r)
{
	return bytes_of(r, ECS_USAGE_SESSION);
}

static uint64_t rules_bytes(const struct rig *r)
{
	return bytes_of(r, ECS_USAGE_RULE);
}

static uint64_t owed(const struct rig *r)
{
	uint64_t charged;

	return ecs_owed_octets(r->e->conf.owed, &charged);
}

/* What waits is the session's, and owed to the peer, from when it came, once; where the role is lost before
 * its rule is known, it is of the rule that it has by then. */
static void what_waits_is_owed(void)
{
	struct conn c;
	struct rig r;

	begin_with(&r, RULES(WAIT("all-packets")));
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), 0);
	CU_ASSERT_EQUAL(owed(&r), 120);
	CU_ASSERT_EQUAL(session_bytes(&r), 120);
	CU_ASSERT_EQUAL(rules_bytes(&r), 0);
	say(&c, ECS_UPLINK, ACK, GET("a.example"));
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 Good\r\nContent-Length: 0\r\n\r\n");
	CU_ASSERT_EQUAL(packets(&r, "site"), 5);
	CU_ASSERT_EQUAL(owed(&r), session_bytes(&r));
	CU_ASSERT_EQUAL(rules_bytes(&r), session_bytes(&r));
	end(&r);
	begin_with(&r, RULES(WAIT("all-packets")));
	c = tcp(&r, 4000, 80);
	handshake(&c);
	ecs_engine_active(r.e, false, r.now);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), 3);
	CU_ASSERT_EQUAL(session_bytes(&r), 120);
	CU_ASSERT_EQUAL(rules_bytes(&r), 120);
	CU_ASSERT_EQUAL(owed(&r), 120);
	end(&r);
}

/* An engine whose volumes are kept in @p mem, as the process of an instance. */
static void begin_kept(struct rig *r, void *mem, bool fresh)
{
	struct ecs_engine_identity id = {.instance = 1, .ledger = mem, .ledger_len = LEDGER,
	                                 .ledger_fresh = fresh};

	setup(r, RULES(WAIT("all-packets")), 0);
	id.counters = &r->c;
	id.rule_stats = r->stats;
	CU_ASSERT_EQUAL_FATAL(ecs_engine_assume(r->e, &id), 0);
	ecs_engine_active(r->e, true, r->now);
}

/* The session of @p from, as its mirror gives it to the successor. */
static void recover(struct rig *from, struct rig *to)
{
	uint8_t buf[SRP_CKPT_RECORD_MAX];
	const struct srp_ckpt_key key = {{from->s->spec.callid}};
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_ckpt_ctx ctx = {.now = to->now, .owner = from->e, .replica = SRP_REPLICA_SR, .ver = 1};
	struct srp_ckpt_obj *out;
	struct srp_mp_r r;

	CU_ASSERT_EQUAL_FATAL(ecs_kind_full.encode(&from->s->full, &ctx, &w), 0);
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	ctx.owner = to->e;
	CU_ASSERT_EQUAL_FATAL(ecs_kind_full.apply(&ctx, &key, &r, ecs_kind_full.nfields, &out), 0);
	to->s = ecs_session_find(to->e, from->s->spec.callid);
}

/* The session manager dies while packets wait for their rule: their volume is the session's, and of no rule; what
 * waits in the successor by then is charged by its own rule. */
static void what_waits_survives_a_death(void)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	void *mem = aligned_alloc(64, LEDGER);
	struct rig a, b;
	struct conn c;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mem);
	memset(mem, 0, LEDGER);
	begin_kept(&a, mem, true);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(a.e, &sp, a.now, &a.s), 0);
	c = tcp(&a, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(rules_bytes(&a), 0);
	begin_kept(&b, mem, false);
	recover(&a, &b);
	c = tcp(&b, 4001, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(session_bytes(&b), 240);
	ecs_records_recovered(b.e, true);
	while (ecs_lost_turn(b.e, b.now, 1))
		;
	CU_ASSERT_EQUAL(rules_bytes(&b), 120);
	CU_ASSERT_EQUAL(b.c.unruled_bytes, 120);
	CU_ASSERT_EQUAL(packets(&b, "site"), 0);
	CU_ASSERT_EQUAL(b.stats[b.e->no_rule].pkts_up, 2);
	CU_ASSERT_EQUAL(b.stats[b.e->no_rule].pkts_down, 1);
	say(&c, ECS_UPLINK, ACK, GET("a.example"));
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 Good\r\nContent-Length: 0\r\n\r\n");
	CU_ASSERT_EQUAL(packets(&b, "site"), 5);
	CU_ASSERT_EQUAL(rules_bytes(&b), session_bytes(&b));
	end(&b);
	end(&a);
	free(mem);
}

static void between_request_and_response(void)
{
	a_response(RULES(WAIT("all-packets")), 5, 1, 0);
	a_response(RULES(WAIT("initial-packets")), 4, 1, 1);
	a_response(RULES(WAIT("mid-session-packets")), 1, 2, 3);
	a_response(RULES(""), 1, 1, 4);
}

#undef LINES

/* --- who can still speak ------------------------------------------------------------------------ */

#define LINES LINE(10, "secret") LINE(20, "site") LINE(80, "tcp-any")

static void half_a_request(void)
{
	struct conn c;
	struct rig r;

	begin_with(&r, RULES(WAIT("all-packets")));
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), 0);
	say(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\n");
	CU_ASSERT_FALSE(flow_of(&c)->flags & ECS_FLOW_F_FINAL); /* no ClientHello, but a request */
	say(&c, ECS_UPLINK, ACK, "Host: a.example\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "site");
	CU_ASSERT_EQUAL(packets(&r, "site"), 4);
	end(&r);
}

/* A SYN that comes again when the application has spoken: it is no acknowledgement. */
static void a_late_syn(void)
{
	static const struct {
		const char *mode;
		unsigned any, site;
	} row[] = {
		{RULES(WAIT("mid-session-packets tear-down-packets")), 5, 2},
		{RULES(WAIT("initial-packets")), 1, 6},
		{RULES(WAIT("all-packets")), 0, 7},
		{RULES(""), 6, 1},
	};
	struct conn c;
	struct rig r;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		begin_with(&r, row[i].mode);
		c = tcp(&r, 4000, 80);
		handshake(&c);
		say(&c, ECS_UPLINK, ACK, GET("a.example"));
		say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
		say(&c, ECS_UPLINK, SYN, NULL);
		say(&c, ECS_UPLINK, ACK, NULL);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "site");
		CU_ASSERT_EQUAL(packets(&r, "tcp-any"), row[i].any);
		CU_ASSERT_EQUAL(packets(&r, "site"), row[i].site);
		end(&r);
	}
}

#undef LINES
#define LINES LINE(10, "secret") LINE(80, "tcp-any") LINE(90, "site")

static void no_hello_comes(void)
{
	struct conn c;
	struct rig r;

	begin_with(&r, RULES(WAIT("all-packets")));
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), 0);
	say(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\n");
	CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_FINAL);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), 4);
	end(&r);
}

#undef LINES
#define LINES LINE(10, "failed") LINE(20, "names") LINE(80, "udp-any")

/* Where rules ask for responses of HTTP, a question of DNS waits for none. */
static void dns_has_no_response(void)
{
	uint8_t b[1024];
	size_t n = pk_dns("one.example", b);
	struct conn c = {.proto = 17, .sport = 4000, .dport = 53};
	struct rig r;

	begin_with(&r, "ruledef names\n dns any-match = TRUE\n#exit\n" RULES(""));
	c.r = &r;
	say_n(&c, ECS_UPLINK, 0, b, n);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "names");
	CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_FINAL);
	end(&r);
}

#undef LINES

/* --- TCP states --------------------------------------------------------------------------------- */

#define LINES LINE(5, "opening") LINE(10, "tcp-any") LINE(20, "site")

/* Nobody has to speak; the SYN matched a line of its own while it waited. */
static void the_verdict_that_ends_it(void)
{
	struct conn c;
	struct rig r;

	begin_with(&r, RULES(WAIT("all-packets")));
	c = tcp(&r, 4000, 80);
	say(&c, ECS_UPLINK, SYN, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "opening");
	say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
	say(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(packets(&r, "opening"), 0);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), 3);
	end(&r);
}

#undef LINES
#define LINES LINE(5, "closing") LINE(20, "site") LINE(80, "tcp-any")

static void states_beside_an_analyzer(void)
{
	struct conn c;
	struct rig r;

	begin_with(&r, RULES(""));
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("b.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c)->analysis); /* for the next request */
	say(&c, ECS_UPLINK, ACK | FIN, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "closing");
	CU_ASSERT_EQUAL(packets(&r, "closing"), 1);
	end(&r);
	/* what an application has decided stays */
	begin_with(&r, RULES(WAIT("tear-down-packets")));
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("a.example"));
	say(&c, ECS_UPLINK, ACK | FIN, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "site");
	CU_ASSERT_EQUAL(packets(&r, "closing"), 0);
	end(&r);
}

#undef LINES
#define LINES LINE(5, "closing") LINE(20, "site") LINE(80, "tcp-any") " post-processing priority 1 ruledef after charging-action ca\n"

/* A state by which the rule is open again, on a connection that is still listened to. */
static void open_again(void)
{
	struct conn c;
	struct rig r;

	begin_with(&r, "ruledef after\n rule-application post-processing\n http any-match = TRUE\n#exit\n"
	               RULES(WAIT("all-packets")));
	c = tcp(&r, 4000, 80);
	say(&c, ECS_UPLINK, SYN, NULL);
	say(&c, ECS_UPLINK, ACK | FIN, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "closing");
	CU_ASSERT_EQUAL(packets(&r, "closing"), 2);
	say(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_FALSE(flow_of(&c)->flags & ECS_FLOW_F_FINAL);
	CU_ASSERT_EQUAL(packets(&r, "tcp-any"), 0); /* it waits */
	end(&r);
}

#undef LINES
#define LINES LINE(10, "failed") LINE(20, "site") LINE(80, "tcp-any")

static void out_of_order(struct conn *c)
{
	static const char begin[] = "HTTP/1.1 404 Gone\r\nConte", rest[] = "nt-Length: 0\r\n\r\n";

	say(c, ECS_UPLINK, ACK, GET("a.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(c), "site");
	c->down += (uint32_t)strlen(begin);
	say(c, ECS_DOWNLINK, ACK, rest);
	CU_ASSERT_EQUAL(c->r->c.http_responses, 0);
	c->down -= (uint32_t)(strlen(begin) + strlen(rest));
	say(c, ECS_DOWNLINK, ACK, begin);
}

/* Where the answer to a SYN did not come this way, or to another chassis, the opener's first ACK says where the
 * response begins: its segments may come in any order. */
static void answered_unseen(void)
{
	for (int how = 0; how < 4; how++) {
		struct conn c;
		struct rig r;

		begin_with(&r, RULES(WAIT("all-packets")));
		c = tcp(&r, 4000, 80);
		c.down = how < 2 ? 77 : UINT32_MAX - 9;
		say(&c, ECS_UPLINK, SYN, NULL);
		if (how & 1) { /* an ACK that lies: the answer says where it begins */
			c.down += 5000;
			say(&c, ECS_UPLINK, ACK, NULL);
			c.down -= 5000;
			say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
		} else {
			c.down++;
		}
		out_of_order(&c);
		CU_ASSERT_EQUAL(r.c.http_responses, 1);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "failed");
		end(&r);
	}
}

/* An ACK of what is far away says nothing: the first segment begins, as where there was none. */
static void acknowledged_far_away(void)
{
	struct conn c;
	struct rig r;

	begin_with(&r, RULES(WAIT("all-packets")));
	c = tcp(&r, 4000, 80);
	say(&c, ECS_UPLINK, SYN, NULL);
	c.down += 5000;
	say(&c, ECS_UPLINK, ACK, NULL);
	c.down -= 5000;
	say(&c, ECS_UPLINK, ACK, GET("a.example"));
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n");
	CU_ASSERT_EQUAL(r.c.http_responses, 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "failed");
	end(&r);
}

#undef LINES
#define LINES LINE(10, "site") LINE(20, "down")

/* That a direction has no rule is known of it, too. */
static void a_direction_without_a_rule(void)
{
	struct conn c;
	struct rig r;

	begin_with(&r, RULES(""));
	c = tcp(&r, 4000, 80);
	say(&c, ECS_UPLINK, SYN, NULL);
	say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "(no rule)");
	CU_ASSERT_EQUAL(packets(&r, "down"), 1);
	end(&r);
}

#undef LINES

/* --- a fragment behind a rule that is gone ------------------------------------------------------ */

#define LINES LINE(80, "udp-any")

static void a_fragment_after_its_rule(void)
{
	static const uint8_t data[64] = {0};
	struct pk first = {.src = UE, .dst = SERVER, .proto = 17, .sport = 4000, .dport = 7000,
	                   .ipid = 5, .frag = 0x2000, .data = data, .len = sizeof(data)};
	struct pk later = {.src = UE, .dst = SERVER, .proto = 17, .ipid = 5, .frag = 9,
	                   .data = data, .len = sizeof(data)};
	struct ecs_dyn_spec d = {.name = "given", .precedence = 1};
	struct rig r;
	char why[100];

	begin_with(&r, RULES(""));
	CU_ASSERT_EQUAL(ecs_sdfs_parse("udp any", &d.filters, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(ecs_rule_install(r.e, 1, &d, r.now), 0);
	put(&r, &first, ECS_UPLINK, 0);
	CU_ASSERT_EQUAL(packets(&r, "udp-any"), 0);
	CU_ASSERT_EQUAL(ecs_rule_remove(r.e, 1, "given", r.now), 0);
	put(&r, &later, ECS_UPLINK, 0);
	CU_ASSERT_EQUAL(r.c.fragments_followed, 1);
	CU_ASSERT_EQUAL(packets(&r, "udp-any"), 1);
	CU_ASSERT_EQUAL(packets(&r, NULL), 0);
	end(&r);
}

#undef LINES
#define LINES LINE(10, "up") LINE(20, "names") LINE(80, "udp-any")

/* What an analyzer has said of one direction is not taken from it by a rule that means others. */
static void a_rule_for_others(void)
{
	uint8_t b[1024];
	size_t n = pk_dns("one.example", b);
	struct conn c = {.proto = 17, .sport = 4000, .dport = 53};
	struct ecs_dyn_spec d = {.name = "given", .precedence = 1};
	struct rig r;
	char why[100];

	begin_with(&r, "ruledef names\n dns any-match = TRUE\n#exit\n"
	               "ruledef up\n ip uplink = TRUE\n#exit\n" RULES(""));
	c.r = &r;
	say_n(&c, ECS_UPLINK, 0, b, n);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "up");
	CU_ASSERT_EQUAL(ecs_sdfs_parse("tcp any", &d.filters, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(ecs_rule_install(r.e, 1, &d, r.now), 0);
	say_n(&c, ECS_DOWNLINK, 0, b, n);
	CU_ASSERT_EQUAL(packets(&r, "names"), 1);
	CU_ASSERT_EQUAL(packets(&r, "udp-any"), 0);
	end(&r);
}

CU_TestInfo ecs_handshake_tests[] = {
	{"what waits is owed", what_waits_is_owed},
	{"what waits survives a death", what_waits_survives_a_death},
	{"a rule for others", a_rule_for_others},
	{"between request and response", between_request_and_response},
	{"answered unseen", answered_unseen},
	{"acknowledged far away", acknowledged_far_away},
	{"a late SYN", a_late_syn},
	{"half a request", half_a_request},
	{"no hello comes", no_hello_comes},
	{"DNS has no response", dns_has_no_response},
	{"the verdict that ends it", the_verdict_that_ends_it},
	{"states beside an analyzer", states_beside_an_analyzer},
	{"open again", open_again},
	{"a direction without a rule", a_direction_without_a_rule},
	{"a fragment after its rule", a_fragment_after_its_rule},
	CU_TEST_INFO_NULL,
};

/* Flows that change hands before they have begun, or before anything is decided of them. */
#include "config.h"
#include "suites.h"

#include "ecs/dynamic.h"
#include "ecs/kind.h"
#include "ecs_rig.h"

#define OPEN (ECS_FLOW_F_FRESH | ECS_FLOW_F_FINAL)

/* All L3/L4 lines are eligible as well, and a dynamic rule. */
static const char more[] =
	"ruledef site\n http host = a.example\n#exit\n"
	"trigger-condition tall\n rule-name = tcp-any\n rule-name = udp-any\n rule-name = lent\n"
	" rule-name = site\n#exit\n"
	"service-scheme ss\n trigger flow-create\n"
	"  priority 3 trigger-condition tall trigger-action ta\n #exit\n#exit\n";

/* Two chassis with the same rules; the first is in service. */
struct two {
	struct rig a, b;
};

static void begin_with(struct two *t, const char *last)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);
	char text[8192];

	snprintf(text, sizeof(text), "%.*s%s%s",
	         (int)(sizeof(rules) - sizeof(HANDSHAKING_HERE)), rules, last, more);
	setup(&t->a, text, 0);
	setup(&t->b, text, 0);
	ecs_engine_active(t->a.e, true, t->a.now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(t->a.e, &sp, t->a.now, &t->a.s), 0);
	CU_ASSERT_EQUAL_FATAL(ecs_session_build(t->b.e, &sp, t->b.now, &t->b.s), 0);
	t->b.s->ready_for_recovery = true;
}

static void begin_two(struct two *t)
{
	begin_with(t, HANDSHAKING_HERE);
}

static void end_two(struct two *t)
{
	end(&t->a);
	end(&t->b);
}

static size_t record(struct rig *r, const struct srp_ckpt_obj *o, bool canonical, uint8_t *out,
                     size_t cap)
{
	struct srp_ckpt_ctx ctx = {.now = r->now, .owner = r->e, .replica = SRP_REPLICA_GR,
	                           .canonical = canonical, .ver = 1};
	struct srp_mp_w w = srp_mp_w_init(out, cap);

	CU_ASSERT_EQUAL(o->kind->encode(o, &ctx, &w), 0);
	return srp_mp_w_len(&w);
}

static struct srp_ckpt_obj *send(struct rig *from, struct rig *to, const struct srp_ckpt_obj *o)
{
	struct srp_ckpt_ctx ctx = {.now = to->now, .owner = to->e, .replica = SRP_REPLICA_GR,
	                           .ver = 1};
	struct srp_ckpt_obj *out = NULL;
	struct srp_ckpt_key key;
	struct srp_mp_r r;
	uint8_t b[512];
	size_t len = record(from, o, false, b, sizeof(b));

	o->kind->key(o, &key);
	r = srp_mp_r_init(b, len);
	CU_ASSERT_EQUAL(o->kind->apply(&ctx, &key, &r, o->kind->nfields, &out), 0);
	return out;
}

/* The flow of @p c goes from one chassis to the other, with its rule; both say the same then. */
static void replicate(struct conn *c, struct rig *to)
{
	struct rig *from = c->r;
	const struct ecs_flow *f = flow_of(c);
	const struct srp_ckpt_obj *o;
	uint8_t ba[512], bb[512];
	size_t na, nb;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_TRUE_FATAL(f->flags & ECS_FLOW_F_CHECKPOINT);
	send(from, to, &ecs_ruleref_get(from->e->refs, f->ref)->ckpt);
	o = send(from, to, &f->ckpt);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	na = record(from, &f->ckpt, true, ba, sizeof(ba));
	nb = record(to, o, true, bb, sizeof(bb));
	CU_ASSERT_TRUE(na == nb && memcmp(ba, bb, na) == 0);
}

/* The role and the connection go to the other chassis. */
static void move(struct conn *c, struct rig *to)
{
	replicate(c, to);
	ecs_engine_active(c->r->e, false, c->r->now);
	ecs_engine_active(to->e, true, to->now);
	c->r = to;
}

/* The packets of a connection up to the request, of both sides. */
static void step(struct conn *c, int n)
{
	switch (n) {
	case 0: say(c, ECS_UPLINK, SYN, NULL); break;
	case 1: say(c, ECS_DOWNLINK, SYN | ACK, NULL); break;
	case 2: say(c, ECS_UPLINK, ACK, NULL); break;
	case 3: say(c, ECS_UPLINK, ACK | ECS_TCP_PSH, GET("video.example")); break;
	}
}

/* Wherever the role goes over before the request, the request decides. */
static void the_request_decides(void)
{
	for (int at = 1; at <= 3; at++) {
		struct two t;
		struct conn c;
		int n = 0;

		begin_two(&t);
		c = tcp(&t.a, 4000, 80);
		while (n < at)
			step(&c, n++);
		CU_ASSERT_EQUAL(flow_of(&c)->flags & OPEN, ECS_FLOW_F_FRESH);
		move(&c, &t.b);
		CU_ASSERT_TRUE(ecs_flow_recovered(t.b.e, flow_of(&c)));
		while (n < 3)
			step(&c, n++);
		say(&c, ECS_UPLINK, ACK, NULL); /* told again */
		CU_ASSERT_TRUE(ecs_flow_recovered(t.b.e, flow_of(&c)));
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
		step(&c, n++);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
		CU_ASSERT_FALSE(ecs_flow_recovered(t.b.e, flow_of(&c)));
		CU_ASSERT_EQUAL(flow_of(&c)->flags & OPEN, ECS_FLOW_F_FINAL);
		CU_ASSERT_EQUAL(stats_of(&t.b, "video")->hits, 1);
		CU_ASSERT_EQUAL(stats_of(&t.b, "tcp-any")->hits, 4 - (unsigned)at);
		CU_ASSERT_EQUAL(t.b.c.flows_mid_stream + t.b.c.flows_undecided, 0);
		CU_ASSERT_EQUAL(t.b.c.flows_created, 0);
		/* it is like any other flow: the next request is looked at too */
		say(&c, ECS_UPLINK, ACK, GET("other.example"));
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
		CU_ASSERT_EQUAL(t.b.e->slots, 1);
		end_two(&t);
	}
}

/* The role goes over, and back: the last one decides, from the same beginning. */
static void twice_over(void)
{
	struct two t;
	struct conn c;

	begin_two(&t);
	c = tcp(&t.a, 4000, 80);
	step(&c, 0);
	move(&c, &t.b);
	step(&c, 1);
	move(&c, &t.a);
	step(&c, 2);
	move(&c, &t.b);
	CU_ASSERT_EQUAL(flow_of(&c)->tcp_state, ECS_TCP_ST_ESTABLISHED);
	/* in two parts */
	say(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\nHo");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_FALSE(ecs_flow_recovered(t.b.e, flow_of(&c)));
	say(&c, ECS_UPLINK, ACK, "st: video.example\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* and a final verdict goes over as ever */
	move(&c, &t.a);
	say(&c, ECS_UPLINK, ACK, GET("other.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_TRUE(ecs_flow_recovered(t.a.e, flow_of(&c)));
	end_two(&t);
}

/* Whatever tells that the beginning went by unseen, it is a flow in mid-stream. */
static void begun_unseen(void)
{
	for (int how = 0; how < 4; how++) {
		struct two t;
		struct conn c;

		begin_two(&t);
		c = tcp(&t.a, 4000, 80);
		for (int n = 0; n < 3; n++)
			step(&c, n);
		move(&c, &t.b);
		c.up += 1;
		switch (how) {
		case 0: say(&c, ECS_UPLINK, ACK, GET("video.example")); break;
		case 1: say(&c, ECS_UPLINK, ACK, NULL); break;
		default: {
			struct pk k = {.src = SERVER, .dst = UE, .proto = 6, .sport = 80,
			               .dport = 4000, .flags = ACK, .seq = c.down, .ack = c.up,
			               .text = how == 2 ? "HTTP/1.1 200 OK\r\n\r\n" : ""};

			CU_ASSERT_EQUAL(put(&t.b, &k, ECS_DOWNLINK, 0), ECS_FORWARD);
		}
		}
		CU_ASSERT_EQUAL(t.b.c.flows_mid_stream, 1);
		CU_ASSERT_EQUAL(flow_of(&c)->flags & OPEN, ECS_FLOW_F_FINAL);
		say(&c, ECS_UPLINK, ACK, GET("video.example"));
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
		CU_ASSERT_TRUE(ecs_flow_recovered(t.b.e, flow_of(&c)));
		CU_ASSERT_EQUAL(t.b.c.flows_mid_stream, 1);
		CU_ASSERT_EQUAL(t.b.c.http_requests, 0);
		CU_ASSERT_EQUAL(t.b.e->nanalyses, 0);
		end_two(&t);
	}
}

/* What waits for the verdict is not lost to both: it is charged before the role goes over. */
static void held_handshake(void)
{
	struct ecs_volume v;
	struct two t;
	struct conn c;

	begin_with(&t, HANDSHAKING(" all-packets"));
	c = tcp(&t.a, 4000, 80);
	for (int n = 0; n < 3; n++)
		step(&c, n);
	CU_ASSERT_EQUAL(stats_of(&t.a, "tcp-any")->hits, 0);
	ecs_engine_flush(t.a.e, t.a.now); /* packets go on: not yet */
	CU_ASSERT_EQUAL(stats_of(&t.a, "tcp-any")->hits, 0);
	ecs_engine_freeze(t.a.e, t.a.now);
	v = volume(&t.a, ECS_USAGE_SESSION, 0);
	CU_ASSERT_EQUAL(v.pkts[ECS_UPLINK], 2);
	CU_ASSERT_EQUAL(v.pkts[ECS_DOWNLINK], 1);
	CU_ASSERT_EQUAL(stats_of(&t.a, "tcp-any")->hits, 3);
	move(&c, &t.b);
	step(&c, 2); /* the peer holds as well */
	CU_ASSERT_EQUAL(stats_of(&t.b, "tcp-any")->hits + stats_of(&t.b, "video")->hits, 0);
	step(&c, 3);
	CU_ASSERT_EQUAL(stats_of(&t.b, "video")->hits, 2);
	CU_ASSERT_EQUAL(volume(&t.b, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 2);
	CU_ASSERT_TRUE(ecs_list_empty(&t.a.e->held));
	CU_ASSERT_TRUE(ecs_list_empty(&t.b.e->held));
	ecs_engine_active(t.b.e, false, t.b.now);
	ecs_engine_active(t.a.e, true, t.a.now);
	c.r = &t.a;
	step(&c, 2);
	CU_ASSERT_EQUAL(stats_of(&t.a, "tcp-any")->hits, 4); /* this one, and nothing twice */
	end_two(&t);
}

/* The other side may speak first, and sequences go round. */
static void server_speaks_first(void)
{
	struct two t;
	struct conn c;
	struct pk k = {.src = SERVER, .dst = UE, .proto = 6, .sport = 80, .dport = 4000,
	               .flags = ACK, .text = "hello\r\n"};

	begin_two(&t);
	c = tcp(&t.a, 4000, 80);
	c.up = UINT32_MAX;
	for (int n = 0; n < 3; n++)
		step(&c, n);
	move(&c, &t.b);
	k.seq = c.down;
	k.ack = c.up;
	put(&t.b, &k, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(t.b.c.flows_mid_stream, 0);
	CU_ASSERT_FALSE(ecs_flow_recovered(t.b.e, flow_of(&c)));
	step(&c, 3);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	end_two(&t);
}

/* The first packet that was seen of a connection was the answer to its SYN: that names the ISN. */
static void from_the_answer(void)
{
	struct two t;
	struct conn c;
	struct pk k = {.src = SERVER, .dst = UE, .proto = 6, .sport = 80, .dport = 4000,
	               .flags = SYN | ACK};

	begin_two(&t);
	c = tcp(&t.a, 4000, 80);
	k.ack = c.up;
	put(&t.a, &k, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(flow_of(&c)->isn, c.up - 1);
	move(&c, &t.b);
	step(&c, 2);
	step(&c, 3);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	end_two(&t);
}

/* In the middle of a request: it stays where it is, and is counted. */
static void undecided(void)
{
	struct two t;
	struct conn c;

	begin_two(&t);
	c = tcp(&t.a, 4000, 80);
	for (int n = 0; n < 3; n++)
		step(&c, n);
	say(&c, ECS_UPLINK, ACK, "GET / HTTP/1.1\r\nHo");
	CU_ASSERT_EQUAL(flow_of(&c)->flags & OPEN, 0);
	move(&c, &t.b);
	say(&c, ECS_UPLINK, ACK, "st: video.example\r\n\r\n");
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_TRUE(ecs_flow_recovered(t.b.e, flow_of(&c)));
	CU_ASSERT_EQUAL(t.b.c.flows_undecided, 1);
	CU_ASSERT_EQUAL(t.b.c.flows_mid_stream, 0);
	CU_ASSERT_EQUAL(t.b.changed[ecs_kind_flow.id], 1); /* the peer learns that it is decided */
	move(&c, &t.a);
	say(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_EQUAL(t.a.c.flows_undecided, 0);
	end_two(&t);
}

/* A connection that ends without having begun; and one reset. */
static void ends_without_beginning(void)
{
	struct two t;
	struct conn c;

	begin_two(&t);
	c = tcp(&t.a, 4000, 80);
	for (int n = 0; n < 3; n++)
		step(&c, n);
	move(&c, &t.b);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	CU_ASSERT_EQUAL(flow_of(&c)->flags & ECS_FLOW_F_FRESH, 0);
	wait_ms(&t.b, 3000);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(t.b.c.flows_fin, 1);
	CU_ASSERT_EQUAL(t.b.e->slots, 0);
	end_two(&t);

	begin_two(&t);
	c = tcp(&t.a, 4000, 80);
	step(&c, 0);
	move(&c, &t.b);
	say(&c, ECS_DOWNLINK, RST | ACK, NULL);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(t.b.c.flows_mid_stream, 0);
	end_two(&t);
}

/* What is decided without payload keeps its rule for life. */
static void decided_before_it_begins(void)
{
	struct two t;
	struct conn c;

	begin_two(&t);
	c = tcp(&t.a, 4000, 80);
	t.a.s->needs = (struct ecs_needs){0}; /* as where no line looks at L7 */
	for (int n = 0; n < 3; n++)
		step(&c, n);
	CU_ASSERT_EQUAL(flow_of(&c)->flags & OPEN, ECS_FLOW_F_FINAL);
	move(&c, &t.b);
	step(&c, 3);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_TRUE(ecs_flow_recovered(t.b.e, flow_of(&c)));
	end_two(&t);
}

/* A flow without a connection, of which nothing was said yet. */
static void datagrams(void)
{
	struct two t;
	struct conn c = {.proto = 17, .sport = 4000, .dport = 53};
	uint8_t b[512];

	begin_two(&t);
	c.r = &t.a;
	say(&c, ECS_UPLINK, 0, "no question");
	CU_ASSERT_EQUAL(flow_of(&c)->flags & OPEN, ECS_FLOW_F_FRESH);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "udp-any");
	move(&c, &t.b);
	say_n(&c, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "names");
	CU_ASSERT_FALSE(ecs_flow_recovered(t.b.e, flow_of(&c)));
	CU_ASSERT_EQUAL(flow_of(&c)->flags & OPEN, ECS_FLOW_F_FINAL);
	move(&c, &t.a);
	say_n(&c, ECS_UPLINK, 0, b, pk_dns("bad", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "names"); /* final: for life */
	CU_ASSERT_TRUE(ecs_flow_recovered(t.a.e, flow_of(&c)));
	end_two(&t);
}

/* A flow whose rule was taken from its call goes on by another one, and is recovered with that, also where it
 * began: it keeps it. */
static void a_rule_that_was_taken(void)
{
	struct ecs_dyn_spec d = {.name = "given", .precedence = 1};
	struct conn c = {.proto = 17, .sport = 4000, .dport = 5000};
	struct two t;
	char why[100];

	begin_two(&t);
	c.r = &t.a;
	CU_ASSERT_EQUAL(ecs_sdfs_parse("udp any", &d.filters, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(ecs_rule_install(t.a.e, 1, &d, t.a.now), 0);
	say(&c, ECS_UPLINK, 0, "one");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "given");
	CU_ASSERT_EQUAL(ecs_rule_remove(t.a.e, 1, "given", t.a.now), 0);
	say(&c, ECS_UPLINK, 0, "two");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "udp-any");
	CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT);
	ecs_engine_active(t.a.e, false, t.a.now);
	ecs_engine_active(t.a.e, true, t.a.now);
	say(&c, ECS_UPLINK, 0, "three");
	CU_ASSERT_TRUE(ecs_flow_recovered(t.a.e, flow_of(&c)));
	CU_ASSERT_EQUAL(ecs_rule_install(t.a.e, 1, &d, t.a.now), 0);
	say(&c, ECS_UPLINK, 0, "four");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "udp-any");
	end_two(&t);
}

/* The rule of a connection is taken from its call while its handshake goes on. */
static struct conn opened_by_lent(struct two *t)
{
	struct ecs_dyn_spec d = {.name = "lent", .precedence = 1};
	struct conn c;
	char why[100];

	begin_two(t);
	c = tcp(&t->a, 4000, 80);
	CU_ASSERT_EQUAL(ecs_sdfs_parse("tcp any", &d.filters, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(ecs_rule_install(t->a.e, 1, &d, t->a.now), 0);
	step(&c, 0);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "lent");
	CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT);
	return c;
}

/* The next packet decides, whichever way it goes, as of a flow that begins: it is recovered by that. */
static void taken_while_it_opens(void)
{
	for (int next = 0; next <= 1; next++) {
		struct two t;
		struct conn c = opened_by_lent(&t);

		CU_ASSERT_EQUAL(ecs_rule_remove(t.a.e, 1, "lent", t.a.now), 0);
		CU_ASSERT_FALSE(flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT);
		c.up -= next == 0; /* the SYN is sent again */
		step(&c, next);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
		CU_ASSERT_EQUAL(flow_of(&c)->back, flow_of(&c)->ref);
		move(&c, &t.b);
		step(&c, 2);
		CU_ASSERT_TRUE(ecs_flow_recovered(t.b.e, flow_of(&c)));
		step(&c, 3);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
		CU_ASSERT_EQUAL(t.b.c.flows_created, 0);
		end_two(&t);
	}
}

/* After a takeover, and the flow's beginning goes by unseen: it lives on by L3/L4 lines. */
static void taken_and_begun_unseen(void)
{
	struct two t;
	struct conn c = opened_by_lent(&t);

	step(&c, 1);
	ecs_engine_active(t.a.e, false, t.a.now);
	ecs_engine_active(t.a.e, true, t.a.now);
	CU_ASSERT_EQUAL(ecs_rule_remove(t.a.e, 1, "lent", t.a.now), 0);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "(no rule)");
	c.up += 1;
	for (unsigned n = 1; n <= 2; n++) {
		say(&c, ECS_UPLINK, ACK, GET("video.example"));
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
		CU_ASSERT_EQUAL(stats_of(&t.a, "tcp-any")->hits, n);
	}
	CU_ASSERT_TRUE(ecs_flow_recovered(t.a.e, flow_of(&c)));
	CU_ASSERT_EQUAL(t.a.c.flows_mid_stream, 1);
	CU_ASSERT_EQUAL(t.a.c.http_requests, 0);
	end_two(&t);
}

/* A recovered flow has lost its rule, and got it back: a FIN does not end it, but tears its connection down, and
 * what follows is charged as that. */
static void torn_down(void)
{
	static const char last[] = " action priority 5 dynamic-only ruledef site charging-action ca-any\n"
		HANDSHAKING(" mid-session-packets");
	const struct ecs_dyn_spec d = {.name = "site", .predefined = true};
	const struct ecs_rule_stats *site, *any;
	uint64_t hits;
	struct two t;
	struct conn c;

	begin_with(&t, last);
	site = stats_of(&t.a, "site");
	any = stats_of(&t.a, "tcp-any");
	CU_ASSERT_EQUAL(ecs_rule_install(t.a.e, 1, &d, t.a.now), 0);
	c = tcp(&t.a, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("a.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "site");
	ecs_engine_active(t.a.e, false, t.a.now);
	ecs_engine_active(t.a.e, true, t.a.now);
	CU_ASSERT_EQUAL(ecs_rule_remove(t.a.e, 1, "site", t.a.now), 0);
	say(&c, ECS_DOWNLINK, ACK, "its answer");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(ecs_rule_install(t.a.e, 1, &d, t.a.now), 0);
	hits = site->hits;
	say(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "site");
	CU_ASSERT_EQUAL(site->hits, hits + 1);
	hits = any->hits;
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	say(&c, ECS_UPLINK, ACK, NULL);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_EQUAL(any->hits, hits + 4);
	CU_ASSERT_TRUE(ecs_flow_recovered(t.a.e, flow_of(&c)));
	wait_ms(&t.a, 30000);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "site");
	end_two(&t);
}

/* A flow has lost the rule that its application meant, and its call gets another: the flow's next packet says whether
 * that comes first. Until then it has none, and is not recovered. */
static void given_meanwhile(void)
{
	static const char last[] = " action priority 5 dynamic-only ruledef site charging-action ca-any\n"
		" dynamic-rule order first-if-tied\n" HANDSHAKING(" mid-session-packets");
	const struct ecs_dyn_spec d = {.name = "site", .predefined = true};
	struct ecs_dyn_spec lent = {.name = "lent"};
	char why[100];

	for (uint32_t precedence = 79; precedence <= 81; precedence += 2) {
		struct two t;
		struct conn c;

		begin_with(&t, last);
		CU_ASSERT_EQUAL(ecs_rule_install(t.a.e, 1, &d, t.a.now), 0);
		c = tcp(&t.a, 4000, 80);
		handshake(&c);
		say(&c, ECS_UPLINK, ACK, GET("a.example"));
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "site");
		CU_ASSERT_EQUAL(ecs_rule_remove(t.a.e, 1, "site", t.a.now), 0);
		lent.precedence = precedence;
		CU_ASSERT_EQUAL(ecs_sdfs_parse("tcp any", &lent.filters, why, sizeof(why)), 0);
		CU_ASSERT_EQUAL(ecs_rule_install(t.a.e, 1, &lent, t.a.now), 0);
		CU_ASSERT_STRING_EQUAL(rule_of(&c), "(no rule)");
		CU_ASSERT_FALSE(flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT);
		say(&c, ECS_DOWNLINK, ACK, "its answer");
		CU_ASSERT_STRING_EQUAL(rule_of(&c), precedence < 80 ? "lent" : "tcp-any");
		CU_ASSERT_TRUE(flow_of(&c)->flags & ECS_FLOW_F_CHECKPOINT);
		end_two(&t);
	}
}

CU_TestInfo ecs_fresh_tests[] = {
	{"a rule that was taken", a_rule_that_was_taken},
	{"a rule that was taken while it opens", taken_while_it_opens},
	{"a rule that was taken, and it began unseen", taken_and_begun_unseen},
	{"a connection is torn down that has lost its rule", torn_down},
	{"a rule that is given to one that has lost its own", given_meanwhile},
	{"the request decides, after the takeover", the_request_decides},
	{"the role goes over three times", twice_over},
	{"it began unseen", begun_unseen},
	{"a handshake that was held", held_handshake},
	{"the server speaks first", server_speaks_first},
	{"from the answer to a SYN", from_the_answer},
	{"in the middle of a request", undecided},
	{"it ends without having begun", ends_without_beginning},
	{"decided before it begins", decided_before_it_begins},
	{"datagrams", datagrams},
	CU_TEST_INFO_NULL,
};

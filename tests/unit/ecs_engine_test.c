#include "config.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/engine_impl.h"
#include "ecs/path.h"
#include "ecs_packets.h"
#include "ecs_rule_text.h"

#define UE     "10.0.0.1"
#define SERVER "192.0.2.80"
#define UE6    "2001:db8:5::77"
#define SERVER6 "2001:db8:9::80"
#define SYN ECS_TCP_SYN
#define ACK ECS_TCP_ACK
#define FIN ECS_TCP_FIN
#define RST ECS_TCP_RST

/* L7 lines first, then L3/L4 lines, all eligible but `tcp-any`. */
static const char rules[] =
	"ruledef video\n http host ends-with video.example\n#exit\n"
	"ruledef mail\n tls sni = mail.example\n#exit\n"
	"ruledef names\n dns query-name contains good\n#exit\n"
	"ruledef late\n tcp either-port = 7777\n#exit\n"
	"ruledef drop-both\n udp either-port = 666\n#exit\n"
	"ruledef drop-up\n udp either-port = 667\n#exit\n"
	"ruledef ping\n icmp any-match = TRUE\n#exit\n"
	"ruledef tcp-any\n tcp any-match = TRUE\n#exit\n"
	"ruledef udp-any\n udp any-match = TRUE\n#exit\n"
	"charging-action ca-video\n content-id 10\n#exit\n"
	"charging-action ca-mail\n content-id 20\n flow idle-timeout 30\n#exit\n"
	"charging-action ca-names\n content-id 30\n flow idle-timeout 0\n#exit\n"
	"charging-action ca-any\n content-id 40\n#exit\n"
	"charging-action ca-drop\n content-id 50\n flow action discard\n#exit\n"
	"charging-action ca-up\n content-id 60\n flow action discard uplink\n#exit\n"
	"rulebase rb\n"
	" action priority 10 ruledef video charging-action ca-video\n"
	" action priority 20 ruledef mail charging-action ca-mail\n"
	" action priority 30 ruledef names charging-action ca-names\n"
	" action priority 40 ruledef late charging-action ca-any\n"
	" action priority 50 ruledef drop-both charging-action ca-drop\n"
	" action priority 60 ruledef drop-up charging-action ca-up\n"
	" action priority 70 ruledef ping charging-action ca-any\n"
	" action priority 80 ruledef tcp-any charging-action ca-any\n"
	" action priority 90 ruledef udp-any charging-action ca-any\n"
	"#exit\n";

static const char eligible[] =
	"trigger-action ta\n flow-recovery\n#exit\n"
	"trigger-condition tc\n rule-name = video\n rule-name = mail\n rule-name = names\n#exit\n"
	"trigger-condition td\n rule-name = late\n delay = 20\n#exit\n"
	"service-scheme ss\n trigger flow-create\n"
	"  priority 1 trigger-condition tc trigger-action ta\n"
	"  priority 2 trigger-condition td trigger-action ta\n #exit\n#exit\n"
	"subs-class sc\n any-match = TRUE\n#exit\n"
	"subscriber-base sb\n priority 1 subs-class sc bind service-scheme ss\n#exit\n";

struct rig {
	struct srp_ckpt_sink sink;
	unsigned changed[256], deleted[256], told[256];
	unsigned ups, downs;
	enum ecs_session_end why;
	struct ecs_counters c;
	struct ecs_rule_stats *stats;
	struct ecs_service *svc;
	struct ecs_engine *e;
	struct ecs_session *s;
	struct srp_time now;
};

static void on_changed(struct srp_ckpt_sink *s, struct srp_ckpt_obj *o, struct srp_time now)
{
	struct rig *r = (struct rig *)(void *)s;

	(void)now;
	r->changed[o->kind->id]++;
	o->version++;
}

static void on_deleted(struct srp_ckpt_sink *s, struct srp_ckpt_obj *o, bool tell,
                       struct srp_time now)
{
	struct rig *r = (struct rig *)(void *)s;

	(void)now;
	r->deleted[o->kind->id]++;
	r->told[o->kind->id] += tell;
}

static void on_up(void *owner, const struct ecs_session *s)
{
	(void)s;
	((struct rig *)owner)->ups++;
}

static void on_down(void *owner, const struct ecs_session *s, enum ecs_session_end why)
{
	struct rig *r = owner;

	(void)s;
	r->downs++;
	r->why = why;
}

static const struct ecs_engine_ops ops = {.session_up = on_up, .session_down = on_down};

static struct ecs_service *service(const char *more)
{
	char text[8192];
	struct ecs_service *s;

	snprintf(text, sizeof(text), "%s%s", more, eligible);
	s = ecs_rule_text(text, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static struct ecs_addr addr(const char *t)
{
	struct ecs_addr a = {{0}};

	CU_ASSERT_EQUAL(ecs_addr_parse(t, &a), 0);
	return a;
}

static struct ecs_session_spec spec_of(uint32_t callid, const char *v4, const char *v6)
{
	struct ecs_session_spec sp = {.callid = callid, .rulebase = "rb", .apn = "internet"};

	if (v4) {
		sp.has4 = true;
		sp.v4 = addr(v4);
	}
	if (v6) {
		sp.has6 = true;
		sp.v6 = addr(v6);
	}
	return sp;
}

static void setup(struct rig *r, const char *text, uint32_t duration)
{
	struct ecs_engine_config conf = {.ops = &ops, .owner = r, .seed = 11, .pending_timeout = 60,
	                                 .checkpoint_duration = duration};

	memset(r, 0, sizeof(*r));
	r->now.us = SRP_SEC(100000);
	r->sink = (struct srp_ckpt_sink){on_changed, on_deleted};
	r->stats = calloc(ECS_STATS_MAX, sizeof(*r->stats));
	r->svc = service(text);
	conf.service = r->svc;
	conf.sink = &r->sink;
	conf.counters = &r->c;
	conf.rule_stats = r->stats;
	r->e = ecs_engine_new(&conf, r->now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r->e);
}

/* An active engine with one session of both families. */
static void begin(struct rig *r)
{
	struct ecs_session_spec sp = spec_of(1, UE, UE6);

	setup(r, rules, 0);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

static void end(struct rig *r)
{
	ecs_engine_free(r->e);
	ecs_service_free(r->svc);
	free(r->stats);
}

static void wait_ms(struct rig *r, uint64_t ms)
{
	while (ms) {
		uint64_t step = ms < 500 ? ms : 500;

		r->now.us += SRP_MS(step);
		ms -= step;
		while (ecs_engine_tick(r->e, r->now, 1000))
			;
	}
}

static enum ecs_verdict put(struct rig *r, const struct pk *k, enum ecs_dir dir, uint16_t gso)
{
	uint8_t b[PK_CAP];
	size_t n = pk_build(k, b);
	uint8_t *copy = malloc(n);
	enum ecs_verdict v;

	memcpy(copy, b, n);
	v = ecs_engine_packet(r->e, copy, n, dir, gso, r->now);
	free(copy);
	return v;
}

/* A connection of the subscriber; both ends' sequence numbers. */
struct conn {
	struct rig *r;
	uint8_t proto;
	uint16_t sport, dport;
	uint32_t up, down;
	bool v6;
};

static enum ecs_verdict say_n(struct conn *c, enum ecs_dir dir, uint8_t flags, const void *data,
                              size_t len)
{
	bool up = dir == ECS_UPLINK;
	const char *ue = c->v6 ? UE6 : UE, *server = c->v6 ? SERVER6 : SERVER;
	struct pk k = {.src = up ? ue : server, .dst = up ? server : ue, .proto = c->proto,
	               .sport = up ? c->sport : c->dport, .dport = up ? c->dport : c->sport,
	               .flags = flags, .seq = up ? c->up : c->down, .data = data, .len = len};

	*(up ? &c->up : &c->down) += (uint32_t)len + (flags & (SYN | FIN) ? 1 : 0);
	return put(c->r, &k, dir, 0);
}

static enum ecs_verdict say(struct conn *c, enum ecs_dir dir, uint8_t flags, const char *text)
{
	return say_n(c, dir, flags, text, text ? strlen(text) : 0);
}

static struct conn tcp(struct rig *r, uint16_t sport, uint16_t dport)
{
	return (struct conn){.r = r, .proto = 6, .sport = sport, .dport = dport, .up = 1000 + sport,
	                     .down = 77};
}

static void handshake(struct conn *c)
{
	CU_ASSERT_EQUAL(say(c, ECS_UPLINK, SYN, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(c, ECS_DOWNLINK, SYN | ACK, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(c, ECS_UPLINK, ACK, NULL), ECS_FORWARD);
}

static struct ecs_flow *flow_of(const struct conn *c)
{
	struct ecs_flow_key k = {.proto = c->proto, .subscriber_port = c->sport,
	                         .server_port = c->dport};

	k.subscriber = addr(c->v6 ? UE6 : UE);
	k.server = addr(c->v6 ? SERVER6 : SERVER);
	return ecs_flow_find(c->r->e->flows, &k);
}

static const struct ecs_rule_stats *stats_of(const struct rig *r, const char *rule)
{
	size_t n = ecs_service_stats_count(r->svc);

	for (size_t i = 0; rule && i < n; i++)
		if (strcmp(ecs_service_stats_name(r->svc, i), rule) == 0)
			return &r->stats[i];
	CU_ASSERT_PTR_NULL(rule);
	return &r->stats[n];
}

static const char *rule_of(const struct conn *c)
{
	const struct ecs_flow *f = flow_of(c);
	const struct ecs_ruleref *ref = f ? ecs_ruleref_get(c->r->e->refs, f->ref) : NULL;

	return !f ? "no flow" : ref ? ref->rule : "(no rule)";
}

static struct ecs_volume volume(struct rig *r, enum ecs_usage_of of, uint64_t id)
{
	struct srp_list *l;

	for (l = r->s->usages.next; l != &r->s->usages; l = l->next) {
		struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);

		if (u->of == of && u->id == id)
			return ecs_usage_sum(u);
	}
	return (struct ecs_volume){{0}, {0}};
}

#define GET(host) "GET /x HTTP/1.1\r\nHost: " host "\r\n\r\n"

/* --- matching ------------------------------------------------------------------------------------- */

static void http_per_request(void)
{
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->bytes_up, 80);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->bytes_down, 40);
	say(&c, ECS_UPLINK, ACK, GET("www.video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* what carries nothing stays with the flow's verdict */
	say(&c, ECS_DOWNLINK, ACK, NULL);
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n");
	CU_ASSERT_EQUAL(stats_of(&r, "video")->pkts_down, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->match_bypassed, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	/* another request, another rule; and back */
	say(&c, ECS_UPLINK, ACK, GET("other.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n");
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 5);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_EQUAL(r.c.http_requests, 3);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 10).pkts[ECS_DOWNLINK], 2);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 40).pkts[ECS_UPLINK], 3);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 5);
	CU_ASSERT_EQUAL(r.c.packets_up, 5);
	end(&r);
}

static void handshake_is_charged_to_the_application(void)
{
	struct rig r;
	struct conn c;
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	char text[8192];
	size_t n = sizeof(rules) - 1 - strlen("#exit\n");

	snprintf(text, sizeof(text), "%.*s flow control-handshaking charge-to-application "
	         "initial-packets\n#exit\n", (int)n, rules);
	setup(&r, text, 0);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 0);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 0);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 0);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 4);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->pkts_up, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->bytes_down, 40);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 3);
	say(&c, ECS_DOWNLINK, ACK, NULL);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 5);
	/* one that never says what it is: by what is known when it ends */
	c = tcp(&r, 4001, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 0);
	ecs_flows_clear(r.e, 0, r.now);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->pkts_up, 2);
	end(&r);
}

static void tls_and_dns(void)
{
	struct rig r;
	struct conn c;
	uint8_t b[512];
	size_t n;

	begin(&r);
	c = tcp(&r, 4001, 993);
	c.v6 = true;
	handshake(&c);
	n = pk_hello("mail.example", b);
	say_n(&c, ECS_UPLINK, ACK, b, 30);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	say_n(&c, ECS_UPLINK, ACK, b + 30, n - 30);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "mail");
	CU_ASSERT_PTR_NULL(flow_of(&c)->analysis); /* nothing is left to find out */
	CU_ASSERT_EQUAL(flow_of(&c)->idle_timeout, 30);
	c = (struct conn){.r = &r, .proto = 17, .sport = 5000, .dport = 53};
	n = pk_dns("very.good.example", b);
	say_n(&c, ECS_UPLINK, 0, b, n);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "names");
	say_n(&c, ECS_DOWNLINK, 0, b, n);
	CU_ASSERT_EQUAL(stats_of(&r, "names")->pkts_down, 1);
	n = pk_dns("bad.example", b); /* a question is an answer of its own */
	say_n(&c, ECS_UPLINK, 0, b, n);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "udp-any");
	end(&r);
}

static void no_rule_and_unknown(void)
{
	struct rig r;
	struct pk k = {.src = UE, .dst = SERVER, .proto = 47, .text = "gre"};

	begin(&r);
	CU_ASSERT_EQUAL(put(&r, &k, ECS_UPLINK, 0), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.no_rule_packets, 1);
	CU_ASSERT_EQUAL(stats_of(&r, NULL)->hits, 1);
	CU_ASSERT_EQUAL(stats_of(&r, NULL)->bytes_up, 23);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_RULE, 0).bytes[ECS_UPLINK], 23);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	k.src = "10.0.0.2";
	CU_ASSERT_EQUAL(put(&r, &k, ECS_UPLINK, 0), ECS_NO_SESSION);
	CU_ASSERT_EQUAL(r.c.packets_up, 1);
	/* the subscriber is the source on uplink only */
	k.src = UE;
	CU_ASSERT_EQUAL(put(&r, &k, ECS_DOWNLINK, 0), ECS_NO_SESSION);
	CU_ASSERT_EQUAL(ecs_engine_packet(r.e, (const uint8_t *)"\x45", 1, ECS_UPLINK, 0, r.now),
	                ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_malformed, 1);
	end(&r);
}

static void discard(void)
{
	struct rig r;
	struct conn c = {.r = &r, .proto = 17, .sport = 9, .dport = 666};

	begin(&r);
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(stats_of(&r, "drop-both")->hits, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "drop-both")->pkts_up, 0);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 50).pkts[ECS_UPLINK], 0);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 0);
	CU_ASSERT_EQUAL(r.c.drop_discard, 2);
	c.dport = 667;
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, 0, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(say(&c, ECS_DOWNLINK, 0, "x"), ECS_FORWARD);
	CU_ASSERT_EQUAL(stats_of(&r, "drop-up")->hits, 2);
	CU_ASSERT_EQUAL(stats_of(&r, "drop-up")->pkts_down, 1);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_CONTENT, 60).pkts[ECS_DOWNLINK], 1);
	end(&r);
}

static void super_packets(void)
{
	struct rig r;
	static const char data[1000];
	struct pk k = {.src = UE, .dst = SERVER, .proto = 17, .sport = 7, .dport = 8,
	               .data = (const uint8_t *)data, .len = sizeof(data)};

	begin(&r);
	put(&r, &k, ECS_UPLINK, 1000); /* one segment */
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->pkts_up, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->bytes_up, 1028);
	put(&r, &k, ECS_UPLINK, 999); /* one byte more than one segment */
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->pkts_up, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->bytes_up, 1028 + 1056);
	put(&r, &k, ECS_UPLINK, 100);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->pkts_up, 13);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->bytes_up, 1028 + 1056 + 1000 + 280);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).pkts[ECS_UPLINK], 13);
	CU_ASSERT_EQUAL(volume(&r, ECS_USAGE_SESSION, 0).bytes[ECS_UPLINK], 1028 + 1056 + 1280);
	CU_ASSERT_EQUAL(r.c.packets_up, 13);
	end(&r);
}

static void mid_stream(void)
{
	struct rig r;
	struct conn c;
	uint8_t b[512];

	begin(&r);
	c = tcp(&r, 4000, 80);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 1);
	CU_ASSERT_EQUAL(r.c.http_requests, 0);
	/* a new connection on its ports is not mid-stream any more */
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* a RST of no flow makes none */
	c = tcp(&r, 4001, 80);
	say(&c, ECS_DOWNLINK, RST, NULL);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_rst, 0);
	/* UDP has no middle */
	c = (struct conn){.r = &r, .proto = 17, .sport = 5000, .dport = 53};
	say_n(&c, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "names");
	end(&r);
}

static void one_sided(void)
{
	struct rig r;
	struct conn c;

	/* only the subscriber's half passes here: its ACK tells that the SYN was answered */
	begin(&r);
	c = tcp(&r, 4000, 80);
	say(&c, ECS_UPLINK, SYN, NULL);
	say(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_EQUAL(flow_of(&c)->tcp_state, ECS_TCP_ST_ESTABLISHED);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	/* or only the other: its SYN+ACK tells who opened it */
	c = tcp(&r, 4001, 80);
	say(&c, ECS_DOWNLINK, SYN | ACK, NULL);
	CU_ASSERT_EQUAL(flow_of(&c)->flags & (ECS_FLOW_F_MID | ECS_FLOW_F_OPENER_UP),
	                ECS_FLOW_F_OPENER_UP);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 0);
	end(&r);
}

static const char directions[] =
	"ruledef up\n ip uplink = TRUE\n#exit\n"
	"ruledef down\n ip downlink = TRUE\n#exit\n"
	"ruledef open\n tcp state = established\n#exit\n"
	"ruledef closing\n tcp state = fin-wait1\n#exit\n"
	"charging-action ca\n content-id 1\n#exit\n"
	"rulebase rb\n"
	" action priority 1 ruledef open charging-action ca\n"
	" action priority 2 ruledef closing charging-action ca\n"
	" action priority 3 ruledef up charging-action ca\n"
	" action priority 4 ruledef down charging-action ca\n#exit\n";

static void rules_of_directions_and_states(void)
{
	struct rig r;
	struct conn c = {.r = &r, .proto = 17, .sport = 1, .dport = 2};
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	uint64_t matches;

	setup(&r, directions, 0);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	for (int i = 0; i < 3; i++) {
		say(&c, ECS_UPLINK, 0, "u");
		say(&c, ECS_DOWNLINK, 0, "d");
	}
	CU_ASSERT_EQUAL(stats_of(&r, "up")->hits, 3);
	CU_ASSERT_EQUAL(stats_of(&r, "down")->hits, 3);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "up"); /* the flow's own: of its first direction */
	matches = r.c.matches;
	say(&c, ECS_DOWNLINK, 0, "d");
	CU_ASSERT_EQUAL(r.c.matches, matches); /* both verdicts are cached */
	c = tcp(&r, 4000, 80);
	handshake(&c);
	CU_ASSERT_EQUAL(stats_of(&r, "open")->hits, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "up")->hits, 4);
	CU_ASSERT_EQUAL(stats_of(&r, "down")->hits, 5);
	say(&c, ECS_DOWNLINK, ACK, "d");
	CU_ASSERT_EQUAL(stats_of(&r, "open")->hits, 2);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	CU_ASSERT_EQUAL(stats_of(&r, "closing")->hits, 1);
	say(&c, ECS_DOWNLINK, ACK, NULL); /* fin-wait2: neither */
	CU_ASSERT_EQUAL(stats_of(&r, "down")->hits, 6);
	end(&r);
}

/* --- ends and timers ------------------------------------------------------------------------------ */

static void both_fins_end_a_flow(void)
{
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	wait_ms(&r, 5000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c)); /* one is not enough */
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	say(&c, ECS_UPLINK, ACK, NULL);
	wait_ms(&r, 1900);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL); /* a late one does not prolong it */
	wait_ms(&r, 400);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 1);
	CU_ASSERT_EQUAL(r.c.flows_idle, 0);
	/* the ports are used again at once */
	c = tcp(&r, 4002, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	c.up = 999999;
	handshake(&c);
	CU_ASSERT_EQUAL(r.c.flows_fin, 2);
	CU_ASSERT_EQUAL(flow_of(&c)->flags & (ECS_FLOW_F_FIN_UP | ECS_FLOW_F_FIN_DOWN), 0);
	CU_ASSERT_EQUAL(flow_of(&c)->tcp_state, ECS_TCP_ST_ESTABLISHED);
	end(&r);
}

/* Closed when the role was lost, and still remembered when it comes back: it is a recovered flow then. */
static void linger_does_not_outlive_the_role(void)
{
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	flow_of(&c)->flags |= ECS_FLOW_F_CHECKPOINT; /* the peer holds it */
	ecs_engine_active(r.e, false, r.now);
	wait_ms(&r, 10000);
	ecs_engine_active(r.e, true, r.now);
	wait_ms(&r, 10000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 280000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 15000);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 0);
	CU_ASSERT_EQUAL(r.c.flows_idle, 1);
	end(&r);
}

static void rst_ends_a_flow(void)
{
	struct rig r;
	struct conn c;

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	say(&c, ECS_DOWNLINK, RST, NULL);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 2); /* the RST is charged to it */
	CU_ASSERT_EQUAL(r.c.flows_rst, 1);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 0);
	CU_ASSERT_EQUAL(r.s->nflows, 0);
	end(&r);
}

static void idle_timeouts(void)
{
	struct rig r;
	struct conn half, full, udp, own, never;
	uint8_t b[512];

	begin(&r);
	half = tcp(&r, 1, 80);
	say(&half, ECS_UPLINK, SYN, NULL);
	full = tcp(&r, 2, 80);
	handshake(&full);
	own = tcp(&r, 3, 993);
	handshake(&own);
	say_n(&own, ECS_UPLINK, ACK, b, pk_hello("mail.example", b));
	udp = (struct conn){.r = &r, .proto = 17, .sport = 4, .dport = 5};
	say(&udp, ECS_UPLINK, 0, "x");
	never = (struct conn){.r = &r, .proto = 17, .sport = 5, .dport = 53};
	say_n(&never, ECS_UPLINK, 0, b, pk_dns("good", b));
	wait_ms(&r, 29500);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&own));
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&own)); /* 30 s: its charging action's */
	wait_ms(&r, 169000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&half));
	say(&udp, ECS_DOWNLINK, 0, "y"); /* at 199.5 s */
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&half)); /* 200 s: half-open */
	wait_ms(&r, 99000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&full));
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&full)); /* 300 s: TCP */
	wait_ms(&r, 198500);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&udp)); /* 299 s since its last packet */
	wait_ms(&r, 1000);
	CU_ASSERT_PTR_NULL(flow_of(&udp));
	CU_ASSERT_EQUAL(r.c.flows_idle, 4);
	wait_ms(&r, 100000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&never)); /* 0: never */
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 1, r.now), 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	CU_ASSERT_EQUAL(r.c.flows_cleared, 1);
	CU_ASSERT_EQUAL(ecs_flows_clear(r.e, 99, r.now), 0);
	end(&r);
}

/* --- fragments and errors -------------------------------------------------------------------------- */

static void fragments(void)
{
	struct rig r;
	static const uint8_t data[64] = {0, 53, 0, 53};
	struct pk first = {.src = SERVER, .dst = UE, .proto = 17, .sport = 8, .dport = 9, .ipid = 5,
	                   .frag = 0x2000, .data = data, .len = 64};
	struct pk later = {.src = SERVER, .dst = UE, .proto = 17, .ipid = 5, .frag = 9, .data = data,
	                   .len = 64};
	struct conn c = {.r = &r, .proto = 17, .sport = 9, .dport = 8};

	begin(&r);
	CU_ASSERT_EQUAL(put(&r, &later, ECS_DOWNLINK, 0), ECS_FORWARD);
	CU_ASSERT_EQUAL(r.c.fragment_no_first, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	CU_ASSERT_EQUAL(stats_of(&r, "udp-any")->hits, 1); /* by its L3 line */
	put(&r, &first, ECS_DOWNLINK, 0);
	put(&r, &later, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(r.c.fragments_followed, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	CU_ASSERT_EQUAL(flow_of(&c)->pkts[ECS_DOWNLINK], 2);
	/* the flow is gone: so is what the fragment could follow */
	ecs_flows_clear(r.e, 0, r.now);
	put(&r, &later, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(r.c.fragment_no_first, 2);
	end(&r);
}

static void icmp_error_of_a_flow(void)
{
	struct rig r;
	struct conn c;
	struct pk in = {.src = UE, .dst = SERVER, .proto = 6, .sport = 4000, .dport = 80};
	struct pk k = {.src = "198.51.100.1", .dst = UE, .proto = 1, .type = 11};
	uint8_t inner[PK_CAP];

	begin(&r);
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	k.data = inner;
	k.len = pk_build(&in, inner);
	put(&r, &k, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(r.c.icmp_errors, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->pkts_down, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	in.dport = 81; /* of no flow: by its L3 line, and it makes none */
	k.len = pk_build(&in, inner);
	put(&r, &k, ECS_DOWNLINK, 0);
	CU_ASSERT_EQUAL(r.c.icmp_errors, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "ping")->pkts_down, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	end(&r);
}

/* --- sessions -------------------------------------------------------------------------------------- */

static void sessions(void)
{
	struct rig r;
	struct ecs_session_spec sp;
	struct ecs_session *s;
	struct ecs_addr a;

	begin(&r);
	CU_ASSERT_EQUAL(r.ups, 1);
	sp = spec_of(1, "10.0.0.9", NULL);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EDUP);
	sp = spec_of(2, UE, NULL);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EDUP);
	sp = spec_of(2, NULL, "2001:db8:5::1"); /* the same /64 */
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EDUP);
	sp = spec_of(0, "10.0.0.9", NULL);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EINVAL);
	sp = spec_of(2, NULL, NULL);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_EINVAL);
	sp = spec_of(2, "10.0.0.9", NULL);
	strcpy(sp.rulebase, "none");
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_ENORULE);
	sp.rulebase[0] = '\0'; /* without one: that called "default", which is not there */
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &s), SRP_ENORULE);
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), 1);
	a = addr("2001:db8:5::ffff:1");
	CU_ASSERT_PTR_EQUAL(ecs_session_by_addr(r.e, &a), r.s);
	a = addr("2001:db8:6::1");
	CU_ASSERT_PTR_NULL(ecs_session_by_addr(r.e, &a));
	CU_ASSERT_PTR_EQUAL(ecs_session_find(r.e, 1), r.s);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 2, ECS_END_OPERATOR, r.now), SRP_ENOSESS);
	CU_ASSERT_EQUAL(ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now), 0);
	CU_ASSERT_EQUAL(r.downs, 1);
	CU_ASSERT_EQUAL(r.why, ECS_END_OPERATOR);
	CU_ASSERT_EQUAL(r.told[ecs_kind_full.id], 1);
	CU_ASSERT_EQUAL(r.told[ecs_kind_call.id], 0); /* it goes with the session */
	CU_ASSERT_EQUAL(r.deleted[ecs_kind_call.id], 1);
	CU_ASSERT_EQUAL(r.deleted[ecs_kind_bearer.id], 1);
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), 0);
	end(&r);
}

static void walking_sessions(void)
{
	enum { N = 3000 };
	static uint8_t seen[N + 1];
	struct rig r;
	uint32_t at = 0, n = 0;

	begin(&r);
	ecs_session_delete(r.e, 1, ECS_END_OPERATOR, r.now);
	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 1; i <= N; i++) {
		struct ecs_session_spec sp = spec_of(i, UE, NULL);

		pk32(sp.v4.b + 12, 0x0a010000 + i);
		CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, NULL), 0);
	}
	for (struct ecs_session *s; (s = ecs_session_next(r.e, at)) != NULL; n++) {
		at = s->spec.callid;
		CU_ASSERT_FALSE(seen[at]);
		seen[at] = 1;
		if (n % 3 == 0) /* the walk goes on from one that has ended meanwhile */
			ecs_session_delete(r.e, at, ECS_END_OPERATOR, r.now);
		if (n % 2 == 0) { /* and is not disturbed by those that begin */
			struct ecs_session_spec sp = spec_of(N + 1 + n, UE, NULL);

			pk32(sp.v4.b + 12, 0x0a020000 + n);
			CU_ASSERT_EQUAL_FATAL(ecs_session_create(r.e, &sp, r.now, NULL), 0);
			CU_ASSERT_EQUAL(ecs_session_delete(r.e, N + 1 + n, ECS_END_OPERATOR, r.now),
			                0);
		}
	}
	CU_ASSERT_EQUAL(n, N);
	CU_ASSERT_EQUAL(ecs_engine_sessions(r.e), N - N / 3);
	end(&r);
}

static void session_idle(void)
{
	struct rig r;
	struct ecs_session_spec sp = spec_of(2, "10.0.0.2", NULL);
	struct pk k = {.src = "10.0.0.2", .dst = SERVER, .proto = 17, .sport = 1, .dport = 2};

	begin(&r);
	sp.idle_timeout = 100;
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, NULL), 0);
	wait_ms(&r, 60000);
	put(&r, &k, ECS_UPLINK, 0);
	wait_ms(&r, 99000);
	CU_ASSERT_PTR_NOT_NULL(ecs_session_find(r.e, 2));
	wait_ms(&r, 1500);
	CU_ASSERT_PTR_NULL(ecs_session_find(r.e, 2));
	CU_ASSERT_EQUAL(r.why, ECS_END_IDLE);
	CU_ASSERT_EQUAL(r.c.sessions_idle, 1);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 0);
	CU_ASSERT_PTR_NOT_NULL(ecs_session_find(r.e, 1)); /* 0: none */
	end(&r);
}

static void ready_after_duration(void)
{
	struct rig r;
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	struct conn c;

	setup(&r, rules, 60);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	CU_ASSERT_FALSE(r.s->ready_for_recovery);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_full.id], 1); /* the gate counts it */
	c = tcp(&r, 4000, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	wait_ms(&r, 59900);
	CU_ASSERT_FALSE(r.s->ready_for_recovery);
	memset(r.changed, 0, sizeof(r.changed));
	wait_ms(&r, 500);
	CU_ASSERT_TRUE(r.s->ready_for_recovery);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_full.id], 1);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_call.id], 1);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_bearer.id], 1);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_flow.id], 1);
	CU_ASSERT_TRUE(r.changed[ecs_kind_usage.id] > 0);
	end(&r);
}

static void flush_makes_ready(void)
{
	struct rig r;
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	struct conn c;

	setup(&r, rules, 60);
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_EQUAL(ecs_session_create(r.e, &sp, r.now, &r.s), 0);
	c = tcp(&r, 4000, 7777);
	handshake(&c);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "late");
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c)->delay);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_flow.id], 0);
	ecs_engine_flush(r.e, r.now);
	CU_ASSERT_TRUE(r.s->ready_for_recovery);
	CU_ASSERT_PTR_NULL(flow_of(&c)->delay);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_flow.id], 1);
	CU_ASSERT_TRUE(r.changed[ecs_kind_usage.id] > 0);
	end(&r);
}

static void volumes_are_told(void)
{
	struct rig r;
	struct conn c = {.r = &r, .proto = 17, .sport = 1, .dport = 2};

	begin(&r);
	wait_ms(&r, 1000);
	say(&c, ECS_UPLINK, 0, "x");
	say(&c, ECS_UPLINK, 0, "x");
	CU_ASSERT_EQUAL(r.changed[ecs_kind_usage.id], 0);
	wait_ms(&r, 1000);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_usage.id], 3); /* session, rule, content-id: once each */
	wait_ms(&r, 5000);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_usage.id], 3);
	memset(r.changed, 0, sizeof(r.changed));
	for (int i = 0; i < 40; i++) {
		say(&c, ECS_UPLINK, 0, "x");
		wait_ms(&r, 500);
	}
	CU_ASSERT_TRUE(r.changed[ecs_kind_clp.id] >= 2 && r.changed[ecs_kind_clp.id] <= 3);
	end(&r);
}

/* --- recovery --------------------------------------------------------------------------------------- */

/* A standby's engine with a session and one flow of rule @p rule, as checkpoints leave them. */
static struct ecs_flow *standby(struct rig *r, struct conn *c, const char *rule)
{
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	struct ecs_flow_key k = {.proto = c->proto, .subscriber_port = c->sport,
	                         .server_port = c->dport};
	struct ecs_flow *f;
	uint16_t line;

	setup(r, rules, 0);
	c->r = r;
	CU_ASSERT_EQUAL_FATAL(ecs_session_build(r->e, &sp, r->now, &r->s), 0);
	r->s->ready_for_recovery = true;
	k.subscriber = addr(UE);
	k.server = addr(SERVER);
	CU_ASSERT_EQUAL_FATAL(ecs_flow_build(r->e, r->s, &k, 8, r->now, &f), 0);
	line = ecs_service_find_line(r->svc, 0, rule);
	ecs_flow_ref(r->e, f, ecs_ruleref_of_line(r->e->refs, line, r->now));
	f->back = f->ref;
	f->tcp_state = c->proto == 6 ? ECS_TCP_ST_ESTABLISHED : ECS_TCP_ST_NONE;
	f->flags |= ECS_FLOW_F_FINAL | ECS_FLOW_F_FIRST_UP | ECS_FLOW_F_ELIGIBLE;
	ecs_flow_slot(r->e, f, true);
	ecs_flow_arm(r->e, f, 100000, r->now);
	return f;
}

static void recovered_keeps_its_rule(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};
	struct ecs_flow *f = standby(&r, &c, "video");

	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, ACK, "x"), ECS_DROP);
	CU_ASSERT_EQUAL(r.c.drop_not_active, 1);
	CU_ASSERT_FALSE(ecs_flow_recovered(r.e, f));
	wait_ms(&r, 3600000); /* the standby owns no timers */
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	ecs_engine_active(r.e, true, r.now);
	CU_ASSERT_TRUE(ecs_flow_recovered(r.e, f));
	CU_ASSERT_TRUE(ecs_session_recovered(r.e, r.s));
	CU_ASSERT_EQUAL(say(&c, ECS_UPLINK, ACK, GET("other.example")), ECS_FORWARD);
	say(&c, ECS_DOWNLINK, ACK, "HTTP/1.1 200 OK\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 2);
	CU_ASSERT_EQUAL(r.c.analyzer_bytes, 0);
	/* FINs do not end it, however long; silence does */
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	wait_ms(&r, 299000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	say(&c, ECS_UPLINK, ACK, NULL);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 5);
	wait_ms(&r, 299000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 1500);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_fin, 0);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	end(&r);
}

static void idle_age_goes_on(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};
	struct ecs_flow *f = standby(&r, &c, "video"); /* 100 s old of 300 */

	wait_ms(&r, 86400000);
	CU_ASSERT_TRUE(ecs_flow_idle_ms(r.e, f, r.now) >= 99900);
	CU_ASSERT_TRUE(ecs_flow_idle_ms(r.e, f, r.now) <= 100100);
	ecs_engine_active(r.e, true, r.now);
	wait_ms(&r, 150000);
	CU_ASSERT_TRUE(ecs_flow_idle_ms(r.e, f, r.now) >= 249800);
	CU_ASSERT_TRUE(ecs_flow_idle_ms(r.e, f, r.now) <= 250200);
	wait_ms(&r, 49000);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&c));
	wait_ms(&r, 1500);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(r.c.flows_idle, 1);
	end(&r);
}

static void recovered_ends_on_rst(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};

	standby(&r, &c, "video");
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_DOWNLINK, RST | ACK, NULL);
	CU_ASSERT_PTR_NULL(flow_of(&c));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	CU_ASSERT_EQUAL(r.c.flows_rst, 1);
	/* what comes after on the same ports began in mid-stream: never an L7 rule */
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	end(&r);
}

static void recovered_is_reopened(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5};

	standby(&r, &c, "video");
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_UPLINK, SYN, NULL); /* without both FINs a SYN changes nothing */
	say(&c, ECS_UPLINK, FIN | ACK, NULL);
	say(&c, ECS_UPLINK, SYN, NULL);
	CU_ASSERT_EQUAL(r.c.flows_reopened, 0);
	say(&c, ECS_DOWNLINK, FIN | ACK, NULL);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	c.up = 70000;
	handshake(&c);
	CU_ASSERT_EQUAL(r.c.flows_reopened, 1);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_FALSE(ecs_flow_recovered(r.e, flow_of(&c)));
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	end(&r);
}

static void recovered_udp_is_analyzed(void)
{
	struct rig r;
	struct conn c = {.proto = 17, .sport = 4000, .dport = 53};
	uint8_t b[512];

	standby(&r, &c, "udp-any");
	ecs_engine_active(r.e, true, r.now);
	say_n(&c, ECS_UPLINK, 0, b, pk_dns("good", b));
	CU_ASSERT_EQUAL(r.c.dns_queries, 1);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "udp-any"); /* and keeps its rule */
	CU_ASSERT_EQUAL(r.c.matches, 0);
	end(&r);
}

static void control_pending(void)
{
	struct rig r;
	struct conn c = {.proto = 6, .sport = 4000, .dport = 80, .up = 5}, fresh;

	standby(&r, &c, "video");
	ecs_session_pending(r.e, r.s, ECS_PENDING_SWITCHOVER, 0, r.now);
	wait_ms(&r, 200000); /* its timeout begins at takeover */
	ecs_engine_active(r.e, true, r.now);
	say(&c, ECS_UPLINK, ACK, "12345");
	CU_ASSERT_EQUAL(r.c.pending_packets, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->pending_pkts, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->pending_bytes, 45);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 0);
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video"); /* the verdict is not touched */
	/* flows that were not recovered are not concerned */
	fresh = tcp(&r, 4001, 80);
	handshake(&fresh);
	say(&fresh, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 1);
	wait_ms(&r, 59000);
	CU_ASSERT_EQUAL(r.s->pending, ECS_PENDING_SWITCHOVER);
	wait_ms(&r, 1500);
	CU_ASSERT_EQUAL(r.s->pending, 0);
	CU_ASSERT_EQUAL(r.c.pending_timeouts, 1);
	say(&c, ECS_UPLINK, ACK, "12345");
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 2);
	/* a handoff: begin and end */
	memset(r.changed, 0, sizeof(r.changed));
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, true, r.now), 0);
	CU_ASSERT_EQUAL(r.changed[ecs_kind_call.id], 1);
	say(&c, ECS_UPLINK, ACK, "12345");
	CU_ASSERT_EQUAL(r.c.pending_packets, 2);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 1, false, r.now), 0);
	say(&c, ECS_UPLINK, ACK, "12345");
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 3);
	CU_ASSERT_EQUAL(ecs_session_control(r.e, 2, true, r.now), SRP_ENOSESS);
	end(&r);
}

static void losing_the_role(void)
{
	struct rig r;
	struct conn plain, kept, delayed;
	struct ecs_flow *f;

	begin(&r);
	plain = tcp(&r, 1, 80);
	handshake(&plain);
	kept = tcp(&r, 2, 80);
	handshake(&kept);
	say(&kept, ECS_UPLINK, ACK, GET("video.example"));
	delayed = tcp(&r, 3, 7777);
	handshake(&delayed);
	CU_ASSERT_PTR_NOT_NULL(flow_of(&delayed)->delay);
	ecs_engine_active(r.e, false, r.now);
	/* back before anything was purged: what the other chassis did not know is not believed */
	ecs_engine_active(r.e, true, r.now);
	say(&plain, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.flows_purged, 1);
	CU_ASSERT_EQUAL(r.c.flows_mid_stream, 1);
	f = flow_of(&kept);
	CU_ASSERT_TRUE(ecs_flow_recovered(r.e, f));
	say(&kept, ECS_UPLINK, ACK, GET("other.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&kept), "video");
	CU_ASSERT_PTR_NULL(f->analysis);
	/* as standby the rest goes, one session a step */
	ecs_engine_active(r.e, false, r.now);
	while (ecs_engine_tick(r.e, r.now, 1))
		;
	CU_ASSERT_PTR_NULL(flow_of(&delayed));
	CU_ASSERT_PTR_NULL(flow_of(&plain));
	CU_ASSERT_PTR_EQUAL(flow_of(&kept), f);
	CU_ASSERT_EQUAL(ecs_engine_flows(r.e), 1);
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 1);
	CU_ASSERT_EQUAL(r.s->slots, 1);
	end(&r);
}

/* --- a new service ---------------------------------------------------------------------------------- */

static void reconfigured(void)
{
	struct rig r;
	struct conn c, rec;
	char text[8192];
	struct ecs_service *was, *next;
	const char *line = " action priority 10 ruledef video charging-action ca-video\n";
	const char *at = strstr(rules, line);

	rec = (struct conn){.proto = 6, .sport = 4000, .dport = 80, .up = 5};
	standby(&r, &rec, "video");
	ecs_engine_active(r.e, true, r.now);
	say(&rec, ECS_UPLINK, ACK, "x");
	c = tcp(&r, 4001, 80);
	handshake(&c);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "video");
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 2);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3);
	/* a ruledef before all others, and the line of `video` is uninstalled */
	snprintf(text, sizeof(text), "ruledef first\n tcp either-port = 1\n#exit\n%.*s%s",
	         (int)(at - rules), rules, at + strlen(line));
	was = r.svc;
	next = service(text);
	CU_ASSERT_EQUAL(ecs_engine_reconfigure(r.e, next, r.now), 0);
	r.svc = next;
	ecs_service_free(was);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 3); /* moved with its name */
	CU_ASSERT_EQUAL(stats_of(&r, "first")->hits, 0);
	CU_ASSERT_EQUAL(stats_of(&r, "video")->hits, 2);
	/* the checkpoints of the rule are deleted, the flows live on by L3/L4 lines */
	CU_ASSERT_EQUAL(ecs_engine_recoverable(r.e), 0);
	CU_ASSERT_EQUAL(r.told[ecs_kind_flow.id], 2);
	say(&rec, ECS_UPLINK, ACK, "x");
	CU_ASSERT_EQUAL(r.c.unbound_packets, 1);
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 4);
	say(&c, ECS_UPLINK, ACK, GET("video.example"));
	CU_ASSERT_STRING_EQUAL(rule_of(&c), "tcp-any");
	CU_ASSERT_EQUAL(stats_of(&r, "tcp-any")->hits, 5);
	end(&r);
}

CU_TestInfo ecs_engine_tests[] = {
	{"HTTP: matched again at each request", http_per_request},
	{"a handshake is charged to the application", handshake_is_charged_to_the_application},
	{"TLS and DNS names", tls_and_dns},
	{"no rule, no session, no packet", no_rule_and_unknown},
	{"discard", discard},
	{"super-packets are charged as their segments", super_packets},
	{"flows first seen in mid-stream", mid_stream},
	{"one side of a connection", one_sided},
	{"rules that tell directions and states apart", rules_of_directions_and_states},
	{"both FINs end a flow", both_fins_end_a_flow},
	{"a closed flow is a recovered one after two changes of role", linger_does_not_outlive_the_role},
	{"RST ends a flow", rst_ends_a_flow},
	{"idle timeouts", idle_timeouts},
	{"fragments", fragments},
	{"ICMP errors", icmp_error_of_a_flow},
	{"sessions", sessions},
	{"walking sessions", walking_sessions},
	{"idle sessions", session_idle},
	{"ready after checkpoint session duration", ready_after_duration},
	{"a flush makes ready", flush_makes_ready},
	{"volumes are told each second", volumes_are_told},
	{"a recovered flow keeps its rule", recovered_keeps_its_rule},
	{"idle ages go on at takeover", idle_age_goes_on},
	{"a recovered flow ends on RST", recovered_ends_on_rst},
	{"a recovered flow is reopened", recovered_is_reopened},
	{"a recovered UDP flow is analyzed", recovered_udp_is_analyzed},
	{"control pending", control_pending},
	{"losing the role", losing_the_role},
	{"a new service", reconfigured},
	CU_TEST_INFO_NULL,
};

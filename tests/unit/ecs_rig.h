/* ecs_rig: an engine with rules of every layer, a sink that counts what it is told, and connections
 * of one subscriber. For the tests of the data plane. Include after suites.h. */
#ifndef TESTS_UNIT_ECS_RIG_H
#define TESTS_UNIT_ECS_RIG_H

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

/* What packets without payload are charged to: the last line of `rules`, which tests replace. */
#define HANDSHAKING(what) " flow control-handshaking charge-to-application" what "\n#exit\n"
#define HANDSHAKING_HERE HANDSHAKING(" mid-session-packets tear-down-packets")

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
	HANDSHAKING_HERE;

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

static inline void on_changed(struct srp_ckpt_sink *s, struct srp_ckpt_obj *o, struct srp_time now)
{
	struct rig *r = (struct rig *)(void *)s;

	(void)now;
	r->changed[o->kind->id]++;
	o->version++;
}

static inline void on_deleted(struct srp_ckpt_sink *s, struct srp_ckpt_obj *o, bool tell,
                       struct srp_time now)
{
	struct rig *r = (struct rig *)(void *)s;

	(void)now;
	r->deleted[o->kind->id]++;
	r->told[o->kind->id] += tell;
}

static inline void on_up(void *owner, const struct ecs_session *s)
{
	(void)s;
	((struct rig *)owner)->ups++;
}

static inline void on_down(void *owner, const struct ecs_session *s, enum ecs_session_end why)
{
	struct rig *r = owner;

	(void)s;
	r->downs++;
	r->why = why;
}

static const struct ecs_engine_ops ops = {.session_up = on_up, .session_down = on_down};

static inline struct ecs_service *service(const char *more)
{
	char text[16384];
	struct ecs_service *s;

	snprintf(text, sizeof(text), "%s%s", more, eligible);
	s = ecs_rule_text(text, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static inline struct ecs_addr addr(const char *t)
{
	struct ecs_addr a = {{0}};

	CU_ASSERT_EQUAL(ecs_addr_parse(t, &a), 0);
	return a;
}

static inline struct ecs_session_spec spec_of(uint32_t callid, const char *v4, const char *v6)
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

static inline void setup(struct rig *r, const char *text, uint32_t duration)
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

/* An active engine by a configuration, with one session; @p v6 or NULL. */
static inline void begin_by(struct rig *r, const char *text, const char *v6)
{
	struct ecs_session_spec sp = spec_of(1, UE, v6);

	setup(r, text, 0);
	ecs_engine_active(r->e, true, r->now);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(r->e, &sp, r->now, &r->s), 0);
}

/* By the rules above, of both families. */
static inline void begin(struct rig *r)
{
	begin_by(r, rules, UE6);
}

static inline void end(struct rig *r)
{
	ecs_engine_free(r->e);
	ecs_service_free(r->svc);
	free(r->stats);
}

static inline void wait_ms(struct rig *r, uint64_t ms)
{
	while (ms) {
		uint64_t step = ms < 500 ? ms : 500;

		r->now.us += SRP_MS(step);
		ms -= step;
		while (ecs_engine_tick(r->e, r->now, 1000))
			;
	}
}

static inline enum ecs_verdict put(struct rig *r, const struct pk *k, enum ecs_dir dir,
                                   uint16_t gso)
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

static inline enum ecs_verdict say_n(struct conn *c, enum ecs_dir dir, uint8_t flags,
                                     const void *data, size_t len)
{
	bool up = dir == ECS_UPLINK;
	const char *ue = c->v6 ? UE6 : UE, *server = c->v6 ? SERVER6 : SERVER;
	struct pk k = {.src = up ? ue : server, .dst = up ? server : ue, .proto = c->proto,
	               .sport = up ? c->sport : c->dport, .dport = up ? c->dport : c->sport,
	               .flags = flags, .seq = up ? c->up : c->down,
	               .ack = !(flags & ACK) ? 0 : up ? c->down : c->up, .data = data, .len = len};

	*(up ? &c->up : &c->down) += (uint32_t)len + (flags & (SYN | FIN) ? 1 : 0);
	return put(c->r, &k, dir, 0);
}

static inline enum ecs_verdict say(struct conn *c, enum ecs_dir dir, uint8_t flags,
                                   const char *text)
{
	return say_n(c, dir, flags, text, text ? strlen(text) : 0);
}

static inline struct conn tcp(struct rig *r, uint16_t sport, uint16_t dport)
{
	return (struct conn){.r = r, .proto = 6, .sport = sport, .dport = dport, .up = 1000 + sport,
	                     .down = 77};
}

static inline void handshake(struct conn *c)
{
	CU_ASSERT_EQUAL(say(c, ECS_UPLINK, SYN, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(c, ECS_DOWNLINK, SYN | ACK, NULL), ECS_FORWARD);
	CU_ASSERT_EQUAL(say(c, ECS_UPLINK, ACK, NULL), ECS_FORWARD);
}

static inline struct ecs_flow *flow_of(const struct conn *c)
{
	struct ecs_flow_key k = {.proto = c->proto, .subscriber_port = c->sport,
	                         .server_port = c->dport};

	k.subscriber = addr(c->v6 ? UE6 : UE);
	k.server = addr(c->v6 ? SERVER6 : SERVER);
	return ecs_flow_find(c->r->e->flows, &k);
}

static inline const struct ecs_rule_stats *stats_of(const struct rig *r, const char *rule)
{
	size_t n = ecs_service_stats_count(r->svc);

	for (size_t i = 0; rule && i < n; i++)
		if (strcmp(ecs_service_stats_name(r->svc, i), rule) == 0)
			return &r->stats[i];
	CU_ASSERT_PTR_NULL(rule);
	return &r->stats[n];
}

static inline const char *rule_of(const struct conn *c)
{
	const struct ecs_flow *f = flow_of(c);
	const struct ecs_ruleref *ref = f ? ecs_ruleref_get(c->r->e->refs, f->ref) : NULL;

	return !f ? "no flow" : ref ? ref->rule : "(no rule)";
}

static inline struct ecs_volume volume(struct rig *r, enum ecs_usage_of of, uint64_t id)
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

/* A standby's engine with a session and one flow of rule @p rule, as checkpoints leave them. */
static inline struct ecs_flow *standby_with(struct rig *r, struct conn *c, const char *rule,
                                            const char *text)
{
	struct ecs_session_spec sp = spec_of(1, UE, NULL);
	struct ecs_flow_key k = {.proto = c->proto, .subscriber_port = c->sport,
	                         .server_port = c->dport};
	struct ecs_flow *f;
	uint16_t line;

	setup(r, text, 0);
	c->r = r;
	CU_ASSERT_EQUAL_FATAL(ecs_session_build(r->e, &sp, r->now, &r->s), 0);
	r->s->ready_for_recovery = true;
	k.subscriber = addr(UE);
	k.server = addr(SERVER);
	CU_ASSERT_EQUAL_FATAL(ecs_flow_build(r->e, r->s, &k, 8, r->now, &f), 0);
	line = ecs_service_find_line(r->svc, 0, rule);
	ecs_flow_ref(r->e, f, ecs_ruleref_of_line(r->e->refs, line, r->now));
	ecs_flow_back(r->e, f, f->ref);
	f->tcp_state = c->proto == 6 ? ECS_TCP_ST_ESTABLISHED : ECS_TCP_ST_NONE;
	f->flags |= ECS_FLOW_F_FINAL | ECS_FLOW_F_FIRST_UP | ECS_FLOW_F_ELIGIBLE;
	ecs_flow_slot(r->e, f, true);
	ecs_flow_arm(r->e, f, 100000, r->now);
	return f;
}

static inline struct ecs_flow *standby(struct rig *r, struct conn *c, const char *rule)
{
	return standby_with(r, c, rule, rules);
}

#endif

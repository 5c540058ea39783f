/* Packets of subscribers and servers, one after the other, through an engine with analyzers of
 * HTTP (requests and responses), TLS, QUIC, RTSP and DNS (questions and answers). The cryptography of QUIC
 * changes nothing, so that what is changed in a packet is what its frames say. Each packet: a byte (1: downlink; 2: super-packet; the rest: time that
 * passes), its length in two bytes, its bytes. Subscribers are whatever addresses come first. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/engine.h"
#include "ecs/rule/agents.h"
#include "ecs/quic.h"
#include "ecs/trace.h"

#define SESSIONS_MAX 8
#define ROOM         64 /* behind some packets */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ecs_counters counters;
static struct ecs_rule_stats rule_stats[ECS_STATS_MAX];
static uint64_t trace_charged;

static bool no_hmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                    uint8_t out[32])
{
	(void)key, (void)key_len, (void)data, (void)len;
	memset(out, 0, 32);
	return true;
}

static bool no_ecb(const uint8_t key[16], const uint8_t in[16], uint8_t out[16])
{
	(void)key, (void)in;
	memset(out, 0, 16);
	return true;
}

static bool no_gcm(const uint8_t key[16], const uint8_t iv[12], const uint8_t *aad, size_t aad_len,
                   const uint8_t *in, size_t len, uint8_t *out)
{
	(void)key, (void)iv, (void)aad, (void)aad_len;
	memcpy(out, in, len - 16);
	return true;
}

static const struct ecs_crypto plain = {no_hmac, no_ecb, no_gcm};

static void keyed(struct ecs_service *s, const char *name, enum ecs_field f, const char *key)
{
	const struct ecs_rule_words w = {.field = f, .op = ECS_OP_PRESENT, .key = key};
	struct ecs_err e;

	if (ecs_service_rule_put(s, name, false, &w, &e) != 0)
		abort();
}

static void rule(struct ecs_service *s, uint32_t priority, const char *name, enum ecs_field f,
                 enum ecs_op op, const char *value, const char *action)
{
	struct ecs_err e;

	if (ecs_service_ruledef(s, name, false, &e) != 0 ||
	    ecs_service_rule_line(s, name, false, f, false, op, value, NULL, &e) != 0 ||
	    ecs_service_action_line(s, "rb", false, priority, false, name, action, &e) != 0)
		abort();
}

static void action(struct ecs_service *s, const char *name, const char *line)
{
	struct ecs_err e;
	struct ecs_charging_action *a = ecs_service_charging_action(s, name, false, &e);

	if (!a || (line && ecs_charging_action_line(a, line, &e) != 0))
		abort();
}

static struct ecs_service *service(void)
{
	struct ecs_service *s = ecs_service_new("fuzz");
	struct ecs_err e;

	if (!s || ecs_service_rulebase(s, "rb", false, &e) != 0 ||
	    ecs_service_rulebase(s, "rc", false, &e) != 0 || ecs_service_user_agent(s, false, "m", &e) != 0 ||
	    ecs_service_xheader(s, "who", false, &e) != 0 ||
	    ecs_service_xheader_insert(s, "who", false, "X-A", ECS_XVALUE_CONSTANT, "b", &e) != 0)
		abort();
	action(s, "ca", NULL);
	action(s, "to", "flow action redirect-url http://portal.example/");
	action(s, "once", "flow action redirect-url http://portal.example/ first-request-only "
	                  "post-redirect terminate");
	action(s, "head", "xheader-insert xheader-format who");
	action(s, "mark", "ip tos ef");
	action(s, "moved", "flow action readdress server 192.0.2.1 port 9");
	action(s, "noisy", "flow action random-drop interval 1 to 2 pkts-to-drop 1 to 3");
	action(s, "some", "flow action redirect-url http://portal.example/");
	action(s, "some", "flow action conditional user-agent end-token x");
	action(s, "other", "flow action rulebase-change rc");
	rule(s, 1, "host", ECS_F_HTTP_HOST, ECS_OP_CONTAINS, "a", "head");
	rule(s, 2, "url", ECS_F_HTTP_URL, ECS_OP_ENDS, "x", "to");
	rule(s, 3, "agent", ECS_F_HTTP_UA, ECS_OP_STARTS, "m", "once");
	rule(s, 4, "sni", ECS_F_TLS_SNI, ECS_OP_CONTAINS, "e", "ca");
	rule(s, 5, "query", ECS_F_DNS_QUERY, ECS_OP_NE, "b.c", "mark");
	rule(s, 6, "state", ECS_F_TCP_STATE, ECS_OP_EQ, "established", "to");
	rule(s, 7, "up", ECS_F_IP_UPLINK, ECS_OP_EQ, "TRUE", "moved");
	rule(s, 8, "quic", ECS_F_P2P_QUIC, ECS_OP_CONTAINS, "e", "ca");
	rule(s, 9, "code", ECS_F_HTTP_CODE, ECS_OP_GE, "300", "ca");
	rule(s, 10, "type", ECS_F_HTTP_TYPE, ECS_OP_STARTS, "t", "ca");
	rule(s, 11, "named", ECS_F_IP_NAME, ECS_OP_CONTAINS, "a", "ca");
	rule(s, 12, "keys", ECS_F_HTTP_URI, ECS_OP_STARTS, "/", "ca");
	rule(s, 13, "rtsp", ECS_F_RTSP_ANY, ECS_OP_EQ, "TRUE", "ca");
	rule(s, 14, "rtp", ECS_F_RTP_ANY, ECS_OP_EQ, "TRUE", "mark");
	rule(s, 15, "method", ECS_F_HTTP_METHOD, ECS_OP_EQ, "get", "some");
	rule(s, 16, "icmp", ECS_F_ICMP_ANY, ECS_OP_EQ, "TRUE", "noisy");
	rule(s, 17, "udp", ECS_F_UDP_ANY, ECS_OP_EQ, "TRUE", "other");
	keyed(s, "keys", ECS_F_HTTP_ATTR, "q");
	keyed(s, "keys", ECS_F_HTTP_XHEADER, "accept");
	if (ecs_service_commit(s, &e) != 0)
		abort();
	return s;
}

static void session(struct ecs_engine *e, const struct ecs_packet *p, struct srp_time now)
{
	struct ecs_session_spec spec = {.callid = (uint32_t)ecs_engine_sessions(e) + 1,
	                                .rulebase = "rb", .idle_timeout = 400};
	const struct ecs_addr *a = ecs_packet_subscriber(p);

	if (ecs_engine_sessions(e) == SESSIONS_MAX || ecs_session_find(e, spec.callid))
		return;
	spec.has4 = ecs_addr_is4(a);
	spec.has6 = !spec.has4;
	spec.v4 = spec.v6 = *a;
	(void)ecs_session_create(e, &spec, now, NULL);
}

/* What the engine sends is whole, and of TCP. */
static void sent(void *owner, const uint8_t *pkt, size_t len, enum ecs_dir dir)
{
	struct ecs_packet p;

	(void)owner;
	if (ecs_packet_parse(pkt, len, dir, &p) != 0 || p.len != len || p.proto != 6)
		abort();
}

/* Each packet of a session has one row of the trace, which says whether it was charged. */
static void traced(const struct ecs_engine *e, uint64_t was, enum ecs_verdict v)
{
	const struct ecs_trace_row *r = ecs_trace_next(e, was, 0);

	if (v == ECS_NO_SESSION ? r != NULL : !r || ecs_trace_next(e, r->seq, 0))
		abort();
	if (r && (r->charged != (v == ECS_FORWARD) || r->charged != (r->fate == ECS_TRACE_FORWARDED)))
		abort();
	trace_charged += r && r->charged ? r->pkts : 0;
}

/* What must hold whatever came: what each flow and rule counted is what went through. */
static void check(const struct ecs_engine *e)
{
	uint64_t charged = 0;

	for (size_t i = 0; i <= ecs_service_stats_count(ecs_engine_service(e)); i++)
		charged += rule_stats[i].pkts_up + rule_stats[i].pkts_down;
	if (ecs_trace_state(e) && trace_charged != charged)
		abort();
	if (charged + counters.drop_malformed + counters.drop_redirect + counters.drop_shift !=
	    counters.packets_up + counters.packets_down)
		abort();
	if (counters.redirects_added != counters.redirects_deleted + ecs_engine_redirects(e) ||
	    counters.call_events_refused)
		abort();
	if (counters.flows_created < ecs_engine_flows(e))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ecs_engine_ops ops = {.send = sent};
	static struct ecs_service *svc;
	struct ecs_engine_config conf = {
		.counters = &counters, .rule_stats = rule_stats, .seed = 1, .crypto = &plain,
		.ops = &ops};
	static const struct ecs_trace_ask everybody;
	struct srp_time now = {SRP_SEC(1)};
	struct ecs_engine *e;
	bool trace = size & 1;

	if (!svc)
		svc = service();
	memset(&counters, 0, sizeof(counters));
	memset(rule_stats, 0, sizeof(rule_stats));
	conf.service = svc;
	e = ecs_engine_new(&conf, now);
	if (!e)
		abort();
	ecs_engine_active(e, true, now);
	trace_charged = 0;
	if (trace && ecs_trace_ask(e, &everybody, true, ECS_TRACE_ROWS_MIN) != 0)
		abort();
	while (size > 3) {
		enum ecs_dir dir = data[0] & 1 ? ECS_DOWNLINK : ECS_UPLINK;
		uint16_t gso = data[0] & 2 ? 100 : 0;
		size_t len = (size_t)data[1] << 8 | data[2];
		uint64_t row = trace ? ecs_trace_state(e)->seq : 0;
		struct ecs_packet p;
		struct ecs_raw raw;
		enum ecs_verdict v;
		uint8_t *copy;

		now.us += SRP_MS((uint64_t)(data[0] >> 2) * (data[0] >> 2) * 50);
		if (len > size - 3)
			len = size - 3;
		copy = malloc(len + ROOM); /* of its size, so that a read past it is found */
		if (!copy)
			abort();
		memcpy(copy, data + 3, len);
		memset(copy + len, 0xa5, ROOM);
		if (ecs_packet_parse(copy, len, dir, &p) == 0)
			session(e, &p, now);
		while (ecs_engine_tick(e, now, 16))
			;
		raw = (struct ecs_raw){.ip = copy, .len = len, .room = len + (data[0] & 4 ? ROOM : 0),
		                       .gso_size = gso, .partial = data[0] & 8};
		v = ecs_engine_forward(e, &raw, dir, now);
		if (trace)
			traced(e, row, v);
		if (v == ECS_FORWARD &&
		    (raw.len > raw.room || ecs_packet_parse(copy, raw.len, dir, &p) != 0))
			abort(); /* what goes out is a packet */
		free(copy);
		data += 3 + len;
		size -= 3 + len;
	}
	check(e);
	ecs_engine_free(e);
	return 0;
}

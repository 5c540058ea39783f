/* ecs_kit: an engine with a small service and a sink that writes down what it is told; records from
 * one engine to another. For the tests of checkpoint kinds and of what is checkpointed. */
#ifndef TESTS_UNIT_ECS_KIT_H
#define TESTS_UNIT_ECS_KIT_H

#include <stdlib.h>
#include <string.h>

#include "ecs/kind.h"
#include "ecs/record_copy.h"
#include "ecs/shift.h"

#define KIT_RECORD 8192u

static const struct srp_ckpt_kind *const kit_kinds[] = {
	&ecs_kind_flow_usage, &ecs_kind_quota, &ecs_kind_record,
	&ecs_kind_rule_map, &ecs_kind_full, &ecs_kind_call, &ecs_kind_bearer,
	&ecs_kind_shift, &ecs_kind_dynrule, &ecs_kind_clp, &ecs_kind_qos, &ecs_kind_usage, &ecs_kind_limit, &ecs_kind_flow,
};
#define KIT_KINDS (sizeof(kit_kinds) / sizeof(kit_kinds[0]))

struct kit_sink {
	struct srp_ckpt_sink sink;
	uint32_t term;
	unsigned changed[256], deleted[256], told[256]; /* by kind id; told: deleted with tell */
	const struct srp_ckpt_obj *last;                /* of changed */
};

struct kit {
	struct kit_sink rec;
	struct ecs_counters ctr;
	struct ecs_rule_stats *stats;
	struct ecs_service *svc;
	struct ecs_engine *e;
	struct srp_time now;
};

static inline void kit_changed(struct srp_ckpt_sink *s, struct srp_ckpt_obj *o, struct srp_time now)
{
	struct kit_sink *k = (struct kit_sink *)(void *)s;

	(void)now;
	/* deleted, and not begun anew? */
	CU_ASSERT_FALSE(o->link[SRP_REPLICA_GR].flags & SRP_LINK_F_TOMB);
	k->changed[o->kind->id]++;
	k->last = o;
	o->term = k->term;
	o->version++;
}

static inline void kit_deleted(struct srp_ckpt_sink *s, struct srp_ckpt_obj *o, bool tell,
                               struct srp_time now)
{
	struct kit_sink *k = (struct kit_sink *)(void *)s;

	(void)now;
	k->deleted[o->kind->id]++;
	k->told[o->kind->id] += tell;
	for (int i = 0; i < SRP_REPLICA__N; i++)
		o->link[i] = (struct srp_ckpt_link){.flags = SRP_LINK_F_TOMB};
}

static inline void kit_rule(struct ecs_service *s, const char *name, enum ecs_field f,
                            const char *v, uint32_t priority, const char *action)
{
	struct ecs_err e;

	CU_ASSERT_EQUAL(ecs_service_ruledef(s, name, false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_rule_line(s, name, false, f, false, ECS_OP_EQ, v, NULL, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_action_line(s, "rb", false, priority, false, name, action, &e),
	                0);
}

/* web (eligible), dns (eligible), slow (eligible, delay 10 s), plain and any (not eligible).
 * @p variant 1: rule web has another line; 2: its action charges otherwise; 3: no rule web;
 * 4: flow-recovery is off; 5: no scheme is bound. */
static inline struct ecs_service *kit_service(int variant, uint32_t limit)
{
	struct ecs_service *s = ecs_service_new("kit");
	struct ecs_err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(ecs_service_rulebase(s, "rb", false, &e), 0);
	ecs_service_charging_action(s, "ca-web", false, &e)->content_id = variant == 2 ? 200 : 100;
	ecs_service_charging_action(s, "ca-any", false, &e)->content_id = 1;
	if (variant != 3)
		kit_rule(s, "web", ECS_F_TCP_EPORT, variant == 1 ? "81" : "80", 10, "ca-web");
	kit_rule(s, "slow", ECS_F_TCP_EPORT, "8080", 20, "ca-web");
	kit_rule(s, "plain", ECS_F_TCP_EPORT, "22", 30, "ca-any");
	kit_rule(s, "dns", ECS_F_UDP_EPORT, "53", 40, "ca-any");
	kit_rule(s, "any", ECS_F_IP_ANY, "TRUE", 100, "ca-any");
	CU_ASSERT_EQUAL(ecs_service_trigger_action(s, "ta", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_flow_recovery(s, "ta", variant != 4, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_trigger_condition(s, "now", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_cond_rule_name(s, "now", false, ECS_OP_EQ, "web", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_cond_rule_name(s, "now", false, ECS_OP_EQ, "dns", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_trigger_condition(s, "late", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_cond_rule_name(s, "late", false, ECS_OP_EQ, "slow", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_cond_delay(s, "late", 10, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_scheme(s, "ss", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_scheme_trigger(s, "ss", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_scheme_priority(s, "ss", false, 1, "now", "ta", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_scheme_priority(s, "ss", false, 2, "late", "ta", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_subs_class(s, "all", false, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_subs_line(s, "all", false, ECS_SUBS_ANY, true, "TRUE", &e), 0);
	CU_ASSERT_EQUAL(ecs_service_subs_base(s, "sb", false, &e), 0);
	if (variant != 5)
		CU_ASSERT_EQUAL(ecs_service_subs_bind(s, "sb", false, 1, "all", "ss", &e), 0);
	if (limit)
		CU_ASSERT_EQUAL(ecs_service_flow_chkpt_per_call(s, limit, &e), 0);
	CU_ASSERT_EQUAL(ecs_service_commit(s, &e), 0);
	return s;
}

static inline void kit_init_with(struct kit *k, uint8_t bit, bool active, int variant,
                                 uint32_t limit)
{
	struct ecs_engine_config c = {0};

	memset(k, 0, sizeof(*k));
	k->now.us = SRP_SEC(1000000);
	k->rec.sink = (struct srp_ckpt_sink){.changed = kit_changed, .deleted = kit_deleted};
	k->rec.term = 2u | bit;
	k->svc = kit_service(variant, limit);
	k->stats = calloc(ECS_STATS_MAX, sizeof(*k->stats));
	c.service = k->svc;
	c.sink = &k->rec.sink;
	c.counters = &k->ctr;
	c.rule_stats = k->stats;
	c.seed = 42 + bit;
	c.chassis_bit = bit;
	c.pending_timeout = 60;
	c.sessions_expected = 16;
	c.flows_expected = 16;
	k->e = ecs_engine_new(&c, k->now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k->e);
	ecs_engine_active(k->e, active, k->now);
}

static inline void kit_init(struct kit *k, uint8_t bit, bool active)
{
	kit_init_with(k, bit, active, 0, 0);
}

static inline void kit_fini(struct kit *k)
{
	ecs_engine_free(k->e);
	ecs_service_free(k->svc);
	free(k->stats);
}

static inline struct ecs_addr kit_v4(uint32_t host)
{
	struct ecs_addr a = {{0}};

	a.b[10] = a.b[11] = 0xff;
	a.b[12] = 10;
	a.b[13] = (uint8_t)(host >> 16);
	a.b[14] = (uint8_t)(host >> 8);
	a.b[15] = (uint8_t)host;
	return a;
}

static inline struct ecs_addr kit_v6(uint8_t net, uint8_t host)
{
	return (struct ecs_addr){{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, net, 0, 0, 0, 0, 0, 0, 0, host}};
}

static inline struct ecs_session_spec kit_spec(uint32_t callid, uint32_t host)
{
	struct ecs_session_spec spec = {
		.callid = callid, .imsi = "001010000000001", .username = "u@example.com",
		.apn = "internet", .rulebase = "rb", .has4 = true, .qci = 9, .arp = 2,
		.idle_timeout = 3600, .v4 = kit_v4(host)};

	return spec;
}

/* A session with IPv4 10.host; with IPv6 2001:db8:0:host::/64 too where @p v6. */
static inline struct ecs_session *kit_session(struct kit *k, uint32_t callid, uint32_t host,
                                              bool v6)
{
	struct ecs_session_spec spec = kit_spec(callid, host);
	struct ecs_session *s = NULL;

	spec.has6 = v6;
	if (v6)
		spec.v6 = kit_v6((uint8_t)host, 0);
	CU_ASSERT_EQUAL_FATAL(ecs_session_create(k->e, &spec, k->now, &s), 0);
	return s;
}

static inline uint16_t kit_ref(struct kit *k, const char *rule)
{
	int rb = ecs_service_find_rulebase(k->svc, "rb");

	return ecs_ruleref_of_line(k->e->refs, ecs_service_find_line(k->svc, rb, rule), k->now);
}

static inline struct ecs_flow_key kit_key(const struct ecs_session *s, uint16_t port, bool v6)
{
	struct ecs_flow_key key = {.subscriber_port = port, .server_port = 80, .proto = 6};

	key.subscriber = s->spec.v4;
	key.server = kit_v4(0xc80001);
	if (v6) {
		key.subscriber = s->spec.v6;
		key.subscriber.b[15] = 7;
		key.server = kit_v6(99, 1);
	}
	return key;
}

/* Sets the rule of a flow as the data plane does. */
static inline void kit_set_rule(struct kit *k, struct ecs_flow *f, const char *rule)
{
	uint16_t old = f->ref;

	ecs_flow_ref(k->e, f, rule ? kit_ref(k, rule) : ECS_REF_NONE);
	ecs_flow_back(k->e, f, f->ref);
	f->flags |= ECS_FLOW_F_FINAL;
	ecs_recoverable_rule(k->e, f, old, k->now);
}

static inline struct ecs_flow *kit_flow(struct kit *k, struct ecs_session *s, uint16_t port,
                                        bool v6, const char *rule)
{
	struct ecs_flow_key key = kit_key(s, port, v6);
	struct ecs_flow *f = NULL;

	CU_ASSERT_EQUAL_FATAL(ecs_flow_build(k->e, s, &key, 0, k->now, &f), 0);
	f->tcp_state = ECS_TCP_ST_ESTABLISHED;
	f->flags |= ECS_FLOW_F_FIRST_UP;
	ecs_flow_arm(k->e, f, 0, k->now);
	if (rule)
		kit_set_rule(k, f, rule);
	return f;
}

/* Time passes as in a loop: the engine looks often. */
static inline void kit_wait(struct kit *k, uint64_t ms)
{
	while (ms > 0) {
		uint64_t step = ms < 50 ? ms : 50;

		k->now = srp_time_add(k->now, SRP_MS(step));
		ecs_engine_tick(k->e, k->now, 1000);
		ms -= step;
	}
}

static inline bool kit_has(const struct ecs_flow *f, uint16_t flag)
{
	return (f->flags & flag) != 0;
}

/* --- records ---------------------------------------------------------------------------------- */

static inline struct srp_ckpt_ctx kit_ctx(struct kit *k, bool canonical)
{
	return (struct srp_ckpt_ctx){.now = k->now, .owner = k->e, .replica = SRP_REPLICA_GR,
	                             .canonical = canonical, .ver = 1};
}

/* The fields of a record, without head. */
static inline size_t kit_encode(struct kit *k, const struct srp_ckpt_obj *o, bool canonical,
                                uint8_t *buf)
{
	struct srp_ckpt_ctx ctx = kit_ctx(k, canonical);
	struct srp_mp_w w = srp_mp_w_init(buf, KIT_RECORD);
	struct srp_mp_r r;
	size_t len;

	CU_ASSERT_EQUAL(o->kind->encode(o, &ctx, &w), 0);
	len = srp_mp_w_len(&w);
	r = srp_mp_r_init(buf, len);
	for (unsigned i = 0; i < o->kind->nfields; i++)
		srp_mp_skip(&r);
	CU_ASSERT_EQUAL(srp_mp_finish(&r), 0); /* as many fields as the kind says */
	return len;
}

/* Length of the whole record. */
static inline size_t kit_record_len(struct kit *k, const struct srp_ckpt_obj *o)
{
	uint8_t head[64], body[KIT_RECORD];
	struct srp_mp_w w = srp_mp_w_init(head, sizeof(head));
	struct srp_ckpt_key key;

	o->kind->key(o, &key);
	srp_mp_w_array(&w, 1u + o->kind->nkey + 2u + o->kind->nfields);
	srp_mp_w_uint(&w, o->kind->id);
	for (unsigned i = 0; i < o->kind->nkey; i++)
		srp_mp_w_uint(&w, key.k[i]);
	srp_mp_w_uint(&w, o->term);
	srp_mp_w_uint(&w, o->version);
	return srp_mp_w_len(&w) + kit_encode(k, o, false, body);
}

static inline int kit_apply(struct kit *k, const struct srp_ckpt_kind *kind,
                            const struct srp_ckpt_key *key, const uint8_t *buf, size_t len,
                            unsigned nfields, struct srp_ckpt_obj **out)
{
	struct srp_ckpt_ctx ctx = kit_ctx(k, false);
	struct srp_mp_r r = srp_mp_r_init(buf, len);

	return kind->apply(&ctx, key, &r, nfields, out);
}

static inline int kit_send(struct kit *from, struct kit *to, const struct srp_ckpt_obj *o,
                           struct srp_ckpt_obj **out)
{
	uint8_t buf[KIT_RECORD];
	size_t len = kit_encode(from, o, false, buf);
	struct srp_ckpt_key key;
	int rc;

	o->kind->key(o, &key);
	rc = kit_apply(to, o->kind, &key, buf, len, o->kind->nfields, out);
	if (rc == 0) {
		(*out)->term = o->term;
		(*out)->version = o->version;
	}
	return rc;
}

/* Both objects say the same, by key and canonical form. */
static inline bool kit_same(struct kit *a, const struct srp_ckpt_obj *oa, struct kit *b,
                            const struct srp_ckpt_obj *ob)
{
	uint8_t ba[KIT_RECORD], bb[KIT_RECORD];
	size_t na = kit_encode(a, oa, true, ba), nb = kit_encode(b, ob, true, bb);
	struct srp_ckpt_key ka, kb;

	oa->kind->key(oa, &ka);
	ob->kind->key(ob, &kb);
	return oa->kind == ob->kind && memcmp(&ka, &kb, sizeof(ka)) == 0 && na == nb &&
	       memcmp(ba, bb, na) == 0;
}

struct kit_walk {
	struct kit *k, *to;
	uint64_t sum;
	size_t n;
	int rc;
	bool canonical;
};

static inline int kit_sum_one(struct srp_ckpt_obj *o, void *arg)
{
	struct kit_walk *w = arg;
	uint8_t buf[KIT_RECORD];
	size_t len = kit_encode(w->k, o, w->canonical, buf);
	struct srp_ckpt_key key;
	uint64_t h = o->kind->id;

	o->kind->key(o, &key);
	for (int i = 0; i < 3; i++)
		h = ecs_hash_mix(h ^ ECS_HASH_K0, key.k[i] ^ ECS_HASH_K1);
	for (size_t i = 0; i < len; i++)
		h = ecs_hash_mix(h ^ ECS_HASH_K2, buf[i] ^ ECS_HASH_K1);
	w->sum ^= h;
	w->n++;
	return 0;
}

/* All that an engine holds, as one number: order does not matter. */
static inline uint64_t kit_sum(struct kit *k, bool canonical)
{
	struct kit_walk w = {.k = k, .canonical = canonical};
	struct srp_ckpt_ctx ctx = kit_ctx(k, canonical);

	for (size_t i = 0; i < KIT_KINDS; i++)
		kit_kinds[i]->walk(&ctx, kit_sum_one, &w);
	return w.sum ^ w.n;
}

static inline int kit_send_one(struct srp_ckpt_obj *o, void *arg)
{
	struct kit_walk *w = arg;
	struct srp_ckpt_obj *out;
	int rc = kit_send(w->k, w->to, o, &out);

	if (rc)
		w->rc = rc;
	w->n++;
	return 0;
}

/* Sends all that @p from holds, in order of rank; 0 or the last refusal. */
static inline int kit_sync(struct kit *from, struct kit *to)
{
	struct kit_walk w = {.k = from, .to = to};
	struct srp_ckpt_ctx ctx = kit_ctx(from, false);

	for (size_t i = 0; i < KIT_KINDS; i++)
		kit_kinds[i]->walk(&ctx, kit_send_one, &w);
	return w.rc;
}

/* An active engine and its standby, of these limits of a call; session 7 of the first. */
static inline struct ecs_session *kit_pair(struct kit *a, uint32_t limit, struct kit *b, uint32_t limit_b)
{
	kit_init_with(a, 0, true, 0, limit);
	kit_init_with(b, 1, false, 0, limit_b);
	return kit_session(a, 7, 1, false);
}

/* The standby has everything, and takes over; its session 7. */
static inline struct ecs_session *kit_take_over(struct kit *a, struct kit *b)
{
	CU_ASSERT_EQUAL(kit_sync(a, b), 0);
	ecs_engine_active(b->e, true, b->now);
	return ecs_session_find(b->e, 7);
}

static inline void kit_pair_fini(struct kit *a, struct kit *b)
{
	kit_fini(a);
	kit_fini(b);
}

/* What must not change where a record is refused. */
struct kit_state {
	uint64_t canonical, whole;
	size_t sessions, flows, recoverable;
};

static inline struct kit_state kit_state(struct kit *k)
{
	struct kit_state st;

	memset(&st, 0, sizeof(st));
	st.canonical = kit_sum(k, true);
	st.whole = kit_sum(k, false);
	st.sessions = ecs_engine_sessions(k->e);
	st.flows = ecs_engine_flows(k->e);
	st.recoverable = ecs_engine_recoverable(k->e);
	return st;
}

static inline bool kit_unchanged(struct kit *k, const struct kit_state *st)
{
	struct kit_state now = kit_state(k);

	return memcmp(&now, st, sizeof(now)) == 0;
}

/* One field replaced by @p with; the rest as it was. */
static inline int kit_apply_twisted(struct kit *to, const struct srp_ckpt_obj *o,
                                    const uint8_t *buf, size_t len, unsigned field,
                                    const uint8_t *with, size_t nwith)
{
	uint8_t twisted[KIT_RECORD + 16];
	struct srp_mp_r r = srp_mp_r_init(buf, len);
	struct srp_ckpt_obj *out;
	struct srp_ckpt_key key;
	size_t from, to_;

	for (unsigned i = 0; i < field; i++)
		srp_mp_skip(&r);
	from = (size_t)(r.p - buf);
	srp_mp_skip(&r);
	to_ = (size_t)(r.p - buf);
	memcpy(twisted, buf, from);
	memcpy(twisted + from, with, nwith);
	memcpy(twisted + from + nwith, buf + to_, len - to_);
	o->kind->key(o, &key);
	return kit_apply(to, o->kind, &key, twisted, from + nwith + len - to_, o->kind->nfields,
	                 &out);
}

/* The record of @p o at @p to: cut at every byte, with a field too few, and with each field of a
 * wrong type it is refused, and nothing changes. Whole it is taken. */
static inline void kit_torture(struct kit *from, struct kit *to, const struct srp_ckpt_obj *o)
{
	static const struct {
		uint8_t n, b[10];
	} wrong[] = {
	        {1, {0xc2}},
	        {1, {0xc3}},
	        {1, {0x80}},
	        {2, {0x81, 0x01}},
	        {3, {0xd4, 1, 1}},
	        {5, {0xca, 0, 0, 0, 0}},
	        {9, {0xcb, 0, 0, 0, 0, 0, 0, 0, 0}},
	        {1, {0xff}},
	        {1, {0xc1}},
	        {5, {0xdd, 0xff, 0xff, 0xff, 0xff}},
	        {5, {0xc6, 0xff, 0xff, 0xff, 0xff}},
	        {9, {0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	};
	uint8_t buf[KIT_RECORD];
	size_t len = kit_encode(from, o, false, buf);
	struct kit_state st = kit_state(to);
	struct srp_ckpt_obj *out;
	struct srp_ckpt_key key;
	bool bad = false;

	o->kind->key(o, &key);
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n ? n : 1); /* of its size, so that a read past it is found */

		memcpy(cut, buf, n);
		bad |= kit_apply(to, o->kind, &key, cut, n, o->kind->nfields, &out) == 0;
		bad |= !kit_unchanged(to, &st);
		free(cut);
	}
	CU_ASSERT_FALSE(bad);
	CU_ASSERT_NOT_EQUAL(kit_apply(to, o->kind, &key, buf, len, o->kind->nfields - 1u, &out), 0);
	for (unsigned f = 0; f < o->kind->nfields; f++)
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			bad |= kit_apply_twisted(to, o, buf, len, f, wrong[i].b, wrong[i].n) == 0;
			bad |= !kit_unchanged(to, &st);
		}
	CU_ASSERT_FALSE(bad);
	CU_ASSERT_EQUAL(kit_apply(to, o->kind, &key, buf, len, o->kind->nfields, &out), 0);
	CU_ASSERT_TRUE(kit_record_len(from, o) <= o->kind->max_len);
}

static inline struct ecs_flow *kit_flow_at(struct kit *k, uint32_t callid, uint32_t id)
{
	return ecs_flow_find_id(k->e->flows, callid, id);
}

/* The rule map and the session of @p f at @p b, as they precede it. */
static inline struct ecs_session *kit_precede(struct kit *a, struct kit *b,
                                              const struct ecs_flow *f)
{
	struct srp_ckpt_obj *out;

	CU_ASSERT_EQUAL(kit_send(a, b, &ecs_ruleref_get(a->e->refs, f->ref)->ckpt, &out), 0);
	CU_ASSERT_EQUAL(kit_send(a, b, &f->session->full, &out), 0);
	return ecs_session_find(b->e, f->session->spec.callid);
}

#endif

/* ecs_model: a real engine as a model for the simulated pair: packets, sessions and control
 * transactions at random, on few addresses and ports, so that they often meet. */
#include "config.h"
#include "tests/sim/ecs_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/registry.h"
#include "ecs/engine_impl.h"
#include "ecs/quota.h"
#include "srp/hash.h"
#include "tests/unit/ecs_packets.h"

#define ADDRESSES 10u
#define PORTS     8u
#define RATING    5u /* of what is paid for */

struct model {
	struct ecs_service *svc;
	struct ecs_counters ctr;
	struct ecs_rule_stats *stats;
	unsigned side;
};

static void line(struct ecs_service *s, const char *name, enum ecs_field f, const char *value,
                 uint32_t priority, const char *action)
{
	struct ecs_err e;

	if (ecs_service_ruledef(s, name, false, &e) ||
	    ecs_service_rule_line(s, name, false, f, false, ECS_OP_EQ, value, NULL, &e) ||
	    ecs_service_action_line(s, "rb", false, priority, false, name, action, &e))
		abort();
}

/* Everything is eligible, few at a time: slots go from hand to hand. */
static struct ecs_service *service(void)
{
	struct ecs_service *s = ecs_service_new("model");
	struct ecs_charging_action *paid;
	struct ecs_err e;

	if (ecs_service_rulebase(s, "rb", false, &e))
		abort();
	ecs_service_charging_action(s, "ca", false, &e)->content_id = 9;
	paid = ecs_service_charging_action(s, "paid", false, &e);
	paid->credit = true;
	paid->rating_group = RATING;
	line(s, "dns", ECS_F_UDP_EPORT, "53", 10, "ca");
	line(s, "web", ECS_F_TCP_EPORT, "80", 20, "paid");
	line(s, "up", ECS_F_IP_UPLINK, "TRUE", 30, "ca");
	line(s, "any", ECS_F_IP_ANY, "TRUE", 40, "ca");
	if (ecs_service_trigger_action(s, "ta", false, &e) ||
	    ecs_service_flow_recovery(s, "ta", true, &e) ||
	    ecs_service_trigger_condition(s, "tc", false, &e) ||
	    ecs_service_cond_rule_name(s, "tc", false, ECS_OP_EQ, "dns", &e) ||
	    ecs_service_cond_rule_name(s, "tc", false, ECS_OP_EQ, "web", &e) ||
	    ecs_service_cond_rule_name(s, "tc", false, ECS_OP_EQ, "up", &e) ||
	    ecs_service_scheme(s, "ss", false, &e) ||
	    ecs_service_scheme_trigger(s, "ss", false, &e) ||
	    ecs_service_scheme_priority(s, "ss", false, 1, "tc", "ta", &e) ||
	    ecs_service_subs_class(s, "sc", false, &e) ||
	    ecs_service_subs_line(s, "sc", false, ECS_SUBS_ANY, true, "TRUE", &e) ||
	    ecs_service_subs_base(s, "sb", false, &e) ||
	    ecs_service_subs_bind(s, "sb", false, 1, "sc", "ss", &e) ||
	    ecs_service_flow_chkpt_per_call(s, 3, &e) || ecs_service_commit(s, &e))
		abort();
	return s;
}

static void *create(struct srp_ckpt_sink *sink, unsigned side)
{
	struct model *m = calloc(1, sizeof(*m));
	struct ecs_engine_config c = {0};
	struct ecs_engine *e;

	if (!m)
		return NULL;
	m->side = side;
	m->svc = service();
	m->stats = calloc(ECS_STATS_MAX, sizeof(*m->stats));
	c.service = m->svc;
	c.sink = sink;
	c.owner = m;
	c.counters = &m->ctr;
	c.rule_stats = m->stats;
	c.seed = 77 + side;
	c.chassis_bit = (uint8_t)side;
	c.pending_timeout = 60;
	e = m->stats ? ecs_engine_new(&c, (struct srp_time){1}) : NULL;
	if (!e)
		abort();
	return e;
}

static void destroy(void *p)
{
	struct ecs_engine *e = p;
	struct model *m = e->conf.owner;

	ecs_engine_free(e);
	ecs_service_free(m->svc);
	free(m->stats);
	free(m);
}

static void role(void *p, enum srp_role r, struct srp_time now)
{
	ecs_engine_active(p, srp_role_permit[r].forwards, now);
}

static struct ecs_addr address(uint32_t i)
{
	return (struct ecs_addr){{[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)(i + 1)}};
}

static void begin(struct ecs_engine *e, uint32_t at, struct sim_rng *g, struct srp_time now)
{
	const struct model *m = e->conf.owner;
	struct ecs_session_spec spec = {.imsi = "001010000000001", .username = "model",
	                                .apn = "net", .rulebase = "rb", .has4 = true, .qci = 9};
	struct ecs_session *s;

	spec.callid = ((uint32_t)sim_rand(g) & 0x7fffffffu) | m->side << 31;
	if (!spec.callid)
		spec.callid = 1;
	spec.v4 = address(at);
	(void)ecs_session_create(e, &spec, now, &s);
}

static void packet(struct ecs_engine *e, uint32_t at, struct sim_rng *g, struct srp_time now)
{
	static const uint8_t flags[] = {0x02, 0x12, 0x10, 0x10, 0x10, 0x11, 0x14};
	static const uint16_t ports[] = {53, 80, 5000};
	bool up = sim_chance(g, 50);
	uint16_t server = ports[sim_below(g, 3)], own = (uint16_t)(2000 + sim_below(g, PORTS));
	struct pk k = {.proto = server == 53 ? 17 : 6, .text = "data"};
	char host[24];
	uint8_t b[PK_CAP];

	(void)snprintf(host, sizeof(host), "10.0.0.%u", at + 1);
	k.src = up ? host : "192.0.2.1";
	k.dst = up ? "192.0.2.1" : host;
	k.sport = up ? own : server;
	k.dport = up ? server : own;
	k.flags = flags[sim_below(g, sizeof(flags))];
	k.seq = (uint32_t)sim_rand(g);
	(void)ecs_engine_packet(e, b, pk_build(&k, b), up ? ECS_UPLINK : ECS_DOWNLINK, 0, now);
}

/* What a control plane gives a call, and takes. */
static void give(struct ecs_engine *e, const struct ecs_session *s, struct sim_rng *g,
                 struct srp_time now)
{
	static const char *const names[] = {"d1", "d2", "dns"};
	static const char *const filters[] = {"udp any port 53", "tcp any port 80", "ip any"};
	struct ecs_dyn_spec d = {.precedence = 1 + sim_below(g, 3),
	                         .status = (uint8_t)sim_below(g, ECS_STATUS__N)};
	struct ecs_bearer_spec b = {.id = (uint8_t)(6 + sim_below(g, 2)), .qos.qci = 1,
	                            .has_tft = sim_chance(g, 50)};
	uint32_t callid = s->spec.callid, what = sim_below(g, 9);
	char why[120];

	b.qos.mbr[0] = sim_below(g, 3);
	d.qos.qci = (uint8_t)sim_below(g, 2);
	d.content_id = sim_below(g, 2);
	(void)strcpy(d.name, names[sim_below(g, 3)]);
	if (ecs_sdfs_parse(filters[sim_below(g, 3)], &d.filters, why, sizeof(why)))
		abort();
	b.tft = d.filters;
	if (what < 2)
		(void)ecs_rule_install(e, callid, &d, now);
	else if (what < 4)
		(void)ecs_rule_modify(e, callid, &d, 1u << sim_below(g, 6), now);
	else if (what < 5)
		(void)ecs_rule_remove(e, callid, d.name, now);
	else if (what < 6)
		(void)ecs_bearer_make(e, callid, &b, now);
	else if (what < 7)
		(void)ecs_bearer_update(e, callid, &b, 1u << (sim_chance(g, 50) ? 2 : 4), now);
	else if (what < 8)
		(void)ecs_quota_grant(e, callid, RATING, 1 + sim_below(g, 500),
		                      sim_chance(g, 50) ? "http://portal.test/more" : NULL, now);
	else if (sim_chance(g, 50))
		(void)ecs_bearer_delete(e, callid, b.id, now);
	else
		(void)ecs_session_handoff(e, callid, (uint8_t)sim_below(g, ECS_RAT__N), now);
}

static void start(void *p, struct sim_rng *g, struct srp_time now)
{
	begin(p, ADDRESSES, g, now);
	for (int i = 0; i < 20; i++)
		packet(p, ADDRESSES, g, now);
	ecs_usage_turn(p, now);
}

static void act(void *p, struct sim_rng *g, struct srp_time now)
{
	struct ecs_engine *e = p;
	uint32_t at = sim_below(g, ADDRESSES), what = sim_below(g, 100);
	struct ecs_addr a = address(at);
	const struct ecs_session *s = ecs_session_by_addr(e, &a);

	if (!s)
		begin(e, at, g, now);
	else if (what < 4)
		(void)ecs_session_delete(e, s->spec.callid, ECS_END_OPERATOR, now);
	else if (what < 10)
		(void)ecs_session_control(e, s->spec.callid, sim_chance(g, 50), now);
	else if (what < 12)
		(void)ecs_flows_clear(e, s->spec.callid, now);
	else if (what < 30)
		give(e, s, g, now);
	else
		packet(e, at, g, now);
	(void)ecs_engine_tick(e, now, 100);
	/* all is told at once: the pair is compared at moments of its own choice */
	ecs_usage_turn(e, now);
}

struct sum {
	struct srp_ckpt_ctx ctx;
	uint64_t x, n;
};

static int add(struct srp_ckpt_obj *o, void *arg)
{
	struct sum *s = arg;
	uint8_t buf[SRP_CKPT_RECORD_MAX];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_ckpt_key key = {{0}};

	o->kind->key(o, &key);
	for (int i = 0; i < 3; i++)
		srp_mp_w_uint(&w, key.k[i]);
	if (o->kind->encode(o, &s->ctx, &w) != 0)
		abort();
	s->x ^= srp_hash64(1, buf, srp_mp_w_len(&w));
	s->n++;
	return 0;
}

static int compare(void *a, void *b, char *why, size_t cap)
{
	for (size_t k = 0; k < chassis_nkinds; k++) {
		struct sum s[2] = {{.ctx = {.owner = a, .canonical = true, .ver = 1}},
		                   {.ctx = {.owner = b, .canonical = true, .ver = 1}}};

		for (int i = 0; i < 2; i++)
			chassis_kinds[k]->walk(&s[i].ctx, add, &s[i]);
		if (s[0].x == s[1].x && s[0].n == s[1].n)
			continue;
		(void)snprintf(why, cap, "%s: %llu and %llu objects", chassis_kinds[k]->name,
		               (unsigned long long)s[0].n, (unsigned long long)s[1].n);
		return -1;
	}
	if (ecs_engine_recoverable(a) == ecs_engine_recoverable(b))
		return 0;
	(void)snprintf(why, cap, "slots: %zu and %zu", ecs_engine_recoverable(a),
	               ecs_engine_recoverable(b));
	return -1;
}

static const struct sim_model *sim_ecs_model(void)
{
	static struct sim_model m = {.name = "ecs", .create = create, .destroy = destroy,
	                             .role = role, .start = start, .act = act, .compare = compare};

	m.kinds = chassis_kinds;
	m.nkinds = chassis_nkinds;
	return &m;
}

int sim_ecs_common(uint64_t first, uint64_t n, uint32_t steps)
{
	uint64_t bytes = 0, planned = 0, takeovers = 0, refills = 0, both = 0;
	uint64_t recoveries = 0, merges = 0, rebuilt = 0, refused = 0, buried = 0;
	int bad = 0;

	for (uint64_t seed = first; seed < first + n; seed++) {
		struct sim_result r;

		if (sim_run(sim_ecs_model(), seed, steps, &r) != 0) {
			printf("model: seed %llu, %u steps: %s\n", (unsigned long long)seed, steps,
			       r.why);
			bad = -1;
		}
		bytes += r.bytes;
		planned += r.switches_planned;
		takeovers += r.takeovers;
		refills += r.refills;
		both += r.both_active;
		recoveries += r.recoveries;
		merges += r.merges;
		rebuilt += r.rebuilt;
		refused += r.refused;
		buried += r.buried;
	}
	printf("model: %llu seeds, %llu bytes; %llu planned, %llu takeovers, %llu refills, %llu "
	       "both "
	       "active\n",
	       (unsigned long long)n, (unsigned long long)bytes, (unsigned long long)planned,
	       (unsigned long long)takeovers, (unsigned long long)refills,
	       (unsigned long long)both);
	printf("model: %llu deaths recovered (%llu merged), %llu sessions rebuilt, %llu records "
	       "refused, %llu deletions kept\n",
	       (unsigned long long)recoveries, (unsigned long long)merges,
	       (unsigned long long)rebuilt, (unsigned long long)refused,
	       (unsigned long long)buried);
	/* a run in which nothing happened proves nothing */
	if (n > 20 && (!planned || !takeovers || !refills || !both || !recoveries || !merges ||
	               !rebuilt || !buried))
		bad = -1;
	return bad;
}

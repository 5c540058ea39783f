#include "config.h"
#include "tests/sim/ecs_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "srp/hash.h"

#define STEP_MS  10u
#define TX_CAP   65536u
#define SOME     100000u /* of work: all there is */
#define PENDING_S 5u

uint64_t pair_seed;
const char *const pair_rule[RULES] = {"video", "slow", "dns", "web", "any"};

void pair_fail(const struct pair *p, const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: seed %llu, at %.3f s, %s: %s\n", file, line,
	        (unsigned long long)pair_seed, (double)(p->now.us % SRP_SEC(1000000)) / 1e6,
	        p->doing, what);
	abort();
}

uint64_t pair_random(struct pair *p)
{
	uint64_t z = p->rnd += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* --- the service ------------------------------------------------------------------------------ */

static void must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, srp_strerror(rc));
	abort();
}

static void rule(struct ecs_service *s, int r, uint32_t priority, enum ecs_field f, enum ecs_op op,
                 const char *value)
{
	struct ecs_err e;

	must(ecs_service_ruledef(s, pair_rule[r], false, &e), "ruledef");
	must(ecs_service_rule_line(s, pair_rule[r], false, f, false, op, value, NULL, &e), "line");
	must(ecs_service_action_line(s, "rb", false, priority, false, pair_rule[r], "ca", &e),
	     "action");
}

struct ecs_service *pair_service(bool all)
{
	struct ecs_service *s = ecs_service_new("sim");
	struct ecs_err e;

	must(ecs_service_rulebase(s, "rb", false, &e), "rulebase");
	ecs_service_charging_action(s, "ca", false, &e)->content_id = 7;
	rule(s, VIDEO, 10, ECS_F_HTTP_HOST, ECS_OP_CONTAINS, "video");
	rule(s, SLOW, 20, ECS_F_HTTP_HOST, ECS_OP_CONTAINS, "slow");
	rule(s, DNS, 30, ECS_F_UDP_EPORT, ECS_OP_EQ, "53");
	rule(s, WEB, 40, ECS_F_TCP_EPORT, ECS_OP_EQ, "80");
	rule(s, ANY, 100, ECS_F_IP_ANY, ECS_OP_EQ, "TRUE");
	must(ecs_service_trigger_action(s, "ta", false, &e), "trigger-action");
	must(ecs_service_flow_recovery(s, "ta", true, &e), "flow-recovery");
	must(ecs_service_trigger_condition(s, "now", false, &e), "condition");
	must(ecs_service_cond_rule_name(s, "now", false, ECS_OP_EQ, "video", &e), "rule-name");
	must(ecs_service_cond_rule_name(s, "now", false, ECS_OP_EQ, "dns", &e), "rule-name");
	if (all)
		must(ecs_service_cond_rule_name(s, "now", false, ECS_OP_EQ, "web", &e),
		     "rule-name");
	must(ecs_service_trigger_condition(s, "late", false, &e), "condition");
	must(ecs_service_cond_rule_name(s, "late", false, ECS_OP_EQ, "slow", &e), "rule-name");
	must(ecs_service_cond_delay(s, "late", 1, &e), "delay");
	must(ecs_service_scheme(s, "ss", false, &e), "scheme");
	must(ecs_service_scheme_trigger(s, "ss", false, &e), "trigger");
	must(ecs_service_scheme_priority(s, "ss", false, 1, "now", "ta", &e), "priority");
	must(ecs_service_scheme_priority(s, "ss", false, 2, "late", "ta", &e), "priority");
	must(ecs_service_subs_class(s, "all", false, &e), "subs-class");
	must(ecs_service_subs_line(s, "all", false, ECS_SUBS_ANY, true, "TRUE", &e), "subs-class");
	must(ecs_service_subs_base(s, "sb", false, &e), "subscriber-base");
	must(ecs_service_subs_bind(s, "sb", false, 1, "all", "ss", &e), "priority");
	must(ecs_service_commit(s, &e), "commit");
	return s;
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_event(void *owner, enum recovery_event ev, const char *why)
{
	struct pair_chassis *c = owner;

	(void)why;
	c->flushed |= ev == RECOVERY_EV_FLUSHED;
	c->flush_failed |= ev == RECOVERY_EV_FLUSH_FAILED;
	c->filled |= ev == RECOVERY_EV_FILLED;
}

static const struct recovery_ops ops = {.event = on_event};

static uint32_t term_of(const struct pair *p, const struct pair_chassis *c)
{
	return p->number << 1 | c->bit;
}

void pair_start(struct pair *p, int i)
{
	struct pair_chassis *c = &p->c[i];
	uint8_t *in = c->in.b;
	struct ecs_engine_config ec = {0};
	struct recovery_config rc = {0};

	PAIR_CHECK(p, !c->alive);
	memset(c, 0, sizeof(*c));
	c->in.b = in;
	c->bit = (uint8_t)i;
	c->alive = true;
	c->stats = calloc(ECS_STATS_MAX, sizeof(*c->stats));
	recovery_sink_init(&c->sink);
	ec.service = p->svc;
	ec.sink = &c->sink.sink;
	ec.counters = &c->ctr;
	ec.owed = &c->owed;
	ec.rule_stats = c->stats;
	ec.seed = pair_random(p);
	ec.chassis_bit = c->bit;
	ec.checkpoint_duration = p->duration;
	ec.pending_timeout = PENDING_S;
	c->e = ecs_engine_new(&ec, p->now);
	PAIR_CHECK(p, c->stats && c->e);
	rc.id = SRP_REPLICA_GR;
	rc.kinds = chassis_kinds;
	rc.nkinds = chassis_nkinds;
	rc.ckpt_owner = c->e;
	rc.ops = &ops;
	rc.ops_owner = c;
	rc.counters = c->kinds;
	rc.totals = &c->totals;
	rc.random = pair_random(p);
	rc.sink = &c->sink;
	rc.lz4 = pair_random(p) & 1;
	c->gr = recovery_replica_new(&rc);
	PAIR_CHECK(p, c->gr != NULL);
	c->sink.replica[SRP_REPLICA_GR] = c->gr;
	c->role = SRP_ROLE_STANDBY;
	c->sink.term = term_of(p, c);
	recovery_replica_role(c->gr, c->role, 0, false, p->now);
}

void pair_kill(struct pair *p, int i)
{
	struct pair_chassis *c = &p->c[i];

	PAIR_CHECK(p, c->alive);
	c->sink.replica[SRP_REPLICA_GR] = NULL;
	recovery_replica_free(c->gr);
	ecs_engine_free(c->e);
	free(c->stats);
	c->e = NULL;
	c->gr = NULL;
	c->stats = NULL;
	c->alive = false;
	c->in.len = 0;
	if (p->active == i)
		p->active = -1;
}

void pair_init(struct pair *p, uint64_t seed, struct ecs_service *svc, uint32_t duration)
{
	memset(p, 0, sizeof(*p));
	p->now.us = SRP_SEC(1000000);
	p->rnd = seed;
	p->svc = svc;
	p->number = 1;
	p->duration = duration;
	p->active = -1;
	p->doing = "start";
	for (int i = 0; i < 2; i++) {
		p->c[i].in.b = malloc(PAIR_QUEUE);
		PAIR_CHECK(p, p->c[i].in.b != NULL);
		pair_start(p, i);
	}
}

void pair_fini(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		if (p->c[i].alive)
			pair_kill(p, i);
		free(p->c[i].in.b);
	}
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void down(struct pair *p, int i)
{
	if (p->c[i].alive)
		recovery_replica_down(p->c[i].gr, p->now);
}

void pair_cut(struct pair *p)
{
	if (!p->up)
		return;
	p->up = false;
	for (int i = 0; i < 2; i++) {
		p->c[i].in.len = 0;
		down(p, i);
	}
}

void pair_connect(struct pair *p)
{
	if (p->up || !p->c[0].alive || !p->c[1].alive)
		return;
	p->up = true;
	for (int i = 0; i < 2; i++) {
		p->c[i].in.len = 0;
		recovery_replica_up(p->c[i].gr, p->now);
	}
}

/* Reads whole frames out of the first @p n bytes of the queue. */
static void read_frames(struct pair *p, struct pair_chassis *c, size_t n)
{
	size_t at = 0;

	for (;;) {
		struct srp_frame_hdr h;
		int rc = srp_frame_peek(&recovery_frames, c->in.b + at, n - at,
		                        recovery_replica_link(c->gr), &h);

		if (rc == SRP_EAGAIN || (rc == 0 && n - at < SRP_FRAME_HDR_LEN + h.len))
			break;
		PAIR_CHECK(p, rc == 0);
		rc = recovery_replica_rx(c->gr, &h, c->in.b + at + SRP_FRAME_HDR_LEN, p->now);
		PAIR_CHECK(p, rc == 0);
		at += SRP_FRAME_HDR_LEN + h.len;
	}
	memmove(c->in.b, c->in.b + at, c->in.len - at);
	c->in.len -= at;
}

static bool write_frames(struct pair *p, int i)
{
	struct pair_queue *to = &p->c[!i].in;
	bool more = true, any = false;

	while (more && PAIR_QUEUE - to->len >= TX_CAP) {
		size_t n = recovery_replica_tx(p->c[i].gr, to->b + to->len, TX_CAP, p->now, &more);

		to->len += n;
		any |= n > 0;
		if (n == 0)
			break;
	}
	return any;
}

static void check_turn(struct pair *p)
{
	char why[200] = "";

	for (int i = 0; i < 2; i++)
		if (p->c[i].alive && recovery_replica_check(p->c[i].gr, why, sizeof(why)) != 0)
			pair_fail(p, __FILE__, __LINE__, why);
}

/* One turn of both loops. A part of what is under way arrives, in any cut. */
static void turn(struct pair *p, bool all)
{
	for (int i = 0; i < 2; i++)
		if (p->c[i].alive)
			ecs_engine_tick(p->c[i].e, p->now, 1 + pair_pick(p, 200));
	for (int i = 0; p->up && i < 2; i++) {
		write_frames(p, i);
		if (p->c[!i].in.len > 0)
			read_frames(p, &p->c[!i],
			            all ? p->c[!i].in.len
			                : pair_pick(p, (uint32_t)p->c[!i].in.len + 1));
	}
	check_turn(p);
	for (int i = 0; i < 2; i++) {
		struct pair_chassis *c = &p->c[i];

		/* what a session manager does when it has been filled */
		if (!c->alive || !c->filled || i == p->active)
			continue;
		c->filled = false;
		recovery_replica_role(c->gr, c->role, p->number << 1 | (uint32_t)!i, true, p->now);
	}
}

void pair_run(struct pair *p, uint32_t ms)
{
	for (uint32_t t = 0; t < ms; t += STEP_MS) {
		p->now = srp_time_add(p->now, SRP_MS(STEP_MS));
		turn(p, false);
	}
}

void pair_settle(struct pair *p)
{
	PAIR_CHECK(p, p->up && p->active >= 0);
	for (int i = 0; i < 6000; i++) {
		struct recovery_status st;

		p->now = srp_time_add(p->now, SRP_MS(STEP_MS));
		turn(p, true);
		recovery_replica_status(p->c[p->active].gr, &st);
		if (i > 250 && st.link == RECOVERY_LINK_READY &&
		    st.dirty + st.inflight + st.tombs == 0 &&
		    p->now.us - st.verified.us < SRP_SEC(1))
			return;
	}
	pair_fail(p, __FILE__, __LINE__, "no quiet after a minute");
}

/* --- roles ------------------------------------------------------------------------------------ */

static void set_role(struct pair *p, int i, enum srp_role role, uint32_t term, bool complete)
{
	struct pair_chassis *c = &p->c[i];

	c->role = role;
	/* the engine stops before its replica stops to send, and starts after it may: what it says
	 * when it stops is divergent then, and not a change in a role that sends none */
	if (role == SRP_ROLE_STANDBY)
		ecs_engine_active(c->e, false, p->now);
	if (role == SRP_ROLE_ACTIVE)
		c->sink.term = term;
	recovery_replica_role(c->gr, role, term, complete, p->now);
	if (role != SRP_ROLE_ACTIVE)
		return;
	ecs_engine_active(c->e, true, p->now);
	/* One that was not level may hold more flows than a call may have, those it had itself before and
	 * those of the one that went: what is beyond the limit goes in its first turns. */
	PAIR_CHECK(p, !ecs_engine_tick(c->e, p->now, SOME));
}

void pair_take_over(struct pair *p, int i)
{
	int other = !i;
	uint32_t term;

	PAIR_CHECK(p, p->c[i].alive);
	if (p->up) {
		read_frames(p, &p->c[i], p->c[i].in.len);
		p->up = false;
		p->c[i].in.len = p->c[other].in.len = 0;
		down(p, i);
		down(p, other);
	}
	p->number++;
	term = term_of(p, &p->c[i]);
	if (p->c[other].alive)
		set_role(p, other, SRP_ROLE_STANDBY, term, true);
	set_role(p, i, SRP_ROLE_ACTIVE, term, true);
	p->active = i;
}

void pair_switch(struct pair *p)
{
	int from = p->active, to = !from;
	struct pair_chassis *a = &p->c[from];
	uint32_t term = term_of(p, a);
	uint64_t objects, bytes;

	PAIR_CHECK(p, p->up && from >= 0 && p->c[to].alive);
	set_role(p, from, SRP_ROLE_PENDING_STANDBY, term, true);
	set_role(p, to, SRP_ROLE_PENDING_ACTIVE, term, true);
	recovery_replica_flush(a->gr, true);
	ecs_engine_flush(a->e, p->now);
	pair_run(p, 300);
	/* frozen: no packet from here on */
	ecs_engine_freeze(a->e, p->now);
	a->flushed = a->flush_failed = false;
	recovery_replica_end(a->gr, p->now);
	for (int i = 0; i < 3000 && !a->flushed && !a->flush_failed; i++) {
		p->now = srp_time_add(p->now, SRP_MS(1));
		turn(p, true);
	}
	PAIR_CHECK(p, !a->flush_failed);
	PAIR_CHECK(p, a->flushed);
	recovery_replica_backlog(a->gr, &objects, &bytes);
	PAIR_CHECK(p, objects == 0);
	recovery_replica_flush(a->gr, false);
	p->number++;
	term = term_of(p, &p->c[to]);
	set_role(p, from, SRP_ROLE_STANDBY, term, true);
	set_role(p, to, SRP_ROLE_ACTIVE, term, true);
	p->active = to;
}

/* --- looking at it ---------------------------------------------------------------------------- */

struct sum {
	struct pair *p;
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
	srp_mp_w_uint(&w, o->kind->id);
	PAIR_CHECK(s->p, o->kind->encode(o, &s->ctx, &w) == 0);
	s->x ^= srp_hash64(1, buf, srp_mp_w_len(&w));
	s->n++;
	return 0;
}

uint64_t pair_digest(struct pair *p, int i)
{
	struct sum s = {.p = p};

	s.ctx = (struct srp_ckpt_ctx){.now = p->now, .owner = p->c[i].e, .replica = SRP_REPLICA_GR,
	                              .canonical = true, .ver = 1};
	for (size_t k = 0; k < chassis_nkinds; k++)
		chassis_kinds[k]->walk(&s.ctx, add, &s);
	return s.x ^ s.n;
}

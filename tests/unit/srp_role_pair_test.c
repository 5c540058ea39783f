/* Two role machines and a link between them that may break at any moment: whatever happens, when
 * it is quiet again exactly one chassis is active, in the highest term. */
#include "config.h"
#include "suites.h"

#include <string.h>

#include "srp/err.h"
#include "srp/role_machine.h"

#define QUEUE 256

enum kind { HELLO, PREPARE, READY, HANDOVER, TAKEN, ABORT, KIND__N };

struct message {
	enum kind kind;
	struct srp_candidate c;
	uint32_t seen, id;
};

struct chassis {
	struct srp_role_machine m;
	struct srp_counters ctr;
	struct srp_candidate c;   /* as told last */
	struct message in[QUEUE]; /* from the peer, in order */
	unsigned nin;
	uint32_t term, seen, complete;
	bool alive, unfit;
	struct chassis *peer;
};

struct pair {
	struct chassis a[2];
	bool up;   /* the link */
	bool calm; /* nothing breaks, and timers are slower than messages */
	uint64_t rng;
};

static struct pair p;

static uint32_t rnd(uint32_t n)
{
	p.rng ^= p.rng << 13;
	p.rng ^= p.rng >> 7;
	p.rng ^= p.rng << 17;
	return (uint32_t)(p.rng >> 33) % n;
}

static bool forwards(const struct chassis *c)
{
	return c->alive && c->m.phase >= SRP_PHASE_ACTIVE && c->m.phase <= SRP_PHASE_FLUSHING;
}

static void send(struct chassis *from, enum kind kind)
{
	struct chassis *to = from->peer;

	from->c.role = srp_phase_role(from->m.phase);
	from->c.handed = from->m.phase == SRP_PHASE_HANDED;
	from->c.unfit = from->unfit;
	from->c.term = from->term;
	from->c.complete = from->complete;
	if (p.up && to->alive && to->nin < QUEUE)
		to->in[to->nin++] = (struct message){kind, from->c, from->seen, from->m.attempt};
}

static void next_term(struct chassis *c)
{
	CU_ASSERT_EQUAL_FATAL(srp_term_next(c->seen, c->c.bit, &c->term), 0);
	c->seen = srp_term_number(c->term);
	c->complete = 2;
}

static void act(struct chassis *c, enum srp_role_action a)
{
	switch (a) {
	case SRP_ROLE_ACT_TAKE:
	case SRP_ROLE_ACT_ASSUME:
	case SRP_ROLE_ACT_RAISE_TERM:
		next_term(c);
		break;
	case SRP_ROLE_ACT_ASSUME_TAKEN:
		next_term(c);
		send(c, TAKEN);
		break;
	case SRP_ROLE_ACT_SEND_TAKEN:
		send(c, TAKEN);
		break;
	case SRP_ROLE_ACT_PREPARE:
		send(c, PREPARE);
		break;
	case SRP_ROLE_ACT_SEND_READY:
		send(c, READY);
		break;
	case SRP_ROLE_ACT_HAND_OVER:
	case SRP_ROLE_ACT_RESEND:
		send(c, HANDOVER);
		break;
	case SRP_ROLE_ACT_ABORT:
	case SRP_ROLE_ACT_CANCEL_TELL:
		send(c, ABORT);
		break;
	default:
		break;
	}
}

static void carry_out(struct chassis *c, const struct srp_role_step *s)
{
	act(c, s->act);
	if (s->from != s->to || s->act == SRP_ROLE_ACT_RAISE_TERM)
		send(c, HELLO);
	if (p.calm)
		CU_ASSERT_FALSE_FATAL(forwards(&p.a[0]) && forwards(&p.a[1]));
}

static int feed(struct chassis *c, enum srp_role_event ev)
{
	struct srp_role_step s;
	int rc = srp_role_step(&c->m, ev, SRP_SWITCH_MANUAL, &s);

	if (rc == 0)
		carry_out(c, &s);
	return rc;
}

static void hello(struct chassis *c, const struct message *m)
{
	enum srp_role_event ev = srp_role_hello_event(c->m.phase, &c->c, &m->c, m->seen);

	if (m->seen > c->seen)
		c->seen = m->seen;
	CU_ASSERT_EQUAL_FATAL(feed(c, ev), 0); /* no hello is ever refused */
	if (ev == SRP_ROLE_EV_PEER_ACTIVE && c->m.phase == SRP_PHASE_STANDBY) {
		c->term = m->c.term; /* synchronised at once */
		c->complete = 2;
	}
}

static void deliver(struct chassis *c)
{
	static const enum srp_role_event ev[KIND__N] = {
		[PREPARE] = SRP_ROLE_EV_RX_PREPARE, [READY] = SRP_ROLE_EV_RX_READY,
		[HANDOVER] = SRP_ROLE_EV_RX_HANDOVER, [TAKEN] = SRP_ROLE_EV_RX_TAKEN,
		[ABORT] = SRP_ROLE_EV_RX_ABORT};
	struct srp_role_step s;
	struct message m;

	if (!c->alive || c->nin == 0)
		return;
	m = c->in[0];
	memmove(c->in, c->in + 1, --c->nin * sizeof(c->in[0]));
	if (m.kind == HELLO)
		hello(c, &m);
	else if (srp_role_rx(&c->m, ev[m.kind], m.id, SRP_SWITCH_MANUAL, &s) == 0)
		carry_out(c, &s); /* a late one is refused */
}

static void cut(void)
{
	bool was = p.up;

	p.up = false;
	for (int i = 0; i < 2; i++) {
		p.a[i].nin = 0;
		if (was && p.a[i].alive)
			(void)feed(&p.a[i], SRP_ROLE_EV_LINK_DOWN);
	}
}

static void join(void)
{
	if (p.up || !p.a[0].alive || !p.a[1].alive)
		return;
	p.up = true;
	send(&p.a[0], HELLO);
	send(&p.a[1], HELLO);
}

static void start(struct chassis *c)
{
	c->alive = true;
	c->unfit = false;
	c->nin = c->complete = c->term = 0; /* the highest number seen is on disk */
	c->m = (struct srp_role_machine){.ctr = &c->ctr};
	CU_ASSERT_EQUAL(feed(c, SRP_ROLE_EV_START), 0);
}

static void timer(struct chassis *c)
{
	enum srp_role_timer t = srp_phase_timer(c->m.phase, NULL);

	if (t == SRP_TIMER_START)
		(void)feed(c, SRP_ROLE_EV_ALONE);
	else if (t == SRP_TIMER_PROBE) /* the network below is whole, whatever the link does */
		(void)feed(c, forwards(c->peer) ? SRP_ROLE_EV_PROBE_TAKEN : SRP_ROLE_EV_PROBE_FREE);
	else if (t != SRP_TIMER_DEAD && t != SRP_TIMER_NONE)
		(void)feed(c, SRP_ROLE_EV_TIMEOUT);
	else if (!p.up)
		(void)feed(c, SRP_ROLE_EV_PEER_DEAD);
}

/* What the own sessmgrs report, where it is true. */
static void own(struct chassis *c)
{
	bool level = p.up && c->peer->alive && c->peer->m.phase == SRP_PHASE_PREPARED;

	if (c->m.phase == SRP_PHASE_TAKEOVER)
		(void)feed(c, SRP_ROLE_EV_TAKEN_OVER);
	else if (c->m.phase == SRP_PHASE_FLUSHING)
		(void)feed(c, level ? SRP_ROLE_EV_LEVEL : SRP_ROLE_EV_FLUSH_FAILED);
	else if (c->m.phase == SRP_PHASE_FROZEN)
		(void)feed(c, level ? SRP_ROLE_EV_FLUSHED : SRP_ROLE_EV_FLUSH_FAILED);
}

static void disturb(struct chassis *c)
{
	switch (rnd(7)) {
	case 0:
		cut();
		break;
	case 1:
		join();
		break;
	case 2:
		if (c->peer->alive && p.up && rnd(2)) {
			c->alive = false;
			(void)feed(c->peer, SRP_ROLE_EV_PEER_GONE); /* end of file */
			cut();
		}
		break;
	case 3:
		if (!c->alive)
			start(c);
		break;
	case 4:
		c->unfit = c->alive && feed(c, SRP_ROLE_EV_GIVE_UP) == 0;
		break;
	case 5:
		c->unfit = false;
		break;
	default:
		if (c->alive)
			(void)feed(c, SRP_ROLE_EV_STALE);
	}
}

static void step(void)
{
	struct chassis *c = &p.a[rnd(2)];

	switch (rnd(p.calm ? 7 : 8)) {
	case 0:
	case 1:
	case 2:
		deliver(c);
		break;
	case 3:
		if (c->alive)
			send(c, HELLO);
		break;
	case 4:
		if (c->alive && p.up && c->peer->alive && c->peer->m.phase == SRP_PHASE_STANDBY)
			(void)feed(c, SRP_ROLE_EV_SWITCH);
		break;
	case 5:
		if (c->alive)
			own(c);
		break;
	case 6:
		if (c->alive && (!p.calm || p.a[0].nin + p.a[1].nin == 0))
			timer(c);
		break;
	default:
		disturb(c);
	}
}

/* Quiet: all alive and fit, the link up, hellos flow, messages are faster than timers. */
static void settle(void)
{
	for (int i = 0; i < 2; i++) {
		if (!p.a[i].alive)
			start(&p.a[i]);
		p.a[i].unfit = false;
	}
	join();
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 2; i++) {
			send(&p.a[i], HELLO);
			own(&p.a[i]);
		}
		while (p.a[0].nin + p.a[1].nin)
			deliver(&p.a[p.a[1].nin > 0]);
		if (round % 4 == 3)
			for (int i = 0; i < 2; i++)
				if (p.a[i].m.phase != SRP_PHASE_LISTEN && p.a[i].m.phase != SRP_PHASE_PROBE)
					timer(&p.a[i]);
	}
}

static void one_is_active(void)
{
	int active = p.a[0].m.phase == SRP_PHASE_ACTIVE ? 0 : 1;
	const struct chassis *a = &p.a[active], *s = &p.a[!active];

	CU_ASSERT_EQUAL_FATAL(a->m.phase, SRP_PHASE_ACTIVE);
	CU_ASSERT_EQUAL_FATAL(s->m.phase, SRP_PHASE_STANDBY);
	CU_ASSERT_TRUE(srp_term_cmp(a->term, s->term) >= 0);
	CU_ASSERT_EQUAL(srp_term_bit(a->term), a->c.bit);
	CU_ASSERT_TRUE(srp_term_number(a->term) >= s->seen);
}

static void begin(uint64_t seed, bool calm)
{
	memset(&p, 0, sizeof(p));
	p.rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	p.calm = calm;
	for (int i = 0; i < 2; i++) {
		p.a[i].peer = &p.a[!i];
		p.a[i].c = (struct srp_candidate){
			.mode = rnd(2) ? SRP_MODE_PRIMARY : SRP_MODE_BACKUP,
			.priority = (uint8_t)(1 + rnd(2)), .mac = {2, 0, 0, 0, 0, (uint8_t)rnd(2)},
			.route_modifier = rnd(2), .bit = (uint8_t)i};
		p.a[i].seen = rnd(3);
	}
	start(&p.a[0]);
	start(&p.a[1]);
	join();
}

static void test_rough(void)
{
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		begin(seed, false);
		for (unsigned life = 0; life < 3; life++) {
			for (unsigned i = rnd(200); i > 0; i--)
				step();
			settle();
			one_is_active();
		}
	}
}

/* Planned switchovers only: never two that forward, and they do come through. */
static void test_calm(void)
{
	uint64_t planned = 0;

	for (uint64_t seed = 1; seed <= 1000; seed++) {
		begin(seed, true);
		settle();
		one_is_active();
		for (unsigned i = 0; i < 300; i++)
			step();
		settle();
		one_is_active();
		planned += p.a[0].ctr.switch_planned;
		CU_ASSERT_EQUAL(p.a[0].ctr.dual_active + p.a[1].ctr.dual_active, 0);
	}
	CU_ASSERT_TRUE(planned > 1000);
}

/* R1: an empty active that returns before the dead-interval does not take its old role again,
 * though mode and priority are for it; the standby, which has the state, takes over in one
 * exchange. */
static void test_empty_returns(void)
{
	begin(1, false);
	p.a[0].c.mode = SRP_MODE_PRIMARY;
	p.a[0].c.priority = 1;
	p.a[1].c.mode = SRP_MODE_BACKUP;
	p.a[1].c.priority = 200;
	settle();
	CU_ASSERT_EQUAL(p.a[0].m.phase, SRP_PHASE_ACTIVE);
	cut();
	start(&p.a[0]);
	join();
	deliver(&p.a[1]);
	deliver(&p.a[0]);
	CU_ASSERT_EQUAL(p.a[1].m.phase, SRP_PHASE_TAKEOVER);
	CU_ASSERT_EQUAL(p.a[1].m.asked, SRP_SWITCH_PEER_RESTARTED);
	CU_ASSERT_EQUAL(p.a[0].m.phase, SRP_PHASE_STANDBY);
	settle();
	CU_ASSERT_EQUAL(p.a[1].m.phase, SRP_PHASE_ACTIVE);
	one_is_active();
}

/* R4: both alone in the same number: the terms differ, and one exchange leaves one active above
 * both. */
static void test_split_start(void)
{
	begin(2, false);
	cut();
	for (int i = 0; i < 2; i++) {
		p.a[i].seen = 5;
		(void)feed(&p.a[i], SRP_ROLE_EV_ALONE);
		(void)feed(&p.a[i], SRP_ROLE_EV_PROBE_FREE);
		CU_ASSERT_EQUAL(p.a[i].m.phase, SRP_PHASE_ACTIVE);
		CU_ASSERT_EQUAL(srp_term_number(p.a[i].term), 6);
	}
	CU_ASSERT_NOT_EQUAL(p.a[0].term, p.a[1].term);
	join();
	deliver(&p.a[0]);
	deliver(&p.a[1]);
	settle();
	one_is_active();
	CU_ASSERT_TRUE(p.a[0].term >= srp_term(7, 0));
	CU_ASSERT_EQUAL(p.a[0].ctr.stepped_down + p.a[1].ctr.stepped_down, 1);
}

CU_TestInfo srp_role_pair_tests[] = {
	{"after any disturbance one side is active", test_rough},
	{"planned switchovers never have two that forward", test_calm},
	{"an empty active that returns is no active", test_empty_returns},
	{"a split start has two terms and one survivor", test_split_start},
	CU_TEST_INFO_NULL,
};

#include "config.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recovery/replica_impl.h"
#include "srp/err.h"

#define ROWS_MAX  (2 * RECOVERY_KINDS_MAX)
#define PUMPS_MAX 20000u /* calls of tx in one step: more is a loop */

struct segment {
	struct segment *next;
	struct srp_time due;
	size_t len, pos;
	uint8_t data[];
};

struct side {
	unsigned id;
	void *model;
	struct recovery_sink sink;
	struct recovery_replica *r;
	struct recovery_kind_counters rows[ROWS_MAX];
	struct recovery_counters totals;
	enum srp_role role;
	uint32_t term;
	bool complete, up;
	bool ev_filled, ev_flushed, ev_failed, ev_protocol;
	struct segment *first, **last; /* what the other side has sent to this one */
	uint8_t *in;
	size_t in_len;
	char protocol[64];
};

struct sim {
	const struct sim_model *model;
	struct sim_rng rng;
	struct srp_time now;
	struct side side[2];
	unsigned active;  /* who should hold the role */
	uint32_t number;  /* of the highest term */
	bool partition, planned;
	uint32_t delay_us, rate, inflight_max;
	bool lz4;
	struct sim_result *out;
};

uint64_t sim_rand(struct sim_rng *g)
{
	uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

__attribute__((format(printf, 2, 3))) static int fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->out->why[0])
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(s->out->why, sizeof(s->out->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* --- sides ------------------------------------------------------------------------------------ */

static void on_event(void *owner, enum recovery_event ev, const char *why)
{
	struct side *e = owner;

	if (ev == RECOVERY_EV_FILLED)
		e->ev_filled = true;
	if (ev == RECOVERY_EV_FLUSHED)
		e->ev_flushed = true;
	if (ev == RECOVERY_EV_FLUSH_FAILED)
		e->ev_failed = true;
	if (ev == RECOVERY_EV_PROTOCOL) {
		e->ev_protocol = true;
		(void)snprintf(e->protocol, sizeof(e->protocol), "%s", why);
	}
}

static const struct recovery_ops ops = {.event = on_event};

static void set_role(struct sim *s, unsigned i, enum srp_role role, uint32_t term, bool complete)
{
	struct side *e = &s->side[i];

	e->role = role;
	e->term = term;
	e->complete = complete;
	e->sink.term = term;
	/* a model that stops says its last before its replica loses the right to send */
	if (s->model->role && !srp_role_permit[role].forwards)
		s->model->role(e->model, role, s->now);
	recovery_replica_role(e->r, role, term, complete, s->now);
	if (s->model->role && srp_role_permit[role].forwards)
		s->model->role(e->model, role, s->now);
}

static int birth(struct sim *s, unsigned i)
{
	struct side *e = &s->side[i];
	struct recovery_config conf = {.id = SRP_REPLICA_GR,
				       .kinds = s->model->kinds,
				       .nkinds = s->model->nkinds,
				       .ops = &ops,
				       .ops_owner = e,
				       .counters = e->rows,
				       .totals = &e->totals,
				       .random = sim_rand(&s->rng),
				       .rate = s->rate,
				       .inflight_max = s->inflight_max,
				       .lz4 = s->lz4,
				       .sink = &e->sink};

	recovery_sink_init(&e->sink);
	e->id = i;
	e->model = s->model->create(&e->sink.sink, i);
	if (!e->model)
		return fail(s, "no model");
	conf.ckpt_owner = e->model;
	e->r = recovery_replica_new(&conf);
	if (!e->r)
		return fail(s, "no replica");
	e->sink.replica[SRP_REPLICA_GR] = e->r;
	e->ev_filled = e->ev_flushed = e->ev_failed = false;
	e->role = SRP_ROLE_INIT;
	e->complete = false;
	e->up = false;
	return 0;
}

static void death(struct sim *s, unsigned i)
{
	struct side *e = &s->side[i];

	e->sink.replica[SRP_REPLICA_GR] = NULL;
	if (e->r)
		recovery_replica_free(e->r);
	if (e->model)
		s->model->destroy(e->model);
	e->r = NULL;
	e->model = NULL;
}

/* --- connection ------------------------------------------------------------------------------- */

static void clear_pipe(struct side *e)
{
	while (e->first) {
		struct segment *g = e->first;

		e->first = g->next;
		free(g);
	}
	e->last = &e->first;
	e->in_len = 0;
}

static void connect_pair(struct sim *s)
{
	for (unsigned i = 0; i < 2; i++) {
		clear_pipe(&s->side[i]);
		if (!s->side[i].up)
			recovery_replica_up(s->side[i].r, s->now);
		s->side[i].up = true;
	}
}

static void disconnect(struct sim *s)
{
	for (unsigned i = 0; i < 2; i++) {
		clear_pipe(&s->side[i]);
		if (s->side[i].up && s->side[i].r)
			recovery_replica_down(s->side[i].r, s->now);
		s->side[i].up = false;
	}
}

static int push(struct sim *s, struct side *to, const uint8_t *p, size_t n)
{
	struct segment *g = malloc(sizeof(*g) + n);

	if (!g)
		return fail(s, "no memory");
	*g = (struct segment){.due = srp_time_add(s->now, s->delay_us), .len = n};
	memcpy(g->data, p, n);
	*to->last = g;
	to->last = &g->next;
	for (size_t i = 0; i < n; i++)
		s->out->trace = (s->out->trace ^ p[i]) * UINT64_C(1099511628211);
	s->out->bytes += n;
	return 0;
}

/* Whole frames of what has arrived go to the replica. */
static int frames(struct sim *s, struct side *e)
{
	size_t pos = 0;

	while (e->up) {
		struct srp_frame_hdr h;
		int rc = srp_frame_peek(&recovery_frames, e->in + pos, e->in_len - pos,
		                        recovery_replica_link(e->r), &h);

		if (rc == SRP_EAGAIN || (!rc && e->in_len - pos < SRP_FRAME_HDR_LEN + h.len))
			break;
		if (rc)
			return fail(s, "side %u: frame type %u refused: %s", e->id, e->in[pos + 3],
			            srp_strerror(rc));
		rc = recovery_replica_rx(e->r, &h, e->in + pos + SRP_FRAME_HDR_LEN, s->now);
		if (rc)
			return fail(s, "side %u: protocol error in %s: %s", e->id, e->protocol,
			            srp_strerror(rc));
		pos += SRP_FRAME_HDR_LEN + h.len;
	}
	memmove(e->in, e->in + pos, e->in_len - pos);
	e->in_len -= pos;
	return 0;
}

static int deliver(struct sim *s, struct side *e, bool *moved)
{
	while (!s->partition && e->first && e->first->due.us <= s->now.us) {
		struct segment *g = e->first;
		size_t n = g->len - g->pos;

		if (sim_chance(&s->rng, 30))
			n = 1 + sim_below(&s->rng, (uint32_t)n);
		*moved = true;
		if (n > 2 * 65536 - e->in_len)
			n = 2 * 65536 - e->in_len;
		memcpy(e->in + e->in_len, g->data + g->pos, n);
		e->in_len += n;
		g->pos += n;
		if (g->pos == g->len) {
			e->first = g->next;
			if (!e->first)
				e->last = &e->first;
			free(g);
		}
		if (frames(s, e))
			return -1;
	}
	return 0;
}

static int equations(struct sim *s, const char *after)
{
	char why[256];

	for (unsigned i = 0; i < 2; i++)
		if (s->side[i].r && recovery_replica_check(s->side[i].r, why, sizeof(why)))
			return fail(s, "side %u after %s: %s", i, after, why);
	return 0;
}

/* What the owner of a replica does when it is told that it was filled. */
static void owner(struct sim *s, struct side *e)
{
	if (!e->ev_filled)
		return;
	e->ev_filled = false;
	if (!e->complete)
		set_role(s, e->id, e->role, e->term, true);
}

static int transmit(struct sim *s, struct side *e, bool *moved)
{
	static uint8_t buf[65536];
	struct side *to = &s->side[!e->id];
	bool more = true;

	for (unsigned n = 0; more; n++) {
		size_t cap = sim_chance(&s->rng, 50) ? sizeof(buf) : 16384;
		size_t len = recovery_replica_tx(e->r, buf, cap, s->now, &more);

		if (n > PUMPS_MAX)
			return fail(s, "side %u: tx never ends", e->id);
		if (len)
			*moved = true;
		if (len && push(s, to, buf, len))
			return -1;
	}
	return 0;
}

/* Lets both sides send and read until nothing moves at this time. */
static int pump(struct sim *s)
{
	bool moved = true;

	for (unsigned n = 0; moved; n++) {
		moved = false;
		if (n > PUMPS_MAX)
			return fail(s, "the sides never come to rest");
		for (unsigned i = 0; i < 2; i++) {
			struct side *e = &s->side[i];

			if (!e->up)
				continue;
			if (transmit(s, e, &moved) || deliver(s, e, &moved))
				return -1;
			owner(s, e);
		}
		if (equations(s, "exchange"))
			return -1;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct srp_time due = s->side[i].up ? recovery_replica_due(s->side[i].r)
		                                    : (struct srp_time){0};

		if (srp_time_due(due, s->now) && !s->side[i].first)
			return fail(s,
				    "side %u: wants to be called, and has nothing to send: sync %d"
				    " round %d pass %d %d",
				    i, s->side[i].r->sync, s->side[i].r->round,
				    s->side[i].r->pass_on, s->side[i].r->pass_wanted);
	}
	return 0;
}

static void advance(struct sim *s, uint64_t us)
{
	s->now.us += us;
}

/* The next moment at which something is due, at most @p us away. */
static uint64_t next_due(struct sim *s, uint64_t us)
{
	uint64_t at = s->now.us + us;

	for (unsigned i = 0; i < 2; i++) {
		struct side *e = &s->side[i];
		struct srp_time due = e->up ? recovery_replica_due(e->r) : (struct srp_time){0};

		if (due.us > s->now.us && due.us < at)
			at = due.us;
		if (e->first && !s->partition && e->first->due.us > s->now.us &&
		    e->first->due.us < at)
			at = e->first->due.us;
	}
	return at > s->now.us ? at - s->now.us : 1;
}

/* --- invariants at the loss of a side --------------------------------------------------------- */

struct survey {
	struct sim *s;
	struct side *dead, *heir;
};

static struct recovery_kind *kind_in(const struct side *e, const struct srp_ckpt_obj *o)
{
	return recovery_kind_of(e->r, o);
}

static struct srp_ckpt_obj *twin(const struct side *e, const struct srp_ckpt_obj *o,
                                 struct srp_ckpt_key *key)
{
	const struct srp_ckpt_ctx ctx = {.owner = e->model};

	*key = (struct srp_ckpt_key){{0}};
	o->kind->key(o, key);
	return o->kind->find(&ctx, key);
}

/* What the dead side knew to be acknowledged must be here, as new or newer. */
static int survives(struct srp_ckpt_obj *o, void *arg)
{
	struct survey *v = arg;
	const struct srp_ckpt_link *l = &o->link[SRP_REPLICA_GR];
	struct srp_ckpt_key key;
	const struct srp_ckpt_obj *x;

	if (l->state != SRP_LINK_SETTLED || !recovery_known(kind_in(v->dead, o), l))
		return 0;
	x = twin(v->heir, o, &key);
	if (x && (x->term > o->term || (x->term == o->term && x->version >= o->version)))
		return 0;
	return fail(v->s,
		    "acknowledged, and lost: %s %" PRIu64 "/%" PRIu64
		    " term %u version %u (heir: %u/%u)",
		    o->kind->name, key.k[0], key.k[1], o->term, o->version, x ? x->term : 0,
		    x ? x->version : 0);
}

static bool buried(const struct side *e, const struct srp_ckpt_obj *o)
{
	struct srp_ckpt_key key = {{0}};

	o->kind->key(o, &key);
	for (uint32_t i = 0; i < e->r->tomb_cap; i++)
		for (const struct recovery_tomb *t = e->r->tomb[i]; t; t = t->next)
			if (e->r->kind[t->kind].k == o->kind && !memcmp(&t->key, &key, sizeof(key)))
				return true;
	return o->kind->parent && o->kind->parent(o) && buried(e, o->kind->parent(o));
}

/* What only the heir has must be a deletion that was not acknowledged. */
static int comes_back(struct srp_ckpt_obj *o, void *arg)
{
	struct survey *v = arg;
	struct srp_ckpt_key key;

	if (twin(v->dead, o, &key) || buried(v->dead, o))
		return 0;
	return fail(v->s, "deletion acknowledged, and back: %s %" PRIu64 "/%" PRIu64, o->kind->name,
	            key.k[0], key.k[1]);
}

static int survey(struct sim *s, unsigned dead)
{
	struct survey v = {.s = s, .dead = &s->side[dead], .heir = &s->side[!dead]};
	const struct recovery_replica *d = v.dead->r, *h = v.heir->r;

	if (h->applied_stream != d->stream || !d->synced || d->need_digest)
		return 0; /* another process than the one that acknowledged */
	for (size_t i = 0; i < s->model->nkinds; i++) {
		const struct srp_ckpt_ctx of_dead = {.owner = v.dead->model};
		const struct srp_ckpt_ctx of_heir = {.owner = v.heir->model};

		s->model->kinds[i]->walk(&of_dead, survives, &v);
		s->model->kinds[i]->walk(&of_heir, comes_back, &v);
	}
	return s->out->why[0] ? -1 : 0;
}

/* --- what can happen -------------------------------------------------------------------------- */

static uint32_t new_term(struct sim *s, unsigned i)
{
	return ++s->number << 1 | i;
}

static void abort_planned(struct sim *s)
{
	if (!s->planned)
		return;
	s->planned = false;
	s->out->switches_failed++;
	recovery_replica_flush(s->side[s->active].r, false);
	set_role(s, s->active, SRP_ROLE_ACTIVE, s->side[s->active].term,
		 s->side[s->active].complete);
	if (s->side[!s->active].role == SRP_ROLE_PENDING_ACTIVE)
		set_role(s, !s->active, SRP_ROLE_STANDBY, s->side[!s->active].term,
		         s->side[!s->active].complete);
}

static void begin_planned(struct sim *s)
{
	struct side *a = &s->side[s->active], *b = &s->side[!s->active];

	if (s->planned || !a->up || !a->complete || !b->complete || a->role != SRP_ROLE_ACTIVE ||
	    b->role != SRP_ROLE_STANDBY)
		return;
	s->planned = true;
	a->ev_flushed = a->ev_failed = false;
	set_role(s, b->id, SRP_ROLE_PENDING_ACTIVE, b->term, true);
	set_role(s, a->id, SRP_ROLE_PENDING_STANDBY, a->term, true);
	recovery_replica_flush(a->r, true);
	recovery_replica_end(a->r, s->now);
}

/* FLUSHED: the roles change, and the models must be the same at that moment. */
static int planned(struct sim *s)
{
	struct side *a = &s->side[s->active], *b = &s->side[!s->active];
	char why[256];

	if (!s->planned)
		return 0;
	if (a->ev_failed) {
		abort_planned(s);
		return 0;
	}
	if (!a->ev_flushed)
		return 0;
	s->planned = false;
	if (s->model->compare(a->model, b->model, why, sizeof(why)))
		return fail(s, "flushed, and not the same: %s", why);
	recovery_replica_flush(a->r, false);
	s->active = b->id;
	set_role(s, a->id, SRP_ROLE_STANDBY, a->term, true);
	set_role(s, b->id, SRP_ROLE_ACTIVE, new_term(s, b->id), true);
	s->out->switches_planned++;
	return 0;
}

static int restart_standby(struct sim *s)
{
	unsigned i = !s->active;

	if (!s->side[s->active].complete)
		return 0; /* a second failure: everything would be gone */
	abort_planned(s);
	disconnect(s);
	death(s, i);
	s->out->restarts++;
	if (birth(s, i))
		return -1;
	set_role(s, i, SRP_ROLE_STANDBY, s->side[i].term, false);
	return 0;
}

/* The active dies; the standby takes over, the dead one comes back empty, as standby. */
static int takeover(struct sim *s)
{
	unsigned dead = s->active;

	if (!s->side[!dead].complete)
		return 0; /* a second failure: everything would be gone */
	if (sim_chance(&s->rng, 50) && pump(s))
		return -1;
	s->planned = false;
	disconnect(s);
	if (survey(s, dead))
		return -1;
	death(s, dead);
	s->active = !dead;
	set_role(s, s->active, SRP_ROLE_ACTIVE, new_term(s, s->active), true);
	s->out->takeovers++;
	if (birth(s, dead))
		return -1;
	set_role(s, dead, SRP_ROLE_STANDBY, s->side[dead].term, false);
	return 0;
}

/* The active's process dies and comes back in the same role: it is refilled, and empties nobody. */
static int refill(struct sim *s)
{
	unsigned i = s->active;

	if (!s->side[!i].complete)
		return 0;
	abort_planned(s);
	disconnect(s);
	if (survey(s, i))
		return -1;
	death(s, i);
	s->out->refills++;
	if (birth(s, i))
		return -1;
	set_role(s, i, SRP_ROLE_ACTIVE, new_term(s, i), false);
	return 0;
}

/* Both active while they do not hear each other; then the older term steps down. */
static int both_active(struct sim *s)
{
	unsigned old = s->active;
	uint32_t n = sim_below(&s->rng, 20);

	if (!s->side[!old].complete || !s->side[old].complete || s->planned)
		return 0;
	disconnect(s);
	s->active = !old;
	set_role(s, s->active, SRP_ROLE_ACTIVE, new_term(s, s->active), true);
	for (uint32_t i = 0; i < n; i++)
		s->model->act(s->side[sim_below(&s->rng, 2)].model, &s->rng, s->now);
	if (sim_chance(&s->rng, 30)) {
		connect_pair(s); /* they hear each other before the election has spoken */
		if (pump(s))
			return -1;
	}
	set_role(s, old, SRP_ROLE_STANDBY, s->side[old].term, true);
	s->out->both_active++;
	return 0;
}

static int event(struct sim *s)
{
	uint32_t what = sim_below(&s->rng, 1000);

	if (what < 10)
		return restart_standby(s);
	if (what < 22)
		return takeover(s);
	if (what < 30)
		return refill(s);
	if (what < 38)
		return both_active(s);
	if (what < 60) {
		s->out->drops++;
		disconnect(s);
	} else if (what < 75) {
		s->partition = !s->partition;
		s->out->partitions++;
	} else if (what < 95) {
		begin_planned(s);
	} else if (what < 105) {
		recovery_replica_audit(s->side[sim_below(&s->rng, 2)].r, s->now);
		s->out->audits++;
	} else if (what < 200 && !s->side[0].up) {
		connect_pair(s);
	}
	return 0;
}

static int step(struct sim *s)
{
	struct side *a = &s->side[s->active];
	uint32_t n = sim_below(&s->rng, 6);

	/* Flushed and not yet answered, the real active is frozen: nothing happens on it. */
	for (uint32_t i = 0; i < n && a->complete && !s->planned; i++)
		s->model->act(a->model, &s->rng, s->now);
	if (equations(s, "changes") || event(s) || equations(s, "an event"))
		return -1;
	if (s->planned && !s->side[s->active].up)
		s->side[s->active].ev_failed = true;
	if (pump(s) || planned(s))
		return -1;
	advance(s, 1 + sim_below(&s->rng, sim_chance(&s->rng, 5) ? 2000000 : 3000));
	s->out->steps++;
	return 0;
}

/* --- the end: everything is heard, nothing changes -------------------------------------------- */

static bool level(const struct sim *s)
{
	struct recovery_status a, b;

	if (!s->side[0].complete || !s->side[1].complete || s->planned)
		return false;
	recovery_replica_status(s->side[s->active].r, &a);
	recovery_replica_status(s->side[!s->active].r, &b);
	return a.link == RECOVERY_LINK_READY && b.link == RECOVERY_LINK_READY && a.source &&
	       !a.dirty && !a.inflight && !a.tombs && !a.unknown && !a.refused &&
	       a.digest == b.digest && a.verified.us + SRP_SEC(2) > s->now.us;
}

static int rest(struct sim *s)
{
	struct srp_time end;
	struct side *a, *b;
	char why[256];

	s->partition = false;
	for (unsigned i = 0; i < 2; i++)
		recovery_replica_rate(s->side[i].r, 0, 0);
	recovery_replica_flush(s->side[s->active].r, true); /* what is not ready, too */
	end = srp_time_add(s->now, SRP_SEC(60));
	while (!level(s)) {
		if (s->now.us > end.us) {
			struct recovery_status x, y;

			recovery_replica_status(s->side[0].r, &x);
			recovery_replica_status(s->side[1].r, &y);
			return fail(s,
				    "never level: links %d %d dirty %" PRIu64 " %" PRIu64
				    " inflight %" PRIu64 " %" PRIu64 " unknown %" PRIu64
				    " tombs %" PRIu64 " refused %" PRIu64 " %" PRIu64
				    " digests %" PRIx64 " %" PRIx64,
				    x.link, y.link, x.dirty, y.dirty, x.inflight, y.inflight,
				    s->active ? y.unknown : x.unknown, x.tombs + y.tombs, x.refused,
				    y.refused, x.digest, y.digest);
		}
		if (!s->side[0].up || !s->side[1].up)
			connect_pair(s);
		if (pump(s) || planned(s))
			return -1;
		advance(s, next_due(s, 50000));
	}
	a = &s->side[s->active];
	b = &s->side[!s->active];
	if (recovery_replica_digest(a->r, true, s->now) !=
	    recovery_replica_digest(a->r, false, s->now))
		return fail(s, "the active's digest is not that of its objects");
	if (recovery_replica_digest(b->r, true, s->now) !=
	    recovery_replica_digest(b->r, false, s->now))
		return fail(s, "the standby's digest is not that of its objects");
	if (s->model->compare(a->model, b->model, why, sizeof(why)))
		return fail(s, "at rest, and not the same: %s", why);
	return 0;
}

int sim_run(const struct sim_model *model, uint64_t seed, uint32_t steps, struct sim_result *out)
{
	struct sim *s = calloc(1, sizeof(*s));
	int rc = s ? 0 : -1;

	*out = (struct sim_result){.trace = 1469598103934665603u};
	if (!s)
		return rc;
	s->model = model;
	s->rng.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
	s->now = (struct srp_time){1000000};
	s->out = out;
	s->delay_us = sim_chance(&s->rng, 50) ? 0 : 1 + sim_below(&s->rng, 20000);
	s->rate = sim_chance(&s->rng, 40) ? 1 + sim_below(&s->rng, 500) : 0;
	s->inflight_max = sim_chance(&s->rng, 50) ? 0 : 1 + sim_below(&s->rng, 40);
	s->lz4 = sim_chance(&s->rng, 50);
	for (unsigned i = 0; i < 2; i++) {
		s->side[i].last = &s->side[i].first;
		s->side[i].in = malloc(2 * 65536);
		rc |= s->side[i].in ? birth(s, i) : -1;
	}
	if (!rc) {
		set_role(s, 1, SRP_ROLE_STANDBY, 0, false);
		set_role(s, 0, SRP_ROLE_ACTIVE, new_term(s, 0), true);
		model->start(s->side[0].model, &s->rng, s->now);
		connect_pair(s);
		for (uint32_t i = 0; i < steps && !rc; i++)
			rc = step(s);
		rc = rc ? rc : rest(s);
	}
	for (unsigned i = 0; i < 2; i++) {
		clear_pipe(&s->side[i]);
		death(s, i);
		free(s->side[i].in);
	}
	free(s);
	return rc ? -1 : 0;
}

#include "config.h"
#include "tests/sim/sim_impl.h"

#include <inttypes.h>
#include <stdlib.h>

static void advance(struct sim *s, uint64_t us)
{
	s->now.us += us;
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
	sim_role(s, s->active, SRP_ROLE_ACTIVE, s->side[s->active].term,
		 s->side[s->active].complete);
	if (s->side[!s->active].role == SRP_ROLE_PENDING_ACTIVE)
		sim_role(s, !s->active, SRP_ROLE_STANDBY, s->side[!s->active].term,
		         s->side[!s->active].complete);
}

static void begin_planned(struct sim *s)
{
	struct sim_side *a = &s->side[s->active], *b = &s->side[!s->active];

	if (s->planned || !a->up || !a->complete || !b->complete || a->role != SRP_ROLE_ACTIVE ||
	    b->role != SRP_ROLE_STANDBY)
		return;
	s->planned = true;
	a->ev_flushed = a->ev_failed = false;
	sim_role(s, b->id, SRP_ROLE_PENDING_ACTIVE, b->term, true);
	sim_role(s, a->id, SRP_ROLE_PENDING_STANDBY, a->term, true);
	recovery_replica_flush(a->r, true);
	recovery_replica_end(a->r, s->now);
}

/* FLUSHED: the roles change, and the models must be the same at that moment. */
static int planned(struct sim *s)
{
	struct sim_side *a = &s->side[s->active], *b = &s->side[!s->active];
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
		return sim_fail(s, "flushed, and not the same: %s", why);
	recovery_replica_flush(a->r, false);
	s->active = b->id;
	sim_role(s, a->id, SRP_ROLE_STANDBY, a->term, true);
	sim_role(s, b->id, SRP_ROLE_ACTIVE, new_term(s, b->id), true);
	s->out->switches_planned++;
	return 0;
}

static int restart_standby(struct sim *s)
{
	unsigned i = !s->active;

	if (!s->side[s->active].complete)
		return 0; /* a second failure: everything would be gone */
	abort_planned(s);
	sim_disconnect(s);
	sim_death(s, i);
	s->out->restarts++;
	if (sim_birth(s, i))
		return -1;
	sim_role(s, i, SRP_ROLE_STANDBY, s->side[i].term, false);
	return 0;
}

/* The active dies; the standby takes over, the dead one comes back empty, as standby. */
static int takeover(struct sim *s)
{
	unsigned dead = s->active;

	if (!s->side[!dead].complete)
		return 0; /* a second failure: everything would be gone */
	if (sim_chance(&s->rng, 50) && sim_pump(s))
		return -1;
	s->planned = false;
	sim_disconnect(s);
	if (sim_survey(s, dead))
		return -1;
	sim_death(s, dead);
	s->active = !dead;
	sim_role(s, s->active, SRP_ROLE_ACTIVE, new_term(s, s->active), true);
	s->out->takeovers++;
	if (sim_birth(s, dead))
		return -1;
	sim_role(s, dead, SRP_ROLE_STANDBY, s->side[dead].term, false);
	return 0;
}

/* Without session recovery: the active's process dies and comes back in the same role and term. It is
 * refilled by the standby, and empties nobody. */
static int refill(struct sim *s)
{
	unsigned i = s->active;

	if (!s->side[!i].complete)
		return 0;
	abort_planned(s);
	sim_disconnect(s);
	if (sim_survey(s, i))
		return -1;
	sim_death(s, i);
	s->out->refills++;
	if (sim_birth(s, i))
		return -1;
	sim_role(s, i, SRP_ROLE_ACTIVE, s->side[i].term, false);
	return 0;
}

/* Both active while they do not hear each other; then the older term steps down. */
static int both_active(struct sim *s)
{
	unsigned old = s->active;
	uint32_t n = sim_below(&s->rng, 20);

	if (!s->side[!old].complete || !s->side[old].complete || s->planned)
		return 0;
	sim_disconnect(s);
	s->active = !old;
	sim_role(s, s->active, SRP_ROLE_ACTIVE, new_term(s, s->active), true);
	for (uint32_t i = 0; i < n; i++)
		s->model->act(s->side[sim_below(&s->rng, 2)].model, &s->rng, s->now);
	if (sim_chance(&s->rng, 30)) {
		sim_connect(s); /* they hear each other before the election has spoken */
		if (sim_pump(s))
			return -1;
	}
	sim_role(s, old, SRP_ROLE_STANDBY, s->side[old].term, true);
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
	if (what < 44 && s->mirrored)
		return sim_store_lost(s);
	if (what < 60) {
		s->out->drops++;
		sim_disconnect(s);
	} else if (what < 75) {
		s->partition = !s->partition;
		s->out->partitions++;
	} else if (what < 95) {
		begin_planned(s);
	} else if (what < 105) {
		recovery_replica_audit(s->side[sim_below(&s->rng, 2)].r, s->now);
		s->out->audits++;
	} else if (what < 125 && s->mirrored) {
		return sim_recover(s);
	} else if (what < 220 && !s->side[0].up) {
		sim_connect(s);
	}
	return 0;
}

/* Now and then: it walks everything. */
static int lists(struct sim *s, const char *after)
{
	return s->out->steps % 16 == 0 && (sim_lists(s, 0, after) || sim_lists(s, 1, after)) ? -1
											      : 0;
}

static int step(struct sim *s)
{
	struct sim_side *a = &s->side[s->active];
	uint32_t n = sim_below(&s->rng, 6);

	/* Flushed and not yet answered, the real active is frozen: nothing happens on it. */
	for (uint32_t i = 0; i < n && a->complete && !s->planned; i++)
		s->model->act(a->model, &s->rng, s->now);
	if (sim_equations(s, "changes") || event(s) || sim_equations(s, "an event") ||
	    s->out->why[0])
		return -1;
	if (lists(s, "an event"))
		return -1;
	if (s->planned && !s->side[s->active].up)
		s->side[s->active].ev_failed = true;
	if (sim_pump(s) || planned(s))
		return -1;
	if (lists(s, "an exchange"))
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
	return sim_mirror_level(s, s->active) && a.link == RECOVERY_LINK_READY && b.link == RECOVERY_LINK_READY && a.source &&
	       !a.dirty && !a.inflight && !a.tombs && !a.unknown && !a.refused &&
	       a.digest == b.digest && a.verified.us + SRP_SEC(2) > s->now.us;
}

static int rest(struct sim *s)
{
	struct srp_time end;
	struct sim_side *a, *b;
	char why[256];

	s->partition = false;
	for (unsigned i = 0; i < 2; i++)
		recovery_replica_rate(s->side[i].r, 0, 0);
	recovery_replica_flush(s->side[s->active].r, true); /* what is not ready, too */
	if (s->mirrored)
		recovery_replica_flush(s->side[s->active].mirror->src, true);
	end = srp_time_add(s->now, SRP_SEC(60));
	while (!level(s)) {
		if (s->now.us > end.us) {
			struct recovery_status x, y;

			recovery_replica_status(s->side[0].r, &x);
			recovery_replica_status(s->side[1].r, &y);
			return sim_fail(s,
				    "never level: links %d %d dirty %" PRIu64 " %" PRIu64
				    " inflight %" PRIu64 " %" PRIu64 " unknown %" PRIu64
				    " tombs %" PRIu64 " refused %" PRIu64 " %" PRIu64
				    " digests %" PRIx64 " %" PRIx64,
				    x.link, y.link, x.dirty, y.dirty, x.inflight, y.inflight,
				    s->active ? y.unknown : x.unknown, x.tombs + y.tombs, x.refused,
				    y.refused, x.digest, y.digest);
		}
		if (!s->side[0].up || !s->side[1].up)
			sim_connect(s);
		if (sim_pump(s) || planned(s))
			return -1;
		advance(s, sim_next_due(s, 50000));
	}
	a = &s->side[s->active];
	b = &s->side[!s->active];
	if (recovery_replica_digest(a->r, true, s->now) !=
	    recovery_replica_digest(a->r, false, s->now))
		return sim_fail(s, "the active's digest is not that of its objects");
	if (recovery_replica_digest(b->r, true, s->now) !=
	    recovery_replica_digest(b->r, false, s->now))
		return sim_fail(s, "the standby's digest is not that of its objects");
	if (s->model->compare(a->model, b->model, why, sizeof(why)))
		return sim_fail(s, "at rest, and not the same: %s", why);
	return sim_mirror_rest(s, a->id);
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
	s->mirrored = sim_chance(&s->rng, 70);
	for (unsigned i = 0; i < 2; i++) {
		s->side[i].last = &s->side[i].first;
		s->side[i].in = malloc(2 * 65536);
		rc |= s->side[i].in && !sim_mirror_new(s, i) ? sim_birth(s, i) : -1;
	}
	if (!rc) {
		sim_role(s, 1, SRP_ROLE_STANDBY, 0, false);
		sim_role(s, 0, SRP_ROLE_ACTIVE, new_term(s, 0), true);
		model->start(s->side[0].model, &s->rng, s->now);
		sim_connect(s);
		for (uint32_t i = 0; i < steps && !rc; i++)
			rc = step(s);
		rc = rc ? rc : rest(s);
	}
	for (unsigned i = 0; i < 2; i++) {
		sim_clear(&s->side[i]);
		sim_death(s, i);
		sim_mirror_free(s, i);
		free(s->side[i].in);
	}
	free(s);
	return rc ? -1 : 0;
}

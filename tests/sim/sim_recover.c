/* Deaths under session recovery: of the active's process, with or without its store, at any time,
 * also of the successor while it is being built. What the mirror had acknowledged lives on, what it
 * had acknowledged as deleted does not come back; the same holds for the peer where it is asked. */
#include "config.h"
#include "tests/sim/sim_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "recovery/fill.h"
#include "recovery/store_impl.h"
#include "srp/err.h"

#define MERGE_MAX 3000 /* turns of 10 ms in which a successor must have asked its peer */

/* A process that is gone, kept aside to be compared with. */
struct ghost {
	void *model;
	struct recovery_sink *sink;
	struct recovery_replica *r, *src;
	bool mirror_sure, peer_sure; /* acknowledgements of either are those of who is there now */
	bool young;                  /* its store */
	bool complete;               /* else the peer may have what it never had */
};

static void ghost_take(struct sim *s, unsigned i, struct ghost *g)
{
	struct sim_side *e = &s->side[i], *peer = &s->side[!i];
	struct sim_mirror *m = e->mirror;

	*g = (struct ghost){.model = e->model, .sink = e->sink, .r = e->r, .src = m->src,
	                    .young = m->young, .complete = e->complete};
	g->mirror_sure = m->r && m->r->applied_stream == m->src->stream && m->src->synced &&
	                 !m->src->need_digest;
	g->peer_sure = peer->complete && peer->level && peer->r->applied_stream == e->r->stream &&
	               e->r->synced && !e->r->need_digest;
	e->model = NULL;
	e->sink = NULL;
	e->r = m->src = NULL;
}

static void ghost_free(struct sim *s, struct ghost *g)
{
	recovery_replica_free(g->r);
	recovery_replica_free(g->src);
	memset(g->sink->replica, 0, sizeof(g->sink->replica));
	s->model->destroy(g->model);
	free(g->sink);
}

/* --- what must hold --------------------------------------------------------------------------- */

struct check {
	struct sim *s;
	struct ghost *g;
	struct sim_side *heir;
	bool with_peer;         /* it has been asked */
	enum srp_replica_id by; /* whose acknowledgement counts */
};

static struct srp_ckpt_obj *twin(const struct sim *s, void *model, const struct srp_ckpt_obj *o,
                                 struct srp_ckpt_key *key)
{
	const struct srp_ckpt_ctx ctx = {.owner = model, .kind = o->kind};

	(void)s;
	*key = (struct srp_ckpt_key){{0}};
	o->kind->key(o, key);
	return o->kind->find(&ctx, key);
}

static int survives(struct srp_ckpt_obj *o, void *arg)
{
	struct check *c = arg;
	struct recovery_replica *r = c->by == SRP_REPLICA_SR ? c->g->src : c->g->r;
	const struct srp_ckpt_link *l = &o->link[c->by];
	const struct srp_ckpt_obj *x;
	struct srp_ckpt_key key;

	if (l->state != SRP_LINK_SETTLED || !recovery_known(recovery_kind_of(r, o), l))
		return 0;
	x = twin(c->s, c->heir->model, o, &key);
	if (x && (x->term > o->term || (x->term == o->term && x->version >= o->version)))
		return 0;
	return sim_fail(c->s,
	                "acknowledged by the %s, and lost: %s %" PRIu64 "/%" PRIu64
	                " term %u version %u (successor: %u/%u)",
	                c->by == SRP_REPLICA_SR ? "mirror" : "peer", o->kind->name, key.k[0],
	                key.k[1], o->term, o->version, x ? x->term : 0, x ? x->version : 0);
}

static bool buried(const struct recovery_replica *r, const struct srp_ckpt_obj *o)
{
	struct srp_ckpt_key key = {{0}};

	o->kind->key(o, &key);
	for (uint32_t i = 0; i < r->tomb_cap; i++)
		for (const struct recovery_tomb *t = r->tomb[i]; t; t = t->next)
			if (r->kind[t->kind].k == o->kind && !memcmp(&t->key, &key, sizeof(key)))
				return true;
	return o->kind->parent && o->kind->parent(o) && buried(r, o->kind->parent(o));
}

/* What only the successor has was deleted, and the mirror had not heard of it. What the peer gives
 * back may be of a former life of its parent, too, of which the peer has not heard the end: calls
 * do not live twice, those of the toy do. */
static int comes_back(struct srp_ckpt_obj *o, void *arg)
{
	struct check *c = arg;
	struct srp_ckpt_key key;

	if (twin(c->s, c->g->model, o, &key) || buried(c->g->src, o) ||
	    (c->with_peer && o->kind->parent && buried(c->g->r, o->kind->parent(o))))
		return 0;
	return sim_fail(c->s, "deleted at the mirror, and back: %s %" PRIu64 "/%" PRIu64,
	                o->kind->name, key.k[0], key.k[1]);
}

static int check(struct sim *s, unsigned i, struct ghost *g, bool with_peer)
{
	struct check c = {s, g, &s->side[i], with_peer, SRP_REPLICA_SR};
	/* deletions are not in a store that is younger than they are; a peer that was not level may
	 * have what the one that died never heard of */
	bool back = g->mirror_sure &&
	            (!with_peer || (g->peer_sure && !g->young));

	for (size_t k = 0; k < s->model->nkinds; k++) {
		const struct srp_ckpt_kind *kind = s->model->kinds[k];
		const struct srp_ckpt_ctx dead = {.owner = g->model, .kind = kind};
		const struct srp_ckpt_ctx heir = {.owner = c.heir->model, .kind = kind};

		c.by = SRP_REPLICA_SR;
		if (g->mirror_sure) {
			kind->walk(&dead, survives, &c);
			if (back)
				kind->walk(&heir, comes_back, &c);
		}
		c.by = SRP_REPLICA_GR;
		if (with_peer && g->peer_sure)
			kind->walk(&dead, survives, &c);
	}
	return s->out->why[0] ? -1 : 0;
}

/* --- the successor ---------------------------------------------------------------------------- */

/* Packets come in for sessions that are not there yet, or are nowhere. */
static void packets(struct sim *s, struct recovery_fill *f)
{
	for (uint32_t n = sim_below(&s->rng, 4); n; n--) {
		(void)recovery_fill_key(f, sim_below(&s->rng, 40), s->now);
		(void)recovery_fill_name(f, sim_rand(&s->rng), s->now);
	}
}

/* @return 1: done, 0: broken off, -1: failed */
static int fill(struct sim *s, unsigned i, const struct recovery_view *v, bool may_die)
{
	struct sim_side *e = &s->side[i];
	const struct recovery_fill_config conf = {
		.view = v, .kinds = s->model->kinds, .nkinds = s->model->nkinds,
		.ckpt_owner = e->model, .sink = e->sink};
	struct recovery_fill *f = recovery_fill_new(&conf);
	struct recovery_fill_stats st;
	uint32_t left = may_die && sim_chance(&s->rng, 25) ? sim_below(&s->rng, 20) : UINT32_MAX;
	bool more = true;

	if (!f)
		return sim_fail(s, "no fill");
	for (; more && left; left--) {
		packets(s, f);
		more = recovery_fill_step(f, s->now, 1 + sim_below(&s->rng, 20));
		s->now.us += sim_below(&s->rng, 2000);
	}
	recovery_fill_stats(f, &st);
	recovery_fill_free(f);
	if (more) {
		s->out->fills_broken_off++;
		return 0;
	}
	if (st.broken || st.fetched != st.records || st.sessions_built + st.sessions_lost !=
	                                                     st.sessions_total)
		return sim_fail(s, "filled %" PRIu64 " of %" PRIu64 ", %" PRIu64 " broken",
		                st.fetched, st.records, st.broken);
	if (st.refused && recovery_view_state(v) == RECOVERY_VIEW_WHOLE)
		return sim_fail(s, "filled from a whole mirror, %" PRIu64 " refused: %s",
		                st.refused, srp_strerror(st.why));
	s->out->refused += st.refused;
	s->out->rebuilt += st.sessions_built;
	s->out->buried += st.buried;
	return 1;
}

/* Another process takes the place of the one that died, until one is built whole. */
static int successor(struct sim *s, unsigned i, uint32_t term, const struct recovery_view *v)
{
	int rc = 0;

	for (unsigned try = 0; rc == 0; try++) {
		if (try)
			sim_death(s, i);
		s->recovering = true;
		s->hkey = recovery_view_hkey(v);
		if (sim_birth(s, i))
			return -1;
		sim_role(s, i, SRP_ROLE_ACTIVE, term, false);
		rc = fill(s, i, v, try < 2);
	}
	s->recovering = false;
	s->hkey = 0;
	return rc > 0 && sim_equations(s, "a fill") == 0 && !sim_lists(s, i, "a fill") ? 0 : -1;
}

static uint64_t received(const struct sim *s, const struct sim_mirror *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < 2 * s->model->nkinds; i++)
		n += m->rows[i].received;
	return n;
}

/* The mirror goes on with what it has: nothing but digests travel, and they are equal. */
static int rejoin(struct sim *s, unsigned i, bool alive, bool all)
{
	struct sim_mirror *m = s->side[i].mirror;
	uint64_t n = received(s, m), unequal = m->totals.digests_unequal;
	bool moved = true;

	if (sim_mirror_connect(s, i, alive))
		return -1;
	if (!alive || !all)
		return 0;
	for (int turn = 0; turn < 4; turn++, s->now.us += 20000)
		for (moved = true; moved;) {
			moved = false;
			if (sim_mirror_pump(s, i, &moved))
				return -1;
		}
	if (recovery_replica_link(m->src) != RECOVERY_LINK_READY || received(s, m) != n ||
	    m->totals.digests_unequal != unequal)
		return sim_fail(s, "filled from its mirror, and not level with it");
	return 0;
}

/* Asks the peer for what is newer there. */
static int merge(struct sim *s, unsigned i)
{
	s->partition = false;
	sim_connect(s);
	for (int turn = 0; !s->side[i].complete; turn++, s->now.us += 10000) {
		if (turn == MERGE_MAX)
			return sim_fail(s, "a successor never heard all of its peer");
		if (sim_pump(s))
			return -1;
	}
	s->out->merges++;
	return 0;
}

static int recovered(struct sim *s, unsigned i, struct ghost *g, bool alive, bool whole,
                     bool refused)
{
	struct sim_side *e = &s->side[i];
	bool peer = s->side[!i].complete;

	if (check(s, i, g, false) || rejoin(s, i, alive, whole && !refused))
		return -1;
	s->out->recoveries++;
	s->out->recovered_whole += whole;
	if (!peer || (whole && sim_chance(&s->rng, 25) && g->complete)) {
		sim_role(s, i, SRP_ROLE_ACTIVE, e->term, true); /* nobody is heard */
		return 0;
	}
	if (whole && sim_chance(&s->rng, 25))
		return 0; /* it is asked when it is heard */
	return merge(s, i) || check(s, i, g, true) ? -1 : 0;
}

/* Nothing can be read: the process begins empty, and is refilled by the peer. */
static int begin_empty(struct sim *s, unsigned i)
{
	s->out->stores_unreadable++;
	if (sim_birth(s, i))
		return -1;
	sim_role(s, i, SRP_ROLE_ACTIVE, s->side[i].term, false);
	return 0;
}

int sim_recover(struct sim *s)
{
	unsigned i = s->active;
	struct sim_side *e = &s->side[i];
	struct sim_mirror *m = e->mirror;
	bool peer = s->side[!i].complete, alive = !sim_chance(&s->rng, 30) || !peer, whole, refused;
	uint32_t term;
	struct recovery_view *v;
	struct ghost g;
	int rc;

	/* in the middle of what goes over both connections */
	for (uint32_t n = sim_below(&s->rng, 30); n && e->complete && !s->planned; n--)
		s->model->act(e->model, &s->rng, s->now);
	s->fuse = 1 + sim_below(&s->rng, 4);
	rc = sim_pump(s);
	s->fuse = 0;
	if (rc)
		return rc;
	if (!m->up ||
	    (!peer && (recovery_replica_link(m->src) != RECOVERY_LINK_READY || s->planned)))
		return 0; /* a second failure: everything would be gone */
	if (s->planned) {
		s->planned = false;
		s->out->switches_failed++;
		if (s->side[!i].role == SRP_ROLE_PENDING_ACTIVE)
			sim_role(s, !i, SRP_ROLE_STANDBY, s->side[!i].term, s->side[!i].complete);
	}
	if (alive && sim_mirror_drain(s, i))
		return -1;
	term = e->term;
	refused = s->out->refused != 0;
	sim_disconnect(s);
	sim_mirror_disconnect(s, i);
	ghost_take(s, i, &g);
	if (!alive && peer && sim_chance(&s->rng, 20))
		recovery_store_enter(m->store); /* died in the middle of a change */
	if (!alive)
		sim_mirror_store_death(s, i);
	v = recovery_view_open(m->mem, SIM_REGION, s->model->kinds, s->model->nkinds, NULL);
	whole = recovery_view_state(v) == RECOVERY_VIEW_WHOLE;
	if (!v)
		rc = peer ? begin_empty(s, i) : sim_fail(s, "a level mirror cannot be read");
	else
		rc = successor(s, i, term, v);
	recovery_view_free(v);
	refused = !refused && s->out->refused;
	if (!rc && v)
		rc = recovered(s, i, &g, alive, whole, refused);
	ghost_free(s, &g);
	return rc;
}

int sim_store_lost(struct sim *s)
{
	unsigned i = s->active;

	if (!s->side[i].mirror->up)
		return 0;
	s->out->stores_lost++;
	sim_mirror_store_death(s, i);
	return sim_mirror_connect(s, i, false);
}

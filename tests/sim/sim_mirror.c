/* The mirror of a side: its SR replica, the store's process, and the bytes between them. They are
 * on one machine: nothing is delayed, but what was written may not have been read when one dies. */
#include "config.h"
#include "tests/sim/sim_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recovery/store.h"
#include "srp/err.h"

#define TX_CAP 16384u

/* --- life ------------------------------------------------------------------------------------- */

int sim_mirror_new(struct sim *s, unsigned i)
{
	struct sim_mirror *m;

	if (!s->mirrored)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return sim_fail(s, "no memory");
	s->side[i].mirror = m;
	m->mem = aligned_alloc(4096, SIM_REGION);
	m->q[0] = malloc(SIM_QUEUE);
	m->q[1] = malloc(SIM_QUEUE);
	if (!m->mem || !m->q[0] || !m->q[1])
		return sim_fail(s, "no memory");
	memset(m->mem, 0, 4096);
	return 0;
}

void sim_mirror_free(struct sim *s, unsigned i)
{
	struct sim_mirror *m = s->side[i].mirror;

	if (!m)
		return;
	sim_mirror_store_death(s, i);
	free(m->mem);
	free(m->q[0]);
	free(m->q[1]);
	free(m);
	s->side[i].mirror = NULL;
}

static void on_event(void *owner, enum recovery_event ev, const char *why)
{
	struct sim_mirror *m = owner;

	if (ev == RECOVERY_EV_SYNC)
		recovery_store_hkey(m->store, recovery_replica_hkey(m->r));
	if (ev == RECOVERY_EV_SYNC || ev == RECOVERY_EV_FILLED)
		recovery_store_level(m->store, ev == RECOVERY_EV_FILLED);
	if (ev == RECOVERY_EV_PROTOCOL)
		(void)snprintf(m->protocol, sizeof(m->protocol), "%s", why);
}

static int format(struct sim *s, struct sim_mirror *m)
{
	static const struct recovery_ops ops = {.event = on_event};
	struct recovery_config conf = {
		.id = SRP_REPLICA_SR, .nkinds = s->model->nkinds, .ops = &ops, .ops_owner = m,
		.counters = m->rows, .totals = &m->totals, .random = sim_rand(&s->rng),
		.lz4 = s->lz4, .sink = &m->sink, .sole_link = true};

	m->store = recovery_store_new(m->mem, SIM_REGION, s->model->kinds, s->model->nkinds,
	                              sim_rand(&s->rng));
	if (!m->store)
		return sim_fail(s, "no store");
	recovery_sink_init(&m->sink);
	recovery_store_sink(m->store, &m->sink.sink);
	conf.kinds = recovery_store_kinds(m->store);
	conf.ckpt_owner = m->store;
	m->r = recovery_replica_new(&conf);
	if (!m->r)
		return sim_fail(s, "no replica of the store");
	m->sink.replica[SRP_REPLICA_SR] = m->r;
	recovery_replica_role(m->r, SRP_ROLE_STANDBY, 0, false, s->now);
	return 0;
}

void sim_mirror_store_death(struct sim *s, unsigned i)
{
	struct sim_mirror *m = s->side[i].mirror;

	sim_mirror_disconnect(s, i);
	recovery_replica_free(m->r);
	recovery_store_free(m->store);
	m->r = NULL;
	m->store = NULL;
}

int sim_mirror_birth(struct sim *s, unsigned i)
{
	struct sim_side *e = &s->side[i];
	struct sim_mirror *m = e->mirror;
	struct recovery_config conf = {
		.id = SRP_REPLICA_SR, .kinds = s->model->kinds, .nkinds = s->model->nkinds,
		.ckpt_owner = e->model, .random = sim_rand(&s->rng),
		.inflight_max = s->inflight_max, .lz4 = s->lz4, .sink = e->sink, .hkey = s->hkey};

	if (!m)
		return 0;
	conf.counters = m->src_rows;
	conf.totals = &m->src_totals;
	m->src = recovery_replica_new(&conf);
	if (!m->src)
		return sim_fail(s, "no replica to be mirrored");
	e->sink->replica[SRP_REPLICA_SR] = m->src;
	return 0;
}

void sim_mirror_death(struct sim *s, unsigned i)
{
	struct sim_side *e = &s->side[i];
	struct sim_mirror *m = e->mirror;

	if (!m || !m->src)
		return;
	sim_mirror_disconnect(s, i);
	e->sink->replica[SRP_REPLICA_SR] = NULL;
	recovery_replica_free(m->src);
	m->src = NULL;
}

int sim_mirror_role(struct sim *s, unsigned i)
{
	struct sim_side *e = &s->side[i];
	struct sim_mirror *m = e->mirror;
	bool permitted = srp_role_permit[e->role].sr_replica;

	if (!m || !m->src)
		return 0;
	if (permitted && !m->up)
		recovery_replica_rekey(m->src, recovery_replica_hkey(e->r));
	recovery_replica_role(m->src, permitted ? SRP_ROLE_ACTIVE : SRP_ROLE_STANDBY, e->term, true,
	                      s->now);
	if (permitted)
		return m->up || s->recovering ? 0 : sim_mirror_connect(s, i, false);
	if (m->store) {
		sim_mirror_store_death(s, i);
		memset(m->mem, 0, 4096); /* it grows old: nobody may be built from it */
	}
	return 0;
}

/* --- the connection --------------------------------------------------------------------------- */

int sim_mirror_connect(struct sim *s, unsigned i, bool go_on)
{
	struct sim_mirror *m = s->side[i].mirror;

	if (!go_on || !m->store) {
		sim_mirror_store_death(s, i);
		if (format(s, m))
			return -1;
		m->young = true;
	}
	m->n[0] = m->n[1] = 0;
	recovery_replica_up(m->src, s->now);
	recovery_replica_up(m->r, s->now);
	m->up = true;
	return 0;
}

void sim_mirror_disconnect(struct sim *s, unsigned i)
{
	struct sim_mirror *m = s->side[i].mirror;

	if (!m->up)
		return;
	m->up = false;
	m->n[0] = m->n[1] = 0;
	if (m->src)
		recovery_replica_down(m->src, s->now);
	if (m->r)
		recovery_replica_down(m->r, s->now);
}

/* Whole frames among the first @p n bytes. */
static int frames(struct sim *s, struct sim_mirror *m, int q, struct recovery_replica *to, size_t n)
{
	uint8_t *b = m->q[q];
	size_t at = 0;

	for (;;) {
		struct srp_frame_hdr h;
		int rc = srp_frame_peek(&recovery_frames, b + at, n - at, recovery_replica_link(to),
		                        &h);

		if (rc == SRP_EAGAIN || (!rc && n - at < SRP_FRAME_HDR_LEN + h.len))
			break;
		rc = rc ? rc : recovery_replica_rx(to, &h, b + at + SRP_FRAME_HDR_LEN, s->now);
		if (rc)
			return sim_fail(s, "mirror: protocol error in %s: %s", m->protocol,
			                srp_strerror(rc));
		at += SRP_FRAME_HDR_LEN + h.len;
	}
	memmove(b, b + at, m->n[q] - at);
	m->n[q] -= at;
	return 0;
}

static int one_way(struct sim *s, struct sim_mirror *m, int q, bool *moved)
{
	struct recovery_replica *from = q ? m->r : m->src, *to = q ? m->src : m->r;
	bool more = true;
	size_t n;

	while (more && SIM_QUEUE - m->n[q] >= TX_CAP) {
		n = recovery_replica_tx(from, m->q[q] + m->n[q], TX_CAP, s->now, &more);
		m->n[q] += n;
		*moved |= n != 0;
	}
	if (!m->n[q])
		return 0;
	n = m->n[q];
	if (sim_chance(&s->rng, 20)) {
		n = sim_below(&s->rng, (uint32_t)n);
		*moved = true; /* the rest comes next time */
	}
	return frames(s, m, q, to, n);
}

int sim_mirror_pump(struct sim *s, unsigned i, bool *moved)
{
	struct sim_mirror *m = s->side[i].mirror;

	const struct sim_side *e = &s->side[i];

	if (!m || !m->up)
		return 0;
	m->young = m->young && (!e->level || e->r->ntombs || e->r->need_digest);
	return one_way(s, m, 0, moved) || one_way(s, m, 1, moved) ? -1 : 0;
}

int sim_mirror_drain(struct sim *s, unsigned i)
{
	struct sim_mirror *m = s->side[i].mirror;

	return m->up ? frames(s, m, 0, m->r, m->n[0]) : 0;
}

/* --- at rest ---------------------------------------------------------------------------------- */

bool sim_mirror_level(const struct sim *s, unsigned i)
{
	const struct sim_mirror *m = s->side[i].mirror;
	struct recovery_status st;

	if (!m)
		return true;
	if (!m->up)
		return false;
	recovery_replica_status(m->src, &st);
	return st.link == RECOVERY_LINK_READY && st.source && !st.dirty && !st.inflight &&
	       !st.tombs && !st.unknown && !st.refused && st.verified.us + SRP_SEC(2) > s->now.us;
}

static int count(struct srp_ckpt_obj *o, void *arg)
{
	*(uint64_t *)arg += o->link[SRP_REPLICA_SR].state != SRP_LINK_NONE;
	return 0;
}

int sim_mirror_rest(struct sim *s, unsigned i)
{
	const struct sim_mirror *m = s->side[i].mirror;
	struct recovery_store_stats st;
	uint64_t n = 0, digest;

	if (!m)
		return 0;
	digest = recovery_replica_digest(m->src, false, s->now);
	if (digest != recovery_replica_digest(m->r, false, s->now) ||
	    digest != recovery_replica_digest(m->r, true, s->now) ||
	    digest != recovery_replica_digest(m->src, true, s->now))
		return sim_fail(s, "at rest, and the digests of the mirror are not one");
	for (size_t k = 0; k < s->model->nkinds; k++) {
		const struct srp_ckpt_ctx ctx = {.owner = s->side[i].model,
		                                 .kind = s->model->kinds[k]};

		s->model->kinds[k]->walk(&ctx, count, &n);
	}
	recovery_store_stats(m->store, &st);
	if (st.entries != n)
		return sim_fail(s, "at rest: %" PRIu64 " entries of %" PRIu64 " objects",
		                st.entries, n);
	return 0;
}

#include "config.h"
#include "tests/sim/sim_impl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

#define PUMPS_MAX 20000u /* calls of tx in one step: more is a loop */

uint64_t sim_rand(struct sim_rng *g)
{
	uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

int sim_fail(struct sim *s, const char *fmt, ...)
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
	struct sim_side *e = owner;

	if (ev == RECOVERY_EV_SYNC || ev == RECOVERY_EV_READY)
		e->level = ev == RECOVERY_EV_READY;
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

void sim_role(struct sim *s, unsigned i, enum srp_role role, uint32_t term, bool complete)
{
	struct sim_side *e = &s->side[i];

	e->role = role;
	e->term = term;
	e->complete = complete;
	e->sink->term = term;
	/* a model that stops says its last before its replica loses the right to send */
	if (s->model->role && !srp_role_permit[role].forwards)
		s->model->role(e->model, role, s->now);
	recovery_replica_role(e->r, role, term, complete, s->now);
	if (s->model->role && srp_role_permit[role].forwards)
		s->model->role(e->model, role, s->now);
	(void)sim_mirror_role(s, i);
}

int sim_birth(struct sim *s, unsigned i)
{
	struct sim_side *e = &s->side[i];
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
				       .hkey = s->hkey};

	e->sink = malloc(sizeof(*e->sink));
	if (!e->sink)
		return sim_fail(s, "no memory");
	recovery_sink_init(e->sink);
	conf.sink = e->sink;
	e->id = i;
	e->model = s->model->create(&e->sink->sink, i);
	if (!e->model)
		return sim_fail(s, "no model");
	conf.ckpt_owner = e->model;
	e->r = recovery_replica_new(&conf);
	if (!e->r)
		return sim_fail(s, "no replica");
	e->sink->replica[SRP_REPLICA_GR] = e->r;
	e->ev_filled = e->ev_flushed = e->ev_failed = e->level = false;
	e->role = SRP_ROLE_INIT;
	e->complete = false;
	e->up = false;
	return sim_mirror_birth(s, i);
}

void sim_death(struct sim *s, unsigned i)
{
	struct sim_side *e = &s->side[i];

	sim_mirror_death(s, i);
	if (e->sink)
		e->sink->replica[SRP_REPLICA_GR] = NULL;
	if (e->r)
		recovery_replica_free(e->r);
	if (e->model)
		s->model->destroy(e->model);
	free(e->sink);
	e->sink = NULL;
	e->r = NULL;
	e->model = NULL;
}

/* --- connection ------------------------------------------------------------------------------- */

void sim_clear(struct sim_side *e)
{
	while (e->first) {
		struct sim_segment *g = e->first;

		e->first = g->next;
		free(g);
	}
	e->last = &e->first;
	e->in_len = 0;
}

void sim_connect(struct sim *s)
{
	for (unsigned i = 0; i < 2; i++) {
		sim_clear(&s->side[i]);
		if (!s->side[i].up)
			recovery_replica_up(s->side[i].r, s->now);
		s->side[i].up = true;
	}
}

void sim_disconnect(struct sim *s)
{
	for (unsigned i = 0; i < 2; i++) {
		sim_clear(&s->side[i]);
		if (s->side[i].up && s->side[i].r)
			recovery_replica_down(s->side[i].r, s->now);
		s->side[i].up = false;
	}
}

static int push(struct sim *s, struct sim_side *to, const uint8_t *p, size_t n)
{
	struct sim_segment *g = malloc(sizeof(*g) + n);

	if (!g)
		return sim_fail(s, "no memory");
	*g = (struct sim_segment){.due = srp_time_add(s->now, s->delay_us), .len = n};
	memcpy(g->data, p, n);
	*to->last = g;
	to->last = &g->next;
	for (size_t i = 0; i < n; i++)
		s->out->trace = (s->out->trace ^ p[i]) * UINT64_C(1099511628211);
	s->out->bytes += n;
	return 0;
}

/* Whole frames of what has arrived go to the replica. */
static int frames(struct sim *s, struct sim_side *e)
{
	size_t pos = 0;

	while (e->up) {
		struct srp_frame_hdr h;
		int rc = srp_frame_peek(&recovery_frames, e->in + pos, e->in_len - pos,
		                        recovery_replica_link(e->r), &h);

		if (rc == SRP_EAGAIN || (!rc && e->in_len - pos < SRP_FRAME_HDR_LEN + h.len))
			break;
		if (rc)
			return sim_fail(s, "side %u: frame type %u refused: %s", e->id,
					e->in[pos + 3], srp_strerror(rc));
		rc = recovery_replica_rx(e->r, &h, e->in + pos + SRP_FRAME_HDR_LEN, s->now);
		if (rc)
			return sim_fail(s, "side %u: protocol error in %s: %s", e->id, e->protocol,
			            srp_strerror(rc));
		pos += SRP_FRAME_HDR_LEN + h.len;
	}
	memmove(e->in, e->in + pos, e->in_len - pos);
	e->in_len -= pos;
	return 0;
}

static int deliver(struct sim *s, struct sim_side *e, bool *moved)
{
	while (!s->partition && e->first && e->first->due.us <= s->now.us) {
		struct sim_segment *g = e->first;
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

int sim_equations(struct sim *s, const char *after)
{
	char why[256];

	for (unsigned i = 0; i < 2; i++) {
		const struct sim_mirror *m = s->side[i].mirror;

		if (s->side[i].r && recovery_replica_check(s->side[i].r, why, sizeof(why)))
			return sim_fail(s, "side %u after %s: %s", i, after, why);
		if (m && m->src && recovery_replica_check(m->src, why, sizeof(why)))
			return sim_fail(s, "mirrored side %u after %s: %s", i, after, why);
		if (m && m->r && recovery_replica_check(m->r, why, sizeof(why)))
			return sim_fail(s, "mirror of side %u after %s: %s", i, after, why);
	}
	return 0;
}

/* What the owner of a replica does when it is told that it was filled. */
static void owner(struct sim *s, struct sim_side *e)
{
	if (!e->ev_filled)
		return;
	e->ev_filled = false;
	if (!e->complete)
		sim_role(s, e->id, e->role, e->term, true);
}

static int transmit(struct sim *s, struct sim_side *e, bool *moved)
{
	static uint8_t buf[65536];
	struct sim_side *to = &s->side[!e->id];
	bool more = true;

	for (unsigned n = 0; more; n++) {
		size_t cap = sim_chance(&s->rng, 50) ? sizeof(buf) : 16384;
		size_t len = recovery_replica_tx(e->r, buf, cap, s->now, &more);

		if (n > PUMPS_MAX)
			return sim_fail(s, "side %u: tx never ends", e->id);
		if (len)
			*moved = true;
		if (len && push(s, to, buf, len))
			return -1;
	}
	return 0;
}

int sim_pump(struct sim *s)
{
	bool moved = true;

	for (unsigned n = 0; moved; n++) {
		moved = false;
		if (n > PUMPS_MAX)
			return sim_fail(s, "the sides never come to rest");
		for (unsigned i = 0; i < 2; i++) {
			struct sim_side *e = &s->side[i];

			/* the mirror is nearer: it hears first */
			if (sim_mirror_pump(s, i, &moved))
				return -1;
			if (!e->up)
				continue;
			if (transmit(s, e, &moved) || deliver(s, e, &moved))
				return -1;
			owner(s, e);
		}
		if (sim_equations(s, "exchange"))
			return -1;
		if (s->fuse && !--s->fuse)
			return 0;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct srp_time due = s->side[i].up ? recovery_replica_due(s->side[i].r)
		                                    : (struct srp_time){0};

		if (srp_time_due(due, s->now) && !s->side[i].first)
			return sim_fail(s,
				    "side %u: wants to be called, and has nothing to send: sync %d"
				    " round %d pass %d %d",
				    i, s->side[i].r->sync, s->side[i].r->round,
				    s->side[i].r->pass_on, s->side[i].r->pass_wanted);
	}
	return 0;
}

uint64_t sim_next_due(struct sim *s, uint64_t us)
{
	uint64_t at = s->now.us + us;

	for (unsigned i = 0; i < 2; i++) {
		struct sim_side *e = &s->side[i];
		struct srp_time due = e->up ? recovery_replica_due(e->r) : (struct srp_time){0};

		if (due.us > s->now.us && due.us < at)
			at = due.us;
		if (e->first && !s->partition && e->first->due.us > s->now.us &&
		    e->first->due.us < at)
			at = e->first->due.us;
	}
	return at > s->now.us ? at - s->now.us : 1;
}

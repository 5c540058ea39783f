#include "config.h"
#include "ecs/unsent.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/kind.h"
#include "srp/err.h"
#include "srp/hash.h"

#define EVERY_S 1u

struct ecs_unsent {
	struct ecs_unsent_image told; /* by this chassis, or to it */
	struct ecs_unsent_image then; /* when it took over, without those that were answered for */
	uint16_t gen;                 /* of the engine, that @ref then is of */
};

static uint32_t name_of(const struct ecs_session *s, const struct ecs_flow_key *k)
{
	uint8_t b[ECS_KIND_KEY_MAX];

	return (uint32_t)srp_hash64(s->spec.callid, b, ecs_kind_key_bytes(k, b)) << 1;
}

/* What was told last is what was so when the generation began; from here on it is this chassis that tells. */
static void keep_then(struct ecs_engine *e, struct ecs_session *s)
{
	struct ecs_unsent *u = s->unsent;

	if (u->gen == e->gen)
		return;
	u->gen = e->gen;
	u->then = u->told;
	ecs_unsent_touch(e, s);
}

static struct ecs_unsent *make(const struct ecs_engine *e, struct ecs_session *s)
{
	if (!s->unsent) {
		s->unsent = calloc(1, sizeof(*s->unsent));
		if (s->unsent)
			s->unsent->gen = e->gen;
	}
	return s->unsent;
}

void ecs_unsent_free(struct ecs_session *s)
{
	ecs_list_del(&s->in_unsent);
	free(s->unsent);
	s->unsent = NULL;
}

/* --- telling ---------------------------------------------------------------------------------- */

void ecs_unsent_touch(struct ecs_engine *e, struct ecs_session *s)
{
	if (e->active && !ecs_list_on(&s->in_unsent))
		ecs_list_add_tail(&e->unsent, &s->in_unsent);
}

static void name(struct ecs_unsent_image *m, const struct ecs_flow *f, unsigned late)
{
	if (m->n == ECS_UNSENT_NAMED)
		m->beyond[late]++;
	else
		m->flow[m->n++] = name_of(f->session, &f->key) | late;
}

static void look(struct ecs_session *s, struct ecs_unsent_image *m)
{
	struct srp_list *l;

	for (l = s->waiting.next; l != &s->waiting; l = l->next)
		name(m, ECS_CONTAINER(l, struct ecs_flow, waiting), 0);
	for (l = s->ndelays ? s->flows.next : &s->flows; l != &s->flows; l = l->next) {
		const struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		if (f->delay && !(f->flags & ECS_FLOW_F_WAITING))
			name(m, f, 1);
	}
}

static void tell(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct ecs_unsent_image m = {.n = 0};
	struct ecs_unsent *u;

	look(s, &m);
	if (!s->unsent && m.n == 0)
		return;
	u = make(e, s);
	if (!u)
		return;
	keep_then(e, s);
	if (memcmp(&u->told, &m, sizeof(m)) == 0)
		return;
	u->told = m;
	e->conf.counters->unsent_told++;
	ecs_tell_changed(e, &s->call, now);
}

bool ecs_unsent_turn(struct ecs_engine *e, bool all, struct srp_time now, size_t budget)
{
	if (!all && !e->unsent_turning && srp_time_since(e->unsent_at, now) < SRP_SEC(EVERY_S))
		return false;
	if (!all && !e->unsent_turning)
		e->unsent_at = now;
	for (; budget > 0 && !ecs_list_empty(&e->unsent); budget--) {
		struct ecs_session *s = ECS_CONTAINER(e->unsent.next, struct ecs_session, in_unsent);

		ecs_list_del(&s->in_unsent);
		tell(e, s, now);
	}
	e->unsent_turning = !ecs_list_empty(&e->unsent);
	return e->unsent_turning;
}

/* --- asking ----------------------------------------------------------------------------------- */

enum ecs_unsent_why ecs_unsent_why(struct ecs_engine *e, struct ecs_session *s,
                                   const struct ecs_flow_key *k, bool unnamed)
{
	struct ecs_unsent *u = s->unsent;
	struct ecs_unsent_image *m;
	uint32_t as;

	if (!u)
		return ECS_UNSENT_NOT;
	keep_then(e, s);
	m = &u->then;
	as = m->n ? name_of(s, k) : 0;
	for (uint32_t i = 0; i < m->n; i++) {
		enum ecs_unsent_why why = m->flow[i] & 1 ? ECS_UNSENT_LATE : ECS_UNSENT_LIMIT;

		if ((m->flow[i] & ~1u) != as)
			continue;
		m->flow[i] = m->flow[--m->n];
		return why;
	}
	for (unsigned late = 0; unnamed && late < 2; late++) {
		if (!m->beyond[late])
			continue;
		m->beyond[late]--;
		return late ? ECS_UNSENT_LATE : ECS_UNSENT_LIMIT;
	}
	return ECS_UNSENT_NOT;
}

/* --- the checkpoint --------------------------------------------------------------------------- */

void ecs_unsent_write(const struct ecs_session *s, struct srp_mp_w *w)
{
	static const struct ecs_unsent_image none;
	const struct ecs_unsent_image *m = s->unsent ? &s->unsent->told : &none;

	srp_mp_w_array(w, 2 + m->n);
	srp_mp_w_uint(w, m->beyond[0]);
	srp_mp_w_uint(w, m->beyond[1]);
	for (uint32_t i = 0; i < m->n; i++)
		srp_mp_w_uint(w, m->flow[i]);
}

void ecs_unsent_read(struct srp_mp_r *r, struct ecs_unsent_image *m)
{
	uint32_t n = srp_mp_array(r, 2 + ECS_UNSENT_NAMED);

	*m = (struct ecs_unsent_image){.n = 0};
	if (!r->err && n < 2)
		srp_mp_fail(r, SRP_EINVAL);
	m->beyond[0] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	m->beyond[1] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	while (!r->err && m->n + 2 < n)
		m->flow[m->n++] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
}

int ecs_unsent_apply(struct ecs_engine *e, struct ecs_session *s, const struct ecs_unsent_image *m)
{
	struct ecs_unsent *u = s->unsent;

	if (!u && !(m->n | m->beyond[0] | m->beyond[1]))
		return 0;
	u = make(e, s);
	if (!u)
		return SRP_ENOMEM;
	u->told = *m;
	if (e->active) { /* it is being filled */
		u->then = *m;
		u->gen = e->gen;
	}
	return 0;
}

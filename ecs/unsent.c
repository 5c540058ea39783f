#include "config.h"
#include "ecs/unsent.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/kind.h"
#include "srp/err.h"
#include "srp/hash.h"

#define PROTO_TCP 6u

#define EVERY_MS     1000u
#define SOON_MS      100u
#define SILENT_S     10u   /* such a flow gives its place to a new one */
#define LOOKED_AT    4u    /* places that are tried for it */
#define COUNTED      1024u /* of flows beyond the limit, and not more */
#define NAME_BITS    22u
#define FLOWS_A_STEP 8u    /* so many are looked at for one of a budget */

/* What is told, in just the memory that it takes. */
struct names {
	uint32_t beyond[2], n;
	uint32_t name[];
};

struct ecs_unsent {
	struct names *told;    /* by this chassis, or to it; NULL: nothing */
	struct names *then;    /* when it took over, without those that were answered for */
	struct srp_list flows; /* ecs_flow.unsent: looked at; the longest there first */
	uint16_t nflows;
	uint16_t gen;          /* of the engine, that @ref then is of */
	struct srp_time at;    /* told last */
};

/* --- names ------------------------------------------------------------------------------------ */

static uint32_t name_of(const struct ecs_session *s, const struct ecs_flow_key *k)
{
	uint8_t b[ECS_KIND_KEY_MAX];
	uint64_t h = srp_hash64(s->spec.callid, b, ecs_kind_key_bytes(k, b));

	return ((uint32_t)h & ((1u << NAME_BITS) - 1)) << 2;
}

static size_t names_len(uint32_t n)
{
	return sizeof(struct names) + n * sizeof(uint32_t);
}

static bool is_none(const struct ecs_unsent_image *m)
{
	return !(m->n | m->beyond[0] | m->beyond[1]);
}

static bool is_same(const struct names *a, const struct ecs_unsent_image *m)
{
	return a ? a->n == m->n && memcmp(a, m, names_len(m->n)) == 0 : is_none(m);
}

/* NULL: without memory. */
static struct names *names_copy(const void *of, uint32_t n)
{
	struct names *a = malloc(names_len(n));

	_Static_assert(offsetof(struct names, name) == offsetof(struct ecs_unsent_image, name),
	               "an image begins like the names of a call");
	if (a)
		memcpy(a, of, names_len(n));
	return a;
}

static struct ecs_unsent *make(const struct ecs_engine *e, struct ecs_session *s)
{
	struct ecs_unsent *u = s->unsent;

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	ecs_list_init(&u->flows);
	u->gen = e->gen;
	s->unsent = u;
	return u;
}

static void touch(struct ecs_engine *e, struct ecs_session *s, bool soon)
{
	if (!e->active)
		return;
	if (soon)
		ecs_list_del(&s->in_unsent);
	if (!ecs_list_on(&s->in_unsent))
		ecs_list_add_tail(soon ? &e->unsent_soon : &e->unsent, &s->in_unsent);
}

/* What was told last is what was so when the generation began; from here on it is this chassis that tells. */
static void keep_then(struct ecs_engine *e, struct ecs_session *s)
{
	struct ecs_unsent *u = s->unsent;

	if (u->gen == e->gen)
		return;
	u->gen = e->gen;
	free(u->then);
	u->then = u->told ? names_copy(u->told, u->told->n) : NULL;
	touch(e, s, false);
}

/* --- flows that are looked at ----------------------------------------------------------------- */

static void unlist(struct ecs_unsent *u, struct ecs_flow *f)
{
	ecs_list_del(&f->unsent);
	u->nflows--;
}

void ecs_unsent_free(struct ecs_session *s)
{
	struct ecs_unsent *u = s->unsent;

	ecs_list_del(&s->in_unsent);
	if (!u)
		return;
	while (!ecs_list_empty(&u->flows))
		unlist(u, ECS_CONTAINER(u->flows.next, struct ecs_flow, unsent));
	free(u->told);
	free(u->then);
	free(u);
	s->unsent = NULL;
}

/* Whether rules could be found in mid-stream that must not be, or flows be missed. */
static bool tells(const struct ecs_session *s)
{
	return s->scheme >= 0 || ecs_needs_analysis(&s->needs);
}

/* It is checkpointed, or is going to be when there is time and room. */
static bool is_due(const struct ecs_flow *f)
{
	return (f->flags & (ECS_FLOW_F_ELIGIBLE | ECS_FLOW_F_WAITING | ECS_FLOW_F_CHECKPOINT)) || f->delay;
}

/* Gives a flow a place: where there is none, that of a silent one, of a few that are looked at. */
static void enlist(struct ecs_engine *e, struct ecs_unsent *u, struct ecs_flow *f)
{
	for (unsigned i = 0; u->nflows == ECS_UNSENT_NAMED && i < LOOKED_AT; i++) {
		struct ecs_flow *old = ECS_CONTAINER(u->flows.next, struct ecs_flow, unsent);

		if (srp_time_since(old->last, f->last) > SRP_SEC(SILENT_S)) {
			unlist(u, old);
		} else {
			ecs_list_del(&old->unsent);
			ecs_list_add_tail(&u->flows, &old->unsent);
		}
	}
	if (u->nflows == ECS_UNSENT_NAMED) {
		e->conf.counters->unsent_unnamed += !f->unnamed;
		f->unnamed = true;
		return;
	}
	ecs_list_add_tail(&u->flows, &f->unsent);
	u->nflows++;
}

void ecs_unsent_flow(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_session *s = f->session;
	struct ecs_unsent *u;

	if (!e->active)
		return;
	if (!ecs_list_on(&f->unsent)) {
		if ((f->key.proto == PROTO_TCP && !is_due(f)) || !tells(s))
			return;
		u = make(e, s);
		if (!u)
			return;
		keep_then(e, s);
		enlist(e, u, f);
	}
	touch(e, s, true);
}

void ecs_unsent_changed(struct ecs_engine *e, struct ecs_session *s)
{
	if (s->unsent)
		touch(e, s, false);
}

void ecs_unsent_acked(struct ecs_engine *e, struct ecs_flow *f)
{
	if (ecs_list_on(&f->unsent))
		touch(e, f->session, false);
}

void ecs_unsent_gone(struct ecs_engine *e, struct ecs_flow *f)
{
	if (!ecs_list_on(&f->unsent))
		return;
	unlist(f->session->unsent, f);
	touch(e, f->session, false);
}

/* --- telling ---------------------------------------------------------------------------------- */

/* Whether somebody who is told lacks its checkpoint; @p any: told or not. Who does not get the checkpoint
 * because there is no connection is not told of it either. */
static bool is_lacked(const struct ecs_flow *f, bool any)
{
	for (int i = 0; i < SRP_REPLICA__N; i++)
		if ((srp_ckpt_waits(&f->ckpt, (enum srp_replica_id)i) ||
		     f->ckpt.link[i].state == SRP_LINK_REFUSED) &&
		    (any || f->session->call.link[i].state != SRP_LINK_DIRTY))
			return true;
	return false;
}

/* @p all: checkpoints that are on their way arrive. */
static enum ecs_unsent_why reason(const struct ecs_flow *f, bool all)
{
	if (f->flags & ECS_FLOW_F_CHECKPOINT)
		return !all && is_lacked(f, false) ? ECS_UNSENT_LATE : ECS_UNSENT_NOT;
	if (f->flags & ECS_FLOW_F_WAITING)
		return ECS_UNSENT_LIMIT;
	if (f->delay)
		return ECS_UNSENT_LATE;
	if (f->key.proto == PROTO_TCP || (f->flags & ECS_FLOW_F_AGAIN))
		return ECS_UNSENT_NOT; /* SYN tells; each question stands for itself */
	return ECS_UNSENT_INELIGIBLE;
}

/* Nothing more will be told of it unless something happens to it. */
static bool is_over(const struct ecs_flow *f)
{
	return f->flags & ECS_FLOW_F_CHECKPOINT ? !is_lacked(f, true) : f->key.proto == PROTO_TCP;
}

static void look_at_flows(struct ecs_session *s, bool all, struct ecs_unsent_image *m)
{
	uint32_t named[ECS_UNSENT__N] = {0}, late = 0, beyond = 0;
	struct ecs_unsent *u = s->unsent;
	struct srp_list *l, *next;

	for (l = u->flows.next; l != &u->flows; l = next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, unsent);
		enum ecs_unsent_why why = reason(f, all);

		next = l->next;
		if (why != ECS_UNSENT_NOT) {
			m->name[m->n++] = name_of(s, &f->key) | why;
			named[why]++;
			late += f->delay != NULL;
		} else if (is_over(f)) {
			unlist(u, f);
		}
	}
	for (l = s->waiting.next; l != &s->waiting && beyond < COUNTED; l = l->next)
		beyond++;
	m->beyond[0] = beyond > named[ECS_UNSENT_LIMIT] ? beyond - named[ECS_UNSENT_LIMIT] : 0;
	m->beyond[1] = s->ndelays > late ? s->ndelays - late : 0;
}

/* What was told to this chassis, and no packet has come of. */
static void add_then(const struct names *then, struct ecs_unsent_image *m)
{
	for (unsigned late = 0; late < 2; late++)
		if (then->beyond[late] <= UINT32_MAX - m->beyond[late])
			m->beyond[late] += then->beyond[late];
	for (uint32_t i = 0; i < then->n && m->n < ECS_UNSENT_NAMED; i++)
		m->name[m->n++] = then->name[i];
}

static int by_name(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void sort(struct ecs_unsent_image *m)
{
	uint32_t n = 0;

	qsort(m->name, m->n, sizeof(m->name[0]), by_name);
	for (uint32_t i = 0; i < m->n; i++)
		if (n == 0 || m->name[n - 1] != m->name[i])
			m->name[n++] = m->name[i];
	m->n = n;
}

static void tell(struct ecs_engine *e, struct ecs_session *s, bool all, struct srp_time now)
{
	struct ecs_unsent *u = s->unsent;
	struct ecs_unsent_image m;
	struct names *told = NULL;

	keep_then(e, s);
	m.n = m.beyond[0] = m.beyond[1] = 0;
	if (tells(s)) {
		look_at_flows(s, all, &m);
		if (u->then)
			add_then(u->then, &m);
		sort(&m);
	}
	if (is_same(u->told, &m))
		return;
	if (!is_none(&m)) {
		told = names_copy(&m, m.n);
		if (!told) {
			touch(e, s, false);
			return;
		}
	}
	free(u->told);
	u->told = told;
	u->at = now;
	e->conf.counters->unsent_told++;
	ecs_tell_changed(e, &s->call, now);
}

/* Names of before the recovery have no more meaning. True: it goes on. */
static bool forget(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	if (!e->unsent_then || srp_time_since(e->active_since, now) <= SRP_SEC(ecs_service_idle_most(e->conf.service)))
		return false;
	for (; budget > 0; budget--) {
		struct ecs_session *s = ecs_session_next(e, e->unsent_walk);

		if (!s) {
			e->unsent_then = false;
			return false;
		}
		e->unsent_walk = s->spec.callid;
		if (!s->unsent)
			continue;
		keep_then(e, s);
		if (!s->unsent->then)
			continue;
		free(s->unsent->then);
		s->unsent->then = NULL;
		touch(e, s, false);
	}
	return true;
}

/* Moves what is on a list to the turn that goes on; @p soon: but what was told of in the last second, which
 * waits for its turn. */
static void begin_turn(struct ecs_engine *e, struct srp_list *list, bool soon, struct srp_time now)
{
	while (!ecs_list_empty(list)) {
		struct ecs_session *s = ECS_CONTAINER(list->next, struct ecs_session, in_unsent);
		bool waits = soon && srp_time_since(s->unsent->at, now) < SRP_MS(EVERY_MS);

		ecs_list_del(&s->in_unsent);
		ecs_list_add_tail(waits ? &e->unsent : &e->unsent_turning, &s->in_unsent);
	}
}

bool ecs_unsent_turn(struct ecs_engine *e, bool all, struct srp_time now, size_t budget)
{
	bool more = forget(e, now, budget);

	if (all || srp_time_since(e->unsent_at, now) >= SRP_MS(EVERY_MS)) {
		e->unsent_at = now;
		begin_turn(e, &e->unsent, false, now);
	}
	if (all || srp_time_since(e->unsent_soon_at, now) >= SRP_MS(SOON_MS)) {
		e->unsent_soon_at = now;
		begin_turn(e, &e->unsent_soon, !all, now);
	}
	while (budget > 0 && !ecs_list_empty(&e->unsent_turning)) {
		struct ecs_session *s = ECS_CONTAINER(e->unsent_turning.next, struct ecs_session, in_unsent);
		size_t cost = 1 + s->unsent->nflows / FLOWS_A_STEP;

		ecs_list_del(&s->in_unsent);
		tell(e, s, all, now);
		budget -= cost < budget ? cost : budget;
	}
	return more || !ecs_list_empty(&e->unsent_turning);
}

/* --- asking ----------------------------------------------------------------------------------- */

static enum ecs_unsent_why take_name(struct names *m, uint32_t as)
{
	for (uint32_t i = 0; i < m->n; i++) {
		enum ecs_unsent_why why = (enum ecs_unsent_why)(m->name[i] & 3);

		if ((m->name[i] & ~3u) != as)
			continue;
		memmove(&m->name[i], &m->name[i + 1], (--m->n - i) * sizeof(m->name[0]));
		return why;
	}
	return ECS_UNSENT_NOT;
}

enum ecs_unsent_why ecs_unsent_why(struct ecs_engine *e, struct ecs_session *s,
                                   const struct ecs_flow_key *k, bool unnamed)
{
	struct ecs_unsent *u = s->unsent;
	enum ecs_unsent_why why;

	if (!u)
		return ECS_UNSENT_NOT;
	keep_then(e, s);
	if (!u->then)
		return ECS_UNSENT_NOT;
	why = u->then->n ? take_name(u->then, name_of(s, k)) : ECS_UNSENT_NOT;
	for (unsigned late = 0; why == ECS_UNSENT_NOT && unnamed && late < 2; late++) {
		if (!u->then->beyond[late])
			continue;
		u->then->beyond[late]--;
		why = late ? ECS_UNSENT_LATE : ECS_UNSENT_LIMIT;
	}
	if (why != ECS_UNSENT_NOT)
		touch(e, s, false);
	return why;
}

/* --- the checkpoint --------------------------------------------------------------------------- */

void ecs_unsent_write(const struct ecs_session *s, struct srp_mp_w *w)
{
	const struct names *m = s->unsent ? s->unsent->told : NULL;
	uint8_t b[ECS_UNSENT_NAME_LEN * ECS_UNSENT_NAMED], *p = b;

	srp_mp_w_array(w, 3);
	srp_mp_w_uint(w, m ? m->beyond[0] : 0);
	srp_mp_w_uint(w, m ? m->beyond[1] : 0);
	for (uint32_t i = 0; m && i < m->n; i++) {
		*p++ = (uint8_t)(m->name[i] >> 16);
		*p++ = (uint8_t)(m->name[i] >> 8);
		*p++ = (uint8_t)m->name[i];
	}
	srp_mp_w_bin(w, b, (size_t)(p - b));
}

void ecs_unsent_read(struct srp_mp_r *r, struct ecs_unsent_image *m)
{
	const uint8_t *p;
	size_t len;

	m->n = 0;
	if (srp_mp_array(r, 3) != 3 && !r->err)
		srp_mp_fail(r, SRP_EINVAL);
	m->beyond[0] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	m->beyond[1] = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	p = srp_mp_bin(r, 0, ECS_UNSENT_NAME_LEN * ECS_UNSENT_NAMED, &len);
	if (r->err)
		return;
	if (len % ECS_UNSENT_NAME_LEN)
		srp_mp_fail(r, SRP_EINVAL);
	for (; !r->err && m->n < len / ECS_UNSENT_NAME_LEN; p += ECS_UNSENT_NAME_LEN) {
		uint32_t name = (uint32_t)(p[0] << 16 | p[1] << 8 | p[2]);

		if ((name & 3) == ECS_UNSENT_NOT || (m->n && name <= m->name[m->n - 1]))
			srp_mp_fail(r, SRP_EINVAL);
		m->name[m->n++] = name;
	}
}

int ecs_unsent_apply(struct ecs_engine *e, struct ecs_session *s, const struct ecs_unsent_image *m)
{
	struct names *told = NULL, *then = NULL;
	struct ecs_unsent *u = s->unsent;

	if (!u && is_none(m))
		return 0;
	u = make(e, s);
	if (!u)
		return SRP_ENOMEM;
	if (!is_none(m)) {
		told = names_copy(m, m->n);
		then = e->active ? names_copy(m, m->n) : NULL; /* it is being filled */
		if (!told || (e->active && !then)) {
			free(told);
			free(then);
			return SRP_ENOMEM;
		}
	}
	free(u->told);
	free(u->then);
	u->told = told;
	u->then = then;
	if (e->active)
		u->gen = e->gen;
	return 0;
}

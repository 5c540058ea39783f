/* What must survive, and what the model makes of what did. */
#include "config.h"
#include "tests/sim/ecs_world.h"

static bool acknowledged(const struct srp_ckpt_obj *o)
{
	return o->link[SRP_REPLICA_GR].state == SRP_LINK_SETTLED;
}

static int take_note(struct srp_ckpt_obj *o, void *arg)
{
	struct world *w = arg;
	struct note *n = &w->note[w->notes];

	if (!acknowledged(o))
		return 0;
	PAIR_CHECK(&w->p, w->notes < NOTED);
	*n = (struct note){.kind = o->kind, .version = o->version, .term = o->term, .rule = RULES};
	o->kind->key(o, &n->key);
	if (o->kind == &ecs_kind_flow)
		n->rule = world_rule(world_active(w), ((const struct ecs_flow *)(const void *)o)->ref);
	if (o->kind == &ecs_kind_usage && (n->key.k[1] & 3) == ECS_USAGE_SESSION) {
		const struct ecs_usage *u = (const struct ecs_usage *)(const void *)o;
		const struct ecs_volume *other = &u->own[!w->p.active];

		n->bytes = u->told.bytes[0] + u->told.bytes[1] + other->bytes[0] + other->bytes[1];
	}
	w->notes++;
	return 0;
}

static struct srp_ckpt_ctx context(struct world *w, int i)
{
	return (struct srp_ckpt_ctx){.now = w->p.now, .owner = w->p.c[i].e,
	                             .replica = SRP_REPLICA_GR, .ver = 1};
}

void world_note(struct world *w)
{
	struct srp_ckpt_ctx ctx = context(w, w->p.active);
	struct recovery_status st;

	w->notes = 0;
	recovery_replica_status(w->p.c[w->p.active].gr, &st);
	if (st.link != RECOVERY_LINK_READY)
		return; /* settled is not acknowledged before both are level */
	for (size_t k = 0; k < chassis_nkinds; k++)
		chassis_kinds[k]->walk(&ctx, take_note, w);
	if (st.tombs == 0 && st.inflight == 0)
		w->sure_dead = w->ndead;
}

void world_note_owed(struct world *w)
{
	struct recovery_status st;

	recovery_replica_status(w->p.c[w->p.active].gr, &st);
	w->told = st.link == RECOVERY_LINK_READY;
	w->owed = world_owed(w);
	for (int i = 0; i < CALLS; i++) {
		const struct ecs_session *s =
		        w->call[i].callid ? ecs_session_find(world_active(w), w->call[i].callid) : NULL;

		w->live[i] = s ? world_volume(s) : 0;
	}
}

void world_check_owed(struct world *w)
{
	uint64_t lost = 0;

	for (int i = 0; i < CALLS; i++) {
		const struct ecs_session *s =
		        w->call[i].callid ? ecs_session_find(world_active(w), w->call[i].callid) : NULL;
		uint64_t v = s ? world_volume(s) : 0;

		lost += w->live[i] > v ? w->live[i] - v : 0;
	}
	if (!w->told)
		return;
	PAIR_CHECK(&w->p, lost <= w->owed);
	w->lost += lost;
	w->lost_at_most += w->owed;
}

void world_check_survivors(struct world *w)
{
	struct srp_ckpt_ctx ctx = context(w, w->p.active);

	w->notes_seen += w->notes;
	for (size_t i = 0; i < w->notes; i++) {
		const struct note *n = &w->note[i];
		const struct srp_ckpt_obj *o = n->kind->find(&ctx, &n->key);

		PAIR_CHECK(&w->p, o != NULL);
		PAIR_CHECK(&w->p,
		           o->term > n->term || (o->term == n->term && o->version >= n->version));
		if (n->kind == &ecs_kind_flow && o->version == n->version)
			PAIR_CHECK(&w->p, n->rule == world_rule(world_active(w),
			           ((const struct ecs_flow *)(const void *)o)->ref));
		if (n->bytes)
			PAIR_CHECK(&w->p,
			           world_bytes((const struct ecs_usage *)(const void *)o) >= n->bytes);
	}
	for (size_t i = 0; i < w->sure_dead; i++)
		PAIR_CHECK(&w->p, ecs_session_find(world_active(w), w->dead[i]) == NULL);
}

/* Ends that were not acknowledged may be undone by a takeover: these sessions go on. */
static void undo_ends(struct world *w)
{
	size_t n = w->sure_dead;

	for (size_t i = n; i < w->ndead; i++)
		if (!ecs_session_find(world_active(w), w->dead[i]))
			w->dead[n++] = w->dead[i];
	w->ndead = n;
}

void world_adopt(struct world *w, bool exact)
{
	undo_ends(w);
	for (int i = 0; i < CALLS; i++) {
		struct call *c = &w->call[i];
		const struct ecs_session *s =
		        c->callid ? ecs_session_find(world_active(w), c->callid) : NULL;
		struct ecs_addr a = world_address(i);
		uint64_t v;

		if (!s && exact)
			PAIR_CHECK(&w->p, c->callid == 0);
		if (!s) {
			/* one whose end was not acknowledged may be there still: it goes on */
			const struct ecs_session *old = ecs_session_by_addr(world_active(w), &a);

			*c = (struct call){0};
			if (old) {
				c->callid = old->spec.callid;
				c->low = world_volume(old);
				c->high = UINT64_MAX / 2;
			}
			for (int t = 0; t < FLOWS; t++)
				w->talk[t].used &= w->talk[t].call != i;
			continue;
		}
		v = world_volume(s);
		PAIR_CHECK(&w->p, v <= c->high);
		if (exact)
			PAIR_CHECK(&w->p, v >= c->low);
		c->low = v;
	}
	for (int i = 0; i < FLOWS; i++) {
		struct talk *t = &w->talk[i];
		const struct ecs_flow *f;

		if (!t->used || t->rule == RULES || !w->call[t->call].callid)
			continue;
		/* by its 5-tuple: a chassis that comes back may know it under another id than the
		 * one that went, and from an earlier time */
		f = world_flow(w, t);
		t->unheard |= t->middle;
		t->recovered = f != NULL && ecs_flow_recovered(world_active(w), f) &&
		               (f->flags & ECS_FLOW_F_CHECKPOINT);
		t->middle = !t->recovered;
		if (!t->recovered)
			continue;
		/* not begun: its request decides, unless that went by */
		if (f->flags & ECS_FLOW_F_FRESH) {
			PAIR_CHECK(&w->p, !exact || t->stage < 4 || t->unheard);
			w->fresh += t->stage < 4;
			t->recovered = false;
			t->middle = t->stage >= 4;
			continue;
		}
		t->rule = world_rule(world_active(w), f->ref);
		/* what is eligible has the rule of its request, or never could be asked for it */
		PAIR_CHECK(&w->p, t->rule == t->host || (t->unheard && t->rule == WEB));
	}
}

void world_quiet(struct world *w)
{
	uint64_t d;

	w->p.doing = "quiet";
	ecs_engine_flush(world_active(w),
	                 w->p.now); /* no session is too young, no flow inside its delay */
	pair_settle(&w->p);
	d = recovery_replica_digest(w->p.c[0].gr, false, w->p.now);
	PAIR_CHECK(&w->p, d == recovery_replica_digest(w->p.c[1].gr, false, w->p.now));
	PAIR_CHECK(&w->p, d == recovery_replica_digest(w->p.c[0].gr, true, w->p.now));
	PAIR_CHECK(&w->p, d == recovery_replica_digest(w->p.c[1].gr, true, w->p.now));
	PAIR_CHECK(&w->p, pair_digest(&w->p, 0) == pair_digest(&w->p, 1));
	PAIR_CHECK(&w->p, ecs_engine_sessions(w->p.c[0].e) == ecs_engine_sessions(w->p.c[1].e));
	PAIR_CHECK(&w->p, ecs_engine_recoverable(w->p.c[0].e) ==
	                  ecs_engine_recoverable(w->p.c[1].e));
	for (int i = 0; i < CALLS; i++) {
		const struct call *c = &w->call[i];
		const struct ecs_session *s =
		        c->callid ? ecs_session_find(world_active(w), c->callid) : NULL;

		PAIR_CHECK(&w->p, !c->callid == !s);
		if (s)
			PAIR_CHECK(&w->p, world_volume(s) >= c->low && world_volume(s) <= c->high);
	}
}

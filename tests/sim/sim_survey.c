/* What a side knows to be acknowledged when it dies must live on in the other, and nothing may come
 * back whose deletion was acknowledged. */
#include "config.h"
#include "tests/sim/sim_impl.h"

#include <inttypes.h>
#include <string.h>

struct survey {
	struct sim *s;
	struct sim_side *dead, *heir;
};

static struct recovery_kind *kind_in(const struct sim_side *e, const struct srp_ckpt_obj *o)
{
	return recovery_kind_of(e->r, o);
}

static struct srp_ckpt_obj *twin(const struct sim_side *e, const struct srp_ckpt_obj *o,
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
	return sim_fail(v->s,
		    "acknowledged, and lost: %s %" PRIu64 "/%" PRIu64
		    " term %u version %u (heir: %u/%u)",
		    o->kind->name, key.k[0], key.k[1], o->term, o->version, x ? x->term : 0,
		    x ? x->version : 0);
}

static bool buried(const struct sim_side *e, const struct srp_ckpt_obj *o)
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
	return sim_fail(v->s, "deletion acknowledged, and back: %s %" PRIu64 "/%" PRIu64,
			o->kind->name, key.k[0], key.k[1]);
}

int sim_survey(struct sim *s, unsigned dead)
{
	struct survey v = {.s = s, .dead = &s->side[dead], .heir = &s->side[!dead]};
	const struct recovery_replica *d = v.dead->r, *h = v.heir->r;

	/* Another process than the one that acknowledged, or one that has not heard all of what was
	 * to be deleted there: a purge is acknowledged by nothing. */
	if (h->applied_stream != d->stream || !d->synced || d->need_digest || !v.heir->level)
		return 0;
	for (size_t i = 0; i < s->model->nkinds; i++) {
		const struct srp_ckpt_ctx of_dead = {.owner = v.dead->model};
		const struct srp_ckpt_ctx of_heir = {.owner = v.heir->model};

		s->model->kinds[i]->walk(&of_dead, survives, &v);
		s->model->kinds[i]->walk(&of_heir, comes_back, &v);
	}
	return s->out->why[0] ? -1 : 0;
}

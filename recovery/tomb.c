#include "config.h"
#include "recovery/replica_impl.h"

#include <stdlib.h>
#include <string.h>

#include "srp/hash.h"

#define TOMB_TABLE_MIN 256u

static uint32_t slot(const struct recovery_replica *r, unsigned kind,
		     const struct srp_ckpt_key *key)
{
	uint64_t v[4] = {key->k[0], key->k[1], key->k[2], kind};

	return (uint32_t)srp_hash64(r->conf.random, v, sizeof(v)) & (r->tomb_cap - 1);
}

static bool grow(struct recovery_replica *r)
{
	uint32_t cap = r->tomb_cap ? 2 * r->tomb_cap : TOMB_TABLE_MIN, old = r->tomb_cap;
	struct recovery_tomb **tab = calloc(cap, sizeof(struct recovery_tomb *)), **from = r->tomb;

	if (!tab)
		return old != 0;
	r->tomb = tab;
	r->tomb_cap = cap;
	for (uint32_t i = 0; i < old; i++)
		for (struct recovery_tomb *t = from[i], *next; t; t = next) {
			uint32_t at = slot(r, t->kind, &t->key);

			next = t->next;
			t->next = tab[at];
			tab[at] = t;
		}
	free(from);
	return true;
}

struct recovery_tomb *recovery_tomb_new(struct recovery_replica *r, struct recovery_kind *rk,
                                        const struct srp_ckpt_key *key)
{
	struct recovery_tomb *t;
	uint32_t at;

	if (r->ntombs >= RECOVERY_TOMBS_MAX || (r->ntombs >= r->tomb_cap && !grow(r)))
		return NULL;
	t = r->tomb_free;
	if (t)
		r->tomb_free = t->next;
	else
		t = malloc(sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct recovery_tomb){
		.key = *key, .kind = rk->idx, .link = {.flags = SRP_LINK_F_TOMB}};
	at = slot(r, rk->idx, key);
	t->next = r->tomb[at];
	r->tomb[at] = t;
	r->ntombs++;
	r->conf.totals->tombstones = r->ntombs;
	return t;
}

struct recovery_tomb *recovery_tomb_find(struct recovery_replica *r, const struct recovery_kind *rk,
                                         const struct srp_ckpt_key *key)
{
	struct recovery_tomb *t;

	if (!r->ntombs)
		return NULL;
	for (t = r->tomb[slot(r, rk->idx, key)]; t; t = t->next)
		if (t->kind == rk->idx && !memcmp(&t->key, key, sizeof(*key)) &&
		    t->link.state == SRP_LINK_DIRTY)
			return t;
	return NULL;
}

void recovery_tomb_drop(struct recovery_replica *r, struct recovery_tomb *t)
{
	struct recovery_tomb **p = &r->tomb[slot(r, t->kind, &t->key)];

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	recovery_uncount(&r->kind[t->kind], &t->link);
	t->next = r->tomb_free;
	r->tomb_free = t;
	r->ntombs--;
	r->conf.totals->tombstones = r->ntombs;
}

static void count_reason(struct recovery_replica *r, const struct recovery_tomb *t,
                         enum recovery_reason why, int by)
{
	struct recovery_kind *rk = &r->kind[t->kind];

	rk->ntombs += (uint64_t)(int64_t)by;
	if (why == RECOVERY_WAIT)
		recovery_row_of(r, rk, true)->waiting += (uint64_t)(int64_t)by;
	if (why == RECOVERY_RESET || why == RECOVERY_AUDIT)
		r->nrepair += (uint64_t)(int64_t)by;
}

enum recovery_reason recovery_tomb_leave(struct recovery_replica *r, struct recovery_tomb *t)
{
	enum recovery_reason why = recovery_reason_of(&t->link);

	recovery_list_del(&t->link.node);
	if (t->link.state == SRP_LINK_DIRTY)
		count_reason(r, t, why, -1);
	t->link.state = SRP_LINK_NONE;
	return why;
}

void recovery_tomb_dirty(struct recovery_replica *r, struct recovery_tomb *t, struct srp_list *to,
                         enum recovery_reason why)
{
	t->link.state = SRP_LINK_DIRTY;
	t->link.flags = (uint8_t)((t->link.flags & ((1u << RECOVERY_REASON_SHIFT) - 1)) |
	                          (unsigned)why << RECOVERY_REASON_SHIFT);
	recovery_list_add(to, &t->link.node);
	count_reason(r, t, why, 1);
}

void recovery_tomb_cancel(struct recovery_replica *r, struct recovery_kind *rk,
                          const struct srp_ckpt_key *key)
{
	struct recovery_tomb *t = recovery_tomb_find(r, rk, key);

	if (!t)
		return;
	if (recovery_tomb_leave(r, t) == RECOVERY_WAIT)
		recovery_row_of(r, rk, true)->cancelled++;
	recovery_tomb_drop(r, t);
}

bool recovery_replica_bury(struct recovery_replica *r, uint8_t kind, const struct srp_ckpt_key *key,
                           uint32_t term, uint32_t version)
{
	struct recovery_kind *rk = r->by_id[kind] ? &r->kind[r->by_id[kind] - 1] : NULL;
	struct srp_ckpt_ctx ctx;
	struct recovery_tomb *t;

	if (!rk || !rk->k->del_id)
		return false;
	ctx = recovery_ctx(r, rk, (struct srp_time){0}, false);
	if (rk->k->find(&ctx, key) || recovery_tomb_find(r, rk, key))
		return false;
	t = recovery_tomb_new(r, rk, key);
	if (!t) {
		r->need_digest = true;
		r->conf.totals->tombs_dropped++;
		return false;
	}
	t->term = term;
	t->version = version;
	recovery_tomb_dirty(r, t, &rk->tdirty, RECOVERY_PERIOD);
	return true;
}

uint64_t recovery_tomb_forget(struct recovery_replica *r, bool demoted)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < r->conf.nkinds; i++) {
		struct recovery_kind *rk = &r->kind[i];
		struct recovery_kind_counters *row = recovery_row_of(r, rk, true);
		struct srp_list *all[] = {&rk->tlim, &rk->tdirty, &rk->theld};

		for (size_t j = 0; j < 3; j++)
			while (!recovery_list_empty(all[j])) {
				struct recovery_tomb *t =
					recovery_tomb_of(recovery_link_of(all[j]->next));

				if (recovery_tomb_leave(r, t) == RECOVERY_WAIT)
					++*(demoted ? &row->gate_gr_state : &row->cancelled);
				recovery_tomb_drop(r, t);
				n++;
			}
	}
	return n;
}

void recovery_tomb_fini(struct recovery_replica *r)
{
	struct recovery_tomb *t, *next;

	for (uint32_t i = 0; i < r->tomb_cap; i++)
		for (t = r->tomb[i]; t; t = next) {
			next = t->next;
			free(t);
		}
	for (t = r->tomb_free; t; t = next) {
		next = t->next;
		free(t);
	}
	free(r->tomb);
}

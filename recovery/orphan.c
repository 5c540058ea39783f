/* Objects whose parent the peer does not know yet wait in chains found by the parent's key, so that
 * the first full checkpoint of a session finds its flows without a walk. */
#include "config.h"
#include "recovery/replica_impl.h"

static struct srp_list *chain(struct recovery_replica *r, const struct srp_ckpt_obj *parent)
{
	struct srp_ckpt_key key = {{0}};
	uint64_t h;

	parent->kind->key(parent, &key);
	h = (key.k[0] ^ key.k[1] * 31 ^ key.k[2] * 131 ^ parent->kind->id) *
	    UINT64_C(0x9e3779b97f4a7c15);
	return &r->orphan[h >> 52 & (RECOVERY_ORPHAN_HEADS - 1)];
}

void recovery_orphan_park(struct recovery_replica *r, struct recovery_kind *rk,
                          struct srp_ckpt_link *l, const struct srp_ckpt_obj *parent,
                          enum recovery_reason why)
{
	recovery_kind_of(r, parent)->orphans = true;
	recovery_link_dirty(r, rk, l, chain(r, parent), why);
}

/* Takes all of a chain whose parent is @p parent (NULL: all) to the dirty lists of their kinds. */
static void release(struct recovery_replica *r, struct srp_list *head,
                    const struct srp_ckpt_obj *parent)
{
	for (struct srp_list *n = head->next, *next; n != head; n = next) {
		struct srp_ckpt_link *l = recovery_link_of(n);
		struct srp_ckpt_obj *o = recovery_obj_of(r, l);
		struct recovery_kind *rk = recovery_kind_of(r, o);

		next = n->next;
		if (parent && rk->k->parent(o) != parent)
			continue;
		recovery_list_del(n);
		recovery_list_add(&rk->dirty, n);
	}
}

void recovery_orphan_release(struct recovery_replica *r, const struct srp_ckpt_obj *parent)
{
	if (recovery_kind_of(r, parent)->orphans)
		release(r, chain(r, parent), parent);
}

void recovery_orphan_release_all(struct recovery_replica *r)
{
	for (size_t i = 0; i < RECOVERY_ORPHAN_HEADS; i++)
		release(r, &r->orphan[i], NULL);
}

#include "config.h"
#include "srp/ckpt.h"

#include <string.h>

static bool clash(const struct srp_ckpt_kind *a, const struct srp_ckpt_kind *b)
{
	return a->id == b->id || a->id == b->del_id || (a->del_id && a->del_id == b->id) ||
	       (a->del_id && a->del_id == b->del_id) || strcmp(a->name, b->name) == 0;
}

/* What is said of fields: none that is not there, none in two ways. */
static bool fields_wrong(const struct srp_ckpt_kind *k)
{
	uint64_t beyond = k->nfields < 64 ? ~(uint64_t)0 << k->nfields : 0;

	return (k->left_out & k->left_nil) || ((k->left_out | k->left_nil) & beyond);
}

int srp_ckpt_check(const struct srp_ckpt_kind *const *tab, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct srp_ckpt_kind *k = tab[i];

		if (!k->id || !k->name || !k->key || !k->encode || !k->apply || !k->remove ||
		    !k->find || !k->walk || (k->del_id && !k->del_name) || k->ver_min > k->ver_max ||
		    (k->names && k->parent) ||
		    (k->first && (k->parent || k->gate || k->paced || k->limited || !k->peer_only)))
			return SRP_EINVAL;
		if (k->max_len == 0 || k->max_len > SRP_CKPT_RECORD_MAX || k->nkey < 1 || k->nkey > 3 ||
		    k->nfields > 64 || fields_wrong(k))
			return SRP_ERANGE;
		for (size_t j = 0; j < i; j++)
			if (clash(k, tab[j]))
				return SRP_EDUP;
	}
	return SRP_OK;
}

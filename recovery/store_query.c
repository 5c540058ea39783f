/* store_query: what a store holds of one session, for those who ask. */
#include "config.h"
#include "recovery/store_impl.h"

#define LOOKED_AT 4096u /* entries whose arrival is looked at; a session has seldom as many */

bool recovery_store_session(const struct recovery_store *s, uint64_t k0,
                            struct recovery_store_session *out)
{
	recovery_ref ref = recovery_group_find(s, k0);
	struct recovery_store_session st = {0};
	const struct recovery_group *g;
	uint32_t n = 0;

	if (!ref)
		return false;
	g = recovery_group_at(s, ref);
	for (recovery_ref e = g->head; e && n < LOOKED_AT; n++) {
		const struct recovery_tail *t = recovery_entry_tail(s, e);
		const struct srp_time when = {SRP_MS((uint64_t)t->when_high << 32 | t->when)};
		bool root = s->root >= 0 && t->kind == (unsigned)s->root;
		struct srp_time *last = root ? &st.root_last : &st.last;

		st.roots += root;
		if (when.us > last->us)
			*last = when;
		e = t->next;
	}
	st.others = g->entries - st.roots;
	*out = st;
	return true;
}

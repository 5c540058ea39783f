/* check: the equations of DESIGN section 3, for every row. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <inttypes.h>
#include <stdio.h>

#include "srp/err.h"

struct equation {
	const char *text;
	uint64_t left, right;
};

static int row_check(const struct recovery_kind_counters *c, const char *name, char *why,
		     size_t cap)
{
	const uint64_t gated = c->gate_first_fc + c->gate_invalidate + c->gate_not_ready +
			       c->gate_gr_state + c->gate_congested + c->gate_recovery +
			       c->gate_audit;
	const struct equation eq[] = {
		{"changes = coalesced + gates + cancelled + waiting + taken", c->changes,
	         c->coalesced + gated + c->cancelled + c->waiting + c->taken},
		{"attempted = taken + again", c->attempted,
	         c->taken + c->again_limiter + c->again_reset + c->again_nack + c->again_audit +
	                 c->again_period},
		{"attempted = sent + limited + failures + ignored", c->attempted,
	         c->sent + c->rate_limited + c->encode_failed + c->encode_ignored},
		{"sent = acked + refused + inflight + returned + lost", c->sent,
	         c->acked + c->refused + c->inflight + c->returned + c->lost},
	};

	for (size_t i = 0; i < sizeof(eq) / sizeof(eq[0]); i++)
		if (eq[i].left != eq[i].right) {
			(void)snprintf(why, cap, "%s: %s: %" PRIu64 " is not %" PRIu64, name,
				       eq[i].text, eq[i].left, eq[i].right);
			return SRP_EMISMATCH;
		}
	return SRP_OK;
}

int recovery_replica_check(const struct recovery_replica *r, char *why, size_t cap)
{
	uint64_t inflight = 0;

	for (size_t i = 0; i < recovery_rows(r->conf.nkinds); i++) {
		const char *name = recovery_row_name(r->conf.kinds, r->conf.nkinds, i);
		int rc = row_check(&r->conf.counters[i], name ? name : "no deletions", why, cap);

		if (rc)
			return rc;
		inflight += r->conf.counters[i].inflight;
	}
	if (inflight == r->sent - r->acked)
		return SRP_OK;
	(void)snprintf(why, cap, "in flight: rows have %" PRIu64 ", the window has %" PRIu64,
		       inflight, r->sent - r->acked);
	return SRP_EMISMATCH;
}

#include "config.h"
#include "srp/counters.h"

#include "srp/err.h"

const struct stats_desc srp_counter_desc[] = {
#define SRP_COUNTER(nm, kind, unit, help) STATS_DESC(struct srp_counters, nm, kind, unit, help)
#include "srp/counters.def"
#undef SRP_COUNTER
};
const size_t srp_counter_count = sizeof(srp_counter_desc) / sizeof(srp_counter_desc[0]);

_Static_assert(sizeof(struct srp_counters) ==
               sizeof(srp_counter_desc) / sizeof(srp_counter_desc[0]) * sizeof(uint64_t),
               "every field has a descriptor");

void srp_counters_refused(struct srp_counters *c, int err)
{
	switch (err) {
	case SRP_EVERSION:
		c->rx_bad_version++;
		break;
	case SRP_ETYPE:
		c->rx_bad_type++;
		break;
	case SRP_ERANGE:
		c->rx_bad_length++;
		break;
	case SRP_ESTATE:
	case SRP_EROLE:
		c->rx_bad_state++;
		break;
	case SRP_EFORMAT:
	case SRP_ESHORT:
	case SRP_EDEPTH:
		c->rx_bad_body++;
		break;
	case SRP_EMISMATCH:
	case SRP_EDUP:
		c->rx_mismatch++;
		break;
	case SRP_ESTALE:
		c->rx_stale++;
		break;
	default:
		c->rx_refused_other++;
	}
}

#include "config.h"
#include "recovery/counters.h"

const struct stats_desc recovery_kind_desc[RECOVERY_KIND_COUNTERS] = {
#define KIND_COUNTER(nm, kind, unit, help) \
	STATS_DESC(struct recovery_kind_counters, nm, kind, unit, help)
#include "recovery/kind_counters.def"
#undef KIND_COUNTER
};

const struct stats_desc recovery_desc[RECOVERY_COUNTERS] = {
#define RECOVERY_COUNTER(nm, kind, unit, help) \
	STATS_DESC(struct recovery_counters, nm, kind, unit, help)
#include "recovery/counters.def"
#undef RECOVERY_COUNTER
};

const char *recovery_row_name(const struct srp_ckpt_kind *const *kinds, size_t nkinds, size_t row)
{
	const struct srp_ckpt_kind *k;

	if (row >= recovery_rows(nkinds))
		return NULL;
	k = kinds[row / 2];
	if (row % 2 == 0)
		return k->name;
	return k->del_id ? k->del_name : NULL;
}

uint64_t *recovery_gate_counter(struct recovery_kind_counters *row, enum srp_gate gate)
{
	switch (gate) {
	case SRP_GATE_FIRST_FC:   return &row->gate_first_fc;
	case SRP_GATE_INVALIDATE: return &row->gate_invalidate;
	case SRP_GATE_NOT_READY:  return &row->gate_not_ready;
	case SRP_GATE_GR_STATE:   return &row->gate_gr_state;
	case SRP_GATE_CONGESTED:  return &row->gate_congested;
	case SRP_GATE_RECOVERY:   return &row->gate_recovery;
	case SRP_GATE_AUDIT:      return &row->gate_audit;
	case SRP_GATE_OPEN:
	case SRP_GATE__N:
		break;
	}
	return NULL;
}

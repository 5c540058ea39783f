/* counters: what a replica counts: per row of `show srp checkpoint statistics`, and in all. Both
 * structures have a fixed size and no pointers, and live in the slab of the task. */
#ifndef RECOVERY_COUNTERS_H
#define RECOVERY_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "srp/ckpt.h"
#include "stats/rate.h"
#include "stats/stats.h"

/** One row: a kind's records or its deletions, of one replica. */
struct recovery_kind_counters {
#define KIND_COUNTER STATS_FIELD
#include "recovery/kind_counters.def"
#undef KIND_COUNTER
	struct stats_rate rate_sent;     /**< fed by the replica with @c sent */
	struct stats_rate rate_received; /**< fed by the replica with @c received */
};

/** One replica in all. */
struct recovery_counters {
#define RECOVERY_COUNTER STATS_FIELD
#include "recovery/counters.def"
#undef RECOVERY_COUNTER
};

enum {
#define KIND_COUNTER(nm, kind, unit, help) RECOVERY_KIND_ORD_##nm,
#include "recovery/kind_counters.def"
#undef KIND_COUNTER
	RECOVERY_KIND_COUNTERS /**< values in a row, before the rates */
};

enum {
#define RECOVERY_COUNTER(nm, kind, unit, help) RECOVERY_ORD_##nm,
#include "recovery/counters.def"
#undef RECOVERY_COUNTER
	RECOVERY_COUNTERS /**< values of a replica */
};

extern const struct stats_desc recovery_kind_desc[RECOVERY_KIND_COUNTERS];
extern const struct stats_desc recovery_desc[RECOVERY_COUNTERS];

/** Rows for @p nkinds kinds: two each, records and deletions. */
static inline size_t recovery_rows(size_t nkinds)
{
	return 2 * nkinds;
}

/** Row of the kind at index @p kind of the registry; @p del: of its deletion. */
static inline size_t recovery_row(size_t kind, bool del)
{
	return 2 * kind + (del ? 1 : 0);
}

/**
 * The checkpoint-type that is printed for a row.
 *
 * @param kinds  the registry that the replica was made with
 * @return the name, or NULL where there is no such row: a kind that sends no deletion
 */
const char *recovery_row_name(const struct srp_ckpt_kind *const *kinds, size_t nkinds, size_t row);

/** The counter of @p row for a gate; NULL for SRP_GATE_OPEN. */
uint64_t *recovery_gate_counter(struct recovery_kind_counters *row, enum srp_gate gate);

#endif

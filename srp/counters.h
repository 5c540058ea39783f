/* counters: of the control link, the beats and the role machine; rows of srp/counters.def. */
#ifndef SRP_COUNTERS_H
#define SRP_COUNTERS_H

#include "stats/stats.h"

#define SRP_COUNTER STATS_FIELD
struct srp_counters {
#include "srp/counters.def"
};
#undef SRP_COUNTER

extern const struct stats_desc srp_counter_desc[];
extern const size_t srp_counter_count;

/** Counts a refused frame by its reason @p err: a code of srp_frame_peek, of a body, or another. */
void srp_counters_refused(struct srp_counters *c, int err);

#endif

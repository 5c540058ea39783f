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

#endif

/* registry: the one list of checkpoint kinds. Replicas, counters, shows and documents go through
 * it. */
#ifndef CHASSIS_REGISTRY_H
#define CHASSIS_REGISTRY_H

#include <stddef.h>

#include "srp/ckpt.h"

/** In order of rank: what must be there before what names it. Ids are never reused. */
extern const struct srp_ckpt_kind *const chassis_kinds[];
extern const size_t chassis_nkinds;

/** Checks the list once at start: 0, or what srp_ckpt_check() has found. */
int chassis_registry_check(void);
/** The kind with this id, or whose deletion has it; NULL: none. */
const struct srp_ckpt_kind *chassis_registry_find(uint8_t id);

#endif

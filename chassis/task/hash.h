/* hash: uthash with our keyed hash: subscribers choose their addresses, and must not choose the chains
 * that they fall into. To be included in place of uthash.h. */
#ifndef CHASSIS_TASK_HASH_H
#define CHASSIS_TASK_HASH_H

#include <stdlib.h>

#include "srp/hash.h"

/** Drawn once per process. */
static inline uint64_t chassis_hash_seed(void)
{
	static uint64_t seed;

	while (!seed)
		arc4random_buf(&seed, sizeof(seed));
	return seed;
}

#define HASH_FUNCTION(key, len, out) ((out) = (unsigned)srp_hash64(chassis_hash_seed(), key, len))

#include <uthash.h>

#endif

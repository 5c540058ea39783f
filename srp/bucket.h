/* bucket: a token bucket in exact integers: n tokens a second, not one more or less, for ever. */
#ifndef SRP_BUCKET_H
#define SRP_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "srp/time.h"

struct srp_bucket {
	uint32_t rate, burst;  /**< tokens a second, 0: no limit; most tokens at once */
	uint64_t micro;        /**< millionths of a token at hand */
	struct srp_time at;    /**< when that was true */
};

/** Full at @p now. A @p burst of 0 is one second's worth. */
void srp_bucket_init(struct srp_bucket *b, uint32_t rate, uint32_t burst, struct srp_time now);
/** Changes the limits; tokens at hand stay, up to the new burst. */
void srp_bucket_set(struct srp_bucket *b, uint32_t rate, uint32_t burst, struct srp_time now);
/** Takes @p n tokens or none. False also, for ever, where @p n is more than the burst. */
bool srp_bucket_take(struct srp_bucket *b, uint32_t n, struct srp_time now);
/** When @p n tokens (at most the burst) will be there; @p now when they are. */
struct srp_time srp_bucket_due(const struct srp_bucket *b, uint32_t n, struct srp_time now);

#endif

/* hash: keyed 64-bit hash for digests and for tables whose keys strangers choose: SipHash-2-4. */
#ifndef SRP_HASH_H
#define SRP_HASH_H

#include <stddef.h>
#include <stdint.h>

/** SipHash-2-4 of @p n bytes under the 128-bit key (@p k0, @p k1), as published. */
uint64_t srp_siphash(uint64_t k0, uint64_t k1, const void *p, size_t n);

/** srp_siphash with k0 = @p key and k1 = the bitwise complement of @p key. Travels in digests. */
uint64_t srp_hash64(uint64_t key, const void *p, size_t n);

#endif

#include "config.h"
#include "srp/hash.h"

/* SipHash-2-4 after J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012. */

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n) { return x << n | x >> (64 - n); }

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

/* The n (at most 8) bytes at p as a little-endian number. */
static inline uint64_t le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint64_t srp_siphash(uint64_t k0, uint64_t k1, const void *p, size_t n)
{
	struct sip s = {
		.v0 = k0 ^ UINT64_C(0x736f6d6570736575), .v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = k0 ^ UINT64_C(0x6c7967656e657261), .v3 = k1 ^ UINT64_C(0x7465646279746573)};
	const uint8_t *b = p;
	size_t left = n;

	for (; left >= 8; left -= 8, b += 8)
		sip_word(&s, le(b, 8));
	sip_word(&s, (uint64_t)n << 56 | le(b, left));
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t srp_hash64(uint64_t key, const void *p, size_t n)
{
	return srp_siphash(key, ~key, p, n);
}

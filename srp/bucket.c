#include "config.h"
#include "srp/bucket.h"

/* One microsecond brings exactly `rate` millionths of a token, so nothing is ever rounded. */
#define MICRO UINT64_C(1000000)

static uint64_t full(const struct srp_bucket *b) { return b->burst * MICRO; }

static uint64_t level(const struct srp_bucket *b, struct srp_time now)
{
	uint64_t us = srp_time_since(b->at, now), room = full(b) - b->micro;

	/* Compared by division: us * rate may not fit after a long rest. */
	if (b->rate == 0 || us > room / b->rate)
		return full(b);
	return b->micro + us * b->rate;
}

static uint32_t burst_of(uint32_t rate, uint32_t burst) { return burst ? burst : rate; }

void srp_bucket_init(struct srp_bucket *b, uint32_t rate, uint32_t burst, struct srp_time now)
{
	*b = (struct srp_bucket){.rate = rate, .burst = burst_of(rate, burst), .at = now};
	b->micro = full(b);
}

void srp_bucket_set(struct srp_bucket *b, uint32_t rate, uint32_t burst, struct srp_time now)
{
	uint64_t have = level(b, now);

	if (b->rate == 0) {
		srp_bucket_init(b, rate, burst, now);
		return;
	}
	*b = (struct srp_bucket){.rate = rate, .burst = burst_of(rate, burst), .at = now};
	b->micro = have < full(b) ? have : full(b);
}

bool srp_bucket_take(struct srp_bucket *b, uint32_t n, struct srp_time now)
{
	uint64_t have;

	if (b->rate == 0)
		return true;
	have = level(b, now);
	if (have < n * MICRO)
		return false;
	b->micro = have - n * MICRO;
	if (now.us > b->at.us)
		b->at = now;
	return true;
}

struct srp_time srp_bucket_due(const struct srp_bucket *b, uint32_t n, struct srp_time now)
{
	uint64_t have = b->rate ? level(b, now) : 0, want = n * MICRO;

	if (b->rate == 0 || have >= want)
		return now;
	return srp_time_add(now, (want - have + b->rate - 1) / b->rate);
}

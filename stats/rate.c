#include "config.h"
#include "stats/rate.h"

#define SECOND UINT64_C(1000000)
#define FRESH  (2 * SECOND) /* who feeds is there still */

static void put(struct stats_rate_point *ring, uint32_t size, uint32_t *n, uint64_t every,
                const struct stats_rate_point *p)
{
	if (*n && p->us - ring[(*n - 1) % size].us < every)
		return;
	ring[(*n)++ % size] = *p; /* at one a second the count lasts for 136 years */
}

/* The newest point that is at least a window old; the oldest there is where none is. */
static struct stats_rate_point base(const struct stats_rate_point *ring, uint32_t size, uint32_t n,
                                    uint64_t window, uint64_t now_us)
{
	struct stats_rate_point p = ring[(n - 1) % size];

	for (uint32_t back = 1; back <= size && back <= n; back++) {
		p = ring[(n - back) % size];
		if (now_us - p.us >= window)
			break;
	}
	return p;
}

static uint64_t rate(const struct stats_rate *r, const struct stats_rate_point *ring, uint32_t size,
                     uint32_t n, uint64_t window, uint64_t now_us)
{
	struct stats_rate_point p;
	unsigned __int128 events;
	uint64_t us;

	if (n == 0)
		return 0;
	/* up to when was counted: what came since would be missing in the mean */
	if (now_us < r->last.us || now_us - r->last.us <= FRESH)
		now_us = r->last.us;
	p = base(ring, size, n, window, now_us);
	us = now_us - p.us;
	if (us == 0)
		return 0;
	events = r->last.count - p.count; /* modulo 2^64: right also where the count has wrapped */
	return (uint64_t)((events * SECOND + us / 2) / us);
}

void stats_rate_feed(struct stats_rate *r, uint64_t count, uint64_t now_us)
{
	const struct stats_rate_point p = {now_us, count};

	if (now_us == 0 || now_us < r->last.us)
		return;
	/* More than half the range forward is a step back: the counter was cleared. */
	if (count - r->last.count > UINT64_MAX / 2)
		r->nfast = r->nslow = 0;
	r->last = p;
	put(r->fast, STATS_RATE_NOW_N, &r->nfast, SECOND, &p);
	put(r->slow, STATS_RATE_LONG_N, &r->nslow, 60 * SECOND, &p);
}

uint64_t stats_rate_now(const struct stats_rate *r, uint64_t now_us)
{
	return rate(r, r->fast, STATS_RATE_NOW_N, r->nfast, STATS_RATE_NOW_US, now_us);
}

uint64_t stats_rate_long(const struct stats_rate *r, uint64_t now_us)
{
	return rate(r, r->slow, STATS_RATE_LONG_N, r->nslow, STATS_RATE_LONG_US, now_us);
}

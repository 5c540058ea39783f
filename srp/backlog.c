#include "config.h"
#include "srp/backlog.h"

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t product(uint64_t a, uint64_t b)
{
	uint64_t p;

	return __builtin_mul_overflow(a, b, &p) ? UINT64_MAX : p;
}

/* Rounded up; a part of a millisecond is one. */
static uint64_t ms_of(uint64_t us)
{
	return us / 1000u + (us % 1000u != 0);
}

void srp_backlog_add(struct srp_backlog_figure *to, const struct srp_backlog_figure *f)
{
	to->objects = sum(to->objects, f->objects);
	to->bytes = sum(to->bytes, f->bytes);
	to->octets = sum(to->octets, f->octets);
	to->charged = sum(to->charged, f->charged);
}

void srp_backlog_heard(struct srp_backlog *b, uint64_t incarnation, const struct srp_backlog_figure *f,
                       struct srp_time now)
{
	uint64_t ms = srp_time_since(b->since, now) / 1000u, n = f->charged - b->base;

	if (!b->at.us || incarnation != b->incarnation) {
		*b = (struct srp_backlog){.incarnation = incarnation, .since = now, .base = f->charged};
	} else if (f->charged < b->last.charged) {
		return;
	} else if (ms >= SRP_BACKLOG_RATE_MS) {
		b->rate[1] = b->rate[0];
		b->rate[0] = n / ms + (n % ms != 0);
		b->since = now;
		b->base = f->charged;
	}
	b->last = *f;
	b->at = now;
}

static uint64_t per_ms(const struct srp_backlog *b)
{
	return b->rate[0] > b->rate[1] ? b->rate[0] : b->rate[1];
}

uint64_t srp_backlog_rate(const struct srp_backlog *b)
{
	return product(per_ms(b), 1000);
}

uint64_t srp_backlog_at_most(const struct srp_backlog *b, struct srp_time now)
{
	if (!b->at.us)
		return 0;
	return sum(b->last.octets, product(per_ms(b), ms_of(srp_time_since(b->at, now))));
}

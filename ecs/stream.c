#include "config.h"
#include "ecs/stream.h"

#include <stdlib.h>
#include <string.h>

struct ecs_stream_seg {
	struct ecs_stream_seg *next;
	uint32_t seq;
	uint32_t len;
	uint8_t data[];
};

static int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* Counts where somebody wants to know: each row of ECS_CALL_REORDERS by its name. */
#define COUNT(s, row, n)                                      \
	do {                                                  \
		if ((s)->all) {                               \
			(s)->all->count.row += (uint32_t)(n); \
			(s)->all->counted = true;             \
		}                                             \
	} while (0)

static struct ecs_stream_seg *pop(struct ecs_stream *s)
{
	struct ecs_stream_seg *g = s->held;

	s->held = g->next;
	s->nheld--;
	s->held_bytes -= g->len;
	if (s->all)
		s->all->held -= g->len;
	return g;
}

void ecs_stream_let_go(struct ecs_stream *s, bool svc_change)
{
	if (!s->held)
		return;
	if (svc_change)
		COUNT(s, flush_svc_change, s->nheld);
	else
		COUNT(s, drop, s->nheld);
	while (s->held)
		free(pop(s));
}

void ecs_stream_fini(struct ecs_stream *s)
{
	ecs_stream_let_go(s, false);
}

void ecs_stream_syn(struct ecs_stream *s, uint32_t seq)
{
	if (s->started)
		return;
	s->started = true;
	s->next = seq + 1;
}

/* Hands over what of a segment is new; it must not be beyond what is expected. */
static void deliver(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len,
                    ecs_stream_fn *fn, void *arg)
{
	size_t old = (size_t)(uint32_t)(s->next - seq);

	if (old >= len)
		return;
	s->next += (uint32_t)(len - old);
	s->nfar = 0;
	if (s->all)
		s->since = s->all->now;
	fn(arg, data + old, len - old);
}

static void deliver_held(struct ecs_stream *s, ecs_stream_fn *fn, void *arg)
{
	while (s->held && seq_diff(s->held->seq, s->next) <= 0) {
		struct ecs_stream_seg *g = pop(s);

		deliver(s, g->seq, g->data, g->len, fn, arg);
		free(g);
	}
}

enum held { HELD, HELD_FULL, HELD_NO_MEMORY };

static enum held hold(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len)
{
	struct ecs_stream_seg *g, **at = &s->held;

	if (s->nheld == ECS_STREAM_HELD_MAX || len > ECS_STREAM_BYTES_MAX - s->held_bytes)
		return HELD_FULL;
	if (s->all && len > s->all->held_max - s->all->held)
		return HELD_NO_MEMORY;
	g = malloc(sizeof(*g) + len);
	if (!g)
		return HELD_NO_MEMORY;
	g->seq = seq;
	g->len = (uint32_t)len;
	memcpy(g->data, data, len);
	while (*at && seq_diff((*at)->seq, seq) <= 0)
		at = &(*at)->next;
	g->next = *at;
	*at = g;
	if (s->all) {
		if (!s->nheld)
			s->since = s->all->now;
		s->all->held += len;
	}
	s->nheld++;
	s->held_bytes += len;
	return HELD;
}

static void jump(struct ecs_stream *s, uint32_t seq, ecs_stream_fn *fn, void *arg)
{
	if (seq_diff(seq, s->next) <= 0)
		return;
	fn(arg, NULL, 0);
	s->next = seq;
}

/* Gives up waiting for what is missing before a segment that cannot be held. @return how many are
 * analyzed behind a gap */
static unsigned skip_gap(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len,
                         ecs_stream_fn *fn, void *arg)
{
	unsigned was = s->nheld;

	while (s->held && seq_diff(s->held->seq, seq) < 0) {
		jump(s, s->held->seq, fn, arg);
		deliver_held(s, fn, arg);
	}
	jump(s, seq, fn, arg);
	deliver(s, seq, data, len, fn, arg);
	deliver_held(s, fn, arg);
	return was - s->nheld + 1;
}

uint64_t ecs_stream_timer(struct ecs_stream *s, ecs_stream_fn *fn, void *arg)
{
	uint64_t waited, wait = SRP_MS(s->wait_ms ? s->wait_ms : ECS_STREAM_WAIT_MS);

	if (!s->held || !s->all)
		return 0;
	waited = srp_time_since(s->since, s->all->now);
	if (waited < wait)
		return (wait - waited) / 1000 + 1;
	COUNT(s, timer_expiry, 1);
	COUNT(s, flush_timer, s->nheld);
	while (s->held) {
		jump(s, s->held->seq, fn, arg);
		deliver_held(s, fn, arg);
	}
	return 0;
}

/* A segment ahead of what is expected. */
static void ahead(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len,
                  ecs_stream_fn *fn, void *arg)
{
	enum held h;
	unsigned n;

	COUNT(s, arrived, 1);
	/* one alone is none of this connection's; where so many are, the stream went on unseen */
	if (seq_diff(seq, s->next) > (int32_t)ECS_STREAM_RANGE &&
	    ++s->nfar <= ECS_STREAM_HELD_MAX) {
		COUNT(s, flush_out_of_range, 1);
		return;
	}
	h = hold(s, seq, data, len);
	if (h == HELD)
		return;
	n = skip_gap(s, seq, data, len, fn, arg);
	if (h == HELD_FULL) {
		COUNT(s, flush_queue_full, n);
	} else {
		COUNT(s, no_buffers, 1);
		COUNT(s, flush_no_buffers, n);
	}
}

void ecs_stream_push(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len,
                     ecs_stream_fn *fn, void *arg)
{
	if (len == 0)
		return;
	if (!s->started) {
		s->started = true;
		s->next = seq;
	}
	if (seq_diff(seq, s->next) > 0) {
		ahead(s, seq, data, len, fn, arg);
		return;
	}
	deliver(s, seq, data, len, fn, arg);
	deliver_held(s, fn, arg);
}

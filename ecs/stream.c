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

static struct ecs_stream_seg *pop(struct ecs_stream *s)
{
	struct ecs_stream_seg *g = s->held;

	s->held = g->next;
	s->nheld--;
	s->held_bytes -= g->len;
	return g;
}

void ecs_stream_fini(struct ecs_stream *s)
{
	while (s->held)
		free(pop(s));
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

static bool hold(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len)
{
	struct ecs_stream_seg *g, **at = &s->held;

	if (s->nheld == ECS_STREAM_HELD_MAX || len > ECS_STREAM_BYTES_MAX - s->held_bytes)
		return false;
	g = malloc(sizeof(*g) + len);
	if (!g)
		return false;
	g->seq = seq;
	g->len = (uint32_t)len;
	memcpy(g->data, data, len);
	while (*at && seq_diff((*at)->seq, seq) <= 0)
		at = &(*at)->next;
	g->next = *at;
	*at = g;
	s->nheld++;
	s->held_bytes += len;
	return true;
}

static void jump(struct ecs_stream *s, uint32_t seq, ecs_stream_fn *fn, void *arg)
{
	if (seq_diff(seq, s->next) <= 0)
		return;
	fn(arg, NULL, 0);
	s->next = seq;
}

/* Gives up waiting for what is missing before a segment that cannot be held. */
static void skip_gap(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len,
                     ecs_stream_fn *fn, void *arg)
{
	while (s->held && seq_diff(s->held->seq, seq) < 0) {
		jump(s, s->held->seq, fn, arg);
		deliver_held(s, fn, arg);
	}
	jump(s, seq, fn, arg);
	deliver(s, seq, data, len, fn, arg);
	deliver_held(s, fn, arg);
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
		if (!hold(s, seq, data, len))
			skip_gap(s, seq, data, len, fn, arg);
		return;
	}
	deliver(s, seq, data, len, fn, arg);
	deliver_held(s, fn, arg);
}

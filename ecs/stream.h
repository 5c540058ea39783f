/* stream: one direction of a TCP connection, in order, for analyzers that read its beginning. What
 * comes out of order is held in a small bounded queue; what that cannot hold is a gap. */
#ifndef ECS_STREAM_H
#define ECS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECS_STREAM_HELD_MAX   8u        /**< segments out of order */
#define ECS_STREAM_BYTES_MAX  16384u    /**< bytes of them */

struct ecs_stream_seg;

/** Zeroed: nothing seen. */
struct ecs_stream {
	uint32_t next;                /**< sequence number that is expected */
	bool started;
	uint8_t nheld;
	size_t held_bytes;
	struct ecs_stream_seg *held;  /**< by sequence number */
};

/** Gets bytes in order; borrowed for the call. Data of NULL: bytes before what follows are lost. */
typedef void ecs_stream_fn(void *arg, const uint8_t *data, size_t len);

/** The SYN was seen: its sequence number. */
void ecs_stream_syn(struct ecs_stream *s, uint32_t seq);
/** A segment with payload; without a SYN the first one begins the stream. */
void ecs_stream_push(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len,
                     ecs_stream_fn *fn, void *arg);
void ecs_stream_fini(struct ecs_stream *s);

#endif

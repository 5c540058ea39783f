/* stream: one direction of a TCP connection, in order, for analyzers that read its beginning. What
 * comes out of order is held in a small bounded queue; what that cannot hold is a gap. */
#ifndef ECS_STREAM_H
#define ECS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/call_debug.h"

#define ECS_STREAM_HELD_MAX   8u        /**< segments out of order */
#define ECS_STREAM_BYTES_MAX  16384u    /**< bytes of them */
#define ECS_STREAM_RANGE      1048576u  /**< bytes ahead; what is beyond is not held */
#define ECS_STREAM_WAIT_MS    5000u     /**< for what is missing, by default */
#define ECS_STREAMS_BYTES_MAX ((size_t)64 << 20) /**< held of all streams of an engine */

struct ecs_stream_seg;

/** What the streams of an engine share. */
struct ecs_streams {
	struct srp_time now;            /**< set before segments are pushed */
	size_t held, held_max;          /**< bytes of all of them */
	bool counted;                   /**< there is something in count */
	struct ecs_call_reorder count;  /**< taken from here, and zeroed, by the owner */
};

/** Zeroed: nothing seen. */
struct ecs_stream {
	struct ecs_streams *all;      /**< NULL: of nobody, nothing is counted */
	uint32_t wait_ms;             /**< 0: ECS_STREAM_WAIT_MS */
	uint32_t next;                /**< sequence number that is expected */
	bool started;
	uint8_t nheld;
	uint8_t nfar;                 /**< segments beyond the range since the last in order */
	size_t held_bytes;
	struct srp_time since;        /**< when it began to wait for what is missing */
	struct ecs_stream_seg *held;  /**< by sequence number */
};

/** Gets bytes in order; borrowed for the call. Data of NULL: bytes before what follows are lost. */
typedef void ecs_stream_fn(void *arg, const uint8_t *data, size_t len);

/** The SYN was seen: its sequence number. */
void ecs_stream_syn(struct ecs_stream *s, uint32_t seq);
/** A segment with payload; without a SYN the first one begins the stream. */
void ecs_stream_push(struct ecs_stream *s, uint32_t seq, const uint8_t *data, size_t len,
                     ecs_stream_fn *fn, void *arg);
/**
 * The timer of a stream that holds segments. Where what is missing has not come in time, what is
 * held is handed over behind gaps.
 *
 * @return milliseconds until it is to be called again; 0: nothing is held
 */
uint64_t ecs_stream_timer(struct ecs_stream *s, ecs_stream_fn *fn, void *arg);
/** Lets go what is held, unread: as the configuration has changed, or else. */
void ecs_stream_let_go(struct ecs_stream *s, bool svc_change);
void ecs_stream_fini(struct ecs_stream *s);

#endif

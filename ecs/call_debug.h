/* call_debug: what `show subscriber debug-info` says of one call line: the figures, and where they
 * are counted. None of it is checkpointed: a rebuilt call begins with zeroes, as the chapter says
 * of statistics. */
#ifndef ECS_CALL_DEBUG_H
#define ECS_CALL_DEBUG_H

#include "ecs/call_machine.h"
#include "srp/ckpt.h"

/** Checkpoints of one call to one destination. Times of 0: never. */
struct ecs_call_ckpt {
	uint32_t attempts;  /**< records (and deletions) handed to the transport */
	uint32_t successes; /**< of them, acknowledged by the other side */
	struct srp_time last_attempt, last_success;
};

enum ecs_call_ckpt_of {
	ECS_CALL_FULL,  /**< Full Checkpoint, 240 */
	ECS_CALL_MICRO, /**< every other kind, of the call, its bearers, flows and volumes */
	ECS_CALL_CKPT__N
};

/**
 * TCP segments that came out of order while a flow was being analyzed. Packets are forwarded as
 * they come, in any case: what is held, flushed and dropped are the analyzer's copies.
 */
#define ECS_CALL_REORDERS(X)                                                                     \
	X(timer_expiry, "Total timer expiry",                                                    \
	  "Times that a missing segment did not come within 5 seconds")                          \
	X(flush_timer, "Total flush (tmr expiry)",                                               \
	  "Segments behind such a gap: they were analyzed without what is missing")              \
	X(no_buffers, "Total no buffers", "Segments for which there was no memory")              \
	X(flush_no_buffers, "Total flush (no buffers)",                                          \
	  "Segments that were analyzed behind a gap for that reason")                            \
	X(flush_queue_full, "Total flush (queue full)",                                          \
	  "Segments that were analyzed behind a gap since the queue of their flow was full")     \
	X(flush_out_of_range, "Total flush (out of range)",                                      \
	  "Segments too far from what was expected: not analyzed")                               \
	X(flush_svc_change, "Total flush (svc change)",                                          \
	  "Segments let go because a change of the configuration, or of the service of the "     \
	  "flow, took away the rule that wanted them")                                           \
	X(drop, "Total out-of-seq pkt drop",                                                     \
	  "Segments let go unread, since the analysis ended before their turn")                  \
	X(arrived, "Total out-of-seq arrived",                                                   \
	  "Segments that came before their turn; each is in one of the others, or was put in "   \
	  "its place")

struct ecs_call_reorder {
#define X(name, label, help) uint32_t name;
	ECS_CALL_REORDERS(X)
#undef X
};

/** Datagrams of IPv4 in fragments. They are followed, not held: "reassembled" is a datagram of
 *  which all fragments were seen. */
struct ecs_call_reassembly {
	uint32_t success;
	uint32_t in_progress;
	uint32_t timeout;    /**< not complete within ECS_FRAG_LIFE_S */
	uint32_t no_buffers; /**< given up for another datagram: the table is full */
	uint32_t other;      /**< fragments that contradict each other, or too many pieces */
};

/** Entries of redirected flows (`flow action redirect-url`). */
struct ecs_call_redirect {
	uint32_t allowed; /**< ECS_REDIRECTS_MAX, of the session manager */
	uint32_t current, added;
	uint32_t deleted; /**< ended with their flow */
	uint32_t revoked; /**< ended because the address went to a different subscriber */
	uint32_t refused; /**< not made: the session manager had as many as are allowed */
};

#define ECS_REDIRECTS_MAX 2000u

/** Filled by ecs_session_debug(). */
struct ecs_session_debug {
	bool recreated;                /**< false: `Original Session` */
	/** By destination: the peer chassis, and the aaamgr of this instance. */
	struct ecs_call_ckpt ckpt[SRP_REPLICA__N][ECS_CALL_CKPT__N];
	uint8_t state;                 /**< enum ecs_call_state */
	uint8_t refused;               /**< events that the machine refused; stays at 255 */
	size_t nsteps;
	struct ecs_call_step step[ECS_CALL_TRACE_MAX]; /**< oldest first */
	struct ecs_call_reorder reorder;
	struct ecs_call_reassembly reassembly;
	struct ecs_call_redirect redirect;
};

/** Milliseconds since @p at; 0 for never. */
static inline uint64_t ecs_call_age_ms(struct srp_time at, struct srp_time now)
{
	return at.us ? srp_time_since(at, now) / 1000 : 0;
}

#endif

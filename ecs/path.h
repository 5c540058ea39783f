/* path: a packet's way through an active engine. */
#ifndef ECS_PATH_H
#define ECS_PATH_H

#include "ecs/engine_impl.h"

/** Flows at once, of one session and of an engine; beyond them packets of new flows are charged by
 *  L3/L4 lines. */
#define ECS_SESSION_FLOWS_MAX 65536u
#define ECS_FLOWS_MAX         8388608u
/** Flows being analyzed at once, of one session and of an engine; beyond them new flows have L3/L4
 *  lines only. What one of them can hold is bounded by its analyzers: some 40 KiB. */
#define ECS_SESSION_ANALYSES_MAX 4096u
#define ECS_ANALYSES_MAX         524288u

/** One packet and what is known of it so far. */
struct ecs_way {
	const struct ecs_packet *p;
	struct ecs_session *s;
	struct ecs_flow *f;      /**< NULL: charged without a flow */
	struct srp_time now;
	uint64_t pkts, bytes;    /**< of a super-packet: those of its segments */
	uint16_t line;           /**< verdict, ECS_LINE_NONE for `(no rule)` */
	uint16_t ref;            /**< of the line; ECS_REF_NONE: to be looked up */
	bool bypassed;           /**< by the cached verdict */
	bool pending;            /**< by the L3/L4 rule while control was pending */
	bool held;               /**< forwarded before, charged now: no discard any more */
	bool request;            /**< an HTTP request became complete with it */
	bool changed;            /**< something that the flow's checkpoint carries */
};

/** Parses, classifies and charges one packet. */
enum ecs_verdict ecs_path(struct ecs_engine *e, const uint8_t *pkt, size_t len, enum ecs_dir dir,
                          uint16_t gso_size, struct srp_time now);
struct ecs_analysis;
/** A segment that an analyzer waits for has not come in time. */
void ecs_path_reorder(struct ecs_engine *e, struct ecs_analysis *a, struct srp_time now);
/** Packets and bytes of the segments of a super-packet (R14). */
void ecs_charge_segments(const struct ecs_packet *p, uint16_t gso_size, uint64_t *pkts,
                         uint64_t *bytes);
/**
 * Charges a packet by its line: per-rule counters, and volumes of rule, content-id and session.
 * What the action discards counts as a hit and is not charged.
 */
enum ecs_verdict ecs_charge(struct ecs_engine *e, const struct ecs_way *w);
/** Keeps a packet of the handshake for the application's rule (`flow control-handshaking
 *  charge-to-application initial-packets` or `all-packets`). False: it is to be charged now. */
bool ecs_charge_hold(struct ecs_engine *e, const struct ecs_way *w);

#endif

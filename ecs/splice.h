/* splice: `flow action url-readdress`. A connection stands with the server that its subscriber named when
 * its first request says what it is for. That request is kept back while a connection with another server
 * is opened in the subscriber's name, from the byte before the request on, with the options that the first
 * server has agreed to. Then the request goes there, the first server gets a reset, and what the two
 * servers count from is translated for the life of the connection (splice.c): both ends of it do their
 * own TCP, nothing is kept here. Where the other server does not answer, or does not agree to the same, the
 * request goes to the first one after all (splices.c).
 *
 * None of it is checkpointed: after a recovery packets leave with what they came with, for a server that
 * has no such connection any more. */
#ifndef ECS_SPLICE_H
#define ECS_SPLICE_H

#include "ecs/engine_impl.h"

/* --- splice.c: options and numbers -------------------------------------------------------------- */

#define ECS_SPLICE_OPTIONS_MAX 24u /**< bytes of options of a SYN that is made */

/** What a segment of TCP says beside its data. */
struct ecs_splice_tcp {
	uint16_t mss;      /**< 0: not said */
	uint8_t scale;     /**< of the window, at most 14; where scales */
	bool scales, sack; /**< of a SYN: offered */
	bool stamped;
	bool ecn;          /**< of a SYN: offered, of its answer: agreed to */
	bool other;        /**< an option that changes what else is in the connection */
	uint32_t stamp, echo; /**< where stamped */
	uint16_t window;   /**< as it is in the header */
};

/** How a connection differs at the other server. Zeroed: it does not. */
struct ecs_splice_map {
	uint32_t seq;      /**< added to what the other server counts, as the subscriber has it */
	int up, down;      /**< powers of two by which windows are greater there, here */
	bool stamped;
	uint32_t stamp;    /**< last time of the first server that the subscriber knows */
	uint32_t other;    /**< and that of the other which is the same */
};

/** Reads the header of a segment that is there as a whole; false: it is cut, or its options make no sense. */
bool ecs_splice_read(const struct ecs_packet *p, struct ecs_splice_tcp *out);
/** Options of a SYN for what @p sub has offered and @p first has agreed to, with the subscriber's time
 *  @p stamp; returns how many bytes. */
size_t ecs_splice_offer(const struct ecs_splice_tcp *sub, const struct ecs_splice_tcp *first,
                        uint32_t stamp, uint8_t out[ECS_SPLICE_OPTIONS_MAX]);
/** The option of a segment with both times. */
size_t ecs_splice_stamp(uint32_t stamp, uint32_t echo, uint8_t out[ECS_SPLICE_OPTIONS_MAX]);
/**
 * Whether the other server agreed to what the first one had. @p map gets what differs in windows; seq and
 * times are the caller's.
 */
bool ecs_splice_fits(const struct ecs_splice_tcp *sub, const struct ecs_splice_tcp *first,
                     const struct ecs_splice_tcp *other, struct ecs_splice_map *map);
/** A window as it is in a header, @p by powers of two smaller or greater. */
uint16_t ecs_splice_window(uint16_t window, int by);
/**
 * Writes into the header of a segment what its receiver is to read: uplink what it acknowledges, downlink
 * where it begins; windows and times.
 *
 * @param p  the packet, downlink with the sequence number that the subscriber knows
 */
void ecs_splice_translate(struct ecs_raw *r, const struct ecs_packet *p,
                          const struct ecs_splice_map *map);

/* --- splices.c: connections --------------------------------------------------------------------- */

#define ECS_SPLICE_WATCHED_MAX 131072u      /**< that have said nothing yet, of an engine: others with a
                                                 ecs_flow_more are to have a place beside them */
#define ECS_SPLICE_PACKETS    32u           /**< kept back, of one flow */
#define ECS_SPLICE_FLOW_BYTES (128u * 1024)
#define ECS_SPLICE_CALL_BYTES (1024u * 1024)
#define ECS_SPLICE_BYTES      (32u * 1024 * 1024) /**< of an engine */
#define ECS_SPLICE_SYN_MS     1000u         /**< for an answer, then it is sent again */
#define ECS_SPLICE_SYNS       3u            /**< then the first server has the request */
#define ECS_SPLICE_HEADER_MS  1000u         /**< for the rest of the header of a request */
#define ECS_SPLICE_LATE_MS    10000u        /**< for what comes of the other server after that */

struct ecs_way;
struct ecs_splice_held;

enum ecs_splice_phase {
	ECS_SPLICE_WATCHED, /**< until its first byte: what both ends offer is noted */
	ECS_SPLICE_GATHERS, /**< its first request has begun, what it is for is not known: it is kept back */
	ECS_SPLICE_OPENING, /**< it goes to another server, which was sent a SYN */
	ECS_SPLICE_JOINED,  /**< that has agreed, and is the connection's server */
	ECS_SPLICE_FAILED   /**< it has not: what still comes of it is not for the subscriber */
};

struct ecs_splice {
	uint8_t phase;           /**< enum ecs_splice_phase */
	uint8_t syns;            /**< sent to the other server */
	uint8_t bearer;          /**< of what is kept back */
	bool answered;           /**< by the first server */
	struct ecs_flow *flow;
	struct ecs_splice_tcp sub, first;
	uint32_t isn, first_isn, other_isn;
	uint32_t stamp;          /**< last time of the subscriber; that of the first server is in map */
	uint16_t window;         /**< of the subscriber, as in its last header */
	struct ecs_splice_map map;
	struct ecs_splice_held *held; /**< NULL: nothing yet */
	struct srp_list in_engine; /**< while something is kept back */
	struct ecs_wheel_node wait;
};

/** The flow of a SYN was made: what it offers is kept until it is known where its request goes. */
void ecs_splice_watch(struct ecs_engine *e, struct ecs_way *w);
/** A packet of a server, of a flow that has a splice: true: it is not one for the subscriber. Else
 *  it is shown as the subscriber counts. */
bool ecs_splice_takes(struct ecs_engine *e, struct ecs_way *w);
/** What was kept back of a flow goes on now (ECS_ENDS_HELD). True: the flow has ended by that. */
bool ecs_splice_go_on(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);
/** What the subscriber acknowledges, as the server of its flow counts. */
uint32_t ecs_splice_ack(const struct ecs_flow *f, uint32_t ack);
/** Its timer has run out. */
void ecs_splice_late(struct ecs_engine *e, struct ecs_splice *sp, struct srp_time now);
/** The flow ends, or was taken over: what was kept back is dropped. */
void ecs_splice_drop(struct ecs_engine *e, struct ecs_flow *f);
/** The role is lost: the same for all that keep something. */
void ecs_splices_clear(struct ecs_engine *e);

#endif

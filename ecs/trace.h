/* trace: which rule charged a packet, and what became of it, packet by packet, for the calls of which
 * that was asked: rows of a ring, the oldest of which give way.
 *
 * A packet has one row, written when it is charged or ended; or one that says that it is held, and
 * another when it is charged, or ended, after all. */
#ifndef ECS_TRACE_H
#define ECS_TRACE_H

#include "ecs/packet.h"
#include "ecs/rule/action.h"
#include "srp/time.h"

struct ecs_engine;
struct ecs_flow;
struct ecs_way;

#define ECS_TRACE_ROWS_MIN 64u
#define ECS_TRACE_ROWS     4096u /**< where no number is given */
#define ECS_TRACE_ROWS_MAX 65536u
#define ECS_TRACE_ASKS_MAX 16u   /**< calls and subscribers at the same time */

/** Whose packets are traced: those of one call, of one subscriber (sessions to come too), or all. */
struct ecs_trace_ask {
	uint32_t callid; /**< 0: it is the IMSI that counts; without that too, all */
	char imsi[16];
};

/** What outlives the process: in the task's slab. */
struct ecs_trace_kept {
	uint64_t seq;    /**< of the last row */
	uint64_t start;  /**< of the last row before the ring was last emptied */
	uint32_t size, rows; /**< of the ring; in it */
	uint32_t all;    /**< all packets are asked for */
	uint32_t n;      /**< of @ref ask */
	struct ecs_trace_ask ask[ECS_TRACE_ASKS_MAX];
};

enum ecs_trace_fate {
#define ECS_TRACE_FATE(sym, text, help) ECS_TRACE_##sym,
#include "ecs/trace.def"
	ECS_TRACE_FATE__N
};

/** By what; from ECS_TRACE_STAGES on: a stage of enforce.def. */
enum ecs_trace_by {
#define ECS_TRACE_BY(sym, text, help) ECS_TRACE_BY_##sym,
#include "ecs/trace.def"
	ECS_TRACE_STAGES
};

struct ecs_trace_row {
	uint64_t seq;            /**< from 1; those of a successor of the process go on */
	uint64_t packet;         /**< row in which the packet was first seen; 0: not known */
	uint64_t held_before;    /**< of a held row: that of the same flow before it; 0: none */
	struct srp_time at;
	uint32_t callid, flow_id; /**< flow_id: 0 none */
	uint8_t dir, proto, frag, bearer;
	uint8_t fate, by, ends;  /**< ends: of ecs_way.ends */
	bool charged, recovered, bypassed, pending, late, anew;
	uint32_t did;            /**< ECS_STAGE_BIT: stages that acted on it */
	struct ecs_addr subscriber, server; /**< as the subscriber sees it */
	uint16_t subscriber_port, server_port;
	uint32_t content_id, rating_group;
	uint64_t len;            /**< bytes of the IP packet as it came */
	uint64_t pkts, bytes;    /**< as charged */
	/* as it came */
	uint32_t ip_id, tcp_seq, tcp_ack;
	uint8_t tcp_flags;
	uint32_t payload_len, payload_crc; /**< behind the transport header; CRC-32 of ISO 3309 */
	char rule[ECS_NAME_MAX + 1], action[ECS_NAME_MAX + 1];
};

/**
 * Begins (@p on) or ends tracing. The first that is asked for empties the ring; what is in it when
 * nothing is asked for any more can still be read. Ending all ends the rest too.
 *
 * @param size  rows of the ring, ECS_TRACE_ROWS_MIN to ECS_TRACE_ROWS_MAX; the newest stay. 0: as it is
 * @return 0; SRP_ENOSESS (no such call here), SRP_ENOENT (to be ended, and was not asked for),
 *         SRP_EFULL (too many at the same time), SRP_ERANGE, SRP_ENOMEM: nothing has changed
 */
int ecs_trace_ask(struct ecs_engine *e, const struct ecs_trace_ask *ask, bool on, uint32_t size);
/**
 * What is asked for is kept in @p kept from here on; what a predecessor of the process has left there
 * is asked for again, if it can be read. Its rows are lost.
 * @return 0 or SRP_ENOMEM
 */
int ecs_trace_keep(struct ecs_engine *e, struct ecs_trace_kept *kept);
/** What is traced; NULL: nothing ever was. */
const struct ecs_trace_kept *ecs_trace_state(const struct ecs_engine *e);
/** The oldest row behind @p after that is there, of @p callid or (0) of any call; NULL: none. Good
 *  until the next packet. */
const struct ecs_trace_row *ecs_trace_next(const struct ecs_engine *e, uint64_t after,
                                           uint32_t callid);

const char *ecs_trace_fate_text(uint8_t fate);
const char *ecs_trace_by_text(uint8_t by);
/** What of ecs_way.ends is over with the packet: "flow", "session", "rulebase" (its session gets another
 *  one) or nothing. */
const char *ecs_trace_ends_text(uint8_t ends);
/** The names of stages, with commas between. */
#define ECS_TRACE_DID_MAX 160u
const char *ecs_trace_did_text(uint32_t did, char *out, size_t cap);

/* --- for the packet path: only where e->tracing ------------------------------------------------- */

/** A packet comes, from the IP header on; borrowed until it is done with. @p packet: the row of a held
 *  one that goes on; 0. */
void ecs_trace_arrives(struct ecs_engine *e, const uint8_t *ip, size_t len, enum ecs_dir dir,
                       uint64_t packet);
/** Before anything is done to it: true where it is to be traced. */
bool ecs_trace_begins(struct ecs_engine *e, const struct ecs_way *w);
/** A stage (a number of enforce.def) acted on the packet, or stopped it. */
void ecs_trace_did(struct ecs_engine *e, unsigned stage, bool stopped);
/** Its stage keeps it back as a whole, or (false) does not after all. @return the row that it will
 *  have; 0: it is not traced */
uint64_t ecs_trace_keeps(struct ecs_engine *e, bool held);
/** It would begin a flow, and may not. */
void ecs_trace_refused(const struct ecs_engine *e, enum ecs_trace_by by);
/** It is charged, or stopped. */
void ecs_trace_charged(struct ecs_engine *e, const struct ecs_way *w, bool stopped);
/** It is forwarded and will be charged later. @p last: row of the one held before it; 0.
 *  @return its own row */
uint64_t ecs_trace_held(struct ecs_engine *e, const struct ecs_way *w, uint64_t last);
/** What was held of a flow is charged now: @p w one for each direction, with the sums; @p last: row of
 *  the packet held last. */
void ecs_trace_released(struct ecs_engine *e, const struct ecs_way *w, uint64_t last);
/** A packet that was held as a whole does not go on: @p stage keeps it. */
void ecs_trace_stopped(struct ecs_engine *e, const struct ecs_way *w, unsigned stage);
/** The packet at hand has its row, whatever was done since. */
void ecs_trace_done(struct ecs_engine *e);
/** The packet at hand was dropped; a row is written if there is none yet. */
void ecs_trace_dropped(struct ecs_engine *e, struct srp_time now);
void ecs_trace_free(struct ecs_engine *e);

#endif

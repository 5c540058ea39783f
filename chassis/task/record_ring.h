/* record_ring: records on their way from a session manager to cdrmod: a queue in memory that outlives
 * both. One writer, one reader. A record is in it whole or not at all, whenever the writer dies; the
 * reader trusts none of it. What is put in is held until the peer chassis knows as much (release);
 * what is read stays until it is in a file (the reader's tail). */
#ifndef CHASSIS_TASK_RECORD_RING_H
#define CHASSIS_TASK_RECORD_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/tally.h"

#define CHASSIS_RECORDS_BYTES (16ull << 20) /**< of the queue of a session manager */
#define CHASSIS_RECORD_KEYS   65536u        /**< ends of flows and sessions remembered in it */

struct chassis_ring;

/** What a queue holds, for gauges. */
struct chassis_ring_look {
	uint64_t held;    /**< bytes that wait for the peer */
	uint64_t waiting; /**< bytes that wait for a file */
	uint64_t room;    /**< bytes in all */
};

/** Opens a queue in memory of @p len bytes, zeroed or left by a predecessor; formats what it cannot read.
 *  NULL: no memory, or less than a queue needs. @p mem stays the caller's. */
struct chassis_ring *chassis_ring_open(void *mem, size_t len);
void chassis_ring_close(struct chassis_ring *r);
struct chassis_ring_look chassis_ring_look(const struct chassis_ring *r);

/* --- the writer --- */

/** Puts a record in; false: there is no room. */
bool chassis_ring_put(struct chassis_ring *r, const struct ecs_record *rec);
/** Where the next record will be. */
uint64_t chassis_ring_head(const struct chassis_ring *r);
/** Gives the reader all before @p upto. */
void chassis_ring_release(struct chassis_ring *r, uint64_t upto);
/** Whether the last record of a flow, or of a session (0), was put in, as far as it is remembered. */
bool chassis_ring_has_key(struct chassis_ring *r, uint32_t callid, uint32_t flow_id);
/** A record that is not in a file, by chassis_ring_head() before it was put in: it is not wanted any more.
 *  False: it is in a file already, or on its way there. */
bool chassis_ring_withdraw(struct chassis_ring *r, uint64_t at);
/** The same of all that is held; returns how many. */
size_t chassis_ring_withdraw_held(struct chassis_ring *r);
/** While it is on the reader finds nothing. */
void chassis_ring_pause(struct chassis_ring *r, bool on);
/** What was ended is remembered no more. */
void chassis_ring_keys_forget(struct chassis_ring *r);
/** From here on it is looked up in all that is remembered now. */
void chassis_ring_keys_read(struct chassis_ring *r);

/* --- the reader --- */

/** A record as it lies in the queue; borrowed. */
struct chassis_ring_record {
	enum ecs_record_stream stream;
	char format[ECS_NAME_MAX + 1];
	const char *header, *line;
	size_t header_len, line_len;
	uint64_t next;      /**< where the one behind it is */
};
/** The record at @p at: 1; 0 there is none yet; -1: what is there cannot be read. In any case @p out->next is
 *  where to go on. */
int chassis_ring_read(const struct chassis_ring *r, uint64_t at, struct chassis_ring_record *out);
/** All before this is in files. */
uint64_t chassis_ring_tail(const struct chassis_ring *r);
void chassis_ring_done(struct chassis_ring *r, uint64_t upto);

#endif

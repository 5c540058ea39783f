/* beats: datagrams that say "alive" every hello interval, where the dead interval is below a second.
 * Keyed from the TLS session of the connection beside them, so that nobody else can beat (R9). */
#ifndef CHASSIS_TASK_BEATS_H
#define CHASSIS_TASK_BEATS_H

#include <ev.h>

#include "chassis/task/slab.h"
#include "srp/beat.h"
#include "srp/counters.h"
#include "srp/time.h"

struct chassis_beats;
struct chassis_conn;

struct chassis_beats_config {
	struct ev_loop *loop;
	int fd;                      /**< bound UDP socket */
	const struct chassis_srp_config *srp;
	uint16_t port;               /**< of the peer's socket: the same as ours */
	unsigned chassis_bit, instance;
	struct srp_counters *counters;
	/** Fills role, term, incarnation and backlog before each beat. */
	void (*fill)(void *owner, struct srp_beat *out);
	/** A beat of the peer was accepted. */
	void (*heard)(void *owner, const struct srp_beat *beat);
	void *owner;
};

/** What the instance of @p slab tells of its backlog. */
void chassis_backlog(const struct chassis_slab *slab, struct srp_backlog_figure *out);
/** True when the configured dead interval needs beats. */
bool chassis_beats_needed(const struct chassis_srp_config *srp);
/** Starts receiving; sending begins with a key. NULL without memory. */
struct chassis_beats *chassis_beats_new(const struct chassis_beats_config *conf);
/** Takes the key from the connection that has just come up; NULL: it is down, and nothing is sent. */
void chassis_beats_key(struct chassis_beats *b, const struct chassis_conn *conn);
/** Which peer is expected: its incarnation, from its hello; 0: any (an instance has no hello of its own). */
void chassis_beats_peer(struct chassis_beats *b, uint64_t incarnation);

#endif

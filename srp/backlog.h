/* backlog: what the peer says that we have not acknowledged, and how much it can have lost when nothing
 * more is heard of it: what it said last, and what it may have charged since then. */
#ifndef SRP_BACKLOG_H
#define SRP_BACKLOG_H

#include <stdint.h>

#include "srp/time.h"

/** Least time over which octets are counted for a rate. */
#define SRP_BACKLOG_RATE_MS 100u

/** As HELLO and beats carry it, of one instance or of all. */
struct srp_backlog_figure {
	uint64_t objects, bytes; /**< records not acknowledged, and an estimate of their bytes */
	uint64_t octets;         /**< of subscribers' traffic: charged, and the volume not acknowledged */
	uint64_t charged;        /**< the same traffic, all of it since the start: it only grows */
};

struct srp_backlog {
	struct srp_backlog_figure last;
	uint64_t incarnation;    /**< whose it is */
	struct srp_time at;      /**< when it was heard; 0: never */
	struct srp_time since;   /**< octets are counted from here, */
	uint64_t base;           /**< and were so many then */
	uint64_t rate[2];        /**< octets in a millisecond, rounded up: of the last time, of the one before */
};

/** Adds the figure of one more instance; what does not fit stays at the most. */
void srp_backlog_add(struct srp_backlog_figure *sum, const struct srp_backlog_figure *f);
/** A figure was heard. Another incarnation begins a new count; one with less @c charged than before was
 *  overtaken by a later one, and says nothing. */
void srp_backlog_heard(struct srp_backlog *b, uint64_t incarnation, const struct srp_backlog_figure *f,
                       struct srp_time now);
/** Octets in a second: the higher of the last two times of SRP_BACKLOG_RATE_MS or more; 0: not known. */
uint64_t srp_backlog_rate(const struct srp_backlog *b);
/** Octets of subscribers' traffic that can have been lost: those not acknowledged, and the rate for as
 *  long as nothing was heard. */
uint64_t srp_backlog_at_most(const struct srp_backlog *b, struct srp_time now);

#endif

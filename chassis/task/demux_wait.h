/* demux_wait: requests for new sessions that came while a session manager's sessions are being recovered:
 * they wait, and are carried out after it. In order, bounded. */
#ifndef CHASSIS_TASK_DEMUX_WAIT_H
#define CHASSIS_TASK_DEMUX_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "srp/time.h"

#define DEMUX_WAIT_MAX 16384u       /**< requests */
#define DEMUX_WAIT_US  SRP_SEC(10)  /**< longer none waits: whoever asked has given up */

/** One of them. */
struct demux_waiting {
	STAILQ_ENTRY(demux_waiting) link;
	uint32_t id;           /**< of sct's request */
	struct srp_time since;
	size_t len;
	uint8_t body[];        /**< the session, as it was asked for */
};

struct demux_wait {
	STAILQ_HEAD(, demux_waiting) head;
	size_t n;
};

void demux_wait_init(struct demux_wait *w);
/** 0; SRP_EFULL above DEMUX_WAIT_MAX; SRP_ENOMEM. @p body is copied. */
int demux_wait_put(struct demux_wait *w, uint32_t id, const uint8_t *body, size_t len,
                   struct srp_time now);
/** The one that has waited longest, or NULL; stays the queue's. */
const struct demux_waiting *demux_wait_first(const struct demux_wait *w);
/** True when it has waited too long. */
bool demux_wait_late(const struct demux_waiting *q, struct srp_time now);
/** Forgets the first; nothing where there is none. */
void demux_wait_pop(struct demux_wait *w);

#endif

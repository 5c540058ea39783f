/* sess_held: packets that wait, in order, bounded: those that came before their session, as a session manager
 * in the place of a dead one gets its sessions from the peer, and forwards meanwhile what it can; and those
 * that leave when the peer knows what they rest on. */
#ifndef CHASSIS_TASK_SESS_HELD_H
#define CHASSIS_TASK_SESS_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "chassis/io/tun.h"
#include "srp/time.h"

#define SESS_HELD_MAX   4096u              /**< packets */
#define SESS_HELD_BYTES (8u * 1024 * 1024) /**< of them, together */

/** One of them. */
struct sess_held_pkt {
	STAILQ_ENTRY(sess_held_pkt) link;
	enum ecs_dir dir;
	struct chassis_tun_pkt p; /**< its packet lies behind */
	/* of those that wait for the peer */
	int fd;                   /**< they are written there */
	uint64_t mark;            /**< recovery_replica_confirmed() */
	struct srp_time at;
	uint8_t ip[];
};

struct sess_held {
	STAILQ_HEAD(, sess_held_pkt) head;
	size_t n, bytes;
};

void sess_held_init(struct sess_held *h);
/** Keeps a copy behind all others; false where it is one too many, or there is no memory. */
bool sess_held_put(struct sess_held *h, enum ecs_dir dir, const struct chassis_tun_pkt *p);
/** The same, and gives it to be filled in; NULL where it is one too many. */
struct sess_held_pkt *sess_held_add(struct sess_held *h, enum ecs_dir dir,
                                    const struct chassis_tun_pkt *p);
/** The first, to be looked at; NULL: there is none. */
struct sess_held_pkt *sess_held_first(struct sess_held *h);
/** Takes the first out, or NULL; the caller frees it, or puts it back. */
struct sess_held_pkt *sess_held_take(struct sess_held *h);
/** Puts one that was taken behind all others. */
void sess_held_back(struct sess_held *h, struct sess_held_pkt *k);

#endif

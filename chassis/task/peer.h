/* peer: one TCP connection to the peer chassis, kept up: the control connection (vpnmgr) or that of an
 * instance (sessmgr). The chassis with the higher bind address connects, the other accepts, so that
 * two connections never cross. A newer connection of the peer replaces the older one (R2). */
#ifndef CHASSIS_TASK_PEER_H
#define CHASSIS_TASK_PEER_H

#include <ev.h>
#include <sys/socket.h>

#include "chassis/io/conn.h"
#include "chassis/task/slab.h"

struct chassis_peer;

struct chassis_peer_ops {
	/** Authenticated and usable. */
	void (*up)(void *owner);
	/** Gone. @p eof: an orderly or forced end of the stream (not a time-out or a refusal). */
	void (*down)(void *owner, bool eof, const char *why);
	unsigned (*state)(void *owner);
	int (*rx)(void *owner, const struct srp_frame_hdr *h, const uint8_t *body);
	/** NULL: only chassis_peer_send. */
	size_t (*tx)(void *owner, uint8_t *buf, size_t cap, bool *more);
	/** The socket takes nothing more for now; NULL is permitted. */
	void (*full)(void *owner);
};

struct chassis_peer_config {
	struct ev_loop *loop;
	const struct chassis_srp_config *srp;
	struct chassis_tls *tls;
	int listen_fd;              /**< used by the accepting side; -1 on the connecting one */
	uint16_t port;
	unsigned chassis_bit;       /**< 1 connects, 0 accepts */
	const struct srp_frame_table *table;
	const char *what;           /**< for the log: "control", "instance 3" */
	struct chassis_task_counters *counters;
	struct srp_counters *srp_counters; /**< counts the frames that ended a connection, by reason */
	const struct chassis_peer_ops *ops;
	void *owner;
};

/** Starts at once; NULL without memory. @p conf is copied, what it points to is kept. */
struct chassis_peer *chassis_peer_new(const struct chassis_peer_config *conf);
void chassis_peer_free(struct chassis_peer *p);
/** Closes the connection, if there is one; it is made again as after a loss. ops->down is not called. */
void chassis_peer_reset(struct chassis_peer *p, const char *why);
/** The connection that is up, or NULL. */
struct chassis_conn *chassis_peer_conn(const struct chassis_peer *p);
void chassis_peer_kick(struct chassis_peer *p);
/** SRP_ENOENT while down. */
int chassis_peer_send(struct chassis_peer *p, uint8_t type, const struct srp_mp_w *body);

/** Fills @p ss for @p a and @p port; returns its length. */
socklen_t chassis_sockaddr(const struct ecs_addr *a, uint16_t port, struct sockaddr_storage *ss);

/** 0 for the chassis with the lower bind address, 1 for the other; 0 without SRP. */
unsigned chassis_bit(const struct chassis_config *c);

#endif

/* conn: frames over a stream descriptor: a socketpair between tasks, or TCP with TLS to the peer.
 * Reads are bounded per wake-up; writing is pulled: when the socket takes bytes, the owner is asked
 * for more, so that what is queued stays an object and a burst costs one record (DESIGN 3). */
#ifndef CHASSIS_IO_CONN_H
#define CHASSIS_IO_CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "srp/frame.h"
#include "srp/time.h"

struct chassis_conn;
struct chassis_tls;

struct chassis_conn_ops {
	/** The stream is usable: at once for a socketpair, after handshake and identity check for TLS. */
	void (*up)(void *owner, struct chassis_conn *c);
	/** State for the frame table's permission bits. NULL: 0. */
	unsigned (*state)(void *owner);
	/** One whole frame; @p fd is a passed descriptor (taken by the callee) or -1. A negative
	 *  return closes the connection (down follows). */
	int (*rx)(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd);
	/** Writes whole frames to @p buf; 0: nothing now. NULL: only chassis_conn_send is used. */
	size_t (*tx)(void *owner, uint8_t *buf, size_t cap, bool *more);
	/** The socket takes nothing more for now: ops->tx is asked again when it does. NULL is permitted. */
	void (*full)(void *owner);
	/** The connection is gone, for the reason @p why; @p err a negative code: SRP_ECLOSED (end of
	 *  file or reset: nobody holds the other end any more), SRP_EPEER (the other end said that it
	 *  closes, or refuses us), SRP_EAUTH (we refuse its identity), SRP_ETIMEOUT, SRP_EIO, a refusal
	 *  of srp_frame_peek, or what rx returned. The conn frees itself after the call. */
	void (*down)(void *owner, int err, const char *why);
};

/**
 * Takes @p fd (made non-blocking) and starts.
 *
 * @param tls    NULL: plain (descriptors can be passed)
 * @param server with tls: accept, else connect; a TCP connect may still be under way on @p fd
 * @return NULL without memory; then @p fd is closed
 */
struct chassis_conn *chassis_conn_new(struct ev_loop *loop, int fd, struct chassis_tls *tls,
                                      bool server, const struct srp_frame_table *table,
                                      const struct chassis_conn_ops *ops, void *owner);
/** Permits passed descriptors (plain only). Without it one that arrives ends the connection. */
void chassis_conn_accept_fds(struct chassis_conn *c, bool on);
/** Closes; ops->down is not called. Safe inside a callback. NULL is permitted. */
void chassis_conn_close(struct chassis_conn *c);
/** Reads all that has arrived, past the budget of a wake-up: where the other end is known to be dead, this is
 *  all that will ever come. ops->rx and ops->down are called from within. NULL is permitted. */
void chassis_conn_drain(struct chassis_conn *c);
/** Something to send has appeared: ops->tx will be asked from the loop. */
void chassis_conn_kick(struct chassis_conn *c);
/** Asks ops->tx now, and not from the loop, and writes what the socket takes: for what must have left this
 *  process before something else is done. */
void chassis_conn_flush(struct chassis_conn *c);
/**
 * Queues one small frame (control traffic, IPC), with a descriptor to pass or -1 (duplicated).
 * @return 0, SRP_ENOSPC above the queue's mark, SRP_EFULL without a descriptor for @p fd (errno), SRP_ENOMEM
 */
int chassis_conn_send(struct chassis_conn *c, uint8_t type, const void *body, size_t len, int fd);
/** Bytes waiting to be written. */
size_t chassis_conn_queued(const struct chassis_conn *c);
int chassis_conn_fd(const struct chassis_conn *c);
/** Wire bytes so far (below TLS: what was read and written on the descriptor). */
void chassis_conn_bytes(const struct chassis_conn *c, uint64_t *rx, uint64_t *tx);
/** Key material of the TLS session for datagram beats (RFC 5705 exporter); 0 or SRP_ESTATE. */
int chassis_conn_export(const struct chassis_conn *c, const char *label, uint8_t *key, size_t len);

/**
 * Moves a descriptor above those of devices, and returns it (or @p fd, where that fails). The kernel lets a
 * dying process's descriptors go from the highest down, and a TUN device takes it tens of milliseconds:
 * the peer must see the end of our streams before that.
 */
int chassis_fd_high(int fd);

/** Monotonic now. */
struct srp_time chassis_now(void);

#endif

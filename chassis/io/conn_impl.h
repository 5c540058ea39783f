/* conn_impl: what the parts of conn share. conn.c: life and watchers; conn_rx.c: bytes to frames;
 * conn_tx.c: frames to bytes. */
#ifndef CHASSIS_IO_CONN_IMPL_H
#define CHASSIS_IO_CONN_IMPL_H

#include <stdarg.h>
#include <sys/queue.h>

#include "chassis/io/conn.h"
#include "chassis/io/tls_session.h"

/** In a frame's flags on a plain connection: a descriptor comes with it. Never shown to owners. */
#define CONN_F_FD       0x80u
#define CONN_FDS_MAX    8u            /**< descriptors that came, waiting for their frames to be whole */
#define CONN_RX_CAP     (64u * 1024)
#define CONN_TX_CAP     (96u * 1024)  /**< plain: a write and a frame more */
#define CONN_WRITE      (64u * 1024)  /**< what one write(2) takes */
#define CONN_QUEUE_MAX  (4u * 1024 * 1024) /**< of chassis_conn_send */
#define CONN_RX_BYTES   (256u * 1024) /**< budget of one wake-up */
#define CONN_RX_FRAMES  256u
#define CONN_TX_BYTES   (1024u * 1024)

enum conn_state {
	CONN_CONNECT,   /**< TCP is on its way */
	CONN_HANDSHAKE,
	CONN_OPENING,   /**< usable; the owner does not know yet */
	CONN_UP,
	CONN_FAILED,    /**< down is owed to the owner */
	CONN_CLOSED     /**< freed when the last callback has left */
};

/** A frame that chassis_conn_send has queued. */
struct conn_frame {
	STAILQ_ENTRY(conn_frame) link;
	size_t len, off;
	int fd; /**< own, to be passed with the first byte; or -1 */
	uint8_t data[];
};

struct chassis_conn {
	struct ev_loop *loop;
	ev_io rd, wr;
	ev_prepare turn;  /**< runs before the loop sleeps: sends what was kicked, reads what was left */
	ev_idle awake;    /**< keeps the loop from sleeping while turn is wanted */
	ev_timer deadline;
	int fd;
	enum conn_state state;
	unsigned depth;   /**< callbacks on the stack: freed by the outermost */
	bool eof, rx_again, tx_dead, tx_full, accept_fds;
	int eof_err;
	struct chassis_tls_session *tls;
	const struct srp_frame_table *table;
	const struct chassis_conn_ops *ops;
	void *owner;
	struct srp_time partial_since; /**< an unfinished frame waits since then; 0: none */
	uint64_t rx_bytes, tx_bytes;
	STAILQ_HEAD(, conn_frame) queue;
	size_t queued;
	int fds[CONN_FDS_MAX];
	size_t nfds;
	int err;
	char why[192];
	size_t rx_off, rx_len;   /**< unread: rx[rx_off, rx_len) */
	size_t tx_off, tx_len;   /**< plain: unwritten tx[tx_off, tx_len) */
	uint8_t rx[CONN_RX_CAP];
	uint8_t tx[CONN_TX_CAP]; /**< with TLS: one record's worth of plain bytes */
};

/** Ends the connection with a reason; the owner is told when the callback leaves. */
void chassis_conn_fail(struct chassis_conn *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static inline bool chassis_conn_alive(const struct chassis_conn *c) { return c->state < CONN_FAILED; }
/** Asks for chassis_conn's turn before the loop sleeps. */
void chassis_conn_wake(struct chassis_conn *c);

/** Reads what is there, within the budget; hands whole frames to the owner. */
void chassis_conn_rx(struct chassis_conn *c);
/** Writes what is there, within the budget; asks the owner for more. */
void chassis_conn_tx(struct chassis_conn *c);
/** Drops what is queued. */
void chassis_conn_tx_drop(struct chassis_conn *c);

#endif

#include "config.h"
#include "chassis/io/conn_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "srp/err.h"

static void frame_free(struct chassis_conn *c, struct conn_frame *f)
{
	STAILQ_REMOVE_HEAD(&c->queue, link);
	c->queued -= f->len;
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

void chassis_conn_tx_drop(struct chassis_conn *c)
{
	while (!STAILQ_EMPTY(&c->queue))
		frame_free(c, STAILQ_FIRST(&c->queue));
	c->tx_off = c->tx_len = 0;
}

/* Copies queued frames up to the first that carries a descriptor. */
static size_t from_queue(struct chassis_conn *c, uint8_t *buf, size_t cap)
{
	size_t n = 0;
	struct conn_frame *f;

	while ((f = STAILQ_FIRST(&c->queue)) && f->fd < 0 && f->len - f->off <= cap - n) {
		memcpy(buf + n, f->data + f->off, f->len - f->off);
		n += f->len - f->off;
		frame_free(c, f);
	}
	return n;
}

/* Next bytes to send: what was queued first, then what the owner has. */
static size_t next(struct chassis_conn *c, uint8_t *buf, size_t cap, bool *pull)
{
	size_t n = from_queue(c, buf, cap);
	bool more = false;

	if (n || !STAILQ_EMPTY(&c->queue) || !*pull)
		return n;
	n = c->ops->tx(c->owner, buf, cap, &more);
	if (n > cap) { /* it has written outside its room: nothing can be trusted any more */
		abort();
	}
	*pull = n && more;
	return n;
}

/* A write that failed. What the peer has sent before it left is read still: it ends by the reader.
 */
static void write_failed(struct chassis_conn *c, int e)
{
	if (e == EAGAIN || e == EWOULDBLOCK || e == EINTR) {
		c->tx_full = e != EINTR;
		return;
	}
	c->tx_dead = true;
	chassis_conn_tx_drop(c);
	if (e != EPIPE && e != ECONNRESET) {
		chassis_conn_fail(c, SRP_EIO, "write: %s", strerror(e));
		return;
	}
	c->rx_again = true;
	chassis_conn_wake(c);
}

/* Sends the frame at the head of the queue with its descriptor; false: not now. */
static bool send_fd(struct chassis_conn *c)
{
	struct conn_frame *f = STAILQ_FIRST(&c->queue);
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl;
	struct iovec v = {f->data + f->off, f->len - f->off};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl.b,
	                   .msg_controllen = sizeof(ctl.b)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
	ssize_t n;

	memset(&ctl, 0, sizeof(ctl));
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &f->fd, sizeof(int));
	n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	if (n < 0) {
		write_failed(c, errno);
		return false;
	}
	c->tx_bytes += (uint64_t)n;
	close(f->fd); /* it went with the first byte */
	f->fd = -1;
	f->off += (size_t)n;
	if (f->off == f->len)
		frame_free(c, f);
	return true;
}

static ssize_t put(struct chassis_conn *c, const uint8_t *p, size_t len)
{
	ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

	if (n < 0)
		write_failed(c, errno);
	else
		c->tx_bytes += (uint64_t)n;
	return n;
}

/* One write; false: nothing to write, or not now. */
static bool plain_step(struct chassis_conn *c, bool *pull)
{
	size_t n;
	ssize_t w;

	if (c->tx_off == c->tx_len) {
		struct conn_frame *f = STAILQ_FIRST(&c->queue);

		c->tx_off = c->tx_len = 0;
		if (f && f->fd >= 0)
			return send_fd(c);
		while (c->tx_len < CONN_WRITE &&
		       (n = next(c, c->tx + c->tx_len, SRP_FRAME_HDR_LEN + SRP_FRAME_BODY_MAX,
				 pull)))
			c->tx_len += n;
		if (!c->tx_len || !chassis_conn_alive(c))
			return false;
	}
	w = put(c, c->tx + c->tx_off, c->tx_len - c->tx_off);
	if (w < 0)
		return false;
	c->tx_off += (size_t)w;
	return true;
}

static bool tls_step(struct chassis_conn *c, bool *pull)
{
	size_t len, n;
	const uint8_t *p;
	ssize_t w;

	while (chassis_tls_session_out(c->tls, &len), len < CONN_WRITE && c->state == CONN_UP) {
		n = next(c, c->tx, CHASSIS_TLS_RECORD, pull);
		if (!n)
			break;
		if (!chassis_conn_alive(c))
			return false;
		if (chassis_tls_session_write(c->tls, c->tx, n) < 0) {
			chassis_conn_fail(c, SRP_EIO, "encryption failed");
			return false;
		}
	}
	p = chassis_tls_session_out(c->tls, &len);
	if (!len || !chassis_conn_alive(c))
		return false;
	w = put(c, p, len < CONN_WRITE ? len : CONN_WRITE);
	if (w < 0)
		return false;
	chassis_tls_session_sent(c->tls, (size_t)w);
	return true;
}

static bool anything_left(const struct chassis_conn *c)
{
	return chassis_conn_queued(c) > 0;
}

void chassis_conn_tx(struct chassis_conn *c)
{
	uint64_t end = c->tx_bytes + CONN_TX_BYTES;
	bool pull = c->state == CONN_UP && c->ops->tx, moved = true;

	c->tx_full = false;
	while (chassis_conn_alive(c) && !c->tx_dead && moved && c->tx_bytes < end)
		moved = c->tls ? tls_step(c, &pull) : plain_step(c, &pull);
	if (!chassis_conn_alive(c))
		return;
	if (c->tx_full && c->ops->full)
		c->ops->full(c->owner);
	/* The budget is used, or the socket is full: it says when to go on. */
	if (!c->tx_dead && (anything_left(c) || (moved && pull)))
		ev_io_start(c->loop, &c->wr);
	else
		ev_io_stop(c->loop, &c->wr);
}

size_t chassis_conn_queued(const struct chassis_conn *c)
{
	size_t n = 0;

	if (c->tls)
		(void)chassis_tls_session_out(c->tls, &n);
	return n + c->tx_len - c->tx_off + c->queued;
}

int chassis_conn_send(struct chassis_conn *c, uint8_t type, const void *body, size_t len, int fd)
{
	const struct srp_frame_row *row = &c->table->row[type];
	struct conn_frame *f;

	if (!row->name)
		return SRP_ETYPE;
	if (len < row->min || len > row->max || (fd >= 0 && c->tls))
		return SRP_ERANGE;
	if (!chassis_conn_alive(c) || c->tx_dead)
		return SRP_ECLOSED;
	if (chassis_conn_queued(c) + SRP_FRAME_HDR_LEN + len > CONN_QUEUE_MAX)
		return SRP_ENOSPC;
	f = malloc(sizeof(*f) + SRP_FRAME_HDR_LEN + len);
	if (!f)
		return SRP_ENOMEM;
	f->fd = -1;
	if (fd >= 0 && (f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) {
		free(f);
		return SRP_EFULL;
	}
	f->off = 0;
	f->len = SRP_FRAME_HDR_LEN + len;
	srp_frame_put(c->table, f->data, type, fd >= 0 ? CONN_F_FD : 0, (uint32_t)len);
	if (len)
		memcpy(f->data + SRP_FRAME_HDR_LEN, body, len);
	STAILQ_INSERT_TAIL(&c->queue, f, link);
	c->queued += f->len;
	chassis_conn_wake(c);
	return SRP_OK;
}

#include "config.h"
#include "chassis/io/conn_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "srp/err.h"

/* A read that failed: nothing now (0), or the end, which comes behind what was read before it. */
/* What read() has returned instead of a number of bytes. */
static size_t no_bytes(struct chassis_conn *c, ssize_t n)
{
	int e = n < 0 ? errno : 0;

	if (e == EAGAIN || e == EWOULDBLOCK || e == EINTR)
		return 0;
	c->eof = true;
	if (e)
		c->eof_err = e;
	return 0;
}

static void take_fds(struct chassis_conn *c, struct msghdr *m)
{
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(m); cm; cm = CMSG_NXTHDR(m, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (c->nfds < CONN_FDS_MAX && c->accept_fds) {
				c->fds[c->nfds++] = fd;
				continue;
			}
			close(fd);
			chassis_conn_fail(c, SRP_EFORMAT,
					  c->accept_fds ? "too many descriptors at once"
							: "a descriptor that nobody asked for");
		}
	}
	if (m->msg_flags & MSG_CTRUNC)
		chassis_conn_fail(c, SRP_EFORMAT, "descriptors were lost");
}

static size_t read_plain(struct chassis_conn *c, uint8_t *buf, size_t room)
{
	union {
		char b[CMSG_SPACE(CONN_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} ctl;
	struct iovec v = {buf, room};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl.b,
	                   .msg_controllen = sizeof(ctl.b)};
	ssize_t n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);

	if (n > 0) {
		take_fds(c, &m);
		return (size_t)n;
	}
	return no_bytes(c, n);
}

/* Bytes from the wire to the TLS session. */
static size_t read_wire(struct chassis_conn *c)
{
	size_t room;
	uint8_t *buf = chassis_tls_session_in(c->tls, &room);
	ssize_t n;

	if (!room)
		return 0;
	n = recv(c->fd, buf, room, 0);
	if (n > 0) {
		chassis_tls_session_filled(c->tls, (size_t)n);
		return (size_t)n;
	}
	return no_bytes(c, n);
}

static uint8_t *rx_room(struct chassis_conn *c, size_t *room)
{
	if (c->rx_off == c->rx_len) {
		c->rx_off = c->rx_len = 0;
	} else if (CONN_RX_CAP - c->rx_len < SRP_FRAME_HDR_LEN + SRP_FRAME_BODY_MAX) {
		memmove(c->rx, c->rx + c->rx_off, c->rx_len - c->rx_off);
		c->rx_len -= c->rx_off;
		c->rx_off = 0;
	}
	*room = CONN_RX_CAP - c->rx_len;
	return c->rx + c->rx_len;
}

/* Plain bytes into rx; how many came from the wire is taken from the budget. True: there may be
 * more. */
static bool fill(struct chassis_conn *c, size_t *budget)
{
	size_t room, n, got;
	uint8_t *buf = rx_room(c, &room);
	int rc;

	if (!c->tls) {
		if (c->eof)
			return false;
		n = read_plain(c, buf, room);
		c->rx_len += n;
		c->rx_bytes += n;
		*budget -= n < *budget ? n : *budget;
		return n > 0;
	}
	for (;;) {
		rc = chassis_tls_session_read(c->tls, buf, room, &got, c->why, sizeof(c->why));
		if (rc == SRP_OK) {
			c->rx_len += got;
			return true;
		}
		if (rc != SRP_EAGAIN) {
			chassis_conn_fail(c, rc, NULL);
			return false;
		}
		if (c->eof || !*budget)
			return false;
		n = read_wire(c);
		if (!n)
			return false;
		c->rx_bytes += n;
		*budget -= n < *budget ? n : *budget;
	}
}

/* The descriptor of a frame whose flag says that one comes with it. */
static int frame_fd(struct chassis_conn *c, struct srp_frame_hdr *h)
{
	int fd;

	if (!(h->flags & CONN_F_FD))
		return -1;
	if (c->tls || !c->nfds) {
		chassis_conn_fail(c, SRP_EFORMAT, "frame 0x%02x without its descriptor", h->type);
		return -1;
	}
	h->flags &= (uint8_t)~CONN_F_FD;
	fd = c->fds[0];
	c->nfds--;
	memmove(c->fds, c->fds + 1, c->nfds * sizeof(int));
	return fd;
}

/* Hands over whole frames until the budget is used; true: whole frames may be left. */
static bool frames(struct chassis_conn *c, size_t *budget)
{
	while (chassis_conn_alive(c)) {
		const uint8_t *p = c->rx + c->rx_off;
		unsigned state = c->ops->state ? c->ops->state(c->owner) : 0;
		struct srp_frame_hdr h;
		size_t have = c->rx_len - c->rx_off;
		int rc = srp_frame_peek(c->table, p, have, state, &h), fd;

		if (rc == SRP_EAGAIN)
			return false;
		if (rc < 0) {
			chassis_conn_fail(c, rc, "frame 0x%02x of %u bytes refused: %s", p[3],
			                  (unsigned)p[8] << 24 | (unsigned)p[9] << 16 |
			                  (unsigned)p[10] << 8 | p[11], srp_strerror(rc));
			return false;
		}
		if (have - SRP_FRAME_HDR_LEN < h.len)
			return false;
		if (!*budget)
			return true;
		--*budget;
		fd = frame_fd(c, &h);
		if (!chassis_conn_alive(c))
			return false;
		c->rx_off += SRP_FRAME_HDR_LEN + h.len;
		c->partial_since.us = 0;
		rc = c->ops->rx(c->owner, &h, p + SRP_FRAME_HDR_LEN, fd);
		if (rc == SRP_EPEER)
			chassis_conn_fail(c, rc, "ended by the peer");
		else if (rc < 0)
			chassis_conn_fail(c, rc, "frame 0x%02x refused: %s", h.type,
					  srp_strerror(rc));
	}
	return false;
}

static void ended(struct chassis_conn *c)
{
	int e = c->eof_err;

	if (!e)
		chassis_conn_fail(c, SRP_ECLOSED, c->rx_off < c->rx_len ? "end of file in a frame"
		                                                        : "end of file");
	else if (e == ECONNRESET || e == EPIPE)
		chassis_conn_fail(c, SRP_ECLOSED, "connection reset");
	else
		chassis_conn_fail(c, SRP_EIO, "%s", strerror(e));
}

void chassis_conn_rx(struct chassis_conn *c)
{
	size_t bytes = CONN_RX_BYTES, n = CONN_RX_FRAMES;
	bool left, more = true;

	c->rx_again = false;
	do {
		left = frames(c, &n);
		if (left || !chassis_conn_alive(c))
			break;
		more = fill(c, &bytes);
		if (more && !bytes) { /* the kernel wakes us for its part, nobody for ours */
			left = true;
			break;
		}
	} while (more && chassis_conn_alive(c));
	if (!chassis_conn_alive(c))
		return;
	if (left || (c->tls && !bytes)) {
		c->rx_again = true;
		chassis_conn_wake(c);
		return;
	}
	if (c->eof)
		ended(c);
}

#include "config.h"
#include "chassis/io/conn_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "srp/err.h"

#define HANDSHAKE_STEPS 8 /* reads of one wake-up */
#define HANDSHAKE_S 5.  /* connect, handshake, identity */
#define FD_HIGH     512 /* above every device and listener */
#define PARTIAL_S   10  /* half a frame may wait this long for its rest */
/* What the kernel keeps unsent: more of it would be states that have grown old in a queue. */
#define NOTSENT     (256 * 1024)

/* Ages of sessions are older than a machine that has just booted: its clock must not be near 0. */
#define EPOCH_US (SRP_SEC(1) * 86400u * 365u * 10u)

struct srp_time chassis_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct srp_time){EPOCH_US + (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u};
}

int chassis_fd_high(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);

	if (high < 0)
		return fd;
	close(fd);
	return high;
}

void chassis_conn_wake(struct chassis_conn *c)
{
	/* A watcher that starts while the loop's prepare watchers run is not seen before it sleeps:
	 * the idle watcher keeps it from sleeping. */
	ev_prepare_start(c->loop, &c->turn);
	ev_idle_start(c->loop, &c->awake);
}

static void stop(struct chassis_conn *c)
{
	ev_io_stop(c->loop, &c->rd);
	ev_io_stop(c->loop, &c->wr);
	ev_prepare_stop(c->loop, &c->turn);
	ev_idle_stop(c->loop, &c->awake);
	ev_timer_stop(c->loop, &c->deadline);
}

void chassis_conn_fail(struct chassis_conn *c, int err, const char *fmt, ...)
{
	va_list ap;

	if (!chassis_conn_alive(c))
		return;
	c->state = CONN_FAILED;
	c->err = err;
	if (fmt) { /* else the reason is there already */
		va_start(ap, fmt);
		vsnprintf(c->why, sizeof(c->why), fmt, ap);
		va_end(ap);
	}
}

static void destroy(struct chassis_conn *c)
{
	for (size_t i = 0; i < c->nfds; i++)
		close(c->fds[i]);
	chassis_conn_tx_drop(c);
	chassis_tls_session_free(c->tls);
	explicit_bzero(c->rx, c->rx_len);
	explicit_bzero(c->tx, sizeof(c->tx));
	free(c);
}

/* Says goodbye as far as the socket takes it at once, and lets go of the descriptor. Others may
 * hold a duplicate (R9): a connection closed on purpose must end for the peer all the same. */
static void hang_up(struct chassis_conn *c)
{
	const uint8_t *p;
	size_t len;

	stop(c);
	if (c->fd < 0)
		return;
	if (c->tls) {
		chassis_tls_session_close(c->tls);
		p = chassis_tls_session_out(c->tls, &len);
		if (len && c->state != CONN_CONNECT)
			(void)!send(c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		shutdown(c->fd, SHUT_RDWR);
	}
	close(c->fd);
	c->fd = -1;
}

static void leave(struct chassis_conn *c)
{
	if (--c->depth)
		return;
	if (c->state == CONN_FAILED) {
		hang_up(c);
		c->state = CONN_CLOSED;
		c->depth++; /* the owner may close what is closed */
		c->ops->down(c->owner, c->err, c->why);
		c->depth--;
	}
	if (c->state == CONN_CLOSED)
		destroy(c);
}

/* TCP has connected, or has not. */
static void connected(struct chassis_conn *c)
{
	int e = 0;
	socklen_t len = sizeof(e);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e) {
		chassis_conn_fail(c, SRP_EIO, "connect: %s", strerror(e));
		return;
	}
	c->state = CONN_HANDSHAKE;
	ev_io_stop(c->loop, &c->wr);
	ev_io_start(c->loop, &c->rd);
}

static void handshake(struct chassis_conn *c)
{
	unsigned steps = HANDSHAKE_STEPS;
	size_t room = 0;
	uint8_t *buf;
	ssize_t n;
	int rc, e;

	do {
		buf = chassis_tls_session_in(c->tls, &room);
		errno = EAGAIN;
		n = room ? recv(c->fd, buf, room, 0) : -1;
		e = errno;
		if (n > 0) {
			c->rx_bytes += (uint64_t)n;
			chassis_tls_session_filled(c->tls, (size_t)n);
		}
		rc = chassis_tls_session_handshake(c->tls, c->why, sizeof(c->why));
		if (rc < 0 && rc != SRP_EAGAIN) {
			chassis_conn_fail(c, rc, NULL);
			return;
		}
	} while (rc == SRP_EAGAIN && n > 0 && --steps);
	if (rc == SRP_OK) {
		c->state = CONN_OPENING;
		ev_timer_stop(c->loop, &c->deadline);
		chassis_conn_wake(c);
	} else if (n == 0) {
		chassis_conn_fail(c, SRP_ECLOSED, "end of file in the handshake");
		return;
	} else if (n < 0 && e != EAGAIN && e != EWOULDBLOCK && e != EINTR) {
		chassis_conn_fail(c, e == ECONNRESET ? SRP_ECLOSED : SRP_EIO, "handshake: %s",
				  strerror(e));
		return;
	}
	chassis_conn_tx(c);
}

/* Half a frame, or half a record, must not wait for ever. */
static void watch_partial(struct chassis_conn *c)
{
	if (!c->tls || c->state != CONN_UP)
		return;
	if (c->rx_again || (c->rx_off == c->rx_len && !chassis_tls_session_partial(c->tls))) {
		c->partial_since.us = 0;
		return;
	}
	if (c->partial_since.us)
		return;
	c->partial_since = chassis_now();
	if (!ev_is_active(&c->deadline)) {
		ev_timer_set(&c->deadline, PARTIAL_S, 0.);
		ev_timer_start(c->loop, &c->deadline);
	}
}

static void turn(struct chassis_conn *c)
{
	ev_prepare_stop(c->loop, &c->turn);
	ev_idle_stop(c->loop, &c->awake);
	if (c->state == CONN_OPENING) {
		c->state = CONN_UP;
		c->rx_again = true; /* records may have come with the end of the handshake */
		if (c->ops->up)
			c->ops->up(c->owner, c);
	}
	if (c->state == CONN_UP && c->rx_again) {
		chassis_conn_rx(c);
		watch_partial(c);
	}
	if (c->state == CONN_UP)
		chassis_conn_tx(c);
}

static void on_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct chassis_conn *c = w->data;

	(void)loop;
	(void)revents;
	c->depth++;
	if (c->state == CONN_HANDSHAKE) {
		handshake(c);
	} else if (c->state == CONN_UP && !c->rx_again) {
		chassis_conn_rx(c);
		watch_partial(c);
	}
	leave(c);
}

static void on_write(struct ev_loop *loop, ev_io *w, int revents)
{
	struct chassis_conn *c = w->data;

	(void)loop;
	(void)revents;
	c->depth++;
	if (c->state == CONN_CONNECT)
		connected(c);
	if (c->state == CONN_HANDSHAKE)
		handshake(c);
	else if (chassis_conn_alive(c))
		chassis_conn_tx(c);
	leave(c);
}

static void on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct chassis_conn *c = w->data;

	(void)loop;
	(void)revents;
	c->depth++;
	turn(c);
	leave(c);
}

static void on_idle(struct ev_loop *loop, ev_idle *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

static void partial_due(struct chassis_conn *c)
{
	uint64_t waited;

	/* Had this process stood still, the rest may be in the socket already. */
	if (!c->rx_again) {
		chassis_conn_rx(c);
		watch_partial(c);
	}
	if (!chassis_conn_alive(c) || !c->partial_since.us)
		return;
	waited = srp_time_since(c->partial_since, chassis_now());
	if (waited >= SRP_SEC(PARTIAL_S)) {
		chassis_conn_fail(c, SRP_ETIMEOUT, "half a frame, and not its rest for %d seconds",
				  PARTIAL_S);
		return;
	}
	ev_timer_set(&c->deadline, (double)(SRP_SEC(PARTIAL_S) - waited) / 1e6, 0.);
	ev_timer_start(c->loop, &c->deadline);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct chassis_conn *c = w->data;

	(void)loop;
	(void)revents;
	c->depth++;
	if (c->state == CONN_HANDSHAKE)
		handshake(c);
	if (c->state == CONN_CONNECT)
		chassis_conn_fail(c, SRP_ETIMEOUT, "no TCP connection within %.0f seconds",
				  HANDSHAKE_S);
	else if (c->state == CONN_HANDSHAKE)
		chassis_conn_fail(c, SRP_ETIMEOUT, "handshake not finished within %.0f seconds",
				  HANDSHAKE_S);
	else if (c->state == CONN_UP)
		partial_due(c);
	leave(c);
}

static void tune(int fd)
{
	int on = 1, notsent = NOTSENT;

	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* Not on a Unix socket, where they mean nothing and fail. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent, sizeof(notsent));
}

static void begin(struct chassis_conn *c, bool server)
{
	if (!c->tls) {
		c->state = CONN_OPENING;
		ev_io_start(c->loop, &c->rd);
		chassis_conn_wake(c);
		return;
	}
	c->state = server ? CONN_HANDSHAKE : CONN_CONNECT;
	ev_timer_start(c->loop, &c->deadline);
	if (server)
		ev_io_start(c->loop, &c->rd);
	else
		ev_io_start(c->loop, &c->wr);
}

struct chassis_conn *chassis_conn_new(struct ev_loop *loop, int fd, struct chassis_tls *tls,
                                      bool server, const struct srp_frame_table *table,
                                      const struct chassis_conn_ops *ops, void *owner)
{
	struct chassis_conn *c = malloc(sizeof(*c)); /* its buffers need no zeroes */

	if (!c) {
		close(fd);
		return NULL;
	}
	memset(c, 0, offsetof(struct chassis_conn, rx));
	c->tls = tls ? chassis_tls_session_new(tls, server) : NULL;
	if (tls && !c->tls) {
		free(c);
		close(fd);
		return NULL;
	}
	c->loop = loop;
	c->fd = fd;
	c->table = table;
	c->ops = ops;
	c->owner = owner;
	STAILQ_INIT(&c->queue);
	tune(fd);
	ev_io_init(&c->rd, on_read, fd, EV_READ);
	ev_io_init(&c->wr, on_write, fd, EV_WRITE);
	ev_prepare_init(&c->turn, on_turn);
	ev_idle_init(&c->awake, on_idle);
	ev_timer_init(&c->deadline, on_deadline, HANDSHAKE_S, 0.);
	c->rd.data = c->wr.data = c->turn.data = c->awake.data = c->deadline.data = c;
	begin(c, server);
	return c;
}

void chassis_conn_accept_fds(struct chassis_conn *c, bool on)
{
	c->accept_fds = on && !c->tls;
}

void chassis_conn_close(struct chassis_conn *c)
{
	if (!c || c->state == CONN_CLOSED)
		return;
	/* What is queued goes as far as the socket takes it at once: it often says why. */
	if (c->state == CONN_UP || c->state == CONN_OPENING) {
		const struct chassis_conn_ops *ops = c->ops;
		static const struct chassis_conn_ops none;

		c->ops = &none;
		chassis_conn_tx(c);
		c->ops = ops;
	}
	hang_up(c);
	c->state = CONN_CLOSED;
	if (!c->depth)
		destroy(c);
}

void chassis_conn_drain(struct chassis_conn *c)
{
	if (!c || c->state != CONN_UP)
		return;
	c->depth++;
	do
		chassis_conn_rx(c);
	while (c->state == CONN_UP && c->rx_again);
	leave(c);
}

void chassis_conn_kick(struct chassis_conn *c)
{
	if (c->state == CONN_UP && !ev_is_active(&c->wr))
		chassis_conn_wake(c);
}

void chassis_conn_flush(struct chassis_conn *c)
{
	c->depth++;
	if (c->state == CONN_UP)
		chassis_conn_tx(c);
	leave(c);
}

int chassis_conn_fd(const struct chassis_conn *c)
{
	return c->fd;
}

void chassis_conn_bytes(const struct chassis_conn *c, uint64_t *rx, uint64_t *tx)
{
	*rx = c->rx_bytes;
	*tx = c->tx_bytes;
}

int chassis_conn_export(const struct chassis_conn *c, const char *label, uint8_t *key, size_t len)
{
	return c->tls ? chassis_tls_session_export(c->tls, label, key, len) : SRP_ESTATE;
}

#include "config.h"
#include "chassis/task/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/task/task.h"
#include "srp/err.h"

#define CANDIDATES   8     /* connections that may be in their handshake at once */
#define UNACKED_MS   3000  /* at least, that bytes may wait to be acknowledged */
#define KEEPALIVE_S  5     /* of nothing to send, until the peer is asked */
#define RETRY_MIN_MS 20    /* jitter of reconnection, so that two sides never move in step */
#define RETRY_MAX_MS 220

/* A connection that has not proved who it is yet. */
struct candidate {
	struct chassis_peer *peer;
	struct chassis_conn *conn; /* NULL: free */
};

struct chassis_peer {
	struct chassis_peer_config conf;
	struct chassis_srp_config srp; /* of the configuration that ran then, which may be gone */
	struct candidate cand[CANDIDATES];
	struct chassis_conn *conn;
	ev_io accept_io;
	ev_timer retry;
	char last_why[160]; /* the same refusal is logged once, not at each try */
};

unsigned chassis_bit(const struct chassis_config *c)
{
	const struct chassis_srp_config *s = &c->srp;

	return s->present && s->has_bind && s->has_peer &&
	       memcmp(s->bind.b, s->peer.b, sizeof(s->bind.b)) > 0;
}

socklen_t chassis_sockaddr(const struct ecs_addr *a, uint16_t port, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (ecs_addr_is4(a)) {
		struct sockaddr_in *sin = (struct sockaddr_in *)ss;

		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		memcpy(&sin->sin_addr, a->b + 12, 4);
		return sizeof(*sin);
	}
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	memcpy(&sin6->sin6_addr, a->b, 16);
	return sizeof(*sin6);
}

static struct ecs_addr addr_of(const struct sockaddr_storage *ss)
{
	struct ecs_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	if (ss->ss_family == AF_INET)
		memcpy(a.b + 12, &((const struct sockaddr_in *)ss)->sin_addr, 4);
	else
		memcpy(a.b, &((const struct sockaddr_in6 *)ss)->sin6_addr, 16);
	return a;
}

static void retry_later(struct chassis_peer *p)
{
	if (p->conf.chassis_bit == 0)
		return;
	p->retry.repeat = (RETRY_MIN_MS + arc4random_uniform(RETRY_MAX_MS - RETRY_MIN_MS)) / 1000.;
	ev_timer_again(p->conf.loop, &p->retry);
}

static void log_once(struct chassis_peer *p, int severity, const char *event, const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", event, why);
	if (strcmp(text, p->last_why) != 0)
		chassis_log(severity, "SRP %s connection %s", p->conf.what, text);
	memcpy(p->last_why, text, sizeof(text));
}

/* --- a candidate becomes the connection ---------------------------------------------------------- */

static void conn_up(void *owner, struct chassis_conn *c)
{
	struct candidate *k = owner;
	struct chassis_peer *p = k->peer;

	if (p->conn) {
		struct chassis_conn *old = p->conn;

		p->conn = NULL;
		chassis_conn_close(old);
		for (int i = 0; i < CANDIDATES; i++)
			if (p->cand[i].conn == old)
				p->cand[i].conn = NULL;
		p->conf.ops->down(p->conf.owner, false, "replaced by a newer connection");
	}
	p->conn = c;
	p->conf.counters->peer_connects++;
	log_once(p, LOG_INFO, "up", "authenticated");
	p->conf.ops->up(p->conf.owner);
}

static unsigned conn_state(void *owner)
{
	struct candidate *k = owner;

	return k->conn == k->peer->conn ? k->peer->conf.ops->state(k->peer->conf.owner) : 0;
}

static int conn_rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct candidate *k = owner;

	if (fd >= 0)
		close(fd);
	return k->conn == k->peer->conn ? k->peer->conf.ops->rx(k->peer->conf.owner, h, body)
	                                : SRP_ESTATE;
}

static size_t conn_tx(void *owner, uint8_t *buf, size_t cap, bool *more)
{
	struct candidate *k = owner;

	*more = false;
	if (k->conn != k->peer->conn || !k->peer->conf.ops->tx)
		return 0;
	return k->peer->conf.ops->tx(k->peer->conf.owner, buf, cap, more);
}

static void conn_full(void *owner)
{
	struct candidate *k = owner;

	if (k->conn == k->peer->conn && k->peer->conf.ops->full)
		k->peer->conf.ops->full(k->peer->conf.owner);
}

/* Whether a frame ended the connection, and which of its faults. */
static void count_refusal(struct chassis_peer *p, int err)
{
	switch (err) {
	case SRP_ECLOSED:
	case SRP_EPEER:
	case SRP_EIO:
	case SRP_ETIMEOUT:
	case SRP_ENOMEM:
		break;
	default:
		srp_counters_refused(p->conf.srp_counters, err);
	}
}

static void conn_down(void *owner, int err, const char *why)
{
	struct candidate *k = owner;
	struct chassis_peer *p = k->peer;
	bool was_up = p->conn && p->conn == k->conn;

	k->conn = NULL;
	if (was_up) {
		p->conn = NULL;
		p->conf.counters->peer_down++;
		count_refusal(p, err);
		log_once(p, LOG_WARNING, "down", why);
		p->conf.ops->down(p->conf.owner, err == SRP_ECLOSED, why);
	} else {
		/* Its end before it was up: refused, by us or by the peer, or nobody is there. */
		p->conf.counters->peer_refused++;
		log_once(p, LOG_NOTICE, "refused", why);
	}
	retry_later(p);
}

static const struct chassis_conn_ops conn_ops = {
	.up = conn_up, .state = conn_state, .rx = conn_rx, .tx = conn_tx, .full = conn_full,
	.down = conn_down,
};

/* After a cut the kernel would try again after minutes, and a peer that went without a word would be
 * noticed after hours: both ends give up early, and connect anew. */
static void give_up_early(const struct chassis_peer *p, int fd)
{
	unsigned ms = p->conf.srp->dead_ms > UNACKED_MS ? p->conf.srp->dead_ms : UNACKED_MS;
	int on = 1, idle = KEEPALIVE_S, every = 1, probes = 3;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void begin(struct chassis_peer *p, int fd)
{
	give_up_early(p, fd);
	for (int i = 0; i < CANDIDATES; i++) {
		struct candidate *k = &p->cand[i];

		if (k->conn)
			continue;
		k->conn = chassis_conn_new(p->conf.loop, chassis_fd_high(fd), p->conf.tls, p->conf.chassis_bit == 0,
		                           p->conf.table, &conn_ops, k);
		if (!k->conn)
			retry_later(p);
		return;
	}
	p->conf.counters->peer_refused++;
	close(fd);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct chassis_peer *p = w->data;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = accept4(w->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ecs_addr from;
	char text[64], why[96];

	(void)loop;
	(void)revents;
	if (fd < 0)
		return;
	from = addr_of(&ss);
	if (memcmp(from.b, p->conf.srp->peer.b, sizeof(from.b)) != 0) {
		p->conf.counters->peer_refused++;
		snprintf(why, sizeof(why), "%s is not the peer", ecs_addr_text(&from, text, sizeof(text)));
		log_once(p, LOG_WARNING, "refused", why);
		close(fd);
		return;
	}
	begin(p, fd);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct chassis_peer *p = w->data;
	const struct chassis_srp_config *s = p->conf.srp;
	struct sockaddr_storage to, from;
	socklen_t tolen = chassis_sockaddr(&s->peer, p->conf.port, &to);
	socklen_t fromlen = chassis_sockaddr(&s->bind, 0, &from);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)revents;
	ev_timer_stop(loop, w);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, fromlen) < 0 ||
	    (connect(fd, (struct sockaddr *)&to, tolen) < 0 && errno != EINPROGRESS)) {
		log_once(p, LOG_NOTICE, "failed", strerror(errno));
		if (fd >= 0)
			close(fd);
		retry_later(p);
		return;
	}
	begin(p, fd);
}

struct chassis_peer *chassis_peer_new(const struct chassis_peer_config *conf)
{
	struct chassis_peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->conf = *conf;
	p->srp = *conf->srp;
	p->conf.srp = &p->srp;
	for (int i = 0; i < CANDIDATES; i++)
		p->cand[i].peer = p;
	ev_init(&p->retry, on_retry);
	p->retry.data = p;
	if (conf->chassis_bit == 0) {
		ev_io_init(&p->accept_io, on_accept, conf->listen_fd, EV_READ);
		p->accept_io.data = p;
		ev_io_start(conf->loop, &p->accept_io);
	} else {
		ev_feed_event(conf->loop, &p->retry, EV_TIMER);
	}
	return p;
}

static void close_all(struct chassis_peer *p)
{
	for (int i = 0; i < CANDIDATES; i++) {
		chassis_conn_close(p->cand[i].conn);
		p->cand[i].conn = NULL;
	}
	p->conn = NULL;
}

void chassis_peer_free(struct chassis_peer *p)
{
	if (!p)
		return;
	close_all(p);
	ev_io_stop(p->conf.loop, &p->accept_io);
	ev_timer_stop(p->conf.loop, &p->retry);
	free(p);
}

void chassis_peer_reset(struct chassis_peer *p, const char *why)
{
	log_once(p, LOG_NOTICE, "reset", why);
	close_all(p);
	retry_later(p);
}

struct chassis_conn *chassis_peer_conn(const struct chassis_peer *p)
{
	return p->conn;
}

void chassis_peer_kick(struct chassis_peer *p)
{
	if (p->conn)
		chassis_conn_kick(p->conn);
}

int chassis_peer_send(struct chassis_peer *p, uint8_t type, const struct srp_mp_w *body)
{
	if (!p->conn)
		return SRP_ENOENT;
	if (body->err)
		return body->err;
	return chassis_conn_send(p->conn, type, body->start, srp_mp_w_len(body), -1);
}

/* icap_conn: one connection to a rating server, and the question that it carries. */
#include "config.h"
#include "chassis/io/icap_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "srp/err.h"

/* --- its question --------------------------------------------------------------------------- */

static void unlink_asked(struct icap_question *q)
{
	struct icap_question **at = &q->group->asked;

	while (*at && *at != q)
		at = &(*at)->next;
	if (*at)
		*at = q->next;
}

bool icap_conn_ask(struct icap_conn *k, struct icap_question *q)
{
	struct icap_group *g = q->group;
	size_t len;
	char *out = icap_request(q, &k->server->is, &len);

	if (!out)
		return false;
	free(k->out);
	k->out = out;
	k->out_len = len;
	k->out_at = k->in_len = 0;
	k->q = q;
	q->conn = k;
	q->next = g->asked;
	g->asked = q;
	g->icap->ctr.requests++;
	return true;
}

struct icap_question *icap_conn_release(struct icap_conn *k)
{
	struct icap_question *q = k->q;

	k->q = NULL;
	if (q) {
		unlink_asked(q);
		q->conn = NULL;
	}
	return q;
}

/* --- its socket ----------------------------------------------------------------------------- */

static void conn_read(struct icap_conn *k)
{
	struct chassis_icap_said s;
	ssize_t n = read(k->fd, k->in + k->in_len, sizeof(k->in) - k->in_len);
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 && (!k->q || !k->in_len)) {
		icap_lost(k, "closes connections");
		return;
	}
	k->in_len += n > 0 ? (size_t)n : 0;
	if (!k->q) {
		icap_lied(k); /* nobody has asked */
		return;
	}
	rc = chassis_icap_read(k->in, k->in_len, k->q->url, n <= 0, &s);
	if (rc == SRP_OK)
		icap_said(k, &s);
	else if (rc != SRP_EAGAIN || n <= 0)
		icap_lied(k);
}

static bool connected(struct icap_conn *k)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (!k->connecting)
		return true;
	if (getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err)
		return false;
	k->connecting = false;
	return true;
}

static void conn_events(struct icap_conn *k, int events)
{
	struct ev_loop *loop = k->server->group->icap->loop;

	ev_io_stop(loop, &k->io);
	ev_io_set(&k->io, k->fd, events);
	ev_io_start(loop, &k->io);
}

bool icap_conn_write(struct icap_conn *k)
{
	while (k->out_at < k->out_len) {
		ssize_t n = send(k->fd, k->out + k->out_at, k->out_len - k->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			return false;
		k->out_at += (size_t)n;
	}
	conn_events(k, k->out_at < k->out_len ? EV_READ | EV_WRITE : EV_READ);
	return true;
}

static void on_conn(struct ev_loop *loop, ev_io *w, int revents)
{
	struct icap_conn *k = w->data;

	(void)loop;
	if (!connected(k)) {
		icap_lost(k, "cannot be reached");
		return;
	}
	if ((revents & EV_WRITE) && !icap_conn_write(k)) {
		icap_lost(k, "closes connections");
		return;
	}
	if (revents & EV_READ)
		conn_read(k);
}

/* --- its life ------------------------------------------------------------------------------- */

static socklen_t address(const struct ecs_rater_server *sv, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

	memset(out, 0, sizeof(*out));
	if (ecs_addr_is4(&sv->addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(sv->port);
		memcpy(&v4->sin_addr, sv->addr.b + 12, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(sv->port);
	memcpy(&v6->sin6_addr, sv->addr.b, 16);
	return sizeof(*v6);
}

struct icap_conn *icap_conn_new(struct icap_server *sv)
{
	struct chassis_icap *c = sv->group->icap;
	struct sockaddr_storage to;
	socklen_t len = address(&sv->is, &to);
	struct icap_conn *k = malloc(sizeof(*k));
	int one = 1;

	if (!k)
		return NULL;
	memset(k, 0, offsetof(struct icap_conn, in));
	k->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd < 0 || (connect(k->fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)) {
		if (k->fd >= 0)
			close(k->fd);
		free(k);
		c->ctr.connect_failed++;
		return NULL;
	}
	(void)setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	k->connecting = true;
	k->server = sv;
	k->next = sv->conns;
	sv->conns = k;
	sv->nconns++;
	c->ctr.connects++;
	ev_io_init(&k->io, on_conn, k->fd, EV_WRITE);
	k->io.data = k;
	ev_io_start(c->loop, &k->io);
	return k;
}

struct icap_question *icap_conn_close(struct icap_conn *k)
{
	struct icap_question *q = icap_conn_release(k);
	struct icap_conn **at = &k->server->conns;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	k->server->nconns--;
	ev_io_stop(k->server->group->icap->loop, &k->io);
	close(k->fd);
	free(k->out);
	free(k);
	return q;
}

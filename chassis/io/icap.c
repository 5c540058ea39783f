#include "config.h"
#include "chassis/io/icap.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "srp/err.h"

#define HEAD_ROOM 512u /* of the ICAP header before the request */

struct conn;

/* A question. */
struct question {
	struct question *next;     /* of the queue */
	struct group *group;
	uint64_t id;
	struct conn *conn;         /* that carries it; NULL: it waits */
	unsigned tries;
	ev_timer deadline;
	char *url, *http;          /* in one piece with it */
	size_t http_len;
	char client[48];
};

/* A connection to a server. */
struct conn {
	struct conn *next;         /* of its server */
	struct server *server;
	int fd;
	ev_io io;
	bool connecting;
	unsigned served;           /* answers that have come by it */
	struct question *q;        /* NULL: it is idle */
	char *out;                 /* not written yet */
	size_t out_len, out_at, in_len;
	char in[CHASSIS_ICAP_HEAD_MAX];
};

struct server {
	struct group *group;
	struct ecs_rater_server is;
	struct conn *conns;
	unsigned nconns;
	ev_tstamp alone_until;     /* of the loop's time; 0: it is asked */
};

struct group {
	struct chassis_icap *icap;
	struct ecs_rater conf;     /* name empty: the place is free */
	struct server server[ECS_RATER_SERVERS];
	struct question *first, **last; /* that wait */
	struct question *asked;    /* under way, by their connections */
	size_t n;                  /* of both */
};

struct chassis_icap {
	struct ev_loop *loop;
	chassis_icap_answer_fn *answer;
	chassis_icap_tell_fn *tell;
	void *owner;
	struct chassis_icap_counters ctr;
	struct group group[ECS_RATERS_MAX];
	ev_timer turn;             /* what waits is looked at outside of chassis_icap_ask() */
};

/* --- questions ------------------------------------------------------------------------------ */

static void queue(struct question *q, bool first)
{
	struct group *g = q->group;

	q->conn = NULL;
	if (first) {
		q->next = g->first;
		if (!g->first)
			g->last = &q->next;
		g->first = q;
	} else {
		q->next = NULL;
		*g->last = q;
		g->last = &q->next;
	}
}

static void unlink_waiting(struct question *q)
{
	struct group *g = q->group;
	struct question **at = &g->first;

	while (*at && *at != q)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = q->next;
	if (g->last == &q->next)
		g->last = at;
}

static void unlink_asked(struct question *q)
{
	struct question **at = &q->group->asked;

	while (*at && *at != q)
		at = &(*at)->next;
	if (*at)
		*at = q->next;
}

/* Ends a question, which is on no list and no connection any more. */
static void answer(struct question *q, const struct ecs_rating *r)
{
	struct group *g = q->group;
	struct chassis_icap *c = g->icap;
	uint64_t id = q->id;

	ev_timer_stop(c->loop, &q->deadline);
	g->n--;
	free(q);
	c->answer(c->owner, id, r);
}

static void failed(struct question *q)
{
	const struct ecs_rating r = {.said = ECS_RATED_FAILED};

	answer(q, &r);
}

static void look(struct chassis_icap *c)
{
	if (!ev_is_active(&c->turn)) {
		ev_timer_set(&c->turn, 0., 0.);
		ev_timer_start(c->loop, &c->turn);
	}
}

/* --- connections ---------------------------------------------------------------------------- */

/* Closes a connection; its question is the caller's. */
static struct question *conn_close(struct conn *k)
{
	struct question *q = k->q;
	struct conn **at = &k->server->conns;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	k->server->nconns--;
	ev_io_stop(k->server->group->icap->loop, &k->io);
	close(k->fd);
	free(k->out);
	free(k);
	if (q) {
		unlink_asked(q);
		q->conn = NULL;
	}
	return q;
}

static void leave_alone(struct server *sv, const char *why)
{
	struct group *g = sv->group;
	struct chassis_icap *c = g->icap;
	char addr[48], text[256];

	if (sv->alone_until <= ev_now(c->loop) && c->tell) {
		snprintf(text, sizeof(text), "rating server %s port %u of %s %s: left alone for %u s",
		         ecs_addr_text(&sv->is.addr, addr, sizeof(addr)), sv->is.port, g->conf.name,
		         why, g->conf.retry_s);
		c->tell(c->owner, text);
	}
	sv->alone_until = ev_now(c->loop) + g->conf.retry_s;
	c->ctr.left_alone++;
}

/* The question goes to another server, as long as there are some. */
static void again(struct question *q, bool counts)
{
	q->tries += counts;
	if (q->tries > ECS_RATER_SERVERS) {
		failed(q);
		return;
	}
	queue(q, true);
	look(q->group->icap);
}

static void conn_lost(struct conn *k, const char *why)
{
	struct server *sv = k->server;
	struct chassis_icap *c = sv->group->icap;
	/* it had been idle, and ended as the question was on its way: the question is asked anew */
	bool stale = k->served && !k->in_len;
	struct question *q;

	if (k->connecting)
		c->ctr.connect_failed++;
	else
		c->ctr.closed++;
	q = conn_close(k);
	if (!q)
		return;
	if (!stale)
		leave_alone(sv, why);
	again(q, true);
}

static void said(struct conn *k, const struct chassis_icap_said *s)
{
	struct ecs_rating r = {.said = s->said, .categories = s->categories,
	                       .len = strlen(s->categories), .url = s->url[0] ? s->url : NULL};
	struct chassis_icap *c = k->server->group->icap;
	struct question *q = k->q;

	if (s->error)
		c->ctr.errors++;
	k->served++;
	k->in_len = 0;
	if (s->keep) {
		k->q = NULL;
		unlink_asked(q);
		q->conn = NULL;
	} else {
		(void)conn_close(k);
	}
	look(c);
	answer(q, &r);
}

/* A server that says what it must not. */
static void lied(struct conn *k)
{
	struct server *sv = k->server;
	struct question *q;

	sv->group->icap->ctr.refused++;
	leave_alone(sv, "does not speak ICAP");
	q = conn_close(k);
	if (q)
		failed(q);
	look(sv->group->icap);
}

static void conn_read(struct conn *k)
{
	struct chassis_icap_said s;
	ssize_t n = read(k->fd, k->in + k->in_len, sizeof(k->in) - k->in_len);
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 && (!k->q || !k->in_len)) {
		conn_lost(k, "closes connections");
		return;
	}
	k->in_len += n > 0 ? (size_t)n : 0;
	if (!k->q) {
		lied(k); /* nobody has asked */
		return;
	}
	rc = chassis_icap_read(k->in, k->in_len, k->q->url, n <= 0, &s);
	if (rc == SRP_OK)
		said(k, &s);
	else if (rc != SRP_EAGAIN || n <= 0)
		lied(k);
}

static bool connected(struct conn *k)
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

static void conn_events(struct conn *k, int events)
{
	struct ev_loop *loop = k->server->group->icap->loop;

	ev_io_stop(loop, &k->io);
	ev_io_set(&k->io, k->fd, events);
	ev_io_start(loop, &k->io);
}

/* False: the connection is lost. */
static bool conn_write(struct conn *k)
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
	struct conn *k = w->data;

	(void)loop;
	if (!connected(k)) {
		conn_lost(k, "cannot be reached");
		return;
	}
	if ((revents & EV_WRITE) && !conn_write(k)) {
		conn_lost(k, "closes connections");
		return;
	}
	if (revents & EV_READ)
		conn_read(k);
}

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

static struct conn *conn_new(struct server *sv)
{
	struct chassis_icap *c = sv->group->icap;
	struct sockaddr_storage to;
	socklen_t len = address(&sv->is, &to);
	struct conn *k = malloc(sizeof(*k));
	int one = 1;

	if (!k)
		return NULL;
	memset(k, 0, offsetof(struct conn, in));
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

/* --- asking --------------------------------------------------------------------------------- */

static bool conn_ask(struct conn *k, struct question *q)
{
	struct group *g = q->group;
	const struct ecs_rater_server *sv = &k->server->is;
	char addr[48];
	const char *host = ecs_addr_text(&sv->addr, addr, sizeof(addr));
	bool v4 = ecs_addr_is4(&sv->addr);
	char *out = malloc(HEAD_ROOM + q->http_len);
	int n;

	if (!out)
		return false;
	n = snprintf(out, HEAD_ROOM,
	             "REQMOD icap://%s%s%s:%u/%s ICAP/1.0\r\nHost: %s%s%s:%u\r\nAllow: 204\r\n"
	             "X-Client-IP: %s\r\nEncapsulated: req-hdr=0, null-body=%zu\r\n\r\n",
	             v4 ? "" : "[", host, v4 ? "" : "]", sv->port, g->conf.service, v4 ? "" : "[",
	             host, v4 ? "" : "]", sv->port, q->client, q->http_len);
	memcpy(out + n, q->http, q->http_len);
	free(k->out);
	k->out = out;
	k->out_len = (size_t)n + q->http_len;
	k->out_at = k->in_len = 0;
	k->q = q;
	q->conn = k;
	q->next = g->asked;
	g->asked = q;
	g->icap->ctr.requests++;
	return true;
}

static struct conn *idle_conn(const struct server *sv)
{
	for (struct conn *k = sv->conns; k; k = k->next)
		if (!k->q && !k->connecting)
			return k;
	return NULL;
}

/* A connection that can carry a question now; @p busy: a server answers, but all of its connections
 * are used. */
static struct conn *find_conn(struct group *g, bool *busy)
{
	*busy = false;
	for (size_t i = 0; i < g->conf.n; i++) {
		struct server *sv = &g->server[i];
		struct conn *k;

		if (sv->alone_until > ev_now(g->icap->loop))
			continue;
		k = idle_conn(sv);
		if (!k && sv->nconns >= sv->is.max) {
			*busy = true;
			return NULL;
		}
		if (!k)
			k = conn_new(sv);
		if (k)
			return k;
		leave_alone(sv, "cannot be reached");
	}
	return NULL;
}

static void dispatch(struct group *g)
{
	bool busy = false;

	while (g->first) {
		struct question *q = g->first;
		struct conn *k = find_conn(g, &busy);

		if (!k && busy)
			return;
		unlink_waiting(q);
		if (!k || !conn_ask(k, q)) {
			failed(q);
			continue;
		}
		if (!k->connecting && !conn_write(k))
			conn_lost(k, "closes connections");
	}
}

static void on_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct chassis_icap *c = w->data;

	(void)loop;
	(void)revents;
	for (size_t i = 0; i < ECS_RATERS_MAX; i++)
		if (c->group[i].first)
			dispatch(&c->group[i]);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct question *q = w->data;
	struct chassis_icap *c = q->group->icap;
	struct conn *k = q->conn;

	(void)loop;
	(void)revents;
	c->ctr.timeouts++;
	if (k) {
		leave_alone(k->server, k->connecting ? "cannot be reached" : "does not answer in time");
		(void)conn_close(k);
		look(c);
	} else {
		unlink_waiting(q);
	}
	failed(q);
}

/* --- the question --------------------------------------------------------------------------- */

/* What a subscriber has sent, so that nothing of it ends a line or a word. */
static char *put_escaped(char *to, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch > ' ' && ch < 0x7f) {
			*to++ = (char)ch;
			continue;
		}
		*to++ = '%';
		*to++ = hex[ch >> 4];
		*to++ = hex[ch & 15];
	}
	return to;
}

static char *put_text(char *to, const char *s)
{
	for (; *s; s++)
		*to++ = (char)((unsigned char)*s >= ' ' && *s != 0x7f ? *s : '?');
	return to;
}

static char *put(char *to, const char *s)
{
	return stpcpy(to, s);
}

static struct question *question_new(struct group *g, const struct ecs_rate_ask *a)
{
	const char *ua = a->user_agent ? a->user_agent : "";
	size_t url = 3 * (strlen(a->host) + strlen(a->uri)) + 16;
	size_t all = strlen(a->method) + url + 3 * strlen(a->host) + strlen(ua) + 64;
	struct question *q = malloc(sizeof(*q) + url + all);
	char *to;

	if (!q)
		return NULL;
	*q = (struct question){.group = g, .id = a->id};
	q->url = (char *)(q + 1);
	to = put_escaped(put_escaped(put(q->url, "http://"), a->host), a->uri);
	*to++ = '\0';
	q->http = to;
	to = put(put(put(put(to, a->method), " "), q->url), " HTTP/1.1\r\nHost: ");
	to = put(put_escaped(to, a->host), "\r\n");
	if (ua[0])
		to = put(put_text(put(to, "User-Agent: "), ua), "\r\n");
	to = put(to, "\r\n");
	q->http_len = (size_t)(to - q->http);
	ecs_addr_text(a->subscriber, q->client, sizeof(q->client));
	return q;
}

static struct group *find_group(struct chassis_icap *c, const char *name)
{
	for (size_t i = 0; i < ECS_RATERS_MAX; i++)
		if (c->group[i].conf.name[0] && strcmp(c->group[i].conf.name, name) == 0)
			return &c->group[i];
	return NULL;
}

int chassis_icap_ask(struct chassis_icap *c, const struct ecs_rate_ask *a)
{
	struct group *g = find_group(c, a->group->name);
	struct question *q;

	if (!g)
		return SRP_ENOENT;
	if (g->n >= CHASSIS_ICAP_QUEUE_MAX)
		return SRP_EFULL;
	q = question_new(g, a);
	if (!q)
		return SRP_ENOMEM;
	g->n++;
	ev_timer_init(&q->deadline, on_deadline, g->conf.response_s, 0.);
	q->deadline.data = q;
	ev_timer_start(c->loop, &q->deadline);
	queue(q, false);
	look(c);
	return SRP_OK;
}

/* --- groups --------------------------------------------------------------------------------- */

static void server_end(struct server *sv)
{
	while (sv->conns) {
		struct question *q = conn_close(sv->conns);

		if (q)
			queue(q, true);
	}
}

/* All questions of a group fail. */
static void group_fail(struct group *g)
{
	while (g->first) {
		struct question *q = g->first;

		unlink_waiting(q);
		failed(q);
	}
}

static bool same_server(const struct ecs_rater_server *a, const struct ecs_rater_server *b)
{
	return memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0 && a->port == b->port;
}

static bool same_servers(const struct ecs_rater *a, const struct ecs_rater *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (i >= b->n || !same_server(&a->server[i], &b->server[i]))
			return false;
	return a->n == b->n;
}

static void group_set(struct group *g, const struct ecs_rater *r)
{
	bool same = same_servers(&g->conf, r);

	for (size_t i = 0; !same && i < g->conf.n; i++)
		server_end(&g->server[i]);
	g->conf = *r;
	for (size_t i = 0; i < r->n; i++) {
		if (!same)
			g->server[i] = (struct server){.group = g};
		g->server[i].is = r->server[i];
	}
}

static void group_end(struct group *g)
{
	for (size_t i = 0; i < g->conf.n; i++)
		server_end(&g->server[i]);
	group_fail(g);
	g->conf.name[0] = '\0';
	g->conf.n = 0;
}

void chassis_icap_configure(struct chassis_icap *c, const struct ecs_service *s)
{
	const struct ecs_rater *r;

	for (size_t i = 0; i < ECS_RATERS_MAX; i++)
		if (c->group[i].conf.name[0] && !ecs_service_find_rater(s, c->group[i].conf.name))
			group_end(&c->group[i]);
	for (size_t k = 0; (r = ecs_service_rater_at(s, k)) != NULL; k++) {
		struct group *g = find_group(c, r->name);

		for (size_t i = 0; !g && i < ECS_RATERS_MAX; i++)
			if (!c->group[i].conf.name[0])
				g = &c->group[i];
		if (g)
			group_set(g, r);
	}
	look(c);
}

struct chassis_icap *chassis_icap_new(struct ev_loop *loop, chassis_icap_answer_fn *answer_fn,
                                      chassis_icap_tell_fn *tell, void *owner)
{
	struct chassis_icap *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->loop = loop;
	c->answer = answer_fn;
	c->tell = tell;
	c->owner = owner;
	for (size_t i = 0; i < ECS_RATERS_MAX; i++) {
		c->group[i].icap = c;
		c->group[i].last = &c->group[i].first;
	}
	ev_timer_init(&c->turn, on_turn, 0., 0.);
	c->turn.data = c;
	return c;
}

static void forget(void *owner, uint64_t id, const struct ecs_rating *r)
{
	(void)owner, (void)id, (void)r;
}

void chassis_icap_free(struct chassis_icap *c)
{
	if (!c)
		return;
	c->answer = forget;
	c->tell = NULL;
	for (size_t i = 0; i < ECS_RATERS_MAX; i++)
		group_end(&c->group[i]);
	ev_timer_stop(c->loop, &c->turn);
	free(c);
}

const struct chassis_icap_counters *chassis_icap_counted(const struct chassis_icap *c)
{
	return &c->ctr;
}

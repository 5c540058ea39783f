/* icap: groups of rating servers: which one a question goes to, and what becomes of it. */
#include "config.h"
#include "chassis/io/icap_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

/* --- questions ------------------------------------------------------------------------------ */

static void queue(struct icap_question *q, bool first)
{
	struct icap_group *g = q->group;

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

static void unlink_waiting(struct icap_question *q)
{
	struct icap_group *g = q->group;
	struct icap_question **at = &g->first;

	while (*at && *at != q)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = q->next;
	if (g->last == &q->next)
		g->last = at;
}

/* Ends a question, which is on no list and no connection any more. */
static void answer(struct icap_question *q, const struct ecs_rating *r)
{
	struct icap_group *g = q->group;
	struct chassis_icap *c = g->icap;
	uint64_t id = q->id;

	ev_timer_stop(c->loop, &q->deadline);
	g->n--;
	free(q);
	c->answer(c->owner, id, r);
}

static void failed(struct icap_question *q)
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

/* --- what connections meet ------------------------------------------------------------------ */

static void leave_alone(struct icap_server *sv, const char *why)
{
	struct icap_group *g = sv->group;
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
static void again(struct icap_question *q, bool counts)
{
	q->tries += counts;
	if (q->tries > ECS_RATER_SERVERS) {
		failed(q);
		return;
	}
	queue(q, true);
	look(q->group->icap);
}

void icap_lost(struct icap_conn *k, const char *why)
{
	struct icap_server *sv = k->server;
	struct chassis_icap *c = sv->group->icap;
	/* it had been idle, and ended as the question was on its way: the question is asked anew */
	bool stale = k->served && !k->in_len;
	struct icap_question *q;

	if (k->connecting)
		c->ctr.connect_failed++;
	else
		c->ctr.closed++;
	q = icap_conn_close(k);
	if (!q)
		return;
	if (!stale)
		leave_alone(sv, why);
	again(q, true);
}

void icap_said(struct icap_conn *k, const struct chassis_icap_said *s)
{
	struct ecs_rating r = {.said = s->said, .categories = s->categories,
	                       .len = strlen(s->categories), .url = s->url[0] ? s->url : NULL};
	struct chassis_icap *c = k->server->group->icap;
	struct icap_question *q = k->q;

	if (s->error)
		c->ctr.errors++;
	k->served++;
	k->in_len = 0;
	if (s->keep)
		(void)icap_conn_release(k);
	else
		(void)icap_conn_close(k);
	look(c);
	answer(q, &r);
}

void icap_lied(struct icap_conn *k)
{
	struct icap_server *sv = k->server;
	struct icap_question *q;

	sv->group->icap->ctr.refused++;
	leave_alone(sv, "does not speak ICAP");
	q = icap_conn_close(k);
	if (q)
		failed(q);
	look(sv->group->icap);
}

/* --- asking --------------------------------------------------------------------------------- */

static struct icap_conn *idle_conn(const struct icap_server *sv)
{
	for (struct icap_conn *k = sv->conns; k; k = k->next)
		if (!k->q && !k->connecting)
			return k;
	return NULL;
}

/* A connection that can carry a question now; @p busy: a server answers, but all of its connections
 * are used. */
static struct icap_conn *find_conn(struct icap_group *g, bool *busy)
{
	*busy = false;
	for (size_t i = 0; i < g->conf.n; i++) {
		struct icap_server *sv = &g->server[i];
		struct icap_conn *k;

		if (sv->alone_until > ev_now(g->icap->loop))
			continue;
		k = idle_conn(sv);
		if (!k && sv->nconns >= sv->is.max) {
			*busy = true;
			return NULL;
		}
		if (!k)
			k = icap_conn_new(sv);
		if (k)
			return k;
		leave_alone(sv, "cannot be reached");
	}
	return NULL;
}

static void dispatch(struct icap_group *g)
{
	bool busy = false;

	while (g->first) {
		struct icap_question *q = g->first;
		struct icap_conn *k = find_conn(g, &busy);

		if (!k && busy)
			return;
		unlink_waiting(q);
		if (!k || !icap_conn_ask(k, q)) {
			failed(q);
			continue;
		}
		if (!k->connecting && !icap_conn_write(k))
			icap_lost(k, "closes connections");
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
	struct icap_question *q = w->data;
	struct chassis_icap *c = q->group->icap;
	struct icap_conn *k = q->conn;

	(void)loop;
	(void)revents;
	c->ctr.timeouts++;
	if (k) {
		leave_alone(k->server, k->connecting ? "cannot be reached" : "does not answer in time");
		(void)icap_conn_close(k);
		look(c);
	} else {
		unlink_waiting(q);
	}
	failed(q);
}

static struct icap_group *find_group(struct chassis_icap *c, const char *name)
{
	for (size_t i = 0; i < ECS_RATERS_MAX; i++)
		if (c->group[i].conf.name[0] && strcmp(c->group[i].conf.name, name) == 0)
			return &c->group[i];
	return NULL;
}

int chassis_icap_ask(struct chassis_icap *c, const struct ecs_rate_ask *a)
{
	struct icap_group *g = find_group(c, a->group->name);
	struct icap_question *q;

	if (!g)
		return SRP_ENOENT;
	if (g->n >= CHASSIS_ICAP_QUEUE_MAX)
		return SRP_EFULL;
	q = icap_question_new(g, a);
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

static void server_end(struct icap_server *sv)
{
	while (sv->conns) {
		struct icap_question *q = icap_conn_close(sv->conns);

		if (q)
			queue(q, true);
	}
}

/* All questions of a group fail. */
static void group_fail(struct icap_group *g)
{
	while (g->first) {
		struct icap_question *q = g->first;

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

static void group_set(struct icap_group *g, const struct ecs_rater *r)
{
	bool same = same_servers(&g->conf, r);

	for (size_t i = 0; !same && i < g->conf.n; i++)
		server_end(&g->server[i]);
	g->conf = *r;
	for (size_t i = 0; i < r->n; i++) {
		if (!same)
			g->server[i] = (struct icap_server){.group = g};
		g->server[i].is = r->server[i];
	}
}

static void group_end(struct icap_group *g)
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
		struct icap_group *g = find_group(c, r->name);

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

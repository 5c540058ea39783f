/* icap: private to the files of the client of rating servers. A group has questions, which wait or are
 * under way; a server has connections, each of which carries one question at a time. */
#ifndef CHASSIS_IO_ICAP_IMPL_H
#define CHASSIS_IO_ICAP_IMPL_H

#include "chassis/io/icap.h"

struct icap_conn;
struct icap_group;
struct icap_server;

/* A question. */
struct icap_question {
	struct icap_question *next;     /* of the queue */
	struct icap_group *group;
	uint64_t id;
	struct icap_conn *conn;         /* that carries it; NULL: it waits */
	unsigned tries;
	ev_timer deadline;
	char *url, *http;          /* in one piece with it */
	size_t http_len;
	char client[48];
};

/* A connection to a server. */
struct icap_conn {
	struct icap_conn *next;         /* of its server */
	struct icap_server *server;
	int fd;
	ev_io io;
	bool connecting;
	unsigned served;           /* answers that have come by it */
	struct icap_question *q;        /* NULL: it is idle */
	char *out;                 /* not written yet */
	size_t out_len, out_at, in_len;
	char in[CHASSIS_ICAP_HEAD_MAX];
};

struct icap_server {
	struct icap_group *group;
	struct ecs_rater_server is;
	struct icap_conn *conns;
	unsigned nconns;
	ev_tstamp alone_until;     /* of the loop's time; 0: it is asked */
};

struct icap_group {
	struct chassis_icap *icap;
	struct ecs_rater conf;     /* name empty: the place is free */
	struct icap_server server[ECS_RATER_SERVERS];
	struct icap_question *first, **last; /* that wait */
	struct icap_question *asked;    /* under way, by their connections */
	size_t n;                  /* of both */
};

struct chassis_icap {
	struct ev_loop *loop;
	chassis_icap_answer_fn *answer;
	chassis_icap_tell_fn *tell;
	void *owner;
	struct chassis_icap_counters ctr;
	struct icap_group group[ECS_RATERS_MAX];
	ev_timer turn;             /* what waits is looked at outside of chassis_icap_ask() */
};

/* icap_request.c */
/** A question of a group; it is on no list yet. NULL: no memory. */
struct icap_question *icap_question_new(struct icap_group *g, const struct ecs_rate_ask *a);
/** The request that puts it to a server: @p len bytes, to be freed with free(). NULL: no memory. */
char *icap_request(const struct icap_question *q, const struct ecs_rater_server *sv, size_t *len);

/* icap_conn.c */
/** Begins to connect. NULL: cannot, which is counted. */
struct icap_conn *icap_conn_new(struct icap_server *sv);
/** Closes a connection; its question, where it had one, is the caller's. */
struct icap_question *icap_conn_close(struct icap_conn *k);
/** The connection is idle now; its question is the caller's. */
struct icap_question *icap_conn_release(struct icap_conn *k);
/** Gives an idle connection a question; false: no memory. */
bool icap_conn_ask(struct icap_conn *k, struct icap_question *q);
/** False: the connection is lost. */
bool icap_conn_write(struct icap_conn *k);

/* icap.c: what a connection meets. It is closed, or idle, afterwards. */
void icap_lost(struct icap_conn *k, const char *why);
void icap_said(struct icap_conn *k, const struct chassis_icap_said *s);
/** A server that says what it must not. */
void icap_lied(struct icap_conn *k);

#endif

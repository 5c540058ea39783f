/* icap: a client of rating servers (RFC 3507, REQMOD): HTTP requests are shown to a group of servers,
 * and what they say of them is told. On the caller's loop, never blocking.
 *
 * A request is shown by its header alone:
 *
 *     REQMOD icap://192.0.2.1:1344/reqmod ICAP/1.0
 *     Host: 192.0.2.1:1344
 *     Allow: 204
 *     X-Client-IP: 10.0.0.1
 *     Encapsulated: req-hdr=0, null-body=74
 *
 *     GET http://www.example.com/a HTTP/1.1
 *     Host: www.example.com
 *     User-Agent: ...
 *
 * Answers: 204 allows; `X-Category: NAME[,NAME...]` beside it names categories. 200 with a response
 * (res-hdr) denies, with a redirection where that has a Location; 200 with a request (req-hdr) allows
 * where it is for the same URL, and else redirects to it. All else is no rating, and a server that does
 * not speak ICAP is left alone for a while. Each question has one answer, within response-timeout. */
#ifndef CHASSIS_IO_ICAP_H
#define CHASSIS_IO_ICAP_H

#include <ev.h>

#include "ecs/engine.h"
#include "ecs/rule/service.h"

#define CHASSIS_ICAP_QUEUE_MAX 1024u /**< questions of a group without an answer */
#define CHASSIS_ICAP_HEAD_MAX  8192u /**< bytes of an answer that are read */

struct chassis_icap;

/** What has happened; all since the beginning. */
struct chassis_icap_counters {
	uint64_t connects, connect_failed, requests, timeouts, refused, errors, closed, left_alone;
};

/** Called from the loop, never from chassis_icap_ask(). */
typedef void chassis_icap_answer_fn(void *owner, uint64_t id, const struct ecs_rating *r);

/** Told of a server that is left alone. */
typedef void chassis_icap_tell_fn(void *owner, const char *text);

/** @p tell may be NULL. NULL without memory. */
struct chassis_icap *chassis_icap_new(struct ev_loop *loop, chassis_icap_answer_fn *answer,
                                      chassis_icap_tell_fn *tell, void *owner);
/** Questions under way are forgotten. */
void chassis_icap_free(struct chassis_icap *c);
/** Takes the groups of a service over; questions of a group that is gone fail. */
void chassis_icap_configure(struct chassis_icap *c, const struct ecs_service *s);
/** 0; SRP_EFULL, SRP_ENOMEM, SRP_ENOENT (no such group): no answer will come. */
int chassis_icap_ask(struct chassis_icap *c, const struct ecs_rate_ask *q);
const struct chassis_icap_counters *chassis_icap_counted(const struct chassis_icap *c);

/** What an answer says; for chassis/io/icap*.c and tests. */
struct chassis_icap_said {
	enum ecs_rated said;
	bool keep;                 /**< the connection can be used again */
	bool error;                /**< FAILED, as the server said: it speaks ICAP */
	char categories[256];
	char url[ECS_URL_MAX + 1]; /**< of DENY; empty: none */
};

/**
 * Reads an answer (icap_answer.c).
 *
 * @param p, len  what has come so far
 * @param url     that was asked about
 * @param eof     nothing more will come
 * @return 0; SRP_EAGAIN: it is not whole yet; SRP_EFORMAT: it is no answer
 */
int chassis_icap_read(const char *p, size_t len, const char *url, bool eof,
                      struct chassis_icap_said *out);

#endif

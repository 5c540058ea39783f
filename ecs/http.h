/* http: requests of one direction of an HTTP/1 connection.
 *
 * `http host` is the authority without user and port: that of an absolute request target, else of
 * the Host header. `http url` is this host followed by path and query, as "www.example.com/a?b";
 * of CONNECT it is the host alone. `http domain` is the host without a leading "www.", `http uri` the
 * path and query. Bytes of 0 within are shown as '?'. */
#ifndef ECS_HTTP_H
#define ECS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/header.h"

enum ecs_http_state {
	ECS_HTTP_START,   /**< a request line is expected, or is being gathered */
	ECS_HTTP_SKIP,    /**< the rest of a header beyond the limit */
	ECS_HTTP_BODY,
	ECS_HTTP_RESYNC,  /**< after a gap or a body without a length: looks for a request line */
	ECS_HTTP_OVER     /**< not HTTP/1, or not any more (CONNECT, Upgrade) */
};

#define ECS_HTTP_EARLIER_MAX 15u

/** A request before the last one. */
struct ecs_http_earlier {
	char *text;
	const char *host, *uri;
	uint8_t method;
};

/** Zeroed: nothing seen. */
struct ecs_http {
	enum ecs_http_state state;
	uint64_t body_left;
	struct ecs_header head;   /**< one that is not whole yet */
	uint32_t requests;
	size_t behind;            /**< when a request became whole: bytes of what was fed behind its
	                               header; SIZE_MAX: its end was not seen */
	char *text;               /**< the strings below */
	const char *host, *url, *user_agent; /**< of the last request; NULL: it had none */
	const char *domain, *uri;            /**< parts of host and url */
	const char *headers;      /**< of the last request, as ecs_l7.http_headers; NULL: not wanted */
	bool every;               /**< requests since ecs_http_packet() are kept; set before bytes are
	                               fed */
	bool more;                /**< there were more than can be kept */
	unsigned now;             /**< requests since then */
	struct ecs_http_earlier *earlier; /**< but the last one */
	size_t nearlier;
	bool want_headers;        /**< set before bytes are fed */
	bool is_head;             /**< the last request was a HEAD */
	uint8_t method;           /**< enum ecs_http_method of it; 0: another one */
};

/** Takes bytes in order; returns how many requests became whole. NULL: bytes were lost. */
unsigned ecs_http_feed(struct ecs_http *h, const uint8_t *data, size_t len);
/** A packet begins: what is kept of the requests of another one is forgotten. */
void ecs_http_packet(struct ecs_http *h);
void ecs_http_fini(struct ecs_http *h);

#endif

/* response: answers of the server of an HTTP/1 connection: status and Content-Type. */
#ifndef ECS_RESPONSE_H
#define ECS_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/header.h"

#define ECS_RESPONSE_TYPE_MAX 127u  /**< characters of a Content-Type that are kept */

enum ecs_response_state {
	ECS_RESPONSE_START,  /**< a status line is expected, or is being gathered */
	ECS_RESPONSE_SKIP,   /**< the rest of a header beyond the limit */
	ECS_RESPONSE_BODY,
	ECS_RESPONSE_CHUNK,  /**< the line with the size of a chunk */
	ECS_RESPONSE_CHUNK_BODY,
	ECS_RESPONSE_TRAILER, /**< behind the last chunk */
	ECS_RESPONSE_RESYNC, /**< after a gap or a body without a length: looks for a status line */
	ECS_RESPONSE_OVER    /**< not HTTP/1, or not any more */
};

/** Zeroed: nothing seen. */
struct ecs_response {
	enum ecs_response_state state;
	uint64_t body_left;  /**< of a chunk: also while its size is read */
	uint8_t line;        /**< CHUNK: digits; TRAILER: 1 in a line that is not empty */
	bool extension;      /**< CHUNK: behind the digits */
	struct ecs_header gathered; /**< a header that is not whole yet */
	bool head;           /**< the request was a HEAD: its answer has no body */
	uint16_t code;       /**< of the last response; 0: none yet */
	char type[ECS_RESPONSE_TYPE_MAX + 1]; /**< without parameters; "": it had none */
};

/** Takes bytes in order; returns how many final responses (not 1xx) became known. NULL: bytes were
 *  lost. */
unsigned ecs_response_feed(struct ecs_response *r, const uint8_t *data, size_t len);
void ecs_response_fini(struct ecs_response *r);

#endif

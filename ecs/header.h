/* header: the header of an HTTP/1 message, gathered from bytes in order (RFC 9112 2.1). */
#ifndef ECS_HEADER_H
#define ECS_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECS_HEADER_MAX 4096u /**< bytes of one that are kept; the rest of it is skipped */

/** Zeroed: nothing gathered. */
struct ecs_header {
	uint8_t *buf;  /**< what is not whole yet, NULL: nothing */
	size_t len, cap;
	uint8_t blank; /**< of the rest that is skipped: how much of an empty line was seen */
};

/** Lets go what was gathered. */
void ecs_header_forget(struct ecs_header *h);
/** What gathering came to. */
struct ecs_header_got {
	const uint8_t *b; /**< the header, until it is let go; NULL: it goes on */
	size_t n;
	bool whole;       /**< else cut at ECS_HEADER_MAX */
	bool none;        /**< these bytes are no such header, or there was no memory */
};
/**
 * Gathers a header, empty lines before it left out.
 *
 * @param len     at least 1
 * @param begins  whether these bytes can be the beginning of one
 * @return bytes used
 */
size_t ecs_header_gather(struct ecs_header *h, const uint8_t *data, size_t len,
                         bool (*begins)(const uint8_t *b, size_t n), struct ecs_header_got *got);
/** What follows @p n bytes of a header is the rest of it, to be skipped. */
void ecs_header_cut(struct ecs_header *h, const uint8_t *b, size_t n);
/** Skips that rest; returns the bytes used, and whether it ended in @p over. */
size_t ecs_header_skip(struct ecs_header *h, const uint8_t *data, size_t len, bool *over);

#endif

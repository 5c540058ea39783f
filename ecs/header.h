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
/** Adds @p n bytes, at most what is left up to ECS_HEADER_MAX; false: no memory. */
bool ecs_header_append(struct ecs_header *h, const uint8_t *data, size_t n);
/** Offset after the empty line that ends a header, searched from @p from on; 0: it is not there. */
size_t ecs_header_end(const uint8_t *b, size_t n, size_t from);
/** What follows @p n bytes of a header is the rest of it, to be skipped. */
void ecs_header_cut(struct ecs_header *h, const uint8_t *b, size_t n);
/** Skips that rest; returns the bytes used, and whether it ended in @p over. */
size_t ecs_header_skip(struct ecs_header *h, const uint8_t *data, size_t len, bool *over);

#endif

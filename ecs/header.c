#include "config.h"
#include "ecs/header.h"

#include <stdlib.h>
#include <string.h>

#define FIRST 512u /* bytes that most headers fit in */

void ecs_header_forget(struct ecs_header *h)
{
	free(h->buf);
	h->buf = NULL;
	h->len = h->cap = 0;
}

/* Adds @p n bytes, at most what is left up to ECS_HEADER_MAX; false: no memory. */
static bool append(struct ecs_header *h, const uint8_t *data, size_t n)
{
	if (n > ECS_HEADER_MAX - h->len)
		return false;
	if (h->len + n > h->cap) {
		size_t cap = h->len + n < FIRST ? FIRST : ECS_HEADER_MAX;
		uint8_t *b = realloc(h->buf, cap);

		if (!b)
			return false;
		h->buf = b;
		h->cap = cap;
	}
	memcpy(h->buf + h->len, data, n);
	h->len += n;
	return true;
}

/* Offset after the empty line that ends a header, searched from @p from on; 0: it is not there. */
static size_t end_of(const uint8_t *b, size_t n, size_t from)
{
	for (size_t i = from; i < n; i++) {
		if (b[i] != '\n')
			continue;
		if (i + 1 < n && b[i + 1] == '\n')
			return i + 2;
		if (i + 2 < n && b[i + 1] == '\r' && b[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

size_t ecs_header_gather(struct ecs_header *h, const uint8_t *data, size_t len,
                         bool (*begins)(const uint8_t *b, size_t n), struct ecs_header_got *got)
{
	size_t old = h->len, room = ECS_HEADER_MAX - old, n = len < room ? len : room, end;

	*got = (struct ecs_header_got){.none = false};
	if (old == 0) {
		if (data[0] == '\r' || data[0] == '\n')
			return 1;
		got->none = !begins(data, n);
		if (got->none)
			return len;
		end = end_of(data, n, 0);
		if (end) { /* as most come: nothing need be kept */
			*got = (struct ecs_header_got){.b = data, .n = end, .whole = true};
			return end;
		}
	}
	if (!append(h, data, n) || !begins(h->buf, h->len)) {
		ecs_header_forget(h);
		got->none = true;
		return len;
	}
	end = end_of(h->buf, h->len, old > 2 ? old - 2 : 0);
	if (end || h->len >= ECS_HEADER_MAX)
		*got = (struct ecs_header_got){.b = h->buf, .n = end ? end : h->len, .whole = end};
	return end ? end - old : n;
}

void ecs_header_cut(struct ecs_header *h, const uint8_t *b, size_t n)
{
	while (n && b[n - 1] == '\r')
		n--;
	h->blank = n && b[n - 1] == '\n';
}

size_t ecs_header_skip(struct ecs_header *h, const uint8_t *data, size_t len, bool *over)
{
	*over = false;
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n') {
			if (h->blank++ == 1) {
				*over = true;
				return i + 1;
			}
		} else if (data[i] != '\r') {
			h->blank = 0;
		}
	}
	return len;
}

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

bool ecs_header_append(struct ecs_header *h, const uint8_t *data, size_t n)
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

size_t ecs_header_end(const uint8_t *b, size_t n, size_t from)
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

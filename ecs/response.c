#include "config.h"
#include "ecs/response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATUS_LINE "HTTP/1."
#define CODE_AT     9u  /* "HTTP/1.1 200" */
#define CHUNK_DIGITS 15u /* of the size of a chunk */
#define CRLF         2u  /* behind a chunk */

void ecs_response_fini(struct ecs_response *r)
{
	ecs_header_forget(&r->gathered);
	*r = (struct ecs_response){.state = ECS_RESPONSE_OVER};
}

/* Whether a status line can begin like this; short input may still become one. */
static bool may_be_status(const uint8_t *b, size_t n)
{
	size_t want = sizeof(STATUS_LINE) - 1;

	return memcmp(b, STATUS_LINE, n < want ? n : want) == 0;
}

static bool digits(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 18)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*out = v;
	return true;
}

struct fields {
	bool chunked, has_length;
	uint64_t length;
};

static void keep_type(struct ecs_response *r, const char *v, size_t n)
{
	size_t i = 0;

	for (; i < n && i < ECS_RESPONSE_TYPE_MAX && v[i] != ';' && v[i] != ' '; i++)
		r->type[i] = v[i] ? v[i] : '?';
	r->type[i] = '\0';
}

static void header_line(struct ecs_response *r, struct fields *f, const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n), *v;
	size_t name, len;

	if (!colon)
		return;
	name = (size_t)(colon - p);
	v = colon + 1;
	len = n - name - 1;
	while (len && (*v == ' ' || *v == '\t')) {
		v++;
		len--;
	}
	while (len && (v[len - 1] == ' ' || v[len - 1] == '\t' || v[len - 1] == '\r'))
		len--;
	if (name == 12 && strncasecmp(p, "content-type", 12) == 0 && !r->type[0])
		keep_type(r, v, len);
	else if (name == 14 && strncasecmp(p, "content-length", 14) == 0)
		f->has_length = digits(v, len, &f->length);
	else if (name == 17 && strncasecmp(p, "transfer-encoding", 17) == 0)
		f->chunked = true;
}

/* The line with the size of a chunk comes (RFC 9112 7.1). */
static void begin_chunk(struct ecs_response *r)
{
	r->state = ECS_RESPONSE_CHUNK;
	r->body_left = 0;
	r->line = 0;
	r->extension = false;
}

/* What follows a header (RFC 9112 6.3). */
static void body(struct ecs_response *r, const struct fields *f, bool whole, const uint8_t *b,
                 size_t n)
{
	bool none = r->head || r->code < 200 || r->code == 204 || r->code == 304;

	r->body_left = none ? 0 : f->length;
	if (r->code == 101) {
		r->state = ECS_RESPONSE_OVER;
	} else if (!none && f->chunked && whole) {
		begin_chunk(r);
	} else if (!none && (f->chunked || !f->has_length)) {
		r->state = ECS_RESPONSE_RESYNC;
	} else if (whole) {
		r->state = r->body_left ? ECS_RESPONSE_BODY : ECS_RESPONSE_START;
	} else {
		ecs_header_cut(&r->gathered, b, n);
		r->state = ECS_RESPONSE_SKIP;
	}
}

/* Reads a header, whole or cut at the limit; true: of a final response. */
static bool take(struct ecs_response *r, const uint8_t *b, size_t n, bool whole)
{
	struct fields f = {0};
	const char *p = (const char *)b, *end = p + n;
	uint64_t code = 0;

	if (n < CODE_AT + 3 || !may_be_status(b, n) || p[CODE_AT - 1] != ' ' ||
	    !digits(p + CODE_AT, 3, &code) || code < 100 || code > 599) {
		r->state = ECS_RESPONSE_OVER;
		return false;
	}
	r->code = (uint16_t)code;
	r->type[0] = '\0';
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t line = (size_t)((nl ? nl : end) - p);

		if (b != (const uint8_t *)p)
			header_line(r, &f, p, line);
		p += line + (nl ? 1 : 0);
	}
	body(r, &f, whole, b, n);
	return code >= 200 || code == 101;
}

/* Gathers a header; returns the bytes used, and counts a response in @p found. */
static size_t gather(struct ecs_response *r, const uint8_t *data, size_t len, unsigned *found)
{
	struct ecs_header_got got;
	size_t n = ecs_header_gather(&r->gathered, data, len, may_be_status, &got);

	if (got.none)
		r->state = ECS_RESPONSE_OVER;
	if (got.b) {
		*found += take(r, got.b, got.n, got.whole);
		ecs_header_forget(&r->gathered);
	}
	return n;
}

static size_t skip_header(struct ecs_response *r, const uint8_t *data, size_t len)
{
	bool over;
	size_t n = ecs_header_skip(&r->gathered, data, len, &over);

	if (over)
		r->state = r->body_left ? ECS_RESPONSE_BODY : ECS_RESPONSE_START;
	return n;
}

static int hex(uint8_t c)
{
	static const char digit[] = "0123456789abcdef";
	const char *p = c ? strchr(digit, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;

	return p ? (int)(p - digit) : -1;
}

/* Reads the line with the size of a chunk; behind it comes the chunk with its line end, or, behind the last one,
 * the trailer. */
static size_t read_chunk(struct ecs_response *r, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int d = hex(data[i]);

		if (data[i] == '\n' && r->line) {
			bool last = !r->body_left;

			r->state = last ? ECS_RESPONSE_TRAILER : ECS_RESPONSE_CHUNK_BODY;
			r->body_left += last ? 0 : CRLF;
			r->line = 0;
			return i + 1;
		}
		if (r->extension)
			continue;
		if (d >= 0 && r->line < CHUNK_DIGITS) {
			r->body_left = r->body_left << 4 | (unsigned)d;
			r->line++;
		} else if (r->line && (data[i] == ';' || data[i] == ' ' || data[i] == '\r')) {
			r->extension = true;
		} else {
			r->state = ECS_RESPONSE_RESYNC;
			return len;
		}
	}
	return len;
}

/* Its lines, up to an empty one. */
static size_t skip_trailer(struct ecs_response *r, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n' && !r->line) {
			r->state = ECS_RESPONSE_START;
			return i + 1;
		}
		if (data[i] == '\n')
			r->line = 0;
		else if (data[i] != '\r')
			r->line = 1;
	}
	return len;
}

static size_t skip_body(struct ecs_response *r, size_t len)
{
	size_t n = r->body_left < len ? (size_t)r->body_left : len;

	r->body_left -= n;
	if (r->body_left)
		return n;
	if (r->state == ECS_RESPONSE_CHUNK_BODY)
		begin_chunk(r);
	else
		r->state = ECS_RESPONSE_START;
	return n;
}

unsigned ecs_response_feed(struct ecs_response *r, const uint8_t *data, size_t len)
{
	unsigned found = 0;

	if (!data) {
		ecs_header_forget(&r->gathered);
		if (r->state != ECS_RESPONSE_OVER)
			r->state = ECS_RESPONSE_RESYNC;
		return 0;
	}
	/* a segment that begins with a status line: the body before it is over */
	if (r->state == ECS_RESPONSE_RESYNC && len > CODE_AT && may_be_status(data, len))
		r->state = ECS_RESPONSE_START;
	while (len && r->state != ECS_RESPONSE_OVER && r->state != ECS_RESPONSE_RESYNC) {
		size_t n;

		switch (r->state) {
		case ECS_RESPONSE_START:
			n = gather(r, data, len, &found);
			break;
		case ECS_RESPONSE_SKIP:
			n = skip_header(r, data, len);
			break;
		case ECS_RESPONSE_CHUNK:
			n = read_chunk(r, data, len);
			break;
		case ECS_RESPONSE_TRAILER:
			n = skip_trailer(r, data, len);
			break;
		default:
			n = skip_body(r, len);
			break;
		}
		data += n;
		len -= n;
	}
	return found;
}

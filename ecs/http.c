#include "config.h"
#include "ecs/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ecs/rule/service.h"

#define METHOD_MAX 32u

/* A piece of the header; p NULL: not there. */
struct piece {
	const char *p;
	size_t n;
};

struct request {
	struct piece method, target, host, user_agent;
	bool upgrade, chunked, bad_length, has_length;
	uint64_t length;
};

void ecs_http_packet(struct ecs_http *h)
{
	for (size_t i = 0; i < h->nearlier; i++)
		free(h->earlier[i].text);
	h->nearlier = h->now = 0;
	h->more = false;
}

void ecs_http_fini(struct ecs_http *h)
{
	ecs_http_packet(h);
	free(h->earlier);
	ecs_header_forget(&h->head);
	free(h->text);
	*h = (struct ecs_http){.state = ECS_HTTP_OVER};
}

static bool method_char(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || (c >= '0' && c <= '9');
}

/* Whether a request line can begin like this; short input may still become one. */
static bool may_be_request(const uint8_t *b, size_t n)
{
	size_t i = 0;

	while (i < n && i <= METHOD_MAX && method_char(b[i]))
		i++;
	if (i == n)
		return i <= METHOD_MAX;
	return i > 0 && i <= METHOD_MAX && b[i] == ' ';
}

/* Cuts one line off; without its line end. False at the end of the header. */
static bool take_line(struct piece *rest, struct piece *line)
{
	const char *nl;

	if (rest->n == 0)
		return false;
	nl = memchr(rest->p, '\n', rest->n);
	line->p = rest->p;
	line->n = nl ? (size_t)(nl - rest->p) : rest->n;
	rest->p += line->n + (nl ? 1 : 0);
	rest->n -= line->n + (nl ? 1 : 0);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static struct piece trim(struct piece s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static bool request_line(struct request *r, struct piece line)
{
	const char *sp = memchr(line.p, ' ', line.n), *end;

	if (!sp || sp == line.p || (size_t)(sp - line.p) > METHOD_MAX)
		return false;
	r->method = (struct piece){line.p, (size_t)(sp - line.p)};
	for (size_t i = 0; i < r->method.n; i++)
		if (!method_char((uint8_t)line.p[i]))
			return false;
	end = memrchr(line.p, ' ', line.n);
	if (end <= sp || line.n - (size_t)(end - line.p) < 8 || strncmp(end, " HTTP/1.", 8) != 0)
		return false;
	r->target = trim((struct piece){sp + 1, (size_t)(end - sp - 1)});
	return r->target.n > 0;
}

static bool name_is(struct piece name, const char *want)
{
	return name.n == strlen(want) && strncasecmp(name.p, want, name.n) == 0;
}

static void content_length(struct request *r, struct piece v)
{
	uint64_t n = 0;

	if (v.n == 0 || v.n > 18)
		r->bad_length = true;
	for (size_t i = 0; i < v.n && !r->bad_length; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			r->bad_length = true;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	if (r->has_length && n != r->length)
		r->bad_length = true;
	r->has_length = true;
	r->length = n;
}

static void header_line(struct request *r, struct piece line)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct piece name, value;

	if (!colon)
		return;
	name = (struct piece){line.p, (size_t)(colon - line.p)};
	value = trim((struct piece){colon + 1, line.n - name.n - 1});
	if (name_is(name, "host") && !r->host.p)
		r->host = value;
	else if (name_is(name, "user-agent") && !r->user_agent.p)
		r->user_agent = value;
	else if (name_is(name, "content-length"))
		content_length(r, value);
	else if (name_is(name, "transfer-encoding"))
		r->chunked = true;
	else if (name_is(name, "upgrade"))
		r->upgrade = true;
}

/* The host of an authority: without user information and port; brackets of IPv6 stay. */
static struct piece host_of(struct piece a)
{
	const char *at = memrchr(a.p, '@', a.n), *end;

	if (at) {
		a.n -= (size_t)(at + 1 - a.p);
		a.p = at + 1;
	}
	if (a.n && a.p[0] == '[') {
		end = memchr(a.p, ']', a.n);
		if (end)
			a.n = (size_t)(end - a.p) + 1;
		return a;
	}
	end = memchr(a.p, ':', a.n);
	if (end)
		a.n = (size_t)(end - a.p);
	return a;
}

/* Splits an absolute target into authority and path; false: it is in another form. */
static bool absolute(struct piece target, struct piece *authority, struct piece *path)
{
	static const char *const schemes[] = {"http://", "https://", "ws://", "ftp://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);
		const char *p = target.p + n, *end = target.p + target.n, *s = p;

		if (target.n < n || strncasecmp(target.p, schemes[i], n) != 0)
			continue;
		while (s < end && *s != '/' && *s != '?' && *s != '#')
			s++;
		*authority = (struct piece){p, (size_t)(s - p)};
		*path = (struct piece){s, (size_t)(end - s)};
		return true;
	}
	return false;
}

static char *put(char *to, struct piece s)
{
	for (size_t i = 0; i < s.n; i++)
		*to++ = s.p[i] ? s.p[i] : '?';
	return to;
}

/* Header fields as a list of names and values; what is no field is left out. It is no longer than the
 * header: a colon and a line end make room for two ends of strings. */
static char *put_headers(char *to, struct piece rest)
{
	struct piece line;

	while (take_line(&rest, &line)) {
		const char *colon = memchr(line.p, ':', line.n);
		size_t n = colon ? (size_t)(colon - line.p) : 0;

		if (!n)
			continue;
		to = put(to, (struct piece){line.p, n});
		*to++ = '\0';
		to = put(to, trim((struct piece){colon + 1, line.n - n - 1}));
		*to++ = '\0';
	}
	*to++ = '\0';
	return to;
}

static uint8_t method_of(struct piece m)
{
	char text[METHOD_MAX + 1];

	memcpy(text, m.p, m.n);
	text[m.n] = '\0';
	return ecs_enum_value(ECS_F_HTTP_METHOD, text);
}

/* Another request follows in the same packet: this one is kept beside it, or forgotten. */
static void put_aside(struct ecs_http *h)
{
	struct ecs_http_earlier *to;

	if (h->every && h->now && !h->earlier)
		h->earlier = malloc(ECS_HTTP_EARLIER_MAX * sizeof(*h->earlier));
	if (h->every && h->now && (!h->earlier || !h->text || h->nearlier == ECS_HTTP_EARLIER_MAX))
		h->more = true;
	if (!h->every || !h->now || h->more) {
		free(h->text);
	} else {
		to = &h->earlier[h->nearlier++];
		*to = (struct ecs_http_earlier){h->text, h->host, h->uri, h->method};
	}
	h->text = NULL;
	h->now++;
}

/* Keeps the strings of a request; without memory there are none. */
static void keep(struct ecs_http *h, const struct request *r, struct piece header)
{
	struct piece host = {0}, path = {0};
	char *to;

	put_aside(h);
	if (!h->want_headers)
		header.n = 0;
	h->method = method_of(r->method);
	h->is_head = h->method == ECS_METHOD_HEAD;

	if (name_is(r->method, "CONNECT")) {
		host = host_of(r->target);
	} else if (absolute(r->target, &host, &path)) {
		host = host_of(host);
	} else {
		if (r->host.p)
			host = host_of(r->host);
		if (r->target.p[0] == '/')
			path = r->target;
	}
	h->host = h->url = h->user_agent = h->domain = h->uri = h->headers = NULL;
	h->text = to = malloc(2 * host.n + path.n + r->user_agent.n + header.n + 6);
	if (!to)
		return;
	if (host.n) {
		h->host = to;
		to = put(to, host);
		*to++ = '\0';
		h->domain = h->host + (strncasecmp(h->host, "www.", 4) == 0 && h->host[4] ? 4 : 0);
	}
	h->url = to;
	to = put(put(to, host), path);
	h->uri = h->url + host.n;
	*to++ = '\0';
	if (r->user_agent.p) {
		h->user_agent = to;
		to = put(to, r->user_agent);
		*to++ = '\0';
	}
	if (h->want_headers) {
		h->headers = to;
		put_headers(to, header);
	}
}

/* Of a header that was cut at the limit: its whole lines. A cut one could read as what it is not. */
static size_t whole_lines(const uint8_t *b, size_t n)
{
	const uint8_t *nl = memrchr(b, '\n', n);

	return nl ? (size_t)(nl - b) + 1 : 0;
}

/* Reads a header (whole, or cut at the limit); false: this is not HTTP/1. */
static bool take_request(struct ecs_http *h, const uint8_t *b, size_t n, bool whole)
{
	struct piece rest = {(const char *)b, whole ? n : whole_lines(b, n)}, line;
	struct piece header;
	struct request r = {0};

	if (!take_line(&rest, &line) || !request_line(&r, line)) {
		h->state = ECS_HTTP_OVER;
		return false;
	}
	header = rest;
	while (take_line(&rest, &line))
		header_line(&r, line);
	keep(h, &r, header);
	h->requests++;
	if (name_is(r.method, "CONNECT") || r.upgrade) {
		h->state = ECS_HTTP_OVER;
	} else if (r.chunked || r.bad_length) {
		h->state = ECS_HTTP_RESYNC;
	} else if (whole) {
		h->body_left = r.length;
		h->state = r.length ? ECS_HTTP_BODY : ECS_HTTP_START;
	} else {
		h->body_left = r.length;
		ecs_header_cut(&h->head, b, n);
		h->state = ECS_HTTP_SKIP;
	}
	return true;
}

/* Gathers a header; returns the bytes used, and counts a request in @p found. */
static size_t gather(struct ecs_http *h, const uint8_t *data, size_t len, unsigned *found)
{
	struct ecs_header_got got;
	size_t n = ecs_header_gather(&h->head, data, len, may_be_request, &got);

	if (got.none)
		h->state = ECS_HTTP_OVER;
	if (got.b) {
		*found += (unsigned)take_request(h, got.b, got.n, got.whole);
		ecs_header_forget(&h->head);
	}
	return n;
}

/* Skips to the end of a header whose beginning was read. */
static size_t skip_header(struct ecs_http *h, const uint8_t *data, size_t len)
{
	bool over;
	size_t n = ecs_header_skip(&h->head, data, len, &over);

	if (over)
		h->state = h->body_left ? ECS_HTTP_BODY : ECS_HTTP_START;
	return n;
}

static size_t skip_body(struct ecs_http *h, size_t len)
{
	size_t n = h->body_left < len ? (size_t)h->body_left : len;

	h->body_left -= n;
	if (h->body_left == 0)
		h->state = ECS_HTTP_START;
	return n;
}

/* Whether these bytes begin with a whole request line: asked where a line may begin anywhere. */
static bool is_request(const uint8_t *data, size_t len)
{
	struct piece rest = {(const char *)data, len}, line;
	struct request r = {0};

	return may_be_request(data, len) && memchr(data, '\n', len) && take_line(&rest, &line) &&
	       request_line(&r, line);
}

unsigned ecs_http_feed(struct ecs_http *h, const uint8_t *data, size_t len)
{
	unsigned found = 0;

	if (!data) {
		ecs_header_forget(&h->head);
		if (h->state != ECS_HTTP_OVER)
			h->state = ECS_HTTP_RESYNC;
		return 0;
	}
	if (h->state == ECS_HTTP_RESYNC && is_request(data, len))
		h->state = ECS_HTTP_START;
	while (len && h->state != ECS_HTTP_OVER && h->state != ECS_HTTP_RESYNC) {
		size_t n = len;
		unsigned was = found;

		switch (h->state) {
		case ECS_HTTP_START:
			n = gather(h, data, len, &found);
			break;
		case ECS_HTTP_SKIP:
			n = skip_header(h, data, len);
			break;
		case ECS_HTTP_BODY:
			n = skip_body(h, len);
			break;
		case ECS_HTTP_RESYNC:
		case ECS_HTTP_OVER:
			break;
		}
		data += n;
		len -= n;
		if (found != was)
			h->behind = h->state == ECS_HTTP_SKIP ? SIZE_MAX : len;
	}
	return found;
}

/* icap_request: the text of a question, as a rating server reads it. */
#include "config.h"
#include "chassis/io/icap_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_ROOM 512u /* of the ICAP header before the request */

/* What a subscriber has sent, so that nothing of it ends a line or a word. */
static char *put_escaped(char *to, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch > ' ' && ch < 0x7f) {
			*to++ = (char)ch;
			continue;
		}
		*to++ = '%';
		*to++ = hex[ch >> 4];
		*to++ = hex[ch & 15];
	}
	return to;
}

static char *put_text(char *to, const char *s)
{
	for (; *s; s++)
		*to++ = (char)((unsigned char)*s >= ' ' && *s != 0x7f ? *s : '?');
	return to;
}

static char *put(char *to, const char *s)
{
	return stpcpy(to, s);
}

struct icap_question *icap_question_new(struct icap_group *g, const struct ecs_rate_ask *a)
{
	const char *ua = a->user_agent ? a->user_agent : "";
	size_t url = 3 * (strlen(a->host) + strlen(a->uri)) + 16;
	size_t all = strlen(a->method) + url + 3 * strlen(a->host) + strlen(ua) + 64;
	struct icap_question *q = malloc(sizeof(*q) + url + all);
	char *to;

	if (!q)
		return NULL;
	*q = (struct icap_question){.group = g, .id = a->id};
	q->url = (char *)(q + 1);
	to = put_escaped(put_escaped(put(q->url, "http://"), a->host), a->uri);
	*to++ = '\0';
	q->http = to;
	to = put(put(put(put(to, a->method), " "), q->url), " HTTP/1.1\r\nHost: ");
	to = put(put_escaped(to, a->host), "\r\n");
	if (ua[0])
		to = put(put_text(put(to, "User-Agent: "), ua), "\r\n");
	to = put(to, "\r\n");
	q->http_len = (size_t)(to - q->http);
	ecs_addr_text(a->subscriber, q->client, sizeof(q->client));
	return q;
}

char *icap_request(const struct icap_question *q, const struct ecs_rater_server *sv, size_t *len)
{
	char addr[48];
	const char *host = ecs_addr_text(&sv->addr, addr, sizeof(addr));
	bool v4 = ecs_addr_is4(&sv->addr);
	char *out = malloc(HEAD_ROOM + q->http_len);
	int n;

	if (!out)
		return NULL;
	n = snprintf(out, HEAD_ROOM,
	             "REQMOD icap://%s%s%s:%u/%s ICAP/1.0\r\nHost: %s%s%s:%u\r\nAllow: 204\r\n"
	             "X-Client-IP: %s\r\nEncapsulated: req-hdr=0, null-body=%zu\r\n\r\n",
	             v4 ? "" : "[", host, v4 ? "" : "]", sv->port, q->group->conf.service,
	             v4 ? "" : "[", host, v4 ? "" : "]", sv->port, q->client, q->http_len);
	memcpy(out + n, q->http, q->http_len);
	*len = (size_t)n + q->http_len;
	return out;
}

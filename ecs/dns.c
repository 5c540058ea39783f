#include "config.h"
#include "ecs/dns.h"

#include <string.h>

#include "srp/err.h"

#define HEADER    12u
#define LABEL_MAX 63u

static char shown(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != '.' ? (char)c : '?';
}

int ecs_dns_question(const uint8_t *msg, size_t len, char *out)
{
	char name[ECS_DNS_NAME_MAX + 1];
	size_t at = HEADER, n = 0;

	if (len < HEADER)
		return SRP_ESHORT;
	if ((msg[4] | msg[5]) == 0)
		return SRP_ENOENT;
	for (;;) {
		size_t label;

		if (at >= len)
			return SRP_ESHORT;
		label = msg[at++];
		if (label == 0)
			break;
		/* compression has nothing to point at in the first name */
		if (label > LABEL_MAX || n + label + 1 > ECS_DNS_NAME_MAX)
			return SRP_EFORMAT;
		if (label > len - at)
			return SRP_ESHORT;
		if (n)
			name[n++] = '.';
		for (size_t i = 0; i < label; i++)
			name[n++] = shown(msg[at++]);
	}
	if (len - at < 4)
		return SRP_ESHORT;
	if (n == 0)
		name[n++] = '.';
	memcpy(out, name, n);
	out[n] = '\0';
	return 0;
}

/* The offset behind a name, which may end in a pointer; 0: it is cut. */
static size_t skip_name(const uint8_t *msg, size_t len, size_t at)
{
	while (at < len) {
		uint8_t n = msg[at];

		if (n == 0)
			return at + 1;
		if ((n & 0xc0) == 0xc0)
			return at + 2;
		if (n > LABEL_MAX)
			return 0;
		at += 1u + n;
	}
	return 0;
}

static size_t number(const uint8_t *p, size_t n)
{
	size_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

size_t ecs_dns_answer(const uint8_t *msg, size_t len, char *name, struct ecs_dns_address *out,
                      size_t max)
{
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
	size_t at = HEADER, n = 0, records;

	/* an answer to one question, without error */
	if (len < HEADER || !(msg[2] & 0x80) || (msg[3] & 0x0f) || number(msg + 4, 2) != 1 ||
	    ecs_dns_question(msg, len, name) != 0)
		return 0;
	records = number(msg + 6, 2);
	at = skip_name(msg, len, at);
	if (!at)
		return 0;
	for (at += 4; records && n < max; records--) {
		size_t type, size;

		at = skip_name(msg, len, at);
		if (!at || at > len || len - at < 10)
			break;
		type = number(msg + at, 2);
		size = number(msg + at + 8, 2);
		if (size > len - at - 10)
			break;
		out[n].ttl = (uint32_t)number(msg + at + 4, 4);
		at += 10;
		if (type == 1 && size == 4) {
			memcpy(out[n].addr.b, v4, sizeof(v4));
			memcpy(out[n++].addr.b + 12, msg + at, 4);
		} else if (type == 28 && size == 16) {
			memcpy(out[n++].addr.b, msg + at, 16);
		}
		at += size;
	}
	return n;
}

#include "config.h"
#include "ecs/tls_hello.h"

#include <string.h>

#include "srp/err.h"

#define RECORD_HDR    5u
#define RECORD_MAX    16640u /* 2^14 + 256 */
#define HANDSHAKE     22u
#define CLIENT_HELLO  1u
#define EXT_NAME      0u
#define NAME_HOST     0u

/* Reads handshake bytes across record borders. */
struct cursor {
	const uint8_t *b;
	size_t len, at;
	size_t record;   /* bytes left of this record */
	size_t message;  /* bytes left of the hello */
	size_t need;     /* with SRP_EAGAIN: bytes of the stream */
	int err;
};

static void fail(struct cursor *c, int err)
{
	if (!c->err)
		c->err = err;
}

static void starve(struct cursor *c, size_t need)
{
	if (!c->err)
		c->need = need;
	fail(c, need > ECS_TLS_HELLO_MAX ? SRP_EFORMAT : SRP_EAGAIN);
}

/* Enters the next record; empty handshake records are not allowed (RFC 8446 5.1). */
static void next_record(struct cursor *c)
{
	const uint8_t *h = c->b + c->at;
	size_t left = c->len - c->at, n;

	if ((left > 0 && h[0] != HANDSHAKE) || (left > 1 && h[1] != 3)) {
		fail(c, SRP_EFORMAT);
		return;
	}
	if (left < RECORD_HDR) {
		starve(c, c->at + RECORD_HDR);
		return;
	}
	n = (size_t)h[3] << 8 | h[4];
	if (n == 0 || n > RECORD_MAX) {
		fail(c, SRP_EFORMAT);
		return;
	}
	c->at += RECORD_HDR;
	c->record = n;
}

/* Copies (or with out NULL skips) n bytes of the hello. */
static void take(struct cursor *c, uint8_t *out, size_t n)
{
	if (n > c->message) {
		fail(c, SRP_EFORMAT);
		return;
	}
	while (n && !c->err) {
		size_t part;

		if (c->record == 0) {
			next_record(c);
			continue;
		}
		part = n < c->record ? n : c->record;
		if (part > c->len - c->at) {
			starve(c, c->at + part);
			return;
		}
		if (out) {
			memcpy(out, c->b + c->at, part);
			out += part;
		}
		c->at += part;
		c->record -= part;
		c->message -= part;
		n -= part;
	}
}

static size_t number(struct cursor *c, size_t bytes)
{
	uint8_t b[4] = {0};
	size_t v = 0;

	take(c, b, bytes);
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | b[i];
	return c->err ? 0 : v;
}

static int read_name(struct cursor *c, size_t ext_len, char *out)
{
	uint8_t name[ECS_TLS_NAME_MAX];
	size_t list = number(c, 2), n;

	if (c->err)
		return c->err;
	if (list + 2 > ext_len)
		return SRP_EFORMAT;
	if (list < 3)
		return SRP_ENOENT;
	if (number(c, 1) != NAME_HOST || c->err)
		return c->err ? c->err : SRP_ENOENT;
	n = number(c, 2);
	if (c->err)
		return c->err;
	if (n + 3 > list || n > sizeof(name))
		return SRP_EFORMAT;
	if (n == 0)
		return SRP_ENOENT;
	take(c, name, n);
	if (c->err)
		return c->err;
	for (size_t i = 0; i < n; i++)
		out[i] = name[i] > 0x20 && name[i] < 0x7f ? (char)name[i] : '?';
	out[n] = '\0';
	return 0;
}

static int read_extensions(struct cursor *c, char *out)
{
	size_t left = number(c, 2);

	while (!c->err && left >= 4) {
		size_t type = number(c, 2), n = number(c, 2);

		if (c->err)
			break;
		left -= 4;
		if (n > left)
			return SRP_EFORMAT;
		if (type == EXT_NAME)
			return read_name(c, n, out);
		take(c, NULL, n);
		left -= n;
	}
	return c->err ? c->err : SRP_ENOENT;
}

static int read_hello(struct cursor *c, char *out)
{
	size_t type, n;

	c->message = 4;
	type = number(c, 1);
	if (c->err)
		return c->err;
	if (type != CLIENT_HELLO)
		return SRP_EFORMAT;
	c->message = number(c, 3);
	if (c->err)
		return c->err;
	take(c, NULL, 2 + 32);    /* version, random */
	n = number(c, 1);         /* session id */
	take(c, NULL, n);
	n = number(c, 2);         /* cipher suites */
	take(c, NULL, n);
	n = number(c, 1);         /* compression */
	take(c, NULL, n);
	if (!c->err && c->message == 0)
		return SRP_ENOENT;
	return c->err ? c->err : read_extensions(c, out);
}

int ecs_tls_server_name(const uint8_t *b, size_t len, char *out, size_t *need)
{
	struct cursor c = {.b = b, .len = len};
	int err = read_hello(&c, out);

	if (err == SRP_EAGAIN)
		*need = c.need;
	return err;
}

int ecs_tls_message_name(const uint8_t *b, size_t len, char *out, size_t *need)
{
	struct cursor c = {.b = b, .len = len, .record = SIZE_MAX};
	int err = read_hello(&c, out);

	if (err == SRP_EAGAIN)
		*need = c.need;
	return err;
}

#include "config.h"
#include "ecs/quic.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/tls_hello.h"
#include "srp/err.h"

#define LONG_FORM    0x80u
#define TAG          16u
#define SAMPLE_AT    4u  /* behind the longest packet number */
#define CID_MAX      20u
#define FRAME_PING   1u
#define FRAME_ACK    2u
#define FRAME_CRYPTO 6u
#define FRAME_CLOSE  0x1cu

/* What versions differ in (RFC 9001 5.2, RFC 9369 3, and the drafts before). */
struct version {
	uint32_t first, last;
	uint8_t initial; /* type of an Initial packet */
	uint8_t salt[20];
	const char *key, *iv, *hp;
};

static const struct version versions[] = {
	{0x00000001, 0x00000001, 0,
	 {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c,
	  0xad, 0xcc, 0xbb, 0x7f, 0x0a},
	 "quic key", "quic iv", "quic hp"},
	{0xff000021, 0xff000022, 0,
	 {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c,
	  0xad, 0xcc, 0xbb, 0x7f, 0x0a},
	 "quic key", "quic iv", "quic hp"},
	{0xff00001d, 0xff000020, 0,
	 {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11,
	  0xe0, 0x43, 0x90, 0xa8, 0x99},
	 "quic key", "quic iv", "quic hp"},
	{0xff000017, 0xff00001c, 0,
	 {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63,
	  0x65, 0xbe, 0xf9, 0xf5, 0x02},
	 "quic key", "quic iv", "quic hp"},
	{0x6b3343cf, 0x6b3343cf, 1,
	 {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d,
	  0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
	 "quicv2 key", "quicv2 iv", "quicv2 hp"},
};

static const struct version *version_of(uint32_t v)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (v >= versions[i].first && v <= versions[i].last)
			return &versions[i];
	return NULL;
}

/* Reads bytes; err is set where they are short. */
struct cursor {
	const uint8_t *p;
	size_t left;
	bool err;
};

static const uint8_t *take(struct cursor *c, uint64_t n)
{
	const uint8_t *p = c->p;

	if (c->err || n > c->left) {
		c->err = true;
		return NULL;
	}
	c->p += n;
	c->left -= (size_t)n;
	return p;
}

static uint64_t number(struct cursor *c, size_t bytes)
{
	const uint8_t *p = take(c, bytes);
	uint64_t v = 0;

	for (size_t i = 0; p && i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* A variable-length integer (RFC 9000 16). */
static uint64_t varint(struct cursor *c)
{
	size_t bytes;

	if (c->err || !c->left) {
		c->err = true;
		return 0;
	}
	bytes = (size_t)1 << (c->p[0] >> 6);
	return number(c, bytes) & (UINT64_MAX >> (66 - 8 * bytes));
}

/* --- keys ------------------------------------------------------------------------------------- */

/* HKDF-Expand-Label (RFC 8446 7.1) of one block. */
static bool expand(const struct ecs_crypto *crypto, const uint8_t secret[32], const char *label,
                   uint8_t *out, size_t n)
{
	uint8_t info[64], block[32];
	size_t len = strlen(label), at = 0;

	info[at++] = 0;
	info[at++] = (uint8_t)n;
	info[at++] = (uint8_t)(len + 6);
	memcpy(info + at, "tls13 ", 6);
	memcpy(info + at + 6, label, len);
	at += 6 + len;
	info[at++] = 0;
	info[at++] = 1; /* the block's number */
	if (!crypto->hmac_sha256(secret, 32, info, at, block))
		return false;
	memcpy(out, block, n);
	return true;
}

static bool derive(struct ecs_quic *q, const struct ecs_crypto *crypto, const struct version *v,
                   const uint8_t *cid, size_t cid_len)
{
	uint8_t initial[32], client[32];

	return crypto->hmac_sha256(v->salt, sizeof(v->salt), cid, cid_len, initial) &&
	       expand(crypto, initial, "client in", client, 32) &&
	       expand(crypto, client, v->key, q->key, 16) &&
	       expand(crypto, client, v->iv, q->iv, 12) && expand(crypto, client, v->hp, q->hp, 16);
}

/* --- the stream of the handshake -------------------------------------------------------------- */

/* Notes that [from, to) is there; false: in too many pieces. */
static bool note(struct ecs_quic *q, uint32_t from, uint32_t to)
{
	size_t i = 0, last;

	while (i < q->npieces && q->piece[i].to < from)
		i++;
	last = i;
	while (last < q->npieces && q->piece[last].from <= to) { /* joined */
		if (q->piece[last].from < from)
			from = q->piece[last].from;
		if (q->piece[last].to > to)
			to = q->piece[last].to;
		last++;
	}
	if (last == i && q->npieces == ECS_QUIC_PIECES_MAX)
		return false;
	memmove(&q->piece[i + 1], &q->piece[last], (q->npieces - last) * sizeof(q->piece[0]));
	q->piece[i] = (struct ecs_quic_piece){from, to};
	q->npieces = (uint8_t)(q->npieces - (last - i) + 1);
	return true;
}

static bool keep(struct ecs_quic *q, uint64_t at, const uint8_t *p, size_t n)
{
	size_t cap = q->cap ? q->cap : 2048;
	uint8_t *b;

	if (at > ECS_QUIC_HELLO_MAX || n > ECS_QUIC_HELLO_MAX - at)
		return false;
	while (cap < at + n)
		cap *= 2;
	if (cap > q->cap) {
		b = realloc(q->hello, cap);
		if (!b)
			return false;
		q->hello = b;
		q->cap = cap;
	}
	if (n)
		memcpy(q->hello + at, p, n);
	return n == 0 || note(q, (uint32_t)at, (uint32_t)(at + n));
}

static bool ack(struct cursor *c, bool ecn)
{
	uint64_t ranges;

	varint(c);
	varint(c);
	ranges = varint(c);
	varint(c);
	for (uint64_t i = 0; i < ranges && !c->err; i++) {
		varint(c);
		varint(c);
	}
	for (int i = 0; ecn && i < 3; i++)
		varint(c);
	return !c->err;
}

/* Reads the frames that an Initial packet may have (RFC 9000 12.4). */
static bool frames(struct ecs_quic *q, const uint8_t *p, size_t len)
{
	struct cursor c = {.p = p, .left = len};

	while (c.left && !c.err) {
		uint64_t type = varint(&c), at, n;
		const uint8_t *data;

		if (type == 0 || type == FRAME_PING)
			continue;
		if (type == FRAME_ACK || type == FRAME_ACK + 1) {
			if (!ack(&c, type != FRAME_ACK))
				return false;
			continue;
		}
		if (type == FRAME_CLOSE)
			return true;
		if (type != FRAME_CRYPTO)
			return false;
		at = varint(&c);
		n = varint(&c);
		data = take(&c, n);
		if (!data || !keep(q, at, data, (size_t)n))
			return false;
	}
	return !c.err;
}

/* --- packets ---------------------------------------------------------------------------------- */

struct initial {
	const uint8_t *head;  /* of the packet */
	const uint8_t *cid;
	size_t cid_len;
	size_t number_at;     /* from the head */
	size_t len;           /* from the packet number on */
};

/* Opens a packet with the keys at hand; the length of the plain text, or 0. */
static size_t open_packet(const struct ecs_quic *q, const struct ecs_crypto *crypto,
                          const struct initial *in, uint8_t *plain)
{
	uint8_t mask[16], head[ECS_QUIC_DATAGRAM], iv[12];
	size_t n, head_len;

	if (!crypto->aes128_ecb(q->hp, in->head + in->number_at + SAMPLE_AT, mask))
		return 0;
	memcpy(head, in->head, in->number_at + 4);
	head[0] = (uint8_t)(head[0] ^ (mask[0] & 0x0f));
	n = (head[0] & 3u) + 1;
	head_len = in->number_at + n;
	if (in->len < n + TAG + 1)
		return 0;
	memcpy(iv, q->iv, sizeof(iv));
	for (size_t i = 0; i < n; i++) {
		head[in->number_at + i] ^= mask[1 + i];
		iv[sizeof(iv) - n + i] ^= head[in->number_at + i];
	}
	if (!crypto->aes128_gcm_open(q->key, iv, head, head_len, in->head + head_len, in->len - n,
	                             plain))
		return 0;
	return in->len - n - TAG;
}

/* The keys are of the first connection id that the client chose; after a Retry it has another. */
static size_t unprotect(struct ecs_quic *q, const struct ecs_crypto *crypto,
                        const struct version *v, const struct initial *in, uint8_t *plain)
{
	struct ecs_quic other = *q;
	size_t n = q->keyed ? open_packet(q, crypto, in, plain) : 0;

	if (n || !derive(&other, crypto, v, in->cid, in->cid_len))
		return n;
	n = open_packet(&other, crypto, in, plain);
	if (n) {
		memcpy(q->key, other.key, sizeof(q->key));
		memcpy(q->iv, other.iv, sizeof(q->iv));
		memcpy(q->hp, other.hp, sizeof(q->hp));
		q->keyed = true;
	}
	return n;
}

/* Reads the head of a packet with a long header; false: there is none that is known. @p is: it is an
 * Initial. */
static bool read_head(struct cursor *c, const struct version **v, struct initial *in, bool *is)
{
	const uint8_t *start = c->p;
	uint64_t first = number(c, 1), version = number(c, 4), n;

	*v = version_of((uint32_t)version);
	if (c->err || !(first & LONG_FORM) || !*v)
		return false;
	*is = (first >> 4 & 3) == (*v)->initial;
	in->head = start;
	in->cid_len = (size_t)number(c, 1);
	in->cid = take(c, in->cid_len);
	n = number(c, 1);
	take(c, n);
	if (c->err || in->cid_len > CID_MAX || n > CID_MAX)
		return false;
	if (*is)
		take(c, varint(c)); /* token */
	n = varint(c);
	in->number_at = (size_t)(c->p - start);
	in->len = (size_t)n;
	return take(c, n) != NULL;
}

bool ecs_quic_is_initial(const uint8_t *data, size_t len)
{
	struct cursor c = {.p = data, .left = len};
	const struct version *v;
	struct initial in;
	bool is;

	return read_head(&c, &v, &in, &is) && is;
}

void ecs_quic_fini(struct ecs_quic *q)
{
	free(q->hello);
	*q = (struct ecs_quic){0};
}

/* What the ClientHello says, as far as it is there. */
static int hello_name(const struct ecs_quic *q, char *name)
{
	size_t need, n = q->npieces && q->piece[0].from == 0 ? q->piece[0].to : 0;

	return n ? ecs_tls_message_name(q->hello, n, name, &need) : SRP_EAGAIN;
}

int ecs_quic_datagram(struct ecs_quic *q, const struct ecs_crypto *crypto, const uint8_t *data,
                      size_t len, char *name)
{
	struct cursor c = {.p = data, .left = len > ECS_QUIC_DATAGRAM ? 0 : len};
	uint8_t plain[ECS_QUIC_DATAGRAM];
	const struct version *v;
	struct initial in;
	bool is, any = false;

	/* several packets can share a datagram */
	while (c.left && read_head(&c, &v, &in, &is)) {
		size_t n;

		if (!is || in.len < SAMPLE_AT + TAG)
			continue;
		n = unprotect(q, crypto, v, &in, plain);
		if (n && !frames(q, plain, n))
			return SRP_EFORMAT;
		any = any || n;
	}
	if (!any && ++q->fails >= ECS_QUIC_FAILS_MAX)
		return SRP_EFORMAT;
	return hello_name(q, name);
}

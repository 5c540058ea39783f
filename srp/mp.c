#include "config.h"
#include "srp/mp.h"

#include <msgpack.h>
#include <string.h>

static int put(void *data, const char *buf, size_t len)
{
	struct srp_mp_w *w = data;

	if (w->err || len > (size_t)(w->end - w->p)) {
		w->err = SRP_ENOSPC;
		return -1;
	}
	memcpy(w->p, buf, len);
	w->p += len;
	return 0;
}

static msgpack_packer packer(struct srp_mp_w *w)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, w, put);
	return pk;
}

struct srp_mp_w srp_mp_w_init(void *buf, size_t cap)
{
	uint8_t *b = buf;

	return (struct srp_mp_w){.start = b, .p = b, .end = b + cap, .err = 0};
}

void srp_mp_w_array(struct srp_mp_w *w, uint32_t n)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_array(&pk, n);
}

void srp_mp_w_uint(struct srp_mp_w *w, uint64_t v)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_uint64(&pk, v);
}

void srp_mp_w_int(struct srp_mp_w *w, int64_t v)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_int64(&pk, v);
}

void srp_mp_w_bool(struct srp_mp_w *w, bool v)
{
	msgpack_packer pk = packer(w);

	if (v)
		msgpack_pack_true(&pk);
	else
		msgpack_pack_false(&pk);
}

void srp_mp_w_nil(struct srp_mp_w *w)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_nil(&pk);
}

void srp_mp_w_bin(struct srp_mp_w *w, const void *p, size_t n)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_bin(&pk, n);
	msgpack_pack_bin_body(&pk, p, n);
}

void srp_mp_w_strn(struct srp_mp_w *w, const char *s, size_t n)
{
	msgpack_packer pk = packer(w);

	msgpack_pack_str(&pk, n);
	msgpack_pack_str_body(&pk, s, n);
}

void srp_mp_w_str(struct srp_mp_w *w, const char *s)
{
	srp_mp_w_strn(w, s, strlen(s));
}

void srp_mp_w_raw(struct srp_mp_w *w, const void *p, size_t n)
{
	put(w, p, n);
}

/* Takes n bytes, or sets the sticky error and gives NULL. */
static const uint8_t *take(struct srp_mp_r *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->err)
		return NULL;
	if (n > (size_t)(r->end - r->p)) {
		r->err = SRP_ESHORT;
		return NULL;
	}
	r->p += n;
	return p;
}

static uint8_t head(struct srp_mp_r *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0xc1; /* 0xc1 is the one byte that msgpack never uses */
}

static uint64_t be(struct srp_mp_r *r, size_t n)
{
	const uint8_t *p = take(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint32_t srp_mp_array(struct srp_mp_r *r, uint32_t max)
{
	uint8_t h = head(r);
	uint64_t n;

	if ((h & 0xf0) == 0x90)
		n = h & 0x0fu;
	else if (h == 0xdc)
		n = be(r, 2);
	else if (h == 0xdd)
		n = be(r, 4);
	else {
		srp_mp_fail(r, SRP_EFORMAT);
		return 0;
	}
	/* An element takes a byte at least: a larger count is a lie, and is found here. */
	if (n > max || n > srp_mp_left(r)) {
		srp_mp_fail(r, n > max ? SRP_ERANGE : SRP_ESHORT);
		return 0;
	}
	return r->err ? 0 : (uint32_t)n;
}

uint64_t srp_mp_uint(struct srp_mp_r *r, uint64_t max)
{
	uint8_t h = head(r);
	uint64_t v = 0;

	if (h < 0x80)
		v = h;
	else if (h >= 0xcc && h <= 0xcf)
		v = be(r, (size_t)1 << (h - 0xcc));
	else
		srp_mp_fail(r, SRP_EFORMAT);
	if (!r->err && v > max)
		srp_mp_fail(r, SRP_ERANGE);
	return r->err ? 0 : v;
}

int64_t srp_mp_int(struct srp_mp_r *r)
{
	uint8_t h = srp_mp_left(r) ? *r->p : 0xc1;

	if (h >= 0xe0) {
		(void)head(r);
		return (int8_t)h;
	}
	if (h >= 0xd0 && h <= 0xd3) {
		size_t n = (size_t)1 << (h - 0xd0);
		uint64_t v;

		(void)head(r);
		v = be(r, n);
		if (n < 8 && v >> (8 * n - 1))
			v |= ~(uint64_t)0 << (8 * n);
		return r->err ? 0 : (int64_t)v;
	}
	return (int64_t)srp_mp_uint(r, INT64_MAX);
}

bool srp_mp_bool(struct srp_mp_r *r)
{
	uint8_t h = head(r);

	if (h != 0xc2 && h != 0xc3)
		srp_mp_fail(r, SRP_EFORMAT);
	return !r->err && h == 0xc3;
}

bool srp_mp_nil(struct srp_mp_r *r)
{
	if (!srp_mp_left(r) || *r->p != 0xc0)
		return false;
	r->p++;
	return true;
}

/* Length of the str or bin that begins here. */
static size_t bytes_len(struct srp_mp_r *r)
{
	uint8_t h = head(r);

	if ((h & 0xe0) == 0xa0)
		return h & 0x1fu;
	switch (h) {
	case 0xc4: case 0xd9: return be(r, 1);
	case 0xc5: case 0xda: return be(r, 2);
	case 0xc6: case 0xdb: return be(r, 4);
	}
	srp_mp_fail(r, SRP_EFORMAT);
	return 0;
}

const uint8_t *srp_mp_bin(struct srp_mp_r *r, size_t min, size_t max, size_t *len)
{
	size_t n = bytes_len(r);

	if (!r->err && (n < min || n > max))
		srp_mp_fail(r, SRP_ERANGE);
	*len = r->err ? 0 : n;
	return take(r, n);
}

void srp_mp_str(struct srp_mp_r *r, char *out, size_t cap)
{
	size_t n;
	const uint8_t *p = srp_mp_bin(r, 0, cap - 1, &n);

	out[0] = '\0';
	if (!p)
		return;
	if (memchr(p, 0, n)) {
		srp_mp_fail(r, SRP_EFORMAT);
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

/* Number of elements below a container head, 0 for a scalar (whose bytes are consumed). */
static uint64_t skip_one(struct srp_mp_r *r)
{
	uint8_t h = head(r);

	if (h < 0x80 || h >= 0xe0 || h == 0xc0 || h == 0xc2 || h == 0xc3)
		return 0;
	if ((h & 0xf0) == 0x80)
		return 2u * (h & 0x0fu);
	if ((h & 0xf0) == 0x90)
		return h & 0x0fu;
	if ((h & 0xe0) == 0xa0) {
		take(r, h & 0x1fu);
		return 0;
	}
	switch (h) {
	case 0xc4: case 0xd9: take(r, be(r, 1)); return 0;
	case 0xc5: case 0xda: take(r, be(r, 2)); return 0;
	case 0xc6: case 0xdb: take(r, be(r, 4)); return 0;
	case 0xca: take(r, 4); return 0;
	case 0xcb: take(r, 8); return 0;
	case 0xcc: case 0xcd: case 0xce: case 0xcf: take(r, (size_t)1 << (h - 0xcc)); return 0;
	case 0xd0: case 0xd1: case 0xd2: case 0xd3: take(r, (size_t)1 << (h - 0xd0)); return 0;
	case 0xdc: return be(r, 2);
	case 0xdd: return be(r, 4);
	case 0xde: return 2 * be(r, 2);
	case 0xdf: return 2 * be(r, 4);
	}
	srp_mp_fail(r, SRP_EFORMAT); /* ext types are not part of the protocol */
	return 0;
}

void srp_mp_skip(struct srp_mp_r *r)
{
	uint64_t todo[SRP_MP_DEPTH_MAX + 1] = {1};
	int depth = 0;

	while (depth >= 0 && !r->err) {
		uint64_t n;

		if (todo[depth] == 0) {
			depth--;
			continue;
		}
		todo[depth]--;
		n = skip_one(r);
		if (n == 0)
			continue;
		if (n > srp_mp_left(r))
			srp_mp_fail(r, SRP_ESHORT);
		else if (depth == SRP_MP_DEPTH_MAX)
			srp_mp_fail(r, SRP_EDEPTH);
		else
			todo[++depth] = n;
	}
}

/* wire: the frames of an instance connection, and the queue of answers. */
#include "config.h"
#include "recovery/replica_impl.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

#define RECOVERY_MAGIC   0x5349u /* "SI" */
#define RECOVERY_VERSION 1u

#define SYNCED (1u << RECOVERY_LINK_SYNC | 1u << RECOVERY_LINK_READY)
#define ANY    (1u << RECOVERY_LINK_HELLO | SYNCED)

typedef int handler_fn(struct recovery_replica *r, struct srp_mp_r *m, struct srp_time now);

static const struct srp_frame_row rows[256] = {
#define RECOVERY_FRAME(sym, type, min_, max_, states_, handler) \
	[type] = {.name = #sym, .min = min_, .max = max_, .states = states_, .event = type},
#include "recovery/frame.def"
#undef RECOVERY_FRAME
};

static handler_fn *const handlers[256] = {
#define RECOVERY_FRAME(sym, type, min, max, states, handler) [type] = recovery_rx_##handler,
#include "recovery/frame.def"
#undef RECOVERY_FRAME
};

#define RECOVERY_FRAME(sym, type, min, max, states, handler) \
	_Static_assert(max <= SRP_FRAME_BODY_MAX && min <= max, #sym);
#include "recovery/frame.def"
#undef RECOVERY_FRAME

const struct srp_frame_table recovery_frames = {
	.magic = RECOVERY_MAGIC, .version = RECOVERY_VERSION, .row = rows};

uint8_t *recovery_out_body(struct recovery_out *out, size_t max)
{
	if (out->cap - out->len < SRP_FRAME_HDR_LEN + max) {
		out->more = true;
		return NULL;
	}
	return out->buf + out->len + SRP_FRAME_HDR_LEN;
}

void recovery_out_frame(struct recovery_replica *r, struct recovery_out *out, enum recovery_frame t,
                        uint8_t flags, size_t len)
{
	srp_frame_put(&recovery_frames, out->buf + out->len, (uint8_t)t, flags, (uint32_t)len);
	out->len += SRP_FRAME_HDR_LEN + len;
	r->conf.totals->frames_out++;
	r->conf.totals->bytes_out += SRP_FRAME_HDR_LEN + len;
}

static int outq_room(struct recovery_replica *r, size_t need)
{
	size_t cap = r->outq_cap ? r->outq_cap : 4096;
	uint8_t *p;

	if (r->outq_pos) {
		memmove(r->outq, r->outq + r->outq_pos, r->outq_len - r->outq_pos);
		r->outq_len -= r->outq_pos;
		r->outq_pos = 0;
	}
	if (r->outq_len + need > RECOVERY_OUTQ_MAX)
		return SRP_EFULL;
	while (cap < r->outq_len + need)
		cap *= 2;
	if (cap == r->outq_cap)
		return SRP_OK;
	p = realloc(r->outq, cap);
	if (!p)
		return SRP_ENOMEM;
	r->outq = p;
	r->outq_cap = cap;
	return SRP_OK;
}

int recovery_outq_put(struct recovery_replica *r, enum recovery_frame t, const uint8_t *body,
                      size_t len)
{
	int rc = r->outq_cap - r->outq_len < SRP_FRAME_HDR_LEN + len
	                 ? outq_room(r, SRP_FRAME_HDR_LEN + len) : SRP_OK;

	if (rc)
		return rc;
	srp_frame_put(&recovery_frames, r->outq + r->outq_len, (uint8_t)t, 0, (uint32_t)len);
	memcpy(r->outq + r->outq_len + SRP_FRAME_HDR_LEN, body, len);
	r->outq_len += SRP_FRAME_HDR_LEN + len;
	return SRP_OK;
}

bool recovery_outq_tx(struct recovery_replica *r, struct recovery_out *out)
{
	while (r->outq_pos < r->outq_len) {
		const uint8_t *f = r->outq + r->outq_pos;
		size_t len = SRP_FRAME_HDR_LEN +
		             ((size_t)f[8] << 24 | (size_t)f[9] << 16 | (size_t)f[10] << 8 | f[11]);

		if (out->cap - out->len < len) {
			out->more = true;
			return false;
		}
		memcpy(out->buf + out->len, f, len);
		out->len += len;
		r->outq_pos += len;
		r->conf.totals->frames_out++;
		r->conf.totals->bytes_out += len;
	}
	r->outq_pos = r->outq_len = 0;
	return true;
}

void recovery_w_key(struct srp_mp_w *w, const struct srp_ckpt_kind *k,
		    const struct srp_ckpt_key *key)
{
	for (unsigned i = 0; i < k->nkey; i++)
		srp_mp_w_uint(w, key->k[i]);
}

void recovery_r_key(struct srp_mp_r *m, const struct srp_ckpt_kind *k, struct srp_ckpt_key *key)
{
	for (unsigned i = 0; i < 3; i++)
		key->k[i] = i < k->nkey ? srp_mp_uint(m, UINT64_MAX) : 0;
}

void recovery_event(struct recovery_replica *r, enum recovery_event ev, const char *why)
{
	if (r->conf.ops && r->conf.ops->event)
		r->conf.ops->event(r->conf.ops_owner, ev, why);
}

/* The plain body of a frame: its own bytes, or what they decompress to, at most a frame's worth. */
static int plain(struct recovery_replica *r, const struct srp_frame_hdr *h, const uint8_t **body,
                 size_t *len)
{
	uint32_t want;
	int n;

	*len = h->len;
	if (h->flags == 0)
		return SRP_OK;
	if (h->flags != SRP_FRAME_F_LZ4 || !r->lz4 || h->type != RECOVERY_FT_RECORDS || h->len < 4)
		return SRP_EVERSION;
	want = (uint32_t)(*body)[0] << 24 | (uint32_t)(*body)[1] << 16 | (uint32_t)(*body)[2] << 8 |
	       (*body)[3];
	if (want < rows[h->type].min || want > sizeof(r->zbuf))
		return SRP_ERANGE;
	n = LZ4_decompress_safe((const char *)*body + 4, (char *)r->zbuf, (int)h->len - 4,
				(int)want);
	if (n < 0 || (uint32_t)n != want)
		return SRP_EFORMAT;
	*body = r->zbuf;
	*len = want;
	return SRP_OK;
}

int recovery_replica_rx(struct recovery_replica *r, const struct srp_frame_hdr *h,
                        const uint8_t *body, struct srp_time now)
{
	const struct srp_frame_row *row = &rows[h->type];
	struct srp_mp_r m;
	size_t len;
	int rc;

	r->conf.totals->frames_in++;
	r->conf.totals->bytes_in += SRP_FRAME_HDR_LEN + h->len;
	if (!row->name)
		rc = SRP_ETYPE;
	else if (h->len < row->min || h->len > row->max)
		rc = SRP_ERANGE;
	else if (!(row->states >> r->link & 1u))
		rc = SRP_ESTATE;
	else
		rc = plain(r, h, &body, &len);
	if (!rc) {
		m = srp_mp_r_init(body, len);
		rc = handlers[h->type](r, &m, now);
		if (!rc)
			rc = srp_mp_finish(&m);
	}
	if (rc) {
		r->conf.totals->protocol_errors++;
		recovery_event(r, RECOVERY_EV_PROTOCOL, row->name ? row->name : "unknown frame");
	}
	return rc;
}

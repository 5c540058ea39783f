#include "config.h"
#include "srp/frame.h"

#include <string.h>

#include "srp/err.h"

int srp_frame_peek(const struct srp_frame_table *t, const uint8_t *buf, size_t len, unsigned state,
                   struct srp_frame_hdr *out)
{
	const struct srp_frame_row *row;
	uint32_t blen;

	if (len < SRP_FRAME_HDR_LEN)
		return SRP_EAGAIN;
	if (((unsigned)buf[0] << 8 | buf[1]) != t->magic || buf[2] != t->version ||
	    buf[5] || buf[6] || buf[7])
		return SRP_EVERSION;
	row = &t->row[buf[3]];
	if (!row->name)
		return SRP_ETYPE;
	blen = (uint32_t)buf[8] << 24 | (uint32_t)buf[9] << 16 | (uint32_t)buf[10] << 8 | buf[11];
	if (blen < row->min || blen > row->max)
		return SRP_ERANGE;
	if (state > 31 || !(row->states >> state & 1u))
		return SRP_ESTATE;
	*out = (struct srp_frame_hdr){.type = buf[3], .flags = buf[4], .len = blen};
	return SRP_OK;
}

void srp_frame_put(const struct srp_frame_table *t, uint8_t *buf, uint8_t type, uint8_t flags,
                   uint32_t len)
{
	const uint8_t h[SRP_FRAME_HDR_LEN] = {
		(uint8_t)(t->magic >> 8), (uint8_t)t->magic, t->version, type, flags, 0, 0, 0,
		(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

	memcpy(buf, h, sizeof(h));
}

#include "config.h"
#include "srp/beat.h"

#include <string.h>

#include "srp/err.h"

#define MAGIC  UINT32_C(0x53525042) /* "SRPB" */
#define SIGNED (SRP_BEAT_LEN - SRP_BEAT_MAC_LEN)

static void put_be(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* In constant time: how far a forged code agrees must not show. */
static bool same_mac(const uint8_t *a, const uint8_t *b)
{
	uint8_t diff = 0;

	for (size_t i = 0; i < SRP_BEAT_MAC_LEN; i++)
		diff |= (uint8_t)(a[i] ^ b[i]);
	return diff == 0;
}

int srp_beat_encode(const struct srp_beat *b, srp_mac_fn *mac, void *key,
                    uint8_t out[SRP_BEAT_LEN])
{
	memset(out, 0, SRP_BEAT_LEN);
	put_be(out, MAGIC, 4);
	out[4] = SRP_BEAT_VERSION;
	out[5] = b->bit;
	out[6] = (uint8_t)b->role;
	put_be(out + 8, b->instance, 2);
	put_be(out + 12, b->term, 4);
	put_be(out + 16, b->seq, 8);
	put_be(out + 24, b->incarnation, 8);
	put_be(out + 32, b->backlog.objects, 8);
	put_be(out + 40, b->backlog.bytes, 8);
	put_be(out + 48, b->backlog.octets, 8);
	put_be(out + 56, b->backlog.charged, 8);
	return mac(key, out, SIGNED, out + SIGNED);
}

int srp_beat_decode(const void *buf, size_t len, srp_mac_fn *mac, void *key, struct srp_beat *out)
{
	const uint8_t *p = buf;
	uint8_t want[SRP_BEAT_MAC_LEN];

	if (len != SRP_BEAT_LEN)
		return SRP_ERANGE;
	if (get_be(p, 4) != MAGIC || p[4] != SRP_BEAT_VERSION || p[7] || p[10] || p[11])
		return SRP_EVERSION;
	if (mac(key, p, SIGNED, want) != 0 || !same_mac(want, p + SIGNED))
		return SRP_EAUTH;
	if (p[5] > 1 || p[6] >= SRP_ROLE__N)
		return SRP_ERANGE;
	*out = (struct srp_beat){
		.bit = p[5], .role = (enum srp_role)p[6], .instance = (uint16_t)get_be(p + 8, 2),
		.term = (uint32_t)get_be(p + 12, 4), .seq = get_be(p + 16, 8),
		.incarnation = get_be(p + 24, 8),
		.backlog = {.objects = get_be(p + 32, 8), .bytes = get_be(p + 40, 8),
		            .octets = get_be(p + 48, 8), .charged = get_be(p + 56, 8)}};
	return SRP_OK;
}

void srp_beat_window_init(struct srp_beat_window *w, uint64_t incarnation, uint8_t bit,
                          uint16_t instance)
{
	*w = (struct srp_beat_window){
		.incarnation = incarnation, .instance = instance, .bit = bit};
}

int srp_beat_accept(struct srp_beat_window *w, const struct srp_beat *b)
{
	if (b->incarnation != w->incarnation || b->bit != w->bit || b->instance != w->instance)
		return SRP_EPEER;
	if (b->seq <= w->last)
		return SRP_ESTALE;
	w->last = b->seq;
	return SRP_OK;
}

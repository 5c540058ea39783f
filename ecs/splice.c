#include "config.h"
#include "ecs/splice.h"

#include <string.h>

#include "ecs/rewrite.h"

#define TCP_HDR      20u
#define TCP_HDR_MAX  60u
#define OPT_END      0u
#define OPT_NOP      1u
#define OPT_MSS      2u
#define OPT_SCALE    3u
#define OPT_SACK_OK  4u
#define OPT_SACK     5u
#define OPT_STAMP    8u
#define OPT_FASTOPEN 34u
#define MSS_LEN      4u
#define SCALE_LEN    3u
#define SACK_OK_LEN  2u
#define STAMP_LEN    10u
#define SCALE_MAX    14u /* RFC 7323 2.3 */
#define ECE          0x40u
#define CWR          0x80u
#define WINDOW_MAX   65535u

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffffu);
}

/* --- options ---------------------------------------------------------------------------------- */

static void option(struct ecs_splice_tcp *t, const uint8_t *opt, size_t n)
{
	if (opt[0] == OPT_MSS && n == MSS_LEN) {
		t->mss = (uint16_t)get16(opt + 2);
	} else if (opt[0] == OPT_SCALE && n == SCALE_LEN) {
		t->scales = true;
		t->scale = opt[2] < SCALE_MAX ? opt[2] : SCALE_MAX;
	} else if (opt[0] == OPT_SACK_OK && n == SACK_OK_LEN) {
		t->sack = true;
	} else if (opt[0] == OPT_STAMP && n == STAMP_LEN) {
		t->stamped = true;
		t->stamp = get32(opt + 2);
		t->echo = get32(opt + 6);
	} else if (opt[0] != OPT_SACK && opt[0] != OPT_FASTOPEN) {
		t->other = true;
	}
}

/* The length of the option at @p i of @p end bytes; 0: there is none. */
static size_t option_len(const uint8_t *opt, size_t i, size_t end)
{
	size_t n;

	if (opt[i] == OPT_NOP)
		return 1;
	n = i + 1 < end ? opt[i + 1] : 0;
	return n < 2 || i + n > end ? 0 : n;
}

bool ecs_splice_read(const struct ecs_packet *p, struct ecs_splice_tcp *out)
{
	const uint8_t *tcp = p->data + p->l4;
	struct ecs_splice_tcp t = {0};
	size_t end = p->hdr_len - p->l4, n;
	unsigned ecn;

	if (p->hdr_len > p->cap || end < TCP_HDR)
		return false;
	for (size_t i = TCP_HDR; i < end && tcp[i] != OPT_END; i += n) {
		n = option_len(tcp, i, end);
		if (n == 0)
			return false;
		if (n > 1)
			option(&t, tcp + i, n);
	}
	ecn = tcp[13] & (ECE | CWR);
	t.ecn = p->tcp_flags & ECS_TCP_ACK ? ecn == ECE : ecn == (ECE | CWR);
	t.window = (uint16_t)get16(tcp + 14);
	*out = t;
	return true;
}

size_t ecs_splice_stamp(uint32_t stamp, uint32_t echo, uint8_t out[ECS_SPLICE_OPTIONS_MAX])
{
	out[0] = out[1] = OPT_NOP;
	out[2] = OPT_STAMP;
	out[3] = STAMP_LEN;
	put32(out + 4, stamp);
	put32(out + 8, echo);
	return 12;
}

size_t ecs_splice_offer(const struct ecs_splice_tcp *sub, const struct ecs_splice_tcp *first,
                        uint32_t stamp, uint8_t out[ECS_SPLICE_OPTIONS_MAX])
{
	size_t n = 0;

	if (sub->mss) {
		out[0] = OPT_MSS;
		out[1] = MSS_LEN;
		put16(out + 2, sub->mss);
		n = MSS_LEN;
	}
	if (sub->sack && first->sack) {
		out[n] = out[n + 1] = OPT_NOP;
		out[n + 2] = OPT_SACK_OK;
		out[n + 3] = SACK_OK_LEN;
		n += 4;
	}
	if (sub->stamped && first->stamped)
		n += ecs_splice_stamp(stamp, 0, out + n);
	if (sub->scales && first->scales) {
		out[n] = OPT_NOP;
		out[n + 1] = OPT_SCALE;
		out[n + 2] = SCALE_LEN;
		out[n + 3] = sub->scale;
		n += 4;
	}
	return n;
}

/* What one offers, and the other agrees to. */
static bool agreed(bool offered, bool answered)
{
	return offered && answered;
}

bool ecs_splice_fits(const struct ecs_splice_tcp *sub, const struct ecs_splice_tcp *first,
                     const struct ecs_splice_tcp *other, struct ecs_splice_map *map)
{
	bool scales = agreed(sub->scales, first->scales);

	if (other->other || other->sack != agreed(sub->sack, first->sack) ||
	    other->stamped != agreed(sub->stamped, first->stamped) ||
	    other->ecn != agreed(sub->ecn, first->ecn) || (other->scales && !scales))
		return false;
	map->stamped = other->stamped;
	map->up = map->down = 0;
	if (scales) {
		/* one that does not scale reads windows as they are */
		map->up = other->scales ? 0 : sub->scale;
		map->down = (other->scales ? other->scale : 0) - first->scale;
	}
	return true;
}

/* --- segments --------------------------------------------------------------------------------- */

uint16_t ecs_splice_window(uint16_t window, int by)
{
	uint32_t w = by < 0 ? (uint32_t)window >> -by : (uint32_t)window << by;

	return (uint16_t)(w < WINDOW_MAX ? w : WINDOW_MAX);
}

/* A time of the first server that the subscriber gives back, as the other knows it: none is from before
 * its first. */
static uint32_t echo_of(const struct ecs_splice_map *map, uint32_t echo)
{
	uint32_t since = echo - map->stamp;

	return map->other + ((int32_t)since < 0 ? 0 : since);
}

/* An option of a segment of the subscriber, then of the server. */
static void option_up(const struct ecs_splice_map *map, uint8_t *opt, size_t n)
{
	if (opt[0] == OPT_STAMP && n == STAMP_LEN && map->stamped)
		put32(opt + 6, echo_of(map, get32(opt + 6)));
	for (size_t i = 2; opt[0] == OPT_SACK && i + 4 <= n; i += 4)
		put32(opt + i, get32(opt + i) - map->seq);
}

static void option_down(const struct ecs_splice_map *map, uint8_t *opt, size_t n)
{
	if (opt[0] == OPT_STAMP && n == STAMP_LEN && map->stamped)
		put32(opt + 2, get32(opt + 2) - map->other + map->stamp);
}

void ecs_splice_translate(struct ecs_raw *r, const struct ecs_packet *p,
                          const struct ecs_splice_map *map)
{
	bool up = p->dir == ECS_UPLINK;
	size_t end = p->hdr_len - p->l4, n;
	uint8_t tcp[TCP_HDR_MAX];

	if (p->hdr_len > p->cap || end < TCP_HDR || end > sizeof(tcp))
		return;
	memcpy(tcp, r->ip + p->l4, end);
	if (!up)
		put32(tcp + 4, p->tcp_seq);
	else if (p->tcp_flags & ECS_TCP_ACK)
		put32(tcp + 8, p->tcp_ack - map->seq);
	put16(tcp + 14, ecs_splice_window((uint16_t)get16(tcp + 14), up ? map->up : map->down));
	for (size_t i = TCP_HDR; i < end && tcp[i] != OPT_END; i += n) {
		n = option_len(tcp, i, end);
		if (n == 0)
			break;
		if (n > 1)
			(up ? option_up : option_down)(map, tcp + i, n);
	}
	/* numbers, the window, and options: not the checksum, which they change */
	ecs_rewrite_l4(r, p, 4, tcp + 4, 8);
	ecs_rewrite_l4(r, p, 14, tcp + 14, 2);
	if (end > TCP_HDR)
		ecs_rewrite_l4(r, p, TCP_HDR, tcp + TCP_HDR, end - TCP_HDR);
}

#include "config.h"
#include "ecs/reply.h"

#include <string.h>

#include "ecs/enforce.h"
#include "ecs/rewrite.h"
#include "ecs/splice.h"

#define PROTO_TCP  6u
#define IP4_HDR    20u
#define IP6_HDR    40u
#define TCP_HDR    20u
#define OPTIONS    40u
#define TTL        64u
#define IP4_DF     0x40u
#define WINDOW     0xffffu

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

/* The IP header; @return its length. */
static size_t put_ip(uint8_t *b, bool v4, const struct ecs_addr *src, const struct ecs_addr *dst,
                     size_t len)
{
	if (v4) {
		memset(b, 0, IP4_HDR);
		b[0] = 0x45;
		put16(b + 2, (unsigned)(IP4_HDR + len));
		b[6] = IP4_DF;
		b[8] = TTL;
		b[9] = PROTO_TCP;
		memcpy(b + 12, src->b + 12, 4);
		memcpy(b + 16, dst->b + 12, 4);
		put16(b + 10, ecs_sum_fold(ecs_sum_add(b, IP4_HDR, 0)));
		return IP4_HDR;
	}
	memset(b, 0, IP6_HDR);
	b[0] = 0x60;
	put16(b + 4, (unsigned)len);
	b[6] = PROTO_TCP;
	b[7] = TTL;
	memcpy(b + 8, src->b, 16);
	memcpy(b + 24, dst->b, 16);
	return IP6_HDR;
}

void ecs_reply(struct ecs_engine *e, const struct ecs_flow *f, const struct ecs_reply *r)
{
	uint8_t b[IP6_HDR + TCP_HDR + OPTIONS + ECS_REPLY_MAX], *t;
	bool down = r->dir == ECS_DOWNLINK, v4 = ecs_addr_is4(&f->key.subscriber);
	/* the server may be another one than the subscriber knows, and count otherwise */
	const struct ecs_flow_key *k = down ? &f->key : r->to ? r->to : ecs_alias_of(f);
	const struct ecs_addr *src = down ? &k->server : &k->subscriber;
	const struct ecs_addr *dst = down ? &k->subscriber : &k->server;
	size_t hdr = TCP_HDR + r->noptions, len = hdr + r->len;
	uint32_t s;

	if (!e->conf.ops || !e->conf.ops->send)
		return;
	t = b + put_ip(b, v4, src, dst, len);
	memset(t, 0, TCP_HDR);
	put16(t, down ? k->server_port : k->subscriber_port);
	put16(t + 2, down ? k->subscriber_port : k->server_port);
	put32(t + 4, down ? r->seq : ecs_shift_seq(f, r->seq));
	put32(t + 8, down || r->to ? r->ack : ecs_splice_ack(f, r->ack));
	t[12] = (uint8_t)((hdr / 4) << 4);
	t[13] = r->flags;
	put16(t + 14, r->flags & ECS_TCP_RST ? 0 : r->window ? r->window : WINDOW);
	if (r->noptions)
		memcpy(t + TCP_HDR, r->options, r->noptions);
	if (r->len)
		memcpy(t + hdr, r->body, r->len);
	/* of an IPv4 address, the bytes before it are the same at both ends: only its own count */
	s = ecs_sum_add(v4 ? src->b + 12 : src->b, v4 ? 4 : 16, PROTO_TCP + (uint32_t)len);
	s = ecs_sum_add(v4 ? dst->b + 12 : dst->b, v4 ? 4 : 16, s);
	put16(t + 16, ecs_sum_fold(ecs_sum_add(t, len, s)));
	e->conf.ops->send(e->conf.owner, b, (size_t)(t - b) + len, r->dir);
}

/* Bytes inserted into what the subscriber sends on a TCP connection. From their place on, the server
 * counts more than the subscriber; both directions are translated for the life of the connection, on
 * the other chassis and after a recovery as well.
 *
 * What is inserted before the subscriber's byte `at` travels with that byte: each packet that has the
 * byte gets it, so that a retransmission is what the first one was. That byte is shown as
 * acknowledged only when the insertion is, too. */
#include "config.h"
#include "ecs/shift.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/enforce.h"
#include "ecs/rewrite.h"
#include "srp/err.h"

#define PROTO_TCP 6u
#define TCP_HDR   20u
#define OPT_END   0u
#define OPT_NOP   1u
#define OPT_SACK  5u

static int32_t diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static struct ecs_shift *of(const struct ecs_flow *f)
{
	return f->more ? f->more->shift : NULL;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static uint32_t to_server(const struct ecs_shift *t, uint32_t seq)
{
	uint32_t by = t->base;

	for (unsigned i = 0; i < t->n && diff(seq, t->piece[i].at) > 0; i++)
		by += t->piece[i].len;
	return seq + by;
}

/* A number of the server's as the subscriber counts. Between the ends of an insertion: the byte that
 * it travels with, or the byte @p behind that. */
static uint32_t to_subscriber(const struct ecs_shift *t, uint32_t ack, bool behind)
{
	uint32_t by = t->base;

	for (unsigned i = 0; i < t->n; i++) {
		const struct ecs_shift_piece *p = &t->piece[i];

		if (diff(ack, p->at + by) <= 0)
			break;
		if (diff(ack, p->at + by + p->len) <= 0)
			return p->at + behind;
		by += p->len;
	}
	return ack - by;
}

uint32_t ecs_shift_seq(const struct ecs_flow *f, uint32_t seq)
{
	const struct ecs_shift *t = of(f);

	return t ? to_server(t, seq) : seq;
}

/* The server has acknowledged: what it has is not sent again. */
static bool settle(struct ecs_shift *t, uint32_t ack)
{
	unsigned n = 0;

	while (n < t->n && diff(ack, t->piece[n].at + t->base + t->piece[n].len) > 0) {
		free(t->piece[n].bytes);
		t->base += t->piece[n++].len;
	}
	t->n -= n;
	memmove(t->piece, t->piece + n, t->n * sizeof(t->piece[0]));
	return n > 0;
}

void ecs_shift_show(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_shift *t = of(w->f);
	struct ecs_packet *p = w->own;

	if (!t || !p || p->proto != PROTO_TCP || p->dir != ECS_DOWNLINK ||
	    p->frag == ECS_FRAG_LATER || !(p->tcp_flags & ECS_TCP_ACK))
		return;
	if (settle(t, p->tcp_ack))
		ecs_tell_changed(e, &t->ckpt, w->now);
	p->tcp_ack = to_subscriber(t, p->tcp_ack, false);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct ecs_shift *make(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_shift *t = of(f);

	if (t)
		return t;
	t = ecs_shift_build(e, f->session, &f->key, f->id);
	if (t && ecs_shift_attach(e, t, f) != 0) {
		ecs_shift_drop(e, t, ECS_TELL_LISTS, f->last);
		t = NULL;
	}
	return t;
}

static bool add(struct ecs_shift *t, uint32_t at, const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n);

	if (!copy)
		return false;
	memcpy(copy, bytes, n);
	t->piece[t->n++] = (struct ecs_shift_piece){at, (uint16_t)n, copy};
	return true;
}

int ecs_shift_add(struct ecs_engine *e, struct ecs_flow *f, uint32_t at, const uint8_t *bytes,
                  size_t n, struct srp_time now)
{
	struct ecs_shift *t = of(f);

	if (n == 0 || n > ECS_SHIFT_BYTES)
		return SRP_EFULL;
	if (t && (t->n == ECS_SHIFT_PIECES || (t->n && diff(at, t->piece[t->n - 1].at) <= 0)))
		return SRP_EFULL;
	t = make(e, f);
	if (!t || !add(t, at, bytes, n))
		return SRP_ENOMEM;
	t->fresh = true;
	ecs_tell_changed(e, &t->ckpt, now);
	return 0;
}

void ecs_shift_clear(struct ecs_shift *t)
{
	for (unsigned i = 0; i < t->n; i++)
		free(t->piece[i].bytes);
	t->n = 0;
}

/* --- packets ---------------------------------------------------------------------------------- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static void set_number(struct ecs_way *w, size_t at, uint32_t v)
{
	uint8_t to[4];

	put32(to, v);
	ecs_rewrite_l4(w->raw, w->p, at, to, sizeof(to));
}

/* Blocks of SACK as the subscriber counts; false: one of them says nothing any more. */
static bool blocks(const struct ecs_shift *t, uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint32_t left = to_subscriber(t, get32(p), true);
		uint32_t right = to_subscriber(t, get32(p + 4), false);

		if (diff(right, left) <= 0)
			return false;
		put32(p, left);
		put32(p + 4, right);
	}
	return true;
}

/* Options of the server's segment. */
static void options(struct ecs_way *w, const struct ecs_shift *t)
{
	const uint8_t *tcp = w->raw->ip + w->p->l4;
	size_t end = w->p->hdr_len - w->p->l4, i = TCP_HDR, n;
	uint8_t opt[60];

	if (end <= TCP_HDR || end > sizeof(opt) || w->p->hdr_len > w->p->cap)
		return;
	memcpy(opt, tcp, end);
	for (; i < end && opt[i] != OPT_END; i += n) {
		if (opt[i] == OPT_NOP) {
			n = 1;
			continue;
		}
		n = i + 1 < end ? opt[i + 1] : 0;
		if (n < 2 || i + n > end)
			break;
		if (opt[i] == OPT_SACK && !blocks(t, opt + i + 2, n - 2))
			memset(opt + i, OPT_NOP, n);
	}
	ecs_rewrite_l4(w->raw, w->p, TCP_HDR, opt + TCP_HDR, end - TCP_HDR);
}

/* Puts in what belongs to the bytes that are in this packet; they are counted from behind, so that
 * places stay what they are. */
static enum ecs_stage_did insert(struct ecs_engine *e, struct ecs_way *w, const struct ecs_shift *t)
{
	uint32_t n = w->p->len > w->p->hdr_len ? (uint32_t)(w->p->len - w->p->hdr_len) : 0;

	if (w->raw->len > w->p->len)
		w->raw->len = w->p->len; /* what a device has padded is not of the packet */
	for (unsigned i = t->n; i-- > 0;) {
		uint32_t off = t->piece[i].at - w->p->tcp_seq;

		if (off < n && ecs_rewrite_insert(w->raw, w->p, off, t->piece[i].bytes,
		                                  t->piece[i].len) != 0) {
			e->conf.counters->drop_shift += w->pkts;
			return ECS_STAGE_STOPPED;
		}
	}
	return ECS_STAGE_ACTED;
}

/* The numbers that the server is going to see must be known to the peer: else a successor would take those
 * of the subscriber for them. What the server has acknowledged is no other number for anybody. */
static bool unconfirmed(struct ecs_shift *t)
{
	if (t->fresh && (!t->session->ready_for_recovery || !srp_ckpt_waits(&t->ckpt, SRP_REPLICA_GR)))
		t->fresh = false;
	return t->fresh;
}

enum ecs_stage_did ecs_stage_shift(struct ecs_engine *e, struct ecs_way *w,
                                   const struct ecs_charging_action *a)
{
	struct ecs_shift *t = w->f ? of(w->f) : NULL;
	const struct ecs_packet *p = w->p;

	(void)a;
	if (!t || !w->raw || p->proto != PROTO_TCP || p->icmp_error || p->frag == ECS_FRAG_LATER)
		return ECS_STAGE_PASSED;
	if (p->dir == ECS_DOWNLINK) {
		if (p->tcp_flags & ECS_TCP_ACK)
			set_number(w, 8, p->tcp_ack);
		options(w, t);
		return ECS_STAGE_ACTED;
	}
	if (p->tcp_flags & ECS_TCP_SYN)
		return ECS_STAGE_PASSED;
	set_number(w, 4, to_server(t, p->tcp_seq));
	w->raw->confirm = unconfirmed(t);
	return insert(e, w, t);
}

/* --- the checkpoint --------------------------------------------------------------------------- */

void ecs_shift_encode(const struct ecs_shift *t, struct srp_mp_w *w)
{
	srp_mp_w_array(w, 1 + 2 * t->n);
	srp_mp_w_uint(w, t->base);
	for (unsigned i = 0; i < t->n; i++) {
		srp_mp_w_uint(w, t->piece[i].at);
		srp_mp_w_bin(w, t->piece[i].bytes, t->piece[i].len);
	}
}

void ecs_shift_read(struct srp_mp_r *r, struct ecs_shift_image *m)
{
	uint32_t n;

	*m = (struct ecs_shift_image){.n = 0};
	n = srp_mp_array(r, 1 + 2 * ECS_SHIFT_PIECES);
	if (!r->err && n % 2 == 0)
		srp_mp_fail(r, SRP_EINVAL);
	m->base = (uint32_t)srp_mp_uint(r, UINT32_MAX);
	for (uint32_t i = 0; i < n / 2 && !r->err; i++, m->n++) {
		m->piece[i].at = (uint32_t)srp_mp_uint(r, UINT32_MAX);
		m->piece[i].bytes = srp_mp_bin(r, 1, ECS_SHIFT_BYTES, &m->piece[i].len);
		if (i && diff(m->piece[i].at, m->piece[i - 1].at) <= 0)
			srp_mp_fail(r, SRP_EINVAL);
	}
}

int ecs_shift_set(struct ecs_shift *t, const struct ecs_shift_image *m)
{
	struct ecs_shift is = {.base = m->base};

	for (size_t i = 0; i < m->n; i++)
		if (!add(&is, m->piece[i].at, m->piece[i].bytes, m->piece[i].len)) {
			ecs_shift_clear(&is);
			return SRP_ENOMEM;
		}
	ecs_shift_clear(t);
	t->base = is.base;
	t->n = is.n;
	memcpy(t->piece, is.piece, sizeof(t->piece));
	return 0;
}

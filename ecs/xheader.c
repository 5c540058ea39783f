/* xheader: `xheader-insert`: header fields inserted into HTTP requests, at the end of the header. Not
 * on recovered flows: their requests are not read (flow-recovery, Feature Interaction). */
#include "config.h"
#include "ecs/enforce.h"

#include <stdio.h>

#include "ecs/analyze.h"

/* --- text ------------------------------------------------------------------------------------- */

struct out {
	char *p;
	size_t n, cap;
};

static void put(struct out *o, const char *s)
{
	for (; *s && o->n < o->cap; s++)
		o->p[o->n++] = *s;
	o->n += *s != '\0'; /* beyond the room: it does not fit */
}

/* What a field says of a session or of a request; NULL: nothing. @p buf: 64 bytes. */
static const char *value(const struct ecs_xfield *f, const struct ecs_session *s,
                         const struct ecs_l7 *l7, const struct ecs_addr *subscriber, char *buf)
{
	switch (f->value) {
	case ECS_XVALUE_CONSTANT:
		return f->text;
	case ECS_XVALUE_IMSI:
		return s->spec.imsi;
	case ECS_XVALUE_APN:
		return s->spec.apn;
	case ECS_XVALUE_USERNAME:
		return s->spec.username;
	case ECS_XVALUE_RULEBASE:
		return s->spec.rulebase;
	case ECS_XVALUE_ADDRESS:
		return ecs_addr_text(subscriber, buf, 64);
	case ECS_XVALUE_SESSION:
		snprintf(buf, 64, "%08x", s->spec.callid);
		return buf;
	case ECS_XVALUE_HOST:
		return l7 ? l7->http_host : NULL;
	case ECS_XVALUE_URL:
		return l7 ? l7->http_url : NULL;
	case ECS_XVALUE__N:
		break;
	}
	return NULL;
}

/* Nothing that ends a line may come from a subscriber's name or request. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* The fields of a format as lines; 0: none of them has anything to say. More than @p cap: too long. */
static size_t render(const struct ecs_engine *e, const struct ecs_way *w, const char *format,
                     char *text, size_t cap)
{
	const struct ecs_xformat *x = ecs_service_xformat(e->conf.service, format);
	const struct ecs_l7 *l7 = w->f->analysis ? &w->f->analysis->l7 : NULL;
	struct out o = {text, 0, cap};

	for (size_t i = 0; x && i < x->n; i++) {
		char buf[64];
		const char *v = value(&x->field[i], w->s, l7, &w->f->key.subscriber, buf);

		if (!v || !v[0] || !is_plain(v))
			continue;
		put(&o, x->field[i].name);
		put(&o, ": ");
		put(&o, v);
		put(&o, "\r\n");
	}
	return o.n;
}

/* --- the packet ------------------------------------------------------------------------------- */

/* Whether the packet ends the header of a request, by an empty line that begins in it. @p at: the
 * sequence number of that line. */
static bool blank_line(const struct ecs_way *w, uint32_t *at)
{
	const struct ecs_packet *p = w->p;
	uint32_t off;

	if (!w->head_seen)
		return false;
	off = w->head_end - 2 - p->tcp_seq;
	if (off < p->payload_len && p->payload[off] == '\r') {
		*at = w->head_end - 2;
		return true;
	}
	off++;
	*at = w->head_end - 1;
	return off < p->payload_len && p->payload[off] == '\n' &&
	       (off == 0 || p->payload[off - 1] == '\n');
}

static bool fits(const struct ecs_way *w, size_t n)
{
	const struct ecs_packet *p = w->p;

	return p->frag == ECS_FRAG_NONE && p->cap >= p->len && w->raw->len + n <= w->raw->room &&
	       w->raw->len + n <= UINT16_MAX && (p->version == 4 || p->l4 == 40);
}

enum ecs_stage_did ecs_stage_xheader(struct ecs_engine *e, struct ecs_way *w,
                                     const struct ecs_charging_action *a)
{
	struct ecs_flow *f = w->f;
	char text[ECS_SHIFT_BYTES];
	uint32_t at;
	size_t n;

	if (!a || !a->xheader[0])
		a = w->post;
	if (!a || !a->xheader[0] || !f || !w->raw || !w->request || w->p->dir != ECS_UPLINK)
		return ECS_STAGE_PASSED;
	n = render(e, w, a->xheader, text, sizeof(text));
	if (n == 0)
		return ECS_STAGE_PASSED;
	if (n > sizeof(text) || !blank_line(w, &at) || !fits(w, n) ||
	    ecs_shift_add(e, f, at, (const uint8_t *)text, n, w->now) != 0) {
		e->conf.counters->xheader_missed++;
		return ECS_STAGE_PASSED;
	}
	e->conf.counters->xheader_bytes += n;
	return ECS_STAGE_ACTED;
}

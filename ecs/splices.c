/* splices: connections that may get, wait for, or have another server (splice.h). */
#include "config.h"
#include "ecs/splice.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/enforce.h"
#include "ecs/redirect.h"
#include "ecs/reply.h"

#define ROOM     2048u /* behind a packet, for header fields */
#define AT_ONCE  (ECS_STAGE_BIT(SPLICE) * 2 - 1)

struct packet {
	struct ecs_raw raw;
	uint64_t pkts, bytes;
	uint64_t row;            /* of the trace; 0: it has none */
	uint32_t seq, end;
	bool request, head_seen; /* as in struct ecs_way */
	uint32_t head_end;
};

struct ecs_splice_held {
	size_t n, bytes;
	struct packet pkt[ECS_SPLICE_PACKETS];
};

_Static_assert(ECS_SPLICE_WATCHED_MAX < ECS_FLOW_MORES_MAX, "flows that do something have a place");

static struct ecs_splice *of(const struct ecs_flow *f)
{
	return f->more ? f->more->splice : NULL;
}

static uint32_t data_of(const struct ecs_packet *p)
{
	return p->len > p->hdr_len ? (uint32_t)(p->len - p->hdr_len) : 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static void note_subscriber(struct ecs_splice *sp, const struct ecs_splice_tcp *t)
{
	sp->window = t->window;
	if (t->stamped)
		sp->stamp = t->stamp;
}

void ecs_splice_watch(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	struct ecs_splice_tcp t;
	struct ecs_flow_more *m;
	struct ecs_splice *sp;

	if (!w->raw || p->dir != ECS_UPLINK || p->frag != ECS_FRAG_NONE || data_of(p) ||
	    (p->tcp_flags & (ECS_TCP_SYN | ECS_TCP_ACK | ECS_TCP_RST)) != ECS_TCP_SYN ||
	    !ecs_splice_read(p, &t))
		return;
	m = e->nwatched < ECS_SPLICE_WATCHED_MAX ? ecs_flow_more(e, w->f) : NULL;
	sp = m ? ecs_pool_get(&e->splice_pool) : NULL;
	if (!sp) {
		e->conf.counters->url_readdress_unwatched++;
		ecs_flow_more_trim(e, w->f);
		return;
	}
	e->nwatched++;
	sp->flow = w->f;
	sp->sub = t;
	sp->isn = p->tcp_seq;
	note_subscriber(sp, &t);
	sp->wait.what = ECS_TIMER_SPLICE;
	m->splice = sp;
	m->stages |= ECS_STAGE_BIT(SPLICE);
}

/* It has said something. */
static void enter(struct ecs_engine *e, struct ecs_splice *sp, enum ecs_splice_phase to)
{
	e->nwatched -= sp->phase == ECS_SPLICE_WATCHED;
	sp->phase = (uint8_t)to;
}

static void held_free(struct ecs_splice_held *h)
{
	for (size_t i = 0; h && i < h->n; i++)
		free(h->pkt[i].raw.ip);
	free(h);
}

/* Takes off what was kept back: it is not counted any more. */
static struct ecs_splice_held *take(struct ecs_engine *e, struct ecs_splice *sp)
{
	struct ecs_splice_held *h = sp->held;

	sp->held = NULL;
	ecs_list_del(&sp->in_engine);
	if (h) {
		e->splice_bytes -= h->bytes;
		sp->flow->session->splice_bytes -= (uint32_t)h->bytes;
	}
	return h;
}

void ecs_splice_drop(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_splice *sp = of(f);

	if (!sp)
		return;
	e->nwatched -= sp->phase == ECS_SPLICE_WATCHED;
	held_free(take(e, sp));
	ecs_wheel_disarm(e->wheel, &sp->wait);
	f->more->splice = NULL;
	f->more->stages &= ~(ECS_STAGE_BIT(SPLICE) | ECS_STAGE_BIT(JOIN));
	ecs_alias_remove(e, f);
	ecs_pool_put(&e->splice_pool, sp);
}

/* It stays with its first server, and nothing need be known of it. */
static void forget(struct ecs_engine *e, struct ecs_flow *f)
{
	ecs_splice_drop(e, f);
	ecs_flow_more_trim(e, f);
}

void ecs_splices_clear(struct ecs_engine *e)
{
	while (!ecs_list_empty(&e->splices))
		forget(e, ECS_CONTAINER(e->splices.next, struct ecs_splice, in_engine)->flow);
}

/* --- packets that are made -------------------------------------------------------------------- */

static void send(struct ecs_engine *e, const struct ecs_splice *sp, const struct ecs_flow_key *to,
                 struct ecs_reply r)
{
	r.dir = ECS_UPLINK;
	r.to = to;
	ecs_reply(e, sp->flow, &r);
}

static void send_syn(struct ecs_engine *e, struct ecs_splice *sp)
{
	uint8_t opt[ECS_SPLICE_OPTIONS_MAX];
	size_t n = ecs_splice_offer(&sp->sub, &sp->first, sp->stamp, opt);
	bool ecn = sp->sub.ecn && sp->first.ecn;

	sp->syns++;
	ecs_wheel_arm(e->wheel, &sp->wait, ECS_SPLICE_SYN_MS);
	send(e, sp, &sp->flow->more->alias, (struct ecs_reply){
		.seq = sp->isn, .flags = ECS_TCP_SYN | (ecn ? ECS_REPLY_ECN : 0), .window = sp->sub.window,
		.options = opt, .noptions = n});
}

static void send_ack(struct ecs_engine *e, const struct ecs_splice *sp)
{
	uint8_t opt[ECS_SPLICE_OPTIONS_MAX];
	size_t n = sp->map.stamped ? ecs_splice_stamp(sp->stamp, sp->map.other, opt) : 0;

	send(e, sp, &sp->flow->more->alias, (struct ecs_reply){
		.seq = sp->isn + 1, .ack = sp->other_isn + 1, .flags = ECS_TCP_ACK,
		.window = ecs_splice_window(sp->window, sp->map.up), .options = opt, .noptions = n});
}

/* Of the subscriber's side, where nothing of the request was sent. */
static void send_rst(struct ecs_engine *e, const struct ecs_splice *sp, const struct ecs_flow_key *to)
{
	send(e, sp, to, (struct ecs_reply){.seq = sp->isn + 1, .flags = ECS_TCP_RST});
}

/* --- what is kept back ------------------------------------------------------------------------ */

static bool has_room(const struct ecs_engine *e, const struct ecs_splice *sp, size_t len)
{
	const struct ecs_splice_held *h = sp->held;

	return (!h || (h->n < ECS_SPLICE_PACKETS && h->bytes + len <= ECS_SPLICE_FLOW_BYTES)) &&
	       sp->flow->session->splice_bytes + len <= ECS_SPLICE_CALL_BYTES &&
	       e->splice_bytes + len <= ECS_SPLICE_BYTES;
}

static bool keep(struct ecs_engine *e, struct ecs_splice *sp, const struct ecs_way *w)
{
	size_t len = w->raw->len;
	struct packet *to;
	uint8_t *copy;

	if (!has_room(e, sp, len))
		return false;
	copy = malloc(len + ROOM);
	if (copy && !sp->held)
		sp->held = calloc(1, sizeof(*sp->held));
	if (!copy || !sp->held) {
		free(copy);
		return false;
	}
	memcpy(copy, w->raw->ip, len);
	to = &sp->held->pkt[sp->held->n++];
	*to = (struct packet){
		.raw = *w->raw, .pkts = w->pkts, .bytes = w->bytes, .seq = w->p->tcp_seq,
		.end = w->p->tcp_seq + data_of(w->p) + !!(w->p->tcp_flags & ECS_TCP_FIN),
		.request = w->request, .head_seen = w->head_seen, .head_end = w->head_end,
		.row = e->tracing ? ecs_trace_keeps(e, true) : 0};
	to->raw.ip = copy;
	to->raw.room = len + ROOM;
	sp->held->bytes += len;
	sp->flow->session->splice_bytes += (uint32_t)len;
	e->splice_bytes += len;
	if (!ecs_list_on(&sp->in_engine))
		ecs_list_add_tail(&e->splices, &sp->in_engine);
	return true;
}

/* Whether all of a packet is there already: it is sent again. */
static bool is_kept(const struct ecs_splice *sp, const struct ecs_packet *p)
{
	uint32_t end = p->tcp_seq + data_of(p) + !!(p->tcp_flags & ECS_TCP_FIN);

	for (size_t i = 0; sp->held && i < sp->held->n; i++)
		if ((int32_t)(p->tcp_seq - sp->held->pkt[i].seq) >= 0 &&
		    (int32_t)(sp->held->pkt[i].end - end) >= 0)
			return true;
	return false;
}

bool ecs_splice_go_on(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	struct ecs_splice *sp = of(f);
	uint8_t bearer = sp ? sp->bearer : 0;
	struct ecs_splice_held *h = sp ? take(e, sp) : NULL;
	bool gone = false;

	if (sp && sp->phase == ECS_SPLICE_GATHERS)
		forget(e, f);
	for (size_t i = 0; h && i < h->n && !gone; i++) {
		struct packet *k = &h->pkt[i];
		struct ecs_packet p;
		struct ecs_way w;

		if (ecs_packet_parse(k->raw.ip, k->raw.len, ECS_UPLINK, &p) != 0)
			continue;
		w = ecs_charge_again(e, f, &k->raw, &p, AT_ONCE, now);
		w.pkts = k->pkts;
		w.bytes = k->bytes;
		w.bearer = bearer;
		w.request = k->request;
		w.head_seen = k->head_seen;
		w.head_end = k->head_end;
		if (e->tracing)
			ecs_trace_arrives(e, k->raw.ip, k->raw.len, p.dir, k->row);
		if (ecs_charge(e, &w) == ECS_FORWARD && e->conf.ops && e->conf.ops->release)
			e->conf.ops->release(e->conf.owner, &k->raw, ECS_UPLINK);
		if (w.changed)
			ecs_recoverable_changed(e, f, now);
		gone = ecs_enforce_end(e, &w);
	}
	if (e->tracing)
		ecs_trace_done(e);
	held_free(h);
	return gone;
}

/* It will not be: the first server has what was kept back. */
static void fails(struct ecs_engine *e, struct ecs_splice *sp, bool reset)
{
	if (reset)
		send_rst(e, sp, &sp->flow->more->alias);
	sp->phase = ECS_SPLICE_FAILED;
	sp->flow->more->stages &= ~ECS_STAGE_BIT(SPLICE);
	ecs_wheel_arm(e->wheel, &sp->wait, ECS_SPLICE_LATE_MS);
}

/* --- the first request ------------------------------------------------------------------------ */

/* The connection stays with its first server; what was kept back goes there after this packet. */
static enum ecs_stage_did stays(struct ecs_engine *e, struct ecs_way *w, struct ecs_splice *sp)
{
	if (!sp->held) {
		forget(e, w->f);
		return ECS_STAGE_PASSED;
	}
	w->ends = ECS_ENDS_HELD;
	if (w->p->dir == ECS_DOWNLINK)
		return ECS_STAGE_PASSED;
	if (is_kept(sp, w->p))
		return ECS_STAGE_STOPPED;
	/* what cannot be put behind them is sent again */
	if (w->p->frag != ECS_FRAG_NONE || !keep(e, sp, w))
		e->conf.counters->url_readdress_full += w->pkts;
	return ECS_STAGE_STOPPED;
}

static enum ecs_stage_did gathers(struct ecs_engine *e, struct ecs_way *w, struct ecs_splice *sp)
{
	if (is_kept(sp, w->p))
		return ECS_STAGE_STOPPED;
	if (!keep(e, sp, w)) {
		e->conf.counters->url_readdress_full += w->pkts;
		return stays(e, w, sp);
	}
	if (sp->phase == ECS_SPLICE_WATCHED) {
		enter(e, sp, ECS_SPLICE_GATHERS);
		sp->bearer = w->bearer;
		ecs_wheel_arm(e->wheel, &sp->wait, ECS_SPLICE_HEADER_MS);
	}
	return ECS_STAGE_STOPPED;
}

static enum ecs_stage_did opens(struct ecs_engine *e, struct ecs_way *w, struct ecs_splice *sp,
                                const struct ecs_charging_action *a)
{
	if (!ecs_alias_add(e, w->f, &a->readdress, a->readdress_port))
		return stays(e, w, sp);
	if (!is_kept(sp, w->p) && !keep(e, sp, w)) {
		ecs_alias_remove(e, w->f);
		e->conf.counters->url_readdress_full += w->pkts;
		return stays(e, w, sp);
	}
	if (sp->phase == ECS_SPLICE_WATCHED)
		sp->bearer = w->bearer;
	enter(e, sp, ECS_SPLICE_OPENING);
	send_syn(e, sp);
	return ECS_STAGE_STOPPED;
}

/* A further packet behind the request. */
static enum ecs_stage_did waits(struct ecs_engine *e, struct ecs_way *w, struct ecs_splice *sp)
{
	if (w->p->frag != ECS_FRAG_NONE || (!is_kept(sp, w->p) && !keep(e, sp, w)))
		e->conf.counters->url_readdress_full += w->pkts;
	return ECS_STAGE_STOPPED;
}

static bool asks(const struct ecs_charging_action *a)
{
	return a && a->flow_action == ECS_ACT_URL_READDRESS;
}

/* Whether a packet makes a request whole; by a rule that will not be another, begins one. */
static bool is_request(const struct ecs_way *w)
{
	return w->request || (w->p->dir == ECS_UPLINK && !w->open && !w->p->icmp_error &&
	                      w->p->frag == ECS_FRAG_NONE && ecs_request_begins(w->p));
}

static enum ecs_stage_did from_subscriber(struct ecs_engine *e, struct ecs_way *w,
                                          struct ecs_splice *sp, const struct ecs_charging_action *a)
{
	const struct ecs_packet *p = w->p;
	bool part = p->frag != ECS_FRAG_NONE;
	struct ecs_splice_tcp t;

	if (p->tcp_flags & ECS_TCP_RST) {
		if (sp->phase == ECS_SPLICE_OPENING)
			send_rst(e, sp, &w->f->more->alias);
		return ECS_STAGE_PASSED;
	}
	if (!part && ecs_splice_read(p, &t)) {
		note_subscriber(sp, &t);
		if (p->tcp_flags & ECS_TCP_SYN) {
			sp->sub = t;
			sp->isn = p->tcp_seq;
		}
	}
	if (!part && !data_of(p) && !(p->tcp_flags & ECS_TCP_FIN))
		return ECS_STAGE_PASSED;
	if (sp->phase == ECS_SPLICE_OPENING)
		return waits(e, w, sp);
	/* no request; or nobody knows what the server has agreed to */
	if (part || !data_of(p) || !sp->answered || (p->tcp_flags & ECS_TCP_SYN))
		return stays(e, w, sp);
	if (asks(a) && is_request(w) && (w->request || p->tcp_seq == sp->isn + 1))
		return opens(e, w, sp, a);
	return ecs_request_partial(w) ? gathers(e, w, sp) : stays(e, w, sp);
}

/* What the first server says before it was asked. */
static enum ecs_stage_did from_server(struct ecs_engine *e, struct ecs_way *w, struct ecs_splice *sp)
{
	const struct ecs_packet *p = w->p;
	struct ecs_splice_tcp t;

	if (p->frag != ECS_FRAG_NONE || data_of(p) || (p->tcp_flags & (ECS_TCP_FIN | ECS_TCP_RST)) ||
	    !ecs_splice_read(p, &t)) {
		if (sp->phase == ECS_SPLICE_OPENING) {
			e->conf.counters->url_readdress_failed++;
			fails(e, sp, true);
		}
		return stays(e, w, sp);
	}
	if (t.stamped)
		sp->map.stamp = t.stamp;
	if ((p->tcp_flags & (ECS_TCP_SYN | ECS_TCP_ACK)) == (ECS_TCP_SYN | ECS_TCP_ACK) &&
	    p->tcp_ack == sp->isn + 1 && sp->phase == ECS_SPLICE_WATCHED) {
		if (t.other)
			return stays(e, w, sp);
		sp->first = t;
		sp->first_isn = p->tcp_seq;
		sp->answered = true;
	}
	return ECS_STAGE_PASSED;
}

enum ecs_stage_did ecs_stage_splice(struct ecs_engine *e, struct ecs_way *w,
                                    const struct ecs_charging_action *a)
{
	struct ecs_splice *sp = w->f ? of(w->f) : NULL;

	if (!w->raw)
		return ECS_STAGE_PASSED; /* judged only */
	if (!sp || sp->phase >= ECS_SPLICE_JOINED) {
		if ((!sp || sp->phase == ECS_SPLICE_FAILED) && asks(a) && is_request(w))
			e->conf.counters->url_readdress_missed++;
		return ECS_STAGE_PASSED;
	}
	if (w->p->icmp_error)
		return ECS_STAGE_PASSED;
	return w->p->dir == ECS_UPLINK ? from_subscriber(e, w, sp, a) : from_server(e, w, sp);
}

/* --- the other server ------------------------------------------------------------------------- */

static void joins(struct ecs_engine *e, struct ecs_splice *sp, uint32_t isn, uint32_t stamp)
{
	struct ecs_flow *f = sp->flow;

	sp->phase = ECS_SPLICE_JOINED;
	ecs_wheel_disarm(e->wheel, &sp->wait);
	sp->other_isn = isn;
	sp->map.seq = sp->first_isn - isn;
	sp->map.other = stamp;
	f->more->stages &= ~ECS_STAGE_BIT(SPLICE);
	f->more->stages |= ECS_STAGE_BIT(JOIN) | ECS_STAGE_BIT(READDRESS);
	e->conf.counters->url_readdressed++;
	send_ack(e, sp);
	send(e, sp, &f->key, (struct ecs_reply){.seq = sp->isn + 1, .ack = sp->first_isn + 1,
	                                        .flags = ECS_TCP_RST | ECS_TCP_ACK});
}

/* An answer to the SYN, if it is one. */
static void answer(struct ecs_engine *e, struct ecs_way *w, struct ecs_splice *sp)
{
	const struct ecs_packet *p = w->p;
	struct ecs_splice_tcp t;

	if (p->icmp_error || p->frag != ECS_FRAG_NONE || !(p->tcp_flags & ECS_TCP_ACK) ||
	    p->tcp_ack != sp->isn + 1 || !ecs_splice_read(p, &t))
		return;
	if (p->tcp_flags & ECS_TCP_RST) {
		e->conf.counters->url_readdress_failed++;
		fails(e, sp, false);
	} else if (!(p->tcp_flags & ECS_TCP_SYN)) {
		return;
	} else if (!ecs_splice_fits(&sp->sub, &sp->first, &t, &sp->map)) {
		e->conf.counters->url_readdress_unfit++;
		fails(e, sp, true);
	} else {
		joins(e, sp, p->tcp_seq, t.stamp);
	}
	w->ends = ECS_ENDS_HELD;
}

static bool comes_from(const struct ecs_packet *p, const struct ecs_flow_key *k)
{
	return memcmp(&p->src, &k->server, sizeof(p->src)) == 0 &&
	       (p->frag == ECS_FRAG_LATER || p->sport == k->server_port);
}

bool ecs_splice_takes(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_splice *sp = of(w->f);
	struct ecs_packet *p = w->own;
	bool other, syn;

	if (p->dir != ECS_DOWNLINK || sp->phase < ECS_SPLICE_OPENING)
		return false;
	other = comes_from(p, &w->f->more->alias);
	syn = other && !p->icmp_error && p->frag != ECS_FRAG_LATER && (p->tcp_flags & ECS_TCP_SYN);
	if (sp->phase == ECS_SPLICE_JOINED && other && !syn) {
		if (!p->icmp_error && p->frag != ECS_FRAG_LATER)
			p->tcp_seq += sp->map.seq;
		return false;
	}
	if (sp->phase != ECS_SPLICE_JOINED && !other)
		return false;
	e->conf.counters->url_readdress_taken += w->pkts;
	if (e->tracing) {
		ecs_trace_refused(e, ECS_TRACE_BY_SPLICE);
		ecs_trace_dropped(e, w->now);
	}
	if (sp->phase == ECS_SPLICE_OPENING)
		answer(e, w, sp);
	else if (syn && sp->phase == ECS_SPLICE_JOINED)
		send_ack(e, sp); /* it has not come */
	else if (syn)
		send_rst(e, sp, &w->f->more->alias);
	return true;
}

void ecs_splice_late(struct ecs_engine *e, struct ecs_splice *sp, struct srp_time now)
{
	struct ecs_flow *f = sp->flow;

	switch ((enum ecs_splice_phase)sp->phase) {
	case ECS_SPLICE_GATHERS:
		e->conf.counters->url_readdress_partial++;
		(void)ecs_splice_go_on(e, f, now);
		break;
	case ECS_SPLICE_OPENING:
		if (sp->syns < ECS_SPLICE_SYNS) {
			send_syn(e, sp);
			break;
		}
		e->conf.counters->url_readdress_silent++;
		fails(e, sp, true);
		(void)ecs_splice_go_on(e, f, now);
		break;
	case ECS_SPLICE_FAILED:
		forget(e, f);
		break;
	case ECS_SPLICE_WATCHED:
	case ECS_SPLICE_JOINED:
		break;
	}
}

/* --- packets of a connection with another server ----------------------------------------------- */

uint32_t ecs_splice_ack(const struct ecs_flow *f, uint32_t ack)
{
	const struct ecs_splice *sp = of(f);

	return sp && sp->phase == ECS_SPLICE_JOINED ? ack - sp->map.seq : ack;
}

enum ecs_stage_did ecs_stage_join(struct ecs_engine *e, struct ecs_way *w,
                                  const struct ecs_charging_action *a)
{
	const struct ecs_splice *sp = w->f ? of(w->f) : NULL;

	(void)e, (void)a;
	if (!sp || !w->raw || w->p->icmp_error || w->p->frag == ECS_FRAG_LATER)
		return ECS_STAGE_PASSED;
	ecs_splice_translate(w->raw, w->p, &sp->map);
	return ECS_STAGE_ACTED;
}

#include "config.h"
#include "ecs/path.h"

#include "ecs/analyze.h"
#include "ecs/call.h"
#include "ecs/content.h"
#include "ecs/enforce.h"
#include "ecs/frag.h"
#include "ecs/ledger.h"
#include "ecs/parent.h"
#include "ecs/splice.h"
#include "ecs/tcp.h"
#include "ecs/unsent.h"
#include "srp/err.h"

#define PROTO_TCP 6u
#define BOTH_FINS (ECS_FLOW_F_FIN_UP | ECS_FLOW_F_FIN_DOWN)

/* --- flows ------------------------------------------------------------------------------------ */

/* A flow that packets may use; those of another generation are adopted or dropped first. */
static struct ecs_flow *usable(struct ecs_engine *e, struct ecs_session *s, struct ecs_flow *f,
                               struct srp_time now)
{
	if (!f || f->session != s || !ecs_flow_adopt(e, f, now))
		return NULL;
	return f;
}

/* A flow under another key: that of the server that it was readdressed to. */
static struct ecs_flow *alias(struct ecs_engine *e, struct ecs_way *w, const struct ecs_flow_key *k)
{
	struct ecs_flow *f = w->p->dir == ECS_DOWNLINK ? ecs_alias_find(e, k) : NULL;

	f = usable(e, w->s, f, w->now);
	return f && ecs_alias_is(f) ? f : NULL; /* taken over, it has none any more */
}

static bool is_syn(const struct ecs_packet *p)
{
	return (p->tcp_flags & (ECS_TCP_SYN | ECS_TCP_ACK | ECS_TCP_RST)) == ECS_TCP_SYN;
}

/* Whether a SYN begins a new connection on the ports of a flow that is there (R30). */
static bool reopens(const struct ecs_engine *e, const struct ecs_flow *f,
                    const struct ecs_packet *p)
{
	if (f->key.proto != PROTO_TCP || !is_syn(p) || (f->isn && f->isn == p->tcp_seq))
		return false;
	if ((f->flags & BOTH_FINS) == BOTH_FINS || ecs_tcp_closed(f->tcp_state))
		return true;
	return !ecs_flow_recovered(e, f) && (f->flags & ECS_FLOW_F_MID);
}

static void set_opener(struct ecs_engine *e, struct ecs_flow *f, const struct ecs_packet *p,
                       struct srp_time now)
{
	bool up = p->dir == ECS_UPLINK;

	if (up)
		f->flags |= ECS_FLOW_F_FIRST_UP;
	if (f->key.proto == PROTO_TCP && (p->tcp_flags & ECS_TCP_SYN)) {
		if (p->tcp_flags & ECS_TCP_ACK)
			up = !up;
		f->isn = p->tcp_flags & ECS_TCP_ACK ? p->tcp_ack - 1 : p->tcp_seq;
		f->flags |= ECS_FLOW_F_FRESH;
	} else if (f->key.proto == PROTO_TCP || ecs_recoverable_goes_on(e, f, now)) {
		f->flags |= ECS_FLOW_F_MID | ECS_FLOW_F_L34;
		e->conf.counters->flows_mid_stream++;
	} else {
		f->flags |= ECS_FLOW_F_FRESH;
	}
	if (up)
		f->flags |= ECS_FLOW_F_OPENER_UP;
}

/* A packet of a connection into which bytes were inserted does not go on with the numbers that it has. */
static int lost(struct ecs_engine *e, const struct ecs_way *w)
{
	e->conf.counters->drop_shift += w->pkts;
	return SRP_EFULL;
}

/* Makes the flow of a packet; NULL without an error: charged without one. */
static int make_flow(struct ecs_engine *e, struct ecs_way *w, const struct ecs_flow_key *k)
{
	struct ecs_shift *t = ecs_shift_waits(w->s, k);
	struct ecs_flow *f;
	int err;

	if (t && (w->p->tcp_flags & ECS_TCP_SYN)) {
		ecs_shift_drop(e, t, ECS_TELL, w->now); /* of an older connection */
		t = NULL;
	}
	if (k->proto == PROTO_TCP && (w->p->tcp_flags & ECS_TCP_RST) && !t)
		return 0;
	if (w->s->nflows >= ECS_SESSION_FLOWS_MAX || ecs_flow_count(e->flows) >= ECS_FLOWS_MAX) {
		e->conf.counters->flows_refused += w->pkts;
		return t ? lost(e, w) : 0;
	}
	if (ecs_flows_full(e)) {
		e->conf.counters->drop_l4_flows += w->pkts;
		return SRP_EFULL;
	}
	if (ecs_session_flows_full(e, w->s, k->proto)) {
		e->conf.counters->drop_flow_limit += w->pkts;
		return SRP_EFULL;
	}
	err = ecs_flow_build(e, w->s, k, 0, w->now, &f);
	if (err == SRP_ENOMEM)
		return err;
	if (err) {
		e->conf.counters->flows_refused += w->pkts;
		return t ? lost(e, w) : 0;
	}
	if (t && ecs_shift_attach(e, t, f) != 0) {
		ecs_flow_drop(e, f, ECS_TELL_LISTS, w->now);
		return lost(e, w);
	}
	e->conf.counters->flows_created++;
	set_opener(e, f, w->p, w->now);
	f->idle_timeout = ecs_flow_timeout(e, f);
	w->f = f;
	if (k->proto != PROTO_TCP)
		ecs_unsent_flow(e, f);
	else if (f->flags & ECS_FLOW_F_MID)
		ecs_classify_mid(e, w);
	if (w->s->kin)
		ecs_parent_seek(e, f, w->now);
	if (w->s->splices && k->proto == PROTO_TCP)
		ecs_splice_watch(e, w);
	if (!(f->flags & ECS_FLOW_F_L34))
		ecs_inspect_begin(e, w, false);
	/* an answer says where the opener's bytes begin, too */
	if (f->analysis && k->proto == PROTO_TCP && (f->flags & ECS_FLOW_F_FRESH))
		ecs_stream_syn(&f->analysis->stream, f->isn);
	ecs_flow_rearm(e, f, w->now);
	return 0;
}

static int find_flow(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	struct ecs_flow_key k = ecs_path_key(p);
	struct ecs_flow *f = alias(e, w, &k);

	if (!f)
		f = usable(e, w->s, ecs_flow_find(e->flows, &k), w->now);
	if (f && reopens(e, f, p)) {
		if (ecs_flow_recovered(e, f))
			e->conf.counters->flows_reopened++;
		else
			e->conf.counters->flows_fin++;
		ecs_flow_over(e, f, ECS_FLOW_END_NORMAL, w->now);
		f = NULL;
	}
	w->f = f;
	return f ? 0 : make_flow(e, w, &k);
}

/* A later fragment has no ports: it follows its first (R32). */
static void follow_first(struct ecs_engine *e, struct ecs_way *w)
{
	uint32_t callid, id;

	if (e->frags && ecs_frags_find(e->frags, w->p, w->now, &callid, &id) &&
	    callid == w->s->spec.callid)
		w->f = usable(e, w->s, ecs_flow_find_id(e->flows, callid, id), w->now);
	if (w->f)
		e->conf.counters->fragments_followed += w->pkts;
	else
		e->conf.counters->fragment_no_first += w->pkts;
}

/* Follows the datagram that a fragment is a part of. */
static void note_fragment(struct ecs_engine *e, const struct ecs_way *w)
{
	if (!e->frags)
		e->frags = ecs_frags_new(e->conf.seed, ecs_call_fragments, e);
	if (e->frags)
		ecs_frags_seen(e->frags, w->p, w->s->spec.callid, w->now);
}

static void note_first(struct ecs_engine *e, const struct ecs_way *w)
{
	if (e->frags)
		ecs_frags_first(e->frags, w->p, w->s->spec.callid, w->f->id, w->now);
}

/* --- TCP -------------------------------------------------------------------------------------- */

/* Follows the connection; true when its state has changed. */
static bool track_tcp(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;
	enum ecs_tcp_state st;
	uint16_t was = f->flags;
	bool ends = !ecs_flow_recovered(e, f) || (f->flags & ECS_FLOW_F_FRESH);

	st = ecs_tcp_step(f->tcp_state, w->p->dir, ecs_flow_opener_dir(f), w->p->tcp_flags);
	if (ends && (w->p->tcp_flags & (ECS_TCP_FIN | ECS_TCP_RST)) == ECS_TCP_FIN)
		f->flags |= w->p->dir == ECS_UPLINK ? ECS_FLOW_F_FIN_UP : ECS_FLOW_F_FIN_DOWN;
	if ((was & BOTH_FINS) == BOTH_FINS && !(w->p->tcp_flags & (ECS_TCP_FIN | ECS_TCP_SYN)))
		ecs_flow_closed(e, f);
	if (st == f->tcp_state && was == f->flags)
		return false;
	w->changed = true;
	f->tcp_state = (uint8_t)st;
	/* what the timer waits for is another: handshake, idleness, or the end after both FINs */
	if (((was & BOTH_FINS) != BOTH_FINS && (f->flags & BOTH_FINS) == BOTH_FINS) ||
	    st <= ECS_TCP_ST_ESTABLISHED)
		ecs_flow_rearm(e, f, w->now);
	return true;
}

/* --- flows that have not begun ---------------------------------------------------------------- */

/* Whether a packet of TCP, or what it acknowledges, comes after the first byte of the opener. */
static bool is_past_begin(const struct ecs_flow *f, const struct ecs_packet *p)
{
	uint32_t at = p->tcp_seq;

	if (p->tcp_flags & (ECS_TCP_SYN | ECS_TCP_RST))
		return false;
	if (p->dir != ecs_flow_opener_dir(f)) {
		if (!(p->tcp_flags & ECS_TCP_ACK))
			return false;
		at = p->tcp_ack;
	}
	return (int32_t)(at - (f->isn + 1)) > 0;
}

/* Whether a packet takes more of the sequence than the SYN. */
static bool begins(const struct ecs_packet *p)
{
	return p->frag == ECS_FRAG_LATER ||
	       (!p->icmp_error && (p->len > p->hdr_len || (p->tcp_flags & ECS_TCP_FIN)));
}

/* A flow was taken over before it began: it is analyzed as a new one, from its beginning. If that
 * went by unseen, it keeps the rule it has; where that was taken from its call, it goes by L3/L4. */
static void take_up(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;

	if (f->key.proto == PROTO_TCP && is_past_begin(f, w->p)) {
		ecs_flow_unanalyze(e, f);
		f->flags &= (uint16_t)~ECS_FLOW_F_FRESH;
		f->flags |= ECS_FLOW_F_MID | (f->lost ? ECS_FLOW_F_L34 : ECS_FLOW_F_FINAL);
		f->released = f->lost;
		e->conf.counters->flows_mid_stream++;
		return;
	}
	if (!(f->flags & ECS_FLOW_F_SEEN))
		ecs_inspect_begin(e, w, false);
	if (!(f->flags & ECS_FLOW_F_SEEN) && f->analysis && f->key.proto == PROTO_TCP)
		ecs_stream_syn(&f->analysis->stream, f->isn);
	f->flags |= ECS_FLOW_F_SEEN;
	if (f->key.proto != PROTO_TCP)
		f->flags &= (uint16_t)~ECS_FLOW_F_RECOVERED;
}

/* Follows a flow that has not begun. One that was taken over is called recovered until it does. */
static void follow_fresh(struct ecs_engine *e, struct ecs_way *w, bool whole)
{
	struct ecs_flow *f = w->f;

	if (whole && ecs_flow_recovered(e, f))
		take_up(e, w);
	if ((f->flags & ECS_FLOW_F_FRESH) && f->key.proto == PROTO_TCP && begins(w->p))
		f->flags &= (uint16_t) ~(ECS_FLOW_F_FRESH | ECS_FLOW_F_RECOVERED);
}

/* --- the way ---------------------------------------------------------------------------------- */

/* The bearer that carries a packet: uplink by the TFT, downlink that of its rule first. */
static void place(struct ecs_way *w)
{
	struct ecs_session *s = w->s;
	struct ecs_flow *f = w->f;
	uint8_t id = 0;

	if (s->ndedicated) {
		struct ecs_flow_key k = f ? f->key : ecs_path_key(w->p);
		struct ecs_dynrule *d = w->dyn || !s->active ? w->dyn : ecs_dyn_of_line(s, w->line);
		uint8_t tft = ecs_tft_bearer(s, &k, w->p->dir, w->p->tos);
		uint8_t bound = d ? ecs_dyn_bearer(s, d) : 0;

		if (w->p->dir == ECS_UPLINK)
			id = tft ? tft : bound;
		else
			id = bound ? bound : tft;
	}
	w->bearer = id ? id : ECS_BEARER_DEFAULT;
	if (f && f->bearer != w->bearer && w->p->dir == ecs_flow_first_dir(f)) {
		f->bearer = w->bearer;
		w->changed = true;
	}
}

static enum ecs_verdict flow_packet(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;
	const struct ecs_packet *p = w->p;
	bool whole = p->frag != ECS_FRAG_LATER && !p->icmp_error, moved = false;
	uint16_t was = f->flags, ref = f->ref;
	enum ecs_verdict v;

	f->last = w->now;
	if (w->s->needs.names)
		ecs_inspect_names(e, w);
	if (f->more) {
		if (f->more->splice && ecs_splice_takes(e, w))
			return ECS_DROP;
		ecs_alias_show(w);
		ecs_shift_show(e, w);
	}
	if (w->s->tether)
		ecs_tether_look(e, w);
	if (whole && f->key.proto == PROTO_TCP)
		moved = track_tcp(e, w);
	if (f->flags & ECS_FLOW_F_FRESH)
		follow_fresh(e, w, whole);
	if (p->frag == ECS_FRAG_FIRST)
		note_first(e, w);
	ecs_classify(e, w, whole, moved);
	f->pkts[p->dir] += w->pkts;
	f->bytes[p->dir] += w->bytes;
	place(w);
	if (f->analysis && (f->flags & ECS_FLOW_F_FINAL))
		ecs_charge_release(e, f);
	v = ecs_charge_waits(w) ? ecs_charge_hold(e, w) : ecs_charge(e, w);
	/* its record says it; where the rule is another too, that has been told */
	if (f->ref == ref && ((was ^ f->flags) & (ECS_FLOW_F_FRESH | ECS_FLOW_F_FINAL)))
		w->changed = true;
	if (w->changed)
		ecs_recoverable_changed(e, f, w->now);
	if (whole && f->key.proto == PROTO_TCP && (p->tcp_flags & ECS_TCP_RST)) {
		e->conf.counters->flows_rst++;
		ecs_flow_over(e, f, ECS_FLOW_END_NORMAL, w->now);
		w->f = NULL;
	}
	return v;
}

static enum ecs_verdict session_packet(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	enum ecs_verdict v;

	__builtin_prefetch(&w->s->nflows);
	__builtin_prefetch(&w->s->ndedicated);
	ecs_usages_await(e, w->s);
	if (e->ledger && w->s->place)
		ecs_ledger_expect(e->ledger, w->s->place);
	ecs_session_traffic(e, w->s, w->now);
	if (p->frag != ECS_FRAG_NONE)
		note_fragment(e, w);
	if (p->frag == ECS_FRAG_LATER) {
		follow_first(e, w);
	} else if (p->icmp_error) {
		struct ecs_flow_key k = ecs_path_key(p);

		w->f = alias(e, w, &k);
		if (!w->f)
			w->f = usable(e, w->s, ecs_flow_find(e->flows, &k), w->now);
		if (w->f)
			e->conf.counters->icmp_errors += w->pkts;
	} else {
		int rc = find_flow(e, w);

		if (rc == SRP_ENOMEM)
			e->conf.counters->drop_no_memory += w->pkts;
		if (rc)
			return ECS_DROP;
	}
	if (w->f) {
		v = flow_packet(e, w);
	} else {
		ecs_classify_l34(e, w);
		place(w);
		v = ecs_charge(e, w);
	}
	if (w->ends != ECS_ENDS_NOT)
		(void)ecs_enforce_end(e, w);
	return v;
}

/* What is no packet of a flow by itself waits with the others: for what it belongs to. */
static bool is_known(struct ecs_engine *e, const struct ecs_packet *p)
{
	struct ecs_flow_key k = ecs_path_key(p);

	return p->frag == ECS_FRAG_NONE && !p->icmp_error && ecs_flow_find(e->flows, &k);
}

static void count_in(struct ecs_counters *c, enum ecs_dir dir, uint64_t pkts, uint64_t bytes)
{
	if (dir == ECS_UPLINK) {
		c->packets_up += pkts;
		c->bytes_up += bytes;
	} else {
		c->packets_down += pkts;
		c->bytes_down += bytes;
	}
}

enum ecs_verdict ecs_path(struct ecs_engine *e, const uint8_t *pkt, size_t len, enum ecs_dir dir,
                          uint16_t gso_size, struct ecs_raw *raw, struct srp_time now)
{
	struct ecs_packet p;
	struct ecs_flow_key k;
	struct ecs_way w = {.p = &p, .own = &p, .raw = raw, .now = now,
	                    .line = ECS_LINE_NONE, .ref = ECS_REF_NONE};

	if (ecs_packet_parse(pkt, len, dir, &p) != 0) {
		count_in(e->conf.counters, dir, 1, len);
		e->conf.counters->drop_malformed++;
		return ECS_DROP;
	}
	ecs_charge_segments(&p, gso_size, &w.pkts, &w.bytes);
	k = ecs_path_key(&p);
	ecs_flow_expect_key(e->flows, &k); /* while the session is looked for */
	w.s = ecs_session_by_addr(e, ecs_packet_subscriber(&p));
	ecs_flow_await_key(e->flows, &k);
	if (!w.s || (e->known_only && !is_known(e, &p)))
		return ECS_NO_SESSION;
	if (e->conf.handling)
		*e->conf.handling = w.s->spec.callid;
	count_in(e->conf.counters, dir, w.pkts, w.bytes);
	return session_packet(e, &w);
}

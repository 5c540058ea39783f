#include "config.h"
#include "ecs/path.h"

#include <string.h>

#include "ecs/analyze.h"
#include "ecs/call.h"
#include "ecs/content.h"
#include "ecs/enforce.h"
#include "ecs/frag.h"
#include "ecs/dns.h"
#include "ecs/ledger.h"
#include "ecs/names.h"
#include "ecs/parent.h"
#include "ecs/tally.h"
#include "ecs/tcp.h"
#include "srp/err.h"

#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define BOTH_FINS (ECS_FLOW_F_FIN_UP | ECS_FLOW_F_FIN_DOWN)

/* --- what is known beside the packet ---------------------------------------------------------- */

void ecs_path_about(const struct ecs_engine *e, const struct ecs_way *w, struct ecs_match_in *in)
{
	const struct ecs_packet *p = in->pkt;

	in->imsi = w->s->spec.imsi;
	in->apn = w->s->spec.apn;
	in->rat = w->s->rat;
	in->tethered = w->f && w->f->tethered;
	if (e->names && w->s->needs.names)
		in->server_name = ecs_names_find(e->names, w->s->spec.callid,
		                                 p->dir == ECS_UPLINK ? &p->dst : &p->src, w->now);
}

/* Reads an answer of DNS that the subscriber has asked for. */
static void learn_names(struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;

	if (p->proto != PROTO_UDP || p->dir != ECS_DOWNLINK || p->sport != ECS_DNS_PORT ||
	    !(w->f->flags & ECS_FLOW_F_FIRST_UP) || p->frag != ECS_FRAG_NONE || p->icmp_error)
		return;
	if (!e->names)
		e->names = ecs_names_new(e->conf.seed);
	if (e->names)
		e->conf.counters->dns_names += ecs_names_answer(e->names, w->s->spec.callid,
		                                                p->payload, p->payload_len,
		                                                w->now);
}

/* --- matching --------------------------------------------------------------------------------- */

static struct ecs_flow_key key_of(const struct ecs_packet *p)
{
	struct ecs_flow_key k = {.proto = p->flow_proto};
	bool up = p->dir == ECS_UPLINK;

	k.subscriber = up ? p->src : p->dst;
	k.server = up ? p->dst : p->src;
	k.subscriber_port = up ? p->sport : p->dport;
	k.server_port = up ? p->dport : p->sport;
	return k;
}

/* What a packet matches: a line of the rulebase, or a dynamic rule of the call; or neither. */
struct hit {
	uint16_t line;
	struct ecs_dynrule *dyn;
	bool maybe;
};

/* The dynamic rule that a packet of the call means. */
static struct ecs_dynrule *match_dynamic(const struct ecs_way *w, const struct ecs_packet *p)
{
	struct ecs_flow_key k;

	if (!w->s->nfiltered)
		return NULL;
	k = w->f ? w->f->key : key_of(p);
	return ecs_dyn_match(w->s, &k, p->dir, ecs_tft_bearer(w->s, &k, p->dir, p->tos));
}

/* @p dynamic: rules that the control plane has given count as well. */
static struct hit match(struct ecs_engine *e, const struct ecs_way *w, const struct ecs_packet *p,
                        const struct ecs_l7 *l7, bool dynamic)
{
	struct ecs_match_in in = {.pkt = p, .l7 = l7, .l34_only = !l7, .active = w->s->active,
	                          .policy = w->s->ndynrules > 0};
	struct ecs_dynrule *d = dynamic ? match_dynamic(w, p) : NULL;
	struct hit h = {.line = ECS_LINE_NONE};

	if (d && (w->s->rulebase < 0 || ecs_dyn_first(e, w->s))) {
		h.dyn = d;
		return h;
	}
	if (w->s->rulebase < 0)
		return h;
	ecs_path_about(e, w, &in);
	if (w->f)
		in.tcp_state = w->f->tcp_state;
	if (d)
		in.before = d->spec.precedence;
	e->conf.counters->matches++;
	h.line = ecs_match(e->matcher, w->s->rulebase, &in, &h.maybe);
	if (h.line == ECS_LINE_NONE)
		h.dyn = d;
	return h;
}

uint16_t ecs_path_match(struct ecs_engine *e, const struct ecs_way *w, const struct ecs_l7 *l7,
                        bool *maybe)
{
	struct hit h = match(e, w, w->p, l7, true);

	*maybe = h.maybe;
	return h.dyn ? ECS_LINE_NONE : h.line;
}

static void match_way(struct ecs_engine *e, struct ecs_way *w, bool dynamic)
{
	struct hit h = match(e, w, w->p, NULL, dynamic);

	w->line = h.line;
	w->dyn = h.dyn;
	w->ref = h.dyn ? ecs_dyn_ref(e, h.dyn, w->now) : ECS_REF_NONE;
}

/* The L3/L4 rule of a packet (R16). */
static void match_l34(struct ecs_engine *e, struct ecs_way *w)
{
	match_way(e, w, true);
}

/* The same packet as if it went the other way: what rules say of the flow's other direction. */
static struct ecs_packet mirrored(const struct ecs_packet *p)
{
	struct ecs_packet m = *p;

	m.dir = p->dir == ECS_UPLINK ? ECS_DOWNLINK : ECS_UPLINK;
	m.src = p->dst;
	m.dst = p->src;
	m.sport = p->dport;
	m.dport = p->sport;
	return m;
}

static enum ecs_dir first_dir(const struct ecs_flow *f)
{
	return f->flags & ECS_FLOW_F_FIRST_UP ? ECS_UPLINK : ECS_DOWNLINK;
}

static enum ecs_dir opener_dir(const struct ecs_flow *f)
{
	return f->flags & ECS_FLOW_F_OPENER_UP ? ECS_UPLINK : ECS_DOWNLINK;
}

static bool opening(const struct ecs_flow *f)
{
	return f->key.proto == PROTO_TCP && ecs_tcp_half_open(f->tcp_state);
}

static uint16_t ref_of(struct ecs_engine *e, const struct hit *h, struct srp_time now)
{
	if (h->dyn)
		return ecs_dyn_ref(e, h->dyn, now);
	return h->line == ECS_LINE_NONE ? ECS_REF_NONE : ecs_ruleref_of_line(e->refs, h->line, now);
}

/* Whether nothing that is still to come can change what was matched. */
static bool may_be_final(const struct ecs_flow *f, const struct ecs_l7 *l7, const struct hit *h)
{
	return (!h->maybe || !l7 || l7->final) && !opening(f);
}

/* Matches a packet of a flow and keeps the verdict: for this direction, and, once it is final, for
 * both. A rule that tells directions apart gives a flow two; its own is that of its first
 * packet. */
static void decide(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;
	const struct ecs_l7 nothing = {.final = true, .media = f->more && ecs_parent_of(e, f)};
	struct ecs_analysis *a = f->analysis;
	const struct ecs_l7 *l7 = f->flags & ECS_FLOW_F_L34 ? NULL : a ? &a->l7 : &nothing;
	bool final, own = w->p->dir == first_dir(f);
	struct hit h = match(e, w, w->p, l7, true);
	uint16_t other;

	w->line = h.line;
	w->dyn = h.dyn;
	w->ref = ref_of(e, &h, w->now);
	final = may_be_final(f, l7, &h) &&
	        (w->ref != ECS_REF_NONE || (w->line == ECS_LINE_NONE && !w->dyn));
	if (final) { /* and of the other direction */
		struct ecs_packet m = mirrored(w->p);

		h = match(e, w, &m, l7, true);
		final = may_be_final(f, l7, &h);
	}
	if (final) {
		other = ref_of(e, &h, w->now);
		if (f->flags & ECS_FLOW_F_FRESH) /* it has begun here, wherever it was opened */
			f->flags &= (uint16_t) ~(ECS_FLOW_F_FRESH | ECS_FLOW_F_RECOVERED);
		f->flags |= ECS_FLOW_F_FINAL;
		/* a verdict for which nobody had to speak will not change by what is said later */
		if (a && !ecs_analysis_spoken(a) && !a->rtsp && !w->s->post_l7 && !w->s->content &&
		    !(w->s->records & ECS_RECORDS_L7))
			ecs_flow_unanalyze(e, f);
	} else if (f->ref == ECS_REF_NONE) {
		other = w->ref;
	} else {
		other = own ? f->back : f->ref;
	}
	ecs_flow_verdict(e, f, own ? w->ref : other, own ? other : w->ref, w->now);
}

/* The verdict that the flow has for this direction; false: its rule is not bound here. */
static bool cached(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_flow *f = w->f;
	const struct ecs_ruleref *r;

	w->ref = w->p->dir == first_dir(f) ? f->ref : f->back;
	r = ecs_ruleref_get(e->refs, w->ref);
	w->line = r ? r->line : ECS_LINE_NONE;
	w->dyn = r && r->dynamic ? ecs_dyn_of_ref(e, w->s, w->ref) : NULL;
	if (w->ref == ECS_REF_NONE || w->dyn)
		return true;
	return w->line != ECS_LINE_NONE && ecs_dyn_line_on(e, w->s, w->line);
}

static bool line_is_l34(const struct ecs_engine *e, uint16_t line)
{
	return line == ECS_LINE_NONE || ecs_service_line(e->conf.service, line)->l34;
}

/* The same of the flow's rule for the other direction. */
static bool back_is_l34(const struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_flow *f = w->f;
	const struct ecs_ruleref *r =
		ecs_ruleref_get(e->refs, w->p->dir == first_dir(f) ? f->back : f->ref);

	return line_is_l34(e, r ? r->line : ECS_LINE_NONE);
}

/* --- analyzers -------------------------------------------------------------------------------- */

static void begin_analysis(struct ecs_engine *e, struct ecs_way *w, bool recovered)
{
	struct ecs_flow *f = w->f;
	struct ecs_needs n = ecs_route_needs(e, w, recovered);
	struct ecs_analysis *a;

	if (f->flags & ECS_FLOW_F_AGAIN)
		n.app = false; /* found once, kept with the flow */
	if (!n.http && !n.tls && !n.quic && !n.dns && !n.app && !n.rtsp)
		return;
	a = NULL;
	if (e->nanalyses < ECS_ANALYSES_MAX && w->s->nanalyses < ECS_SESSION_ANALYSES_MAX)
		a = ecs_pool_get(&e->analysis_pool);
	if (!a) {
		e->conf.counters->analyses_refused++;
		f->flags |= ECS_FLOW_F_L34;
		return;
	}
	if (!ecs_analysis_init(a, n, f->key.proto, f->key.server_port, opener_dir(f),
	                       e->conf.crypto)) {
		ecs_pool_put(&e->analysis_pool, a);
		return;
	}
	a->stream.all = &e->streams;
	a->stream.wait_ms = ecs_route_wait_ms(e, w->s);
	a->wait.what = ECS_TIMER_REORDER;
	a->flow = f;
	a->l7.app = f->app;
	a->l7.app_master = f->app_master;
	a->l7.media = f->more && ecs_parent_of(e, f);
	e->nanalyses++;
	w->s->nanalyses++;
	f->analysis = a;
}

/* Shows the packet to the analyzers; returns ECS_AN_* bits. */
static unsigned analyze(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;
	struct ecs_analysis *a = f->analysis;
	uint64_t requests = e->conf.counters->http_requests;
	unsigned r;

	e->streams.now = w->now;
	r = ecs_analyze(a, e->app, w->p, e->conf.counters, w->now);
	if (a->rtsp && a->rtsp->nmedia)
		ecs_parent_expect(e, f, a->rtsp, w->now);
	w->request = e->conf.counters->http_requests != requests;
	w->head_seen = w->request && a->head_seen;
	w->head_end = a->head_end;
	if (a->stream.held && !ecs_wheel_armed(&a->wait))
		ecs_wheel_arm(e->wheel, &a->wait,
		              a->stream.wait_ms ? a->stream.wait_ms : ECS_STREAM_WAIT_MS);
	if (e->streams.counted)
		ecs_call_reordered(e, w->s);
	if (f->app != a->l7.app || f->app_master != a->l7.app_master) {
		f->app = a->l7.app;
		f->app_master = a->l7.app_master;
		w->changed = true;
	}
	return r;
}

void ecs_path_reorder(struct ecs_engine *e, struct ecs_analysis *a, struct srp_time now)
{
	uint64_t again;

	e->streams.now = now;
	again = ecs_analysis_timer(a, e->conf.counters);
	if (again)
		ecs_wheel_arm(e->wheel, &a->wait, again);
	if (e->streams.counted)
		ecs_call_reordered(e, a->flow->session);
}

/* --- verdicts --------------------------------------------------------------------------------- */

/* A recovered flow keeps its rule: no matching, no TCP analyzers. While control is pending, or
 * where its rule is not bound here, its packets are charged by the L3/L4 rule; the verdict
 * stays. */
static void recovered_verdict(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;

	if (!(f->flags & ECS_FLOW_F_SEEN) && f->key.proto == PROTO_UDP) {
		if (f->flags & ECS_FLOW_F_FIRST_UP)
			f->flags |= ECS_FLOW_F_OPENER_UP;
		begin_analysis(e, w, true);
	}
	f->flags |= ECS_FLOW_F_SEEN;
	if (f->key.proto == PROTO_TCP && !(f->flags & ECS_FLOW_F_FINAL)) {
		f->flags |= ECS_FLOW_F_FINAL; /* nobody can go on with half an analysis */
		e->conf.counters->flows_undecided++;
	}
	if (f->analysis && (analyze(e, w) & ECS_AN_OVER))
		ecs_flow_unanalyze(e, f);
	if (w->s->pending) {
		match_way(e, w, false); /* rules of the call are what is not known */
		w->pending = true;
		e->conf.counters->pending_packets += w->pkts;
	} else if (!cached(e, w)) {
		match_l34(e, w);
		e->conf.counters->unbound_packets += w->pkts;
	} else {
		w->bypassed = true;
	}
	if (w->s->again)
		ecs_again(e, w);
}

/* @p moved: the state of the TCP connection is another than before this packet. */
static void verdict(struct ecs_engine *e, struct ecs_way *w, bool moved)
{
	struct ecs_flow *f = w->f;
	unsigned said;

	if ((f->flags & ECS_FLOW_F_AGAIN) && !f->analysis && w->p->dir == opener_dir(f))
		begin_analysis(e, w, false);
	said = f->analysis ? analyze(e, w) : 0;
	if (f->analysis && (w->s->records & ECS_RECORDS_L7))
		ecs_tally_said(e, w);

	if (said & ECS_AN_NEWS)
		f->flags &= (uint16_t)~ECS_FLOW_F_FINAL;
	if (f->flags & ECS_FLOW_F_FINAL) {
		if (!cached(e, w)) {
			/* its rule has left the configuration: from here on by L3/L4 lines */
			f->flags |= ECS_FLOW_F_L34;
			if (f->analysis)
				ecs_stream_let_go(&f->analysis->stream, true);
			ecs_flow_unanalyze(e, f);
			decide(e, w);
		} else if (moved && (!f->analysis || w->s->content) &&
		           line_is_l34(e, w->line) && back_is_l34(e, w)) {
			/* `tcp state` lines; an L7 line could not have matched, so it cannot now */
			if (!f->analysis)
				f->flags |= ECS_FLOW_F_L34;
			decide(e, w);
		} else {
			w->bypassed = true;
		}
	} else {
		decide(e, w);
	}
	if (w->request && w->s->content && f->analysis)
		ecs_content_look(e, w, &f->analysis->http);
	if (w->s->post_l7 && f->analysis)
		ecs_post_look(e, w); /* while it is there */
	if (f->analysis && (said & ECS_AN_OVER)) {
		ecs_flow_unanalyze(e, f);
	} else if (f->analysis && ecs_analysis_is_message(f->analysis) &&
	           (f->flags & ECS_FLOW_F_FINAL)) {
		/* each question stands by itself: nothing need be kept for the next */
		f->flags |= ECS_FLOW_F_AGAIN;
		ecs_flow_unanalyze(e, f);
	}
}

/* A packet of TCP without payload on a flow whose rule looks at L7: charged by that rule where
 * `flow control-handshaking charge-to-application` says so, else by what the packet matches itself.
 * What comes before the verdict is decided as ever, or held. */
static void control_packet(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;
	bool closing = (w->p->tcp_flags & (ECS_TCP_FIN | ECS_TCP_RST)) || (f->flags & BOTH_FINS);
	unsigned as = ECS_HS_ALL_PACKETS | (closing ? ECS_HS_TEAR_DOWN : ECS_HS_MID_SESSION);
	bool rests = w->p->len <= w->p->hdr_len && (f->flags & ECS_FLOW_F_FINAL) &&
	             !(w->s->handshaking & as) && !line_is_l34(e, w->line);

	if (rests) {
		match_l34(e, w);
		w->ref = ref_of(e, &(struct hit){.line = w->line, .dyn = w->dyn}, w->now);
		w->bypassed = false;
	}
	if (rests || (f->flags & ECS_FLOW_F_RESTING))
		ecs_recoverable_rest(e, f, rests, w->ref, w->now);
}

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
	return f && ecs_alias_of(f) != &f->key ? f : NULL; /* taken over, it has none any more */
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
	if ((f->flags & BOTH_FINS) == BOTH_FINS)
		return true;
	return !ecs_flow_recovered(e, f) && (f->flags & ECS_FLOW_F_MID);
}

static void set_opener(struct ecs_engine *e, struct ecs_flow *f, const struct ecs_packet *p)
{
	bool up = p->dir == ECS_UPLINK;

	if (up)
		f->flags |= ECS_FLOW_F_FIRST_UP;
	if (f->key.proto == PROTO_TCP && (p->tcp_flags & ECS_TCP_SYN)) {
		if (p->tcp_flags & ECS_TCP_ACK)
			up = !up;
		f->isn = p->tcp_flags & ECS_TCP_ACK ? p->tcp_ack - 1 : p->tcp_seq;
		f->flags |= ECS_FLOW_F_FRESH;
	} else if (f->key.proto == PROTO_TCP) {
		f->flags |= ECS_FLOW_F_MID | ECS_FLOW_F_L34;
		e->conf.counters->flows_mid_stream++;
	} else {
		f->flags |= ECS_FLOW_F_FRESH;
	}
	if (up)
		f->flags |= ECS_FLOW_F_OPENER_UP;
}

/* Why the flow of this packet was not recovered with its session, if that was: its rule may be the
 * L3/L4 one, or one that would have matched had its application been known. */
static void note_mid(struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_l7 unknown = {0};
	struct hit h, l7;

	if (!ecs_session_recovered(e, w->s))
		return;
	h = match(e, w, w->p, NULL, true);
	l7 = match(e, w, w->p, &unknown, true);
	ecs_recoverable_mid(e, w->s, ref_of(e, &h, w->now), l7.maybe);
}

/* Makes the flow of a packet; NULL without an error: charged without one. */
static int make_flow(struct ecs_engine *e, struct ecs_way *w, const struct ecs_flow_key *k)
{
	struct ecs_flow *f;
	int err;

	if (k->proto == PROTO_TCP && (w->p->tcp_flags & ECS_TCP_RST))
		return 0;
	if (w->s->nflows >= ECS_SESSION_FLOWS_MAX || ecs_flow_count(e->flows) >= ECS_FLOWS_MAX) {
		e->conf.counters->flows_refused += w->pkts;
		return 0;
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
		return 0;
	}
	e->conf.counters->flows_created++;
	set_opener(e, f, w->p);
	f->idle_timeout = ecs_flow_timeout(e, f);
	w->f = f;
	if (f->flags & ECS_FLOW_F_MID)
		note_mid(e, w);
	if (w->s->kin)
		ecs_parent_seek(e, f, w->now);
	if (!(f->flags & ECS_FLOW_F_L34))
		begin_analysis(e, w, false);
	/* an answer says where the opener's bytes begin, too */
	if (f->analysis && k->proto == PROTO_TCP && (f->flags & ECS_FLOW_F_FRESH))
		ecs_stream_syn(&f->analysis->stream, f->isn);
	ecs_flow_rearm(e, f, w->now);
	return 0;
}

static int find_flow(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	struct ecs_flow_key k = key_of(p);
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

	st = ecs_tcp_step(f->tcp_state, w->p->dir, opener_dir(f), w->p->tcp_flags);
	if ((w->p->tcp_flags & (ECS_TCP_FIN | ECS_TCP_RST)) == ECS_TCP_FIN)
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
	if (p->dir != opener_dir(f)) {
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
 * went by unseen, it keeps the rule it has. */
static void take_up(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;

	if (f->key.proto == PROTO_TCP && is_past_begin(f, w->p)) {
		ecs_flow_unanalyze(e, f);
		f->flags &= (uint16_t)~ECS_FLOW_F_FRESH;
		f->flags |= ECS_FLOW_F_FINAL | ECS_FLOW_F_MID;
		e->conf.counters->flows_mid_stream++;
		return;
	}
	if (!(f->flags & ECS_FLOW_F_SEEN))
		begin_analysis(e, w, false);
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
		struct ecs_flow_key k = f ? f->key : key_of(w->p);
		struct ecs_dynrule *d = w->dyn || !s->active ? w->dyn : ecs_dyn_of_line(s, w->line);
		uint8_t tft = ecs_tft_bearer(s, &k, w->p->dir, w->p->tos);
		uint8_t bound = d ? ecs_dyn_bearer(s, d) : 0;

		if (w->p->dir == ECS_UPLINK)
			id = tft ? tft : bound;
		else
			id = bound ? bound : tft;
	}
	w->bearer = id ? id : ECS_BEARER_DEFAULT;
	if (f && f->bearer != w->bearer && w->p->dir == first_dir(f)) {
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
		learn_names(e, w);
	if (f->more) {
		ecs_alias_show(w);
		ecs_shift_show(w);
	}
	if (w->s->tether)
		ecs_tether_look(e, w);
	if (whole && f->key.proto == PROTO_TCP)
		moved = track_tcp(e, w);
	if (f->flags & ECS_FLOW_F_FRESH)
		follow_fresh(e, w, whole);
	if (p->frag == ECS_FRAG_FIRST)
		note_first(e, w);
	if (ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH) && !f->released) {
		recovered_verdict(e, w);
	} else if (whole) {
		verdict(e, w, moved);
		if (f->key.proto == PROTO_TCP)
			control_packet(e, w);
	} else {
		/* neither a fragment nor an error tells more of the flow than is known */
		w->bypassed = cached(e, w);
		if (!w->bypassed)
			match_l34(e, w);
	}
	f->pkts[p->dir] += w->pkts;
	f->bytes[p->dir] += w->bytes;
	place(w);
	if (f->analysis && (f->flags & ECS_FLOW_F_FINAL))
		ecs_charge_release(e, f);
	v = ecs_charge_hold(e, w) ? ECS_FORWARD : ecs_charge(e, w);
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

	if (e->ledger && w->s->place)
		ecs_ledger_expect(e->ledger, w->s->place);
	ecs_session_traffic(e, w->s, w->now);
	if (p->frag != ECS_FRAG_NONE)
		note_fragment(e, w);
	if (p->frag == ECS_FRAG_LATER) {
		follow_first(e, w);
	} else if (p->icmp_error) {
		struct ecs_flow_key k = key_of(p);

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
		match_l34(e, w);
		place(w);
		v = ecs_charge(e, w);
	}
	if (w->ends != ECS_ENDS_NOT)
		ecs_enforce_end(e, w);
	return v;
}

/* What is no packet of a flow by itself waits with the others: for what it belongs to. */
static bool is_known(struct ecs_engine *e, const struct ecs_packet *p)
{
	struct ecs_flow_key k = key_of(p);

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
	struct ecs_way w = {.p = &p, .own = &p, .raw = raw, .now = now, .line = ECS_LINE_NONE, .ref = ECS_REF_NONE};

	if (ecs_packet_parse(pkt, len, dir, &p) != 0) {
		count_in(e->conf.counters, dir, 1, len);
		e->conf.counters->drop_malformed++;
		return ECS_DROP;
	}
	ecs_charge_segments(&p, gso_size, &w.pkts, &w.bytes);
	w.s = ecs_session_by_addr(e, ecs_packet_subscriber(&p));
	if (!w.s || (e->known_only && !is_known(e, &p)))
		return ECS_NO_SESSION;
	if (e->conf.handling)
		*e->conf.handling = w.s->spec.callid;
	count_in(e->conf.counters, dir, w.pkts, w.bytes);
	return session_packet(e, &w);
}

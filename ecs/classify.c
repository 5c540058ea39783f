/* classify: which rule a packet has. It is matched with what is known of its flow; what is final is
 * kept with the flow, for each direction, and stands for the packets after it. A recovered flow
 * keeps the rule that it came with. */
#include "config.h"
#include "ecs/path.h"

#include "ecs/analyze.h"
#include "ecs/call.h"
#include "ecs/content.h"
#include "ecs/enforce.h"
#include "ecs/names.h"
#include "ecs/parent.h"
#include "ecs/tally.h"
#include "ecs/tcp.h"

#define PROTO_TCP 6u
#define PROTO_UDP 17u

/* --- matching --------------------------------------------------------------------------------- */

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
	k = w->f ? w->f->key : ecs_path_key(p);
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
	ecs_classify_about(e, w, &in);
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

static void match_way(struct ecs_engine *e, struct ecs_way *w, bool dynamic)
{
	struct hit h = match(e, w, w->p, NULL, dynamic);

	w->line = h.line;
	w->dyn = h.dyn;
	w->ref = h.dyn ? ecs_dyn_ref(e, h.dyn, w->now) : ECS_REF_NONE;
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

/* Whether what the analyzers have still to say can bring a line before what was matched. */
static bool may_come(const struct ecs_l7 *l7, const struct hit *h)
{
	return h->maybe && l7 && !l7->final;
}

/* Whether nothing that is still to come can change what was matched. */
static bool may_be_final(const struct ecs_flow *f, const struct ecs_l7 *l7, const struct hit *h)
{
	return !may_come(l7, h) && !opening(f);
}

/* Whether a direction has no verdict: no packet of it has come, or none since its rule was taken. */
static bool has_none(const struct ecs_flow *f, enum ecs_dir dir)
{
	return f->lost || (f->ref == ECS_REF_NONE && f->back == ECS_REF_NONE && !f->pkts[dir]);
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
	bool final, own = w->p->dir == ecs_flow_first_dir(f);
	struct hit h = match(e, w, w->p, l7, true);
	uint16_t other;
	bool unheard = false;

	w->line = h.line;
	w->dyn = h.dyn;
	w->ref = ref_of(e, &h, w->now);
	w->open = may_come(l7, &h);
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
		f->stale = false;
		ecs_flow_known(e, f, ECS_REF_NONE, ECS_REF_NONE);
		/* a verdict for which nobody had to speak will not change by what is said later */
		unheard = a && !ecs_analysis_spoken(a) && !a->rtsp && !w->s->post_l7 &&
		          !w->s->content && !(w->s->records & ECS_RECORDS_L7);
	} else if (has_none(f, w->p->dir == ECS_UPLINK ? ECS_DOWNLINK : ECS_UPLINK)) {
		other = w->ref;
	} else {
		other = own ? f->back : f->ref;
	}
	f->lost = false;
	ecs_flow_verdict(e, f, own ? w->ref : other, own ? other : w->ref, w->now);
	if (unheard) /* what was held is charged by it */
		ecs_flow_unanalyze(e, f);
}

/* The verdict that the flow has for this direction; false: its rule is not bound here. */
static bool cached(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_flow *f = w->f;
	const struct ecs_ruleref *r;

	w->ref = w->p->dir == ecs_flow_first_dir(f) ? f->ref : f->back;
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
		ecs_ruleref_get(e->refs, w->p->dir == ecs_flow_first_dir(f) ? f->back : f->ref);

	return line_is_l34(e, r ? r->line : ECS_LINE_NONE);
}

/* --- after a commit --------------------------------------------------------------------------- */

/* Whether what a packet matches by L3/L4 comes before a line. */
static bool is_before(const struct ecs_engine *e, const struct ecs_way *w, const struct hit *h,
                      uint16_t line)
{
	uint16_t priority = ecs_service_line(e->conf.service, line)->priority;

	if (h->dyn)
		return ecs_dyn_first(e, w->s) || h->dyn->spec.precedence <= priority;
	return h->line != ECS_LINE_NONE &&
	       ecs_service_line(e->conf.service, h->line)->priority < priority;
}

/* What a direction has from here on: its rule of L7, where that is there, unless an L3/L4 rule that it
 * matches comes first. False: there is no room for the ref. */
static bool anew(struct ecs_engine *e, struct ecs_way *w, const struct ecs_packet *p, uint16_t known,
                 struct hit *h, uint16_t *ref)
{
	uint16_t home = ecs_ruleref_now(e->refs, known, w->now);
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, home);

	if (r && ecs_service_line(e->conf.service, r->line)->rulebase != w->s->rulebase) {
		home = ecs_ruleref_in(e->refs, home, w->s->rulebase, w->now);
		r = ecs_ruleref_get(e->refs, home);
	}
	*h = match(e, w, p, NULL, true);
	if (r && ecs_dyn_line_on(e, w->s, r->line) && ecs_matcher_in_force(e->matcher, r->line) &&
	    !is_before(e, w, h, r->line)) {
		*h = (struct hit){.line = r->line};
		*ref = home;
		return true;
	}
	*ref = ref_of(e, h, w->now);
	return *ref != ECS_REF_NONE || (h->line == ECS_LINE_NONE && !h->dyn);
}

/* The rulebase says something else than when the verdict became final. L3/L4 lines can be asked with
 * any packet; what L7 lines would say is known of the one that the flow had alone, until an analyzer
 * that goes on, with the next request, has news. */
static void decide_anew(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;
	bool own = w->p->dir == ecs_flow_first_dir(f);
	struct ecs_packet m = mirrored(w->p);
	uint16_t known = ecs_flow_means(e, f->ref, f->known), ref;
	uint16_t known_back = ecs_flow_means(e, f->back, f->known_back), back;
	struct hit h, other;
	bool room;

	room = anew(e, w, own ? w->p : &m, known, own ? &h : &other, &ref);
	room = anew(e, w, own ? &m : w->p, known_back, own ? &other : &h, &back) && room;
	w->line = h.line;
	w->dyn = h.dyn;
	w->ref = own ? ref : back;
	f->stale = !room;
	if (!room)
		return;
	f->lost = false;
	/* what it has need not be known beside */
	known = ecs_flow_means(e, ref, known);
	known_back = ecs_flow_means(e, back, known_back);
	ecs_flow_known(e, f, known == ref ? ECS_REF_NONE : known,
	               known_back == back ? ECS_REF_NONE : known_back);
	ecs_flow_verdict(e, f, ref, back, w->now);
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
		ecs_inspect_begin(e, w, true);
	}
	f->flags |= ECS_FLOW_F_SEEN;
	if (f->key.proto == PROTO_TCP && !(f->flags & ECS_FLOW_F_FINAL)) {
		f->flags |= ECS_FLOW_F_FINAL; /* nobody can go on with half an analysis */
		e->conf.counters->flows_undecided++;
	}
	if (f->analysis && (ecs_inspect(e, w) & ECS_AN_OVER))
		ecs_flow_unanalyze(e, f);
	if (w->s->pending) {
		match_way(e, w, false); /* rules of the call are what is not known */
		w->pending = true;
		e->conf.counters->pending_packets += w->pkts;
	} else if (!cached(e, w)) {
		ecs_classify_l34(e, w);
		e->conf.counters->unbound_packets += w->pkts;
	} else {
		w->bypassed = true;
	}
	if (w->s->again)
		ecs_again(e, w);
}

/* The flow has its verdict. */
static void final_verdict(struct ecs_engine *e, struct ecs_way *w, bool moved)
{
	struct ecs_flow *f = w->f;

	if (!cached(e, w) || f->stale) {
		if (f->analysis && !ecs_needs_analysis(&w->s->needs)) {
			ecs_stream_let_go(&f->analysis->stream, true);
			ecs_flow_unanalyze(e, f);
		}
		decide_anew(e, w);
	} else if (moved && line_is_l34(e, w->line) && back_is_l34(e, w)) {
		/* `tcp state` lines; what analyzers have said that have ended is not known */
		if (!f->analysis)
			f->flags |= ECS_FLOW_F_L34;
		if (f->known != ECS_REF_NONE || f->known_back != ECS_REF_NONE) {
			decide_anew(e, w);
		} else {
			f->flags &= (uint16_t)~ECS_FLOW_F_FINAL;
			decide(e, w);
		}
	} else {
		w->bypassed = true;
	}
}

/* @p moved: the state of the TCP connection is another than before this packet. */
static void verdict(struct ecs_engine *e, struct ecs_way *w, bool moved)
{
	struct ecs_flow *f = w->f;
	unsigned said;

	if ((f->flags & ECS_FLOW_F_AGAIN) && !f->analysis && w->p->dir == ecs_flow_opener_dir(f))
		ecs_inspect_begin(e, w, false);
	said = f->analysis ? ecs_inspect(e, w) : 0;
	if (f->analysis && (w->s->records & ECS_RECORDS_L7))
		ecs_tally_said(e, w);

	if (said & ECS_AN_NEWS)
		f->flags &= (uint16_t)~ECS_FLOW_F_FINAL;
	if (f->flags & ECS_FLOW_F_FINAL)
		final_verdict(e, w, moved);
	else
		decide(e, w);
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
 * What comes before anybody has spoken is decided as ever, or held. */
static void control_packet(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;
	/* by its state: of a recovered flow, which no FIN ends, none is noted */
	bool closing = (w->p->tcp_flags & (ECS_TCP_FIN | ECS_TCP_RST)) ||
	               f->tcp_state > ECS_TCP_ST_ESTABLISHED;
	/* a SYN that is sent again opens the connection, however late it comes */
	unsigned as = ECS_HS_ALL_PACKETS | (w->p->tcp_flags & ECS_TCP_SYN ? ECS_HS_INITIAL :
	                                    closing ? ECS_HS_TEAR_DOWN : ECS_HS_MID_SESSION);
	bool spoken = (f->flags & ECS_FLOW_F_FINAL) ||
	              (f->analysis && ecs_analysis_spoken(f->analysis));
	bool rests = w->p->len <= w->p->hdr_len && spoken && !(w->s->handshaking & as) &&
	             !line_is_l34(e, w->line);

	if (rests) {
		ecs_classify_l34(e, w);
		w->ref = ref_of(e, &(struct hit){.line = w->line, .dyn = w->dyn}, w->now);
		w->bypassed = false;
	}
	if (rests || (f->flags & ECS_FLOW_F_RESTING))
		ecs_recoverable_rest(e, f, rests, w->ref, w->now);
}

/* --- for others ------------------------------------------------------------------------------- */

void ecs_classify_about(const struct ecs_engine *e, const struct ecs_way *w,
                        struct ecs_match_in *in)
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

uint16_t ecs_classify_match(struct ecs_engine *e, const struct ecs_way *w, const struct ecs_l7 *l7,
                            bool *maybe)
{
	struct hit h = match(e, w, w->p, l7, true);

	*maybe = h.maybe;
	return h.dyn ? ECS_LINE_NONE : h.line;
}

void ecs_classify_l34(struct ecs_engine *e, struct ecs_way *w)
{
	match_way(e, w, true);
}

void ecs_classify_mid(struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_l7 unknown = {0};
	struct hit h, l7;

	if (!ecs_session_recovered(e, w->s))
		return;
	h = match(e, w, w->p, NULL, true);
	l7 = match(e, w, w->p, &unknown, true);
	ecs_recoverable_mid(e, w->f, ref_of(e, &h, w->now), l7.maybe);
}

void ecs_classify(struct ecs_engine *e, struct ecs_way *w, bool whole, bool moved)
{
	struct ecs_flow *f = w->f;

	if (ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH) && !f->released) {
		recovered_verdict(e, w);
	} else if (whole) {
		verdict(e, w, moved);
		if (f->key.proto == PROTO_TCP)
			control_packet(e, w);
	} else {
		/* neither a fragment nor an error tells more of the flow than is known; nothing is, where
		 * its rule was taken and no other packet has come since */
		w->bypassed = cached(e, w) && (w->ref != ECS_REF_NONE ||
		                               ((f->flags & ECS_FLOW_F_FINAL) && !f->stale));
		w->open = !(f->flags & ECS_FLOW_F_FINAL);
		if (!w->bypassed)
			ecs_classify_l34(e, w);
	}
}

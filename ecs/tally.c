#include "config.h"
#include "ecs/tally.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/analyze.h"
#include "ecs/ledger.h"
#include "ecs/parent.h"
#include "ecs/record_copy.h"
#include "ecs/tally_impl.h"

#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define DNS_PORT  53u
#define NO_HIT    UINT32_MAX
#define HIT_THEN  (UINT32_MAX - 1) /* of a recovered flow: its rule was hit before */

struct ecs_tally *ecs_tally_of(struct ecs_engine *e, struct ecs_flow *f)
{
	if (f->tally)
		return f->tally;
	f->tally = ecs_pool_get(&e->tally_pool);
	if (f->tally)
		f->tally->hit = ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH) ? HIT_THEN
		                                                                           : NO_HIT;
	else
		e->conf.counters->records_no_memory++;
	return f->tally;
}

void ecs_tally_free(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_tally *t = f->tally;

	if (!t)
		return;
	if (t->said)
		e->nsaids--;
	free(t->said);
	f->tally = NULL;
	ecs_pool_put(&e->tally_pool, t);
}

/* --- records ---------------------------------------------------------------------------------- */

void ecs_record_make(struct ecs_engine *e, enum ecs_record_stream stream, const char *format,
                     const struct ecs_edr_in *in, bool last, struct srp_time now)
{
	const struct ecs_record_format *r = ecs_service_find_record(
		e->conf.service, stream == ECS_STREAM_UDR ? ECS_RECORD_UDR : ECS_RECORD_EDR, format);
	struct ecs_record rec = {.stream = stream, .format = format, .flow_id = in->flow_id,
	                         .callid = in->s->spec.callid, .last = last};

	if (!format[0] || !r || !e->conf.ops || !e->conf.ops->record)
		return;
	if (!e->record_text)
		e->record_text = malloc(ECS_RECORD_HEADER_MAX + ECS_RECORD_LINE_MAX);
	if (!e->record_text) {
		e->conf.counters->records_no_memory++;
		return;
	}
	rec.header = e->record_text;
	rec.line = e->record_text + ECS_RECORD_HEADER_MAX;
	rec.header_len = ecs_edr_header(r, e->record_text, ECS_RECORD_HEADER_MAX);
	rec.line_len = ecs_edr_line(r, &e->env, in, e->record_text + ECS_RECORD_HEADER_MAX,
	                            ECS_RECORD_LINE_MAX);
	if (!rec.line_len) {
		e->conf.counters->records_too_long++;
		return;
	}
	if (ecs_record_give(e, &rec, now))
		e->conf.counters->records_made++;
	else
		e->conf.counters->records_refused++;
}

static const struct ecs_charging_action *action_of(struct ecs_engine *e, const struct ecs_flow *f,
                                                   const struct ecs_ruleref **ref)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

	*ref = r;
	if (!r)
		return NULL;
	return r->line != ECS_LINE_NONE ? ecs_service_line(e->conf.service, r->line)->action
	                                : r->action;
}

/* What a record of a flow says beside its volumes. */
static struct ecs_edr_in in_of(struct ecs_engine *e, const struct ecs_flow *f,
                               const struct ecs_tally *t, enum ecs_closure why)
{
	const struct ecs_ruleref *r;
	const struct ecs_charging_action *a = action_of(e, f, &r);
	const struct ecs_bearer *b = ecs_session_bearer(f->session, f->bearer, false);
	struct ecs_edr_in in = {
		.s = f->session, .f = f, .flow_id = f->id, .why = why, .bearer = f->bearer,
		.qci = b ? ecs_bearer_qos(b).qci : 0, .rule = r ? r->rule : "(no rule)",
		.action = a ? a->name : "", .child = f->more && ecs_parent_of(e, f),
		.first = f->created, .last = f->last,
		.unknown = ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH) &&
		           !(f->session->records & ECS_RECORDS_WHOLE),
	};

	if (a) {
		in.content_id = a->content_id;
		in.rating_group = ecs_action_rating_group(a);
		in.service_id = a->service_id;
	}
	if (t) {
		in.said = t->said;
		in.tcp = t->tcp;
		memcpy(in.charged, t->charged, sizeof(in.charged));
	}
	return in;
}

static struct ecs_volume sum_of(const struct ecs_engine *e, const struct ecs_flow *f,
                                enum ecs_usage_of of)
{
	const struct ecs_usage *u = ecs_usage_of(e, f->session, 0, of, f->id);

	return u ? ecs_usage_sum(u) : (struct ecs_volume){{0}, {0}};
}

/* What no EDR tells of yet. */
static struct ecs_volume unrecorded(const struct ecs_engine *e, const struct ecs_flow *f)
{
	struct ecs_volume v = sum_of(e, f, ECS_USAGE_FLOW), r = sum_of(e, f, ECS_USAGE_RECORDED);

	for (int d = 0; d < 2; d++) {
		v.pkts[d] -= r.pkts[d] < v.pkts[d] ? r.pkts[d] : v.pkts[d];
		v.bytes[d] -= r.bytes[d] < v.bytes[d] ? r.bytes[d] : v.bytes[d];
	}
	return v;
}

static bool is_zero(const struct ecs_volume *v)
{
	return !(v->pkts[0] | v->pkts[1] | v->bytes[0] | v->bytes[1]);
}

/* Under which number volumes of the flow are kept with its session. */
static uint32_t kept_as(const struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_session *s = f->session;

	return s->nusages < ECS_FLOW_USAGES_MAX || ecs_usage_of(e, s, 0, ECS_USAGE_FLOW, f->id)
		? f->id : ECS_FLOW_REST;
}

/* The next record tells of what comes from here on. */
static void begin_anew(struct ecs_engine *e, struct ecs_flow *f, const struct ecs_volume *told,
                       bool keep, struct srp_time now)
{
	struct ecs_tally *t = f->tally;

	if (e->active && keep)
		for (int d = 0; d < 2; d++)
			if (told->pkts[d])
				ecs_usage_charge(e, f->session, 0, ECS_USAGE_RECORDED, kept_as(e, f), 0,
				                 (enum ecs_dir)d, told->pkts[d], told->bytes[d], now);
	if (!t)
		return;
	memset(&t->ip, 0, sizeof(t->ip));
	memset(&t->tcp, 0, sizeof(t->tcp));
	memset(t->charged, 0, sizeof(t->charged));
	t->first = t->last = (struct srp_time){0};
}

bool ecs_tally_edr(struct ecs_engine *e, struct ecs_flow *f, const char *charging,
                   const char *reporting, enum ecs_closure why, bool last, struct srp_time now)
{
	const struct ecs_rulebase_conf *c = ecs_tally_conf(e, f->session);
	const struct ecs_tally *t = f->tally;
	bool whole = f->session->records & ECS_RECORDS_WHOLE;
	struct ecs_edr_in in;

	if (!charging[0] && !reporting[0])
		return false;
	in = in_of(e, f, t, why);
	if (whole)
		in.ip = unrecorded(e, f);
	else if (t)
		in.ip = t->ip;
	if (t && t->first.us && !whole) {
		in.first = t->first;
		in.last = t->last;
	}
	if (is_zero(&in.ip) &&
	    (!last || !t || (c && c->edr_suppress_zero) ||
	     (why != ECS_CLOSURE_NORMAL && why != ECS_CLOSURE_TIMEOUT))) {
		e->conf.counters->records_empty++;
		return false;
	}
	if (charging[0])
		ecs_record_make(e, ECS_STREAM_EDR, charging, &in, last, now);
	if (reporting[0])
		ecs_record_make(e, ECS_STREAM_REPORTING, reporting, &in, last, now);
	/* what of the flow is in EDRs is known over recoveries: whole ones tell of the rest, else the rest is
	 * known to be lost */
	begin_anew(e, f, &in.ip, whole || ((f->session->records & ECS_RECORDS_KEPT) &&
	                                   (!last || kept_as(e, f) == ECS_FLOW_REST)), now);
	return true;
}

/* --- packets ---------------------------------------------------------------------------------- */

void ecs_tally_layers(struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	struct ecs_tally *t;

	if (w->f->key.proto != PROTO_TCP || p->icmp_error || !p->len)
		return;
	t = ecs_tally_of(e, w->f);
	if (!t)
		return;
	t->tcp.pkts[p->dir] += w->pkts;
	t->tcp.bytes[p->dir] += w->bytes - (p->l4 < p->len ? p->l4 * w->pkts : 0);
}

/* `charge-volume` of an action: what a packet counts for. */
static uint64_t volume_of(const struct ecs_charging_action *a, const struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	enum ecs_dir dir = p->dir;
	uint64_t ip_header = p->len && p->l4 < p->len ? p->l4 * w->pkts : 0;

	if (!a)
		return w->bytes;
	if (a->volume_way != ECS_WAY_BOTH &&
	    (a->volume_way == ECS_WAY_UPLINK) != (dir == ECS_UPLINK))
		return 0;
	switch ((enum ecs_volume_layer)a->volume_layer) {
	case ECS_VOLUME_CONSTANT:
		return a->volume_constant * w->pkts;
	case ECS_VOLUME_TCP:
	case ECS_VOLUME_UDP:
		if (w->f->key.proto != (a->volume_layer == ECS_VOLUME_TCP ? PROTO_TCP : PROTO_UDP))
			return 0;
		break;
	default:
		ip_header = 0;
	}
	if (a->volume_unit == ECS_VOLUME_PACKETS)
		return w->pkts;
	return w->bytes - (ip_header < w->bytes ? ip_header : w->bytes);
}

/* The EDR of a rule that a flow has begun to be charged by. */
static void hit(struct ecs_engine *e, struct ecs_way *w, const struct ecs_charging_action *a)
{
	struct ecs_tally *t = w->f->tally;
	uint32_t at = w->dyn ? 0x10000u | w->ref : w->line;

	/* what a recovered flow is charged by while control is pending it has not hit */
	if (w->s->pending && ecs_flow_recovered(e, w->f))
		return;
	if (t->hit == HIT_THEN)
		t->hit = at;
	if (!a || a->edr_at_end || t->hit == at || (!a->charging_edr[0] && !a->reporting_edr[0]))
		return;
	t->hit = at;
	(void)ecs_tally_edr(e, w->f, a->charging_edr, a->reporting_edr, ECS_CLOSURE_HIT, false,
	                    w->now);
}

/* A DNS answer ends what its question began. */
static void answered(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_rulebase_conf *c = ecs_tally_conf(e, w->s);
	struct ecs_said *d = w->f->tally->said;

	if (!c || !d || !d->open || d->proto != ECS_PROTO_DNS || w->p->dir != ECS_DOWNLINK ||
	    w->f->key.server_port != DNS_PORT)
		return;
	d->open = false;
	(void)ecs_tally_edr(e, w->f, c->edr_dns.charging, c->edr_dns.reporting,
	                    ECS_CLOSURE_TRANSACTION, false, w->now);
}

void ecs_tally_charge(struct ecs_engine *e, struct ecs_way *w, const struct ecs_charging_action *a)
{
	struct ecs_flow *f = w->f;
	enum ecs_dir dir = w->p->dir;
	struct ecs_tally *t = ecs_tally_of(e, f);

	if (!t)
		return;
	if (!w->held)
		ecs_tally_layers(e, w);
	t->ip.pkts[dir] += w->pkts;
	t->ip.bytes[dir] += w->bytes;
	t->charged[dir] += volume_of(a, w);
	t->last = w->now;
	if (!t->first.us)
		t->first = w->now;
	if (w->s->records & ECS_RECORDS_KEPT) {
		uint32_t as = kept_as(e, f);

		ecs_usage_charge(e, w->s, 0, ECS_USAGE_FLOW, as, 0, dir, w->pkts, w->bytes, w->now);
		if (as == ECS_FLOW_REST)
			e->conf.counters->records_unkept += w->pkts;
	}
	hit(e, w, a);
	if (t->said)
		answered(e, w);
}

/* --- ends ------------------------------------------------------------------------------------- */

static const enum ecs_closure closure[ECS_FLOW_END__N] = {
	[ECS_FLOW_END_CONTENT_FILTERING] = ECS_CLOSURE_CF, [ECS_FLOW_END_OVERFLOW] = ECS_CLOSURE_OVERFLOW,
	[ECS_FLOW_END_HAGR] = ECS_CLOSURE_HAGR, [ECS_FLOW_END_HANDOFF] = ECS_CLOSURE_HANDOFF,
	[ECS_FLOW_END_NORMAL] = ECS_CLOSURE_NORMAL, [ECS_FLOW_END_SESSION] = ECS_CLOSURE_SESSION,
	[ECS_FLOW_END_TIMEOUT] = ECS_CLOSURE_TIMEOUT, [ECS_FLOW_END_BLACKLISTING] = ECS_CLOSURE_BLACKLISTING,
};

/* The EDRs of a flow that ends, or is counted anew. An action whose EDR waits for the end gives it where
 * no EDRs come after (@p end) only; the same format is not written twice. */
static void edrs_at(struct ecs_engine *e, struct ecs_flow *f, enum ecs_flow_end why, bool end, bool last,
                    struct srp_time now)
{
	const struct ecs_rulebase_conf *c = ecs_tally_conf(e, f->session);
	const struct ecs_ruleref *r;
	const struct ecs_charging_action *a = action_of(e, f, &r);
	const char *charging = c ? c->end[why].charging : "";
	const char *reporting = c ? c->end[why].reporting : "";

	if (end)
		ecs_tally_transaction(e, f, now);
	if (end && a && a->edr_at_end) {
		charging = charging[0] ? charging : a->charging_edr;
		reporting = reporting[0] ? reporting : a->reporting_edr;
	}
	(void)ecs_tally_edr(e, f, charging, reporting, closure[why], last, now);
}

/* Frees the volumes that were kept of a flow. */
static void unkeep(struct ecs_engine *e, struct ecs_session *s, uint32_t id, enum ecs_tell tell,
                   struct srp_time now)
{
	for (unsigned of = ECS_USAGE_FLOW; of <= ECS_USAGE_RECORDED; of++) {
		struct ecs_usage *u = ecs_usage_of(e, s, 0, (enum ecs_usage_of)of, id);

		if (u)
			ecs_usage_drop(e, u, tell, now);
	}
	if (e->ledger)
		ecs_ledger_prune(e->ledger, s->spec.callid);
}

/* The record of the whole flow; of what came since the one that a predecessor has made, where @p since is
 * that. What is kept with that of others has one with them, when the session ends. */
static void fdr(struct ecs_engine *e, struct ecs_flow *f, enum ecs_flow_end why,
                const struct ecs_volume *since, bool last, struct srp_time now)
{
	const struct ecs_rulebase_conf *c = ecs_tally_conf(e, f->session);
	struct ecs_edr_in in;

	if (!c || !c->fdr)
		return;
	in = in_of(e, f, f->tally, closure[why]);
	in.unknown = false; /* which side began is in the checkpoint, and the record is of all of it */
	in.ip = since ? *since : sum_of(e, f, ECS_USAGE_FLOW);
	if (!is_zero(&in.ip))
		ecs_record_make(e, ECS_STREAM_FDR, c->fdr_format, &in, last, now);
}

/* A flow that was recovered by the store of a session manager: its predecessor may have made its last
 * record, and died before it had told that the flow is over. */
static bool made_before(struct ecs_engine *e, uint32_t callid, uint32_t id)
{
	if (!e->conf.ops || !e->conf.ops->recorded || !e->conf.ops->recorded(e->conf.owner, callid, id))
		return false;
	e->conf.counters->records_again++;
	return true;
}

static void count_lost(struct ecs_engine *e, const struct ecs_volume *v)
{
	if (is_zero(v))
		return;
	e->conf.counters->records_lost++;
	e->conf.counters->records_lost_bytes += v->bytes[0] + v->bytes[1];
}

/* What was counted here before another chassis took the flow over, and told nobody of. Where the role was
 * not given to it, that chassis has counted it (lost.c). */
static void lose(struct ecs_engine *e, struct ecs_flow *f)
{
	if (e->gave && f->tally && !(f->session->records & ECS_RECORDS_WHOLE))
		count_lost(e, &f->tally->ip);
	ecs_tally_free(e, f);
}

void ecs_tally_drop(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	if (e->hagr)
		ecs_records_hagr(e, f, now);
	lose(e, f);
}

void ecs_records_hagr(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	/* whole records are made by who has the flow at its end */
	if (f->tally && !(f->session->records & ECS_RECORDS_WHOLE)) {
		edrs_at(e, f, ECS_FLOW_END_HAGR, false, false, now);
		lose(e, f);
	}
}

static void end(struct ecs_engine *e, struct ecs_flow *f, enum ecs_flow_end why,
                enum ecs_tell tell, struct srp_time now)
{
	struct ecs_session *s = f->session;
	bool again = ecs_flow_recovered(e, f) && made_before(e, s->spec.callid, f->id);
	struct ecs_volume since = {{0}, {0}};

	if (f->gen != e->gen)
		lose(e, f);
	if (!again)
		ecs_lost_flow(e, s, f->id, now);
	if (f->tally)
		since = f->tally->ip;
	if (!again || f->tally)
		edrs_at(e, f, why, true, true, now);
	if (s->records & ECS_RECORDS_FDR)
		fdr(e, f, why, again ? &since : NULL, true, now);
	ecs_tally_free(e, f);
	if (s->records & ECS_RECORDS_KEPT)
		unkeep(e, s, f->id, tell, now);
}

void ecs_records_end(struct ecs_engine *e, struct ecs_flow *f, enum ecs_flow_end why,
                     struct srp_time now)
{
	end(e, f, why, ECS_TELL, now);
}

void ecs_records_handoff(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		if (f->gen == e->gen)
			edrs_at(e, f, ECS_FLOW_END_HANDOFF, false, false, now);
	}
}

/* Volumes of flows that were not recovered: nothing is known of them but how much it was. */
static void remains(struct ecs_engine *e, struct ecs_session *s, const struct ecs_usage *u,
                    bool last, struct srp_time now)
{
	const struct ecs_rulebase_conf *c = ecs_tally_conf(e, s);
	struct ecs_edr_in in = {.s = s, .flow_id = (uint32_t)u->id, .ip = ecs_usage_sum(u), .rule = "",
	                        .action = "", .unknown = true, .bearer = ECS_BEARER_DEFAULT,
	                        .qci = ecs_bearer_qos(&s->first).qci, .last = s->last,
	                        .why = ECS_CLOSURE_REMAINS};
	const struct ecs_usage *r = ecs_usage_of(e, s, 0, ECS_USAGE_RECORDED, u->id);

	if (!c || made_before(e, s->spec.callid, (uint32_t)u->id))
		return;
	ecs_lost_flow(e, s, (uint32_t)u->id, now);
	if (s->records & ECS_RECORDS_FDR)
		ecs_record_make(e, ECS_STREAM_FDR, c->fdr_format, &in, last, now);
	for (int d = 0; r && d < 2; d++) {
		struct ecs_volume told = ecs_usage_sum(r);

		in.ip.pkts[d] -= told.pkts[d] < in.ip.pkts[d] ? told.pkts[d] : in.ip.pkts[d];
		in.ip.bytes[d] -= told.bytes[d] < in.ip.bytes[d] ? told.bytes[d] : in.ip.bytes[d];
	}
	if (!(s->records & ECS_RECORDS_WHOLE) || is_zero(&in.ip))
		return;
	ecs_record_make(e, ECS_STREAM_EDR, c->end[ECS_FLOW_END_SESSION].charging, &in, last, now);
	ecs_record_make(e, ECS_STREAM_REPORTING, c->end[ECS_FLOW_END_SESSION].reporting, &in, last, now);
}

void ecs_records_session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	if (s->records)
		for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
			struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

			ecs_flow_unanalyze(e, f); /* what is held of its handshake is charged */
			end(e, f, ECS_FLOW_END_SESSION, ECS_TELL_LISTS, now);
		}
	if (s->records & ECS_RECORDS_KEPT)
		for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next) {
			const struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);

			if (u->of == ECS_USAGE_FLOW)
				remains(e, s, u, true, now);
		}
	ecs_records_udr(e, s, now);
}

/* --- another rulebase ------------------------------------------------------------------------- */

/* The EDRs of a flow that goes on; what is in none is lost. @p end: it has no more of them; @p keep: volumes
 * of it stay. */
static void leave_edrs(struct ecs_engine *e, struct ecs_flow *f, bool end, bool keep, struct srp_time now)
{
	struct ecs_volume left = {{0}, {0}};

	ecs_lost_flow(e, f->session, f->id, now);
	edrs_at(e, f, ECS_FLOW_END_SESSION, end, false, now);
	if (f->session->records & ECS_RECORDS_WHOLE)
		left = unrecorded(e, f);
	else if (f->tally)
		left = f->tally->ip;
	count_lost(e, &left);
	begin_anew(e, f, &left, keep, now);
}

static bool is_of_flow(const struct ecs_usage *u)
{
	return u->of == ECS_USAGE_FLOW || u->of == ECS_USAGE_RECORDED;
}

/* Frees volumes that were kept: all, or of flows that are not there. */
static void let_go(struct ecs_engine *e, struct ecs_session *s, bool all, struct srp_time now)
{
	for (struct srp_list *l = s->usages.next, *next; l != &s->usages; l = next) {
		struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);

		next = l->next;
		if (is_of_flow(u) && (all || !ecs_flow_of(e->flows, s, (uint32_t)u->id)))
			ecs_usage_drop(e, u, ECS_TELL, now);
	}
	if (e->ledger)
		ecs_ledger_prune(e->ledger, s->spec.callid);
}

void ecs_records_become(struct ecs_engine *e, struct ecs_session *s, uint8_t to, struct srp_time now)
{
	uint8_t was = s->records;
	bool fdrs = was & ~to & ECS_RECORDS_FDR, whole = was & ECS_RECORDS_WHOLE;
	bool no_edrs = was & ~to & ECS_RECORDS_EDR;
	/* what they tell of is no volume since the last one any more, or not yet, or goes with FDRs */
	bool edrs = (was & ECS_RECORDS_EDR) &&
	            (no_edrs || ((was ^ to) & ECS_RECORDS_WHOLE) || (fdrs && whole));
	bool all = fdrs || !(to & ECS_RECORDS_KEPT);

	if (!fdrs && !edrs)
		return;
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		if (f->gen != e->gen)
			lose(e, f);
		if (edrs)
			leave_edrs(e, f, no_edrs, (was & ECS_RECORDS_KEPT) && !all, now);
		if (fdrs)
			fdr(e, f, ECS_FLOW_END_SESSION, NULL, false, now);
	}
	if (!(was & ECS_RECORDS_KEPT))
		return;
	for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next) {
		const struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);

		if (u->of == ECS_USAGE_FLOW && !ecs_flow_of(e->flows, s, (uint32_t)u->id))
			remains(e, s, u, false, now);
	}
	let_go(e, s, all, now);
}

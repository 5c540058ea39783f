#include "config.h"
#include "ecs/path.h"

#include "ecs/analyze.h"
#include "ecs/enforce.h"
#include "ecs/tally.h"

#define PROTO_TCP      6u

/* What a rule stops or lets through: not done by one that the packet may not have in the end. */
#define BY_FINAL_RULE                                                                       \
	(ECS_STAGE_BIT(TERMINATE) | ECS_STAGE_BIT(STATUS) | ECS_STAGE_BIT(DISCARD) |        \
	 ECS_STAGE_BIT(QUOTA) | ECS_STAGE_BIT(POLICE) | ECS_STAGE_BIT(RANDOM))

/* The rule of a packet: a line, or a dynamic rule; or neither. */
struct rule {
	const struct ecs_line *line;
	const struct ecs_ruleref *dynamic;
	const struct ecs_charging_action *action;
};

static struct rule rule_of(struct ecs_engine *e, const struct ecs_way *w)
{
	struct rule r = {0};

	if (w->line != ECS_LINE_NONE)
		r.line = ecs_service_line(e->conf.service, w->line);
	if (w->dyn)
		r.dynamic = ecs_ruleref_get(e->refs, w->ref);
	r.action = r.line ? r.line->action : r.dynamic ? r.dynamic->action : NULL;
	return r;
}

void ecs_charge_segments(const struct ecs_packet *p, uint16_t gso_size, uint64_t *pkts,
                         uint64_t *bytes)
{
	uint64_t payload = p->len > p->hdr_len ? p->len - p->hdr_len : 0;
	uint64_t n = 1;

	if (gso_size && payload > gso_size)
		n = (payload + gso_size - 1) / gso_size;
	*pkts = n;
	*bytes = p->len + (n - 1) * p->hdr_len;
}

/* Counters of the rule; packets that are dropped count as hits only. */
static void count(struct ecs_rule_stats *st, const struct ecs_way *w, bool dropped)
{
	if (!w->again)
		st->hits += w->pkts;
	if (w->bypassed)
		st->match_bypassed += w->pkts;
	if (dropped)
		return;
	if (w->p->dir == ECS_UPLINK) {
		st->pkts_up += w->pkts;
		st->bytes_up += w->bytes;
	} else {
		st->pkts_down += w->pkts;
		st->bytes_down += w->bytes;
	}
	if (w->pending) {
		st->pending_pkts += w->pkts;
		st->pending_bytes += w->bytes;
	}
}

static uint64_t rule_id(struct ecs_engine *e, const struct ecs_way *w)
{
	uint16_t ref = w->ref;
	const struct ecs_ruleref *r;

	if (w->line == ECS_LINE_NONE && !w->dyn)
		return 0;
	if (ref == ECS_REF_NONE && !w->dyn)
		ref = ecs_ruleref_of_line(e->refs, w->line, w->now);
	r = ecs_ruleref_get(e->refs, ref);
	return r ? r->name_hash : 0;
}

/* What only few actions ask for: volumes of rating groups, of what is in no UDR, and quota. */
static void charge_rating(struct ecs_engine *e, const struct ecs_way *w,
                          const struct ecs_charging_action *a, uint8_t bearer)
{
	uint64_t id = ECS_RATING_ID(a->rating_group, a->content_id);
	enum ecs_dir dir = w->p->dir;

	if (a->rating_group)
		ecs_usage_charge(e, w->s, bearer, ECS_USAGE_RATING, id, 0, dir, w->pkts, w->bytes,
		                 w->now);
	if (a->exclude_udrs)
		ecs_usage_charge(e, w->s, bearer, ECS_USAGE_EXCLUDED, id, 0, dir, w->pkts, w->bytes,
		                 w->now);
	if (a->credit && ecs_action_rating_group(a))
		ecs_usage_charge(e, w->s, 0, ECS_USAGE_QUOTA, ecs_action_rating_group(a), 0,
		                 (enum ecs_dir)ECS_QUOTA_USED, w->pkts, w->bytes, w->now);
}

/* Counts a packet on its rule. */
static void hit(struct ecs_engine *e, const struct ecs_way *w, const struct rule *r, bool dropped)
{
	uint16_t stats = r->line ? r->line->stats : e->no_rule;

	count(r->dynamic ? &e->conf.dyn_stats[r->dynamic->stats].st : &e->conf.rule_stats[stats], w,
	      dropped);
	if (!r->line && !r->dynamic && !w->again)
		e->conf.counters->no_rule_packets += w->pkts;
}

/* What a session is charged with depends on no rule. */
static void charge_session(struct ecs_engine *e, const struct ecs_way *w)
{
	e->conf.owed->charged += w->bytes;
	ecs_usage_charge(e, w->s, 0, ECS_USAGE_SESSION, 0, 0, w->p->dir, w->pkts, w->bytes, w->now);
}

enum ecs_verdict ecs_charge(struct ecs_engine *e, struct ecs_way *w)
{
	const struct rule r = rule_of(e, w);
	const struct ecs_charging_action *a = r.action;
	uint16_t stats = r.line ? r.line->stats : e->no_rule;
	uint8_t bearer = w->bearer ? w->bearer : w->f ? w->f->bearer : ECS_BEARER_DEFAULT;
	enum ecs_dir dir = w->p->dir;
	uint32_t stages = w->held ? 0 : ecs_way_stages(w, r.line) & ~w->done;
	bool traced = e->tracing && !w->held && ecs_trace_begins(e, w);
	bool dropped = stages && ecs_enforce(e, w, a, stages);

	if (traced)
		ecs_trace_charged(e, w, dropped);
	hit(e, w, &r, dropped);
	if (dropped)
		return ECS_DROP;
	if (!w->held) /* else when it came */
		charge_session(e, w);
	ecs_usage_charge(e, w->s, bearer, ECS_USAGE_RULE, rule_id(e, w), stats, dir, w->pkts,
	                 w->bytes, w->now);
	if (a && a->content_id)
		ecs_usage_charge(e, w->s, bearer, ECS_USAGE_CONTENT, a->content_id, 0, dir,
		                 w->pkts, w->bytes, w->now);
	if (a && (a->rating_group || a->credit || a->exclude_udrs))
		charge_rating(e, w, a, bearer);
	if (w->s->records && w->f)
		ecs_tally_charge(e, w, a);
	return ECS_FORWARD;
}

bool ecs_charge_waits(const struct ecs_way *w)
{
	const struct ecs_analysis *a = w->f->analysis;
	unsigned waits = ECS_HS_ALL_PACKETS;

	if (a && !ecs_analysis_spoken(a))
		waits |= ECS_HS_INITIAL; /* the set-up goes on until the application has spoken */
	return a && (w->s->handshaking & waits) && !(w->f->flags & ECS_FLOW_F_FINAL) &&
	       w->f->key.proto == PROTO_TCP && !w->p->payload_len;
}

enum ecs_verdict ecs_charge_hold(struct ecs_engine *e, struct ecs_way *w)
{
	const struct rule r = rule_of(e, w);
	struct ecs_analysis *a = w->f->analysis;
	uint32_t stages = ecs_way_stages(w, r.line) & ~(w->open ? BY_FINAL_RULE : 0);
	bool traced = e->tracing && ecs_trace_begins(e, w);

	if (stages && ecs_enforce(e, w, r.action, stages)) {
		if (traced)
			ecs_trace_charged(e, w, true);
		hit(e, w, &r, true);
		return ECS_DROP;
	}
	if (!ecs_list_on(&a->in_held))
		ecs_list_add_tail(&e->held, &a->in_held);
	if (w->s->records)
		ecs_tally_layers(e, w); /* what is held is charged as packets and bytes alone */
	if (traced)
		a->held_row = ecs_trace_held(e, w, a->held_row);
	charge_session(e, w); /* and survives there, whoever dies before its rule is known */
	a->held_pkts[w->p->dir] += w->pkts;
	a->held_bytes[w->p->dir] += w->bytes;
	return ECS_FORWARD;
}

/* The rule that its flow has for a packet. */
static void by_flow(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_flow *f = w->f;
	const struct ecs_ruleref *r;

	w->ref = ecs_flow_first_dir(f) == w->p->dir ? f->ref : f->back;
	r = ecs_ruleref_get(e->refs, w->ref);
	w->line = r ? r->line : ECS_LINE_NONE;
	w->dyn = r && r->dynamic ? ecs_dyn_of_ref(e, f->session, w->ref) : NULL;
}

struct ecs_way ecs_charge_again(struct ecs_engine *e, struct ecs_flow *f, struct ecs_raw *raw,
                                struct ecs_packet *p, uint32_t done, struct srp_time now)
{
	struct ecs_way w = {.p = p, .own = p, .raw = raw, .s = f->session, .f = f, .now = now,
	                    .again = true, .done = done};

	by_flow(e, &w);
	return w;
}

/* Of one direction. */
static void release(struct ecs_engine *e, struct ecs_way *w)
{
	by_flow(e, w);
	(void)ecs_charge(e, w);
}

void ecs_charge_release(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_analysis *a = f->analysis;
	struct ecs_packet p[2];
	struct ecs_way w[2];

	if (!a || !ecs_list_on(&a->in_held))
		return;
	ecs_list_del(&a->in_held);
	for (int d = ECS_UPLINK; d <= ECS_DOWNLINK; d++) {
		p[d] = (struct ecs_packet){.dir = (enum ecs_dir)d};
		w[d] = (struct ecs_way){.p = &p[d], .s = f->session, .f = f, .now = f->last, .held = true,
		                        .pkts = a->held_pkts[d], .bytes = a->held_bytes[d]};
		a->held_pkts[d] = a->held_bytes[d] = 0;
		if (w[d].pkts)
			release(e, &w[d]);
	}
	if (e->tracing && e->active)
		ecs_trace_released(e, w, a->held_row);
	a->held_row = 0;
}

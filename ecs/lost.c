/* lost: what was counted of flows before a recovery, and is in no EDR: neither session recovery nor an
 * unplanned switchover makes one (flow-recovery, Limitations). Who goes on with the flows counts it. Where
 * the volumes of flows are kept it is exact; else nothing but the flow is known, if it was recovered.
 * And what the session was charged with, and no rule. */
#include "config.h"
#include "ecs/tally.h"

#include "ecs/analyze.h"
#include "ecs/engine_impl.h"

/* EDRs are made of its flows, and they do not tell of whole ones. */
static bool loses(const struct ecs_session *s)
{
	return (s->records & ECS_RECORDS_EDR) && !(s->records & ECS_RECORDS_WHOLE);
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Of a flow, but for what is in EDRs, or will be in the next. */
static struct ecs_volume unrecorded(struct ecs_engine *e, const struct ecs_session *s,
                                    const struct ecs_usage *u)
{
	const struct ecs_usage *r = ecs_usage_of(e, s, 0, ECS_USAGE_RECORDED, u->id);
	const struct ecs_flow *f = ecs_flow_of(e->flows, s, (uint32_t)u->id);
	struct ecs_volume v = ecs_usage_sum(u), told = r ? ecs_usage_sum(r) : (struct ecs_volume){{0}, {0}};

	for (int d = 0; d < 2; d++) {
		if (f && f->tally && f->gen == e->gen) {
			told.pkts[d] += f->tally->ip.pkts[d];
			told.bytes[d] += f->tally->ip.bytes[d];
		}
		v.pkts[d] = less(v.pkts[d], told.pkts[d]);
		v.bytes[d] = less(v.bytes[d], told.bytes[d]);
	}
	return v;
}

/* Counts what of a volume is lost; the next recovery must not count it again. */
static void count(struct ecs_engine *e, struct ecs_session *s, const struct ecs_usage *u, bool ends,
                  struct srp_time now)
{
	struct ecs_volume v = unrecorded(e, s, u);

	if (!(v.pkts[0] | v.pkts[1]))
		return;
	e->conf.counters->records_lost++;
	e->conf.counters->records_lost_bytes += v.bytes[0] + v.bytes[1];
	for (int d = 0; d < 2 && !ends; d++)
		if (v.pkts[d])
			ecs_usage_charge(e, s, 0, ECS_USAGE_RECORDED, u->id, 0, (enum ecs_dir)d, v.pkts[d],
			                 v.bytes[d], now);
}

void ecs_records_recovered(struct ecs_engine *e, bool all)
{
	e->lost.on = true;
	e->lost.all = all;
	e->lost.at = 0;
}

void ecs_lost_flow(struct ecs_engine *e, struct ecs_session *s, uint32_t id, struct srp_time now)
{
	const struct ecs_usage *u;

	if (!e->lost.on || ecs_session_passed(e, s->spec.callid, e->lost.at) || !loses(s))
		return;
	u = ecs_usage_of(e, s, 0, ECS_USAGE_FLOW, id);
	if (u)
		count(e, s, u, true, now);
}

static size_t session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	size_t n = 0;

	if (s->records & ECS_RECORDS_KEPT) {
		for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next, n++) {
			const struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);

			if (u->of == ECS_USAGE_FLOW)
				count(e, s, u, false, now);
		}
		return n;
	}
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next, n++)
		e->conf.counters->records_lost +=
			ecs_flow_recovered(e, ECS_CONTAINER(l, struct ecs_flow, in_session));
	return n;
}

/* --- what is of no rule ----------------------------------------------------------------------- */

/* Volumes of one direction. */
struct sum {
	uint64_t pkts, bytes;
};

/* What this chassis has charged a session with, and not yet a rule. */
static struct sum unruled(const struct ecs_engine *e, const struct ecs_session *s, int d)
{
	struct sum all = {0}, by_rule = {0};
	struct srp_list *l;

	for (l = s->usages.next; l != &s->usages; l = l->next) {
		const struct ecs_usage *u = ECS_CONTAINER(l, struct ecs_usage, in_session);
		const struct ecs_volume *v = &u->own[e->conf.chassis_bit & 1];
		struct sum *to = u->of == ECS_USAGE_SESSION ? &all : &by_rule;

		if (u->of != ECS_USAGE_SESSION && u->of != ECS_USAGE_RULE)
			continue;
		to->pkts += v->pkts[d];
		to->bytes += v->bytes[d];
	}
	for (l = s->flows.next; all.bytes > by_rule.bytes && l != &s->flows; l = l->next) {
		const struct ecs_analysis *a = ECS_CONTAINER(l, struct ecs_flow, in_session)->analysis;

		by_rule.pkts += a ? a->held_pkts[d] : 0; /* it will be charged by one */
		by_rule.bytes += a ? a->held_bytes[d] : 0;
	}
	if (all.pkts < by_rule.pkts || all.bytes <= by_rule.bytes)
		return (struct sum){0};
	return (struct sum){all.pkts - by_rule.pkts, all.bytes - by_rule.bytes};
}

/* What waited for its rule in a process that died, or was lost of a rule with it, is of no rule: so the rules
 * have what the session has. */
static void charge_rest(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct ecs_rule_stats *st = &e->conf.rule_stats[e->no_rule];

	for (int d = 0; d < 2; d++) {
		struct sum v = unruled(e, s, d);

		if (!v.bytes)
			continue;
		ecs_usage_charge(e, s, ECS_BEARER_DEFAULT, ECS_USAGE_RULE, 0, e->no_rule, (enum ecs_dir)d,
		                 v.pkts, v.bytes, now);
		*(d == ECS_UPLINK ? &st->pkts_up : &st->pkts_down) += v.pkts;
		*(d == ECS_UPLINK ? &st->bytes_up : &st->bytes_down) += v.bytes;
		e->conf.counters->unruled_bytes += v.bytes;
	}
}

/* --- all sessions, a part at a time ----------------------------------------------------------- */

bool ecs_lost_turn(struct ecs_engine *e, struct srp_time now, size_t budget)
{
	while (e->lost.on && e->lost.all && budget > 0) {
		struct ecs_session *s = ecs_session_next(e, e->lost.at);
		size_t n;

		if (!s) {
			e->lost.on = false;
			break;
		}
		charge_rest(e, s, now);
		n = loses(s) ? session(e, s, now) : 0;
		e->lost.at = s->spec.callid;
		budget -= n + 1 < budget ? n + 1 : budget;
	}
	return e->lost.on && e->lost.all;
}

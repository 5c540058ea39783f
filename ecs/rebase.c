/* rebase: `flow action rulebase-change`: the session of a packet gets another rulebase, from the
 * next packet on. A session changes once a second at most, so that rulebases which change to each
 * other cost little: each change looks at all flows of the session. */
#include "config.h"
#include "ecs/enforce.h"

#include <string.h>

#include "ecs/kind.h"
#include "ecs/parent.h"
#include "ecs/tally.h"

#define EVERY SRP_SEC(1)

enum ecs_stage_did ecs_stage_rulebase(struct ecs_engine *e, struct ecs_way *w,
                                      const struct ecs_charging_action *a)
{
	struct ecs_session *s = w->s;
	int to;

	/* not by a rule that stands in for another, or before which another can still come */
	if (!a || a->flow_action != ECS_ACT_RULEBASE || w->open || w->pending ||
	    w->ends != ECS_ENDS_NOT)
		return ECS_STAGE_PASSED;
	to = ecs_service_find_rulebase(e->conf.service, a->rulebase);
	if (to >= 0 && to == s->rulebase)
		return ECS_STAGE_PASSED;
	if (to < 0 || (s->rebased.us && srp_time_since(s->rebased, w->now) < EVERY)) {
		e->conf.counters->rulebase_unchanged += w->pkts;
		return ECS_STAGE_PASSED;
	}
	w->ends = ECS_ENDS_RULEBASE;
	e->rebase = a;
	return ECS_STAGE_ACTED;
}

/* The ref that stands for the rule of @p ref in the session's rulebase. */
static uint16_t renewed(struct ecs_engine *e, const struct ecs_flow *f, uint16_t ref,
                        struct srp_time now, bool *lost)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, ref);
	uint16_t to;

	if (!r || r->dynamic)
		return ref;
	to = ecs_ruleref_in(e->refs, ref, f->session->rulebase, now);
	*lost = *lost || to == ECS_REF_NONE;
	return to;
}

void ecs_flow_rebased(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	bool keeps = ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH) && !f->released;
	bool lost = false;
	uint16_t ref, back;

	if (f->more)
		f->more->has_post = false; /* a line of the rulebase that it had */
	if (!keeps) {
		f->stale = f->flags & ECS_FLOW_F_FINAL;
		return;
	}
	ref = renewed(e, f, f->ref, now, &lost);
	back = renewed(e, f, f->back, now, &lost);
	if (lost)
		ecs_flow_release(e, f, false, now);
	else if (ref != f->ref || back != f->back)
		ecs_flow_verdict(e, f, ref, back, now);
}

void ecs_session_rebase(struct ecs_engine *e, struct ecs_session *s, const char *name,
                        struct srp_time now)
{
	const struct ecs_service *svc = e->conf.service;
	struct srp_list *l, *next;

	ecs_records_become(e, s, ecs_service_records(svc, ecs_service_find_rulebase(svc, name)), now);
	memcpy(s->spec.rulebase, name, strlen(name) + 1);
	s->rebased = now;
	ecs_session_resolve(e, s);
	ecs_dyn_resolve(e, s);
	if (!s->consistent)
		ecs_kind_judge(e, s, NULL, now);
	for (l = s->flows.next; l != &s->flows; l = next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		next = l->next;
		if (ecs_flow_adopt(e, f, now))
			ecs_flow_rebased(e, f, now);
	}
	ecs_parent_session(e, s, now);
	ecs_recoverable_session(e, s, now);
	ecs_tell_changed(e, &s->full, now);
}

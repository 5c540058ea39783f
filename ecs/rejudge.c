/* rejudge: flows of a call whose rules have changed. A flow that has lost its rule lives on by L3/L4
 * lines; one for which a rule that has come stands first takes it, unless it is a recovered one. */
#include "config.h"
#include "ecs/dynamic.h"

#include "ecs/engine_impl.h"

void ecs_flow_release(struct ecs_engine *e, struct ecs_flow *f, bool even_open, struct srp_time now)
{
	bool keeps = ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH);

	if (keeps || even_open || (f->flags & ECS_FLOW_F_FINAL)) {
		f->released = true;
		f->flags |= ECS_FLOW_F_L34;
		f->flags &= (uint16_t) ~(ECS_FLOW_F_FINAL | ECS_FLOW_F_AGAIN | ECS_FLOW_F_FRESH);
		ecs_flow_unanalyze(e, f);
	}
	f->lost = true;
	ecs_flow_known(e, f, ECS_REF_NONE, ECS_REF_NONE);
	ecs_flow_verdict(e, f, ECS_REF_NONE, ECS_REF_NONE, now);
}

/* It has lost its rule. One of L7 that it was found to mean stays known: it may come back. */
static void lose(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	uint16_t known = ecs_flow_means(e, f->ref, f->known);
	uint16_t back = ecs_flow_means(e, f->back, f->known_back);

	ecs_flow_release(e, f, false, now);
	if (!f->released || (known == ECS_REF_NONE && back == ECS_REF_NONE))
		return;
	f->flags |= ECS_FLOW_F_FINAL;
	f->stale = true;
	ecs_flow_known(e, f, known, back);
}

/* The rule that a direction of a flow has lost, or has under another ref. */
static uint16_t renewed(struct ecs_engine *e, const struct ecs_flow *f, uint16_t ref,
                        enum ecs_dir dir, struct srp_time now, bool *lost)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, ref);
	struct ecs_session *s = f->session;
	struct ecs_dynrule *d;

	if (!r)
		return ref;
	if (!r->dynamic) {
		*lost = r->line != ECS_LINE_NONE && !ecs_dyn_line_on(e, s, r->line);
		return ref;
	}
	d = ecs_dyn_find(s, r->rule);
	if (!d || d->spec.predefined || !ecs_sdfs_match(&d->spec.filters, &f->key, dir)) {
		*lost = true;
		return ref;
	}
	return ecs_dyn_ref(e, d, now);
}

/* The dynamic rule that a flow would begin with now in this direction, where it comes before what
 * the flow has there. */
static struct ecs_dynrule *better(struct ecs_engine *e, const struct ecs_flow *f, uint16_t ref,
                                  enum ecs_dir dir)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, ref);
	struct ecs_session *s = f->session;
	struct ecs_dynrule *d = ecs_dyn_match(s, &f->key, dir, ecs_tft_bearer(s, &f->key, dir, -1));

	if (d && r && !r->dynamic && r->line != ECS_LINE_NONE &&
	    !ecs_dyn_first(e, s) &&
	    d->spec.precedence > ecs_service_line(e->conf.service, r->line)->priority)
		return NULL;
	return d;
}

static void rejudge(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	enum ecs_dir first = ecs_flow_first_dir(f);
	enum ecs_dir other = first == ECS_UPLINK ? ECS_DOWNLINK : ECS_UPLINK;
	bool keeps = ecs_flow_recovered(e, f) && !(f->flags & ECS_FLOW_F_FRESH) && !f->released;
	bool lost = false, lost_back = false;
	uint16_t ref = renewed(e, f, f->ref, first, now, &lost);
	uint16_t back = f->back == f->ref ? ref : renewed(e, f, f->back, other, now, &lost_back);
	struct ecs_dynrule *d, *b;
	uint16_t now_ref, now_back;

	if (lost || lost_back) {
		lose(e, f, now);
		return;
	}
	if (ref != f->ref || back != f->back)
		ecs_flow_verdict(e, f, ref, back, now);
	if (keeps || f->lost || !(f->flags & ECS_FLOW_F_FINAL))
		return; /* the next packet of one that has no rule says what comes first */
	d = better(e, f, ref, first);
	b = better(e, f, back, other);
	now_ref = d ? ecs_dyn_ref(e, d, now) : ref;
	now_back = b ? ecs_dyn_ref(e, b, now) : back;
	if (now_ref != ref || now_back != back)
		ecs_flow_verdict(e, f, now_ref, now_back, now);
	else if (!(d && b))
		f->stale = true; /* a line that was activated may come first, or be its own again */
}

void ecs_dyn_rejudge(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	struct srp_list *l, *next;

	for (l = s->flows.next; e->active && l != &s->flows; l = next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		next = l->next;
		if (ecs_flow_adopt(e, f, now))
			rejudge(e, f, now);
	}
}

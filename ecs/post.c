/* post: `post-processing priority`: a second list of rules, looked at when the verdict has been
 * enforced: what it says is done on top. A recovered flow is judged by its L3/L4 lines alone; a
 * redirection by one of them cannot be done to it, and is a discard (flow-recovery, Feature
 * Interaction); with `flow-recovery redirect` it is done to its requests. */
#include "config.h"
#include "ecs/enforce.h"

#include "ecs/analyze.h"
#include "ecs/parent.h"
#include "ecs/quota.h"
#include "ecs/redirect.h"

/* What a flow's analyzers have found out holds on when they have gone: until the next commit. */
static void keep(struct ecs_engine *e, struct ecs_flow *f, uint16_t line)
{
	const struct ecs_line *l = ecs_service_line(e->conf.service, line);
	struct ecs_flow_more *m = f->more;

	if (!m && (!l || l->l34))
		return;
	m = ecs_flow_more(e, f);
	if (!m)
		return;
	m->post = l && !l->l34 ? line : ECS_LINE_NONE;
	m->post_commit = e->commits;
	m->has_post = m->post != ECS_LINE_NONE;
}

static uint16_t match(struct ecs_engine *e, const struct ecs_way *w, bool recovered)
{
	struct ecs_flow *f = w->f;
	const struct ecs_packet *p = w->p;
	const struct ecs_l7 media = {.final = true, .media = true};
	const struct ecs_l7 *said = !f ? NULL : f->analysis ? &f->analysis->l7
	                                      : f->more && ecs_parent_of(e, f) ? &media : NULL;
	bool l7 = said && !recovered && !(f->flags & ECS_FLOW_F_L34) &&
	          p->frag != ECS_FRAG_LATER && !p->icmp_error;
	struct ecs_match_in in = {.pkt = p, .l7 = l7 ? said : NULL, .l34_only = !l7,
	                                .tcp_state = f ? f->tcp_state : ECS_TCP_ST_NONE};
	uint16_t line;

	if ((!l7 || said == &media) && !recovered && f && f->more && f->more->has_post &&
	    f->more->post_commit == e->commits)
		return f->more->post;
	ecs_classify_about(e, w, &in);
	line = ecs_match_post(e->matcher, w->s->rulebase, &in);
	if (l7)
		keep(e, f, line);
	return line;
}

void ecs_post_look(struct ecs_engine *e, struct ecs_way *w)
{
	w->post_line = match(e, w, false);
	w->post_known = true;
}

void ecs_post_request(struct ecs_engine *e, struct ecs_way *w, const struct ecs_l7 *l7)
{
	struct ecs_match_in in = {.pkt = w->p, .l7 = l7, .tcp_state = w->f->tcp_state};
	uint16_t line;

	ecs_classify_about(e, w, &in);
	line = ecs_match_post(e->matcher, w->s->rulebase, &in);
	/* other things are done to a recovered flow by L3/L4 lines alone */
	if (!ecs_redirect_of(e, line) && !ecs_redirect_of(e, match(e, w, true)))
		return;
	w->post_line = line;
	w->post_known = true;
}

static enum ecs_stage_did enforce(struct ecs_engine *e, struct ecs_way *w,
                                  const struct ecs_charging_action *b, bool recovered)
{
	bool known;

	switch (b->flow_action) {
	case ECS_ACT_DISCARD:
		return ecs_stage_discard(e, w, b);
	case ECS_ACT_REDIRECT:
		if (recovered && !w->s->again)
			return ECS_STAGE_STOPPED;
		w->anew = recovered;
		return ecs_redirect(e, w, b) ? ECS_STAGE_STOPPED : ECS_STAGE_PASSED;
	case ECS_ACT_OCS_URL:
		/* as above, where it would redirect: without a URL of the charging server nothing is done */
		if (recovered && !w->s->again) {
			(void)ecs_quota_redirect(e, w->s, b, w->bytes, &known);
			return known ? ECS_STAGE_STOPPED : ECS_STAGE_PASSED;
		}
		w->anew = recovered;
		return ecs_redirect(e, w, b) ? ECS_STAGE_STOPPED : ECS_STAGE_PASSED;
	case ECS_ACT_RANDOM_DROP:
		return ecs_stage_random(e, w, b);
	case ECS_ACT_RULEBASE:
		return ecs_stage_rulebase(e, w, b);
	case ECS_ACT_TERMINATE_FLOW:
	case ECS_ACT_TERMINATE_SESSION:
		return ecs_stage_terminate(e, w, b);
	case ECS_ACT_NONE:
	case ECS_ACT_READDRESS:
	case ECS_ACT_URL_READDRESS:
	case ECS_ACT__N:
		break;
	}
	return ECS_STAGE_PASSED;
}

enum ecs_stage_did ecs_stage_post(struct ecs_engine *e, struct ecs_way *w,
                                  const struct ecs_charging_action *a)
{
	bool recovered = w->f && ecs_flow_recovered(e, w->f) && !(w->f->flags & ECS_FLOW_F_FRESH);
	uint16_t line = w->post_known ? w->post_line : match(e, w, recovered);
	const struct ecs_line *l = line == ECS_LINE_NONE ? NULL
	                                                 : ecs_service_line(e->conf.service, line);
	enum ecs_stage_did did;

	(void)a;
	if (!l || !l->action)
		return ECS_STAGE_PASSED;
	e->conf.rule_stats[l->stats].hits += w->pkts;
	w->open = w->post_known && w->f->analysis && !w->f->analysis->l7.final;
	w->post = l->action;
	did = enforce(e, w, l->action, recovered);
	if (did != ECS_STAGE_STOPPED)
		w->also |= l->stages & (ECS_STAGE_BIT(XHEADER) | ECS_STAGE_BIT(TOS) |
		                        ECS_STAGE_BIT(NEXTHOP));
	return did;
}

/* lint_eligible: what makes flow recovery do nothing without a word. Who is eligible is found out as for
 * a session: by the bindings of classes, in their order, and by the names of rules in action lines. */
#include "config.h"
#include "ecs/rule/lint_impl.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

/** What is known of all bindings. */
struct reach {
	const struct linter *l;
	bool *covers;  /**< [scheme][rulebase]: a session of the rulebase can be bound to the scheme */
	bool *members; /**< by ruledef: a group has it */
};

static bool *covers_at(const struct reach *x, size_t scheme, size_t rulebase)
{
	return &x->covers[scheme * x->l->s->rulebases.n + rulebase];
}

/* --- classes ---------------------------------------------------------------------------------- */

/** Whether a line can hold for a session of @p rulebase, of whichever APN. */
static bool line_can_hold(const struct subs_line *line, const char *rulebase)
{
	switch (line->field) {
	case ECS_SUBS_ANY:
		return (strcmp(line->value, "TRUE") == 0) == line->equal;
	case ECS_SUBS_RULEBASE:
		return (strcmp(line->value, rulebase) == 0) == line->equal;
	case ECS_SUBS_VAPN: /* sessions here have none */
		return !line->equal;
	case ECS_SUBS_APN:
		break;
	}
	return true;
}

/** Two lines that no APN meets both. */
static bool apns_clash(const struct subs_line *a, const struct subs_line *b)
{
	if (a->field != ECS_SUBS_APN || b->field != ECS_SUBS_APN || (!a->equal && !b->equal))
		return false;
	return (strcasecmp(a->value, b->value) == 0) != (a->equal && b->equal);
}

static bool class_can_hold(const struct subs_class *c, const char *rulebase)
{
	for (size_t i = 0; i < c->n; i++) {
		bool can = line_can_hold(&c->lines[i], rulebase);

		if (c->any && can)
			return true;
		for (size_t k = 0; k < i && can; k++)
			can = !apns_clash(&c->lines[i], &c->lines[k]);
		if (!c->any && !can)
			return false;
	}
	return c->n && !c->any;
}

/** Whether there can be a session that the class holds for: of a rulebase it names, or of another. */
static bool class_holds_once(const struct subs_class *c)
{
	bool can = class_can_hold(c, "");

	for (size_t i = 0; i < c->n && !can; i++)
		can = c->lines[i].field == ECS_SUBS_RULEBASE && class_can_hold(c, c->lines[i].value);
	return can;
}

static bool class_has(const struct subs_class *c, const struct subs_line *line)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->lines[i].field == line->field && c->lines[i].equal == line->equal &&
		    strcasecmp(c->lines[i].value, line->value) == 0)
			return true;
	return false;
}

/** A line that holds for everybody. */
static bool line_always(const struct subs_line *line)
{
	return (line->field == ECS_SUBS_ANY || line->field == ECS_SUBS_VAPN) &&
	       line_can_hold(line, "");
}

/** True where it is plain that @p a holds for whomever @p b holds for. */
static bool class_takes(const struct subs_class *a, const struct subs_class *b)
{
	if (a == b)
		return true;
	for (size_t i = 0; i < a->n; i++) {
		bool has = line_always(&a->lines[i]) ||
		           ((!b->any || b->n == 1) && class_has(b, &a->lines[i]));

		if (has == a->any)
			return a->any;
	}
	return a->n && !a->any;
}

static void class_findings(const struct linter *l, const struct subs_class *c)
{
	if (!c->used)
		WARNING(l, "Subs-class <%s> is not used in any subscriber-base.", c->o.name);
	if (!c->n)
		WARNING(l, "Subs-class <%s> has no lines and holds for no subscriber.", c->o.name);
	else if (!class_holds_once(c))
		WARNING(l, "Subs-class <%s> holds for no subscriber: %s", c->o.name,
		        c->any || c->n == 1 ? "none of its lines can be met."
		                            : "its lines cannot be met together (\"multi-line-or\" "
		                              "makes one of them enough).");
	for (size_t i = 0; i < c->n; i++)
		if (c->lines[i].field == ECS_SUBS_RULEBASE && c->lines[i].equal &&
		    !ecs_obj_find(&l->s->rulebases, c->lines[i].value))
			ERROR(l, "Rulebase <%s> of subs-class <%s> is not configured.",
			      c->lines[i].value, c->o.name);
}

/* --- bindings --------------------------------------------------------------------------------- */

/** The binding before @p b that takes all of its subscribers; NULL: there is none. */
static const struct binding *taken_by(const struct ecs_service *s, const struct binding *b)
{
	for (const struct binding *a = s->bindings; a < b; a++)
		if (class_holds_once(a->cls) && class_takes(a->cls, b->cls))
			return a;
	return NULL;
}

static void binding_findings(const struct reach *x, const struct binding *b)
{
	const struct ecs_service *s = x->l->s;
	const struct binding *a;

	if (!class_holds_once(b->cls))
		return;
	a = taken_by(s, b);
	if (a) {
		WARNING(x->l, "Subs-class <%s> of subscriber-base <%s>, priority %u, is never looked "
		        "at: <%s> of subscriber-base <%s>, priority %u, comes before it and holds "
		        "for all its subscribers.", b->cls->o.name, b->base->o.name, b->priority,
		        a->cls->o.name, a->base->o.name, a->priority);
		return;
	}
	for (size_t i = 0; i < s->rulebases.n; i++)
		if (class_can_hold(b->cls, s->rulebases.v[i]->name))
			*covers_at(x, b->scheme, i) = true;
}

/* --- rules that are eligible ------------------------------------------------------------------ */

static bool eligible_in(const struct reach *x, const struct rulebase *rb, const char *rule)
{
	TABLE_EACH(&x->l->s->schemes, scheme, ss)
		if (*covers_at(x, ss->o.index, rb->o.index) &&
		    ecs_service_eligible(x->l->s, (int)ss->o.index, rule, false, NULL))
			return true;
	return false;
}

/** Whether a TCP packet can match the rule of a line: acknowledgements are TCP. */
static bool takes_tcp(const struct ecs_service *s, const struct action_line *al)
{
	const struct obj *o = ecs_obj_find(al->group ? &s->groups : &s->ruledefs, al->rule);
	uint8_t protos = !o         ? 0
	                 : al->group ? ((const struct group *)(const void *)o)->protos
	                             : ((const struct ruledef *)(const void *)o)->protos;

	return protos & (1u << PROTO_TCP);
}

static void line_findings(const struct reach *x, const struct rulebase *rb, size_t i)
{
	const struct action_line *al = &rb->lines[i];
	const struct ecs_line *line = &x->l->s->lines[rb->first + i];
	const char *what = al->group ? "Group-of-ruledefs" : "Ruledef";

	if (!line->bound || !eligible_in(x, rb, al->rule))
		return;
	if (line->p2p == ECS_P2P_ALL && !ecs_service_keeps(x->l->s, ECS_RECOVER_P2P)) {
		WARNING(x->l, "%s <%s> of rulebase <%s> is on an application that shares files: it is "
		        "not recovered without \"flow-recovery p2p\".", what, al->rule, rb->o.name);
		return;
	}
	if (line->p2p == ECS_P2P_SOME && !ecs_service_keeps(x->l->s, ECS_RECOVER_P2P))
		WARNING(x->l, "%s <%s> of rulebase <%s> matches applications that share files, among "
		        "others: flows of these are not recovered without \"flow-recovery p2p\".", what,
		        al->rule, rb->o.name);
	if (line->l34 || !takes_tcp(x->l->s, al) ||
	    rb->conf.handshaking & (ECS_HS_ALL_PACKETS | ECS_HS_MID_SESSION))
		return;
	WARNING(x->l, "Rule <%s> of rulebase <%s> is eligible for flow recovery and looks at L7, but "
	        "the rulebase has no delay charging%s (\"flow control-handshaking "
	        "charge-to-application %s\").", al->rule, rb->o.name,
	        rb->conf.handshaking ? " of acknowledgements in mid-session" : "",
	        rb->conf.handshaking ? "all-packets\" or \"mid-session-packets" : "all-packets");
}

/* --- conditions ------------------------------------------------------------------------------- */

static bool scheme_uses(const struct scheme *ss, const struct trigger_condition *c)
{
	for (unsigned i = 1; ss->trigger && ss->prio && i <= PRIO_MAX; i++)
		if (ss->prio[i].set && ss->prio[i].recovers && ss->prio[i].c == c)
			return true;
	return false;
}

/** Marks, by the index of the name, rules of action lines of the rulebases that the condition is for: of
 *  every rulebase where it is for none, as the bindings are told of by themselves. */
static void mark_charged(const struct reach *x, const struct trigger_condition *c, bool *charged)
{
	const struct ecs_service *s = x->l->s;
	bool any = false;

	for (unsigned all = 0; all < 2 && !any; all++)
		TABLE_EACH(&s->rulebases, rulebase, rb) {
			bool is = all;

			TABLE_EACH(&s->schemes, scheme, ss)
				is = is || (*covers_at(x, ss->o.index, rb->o.index) && scheme_uses(ss, c));
			any = any || is;
			for (size_t i = 0; is && i < rb->n; i++) {
				int at = ecs_rule_index(s, rb->lines[i].rule);

				if (at >= 0)
					charged[at] = true;
			}
		}
}

static void entry_findings(const struct reach *x, const struct trigger_condition *c,
                           const struct cond_entry *e, const bool *charged)
{
	const struct ecs_service *s = x->l->s;
	size_t hits = 0, members = 0;

	for (size_t k = 0; k < ecs_service_stats_count(s); k++) {
		if (!ecs_cond_entry_hits(e, ecs_service_stats_name(s, k)))
			continue;
		if (charged[k])
			return;
		hits++;
		members += k < s->ruledefs.n && x->members[k];
	}
	if (!hits)
		WARNING(x->l, "Rule-name %s <%s> of trigger-condition <%s> matches no ruledef or "
		        "group-of-ruledefs.%s", ecs_op_text[e->op], e->name, c->o.name,
		        e->op == ECS_OP_EQ ? " It can be a dynamic rule." : "");
	else if (members == hits)
		WARNING(x->l, "Rule-name %s <%s> of trigger-condition <%s> matches only members of "
		        "group-of-ruledefs: the flows of a group are eligible by the name of the "
		        "group.", ecs_op_text[e->op], e->name, c->o.name);
	else if (s->rulebases.n)
		WARNING(x->l, "Rule-name %s <%s> of trigger-condition <%s> matches no rule that an "
		        "action priority names in a rulebase of the subscribers it is bound to.",
		        ecs_op_text[e->op], e->name, c->o.name);
}

static void condition_findings(const struct reach *x, const struct trigger_condition *c, bool *charged)
{
	if (!c->used)
		ERROR(x->l, "Trigger-condition <%s> is not used with a trigger-action that has "
		      "flow-recovery.", c->o.name);
	if (!c->n && !c->has_any)
		WARNING(x->l, "Trigger-condition <%s> has no entries and holds for no rule.", c->o.name);
	if (c->has_any && !ecs_cond_any_holds(c))
		WARNING(x->l, "\"any-match %s %s\" of trigger-condition <%s> holds for no rule.",
		        c->any_equal ? "=" : "!=", c->any_value ? "TRUE" : "FALSE", c->o.name);
	memset(charged, 0, ecs_service_stats_count(x->l->s) * sizeof(*charged));
	mark_charged(x, c, charged);
	for (size_t i = 0; i < c->n; i++)
		entry_findings(x, c, &c->entries[i], charged);
}

static void reach_findings(const struct reach *x, bool *charged)
{
	const struct ecs_service *s = x->l->s;

	for (size_t i = 0; i < s->nbindings; i++)
		binding_findings(x, &s->bindings[i]);
	TABLE_EACH(&s->groups, group, g)
		for (size_t i = 0; i < g->n; i++)
			if (g->members[i].rule)
				x->members[g->members[i].rule->o.index] = true;
	TABLE_EACH(&s->conditions, trigger_condition, c)
		condition_findings(x, c, charged);
	TABLE_EACH(&s->rulebases, rulebase, rb)
		for (size_t i = 0; i < rb->n; i++)
			line_findings(x, rb, i);
}

void ecs_lint_eligible(const struct linter *l)
{
	const struct ecs_service *s = l->s;
	struct reach x = {.l = l};
	bool *charged = calloc(ecs_service_stats_count(s) + 1, sizeof(*charged));

	TABLE_EACH(&s->classes, subs_class, c)
		class_findings(l, c);
	x.covers = calloc(s->schemes.n * s->rulebases.n + 1, sizeof(*x.covers));
	x.members = calloc(s->ruledefs.n + 1, sizeof(*x.members));
	if (charged && x.covers && x.members)
		reach_findings(&x, charged);
	free(charged);
	free(x.covers);
	free(x.members);
}

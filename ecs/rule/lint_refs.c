#include "config.h"
#include "ecs/rule/lint_impl.h"

#include <string.h>

#include "ecs/rule/action_own.h"
#include "ecs/rule/service_impl.h"

/* --- lists of a rulebase ---------------------------------------------------------------------- */

/** A list as it is written in the configuration. */
struct list_kind {
	const char *words;
	enum ecs_application appl;
};

static const char *const application_words[] = {
#define X(sym, text) [ECS_APPL_##sym] = text,
	ECS_APPLICATIONS(X)
#undef X
	[ECS_APPL__N] = "charging",
};

/** The line names a rule of another application: it has no effect. */
static void lint_application(const struct linter *l, const struct rulebase *rb,
                             const struct action_line *al, const struct list_kind *kind)
{
	const struct obj *o =
		ecs_obj_find(al->group ? &l->s->groups : &l->s->ruledefs, al->rule);
	const struct ruledef *r = (const struct ruledef *)(const void *)o;
	const struct group *g = (const struct group *)(const void *)o;
	enum ecs_application appl;

	if (!o)
		return;
	appl = al->group ? g->appl : r->appl;
	if (appl == kind->appl || appl == ECS_APPL__N)
		return;
	ERROR(l, "%s <%s> of rulebase <%s>, %s priority %u, is of application %s, which is not "
	      "allowed there.", al->group ? "Group-of-ruledefs" : "Ruledef", al->rule, rb->o.name,
	      kind->words, al->priority, application_words[appl]);
}

static void lint_names(const struct linter *l, const struct rulebase *rb,
                       const struct action_line *al, const struct list_kind *kind)
{
	if (!ecs_obj_find(al->group ? &l->s->groups : &l->s->ruledefs, al->rule))
		ERROR(l, "%s <%s> of rulebase <%s>, %s priority %u, is not configured.",
		      al->group ? "Group-of-ruledefs" : "Ruledef", al->rule, rb->o.name,
		      kind->words, al->priority);
	if (al->action[0] && !ecs_obj_find(&l->s->actions, al->action))
		ERROR(l, "Charging-action <%s> of rulebase <%s>, %s priority %u, is not configured.",
		      al->action, rb->o.name, kind->words, al->priority);
}

/** Analyzers that this software has. */
static bool is_provided(enum ecs_analyzer a)
{
	return a == ECS_ANALYZER_HTTP || a == ECS_ANALYZER_SECURE_HTTP || a == ECS_ANALYZER_DNS ||
	       a == ECS_ANALYZER_RTSP;
}

static void lint_route(const struct linter *l, const struct rulebase *rb,
                       const struct action_line *al)
{
	if (!is_provided((enum ecs_analyzer)al->analyzer))
		WARNING(l, "Analyzer %s of rulebase <%s>, route priority %u, is not provided: the "
		        "route only keeps flows from other analyzers.",
		        ecs_analyzer_name((enum ecs_analyzer)al->analyzer), rb->o.name,
		        al->priority);
}

void ecs_lint_lists(const struct linter *l)
{
	static const struct list_kind post = {"post-processing", ECS_APPL_POST_PROCESSING},
	                              route = {"route", ECS_APPL_ROUTING};

	TABLE_EACH(&l->s->rulebases, rulebase, rb) {
		for (size_t i = 0; rb->post && i < rb->post->n; i++) {
			lint_names(l, rb, &rb->post->lines[i], &post);
			lint_application(l, rb, &rb->post->lines[i], &post);
		}
		for (size_t i = 0; rb->route && i < rb->route->n; i++) {
			lint_names(l, rb, &rb->route->lines[i], &route);
			lint_application(l, rb, &rb->route->lines[i], &route);
			lint_route(l, rb, &rb->route->lines[i]);
		}
	}
}

/* --- formats of records, packet filters ------------------------------------------------------- */

/** A format that is named by @p what @p name. */
static void need_format(const struct linter *l, enum ecs_record_kind kind, const char *format,
                        const char *what, const char *name)
{
	if (format[0] && !ecs_obj_find(&l->s->records[kind], format))
		ERROR(l, "%s <%s> of %s <%s> is not configured.",
		      kind == ECS_RECORD_EDR ? "Edr-format" : "Udr-format", format, what, name);
}

static void need_pair(const struct linter *l, const struct ecs_edr_pair *p, const char *rulebase)
{
	need_format(l, ECS_RECORD_EDR, p->charging, "rulebase", rulebase);
	need_format(l, ECS_RECORD_EDR, p->reporting, "rulebase", rulebase);
}

static bool in_pair(const struct ecs_edr_pair *p, const char *format)
{
	return strcmp(p->charging, format) == 0 || strcmp(p->reporting, format) == 0;
}

/** Whether anybody names a format. */
static bool is_named(const struct ecs_service *s, enum ecs_record_kind kind, const char *format)
{
	TABLE_EACH(&s->rulebases, rulebase, rb) {
		if (kind == ECS_RECORD_UDR && rb->conf.udr &&
		    strcmp(rb->conf.udr_format, format) == 0)
			return true;
		if (kind == ECS_RECORD_UDR)
			continue;
		if (rb->conf.fdr && strcmp(rb->conf.fdr_format, format) == 0)
			return true;
		if (in_pair(&rb->conf.edr_http, format) || in_pair(&rb->conf.edr_dns, format))
			return true;
		for (unsigned i = 0; i < ECS_FLOW_END__N; i++)
			if (in_pair(&rb->conf.end[i], format))
				return true;
	}
	if (kind == ECS_RECORD_EDR)
		TABLE_EACH(&s->actions, action, a)
			if (strcmp(a->pub.charging_edr, format) == 0 ||
			    strcmp(a->pub.reporting_edr, format) == 0)
				return true;
	return false;
}

static void lint_records(const struct linter *l, enum ecs_record_kind kind, const char *what)
{
	TABLE_EACH(&l->s->records[kind], record_format, r) {
		if (!r->pub.n)
			WARNING(l, "%s <%s> has no fields.", what, r->pub.name);
		if (!is_named(l->s, kind, r->pub.name))
			WARNING(l, "%s <%s> is not used.", what, r->pub.name);
	}
}

static void lint_filters(const struct linter *l)
{
	TABLE_EACH(&l->s->filters, packet_filter, f) {
		bool named = false;

		TABLE_EACH(&l->s->actions, action, a)
			for (size_t i = 0; i < a->pub.ntft; i++)
				named = named || strcmp(a->pub.tft[i], f->pub.name) == 0;
		if (!named)
			WARNING(l, "Packet-filter <%s> is not used in any charging-action.",
			        f->pub.name);
	}
	TABLE_EACH(&l->s->actions, action, a)
		for (size_t i = 0; i < a->pub.ntft; i++)
			if (!ecs_obj_find(&l->s->filters, a->pub.tft[i]))
				ERROR(l, "Packet-filter <%s> of charging-action <%s> is not "
				      "configured.", a->pub.tft[i], a->pub.name);
}

void ecs_lint_formats(const struct linter *l)
{
	TABLE_EACH(&l->s->actions, action, a) {
		need_format(l, ECS_RECORD_EDR, a->pub.charging_edr, "charging-action",
		            a->pub.name);
		need_format(l, ECS_RECORD_EDR, a->pub.reporting_edr, "charging-action",
		            a->pub.name);
	}
	TABLE_EACH(&l->s->rulebases, rulebase, rb) {
		for (unsigned i = 0; i < ECS_FLOW_END__N; i++)
			need_pair(l, &rb->conf.end[i], rb->o.name);
		need_pair(l, &rb->conf.edr_http, rb->o.name);
		need_pair(l, &rb->conf.edr_dns, rb->o.name);
		if (rb->conf.udr)
			need_format(l, ECS_RECORD_UDR, rb->conf.udr_format, "rulebase",
			            rb->o.name);
		if (rb->conf.fdr)
			need_format(l, ECS_RECORD_EDR, rb->conf.fdr_format, "rulebase",
			            rb->o.name);
	}
	lint_records(l, ECS_RECORD_EDR, "Edr-format");
	lint_records(l, ECS_RECORD_UDR, "Udr-format");
	lint_filters(l);
}

/* --- triggers --------------------------------------------------------------------------------- */

struct idle_line {
	const struct linter *l;
	const char *what, *name;
};

static void idle(void *arg, const char *line)
{
	const struct idle_line *x = arg;

	WARNING(x->l, "\"%.120s\" of %s <%s> has no effect.", line, x->what, x->name);
}

void ecs_lint_timeouts(const struct linter *l)
{
#define X(member, words, value, acts)                                                          \
	if (!(acts) && l->s->timeouts.member != ecs_timeouts_default.member)                \
		WARNING(l, "\"idle-timeout " words " %u\" has no effect.", l->s->timeouts.member);
	ECS_TIMEOUTS(X)
#undef X
	TABLE_EACH(&l->s->actions, action, a)
		if (a->pub.idle_mapping != UINT32_MAX)
			WARNING(l, "\"flow idle-timeout flow-mapping %u\" of charging-action <%s> "
			        "has no effect.", a->pub.idle_mapping, a->o.name);
}

/** A rule that no call can have activated. */
static void lint_activated(const struct linter *l, const struct trigger_action *ta)
{
	TABLE_EACH(&l->s->rulebases, rulebase, rb)
		for (size_t i = 0; i < rb->n; i++)
			if (rb->lines[i].kind != ECS_LINE_STATIC &&
			    strcmp(rb->lines[i].rule, ta->conf.predef_rule) == 0)
				return;
	ERROR(l, "Rule <%s> of trigger-action <%s> is in no rulebase as one to be activated.",
	      ta->conf.predef_rule, ta->o.name);
}

void ecs_lint_triggers(const struct linter *l)
{
	TABLE_EACH(&l->s->trigger_actions, trigger_action, ta) {
		struct idle_line x = {l, "trigger-action", ta->o.name};

		struct ecs_trigact_conf conf = ta->conf;

		if (ta->activates) {
			lint_activated(l, ta);
			conf.predef_rule[0] = '\0';
		}
		ecs_trigact_print(&conf, idle, &x);
	}
	TABLE_EACH(&l->s->conditions, trigger_condition, tc) {
		struct idle_line x = {l, "trigger-condition", tc->o.name};
		struct ecs_trigcond_conf c = tc->conf;

		c.any_line = false; /* its lines are a list with it and without */
		ecs_trigcond_print(&c, idle, &x);
	}
	TABLE_EACH(&l->s->schemes, scheme, ss)
		for (unsigned t = 0; t < ECS_TRIGGER__N; t++)
			if (ss->other[t].on && !ss->activates[t])
				WARNING(l, "Trigger %s of service-scheme <%s> has no effect.",
				        ecs_trigger_words((enum ecs_trigger)t), ss->o.name);
}

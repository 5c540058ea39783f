#include "config.h"
#include "ecs/rule/service_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_PRIO_MAX 65535u
#define POSTS_MAX     2048u /* no figure is published: as many as lines of `action priority` */
#define ROUTES_MAX    256u

/** A list of lines of a service: what it is called, how many there may be over all rulebases. */
struct list_kind {
	const char *one, *what;
	size_t max;
};

static const struct list_kind actions_kind = {"action priority", "action priorities", ECS_LINES_MAX};
static const struct list_kind posts_kind = {"post-processing priority", "post-processing priorities", POSTS_MAX};
static const struct list_kind routes_kind = {"route priority", "route priorities", ROUTES_MAX};

static struct action_line *line_by_priority(struct rulebase *rb, uint32_t priority)
{
	for (size_t i = 0; i < rb->n; i++)
		if (rb->lines[i].priority == priority)
			return &rb->lines[i];
	return NULL;
}

static struct action_line *line_by_rule(struct rulebase *rb, bool group, const char *rule)
{
	for (size_t i = 0; i < rb->n; i++)
		if (rb->lines[i].group == group && strcmp(rb->lines[i].rule, rule) == 0)
			return &rb->lines[i];
	return NULL;
}

static void line_remove(size_t *total, struct rulebase *rb, struct action_line *l)
{
	memmove(l, l + 1, (size_t)(rb->lines + rb->n - (l + 1)) * sizeof(*l));
	rb->n--;
	(*total)--;
}

/** Enters a line, in the place of the one that its rule has. */
static int line_add(const struct list_kind *kind, size_t *total, struct rulebase *rb,
                    const struct action_line *line, struct ecs_err *e)
{
	struct action_line *v = rb->lines, *old = line_by_rule(rb, line->group, line->rule);
	size_t i;

	if (old) { /* replaced; its room is kept */
		line_remove(total, rb, old);
	} else {
		if (*total >= kind->max)
			return ecs_refuse(e, SRP_EFULL, "expected at most %zu %s in all rulebases",
					  kind->max, kind->what);
		v = ecs_array_more(v, rb->n, sizeof(*v));
		if (!v)
			return ecs_refuse(e, SRP_ENOMEM, "out of memory");
		rb->lines = v;
	}
	for (i = rb->n; i > 0 && v[i - 1].priority > line->priority; i--)
		v[i] = v[i - 1];
	v[i] = *line;
	rb->n++;
	(*total)++;
	return 0;
}

/** Enters, or with @p no removes, a line of a list; @p list is made at its first line. */
static int list_line(const struct list_kind *kind, size_t *total, struct rulebase **list, bool no,
                     const struct action_line *line, struct ecs_err *e)
{
	struct action_line *l;

	if (!*list)
		*list = calloc(1, sizeof(**list));
	if (!*list)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	l = line_by_priority(*list, line->priority);
	if (no) {
		if (!l || (line->rule[0] && strcmp(l->rule, line->rule) != 0))
			return ecs_refuse(e, SRP_ENOENT, "the rulebase has no such %s", kind->one);
		line_remove(total, *list, l);
		return 0;
	}
	if (l && (l->group != line->group || strcmp(l->rule, line->rule) != 0))
		return ecs_refuse(e, SRP_EDUP, "priority %u is held by %s %s", line->priority,
				  l->group ? "group-of-ruledefs" : "ruledef", l->rule);
	return line_add(kind, total, *list, line, e);
}

static void list_free(struct rulebase *list)
{
	if (!list)
		return;
	free(list->lines);
	free(list->sets);
	free(list);
}

void ecs_rulebase_free_lists(struct rulebase *rb)
{
	list_free(rb->post);
	list_free(rb->route);
}

int ecs_service_rulebase(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	struct rulebase *rb;
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	rb = (struct rulebase *)(void *)ecs_obj_find(&s->rulebases, name);
	if (no && rb) {
		s->nlines -= rb->n;
		s->nposts -= rb->post ? rb->post->n : 0;
		s->nroutes -= rb->route ? rb->route->n : 0;
	}
	rc = ecs_obj_open(&s->rulebases, name, no, e, &o);
	if (rc == 0 && !no && !rb)
		ecs_rulebase_init(&((struct rulebase *)(void *)o)->conf);
	return rc;
}

/* --- lines ------------------------------------------------------------------------------------ */

/** What lines of all lists have: checked and copied. */
static int line_head(struct action_line *to, uint32_t priority, bool no, bool group,
                     const char *rule, const char *description, struct ecs_err *e)
{
	int rc = 0;

	*to = (struct action_line){.priority = (uint16_t)priority, .group = group};
	if (priority < 1 || priority > LINE_PRIO_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a priority from 1 to %u, not %u",
				  LINE_PRIO_MAX, priority);
	if (rule || !no)
		rc = ecs_name_check(rule, group ? "group-of-ruledefs" : "ruledef", e);
	if (rc == 0 && description && !no)
		rc = ecs_text_check(description, "description", ECS_NAME_MAX, e);
	if (rc)
		return rc;
	if (rule)
		ecs_name_copy(to->rule, rule);
	if (description && !no)
		ecs_name_copy(to->description, description);
	return 0;
}

/** A line that has a charging-action. */
static int line_make(struct action_line *to, bool no, const struct ecs_action_line *l,
                     struct ecs_err *e)
{
	int rc = line_head(to, l->priority, no, l->group, l->rule, l->description, e);

	if (rc || no)
		return rc;
	rc = ecs_name_check(l->action, "charging-action", e);
	if (rc)
		return rc;
	if (l->kind >= ECS_LINE_KIND__N || (l->adc && l->kind != ECS_LINE_DYNAMIC_ONLY) ||
	    (l->mute && !l->adc))
		return ecs_refuse(e, SRP_EINVAL, "expected adc with dynamic-only, mute with adc");
	if (l->monitoring_key > ECS_MONITORING_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a monitoring-key from 1 to %u",
				  ECS_MONITORING_MAX);
	if (l->timedef)
		rc = ecs_name_check(l->timedef, "timedef", e);
	if (rc)
		return rc;
	ecs_name_copy(to->timedef, l->timedef ? l->timedef : "");
	ecs_name_copy(to->action, l->action);
	to->kind = (uint8_t)l->kind;
	to->adc = l->adc;
	to->mute = l->mute;
	to->monitoring_key = l->monitoring_key;
	return 0;
}

int ecs_service_rule_action(struct ecs_service *s, const char *rulebase, bool no,
                            const struct ecs_action_line *l, struct ecs_err *e)
{
	struct action_line line;
	struct rulebase *rb;
	int rc = rulebase_edit(s, rulebase, &rb, e);

	if (rc)
		return rc;
	rc = line_make(&line, no, l, e);
	return rc ? rc : list_line(&actions_kind, &s->nlines, &rb, no, &line, e);
}

int ecs_service_action_line(struct ecs_service *s, const char *rulebase, bool no, uint32_t priority,
                            bool group, const char *rule, const char *action, struct ecs_err *e)
{
	const struct ecs_action_line l = {.priority = priority, .group = group, .rule = rule,
	                                  .action = action};

	return ecs_service_rule_action(s, rulebase, no, &l, e);
}

int ecs_service_post_line(struct ecs_service *s, const char *rulebase, bool no,
                          const struct ecs_action_line *l, struct ecs_err *e)
{
	struct action_line line;
	struct rulebase *rb;
	int rc = rulebase_edit(s, rulebase, &rb, e);

	if (rc)
		return rc;
	rc = line_make(&line, no, l, e);
	if (rc == 0 && (line.kind || line.monitoring_key || line.timedef[0]))
		rc = ecs_refuse(e, SRP_EINVAL, "expected a static line without monitoring-key");
	return rc ? rc : list_line(&posts_kind, &s->nposts, &rb->post, no, &line, e);
}

int ecs_service_route_line(struct ecs_service *s, const char *rulebase, bool no,
                           const struct ecs_route_line *l, struct ecs_err *e)
{
	struct action_line line;
	struct rulebase *rb;
	int rc = rulebase_edit(s, rulebase, &rb, e);

	if (rc)
		return rc;
	rc = line_head(&line, l->priority, no, false, l->rule, l->description, e);
	if (rc)
		return rc;
	if (!no && (l->analyzer == ECS_ANALYZER_NONE || l->analyzer >= ECS_ANALYZER__N))
		return ecs_refuse(e, SRP_EINVAL, "expected an analyzer");
	if (l->advanced && l->analyzer != ECS_ANALYZER_SIP)
		return ecs_refuse(e, SRP_EINVAL, "expected advanced with analyzer sip");
	line.analyzer = (uint8_t)l->analyzer;
	line.advanced = l->advanced;
	return list_line(&routes_kind, &s->nroutes, &rb->route, no, &line, e);
}

/* --- commands --------------------------------------------------------------------------------- */

int ecs_service_rulebase_set(struct ecs_service *s, const char *rulebase, enum ecs_form form,
                             const char *const *w, size_t n, struct ecs_err *e)
{
	struct rulebase *rb;
	int rc = rulebase_edit(s, rulebase, &rb, e);

	return rc ? rc : ecs_rulebase_set(&rb->conf, form, w, n, e);
}

int ecs_service_handshaking(struct ecs_service *s, const char *rulebase, unsigned what,
                            struct ecs_err *e)
{
	struct rulebase *rb;
	int rc = rulebase_edit(s, rulebase, &rb, e);

	if (rc)
		return rc;
	if (what & ~ECS_HS_ALL)
		return ecs_refuse(e, SRP_EINVAL,
				  "expected all-packets, initial-packets, "
				  "mid-session-packets or tear-down-packets");
	rb->conf.handshaking = what;
	return 0;
}

unsigned ecs_service_handshaking_of(const struct ecs_service *s, int rulebase)
{
	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return 0;
	return ((const struct rulebase *)(const void *)s->rulebases.v[rulebase])->conf.handshaking;
}

int ecs_service_find_rulebase(const struct ecs_service *s, const char *name)
{
	const struct obj *o = ecs_obj_find(&s->rulebases, name);

	return o ? (int)o->index : -1;
}

const char *ecs_service_rulebase_name(const struct ecs_service *s, int rulebase)
{
	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return NULL;
	return s->rulebases.v[rulebase]->name;
}

/* --- printing --------------------------------------------------------------------------------- */

static const char *const kind_words[] = {
#define X(sym, text) [ECS_LINE_##sym] = text,
	ECS_LINE_KINDS(X)
#undef X
};

static const char *const analyzer_words[] = {
#define X(sym, text) [ECS_ANALYZER_##sym] = text,
	ECS_ANALYZERS(X)
#undef X
};

const char *ecs_analyzer_name(enum ecs_analyzer a)
{
	return a < ECS_ANALYZER__N ? analyzer_words[a] : "";
}

static void print_line(const char *what, const struct action_line *l,
                       void (*put)(void *arg, const char *line), void *arg)
{
	char text[4 * ECS_NAME_MAX + 160], key[40] = "", description[ECS_NAME_MAX + 20] = "";
	char times[ECS_NAME_MAX + 20] = "";

	if (l->monitoring_key)
		snprintf(key, sizeof(key), " monitoring-key %" PRIu32, l->monitoring_key);
	if (l->timedef[0])
		snprintf(times, sizeof(times), "timedef %s ", l->timedef);
	if (l->description[0])
		snprintf(description, sizeof(description), " description \"%s\"",
		         l->description);
	snprintf(text, sizeof(text), "%s priority %u %s%s%s%s%s%s %s%s%s%s%s%s", what, l->priority, times,
	         kind_words[l->kind], l->kind ? " " : "", l->adc ? "adc " : "",
	         l->mute ? "mute " : "", l->group ? "group-of-ruledefs" : "ruledef", l->rule,
	         l->analyzer ? " analyzer " : " charging-action ",
	         l->analyzer ? analyzer_words[l->analyzer] : l->action,
	         l->advanced ? " advanced" : "", key, description);
	put(arg, text);
}

void ecs_rulebase_print_lists(const struct rulebase *rb, void (*put)(void *arg, const char *line),
                              void *arg)
{
	for (size_t i = 0; i < rb->n; i++)
		print_line("action", &rb->lines[i], put, arg);
	for (size_t i = 0; rb->post && i < rb->post->n; i++)
		print_line("post-processing", &rb->post->lines[i], put, arg);
	for (size_t i = 0; rb->route && i < rb->route->n; i++)
		print_line("route", &rb->route->lines[i], put, arg);
}

/* --- reading ---------------------------------------------------------------------------------- */

static const struct rulebase *rulebase_at(const struct ecs_service *s, int rulebase)
{
	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return NULL;
	return (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
}

const struct ecs_rulebase_conf *ecs_service_rulebase_conf(const struct ecs_service *s, int rulebase)
{
	const struct rulebase *rb = rulebase_at(s, rulebase);

	return rb ? &rb->conf : NULL;
}

void ecs_service_rulebase_tell(const struct ecs_service *s, int rulebase, ecs_tell_fn *tell,
                               void *arg)
{
	const struct rulebase *rb = rulebase_at(s, rulebase);

	if (rb)
		ecs_rulebase_tell(&rb->conf, tell, arg);
}

uint16_t ecs_service_first_line(const struct ecs_service *s, int rulebase, size_t *n)
{
	const struct rulebase *rb = rulebase_at(s, rulebase);

	*n = rb ? rb->n : 0;
	return rb ? rb->first : ECS_LINE_NONE;
}

uint64_t ecs_service_rulebase_says(const struct ecs_service *s, int rulebase)
{
	const struct rulebase *rb = rulebase_at(s, rulebase);

	return rb ? rb->says : 0;
}

bool ecs_service_routes(const struct ecs_service *s, int rulebase)
{
	const struct rulebase *rb = rulebase_at(s, rulebase);

	return rb && rb->route && rb->route->n;
}

bool ecs_service_routes_to(const struct ecs_service *s, int rulebase, enum ecs_analyzer a)
{
	const struct rulebase *rb = rulebase_at(s, rulebase);

	for (size_t i = 0; rb && rb->route && i < rb->route->n; i++)
		if (rb->route->lines[i].analyzer == a)
			return true;
	return false;
}

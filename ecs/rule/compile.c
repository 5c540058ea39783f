#include "config.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/app.h"
#include "srp/hash.h"

#define GATE_SHARERS 16 /**< so many candidates cost less than what they are found by */

/* --- protocols that a condition leaves possible ----------------------------------------------- */

enum proto_class ecs_proto_class(uint8_t proto)
{
	switch (proto) {
	case 6:
		return PROTO_TCP;
	case 17:
		return PROTO_UDP;
	case 1:
	case 58:
		return PROTO_ICMP;
	default:
		return PROTO_OTHER;
	}
}

static uint8_t only(enum proto_class p)
{
	return (uint8_t)(1u << p);
}

static uint8_t cond_protos(const struct cond *c)
{
	uint8_t set = 0;

	switch ((enum ecs_field)c->field) {
	case ECS_F_IP_PROTOCOL:
		for (unsigned p = 0; p < 256; p++)
			if ((p >= c->lo && p <= c->hi) != c->neg)
				set |= only(ecs_proto_class((uint8_t)p));
		return set;
	case ECS_F_TCP_ANY:
		return (uint8_t)(c->want ? only(PROTO_TCP) : PROTO_ALL & ~only(PROTO_TCP));
	case ECS_F_UDP_ANY:
		return (uint8_t)(c->want ? only(PROTO_UDP) : PROTO_ALL & ~only(PROTO_UDP));
	case ECS_F_ICMP_ANY:
		return (uint8_t)(c->want ? only(PROTO_ICMP) : PROTO_ALL & ~only(PROTO_ICMP));
	case ECS_F_TCP_SPORT:
	case ECS_F_TCP_DPORT:
	case ECS_F_TCP_EPORT:
	case ECS_F_TCP_STATE:
		return only(PROTO_TCP);
	case ECS_F_UDP_SPORT:
	case ECS_F_UDP_DPORT:
	case ECS_F_UDP_EPORT:
		return only(PROTO_UDP);
	case ECS_F_ICMP_TYPE:
	case ECS_F_ICMP_CODE:
		return only(PROTO_ICMP);
	default:
		return PROTO_ALL;
	}
}

/* --- applications that share files ------------------------------------------------------------ */

static enum ecs_p2p cond_p2p(const struct cond *c)
{
	bool is;

	switch ((enum ecs_field)c->field) {
	case ECS_F_P2P_PROTOCOL:
		return ecs_app_shares_files(c->lo) ? ECS_P2P_ALL : ECS_P2P_NOT;
	case ECS_F_P2P_BEHAVIOR:
		is = c->lo == ECS_BEHAVIOR_P2P;
		return is && !c->neg ? ECS_P2P_ALL : is || !c->neg ? ECS_P2P_NOT : ECS_P2P_SOME;
	case ECS_F_P2P_TRAFFIC: /* other transfers of files have the same */
		is = c->lo == ECS_TRAFFIC_FILE;
		return is != c->neg ? ECS_P2P_SOME : ECS_P2P_NOT;
	default:
		return ECS_P2P_NOT;
	}
}

/** Of what is so much when one of several matches: @p n of them before @p next. */
static enum ecs_p2p either_p2p(enum ecs_p2p was, size_t n, enum ecs_p2p next)
{
	if (n == 0 || was == next)
		return next;
	return ECS_P2P_SOME;
}

static enum ecs_p2p ruledef_p2p(const struct ruledef *r)
{
	enum ecs_p2p p2p = ECS_P2P_NOT;

	for (size_t i = 0; i < r->n; i++) {
		enum ecs_p2p c = cond_p2p(&r->lines[i].c);

		if (r->any)
			p2p = either_p2p(p2p, i, c);
		else if (c > p2p)
			p2p = c;
	}
	return p2p;
}

/* --- ruledefs and groups ---------------------------------------------------------------------- */

/**
 * How well a condition stands for its rule, when it can only be met by a hit in an index: strings
 * tell rules apart best, ports worst. 0: it cannot.
 */
static int gate_rank(const struct cond *c)
{
	switch (ecs_fields[c->field].type) {
	case T_STR:
	case T_KEYSTR:
		if (c->pool)
			return ecs_range_is(c) ? 3 : 0;
		return !c->neg && c->op != ECS_OP_PRESENT && c->op != ECS_OP_NPRESENT ? 6 : 0;
	case T_APP:
		return 5;
	case T_ADDR:
		return ecs_exact_is(c) ? 4 : ecs_range_is(c) ? 3 : 0;
	case T_PORT:
		return ecs_exact_is(c) || ecs_range_is(c) ? 2 : 0;
	case T_CODE:
	case T_ENUM:
		return c->op == ECS_OP_EQ ? 1 : 0;
	default:
		return 0;
	}
}

/** How many ruledefs, all of whose lines must match, have each pattern. */
static uint32_t *sharers_count(const struct ecs_service *s)
{
	uint32_t *n = calloc(s->npatterns + 1, sizeof(*n));

	if (!n)
		return NULL;
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; !r->any && i < r->n; i++)
			if (gate_rank(&r->lines[i].c))
				n[s->sets[r->lines[i].c.column].first + r->lines[i].c.pattern]++;
	return n;
}

/**
 * Whether @p a stands better for its rule than @p b. A pattern that many rules share makes all of them
 * candidates where it hits (as `http host` of rules that differ by URL); how many have a range of their
 * own says nothing, since a value can be in all of them.
 */
static bool gate_better(const struct ecs_service *s, const uint32_t *sharers, const struct cond *a,
                        const struct cond *b)
{
	uint32_t na = sharers[s->sets[a->column].first + a->pattern];
	uint32_t nb = sharers[s->sets[b->column].first + b->pattern];

	na = ecs_range_is(a) ? 1 : na > GATE_SHARERS ? na : 0;
	nb = ecs_range_is(b) ? 1 : nb > GATE_SHARERS ? nb : 0;
	return na != nb ? na < nb : gate_rank(a) > gate_rank(b);
}

static int cost(const struct cond *c)
{
	return ecs_fields[c->field].layer != L_L7 ? 0 : is_string(c->field) ? 2 : 1;
}

static int by_cost(const void *x, const void *y)
{
	return cost(x) - cost(y);
}

/** Copies the conditions of @p r to @p out but for what is never met: of a rule all of whose lines must
 *  match, none then. */
static uint16_t conds_copy(const struct ecs_service *s, const struct ruledef *r, struct cond *out)
{
	uint16_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (!ecs_detect_never(s, &r->lines[i].c))
			out[n++] = r->lines[i].c;
		else if (!r->any)
			return 0;
	}
	return n;
}

/** Copies the conditions of @p r to @p out, cheap ones first, and says what they need. */
static void ruledef_compile(const struct ecs_service *s, const uint32_t *sharers, struct ruledef *r,
                            struct cond *out)
{
	uint64_t gates = 0;
	bool all_gates = true;

	r->conds = out;
	r->gate = NULL;
	r->nconds = conds_copy(s, r, out);
	r->l34 = r->n > 0;
	r->p2p = (uint8_t)ruledef_p2p(r);
	r->protos = r->any || !r->nconds ? 0 : PROTO_ALL;
	for (size_t i = 0; i < r->n; i++)
		if (ecs_fields[r->lines[i].c.field].layer == L_L7)
			r->l34 = false;
	qsort(out, r->nconds, sizeof(*out), by_cost);
	for (size_t i = 0; i < r->nconds; i++) {
		uint8_t p = cond_protos(&out[i]);

		r->protos = (uint8_t)(r->any ? r->protos | p : r->protos & p);
		if (!gate_rank(&out[i])) {
			all_gates = false;
			continue;
		}
		gates |= FIELD_BIT(out[i].field);
		if (!r->gate || gate_better(s, sharers, &out[i], r->gate))
			r->gate = &out[i];
	}
	if (r->any) /* each line can match alone */
		r->gates = all_gates ? gates : 0;
	else
		r->gates = r->gate ? FIELD_BIT(r->gate->field) : 0;
}

static void group_compile(struct ecs_service *s, struct group *g)
{
	bool gated = true, known = false;

	g->l34 = true;
	g->p2p = ECS_P2P_NOT;
	g->appl = g->said;
	g->protos = 0;
	g->gates = 0;
	for (size_t i = 0; i < g->n; i++) {
		struct ruledef *r =
			(struct ruledef *)(void *)ecs_obj_find(&s->ruledefs, g->members[i].name);

		if (r && g->appl == ECS_APPL__N)
			g->appl = r->appl;
		if (r && r->appl != g->appl)
			r = NULL; /* a group is of one application */
		g->members[i].rule = r;
		if (!r)
			continue;
		g->p2p = (uint8_t)either_p2p(g->p2p, known, r->p2p);
		known = r->used = true;
		g->l34 = g->l34 && r->l34;
		g->protos |= r->protos;
		g->gates |= r->gates;
		gated = gated && r->gates;
	}
	g->l34 = g->l34 && known;
	if (!gated)
		g->gates = 0;
}

/** The pattern of an application, a status, a value by name is its number. */
static void numbers_build(struct ecs_service *s)
{
	TABLE_EACH(&s->ruledefs, ruledef, r)
		for (size_t i = 0; i < r->n; i++) {
			struct cond *c = &r->lines[i].c;
			struct patterns *set = &s->sets[c->field];
			enum ecs_type t = ecs_fields[c->field].type;

			if (c->op != ECS_OP_EQ || (t != T_APP && t != T_CODE && t != T_ENUM))
				continue;
			c->pattern = c->lo;
			if (c->lo >= set->n)
				set->n = c->lo + 1u;
		}
}

/** Numbers the patterns of all columns one after the other. */
static size_t patterns_place(struct ecs_service *s)
{
	size_t n = 0;

	for (size_t k = 0; k < s->ncolumns; k++) {
		s->sets[k].first = (uint32_t)n;
		n += s->sets[k].n;
	}
	return n;
}

static int rules_compile(struct ecs_service *s, struct ecs_err *e)
{
	uint32_t *sharers;
	size_t n = 0;
	struct cond *c;
	int rc = ecs_keys_build(s, e);

	if (rc == 0)
		rc = ecs_stringset_build(s, e);
	if (rc)
		return rc;
	numbers_build(s);
	if (ecs_hosts_build(s) || ecs_timedefs_build(s) || ecs_exacts_build(s) || ecs_ranges_build(s))
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	TABLE_EACH(&s->ruledefs, ruledef, r)
		n += r->n;
	s->npatterns = patterns_place(s);
	s->conds = c = calloc(n ? n : 1, sizeof(*c));
	sharers = c ? sharers_count(s) : NULL;
	if (!sharers)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	TABLE_EACH(&s->ruledefs, ruledef, r) {
		r->used = false;
		ruledef_compile(s, sharers, r, c);
		c += r->n;
	}
	free(sharers);
	TABLE_EACH(&s->groups, group, g) {
		g->used = false;
		group_compile(s, g);
	}
	return ecs_digest_rules(s) ? ecs_refuse(e, SRP_ENOMEM, "out of memory") : 0;
}

/* --- action lines ----------------------------------------------------------------------------- */

int ecs_rule_index(const struct ecs_service *s, const char *name)
{
	const struct obj *o = ecs_obj_find(&s->ruledefs, name);

	if (o)
		return (int)o->index;
	o = ecs_obj_find(&s->groups, name);
	return o ? (int)(s->ruledefs.n + o->index) : -1;
}

static void line_compile(struct ecs_service *s, const struct rulebase *rb,
                         const struct action_line *al, struct ecs_line *l,
                         enum ecs_application appl)
{
	struct action *a = (struct action *)(void *)ecs_obj_find(&s->actions, al->action);
	struct timedef *t = (struct timedef *)(void *)ecs_obj_find(&s->timedefs, al->timedef);
	struct ruledef *r = NULL;
	struct group *g = NULL;

	if (al->group)
		g = (struct group *)(void *)ecs_obj_find(&s->groups, al->rule);
	else
		r = (struct ruledef *)(void *)ecs_obj_find(&s->ruledefs, al->rule);
	*l = (struct ecs_line){
		.priority = al->priority,
		.rulebase = (uint16_t)rb->o.index,
		.kind = al->kind,
		.adc = al->adc,
		.mute = al->mute,
		.monitoring_key = al->monitoring_key,
		.group = al->group,
		.rule_name = al->rule,
		.stats = (uint16_t)ecs_service_stats_count(s),
		.action = a ? &a->pub : NULL,
		.action_digest = a ? a->pub.charging_digest : 0,
		.stages = a ? ecs_action_stages(&a->pub) : 0,
		.timedef = t && t->n ? (uint16_t)(t->o.index + 1) : 0,
	};
	if (t)
		t->used = true;
	if ((r && r->appl != appl) || (g && g->appl != appl && g->appl != ECS_APPL__N)) {
		r = NULL; /* of another application: the line has no effect */
		g = NULL;
	}
	l->bound = (a || appl == ECS_APPL_ROUTING) && (r || g);
	l->p2p = r ? r->p2p : g ? g->p2p : ECS_P2P_NOT;
	if (a)
		a->used = true;
	if (r)
		r->used = true;
	if (g)
		g->used = true;
	if (r || g) {
		l->stats = (uint16_t)ecs_rule_index(s, al->rule);
		l->l34 = l->bound && (r ? r->l34 : g->l34);
		l->rule_digest = r ? r->digest : g->digest;
	}
	if (appl == ECS_APPL_CHARGING)
		ecs_limits_compile(s, rb, l);
}

/** Adds what a line matches, when, and where it stands. Known to this process only. */
static uint64_t line_says(const struct ecs_service *s, uint64_t before, const struct ecs_line *l)
{
	const struct timedef *t =
		l->timedef ? (const struct timedef *)(const void *)s->timedefs.v[l->timedef - 1] : NULL;
	const uint64_t v[] = {l->priority, l->kind, l->bound, l->rule_digest, t ? t->digest : 0,
	                      srp_hash64(before, l->rule_name, strlen(l->rule_name))};

	return srp_hash64(before, v, sizeof(v));
}

/** Appends the lines of one list. */
static size_t list_compile(struct ecs_service *s, struct rulebase *list, size_t n,
                           enum ecs_application appl)
{
	list->first = (uint16_t)n;
	list->says = list->conf.first_if_tied;
	list->stages = 0;
	for (size_t i = 0; i < list->n; i++, n++) {
		line_compile(s, list, &list->lines[i], &s->lines[n], appl);
		s->lines[n].post = appl == ECS_APPL_POST_PROCESSING;
		list->says = line_says(s, list->says, &s->lines[n]);
		list->stages |= s->lines[n].bound ? s->lines[n].stages : 0;
	}
	return n;
}

/** Lines of `action priority` of all rulebases, behind them those of the other lists. */
static int lines_compile(struct ecs_service *s, struct ecs_err *e)
{
	size_t n = 0;

	s->lines = calloc(s->nlines + s->nposts + s->nroutes + 1, sizeof(*s->lines));
	if (!s->lines)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	TABLE_EACH(&s->actions, action, a) {
		a->used = false;
		a->pub.index = (uint16_t)a->o.index;
	}
	ecs_limits_name(s);
	TABLE_EACH(&s->rulebases, rulebase, rb)
		n = list_compile(s, rb, n, ECS_APPL_CHARGING);
	TABLE_EACH(&s->rulebases, rulebase, rb) {
		LIST_EACH(rb, list)
			list->o.index = rb->o.index;
		if (rb->post)
			n = list_compile(s, rb->post, n, ECS_APPL_POST_PROCESSING);
		if (rb->route)
			n = list_compile(s, rb->route, n, ECS_APPL_ROUTING);
	}
	ecs_recorded_build(s);
	ecs_idle_build(s);
	return 0;
}

/* --- commit ----------------------------------------------------------------------------------- */

static int check_actions(struct ecs_service *s, struct ecs_err *e)
{
	TABLE_EACH(&s->actions, action, act) {
		struct ecs_charging_action *a = &act->pub;

		if (a->content_id > ID_MAX || a->rating_group > ID_MAX || a->service_id > ID_MAX)
			return ecs_refuse(e, SRP_ERANGE,
					  "charging-action %s: expected ids up to %u", a->name,
					  ID_MAX);
		if (a->idle_timeout < -1 || a->idle_timeout > (int32_t)IDLE_MAX)
			return ecs_refuse(e, SRP_ERANGE,
					  "charging-action %s: expected a flow "
					  "idle-timeout from 0 to %u",
					  a->name, IDLE_MAX);
		if (a->flow_action == ECS_ACT_REDIRECT && !a->redirect_url[0])
			return ecs_refuse(e, SRP_EINVAL, "charging-action %s: expected a URL",
			                  a->name);
		if (a->flow_action == ECS_ACT_DISCARD && !a->discard_up && !a->discard_down)
			a->discard_up = a->discard_down = true;
	}
	return 0;
}

static int check_timeouts(const struct ecs_timeouts *t, struct ecs_err *e)
{
	bool over = t->other > IDLE_MAX;

#define X(member, words, value, acts) over = over || t->member > IDLE_MAX;
	ECS_TIMEOUTS(X)
#undef X
	if (over)
		return ecs_refuse(e, SRP_ERANGE, "expected idle-timeouts from 0 to %u", IDLE_MAX);
	return 0;
}

void ecs_compiled_drop(struct ecs_service *s)
{
	for (size_t k = 0; s->sets && k < s->ncolumns; k++)
		ecs_stringset_free(&s->sets[k]);
	free(s->sets);
	s->sets = NULL;
	ecs_keys_free(s->keys);
	s->keys = NULL;
	ecs_ranges_free(s->ranges);
	s->ranges = NULL;
	free(s->gate_at);
	free(s->gate);
	s->gate_at = NULL;
	s->gate = NULL;
	ecs_hosts_drop(s);
	ecs_timedefs_drop(s);
	TABLE_EACH(&s->rulebases, rulebase, rb)
		LIST_EACH(rb, list) {
			free(list->sets);
			list->sets = NULL;
		}
	TABLE_EACH(&s->schemes, scheme, ss) {
		free(ss->delay);
		free(ss->exact);
		ss->delay = NULL;
		ss->exact = NULL;
	}
	free(s->lines);
	free(s->conds);
	free(s->lines_at);
	free(s->lines_of);
	ecs_exacts_free(s->exacts);
	free(s->bindings);
	s->lines = NULL;
	s->conds = NULL;
	s->lines_at = NULL;
	s->lines_of = NULL;
	s->exacts = NULL;
	s->bindings = NULL;
}

int ecs_service_commit(struct ecs_service *s, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	rc = check_actions(s, e);
	if (rc == 0)
		rc = check_timeouts(&s->timeouts, e);
	if (rc == 0)
		rc = rules_compile(s, e);
	if (rc == 0)
		rc = lines_compile(s, e);
	if (rc == 0 && (ecs_indexes_build(s) || ecs_eligible_build(s) || ecs_digest_service(s)))
		rc = ecs_refuse(e, SRP_ENOMEM, "out of memory");
	if (rc)
		ecs_compiled_drop(s);
	else
		s->frozen = true;
	return rc;
}

int ecs_service_commit_with(struct ecs_service *s, struct ecs_sets sets, struct ecs_err *e)
{
	int rc;

	s->given = sets;
	rc = ecs_service_commit(s, e);
	s->given = (struct ecs_sets){NULL, 0};
	return rc;
}

/* --- what was compiled ------------------------------------------------------------------------ */

size_t ecs_service_lines(const struct ecs_service *s)
{
	return s->nlines;
}

const struct ecs_line *ecs_service_line(const struct ecs_service *s, uint16_t line)
{
	return s->lines && line < s->nlines + s->nposts + s->nroutes ? &s->lines[line] : NULL;
}

uint16_t ecs_service_find_line(const struct ecs_service *s, int rulebase, const char *rule)
{
	const struct rulebase *rb;

	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n || !s->lines)
		return ECS_LINE_NONE;
	rb = (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
	for (size_t i = 0; i < rb->n; i++)
		if (s->lines[rb->first + i].bound && strcmp(rb->lines[i].rule, rule) == 0)
			return (uint16_t)(rb->first + i);
	return ECS_LINE_NONE;
}

size_t ecs_service_stats_count(const struct ecs_service *s)
{
	return s->ruledefs.n + s->groups.n;
}

const char *ecs_service_stats_name(const struct ecs_service *s, size_t i)
{
	if (i < s->ruledefs.n)
		return s->ruledefs.v[i]->name;
	if (i < ecs_service_stats_count(s))
		return s->groups.v[i - s->ruledefs.n]->name;
	return "(no rule)";
}

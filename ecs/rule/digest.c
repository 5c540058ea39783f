#include "config.h"
#include "ecs/rule/action_own.h"
#include "ecs/rule/service_impl.h"

#include <stdlib.h>
#include <string.h>

#include "srp/hash.h"

/* Both chassis must find the same digests: the key is a constant of the format, not a secret. */
#define DIGEST_KEY 0x6963737200000001u

/* --- canonical form --------------------------------------------------------------------------- */

static uint8_t *canon_room(struct canon *c, size_t n)
{
	uint8_t *p;

	if (c->failed)
		return NULL;
	if (n > c->cap - c->n) {
		size_t cap = c->cap ? c->cap * 2 : 256;

		while (cap - c->n < n)
			cap *= 2;
		p = realloc(c->p, cap);
		if (!p) {
			c->failed = true;
			return NULL;
		}
		c->p = p;
		c->cap = cap;
	}
	p = c->p + c->n;
	c->n += n;
	return p;
}

void ecs_canon_u64(struct canon *c, uint64_t v)
{
	uint8_t *p = canon_room(c, 8);

	for (unsigned i = 0; p && i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

void ecs_canon_str(struct canon *c, const char *s, bool fold)
{
	size_t n = strlen(s);
	uint8_t *p;

	ecs_canon_u64(c, n);
	p = canon_room(c, n);
	for (size_t i = 0; p && i < n; i++)
		p[i] = (uint8_t)(fold && s[i] >= 'A' && s[i] <= 'Z' ? s[i] - 'A' + 'a' : s[i]);
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

void ecs_canon_sort(struct canon *c, size_t from)
{
	if (!c->failed && c->n > from)
		qsort(c->p + from, (c->n - from) / 8, 8, by_bytes);
}

uint64_t ecs_canon_digest(struct canon *c)
{
	uint64_t h = srp_hash64(DIGEST_KEY, c->p ? c->p : (const uint8_t *)"", c->n);

	c->n = 0;
	return h ? h : 1;
}

void ecs_canon_free(struct canon *c)
{
	free(c->p);
}

/* --- rules and actions ------------------------------------------------------------------------ */

static uint64_t digest_line(const struct ecs_service *s, struct canon *c, const struct rule_line *l)
{
	bool fold = is_string(l->c.field) && !l->case_sensitive &&
	            l->c.op != ECS_OP_REGEX;

	c->n = 0;
	ecs_canon_str(c, ecs_fields[l->c.field].words, false);
	ecs_canon_str(c, ecs_op_text[l->c.op], false);
	ecs_canon_u64(c, l->case_sensitive);
	ecs_canon_str(c, l->a, fold);
	ecs_canon_str(c, l->b ? l->b : "", fold);
	if (l->key)
		ecs_canon_str(c, l->key, true);
	if (l->c.pool) /* what it holds, not only its name */
		ecs_canon_u64(c, l->c.in ? l->c.in->digest : 0);
	if (ecs_detect_never(s, &l->c))
		ecs_canon_str(c, "never", false);
	return ecs_canon_digest(c);
}

static void digest_ruledef(const struct ecs_service *s, struct ruledef *r, struct canon *c,
                           struct canon *line)
{
	size_t from;

	ecs_canon_str(c, "ruledef", false);
	ecs_canon_u64(c, r->any && r->n > 1);
	if (r->appl != ECS_APPL_CHARGING)
		ecs_canon_u64(c, r->appl);
	from = c->n;
	for (size_t i = 0; i < r->n; i++)
		ecs_canon_u64(c, digest_line(s, line, &r->lines[i]));
	ecs_canon_sort(c, from);
	r->digest = ecs_canon_digest(c);
}

static void digest_group(struct group *g, struct canon *c)
{
	ecs_canon_str(c, "group-of-ruledefs", false);
	for (size_t i = 0; i < g->n; i++) {
		ecs_canon_u64(c, g->members[i].priority);
		ecs_canon_str(c, g->members[i].name, false);
		ecs_canon_u64(c, g->members[i].rule ? g->members[i].rule->digest : 0);
	}
	g->digest = ecs_canon_digest(c);
}

static void put_canon(void *arg, const char *text)
{
	ecs_canon_str(arg, text, false);
}

/* What the lines of the action say; the rating group as it serves. */
static void digest_action(struct ecs_charging_action *a, struct canon *c)
{
	ecs_canon_str(c, "charging-action", false);
	ecs_action_print(a, true, put_canon, c);
	ecs_canon_u64(c, ecs_action_rating_group(a));
	a->charging_digest = ecs_canon_digest(c);
}

int ecs_digest_rules(struct ecs_service *s)
{
	struct canon c = {0}, line = {0};
	bool failed;

	TABLE_EACH(&s->ruledefs, ruledef, r)
		digest_ruledef(s, r, &c, &line);
	TABLE_EACH(&s->groups, group, g)
		digest_group(g, &c);
	TABLE_EACH(&s->actions, action, a)
		digest_action(&a->pub, &c);
	failed = c.failed || line.failed;
	ecs_canon_free(&c);
	ecs_canon_free(&line);
	return failed ? SRP_ENOMEM : 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void canon_rulebase(struct canon *c, const struct rulebase *rb)
{
	ecs_rulebase_print_lists(rb, put_canon, c);
	ecs_rulebase_print(&rb->conf, put_canon, c);
}

static void canon_condition(struct canon *c, const struct trigger_condition *tc, struct canon *sub)
{
	size_t from;

	ecs_canon_u64(c, tc->delay);
	ecs_canon_u64(c, tc->has_any);
	ecs_canon_u64(c, ecs_cond_any_holds(tc));
	from = c->n;
	for (size_t i = 0; i < tc->n; i++) {
		ecs_canon_str(sub, ecs_op_text[tc->entries[i].op], false);
		ecs_canon_str(sub, tc->entries[i].name, false);
		ecs_canon_u64(c, ecs_canon_digest(sub));
	}
	ecs_canon_sort(c, from);
	ecs_trigcond_print(&tc->conf, put_canon, c);
}

static void canon_prios(struct canon *c, const struct scheme_prio *prio)
{
	for (unsigned i = 1; prio && i <= PRIO_MAX; i++) {
		if (!prio[i].set)
			continue;
		ecs_canon_u64(c, i);
		ecs_canon_str(c, prio[i].cond, false);
		ecs_canon_str(c, prio[i].action, false);
	}
}

static void canon_scheme(struct canon *c, const struct scheme *ss)
{
	ecs_canon_u64(c, ss->trigger);
	canon_prios(c, ss->prio);
	for (unsigned t = 0; t < ECS_TRIGGER__N; t++) {
		ecs_canon_u64(c, ss->other[t].on);
		canon_prios(c, ss->other[t].prio);
	}
}

static void canon_class(struct canon *c, const struct subs_class *sc, struct canon *sub)
{
	size_t from;

	ecs_canon_u64(c, sc->any && sc->n > 1);
	from = c->n;
	for (size_t i = 0; i < sc->n; i++) {
		ecs_canon_u64(sub, sc->lines[i].field);
		ecs_canon_u64(sub, sc->lines[i].equal);
		ecs_canon_str(sub, sc->lines[i].value, sc->lines[i].field >= ECS_SUBS_APN);
		ecs_canon_u64(c, ecs_canon_digest(sub));
	}
	ecs_canon_sort(c, from);
}

static void canon_base(struct canon *c, const struct subs_base *sb)
{
	for (unsigned i = 1; sb->prio && i <= PRIO_MAX; i++) {
		if (!sb->prio[i].set)
			continue;
		ecs_canon_u64(c, i);
		ecs_canon_str(c, sb->prio[i].cls, false);
		ecs_canon_str(c, sb->prio[i].scheme, false);
	}
}

static void canon_xheader(struct canon *c, const struct ecs_xformat *x)
{
	for (size_t i = 0; i < x->n; i++) {
		ecs_canon_str(c, x->field[i].name, true);
		ecs_canon_u64(c, x->field[i].value);
		ecs_canon_str(c, x->field[i].text, false);
	}
}

/* One digest per object into `all`, sorted: the order of entry of objects says nothing. */
#define CANON_TABLE(table, type, var, body)                                                        \
	do {                                                                                       \
		size_t from = all->n + 8;                                                          \
		ecs_canon_u64(all, (table)->n);                                                    \
		TABLE_EACH (table, type, var) {                                                    \
			ecs_canon_str(c, var->o.name, false);                                      \
			body;                                                                      \
			ecs_canon_u64(all, ecs_canon_digest(c));                                   \
		}                                                                                  \
		ecs_canon_sort(all, from);                                                         \
	} while (0)

static void canon_rules(const struct ecs_service *s, struct canon *all, struct canon *c)
{
	CANON_TABLE(&s->ruledefs, ruledef, r, ecs_canon_u64(c, r->digest));
	CANON_TABLE(&s->host_pools, pool, p, ecs_canon_u64(c, p->digest));
	CANON_TABLE(&s->port_maps, pool, p, ecs_canon_u64(c, p->digest));
	if (s->imsi_pools.n) {
		ecs_canon_str(all, "imsi-pool", false);
		CANON_TABLE(&s->imsi_pools, pool, p, ecs_canon_u64(c, p->digest));
	}
	if (s->timedefs.n) {
		ecs_canon_str(all, "timedef", false);
		CANON_TABLE(&s->timedefs, timedef, t, {
			ecs_canon_u64(c, t->digest);
			ecs_canon_u64(c, t->n > 0);
		});
	}
	CANON_TABLE(&s->groups, group, g, {
		ecs_canon_u64(c, g->digest);
		if (g->said != ECS_APPL__N)
			ecs_canon_u64(c, g->said);
	});
	CANON_TABLE(&s->rulebases, rulebase, rb, canon_rulebase(c, rb));
	CANON_TABLE(&s->filters, packet_filter, f, ecs_filter_print(&f->pub, put_canon, c));
	for (unsigned i = 0; i < ECS_RECORD_KIND__N; i++)
		CANON_TABLE(&s->records[i], record_format, x,
		            ecs_record_print(&x->pub, put_canon, c));
	if (s->xheaders.n)
		CANON_TABLE(&s->xheaders, xheader, x, canon_xheader(c, &x->pub));
	if (s->cf_policies.n)
		CANON_TABLE(&s->cf_policies, cf_policy, p, ecs_cf_policy_print(&p->pub, put_canon, c));
	if (s->raters.n)
		CANON_TABLE(&s->raters, rater, r, ecs_rater_print(&r->pub, false, put_canon, c));
	if (s->policies.n)
		CANON_TABLE(&s->policies, bandwidth_policy, p, ecs_policy_print(&p->pub, put_canon, c));
	if (s->qos_groups.n) {
		ecs_canon_u64(all, s->policies.n); /* neither is taken for the other */
		CANON_TABLE(&s->qos_groups, qos_group, q, {
			ecs_canon_u64(c, q->o.index); /* a rule of two groups is limited by the first */
			ecs_qos_group_print(&q->pub, put_canon, c);
		});
	}
	CANON_TABLE(&s->actions, action, a, ecs_action_print(&a->pub, false, put_canon, c));
}

static void canon_schemes(const struct ecs_service *s, struct canon *all, struct canon *c,
                          struct canon *sub)
{
	CANON_TABLE(&s->trigger_actions, trigger_action, ta, {
		ecs_canon_u64(c, ta->flow_recovery);
		ecs_trigact_print(&ta->conf, put_canon, c);
	});
	CANON_TABLE(&s->conditions, trigger_condition, tc, canon_condition(c, tc, sub));
	CANON_TABLE(&s->schemes, scheme, ss, canon_scheme(c, ss));
	CANON_TABLE(&s->classes, subs_class, sc, canon_class(c, sc, sub));
	CANON_TABLE(&s->bases, subs_base, sb, canon_base(c, sb));
}

static void canon_recover(const struct ecs_service *s, struct canon *c)
{
	static const struct {
		const char *text;
		bool always;
	} rows[] = {
#define ECS_RECOVER(sym, word, always_, help) {"flow-recovery " word, always_},
#include "ecs/rule/recover.def"
#undef ECS_RECOVER
	};

	for (unsigned i = 0; i < ECS_RECOVER__N; i++)
		if (rows[i].always)
			ecs_canon_u64(c, ecs_service_keeps(s, i));
		else if (ecs_service_keeps(s, i))
			ecs_canon_str(c, rows[i].text, false);
}

static void put_text(struct canon *c, const char *text, bool fold)
{
	struct canon line = {0};

	ecs_canon_str(&line, text, fold);
	c->failed |= line.failed;
	ecs_canon_u64(c, ecs_canon_digest(&line));
	ecs_canon_free(&line);
}

static void put_digest(void *arg, const char *text)
{
	put_text(arg, text, false);
}

/* In any order and case, as requests are compared with them. */
static void canon_agents(const struct ecs_service *s, struct canon *c)
{
	size_t from;

	if (!s->nagents)
		return;
	ecs_canon_u64(c, s->nagents);
	from = c->n;
	for (size_t i = 0; i < s->nagents; i++)
		put_text(c, s->agents[i], true);
	ecs_canon_sort(c, from);
}

/* Lines in any order. */
static void canon_detect(const struct ecs_service *s, struct canon *c)
{
	size_t from = c->n;

	ecs_detect_print(s, put_digest, c);
	ecs_canon_sort(c, from);
}

int ecs_digest_service(struct ecs_service *s)
{
	struct canon all = {0}, c = {0}, sub = {0};
	bool failed;

	ecs_canon_str(&all, s->name, false);
#define X(member, words, value, acts) ecs_canon_u64(&all, s->timeouts.member);
	ECS_TIMEOUTS(X)
#undef X
	ecs_canon_u64(&all, s->timeouts.other);
	ecs_canon_u64(&all, s->flow_chkpt);
	ecs_canon_u64(&all, s->l4_flows);
	canon_agents(s, &all);
	ecs_canon_u64(&all, s->sync_icsr_s);
	ecs_canon_u64(&all, s->sync_sr_s);
	canon_recover(s, &all);
	canon_detect(s, &all);
	canon_rules(s, &all, &c);
	canon_schemes(s, &all, &c, &sub);
	failed = all.failed || c.failed || sub.failed;
	s->digest = ecs_canon_digest(&all);
	ecs_canon_free(&all);
	ecs_canon_free(&c);
	ecs_canon_free(&sub);
	return failed ? SRP_ENOMEM : 0;
}

#include "config.h"
#include "ecs/rule/action_own.h"
#include "ecs/rule/service_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_LEN 640

struct printer {
	void (*put)(void *arg, const char *line);
	void *arg;
	int depth;
};

static void line(const struct printer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void line(const struct printer *p, const char *fmt, ...)
{
	char buf[LINE_MAX_LEN];
	int n = snprintf(buf, sizeof(buf), "%*s", p->depth * 2, "");
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + n, sizeof(buf) - (size_t)n, fmt, ap);
	va_end(ap);
	p->put(p->arg, buf);
}

static void block_open(struct printer *p, const char *what, const char *name)
{
	line(p, "%s %s", what, name);
	p->depth++;
}

static void block_close(struct printer *p)
{
	p->depth--;
	line(p, "#exit");
}

/** A string value as a word of a line: quoted where a reader could take it for something else. */
static const char *word(const char *s, char out[2 * VALUE_MAX + 3])
{
	char *o = out;

	if (!s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:-")])
		return s;
	*o++ = '"';
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			*o++ = '\\';
		*o++ = *s;
	}
	*o++ = '"';
	*o = '\0';
	return out;
}

static void print_rule_line(const struct printer *p, const struct rule_line *l)
{
	char a[2 * VALUE_MAX + 3], words[96];
	const char *op = ecs_op_text[l->c.op];

	snprintf(words, sizeof(words), "%s%s%s", ecs_fields[l->c.field].words, l->key ? " " : "",
	         l->key ? l->key : "");
	if (l->c.pool)
		line(p, "%s %s %s %s", words, op,
		     ecs_pool_word(l->c.field), l->a);
	else if (l->b)
		line(p, "%s %s %s to %s", words, op, l->a, l->b);
	else if (!l->a[0])
		line(p, "%s %s", words, op);
	else
		line(p, "%s%s %s %s", words, l->case_sensitive ? " case-sensitive" : "", op,
		     word(l->a, a));
}

static const char *const appl[] = {
#define X(sym, text) [ECS_APPL_##sym] = text,
	ECS_APPLICATIONS(X)
#undef X
};

static void print_ruledef(struct printer *p, const struct ruledef *r)
{
	block_open(p, "ruledef", r->o.name);
	if (r->appl != ECS_APPL_CHARGING)
		line(p, "rule-application %s", appl[r->appl]);
	for (size_t i = 0; i < r->n; i++)
		print_rule_line(p, &r->lines[i]);
	if (r->any)
		line(p, "multi-line-or all-lines");
	block_close(p);
}

static void print_pool(struct printer *p, const struct pool *o, const char *what, const char *word)
{
	block_open(p, what, o->o.name);
	for (size_t i = 0; i < o->n; i++)
		if (o->lines[i].b)
			line(p, "%s range %s to %s", word, o->lines[i].a, o->lines[i].b);
		else
			line(p, "%s %s", word, o->lines[i].a);
	block_close(p);
}

static void print_group(struct printer *p, const struct group *g)
{
	block_open(p, "group-of-ruledefs", g->o.name);
	if (g->said != ECS_APPL__N)
		line(p, "group-of-ruledefs-application %s", appl[g->said]);
	for (size_t i = 0; i < g->n; i++)
		line(p, "add-ruledef priority %u ruledef %s", g->members[i].priority,
		     g->members[i].name);
	block_close(p);
}

static void put_line(void *arg, const char *text)
{
	line(arg, "%s", text);
}

static void print_action(struct printer *p, const struct ecs_charging_action *a)
{
	block_open(p, "charging-action", a->name);
	ecs_action_print(a, false, put_line, p);
	block_close(p);
}

static void print_rulebase(struct printer *p, const struct rulebase *rb)
{
	block_open(p, "rulebase", rb->o.name);
	ecs_rulebase_print_lists(rb, put_line, p);
	ecs_rulebase_print(&rb->conf, put_line, p);
	block_close(p);
}

static const char *sign(bool equal)
{
	return equal ? "=" : "!=";
}

static void print_condition(struct printer *p, const struct trigger_condition *c)
{
	block_open(p, "trigger-condition", c->o.name);
	if (c->has_any)
		line(p, "any-match %s %s", sign(c->any_equal), c->any_value ? "TRUE" : "FALSE");
	for (size_t i = 0; i < c->n; i++)
		line(p, "rule-name %s %s", ecs_op_text[c->entries[i].op], c->entries[i].name);
	if (c->delay)
		line(p, "delay = %u", c->delay);
	ecs_trigcond_print(&c->conf, put_line, p);
	block_close(p);
}

static void print_trigger(struct printer *p, enum ecs_trigger t, const struct scheme_prio *prio)
{
	block_open(p, "trigger", ecs_trigger_words(t));
	for (unsigned i = 1; prio && i <= PRIO_MAX; i++)
		if (prio[i].set)
			line(p, "priority %u trigger-condition %s trigger-action %s", i,
			     prio[i].cond, prio[i].action);
	block_close(p);
}

static void print_scheme(struct printer *p, const struct scheme *ss)
{
	block_open(p, "service-scheme", ss->o.name);
	if (ss->trigger)
		print_trigger(p, ECS_TRIGGER_FLOW_CREATE, ss->prio);
	for (unsigned t = 0; t < ECS_TRIGGER__N; t++)
		if (ss->other[t].on)
			print_trigger(p, (enum ecs_trigger)t, ss->other[t].prio);
	block_close(p);
}

static void print_class(struct printer *p, const struct subs_class *c)
{
	static const char *const words[] = {
		[ECS_SUBS_ANY] = "any-match",
		[ECS_SUBS_RULEBASE] = "rulebase",
		[ECS_SUBS_APN] = "apn",
		[ECS_SUBS_VAPN] = "v-apn",
	};

	block_open(p, "subs-class", c->o.name);
	for (size_t i = 0; i < c->n; i++)
		line(p, "%s %s %s", words[c->lines[i].field], sign(c->lines[i].equal),
		     c->lines[i].value);
	if (c->any)
		line(p, "multi-line-or all-lines");
	block_close(p);
}

static void print_base(struct printer *p, const struct subs_base *sb)
{
	block_open(p, "subscriber-base", sb->o.name);
	for (unsigned i = 1; sb->prio && i <= PRIO_MAX; i++)
		if (sb->prio[i].set)
			line(p, "priority %u subs-class %s bind service-scheme %s", i,
			     sb->prio[i].cls, sb->prio[i].scheme);
	block_close(p);
}

static void print_own(const struct printer *p, const struct ecs_service *s)
{
	const struct ecs_timeouts *std = &ecs_timeouts_default, *t = &s->timeouts;

#define X(member, words, value, acts)                                                          \
	if (t->member != std->member)                                                       \
		line(p, "idle-timeout " words " %u", t->member);
	ECS_TIMEOUTS(X)
#undef X
	line(p, "system-limit flow-chkpt-per-call %u", s->flow_chkpt);
	if (s->l4_flows)
		line(p, "system-limit l4-flows %u", s->l4_flows);
	for (size_t i = 0; i < s->nagents; i++)
		line(p, "redirect user-agent %s", s->agents[i]);
	if (s->sync_icsr_s)
		line(p, "check-point accounting sync-timer icsr %u", s->sync_icsr_s);
	if (s->sync_sr_s)
		line(p, "check-point accounting sync-timer sr %u", s->sync_sr_s);
	if (!ecs_service_lifetimes_default(s))
		line(p, "flow-kpi lifetime-buckets %u %u %u", s->lifetimes[0], s->lifetimes[1],
		     s->lifetimes[2]);
#define ECS_RECOVER(sym, word, always, help)                                                      \
	if (ecs_service_keeps(s, ECS_RECOVER_##sym))                                           \
		line(p, "flow-recovery " word);
#include "ecs/rule/recover.def"
#undef ECS_RECOVER
}

static void print_records(struct printer *p, const struct obj_table *t, const char *what)
{
	TABLE_EACH(t, record_format, r) {
		block_open(p, what, r->pub.name);
		ecs_record_print(&r->pub, put_line, p);
		block_close(p);
	}
}

static void print_xheader(struct printer *p, const struct ecs_xformat *x)
{
	block_open(p, "xheader-format", x->name);
	for (size_t i = 0; i < x->n; i++) {
		const struct ecs_xfield *f = &x->field[i];

		if (f->value == ECS_XVALUE_CONSTANT)
			line(p, "insert %s %s \"%s\"", f->name, ecs_xvalue_words(f->value), f->text);
		else
			line(p, "insert %s %s", f->name, ecs_xvalue_words(f->value));
	}
	block_close(p);
}

static void print_content(struct printer *p, const struct ecs_service *s)
{
	TABLE_EACH(&s->cf_policies, cf_policy, o) {
		block_open(p, "content-filtering category policy-id", o->o.name);
		ecs_cf_policy_print(&o->pub, put_line, p);
		block_close(p);
	}
	TABLE_EACH(&s->raters, rater, o) {
		block_open(p, "content-filtering server-group", o->o.name);
		ecs_rater_print(&o->pub, true, put_line, p);
		block_close(p);
	}
}

static void print_limits(struct printer *p, const struct ecs_service *s)
{
	TABLE_EACH(&s->policies, bandwidth_policy, x) {
		block_open(p, "bandwidth-policy", x->pub.name);
		ecs_policy_print(&x->pub, put_line, p);
		block_close(p);
	}
	TABLE_EACH(&s->qos_groups, qos_group, g) {
		block_open(p, "qos-group-of-ruledefs", g->pub.name);
		ecs_qos_group_print(&g->pub, put_line, p);
		block_close(p);
	}
}

static void print_trigger_action(struct printer *p, const struct trigger_action *a)
{
	block_open(p, "trigger-action", a->o.name);
	if (a->flow_recovery)
		line(p, "flow-recovery");
	ecs_trigact_print(&a->conf, put_line, p);
	block_close(p);
}

/* What stands between the first and the last line of a block. */
struct inner {
	void (*put)(void *arg, const char *line);
	void *arg;
};

static void put_inner(void *arg, const char *text)
{
	const struct inner *in = arg;

	if (text[0] == ' ')
		in->put(in->arg, text + strspn(text, " "));
}

void ecs_service_print_rule(const struct ecs_service *s, const char *name, bool group,
                            void (*put)(void *arg, const char *line), void *arg)
{
	struct obj *o = ecs_obj_find(group ? &s->groups : &s->ruledefs, name);
	struct inner in = {put, arg};
	struct printer p = {put_inner, &in, 0};

	if (o && group)
		print_group(&p, (const struct group *)(const void *)o);
	else if (o)
		print_ruledef(&p, (struct ruledef *)(void *)o);
}

void ecs_service_print(const struct ecs_service *s, void (*put)(void *arg, const char *line),
                       void *arg)
{
	struct printer p = {.put = put, .arg = arg};

	block_open(&p, "active-charging service", s->name);
	print_own(&p, s);
	ecs_detect_print(s, put_line, &p);
	ecs_dbs_print(s, put_line, &p);
	TABLE_EACH(&s->host_pools, pool, o)
		print_pool(&p, o, "host-pool", "ip");
	TABLE_EACH(&s->port_maps, pool, o)
		print_pool(&p, o, "port-map", "port");
	TABLE_EACH(&s->imsi_pools, pool, o)
		print_pool(&p, o, "imsi-pool", "imsi");
	TABLE_EACH(&s->timedefs, timedef, t) {
		block_open(&p, "timedef", t->o.name);
		ecs_timedef_print(t, put_line, &p);
		block_close(&p);
	}
	TABLE_EACH(&s->ruledefs, ruledef, r)
		print_ruledef(&p, r);
	TABLE_EACH(&s->groups, group, g)
		print_group(&p, g);
	TABLE_EACH(&s->filters, packet_filter, f) {
		block_open(&p, "packet-filter", f->pub.name);
		ecs_filter_print(&f->pub, put_line, &p);
		block_close(&p);
	}
	print_records(&p, &s->records[ECS_RECORD_EDR], "edr-format");
	print_records(&p, &s->records[ECS_RECORD_UDR], "udr-format");
	TABLE_EACH(&s->xheaders, xheader, x)
		print_xheader(&p, &x->pub);
	print_content(&p, s);
	print_limits(&p, s);
	TABLE_EACH(&s->actions, action, a)
		print_action(&p, &a->pub);
	TABLE_EACH(&s->rulebases, rulebase, rb)
		print_rulebase(&p, rb);
	TABLE_EACH(&s->trigger_actions, trigger_action, ta)
		print_trigger_action(&p, ta);
	TABLE_EACH(&s->conditions, trigger_condition, c)
		print_condition(&p, c);
	TABLE_EACH(&s->schemes, scheme, ss)
		print_scheme(&p, ss);
	TABLE_EACH(&s->classes, subs_class, c)
		print_class(&p, c);
	TABLE_EACH(&s->bases, subs_base, sb)
		print_base(&p, sb);
	block_close(&p);
}

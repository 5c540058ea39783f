#include "config.h"
#include "ecs/rule/value.h"

#include <stdlib.h>
#include <string.h>

/* --- lines ------------------------------------------------------------------------------------ */

static struct rule_line *line_find(const struct ruledef *r, const struct value *v)
{
	for (size_t i = 0; i < r->n; i++) {
		struct rule_line *l = &r->lines[i];

		if (l->c.field == v->field && l->c.op == v->op &&
		    l->case_sensitive == v->case_sensitive && strcmp(l->a, v->ta) == 0 &&
		    l->c.pool == v->c.pool && (!v->key || strcasecmp(l->key, v->key) == 0) &&
		    strcmp(l->b ? l->b : "", v->b ? v->tb : "") == 0)
			return l;
	}
	return NULL;
}

static int line_add(struct ruledef *r, const struct value *v, struct ecs_err *e)
{
	struct rule_line *l, *lines;

	if (r->n >= ECS_RULE_LINES)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d lines in a ruledef",
				  ECS_RULE_LINES);
	lines = ecs_array_more(r->lines, r->n, sizeof(*l));
	if (!lines)
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	r->lines = lines;
	l = &lines[r->n];
	*l = (struct rule_line){
		.c = v->c,
		.case_sensitive = v->case_sensitive,
		.key = v->key ? strdup(v->key) : NULL,
		.a = strdup(v->ta),
		.b = v->b ? strdup(v->tb) : NULL,
	};
	if (!l->a || (v->b && !l->b) || (v->key && !l->key)) {
		free(l->key);
		free(l->a);
		free(l->b);
		return ecs_refuse(e, SRP_ENOMEM, "out of memory");
	}
	r->n++;
	return 0;
}

static void line_remove(struct ruledef *r, struct rule_line *l)
{
	free(l->key);
	free(l->a);
	free(l->b);
	memmove(l, l + 1, (size_t)(r->lines + r->n - (l + 1)) * sizeof(*l));
	r->n--;
}

int ecs_service_ruledef(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	if (rc)
		return rc;
	if (!no)
		rc = ecs_name_free(s, &s->ruledefs, name, e);
	return rc ? rc : ecs_obj_open(&s->ruledefs, name, no, e, &o);
}

int ecs_service_rule_line(struct ecs_service *s, const char *ruledef, bool no, enum ecs_field f,
                          bool case_sensitive, enum ecs_op op, const char *a, const char *b,
                          struct ecs_err *e)
{
	const struct ecs_rule_words w = {.field = f, .op = op, .case_sensitive = case_sensitive,
	                                 .a = a, .b = b};

	return ecs_service_rule_put(s, ruledef, no, &w, e);
}

static int check_key(const char *key, struct ecs_err *e)
{
	size_t n = key ? strlen(key) : 1;

	if (n < 1 || n > ECS_KEY_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a name of 1 to %d characters, not %zu",
		                  ECS_KEY_MAX, n);
	for (size_t i = 0; key && i < n; i++)
		if (key[i] <= ' ' || key[i] > '~' || strchr("\"\\&=:?|#", key[i]))
			return ecs_refuse(e, SRP_EINVAL,
			                  "expected a name of printable characters without blank "
			                  "and \" \\ & = : ? | #");
	return 0;
}

int ecs_service_rule_put(struct ecs_service *s, const char *ruledef, bool no,
                         const struct ecs_rule_words *w, struct ecs_err *e)
{
	struct value v = {.field = w->field, .op = w->op, .key = w->key, .a = w->a, .b = w->b,
	                  .case_sensitive = w->case_sensitive, .trusted = s->trusted,
	                  .c = {.pool = w->pool}};
	struct rule_line *l;
	struct ruledef *r;
	int rc = ruledef_edit(s, ruledef, &r, e);

	if (rc)
		return rc;
	if (w->field >= ECS_F__N)
		return ecs_refuse(e, SRP_EINVAL, "expected a field of a ruledef");
	rc = ecs_value_check(&v, e);
	if (rc == 0)
		rc = check_key(w->key, e);
	if (rc == 0)
		rc = ecs_value_read(&v, e);
	if (rc)
		return rc;
	l = line_find(r, &v);
	if (!no)
		return l ? 0 : line_add(r, &v, e);
	if (!l)
		return ecs_refuse(e, SRP_ENOENT, "ruledef %s has no such line", r->o.name);
	line_remove(r, l);
	return 0;
}

int ecs_service_rule_or(struct ecs_service *s, const char *ruledef, bool on, struct ecs_err *e)
{
	struct ruledef *r;
	int rc = ruledef_edit(s, ruledef, &r, e);

	if (rc)
		return rc;
	r->any = on;
	return 0;
}

int ecs_service_rule_application(struct ecs_service *s, const char *ruledef,
                                 enum ecs_application appl, struct ecs_err *e)
{
	size_t routing = 0;
	struct ruledef *r;
	int rc = ruledef_edit(s, ruledef, &r, e);

	if (rc)
		return rc;
	if (appl >= ECS_APPL__N)
		return ecs_refuse(e, SRP_EINVAL, "expected charging, post-processing or routing");
	TABLE_EACH(&s->ruledefs, ruledef, x)
		routing += x->appl == ECS_APPL_ROUTING;
	if (appl == ECS_APPL_ROUTING && r->appl != appl && routing >= ECS_ROUTING_MAX)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d ruledefs of application routing",
		                  ECS_ROUTING_MAX);
	r->appl = appl;
	return 0;
}

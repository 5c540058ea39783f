#include "config.h"
#include "ecs/rule/record.h"

#include <stdio.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

enum attribute_type { NUM, TEXT, TIME };

static const struct {
	const char *words;
	enum attribute_type type;
} attributes[ECS_ATTR__N] = {
#define ECS_ATTRIBUTE(sym, words_, type_, help) [ECS_ATTR_##sym] = {words_, type_},
#define ECS_VARIABLE(sym, words_, help)
#include "ecs/rule/record.def"
#undef ECS_ATTRIBUTE
#undef ECS_VARIABLE
};

static const char *const variables[ECS_VAR__N] = {
#define ECS_ATTRIBUTE(sym, words_, type_, help)
#define ECS_VARIABLE(sym, words_, help) [ECS_VAR_##sym] = words_,
#include "ecs/rule/record.def"
#undef ECS_ATTRIBUTE
#undef ECS_VARIABLE
};

static const char *const time_words[] = {
#define X(sym, text) [ECS_TIME_##sym] = text,
	ECS_TIME_FORMATS(X)
#undef X
};

const char *ecs_attribute_words(enum ecs_attribute a)
{
	return a < ECS_ATTR__N ? attributes[a].words : "";
}

const char *ecs_variable_words(enum ecs_variable v)
{
	return v < ECS_VAR__N ? variables[v] : "";
}

const char *ecs_time_words(enum ecs_time_format t)
{
	return t < ECS_TIME_FORMAT__N ? time_words[t] : "";
}

static bool same_field(const struct ecs_record_field *a, const struct ecs_record_field *b)
{
	return a->what == b->what && a->id == b->id && strcmp(a->label, b->label) == 0;
}

static int check_field(const struct ecs_record_field *f, struct ecs_err *e)
{
	unsigned most = f->what == ECS_RECORD_ATTRIBUTE  ? ECS_ATTR__N
	                : f->what == ECS_RECORD_VARIABLE ? ECS_VAR__N
	                                                 : 1;

	if (f->what > ECS_RECORD_LABEL || f->id >= most || f->time >= ECS_TIME_FORMAT__N)
		return ecs_refuse(e, SRP_EINVAL, "expected a field that a record can hold");
	if (f->what == ECS_RECORD_LABEL)
		return ecs_name_check(f->label, "event-label", e);
	return 0;
}

static int remove_field(struct ecs_record_format *r, const struct ecs_record_field *f,
                        struct ecs_err *e)
{
	for (size_t i = 0; i < r->n; i++)
		if (same_field(&r->field[i], f) &&
		    (!f->priority || r->field[i].priority == f->priority)) {
			memmove(r->field + i, r->field + i + 1,
			        (r->n - i - 1) * sizeof(r->field[0]));
			r->n--;
			return 0;
		}
	return ecs_refuse(e, SRP_ENOENT, "the format has no such field");
}

int ecs_record_field(struct ecs_record_format *r, bool no, const struct ecs_record_field *f,
                     struct ecs_err *e)
{
	size_t i;
	int rc = check_field(f, e);

	if (rc)
		return rc;
	if (no)
		return remove_field(r, f, e);
	if (f->priority < 1)
		return ecs_refuse(e, SRP_ERANGE, "expected a priority from 1 to %u",
		                  ECS_RECORD_PRIO_MAX);
	for (i = 0; i < r->n && r->field[i].priority < f->priority; i++)
		;
	if (i < r->n && r->field[i].priority == f->priority) {
		if (!same_field(&r->field[i], f))
			return ecs_refuse(e, SRP_EDUP, "priority %u is held by another field",
			                  f->priority);
		r->field[i] = *f;
		return 0;
	}
	if (r->n == ECS_RECORD_FIELDS_MAX)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d fields in a format",
		                  ECS_RECORD_FIELDS_MAX);
	memmove(r->field + i + 1, r->field + i, (r->n - i) * sizeof(r->field[0]));
	r->field[i] = *f;
	r->n++;
	return 0;
}

/* --- the objects ------------------------------------------------------------------------------ */

struct ecs_record_format *ecs_service_record(struct ecs_service *s, enum ecs_record_kind kind,
                                             const char *name, bool no, struct ecs_err *e)
{
	struct record_format *r;
	struct obj *o;

	if (e)
		e->text[0] = '\0';
	if (ecs_rule_open(s, e) || ecs_obj_open(&s->records[kind], name, no, e, &o) || !o)
		return NULL;
	r = (struct record_format *)(void *)o;
	r->pub.kind = kind;
	ecs_name_copy(r->pub.name, name);
	return &r->pub;
}

const struct ecs_record_format *ecs_service_find_record(const struct ecs_service *s,
                                                        enum ecs_record_kind kind,
                                                        const char *name)
{
	const struct obj *o = ecs_obj_find(&s->records[kind], name);

	return o ? &((const struct record_format *)(const void *)o)->pub : NULL;
}

static void print_field(const struct ecs_record_field *f,
                        void (*put)(void *arg, const char *line), void *arg)
{
	char line[2 * ECS_NAME_MAX + 96];

	if (f->what == ECS_RECORD_LABEL)
		snprintf(line, sizeof(line), "event-label %s priority %u", f->label, f->priority);
	else if (f->what == ECS_RECORD_VARIABLE)
		snprintf(line, sizeof(line), "rule-variable %s priority %u", variables[f->id],
		         f->priority);
	else if (attributes[f->id].type == TIME)
		snprintf(line, sizeof(line), "attribute %s format %s%s priority %u",
		         attributes[f->id].words, time_words[f->time],
		         f->local ? " localtime" : "", f->priority);
	else
		snprintf(line, sizeof(line), "attribute %s priority %u", attributes[f->id].words,
		         f->priority);
	put(arg, line);
}

void ecs_record_print(const struct ecs_record_format *r, void (*put)(void *arg, const char *line),
                      void *arg)
{
	if (r->tab)
		put(arg, "delimiter tab");
	for (size_t i = 0; i < r->n; i++)
		print_field(&r->field[i], put, arg);
}

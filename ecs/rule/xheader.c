#include "config.h"
#include "ecs/rule/service_impl.h"

#include <string.h>
#include <strings.h>

static const char *const value_words[ECS_XVALUE__N] = {
#define X(sym, text) [ECS_XVALUE_##sym] = text,
	ECS_XVALUES(X)
#undef X
};

const char *ecs_xvalue_words(enum ecs_xvalue v)
{
	return v < ECS_XVALUE__N ? value_words[v] : "?";
}

static struct xheader *find(const struct ecs_service *s, const char *name)
{
	return (struct xheader *)(void *)ecs_obj_find(&s->xheaders, name);
}

int ecs_service_xheader(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	if (rc == 0)
		rc = ecs_obj_open(&s->xheaders, name, no, e, &o);
	if (rc == 0 && o)
		ecs_name_copy(((struct xheader *)(void *)o)->pub.name, name);
	return rc;
}

/* Characters of the name of a header field: tokens of RFC 9110 5.6.2. */
static bool is_token(const char *s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (; *s; s++)
		if (!((*s >= '0' && *s <= '9') || ((*s | 0x20) >= 'a' && (*s | 0x20) <= 'z') ||
		      strchr(others, *s)))
			return false;
	return true;
}

static int check(const char *field, enum ecs_xvalue v, const char *text, struct ecs_err *e)
{
	static const char *const framing[] = {"content-length", "transfer-encoding", "host",
	                                      "connection", "upgrade"};
	size_t n = strlen(field);

	if (n < 1 || n > ECS_NAME_MAX || !is_token(field))
		return ecs_refuse(e, SRP_EINVAL, "expected the name of a header field of 1 to %d "
		                                 "characters", ECS_NAME_MAX);
	for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++)
		if (strcasecmp(field, framing[i]) == 0)
			return ecs_refuse(e, SRP_EINVAL, "expected a field that does not say where "
			                                 "a request ends or goes");
	if (v != ECS_XVALUE_CONSTANT)
		return 0;
	n = text ? strlen(text) : 0;
	if (n < 1 || n > ECS_XHEADER_TEXT_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a text of 1 to %d characters",
		                  ECS_XHEADER_TEXT_MAX);
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e || *text == '"' || *text == '\\')
			return ecs_refuse(e, SRP_EINVAL, "expected a text without quotes and "
			                                 "control characters");
	return 0;
}

int ecs_service_xheader_insert(struct ecs_service *s, const char *format, bool no,
                               const char *field, enum ecs_xvalue v, const char *text,
                               struct ecs_err *e)
{
	struct xheader *x;
	struct ecs_xformat *f;
	size_t i = 0;
	int rc = xheader_edit(s, format, &x, e);

	if (rc)
		return rc;
	f = &x->pub;
	while (i < f->n && strcasecmp(f->field[i].name, field) != 0)
		i++;
	if (no) {
		if (i == f->n)
			return ecs_refuse(e, SRP_ENOENT, "expected a field that is inserted");
		memmove(&f->field[i], &f->field[i + 1], (f->n - i - 1) * sizeof(f->field[0]));
		f->n--;
		return 0;
	}
	rc = check(field, v, text, e);
	if (rc)
		return rc;
	if (i == ECS_XHEADER_FIELDS_MAX)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d fields",
		                  ECS_XHEADER_FIELDS_MAX);
	f->n += i == f->n;
	f->field[i] = (struct ecs_xfield){.value = v};
	memcpy(f->field[i].name, field, strlen(field) + 1);
	if (v == ECS_XVALUE_CONSTANT)
		memcpy(f->field[i].text, text, strlen(text) + 1);
	return 0;
}

const struct ecs_xformat *ecs_service_xformat(const struct ecs_service *s, const char *name)
{
	const struct xheader *x = find(s, name);

	return x ? &x->pub : NULL;
}

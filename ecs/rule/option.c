#include "config.h"
#include "ecs/rule/option.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

/* --- words ------------------------------------------------------------------------------------ */

const char *ecs_words_next(struct ecs_words *w)
{
	if (!w->n)
		return NULL;
	w->n--;
	return *w->w++;
}

bool ecs_words_take(struct ecs_words *w, const char *key)
{
	if (!w->n || strcmp(w->w[0], key) != 0)
		return false;
	ecs_words_next(w);
	return true;
}

int ecs_words_num(struct ecs_words *w, const char *what, uint32_t least, uint32_t most,
                  uint32_t *out, struct ecs_err *e)
{
	const char *t = ecs_words_next(w);
	uint64_t v = 0;
	size_t n = t ? strlen(t) : 0;

	for (size_t i = 0; i < n && v <= UINT32_MAX; i++)
		v = t[i] >= '0' && t[i] <= '9' ? v * 10 + (uint64_t)(t[i] - '0') : UINT64_MAX;
	if (!n || v < least || v > most)
		return ecs_refuse(e, SRP_ERANGE, "expected a %s from %u to %u", what, least, most);
	*out = (uint32_t)v;
	return 0;
}

int ecs_words_name(struct ecs_words *w, const char *what, char out[ECS_NAME_MAX + 1],
                   struct ecs_err *e)
{
	const char *t = ecs_words_next(w);
	int rc = ecs_name_check(t, what, e);

	if (rc == 0)
		ecs_name_copy(out, t);
	return rc;
}

bool ecs_addr_none(const struct ecs_addr *a)
{
	static const struct ecs_addr none;

	return memcmp(a, &none, sizeof(none)) == 0;
}

int ecs_words_addr(struct ecs_words *w, struct ecs_addr *out, struct ecs_err *e)
{
	static const uint8_t any4[4];
	const char *t = ecs_words_next(w);
	struct ecs_addr a;
	bool good;

	memcpy(a.b, v4_mapped, sizeof(v4_mapped));
	good = t && inet_pton(AF_INET, t, a.b + 12) == 1 && memcmp(a.b + 12, any4, 4) != 0;
	if (!good && t && strchr(t, ':'))
		good = inet_pton(AF_INET6, t, a.b) == 1 && !ecs_addr_none(&a) &&
		       memcmp(a.b, v4_mapped, sizeof(v4_mapped)) != 0;
	if (!good)
		return ecs_refuse(e, SRP_EINVAL, "expected an address other than 0.0.0.0 and ::");
	*out = a;
	return 0;
}

int ecs_words_edrs(struct ecs_words *w, char charging[ECS_NAME_MAX + 1],
                   char reporting[ECS_NAME_MAX + 1], struct ecs_err *e)
{
	int rc = 0;

	charging[0] = reporting[0] = '\0';
	while (rc == 0 && w->n) {
		if (ecs_words_take(w, "charging-edr"))
			rc = ecs_words_name(w, "edr-format", charging, e);
		else if (ecs_words_take(w, "reporting-edr"))
			rc = ecs_words_name(w, "edr-format", reporting, e);
		else
			break;
	}
	if (rc == 0 && !charging[0] && !reporting[0])
		rc = ecs_refuse(e, SRP_EINVAL, "expected charging-edr or reporting-edr");
	return rc;
}

int ecs_words_end(const struct ecs_words *w, struct ecs_err *e)
{
	if (w->n)
		return ecs_refuse(e, SRP_EINVAL, "expected end of line, not %.40s", w->w[0]);
	return 0;
}

const char *ecs_addr_word(const struct ecs_addr *a, char buf[48])
{
	bool v4 = memcmp(a->b, v4_mapped, sizeof(v4_mapped)) == 0;

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b, buf, 48))
		buf[0] = '\0';
	return buf;
}

void ecs_edrs_text(const char *charging, const char *reporting, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s%s%s%s", charging[0] ? " charging-edr " : "", charging,
	         reporting[0] ? " reporting-edr " : "", reporting);
}

const char *ecs_enabled_word(bool on)
{
	return on ? "Enabled" : "Disabled";
}

/* --- rows ------------------------------------------------------------------------------------- */

static uint32_t *num_of(const struct ecs_option *o, void *obj)
{
	return (uint32_t *)(void *)((char *)obj + o->at);
}

static bool *flag_of(const struct ecs_option *o, void *obj)
{
	return (bool *)(void *)((char *)obj + o->at);
}

static char *name_of(const struct ecs_option *o, void *obj)
{
	return (char *)obj + o->at;
}

/* Objects that are only read: the same members. */
static const void *member(const struct ecs_option *o, const void *obj)
{
	return (const char *)obj + o->at;
}

/** Takes the keywords of @p o off @p w; false: they are others. */
static bool begins(const struct ecs_option *o, struct ecs_words *w)
{
	const char *p = o->words;

	for (size_t i = 0;; i++) {
		size_t n = strcspn(p, " ");

		if (i == w->n || strlen(w->w[i]) != n || memcmp(w->w[i], p, n) != 0)
			return false;
		if (!p[n]) {
			w->w += i + 1;
			w->n -= i + 1;
			return true;
		}
		p += n + 1;
	}
}

static int run(const struct ecs_option *o, void *obj, enum ecs_form form, struct ecs_words w,
               struct ecs_err *e)
{
	bool set = form == ECS_FORM_SET;
	char name[ECS_NAME_MAX + 1] = "";
	uint32_t v = o->none;
	int rc = 0;

	if (o->type == ECS_OPTION_OWN)
		return o->set(obj, form, w, e);
	if (o->type == ECS_OPTION_NUM && set)
		rc = ecs_words_num(&w, o->words, o->least, o->most, &v, e);
	else if (o->type == ECS_OPTION_NAME && set)
		rc = ecs_words_name(&w, o->words, name, e);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	if (o->type == ECS_OPTION_NUM)
		*num_of(o, obj) = v;
	else if (o->type == ECS_OPTION_FLAG)
		*flag_of(o, obj) = set;
	else
		ecs_name_copy(name_of(o, obj), name);
	return 0;
}

int ecs_options_set(const struct ecs_option *rows, size_t nrows, void *obj, enum ecs_form form,
                    const char *const *w, size_t n, struct ecs_err *e)
{
	for (size_t i = 0; i < nrows; i++) {
		struct ecs_words words = {w, n};

		if (begins(&rows[i], &words))
			return run(&rows[i], obj, form, words, e);
	}
	return ecs_refuse(e, SRP_ENOENT, "expected a command of this mode");
}

void ecs_options_init(const struct ecs_option *rows, size_t nrows, void *obj)
{
	static const struct ecs_words none;

	for (size_t i = 0; i < nrows; i++)
		run(&rows[i], obj, ECS_FORM_DEFAULT, none, NULL);
}

void ecs_options_print(const struct ecs_option *rows, size_t nrows, const void *obj,
                       bool charging_only, ecs_option_put_fn *put, void *arg)
{
	char line[2 * ECS_NAME_MAX + 64];

	for (size_t i = 0; i < nrows; i++) {
		const struct ecs_option *o = &rows[i];

		if (charging_only && !o->charges)
			continue;
		line[0] = '\0';
		if (o->type == ECS_OPTION_OWN)
			o->print(obj, put, arg);
		else if (o->type == ECS_OPTION_NUM && *(const uint32_t *)member(o, obj) != o->none)
			snprintf(line, sizeof(line), "%s %" PRIu32, o->words,
			         *(const uint32_t *)member(o, obj));
		else if (o->type == ECS_OPTION_FLAG && *(const bool *)member(o, obj))
			snprintf(line, sizeof(line), "%s", o->words);
		else if (o->type == ECS_OPTION_NAME && *(const char *)member(o, obj))
			snprintf(line, sizeof(line), "%s %s", o->words,
			         (const char *)member(o, obj));
		if (line[0])
			put(arg, line);
	}
}

void ecs_options_tell(const struct ecs_option *rows, size_t nrows, const void *obj,
                      ecs_tell_fn *tell, void *arg)
{
	char text[16];
	uint32_t v;

	for (size_t i = 0; i < nrows; i++) {
		const struct ecs_option *o = &rows[i];

		if (o->type == ECS_OPTION_OWN) {
			o->tell(obj, tell, arg);
		} else if (o->type == ECS_OPTION_NUM) {
			v = *(const uint32_t *)member(o, obj);
			snprintf(text, sizeof(text), "%" PRIu32, v);
			if (v == o->none && v > o->most)
				tell(arg, 0, o->label, "Not Configured");
			else
				tell(arg, ECS_TELL_NUMBER, o->label, text);
		} else if (o->type == ECS_OPTION_FLAG) {
			tell(arg, 0, o->label, ecs_enabled_word(*(const bool *)member(o, obj)));
		} else {
			tell(arg, 0, o->label, *(const char *)member(o, obj)
			                               ? (const char *)member(o, obj)
			                               : "Not Configured");
		}
	}
}

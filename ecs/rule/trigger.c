#include "config.h"
#include "ecs/rule/trigger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

#define CONTENT_MAX 127u
#define LINE_LEN    320

#define ECS_TRIGACT_FLAG(...)
#define ECS_TRIGACT_NAME(...)
#define ECS_TRIGACT_OWN(sym, ...)                                                             \
	static ecs_option_set_fn trigger_##sym##_set;                                         \
	static ecs_option_print_fn trigger_##sym##_print;
#define ECS_TRIGCOND_FLAG(...)
#define ECS_TRIGCOND_OWN(sym, ...)                                                            \
	static ecs_option_set_fn trigger_##sym##_set;                                         \
	static ecs_option_print_fn trigger_##sym##_print;
#include "ecs/rule/trigger.def"
#undef ECS_TRIGACT_FLAG
#undef ECS_TRIGACT_NAME
#undef ECS_TRIGACT_OWN
#undef ECS_TRIGCOND_FLAG
#undef ECS_TRIGCOND_OWN

static const struct ecs_option action_rows[] = {
#define ECS_TRIGACT_FLAG(sym, member, words_, help)                                               \
	{.words = words_, .type = ECS_OPTION_FLAG, .at = offsetof(struct ecs_trigact_conf, member)},
#define ECS_TRIGACT_NAME(sym, member, words_, help)                                               \
	{.words = words_, .type = ECS_OPTION_NAME, .at = offsetof(struct ecs_trigact_conf, member)},
#define ECS_TRIGACT_OWN(sym, members, words_, pattern, unset, help)                               \
	{.words = words_, .type = ECS_OPTION_OWN, .set = trigger_##sym##_set,                      \
	 .print = trigger_##sym##_print},
#define ECS_TRIGCOND_FLAG(...)
#define ECS_TRIGCOND_OWN(...)
#include "ecs/rule/trigger.def"
#undef ECS_TRIGACT_FLAG
#undef ECS_TRIGACT_NAME
#undef ECS_TRIGACT_OWN
#undef ECS_TRIGCOND_FLAG
#undef ECS_TRIGCOND_OWN
};

static const struct ecs_option condition_rows[] = {
#define ECS_TRIGACT_FLAG(...)
#define ECS_TRIGACT_NAME(...)
#define ECS_TRIGACT_OWN(...)
#define ECS_TRIGCOND_FLAG(sym, member, words_, help)                                              \
	{.words = words_, .type = ECS_OPTION_FLAG,                                                 \
	 .at = offsetof(struct ecs_trigcond_conf, member)},
#define ECS_TRIGCOND_OWN(sym, members, words_, pattern, unset, help)                              \
	{.words = words_, .type = ECS_OPTION_OWN, .set = trigger_##sym##_set,                      \
	 .print = trigger_##sym##_print},
#include "ecs/rule/trigger.def"
#undef ECS_TRIGACT_FLAG
#undef ECS_TRIGACT_NAME
#undef ECS_TRIGACT_OWN
#undef ECS_TRIGCOND_FLAG
#undef ECS_TRIGCOND_OWN
};

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

/* --- methods; charge-request-to-response --------------------------------------------------------------- */

static const char *const methods[] = {"connect", "delete", "get",  "head",
                                      "options", "post",   "put", "trace"};
#define ALL_METHODS ((1u << N(methods)) - 1)

/* The methods that follow; there must be one where @p need. */
static int take_methods(struct ecs_words *w, bool need, unsigned *bits, struct ecs_err *e)
{
	*bits = 0;
	while (w->n) {
		size_t i = 0;

		if (ecs_words_take(w, "all")) {
			*bits |= ALL_METHODS;
			continue;
		}
		while (i < N(methods) && !ecs_words_take(w, methods[i]))
			i++;
		if (i == N(methods))
			return ecs_refuse(e, SRP_EINVAL, "expected a method of HTTP, or all");
		*bits |= 1u << i;
	}
	if (need && !*bits)
		return ecs_refuse(e, SRP_EINVAL, "expected a method of HTTP, or all");
	return 0;
}

/* What is left of methods: without those that were named, or without any. */
static uint16_t less_methods(uint16_t had, unsigned bits)
{
	return (uint16_t)(bits ? had & ~bits : 0);
}

static void put_methods(const char *words, uint16_t bits, ecs_option_put_fn *put, void *arg)
{
	char line[LINE_LEN];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s", words);

	if (bits == ALL_METHODS)
		snprintf(line + n, sizeof(line) - n, " all");
	for (size_t i = 0; i < N(methods) && bits != ALL_METHODS; i++)
		if (bits & 1u << i)
			n += (size_t)snprintf(line + n, sizeof(line) - n, " %s", methods[i]);
	put(arg, line);
}

static int trigger_CHARGE_REQUEST_set(void *obj, enum ecs_form form, struct ecs_words w,
                                      struct ecs_err *e)
{
	struct ecs_trigact_conf *c = obj;
	unsigned bits;
	int rc = take_methods(&w, form == ECS_FORM_SET, &bits, e);

	if (rc)
		return rc;
	c->charge_requests = form == ECS_FORM_SET ? (uint16_t)(c->charge_requests | bits)
	                                          : less_methods(c->charge_requests, bits);
	return 0;
}

static void trigger_CHARGE_REQUEST_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_trigact_conf *c = obj;

	if (c->charge_requests)
		put_methods("charge-request-to-response http", c->charge_requests, put, arg);
}

/* --- transactional-rule-matching -------------------------------------------------------------- */

static int trigger_TRANSACTIONAL_set(void *obj, enum ecs_form form, struct ecs_words w,
                                     struct ecs_err *e)
{
	struct ecs_trigact_conf *c = obj;
	bool response = ecs_words_take(&w, "response");
	unsigned bits = 0;
	int rc = 0;

	if (response && !ecs_words_take(&w, "http"))
		return ecs_refuse(e, SRP_EINVAL, "expected http");
	rc = response ? take_methods(&w, form == ECS_FORM_SET, &bits, e) : ecs_words_end(&w, e);
	if (rc)
		return rc;
	if (form == ECS_FORM_SET)
		c->transactions = (uint16_t)(c->transactions | bits);
	else
		c->transactions = less_methods(c->transactions, bits);
	c->transactional = form == ECS_FORM_SET || c->transactions;
	return 0;
}

static void trigger_TRANSACTIONAL_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_trigact_conf *c = obj;

	if (c->transactions)
		put_methods("transactional-rule-matching response http", c->transactions, put, arg);
	else if (c->transactional)
		put(arg, "transactional-rule-matching");
}

/* --- step-up, step-down: what is said behind them is kept as it is ------------------------------------- */

static int take_step(char line[ECS_STEP_LINE], const char *key, enum ecs_form form,
                     struct ecs_words w, struct ecs_err *e)
{
	char text[ECS_STEP_LINE], name[ECS_NAME_MAX + 1];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", form == ECS_FORM_SET ? key : "");
	int rc = 0;

	for (unsigned i = 0; i < 3 && rc == 0 && w.n && form == ECS_FORM_SET; i++) {
		rc = ecs_words_name(&w, "word", name, e);
		if (rc == 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", name);
	}
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		memcpy(line, text, n + 1);
	return rc;
}

static void print_step(const char *line, ecs_option_put_fn *put, void *arg)
{
	if (line[0])
		put(arg, line);
}

static int trigger_STEP_DOWN_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	return take_step(((struct ecs_trigact_conf *)obj)->step_down, "step-down", form, w, e);
}

static void trigger_STEP_DOWN_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	print_step(((const struct ecs_trigact_conf *)obj)->step_down, put, arg);
}

static int trigger_STEP_UP_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	return take_step(((struct ecs_trigact_conf *)obj)->step_up, "step-up", form, w, e);
}

static void trigger_STEP_UP_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	print_step(((const struct ecs_trigact_conf *)obj)->step_up, put, arg);
}

/* --- content-type, local-policy-rule ---------------------------------------------------------- */

static int trigger_CONTENT_TYPE_set(void *obj, enum ecs_form form, struct ecs_words w,
                                    struct ecs_err *e)
{
	struct ecs_trigcond_conf *c = obj;
	unsigned op = ECS_OP_EQ;
	const char *text;
	size_t n;

	if (form != ECS_FORM_SET) {
		c->content_op = 0;
		memset(c->content_type, 0, sizeof(c->content_type));
		return ecs_words_end(&w, e);
	}
	while (op <= ECS_OP_NENDS && !ecs_words_take(&w, ecs_op_text[op]))
		op++;
	text = ecs_words_next(&w);
	n = text ? strlen(text) : 0;
	if (op > ECS_OP_NENDS || op == ECS_OP_LE || op == ECS_OP_GE || n < 1 || n > CONTENT_MAX ||
	    w.n)
		return ecs_refuse(e, SRP_EINVAL, "expected an operator and text of 1 to %u "
		                  "characters", CONTENT_MAX);
	c->content_op = (uint8_t)op;
	memset(c->content_type, 0, sizeof(c->content_type));
	memcpy(c->content_type, text, n);
	return 0;
}

static void trigger_CONTENT_TYPE_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_trigcond_conf *c = obj;
	char line[LINE_LEN], quoted[2 * CONTENT_MAX + 1], *q = quoted;

	if (!c->content_type[0])
		return;
	for (const char *p = c->content_type; *p; p++) {
		if (*p == '"' || *p == '\\')
			*q++ = '\\';
		*q++ = *p;
	}
	*q = '\0';
	snprintf(line, sizeof(line), "content-type %s \"%s\"", ecs_op_text[c->content_op], quoted);
	put(arg, line);
}

static int trigger_LOCAL_POLICY_set(void *obj, enum ecs_form form, struct ecs_words w,
                                    struct ecs_err *e)
{
	struct ecs_trigcond_conf *c = obj;
	char name[ECS_NAME_MAX + 1] = "";
	int rc = 0;

	if (ecs_words_take(&w, "="))
		rc = ecs_words_name(&w, "rule", name, e);
	else if (form == ECS_FORM_SET)
		rc = ecs_refuse(e, SRP_EINVAL, "expected =");
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	if (form != ECS_FORM_SET && name[0] && strcmp(name, c->local_policy_rule) != 0)
		return ecs_refuse(e, SRP_ENOENT, "the condition has no such local-policy-rule");
	ecs_name_copy(c->local_policy_rule, form == ECS_FORM_SET ? name : "");
	return 0;
}

static void trigger_LOCAL_POLICY_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_trigcond_conf *c = obj;
	char line[LINE_LEN];

	if (!c->local_policy_rule[0])
		return;
	snprintf(line, sizeof(line), "local-policy-rule = %s", c->local_policy_rule);
	put(arg, line);
}

/* --- public ----------------------------------------------------------------------------------- */

int ecs_service_trigger_action_set(struct ecs_service *s, const char *name, enum ecs_form form,
                                   const char *const *w, size_t n, struct ecs_err *e)
{
	struct trigger_action *a;
	int rc = trigger_action_edit(s, name, &a, e);

	return rc ? rc : ecs_options_set(action_rows, N(action_rows), &a->conf, form, w, n, e);
}

int ecs_service_condition_set(struct ecs_service *s, const char *name, enum ecs_form form,
                              const char *const *w, size_t n, struct ecs_err *e)
{
	struct trigger_condition *c;
	int rc = trigger_condition_edit(s, name, &c, e);

	return rc ? rc : ecs_options_set(condition_rows, N(condition_rows), &c->conf, form, w, n, e);
}

void ecs_trigact_print(const struct ecs_trigact_conf *c, ecs_option_put_fn *put, void *arg)
{
	ecs_options_print(action_rows, N(action_rows), c, false, put, arg);
}

void ecs_trigcond_print(const struct ecs_trigcond_conf *c, ecs_option_put_fn *put, void *arg)
{
	ecs_options_print(condition_rows, N(condition_rows), c, false, put, arg);
}

const char *ecs_trigger_words(enum ecs_trigger t)
{
	static const char *const words[] = {
#define X(sym, text) [ECS_TRIGGER_##sym] = text,
		ECS_TRIGGERS(X)
#undef X
	};

	return t < ECS_TRIGGER__N ? words[t] : "";
}

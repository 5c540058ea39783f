#include "config.h"
#include "ecs/rule/option.h"

#include <string.h>

#include "ecs/rule/action_own.h"
#include "ecs/rule/service_impl.h"

#define WORDS_MAX 32

static const struct ecs_option rows[] = {
#define ECS_ACTION_NUM(sym, member, words_, least_, most_, none_, charges_, label_, help)         \
	{.words = words_, .type = ECS_OPTION_NUM, .charges = charges_,                             \
	 .at = offsetof(struct ecs_charging_action, member), .least = least_, .most = most_,       \
	 .none = none_, .label = label_},
#define ECS_ACTION_FLAG(sym, member, words_, charges_, label_, help)                              \
	{.words = words_, .type = ECS_OPTION_FLAG, .charges = charges_,                            \
	 .at = offsetof(struct ecs_charging_action, member), .label = label_},
#define ECS_ACTION_NAME(sym, member, words_, charges_, label_, help)                              \
	{.words = words_, .type = ECS_OPTION_NAME, .charges = charges_,                            \
	 .at = offsetof(struct ecs_charging_action, member), .label = label_},
#define ECS_ACTION_OWN(sym, members, words_, pattern, unset, charges_, help)                      \
	{.words = words_, .type = ECS_OPTION_OWN, .charges = charges_, .set = own_##sym##_set,     \
	 .print = own_##sym##_print, .tell = own_##sym##_tell},
#include "ecs/rule/action.def"
#undef ECS_ACTION_NUM
#undef ECS_ACTION_FLAG
#undef ECS_ACTION_NAME
#undef ECS_ACTION_OWN
};

#define NROWS      (sizeof(rows) / sizeof(rows[0]))
#define FIRST_ROWS 2u /**< content-id and service-identifier: the records are told behind them */
#define CREDIT_ROWS 2u /**< then credit control and flow-mapping, told behind: */
#define LIMIT_ROWS  2u /**< idle-timeout and limits, which follow the records in the field */

struct ecs_charging_action *ecs_service_charging_action(struct ecs_service *s, const char *name,
                                                        bool no, struct ecs_err *e)
{
	struct action *a;
	struct obj *o;

	if (e)
		e->text[0] = '\0';
	if (ecs_rule_open(s, e) || ecs_obj_open(&s->actions, name, no, e, &o) || !o)
		return NULL;
	a = (struct action *)(void *)o;
	if (!a->pub.name[0]) {
		ecs_options_init(rows, NROWS, &a->pub);
		ecs_name_copy(a->pub.name, name);
	}
	return &a->pub;
}

int ecs_charging_action_set(struct ecs_charging_action *a, enum ecs_form form,
                            const char *const *w, size_t n, struct ecs_err *e)
{
	return ecs_options_set(rows, NROWS, a, form, w, n, e);
}

int ecs_charging_action_line(struct ecs_charging_action *a, const char *line, struct ecs_err *e)
{
	char store[ECS_URL_MAX + 256];
	const char *w[WORDS_MAX];
	enum ecs_form form = ECS_FORM_SET;
	size_t n = 0, first = 0, len = strlen(line);

	if (len >= sizeof(store))
		return ecs_refuse(e, SRP_ERANGE, "expected a line of less than %zu characters",
		                  sizeof(store));
	memcpy(store, line, len + 1);
	for (char *p = store, *next; p && n < WORDS_MAX; p = next) {
		next = strchr(p, ' ');
		if (next)
			*next++ = '\0';
		w[n++] = p;
	}
	if (strcmp(w[0], "no") == 0 || strcmp(w[0], "default") == 0) {
		form = w[0][0] == 'n' ? ECS_FORM_NO : ECS_FORM_DEFAULT;
		first = 1;
	}
	return ecs_charging_action_set(a, form, w + first, n - first, e);
}

/** Which records its flows have a part in; labels end in one column. */
static void tell_records(const struct ecs_charging_action *a, ecs_tell_fn *tell, void *arg)
{
	tell(arg, 0, "EDRs", ecs_enabled_word(a->charging_edr[0] || a->reporting_edr[0]));
	tell(arg, 0, "EGCDRs", ecs_enabled_word(false));
	tell(arg, 0, "    Rf", ecs_enabled_word(false));
	tell(arg, 0, "  UDRs", ecs_enabled_word(!a->exclude_udrs));
}

void ecs_charging_action_tell(const struct ecs_charging_action *a, ecs_tell_fn *tell, void *arg)
{
	const size_t rest = FIRST_ROWS + CREDIT_ROWS + LIMIT_ROWS;

	ecs_options_tell(rows, FIRST_ROWS, a, tell, arg);
	tell_records(a, tell, arg);
	ecs_options_tell(rows + FIRST_ROWS + CREDIT_ROWS, LIMIT_ROWS, a, tell, arg);
	ecs_options_tell(rows + FIRST_ROWS, CREDIT_ROWS, a, tell, arg);
	ecs_options_tell(rows + rest, NROWS - rest, a, tell, arg);
}

void ecs_action_print(const struct ecs_charging_action *a, bool charging_only,
                      ecs_option_put_fn *put, void *arg)
{
	ecs_options_print(rows, NROWS, a, charging_only, put, arg);
}

size_t ecs_service_actions(const struct ecs_service *s)
{
	return s->actions.n;
}

const struct ecs_charging_action *ecs_service_action(const struct ecs_service *s, size_t i)
{
	if (i >= s->actions.n)
		return NULL;
	return &((const struct action *)(const void *)s->actions.v[i])->pub;
}

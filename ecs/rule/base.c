/* base: the commands of a rulebase that are no lists, as the table that rulebase.def makes of them. */
#include "config.h"
#include "ecs/rule/base_own.h"

#include "ecs/rule/service_impl.h"

static const struct ecs_option rows[] = {
#define ECS_BASE_NUM(sym, member, words_, least_, most_, none_, label_, help)                     \
	{.words = words_, .type = ECS_OPTION_NUM,                                                  \
	 .at = offsetof(struct ecs_rulebase_conf, member), .least = least_, .most = most_,         \
	 .none = none_, .label = label_},
#define ECS_BASE_FLAG(sym, member, words_, label_, help)                                          \
	{.words = words_, .type = ECS_OPTION_FLAG,                                                 \
	 .at = offsetof(struct ecs_rulebase_conf, member), .label = label_},
#define ECS_BASE_OWN(sym, members, words_, pattern, unset, help)                                  \
	{.words = words_, .type = ECS_OPTION_OWN, .set = base_##sym##_set,                         \
	 .print = base_##sym##_print, .tell = base_##sym##_tell},
#include "ecs/rule/rulebase.def"
#undef ECS_BASE_NUM
#undef ECS_BASE_FLAG
#undef ECS_BASE_OWN
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

void ecs_rulebase_init(struct ecs_rulebase_conf *c)
{
	ecs_options_init(rows, NROWS, c);
}

int ecs_rulebase_set(struct ecs_rulebase_conf *c, enum ecs_form form, const char *const *w,
                     size_t n, struct ecs_err *e)
{
	return ecs_options_set(rows, NROWS, c, form, w, n, e);
}

void ecs_rulebase_print(const struct ecs_rulebase_conf *c, void (*put)(void *arg, const char *line),
                        void *arg)
{
	ecs_options_print(rows, NROWS, c, false, put, arg);
}

void ecs_rulebase_tell(const struct ecs_rulebase_conf *c, ecs_tell_fn *tell, void *arg)
{
	ecs_options_tell(rows, NROWS, c, tell, arg);
}

#include <config.h>
#include "chassis/cli/config_impl.h"

static const struct chassis_row rows[] = {
#define CHASSIS_CLI_CONFIG(mode, pattern, fn, arg, enter, help) \
	{CHASSIS_CLI_##mode, pattern, CHASSIS_CLI_##enter, help},
#include "chassis/cli/config.def"
#undef CHASSIS_CLI_CONFIG
};

static const struct {
	cfg_fn *fn;
	size_t arg;
} handlers[] = {
#define CHASSIS_CLI_CONFIG(mode, pattern, fn, arg, enter, help) {cfg_##fn, arg},
#include "chassis/cli/config.def"
#undef CHASSIS_CLI_CONFIG
};

const struct chassis_row *cfg_rows(size_t *n)
{
	*n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

bool cfg_row_refused(size_t row)
{
	return handlers[row].fn == cfg_not_provided;
}

int cfg_run(struct cfg *c, size_t row, const struct chassis_match *m)
{
	return handlers[row].fn(c, m, handlers[row].arg);
}

/* config_refused: commands that are known and not provided. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include "srp/err.h"

static const struct {
	const char *what, *why;
} rows[] = {
#define CHASSIS_CLI_REFUSED(sym, mode, pattern, enter, what, why) [CFG_REFUSED_##sym] = {what, why},
#include "chassis/cli/refused.def"
#undef CHASSIS_CLI_REFUSED
};

int cfg_not_provided(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	/* there is nothing to take back */
	if (chassis_match_has(m, "no") || chassis_match_has(m, "default"))
		return SRP_OK;
	return cfg_refuse(c, NULL, "expected another command: %s is not provided: %s",
	                  rows[arg].what, rows[arg].why);
}

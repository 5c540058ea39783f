#include <config.h>
#include "chassis/cli/exec.h"

const struct chassis_row chassis_exec_rows[CHASSIS_EXEC__N] = {
#define CHASSIS_CLI_EXEC(sym, pattern_, where, help_) \
	[CHASSIS_EXEC_##sym] = {.pattern = pattern_, .help = help_},
#include "chassis/cli/exec.def"
#undef CHASSIS_CLI_EXEC
};

static const enum chassis_exec_where wheres[CHASSIS_EXEC__N] = {
#define CHASSIS_CLI_EXEC(sym, pattern, where, help) [CHASSIS_EXEC_##sym] = CHASSIS_EXEC_##where,
#include "chassis/cli/exec.def"
#undef CHASSIS_CLI_EXEC
};

enum chassis_exec_where chassis_exec_where(size_t row)
{
	return row < CHASSIS_EXEC__N ? wheres[row] : CHASSIS_EXEC_SCT;
}

struct chassis_grammar *chassis_exec_grammar(char *why, size_t cap)
{
	return chassis_grammar_new(chassis_exec_rows, CHASSIS_EXEC__N, 1, why, cap);
}

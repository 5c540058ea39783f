/* exec: the operator's commands: one table for the daemon, the shell, help and the manual. */
#ifndef CHASSIS_CLI_EXEC_H
#define CHASSIS_CLI_EXEC_H

#include "chassis/cli/grammar.h"

#define CHASSIS_CLI_EXEC(sym, pattern, where, help) CHASSIS_EXEC_##sym,
enum chassis_exec {
#include "chassis/cli/exec.def"
	CHASSIS_EXEC__N
};
#undef CHASSIS_CLI_EXEC

/** Who answers a command. */
enum chassis_exec_where {
	CHASSIS_EXEC_SCT,
	CHASSIS_EXEC_ASK,
	CHASSIS_EXEC_SURE,
	CHASSIS_EXEC_FILE,
	CHASSIS_EXEC_SHELL
};

/** The table; row i is command i. All rows are of mode 0. */
extern const struct chassis_row chassis_exec_rows[CHASSIS_EXEC__N];
enum chassis_exec_where chassis_exec_where(size_t row);
/** The compiled table; NULL with @p why. */
struct chassis_grammar *chassis_exec_grammar(char *why, size_t cap);

#endif

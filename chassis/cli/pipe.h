/* pipe: what stands behind a command: `| grep`, `| more`, `| json`. Works on the shell's side: a
 * costly expression costs its operator alone. */
#ifndef CHASSIS_CLI_PIPE_H
#define CHASSIS_CLI_PIPE_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "chassis/cli/grammar.h"

#define CHASSIS_PIPE_GREPS 4

struct chassis_pipe {
	size_t command;   /**< length of the command before the first bar */
	bool json, more;
	struct {
		regex_t re;
		bool invert;
	} grep[CHASSIS_PIPE_GREPS];
	size_t ngrep;
};

/**
 * Takes a line apart at its bars; those in quotes are not.
 * @return 0, or SRP_EINVAL with @p e; then there is nothing to free
 */
int chassis_pipe_parse(struct chassis_pipe *p, const char *line, struct chassis_cli_err *e);
/** True when a line of output passes all filters. */
bool chassis_pipe_passes(const struct chassis_pipe *p, const char *line);
void chassis_pipe_free(struct chassis_pipe *p);

#endif

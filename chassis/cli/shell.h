/* shell: the operator's side: lines go to the daemon, its answer through filters to the screen. */
#ifndef CHASSIS_CLI_SHELL_H
#define CHASSIS_CLI_SHELL_H

#include <stdbool.h>
#include <stdio.h>

struct chassis_shell;

/**
 * Connects to the daemon.
 *
 * @param path  of its socket
 * @param in    lines are read from here when one is asked whether one is sure; @p out: answers
 * @param why   receives what is wrong (cap bytes) when NULL is returned
 */
struct chassis_shell *chassis_shell_new(const char *path, FILE *in, FILE *out, bool interactive,
                                        char *why, size_t cap);
void chassis_shell_free(struct chassis_shell *s);

/** What becomes of the shell after a line. */
enum chassis_shell_result {
	CHASSIS_SHELL_OK,
	CHASSIS_SHELL_FAILED, /**< the answer was a failure */
	CHASSIS_SHELL_EXIT,   /**< the line was `exit` */
	CHASSIS_SHELL_LOST    /**< the daemon is gone */
};
/** Runs one line, which may end with `?` for help. */
enum chassis_shell_result chassis_shell_run(struct chassis_shell *s, const char *line);
/** There are no more lines: leaves configuration mode as `end` does. */
enum chassis_shell_result chassis_shell_end(struct chassis_shell *s);
/** What is printed before a line is read. */
const char *chassis_shell_prompt(const struct chassis_shell *s);

#endif

/* chassisctl: the operator's shell. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chassis/cli/grammar.h"
#include "chassis/cli/shell.h"
#include "chassis/task/task.h"

#define COMMANDS_MAX 64
#define EXIT_LOST    2 /* no daemon, or not any more */

static void usage(FILE *out)
{
	fputs("usage: chassisctl [-s SOCKET] [-c COMMAND]...\n"
	      "  -s SOCKET   of chassisd, default $CHASSISD_SOCKET or " CHASSIS_OPERATOR_PATH "\n"
	      "  -c COMMAND  run a command, or several lines of them, and end; may be repeated\n"
	      "  -h          this text\n"
	      "  -V          version\n"
	      "Without -c, commands are read from standard input; `?` lists what can be said.\n",
	      out);
}

/* What was configured by the last lines counts as if they had said `end`. */
static int finish(struct chassis_shell *s, int status)
{
	switch (chassis_shell_end(s)) {
	case CHASSIS_SHELL_FAILED:
		return EXIT_FAILURE;
	case CHASSIS_SHELL_LOST:
		return EXIT_LOST;
	default:
		return status;
	}
}

/* Lines until `exit` or the end of the input. */
static int interactive(struct chassis_shell *s, bool tty)
{
	char line[CHASSIS_LINE_MAX + 2];
	int status = EXIT_SUCCESS;

	for (;;) {
		enum chassis_shell_result rc;

		if (tty) {
			fputs(chassis_shell_prompt(s), stdout);
			fflush(stdout);
		}
		if (!fgets(line, sizeof(line), stdin)) {
			if (tty)
				putchar('\n');
			return finish(s, status);
		}
		rc = chassis_shell_run(s, line);
		if (rc == CHASSIS_SHELL_EXIT)
			return status;
		if (rc == CHASSIS_SHELL_LOST)
			return EXIT_LOST;
		if (rc == CHASSIS_SHELL_FAILED && !tty)
			status = EXIT_FAILURE;
	}
}

/* The line behind this one; NULL: there is none. */
static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line[0] && line[1] ? line + 1 : NULL;
}

static int one_shot(struct chassis_shell *s, char **command, size_t n)
{
	int status = EXIT_SUCCESS;

	for (size_t i = 0; i < n; i++) {
		for (const char *line = command[i]; line; line = next_line(line)) {
			enum chassis_shell_result rc = chassis_shell_run(s, line);

			if (rc == CHASSIS_SHELL_EXIT)
				return status;
			if (rc == CHASSIS_SHELL_LOST)
				return EXIT_LOST;
			if (rc == CHASSIS_SHELL_FAILED)
				status = EXIT_FAILURE;
		}
	}
	return finish(s, status);
}

int main(int argc, char **argv)
{
	const char *path = getenv("CHASSISD_SOCKET");
	char *command[COMMANDS_MAX], why[400];
	size_t n = 0;
	struct chassis_shell *s;
	bool tty;
	int opt, status;

	while ((opt = getopt(argc, argv, "c:s:hV")) != -1) {
		if (opt == 'c' && n < COMMANDS_MAX) {
			command[n++] = optarg;
		} else if (opt == 's') {
			path = optarg;
		} else if (opt == 'h') {
			usage(stdout);
			return EXIT_SUCCESS;
		} else if (opt == 'V') {
			puts(PACKAGE_STRING);
			return EXIT_SUCCESS;
		} else {
			usage(stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	tty = !n && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	s = chassis_shell_new(path && path[0] ? path : CHASSIS_OPERATOR_PATH, stdin, stdout, tty,
			      why, sizeof(why));
	if (!s) {
		fprintf(stderr, "chassisctl: %s\n", why);
		return EXIT_LOST;
	}
	status = n ? one_shot(s, command, n) : interactive(s, tty);
	chassis_shell_free(s);
	return status;
}

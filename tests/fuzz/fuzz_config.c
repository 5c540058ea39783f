/* fuzz_config: any bytes as a configuration file, as an operator's lines in configuration mode, and as
 * his line. What loads must print as a file that loads again and prints the same; what does not must say
 * why. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/cli/config.h"
#include "chassis/cli/exec.h"
#include "chassis/cli/pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_error(void *arg, const char *text)
{
	unsigned *n = arg;

	/* FILE:LINE: at ...: expected ... */
	if (strncmp(text, "f:", 2) != 0 || !strstr(text, "expected "))
		abort();
	++*n;
}

static char *print(const struct chassis_config *c, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (!out)
		abort();
	chassis_config_print(c, out);
	fclose(out);
	return text;
}

static void round_trip(const struct chassis_config *c)
{
	unsigned errors = 0;
	size_t n1, n2;
	char *first = print(c, &n1), *second;
	struct chassis_config *again = chassis_config_parse_with(
		first, n1, "f", chassis_license_assume, NULL, on_error, &errors);

	if (!again)
		abort();
	second = print(again, &n2);
	if (n1 != n2 || memcmp(first, second, n1) != 0 ||
	    chassis_config_digest(c) != chassis_config_digest(again))
		abort();
	chassis_config_free(again);
	free(first);
	free(second);
}

static void line(const char *text)
{
	static struct chassis_grammar *g;
	static struct chassis_line l;
	struct chassis_match m;
	struct chassis_cli_err e;
	struct chassis_pipe p;
	char why[160];

	if (!g && !(g = chassis_exec_grammar(why, sizeof(why))))
		abort();
	if (chassis_pipe_parse(&p, text, &e) != 0)
		return;
	(void)chassis_pipe_passes(&p, text);
	if (chassis_line_split(&l, text, p.command, &e) == 0 && l.n &&
	    chassis_grammar_match(g, 0, &l, &m, NULL, &e) != 0 &&
	    strncmp(e.text, "expected ", 9) != 0)
		abort();
	chassis_pipe_free(&p);
}

static void said_why(const char *why)
{
	if (!strstr(why, "expected "))
		abort();
}

/* Each line is taken or refused; all that was taken is a configuration, or it is said what it lacks. */
static void operator_lines(const char *text, size_t size)
{
	static const char nothing[] = "configure\nend\n";
	static struct chassis_config *base;
	struct chassis_config_edit *e;
	struct chassis_config *next;
	const char *end = text + size;
	char why[640];

	if (!base && !(base = chassis_config_parse(nothing, strlen(nothing), "f", NULL, NULL)))
		abort();
	e = chassis_config_edit_new(base);
	if (!e)
		abort();
	while (text < end && !chassis_config_edit_left(e)) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);

		if (chassis_config_edit_line(e, text, n, chassis_license_assume, NULL, why,
					     sizeof(why)) != 0)
			said_why(why);
		text += n + (nl ? 1 : 0);
	}
	next = chassis_config_edit_end(e, why, sizeof(why));
	if (next)
		round_trip(next);
	else
		said_why(why);
	chassis_config_free(next);
	chassis_config_edit_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned errors = 0;
	struct chassis_config *c =
		chassis_config_parse_with((const char *)data, size, "f", chassis_license_assume,
					  NULL, on_error, &errors);
	char text[512];

	if (!c != (errors > 0))
		abort();
	if (c)
		round_trip(c);
	chassis_config_free(c);
	operator_lines((const char *)data, size);
	if (size < sizeof(text)) {
		memcpy(text, data, size);
		text[size] = '\0';
		line(text);
	}
	return 0;
}

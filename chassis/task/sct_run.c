/* sct_run: a line of an operator: what it says, and who answers it. */
#include "config.h"
#include "chassis/task/sct.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "srp/err.h"

/* "Monday November 25 14:12:58 UTC 2019" */
static void stamp(struct sct_op *op)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[64];

	if (localtime_r(&now, &tm) && strftime(date, sizeof(date), "%A %B %d %H:%M:%S %Z %Y", &tm))
		stats_doc_line(&op->doc, "%s", date);
}

static void refuse(struct sct_op *op, const struct chassis_cli_err *e)
{
	char text[CHASSIS_EXPECT_MAX + 96];

	if (e->end)
		snprintf(text, sizeof(text), "incomplete command: %s", e->text);
	else
		snprintf(text, sizeof(text), "Unknown command - \"%s\": %s", e->word, e->text);
	sct_op_finish(op, SRP_EINVAL, text);
}

void sct_run(struct sct_op *op, const char *line, size_t len, int fd)
{
	struct chassis_cli_err e;
	struct chassis_line l;
	struct chassis_match m;

	if (op->edit) {
		sct_config_line(op, line, len, fd);
	} else if (chassis_line_split(&l, line, len, &e) != SRP_OK ||
	    (l.n && chassis_grammar_match(op->sct->grammar, 0, &l, &m, NULL, &e) != SRP_OK)) {
		refuse(op, &e);
	} else if (!l.n) {
		sct_op_finish(op, SRP_OK, NULL);
	} else {
		if (op->timestamps)
			stamp(op);
		if (m.row == CHASSIS_EXEC_SESSION_LOAD) {
			sct_load_start(op, fd);
			return;
		}
		if (m.row == CHASSIS_EXEC_UPGRADE)
			sct_config_upgrade(op, &m, fd);
		else if (!sct_show(op, &m) && !sct_command(op, &m))
			sct_op_finish(op, SRP_EINVAL, "a command of the shell, not of the chassis");
	}
	if (fd >= 0)
		close(fd);
}

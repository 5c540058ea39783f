/* sct_load: sessions from a file that the operator's shell has opened: a line each,
 * imsi,username,apn,ipv4,ipv6,rulebase[,idle-timeout]. Empty lines and lines with # are left out. A
 * window of them is under way to demuxmgr at any time. */
#include "config.h"
#include "chassis/task/sct.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "srp/err.h"

#define FIELDS     7
#define TOLD_MAX   10 /* refusals that are shown one by one */
#define TIME_S     10 /* without any answer */
#define LINES_TURN 4096 /* read before other operators have their turn */

void sct_load_free(struct sct_load *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l);
}

static void refused(struct sct_op *op, unsigned line, const char *text)
{
	if (op->job.load->refused++ < TOLD_MAX)
		stats_doc_line(&op->doc, "line %u: %s", line, text);
}

/* One line of the file, without its end; NULL: there is none any more. Long ones are cut up. */
static char *next_line(struct sct_load *l)
{
	for (;;) {
		char *start = l->buf + l->at, *nl = memchr(start, '\n', l->have - l->at);
		ssize_t n;

		if (nl) {
			*nl = '\0';
			l->at = (size_t)(nl - l->buf) + 1;
			l->line++;
			return start;
		}
		if (l->eof || (l->at == 0 && l->have == sizeof(l->buf) - 1)) {
			if (l->at == l->have)
				return NULL;
			l->buf[l->have] = '\0';
			l->at = l->have;
			l->line++;
			return start;
		}
		memmove(l->buf, start, l->have - l->at);
		l->have -= l->at;
		l->at = 0;
		n = read(l->fd, l->buf + l->have, sizeof(l->buf) - 1 - l->have);
		if (n > 0)
			l->have += (size_t)n;
		else
			l->eof = true;
	}
}

/* Cuts a line at its commas; returns how many fields it has. */
static size_t cut(char *line, char *field[FIELDS])
{
	size_t n = 0, len = strlen(line);

	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	for (;;) {
		char *comma = strchr(line, ',');

		if (n == FIELDS)
			return n + 1;
		field[n++] = line;
		if (!comma)
			return n;
		*comma = '\0';
		line = comma + 1;
	}
}

static int send_line(struct sct_op *op, char *line, const char **why)
{
	static const size_t longest[6] = {15, 63, 63, 46, 46, ECS_NAME_MAX};
	char empty[] = "", zero[] = "0";
	char *field[FIELDS] = {empty, empty, empty, empty, empty, empty, zero};
	uint8_t buf[512];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	size_t n = cut(line, field);
	char *end;
	unsigned long long idle = strtoull(field[6], &end, 10);
	int rc;

	*why = "expected imsi,username,apn,ipv4,ipv6,rulebase";
	if (n < 5 || n > FIELDS || *end || idle > UINT32_MAX)
		return SRP_EINVAL;
	for (size_t i = 0; i < 6; i++) {
		*why = "a field is too long";
		if (strlen(field[i]) > longest[i])
			return SRP_EINVAL;
		srp_mp_w_str(&w, field[i]);
	}
	srp_mp_w_uint(&w, idle);
	rc = sct_job_send(op, CHASSIS_TASK_DEMUXMGR, 0, CHASSIS_CMD_SESSION_ADD, &w, FIELDS,
	                  op->job.load->line);
	*why = rc == SRP_ENOENT ? "demuxmgr is not there" : srp_strerror(rc);
	return rc;
}

/* @p lost: lines that were not answered in time. */
static void finish(struct sct_op *op, unsigned lost)
{
	struct sct_load *l = op->job.load;
	char text[160];

	stats_doc_item(&op->doc, "added", "Sessions added", stats_uint(l->added));
	stats_doc_item(&op->doc, "refused", "Lines refused", stats_uint(l->refused));
	if (lost)
		snprintf(text, sizeof(text), "no answer in time to %u lines: the rest was not read",
			 lost);
	else
		snprintf(text, sizeof(text), "%llu of %llu lines were refused",
			 (unsigned long long)l->refused,
			 (unsigned long long)(l->added + l->refused));
	if (lost || l->refused)
		sct_op_finish(op, lost ? SRP_ETIMEOUT : SRP_EINVAL, text);
	else
		sct_op_finish(op, SRP_OK, NULL);
}

/* Fills the window; ends when the file and the answers are through. */
static void pump(struct sct_op *op)
{
	struct sct_load *l = op->job.load;
	const char *why;
	char *line;

	/* One that has died has a successor in a moment: the lines wait for it. */
	if (!chassis_task_connected(op->sct->ctx, CHASSIS_TASK_DEMUXMGR, 0) && l->waited < TIME_S) {
		l->waited++;
		sct_job_timer(op, 1);
		return;
	}
	l->waited = 0;
	for (unsigned i = 0; op->job.waits < SCT_LOAD_WINDOW && i < LINES_TURN; i++) {
		line = next_line(l);
		if (!line)
			break;
		if (!line[strspn(line, " \t\r")] || line[0] == '#')
			continue;
		if (send_line(op, line, &why) < 0)
			refused(op, l->line, why);
	}
	if (op->job.waits || !l->eof || l->at < l->have)
		sct_job_timer(op, op->job.waits ? TIME_S : 0);
	else
		finish(op, 0);
}

void sct_load_done(struct sct_op *op, unsigned line, int status, const char *text)
{
	struct sct_load *l = op->job.load;

	if (status < 0)
		refused(op, line, text[0] ? text : srp_strerror(status));
	else
		l->added++;
	/* half a window at a time: a batch a wake-up, not a frame a wake-up */
	if (op->job.waits <= SCT_LOAD_WINDOW / 2)
		pump(op);
}

void sct_load_timeout(struct sct_op *op, unsigned waits)
{
	/* a turn without any session (comments, bad lines) goes on at once */
	if (waits)
		finish(op, waits);
	else
		pump(op);
}

void sct_load_start(struct sct_op *op, int fd)
{
	struct stat st;
	struct sct_load *l = NULL;

	/* a pipe or a device could hold up the loop */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		sct_op_finish(op, SRP_EINVAL, "expected a plain file");
		return;
	}
	l = calloc(1, sizeof(*l));
	if (!l) {
		close(fd);
		sct_op_finish(op, SRP_ENOMEM, NULL);
		return;
	}
	l->fd = fd;
	memset(&op->job, 0, sizeof(op->job));
	op->job.kind = SCT_JOB_LOAD;
	op->job.load = l;
	pump(op);
}

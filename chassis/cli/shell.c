#include <config.h>
#include "chassis/cli/shell.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chassis/cli/database.h"
#include "chassis/cli/exec.h"
#include "chassis/cli/pipe.h"
#include "chassis/io/conn.h"
#include "chassis/license.h"
#include "chassis/task/task.h"
#include "srp/err.h"
#include "stats/doc.h"

#define LINE_MAX_OUT 65536u /* a longer line of output is filtered in parts */

struct chassis_shell {
	struct ev_loop *loop;
	struct chassis_conn *conn;   /* NULL: lost */
	struct chassis_grammar *grammar;
	struct chassis_grammar *lines; /* of configuration mode: those for which a file is opened */
	bool config;                 /* the daemon is in configuration mode */
	FILE *in, *out;
	bool interactive, autoconfirm;
	unsigned rows, shown;        /* of the terminal; printed since the last stop */
	bool quiet;                  /* the rest is not wanted any more */
	struct chassis_pipe pipe;
	char *line;                  /* of output, not complete yet */
	size_t nline;
	bool answered;
	int status;
	char prompt[224];
	char file[CHASSIS_PATH_MAX]; /* of the configuration; empty: not known */
};

static const struct chassis_row file_lines[] = {
	{.pattern = CHASSIS_LICENSE_COMMAND},
#define X(words) {.pattern = words},
	CHASSIS_DATABASE_COMMANDS(X)
#undef X
};

/* --- output --------------------------------------------------------------------------------- */

/* Stops after a screen of lines until a key line is read; `q` drops the rest. */
static void pause_screen(struct chassis_shell *s)
{
	char answer[64];

	if (!s->pipe.more || !s->interactive || !s->rows || ++s->shown < s->rows - 1)
		return;
	s->shown = 0;
	fputs("--More--", s->out);
	fflush(s->out);
	if (!fgets(answer, sizeof(answer), s->in) || answer[0] == 'q')
		s->quiet = true;
}

static void put_line(struct chassis_shell *s, const char *text, const char *end)
{
	/* why a command failed is no part of what is filtered */
	bool failed = strncmp(text, "Failure:", 8) == 0 || strncmp(text, "{\"failure\":", 11) == 0;

	if (!failed && (s->quiet || !chassis_pipe_passes(&s->pipe, text)))
		return;
	fputs(text, s->out);
	fputs(end, s->out);
	pause_screen(s);
}

static void output(struct chassis_shell *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool full = s->nline == LINE_MAX_OUT - 1;

		if (p[i] != '\n' && !full) {
			s->line[s->nline++] = p[i];
			continue;
		}
		s->line[s->nline] = '\0';
		s->nline = 0;
		put_line(s, s->line, full ? "" : "\n");
		if (full)
			s->line[s->nline++] = p[i];
	}
}

static void output_end(struct chassis_shell *s)
{
	s->line[s->nline] = '\0';
	if (s->nline)
		put_line(s, s->line, "\n");
	s->nline = 0;
	fflush(s->out);
}

/* What the shell itself has to say looks like an answer of the daemon. */
static enum chassis_shell_result failure(struct chassis_shell *s, const char *text)
{
	fprintf(s->out, "Failure: %s\n", text);
	fflush(s->out);
	return CHASSIS_SHELL_FAILED;
}

/* --- connection ----------------------------------------------------------------------------- */

static int rx(void *owner, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct chassis_shell *s = owner;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 8);
	const uint8_t *text;
	size_t len;

	if (fd >= 0)
		close(fd);
	if (h->type == CHASSIS_IPC_OUTPUT) {
		text = srp_mp_bin(&r, 0, SRP_FRAME_BODY_MAX, &len);
		if (n < 1 || r.err)
			return SRP_EFORMAT;
		output(s, (const char *)text, len);
	} else if (h->type == CHASSIS_IPC_RESULT) {
		int64_t status = srp_mp_int(&r);

		srp_mp_str(&r, s->prompt, sizeof(s->prompt));
		s->config = n > 2 && srp_mp_bool(&r);
		if (n > 3)
			srp_mp_str(&r, s->file, sizeof(s->file));
		if (n < 2 || r.err)
			return SRP_EFORMAT;
		s->status = status < 0 ? -1 : 0;
		s->answered = true;
		ev_break(s->loop, EVBREAK_ONE);
	} else {
		return SRP_ETYPE;
	}
	return SRP_OK;
}

static void down(void *owner, int err, const char *why)
{
	struct chassis_shell *s = owner;

	(void)err;
	(void)why;
	s->conn = NULL;
	ev_break(s->loop, EVBREAK_ONE);
}

static const struct chassis_conn_ops ops = {.rx = rx, .down = down};

static enum chassis_shell_result ask(struct chassis_shell *s, const char *line, size_t len, int fd)
{
	uint8_t buf[CHASSIS_LINE_MAX + 32];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 3);
	srp_mp_w_strn(&w, line, len);
	srp_mp_w_uint(&w, s->pipe.json ? STATS_DOC_JSON : STATS_DOC_TEXT);
	srp_mp_w_uint(&w, 80);
	if (w.err)
		return failure(s, "the line is too long");
	s->answered = s->quiet = false;
	s->shown = 0;
	if (s->conn &&
	    chassis_conn_send(s->conn, CHASSIS_IPC_OPERATOR, buf, srp_mp_w_len(&w), fd) == 0)
		while (s->conn && !s->answered)
			ev_run(s->loop, 0);
	output_end(s);
	if (!s->answered) {
		failure(s, "the connection to chassisd was closed");
		return CHASSIS_SHELL_LOST;
	}
	return s->status < 0 ? CHASSIS_SHELL_FAILED : CHASSIS_SHELL_OK;
}

/* --- the shell's own part ------------------------------------------------------------------- */

static void help_one(void *arg, const char *word, bool keyword, const char *help)
{
	struct chassis_shell *s = arg;

	(void)keyword;
	fprintf(s->out, "  %-32s %s\n", word, help);
}

/* "show srp ?" lists what may follow; "show s?" what begins so. */
static enum chassis_shell_result help(struct chassis_shell *s, const char *line, size_t len)
{
	struct chassis_line l;
	struct chassis_cli_err e;
	bool part;

	if (chassis_line_split(&l, line, len, &e) != SRP_OK)
		return failure(s, e.text);
	part = l.n && !l.blank_end;
	if (chassis_grammar_next(s->grammar, 0, &l, part ? l.n - 1 : l.n,
				 part ? l.word[l.n - 1] : "", help_one, s, &e) != SRP_OK)
		return failure(s, e.text);
	fflush(s->out);
	return CHASSIS_SHELL_OK;
}

static bool sure(struct chassis_shell *s)
{
	char answer[64];

	fputs("Are you sure? [Yes|No]: ", s->out);
	fflush(s->out);
	if (!fgets(answer, sizeof(answer), s->in))
		return false;
	answer[strcspn(answer, "\r\n")] = '\0';
	return strcasecmp(answer, "yes") == 0 || strcasecmp(answer, "y") == 0;
}

static enum chassis_shell_result own(struct chassis_shell *s, const struct chassis_match *m)
{
	switch (m->row) {
	case CHASSIS_EXEC_EXIT:
		return CHASSIS_SHELL_EXIT;
	case CHASSIS_EXEC_AUTOCONFIRM:
		s->autoconfirm = !chassis_match_has(m, "no");
		break;
	case CHASSIS_EXEC_TERMINAL:
		if (chassis_match_has(m, "length"))
			s->rows = (unsigned)chassis_match_num(m, "num", 0);
		break;
	default:
		break;
	}
	return CHASSIS_SHELL_OK;
}

static enum chassis_shell_result with_file(struct chassis_shell *s, const char *line, size_t len,
                                           const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum chassis_shell_result rc;
	char text[400];

	if (fd < 0) {
		snprintf(text, sizeof(text), "%.255s: %s", path, strerror(errno));
		return failure(s, text);
	}
	rc = ask(s, line, len, fd);
	close(fd);
	return rc;
}

/* False: a file is written that is not there yet, so nobody is asked. A path that has no / in front begins
 * where the configuration's file is. */
static bool replaces(const struct chassis_shell *s, const struct chassis_match *m)
{
	const char *path = chassis_match_text(m, "path");
	char full[PATH_MAX + CHASSIS_PATH_MAX + 1], *slash;

	if (!path)
		return true;
	if (path[0] == '/')
		return access(path, F_OK) == 0 || errno != ENOENT;
	if (s->file[0] != '/' || !realpath(s->file, full))
		return true;
	slash = strrchr(full, '/');
	snprintf(slash + 1, CHASSIS_PATH_MAX, "%.*s", CHASSIS_PATH_MAX - 1, path);
	return access(full, F_OK) == 0 || errno != ENOENT;
}

static enum chassis_shell_result command(struct chassis_shell *s, const char *line)
{
	size_t len = s->pipe.command;
	struct chassis_line l;
	struct chassis_cli_err e;
	struct chassis_match m;

	/* what the shell does not understand either, the daemon says why */
	if (chassis_line_split(&l, line, len, &e) != SRP_OK || !l.n ||
	    chassis_grammar_match(s->grammar, 0, &l, &m, NULL, &e) != SRP_OK)
		return ask(s, line, len, -1);
	switch (chassis_exec_where(m.row)) {
	case CHASSIS_EXEC_SHELL:
		return own(s, &m);
	case CHASSIS_EXEC_FILE:
		return with_file(s, line, len, chassis_match_text(&m, "path"));
	case CHASSIS_EXEC_ASK:
		if (s->interactive && !s->autoconfirm && !chassis_match_has(&m, "-noconfirm") &&
		    !sure(s))
			return CHASSIS_SHELL_OK;
		break;
	case CHASSIS_EXEC_SURE:
		if (!s->autoconfirm && !chassis_match_has(&m, "-noconfirm") && replaces(s, &m) &&
		    !sure(s))
			return failure(s, "not confirmed: nothing was done");
		break;
	case CHASSIS_EXEC_SCT:
		break;
	}
	return ask(s, line, len, -1);
}

/* In configuration mode the daemon knows the words; the shell opens the file that a line names, as
 * the daemon may not. */
static enum chassis_shell_result config_line(struct chassis_shell *s, const char *line)
{
	const char *word = line + strspn(line, " \t");
	struct chassis_line l;
	struct chassis_cli_err e;
	struct chassis_match m;
	const char *path;

	if (word[0] == '#' && strncmp(word, "#exit", 5) != 0)
		return CHASSIS_SHELL_OK;
	memset(&s->pipe, 0, sizeof(s->pipe));
	if (chassis_line_split(&l, line, strlen(line), &e) == SRP_OK &&
	    chassis_grammar_match(s->lines, 0, &l, &m, NULL, &e) == SRP_OK) {
		path = chassis_match_text(&m, "path");
		if (path[0] == '/') /* the daemon says why no other is taken */
			return with_file(s, line, strlen(line), path);
	}
	return ask(s, line, strlen(line), -1);
}

enum chassis_shell_result chassis_shell_run(struct chassis_shell *s, const char *line)
{
	enum chassis_shell_result rc;
	struct chassis_cli_err e;
	size_t len = strcspn(line, "\r\n");
	char one[CHASSIS_LINE_MAX + 2], text[CHASSIS_EXPECT_MAX + 96];

	if (len > CHASSIS_LINE_MAX)
		return failure(s, "the line is too long");
	memcpy(one, line, len);
	one[len] = '\0';
	if (s->config)
		return config_line(s, one);
	if (len && one[len - 1] == '?')
		return help(s, one, len - 1);
	if (one[strspn(one, " \t")] == '#')
		return CHASSIS_SHELL_OK;
	if (chassis_pipe_parse(&s->pipe, one, &e) != SRP_OK) {
		snprintf(text, sizeof(text), "at '%s': %s", e.word, e.text);
		return failure(s, text);
	}
	rc = command(s, one);
	chassis_pipe_free(&s->pipe);
	return rc;
}

enum chassis_shell_result chassis_shell_end(struct chassis_shell *s)
{
	return s->config && s->conn ? chassis_shell_run(s, "end") : CHASSIS_SHELL_OK;
}

const char *chassis_shell_prompt(const struct chassis_shell *s)
{
	return s->prompt;
}

/* --- birth ---------------------------------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

struct chassis_shell *chassis_shell_new(const char *path, FILE *in, FILE *out, bool interactive,
                                        char *why, size_t cap)
{
	struct chassis_shell *s;
	int fd = connect_to(path);

	if (fd < 0) {
		snprintf(why, cap, "%s: %s", path, strerror(errno));
		return NULL;
	}
	snprintf(why, cap, "%s", srp_strerror(SRP_ENOMEM));
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return NULL;
	}
	s->in = in;
	s->out = out;
	s->interactive = interactive;
	s->rows = 24;
	s->line = malloc(LINE_MAX_OUT);
	s->loop = ev_loop_new(EVFLAG_AUTO);
	s->grammar = chassis_exec_grammar(why, cap);
	s->lines = chassis_grammar_new(file_lines, sizeof(file_lines) / sizeof(file_lines[0]), 1, why, cap);
	if (s->loop && s->line && s->grammar && s->lines)
		s->conn = chassis_conn_new(s->loop, fd, NULL, false, &chassis_ipc_frames, &ops, s);
	else
		close(fd);
	/* an empty line: the daemon answers with the prompt */
	if (s->conn && ask(s, "", 0, -1) == CHASSIS_SHELL_OK)
		return s;
	snprintf(why, cap, "%s: chassisd does not answer, or has too many operators", path);
	chassis_shell_free(s);
	return NULL;
}

void chassis_shell_free(struct chassis_shell *s)
{
	if (!s)
		return;
	chassis_conn_close(s->conn);
	chassis_grammar_free(s->grammar);
	chassis_grammar_free(s->lines);
	if (s->loop) {
		ev_run(s->loop, EVRUN_NOWAIT); /* what was closed is freed by the loop */
		ev_loop_destroy(s->loop);
	}
	free(s->line);
	free(s);
}

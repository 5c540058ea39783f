/* sct_config: configuration mode, save, reload. What operators enter becomes part of the configured
 * state when they leave the mode; what of it can act at once does (sct_commit.c). */
#include "config.h"
#include "chassis/task/sct.h"

#include "chassis/cli/database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "srp/err.h"

#define TIME_S 30 /* for the supervisor to write or to read a file */

/* --- the configured state ------------------------------------------------------------------- */

void sct_config_changed(struct sct *s, struct chassis_config *next)
{
	chassis_config_free(s->entered);
	s->configured = s->entered = next;
	s->generation++;
	sct_entered_keep(s);
}

char *sct_config_text(const struct chassis_config *c, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (!out)
		return NULL;
	chassis_config_print(c, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static bool same(const struct chassis_config *a, const struct chassis_config *b)
{
	size_t na = 0, nb = 0;
	char *ta = sct_config_text(a, &na), *tb = sct_config_text(b, &nb);
	bool yes = ta && tb && na == nb && memcmp(ta, tb, na) == 0 &&
	           ecs_service_db_same(a->service, b->service);

	free(ta);
	free(tb);
	return yes;
}

/* --- configuration mode --------------------------------------------------------------------- */

void sct_config_begin(struct sct_op *op)
{
	op->edit = chassis_config_edit_new(op->sct->configured);
	op->edit_of = op->sct->generation;
	sct_op_finish(op, op->edit ? SRP_OK : SRP_ENOMEM, NULL);
}

void sct_config_drop(struct sct_op *op)
{
	chassis_config_edit_free(op->edit);
	op->edit = NULL;
}

/* Where feature keys come from: a file that the shell opened, or what is known already. This task
 * may not read what belongs to others. */
struct keys {
	const struct chassis_config *configured;
	int fd;
};

static int find_keys(void *arg, const char *path, struct chassis_license *out, char *why, size_t cap)
{
	const struct keys *k = arg;

	if (k->fd >= 0)
		return chassis_license_read(k->fd, out, why, cap);
	if (strcmp(path, k->configured->license_file) == 0) {
		*out = k->configured->license;
		return SRP_OK;
	}
	snprintf(why, cap, "the shell did not open it");
	return SRP_ENOENT;
}

/* `end`: all that was entered since `configure` is taken, or none of it. */
static void leave(struct sct_op *op, int rc, char *why, size_t cap)
{
	struct sct *s = op->sct;
	struct chassis_config *next = NULL;
	char text[CHASSIS_EXPECT_MAX + 256];

	if (rc == SRP_OK && op->edit_of != s->generation) {
		rc = SRP_EBUSY;
		snprintf(why, cap, "another operator changed the configuration meanwhile");
	}
	if (rc == SRP_OK) {
		next = chassis_config_edit_take(op->edit, why, cap);
		rc = next ? SRP_OK : SRP_EINVAL;
	}
	sct_config_drop(op);
	if (rc == SRP_OK && same(next, s->configured)) {
		chassis_config_free(next);
		sct_op_finish(op, SRP_OK, NULL);
		return;
	}
	if (rc == SRP_OK) {
		rc = sct_commit_begin(op, next);
		snprintf(why, cap, "%s", rc == SRP_EBUSY ? "another change is being taken over"
			                                 : srp_strerror(rc));
	}
	if (rc != SRP_OK) {
		snprintf(text, sizeof(text), "%s; nothing entered since `configure` was taken", why);
		sct_op_finish(op, rc, text);
	}
}

void sct_config_service(struct sct_op *op, const char *name, bool no)
{
	char why[CHASSIS_EXPECT_MAX + 128] = "", line[96];
	int rc = SRP_ENOMEM;

	op->edit = chassis_config_edit_new(op->sct->configured);
	op->edit_of = op->sct->generation;
	snprintf(line, sizeof(line), "%sactive-charging service \"%.15s\"", no ? "no " : "", name);
	if (op->edit)
		rc = chassis_config_edit_line(op->edit, line, strlen(line), NULL, NULL, why, sizeof(why));
	if (rc == SRP_OK && no) {
		leave(op, rc, why, sizeof(why));
		return;
	}
	if (rc != SRP_OK)
		sct_config_drop(op);
	sct_op_finish(op, rc, why[0] ? why : NULL);
}

static void help_one(void *arg, const char *word, bool keyword, const char *help)
{
	struct sct_op *op = arg;

	(void)keyword;
	stats_doc_line(&op->doc, "  %-32s %s", word, help);
}

static void help(struct sct_op *op, const char *line, size_t len)
{
	char why[CHASSIS_EXPECT_MAX];
	int rc = chassis_config_edit_help(op->edit, line, len, help_one, op, why, sizeof(why));

	sct_op_finish(op, rc, rc == SRP_OK ? NULL : why);
}

void sct_config_line(struct sct_op *op, const char *line, size_t len, int fd)
{
	struct keys keys = {op->sct->configured, fd};
	char why[CHASSIS_EXPECT_MAX + 128] = "";
	int rc;

	if (len && line[len - 1] == '?') {
		help(op, line, len - 1);
		return;
	}
	chassis_config_edit_file(op->edit, fd);
	rc = chassis_config_edit_line(op->edit, line, len, find_keys, &keys, why, sizeof(why));
	if (chassis_config_edit_left(op->edit))
		leave(op, rc, why, sizeof(why));
	else
		sct_op_finish(op, rc, rc == SRP_OK ? NULL : why);
}

/* --- databases ------------------------------------------------------------------------------ */

/* As in configuration mode, but by itself: `upgrade` is the line of the database entered again. */
static struct chassis_config *upgraded(struct sct_op *op, const char *words, const char *path, int fd,
                                       char *why, size_t cap)
{
	const struct chassis_config *base = op->sct->configured;
	struct chassis_config_edit *e = chassis_config_edit_new(base);
	struct chassis_config *next = NULL;
	char line[CHASSIS_LINE_MAX];
	int rc = e ? SRP_OK : SRP_ENOMEM;

	snprintf(why, cap, "%s", srp_strerror(SRP_ENOMEM));
	if (rc == SRP_OK) {
		snprintf(line, sizeof(line), "active-charging service %s",
		         ecs_service_name(base->service));
		rc = chassis_config_edit_line(e, line, strlen(line), NULL, NULL, why, cap);
	}
	if (rc == SRP_OK) {
		snprintf(line, sizeof(line), "%s %s", words, path);
		chassis_config_edit_file(e, fd);
		rc = chassis_config_edit_line(e, line, strlen(line), NULL, NULL, why, cap);
	}
	if (rc == SRP_OK)
		next = chassis_config_edit_take(e, why, cap);
	chassis_config_edit_free(e);
	return next;
}

void sct_config_upgrade(struct sct_op *op, const struct chassis_match *m, int fd)
{
	static const char *const words[ECS_DB__N] = {
#define X(sym, text, words) [ECS_DB_##sym] = words,
		ECS_DBS(X)
#undef X
	};
	const struct chassis_config *now = op->sct->configured;
	unsigned kind = chassis_match_has(m, "content-filtering")  ? ECS_DB_CATEGORIES
	                : chassis_match_has(m, "url-blacklisting") ? ECS_DB_BLACKLIST
	                                                           : ECS_DB_OS;
	char why[CHASSIS_DATABASE_WHY + CHASSIS_EXPECT_MAX];
	struct chassis_config *next;
	int rc;

	if (!now->service) {
		sct_op_finish(op, SRP_ENOENT, "there is no active-charging service");
		return;
	}
	next = upgraded(op, words[kind], chassis_match_text(m, "path"), fd, why, sizeof(why));
	if (!next) {
		sct_op_finish(op, SRP_EINVAL, why);
		return;
	}
	if (same(next, now)) {
		chassis_config_free(next);
		sct_op_finish(op, SRP_OK, "the database says what it said before");
		return;
	}
	rc = sct_commit_begin(op, next);
	if (rc != SRP_OK)
		sct_op_finish(op, rc, rc == SRP_EBUSY ? "another change is being taken over" : NULL);
}

/* --- save and reload ------------------------------------------------------------------------ */

static int text_file(const char *text, size_t len)
{
	int fd = memfd_create("configuration", MFD_CLOEXEC);
	size_t done = 0;

	while (fd >= 0 && done < len) {
		ssize_t n = pwrite(fd, text + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	return fd;
}

/* Asks the supervisor; one such question at a time, as its answer carries no number. */
static void ask(struct sct_op *op, enum chassis_ipc type, const struct srp_mp_w *w, int fd,
                const char *path)
{
	struct sct *s = op->sct;
	int rc = SRP_EBUSY;

	if (!s->asking.type)
		rc = chassis_task_send(s->ctx, CHASSIS_TASK_SUPERVISOR, 0, (uint8_t)type, w, fd);
	if (rc < 0) {
		sct_op_finish(op, rc, rc == SRP_EBUSY ? "another operator saves or reloads" : NULL);
		return;
	}
	s->asking = (struct sct_asking){type, (unsigned)(op - s->op), op->serial, s->generation, ""};
	snprintf(s->asking.path, sizeof(s->asking.path), "%s", path);
	sct_job_wait(op, TIME_S);
}

void sct_config_save(struct sct_op *op, const char *path)
{
	uint8_t buf[CHASSIS_PATH_MAX + 16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	size_t len = 0;
	char *text;
	int fd;

	text = sct_config_text(op->sct->configured, &len);
	fd = text ? text_file(text, len) : -1;
	free(text);
	if (fd < 0) {
		sct_op_finish(op, SRP_ENOMEM, NULL);
		return;
	}
	srp_mp_w_array(&w, 1);
	srp_mp_w_str(&w, path ? path : "");
	ask(op, CHASSIS_IPC_SAVE, &w, fd, path ? path : "");
	close(fd);
}

void sct_config_reload(struct sct_op *op)
{
	uint8_t buf[8];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 0);
	ask(op, CHASSIS_IPC_RELOAD, &w, -1, "");
}

int sct_config_saved(struct sct *s, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 8);
	int64_t status = srp_mp_int(&r);
	struct sct_asking a = s->asking;
	struct sct_op *op = &s->op[a.op];
	char why[480], text[640];

	srp_mp_str(&r, why, sizeof(why));
	if (n < 2 || r.err || status < INT32_MIN || status > INT32_MAX)
		return SRP_EFORMAT;
	if (!a.type)
		return SRP_OK;
	s->asking = (struct sct_asking){0};
	if (status >= 0 && a.type == CHASSIS_IPC_SAVE && !a.path[0]) {
		s->saved = a.generation;
		sct_entered_keep(s);
	}
	if (!op->conn || op->serial != a.serial || op->job.kind != SCT_JOB_WAIT)
		return SRP_OK; /* he did not wait for it */
	if (status < 0)
		snprintf(text, sizeof(text), "%s", why[0] ? why : srp_strerror((int)status));
	else if (a.type == CHASSIS_IPC_SAVE)
		snprintf(text, sizeof(text), "Configuration saved to %s",
			 a.path[0] ? a.path : s->ctx->shared->config_file);
	else
		snprintf(text, sizeof(text), "The chassis reloads%s",
			 s->saved == s->generation ? "" : "; changes that were not saved are lost");
	sct_op_finish(op, status < 0 ? (int)status : SRP_OK, text);
	return SRP_OK;
}

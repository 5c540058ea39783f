/* sup_oper: what an operator can have done through sct that only the supervisor may do: write the
 * configuration's file, and end everything to begin again. */
#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/err.h"

#define MODE_NEW 0600

static char program[PATH_MAX]; /* of this process, as it was started */

void sup_answer(struct sup_child *c, enum chassis_ipc type, int status, const char *text, int fd)
{
	uint8_t buf[SUP_ANSWER_MAX + 32];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_array(&w, 2);
	srp_mp_w_int(&w, status);
	srp_mp_w_strn(&w, text, strnlen(text, SUP_ANSWER_MAX));
	if (c->line)
		(void)chassis_conn_send(c->line, (uint8_t)type, w.start, srp_mp_w_len(&w), fd);
}

static int fail(char *why, size_t cap, int rc, const char *what)
{
	snprintf(why, cap, "%.300s: %s", what, strerror(errno));
	return rc;
}

/* --- which file ---------------------------------------------------------------------------- */

/* A path below the directory of the configuration: no part of it is empty, `.` or `..`. */
static bool plain(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (!n || (n == 1 && path[0] == '.') || (n == 2 && !memcmp(path, "..", 2)))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

int sup_save_path(const char *config_file, const char *asked, char dir[], char name[])
{
	char *slash;

	/* What the name leads to is written, not the link to it. */
	if (!realpath(config_file, dir))
		return SRP_EIO;
	slash = strrchr(dir, '/');
	if (!slash)
		return SRP_EIO;
	snprintf(name, PATH_MAX, "%s", slash + 1);
	slash[slash == dir] = '\0';
	if (!asked[0])
		return SRP_OK;
	if (asked[0] == '/') {
		size_t n = strlen(dir);

		if (strncmp(asked, dir, n) != 0 || (n > 1 && asked[n] != '/'))
			return SRP_ERANGE;
		asked += n > 1 ? n + 1 : 1;
	}
	if (!plain(asked) || strlen(asked) >= CHASSIS_PATH_MAX)
		return SRP_ERANGE;
	snprintf(name, PATH_MAX, "%s", asked);
	return SRP_OK;
}

/* The directory that @p name lies in, reached through no link; @p name is the last part afterwards. */
static int parent_open(const char *dir, char *name)
{
	const struct open_how how = {.flags = O_DIRECTORY | O_RDONLY | O_CLOEXEC,
	                             .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	int top = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC), fd;
	char *slash = strrchr(name, '/');

	if (top < 0 || !slash)
		return top;
	*slash = '\0';
	fd = (int)syscall(SYS_openat2, top, name, &how, sizeof(how));
	memmove(name, slash + 1, strlen(slash + 1) + 1);
	close(top);
	return fd;
}

static bool same(const struct stat *a, const char *path)
{
	struct stat b;

	return path[0] && stat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* The mode that the file keeps; 0: there is something that is not to be written over. */
static mode_t target_mode(const struct chassis_config *conf, int dir, const char *name)
{
	const struct chassis_srp_config *srp = &conf->srp;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? MODE_NEW : 0;
	if (!S_ISREG(st.st_mode) || same(&st, srp->cert) || same(&st, srp->key) ||
	    same(&st, srp->ca) || same(&st, conf->state_file) || same(&st, conf->license_file))
		return 0;
	return st.st_mode & 0777;
}

/* --- feature keys -------------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void sup_keys_look(struct chassis_supervisor *s, struct srp_time now)
{
	const char *file = s->shared->config ? s->shared->config->license_file : "";
	struct chassis_slab *slab = s->shared->slab[0];
	uint32_t state = CHASSIS_KEYS_READ;
	bool first = !s->keys_looked.us;
	struct stat st = {0};

	if (!file[0] || (!first && srp_time_since(s->keys_looked, now) < SRP_MS(SUP_KEYS_MS)))
		return;
	s->keys_looked = now;
	if (stat(file, &st) < 0)
		state = CHASSIS_KEYS_GONE;
	else if (first)
		s->keys = st;
	else if (!same_file(&st, &s->keys))
		state = CHASSIS_KEYS_CHANGED;
	if (state == slab->sr.keys)
		return;
	stats_slab_write_begin(&slab->head);
	slab->sr.keys = state;
	stats_slab_write_end(&slab->head);
	if (state != CHASSIS_KEYS_READ)
		chassis_log(LOG_NOTICE, "feature keys %s: the file %s since it was read; what was read acts until "
		            "the next reload", file, state == CHASSIS_KEYS_GONE ? "is gone" : "has changed");
}

/* --- writing ------------------------------------------------------------------------------- */

static int copy(int from, int to, size_t len)
{
	char buf[16384];
	size_t at = 0;

	while (at < len) {
		ssize_t n = pread(from, buf, sizeof(buf) < len - at ? sizeof(buf) : len - at, (off_t)at);

		if (n <= 0) {
			if (n == 0)
				errno = EIO; /* cut off under us */
			return SRP_EIO;
		}
		if (write(to, buf, (size_t)n) != n)
			return SRP_EIO;
		at += (size_t)n;
	}
	return SRP_OK;
}

/* Beside it first, then in its place: whoever reads sees the old text or the new one, after a crash too. */
static int replace(int dir, const char *name, mode_t mode, int from, size_t len, char *why, size_t cap)
{
	char tmp[64];
	int fd, rc;

	snprintf(tmp, sizeof(tmp), ".chassisd-save.%d", (int)getpid());
	(void)unlinkat(dir, tmp, 0);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE_NEW);
	if (fd < 0)
		return fail(why, cap, SRP_EIO, name);
	rc = copy(from, fd, len);
	if (rc == SRP_OK && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		rc = SRP_EIO;
	if (rc == SRP_OK && renameat(dir, tmp, dir, name) < 0)
		rc = SRP_EIO;
	if (rc < 0) {
		rc = fail(why, cap, rc, name);
		(void)unlinkat(dir, tmp, 0);
	} else {
		(void)fsync(dir);
	}
	close(fd);
	return rc;
}

int sup_save_file(const struct chassis_shared *sh, const char *asked, int from, char *why, size_t cap)
{
	char dir[PATH_MAX], name[PATH_MAX];
	struct stat st;
	mode_t mode;
	int rc, fd;

	rc = sup_save_path(sh->config_file, asked, dir, name);
	if (rc < 0) {
		snprintf(why, cap, "%.200s: the file must be in the directory of %.160s", asked,
		         sh->config_file);
		return rc;
	}
	/* A pipe could keep the supervisor waiting. */
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SUP_CONFIG_MAX) {
		snprintf(why, cap, "the text is no file of at most %d bytes", SUP_CONFIG_MAX);
		return SRP_ERANGE;
	}
	fd = parent_open(dir, name);
	if (fd < 0)
		return fail(why, cap, SRP_EIO, asked[0] ? asked : dir);
	mode = target_mode(sh->config, fd, name);
	if (mode) {
		rc = replace(fd, name, mode, from, (size_t)st.st_size, why, cap);
	} else {
		snprintf(why, cap, "%.300s is not a file that may be written over", name);
		rc = SRP_EBUSY;
	}
	close(fd);
	return rc;
}

int sup_save(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body, int fd)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 1);
	char asked[CHASSIS_PATH_MAX], why[SUP_ANSWER_MAX] = "";
	int rc;

	srp_mp_str(&r, asked, sizeof(asked));
	rc = srp_mp_finish(&r);
	if (rc == SRP_OK && (n != 1 || fd < 0))
		rc = SRP_EFORMAT;
	if (rc == SRP_OK) {
		int status = sup_save_file(c->sup->shared, asked, fd, why, sizeof(why));

		if (status == SRP_OK)
			chassis_log(LOG_NOTICE, "the configuration is saved to %s",
			            asked[0] ? asked : c->sup->shared->config_file);
		else
			chassis_log(LOG_ERR, "the configuration is not saved: %s", why);
		sup_answer(c, CHASSIS_IPC_SAVED, status, why, -1);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

/* --- reload -------------------------------------------------------------------------------- */

static void first_error(void *arg, const char *text)
{
	char *why = arg;

	if (!why[0])
		snprintf(why, SUP_ANSWER_MAX, "%s", text);
}

int sup_reload(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct chassis_supervisor *s = c->sup;
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 0);
	struct chassis_config *next;
	char why[SUP_ANSWER_MAX] = "";
	int rc = srp_mp_finish(&r);

	if (rc < 0 || n)
		return rc < 0 ? rc : SRP_EFORMAT;
	if (s->stage != SUP_RUN) {
		sup_answer(c, CHASSIS_IPC_SAVED, SRP_EBUSY, "the chassis ends already", -1);
		return SRP_OK;
	}
	/* A chassis that cannot begin again must not end. */
	next = chassis_config_read(s->shared->config_file, first_error, why);
	if (!next) {
		chassis_log(LOG_ERR, "reload is refused: %s", why);
		sup_answer(c, CHASSIS_IPC_SAVED, SRP_EFORMAT, why, -1);
		return SRP_OK;
	}
	chassis_config_free(next);
	sup_answer(c, CHASSIS_IPC_SAVED, SRP_OK, "", -1);
	chassis_log(LOG_NOTICE, "reload: the chassis ends and begins again");
	s->reload = true;
	chassis_supervisor_stop(s);
	return SRP_OK;
}

void sup_program_note(void)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n > 0 ? n : 0] = '\0';
}

void sup_program_again(const char *config_file, const char *operator_path, const char *suffix)
{
	/* -f: it is where it should be already, in the background too, and keeps its process id. */
	const char *argv[] = {"chassisd", "-f", "-c", config_file, "-s", operator_path,
	                      suffix[0] ? "-n" : NULL, suffix, NULL};
	char *args[sizeof(argv) / sizeof(*argv)];

	for (size_t i = 0; i < sizeof(argv) / sizeof(*argv); i++)
		args[i] = argv[i] ? strdup(argv[i]) : NULL;
	(void)execv(program, args);
	chassis_log(LOG_CRIT, "%s cannot be started again: %s", program, strerror(errno));
}

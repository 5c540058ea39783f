#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define PATTERN_FILE "/proc/sys/kernel/core_pattern"
#define USES_PID     "/proc/sys/kernel/core_uses_pid"
#define PATTERN_MAX  128 /* the kernel's limit */
#define DIR_MODE     01733 /* every task may leave a file there, and none may look */

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

/* --- two deaths on one session ------------------------------------------------------------- */

static bool quarantined(const struct chassis_sr_slab *sr, uint32_t callid)
{
	for (size_t i = 0; i < CHASSIS_QUARANTINE && i < sr->nquarantine; i++)
		if (sr->quarantine[i] == callid)
			return true;
	return false;
}

static void suspect(struct chassis_supervisor *s, uint32_t callid)
{
	struct chassis_sr_slab *sr = &s->shared->slab[0]->sr;
	size_t i, n = s->nsuspects < SUP_SUSPECTS ? s->nsuspects : SUP_SUSPECTS;

	for (i = 0; i < n && s->suspect[i].callid != callid; i++)
		;
	if (i == n) {
		i = s->nsuspects++ % SUP_SUSPECTS;
		s->suspect[i].callid = callid;
		s->suspect[i].deaths = 0;
	}
	if (++s->suspect[i].deaths < 2 || quarantined(sr, callid))
		return;
	stats_slab_write_begin(&s->shared->slab[0]->head);
	sr->quarantine[sr->nquarantine % CHASSIS_QUARANTINE] = callid;
	sr->nquarantine++;
	stats_slab_write_end(&s->shared->slab[0]->head);
	chassis_log(LOG_CRIT, "callid %08" PRIx32 " was worked on at two deaths: it is put aside, and not "
	            "recovered", callid);
}

void sup_crash_see(struct sup_child *c)
{
	struct chassis_supervisor *s = c->sup;
	const struct chassis_slab *slab = s->shared->slab[c->slot];
	struct sup_death *d = &c->death;

	d->seen = true;
	d->wall_ms = wall_ms();
	d->handling = slab->handling;
	d->note = slab->crash_note;
	d->accident = (s->stage == SUP_RUN && !c->ordered) || d->note.set;
	/* Before anybody reads what it has left: its status comes when its memory is gone. */
	if (d->note.set && d->handling && !c->killed)
		suspect(s, d->handling);
}

/* --- backtrace ----------------------------------------------------------------------------- */

/* Where the own program's name is asked for, the room of the title is what is told. */
static const char *object_name(const Dl_info *info)
{
	const char *slash;
	Dl_info own;

	if (dladdr((const void *)(uintptr_t)object_name, &own) && own.dli_fbase == info->dli_fbase)
		return "chassisd";
	slash = strrchr(info->dli_fname, '/');
	return slash ? slash + 1 : info->dli_fname;
}

/* The tasks are forks of this process: what lies where is the same. */
static int frame_text(uint64_t frame, bool exact, char *buf, size_t cap)
{
	uintptr_t at = (uintptr_t)frame, look = exact ? at : at - 1; /* inside the call */
	const char *file;
	Dl_info info;

	if (!dladdr((const void *)look, &info) || !info.dli_fname)
		return snprintf(buf, cap, "0x%" PRIx64 "\n", frame);
	file = object_name(&info);
	if (!info.dli_sname)
		return snprintf(buf, cap, "%s+0x%" PRIxPTR "\n", file, at - (uintptr_t)info.dli_fbase);
	return snprintf(buf, cap, "%s+0x%" PRIxPTR " %s+0x%" PRIxPTR "\n", file,
	                at - (uintptr_t)info.dli_fbase, info.dli_sname, at - (uintptr_t)info.dli_saddr);
}

static void backtrace_text(const struct chassis_crash_note *note, char *out, size_t cap)
{
	size_t used = 0;
	char line[256];

	out[0] = '\0';
	for (uint32_t i = 0; i < note->nframes && i < CHASSIS_FRAMES_MAX; i++) {
		int n = frame_text(note->frame[i], i == 0, line, sizeof(line));

		if (n < 0 || (size_t)n >= sizeof(line) || used + (size_t)n >= cap)
			break; /* whole lines only */
		memcpy(out + used, line, (size_t)n + 1);
		used += (size_t)n;
	}
}

/* --- core files ---------------------------------------------------------------------------- */

static bool read_line(const char *path, char *buf, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, (int)cap, f);

	if (f)
		fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

static size_t put(char *out, size_t cap, size_t n, const char *text)
{
	while (*text && n + 1 < cap)
		out[n++] = *text++;
	out[n] = '\0';
	return n;
}

/* Literal text of the pattern means itself, also where glob would read more into it. */
static size_t put_char(char *out, size_t cap, size_t n, char ch)
{
	const char text[] = {ch, '\0'};

	if (strchr("*?[\\", ch))
		n = put(out, cap, n, "\\");
	return put(out, cap, n, text);
}

/* One specifier of core(5); what cannot be known of a dead process is left open. */
static size_t put_spec(char *out, size_t cap, size_t n, char spec, pid_t pid, int sig)
{
	struct utsname u;
	char text[32];

	switch (spec) {
	case '%':
		return put(out, cap, n, "%");
	case 'p': case 'i':
		snprintf(text, sizeof(text), "%d", (int)pid);
		return put(out, cap, n, text);
	case 's':
		snprintf(text, sizeof(text), "%d", sig);
		return put(out, cap, n, text);
	case 'h':
		return put(out, cap, n, uname(&u) == 0 ? u.nodename : "*");
	default:
		return put(out, cap, n, "*");
	}
}

int sup_crash_pattern(const char *pattern, const char *dir, bool uses_pid, pid_t pid, int sig, char *out,
                      size_t cap)
{
	bool has_pid = false;
	size_t n = 0;

	out[0] = '\0';
	if (pattern[0] == '|')
		return -1;
	if (pattern[0] != '/') {
		for (; *dir; dir++)
			n = put_char(out, cap, n, *dir);
		n = put(out, cap, n, "/");
	}
	for (; *pattern; pattern++) {
		if (*pattern != '%') {
			n = put_char(out, cap, n, *pattern);
			continue;
		}
		if (!*++pattern)
			break; /* a single one at the end is dropped */
		has_pid = has_pid || *pattern == 'p';
		n = put_spec(out, cap, n, *pattern, pid, sig);
	}
	if (uses_pid && !has_pid) {
		n = put(out, cap, n, ".");
		n = put_spec(out, cap, n, 'p', pid, sig);
	}
	return n + 1 < cap ? 0 : -1;
}

/* The newest that fits and was written since the death; false: none. */
static bool core_find(const char *pattern, uint64_t since_ms, char *out, size_t cap)
{
	uint64_t best = 0;
	struct stat st;
	glob_t g;

	if (glob(pattern, 0, NULL, &g) != 0)
		return false;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		uint64_t at;

		if (lstat(g.gl_pathv[i], &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		at = (uint64_t)st.st_mtim.tv_sec * 1000u + (uint64_t)st.st_mtim.tv_nsec / 1000000u;
		/* A clock tick earlier is still this one's. */
		if (at + 1000 < since_ms || at < best)
			continue;
		best = at;
		snprintf(out, cap, "%s", g.gl_pathv[i]);
	}
	globfree(&g);
	return best != 0;
}

/* The next one must not take its place: where the kernel's name does not tell them apart, ours does. */
static void core_keep(pid_t pid, char *path, size_t cap)
{
	const char *file = strrchr(path, '/');
	char text[16], to[PATH_MAX];

	snprintf(text, sizeof(text), "%d", (int)pid);
	if (strstr(file ? file : path, text))
		return;
	if (snprintf(to, sizeof(to), "%s.%s", path, text) < (int)cap && rename(path, to) == 0)
		snprintf(path, cap, "%.*s", (int)cap - 1, to);
}

static void core_text(const struct chassis_config *conf, pid_t pid, const struct sup_death *d, int status,
                      char *out, size_t cap)
{
	char pattern[PATTERN_MAX + 2], uses[8] = "0", path[PATH_MAX];
	const char *dir;

	if (!WIFSIGNALED(status)) {
		snprintf(out, cap, "none: it was no signal");
		return;
	}
	if (!conf || !conf->crash_cores) {
		snprintf(out, cap, "core files are not enabled");
		return;
	}
	if (!read_line(PATTERN_FILE, pattern, sizeof(pattern))) {
		snprintf(out, cap, "core_pattern cannot be read");
		return;
	}
	dir = conf->crash_dir[0] ? conf->crash_dir : CHASSIS_CRASH_DIR;
	(void)read_line(USES_PID, uses, sizeof(uses));
	if (pattern[0] == '|')
		snprintf(out, cap, "core_pattern hands them to a program");
	else if (!WCOREDUMP(status))
		snprintf(out, cap, "none was written to %.160s", pattern[0] == '/' ? pattern : dir);
	else if (sup_crash_pattern(pattern, dir, uses[0] != '0', pid, WTERMSIG(status), path,
	                           sizeof(path)) < 0 ||
	         !core_find(path, d->wall_ms, out, cap))
		snprintf(out, cap, "written by the kernel, not found at %.120s", pattern);
	else
		core_keep(pid, out, cap);
}

void sup_crash_dir(const struct chassis_config *c)
{
	const char *dir = c->crash_dir[0] ? c->crash_dir : CHASSIS_CRASH_DIR;
	struct stat st;

	if (!c->crash_cores)
		return;
	if (mkdir(dir, 0700) == 0)
		(void)chmod(dir, DIR_MODE);
	else if (errno != EEXIST || stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		chassis_log(LOG_WARNING, "directory of core files %s: %s", dir, strerror(errno));
}

/* --- the list ------------------------------------------------------------------------------ */

void sup_crash_record(struct sup_child *c, int status)
{
	struct chassis_supervisor *s = c->sup;
	struct chassis_slab *slab = s->shared->slab[0];
	const struct sup_death *d = &c->death;
	struct chassis_crash *r = &slab->sr.crash[slab->sr.ncrashes % CHASSIS_CRASHES];

	if (!d->accident)
		return;
	stats_slab_write_begin(&slab->head);
	memset(r, 0, sizeof(*r));
	r->wall_ms = d->wall_ms;
	r->task = s->slot[c->slot].row->task;
	r->instance = s->slot[c->slot].instance;
	r->pid = (uint32_t)c->pid;
	r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	r->handling = d->handling;
	r->killed = c->killed;
	if (d->note.set) {
		r->addr = d->note.addr;
		backtrace_text(&d->note, r->backtrace, sizeof(r->backtrace));
	}
	core_text(s->shared->config, c->pid, d, status, r->core, sizeof(r->core));
	slab->sr.ncrashes++;
	stats_slab_write_end(&slab->head);
}

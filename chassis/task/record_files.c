#include "config.h"
#include "chassis/task/record_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "srp/hash.h"

#define MAGIC     0x6a6f75726e616c31u
#define TURN_MAX  20000u /* records of one turn */
#define NAME_LEN  256u
#define TAIL_READ 65536u /* of a file whose last line may not be whole */
#define MODE      0640

/* A file, as the journal has it. */
struct entry {
	char name[NAME_LEN];           /* that it will have */
	char format[ECS_NAME_MAX + 1];
	uint64_t header_hash, bytes, records;
	int64_t opened_s;
	uint32_t stream;
	uint32_t closing;              /* complete: only its name is not there yet */
};

/* One of two copies: the one that `which` names holds. */
struct copy {
	uint64_t tail[CHASSIS_SESSMGRS_MAX + 1];
	uint64_t seq;                  /* of files */
	uint32_t n, zero;
	struct entry file[CHASSIS_RECORD_FILES_MAX];
};

struct journal {
	uint64_t magic;
	uint64_t which;
	struct copy copy[2];
};
_Static_assert(sizeof(struct journal) <= CHASSIS_RECORD_JOURNAL_BYTES, "the journal has room");

struct chassis_files {
	const struct chassis_record_conf *conf;
	int dir[2];
	struct journal *j;
	struct chassis_ring *const *ring;
	size_t nring;
	struct copy now;               /* what is; the journal has what is certain */
	int fd[CHASSIS_RECORD_FILES_MAX];
	struct chassis_files_stats st;
};

static unsigned module_of(uint32_t stream)
{
	return stream == ECS_STREAM_UDR;
}

static void failed(struct chassis_files *f, const char *what, const char *name)
{
	f->st.failures++;
	snprintf(f->st.why, sizeof(f->st.why), "%s %.60s: %s", what, name, strerror(errno));
}

/* What is now is certain. One store changes over. */
static void note(struct chassis_files *f)
{
	uint64_t other = !(f->j->which & 1);

	f->j->copy[other] = f->now;
	__atomic_store_n(&f->j->which, other, __ATOMIC_RELEASE);
}

/* --- names ---------------------------------------------------------------------------------- */

static void temporary(const struct chassis_files *f, const struct entry *e, char out[2 * NAME_LEN])
{
	snprintf(out, 2 * NAME_LEN, "%s_%s", f->conf[module_of(e->stream)].current, e->name);
}

/* NAME_STREAM_FORMAT_TIME_NUMBER.csv */
static void name_file(struct chassis_files *f, struct entry *e)
{
	time_t t = (time_t)e->opened_s;
	struct tm tm = {0};
	char date[32], format[ECS_NAME_MAX + 1];

	gmtime_r(&t, &tm);
	strftime(date, sizeof(date), "%Y%m%d%H%M%S", &tm);
	snprintf(format, sizeof(format), "%s", e->format);
	for (char *p = format; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		      *p == '-'))
			*p = '-';
	snprintf(e->name, sizeof(e->name), "%s_%s_%s_%s_%09" PRIu64 ".csv",
	         f->conf[module_of(e->stream)].name, ecs_stream_name((enum ecs_record_stream)e->stream),
	         format, date, ++f->now.seq);
}

/* The number in a name of ours; 0: there is none. */
static uint64_t number_of(const char *name)
{
	size_t n = strlen(name);
	const char *p = strrchr(name, '_');

	return n > 4 && strcmp(name + n - 4, ".csv") == 0 && p ? strtoull(p + 1, NULL, 10) : 0;
}

/* --- files that are there ------------------------------------------------------------------- */

/* Gives a complete file its name, another one where somebody has that; false: to be tried again. */
static bool give_name(struct chassis_files *f, struct entry *e)
{
	int dir = f->dir[module_of(e->stream)], rc;
	char tmp[2 * NAME_LEN];

	temporary(f, e, tmp);
	rc = renameat2(dir, tmp, dir, e->name, RENAME_NOREPLACE);
	if (rc < 0 && errno == EEXIST) {
		name_file(f, e);
		rc = renameat2(dir, tmp, dir, e->name, RENAME_NOREPLACE);
	}
	if (rc < 0 && errno != ENOENT) { /* not there: a predecessor has done it, and died before it said so */
		failed(f, "rename", e->name);
		return false;
	}
	(void)fsync(dir);
	f->st.files += rc == 0;
	return true;
}

static void forget(struct chassis_files *f, unsigned i)
{
	if (f->fd[i] >= 0)
		close(f->fd[i]);
	f->now.n--;
	for (unsigned k = i; k < f->now.n; k++) {
		f->now.file[k] = f->now.file[k + 1];
		f->fd[k] = f->fd[k + 1];
	}
}

/* A file of a predecessor, in the state that its journal says. */
static void resume(struct chassis_files *f, unsigned i)
{
	struct entry *e = &f->now.file[i];
	int dir = f->dir[module_of(e->stream)];
	char tmp[2 * NAME_LEN];

	temporary(f, e, tmp);
	f->fd[i] = openat(dir, tmp, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd[i] < 0 && errno == ENOENT && !e->closing) {
		f->st.missing += e->records;
		e->closing = 1;
		return;
	}
	if (f->fd[i] < 0) {
		if (errno != ENOENT) /* else it has its name */
			failed(f, "open", e->name);
		return;
	}
	if (ftruncate(f->fd[i], (off_t)e->bytes) < 0 || lseek(f->fd[i], 0, SEEK_END) < 0)
		failed(f, "truncate", e->name);
	f->st.resumed++;
}

/* Completes a file; false: to be tried again. */
static bool complete(struct chassis_files *f, unsigned i)
{
	struct entry *e = &f->now.file[i];

	if (f->fd[i] < 0 && !e->closing)
		resume(f, i);
	if (f->fd[i] < 0 && !e->closing)
		return false;
	if (!e->closing) {
		if (fsync(f->fd[i]) < 0) {
			failed(f, "fsync", e->name);
			return false;
		}
		e->closing = 1;
	}
	/* what it holds is certain, and that it only lacks its name: then it may get that */
	note(f);
	if (!give_name(f, e))
		return false;
	forget(f, i);
	note(f);
	return true;
}

/* What another life of the chassis has left under a name of its own is completed: its last line may not
 * be whole. */
static void adopt(struct chassis_files *f, unsigned module, const char *name, size_t prefix)
{
	int fd = openat(f->dir[module], name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *buf = malloc(TAIL_READ);
	off_t from, end = 0;
	ssize_t n = 0;

	if (fd >= 0 && buf && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		from = st.st_size > (off_t)TAIL_READ ? st.st_size - (off_t)TAIL_READ : 0;
		n = pread(fd, buf, TAIL_READ, from);
		while (n > 0 && buf[n - 1] != '\n')
			n--;
		end = n > 0 ? from + n : 0;
		if (end != st.st_size && ftruncate(fd, end) < 0)
			failed(f, "truncate", name);
		(void)fsync(fd);
	}
	if (fd >= 0 && end > 0 &&
	    renameat2(f->dir[module], name, f->dir[module], name + prefix, RENAME_NOREPLACE) == 0) {
		f->st.files++;
		f->st.resumed++;
	} else if (fd >= 0 && end == 0) {
		(void)unlinkat(f->dir[module], name, 0);
	}
	if (fd >= 0)
		close(fd);
	free(buf);
}

static bool is_open(const struct chassis_files *f, const char *name)
{
	for (unsigned i = 0; i < f->now.n; i++)
		if (strcmp(f->now.file[i].name, name) == 0)
			return true;
	return false;
}

/* Looks through a directory: files of another life, and the highest number. A file that the journal does
 * not know was begun by a predecessor that did not live to say so: what is in it is in the queues still. */
static void survey(struct chassis_files *f, unsigned module, bool fresh)
{
	char prefix[40];
	size_t n = (size_t)snprintf(prefix, sizeof(prefix), "%s_", f->conf[module].current);
	int fd = f->dir[module] < 0 ? -1 : openat(f->dir[module], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		uint64_t seq = number_of(e->d_name);

		if (seq > f->now.seq && seq < UINT64_MAX / 2)
			f->now.seq = seq;
		if (!seq || strncmp(e->d_name, prefix, n) != 0)
			continue;
		if (fresh)
			adopt(f, module, e->d_name, n);
		else if (!is_open(f, e->d_name + n))
			(void)unlinkat(f->dir[module], e->d_name, 0);
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

/* --- life ----------------------------------------------------------------------------------- */

static bool is_string(const char *s, size_t cap)
{
	return memchr(s, '\0', cap) != NULL && !strchr(s, '/');
}

static bool journal_ok(const struct chassis_files *f)
{
	const struct copy *c = &f->j->copy[f->j->which & 1];

	if (f->j->magic != MAGIC || f->j->which > 1 || c->n > CHASSIS_RECORD_FILES_MAX)
		return false;
	for (uint32_t i = 0; i < c->n; i++)
		if (!is_string(c->file[i].name, NAME_LEN) || c->file[i].stream >= ECS_STREAM__N ||
		    memchr(c->file[i].format, '\0', ECS_NAME_MAX + 1) == NULL)
			return false;
	return true;
}

struct chassis_files *chassis_files_open(const struct chassis_record_conf conf[2], const int dir[2],
                                         void *journal, struct chassis_ring *const *ring,
                                         size_t nring)
{
	struct chassis_files *f = calloc(1, sizeof(*f));
	bool known;

	if (!f || nring > CHASSIS_SESSMGRS_MAX + 1) {
		free(f);
		return NULL;
	}
	f->conf = conf;
	memcpy(f->dir, dir, sizeof(f->dir));
	f->j = journal;
	f->ring = ring;
	f->nring = nring;
	for (unsigned i = 0; i < CHASSIS_RECORD_FILES_MAX; i++)
		f->fd[i] = -1;
	known = journal_ok(f);
	if (known) {
		f->now = f->j->copy[f->j->which & 1];
		for (unsigned i = 0; i < f->now.n; i++)
			resume(f, i);
		/* the queues may not have heard of the last turn */
		for (size_t i = 0; i < nring; i++)
			if (ring[i] && f->now.tail[i] > chassis_ring_tail(ring[i]))
				chassis_ring_done(ring[i], f->now.tail[i]);
	}
	for (size_t i = 0; i < nring; i++)
		f->now.tail[i] = ring[i] ? chassis_ring_tail(ring[i]) : 0;
	survey(f, 0, !known);
	survey(f, 1, !known);
	if (!known) {
		f->j->magic = 0;
		f->j->which = 0;
		note(f);
		__atomic_store_n(&f->j->magic, MAGIC, __ATOMIC_RELEASE);
	}
	return f;
}

void chassis_files_close(struct chassis_files *f)
{
	for (unsigned i = 0; f && i < f->now.n; i++)
		if (f->fd[i] >= 0)
			close(f->fd[i]);
	free(f);
}

/* --- writing -------------------------------------------------------------------------------- */

/* All of it, or what was there before. */
static bool append(struct chassis_files *f, unsigned i, const char *p, size_t n)
{
	struct entry *e = &f->now.file[i];
	size_t done = 0;

	while (done < n) {
		ssize_t w = write(f->fd[i], p + done, n - done);

		if (w > 0) {
			done += (size_t)w;
		} else if (w == 0 || errno != EINTR) {
			failed(f, "write", e->name);
			if (ftruncate(f->fd[i], (off_t)e->bytes) == 0)
				(void)lseek(f->fd[i], (off_t)e->bytes, SEEK_SET);
			return false;
		}
	}
	e->bytes += n;
	return true;
}

static int open_file(struct chassis_files *f, const struct chassis_ring_record *r, uint64_t hash,
                     int64_t wall_s)
{
	unsigned i = f->now.n, m = module_of(r->stream);
	struct entry *e = &f->now.file[i];
	char tmp[2 * NAME_LEN];

	if (f->dir[m] < 0)
		return -1;
	*e = (struct entry){.header_hash = hash, .opened_s = wall_s, .stream = r->stream};
	memcpy(e->format, r->format, sizeof(e->format));
	name_file(f, e);
	temporary(f, e, tmp);
	f->fd[i] = openat(f->dir[m], tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE);
	if (f->fd[i] < 0) {
		failed(f, "open", tmp);
		return -1;
	}
	f->now.n++;
	if (f->conf[m].headers &&
	    (!append(f, i, r->header, r->header_len) || !append(f, i, "\n", 1))) {
		(void)unlinkat(f->dir[m], tmp, 0);
		forget(f, i);
		return -1;
	}
	return (int)i;
}

static bool is_due(const struct chassis_files *f, const struct entry *e, size_t more, int64_t wall_s)
{
	const struct chassis_record_conf *c = &f->conf[module_of(e->stream)];

	return e->closing ||
	       (e->records && (e->records >= c->rotate_records || e->bytes + more > c->rotate_bytes ||
	                       wall_s - e->opened_s >= (int64_t)c->rotate_s || wall_s < e->opened_s));
}

/* The file that a record goes to; -1: there is none now. */
static int file_of(struct chassis_files *f, const struct chassis_ring_record *r, int64_t wall_s)
{
	uint64_t hash = srp_hash64(r->header_len, r->header, r->header_len);
	unsigned oldest = 0;

	for (unsigned i = 0; i < f->now.n; i++) {
		struct entry *e = &f->now.file[i];

		if (e->opened_s < f->now.file[oldest].opened_s)
			oldest = i;
		if (e->stream != r->stream || strcmp(e->format, r->format) != 0)
			continue;
		if (e->header_hash == hash && !is_due(f, e, r->line_len + 21, wall_s)) {
			if (f->fd[i] < 0)
				resume(f, i);
			return f->fd[i] < 0 ? -1 : (int)i;
		}
		if (!complete(f, i))
			return -1;
		return open_file(f, r, hash, wall_s);
	}
	if (f->now.n == CHASSIS_RECORD_FILES_MAX && !complete(f, oldest))
		return -1;
	return open_file(f, r, hash, wall_s);
}

/* A record's line, with its number in the file where the format asks for that. */
static bool write_record(struct chassis_files *f, unsigned i, const struct chassis_ring_record *r)
{
	static char line[ECS_RECORD_LINE_MAX + 64u * 21u + 2u];
	struct entry *e = &f->now.file[i];
	size_t n = 0;

	for (size_t k = 0; k < r->line_len && n < sizeof(line) - 24; k++)
		if (r->line[k] == ECS_RECORD_SEQ)
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%" PRIu64, e->records + 1);
		else
			line[n++] = r->line[k];
	line[n++] = '\n';
	if (!append(f, i, line, n))
		return false;
	e->records++;
	f->st.records++;
	f->st.bytes += n;
	return true;
}

/* Takes what a queue holds. False: the disk does not take more now. */
static bool drain(struct chassis_files *f, size_t q, int64_t wall_s, unsigned *left)
{
	struct chassis_ring_record r;

	while (*left > 0) {
		int got = chassis_ring_read(f->ring[q], f->now.tail[q], &r), i;

		if (got == 0) {
			f->now.tail[q] = r.next;
			return true;
		}
		if (got < 0) {
			f->st.broken++;
			f->now.tail[q] = r.next;
			continue;
		}
		if (f->dir[module_of(r.stream)] < 0) { /* and will not be there: others must not wait for it */
			f->st.nowhere++;
			f->now.tail[q] = r.next;
			continue;
		}
		i = file_of(f, &r, wall_s);
		if (i < 0 || !write_record(f, (unsigned)i, &r))
			return false;
		f->now.tail[q] = r.next;
		(*left)--;
	}
	return true;
}

static bool sync_all(struct chassis_files *f)
{
	for (unsigned i = 0; i < f->now.n; i++) {
		const struct entry *e = &f->now.file[i];
		const struct copy *c = &f->j->copy[f->j->which & 1];

		if (f->fd[i] < 0 || (i < c->n && strcmp(c->file[i].name, e->name) == 0 &&
		                     c->file[i].bytes == e->bytes))
			continue;
		if (fdatasync(f->fd[i]) < 0) {
			failed(f, "fdatasync", e->name);
			return false;
		}
	}
	return true;
}

void chassis_files_turn(struct chassis_files *f, int64_t wall_s, bool all)
{
	uint64_t failures = f->st.failures;
	unsigned left = TURN_MAX;
	bool changed = false;

	for (size_t q = 0; q < f->nring; q++) {
		uint64_t was = f->now.tail[q];

		if (f->ring[q] && !drain(f, q, wall_s, &left))
			left = 0;
		changed = changed || f->now.tail[q] != was;
	}
	if (changed) {
		if (!sync_all(f))
			return; /* nothing is certain: the journal says what was before */
		note(f);
		for (size_t q = 0; q < f->nring; q++)
			if (f->ring[q])
				chassis_ring_done(f->ring[q], f->now.tail[q]);
	}
	for (unsigned i = f->now.n; i-- > 0;)
		if (all || is_due(f, &f->now.file[i], 0, wall_s))
			(void)complete(f, i);
	if (f->st.failures == failures)
		f->st.why[0] = '\0';
	f->st.open = f->now.n;
}

struct chassis_files_stats chassis_files_stats(const struct chassis_files *f)
{
	return f->st;
}

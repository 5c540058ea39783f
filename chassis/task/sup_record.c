/* sup_record: what the files of records need that only the supervisor may make: directories for a task
 * without privileges, and memory that outlives its users. */
#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "chassis/task/record_files.h"
#include "srp/err.h"

#define NOBODY   65534u /* that tasks run as */
#define DIR_MODE 0750

static const char *const below[] = {[CHASSIS_RECORDS_EDR] = "edr", [CHASSIS_RECORDS_UDR] = "udr"};

/* The directory of a module: made here, or there already and of who writes it; no link. */
static int dir_open(const struct chassis_record_conf *c, const char *name)
{
	int parent, fd = -1;
	struct stat st;

	if (mkdir(c->directory, 0755) < 0 && errno != EEXIST)
		return -1;
	parent = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return -1;
	if (mkdirat(parent, name, DIR_MODE) == 0 || errno == EEXIST)
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* in a user namespace there is no such user, and the writer is who we are */
	if (fd >= 0 && fstat(fd, &st) == 0 && geteuid() == 0 && st.st_uid == 0)
		(void)!fchown(fd, NOBODY, NOBODY);
	close(parent);
	return fd;
}

/* Before anybody uses it: two would do it at the same time. */
static int queue_format(int fd)
{
	void *p = mmap(NULL, CHASSIS_RECORDS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct chassis_ring *r;

	if (p == MAP_FAILED)
		return SRP_EIO;
	r = chassis_ring_open(p, CHASSIS_RECORDS_BYTES);
	chassis_ring_close(r);
	munmap(p, CHASSIS_RECORDS_BYTES);
	return r ? SRP_OK : SRP_EIO;
}

int sup_records_open(struct chassis_shared *sh)
{
	const struct chassis_config *c = sh->config;
	bool any = false;

	for (unsigned i = 0; c && i < CHASSIS_RECORDS__N; i++) {
		if (!c->records[i].present || !c->records[i].directory[0])
			continue;
		any = true;
		sh->record_dir[i] = dir_open(&c->records[i], below[i]);
		if (sh->record_dir[i] < 0)
			chassis_log(LOG_ERR, "directory of records %s/%s: %s: none are written",
			            c->records[i].directory, below[i], strerror(errno));
	}
	if (!any)
		return SRP_OK;
	sh->record_journal_fd = sup_memory("records", 0, CHASSIS_RECORD_JOURNAL_BYTES);
	if (sh->record_journal_fd < 0)
		return SRP_EIO;
	for (unsigned i = 1; i <= sh->nsessmgr; i++) {
		sh->record_fd[i] = sup_memory("records", i, CHASSIS_RECORDS_BYTES);
		if (sh->record_fd[i] < 0 || queue_format(sh->record_fd[i]) < 0)
			return SRP_EIO;
	}
	return SRP_OK;
}

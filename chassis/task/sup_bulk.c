/* sup_bulk: files of bulk statistics. sct, which may not write anywhere, gets one open in the directory of
 * the configuration; when it is whole on the disk it is given its name: whoever reads sees a whole file or
 * none. What takes time, writing, is sct's; here are opening and renaming alone. */
#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/err.h"

#define MODE     0640

/* The name that it has until it is whole. */
static const char *unfinished(char name[64])
{
	snprintf(name, 64, ".chassisd-bulkstats.%d", (int)getpid());
	return name;
}

static int directory(const struct sup_child *c, char *why, size_t cap)
{
	const char *path = c->sup->shared->config ? c->sup->shared->config->bulk_dir : "";
	int fd = -1;

	if (!path[0]) {
		snprintf(why, cap, "no directory was configured when the chassis started");
		return -1;
	}
	fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		snprintf(why, cap, "%.200s: %s", path, strerror(errno));
	return fd;
}

int sup_bulk_open(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 0);
	char why[SUP_ANSWER_MAX] = "", name[64];
	int rc = srp_mp_finish(&r), dir, fd;

	if (rc < 0 || n)
		return rc < 0 ? rc : SRP_EFORMAT;
	dir = directory(c, why, sizeof(why));
	if (dir < 0) {
		sup_answer(c, CHASSIS_IPC_BULK_OPEN, SRP_EIO, why, -1);
		return SRP_OK;
	}
	/* one that an sct left which is gone */
	(void)unlinkat(dir, unfinished(name), 0);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
	if (fd < 0)
		snprintf(why, sizeof(why), "%.200s: %s", c->sup->shared->config->bulk_dir, strerror(errno));
	sup_answer(c, CHASSIS_IPC_BULK_OPEN, fd < 0 ? SRP_EIO : SRP_OK, why, fd);
	if (fd >= 0)
		close(fd);
	close(dir);
	return SRP_OK;
}

/* A name in that directory which no program hides. */
static bool plain(const char *name)
{
	if (!name[0] || name[0] == '.')
		return false;
	for (; *name; name++)
		if (*name == '/' || (unsigned char)*name < 0x20 || *name == 0x7f)
			return false;
	return true;
}

static int give_name(int dir, const char *name, char *why, size_t cap)
{
	char tmp[64];
	struct stat st;

	if (!plain(name)) {
		snprintf(why, cap, "%.255s is no name of a file", name);
		return SRP_ERANGE;
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)) {
		snprintf(why, cap, "%.255s is not a file that may be written over", name);
		return SRP_EBUSY;
	}
	if (renameat(dir, unfinished(tmp), dir, name) == 0)
		return SRP_OK;
	snprintf(why, cap, "%.255s: %s", name, strerror(errno));
	return SRP_EIO;
}

int sup_bulk_name(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body)
{
	struct srp_mp_r r = srp_mp_r_init(body, h->len);
	uint32_t n = srp_mp_array(&r, 1);
	char name[CHASSIS_BULK_REMOTE + 1], why[SUP_ANSWER_MAX] = "", tmp[64];
	int rc, status, dir;

	srp_mp_str(&r, name, sizeof(name));
	rc = srp_mp_finish(&r);
	if (rc < 0 || n != 1)
		return rc < 0 ? rc : SRP_EFORMAT;
	dir = directory(c, why, sizeof(why));
	status = dir < 0 ? SRP_EIO : name[0] ? give_name(dir, name, why, sizeof(why)) : SRP_OK;
	if (dir >= 0) {
		if (!name[0] || status < 0)
			(void)unlinkat(dir, unfinished(tmp), 0);
		close(dir);
	}
	sup_answer(c, CHASSIS_IPC_BULK_DONE, status, why, -1);
	return SRP_OK;
}

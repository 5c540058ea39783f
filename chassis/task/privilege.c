#include "config.h"
#include "chassis/task/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chassis/task/base.h"
#include "srp/err.h"

#define NOBODY 65534u

/* Which of the shared descriptors a task needs; what is not named is closed in it. */
enum need {
	NEED_LISTEN_CONTROL = 1 << 0,
	NEED_LISTEN_OWN     = 1 << 1, /* of its instance */
	NEED_BEAT_OWN       = 1 << 2, /* of its instance; vpnmgr's is 0 */
	NEED_OPERATOR       = 1 << 3,
	NEED_TUN_OWN        = 1 << 4, /* the queues of its instance */
	NEED_STEER          = 1 << 5,
	NEED_STATE          = 1 << 6,
	NEED_TLS            = 1 << 7,
	NEED_STORE_OWN      = 1 << 8, /* of its instance; a sessmgr reads it only */
	NEED_LEDGER_OWN     = 1 << 9,
	NEED_RUNNING        = 1 << 10,
	NEED_RECORDS_OWN    = 1 << 11, /* the queue of its instance */
	NEED_RECORDS_ALL    = 1 << 12  /* all queues, and what is written of them */
};

static const unsigned task_needs[CHASSIS_TASK__N] = {
	[CHASSIS_TASK_SCT] = NEED_OPERATOR | NEED_RUNNING,
	[CHASSIS_TASK_VPNMGR] = NEED_LISTEN_CONTROL | NEED_BEAT_OWN | NEED_STATE | NEED_TLS,
	[CHASSIS_TASK_DEMUXMGR] = NEED_STEER | NEED_RUNNING,
	[CHASSIS_TASK_SESSMGR] = NEED_LISTEN_OWN | NEED_BEAT_OWN | NEED_TUN_OWN | NEED_TLS |
				 NEED_STORE_OWN | NEED_LEDGER_OWN | NEED_RUNNING | NEED_RECORDS_OWN,
	[CHASSIS_TASK_AAAMGR] = NEED_STORE_OWN,
	[CHASSIS_TASK_CDRMOD] = NEED_RECORDS_ALL,
};

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void chassis_privilege_close(int *keep, size_t n)
{
	unsigned from = 3;

	qsort(keep, n, sizeof(*keep), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			(void)close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	(void)close_range(from, ~0u, 0);
}

struct keeper {
	unsigned needs;
	int *keep;
	size_t n;
};

static void judge(struct keeper *k, int *fd, bool wanted)
{
	if (*fd < 0)
		return;
	if (wanted)
		k->keep[k->n++] = *fd;
	else
		*fd = -1;
}

/* A standby may become any instance of its kind. */
static bool is_own(enum chassis_task task, unsigned instance, unsigned i)
{
	return chassis_task_many(task) && !instance ? i > 0 : i == instance;
}

static void judge_instance(struct keeper *k, struct chassis_shared *shared, unsigned i, bool own)
{
	judge(k, &shared->beat_fd[i], k->needs & NEED_BEAT_OWN && own);
	judge(k, &shared->store_fd[i], k->needs & NEED_STORE_OWN && own);
	judge(k, &shared->ledger_fd[i], k->needs & NEED_LEDGER_OWN && own);
	judge(k, &shared->record_fd[i],
	      k->needs & NEED_RECORDS_ALL || (k->needs & NEED_RECORDS_OWN && own));
	if (!i)
		return;
	judge(k, &shared->listen_instance[i - 1], k->needs & NEED_LISTEN_OWN && own);
	judge(k, &shared->tun_acc[i - 1], k->needs & NEED_TUN_OWN && own);
	judge(k, &shared->tun_core[i - 1], k->needs & NEED_TUN_OWN && own);
}

size_t chassis_privilege_shared(struct chassis_shared *shared, enum chassis_task task,
                                unsigned instance, int *keep)
{
	struct keeper k = {.needs = task_needs[task], .keep = keep};

	judge(&k, &shared->listen_control, k.needs & NEED_LISTEN_CONTROL);
	judge(&k, &shared->operator_fd, k.needs & NEED_OPERATOR);
	judge(&k, &shared->entered_fd, k.needs & NEED_OPERATOR);
	judge(&k, &shared->running_fd, k.needs & NEED_RUNNING);
	judge(&k, &shared->steer_map_fd, k.needs & NEED_STEER);
	judge(&k, &shared->state_fd, k.needs & NEED_STATE);
	judge(&k, &shared->service_dev_fd, false);
	judge(&k, &shared->record_journal_fd, k.needs & NEED_RECORDS_ALL);
	for (unsigned i = 0; i < CHASSIS_RECORDS__N; i++)
		judge(&k, &shared->record_dir[i], k.needs & NEED_RECORDS_ALL);
	for (size_t i = 0; i < shared->nhop; i++)
		judge(&k, &shared->hop[i].fd, k.needs & NEED_TUN_OWN);
	for (unsigned i = 0; i <= CHASSIS_SESSMGRS_MAX; i++)
		judge_instance(&k, shared, i, is_own(task, instance, i));
	if (shared->tls && !(k.needs & NEED_TLS)) {
		chassis_tls_free(shared->tls);
		shared->tls = NULL;
	}
	return k.n;
}

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void chassis_privilege_narrow(struct chassis_shared *shared, enum chassis_task task, unsigned instance)
{
	for (unsigned i = 0; i <= CHASSIS_SESSMGRS_MAX; i++) {
		if (is_own(task, instance, i))
			continue;
		drop(&shared->beat_fd[i]);
		drop(&shared->store_fd[i]);
		drop(&shared->ledger_fd[i]);
		drop(&shared->record_fd[i]);
		if (!i)
			continue;
		drop(&shared->listen_instance[i - 1]);
		drop(&shared->tun_acc[i - 1]);
		drop(&shared->tun_core[i - 1]);
	}
}

void chassis_privilege_store(struct chassis_shared *shared, enum chassis_task task)
{
	char path[40];

	for (unsigned i = 0; i <= CHASSIS_SESSMGRS_MAX && task == CHASSIS_TASK_SESSMGR; i++) {
		int fd;

		if (shared->store_fd[i] < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", shared->store_fd[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue; /* no /proc: it keeps what it has, and maps it for reading */
		(void)dup3(fd, shared->store_fd[i], O_CLOEXEC);
		close(fd);
	}
}

int chassis_privilege_slabs(struct chassis_shared *shared, enum chassis_task task, unsigned instance)
{
	for (size_t slot = 0; slot < shared->nslabs; slot++) {
		enum chassis_task t = CHASSIS_TASK_SUPERVISOR;
		unsigned i = 0;
		bool own = chassis_slot_task(slot, shared->nsessmgr, &t, &i) && t == task &&
			   (i == instance || is_own(task, instance, i));

		if (!own &&
		    mprotect(shared->slab[slot], sizeof(struct chassis_slab), PROT_READ) < 0)
			return SRP_EIO;
	}
	return SRP_OK;
}

/* What could not be done is said once, and is not the end: a chassis in a user namespace of its own
 * has one user and few capabilities, and is no worse for it. */
static void note(int *rc, char *why, size_t cap, const char *what)
{
	if (*rc == SRP_OK)
		snprintf(why, cap, "%s: %s", what, strerror(errno));
	*rc = SRP_EIO;
}

static uint64_t permitted(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{0}};

	if (syscall(SYS_capget, &h, d) < 0)
		return 0;
	return (uint64_t)d[1].permitted << 32 | d[0].permitted;
}

static void drop_user(int *rc, char *why, size_t cap)
{
	if (geteuid() != 0)
		return; /* started without privileges: there is no other user to become */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		note(rc, why, cap, "cannot become the unprivileged user");
}

static void drop_capabilities(uint64_t mask, int *rc, char *why, size_t cap)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{0}};
	uint64_t left = mask & permitted();

	d[0].effective = d[0].permitted = (uint32_t)left;
	d[1].effective = d[1].permitted = (uint32_t)(left >> 32);
	if (syscall(SYS_capset, &h, d) < 0)
		note(rc, why, cap, "cannot drop capabilities");
	else if (left != mask && *rc == SRP_OK) {
		snprintf(why, cap, "capabilities %llx are not there to be kept",
		         (unsigned long long)(mask & ~left));
		*rc = SRP_EIO;
	}
}

/* What is mapped between processes is left out: stores and ledgers are large, and outlive the task. */
static void core_filter(void)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "0x31", 4);
	close(fd);
}

/* A core file holds the key and what subscribers do: there is one only where the operator wants it. */
static void core_files(const struct chassis_config *conf, int *rc, char *why, size_t cap)
{
	rlim_t n = conf && conf->crash_cores ? RLIM_INFINITY : 0;
	const struct rlimit limit = {n, n};

	if (n) {
		const char *dir = conf->crash_dir[0] ? conf->crash_dir : CHASSIS_CRASH_DIR;

		core_filter();
		if (chdir(dir) < 0)
			note(rc, why, cap, dir);
	}
	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		note(rc, why, cap, "core files");
}

int chassis_privilege_drop(const struct chassis_task_row *row, const struct chassis_config *conf,
                           pid_t parent, char *why, size_t cap)
{
	int rc = SRP_OK;

	core_files(conf, &rc, why, cap);
	for (unsigned c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (!(row->capabilities >> c & 1u) && permitted() >> CAP_SETPCAP & 1u)
			(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	if (row->own_uid)
		drop_user(&rc, why, cap);
	drop_capabilities(row->capabilities, &rc, why, cap);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		note(&rc, why, cap, "no_new_privs");
	if (prctl(PR_SET_DUMPABLE, conf && conf->crash_cores ? 1 : 0, 0, 0, 0) < 0)
		note(&rc, why, cap, "dumpable");
	/* Last: a change of the user clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		note(&rc, why, cap, "parent death signal");
	return getppid() == parent ? rc : SRP_ECLOSED;
}

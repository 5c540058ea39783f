#include "config.h"
#include "chassis/task/privilege.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "srp/err.h"

/* What a task never does, and somebody who has broken into it would: run programs, look into other
 * processes, change mounts, namespaces, the kernel. Answered with EPERM. */
static const unsigned denied[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
	SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare,
	SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot,
	SYS_swapon, SYS_swapoff, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_perf_event_open,
	SYS_userfaultfd, SYS_open_by_handle_at, SYS_acct, SYS_quotactl, SYS_settimeofday,
	SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname,
};
#define DENIED (sizeof(denied) / sizeof(*denied))

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define NUMBERS_END 0x40000000u /* above: another way to call the same things (x32) */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define NUMBERS_END 0x40000000u
#endif

int chassis_privilege_filter(const struct chassis_task_row *row)
{
#ifdef ARCH
	struct sock_filter f[DENIED + 8];
	struct sock_fprog prog = {.filter = f};
	unsigned short n = 0, deny = (unsigned short)(DENIED + 6);

	if (!row->own_uid)
		return SRP_OK;
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, arch));
	f[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0,
					    (uint8_t)(deny - n - 1));
	n++;
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, nr));
	f[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NUMBERS_END,
	                                    (uint8_t)(deny - n - 1), 0);
	n++;
	/* Only who was given the capability has maps to feed. */
	f[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
	                                    row->capabilities >> CAP_BPF & 1u ? ~0u : SYS_bpf,
	                                    (uint8_t)(deny - n - 1), 0);
	n++;
	for (size_t i = 0; i < DENIED; i++, n++)
		f[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied[i],
		                                    (uint8_t)(deny - n - 1), 0);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	prog.len = n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0 ? SRP_EIO : SRP_OK;
#else
	(void)row;
	return SRP_OK;
#endif
}

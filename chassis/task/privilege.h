/* privilege: what a task gives up after the fork (R23): descriptors, capabilities, user, and the system
 * calls that nobody needs here but who has broken in. */
#ifndef CHASSIS_TASK_PRIVILEGE_H
#define CHASSIS_TASK_PRIVILEGE_H

#include <stddef.h>
#include <sys/types.h>

#include "chassis/task/task.h"

/** Closes every descriptor but 0, 1, 2 and the @p n in @p keep (sorted here). */
void chassis_privilege_close(int *keep, size_t n);
/**
 * Closes what this task does not need of @p shared, and marks it -1 there; fills @p keep with the
 * others. Frees the TLS identity where the task does not talk to the peer. A standby keeps what is of
 * any instance of its kind.
 *
 * @param keep  room for CHASSIS_KEEP_MAX
 * @return how many are kept
 */
#define CHASSIS_KEEP_MAX (7 * CHASSIS_SESSMGRS_MAX + CHASSIS_HOPS_MAX + 16)
size_t chassis_privilege_shared(struct chassis_shared *shared, enum chassis_task task,
                                unsigned instance, int *keep);
/** Closes what was kept for other instances: this process is @p instance now. */
void chassis_privilege_narrow(struct chassis_shared *shared, enum chassis_task task, unsigned instance);
/** Lets a task that only reads the stores have them for reading only. */
void chassis_privilege_store(struct chassis_shared *shared, enum chassis_task task);
/** Makes all slabs but the own one read-only for this process; a standby writes those of its kind.
 *  0 or SRP_EIO. */
int chassis_privilege_slabs(struct chassis_shared *shared, enum chassis_task task, unsigned instance);
/**
 * Drops capabilities but those of the row, the user where the row says so, core files (unless @p conf
 * wants them: then this process works in their directory), and ties the life of this process to that of
 * @p parent.
 *
 * @param conf  may be NULL
 * @param why   receives what could not be done
 * @return 0; SRP_EIO: not as it should be, @p why says what; SRP_ECLOSED: the parent is gone
 */
int chassis_privilege_drop(const struct chassis_task_row *row, const struct chassis_config *conf,
                           pid_t parent, char *why, size_t cap);
/** Installs the system call filter of unprivileged tasks; 0 or SRP_EIO. */
int chassis_privilege_filter(const struct chassis_task_row *row);

#endif

/* base: how a task process begins. Between supervisor and task base only. */
#ifndef CHASSIS_TASK_BASE_H
#define CHASSIS_TASK_BASE_H

#include <stdnoreturn.h>
#include <sys/types.h>

#include "chassis/task/guard.h"
#include "chassis/task/task.h"

#define CHASSIS_SLAB_LAYOUT 3

/** How `ps` and the log name the standby of a kind: the kind, then this. */
#define CHASSIS_STANDBY_SUFFIX ":standby"

/** What a fresh process gets to become a task. */
struct chassis_task_birth {
	const struct chassis_task_row *row;
	unsigned instance;
	struct chassis_shared *shared;
	struct chassis_guard *guard; /**< locked by the task for the time of its life */
	int line;                    /**< to the supervisor */
	bool standby;                /**< of its kind: calls row->standby instead of row->start */
	pid_t parent;
};

/** Becomes the task; called in the child right after the fork. Never returns. */
noreturn void chassis_task_main(const struct chassis_task_birth *b);

/** Task and instance of a slot; false where there is no such slot among @p nsessmgr instances. */
bool chassis_slot_task(size_t slot, size_t nsessmgr, enum chassis_task *task, unsigned *instance);
/** True where there are instances of this task, and one more that is their standby. */
bool chassis_task_many(enum chassis_task task);
/** True when @p a names @p b among its peers, or the other way round. */
bool chassis_task_related(const struct chassis_task_row *a, const struct chassis_task_row *b);

/** commit.c: a task's part in a change of what runs. */
struct chassis_commit;
/** Reads what runs, where that is not what the chassis began with; 0 or a negative code. */
int chassis_commit_begin(struct chassis_task_ctx *ctx);
/** PREPARE, COMMIT, ABORT of the supervisor; @p fd is taken. 0, or the frame is not right. */
int chassis_commit_rx(struct chassis_commit **commit, struct chassis_task_ctx *ctx,
                      const struct srp_frame_hdr *h, const uint8_t *body, int fd);
/** [attempt, version, digest, wall ms] of CONFIG_NEW (attempt 0) and PREPARE. */
struct srp_mp_w chassis_running_put(uint64_t attempt, const struct chassis_running *r, uint8_t *buf,
                                    size_t cap);
int chassis_running_get(const uint8_t *body, size_t len, uint64_t *attempt,
                        struct chassis_running *out);

/** Body of PEER and GONE: whom, and which of the successive lines to it. */
struct chassis_line_msg {
	enum chassis_task task;
	unsigned instance;
	uint64_t serial;
};
struct srp_mp_w chassis_line_put(const struct chassis_line_msg *m, uint8_t *buf, size_t cap);
/** 0, or SRP_EFORMAT, SRP_ERANGE... @p out is written on success only. Standbys have no lines. */
int chassis_line_get(const uint8_t *body, size_t len, size_t nsessmgr, struct chassis_line_msg *out);

#endif

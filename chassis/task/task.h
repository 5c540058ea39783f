/* task: what every task process has: a loop, its slab, a line to the supervisor and lines to the other
 * tasks, made by the supervisor as socketpairs and handed over again when one of them is restarted. */
#ifndef CHASSIS_TASK_TASK_H
#define CHASSIS_TASK_TASK_H

#include <ev.h>
#include <stdnoreturn.h>

#include "chassis/cli/config.h"
#include "chassis/io/conn.h"
#include "chassis/task/running.h"
#include "chassis/task/slab.h"
#include "srp/mp.h"

#define CHASSIS_BEAT_MS      100   /**< each task writes its beat this often */
#define CHASSIS_STUCK_MS     2000  /**< a beat older than this: the task is killed */
#define CHASSIS_IDLE_BEAT_MS 1000  /**< a standby writes its beat this often */
#define CHASSIS_IDLE_STUCK_MS 5000 /**< a standby whose beat is older is killed */
#define CHASSIS_STORE_BYTES  (8ull << 30) /**< of an aaamgr, at most; memory only for what is there */
#define CHASSIS_ENTERED_BYTES (16ull * 1024 * 1024 + 4096) /**< a configuration's text and a head */
#define CHASSIS_LEDGER_BYTES (2ull << 30) /**< of a sessmgr, likewise */
#define CHASSIS_CRASH_DIR    "/var/crash" /**< core files, unless told otherwise */
#define CHASSIS_OPERATOR_PATH "/run/chassisd.sock" /**< of chassisctl, unless told otherwise */

#define CHASSIS_HOPS_MAX     16   /**< next hops of charging-actions, as the chassis starts */

struct chassis_task_ctx;

/** Frames between tasks: rows of chassis/task/ipc.def. */
#define CHASSIS_IPC(sym, id, min, max, help) CHASSIS_IPC_##sym = id,
enum chassis_ipc {
#include "chassis/task/ipc.def"
};
#undef CHASSIS_IPC
extern const struct srp_frame_table chassis_ipc_frames;

/** What the supervisor prepared before the fork; inherited by every task, never closed by a crash. */
struct chassis_shared {
	const struct chassis_config *config; /**< that which runs */
	struct chassis_running running;  /**< which it is */
	int running_fd;                  /**< sealed memory of it; -1: the one of the start runs */
	const char *config_file;
	struct chassis_slab **slab;      /**< by slot */
	size_t nslabs;
	size_t nsessmgr;
	int listen_control;              /**< TCP, control port; -1 without SRP */
	int listen_instance[CHASSIS_SESSMGRS_MAX]; /**< TCP, port + i */
	int beat_fd[CHASSIS_SESSMGRS_MAX + 1];     /**< UDP, port + i */
	int operator_fd;                 /**< Unix stream socket of chassisctl */
	int entered_fd;                  /**< memory of what operators entered, for the next sct */
	int tun_acc[CHASSIS_SESSMGRS_MAX], tun_core[CHASSIS_SESSMGRS_MAX];
	int service_dev_fd;              /**< holds the device of the service addresses */
	int steer_map_fd;
	int state_fd;                    /**< the persisted term, preallocated */
	int store_fd[CHASSIS_SESSMGRS_MAX + 1];  /**< memory of aaamgr i's store; -1 without session recovery */
	int ledger_fd[CHASSIS_SESSMGRS_MAX + 1]; /**< memory of sessmgr i's volumes; -1 without */
	int record_fd[CHASSIS_SESSMGRS_MAX + 1]; /**< memory of sessmgr i's queue of records; -1 without
	                                              files of records */
	int record_dir[CHASSIS_RECORDS__N]; /**< where they are written; -1: nowhere */
	int record_journal_fd;           /**< memory of what cdrmod has written */
	struct chassis_tls *tls;         /**< certificate and key, read while they can be; NULL without
	                                      SRP, and in the tasks that do not talk to the peer */
	uint64_t incarnation;
	char dev_acc[16], dev_core[16], dev_service[16]; /**< names of the devices */
	struct chassis_hop {             /**< `nexthop-forwarding-address`: what is written there goes by it */
		struct ecs_addr addr;
		char dev[16];
		int fd;
	} hop[CHASSIS_HOPS_MAX];
	size_t nhop;
};

/** The device of a next hop; NULL: it was not configured when the chassis started. */
const struct chassis_hop *chassis_hop_of(const struct chassis_shared *sh, const struct ecs_addr *a);

/** Slot of a task's slab: supervisor 0, sct 1, vpnmgr 2, demuxmgr 3, cdrmod 4, sessmgr i at 5 + 2i, aaamgr
 *  i at 6 + 2i; instance 0 is the standby of its kind. */
size_t chassis_slot(enum chassis_task task, unsigned instance);

/** What a task must know of a configuration that runs from some moment on. */
enum chassis_config_use { CHASSIS_CONFIG_NONE, CHASSIS_CONFIG_DIGEST, CHASSIS_CONFIG_WHOLE };

/** One row per task: how it is named, what it may do, and its main. */
struct chassis_task_row {
	enum chassis_task task;
	const char *name;
	uint64_t capabilities;           /**< kept after the fork; all others are dropped */
	bool own_uid;                    /**< runs as the unprivileged user */
	/** Sets up watchers on ctx->loop; 0 or a negative code. The loop then runs until STOP. */
	int (*start)(struct chassis_task_ctx *ctx);
	/** Started as instance 0, the standby of its kind: takes what it reserves, then idles. Says in
	 *  slab->not_ready what it could not have; where that stays empty, slab->ready is set after it.
	 *  Gets no lines, and no call of stop. NULL: this task has no standby. */
	int (*standby)(struct chassis_task_ctx *ctx);
	/** A standby takes the place of a dead task: instance and slab are that one's now. As start, but
	 *  what the dead one held is recovered. 0 or a negative code. */
	int (*become)(struct chassis_task_ctx *ctx);
	/** STOP was received: finish what must be finished, then call chassis_task_exit. */
	void (*stop)(struct chassis_task_ctx *ctx);
	/** A frame from another task. */
	int (*rx)(struct chassis_task_ctx *ctx, enum chassis_task from, unsigned instance,
	          const struct srp_frame_hdr *h, const uint8_t *body, int fd);
	/** A line to another task is there (again), or is gone. NULL: of no interest. */
	void (*peer)(struct chassis_task_ctx *ctx, enum chassis_task task, unsigned instance, bool up);
	/** What it must know of a configuration that is to run. */
	enum chassis_config_use config_use;
	/** WHOLE: @p next may run soon: takes what memory that needs.
	 *  @p next NULL: it will not. 0 or a negative code. NULL: nothing to do. */
	int (*prepare)(struct chassis_task_ctx *ctx, const struct chassis_config *next);
	/** ctx->shared->config (WHOLE) or ->running (DIGEST) is another from here on; what was there
	 *  before is freed after this. NULL: nothing to do. */
	void (*reconfigured)(struct chassis_task_ctx *ctx);
	/** Whom it talks to, SUPERVISOR ends the list. A sessmgr and an aaamgr get a line between them where
	 *  their instance is the same. */
	enum chassis_task peers[CHASSIS_TASK__N];
};

struct chassis_task_ctx {
	const struct chassis_task_row *row;
	unsigned instance;
	struct ev_loop *loop;
	struct chassis_shared *shared;
	struct chassis_slab *slab;       /**< own, writable */
	void *priv;                      /**< the task's own state */
	struct chassis_task_base *base;
};

/** Sends one frame to a task; SRP_ENOENT when there is no line now. */
int chassis_task_send(struct chassis_task_ctx *ctx, enum chassis_task to, unsigned instance,
                      uint8_t type, const struct srp_mp_w *body, int fd);
bool chassis_task_connected(const struct chassis_task_ctx *ctx, enum chassis_task to,
                            unsigned instance);
/** Bytes queued to a task, for callers that pace themselves. */
size_t chassis_task_queued(const struct chassis_task_ctx *ctx, enum chassis_task to,
                           unsigned instance);
/** Ends this task in order, at once: what else is due in this turn of the loop is not called any more, so
 *  that whoever calls it may have freed what that needs. What is queued to other tasks goes out. */
noreturn void chassis_task_exit(struct chassis_task_ctx *ctx, int status);

/**
 * The longest time that this task has stood still since it was asked last (stopped, not scheduled, or
 * busy in one turn), in microseconds; exact to a quarter of the dead interval. It is known before the
 * first callback of a loop turn, so a task that slept through a dead interval learns it before it acts.
 */
uint64_t chassis_task_gap_us(struct chassis_task_ctx *ctx);

/** Structured log: one line with time, severity, task, instance, and the text. */
void chassis_log(int severity, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void chassis_log_init(const char *where, int severity, const char *task, unsigned instance);

extern const struct chassis_task_row chassis_task_sct, chassis_task_vpnmgr, chassis_task_demuxmgr,
	chassis_task_sessmgr, chassis_task_aaamgr, chassis_task_cdrmod;

/**
 * The supervisor's main: opens, forks, watches.
 *
 * @param suffix  appended to the names of the devices; empty: none
 * @return the exit status of chassisd
 */
int chassis_supervisor_run(const char *config_file, const char *operator_path, const char *suffix,
                           bool foreground);

#endif

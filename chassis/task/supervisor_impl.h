/* supervisor_impl: what the parts of the supervisor share. supervisor.c: start and stop; life.c: the
 * chassis around them; spawn.c: processes and the lines between them; watch.c: who is dead, stuck, or
 * dies too often; open.c: what is opened once and kept for the life of the chassis. */
#ifndef CHASSIS_TASK_SUPERVISOR_IMPL_H
#define CHASSIS_TASK_SUPERVISOR_IMPL_H

#include <sys/queue.h>

#include "chassis/task/base.h"
#include "chassis/task/task.h"

#define SUP_SLOTS_MAX (4u + CHASSIS_SESSMGRS_MAX)
#define SUP_HOLDS_MAX (1u + CHASSIS_SESSMGRS_MAX) /**< descriptors kept for vpnmgr */
#define SUP_CRASHES   5        /**< more of them ... */
#define SUP_CRASH_S   60       /**< ... in this time: the chassis gives up, the peer takes over */
#define SUP_START_MS  10000    /**< a task may take this long before its first beats */
#define SUP_GAP_MS    500      /**< a tick this late: the supervisor stood still, so may have all */
#define SUP_HANDOVER_MS 3000   /**< for vpnmgr to hand over the role */
#define SUP_STOP_MS   5000     /**< then what is left is killed */

struct chassis_supervisor;

/** A process: the live one of a slot, or one whose successor runs already. */
struct sup_child {
	TAILQ_ENTRY(sup_child) link;
	struct chassis_supervisor *sup;
	size_t slot;
	pid_t pid;     /**< 0: reaped, only its guard is left */
	int pidfd;
	ev_io exited;
	struct chassis_conn *line;
	struct chassis_guard *guard;
	struct srp_time born;
	bool ready, killed;
};

/** A task of the chassis, whichever process it is now. */
struct sup_slot {
	const struct chassis_task_row *row;
	unsigned instance;
	struct sup_child *live;
	struct srp_time death[SUP_CRASHES]; /**< the last ones, in a ring */
	size_t deaths;
};

enum sup_stage { SUP_RUN, SUP_HANDOVER, SUP_STOP, SUP_KILL };

struct chassis_supervisor {
	struct ev_loop *loop;
	struct chassis_shared *shared;
	struct sup_slot slot[SUP_SLOTS_MAX];
	TAILQ_HEAD(sup_children, sup_child) children;
	uint64_t serial;                               /**< of the last line made */
	uint64_t line[SUP_SLOTS_MAX][SUP_SLOTS_MAX];   /**< serial of the line between two; 0: none */
	bool broken[SUP_SLOTS_MAX][SUP_SLOTS_MAX];     /**< reported as broken: made again at the tick */
	int hold[SUP_HOLDS_MAX];
	int guard_fd;
	ev_io guards;
	ev_timer tick;
	struct srp_time last_tick, fresh;              /**< fresh: nobody's beat is judged by older times */
	enum sup_stage stage;
	struct srp_time stop_began;
	int status;
	bool all_ready;
	void (*on_ready)(void *arg);                   /**< all tasks have started; once */
	void *on_ready_arg;
};

/* supervisor.c */
/**
 * Makes a supervisor of the tasks of @p shared.
 *
 * @param rows    by enum chassis_task; kept
 * @return to be freed with chassis_supervisor_free when no task is left; NULL without memory
 */
struct chassis_supervisor *chassis_supervisor_new(struct ev_loop *loop, struct chassis_shared *shared,
                                                  const struct chassis_task_row *const *rows);
void chassis_supervisor_free(struct chassis_supervisor *s);
/** Forks all tasks; 0 or a negative code. */
int chassis_supervisor_start(struct chassis_supervisor *s);
/** Ends all tasks in order (vpnmgr first), then breaks the loop. */
void chassis_supervisor_stop(struct chassis_supervisor *s);
/** Kills all tasks, then breaks the loop; chassisd ends with @p status. */
void chassis_supervisor_abandon(struct chassis_supervisor *s, int status);
/** Goes on with the stages of stopping. */
void chassis_supervisor_advance(struct chassis_supervisor *s);

/* spawn.c */
int sup_spawn(struct chassis_supervisor *s, size_t slot);
/** Makes the lines of a slot to all live tasks that it talks to. */
void sup_connect(struct chassis_supervisor *s, size_t slot);
/** Makes again what was reported as broken. */
void sup_repair(struct chassis_supervisor *s);
/** Tells all live tasks that a slot's process is gone. */
void sup_tell_gone(struct chassis_supervisor *s, size_t slot);
/** Sends a frame without content. */
void sup_order(struct sup_child *c, uint8_t type);
void sup_kill(struct sup_child *c);
/** Frees what the process left; its guard may take some more ticks. */
void sup_child_free(struct sup_child *c);

/* watch.c */
void sup_died(struct sup_child *c);
void sup_exited(struct ev_loop *loop, ev_io *w, int revents);
void sup_watch_start(struct chassis_supervisor *s);
void sup_watch_stop(struct chassis_supervisor *s);

/* open.c */
struct chassis_steer;

struct sup_opened {
	struct chassis_shared shared;
	struct chassis_config *config;
	struct chassis_steer *steer;
	char operator_path[CHASSIS_PATH_MAX];
	bool swept; /**< leftovers were removed, and what is made now is removed at the end */
};

/** Reads and parses the configuration; errors go to standard error. NULL after one. */
struct chassis_config *chassis_config_load(const char *file);
/** Shared memory of all tasks, before anything is opened; 0 or SRP_ENOMEM. */
int sup_slabs_open(struct chassis_shared *sh);
void sup_slabs_close(struct chassis_shared *sh);
/** Marks all descriptors as not there. */
void sup_shared_init(struct chassis_shared *sh, const struct chassis_config *c);
/**
 * Opens everything that @p o->config speaks of, or nothing.
 *
 * @param why  receives what could not be opened
 * @return 0; SRP_EBUSY: somebody holds it, perhaps a chassis that is just dying; SRP_EIO
 */
int sup_open(struct sup_opened *o, const char *operator_path, const char *suffix, char *why, size_t cap);
/** Closes it, and removes what it has left in the system. */
void sup_close(struct sup_opened *o);

#endif

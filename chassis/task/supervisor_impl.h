/* supervisor_impl: what the parts of the supervisor share. supervisor.c: start and stop; life.c: the
 * chassis around them; spawn.c: processes and the lines between them; watch.c: who is dead, stuck, or
 * dies too often; sup_again.c: who is started with a delay, and what cannot be had now; sup_standby.c: who
 * waits to take the place of the dead; sup_crash.c: what is known of a death; sup_sr.c: whether the next
 * one would be survived; sup_oper.c: save and reload; open.c: what is opened once and kept for the life of
 * the chassis. */
#ifndef CHASSIS_TASK_SUPERVISOR_IMPL_H
#define CHASSIS_TASK_SUPERVISOR_IMPL_H

#include <sys/queue.h>
#include <sys/stat.h>

#include "chassis/task/base.h"
#include "chassis/task/task.h"

#define SUP_SLOTS_MAX (5u + 2u * (CHASSIS_SESSMGRS_MAX + 1u))
#define SUP_HOLDS_MAX (1u + CHASSIS_SESSMGRS_MAX) /**< descriptors kept for vpnmgr */
#define SUP_CRASHES   5        /**< more of them ... */
#define SUP_CRASH_S   60       /**< ... in this time: the peer takes over, or there is a delay from then on */
#define SUP_DELAY_MS  1000     /**< before the next start of who dies too often; twice as long each time ... */
#define SUP_DELAY_MAX_MS 10000 /**< ... up to this, until one has lived for SUP_CRASH_S */
#define SUP_HANG_MS   200      /**< an aaamgr that a recovery waits for is killed when its beat is older */
#define SUP_DESCRIPTORS 65536u /**< the limit is raised to this, where that is permitted */
#define SUP_START_MS  10000    /**< a task may take this long before its first beats */
#define SUP_GAP_MS    500      /**< a tick this late: the supervisor stood still, so may have all */
#define SUP_HANDOVER_MS 3000   /**< for vpnmgr to hand over the role */
#define SUP_STOP_MS   5000     /**< then what is left is killed */
#define SUP_WARM_MS   2000     /**< a new standby waits this long at most for a recovery that goes on */
#define SUP_COMMIT_MS 15000    /**< for all tasks to build what is to run */
#define SUP_RETRY_MS  30000    /**< a standby that could not have what it reserves is made anew */
#define SUP_KEYS_MS   1000     /**< the feature-key file is looked at this often */
#define SUP_CONFIG_MAX (16 * 1024 * 1024) /**< bytes of a configuration */
#define SUP_SUSPECTS  64       /**< call-ids remembered for having killed once */

struct chassis_supervisor;

/** What was seen when a process died, kept until its status is known. */
struct sup_death {
	bool seen, accident;
	uint64_t wall_ms;
	uint32_t handling;
	struct chassis_crash_note note;
};

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
	bool becoming; /**< a standby until now */
	bool ordered;  /**< told to end: its death is no accident */
	uint64_t asked; /**< attempt that it was asked to prepare; 0: none */
	bool prepared;  /**< it has */
	struct sup_death death;
};

/** A task of the chassis, whichever process it is now. */
struct sup_slot {
	const struct chassis_task_row *row;
	unsigned instance;
	bool wanted;   /**< started at all */
	bool standby;
	struct srp_time vacant; /**< a standby's: since when there is none */
	bool looping;           /**< it dies too often; else it could not be started */
	uint32_t delay_ms;      /**< it dies too often, or cannot be started: waited for so long; 0: it is well */
	struct srp_time retry;  /**< not before this, for: */
	char late[96];
	struct sup_child *live;
	struct srp_time death[SUP_CRASHES]; /**< the last ones, in a ring */
	size_t deaths;
};

/** A configuration that is to run; see sup_commit.c. */
struct sup_commit {
	uint64_t attempt; /**< answers to earlier ones, perhaps of the same version, say nothing; 0: there
	                       is none */
	struct chassis_running is;
	pid_t from;       /**< the sct that offered it */
	int fd;
	struct srp_time deadline;
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
	struct sup_commit commit;
	uint64_t attempts;                             /**< so many commits were tried */
	int guard_fd;
	ev_io guards;
	ev_timer tick;
	struct srp_time last_tick, fresh;              /**< fresh: nobody's beat is judged by older times */
	enum sup_stage stage;
	struct srp_time stop_began;
	int status;
	bool all_ready;                                /**< all but the standbys have started once */
	int lines_short;                               /**< why not all lines could be made; 0: they are */
	bool reload;                                   /**< when all has ended, the program begins again */
	struct stat keys;                              /**< of the feature-key file, as it was read */
	struct srp_time keys_looked;
	struct { uint32_t callid, deaths; } suspect[SUP_SUSPECTS];
	size_t nsuspects;                              /**< ever */
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
/** Ends all tasks in order with a failure: the peer is given the role first, even if not all is well. */
void chassis_supervisor_give_up(struct chassis_supervisor *s);
/** Kills all tasks, then breaks the loop; chassisd ends with @p status. */
void chassis_supervisor_abandon(struct chassis_supervisor *s, int status);
/** Goes on with the stages of stopping. */
void chassis_supervisor_advance(struct chassis_supervisor *s);

/* spawn.c */
int sup_spawn(struct chassis_supervisor *s, size_t slot);
/** Makes the lines of a slot to all live tasks that it talks to. */
void sup_connect(struct chassis_supervisor *s, size_t slot);
/** Calls on_ready, once, when all have started that are waited for: an aaamgr that cannot is not. */
void sup_judge_ready(struct chassis_supervisor *s);
/** Makes again what was reported as broken. */
void sup_repair(struct chassis_supervisor *s);
/** Tells all live tasks that a slot's process is gone. */
void sup_tell_gone(struct chassis_supervisor *s, size_t slot);
/** Prepares a slab for another process: what its dead owner was tells nothing of the next. */
void sup_slab_begin(struct chassis_supervisor *s, size_t slot);
/** Sends a frame without content. */
void sup_order(struct sup_child *c, uint8_t type);
void sup_kill(struct sup_child *c);
/** Frees what the process left; its guard may take some more ticks. */
void sup_child_free(struct sup_child *c);

/* watch.c */
/** How the log names a slot; returns @p buf. */
const char *sup_who(const struct chassis_supervisor *s, size_t slot, char *buf, size_t cap);
void sup_died(struct sup_child *c);
/** Somebody takes the place of a dead process: the standby, or a new one; or that is put off. */
void sup_replace(struct chassis_supervisor *s, size_t slot);
/** A session manager cannot go on without its mirror, which does not answer: HANGS. */
void sup_hangs(struct sup_child *c);
void sup_exited(struct ev_loop *loop, ev_io *w, int revents);
void sup_watch_start(struct chassis_supervisor *s);
void sup_watch_stop(struct chassis_supervisor *s);

/* sup_again.c */
/** What sup_spawn has failed of. */
const char *sup_spawn_why(int rc);
/** The peer can be given the role: this chassis is active, and the peer its standby. */
bool sup_peer_stands_by(const struct chassis_supervisor *s);
/** The next start of a slot is later, each time later still; the text is that of the status. */
void sup_put_off(struct chassis_supervisor *s, size_t slot, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** It is to be started with a delay; or has been, for dying too often, and has not lived long enough since. */
bool sup_unsteady(const struct sup_slot *x, struct srp_time now);
/** Starts who was put off and is due; who has lived long enough is well again. */
void sup_again(struct chassis_supervisor *s, struct srp_time now);
/** As many descriptors as are permitted: an instance takes a dozen. */
void sup_descriptors_raise(void);
/** Not all lines between tasks could be made, for an errno; 0: they are made now. Said once. */
void sup_lines_short(struct chassis_supervisor *s, int error);

/* sup_standby.c */
/** The ready standby of its kind takes the place of a slot's dead process; false: there is none. */
bool sup_take_over(struct chassis_supervisor *s, size_t slot);
/** A standby is gone; one that dies too often is left for a while. @p loop: it does. */
void sup_standby_gone(struct chassis_supervisor *s, size_t slot, bool ordered, bool loop);
/** Forks the standbys that are not there, when it disturbs nobody. */
void sup_standbys(struct chassis_supervisor *s, struct srp_time now);

/* sup_crash.c */
/** The process is dead: remembers what its slab says of that, and puts aside what has killed twice. */
void sup_crash_see(struct sup_child *c);
/** Its status is known: one more in the list of crashes. */
void sup_crash_record(struct sup_child *c, int status);
/**
 * Where the kernel puts a core file, as a pattern for glob(3).
 *
 * @param pattern   that of the kernel, core(5)
 * @param dir       where the process worked
 * @param uses_pid  core_uses_pid is set
 * @return 0; -1: it goes to a program, or @p cap is too small
 */
int sup_crash_pattern(const char *pattern, const char *dir, bool uses_pid, pid_t pid, int sig, char *out,
                      size_t cap);
/** Makes the directory of core files, where the configuration wants them. */
void sup_crash_dir(const struct chassis_config *c);

/* sup_sr.c */
/** Judges whether the death of any session manager would be survived now, and says so in the slab. */
void sup_sr_judge(struct chassis_supervisor *s, struct srp_time now);

/* sup_oper.c */
#define SUP_ANSWER_MAX 400 /**< characters of the text of an answer */
/** Answers a task: [status, text], with @p fd (borrowed) where it is not -1. */
void sup_answer(struct sup_child *c, enum chassis_ipc type, int status, const char *text, int fd);
/** Looks now and then whether the feature-key file is the one that was read, and says so in the slab. */
void sup_keys_look(struct chassis_supervisor *s, struct srp_time now);
/**
 * Which file a save means.
 *
 * @param asked  empty: the configuration's own; else a path below its directory
 * @param dir    receives the directory of the configuration, links followed
 * @param name   receives the path below it
 * @return 0; SRP_ERANGE: not below it; SRP_EIO: the configuration's own cannot be found
 */
int sup_save_path(const char *config_file, const char *asked, char dir[], char name[]);
/** Copies all of the regular file @p from to where @p asked means; 0, or a code and @p why. */
int sup_save_file(const struct chassis_shared *sh, const char *asked, int from, char *why, size_t cap);
/** SAVE of sct: writes the text from @p fd (closed here) and answers. 0, or the frame is not right. */
int sup_save(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body, int fd);
/** RELOAD of sct: refused, or everything ends in order, and then the program begins again. */
int sup_reload(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body);
/** BULK of sct: a file of bulk statistics is begun in the directory of the start's configuration, under a
 *  name that is nobody's. 0, or the frame is not right. */
int sup_bulk_open(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body);
/** BULK_NAME of sct: it gets its name, or goes. */
int sup_bulk_name(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body);
/** Remembers which program this is; before anything could replace its file. */
void sup_program_note(void);
/** Begins the program again, in this process. Returns only where that fails. */
void sup_program_again(const char *config_file, const char *operator_path, const char *suffix);

/* sup_commit.c */
/** CONFIG_NEW of sct, @p fd is taken; PREPARED of a task. 0, or the frame is not right. */
int sup_config_new(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body, int fd);
int sup_prepared(struct sup_child *c, const struct srp_frame_hdr *h, const uint8_t *body);
/** A new process may have been born with what runs until now: it is asked, too. */
void sup_commit_born(struct sup_child *c);
/** Commits where all have built it; calls it off after a while. */
void sup_commit_advance(struct chassis_supervisor *s, struct srp_time now);
void sup_commit_fini(struct chassis_supervisor *s);

/* open.c */
struct chassis_steer;

struct sup_opened {
	struct chassis_shared shared;
	struct chassis_config *config;
	struct chassis_steer *steer;
	char operator_path[CHASSIS_PATH_MAX];
	bool swept; /**< leftovers were removed, and what is made now is removed at the end */
};

/** Reads and parses a configuration; NULL after an error that @p err was called with. */
struct chassis_config *chassis_config_read(const char *file, chassis_config_error_fn *err, void *arg);
/** Reads and parses the configuration; errors go to standard error. NULL after one. */
struct chassis_config *chassis_config_load(const char *file);
/** Shared memory of all tasks, before anything is opened; 0 or SRP_ENOMEM. */
int sup_slabs_open(struct chassis_shared *sh);
void sup_slabs_close(struct chassis_shared *sh);
/** Memory of the stores and ledgers, where the configuration has session recovery; 0 or SRP_EIO. */
int sup_memory_open(struct chassis_shared *sh, char *why, size_t cap);
/** Memory that outlives its users, sealed at that size; -1 with errno. */
int sup_memory(const char *kind, unsigned instance, uint64_t bytes);
/** sup_record.c: directories, queues and journal of records, where the configuration has files of them. A
 *  directory that cannot be had is logged; 0, or SRP_EIO with errno where there is no memory. */
int sup_records_open(struct chassis_shared *sh);
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

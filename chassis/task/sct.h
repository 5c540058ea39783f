/* sct: inside of the task that operators talk to. What can be read from the configuration and from
 * the slabs is answered at once; the rest is asked of the tasks, a page at a time, and never for
 * ever. */
#ifndef CHASSIS_TASK_SCT_H
#define CHASSIS_TASK_SCT_H

#include "chassis/cli/answer.h"
#include "chassis/cli/exec.h"
#include "chassis/cli/show.h"
#include "chassis/task/background.h"
#include "chassis/task/commands.h"
#include "chassis/task/task.h"

#define SCT_OPERATORS  16u
#define SCT_ASKED_MAX  8192u              /**< questions that are not answered yet */
#define SCT_OUT_LOW     (64u * 1024) /**< less than this is waiting: the next page is asked for */
#define SCT_OUT_MAX    (64u * 1024 * 1024) /**< more than this is cut, and the answer says so */
#define SCT_LOAD_WINDOW 256u              /**< sessions under way of one file */

struct sct;
struct sct_op;

/* WAIT: for the supervisor */
enum sct_job_kind {
	SCT_JOB_NONE, SCT_JOB_ROWS, SCT_JOB_SESSIONS, SCT_JOB_SRP, SCT_JOB_CALL, SCT_JOB_COMMAND, SCT_JOB_LOAD, SCT_JOB_WAIT
};

/** Where a command goes and how its answers are judged. */
struct sct_command {
	enum chassis_command command;
	bool any;                  /**< one task that agrees is enough */
	unsigned timeout_s;
	const char *done;          /**< said after success; NULL: the text of the answer */
};

/** A file of sessions being read. */
struct sct_load {
	int fd;
	char buf[8192];
	size_t have, at;
	bool eof;
	unsigned line;
	unsigned waited;           /**< seconds, for a demuxmgr that is not there */
	uint64_t added, refused;
};

/** What the command of an operator waits for. */
struct sct_job {
	enum sct_job_kind kind;
	ev_timer timer;
	unsigned waits;            /**< answers outstanding */
	/* rows */
	struct chassis_show_rows show;
	struct chassis_show_sessions sessions;
	unsigned query;            /**< enum chassis_query, or one of those beside it */
	enum chassis_task task;
	unsigned instance, last;   /**< being asked; the last to ask */
	uint64_t cursor;
	uint32_t callid;
	char filter[96];           /**< which sessions, where not by callid */
	unsigned calls;            /**< shown so far */
	bool page_due;
	/* command */
	struct sct_command command;
	unsigned agreed;
	uint64_t value, counted;
	int status;                /**< first refusal */
	char text[400];
	struct sct_load *load;
};

/** One operator. */
struct sct_op {
	struct sct *sct;
	struct chassis_conn *conn; /**< NULL: the place is free */
	uint64_t serial;           /**< of the successive operators of a place */
	char *out;                 /**< rendered, not handed to the connection yet */
	size_t out_len, out_off, out_cap;
	bool cut;
	struct stats_doc doc;
	bool busy;                 /**< a command is being answered */
	bool finished;             /**< all of its answer is in out */
	int status;
	bool timestamps;
	struct chassis_config_edit *edit; /**< in configuration mode; else NULL */
	uint64_t edit_of;          /**< generation that it began with */
	struct sct_job job;
};

/** A question under way. */
struct sct_asked {
	uint32_t id;               /**< 0: free */
	unsigned op;
	uint64_t serial;
	unsigned tag;              /**< instance, or line of the file */
};

/** What the supervisor was asked and has not answered. */
struct sct_asking {
	enum chassis_ipc type;     /**< SAVE or RELOAD; 0: nothing */
	unsigned op;
	uint64_t serial;
	uint64_t generation;       /**< that is saved */
	char path[CHASSIS_PATH_MAX]; /**< empty: the file that the chassis starts from */
};

/** What is entered begins to act: one change at a time. */
struct sct_commit {
	struct sct *sct;
	bool on;
	struct chassis_background work;
	unsigned op;               /**< whose it is */
	uint64_t serial;
	const struct chassis_config *running; /**< runs until now */
	struct chassis_config *next;          /**< was entered; owned */
	bool acts, waits;          /**< some of it acts at once; some after a reload */
	struct chassis_running is;
	struct chassis_running_file built;    /**< is to run; owned */
	int fd;                    /**< what the tasks get; -1: nothing yet */
	int status;
	char why[400];
};

#define SCT_BULK_MAX (1024u * 1024) /**< bytes of a file that wait to be written; more is discarded */

/** What is collected for one file and not written yet. */
struct sct_bulk_file {
	char *text;
	size_t len, cap;
	uint64_t records;
};

enum sct_bulk_step { SCT_BULK_IDLE, SCT_BULK_OPENING, SCT_BULK_WRITING, SCT_BULK_NAMING };

/** Bulk statistics; one file is written at a time. */
struct sct_bulk {
	ev_timer sample, transfer;
	uint32_t sample_min, transfer_min; /**< that the timers have; 0: they stand */
	struct sct_bulk_file file[CHASSIS_BULK_FILES];
	/* totals */
	uint64_t collected_records, collected_bytes, sent_records, sent_bytes, lost_records, lost_bytes;
	uint64_t failures, collect_ms, transfer_ms;
	time_t last;               /**< successful transfer; 0: none yet */
	char why[420];             /**< of the last failure; empty: none since the last success */
	/* the transfer under way */
	enum sct_bulk_step step;
	unsigned at;               /**< index of the file */
	struct srp_time began;
	struct chassis_background work;
	int fd, status;
	char *text;                /**< the whole file */
	size_t len, taken;         /**< taken: bytes of the file's lines in it */
	uint64_t taken_records;
	char name[CHASSIS_BULK_REMOTE + 1];
};

struct sct {
	struct chassis_task_ctx *ctx;
	const struct chassis_config *started;    /**< that of the start */
	const struct chassis_config *configured; /**< the same, and what was entered since */
	struct chassis_config *entered;          /**< the same where something was; owned */
	uint64_t generation, saved; /**< of the configured state; the one that was saved last */
	struct sct_asking asking;
	struct sct_commit commit;
	struct sct_bulk bulk;
	const struct chassis_config *running;    /**< ctx->shared->config where that was made here; else NULL */
	struct chassis_grammar *grammar;
	struct chassis_slab *copy;
	ev_io listen;
	ev_timer last;
	struct sct_op op[SCT_OPERATORS];
	struct sct_asked asked[SCT_ASKED_MAX];
	uint32_t next_id;
	uint64_t next_serial;
};

/* --- sct_op.c: operators -------------------------------------------------------------------- */

void sct_op_accept(struct sct *s, int fd);
void sct_op_put(void *op, const char *p, size_t n);
/** Ends the answer: with "Failure: @p text" where @p status is negative, else with @p text. */
void sct_op_finish(struct sct_op *op, int status, const char *text);
/** Bytes that wait for the operator to read. */
static inline size_t sct_op_waiting(const struct sct_op *op) { return op->out_len - op->out_off; }

/* --- sct_run.c: lines ----------------------------------------------------------------------- */

/** Runs one line; the answer may come later. @p fd: a passed file (taken), or -1. */
void sct_run(struct sct_op *op, const char *line, size_t len, int fd);

/* --- sct_show.c, sct_command.c: tables of what lines mean ------------------------------------ */

/** Answers where the line is one that shows something, or one that does something; else false. */
bool sct_show(struct sct_op *op, const struct chassis_match *m);
bool sct_command(struct sct_op *op, const struct chassis_match *m);

/** What shows look at. */
struct chassis_view sct_view(struct sct *s);
/** The call that is named; 0: all. */
static inline uint32_t sct_callid(const struct chassis_match *m)
{
	return (uint32_t)chassis_match_num(m, "callid", 0);
}

/* --- sct_bulk.c: bulk statistics -------------------------------------------------------------- */

/** The configuration that runs is another one: timers, and what is kept of files. */
void sct_bulk_configured(struct sct *s);
/** `bulkstats force ...`, `clear bulkstats ...`. */
void sct_bulk_force(struct sct_op *op, const struct chassis_match *m);
void sct_bulk_clear(struct sct_op *op, const struct chassis_match *m);
/** `show bulkstats ...`. */
void sct_bulk_show(struct sct_op *op, const struct chassis_match *m);
void sct_bulk_variables(struct sct_op *op, const struct chassis_match *m);
/** BULK_OPEN and BULK_DONE; @p fd is taken. */
int sct_bulk_rx(struct sct *s, const struct srp_frame_hdr *h, const uint8_t *body, int fd);

/* --- sct_config.c: configuration mode ------------------------------------------------------- */

/** `configure`. */
void sct_config_begin(struct sct_op *op);
/** `active-charging service NAME`: the same, and opens it; with @p no it is removed at once. */
void sct_config_service(struct sct_op *op, const char *name, bool no);
/** A line of an operator who is in configuration mode; @p fd: of a file that it names (borrowed), or
 *  -1. */
void sct_config_line(struct sct_op *op, const char *line, size_t len, int fd);
/** Leaves configuration mode; what was entered is forgotten. */
void sct_config_drop(struct sct_op *op);
/** The configured state is @p next (taken) now. */
void sct_config_changed(struct sct *s, struct chassis_config *next);
/** `upgrade ... database`: @p fd: the file that the shell opened (borrowed), or -1. */
void sct_config_upgrade(struct sct_op *op, const struct chassis_match *m, int fd);
/** @p path: NULL: the file that the chassis started from. */
void sct_config_save(struct sct_op *op, const char *path);
void sct_config_reload(struct sct_op *op);
/** SAVED: the supervisor's answer to both. */
int sct_config_saved(struct sct *s, const struct srp_frame_hdr *h, const uint8_t *body);
/** A configuration as text of @p len bytes, to be freed with free(); NULL: no memory. */
char *sct_config_text(const struct chassis_config *c, size_t *len);

/* --- sct_commit.c: what was entered begins to act --------------------------------------------- */

/**
 * Makes @p next (taken), whose service is not committed yet, the configured state, and what of it can
 * act without a reload that which runs: of all tasks, or of none. The operator is answered then.
 * @return 0: he will be; SRP_EBUSY: another change is under way; SRP_ENOMEM
 */
int sct_commit_begin(struct sct_op *op, struct chassis_config *next);
/** CONFIG_DONE of the supervisor. */
int sct_commit_done(struct sct *s, const struct srp_frame_hdr *h, const uint8_t *body);

/* --- sct_entered.c: the configured state outlives this task ---------------------------------- */

/** Writes the configured state where the next sct finds it. */
void sct_entered_keep(struct sct *s);
/** The same with what may be the configured state in a moment. */
void sct_entered_write(struct sct *s, const struct chassis_config *c, uint64_t generation);
/** Takes over what an earlier sct left there; the configured state is that of the start if nothing. */
void sct_entered_take(struct sct *s);

/* --- sct_job.c: what is asked of tasks ------------------------------------------------------ */

void sct_job_rows(struct sct_op *op, enum chassis_layout layout, uint32_t callid,
		  unsigned instance);
/** The same; @p filter: said to the tasks beside the callid. */
void sct_job_rows_of(struct sct_op *op, enum chassis_layout layout, uint32_t callid,
                     unsigned instance, const char *filter);
/** `show active-charging sessions full`; @p callid: 0 all. */
void sct_job_sessions(struct sct_op *op, uint32_t callid);
void sct_job_srp(struct sct_op *op);
/** A call and its other copy: of @p callid, or where that is 0 all of @p filter. */
void sct_job_call(struct sct_op *op, uint32_t callid, const char *filter);
/** @p w: the arguments behind [id, command], @p n of them. */
void sct_job_command(struct sct_op *op, const struct sct_command *c, const struct srp_mp_w *w,
                     uint32_t n);
/** The operator has read: the next page, if one is due. */
void sct_job_drained(struct sct_op *op);
/** Forgets what is under way. */
void sct_job_cancel(struct sct_op *op);
/** Sends a command; 0 or a negative code. */
int sct_job_send(struct sct_op *op, enum chassis_task task, unsigned instance,
		 enum chassis_command command, const struct srp_mp_w *args, uint32_t n,
		 unsigned tag);
void sct_job_timer(struct sct_op *op, unsigned seconds);
/** Waits for something that ends the answer by itself, at most @p seconds. */
void sct_job_wait(struct sct_op *op, unsigned seconds);
int sct_job_rx(struct sct *s, const struct srp_frame_hdr *h, const uint8_t *body);
/** A task is gone: what it was asked will not be answered. */
void sct_job_gone(struct sct *s, enum chassis_task task, unsigned instance);

/* --- sct_give.c: rules and bearers of calls ------------------------------------------------- */

void sct_give_rule(struct sct_op *op, const struct chassis_match *m);
void sct_give_bearer(struct sct_op *op, const struct chassis_match *m);
void sct_give_handoff(struct sct_op *op, const struct chassis_match *m);
void sct_give_quota(struct sct_op *op, const struct chassis_match *m);
void sct_give_unsettle(struct sct_op *op, const struct chassis_match *m);

/* --- sct_trace.c: the packet trace ------------------------------------------------------------ */

/** `active-charging packet-trace ...` and its `no`. */
void sct_trace(struct sct_op *op, const struct chassis_match *m);
void sct_trace_show(struct sct_op *op, const struct chassis_match *m);

/* --- sct_load.c ----------------------------------------------------------------------------- */

/** Reads sessions from @p fd (taken), a plain file. */
void sct_load_start(struct sct_op *op, int fd);
/** An answer to the line @p line. */
void sct_load_done(struct sct_op *op, unsigned line, int status, const char *text);
void sct_load_free(struct sct_load *l);
/** The job's timer: @p waits lines were not answered. */
void sct_load_timeout(struct sct_op *op, unsigned waits);

#endif

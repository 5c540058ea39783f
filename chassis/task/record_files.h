/* record_files: records into files. A file is written under a name of its own (`curr_...`) and gets its
 * name when it is complete: whoever collects files finds whole ones only. What is known of open files is
 * kept in memory that outlives the writer (the journal), so that its successor goes on where it was: no
 * record is lost with it, none is written twice. A disk that is full, or a directory that cannot be
 * written, stops the reading of the queues: records wait there. */
#ifndef CHASSIS_TASK_RECORD_FILES_H
#define CHASSIS_TASK_RECORD_FILES_H

#include "chassis/cli/config.h"
#include "chassis/task/record_ring.h"

#define CHASSIS_RECORD_FILES_MAX 32u   /**< open at once; one more completes the oldest */
#define CHASSIS_RECORD_JOURNAL_BYTES (256u << 10)

struct chassis_files;

/** What a writer has done; gauges at the end. */
struct chassis_files_stats {
	uint64_t records, bytes;    /**< written; bytes without headers */
	uint64_t files;             /**< completed */
	uint64_t failures;          /**< attempts that failed: to be made again */
	uint64_t broken;            /**< places of queues that could not be read: records lost */
	uint64_t missing;           /**< records in files that somebody has taken away */
	uint64_t nowhere;           /**< records lost: there is no directory for them */
	uint64_t resumed;           /**< files that a predecessor had left */
	uint64_t open;
	char why[128];              /**< of the last failure; empty: it has been overcome */
};

/**
 * Opens a writer.
 *
 * @param conf     by module: edr-module, udr-module; borrowed; absent ones have a dir of -1
 * @param dir      directories, borrowed
 * @param journal  memory of CHASSIS_RECORD_JOURNAL_BYTES, zeroed or left by a predecessor; borrowed
 * @param ring     queues; borrowed. NULL: there is none at that place
 * @return NULL: no memory
 */
struct chassis_files *chassis_files_open(const struct chassis_record_conf conf[2], const int dir[2],
                                         void *journal, struct chassis_ring *const *ring,
                                         size_t nring);
void chassis_files_close(struct chassis_files *f);
/**
 * Takes what is in the queues, completes files that are due, says so to the queues. Blocks on the disk.
 *
 * @param wall_s  time of day
 * @param all     completes all files
 */
void chassis_files_turn(struct chassis_files *f, int64_t wall_s, bool all);
struct chassis_files_stats chassis_files_stats(const struct chassis_files *f);

#endif

/* proc: what the kernel tells anybody of a process: its times, its memory, how many files it has open.
 * Works for processes of other users that dump no core, whose descriptors themselves nobody may see. */
#ifndef CHASSIS_TASK_PROC_H
#define CHASSIS_TASK_PROC_H

#include "chassis/cli/show.h"

/** Reads @p out; false: there is no such process, or /proc is not there. */
bool chassis_proc_read(uint32_t pid, struct chassis_proc *out);
/** Reads the line of /proc/PID/stat; @p ticks a second. False: not understood. */
bool chassis_proc_stat(const char *line, uint64_t ticks, uint64_t boot_ms, struct chassis_proc *out);

#endif

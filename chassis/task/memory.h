/* memory: whether more of it may be taken, for those that take some in advance. */
#ifndef CHASSIS_TASK_MEMORY_H
#define CHASSIS_TASK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHASSIS_MEMORY_LEAST (128ull << 20) /**< bytes that a reservation leaves to others */

/** True when the machine has no more available than what is left to others; false where that is not
 *  known. */
bool chassis_memory_short(void);
/** Puts the private memory that is touched into large pages, as far as the kernel does that: whoever fills
 *  it later finds it with fewer looks into tables. For a task that waits: it copies. */
void chassis_memory_settle(void);
/** The same for one region of @p len bytes that starts at a page. */
void chassis_memory_settle_at(void *p, size_t len);

/** The same as chassis_memory_short() for what /proc/meminfo says: @p text, ended by 0. */
bool chassis_memory_judge(const char *text);

#endif

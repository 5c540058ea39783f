/* guard: notices the death of a process through a robust mutex that it holds for the time of its life.
 * The kernel releases it before it tears the memory down: 0.1 ms, where a pidfd takes 70 ms per GB.
 * Each has a page of its own, so that no task can touch another one's. */
#ifndef CHASSIS_TASK_GUARD_H
#define CHASSIS_TASK_GUARD_H

#include <stdbool.h>

struct chassis_guard;

/**
 * Makes a guard and the thread that waits on it.
 *
 * @param event_fd  eventfd that is raised when the holder has died; borrowed
 * @return to be freed with chassis_guard_release; NULL without memory or threads
 */
struct chassis_guard *chassis_guard_new(int event_fd);
/** In the child, first of all: holds it until death. */
void chassis_guard_hold(struct chassis_guard *g);
/** In the child, when it dies: nothing is done any more that a successor could not do beside it. Safe in
 *  a signal handler. */
void chassis_guard_let_go(struct chassis_guard *g);
/** In a child: this page is none of its business. */
void chassis_guard_forget(struct chassis_guard *g);
/** True when the holder is known to be dead. */
bool chassis_guard_fired(const struct chassis_guard *g);
/**
 * Frees it, once its holder is gone; NULL is permitted.
 * @return false: its thread has not ended yet, ask again later
 */
bool chassis_guard_release(struct chassis_guard *g);

#endif

/* crash: what a task that dies of itself leaves for the supervisor to read. */
#ifndef CHASSIS_TASK_CRASH_H
#define CHASSIS_TASK_CRASH_H

struct chassis_guard;
struct chassis_slab;

/**
 * Catches SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT of this process: notes signal, address and
 * return addresses in its slab, lets the guard go, so that a successor begins before this process is
 * dumped and torn down, and dies of the signal.
 *
 * @param slab   own, writable
 * @param guard  held by this process; may be NULL
 */
void chassis_crash_start(struct chassis_slab *slab, struct chassis_guard *guard);
/** Another slab is the own one now. */
void chassis_crash_slab(struct chassis_slab *slab);
/** Loads what taking a backtrace needs: once, in the supervisor, so that it lies at the same address in
 *  all tasks. */
void chassis_crash_warm(void);

#endif

/* background: work that takes longer than a turn of a loop may, done in a thread beside it. */
#ifndef CHASSIS_TASK_BACKGROUND_H
#define CHASSIS_TASK_BACKGROUND_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>

struct chassis_background {
	struct ev_loop *loop;
	ev_async over;
	pthread_t thread;
	bool on;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

/**
 * Calls @p work in a thread of low priority, and when it has returned @p done from the loop. One
 * at a time; nothing else may touch what @p work does until then.
 *
 * @param b  zeroed before the first time; kept by the caller
 * @return 0; SRP_EBUSY: one is under way; SRP_ENOMEM: there is no thread to be had
 */
int chassis_background_start(struct chassis_background *b, struct ev_loop *loop,
                             void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif

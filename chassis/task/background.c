#include "config.h"
#include "chassis/task/background.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "srp/err.h"

#define NICE 15 /* packets first */

static void *run(void *arg)
{
	struct chassis_background *b = arg;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	b->work(b->arg);
	ev_async_send(b->loop, &b->over);
	return NULL;
}

static void on_over(struct ev_loop *loop, ev_async *w, int revents)
{
	struct chassis_background *b = w->data;

	(void)revents;
	ev_async_stop(loop, w);
	(void)pthread_join(b->thread, NULL);
	b->on = false;
	b->done(b->arg);
}

int chassis_background_start(struct chassis_background *b, struct ev_loop *loop,
                             void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	sigset_t all, before;
	int rc;

	if (b->on)
		return SRP_EBUSY;
	b->loop = loop;
	b->work = work;
	b->done = done;
	b->arg = arg;
	ev_async_init(&b->over, on_over);
	b->over.data = b;
	ev_async_start(loop, &b->over);
	/* signals are the loop's, but for those of a crash */
	sigfillset(&all);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&b->thread, NULL, run, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		ev_async_stop(loop, &b->over);
		return SRP_ENOMEM;
	}
	b->on = true;
	return SRP_OK;
}

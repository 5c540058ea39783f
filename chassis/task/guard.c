#include "config.h"
#include "chassis/task/guard.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK (64u * 1024)

enum { WAITING, HELD, CANCELLED, RELEASED };

struct page {
	pthread_mutex_t mutex;
	_Atomic uint32_t state;
	_Atomic uint32_t started; /* the thread runs */
};

struct chassis_guard {
	struct page *page; /* shared with the one process that holds it */
	pthread_t thread;
	int event_fd;
	atomic_bool fired;
};

static void wake(_Atomic uint32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Sleeps while the word has this value. */
static void await(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load(word) == value)
		(void)syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void state_set(struct page *p, uint32_t v)
{
	uint32_t was = WAITING;

	if (atomic_compare_exchange_strong(&p->state, &was, v))
		wake(&p->state);
}

static void *watch(void *arg)
{
	struct chassis_guard *g = arg;
	uint64_t one = 1;
	int rc;

	atomic_store(&g->page->started, 1);
	wake(&g->page->started);
	/* Whoever locks first is the holder: this thread must come second. */
	await(&g->page->state, WAITING);
	if (atomic_load(&g->page->state) != HELD)
		return NULL;
	rc = pthread_mutex_lock(&g->page->mutex);
	if (rc == EOWNERDEAD)
		(void)pthread_mutex_consistent(&g->page->mutex);
	if (rc == EOWNERDEAD || rc == 0)
		(void)pthread_mutex_unlock(&g->page->mutex);
	atomic_store(&g->fired, true);
	(void)!write(g->event_fd, &one, sizeof(one));
	/* It ends when it is joined, and not while the supervisor forks: see chassis_guard_new. */
	await(&g->page->state, HELD);
	return NULL;
}

static int mutex_init(pthread_mutex_t *m)
{
	pthread_mutexattr_t a;
	int rc;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	rc = pthread_mutex_init(m, &a);
	pthread_mutexattr_destroy(&a);
	return rc;
}

/* The thread takes no signals: they are the loop's. */
static int thread_start(struct chassis_guard *g)
{
	pthread_attr_t a;
	sigset_t all, old;
	int rc;

	pthread_attr_init(&a);
	(void)pthread_attr_setstacksize(&a, STACK > PTHREAD_STACK_MIN ? STACK
								      : (size_t)PTHREAD_STACK_MIN);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&g->thread, &a, watch, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&a);
	return rc;
}

struct chassis_guard *chassis_guard_new(int event_fd)
{
	struct chassis_guard *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->event_fd = event_fd;
	g->page = mmap(NULL, sizeof(*g->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (g->page == MAP_FAILED) {
		free(g);
		return NULL;
	}
	if (mutex_init(&g->page->mutex) || thread_start(g)) {
		munmap(g->page, sizeof(*g->page));
		free(g);
		return NULL;
	}
	/* A thread that begins or ends holds locks of the C library (and of sanitizers), which a fork at that
	 * moment would leave locked in the child for ever: the next fork waits until it sleeps. */
	await(&g->page->started, 0);
	return g;
}

void chassis_guard_hold(struct chassis_guard *g)
{
	if (pthread_mutex_lock(&g->page->mutex) == 0)
		state_set(g->page, HELD);
}

void chassis_guard_let_go(struct chassis_guard *g)
{
	if (g && atomic_load(&g->page->state) == HELD)
		(void)pthread_mutex_unlock(&g->page->mutex);
}

void chassis_guard_forget(struct chassis_guard *g)
{
	if (g)
		munmap(g->page, sizeof(*g->page));
}

bool chassis_guard_fired(const struct chassis_guard *g)
{
	return g && atomic_load(&g->fired);
}

bool chassis_guard_release(struct chassis_guard *g)
{
	if (!g)
		return true;
	state_set(g->page, CANCELLED); /* nobody holds it, and nobody will */
	if (atomic_load(&g->page->state) == HELD && !chassis_guard_fired(g))
		return false;
	atomic_store(&g->page->state, RELEASED);
	wake(&g->page->state);
	if (pthread_join(g->thread, NULL))
		return false;
	pthread_mutex_destroy(&g->page->mutex);
	munmap(g->page, sizeof(*g->page));
	free(g);
	return true;
}

#include "config.h"
#include "chassis/task/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "chassis/task/guard.h"
#include "chassis/task/slab.h"

#define STACK (64u * 1024) /* a handler must not need the one that has just run over */
#define OWN_FRAMES 2       /* the handler, and what calls it */

static struct {
	struct chassis_slab *slab;
	struct chassis_guard *guard;
} self;

static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

/* The instruction that was interrupted; 0 where this machine's context is not known. */
static uint64_t program_counter(const void *context)
{
#if defined(__x86_64__)
	const ucontext_t *u = context;

	return (uint64_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	const ucontext_t *u = context;

	return u->uc_mcontext.pc;
#else
	(void)context;
	return 0;
#endif
}

/* A stack that was overwritten may end the walk at once, or fault: the instruction is known first. */
static void frames_note(volatile struct chassis_crash_note *note, uint64_t pc)
{
	void *frame[CHASSIS_FRAMES_MAX + OWN_FRAMES];
	uint32_t n = 0;
	int got, from = OWN_FRAMES;

	if (pc) {
		note->frame[n++] = pc;
		note->nframes = n;
	}
	got = backtrace(frame, CHASSIS_FRAMES_MAX + OWN_FRAMES);
	for (int i = 0; i < got && pc; i++)
		if ((uint64_t)(uintptr_t)frame[i] == pc)
			from = i + 1;
	for (int i = from; i < got && n < CHASSIS_FRAMES_MAX; i++)
		note->frame[n++] = (uint64_t)(uintptr_t)frame[i];
	note->nframes = n;
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
	volatile struct chassis_crash_note *note = &self.slab->crash_note;

	/* What somebody sent is no fault of the call that is worked on. */
	if (info->si_code == SI_USER || info->si_code == SI_QUEUE)
		self.slab->handling = 0;
	/* A fault while the first one is noted ends it here. */
	if (!note->set) {
		note->signal = sig;
		note->addr = info->si_code > 0 && sig != SIGABRT
			? (uint64_t)(uintptr_t)info->si_addr : 0;
		note->nframes = 0;
		atomic_signal_fence(memory_order_seq_cst);
		note->set = 1;
		frames_note(note, program_counter(context));
		atomic_thread_fence(memory_order_seq_cst);
	}
	chassis_guard_let_go(self.guard);
	(void)raise(sig); /* the handler is gone: this is the default action */
	_exit(128 + sig);
}

void chassis_crash_warm(void)
{
	void *frame[2];

	(void)backtrace(frame, 2);
}

void chassis_crash_slab(struct chassis_slab *slab)
{
	self.slab = slab;
}

void chassis_crash_start(struct chassis_slab *slab, struct chassis_guard *guard)
{
	struct sigaction a = {.sa_sigaction = on_crash};
	stack_t stack = {.ss_size = STACK};

	self.slab = slab;
	self.guard = guard;
	chassis_crash_warm();
	stack.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	a.sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER;
	if (stack.ss_sp != MAP_FAILED && sigaltstack(&stack, NULL) == 0)
		a.sa_flags |= SA_ONSTACK;
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		(void)sigaction(caught[i], &a, NULL);
}

/* netns: a network namespace of its own for one test, left again at its end. Without the right to
 * make one the test is skipped, and says so. */
#ifndef TESTS_UNIT_NETNS_H
#define TESTS_UNIT_NETNS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ecs/packet.h"

/** Runs a command of iproute2 without output; true when it succeeded. */
__attribute__((format(printf, 1, 2))) static inline bool netns_run(const char *fmt, ...)
{
	char cmd[512], line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "%s >/dev/null 2>&1", cmd);
	return system(line) == 0;
}

/** Enters a new namespace; returns a descriptor of the former one, or -1: skip. */
static inline int netns_enter(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home >= 0 && unshare(CLONE_NEWNET) == 0) {
		if (netns_run("ip link set lo up"))
			return home;
		if (setns(home, CLONE_NEWNET) != 0)
			abort();
		errno = ENOENT;
	}
	printf("\n    skipped: a network namespace and iproute2 are needed (%s) ", strerror(errno));
	if (home >= 0)
		close(home);
	return -1;
}

static inline void netns_leave(int home)
{
	if (setns(home, CLONE_NEWNET) != 0)
		abort();
	close(home);
}

static inline struct ecs_addr netns_addr(const char *text)
{
	struct ecs_addr a = {{0}};

	if (ecs_addr_parse(text, &a) != 0)
		abort();
	return a;
}

#endif

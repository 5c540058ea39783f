#include "config.h"
#include "chassis/task/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* from Linux 6.1 on; older ones refuse it */
#endif
#define LARGE ((size_t)2 << 20)
#define AVAILABLE "\nMemAvailable:"

void chassis_memory_settle_at(void *p, size_t len)
{
	uintptr_t from = ((uintptr_t)p + LARGE - 1) & ~(uintptr_t)(LARGE - 1);
	uintptr_t to = ((uintptr_t)p + len) & ~(uintptr_t)(LARGE - 1);

	/* A part that cannot be had in one piece stays as it is. */
	for (; from < to; from += LARGE)
		(void)madvise((char *)p + (from - (uintptr_t)p), LARGE, MADV_COLLAPSE);
}

void chassis_memory_settle(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	/* More than the machine has is address space that somebody keeps, and nothing to copy. */
	unsigned long most = (unsigned long)sysconf(_SC_PHYS_PAGES) * (unsigned long)sysconf(_SC_PAGESIZE);
	unsigned long from, to, inode;
	char line[512], mode[8];

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s %*s %*s %lu", &from, &to, mode, &inode) == 4 &&
		    strcmp(mode, "rw-p") == 0 && inode == 0 && to - from <= most)
			chassis_memory_settle_at((void *)from, to - from);
	fclose(f);
}

bool chassis_memory_judge(const char *text)
{
	const char *p = strstr(text, AVAILABLE);
	unsigned long long kib;
	char *end;

	if (!p)
		return false;
	p += sizeof(AVAILABLE) - 1;
	kib = strtoull(p, &end, 10);
	return end != p && kib < CHASSIS_MEMORY_LEAST / 1024;
}

bool chassis_memory_short(void)
{
	char text[2048];
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return chassis_memory_judge(text);
}

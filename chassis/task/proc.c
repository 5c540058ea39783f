#include "config.h"
#include "chassis/task/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Positions of /proc/PID/stat behind the name, which is in brackets and may hold anything. */
enum { UTIME = 14, STIME = 15, START = 22, VSIZE = 23, RSS = 24, FIRST = 4 };

bool chassis_proc_stat(const char *line, uint64_t ticks, uint64_t boot_ms, struct chassis_proc *out)
{
	const char *s = strrchr(line, ')');
	uint64_t v[RSS + 1] = {0}, started;
	char *end;

	/* ") S 1 ...": the state is a letter, all behind it are numbers, some of them negative */
	if (!ticks || !s || strlen(s) < 4)
		return false;
	s += 3;
	for (int i = FIRST; i <= RSS; i++, s = end) {
		v[i] = strtoull(s, &end, 10);
		if (end == s)
			return false;
	}
	started = v[START] * 1000 / ticks;
	*out = (struct chassis_proc){
		.cpu_ms = (v[UTIME] + v[STIME]) * 1000 / ticks,
		.age_ms = boot_ms > started ? boot_ms - started : 0,
		.resident = v[RSS] * (uint64_t)sysconf(_SC_PAGESIZE), .virtual = v[VSIZE],
		.files = UINT32_MAX};
	return true;
}

bool chassis_proc_read(uint32_t pid, struct chassis_proc *out)
{
	char path[64], line[1024];
	struct timespec boot;
	struct stat st;
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(line, sizeof(line), f) != NULL;
	fclose(f);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	if (!ok || !chassis_proc_stat(line, (uint64_t)sysconf(_SC_CLK_TCK),
	                              (uint64_t)boot.tv_sec * 1000 + (uint64_t)boot.tv_nsec / 1000000, out))
		return false;
	/* The size of this directory is the number of its entries, in a kernel that says so; else 0. */
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/fd", pid);
	if (stat(path, &st) == 0 && st.st_size > 0)
		out->files = (uint32_t)st.st_size;
	return true;
}

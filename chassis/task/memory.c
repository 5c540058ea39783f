#include "config.h"
#include "chassis/task/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AVAILABLE "\nMemAvailable:"

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

#include "config.h"
#include "chassis/task/title.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *room;
static size_t room_len;

void chassis_title_init(int argc, char **argv)
{
	char *end = argv[0] + strlen(argv[0]) + 1;
	size_t n = 0;
	char **copy;

	/* The strings lie one behind the other: arguments, then environment. */
	for (int i = 1; i < argc && argv[i] == end; i++)
		end += strlen(argv[i]) + 1;
	while (environ[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	if (!copy)
		return;
	for (size_t i = 0; i < n; i++) {
		if (environ[i] == end)
			end += strlen(environ[i]) + 1;
		copy[i] = strdup(environ[i]);
		if (!copy[i]) {
			while (i)
				free(copy[--i]);
			free(copy);
			return;
		}
	}
	environ = copy; /* for the life of the process */
	room = argv[0];
	room_len = (size_t)(end - room);
}

void chassis_title_set(const char *name, unsigned instance)
{
	char text[64], comm[16];

	if (instance) {
		snprintf(text, sizeof(text), "chassisd: %s:%u", name, instance);
		snprintf(comm, sizeof(comm), "%.11s:%u", name, instance % 1000);
	} else {
		snprintf(text, sizeof(text), "chassisd: %s", name);
		snprintf(comm, sizeof(comm), "%.15s", name);
	}
	(void)prctl(PR_SET_NAME, comm, 0, 0, 0);
	if (!room_len)
		return;
	memset(room, 0, room_len);
	snprintf(room, room_len, "%s", text);
}

#include "config.h"
#include "ecs/dns.h"

#include <string.h>

#include "srp/err.h"

#define HEADER    12u
#define LABEL_MAX 63u

static char shown(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != '.' ? (char)c : '?';
}

int ecs_dns_question(const uint8_t *msg, size_t len, char *out)
{
	char name[ECS_DNS_NAME_MAX + 1];
	size_t at = HEADER, n = 0;

	if (len < HEADER)
		return SRP_ESHORT;
	if ((msg[4] | msg[5]) == 0)
		return SRP_ENOENT;
	for (;;) {
		size_t label;

		if (at >= len)
			return SRP_ESHORT;
		label = msg[at++];
		if (label == 0)
			break;
		/* compression has nothing to point at in the first name */
		if (label > LABEL_MAX || n + label + 1 > ECS_DNS_NAME_MAX)
			return SRP_EFORMAT;
		if (label > len - at)
			return SRP_ESHORT;
		if (n)
			name[n++] = '.';
		for (size_t i = 0; i < label; i++)
			name[n++] = shown(msg[at++]);
	}
	if (len - at < 4)
		return SRP_ESHORT;
	if (n == 0)
		name[n++] = '.';
	memcpy(out, name, n);
	out[n] = '\0';
	return 0;
}

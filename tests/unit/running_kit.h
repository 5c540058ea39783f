/* running_kit: two configurations that differ in what can change while the chassis runs, and the sealed
 * memory of one. */
#ifndef TESTS_UNIT_RUNNING_KIT_H
#define TESTS_UNIT_RUNNING_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chassis/task/running.h"
#include "suites.h"

#define HEAD                                                                                 \
	"configure\n  context local\n    apn internet\n      active-charging rulebase rb\n"    \
	"    #exit\n    ip pool p 10.0.0.0/16 first-packet apn internet\n  #exit\n"
#define SERVICE(content, chkpt)                                                              \
	"  active-charging service ecs\n    system-limit flow-chkpt-per-call " chkpt "\n"      \
	"    ruledef page\n      http url regex /p[0-9]+x\n    #exit\n"                        \
	"    charging-action c\n      content-id " content "\n    #exit\n"                      \
	"    rulebase rb\n      action priority 1 ruledef page charging-action c\n    #exit\n"  \
	"  #exit\nend\n"

static inline struct chassis_config *parse(const char *text)
{
	struct chassis_config *c = chassis_config_parse_with(
		text, strlen(text), "t", chassis_license_assume, NULL, NULL, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	return c;
}

static inline char *print(const struct chassis_config *running, const struct chassis_config *next)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	if (next)
		chassis_config_print_running(running, next, out);
	else
		chassis_config_print(running, out);
	fclose(out);
	return text;
}

/* Sealed memory in which @p next runs, as version @p version; @p digest 0: the right one. */
static inline int sealed(const struct chassis_config *next, uint64_t version, uint64_t digest)
{
	const struct chassis_running r = {version, digest ? digest : chassis_config_digest(next), 5};
	char *text = print(next, NULL);
	int fd = chassis_running_write(&r, text, strlen(text), next->service, &next->license);

	free(text);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

#endif

/* config_kit: configurations as text, what is wrong with them, and as they print. */
#ifndef TESTS_UNIT_CONFIG_KIT_H
#define TESTS_UNIT_CONFIG_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/cli/config.h"
#include "suites.h"

struct errors {
	unsigned n;
	char first[700], last[700];
};

static inline void on_error(void *arg, const char *text)
{
	struct errors *e = arg;

	if (!e->n++)
		snprintf(e->first, sizeof(e->first), "%s", text);
	snprintf(e->last, sizeof(e->last), "%s", text);
}

/* Feature-key files that the tests name. */
static inline int keys(void *arg, const char *path, struct chassis_license *out, char *why, size_t cap)
{
	const char *text = strcmp(path, "/bad") == 0     ? "nothing\n"
			   : strcmp(path, "/other") == 0 ? "flow-recovery\n"
			   : strcmp(path, "/old") == 0   ? "session-recovery expires 2001-01-01\n"
			   : strcmp(path, "/one") == 0   ? "session-recovery\n"
							 : "session-recovery\nflow-recovery\n";

	(void)arg;
	if (strcmp(path, "/absent") != 0)
		return chassis_license_parse(text, strlen(text), out, why, cap);
	snprintf(why, cap, "not there");
	return -1;
}

static inline struct chassis_config *parse(const char *text, struct errors *e)
{
	*e = (struct errors){0};
	return chassis_config_parse_with(text, strlen(text), "f", keys, NULL, on_error, e);
}

static inline char *printed(const struct chassis_config *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	chassis_config_print(c, f);
	fclose(f);
	return text;
}

/* A configuration prints as a file that parses to what prints the same. */
static inline void round_trip(const struct chassis_config *c)
{
	struct errors e;
	char *first = printed(c), *second = NULL;
	struct chassis_config *again = parse(first, &e);

	if (!again)
		printf("\n%s\n%s\n", e.first, first);
	CU_ASSERT_PTR_NOT_NULL(again);
	if (again) {
		second = printed(again);
		CU_ASSERT_STRING_EQUAL(first, second);
		CU_ASSERT_EQUAL(chassis_config_digest(c), chassis_config_digest(again));
	}
	chassis_config_free(again);
	free(first);
	free(second);
}

/* One line in a file around it, per mode. */
struct frame {
	const char *open, *close;
};
#define CTX   {"configure\ncontext c\n", "\nend\n"}
#define IF    {"configure\ncontext c\ninterface eth0\n", "\nend\n"}
#define APN   {"configure\ncontext c\napn a\n", "\nend\n"}
#define SRP   {"configure\ncontext c\nservice-redundancy-protocol\n", "\nend\n"}
#define CONF  {"configure\n", "\nend\n"}
#define ACS   {"configure\nactive-charging service s\n", "\nend\n"}
#define RULE  {"configure\nactive-charging service s\nruledef r\n", "\nend\n"}
#define GOR   {"configure\nactive-charging service s\ngroup-of-ruledefs g\nadd-ruledef priority 1 ruledef q\n", "\nend\n"}
#define RB    {"configure\nactive-charging service s\nrulebase b\naction priority 1 ruledef q charging-action c\n", "\nend\n"}
#define CA    {"configure\nactive-charging service s\ncharging-action c\n", "\nend\n"}
#define TA    {"configure\nlicense key-file /k\nactive-charging service s\ntrigger-action t\n", "\nend\n"}
#define TC    {"configure\nactive-charging service s\ntrigger-condition t\n", "\nend\n"}
#define TRIG  {"configure\nactive-charging service s\nservice-scheme t\ntrigger flow-create\n", "\nend\n"}
#define SUB   {"configure\nactive-charging service s\nsubs-class t\n", "\nend\n"}
#define BASE  {"configure\nactive-charging service s\nsubscriber-base t\n", "\nend\n"}

#define NAME63 "123456789012345678901234567890123456789012345678901234567890123"

#endif

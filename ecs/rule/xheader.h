/* xheader: `xheader-format NAME`: header fields that a charging-action inserts into HTTP requests.
 * Included by service.h. */
#ifndef ECS_RULE_XHEADER_H
#define ECS_RULE_XHEADER_H

#include "ecs/rule/action.h"

#define ECS_XHEADERS_MAX       256 /**< formats */
#define ECS_XHEADER_FIELDS_MAX 10  /**< of one format */
#define ECS_XHEADER_TEXT_MAX   63  /**< characters of a constant */

/** Values of a field: X(symbol, words). */
#define ECS_XVALUES(X)                                                                        \
	X(CONSTANT, "string-constant")                                                        \
	X(IMSI, "variable bearer 3gpp imsi") X(APN, "variable bearer 3gpp apn")               \
	X(USERNAME, "variable bearer username")                                               \
	X(ADDRESS, "variable bearer subscriber-ip-address")                                   \
	X(SESSION, "variable bearer session-id") X(RULEBASE, "variable bearer sn-rulebase")   \
	X(HOST, "variable http host") X(URL, "variable http url")
#define X(sym, text) ECS_XVALUE_##sym,
enum ecs_xvalue { ECS_XVALUES(X) ECS_XVALUE__N };
#undef X

struct ecs_xfield {
	char name[ECS_NAME_MAX + 1];
	enum ecs_xvalue value;
	char text[ECS_XHEADER_TEXT_MAX + 1]; /**< of a constant */
};

struct ecs_xformat {
	char name[ECS_NAME_MAX + 1];
	size_t n;
	struct ecs_xfield field[ECS_XHEADER_FIELDS_MAX];
};

#endif

/* types: what an argument of a command may be. */
#ifndef CHASSIS_CLI_TYPES_H
#define CHASSIS_CLI_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(symbol, name in patterns, least, most): limits of a value or of a length, where a pattern gives
 * none */
#define CHASSIS_TYPES(X)          \
	X(NUM, "num", 0, UINT32_MAX) \
	X(NAME, "name", 1, 63)       \
	X(WORD, "word", 1, 63)       \
	X(TEXT, "text", 1, 127)      \
	X(PATH, "path", 1, 255)      \
	X(DIGITS, "digits", 1, 15)   \
	X(CALLID, "callid", 1, 8)    \
	X(ADDR, "addr", 0, 0)        \
	X(ADDR4, "addr4", 0, 0)      \
	X(ADDR6, "addr6", 0, 0)      \
	X(MASK4, "mask4", 0, 0)      \
	X(PREFIX, "prefix", 0, 0)    \
	X(PREFIX4, "prefix4", 0, 0)  \
	X(PREFIX6, "prefix6", 0, 0)
#define X(sym, name, least, most) CHASSIS_TYPE_##sym,
enum chassis_type { CHASSIS_TYPES(X) CHASSIS_TYPE__N };
#undef X

/** A type with its limits. */
struct chassis_type_spec {
	enum chassis_type type;
	uint64_t min, max;
};

/** The type of this name with its usual limits; false: there is none. */
bool chassis_type_find(const char *name, size_t len, struct chassis_type_spec *out);
/** Checks @p text; @p num receives the value of num and callid, the length of prefixes, masks. */
bool chassis_type_check(const struct chassis_type_spec *t, const char *text, uint64_t *num);
/** Describes what is accepted: "a number from 1 to 300". */
void chassis_type_describe(const struct chassis_type_spec *t, char *buf, size_t cap);

#endif

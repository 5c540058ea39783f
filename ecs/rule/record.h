/* record: formats of records (`edr-format NAME`, `udr-format NAME`): which fields, in which order. */
#ifndef ECS_RULE_RECORD_H
#define ECS_RULE_RECORD_H

#include "ecs/rule/action.h"

#define ECS_RECORDS_MAX 256      /**< formats of each kind */
#define ECS_RECORD_FIELDS_MAX 64 /**< of one format */
#define ECS_RECORD_PRIO_MAX 65535u

enum ecs_record_kind { ECS_RECORD_EDR, ECS_RECORD_UDR, ECS_RECORD_KIND__N };

/** `attribute ...`: what it is of is in record.def. */
#define ECS_ATTRIBUTE(sym, words, type, help) ECS_ATTR_##sym,
#define ECS_VARIABLE(sym, words, help)
enum ecs_attribute {
#include "ecs/rule/record.def"
	ECS_ATTR__N
};
#undef ECS_ATTRIBUTE
#undef ECS_VARIABLE

/** `rule-variable ...`. */
#define ECS_ATTRIBUTE(sym, words, type, help)
#define ECS_VARIABLE(sym, words, help) ECS_VAR_##sym,
enum ecs_variable {
#include "ecs/rule/record.def"
	ECS_VAR__N
};
#undef ECS_ATTRIBUTE
#undef ECS_VARIABLE

/** How a time is written. X(symbol, words): msec of a second follow behind `:` or without it. */
#define ECS_TIME_FORMATS(X)                                                                   \
	X(SECONDS, "seconds")                                                                 \
	X(MDY2, "MM/DD/YY-HH:MM:SS") X(MDY2_MS, "MM/DD/YY-HH:MM:SS:sss")                      \
	X(MDY4, "MM/DD/YYYY-HH:MM:SS") X(MDY4_MS, "MM/DD/YYYY-HH:MM:SS:sss")                  \
	X(YMD, "YYYY/MM/DD-HH:MM:SS") X(YMD_MS, "YYYY/MM/DD-HH:MM:SS:sss")                    \
	X(PLAIN, "YYYYMMDDHHMMSS") X(PLAIN_MS, "YYYYMMDDHHMMSSsss")
#define X(sym, text) ECS_TIME_##sym,
enum ecs_time_format { ECS_TIME_FORMATS(X) ECS_TIME_FORMAT__N };
#undef X

enum ecs_record_what { ECS_RECORD_ATTRIBUTE, ECS_RECORD_VARIABLE, ECS_RECORD_LABEL };

/** One field of a record. */
struct ecs_record_field {
	uint16_t priority;           /**< the lowest comes first */
	enum ecs_record_what what;
	uint16_t id;                 /**< enum ecs_attribute or ecs_variable */
	uint8_t time;                /**< enum ecs_time_format, of an attribute that is a time */
	bool local;                  /**< `localtime`, else UTC */
	char label[ECS_NAME_MAX + 1];/**< of an event-label */
};

struct ecs_record_format {
	char name[ECS_NAME_MAX + 1];
	enum ecs_record_kind kind;
	bool tab;                    /**< delimiter tab, else comma */
	size_t n;
	struct ecs_record_field field[ECS_RECORD_FIELDS_MAX]; /**< by priority */
};

/** The words of an attribute, of a variable, of a format of times. */
const char *ecs_attribute_words(enum ecs_attribute a);
const char *ecs_variable_words(enum ecs_variable v);
const char *ecs_time_words(enum ecs_time_format t);

struct ecs_err;
/**
 * Enters a field, or with @p no removes it; then priority 0 is any. The same field may stand at
 * several priorities; entered again at its priority it is replaced.
 *
 * @return 0; SRP_EINVAL, SRP_ERANGE, SRP_EFULL, SRP_ENOENT, SRP_EDUP (another has this priority)
 */
int ecs_record_field(struct ecs_record_format *r, bool no, const struct ecs_record_field *f,
                     struct ecs_err *e);

#endif

/* option: commands that set members of one object (a charging-action, a rulebase), as tables: each
 * command is a row, and from the rows come setting and unsetting with their checks, the lines that
 * print writes, what a digest is made of, and what a show says. Inside of ecs/rule/. */
#ifndef ECS_RULE_OPTION_H
#define ECS_RULE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/rule/service.h"

enum ecs_option_type { ECS_OPTION_NUM, ECS_OPTION_FLAG, ECS_OPTION_NAME, ECS_OPTION_OWN };

/** The words of a command behind those of its row; read one after the other. */
struct ecs_words {
	const char *const *w;
	size_t n;
};

/** Receives a line as it is printed. */
typedef void ecs_option_put_fn(void *arg, const char *line);

/** Functions of a row of type OWN. */
typedef int ecs_option_set_fn(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e);
typedef void ecs_option_print_fn(const void *obj, ecs_option_put_fn *put, void *arg);
typedef void ecs_option_tell_fn(const void *obj, ecs_tell_fn *tell, void *arg);

struct ecs_option {
	const char *words;         /**< keywords that it begins with */
	enum ecs_option_type type;
	bool charges;
	size_t at;                 /**< of the member: uint32_t, bool, or char[ECS_NAME_MAX + 1] */
	uint32_t least, most, none;
	const char *label;
	ecs_option_set_fn *set;
	ecs_option_print_fn *print;
	ecs_option_tell_fn *tell;
};

/** Gives each member its value while nothing is said; those of OWN rows by their `default`. */
void ecs_options_init(const struct ecs_option *rows, size_t nrows, void *obj);
/** Runs a command: @p w holds keywords in full and values as they are. 0, SRP_EINVAL, SRP_ERANGE,
 *  SRP_ENOENT (no row has these words), or what an OWN row returns. */
int ecs_options_set(const struct ecs_option *rows, size_t nrows, void *obj, enum ecs_form form,
                    const char *const *w, size_t n, struct ecs_err *e);
/** Prints what is not as it is while nothing is said. */
void ecs_options_print(const struct ecs_option *rows, size_t nrows, const void *obj,
                       bool charging_only, ecs_option_put_fn *put, void *arg);
void ecs_options_tell(const struct ecs_option *rows, size_t nrows, const void *obj,
                      ecs_tell_fn *tell, void *arg);

/* --- for OWN rows ----------------------------------------------------------------------------- */

/** The next word, or NULL at the end. */
const char *ecs_words_next(struct ecs_words *w);
/** True, and the word is taken, when the next word is @p key. */
bool ecs_words_take(struct ecs_words *w, const char *key);
/** The next word as a number; SRP_ERANGE or SRP_EINVAL with what was expected. */
int ecs_words_num(struct ecs_words *w, const char *what, uint32_t least, uint32_t most,
                  uint32_t *out, struct ecs_err *e);
/** The next word as a name. */
int ecs_words_name(struct ecs_words *w, const char *what, char out[ECS_NAME_MAX + 1],
                   struct ecs_err *e);
/** The next word as an address, IPv4 as ::ffff:a.b.c.d; the unspecified ones are refused. */
int ecs_words_addr(struct ecs_words *w, struct ecs_addr *out, struct ecs_err *e);
/** The formats of a record, `charging-edr NAME` and `reporting-edr NAME` in any order; empty: not said.
 *  SRP_EINVAL where both are. */
int ecs_words_edrs(struct ecs_words *w, char charging[ECS_NAME_MAX + 1],
                   char reporting[ECS_NAME_MAX + 1], struct ecs_err *e);
/** 0 at the end of the words, else SRP_EINVAL. */
int ecs_words_end(const struct ecs_words *w, struct ecs_err *e);
/** The words that ecs_words_edrs() reads, with a blank before each. */
void ecs_edrs_text(const char *charging, const char *reporting, char *buf, size_t cap);
/** `Enabled` or `Disabled`, for a show. */
const char *ecs_enabled_word(bool on);
/** An address as text, in @p buf of 48 bytes. */
const char *ecs_addr_word(const struct ecs_addr *a, char buf[48]);
/** True for the address that stands for none: all zero. */
bool ecs_addr_none(const struct ecs_addr *a);

#endif

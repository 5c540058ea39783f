/* grammar: the words of commands. A command is one row: the mode that it belongs to and a pattern
 * of words. The configuration file, the operator's commands, help, completion and the manual all
 * read the same rows.
 *
 *   word               a keyword; any unique prefix of it is accepted, upper and lower case alike
 *   <num:1..300>       an argument: its type, then its limits
 *   <burst=num:1..9>   the same under a name of its own (else the type is its name)
 *   {a|b c|d}          one of these        {...}+  one or more, each once
 *   [a|b]              one of these or none [...]*  any number of them, each once
 *
 * Types and their usual limits: chassis/cli/types.h. */
#ifndef CHASSIS_CLI_GRAMMAR_H
#define CHASSIS_CLI_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/packet.h"

#define CHASSIS_LINE_MAX    4000 /**< bytes of one command */
#define CHASSIS_WORDS_MAX   48   /**< words of one command */
#define CHASSIS_EXPECT_MAX  480  /**< text of an error */

/** Why a line was refused: at which word, and what was expected there. */
struct chassis_cli_err {
	char word[72];            /**< cut */
	bool end;                 /**< at no word: the line ends too early */
	char text[CHASSIS_EXPECT_MAX];
};

/** A line cut into words; quotes are gone. */
struct chassis_line {
	char store[CHASSIS_LINE_MAX + CHASSIS_WORDS_MAX + 2];
	const char *word[CHASSIS_WORDS_MAX]; /**< into store, terminated */
	bool quoted[CHASSIS_WORDS_MAX];      /**< never a keyword */
	size_t n;
	bool blank_end;           /**< the line ends with a blank: completion begins a new word */
};

/** A row of a command table. */
struct chassis_row {
	unsigned mode;
	const char *pattern;
	unsigned enter;           /**< the mode that it opens; its own mode: none */
	const char *help;
};

/** One word of a matched line. */
struct chassis_arg {
	const char *key;          /**< keyword, or name of the argument; of key_len bytes */
	size_t key_len;
	const char *text;         /**< the word as typed */
	uint64_t num;             /**< value of num, callid; prefix length of prefix types */
	bool keyword;
};

struct chassis_match {
	size_t row;
	size_t n;
	struct chassis_arg arg[CHASSIS_WORDS_MAX];
};

struct chassis_grammar;

/**
 * Compiles a table.
 *
 * @param rows  kept until chassis_grammar_free
 * @param why   receives what is wrong with a pattern (cap bytes) when NULL is returned
 */
struct chassis_grammar *chassis_grammar_new(const struct chassis_row *rows, size_t n,
					    unsigned modes, char *why, size_t cap);
void chassis_grammar_free(struct chassis_grammar *g);

/**
 * Cuts a line into words. Text with blanks stands in double quotes; there, \" and \\
 * are a quotation mark and a backslash.
 * @return 0, or SRP_EINVAL with @p e: too long, too many words, quote not closed, control character
 */
int chassis_line_split(struct chassis_line *l, const char *text, size_t len,
                       struct chassis_cli_err *e);

/**
 * Finds the row of @p mode that a line is.
 *
 * @param m  written on success; borrows from @p l and the table
 * @param guess  written on failure: a row that the line came near to, or SIZE_MAX. NULL is
 * permitted
 * @return 0, or SRP_EINVAL with @p e
 */
int chassis_grammar_match(struct chassis_grammar *g, unsigned mode, const struct chassis_line *l,
                          struct chassis_match *m, size_t *guess, struct chassis_cli_err *e);

/** One thing that can follow: @p word as typed or as a description in <>, and the help of a row. */
typedef void chassis_grammar_next_fn(void *arg, const char *word, bool keyword, const char *help);

/**
 * What may follow the first @p words words of a line, for `?` and completion; each once.
 *
 * @param prefix  only keywords that begin so; "" for all
 * @return 0, or SRP_EINVAL with @p e when the words before do not fit
 */
int chassis_grammar_next(struct chassis_grammar *g, unsigned mode, const struct chassis_line *l,
                         size_t words, const char *prefix, chassis_grammar_next_fn *fn, void *arg,
                         struct chassis_cli_err *e);

/** True when keyword @p key was typed. */
bool chassis_match_has(const struct chassis_match *m, const char *key);
/** The argument or keyword named @p key, or NULL. */
const struct chassis_arg *chassis_match_arg(const struct chassis_match *m, const char *key);
/** Text of the argument @p key, or NULL. */
const char *chassis_match_text(const struct chassis_match *m, const char *key);
/** Value of the argument @p key, or @p none. */
uint64_t chassis_match_num(const struct chassis_match *m, const char *key, uint64_t none);

/**
 * Reads an address, or an address with a length.
 *
 * @param a    IPv4 as ::ffff:a.b.c.d
 * @param len  NULL: no length is permitted. Else the length within the family; 32 or 128 if absent
 * @param v6   family
 * @return 0 or SRP_EFORMAT
 */
int chassis_addr_parse(const char *text, struct ecs_addr *a, uint8_t *len, bool *v6);
#define CHASSIS_ADDR_TEXT 48
/** Writes an address as text; @p buf holds CHASSIS_ADDR_TEXT bytes. Returns @p buf. */
const char *chassis_addr_text(const struct ecs_addr *a, char *buf);
bool chassis_addr_v6(const struct ecs_addr *a);

#endif

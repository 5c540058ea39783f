/* table: rows of text in columns. Widths are given, not found, so that rows can be printed as they
 * come; what is longer pushes the rest to the right, as in the field. */
#ifndef STATS_TABLE_H
#define STATS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stats_value_type { STATS_VALUE_UINT, STATS_VALUE_STRING, STATS_VALUE_BOOL };

/** A value; strings are borrowed for the call. */
struct stats_value {
	enum stats_value_type type;
	uint64_t u;      /**< UINT; BOOL: 0 or 1 */
	const char *s;   /**< STRING; NULL is the empty one */
};

static inline struct stats_value stats_uint(uint64_t u)
{
	return (struct stats_value){.type = STATS_VALUE_UINT, .u = u};
}
static inline struct stats_value stats_bool(bool b)
{
	return (struct stats_value){.type = STATS_VALUE_BOOL, .u = b};
}
static inline struct stats_value stats_string(const char *s)
{
	return (struct stats_value){.type = STATS_VALUE_STRING, .s = s};
}

struct stats_col {
	const char *key;   /**< in JSON */
	const char *title; /**< in text; NULL: in JSON only (of a ladder: the last ones) */
	uint8_t width;     /**< least width; of a ladder: distance from the column before */
	bool left;         /**< aligned left, else right */
};

enum stats_table_style {
	STATS_TABLE_PLAIN,  /**< a line of titles, underlined */
	STATS_TABLE_BARE,   /**< no titles: the caller has printed a legend */
	STATS_TABLE_LADDER, /**< titles on steps, the last column's on top; a line of `=` below */
	STATS_TABLE_BLOCKS  /**< each row a block of `Title: value` lines; an empty text is `n/a` */
};

struct stats_table {
	const char *key;           /**< of the array in JSON */
	const char *title;         /**< a line above, underlined with `=`; NULL: none */
	enum stats_table_style style;
	const struct stats_col *col;
	size_t ncol;
};

#define STATS_TABLE_LINE_MAX 2048 /**< longest line; what is longer is cut */
#define STATS_LADDER_END     98   /**< length of the line that closes a ladder */

/** A line being laid out. */
struct stats_line {
	char text[STATS_TABLE_LINE_MAX + 2];
	size_t n;
};

/** Appends @p n bytes; control characters become `?`. */
void stats_line_add(struct stats_line *l, const char *s, size_t n);
void stats_line_pad(struct stats_line *l, size_t column);
/** Text of a value; @p buf of 24 bytes serves numbers. */
const char *stats_value_text(struct stats_value v, char *buf);

/** Lays out the heading line number @p i of @p t; false when there is none any more. */
bool stats_table_heading(const struct stats_table *t, size_t i, struct stats_line *l);
/** Lays out a row of a table that is not of blocks. */
void stats_table_row(const struct stats_table *t, const struct stats_value *v,
		     struct stats_line *l);

#endif

/* doc: what a command answers: items and tables, said once and rendered as text for people or as
 * JSON for programs. Nothing is kept: a table of a million rows needs no memory. */
#ifndef STATS_DOC_H
#define STATS_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/table.h"

enum stats_doc_format { STATS_DOC_TEXT, STATS_DOC_JSON };

/** Takes rendered bytes; @p p is borrowed for the call. */
typedef void stats_put_fn(void *arg, const char *p, size_t n);

/** A document under way; on the caller's stack. */
struct stats_doc {
	enum stats_doc_format format;
	stats_put_fn *put;
	void *arg;
	const struct stats_table *table; /**< open table, or NULL */
	uint64_t rows;                   /**< of the open table so far */
	unsigned depth;                  /**< JSON: objects and arrays that are open */
	uint32_t filled;                 /**< JSON: bit set: that level has a member already */
	unsigned width;                  /**< text: column at which values begin, or end */
	bool right;                      /**< text: values end at width */
};

/** Begins a document; what it renders goes to @p put until stats_doc_end. */
void stats_doc_begin(struct stats_doc *d, enum stats_doc_format format, stats_put_fn *put,
		     void *arg);
void stats_doc_end(struct stats_doc *d);

/** Text: values of items begin at column @p width, or with @p right end there. */
void stats_doc_layout(struct stats_doc *d, unsigned width, bool right);
/** Opens an object under @p key, NULL: an element of a list; text: the line @p title, where there is one. Ended by close. */
void stats_doc_open(struct stats_doc *d, const char *key, const char *title);
void stats_doc_close(struct stats_doc *d);
/**
 * One value.
 *
 * @param key    lower_snake, stable: it is an interface; NULL: an element of a list
 * @param label  of the text, without colon; NULL: only in JSON
 */
void stats_doc_item(struct stats_doc *d, const char *key, const char *label, struct stats_value v);
/** The same with a text of its own for people: "Enabled", "3 seconds ago". */
void stats_doc_item_as(struct stats_doc *d, const char *key, const char *label,
		       struct stats_value v, const char *text);
/** A line of text; nothing in JSON. */
void stats_doc_line(struct stats_doc *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** Opens a list under @p key: of what is opened or said with a NULL key; nothing in text. Ended by list_end. */
void stats_doc_list(struct stats_doc *d, const char *key);
void stats_doc_list_end(struct stats_doc *d);

/** Opens a table; @p t is kept until stats_doc_table_end. */
void stats_doc_table(struct stats_doc *d, const struct stats_table *t);
/** One row: as many values as the table has columns. */
void stats_doc_row(struct stats_doc *d, const struct stats_value *v);
void stats_doc_table_end(struct stats_doc *d);

#endif

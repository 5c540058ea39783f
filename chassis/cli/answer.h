/* answer: rows that tasks answer to queries, read by the lists of chassis/task/rows.h, and how each
 * query is shown. */
#ifndef CHASSIS_CLI_ANSWER_H
#define CHASSIS_CLI_ANSWER_H

#include "chassis/task/rows.h"
#include "srp/mp.h"
#include "stats/doc.h"

#define CHASSIS_ANSWER_FIELDS 40

/** A row that was read. Values borrow from the structure itself. */
struct chassis_answer {
	struct stats_value v[CHASSIS_ANSWER_FIELDS]; /**< in the order of rows.h */
	size_t n;
	char text[CHASSIS_ANSWER_FIELDS][256];
};

/**
 * Reads one row. A task of another version may send more elements than are known, or fewer.
 * @return 0, or what was wrong with it; then @p a is as it was
 */
int chassis_answer_read(enum chassis_query q, struct srp_mp_r *r, struct chassis_answer *a);
/** Value of the field @p name; an empty string where the query has none. */
struct stats_value chassis_answer_get(enum chassis_query q, const struct chassis_answer *a,
                                      const char *name);

/** How a query is shown. */
enum chassis_layout {
	CHASSIS_LAYOUT_FLOWS, CHASSIS_LAYOUT_FLOWS_FULL, CHASSIS_LAYOUT_SUBSCRIBERS,
	CHASSIS_LAYOUT_QUOTAS,
	CHASSIS_LAYOUT_SUBSCRIBERS_FULL, CHASSIS_LAYOUT_USAGE, CHASSIS_LAYOUT_REPLICA,
	CHASSIS_LAYOUT_DYNRULES, CHASSIS_LAYOUT_BEARERS, CHASSIS_LAYOUT_LIMITS, CHASSIS_LAYOUT_LOSS,
	CHASSIS_LAYOUT_TRACE, CHASSIS_LAYOUT__N
};

/** A show of rows under way. */
struct chassis_show_rows {
	enum chassis_layout layout;
	enum chassis_query query;
	struct stats_table table;
	struct stats_col col[CHASSIS_ANSWER_FIELDS];
	uint8_t from[CHASSIS_ANSWER_FIELDS]; /**< field of each column */
	bool unflagged;            /**< flows without what flow recovery says of them */
	char label[CHASSIS_ANSWER_FIELDS][32];
	uint64_t rows;
};

enum chassis_query chassis_layout_query(enum chassis_layout layout);
/** Prints what stands above the rows. @p s is kept until chassis_show_rows_end. @p flow_recovery: its key
 *  is there; else flows have no flag that tells recovered ones. */
void chassis_show_rows_begin(struct chassis_show_rows *s, enum chassis_layout layout,
                             bool flow_recovery, struct stats_doc *d);
void chassis_show_rows_one(struct chassis_show_rows *s, struct stats_doc *d,
                           const struct chassis_answer *a);
void chassis_show_rows_end(struct chassis_show_rows *s, struct stats_doc *d);

/** `show active-charging sessions full` under way: rows of CHASSIS_QUERY_SESSION. */
struct chassis_show_sessions {
	unsigned section;          /**< which part of a session was shown last */
	uint64_t n;                /**< sessions so far */
};

void chassis_show_sessions_begin(struct chassis_show_sessions *s, struct stats_doc *d);
/** @p q: of what the row is: CHASSIS_QUERY_SUBSCRIBER, _USAGE, _DYNRULE. */
void chassis_show_sessions_row(struct chassis_show_sessions *s, struct stats_doc *d,
                               enum chassis_query q, const struct chassis_answer *a);
void chassis_show_sessions_end(struct chassis_show_sessions *s, struct stats_doc *d);

#endif

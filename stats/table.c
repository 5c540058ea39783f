#include "config.h"
#include "stats/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LADDER_INDENT 5 /* before the names of a ladder's rows */

void stats_line_add(struct stats_line *l, const char *s, size_t n)
{
	for (size_t i = 0; i < n && l->n < STATS_TABLE_LINE_MAX; i++) {
		unsigned char c = (unsigned char)s[i];

		l->text[l->n++] = c < 0x20 || c == 0x7f ? '?' : s[i];
	}
}

void stats_line_pad(struct stats_line *l, size_t column)
{
	while (l->n < column && l->n < STATS_TABLE_LINE_MAX)
		l->text[l->n++] = ' ';
}

const char *stats_value_text(struct stats_value v, char *buf)
{
	switch (v.type) {
	case STATS_VALUE_UINT:
		snprintf(buf, 24, "%" PRIu64, v.u);
		return buf;
	case STATS_VALUE_BOOL:
		return v.u ? "Y" : "N";
	default:
		return v.s ? v.s : "";
	}
}

/* One cell of a plain table, behind a blank. An empty one is a dash: a row has as many words as
 * there are columns. */
static void cell(const struct stats_col *c, const char *s, struct stats_line *l)
{
	size_t len, start;

	if (!*s)
		s = "-";
	len = strlen(s);
	if (l->n)
		stats_line_add(l, " ", 1);
	start = l->n;
	if (!c->left && len < c->width)
		stats_line_pad(l, start + c->width - len);
	stats_line_add(l, s, len);
	if (c->left)
		stats_line_pad(l, start + c->width);
}

static void trim(struct stats_line *l)
{
	while (l->n && l->text[l->n - 1] == ' ')
		l->n--;
}

static bool plain_heading(const struct stats_table *t, size_t i, struct stats_line *l)
{
	char under[80];

	if (i > 1)
		return false;
	for (size_t c = 0; c < t->ncol; c++) {
		const char *s = t->col[c].title;

		if (!s)
			continue;
		if (i == 1) {
			size_t n = strlen(s) < sizeof(under) ? strlen(s) : sizeof(under) - 1;

			memset(under, '-', n);
			under[n] = '\0';
			s = under;
		}
		cell(&t->col[c], s, l);
	}
	trim(l);
	return true;
}

/* Columns that a ladder has in text: those in JSON only stand behind them. */
static size_t ladder_cols(const struct stats_table *t)
{
	size_t n = 0;

	while (n < t->ncol && t->col[n].title)
		n++;
	return n;
}

/* Column at which the numbers of a ladder's column @p c end: its `+` and `|` stand there. */
static size_t ladder_at(const struct stats_table *t, size_t c)
{
	size_t at = LADDER_INDENT - 1;

	for (size_t i = 0; i <= c; i++)
		at += t->col[i].width;
	return at;
}

/* The step of column @p c: title, dashes, `+`, then a rail for each column that had its step. As
 * printed in the flow recovery chapter, where each line of the table ends with a blank. */
static void ladder_step(const struct stats_table *t, size_t c, struct stats_line *l)
{
	stats_line_add(l, t->col[c].title, strlen(t->col[c].title));
	if (c > 0) {
		while (l->n < ladder_at(t, c))
			stats_line_add(l, "-", 1);
		stats_line_add(l, "+", 1);
	}
	for (size_t i = c + 1; i < ladder_cols(t); i++) {
		stats_line_pad(l, ladder_at(t, i));
		stats_line_add(l, "|", 1);
	}
	stats_line_add(l, " ", 1);
}

static bool ladder_heading(const struct stats_table *t, size_t i, struct stats_line *l)
{
	size_t n = ladder_cols(t);

	if (i > n)
		return false;
	if (i < n)
		ladder_step(t, n - 1 - i, l);
	else
		stats_line_add(l, " ", 1); /* an empty line between titles and rows */
	return true;
}

static bool title_heading(const struct stats_table *t, size_t i, struct stats_line *l)
{
	if (i == 0)
		stats_line_add(l, t->title, strlen(t->title));
	for (size_t n = strlen(t->title); i == 1 && n > 0; n--)
		stats_line_add(l, "=", 1);
	if (t->style == STATS_TABLE_LADDER)
		stats_line_add(l, " ", 1);
	return i < 2;
}

bool stats_table_heading(const struct stats_table *t, size_t i, struct stats_line *l)
{
	l->n = 0;
	if (t->title) {
		if (i < 2)
			return title_heading(t, i, l);
		i -= 2;
	}
	switch (t->style) {
	case STATS_TABLE_PLAIN:
		return plain_heading(t, i, l);
	case STATS_TABLE_LADDER:
		return ladder_heading(t, i, l);
	default:
		return false;
	}
}

/* Numbers end below their rail; after one that was too long the next ones come back to theirs. */
static void ladder_row(const struct stats_table *t, const struct stats_value *v,
		       struct stats_line *l)
{
	char buf[24];

	stats_line_pad(l, LADDER_INDENT);
	for (size_t c = 0; c < ladder_cols(t); c++) {
		const char *s = stats_value_text(v[c], buf);
		size_t len = strlen(s), end = ladder_at(t, c) + 1;

		if (c > 0) {
			stats_line_add(l, " ", 1);
			if (end > len)
				stats_line_pad(l, end - len);
		}
		stats_line_add(l, s, len);
	}
	stats_line_add(l, " ", 1);
}

void stats_table_row(const struct stats_table *t, const struct stats_value *v, struct stats_line *l)
{
	char buf[24];

	l->n = 0;
	if (t->style == STATS_TABLE_LADDER) {
		ladder_row(t, v, l);
		return;
	}
	for (size_t c = 0; c < t->ncol; c++)
		if (t->col[c].title)
			cell(&t->col[c], stats_value_text(v[c], buf), l);
	trim(l);
}

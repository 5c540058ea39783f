#include "config.h"
#include "stats/doc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct stats_doc *d, const char *s)
{
	d->put(d->arg, s, strlen(s));
}

/* --- JSON ----------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at @p s, or 0 where it is none: continuation missing, longer than
 * needed, a surrogate, beyond U+10FFFF. */
static size_t utf8(const unsigned char *s)
{
	static const struct {
		unsigned char first, last, low, high; /* of the first byte, of the second */
		uint8_t len;
	} form[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		if (s[0] < form[i].first || s[0] > form[i].last)
			continue;
		if (s[1] < form[i].low || s[1] > form[i].high)
			return 0;
		for (size_t k = 2; k < form[i].len; k++)
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		return form[i].len;
	}
	return 0;
}

/* Any bytes become a valid string: what is not UTF-8 is taken as Latin-1. */
static void json_string(struct stats_doc *d, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	const unsigned char *plain = s;
	char esc[8];

	put(d, "\"");
	while (*s) {
		size_t n = *s < 0x80 ? 1 : utf8(s);

		if (n && *s >= 0x20 && *s != '"' && *s != '\\' && *s != 0x7f) {
			s += n;
			continue;
		}
		d->put(d->arg, (const char *)plain, (size_t)(s - plain));
		if (*s == '"' || *s == '\\')
			snprintf(esc, sizeof(esc), "\\%c", *s);
		else
			snprintf(esc, sizeof(esc), "\\u%04x", *s);
		put(d, esc);
		plain = ++s;
	}
	d->put(d->arg, (const char *)plain, (size_t)(s - plain));
	put(d, "\"");
}

static void json_value(struct stats_doc *d, struct stats_value v)
{
	char buf[24];

	if (v.type == STATS_VALUE_STRING)
		json_string(d, v.s ? v.s : "");
	else if (v.type == STATS_VALUE_BOOL)
		put(d, v.u ? "true" : "false");
	else
		put(d, stats_value_text(v, buf));
}

/* The comma before a member, and its key. */
static void json_key(struct stats_doc *d, const char *key)
{
	uint32_t bit = 1u << (d->depth & 31);

	if (d->filled & bit)
		put(d, ",");
	d->filled |= bit;
	if (key) {
		json_string(d, key);
		put(d, ":");
	}
}

static void json_open(struct stats_doc *d, const char *key, const char *bracket)
{
	json_key(d, key);
	put(d, bracket);
	d->depth++;
	d->filled &= ~(1u << (d->depth & 31));
}

static void json_close(struct stats_doc *d, const char *bracket)
{
	d->depth--;
	put(d, bracket);
}

/* --- text ----------------------------------------------------------------------------------- */

static void text_line(struct stats_doc *d, struct stats_line *l)
{
	l->text[l->n++] = '\n';
	d->put(d->arg, l->text, l->n);
}

static void text_item(struct stats_doc *d, const char *label, const char *value)
{
	struct stats_line l = {.n = 0};
	size_t len = strlen(value);

	stats_line_add(&l, label, strlen(label));
	stats_line_add(&l, ":", 1);
	stats_line_add(&l, " ", 1);
	if (!d->right)
		stats_line_pad(&l, d->width);
	else if (d->width > len)
		stats_line_pad(&l, d->width - len);
	stats_line_add(&l, value, len);
	text_line(d, &l);
}

static void text_block(struct stats_doc *d, const struct stats_value *v)
{
	char buf[24];

	if (d->rows)
		put(d, "\n");
	for (size_t c = 0; c < d->table->ncol; c++) {
		const char *text = stats_value_text(v[c], buf);

		if (d->table->col[c].title)
			text_item(d, d->table->col[c].title, text[0] ? text : "n/a");
	}
}

/* --- both ----------------------------------------------------------------------------------- */

void stats_doc_begin(struct stats_doc *d, enum stats_doc_format format, stats_put_fn *fn, void *arg)
{
	*d = (struct stats_doc){.format = format, .put = fn, .arg = arg};
	if (format == STATS_DOC_JSON) {
		put(d, "{");
		d->depth = 1;
	}
}

void stats_doc_end(struct stats_doc *d)
{
	if (d->format == STATS_DOC_JSON)
		put(d, "}\n");
}

void stats_doc_layout(struct stats_doc *d, unsigned width, bool right)
{
	d->width = width;
	d->right = right;
}

void stats_doc_open(struct stats_doc *d, const char *key, const char *title)
{
	if (d->format == STATS_DOC_JSON)
		json_open(d, key, !key && (d->filled & 1u << (d->depth & 31)) ? "\n{" : "{");
	else if (title)
		stats_doc_line(d, "%s", title);
}

void stats_doc_close(struct stats_doc *d)
{
	if (d->format == STATS_DOC_JSON)
		json_close(d, "}");
}

void stats_doc_list(struct stats_doc *d, const char *key)
{
	if (d->format == STATS_DOC_JSON)
		json_open(d, key, "[");
}

void stats_doc_list_end(struct stats_doc *d)
{
	if (d->format == STATS_DOC_JSON)
		json_close(d, "]");
}

void stats_doc_item_as(struct stats_doc *d, const char *key, const char *label,
		       struct stats_value v, const char *text)
{
	if (d->format == STATS_DOC_JSON) {
		json_key(d, key);
		json_value(d, v);
	} else if (label) {
		text_item(d, label, text);
	}
}

void stats_doc_item(struct stats_doc *d, const char *key, const char *label, struct stats_value v)
{
	char buf[24];

	stats_doc_item_as(d, key, label, v, stats_value_text(v, buf));
}

void stats_doc_line(struct stats_doc *d, const char *fmt, ...)
{
	struct stats_line l = {.n = 0};
	char text[STATS_TABLE_LINE_MAX];
	va_list ap;

	if (d->format == STATS_DOC_JSON)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	stats_line_add(&l, text, strlen(text));
	text_line(d, &l);
}

void stats_doc_table(struct stats_doc *d, const struct stats_table *t)
{
	struct stats_line l;

	d->table = t;
	d->rows = 0;
	if (d->format == STATS_DOC_JSON) {
		json_open(d, t->key, "[");
		return;
	}
	for (size_t i = 0; stats_table_heading(t, i, &l); i++)
		text_line(d, &l);
}

void stats_doc_row(struct stats_doc *d, const struct stats_value *v)
{
	struct stats_line l;

	if (d->format == STATS_DOC_JSON) {
		json_open(d, NULL, d->rows ? "\n{" : "{");
		for (size_t c = 0; c < d->table->ncol; c++) {
			json_key(d, d->table->col[c].key);
			json_value(d, v[c]);
		}
		json_close(d, "}");
	} else if (d->table->style == STATS_TABLE_BLOCKS) {
		text_block(d, v);
	} else {
		stats_table_row(d->table, v, &l);
		text_line(d, &l);
	}
	d->rows++;
}

void stats_doc_table_end(struct stats_doc *d)
{
	struct stats_line l = {.n = 0};

	if (d->format == STATS_DOC_JSON) {
		json_close(d, "]");
	} else if (d->table->style == STATS_TABLE_LADDER) {
		for (size_t i = 0; i < STATS_LADDER_END; i++)
			stats_line_add(&l, "=", 1);
		stats_line_add(&l, " ", 1);
		text_line(d, &l);
	}
	d->table = NULL;
}

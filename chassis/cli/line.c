#include <config.h>
#include "chassis/cli/grammar.h"

#include <stdio.h>
#include <string.h>

#include "srp/err.h"

static int refuse(struct chassis_cli_err *e, const char *word, size_t len, const char *text)
{
	if (len > sizeof(e->word) - 1)
		len = sizeof(e->word) - 1;
	for (size_t i = 0; i < len; i++)
		e->word[i] = (unsigned char)word[i] < 0x20 || word[i] == 0x7f ? '?' : word[i];
	e->word[len] = '\0';
	e->end = false;
	snprintf(e->text, sizeof(e->text), "expected %s", text);
	return SRP_EINVAL;
}

/* Copies what stands between two quotation marks; there, \" is a quotation mark and \\ a backslash.
 * Returns the bytes taken, 0 where the second mark is missing. */
static size_t quoted(const char *s, size_t len, char **out)
{
	size_t i = 1;

	for (; i < len && s[i] != '"'; i++) {
		if (s[i] == '\\' && i + 1 < len && (s[i + 1] == '"' || s[i + 1] == '\\'))
			i++;
		*(*out)++ = s[i];
	}
	return i < len ? i + 1 : 0;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

int chassis_line_split(struct chassis_line *l, const char *text, size_t len,
                       struct chassis_cli_err *e)
{
	char *out = l->store;
	size_t i = 0;

	l->n = 0;
	l->blank_end = len == 0 || blank(text[len - 1]);
	if (len > CHASSIS_LINE_MAX)
		return refuse(e, text, 20, "at most 4000 characters in a line");
	for (size_t k = 0; k < len; k++)
		if (((unsigned char)text[k] < 0x20 && text[k] != '\t') || text[k] == 0x7f)
			return refuse(e, text, len, "printable characters");
	while (i < len) {
		size_t start = i;

		if (blank(text[i])) {
			i++;
			continue;
		}
		if (l->n == CHASSIS_WORDS_MAX)
			return refuse(e, text + i, len - i, "at most 48 words in a line");
		l->word[l->n] = out;
		l->quoted[l->n] = text[i] == '"';
		if (text[i] == '"') {
			size_t n = quoted(text + i, len - i, &out);

			if (!n)
				return refuse(e, text + i, len - i, "a closing quotation mark");
			i += n;
			if (i < len && !blank(text[i]))
				return refuse(e, text + start, i - start,
					      "a blank after the quotation mark");
		} else {
			while (i < len && !blank(text[i]))
				*out++ = text[i++];
		}
		*out++ = '\0';
		l->n++;
	}
	return SRP_OK;
}

#include "config.h"
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
	snprintf(e->text, sizeof(e->text), "expected %s", text);
	return SRP_EINVAL;
}

/* Copies a quoted word: what stands between two quotation marks, as it is. Returns the bytes taken, 0
 * where the second one is missing. */
static size_t quoted(const char *s, size_t len, char **out)
{
	const char *end = memchr(s + 1, '"', len - 1);
	size_t n;

	if (!end)
		return 0;
	n = (size_t)(end - s) - 1;
	memcpy(*out, s + 1, n);
	*out += n;
	return n + 2;
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
				return refuse(e, text + start, i - start, "a blank after the quotation mark");
		} else {
			while (i < len && !blank(text[i]))
				*out++ = text[i++];
		}
		*out++ = '\0';
		l->n++;
	}
	return SRP_OK;
}

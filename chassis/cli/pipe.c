#include <config.h>
#include "chassis/cli/pipe.h"

#include <stdio.h>
#include <string.h>

#include "srp/err.h"

static int refuse(struct chassis_cli_err *e, const char *word, const char *text)
{
	snprintf(e->word, sizeof(e->word), "%s", word ? word : "");
	snprintf(e->text, sizeof(e->text), "expected %s", text);
	e->end = !word;
	return SRP_EINVAL;
}

/* Bytes up to the next bar outside quotes, or to the end. */
static size_t segment(const char *s)
{
	bool quoted = false;
	size_t i = 0;

	for (; s[i] && (quoted || s[i] != '|'); i++) {
		if (quoted && s[i] == '\\' && s[i + 1])
			i++;
		else if (s[i] == '"')
			quoted = !quoted;
	}
	return i;
}

/* `-i`, `-v`, `-E`, alone or together. */
static bool options(const char *word, int *flags, bool *invert)
{
	for (const char *c = word + 1; *c; c++) {
		if (*c == 'i')
			*flags |= REG_ICASE;
		else if (*c == 'v')
			*invert = true;
		else if (*c == 'E')
			*flags |= REG_EXTENDED;
		else
			return false;
	}
	return word[1] != '\0';
}

static int grep(struct chassis_pipe *p, const struct chassis_line *l, struct chassis_cli_err *e)
{
	char pattern[CHASSIS_LINE_MAX + 1] = "";
	int flags = REG_NOSUB;
	bool invert = false;
	size_t i = 1, n = 0;

	for (; i < l->n && !l->quoted[i] && l->word[i][0] == '-'; i++)
		if (!options(l->word[i], &flags, &invert))
			return refuse(e, l->word[i], "-i, -v or -E");
	if (i == l->n)
		return refuse(e, NULL, "a pattern");
	/* words behind it belong to the pattern, as typed */
	for (size_t k = i; k < l->n; k++)
		n += (size_t)snprintf(pattern + n, sizeof(pattern) - n, "%s%s", k > i ? " " : "",
		                      l->word[k]);
	if (p->ngrep == CHASSIS_PIPE_GREPS)
		return refuse(e, l->word[0], "at most four filters");
	if (regcomp(&p->grep[p->ngrep].re, pattern, flags) != 0)
		return refuse(e, l->word[i], "a regular expression");
	p->grep[p->ngrep++].invert = invert;
	return SRP_OK;
}

static int stage(struct chassis_pipe *p, const char *s, size_t len, struct chassis_cli_err *e)
{
	struct chassis_line l;
	int rc = chassis_line_split(&l, s, len, e);

	if (rc)
		return rc;
	if (!l.n)
		return refuse(e, NULL, "grep, more or json");
	if (strcmp(l.word[0], "grep") == 0)
		return grep(p, &l, e);
	if (l.n > 1)
		return refuse(e, l.word[1], "end of line");
	if (strcmp(l.word[0], "more") == 0)
		p->more = true;
	else if (strcmp(l.word[0], "json") == 0)
		p->json = true;
	else
		return refuse(e, l.word[0], "grep, more or json");
	return SRP_OK;
}

int chassis_pipe_parse(struct chassis_pipe *p, const char *line, struct chassis_cli_err *e)
{
	const char *s;
	int rc = SRP_OK;

	memset(p, 0, sizeof(*p));
	p->command = segment(line);
	for (s = line + p->command; *s && rc == SRP_OK; ) {
		size_t n = segment(s + 1);

		rc = stage(p, s + 1, n, e);
		s += 1 + n;
	}
	if (rc)
		chassis_pipe_free(p);
	return rc;
}

bool chassis_pipe_passes(const struct chassis_pipe *p, const char *line)
{
	for (size_t i = 0; i < p->ngrep; i++)
		if ((regexec(&p->grep[i].re, line, 0, NULL, 0) == 0) == p->grep[i].invert)
			return false;
	return true;
}

void chassis_pipe_free(struct chassis_pipe *p)
{
	while (p->ngrep)
		regfree(&p->grep[--p->ngrep].re);
}

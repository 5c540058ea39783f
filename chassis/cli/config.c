#include <config.h>
#include "chassis/cli/config_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

static const char *const modes[CHASSIS_CLI_MODE__N] = {
#define CHASSIS_CLI_MODE(sym, prompt) [CHASSIS_CLI_##sym] = prompt,
#include "chassis/cli/modes.def"
#undef CHASSIS_CLI_MODE
};

int cfg_refuse(struct cfg *c, const char *key, const char *fmt, ...)
{
	va_list ap;

	c->at = key;
	va_start(ap, fmt);
	vsnprintf(c->why.text, sizeof(c->why.text), fmt, ap);
	va_end(ap);
	return SRP_EINVAL;
}

void cfg_error(struct cfg *c, unsigned line, const char *word, const char *text)
{
	char buf[CHASSIS_EXPECT_MAX + CHASSIS_PATH_MAX + 128];

	if (++c->errors > CHASSIS_CONFIG_ERRORS_MAX)
		return;
	if (c->live && word)
		snprintf(buf, sizeof(buf), "at '%.71s': %s", word, text);
	else if (c->live)
		snprintf(buf, sizeof(buf), "at end of line: %s", text);
	else if (word)
		snprintf(buf, sizeof(buf), "%.255s:%u: at '%.71s': %s", c->file, line, word, text);
	else
		snprintf(buf, sizeof(buf), "%.255s:%u: at end of line: %s", c->file, line, text);
	if (c->err)
		c->err(c->err_arg, buf);
}

const char *cfg_name(const struct cfg *c)
{
	return c->block[c->depth - 1].name;
}

/* --- blocks --------------------------------------------------------------------------------- */

/* An operator stays in a block that is not whole yet, unless he leaves all. */
static void close_block(struct cfg *c, bool whole)
{
	const struct cfg_block *b = &c->block[c->depth - 1];
	unsigned errors = c->errors;

	if (b->mode == CHASSIS_CLI_SRP && !b->skip)
		cfg_srp_check(c);
	if (!whole || c->errors == errors)
		c->depth--;
}

static void open_block(struct cfg *c, unsigned mode, const struct chassis_match *m, bool skip)
{
	const char *name = m ? chassis_match_text(m, "name") : NULL;
	struct cfg_block *b;

	/* no mode is entered from itself: they nest at most five deep */
	b = &c->block[c->depth++];
	*b = (struct cfg_block){.mode = mode, .line = c->line, .skip = skip};
	memset(c->priority_used, 0, sizeof(c->priority_used));
	b->what = modes[mode];
	if (name)
		snprintf(b->name, sizeof(b->name), "%s", name);
	else
		memcpy(b->name, b[-1].name, sizeof(b->name)); /* of its scheme, of its context */
}

/* `exit`, `#exit`, `end`: known in every mode. */
static bool leave(struct cfg *c, const struct chassis_line *l)
{
	bool end = strcmp(l->word[0], "end") == 0;

	if (!end && strcmp(l->word[0], "exit") != 0 && strcmp(l->word[0], "#exit") != 0)
		return false;
	if (l->n > 1) {
		cfg_error(c, c->line, l->word[1], "expected end of line");
	} else if (c->depth == 1) {
		cfg_error(c, c->line, l->word[0], "expected an open block");
	} else {
		do {
			close_block(c, c->live && !end);
		} while (end && c->depth > 1);
	}
	return true;
}

/* --- lines ---------------------------------------------------------------------------------- */

/* Reports why a handler refused, at the word it named or at the last one. */
static void refused(struct cfg *c, const struct chassis_line *l)
{
	const struct chassis_arg *a = NULL;
	const char *word = l->word[l->n - 1];

	for (size_t i = 0; c->at && i < c->m->n && (!a || a->keyword); i++)
		if (strlen(c->at) == c->m->arg[i].key_len &&
		    memcmp(c->m->arg[i].key, c->at, c->m->arg[i].key_len) == 0)
			a = &c->m->arg[i];
	if (a)
		word = a->text;
	cfg_error(c, c->line, word, c->why.text);
}

static void command(struct cfg *c, struct chassis_grammar *g, const struct chassis_line *l)
{
	const struct cfg_block *b = &c->block[c->depth - 1];
	struct chassis_cli_err e;
	struct chassis_match m;
	size_t row, n, guess;
	const struct chassis_row *rows = cfg_rows(&n);
	bool skip = b->skip;

	if (chassis_grammar_match(g, b->mode, l, &m, &guess, &e) != SRP_OK) {
		if (!skip)
			cfg_error(c, c->line, e.end ? NULL : e.word, e.text);
		if (!c->live && guess != SIZE_MAX && rows[guess].enter != rows[guess].mode &&
		    strcmp(l->word[0], "no") != 0)
			open_block(c, rows[guess].enter, NULL, true);
		return;
	}
	row = m.row;
	c->m = &m;
	c->at = NULL;
	c->stay = chassis_match_has(&m, "no");
	c->why.text[0] = '\0';
	if (!skip && cfg_run(c, row, &m) != SRP_OK) {
		refused(c, l);
		skip = true;
		c->stay |= c->live;
	}
	if (rows[row].enter != rows[row].mode && !c->stay)
		open_block(c, rows[row].enter, &m, skip);
}

void cfg_line(struct cfg *c, struct chassis_grammar *g, const char *text, size_t len)
{
	struct chassis_line l;
	struct chassis_cli_err e;
	size_t skip = 0;

	if (len && text[len - 1] == '\r')
		len--;
	while (skip < len && (text[skip] == ' ' || text[skip] == '\t'))
		skip++;
	if (skip < len && text[skip] == '#') {
		size_t n = len - skip;

		while (n && (text[skip + n - 1] == ' ' || text[skip + n - 1] == '\t'))
			n--;
		if (n != 5 || memcmp(text + skip, "#exit", 5) != 0)
			return;
	}
	if (chassis_line_split(&l, text, len, &e) != SRP_OK) {
		cfg_error(c, c->line, e.word, e.text);
		return;
	}
	if (l.n && !leave(c, &l))
		command(c, g, &l);
}

void cfg_parse(struct cfg *c, struct chassis_grammar *g, const char *text, size_t len)
{
	const char *end = text + len;
	char why[96];

	c->block[0] = (struct cfg_block){.mode = CHASSIS_CLI_EXEC};
	c->depth = 1;
	while (text < end && c->errors <= CHASSIS_CONFIG_ERRORS_MAX) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = nl ? (size_t)(nl - text) : (size_t)(end - text);

		c->line++;
		cfg_line(c, g, text, n);
		text += n + (nl ? 1 : 0);
	}
	if (c->errors > CHASSIS_CONFIG_ERRORS_MAX)
		return;
	if (c->depth > 1) {
		snprintf(why, sizeof(why),
			 "expected `end`: a block (%s) opened at line %u is not closed",
			 c->block[c->depth - 1].what, c->block[c->depth - 1].line);
		cfg_error(c, c->line, NULL, why);
	}
	while (c->depth > 1)
		close_block(c, false);
	cfg_file_check(c);
}

/* Freezes the service; a set of expressions may fail only as a whole. */
void cfg_commit(struct cfg *c)
{
	struct ecs_err e = {""};

	if (c->conf->service && ecs_service_commit(c->conf->service, &e) != SRP_OK)
		cfg_error(c, c->line, "active-charging", e.text);
}

struct chassis_config *cfg_defaults(void)
{
	struct chassis_config *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return NULL;
	snprintf(conf->hostname, sizeof(conf->hostname), "chassis");
	snprintf(conf->logging, sizeof(conf->logging), "stderr");
	conf->sessmgrs = 2;
	conf->severity = 6;
	conf->reserve_sessions = CFG_RESERVE_SESSIONS;
	conf->reserve_flows = CFG_RESERVE_FLOWS;
	conf->bulk.sample_min = CHASSIS_BULK_SAMPLE;
	conf->bulk.transfer_min = CHASSIS_BULK_TRANSFER;
	cfg_srp_defaults(&conf->srp);
	return conf;
}

struct chassis_config *chassis_config_parse_with(const char *text, size_t len, const char *file,
                                                 chassis_license_source_fn *source,
                                                 void *source_arg, chassis_config_error_fn *err,
                                                 void *arg)
{
	struct chassis_grammar *g;
	struct cfg c = {.file = file, .source = source, .source_arg = source_arg, .err = err,
	                .err_arg = arg};
	size_t n;
	const struct chassis_row *rows = cfg_rows(&n);
	char why[160];

	g = chassis_grammar_new(rows, n, CHASSIS_CLI_MODE__N, why, sizeof(why));
	c.conf = cfg_defaults();
	if (c.conf && source == chassis_license_assume)
		(void)source(source_arg, "", &c.conf->license, why, sizeof(why));
	if (g && c.conf) {
		cfg_parse(&c, g, text, len);
		if (!c.errors)
			cfg_commit(&c);
	} else {
		cfg_error(&c, 0, "", g ? srp_strerror(SRP_ENOMEM) : why);
	}
	chassis_grammar_free(g);
	if (!c.errors)
		return c.conf;
	chassis_config_free(c.conf);
	return NULL;
}

struct chassis_config *chassis_config_parse(const char *text, size_t len, const char *file,
                                            chassis_config_error_fn *err, void *arg)
{
	return chassis_config_parse_with(text, len, file, chassis_license_load, NULL, err, arg);
}

void chassis_config_free(struct chassis_config *c)
{
	if (!c)
		return;
	ecs_service_free(c->service);
	free(c);
}

const struct chassis_pool *chassis_config_pool(const struct chassis_config *c,
                                               const struct ecs_addr *a)
{
	for (size_t i = 0; i < c->npool; i++) {
		const struct chassis_pool *p = &c->pool[i];
		unsigned bits = p->v6 ? p->len : 96u + p->len;
		unsigned whole = bits / 8, rest = bits % 8;

		if (p->v6 != chassis_addr_v6(a) || memcmp(a->b, p->prefix.b, whole) != 0)
			continue;
		if (!rest || (a->b[whole] ^ p->prefix.b[whole]) >> (8 - rest) == 0)
			return p;
	}
	return NULL;
}

const struct chassis_apn *chassis_config_apn(const struct chassis_config *c, const char *name)
{
	for (size_t i = 0; i < c->napn; i++)
		if (strcmp(c->apn[i].name, name) == 0)
			return &c->apn[i];
	return NULL;
}

/* config_edit: lines of an operator, tried on a copy of the configuration. The copy is made by way of
 * its text: what an edit begins with is what a file of it would give. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

struct chassis_config_edit {
	struct cfg cfg;
	struct chassis_grammar *g;
	char *why;       /* of the call under way: receives the first error */
	size_t cap;
};

/* The first of the errors of a line is the one that is told. */
static void keep_first(void *arg, const char *text)
{
	struct chassis_config_edit *e = arg;

	if (e->cfg.errors == 1 && e->why)
		snprintf(e->why, e->cap, "%s", text);
}

static int known(void *arg, const char *path, struct chassis_license *out, char *why, size_t cap)
{
	const struct chassis_license *keys = arg;

	(void)path;
	(void)why;
	(void)cap;
	*out = *keys;
	return SRP_OK;
}

/* Reads the text of the base. Its keys may have expired meanwhile: what stands in it stays. */
static bool copy(struct chassis_config_edit *e, const struct chassis_config *base)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct chassis_license keys = base->license;
	bool printed;

	if (!out)
		return false;
	chassis_config_print(base, out);
	printed = fclose(out) == 0;
	e->cfg.trusted = true;
	e->cfg.source = known;
	e->cfg.source_arg = &keys;
	if (printed)
		cfg_parse(&e->cfg, e->g, text, len);
	e->cfg.trusted = false;
	e->cfg.source = NULL;
	if (e->cfg.conf->service) {
		ecs_service_trust(e->cfg.conf->service, false);
		ecs_service_db_share(e->cfg.conf->service, base->service);
	}
	free(text);
	return printed && !e->cfg.errors;
}

struct chassis_config_edit *chassis_config_edit_new(const struct chassis_config *base)
{
	struct chassis_config_edit *e = calloc(1, sizeof(*e));
	size_t n;
	const struct chassis_row *rows = cfg_rows(&n);
	char why[160];

	if (!e)
		return NULL;
	e->cfg.file = "";
	e->cfg.err = keep_first;
	e->cfg.err_arg = e;
	e->g = chassis_grammar_new(rows, n, CHASSIS_CLI_MODE__N, why, sizeof(why));
	e->cfg.conf = cfg_defaults();
	if (!e->g || !e->cfg.conf || !copy(e, base)) {
		chassis_config_edit_free(e);
		return NULL;
	}
	e->cfg.live = true;
	cfg_line(&e->cfg, e->g, "configure", strlen("configure"));
	return e;
}

void chassis_config_edit_free(struct chassis_config_edit *e)
{
	if (!e)
		return;
	chassis_grammar_free(e->g);
	chassis_config_free(e->cfg.conf);
	free(e);
}

static void begin(struct chassis_config_edit *e, char *why, size_t cap)
{
	e->cfg.errors = 0;
	e->why = why;
	e->cap = cap;
}

static int ended(struct chassis_config_edit *e)
{
	e->why = NULL;
	return e->cfg.errors ? SRP_EINVAL : SRP_OK;
}

int chassis_config_edit_line(struct chassis_config_edit *e, const char *text, size_t len,
                             chassis_license_source_fn *source, void *source_arg, char *why,
                             size_t cap)
{
	begin(e, why, cap);
	e->cfg.source = source;
	e->cfg.source_arg = source_arg;
	cfg_line(&e->cfg, e->g, text, len);
	return ended(e);
}

void chassis_config_edit_file(struct chassis_config_edit *e, int fd)
{
	e->cfg.has_opened = true;
	e->cfg.opened = fd;
}

bool chassis_config_edit_left(const struct chassis_config_edit *e)
{
	return e->cfg.depth == 1;
}

/* @p commit: its service is compiled, too. */
static struct chassis_config *end(struct chassis_config_edit *e, bool commit, char *why, size_t cap)
{
	struct chassis_config *conf = e->cfg.conf;

	begin(e, why, cap);
	/* blocks may still be open, or have been left in spite of what they lack */
	if (conf->srp.present)
		cfg_srp_check(&e->cfg);
	cfg_file_check(&e->cfg);
	if (!e->cfg.errors && commit)
		cfg_commit(&e->cfg);
	if (ended(e) != SRP_OK)
		return NULL;
	e->cfg.conf = NULL;
	return conf;
}

struct chassis_config *chassis_config_edit_end(struct chassis_config_edit *e, char *why, size_t cap)
{
	return end(e, true, why, cap);
}

struct chassis_config *chassis_config_edit_take(struct chassis_config_edit *e, char *why, size_t cap)
{
	return end(e, false, why, cap);
}

const char *chassis_config_edit_mode(const struct chassis_config_edit *e, const char **context)
{
	const struct cfg *c = &e->cfg;

	*context = "local";
	for (size_t i = 0; i < c->depth; i++)
		if (c->block[i].mode == CHASSIS_CLI_CONTEXT)
			*context = c->block[i].name;
	return c->block[c->depth - 1].what;
}

int chassis_config_edit_help(struct chassis_config_edit *e, const char *text, size_t len,
                             chassis_config_next_fn *fn, void *arg, char *why, size_t cap)
{
	struct chassis_line l;
	struct chassis_cli_err err;
	bool part;
	int rc = chassis_line_split(&l, text, len, &err);

	if (rc == SRP_OK) {
		part = l.n && !l.blank_end;
		rc = chassis_grammar_next(e->g, e->cfg.block[e->cfg.depth - 1].mode, &l,
					  part ? l.n - 1 : l.n, part ? l.word[l.n - 1] : "", fn,
					  arg, &err);
	}
	if (rc != SRP_OK)
		snprintf(why, cap, "%s", err.text);
	return rc;
}

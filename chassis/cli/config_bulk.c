/* config_bulk: bulk statistics: files, schemas, intervals. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include <string.h>

#include "srp/err.h"

#define PRINTED_MAX (CHASSIS_LINE_MAX - 100)

static bool no(const struct chassis_match *m)
{
	return chassis_match_has(m, "no");
}

int cfg_bulk_collection(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->conf->bulk.collect = !no(m);
	return SRP_OK;
}

int cfg_bulk_directory(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *path = chassis_match_text(m, "path");

	(void)arg;
	if (path && cfg_absolute(c, path) != SRP_OK)
		return SRP_EINVAL;
	snprintf(c->conf->bulk_dir, sizeof(c->conf->bulk_dir), "%s", path ? path : "");
	return SRP_OK;
}

int cfg_bulk_interval(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct chassis_bulk *b = &c->conf->bulk;

	if (arg)
		b->transfer_min = (uint32_t)chassis_match_num(m, "num", CHASSIS_BULK_TRANSFER);
	else
		b->sample_min = (uint32_t)chassis_match_num(m, "num", CHASSIS_BULK_SAMPLE);
	return SRP_OK;
}

int cfg_bulk_file(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct chassis_bulk_file *f = &c->conf->bulk.file[chassis_match_num(m, "num", 1) - 1];

	(void)arg;
	if (no(m)) {
		if (!f->used)
			return cfg_refuse(c, "num", "expected a file that there is");
		memset(f, 0, sizeof(*f));
		return SRP_OK;
	}
	f->used = true;
	c->bulk = f;
	return SRP_OK;
}

/* The place of a schema, or the first free one; NULL: it is none of these, and there is no room. */
static struct chassis_bulk_schema *place(struct chassis_bulk_file *f, const char *name)
{
	for (size_t i = 0; i < CHASSIS_BULK_SCHEMAS; i++)
		if (!f->schema[i].name[0] || strcmp(f->schema[i].name, name) == 0)
			return &f->schema[i];
	return NULL;
}

static int checked(struct cfg *c, const char *format, bool schema)
{
	char why[160];
	size_t n = 0;

	/* printed, each of these needs a backslash: the line must not grow too long to be read */
	for (const char *p = format; *p; p++)
		n += *p == '\\' || *p == '"' ? 2 : 1;
	if (n > PRINTED_MAX)
		return cfg_refuse(c, "text", "expected fewer backslashes and quotation marks");
	if (chassis_bulk_check(format, schema, why, sizeof(why)) == SRP_OK)
		return SRP_OK;
	return cfg_refuse(c, "text", "%s", why);
}

int cfg_bulk_schema(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *name = chassis_match_text(m, "name"), *format = chassis_match_text(m, "text");
	struct chassis_bulk_schema *s = place(c->bulk, name);
	struct chassis_bulk_schema *end = c->bulk->schema + CHASSIS_BULK_SCHEMAS - 1;

	(void)arg;
	if (no(m)) {
		if (!s || !s->name[0])
			return cfg_refuse(c, "name", "expected a schema that the file has");
		memmove(s, s + 1, (size_t)((char *)end - (char *)s));
		memset(end, 0, sizeof(*end));
		return SRP_OK;
	}
	if (cfg_need_key(c, CHASSIS_LICENSE_FLOW_RECOVERY) != SRP_OK ||
	    checked(c, format, true) != SRP_OK)
		return SRP_EINVAL;
	if (!s)
		return cfg_refuse(c, "name", "expected at most %d schemas in a file",
		                  CHASSIS_BULK_SCHEMAS);
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->format, sizeof(s->format), "%s", format);
	return SRP_OK;
}

int cfg_bulk_text(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *format = chassis_match_text(m, "text");

	if (format && checked(c, format, false) != SRP_OK)
		return SRP_EINVAL;
	if (!format)
		format = "";
	if (arg == 0)
		snprintf(c->bulk->header, sizeof(c->bulk->header), "%s", format);
	else if (arg == 1)
		snprintf(c->bulk->footer, sizeof(c->bulk->footer), "%s", format);
	else
		snprintf(c->bulk->remote, sizeof(c->bulk->remote), "%s", format);
	return SRP_OK;
}

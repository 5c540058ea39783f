/* config_files: files of records, `edr-module` and `udr-module`. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include <string.h>

#include "srp/err.h"

#define CURRENT        "curr"
#define ROTATE_RECORDS 1024u
#define ROTATE_S       3600u
#define ROTATE_BYTES   102400u

int cfg_record_files(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct chassis_record_conf *r = &c->conf->records[arg];

	(void)m;
	if (r->present && strcmp(r->context, cfg_name(c)) != 0)
		return cfg_refuse(c, NULL, "expected the context in which it is: %s", r->context);
	if (!r->present) {
		*r = (struct chassis_record_conf){.present = true, .current = CURRENT,
		                                  .rotate_records = ROTATE_RECORDS, .rotate_s = ROTATE_S,
		                                  .rotate_bytes = ROTATE_BYTES, .headers = true};
		snprintf(r->context, sizeof(r->context), "%s", cfg_name(c));
	}
	c->files = r;
	return SRP_OK;
}

int cfg_record_remove(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)m;
	c->conf->records[arg] = (struct chassis_record_conf){0};
	return SRP_OK;
}

static int rotation(struct cfg *c, const struct chassis_match *m, bool unset)
{
	struct chassis_record_conf *r = c->files;
	bool all = unset && !chassis_match_has(m, "num-records") && !chassis_match_has(m, "time") &&
	           !chassis_match_has(m, "volume");

	if (all || chassis_match_has(m, "num-records"))
		r->rotate_records = (uint32_t)chassis_match_num(m, "records", ROTATE_RECORDS);
	if (all || chassis_match_has(m, "time"))
		r->rotate_s = (uint32_t)chassis_match_num(m, "secs", ROTATE_S);
	if (all || chassis_match_has(m, "volume"))
		r->rotate_bytes = chassis_match_num(m, "bytes", ROTATE_BYTES);
	return SRP_OK;
}

int cfg_record_file(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	bool no = chassis_match_has(m, "no"), unset = no || chassis_match_has(m, "default");
	struct chassis_record_conf *r = c->files;
	const char *name = chassis_match_text(m, "name"), *prefix = chassis_match_text(m, "prefix");

	(void)arg;
	if (chassis_match_has(m, "rotation"))
		return rotation(c, m, unset);
	if (chassis_match_has(m, "headers"))
		r->headers = !no;
	if (chassis_match_has(m, "directory"))
		snprintf(r->directory, sizeof(r->directory), "%s",
		         unset ? "" : chassis_match_text(m, "path"));
	if ((name && strchr(name, '/')) || (prefix && strchr(prefix, '/')))
		return cfg_refuse(c, name ? "name" : "prefix", "expected a name without /");
	if (name || (unset && chassis_match_has(m, "name")))
		snprintf(r->name, sizeof(r->name), "%s", name ? name : "");
	if (prefix || (unset && chassis_match_has(m, "current-prefix")))
		snprintf(r->current, sizeof(r->current), "%s", prefix ? prefix : CURRENT);
	return SRP_OK;
}

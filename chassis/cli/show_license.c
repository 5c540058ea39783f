/* show_license: `show license info`. */
#include <config.h>
#include "chassis/cli/show.h"

#include <stdio.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof(a[0]))

static const char *const state_texts[] = {
	[CHASSIS_LICENSE_ENABLED] = "Enabled",
	[CHASSIS_LICENSE_DISABLED] = "Disabled",
	[CHASSIS_LICENSE_EXPIRED] = "Disabled (key expired)",
};

static void feature(const struct chassis_license *l, struct stats_doc *d, enum chassis_feature f,
                    uint32_t today)
{
	const struct chassis_feature_row *r = &chassis_features[f];
	enum chassis_license_state state = chassis_license_state(l, f, today);
	char until[16] = "never";
	uint32_t day = l->expires[f];

	if (!r->needs_key)
		snprintf(until, sizeof(until), "no key needed");
	else if (!l->key[f])
		snprintf(until, sizeof(until), "-");
	else if (day)
		snprintf(until, sizeof(until), "%04u-%02u-%02u", day / 10000 % 10000,
			 day / 100 % 100, day % 100);
	stats_doc_row(d, (const struct stats_value[]){
				 stats_string(r->part), stats_uint(l->key[f] || !r->needs_key),
				 stats_string(r->name), stats_string(until),
				 stats_string(state_texts[state])});
}

/* All keys stand in memory besides the file, so the loss of the file costs nothing until the next
 * start: that is what the field's word means here. */
static const char *status(const struct chassis_config *c, uint32_t today)
{
	if (!c->license_file[0])
		return "No key installed";
	for (unsigned f = 0; f < CHASSIS_LICENSE__N; f++)
		if (chassis_license_state(&c->license, f, today) == CHASSIS_LICENSE_EXPIRED)
			return "Expired";
	return "Good (Redundant)";
}

/* A value in the field's layout, which has no colon here. */
static void item(struct stats_doc *d, const char *key, const char *label, const char *value)
{
	stats_doc_line(d, "    %-20s %s", label, value);
	stats_doc_item(d, key, NULL, stats_string(value));
}

/* Keys act as they were read: at the start, or when the file was entered. */
static const char *file_state(const struct chassis_view *v)
{
	static const char *const texts[] = {
		[CHASSIS_KEYS_READ] = "as it was read",
		[CHASSIS_KEYS_CHANGED] = "changed since it was read: acts from the next reload on",
		[CHASSIS_KEYS_GONE] = "gone since it was read: it is missed at the next reload",
	};
	const struct chassis_slab *s;

	if (!v->config->license_file[0])
		return "-";
	if (v->acts && strcmp(v->config->license_file, v->acts->license_file) != 0)
		return "entered: session recovery obeys it after `save configuration` and `reload`";
	s = v->slab(v->arg, CHASSIS_TASK_SUPERVISOR, 0);
	return s && s->sr.keys < N(texts) ? texts[s->sr.keys] : "-";
}

void chassis_show_license(const struct chassis_view *v, struct stats_doc *d)
{
	static const struct stats_col cols[] = {{"part_number", "Part Number", 12, true},
						{"quantity", "Quantity", 8, false},
						{"feature", "Feature", 32, true},
						{"expires", "Expires", 13, true},
						{"state", "State", 8, true}};
	static const struct stats_table t = {"features", NULL, STATS_TABLE_PLAIN, cols, N(cols)};
	const struct chassis_config *c = v->config;
	uint32_t today = chassis_license_today();

	stats_doc_line(d, "Key Information (installed key):");
	item(d, "key_file", "Key File", c->license_file[0] ? c->license_file : "none");
	item(d, "key_file_state", "Key File State", file_state(v));
	stats_doc_line(d, "Enabled Features:");
	stats_doc_table(d, &t);
	for (unsigned f = 0; f < CHASSIS_LICENSE__N; f++)
		feature(&c->license, d, f, today);
	stats_doc_table_end(d);
	stats_doc_line(d, "Session Limits:");
	stats_doc_line(d, "    none");
	stats_doc_line(d, "CARD License Counts:");
	stats_doc_line(d, "    none");
	stats_doc_line(d, "Status:");
	item(d, "license_status", "License Status", status(c, today));
}

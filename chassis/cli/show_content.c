/* show_content: databases of content filtering and the like, and what these services have done. */
#include <config.h>
#include "chassis/cli/show.h"

#include <inttypes.h>
#include <string.h>

#include "chassis/task/slab.h"

void chassis_show_databases(const struct chassis_view *v, struct stats_doc *d)
{
	static const struct stats_col cols[] = {{"database", "Database", 14, true},
	                                        {"entries", "Entries", 8, false},
	                                        {"digest", "Digest", 16, true},
	                                        {"file", "File", 40, true}};
	static const struct stats_table t = {"databases", NULL, STATS_TABLE_PLAIN, cols,
	                                     sizeof(cols) / sizeof(cols[0])};
	const struct ecs_service *s = v->config->service;
	uint64_t n = 0;

	stats_doc_table(d, &t);
	for (unsigned k = 0; s && k < ECS_DB__N; k++) {
		const struct ecs_db *db = ecs_service_db(s, (enum ecs_db_kind)k);
		const char *path = ecs_service_db_path(s, (enum ecs_db_kind)k);
		char digest[24] = "not read";
		struct stats_value row[4];

		if (!path[0])
			continue;
		if (db)
			snprintf(digest, sizeof(digest), "%016" PRIx64, ecs_db_digest(db));
		row[0] = stats_string(ecs_db_name((enum ecs_db_kind)k));
		row[1] = stats_uint(ecs_db_entries(db));
		row[2] = stats_string(digest);
		row[3] = stats_string(path);
		stats_doc_row(d, row);
		n++;
	}
	stats_doc_table_end(d);
	stats_doc_line(d, "%s", "");
	stats_doc_item(d, "total", "Total databases", stats_uint(n));
}

static bool is_ours(const char *name)
{
	static const char *const ours[] = {"blacklist_", "cf_", "icap_", "tether"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strncmp(name, ours[i], strlen(ours[i])) == 0)
			return true;
	return false;
}

/* Sums of the counters of one group whose names are ours; @p at: of the group in a slab. */
static void sums(const struct chassis_view *v, struct stats_doc *d, const struct stats_desc *desc,
                 size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t sum = 0, one;

		if (!is_ours(desc[i].name))
			continue;
		for (unsigned k = 1; k <= v->nsessmgr; k++) {
			const struct chassis_slab *s = v->slab(v->arg, CHASSIS_TASK_SESSMGR, k);

			if (!s)
				continue;
			memcpy(&one, (const char *)s + at + desc[i].offset, sizeof(one));
			sum += one;
		}
		stats_doc_item(d, desc[i].name, desc[i].help, stats_uint(sum));
	}
}

void chassis_show_content(const struct chassis_view *v, struct stats_doc *d)
{
	stats_doc_layout(d, 88, false);
	sums(v, d, ecs_counter_desc, ecs_counter_count, offsetof(struct chassis_slab, ecs));
	sums(v, d, chassis_task_counter_desc, chassis_task_counter_count,
	     offsetof(struct chassis_slab, task_ctr));
}

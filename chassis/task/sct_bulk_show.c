/* sct_bulk_show: `show bulkstats ...`. */
#include "config.h"
#include "chassis/task/sct.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "srp/err.h"

#define N(a) (sizeof(a) / sizeof(a[0]))

static void number(struct stats_doc *d, const char *key, const char *label, uint64_t n)
{
	stats_doc_line(d, "  %-30s %14" PRIu64, label, n);
	stats_doc_item(d, key, NULL, stats_uint(n));
}

static void seconds(struct stats_doc *d, const char *key, const char *label, uint64_t n)
{
	stats_doc_line(d, "  %-30s %14" PRIu64 " second(s)", label, n);
	stats_doc_item(d, key, NULL, stats_uint(n));
}

static void word(struct stats_doc *d, const char *key, const char *label, const char *text)
{
	stats_doc_line(d, "  %-30s %s", label, text);
	stats_doc_item(d, key, NULL, stats_string(text));
}

static void totals(const struct sct *s, struct stats_doc *d)
{
	const struct sct_bulk *b = &s->bulk;
	uint64_t records = 0, bytes = 0;
	char when[40] = "never";
	struct tm tm;

	for (unsigned i = 0; i < CHASSIS_BULK_FILES; i++) {
		records += b->file[i].records;
		bytes += b->file[i].len;
	}
	if (b->last && gmtime_r(&b->last, &tm))
		(void)strftime(when, sizeof(when), "%A %B %d %H:%M:%S UTC %Y", &tm);
	stats_doc_line(d, "Bulk Statistics Server Statistics:");
	number(d, "records_waiting", "Records awaiting transmission:", records);
	number(d, "bytes_waiting", "Bytes awaiting transmission:", bytes);
	number(d, "records_collected", "Total records collected:", b->collected_records);
	number(d, "bytes_collected", "Total bytes collected:", b->collected_bytes);
	number(d, "records_transmitted", "Total records transmitted:", b->sent_records);
	number(d, "bytes_transmitted", "Total bytes transmitted:", b->sent_bytes);
	number(d, "records_discarded", "Total records discarded:", b->lost_records);
	number(d, "bytes_discarded", "Total bytes discarded:", b->lost_bytes);
	number(d, "failures", "Total transfers that failed:", b->failures);
	seconds(d, "collect_s", "Last collection time required:", b->collect_ms / 1000);
	seconds(d, "transfer_s", "Last transfer time required:", b->transfer_ms / 1000);
	word(d, "last_transfer", "Last successful transfer:", when);
	if (b->why[0])
		word(d, "last_failure", "Last failure:", b->why);
}

static void settings(const struct chassis_config *c, struct stats_doc *d)
{
	stats_doc_line(d, "Bulk Statistics:");
	stats_doc_line(d, "  %-30s %s", "Collection:", c->bulk.collect ? "Enabled" : "Disabled");
	stats_doc_item(d, "collection", NULL, stats_bool(c->bulk.collect));
	number(d, "sample_minutes", "Sample interval (minutes):", c->bulk.sample_min);
	number(d, "transfer_minutes", "Transfer interval (minutes):", c->bulk.transfer_min);
	word(d, "directory", "Directory:", c->bulk_dir[0] ? c->bulk_dir : "none");
	stats_doc_line(d, "%s", "");
}

/* --- what waits ----------------------------------------------------------------------------- */

static void lines(struct stats_doc *d, unsigned file, const struct sct_bulk_file *f)
{
	const char *p = f->text, *end = f->text + f->len;

	while (p && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);
		char *line = strndup(p, n);

		if (d->format == STATS_DOC_JSON)
			stats_doc_row(d, (const struct stats_value[]){stats_uint(file), stats_string(line)});
		else
			stats_doc_line(d, "%s", line ? line : "");
		free(line);
		p = nl ? nl + 1 : end;
	}
}

static void file_text(struct stats_doc *d, unsigned i, const struct chassis_bulk_file *c,
                      const struct sct_bulk_file *f)
{
	stats_doc_line(d, "%s", "");
	stats_doc_line(d, "File %u", i + 1);
	stats_doc_line(d, "  Remote File Format: %s", c->remote[0] ? c->remote : "(usual)");
	stats_doc_line(d, "  File Header: \"%s\"   File Footer: \"%s\"", c->header, c->footer);
	stats_doc_line(d, "  Bulkstats Receivers: none: files are written to the directory");
	stats_doc_line(d, "  Records awaiting transmission: %14" PRIu64, f->records);
	stats_doc_line(d, "  Bytes awaiting transmission:   %14zu", f->len);
}

static void data(const struct sct *s, struct stats_doc *d)
{
	static const struct stats_col cols[] = {{"file", NULL, 0, false}, {"line", NULL, 0, true}};
	static const struct stats_table t = {"data", NULL, STATS_TABLE_PLAIN, cols, N(cols)};
	const struct chassis_bulk *c = &s->ctx->shared->config->bulk;

	totals(s, d);
	if (d->format == STATS_DOC_JSON)
		stats_doc_table(d, &t);
	for (unsigned i = 0; i < CHASSIS_BULK_FILES; i++) {
		if (!c->file[i].used)
			continue;
		file_text(d, i, &c->file[i], &s->bulk.file[i]);
		lines(d, i + 1, &s->bulk.file[i]);
	}
	if (d->format == STATS_DOC_JSON)
		stats_doc_table_end(d);
}

/* --- schemas -------------------------------------------------------------------------------- */

static void schemas(const struct chassis_bulk *c, struct stats_doc *d)
{
	static const struct stats_col cols[] = {
		{"file", "File", 4, false}, {"type", "Type", 10, true}, {"name", "Schema", 20, true},
		{"format", "Format", 20, true}};
	static const struct stats_table t = {"schemas", NULL, STATS_TABLE_PLAIN, cols, N(cols)};

	stats_doc_table(d, &t);
	for (unsigned i = 0; i < CHASSIS_BULK_FILES; i++)
		for (unsigned k = 0; k < CHASSIS_BULK_SCHEMAS && c->file[i].schema[k].name[0]; k++)
			stats_doc_row(d, (const struct stats_value[]){
				stats_uint(i + 1), stats_string("flow-kpi"),
				stats_string(c->file[i].schema[k].name),
				stats_string(c->file[i].schema[k].format)});
	stats_doc_table_end(d);
}

void sct_bulk_show(struct sct_op *op, const struct chassis_match *m)
{
	const struct chassis_config *c = op->sct->ctx->shared->config;

	if (chassis_match_has(m, "data")) {
		data(op->sct, &op->doc);
	} else if (chassis_match_has(m, "schemas")) {
		schemas(&c->bulk, &op->doc);
	} else {
		settings(c, &op->doc);
		totals(op->sct, &op->doc);
	}
	sct_op_finish(op, SRP_OK, NULL);
}

/* --- variables ------------------------------------------------------------------------------ */

static void variable(struct stats_doc *d, const char *schema, const char *name, const char *type,
                     const char *help)
{
	stats_doc_row(d, (const struct stats_value[]){stats_string(name), stats_string(type),
	                                              stats_string(schema), stats_string(help)});
}

void sct_bulk_variables(struct sct_op *op, const struct chassis_match *m)
{
	static const char *const types[] = {[ECS_KPI_GAUGE] = "Int64 Gauge",
	                                    [ECS_KPI_COUNTER] = "Int64 Counter"};
	static const struct stats_col cols[] = {{"variable", "Variable", 28, true},
	                                        {"type", "Type", 14, true}, {"schema", NULL, 0, true},
	                                        {"help", NULL, 0, true}};
	static const struct stats_table t = {"variables", NULL, STATS_TABLE_PLAIN, cols, N(cols)};
	struct stats_doc *d = &op->doc;
	const char *help;

	stats_doc_table(d, &t);
	variable(d, "flow-kpi", CHASSIS_BULK_RULE, "Information", "Name of the rule.");
	for (unsigned i = 0; i < ECS_KPI__N; i++)
		variable(d, "flow-kpi", ecs_kpi_rows[i].variable, types[ecs_kpi_rows[i].type],
		         ecs_kpi_rows[i].help);
	for (unsigned i = 0; !chassis_match_has(m, "flow-kpi") && i < CHASSIS_BULK__N; i++) {
		const char *name = chassis_bulk_variable((enum chassis_bulk_variable)i, &help);

		variable(d, "any", name, "Information", help);
	}
	stats_doc_table_end(d);
	sct_op_finish(op, SRP_OK, NULL);
}

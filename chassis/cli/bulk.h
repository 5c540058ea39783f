/* bulk: formats of bulk statistics: text with %variables%, \n for a new line, \t for a tabulator, %% for
 * a per cent sign. Source: flow-recovery.txt, Configuring Flow KPI Bulk Statistics. */
#ifndef CHASSIS_CLI_BULK_H
#define CHASSIS_CLI_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "ecs/kpi.h"

#define CHASSIS_BULK_FILES    4    /**< `file N` */
#define CHASSIS_BULK_SCHEMAS  8    /**< of one file */
#define CHASSIS_BULK_FORMAT   3599 /**< characters of a schema's format */
#define CHASSIS_BULK_TEXT     2047 /**< of a header and a footer */
#define CHASSIS_BULK_NAME     31
#define CHASSIS_BULK_REMOTE   255
#define CHASSIS_BULK_SAMPLE   15   /**< minutes */
#define CHASSIS_BULK_TRANSFER 480
#define CHASSIS_BULK_RULE     "ecs-flow-rule-name"

#define CHASSIS_BULK(sym, variable, help) CHASSIS_BULK_##sym,
enum chassis_bulk_variable {
#include "chassis/cli/bulk.def"
	CHASSIS_BULK__N
};
#undef CHASSIS_BULK
/** Its name; @p help NULL: not asked for. */
const char *chassis_bulk_variable(enum chassis_bulk_variable v, const char **help);

struct chassis_bulk_schema {
	char name[CHASSIS_BULK_NAME + 1]; /**< empty: a free place; those in use stand together */
	char format[CHASSIS_BULK_FORMAT + 1];
};

/** `file N`. */
struct chassis_bulk_file {
	bool used;
	char remote[CHASSIS_BULK_REMOTE + 1]; /**< format of its name; empty: the usual one */
	char header[CHASSIS_BULK_TEXT + 1], footer[CHASSIS_BULK_TEXT + 1];
	struct chassis_bulk_schema schema[CHASSIS_BULK_SCHEMAS];
};

/** `bulkstats mode`. */
struct chassis_bulk {
	bool collect;              /**< `bulkstats collection` */
	uint32_t sample_min, transfer_min;
	struct chassis_bulk_file file[CHASSIS_BULK_FILES]; /**< N - 1 */
};

/** What a format is filled with. */
struct chassis_bulk_now {
	time_t wall;
	const char *host, *version, *address;
	uint64_t uptime_s;
	const char *rule;          /**< of the schema; NULL: no schema */
	const uint64_t *figure;    /**< [ECS_KPI__N] */
};

/**
 * Checks a format.
 *
 * @param schema  it may name the variables of the schema
 * @param why     receives what was expected (cap bytes)
 * @return 0 or SRP_EINVAL
 */
int chassis_bulk_check(const char *format, bool schema, char *why, size_t cap);
/** Writes what a checked format says. */
void chassis_bulk_fill(FILE *out, const char *format, const struct chassis_bulk_now *now);
/** The name of a file: as its format says, with _ for what has no place in a name, cut to 255 bytes.
 *  @p out: CHASSIS_BULK_REMOTE + 1 bytes */
void chassis_bulk_name(const struct chassis_bulk_file *f, unsigned number,
                       const struct chassis_bulk_now *now, char *out);

#endif

#include <config.h>
#include "chassis/cli/bulk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

#define VARIABLE_MAX 40

static const struct {
	const char *name, *help;
} variables[CHASSIS_BULK__N] = {
#define CHASSIS_BULK(sym, variable, text) [CHASSIS_BULK_##sym] = {variable, text},
#include "chassis/cli/bulk.def"
#undef CHASSIS_BULK
};

const char *chassis_bulk_variable(enum chassis_bulk_variable v, const char **help)
{
	if (help)
		*help = variables[v].help;
	return variables[v].name;
}

/* --- variables ------------------------------------------------------------------------------ */

static void put_date(FILE *out, const struct tm *tm, bool century)
{
	if (century)
		fprintf(out, "%04d", tm->tm_year + 1900);
	else
		fprintf(out, "%02d", tm->tm_year % 100);
	fprintf(out, "%02d%02d", tm->tm_mon + 1, tm->tm_mday);
}

static void put_time(FILE *out, const struct tm *tm, const char *between)
{
	fprintf(out, "%02d%s%02d%s%02d", tm->tm_hour, between, tm->tm_min, between, tm->tm_sec);
}

static void put_offset(FILE *out, const struct tm *tm)
{
	long minutes = labs(tm->tm_gmtoff) / 60;

	fprintf(out, "%c%02ld%02ld", tm->tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static void put_common(FILE *out, enum chassis_bulk_variable v, const struct chassis_bulk_now *now)
{
	struct tm utc = {0}, here = {0};

	(void)gmtime_r(&now->wall, &utc);
	(void)localtime_r(&now->wall, &here);
	switch (v) {
	case CHASSIS_BULK_DATE:          put_date(out, &utc, true); break;
	case CHASSIS_BULK_DATE3:         put_date(out, &utc, false); break;
	case CHASSIS_BULK_TIME:          put_time(out, &utc, ""); break;
	case CHASSIS_BULK_LOCALDATE:     put_date(out, &here, true); break;
	case CHASSIS_BULK_LOCALTIME:     put_time(out, &here, ""); break;
	case CHASSIS_BULK_LOCALTIME3:    put_time(out, &here, ":"); break;
	case CHASSIS_BULK_LOCALTZ:       fputs(here.tm_zone ? here.tm_zone : "", out); break;
	case CHASSIS_BULK_LOCALTZOFFSET: put_offset(out, &here); break;
	case CHASSIS_BULK_EPOCHTIME:     fprintf(out, "%lld", (long long)now->wall); break;
	case CHASSIS_BULK_HOST:          fputs(now->host, out); break;
	case CHASSIS_BULK_IPADDR:        fputs(now->address, out); break;
	case CHASSIS_BULK_SYSUPTIME:     fprintf(out, "%" PRIu64, now->uptime_s); break;
	case CHASSIS_BULK_SWBUILD:       fputs(now->version, out); break;
	case CHASSIS_BULK__N:            break;
	}
}

static bool is(const char *name, const char *v, size_t n)
{
	return strlen(name) == n && memcmp(name, v, n) == 0;
}

/* Writes the variable whose name has @p n bytes at @p v; @p out NULL: only asks whether there is one. */
static bool put(FILE *out, const char *v, size_t n, bool schema, const struct chassis_bulk_now *now)
{
	for (unsigned i = 0; i < CHASSIS_BULK__N; i++)
		if (is(variables[i].name, v, n)) {
			if (out)
				put_common(out, (enum chassis_bulk_variable)i, now);
			return true;
		}
	if (!schema)
		return false;
	if (is(CHASSIS_BULK_RULE, v, n)) {
		if (out)
			fputs(now->rule, out);
		return true;
	}
	for (unsigned i = 0; i < ECS_KPI__N; i++)
		if (is(ecs_kpi_rows[i].variable, v, n)) {
			if (out)
				fprintf(out, "%" PRIu64, now->figure[i]);
			return true;
		}
	return false;
}

/* --- formats -------------------------------------------------------------------------------- */

int chassis_bulk_check(const char *format, bool schema, char *why, size_t cap)
{
	const char *p = format, *end;

	while ((p = strchr(p, '%')) != NULL) {
		end = strchr(++p, '%');
		if (!end) {
			snprintf(why, cap, "expected a per cent sign behind the variable %%%.*s",
			         VARIABLE_MAX, p);
			return SRP_EINVAL;
		}
		if (end != p && !put(NULL, p, (size_t)(end - p), schema, NULL)) {
			snprintf(why, cap, "expected a variable%s, not %%%.*s%%",
			         schema ? " of the schema (`show bulkstats variables`)" : "",
			         (int)(end - p < VARIABLE_MAX ? end - p : VARIABLE_MAX), p);
			return SRP_EINVAL;
		}
		p = end + 1;
	}
	return SRP_OK;
}

void chassis_bulk_fill(FILE *out, const char *format, const struct chassis_bulk_now *now)
{
	for (const char *p = format; *p; p++) {
		const char *end = *p == '%' ? strchr(p + 1, '%') : NULL;

		if (end) {
			if (end == p + 1)
				fputc('%', out);
			else
				(void)put(out, p + 1, (size_t)(end - p - 1), now->rule != NULL, now);
			p = end;
		} else if (*p == '\\' && (p[1] == 'n' || p[1] == 't')) {
			fputc(*++p == 'n' ? '\n' : '\t', out);
		} else {
			fputc(*p, out);
		}
	}
}

void chassis_bulk_name(const struct chassis_bulk_file *f, unsigned number,
                       const struct chassis_bulk_now *now, char *out)
{
	char usual[48], *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	snprintf(usual, sizeof(usual), "bulkstats-%u-%%date%%-%%time%%", number);
	if (to)
		chassis_bulk_fill(to, f->remote[0] ? f->remote : usual, now);
	if (!to || fclose(to) != 0 || !len)
		snprintf(out, CHASSIS_BULK_REMOTE + 1, "bulkstats-%u", number);
	else
		snprintf(out, CHASSIS_BULK_REMOTE + 1, "%s", text);
	free(text);
	for (char *c = out; *c; c++)
		if (*c == '/' || (unsigned char)*c < 0x20 || *c == 0x7f || (c == out && *c == '.'))
			*c = '_';
}

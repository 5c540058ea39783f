/* show_system: the configuration, its errors, the version. */
#include <config.h>
#include "chassis/cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N(a) (sizeof(a) / sizeof(a[0]))

/* The number is this chassis' own; the digest is what the peer's is compared with. */
static void running(const struct chassis_running *r, struct stats_doc *d)
{
	time_t at = (time_t)(r->wall_ms / 1000);
	char since[48] = "", digest[17];
	struct tm tm;

	if (localtime_r(&at, &tm))
		strftime(since, sizeof(since), "%a %b %e %H:%M:%S %Z %Y", &tm);
	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)r->digest);
	stats_doc_open(d, "running_configuration", "Running Configuration:");
	stats_doc_item(d, "configuration_version", "  Version", stats_uint(r->version));
	stats_doc_item(d, "since", "  Since", stats_string(since));
	stats_doc_item(d, "digest", "  Digest", stats_string(digest));
	stats_doc_close(d);
}

void chassis_show_version(const struct chassis_view *v, struct stats_doc *d)
{
	stats_doc_layout(d, 34, false);
	stats_doc_open(d, "software", "Active Software:");
	stats_doc_item(d, "version", "  Image Version", stats_string(PACKAGE_VERSION));
	stats_doc_item(d, "description", "  Image Description", stats_string(PACKAGE_STRING));
	stats_doc_close(d);
	if (v->running)
		running(v->running, d);
}

/* --- configuration -------------------------------------------------------------------------- */

void chassis_show_config(const struct chassis_view *v, struct stats_doc *d)
{
	static const struct stats_col cols[] = {{"line", "line", 0, true}};
	static const struct stats_table t = {"configuration", NULL, STATS_TABLE_BARE, cols, 1};
	char *text = NULL, *line, *save = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	chassis_config_print(v->config, out);
	stats_doc_table(d, &t);
	if (fclose(out) == 0)
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			stats_doc_row(d, (const struct stats_value[]){stats_string(line)});
	stats_doc_table_end(d);
	free(text);
}

/* --- its errors ----------------------------------------------------------------------------- */

struct findings {
	struct stats_doc *d;
	bool warnings;             /**< this pass prints warnings, else errors */
	unsigned errors, warned;
};

static void finding(void *arg, bool warning, const char *text)
{
	struct findings *f = arg;

	if (warning != f->warnings)
		return;
	if (warning)
		f->warned++;
	else
		f->errors++;
	stats_doc_row(f->d, (const struct stats_value[]){
		stats_string(f->d->format == STATS_DOC_JSON ? warning ? "warning" : "error"
		             : warning                      ? "Warning :" : "Error   :"),
		stats_string(text)});
}

/* What the chassis itself needs; the parser takes a configuration that is not finished. */
static void chassis_findings(const struct chassis_config *c, struct findings *f)
{
	const struct chassis_srp_config *s = &c->srp;
	char text[200];
	bool access = false, core = false;

	for (size_t i = 0; i < c->niface; i++) {
		access |= c->iface[i].side == CHASSIS_SIDE_ACCESS;
		core |= c->iface[i].side == CHASSIS_SIDE_CORE;
	}
	if (!access || !core)
		finding(f, false,
			"No interface has side access, or none has side core: no traffic passes.");
	if (!s->present)
		finding(f, true, "There is no service-redundancy-protocol: nothing is replicated.");
	else if (!s->has_peer || !s->has_bind)
		finding(f, false,
			"Service-redundancy-protocol has no peer-ip-address or no bind address.");
	if (s->present && (!s->cert[0] || !s->key[0] || !s->ca[0] || !s->peer_name[0]))
		finding(f, false,
			"Service-redundancy-protocol has no tls certificate, key, ca or "
			"peer-name.");
	if (s->present && !c->state_file[0])
		finding(f, true,
			"Service-redundancy-protocol has no state-file: the term is lost at a "
			"restart.");
	for (size_t i = 0; i < c->napn; i++) {
		const struct chassis_apn *a = &c->apn[i];

		if (a->rulebase[0] &&
		    (!c->service || ecs_service_find_rulebase(c->service, a->rulebase) < 0)) {
			snprintf(text, sizeof(text), "Rulebase <%s> of APN <%s> is not configured.",
			         a->rulebase, a->name);
			finding(f, false, text);
		}
	}
}

/* Records that no file is there for. */
static void record_findings(const struct chassis_config *c, struct findings *f)
{
	static const char *const what[] = {
		[CHASSIS_RECORDS_EDR] = "EDRs or FDRs, and there is no edr-module",
		[CHASSIS_RECORDS_UDR] = "UDRs, and there is no udr-module"};
	const char *name;
	char text[200];

	for (int i = 0; c->service && (name = ecs_service_rulebase_name(c->service, i)) != NULL; i++) {
		const struct ecs_rulebase_conf *rb = ecs_service_rulebase_conf(c->service, i);
		const bool asks[] = {
			[CHASSIS_RECORDS_EDR] = ecs_service_records(c->service, i) &
			                        (ECS_RECORDS_EDR | ECS_RECORDS_FDR),
			[CHASSIS_RECORDS_UDR] = rb && rb->udr};

		for (unsigned k = 0; k < CHASSIS_RECORDS__N; k++)
			if (asks[k] && (!c->records[k].present || !c->records[k].directory[0])) {
				snprintf(text, sizeof(text), "Rulebase <%s> asks for %s with a file "
				         "directory: they are lost.", name, what[k]);
				finding(f, true, text);
			}
	}
}

struct apn_findings {
	const struct chassis_config *c;
	struct findings *f;
};

static void apn_finding(void *arg, const char *subs_class, const char *apn)
{
	const struct apn_findings *x = arg;
	char text[240];

	if (chassis_config_apn(x->c, apn))
		return;
	snprintf(text, sizeof(text), "APN <%s> of subs-class <%s> is not configured.", apn,
	         subs_class);
	finding(x->f, true, text);
}

static void section(struct findings *f, const char *key, const char *title,
                    const struct chassis_config *c, const struct chassis_config *service)
{
	static const struct stats_col cols[] = {{"kind", "", 0, true}, {"text", "", 0, true}};
	const struct stats_table t = {key, NULL, STATS_TABLE_BARE, cols, N(cols)};
	struct stats_doc *d = f->d;

	f->errors = f->warned = 0;
	stats_doc_line(d, "%.86s", "##############################################################"
	                           "########################");
	stats_doc_line(d, "#                   Displaying %s errors", title);
	stats_doc_line(d, "%.86s", "##############################################################"
	                           "########################");
	stats_doc_table(d, &t);
	for (int pass = 0; pass < 2; pass++) {
		f->warnings = pass;
		if (c)
			chassis_findings(c, f);
		if (c)
			record_findings(c, f);
		if (service && service->service) {
			ecs_service_lint(service->service, finding, f);
			ecs_service_subs_apns(service->service, apn_finding,
			                      &(struct apn_findings){service, f});
		}
		if (!pass) {
			stats_doc_line(d, "Total %u error(s) in this section !", f->errors);
			stats_doc_line(d, "%s", "");
		}
	}
	stats_doc_line(d, "Total %u warning(s) in this section!", f->warned);
	stats_doc_table_end(d);
}

void chassis_show_config_errors(const struct chassis_view *v, struct stats_doc *d)
{
	struct findings f = {.d = d};

	section(&f, "chassis", "Chassis", v->config, NULL);
	stats_doc_line(d, "%s", "");
	section(&f, "active_charging", "Active-charging system", NULL, v->config);
}

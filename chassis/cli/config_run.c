/* config_run: the configuration that runs, beside the one that is configured: what of a change can act
 * at once, and how the tasks read it. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include <string.h>

#include "srp/err.h"

/* --- what acts at once ---------------------------------------------------------------------- */

static void srp_live(struct chassis_srp_config *s, const struct chassis_srp_config *next)
{
	if (!s->present || !next->present)
		return;
	s->rate = next->rate;
	s->burst = next->burst;
	s->session_duration = next->session_duration;
	s->audit_minutes = next->audit_minutes;
	s->pending_s = next->pending_s;
	s->lz4 = s->lz4 && next->lz4; /* it begins with a connection, and ends at any time */
}

/* An APN that a pool which runs still names stays until the pool goes. */
static void apns_live(struct chassis_config *m, const struct chassis_config *running,
                      const struct chassis_config *next)
{
	memcpy(m->apn, next->apn, sizeof(m->apn));
	m->napn = next->napn;
	for (size_t i = 0; i < m->npool; i++) {
		const char *name = m->pool[i].first_packet_apn;
		const struct chassis_apn *old = chassis_config_apn(running, name);

		if (name[0] && old && !chassis_config_apn(m, name) && m->napn < CHASSIS_APNS_MAX)
			m->apn[m->napn++] = *old;
	}
}

/* When files are complete; where they are, and how they are called, is so from the start. */
static void records_live(struct chassis_record_conf *r, const struct chassis_record_conf *next)
{
	if (!r->present || !next->present)
		return;
	r->rotate_records = next->rotate_records;
	r->rotate_s = next->rotate_s;
	r->rotate_bytes = next->rotate_bytes;
}

/* To be printed, no more: it owns nothing. */
static struct chassis_config mixed(const struct chassis_config *running,
                                   const struct chassis_config *next)
{
	struct chassis_config m = *running;

	memcpy(m.license_file, next->license_file, sizeof(m.license_file));
	m.license = next->license;
	m.service = next->service;
	m.bulk = next->bulk;
	apns_live(&m, running, next);
	srp_live(&m.srp, &next->srp);
	for (size_t i = 0; i < CHASSIS_RECORDS__N; i++)
		records_live(&m.records[i], &next->records[i]);
	return m;
}

void chassis_config_print_running(const struct chassis_config *running,
                                  const struct chassis_config *next, FILE *out)
{
	const struct chassis_config m = mixed(running, next);

	chassis_config_print(&m, out);
}

uint64_t chassis_config_digest_running(const struct chassis_config *running,
                                       const struct chassis_config *next)
{
	const struct chassis_config m = mixed(running, next);

	return chassis_config_digest(&m);
}

int chassis_config_commit(struct chassis_config *c, char *why, size_t cap)
{
	struct ecs_err e = {""};
	int rc = c->service ? ecs_service_commit(c->service, &e) : SRP_OK;

	if (rc < 0)
		snprintf(why, cap, "%s", e.text);
	return rc;
}

/* --- reading what runs ---------------------------------------------------------------------- */

struct reason {
	char *why;
	size_t cap;
};

static void keep(void *arg, const char *text)
{
	struct reason *r = arg;

	if (!r->why[0])
		snprintf(r->why, r->cap, "%s", text);
}

static int known(void *arg, const char *path, struct chassis_license *out, char *why, size_t cap)
{
	const struct chassis_license *keys = arg;

	(void)path, (void)why, (void)cap;
	*out = *keys;
	return SRP_OK;
}

struct chassis_config *chassis_config_parse_running(const char *text, size_t len,
                                                    const struct chassis_license *keys,
                                                    struct ecs_sets sets, char *why, size_t cap)
{
	struct reason reason = {why, cap};
	struct chassis_license l = *keys;
	struct cfg c = {.file = "running", .source = known, .source_arg = &l, .err = keep,
	                .err_arg = &reason, .trusted = true};
	size_t n;
	const struct chassis_row *rows = cfg_rows(&n);
	struct chassis_grammar *g;
	struct ecs_err e = {""};

	why[0] = '\0';
	g = chassis_grammar_new(rows, n, CHASSIS_CLI_MODE__N, why, cap);
	c.conf = cfg_defaults();
	if (!g || !c.conf) {
		keep(&reason, srp_strerror(SRP_ENOMEM));
		c.errors++;
	} else {
		cfg_parse(&c, g, text, len);
	}
	chassis_grammar_free(g);
	if (!c.errors && c.conf->service &&
	    ecs_service_commit_with(c.conf->service, sets, &e) != SRP_OK)
		cfg_error(&c, c.line, "active-charging", e.text);
	if (!c.errors)
		return c.conf;
	chassis_config_free(c.conf);
	return NULL;
}

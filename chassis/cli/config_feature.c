/* config_feature: feature keys, and what needs one. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include <string.h>

#include "srp/err.h"

/* The daemon leaves its directory, and a saved file may be read from another one. */
int cfg_absolute(struct cfg *c, const char *path)
{
	if (path[0] == '/')
		return SRP_OK;
	return cfg_refuse(c, "path", "expected a path that begins with /");
}

int cfg_need_key(struct cfg *c, enum chassis_feature f)
{
	const char *why = c->trusted ? NULL : chassis_license_lacks(&c->conf->license, f);

	if (!why)
		return SRP_OK;
	return cfg_refuse(c, NULL, "expected a feature key: %s is disabled, %s%s",
	                  chassis_features[f].name, why,
	                  c->conf->license_file[0] ? "" : " (`license key-file`)");
}

/* Of the active-charging service, what only flow recovery looks at. */
static const char *recovery_in_use(const struct chassis_config *conf, const struct chassis_license *l,
                                   enum chassis_feature *f)
{
	static const char *const no[ECS_RECOVER__N] = {
#define ECS_RECOVER(sym, word, always, help) [ECS_RECOVER_##sym] = "no flow-recovery " word,
#include "ecs/rule/recover.def"
#undef ECS_RECOVER
	};

	if (!conf->service || !chassis_license_lacks(l, *f = CHASSIS_LICENSE_FLOW_RECOVERY))
		return NULL;
	if (ecs_service_flow_chkpt_limit(conf->service) != ECS_FLOW_CHKPT_DEFAULT)
		return "no system-limit flow-chkpt-per-call";
	for (unsigned i = 0; i < ECS_RECOVER__N; i++)
		if (ecs_service_keeps(conf->service, (enum ecs_recover)i))
			return no[i];
	return NULL;
}

/* What is configured that a set of keys does not permit; NULL: it permits all. */
static const char *in_use(const struct chassis_config *conf, const struct chassis_license *l,
                          enum chassis_feature *f)
{
	if (conf->session_recovery && chassis_license_lacks(l, *f = CHASSIS_LICENSE_SESSION_RECOVERY))
		return "no require session recovery";
	if (conf->service && ecs_service_recovers(conf->service) &&
	    chassis_license_lacks(l, *f = CHASSIS_LICENSE_FLOW_RECOVERY))
		return "no flow-recovery";
	if (conf->service && !ecs_service_lifetimes_default(conf->service) &&
	    chassis_license_lacks(l, *f = CHASSIS_LICENSE_FLOW_RECOVERY))
		return "no flow-kpi lifetime-buckets";
	for (size_t i = 0; i < CHASSIS_BULK_FILES; i++)
		if (conf->bulk.file[i].schema[0].name[0] &&
		    chassis_license_lacks(l, *f = CHASSIS_LICENSE_FLOW_RECOVERY))
			return "no flow-kpi schema";
	return recovery_in_use(conf, l, f);
}

int cfg_license(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *path = chassis_match_text(m, "path");
	struct chassis_license l = {{false}, {0}};
	struct chassis_config *conf = c->conf;
	char why[CHASSIS_LICENSE_WHY];
	enum chassis_feature f;
	const char *first;

	(void)arg;
	if (path && cfg_absolute(c, path) != SRP_OK)
		return SRP_EINVAL;
	if (path && c->source(c->source_arg, path, &l, why, sizeof(why)) != SRP_OK)
		return cfg_refuse(c, "path", "expected a feature-key file: %s", why);
	first = c->trusted ? NULL : in_use(conf, &l, &f);
	if (first)
		return cfg_refuse(c, path ? "path" : NULL,
		                  "expected a key for %s, which is in use; else first `%s`",
		                  chassis_features[f].name, first);
	snprintf(conf->license_file, sizeof(conf->license_file), "%s", path ? path : "");
	conf->license = l;
	return SRP_OK;
}

int cfg_require_sr(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct chassis_config *conf = c->conf;

	(void)arg;
	if (chassis_match_has(m, "no")) {
		conf->session_recovery = false;
		return SRP_OK;
	}
	if (!c->live && c->nonlocal_line)
		return cfg_refuse(c, NULL,
				  "expected before every context but `local`: one begins at line %u",
				  c->nonlocal_line);
	if (cfg_need_key(c, CHASSIS_LICENSE_SESSION_RECOVERY) != SRP_OK)
		return SRP_EINVAL;
	conf->session_recovery = true;
	return SRP_OK;
}

int cfg_sr_reserve(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->conf->reserve_sessions =
		(uint32_t)chassis_match_num(m, "sessions", CFG_RESERVE_SESSIONS);
	c->conf->reserve_flows = (uint32_t)chassis_match_num(m, "flows", CFG_RESERVE_FLOWS);
	return SRP_OK;
}

int cfg_crash(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *path = chassis_match_text(m, "path");

	(void)arg;
	if (path && cfg_absolute(c, path) != SRP_OK)
		return SRP_EINVAL;
	c->conf->crash_cores = !chassis_match_has(m, "no");
	snprintf(c->conf->crash_dir, sizeof(c->conf->crash_dir), "%s", path ? path : "");
	return SRP_OK;
}

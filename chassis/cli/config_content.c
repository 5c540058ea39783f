/* config_content: content filtering, and the files of databases. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include <stdlib.h>
#include <string.h>

#include "chassis/cli/database.h"
#include "srp/err.h"

#define PORT     1344
#define MAX      4
#define PRIORITY 1

static bool no(const struct chassis_match *m)
{
	return chassis_match_has(m, "no");
}

static struct ecs_service *service(const struct cfg *c)
{
	return c->conf->service;
}

/* What a line says; without an action: allow. */
static struct ecs_cf_action action_of(const struct chassis_match *m)
{
	static const char *const words[] = {
#define X(sym, text) [ECS_CF_##sym] = text,
		ECS_CF_ACTS(X)
#undef X
	};
	struct ecs_cf_action a = {.code = (uint16_t)chassis_match_num(m, "code", 0)};
	const char *text = chassis_match_text(m, "url");

	for (unsigned i = 0; i < ECS_CF__N; i++)
		if (chassis_match_has(m, words[i]))
			a.act = (enum ecs_cf_act)i;
	if (!text)
		text = chassis_match_text(m, "insert");
	snprintf(a.text, sizeof(a.text), "%s", text ? text : "");
	return a;
}

int cfg_ecs_cf_policy(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->cf_policy = (uint32_t)chassis_match_num(m, "num", 0);
	return cfg_told(c, ecs_service_cf_policy(service(c), c->cf_policy, no(m), &c->why), "num");
}

int cfg_ecs_cf_line(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const struct ecs_cf_action a = action_of(m);

	(void)arg;
	return cfg_told(c, ecs_service_cf_line(service(c), c->cf_policy, no(m),
	                                           (uint32_t)chassis_match_num(m, "num", 0),
	                                           chassis_match_text(m, "category"), &a, &c->why),
	                NULL);
}

int cfg_ecs_cf_failure(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const struct ecs_cf_action a = action_of(m);

	(void)arg;
	return cfg_told(c, ecs_service_cf_failure(service(c), c->cf_policy, &a, &c->why), NULL);
}

int cfg_ecs_rater(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	return cfg_told(c, ecs_service_rater(service(c), chassis_match_text(m, "name"), no(m), &c->why),
	                "name");
}

int cfg_ecs_rater_server(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct ecs_rater_server sv = {
		.port = (uint16_t)chassis_match_num(m, "port", PORT),
		.max = (uint8_t)chassis_match_num(m, "max", MAX),
		.priority = (uint16_t)chassis_match_num(m, "priority", PRIORITY),
	};

	(void)arg;
	if (ecs_addr_parse(chassis_match_text(m, "addr"), &sv.addr) != SRP_OK)
		return cfg_refuse(c, "addr", "expected an address");
	return cfg_told(c, ecs_service_rater_server(service(c), cfg_name(c), no(m), &sv, &c->why),
	                "addr");
}

int cfg_ecs_rater_service(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *path = chassis_match_text(m, "service");

	(void)arg;
	return cfg_told(c, ecs_service_rater_service(service(c), cfg_name(c), path ? path : "reqmod",
	                                             &c->why), "service");
}

int cfg_ecs_rater_times(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	uint32_t v = (uint32_t)chassis_match_num(m, "num", arg ? 30 : 5);

	return cfg_told(c, ecs_service_rater_times(service(c), cfg_name(c), arg ? 0 : v, arg ? v : 0,
	                                           &c->why), "num");
}

int cfg_ecs_rater_failure(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const struct ecs_cf_action a = action_of(m);

	(void)arg;
	return cfg_told(c, ecs_service_rater_failure(service(c), cfg_name(c), &a, &c->why), NULL);
}

int cfg_ecs_rater_deny(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	return cfg_told(c, ecs_service_rater_deny(service(c), cfg_name(c),
	                                          chassis_match_text(m, "text"), &c->why), "text");
}

/* --- databases ------------------------------------------------------------------------------ */

int cfg_ecs_db(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	enum ecs_db_kind kind = (enum ecs_db_kind)arg;
	const char *path = chassis_match_text(m, "path");
	struct ecs_db *db = NULL;
	char why[CHASSIS_DATABASE_WHY];
	int rc;

	/* an operator's shell has opened it; the file of a start is read by who starts */
	if (path && c->has_opened && c->opened < 0)
		return cfg_refuse(c, "path", "expected a file that the shell can open");
	if (path && c->has_opened) {
		db = chassis_database_read(kind, c->opened, why, sizeof(why));
		if (!db)
			return cfg_refuse(c, "path", "expected a database: %s", why);
	}
	rc = ecs_service_db_file(service(c), kind, path, &c->why);
	if (rc == SRP_OK && db)
		ecs_service_db_set(service(c), kind, db);
	else
		ecs_db_unref(db);
	return cfg_told(c, rc, "path");
}

#include "config.h"
#include "ecs/rule/lint_impl.h"

#include <string.h>

#include "ecs/rule/service_impl.h"

/** Whether a line of a rulebase shows its requests to the server group. */
static bool shows(const struct ecs_service *s, const struct rulebase *rb)
{
	for (size_t i = 0; i < rb->n; i++) {
		const struct obj *o = ecs_obj_find(&s->actions, rb->lines[i].action);

		if (o && ((const struct action *)(const void *)o)->pub.content_filtering)
			return true;
	}
	return false;
}

static void need_db(const struct linter *l, const struct rulebase *rb, enum ecs_db_kind kind,
                    const char *words)
{
	if (!l->s->db[kind].path[0])
		WARNING(l, "Rulebase <%s> has %s, and no database of it is configured.", rb->o.name,
		        words);
}

static void lint_filtering(const struct linter *l, const struct rulebase *rb)
{
	const struct ecs_rulebase_conf *c = &rb->conf;
	const struct ecs_rater *r = c->cf_group[0] ? ecs_service_find_rater(l->s, c->cf_group) : NULL;
	bool groups = c->cf_mode == ECS_CF_MODE_GROUP;

	if (c->cf_policy && !ecs_service_find_cf_policy(l->s, c->cf_policy))
		ERROR(l, "Content-filtering policy-id <%u> of rulebase <%s> is not configured.",
		      c->cf_policy, rb->o.name);
	if (c->cf_group[0] && !r)
		ERROR(l, "Content-filtering server-group <%s> of rulebase <%s> is not configured.",
		      c->cf_group, rb->o.name);
	if (r && !r->n)
		WARNING(l, "Content-filtering server-group <%s> has no server: its failure-action is "
		        "done at once.", r->name);
	if (!c->cf_policy && c->cf_mode == ECS_CF_MODE_DYNAMIC)
		WARNING(l, "Rulebase <%s> rates requests and has no content-filtering policy.",
		        rb->o.name);
	if (c->cf_policy && !groups)
		need_db(l, rb, ECS_DB_CATEGORIES, "content filtering");
	if (groups && !shows(l->s, rb))
		WARNING(l, "Rulebase <%s> has a content-filtering server-group, and no "
		        "charging-action with content-filtering processing.", rb->o.name);
	if (!groups && shows(l->s, rb))
		WARNING(l, "Rulebase <%s> has a charging-action with content-filtering processing, "
		        "and no content-filtering mode server-group.", rb->o.name);
}

void ecs_lint_content(const struct linter *l)
{
	TABLE_EACH(&l->s->rulebases, rulebase, rb) {
		lint_filtering(l, rb);
		if (rb->conf.blacklisting)
			need_db(l, rb, ECS_DB_BLACKLIST, "url-blacklisting");
		if (rb->conf.tether_os)
			need_db(l, rb, ECS_DB_OS, "tethering detection by OS signature");
	}
	for (unsigned k = 0; k < ECS_DB__N; k++)
		if (l->s->db[k].path[0] && !l->s->db[k].db)
			WARNING(l, "Database <%s> was not read.", l->s->db[k].path);
}

#include "config.h"
#include "ecs/rule/agents.h"

#include <string.h>

#include "ecs/rule/service_impl.h"

int ecs_service_user_agent(struct ecs_service *s, bool no, const char *name, struct ecs_err *e)
{
	int rc = ecs_rule_open(s, e);
	size_t i = 0;

	if (rc == 0)
		rc = ecs_name_check(name, "user-agent", e);
	if (rc)
		return rc;
	if (strlen(name) > ECS_TOKEN_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a user-agent of 1 to %d characters",
		                  ECS_TOKEN_MAX);
	while (i < s->nagents && strcasecmp(s->agents[i], name) != 0)
		i++;
	if (no) {
		if (i == s->nagents)
			return ecs_refuse(e, SRP_ENOENT,
			                  "expected a user-agent that is configured");
		s->nagents--;
		memmove(s->agents[i], s->agents[i + 1], (s->nagents - i) * sizeof(s->agents[0]));
		return 0;
	}
	if (i < s->nagents)
		return 0;
	if (i == ECS_USER_AGENTS_MAX)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d user-agents",
		                  ECS_USER_AGENTS_MAX);
	memcpy(s->agents[s->nagents++], name, strlen(name) + 1);
	return 0;
}

bool ecs_service_knows_agent(const struct ecs_service *s, const char *user_agent)
{
	for (size_t i = 0; user_agent && i < s->nagents; i++)
		if (strcasestr(user_agent, s->agents[i]))
			return true;
	return false;
}

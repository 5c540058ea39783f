#include "config.h"
#include "ecs/rule/service_impl.h"

#include <string.h>

struct ecs_charging_action *ecs_service_charging_action(struct ecs_service *s, const char *name,
                                                        bool no, struct ecs_err *e)
{
	struct action *a;
	struct obj *o;

	if (e)
		e->text[0] = '\0';
	if (ecs_rule_open(s, e) || ecs_obj_open(&s->actions, name, no, e, &o) || !o)
		return NULL;
	a = (struct action *)(void *)o;
	if (!a->pub.name[0]) {
		a->pub.idle_timeout = -1;
		ecs_name_copy(a->pub.name, name);
	}
	return &a->pub;
}

static int in_range(uint32_t v, uint32_t lo, uint32_t hi, const char *what, struct ecs_err *e)
{
	if (v < lo || v > hi)
		return ecs_refuse(e, SRP_ERANGE, "expected a %s from %u to %u, not %u", what, lo,
				  hi, v);
	return 0;
}

int ecs_charging_action_content_id(struct ecs_charging_action *a, uint32_t n, struct ecs_err *e)
{
	int rc = in_range(n, 1, ID_MAX, "content-id", e);

	if (rc == 0)
		a->content_id = n;
	return rc;
}

int ecs_charging_action_rating_group(struct ecs_charging_action *a, uint32_t n, struct ecs_err *e)
{
	int rc = in_range(n, 1, ID_MAX, "rating-group", e);

	if (rc == 0)
		a->rating_group = n;
	return rc;
}

int ecs_charging_action_service_id(struct ecs_charging_action *a, uint32_t n, struct ecs_err *e)
{
	int rc = in_range(n, 1, ID_MAX, "service-identifier", e);

	if (rc == 0)
		a->service_id = n;
	return rc;
}

int ecs_charging_action_idle_timeout(struct ecs_charging_action *a, uint32_t seconds,
                                     struct ecs_err *e)
{
	int rc = in_range(seconds, 0, IDLE_MAX, "flow idle-timeout", e);

	if (rc == 0)
		a->idle_timeout = (int32_t)seconds;
	return rc;
}

/** Bytes that can stand in a line of HTTP and in a quoted word of a configuration. */
static bool url_byte(char c)
{
	return c > 0x20 && c < 0x7f && !strchr("\"\\<>^`{|}", c);
}

int ecs_charging_action_redirect(struct ecs_charging_action *a, const char *url, struct ecs_err *e)
{
	size_t n = strlen(url), host;

	if (n < 1 || n > ECS_URL_MAX)
		return ecs_refuse(e, SRP_ERANGE, "expected a URL of 1 to %d characters",
		                  ECS_URL_MAX);
	host = strncasecmp(url, "http://", 7) == 0    ? 7
	       : strncasecmp(url, "https://", 8) == 0 ? 8
	                                              : 0;
	if (!host || !url[host] || strchr("/?#", url[host]))
		return ecs_refuse(e, SRP_EFORMAT, "expected a URL that begins with http:// or "
		                                  "https:// and a host");
	for (size_t i = 0; i < n; i++)
		if (!url_byte(url[i]))
			return ecs_refuse(e, SRP_EFORMAT,
			                  "expected a URL without blanks, quotes and brackets");
	a->flow_action = ECS_ACT_REDIRECT;
	a->discard_up = a->discard_down = false;
	memcpy(a->redirect_url, url, n + 1);
	return 0;
}

size_t ecs_service_actions(const struct ecs_service *s)
{
	return s->actions.n;
}

const struct ecs_charging_action *ecs_service_action(const struct ecs_service *s, size_t i)
{
	if (i >= s->actions.n)
		return NULL;
	return &((const struct action *)(const void *)s->actions.v[i])->pub;
}

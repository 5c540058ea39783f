/* action_forms: forms of `flow action` with several values: random-drop, conditional. */
#include "config.h"
#include "ecs/rule/action_own.h"

#include <stdio.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

void ecs_action_clear(struct ecs_charging_action *a, bool but_redirection)
{
	a->discard_up = a->discard_down = false;
	a->readdress = (struct ecs_addr){{0}};
	a->readdress_port = 0;
	memset(a->drop_interval, 0, sizeof(a->drop_interval));
	memset(a->drop_pkts, 0, sizeof(a->drop_pkts));
	a->rulebase[0] = '\0';
	if (but_redirection)
		return;
	a->flow_action = ECS_ACT_NONE;
	a->post_redirect = ECS_POST_ALL;
	a->redirect_url[0] = '\0';
	a->end_token[0] = '\0';
}

/** The next words as `N to N`, not falling. */
static int take_range(struct ecs_words *w, const char *what, uint32_t most, uint16_t out[2],
                      struct ecs_err *e)
{
	uint32_t from = 0, to = 0;
	int rc = ecs_words_num(w, what, 1, most, &from, e);

	if (rc == 0 && !ecs_words_take(w, "to"))
		rc = ecs_refuse(e, SRP_EINVAL, "expected to");
	if (rc == 0)
		rc = ecs_words_num(w, what, 1, most, &to, e);
	if (rc == 0 && to < from)
		rc = ecs_refuse(e, SRP_ERANGE, "expected a number from %u to %u", from, most);
	if (rc)
		return rc;
	out[0] = (uint16_t)from;
	out[1] = (uint16_t)to;
	return 0;
}

int ecs_action_take_drop(struct ecs_words *w, struct ecs_charging_action *a, struct ecs_err *e)
{
	int rc = ecs_words_take(w, "interval")
	                 ? take_range(w, "interval", ECS_DROP_INTERVAL_MAX, a->drop_interval, e)
	                 : ecs_refuse(e, SRP_EINVAL, "expected interval");

	if (rc == 0 && !ecs_words_take(w, "pkts-to-drop"))
		rc = ecs_refuse(e, SRP_EINVAL, "expected pkts-to-drop");
	if (rc == 0)
		rc = take_range(w, "pkts-to-drop", ECS_DROP_PKTS_MAX, a->drop_pkts, e);
	a->flow_action = ECS_ACT_RANDOM_DROP;
	return rc;
}

int ecs_action_take_conditional(struct ecs_words *w, struct ecs_charging_action *a,
                                struct ecs_err *e)
{
	char name[ECS_NAME_MAX + 1];
	int rc = ecs_words_take(w, "user-agent") && ecs_words_take(w, "end-token")
	                 ? ecs_words_name(w, "end-token", name, e)
	                 : ecs_refuse(e, SRP_EINVAL, "expected user-agent end-token");

	if (rc == 0 && strlen(name) > ECS_TOKEN_MAX)
		rc = ecs_refuse(e, SRP_ERANGE, "expected a token of 1 to %d characters",
		                ECS_TOKEN_MAX);
	if (rc)
		return rc;
	memcpy(a->end_token, name, strlen(name) + 1);
	if (a->flow_action == ECS_ACT_NONE)
		a->flow_action = ECS_ACT_OCS_URL;
	return 0;
}

void ecs_action_tell_others(const struct ecs_charging_action *a, ecs_tell_fn *tell, void *arg)
{
	char text[96];

	tell(arg, 1, "Rulebase Change",
	     a->flow_action == ECS_ACT_RULEBASE ? a->rulebase : "Disabled");
	tell(arg, 1, "Redirect OCS URL", ecs_enabled_word(a->flow_action == ECS_ACT_OCS_URL));
	if (a->end_token[0])
		tell(arg, 2, "Conditional User-Agent, End-Token", a->end_token);
	snprintf(text, sizeof(text), "%u to %u (secs), %u to %u (pkts)", a->drop_interval[0],
	         a->drop_interval[1], a->drop_pkts[0], a->drop_pkts[1]);
	tell(arg, 1, "Random Drop", a->flow_action == ECS_ACT_RANDOM_DROP ? text : "Disabled");
}

/* config_record: packet filters and formats of records. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include <string.h>

#include "ecs/rule/agents.h"
#include "srp/err.h"

static bool no(const struct chassis_match *m)
{
	return chassis_match_has(m, "no");
}

static uint16_t priority(const struct chassis_match *m)
{
	return (uint16_t)chassis_match_num(m, "num", 0);
}

int cfg_ecs_filter(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->filter = ecs_service_packet_filter(c->conf->service, chassis_match_text(m, "name"),
	                                      no(m), &c->why);
	if (!c->filter && (!no(m) || c->why.text[0]))
		return cfg_told(c, SRP_EINVAL, "name");
	return SRP_OK;
}

int cfg_ecs_filter_set(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct cfg_words ws;

	(void)arg;
	cfg_words_of(m, &ws);
	return cfg_told(c, ecs_packet_filter_set(c->filter, ws.form, ws.w, ws.n, &c->why), NULL);
}

int cfg_ecs_policy(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->policy = ecs_service_bandwidth_policy(c->conf->service, chassis_match_text(m, "name"),
	                                         no(m), &c->why);
	if (!c->policy && (!no(m) || c->why.text[0]))
		return cfg_told(c, SRP_EINVAL, "name");
	return SRP_OK;
}

int cfg_ecs_policy_set(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct cfg_words ws;

	(void)arg;
	cfg_words_of(m, &ws);
	return cfg_told(c, ecs_bandwidth_policy_set(c->policy, ws.form, ws.w, ws.n, &c->why), NULL);
}

int cfg_ecs_qos_group(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->qos_group = ecs_service_qos_group(c->conf->service, chassis_match_text(m, "name"), no(m),
	                                     &c->why);
	if (!c->qos_group && (!no(m) || c->why.text[0]))
		return cfg_told(c, SRP_EINVAL, "name");
	return SRP_OK;
}

int cfg_ecs_qos_group_set(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct cfg_words ws;

	(void)arg;
	cfg_words_of(m, &ws);
	return cfg_told(c, ecs_qos_group_set(c->qos_group, ws.form, ws.w, ws.n, &c->why), NULL);
}

int cfg_ecs_record(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	c->record = ecs_service_record(c->conf->service, (enum ecs_record_kind)arg,
	                               chassis_match_text(m, "name"), no(m), &c->why);
	if (!c->record && (!no(m) || c->why.text[0]))
		return cfg_told(c, SRP_EINVAL, "name");
	return SRP_OK;
}

int cfg_ecs_delimiter(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->record->tab = chassis_match_has(m, "tab");
	return SRP_OK;
}

int cfg_ecs_attribute(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct ecs_record_field f = {.priority = priority(m), .what = ECS_RECORD_ATTRIBUTE,
	                             .id = (uint16_t)arg,
	                             .local = chassis_match_has(m, "localtime")};

	for (unsigned t = 0; t < ECS_TIME_FORMAT__N; t++)
		if (chassis_match_has(m, ecs_time_words((enum ecs_time_format)t)))
			f.time = (uint8_t)t;
	return cfg_told(c, ecs_record_field(c->record, no(m), &f, &c->why), "num");
}

int cfg_ecs_variable(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const struct ecs_record_field f = {.priority = priority(m), .what = ECS_RECORD_VARIABLE,
	                                   .id = (uint16_t)arg};

	return cfg_told(c, ecs_record_field(c->record, no(m), &f, &c->why), "num");
}

int cfg_ecs_label(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct ecs_record_field f = {.priority = priority(m), .what = ECS_RECORD_LABEL};

	(void)arg;
	snprintf(f.label, sizeof(f.label), "%s", chassis_match_text(m, "name"));
	return cfg_told(c, ecs_record_field(c->record, no(m), &f, &c->why), "num");
}

/* --- limits and timers of the service ------------------------------------------------------- */

int cfg_ecs_user_agent(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	return cfg_told(c, ecs_service_user_agent(c->conf->service, no(m),
	                                          chassis_match_text(m, "name"), &c->why),
	                "name");
}

int cfg_ecs_l4_flows(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	return cfg_told(c, ecs_service_l4_flows(c->conf->service,
	                                        (uint32_t)chassis_match_num(m, "num", 0), &c->why),
	                "num");
}

int cfg_ecs_sync_timer(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	bool unset = no(m) || chassis_match_has(m, "default");
	bool all = unset && !chassis_match_has(m, "icsr") && !chassis_match_has(m, "sr");
	int rc = SRP_OK;

	(void)arg;
	if (all || chassis_match_has(m, "icsr"))
		rc = ecs_service_sync_timer(c->conf->service, true,
		                            (uint32_t)chassis_match_num(m, "ticsr", 0), &c->why);
	if (rc == SRP_OK && (all || chassis_match_has(m, "sr")))
		rc = ecs_service_sync_timer(c->conf->service, false,
		                            (uint32_t)chassis_match_num(m, "tsr", 0), &c->why);
	return cfg_told(c, rc, NULL);
}

#include "config.h"
#include "ecs/quota.h"

#include "ecs/enforce.h"
#include "srp/err.h"

bool ecs_quota_of(const struct ecs_usage *u, struct ecs_quota *out)
{
	struct ecs_volume v;

	if (u->of != ECS_USAGE_QUOTA)
		return false;
	v = ecs_usage_sum(u);
	*out = (struct ecs_quota){.rating_group = (uint32_t)u->id, .grants = v.pkts[ECS_QUOTA_GRANTED],
	                          .granted = v.bytes[ECS_QUOTA_GRANTED],
	                          .used = v.bytes[ECS_QUOTA_USED], .used_pkts = v.pkts[ECS_QUOTA_USED]};
	return true;
}

int ecs_quota_grant(struct ecs_engine *e, uint32_t callid, uint32_t rating_group, uint64_t bytes,
                    struct srp_time now)
{
	struct ecs_session *s = ecs_session_find(e, callid);
	struct ecs_usage *u;
	struct ecs_quota q;

	if (!e->active)
		return SRP_EROLE;
	if (!s)
		return SRP_ENOSESS;
	if (!rating_group || !bytes || bytes > ECS_QUOTA_MAX)
		return SRP_ERANGE;
	u = ecs_usage_of(e, s, 0, ECS_USAGE_QUOTA, rating_group);
	if (u && ecs_quota_of(u, &q) && q.granted + bytes >= ECS_VOLUME_MAX / 2)
		return SRP_EFULL;
	ecs_usage_charge(e, s, 0, ECS_USAGE_QUOTA, rating_group, 0, (enum ecs_dir)ECS_QUOTA_GRANTED, 1,
	                 bytes, now);
	u = ecs_usage_of(e, s, 0, ECS_USAGE_QUOTA, rating_group);
	if (!u)
		return SRP_ENOMEM;
	ecs_usage_tell(e, u, now);
	return 0;
}

enum ecs_stage_did ecs_stage_quota(struct ecs_engine *e, struct ecs_way *w,
                                   const struct ecs_charging_action *a)
{
	const struct ecs_rulebase_conf *c =
		ecs_service_rulebase_conf(e->conf.service, w->s->rulebase);
	uint32_t rating = a && a->credit ? ecs_action_rating_group(a) : 0;
	const struct ecs_usage *u;
	struct ecs_quota q = {0};

	if (!rating)
		return ECS_STAGE_PASSED;
	u = ecs_usage_of(e, w->s, 0, ECS_USAGE_QUOTA, rating);
	if (u)
		(void)ecs_quota_of(u, &q);
	if (!q.grants)
		return c && c->noquota_drop ? ECS_STAGE_STOPPED : ECS_STAGE_PASSED;
	if (q.used + w->bytes <= q.granted || (c && c->exhausted_pass))
		return ECS_STAGE_PASSED;
	return ECS_STAGE_STOPPED;
}

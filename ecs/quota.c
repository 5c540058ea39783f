#include "config.h"
#include "ecs/quota.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/enforce.h"
#include "srp/err.h"

#define PROTO_TCP 6u

bool ecs_quota_of(const struct ecs_usage *u, struct ecs_quota *out)
{
	struct ecs_volume v;

	if (u->of != ECS_USAGE_QUOTA)
		return false;
	v = ecs_usage_sum(u);
	*out = (struct ecs_quota){.rating_group = (uint32_t)u->id, .grants = v.pkts[ECS_QUOTA_GRANTED],
	                          .granted = v.bytes[ECS_QUOTA_GRANTED],
	                          .used = v.bytes[ECS_QUOTA_USED], .used_pkts = v.pkts[ECS_QUOTA_USED],
	                          .url = u->url ? u->url : ""};
	return true;
}

int ecs_quota_set_url(struct ecs_engine *e, struct ecs_usage *u, const char *url)
{
	char *to = NULL;

	if (url[0] && !u->url && e->nurls >= ECS_QUOTA_URLS_MAX)
		return SRP_EFULL;
	if (url[0] && !(to = strdup(url)))
		return SRP_ENOMEM;
	e->nurls += (size_t)(to != NULL);
	e->nurls -= (size_t)(u->url != NULL);
	free(u->url);
	u->url = to;
	return 0;
}

int ecs_quota_grant(struct ecs_engine *e, uint32_t callid, uint32_t rating_group, uint64_t bytes,
                    const char *url, struct srp_time now)
{
	struct ecs_session *s = ecs_session_find(e, callid);
	struct ecs_usage *u;
	struct ecs_quota q;
	int rc;

	if (!e->active)
		return SRP_EROLE;
	if (!s)
		return SRP_ENOSESS;
	if (!rating_group || !bytes || bytes > ECS_QUOTA_MAX)
		return SRP_ERANGE;
	if (url && ecs_url_check(url, NULL) != 0)
		return SRP_EINVAL;
	u = ecs_usage_of(e, s, 0, ECS_USAGE_QUOTA, rating_group);
	if (u && ecs_quota_of(u, &q) && q.granted + bytes >= ECS_VOLUME_MAX / 2)
		return SRP_EFULL;
	if (url && (!u || !u->url) && e->nurls >= ECS_QUOTA_URLS_MAX)
		return SRP_EFULL;
	ecs_usage_charge(e, s, 0, ECS_USAGE_QUOTA, rating_group, 0, (enum ecs_dir)ECS_QUOTA_GRANTED, 1,
	                 bytes, now);
	u = ecs_usage_of(e, s, 0, ECS_USAGE_QUOTA, rating_group);
	if (!u)
		return SRP_ENOMEM;
	rc = ecs_quota_set_url(e, u, url ? url : "");
	ecs_usage_tell(e, u, now);
	return rc;
}

const char *ecs_quota_redirect(const struct ecs_engine *e, const struct ecs_session *s,
                               const struct ecs_charging_action *a, uint64_t bytes, bool *known)
{
	uint32_t rating = ecs_action_rating_group(a);
	const struct ecs_usage *u = rating ? ecs_usage_of(e, s, 0, ECS_USAGE_QUOTA, rating) : NULL;
	struct ecs_quota q;

	*known = u && u->url;
	if (!*known || !ecs_quota_of(u, &q) || q.used + bytes <= q.granted)
		return NULL;
	return u->url;
}

/* What a request needs before it can be redirected: segments of a connection without payload. */
static bool leads_to_url(const struct ecs_way *w, const struct ecs_charging_action *a,
                         const struct ecs_usage *u)
{
	const struct ecs_packet *p = w->p;

	return a->flow_action == ECS_ACT_OCS_URL && u && u->url && w->f &&
	       w->f->key.proto == PROTO_TCP && p->frag == ECS_FRAG_NONE && !p->icmp_error &&
	       p->len <= p->hdr_len;
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
	if (leads_to_url(w, a, u))
		return ECS_STAGE_PASSED;
	if (!q.grants)
		return c && c->noquota_drop ? ECS_STAGE_STOPPED : ECS_STAGE_PASSED;
	if (q.used + w->bytes <= q.granted || (c && c->exhausted_pass))
		return ECS_STAGE_PASSED;
	return ECS_STAGE_STOPPED;
}

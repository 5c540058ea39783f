#include "config.h"
#include "ecs/rule/service_impl.h"

struct ecs_needs ecs_service_needs(const struct ecs_service *s, int rulebase)
{
	const uint32_t http = FIELD_BIT(ECS_F_HTTP_ANY) | FIELD_BIT(ECS_F_HTTP_HOST) |
	                      FIELD_BIT(ECS_F_HTTP_URL) | FIELD_BIT(ECS_F_HTTP_UA);
	const struct rulebase *rb;

	if (!s->frozen || rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return (struct ecs_needs){0};
	rb = (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
	return (struct ecs_needs){
		.http = rb->l7_fields & http,
		.tls = rb->l7_fields & FIELD_BIT(ECS_F_TLS_SNI),
		.dns = rb->l7_fields & FIELD_BIT(ECS_F_DNS_QUERY),
		.app = rb->l7_fields & FIELD_BIT(ECS_F_P2P_PROTOCOL),
	};
}

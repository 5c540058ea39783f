#include "config.h"
#include "ecs/rule/service_impl.h"

struct ecs_needs ecs_service_needs(const struct ecs_service *s, int rulebase)
{
	const uint32_t http = FIELD_BIT(ECS_F_HTTP_ANY) | FIELD_BIT(ECS_F_HTTP_HOST) |
	                      FIELD_BIT(ECS_F_HTTP_URL) | FIELD_BIT(ECS_F_HTTP_UA);
	const struct rulebase *rb;
	uint32_t fields;

	if (!s->frozen || rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return (struct ecs_needs){0};
	rb = (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
	fields = rb->l7_fields | (rb->post ? rb->post->l7_fields : 0);
	return (struct ecs_needs){
		.http = fields & http,
		.tls = fields & FIELD_BIT(ECS_F_TLS_SNI),
		.dns = fields & FIELD_BIT(ECS_F_DNS_QUERY),
		.app = fields & FIELD_BIT(ECS_F_P2P_PROTOCOL),
	};
}

enum ecs_post_looks ecs_service_post_looks(const struct ecs_service *s, int rulebase)
{
	const struct rulebase *rb;

	if (!s->frozen || rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return ECS_POST_NOTHING;
	rb = (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
	if (!rb->post)
		return ECS_POST_NOTHING;
	return rb->post->l7_fields ? ECS_POST_L7 : ECS_POST_L34;
}

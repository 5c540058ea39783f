#include "config.h"
#include "ecs/rule/service_impl.h"

/** Where a field says nothing of analyzers. */
struct reads {
	struct ecs_needs needs;
	bool none;
};
#define READS_none    offsetof(struct reads, none)
#define READS_http    offsetof(struct reads, needs.http)
#define READS_headers offsetof(struct reads, needs.headers)
#define READS_reply   offsetof(struct reads, needs.reply)
#define READS_tls     offsetof(struct reads, needs.tls)
#define READS_quic    offsetof(struct reads, needs.quic)
#define READS_dns     offsetof(struct reads, needs.dns)
#define READS_rtsp    offsetof(struct reads, needs.rtsp)
#define READS_app     offsetof(struct reads, needs.app)
#define READS_names   offsetof(struct reads, needs.names)

static const uint8_t reads_at[ECS_F__N] = {
#define ECS_FIELD(sym, words, type, layer, reads, help) [ECS_F_##sym] = (uint8_t)READS_##reads,
#include "ecs/rule/field.def"
#undef ECS_FIELD
};

struct ecs_needs ecs_service_needs(const struct ecs_service *s, int rulebase)
{
	struct reads r = {0};
	const struct rulebase *rb;
	uint64_t fields;

	if (!s->frozen || rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return r.needs;
	rb = (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
	fields = rb->fields | (rb->post ? rb->post->fields : 0);
	for (unsigned f = 0; f < ECS_F__N; f++)
		if (fields & FIELD_BIT(f))
			*((bool *)(void *)&r + reads_at[f]) = true;
	if (rb->conf.blacklisting || rb->conf.cf_policy || rb->conf.cf_mode != ECS_CF_MODE_STATIC)
		r.needs.http = r.needs.every = true;
	r.needs.http |= (rb->records & ECS_RECORDS_HTTP) != 0;
	r.needs.reply |= (rb->records & ECS_RECORDS_REPLY) != 0;
	r.needs.dns |= (rb->records & ECS_RECORDS_DNS) != 0;
	r.needs.tls |= (rb->records & ECS_RECORDS_TLS) != 0;
	r.needs.app |= (rb->records & ECS_RECORDS_APP) != 0;
	r.needs.rtsp |= ecs_service_routes_to(s, rulebase, ECS_ANALYZER_RTSP);
	/* both stand in the same bytes as the requests */
	if (r.needs.headers || r.needs.reply)
		r.needs.http = true;
	return r.needs;
}

bool ecs_service_does(const struct ecs_service *s, int rulebase, enum ecs_stage what)
{
	if (rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return false;
	return ((const struct rulebase *)(const void *)s->rulebases.v[rulebase])->stages >> what & 1;
}

enum ecs_post_looks ecs_service_post_looks(const struct ecs_service *s, int rulebase)
{
	const struct rulebase *rb;

	if (!s->frozen || rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return ECS_POST_NOTHING;
	rb = (const struct rulebase *)(const void *)s->rulebases.v[rulebase];
	if (!rb->post)
		return ECS_POST_NOTHING;
	return rb->post->fields & ~(FIELD_BIT(ECS_F_HTTP_ANY) - 1) ? ECS_POST_L7 : ECS_POST_L34;
}

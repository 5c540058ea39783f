/* recorded: which records the flows and sessions of a rulebase give, and what they need to be told. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <string.h>

/* What the fields of a format read. */
static uint8_t format_bits(const struct ecs_service *s, enum ecs_record_kind kind, const char *name)
{
	const struct ecs_record_format *r = ecs_service_find_record(s, kind, name);
	uint8_t bits = 0;

	for (size_t i = 0; r && i < r->n; i++) {
		const struct ecs_record_field *f = &r->field[i];

		if (f->what == ECS_RECORD_ATTRIBUTE &&
		    (f->id == ECS_ATTR_P2P_PROTOCOL || f->id == ECS_ATTR_TRAFFIC_TYPE ||
		     f->id == ECS_ATTR_VOIP_DURATION))
			bits |= ECS_RECORDS_APP;
		if (f->what != ECS_RECORD_VARIABLE)
			continue;
		if (f->id >= ECS_VAR_HTTP_HOST && f->id <= ECS_VAR_HTTP_METHOD)
			bits |= ECS_RECORDS_HTTP;
		if (f->id == ECS_VAR_HTTP_TYPE || f->id == ECS_VAR_HTTP_REPLY)
			bits |= ECS_RECORDS_HTTP | ECS_RECORDS_REPLY;
		if (f->id == ECS_VAR_DNS_QUERY)
			bits |= ECS_RECORDS_DNS;
		if (f->id == ECS_VAR_TLS_SNI)
			bits |= ECS_RECORDS_TLS;
	}
	return bits;
}

static uint8_t edr_bits(const struct ecs_service *s, const char *charging, const char *reporting)
{
	uint8_t bits = 0;

	if (charging[0])
		bits |= format_bits(s, ECS_RECORD_EDR, charging) | ECS_RECORDS_EDR;
	if (reporting[0])
		bits |= format_bits(s, ECS_RECORD_EDR, reporting) | ECS_RECORDS_EDR;
	return bits;
}

static uint8_t pair_bits(const struct ecs_service *s, const struct ecs_edr_pair *p)
{
	return edr_bits(s, p->charging, p->reporting);
}

static uint8_t bits_of(const struct ecs_service *s, const struct rulebase *rb)
{
	const struct ecs_rulebase_conf *c = &rb->conf;
	uint8_t bits = 0, http = pair_bits(s, &c->edr_http), dns = pair_bits(s, &c->edr_dns);

	for (unsigned i = 0; i < ECS_FLOW_END__N; i++)
		bits |= pair_bits(s, &c->end[i]);
	for (size_t i = 0; i < rb->n; i++) {
		const struct ecs_line *l = &s->lines[rb->first + i];

		if (l->action)
			bits |= edr_bits(s, l->action->charging_edr, l->action->reporting_edr);
	}
	if (http)
		bits |= http | ECS_RECORDS_HTTP;
	if (dns)
		bits |= dns | ECS_RECORDS_DNS;
	if ((bits & ECS_RECORDS_EDR) && ecs_service_keeps(s, ECS_RECOVER_EDR))
		bits |= ECS_RECORDS_WHOLE;
	if (c->fdr && ecs_service_find_record(s, ECS_RECORD_EDR, c->fdr_format))
		bits |= format_bits(s, ECS_RECORD_EDR, c->fdr_format) | ECS_RECORDS_FDR;
	return bits;
}

void ecs_recorded_build(struct ecs_service *s)
{
	TABLE_EACH(&s->rulebases, rulebase, rb)
		rb->records = bits_of(s, rb);
}

uint8_t ecs_service_records(const struct ecs_service *s, int rulebase)
{
	if (!s->frozen || rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return 0;
	return ((const struct rulebase *)(const void *)s->rulebases.v[rulebase])->records;
}

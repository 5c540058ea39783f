/* route: which analyzers look at a flow: those that rules read, and `route priority` of the rulebase.
 * Where a rulebase has a route to an analyzer, that analyzer sees the flows of its routes alone; where it
 * has none, all flows that it can read. A recovered flow is seen only where a route says so. */
#include "config.h"
#include "ecs/path.h"

#define PROTO_TCP 6u

struct ecs_needs ecs_route_needs(struct ecs_engine *e, const struct ecs_way *w, bool recovered)
{
	const struct ecs_service *s = e->conf.service;
	struct ecs_needs n = w->s->needs;
	int rb = w->s->rulebase;
	enum ecs_analyzer to;

	if (!recovered && !ecs_service_routes(s, rb))
		return n;
	to = ecs_match_route(e->matcher, rb, w->p);
	if (to != ECS_ANALYZER_HTTP && (recovered || ecs_service_routes_to(s, rb, ECS_ANALYZER_HTTP)))
		n.http = n.headers = n.reply = false;
	if (to != ECS_ANALYZER_SECURE_HTTP &&
	    (recovered || ecs_service_routes_to(s, rb, ECS_ANALYZER_SECURE_HTTP)))
		n.tls = n.quic = false;
	if (to != ECS_ANALYZER_DNS && (recovered || ecs_service_routes_to(s, rb, ECS_ANALYZER_DNS)))
		n.dns = n.names = false;
	if (to != ECS_ANALYZER_RTSP && (recovered || ecs_service_routes_to(s, rb, ECS_ANALYZER_RTSP)))
		n.rtsp = false;
	return n;
}

uint32_t ecs_route_wait_ms(const struct ecs_engine *e, const struct ecs_session *s)
{
	const struct ecs_rulebase_conf *rb = ecs_service_rulebase_conf(e->conf.service, s->rulebase);

	return rb ? rb->tcp_order_ms : 0;
}

bool ecs_session_flows_full(const struct ecs_engine *e, const struct ecs_session *s, uint8_t proto)
{
	const struct ecs_rulebase_conf *rb = ecs_service_rulebase_conf(e->conf.service, s->rulebase);
	bool tcp = proto == PROTO_TCP;
	uint32_t limit, now = tcp ? s->ntcp : s->nflows - s->ntcp;

	if (!rb)
		return false;
	limit = tcp ? rb->flows_tcp : rb->flows_non_tcp;
	if (!(limit && now >= limit) && !(rb->flows_all && s->nflows >= rb->flows_all))
		return false;
	if (e->tracing)
		ecs_trace_refused(e, ECS_TRACE_BY_FLOW_LIMIT);
	return true;
}

bool ecs_flows_full(struct ecs_engine *e)
{
	uint32_t limit = ecs_service_l4_flows_limit(e->conf.service);

	if (!limit || ecs_flow_count(e->flows) < limit)
		return false;
	if (e->tracing)
		ecs_trace_refused(e, ECS_TRACE_BY_L4_FLOWS);
	return true;
}

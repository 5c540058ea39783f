/* inspect: the analyzers of a flow. They begin with it where its rulebase asks for what they find,
 * see its packets, and give up waiting for a segment that does not come. */
#include "config.h"
#include "ecs/path.h"

#include "ecs/analyze.h"
#include "ecs/call.h"
#include "ecs/dns.h"
#include "ecs/names.h"
#include "ecs/parent.h"

#define PROTO_UDP 17u

void ecs_inspect_begin(struct ecs_engine *e, struct ecs_way *w, bool recovered)
{
	struct ecs_flow *f = w->f;
	struct ecs_needs n = ecs_route_needs(e, w, recovered);
	struct ecs_analysis *a;

	if (f->flags & ECS_FLOW_F_AGAIN)
		n.app = false; /* found once, kept with the flow */
	if (!n.http && !n.tls && !n.quic && !n.dns && !n.app && !n.rtsp)
		return;
	a = NULL;
	if (e->nanalyses < ECS_ANALYSES_MAX && w->s->nanalyses < ECS_SESSION_ANALYSES_MAX)
		a = ecs_pool_get(&e->analysis_pool);
	if (!a) {
		e->conf.counters->analyses_refused++;
		f->flags |= ECS_FLOW_F_L34;
		return;
	}
	if (!ecs_analysis_init(a, n, f->key.proto, f->key.server_port, ecs_flow_opener_dir(f),
	                       e->conf.crypto)) {
		ecs_pool_put(&e->analysis_pool, a);
		return;
	}
	a->stream.all = &e->streams;
	a->stream.wait_ms = ecs_route_wait_ms(e, w->s);
	a->wait.what = ECS_TIMER_REORDER;
	a->flow = f;
	a->l7.app = f->app;
	a->l7.app_master = f->app_master;
	a->l7.media = f->more && ecs_parent_of(e, f);
	e->nanalyses++;
	w->s->nanalyses++;
	f->analysis = a;
}

unsigned ecs_inspect(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow *f = w->f;
	struct ecs_analysis *a = f->analysis;
	uint64_t requests = e->conf.counters->http_requests;
	unsigned r;

	e->streams.now = w->now;
	r = ecs_analyze(a, e->app, w->p, e->conf.counters, w->now);
	if (a->rtsp && a->rtsp->nmedia)
		ecs_parent_expect(e, f, a->rtsp, w->now);
	w->request = e->conf.counters->http_requests != requests;
	w->head_seen = w->request && a->head_seen;
	w->head_end = a->head_end;
	if (a->stream.held && !ecs_wheel_armed(&a->wait))
		ecs_wheel_arm(e->wheel, &a->wait,
		              a->stream.wait_ms ? a->stream.wait_ms : ECS_STREAM_WAIT_MS);
	if (e->streams.counted)
		ecs_call_reordered(e, w->s);
	if (f->app != a->l7.app || f->app_master != a->l7.app_master) {
		f->app = a->l7.app;
		f->app_master = a->l7.app_master;
		ecs_recoverable_app(e, f, w->now);
		w->changed = true;
	}
	return r;
}

void ecs_inspect_late(struct ecs_engine *e, struct ecs_analysis *a, struct srp_time now)
{
	uint64_t again;

	e->streams.now = now;
	again = ecs_analysis_timer(a, e->conf.counters);
	if (again)
		ecs_wheel_arm(e->wheel, &a->wait, again);
	if (e->streams.counted)
		ecs_call_reordered(e, a->flow->session);
}

void ecs_inspect_names(struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;

	if (p->proto != PROTO_UDP || p->dir != ECS_DOWNLINK || p->sport != ECS_DNS_PORT ||
	    !(w->f->flags & ECS_FLOW_F_FIRST_UP) || p->frag != ECS_FRAG_NONE || p->icmp_error)
		return;
	if (!e->names)
		e->names = ecs_names_new(e->conf.seed);
	if (e->names)
		e->conf.counters->dns_names += ecs_names_answer(e->names, w->s->spec.callid,
		                                                p->payload, p->payload_len,
		                                                w->now);
}

/* again: requests of recovered flows, with `flow-recovery redirect` and `flow-recovery content-filtering`. A
 * recovered flow keeps its rule and no analyzer follows it; but a request that begins with a packet says by
 * itself what it asks for. It is matched as that of a fresh flow; where that redirects, it is redirected,
 * else the packet is the flow's; and it is looked up, filtered and rated as that of a fresh flow.
 * Nothing is kept: all that this needs is in the packet. */
#include "config.h"
#include "ecs/path.h"

#include "ecs/content.h"
#include "ecs/enforce.h"
#include "ecs/http.h"
#include "ecs/redirect.h"

#define PROTO_TCP 6u

/* Reads the header, which may go on in another packet: then @p l7 is not final. False: it is none. */
static bool read_request(const struct ecs_packet *p, struct ecs_http *h, struct ecs_l7 *l7)
{
	l7->final = ecs_http_feed(h, p->payload, p->payload_len) > 0;
	if (!l7->final)
		return h->state == ECS_HTTP_START || h->state == ECS_HTTP_SKIP;
	l7->http_host = h->host;
	l7->http_url = h->url;
	l7->http_user_agent = h->user_agent;
	l7->http_domain = h->domain;
	l7->http_uri = h->uri;
	l7->http_headers = h->headers;
	l7->http_method = h->method;
	return true;
}

/* A redirection by what the request matches itself. */
static void look_redirect(struct ecs_engine *e, struct ecs_way *w, const struct ecs_l7 *l7)
{
	const struct ecs_charging_action *a;
	bool maybe = false;
	uint16_t line;

	if (w->s->post_l7 && l7->final)
		ecs_post_request(e, w, l7);
	if (w->pending)
		return; /* what rules the call has is not known */
	line = ecs_classify_match(e, w, l7, &maybe);
	a = ecs_redirect_of(e, line);
	if (!a || maybe || ecs_redirect_lets(e, w, a))
		return;
	w->line = line;
	w->ref = ECS_REF_NONE;
	w->dyn = NULL;
	w->bypassed = false;
	w->anew = true;
	e->conf.counters->redirects_recovered += w->pkts;
}

uint8_t ecs_again_of(const struct ecs_service *s, bool content)
{
	return (ecs_service_keeps(s, ECS_RECOVER_REDIRECT) ? ECS_AGAIN_REDIRECT : 0) |
	       (content && ecs_service_keeps(s, ECS_RECOVER_CONTENT) ? ECS_AGAIN_CONTENT : 0);
}

void ecs_again(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	const struct ecs_flow *f = w->f;
	struct ecs_needs n;
	struct ecs_l7 l7 = {.app = f->app, .app_master = f->app_master, .final = true};
	struct ecs_http h = {0};
	bool content = w->s->again & ECS_AGAIN_CONTENT;

	if (p->dir != ECS_UPLINK || f->key.proto != PROTO_TCP || p->frag == ECS_FRAG_LATER ||
	    p->icmp_error || !ecs_request_begins(p))
		return;
	n = ecs_route_needs(e, w, false);
	h.want_headers = n.headers;
	h.every = content;
	if ((!n.http && !content) || read_request(p, &h, &l7)) {
		if (w->s->again & ECS_AGAIN_REDIRECT)
			look_redirect(e, w, &l7);
		if (content && l7.final)
			ecs_content_look(e, w, &h);
		else if (content)
			e->conf.counters->cf_recovered += w->pkts;
	}
	ecs_http_fini(&h);
}

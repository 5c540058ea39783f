/* said: what analyzers have found in a flow, kept for its records, and when a transaction is over. */
#include "config.h"
#include "ecs/tally.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/analyze.h"
#include "ecs/tally_impl.h"

static struct ecs_said *said_of(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_tally *t = ecs_tally_of(e, f);

	if (!t || t->said)
		return t ? t->said : NULL;
	if (e->nsaids < ECS_SAIDS_MAX)
		t->said = calloc(1, sizeof(*t->said));
	if (t->said)
		e->nsaids++;
	else
		e->conf.counters->records_no_memory++;
	return t->said;
}

static void copy(char *to, size_t cap, const char *text)
{
	size_t n = text ? strnlen(text, cap - 1) : 0;

	if (n)
		memcpy(to, text, n);
	to[n] = '\0';
}
#define COPY(to, text) copy(to, sizeof(to), text)

void ecs_tally_transaction(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	const struct ecs_rulebase_conf *c = ecs_tally_conf(e, f->session);
	struct ecs_said *d = f->tally ? f->tally->said : NULL;

	if (!c || !d || !d->open || d->proto != ECS_PROTO_HTTP)
		return;
	d->open = false;
	(void)ecs_tally_edr(e, f, c->edr_http.charging, c->edr_http.reporting,
	                    ECS_CLOSURE_TRANSACTION, false, now);
}

static void take_request(struct ecs_engine *e, struct ecs_way *w, const struct ecs_l7 *l)
{
	struct ecs_said *d;

	ecs_tally_transaction(e, w->f, w->now);
	d = said_of(e, w->f);
	if (!d)
		return;
	COPY(d->host, l->http_host);
	COPY(d->url, l->http_url);
	COPY(d->agent, l->http_user_agent);
	d->type[0] = '\0';
	d->code = 0;
	d->method = l->http_method;
	d->proto = ECS_PROTO_HTTP;
	d->open = true;
}

void ecs_tally_said(struct ecs_engine *e, struct ecs_way *w)
{
	const struct ecs_l7 *l = &w->f->analysis->l7;
	struct ecs_said *d;

	if (w->request)
		take_request(e, w, l);
	if (!l->http_code && !l->tls_sni && !l->dns_query && !l->rtsp)
		return;
	d = said_of(e, w->f);
	if (!d)
		return;
	if (l->rtsp)
		d->proto = ECS_PROTO_RTSP;
	if (l->http_code && !d->code) {
		d->code = l->http_code;
		COPY(d->type, l->http_type);
	}
	if (l->tls_sni && !d->sni[0]) {
		COPY(d->sni, l->tls_sni);
		d->proto = ECS_PROTO_SECURE_HTTP;
	}
	if (l->dns_query && w->p->dir == ECS_UPLINK) {
		COPY(d->query, l->dns_query);
		d->proto = ECS_PROTO_DNS;
		d->open = true;
	}
}

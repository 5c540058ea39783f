#include "config.h"
#include "ecs/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/analyze.h"
#include "ecs/enforce.h"
#include "ecs/redirect.h"
#include "ecs/reply.h"

static const char *const methods[] = {
	[ECS_METHOD_NONE] = "GET",
#define X(sym, text) [ECS_METHOD_##sym] = #sym,
	ECS_HTTP_METHODS(X)
#undef X
};

static const struct ecs_rulebase_conf *conf_of(const struct ecs_engine *e,
                                               const struct ecs_session *s)
{
	return ecs_service_rulebase_conf(e->conf.service, s->rulebase);
}

bool ecs_content_of(const struct ecs_service *s, int rulebase, uint32_t *stages)
{
	const struct ecs_rulebase_conf *c = ecs_service_rulebase_conf(s, rulebase);
	uint32_t m = 0;

	if (c && c->blacklisting)
		m |= ECS_STAGE_BIT(BLACKLIST);
	if (c && c->cf_policy && c->cf_mode != ECS_CF_MODE_GROUP)
		m |= ECS_STAGE_BIT(FILTER);
	if (c && c->cf_mode == ECS_CF_MODE_DYNAMIC)
		m |= ECS_STAGE_BIT(RATE);
	*stages = m;
	return m || (c && c->cf_mode == ECS_CF_MODE_GROUP);
}

/* --- looking ---------------------------------------------------------------------------------- */

static const char *keep(struct ecs_content *k, const char *s)
{
	size_t n = s ? strlen(s) + 1 : 0;
	char *to = k->text + k->used;

	if (!s || n > sizeof(k->text) - k->used)
		return NULL;
	memcpy(to, s, n);
	k->used += n;
	return to;
}

/* Notes a question for a server. */
static void ask(struct ecs_content *k, uint8_t method, const char *host, const char *uri,
                const char *user_agent)
{
	const char *h, *u;

	if (k->n == ECS_CONTENT_REQUESTS || !host) {
		k->unrated = true;
		return;
	}
	h = keep(k, host);
	u = keep(k, uri && *uri ? uri : "/");
	if (!h || !u) {
		k->unrated = true;
		return;
	}
	k->ask[k->n].method = method < ECS_METHOD__N ? methods[method] : methods[ECS_METHOD_NONE];
	k->ask[k->n].host = h;
	k->ask[k->n].uri = u;
	k->ask[k->n++].user_agent = keep(k, user_agent);
}

static const struct ecs_cf_action *by_policy(const struct ecs_cf_policy *p, const char *categories,
                                             size_t len)
{
	for (size_t i = 0; p && i < p->n; i++)
		if (p->line[i].all ||
		    (len && ecs_db_has_category(categories, len, p->line[i].category)))
			return &p->line[i].action;
	return NULL;
}

const struct ecs_cf_action *ecs_content_policy(const struct ecs_engine *e,
                                               const struct ecs_session *s, const char *categories,
                                               size_t len)
{
	const struct ecs_rulebase_conf *c = conf_of(e, s);

	return c ? by_policy(ecs_service_find_cf_policy(e->conf.service, c->cf_policy), categories, len)
	         : NULL;
}

/* What does not allow counts more than what does. */
static void take(const struct ecs_cf_action **to, const struct ecs_cf_action *a)
{
	if (a && (!*to || ((*to)->act == ECS_CF_ALLOW && a->act != ECS_CF_ALLOW)))
		*to = a;
}

/* The database, and whether a server is to be asked. */
static void look_filter(struct ecs_engine *e, struct ecs_content *k,
                        const struct ecs_rulebase_conf *c, const char *host, const char *uri,
                        bool *dynamic)
{
	const struct ecs_service *s = e->conf.service;
	const struct ecs_cf_policy *p = ecs_service_find_cf_policy(s, c->cf_policy);
	const char *categories;
	size_t len;

	if (!p)
		return;
	if (!host) {
		e->conf.counters->cf_no_url++;
		take(&k->filter, &p->failure);
	} else if (ecs_db_url(ecs_service_db(s, ECS_DB_CATEGORIES), host, uri, &categories, &len)) {
		take(&k->filter, by_policy(p, categories, len));
	} else if (c->cf_mode == ECS_CF_MODE_DYNAMIC) {
		*dynamic = true;
	} else {
		e->conf.counters->cf_unlisted++;
		take(&k->filter, by_policy(p, NULL, 0));
	}
}

static void look_one(struct ecs_engine *e, const struct ecs_rulebase_conf *c, uint8_t method,
                     const char *host, const char *uri, const char *user_agent)
{
	struct ecs_content *k = e->content;
	const struct ecs_db *black = ecs_service_db(e->conf.service, ECS_DB_BLACKLIST);
	const char *none;
	size_t len;
	bool dynamic = c->cf_mode == ECS_CF_MODE_GROUP;

	if (c->blacklisting && host && ecs_db_url(black, host, uri ? uri : "", &none, &len))
		k->blacklist = &c->blacklist;
	if (c->cf_policy && c->cf_mode != ECS_CF_MODE_GROUP)
		look_filter(e, k, c, host, uri ? uri : "", &dynamic);
	if (dynamic)
		ask(k, method, host, uri, user_agent);
}

void ecs_content_look(struct ecs_engine *e, struct ecs_way *w, const struct ecs_http *h)
{
	const struct ecs_rulebase_conf *c = conf_of(e, w->s);
	struct ecs_content *k = e->content;

	if (!c)
		return;
	if (!k)
		k = e->content = malloc(sizeof(*k));
	if (!k)
		return;
	k->blacklist = k->filter = NULL;
	k->n = k->used = 0;
	k->unrated = h->more;
	for (size_t i = 0; i < h->nearlier; i++)
		look_one(e, c, h->earlier[i].method, h->earlier[i].host, h->earlier[i].uri, NULL);
	look_one(e, c, h->method, h->host, h->uri, h->user_agent);
	if (h->more && c->blacklisting)
		k->blacklist = &c->blacklist; /* nobody hides among many */
	if (h->more && c->cf_policy) {
		const struct ecs_cf_policy *p = ecs_service_find_cf_policy(e->conf.service,
		                                                            c->cf_policy);

		if (p)
			take(&k->filter, &p->failure);
	}
	w->content = true;
}

/* --- doing ------------------------------------------------------------------------------------ */

/* What the subscriber sends is dropped from here on: TCP does not go past what is missing. */
static enum ecs_stage_did discard(struct ecs_engine *e, struct ecs_way *w)
{
	struct ecs_flow_more *m = ecs_flow_more(e, w->f);

	if (!m) {
		w->ends = ECS_ENDS_FLOW;
		return ECS_STAGE_STOPPED;
	}
	m->blocked = true;
	m->stages |= ECS_STAGE_BIT(RATE);
	return ECS_STAGE_STOPPED;
}

static const char *reason(unsigned code)
{
	switch (code) {
	case 200: return "OK";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 451: return "Unavailable For Legal Reasons";
	case 503: return "Service Unavailable";
	default: return code < 500 ? "Denied" : "Failed";
	}
}

static enum ecs_stage_did answer(struct ecs_engine *e, struct ecs_way *w, unsigned code,
                                 const char *url, const char *text)
{
	char body[ECS_REPLY_MAX];
	int n;

	/* the length of a request in fragments is not known: no answer can be made */
	if (w->p->frag != ECS_FRAG_NONE)
		return discard(e, w);
	if (url)
		n = snprintf(body, sizeof(body),
		             "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n"
		             "Connection: close\r\n\r\n", url);
	else
		n = snprintf(body, sizeof(body),
		             "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
		             "Connection: close\r\n\r\n%s", code, reason(code), strlen(text), text);
	ecs_redirect_answer(e, w, NULL, body, (size_t)n);
	return ECS_STAGE_STOPPED;
}

enum ecs_stage_did ecs_content_do(struct ecs_engine *e, struct ecs_way *w,
                                  const struct ecs_cf_action *a, const char *text)
{
	static const struct ecs_charging_action ends = {.flow_action = ECS_ACT_TERMINATE_FLOW};
	struct ecs_counters *c = e->conf.counters;

	switch (a->act) {
	case ECS_CF_DISCARD:
		c->cf_discarded++;
		return discard(e, w);
	case ECS_CF_REDIRECT:
		c->cf_redirected++;
		return answer(e, w, 302, a->text, NULL);
	case ECS_CF_TERMINATE:
		c->cf_terminated++;
		w->why = ECS_FLOW_END_CONTENT_FILTERING + 1;
		return ecs_stage_terminate(e, w, &ends);
	case ECS_CF_REPLY:
		c->cf_replied++;
		return answer(e, w, a->code, NULL, text ? text : "");
	case ECS_CF_INSERT:
		c->cf_replied++;
		return answer(e, w, 200, NULL, a->text);
	case ECS_CF_ALLOW:
	case ECS_CF__N:
		break;
	}
	c->cf_allowed++;
	return ECS_STAGE_PASSED;
}

enum ecs_stage_did ecs_stage_blacklist(struct ecs_engine *e, struct ecs_way *w,
                                       const struct ecs_charging_action *a)
{
	enum ecs_stage_did did;

	(void)a;
	if (!w->content || !e->content->blacklist)
		return ECS_STAGE_PASSED;
	did = ecs_content_do(e, w, e->content->blacklist, NULL);
	if (w->why)
		w->why = ECS_FLOW_END_BLACKLISTING + 1;
	return did;
}

enum ecs_stage_did ecs_stage_filter(struct ecs_engine *e, struct ecs_way *w,
                                    const struct ecs_charging_action *a)
{
	(void)a;
	if (!w->content || !e->content->filter)
		return ECS_STAGE_PASSED;
	return ecs_content_do(e, w, e->content->filter, NULL);
}

void ecs_content_passed(struct ecs_engine *e, const struct ecs_way *w, enum ecs_stage stage)
{
	struct ecs_counters *c = e->conf.counters;
	const struct ecs_rulebase_conf *conf;

	if (w->p->dir != ECS_UPLINK || !ecs_request_begins(w->p))
		return;
	if (stage == ECS_STAGE_BLACKLIST)
		c->blacklist_recovered += w->pkts;
	else if (stage == ECS_STAGE_FILTER)
		c->cf_recovered += w->pkts;
	else if (stage == ECS_STAGE_RATE) {
		conf = conf_of(e, w->s);
		c->icap_recovered += conf && conf->cf_mode != ECS_CF_MODE_STATIC ? w->pkts : 0;
	}
}

#include "config.h"
#include "ecs/redirect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/analyze.h"
#include "ecs/call.h"
#include "ecs/enforce.h"
#include "ecs/http.h"
#include "ecs/kind.h"
#include "ecs/quota.h"
#include "ecs/reply.h"
#include "ecs/rule/agents.h"
#include "ecs/tcp.h"
#include "srp/hash.h"

#define HEADS      1024u
#define NONE       UINT16_MAX
#define PROTO_TCP  6u
#define BODY_MAX   ECS_REPLY_MAX
#define FIRST_KEY  0x6669727374u

struct entry {
	uint32_t callid, flow;
	uint16_t next; /* of its chain, or of the free ones */
};

struct ecs_redirects {
	uint16_t head[HEADS], free;
	size_t n;
	struct entry e[ECS_REDIRECTS_MAX];
};

/* --- entries ---------------------------------------------------------------------------------- */

static struct ecs_redirects *table(struct ecs_engine *e)
{
	struct ecs_redirects *t = e->redirects;

	if (t)
		return t;
	t = malloc(sizeof(*t));
	if (!t)
		return NULL;
	for (unsigned i = 0; i < HEADS; i++)
		t->head[i] = NONE;
	for (unsigned i = 0; i < ECS_REDIRECTS_MAX; i++)
		t->e[i] = (struct entry){.next = (uint16_t)(i + 1)};
	t->e[ECS_REDIRECTS_MAX - 1].next = NONE;
	t->free = 0;
	t->n = 0;
	e->redirects = t;
	return t;
}

static unsigned head_of(const struct ecs_engine *e, uint32_t callid, uint32_t flow)
{
	return (unsigned)(ecs_hash_mix(((uint64_t)callid << 32 | flow) ^ e->conf.seed,
	                               ECS_HASH_K1) % HEADS);
}

/* The link that leads to the entry of a flow, or NULL. */
static uint16_t *find(struct ecs_engine *e, const struct ecs_flow *f)
{
	struct ecs_redirects *t = e->redirects;
	uint32_t callid = f->session->spec.callid;
	uint16_t *at;

	if (!t || !f->session->redirects)
		return NULL;
	at = &t->head[head_of(e, callid, f->id)];
	while (*at != NONE && (t->e[*at].callid != callid || t->e[*at].flow != f->id))
		at = &t->e[*at].next;
	return *at == NONE ? NULL : at;
}

static bool add(struct ecs_engine *e, const struct ecs_flow *f, uint64_t pkts)
{
	struct ecs_redirects *t = table(e);
	struct ecs_session *s = f->session;
	struct ecs_call_redirect *c = &ecs_call_count(e, s)->redirect;
	uint16_t i, *head;

	if (!t || t->free == NONE) {
		c->refused++;
		e->conf.counters->redirects_refused += pkts;
		return false;
	}
	i = t->free;
	t->free = t->e[i].next;
	head = &t->head[head_of(e, s->spec.callid, f->id)];
	t->e[i] = (struct entry){s->spec.callid, f->id, *head};
	*head = i;
	s->redirects++;
	s->stages |= ECS_STAGE_BIT(REDIRECT);
	c->added++;
	t->n++;
	e->conf.counters->redirects_added++;
	return true;
}

static void take_out(struct ecs_engine *e, struct ecs_session *s, uint16_t *at, bool revoked)
{
	struct ecs_redirects *t = e->redirects;
	struct ecs_call_redirect *c = &ecs_call_count(e, s)->redirect;
	uint16_t i = *at;

	*at = t->e[i].next;
	t->e[i].next = t->free;
	t->free = i;
	if (--s->redirects == 0)
		s->stages &= ~ECS_STAGE_BIT(REDIRECT);
	t->n--;
	if (revoked) {
		c->revoked++;
		e->conf.counters->redirects_revoked++;
	} else {
		c->deleted++;
		e->conf.counters->redirects_deleted++;
	}
}

size_t ecs_engine_redirects(const struct ecs_engine *e)
{
	return e->redirects ? e->redirects->n : 0;
}

void ecs_redirect_end(struct ecs_engine *e, struct ecs_flow *f)
{
	uint16_t *at = find(e, f);

	if (at)
		take_out(e, f->session, at, false);
}

void ecs_redirect_revoke(struct ecs_engine *e, struct ecs_session *s, bool all)
{
	for (struct srp_list *l = s->flows.next; s->redirects && l != &s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);
		uint16_t *at = find(e, f);

		if (at && (all || !ecs_kind_owns(s, &f->key.subscriber)))
			take_out(e, s, at, true);
	}
}

void ecs_redirect_clear(struct ecs_engine *e)
{
	for (unsigned i = 0; e->redirects && i < HEADS; i++)
		while (e->redirects->head[i] != NONE) {
			uint16_t *at = &e->redirects->head[i];

			/* an entry goes with its flow, and that with its session: it is there */
			take_out(e, ecs_session_find(e, e->redirects->e[*at].callid), at, false);
		}
}

/* --- first requests --------------------------------------------------------------------------- */

/* What a session remembers of an action: another URL is another notice. */
static uint32_t first_id(const struct ecs_charging_action *a)
{
	uint64_t h = srp_hash64(FIRST_KEY, a->name, strlen(a->name)) ^
	             srp_hash64(FIRST_KEY + 1, a->redirect_url, strlen(a->redirect_url));

	return (uint32_t)h | 1u;
}

/* The same of the end-token of a conditional redirection. */
static uint32_t token_id(const struct ecs_charging_action *a)
{
	uint64_t h = srp_hash64(FIRST_KEY + 2, a->name, strlen(a->name)) ^
	             srp_hash64(FIRST_KEY + 3, a->end_token, strlen(a->end_token));

	return (uint32_t)h | 1u;
}

static bool first_was(const struct ecs_session *s, uint32_t id)
{
	for (unsigned i = 0; i < ECS_REDIRECTED_MAX; i++)
		if (s->redirected[i] == id)
			return true;
	return false;
}

/* Of more actions than there is room for, the oldest is forgotten. */
static void first_is(struct ecs_engine *e, struct ecs_session *s, uint32_t id, struct srp_time now)
{
	if (first_was(s, id))
		return;
	memmove(s->redirected + 1, s->redirected, sizeof(s->redirected) - sizeof(s->redirected[0]));
	s->redirected[0] = id;
	ecs_tell_changed(e, &s->call, now);
}

/* A request that is not the first. */
static bool follows(struct ecs_engine *e, struct ecs_way *w, const struct ecs_charging_action *a)
{
	e->conf.counters->redirects_followed += w->pkts;
	switch ((enum ecs_post_redirect)a->post_redirect) {
	case ECS_POST_DISCARD:
		return true;
	case ECS_POST_TERMINATE:
		(void)ecs_stage_terminate(e, w, a);
		return true;
	default:
		return false;
	}
}

/* --- packets of our own ----------------------------------------------------------------------- */

static void answer(struct ecs_engine *e, const struct ecs_way *w, const char *body, size_t n,
                   uint32_t data)
{
	const struct ecs_reply r = {.dir = ECS_DOWNLINK, .seq = w->p->tcp_ack,
	                        .ack = w->p->tcp_seq + data, .body = body, .len = n,
	                        .flags = ECS_TCP_PSH | ECS_TCP_ACK | ECS_TCP_FIN};

	e->conf.counters->redirects_answered++;
	ecs_reply(e, w->f, &r);
}

/* --- what comes of a flow --------------------------------------------------------------------- */

bool ecs_request_begins(const struct ecs_packet *p)
{
	static const char *const methods[] = {"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ",
	                                      "DELETE ", "PATCH ", "TRACE "};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		size_t n = strlen(methods[i]);

		if (p->payload_len >= n && memcmp(p->payload, methods[i], n) == 0)
			return true;
	}
	return false;
}

bool ecs_request_partial(const struct ecs_way *w)
{
	const struct ecs_analysis *a = w->f->analysis;

	return w->open && !w->request && a &&
	       (a->stage == ECS_STAGE_OPEN || a->stage == ECS_STAGE_HTTP);
}

/* Whether a packet of the subscriber is one to be redirected, by the rule that its flow has now:
 * another may come of what is known only when the request has been forwarded. A recovered flow is by
 * the rule that came with it, not by what is matched since (flow-recovery, Flow Actions), but for
 * `flow-recovery redirect`. @p there: the flow was redirected, and this is sent again. */
static bool is_request(const struct ecs_engine *e, const struct ecs_way *w,
                       const struct ecs_charging_action *a, bool there)
{
	if (!a || !ecs_action_redirects(a) || !(w->p->tcp_flags & ECS_TCP_ACK))
		return false;
	if (!there && ecs_request_partial(w))
		return false;
	if (ecs_flow_recovered(e, w->f) && !w->anew && (!w->bypassed || w->f->released))
		return false;
	return w->request || ecs_request_begins(w->p);
}

/* Whether the condition of a conditional redirection holds for a request: its User-Agent has one of the names
 * of the service in it, and no request of the session has had the end-token in its URL. */
static bool is_for(struct ecs_engine *e, const struct ecs_way *w,
                   const struct ecs_charging_action *a)
{
	const struct ecs_http *said = w->request && w->f->analysis ? &w->f->analysis->http : NULL;
	struct ecs_http own = {0};
	bool is;

	if (first_was(w->s, token_id(a)))
		return false;
	if (!said && ecs_http_feed(&own, w->p->payload, w->p->payload_len) > 0)
		said = &own;
	is = said && ecs_service_knows_agent(e->conf.service, said->user_agent);
	if (said && said->url && strstr(said->url, a->end_token)) {
		first_is(e, w->s, token_id(a), w->now);
		e->conf.counters->redirects_over += w->pkts;
		is = false;
	}
	ecs_http_fini(&own);
	return is;
}

static void reset_server(struct ecs_engine *e, const struct ecs_flow *f, uint32_t seq, uint32_t ack)
{
	const struct ecs_reply r = {.dir = ECS_UPLINK, .seq = seq, .ack = ack,
	                        .flags = ECS_TCP_RST | ECS_TCP_ACK};

	ecs_reply(e, f, &r);
}

/* The server has a connection that is over: whatever it says is answered by a reset. */
static bool from_server(struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	uint32_t n = p->len > p->hdr_len ? (uint32_t)(p->len - p->hdr_len) : 0;

	if (!(p->tcp_flags & ECS_TCP_RST) && (p->tcp_flags & ECS_TCP_ACK))
		reset_server(e, w->f, p->tcp_ack,
		             p->tcp_seq + n + !!(p->tcp_flags & (ECS_TCP_SYN | ECS_TCP_FIN)));
	return true;
}

static uint32_t data_of(const struct ecs_packet *p)
{
	return p->len > p->hdr_len ? (uint32_t)(p->len - p->hdr_len) : 0;
}

void ecs_redirect_answer(struct ecs_engine *e, const struct ecs_way *w,
                         const struct ecs_charging_action *a, const char *body, size_t len)
{
	struct ecs_flow *f = w->f;

	if (!find(e, f)) {
		if (!add(e, f, w->pkts))
			return;
		reset_server(e, f, w->p->tcp_seq, w->p->tcp_ack);
		/* the answer closes the server's side */
		f->tcp_state = (uint8_t)ecs_tcp_step(f->tcp_state, ECS_DOWNLINK,
		                                     ecs_flow_opener_dir(f),
		                                     ECS_TCP_FIN | ECS_TCP_ACK);
		f->flags |= ECS_FLOW_F_FIN_DOWN;
		ecs_recoverable_changed(e, f, w->now);
		if (a && a->post_redirect)
			first_is(e, f->session, first_id(a), w->now);
	}
	answer(e, w, body, len, data_of(w->p));
}

static bool redirect(struct ecs_engine *e, const struct ecs_way *w,
                     const struct ecs_charging_action *a, const char *url)
{
	char body[BODY_MAX];
	int n = snprintf(body, sizeof(body),
	                 "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n"
	                 "Connection: close\r\n\r\n", url);

	ecs_redirect_answer(e, w, a, body, (size_t)n);
	return true;
}

/* Where a request is redirected to; NULL: it is not. */
static const char *url_of(struct ecs_engine *e, const struct ecs_way *w,
                          const struct ecs_charging_action *a)
{
	const char *url;
	bool known;

	if (a->end_token[0] && !is_for(e, w, a))
		return NULL;
	if (a->flow_action == ECS_ACT_REDIRECT)
		return a->redirect_url;
	url = ecs_quota_redirect(e, w->s, a, w->bytes, &known);
	if (!known)
		e->conf.counters->redirects_unknown += w->pkts;
	return url;
}

/* A flow that was redirected, here or before it was recovered, is not judged again. */
static bool is_first(const struct ecs_engine *e, const struct ecs_flow *f,
                     const struct ecs_charging_action *a)
{
	if (!a->post_redirect || (ecs_flow_recovered(e, f) && (f->flags & ECS_FLOW_F_FIN_DOWN)))
		return true;
	return !first_was(f->session, first_id(a));
}

const struct ecs_charging_action *ecs_redirect_of(const struct ecs_engine *e, uint16_t line)
{
	const struct ecs_line *l = line == ECS_LINE_NONE ? NULL
	                                                 : ecs_service_line(e->conf.service, line);

	return l && l->action && ecs_action_redirects(l->action) ? l->action : NULL;
}

bool ecs_redirect_lets(struct ecs_engine *e, const struct ecs_way *w,
                       const struct ecs_charging_action *a)
{
	if (find(e, w->f))
		return false;
	if (a->post_redirect != ECS_POST_ALLOW || is_first(e, w->f, a))
		return !url_of(e, w, a);
	e->conf.counters->redirects_followed += w->pkts;
	return true;
}

bool ecs_redirect(struct ecs_engine *e, struct ecs_way *w,
                  const struct ecs_charging_action *a)
{
	const struct ecs_packet *p = w->p;
	struct ecs_flow *f = w->f;
	uint32_t data = data_of(p);
	const char *url;
	bool there;

	if (!f || f->key.proto != PROTO_TCP)
		return false;
	there = find(e, f) != NULL;
	if (p->icmp_error || p->frag == ECS_FRAG_LATER)
		return there;
	if (p->dir == ECS_DOWNLINK)
		return there && from_server(e, w);
	if (data && is_request(e, w, a, there) && (url = url_of(e, w, a)) != NULL) {
		if (!there && !is_first(e, f, a))
			return follows(e, w, a);
		/* the length of a request in fragments is not known: no answer can be made */
		if (p->frag == ECS_FRAG_FIRST)
			return true;
		return redirect(e, w, a, url);
	}
	if (there && (data || (p->tcp_flags & ECS_TCP_FIN)) && !(p->tcp_flags & ECS_TCP_RST)) {
		const struct ecs_reply r = {.dir = ECS_DOWNLINK, .seq = p->tcp_ack,
		                        .ack = p->tcp_seq + data + !!(p->tcp_flags & ECS_TCP_FIN),
		                        .flags = ECS_TCP_ACK};

		ecs_reply(e, f, &r);
	}
	return there;
}

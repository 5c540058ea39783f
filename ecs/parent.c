#include "config.h"
#include "ecs/parent.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/enforce.h"

#define PROTO_UDP 17u

/* Media that a connection of the call has set up. */
struct expected {
	uint32_t parent;      /* 0: free */
	uint16_t client[2], server[2];
	struct ecs_addr from;
	struct srp_time until;
};

struct ecs_kin {
	struct srp_list children; /* ecs_flow_more.in_children */
	unsigned nchildren;
	struct expected expected[ECS_EXPECTED_MAX];
};

static struct ecs_kin *kin_of(struct ecs_session *s)
{
	if (!s->kin) {
		s->kin = calloc(1, sizeof(*s->kin));
		if (s->kin)
			ecs_list_init(&s->kin->children);
	}
	return s->kin;
}

static bool is_over(const struct expected *x, struct srp_time now)
{
	return !x->parent || x->until.us <= now.us;
}

/* The place of a pair of ports: its own, where it is expected already, else a free one. */
static struct expected *place_of(struct ecs_kin *k, const struct expected *of, struct srp_time now)
{
	struct expected *place = NULL;

	for (size_t i = 0; i < ECS_EXPECTED_MAX; i++) {
		struct expected *x = &k->expected[i];

		if (!is_over(x, now) && memcmp(x->client, of->client, sizeof(x->client)) == 0 &&
		    memcmp(x->server, of->server, sizeof(x->server)) == 0 &&
		    memcmp(&x->from, &of->from, sizeof(x->from)) == 0)
			return x;
		if (!place && is_over(x, now))
			place = x;
	}
	return place;
}

/* Whether media can come to this subscriber: of its family, and to no other address. */
static bool is_for(const struct ecs_flow *f, const struct ecs_rtsp_media *m)
{
	if (m->has_source && ecs_addr_is4(&m->source) != ecs_addr_is4(&f->key.server))
		return false;
	return !m->has_destination ||
	       memcmp(&m->destination, &f->key.subscriber, sizeof(m->destination)) == 0;
}

void ecs_parent_expect(struct ecs_engine *e, struct ecs_flow *f, struct ecs_rtsp *r,
                       struct srp_time now)
{
	e->conf.counters->media_refused += r->missed;
	r->missed = 0;
	for (size_t i = 0; i < r->nmedia; i++) {
		const struct ecs_rtsp_media *m = &r->media[i];
		struct ecs_kin *k = is_for(f, m) ? kin_of(f->session) : NULL;
		struct expected x = {.parent = f->id, .until = srp_time_add(now, SRP_SEC(ECS_EXPECTED_S)),
		                     .from = m->has_source ? m->source : f->key.server}, *to;

		memcpy(x.client, m->client, sizeof(x.client));
		memcpy(x.server, m->server, sizeof(x.server));
		to = k ? place_of(k, &x, now) : NULL;
		if (to) {
			*to = x;
			e->conf.counters->media_expected++;
		} else {
			e->conf.counters->media_refused++;
		}
	}
	r->nmedia = 0;
}

static bool is_expected(const struct expected *x, const struct ecs_flow_key *k)
{
	if (memcmp(&x->from, &k->server, sizeof(x->from)) != 0)
		return false;
	for (int i = 0; i < 2; i++)
		if (x->client[i] && x->client[i] == k->subscriber_port &&
		    x->server[i] == k->server_port)
			return true;
	return false;
}

static bool join(struct ecs_engine *e, struct ecs_flow *f, uint32_t id, bool kept, unsigned max)
{
	struct ecs_kin *k = kin_of(f->session);
	struct ecs_flow_more *m = k && k->nchildren < max ? ecs_flow_more(e, f) : NULL;

	if (!m)
		return false;
	m->parent = id;
	m->parent_kept = kept;
	ecs_list_add_tail(&k->children, &m->in_children);
	k->nchildren++;
	return true;
}

void ecs_parent_seek(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	bool keep = ecs_service_keeps(e->conf.service, ECS_RECOVER_PARENT_CHILD);
	struct ecs_kin *k = f->session->kin;
	const struct ecs_flow *p;

	if (f->key.proto != PROTO_UDP)
		return;
	for (size_t i = 0; k && i < ECS_EXPECTED_MAX; i++) {
		const struct expected *x = &k->expected[i];

		if (is_over(x, now) || !is_expected(x, &f->key))
			continue;
		p = ecs_flow_of(e->flows, f->session, x->parent);
		if (!p || (!keep && ecs_flow_recovered(e, p)))
			continue; /* of another time as active */
		if (join(e, f, x->parent, keep, ECS_CHILDREN_MAX))
			e->conf.counters->flows_children++;
		else
			e->conf.counters->media_refused++;
		return;
	}
}

struct ecs_flow *ecs_parent_of(const struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_flow_more *m = f->more;
	struct ecs_flow *p;

	if (!m || !m->parent)
		return NULL;
	p = ecs_flow_of(e->flows, f->session, m->parent);
	if (!p || (!m->parent_kept && (!e->active || ecs_flow_recovered(e, f) ||
	                               ecs_flow_recovered(e, p))))
		return NULL;
	return p;
}

void ecs_parent_leave(struct ecs_flow *f)
{
	struct ecs_flow_more *m = f->more;

	if (!m || !m->parent)
		return;
	m->parent = 0;
	m->parent_kept = false;
	ecs_list_del(&m->in_children);
	f->session->kin->nchildren--;
}

void ecs_parent_ends(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now)
{
	struct ecs_kin *k = f->session->kin;
	struct srp_list *l, *next;

	for (size_t i = 0; i < ECS_EXPECTED_MAX; i++)
		if (k->expected[i].parent == f->id)
			k->expected[i].parent = 0;
	for (l = k->children.next; l != &k->children; l = next) {
		struct ecs_flow_more *m = ECS_CONTAINER(l, struct ecs_flow_more, in_children);
		bool kept = m->parent_kept;

		next = l->next;
		if (m->parent != f->id)
			continue;
		ecs_parent_leave(m->flow);
		if (kept)
			ecs_recoverable_changed(e, m->flow, now);
	}
}

void ecs_parent_session(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	bool keep = ecs_service_keeps(e->conf.service, ECS_RECOVER_PARENT_CHILD);
	struct srp_list *l, *next;

	if (!s->kin)
		return;
	for (l = s->kin->children.next; l != &s->kin->children; l = next) {
		struct ecs_flow_more *m = ECS_CONTAINER(l, struct ecs_flow_more, in_children);

		next = l->next;
		if (m->parent_kept == keep)
			continue;
		if (!ecs_parent_of(e, m->flow) || (!keep && ecs_flow_recovered(e, m->flow)))
			ecs_parent_leave(m->flow);
		else
			m->parent_kept = keep;
		ecs_recoverable_changed(e, m->flow, now);
	}
}

uint32_t ecs_parent_kept(const struct ecs_flow *f)
{
	return f->more && f->more->parent_kept ? f->more->parent : 0;
}

void ecs_parent_apply(struct ecs_engine *e, struct ecs_flow *f, uint32_t id)
{
	ecs_parent_leave(f);
	/* the ends of others may be on their way still */
	if (id && !join(e, f, id, true, 2 * ECS_CHILDREN_MAX))
		e->conf.counters->media_refused++;
}

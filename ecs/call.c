#include "config.h"
#include "ecs/call.h"

void ecs_call_step(struct ecs_engine *e, struct ecs_session *s, enum ecs_call_event ev)
{
	if (!ecs_call_event(&s->machine, ev))
		e->conf.counters->call_events_refused++;
}

struct ecs_call_more *ecs_call_count(struct ecs_engine *e, struct ecs_session *s)
{
	if (!s->more)
		s->more = ecs_pool_get(&e->more_pool);
	return s->more ? s->more : e->nobody;
}

void ecs_call_reordered(struct ecs_engine *e, struct ecs_session *s)
{
	const struct ecs_call_reorder *from = &e->streams.count;
	struct ecs_call_reorder *to = &ecs_call_count(e, s)->reorder;

#define X(name, label, help) to->name += from->name;
	ECS_CALL_REORDERS(X)
#undef X
	e->streams.count = (struct ecs_call_reorder){0};
	e->streams.counted = false;
}

void ecs_call_fragments(void *engine, uint32_t callid, enum ecs_frag_news news)
{
	struct ecs_session *s = ecs_session_find(engine, callid);
	struct ecs_call_reassembly *c;

	if (!s)
		return;
	c = &ecs_call_count(engine, s)->reassembly;
	if (news == ECS_FRAG_BEGUN) {
		c->in_progress++;
		return;
	}
	if (c->in_progress > 0)
		c->in_progress--;
	switch (news) {
	case ECS_FRAG_WHOLE:   c->success++; break;
	case ECS_FRAG_LATE:    c->timeout++; break;
	case ECS_FRAG_CROWDED: c->no_buffers++; break;
	case ECS_FRAG_BROKEN:
	case ECS_FRAG_BEGUN:   c->other++; break;
	}
}

void ecs_call_forget(struct ecs_engine *e, struct ecs_session *s)
{
	if (s->more)
		ecs_pool_put(&e->more_pool, s->more);
	s->more = NULL;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

/* Acknowledgements are cumulative: with the last record all that waits is answered. One that was
 * overtaken by a change of its object has no answer of its own and is settled so. */
static void answered(struct ecs_call_figure *f, const struct srp_ckpt_pass *p)
{
	uint16_t n = 1;

	if (f->waiting == 0)
		return;
	if ((int32_t)(p->seq - f->seq) >= 0 && p->what == SRP_CKPT_ACKED)
		n = f->waiting;
	f->waiting = (uint16_t)(f->waiting - n);
	if (p->what != SRP_CKPT_ACKED)
		return;
	f->successes += n;
	f->last_success = p->now;
}

void ecs_call_passed(struct ecs_session *s, enum ecs_call_ckpt_of of,
                     const struct srp_ckpt_pass *p)
{
	struct ecs_call_figure *f = &s->figure[p->replica][of];

	if (f->epoch != p->epoch) {
		f->epoch = p->epoch;
		f->waiting = 0;
	}
	if (p->what != SRP_CKPT_SENT) {
		answered(f, p);
		return;
	}
	f->attempts++;
	if (f->waiting < UINT16_MAX)
		f->waiting++;
	f->seq = p->seq;
	f->last_attempt = p->now;
}

void ecs_call_passed_key(enum ecs_call_ckpt_of of, const struct srp_ckpt_key *key,
                         const struct srp_ckpt_pass *p)
{
	struct ecs_session *s = ecs_session_find(p->owner, (uint32_t)key->k[0]);

	if (s)
		ecs_call_passed(s, of, p);
}

/* --- looking at it ---------------------------------------------------------------------------- */

void ecs_session_debug(const struct ecs_engine *e, const struct ecs_session *s,
                       struct ecs_session_debug *out, struct srp_time now)
{
	*out = (struct ecs_session_debug){.recreated = ecs_session_recovered(e, s),
	                                  .state = s->machine.state,
	                                  .refused = s->machine.refused};
	out->nsteps = ecs_call_trace(&s->machine, out->step, ECS_CALL_TRACE_MAX);
	for (int i = 0; i < SRP_REPLICA__N; i++)
		for (int k = 0; k < ECS_CALL_CKPT__N; k++) {
			const struct ecs_call_figure *f = &s->figure[i][k];

			out->ckpt[i][k] = (struct ecs_call_ckpt){f->attempts, f->successes,
			                                         f->last_attempt, f->last_success};
		}
	if (s->more) {
		out->reorder = s->more->reorder;
		out->reassembly = s->more->reassembly;
		out->redirect = s->more->redirect;
	}
	out->redirect.current = s->redirects;
	out->redirect.allowed = ECS_REDIRECTS_MAX;
	(void)now;
}

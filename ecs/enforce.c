#include "config.h"
#include "ecs/enforce.h"

#include <string.h>

#include "ecs/acted.h"
#include "ecs/content.h"
#include "ecs/parent.h"
#include "ecs/redirect.h"
#include "ecs/reply.h"
#include "ecs/rewrite.h"
#include "ecs/splice.h"

#define PROTO_TCP 6u

/* --- the chain -------------------------------------------------------------------------------- */

enum on_recovered { NOT, ACTS };

static const struct stage {
	ecs_stage_fn *fn;
	enum on_recovered recovered;
	size_t counter; /* in struct ecs_counters */
} stages[] = {
#define ECS_STAGE(sym, fn_, when, recovered_, counter_, help)                                     \
	[ECS_STAGE_##sym] = {ecs_stage_##fn_, recovered_, offsetof(struct ecs_counters, counter_)},
#include "ecs/enforce.def"
#undef ECS_STAGE
};

/* Post-processing counts what it stops; what is counted as such, by whichever line, it leaves to that. */
static const struct stage *counted_as(const struct stage *st, const struct ecs_way *w)
{
	if (st != &stages[ECS_STAGE_POST])
		return st;
	switch (w->post->flow_action) {
	case ECS_ACT_RANDOM_DROP:
		return &stages[ECS_STAGE_RANDOM];
	case ECS_ACT_RULEBASE:
		return &stages[ECS_STAGE_RULEBASE];
	default:
		return st;
	}
}

static void count(struct ecs_engine *e, const struct stage *st, uint64_t pkts)
{
	uint64_t *n = (uint64_t *)(void *)((char *)e->conf.counters + st->counter);

	*n += pkts;
}

/* With `flow-recovery content-filtering` what is done to requests is done to those of recovered flows, too;
 * what was begun with it goes on without: a request that waits, one that was discarded and is sent again. */
static bool read_again(const struct ecs_way *w, uint32_t stage)
{
	if (stage & (ECS_STAGE_BIT(BLACKLIST) | ECS_STAGE_BIT(FILTER) | ECS_STAGE_BIT(RATE)))
		return (w->s->again & ECS_AGAIN_CONTENT) ||
		       (w->f->more && (w->f->more->stages & stage & ECS_STAGE_BIT(RATE)));
	return false;
}

bool ecs_enforce(struct ecs_engine *e, struct ecs_way *w, const struct ecs_charging_action *a,
                 uint32_t mask)
{
	bool recovered = w->f && ecs_flow_recovered(e, w->f) && !(w->f->flags & ECS_FLOW_F_FRESH);

	for (; mask; mask &= mask - 1) {
		const struct stage *st = &stages[__builtin_ctz(mask)];
		enum ecs_stage_did did;

		if (recovered && st->recovered == NOT && !read_again(w, mask & -mask)) {
			ecs_content_passed(e, w, (enum ecs_stage)(st - stages));
			continue;
		}
		did = st->fn(e, w, a);
		if (did != ECS_STAGE_PASSED) {
			count(e, counted_as(st, w), w->pkts);
			ecs_acted(e, w, a, (unsigned)(st - stages), did == ECS_STAGE_STOPPED);
			if (e->tracing)
				ecs_trace_did(e, (unsigned)(st - stages), did == ECS_STAGE_STOPPED);
		}
		if (did == ECS_STAGE_STOPPED)
			return true;
		/* a stage may need a later one */
		mask |= (w->also | (w->f && w->f->more ? w->f->more->stages : 0)) &
		        ~((mask & -mask) * 2 - 1);
	}
	return false;
}

/* --- what few flows have ---------------------------------------------------------------------- */

struct ecs_flow_more *ecs_flow_more(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_flow_more *m = f->more;

	if (m)
		return m;
	if (e->nmores < ECS_FLOW_MORES_MAX)
		m = ecs_pool_get(&e->flow_more_pool);
	if (!m) {
		e->conf.counters->flow_mores_refused++;
		return NULL;
	}
	m->flow = f;
	f->more = m;
	e->nmores++;
	return m;
}

void ecs_flow_more_drop(struct ecs_engine *e, struct ecs_flow *f)
{
	struct ecs_flow_more *m = f->more;

	if (!m)
		return;
	ecs_alias_drop(e, f);
	ecs_parent_leave(f);
	ecs_hold_drop(e, m);
	ecs_shift_detach(e, f);
	f->more = NULL;
	e->nmores--;
	ecs_pool_put(&e->flow_more_pool, m);
}

void ecs_flow_more_trim(struct ecs_engine *e, struct ecs_flow *f)
{
	const struct ecs_flow_more *m = f->more;

	if (m && !m->stages && !m->drop_armed && !m->aliased && !m->splice && !m->has_post && !m->hold &&
	    !m->blocked && !m->shift && !m->parent)
		ecs_flow_more_drop(e, f);
}

/* --- stages ----------------------------------------------------------------------------------- */

/* Both ends of a connection hear that it is over: each gets a segment that it takes for the other's. */
static void reset_both(struct ecs_engine *e, const struct ecs_way *w)
{
	const struct ecs_packet *p = w->p;
	uint32_t n = p->len > p->hdr_len ? (uint32_t)(p->len - p->hdr_len) : 0;
	uint32_t end = p->tcp_seq + n + !!(p->tcp_flags & ECS_TCP_SYN) + !!(p->tcp_flags & ECS_TCP_FIN);
	bool acks = p->tcp_flags & ECS_TCP_ACK;
	struct ecs_reply back = {.dir = p->dir == ECS_UPLINK ? ECS_DOWNLINK : ECS_UPLINK,
	                         .seq = acks ? p->tcp_ack : 0, .ack = end,
	                         .flags = ECS_TCP_RST | ECS_TCP_ACK};
	struct ecs_reply on = {.dir = p->dir, .seq = p->tcp_seq, .ack = p->tcp_ack,
	                       .flags = ECS_TCP_RST | ECS_TCP_ACK};

	if (p->tcp_flags & ECS_TCP_RST)
		return;
	ecs_reply(e, w->f, &back);
	/* of the first segment the other end has not heard yet */
	if (acks)
		ecs_reply(e, w->f, &on);
}

enum ecs_stage_did ecs_stage_terminate(struct ecs_engine *e, struct ecs_way *w,
                                       const struct ecs_charging_action *a)
{
	const struct ecs_packet *p = w->p;
	bool whole = p->frag != ECS_FRAG_LATER && !p->icmp_error;

	if (!a)
		return ECS_STAGE_PASSED;
	if (a->flow_action == ECS_ACT_TERMINATE_SESSION)
		w->ends = ECS_ENDS_SESSION;
	else if (w->f && whole)
		w->ends = ECS_ENDS_FLOW;
	if (w->f && whole && w->f->key.proto == PROTO_TCP)
		reset_both(e, w);
	return ECS_STAGE_STOPPED;
}

enum ecs_stage_did ecs_stage_discard(struct ecs_engine *e, struct ecs_way *w,
                                     const struct ecs_charging_action *a)
{
	(void)e;
	if (!a || a->flow_action != ECS_ACT_DISCARD)
		return ECS_STAGE_PASSED;
	/* without a direction, both */
	if (a->discard_up != a->discard_down &&
	    !(w->p->dir == ECS_UPLINK ? a->discard_up : a->discard_down))
		return ECS_STAGE_PASSED;
	return ECS_STAGE_STOPPED;
}

enum ecs_stage_did ecs_stage_redirect(struct ecs_engine *e, struct ecs_way *w,
                                      const struct ecs_charging_action *a)
{
	return ecs_redirect(e, w, a) ? ECS_STAGE_STOPPED : ECS_STAGE_PASSED;
}

static const struct ecs_tos *tos_of(const struct ecs_charging_action *a, enum ecs_dir dir)
{
	const struct ecs_tos *t = !a ? NULL : dir == ECS_UPLINK ? &a->tos_up : &a->tos_down;

	return t && t->mask ? t : NULL;
}

enum ecs_stage_did ecs_stage_tos(struct ecs_engine *e, struct ecs_way *w,
                                 const struct ecs_charging_action *a)
{
	const struct ecs_tos *t = tos_of(a, w->p->dir);

	(void)e;
	if (!t)
		t = tos_of(w->post, w->p->dir);
	if (!t)
		return ECS_STAGE_PASSED;
	if (w->raw)
		ecs_rewrite_tos(w->raw, w->p, (uint8_t)((w->p->tos & ~t->mask) | t->value));
	return ECS_STAGE_ACTED;
}

static bool has_nexthop(const struct ecs_charging_action *a)
{
	static const struct ecs_addr none;

	return a && memcmp(&a->nexthop, &none, sizeof(none)) != 0;
}

enum ecs_stage_did ecs_stage_nexthop(struct ecs_engine *e, struct ecs_way *w,
                                     const struct ecs_charging_action *a)
{
	(void)e;
	if (!has_nexthop(a))
		a = w->post;
	if (!has_nexthop(a) || w->p->dir != ECS_UPLINK || ecs_addr_is4(&a->nexthop) != (w->p->version == 4))
		return ECS_STAGE_PASSED;
	if (w->raw)
		w->raw->nexthop = &a->nexthop;
	return ECS_STAGE_ACTED;
}

bool ecs_enforce_end(struct ecs_engine *e, struct ecs_way *w)
{
	if (w->ends == ECS_ENDS_NOT || (w->ends == ECS_ENDS_HELD && !w->f))
		return false;
	if (w->ends == ECS_ENDS_HELD)
		return ecs_splice_go_on(e, w->f, w->now);
	if (w->ends == ECS_ENDS_SESSION) {
		e->conf.counters->sessions_terminated++;
		ecs_session_drop(e, w->s, ECS_END_ACTION, ECS_TELL, w->now);
	} else if (w->ends == ECS_ENDS_RULEBASE) {
		ecs_session_rebase(e, w->s, e->rebase->rulebase, w->now);
		return false;
	} else if (w->f) {
		e->conf.counters->flows_terminated++;
		ecs_flow_over(e, w->f, w->why ? (enum ecs_flow_end)(w->why - 1) : ECS_FLOW_END_NORMAL,
		              w->now);
	}
	return true;
}

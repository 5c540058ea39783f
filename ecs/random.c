/* random: `flow action random-drop`: of each flow some packets in a row are dropped, now and then.
 * How long until then and how many is drawn within what the action says, from the seed of the
 * engine, the flow and how often it was drawn: the same packets at the same times lose the same.
 * Nothing of it is checkpointed. */
#include "config.h"
#include "ecs/enforce.h"

#include "ecs/chain.h"

/* A number from range[0] to range[1], each times @p unit. */
static uint64_t draw(const struct ecs_engine *e, const struct ecs_flow *f, uint32_t turn,
                     const uint16_t range[2], uint64_t unit)
{
	uint64_t of = (uint64_t)f->session->spec.callid << 32 | f->id;
	uint64_t h = ecs_hash_mix(of ^ e->conf.seed, ECS_HASH_K1) ^ turn;
	uint64_t from = range[0] * unit, to = range[1] * unit;

	return from + ecs_hash_mix(h, ECS_HASH_K2) % (to - from + 1);
}

/* The next packets are dropped when the interval that begins now is over. */
static void wait_for(struct ecs_engine *e, const struct ecs_way *w, struct ecs_flow_more *m,
                     const struct ecs_charging_action *a)
{
	uint64_t ms = draw(e, w->f, 2 * m->drops, a->drop_interval, 1000);

	m->drop_at = srp_time_add(w->now, ms * 1000);
	m->drop_armed = true;
	m->drop_left = 0;
	m->drop_gen = e->gen;
}

enum ecs_stage_did ecs_stage_random(struct ecs_engine *e, struct ecs_way *w,
                                    const struct ecs_charging_action *a)
{
	struct ecs_flow_more *m;

	if (!a || a->flow_action != ECS_ACT_RANDOM_DROP || !w->f || !(m = ecs_flow_more(e, w->f)))
		return ECS_STAGE_PASSED;
	/* a commit may have made the interval shorter than what is left of an older one */
	if (!m->drop_armed || m->drop_gen != e->gen ||
	    srp_time_add(w->now, SRP_SEC(a->drop_interval[1])).us < m->drop_at.us)
		wait_for(e, w, m, a);
	if (!m->drop_left) {
		if (w->now.us < m->drop_at.us)
			return ECS_STAGE_PASSED;
		m->drop_left = (uint16_t)draw(e, w->f, 2 * m->drops + 1, a->drop_pkts, 1);
		m->drops++;
	}
	m->drop_left = (uint16_t)(m->drop_left - (w->pkts < m->drop_left ? w->pkts : m->drop_left));
	if (!m->drop_left)
		wait_for(e, w, m, a);
	return ECS_STAGE_STOPPED;
}

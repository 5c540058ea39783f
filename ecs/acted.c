#include "config.h"
#include "ecs/acted.h"

#include <stdio.h>
#include <string.h>

#include "ecs/enforce.h"
#include "srp/hash.h"

const struct ecs_acted_row ecs_acted_rows[ECS_ACTED__N] = {
#define ECS_ACTED(sym, key, label, help) [ECS_ACTED_##sym] = {key, label, help},
#include "ecs/acted.def"
#undef ECS_ACTED
};

uint16_t ecs_acted_of(struct ecs_acted_stats *v, const char *name)
{
	size_t len = strnlen(name, sizeof(v->name) - 1);
	uint16_t at = (uint16_t)(srp_hash64(0, name, len) % (ECS_ACTED_MAX - 1));

	for (unsigned i = 0; i < ECS_ACTED_MAX - 1; i++) {
		if (!v[at].name[0])
			memcpy(v[at].name, name, len);
		if (strcmp(v[at].name, name) == 0)
			return at;
		at = (uint16_t)((at + 1) % (ECS_ACTED_MAX - 1));
	}
	at = ECS_ACTED_MAX - 1;
	snprintf(v[at].name, sizeof(v[at].name), "(other charging-actions)");
	return at;
}

/* What a line of post-processing has stopped a packet for. */
static enum ecs_acted post_of(const struct ecs_charging_action *a)
{
	if (ecs_action_redirects(a))
		return ECS_ACTED_PP_REDIRECTED;
	if (a->flow_action == ECS_ACT_TERMINATE_FLOW || a->flow_action == ECS_ACT_TERMINATE_SESSION)
		return ECS_ACTED_PP_TERMINATED;
	return ECS_ACTED_PP_DROPPED;
}

static enum ecs_acted of_stage(unsigned stage, const struct ecs_charging_action *post, bool stopped)
{
	switch (stage) {
	case ECS_STAGE_REDIRECT:
		return ECS_ACTED_REDIRECTED;
	case ECS_STAGE_TERMINATE:
		return ECS_ACTED_TERMINATED;
	case ECS_STAGE_READDRESS:
		return ECS_ACTED_READDRESSED;
	case ECS_STAGE_NEXTHOP:
		return ECS_ACTED_NEXTHOP;
	case ECS_STAGE_TOS:
		return ECS_ACTED_MARKED;
	case ECS_STAGE_XHEADER:
		return stopped ? ECS_ACTED_DROPPED : ECS_ACTED_INSERTED;
	case ECS_STAGE_POST:
		return post && stopped ? post_of(post) : ECS_ACTED__N;
	case ECS_STAGE_SPLICE: /* it is kept back, and comes again */
		return ECS_ACTED__N;
	default:
		return stopped ? ECS_ACTED_DROPPED : ECS_ACTED__N;
	}
}

/* Whether it was the line of post-processing that had it done. */
static bool by_post(unsigned stage, const struct ecs_way *w, const struct ecs_charging_action *a)
{
	static const struct ecs_addr none;

	if (!w->post)
		return false;
	switch (stage) {
	case ECS_STAGE_POST:
		return true;
	case ECS_STAGE_NEXTHOP:
		return !a || memcmp(&a->nexthop, &none, sizeof(none)) == 0;
	case ECS_STAGE_TOS:
		return !a || !(w->p->dir == ECS_UPLINK ? a->tos_up : a->tos_down).mask;
	case ECS_STAGE_XHEADER:
		return !a || !a->xheader[0];
	default:
		return false;
	}
}

void ecs_acted(struct ecs_engine *e, const struct ecs_way *w, const struct ecs_charging_action *a,
               unsigned stage, bool stopped)
{
	enum ecs_acted what = of_stage(stage, w->post, stopped);
	bool post = by_post(stage, w, a);
	struct ecs_acted_stats *to;

	if (post)
		a = w->post;
	/* a dynamic rule has no charging-action but its own name */
	if (what == ECS_ACTED__N || !a || (w->dyn && !w->dyn->spec.predefined && !post))
		return;
	if (e->acted.action != a || e->acted.commit != e->commits) {
		e->acted.action = a;
		e->acted.commit = e->commits;
		e->acted.at = ecs_acted_of(e->conf.acted_stats, a->name);
	}
	to = &e->conf.acted_stats[e->acted.at];
	to->n[w->p->dir][what].pkts += w->pkts;
	to->n[w->p->dir][what].bytes += w->bytes;
}

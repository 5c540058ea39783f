#include "config.h"
#include "ecs/acted.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/enforce.h"

const struct ecs_acted_row ecs_acted_rows[ECS_ACTED__N] = {
#define ECS_ACTED(sym, key, label, help) [ECS_ACTED_##sym] = {key, label, help},
#include "ecs/acted.def"
#undef ECS_ACTED
};

/* --- places ----------------------------------------------------------------------------------- */

static const char *name_at(const struct ecs_service *svc, size_t i)
{
	const struct ecs_charging_action *a = ecs_service_action(svc, i);

	return a ? a->name : "";
}

static bool in_place(const struct ecs_acted_stats *v, const struct ecs_service *svc)
{
	for (size_t i = 0; i < ECS_ACTED_MAX; i++)
		if (strcmp(v[i].name, name_at(svc, i)) != 0)
			return false;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ecs_acted_place *)a)->name, ((const struct ecs_acted_place *)b)->name);
}

static void move(struct ecs_acted_move *m, const struct ecs_acted_stats *v, const struct ecs_service *svc)
{
	size_t nfrom = 0;

	for (size_t i = 0; i < ECS_ACTED_MAX; i++)
		if (v[i].name[0])
			m->from[nfrom++] = (struct ecs_acted_place){v[i].name, (uint16_t)i};
	qsort(m->from, nfrom, sizeof(m->from[0]), by_name);
	for (size_t i = 0; i < ecs_service_actions(svc); i++) {
		const struct ecs_acted_place key = {name_at(svc, i), 0};
		const struct ecs_acted_place *p = bsearch(&key, m->from, nfrom, sizeof(key), by_name);

		if (p)
			m->to[i] = v[p->at];
		else
			memcpy(m->to[i].name, key.name, strlen(key.name) + 1);
	}
}

void ecs_acted_move(struct ecs_acted_stats *v, const struct ecs_service *svc, struct ecs_acted_move *m)
{
	size_t n = ecs_service_actions(svc);

	if (in_place(v, svc))
		return;
	move(m, v, svc);
	memcpy(v, m->to, n * sizeof(v[0]));
	for (size_t i = n; i < ECS_ACTED_MAX; i++)
		if (v[i].name[0])
			memset(&v[i], 0, sizeof(v[i]));
}

void ecs_acted_begin(struct ecs_acted_stats *v, const struct ecs_service *svc)
{
	struct ecs_acted_move *m;

	if (in_place(v, svc))
		return;
	m = calloc(1, sizeof(*m));
	if (m) {
		ecs_acted_move(v, svc, m);
		free(m);
		return;
	}
	memset(v, 0, ECS_ACTED_MAX * sizeof(v[0]));
	for (size_t i = 0; i < ecs_service_actions(svc); i++)
		memcpy(v[i].name, name_at(svc, i), strlen(name_at(svc, i)) + 1);
}

/* --- counting --------------------------------------------------------------------------------- */

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
	to = &e->conf.acted_stats[a->index];
	to->n[w->p->dir][what].pkts += w->pkts;
	to->n[w->p->dir][what].bytes += w->bytes;
}

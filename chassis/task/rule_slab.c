/* rule_slab: per-rule counters outlive the process that counts. They lie in the order of its rules:
 * a successor that has another configuration puts them into its own, by name. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <stdlib.h>
#include <string.h>

#include "srp/hash.h"

#define KEY 0x72756c6573u

struct place {
	uint64_t name;
	size_t at;
};

static uint64_t digest(const struct ecs_service *svc, size_t i)
{
	const char *name = ecs_service_stats_name(svc, i);
	uint64_t h = srp_hash64(KEY, name, strlen(name));

	return h ? h : 1;
}

static int by_name(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->name < y->name ? -1 : x->name > y->name;
}

void sessmgr_rules_note(struct chassis_slab *slab, const struct ecs_service *svc)
{
	size_t n = ecs_service_stats_count(svc);

	for (size_t i = 0; i < ECS_STATS_MAX; i++)
		slab->rule_of[i] = i <= n ? digest(svc, i) : 0;
}

/* In the new order; what has no place there is gone, as it would be after a commit. */
static void reorder(struct chassis_slab *slab, struct place *from, size_t nfrom,
                    const struct ecs_service *svc, struct ecs_rule_stats *to)
{
	size_t n = ecs_service_stats_count(svc);

	for (size_t i = 0; i <= n && i < ECS_STATS_MAX; i++) {
		const struct place key = {digest(svc, i), 0};
		const struct place *p = bsearch(&key, from, nfrom, sizeof(key), by_name);

		if (p)
			to[i] = slab->rule[p->at];
	}
	memcpy(slab->rule, to, sizeof(slab->rule));
}

void sessmgr_rules_align(struct chassis_slab *slab, const struct ecs_service *svc)
{
	struct place *from = calloc(ECS_STATS_MAX, sizeof(*from));
	struct ecs_rule_stats *to = calloc(ECS_STATS_MAX, sizeof(*to));
	size_t nfrom = 0, n = ecs_service_stats_count(svc);
	bool same = true;

	for (size_t i = 0; i < ECS_STATS_MAX; i++) {
		same = same && slab->rule_of[i] == (i <= n ? digest(svc, i) : 0);
		if (from && slab->rule_of[i])
			from[nfrom++] = (struct place){slab->rule_of[i], i};
	}
	if (!same && from && to && nfrom) {
		qsort(from, nfrom, sizeof(*from), by_name);
		reorder(slab, from, nfrom, svc, to);
	}
	if (!same)
		sessmgr_rules_note(slab, svc);
	free(from);
	free(to);
}

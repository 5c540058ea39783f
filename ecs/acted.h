/* acted: what charging-actions have done to packets, by their names: rows of acted.def, in the task's slab.
 * Packets to which nothing is done are not looked at. */
#ifndef ECS_ACTED_H
#define ECS_ACTED_H

#include "ecs/packet.h"
#include "ecs/rule/action.h"

#define ECS_ACTED(sym, key, label, help) ECS_ACTED_##sym,
enum ecs_acted {
#include "ecs/acted.def"
	ECS_ACTED__N
};
#undef ECS_ACTED

struct ecs_acted_row {
	const char *key, *label, *help;
};
extern const struct ecs_acted_row ecs_acted_rows[ECS_ACTED__N];

#define ECS_ACTED_MAX 512u /**< charging-actions that are counted apart */
struct ecs_acted_stats {
	char name[ECS_NAME_MAX + 1]; /**< empty: free. The last is that of all for whom there is no room */
	struct {
		uint64_t pkts, bytes;
	} n[2][ECS_ACTED__N]; /**< by enum ecs_dir */
};

/** The place of a name in the counters, which is taken where it has none. */
uint16_t ecs_acted_of(struct ecs_acted_stats *v, const char *name);

struct ecs_engine;
struct ecs_way;
/** Counts a packet on which the stage @p stage has acted for @p a, its charging-action, or that of its line of
 *  post-processing where that has. */
void ecs_acted(struct ecs_engine *e, const struct ecs_way *w, const struct ecs_charging_action *a,
               unsigned stage, bool stopped);

#endif

/* acted: what charging-actions have done to packets: rows of acted.def, in the task's slab, in the order of
 * the charging-actions of the service. Packets to which nothing is done are not looked at. */
#ifndef ECS_ACTED_H
#define ECS_ACTED_H

#include "ecs/packet.h"
#include "ecs/rule/service.h"

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

#define ECS_ACTED_MAX ECS_ACTIONS_MAX
struct ecs_acted_stats {
	char name[ECS_NAME_MAX + 1]; /**< empty: there is no such charging-action */
	struct {
		uint64_t pkts, bytes;
	} n[2][ECS_ACTED__N]; /**< by enum ecs_dir */
};

struct ecs_acted_place {
	const char *name;
	uint16_t at;
};

/** What a move needs, zeroed. */
struct ecs_acted_move {
	struct ecs_acted_stats to[ECS_ACTED_MAX];
	struct ecs_acted_place from[ECS_ACTED_MAX]; /* sorted by name */
};

/** Puts the counters [ECS_ACTED_MAX] into the order of a committed service. Each name keeps what it has
 *  counted; those that no charging-action has are gone. */
void ecs_acted_move(struct ecs_acted_stats *v, const struct ecs_service *svc, struct ecs_acted_move *m);
/** The same of counters that a predecessor has left, or that are new; without memory they begin anew. */
void ecs_acted_begin(struct ecs_acted_stats *v, const struct ecs_service *svc);

struct ecs_engine;
struct ecs_way;
/** Counts a packet on which the stage @p stage has acted for @p a, its charging-action, or that of its line of
 *  post-processing where that has. */
void ecs_acted(struct ecs_engine *e, const struct ecs_way *w, const struct ecs_charging_action *a,
               unsigned stage, bool stopped);

#endif

/* kpi: figures of the flows of each rule that is eligible for flow recovery (flow-recovery.txt, show
 * active-charging flow-kpi all). They lie in places that the owner gives, in its slab, one per rule name:
 * a rule has one as soon as it is eligible under a bound scheme, and loses it, with its figures, when it
 * no longer is. Names stay where they were over commits and over the death of the process.
 *
 * A place is named by a tag, which is never given again in one process: who holds the tag of a rule that
 * has lost its place counts nowhere. */
#ifndef ECS_KPI_H
#define ECS_KPI_H

#include <stddef.h>
#include <stdint.h>

#include "ecs/rule/service.h"
#include "srp/ckpt.h"

#define ECS_KPI(sym, key, variable, type, label, help) ECS_KPI_##sym,
enum ecs_kpi_figure {
#include "ecs/kpi.def"
	ECS_KPI__N
};
#undef ECS_KPI

enum ecs_kpi_type { ECS_KPI_GAUGE, ECS_KPI_COUNTER };

/** A row of kpi.def. */
struct ecs_kpi_row {
	const char *key, *variable, *label, *help; /**< key: of programs */
	enum ecs_kpi_type type;
};
extern const struct ecs_kpi_row ecs_kpi_rows[ECS_KPI__N];

#define ECS_KPI_MAX 2432 /**< rule names: all static ones, and 256 of dynamic rules */
_Static_assert(ECS_KPI_MAX == ECS_RULEDEFS_MAX + ECS_GROUPS_MAX + 256, "room for every rule");

/** A place; all zero: free. */
struct ecs_kpi {
	uint64_t name; /**< ecs_kpi_name() of the rule */
	uint32_t tag;  /**< 0: free */
	uint64_t v[ECS_KPI__N];
};

/** A rule name as places have it; never 0. */
uint64_t ecs_kpi_name(const char *rule);

struct ecs_engine;
struct ecs_flow;
struct ecs_kpi_index;

/** An index of places, empty; NULL without memory. Freed with free(). */
struct ecs_kpi_index *ecs_kpi_new(void);
/** The service or the places (ecs_engine_config.kpi) of @p e are others now: rules get and lose places,
 *  and gauges are those of this engine. */
void ecs_kpi_bind(struct ecs_engine *e);
/** The tag of the place of a rule; 0: it has none. */
uint32_t ecs_kpi_find(const struct ecs_engine *e, const char *rule);
/** The figures under a tag; NULL: there are none (any more). */
uint64_t *ecs_kpi_figures(const struct ecs_engine *e, uint32_t tag);
/** The rule of flows from the one under @p from to the one under @p to; either may be 0. */
void ecs_kpi_move(const struct ecs_engine *e, uint32_t from, uint32_t to);
/** A flow ends on the active chassis: its lifetime. */
void ecs_kpi_ended(struct ecs_engine *e, const struct ecs_flow *f, struct srp_time now);
/** As srp_ckpt_kind.passed of a flow (NULL: of its deletion). */
void ecs_kpi_passed(struct ecs_flow *f, const struct srp_ckpt_pass *p);
/** As srp_ckpt_kind.arrived. */
void ecs_kpi_arrived(struct ecs_flow *f, const struct srp_ckpt_ctx *ctx, bool del);
/** Sets counters back to zero; gauges stay. */
void ecs_kpi_clear(struct ecs_kpi *kpi);

#endif

/* tally_impl: what tally.c and said.c share. */
#ifndef ECS_TALLY_IMPL_H
#define ECS_TALLY_IMPL_H

#include "ecs/tally.h"

/** What the rulebase of a session asks for; NULL: it has none. */
static inline const struct ecs_rulebase_conf *ecs_tally_conf(const struct ecs_engine *e,
                                                             const struct ecs_session *s)
{
	return ecs_service_rulebase_conf(e->conf.service, s->rulebase);
}

/** What is counted of a flow, made at need; NULL without memory (counted). */
struct ecs_tally *ecs_tally_of(struct ecs_engine *e, struct ecs_flow *f);

/**
 * An EDR in each of the formats that are asked for ("": not); what it tells of is counted anew from here.
 * @return false where there is nothing to tell
 */
bool ecs_tally_edr(struct ecs_engine *e, struct ecs_flow *f, const char *charging,
                   const char *reporting, enum ecs_closure why, bool last, struct srp_time now);

/** Makes the EDR of a request that waits for it: it is complete when the next one begins, at the latest. */
void ecs_tally_transaction(struct ecs_engine *e, struct ecs_flow *f, struct srp_time now);

#endif

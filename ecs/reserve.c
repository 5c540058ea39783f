#include "config.h"
#include "ecs/engine.h"

#include "ecs/analyze.h"
#include "ecs/app.h"
#include "ecs/call.h"
#include "ecs/engine_impl.h"
#include "ecs/frag.h"
#include "ecs/ledger.h"

#define RESERVE_MAX    ((size_t)1 << 26)
#define USAGES_EACH    3u   /* volumes of a session: its own, of a rule, of a content-id */
#define ANALYSES_SHARE 8u   /* of the flows, that many-th part is being analyzed at one time */

void ecs_engine_warm(struct ecs_engine *e)
{
	const struct ecs_service *svc = e->conf.service;

	if (!e->frags)
		e->frags = ecs_frags_new(e->conf.seed, ecs_call_fragments, e);
	for (int i = 0; !e->app && ecs_service_rulebase_name(svc, i); i++)
		if (ecs_service_needs(svc, i).app)
			e->app = ecs_app_new();
}

int ecs_engine_reserve(struct ecs_engine *e, size_t sessions, size_t flows)
{
	size_t *b = &e->reserved;
	int rc;

	if (sessions > RESERVE_MAX || flows > RESERVE_MAX)
		return SRP_ENOMEM;
	e->warm = true;
	ecs_engine_warm(e);
	rc = ecs_pool_reserve(&e->session_pool, sessions, b);
	if (!rc)
		rc = ecs_pool_reserve(&e->usage_pool, sessions * USAGES_EACH, b);
	if (!rc)
		rc = ecs_pool_reserve(&e->flow_pool, flows, b);
	if (!rc)
		rc = ecs_pool_reserve(&e->analysis_pool, flows / ANALYSES_SHARE, b);
	if (!rc)
		rc = ecs_chain_reserve(&e->by_callid, sessions, b);
	if (!rc)
		rc = ecs_chain_reserve(&e->by_v4, sessions, b);
	if (!rc)
		rc = ecs_chain_reserve(&e->by_v6, sessions, b);
	if (!rc)
		rc = ecs_chain_reserve(&e->usages, sessions * USAGES_EACH, b);
	if (!rc)
		rc = ecs_flow_table_reserve(e->flows, flows, b);
	return rc;
}

size_t ecs_engine_reserved(const struct ecs_engine *e)
{
	return e->reserved;
}

int ecs_engine_assume(struct ecs_engine *e, const struct ecs_engine_identity *id)
{
	if (e->active || e->nsessions)
		return SRP_ESTATE;
	e->conf.instance = id->instance;
	e->conf.counters = id->counters;
	e->conf.rule_stats = id->rule_stats;
	if (id->dyn_stats)
		e->conf.dyn_stats = id->dyn_stats;
	if (id->limit_stats)
		e->conf.limit_stats = id->limit_stats;
	if (id->acted_stats) {
		e->conf.acted_stats = id->acted_stats;
		ecs_acted_begin(id->acted_stats, e->conf.service);
	}
	if (id->kpi)
		e->conf.kpi = id->kpi;
	ecs_kpi_bind(e);
	ecs_owed_begin(e, id->owed);
	e->conf.handling = id->handling;
	e->conf.ledger = id->ledger;
	e->conf.ledger_len = id->ledger_len;
	e->conf.ledger_fresh = id->ledger_fresh;
	ecs_ledger_close(e->ledger);
	e->ledger = NULL;
	if (id->ledger)
		e->ledger = ecs_ledger_open(id->ledger, id->ledger_len, id->ledger_fresh,
		                            e->conf.seed);
	return id->ledger && !e->ledger ? SRP_ENOMEM : 0;
}

/* sess_rate: rating servers: questions of the engine, and what becomes of the packets they hold. */
#include "config.h"
#include "chassis/task/sessmgr.h"

#include <string.h>
#include <syslog.h>

#include "srp/err.h"

/* What the slab shows. */
static void note(struct sessmgr *s)
{
	const struct chassis_icap_counters *c = chassis_icap_counted(s->icap);
	struct chassis_task_counters *to = &s->ctx->slab->task_ctr;

	to->icap_connects = c->connects;
	to->icap_connect_failed = c->connect_failed;
	to->icap_requests = c->requests;
	to->icap_timeouts = c->timeouts;
	to->icap_refused = c->refused;
	to->icap_errors = c->errors;
	to->icap_closed = c->closed;
	to->icap_left_alone = c->left_alone;
}

static void answered(void *owner, uint64_t id, const struct ecs_rating *r)
{
	struct sessmgr *s = owner;

	ecs_engine_rated(s->engine, id, r, chassis_now());
	note(s);
	sessmgr_link_kick(s);
}

static void tell(void *owner, const char *text)
{
	(void)owner;
	chassis_log(LOG_WARNING, "%s", text);
}

int sessmgr_rate(void *owner, const struct ecs_rate_ask *q)
{
	struct sessmgr *s = owner;

	if (!s->icap) {
		s->icap = chassis_icap_new(s->ctx->loop, answered, tell, s);
		if (!s->icap)
			return SRP_ENOMEM;
		chassis_icap_configure(s->icap, ecs_engine_service(s->engine));
	}
	return chassis_icap_ask(s->icap, q);
}

void sessmgr_rate_configure(struct sessmgr *s)
{
	if (s->icap)
		chassis_icap_configure(s->icap, ecs_engine_service(s->engine));
}

void sessmgr_rate_publish(struct sessmgr *s)
{
	if (s->icap)
		note(s);
}

/* udr: the records of a session that ends: one for each rating group and content-id of each bearer,
 * and one of what has neither. Together they hold the volume of the session, less what a
 * charging-action excludes (`billing-action exclude-from-udrs`). */
#include "config.h"
#include "ecs/tally.h"

#include <stdlib.h>

/* A volume of one (bearer, rating group, content-id): charged, or taken off. */
struct part {
	uint8_t bearer;
	uint64_t id; /* ECS_RATING_ID */
	int64_t pkts[2], bytes[2];
};

static void add(struct part *p, const struct ecs_volume *v, int sign)
{
	for (int d = 0; d < 2; d++) {
		p->pkts[d] += sign * (int64_t)v->pkts[d];
		p->bytes[d] += sign * (int64_t)v->bytes[d];
	}
}

static struct part part_of(const struct ecs_usage *u, uint64_t id, int sign)
{
	struct ecs_volume v = ecs_usage_sum(u);
	struct part p = {.bearer = u->bearer, .id = id};

	add(&p, &v, sign);
	return p;
}

/* Volumes are kept side by side, not one within the other: what has a content-id is taken off that of
 * the bearer, what has a rating group of its own off that of its content-id. @return how many parts. */
static size_t split(const struct ecs_usage *u, struct part out[2])
{
	uint32_t content = (uint32_t)u->id, rating = (uint32_t)(u->id >> 32);

	switch ((enum ecs_usage_of)u->of) {
	case ECS_USAGE_RULE:
		out[0] = part_of(u, 0, 1);
		return 1;
	case ECS_USAGE_CONTENT:
		out[0] = part_of(u, ECS_RATING_ID(0, u->id), 1);
		out[1] = part_of(u, 0, -1);
		return 2;
	case ECS_USAGE_RATING:
		out[0] = part_of(u, ECS_RATING_ID(rating, content), 1);
		out[1] = part_of(u, ECS_RATING_ID(0, content), -1);
		return 2;
	case ECS_USAGE_EXCLUDED:
		out[0] = part_of(u, u->id, -1);
		return 1;
	default:
		return 0;
	}
}

static int by_id(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->bearer != y->bearer)
		return x->bearer < y->bearer ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* Adds up neighbours of the same id; returns how many are left. */
static size_t merge(struct part *p, size_t n)
{
	size_t m = 0;

	qsort(p, n, sizeof(*p), by_id);
	for (size_t i = 0; i < n; i++) {
		if (m && by_id(&p[m - 1], &p[i]) == 0)
			for (int d = 0; d < 2; d++) {
				p[m - 1].pkts[d] += p[i].pkts[d];
				p[m - 1].bytes[d] += p[i].bytes[d];
			}
		else
			p[m++] = p[i];
	}
	return m;
}

static uint64_t positive(int64_t v)
{
	return v > 0 ? (uint64_t)v : 0;
}

static void make(struct ecs_engine *e, struct ecs_session *s, const char *format,
                 const struct part *p, bool last, struct srp_time now)
{
	const struct ecs_bearer *b = ecs_session_bearer(s, p->bearer, false);
	struct ecs_edr_in in = {
		.s = s, .first = s->created, .last = s->last, .bearer = p->bearer,
		.qci = b ? ecs_bearer_qos(b).qci : 0, .content_id = (uint32_t)p->id,
		.rating_group = p->id >> 32 ? (uint32_t)(p->id >> 32) : (uint32_t)p->id,
		.rule = "", .action = "", .why = ECS_CLOSURE_SESSION,
	};

	for (int d = 0; d < 2; d++) {
		in.ip.pkts[d] = positive(p->pkts[d]);
		in.ip.bytes[d] = in.charged[d] = positive(p->bytes[d]);
	}
	ecs_record_make(e, ECS_STREAM_UDR, format, &in, last, now);
}

static bool has_volume(const struct part *p)
{
	return p->pkts[0] > 0 || p->pkts[1] > 0;
}

void ecs_records_udr(struct ecs_engine *e, struct ecs_session *s, struct srp_time now)
{
	const struct ecs_rulebase_conf *c =
		ecs_service_rulebase_conf(e->conf.service, s->rulebase);
	size_t n = 0, last = 0;
	struct part *p;

	if (!c || !c->udr || !s->nusages)
		return;
	/* session recovery: a predecessor has made them, and did not live to tell that the call ended */
	if (ecs_session_recovered(e, s) && e->conf.ops && e->conf.ops->recorded &&
	    e->conf.ops->recorded(e->conf.owner, s->spec.callid, 0)) {
		e->conf.counters->records_again++;
		return;
	}
	p = calloc(2u * s->nusages, sizeof(*p));
	if (!p) {
		e->conf.counters->records_no_memory++;
		return;
	}
	for (struct srp_list *l = s->usages.next; l != &s->usages; l = l->next)
		n += split(ECS_CONTAINER(l, struct ecs_usage, in_session), p + n);
	n = merge(p, n);
	for (size_t i = 0; i < n; i++)
		if (has_volume(&p[i]))
			last = i;
	for (size_t i = 0; i < n; i++)
		if (has_volume(&p[i]))
			make(e, s, c->udr_format, &p[i], i == last, now);
	free(p);
}

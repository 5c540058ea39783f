#include "config.h"
#include "ecs/kpi.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/engine_impl.h"

#define PLACE_BITS 12u
#define DRAWN_MAX  (UINT32_MAX >> PLACE_BITS)
#define PLACE_MASK ((1u << PLACE_BITS) - 1u)
_Static_assert(ECS_KPI_MAX < PLACE_MASK, "places fit into a tag");

#define KPI_NAME_SEED 0xcbf29ce484222325u

/* A rule that is eligible, and its place. */
struct entry {
	uint64_t name;
	uint32_t tag; /* 0: none yet */
};

struct ecs_kpi_index {
	struct entry entry[ECS_KPI_MAX]; /* by name */
	size_t n;
	uint32_t drawn;                  /* tags so far; after a million places it begins anew */
	const char *names[ECS_KPI_MAX];  /* while places are given */
};

#define ECS_KPI(sym, name, var, kind, text, line) \
	[ECS_KPI_##sym] = {.key = name, .variable = var, .label = text, .help = line, .type = ECS_KPI_##kind},
const struct ecs_kpi_row ecs_kpi_rows[ECS_KPI__N] = {
#include "ecs/kpi.def"
};
#undef ECS_KPI

uint64_t ecs_kpi_name(const char *rule)
{
	uint64_t h = KPI_NAME_SEED;

	for (; *rule; rule++)
		h = (h ^ (uint8_t)*rule) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h ? h : 1;
}

struct ecs_kpi_index *ecs_kpi_new(void)
{
	return calloc(1, sizeof(struct ecs_kpi_index));
}

/* --- places ----------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->name < y->name ? -1 : x->name > y->name;
}

static struct entry *find(struct ecs_kpi_index *x, uint64_t name)
{
	const struct entry key = {.name = name};

	return x->n ? bsearch(&key, x->entry, x->n, sizeof(key), by_name) : NULL;
}

/* Which rules are eligible; none has a place yet. */
static void gather(struct ecs_kpi_index *x, const struct ecs_service *svc)
{
	size_t n = ecs_service_eligible_names(svc, x->names, ECS_KPI_MAX), to = 0;

	if (n > ECS_KPI_MAX)
		n = ECS_KPI_MAX; /* names of dynamic rules beyond the room for them have no figures */
	for (size_t i = 0; i < n; i++)
		x->entry[i] = (struct entry){.name = ecs_kpi_name(x->names[i])};
	qsort(x->entry, n, sizeof(x->entry[0]), by_name);
	for (size_t i = 0; i < n; i++)
		if (!to || x->entry[i].name != x->entry[to - 1].name)
			x->entry[to++] = x->entry[i];
	x->n = to;
}

/* Rules that have a place keep it; places of others are free. */
static void keep(struct ecs_kpi_index *x, struct ecs_kpi *kpi)
{
	for (uint32_t i = 0; i < ECS_KPI_MAX; i++) {
		struct ecs_kpi *k = &kpi[i];
		struct entry *at = k->tag ? find(x, k->name) : NULL;

		if (k->tag >> PLACE_BITS > x->drawn)
			x->drawn = k->tag >> PLACE_BITS; /* of a predecessor */
		if (at && !at->tag && (k->tag & PLACE_MASK) == i)
			at->tag = k->tag;
		else if (k->tag || k->name)
			*k = (struct ecs_kpi){0};
		k->v[ECS_KPI_ACTIVE] = 0;
	}
}

static void give(struct ecs_kpi_index *x, struct ecs_kpi *kpi)
{
	uint32_t at = 0;

	for (size_t i = 0; i < x->n; i++) {
		if (x->entry[i].tag)
			continue;
		while (kpi[at].tag) /* as many places as entries */
			at++;
		x->drawn = x->drawn < DRAWN_MAX ? x->drawn + 1 : 1;
		x->entry[i].tag = x->drawn << PLACE_BITS | at;
		kpi[at] = (struct ecs_kpi){.name = x->entry[i].name, .tag = x->entry[i].tag};
	}
}

static int rebind(struct ecs_ruleref *r, void *arg)
{
	struct ecs_engine *e = arg;
	uint64_t *v;

	r->kpi = ecs_kpi_find(e, r->rule);
	v = ecs_kpi_figures(e, r->kpi);
	if (v)
		v[ECS_KPI_ACTIVE] += r->flows;
	return 0;
}

void ecs_kpi_bind(struct ecs_engine *e)
{
	if (e->conf.kpi) {
		gather(e->kpi, e->conf.service);
		keep(e->kpi, e->conf.kpi);
		give(e->kpi, e->conf.kpi);
	}
	ecs_ruleref_walk_all(e->refs, rebind, e);
}

uint32_t ecs_kpi_find(const struct ecs_engine *e, const char *rule)
{
	const struct entry *at = e->conf.kpi && e->kpi->n ? find(e->kpi, ecs_kpi_name(rule)) : NULL;

	return at ? at->tag : 0;
}

uint64_t *ecs_kpi_figures(const struct ecs_engine *e, uint32_t tag)
{
	struct ecs_kpi *k;

	if (!tag || !e->conf.kpi)
		return NULL;
	k = &e->conf.kpi[tag & PLACE_MASK];
	return k->tag == tag ? k->v : NULL;
}

/* --- figures ---------------------------------------------------------------------------------- */

void ecs_kpi_move(const struct ecs_engine *e, uint32_t from, uint32_t to)
{
	uint64_t *v = ecs_kpi_figures(e, from);

	if (v && v[ECS_KPI_ACTIVE])
		v[ECS_KPI_ACTIVE]--;
	v = ecs_kpi_figures(e, to);
	if (v)
		v[ECS_KPI_ACTIVE]++;
}

static uint64_t *of_flow(struct ecs_engine *e, const struct ecs_flow *f)
{
	const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

	return r ? ecs_kpi_figures(e, r->kpi) : NULL;
}

void ecs_kpi_ended(struct ecs_engine *e, const struct ecs_flow *f, struct srp_time now)
{
	uint64_t *v = of_flow(e, f), age = srp_time_since(f->created, now);
	const uint32_t *from;

	if (!v || f->unlived)
		return;
	from = ecs_service_lifetimes_from(e->conf.service);
	for (unsigned i = ECS_LIFETIMES; i-- > 0;)
		if (age >= SRP_SEC(from[i])) {
			v[ECS_KPI_LIFE1 + i]++;
			return;
		}
}

void ecs_kpi_passed(struct ecs_flow *f, const struct srp_ckpt_pass *p)
{
	struct ecs_engine *e = p->owner;
	bool sr = p->replica == SRP_REPLICA_SR;
	uint64_t *v;

	if (f && p->what == SRP_CKPT_SENT) {
		const struct ecs_ruleref *r = ecs_ruleref_get(e->refs, f->ref);

		f->kpi = r ? r->kpi : 0; /* the peer has it under this rule from here on */
		v = ecs_kpi_figures(e, f->kpi);
		if (v)
			v[sr ? ECS_KPI_SENT_SR : ECS_KPI_SENT_GR]++;
	} else if (!f) {
		v = ecs_kpi_figures(e, p->tag);
		if (v && p->what == SRP_CKPT_SENT)
			v[sr ? ECS_KPI_DEL_SENT_SR : ECS_KPI_DEL_SENT_GR]++;
		else if (v && p->what == SRP_CKPT_ACKED && sr)
			v[ECS_KPI_DEL_RECVD_SR]++;
	}
}

void ecs_kpi_arrived(struct ecs_flow *f, const struct srp_ckpt_ctx *ctx, bool del)
{
	uint64_t *v = of_flow(ctx->owner, f);
	bool sr = ctx->replica == SRP_REPLICA_SR;

	if (!v)
		return;
	if (del)
		v[sr ? ECS_KPI_DEL_RECVD_SR : ECS_KPI_DEL_RECVD_GR]++;
	else
		v[sr ? ECS_KPI_RECVD_SR : ECS_KPI_RECVD_GR]++;
}

void ecs_kpi_clear(struct ecs_kpi *kpi)
{
	for (size_t i = 0; i < ECS_KPI_MAX; i++)
		for (unsigned k = 0; k < ECS_KPI__N; k++)
			if (ecs_kpi_rows[k].type == ECS_KPI_COUNTER)
				kpi[i].v[k] = 0;
}

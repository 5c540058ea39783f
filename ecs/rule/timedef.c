/* timedefs: times of the week, under a name, in which lines of rulebases are in force. */
#include "config.h"
#include "ecs/rule/service_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S  86400u
#define DAYS   7u
/** Of a slot of each day seven ranges, two of what spans the end of the week. */
#define SPANS_MAX (ECS_TIMESLOTS * (DAYS + 1))

static const char *const day_words[DAYS] = {
#define X(sym, text) [ECS_DAY_##sym] = text,
	ECS_DAYS(X)
#undef X
};

const char *ecs_day_name(unsigned day)
{
	return day < DAYS ? day_words[day] : "";
}

/* --- as configured ---------------------------------------------------------------------------- */

void ecs_timedef_fini(struct obj *o)
{
	free(((struct timedef *)(void *)o)->spans);
}

int ecs_service_timedef(struct ecs_service *s, const char *name, bool no, struct ecs_err *e)
{
	struct obj *o;
	int rc = ecs_rule_open(s, e);

	return rc ? rc : ecs_obj_open(&s->timedefs, name, no, e, &o);
}

int ecs_service_timeslot(struct ecs_service *s, const char *name, bool no,
                         const struct ecs_timeslot *slot, struct ecs_err *e)
{
	uint32_t end = slot->days ? ECS_WEEK_S : DAY_S;
	struct timedef *t;
	struct obj *o;
	size_t i = 0;
	int rc = ecs_obj_edit(s, &s->timedefs, name, &o, e);

	if (rc)
		return rc;
	t = (struct timedef *)(void *)o;
	if (slot->from >= end || slot->to >= end)
		return ecs_refuse(e, SRP_ERANGE, "expected times from 0 0 0 to 23 59 59");
	while (i < t->n && (t->slot[i].days != slot->days || t->slot[i].from != slot->from ||
	                    t->slot[i].to != slot->to))
		i++;
	if (no && i == t->n)
		return ecs_refuse(e, SRP_ENOENT, "timedef %s has no such line", t->o.name);
	if (no) {
		memmove(&t->slot[i], &t->slot[i + 1], (--t->n - i) * sizeof(t->slot[0]));
		return 0;
	}
	if (i < t->n)
		return 0;
	if (t->n >= ECS_TIMESLOTS)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d lines", ECS_TIMESLOTS);
	t->slot[t->n++] = *slot;
	return 0;
}

/* One end of a slot. */
static size_t put_time(char *out, size_t cap, const char *what, bool days, uint32_t at)
{
	uint32_t s = at % DAY_S;
	int n = snprintf(out, cap, "%s%s%s time %" PRIu32 " %" PRIu32 " %" PRIu32, what,
	                 days ? " day " : "", days ? day_words[at / DAY_S] : "", s / 3600,
	                 s / 60 % 60, s % 60);

	return (size_t)n;
}

void ecs_timedef_print(const struct timedef *t, void (*put)(void *arg, const char *line), void *arg)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct ecs_timeslot *x = &t->slot[i];
		char line[96];
		size_t n = put_time(line, sizeof(line), "start", x->days, x->from);

		put_time(line + n, sizeof(line) - n, " end", x->days, x->to);
		put(arg, line);
	}
}

/* --- made at commit --------------------------------------------------------------------------- */

struct spans {
	struct week_span v[SPANS_MAX];
	size_t n;
};

/** From a second of the week to another, which belongs to it; it may come before: in the next week. */
static void add(struct spans *x, uint32_t from, uint32_t to)
{
	if (from <= to) {
		x->v[x->n++] = (struct week_span){from, to};
		return;
	}
	x->v[x->n++] = (struct week_span){from, ECS_WEEK_S - 1};
	x->v[x->n++] = (struct week_span){0, to};
}

static void add_slot(struct spans *x, const struct ecs_timeslot *slot)
{
	if (slot->days) {
		add(x, slot->from, slot->to);
		return;
	}
	for (uint32_t day = 0; day < DAYS; day++)
		add(x, day * DAY_S + slot->from,
		    (day * DAY_S + slot->to + (slot->to < slot->from ? DAY_S : 0)) % ECS_WEEK_S);
}

static int span_cmp(const void *a, const void *b)
{
	const struct week_span *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/** Sorts the times, and joins those that meet: what it says, however it is said. */
static void join(struct spans *x)
{
	size_t n = 0;

	qsort(x->v, x->n, sizeof(x->v[0]), span_cmp);
	for (size_t i = 0; i < x->n; i++) {
		struct week_span *last = n ? &x->v[n - 1] : NULL;

		if (!last || x->v[i].from > last->to + 1)
			x->v[n++] = x->v[i];
		else if (x->v[i].to > last->to)
			last->to = x->v[i].to;
	}
	x->n = n;
}

static int timedef_build(struct timedef *t, struct canon *c)
{
	struct spans x = {.n = 0};

	for (size_t i = 0; i < t->n; i++)
		add_slot(&x, &t->slot[i]);
	join(&x);
	for (size_t i = 0; i < x.n; i++) {
		ecs_canon_u64(c, x.v[i].from);
		ecs_canon_u64(c, x.v[i].to);
	}
	t->digest = ecs_canon_digest(c);
	t->used = false;
	t->nspans = x.n;
	t->spans = calloc(x.n ? x.n : 1, sizeof(*t->spans));
	if (!t->spans)
		return SRP_ENOMEM;
	memcpy(t->spans, x.v, x.n * sizeof(x.v[0]));
	return 0;
}

int ecs_timedefs_build(struct ecs_service *s)
{
	struct canon c = {0};
	int rc = 0;

	TABLE_EACH(&s->timedefs, timedef, t)
		rc = rc ? rc : timedef_build(t, &c);
	if (c.failed)
		rc = SRP_ENOMEM;
	ecs_canon_free(&c);
	return rc;
}

void ecs_timedefs_drop(struct ecs_service *s)
{
	TABLE_EACH(&s->timedefs, timedef, t) {
		free(t->spans);
		t->spans = NULL;
	}
}

bool ecs_timedef_holds(const struct timedef *t, uint32_t week_s)
{
	for (size_t i = 0; i < t->nspans; i++)
		if (week_s >= t->spans[i].from && week_s <= t->spans[i].to)
			return true;
	return false;
}

bool ecs_service_timed(const struct ecs_service *s, int rulebase)
{
	if (!s->frozen || rulebase < 0 || (size_t)rulebase >= s->rulebases.n)
		return false;
	return ((const struct rulebase *)(const void *)s->rulebases.v[rulebase])->timed;
}

/* --- lines of a matcher ----------------------------------------------------------------------- */

/** Words of the bit sets of lines of the rulebases that have some with a timedef. */
static size_t off_words(const struct ecs_service *s)
{
	size_t n = 0;

	TABLE_EACH(&s->rulebases, rulebase, rb)
		if (rb->timed)
			n += rb->words;
	return n;
}

int ecs_times_init(struct ecs_times *t, const struct ecs_service *s)
{
	size_t n = off_words(s);

	if (!n)
		return 0;
	t->off = calloc(n, sizeof(*t->off));
	t->on = calloc(s->timedefs.n, sizeof(*t->on));
	if (!t->off || !t->on) {
		ecs_times_fini(t);
		return SRP_ENOMEM;
	}
	ecs_times_tell(t, s, ECS_WEEK_S);
	return 0;
}

void ecs_times_fini(struct ecs_times *t)
{
	free(t->off);
	free(t->on);
	*t = (struct ecs_times){0};
}

/** Which lines are not in force while the timedefs are what they are. */
static void off_fill(struct ecs_times *t, const struct ecs_service *s)
{
	TABLE_EACH(&s->rulebases, rulebase, rb) {
		uint64_t *off = t->off + rb->off_at;

		if (!rb->timed)
			continue;
		memset(off, 0, rb->words * sizeof(*off));
		for (size_t i = 0; i < rb->n; i++) {
			uint16_t of = s->lines[rb->first + i].timedef;

			if (of && !t->on[of - 1])
				off[i / 64] |= (uint64_t)1 << (i % 64);
		}
	}
}

bool ecs_times_tell(struct ecs_times *t, const struct ecs_service *s, uint32_t week_s)
{
	bool changed = !t->told;

	if (!t->off)
		return false;
	TABLE_EACH(&s->timedefs, timedef, x) {
		bool on = ecs_timedef_holds(x, week_s);

		changed = changed || on != t->on[x->o.index];
		t->on[x->o.index] = on;
	}
	if (changed)
		off_fill(t, s);
	t->told = true;
	return changed;
}

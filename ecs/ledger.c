#include "config.h"
#include "ecs/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/kind.h"

#define MAGIC       0x7265676465736365u
#define LAYOUT      1u
#define LINE        64u
#define MIN_BUCKETS 16u
#define MAX_BUCKETS (1u << 20)
#define ROOM_SHARE  64u        /* buckets take at most that part of the region */
#define CHAIN_MAX   (1u << 20) /* slots of one chain: beyond it goes in a circle */

struct slot {
	uint64_t check; /* over the identity; 0: not in use. Written last */
	uint64_t id;
	uint32_t callid; /* 0: in no chain */
	uint32_t next;   /* place of the next slot of the chain, or of the free ones; 0 none */
	uint32_t subscriber;
	uint8_t bearer, of;
	uint16_t zero;
	struct ecs_volume v;
};
_Static_assert(sizeof(struct slot) == ECS_LEDGER_SLOT, "a slot is a cache line");
_Static_assert(offsetof(struct slot, v) == ECS_LEDGER_VOLUME, "where ecs_ledger_at() looks");

struct head {
	uint64_t magic;
	uint32_t layout, nslots, nbuckets, zero;
	uint64_t seed;
	uint64_t check;    /* over all before */
	uint64_t unused[3];
	uint64_t high[8];  /* [0]: slots ever used, and their complement above */
};
_Static_assert(sizeof(struct head) == 2 * LINE, "two cache lines");

/* --- single stores ---------------------------------------------------------------------------- */

/* A dying process leaves its stores in the order of the program: what must be kept from changing it
 * is the compiler, and a processor that serves the reader. */
#define PUT(where, what) __atomic_store_n(&(where), (what), __ATOMIC_RELEASE)

static struct slot *slot_at(const struct ecs_ledger *l, uint32_t place)
{
	return (struct slot *)(void *)(l->slots + (size_t)(place - 1) * ECS_LEDGER_SLOT);
}

static uint64_t check_of(uint64_t seed, const struct slot *s)
{
	uint64_t a = ecs_hash_mix(s->id ^ ECS_HASH_K0, seed ^ ECS_HASH_K1);

	a = ecs_hash_mix(((uint64_t)s->callid << 32 | s->subscriber) ^ ECS_HASH_K2, a);
	return ecs_hash_mix((uint64_t)s->bearer << 8 | s->of | ECS_HASH_K1 << 16, a) | 1;
}

static uint64_t head_check(const struct head *h)
{
	uint64_t a = ecs_hash_mix(h->magic ^ ECS_HASH_K0, h->seed ^ ECS_HASH_K1);

	a = ecs_hash_mix(((uint64_t)h->layout << 32 | h->nslots) ^ ECS_HASH_K2, a ^ h->nbuckets);
	return a | 1;
}

static uint32_t bucket_of(const struct ecs_ledger *l, uint32_t callid)
{
	return (uint32_t)ecs_hash_mix(callid ^ ECS_HASH_K2, l->seed ^ ECS_HASH_K0) &
	       (l->nbuckets - 1);
}

/* Who the volume is charged to, beside the call-id. */
static uint32_t subscriber_of(uint64_t seed, const struct ecs_session_spec *spec)
{
	uint8_t b[sizeof(spec->imsi) + sizeof(spec->username)];
	uint64_t a = seed, w;

	memset(b, 0, sizeof(b));
	memcpy(b, spec->imsi, strnlen(spec->imsi, sizeof(spec->imsi)));
	memcpy(b + sizeof(spec->imsi), spec->username,
	       strnlen(spec->username, sizeof(spec->username)));
	for (size_t i = 0; i < sizeof(b); i += sizeof(w)) {
		memcpy(&w, b + i, sizeof(w));
		a = ecs_hash_mix(w ^ ECS_HASH_K0, a ^ ECS_HASH_K1);
	}
	return (uint32_t)a;
}

static bool readable(const struct ecs_ledger *l, const struct slot *s)
{
	uint64_t most = s->v.pkts[0] | s->v.pkts[1] | s->v.bytes[0] | s->v.bytes[1];

	return s->check == check_of(l->seed, s) && s->callid != 0 && s->bearer <= 15 &&
	       s->of < ECS_USAGE__N && most < ECS_VOLUME_MAX;
}

/* --- the region ------------------------------------------------------------------------------- */

static void high_set(struct ecs_ledger *l, uint32_t high)
{
	PUT(*l->high_word, (uint64_t)~high << 32 | high);
	l->high = high;
}

/* Writes an empty region: the head is valid when all before it is. */
static void format(struct ecs_ledger *l, struct head *h, bool fresh)
{
	PUT(h->check, 0);
	if (!fresh)
		memset(l->bucket, 0, (size_t)l->nbuckets * sizeof(*l->bucket));
	high_set(l, 0);
	h->magic = MAGIC;
	h->layout = LAYOUT;
	h->nslots = l->nslots;
	h->nbuckets = l->nbuckets;
	h->zero = 0;
	h->seed = l->seed;
	PUT(h->check, head_check(h));
}

static bool known(const struct ecs_ledger *l, const struct head *h)
{
	uint32_t high = (uint32_t)h->high[0];

	return h->magic == MAGIC && h->layout == LAYOUT && h->check == head_check(h) &&
	       h->nslots == l->nslots && h->nbuckets == l->nbuckets &&
	       (uint32_t)(h->high[0] >> 32) == ~high && high <= l->nslots;
}

/* The predecessor did not live to write it: then there is nothing to clear. */
static bool untouched(const struct head *h)
{
	return h->magic == 0 && h->check == 0 && h->high[0] == 0;
}

struct ecs_ledger *ecs_ledger_open(void *mem, size_t len, bool fresh, uint64_t seed)
{
	struct ecs_ledger *l;
	struct head *h = mem;
	size_t room = len - sizeof(*h), n;

	if (!mem || len < ECS_LEDGER_MIN || ((uintptr_t)mem & (LINE - 1)))
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->nbuckets = MIN_BUCKETS;
	while (l->nbuckets < MAX_BUCKETS &&
	       (size_t)l->nbuckets * 2 * sizeof(*l->bucket) <= room / ROOM_SHARE)
		l->nbuckets *= 2;
	n = (room - (size_t)l->nbuckets * sizeof(*l->bucket)) / ECS_LEDGER_SLOT;
	l->nslots = n < ECS_LEDGER_NOWHERE - 1 ? (uint32_t)n : ECS_LEDGER_NOWHERE - 1;
	l->bucket = (uint32_t *)(void *)(h + 1);
	l->slots = (char *)(l->bucket + l->nbuckets);
	l->high_word = &h->high[0];
	l->seed = seed;
	if (!fresh && known(l, h)) {
		l->seed = h->seed;
		l->high = (uint32_t)h->high[0];
	} else {
		fresh = fresh || untouched(h);
		l->stats.formatted = !fresh;
		format(l, h, fresh);
	}
	l->left_by = l->high;
	l->stats.slots = l->nslots;
	return l;
}

void ecs_ledger_close(struct ecs_ledger *l)
{
	free(l);
}

/* --- chains ----------------------------------------------------------------------------------- */

/* A walk along a chain; what is wrong with it is cut off, so that it is met once. */
struct walk {
	struct ecs_ledger *l;
	uint32_t bucket, steps;
	uint32_t *from; /* what holds the present place */
	uint32_t place; /* 0 at the end */
};

static void arrive(struct walk *w)
{
	struct ecs_ledger *l = w->l;
	uint32_t p = *w->from;
	const struct slot *s;

	w->place = 0;
	if (p == 0)
		return;
	if (p <= l->high && w->steps++ < CHAIN_MAX) {
		s = slot_at(l, p);
		/* of a slot that cannot be read, only the way on is used */
		if (bucket_of(l, s->callid) == w->bucket ||
		    (s->check != 0 && s->check != check_of(l->seed, s))) {
			w->place = p;
			return;
		}
	}
	l->stats.broken++;
	PUT(*w->from, 0);
}

static struct walk walk_of(struct ecs_ledger *l, uint32_t callid)
{
	struct walk w = {.l = l, .bucket = bucket_of(l, callid)};

	w.from = &l->bucket[w.bucket];
	arrive(&w);
	return w;
}

static void walk_on(struct walk *w)
{
	w->from = &slot_at(w->l, w->place)->next;
	arrive(w);
}

/* Takes the present slot out of the chain and goes on to the one after it. */
static void walk_unlink(struct walk *w)
{
	PUT(*w->from, slot_at(w->l, w->place)->next);
	arrive(w);
}

/* --- places ----------------------------------------------------------------------------------- */

/* What the sweep has not seen yet it will find, and give to the free ones itself. */
static bool sweep_comes(const struct ecs_ledger *l, uint32_t place)
{
	return place > l->swept && place <= l->left_by;
}

static void set_free(struct ecs_ledger *l, uint32_t place)
{
	struct slot *s = slot_at(l, place);

	PUT(s->callid, 0);
	if (sweep_comes(l, place))
		return;
	s->next = l->free;
	l->free = place;
}

static uint32_t take_free(struct ecs_ledger *l)
{
	uint32_t p = l->free;

	if (p) {
		l->free = slot_at(l, p)->next;
		return p;
	}
	if (l->high >= l->nslots)
		return 0;
	p = l->high + 1;
	PUT(slot_at(l, p)->check, 0);
	high_set(l, p);
	return p;
}

uint32_t ecs_ledger_add(struct ecs_ledger *l, const struct ecs_usage *u,
                        const struct ecs_volume *v)
{
	uint32_t callid = u->session->spec.callid, p = take_free(l);
	uint32_t *head = &l->bucket[bucket_of(l, callid)];
	struct slot *s;

	if (!p) {
		l->stats.full++;
		return 0;
	}
	s = slot_at(l, p);
	s->id = u->id;
	s->callid = callid;
	s->subscriber = subscriber_of(l->seed, &u->session->spec);
	s->bearer = u->bearer;
	s->of = u->of;
	s->zero = 0;
	s->v = *v;
	s->next = *head <= l->high ? *head : 0;
	PUT(s->check, check_of(l->seed, s));
	PUT(*head, p);
	l->stats.used++;
	return p;
}

void ecs_ledger_kill(struct ecs_ledger *l, uint32_t place)
{
	PUT(slot_at(l, place)->check, 0);
	l->stats.used--;
}

void ecs_ledger_prune(struct ecs_ledger *l, uint32_t callid)
{
	struct walk w = walk_of(l, callid);

	while (w.place) {
		uint32_t p = w.place;

		if (slot_at(l, p)->check != 0) {
			walk_on(&w);
			continue;
		}
		walk_unlink(&w);
		set_free(l, p);
	}
}

/* --- what a predecessor has left -------------------------------------------------------------- */

static void lose(struct ecs_ledger *l, const struct slot *s)
{
	l->lost.volumes++;
	if (s->of != ECS_USAGE_SESSION)
		return; /* the bytes of a rule are the session's as well */
	l->lost.sessions++;
	for (int d = 0; d < 2; d++) {
		l->lost.volume.pkts[d] += s->v.pkts[d];
		l->lost.volume.bytes[d] += s->v.bytes[d];
	}
}

static void adopt_slot(struct ecs_engine *e, struct ecs_session *s, uint32_t place)
{
	struct ecs_ledger *l = e->ledger;
	const struct slot *t = slot_at(l, place);
	struct ecs_usage *u;

	ecs_usage_expect(e, t->callid, t->bearer, t->of, t->id);
	if (ecs_usage_of(e, s, t->bearer, t->of, t->id))
		return; /* twice: the sweep finds it without a volume */
	u = ecs_usage_build(e, s, t->bearer, t->of, t->id);
	if (!u) {
		e->conf.counters->usage_no_memory++;
		return;
	}
	u->own[e->conf.chassis_bit & 1] = t->v;
	ecs_owed_found(e, u);
	u->place = place;
	if (!s->place || place < s->place)
		s->place = place;
	ecs_list_add_tail(&e->changed, &u->in_changed);
	l->stats.used++;
	l->stats.adopted++;
}

/* Visits the readable slots of @p s, NULL: of nobody: those of others are killed. */
static void claim(struct ecs_ledger *l, struct ecs_engine *e, struct ecs_session *s,
                  uint32_t callid)
{
	uint32_t subscriber = s ? subscriber_of(l->seed, &s->spec) : 0;
	bool killed = false;

	for (struct walk w = walk_of(l, callid); w.place; walk_on(&w)) {
		struct slot *t = slot_at(l, w.place);

		if (t->callid != callid || !readable(l, t))
			continue;
		if (s && t->subscriber == subscriber) {
			adopt_slot(e, s, w.place);
			continue;
		}
		lose(l, t);
		PUT(t->check, 0);
		killed = true;
	}
	if (killed)
		ecs_ledger_prune(l, callid);
}

void ecs_ledger_await(const struct ecs_ledger *l, uint32_t callid)
{
	if (l && l->swept < l->left_by)
		__builtin_prefetch(&l->bucket[bucket_of(l, callid)]);
}

void ecs_ledger_adopt(struct ecs_engine *e, struct ecs_session *s)
{
	if (e->ledger && e->ledger->swept < e->ledger->left_by)
		claim(e->ledger, e, s, s->spec.callid);
}

void ecs_ledger_disown(struct ecs_ledger *l, uint32_t callid)
{
	if (l && l->swept < l->left_by)
		claim(l, NULL, NULL, callid);
}

static void sweep_slot(struct ecs_engine *e, uint32_t place)
{
	struct ecs_ledger *l = e->ledger;
	struct slot *t = slot_at(l, place);
	const struct ecs_session *s;
	const struct ecs_usage *u;

	if (t->check != 0) {
		if (!readable(l, t)) {
			l->stats.broken++;
			return;
		}
		s = ecs_session_find(e, t->callid);
		u = s ? ecs_usage_of(e, s, t->bearer, t->of, t->id) : NULL;
		if (u && u->place == place)
			return;
		lose(l, t);
		PUT(t->check, 0);
	}
	if (t->callid)
		ecs_ledger_prune(l, t->callid);
	l->swept = place;
	set_free(l, place);
}

bool ecs_ledger_sweep(struct ecs_engine *e, size_t budget, struct srp_time now,
                      struct ecs_ledger_lost *lost)
{
	struct ecs_ledger *l = e->ledger;

	(void)now;
	*lost = (struct ecs_ledger_lost){0};
	if (!l)
		return false;
	for (; budget > 0 && l->swept < l->left_by; budget--) {
		uint32_t place = l->swept + 1;

		sweep_slot(e, place);
		l->swept = place;
	}
	*lost = l->lost;
	return l->swept < l->left_by;
}

bool ecs_ledger_look(const struct ecs_engine *e, struct ecs_ledger_stats *out)
{
	if (!e->ledger)
		return false;
	*out = e->ledger->stats;
	return true;
}

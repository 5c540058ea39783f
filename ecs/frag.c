#include "config.h"
#include "ecs/frag.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/engine_impl.h"

#define SETS 1024u
#define WAYS 4u

#define UNIT 8u         /* bytes in which fragments are counted */
#define IP4_MORE   0x2000u
#define IP4_OFFSET 0x1fffu
#define IP4_MAX    65535u

enum state {
	NOT_FOLLOWED,
	FOLLOWED, /* told of as begun, and on the list */
	OVER
};

struct entry {
	struct ecs_addr src, dst;
	uint32_t frag_id;
	uint32_t callid, id;
	uint8_t proto, version, dir;
	bool first;            /* the first fragment was seen: id is its flow */
	uint8_t state, npieces;
	uint32_t end;          /* bytes of the datagram; 0: its last fragment was not seen */
	struct piece {
		uint32_t from, to; /* bytes */
	} piece[ECS_FRAG_PIECES]; /* by place, none touches another */
	struct srp_list open;  /* while FOLLOWED: oldest first */
	struct srp_time seen;  /* 0: unused */
};

struct ecs_frags {
	uint64_t seed;
	ecs_frag_fn *fn;
	void *arg;
	struct srp_list open;
	struct entry e[SETS][WAYS];
};

struct ecs_frags *ecs_frags_new(uint64_t seed, ecs_frag_fn *fn, void *arg)
{
	struct ecs_frags *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->seed = seed;
	t->fn = fn;
	t->arg = arg;
	ecs_list_init(&t->open);
	return t;
}

void ecs_frags_free(struct ecs_frags *t)
{
	free(t);
}

static size_t set_of(const struct ecs_frags *t, const struct ecs_packet *p)
{
	uint64_t w[4], h;

	memcpy(w, p->src.b, 16);
	memcpy(w + 2, p->dst.b, 16);
	h = ecs_hash_mix(w[0] ^ t->seed, w[1] ^ ECS_HASH_K0);
	h = ecs_hash_mix(w[2] ^ h, w[3] ^ ECS_HASH_K1);
	h = ecs_hash_mix(h ^ p->frag_id, (uint64_t)p->proto ^ ECS_HASH_K2);
	return (size_t)h % SETS;
}

static bool same(const struct entry *e, const struct ecs_packet *p)
{
	return e->seen.us != 0 && e->frag_id == p->frag_id && e->proto == p->proto &&
	       e->version == p->version && e->dir == p->dir &&
	       memcmp(&e->src, &p->src, sizeof(e->src)) == 0 &&
	       memcmp(&e->dst, &p->dst, sizeof(e->dst)) == 0;
}

/* --- whole datagrams -------------------------------------------------------------------------- */

static void tell(const struct ecs_frags *t, const struct entry *e, enum ecs_frag_news news)
{
	if (t->fn)
		t->fn(t->arg, e->callid, news);
}

static void over(struct ecs_frags *t, struct entry *e, enum ecs_frag_news news)
{
	if (e->state != FOLLOWED)
		return;
	ecs_list_del(&e->open);
	e->state = OVER;
	tell(t, e, news);
}

static void follow(struct ecs_frags *t, struct entry *e, uint32_t callid, struct srp_time now)
{
	e->state = FOLLOWED;
	e->callid = callid;
	e->npieces = 0;
	e->end = 0;
	e->seen = now;
	ecs_list_add_tail(&t->open, &e->open);
	tell(t, e, ECS_FRAG_BEGUN);
}

/* Adds a stretch; false: it is one too many. */
static bool add_piece(struct entry *e, uint32_t from, uint32_t to)
{
	unsigned at = 0, next;

	while (at < e->npieces && e->piece[at].to < from)
		at++;
	/* those that it touches become part of it */
	for (next = at; next < e->npieces && e->piece[next].from <= to; next++) {
		if (e->piece[next].from < from)
			from = e->piece[next].from;
		if (e->piece[next].to > to)
			to = e->piece[next].to;
	}
	if (next == at && e->npieces == ECS_FRAG_PIECES)
		return false;
	memmove(&e->piece[at + 1], &e->piece[next], (e->npieces - next) * sizeof(e->piece[0]));
	e->npieces = (uint8_t)(e->npieces - (next - at) + 1);
	e->piece[at] = (struct piece){from, to};
	return true;
}

/* Reads where the fragment lies; false: it cannot be part of what is known. */
static bool place(struct entry *e, const struct ecs_packet *p)
{
	unsigned hdr = (p->data[0] & 0xfu) * 4u;
	unsigned field = (unsigned)p->data[6] << 8 | p->data[7];
	uint32_t from = (field & IP4_OFFSET) * UNIT, to;

	if (p->len <= hdr)
		return false;
	to = from + (uint32_t)(p->len - hdr);
	if (to > IP4_MAX - hdr)
		return false;
	if (field & IP4_MORE) {
		if ((to - from) % UNIT)
			return false;
	} else {
		if (e->end && e->end != to)
			return false;
		e->end = to;
	}
	if (e->end && (to > e->end || (e->npieces && e->piece[e->npieces - 1].to > e->end)))
		return false;
	return add_piece(e, from, to);
}

/* --- the table -------------------------------------------------------------------------------- */

static struct entry *find(struct ecs_frags *t, const struct ecs_packet *p)
{
	struct entry *set = t->e[set_of(t, p)];

	for (unsigned i = 0; i < WAYS; i++)
		if (same(&set[i], p))
			return &set[i];
	return NULL;
}

/* A place for a new datagram: an unused one, else the oldest of those that are not followed, else
 * the oldest. */
static struct entry *make(struct ecs_frags *t, const struct ecs_packet *p, struct srp_time now)
{
	struct entry *set = t->e[set_of(t, p)], *e = &set[0];

	for (unsigned i = 1; i < WAYS; i++) {
		bool busy = set[i].state == FOLLOWED, best_busy = e->state == FOLLOWED;

		if (busy < best_busy || (busy == best_busy && set[i].seen.us < e->seen.us))
			e = &set[i];
	}
	over(t, e, ECS_FRAG_CROWDED);
	*e = (struct entry){.src = p->src, .dst = p->dst, .frag_id = p->frag_id,
	                    .proto = p->proto, .version = p->version, .dir = (uint8_t)p->dir,
	                    .seen = now};
	return e;
}

void ecs_frags_seen(struct ecs_frags *t, const struct ecs_packet *p, uint32_t callid,
                    struct srp_time now)
{
	struct entry *e;

	if (p->version != 4 || p->frag == ECS_FRAG_NONE)
		return;
	e = find(t, p);
	if (!e)
		e = make(t, p, now);
	if (e->state == FOLLOWED && srp_time_since(e->seen, now) > SRP_SEC(ECS_FRAG_LIFE_S))
		over(t, e, ECS_FRAG_LATE);
	/* what comes of one that is over is a repetition, unless it begins anew */
	if (e->state == OVER && p->frag != ECS_FRAG_FIRST &&
	    srp_time_since(e->seen, now) <= SRP_SEC(ECS_FRAG_LIFE_S))
		return;
	if (e->state == OVER)
		e->first = false;
	if (e->state != FOLLOWED)
		follow(t, e, callid, now);
	if (!place(e, p))
		over(t, e, ECS_FRAG_BROKEN);
	else if (e->npieces == 1 && e->piece[0].from == 0 && e->end == e->piece[0].to)
		over(t, e, ECS_FRAG_WHOLE);
}

void ecs_frags_first(struct ecs_frags *t, const struct ecs_packet *p, uint32_t callid, uint32_t id,
                     struct srp_time now)
{
	struct entry *e = find(t, p);

	if (!e)
		e = make(t, p, now);
	if (e->state != FOLLOWED)
		e->seen = now;
	e->first = true;
	e->callid = callid;
	e->id = id;
}

bool ecs_frags_find(const struct ecs_frags *t, const struct ecs_packet *p, struct srp_time now,
                    uint32_t *callid, uint32_t *id)
{
	const struct entry *set = t->e[set_of(t, p)];

	for (unsigned i = 0; i < WAYS; i++) {
		if (!same(&set[i], p))
			continue;
		if (!set[i].first || srp_time_since(set[i].seen, now) > SRP_SEC(ECS_FRAG_LIFE_S))
			return false;
		*callid = set[i].callid;
		*id = set[i].id;
		return true;
	}
	return false;
}

size_t ecs_frags_expire(struct ecs_frags *t, struct srp_time now, size_t budget)
{
	size_t n = 0;

	for (; n < budget && !ecs_list_empty(&t->open); n++) {
		struct entry *e = ECS_CONTAINER(t->open.next, struct entry, open);

		if (srp_time_since(e->seen, now) <= SRP_SEC(ECS_FRAG_LIFE_S))
			break;
		over(t, e, ECS_FRAG_LATE);
	}
	return n;
}

void ecs_frags_clear(struct ecs_frags *t)
{
	while (!ecs_list_empty(&t->open))
		over(t, ECS_CONTAINER(t->open.next, struct entry, open), ECS_FRAG_BROKEN);
	memset(t->e, 0, sizeof(t->e));
}

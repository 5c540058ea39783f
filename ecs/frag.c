#include "config.h"
#include "ecs/frag.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/chain.h"

#define SETS 1024u
#define WAYS 4u

struct entry {
	struct ecs_addr src, dst;
	uint32_t frag_id;
	uint32_t callid, id;
	uint8_t proto, version;
	struct srp_time seen;  /* 0: unused */
};

struct ecs_frags {
	uint64_t seed;
	struct entry e[SETS][WAYS];
};

struct ecs_frags *ecs_frags_new(uint64_t seed)
{
	struct ecs_frags *t = calloc(1, sizeof(*t));

	if (t)
		t->seed = seed;
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
	       e->version == p->version && memcmp(&e->src, &p->src, sizeof(e->src)) == 0 &&
	       memcmp(&e->dst, &p->dst, sizeof(e->dst)) == 0;
}

void ecs_frags_first(struct ecs_frags *t, const struct ecs_packet *p, uint32_t callid, uint32_t id,
                     struct srp_time now)
{
	struct entry *set = t->e[set_of(t, p)], *oldest = &set[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (same(&set[i], p)) {
			oldest = &set[i];
			break;
		}
		if (set[i].seen.us < oldest->seen.us)
			oldest = &set[i];
	}
	*oldest = (struct entry){.src = p->src, .dst = p->dst, .frag_id = p->frag_id,
	                         .callid = callid, .id = id, .proto = p->proto,
	                         .version = p->version, .seen = now};
}

bool ecs_frags_find(const struct ecs_frags *t, const struct ecs_packet *p, struct srp_time now,
                    uint32_t *callid, uint32_t *id)
{
	const struct entry *set = t->e[set_of(t, p)];

	for (unsigned i = 0; i < WAYS; i++) {
		if (!same(&set[i], p))
			continue;
		if (srp_time_since(set[i].seen, now) > SRP_SEC(ECS_FRAG_LIFE_S))
			return false;
		*callid = set[i].callid;
		*id = set[i].id;
		return true;
	}
	return false;
}

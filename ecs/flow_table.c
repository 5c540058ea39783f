#include "config.h"
#include "ecs/flow.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/chain.h"
#include "ecs/engine_impl.h"

#define SCAN 4u /* so few flows of a session are looked at, rather than their index */

/* Two chains over the same flows: by 5-tuple for packets, by (call-id, flow id) for records. */
struct ecs_flow_table {
	struct ecs_chain by_key, by_id;
};

static uint64_t word(const uint8_t *b)
{
	uint64_t v;

	memcpy(&v, b, sizeof(v));
	return v;
}

uint64_t ecs_flow_key_hash(const struct ecs_flow_key *k, uint64_t seed)
{
	uint64_t ports = (uint64_t)k->subscriber_port << 24 | (uint64_t)k->server_port << 8 |
	                 k->proto;
	uint64_t a, b;

	a = ecs_hash_mix(word(k->subscriber.b) ^ ECS_HASH_K0, word(k->subscriber.b + 8) ^ seed);
	b = ecs_hash_mix(word(k->server.b) ^ ECS_HASH_K1, word(k->server.b + 8) ^ a);
	return ecs_hash_mix(ports ^ ECS_HASH_K2, b ^ seed);
}

static uint64_t id_hash(uint32_t callid, uint32_t id, uint64_t seed)
{
	return ecs_hash_mix(((uint64_t)callid << 32 | id) ^ ECS_HASH_K0, seed ^ ECS_HASH_K1);
}

static uint64_t hash_of_key(const void *obj, uint64_t seed)
{
	return ecs_flow_key_hash(&((const struct ecs_flow *)obj)->key, seed);
}

static uint64_t flow_id_hash(const void *obj, uint64_t seed)
{
	const struct ecs_flow *f = obj;

	return id_hash(f->session->spec.callid, f->id, seed);
}

bool ecs_flow_key_equal(const struct ecs_flow_key *a, const struct ecs_flow_key *b)
{
	return a->subscriber_port == b->subscriber_port && a->server_port == b->server_port &&
	       a->proto == b->proto && memcmp(&a->server, &b->server, sizeof(a->server)) == 0 &&
	       memcmp(&a->subscriber, &b->subscriber, sizeof(a->subscriber)) == 0;
}

struct ecs_flow_table *ecs_flow_table_new(size_t expected, uint64_t seed)
{
	struct ecs_flow_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (ecs_chain_init(&t->by_key, expected, offsetof(struct ecs_flow, hash_next),
	                   hash_of_key, seed) != 0 ||
	    ecs_chain_init(&t->by_id, expected, offsetof(struct ecs_flow, id_next), flow_id_hash,
	                   ecs_hash_mix(seed, ECS_HASH_K2)) != 0) {
		ecs_flow_table_free(t);
		return NULL;
	}
	return t;
}

int ecs_flow_table_reserve(struct ecs_flow_table *t, size_t expected, size_t *bytes)
{
	int rc = ecs_chain_reserve(&t->by_key, expected, bytes);

	return rc ? rc : ecs_chain_reserve(&t->by_id, expected, bytes);
}

void ecs_flow_table_free(struct ecs_flow_table *t)
{
	if (!t)
		return;
	ecs_chain_fini(&t->by_key);
	ecs_chain_fini(&t->by_id);
	free(t);
}

struct ecs_flow *ecs_flow_find(const struct ecs_flow_table *t, const struct ecs_flow_key *k)
{
	struct ecs_flow *f = *ecs_chain_head(&t->by_key, ecs_flow_key_hash(k, t->by_key.seed));

	while (f && !ecs_flow_key_equal(&f->key, k))
		f = f->hash_next;
	return f;
}

struct ecs_flow *ecs_flow_find_id(const struct ecs_flow_table *t, uint32_t callid, uint32_t id)
{
	struct ecs_flow *f = *ecs_chain_head(&t->by_id, id_hash(callid, id, t->by_id.seed));

	while (f && (f->id != id || f->session->spec.callid != callid))
		f = f->id_next;
	return f;
}

struct ecs_flow *ecs_flow_of(const struct ecs_flow_table *t, const struct ecs_session *s,
                             uint32_t id)
{
	if (s->nflows > SCAN)
		return ecs_flow_find_id(t, s->spec.callid, id);
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		if (f->id == id)
			return f;
	}
	return NULL;
}

/* Addresses are of one session only, so a flow with the key is the session's or nobody's. */
struct ecs_flow *ecs_flow_held(const struct ecs_flow_table *t, const struct ecs_session *s,
                               const struct ecs_flow_key *k)
{
	if (s->nflows > SCAN)
		return ecs_flow_find(t, k);
	for (struct srp_list *l = s->flows.next; l != &s->flows; l = l->next) {
		struct ecs_flow *f = ECS_CONTAINER(l, struct ecs_flow, in_session);

		if (ecs_flow_key_equal(&f->key, k))
			return f;
	}
	return NULL;
}

void ecs_flow_expect_key(const struct ecs_flow_table *t, const struct ecs_flow_key *k)
{
	ecs_chain_expect(&t->by_key, ecs_flow_key_hash(k, t->by_key.seed));
}

void ecs_flow_await_key(const struct ecs_flow_table *t, const struct ecs_flow_key *k)
{
	const char *f = *ecs_chain_head(&t->by_key, ecs_flow_key_hash(k, t->by_key.seed));

	/* the first of its chain mostly is the one, and nothing is read of it here */
	for (size_t at = offsetof(struct ecs_flow, key); f && at < offsetof(struct ecs_flow, created); at += 64)
		__builtin_prefetch(f + at, 1);
	__asm__ volatile(""); /* gcc leaves out calls of what does nothing but ask for memory */
}

void ecs_flow_expect(const struct ecs_flow_table *t, uint32_t callid, uint32_t id)
{
	ecs_chain_expect(&t->by_id, id_hash(callid, id, t->by_id.seed));
}

int ecs_flow_insert(struct ecs_flow_table *t, struct ecs_flow *f)
{
	ecs_chain_insert(&t->by_key, f);
	ecs_chain_insert(&t->by_id, f);
	return 0;
}

void ecs_flow_remove(struct ecs_flow_table *t, struct ecs_flow *f)
{
	ecs_chain_remove(&t->by_key, f);
	ecs_chain_remove(&t->by_id, f);
}

size_t ecs_flow_count(const struct ecs_flow_table *t)
{
	return t->by_key.count;
}

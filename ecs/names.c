#include "config.h"
#include "ecs/names.h"

#include <stdlib.h>
#include <string.h>

#include "ecs/chain.h"
#include "ecs/dns.h"
#include "ecs/engine_impl.h"

struct name {
	struct name *next;
	struct srp_list by_age;
	struct ecs_addr addr;
	uint32_t callid;
	struct srp_time until;
	char text[];
};

struct ecs_names {
	struct ecs_chain chain;
	struct srp_list ages; /* oldest first */
	size_t n;
	uint64_t seed;
};

static uint64_t hash(uint32_t callid, const struct ecs_addr *a, uint64_t seed)
{
	uint64_t w[2];

	memcpy(w, a->b, 16);
	return ecs_hash_mix(w[0] ^ ECS_HASH_K0 ^ seed, w[1] ^ ECS_HASH_K1 ^ ((uint64_t)callid << 16));
}

static uint64_t name_hash(const void *obj, uint64_t seed)
{
	const struct name *x = obj;

	return hash(x->callid, &x->addr, seed);
}

struct ecs_names *ecs_names_new(uint64_t seed)
{
	struct ecs_names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->seed = seed;
	ecs_list_init(&n->ages);
	if (ecs_chain_init(&n->chain, 256, offsetof(struct name, next), name_hash, seed) != 0) {
		free(n);
		return NULL;
	}
	return n;
}

static void drop(struct ecs_names *n, struct name *x)
{
	ecs_chain_remove(&n->chain, x);
	ecs_list_del(&x->by_age);
	free(x);
	n->n--;
}

void ecs_names_free(struct ecs_names *n)
{
	if (!n)
		return;
	while (!ecs_list_empty(&n->ages))
		drop(n, ECS_CONTAINER(n->ages.next, struct name, by_age));
	ecs_chain_fini(&n->chain);
	free(n);
}

static struct name *find(struct ecs_names *n, uint32_t callid, const struct ecs_addr *a)
{
	struct name *x = *ecs_chain_head(&n->chain, hash(callid, a, n->seed));

	for (; x; x = x->next)
		if (x->callid == callid && memcmp(&x->addr, a, sizeof(*a)) == 0)
			return x;
	return NULL;
}

const char *ecs_names_find(struct ecs_names *n, uint32_t callid, const struct ecs_addr *a,
                           struct srp_time now)
{
	struct name *x = find(n, callid, a);

	if (x && x->until.us <= now.us) {
		drop(n, x);
		x = NULL;
	}
	return x ? x->text : NULL;
}

size_t ecs_names_count(const struct ecs_names *n)
{
	return n->n;
}

static void learn(struct ecs_names *n, uint32_t callid, const struct ecs_dns_address *a,
                  const char *text, struct srp_time now)
{
	size_t len = strlen(text) + 1;
	uint32_t ttl = a->ttl < ECS_NAMES_TTL_MIN_S   ? ECS_NAMES_TTL_MIN_S
	               : a->ttl > ECS_NAMES_TTL_MAX_S ? ECS_NAMES_TTL_MAX_S
	                                              : a->ttl;
	struct name *x = find(n, callid, &a->addr);

	if (x)
		drop(n, x);
	if (n->n >= ECS_NAMES_MAX)
		drop(n, ECS_CONTAINER(n->ages.next, struct name, by_age));
	x = calloc(1, sizeof(*x) + len);
	if (!x)
		return;
	memcpy(x->text, text, len);
	x->addr = a->addr;
	x->callid = callid;
	x->until.us = now.us + SRP_SEC(ttl);
	ecs_chain_insert(&n->chain, x);
	ecs_list_add_tail(&n->ages, &x->by_age);
	n->n++;
}

size_t ecs_names_answer(struct ecs_names *n, uint32_t callid, const uint8_t *msg, size_t len,
                        struct srp_time now)
{
	struct ecs_dns_address a[ECS_NAMES_ANSWERS_MAX];
	char text[ECS_DNS_NAME_MAX + 1];
	size_t count = ecs_dns_answer(msg, len, text, a, ECS_NAMES_ANSWERS_MAX);

	for (size_t i = 0; i < count; i++)
		learn(n, callid, &a[i], text, now);
	return count;
}

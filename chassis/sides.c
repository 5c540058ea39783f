#include "config.h"
#include "chassis/sides.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

/* Two addresses that talk to each other; the first spoke first. */
struct pair {
	struct pair *next;
	struct ecs_addr a, b;
};

static bool in_prefix(const struct chassis_sides_net *n, const struct ecs_addr *a)
{
	unsigned bytes = n->len / 8, bits = n->len % 8;

	if (memcmp(n->addr.b, a->b, bytes) != 0)
		return false;
	return bits == 0 || ((n->addr.b[bytes] ^ a->b[bytes]) >> (8 - bits)) == 0;
}

static bool is_subscriber(const struct chassis_sides *s, const struct ecs_addr *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (in_prefix(&s->net[i], a))
			return true;
	return false;
}

/* The same for both orders of the addresses. */
static uint64_t pair_hash(const struct ecs_addr *a, const struct ecs_addr *b)
{
	uint64_t w[4];

	memcpy(w, a->b, 16);
	memcpy(w + 2, b->b, 16);
	return ecs_hash_mix(w[0] ^ ECS_HASH_K0, w[1] ^ ECS_HASH_K1) ^
	       ecs_hash_mix(w[2] ^ ECS_HASH_K0, w[3] ^ ECS_HASH_K1);
}

static uint64_t pair_obj_hash(const void *obj, uint64_t seed)
{
	const struct pair *p = obj;

	(void)seed;
	return pair_hash(&p->a, &p->b);
}

static bool same(const struct ecs_addr *a, const struct ecs_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The direction by who spoke first. */
static int first_speaker(struct chassis_sides *s, const struct ecs_packet *p, enum ecs_dir *dir)
{
	struct pair *q = *ecs_chain_head(&s->pairs, pair_hash(&p->src, &p->dst));

	*dir = ECS_UPLINK;
	for (; q; q = q->next) {
		if (same(&q->a, &p->src) && same(&q->b, &p->dst))
			return 0;
		if (same(&q->b, &p->src) && same(&q->a, &p->dst)) {
			*dir = ECS_DOWNLINK;
			return 0;
		}
	}
	q = calloc(1, sizeof(*q));
	if (!q)
		return SRP_ENOMEM;
	q->a = p->src;
	q->b = p->dst;
	ecs_chain_insert(&s->pairs, q);
	return 0;
}

int chassis_sides_init(struct chassis_sides *s)
{
	return ecs_chain_init(&s->pairs, 1024, offsetof(struct pair, next), pair_obj_hash, 0);
}

void chassis_sides_fini(struct chassis_sides *s)
{
	/* at the end both arrays may hold chains: a growth that was not finished */
	for (size_t i = 0; i <= s->pairs.mask; i++) {
		struct pair *p;

		while ((p = *ecs_chain_head(&s->pairs, i)) != NULL) {
			ecs_chain_remove(&s->pairs, p);
			free(p);
		}
	}
	ecs_chain_fini(&s->pairs);
}

int chassis_sides_add(struct chassis_sides *s, const char *text)
{
	struct chassis_sides_net *n = &s->net[s->n];
	char addr[64], *slash, *end;
	unsigned long len, max;

	if (s->n == CHASSIS_SIDES_MAX || strlen(text) >= sizeof(addr))
		return SRP_EFULL;
	strcpy(addr, text);
	slash = strchr(addr, '/');
	if (slash)
		*slash = '\0';
	if (ecs_addr_parse(addr, &n->addr) != 0)
		return SRP_EFORMAT;
	max = ecs_addr_is4(&n->addr) ? 32 : 128;
	len = max;
	if (slash) {
		len = strtoul(slash + 1, &end, 10);
		if (!isdigit((unsigned char)slash[1]) || *end || len > max)
			return SRP_EFORMAT;
	}
	n->len = (unsigned)(len + 128 - max);
	s->n++;
	return 0;
}

int chassis_sides_direction(struct chassis_sides *s, const struct ecs_packet *p, enum ecs_dir *dir)
{
	bool src = is_subscriber(s, &p->src), dst = is_subscriber(s, &p->dst);

	if (src == dst && s->n && !src)
		return SRP_ENOENT;
	if (src == dst) /* no prefix given, or both ends within them */
		return first_speaker(s, p, dir);
	*dir = src ? ECS_UPLINK : ECS_DOWNLINK;
	return 0;
}

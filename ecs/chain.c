#include "config.h"
#include "ecs/chain.h"

#include <stdlib.h>

#include "srp/err.h"

#define MIN_BUCKETS   256u
#define MAX_EXPECTED  ((size_t)1 << 26)
#define MOVE_PER_STEP 4u /* old buckets moved by an insertion: a growth takes count/4 of them */

static void set_next(const struct ecs_chain *c, void *obj, void *next)
{
	memcpy((char *)obj + c->next, &next, sizeof(next));
}

int ecs_chain_init(struct ecs_chain *c, size_t expected, size_t next, ecs_chain_hash_fn *hash,
                   uint64_t seed)
{
	size_t n = MIN_BUCKETS;

	if (expected > MAX_EXPECTED)
		expected = MAX_EXPECTED;
	while (n < expected)
		n <<= 1;
	*c = (struct ecs_chain){.mask = n - 1, .next = next, .hash = hash, .seed = seed};
	c->cur = calloc(n, sizeof(*c->cur));
	return c->cur ? 0 : SRP_ENOMEM;
}

void ecs_chain_fini(struct ecs_chain *c)
{
	free(c->cur);
	free(c->old);
	*c = (struct ecs_chain){0};
}

static void move_some(struct ecs_chain *c, size_t buckets)
{
	size_t end = buckets < c->old_mask ? c->moved + buckets : c->old_mask + 1;

	for (; c->moved < end && c->moved <= c->old_mask; c->moved++) {
		void *o = c->old[c->moved], *next;

		for (; o; o = next) {
			void **head = &c->cur[(size_t)c->hash(o, c->seed) & c->mask];

			next = ecs_chain_next(c, o);
			set_next(c, o, *head);
			*head = o;
		}
	}
	if (c->moved > c->old_mask) {
		free(c->old);
		c->old = NULL;
	}
}

static void grow(struct ecs_chain *c)
{
	size_t n = (c->mask + 1) * 2;
	void **b = calloc(n, sizeof(*b));

	if (!b)
		return;
	c->old = c->cur;
	c->old_mask = c->mask;
	c->moved = 0;
	c->cur = b;
	c->mask = n - 1;
	c->touched = false;
}

int ecs_chain_reserve(struct ecs_chain *c, size_t expected, size_t *bytes)
{
	size_t n = c->mask + 1;
	void **b;

	if (expected > MAX_EXPECTED)
		expected = MAX_EXPECTED;
	while (n < expected)
		n <<= 1;
	if (n == c->mask + 1 && c->touched)
		return 0;
	b = malloc(n * sizeof(*b));
	if (!b)
		return SRP_ENOMEM;
	memset(b, 0, n * sizeof(*b)); /* each page is touched, which calloc() would not do */
	if (c->old)
		move_some(c, SIZE_MAX);
	c->old = c->cur;
	c->old_mask = c->mask;
	c->moved = 0;
	c->cur = b;
	c->mask = n - 1;
	move_some(c, SIZE_MAX);
	c->touched = true;
	*bytes += n * sizeof(*b);
	return 0;
}

void ecs_chain_insert(struct ecs_chain *c, void *obj)
{
	void **head;

	if (c->old)
		move_some(c, MOVE_PER_STEP);
	else if (c->count > c->mask)
		grow(c);
	head = ecs_chain_head(c, c->hash(obj, c->seed));
	set_next(c, obj, *head);
	*head = obj;
	c->count++;
}

void ecs_chain_remove(struct ecs_chain *c, void *obj)
{
	void **head = ecs_chain_head(c, c->hash(obj, c->seed));
	void *o = *head, *prev = NULL;

	for (; o && o != obj; o = ecs_chain_next(c, o))
		prev = o;
	if (!o)
		return;
	if (prev)
		set_next(c, prev, ecs_chain_next(c, obj));
	else
		*head = ecs_chain_next(c, obj);
	set_next(c, obj, NULL);
	c->count--;
}

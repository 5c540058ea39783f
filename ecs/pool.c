#include "config.h"
#include "ecs/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "srp/err.h"

#define CHUNK_BYTES (256u * 1024u)
#define LINE        64u /* objects begin on a cache line */
#define HEAD_BYTES  LINE /* the chain pointer */

void ecs_pool_init(struct ecs_pool *p, size_t size)
{
	*p = (struct ecs_pool){.size = (size + LINE - 1) & ~(size_t)(LINE - 1)};
	p->per_chunk = (CHUNK_BYTES - HEAD_BYTES) / p->size;
	if (p->per_chunk == 0)
		p->per_chunk = 1;
}

void ecs_pool_fini(struct ecs_pool *p)
{
	void *c = p->chunks, *next;

	for (; c; c = next) {
		memcpy(&next, c, sizeof(next));
		free(c);
	}
	*p = (struct ecs_pool){.size = p->size, .per_chunk = p->per_chunk};
}

/* What is left of the newest chunk is not forgotten when another takes its place. */
static void fresh_to_free(struct ecs_pool *p)
{
	for (; p->nfresh > 0; p->nfresh--, p->fresh += p->size) {
		memcpy(p->fresh, &p->free, sizeof(p->free));
		p->free = p->fresh;
	}
}

static int grow(struct ecs_pool *p, size_t n, bool touch)
{
	char *c = aligned_alloc(LINE, HEAD_BYTES + n * p->size);

	if (!c)
		return SRP_ENOMEM;
	if (touch)
		memset(c, 0, HEAD_BYTES + n * p->size);
	fresh_to_free(p);
	memcpy(c, &p->chunks, sizeof(p->chunks));
	p->chunks = c;
	p->fresh = c + HEAD_BYTES;
	p->nfresh = n;
	p->zeroed = touch;
	p->all += n;
	return 0;
}

int ecs_pool_reserve(struct ecs_pool *p, size_t n, size_t *bytes)
{
	size_t more = n > p->all ? n - p->all : 0;

	if (more == 0)
		return 0;
	if (more > SIZE_MAX / 2 / p->size || grow(p, more, true) != 0)
		return SRP_ENOMEM;
	*bytes += HEAD_BYTES + more * p->size;
	return 0;
}

void *ecs_pool_get(struct ecs_pool *p)
{
	bool zeroed = false;
	void *o;

	if (p->free) {
		o = p->free;
		memcpy(&p->free, o, sizeof(p->free));
	} else {
		if (p->nfresh == 0 && grow(p, p->per_chunk, false) != 0)
			return NULL;
		o = p->fresh;
		zeroed = p->zeroed;
		p->fresh += p->size;
		p->nfresh--;
	}
	p->used++;
	return zeroed ? o : memset(o, 0, p->size);
}

void ecs_pool_put(struct ecs_pool *p, void *obj)
{
	if (!obj)
		return;
	memcpy(obj, &p->free, sizeof(p->free));
	p->free = obj;
	p->used--;
}

#include "config.h"
#include "ecs/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

static int grow(struct ecs_pool *p)
{
	char *c = aligned_alloc(LINE, HEAD_BYTES + p->per_chunk * p->size);

	if (!c)
		return -1;
	memcpy(c, &p->chunks, sizeof(p->chunks));
	p->chunks = c;
	p->fresh = c + HEAD_BYTES;
	p->nfresh = p->per_chunk;
	return 0;
}

void *ecs_pool_get(struct ecs_pool *p)
{
	void *o;

	if (p->free) {
		o = p->free;
		memcpy(&p->free, o, sizeof(p->free));
	} else {
		if (p->nfresh == 0 && grow(p) != 0)
			return NULL;
		o = p->fresh;
		p->fresh += p->size;
		p->nfresh--;
	}
	p->used++;
	return memset(o, 0, p->size);
}

void ecs_pool_put(struct ecs_pool *p, void *obj)
{
	if (!obj)
		return;
	memcpy(obj, &p->free, sizeof(p->free));
	p->free = obj;
	p->used--;
}

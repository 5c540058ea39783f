/* pool: objects of one size from large chunks, with a free list. Memory goes back when the pool is
 * freed, not before: tables of a packet core reach a size and stay there. */
#ifndef ECS_POOL_H
#define ECS_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct ecs_pool {
	size_t size;       /**< of one object, rounded up */
	size_t per_chunk;
	size_t used;       /**< objects handed out */
	size_t all;        /**< objects there are */
	void *chunks;      /**< chain of chunks */
	void *free;        /**< chain of free objects */
	char *fresh;       /**< objects of the newest chunk that were never used */
	size_t nfresh;
	bool zeroed;       /**< those are all zero */
};

/** @p size bytes each. Nothing is allocated yet. */
void ecs_pool_init(struct ecs_pool *p, size_t size);
void ecs_pool_fini(struct ecs_pool *p);
/** Has room for @p n objects in all, in memory whose pages were touched: 0 or SRP_ENOMEM.
 *  @p bytes is raised by what was added. */
int ecs_pool_reserve(struct ecs_pool *p, size_t n, size_t *bytes);
/** A zeroed object, or NULL without memory. */
void *ecs_pool_get(struct ecs_pool *p);
void ecs_pool_put(struct ecs_pool *p, void *obj);

#endif

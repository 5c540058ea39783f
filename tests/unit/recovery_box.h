/* recovery_box: a store as a container, without a replica, and records put into it by hand. */
#ifndef TESTS_UNIT_RECOVERY_BOX_H
#define TESTS_UNIT_RECOVERY_BOX_H

#include <stdlib.h>
#include <string.h>

#include "recovery_mirror.h"

struct box {
	void *mem;
	size_t cap;
	struct recovery_store *s;
	struct srp_time now;
};

static inline void box_init(struct box *b, size_t cap)
{
	b->cap = cap;
	b->mem = aligned_alloc(4096, cap);
	b->s = recovery_store_new(b->mem, cap, toy_kinds, TOY_KINDS, 4711);
	b->now = (struct srp_time){5000000};
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->s);
}

static inline void box_fini(struct box *b)
{
	recovery_store_free(b->s);
	free(b->mem);
}

static inline struct srp_ckpt_ctx box_ctx(struct box *b, enum toy_kind kind, uint32_t version)
{
	return (struct srp_ckpt_ctx){.now = b->now, .owner = b->s, .replica = SRP_REPLICA_SR,
	                             .ver = 1, .term = 2, .version = version,
	                             .kind = recovery_store_kinds(b->s)[kind]};
}

/* A record of @p n numbers. */
static inline int box_put(struct box *b, enum toy_kind kind, uint64_t k0, uint64_t k1,
                   const uint64_t *v, unsigned n, struct srp_ckpt_obj **out)
{
	const struct srp_ckpt_ctx ctx = box_ctx(b, kind, 1);
	const struct srp_ckpt_key key = {{k0, k1}};
	struct srp_ckpt_obj *o = NULL;
	uint8_t buf[256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	struct srp_mp_r r;
	int rc;

	for (unsigned i = 0; i < n; i++)
		srp_mp_w_uint(&w, v[i]);
	r = srp_mp_r_init(buf, srp_mp_w_len(&w));
	rc = ctx.kind->apply(&ctx, &key, &r, n, &o);
	if (out)
		*out = o;
	return rc;
}

static inline int box_parent(struct box *b, uint64_t k0, uint64_t value)
{
	return box_put(b, TOY_PARENT, k0, 0, (uint64_t[]){value, 12345}, 2, NULL);
}

static inline int box_child(struct box *b, uint64_t k0, uint64_t k1, uint64_t value)
{
	return box_put(b, TOY_CHILD, k0, k1, (uint64_t[]){value, 3, 70000}, 3, NULL);
}

static inline struct srp_ckpt_obj *box_find(struct box *b, enum toy_kind kind, uint64_t k0, uint64_t k1)
{
	const struct srp_ckpt_ctx ctx = box_ctx(b, kind, 0);
	const struct srp_ckpt_key key = {{k0, k1}};

	return ctx.kind->find(&ctx, &key);
}

static inline int box_del(struct box *b, enum toy_kind kind, uint64_t k0, uint64_t k1, uint32_t version)
{
	const struct srp_ckpt_ctx ctx = box_ctx(b, kind, version);
	const struct srp_ckpt_key key = {{k0, k1}};

	return ctx.kind->remove(&ctx, &key);
}

static inline struct recovery_view *box_view(struct box *b)
{
	return recovery_view_open(b->mem, b->cap, toy_kinds, TOY_KINDS, NULL);
}

#endif

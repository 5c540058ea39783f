/* toy: a small model with the shape of the real one, to test the replication engine by itself:
 * rules, parents (sessions), a figure of each parent that has no deletion of its own, and children
 * (flows) that name a rule. */
#ifndef TESTS_SIM_TOY_H
#define TESTS_SIM_TOY_H

#include "recovery/replica.h"

#define TOY_RULES    8u
#define TOY_PARENTS  32u
#define TOY_CHILDREN 8u  /**< of a parent */
#define TOY_VALUE_MAX 1000000u
#define TOY_BIG      999999u /**< a parent of this value does not fit its record */
#define TOY_KINDS    4u
#define TOY_NAME     70000000u /**< a parent of value v has the name TOY_NAME + v */

enum toy_kind { TOY_CHILD, TOY_PARENT, TOY_STAT, TOY_RULE }; /* not by rank: the engine sorts */

struct toy_rule {
	struct srp_ckpt_obj ckpt;
	uint32_t id, value;
};

struct toy_stat {
	struct srp_ckpt_obj ckpt;
	uint32_t value;
	bool used;
};

struct toy_parent {
	struct srp_ckpt_obj ckpt;
	struct toy_stat stat;
	uint32_t id, value;
	bool young; /**< not ready for recovery */
	struct srp_time since;
};

struct toy_child {
	struct srp_ckpt_obj ckpt;
	struct toy_parent *parent;
	uint32_t id, value, rule;
	struct srp_time since;
};

struct toy {
	struct srp_ckpt_sink *sink;
	struct toy_rule *rule[TOY_RULES];
	struct toy_parent *parent[TOY_PARENTS];
	struct toy_child *child[TOY_PARENTS][TOY_CHILDREN];
	uint32_t full;    /**< refuse new children with SRP_EFULL: bit set by child id */
	uint64_t applied; /**< records */
};

extern const struct srp_ckpt_kind *const toy_kinds[TOY_KINDS];

void toy_init(struct toy *t, struct srp_ckpt_sink *sink);
/** Frees everything; tells nobody. */
void toy_fini(struct toy *t);

/** Creates or changes; a child needs its parent, else nothing happens. */
void toy_set_rule(struct toy *t, uint32_t id, uint32_t value, struct srp_time now);
void toy_set_parent(struct toy *t, uint32_t id, uint32_t value, struct srp_time now);
void toy_set_stat(struct toy *t, uint32_t id, uint32_t value, struct srp_time now);
void toy_set_child(struct toy *t, uint32_t parent, uint32_t id, uint32_t value, uint32_t rule,
                   struct srp_time now);
/** Deletes, if it is there; a parent with its children. */
void toy_del_rule(struct toy *t, uint32_t id, struct srp_time now);
void toy_del_parent(struct toy *t, uint32_t id, struct srp_time now);
void toy_del_child(struct toy *t, uint32_t parent, uint32_t id, struct srp_time now);

/** 0 where both hold the same objects with the same term, version and values; else says what. */
int toy_compare(const struct toy *a, const struct toy *b, char *why, size_t cap);
size_t toy_count(const struct toy *t);

#endif

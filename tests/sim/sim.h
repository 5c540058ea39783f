/* sim: a pair in one process: two sides, each a model and its replica, and a connection between
 * them with delay, loss and partition, under a virtual clock. All chance comes from one seed: the
 * same seed gives the same run, byte for byte. What is simulated is named by struct sim_model, so
 * that any model with checkpoint kinds can be put in. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "recovery/counters.h"
#include "recovery/replica.h"

struct sim_rng {
	uint64_t state;
};

uint64_t sim_rand(struct sim_rng *g);
/** 0 to n-1; n is not 0. */
static inline uint32_t sim_below(struct sim_rng *g, uint32_t n)
{
	return (uint32_t)(sim_rand(g) % n);
}
/** True @p percent times in a hundred. */
static inline bool sim_chance(struct sim_rng *g, uint32_t percent)
{
	return sim_below(g, 100) < percent;
}

/** A model that can be replicated. */
struct sim_model {
	const char *name;
	const struct srp_ckpt_kind *const *kinds;
	size_t nkinds;
	/** A model without objects; srp_ckpt_ctx.owner is what it returns. */
	void *(*create)(struct srp_ckpt_sink *sink, unsigned side);
	void (*destroy)(void *m);
	/** The role has changed; NULL: the model does not care. */
	void (*role)(void *m, enum srp_role role, struct srp_time now);
	/** What is there before any subscriber: at least one object that stays. */
	void (*start)(void *m, struct sim_rng *g, struct srp_time now);
	/** One random thing that happens on the active side. */
	void (*act)(void *m, struct sim_rng *g, struct srp_time now);
	/** 0 where both hold the same; else says what differs. */
	int (*compare)(void *a, void *b, char *why, size_t cap);
};

/** What one run did, so that a test can see that it did something. */
struct sim_result {
	uint64_t trace; /**< hash of all bytes that went over the connection */
	uint64_t bytes, steps;
	uint32_t switches_planned, switches_failed, takeovers, restarts, refills, partitions, drops,
		both_active, audits;
	/* session recovery */
	uint32_t recoveries, recovered_whole, stores_lost, stores_unreadable, fills_broken_off, merges;
	uint64_t rebuilt, refused, buried; /**< sessions, records, deletions */
	char why[512]; /**< empty: all invariants held */
};

/**
 * Runs a pair for @p steps random steps, then lets it come to rest and compares the sides.
 *
 * After every step the equations of both replicas hold; at every loss of a side nothing that it
 * knew to be acknowledged is lost, and nothing comes back whose deletion was acknowledged; at the
 * end the digests are equal, equal to what is recomputed, and the models are equal.
 *
 * @return 0, or -1 with @c why filled
 */
int sim_run(const struct sim_model *model, uint64_t seed, uint32_t steps, struct sim_result *out);

extern const struct sim_model sim_toy;

#endif

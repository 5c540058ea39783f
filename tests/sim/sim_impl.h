/* sim_impl: what the files of the simulation share. */
#ifndef TESTS_SIM_SIM_IMPL_H
#define TESTS_SIM_SIM_IMPL_H

#include "recovery/replica_impl.h"
#include "tests/sim/sim.h"

#define SIM_ROWS_MAX  (2 * RECOVERY_KINDS_MAX)

struct sim_segment {
	struct sim_segment *next;
	struct srp_time due;
	size_t len, pos;
	uint8_t data[];
};

struct sim_side {
	unsigned id;
	void *model;
	struct recovery_sink sink;
	struct recovery_replica *r;
	struct recovery_kind_counters rows[SIM_ROWS_MAX];
	struct recovery_counters totals;
	enum srp_role role;
	uint32_t term;
	bool complete, up;
	bool level; /* has been READY since the last agreement */
	bool ev_filled, ev_flushed, ev_failed, ev_protocol;
	struct sim_segment *first, **last; /* what the other side has sent to this one */
	uint8_t *in;
	size_t in_len;
	char protocol[64];
};

struct sim {
	const struct sim_model *model;
	struct sim_rng rng;
	struct srp_time now;
	struct sim_side side[2];
	unsigned active;  /* who should hold the role */
	uint32_t number;  /* of the highest term */
	bool partition, planned;
	uint32_t delay_us, rate, inflight_max;
	bool lz4;
	struct sim_result *out;
};

/** Keeps the first failure; -1. */
__attribute__((format(printf, 2, 3))) int sim_fail(struct sim *s, const char *fmt, ...);

/* sim_side.c: processes and the connection between them */
int sim_birth(struct sim *s, unsigned i);
void sim_death(struct sim *s, unsigned i);
void sim_role(struct sim *s, unsigned i, enum srp_role role, uint32_t term, bool complete);
void sim_connect(struct sim *s);
void sim_disconnect(struct sim *s);
/** Forgets what is on the way to @p e. */
void sim_clear(struct sim_side *e);
/** The equations of both replicas hold, or -1. */
int sim_equations(struct sim *s, const char *after);
/** Lets both sides send and read until nothing moves at this time. */
int sim_pump(struct sim *s);
/** Microseconds until something is due, at most @p us. */
uint64_t sim_next_due(struct sim *s, uint64_t us);

/* sim_lists.c */
/** The lists of a side are what its figures say, or -1. */
int sim_lists(struct sim *s, unsigned side, const char *after);

/* sim_survey.c: invariants at the loss of a side */
int sim_survey(struct sim *s, unsigned dead);

#endif

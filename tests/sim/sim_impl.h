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
	struct recovery_sink *sink; /* of the process */
	struct recovery_replica *r;
	struct sim_mirror *mirror; /* NULL: no session recovery in this run */
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
	bool mirrored;    /* session recovery runs on the active */
	uint32_t fuse;    /* exchanges until a pump breaks off, 0 never: somebody dies then */
	uint64_t hkey;    /* of the next process that is born; 0 drawn */
	bool recovering;  /* a successor is being built: its mirror is not touched */
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
/** The lists of a side's replicas are what their figures say, or -1. */
int sim_lists(struct sim *s, unsigned side, const char *after);

/* sim_survey.c: invariants at the loss of a side */
int sim_survey(struct sim *s, unsigned dead);

/* --- session recovery (sim_mirror.c, sim_recover.c) ------------------------------------------- */

#define SIM_REGION (6u << 20)
#define SIM_QUEUE  (1u << 20)

/** What mirrors one side: the replica in its process, the store in another, the bytes between. */
struct sim_mirror {
	struct recovery_replica *src; /* in the process of the side */
	struct recovery_kind_counters src_rows[SIM_ROWS_MAX], rows[SIM_ROWS_MAX];
	struct recovery_counters src_totals, totals;
	void *mem;                    /* outlives both */
	struct recovery_store *store; /* NULL: its process is gone, or holds nothing */
	struct recovery_sink sink;
	struct recovery_replica *r;
	bool up;
	bool young;    /* began while the peer had not heard of every deletion */
	uint8_t *q[2]; /* 0: to the store, 1: from it */
	size_t n[2];
	char protocol[64];
};

int sim_mirror_new(struct sim *s, unsigned i);
void sim_mirror_free(struct sim *s, unsigned i);
/** The replica of a process that begins, and its end. */
int sim_mirror_birth(struct sim *s, unsigned i);
void sim_mirror_death(struct sim *s, unsigned i);
/** The role has changed: connects an empty store, or gives it up. */
int sim_mirror_role(struct sim *s, unsigned i);
/** Connects; @p go_on: with what the store holds, else it begins empty. */
int sim_mirror_connect(struct sim *s, unsigned i, bool go_on);
void sim_mirror_disconnect(struct sim *s, unsigned i);
/** The process of the store goes; the memory stays as it is. */
void sim_mirror_store_death(struct sim *s, unsigned i);
/** Bytes both ways. */
int sim_mirror_pump(struct sim *s, unsigned i, bool *moved);
/** The store takes all that was written to it. */
int sim_mirror_drain(struct sim *s, unsigned i);
/** The mirror holds what the side holds, and both know it, or -1. */
int sim_mirror_rest(struct sim *s, unsigned i);
bool sim_mirror_level(const struct sim *s, unsigned i);

/** The process of the active dies, alone or with its store; another is built from the memory. */
int sim_recover(struct sim *s);
/** The store of the active dies, and another is filled. */
int sim_store_lost(struct sim *s);

#endif

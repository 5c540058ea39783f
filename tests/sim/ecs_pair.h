/* ecs_pair: two chassis with a real engine and a real replica each, joined by two byte queues,
 * under one clock and one source of chance. What a session manager does with them, without its
 * process. */
#ifndef TESTS_SIM_ECS_PAIR_H
#define TESTS_SIM_ECS_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chassis/registry.h"
#include "ecs/session.h"
#include "ecs/engine.h"
#include "recovery/counters.h"
#include "recovery/replica.h"

#define PAIR_KINDS_MAX 16
#define PAIR_QUEUE     (4u << 20)

/** The rules of pair_service(), by priority: by HTTP host (the second after a second), by port,
 * any. */
enum { VIDEO, SLOW, DNS, WEB, ANY, RULES };
extern const char *const pair_rule[RULES];

/** Bytes under way in one direction. */
struct pair_queue {
	uint8_t *b;
	size_t len;
};

struct pair_chassis {
	uint8_t bit;
	bool alive, flushed, flush_failed, filled;
	enum srp_role role;
	struct ecs_engine *e;
	struct recovery_sink sink;
	struct recovery_replica *gr;
	struct ecs_counters ctr;
	struct ecs_owed owed;
	struct ecs_rule_stats *stats;
	struct recovery_kind_counters kinds[2 * PAIR_KINDS_MAX];
	struct recovery_counters totals;
	struct pair_queue in; /**< to be read */
};

struct pair {
	struct pair_chassis c[2];
	struct ecs_service *svc;
	struct srp_time now;
	uint64_t rnd;
	uint32_t number;    /**< of the highest term */
	uint32_t duration;  /**< checkpoint session duration, seconds */
	bool up;            /**< the connection */
	int active;         /**< index of the one in service, -1 none */
	const char *doing;  /**< for messages */
};

/** Ends the program with a message that names the seed. */
_Noreturn void pair_fail(const struct pair *p, const char *file, int line, const char *what);
#define PAIR_CHECK(p, cond)                                          \
	do {                                                         \
		if (!(cond))                                         \
			pair_fail((p), __FILE__, __LINE__, #cond);   \
	} while (0)
extern uint64_t pair_seed;

uint64_t pair_random(struct pair *p);
/** 0 to n-1. */
static inline uint32_t pair_pick(struct pair *p, uint32_t n)
{
	return (uint32_t)(pair_random(p) % n);
}

/** A service with these rules; the first three are eligible, with @p all also that of the port. */
struct ecs_service *pair_service(bool all);
void pair_init(struct pair *p, uint64_t seed, struct ecs_service *svc, uint32_t duration);
void pair_fini(struct pair *p);
/** Starts a chassis with an empty engine, as standby. */
void pair_start(struct pair *p, int i);
/** As kill -9: nothing is said. What it had sent may still be read by the other. */
void pair_kill(struct pair *p, int i);
void pair_connect(struct pair *p);
void pair_cut(struct pair *p);
/** Lets time pass, in small steps: timers, frames both ways. */
void pair_run(struct pair *p, uint32_t ms);
/** Runs until both have nothing more to say and are level. */
void pair_settle(struct pair *p);
/** The other takes over by itself: what has been delivered is applied first. */
void pair_take_over(struct pair *p, int i);
/** A planned switchover from the one in service: flush, freeze, end mark, handover. */
void pair_switch(struct pair *p);
/** Digest of all that an engine holds, computed here and not by the replica. */
uint64_t pair_digest(struct pair *p, int i);

#endif

/* pair: runs simulated pairs: `pair` runs all seeds of `make check`; `pair SEED [STEPS]` one of
 * them, and says what it did. A failure prints the seed that repeats it. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

#define SEEDS 300u
#define STEPS 400u

static const struct sim_model *const models[] = {&sim_toy};

static int run(const struct sim_model *m, uint64_t seed, uint32_t steps, struct sim_result *sum)
{
	struct sim_result r, again;

	if (sim_run(m, seed, steps, &r)) {
		printf("%s: seed %" PRIu64 " steps %" PRIu32 ": %s\n", m->name, seed, steps, r.why);
		return -1;
	}
	if (seed % 16 == 0 && (sim_run(m, seed, steps, &again) || again.trace != r.trace)) {
		printf("%s: seed %" PRIu64 ": two runs of it are not the same\n", m->name, seed);
		return -1;
	}
	sum->bytes += r.bytes;
	sum->steps += r.steps;
	sum->switches_planned += r.switches_planned;
	sum->switches_failed += r.switches_failed;
	sum->takeovers += r.takeovers;
	sum->restarts += r.restarts;
	sum->refills += r.refills;
	sum->partitions += r.partitions;
	sum->drops += r.drops;
	sum->both_active += r.both_active;
	sum->audits += r.audits;
	sum->recoveries += r.recoveries;
	sum->recovered_whole += r.recovered_whole;
	sum->stores_lost += r.stores_lost;
	sum->stores_unreadable += r.stores_unreadable;
	sum->fills_broken_off += r.fills_broken_off;
	sum->merges += r.merges;
	sum->rebuilt += r.rebuilt;
	sum->buried += r.buried;
	return 0;
}

static int all(const struct sim_model *m, uint64_t from, uint64_t to, uint32_t steps)
{
	struct sim_result sum = {0};
	int bad = 0;

	for (uint64_t seed = from; seed <= to; seed++)
		bad |= run(m, seed, steps, &sum);
	printf("%s: seeds %" PRIu64 " to %" PRIu64 ", %" PRIu64 " steps, %" PRIu64
	       " bytes: %" PRIu32 " planned (%" PRIu32 " given up), %" PRIu32 " takeovers, %" PRIu32
	       " restarts, %" PRIu32 " refills, %" PRIu32 " both active, %" PRIu32
	       " drops, %" PRIu32 " partitions, %" PRIu32 " audits%s\n",
	       m->name, from, to, sum.steps, sum.bytes, sum.switches_planned, sum.switches_failed,
	       sum.takeovers, sum.restarts, sum.refills, sum.both_active, sum.drops, sum.partitions,
	       sum.audits, bad ? ": FAILED" : "");
	printf("%s: %" PRIu32 " deaths recovered (%" PRIu32 " from whole stores, %" PRIu32
	       " broken off, %" PRIu32 " merged), %" PRIu32 " unreadable, %" PRIu32
	       " stores lost; %" PRIu64 " sessions rebuilt, %" PRIu64 " deletions kept\n",
	       m->name, sum.recoveries, sum.recovered_whole, sum.fills_broken_off, sum.merges,
	       sum.stores_unreadable, sum.stores_lost, sum.rebuilt, sum.buried);
	/* A run in which nothing happened proves nothing. */
	if (to - from > 100 &&
	    (!sum.switches_planned || !sum.takeovers || !sum.restarts || !sum.refills ||
	     !sum.both_active || !sum.recovered_whole || sum.recoveries == sum.recovered_whole ||
	     !sum.fills_broken_off || !sum.merges || !sum.stores_unreadable || !sum.stores_lost ||
	     !sum.buried))
		bad = -1;
	return bad;
}

int main(int argc, char **argv)
{
	uint64_t from = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint32_t steps = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : STEPS;
	uint64_t to = argc > 3 ? strtoull(argv[3], NULL, 0) : argc > 1 ? from : SEEDS;
	int bad = 0;

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		bad |= all(models[i], from, to, steps);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

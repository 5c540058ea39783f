/* ecs_model: a real engine as a model for the simulated pair of sim.h. */
#ifndef TESTS_SIM_ECS_MODEL_H
#define TESTS_SIM_ECS_MODEL_H

#include "tests/sim/sim.h"

/** Runs the common simulation with its events and invariants over @p n seeds. 0, or -1 said why. */
int sim_ecs_common(uint64_t first, uint64_t n, uint32_t steps);

#endif

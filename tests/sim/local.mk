## Simulated pairs: one process, virtual clock, all chance from a seed that a failure prints.
SIM_CORE = %D%/sim.c %D%/sim.h %D%/sim_impl.h %D%/sim_lists.c \
	%D%/sim_mirror.c %D%/sim_recover.c %D%/sim_side.c %D%/sim_survey.c
SIM_TOY = $(SIM_CORE) %D%/toy.c %D%/toy.h %D%/toy_model.c

check_PROGRAMS += %D%/pair
TESTS += %D%/pair

%C%_pair_SOURCES = %D%/pair.c $(SIM_TOY)
%C%_pair_LDADD = $(RECOVERY_LIBS)

## Two real engines: by the common simulation, and with a count of their own of flows and volumes.
check_PROGRAMS += %D%/sim_ecs
TESTS += %D%/sim_ecs

%C%_sim_ecs_SOURCES = %D%/sim_ecs.c %D%/ecs_model.c %D%/ecs_model.h %D%/ecs_pair.c %D%/ecs_pair.h \
	%D%/ecs_survive.c %D%/ecs_talk.c %D%/ecs_world.c %D%/ecs_world.h $(SIM_CORE)
%C%_sim_ecs_LDADD = $(CHASSIS_LIBS)

## Simulated pairs: one process, virtual clock, all chance from a seed that a failure prints.
SIM_TOY = %D%/sim.c %D%/sim.h %D%/toy.c %D%/toy.h %D%/toy_model.c

check_PROGRAMS += %D%/pair
TESTS += %D%/pair

%C%_pair_SOURCES = %D%/pair.c $(SIM_TOY)
%C%_pair_LDADD = $(RECOVERY_LIBS)

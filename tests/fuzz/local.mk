## Fuzz targets. With --with-fuzzer (clang) they are libFuzzer programs to be run by hand:
##     tests/fuzz/fuzz_frame -max_total_time=60 CORPUS tests/fuzz/frame.in
## without it `make check` replays the seeds in <name>.in/, one test a target.
##
## Another target NAME: fuzz_NAME.c, seeds in NAME.in/ (written with printf, named after what they are),
## NAME in these two lists, and three lines like those of frame below, with the libraries it needs.
FUZZ_TARGETS = %D%/fuzz_packet %D%/fuzz_frame %D%/fuzz_config %D%/fuzz_record %D%/fuzz_running %D%/fuzz_service
FUZZ_SEEDS   = %D%/packet.in %D%/frame.in %D%/config.in %D%/record.in %D%/running.in %D%/service.in

## Flags are set for all targets in every arm: automake replaces AM_* by per-target flags even where the
## conditional that sets them is false.
if WITH_FUZZER
FUZZ_MAIN =
else
FUZZ_MAIN = %D%/replay_main.c
TESTS += $(FUZZ_SEEDS)
endif
FUZZ_COMPILE = $(AM_CFLAGS) $(FUZZ_FLAGS)
FUZZ_LINK    = $(AM_LDFLAGS) $(FUZZ_FLAGS)

check_PROGRAMS += $(FUZZ_TARGETS)
## A test that is a directory of seeds is replayed.
TEST_EXTENSIONS = .in
IN_LOG_COMPILER = $(SHELL) $(srcdir)/%D%/replay.sh
EXTRA_DIST += %D%/replay.sh $(FUZZ_SEEDS)

%C%_fuzz_frame_SOURCES = %D%/fuzz_frame.c $(FUZZ_MAIN)
%C%_fuzz_frame_LDADD = $(SRP_LIBS)
%C%_fuzz_frame_CFLAGS = $(FUZZ_COMPILE)
%C%_fuzz_frame_LDFLAGS = $(FUZZ_LINK)

%C%_fuzz_config_SOURCES = %D%/fuzz_config.c $(FUZZ_MAIN)
%C%_fuzz_config_LDADD = $(CHASSIS_LIBS)
%C%_fuzz_config_CFLAGS = $(FUZZ_COMPILE)
%C%_fuzz_config_LDFLAGS = $(FUZZ_LINK)

%C%_fuzz_packet_SOURCES = %D%/fuzz_packet.c $(FUZZ_MAIN)
%C%_fuzz_packet_LDADD = $(ECS_LIBS)
%C%_fuzz_packet_CFLAGS = $(FUZZ_COMPILE)
%C%_fuzz_packet_LDFLAGS = $(FUZZ_LINK)

%C%_fuzz_record_SOURCES = %D%/fuzz_record.c tests/sim/toy.c tests/sim/toy.h $(FUZZ_MAIN)
%C%_fuzz_record_LDADD = $(RECOVERY_LIBS)
%C%_fuzz_record_CFLAGS = $(FUZZ_COMPILE)
%C%_fuzz_record_LDFLAGS = $(FUZZ_LINK)

%C%_fuzz_running_SOURCES = %D%/fuzz_running.c $(FUZZ_MAIN)
%C%_fuzz_running_LDADD = $(CHASSIS_LIBS)
%C%_fuzz_running_CFLAGS = $(FUZZ_COMPILE)
%C%_fuzz_running_LDFLAGS = $(FUZZ_LINK)

%C%_fuzz_service_SOURCES = %D%/fuzz_service.c $(FUZZ_MAIN)
%C%_fuzz_service_LDADD = $(CHASSIS_LIBS)
%C%_fuzz_service_CFLAGS = $(FUZZ_COMPILE)
%C%_fuzz_service_LDFLAGS = $(FUZZ_LINK)

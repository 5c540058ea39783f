noinst_LIBRARIES += %D%/libstats.a
%C%_libstats_a_SOURCES = \
	%D%/stats.c	%D%/stats.h
STATS_LIBS = %D%/libstats.a

noinst_LIBRARIES += %D%/libstats.a
%C%_libstats_a_SOURCES = \
	%D%/doc.c	%D%/doc.h	\
	%D%/histogram.c	%D%/histogram.h	\
	%D%/rate.c	%D%/rate.h	\
	%D%/segment.c	%D%/segment.h	\
	%D%/stats.c	%D%/stats.h	\
	%D%/table.c	%D%/table.h
STATS_LIBS = %D%/libstats.a
